/* Shows that steering is the hash that network cards compute, that it spreads flows evenly, that each kind of frame goes where steer.h says, and that
 * the kernel's program says the same as the C function. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/draw.h"
#include "base/steer.h"
#include "link/steer_program.h"
#include "net/steer.h"
#include "wire/icmp.h"
#include "wire/ip.h"

/* The key and the tuples by which makers of network cards verify receive-side scaling. */
static const uint8_t verification_key[BK_STEER_KEY] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static bk_addr address(const char *text) {
    bk_addr a;
    assert_int_equal(bk_addr_parse(text, &a), 0);
    return a;
}

static void the_hash_is_that_of_network_cards(void **state) {
    (void)state;
    static const struct {
        const char *remote, *local;
        uint16_t remote_port, local_port;
        uint32_t hash;
    } row[] = {
        {"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178},
        {"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea},
        {"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a},
        {"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d},
        {"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf},
    };
    for (size_t i = 0; i < BK_COUNT(row); i++) {
        bk_addr remote = address(row[i].remote), local = address(row[i].local);
        assert_int_equal(bk_steer_hash(verification_key, &remote, row[i].remote_port, &local, row[i].local_port),
                         row[i].hash);
    }
}

/* ---- how flows spread ---- */

static struct bk_steering group(uint32_t stacks, uint64_t seed) {
    struct bk_steering s = {.stacks = stacks};
    for (uint32_t i = 0; i < BK_STEER_KEY; i++) s.key[i] = (uint8_t)draw(&seed);
    return s;
}

static bk_addr client(bool ipv6, uint32_t n) {
    if (!ipv6) return bk_addr_ipv4(10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
    bk_addr a = address("2001:db8::");
    put_be32(a.byte + 12, n);
    return a;
}

/* Of 65,536 flows each stack gets its part within a tenth: ports of one client in turn, clients in turn with one port, and all of
 * it at random. The hash is linear, so flows in turn are spread more evenly than by chance, unless the key were a poor one; these are
 * three keys. A stack has one bucket of 128 more than another where the number of stacks does not divide 128. */
static void flows_spread_evenly(void **state) {
    (void)state;
    static const uint32_t stacks[] = {2, 3, 8, 64};
    uint64_t random = 3;
    for (uint64_t key = 1; key <= 3; key++)
        for (size_t g = 0; g < BK_COUNT(stacks); g++)
            for (uint32_t kind = 0; kind < 6; kind++) {
                struct bk_steering s = group(stacks[g], key);
                bool ipv6 = kind % 2;
                bk_addr local = ipv6 ? address("2001:db8:1::1") : bk_addr_ipv4(192, 0, 2, 1);
                uint32_t count[64] = {0};
                for (uint32_t i = 0; i < 65536; i++) {
                    uint32_t n = kind / 2 == 1 ? i : kind / 2 == 2 ? (uint32_t)draw(&random) : 7;
                    uint16_t port = (uint16_t)(kind / 2 == 0 ? i : kind / 2 == 1 ? 40000 : (uint32_t)draw(&random));
                    bk_addr remote = client(ipv6, n);
                    count[bk_steer(&s, &remote, port, &local, 443)]++;
                }
                for (uint32_t i = 0; i < stacks[g]; i++) {
                    uint32_t buckets = 128 / stacks[g] + (i < 128 % stacks[g]), part = 65536 / 128 * buckets;
                    assert_in_range(count[i], part * 9 / 10, part * 11 / 10);
                }
            }
}

/* ---- frames ---- */

#define FRAME 600u

/* A frame being made, for a group of 128, so that the stack's number is the bucket. */
struct made {
    enum bk_layer layer;
    size_t length;
    uint8_t bytes[FRAME];
};

struct way {
    struct bk_steering steering;
    struct bk_steer_table table;
};

static struct way *way_up(uint32_t stacks) {
    static struct way w;
    w.steering = group(stacks, 99);
    bk_steer_table_make(&w.table, &w.steering);
    return &w;
}

static void add(struct made *m, const void *bytes, size_t n) {
    assert_true(m->length + n <= FRAME);
    memcpy(m->bytes + m->length, bytes, n);
    m->length += n;
}

static struct made begin(enum bk_layer layer, uint16_t type) {
    struct made m = {.layer = layer};
    uint8_t header[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    put_be16(header + 12, type);
    if (layer == BK_LAYER_ETHERNET) add(&m, header, sizeof header);
    return m;
}

/* An IPv4 header with `options` words of options. */
static void add_ipv4(struct made *m, const bk_addr *from, const bk_addr *to, uint8_t protocol, uint16_t fragment,
                     uint8_t options) {
    uint8_t h[60] = {[0] = (uint8_t)(0x45 + options), [8] = 64, [9] = protocol};
    put_be16(h + 6, fragment);
    memcpy(h + 12, from->byte + 12, 4);
    memcpy(h + 16, to->byte + 12, 4);
    memset(h + 20, 1, 40);
    add(m, h, 20u + options * 4u);
}

static void add_ipv6(struct made *m, const bk_addr *from, const bk_addr *to, uint8_t next) {
    uint8_t h[40] = {[0] = 0x60, [6] = next, [7] = 64};
    memcpy(h + 8, from, 16);
    memcpy(h + 24, to, 16);
    add(m, h, sizeof h);
}

static void add_ip(struct made *m, const bk_addr *from, const bk_addr *to, uint8_t protocol) {
    if (bk_addr_is_ipv4(from))
        add_ipv4(m, from, to, protocol, 0, 0);
    else
        add_ipv6(m, from, to, protocol);
}

static void add_ports(struct made *m, uint16_t from, uint16_t to) {
    uint8_t tcp[20] = {0};
    put_be16(tcp, from);
    put_be16(tcp + 2, to);
    add(m, tcp, sizeof tcp);
}

/* An extension header of `words` 8-byte words. */
static void add_extension(struct made *m, uint8_t next, uint8_t words) {
    uint8_t h[64] = {next, (uint8_t)(words - 1)};
    add(m, h, words * 8u);
}

static uint32_t to_stack(const struct way *w, const struct made *m) {
    return bk_steer_frame(&w->table, m->layer, m->bytes, m->length);
}

static const uint16_t ethertype[2] = {0x0800, 0x86dd};

static void pair_of(bool ipv6, bk_addr *remote, bk_addr *local) {
    *remote = ipv6 ? address("2001:db8::77:5") : address("198.51.100.7");
    *local = ipv6 ? address("fd00:1::9") : address("10.9.8.7");
}

/* By the tuple, behind whatever stands before the ports. */
static void packets_go_by_their_tuple(void **state) {
    (void)state;
    struct way *w = way_up(128);
    bk_addr remote, local;
    for (int layer = BK_LAYER_ETHERNET; layer <= BK_LAYER_IP; layer++)
        for (int family = 0; family < 2; family++)
            for (uint16_t port = 1000; port < 1100; port++) {
                pair_of(family, &remote, &local);
                uint32_t right = bk_steer(&w->steering, &remote, port, &local, 80);
                for (int udp = 0; udp < 2; udp++) {
                    struct made m = begin((enum bk_layer)layer, ethertype[family]);
                    add_ip(&m, &remote, &local, udp ? WIRE_UDP : WIRE_TCP);
                    add_ports(&m, port, 80);
                    assert_int_equal(to_stack(w, &m), right);
                }
                struct made m = begin((enum bk_layer)layer, ethertype[family]);
                if (family == 0) {
                    add_ipv4(&m, &remote, &local, WIRE_TCP, 0x4000, (uint8_t)(port % 11));
                } else {
                    uint8_t atomic[8] = {WIRE_DESTINATION, 0, 0, 0, 1, 2, 3, 4};
                    add_ipv6(&m, &remote, &local, WIRE_HOP_BY_HOP);
                    add_extension(&m, WIRE_ROUTING, 1);
                    add_extension(&m, WIRE_FRAGMENT, 3);
                    add(&m, atomic, sizeof atomic);
                    add_extension(&m, WIRE_TCP, (uint8_t)(1 + port % 8));
                }
                add_ports(&m, port, 80);
                assert_int_equal(to_stack(w, &m), right);
            }
}

/* An error goes to the stack that sent what it quotes. */
static void errors_go_to_the_flow_that_they_quote(void **state) {
    (void)state;
    static const uint8_t types[2][4] = {{3, 11, 12, 3}, {1, 2, 3, 4}};
    struct way *w = way_up(128);
    bk_addr remote, local;
    for (int family = 0; family < 2; family++)
        for (uint16_t port = 1000; port < 1100; port++) {
            pair_of(family, &remote, &local);
            bk_addr router = family ? address("2001:db8::1") : address("203.0.113.1");
            struct made m = begin(BK_LAYER_ETHERNET, ethertype[family]);
            add_ip(&m, &router, &local, family ? WIRE_ICMPV6 : WIRE_ICMP);
            uint8_t icmp[8] = {types[family][port % 4]};
            add(&m, icmp, sizeof icmp);
            add_ip(&m, &local, &remote, WIRE_TCP);
            add_ports(&m, 80, port);
            assert_int_equal(to_stack(w, &m), bk_steer(&w->steering, &remote, port, &local, 80));
            icmp[0] = family ? WIRE_ICMPV6_ECHO : WIRE_ICMP_ECHO;
            memcpy(m.bytes + 14 + (family ? 40 : 20), icmp, sizeof icmp);
            assert_int_equal(to_stack(w, &m), 0);
        }
}

static void fragments_go_to_all(void **state) {
    (void)state;
    static const uint16_t field[] = {0x2000, 0x0001, 0x2123}; /* more to come; the last; one between */
    struct way *w = way_up(64);
    bk_addr remote, local;
    for (size_t i = 0; i < BK_COUNT(field); i++) {
        pair_of(false, &remote, &local);
        struct made m = begin(BK_LAYER_ETHERNET, 0x0800);
        add_ipv4(&m, &remote, &local, WIRE_TCP, field[i], 0);
        add_ports(&m, 1000, 80);
        assert_int_equal(to_stack(w, &m), BK_STEER_FRAGMENT);
    }
    static const uint16_t field6[] = {1, 8, 0x1231};
    for (size_t i = 0; i < BK_COUNT(field6); i++) {
        uint8_t fragment[8] = {WIRE_TCP};
        pair_of(true, &remote, &local);
        struct made m = begin(BK_LAYER_ETHERNET, 0x86dd);
        add_ipv6(&m, &remote, &local, WIRE_DESTINATION);
        add_extension(&m, WIRE_FRAGMENT, 2);
        put_be16(fragment + 2, field6[i]);
        add(&m, fragment, sizeof fragment);
        add_ports(&m, 1000, 80);
        assert_int_equal(to_stack(w, &m), BK_STEER_FRAGMENT);
    }
}

static struct made arp(uint16_t operation, uint8_t sender, uint8_t target) {
    struct made m = begin(BK_LAYER_ETHERNET, 0x0806);
    uint8_t p[28] = {0, 1, 8, 0, 6, 4};
    put_be16(p + 6, operation);
    p[17] = sender;
    p[27] = target;
    add(&m, p, sizeof p);
    return m;
}

static struct made discovery(uint8_t type, const char *from) {
    struct made m = begin(BK_LAYER_ETHERNET, 0x86dd);
    bk_addr source = address(from), all = address("ff02::1");
    uint8_t icmp[24] = {type};
    add_ipv6(&m, &source, &all, WIRE_ICMPV6);
    add(&m, icmp, sizeof icmp);
    return m;
}

/* Each stack has its own caches; questions are answered once. */
static void news_of_neighbours_go_to_all(void **state) {
    (void)state;
    struct way *w = way_up(64);
    struct made m = arp(2, 1, 2);
    assert_int_equal(to_stack(w, &m), BK_STEER_ALL);
    m = arp(1, 1, 1);
    assert_int_equal(to_stack(w, &m), BK_STEER_ALL);
    m = arp(1, 1, 2);
    assert_int_equal(to_stack(w, &m), 0);
    static const uint8_t all[] = {WIRE_ICMPV6_ROUTER_ADVERTISEMENT, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT};
    for (size_t i = 0; i < BK_COUNT(all); i++) {
        m = discovery(all[i], "fe80::1");
        assert_int_equal(to_stack(w, &m), BK_STEER_ALL);
    }
    m = discovery(WIRE_ICMPV6_NEIGHBOR_SOLICITATION, "::");
    assert_int_equal(to_stack(w, &m), BK_STEER_ALL);
    m = discovery(WIRE_ICMPV6_NEIGHBOR_SOLICITATION, "fe80::1");
    assert_int_equal(to_stack(w, &m), 0);
    m = discovery(WIRE_ICMPV6_MLD_QUERY, "fe80::1");
    assert_int_equal(to_stack(w, &m), 0);
}

/* Cut anywhere, and longer in its headers than any stack takes, a frame goes to the first stack. */
static void what_cannot_be_told_goes_to_the_first(void **state) {
    (void)state;
    struct way *w = way_up(128);
    bk_addr remote, local;
    for (int family = 0; family < 2; family++) {
        pair_of(family, &remote, &local);
        struct made m = begin(BK_LAYER_ETHERNET, ethertype[family]);
        add_ip(&m, &remote, &local, WIRE_TCP);
        size_t ports = m.length + 4;
        add_ports(&m, 1000, 80);
        assert_int_not_equal(to_stack(w, &m), 0);
        for (m.length = 0; m.length < ports; m.length++) assert_int_equal(to_stack(w, &m), 0);
        m.layer = BK_LAYER_IP;
        for (m.length = 0; m.length < 12; m.length++) assert_int_equal(to_stack(w, &m), 0);
    }
    struct made m = begin(BK_LAYER_ETHERNET, 0x86dd);
    pair_of(true, &remote, &local);
    add_ipv6(&m, &remote, &local, WIRE_DESTINATION);
    for (int i = 0; i < 8; i++) add_extension(&m, WIRE_DESTINATION, 1);
    add_extension(&m, WIRE_TCP, 1);
    add_ports(&m, 1000, 80);
    assert_int_equal(to_stack(w, &m), 0); /* a ninth */
    m = begin(BK_LAYER_ETHERNET, 0x86dd);
    add_ipv6(&m, &remote, &local, WIRE_DESTINATION);
    for (int i = 0; i < 4; i++) add_extension(&m, WIRE_DESTINATION, 8);
    add_extension(&m, WIRE_TCP, 1);
    add_ports(&m, 1000, 80);
    assert_int_equal(to_stack(w, &m), 0); /* 264 bytes of them */
}

/* Runs the program over a frame. */
static uint32_t program_run(int program, const uint8_t *bytes, size_t length) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (uint32_t)program;
    attr.test.data_in = (uintptr_t)bytes;
    attr.test.data_size_in = (uint32_t)length;
    attr.test.repeat = 1;
    assert_int_equal(bpf_call(BPF_PROG_TEST_RUN, &attr), 0);
    return attr.test.retval;
}

/* A frame of any kind, whole, or with one bit changed, or cut. */
static struct made any_frame(uint64_t *random) {
    static const uint8_t protocols[] = {WIRE_TCP, WIRE_UDP, WIRE_ICMP, WIRE_ICMPV6, 50};
    static const uint8_t chain[] = {WIRE_HOP_BY_HOP, WIRE_ROUTING, WIRE_DESTINATION, WIRE_FRAGMENT};
    bool ipv6 = draw(random) & 1;
    bk_addr remote = client(ipv6, (uint32_t)draw(random)), local = client(ipv6, (uint32_t)draw(random));
    struct made m = begin(BK_LAYER_ETHERNET, ethertype[ipv6]);
    uint8_t protocol = protocols[draw(random) % 3];
    if (protocol == WIRE_ICMP && ipv6) protocol = WIRE_ICMPV6;
    uint32_t headers = ipv6 && (draw(random) & 1) ? (uint32_t)(draw(random) % 10) : 0;
    uint8_t fragment_ipv4 = draw(random) % 8 == 0;
    uint8_t kind = headers > 0 ? chain[draw(random) % 4] : protocol;
    if (ipv6)
        add_ipv6(&m, &remote, &local, kind);
    else
        add_ipv4(&m, &remote, &local, protocol, (uint16_t)(fragment_ipv4 ? draw(random) : 0x4000),
                 (uint8_t)(draw(random) % 11));
    for (; headers > 0; headers--) {
        uint8_t next = headers > 1 ? chain[draw(random) % 4] : protocol;
        uint8_t words = kind == WIRE_FRAGMENT ? 1 : (uint8_t)(1 + draw(random) % 5);
        size_t at = m.length;
        add_extension(&m, next, words);
        if (kind == WIRE_FRAGMENT && draw(random) % 4 == 0) m.bytes[at + 3] = (uint8_t)draw(random);
        kind = next;
    }
    if (protocol == WIRE_ICMP || protocol == WIRE_ICMPV6) {
        uint8_t icmp[8] = {(uint8_t)(draw(random) % 14)};
        add(&m, icmp, sizeof icmp);
        add_ip(&m, &local, &remote, protocols[draw(random) % 5]);
    }
    add_ports(&m, (uint16_t)draw(random), (uint16_t)draw(random));
    if (draw(random) % 4 == 0) m.bytes[draw(random) % m.length] ^= (uint8_t)(1u << draw(random) % 8);
    size_t least = ipv6 ? 54 : 34; /* no test run of less */
    if (draw(random) % 4 == 0) m.length = least + draw(random) % (m.length - least + 1);
    return m;
}

/* What goes to all is given to stack 0 by the program. The program for IP runs as a socket filter, which a test run gives what stands behind the
 * Ethernet header; that for Ethernet as a classifier, which is given the whole. */
static void the_program_says_the_same(void **state) {
    (void)state;
    static const uint32_t stacks[] = {2, 3, 64, 128};
    const char *why;
    uint64_t random = 8, counts[2] = {0};
    for (size_t g = 0; g < BK_COUNT(stacks); g++) {
        struct way *w = way_up(stacks[g]);
        int whole = steer_program_load(&w->table, BK_LAYER_ETHERNET, BPF_PROG_TYPE_SCHED_CLS, &why);
        if (whole == -EPERM || whole == -ENOSYS) {
            printf("the kernel's program is not compared: %s: %s\n", why, strerror(-whole));
            skip();
        }
        int ip = steer_program_load(&w->table, BK_LAYER_IP, BPF_PROG_TYPE_SOCKET_FILTER, &why);
        assert_true(whole >= 0 && ip >= 0);
        for (uint32_t i = 0; i < 20000; i++) {
            struct made m = any_frame(&random);
            uint32_t said = to_stack(w, &m);
            counts[said >= BK_STEER_FRAGMENT]++;
            assert_int_equal(program_run(whole, m.bytes, m.length), said >= BK_STEER_FRAGMENT ? 0 : said);

            said = bk_steer_frame(&w->table, BK_LAYER_IP, m.bytes + 14, m.length - 14);
            assert_int_equal(program_run(ip, m.bytes, m.length), said >= BK_STEER_FRAGMENT ? 0 : said);
        }
        close(whole);
        close(ip);
    }
    assert_true(counts[0] > 60000 && counts[1] > 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_that_of_network_cards),
        cmocka_unit_test(flows_spread_evenly),
        cmocka_unit_test(packets_go_by_their_tuple),
        cmocka_unit_test(errors_go_to_the_flow_that_they_quote),
        cmocka_unit_test(fragments_go_to_all),
        cmocka_unit_test(news_of_neighbours_go_to_all),
        cmocka_unit_test(what_cannot_be_told_goes_to_the_first),
        cmocka_unit_test(the_program_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
