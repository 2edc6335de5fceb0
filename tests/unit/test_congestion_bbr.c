/* Shows that BBR finds the rate and the RTT of a path, keeps its queue short, and answers loss as draft-ietf-ccwg-bbr says: in a closed loop with a
 * model of a bottleneck. */
#include "path_model.h"

#define RATE   UINT64_C(1250000) /* 10 Mbit/s */
#define RTT_US UINT64_C(40000)
#define BDP    50000u

static double goodput(const struct path_flow *f, uint64_t rate, uint64_t us) {
    return (double)f->delivered / ((double)rate * (double)us / 1e6);
}
static double queue_ms(const struct path_flow *f) {
    return f->queue_sum / ((double)f->delivered / 1000) / 1000;
}

/* A path with a deep buffer: the link is full less the margin of 1 % and the probes of the RTT, the estimates are the path's, and the
 * queue is short: a loss-based controller would fill 160 ms. */
static void a_deep_buffer(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 4 * BDP);
    struct path_flow *f = path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 5000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, 60000000, NULL, NULL);
    const struct bbr *b = &f->s.g->bbr;
    printf("BBR, 10 Mbit/s, 40 ms, buffer 4 BDP: goodput %.3f, queue %.1f ms, dropped %llu\n",
           goodput(f, RATE, 60000000), queue_ms(f), (unsigned long long)f->dropped);
    assert_true(b->full_bw_reached);
    assert_true(goodput(f, RATE, 60000000) > 0.95);
    assert_true(queue_ms(f) < 20);
    assert_in_range(u64_max(b->max_bw[0], b->max_bw[1]), RATE * 97 / 100, RATE * 103 / 100);
    assert_in_range(b->min_rtt_us, RTT_US, RTT_US + 3000);
    path_down(&m);
}

struct startup {
    uint64_t full_at, drained_at, began;
    uint32_t rounds;
};
static void watch_startup(struct path_model *m, struct path_flow *f, void *of) {
    struct startup *s = of;
    const struct bbr *b = &f->s.g->bbr;
    if (b->full_bw_reached && s->full_at == 0) {
        s->full_at = m->now;
        s->rounds = b->round_count;
    }
    if (b->state >= BBR_PROBE_BW_DOWN && s->drained_at == 0) s->drained_at = m->now;
}

/* Startup doubles the rate each round: from 10 segments in 40 ms to 50 in three, and three more until the plateau is believed; Drain
 * takes about one. */
static void startup_and_drain(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 4 * BDP);
    struct startup s = {.began = m.now};
    path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 2000000, watch_startup, &s);
    assert_int_not_equal(s.full_at, 0);
    assert_in_range(s.rounds, 5, 10);
    assert_int_not_equal(s.drained_at, 0);
    assert_in_range(s.drained_at - s.full_at, 0, 4 * RTT_US * NS_PER_US);
    path_down(&m);
}

/* What is lost by chance, at less than the threshold of 2 %, costs little: about what is lost. CUBIC would be at a third. */
static void random_loss(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 4 * BDP);
    m.loss_ppm = 10000;
    struct path_flow *f = path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 5000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, 60000000, NULL, NULL);
    printf("BBR, 10 Mbit/s, 40 ms, 1 %% loss: goodput %.3f\n", goodput(f, RATE, 60000000));
    assert_true(goodput(f, RATE, 60000000) > 0.85);
    path_down(&m);
}

/* A buffer of a tenth of the BDP: inflight_longterm is found, and what is dropped stays below a few percent. */
static void a_shallow_buffer(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, BDP / 10);
    struct path_flow *f = path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 5000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, 60000000, NULL, NULL);
    double lost = (double)f->dropped / (double)(f->delivered + f->dropped);
    printf("BBR, 10 Mbit/s, 40 ms, buffer 0.1 BDP: goodput %.3f, lost %.4f\n", goodput(f, RATE, 60000000), lost);
    assert_true(goodput(f, RATE, 60000000) > 0.80);
    assert_true(lost < 0.03);
    assert_int_not_equal(f->s.g->bbr.inflight_longterm, BBR_INFLIGHT_NONE);
    path_down(&m);
}

/* The path becomes ten times as fast, then as slow as before: both are found. */
static void the_rate_changes(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 4 * BDP);
    struct path_flow *f = path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 10000000, NULL, NULL);
    m.rate = 10 * RATE;
    m.buffer = 40 * BDP;
    path_run(&m, 15000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, 10000000, NULL, NULL);
    printf("BBR, ten times faster after 15 s: goodput %.3f\n", goodput(f, m.rate, 10000000));
    assert_true(goodput(f, m.rate, 10000000) > 0.9);
    m.rate = RATE;
    m.buffer = 4 * BDP;
    path_run(&m, 15000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, 10000000, NULL, NULL);
    printf("BBR, ten times slower after 15 s: goodput %.3f, queue %.1f ms\n", goodput(f, m.rate, 10000000),
           queue_ms(f));
    assert_true(goodput(f, m.rate, 10000000) > 0.9);
    const struct bbr *b = &f->s.g->bbr;
    assert_in_range(u64_max(b->max_bw[0], b->max_bw[1]), RATE * 97 / 100, RATE * 105 / 100);
    path_down(&m);
}

/* The same with a buffer that holds a second and a half of the slower rate and drops nothing: round trips are so long then that each probe is
 * cut off by ProbeRTT. The old max_bw must be forgotten all the same. */
static void an_old_rate_is_forgotten(void **state) {
    (void)state;
    struct path_model m = path_up(10 * RATE, RTT_US, 40 * BDP);
    struct path_flow *f = path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 15000000, NULL, NULL);
    m.rate = RATE;
    path_run(&m, 30000000, NULL, NULL);
    const struct bbr *b = &f->s.g->bbr;
    assert_in_range(u64_max(b->max_bw[0], b->max_bw[1]), RATE * 97 / 100, RATE * 105 / 100);
    path_down(&m);
}

struct probes {
    bool in;
    uint64_t entered, left, count;
    uint32_t least;
};
static void watch_probe_rtt(struct path_model *m, struct path_flow *f, void *of) {
    struct probes *p = of;
    bool in = f->s.g->bbr.state == BBR_PROBE_RTT;
    if (in && !p->in) {
        if (p->count != 0) assert_true(m->now - p->left > 5 * NS_PER_S); /* at most every five seconds */
        p->entered = m->now;
        p->count++;
    }
    if (!in && p->in) {
        assert_in_range((m->now - p->entered) / NS_PER_MS, 200, 400);
        p->left = m->now;
    }
    if (in) p->least = u32_min(p->least, f->in_flight);
    p->in = in;
}

/* A queue of somebody else's hides the path's RTT: every five seconds, and no more often, half the BDP is in flight for 200 ms. */
static void probes_of_the_rtt(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 4 * BDP);
    struct probes p = {.least = UINT32_MAX};
    path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 60000000, watch_probe_rtt, &p);
    assert_in_range(p.count, 5, 12);
    assert_in_range(p.least, 4000, BDP * 6 / 10);
    path_down(&m);
}

/* Two flows share a path. */
static void two_flows(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 2 * BDP);
    path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 5000000, NULL, NULL);
    path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 20000000, NULL, NULL);
    path_measure(&m);
    path_run(&m, 60000000, NULL, NULL);
    double a = goodput(&m.flow[0], RATE, 60000000), b = goodput(&m.flow[1], RATE, 60000000);
    printf("BBR, two flows: goodput %.3f and %.3f\n", a, b);
    assert_true(a + b > 0.93);
    assert_true((a + b) * (a + b) / (2 * (a * a + b * b)) > 0.85); /* Jain's index */
    path_down(&m);
}

/* The loss was none: the window, the bounds and Startup come back (5.5.11). */
static void spurious_loss(void **state) {
    (void)state;
    struct path_model m = path_up(RATE, RTT_US, 4 * BDP);
    struct path_flow *f = path_add(&m, BK_CONGESTION_BBR);
    path_run(&m, 100000, NULL, NULL);
    struct bbr *b = &f->s.g->bbr;
    assert_int_equal(b->state, BBR_STARTUP);
    uint32_t cwnd = f->s.c->cwnd;
    congestion_lost(f->s.t, f->s.c, &f->segment[0].mark, 1000);
    congestion_event(f->s.t, f->s.c, CONGESTION_REDUCE);
    assert_true(b->is_loss_in_round);
    f->s.c->cwnd = 4000;
    b->full_bw_reached = true; /* as high loss would have it */
    b->undo_state = BBR_STARTUP;
    b->state = BBR_DRAIN;
    b->inflight_longterm = 20000;
    congestion_event(f->s.t, f->s.c, CONGESTION_UNDO);
    assert_int_equal(b->state, BBR_STARTUP);
    assert_false(b->full_bw_reached);
    assert_int_equal(f->s.c->cwnd, cwnd);
    assert_int_equal(b->inflight_longterm, BBR_INFLIGHT_NONE);
    assert_false(b->is_loss_in_round);
    path_down(&m);
}

/* 5.5.10.2: a record of 10,000 bytes is lost, of 109,000 in flight; 1,000 were lost before it. Losses reach 2 % where
 * (1,000 + x) / (99,000 + x) = 0.02: x = (1,980 - 1,000) / 0.98 = 1,000, so 100,000 may be in flight. */
static void inflight_at_loss(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_BBR, 1000);
    struct bbr *b = &s.g->bbr;
    struct rate *r = &active_of(s.t, s.c)->rate;
    s.c->sack = true;
    b->state = BBR_PROBE_BW_UP;
    b->full_bw_reached = true;
    b->is_bw_probe_sample = true;
    r->lost = 11000;
    struct rate_mark mark = {.in_flight = 109000, .lost = 0};
    congestion_lost(s.t, s.c, &mark, 10000);
    assert_int_equal(b->inflight_longterm, 100000);
    assert_int_equal(b->state, BBR_PROBE_BW_DOWN);
    assert_true(b->prev_probe_too_high);
    b->state = BBR_PROBE_BW_CRUISE; /* once is enough for a probe */
    r->lost = 50000;
    congestion_lost(s.t, s.c, &mark, 10000);
    assert_int_equal(b->inflight_longterm, 100000);
    sender_down(&s);
}

/* Before there is a sample: 2.77 times the initial window in a round trip. */
static void the_first_pacing_rate(void **state) {
    (void)state;
    struct sender s = sender_up(BK_CONGESTION_BBR, 1000);
    assert_int_equal(s.g->pacing.rate, 27700000); /* of 10,000 bytes in 1 ms, the RTT being unknown */
    rtt_sample(s.t, s.c, 50000);
    congestion_begin(s.t, s.c);
    assert_int_equal(s.g->pacing.rate, 554000); /* 200,000 a second, times 2.77 */
    sender_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deep_buffer),         cmocka_unit_test(startup_and_drain),
        cmocka_unit_test(random_loss),           cmocka_unit_test(a_shallow_buffer),
        cmocka_unit_test(the_rate_changes),      cmocka_unit_test(an_old_rate_is_forgotten),
        cmocka_unit_test(probes_of_the_rtt),     cmocka_unit_test(two_flows),
        cmocka_unit_test(spurious_loss),         cmocka_unit_test(inflight_at_loss),
        cmocka_unit_test(the_first_pacing_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
