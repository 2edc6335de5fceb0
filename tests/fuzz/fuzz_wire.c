/* Fuzzes every parser of the wire layer: the first byte of the input chooses one, the rest is what it is fed.
 *
 * The sanitizers see any read past the end. Beyond that, whatever was accepted must survive being emitted: emit(parse(x))
 * parses to the same value. A failed check aborts, which is how libFuzzer hears of it.
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc tests/fuzz/fuzz_wire.c ...
 *     ./fuzz_wire tests/fuzz/corpus/wire
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/checksum_ways.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)
#define SAME_BYTES(a, b)   CHECK(memcmp((a), (b), sizeof(a)) == 0)
#define SAME_ADDRESS(a, b) CHECK(bk_addr_equal(&(a), &(b)))

static void fuzz_ethernet(const uint8_t *p, size_t n) {
    struct wire_ethernet a, b;
    uint8_t out[WIRE_ETHERNET_LENGTH];
    if (wire_ethernet_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(wire_ethernet_emit(out, &a) == sizeof out);
    CHECK(wire_ethernet_parse(out, sizeof out, &b) == BK_REASON_NONE);
    SAME_BYTES(a.dst, b.dst);
    SAME_BYTES(a.src, b.src);
    CHECK(a.type == b.type);
}

static void fuzz_arp(const uint8_t *p, size_t n) {
    struct wire_arp a, b;
    uint8_t out[WIRE_ARP_LENGTH];
    if (wire_arp_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(wire_arp_emit(out, &a) == sizeof out);
    CHECK(memcmp(out, p, sizeof out) == 0); /* it has no field that is ignored */
    CHECK(wire_arp_parse(out, sizeof out, &b) == BK_REASON_NONE);
    CHECK(a.op == b.op);
    SAME_BYTES(a.sender_mac, b.sender_mac);
    SAME_BYTES(a.target_mac, b.target_mac);
    SAME_ADDRESS(a.sender, b.sender);
    SAME_ADDRESS(a.target, b.target);
    CHECK(bk_addr_is_ipv4(&a.sender) && bk_addr_is_ipv4(&a.target));
}

/* Fuzzers do not find checksums: this puts the right one in, unless the input's length asks for the one that is there. */
static void fuzz_ipv4(const uint8_t *p, size_t n) {
    struct wire_ipv4 a, b;
    uint8_t in[128], out[WIRE_IPV4_LENGTH];
    size_t held = n < sizeof in ? n : sizeof in;
    if (held > 0) memcpy(in, p, held);
    if (n % 8 != 7 && held >= WIRE_IPV4_LENGTH && (in[0] & 15u) * 4u <= held) {
        put_be16(in + 10, 0);
        put_be16(in + 10, checksum_finish(checksum_add(0, in, (in[0] & 15u) * 4u)));
    }
    uint8_t *exact = malloc(held + 1);
    CHECK(exact != NULL);
    memcpy(exact + 1, in, held);
    bool accepted = wire_ipv4_parse(exact + 1, held, n, &a) == BK_REASON_NONE;
    free(exact);
    if (!accepted) return;
    CHECK(a.header_length >= WIRE_IPV4_LENGTH && a.header_length <= 60 && a.header_length <= a.total_length);
    CHECK(a.total_length <= n);
    CHECK(wire_ipv4_emit(out, &a) == sizeof out);
    CHECK(wire_ipv4_parse(out, sizeof out, n, &b) == BK_REASON_NONE);
    CHECK(b.header_length == WIRE_IPV4_LENGTH && a.total_length == b.total_length && a.id == b.id);
    CHECK(a.fragment_offset == b.fragment_offset);
    CHECK(a.dont_fragment == b.dont_fragment && a.more_fragments == b.more_fragments);
    CHECK(a.traffic_class == b.traffic_class && a.ttl == b.ttl && a.protocol == b.protocol);
    SAME_ADDRESS(a.src, b.src);
    SAME_ADDRESS(a.dst, b.dst);
}

static void fuzz_ipv6(const uint8_t *p, size_t n) {
    struct wire_ipv6 a, b;
    uint8_t out[WIRE_IPV6_LENGTH];
    if (wire_ipv6_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(a.payload_length <= n - WIRE_IPV6_LENGTH);
    CHECK(wire_ipv6_emit(out, &a) == sizeof out);
    CHECK(memcmp(out, p, sizeof out) == 0);
    CHECK(wire_ipv6_parse(out, n, &b) == BK_REASON_NONE);
    CHECK(a.traffic_class == b.traffic_class && a.flow_label == b.flow_label);
    CHECK(a.payload_length == b.payload_length && a.next_header == b.next_header && a.hop_limit == b.hop_limit);
    SAME_ADDRESS(a.src, b.src);
    SAME_ADDRESS(a.dst, b.dst);
}

/* Nothing emits chains; what is said of them must lie inside. */
static void fuzz_chain(const uint8_t *p, size_t n) {
    struct wire_ipv6_chain c;
    if (n == 0) return;
    uint8_t next = p[n - 1];
    uint16_t reason = wire_ipv6_chain_parse(p, --n, next, &c);
    if (reason != BK_REASON_NONE) {
        CHECK(reason == BK_REASON_DROP_IP_EXTENSION);
        CHECK(!c.parameter_problem || (c.problem_at < n && c.problem_code <= 2));
        return;
    }
    CHECK(!c.parameter_problem && c.length <= n && c.length % 8 == 0);
    if (!c.fragment) return;
    CHECK(c.protocol == WIRE_FRAGMENT && c.length >= 8 && c.fragment_next == p[c.length - 8]);
    CHECK(c.fragment_offset != 0 || c.more_fragments);
    uint8_t named = c.fragment_next_at == UINT16_MAX ? next : p[c.fragment_next_at];
    CHECK(named == WIRE_FRAGMENT && (c.fragment_next_at == UINT16_MAX) == (c.length == 8));
}

static void fuzz_icmp(const uint8_t *p, size_t n) {
    struct wire_icmp a, b;
    uint8_t out[WIRE_ICMP_LENGTH];
    if (wire_icmp_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(wire_icmp_emit(out, &a) == sizeof out);
    CHECK(wire_icmp_parse(out, sizeof out, &b) == BK_REASON_NONE);
    CHECK(a.type == b.type && a.code == b.code && a.rest == b.rest);
}

static void fuzz_neighbor(const uint8_t *p, size_t n) {
    struct wire_neighbor a, b;
    uint8_t out[40];
    if (wire_neighbor_parse(p, n, &a) != BK_REASON_NONE) return;
    size_t length = wire_neighbor_emit(out, p[0], &a);
    CHECK(length <= sizeof out && length <= n);
    CHECK(wire_neighbor_parse(out, length, &b) == BK_REASON_NONE);
    SAME_ADDRESS(a.target, b.target);
    CHECK(a.router == b.router && a.solicited == b.solicited && a.override == b.override);
    CHECK(a.has_mac == b.has_mac && a.has_nonce == b.has_nonce);
    SAME_BYTES(a.mac, b.mac);
    SAME_BYTES(a.nonce, b.nonce);
}

static void fuzz_ra(const uint8_t *p, size_t n) {
    struct wire_ra a, b;
    uint8_t out[16 + 8 + 8 + WIRE_RA_PREFIXES * 32];
    if (wire_ra_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(a.prefix_count <= WIRE_RA_PREFIXES);
    size_t length = wire_ra_emit(out, &a);
    CHECK(length <= sizeof out && length <= n);
    CHECK(wire_ra_parse(out, length, &b) == BK_REASON_NONE);
    CHECK(a.hop_limit == b.hop_limit && a.router_lifetime_s == b.router_lifetime_s);
    CHECK(a.reachable_ms == b.reachable_ms && a.retrans_ms == b.retrans_ms && a.mtu == b.mtu);
    CHECK(a.has_mac == b.has_mac && a.prefix_count == b.prefix_count);
    SAME_BYTES(a.mac, b.mac);
    for (unsigned i = 0; i < a.prefix_count; i++) {
        const struct wire_ra_prefix *x = &a.prefix[i], *y = &b.prefix[i];
        SAME_ADDRESS(x->prefix, y->prefix);
        CHECK(x->length == y->length && x->length <= 128);
        CHECK(x->on_link == y->on_link && x->autonomous == y->autonomous);
        CHECK(x->valid_s == y->valid_s && x->preferred_s == y->preferred_s);
    }
}

static void fuzz_udp(const uint8_t *p, size_t n) {
    struct wire_udp a, b;
    uint8_t out[WIRE_UDP_LENGTH];
    if (wire_udp_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(a.length >= WIRE_UDP_LENGTH && a.length <= n);
    CHECK(wire_udp_emit(out, &a) == sizeof out);
    CHECK(memcmp(out, p, sizeof out) == 0);
    CHECK(wire_udp_parse(out, n, &b) == BK_REASON_NONE);
    CHECK(a.src_port == b.src_port && a.dst_port == b.dst_port && a.length == b.length && a.checksum == b.checksum);
}

static void fuzz_tcp(const uint8_t *p, size_t n) {
    struct wire_tcp a, b;
    uint8_t out[WIRE_TCP_LENGTH_MAX];
    if (wire_tcp_parse(p, n, &a) != BK_REASON_NONE) return;
    CHECK(a.header_length >= WIRE_TCP_LENGTH && a.header_length <= WIRE_TCP_LENGTH_MAX && a.header_length <= n);
    size_t length = wire_tcp_emit(out, &a);
    CHECK(length == WIRE_TCP_LENGTH + wire_tcp_options_length(&a.option) && length <= sizeof out);
    CHECK(wire_tcp_parse(out, length, &b) == BK_REASON_NONE);
    CHECK(a.src_port == b.src_port && a.dst_port == b.dst_port && a.seq == b.seq && a.ack == b.ack);
    CHECK(a.header_length == b.header_length && a.flags == b.flags && a.window == b.window);
    CHECK(a.checksum == b.checksum && a.urgent == b.urgent);
    const struct wire_tcp_options *x = &a.option, *y = &b.option;
    CHECK(x->mss == y->mss && x->has_wscale == y->has_wscale && x->wscale == y->wscale);
    CHECK(x->sack_permitted == y->sack_permitted && x->has_timestamps == y->has_timestamps);
    CHECK(x->tsval == y->tsval && x->tsecr == y->tsecr && x->sack_count == y->sack_count);
    for (unsigned i = 0; i < x->sack_count; i++)
        CHECK(x->sack[i].left == y->sack[i].left && x->sack[i].right == y->sack[i].right);
}

static void fuzz_address(const uint8_t *p, size_t n) {
    char *text = malloc(n + 1), again[BK_ADDR_TEXT], third[BK_ADDR_TEXT];
    CHECK(text != NULL);
    memcpy(text, p, n);
    text[n] = '\0';
    bk_addr a, b;
    bool accepted = bk_addr_parse(text, &a) == 0;
    free(text);
    if (!accepted) return;
    CHECK(bk_addr_parse(bk_addr_format(&a, again), &b) == 0);
    SAME_ADDRESS(a, b);
    CHECK(strlen(again) < BK_ADDR_TEXT && strcmp(again, bk_addr_format(&b, third)) == 0);
}

/* Any bytes are an address, and a message to add up: cut at a place that the first byte names. */
static void fuzz_values(const uint8_t *p, size_t n) {
    bk_addr a, b;
    char text[BK_ADDR_TEXT];
    if (n < sizeof a.byte) return;
    memcpy(a.byte, p, sizeof a.byte);
    CHECK(bk_addr_parse(bk_addr_format(&a, text), &b) == 0);
    SAME_ADDRESS(a, b);

    uint32_t naive = 0;
    for (size_t i = 0; i < n; i++) {
        naive += i & 1 ? p[i] : (uint32_t)p[i] << 8;
        naive = (naive & 0xffff) + (naive >> 16);
    }
    size_t cut = p[0] % n;
    uint8_t *copy = malloc(n);
    CHECK(copy != NULL);
    CHECK(checksum_fold(checksum_add_at_by(CHECKSUM_COMMON, checksum_add(0, p, cut), p + cut, n - cut, cut)) == naive);
    CHECK(checksum_fold(checksum_copy_by(CHECKSUM_COMMON, 0, copy, p, n)) == naive);
    CHECK(memcmp(copy, p, n) == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    typedef void fuzzer(const uint8_t *p, size_t n);
    static fuzzer *const fuzzers[] = {
        fuzz_ethernet, fuzz_arp, fuzz_ipv4, fuzz_ipv6, fuzz_chain,   fuzz_icmp,
        fuzz_neighbor, fuzz_ra,  fuzz_udp,  fuzz_tcp,  fuzz_address, fuzz_values,
    };
    if (size == 0) return 0;
    fuzzers[data[0] % BK_COUNT(fuzzers)](data + 1, size - 1);
    return 0;
}
