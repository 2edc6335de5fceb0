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
#include "wire/ip.h"

struct output_decision {
    uint16_t reason; /* BK_REASON_NONE: nothing now */
    uint8_t flags;   /* enum wire_tcp_flag */
    uint32_t seq;
    uint32_t length; /* bytes of text */
    uint64_t again;  /* when nothing: ask again at this time, BK_NEVER if only an event can change the answer */
};

struct output_decision output_decide(const struct tcp *t, const struct connection *c);

/* New text: what is queued, of that what the peer's window and the congestion window have room for, whether it is a tail loss probe, and whether
 * nothing will ever join what is queued. */
struct output_offer {
    uint32_t queued, usable, room;
    bool probe, closed;
};
/* How much of it should leave now as one unit: whole segments, and a last one that is not full only where SWS avoidance and Nagle let it go. */
uint32_t output_amount(const struct tcp *t, const struct connection *c, const struct output_offer *o);

/* Whether something is there that output_decide could want to send, now or later. */
bool output_wanted(const struct tcp *t, const struct connection *c);

/* An extent of the send queue at or before `seq`, from which it is found soon; BK_NONE: from the head. */
static inline uint32_t output_extent_hint(const struct tcp *t, const struct active *a, uint32_t seq) {
    uint32_t hint = a->send_hint;
    return hint != BK_NONE && seq_lt(seq, extent_at(&t->base, hint)->seq) ? BK_NONE : hint;
}

/* Adds the bytes [seq, seq + n) of the send queue to a frame, by reference. Returns how many the frame had room for. */
uint32_t output_add_text(struct tcp *t, struct connection *c, struct frame *f, uint32_t seq, uint32_t n);
/* A segment with ACK has left, with text or without: no ACK is owed any more. */
void output_acked(struct tcp *t, struct connection *c, bool text);
/* What stands in a frame beside the header, `header_length` bytes of which are written at FRAME_L4: whose it is, whereto, and why. */
static inline void output_address(const struct connection *c, struct frame *f, uint32_t header_length,
                                  uint16_t reason) {
    f->end = (uint16_t)(FRAME_L4 + header_length);
    f->l4_header_length = (uint16_t)header_length;
    f->src = c->tuple.local;
    f->dst = c->tuple.remote;
    f->protocol = WIRE_TCP;
    f->hop_limit = c->hop_limit;
    f->iface = c->iface;
    f->object = c->self;
    f->reason = reason;
    f->checksum = FRAME_CHECKSUM_PARTIAL;
}

/* RST for a connection (RFC 9293 3.10.5), as a reply: it is not repeated. */
void output_reset(struct tcp *t, const struct connection *c, uint16_t reason);

#endif
