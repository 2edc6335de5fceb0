/* ICMP (RFC 792) and ICMPv6 (RFC 4443): what arrives, and the errors that we send.
 *
 * Echo is answered in both families, the payload by reference to the chunks that it arrived in. Neighbour
 * discovery goes to nd.c, errors about our segments to icmp_error.c.
 *
 * Errors leave at most at a fixed rate, by a token bucket (RFC 4443 2.4 f, RFC 1812 4.3.2.8), never about an error, a
 * group or broadcast address, or a source that is no single host (RFC 1122 3.2.2, RFC 4443 2.4 e), and quote as much of the
 * packet as the smallest MTU holds.
 */
#include "net/icmp.h"

#include "base/checksum.h"
#include "net/ip_output.h"
#include "net/nd.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define ERROR_INTERVAL (10 * NS_PER_MS) /* one token: a hundred errors a second */
#define ERROR_BURST    32u
#define QUOTE_IPV4     (576u - WIRE_IPV4_LENGTH - WIRE_ICMP_LENGTH)  /* RFC 1812 4.3.2.3 */
#define QUOTE_IPV6     (1280u - WIRE_IPV6_LENGTH - WIRE_ICMP_LENGTH) /* RFC 4443 2.4 c */

/* Takes a token. The bucket is kept as the time at which it would be empty: it fills as time goes by. */
static bool error_allowed(struct net *n) {
    uint64_t now = n->tcp.base.now;
    uint64_t full = ERROR_BURST * ERROR_INTERVAL;
    uint64_t since = now > full ? now - full : 0;
    uint64_t time = u64_max(n->error_time, since);
    if (time + ERROR_INTERVAL > now) return false;
    n->error_time = time + ERROR_INTERVAL;
    return true;
}

/* A frame that answers packet p, with an 8-byte header; NULL (counted) if there is none. */
static struct frame *icmp_frame(struct net *n, const struct packet *p, const struct wire_icmp *m, uint16_t reason,
                                uint32_t *id) {
    *id = ip_answer_frame(n);
    if (*id == BK_NONE) return NULL;
    struct frame *f = frame_at(&n->tcp.base, *id);
    f->src = p->dst;
    f->dst = p->src;
    f->iface = p->iface;
    f->protocol = p->family == 4 ? WIRE_ICMP : WIRE_ICMPV6;
    f->reason = reason;
    f->end = (uint16_t)(FRAME_L4 + wire_icmp_emit(f->header + FRAME_L4, m));
    f->l4_header_length = f->end - FRAME_L4;
    return f;
}

/* Adds the payload, bytes [offset, offset + length) of p, completes the checksum, and sends. */
static void icmp_send(struct net *n, uint32_t id, const struct packet *p, uint32_t offset, uint32_t length) {
    struct frame *f = frame_at(&n->tcp.base, id);
    if (!ip_add_packet(n, f, p, offset, length)) {
        /* In more parts than a frame can name. */
        ip_drop(n, id, BK_REASON_NOTE_REPLY_LOST);
        return;
    }
    uint64_t sum = 0;
    if (p->family == 6) sum = checksum_pseudo(&f->src, &f->dst, WIRE_ICMPV6, WIRE_ICMP_LENGTH + length);
    sum = checksum_add(sum, f->header + FRAME_L4, WIRE_ICMP_LENGTH);
    sum = packet_checksum(&n->tcp.base, p, offset, length, sum);
    put_be16(f->header + FRAME_L4 + 2, checksum_finish(sum));
    net_send(n, id);
}

uint16_t icmp_error_send(struct net *n, const struct packet *p, uint8_t type, uint8_t code, uint32_t rest,
                         uint16_t reason) {
    if (p->link_broadcast || p->ip_multicast || bk_addr_is_any(&p->src)) return reason;
    if (!error_allowed(n)) {
        if (reason == BK_REASON_ANSWER_PORT_UNREACHABLE || reason == BK_REASON_ANSWER_PROTOCOL)
            return BK_REASON_DROP_ICMP_LIMIT;
        reason_count(&n->tcp.base, BK_REASON_DROP_ICMP_LIMIT);
        return reason;
    }
    bool problem = p->family == 6 && type == WIRE_ICMPV6_PARAMETER_PROBLEM;
    struct wire_icmp m = {.type = type, .code = code, .rest = rest};
    uint32_t id;
    if (icmp_frame(n, p, &m, problem ? BK_REASON_SEND_PARAMETER_PROBLEM : BK_REASON_SEND_UNREACHABLE, &id) == NULL)
        return reason;
    struct packet whole = *p;
    whole.start = p->ip_start;
    whole.length = p->ip_length;
    icmp_send(n, id, &whole, 0, u32_min(p->ip_length, p->family == 4 ? QUOTE_IPV4 : QUOTE_IPV6));
    return reason;
}

uint16_t icmp_parameter_problem(struct net *n, const struct packet *p, uint8_t code, uint32_t pointer,
                                uint16_t reason) {
    return icmp_error_send(n, p, WIRE_ICMPV6_PARAMETER_PROBLEM, code, pointer, reason);
}

/* ---- what arrives ---- */

static uint16_t icmp_echo(struct net *n, struct packet *p, const struct wire_icmp *m) {
    /* RFC 1122 3.2.2.6 lets us ignore echo to a group, which is how amplifiers are made. */
    if (p->ip_multicast || p->link_broadcast) return BK_REASON_DROP_IP_DESTINATION;
    struct wire_icmp reply = {.type = p->family == 4 ? WIRE_ICMP_ECHO_REPLY : WIRE_ICMPV6_ECHO_REPLY, .rest = m->rest};
    uint32_t id;
    struct frame *f = icmp_frame(n, p, &reply, BK_REASON_SEND_ECHO_REPLY, &id);
    if (f == NULL) return BK_REASON_ACCEPT_ECHO;
    f->traffic_class = p->traffic_class & 0xfc; /* RFC 1122 3.2.2.6; ECN is not echoed */
    icmp_send(n, id, p, WIRE_ICMP_LENGTH, p->length - WIRE_ICMP_LENGTH);
    return BK_REASON_ACCEPT_ECHO;
}

static bool icmp_checksum_good(const struct net *n, const struct packet *p) {
    if (p->rx_flags & (BK_RX_CHECKSUM_VALID | BK_RX_CHECKSUM_PARTIAL)) return true;
    uint64_t sum = p->family == 6 ? checksum_pseudo(&p->src, &p->dst, WIRE_ICMPV6, p->length) : 0;
    return checksum_fold(packet_checksum(&n->tcp.base, p, 0, p->length, sum)) == 0xffff;
}

static uint16_t icmpv4_message(struct net *n, struct packet *p, const struct wire_icmp *m) {
    switch (m->type) {
    case WIRE_ICMP_ECHO:
        return icmp_echo(n, p, m);
    case WIRE_ICMP_UNREACHABLE:
    case WIRE_ICMP_TIME_EXCEEDED:
    case WIRE_ICMP_PARAMETER_PROBLEM:
        return icmp_error_input(n, p, m->type, m->code, m->rest);
    default: /* source quench among them (RFC 6633) */
        return BK_REASON_DROP_ICMP_TYPE;
    }
}

static uint16_t icmpv6_message(struct net *n, struct packet *p, const struct wire_icmp *m, bool reassembled) {
    bool discovery = m->type >= WIRE_ICMPV6_ROUTER_SOLICITATION && m->type <= WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT;
    if (discovery) return reassembled || m->code != 0 ? BK_REASON_DROP_ND_BAD : nd_input(n, p, m->type);
    if (bk_addr_is_any(&p->src)) return BK_REASON_DROP_IP_SOURCE;
    switch (m->type) {
    case WIRE_ICMPV6_ECHO:
        return icmp_echo(n, p, m);
    case WIRE_ICMPV6_MLD_QUERY:
        return mld_query(n, p);
    case WIRE_ICMPV6_UNREACHABLE:
    case WIRE_ICMPV6_TOO_BIG:
    case WIRE_ICMPV6_TIME_EXCEEDED:
    case WIRE_ICMPV6_PARAMETER_PROBLEM:
        return icmp_error_input(n, p, m->type, m->code, m->rest);
    default: /* redirects among them: a host may keep to its first router (RFC 4861 8.3 asks for more) */
        return BK_REASON_DROP_ICMP_TYPE;
    }
}

uint16_t icmp_input(struct net *n, struct packet *p, bool reassembled) {
    uint8_t scratch[WIRE_ICMP_LENGTH];
    struct wire_icmp m;
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, WIRE_ICMP_LENGTH, scratch);
    if (bytes == NULL || wire_icmp_parse(bytes, WIRE_ICMP_LENGTH, &m) != BK_REASON_NONE) return BK_REASON_DROP_ICMP_BAD;
    if (!icmp_checksum_good(n, p)) return BK_REASON_DROP_ICMP_BAD;
    return p->family == 4 ? icmpv4_message(n, p, &m) : icmpv6_message(n, p, &m, reassembled);
}
