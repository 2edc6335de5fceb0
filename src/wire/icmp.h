/* ICMP (RFC 792) and ICMPv6 (RFC 4443) messages, and neighbour discovery (RFC 4861). See ethernet.h for the
 * contract. Checksums are the caller's: they span the whole message, which may lie in several parts. */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include "base/common.h"
#include "beckon/trace.h"

#define WIRE_ICMP_LENGTH 8u /* type, code, checksum, and the four bytes that follow in every message */

enum wire_icmp_type {
    WIRE_ICMP_ECHO_REPLY = 0,
    WIRE_ICMP_UNREACHABLE = 3,
    WIRE_ICMP_SOURCE_QUENCH = 4,
    WIRE_ICMP_ECHO = 8,
    WIRE_ICMP_TIME_EXCEEDED = 11,
    WIRE_ICMP_PARAMETER_PROBLEM = 12,
};
enum wire_icmp_unreachable {
    WIRE_ICMP_NET = 0,
    WIRE_ICMP_HOST = 1,
    WIRE_ICMP_PROTOCOL = 2,
    WIRE_ICMP_PORT = 3,
    WIRE_ICMP_FRAGMENTATION_NEEDED = 4,
};
enum wire_icmpv6_type {
    WIRE_ICMPV6_UNREACHABLE = 1,
    WIRE_ICMPV6_TOO_BIG = 2,
    WIRE_ICMPV6_TIME_EXCEEDED = 3,
    WIRE_ICMPV6_PARAMETER_PROBLEM = 4,
    WIRE_ICMPV6_ECHO = 128,
    WIRE_ICMPV6_ECHO_REPLY = 129,
    WIRE_ICMPV6_MLD_QUERY = 130,
    WIRE_ICMPV6_MLD2_REPORT = 143,
    WIRE_ICMPV6_ROUTER_SOLICITATION = 133,
    WIRE_ICMPV6_ROUTER_ADVERTISEMENT = 134,
    WIRE_ICMPV6_NEIGHBOR_SOLICITATION = 135,
    WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT = 136,
};

struct wire_icmp {
    uint8_t type, code;
    uint32_t rest; /* the second word: id and sequence, MTU, pointer... */
};
/* Both families: the first 8 bytes have one shape. */
uint16_t wire_icmp_parse(const uint8_t *p, size_t n, struct wire_icmp *out);
/* Writes 8 bytes, with a zero checksum. */
size_t wire_icmp_emit(uint8_t *p, const struct wire_icmp *m);

/* A neighbour solicitation or advertisement (RFC 4861 4.3, 4.4), from the ICMPv6 header on. */
struct wire_neighbor {
    bk_addr target;
    bool router, solicited, override; /* advertisement */
    bool has_mac;                     /* source (NS) or target (NA) link-layer address option */
    uint8_t mac[6];
    bool has_nonce; /* RFC 7527 */
    uint8_t nonce[6];
};
/* p[0..n) is the whole ICMPv6 message. The length checks of RFC 4861 7.1 that need the message alone; hop limit 255 and
 * addresses are the caller's. Options of length 0 refuse the message, unknown ones are skipped. */
uint16_t wire_neighbor_parse(const uint8_t *p, size_t n, struct wire_neighbor *out);
/* Writes a whole solicitation or advertisement (by `type`), with zero checksum; at most 40 bytes. */
size_t wire_neighbor_emit(uint8_t *p, uint8_t type, const struct wire_neighbor *m);

#define WIRE_RA_PREFIXES 4u
struct wire_ra_prefix {
    bk_addr prefix;
    uint8_t length;
    bool on_link, autonomous;
    uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};
/* A router advertisement (RFC 4861 4.2). */
struct wire_ra {
    uint8_t hop_limit; /* 0: unspecified */
    uint16_t router_lifetime_s;
    uint32_t reachable_ms, retrans_ms; /* 0: unspecified */
    bool has_mac;
    uint8_t mac[6];
    uint32_t mtu; /* 0: none given */
    uint32_t prefix_count;
    struct wire_ra_prefix prefix[WIRE_RA_PREFIXES];
};
uint16_t wire_ra_parse(const uint8_t *p, size_t n, struct wire_ra *out);
/* Writes a router solicitation with our MAC (or without: all zero); at most 16 bytes. */
size_t wire_rs_emit(uint8_t *p, const uint8_t mac[6]);
/* Writes a router advertisement: for tests and the lab; at most 16 + 8 + 8 + 4 * 32 bytes. */
size_t wire_ra_emit(uint8_t *p, const struct wire_ra *m);

#endif
