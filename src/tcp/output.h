/* What to send next, and why: the one place that decides it.
 *
 * output_decide looks at a connection and says which segment should leave now, for which reason; or that none should,
 * and when to ask again. It changes nothing. Output asks it when a link has room, and the timing wheel is set to
 * what it answers, so the two cannot disagree. A decision may be a unit of many segments (GSO): it is cut
 * to the path's MSS by the link.
 */
#ifndef TCP_OUTPUT_H
#define TCP_OUTPUT_H

#include "tcp/connection.h"

struct output_decision {
    uint16_t reason; /* BK_REASON_NONE: nothing now */
    uint8_t flags;   /* enum wire_tcp_flag */
    uint32_t seq;
    uint32_t length; /* bytes of text */
    uint64_t again;  /* when nothing: ask again at this time, BK_NEVER if only an event can change the answer */
};

struct output_decision output_decide(const struct tcp *t, const struct connection *c);
/* Whether something is there that output_decide could want to send, now or later. */
bool output_wanted(const struct tcp *t, const struct connection *c);

/* An extent of the send queue at or before `seq`, from which it is found soon; BK_NONE: from the head. */
static inline uint32_t output_extent_hint(const struct tcp *t, const struct active *a, uint32_t seq) {
    uint32_t hint = a->send_hint;
    return hint != BK_NONE && seq_lt(seq, extent_at(&t->base, hint)->seq) ? BK_NONE : hint;
}

/* RST for a connection (RFC 9293 3.10.5), as a reply: it is not repeated. */
void output_reset(struct tcp *t, const struct connection *c, uint16_t reason);

#endif
