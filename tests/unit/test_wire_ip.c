/* Shows that IPv4 and IPv6 headers survive the way out and in, that each malformed one is refused by name, and that the
 * classes of addresses are told as the RFCs draw them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "wire/ip.h"

static bk_addr address(const char *text) {
    bk_addr a;
    assert_int_equal(bk_addr_parse(text, &a), 0);
    return a;
}

static void expect_address(const bk_addr *a, const char *text) {
    bk_addr expected = address(text);
    assert_true(bk_addr_equal(a, &expected));
}

/* ---- IPv4 -------------------------------------------------------------------------------------------- */

/* The header of a Linux SYN from 192.0.2.2 to 192.0.2.1. */
static const uint8_t known_ipv4[60] = {0x45, 0x00, 0x00, 0x3c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06,
                                       0xa4, 0x84, 0xc0, 0x00, 0x02, 0x02, 0xc0, 0x00, 0x02, 0x01};

/* Parses a copy that ends where its memory ends, so that a sanitizer sees any read past `held`. */
static uint16_t parse_ipv4(const uint8_t *p, size_t held, size_t n, struct wire_ipv4 *out) {
    uint8_t *copy = malloc(held > 0 ? held : 1);
    assert_non_null(copy);
    memcpy(copy, p, held);
    uint16_t reason = wire_ipv4_parse(copy + (held == 0), held, n, out);
    free(copy);
    return reason;
}

static void checksum_ipv4(uint8_t *p) {
    put_be16(p + 10, 0);
    put_be16(p + 10, checksum_finish(checksum_add(0, p, (p[0] & 15u) * 4)));
}

static void test_known_ipv4(void **state) {
    (void)state;
    struct wire_ipv4 h;
    assert_int_equal(parse_ipv4(known_ipv4, 60, 60, &h), BK_REASON_NONE);
    assert_int_equal(h.header_length, 20);
    assert_int_equal(h.total_length, 60);
    assert_int_equal(h.id, 0x1234);
    assert_true(h.dont_fragment);
    assert_false(h.more_fragments);
    assert_int_equal(h.fragment_offset, 0);
    assert_int_equal(h.traffic_class, 0);
    assert_int_equal(h.ttl, 64);
    assert_int_equal(h.protocol, WIRE_TCP);
    expect_address(&h.src, "192.0.2.2");
    expect_address(&h.dst, "192.0.2.1");
    uint8_t p[WIRE_IPV4_LENGTH + 1];
    memset(p, 0xa5, sizeof p);
    assert_int_equal(wire_ipv4_emit(p, &h), WIRE_IPV4_LENGTH);
    assert_memory_equal(p, known_ipv4, WIRE_IPV4_LENGTH);
    assert_int_equal(p[WIRE_IPV4_LENGTH], 0xa5);
}

static void test_ipv4_round_trips(void **state) {
    (void)state;
    for (unsigned set = 0; set < 64; set++) {
        const struct wire_ipv4 h = {.total_length = set & 1 ? 65535 : 20,
                                    .id = set & 2 ? 0xffff : 0,
                                    .fragment_offset = set & 4 ? 65528 : 8,
                                    .dont_fragment = set & 8,
                                    .more_fragments = set & 16,
                                    .traffic_class = set & 32 ? 0xff : 0,
                                    .ttl = (uint8_t)(set * 4),
                                    .protocol = (uint8_t)(255 - set),
                                    .src = bk_addr_ipv4(1, 2, 3, (uint8_t)set),
                                    .dst = bk_addr_ipv4(254, 253, 252, (uint8_t)set)};
        uint8_t p[60] = {0};
        struct wire_ipv4 back;
        wire_ipv4_emit(p, &h);
        assert_int_equal(parse_ipv4(p, 60, 65535, &back), BK_REASON_NONE);
        assert_int_equal(back.header_length, WIRE_IPV4_LENGTH);
        assert_int_equal(back.total_length, h.total_length);
        assert_int_equal(back.id, h.id);
        assert_int_equal(back.fragment_offset, h.fragment_offset);
        assert_int_equal(back.dont_fragment, h.dont_fragment);
        assert_int_equal(back.more_fragments, h.more_fragments);
        assert_int_equal(back.traffic_class, h.traffic_class);
        assert_int_equal(back.ttl, h.ttl);
        assert_int_equal(back.protocol, h.protocol);
        assert_true(bk_addr_equal(&back.src, &h.src) && bk_addr_equal(&back.dst, &h.dst));
    }
}

static void test_ipv4_truncated(void **state) {
    (void)state;
    struct wire_ipv4 h;
    for (size_t n = 0; n < 60; n++)
        assert_int_equal(parse_ipv4(known_ipv4, n, n, &h),
                         n < WIRE_IPV4_LENGTH ? BK_REASON_DROP_IP_SHORT : BK_REASON_DROP_IP_LENGTH);
    /* More bytes in the frame than are held in one piece: the lengths are checked against the frame's. */
    uint8_t p[60];
    memcpy(p, known_ipv4, sizeof p);
    put_be16(p + 2, 1500);
    checksum_ipv4(p);
    assert_int_equal(parse_ipv4(p, 60, 1499, &h), BK_REASON_DROP_IP_LENGTH);
    assert_int_equal(parse_ipv4(p, 60, 1500, &h), BK_REASON_NONE);
    assert_int_equal(parse_ipv4(p, 60, 1514, &h), BK_REASON_NONE); /* padding */
    assert_int_equal(h.total_length, 1500);
}

static void test_ipv4_version_and_lengths(void **state) {
    (void)state;
    struct wire_ipv4 h;
    uint8_t p[60];
    for (unsigned first = 0; first < 256; first++)
        for (unsigned total = 0; total <= 61; total++) {
            memcpy(p, known_ipv4, sizeof p);
            p[0] = (uint8_t)first;
            put_be16(p + 2, (uint16_t)total);
            checksum_ipv4(p);
            unsigned header = (first & 15) * 4;
            uint16_t expected = first >> 4 != 4                                     ? BK_REASON_DROP_IP_VERSION
                                : header < 20 || total < header || total > sizeof p ? BK_REASON_DROP_IP_LENGTH
                                                                                    : BK_REASON_NONE;
            assert_int_equal(parse_ipv4(p, sizeof p, sizeof p, &h), expected);
        }
}

/* Every single flipped bit of the header is noticed. */
static void test_ipv4_flipped_bits(void **state) {
    (void)state;
    struct wire_ipv4 h;
    for (unsigned bit = 0; bit < WIRE_IPV4_LENGTH * 8; bit++) {
        uint8_t p[60];
        memcpy(p, known_ipv4, sizeof p);
        p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        uint16_t reason = parse_ipv4(p, sizeof p, sizeof p, &h);
        if (bit < 4)
            assert_int_equal(reason, BK_REASON_DROP_IP_VERSION);
        else if (bit >= 32)
            assert_int_equal(reason, BK_REASON_DROP_IP_CHECKSUM);
        else
            assert_int_not_equal(reason, BK_REASON_NONE);
    }
}

static uint16_t parse_ipv4_options(const uint8_t options[8]) {
    uint8_t p[60];
    struct wire_ipv4 h;
    memcpy(p, known_ipv4, sizeof p);
    p[0] = 0x47;
    memcpy(p + 20, options, 8);
    checksum_ipv4(p);
    uint16_t reason = parse_ipv4(p, sizeof p, sizeof p, &h);
    if (reason == BK_REASON_NONE) assert_int_equal(h.header_length, 28);
    return reason;
}

static void test_ipv4_options(void **state) {
    (void)state;
    for (unsigned kind = 2; kind < 256; kind++)
        for (size_t at = 0; at < 8; at++) {
            uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 1};
            options[at] = (uint8_t)kind;
            for (unsigned length = 0; length < 256; length++) {
                if (at < 7) options[at + 1] = (uint8_t)length;
                bool valid = at < 7 && length >= 2 && length <= 8 - at;
                assert_int_equal(parse_ipv4_options(options), valid ? BK_REASON_NONE : BK_REASON_DROP_IP_OPTION);
            }
        }
    /* Behind the end of the list anything may stand. */
    assert_int_equal(parse_ipv4_options((const uint8_t[8]){1, 7, 3, 4, 0, 7, 0, 7}), BK_REASON_NONE);
}

/* ---- IPv6 -------------------------------------------------------------------------------------------- */

static const uint8_t known_ipv6[] = {
    0x6b, 0x81, 0x23, 0x45, 0x00, 0x2c, 0x06, 0x40, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x20, 0x01, 0x0d, 0xb8,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
};

static uint16_t parse_ipv6(const uint8_t *p, size_t held, size_t n, struct wire_ipv6 *out) {
    uint8_t *copy = malloc(held > 0 ? held : 1);
    assert_non_null(copy);
    memcpy(copy, p, held);
    uint16_t reason = wire_ipv6_parse(copy + (held == 0), n, out);
    free(copy);
    return reason;
}

static void test_known_ipv6(void **state) {
    (void)state;
    struct wire_ipv6 h;
    assert_int_equal(parse_ipv6(known_ipv6, sizeof known_ipv6, 40 + 44, &h), BK_REASON_NONE);
    assert_int_equal(h.traffic_class, 0xb8);
    assert_int_equal(h.flow_label, 0x12345);
    assert_int_equal(h.payload_length, 44);
    assert_int_equal(h.next_header, WIRE_TCP);
    assert_int_equal(h.hop_limit, 64);
    expect_address(&h.src, "2001:db8::1");
    expect_address(&h.dst, "2001:db8::2");
    uint8_t p[WIRE_IPV6_LENGTH];
    assert_int_equal(wire_ipv6_emit(p, &h), WIRE_IPV6_LENGTH);
    assert_memory_equal(p, known_ipv6, sizeof p);
}

static void test_ipv6_refuses(void **state) {
    (void)state;
    struct wire_ipv6 h;
    for (size_t n = 0; n < 84; n++)
        assert_int_equal(parse_ipv6(known_ipv6, n < 40 ? n : 40, n, &h),
                         n < WIRE_IPV6_LENGTH ? BK_REASON_DROP_IP_SHORT : BK_REASON_DROP_IP_LENGTH);
    uint8_t p[sizeof known_ipv6];
    for (unsigned version = 0; version < 16; version++) {
        memcpy(p, known_ipv6, sizeof p);
        p[0] = (uint8_t)(version << 4);
        assert_int_equal(parse_ipv6(p, 40, 84, &h), version == 6 ? BK_REASON_NONE : BK_REASON_DROP_IP_VERSION);
    }
    /* IPv4-mapped addresses would be taken for IPv4's. */
    bk_addr mapped = bk_addr_ipv4(192, 0, 2, 1);
    memcpy(p, known_ipv6, sizeof p);
    memcpy(p + 8, mapped.byte, 16);
    assert_int_equal(parse_ipv6(p, 40, 84, &h), BK_REASON_DROP_IP_SOURCE);
    memcpy(p, known_ipv6, sizeof p);
    memcpy(p + 24, mapped.byte, 16);
    assert_int_equal(parse_ipv6(p, 40, 84, &h), BK_REASON_DROP_IP_DESTINATION);
}

static void test_ipv6_round_trip(void **state) {
    (void)state;
    const struct wire_ipv6 h = {.traffic_class = 0xff,
                                .flow_label = 0xfffff,
                                .payload_length = 65535,
                                .next_header = 59,
                                .hop_limit = 255,
                                .src = address("fe80::1"),
                                .dst = address("ff02::1")};
    uint8_t p[WIRE_IPV6_LENGTH];
    struct wire_ipv6 back;
    wire_ipv6_emit(p, &h);
    assert_int_equal(parse_ipv6(p, 40, 40 + 65535, &back), BK_REASON_NONE);
    assert_int_equal(back.traffic_class, 0xff);
    assert_int_equal(back.flow_label, 0xfffff);
    assert_int_equal(back.payload_length, 65535);
    assert_int_equal(back.next_header, 59);
    assert_int_equal(back.hop_limit, 255);
    assert_true(bk_addr_equal(&back.src, &h.src) && bk_addr_equal(&back.dst, &h.dst));
}

/* ---- addresses --------------------------------------------------------------------------------------- */

static void test_address_classes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool multicast, loopback, link_local, broadcast;
    } rows[] = {
        {"223.255.255.255", 0, 0, 0, 0},
        {"224.0.0.0", 1, 0, 0, 0},
        {"239.255.255.255", 1, 0, 0, 0},
        {"240.0.0.0", 0, 0, 0, 0},
        {"255.255.255.255", 0, 0, 0, 1},
        {"255.255.255.254", 0, 0, 0, 0},
        {"127.0.0.1", 0, 1, 0, 0},
        {"127.255.255.255", 0, 1, 0, 0},
        {"126.255.255.255", 0, 0, 0, 0},
        {"128.0.0.0", 0, 0, 0, 0},
        {"169.254.0.0", 0, 0, 1, 0},
        {"169.254.255.255", 0, 0, 1, 0},
        {"169.253.255.255", 0, 0, 0, 0},
        {"169.255.0.0", 0, 0, 0, 0},
        {"0.0.0.1", 0, 0, 0, 0},
        {"::", 0, 0, 0, 0},
        {"::1", 0, 1, 0, 0},
        {"::2", 0, 0, 0, 0},
        {"1::1", 0, 0, 0, 0},
        {"ff00::", 1, 0, 0, 0},
        {"ff02::1", 1, 0, 0, 0},
        {"feff::", 0, 0, 0, 0},
        {"fe80::", 0, 0, 1, 0},
        {"febf:ffff::", 0, 0, 1, 0},
        {"fec0::", 0, 0, 0, 0},
        {"fe7f:ffff::", 0, 0, 0, 0},
        {"::7f00:1", 0, 0, 0, 0},
        {"::ffff:ffff", 0, 0, 0, 0},
        {"2001:db8::e000:1", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        bk_addr a = address(rows[i].text);
        assert_int_equal(wire_addr_is_multicast(&a), rows[i].multicast);
        assert_int_equal(wire_addr_is_loopback(&a), rows[i].loopback);
        assert_int_equal(wire_addr_is_link_local(&a), rows[i].link_local);
        assert_int_equal(wire_addr_is_limited_broadcast(&a), rows[i].broadcast);
    }
}

/* Two addresses that differ in one bit share exactly the prefixes that end before it. */
static void test_prefixes(void **state) {
    (void)state;
    bk_addr v4 = address("192.0.2.129"), v6 = address("2001:db8::8000:0:0:1");
    for (unsigned bits = 0; bits <= 255; bits++) {
        for (unsigned bit = 0; bit < 128; bit++) {
            bk_addr other = v6;
            other.byte[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            assert_int_equal(wire_addr_prefix_equal(&v6, &other, (uint8_t)bits), bits <= bit);
        }
        for (unsigned bit = 0; bit < 32; bit++) {
            bk_addr other = v4;
            other.byte[12 + bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            assert_int_equal(wire_addr_prefix_equal(&v4, &other, (uint8_t)bits), bits <= bit);
        }
        assert_true(wire_addr_prefix_equal(&v4, &v4, (uint8_t)bits));
        assert_true(wire_addr_prefix_equal(&v6, &v6, (uint8_t)bits));
        assert_false(wire_addr_prefix_equal(&v4, &v6, (uint8_t)bits)); /* not even the prefix of no bits */
    }
}

static void test_derived_addresses(void **state) {
    (void)state;
    uint8_t mac[6];
    /* The example of RFC 4291 2.7.1. */
    bk_addr a = address("4037::01:800:200E:8C6C"), group = wire_addr_solicited_node(&a);
    expect_address(&group, "ff02::1:ff0e:8c6c");
    wire_addr_multicast_mac(&group, mac);
    assert_memory_equal(mac, "\x33\x33\xff\x0e\x8c\x6c", 6);
    a = address("239.129.2.3"); /* only 23 bits fit */
    wire_addr_multicast_mac(&a, mac);
    assert_memory_equal(mac, "\x01\x00\x5e\x01\x02\x03", 6);
    /* The example of RFC 4291 appendix A, 34-56-78-9A-BC-DE, whatever the prefix's last half says. */
    bk_addr prefix = address("2001:db8:1:2:ffff::1");
    a = wire_addr_from_mac(&prefix, (const uint8_t[6]){0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde});
    expect_address(&a, "2001:db8:1:2:3656:78ff:fe9a:bcde");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_ipv4),        cmocka_unit_test(test_ipv4_round_trips),
        cmocka_unit_test(test_ipv4_truncated),    cmocka_unit_test(test_ipv4_version_and_lengths),
        cmocka_unit_test(test_ipv4_flipped_bits), cmocka_unit_test(test_ipv4_options),
        cmocka_unit_test(test_known_ipv6),        cmocka_unit_test(test_ipv6_refuses),
        cmocka_unit_test(test_ipv6_round_trip),   cmocka_unit_test(test_address_classes),
        cmocka_unit_test(test_prefixes),          cmocka_unit_test(test_derived_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
