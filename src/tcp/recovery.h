/* Loss recovery without SACK: what is believed lost, and what may be in flight (RFC 5681 3.2, RFC 6582, RFC 3042).
 *
 * The bytes [rtx_nxt, rtx_end) are believed lost and wait to be sent again; rtx_nxt == rtx_end means none. Three
 * duplicate ACKs name the first segment; in fast recovery each partial ACK names the next; a retransmission timeout names
 * everything outstanding. What is in flight ("pipe") is what is outstanding, less what is lost and not yet sent again, less
 * a segment for each duplicate ACK, since each tells that one has left the network. That is window inflation
 * (RFC 5681 3.2 steps 3 and 4) seen from the other side.
 */
#ifndef TCP_RECOVERY_H
#define TCP_RECOVERY_H

#include "tcp/connection.h"

/* Bytes in flight. */
uint32_t recovery_pipe(const struct connection *c);
static inline bool recovery_has_lost(const struct connection *c) {
    return c->rtx_nxt != c->rtx_end;
}
/* SND.UNA moved on by `acked` bytes; `flight` were in flight before. */
void recovery_acked(struct tcp *t, struct connection *c, uint32_t acked, uint32_t flight);
/* A duplicate ACK came (RFC 5681 2). */
void recovery_duplicate_ack(struct tcp *t, struct connection *c);
/* The peer echoes congestion (RFC 3168 6.1.2): once for each window of data. */
void recovery_congestion(struct tcp *t, struct connection *c);
/* The path takes smaller segments only: what is in flight is lost without being a sign of congestion. */
void recovery_smaller(struct tcp *t, struct connection *c);
/* The retransmission timer fired. */
void recovery_timeout(struct tcp *t, struct connection *c);

#endif
