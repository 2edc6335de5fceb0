/* Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them.
 *
 *     asked for      SYN with ECE and CWR, SYN-ACK with ECE alone. A SYN that goes again does so without (config.ecn_fallback), for there are
 *                    boxes that swallow it otherwise; whoever has sent or received one without does not use ECN (6.1.1)
 *     capable        new data leaves as ECT(0); SYNs, pure ACKs, probes and what is sent again do not (6.1.4 to 6.1.6)
 *     CE arrives     ECE on all that leaves, until a segment with CWR says that it was heard (6.1.3)
 *     ECE arrives    a congestion event, once for each window of data (recovery_acked)
 *     cwnd shrinks   for whatever reason: CWR on the next new data (6.1.2)
 *
 * A SYN that is itself marked as ECT or CE went through something that writes these bits without knowing what they mean: then they are not
 * trusted, and ECN is not used.
 */
#ifndef TCP_ECN_H
#define TCP_ECN_H

#include "tcp/connection.h"
#include "tcp/segment.h"

enum ecn_codepoint { ECN_NOT_ECT = 0, ECN_ECT_1 = 1, ECN_ECT_0 = 2, ECN_CE = 3 };
#define ECN_MASK 3u

/* Whether this SYN asks for ECN and may have it. */
bool ecn_grants(const struct tcp *t, const struct segment *s);
/* The peer's SYN or SYN-ACK has come in SYN-SENT. */
void ecn_take_syn(struct connection *c, const struct segment *s);
/* A segment leaves: its ECN flags and its frame's traffic class. `new_data`: it begins with data that has not been sent before. */
void ecn_sent(const struct tcp *t, struct connection *c, bool new_data, struct wire_tcp *h, struct frame *f);
/* Text in the window has arrived. */
void ecn_text(struct tcp *t, struct connection *c, const struct segment *s);
/* cwnd has been reduced. */
static inline void ecn_reduced(struct connection *c) {
    c->ecn_cwr = c->ecn;
}
/* Whether the segment, an ACK, echoes congestion. */
static inline bool ecn_echoes(const struct connection *c, const struct segment *s) {
    return c->ecn && segment_has(s, WIRE_ECE);
}

#endif
