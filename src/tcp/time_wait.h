/* TIME-WAIT: what is left of a connection that closed first, for 2 MSL (RFC 9293 3.4.2, 3.6.1).
 *
 * One MSL for our last ACK to arrive or die, one for the FIN that the peer then repeats. 64 bytes for IPv4, 96 for
 * IPv6. All records wait equally long, so one list in the order of entry is in the order of expiry; a FIN that comes
 * again puts its record at the end. When the pool is full the oldest record goes, which is counted.
 * An acceptable SYN ends the wait (RFC 6191, RFC 1122 4.2.2.13), a RST does not (RFC 1337). So does an active open of our own with the
 * same 4-tuple, which may send such a SYN: a second after the record was made our timestamp is beyond all that the peer has seen, and the
 * sequence number is chosen beyond, too.
 */
#ifndef TCP_TIME_WAIT_H
#define TCP_TIME_WAIT_H

#include "tcp/segment.h"
#include "tcp/small_tuple.h"

struct connection;

#define TIME_WAIT_REUSE_NS NS_PER_S /* one tick of the slowest timestamp clock there is (RFC 7323 5.4) */

struct time_wait {
    struct link link; /* in time_wait_fifo[family] */
    uint64_t expires;
    uint32_t hash;
    uint32_t snd_nxt, rcv_nxt;
    uint32_t ts_recent, ts_offset;
    uint32_t ts_recent_s; /* when ts_recent was set, seconds */
    uint32_t answered_ms; /* low bits of the time before which no further challenge is answered */
    uint16_t window;      /* the window field of our last ACK */
    uint8_t iface;
    uint8_t receive_scale;
    bool timestamps : 1, answered : 1;
    uint8_t traffic_class, hop_limit; /* the connection's, for its ACKs */
    uint8_t tuple[];                  /* small_tuple.h */
};
_Static_assert(offsetof(struct time_wait, tuple) + SMALL_TUPLE_IPV4 <= 64, "a TIME-WAIT record over IPv4");
_Static_assert(offsetof(struct time_wait, tuple) + SMALL_TUPLE_IPV6 <= 96, "a TIME-WAIT record over IPv6");

static inline struct time_wait *time_wait_at(const struct tcp *t, bool ipv6, uint32_t id) {
    return pool_at(&t->base, &t->time_waits[ipv6], id);
}
static inline struct tuple time_wait_tuple(const struct tcp *t, bool ipv6, uint32_t id) {
    return small_tuple_get(time_wait_at(t, ipv6, id)->tuple, ipv6);
}
static inline uint32_t time_wait_size(bool ipv6) {
    return (uint32_t)(offsetof(struct time_wait, tuple) + small_tuple_bytes(ipv6) + 7) & ~7u;
}

/* Moves a connection into TIME-WAIT: its place in the connection table goes to a new record. The connection's own record is freed
 * unless a user holds it, who then hears CLOSED, and `news` besides. The ACK of the peer's FIN is sent from here. */
void time_wait_enter(struct tcp *t, struct connection *c, uint16_t reason, uint8_t news);
/* The user who still holds the connection aborts it: the record goes (RFC 9293 3.10.5). */
void time_wait_abort(struct tcp *t, const struct connection *c);
/* From when on an active open may take the 4-tuple of the record named by `ref`: BK_NEVER if it is no TIME-WAIT, or not one of those
 * (config.time_wait_reuse). Until the record goes, or that setting changes, it only becomes later. */
uint64_t time_wait_reusable_from(const struct tcp *t, demux_ref ref);
static inline bool time_wait_may_reuse(const struct tcp *t, demux_ref ref) {
    return time_wait_reusable_from(t, ref) <= t->base.now;
}
/* The record's place in the table went to `c`, an active open that has sent nothing yet: the record goes, and `c` begins beyond it. */
void time_wait_take_over(struct tcp *t, demux_ref ref, struct connection *c);
/* A segment for a TIME-WAIT. Returns its reason. */
uint16_t time_wait_input(struct tcp *t, bool ipv6, uint32_t id, const struct segment *s);
uint64_t time_wait_next_deadline(const struct tcp *t);
void time_wait_advance(struct tcp *t);

#endif
