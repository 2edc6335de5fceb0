/* Requests: passive opens in SYN-RECEIVED.
 *
 * A SYN to a listener makes a request, not a connection: 64 bytes for IPv4, 96 for IPv6, so that a flood of SYNs costs
 * little and pushes out nothing. The ACK of our SYN-ACK turns it into a connection. Requests stand in lists by the
 * time that they wait, which doubles with each SYN-ACK up to what their listener allows: all in one list wait equally long, so
 * each list is in the order of its deadlines and no timer is needed. When no record is free, or always if so configured, a SYN cookie answers (cookie.h).
 */
#ifndef TCP_REQUEST_H
#define TCP_REQUEST_H

#include "tcp/segment.h"
#include "tcp/small_tuple.h"

struct listener;

struct request {
    struct link link; /* in request_fifo[family][level] */
    uint64_t due;     /* when the SYN-ACK goes again, or the request is dropped */
    uint32_t listener, listener_generation;
    uint32_t hash;
    uint32_t iss, irs;
    uint32_t ts_recent, ts_offset;
    uint16_t mss;      /* the peer's option, 0 if absent */
    uint8_t sent : 4;  /* times for a SYN-ACK that have begun, at least 1 */
    uint8_t level : 4; /* the time it waits now is rto_initial_ms, doubled so often */
    uint8_t iface;
    uint8_t send_scale : 4;
    uint8_t receive_scale : 4; /* that our SYN-ACK offers */
    bool scaling : 1, timestamps : 1, sack : 1, ecn : 1;
    uint8_t acked : 4;    /* `sent` when the ACK came that was not enough (BK_TCP_DEFER_ACCEPT); 0: none has */
    uint16_t quiet_until; /* until then nothing unacceptable is answered: low bits of the time in ms */
    uint8_t tuple[];      /* small_tuple.h */
};
_Static_assert(offsetof(struct request, tuple) + SMALL_TUPLE_IPV4 <= 64, "a request over IPv4");
_Static_assert(offsetof(struct request, tuple) + SMALL_TUPLE_IPV6 <= 96, "a request over IPv6");

static inline struct request *request_at(const struct tcp *t, bool ipv6, uint32_t id) {
    return pool_at(&t->base, &t->requests[ipv6], id);
}
/* Timeouts that it had before it was acknowledged. */
static inline uint32_t request_timeouts(const struct request *r) {
    return (r->acked != 0 ? r->acked : r->sent) - 1u;
}
static inline struct tuple request_tuple(const struct tcp *t, bool ipv6, uint32_t id) {
    return small_tuple_get(request_at(t, ipv6, id)->tuple, ipv6);
}
/* For how many milliseconds the request stays quiet; 0: it may answer. Sixteen bits tell 65 s, and request_list sets
 * the time anew each time that the SYN-ACK goes again: should a wait be longer, an answer may fail, once. */
static inline uint32_t request_quiet(const struct tcp *t, const struct request *r, uint64_t now) {
    uint16_t left = (uint16_t)(r->quiet_until - now / NS_PER_MS);
    return left <= t->base.config.challenge_ack_ms ? left : 0;
}
static inline uint32_t request_size(bool ipv6) {
    return (uint32_t)(offsetof(struct request, tuple) + small_tuple_bytes(ipv6) + 7) & ~7u;
}

/* The MSS that our SYN-ACK offers. */
uint16_t request_mss(const struct tcp *t, const struct listener *l, const struct tuple *tuple, uint8_t iface);
/* RCV.WND of a request whose SYN-ACK offers this MSS: what a SYN can say. */
uint32_t request_window(const struct tcp *t, const struct listener *l, uint32_t mss);
/* Makes a request from an acceptable SYN and answers it. Returns the SYN's reason. */
uint16_t request_open(struct tcp *t, const struct listener *l, const struct segment *s, const uint32_t *above);
/* A segment for a request. Returns its reason. */
uint16_t request_input(struct tcp *t, bool ipv6, uint32_t id, const struct segment *s);
/* An ACK to a listener that may carry a cookie: sets *reason and returns true if it did. */
bool request_cookie_input(struct tcp *t, const struct listener *l, const struct segment *s, uint16_t *reason);
uint64_t request_next_deadline(const struct tcp *t);
void request_advance(struct tcp *t);
/* Forgets all requests of a listener. */
void request_drop_all(struct tcp *t, const struct listener *l);

#endif
