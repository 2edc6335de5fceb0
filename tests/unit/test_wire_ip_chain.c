/* Shows how the walk over IPv6 extension headers ends: at the transport, at a fragment, or with the problem to report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/ip.h"

/* Parses a copy that ends where its memory ends, so that a sanitizer sees any read past n. */
static uint16_t walk(const uint8_t *p, size_t n, uint8_t next, struct wire_ipv6_chain *out) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    memset(out, 0x5a, sizeof *out);
    uint16_t reason = wire_ipv6_chain_parse(copy + (n == 0), n, next, out);
    free(copy);
    return reason;
}

static void expect_end(const uint8_t *p, size_t n, uint8_t next, uint8_t protocol, uint16_t length) {
    struct wire_ipv6_chain c;
    assert_int_equal(walk(p, n, next, &c), BK_REASON_NONE);
    assert_int_equal(c.protocol, protocol);
    assert_int_equal(c.length, length);
    assert_false(c.fragment);
    assert_false(c.parameter_problem);
}

static void expect_problem(const uint8_t *p, size_t n, uint8_t next, uint8_t code, uint16_t at) {
    struct wire_ipv6_chain c;
    assert_int_equal(walk(p, n, next, &c), BK_REASON_DROP_IP_EXTENSION);
    assert_true(c.parameter_problem);
    assert_int_equal(c.problem_code, code);
    assert_int_equal(c.problem_at, at);
}

static void expect_silent_drop(const uint8_t *p, size_t n, uint8_t next) {
    struct wire_ipv6_chain c;
    assert_int_equal(walk(p, n, next, &c), BK_REASON_DROP_IP_EXTENSION);
    assert_false(c.parameter_problem);
}

/* Hop-by-hop (router alert, PadN), routing with nothing left, an atomic fragment, destination options (16 bytes). */
static const uint8_t chain[] = {
    43, 0, 5, 2, 0,    0, 1, 0,                                     /* hop-by-hop, at 0 */
    44, 0, 0, 0, 9,    9, 9, 9,                                     /* routing, at 8 */
    60, 7, 0, 0, 0x12, 0, 0, 1,                                     /* fragment, at 16 */
    6,  1, 1, 4, 0,    0, 0, 0, 0x1e, 2, 7, 7, 0, 0, 1, 0,          /* destination, at 24 */
    1,  2, 3, 4, 5,    6, 7, 8, 9,    9, 9, 9, 9, 9, 9, 9, 9, 9, 9, /* the transport's */
};

static void test_no_extension(void **state) {
    (void)state;
    for (unsigned next = 0; next < 256; next++) {
        if (next == 0 || next == 43 || next == 44 || next == 60) continue;
        expect_end(chain, 0, (uint8_t)next, (uint8_t)next, 0);
        expect_end(chain, sizeof chain, (uint8_t)next, (uint8_t)next, 0);
    }
}

static void test_whole_chain(void **state) {
    (void)state;
    expect_end(chain, sizeof chain, WIRE_HOP_BY_HOP, WIRE_TCP, 40);
    expect_end(chain + 8, sizeof chain - 8, WIRE_ROUTING, WIRE_TCP, 32);
    expect_end(chain + 16, sizeof chain - 16, WIRE_FRAGMENT, WIRE_TCP, 24);
    expect_end(chain + 24, sizeof chain - 24, WIRE_DESTINATION, WIRE_TCP, 16);
    for (size_t n = 0; n < 40; n++) expect_silent_drop(chain, n, WIRE_HOP_BY_HOP);
    expect_end(chain, 40, WIRE_HOP_BY_HOP, WIRE_TCP, 40);
}

static void test_fragments(void **state) {
    (void)state;
    struct wire_ipv6_chain c;
    uint8_t p[sizeof chain];
    memcpy(p, chain, sizeof p);
    /* The offset in bytes, the flag, the id; what follows is not read, whatever it is. */
    memcpy(p + 16, (const uint8_t[]){60, 0xff, 0x05, 0xb8, 0xde, 0xad, 0xbe, 0xef}, 8);
    assert_int_equal(walk(p, 24, WIRE_HOP_BY_HOP, &c), BK_REASON_NONE);
    assert_int_equal(c.protocol, WIRE_FRAGMENT);
    assert_int_equal(c.length, 24);
    assert_true(c.fragment);
    assert_false(c.more_fragments);
    assert_int_equal(c.fragment_offset, 0x05b8);
    assert_int_equal(c.fragment_id, 0xdeadbeef);
    assert_int_equal(c.fragment_next, WIRE_DESTINATION);
    assert_int_equal(c.fragment_next_at, 8); /* the routing header named it */
    for (size_t n = 0; n < 24; n++) expect_silent_drop(p, n, WIRE_HOP_BY_HOP);

    /* Alone, the IPv6 header names it. The two reserved bits are ignored. */
    assert_int_equal(walk((const uint8_t[]){6, 0, 0xff, 0xff, 0, 0, 0, 1}, 8, WIRE_FRAGMENT, &c), BK_REASON_NONE);
    assert_true(c.fragment && c.more_fragments);
    assert_int_equal(c.fragment_offset, 0xfff8);
    assert_int_equal(c.fragment_next_at, UINT16_MAX);
    assert_int_equal(walk((const uint8_t[]){6, 0, 0, 1, 0, 0, 0, 1}, 8, WIRE_FRAGMENT, &c), BK_REASON_NONE);
    assert_true(c.fragment && c.more_fragments);
    assert_int_equal(c.fragment_offset, 0);
    /* Atomic: neither offset nor more to come (RFC 6946). */
    expect_end((const uint8_t[]){6, 0xff, 0, 6, 0, 0, 0, 1}, 8, WIRE_FRAGMENT, WIRE_TCP, 8);
}

static void test_hop_by_hop_only_first(void **state) {
    (void)state;
    uint8_t p[sizeof chain];
    for (size_t at = 0; at < 40; at += at == 24 ? 16 : 8) { /* each header in turn names another hop-by-hop */
        memcpy(p, chain, sizeof p);
        p[at] = WIRE_HOP_BY_HOP;
        expect_problem(p, sizeof p, WIRE_HOP_BY_HOP, 1, (uint16_t)at);
    }
}

static void test_routing_with_segments_left(void **state) {
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        const uint8_t p[] = {6, 0, (uint8_t)type, 0, 0, 0, 0, 0};
        expect_end(p, 8, WIRE_ROUTING, WIRE_TCP, 8);
        uint8_t left[sizeof chain];
        memcpy(left, chain, sizeof left);
        left[10] = (uint8_t)type;
        left[11] = 1;
        expect_problem(left, sizeof left, WIRE_HOP_BY_HOP, 0, 10);
    }
}

/* Each option type in both headers that have options: skipped, dropped, or answered, by its two highest bits. */
static void test_option_actions(void **state) {
    (void)state;
    for (unsigned type = 2; type < 256; type++)
        for (unsigned header = 0; header < 2; header++) {
            uint8_t next = header ? WIRE_DESTINATION : WIRE_HOP_BY_HOP;
            const uint8_t p[] = {6, 1, 0, 1, 1, 0, (uint8_t)type, 3, 9, 9, 9, 1, 3, 0, 0, 0};
            if (type >> 6 == 0)
                expect_end(p, sizeof p, next, WIRE_TCP, 16);
            else if (type >> 6 == 1)
                expect_silent_drop(p, sizeof p, next);
            else
                expect_problem(p, sizeof p, next, 2, 6);
        }
}

static void test_option_lengths(void **state) {
    (void)state;
    /* PadN that ends with the header, and one that is a byte too long; its type is of the skippable sort. */
    for (unsigned length = 0; length < 256; length++) {
        const uint8_t p[] = {6, 0, 1, (uint8_t)length, 0, 0, 0, 0, 0xc3, 0, 0, 0, 0, 0, 0, 0};
        if (length <= 4)
            expect_end(p, sizeof p, WIRE_DESTINATION, WIRE_TCP, 8);
        else
            expect_problem(p, sizeof p, WIRE_DESTINATION, 0, 3);
    }
    /* An option without room for its length byte. */
    const uint8_t cut[] = {6, 0, 1, 3, 0, 0, 0, 1, 0, 0, 0, 0};
    expect_problem(cut, sizeof cut, WIRE_HOP_BY_HOP, 0, 7);
    /* Six times Pad1. */
    expect_end((const uint8_t[8]){6}, 8, WIRE_HOP_BY_HOP, WIRE_TCP, 8);
}

static void test_header_lengths(void **state) {
    (void)state;
    for (unsigned length = 0; length < 256; length++) {
        uint8_t p[8 * 256] = {6, (uint8_t)length}; /* all Pad1 */
        size_t end = 8 * (length + 1);
        expect_end(p, sizeof p, WIRE_DESTINATION, WIRE_TCP, (uint16_t)end);
        expect_end(p, end, WIRE_DESTINATION, WIRE_TCP, (uint16_t)end);
        expect_silent_drop(p, end - 1, WIRE_DESTINATION);
    }
}

static void test_too_many_headers(void **state) {
    (void)state;
    uint8_t p[9 * 8] = {0};
    for (unsigned i = 0; i < 9; i++) p[8 * i] = WIRE_DESTINATION;
    p[7 * 8] = WIRE_UDP;
    expect_end(p, sizeof p, WIRE_DESTINATION, WIRE_UDP, 64);
    p[7 * 8] = WIRE_DESTINATION;
    p[8 * 8] = WIRE_UDP;
    expect_silent_drop(p, sizeof p, WIRE_DESTINATION);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_extension),
        cmocka_unit_test(test_whole_chain),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_hop_by_hop_only_first),
        cmocka_unit_test(test_routing_with_segments_left),
        cmocka_unit_test(test_option_actions),
        cmocka_unit_test(test_option_lengths),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_too_many_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
