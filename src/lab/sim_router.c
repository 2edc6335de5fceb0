/* The way between the hosts of a simulation: one router, or none.
 *
 * The router forwards by destination address. A packet that does not fit the path it has to take is answered with ICMP "fragmentation
 * needed" (RFC 1191 4; RFC 792) or "packet too big" (RFC 4443 3.2), unless the scenario makes it a black hole; it never fragments,
 * since Beckon's packets all say DF. What comes for nobody, and what is no IP any more because a bit was flipped, is dropped in silence.
 * The answer takes the same path down to the sender as everything does. Where two hosts are joined directly the answer comes from somewhere
 * on the way. */
#include "base/checksum.h"
#include "base/common.h"
#include "lab/ip_packet.h"
#include "lab/sim_world.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"

#define ROUTER_QUOTE_IPV4 28u   /* header and 8 octets: the least, and what many routers send (RFC 792) */
#define ROUTER_QUOTE_IPV6 1232u /* as much as fits 1,280 (RFC 4443 3.2) */

static bk_addr router_addr(const struct scenario *s) {
    bk_addr a = sim_host_addr(s, 0);
    put_be16(a.byte + 14, 0xfffe);
    return a;
}

static size_t router_ip_at(const struct sim_world *w) {
    return w->plan.ethernet ? WIRE_ETHERNET_LENGTH : 0;
}

static size_t router_icmp_ipv4(uint8_t *to, const uint8_t *ip, size_t n, const bk_addr *from, const bk_addr *sender,
                               uint32_t mtu) {
    size_t quote = n < ROUTER_QUOTE_IPV4 ? n : ROUTER_QUOTE_IPV4, length = WIRE_ICMP_LENGTH + quote;
    const struct wire_ipv4 h = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + length),
                                .header_length = WIRE_IPV4_LENGTH,
                                .ttl = 64,
                                .protocol = WIRE_ICMP,
                                .src = *from,
                                .dst = *sender};
    const struct wire_icmp m = {.type = WIRE_ICMP_UNREACHABLE, .code = WIRE_ICMP_FRAGMENTATION_NEEDED, .rest = mtu};
    uint8_t *icmp = to + wire_ipv4_emit(to, &h);
    memcpy(icmp + wire_icmp_emit(icmp, &m), ip, quote);
    put_be16(icmp + 2, checksum_finish(checksum_add(0, icmp, length)));
    return WIRE_IPV4_LENGTH + length;
}

static size_t router_icmp_ipv6(uint8_t *to, const uint8_t *ip, size_t n, const bk_addr *from, const bk_addr *sender,
                               uint32_t mtu) {
    size_t quote = n < ROUTER_QUOTE_IPV6 ? n : ROUTER_QUOTE_IPV6, length = WIRE_ICMP_LENGTH + quote;
    const struct wire_ipv6 h = {
        .payload_length = (uint16_t)length, .next_header = WIRE_ICMPV6, .hop_limit = 64, .src = *from, .dst = *sender};
    const struct wire_icmp m = {.type = WIRE_ICMPV6_TOO_BIG, .rest = mtu};
    uint8_t *icmp = to + wire_ipv6_emit(to, &h);
    memcpy(icmp + wire_icmp_emit(icmp, &m), ip, quote);
    uint64_t sum = checksum_pseudo(from, sender, WIRE_ICMPV6, (uint32_t)length);
    put_be16(icmp + 2, checksum_finish(checksum_add(sum, icmp, length)));
    return WIRE_IPV6_LENGTH + length;
}

/* Tells the sender that its packet is too big for the next path. */
static void router_too_big(struct sim_world *w, const uint8_t *frame, size_t length, uint32_t mtu) {
    uint8_t answer[WIRE_ETHERNET_LENGTH + 1280];
    size_t at = router_ip_at(w);
    bk_addr own = router_addr(&w->plan);
    struct ip_packet ip;
    w->statistics.too_big++;
    if (w->plan.black_hole || length < at || !ip_packet_read(frame + at, length - at, &ip)) return;
    uint32_t to = sim_host_of(w, &ip.src);
    if (to == UINT32_MAX || ip.protocol == WIRE_ICMP || ip.protocol == WIRE_ICMPV6) return; /* RFC 1122 3.2.2 */
    if (w->plan.ethernet) {
        memcpy(answer, frame + 6, 6);
        memcpy(answer + 6, frame, 6);
        memcpy(answer + 12, frame + 12, 2);
    }
    size_t n = (w->plan.family == 4 ? router_icmp_ipv4 : router_icmp_ipv6)(answer + at, frame + at, length - at, &own,
                                                                           &ip.src, mtu);
    struct path *back = w->plan.routed ? w->host[to].down : w->host[1 - to].up;
    (void)path_enter(back, answer, at + n, w->now);
}

void sim_forward_up(struct sim_world *w, uint32_t from, const uint8_t *frame, size_t length) {
    struct path *up = w->host[from].up;
    if (path_enter(up, frame, length, w->now) == PATH_TOO_BIG) router_too_big(w, frame, length, path_mtu(up, w->now));
}

void sim_forward(struct sim_world *w, uint32_t from, uint8_t *frame, size_t length) {
    struct ip_packet ip;
    uint32_t to = UINT32_MAX;
    if (ip_packet_read(frame, length, &ip)) to = sim_host_of(w, &ip.dst);
    if (to == UINT32_MAX || to == from) {
        w->statistics.astray++;
        return;
    }
    w->statistics.forwarded++;
    struct path *down = w->host[to].down;
    if (path_enter(down, frame, length, w->now) == PATH_TOO_BIG)
        router_too_big(w, frame, length, path_mtu(down, w->now));
}
