/* The ordinary case, by a short way: what nearly every segment of an open connection is.
 *
 * A connection is ordinary while nothing special is asked of its sending side (struct connection's `odd`), and nothing
 * is missing: no record is SACKed, lost or on its way again, no episode of recovery, probe or search is under way. Then most questions that
 * segment_arrives.c, acknowledge.c, recovery.c, output_decide.c and output.c ask of each segment have their answers known, and what is left is
 * done here in one pass:
 *
 *     ordinary_arrives        in ESTABLISHED, a segment at RCV.NXT with ACK (and PSH): new text, or an ACK for the front of what is outstanding
 *     ordinary_acknowledge    the ACK field alone, of any segment and in any state in which the connection is synchronized
 *     ordinary_output         new text, our FIN, or the ACK that is owed
 *
 * Whatever is not ordinary takes the plain way, from the beginning: these functions change nothing before they know. Nor do they decide anything: each
 * leaves the bytes, in frame and region, that the plain way would (base/plain.h; tests/equal).
 */
#ifndef TCP_ORDINARY_H
#define TCP_ORDINARY_H

#include "tcp/connection.h"
#include "tcp/segment.h"

static inline bool connection_is_ordinary(const struct tcp *t, const struct connection *c, const struct active *a) {
    const struct recovery *r = &a->recovery;
    return c->odd == 0 && c->syn_acked && c->recovery == RECOVERY_OPEN && c->duplicate_acks == 0 &&
           c->rtx_kind != RTX_PERSIST && c->rtx_kind != RTX_REORDER && scoreboard_is_clean(&a->board) &&
           !(r->tail_out | r->tail_now | r->undo_on | a->search.on) && r->spans == 0 && r->reorder_due == BK_NEVER &&
           a->search.size == 0 && c->path_epoch == t->path_epoch && seq_le(a->rack.fack, c->snd_una) &&
           !t->base.config.receive_overhead;
}

/* Returns the segment's reason, or BK_REASON_NONE if segment and connection are not ordinary. */
uint16_t ordinary_arrives(struct tcp *t, struct connection *c, const struct segment *s);
/* acknowledge, of an ACK that is not old: returns what it meant, or BK_REASON_NONE. */
uint16_t ordinary_acknowledge(struct tcp *t, struct connection *c, const struct segment *s);

enum ordinary_answer {
    ORDINARY_NOT,     /* the plain way is to be asked */
    ORDINARY_SENT,    /* *frame is to leave */
    ORDINARY_NOTHING, /* there is nothing to send before some deadline of its own */
};
/* What the first connection in line has to send. */
enum ordinary_answer ordinary_output(struct tcp *t, struct connection *c, uint32_t *frame);

#endif
