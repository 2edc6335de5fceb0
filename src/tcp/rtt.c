/* RTT and RTO: see rtt.h. */
#include "tcp/rtt.h"

#include "tcp/ack_news.h"
#include "tcp/options.h"

#define RTT_GRANULARITY_US 1000u /* G: timers are this exact, as far as the peer's and our ticks go */

uint32_t rtt_clamp(const struct tcp *t, const struct connection *c, uint64_t us) {
    return (uint32_t)u64_min(us, connection_rto_max_ms(t, c) * UINT64_C(1000));
}

/* The RTO that the estimate asks for, without back-off. */
static void rtt_set_rto(const struct tcp *t, struct connection *c) {
    uint32_t least = u32_max(RTT_GRANULARITY_US, t->base.config.rto_min_ms * 1000);
    c->rto_us = rtt_clamp(t, c, (uint64_t)c->srtt_us + u32_max(least, 4 * c->rttvar_us));
    c->backoff = 0;
}

void rtt_sample(const struct tcp *t, struct connection *c, uint64_t us) {
    uint32_t r = (uint32_t)u64_min(u64_max(us, 1), UINT32_MAX / 8);
    c->tail_unsampled = false;
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

/* The peer's echo tells even of what was sent again (RFC 7323 4.1, RFC 6298 3), with the coarser clock. */
static void sample_echo(const struct tcp *t, struct connection *c, const struct wire_tcp_options *option) {
    if (!c->timestamps || !option->has_timestamps || option->tsecr == 0) return;
    uint32_t ms = timestamp_now(t, c->ts_offset) - option->tsecr;
    if (ms < t->base.config.rto_max_ms) rtt_sample(t, c, (uint64_t)ms * 1000);
}

void rtt_acked(const struct ack_news *n) {
    uint64_t now = n->t->base.now;
    struct connection *c = n->c;
    if (n->newest != 0) {
        rtt_newest(c, now - n->newest);
    }
    if (n->oldest_acked != 0 && !n->resent_acked)
        rtt_sample(n->t, c, (now - n->oldest_acked) / NS_PER_US);
    else if (n->oldest_sacked != 0)
        rtt_sample(n->t, c, (now - n->oldest_sacked) / NS_PER_US);
    else if (n->advanced)
        sample_echo(n->t, c, n->option);
    /* Karn (RFC 9293 3.8.2): a back-off ends when something is acknowledged that was sent only once. */
    if (n->newest != 0) rtt_restore(n->t, c);
}

void rtt_syn_acked(const struct tcp *t, struct connection *c, const struct wire_tcp_options *option) {
    if (c->retransmits == 0 && c->sent_at != 0)
        rtt_sample(t, c, (t->base.now - c->sent_at) / NS_PER_US);
    else
        sample_echo(t, c, option);
}

void rtt_back_off(const struct tcp *t, struct connection *c) {
    if (c->state == BK_SYN_SENT && c->retransmits < t->base.config.syn_linear_timeouts) return;
    c->rto_us = rtt_clamp(t, c, 2 * (uint64_t)c->rto_us);
    if (c->backoff != UINT8_MAX) c->backoff++;
}

void rtt_restore(const struct tcp *t, struct connection *c) {
    if (c->srtt_us != 0) rtt_set_rto(t, c);
}
