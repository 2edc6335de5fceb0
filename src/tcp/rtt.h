/* Round-trip time and the retransmission timeout (RFC 6298).
 *
 * Every ACK that covers something new is a sample: by our own clock, of the oldest of what it covers, and of what was sent only once (Karn); when
 * something that was sent again is among it, the peer's echo of our timestamp serves (RFC 7323 4.1).
 *
 * RTO = SRTT + max(4 * RTTVAR, rto_min). RFC 6298 2.4 has the minimum for the sum, and 1 s of it, but allows more than its formula gives: here the
 * minimum is the time that is left for an ACK to be late, as in Linux, however long the path is.
 */
#ifndef TCP_RTT_H
#define TCP_RTT_H

#include "tcp/connection.h"

struct ack_news;

/* The sample of an ACK, if it is one. */
void rtt_acked(const struct ack_news *n);
/* What left so long ago is the newest that an ACK covers. The least RTT is that of the newest: an older one has waited for its ACK. */
static inline void rtt_newest(struct connection *c, uint64_t ns) {
    uint32_t us = (uint32_t)u64_min(ns / NS_PER_US, UINT32_MAX / 8);
    if (c->min_rtt_us == 0 || us < c->min_rtt_us) c->min_rtt_us = u32_max(us, 1);
}
/* Our SYN is acknowledged, by a segment with these options. */
void rtt_syn_acked(const struct tcp *t, struct connection *c, const struct wire_tcp_options *option);
/* A sample, in microseconds (RFC 6298 2.2, 2.3). */
void rtt_sample(const struct tcp *t, struct connection *c, uint64_t us);
/* Doubles the RTO (RFC 6298 5.5), but not for the first SYNs that go again: `retransmits` is still without the one to come. */
void rtt_back_off(const struct tcp *t, struct connection *c);
/* An RTO of so many microseconds, within the connection's bound (RFC 6298 2.5). */
uint32_t rtt_clamp(const struct tcp *t, const struct connection *c, uint64_t us);
/* Ends the back-off: it was for nothing. */
void rtt_restore(const struct tcp *t, struct connection *c);
static inline uint64_t rtt_rto_ns(const struct connection *c) {
    return c->rto_us * NS_PER_US;
}

#endif
