/* HyStart++ (RFC 9406): the first slow start of a connection ends when delay tells that a queue builds up, before it overflows.
 *
 * A round is the time in which what was outstanding at its beginning is acknowledged. If the least RTT of a round is clearly above that
 * of the round before, conservative slow start (CSS) begins: the window grows a quarter as fast, for five rounds at most. If delay
 * falls again meanwhile it was jitter, and slow start goes on; otherwise congestion avoidance begins where the window is then.
 *
 * Only slow starts of arbitrarily high ssthresh are watched (4.3); later ones have a bound of their own.
 */
#ifndef TCP_HYSTART_H
#define TCP_HYSTART_H

#include "base/common.h"

struct connection;

/* RTTs in microseconds; 0: none yet. */
struct hystart {
    uint32_t window_end;          /* the round ends when this is acknowledged */
    uint32_t last_rtt, round_rtt; /* least of the last and of the current round */
    uint32_t baseline_rtt;        /* cssBaselineMinRtt; 0: not in CSS */
    uint8_t samples;              /* of the current round, counted up to what is needed */
    uint8_t css_rounds;           /* that have begun in CSS */
    uint8_t pad[2];
};

/* An ACK of `acked` bytes, with a sample of the RTT or 0, in slow start. Returns by how much the window may grow; ssthresh is set to
 * cwnd when slow start is over. */
uint32_t hystart_acked(struct hystart *h, struct connection *c, uint32_t acked, uint32_t rtt_us);

#endif
