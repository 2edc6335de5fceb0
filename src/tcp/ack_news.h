/* What one ACK tells: gathered while the scoreboard marks what it covers, read by RTT estimation, RACK, undo, F-RTO, PRR and the
 * congestion controller. Lives on the C stack. */
#ifndef TCP_ACK_NEWS_H
#define TCP_ACK_NEWS_H

#include "tcp/connection.h"

struct ack_news {
    struct tcp *t;
    struct connection *c;
    struct active *a;
    const struct wire_tcp_options *option;

    /* what was before it */
    uint32_t prior_una, prior_pipe;
    uint32_t prior_unsacked; /* bytes outstanding and not SACKed */
    uint8_t prior_state;     /* enum recovery_state */

    /* what it tells */
    bool advanced;          /* SND.UNA moved */
    bool duplicate;         /* it looks like an answer to what came out of order: RFC 5681 2's duplicate */
    bool sacked;            /* something is newly SACKed */
    bool dsack;             /* what the peer had already came again (RFC 2883) */
    bool dsack_tail;        /* that was our tail loss probe */
    bool original;          /* something that was sent only once, before `recover`, is newly delivered */
    bool resent_acked;      /* something that had been sent again is covered */
    bool resent_in_part;    /* of something that is on its way again only a part is acknowledged */
    bool resent_lost;       /* a retransmission was lost */
    bool mtu_probe_arrived; /* the segment that tries whether larger ones pass (mtu_search.h) */
    bool timeout_genuine;   /* F-RTO's new data arrived, and nothing of what was out before the timeout */
    bool ece;               /* the peer echoes congestion (RFC 3168) */
    uint32_t delivered;     /* bytes newly delivered */
    uint32_t dsack_segments, dsack_begin, dsack_end;
    uint32_t top;         /* the highest number that has arrived */
    uint32_t reorder_low; /* the lowest number newly delivered, of what was sent once, below what was SACKed before */
    bool reordered;
    /* When what was sent once, and is newly acknowledged or SACKed, had left: for RTT. 0: none. */
    uint64_t oldest_acked, oldest_sacked, newest;
    struct rate_sample rate;
};

/* A record, or a part of one in whole segments, that is newly acknowledged or SACKed. */
struct ack_piece {
    const struct sent_run *run;
    uint32_t from, to;
    uint32_t segments;
    bool by_sack;
};

/* Before anything is marked. */
void ack_news_begin(struct ack_news *n, struct tcp *t, struct connection *c, const struct wire_tcp_options *option);
/* The scoreboard's report of each piece. */
void ack_news_acked(struct ack_news *n, const struct ack_piece *piece);
/* The SACK option, on an ACK up to `ack`: DSACK (RFC 2883 4) is told apart, blocks that cannot be are ignored (RFC 2018 5). */
void ack_news_sack(struct ack_news *n, uint32_t ack);

#endif
