/* SYNs from spoofed addresses; see syn.h. */
#include "syn.h"

#include <string.h>

#include "base/checksum.h"
#include "base/common.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define SYN_UNITS 64u
#define SYN_TTL   64u

/* Where number n comes from: 24 bits of it are in the address, 8 in the port, and the order is that of no list. */
static bk_addr syn_address(const struct syn_source *s, uint32_t scattered) {
    bk_addr a = s->to;
    if (bk_addr_is_ipv4(&s->to))
        return bk_addr_ipv4(11, (uint8_t)(scattered >> 24), (uint8_t)(scattered >> 16), (uint8_t)(scattered >> 8));
    a.byte[7] = 1; /* another network */
    for (uint32_t i = 0; i < 3; i++) a.byte[13 + i] = (uint8_t)(scattered >> (24 - 8 * i));
    return a;
}

size_t syn_next(struct syn_source *s, uint8_t frame[SYN_LENGTH_MAX]) {
    uint32_t n = (uint32_t)s->made++, scattered = n * 2654435761u; /* odd: no two are the same */
    const bk_addr from = syn_address(s, scattered);
    struct wire_tcp tcp = {.src_port = (uint16_t)(1024 + (scattered & 0xff) * 8),
                           .dst_port = s->port,
                           .seq = n * 40503u,
                           .flags = WIRE_SYN,
                           .window = 65535,
                           .option = {.mss = 1460, .has_wscale = true, .wscale = 7, .sack_permitted = true}};
    bool v4 = bk_addr_is_ipv4(&s->to);
    size_t length = WIRE_TCP_LENGTH + wire_tcp_options_length(&tcp.option);
    size_t at = v4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH;
    const struct wire_ipv4 v4_header = {.header_length = WIRE_IPV4_LENGTH,
                                        .total_length = (uint16_t)(at + length),
                                        .dont_fragment = true,
                                        .ttl = SYN_TTL,
                                        .protocol = WIRE_TCP,
                                        .src = from,
                                        .dst = s->to};
    const struct wire_ipv6 v6_header = {
        .payload_length = (uint16_t)length, .next_header = WIRE_TCP, .hop_limit = SYN_TTL, .src = from, .dst = s->to};
    if (v4)
        wire_ipv4_emit(frame, &v4_header);
    else
        wire_ipv6_emit(frame, &v6_header);
    wire_tcp_emit(frame + at, &tcp);
    uint64_t sum = checksum_pseudo(&from, &s->to, WIRE_TCP, (uint32_t)length);
    put_be16(frame + at + 16, checksum_finish(checksum_add(sum, frame + at, length)));
    return at + length;
}

int syn_iface(bk_stack *stack, const bk_addr *to, uint64_t now) {
    const struct bk_iface_config config = {.layer = BK_LAYER_IP, .mtu = 1500};
    bool v4 = bk_addr_is_ipv4(to);
    bk_addr none = v4 ? bk_addr_ipv4(0, 0, 0, 0) : (bk_addr){{0}};
    int iface = bk_iface_add(stack, &config, now);
    int r = iface < 0 ? iface : bk_iface_address_add(stack, (uint32_t)iface, to, v4 ? 24 : 64, true, now);
    if (r == 0) r = bk_route_add(stack, &none, 0, &none, (uint32_t)iface);
    return r < 0 ? r : iface;
}

uint64_t syn_drop_output(bk_stack *stack, uint32_t iface, uint64_t now) {
    struct bk_tx units[SYN_UNITS];
    uint32_t ids[SYN_UNITS];
    uint64_t dropped = 0;
    for (size_t n; (n = bk_output(stack, iface, units, SYN_UNITS, now)) > 0; dropped += n) {
        for (size_t i = 0; i < n; i++) ids[i] = units[i].id;
        bk_output_done(stack, ids, n);
    }
    return dropped;
}
