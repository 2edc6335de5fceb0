/* Shows that TCP headers and options survive the way out and in, that hostile option lists are refused or stepped over as
 * RFC 9293 says, and that what is emitted is laid out as other stacks expect it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "wire/tcp.h"

/* Parses a copy that ends where its memory ends, so that a sanitizer sees any read past n. */
static uint16_t parse(const uint8_t *p, size_t n, struct wire_tcp *out) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    memset(out, 0x5a, sizeof *out);
    uint16_t reason = wire_tcp_parse(copy + (n == 0), n, out);
    free(copy);
    return reason;
}

/* A header whose options are these bytes, padded with `fill`. */
static uint16_t parse_options(const uint8_t *options, size_t n, uint8_t fill, struct wire_tcp *out) {
    uint8_t p[WIRE_TCP_LENGTH_MAX] = {0x9c, 0x40, 0, 80};
    size_t padded = (n + 3) & ~(size_t)3;
    assert_true(padded <= 40);
    memset(p + WIRE_TCP_LENGTH, fill, padded);
    if (n > 0) memcpy(p + WIRE_TCP_LENGTH, options, n);
    p[12] = (uint8_t)((WIRE_TCP_LENGTH + padded) / 4 << 4);
    return parse(p, WIRE_TCP_LENGTH + padded, out);
}
#define PARSE_OPTIONS(out, ...)                                                                                        \
    parse_options((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), 1, out)

static void expect_same_options(const struct wire_tcp_options *a, const struct wire_tcp_options *b) {
    assert_int_equal(a->mss, b->mss);
    assert_int_equal(a->has_wscale, b->has_wscale);
    assert_int_equal(a->wscale, b->wscale);
    assert_int_equal(a->sack_permitted, b->sack_permitted);
    assert_int_equal(a->has_timestamps, b->has_timestamps);
    assert_int_equal(a->tsval, b->tsval);
    assert_int_equal(a->tsecr, b->tsecr);
    assert_int_equal(a->sack_count, b->sack_count);
    for (unsigned i = 0; i < a->sack_count; i++) {
        assert_int_equal(a->sack[i].left, b->sack[i].left);
        assert_int_equal(a->sack[i].right, b->sack[i].right);
    }
}

/* The SYN that a Linux client sends from 192.0.2.2:40000 to 192.0.2.1:80. */
static const uint8_t known_syn[] = {
    0x9c, 0x40, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x02, /* ports, seq, ack, flags */
    0xfa, 0xf0, 0x24, 0x8d, 0x00, 0x00,                                                 /* window, checksum, urgent */
    0x02, 0x04, 0x05, 0xb4, 0x04, 0x02,                                                 /* MSS, SACK permitted */
    0x08, 0x0a, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00,                         /* timestamps */
    0x01, 0x03, 0x03, 0x07,                                                             /* window scale */
};

/* An ACK with one SACK block. */
static const uint8_t known_ack[] = {
    0x9c, 0x40, 0x00, 0x50, 0x01, 0x02, 0x03, 0x05, 0xff, 0xff, 0xff, 0xf0, 0xb0, 0x10, 0x01, 0xf6,
    0x33, 0xfa, 0x00, 0x00, 0x01, 0x01, 0x08, 0x0a, 0x00, 0x00, 0x03, 0xe9, 0x00, 0x00, 0x07, 0xd0, /* timestamps */
    0x01, 0x01, 0x05, 0x0a, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00,                         /* SACK */
};

static void test_known_syn(void **state) {
    (void)state;
    struct wire_tcp t;
    assert_int_equal(parse(known_syn, sizeof known_syn, &t), BK_REASON_NONE);
    assert_int_equal(t.src_port, 40000);
    assert_int_equal(t.dst_port, 80);
    assert_int_equal(t.seq, 0x01020304);
    assert_int_equal(t.ack, 0);
    assert_int_equal(t.header_length, 40);
    assert_int_equal(t.flags, WIRE_SYN);
    assert_int_equal(t.window, 64240);
    assert_int_equal(t.checksum, 0x248d);
    assert_int_equal(t.urgent, 0);
    const struct wire_tcp_options expected = {
        .mss = 1460, .has_wscale = true, .wscale = 7, .sack_permitted = true, .has_timestamps = true, .tsval = 1000};
    expect_same_options(&t.option, &expected);

    /* Emitted from the value, the checksum computed anew, it is the same bytes. */
    uint8_t p[sizeof known_syn];
    bk_addr src = bk_addr_ipv4(192, 0, 2, 2), dst = bk_addr_ipv4(192, 0, 2, 1);
    t.checksum = 0;
    t.header_length = 0;
    assert_int_equal(wire_tcp_options_length(&t.option), 20);
    assert_int_equal(wire_tcp_emit(p, &t), sizeof p);
    assert_int_equal(t.header_length, sizeof p);
    t.checksum = checksum_finish(checksum_add(checksum_pseudo(&src, &dst, 6, sizeof p), p, sizeof p));
    wire_tcp_emit(p, &t);
    assert_memory_equal(p, known_syn, sizeof p);
}

static void test_known_ack(void **state) {
    (void)state;
    struct wire_tcp t;
    assert_int_equal(parse(known_ack, sizeof known_ack, &t), BK_REASON_NONE);
    assert_int_equal(t.ack, 0xfffffff0);
    assert_int_equal(t.flags, WIRE_ACK);
    const struct wire_tcp_options expected = {
        .has_timestamps = true, .tsval = 1001, .tsecr = 2000, .sack_count = 1, .sack = {{0x100, 0x200}}};
    expect_same_options(&t.option, &expected);
    uint8_t p[sizeof known_ack];
    assert_int_equal(wire_tcp_emit(p, &t), sizeof p);
    assert_memory_equal(p, known_ack, sizeof p);
}

static void test_every_truncation(void **state) {
    (void)state;
    struct wire_tcp t;
    for (size_t n = 0; n < sizeof known_syn; n++)
        assert_int_equal(parse(known_syn, n, &t),
                         n < WIRE_TCP_LENGTH ? BK_REASON_DROP_TCP_SHORT : BK_REASON_DROP_TCP_OFFSET);
}

static void test_data_offset(void **state) {
    (void)state;
    uint8_t p[WIRE_TCP_LENGTH_MAX] = {0};
    struct wire_tcp t;
    for (unsigned words = 0; words < 16; words++)
        for (size_t n = WIRE_TCP_LENGTH; n <= sizeof p; n++) {
            p[12] = (uint8_t)(words << 4 | 0xf); /* the reserved bits are ignored (RFC 9293 3.1) */
            bool valid = words >= 5 && words * 4 <= n;
            assert_int_equal(parse(p, n, &t), valid ? BK_REASON_NONE : BK_REASON_DROP_TCP_OFFSET);
        }
}

static void test_flags_and_fields(void **state) {
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct wire_tcp t = {.src_port = 0xfffe,
                             .dst_port = 1,
                             .seq = 0xffffffff,
                             .ack = 0x80000001,
                             .flags = (uint8_t)flags,
                             .window = 0xffff,
                             .checksum = 0xabcd,
                             .urgent = 0x1234};
        uint8_t p[WIRE_TCP_LENGTH];
        struct wire_tcp back;
        assert_int_equal(wire_tcp_emit(p, &t), sizeof p);
        assert_int_equal(parse(p, sizeof p, &back), BK_REASON_NONE);
        assert_int_equal(back.src_port, t.src_port);
        assert_int_equal(back.dst_port, t.dst_port);
        assert_int_equal(back.seq, t.seq);
        assert_int_equal(back.ack, t.ack);
        assert_int_equal(back.header_length, WIRE_TCP_LENGTH);
        assert_int_equal(back.flags, flags);
        assert_int_equal(back.window, t.window);
        assert_int_equal(back.checksum, t.checksum);
        assert_int_equal(back.urgent, t.urgent);
        expect_same_options(&back.option, &(struct wire_tcp_options){0});
    }
}

/* ---- option lists that cannot be walked ------------------------------------------------------------- */

/* For every kind, at every place: length 0, length 1, no length byte at all, and every length past the end. */
static void test_impossible_lengths(void **state) {
    (void)state;
    struct wire_tcp t;
    for (unsigned kind = 2; kind < 256; kind++)
        for (size_t at = 0; at < 8; at++) {
            uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 1};
            options[at] = (uint8_t)kind;
            if (at == 7) {
                assert_int_equal(parse_options(options, 8, 1, &t), BK_REASON_DROP_TCP_OPTION);
                continue;
            }
            for (unsigned length = 0; length < 256; length++) {
                options[at + 1] = (uint8_t)length;
                bool valid = length >= 2 && length <= 8 - at;
                assert_int_equal(parse_options(options, 8, 1, &t), valid ? BK_REASON_NONE : BK_REASON_DROP_TCP_OPTION);
            }
        }
}

/* After the end of the list anything may stand (RFC 9293 MUST-5). */
static void test_end_of_list(void **state) {
    (void)state;
    struct wire_tcp t;
    assert_int_equal(PARSE_OPTIONS(&t, 2, 4, 5, 0xb4, 0, 8, 0, 1), BK_REASON_NONE);
    assert_int_equal(t.option.mss, 0x5b4);
    assert_false(t.option.has_timestamps);
    assert_int_equal(PARSE_OPTIONS(&t, 0, 2, 4, 5), BK_REASON_NONE);
    assert_int_equal(t.option.mss, 0);
    for (unsigned fill = 0; fill < 2; fill++) { /* all ends, all NOPs */
        assert_int_equal(parse_options(NULL, 0, (uint8_t)fill, &t), BK_REASON_NONE);
        const uint8_t none[40] = {0};
        assert_int_equal(parse_options(none, fill ? 1 : 40, (uint8_t)fill, &t), BK_REASON_NONE);
        expect_same_options(&t.option, &(struct wire_tcp_options){0});
    }
}

/* ---- options that can be walked and mean nothing ---------------------------------------------------- */

static void test_wrong_length_is_skipped(void **state) {
    (void)state;
    struct wire_tcp t;
    for (unsigned kind = 2; kind <= 8; kind++)
        for (unsigned length = 2; length <= 40; length++) {
            bool right = (kind == 2 && length == 4) || (kind == 3 && length == 3) || (kind == 4 && length == 2) ||
                         (kind == 5 && length > 2 && length % 8 == 2) || (kind == 8 && length == 10);
            if (right) continue;
            uint8_t options[40];
            memset(options, 1, sizeof options);
            options[0] = (uint8_t)kind;
            options[1] = (uint8_t)length;
            assert_int_equal(parse_options(options, sizeof options, 1, &t), BK_REASON_NONE);
            expect_same_options(&t.option, &(struct wire_tcp_options){0});
            if (length > 36) continue;
            /* The option after it is seen, though the one before had its kind. */
            const uint8_t mss[] = {2, 4, 0x12, 0x34};
            memcpy(options + length, mss, sizeof mss);
            assert_int_equal(parse_options(options, sizeof options, 1, &t), BK_REASON_NONE);
            assert_int_equal(t.option.mss, 0x1234);
        }
}

static void test_unknown_kinds_are_skipped(void **state) {
    (void)state;
    struct wire_tcp t;
    for (unsigned kind = 6; kind < 256; kind++) {
        if (kind == 8) continue;
        assert_int_equal(PARSE_OPTIONS(&t, (uint8_t)kind, 5, 9, 9, 9, 3, 3, 14), BK_REASON_NONE);
        const struct wire_tcp_options expected = {.has_wscale = true, .wscale = 14};
        expect_same_options(&t.option, &expected);
    }
}

static void test_first_of_repeated_counts(void **state) {
    (void)state;
    struct wire_tcp t;
    assert_int_equal(PARSE_OPTIONS(&t, 2, 4, 5, 0xb4, 2, 4, 0, 1), BK_REASON_NONE);
    assert_int_equal(t.option.mss, 1460);
    assert_int_equal(PARSE_OPTIONS(&t, 2, 4, 0, 0, 2, 4, 5, 0xb4), BK_REASON_NONE);
    assert_int_equal(t.option.mss, 0); /* an MSS of zero counts as none, and still was the first */
    assert_int_equal(PARSE_OPTIONS(&t, 3, 3, 0, 3, 3, 9), BK_REASON_NONE);
    assert_true(t.option.has_wscale);
    assert_int_equal(t.option.wscale, 0);
    assert_int_equal(PARSE_OPTIONS(&t, 1, 3, 3, 7, 1, 1, 4, 2, 1, 3, 3, 9, 2, 4, 5, 0xb4, 2, 4, 0, 1), BK_REASON_NONE);
    assert_int_equal(t.option.wscale, 7); /* as words of four bytes, too */
    assert_int_equal(t.option.mss, 1460);
    assert_true(t.option.sack_permitted);
    assert_int_equal(PARSE_OPTIONS(&t, 4, 2, 4, 2), BK_REASON_NONE);
    assert_true(t.option.sack_permitted);
    assert_int_equal(PARSE_OPTIONS(&t, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0, 0, 3, 0, 0, 0, 4), BK_REASON_NONE);
    assert_int_equal(t.option.tsval, 1);
    assert_int_equal(t.option.tsecr, 2);
    assert_int_equal(
        PARSE_OPTIONS(&t, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 18, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6),
        BK_REASON_NONE);
    assert_int_equal(t.option.sack_count, 1);
    assert_int_equal(t.option.sack[0].left, 1);
    assert_int_equal(t.option.sack[0].right, 2);
}

/* The shape with a fast path (NOP NOP timestamps, alone) and every other place of the same option read alike. */
static void test_timestamps_anywhere(void **state) {
    (void)state;
    static const uint8_t option[] = {8, 10, 0x80, 0, 0, 1, 0xff, 0, 0, 2};
    const struct wire_tcp_options expected = {.has_timestamps = true, .tsval = 0x80000001, .tsecr = 0xff000002};
    for (size_t size = 12; size <= 40; size += 4)
        for (size_t at = 0; at + sizeof option <= size; at++) {
            uint8_t options[40];
            struct wire_tcp t;
            memset(options, 1, sizeof options);
            memcpy(options + at, option, sizeof option);
            assert_int_equal(parse_options(options, size, 1, &t), BK_REASON_NONE);
            expect_same_options(&t.option, &expected);
        }
}

/* ---- emitting ---------------------------------------------------------------------------------------- */

/* Every combination of options, with 0 to 5 SACK blocks asked for. */
static void test_every_combination(void **state) {
    (void)state;
    for (unsigned set = 0; set < 16; set++)
        for (unsigned blocks = 0; blocks <= 5; blocks++) {
            struct wire_tcp t = {.flags = WIRE_ACK};
            struct wire_tcp_options *o = &t.option;
            if (set & 1) o->mss = 536;
            if (set & 2) o->sack_permitted = true;
            if (set & 4) {
                o->has_timestamps = true;
                o->tsval = 0xdeadbeef;
                o->tsecr = 0x01020304;
            }
            if (set & 8) {
                o->has_wscale = true;
                o->wscale = 14;
            }
            o->sack_count = (uint8_t)blocks;
            for (unsigned i = 0; i < WIRE_SACK_BLOCKS; i++)
                o->sack[i] = (struct wire_sack_block){0x1000 * i, 0x1000 * i + 7};

            uint8_t p[WIRE_TCP_LENGTH_MAX + 4];
            memset(p, 0xa5, sizeof p);
            size_t length = wire_tcp_emit(p, &t);
            assert_int_equal(length, WIRE_TCP_LENGTH + wire_tcp_options_length(o));
            assert_int_equal(length, t.header_length);
            assert_true(length <= WIRE_TCP_LENGTH_MAX && length % 4 == 0);
            assert_int_equal(p[length], 0xa5);

            /* As many blocks come back as fit next to the rest, were it packed as tightly as can be. */
            unsigned fixed = (set & 1 ? 4 : 0) + (set & 2 ? 2 : 0) + (set & 4 ? 10 : 0) + (set & 8 ? 3 : 0);
            struct wire_tcp_options expected = *o;
            expected.sack_count = (uint8_t)u32_min(u32_min(blocks, 4), (40 - 2 - fixed) / 8);
            struct wire_tcp back;
            assert_int_equal(parse(p, length, &back), BK_REASON_NONE);
            expect_same_options(&back.option, &expected);
        }
}

/* The usual shapes: 32-bit values at multiples of four (RFC 7323 appendix A). */
static void test_alignment(void **state) {
    (void)state;
    uint8_t p[WIRE_TCP_LENGTH_MAX];
    struct wire_tcp t = {.option = {.has_timestamps = true, .sack_count = 3}};
    assert_int_equal(wire_tcp_emit(p, &t), 60);
    assert_int_equal(get_be32(p + 20), 0x0101080a);
    assert_int_equal(get_be32(p + 32), 0x0101051a);
    t.option = (struct wire_tcp_options){.sack_count = 4};
    assert_int_equal(wire_tcp_emit(p, &t), 56);
    assert_int_equal(get_be32(p + 20), 0x01010522);
    t.option = (struct wire_tcp_options){.mss = 1460, .sack_permitted = true, .has_wscale = true, .wscale = 2};
    assert_int_equal(wire_tcp_emit(p, &t), 32);
    assert_int_equal(get_be32(p + 20), 0x020405b4);
    assert_int_equal(get_be32(p + 24), 0x01010402);
    assert_int_equal(get_be32(p + 28), 0x01030302);
}

/* All nine flags are kept, and the three reserved bits before them are not heeded and go out as zeroes (RFC 9293 3.1, RFC 9768 3.1). */
static void flags_survive(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 4096; bits++) {
        uint8_t p[WIRE_TCP_LENGTH_MAX] = {0x9c, 0x40, 0, 80}, back[WIRE_TCP_LENGTH_MAX];
        p[12] = (uint8_t)(WIRE_TCP_LENGTH / 4 << 4 | bits >> 8);
        p[13] = (uint8_t)bits;
        struct wire_tcp h;
        assert_int_equal(parse(p, WIRE_TCP_LENGTH, &h), BK_REASON_NONE);
        assert_int_equal(h.flags, bits & 0xff);
        assert_int_equal(h.ae, bits >> 8 & 1);
        assert_int_equal(wire_tcp_emit(back, &h), WIRE_TCP_LENGTH);
        assert_int_equal(back[12], WIRE_TCP_LENGTH / 4 << 4 | (bits >> 8 & 1));
        assert_int_equal(back[13], bits & 0xff);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_syn),
        cmocka_unit_test(test_known_ack),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_data_offset),
        cmocka_unit_test(test_flags_and_fields),
        cmocka_unit_test(test_impossible_lengths),
        cmocka_unit_test(test_end_of_list),
        cmocka_unit_test(test_wrong_length_is_skipped),
        cmocka_unit_test(test_unknown_kinds_are_skipped),
        cmocka_unit_test(test_first_of_repeated_counts),
        cmocka_unit_test(test_timestamps_anywhere),
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(flags_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
