/* Shows that HyStart++ ends the first slow start as RFC 9406 says, and that it foresees the delay that it waits for. */
#include "sender.h"

#define MSS 1000u

static struct sender start_up(void) {
    return sender_up(BK_CONGESTION_CUBIC, MSS);
}

/* A round trip with the window full, in which `samples` ACKs tell this RTT, and the others none. Returns by how much the window grew. */
static uint32_t round_of(struct sender *s, uint32_t samples, uint32_t rtt_us) {
    sender_fill(s);
    uint32_t before = s->c->cwnd;
    for (uint32_t left = connection_outstanding(s->c) / MSS; left != 0; left--) {
        s->rtt_us = samples != 0 ? rtt_us : 0;
        samples -= samples != 0;
        sender_ack(s, MSS);
        sender_fill(s);
    }
    return s->c->cwnd - before;
}

/* 4.2: eight samples of a round, the least of which is above that of the last round by an eighth of it, but no less than 4 and no more than
 * 16 ms, begin CSS; in it the window grows by a quarter. */
static void delay_begins_css(void **state) {
    (void)state;
    static const struct {
        uint32_t last, now;
        bool css;
    } rows[] = {
        {20000, 23999, false}, {20000, 24000, true},    {80000, 89999, false},
        {80000, 90000, true},  {200000, 215999, false}, {200000, 216000, true},
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct sender s = start_up();
        assert_int_equal(round_of(&s, 10, rows[i].last), 10 * MSS);
        assert_int_equal(round_of(&s, 20, rows[i].now), rows[i].css ? 7 * MSS + 13 * MSS / 4 : 20 * MSS);
        assert_int_equal(s.c->ssthresh, UINT32_MAX);
        sender_down(&s);
    }
}

static void seven_samples_are_too_few(void **state) {
    (void)state;
    struct sender s = start_up();
    round_of(&s, 10, 20000);
    assert_int_equal(round_of(&s, 7, 90000), 20 * MSS);
    assert_int_equal(round_of(&s, 8, 100000), 40 * MSS); /* 10 ms more than the last round's 90: below 11.25 */
    sender_down(&s);
}

/* Five rounds of CSS, the part of the one in which it began included, end slow start. */
static void css_ends_in_congestion_avoidance(void **state) {
    (void)state;
    struct sender s = start_up();
    round_of(&s, 10, 20000);
    round_of(&s, 8, 30000); /* CSS begins with its eighth ACK */
    for (int round = 2; round <= 4; round++) {
        round_of(&s, 8, 30000);
        assert_int_equal(s.c->ssthresh, UINT32_MAX);
    }
    round_of(&s, 8, 30000);
    assert_in_range(s.c->cwnd - s.c->ssthresh, 0, MSS);
    assert_true(round_of(&s, 8, 30000) <= 2 * MSS);
    sender_down(&s);
}

/* It was jitter: delay falls below what began CSS, and slow start goes on. */
static void css_may_end_in_slow_start(void **state) {
    (void)state;
    struct sender s = start_up();
    round_of(&s, 10, 20000);
    round_of(&s, 8, 30000);
    uint32_t segments = s.c->cwnd / MSS;
    assert_in_range(round_of(&s, segments, 29999), (segments - 8) * MSS, segments * MSS);
    for (int i = 0; i < 3; i++) {
        segments = s.c->cwnd / MSS;
        assert_in_range(round_of(&s, 8, 29999), (segments - 1) * MSS, segments * MSS);
    }
    assert_int_equal(s.c->ssthresh, UINT32_MAX);
    sender_down(&s);
}

/* An ACK of a segment. Returns by how much the window grew. */
static uint32_t ack_one(struct sender *s, uint32_t rtt_us) {
    uint32_t before = s->c->cwnd;
    s->rtt_us = rtt_us;
    sender_ack(s, MSS);
    sender_fill(s);
    return s->c->cwnd - before;
}

/* ACKs come as a train: so far apart, and the RTT rises so much from each to the next. There is a pause behind the first. */
struct train {
    uint32_t apart_us, rise_us, pause_us;
};

static uint32_t train_of(struct sender *s, const struct train *t, uint32_t segments) {
    uint32_t grown = 0;
    for (uint32_t i = 0; i < segments; i++) {
        grown += ack_one(s, 20000 + i * t->rise_us);
        sender_pass(s, t->apart_us + (i == 0 ? t->pause_us : 0));
    }
    sender_pass(
        s, 10000); /* until the next window's first ACK: longer than an eighth of 20 ms, so it begins another train */
    return grown;
}

/* 80 segments are in flight, and the RTT of each round so far was 20 ms at least: what makes 24 of them begins CSS. */
static struct sender eighty_in_flight(void) {
    static const struct train train = {200, 100, 0};
    struct sender s = start_up();
    sender_fill(&s);
    for (uint32_t n = 10; n < 80; n *= 2) assert_int_equal(train_of(&s, &train, n), n * MSS);
    return s;
}

/* At a segment in 200 us, 120 segments make 24 ms. With the first ACK and the longest pause left out the pace of n ACKs seems (n - 1) / (n - 2) of what it
 * is, and the n-th finds 79 + n in flight: (79 + n) * (n - 2) >= 120 * (n - 1) holds from n = 44 on. Where ACKs come as what they are for has left (the RTT does
 * not rise by a quarter of the train), or faster, nothing is foreseen. */
static void delay_is_foreseen(void **state) {
    (void)state;
    static const struct {
        struct train train;
        uint32_t grown;
    } rows[] = {
        {{200, 100, 0}, 43 * MSS + 17 * (MSS / 4)},
        {{200, 40, 0}, 60 * MSS},
        {{200, 0, 0}, 60 * MSS},
        {{100, 50, 0}, 60 * MSS},
        {{50, 100, 2400}, 60 * MSS}, /* two trains, not a slow one */
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct sender s = eighty_in_flight();
        assert_int_equal(train_of(&s, &rows[i].train, 60), rows[i].grown);
        assert_int_equal(s.c->ssthresh, UINT32_MAX);
        sender_down(&s);
    }
}

/* Two rounds later half of the increase must be there, or slow start goes on. */
static void what_was_foreseen_must_come(void **state) {
    (void)state;
    static const struct train train = {200, 100, 0};
    for (uint32_t rtt_us = 21999; rtt_us <= 22000; rtt_us++) {
        struct sender s = eighty_in_flight();
        train_of(&s, &train, 80);
        assert_in_range(s.g->hystart.css_rounds, 1, 2);
        while (s.g->hystart.css_rounds < 3) assert_int_equal(ack_one(&s, 20000), MSS / 4);
        for (int i = 0; i < 7; i++) assert_int_equal(ack_one(&s, rtt_us), MSS / 4);
        assert_int_equal(ack_one(&s, rtt_us), rtt_us == 21999 ? MSS : MSS / 4);
        sender_down(&s);
    }
}

/* 4.3: later slow starts have an ssthresh, and are not watched; nor is any with the setting off. */
static void only_the_first_slow_start(void **state) {
    (void)state;
    for (int off = 0; off < 2; off++) {
        struct sender s = start_up();
        if (off)
            s.t->base.config.hystart = false;
        else
            s.c->ssthresh = 100000;
        assert_int_equal(round_of(&s, 10, 20000), 10 * MSS);
        assert_int_equal(round_of(&s, 20, 90000), 20 * MSS);
        assert_int_equal(round_of(&s, 40, 190000), 40 * MSS);
        sender_down(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delay_begins_css),
        cmocka_unit_test(seven_samples_are_too_few),
        cmocka_unit_test(css_ends_in_congestion_avoidance),
        cmocka_unit_test(css_may_end_in_slow_start),
        cmocka_unit_test(delay_is_foreseen),
        cmocka_unit_test(what_was_foreseen_must_come),
        cmocka_unit_test(only_the_first_slow_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
