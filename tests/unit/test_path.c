/* Shows that a path delays, queues, loses, doubles, holds back and damages as it is told, at the instants and as often as worked
 * arithmetic says, and that one impairment leaves the others alone. */
#include "path_run.h"

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
    assert_int_equal(path_wait(r->path, START), 2500 * NS_PER_US);
    assert_int_equal(path_wait(r->path, START + 1200 * NS_PER_US), 1300 * NS_PER_US);
    assert_int_equal(path_wait(r->path, START + 3 * NS_PER_MS), 0);
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
        while (k < twice->count && once->arrival[i].time != twice->arrival[k].time) k++;
        assert_true(k < twice->count);
        assert_memory_equal(once->arrival[i].bytes, twice->arrival[k].bytes, 60);
    }
    run_end(once);
    run_end(twice);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_departures),
        cmocka_unit_test(test_no_rate),
        cmocka_unit_test(test_rate_is_rounded_up),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
