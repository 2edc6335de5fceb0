/* What our SYNs and segments say in their options, and the constants behind it. */
#ifndef TCP_OPTIONS_H
#define TCP_OPTIONS_H

#include "tcp/connection.h"

/* Our timestamp clock: milliseconds of stack time, from an offset of the tuple's own (RFC 7323 5.4, 7.1). */
static inline uint32_t timestamp_now(const struct tcp *t, uint32_t offset) {
    return (uint32_t)(t->base.now / NS_PER_MS) + offset;
}

#define WINDOW_SCALE_MAX 14u /* a larger one counts as this (RFC 7323 2.3) */

/* The window scale that we offer: the least that lets the window field express a buffer of `bytes` (RFC 7323 2.2). */
static inline uint8_t window_scale_for(uint32_t bytes) {
    if (bytes <= UINT16_MAX) return 0;
    return (uint8_t)u32_min(u32_highest_bit(bytes) - 15, WINDOW_SCALE_MAX);
}

/* IP and TCP header of a segment, without options. */
static inline uint32_t segment_headers(bool ipv6) {
    return (ipv6 ? 40u : 20u) + WIRE_TCP_LENGTH;
}

/* The MSS we offer for a path: what fits its MTU (RFC 9293 3.7.1, RFC 6691), or less if the user's `limit` is not 0. */
static inline uint16_t mss_offer(uint32_t mtu, bool ipv6, uint32_t limit) {
    uint32_t mss = mtu - segment_headers(ipv6);
    return (uint16_t)(limit != 0 ? u32_min(mss, limit) : mss);
}

/* The MSS of a peer that did not say (RFC 9293 3.7.1). */
static inline uint32_t mss_default(bool ipv6) {
    return ipv6 ? 1220 : 536;
}

#endif
