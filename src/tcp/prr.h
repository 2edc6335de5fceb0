/* Proportional rate reduction: how fast cwnd shrinks while a loss is repaired (RFC 9937, RFC 6937).
 *
 * Each ACK in Recovery or CWR says how much of what is delivered may be replaced by new transmissions, so that at the end ssthresh is in flight,
 * with no pause and no burst on the way: in proportion to ssthresh / RecoverFS as long as more than ssthresh is in flight; then as much as
 * was delivered, and a segment more where the ACK shows that recovery goes well (RFC 9937 6.2). cwnd is what is in flight and that. Amounts are
 * bytes; SndCnt is rounded up to whole segments, which the RFC does not do, for less than a segment is not sent. */
#ifndef TCP_PRR_H
#define TCP_PRR_H

#include "base/common.h"

struct prr {
    uint32_t delivered; /* prr_delivered */
    uint32_t out;       /* prr_out */
    uint32_t flight;    /* RecoverFS */
};

void prr_begin(struct prr *p, uint32_t flight);
/* The congestion window after an ACK that delivered `delivered` bytes, with `in_flight` after it. `safe`: SND.UNA moved and nothing more was found
 * lost (SafeACK). */
uint32_t prr_window(struct prr *p, uint32_t delivered, uint32_t in_flight, uint32_t ssthresh, uint32_t mss, bool safe);
static inline void prr_sent(struct prr *p, uint32_t bytes) {
    p->out += bytes;
}

#endif
