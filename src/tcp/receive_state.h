/* The receiving side of a connection: text and FIN, what waits behind a gap, what is told of it (SACK), when it is acknowledged, and how much
 * may come (the window).
 *
 *     receive_state.c   3.10.7.4 steps seventh and eighth: text in order, out of order, FIN
 *     receive_sack.c    RFC 2018 blocks, RFC 2883 duplicates
 *     delayed_ack.c     RFC 9293 3.8.6.3, RFC 5681 4.2: at once, delayed, or several in one
 *     receive_window.c  RFC 9293 3.8.6.2.2 and 3.8.6: the right edge, the buffer that grows with what the user reads
 *
 * What survives idleness is in struct connection; struct receive_state is part of the active record. A connection that gets a
 * fresh record begins anew: its ACKs are quick ones, and the pace of its user is measured again.
 */
#ifndef TCP_RECEIVE_STATE_H
#define TCP_RECEIVE_STATE_H

#include "base/runs.h"

struct tcp;
struct connection;
struct active;
struct segment;
struct wire_tcp_options;

#define RECEIVE_RECENT 4u /* runs that SACK blocks tell of */

struct receive_state {
    /* SACK: a number of each of the runs that segments came for last, the last first. The runs themselves say how far they go: what was
     * merged, read or given up is told correctly whenever a segment leaves. */
    uint32_t recent[RECEIVE_RECENT];
    struct span duplicate; /* received twice, and not yet told (RFC 2883); empty: none */
    /* ACKs */
    uint32_t delay_us;  /* the delay of an ACK, adapted to the pace at which text comes; 0: no text yet */
    uint32_t gap_nxt;   /* RCV.NXT at which `duplicates` and `compressed` count */
    uint8_t duplicates; /* ACKs that reported this gap */
    uint8_t compressed; /* segments behind it that the next ACK will report together */
    uint8_t quick;      /* so many ACKs more go at once */
    uint8_t recent_count;
    uint8_t untold;   /* runs at the head of `recent` that no ACK has told of since they grew */
    bool interactive; /* the user answers what it reads: an ACK may ride on the answer */
    bool measured;    /* the round of `copied` has begun */
    bool pushed;      /* text with PSH came that no ACK has acknowledged */
    /* The pace of the user, and the peer's distance, for the size of the buffer. */
    uint32_t copied;    /* bytes read in this round, a round-trip time */
    uint32_t space;     /* most bytes read in a round so far */
    uint32_t rtt_us;    /* the receiver's estimate of the RTT; 0: none */
    uint32_t rtt_seq;   /* RCV.NXT reaches this a round trip after rtt_at */
    uint32_t rtt_tsecr; /* the last TSecr that was a sample */
    uint32_t charge;    /* what received data takes, by Linux's account (config.receive_overhead) */
    uint64_t rtt_at;    /* 0: not begun */
    uint64_t space_at;  /* when this round began */
};

/* ---- text and FIN (receive_state.c) ------------------------------------------------------------------ */

/* The connection has a fresh active record. */
void receive_begin(struct tcp *t, struct connection *c, struct receive_state *r);
/* Whether text beyond the window refuses the segment as a whole. By default it is cut to the window (RFC 9293 3.10.7.4); Linux takes one
 * such segment when nothing is unread, and no other. */
bool receive_refuses(const struct tcp *t, const struct connection *c, const struct segment *s);
/* Seventh, the segment text. Returns the segment's reason. */
uint16_t receive_text(struct tcp *t, struct connection *c, const struct segment *s);
/* Eighth, the FIN bit: `c` has just received everything before the FIN. Without the change of state. */
void receive_fin(struct tcp *t, struct connection *c);
/* All of a segment's text had been received before. */
void receive_old_text(struct tcp *t, struct connection *c, const struct segment *s);

/* ---- SACK (receive_sack.c) --------------------------------------------------------------------------- */

/* A segment came for the run that holds `seq`: it is reported first (RFC 2018 4). */
void receive_sack_note(struct tcp *t, struct active *a, uint32_t seq);
/* [left, right) was received once more (RFC 2883 4). */
void receive_sack_duplicate(struct tcp *t, struct connection *c, struct span duplicate);
/* The SACK blocks of a segment that leaves now. */
void receive_state_sack_options(const struct tcp *t, const struct connection *c, struct wire_tcp_options *o);
/* Bytes that they take of each segment's room. */
uint32_t receive_state_option_bytes(const struct tcp *t, const struct connection *c);

/* ---- ACKs (delayed_ack.c) ---------------------------------------------------------------------------- */

/* Text was taken in order; `gap` says that text beyond it had come before, `push` that it had PSH. */
void delayed_ack_text(struct tcp *t, struct connection *c, struct active *a, bool gap, bool push);
/* The user has read. */
void delayed_ack_read(struct tcp *t, struct connection *c, struct active *a);
/* Text came that leaves a gap; `again` says that some of it had come before. */
void delayed_ack_gap(struct tcp *t, struct connection *c, struct active *a, bool again);
/* Text came again: a peer that retransmits is to know soon where we are. */
void delayed_ack_duplicate(struct tcp *t, struct connection *c);
/* The peer's FIN was taken. */
void delayed_ack_fin(struct tcp *t, struct connection *c);
/* For how long an ACK may be delayed now, ns. */
uint64_t delayed_ack_ns(const struct tcp *t, const struct connection *c);
/* The longest that delayed_ack_ns can say. */
uint64_t delayed_ack_most_ns(const struct tcp *t);
/* An ACK has waited its time, and nothing came that it could ride on. */
void delayed_ack_late(struct tcp *t, struct connection *c);
/* A segment left with an ACK; `text` tells whether it carried text. */
void delayed_ack_sent(struct tcp *t, struct connection *c, bool text);

/* ---- the window (receive_window.c) ------------------------------------------------------------------- */

/* The window before the handshake is done, of a buffer of so many bytes: what a SYN can say. `mss` is ours. */
uint32_t receive_window_initial(const struct tcp *t, uint32_t buffer, uint32_t clamp, uint32_t mss);
/* The window scale to offer for a buffer that is so large now: the largest that it may become counts. `fixed`: it stays. */
uint8_t receive_window_scale(const struct tcp *t, uint32_t buffer, uint32_t clamp, bool fixed);
/* The window that is offered when nothing is unread. */
uint32_t receive_window_most(const struct tcp *t, const struct connection *c);
/* The right edge to offer now (RFC 9293 3.8.6.2.2). It never moves left, unless the configuration lets it (shrink_window). */
uint32_t receive_window_edge(const struct tcp *t, const struct connection *c);
/* The window field of a segment that leaves now; what it says is noted. */
uint16_t receive_window_offer(const struct tcp *t, struct connection *c, bool syn);
/* The user bounds the window; 0: no longer. What was offered stands. */
void receive_window_clamp(struct tcp *t, struct connection *c, uint32_t bytes);
/* BK_TCP_RECEIVE_BUFFER: from now on the size is the user's. */
void receive_window_fix(struct tcp *t, struct connection *c, uint32_t bytes);
/* Text was taken: a sample of the RTT, perhaps. */
void receive_window_text(struct tcp *t, struct connection *c, struct active *a, const struct segment *s);
/* So many bytes came while none could be read, for want of what is before them. */
void receive_window_gap(struct tcp *t, struct connection *c, struct active *a, uint32_t bytes);
/* The user has read n bytes, which are still queued: the buffer may grow. */
void receive_window_read(struct tcp *t, struct connection *c, struct active *a, uint32_t n);
/* The user has read: whether the window has opened so far that the peer must be told. */
bool receive_window_update_due(const struct tcp *t, const struct connection *c);

/* Linux's account (config.receive_overhead): what a segment's buffers take. */
uint32_t receive_overhead(uint32_t length);
/* Whether more than half of the buffer is taken. */
bool receive_window_half_full(const struct tcp *t, const struct connection *c);

#endif
