/* A stack with one interface and a pen: tests of the network layer write the frames that arrive, byte by byte where it
 * matters, and read those that leave.
 *
 * The stack is 192.0.2.1 and 2001:db8::1, its peer 192.0.2.2 and 2001:db8::2. Time is virtual: `pass` moves it on from
 * deadline to deadline, so nothing depends on how fast the machine is. Everything goes through the public interface.
 */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "beckon/stack.h"
#include "beckon/trace.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define OUT_MAX     128u
#define FRAME_MAX   9014u
#define SECOND      UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 3};
static const uint8_t all_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* A frame that left. */
struct out {
    uint8_t bytes[FRAME_MAX];
    size_t length;
    uint16_t reason;
    uint32_t iface;
    bool seen;
};

struct world {
    bk_stack *stack;
    void *region;
    uint64_t now;
    uint32_t ifaces;
    bool layer3;
    struct out *out;
    uint32_t out_count;
};

/* What a test asks of its world; zero is the usual. */
struct world_options {
    bool layer3, accept_any, autoconfigure, no_ipv4, no_ipv6;
    uint32_t neighbours, reassemblies, frames, connections, mtu;
    uint8_t hop_limit;
    const struct bk_steering *steering;
};

static inline bk_addr ip(const char *text) {
    bk_addr a;
    assert_int_equal(bk_addr_parse(text, &a), 0);
    return a;
}

/* Takes what the stack has to send, into w->out. */
static inline void collect(struct world *w) {
    for (uint32_t i = 0; i < w->ifaces; i++) {
        struct bk_tx unit;
        while (bk_output(w->stack, i, &unit, 1, w->now) == 1) {
            assert_true(w->out_count < OUT_MAX);
            struct out *o = &w->out[w->out_count++];
            o->reason = unit.reason;
            o->iface = i;
            o->seen = false;
            o->length = bk_tx_write(w->stack, &unit, 0, o->bytes, sizeof o->bytes);
            assert_int_not_equal(o->length, 0);
            bk_output_done(w->stack, &unit.id, 1);
        }
    }
}

static inline uint32_t iface_add(struct world *w, const struct world_options *o, const uint8_t mac[6]) {
    struct bk_iface_config c = {.layer = o->layer3 ? BK_LAYER_IP : BK_LAYER_ETHERNET,
                                .mtu = o->mtu != 0 ? o->mtu : 1500,
                                .hop_limit = o->hop_limit,
                                .accept_any = o->accept_any,
                                .autoconfigure = o->autoconfigure};
    memcpy(c.mac, mac, 6);
    int number = bk_iface_add(w->stack, &c, w->now);
    assert_true(number >= 0);
    w->ifaces++;
    return (uint32_t)number;
}

/* Makes a world; our MLD reports of the first seconds are over when it returns. */
static inline struct world *world_open(const struct world_options *given) {
    static const uint8_t seed[32] = {1, 2, 3};
    struct world_options none = {0};
    const struct world_options *o = given != NULL ? given : &none;
    struct bk_config c;
    bk_config_default(&c);
    c.connections = c.active_connections = o->connections != 0 ? o->connections : 16;
    c.interfaces = 4;
    c.addresses = 8;
    c.routes = 8;
    c.neighbours = o->neighbours != 0 ? o->neighbours : 16;
    c.reassemblies = o->reassemblies != 0 ? o->reassemblies : 4;
    c.frames = o->frames != 0 ? o->frames : 64;
    c.chunk_size = 2048;
    c.chunks = 512;
    c.buffer_chunks = 256;
    c.rto_initial_ms = 60000; /* no segment is sent twice while a test looks */
    c.rto_max_ms = 120000;
    if (o->steering != NULL) c.steering = *o->steering;

    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->out = calloc(OUT_MAX, sizeof *w->out);
    assert_non_null(w->out);
    size_t size = bk_region_size(&c);
    assert_int_not_equal(size, 0);
    w->region = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
    assert_non_null(w->region);
    w->now = SECOND;
    w->layer3 = o->layer3;
    const char *why = "";
    assert_int_equal(bk_create(w->region, size, &c, seed, w->now, &w->stack, &why), 0);
    uint32_t iface = iface_add(w, o, our_mac);
    bk_addr a4 = ip("192.0.2.1"), a6 = ip("2001:db8::1");
    if (!o->no_ipv4) assert_int_equal(bk_iface_address_add(w->stack, iface, &a4, 24, true, w->now), 0);
    if (!o->no_ipv6) assert_int_equal(bk_iface_address_add(w->stack, iface, &a6, 64, true, w->now), 0);
    return w;
}

static inline void world_close(struct world *w) {
    free(w->region);
    free(w->out);
    free(w);
}

/* Lets time pass, doing what is due when it is due. */
static inline void pass(struct world *w, uint64_t ns) {
    uint64_t end = w->now + ns;
    uint32_t rounds = 0;
    for (uint64_t next; (next = bk_next_deadline(w->stack)) <= end;) {
        assert_true(rounds++ < 100000); /* time moves */
        w->now = next > w->now ? next : w->now;
        bk_advance(w->stack, w->now);
        collect(w);
    }
    w->now = end;
}

/* Forgets what left so far. */
static inline void forget(struct world *w) {
    w->out_count = 0;
}
/* Forgets the multicast reports of addresses that are added when a world opens. */
static inline void settle(struct world *w) {
    pass(w, 3 * SECOND);
    forget(w);
}

/* The next frame not yet looked at that was sent for this reason, or NULL. */
static inline const struct out *sent(struct world *w, uint16_t reason) {
    for (uint32_t i = 0; i < w->out_count; i++) {
        if (w->out[i].seen || w->out[i].reason != reason) continue;
        w->out[i].seen = true;
        return &w->out[i];
    }
    return NULL;
}
static inline const struct out *expect_sent(struct world *w, uint16_t reason) {
    const struct out *o = sent(w, reason);
    if (o == NULL) fail_msg("not sent: %s", bk_reason_name(reason));
    return o;
}
static inline void expect_silence(struct world *w) {
    for (uint32_t i = 0; i < w->out_count; i++)
        if (!w->out[i].seen) fail_msg("sent: %s", bk_reason_name(w->out[i].reason));
}

/* ---- frames that arrive ---- */

struct pen {
    uint8_t bytes[FRAME_MAX];
    size_t length;
};

static inline uint16_t arrives_on(struct world *w, uint32_t iface, const struct pen *f) {
    uint16_t reason = bk_input_copy(w->stack, iface, f->bytes, f->length, w->now);
    collect(w);
    return reason;
}
static inline uint16_t arrives(struct world *w, const struct pen *f) {
    return arrives_on(w, 0, f);
}
#define assert_reason(got, name)                                                                                       \
    do {                                                                                                               \
        uint16_t got_reason = (got);                                                                                   \
        if (got_reason != BK_REASON_##name) fail_msg("%s, not %s", bk_reason_name(got_reason), #name);                 \
    } while (0)

static inline void put(struct pen *f, const void *bytes, size_t n) {
    assert_true(f->length + n <= sizeof f->bytes);
    memcpy(f->bytes + f->length, bytes, n);
    f->length += n;
}
static inline void ethernet(struct pen *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type) {
    struct wire_ethernet e = {.type = type};
    memcpy(e.dst, dst, 6);
    memcpy(e.src, src, 6);
    f->length = wire_ethernet_emit(f->bytes, &e);
}

/* Who sends to whom, in which family. */
struct line {
    bk_addr src, dst;
    const uint8_t *src_mac, *dst_mac;
    uint8_t hop_limit;
};
static inline struct line line(const char *src, const char *dst) {
    return (struct line){.src = ip(src), .dst = ip(dst), .src_mac = peer_mac, .dst_mac = our_mac, .hop_limit = 64};
}

/* An IP packet with this payload, on Ethernet unless the world is of layer 3. */
static inline void packet(const struct world *w, struct pen *f, const struct line *l, uint8_t protocol,
                          const void *payload, size_t n) {
    bool ipv4 = bk_addr_is_ipv4(&l->dst);
    f->length = 0;
    if (!w->layer3) ethernet(f, l->dst_mac, l->src_mac, ipv4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6);
    if (ipv4) {
        struct wire_ipv4 h = {.header_length = 20,
                              .total_length = (uint16_t)(20 + n),
                              .dont_fragment = true,
                              .ttl = l->hop_limit,
                              .protocol = protocol,
                              .src = l->src,
                              .dst = l->dst};
        f->length += wire_ipv4_emit(f->bytes + f->length, &h);
    } else {
        struct wire_ipv6 h = {.payload_length = (uint16_t)n,
                              .next_header = protocol,
                              .hop_limit = l->hop_limit,
                              .src = l->src,
                              .dst = l->dst};
        f->length += wire_ipv6_emit(f->bytes + f->length, &h);
    }
    put(f, payload, n);
}

/* Completes the checksum of message[0..n) at offset `at`. */
static inline void complete(const struct line *l, uint8_t protocol, uint8_t *message, size_t n, size_t at) {
    put_be16(message + at, 0);
    uint64_t sum = protocol == WIRE_ICMP ? 0 : checksum_pseudo(&l->src, &l->dst, protocol, (uint32_t)n);
    put_be16(message + at, checksum_finish(checksum_add(sum, message, n)));
}
static inline uint8_t icmp_of(const struct line *l) {
    return bk_addr_is_ipv4(&l->dst) ? WIRE_ICMP : WIRE_ICMPV6;
}
/* Completes an ICMP message and makes a packet of it. */
static inline void icmp(const struct world *w, struct pen *f, const struct line *l, uint8_t *message, size_t n) {
    complete(l, icmp_of(l), message, n, 2);
    packet(w, f, l, icmp_of(l), message, n);
}
static inline uint16_t arrives_icmp(struct world *w, const struct line *l, uint8_t *message, size_t n) {
    struct pen f;
    icmp(w, &f, l, message, n);
    return arrives(w, &f);
}
static inline uint16_t arrives_udp(struct world *w, const struct line *l) {
    struct pen f;
    uint8_t m[12] = {0};
    wire_udp_emit(m, &(struct wire_udp){.src_port = 1000, .dst_port = 2000, .length = sizeof m});
    complete(l, WIRE_UDP, m, sizeof m, 6);
    packet(w, &f, l, WIRE_UDP, m, sizeof m);
    return arrives(w, &f);
}
/* A TCP segment without options and data. */
static inline void segment(const struct world *w, struct pen *f, const struct line *l, const struct wire_tcp *t) {
    uint8_t m[WIRE_TCP_LENGTH_MAX];
    struct wire_tcp header = *t;
    size_t n = wire_tcp_emit(m, &header);
    complete(l, WIRE_TCP, m, n, 16);
    packet(w, f, l, WIRE_TCP, m, n);
}
static inline uint16_t arrives_tcp(struct world *w, const struct line *l, const struct wire_tcp *t) {
    struct pen f;
    segment(w, &f, l, t);
    return arrives(w, &f);
}

/* Neighbour discovery: hop limit 255 and the rest as given. */
static inline uint16_t arrives_neighbor(struct world *w, struct line l, uint8_t type, const struct wire_neighbor *m) {
    uint8_t message[64];
    l.hop_limit = 255;
    return arrives_icmp(w, &l, message, wire_neighbor_emit(message, type, m));
}
static inline uint16_t arrives_ra(struct world *w, const struct wire_ra *ra) {
    uint8_t message[160];
    struct line l = line("fe80::2", "ff02::1");
    static const uint8_t group_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
    l.dst_mac = group_mac;
    l.hop_limit = 255;
    return arrives_icmp(w, &l, message, wire_ra_emit(message, ra));
}
static inline uint16_t arrives_arp(struct world *w, uint16_t op, const char *sender, const uint8_t sender_mac[6],
                                   const char *target) {
    struct pen f;
    struct wire_arp a = {.op = op, .sender = ip(sender), .target = ip(target)};
    memcpy(a.sender_mac, sender_mac, 6);
    if (op == WIRE_ARP_REPLY) memcpy(a.target_mac, our_mac, 6);
    ethernet(&f, op == WIRE_ARP_REPLY ? our_mac : all_mac, sender_mac, WIRE_ETHERTYPE_ARP);
    f.length += wire_arp_emit(f.bytes + f.length, &a);
    return arrives(w, &f);
}

/* ---- frames that left, read ---- */

struct seen {
    struct wire_ethernet link;
    bk_addr src, dst;
    uint8_t protocol, hop_limit, traffic_class;
    const uint8_t *ip, *payload; /* payload: after the IP header */
    size_t ip_length, length;
};

/* Reads the link and IP headers of a frame that left, and checks what every frame must satisfy. */
static inline struct seen look(const struct world *w, const struct out *o) {
    struct seen s = {0};
    const uint8_t *p = o->bytes;
    size_t n = o->length;
    if (!w->layer3) {
        assert_int_equal(wire_ethernet_parse(p, n, &s.link), BK_REASON_NONE);
        p += WIRE_ETHERNET_LENGTH;
        n -= WIRE_ETHERNET_LENGTH;
    }
    s.ip = p;
    s.ip_length = n;
    if (p[0] >> 4 == 4) {
        struct wire_ipv4 h;
        assert_int_equal(wire_ipv4_parse(p, n, n, &h), BK_REASON_NONE);
        assert_int_equal(h.total_length, n);
        s = (struct seen){s.link, h.src, h.dst, h.protocol, h.ttl, h.traffic_class, p, p + 20, n, n - 20};
    } else {
        struct wire_ipv6 h;
        assert_int_equal(wire_ipv6_parse(p, n, &h), BK_REASON_NONE);
        assert_int_equal(h.payload_length + WIRE_IPV6_LENGTH, n);
        s = (struct seen){s.link, h.src, h.dst, h.next_header, h.hop_limit, h.traffic_class, p, p + 40, n, n - 40};
    }
    return s;
}
static inline bool checksum_right(const struct seen *s) {
    uint64_t sum = s->protocol == WIRE_ICMP ? 0 : checksum_pseudo(&s->src, &s->dst, s->protocol, (uint32_t)s->length);
    return checksum_fold(checksum_add(sum, s->payload, s->length)) == 0xffff;
}
static inline void assert_addr(const bk_addr *got, const char *text) {
    bk_addr want = ip(text);
    char buffer[BK_ADDR_TEXT];
    if (!bk_addr_equal(got, &want)) fail_msg("%s, not %s", bk_addr_format(got, buffer), text);
}

/* Opens a connection, so that a SYN leaves; returns bk_tcp_connect's answer. */
static inline int connect_to(struct world *w, const char *remote, uint16_t port) {
    struct bk_tcp_open open = {
        .local = ip(strchr(remote, ':') ? "::" : "0.0.0.0"), .remote = ip(remote), .remote_port = port};
    bk_conn conn;
    int error = bk_tcp_connect(w->stack, &open, w->now, &conn);
    collect(w);
    return error;
}

/* The state of an address as bk_iface_address_get tells it, or -1. */
static inline int address_state(const struct world *w, const char *text) {
    bk_addr want = ip(text);
    struct bk_iface_address a;
    for (uint32_t i = 0; bk_iface_address_get(w->stack, i, &a); i++)
        if (bk_addr_equal(&a.addr, &want)) return a.state;
    return -1;
}
static inline uint64_t count(const struct world *w, uint16_t reason) {
    return bk_reason_count(w->stack, reason);
}
static inline uint32_t in_use(const struct world *w, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(w->stack, pool, &info);
    return info.in_use;
}

#endif
