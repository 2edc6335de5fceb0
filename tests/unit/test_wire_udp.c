/* Shows that UDP headers survive the way out and in, and that a length which lies is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "wire/udp.h"

/* Parses a copy that ends where its memory ends, so that a sanitizer sees any read past n. */
static uint16_t parse(const uint8_t *p, size_t n, struct wire_udp *out) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    uint16_t reason = wire_udp_parse(copy + (n == 0), n, out);
    free(copy);
    return reason;
}

static void test_known_datagram(void **state) {
    (void)state;
    /* From port 4660 to 53, "hi", 192.0.2.2 to 192.0.2.1. The checksum by hand: c000+0202+c000+0201 (addresses) + 0011 + 000a
     * (pseudo header) + 1234 + 0035 + 000a (header) + 6869 ("hi") is 1fefa, folds to fefb, complement 0104. */
    static const uint8_t known[] = {0x12, 0x34, 0x00, 0x35, 0x00, 0x0a, 0x01, 0x04, 'h', 'i'};
    struct wire_udp u = {.src_port = 4660, .dst_port = 53, .length = 10};
    uint8_t p[sizeof known] = {[8] = 'h', [9] = 'i'};
    bk_addr src = bk_addr_ipv4(192, 0, 2, 2), dst = bk_addr_ipv4(192, 0, 2, 1);
    assert_int_equal(wire_udp_emit(p, &u), WIRE_UDP_LENGTH);
    u.checksum = checksum_finish(checksum_add(checksum_pseudo(&src, &dst, 17, sizeof p), p, sizeof p));
    wire_udp_emit(p, &u);
    assert_memory_equal(p, known, sizeof known);

    struct wire_udp back;
    assert_int_equal(parse(p, sizeof p, &back), BK_REASON_NONE);
    assert_int_equal(back.src_port, 4660);
    assert_int_equal(back.dst_port, 53);
    assert_int_equal(back.length, 10);
    assert_int_equal(back.checksum, 0x0104);
}

static void test_lengths(void **state) {
    (void)state;
    uint8_t p[20] = {0x12, 0x34, 0x00, 0x35};
    struct wire_udp u;
    for (size_t n = 0; n <= sizeof p; n++)
        for (unsigned length = 0; length <= sizeof p + 1; length++) {
            put_be16(p + 4, (uint16_t)length);
            bool valid = length >= WIRE_UDP_LENGTH && length <= n;
            assert_int_equal(parse(p, n, &u), valid ? BK_REASON_NONE : BK_REASON_DROP_UDP_BAD);
        }
    put_be16(p + 4, 0xffff);
    assert_int_equal(parse(p, sizeof p, &u), BK_REASON_DROP_UDP_BAD);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_datagram), cmocka_unit_test(test_lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
