/* Shows that the congestion window grows and shrinks as RFC 5681 and 6928 say, in worked arithmetic, and only if it was used. */
#include "sender.h"

#define MSS 1000u

/* One round trip with the window full: every segment is acknowledged, by an ACK for each `every` segments. */
static void full_round(struct sender *s, uint32_t every) {
    uint32_t segments = s->c->cwnd / MSS;
    sender_fill(s);
    for (uint32_t i = 0; i < segments; i += every) {
        sender_ack(s, u32_min(every, segments - i) * MSS);
        sender_fill(s); /* what was acknowledged, new data follows */
    }
}

/* RFC 6928 2: min(10 * MSS, max(2 * MSS, 14,600)). */
static void the_initial_window(void **state) {
    (void)state;
    static const uint32_t expected[][2] = {{1460, 14600}, {536, 5360},   {1000, 10000}, {1461, 14600},
                                           {4096, 14600}, {7300, 14600}, {8960, 17920}, {65000, 130000}};
    for (size_t i = 0; i < BK_COUNT(expected); i++) {
        struct sender s = sender_up(BK_CONGESTION_NEWRENO, expected[i][0]);
        assert_int_equal(s.c->cwnd, expected[i][1]);
        assert_int_equal(s.c->ssthresh, UINT32_MAX); /* arbitrarily high (RFC 5681 3.1) */
        congestion_start(s.t, s.c, 1);               /* one SYN lost costs nothing (RFC 6928 2) */
        assert_int_equal(s.c->cwnd, expected[i][1]);
        congestion_start(s.t, s.c, 2);
        assert_int_equal(s.c->cwnd, expected[i][0]);
        sender_down(&s);
    }
}

/* RFC 5681 3.1: in slow start the window doubles each round trip, also when one ACK stands for two segments or for a whole unit (RFC 3465). */
static void slow_start_doubles(void **state) {
    (void)state;
    static const uint32_t every[] = {1, 2, 10};
    for (size_t i = 0; i < BK_COUNT(every); i++) {
        struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
        for (uint32_t expected = 20000; expected <= 640000; expected *= 2) {
            full_round(&s, every[i]);
            assert_int_equal(s.c->cwnd, expected);
        }
        sender_down(&s);
    }
}

/* Slow start ends at ssthresh exactly, and what an ACK has beyond it counts as congestion avoidance. */
static void slow_start_ends_at_ssthresh(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    s.c->ssthresh = 12500;
    sender_fill(&s);
    sender_ack(&s, 2000);
    assert_int_equal(s.c->cwnd, 12000);
    sender_fill(&s);
    sender_ack(&s, 2000);
    assert_int_equal(s.c->cwnd, 12500);
    /* 1,500 bytes of credit: 11,000 more make one window of 12,500 */
    sender_fill(&s);
    sender_ack(&s, 10999);
    assert_int_equal(s.c->cwnd, 12500);
    sender_ack(&s, 1);
    assert_int_equal(s.c->cwnd, 13500);
    sender_down(&s);
}

/* RFC 5681 3.1: in congestion avoidance one MSS each round trip, however many ACKs say it. */
static void congestion_avoidance_adds_one_mss(void **state) {
    (void)state;
    static const uint32_t every[] = {1, 2, 5, 10};
    for (size_t i = 0; i < BK_COUNT(every); i++) {
        struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
        s.c->ssthresh = s.c->cwnd;
        for (uint32_t round = 1; round <= 50; round++) {
            full_round(&s, every[i]);
            assert_int_equal(s.c->cwnd, 10000 + round * MSS);
        }
        sender_down(&s);
    }
}

/* What was acknowledged beyond a window counts towards the next (RFC 3465 2.1): uneven ACKs lose nothing. */
static void bytes_beyond_a_window_are_kept(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    s.c->ssthresh = s.c->cwnd;
    sender_fill(&s);
    sender_acked(&s, 15000);
    assert_int_equal(s.c->cwnd, 11000);
    sender_acked(&s, 5999);
    assert_int_equal(s.c->cwnd, 11000);
    sender_acked(&s, 1);
    assert_int_equal(s.c->cwnd, 12000);
    sender_down(&s);
}

/* A window that is not used does not grow: nothing was learned about it (RFC 7661 1). In slow start more than half of it must have been
 * outstanding in the last window of data, in congestion avoidance sending must have stopped for its sake. */
static void an_idle_window_does_not_grow(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    for (uint32_t i = 0; i < 100; i++) {
        sender_send(&s, 5000);
        sender_ack(&s, 5000);
    }
    assert_int_equal(s.c->cwnd, 10000);
    sender_send(&s, 5001);
    sender_ack(&s, 1000);
    assert_int_equal(s.c->cwnd, 11000);
    sender_ack(&s, 4001);
    assert_int_equal(s.c->cwnd, 11000); /* more than 5,001 would have to be out now */
    s.c->ssthresh = s.c->cwnd = 10000;
    for (uint32_t i = 0; i < 100; i++) {
        sender_send(&s, 9000);
        sender_ack(&s, 9000);
    }
    assert_int_equal(s.c->cwnd, 10000);
    sender_send(&s, 9001); /* a further segment would not have been let out */
    for (uint32_t i = 0; i < 9; i++) sender_ack(&s, 1000);
    sender_send(&s, 5000); /* the strongest sign of the last window stands for the rest of it */
    sender_ack(&s, 1000);
    assert_int_equal(s.c->cwnd, 11000);
    sender_down(&s);
}

/* RFC 5681 (4): ssthresh = max(FlightSize / 2, 2 * SMSS). */
static void loss_halves_the_window(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    s.c->cwnd = 40000;
    assert_int_equal(congestion_ssthresh(s.t, s.c, 30000), 15000); /* of what was in flight, not of the window */
    assert_int_equal(congestion_ssthresh(s.t, s.c, 3000), 2000);
    assert_int_equal(congestion_ssthresh(s.t, s.c, 0), 2000);
    sender_rest(&s); /* only a FIN is outstanding: the same without an active record */
    assert_int_equal(congestion_ssthresh(s.t, s.c, 1), 2000);
    sender_down(&s);
}

/* Within recovery the window is not the controller's; after it growth begins anew: one MSS only after a whole window. */
static void recovery_and_after(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    s.c->cwnd = s.c->ssthresh = 20000;
    sender_fill(&s);
    sender_ack(&s, 19000);
    congestion_event(s.t, s.c, CONGESTION_REDUCE);
    sender_fill(&s);
    struct congestion_sample sample = {.acked = 20000, .grow = false};
    congestion_acked(s.t, s.c, &sample);
    assert_int_equal(s.c->cwnd, 20000);
    congestion_event(s.t, s.c, CONGESTION_RECOVER);
    sender_acked(&s, 19999);
    assert_int_equal(s.c->cwnd, 20000);
    sender_acked(&s, 1);
    assert_int_equal(s.c->cwnd, 21000);
    sender_down(&s);
}

/* Sends for as long as cwnd allows and has it acknowledged, without growth, then pauses. */
static void pause_for(struct sender *s, uint64_t us) {
    s->queued = s->c->cwnd;
    sender_fill(s);
    s->queued = 0;
    s->c->snd_una = s->c->snd_nxt;
    sender_pass(s, us);
    congestion_idle(s->t, s->c);
}

/* RFC 5681 4.1, by the way of RFC 2861: after a pause of more than the RTO cwnd is halved for each RTO of it, down to min(IW, cwnd);
 * ssthresh is three quarters of what cwnd was, or stays if it was higher. A pause counts once. */
static void idle_restart(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    uint32_t rto = s.c->rto_us;
    s.c->cwnd = 100000;
    s.c->ssthresh = 60000;
    pause_for(&s, rto);
    assert_int_equal(s.c->cwnd, 100000);
    pause_for(&s, 2 * rto - 1); /* with the last microsecond of the second RTO missing it counts as one */
    assert_int_equal(s.c->cwnd, 50000);
    assert_int_equal(s.c->ssthresh, 75000);
    congestion_idle(s.t, s.c);
    assert_int_equal(s.c->cwnd, 50000);
    pause_for(&s, 3 * rto);
    assert_int_equal(s.c->cwnd, 10000); /* 6,250 is less than the initial window */
    assert_int_equal(s.c->ssthresh, 75000);
    s.c->cwnd = 3000;
    pause_for(&s, 1000 * rto);
    assert_int_equal(s.c->cwnd, 3000);
    s.t->base.config.slow_start_after_idle = false;
    s.c->cwnd = 100000;
    pause_for(&s, 1000 * rto);
    assert_int_equal(s.c->cwnd, 100000);
    sender_down(&s);
}

/* RFC 2861 3.2: while the application sends less than cwnd allows, once an RTO cwnd falls to the middle between it and what was used, which
 * counts as the initial window at least. */
static void a_window_that_is_not_used_shrinks(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    uint64_t rto = s.c->rto_us;
    s.c->cwnd = 100000;
    s.c->ssthresh = 50000;
    for (int i = 0; i < 10; i++) { /* 20 segments in flight, now and then */
        sender_pass(&s, rto / 10 - 1);
        sender_send(&s, 20000);
        sender_ack(&s, 20000);
    }
    assert_int_equal(s.c->cwnd, 100000);
    sender_pass(&s, 10);
    sender_send(&s, 1000);
    assert_int_equal(s.c->cwnd, 60000);
    assert_int_equal(s.c->ssthresh, 75000);
    sender_pass(&s, rto);
    sender_send(&s, 1000);
    assert_int_equal(s.c->cwnd, 35000); /* 2 segments outstanding count as 10 */
    s.c->ssthresh = s.c->cwnd;
    sender_pass(&s, rto);
    s.queued = 35000;
    sender_fill(&s); /* in use; nothing is judged before all has left */
    s.queued = 0;
    sender_pass(&s, rto - 1);
    sender_ack(&s, 35000);
    sender_send(&s, 1000);
    assert_int_equal(s.c->cwnd, 35000 + 1000); /* grew by one, and did not shrink */
    sender_down(&s);
}

/* The largest window is not passed: it does not wrap. */
static void the_largest_window(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_NEWRENO, MSS);
    s.c->cwnd = UINT32_MAX - 500;
    s.c->ssthresh = 1000000;
    sender_limit(&s);
    sender_acked(&s, UINT32_MAX - 501);
    sender_acked(&s, 1);
    assert_int_equal(s.c->cwnd, UINT32_MAX - 500);
    s.c->ssthresh = UINT32_MAX;
    sender_acked(&s, 1000000);
    assert_int_equal(s.c->cwnd, UINT32_MAX);
    sender_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initial_window),
        cmocka_unit_test(slow_start_doubles),
        cmocka_unit_test(slow_start_ends_at_ssthresh),
        cmocka_unit_test(congestion_avoidance_adds_one_mss),
        cmocka_unit_test(bytes_beyond_a_window_are_kept),
        cmocka_unit_test(an_idle_window_does_not_grow),
        cmocka_unit_test(loss_halves_the_window),
        cmocka_unit_test(recovery_and_after),
        cmocka_unit_test(idle_restart),
        cmocka_unit_test(a_window_that_is_not_used_shrinks),
        cmocka_unit_test(the_largest_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
