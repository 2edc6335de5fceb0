/* Pacing: when the next unit of new data may leave.
 *
 * A rate is kept with the congestion controller's state. BBR sets it from its model; for the others it is a multiple of cwnd / srtt
 * (bk_config.pacing_ss_ratio in slow start, pacing_ca_ratio after), if bk_config.pacing is on. A unit moves the time at which
 * the next may leave by what it takes at that rate. Who comes late may catch up by half a unit, no more: a long pause is no credit.
 * The first ten segments of a connection are not paced: the initial window is small enough to leave at once.
 *
 * A rate also decides how large units are (TSO auto-sizing), paced or not: about a millisecond of it, so that slow connections send small
 * bursts, and fast ones large units. Those that are not paced may be as large as the link takes where the RTT is a few hundred microseconds or
 * less, for a queue that short is soon empty. And a unit is half of cwnd at most: with two on their way the one's ACK lets the next leave while the other is
 * still travelling.
 */
#ifndef TCP_PACING_H
#define TCP_PACING_H

#include "base/common.h"

struct tcp;
struct connection;

/* In struct congestion. */
struct pacing {
    uint64_t rate;    /* bytes a second; 0: not paced */
    uint64_t next_at; /* the next unit may leave then */
    uint64_t unit;    /* how large a unit may be if it is not paced, bytes; 0: not known yet */
};

/* The earliest time at which new data may leave, in the past if now; 0 if nothing holds it. */
uint64_t pacing_due(const struct tcp *t, const struct connection *c);
/* `length` bytes left. */
void pacing_sent(struct tcp *t, struct connection *c, uint32_t length);
/* The largest unit, in bytes: whole segments, `most` at most. */
uint32_t pacing_unit(const struct tcp *t, const struct connection *c, uint32_t most);
/* cwnd or srtt changed, for the controllers without a rate of their own. */
void pacing_follow(struct tcp *t, struct connection *c);

#endif
