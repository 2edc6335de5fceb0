/* Clients without stacks: see crowd.h. Client c has port CROWD_FIRST + c % CROWD_PORTS of address number c / CROWD_PORTS. */
#include "lab/crowd.h"

#include "base/checksum.h"
#include "lab/ip_packet.h"

#define CROWD_MTU    1500u
#define CROWD_WINDOW 65535u
#define CROWD_MSS    1460u
#define CROWD_TAKEN  16u

static bk_addr crowd_net(bool ipv6, uint32_t number) {
    bk_addr a;
    if (!ipv6) return bk_addr_ipv4(10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number);
    bk_addr_parse("2001:db8:1::", &a);
    put_be32(a.byte + 12, number);
    return a;
}

/* Nobody has number 0. */
bk_addr crowd_address(const struct crowd *w, uint32_t client) {
    return crowd_net(w->ipv6, client / CROWD_PORTS + 1);
}

/* CROWD_NOBODY if there is none. */
static uint32_t crowd_client(const struct crowd *w, const bk_addr *addr, uint16_t port) {
    uint32_t number = get_be32(addr->byte + 12);
    if (!w->ipv6) number &= 0xffffff;
    bk_addr expected = crowd_net(w->ipv6, number);
    uint64_t client = ((uint64_t)number - 1) * CROWD_PORTS + (port - CROWD_FIRST);
    bool known = number != 0 && port >= CROWD_FIRST && port < CROWD_FIRST + CROWD_PORTS && client < CROWD_NOBODY;
    return known && bk_addr_equal(addr, &expected) ? (uint32_t)client : CROWD_NOBODY;
}

int crowd_open(struct crowd *w, bk_stack *stack, bool ipv6, uint16_t port, uint64_t now) {
    const struct bk_iface_config config = {.layer = BK_LAYER_IP, .mtu = CROWD_MTU};
    bk_addr net = crowd_net(ipv6, 0), none = {{0}};
    *w = (struct crowd){.stack = stack, .port = port, .ipv6 = ipv6};
    bk_addr_parse(ipv6 ? "2001:db8:2::1" : "192.0.2.1", &w->server);
    if (!ipv6) bk_addr_parse("0.0.0.0", &none);
    int r = bk_iface_add(stack, &config, now);
    if (r < 0) return r;
    w->iface = (uint32_t)r;
    r = bk_iface_address_add(stack, w->iface, &w->server, ipv6 ? 64 : 24, true, now);
    return r < 0 ? r : bk_route_add(stack, &net, ipv6 ? 96 : 8, &none, w->iface);
}

static size_t crowd_ip_header(const struct crowd *w, const bk_addr *from, size_t length, uint8_t *frame) {
    if (w->ipv6) {
        const struct wire_ipv6 h = {.payload_length = (uint16_t)length,
                                    .next_header = WIRE_TCP,
                                    .hop_limit = 64,
                                    .src = *from,
                                    .dst = w->server};
        return wire_ipv6_emit(frame, &h);
    }
    const struct wire_ipv4 h = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + length),
                                .dont_fragment = true,
                                .ttl = 64,
                                .protocol = WIRE_TCP,
                                .src = *from,
                                .dst = w->server};
    return wire_ipv4_emit(frame, &h);
}

size_t crowd_write(const struct crowd *w, const struct crowd_segment *s, uint8_t frame[CROWD_FRAME]) {
    bk_addr from = crowd_address(w, s->client);
    struct wire_tcp t = {.src_port = (uint16_t)(CROWD_FIRST + s->client % CROWD_PORTS),
                         .dst_port = w->port,
                         .seq = s->seq,
                         .ack = s->ack,
                         .flags = s->flags,
                         .window = CROWD_WINDOW,
                         .option = {.mss = s->flags & WIRE_SYN ? CROWD_MSS : 0,
                                    .has_timestamps = s->timestamps,
                                    .tsval = s->tsval,
                                    .tsecr = s->tsecr}};
    size_t at = w->ipv6 ? WIRE_IPV6_LENGTH : WIRE_IPV4_LENGTH;
    size_t header = wire_tcp_emit(frame + at, &t), length = header + s->length;
    BK_ASSERT(at + length <= CROWD_FRAME, "a client's segment fits a frame");
    memset(frame + at + header, 0, s->length);
    crowd_ip_header(w, &from, length, frame);
    uint64_t sum = checksum_pseudo(&from, &w->server, WIRE_TCP, (uint32_t)length);
    put_be16(frame + at + 16, checksum_finish(checksum_add(sum, frame + at, header))); /* zeroes add nothing */
    return at + length;
}

uint16_t crowd_give(const struct crowd *w, const struct crowd_segment *s, uint64_t now) {
    uint8_t frame[CROWD_FRAME];
    size_t length = crowd_write(w, s, frame);
    return bk_input_copy(w->stack, w->iface, frame, length, now);
}

void crowd_read(const struct crowd *w, const uint8_t *frame, size_t length, struct crowd_segment *s) {
    struct ip_packet ip;
    struct wire_tcp t;
    *s = (struct crowd_segment){.client = CROWD_NOBODY};
    if (!ip_packet_read(frame, length, &ip) || ip.protocol != WIRE_TCP || !ip_packet_sum_agrees(frame, &ip) ||
        !bk_addr_equal(&ip.src, &w->server) ||
        wire_tcp_parse(frame + ip.header_length, ip.length, &t) != BK_REASON_NONE || t.src_port != w->port)
        return;
    s->client = crowd_client(w, &ip.dst, t.dst_port);
    s->seq = t.seq;
    s->ack = t.ack;
    s->flags = t.flags;
    s->timestamps = t.option.has_timestamps;
    s->tsval = t.option.tsval;
    s->tsecr = t.option.tsecr;
    s->length = (uint32_t)ip.length - t.header_length;
}

size_t crowd_take(const struct crowd *w, struct crowd_segment *segments, size_t n, uint64_t now) {
    struct bk_tx unit[CROWD_TAKEN];
    uint32_t id[CROWD_TAKEN];
    size_t taken = 0, more;
    while (taken < n &&
           (more = bk_output(w->stack, w->iface, unit, n - taken < CROWD_TAKEN ? n - taken : CROWD_TAKEN, now)) != 0) {
        for (size_t i = 0; i < more; i++) {
            uint8_t frame[CROWD_FRAME];
            size_t length = bk_tx_write(w->stack, &unit[i], 0, frame, sizeof frame);
            crowd_read(w, frame, length, &segments[taken + i]);
            id[i] = unit[i].id;
        }
        bk_output_done(w->stack, id, more);
        taken += more;
    }
    return taken;
}
