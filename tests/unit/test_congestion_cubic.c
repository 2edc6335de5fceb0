/* Shows that CUBIC's window follows RFC 9438: points of its curve, its regions, reductions, and the average window of its response function. */
#include "path_model.h"

#define MSS    1000u
#define RTT_US 100000u

static struct sender cubic_up(void) {
    struct sender s = sender_up(BK_CONGESTION_CUBIC, MSS);
    s.c->srtt_us = RTT_US;
    return s;
}

/* One round trip with the window full, its ACKs spread evenly. */
static void round_trip(struct sender *s) {
    uint32_t segments = s->c->cwnd / MSS;
    sender_fill(s);
    for (uint32_t i = 0; i < segments; i++) {
        sender_pass(s, (i + 1) * RTT_US / segments - i * RTT_US / segments);
        sender_ack(s, MSS);
        sender_fill(s);
    }
}

/* 4.6: beta is 0.7, of cwnd; ssthresh is two segments at least, and a whole number of them. */
static void reduction(void **state) {
    (void)state;
    static const uint32_t expected[][2] = {{100000, 70000}, {10000, 7000}, {11000, 7000}, {3000, 2000}, {1000, 2000}};
    for (size_t i = 0; i < BK_COUNT(expected); i++) {
        struct sender s = cubic_up();
        s.c->cwnd = expected[i][0];
        assert_int_equal(congestion_ssthresh(s.t, s.c, 0), expected[i][1]);
        assert_int_equal(s.g->cubic.epoch.cwnd_prior, expected[i][0]);
        assert_int_equal(s.g->cubic.epoch.w_max, expected[i][0]);
        sender_down(&s);
    }
}

/* 4.7: a reduction below the last W_max lowers W_max further: 80 * (1 + 0.7) / 2 = 68; one above it does not. */
static void fast_convergence(void **state) {
    (void)state;
    struct sender s = cubic_up();
    s.c->cwnd = 100000;
    sender_reduce(&s);
    s.c->cwnd = 80000;
    sender_reduce(&s);
    assert_int_equal(s.g->cubic.epoch.w_max, 68000);
    assert_int_equal(s.c->cwnd, 56000);
    s.c->cwnd = 90000;
    sender_reduce(&s);
    assert_int_equal(s.g->cubic.epoch.w_max, 90000);
    sender_down(&s);
}

/* 4.2 with W_max 200 and cwnd_epoch 140 segments: K = cubic_root(60 / 0.4) = 5.3133 s, and W_cubic(t) = 0.4 (t - 5.3133)^3 + 200.
 *     t      1.0     2.5     5.3     7.5     9.0
 *     W    167.9   191.1   200.0   204.2   220.0
 * Reno's window would be 140 + 0.53 * 10 * t / 1: 145 at 1 s, 188 at 9 s; so this is CUBIC's own region. cwnd heads for W_cubic(t + RTT). */
static void the_curve(void **state) {
    (void)state;
    static const struct {
        uint32_t round, low, high;
    } points[] = {
        {10, 167000, 171000}, {25, 190000, 193000}, {53, 199000, 201000}, {75, 203000, 206000}, {90, 218000, 222500}};
    struct sender s = cubic_up();
    s.c->cwnd = 200000;
    sender_reduce(&s);
    assert_int_equal(s.c->cwnd, 140000);
    uint32_t round = 0;
    for (size_t i = 0; i < BK_COUNT(points); i++) {
        for (; round < points[i].round; round++) round_trip(&s);
        assert_in_range(s.c->cwnd, points[i].low, points[i].high);
    }
    assert_int_equal(s.g->cubic.epoch.k_ms, 5313);
    sender_down(&s);
}

/* 4.2: the target is at most half as much again as cwnd, however long ago the reduction was: so cwnd grows by half in a round trip. */
static void growth_is_bounded(void **state) {
    (void)state;
    struct sender s = cubic_up();
    s.c->cwnd = 20000;
    sender_reduce(&s);
    round_trip(&s);
    for (int i = 0; i < 6000; i++) { /* a minute in which only the ACKs are rare; the window is in use */
        sender_pass(&s, 10000);
    }
    sender_limit(&s);
    uint32_t before = s.c->cwnd;
    for (uint32_t i = 0; i < before / MSS; i++) sender_ack(&s, MSS);
    assert_in_range(s.c->cwnd, before + before / 4, before + before / 2 + MSS);
    sender_down(&s);
}

/* 4.3: from a window of 7 segments after a reduction from 10, W_est grows by a segment for each 7 * 17 / 9 = 13.2 acknowledged, until 10 are
 * reached: 14 ACKs of a segment make 8. With an RTT of 1 ms that is 4 ms after the reduction, and W_cubic has grown by 0.02. */
static void reno_friendly(void **state) {
    (void)state;
    struct sender s = cubic_up();
    s.c->srtt_us = 1000;
    s.c->cwnd = 10000;
    sender_reduce(&s);
    assert_int_equal(s.c->cwnd, 7000);
    sender_fill(&s);
    for (int i = 1; i <= 13; i++) {
        sender_pass(&s, 250);
        sender_ack(&s, MSS);
        sender_fill(&s);
        assert_int_equal(s.c->cwnd, 7000);
    }
    sender_pass(&s, 250);
    sender_ack(&s, MSS);
    assert_int_equal(s.c->cwnd, 8000);
    /* Beyond the window before the reduction alpha is 1: a segment a window. */
    s.g->cubic.epoch.w_est = s.c->cwnd = 10000;
    s.g->cubic.est_credit = 0;
    s.g->cubic.epoch.start = s.t->base.now;
    sender_fill(&s);
    for (int i = 1; i <= 10; i++) sender_ack(&s, MSS);
    sender_pass(&s, 250);
    sender_ack(&s, MSS);
    assert_in_range(s.c->cwnd, 11000, 11999);
    sender_down(&s);
}

/* 4.8: after a timeout the plateau is where congestion avoidance begins. */
static void after_a_timeout(void **state) {
    (void)state;
    struct sender s = cubic_up();
    s.c->cwnd = 100000;
    s.c->ssthresh = congestion_ssthresh(s.t, s.c, 100000);
    s.c->cwnd = MSS;
    congestion_event(s.t, s.c, CONGESTION_RTO);
    congestion_event(s.t, s.c, CONGESTION_RECOVER);
    for (int i = 0; i < 7; i++) round_trip(&s); /* 1, 2, 4, ... 64, 70 */
    assert_in_range(s.c->cwnd, 70000, 71000);
    assert_int_equal(s.g->cubic.epoch.w_max, 70000);
    assert_int_equal(s.g->cubic.epoch.k_ms, 0);
    assert_int_equal(s.g->cubic.epoch.cwnd_prior, 100000);
    sender_down(&s);
}

/* 4.9.2: what the curve was is restored. */
static void undo(void **state) {
    (void)state;
    struct sender s = cubic_up();
    s.c->cwnd = 200000;
    sender_reduce(&s);
    for (int i = 0; i < 20; i++) round_trip(&s);
    struct cubic_epoch before = s.g->cubic.epoch;
    uint32_t cwnd = s.c->cwnd, ssthresh = s.c->ssthresh;
    sender_reduce(&s);
    round_trip(&s);
    assert_int_not_equal(s.g->cubic.epoch.w_max, before.w_max);
    congestion_event(s.t, s.c, CONGESTION_UNDO);
    s.c->cwnd = cwnd;
    s.c->ssthresh = ssthresh;
    assert_memory_equal(&s.g->cubic.epoch, &before, sizeof before);
    sender_down(&s);
}

/* 4.9.2: if the window is beyond what it was before the reduction when that is known, the curve goes on. */
static void a_late_undo(void **state) {
    (void)state;
    struct sender s = cubic_up();
    s.c->cwnd = 20000;
    sender_reduce(&s);
    while (s.c->cwnd < 20000) round_trip(&s);
    struct cubic_epoch before = s.g->cubic.epoch;
    congestion_event(s.t, s.c, CONGESTION_UNDO);
    assert_memory_equal(&s.g->cubic.epoch, &before, sizeof before);
    sender_down(&s);
}

/* 5.8: t does not run while the window is not used; after a long pause growth goes on where it was. */
static void pauses_do_not_count(void **state) {
    (void)state;
    struct sender busy = cubic_up(), lazy = cubic_up();
    lazy.t->base.config.slow_start_after_idle = false;
    struct sender *both[2] = {&busy, &lazy};
    for (int i = 0; i < 2; i++) {
        both[i]->c->cwnd = 200000;
        sender_reduce(both[i]);
        for (int k = 0; k < 30; k++) round_trip(both[i]);
    }
    /* a pause, then a time of small writes */
    sender_ack(&lazy, connection_outstanding(lazy.c));
    sender_pass(&lazy, 60000000);
    congestion_idle(lazy.t, lazy.c);
    for (int i = 0; i < 100; i++) {
        sender_send(&lazy, MSS);
        sender_pass(&lazy, RTT_US);
        sender_ack(&lazy, MSS);
    }
    for (int i = 0; i < 30; i++) {
        round_trip(&busy);
        round_trip(&lazy);
    }
    assert_in_range(lazy.c->cwnd, busy.c->cwnd - 3 * MSS, busy.c->cwnd + 3 * MSS);
    sender_down(&busy);
    sender_down(&lazy);
}

/* All that is out is acknowledged at once, `pause` later more goes, and so on: cwnd after each of `rounds`. W_max is 20, cwnd_epoch 14 segments, the
 * RTT 0.8 s; so K = cubic_root(6 / 0.4) = 2.466 s, and W_cubic(0.8, 1.6, 2.4, 3.2) = 18.15, 19.74, 20.00, 20.16. */
static void whole_windows(uint32_t pause_us, const uint32_t *expected, size_t rounds) {
    struct sender s = cubic_up();
    s.t->base.config.slow_start_after_idle = false;
    s.c->srtt_us = 800000;
    sender_fill(&s);
    sender_pass(&s, 800000);
    sender_ack(&s, connection_outstanding(s.c));
    s.c->cwnd = 20000;
    sender_reduce(&s);
    for (size_t i = 0; i < rounds; i++) {
        sender_pass(&s, pause_us);
        congestion_idle(s.t, s.c);
        sender_fill(&s);
        sender_pass(&s, 800000);
        sender_ack(&s, connection_outstanding(s.c));
        assert_int_equal(s.c->cwnd, expected[i]);
    }
    sender_down(&s);
}

/* ACKs of whole windows leave no pause between, and the time of the curve goes on. */
static void acks_of_whole_windows(void **state) {
    (void)state;
    static const uint32_t expected[] = {18000, 19000, 20000, 20000};
    whole_windows(0, expected, BK_COUNT(expected));
}

/* 5.8: a pause before a stage is no part of it, and none begins in the future: its first ACK finds t = 0. */
static void a_pause_before_the_stage(void **state) {
    (void)state;
    static const uint32_t expected[] = {18000};
    whole_windows(1000000, expected, BK_COUNT(expected));
}

/* The average window, in segments, when every 1/p-th segment is lost. */
static double average_window(uint32_t interval, uint32_t losses) {
    struct sender s = cubic_up();
    double sum = 0, time = 0;
    uint32_t sent = 0, lost = 0;
    s.c->cwnd = 20000;
    sender_reduce(&s);
    while (lost < losses) {
        uint32_t segments = s.c->cwnd / MSS;
        sender_fill(&s);
        for (uint32_t i = 0; i < segments; i++) {
            sender_pass(&s, RTT_US / segments);
            sender_ack(&s, MSS);
            if (++sent == interval) {
                sent = 0;
                lost++;
                sender_reduce(&s);
            }
            sender_fill(&s);
            if (lost < losses / 2) continue; /* until it has settled */
            sum += s.c->cwnd / (double)MSS * (RTT_US / segments);
            time += RTT_US / segments;
        }
    }
    sender_down(&s);
    return sum / time;
}

/* Equation 6 of 5.1: 1.054 RTT^(3/4) / p^(3/4), and Reno's 1.22 / sqrt(p) where that is larger. At an RTT of 0.1 s:
 *     p    1e-2   1e-3   1e-4   1e-5
 *     W      12     39    187   1054 */
static void the_response_function(void **state) {
    (void)state;
    static const struct {
        uint32_t interval;
        double expected;
    } rows[] = {{100, 12.2}, {1000, 38.7}, {10000, 187.4}, {100000, 1054}};
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        double window = average_window(rows[i].interval, 40);
        printf("CUBIC, RTT 0.1 s, a loss in %u segments: average window %.1f, RFC 9438 %.1f\n", rows[i].interval,
               window, rows[i].expected);
        assert_true(window > rows[i].expected * 0.9 && window < rows[i].expected * 1.1);
    }
}

/* In a closed loop with a bottleneck of 10 Mbit/s, 40 ms and a buffer of one BDP: the link is full, and two flows share it. */
static void closed_loop(void **state) {
    (void)state;
    const uint64_t rate = 1250000, us = 60000000;
    struct path_model m = path_up(rate, 40000, 50000);
    path_add(&m, BK_CONGESTION_CUBIC);
    path_run(&m, 5000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, us, NULL, NULL);
    double full = (double)rate * 60, one = (double)m.flow[0].delivered / full;
    path_add(&m, BK_CONGESTION_CUBIC);
    path_run(&m, 20000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, us, NULL, NULL);
    double a = (double)m.flow[0].delivered / full, b = (double)m.flow[1].delivered / full;
    printf("CUBIC, 10 Mbit/s, 40 ms, buffer 1 BDP: goodput %.3f; of two flows %.3f and %.3f\n", one, a, b);
    assert_true(one > 0.98);
    assert_true(a + b > 0.98);
    assert_true((a + b) * (a + b) / (2 * (a * a + b * b)) > 0.9);
    path_down(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduction),
        cmocka_unit_test(fast_convergence),
        cmocka_unit_test(the_curve),
        cmocka_unit_test(growth_is_bounded),
        cmocka_unit_test(reno_friendly),
        cmocka_unit_test(after_a_timeout),
        cmocka_unit_test(undo),
        cmocka_unit_test(a_late_undo),
        cmocka_unit_test(pauses_do_not_count),
        cmocka_unit_test(acks_of_whole_windows),
        cmocka_unit_test(a_pause_before_the_stage),
        cmocka_unit_test(the_response_function),
        cmocka_unit_test(closed_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
