/* The world of fuzz_stack.c, and the frames that arrive in it and leave it: building mostly valid segments, and checking
 * everything that the stack sends. */
#ifndef FUZZ_STACK_WORLD_H
#define FUZZ_STACK_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/common.h"
#include "beckon/render.h"
#include "beckon/stack.h"
#include "beckon/trace.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define FLOWS      6u /* 0 to 3: strangers to the listener; 4 and 5: active opens */
#define CLIENTS_AT 4u
#define USERS      8u
#define HELD       8u
#define FRAME_MAX  4096u
#define PORT       80u

struct input {
    const uint8_t *at;
    size_t left;
};

struct flow {
    uint32_t isn, seq; /* ours: the next to send */
    uint32_t ack;      /* theirs: the next expected */
    uint32_t tsval, tsecr;
    uint16_t remote_port, local_port;
};

struct user {
    bk_conn conn;
    uint32_t received; /* bytes */
    bool held;
};

struct world {
    struct input in;
    uint8_t *region[2]; /* the stack lives in one; the other is for copies */
    size_t size;
    int where;
    bk_stack *stack;
    uint64_t now;
    bool ethernet, answer_neighbours;
    bk_addr local, remote;
    struct flow flow[FLOWS];
    struct user user[USERS];
    bk_listener listener;
    uint32_t held_unit[HELD], held_units;
    uint32_t held_chunk[HELD], held_chunks;
    uint8_t last_sent[128]; /* the latest TCP packet that left, from its IP header on: ICMP errors quote it */
    size_t last_sent_length;
};

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);                                 \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static bool tracing;

static void show(struct world *w, const char *what, uint32_t number) {
    struct bk_event event;
    if (!tracing) return;
    while (bk_trace_read(w->stack, &event, 1, NULL) == 1) bk_event_json(&event, NULL, bk_text_to_file, stderr);
    fprintf(stderr, "---- %s %u\n", what, (unsigned)number);
}

/* ---- the input ------------------------------------------------------------------------------------- */

static uint32_t take(struct input *in, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes && in->left > 0; i++, in->left--) value = value << 8 | *in->at++;
    return value;
}

static uint8_t pattern(uint32_t seq) {
    return (uint8_t)(seq * 167u ^ seq >> 8);
}

/* A step from a number: nearly always a small one. */
static uint32_t take_step(struct input *in) {
    static const uint32_t steps[] = {0, 0, 0, 0, 0, 0, 1, UINT32_MAX, 10, UINT32_MAX - 9, 100, 1000, 65535, 0x7fffffff};
    uint32_t choice = take(in, 1) % (BK_COUNT(steps) + 2);
    return choice < BK_COUNT(steps) ? steps[choice] : take(in, choice == BK_COUNT(steps) ? 1 : 4);
}

/* ---- frames in ------------------------------------------------------------------------------------- */

/* Puts link and IP headers before n bytes at l4, which stand at frame + 14 + 40; returns where the frame begins. */
static uint8_t *frame_finish(struct world *w, uint8_t *l4, size_t n, uint8_t protocol, bool ipv4, size_t *length) {
    uint8_t *l3 = l4 - (ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH);
    if (ipv4) {
        struct wire_ipv4 ip = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + n),
                               .ttl = 255,
                               .protocol = protocol,
                               .src = w->remote,
                               .dst = w->local};
        wire_ipv4_emit(l3, &ip);
    } else {
        struct wire_ipv6 ip = {.payload_length = (uint16_t)n,
                               .next_header = protocol,
                               .hop_limit = 255,
                               .src = w->remote,
                               .dst = w->local};
        wire_ipv6_emit(l3, &ip);
    }
    uint8_t *start = l3;
    if (w->ethernet) {
        struct wire_ethernet e = {.dst = {2, 0, 0, 0, 0, 1},
                                  .src = {2, 0, 0, 0, 0, 2},
                                  .type = ipv4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6};
        start -= WIRE_ETHERNET_LENGTH;
        wire_ethernet_emit(start, &e);
    }
    *length = (size_t)(l4 - start) + n;
    return start;
}

/* Lets a frame arrive: copied by the stack, or in chunks as a device would fill them, cut in two at an odd place. */
static void frame_arrives(struct world *w, const uint8_t *frame, size_t length, uint8_t how) {
    uint32_t chunks[3], size = bk_config_of(w->stack)->chunk_size;
    size_t first = how % 97 + 80;
    if ((how & 128) == 0 || length > 2 * (size_t)size || first > size ||
        length - (first < length ? first : length) > size) {
        bk_input_copy(w->stack, 0, frame, length, w->now);
        return;
    }
    if (first > length) first = length;
    size_t count = first < length ? 2 : 1, have = bk_chunk_alloc(w->stack, chunks, count);
    if (have < count) {
        bk_chunk_release(w->stack, chunks, have);
        return;
    }
    struct bk_part parts[2] = {{chunks[0], 0, (uint16_t)first}, {chunks[1], 0, (uint16_t)(length - first)}};
    memcpy(bk_chunk_data(w->stack, chunks[0]), frame, first);
    if (count == 2) memcpy(bk_chunk_data(w->stack, chunks[1]), frame + first, length - first);
    struct bk_rx rx = {.parts = parts,
                       .part_count = (uint16_t)count,
                       .flags = how & 64 ? BK_RX_CHECKSUM_VALID : 0,
                       .gso_size = how & 32 ? 100 : 0};
    bk_input(w->stack, 0, &rx, 1, w->now);
    MUST(rx.reason < BK_REASON_COUNT);
}

static void segment_options(struct world *w, struct flow *f, struct wire_tcp *t, uint8_t which) {
    t->option.has_timestamps = which & 1;
    if (which & 2) f->tsval += which >> 4;
    t->option.tsval = which & 4 ? f->tsval - 100 : f->tsval;
    t->option.tsecr = f->tsecr;
    if ((t->flags & WIRE_SYN) == 0) return;
    t->option.mss = which & 8 ? (uint16_t)take(&w->in, 2) : 1000;
    t->option.has_wscale = which & 16;
    t->option.wscale = (uint8_t)(which >> 5);
    t->option.sack_permitted = which & 64;
}

static void segment_arrives_from_flow(struct world *w) {
    static const uint8_t flags[] = {WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_ACK,
                                    WIRE_SYN,
                                    WIRE_SYN,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_FIN | WIRE_ACK,
                                    WIRE_RST,
                                    WIRE_RST | WIRE_ACK,
                                    WIRE_SYN | WIRE_ACK,
                                    WIRE_ACK | WIRE_URG};
    static const uint16_t lengths[] = {0, 0, 0, 1, 10, 100, 500, 900, 1400};
    uint8_t buffer[FRAME_MAX];
    struct flow *f = &w->flow[take(&w->in, 1) % FLOWS];
    uint32_t choice = take(&w->in, 1), options, how;
    struct wire_tcp t = {.src_port = f->remote_port, .dst_port = f->local_port};
    t.flags = choice < 240 ? flags[choice % BK_COUNT(flags)] : (uint8_t)take(&w->in, 1);
    size_t n = lengths[take(&w->in, 1) % BK_COUNT(lengths)];
    uint32_t seq_step = take_step(&w->in), ack_step = take_step(&w->in);
    options = take(&w->in, 1);
    how = take(&w->in, 1);
    if (t.flags & WIRE_SYN) {
        if (how & 1) f->isn = f->seq + 1000 * (how & 15); /* the next incarnation */
        f->seq = f->isn;
        n = how & 16 ? n : 0;
    }
    t.seq = f->seq + seq_step;
    t.ack = f->ack + ack_step;
    t.window = how & 2 ? (uint16_t)take(&w->in, 2) : how & 4 ? 0 : 60000;
    t.urgent = t.flags & WIRE_URG ? (uint16_t)take(&w->in, 2) : 0;
    segment_options(w, f, &t, (uint8_t)options);

    uint8_t *l4 = buffer + WIRE_ETHERNET_LENGTH + WIRE_IPV6_LENGTH;
    size_t header = wire_tcp_emit(l4, &t), length;
    uint32_t data_seq = t.seq + ((t.flags & WIRE_SYN) != 0);
    for (size_t i = 0; i < n; i++) l4[header + i] = pattern(data_seq + (uint32_t)i);
    uint64_t sum = checksum_pseudo(&w->remote, &w->local, WIRE_TCP, (uint32_t)(header + n));
    put_be16(l4 + 16, checksum_finish(checksum_add(sum, l4, header + n)));
    uint8_t *start = frame_finish(w, l4, header + n, WIRE_TCP, bk_addr_is_ipv4(&w->local), &length);
    frame_arrives(w, start, length, (uint8_t)how);
    if (seq_step == 0) f->seq += (uint32_t)n + ((t.flags & WIRE_SYN) != 0) + ((t.flags & WIRE_FIN) != 0);
}

static void raw_frame_arrives(struct world *w) {
    uint8_t buffer[FRAME_MAX];
    size_t n = take(&w->in, 1) * 2;
    if (n > w->in.left) n = w->in.left;
    memcpy(buffer, w->in.at, n);
    w->in.at += n;
    w->in.left -= n;
    frame_arrives(w, buffer, n, (uint8_t)take(&w->in, 1));
}

/* Any protocol's message with valid IP around it. */
static void packet_arrives(struct world *w) {
    static const uint8_t protocols[] = {WIRE_ICMP,     WIRE_ICMPV6,      WIRE_UDP,
                                        WIRE_FRAGMENT, WIRE_DESTINATION, WIRE_HOP_BY_HOP};
    uint8_t buffer[FRAME_MAX];
    uint8_t *l4 = buffer + WIRE_ETHERNET_LENGTH + WIRE_IPV6_LENGTH;
    uint8_t protocol = protocols[take(&w->in, 1) % BK_COUNT(protocols)];
    bool ipv4 = bk_addr_is_ipv4(&w->local);
    size_t n = take(&w->in, 1), length;
    if (n > w->in.left) n = w->in.left;
    memcpy(l4, w->in.at, n);
    w->in.at += n;
    w->in.left -= n;
    if (n >= 8 && (protocol == WIRE_ICMP || protocol == WIRE_ICMPV6)) {
        put_be16(l4 + 2, 0);
        uint64_t sum = ipv4 ? 0 : checksum_pseudo(&w->remote, &w->local, protocol, (uint32_t)n);
        put_be16(l4 + 2, checksum_finish(checksum_add(sum, l4, n)));
    }
    uint8_t *start = frame_finish(w, l4, n, protocol, ipv4, &length);
    frame_arrives(w, start, length, (uint8_t)take(&w->in, 1));
}

/* An ICMP error about the latest segment that left. */
static void error_arrives(struct world *w) {
    uint8_t buffer[FRAME_MAX];
    uint8_t *l4 = buffer + WIRE_ETHERNET_LENGTH + WIRE_IPV6_LENGTH;
    bool ipv4 = bk_addr_is_ipv4(&w->local);
    struct wire_icmp m = {.code = (uint8_t)take(&w->in, 1) % 16, .rest = take(&w->in, 2)};
    m.type = ipv4 ? WIRE_ICMP_UNREACHABLE : (uint8_t)(1 + take(&w->in, 1) % 4);
    wire_icmp_emit(l4, &m);
    memcpy(l4 + WIRE_ICMP_LENGTH, w->last_sent, w->last_sent_length);
    size_t n = WIRE_ICMP_LENGTH + w->last_sent_length, length;
    uint8_t protocol = ipv4 ? WIRE_ICMP : WIRE_ICMPV6;
    uint64_t sum = ipv4 ? 0 : checksum_pseudo(&w->remote, &w->local, protocol, (uint32_t)n);
    put_be16(l4 + 2, checksum_finish(checksum_add(sum, l4, n)));
    uint8_t *start = frame_finish(w, l4, n, protocol, ipv4, &length);
    frame_arrives(w, start, length, 0);
}

/* ---- frames out ------------------------------------------------------------------------------------ */

static void arp_leaves(struct world *w, const uint8_t *arp, size_t n) {
    struct wire_arp a;
    uint8_t frame[WIRE_ETHERNET_LENGTH + WIRE_ARP_LENGTH];
    MUST(wire_arp_parse(arp, n, &a) == BK_REASON_NONE);
    if (!w->answer_neighbours || a.op != WIRE_ARP_REQUEST) return;
    struct wire_arp reply = {.op = WIRE_ARP_REPLY,
                             .sender_mac = {2, 0, 0, 0, 0, 2},
                             .target_mac = {2, 0, 0, 0, 0, 1},
                             .sender = a.target,
                             .target = a.sender};
    struct wire_ethernet e = {.dst = {2, 0, 0, 0, 0, 1}, .src = {2, 0, 0, 0, 0, 2}, .type = WIRE_ETHERTYPE_ARP};
    wire_ethernet_emit(frame, &e);
    wire_arp_emit(frame + WIRE_ETHERNET_LENGTH, &reply);
    bk_input_copy(w->stack, 0, frame, sizeof frame, w->now);
}

static void solicitation_leaves(struct world *w, const uint8_t *message, size_t n) {
    struct wire_neighbor solicitation, advertisement = {.solicited = true, .override = true, .has_mac = true};
    uint8_t buffer[256], *l4 = buffer + WIRE_ETHERNET_LENGTH + WIRE_IPV6_LENGTH;
    size_t length;
    MUST(wire_neighbor_parse(message, n, &solicitation) == BK_REASON_NONE);
    if (!w->answer_neighbours || !bk_addr_equal(&solicitation.target, &w->remote)) return;
    advertisement.target = solicitation.target;
    advertisement.mac[0] = advertisement.mac[5] = 2;
    n = wire_neighbor_emit(l4, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &advertisement);
    uint64_t sum = checksum_pseudo(&w->remote, &w->local, WIRE_ICMPV6, (uint32_t)n);
    put_be16(l4 + 2, checksum_finish(checksum_add(sum, l4, n)));
    uint8_t *start = frame_finish(w, l4, n, WIRE_ICMPV6, false, &length);
    bk_input_copy(w->stack, 0, start, length, w->now);
}

static void segment_leaves(struct world *w, const bk_addr *src, const bk_addr *dst, const uint8_t *l4, size_t n) {
    struct wire_tcp t;
    MUST(wire_tcp_parse(l4, n, &t) == BK_REASON_NONE);
    MUST(checksum_fold(checksum_add(checksum_pseudo(src, dst, WIRE_TCP, (uint32_t)n), l4, n)) == 0xffff);
    MUST((t.flags & (WIRE_SYN | WIRE_FIN)) != (WIRE_SYN | WIRE_FIN));
    MUST((t.flags & WIRE_RST) == 0 || n == t.header_length);
    for (struct flow *f = w->flow; f < w->flow + FLOWS; f++) {
        if (f->remote_port != t.dst_port || f->local_port != t.src_port || (t.flags & WIRE_RST)) continue;
        f->ack = t.seq + (uint32_t)(n - t.header_length) + ((t.flags & WIRE_SYN) != 0) + ((t.flags & WIRE_FIN) != 0);
        f->tsecr = t.option.tsval;
    }
}

static void frame_leaves(struct world *w, const uint8_t *p, size_t n) {
    if (w->ethernet) {
        struct wire_ethernet e;
        MUST(wire_ethernet_parse(p, n, &e) == BK_REASON_NONE);
        p += WIRE_ETHERNET_LENGTH;
        n -= WIRE_ETHERNET_LENGTH;
        if (e.type == WIRE_ETHERTYPE_ARP) {
            arp_leaves(w, p, n);
            return;
        }
        MUST(e.type == ((p[0] >> 4) == 4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6));
    }
    bk_addr src, dst;
    const uint8_t *l4;
    size_t length;
    uint8_t protocol;
    if (p[0] >> 4 == 4) {
        struct wire_ipv4 ip;
        MUST(wire_ipv4_parse(p, n, n, &ip) == BK_REASON_NONE);
        MUST(ip.total_length == n);
        src = ip.src, dst = ip.dst, protocol = ip.protocol;
        l4 = p + ip.header_length;
        length = n - ip.header_length;
    } else {
        struct wire_ipv6 ip;
        MUST(wire_ipv6_parse(p, n, &ip) == BK_REASON_NONE);
        MUST(WIRE_IPV6_LENGTH + ip.payload_length == n);
        src = ip.src, dst = ip.dst, protocol = ip.next_header;
        l4 = p + WIRE_IPV6_LENGTH;
        length = ip.payload_length;
    }
    if (protocol == WIRE_TCP) {
        segment_leaves(w, &src, &dst, l4, length);
        w->last_sent_length = n < sizeof w->last_sent ? n : sizeof w->last_sent;
        memcpy(w->last_sent, p, w->last_sent_length);
    } else if (protocol == WIRE_ICMP) {
        MUST(length >= WIRE_ICMP_LENGTH && checksum_fold(checksum_add(0, l4, length)) == 0xffff);
    } else if (protocol == WIRE_ICMPV6) {
        uint64_t sum = checksum_pseudo(&src, &dst, WIRE_ICMPV6, (uint32_t)length);
        MUST(length >= WIRE_ICMP_LENGTH && checksum_fold(checksum_add(sum, l4, length)) == 0xffff);
        if (l4[0] == WIRE_ICMPV6_NEIGHBOR_SOLICITATION) solicitation_leaves(w, l4, length);
    }
}

#endif
