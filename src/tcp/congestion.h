/* Congestion control: how much may be in flight.
 *
 * The events that a controller hears, with byte counts; recovery.c calls them, and only they change cwnd and
 * ssthresh. NewReno (RFC 5681, 6582) is what stands behind them now.
 */
#ifndef TCP_CONGESTION_H
#define TCP_CONGESTION_H

#include "tcp/connection.h"

/* The connection is established: the initial window (RFC 6928), or one segment if SYN or SYN-ACK had to be sent again more
 * than once (RFC 6928 2). */
void congestion_start(struct connection *c, uint32_t syn_retransmits);
/* `acked` bytes were acknowledged outside fast recovery, when `flight` were in flight before. */
void congestion_acked(struct connection *c, uint32_t acked, uint32_t flight);
/* Loss was noticed by duplicate ACKs, with `flight` bytes outstanding (RFC 5681 3.2 step 2). */
void congestion_loss(struct connection *c, uint32_t flight);
/* Fast recovery is over (RFC 6582 3.2 step 3, full acknowledgment). */
void congestion_recovered(struct connection *c, uint32_t flight);
/* The retransmission timer fired; `first` for the first time on this segment (RFC 5681 3.1). */
void congestion_timeout(struct connection *c, uint32_t flight, bool first);
/* Nothing was sent for longer than the RTO (RFC 5681 4.1). */
void congestion_idle(struct connection *c);

#endif
