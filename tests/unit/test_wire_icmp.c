/* Shows that ICMP and neighbour discovery messages survive the way out and in, and that malformed ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "wire/icmp.h"

/* Parses a copy that ends where its memory ends, so that a sanitizer sees any read past n. */
#define PARSE(function, p, n, out) parse_with(function##_erased, p, n, out)
typedef uint16_t parser(const uint8_t *p, size_t n, void *out);
static uint16_t icmp_erased(const uint8_t *p, size_t n, void *out) {
    return wire_icmp_parse(p, n, out);
}
static uint16_t neighbor_erased(const uint8_t *p, size_t n, void *out) {
    return wire_neighbor_parse(p, n, out);
}
static uint16_t ra_erased(const uint8_t *p, size_t n, void *out) {
    return wire_ra_parse(p, n, out);
}
static uint16_t parse_with(parser *parse, const uint8_t *p, size_t n, void *out) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    uint16_t reason = parse(copy + (n == 0), n, out);
    free(copy);
    return reason;
}

static bk_addr address(const char *text) {
    bk_addr a;
    assert_int_equal(bk_addr_parse(text, &a), 0);
    return a;
}

static void expect_address(const bk_addr *a, const char *text) {
    bk_addr expected = address(text);
    assert_true(bk_addr_equal(a, &expected));
}

/* Fills the checksum field in, as the network layer does. */
static void finish(uint8_t *p, size_t n, const char *src, const char *dst) {
    bk_addr from = address(src), to = address(dst);
    put_be16(p + 2, checksum_finish(checksum_add(checksum_pseudo(&from, &to, 58, (uint32_t)n), p, n)));
}

/* ---- ICMP -------------------------------------------------------------------------------------------- */

static void test_echo(void **state) {
    (void)state;
    static const uint8_t known[] = {0x08, 0x00, 0x21, 0x04, 0x12, 0x34, 0x00, 0x01, 'a', 'b', 'c', 'd'};
    const struct wire_icmp echo = {.type = WIRE_ICMP_ECHO, .rest = 0x12340001};
    uint8_t p[sizeof known] = {[8] = 'a', [9] = 'b', [10] = 'c', [11] = 'd'};
    memset(p, 0xa5, WIRE_ICMP_LENGTH);
    assert_int_equal(wire_icmp_emit(p, &echo), WIRE_ICMP_LENGTH);
    put_be16(p + 2, checksum_finish(checksum_add(0, p, sizeof p)));
    assert_memory_equal(p, known, sizeof known);

    struct wire_icmp back;
    assert_int_equal(PARSE(icmp, p, sizeof p, &back), BK_REASON_NONE);
    assert_int_equal(back.type, WIRE_ICMP_ECHO);
    assert_int_equal(back.code, 0);
    assert_int_equal(back.rest, 0x12340001);
    for (size_t n = 0; n < sizeof known; n++)
        assert_int_equal(PARSE(icmp, known, n, &back), n < 8 ? BK_REASON_DROP_ICMP_BAD : BK_REASON_NONE);
}

static void test_icmp_fields(void **state) {
    (void)state;
    const struct wire_icmp error = {.type = 3, .code = WIRE_ICMP_FRAGMENTATION_NEEDED, .rest = 0xfffe05dc};
    uint8_t p[WIRE_ICMP_LENGTH];
    struct wire_icmp back;
    wire_icmp_emit(p, &error);
    assert_int_equal(PARSE(icmp, p, sizeof p, &back), BK_REASON_NONE);
    assert_int_equal(back.type, 3);
    assert_int_equal(back.code, 4);
    assert_int_equal(back.rest, 0xfffe05dc);
}

/* ---- neighbours -------------------------------------------------------------------------------------- */

/* fe80::1, 02:00:00:00:00:01, asks ff02::1:ff00:2 for fe80::2. */
static const uint8_t known_ns[] = {
    0x87, 0x00, 0x7a, 0x97, 0x00, 0x00, 0x00, 0x00, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01,
};
/* And its answer. */
static const uint8_t known_na[] = {
    0x88, 0x00, 0x18, 0x1a, 0x60, 0x00, 0x00, 0x00, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02,
};

static void test_known_neighbors(void **state) {
    (void)state;
    uint8_t p[40];
    struct wire_neighbor m;
    assert_int_equal(PARSE(neighbor, known_ns, sizeof known_ns, &m), BK_REASON_NONE);
    expect_address(&m.target, "fe80::2");
    assert_false(m.router || m.solicited || m.override || m.has_nonce);
    assert_true(m.has_mac);
    assert_memory_equal(m.mac, "\x02\x00\x00\x00\x00\x01", 6);
    assert_int_equal(wire_neighbor_emit(p, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m), sizeof known_ns);
    finish(p, sizeof known_ns, "fe80::1", "ff02::1:ff00:2");
    assert_memory_equal(p, known_ns, sizeof known_ns);

    assert_int_equal(PARSE(neighbor, known_na, sizeof known_na, &m), BK_REASON_NONE);
    expect_address(&m.target, "fe80::2");
    assert_true(m.solicited && m.override && m.has_mac);
    assert_false(m.router || m.has_nonce);
    assert_int_equal(wire_neighbor_emit(p, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m), sizeof known_na);
    finish(p, sizeof known_na, "fe80::2", "fe80::1");
    assert_memory_equal(p, known_na, sizeof known_na);
}

static void test_neighbor_round_trips(void **state) {
    (void)state;
    for (unsigned set = 0; set < 64; set++) {
        struct wire_neighbor m = {.target = address("2001:db8::42"),
                                  .router = set & 1,
                                  .solicited = set & 2,
                                  .override = set & 4,
                                  .has_mac = set & 8,
                                  .has_nonce = set & 16};
        uint8_t type = set & 32 ? WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT : WIRE_ICMPV6_NEIGHBOR_SOLICITATION;
        if (m.has_mac) memcpy(m.mac, "\x02\x11\x22\x33\x44\x55", 6);
        if (m.has_nonce) memcpy(m.nonce, "nonces", 6);
        uint8_t p[40 + 1];
        memset(p, 0xa5, sizeof p);
        size_t n = wire_neighbor_emit(p, type, &m);
        assert_int_equal(n, 24 + (m.has_mac ? 8 : 0) + (m.has_nonce ? 8 : 0));
        assert_int_equal(p[n], 0xa5);
        assert_int_equal(get_be16(p + 2), 0);
        struct wire_neighbor back;
        assert_int_equal(PARSE(neighbor, p, n, &back), BK_REASON_NONE);
        assert_true(bk_addr_equal(&back.target, &m.target));
        /* The flags are the advertisement's only. */
        assert_int_equal(back.router, m.router && (set & 32));
        assert_int_equal(back.solicited, m.solicited && (set & 32));
        assert_int_equal(back.override, m.override && (set & 32));
        assert_int_equal(back.has_mac, m.has_mac);
        assert_int_equal(back.has_nonce, m.has_nonce);
        assert_memory_equal(back.mac, m.mac, 6);
        assert_memory_equal(back.nonce, m.nonce, 6);
    }
}

static void test_neighbor_truncated(void **state) {
    (void)state;
    struct wire_neighbor m;
    for (size_t n = 0; n <= sizeof known_ns; n++) {
        bool valid = n == 24 || n == 32; /* without its option, and with */
        assert_int_equal(PARSE(neighbor, known_ns, n, &m), valid ? BK_REASON_NONE : BK_REASON_DROP_ND_BAD);
    }
}

static void test_neighbor_refuses(void **state) {
    (void)state;
    struct wire_neighbor m;
    uint8_t p[sizeof known_ns];
#define REFUSED_WITH(change)                                                                                           \
    do {                                                                                                               \
        memcpy(p, known_ns, sizeof p);                                                                                 \
        change;                                                                                                        \
        assert_int_equal(PARSE(neighbor, p, sizeof p, &m), BK_REASON_DROP_ND_BAD);                                     \
    } while (0)
    REFUSED_WITH(p[0] = WIRE_ICMPV6_ROUTER_ADVERTISEMENT);
    REFUSED_WITH(p[0] = WIRE_ICMPV6_ECHO);
    REFUSED_WITH(p[1] = 1);
    REFUSED_WITH(p[8] = 0xff);                                                     /* a multicast target */
    REFUSED_WITH(bk_addr v4 = bk_addr_ipv4(192, 0, 2, 1); memcpy(p + 8, &v4, 16)); /* an IPv4-mapped one */
    REFUSED_WITH(p[25] = 0);
    REFUSED_WITH(p[25] = 2);
    REFUSED_WITH(p[25] = 255);
    REFUSED_WITH(p[26] = 3); /* a group MAC */
#undef REFUSED_WITH
}

static void test_neighbor_options(void **state) {
    (void)state;
    /* An unknown option, a MAC of another length, the other side's MAC option, a long nonce: skipped. Then the real ones, twice:
     * the first counts. */
    uint8_t p[24 + 8 + 16 + 8 + 16 + 4 * 8];
    memcpy(p, known_ns, 24);
    uint8_t *o = p + 24;
    memset(o, 0, sizeof p - 24);
    o[0] = 200, o[1] = 1, o += 8;
    o[0] = 1, o[1] = 2, o += 16;
    o[0] = 2, o[1] = 1, o += 8;
    o[0] = 14, o[1] = 2, o += 16;
    for (unsigned i = 1; i <= 2; i++) {
        o[0] = 1, o[1] = 1, memset(o + 2, (int)(i * 2), 6), o += 8;
        o[0] = 14, o[1] = 1, memset(o + 2, (int)(i * 3), 6), o += 8;
    }
    struct wire_neighbor m;
    assert_int_equal(PARSE(neighbor, p, sizeof p, &m), BK_REASON_NONE);
    assert_true(m.has_mac && m.has_nonce);
    assert_memory_equal(m.mac, "\2\2\2\2\2\2", 6);
    assert_memory_equal(m.nonce, "\3\3\3\3\3\3", 6);
    assert_int_equal(PARSE(neighbor, p, sizeof p - 32, &m), BK_REASON_NONE);
    assert_false(m.has_mac || m.has_nonce);
}

/* ---- routers ----------------------------------------------------------------------------------------- */

static const uint8_t known_ra[] = {
    0x86, 0x00, 0x74, 0xd0, 0x40, 0x00, 0x07, 0x08, 0x00, 0x00, 0x75, 0x30, 0x00, 0x00, 0x03, 0xe8, /* fixed part */
    0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01,                                                 /* source MAC */
    0x05, 0x01, 0x00, 0x00, 0x00, 0x00, 0x05, 0xdc,                                                 /* MTU */
    0x03, 0x04, 0x40, 0xc0, 0x00, 0x27, 0x8d, 0x00, 0x00, 0x09, 0x3a, 0x80, 0x00, 0x00, 0x00, 0x00, /* prefix */
    0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void test_known_ra(void **state) {
    (void)state;
    struct wire_ra m;
    assert_int_equal(PARSE(ra, known_ra, sizeof known_ra, &m), BK_REASON_NONE);
    assert_int_equal(m.hop_limit, 64);
    assert_int_equal(m.router_lifetime_s, 1800);
    assert_int_equal(m.reachable_ms, 30000);
    assert_int_equal(m.retrans_ms, 1000);
    assert_true(m.has_mac);
    assert_memory_equal(m.mac, "\x02\x00\x00\x00\x00\x01", 6);
    assert_int_equal(m.mtu, 1500);
    assert_int_equal(m.prefix_count, 1);
    expect_address(&m.prefix[0].prefix, "2001:db8:1::");
    assert_int_equal(m.prefix[0].length, 64);
    assert_true(m.prefix[0].on_link && m.prefix[0].autonomous);
    assert_int_equal(m.prefix[0].valid_s, 2592000);
    assert_int_equal(m.prefix[0].preferred_s, 604800);

    uint8_t p[sizeof known_ra];
    assert_int_equal(wire_ra_emit(p, &m), sizeof p);
    finish(p, sizeof p, "fe80::1", "ff02::1");
    assert_memory_equal(p, known_ra, sizeof p);
}

static void test_ra_truncated(void **state) {
    (void)state;
    struct wire_ra m;
    for (size_t n = 0; n <= sizeof known_ra; n++) {
        bool valid = n == 16 || n == 24 || n == 32 || n == 64;
        assert_int_equal(PARSE(ra, known_ra, n, &m), valid ? BK_REASON_NONE : BK_REASON_DROP_ND_BAD);
    }
}

static void test_ra_refuses(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 133}, {1, 1}, {17, 0}, {18, 1}, {25, 0}, {33, 0}, {33, 5}, {33, 255}};
    for (size_t i = 0; i < BK_COUNT(damage); i++) {
        struct wire_ra m;
        uint8_t p[sizeof known_ra];
        memcpy(p, known_ra, sizeof p);
        p[damage[i].at] = damage[i].value;
        assert_int_equal(PARSE(ra, p, sizeof p, &m), BK_REASON_DROP_ND_BAD);
    }
}

/* One prefix option, alone in an advertisement. */
static uint32_t parse_prefix(const char *prefix, unsigned length, struct wire_ra *m) {
    uint8_t p[16 + 32];
    bk_addr a = address(prefix);
    memcpy(p, known_ra, 16);
    memcpy(p + 16, known_ra + 32, 32);
    p[16 + 2] = (uint8_t)length;
    memcpy(p + 32, a.byte, 16);
    assert_int_equal(PARSE(ra, p, sizeof p, m), BK_REASON_NONE);
    return m->prefix_count;
}

static void test_ra_prefixes(void **state) {
    (void)state;
    struct wire_ra m;
    /* Bits past the prefix are cleared. */
    assert_int_equal(parse_prefix("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 61, &m), 1);
    expect_address(&m.prefix[0].prefix, "2001:db8:ffff:fff8::");
    assert_int_equal(parse_prefix("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 128, &m), 1);
    expect_address(&m.prefix[0].prefix, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_int_equal(parse_prefix("2001:db8::1", 0, &m), 1);
    expect_address(&m.prefix[0].prefix, "::");
    /* Impossible ones are left out: longer than an address, IPv4-mapped. */
    assert_int_equal(parse_prefix("2001:db8::1", 129, &m), 0);
    assert_int_equal(parse_prefix("2001:db8::1", 255, &m), 0);
    assert_int_equal(parse_prefix("::ffff:192.0.2.0", 120, &m), 0);
}

/* More prefixes than there is room for: the first ones are kept. Unknown options and lengths are skipped. */
static void test_ra_many_options(void **state) {
    (void)state;
    uint8_t p[16 + 8 + 16 + 6 * 32 + 16];
    memcpy(p, known_ra, 16);
    uint8_t *o = p + 16;
    memset(o, 0, sizeof p - 16);
    o[0] = 25, o[1] = 1, o += 8;
    o[0] = 3, o[1] = 2, o += 16; /* a prefix option of another length */
    for (unsigned i = 0; i < 6; i++, o += 32) {
        memcpy(o, known_ra + 32, 32);
        o[16 + 5] = (uint8_t)i;
    }
    for (unsigned i = 0; i < 2; i++, o += 8) memcpy(o, (uint8_t[]){5, 1, 0, 0, 0, 0, 5, (uint8_t)i}, 8);
    struct wire_ra m;
    assert_int_equal(PARSE(ra, p, sizeof p, &m), BK_REASON_NONE);
    assert_int_equal(m.prefix_count, WIRE_RA_PREFIXES);
    for (unsigned i = 0; i < WIRE_RA_PREFIXES; i++) assert_int_equal(m.prefix[i].prefix.byte[5], i);
    assert_int_equal(m.mtu, 0x500); /* the first one */
    assert_false(m.has_mac);
}

static void test_ra_round_trip(void **state) {
    (void)state;
    for (unsigned count = 0; count <= WIRE_RA_PREFIXES; count++) {
        struct wire_ra m = {.hop_limit = 255,
                            .router_lifetime_s = 65535,
                            .reachable_ms = 1,
                            .retrans_ms = UINT32_MAX,
                            .has_mac = count & 1,
                            .mtu = count & 2 ? 9000 : 0,
                            .prefix_count = count};
        if (m.has_mac) memcpy(m.mac, "\x02\x11\x22\x33\x44\x55", 6);
        for (unsigned i = 0; i < count; i++)
            m.prefix[i] = (struct wire_ra_prefix){address("2001:db8:0:8000::"), 50, i & 1, i & 2, UINT32_MAX, i};
        uint8_t p[16 + 8 + 8 + 4 * 32];
        size_t n = wire_ra_emit(p, &m);
        assert_int_equal(n, 16 + (m.has_mac ? 8 : 0) + (m.mtu ? 8 : 0) + count * 32);
        struct wire_ra back;
        assert_int_equal(PARSE(ra, p, n, &back), BK_REASON_NONE);
        assert_int_equal(back.hop_limit, m.hop_limit);
        assert_int_equal(back.router_lifetime_s, m.router_lifetime_s);
        assert_int_equal(back.reachable_ms, m.reachable_ms);
        assert_int_equal(back.retrans_ms, m.retrans_ms);
        assert_int_equal(back.has_mac, m.has_mac);
        assert_memory_equal(back.mac, m.mac, 6);
        assert_int_equal(back.mtu, m.mtu);
        assert_int_equal(back.prefix_count, count);
        for (unsigned i = 0; i < count; i++) {
            expect_address(&back.prefix[i].prefix, "2001:db8:0:8000::");
            assert_int_equal(back.prefix[i].length, 50);
            assert_int_equal(back.prefix[i].on_link, i & 1);
            assert_int_equal(back.prefix[i].autonomous, (i & 2) != 0);
            assert_int_equal(back.prefix[i].valid_s, UINT32_MAX);
            assert_int_equal(back.prefix[i].preferred_s, i);
        }
    }
}

static void test_rs(void **state) {
    (void)state;
    static const uint8_t known[] = {0x85, 0, 0x7a, 0x2a, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 2};
    uint8_t p[16];
    memset(p, 0xa5, sizeof p);
    assert_int_equal(wire_rs_emit(p, (const uint8_t[6]){2, 0, 0, 0, 0, 2}), 16);
    finish(p, sizeof p, "fe80::2", "ff02::2");
    assert_memory_equal(p, known, sizeof known);
    memset(p, 0xa5, sizeof p);
    assert_int_equal(wire_rs_emit(p, (const uint8_t[6]){0}), 8);
    assert_memory_equal(p, "\x85\0\0\0\0\0\0\0\xa5", 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_icmp_fields),
        cmocka_unit_test(test_known_neighbors),
        cmocka_unit_test(test_neighbor_round_trips),
        cmocka_unit_test(test_neighbor_truncated),
        cmocka_unit_test(test_neighbor_refuses),
        cmocka_unit_test(test_neighbor_options),
        cmocka_unit_test(test_known_ra),
        cmocka_unit_test(test_ra_truncated),
        cmocka_unit_test(test_ra_refuses),
        cmocka_unit_test(test_ra_prefixes),
        cmocka_unit_test(test_ra_many_options),
        cmocka_unit_test(test_ra_round_trip),
        cmocka_unit_test(test_rs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
