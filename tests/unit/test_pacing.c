/* Shows when paced connections may send, at which rate, and in units of which size: the parts in worked arithmetic. */
#include "sender.h"

#define MSS 1000u

static struct sender paced(enum bk_congestion congestion) {
    struct sender s = sender_up(congestion, MSS);
    s.t->base.config.pacing = true;
    s.c->srtt_us = 100000;
    s.c->bytes_acked = 10 * MSS;
    return s;
}

/* What leaves moves the next on by the time that it takes at the rate. */
static void units_are_spread(void **state) {
    (void)state;
    struct sender s = paced(BK_CONGESTION_CUBIC);
    s.g->pacing.rate = 1000000;
    s.g->pacing.next_at = s.t->base.now;
    for (int i = 0; i < 5; i++) {
        uint64_t now = s.t->base.now;
        s.c->bytes_acked += 2 * MSS;
        pacing_sent(s.t, s.c, 2 * MSS);
        assert_int_equal(pacing_due(s.t, s.c), now + 2 * NS_PER_MS);
        sender_pass(&s, 2000);
    }
    sender_down(&s);
}

/* Who is late may catch up by half a unit, and no more. */
static void lateness_is_no_credit(void **state) {
    (void)state;
    static const uint64_t late_us[] = {0, 300, 1000, 5000, 10000000}, next_us[] = {2000, 1700, 1000, 1000, 1000};
    for (size_t i = 0; i < BK_COUNT(late_us); i++) {
        struct sender s = paced(BK_CONGESTION_CUBIC);
        sender_pass(&s, 20000000);
        s.g->pacing.rate = 1000000;
        s.g->pacing.next_at = s.t->base.now - late_us[i] * NS_PER_US;
        s.c->bytes_acked += 2 * MSS;
        pacing_sent(s.t, s.c, 2 * MSS);
        assert_int_equal(pacing_due(s.t, s.c), s.t->base.now + next_us[i] * NS_PER_US);
        sender_down(&s);
    }
}

/* The first ten segments of a connection leave at once. */
static void the_initial_window_is_not_paced(void **state) {
    (void)state;
    struct sender s = paced(BK_CONGESTION_BBR);
    s.c->bytes_acked = 0;
    for (int i = 0; i < 10; i++) {
        s.c->bytes_acked += MSS;
        pacing_sent(s.t, s.c, MSS);
        assert_true(pacing_due(s.t, s.c) <= s.t->base.now);
    }
    s.c->bytes_acked += MSS;
    pacing_sent(s.t, s.c, MSS);
    assert_true(pacing_due(s.t, s.c) > s.t->base.now);
    sender_down(&s);
}

/* Twice cwnd in a round trip while cwnd is below half of ssthresh, 1.2 times beyond; 20 segments in 100 ms are 200 kB/s. */
static void the_rate_follows_cwnd(void **state) {
    (void)state;
    struct sender s = paced(BK_CONGESTION_NEWRENO);
    s.c->cwnd = 20000;
    pacing_follow(s.t, s.c);
    assert_int_equal(s.g->pacing.rate, 400000);
    s.c->ssthresh = 40000;
    pacing_follow(s.t, s.c);
    assert_int_equal(s.g->pacing.rate, 240000);
    s.c->snd_nxt +=
        30000; /* more is outstanding than cwnd lets out now: it has to be acknowledged in a round trip, too */
    pacing_follow(s.t, s.c);
    assert_int_equal(s.g->pacing.rate, 360000);
    s.c->srtt_us = 0;
    pacing_follow(s.t, s.c);
    assert_int_equal(s.g->pacing.rate, 0);
    s.c->srtt_us = 100000;
    s.t->base.config.pacing = false;
    pacing_follow(s.t, s.c);
    assert_int_equal(s.g->pacing.rate, 0);
    assert_int_equal(pacing_due(s.t, s.c), 0);
    sender_down(&s);
}

/* A unit is a millisecond of the rate in whole segments, two segments at least, and what the device takes at most. Without a rate it is that. */
static void units_fit_the_rate(void **state) {
    (void)state;
    static const uint32_t rows[][3] = {
        {0, 60000, 60000},      {1000, 60000, 2000},       {2999999, 60000, 2000}, {3000000, 60000, 3000},
        {9999999, 60000, 9000}, {100000000, 60000, 60000}, {3000000, 1000, 1000},
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct sender s = paced(BK_CONGESTION_CUBIC);
        s.c->cwnd = 200000;
        s.g->pacing.rate = rows[i][0];
        assert_int_equal(pacing_unit(s.t, s.c, rows[i][1]), rows[i][2]);
        sender_down(&s);
    }
    struct sender s = paced(BK_CONGESTION_CUBIC);
    s.c->cwnd = 200000;
    s.t->base.config.min_tso_segments = 8;
    s.g->pacing.rate = 1000;
    assert_int_equal(pacing_unit(s.t, s.c, 60000), 8000);
    sender_rest(&s);
    assert_int_equal(pacing_unit(s.t, s.c, 60000), 60000);
    assert_int_equal(pacing_due(s.t, s.c), 0);
    sender_down(&s);
}

/* Unpaced, too: a millisecond of cwnd in srtt, as much more as suits a short least RTT, and half of cwnd at most. */
static void units_fit_the_window(void **state) {
    (void)state;
    static const struct {
        uint32_t cwnd, srtt_us, min_rtt_us, unit;
    } rows[] = {
        {20000, 100000, 100000, 2000}, /* 200 kB/s, twice: 400 bytes; two segments at least */
        {20000, 1000, 1000, 10000},    /* 40 kB and a part of 64 KiB; half of cwnd */
        {200000, 20000, 20000, 20000}, /* 20 kB of 10 MB/s, twice */
        {200000, 20000, 300, 60000},   /* as much as the link takes */
        {3000, 1000, 1000, 1000},      /* half of cwnd in whole segments, one at least */
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct sender s = paced(BK_CONGESTION_CUBIC);
        s.t->base.config.pacing = false;
        s.c->cwnd = rows[i].cwnd;
        s.c->srtt_us = rows[i].srtt_us;
        s.c->min_rtt_us = rows[i].min_rtt_us;
        pacing_follow(s.t, s.c);
        assert_int_equal(pacing_unit(s.t, s.c, 60000), rows[i].unit);
        assert_int_equal(pacing_due(s.t, s.c), 0);
        sender_down(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_spread),
        cmocka_unit_test(lateness_is_no_credit),
        cmocka_unit_test(the_initial_window_is_not_paced),
        cmocka_unit_test(the_rate_follows_cwnd),
        cmocka_unit_test(units_fit_the_rate),
        cmocka_unit_test(units_fit_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
