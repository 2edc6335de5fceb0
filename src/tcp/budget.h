/* The budget of chunks that all queues of a stack share (config.buffer_chunks), and those who wait for it.
 *
 * While there is enough nobody is held back: a queue takes what it wants, until three quarters of the budget (the mark) are in use. What happens
 * then rests on three rules.
 *
 *     the least   A queue that holds less than `least` chunks may take more as long as the budget has any. `least` is an eighth of the budget, divided
 *                 by the active records that there may be. All else stops at a bound that leaves two eighths: one for the least of the
 *                 send queues, one for that of what is received in order. These eighths are never asked for more than they have. So
 *                 each connection can send and receive with `least` chunks, whatever others have taken and however long they keep it: a peer
 *                 or a user who never reads starves nobody. Where an eighth has no chunk for each record, `least` is one chunk while there
 *                 are any. What of the last quarter is not set aside so goes to queues that hold less than an equal part of
 *                 what is left of it: each leaves something to the next.
 *     the turn    Whoever is told to wait for chunks stands in a list, the longest waiting first, and is told to write when its turn comes: so many
 *                 chunks are then set aside for it, until it writes or BUDGET_TURN_MS have passed. While somebody waits nobody takes more than
 *                 its turn. Turns are equal; so of what comes back all who wait get as much, and as flows that are held by the budget
 *                 alone send what they get, their goodput is equal, whatever their round-trip times are.
 *     the share   Turns alone would give all to those who keep what they get. A connection's share is the mark, divided by the connections
 *                 that have data or wait (busy), two chunks at least. Who holds its share waits behind those who do not, unless
 *                 its data moves: each ACK earns some turns beyond the share, up to four times of it. So one that is stuck
 *                 holds its share and what these turns gave, and whatever others hold beyond theirs comes back.
 *
 * Each step is O(1): what a queue holds, what all hold, and how many are busy are known. There is a list for those below the least, one for those
 * who have a right to their turn, and one for the rest; a list is served if those before it are empty, from its head, and a connection moves
 * to another when an ACK says so. Parts (bk_tcp_send_parts) go as a whole: more of them than a share wait until nobody waits for less.
 *
 * Arriving data does not wait. Text in order takes what the mark leaves, and the least beyond it; of a segment for which there is not room
 * enough the front is taken, and the rest comes again. Data behind a gap stops at the mark, and makes room for what lies before it.
 *
 * Windows follow the budget as soon as an eighth of it is used, or a window could take a quarter of it: the edge then moves only so far that
 * what the connection holds would be two equal parts of what is left below the mark (budget_promise), and never back (RFC 9293 3.8.6). A window
 * is a promise that rests on what others do meanwhile, for all of them together may be more than the budget has. What finds no room is
 * dropped and not acknowledged, as if the network had lost it; with shrink_window the peer is told that the window is closed.
 */
#ifndef TCP_BUDGET_H
#define TCP_BUDGET_H

#include "tcp/connection.h"

#define BUDGET_TURN_MS 1000u

/* Chunks that a queue which holds `held` may take now, when so many more are set aside for others. */
uint32_t budget_more(const struct tcp *t, uint32_t held, uint32_t aside);
/* Chunks that SEND may take now for this connection, which wants so many at least: its turn, or all there are if nobody else waits. */
uint32_t budget_send(const struct tcp *t, const struct connection *c, uint32_t chunks);
/* Whether a window of so many bytes must be asked of budget_promise first: more than an eighth of the budget is used, or the window could take a quarter of
 * what is left below the mark. */
static inline bool budget_short(const struct tcp *t, uint32_t window) {
    const struct bk_config *config = &t->base.config;
    uint32_t used = t->base.buffer_chunks_used;
    if (used > config->buffer_chunks / 8) return true;
    return UINT64_C(8) * window > (uint64_t)(budget_mark(t) - used) * config->chunk_size; /* half a chunk may be text */
}
/* Chunks of data that may be asked for, for a connection that holds so many of it. */
uint32_t budget_promise(const struct tcp *t, uint32_t held);

/* The user was told to wait for so many chunks, or (without an active record) for a record, too: WRITABLE will follow. */
void budget_wait(struct tcp *t, struct connection *c, uint32_t chunks);
/* It waits no more; what was set aside for it is others'. */
void budget_leave(struct tcp *t, struct connection *c);
/* Some of what it sent was acknowledged: that earns it turns, and another list may be its own now. */
void budget_eased(struct tcp *t, struct connection *c);
/* budget_feed and budget_could_feed, where somebody waits. */
void budget_feed_some(struct tcp *t);
bool budget_could_feed_some(const struct tcp *t);
static inline bool budget_awaited(const struct tcp *t) {
    return t->waiting != 0 || t->waits[WAITS_RECORD].count != 0;
}
/* It waited for an active record, and has one now. */
void budget_recorded(struct tcp *t, struct connection *c);
/* Tells as many of those who wait as there is something for. */
static inline void budget_feed(struct tcp *t) {
    if (BK_UNLIKELY(budget_awaited(t))) budget_feed_some(t);
}
/* Whether that would tell one. */
static inline bool budget_could_feed(const struct tcp *t) {
    return BK_UNLIKELY(budget_awaited(t)) && budget_could_feed_some(t);
}
/* When the next turn is over that was not used; BK_NEVER: none is given. */
uint64_t budget_turn_ends(const struct tcp *t);
static inline uint64_t budget_next_deadline(const struct tcp *t) {
    return t->waits[WAITS_TURN].count == 0 ? BK_NEVER : budget_turn_ends(t);
}
/* Ends the turns that are over. */
void budget_advance(struct tcp *t);

#endif
