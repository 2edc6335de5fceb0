/* RTT and RTO: see rtt.h. */
#include "tcp/rtt.h"

#include "tcp/options.h"

#define RTT_GRANULARITY_US 1000u /* G: timers are this exact, as far as the peer's and our ticks go */

void rtt_start(const struct tcp *t, struct connection *c, uint32_t end) {
    if (c->rtt_sent != 0) return;
    c->rtt_seq = end;
    c->rtt_sent = u64_max(t->base.now, 1);
}

void rtt_cancel(struct connection *c) {
    c->rtt_sent = 0;
}

static uint32_t rto_clamp(const struct tcp *t, uint64_t us) {
    return (uint32_t)u64_min(u64_max(us, t->base.config.rto_min_ms * UINT64_C(1000)),
                             t->base.config.rto_max_ms * UINT64_C(1000));
}

/* The RTO that the estimate asks for, without back-off. */
static void rtt_set_rto(const struct tcp *t, struct connection *c) {
    c->rto_us = rto_clamp(t, (uint64_t)c->srtt_us + u32_max(RTT_GRANULARITY_US, 4 * c->rttvar_us));
}

void rtt_sample(const struct tcp *t, struct connection *c, uint64_t us) {
    uint32_t r = (uint32_t)u64_min(u64_max(us, 1), UINT32_MAX / 8);
    if (c->min_rtt_us == 0 || r < c->min_rtt_us) c->min_rtt_us = r;
    if (c->srtt_us == 0) {
        c->srtt_us = r;
        c->rttvar_us = r / 2;
    } else {
        uint32_t deviation = c->srtt_us > r ? c->srtt_us - r : r - c->srtt_us;
        c->rttvar_us = (uint32_t)((3 * (uint64_t)c->rttvar_us + deviation) / 4);
        c->srtt_us = (uint32_t)((7 * (uint64_t)c->srtt_us + r) / 8);
    }
    rtt_set_rto(t, c);
}

void rtt_acked(const struct tcp *t, struct connection *c, uint32_t ack, const struct wire_tcp_options *option) {
    if (c->rtt_sent != 0 && seq_ge(ack, c->rtt_seq)) {
        rtt_sample(t, c, (t->base.now - c->rtt_sent) / NS_PER_US);
        c->rtt_sent = 0;
        c->rtx_high = seq_max(c->rtx_high, ack);
        return;
    }
    /* An echo tells even what was sent again (RFC 7323 3.3), with the coarser clock; while a segment is being timed it
     * is left to that one. */
    if (c->rtt_sent == 0 && c->timestamps && option->has_timestamps && option->tsecr != 0) {
        uint32_t ms = timestamp_now(t, c->ts_offset) - option->tsecr;
        if (ms < t->base.config.rto_max_ms) rtt_sample(t, c, (uint64_t)ms * 1000);
    }
    /* Karn (RFC 9293 3.8.2): a back-off stays until something that was sent only once is acknowledged. */
    if (seq_le(ack, c->rtx_high)) return;
    c->rtx_high = ack;
    if (c->srtt_us != 0) rtt_set_rto(t, c);
}

void rtt_back_off(const struct tcp *t, struct connection *c) {
    if (c->state == BK_SYN_SENT && c->retransmits < t->base.config.syn_linear_timeouts) return;
    c->rto_us = rto_clamp(t, 2 * (uint64_t)c->rto_us);
}
