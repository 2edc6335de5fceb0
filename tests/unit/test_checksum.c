/* Shows that the checksum equals a byte-wise reference for every alignment, length and way of cutting a message up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checksum_ways.h"

#define LENGTH_MAX 200u

/* RFC 1071 as written: 16-bit words in network order, carries folded back, an odd last byte filled up with zero. */
static uint16_t reference(const uint8_t *p, size_t n, size_t offset) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (offset + i) & 1 ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void fill(uint8_t *p, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
}

static void test_known_sum(void **state) {
    (void)state;
    /* The example of RFC 1071 3: the words 0001 f203 f4f5 f6f7 sum to ddf2. */
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_fold(checksum_add(0, data, sizeof data)), 0xddf2);
    assert_int_equal(checksum_finish(checksum_add(0, data, sizeof data)), 0x220d);
    /* An odd last byte is the high half of a word: 0001 + f200. */
    assert_int_equal(checksum_fold(checksum_add(0, data, 3)), 0xf201);
    assert_int_equal(checksum_fold(checksum_add_at_by(CHECKSUM_COMMON, 0, data, 3, 1)), 0x01f2);
}

static void test_every_alignment_and_length(void **state) {
    (void)state;
    uint8_t buffer[LENGTH_MAX + 8];
    fill(buffer, sizeof buffer, 1);
    for (size_t align = 0; align < 8; align++)
        for (size_t n = 0; n <= LENGTH_MAX; n++) {
            const uint8_t *p = buffer + align;
            assert_int_equal(checksum_fold(checksum_add(0, p, n)), reference(p, n, 0));
            assert_int_equal(checksum_fold(checksum_add_at_by(CHECKSUM_COMMON, 0, p, n, 6)), reference(p, n, 0));
            assert_int_equal(checksum_fold(checksum_add_at_by(CHECKSUM_COMMON, 0, p, n, 7)), reference(p, n, 1));
        }
}

static void test_extreme_bytes(void **state) {
    (void)state;
    uint8_t buffer[LENGTH_MAX];
    for (size_t n = 0; n <= LENGTH_MAX; n++) {
        memset(buffer, 0xff, sizeof buffer);
        assert_int_equal(checksum_fold(checksum_add(0, buffer, n)), reference(buffer, n, 0));
        memset(buffer, 0, sizeof buffer);
        assert_int_equal(checksum_fold(checksum_add(0, buffer, n)), 0); /* zero stays zero, never 0xffff */
    }
}

/* A message cut at any two places, its pieces added in reverse order. */
static void test_pieces_in_any_order(void **state) {
    (void)state;
    uint8_t message[61];
    fill(message, sizeof message, 2);
    uint16_t whole = reference(message, sizeof message, 0);
    for (size_t i = 0; i <= sizeof message; i++)
        for (size_t j = i; j <= sizeof message; j++) {
            uint64_t sum = checksum_add_at_by(CHECKSUM_COMMON, 0, message + j, sizeof message - j, j);
            sum = checksum_add_at_by(CHECKSUM_COMMON, sum, message + i, j - i, i);
            sum = checksum_add(sum, message, i);
            assert_int_equal(checksum_fold(sum), whole);
        }
}

static void test_copy(void **state) {
    (void)state;
    uint8_t from[LENGTH_MAX + 8], to[LENGTH_MAX + 16];
    fill(from, sizeof from, 3);
    for (size_t align = 0; align < 8; align++)
        for (size_t n = 0; n <= LENGTH_MAX; n++) {
            uint8_t *target = to + 1 + (align * 5) % 8;
            memset(to, 0xa5, sizeof to);
            uint64_t sum = checksum_copy_by(CHECKSUM_COMMON, 0x12345, target, from + align, n);
            assert_int_equal(checksum_fold(sum), checksum_fold(0x12345u + (uint64_t)reference(from + align, n, 0)));
            if (n > 0) assert_memory_equal(target, from + align, n);
            assert_int_equal(target[-1], 0xa5);
            assert_int_equal(target[n], 0xa5);
        }
}

static void test_large_sums(void **state) {
    (void)state;
    static const uint8_t data[] = {0x12, 0x34};
    assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
    assert_int_equal(checksum_fold(UINT64_C(0x0001000100010001)), 4);
    assert_int_equal(checksum_fold(UINT64_C(0xffff0000fffe0003)), 2); /* 0 and -1 and 3 */
    /* A sum that is full loses nothing when more is added to it. */
    assert_int_equal(checksum_fold(checksum_add(UINT64_MAX, data, sizeof data)), 0x1234);
    uint8_t big[65535];
    fill(big, sizeof big, 4);
    uint64_t sum = 0;
    for (unsigned i = 0; i < 64; i++) sum = checksum_add_at_by(CHECKSUM_COMMON, sum, big, sizeof big, i * sizeof big);
    assert_true(sum >> 33 == 0);
    uint32_t expected = 0;
    for (unsigned i = 0; i < 64; i++) expected += reference(big, sizeof big, i);
    assert_int_equal(checksum_fold(sum), checksum_fold(expected));
}

/* The pseudo header laid out in bytes as the RFCs draw it, against the function. */
static void test_pseudo_header(void **state) {
    (void)state;
    static const uint8_t ipv4[] = {192, 0, 2, 1, 198, 51, 100, 254, 0, 6, 0x05, 0xb4};
    bk_addr a = bk_addr_ipv4(192, 0, 2, 1), b = bk_addr_ipv4(198, 51, 100, 254);
    assert_int_equal(checksum_fold(checksum_pseudo(&a, &b, 6, 0x05b4)), reference(ipv4, sizeof ipv4, 0));

    uint8_t ipv6[40];
    fill(ipv6, 32, 5);
    memcpy(a.byte, ipv6, 16);
    memcpy(b.byte, ipv6 + 16, 16);
    put_be32(ipv6 + 32, 0x00012345);
    put_be32(ipv6 + 36, 58);
    assert_int_equal(checksum_fold(checksum_pseudo(&a, &b, 58, 0x00012345)), reference(ipv6, sizeof ipv6, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_sum),     cmocka_unit_test(test_every_alignment_and_length),
        cmocka_unit_test(test_extreme_bytes), cmocka_unit_test(test_pieces_in_any_order),
        cmocka_unit_test(test_copy),          cmocka_unit_test(test_large_sums),
        cmocka_unit_test(test_pseudo_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
