/* Shows that Ethernet and ARP headers survive the way out and in, and that each malformed one is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/ethernet.h"

/* A broadcast frame that asks who has 192.0.2.1. */
static const uint8_t who_has[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x06, /* Ethernet */
    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,                                     /* types, lengths, request */
    0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0xc0, 0x00, 0x02, 0x02,                         /* sender */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x02, 0x01,                         /* target */
};

/* Parses a copy that ends where its memory ends, so that a sanitizer sees any read past n. */
static uint16_t parse_ethernet(const uint8_t *p, size_t n, struct wire_ethernet *out) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    uint16_t reason = wire_ethernet_parse(copy + (n == 0), n, out);
    free(copy);
    return reason;
}

static uint16_t parse_arp(const uint8_t *p, size_t n, struct wire_arp *out) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    uint16_t reason = wire_arp_parse(copy + (n == 0), n, out);
    free(copy);
    return reason;
}

static void test_ethernet_parse(void **state) {
    (void)state;
    struct wire_ethernet e;
    assert_int_equal(parse_ethernet(who_has, sizeof who_has, &e), BK_REASON_NONE);
    assert_memory_equal(e.dst, "\xff\xff\xff\xff\xff\xff", 6);
    assert_memory_equal(e.src, "\x02\x00\x00\x00\x00\x02", 6);
    assert_int_equal(e.type, WIRE_ETHERTYPE_ARP);
    assert_true(wire_ethernet_is_group(e.dst));
    assert_false(wire_ethernet_is_group(e.src));
}

static void test_ethernet_refuses(void **state) {
    (void)state;
    struct wire_ethernet e;
    for (size_t n = 0; n < WIRE_ETHERNET_LENGTH; n++)
        assert_int_equal(parse_ethernet(who_has, n, &e), BK_REASON_DROP_ETHERNET_SHORT);
    assert_int_equal(parse_ethernet(who_has, WIRE_ETHERNET_LENGTH, &e), BK_REASON_NONE);

    uint8_t frame[sizeof who_has];
    memcpy(frame, who_has, sizeof frame);
    put_be16(frame + 12, 0x05ff); /* a length, IEEE 802.3 */
    assert_int_equal(parse_ethernet(frame, sizeof frame, &e), BK_REASON_DROP_ETHERTYPE);
    put_be16(frame + 12, 0x0600);
    assert_int_equal(parse_ethernet(frame, sizeof frame, &e), BK_REASON_NONE);
    assert_int_equal(e.type, 0x0600);
}

static void test_arp_parse(void **state) {
    (void)state;
    struct wire_arp a;
    assert_int_equal(parse_arp(who_has + 14, WIRE_ARP_LENGTH, &a), BK_REASON_NONE);
    bk_addr sender = bk_addr_ipv4(192, 0, 2, 2), target = bk_addr_ipv4(192, 0, 2, 1);
    assert_int_equal(a.op, WIRE_ARP_REQUEST);
    assert_memory_equal(a.sender_mac, "\x02\x00\x00\x00\x00\x02", 6);
    assert_memory_equal(a.target_mac, "\x00\x00\x00\x00\x00\x00", 6);
    assert_true(bk_addr_equal(&a.sender, &sender) && bk_addr_equal(&a.target, &target));
    /* Ethernet pads to 60 bytes: what follows is ignored. */
    uint8_t padded[46] = {0};
    memcpy(padded, who_has + 14, WIRE_ARP_LENGTH);
    assert_int_equal(parse_arp(padded, sizeof padded, &a), BK_REASON_NONE);
}

static void test_arp_refuses(void **state) {
    (void)state;
    struct wire_arp a;
    for (size_t n = 0; n < WIRE_ARP_LENGTH; n++)
        assert_int_equal(parse_arp(who_has + 14, n, &a), BK_REASON_DROP_ARP_BAD);
    /* One byte changed at a time: hardware type, protocol type, both lengths, operation, group sender. */
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 1},  {1, 6}, {2, 0x86}, {3, 6}, {4, 8},    {4, 0},
                  {5, 16}, {6, 1}, {7, 0},    {7, 3}, {8, 0x03}, {8, 0xff}};
    for (size_t i = 0; i < BK_COUNT(damage); i++) {
        uint8_t packet[WIRE_ARP_LENGTH];
        memcpy(packet, who_has + 14, sizeof packet);
        packet[damage[i].at] = damage[i].value;
        assert_int_equal(parse_arp(packet, sizeof packet, &a), BK_REASON_DROP_ARP_BAD);
    }
}

static void test_emit_known_frame(void **state) {
    (void)state;
    uint8_t frame[sizeof who_has];
    const struct wire_ethernet e = {
        .dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .src = {2, 0, 0, 0, 0, 2}, .type = WIRE_ETHERTYPE_ARP};
    const struct wire_arp a = {.op = WIRE_ARP_REQUEST,
                               .sender_mac = {2, 0, 0, 0, 0, 2},
                               .sender = bk_addr_ipv4(192, 0, 2, 2),
                               .target = bk_addr_ipv4(192, 0, 2, 1)};
    memset(frame, 0xa5, sizeof frame);
    size_t n = wire_ethernet_emit(frame, &e);
    assert_int_equal(n, WIRE_ETHERNET_LENGTH);
    n += wire_arp_emit(frame + n, &a);
    assert_int_equal(n, sizeof who_has);
    assert_memory_equal(frame, who_has, sizeof who_has);
}

static void test_arp_round_trip(void **state) {
    (void)state;
    const struct wire_arp a = {.op = WIRE_ARP_REPLY,
                               .sender_mac = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc},
                               .target_mac = {0xde, 0xf0, 0x12, 0x34, 0x56, 0x78},
                               .sender = bk_addr_ipv4(10, 1, 2, 3),
                               .target = bk_addr_ipv4(254, 253, 252, 251)};
    uint8_t packet[WIRE_ARP_LENGTH];
    struct wire_arp back;
    assert_int_equal(wire_arp_emit(packet, &a), WIRE_ARP_LENGTH);
    assert_int_equal(parse_arp(packet, sizeof packet, &back), BK_REASON_NONE);
    assert_int_equal(back.op, a.op);
    assert_memory_equal(back.sender_mac, a.sender_mac, 6);
    assert_memory_equal(back.target_mac, a.target_mac, 6);
    assert_true(bk_addr_equal(&back.sender, &a.sender) && bk_addr_equal(&back.target, &a.target));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ethernet_parse),   cmocka_unit_test(test_ethernet_refuses),
        cmocka_unit_test(test_arp_parse),        cmocka_unit_test(test_arp_refuses),
        cmocka_unit_test(test_emit_known_frame), cmocka_unit_test(test_arp_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
