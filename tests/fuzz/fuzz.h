/* What the worlds of the whole-stack fuzz targets share: reading the input, saying what must hold, building frames that
 * arrive, and checking every frame that leaves. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

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
#include "lab/audit.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);                                 \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A check of the lab's, which says itself what does not hold. */
#define MUST_CHECK(check, fault)                                                                                       \
    do {                                                                                                               \
        if (!(check)) {                                                                                                \
            fprintf(stderr, "%s:%d: must hold: %s: %s\n", __FILE__, __LINE__, #check, (fault).text);                   \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---- the input ------------------------------------------------------------------------------------- */

/* An input that is used up reads as zeroes. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint32_t take(struct input *in, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes && in->left > 0; i++, in->left--) value = value << 8 | *in->at++;
    return value;
}

/* A step from a number: nearly always a small one. */
static inline uint32_t take_step(struct input *in) {
    static const uint32_t steps[] = {0, 0, 0, 0, 0, 0, 1, UINT32_MAX, 10, UINT32_MAX - 9, 100, 1000, 65535, 0x7fffffff};
    uint32_t choice = take(in, 1) % (BK_COUNT(steps) + 2);
    return choice < BK_COUNT(steps) ? steps[choice] : take(in, choice == BK_COUNT(steps) ? 1 : 4);
}

/* Up to `room` bytes as they come; returns how many. */
static inline size_t take_bytes(struct input *in, uint8_t *to, size_t n) {
    if (n > in->left) n = in->left;
    memcpy(to, in->at, n);
    in->at += n;
    in->left -= n;
    return n;
}

/* ---- what is printed ------------------------------------------------------------------------------- */

/* BECKON_FUZZ_TRACE is in the environment: each operation and each event is printed, for reading a finding. */
static inline bool fuzz_tracing(void) {
    return getenv("BECKON_FUZZ_TRACE") != NULL;
}

static inline void fuzz_print_events(bk_stack *stack, const char *name) {
    struct bk_event event;
    while (bk_trace_read(stack, &event, 1, NULL) == 1) bk_event_json(&event, name, bk_text_to_file, stderr);
}

/* ---- frames in ------------------------------------------------------------------------------------- */

/* Between whom a frame goes; of a MAC address only the last byte differs. */
struct fuzz_way {
    bk_addr src, dst;
    uint8_t src_mac, dst_mac;
    bool ethernet;
};

#define FUZZ_L4                                                                                                        \
    (WIRE_ETHERNET_LENGTH + WIRE_IPV6_LENGTH) /* where layer 4 begins in a buffer, so that headers fit before it */

static inline uint8_t *fuzz_ethernet(const struct fuzz_way *way, uint8_t *l3, uint16_t type) {
    struct wire_ethernet e = {.dst = {2, 0, 0, 0, 0, way->dst_mac}, .src = {2, 0, 0, 0, 0, way->src_mac}, .type = type};
    wire_ethernet_emit(l3 - WIRE_ETHERNET_LENGTH, &e);
    return l3 - WIRE_ETHERNET_LENGTH;
}

/* Puts link and IP headers before n bytes at l4, which stand at FUZZ_L4 or later; returns where the frame begins. */
static inline uint8_t *fuzz_wrap(const struct fuzz_way *way, uint8_t *l4, size_t n, uint8_t protocol, size_t *length) {
    bool ipv4 = bk_addr_is_ipv4(&way->src);
    uint8_t *start = l4 - (ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH);
    if (ipv4) {
        struct wire_ipv4 ip = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + n),
                               .ttl = 255,
                               .protocol = protocol,
                               .src = way->src,
                               .dst = way->dst};
        wire_ipv4_emit(start, &ip);
    } else {
        struct wire_ipv6 ip = {
            .payload_length = (uint16_t)n, .next_header = protocol, .hop_limit = 255, .src = way->src, .dst = way->dst};
        wire_ipv6_emit(start, &ip);
    }
    if (way->ethernet) start = fuzz_ethernet(way, start, ipv4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6);
    *length = (size_t)(l4 - start) + n;
    return start;
}

/* Fragment number `k` of so many that n bytes at l4 are cut into; `buffer` takes it. Returns where the frame begins, or NULL if there is
 * no such fragment. */
static inline uint8_t *fuzz_fragment(const struct fuzz_way *way, const uint8_t *l4, size_t n, uint8_t protocol,
                                     uint32_t k, uint32_t of, uint32_t id, uint8_t *buffer, size_t *length) {
    size_t piece = (n / of + 8) & ~(size_t)7, at = k * piece;
    if (at >= n) return NULL;
    bool last = at + piece >= n;
    if (last) piece = n - at;
    uint8_t *data = buffer + FUZZ_L4 + 8; /* room for IPv6's fragment header */
    memcpy(data, l4 + at, piece);
    if (!bk_addr_is_ipv4(&way->src)) {
        data[-8] = protocol;
        data[-7] = 0;
        put_be16(data - 6, (uint16_t)(at | !last));
        put_be32(data - 4, id);
        return fuzz_wrap(way, data - 8, piece + 8, WIRE_FRAGMENT, length);
    }
    struct wire_ipv4 ip = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + piece),
                           .id = (uint16_t)id,
                           .fragment_offset = (uint16_t)at,
                           .more_fragments = !last,
                           .ttl = 64,
                           .protocol = protocol,
                           .src = way->src,
                           .dst = way->dst};
    uint8_t *start = data - WIRE_IPV4_LENGTH;
    wire_ipv4_emit(start, &ip);
    if (way->ethernet) start = fuzz_ethernet(way, start, WIRE_ETHERTYPE_IPV4);
    *length = (size_t)(data - start) + piece;
    return start;
}

/* Lets a packet arrive in two to four fragments; `order` says how many, which comes first, and whether the first one comes twice. */
static inline void fuzz_arrive_in_fragments(bk_stack *stack, const struct fuzz_way *way, const uint8_t *l4, size_t n,
                                            uint8_t protocol, uint32_t order, uint64_t now) {
    uint8_t buffer[4096];
    uint32_t of = 2 + order % 3, from = order >> 2;
    MUST(n + FUZZ_L4 + 8 <= sizeof buffer);
    for (uint32_t i = 0; i < of + (order >> 5 & 1); i++) {
        size_t length;
        const uint8_t *frame = fuzz_fragment(way, l4, n, protocol, (from + i) % of, of, order >> 6, buffer, &length);
        if (frame != NULL) bk_input_copy(stack, 0, frame, length, now);
    }
}

static inline void fuzz_tcp_sum(const struct fuzz_way *way, uint8_t *l4, size_t n) {
    put_be16(l4 + 16, 0);
    uint64_t sum = checksum_pseudo(&way->src, &way->dst, WIRE_TCP, (uint32_t)n);
    put_be16(l4 + 16, checksum_finish(checksum_add(sum, l4, n)));
}

static inline void fuzz_icmp_sum(const struct fuzz_way *way, uint8_t *l4, size_t n) {
    put_be16(l4 + 2, 0);
    uint64_t sum = bk_addr_is_ipv4(&way->src) ? 0 : checksum_pseudo(&way->src, &way->dst, WIRE_ICMPV6, (uint32_t)n);
    put_be16(l4 + 2, checksum_finish(checksum_add(sum, l4, n)));
}

/* An ICMP error that quotes the beginning of a packet, as the input chooses; `buffer` takes it. Returns where the frame begins. */
static inline uint8_t *fuzz_icmp_error(const struct fuzz_way *way, struct input *in, const uint8_t *quoted, size_t n,
                                       uint8_t buffer[256], size_t *length) {
    uint8_t *l4 = buffer + FUZZ_L4;
    bool ipv4 = bk_addr_is_ipv4(&way->src);
    struct wire_icmp m = {.code = (uint8_t)take(in, 1) % 16, .rest = take(in, 2)};
    m.type = ipv4 ? WIRE_ICMP_UNREACHABLE : (uint8_t)(1 + take(in, 1) % 4);
    wire_icmp_emit(l4, &m);
    if (n > 128) n = 128;
    memcpy(l4 + WIRE_ICMP_LENGTH, quoted, n);
    fuzz_icmp_sum(way, l4, WIRE_ICMP_LENGTH + n);
    return fuzz_wrap(way, l4, WIRE_ICMP_LENGTH + n, ipv4 ? WIRE_ICMP : WIRE_ICMPV6, length);
}

/* Chunks filled as a device would fill them, cut in two at an odd place; 0: there are none, or the frame is too long for two. */
static inline size_t fuzz_fill(bk_stack *stack, const uint8_t *frame, size_t length, uint8_t how,
                               struct bk_part parts[2]) {
    uint32_t chunks[2], size = bk_config_of(stack)->chunk_size;
    size_t first = how % 97 + 80;
    if (first > length) first = length;
    if (first > size || length - first > size) return 0;
    size_t count = first < length ? 2 : 1, have = bk_chunk_alloc(stack, chunks, count);
    if (have < count) {
        bk_chunk_release(stack, chunks, have);
        return 0;
    }
    parts[0] = (struct bk_part){chunks[0], 0, (uint16_t)first};
    memcpy(bk_chunk_data(stack, chunks[0]), frame, first);
    if (count == 1) return 1;
    parts[1] = (struct bk_part){chunks[1], 0, (uint16_t)(length - first)};
    memcpy(bk_chunk_data(stack, chunks[1]), frame + first, length - first);
    return 2;
}

/* Lets a frame arrive: copied by the stack, or by reference. `how`: 128 by reference (if that can be), 64 the device has
 * checked the checksum, 32 it has merged segments, the rest where it is cut. Returns its reason. */
static inline uint16_t fuzz_arrive(bk_stack *stack, const uint8_t *frame, size_t length, uint8_t how, uint64_t now) {
    struct bk_part parts[2];
    size_t count = how & 128 ? fuzz_fill(stack, frame, length, how, parts) : 0;
    if (count == 0) return bk_input_copy(stack, 0, frame, length, now);
    struct bk_rx rx = {.parts = parts,
                       .part_count = (uint16_t)count,
                       .flags = how & 64 ? BK_RX_CHECKSUM_VALID : 0,
                       .gso_size = how & 32 ? 100 : 0};
    bk_input(stack, 0, &rx, 1, now);
    MUST(rx.reason < BK_REASON_COUNT);
    return rx.reason;
}

/* ---- frames out ------------------------------------------------------------------------------------ */

/* A frame taken apart. */
struct fuzz_packet {
    bk_addr src, dst;
    const uint8_t *l3, *l4;
    size_t l3_length, l4_length;
    uint16_t ethertype;
    uint8_t protocol;    /* of IP */
    struct wire_tcp tcp; /* if it is that */
};

static inline void fuzz_check_transport(struct fuzz_packet *p) {
    uint64_t sum = checksum_pseudo(&p->src, &p->dst, p->protocol, (uint32_t)p->l4_length);
    if (p->protocol == WIRE_TCP) {
        MUST(wire_tcp_parse(p->l4, p->l4_length, &p->tcp) == BK_REASON_NONE);
        MUST(checksum_fold(checksum_add(sum, p->l4, p->l4_length)) == 0xffff);
        MUST((p->tcp.flags & (WIRE_SYN | WIRE_FIN)) != (WIRE_SYN | WIRE_FIN));
        MUST((p->tcp.flags & WIRE_RST) == 0 || p->l4_length == p->tcp.header_length);
    } else if (p->protocol == WIRE_ICMP) {
        MUST(p->l4_length >= WIRE_ICMP_LENGTH && checksum_fold(checksum_add(0, p->l4, p->l4_length)) == 0xffff);
    } else if (p->protocol == WIRE_ICMPV6) {
        MUST(p->l4_length >= WIRE_ICMP_LENGTH && checksum_fold(checksum_add(sum, p->l4, p->l4_length)) == 0xffff);
    }
}

/* Takes apart a frame that a stack sent, all of which must be right. */
static inline void fuzz_check_frame(const uint8_t *frame, size_t n, bool ethernet, struct fuzz_packet *p) {
    *p = (struct fuzz_packet){.l3 = frame, .l3_length = n};
    if (ethernet) {
        struct wire_ethernet e;
        MUST(wire_ethernet_parse(frame, n, &e) == BK_REASON_NONE);
        p->l3 += WIRE_ETHERNET_LENGTH;
        p->l3_length -= WIRE_ETHERNET_LENGTH;
        p->ethertype = e.type;
        if (e.type == WIRE_ETHERTYPE_ARP) return;
        MUST(e.type == (p->l3[0] >> 4 == 4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6));
    }
    size_t header = WIRE_IPV6_LENGTH;
    if (p->l3[0] >> 4 == 4) {
        struct wire_ipv4 ip;
        MUST(wire_ipv4_parse(p->l3, p->l3_length, p->l3_length, &ip) == BK_REASON_NONE);
        MUST(ip.total_length == p->l3_length);
        p->src = ip.src, p->dst = ip.dst, p->protocol = ip.protocol;
        header = ip.header_length;
    } else {
        struct wire_ipv6 ip;
        MUST(wire_ipv6_parse(p->l3, p->l3_length, &ip) == BK_REASON_NONE);
        MUST(WIRE_IPV6_LENGTH + ip.payload_length == p->l3_length);
        p->src = ip.src, p->dst = ip.dst, p->protocol = ip.next_header;
    }
    p->l4 = p->l3 + header;
    p->l4_length = p->l3_length - header;
    fuzz_check_transport(p);
}

/* ---- regions --------------------------------------------------------------------------------------- */

#define FUZZ_POISON 0xee

/* A region of `size` bytes, in *memory, which is made larger where it must be. */
static inline void *fuzz_region(void **memory, size_t *room, size_t size) {
    if (size > *room) {
        free(*memory);
        *room = (size + 4095) / 4096 * 4096;
        *memory = aligned_alloc(4096, *room);
        MUST(*memory != NULL);
        memset(*memory, FUZZ_POISON, *room);
    }
    return *memory;
}

#endif
