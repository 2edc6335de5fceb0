/* HyStart++ (RFC 9406): the first slow start of a connection ends when delay tells that a queue builds up, before it overflows.
 *
 * A round is the time in which what was outstanding at its beginning is acknowledged. If the least RTT of a round is clearly above that
 * of the round before, conservative slow start (CSS) begins: the window grows a quarter as fast, for five rounds at most. If delay
 * falls again meanwhile it was jitter, and slow start goes on; otherwise congestion avoidance begins where the window is then.
 *
 * The RFC's test comes late where the queue holds about as much as the path: a round's least RTT is that of its first segments, which found the
 * queue empty, and the round that sees it grow doubles the window once more. So the same increase is also foreseen, from the train of ACKs that is
 * arriving. Where RTTs rise along a train, the bottleneck has spread it, and the pace of its ACKs is the bottleneck's; what is in flight, at that pace,
 * is the RTT to come. If this is as far above the last round's as the RFC asks for, CSS begins. It was a mistake, and slow start goes on, if two rounds
 * later half of the increase is not there. Neither pacing nor a user who writes slowly looks like that: what left at some pace and arrives at it was not
 * spread. This is our own; it only makes growth slower, and RFC 5681 3.1 says how much it may be at most.
 *
 * Only slow starts of arbitrarily high ssthresh are watched (4.3); later ones have a bound of their own.
 */
#ifndef TCP_HYSTART_H
#define TCP_HYSTART_H

#include "base/common.h"

struct connection;
struct congestion_sample;

/* RTTs in microseconds; 0: none yet. */
struct hystart {
    uint64_t train_at, heard_at;  /* when the first and the last ACK of the train came */
    uint32_t train_acked;         /* bytes that it acknowledged after the first */
    uint32_t train_rtt;           /* of its first ACK */
    uint32_t train_pause;         /* the longest time between two of its ACKs, us */
    uint32_t window_end;          /* the round ends when this is acknowledged */
    uint32_t last_rtt, round_rtt; /* least of the last and of the current round */
    uint32_t baseline_rtt;        /* cssBaselineMinRtt; 0: not in CSS */
    uint8_t samples;              /* of the current round, counted up to what is needed */
    uint8_t train_acks;           /* after the first, likewise */
    uint8_t css_rounds;           /* that have begun in CSS */
    bool foreseen;                /* CSS began before the RTT told */
};

/* An ACK in slow start. Returns by how much the window may grow; ssthresh is set to cwnd when slow start is over. */
uint32_t hystart_acked(struct hystart *h, struct connection *c, const struct congestion_sample *s);

#endif
