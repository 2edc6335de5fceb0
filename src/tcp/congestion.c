/* What all controllers share: which one a connection has, the initial window, window validation. See congestion.h. */
#include "tcp/connection.h"
#include "tcp/rtt.h"

static const struct congestion_controller *controller_of(const struct connection *c) {
    (void)c;
    return &congestion_newreno;
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
    g->use_end = c->snd_una;
    controller_of(c)->begin(t, c, g);
}

void congestion_start(struct tcp *t, struct connection *c, uint32_t syn_retransmits) {
    c->cwnd = syn_retransmits > 1 ? c->mss : congestion_initial_window(c);
    c->ssthresh = UINT32_MAX;
    if (c->active != BK_NONE) congestion_begin(t, c);
}

/* ---- window validation ------------------------------------------------------------------------------ */

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
}

static bool window_was_used(const struct connection *c, const struct congestion *g) {
    return g->use_limited || (c->cwnd < c->ssthresh && c->cwnd / 2 < g->use_most);
}

void congestion_idle(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || c->sent_at == 0 || a->congestion.idle_seen) return;
    a->congestion.idle_seen = true;
    /* After a pause longer than the RTO the window is not trusted any more (RFC 5681 4.1). */
    if (t->base.now - c->sent_at > rtt_rto_ns(c)) c->cwnd = u32_min(c->cwnd, congestion_initial_window(c));
    congestion_event(t, c, CONGESTION_RESTART);
}

/* ---- what the controllers are told ------------------------------------------------------------------ */

void congestion_acked(struct tcp *t, struct connection *c, const struct congestion_sample *s) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    const struct congestion_controller *controller = controller_of(c);
    if (!controller->owns_window && (!s->grow || s->acked == 0 || !window_was_used(c, &a->congestion))) return;
    controller->acked(t, c, &a->congestion, s);
}

uint32_t congestion_ssthresh(struct tcp *t, struct connection *c, uint32_t flight) {
    struct active *a = active_of(t, c);
    if (a == NULL) return u32_max(flight / 2, 2u * c->mss);
    return controller_of(c)->ssthresh(t, c, &a->congestion, flight);
}

void congestion_event(struct tcp *t, struct connection *c, enum congestion_event event) {
    struct active *a = active_of(t, c);
    if (a != NULL) controller_of(c)->event(t, c, &a->congestion, event);
}

void congestion_lost(struct tcp *t, struct connection *c, const struct rate_mark *m, uint32_t length) {
    struct active *a = active_of(t, c);
    if (a != NULL && controller_of(c)->lost != NULL) controller_of(c)->lost(t, c, &a->congestion, m, length);
}

uint32_t congestion_slow_start(struct connection *c, uint32_t acked) {
    uint32_t grow = c->cwnd < c->ssthresh ? u32_min(acked, c->ssthresh - c->cwnd) : 0;
    c->cwnd += grow;
    return acked - grow;
}

void congestion_avoid(struct connection *c, uint32_t *credit, uint32_t acked, uint32_t per) {
    uint64_t sum = (uint64_t)*credit + acked;
    *credit = (uint32_t)(sum % per);
    uint64_t grown = c->cwnd + sum / per * c->mss;
    if (grown <= UINT32_MAX) c->cwnd = (uint32_t)grown;
}
