/* From an arriving frame to the transport: link header, IP header, extension headers, fragments, checksums.
 *
 * Each layer checks what it needs in order not to be fooled, in the order of the bytes, and the first thing that is wrong
 * is the frame's reason. Of addresses: a frame must be to our MAC or a group; a source must be one that a single
 * host can have, and not our own; a destination must be ours on this interface (strong end system model), or a group
 * that we are in, or anything at all where the interface accepts any.
 *
 * TCP sees only segments to and from single hosts whose checksum is good.
 *
 * Nearly all frames are alike: for our MAC, without options, extension headers and fragments, between addresses of single hosts, most of which
 * were good the last time, with all headers in the first part. Those are looked at in one go (segment_usual), which says only that all is well; whatever is not goes
 * through the layers, to be told what is wrong with it.
 */
#include "base/checksum.h"
#include "base/steer.h"
#include "net/address.h"
#include "net/icmp.h"
#include "net/ip_output.h"
#include "net/neighbour.h"
#include "net/reassembly.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define CHAIN_MAX 256u /* bytes of IPv6 extension headers looked at */

/* ---- transports ---- */

static bool checksum_known(const struct packet *p) {
    return (p->rx_flags & (BK_RX_CHECKSUM_VALID | BK_RX_CHECKSUM_PARTIAL)) != 0;
}

enum checksum_at { TCP_CHECKSUM = 16, UDP_CHECKSUM = 6 };
enum checksum_state { CHECKSUM_BAD, CHECKSUM_UNFINISHED, CHECKSUM_GOOD };

/* What the checksum at `field` is worth. An unfinished one is no more than the pseudo header's sum, which a sender leaves there for its
 * device to finish. */
static enum checksum_state checksum_judge(const struct net *n, const struct packet *p, uint32_t field,
                                          uint32_t length) {
    if (checksum_known(p)) return CHECKSUM_GOOD;
    uint64_t sum = checksum_pseudo(&p->src, &p->dst, p->protocol, length);
    if (checksum_fold(packet_checksum(&n->tcp.base, p, 0, length, sum)) == 0xffff) return CHECKSUM_GOOD;
    uint8_t scratch[2];
    const uint8_t *at = packet_bytes(&n->tcp.base, p, field, 2, scratch);
    if (at == NULL || get_be16(at) != checksum_fold(sum)) return CHECKSUM_BAD;
    return (p->rx_flags & BK_RX_CHECKSUM_LOCAL) != 0 ? CHECKSUM_GOOD : CHECKSUM_UNFINISHED;
}

/* Whether a segment that was taken with this reason shows that what we send arrives (RFC 4861 7.3.1). */
static bool shows_progress(uint16_t reason) {
    switch (reason) {
    case BK_REASON_ACCEPT_SYN_ACK:
    case BK_REASON_ACCEPT_HANDSHAKE_ACK:
    case BK_REASON_ACCEPT_COOKIE_ACK:
    case BK_REASON_ACCEPT_ACK_DEFERRED:
    case BK_REASON_ACCEPT_ACK:
    case BK_REASON_ACCEPT_ACK_OF_FIN:
    case BK_REASON_ACCEPT_DATA:
        return true;
    default:
        return false;
    }
}

/* A segment in which there is nothing wrong below TCP. */
static uint16_t deliver_segment(struct net *n, struct packet *p) {
    if (n->iface[p->iface].config.layer != BK_LAYER_ETHERNET) return tcp_input(&n->tcp, p);
    bk_addr remote = p->src;
    uint16_t reason = tcp_input(&n->tcp, p);
    if (shows_progress(reason)) net_confirm(n, p->iface, &remote);
    return reason;
}

static uint16_t deliver_tcp(struct net *n, struct packet *p) {
    if (p->link_broadcast || p->ip_multicast) return BK_REASON_DROP_BROADCAST;
    bool whole = p->length >= WIRE_TCP_LENGTH;
    enum checksum_state checksum = whole ? checksum_judge(n, p, TCP_CHECKSUM, p->length) : CHECKSUM_BAD;
    if (checksum != CHECKSUM_GOOD) {
        n->tcp.mib.in_segs++;
        n->tcp.mib.in_errs++;
        return !whole                            ? BK_REASON_DROP_TCP_SHORT
               : checksum == CHECKSUM_UNFINISHED ? BK_REASON_DROP_TCP_UNFINISHED
                                                 : BK_REASON_DROP_TCP_CHECKSUM;
    }
    return deliver_segment(n, p);
}

/* Nobody listens to UDP. A datagram that is sound and meant for us alone is told so (RFC 1122 4.1.3.1). */
static uint16_t deliver_udp(struct net *n, struct packet *p) {
    uint8_t scratch[WIRE_UDP_LENGTH];
    struct wire_udp udp;
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, u32_min(p->length, WIRE_UDP_LENGTH), scratch);
    if (wire_udp_parse(bytes, p->length, &udp) != BK_REASON_NONE) return BK_REASON_DROP_UDP_BAD;
    bool without = udp.checksum == 0;
    if (without && p->family == 6) return BK_REASON_DROP_UDP_BAD; /* RFC 8200 8.1 */
    if (!without && checksum_judge(n, p, UDP_CHECKSUM, udp.length) != CHECKSUM_GOOD) return BK_REASON_DROP_UDP_BAD;
    if (p->link_broadcast || p->ip_multicast) return BK_REASON_DROP_IP_PROTOCOL;
    bool ipv4 = p->family == 4;
    return icmp_error_send(n, p, ipv4 ? WIRE_ICMP_UNREACHABLE : WIRE_ICMPV6_UNREACHABLE, ipv4 ? WIRE_ICMP_PORT : 4, 0,
                           BK_REASON_ANSWER_PORT_UNREACHABLE);
}

/* Where, in the IPv6 packet, the byte stands that named the transport: in the IPv6 header, or in the last extension header. */
static uint32_t next_header_at(const struct net *n, const struct packet *p) {
    struct packet whole = *p;
    whole.start = p->ip_start;
    whole.length = p->ip_length;
    uint32_t at = 6, header = WIRE_IPV6_LENGTH, end = p->start - p->ip_start;
    uint8_t scratch[2], next = 0;
    const uint8_t *bytes = packet_bytes(&n->tcp.base, &whole, at, 1, scratch);
    if (bytes != NULL) next = bytes[0];
    while (header < end && (bytes = packet_bytes(&n->tcp.base, &whole, header, 2, scratch)) != NULL) {
        at = header;
        header += next == WIRE_FRAGMENT ? 8 : (bytes[1] + 1u) * 8;
        next = bytes[0];
    }
    return at;
}

static uint16_t deliver_unknown(struct net *n, struct packet *p) {
    if (p->link_broadcast || p->ip_multicast || p->protocol == WIRE_NO_NEXT) return BK_REASON_DROP_IP_PROTOCOL;
    if (p->family == 4)
        return icmp_error_send(n, p, WIRE_ICMP_UNREACHABLE, WIRE_ICMP_PROTOCOL, 0, BK_REASON_ANSWER_PROTOCOL);
    return icmp_parameter_problem(n, p, 1, next_header_at(n, p), BK_REASON_ANSWER_PROTOCOL); /* RFC 8200 4 */
}

/* Fragments come to all stacks of a group. What they make up is for the stack whose flow it is, and what has no ports for the first. */
static bool another_stack_takes(const struct net *n, const struct packet *p) {
    const struct bk_steering *s = &n->tcp.base.config.steering;
    uint8_t scratch[4];
    if (!steer_group(s)) return false;
    bool ports = p->protocol == WIRE_TCP || p->protocol == WIRE_UDP;
    const uint8_t *bytes = ports ? packet_bytes(&n->tcp.base, p, 0, 4, scratch) : NULL;
    uint32_t owner = bytes != NULL ? bk_steer(s, &p->src, get_be16(bytes), &p->dst, get_be16(bytes + 2)) : 0;
    return owner != s->index;
}

static uint16_t deliver_transport(struct net *n, struct packet *p, bool reassembled) {
    if (reassembled && another_stack_takes(n, p)) return BK_REASON_DROP_OTHER_STACK;
    if (p->protocol == WIRE_TCP) return deliver_tcp(n, p);
    /* RFC 1122 3.3.6: what came to all stations but is for one host is not answered. */
    if (p->family == 4 && p->link_broadcast && !p->ip_multicast) return BK_REASON_DROP_IP_DESTINATION;
    if (p->protocol == (p->family == 4 ? WIRE_ICMP : WIRE_ICMPV6)) return icmp_input(n, p, reassembled);
    if (addr_is_any(&p->src)) return BK_REASON_DROP_IP_SOURCE; /* IPv6: only ICMPv6 speaks without an address */
    if (p->protocol == WIRE_UDP) return deliver_udp(n, p);
    return deliver_unknown(n, p);
}

/* ---- IPv6 extension headers ---- */

/* RFC 7112: the first fragment holds all headers, the transport's included. */
static bool first_fragment_whole(const struct net *n, const struct packet *p, uint8_t next) {
    uint8_t scratch[CHAIN_MAX];
    uint32_t held = u32_min(p->length, CHAIN_MAX);
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, held, scratch);
    struct wire_ipv6_chain chain;
    if (next == WIRE_HOP_BY_HOP) return false;
    if (wire_ipv6_chain_parse(bytes, held, next, &chain) != BK_REASON_NONE || chain.fragment) return false;
    uint32_t least = chain.protocol == WIRE_TCP ? WIRE_TCP_LENGTH : chain.protocol == WIRE_NO_NEXT ? 0 : 8;
    return p->length >= chain.length + least;
}

static uint16_t ipv6_fragment(struct net *n, struct packet *p, const struct wire_ipv6_chain *chain) {
    uint32_t header = p->start - p->ip_start + chain->length - 8; /* where the fragment header stands */
    struct fragment f = {.id = chain->fragment_id,
                         .offset = chain->fragment_offset,
                         .protocol = chain->fragment_next,
                         .more = chain->more_fragments};
    packet_enter(p, chain->length, p->length - chain->length);
    /* RFC 8200 4.5. */
    if (f.more && p->length % 8 != 0) return icmp_parameter_problem(n, p, 0, 4, BK_REASON_DROP_FRAGMENT_BAD);
    if (f.offset + p->length > UINT16_MAX)
        return icmp_parameter_problem(n, p, 0, header + 2, BK_REASON_DROP_FRAGMENT_BAD);
    if (p->length == 0) return BK_REASON_DROP_FRAGMENT_BAD;
    if (f.offset == 0 && !first_fragment_whole(n, p, f.protocol)) return BK_REASON_DROP_FRAGMENT_BAD;
    return reassembly_input(n, p, &f);
}

static uint16_t ipv6_headers(struct net *n, struct packet *p, bool reassembled) {
    uint8_t scratch[CHAIN_MAX];
    uint32_t held = u32_min(p->length, CHAIN_MAX);
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, held, scratch);
    struct wire_ipv6_chain chain = {.parameter_problem = false};
    if (reassembled && p->protocol == WIRE_HOP_BY_HOP) return BK_REASON_DROP_IP_EXTENSION;
    uint16_t reason = wire_ipv6_chain_parse(bytes, held, p->protocol, &chain);
    if (reason != BK_REASON_NONE) {
        if (!chain.parameter_problem) return reason;
        uint32_t at = p->start - p->ip_start + chain.problem_at;
        return icmp_parameter_problem(n, p, chain.problem_code, at, reason);
    }
    if (chain.fragment) return reassembled ? BK_REASON_DROP_FRAGMENT_BAD : ipv6_fragment(n, p, &chain);
    p->protocol = chain.protocol;
    packet_enter(p, chain.length, p->length - chain.length);
    return deliver_transport(n, p, reassembled);
}

uint16_t net_deliver(struct net *n, struct packet *p, bool reassembled) {
    return p->family == 4 ? deliver_transport(n, p, reassembled) : ipv6_headers(n, p, reassembled);
}

/* ---- IP ---- */

static bool source_possible(const struct net *n, const struct packet *p) {
    const bk_addr *a = &p->src;
    if (wire_addr_is_multicast(a) || wire_addr_is_limited_broadcast(a) || wire_addr_is_loopback(a)) return false;
    if (p->family == 4 && a->byte[12] == 0) return false; /* 0.0.0.0/8 */
    if (addr_equal(a, &p->dst) || address_is_broadcast(n, p->iface, a)) return false;
    return !address_is_ours(n, p->iface, a);
}

/* Whether the packet is for us; notes whether it came to a group. */
static bool destination_ours(const struct net *n, struct packet *p) {
    static const bk_addr all_nodes[2] = {{{0xff, 1, [15] = 1}}, {{0xff, 2, [15] = 1}}};
    const bk_addr *a = &p->dst;
    if (address_is_ours(n, p->iface, a)) return true;
    if (wire_addr_is_multicast(a)) {
        p->ip_multicast = true;
        return p->family == 4 || addr_equal(a, &all_nodes[0]) || addr_equal(a, &all_nodes[1]) ||
               address_in_group(n, p->iface, a);
    }
    if (wire_addr_is_limited_broadcast(a) || address_is_broadcast(n, p->iface, a)) return p->ip_multicast = true;
    return n->iface[p->iface].config.accept_any && !addr_is_any(a) && !wire_addr_is_loopback(a);
}

static uint16_t addresses_judge(const struct net *n, struct packet *p) {
    if (!source_possible(n, p)) return p->protocol == WIRE_TCP ? BK_REASON_DROP_BAD_SOURCE : BK_REASON_DROP_IP_SOURCE;
    if (p->protocol == WIRE_TCP && addr_is_any(&p->src)) return BK_REASON_DROP_BAD_SOURCE;
    return destination_ours(n, p) ? BK_REASON_NONE : BK_REASON_DROP_IP_DESTINATION;
}

static uint32_t pair_number(const struct packet *p) {
    uint32_t mixed =
        get_be32(p->src.byte + 12) * UINT32_C(0x9e3779b1) ^ get_be32(p->dst.byte + 12) * UINT32_C(0x85ebca6b);
    return mixed >> (32 - NET_PAIRS_BITS);
}

/* Most packets have the addresses of one before them: that was good, and is, unless ours have changed. */
static bool addresses_known(const struct net *n, const struct packet *p, const struct net_pair *pair) {
    return pair->epoch == n->epoch && pair->iface == p->iface && addr_equal(&pair->src, &p->src) &&
           addr_equal(&pair->dst, &p->dst);
}

/* Judges them, and remembers them if they are good. */
static uint16_t addresses_learn(struct net *n, struct packet *p, struct net_pair *pair) {
    uint16_t reason = addresses_judge(n, p);
    if (reason == BK_REASON_NONE && !p->ip_multicast && !addr_is_any(&p->src))
        *pair = (struct net_pair){p->src, p->dst, n->epoch, p->iface};
    return reason;
}

static uint16_t addresses_check(struct net *n, struct packet *p) {
    struct net_pair *pair = &n->pair[pair_number(p)];
    bool known = addresses_known(n, p, pair);
    if (BK_FAST && known) return BK_REASON_NONE;
    uint16_t reason = addresses_learn(n, p, pair);
    BK_ASSERT(!known || (reason == BK_REASON_NONE && !p->ip_multicast), "what is remembered of addresses holds");
    return reason;
}

/* RFC 1858 3.2, 4.2: no first fragment that ends within the TCP header, and none that begins within it. */
static bool ipv4_fragment_possible(const struct wire_ipv4 *h, uint32_t length) {
    if (length == 0 || (h->more_fragments && length % 8 != 0)) return false;
    if (h->header_length + h->fragment_offset + length > UINT16_MAX) return false;
    if (h->protocol != WIRE_TCP) return true;
    return h->fragment_offset == 0 ? length >= WIRE_TCP_LENGTH : h->fragment_offset >= WIRE_TCP_LENGTH;
}

static uint16_t ipv4_input(struct net *n, struct packet *p) {
    uint8_t scratch[60];
    uint32_t held = u32_min(p->length, sizeof scratch);
    struct wire_ipv4 h;
    if (p->length < WIRE_IPV4_LENGTH) return BK_REASON_DROP_IP_SHORT;
    uint16_t reason = wire_ipv4_parse(packet_bytes(&n->tcp.base, p, 0, held, scratch), held, p->length, &h);
    if (reason != BK_REASON_NONE) return reason;
    p->family = 4;
    p->ip_start = p->start;
    p->ip_length = h.total_length + p->longer;
    p->src = h.src;
    p->dst = h.dst;
    p->protocol = h.protocol;
    p->hop_limit = h.ttl;
    p->traffic_class = h.traffic_class;
    reason = addresses_check(n, p);
    if (reason != BK_REASON_NONE) return reason;
    packet_enter(p, h.header_length, p->ip_length - h.header_length);
    if (h.fragment_offset == 0 && !h.more_fragments) return deliver_transport(n, p, false);
    if (!ipv4_fragment_possible(&h, p->length)) return BK_REASON_DROP_FRAGMENT_BAD;
    struct fragment f = {.id = h.id, .offset = h.fragment_offset, .protocol = h.protocol, .more = h.more_fragments};
    return reassembly_input(n, p, &f);
}

static uint16_t ipv6_input(struct net *n, struct packet *p) {
    uint8_t scratch[WIRE_IPV6_LENGTH];
    struct wire_ipv6 h;
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, WIRE_IPV6_LENGTH, scratch);
    if (bytes == NULL) return BK_REASON_DROP_IP_SHORT;
    uint16_t reason = wire_ipv6_parse(bytes, p->length, &h);
    if (reason != BK_REASON_NONE) return reason;
    p->family = 6;
    p->ip_start = p->start;
    p->ip_length = WIRE_IPV6_LENGTH + (uint32_t)h.payload_length + p->longer;
    p->src = h.src;
    p->dst = h.dst;
    p->protocol = h.next_header;
    p->hop_limit = h.hop_limit;
    p->traffic_class = h.traffic_class;
    reason = addresses_check(n, p);
    if (reason != BK_REASON_NONE) return reason;
    packet_enter(p, WIRE_IPV6_LENGTH, p->ip_length - WIRE_IPV6_LENGTH);
    return ipv6_headers(n, p, false);
}

/* ---- links ---- */

static uint16_t ethernet_input(struct net *n, struct packet *p) {
    uint8_t scratch[WIRE_ETHERNET_LENGTH];
    struct wire_ethernet h;
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, WIRE_ETHERNET_LENGTH, scratch);
    if (bytes == NULL) return BK_REASON_DROP_ETHERNET_SHORT;
    uint16_t reason = wire_ethernet_parse(bytes, WIRE_ETHERNET_LENGTH, &h);
    if (reason != BK_REASON_NONE) return reason;
    p->link_broadcast = wire_ethernet_is_group(h.dst);
    if (!p->link_broadcast && memcmp(h.dst, n->iface[p->iface].config.mac, 6) != 0)
        return BK_REASON_DROP_ETHERNET_ADDRESS;
    if (wire_ethernet_is_group(h.src)) return BK_REASON_DROP_ETHERNET_ADDRESS;
    packet_enter(p, WIRE_ETHERNET_LENGTH, p->length - WIRE_ETHERNET_LENGTH);
    if (h.type == WIRE_ETHERTYPE_IPV4) return ipv4_input(n, p);
    if (h.type == WIRE_ETHERTYPE_IPV6) return ipv6_input(n, p);
    return h.type == WIRE_ETHERTYPE_ARP ? arp_input(n, p) : BK_REASON_DROP_ETHERTYPE;
}

enum ipv4_at { IPV4_LENGTH = 2, IPV4_FRAGMENT = 6, IPV4_TTL = 8, IPV4_PROTOCOL = 9, IPV4_SRC = 12 };
enum ipv6_at { IPV6_LENGTH = 4, IPV6_NEXT = 6, IPV6_HOP_LIMIT = 7, IPV6_SRC = 8 };
#define IPV4_USUAL 0x45u /* version 4, no options */

/* The IP header of a segment as nearly all are, of which the first part holds `held` bytes. True: there is nothing wrong with it, and what it says
 * is in p. */
static bool ip_usual(struct packet *p, const uint8_t *ip, uint32_t held) {
    bool ipv4 = held >= WIRE_IPV4_LENGTH + WIRE_TCP_LENGTH && ip[0] == IPV4_USUAL;
    if (ipv4) {
        if (ip[IPV4_PROTOCOL] != WIRE_TCP || (get_be16(ip + IPV4_FRAGMENT) & 0x3fff) != 0 ||
            checksum_header(ip, WIRE_IPV4_LENGTH / 4) != UINT16_MAX)
            return false;
        p->ip_length = get_be16(ip + IPV4_LENGTH) + p->longer;
        p->src = addr_ipv4_at(ip + IPV4_SRC);
        p->dst = addr_ipv4_at(ip + IPV4_SRC + 4);
        p->hop_limit = ip[IPV4_TTL];
        p->traffic_class = ip[1];
    } else {
        if (held < WIRE_IPV6_LENGTH + WIRE_TCP_LENGTH || ip[0] >> 4 != 6 || ip[IPV6_NEXT] != WIRE_TCP) return false;
        p->ip_length = WIRE_IPV6_LENGTH + get_be16(ip + IPV6_LENGTH) + p->longer;
        memcpy(p->src.byte, ip + IPV6_SRC, sizeof p->src);
        memcpy(p->dst.byte, ip + IPV6_SRC + 16, sizeof p->dst);
        if (addr_is_ipv4(&p->src) || addr_is_ipv4(&p->dst)) return false;
        p->hop_limit = ip[IPV6_HOP_LIMIT];
        p->traffic_class = (uint8_t)(get_be16(ip) >> 4);
    }
    p->family = ipv4 ? 4 : 6;
    p->protocol = WIRE_TCP;
    return true;
}

/* Whether the frame is a segment as nearly all are, in which there is nothing wrong below TCP. If so, p stands at its TCP header; if not, at the
 * frame's start, as it did. */
static bool segment_usual(struct net *n, struct packet *p) {
    const struct base *b = &n->tcp.base;
    const struct net_iface *i = &n->iface[p->iface];
    if (p->part_count == 0) return false;
    const uint8_t *frame = chunk_data(b, p->parts->chunk) + p->parts->offset, *ip = frame;
    uint32_t held = p->parts->length;
    if (i->config.layer == BK_LAYER_ETHERNET) {
        if (held < WIRE_ETHERNET_LENGTH || memcmp(frame, i->config.mac, 6) != 0 || wire_ethernet_is_group(frame + 6))
            return false;
        ip += WIRE_ETHERNET_LENGTH;
        held -= WIRE_ETHERNET_LENGTH;
    }
    if (!ip_usual(p, ip, held)) return false;
    bool ipv4 = p->family == 4;
    if (ip != frame && get_be16(ip - 2) != (ipv4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6)) return false;
    uint32_t start = (uint32_t)(ip - frame), header = ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH;
    if (p->ip_length < header + WIRE_TCP_LENGTH || start + p->ip_length > p->length) return false;
    uint32_t length = p->ip_length - header;
    if (!checksum_known(p)) {
        /* The addresses stand before the TCP header, so that one pass takes the pseudo header in. */
        uint32_t from = ipv4 ? IPV4_SRC : IPV6_SRC;
        if (held < p->ip_length) return false;
        uint64_t sum = checksum_add_by(b->checksum_way, WIRE_TCP + length, ip + from, p->ip_length - from);
        if (checksum_fold(sum) != UINT16_MAX) return false;
    }
    struct net_pair *pair = &n->pair[pair_number(p)];
    if (!addresses_known(n, p, pair) && (addresses_learn(n, p, pair) != BK_REASON_NONE || p->ip_multicast))
        return false;
    p->ip_start = start;
    packet_enter(p, start + header, length);
    return true;
}

uint16_t net_input(struct net *n, struct packet *p) {
    if (p->iface >= n->iface_count) return BK_REASON_DROP_IFACE;
    p->mtu = n->iface[p->iface].mtu;
    p->link_broadcast = p->ip_multicast = false;
    if (BK_FAST && segment_usual(n, p)) return deliver_segment(n, p);
    p->hashed = false; /* it may be a fragment, for one */
    if (n->iface[p->iface].config.layer == BK_LAYER_ETHERNET) return ethernet_input(n, p);
    uint8_t scratch[1];
    const uint8_t *first = packet_bytes(&n->tcp.base, p, 0, 1, scratch);
    if (first == NULL) return BK_REASON_DROP_IP_SHORT;
    if (first[0] >> 4 == 4) return ipv4_input(n, p);
    return first[0] >> 4 == 6 ? ipv6_input(n, p) : BK_REASON_DROP_IP_VERSION;
}
