/* The watch: one connection as the wire between its two ends shows it, and what either end may not do there.
 *
 *   - nobody sends beyond the right edge of the windows that reached it, but for one octet of a window probe;
 *   - the right edge that an end offers never moves left (by less than one unit of the window scale it may: RFC 7323 2.4);
 *   - an ACK never goes back, and never acknowledges what the other end has not sent;
 *   - SACK blocks tell of octets that have arrived, beyond the ACK, apart from each other; only the first may tell of what came twice (RFC 2018 3,
 *     RFC 2883 4);
 *   - no gap in what is sent: SEG.SEQ is at most the highest number sent before;
 *   - what is sent twice is the same bytes (the caller's pattern shows that);
 *   - FIN has one sequence number, and nothing is sent beyond it.
 *
 * RST segments prove nothing about either and are not looked at. A SYN-ACK may change its ISS as long as the old one was not acknowledged
 * (SYN cookies, and requests that were forgotten); after that the watch ends, for that is what an old duplicate SYN, or a host that
 * lost its memory, brings about, and the caller judges it by what users are told. Both ends are watched by one record without pointers, so that it can be part of a
 * snapshot. The caller tells one incarnation's segments from another's and starts a new watch for each: with the SYN that opens it.
 */
#ifndef LAB_WATCH_H
#define LAB_WATCH_H

#include <stdint.h>

#include "lab/fault.h"
#include "wire/tcp.h"

struct watch_end {
    uint32_t iss;
    uint32_t snd_max; /* highest sequence number sent, plus one */
    uint32_t ack_max; /* highest acknowledgment sent */
    uint32_t offered; /* right edge of the windows sent, the furthest */
    uint32_t heard; /* right edge of the windows that arrived here, the furthest; until `began`, relative to SND.NXT */
    uint32_t fin;   /* FIN's number */
    uint32_t arrived;     /* highest number of the other end's that has arrived here, plus one */
    uint8_t scale;        /* of the windows that this end sends, if both SYNs carry the option */
    bool began : 1;       /* its SYN was sent: iss, snd_max are known */
    bool acked : 1;       /* it has acknowledged something: ack_max, offered are known */
    bool has_scale : 1;   /* its SYN carried the option */
    bool heard_any : 1;   /* heard is known */
    bool finished : 1;    /* fin is known */
    bool arrived_any : 1; /* arrived is known */
    uint8_t pad[2];
};

struct watch {
    struct watch_end end[2];
    bool ended; /* an end opened anew, with another ISS: what is seen from then on is nobody's any more */
    uint8_t pad[3];
};

/* An empty watch: nothing was sent yet. */
void watch_init(struct watch *w);
/* End `from` (0 or 1) has sent a segment; `reason` is why. Returns whether it was allowed to. */
bool watch_sent(struct watch *w, unsigned from, const struct wire_tcp *segment, uint32_t length, uint16_t reason,
                struct fault *fault);
/* A segment of the other end's, with `length` octets of text, has reached end `to`: it now knows that window. */
void watch_arrived(struct watch *w, unsigned to, const struct wire_tcp *segment, uint32_t length);

#endif
