/* Loss recovery: what an ACK, or a timer, says about what was sent, and what follows for the congestion window.
 *
 *     OPEN       nothing is out of the ordinary
 *     DISORDER   something arrived out of order, or duplicate ACKs say so: perhaps a loss, perhaps not. New data goes on being sent, a
 *                segment for each that has left the network (limited transmit, RFC 3042)
 *     CWR        the network said that it is congested (ECN), or a loss was repaired by a tail loss probe: cwnd shrinks, nothing is lost
 *     FAST       something is lost: it is sent again, and cwnd shrinks (fast recovery)
 *     LOSS       the retransmission timer fired
 *
 * An episode (CWR, FAST, LOSS) lasts until everything that was outstanding when it began (`recover`) is acknowledged. What is lost is said by
 *
 *     with SACK       RACK (rack.h). Three duplicate ACKs mean the same to it: DupThresh segments SACKed make its window for reordering nothing
 *     without         the third duplicate ACK names the segment at SND.UNA, each partial ACK the next (RFC 6582)
 *     a timeout       all that left long enough ago (rack_timeout)
 *
 * How much may be in flight: cwnd, which in CWR and FAST is set for each ACK by PRR (prr.h), and after a timeout grows from one segment.
 * An episode that proves to have been for nothing is undone (undo.h); whether a timeout was, F-RTO finds out (frto.h). Losses at the end of what
 * was sent, that no later segment can show, are provoked to show themselves (tail_probe.h).
 *
 * A controller that owns the window (congestion.h) keeps it; then only marking and repeating is done here.
 */
#ifndef TCP_RECOVERY_H
#define TCP_RECOVERY_H

#include "base/common.h"
#include "tcp/prr.h"

struct tcp;
struct connection;
struct ack_news;

/* In the order in which tcp_info's ca_state has them. */
enum recovery_state { RECOVERY_OPEN, RECOVERY_DISORDER, RECOVERY_CWR, RECOVERY_FAST, RECOVERY_LOSS };

#define RESENT_SPANS_MAX 4u

/* In struct active. */
struct recovery {
    struct prr prr;
    uint32_t
        loss_edge; /* SND.NXT when DISORDER began: what limited transmit adds is no part of the flight (RFC 5681 3.2) */

    /* undo.h */
    uint32_t undo_una; /* SND.UNA when the episode began */
    /* What went again, each octet once, and no DSACK has answered; in no order, and none touches another. */
    struct {
        uint32_t left, right;
    } resent[RESENT_SPANS_MAX];
    uint32_t undo_tsval; /* our timestamp clock when the first of them left */
    uint32_t undo_cwnd, undo_ssthresh;

    /* tail_probe.h */
    uint32_t tail_end; /* TLP.end_seq */

    bool undo_on;    /* an episode that may be undone is under way */
    bool undo_sent;  /* something was sent again in it */
    bool tail_out;   /* a probe is on its way */
    bool tail_again; /* TLP.is_retrans: it was a retransmission */
    bool tail_now;   /* one is due */
    uint8_t frto;    /* enum frto_step */
    uint8_t spans;   /* of `resent` that are in use */
    bool
        vague; /* more went again than `resent` tells, or something twice: no DSACKs prove anything about the episode */
    uint8_t pad[4];
    uint64_t reorder_due; /* RACK's timer, BK_NEVER if it does not wait */
};

/* An ACK has been marked on the scoreboard, and SND.UNA moved. */
void recovery_acked(struct ack_news *n);
/* RACK's reordering timer fired. */
void recovery_reorder_timeout(struct tcp *t, struct connection *c);
/* The retransmission timer fired. */
void recovery_timeout(struct tcp *t, struct connection *c);
/* All that is outstanding goes again, which is no sign of congestion: the path takes smaller segments only (RFC 1191 6.4), or what a window probe
 * carried may be taken now. */
void recovery_repeat(struct tcp *t, struct connection *c, uint16_t reason);

/* ---- for its parts --------------------------------------------------------------------------------- */

/* An episode of reduction begins: ssthresh is new, `recover` is set, PRR takes over cwnd. `flight`: RecoverFS, bytes in flight before the ACK that tells. */
void recovery_reduce(struct tcp *t, struct connection *c, uint32_t flight, enum recovery_state state);
/* What is in flight of record `id` is lost: the scoreboard, the delivery rate and the controller are told. */
void recovery_lose(struct tcp *t, struct connection *c, uint32_t id);
/* The episode is over: cwnd is ssthresh, unless it was undone. */
void recovery_end(struct tcp *t, struct connection *c);
/* OPEN, or DISORDER if something is still missing. */
void recovery_settle(struct tcp *t, struct connection *c);

#endif
