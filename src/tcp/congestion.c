/* What all controllers share: which one a connection has, the initial window, window validation. See congestion.h. */
#include "tcp/connection.h"
#include "tcp/ecn.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"

static const struct congestion_controller *controller_of(const struct connection *c) {
    static const struct congestion_controller *const controller[BK_CONGESTIONS] = {
        [BK_CONGESTION_CUBIC] = &congestion_cubic,
        [BK_CONGESTION_NEWRENO] = &congestion_newreno,
        [BK_CONGESTION_BBR] = &congestion_bbr,
    };
    return controller[c->congestion];
}

bool congestion_owns_window(const struct connection *c) {
    return controller_of(c)->owns_window;
}

uint32_t congestion_initial_window(const struct connection *c) {
    return u32_min(10u * c->mss, u32_max(2u * c->mss, 14600));
}

void congestion_begin(struct tcp *t, struct connection *c) {
    struct active *a = pool_at(&t->base, &t->active, c->active);
    struct congestion *g = &a->congestion;
    memset(g, 0, sizeof *g);
    g->use_end = g->hystart.window_end = c->snd_una;
    g->used_at = t->base.now;
    controller_of(c)->begin(t, c, g);
    if (!controller_of(c)->owns_window) pacing_follow(t, c);
}

void congestion_choose(struct tcp *t, struct connection *c, enum bk_congestion which) {
    if (c->congestion == which) return;
    c->congestion = (uint8_t)which;
    if (c->active != BK_NONE) congestion_begin(t, c);
}

void congestion_start(struct tcp *t, struct connection *c, uint32_t syn_retransmits) {
    c->cwnd = syn_retransmits > 1 ? c->mss : congestion_initial_window(c);
    c->ssthresh = UINT32_MAX;
    if (c->active != BK_NONE) congestion_begin(t, c);
}

void congestion_status(const struct tcp *t, const struct connection *c, struct bk_tcp_info *info) {
    const struct active *a = active_of(t, c);
    info->congestion = c->congestion;
    if (a == NULL) return;
    info->pacing_rate = a->congestion.pacing.rate;
    info->delivery_rate = a->rate.latest;
    info->delivery_app_limited = a->rate.latest_app_limited;
    if (c->congestion != BK_CONGESTION_BBR) return;
    const struct bbr *b = &a->congestion.bbr;
    info->bbr_bw = b->bw;
    info->bbr_min_rtt_us = b->min_rtt_us == BBR_RTT_UNKNOWN ? 0 : b->min_rtt_us;
}

/* ---- window validation ------------------------------------------------------------------------------ */

/* The window shrinks for want of use: ssthresh remembers three quarters of it. */
static void window_decay(struct connection *c, uint32_t cwnd) {
    if (c->ssthresh != UINT32_MAX) c->ssthresh = u32_max(c->ssthresh, c->cwnd / 4 * 3);
    c->cwnd = cwnd;
}

/* The application sends less than it may, and has for an RTO (RFC 2861 3.2). */
static void window_not_used(struct tcp *t, struct connection *c, struct congestion *g) {
    if (!t->base.config.slow_start_after_idle || t->base.now - g->used_at < rtt_rto_ns(c)) return;
    uint32_t used = u32_max(g->used_most, congestion_initial_window(c));
    if (used < c->cwnd) window_decay(c, (uint32_t)(((uint64_t)c->cwnd + used) / 2));
    g->used_at = t->base.now;
    g->used_most = 0;
}

/* Nothing more will leave for now that cwnd would let out: no data waits, or the peer's window is full. */
static bool sender_is_done(const struct connection *c) {
    return !seq_lt(c->snd_nxt, c->snd_end) || c->snd_una + c->snd_wnd - c->snd_nxt < c->mss;
}

static bool window_was_used(const struct connection *c, const struct congestion *g) {
    return g->use_limited || (c->cwnd < c->ssthresh && c->cwnd / 2 < g->use_most);
}

void congestion_sent(struct tcp *t, struct connection *c, uint32_t in_flight) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    struct congestion *g = &a->congestion;
    g->idle_seen = false;
    uint32_t outstanding = connection_outstanding(c);
    bool limited = (uint64_t)in_flight + c->mss > c->cwnd;
    /* Once a window of data has passed what was seen in it is old; until then the strongest sign of use stands. */
    if (seq_ge(c->snd_una, g->use_end) || limited || (!g->use_limited && outstanding > g->use_most)) {
        g->use_end = c->snd_nxt;
        g->use_most = outstanding;
        g->use_limited = limited;
    }
    if (window_was_used(c, g)) {
        g->used_at = t->base.now;
        g->used_most = 0;
    } else {
        g->used_most = u32_max(g->used_most, outstanding);
        if (sender_is_done(c) && !controller_of(c)->owns_window) window_not_used(t, c, g);
    }
}

void congestion_supply(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || seq_lt(c->snd_nxt, c->snd_end) || recovery_has_lost(t, c)) return;
    uint32_t in_flight = recovery_pipe(t, c);
    if (in_flight < c->cwnd) rate_app_limit(&a->rate, in_flight);
}

void congestion_idle(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || c->sent_at == 0 || a->congestion.idle_seen) return;
    a->congestion.idle_seen = true;
    /* It is no pause where the ACK of all that was out lets more go at once. */
    if (c->progress_at < t->base.now) a->congestion.use_gap = true;
    /* After a pause longer than the RTO the window is not trusted any more (RFC 5681 4.1). */
    uint64_t pause = t->base.now - c->sent_at, rto = rtt_rto_ns(c);
    if (t->base.config.slow_start_after_idle && !controller_of(c)->owns_window && pause > rto) {
        uint64_t halvings = u64_min(pause / rto, 31);
        uint32_t restart = u32_min(congestion_initial_window(c), c->cwnd);
        window_decay(c, u32_max(c->cwnd >> halvings, restart));
        a->congestion.used_at = t->base.now;
    }
    congestion_event(t, c, CONGESTION_RESTART);
}

/* ---- what the controllers are told ------------------------------------------------------------------ */

void congestion_acked(struct tcp *t, struct connection *c, const struct congestion_sample *s) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    const struct congestion_controller *controller = controller_of(c);
    if (controller->owns_window) {
        controller->acked(t, c, &a->congestion, s);
        return;
    }
    bool used = window_was_used(c, &a->congestion);
    if (s->grow && s->acked != 0) {
        if (used)
            controller->acked(t, c, &a->congestion, s);
        else
            a->congestion.use_gap = true;
    }
    pacing_follow(t, c);
}

uint32_t congestion_ssthresh(struct tcp *t, struct connection *c, uint32_t flight) {
    struct active *a = active_of(t, c);
    if (a == NULL) return u32_max(flight / 2, 2u * c->mss);
    return controller_of(c)->ssthresh(t, c, &a->congestion, flight);
}

void congestion_event(struct tcp *t, struct connection *c, enum congestion_event event) {
    struct active *a = active_of(t, c);
    if (event == CONGESTION_REDUCE || event == CONGESTION_RTO) ecn_reduced(c);
    if (a != NULL) controller_of(c)->event(t, c, &a->congestion, event);
}

void congestion_lost(struct tcp *t, struct connection *c, const struct rate_mark *m, uint32_t length) {
    struct active *a = active_of(t, c);
    if (a != NULL && controller_of(c)->lost != NULL) controller_of(c)->lost(t, c, &a->congestion, m, length);
}

uint32_t congestion_slow_start(struct tcp *t, struct connection *c, struct congestion *g,
                               const struct congestion_sample *s) {
    if (c->cwnd >= c->ssthresh) return s->acked;
    if (c->ssthresh == UINT32_MAX && t->base.config.hystart) {
        c->cwnd = (uint32_t)u64_min((uint64_t)c->cwnd + hystart_acked(&g->hystart, c, s->acked, s->rtt_us), UINT32_MAX);
        return 0;
    }
    uint32_t grow = u32_min(s->acked, c->ssthresh - c->cwnd);
    c->cwnd += grow;
    return s->acked - grow;
}

void congestion_avoid(struct connection *c, uint32_t *credit, uint32_t acked, uint32_t per) {
    uint64_t sum = (uint64_t)*credit + acked;
    *credit = (uint32_t)(sum % per);
    uint64_t grown = c->cwnd + sum / per * c->mss;
    if (grown <= UINT32_MAX) c->cwnd = (uint32_t)grown;
}
