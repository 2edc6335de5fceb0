/* Shows that a queue under CoDel drops or marks the packets that RFC 8289's arithmetic names, marks as RFC 3168 says, and stays short. */
#include "path_run.h"

#include "base/checksum.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

enum packet { ECT0, ECT1, CE, NOT_ECT };
static const uint8_t packet_ecn[] = {2, 1, 3, 0};

/* A packet of 1,250 bytes (1 ms at 10 Mbit/s), numbered at its end. Returns where its IP header is. */
static size_t packet_make(uint8_t frame[1250], bool ethernet, int family, enum packet packet, uint32_t number) {
    size_t at = 0;
    memset(frame, 0, 1250);
    if (ethernet) {
        struct wire_ethernet e = {.type = family == 4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6};
        at = wire_ethernet_emit(frame, &e);
    }
    uint8_t traffic_class = (uint8_t)(0xb8 | packet_ecn[packet]); /* with a DSCP that must stay */
    if (family == 4) {
        struct wire_ipv4 h = {.header_length = 20,
                              .total_length = (uint16_t)(1250 - at),
                              .id = (uint16_t)(number * 7919),
                              .traffic_class = traffic_class,
                              .ttl = 64,
                              .protocol = WIRE_TCP,
                              .src = bk_addr_ipv4(192, 0, 2, 1),
                              .dst = bk_addr_ipv4(192, 0, 2, 2)};
        wire_ipv4_emit(frame + at, &h);
    } else {
        struct wire_ipv6 h = {.traffic_class = traffic_class,
                              .flow_label = 0xabcde,
                              .payload_length = (uint16_t)(1210 - at),
                              .next_header = WIRE_TCP,
                              .hop_limit = 64};
        wire_ipv6_emit(frame + at, &h);
    }
    put_be32(frame + 1246, number);
    return at;
}

static void codel_burst(struct run *r, const struct path_options *o, int family, enum packet packet, uint64_t at) {
    uint8_t frame[1250];
    for (uint32_t i = 0; i < 300; i++) {
        packet_make(frame, o->ethernet, family, packet, i);
        assert_int_equal(path_enter(r->path, frame, sizeof frame, START + at), PATH_TAKEN);
    }
    run_until(r, START + at + NS_PER_S);
}

/* 300 packets at once, then the line alone: packet k is reached after k ms, as long as none was dropped. The sojourn is 5 ms at packet 5, so
 * CoDel acts at 105 ms, then 100 ms later, then 100 / sqrt(2) = 70.7 ms later, that is at the packet taken at 276 ms; the next
 * time, 57.7 ms later, nothing is left. Marked are so 105, 205, 276. A dropped packet makes those behind it one earlier:
 * dropped are so 105, 206, 278. */
static struct run *codel_run(bool ecn, bool ethernet, int family, enum packet packet) {
    struct path_options o = {
        .rate_bps = 10 * MBIT, .queue = PATH_CODEL, .ecn = ecn, .ethernet = ethernet, .delay_us = 1};
    struct run *r = run_begin(&o, 1);
    codel_burst(r, &o, family, packet, 0);
    return r;
}

static void assert_marks(bool ethernet, int family, enum packet packet) {
    struct run *r = codel_run(true, ethernet, family, packet);
    uint32_t marked = 0;
    assert_int_equal(r->count, 300);
    assert_int_equal(path_counters(r->path)->dropped_aqm, 0);
    for (uint32_t i = 0; i < 300; i++) {
        uint8_t want[1250];
        const uint8_t *got = r->arrival[i].bytes;
        bool mark = i == 105 || i == 205 || i == 276;
        size_t at = packet_make(want, ethernet, family, mark ? CE : packet, i);
        assert_int_equal(r->arrival[i].number, i);
        if (family == 4) assert_int_equal(checksum_fold(checksum_add(0, got + at, 20)), 0xffff);
        assert_memory_equal(got, want, sizeof r->arrival[i].bytes);
        marked += mark;
    }
    assert_int_equal(path_counters(r->path)->marked, marked);
    run_end(r);
}

static void test_codel_marks(void **state) {
    (void)state;
    for (int ethernet = 0; ethernet < 2; ethernet++) {
        for (int family = 4; family <= 6; family += 2) {
            assert_marks(ethernet, family, ECT0);
            assert_marks(ethernet, family, ECT1);
            assert_marks(ethernet, family, CE);
        }
    }
}

static bool is_marked(const struct run *r, size_t i) {
    return (r->arrival[i].bytes[1] & 3) == 3;
}

/* The first burst leaves the dropping state with 3 marks, 2 more than it entered with. A second one, 1 s later, goes on from there: after
 * 105 ms the next marks come 100 / sqrt(2), 100 / sqrt(3), 100 / sqrt(4) ms apart, at 175.7, 233.4, 283.4 ms. A third one, more
 * than 16 INTERVALs after the last mark was due, begins anew. */
static void test_codel_goes_on(void **state) {
    (void)state;
    struct path_options o = {.rate_bps = 10 * MBIT, .queue = PATH_CODEL, .ecn = true};
    struct run *r = run_begin(&o, 1);
    for (uint64_t i = 0; i < 2; i++) codel_burst(r, &o, 4, ECT0, i * NS_PER_S);
    codel_burst(r, &o, 4, ECT0, 4 * NS_PER_S);
    assert_int_equal(r->count, 900);
    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(is_marked(r, i), i == 105 || i == 205 || i == 276);
        assert_int_equal(is_marked(r, 300 + i), i == 105 || i == 176 || i == 234 || i == 284);
        assert_int_equal(is_marked(r, 600 + i), i == 105 || i == 205 || i == 276);
    }
    run_end(r);
}

/* Each packet waits for 100 ms behind another on a slow line: one packet is no queue, however long it takes. */
static void test_codel_spares_the_last(void **state) {
    (void)state;
    struct path_options o = {.rate_bps = MBIT / 10, .queue = PATH_CODEL};
    struct run *r = run_begin(&o, 1);
    run_enter(r, 0, 1250, 1);
    for (uint32_t i = 1; i < 50; i++) run_enter(r, i, 1250, 1 + (i - 1) * 100 * NS_PER_MS);
    run_until(r, START + 10 * NS_PER_S);
    assert_int_equal(r->count, 50);
    assert_int_equal(r->arrival[49].time, 1 + 5 * NS_PER_S);
    run_end(r);
}

static void assert_drops(struct run *r) {
    uint32_t expected = 0;
    assert_int_equal(r->count, 297);
    assert_int_equal(path_counters(r->path)->dropped_aqm, 3);
    assert_int_equal(path_counters(r->path)->marked, 0);
    for (uint32_t i = 0; i < 297; i++, expected++) {
        if (expected == 105 || expected == 206 || expected == 278) expected++;
        assert_int_equal(r->arrival[i].number, expected);
        assert_int_equal(r->arrival[i].time, (i + 1) * NS_PER_MS + NS_PER_US); /* the line never waits */
    }
    run_end(r);
}

static void test_codel_drops(void **state) {
    (void)state;
    assert_drops(codel_run(true, false, 4, NOT_ECT));
    assert_drops(codel_run(true, true, 6, NOT_ECT));
    assert_drops(codel_run(false, false, 4, ECT0)); /* ECN is not for this queue */
}

/* Senders that offer a twentieth more than the line takes, for 20 s. Drop-tail lets them stand in a queue that grows to a second. CoDel lets the
 * queue grow by a twentieth of an INTERVAL (5 ms) above its TARGET before it acts. */
static double overload(enum path_queue queue) {
    struct path_options o = {.rate_bps = 10 * MBIT, .queue = queue};
    struct run *r = run_begin(&o, 1);
    const uint64_t apart = NS_PER_MS * 20 / 21;
    uint8_t frame[1250];
    double sum = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < 21000; i++) {
        uint64_t at = START + i * apart;
        run_until(r, at);
        packet_make(frame, false, 4, NOT_ECT, i);
        assert_int_equal(path_enter(r->path, frame, sizeof frame, at), PATH_TAKEN);
    }
    run_until(r, START + 60 * NS_PER_S);
    for (size_t i = 0; i < r->count; i++) {
        if (r->arrival[i].number < 4200) continue; /* the first 4 s, in which CoDel learns */
        sum += (double)(r->arrival[i].time - r->arrival[i].number * apart) / NS_PER_MS;
        n++;
    }
    run_end(r);
    return sum / (double)n;
}

static void test_codel_keeps_the_queue_short(void **state) {
    (void)state;
    double codel = overload(PATH_CODEL), tail = overload(PATH_DROP_TAIL);
    print_message("note: mean time in an overloaded queue: CoDel %.1f ms, drop-tail %.1f ms\n", codel, tail);
    assert_true(codel > 2 && codel < 12);
    assert_true(tail > 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codel_goes_on),
        cmocka_unit_test(test_codel_spares_the_last),
        cmocka_unit_test(test_codel_marks),
        cmocka_unit_test(test_codel_drops),
        cmocka_unit_test(test_codel_keeps_the_queue_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
