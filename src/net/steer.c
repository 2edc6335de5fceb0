/* From a frame's bytes to the stack that it belongs to: beckon/steer.h says to which.
 *
 * Only where things stand is looked at, and no more than that: whatever is wrong with a packet, the stack that gets it finds out. link/steer_program.c has
 * the same steps, for the kernel to make, and a test holds both against each other; so each step is one that a program without loops can make.
 */
#include "net/steer.h"

#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"

/* The frame, with what of it may be looked at. */
struct steer_view {
    const struct bk_steer_table *table;
    const uint8_t *bytes;
    size_t length;
};

/* Bytes [at, at + n), or NULL if they are not all there. */
static const uint8_t *view(const struct steer_view *v, size_t at, size_t n) {
    return at + n <= v->length ? v->bytes + at : NULL;
}

static uint32_t input(const struct steer_view *v, uint32_t at, const uint8_t *bytes, uint32_t n) {
    uint32_t bucket = 0;
    for (uint32_t i = 0; i < n; i++) bucket ^= v->table->bucket[at + i][bytes[i]];
    return bucket;
}

/* Adds the ports of a packet to us at `at`, or of one from us (`sent`), whose destination is the remote side. */
static uint32_t with_ports(const struct steer_view *v, size_t at, uint32_t place, uint32_t bucket, bool sent) {
    const uint8_t *ports = view(v, at, 4);
    if (ports == NULL) return 0;
    bucket ^= input(v, sent ? place + 2 : place, ports, 2) ^ input(v, sent ? place : place + 2, ports + 2, 2);
    return bucket % v->table->stacks;
}

static bool has_ports(uint8_t protocol) {
    return protocol == WIRE_TCP || protocol == WIRE_UDP;
}

/* ---- IPv4 ---- */

static uint32_t quoted_ipv4(const struct steer_view *v, size_t at) {
    const uint8_t *ip = view(v, at, WIRE_IPV4_LENGTH);
    if (ip == NULL || ip[0] >> 4 != 4 || (ip[0] & 15) < 5 || (get_be16(ip + 6) & 0x1fff) != 0 || !has_ports(ip[9]))
        return 0;
    uint32_t bucket = input(v, 0, ip + 16, 4) ^ input(v, 4, ip + 12, 4);
    return with_ports(v, at + (ip[0] & 15) * 4u, STEER_PORTS_IPV4, bucket, true);
}

static uint32_t steer_ipv4(const struct steer_view *v, size_t at) {
    const uint8_t *ip = view(v, at, WIRE_IPV4_LENGTH), *icmp;
    if (ip == NULL || ip[0] >> 4 != 4 || (ip[0] & 15) < 5) return 0;
    if ((get_be16(ip + 6) & 0x3fff) != 0) return BK_STEER_FRAGMENT;
    at += (ip[0] & 15) * 4u;
    if (has_ports(ip[9])) return with_ports(v, at, STEER_PORTS_IPV4, input(v, 0, ip + 12, 8), false);
    if (ip[9] != WIRE_ICMP || (icmp = view(v, at, 1)) == NULL) return 0;
    if (icmp[0] == WIRE_ICMP_UNREACHABLE || icmp[0] == WIRE_ICMP_TIME_EXCEEDED ||
        icmp[0] == WIRE_ICMP_PARAMETER_PROBLEM)
        return quoted_ipv4(v, at + WIRE_ICMP_LENGTH);
    return 0;
}

/* ---- IPv6 ---- */

static uint32_t quoted_ipv6(const struct steer_view *v, size_t at) {
    const uint8_t *ip = view(v, at, WIRE_IPV6_LENGTH);
    if (ip == NULL || ip[0] >> 4 != 6 || !has_ports(ip[6])) return 0;
    uint32_t bucket = input(v, 0, ip + 24, 16) ^ input(v, 16, ip + 8, 16);
    return with_ports(v, at + WIRE_IPV6_LENGTH, STEER_PORTS_IPV6, bucket, true);
}

static uint32_t steer_icmpv6(const struct steer_view *v, const uint8_t *ip, size_t at) {
    static const uint8_t nobody[16];
    const uint8_t *icmp = view(v, at, 1);
    if (icmp == NULL) return 0;
    switch (icmp[0]) {
    case WIRE_ICMPV6_UNREACHABLE:
    case WIRE_ICMPV6_TOO_BIG:
    case WIRE_ICMPV6_TIME_EXCEEDED:
    case WIRE_ICMPV6_PARAMETER_PROBLEM:
        return quoted_ipv6(v, at + WIRE_ICMP_LENGTH);
    case WIRE_ICMPV6_ROUTER_ADVERTISEMENT:
    case WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT:
        return BK_STEER_ALL;
    case WIRE_ICMPV6_NEIGHBOR_SOLICITATION: /* from nobody: somebody would like an address, which may be ours to be */
        return memcmp(ip + 8, nobody, sizeof nobody) == 0 ? BK_STEER_ALL : 0;
    default:
        return 0;
    }
}

/* Goes past one extension header. Returns its length, 0 if it is not there, or BK_STEER_FRAGMENT. */
static uint32_t steer_extension(const struct steer_view *v, size_t at, uint8_t *next) {
    const uint8_t *header = view(v, at, 8);
    if (header == NULL) return 0;
    bool fragment = *next == WIRE_FRAGMENT;
    if (fragment && (get_be16(header + 2) & 0xfff9) != 0) return BK_STEER_FRAGMENT;
    *next = header[0];
    return fragment ? 8 : (header[1] + 1u) * 8;
}

static uint32_t steer_ipv6(const struct steer_view *v, size_t at) {
    const uint8_t *ip = view(v, at, WIRE_IPV6_LENGTH);
    if (ip == NULL || ip[0] >> 4 != 6) return 0;
    uint8_t next = ip[6];
    size_t first = at += WIRE_IPV6_LENGTH;
    for (uint32_t i = 0; i < STEER_EXTENSIONS; i++) {
        if (next != WIRE_HOP_BY_HOP && next != WIRE_ROUTING && next != WIRE_DESTINATION && next != WIRE_FRAGMENT) break;
        uint32_t length = steer_extension(v, at, &next);
        if (length == 0 || length == BK_STEER_FRAGMENT) return length;
        at += length;
        if (at - first > STEER_CHAIN) return 0;
    }
    if (has_ports(next)) return with_ports(v, at, STEER_PORTS_IPV6, input(v, 0, ip + 8, 32), false);
    return next == WIRE_ICMPV6 ? steer_icmpv6(v, ip, at) : 0;
}

/* ---- links ---- */

/* Answers and announcements tell something to all, questions ask one of us. */
static uint32_t steer_arp(const struct steer_view *v, size_t at) {
    const uint8_t *arp = view(v, at, WIRE_ARP_LENGTH);
    if (arp == NULL) return 0;
    bool announces = memcmp(arp + 14, arp + 24, 4) == 0;
    return get_be16(arp + 6) == WIRE_ARP_REPLY || announces ? BK_STEER_ALL : 0;
}

uint32_t bk_steer_frame(const struct bk_steer_table *table, enum bk_layer layer, const void *frame, size_t length) {
    const struct steer_view v = {table, frame, length < BK_STEER_LOOK ? length : BK_STEER_LOOK};
    if (layer == BK_LAYER_IP) {
        if (length == 0) return 0;
        return v.bytes[0] >> 4 == 6 ? steer_ipv6(&v, 0) : steer_ipv4(&v, 0);
    }
    if (length < WIRE_ETHERNET_LENGTH) return 0;
    switch (get_be16(v.bytes + 12)) {
    case WIRE_ETHERTYPE_IPV4:
        return steer_ipv4(&v, WIRE_ETHERNET_LENGTH);
    case WIRE_ETHERTYPE_IPV6:
        return steer_ipv6(&v, WIRE_ETHERNET_LENGTH);
    case WIRE_ETHERTYPE_ARP:
        return steer_arp(&v, WIRE_ETHERNET_LENGTH);
    default:
        return 0;
    }
}
