/* Shows that a host works on each kind of link, that moving the stack changes nothing, that a host that crashed and returned is a new one, and
 * that what a device saw is told from what the stack says. */
#include "two_hosts.h"

#define SEEDS   8u
#define MILLION 1000000u

/* ---- kinds of links ---- */

static void test_links(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct host_options o[2] = {world_options(0), world_options(1)};
        struct world w;
        for (unsigned i = 0; i < 2; i++) {
            o[i].iface.layer = kind & 1 ? BK_LAYER_ETHERNET : BK_LAYER_IP;
            memcpy(o[i].iface.mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(1 + i)}, 6);
            o[i].faults = (struct host_faults){.refuse_ppm = 50000, .refuse_us = 2000, .hold_ppm = 500000};
            if (kind < 2) continue;
            assert_int_equal(bk_addr_parse(i == 0 ? "2001:db8::1" : "2001:db8::2", &o[i].addr), 0);
            assert_int_equal(bk_addr_parse("2001:db8::9", &o[i].gateway), 0);
            o[i].prefix_length = 64;
        }
        world_begin(&w, o, 0);
        world_run(&w, 100 * NS_PER_S);
        assert_int_equal(w.received, WORLD_BYTES);
        assert_true(w.finished);
        world_end(&w);
    }
}

/* ---- moves ---- */

static void moves_run(uint32_t move_ppm, uint64_t seed, struct world *w) {
    struct host_options o[2] = {world_options(0), world_options(1)};
    for (unsigned i = 0; i < 2; i++) {
        o[i].config.trace_events = 1024;
        o[i].move_ppm = move_ppm;
        o[i].seed = seed + i;
        o[i].faults = world_all_faults;
    }
    world_begin(w, o, 30000);
    world_transfer(w);
}

static void test_moves(void **state) {
    (void)state;
    uint64_t moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world still, moving;
        moves_run(0, seed, &still);
        moves_run(500000, seed, &moving);
        moved += moving.moved;
        assert_int_equal(still.moved, 0);
        assert_int_equal(moving.frames, still.frames);
        assert_int_equal(moving.events, still.events);
        assert_true(moving.digest == still.digest);
        for (unsigned i = 0; i < 2; i++) {
            size_t counts[2];
            const struct bk_event *a = host_events(still.host[i], &counts[0]),
                                  *b = host_events(moving.host[i], &counts[1]);
            assert_true(counts[0] > WORLD_BYTES / 1500);
            assert_int_equal(counts[0], counts[1]);
            assert_memory_equal(a, b, counts[0] * sizeof *a);
        }
        world_end(&still);
        world_end(&moving);
    }
    assert_true(moved > 100);
}

/* ---- crashes ---- */

/* The receiver crashes in the middle and returns: the sender's retransmission is for no known connection, so RST answers it (RFC 9293
 * 3.5.1), and the sender's user hears of it. */
static void test_crash(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    size_t before, after;
    o[0].config.send_buffer_max = 0; /* the sender's user is to be there still */
    o[1].config.trace_events = 1024;
    o[1].faults = (struct host_faults){.hold_ppm = 500000, .starve_ppm = 100000, .refuse_us = 1000};
    world_begin(&w, o, 0);
    while (w.received < WORLD_BYTES / 3) assert_true(world_step(&w, BK_NEVER));

    host_crash(w.host[1]);
    host_crash(w.host[1]);
    w.open[1] = false;
    assert_false(host_up(w.host[1]));
    assert_null(host_stack(w.host[1]));
    assert_int_equal(host_next(w.host[1]), BK_NEVER);
    world_run(&w, NS_PER_S);
    assert_true(w.lost > 0);
    assert_int_equal(w.error, 0);
    const struct bk_event *events = host_events(w.host[1], &before);
    assert_true(before > 0);
    uint64_t last = events[before - 1].time;
    uint32_t iss = 0;
    for (size_t i = 0; i < before; i++)
        if (events[i].kind == BK_EVENT_SEGMENT_OUT && (events[i].tcp_flags & WIRE_SYN) != 0) iss = events[i].seq;

    host_return(w.host[1], w.now);
    world_run(&w, 100 * NS_PER_S);
    assert_int_equal(w.error, -104);
    assert_false(w.open[0]);
    assert_int_equal(bk_reason_count(host_stack(w.host[1]), BK_REASON_SEND_RST_CLOSED), w.resets);
    assert_int_equal(w.resets, 1);
    events = host_events(w.host[1], &after);
    assert_true(after > before);
    assert_int_equal(events[before - 1].time, last);
    assert_int_equal(events[after - 1].reason, BK_REASON_SEND_RST_CLOSED);

    /* The new life takes connections, with other sequence numbers. */
    struct bk_tcp_open to = {.remote = world_addr(1), .remote_port = WORLD_PORT};
    world_listen(&w);
    w.sent = w.received = 0;
    w.resets = 0;
    w.error = 0;
    assert_int_equal(bk_tcp_connect(host_stack(w.host[0]), &to, w.now, &w.conn[0]), 0);
    w.open[0] = true;
    host_run(w.host[0], w.now);
    world_transfer(&w);
    events = host_events(w.host[1], &after);
    uint32_t iss_now = iss;
    for (size_t i = before; i < after; i++)
        if (events[i].kind == BK_EVENT_SEGMENT_OUT && (events[i].tcp_flags & WIRE_SYN) != 0) iss_now = events[i].seq;
    assert_int_not_equal(iss_now, iss);
    world_end(&w);
}

/* What the device held when the stack went is nothing to the next one. */
static void test_crash_while_holding(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.starve_ppm = MILLION, .hold_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 1);
    host_crash(w.host[0]);
    world_audit(&w);
    host_return(w.host[0], w.now);
    world_audit(&w);
    host_calm(w.host[0]);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 0);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_CHUNKS), 0);
    world_end(&w);
}

/* ---- what the audit sees ---- */

static void assert_fault(const struct world *w, unsigned side, const char *words) {
    struct fault fault = {0};
    assert_false(host_audit(w->host[side], &fault));
    if (strstr(fault.text, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
}

static void test_audit_sees(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct fault fault = {0};
    struct world w;
    struct bk_tx unit;
    uint32_t chunk;
    world_begin(&w, o, 0);
    assert_true(host_audit(w.host[0], &fault) && host_audit(w.host[1], &fault));

    /* A frame arrives that the device has not seen. */
    uint8_t frame[65535 + 14];
    size_t length = path_leave(w.path[1], w.now + NS_PER_S, frame);
    assert_int_equal(bk_input_copy(host_stack(w.host[1]), 0, frame, length, w.now), BK_REASON_ACCEPT_SYN);
    assert_fault(&w, 1, "ACCEPT_SYN was counted 1 times, and seen 0 times");

    /* A unit is taken that never leaves. */
    host_crash(w.host[1]);
    host_return(w.host[1], w.now);
    struct bk_tcp_open to = {.remote = world_addr(0), .remote_port = WORLD_PORT};
    bk_conn c;
    assert_int_equal(bk_tcp_connect(host_stack(w.host[1]), &to, w.now, &c), 0);
    assert_true(host_audit(w.host[1], &fault));
    assert_int_equal(bk_output(host_stack(w.host[1]), 0, &unit, 1, w.now), 1);
    assert_fault(&w, 1, "SEND_SYN was counted 1 times, and seen 0 times");

    /* A chunk is missing. */
    assert_int_equal(bk_chunk_alloc(host_stack(w.host[0]), &chunk, 1), 1);
    assert_fault(&w, 0, "chunk");
    world_end(&w);
}

static void assert_refused(const struct host_options *o, const char *words) {
    const char *why = "";
    assert_null(host_new(o, 1, NULL, NULL, NULL, &why));
    if (strstr(why, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void test_wrong_options(void **state) {
    (void)state;
    struct host_options o = world_options(0);
    o.config.msl_ms = 0;
    assert_refused(&o, "msl_ms");
    o = world_options(0);
    o.iface.mtu = 100;
    assert_refused(&o, "interface");
    o = world_options(0);
    o.prefix_length = 33;
    assert_refused(&o, "address");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_while_holding),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_audit_sees),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
