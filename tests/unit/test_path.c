/* Shows that a path delays, queues, loses, doubles, holds back, damages and marks as it is told, at the instants and as often as worked
 * arithmetic says, and that one impairment leaves the others alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "lab/path.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

#define START  (7 * NS_PER_S) /* of a path's time, so that none begins at 0 */
#define FRAMES 20000u
#define MBIT   UINT64_C(1000000)

/* ---- a path that is run to its end ---- */

struct arrival {
    uint64_t time;
    uint32_t number;
    uint32_t length;
    uint8_t bytes[64]; /* the frame's first */
};

struct run {
    struct path *path;
    struct arrival *arrival;
    size_t count, room;
    uint8_t frame[65535 + 14];
};

static struct run *run_begin(const struct path_options *options, uint64_t seed) {
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->path = path_new(options, seed, START);
    assert_non_null(r->path);
    r->room = 4 * FRAMES;
    r->arrival = malloc(r->room * sizeof *r->arrival);
    assert_non_null(r->arrival);
    return r;
}

static void run_end(struct run *r) {
    path_free(r->path);
    free(r->arrival);
    free(r);
}

/* Takes all that leaves up to `until`; path_next is never too late. */
static void run_until(struct run *r, uint64_t until) {
    uint64_t next;
    while ((next = path_next(r->path)) <= until && next != UINT64_MAX) {
        if (next > START) assert_int_equal(path_leave(r->path, next - 1, r->frame), 0);
        for (size_t length; (length = path_leave(r->path, next, r->frame)) != 0;) {
            assert_true(r->count < r->room);
            struct arrival *a = &r->arrival[r->count++];
            a->time = next - START;
            a->length = (uint32_t)length;
            a->number = length >= 4 ? get_be32(r->frame + length - 4) : 0;
            memcpy(a->bytes, r->frame, length < sizeof a->bytes ? length : sizeof a->bytes);
        }
    }
}

/* Frame `number` of these bytes: its number is its end. It enters `at` after the path was made. */
static enum path_fate run_enter(struct run *r, uint32_t number, size_t length, uint64_t at) {
    uint8_t frame[2000];
    assert_true(length <= sizeof frame);
    run_until(r, START + at - 1);
    for (size_t i = 0; i < length; i++) frame[i] = (uint8_t)(0x40 + i % 7);
    put_be32(frame + length - 4, number);
    return path_enter(r->path, frame, length, START + at);
}

/* So many frames, evenly spaced, all that leaves. */
static void run_frames(struct run *r, uint32_t n, size_t length, uint64_t apart) {
    for (uint32_t i = 0; i < n; i++) run_enter(r, i, length, 1 + i * apart);
    run_until(r, UINT64_MAX - 1);
    const struct path_counters *c = path_counters(r->path);
    assert_int_equal(c->left, r->count);
    assert_int_equal(c->entered, n);
    assert_int_equal(c->left, n + c->duplicated - c->lost - c->overflowed - c->dropped_aqm - c->too_big - c->down);
}

/* About four and a half standard deviations of a binomial: chance goes beyond them once in 100,000 times. */
static void assert_about(uint64_t count, uint32_t n, double chance) {
    double expected = n * chance, variance = expected * (1 - chance);
    double off = (double)count - expected;
    if (off * off > 20 * variance)
        fail_msg("%llu of %u, and %.1f were expected", (unsigned long long)count, n, expected);
}

/* ---- time ---- */

static void test_departures(void **state) {
    (void)state;
    struct path_options o = {.rate_bps = 8 * MBIT, .delay_us = 10000}; /* 1,000 bytes take 1 ms */
    struct run *r = run_begin(&o, 1);
    assert_int_equal(path_next(r->path), UINT64_MAX);
    run_enter(r, 0, 1000, 0);
    assert_int_equal(path_next(r->path), START + 11 * NS_PER_MS);
    run_enter(r, 1, 1000, 0);
    run_enter(r, 2, 500, 0);
    run_enter(r, 3, 1000, 5 * NS_PER_MS);
    run_until(r, START + NS_PER_S);
    static const uint64_t leaves[] = {11000, 12000, 12500, 16000}; /* us */
    assert_int_equal(r->count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(r->arrival[i].number, i);
        assert_int_equal(r->arrival[i].time, leaves[i] * NS_PER_US);
    }
    run_end(r);
}

/* 8,000 bits at 3 Mbit/s take 2,666,666.7 ns: no time is won by rounding. */
static void test_rate_is_rounded_up(void **state) {
    (void)state;
    struct path_options o = {.rate_bps = 3 * MBIT};
    struct run *r = run_begin(&o, 1);
    run_enter(r, 0, 1000, 0);
    run_until(r, START + NS_PER_S);
    assert_int_equal(r->arrival[0].time, 2666667);
    run_end(r);
}

static void test_no_rate(void **state) {
    (void)state;
    struct path_options o = {.delay_us = 3000,
                             .queue_bytes = 10}; /* without a rate nothing is queued, so no bound is met */
    struct run *r = run_begin(&o, 1);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(run_enter(r, i, 1500, 1000), PATH_TAKEN);
    run_until(r, START + NS_PER_S);
    assert_int_equal(r->count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(r->arrival[i].number, i);
        assert_int_equal(r->arrival[i].time, 3 * NS_PER_MS + 1000);
    }
    run_end(r);
}

static void test_queue_bound(void **state) {
    (void)state;
    struct path_options o = {.rate_bps = 8 * MBIT, .queue_bytes = 3000};
    struct run *r = run_begin(&o, 1);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(run_enter(r, i, 1000, 0), PATH_TAKEN);
    assert_int_equal(run_enter(r, 3, 4, 0), PATH_LOST);
    assert_int_equal(run_enter(r, 4, 4, NS_PER_MS - 1), PATH_LOST); /* the first is still being sent */
    assert_int_equal(run_enter(r, 5, 1000, NS_PER_MS), PATH_TAKEN);
    assert_int_equal(run_enter(r, 6, 4, NS_PER_MS), PATH_LOST);
    run_until(r, START + NS_PER_S);
    assert_int_equal(r->count, 4);
    assert_int_equal(r->arrival[3].number, 5);
    assert_int_equal(r->arrival[3].time, 4 * NS_PER_MS);
    assert_int_equal(path_counters(r->path)->overflowed, 3);
    run_end(r);
}

static void test_jitter(void **state) {
    (void)state;
    struct path_options o = {.delay_us = 2000, .jitter_us = 5000};
    struct run *r = run_begin(&o, 5);
    double sum = 0;
    run_frames(r, FRAMES, 60, 10 * NS_PER_MS);
    assert_int_equal(r->count, FRAMES);
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint64_t late = r->arrival[i].time - (1 + i * 10 * NS_PER_MS) - 2 * NS_PER_MS;
        assert_int_equal(r->arrival[i].number, i);
        assert_true(late <= 5 * NS_PER_MS);
        sum += (double)late / NS_PER_US;
    }
    /* Uniform in [0, 5000]: the mean of so many is 2,500 us, with a standard deviation of 1,443 / sqrt(20,000) = 10.2. */
    assert_true(sum / FRAMES > 2454 && sum / FRAMES < 2546);
    run_end(r);

    r = run_begin(&o, 5);
    run_frames(r, FRAMES, 60, 100 * NS_PER_US); /* so close that the order must be kept */
    for (uint32_t i = 0; i < FRAMES; i++) {
        assert_int_equal(r->arrival[i].number, i);
        assert_true(r->arrival[i].time - (1 + i * 100 * NS_PER_US) <= 7 * NS_PER_MS);
    }
    run_end(r);
}

static void test_reordering(void **state) {
    (void)state;
    struct path_options o = {.delay_us = 1000, .reorder_ppm = 100000, .reorder_us = 1000};
    struct run *r = run_begin(&o, 8);
    uint32_t late = 0, overtaken = 0;
    run_frames(r, FRAMES, 60, 100 * NS_PER_US);
    assert_int_equal(r->count, FRAMES);
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint64_t took = r->arrival[i].time - (1 + r->arrival[i].number * 100 * NS_PER_US);
        assert_true(took == NS_PER_MS || took == 2 * NS_PER_MS);
        late += took == 2 * NS_PER_MS;
        if (i > 0) overtaken += r->arrival[i].number < r->arrival[i - 1].number;
    }
    assert_about(late, FRAMES, 0.1);
    assert_true(overtaken > 0 && overtaken <= late);
    assert_int_equal(path_counters(r->path)->reordered, late);
    run_end(r);
}

/* ---- losses ---- */

static void test_loss(void **state) {
    (void)state;
    struct path_options o = {.loss_ppm = 100000};
    struct run *r = run_begin(&o, 3);
    run_frames(r, FRAMES, 60, NS_PER_MS);
    assert_about(FRAMES - r->count, FRAMES, 0.1);
    run_end(r);
}

/* Bad begins with 1 % and ends with 25 % at each frame, and loses all: bursts have a mean length of 4, and a share of
 * 0.01 / (0.01 + 0.25) = 3.85 % is lost. 100,000 frames make 3,846 losses, with a standard deviation of
 * sqrt(n p (1 - p) (1 + 0.74) / (1 - 0.74)) = 157, in about 960 bursts, whose mean length has one of sqrt(0.75) / 0.25 / sqrt(960) = 0.112. */
static void test_bursts(void **state) {
    (void)state;
    struct path_options o = {.burst_begin_ppm = 10000, .burst_end_ppm = 250000, .burst_loss_ppm = 1000000};
    struct path *p = path_new(&o, 4, START);
    uint32_t lost = 0, bursts = 0;
    bool before = false;
    uint8_t frame[60] = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        bool is_lost = path_enter(p, frame, sizeof frame, START + i) == PATH_LOST;
        lost += is_lost;
        bursts += is_lost && !before;
        before = is_lost;
        (void)path_leave(p, START + i, frame);
    }
    double mean = (double)lost / bursts;
    assert_true(lost > 3846 - 700 && lost < 3846 + 700);
    assert_true(mean > 3.5 && mean < 4.5);
    path_free(p);

    o.burst_loss_ppm = 500000; /* half of what comes while it is bad */
    p = path_new(&o, 4, START);
    uint32_t half = 0;
    for (uint32_t i = 0; i < 100000; i++) half += path_enter(p, frame, sizeof frame, START + i) == PATH_LOST;
    assert_about(half, lost, 0.5);
    path_free(p);
}

static void test_kth(void **state) {
    (void)state;
    struct path_options o = {.kth = {3, 1, 7}};
    struct run *r = run_begin(&o, 1);
    static const uint32_t left[] = {1, 3, 4, 5, 7, 8, 9}; /* counted from 0 */
    run_frames(r, 10, 60, NS_PER_MS);
    assert_int_equal(r->count, 7);
    for (uint32_t i = 0; i < 7; i++) assert_int_equal(r->arrival[i].number, left[i]);
    assert_int_equal(path_counters(r->path)->lost, 3);
    run_end(r);
}

/* ---- damage and doubles ---- */

static void test_corruption(void **state) {
    (void)state;
    struct path_options o = {.corrupt_ppm = 200000};
    struct run *r = run_begin(&o, 9);
    uint32_t damaged = 0, first_byte = 0, last_byte = 0;
    run_frames(r, FRAMES, 60, NS_PER_MS);
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint8_t want[60];
        uint32_t flips = 0;
        for (size_t k = 0; k < 60; k++) want[k] = (uint8_t)(0x40 + k % 7);
        put_be32(want + 56, i);
        for (size_t k = 0; k < 60; k++)
            flips += (uint32_t)__builtin_popcount((unsigned)(r->arrival[i].bytes[k] ^ want[k]));
        assert_true(flips <= 1);
        damaged += flips;
        first_byte += r->arrival[i].bytes[0] != want[0];
        last_byte += r->arrival[i].bytes[59] != want[59];
    }
    assert_about(damaged, FRAMES, 0.2);
    assert_true(first_byte > 0 && last_byte > 0);
    assert_int_equal(path_counters(r->path)->corrupted, damaged);
    run_end(r);
}

static void test_duplication(void **state) {
    (void)state;
    struct path_options o = {.duplicate_ppm = 300000, .delay_us = 1};
    struct run *r = run_begin(&o, 10);
    uint32_t twice = 0;
    run_frames(r, FRAMES, 60, NS_PER_MS);
    for (uint32_t i = 0; i + 1 < r->count; i++) {
        if (r->arrival[i].number != r->arrival[i + 1].number) continue;
        assert_int_equal(r->arrival[i].time, r->arrival[i + 1].time);
        assert_memory_equal(r->arrival[i].bytes, r->arrival[i + 1].bytes, 60);
        twice++;
    }
    assert_int_equal(r->count, FRAMES + twice);
    assert_about(twice, FRAMES, 0.3);
    run_end(r);
}

/* ---- MTU and changes ---- */

static void test_mtu(void **state) {
    (void)state;
    for (uint32_t header = 0; header <= 14; header += 14) {
        struct path_options o = {.mtu = 1400, .ethernet = header != 0};
        struct run *r = run_begin(&o, 1);
        assert_int_equal(run_enter(r, 0, 1400 + header, 1), PATH_TAKEN);
        assert_int_equal(run_enter(r, 1, 1401 + header, 1), PATH_TOO_BIG);
        assert_int_equal(path_counters(r->path)->too_big, 1);
        run_end(r);
    }
}

static void test_changes(void **state) {
    (void)state;
    struct path_options o = {.delay_us = 2000,
                             .mtu = 1500,
                             .change = {{.at_us = 10000, .mtu = 1300},
                                        {.at_us = 20000, .down = true},
                                        {.at_us = 30000},
                                        {.at_us = 40000, .mtu = 1500}}};
    struct run *r = run_begin(&o, 1);
    const uint64_t ten = 10 * NS_PER_MS;
    assert_int_equal(run_enter(r, 0, 1500, ten - 1), PATH_TAKEN);
    assert_int_equal(path_mtu(r->path, START + ten - 1), 1500);
    assert_int_equal(run_enter(r, 1, 1500, ten), PATH_TOO_BIG);
    assert_int_equal(path_mtu(r->path, START + ten), 1300);
    assert_int_equal(run_enter(r, 2, 1300, 2 * ten - 1), PATH_TAKEN); /* leaves after the link has gone down */
    assert_int_equal(run_enter(r, 3, 1300, 2 * ten), PATH_LOST);
    assert_int_equal(run_enter(r, 4, 1300, 3 * ten - 1), PATH_LOST);
    assert_int_equal(run_enter(r, 5, 1301, 3 * ten), PATH_TOO_BIG);
    assert_int_equal(run_enter(r, 6, 1300, 3 * ten), PATH_TAKEN);
    assert_int_equal(run_enter(r, 7, 1500, 4 * ten), PATH_TAKEN);
    run_until(r, START + NS_PER_S);
    assert_int_equal(path_counters(r->path)->down, 2);
    assert_int_equal(path_counters(r->path)->too_big, 2);
    static const uint32_t left[] = {0, 2, 6, 7};
    assert_int_equal(r->count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(r->arrival[i].number, left[i]);
    run_end(r);
}

static void test_clear(void **state) {
    (void)state;
    struct path_options o = {.rate_bps = 8 * MBIT, .delay_us = 10000};
    struct run *r = run_begin(&o, 1);
    for (uint32_t i = 0; i < 5; i++) run_enter(r, i, 1000, 1);
    path_clear(r->path);
    assert_int_equal(path_next(r->path), UINT64_MAX);
    run_enter(r, 5, 1000, 2 * NS_PER_MS); /* the line is free */
    run_until(r, START + NS_PER_S);
    assert_int_equal(r->count, 1);
    assert_int_equal(r->arrival[0].number, 5);
    assert_int_equal(r->arrival[0].time, 13 * NS_PER_MS);
    run_end(r);
}

/* ---- chance ---- */

static const struct path_options bad_day = {.delay_us = 1000,
                                            .jitter_us = 2000,
                                            .loss_ppm = 50000,
                                            .burst_begin_ppm = 20000,
                                            .burst_end_ppm = 300000,
                                            .burst_loss_ppm = 800000,
                                            .kth = {17, 400, 401, 999},
                                            .duplicate_ppm = 60000,
                                            .reorder_ppm = 70000,
                                            .reorder_us = 3000,
                                            .corrupt_ppm = 80000,
                                            .mtu = 1500,
                                            .change = {{.at_us = 50000, .down = true}, {.at_us = 90000}}};

static void test_same_again(void **state) {
    (void)state;
    struct run *a = run_begin(&bad_day, 77), *b = run_begin(&bad_day, 77), *c = run_begin(&bad_day, 78);
    run_frames(a, 2000, 60, NS_PER_MS);
    run_frames(b, 2000, 60, NS_PER_MS);
    run_frames(c, 2000, 60, NS_PER_MS);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(path_counters(a->path), path_counters(b->path), sizeof(struct path_counters));
    bool differs = a->count != c->count;
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->arrival[i].time, b->arrival[i].time);
        assert_memory_equal(a->arrival[i].bytes, b->arrival[i].bytes, 60);
        differs |= i < c->count && a->arrival[i].time != c->arrival[i].time;
    }
    assert_true(differs);
    run_end(a);
    run_end(b);
    run_end(c);
}

/* What is left when nothing is lost contains, unchanged, all that is left when something is. Frames are so far apart that none waits for
 * another; the number in a damaged frame may be wrong, so frames are told apart by their time. */
static void assert_contains(const struct path_options *less) {
    struct run *all = run_begin(less, 77), *some = run_begin(&bad_day, 77);
    size_t i = 0;
    run_frames(all, 2000, 60, 20 * NS_PER_MS);
    run_frames(some, 2000, 60, 20 * NS_PER_MS);
    assert_true(all->count > some->count);
    for (size_t k = 0; k < some->count; k++, i++) {
        while (i < all->count && all->arrival[i].time < some->arrival[k].time) i++;
        assert_true(i < all->count);
        assert_int_equal(all->arrival[i].time, some->arrival[k].time);
        assert_memory_equal(all->arrival[i].bytes, some->arrival[k].bytes, 60);
    }
    run_end(all);
    run_end(some);
}

static void test_each_alone(void **state) {
    (void)state;
    struct path_options o = bad_day;
    o.loss_ppm = 0;
    assert_contains(&o);
    o = bad_day;
    o.burst_begin_ppm = 0;
    assert_contains(&o);
    o = bad_day;
    memset(o.kth, 0, sizeof o.kth);
    assert_contains(&o);
    o = bad_day;
    memset(o.change, 0, sizeof o.change);
    assert_contains(&o);

    /* Without doubles, the first copies are as they were. */
    struct run *once, *twice = run_begin(&bad_day, 77);
    o = bad_day;
    o.duplicate_ppm = 0;
    once = run_begin(&o, 77);
    run_frames(once, 2000, 60, 20 * NS_PER_MS);
    run_frames(twice, 2000, 60, 20 * NS_PER_MS);
    assert_true(twice->count > once->count);
    for (size_t i = 0, k = 0; i < once->count; i++, k++) {
        if (k > 0 && twice->arrival[k].time == twice->arrival[k - 1].time) k++;
        assert_int_equal(once->arrival[i].time, twice->arrival[k].time);
        assert_memory_equal(once->arrival[i].bytes, twice->arrival[k].bytes, 60);
    }
    run_end(once);
    run_end(twice);
}

/* ---- CoDel ---- */

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
        cmocka_unit_test(test_departures),
        cmocka_unit_test(test_no_rate),
        cmocka_unit_test(test_rate_is_rounded_up),
        cmocka_unit_test(test_codel_goes_on),
        cmocka_unit_test(test_codel_spares_the_last),
        cmocka_unit_test(test_queue_bound),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_reordering),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_kth),
        cmocka_unit_test(test_corruption),
        cmocka_unit_test(test_duplication),
        cmocka_unit_test(test_mtu),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_same_again),
        cmocka_unit_test(test_each_alone),
        cmocka_unit_test(test_codel_marks),
        cmocka_unit_test(test_codel_drops),
        cmocka_unit_test(test_codel_keeps_the_queue_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
