/* Round-trip time and the retransmission timeout (RFC 6298).
 *
 * One segment a flight is timed with our own clock (Karn: never one that was sent again); when none can be, the
 * peer's echo of our timestamp serves (RFC 7323 4). */
#ifndef TCP_RTT_H
#define TCP_RTT_H

#include "tcp/connection.h"

/* Starts timing the segment that ends at `end`, unless one is being timed. */
void rtt_start(const struct tcp *t, struct connection *c, uint32_t end);
/* Something was sent again: what is being timed would be ambiguous. */
void rtt_cancel(struct connection *c);
/* SND.UNA moved to `ack` by a segment with these options. */
void rtt_acked(const struct tcp *t, struct connection *c, uint32_t ack, const struct wire_tcp_options *option);
/* A sample, in microseconds (RFC 6298 2.2, 2.3). */
void rtt_sample(const struct tcp *t, struct connection *c, uint64_t us);
/* Doubles the RTO (RFC 6298 5.5), but not for the first SYNs that go again: `retransmits` is still without the one to come. */
void rtt_back_off(const struct tcp *t, struct connection *c);
static inline uint64_t rtt_rto_ns(const struct connection *c) {
    return c->rto_us * NS_PER_US;
}

#endif
