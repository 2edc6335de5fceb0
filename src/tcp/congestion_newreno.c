/* NewReno (RFC 5681, 6582): see congestion.h. Acknowledgments count by bytes (RFC 3465), because an ACK may stand for a whole unit. */
#include "tcp/connection.h"

static void newreno_begin(struct tcp *t, struct connection *c, struct congestion *g) {
    (void)t, (void)c, (void)g; /* no credit yet: that is the zero that the record came with */
}

static void newreno_acked(struct tcp *t, struct connection *c, struct congestion *g,
                          const struct congestion_sample *s) {
    uint32_t acked = congestion_slow_start(t, c, g, s);
    /* One segment for each window of bytes acknowledged (RFC 5681 3.1, byte counting). */
    if (acked != 0) congestion_avoid(c, &g->newreno.credit, acked, c->cwnd);
}

/* Half of what was in flight (RFC 5681 (4)). */
static uint32_t newreno_ssthresh(struct tcp *t, struct connection *c, struct congestion *g, uint32_t flight) {
    (void)t, (void)g;
    return u32_max(flight / 2, 2u * c->mss);
}

static void newreno_event(struct tcp *t, struct connection *c, struct congestion *g, enum congestion_event event) {
    (void)t, (void)c;
    if (event != CONGESTION_RESTART) g->newreno.credit = 0;
}

const struct congestion_controller congestion_newreno = {newreno_begin, newreno_acked, newreno_ssthresh,
                                                         newreno_event, NULL,          false};
