/* Undoing an episode that was for nothing: what was taken for lost had been late.
 *
 * Two things prove it. A timestamp echo older than the first retransmission came from the original (Eifel detection, RFC 3522); and DSACKs
 * for every retransmission of the episode say that the originals had arrived (RFC 2883, RFC 3708). Then cwnd and ssthresh become what they were
 * (RFC 4015, in its spirit), what is marked lost is in flight again, and the RTO loses its back-off.
 *
 * DSACKs are matched with what went again, which a few spans remember. If that is more than they hold, or something went twice, the DSACKs of the
 * episode prove nothing. A DSACK of something that did not go again comes from a path that makes copies: then none of the connection's does. */
#ifndef TCP_UNDO_H
#define TCP_UNDO_H

#include "base/common.h"

struct tcp;
struct connection;
struct ack_news;

/* An episode begins; cwnd and ssthresh are still what they were. */
void undo_begin(struct tcp *t, struct connection *c);
/* [left, right) was sent again. */
void undo_sent(const struct tcp *t, struct connection *c, uint32_t left, uint32_t right);
/* Takes the ACK's DSACK into account. */
void undo_dsack(struct ack_news *n);
/* Whether the ACK, which moved SND.UNA, is of what was sent before the first retransmission. */
bool undo_by_timestamp(const struct ack_news *n);
/* Whether every retransmission was for nothing. */
bool undo_by_dsack(const struct ack_news *n);
/* What is marked lost is in flight again, and the reduction of the `window` is undone. */
void undo(struct tcp *t, struct connection *c, bool window);
/* None is under way. Reports of what lies a window back are not believed (ack_news.c): the last episode is what it was, and its numbers, which
 * would seem to lie ahead one day, are forgotten. */
void undo_age(struct tcp *t, struct connection *c);
/* The episode cannot be undone any more. */
void undo_forget(struct tcp *t, struct connection *c);

#endif
