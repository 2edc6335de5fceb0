/* The pace: what one connection as the wire shows it may not do beyond what the watch (watch.h) looks at, for simulations alone.
 *
 *   - before anything came in answer to data, no more than an initial window of it is sent (RFC 6928), and a segment by a tail loss probe
 *     (RFC 8985 7.3), and two by limited transmit (RFC 3042);
 *   - after a retransmission timeout one segment's worth is sent, until something arrives (RFC 5681 3.1): what was sent again, or new
 *     data where RACK takes what left last to be still under way (RFC 8985 6.3);
 *   - no segment is accepted whose timestamp is older than what its taker has seen (PAWS, RFC 7323 5.3).
 *
 * A record without pointers, beside the watch of the same connection: numbers are the watch's.
 */
#ifndef LAB_PACE_H
#define LAB_PACE_H

#include "lab/watch.h"

struct pace_end {
    uint64_t sent_at; /* when it sent data last */
    uint32_t since;   /* octets sent since the last retransmission timeout, its own retransmission first */
    uint32_t recent;  /* TS.Recent is this at least */
    uint16_t mss;     /* that its SYN told; 0: none */
    bool answered;    /* something came since it sent data: its congestion window may have grown */
    bool idle;        /* nothing came since it sent data last */
    bool timed_out;   /* nothing came since its retransmission timeout */
    bool has_recent;  /* recent is known */
    bool probed;      /* it has sent a tail loss probe */
    bool limited;     /* and by limited transmit */
};

struct pace {
    struct pace_end end[2];
};

/* An empty record, with an empty watch. */
void pace_init(struct pace *p);
/* End `from` has sent a segment, which the watch has seen and allowed. `punctual`: its device sends at once what it is given, so that one
 * burst is one instant. Returns whether it was allowed to. */
bool pace_sent(struct pace *p, const struct watch *w, unsigned from, const struct wire_tcp *segment, uint32_t length,
               uint16_t reason, uint64_t now, bool punctual, struct fault *fault);
/* A segment of the other end's has reached end `to`. */
void pace_arrived(struct pace *p, const struct watch *w, unsigned to, const struct wire_tcp *segment);
/* End `to` has accepted it. Returns whether it was allowed to. */
bool pace_accepted(struct pace *p, const struct watch *w, unsigned to, const struct wire_tcp *segment,
                   struct fault *fault);

#endif
