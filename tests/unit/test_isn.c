/* Shows that initial sequence numbers follow RFC 6528, timestamp offsets RFC 7323 5.4 and 7.1 and ephemeral ports RFC 6056. */
#include "core.h"

#include "base/seq.h"
#include "tcp/connection.h"
#include "tcp/isn.h"

#define FIRST 50000
#define LAST  50099
#define PORTS (LAST - FIRST + 1u)

static struct core up(void) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = 256;
    config.ephemeral_first = FIRST;
    config.ephemeral_last = LAST;
    return core_up(&config, 0);
}

static struct tuple tuple_to(uint32_t host, uint16_t local_port, uint16_t remote_port) {
    bk_addr remote = bk_addr_ipv4(10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host);
    return (struct tuple){bk_addr_ipv4(192, 0, 2, 1), remote, local_port, remote_port};
}

static int compare_u32(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* ---- RFC 6528 -------------------------------------------------------------------------------------- */

/* For one tuple the number rises with a clock of 4 microseconds, for ever (RFC 9293 3.4.1): incarnations do not overlap. */
static void the_clock_ticks_every_4_us(void **state) {
    (void)state;
    struct core k = up();
    struct tuple tuple = tuple_to(1, 40000, 80);
    uint32_t before = isn_make(k.tcp, &tuple).number;
    for (uint32_t i = 0; i < 1000; i++) {
        base_now(k.base, k.base->now + 4000);
        uint32_t isn = isn_make(k.tcp, &tuple).number;
        assert_int_equal(isn - before, 1);
        before = isn;
    }
    uint64_t random = 41;
    for (uint32_t i = 0; i < 10000; i++) {
        uint64_t later = draw(&random) % (7200 * NS_PER_S), ticks = (k.base->now + later) / 4000 - k.base->now / 4000;
        base_now(k.base, k.base->now + later);
        uint32_t isn = isn_make(k.tcp, &tuple).number;
        assert_int_equal(isn - before, (uint32_t)ticks);
        assert_true(seq_ge(isn, before));
        before = isn;
    }
    core_down(&k);
}

/* Across tuples nothing is to be seen: of 100,000 numbers about one pair is equal by chance (n * n / 2^33 = 1.16; 12 or more
 * once in 10^8), each bit is set half the time (50,000, five standard deviations are 791), and neighbouring tuples' differences do not repeat. */
static void tuples_tell_nothing_of_each_other(void **state) {
    (void)state;
    enum { N = 100000 };
    struct core k = up();
    uint32_t *isn = malloc(N * sizeof *isn), *difference = malloc(N * sizeof *difference), set[32] = {0};
    assert_non_null(isn);
    assert_non_null(difference);
    for (uint32_t i = 0; i < N; i++) {
        struct tuple tuple = tuple_to(i / 1000, (uint16_t)(1024 + i % 1000), 80);
        isn[i] = isn_make(k.tcp, &tuple).number;
        difference[i] = i == 0 ? isn[0] : isn[i] - isn[i - 1];
        for (uint32_t bit = 0; bit < 32; bit++) set[bit] += isn[i] >> bit & 1;
    }
    qsort(isn, N, sizeof *isn, compare_u32);
    qsort(difference, N, sizeof *difference, compare_u32);
    uint32_t equal = 0, equal_differences = 0;
    for (uint32_t i = 1; i < N; i++) {
        equal += isn[i] == isn[i - 1];
        equal_differences += difference[i] == difference[i - 1];
    }
    assert_true(equal < 12);
    assert_true(equal_differences < 12);
    for (uint32_t bit = 0; bit < 32; bit++) assert_in_range(set[bit], 50000 - 791, 50000 + 791);
    free(isn);
    free(difference);
    core_down(&k);
}

static void all_of_tuple_and_secret_count_in(struct tuple tuple, size_t first, size_t last) {
    struct core k = up();
    uint32_t isn = isn_make(k.tcp, &tuple).number, offset = isn_make(k.tcp, &tuple).timestamp_offset;
    assert_int_not_equal(isn, offset); /* they are no copies: one must not tell the other */
    for (size_t i = 0; i < sizeof tuple; i++) {
        if (i < 2 * sizeof(bk_addr) && (i % sizeof(bk_addr) < first || i % sizeof(bk_addr) > last)) continue;
        struct tuple other = tuple;
        ((uint8_t *)&other)[i] ^= 1;
        assert_int_not_equal(isn_make(k.tcp, &other).number, isn);
        assert_int_not_equal(isn_make(k.tcp, &other).timestamp_offset, offset);
    }
    uint8_t seed[32] = {1};
    bk_reseed(k.stack, seed);
    assert_int_not_equal(isn_make(k.tcp, &tuple).number, isn);
    assert_int_not_equal(isn_make(k.tcp, &tuple).timestamp_offset, offset);
    core_down(&k);
}

/* Each part of the tuple counts, and the secret does. Of an IPv4 address that is its last four bytes. */
static void all_of_tuple_and_secret_count(void **state) {
    (void)state;
    all_of_tuple_and_secret_count_in(tuple_to(1, 40000, 80), 12, 15);
    struct tuple ipv6 = tuple_to(1, 40000, 80);
    ipv6.local.byte[0] = ipv6.remote.byte[0] = 0x20;
    all_of_tuple_and_secret_count_in(ipv6, 0, 15);
}

/* One tuple's timestamp clock goes on rising from incarnation to incarnation: its offset is not of the time. */
static void timestamp_offsets_stay(void **state) {
    (void)state;
    struct core k = up();
    struct tuple tuple = tuple_to(1, 40000, 80);
    uint32_t offset = isn_make(k.tcp, &tuple).timestamp_offset;
    base_now(k.base, 86400 * NS_PER_S);
    assert_int_equal(isn_make(k.tcp, &tuple).timestamp_offset, offset);
    core_down(&k);
}

/* ---- RFC 6056 -------------------------------------------------------------------------------------- */

/* Towards one destination the whole range is used before any port comes again (RFC 6056 3.3.4), and none outside it. */
static void the_whole_range_is_used(void **state) {
    (void)state;
    struct core k = up();
    struct tuple tuple = tuple_to(1, 0, 80);
    for (uint32_t turn = 0; turn < 3; turn++) {
        bool seen[PORTS] = {false};
        for (uint32_t i = 0; i < PORTS; i++) {
            uint16_t port = isn_port(k.tcp, &tuple);
            assert_in_range(port, FIRST, LAST);
            assert_false(seen[port - FIRST]);
            seen[port - FIRST] = true;
        }
    }
    core_down(&k);
}

static uint32_t take(struct core *k, struct tuple tuple, uint16_t port) {
    tuple.local_port = port;
    uint32_t id = connection_new(k->tcp, &tuple, demux_hash(&k->tcp->base, &tuple), 0, DEMUX_NONE);
    assert_int_not_equal(id, BK_NONE);
    return id;
}

/* A 4-tuple that is in use is skipped; when all are, the answer is 0, also when the counter wraps on the way; and a port that comes free is found. */
static void ports_in_use_are_skipped(void **state) {
    (void)state;
    struct core k = up();
    struct tuple tuple = tuple_to(1, 0, 80), other = tuple_to(2, 0, 80);
    uint32_t id[PORTS];
    for (uint32_t i = 0; i < PORTS; i++) {
        uint16_t port = isn_port(k.tcp, &tuple);
        assert_in_range(port, FIRST, LAST); /* a free one, or connection_new's tuple would be taken twice */
        for (uint32_t j = 0; j < i; j++) assert_int_not_equal(connection_at(k.tcp, id[j])->tuple.local_port, port);
        id[i] = take(&k, tuple, port);
    }
    assert_int_equal(isn_port(k.tcp, &tuple), 0);
    assert_in_range(isn_port(k.tcp, &other), FIRST, LAST); /* what is exhausted is 4-tuples, not ports */
    for (uint32_t i = 0; i < PORTS; i += 9) {
        struct connection *c = connection_at(k.tcp, id[i]);
        uint16_t port = c->tuple.local_port;
        connection_free(k.tcp, c);
        assert_int_equal(isn_port(k.tcp, &tuple), port);
        take(&k, tuple, port);
        assert_int_equal(isn_port(k.tcp, &tuple), 0);
    }
    core_down(&k);
}

/* Where each destination begins is hidden from the others: first ports to 10,000 destinations are even over the range
 * (100 each; five standard deviations are 50), and do not follow each other. */
static void destinations_begin_apart(void **state) {
    (void)state;
    struct core k = up();
    uint32_t count[PORTS] = {0}, follows = 0;
    uint16_t before = 0;
    for (uint32_t host = 0; host < 10000; host++) {
        struct tuple tuple = tuple_to(host, 0, 443);
        uint16_t port = isn_port(k.tcp, &tuple);
        assert_in_range(port, FIRST, LAST);
        count[port - FIRST]++;
        follows += port == before + 1;
        before = port;
    }
    for (uint32_t i = 0; i < PORTS; i++) assert_in_range(count[i], 50, 150);
    assert_in_range(follows, 50, 150); /* one in a hundred by chance */
    core_down(&k);
}

/* A range of one port. */
static void a_single_port(void **state) {
    (void)state;
    struct core k = up();
    k.base->config.ephemeral_first = k.base->config.ephemeral_last = 65535;
    struct tuple tuple = tuple_to(1, 0, 80);
    assert_int_equal(isn_port(k.tcp, &tuple), 65535);
    take(&k, tuple, 65535);
    assert_int_equal(isn_port(k.tcp, &tuple), 0);
    core_down(&k);
}

/* ---- the cost of a port ---------------------------------------------------------------------------- */

#define WIDE_FIRST 32768u
#define WIDE_PORTS 28232u /* 32768 to 60999 */

struct crowd {
    struct core k;
    uint32_t *id; /* of the connections that hold ports, in no order */
    uint32_t count;
    uint64_t random;
};

static void crowd_up(struct crowd *w, uint32_t maps) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = 2 * WIDE_PORTS;
    config.ephemeral_first = WIDE_FIRST;
    config.ephemeral_last = WIDE_FIRST + WIDE_PORTS - 1;
    config.port_maps = maps;
    *w = (struct crowd){.k = core_up(&config, 0), .id = malloc(WIDE_PORTS * sizeof *w->id), .random = 5};
    assert_non_null(w->id);
}

static void crowd_down(struct crowd *w) {
    free(w->id);
    core_down(&w->k);
}

static void crowd_open(struct crowd *w, struct tuple tuple) {
    uint16_t port = isn_port(w->k.tcp, &tuple);
    assert_int_not_equal(port, 0);
    w->id[w->count++] = take(&w->k, tuple, port);
}

/* Any one of them goes. */
static void crowd_close(struct crowd *w) {
    uint32_t i = core_below(&w->random, w->count);
    connection_free(w->k.tcp, connection_at(w->k.tcp, w->id[i]));
    w->id[i] = w->id[--w->count];
}

/* Connections come and go with so many ports taken; which are free is random, and new connections do not follow each other where the old ones
 * end. Returns the look-ups that an open took on average. */
static double looks_at(struct crowd *w, struct tuple tuple, uint32_t taken, uint32_t opens) {
    while (w->count < taken) crowd_open(w, tuple);
    for (uint32_t i = 0; i < 2 * WIDE_PORTS; i++) {
        crowd_close(w);
        crowd_open(w, tuple);
    }
    uint64_t before = w->k.tcp->port_looks;
    for (uint32_t i = 0; i < opens; i++) {
        if (w->count != 0 && w->count >= taken) crowd_close(w);
        crowd_open(w, tuple);
    }
    return (double)(w->k.tcp->port_looks - before) / opens;
}

/* An open takes two look-ups at most on average, however many of the ports to the destination are taken: each taken port is met once, and a
 * free one is found. Without a map the last rows are 50 and 470. */
static void a_port_costs_two_looks(void **state) {
    (void)state;
    static const double row[] = {0, 0.5, 0.9, 0.99, 0.999};
    struct crowd w;
    crowd_up(&w, 1);
    printf("ports to a destination taken, and look-ups for each open:");
    for (size_t i = 0; i < BK_COUNT(row); i++) {
        uint32_t taken = (uint32_t)(row[i] * WIDE_PORTS);
        double looks = looks_at(&w, tuple_to(1, 0, 80), taken < 1 ? 1 : taken, 20000);
        printf(" %g %% %.2f%s", 100 * row[i], looks, i + 1 == BK_COUNT(row) ? "\n" : ",");
        assert_true(looks < 2.1);
    }
    crowd_down(&w);
}

/* That no port is left is known without looking, and that one came free again. */
static void an_exhausted_destination_costs_nothing(void **state) {
    (void)state;
    struct crowd w;
    struct tuple tuple = tuple_to(1, 0, 80);
    crowd_up(&w, 1);
    while (w.count < WIDE_PORTS) crowd_open(&w, tuple);
    /* Then all have been met: the first three of the search that made the map are by the next one. */
    for (int i = 0; i < 2; i++) assert_int_equal(isn_port(w.k.tcp, &tuple), 0);
    uint64_t before = w.k.tcp->port_looks;
    for (uint32_t i = 0; i < 1000; i++) assert_int_equal(isn_port(w.k.tcp, &tuple), 0);
    assert_int_equal(w.k.tcp->port_looks, before);
    crowd_close(&w);
    crowd_open(&w, tuple);
    assert_int_equal(w.k.tcp->port_looks, before + 1);
    crowd_down(&w);
}

/* Which port is chosen does not depend on there being a map, or on another destination having taken it. */
static void maps_change_no_choice(void **state) {
    (void)state;
    struct core k[2];
    uint32_t id[2][3][PORTS], count[3] = {0};
    uint64_t random = 17;
    for (uint32_t maps = 0; maps < 2; maps++) {
        struct bk_config config;
        bk_config_tiny(&config);
        config.connections = 4 * PORTS;
        config.ephemeral_first = FIRST;
        config.ephemeral_last = LAST;
        config.port_maps = 2 * maps;
        k[maps] = core_up(&config, 0);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t host = core_below(&random, 3); /* more than there are maps */
        struct tuple tuple = tuple_to(host, 0, 80);
        if (count[host] != 0 && core_below(&random, 2 * PORTS) < count[host]) {
            uint32_t gone = core_below(&random, count[host]--);
            for (uint32_t maps = 0; maps < 2; maps++) {
                connection_free(k[maps].tcp, connection_at(k[maps].tcp, id[maps][host][gone]));
                id[maps][host][gone] = id[maps][host][count[host]];
            }
            continue;
        }
        uint16_t port = isn_port(k[0].tcp, &tuple);
        assert_int_equal(isn_port(k[1].tcp, &tuple), port);
        assert_true((port == 0) == (count[host] == PORTS));
        if (port == 0) continue;
        for (uint32_t maps = 0; maps < 2; maps++) id[maps][host][count[host]] = take(&k[maps], tuple, port);
        count[host]++;
    }
    assert_int_equal(k[1].tcp->port_maps.in_use, 2);
    assert_true(k[1].tcp->port_looks < k[0].tcp->port_looks * 2 / 3);
    for (uint32_t maps = 0; maps < 2; maps++) core_down(&k[maps]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_ticks_every_4_us),    cmocka_unit_test(tuples_tell_nothing_of_each_other),
        cmocka_unit_test(all_of_tuple_and_secret_count), cmocka_unit_test(timestamp_offsets_stay),
        cmocka_unit_test(the_whole_range_is_used),       cmocka_unit_test(ports_in_use_are_skipped),
        cmocka_unit_test(destinations_begin_apart),      cmocka_unit_test(a_single_port),
        cmocka_unit_test(a_port_costs_two_looks),        cmocka_unit_test(an_exhausted_destination_costs_nothing),
        cmocka_unit_test(maps_change_no_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
