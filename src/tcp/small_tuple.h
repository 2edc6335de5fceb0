/* A 4-tuple at the end of a small record: 12 bytes for IPv4, 36 for IPv6. Records that come in two size classes end
 * with a flexible array of bytes that holds one of them. */
#ifndef TCP_SMALL_TUPLE_H
#define TCP_SMALL_TUPLE_H

#include "tcp/demux.h"

#define SMALL_TUPLE_IPV4 12u
#define SMALL_TUPLE_IPV6 36u

static inline uint32_t small_tuple_bytes(bool ipv6) {
    return ipv6 ? SMALL_TUPLE_IPV6 : SMALL_TUPLE_IPV4;
}

static inline void small_tuple_put(uint8_t *to, bool ipv6, const struct tuple *tuple) {
    if (ipv6) {
        memcpy(to, tuple, SMALL_TUPLE_IPV6);
        return;
    }
    memcpy(to, tuple->local.byte + 12, 4);
    memcpy(to + 4, tuple->remote.byte + 12, 4);
    memcpy(to + 8, &tuple->local_port, 2);
    memcpy(to + 10, &tuple->remote_port, 2);
}

static inline struct tuple small_tuple_get(const uint8_t *from, bool ipv6) {
    struct tuple tuple;
    if (ipv6) {
        memcpy(&tuple, from, SMALL_TUPLE_IPV6);
        return tuple;
    }
    tuple.local = addr_ipv4_at(from);
    tuple.remote = addr_ipv4_at(from + 4);
    memcpy(&tuple.local_port, from + 8, 2);
    memcpy(&tuple.remote_port, from + 10, 2);
    return tuple;
}

#endif
