/* Loss recovery: see recovery.h. */
#include "tcp/recovery.h"

#include "tcp/rtt.h"

#define DUPLICATE_THRESHOLD 3u /* DupThresh (RFC 5681 3.2) */

uint32_t recovery_pipe(const struct connection *c) {
    uint32_t outstanding = connection_outstanding(c);
    uint64_t gone = (c->rtx_end - c->rtx_nxt) + (uint64_t)c->duplicate_acks * c->mss;
    return gone >= outstanding ? 0 : outstanding - (uint32_t)gone;
}

/* Names the segment at SND.UNA lost. */
static void recovery_lose_first(struct connection *c, uint16_t reason) {
    uint32_t end = c->snd_una + u32_min(c->mss, connection_outstanding(c));
    c->rtx_end =
        recovery_has_lost(c) ? seq_max(c->rtx_end, end) : end; /* more may be known to be lost: tcp_icmp_error */
    c->rtx_nxt = c->snd_una;
    c->rtx_reason = reason;
}

void recovery_acked(struct tcp *t, struct connection *c, uint32_t acked, uint32_t flight) {
    if (seq_lt(c->rtx_nxt, c->snd_una)) c->rtx_nxt = c->snd_una;
    if (seq_lt(c->rtx_end, c->rtx_nxt)) c->rtx_end = c->rtx_nxt;
    if (c->recovery == RECOVERY_FAST) {
        if (seq_ge(c->snd_una, c->recover)) { /* full acknowledgment (RFC 6582 3.2 step 3) */
            c->recovery = RECOVERY_OPEN;
            c->duplicate_acks = 0;
            c->rtx_nxt = c->rtx_end = c->snd_una;
            c->cwnd = u32_min(c->ssthresh, u32_max(connection_outstanding(c), c->mss) + c->mss);
            congestion_event(t, c, CONGESTION_RECOVER);
            return;
        }
        /* Partial acknowledgment: the next hole begins at SND.UNA. Of what was acknowledged all but the hole had been
         * counted by duplicate ACKs. */
        uint32_t segments = acked / c->mss;
        c->duplicate_acks -= u32_min(c->duplicate_acks, segments == 0 ? 0 : segments - 1);
        recovery_lose_first(c, BK_REASON_SEND_PARTIAL_ACK);
        return;
    }
    c->duplicate_acks = 0;
    /* After a timeout an ACK may cover much that was not lost after all: it counts as one segment (RFC 3465 2.3). */
    if (c->recovery == RECOVERY_LOSS) acked = u32_min(acked, c->mss);
    if (seq_ge(c->snd_una, c->recover)) {
        c->recovery = RECOVERY_OPEN;
        if (seq_gt(c->snd_una, c->recover))
            c->recover =
                c->snd_una - 1; /* it follows, lest it seem to lie ahead once the numbers have gone half round */
    }
    struct congestion_sample sample = {
        .now = t->base.now,
        .acked = acked,
        .prior_in_flight = flight,
        .in_flight = recovery_pipe(c),
        .grow = true,
    };
    congestion_acked(t, c, &sample);
}

void recovery_duplicate_ack(struct tcp *t, struct connection *c) {
    /* After a timeout, duplicate ACKs may be echoes of what was sent again: they say nothing (RFC 6582 3.2 step 1). */
    if (c->recovery == RECOVERY_LOSS) return;
    if (c->duplicate_acks++ == 0) c->loss_edge = c->snd_nxt;
    if (c->recovery == RECOVERY_FAST || c->duplicate_acks != DUPLICATE_THRESHOLD || seq_le(c->snd_una, c->recover))
        return;
    /* without what limited transmit added (RFC 5681 3.2 step 2) */
    c->cwnd = c->ssthresh = congestion_ssthresh(t, c, c->loss_edge - c->snd_una);
    c->recovery = RECOVERY_FAST;
    c->recover = c->snd_nxt;
    recovery_lose_first(c, BK_REASON_SEND_FAST_RETRANSMIT);
    congestion_event(t, c, CONGESTION_REDUCE);
    rtt_cancel(c);
}

void recovery_congestion(struct tcp *t, struct connection *c) {
    if (c->recovery != RECOVERY_OPEN || seq_le(c->snd_una, c->recover)) return;
    c->cwnd = c->ssthresh = congestion_ssthresh(t, c, connection_outstanding(c));
    c->recover = c->snd_nxt;
    congestion_event(t, c, CONGESTION_REDUCE);
    congestion_event(t, c, CONGESTION_RECOVER);
}

void recovery_smaller(struct tcp *t, struct connection *c) {
    (void)t;
    c->rtx_nxt = c->snd_una;
    c->rtx_end = c->snd_nxt;
    c->rtx_reason = BK_REASON_SEND_SMALLER;
    rtt_cancel(c);
}

void recovery_timeout(struct tcp *t, struct connection *c) {
    /* Held constant while the same segment times out again (RFC 5681 3.1). */
    if (c->retransmits == 0) c->ssthresh = congestion_ssthresh(t, c, connection_outstanding(c));
    c->cwnd = c->mss;
    rtt_back_off(t, c);
    rtt_cancel(c);
    if (c->retransmits != UINT8_MAX) c->retransmits++;
    c->recovery = RECOVERY_LOSS;
    c->recover = c->snd_nxt;
    c->duplicate_acks = 0;
    c->rtx_nxt = c->snd_una;
    c->rtx_end = c->snd_nxt;
    c->rtx_reason = BK_REASON_SEND_RTO;
    congestion_event(t, c, CONGESTION_RTO);
}
