/* NewReno (RFC 5681, 6582, 6928): see congestion.h. Windows are bytes; acknowledgments count by bytes (RFC 3465), because
 * an ACK may stand for a whole unit. */
#include "tcp/congestion.h"

static uint32_t window_initial(const struct connection *c) {
    return u32_min(10u * c->mss, u32_max(2u * c->mss, 14600));
}

/* The window to go on with after a loss: half of what was in flight (RFC 5681 (4)). */
static uint32_t window_half(const struct connection *c, uint32_t flight) {
    return u32_max(flight / 2, 2u * c->mss);
}

void congestion_start(struct connection *c, uint32_t syn_retransmits) {
    c->cwnd = syn_retransmits > 1 ? c->mss : window_initial(c);
    c->ssthresh = UINT32_MAX;
    c->cwnd_credit = 0;
}

void congestion_acked(struct connection *c, uint32_t acked, uint32_t flight) {
    /* A window that was not used was not tested: it must not grow (RFC 7661's concern). In slow start half of it in flight
     * counts as use, for the window doubles ahead of what is sent. */
    bool slow_start = c->cwnd < c->ssthresh;
    if (slow_start ? flight < c->cwnd / 2 : flight + c->mss < c->cwnd) return;
    if (slow_start) {
        uint32_t grow = u32_min(acked, c->ssthresh - c->cwnd);
        c->cwnd += grow;
        acked -= grow;
        if (acked == 0) return;
    }
    /* Congestion avoidance: one segment for each window of bytes acknowledged (RFC 5681 3.1, byte counting). */
    c->cwnd_credit += acked;
    if (c->cwnd_credit >= c->cwnd) {
        c->cwnd_credit -= c->cwnd;
        if (c->cwnd < UINT32_MAX - c->mss) c->cwnd += c->mss;
    }
}

void congestion_loss(struct connection *c, uint32_t flight) {
    c->ssthresh = window_half(c, flight);
    c->cwnd = c->ssthresh;
    c->cwnd_credit = 0;
}

void congestion_recovered(struct connection *c, uint32_t flight) {
    c->cwnd = u32_min(c->ssthresh, u32_max(flight, c->mss) + c->mss);
    c->cwnd_credit = 0;
}

void congestion_timeout(struct connection *c, uint32_t flight, bool first) {
    if (first) c->ssthresh = window_half(c, flight);
    c->cwnd = c->mss;
    c->cwnd_credit = 0;
}

void congestion_idle(struct connection *c) {
    c->cwnd = u32_min(c->cwnd, window_initial(c));
}
