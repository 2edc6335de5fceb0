/* CUBIC (RFC 9438), in bytes and integers.
 *
 * After a reduction the window grows along a cubic of the time since, whose plateau is where the reduction happened: fast at first, slowly
 * near the old maximum, faster again beyond it. Where Reno would be faster (short or slow paths) its window is taken.
 *
 *     W_cubic(t) = C * (t - K)^3 + W_max,  K = cubic_root((W_max - cwnd_epoch) / C),  C = 0.4 segments/s^3
 *
 * Time is counted in ms here: a segment is then reached when (t - K)^3 = 2.5e9 ms^3. t does not count while the window is not used.
 * The curve is looked at a few times in a round trip, and whenever the window has grown; in between it grows at the pace found then, by
 * one segment for each `per` bytes acknowledged.
 *
 * Reduction is from cwnd, not from what is in flight (4.6 allows it where an unused window does not grow: congestion.h), and to whole
 * segments: less than one cannot be sent. Fast convergence is on.
 */
#include "tcp/connection.h"

#define MS3_PER_SEGMENT UINT64_C(2500000000) /* 1 / C in ms^3 for a segment */
#define LOOKS_PER_RTT   4u

static uint32_t u32_saturate(uint64_t x) {
    return (uint32_t)u64_min(x, UINT32_MAX);
}

/* The largest r with r^3 =< x, digit by digit. */
static uint32_t cube_root(uint64_t x) {
    uint64_t r = 0;
    for (int bit = 21; bit >= 0; bit--) {
        uint64_t next = r | UINT64_C(1) << bit;
        if (next < 2642246 && next * next * next <= x) r = next; /* 2642245^3 is the last cube below 2^64 */
    }
    return (uint32_t)r;
}

/* K, ms. */
static uint32_t cubic_k(uint32_t below_max, uint32_t mss) {
    return cube_root(below_max * MS3_PER_SEGMENT / mss);
}

/* C * (ms)^3, bytes. */
static uint64_t cubic_distance(uint64_t ms, uint32_t mss) {
    ms = u64_min(ms, 2097151); /* half an hour: far beyond any window */
    uint64_t cube = ms * ms * ms;
    return cube <= UINT64_MAX / mss ? cube * mss / MS3_PER_SEGMENT : cube / MS3_PER_SEGMENT * mss;
}

/* W_cubic(t), 4.2. */
static uint32_t cubic_window(const struct cubic_epoch *e, uint64_t t_ms, uint32_t mss) {
    if (t_ms >= e->k_ms) return u32_saturate(e->w_max + cubic_distance(t_ms - e->k_ms, mss));
    uint64_t below = cubic_distance(e->k_ms - t_ms, mss);
    return below < e->w_max ? e->w_max - (uint32_t)below : 0;
}

static void cubic_begin(struct tcp *t, struct connection *c, struct congestion *g) {
    (void)t, (void)c, (void)g; /* W_max is unknown and no stage has begun: the zeroes that the record came with */
}

/* A stage of congestion avoidance begins. Without a W_max to come back to (after slow start or a timeout: 4.8, 4.10) it is at its plateau. */
static void begin_epoch(const struct connection *c, struct cubic *q, uint64_t now) {
    struct cubic_epoch *e = &q->epoch;
    e->start = u64_max(now, 1);
    e->w_max = u32_max(e->w_max, c->cwnd);
    e->k_ms = cubic_k(e->w_max - c->cwnd, c->mss);
    e->w_est = c->cwnd;
    q->est_credit = q->credit = 0;
    q->looked_at = 0;
}

/* W_est, 4.3: alpha is 3 (1 - beta) / (1 + beta) = 9 / 17, and 1 once the window before the reduction is reached. */
static void estimate_reno(const struct connection *c, struct cubic *q, uint32_t acked) {
    struct cubic_epoch *e = &q->epoch;
    uint64_t per = e->w_est < e->cwnd_prior ? c->cwnd * UINT64_C(17) / 9 : c->cwnd;
    uint64_t sum = (uint64_t)q->est_credit + acked;
    e->w_est = u32_saturate(e->w_est + sum / per * c->mss);
    q->est_credit = (uint32_t)(sum % per);
}

/* Looks at the curve: which region this is, and how fast the window grows in it (4.2 to 4.5). */
static void look(struct connection *c, struct cubic *q, uint64_t now) {
    const struct cubic_epoch *e = &q->epoch;
    uint64_t t_ms = (now - e->start) / NS_PER_MS;
    q->looked_at = now;
    if (cubic_window(e, t_ms, c->mss) < e->w_est) {
        c->cwnd = u32_max(c->cwnd, e->w_est);
        q->per = 0;
    } else {
        uint32_t target =
            u32_min(cubic_window(e, t_ms + c->srtt_us / 1000, c->mss), u32_saturate(c->cwnd + c->cwnd / 2));
        q->per = target > c->cwnd ? u32_saturate((uint64_t)c->cwnd * c->mss / (target - c->cwnd)) : 0;
    }
    q->looked_cwnd = c->cwnd;
}

static void cubic_acked(struct tcp *t, struct connection *c, struct congestion *g, const struct congestion_sample *s) {
    struct cubic *q = &g->cubic;
    bool stage_goes_on = c->cwnd >= c->ssthresh;
    uint32_t acked = congestion_slow_start(t, c, g, s);
    if (!stage_goes_on || q->epoch.start == 0)
        begin_epoch(c, q, s->now);
    else if (g->use_gap) /* what has passed while the window was not used is no time of the curve (5.8) */
        q->epoch.start += s->now - q->grown_at;
    g->use_gap = false;
    q->grown_at = s->now;
    if (acked == 0) return;
    estimate_reno(c, q, acked);
    if (s->now - q->looked_at >= c->srtt_us * NS_PER_US / LOOKS_PER_RTT || c->cwnd != q->looked_cwnd)
        look(c, q, s->now);
    if (q->per != 0) congestion_avoid(c, &q->credit, acked, q->per);
}

/* beta is 0.7 (4.6); fast convergence (4.7). */
static uint32_t cubic_ssthresh(struct tcp *t, struct connection *c, struct congestion *g, uint32_t flight) {
    (void)t, (void)flight;
    struct cubic *q = &g->cubic;
    q->undo = q->epoch;
    q->epoch.w_max = c->cwnd < q->epoch.w_max ? (uint32_t)(c->cwnd * UINT64_C(17) / 20) : c->cwnd;
    q->epoch.cwnd_prior = c->cwnd;
    uint32_t reduced = (uint32_t)(c->cwnd * UINT64_C(7) / 10);
    return u32_max(reduced - reduced % c->mss, 2u * c->mss);
}

static void cubic_event(struct tcp *t, struct connection *c, struct congestion *g, enum congestion_event event) {
    (void)t;
    struct cubic *q = &g->cubic;
    switch (event) {
    case CONGESTION_REDUCE:
        q->epoch.start = 0;
        break;
    case CONGESTION_RTO:
        q->epoch.start = 0;
        q->epoch.w_max = 0; /* 4.8: K is 0, and W_max where the next stage begins */
        break;
    case CONGESTION_UNDO:
        if (c->cwnd >= q->epoch.cwnd_prior) break; /* 4.9.2: known so late that the window is beyond where it was */
        q->epoch = q->undo;
        q->looked_at = 0;
        break;
    case CONGESTION_RECOVER:
    case CONGESTION_RESTART:
        break;
    }
}

const struct congestion_controller congestion_cubic = {cubic_begin, cubic_acked, cubic_ssthresh,
                                                       cubic_event, NULL,        false};
