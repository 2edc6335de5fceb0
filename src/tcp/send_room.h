/* How much SEND may queue, and when a writer is told that there is room.
 *
 * Plainly, the send buffer bounds the bytes that are queued. Two settings make the bound one of units: what is queued is thought of as units
 * of up to half the peer's largest window (and no more than fit a segment offload), and a new one is begun only if
 *
 *     send_overhead   what is queued, with this much more for each unit, is below the send buffer: so memory is counted where
 *                     a buffer's own bookkeeping is charged to its user, as Linux does
 *     unsent_low      fewer bytes than this wait to be sent for the first time (TCP_NOTSENT_LOWAT): what waits in the queue only grows old
 *
 * A unit that was begun may be filled. What the windows let go at once counts as sent already.
 */
#ifndef TCP_SEND_ROOM_H
#define TCP_SEND_ROOM_H

#include "tcp/connection.h"

/* Bytes that may be queued now. */
uint32_t send_room(const struct tcp *t, const struct connection *c);
/* Whether a writer who had to wait is served: a third of the buffer is free, and no more is unsent than half of unsent_low. */
bool send_room_writable(const struct tcp *t, const struct connection *c);
/* Room may have come: tells a writer who waits for it. */
void send_room_came(struct tcp *t, struct connection *c);

#endif
