/* Which segments carry PSH (RFC 9293 3.9.1.2).
 *
 *     the end of what the user sent, unless more is to follow (MUST-61), and the end of a record
 *     the end of a unit of several segments: receivers that merge them hand them on at once
 *     a mark in what waits to be sent, for each half of the largest window that the peer has offered
 *
 * The marks are for bulk text whose segments leave one by one: a receiver that hands text on at PSH would otherwise hold all of a large SEND
 * while the windows it offers shrink. They are counted from where text began to wait, in whole segments. No unit ends because of one: a unit
 * of several segments has PSH at its end anyhow.
 */
#ifndef TCP_PUSH_H
#define TCP_PUSH_H

#include "tcp/connection.h"

/* Whether the mark is in the n bytes of new text from `seq` on. */
bool push_marked(const struct tcp *t, const struct connection *c, uint32_t seq, uint32_t n);
/* Nothing more may leave now: what is queued waits, and marks are counted from here if none stands. */
void push_waits(struct tcp *t, const struct connection *c);
/* New text up to `end` leaves. */
void push_sent(const struct connection *c, struct active *a, uint32_t end);

#endif
