/* Timeouts: RFC 9293 3.10.8, and the timers of 3.8.
 *
 * A timer's firing changes the connection (the window collapses, a probe becomes due, the connection is given up);
 * what is then sent is decided in output.c like everything else. */
#ifndef TCP_TIMEOUTS_H
#define TCP_TIMEOUTS_H

#include "tcp/connection.h"

/* The earliest time at which something of this connection is due. */
uint64_t timeouts_next(const struct connection *c);
/* Fires what is due now. May end the connection, and free it. */
void timeouts_fire(struct tcp *t, struct connection *c);
/* Before the connection is asked what to send: starts or stops the timers that stand for waiting on the peer's window. */
void timeouts_prepare(struct tcp *t, struct connection *c);

/* An ACK was processed; SND.UNA moved if it `advanced`: the timer for what is outstanding (RFC 6298 5.2, 5.3, RFC 8985 7.2). */
void timeouts_acked(struct tcp *t, struct connection *c, bool advanced);
/* New data left, and this is outstanding now (RFC 6298 5.1, RFC 8985 7.2). */
void timeouts_sent(struct tcp *t, struct connection *c);
/* What is at SND.UNA, or a probe, left again: the retransmission timer counts from now. */
void timeouts_resent(struct tcp *t, struct connection *c);

/* What a timeout of the retransmission timer set off is over: our SYN or FIN is acknowledged, or loss recovery has ended. */
void timeouts_over(const struct tcp *t, struct connection *c);
/* How long such times have been, the one under way included. */
uint32_t timeouts_spent_ms(const struct tcp *t, const struct connection *c);

/* Sets the wheel for the deadlines that end a connection, if it is not set for earlier: they run while it stands in line for a link that takes
 * nothing, too. */
void timeouts_arm_end(struct tcp *t, struct connection *c);

#endif
