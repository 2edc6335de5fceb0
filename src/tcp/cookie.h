/* SYN cookies (RFC 4987 3.6): a SYN is answered and nothing is kept; what a request would have held comes back with the peer's ACK.
 *
 * The sequence number of the SYN-ACK is the cookie:
 *
 *     | 5 bits: a counter of 64 s | 3 bits: the peer's MSS, of a table | 24 bits: MAC |
 *
 * What has no room there goes into the low bits of the SYN-ACK's timestamp, if the peer's SYN brought one, for the peer echoes it:
 *
 *     | ... our clock, in steps of 64 ms | 1 bit: ECN | 1 bit: SACK-permitted | 4 bits: window scale, 15: none |
 *
 * The clock is put back, never ahead, so that it rises from there (RFC 7323 5.3). Without timestamps a cookie remembers the MSS and
 * nothing else. The MAC covers the segment, the counter, the MSS and these options, so an echo that was changed is no cookie of ours.
 */
#ifndef TCP_COOKIE_H
#define TCP_COOKIE_H

#include "tcp/request.h"

/* Answers a SYN with a cookie. Returns the SYN's reason. */
uint16_t cookie_answer(struct tcp *t, const struct listener *l, const struct segment *s);
/* Whether the segment acknowledges a cookie that is ours and recent; then *r is what a request would have known, but for its listener. */
bool cookie_check(const struct tcp *t, const struct listener *l, const struct segment *s, struct request *r);

#endif
