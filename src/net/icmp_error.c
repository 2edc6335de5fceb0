/* ICMP errors that arrive about segments of ours (RFC 9293 3.9.2.2).
 *
 * An error quotes the packet that caused it. It is heeded if that is a TCP segment from the address that the error came to, unfragmented or its
 * first fragment; TCP then looks whether the quoted sequence number is outstanding (RFC 5927 4). What it means:
 *
 *     IPv4 unreachable, code 2, 3 (protocol, port)          hard (RFC 9293 SHLD-26)
 *     IPv6 unreachable, code 4 (port), 1, 5, 6 (prohibited) hard (RFC 5461 2; 5 and 6 refine 1, RFC 4443 3.1)
 *     IPv4 unreachable, code 4; IPv6 too big                path MTU (RFC 1191, RFC 8201)
 *     all else: unreachable, time exceeded, parameter problem    soft
 *
 * Hard ends only an open in progress; a synchronized connection takes it as soft (RFC 5461 4.1).
 */
#include "net/icmp.h"

#include "net/ip_output.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define PORTS_AND_SEQ 8u /* what RFC 792 promises of the quoted datagram's data */

struct quoted {
    bk_addr src, dst;
    uint16_t src_port, dst_port;
    uint32_t seq;
    uint32_t length; /* of the quoted packet, as its header says */
};

/* Reads the quoted IP header at offset 8 of p, and the TCP header's begin. Only what is used is checked: checksum and
 * lengths may have been changed on the way, and most of the packet is missing. */
static bool quoted_read(const struct net *n, const struct packet *p, struct quoted *q) {
    uint8_t scratch[60 + PORTS_AND_SEQ];
    uint32_t held = u32_min(p->length - WIRE_ICMP_LENGTH, sizeof scratch);
    const uint8_t *ip = packet_bytes(&n->tcp.base, p, WIRE_ICMP_LENGTH, held, scratch);
    uint32_t header;
    if (held < (p->family == 4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH) + PORTS_AND_SEQ) return false;
    if (ip[0] >> 4 != p->family) return false;
    if (p->family == 4) {
        header = (ip[0] & 15u) * 4;
        if (header < WIRE_IPV4_LENGTH || header + PORTS_AND_SEQ > held) return false;
        if (ip[9] != WIRE_TCP || (get_be16(ip + 6) & 0x1fff) != 0) return false;
        q->src = bk_addr_ipv4(ip[12], ip[13], ip[14], ip[15]);
        q->dst = bk_addr_ipv4(ip[16], ip[17], ip[18], ip[19]);
        q->length = get_be16(ip + 2);
    } else {
        header = WIRE_IPV6_LENGTH; /* we send no extension headers before TCP */
        if (ip[6] != WIRE_TCP) return false;
        memcpy(q->src.byte, ip + 8, 16);
        memcpy(q->dst.byte, ip + 24, 16);
        q->length = WIRE_IPV6_LENGTH + (uint32_t)get_be16(ip + 4);
    }
    q->src_port = get_be16(ip + header);
    q->dst_port = get_be16(ip + header + 2);
    q->seq = get_be32(ip + header + 4);
    return true;
}

/* The MTU of the next hop, where a router of before RFC 1191 gave none: the next lower common one (RFC 1191 5, 7). */
static uint32_t plateau_below(uint32_t length) {
    static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (uint32_t i = 0; i < BK_COUNT(plateau); i++)
        if (plateau[i] < length) return plateau[i];
    return 68;
}

struct meaning {
    enum tcp_icmp_kind kind;
    int error;
    uint32_t mtu;
};

static struct meaning meaning_ipv4(uint8_t type, uint8_t code, uint32_t rest, const struct quoted *q) {
    if (type == WIRE_ICMP_TIME_EXCEEDED) return (struct meaning){TCP_ICMP_SOFT, ERROR_HOSTUNREACH, 0};
    if (type == WIRE_ICMP_PARAMETER_PROBLEM) return (struct meaning){TCP_ICMP_SOFT, ERROR_PROTO, 0};
    switch (code) {
    case WIRE_ICMP_PROTOCOL:
        return (struct meaning){TCP_ICMP_HARD, ERROR_NOPROTOOPT, 0};
    case WIRE_ICMP_PORT:
        return (struct meaning){TCP_ICMP_HARD, ERROR_CONNREFUSED, 0};
    case WIRE_ICMP_FRAGMENTATION_NEEDED: {
        uint32_t mtu = rest & 0xffff;
        if (mtu == 0) mtu = plateau_below(q->length);
        return (struct meaning){TCP_ICMP_TOO_BIG, ERROR_MSGSIZE, u32_max(mtu, 68)}; /* RFC 1191 3 */
    }
    case WIRE_ICMP_NET:
    case 6:
    case 9:
    case 11:
        return (struct meaning){TCP_ICMP_SOFT, ERROR_NETUNREACH, 0};
    default:
        return (struct meaning){TCP_ICMP_SOFT, ERROR_HOSTUNREACH, 0};
    }
}

static struct meaning meaning_ipv6(uint8_t type, uint8_t code, uint32_t rest) {
    if (type == WIRE_ICMPV6_TOO_BIG) return (struct meaning){TCP_ICMP_TOO_BIG, ERROR_MSGSIZE, rest};
    if (type == WIRE_ICMPV6_TIME_EXCEEDED) return (struct meaning){TCP_ICMP_SOFT, ERROR_HOSTUNREACH, 0};
    if (type == WIRE_ICMPV6_PARAMETER_PROBLEM) return (struct meaning){TCP_ICMP_SOFT, ERROR_PROTO, 0};
    switch (code) {
    case 4: /* port */
        return (struct meaning){TCP_ICMP_HARD, ERROR_CONNREFUSED, 0};
    case 1: /* administratively prohibited */
    case 5: /* source address failed policy */
    case 6: /* reject route */
        return (struct meaning){TCP_ICMP_HARD, ERROR_HOSTUNREACH, 0};
    case 0: /* no route */
        return (struct meaning){TCP_ICMP_SOFT, ERROR_NETUNREACH, 0};
    default:
        return (struct meaning){TCP_ICMP_SOFT, ERROR_HOSTUNREACH, 0};
    }
}

uint16_t icmp_error_input(struct net *n, struct packet *p, uint8_t type, uint8_t code, uint32_t rest) {
    struct quoted q;
    if (p->ip_multicast || p->link_broadcast) return BK_REASON_DROP_ICMP_UNRELATED;
    if (!quoted_read(n, p, &q) || !addr_equal(&q.src, &p->dst)) return BK_REASON_DROP_ICMP_UNRELATED;
    struct meaning m = p->family == 4 ? meaning_ipv4(type, code, rest, &q) : meaning_ipv6(type, code, rest);
    /* RFC 8201 4: no smaller than the smallest that IPv6 allows. */
    if (p->family == 6 && m.kind == TCP_ICMP_TOO_BIG && m.mtu < 1280) return BK_REASON_DROP_ICMP_BAD;
    struct tcp_icmp what = {
        .kind = m.kind, .error = m.error, .mtu = m.mtu, .offender = p->src, .type = type, .code = code};
    struct tuple tuple = {q.src, q.dst, q.src_port, q.dst_port};
    return tcp_icmp_error(&n->tcp, &what, &tuple, q.seq);
}
