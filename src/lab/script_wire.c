/* Frames: an IP header, a TCP or ICMP header, zeroes. Segments are written here rather than by wire_tcp_emit, since scripts send what no
 * stack would: options of any kind in any order, any flags. */
#include "lab/script_wire.h"

#include <string.h>

#include "base/checksum.h"
#include "base/common.h"
#include "lab/ip_packet.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

#define SCRIPT_TTL 255u

/* ---- writing --------------------------------------------------------------------------------------- */

static size_t script_ip(uint8_t *frame, const struct script_tuple *t, uint8_t protocol, uint8_t tos, size_t payload) {
    if (bk_addr_is_ipv4(&t->local)) {
        const struct wire_ipv4 h = {.header_length = WIRE_IPV4_LENGTH,
                                    .total_length = (uint16_t)(WIRE_IPV4_LENGTH + payload),
                                    .traffic_class = tos,
                                    .ttl = SCRIPT_TTL,
                                    .protocol = protocol,
                                    .src = t->remote,
                                    .dst = t->local};
        return wire_ipv4_emit(frame, &h);
    }
    const struct wire_ipv6 h = {.traffic_class = tos,
                                .payload_length = (uint16_t)payload,
                                .next_header = protocol,
                                .hop_limit = SCRIPT_TTL,
                                .src = t->remote,
                                .dst = t->local};
    return wire_ipv6_emit(frame, &h);
}

static size_t script_ip_length(const struct script_tuple *t) {
    return bk_addr_is_ipv4(&t->local) ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH;
}

/* Completes a checksum over a message whose field is zero. */
static void script_checksum(uint8_t *message, size_t field, size_t length, uint64_t sum) {
    put_be16(message + field, checksum_finish(checksum_add(sum, message, length)));
}

size_t script_wire_segment(uint8_t frame[SCRIPT_FRAME_MAX], const struct script_tuple *tuple,
                           const struct script_packet *p) {
    size_t ip = script_ip_length(tuple), header = WIRE_TCP_LENGTH + p->option_length, length = header + p->length;
    if (length + (ip == WIRE_IPV4_LENGTH ? ip : 0) > UINT16_MAX) return 0;
    script_ip(frame, tuple, WIRE_TCP, p->tos, length);
    uint8_t *t = frame + ip;
    memset(t, 0, length);
    put_be16(t, tuple->remote_port);
    put_be16(t + 2, tuple->local_port);
    put_be32(t + 4, p->seq);
    put_be32(t + 8, p->ack);
    t[12] = (uint8_t)(header / 4 << 4 | (p->flags & SCRIPT_AE ? 1 : 0));
    t[13] = (uint8_t)p->flags;
    put_be16(t + 14, (uint16_t)(p->window < 0 ? 0 : p->window));
    put_be16(t + 18, p->urgent);
    memcpy(t + WIRE_TCP_LENGTH, p->option, p->option_length);
    script_checksum(t, 16, length, checksum_pseudo(&tuple->remote, &tuple->local, WIRE_TCP, (uint32_t)length));
    return ip + length;
}

/* ---- ICMP ------------------------------------------------------------------------------------------ */

static const struct script_icmp_kind {
    const char *type, *code; /* code NULL: the type has none */
    int16_t type4, code4;    /* -1: not of this family */
    int16_t type6, code6;
} script_icmp_kinds[] = {
    {"unreachable", "net_unreachable", 3, 0, -1, -1},
    {"unreachable", "host_unreachable", 3, 1, -1, -1},
    {"unreachable", "protocol_unreachable", 3, 2, -1, -1},
    {"unreachable", "frag_needed", 3, 4, -1, -1},
    {"unreachable", "source_route_failed", 3, 5, -1, -1},
    {"unreachable", "net_unreachable_for_tos", 3, 11, -1, -1},
    {"unreachable", "host_unreachable_for_tos", 3, 12, -1, -1},
    {"unreachable", "packet_filtered", 3, 13, -1, -1},
    {"unreachable", "precedence_violation", 3, 14, -1, -1},
    {"unreachable", "precedence_cutoff", 3, 15, -1, -1},
    {"unreachable", "no_route", -1, -1, 1, 0},
    {"unreachable", "admin_prohibited", -1, -1, 1, 1},
    {"unreachable", "not_neighbour", -1, -1, 1, 2},
    {"unreachable", "addr_unreachable", -1, -1, 1, 3},
    {"unreachable", "port_unreachable", 3, 3, 1, 4},
    {"unreachable", NULL, 3, 0, 1, 0},
    {"source_quench", NULL, 4, 0, -1, -1},
    {"time_exceeded", "exc_hoplimit", -1, -1, 3, 0},
    {"time_exceeded", NULL, 11, 0, 3, 0},
    {"parameter_problem", NULL, 12, 0, 4, 0},
    {"packet_too_big", NULL, -1, -1, 2, 0},
};

static const struct script_icmp_kind *script_icmp_kind(const struct script_icmp *m, bool ipv4) {
    for (size_t i = 0; i < BK_COUNT(script_icmp_kinds); i++) {
        const struct script_icmp_kind *k = &script_icmp_kinds[i];
        bool code = m->code == NULL ? k->code == NULL : k->code != NULL && strcmp(k->code, m->code) == 0;
        if (strcmp(k->type, m->type) == 0 && code && (ipv4 ? k->type4 : k->type6) >= 0) return k;
    }
    return NULL;
}

/* What an ICMP error quotes: the IP header, and the first eight bytes of the TCP header, of a segment from the stack. */
static size_t script_quote(uint8_t *at, const struct script_tuple *t, uint32_t seq, uint32_t length) {
    const struct script_tuple back = {.local = t->remote, .remote = t->local};
    size_t ip = script_ip(at, &back, WIRE_TCP, 0, WIRE_TCP_LENGTH + length);
    put_be16(at + ip, t->local_port);
    put_be16(at + ip + 2, t->remote_port);
    put_be32(at + ip + 4, seq);
    return ip + 8;
}

size_t script_wire_icmp(uint8_t frame[SCRIPT_FRAME_MAX], const struct script_tuple *tuple,
                        const struct script_packet *p, uint32_t seq, const char **why) {
    bool ipv4 = bk_addr_is_ipv4(&tuple->local);
    const struct script_icmp_kind *k = script_icmp_kind(&p->icmp, ipv4);
    if (k == NULL) {
        *why = "this family knows no such ICMP type and code";
        return 0;
    }
    size_t ip = script_ip_length(tuple);
    uint8_t *m = frame + ip;
    const struct wire_icmp header = {.type = (uint8_t)(ipv4 ? k->type4 : k->type6),
                                     .code = (uint8_t)(ipv4 ? k->code4 : k->code6),
                                     .rest = p->icmp.mtu >= 0 ? (uint32_t)p->icmp.mtu : 0};
    size_t length = wire_icmp_emit(m, &header);
    length += script_quote(m + length, tuple, seq, p->icmp.length);
    script_ip(frame, tuple, ipv4 ? WIRE_ICMP : WIRE_ICMPV6, p->tos, length);
    script_checksum(m, 2, length,
                    ipv4 ? 0 : checksum_pseudo(&tuple->remote, &tuple->local, WIRE_ICMPV6, (uint32_t)length));
    return ip + length;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static bool script_read_tcp(const uint8_t *t, size_t n, struct script_seen *out) {
    size_t header = n >= WIRE_TCP_LENGTH ? (size_t)(t[12] >> 4) * 4 : 0;
    if (header < WIRE_TCP_LENGTH || header > n) return false;
    struct script_packet *p = &out->packet;
    out->tcp = true;
    out->tuple.local_port = get_be16(t);
    out->tuple.remote_port = get_be16(t + 2);
    p->seq = get_be32(t + 4);
    p->ack = get_be32(t + 8);
    p->flags = (uint16_t)(t[13] | (t[12] & 1 ? SCRIPT_AE : 0));
    p->window = get_be16(t + 14);
    p->urgent = get_be16(t + 18);
    p->option_length = (uint8_t)(header - WIRE_TCP_LENGTH);
    memcpy(p->option, t + WIRE_TCP_LENGTH, p->option_length);
    p->length = (uint32_t)(n - header);
    out->zeroes = true;
    for (size_t i = header; i < n; i++)
        if (t[i] != 0) out->zeroes = false;
    return true;
}

bool script_wire_read(const uint8_t *frame, size_t length, struct script_seen *out) {
    memset(out, 0, sizeof *out);
    struct ip_packet ip;
    out->packet.tos_check = SCRIPT_TOS_BYTE;
    if (!ip_packet_read(frame, length, &ip)) return false;
    out->tuple.local = ip.src;
    out->tuple.remote = ip.dst;
    out->packet.tos = ip.traffic_class;
    return ip.protocol != WIRE_TCP || script_read_tcp(frame + ip.header_length, ip.length, out);
}

/* ---- options --------------------------------------------------------------------------------------- */

uint8_t script_option_length(const uint8_t *option, size_t room) {
    if (room == 0) return 0;
    if (option[0] <= SCRIPT_KIND_NOP) return 1;
    return room < 2 || option[1] < 2 || option[1] > room ? 0 : option[1];
}

uint8_t *script_option_find(struct script_packet *p, uint8_t kind) {
    uint8_t n;
    for (size_t at = 0; (n = script_option_length(p->option + at, p->option_length - at)) != 0; at += n)
        if (p->option[at] == kind) return p->option + at;
    return NULL;
}
