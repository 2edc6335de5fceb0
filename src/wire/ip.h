/* IPv4 (RFC 791) and IPv6 (RFC 8200) headers. See ethernet.h for the contract of parse and emit. */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include "base/checksum.h"
#include "beckon/trace.h"

#define WIRE_IPV4_LENGTH 20u /* without options, which we never send */
#define WIRE_IPV6_LENGTH 40u

enum wire_protocol {
    WIRE_HOP_BY_HOP = 0,
    WIRE_ICMP = 1,
    WIRE_TCP = 6,
    WIRE_UDP = 17,
    WIRE_ROUTING = 43,
    WIRE_FRAGMENT = 44,
    WIRE_ICMPV6 = 58,
    WIRE_NO_NEXT = 59,
    WIRE_DESTINATION = 60,
};

enum wire_ipv4_fragment {
    WIRE_IPV4_DONT_FRAGMENT = 0x4000,
    WIRE_IPV4_MORE_FRAGMENTS = 0x2000,
    WIRE_IPV4_OFFSET = 0x1fff
};

struct wire_ipv4 {
    uint16_t header_length; /* 20 to 60, with options */
    uint16_t total_length;  /* at least header_length, at most the bytes there */
    uint16_t id;
    uint16_t fragment_offset; /* bytes */
    bool dont_fragment, more_fragments;
    uint8_t traffic_class; /* DSCP and ECN */
    uint8_t ttl;
    uint8_t protocol;
    bk_addr src, dst;
};
/* Checks version, lengths, header checksum and that options are well-formed (they are skipped). Trailing bytes
 * past total_length are padding. p must hold the whole header; n may count more bytes than p holds, when `held`
 * (at least 60, or n) says how many are there. */
uint16_t wire_ipv4_parse(const uint8_t *p, size_t held, size_t n, struct wire_ipv4 *out);
/* Writes 20 bytes, checksum included, whose sum is that of the values: the bytes have only just been written. */
static inline size_t wire_ipv4_emit(uint8_t *p, const struct wire_ipv4 *h) {
    unsigned fragment = h->fragment_offset / 8u;
    if (h->dont_fragment) fragment |= WIRE_IPV4_DONT_FRAGMENT;
    if (h->more_fragments) fragment |= WIRE_IPV4_MORE_FRAGMENTS;
    uint32_t length = (4u << 4 | WIRE_IPV4_LENGTH / 4) << 24 | (uint32_t)h->traffic_class << 16 | h->total_length;
    uint32_t ttl = (uint32_t)h->ttl << 8 | h->protocol, id = (uint32_t)h->id << 16 | fragment;
    uint64_t sum = (uint64_t)length + id + ttl + get_be32(h->src.byte + 12) + get_be32(h->dst.byte + 12);
    put_be32(p, length);
    put_be32(p + 4, id);
    put_be32(p + 8, ttl << 16 | checksum_finish(sum));
    memcpy(p + 12, h->src.byte + 12, 4);
    memcpy(p + 16, h->dst.byte + 12, 4);
    return WIRE_IPV4_LENGTH;
}

struct wire_ipv6 {
    uint8_t traffic_class;
    uint32_t flow_label;
    uint16_t payload_length; /* at most the bytes there */
    uint8_t next_header;
    uint8_t hop_limit;
    bk_addr src, dst;
};
uint16_t wire_ipv6_parse(const uint8_t *p, size_t n, struct wire_ipv6 *out);
static inline size_t wire_ipv6_emit(uint8_t *p, const struct wire_ipv6 *h) {
    put_be32(p, UINT32_C(6) << 28 | (uint32_t)h->traffic_class << 20 | (h->flow_label & 0xfffff));
    put_be16(p + 4, h->payload_length);
    p[6] = h->next_header;
    p[7] = h->hop_limit;
    memcpy(p + 8, h->src.byte, sizeof h->src.byte);
    memcpy(p + 24, h->dst.byte, sizeof h->dst.byte);
    return WIRE_IPV6_LENGTH;
}

/* What stands between the IPv6 header and the transport's. */
struct wire_ipv6_chain {
    uint8_t protocol; /* the first header that is no extension; WIRE_FRAGMENT ends the walk too, if not atomic */
    uint16_t length;  /* bytes of extension headers walked over, the fragment header included */
    bool fragment;    /* a fragment header that is not atomic (RFC 6946) was met; the next fields count then */
    bool more_fragments;
    uint16_t fragment_offset; /* bytes */
    uint32_t fragment_id;
    uint8_t fragment_next;     /* next header after the fragment header */
    uint16_t fragment_next_at; /* where the byte that named the fragment header stands: offset from p, or UINT16_MAX
                                * when it is the IPv6 header's own */
    bool parameter_problem;    /* with a non-NONE return: answer with ICMPv6 parameter problem... */
    uint8_t problem_code;      /* ...of this code (RFC 4443 3.4)... */
    uint16_t problem_at;       /* ...pointing at this offset from p */
};
/* Walks the extension headers in p[0..n), of which the first is of type `next`. Hop-by-hop only in first place; unknown options
 * are heeded by their action bits; routing headers with segments left are refused (RFC 5095); at most 8 headers. */
uint16_t wire_ipv6_chain_parse(const uint8_t *p, size_t n, uint8_t next, struct wire_ipv6_chain *out);

/* The classes of addresses that the layers ask about, in place: who asks about several tells the family once. */
static inline bool wire_addr_is_multicast(const bk_addr *a) { /* 224.0.0.0/4 or ff00::/8 */
    return addr_is_ipv4(a) ? a->byte[12] >> 4 == 0xe : a->byte[0] == 0xff;
}
static inline bool wire_addr_is_loopback(const bk_addr *a) { /* 127.0.0.0/8 or ::1 */
    static const bk_addr loopback = {{[15] = 1}};
    return addr_is_ipv4(a) ? a->byte[12] == 127 : addr_equal(a, &loopback);
}
static inline bool wire_addr_is_limited_broadcast(const bk_addr *a) { /* 255.255.255.255 */
    return addr_is_ipv4(a) && get_be32(a->byte + 12) == UINT32_MAX;
}
bool wire_addr_is_link_local(const bk_addr *a); /* 169.254.0.0/16 or fe80::/10 */
/* Whether the first `bits` of both are equal; an IPv4 prefix counts from its own first bit, and two families never match. */
bool wire_addr_prefix_equal(const bk_addr *a, const bk_addr *b, uint8_t bits);
/* ff02::1:ffXX:XXXX of an address (RFC 4291 2.7.1). */
bk_addr wire_addr_solicited_node(const bk_addr *a);
/* The Ethernet group address of an IP multicast address (RFC 1112 6.4, RFC 2464 7). */
void wire_addr_multicast_mac(const bk_addr *a, uint8_t mac[6]);
/* EUI-64 interface identifier from a MAC, under a 64-bit prefix (RFC 4291 appendix A). */
bk_addr wire_addr_from_mac(const bk_addr *prefix, const uint8_t mac[6]);

#endif
