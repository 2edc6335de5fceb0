/* Shows that the impaired wire loses, doubles, holds back, damages and delays as often as it is asked to, the same way for the
 * same seed, in the time that it is told, and loses nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/link.h"

#define FRAMES 20000u
#define BYTES  60u

/* ---- an inner link that keeps what it is given ---- */

struct arrival {
    uint64_t time;
    uint32_t number;
    uint32_t flips; /* bits that differ from what was sent */
};

struct sink {
    bk_link link;
    uint32_t room; /* frames that it still takes */
    uint32_t count[2];
    struct arrival *arrival[2]; /* by the end that sent */
};

static void frame_make(uint8_t frame[BYTES], uint32_t number) {
    for (uint32_t i = 0; i < BYTES; i++) frame[i] = (uint8_t)(number >> 8 * (i % 4));
}

/* The number that most of the frame's bytes tell, whatever single bit was flipped. */
static void frame_read(const uint8_t *frame, struct arrival *a) {
    for (uint32_t start = 0; start < 12; start += 4) {
        uint8_t want[BYTES];
        a->number = (uint32_t)frame[start] | (uint32_t)frame[start + 1] << 8 | (uint32_t)frame[start + 2] << 16 |
                    (uint32_t)frame[start + 3] << 24;
        a->flips = 0;
        frame_make(want, a->number);
        for (uint32_t i = 0; i < BYTES; i++) a->flips += (uint32_t)__builtin_popcount(want[i] ^ frame[i]);
        if (a->flips <= 1) return;
    }
}

static int sink_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    (void)l;
    (void)end;
    (void)batch;
    (void)now;
    return 0;
}

static int sink_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    struct sink *s = (struct sink *)l;
    assert_int_equal(count, 1);
    assert_int_equal(iov->iov_len, BYTES);
    if (s->room == 0) return 0;
    s->room--;
    struct arrival *a = &s->arrival[end][s->count[end]++];
    a->time = now;
    frame_read(iov->iov_base, a);
    return 1;
}

static void sink_close(bk_link *l) {
    struct sink *s = (struct sink *)l;
    free(s->arrival[0]);
    free(s->arrival[1]);
}

static const struct link_ops sink_ops = {.receive = sink_receive, .transmit = sink_transmit, .close = sink_close};

static struct sink *sink_open(void) {
    struct sink *s = link_new(sizeof *s, &sink_ops, 2);
    s->room = UINT32_MAX;
    for (int end = 0; end < 2; end++) s->arrival[end] = calloc(2 * FRAMES, sizeof(struct arrival));
    return s;
}

static void send_frame(bk_link *l, unsigned end, uint32_t number, uint64_t now) {
    uint8_t frame[BYTES];
    frame_make(frame, number);
    struct iovec iov = {frame, BYTES};
    assert_int_equal(l->ops->transmit(l, end, &iov, 1, now), 1);
}

/* Sends a frame every `gap` microseconds from both ends; delivers each when it is due. */
static struct sink *run(const struct bk_impair_options *options, uint64_t gap, bk_link **out) {
    struct sink *s = sink_open();
    assert_int_equal(bk_impair_wrap(&s->link, options, out), 0);
    for (uint32_t i = 0; i <= FRAMES; i++) {
        uint64_t now = i * gap * NS_PER_US, next;
        while ((next = bk_link_next_deadline(*out)) < (i < FRAMES ? now : BK_NEVER))
            assert_true((*out)->ops->flush(*out, next) > 0);
        for (unsigned end = 0; end < 2 && i < FRAMES; end++) send_frame(*out, end, i, now);
    }
    return s;
}

static struct bk_impair_counters counters_of(const bk_link *l, unsigned end) {
    struct bk_impair_counters c;
    bk_impair_counters(l, end == 0 ? 1 : 0, &c);
    return c;
}

/* Five standard deviations of a binomial count; the seeds are fixed, so it never changes from run to run. */
static void assert_rate(uint64_t got, uint32_t ppm, uint32_t n) {
    double p = ppm / 1e6, mean = n * p, square = 25 * n * p * (1 - p), off = (double)got - mean;
    assert_true(off * off <= square);
}

/* ---- the tests ---- */

static void test_a_perfect_wire(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 1};
    bk_link *l;
    struct sink *s = run(&o, 1, &l);
    for (unsigned end = 0; end < 2; end++) {
        assert_int_equal(s->count[end], FRAMES);
        for (uint32_t i = 0; i < FRAMES; i++) {
            assert_int_equal(s->arrival[end][i].number, i);
            assert_int_equal(s->arrival[end][i].flips, 0);
            assert_true(s->arrival[end][i].time == i * NS_PER_US);
        }
        assert_true(counters_of(l, end).passed == FRAMES);
    }
    bk_link_close(l);
}

static void test_loss(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 2, .loss_ppm = 50000};
    bk_link *l;
    struct sink *s = run(&o, 1, &l);
    for (unsigned end = 0; end < 2; end++) {
        struct bk_impair_counters c = counters_of(l, end);
        assert_rate(c.lost, o.loss_ppm, FRAMES);
        assert_int_equal(s->count[end], FRAMES - c.lost);
        for (uint32_t i = 1; i < s->count[end]; i++)
            assert_true(s->arrival[end][i].number > s->arrival[end][i - 1].number);
    }
    /* Each direction draws on its own. */
    assert_true(counters_of(l, 0).lost != counters_of(l, 1).lost ||
                memcmp(s->arrival[0], s->arrival[1], s->count[0] * sizeof(struct arrival)) != 0);
    bk_link_close(l);
}

static void test_duplicates(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 3, .duplicate_ppm = 10000};
    bk_link *l;
    struct sink *s = run(&o, 1, &l);
    for (unsigned end = 0; end < 2; end++) {
        struct bk_impair_counters c = counters_of(l, end);
        uint32_t twice = 0;
        for (uint32_t i = 1; i < s->count[end]; i++)
            twice += s->arrival[end][i].number == s->arrival[end][i - 1].number;
        assert_rate(c.duplicated, o.duplicate_ppm, FRAMES);
        assert_int_equal(twice, c.duplicated);
        assert_int_equal(s->count[end], FRAMES + c.duplicated);
    }
    bk_link_close(l);
}

static void test_reordering(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 4, .reorder_ppm = 100000, .reorder_us = 3};
    bk_link *l;
    struct sink *s = run(&o, 1, &l);
    for (unsigned end = 0; end < 2; end++) {
        uint32_t late = 0;
        for (uint32_t i = 0; i < FRAMES; i++) {
            const struct arrival *a = &s->arrival[end][i];
            bool held = a->time != a->number * NS_PER_US;
            if (held) assert_true(a->time == (a->number + 3) * NS_PER_US);
            late += held;
        }
        assert_int_equal(s->count[end], FRAMES);
        assert_rate(late, o.reorder_ppm, FRAMES);
        assert_true(counters_of(l, end).reordered == late);
    }
    bk_link_close(l);
}

static void test_corruption_flips_one_bit(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 5, .corrupt_ppm = 20000};
    bk_link *l;
    struct sink *s = run(&o, 1, &l);
    for (unsigned end = 0; end < 2; end++) {
        uint32_t damaged = 0;
        for (uint32_t i = 0; i < FRAMES; i++) {
            assert_true(s->arrival[end][i].flips <= 1);
            damaged += s->arrival[end][i].flips;
        }
        assert_rate(damaged, o.corrupt_ppm, FRAMES);
        assert_true(counters_of(l, end).corrupted == damaged);
    }
    bk_link_close(l);
}

static void test_delay_and_jitter(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 6, .delay_us = 1000, .jitter_us = 400};
    bk_link *l;
    struct sink *s = run(&o, 500, &l);
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        const struct arrival *a = &s->arrival[0][i];
        assert_int_equal(a->number, i);
        uint64_t took = a->time - i * 500 * NS_PER_US;
        least = u64_min(least, took);
        most = u64_max(most, took);
    }
    assert_int_equal(s->count[0], FRAMES);
    assert_true(least >= 1000 * NS_PER_US && most <= 1400 * NS_PER_US && most - least > 300 * NS_PER_US);
    bk_link_close(l);
}

/* Frames that stand closer together than the jitter is wide. */
static void test_jitter_keeps_the_order(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 6, .jitter_us = 400};
    bk_link *l;
    struct sink *s = run(&o, 50, &l);
    assert_int_equal(s->count[0], FRAMES);
    for (uint32_t i = 0; i < FRAMES; i++) assert_int_equal(s->arrival[0][i].number, i);
    bk_link_close(l);
}

static void test_the_seed_decides(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 7,
                                  .loss_ppm = 50000,
                                  .duplicate_ppm = 10000,
                                  .reorder_ppm = 100000,
                                  .reorder_us = 50,
                                  .corrupt_ppm = 10000,
                                  .delay_us = 100,
                                  .jitter_us = 30};
    bk_link *first, *again, *other;
    struct sink *a = run(&o, 1, &first), *b = run(&o, 1, &again);
    o.seed = 8;
    struct sink *c = run(&o, 1, &other);
    for (unsigned end = 0; end < 2; end++) {
        size_t bytes = a->count[end] * sizeof(struct arrival);
        assert_int_equal(a->count[end], b->count[end]);
        assert_memory_equal(a->arrival[end], b->arrival[end], bytes);
        assert_true(a->count[end] != c->count[end] || memcmp(a->arrival[end], c->arrival[end], bytes) != 0);
        struct bk_impair_counters n = counters_of(first, end);
        assert_true(n.passed + n.lost + n.overflowed == FRAMES + n.duplicated);
        assert_true(n.passed == a->count[end] && n.overflowed == 0);
    }
    bk_link_close(first);
    bk_link_close(again);
    bk_link_close(other);
}

static void test_full_wire_drops(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 9, .delay_us = 1, .queue = 10};
    bk_link *l;
    struct sink *s = sink_open();
    assert_int_equal(bk_impair_wrap(&s->link, &o, &l), 0);
    for (uint32_t i = 0; i < 15; i++) send_frame(l, 0, i, 0);
    assert_true(counters_of(l, 0).overflowed == 5 && counters_of(l, 1).overflowed == 0);
    assert_true(bk_link_next_deadline(l) == 1 * NS_PER_US);
    assert_int_equal(l->ops->flush(l, 1 * NS_PER_US - 1), 0);
    assert_int_equal(l->ops->flush(l, 1 * NS_PER_US), 10);
    assert_int_equal(s->arrival[0][9].number, 9);
    bk_link_close(l);
}

/* A device that is full makes frames wait; none is lost, and no deadline is set for what only the device can end. */
static void test_waits_for_the_device(void **state) {
    (void)state;
    struct bk_impair_options o = {.seed = 10};
    struct bk_link_counters c;
    bk_link *l;
    struct sink *s = sink_open();
    assert_int_equal(bk_impair_wrap(&s->link, &o, &l), 0);
    for (uint32_t i = 0; i < 5; i++) send_frame(l, 1, i, 0);
    s->room = 2;
    assert_int_equal(l->ops->flush(l, 0), 2);
    assert_true(bk_link_next_deadline(l) == BK_NEVER);
    bk_link_counters(l, &c);
    assert_true(c.refused == 1);
    s->room = 10;
    assert_int_equal(l->ops->flush(l, 5), 3);
    assert_int_equal(s->count[1], 5);
    assert_int_equal(s->arrival[1][4].number, 4);
    bk_link_close(l);
}

static void test_options_out_of_range(void **state) {
    (void)state;
    struct sink *s = sink_open();
    bk_link *l = NULL;
    const struct bk_impair_options wrong[] = {{.loss_ppm = 1000001},
                                              {.duplicate_ppm = 1000001},
                                              {.corrupt_ppm = 1000001},
                                              {.reorder_ppm = 1},
                                              {.jitter_us = UINT32_MAX}};
    for (size_t i = 0; i < BK_COUNT(wrong); i++) assert_int_equal(bk_impair_wrap(&s->link, &wrong[i], &l), ERROR_INVAL);
    assert_null(l);
    bk_link_close(&s->link);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_perfect_wire),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_reordering),
        cmocka_unit_test(test_corruption_flips_one_bit),
        cmocka_unit_test(test_delay_and_jitter),
        cmocka_unit_test(test_jitter_keeps_the_order),
        cmocka_unit_test(test_the_seed_decides),
        cmocka_unit_test(test_full_wire_drops),
        cmocka_unit_test(test_waits_for_the_device),
        cmocka_unit_test(test_options_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
