/* Shows that addresses are parsed strictly (RFC 4291 2.2), formatted canonically (RFC 5952), and told apart by family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "beckon/stack.h"

/* 16 bytes as eight groups. */
static bk_addr groups(unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f, unsigned g, unsigned h) {
    const unsigned group[8] = {a, b, c, d, e, f, g, h};
    bk_addr addr;
    for (unsigned i = 0; i < 8; i++) put_be16(addr.byte + 2 * i, (uint16_t)group[i]);
    return addr;
}

static void expect_parse(const char *text, bk_addr expected) {
    bk_addr addr;
    memset(&addr, 0x5a, sizeof addr);
    int result = bk_addr_parse(text, &addr);
    if (result != 0 || !bk_addr_equal(&addr, &expected)) {
        char got[BK_ADDR_TEXT];
        fail_msg("\"%s\" gives %d, %s", text, result, bk_addr_format(&addr, got));
    }
}

static void expect_format(bk_addr addr, const char *expected) {
    char text[BK_ADDR_TEXT];
    assert_ptr_equal(bk_addr_format(&addr, text), text);
    assert_string_equal(text, expected);
}

static void test_parse_ipv4(void **state) {
    (void)state;
    expect_parse("0.0.0.0", bk_addr_ipv4(0, 0, 0, 0));
    expect_parse("192.0.2.1", bk_addr_ipv4(192, 0, 2, 1));
    expect_parse("255.255.255.255", bk_addr_ipv4(255, 255, 255, 255));
    expect_parse("10.20.30.40", groups(0, 0, 0, 0, 0, 0xffff, 0x0a14, 0x1e28));
}

static void test_parse_ipv6(void **state) {
    (void)state;
    /* The examples of RFC 4291 2.2. */
    expect_parse("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789",
                 groups(0xabcd, 0xef01, 0x2345, 0x6789, 0xabcd, 0xef01, 0x2345, 0x6789));
    expect_parse("2001:DB8:0:0:8:800:200C:417A", groups(0x2001, 0xdb8, 0, 0, 8, 0x800, 0x200c, 0x417a));
    expect_parse("2001:DB8::8:800:200C:417A", groups(0x2001, 0xdb8, 0, 0, 8, 0x800, 0x200c, 0x417a));
    expect_parse("FF01::101", groups(0xff01, 0, 0, 0, 0, 0, 0, 0x101));
    expect_parse("::1", groups(0, 0, 0, 0, 0, 0, 0, 1));
    expect_parse("::", groups(0, 0, 0, 0, 0, 0, 0, 0));
    expect_parse("0:0:0:0:0:0:13.1.68.3", groups(0, 0, 0, 0, 0, 0, 0x0d01, 0x4403));
    expect_parse("::13.1.68.3", groups(0, 0, 0, 0, 0, 0, 0x0d01, 0x4403));
    expect_parse("0:0:0:0:0:FFFF:129.144.52.38", bk_addr_ipv4(129, 144, 52, 38));
    expect_parse("::FFFF:129.144.52.38", bk_addr_ipv4(129, 144, 52, 38));
    /* "::" at either end, for a single group, and all of the digits. */
    expect_parse("1::", groups(1, 0, 0, 0, 0, 0, 0, 0));
    expect_parse("1:2:3:4:5:6:7::", groups(1, 2, 3, 4, 5, 6, 7, 0));
    expect_parse("::2:3:4:5:6:7:8", groups(0, 2, 3, 4, 5, 6, 7, 8));
    expect_parse("1:2:3::5:6:7:8", groups(1, 2, 3, 0, 5, 6, 7, 8));
    expect_parse("0001:0002:0003:0004:0005:0006:0007:0008", groups(1, 2, 3, 4, 5, 6, 7, 8));
    expect_parse("1:2:3:4:5:6:7.8.9.10", groups(1, 2, 3, 4, 5, 6, 0x0708, 0x090a));
    expect_parse("64:ff9b::192.0.2.33", groups(0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x0221));
    expect_parse("1:2:3:4:5::7.8.9.10", groups(1, 2, 3, 4, 5, 0, 0x0708, 0x090a));
    expect_parse("fedc:ba98:7654:3210:FEDC:BA98:7654:3210",
                 groups(0xfedc, 0xba98, 0x7654, 0x3210, 0xfedc, 0xba98, 0x7654, 0x3210));
}

static void test_parse_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        /* IPv4 */
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "1.1.1.256",
        "1.2.3.1000",
        "01.2.3.4",
        "1.2.3.00",
        "1.2.3.04",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4/8",
        "1.2.3.4:80",
        "0x1.2.3.4",
        "1.2.3.a",
        "1.2.3.-4",
        "99999999999999999999.1.1.1",
        "1,2,3,4",
        "1.2.3.4\n",
        /* IPv6 */
        ":",
        ":::",
        "::::",
        "1:",
        ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "1::2::3",
        "1:::2",
        "12345::",
        "::12345",
        "g::",
        "::1 ",
        " ::1",
        "::1%eth0",
        "::/0",
        "[::1]",
        "1:2:3:4:5:6:7:",
        "::1:",
        "1::2:",
        "00001::",
        /* an IPv4 part in the wrong place or of the wrong form */
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:1.2.3.4",
        "1:2:3:4:5:6::1.2.3.4",
        "::1.2.3.4:5",
        "1.2.3.4::",
        "::1.2.3",
        "::1.2.3.256",
        "::01.2.3.4",
        "::1.2.3.4.5",
        "1.2.3.4:1::",
        "::.1.2.3",
    };
    bk_addr untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < BK_COUNT(bad); i++) {
        bk_addr addr = untouched;
        if (bk_addr_parse(bad[i], &addr) != ERROR_INVAL) fail_msg("\"%s\" is accepted", bad[i]);
        assert_true(bk_addr_equal(&addr, &untouched));
    }
}

static void test_format(void **state) {
    (void)state;
    expect_format(bk_addr_ipv4(0, 0, 0, 0), "0.0.0.0");
    expect_format(bk_addr_ipv4(192, 0, 2, 10), "192.0.2.10");
    expect_format(bk_addr_ipv4(255, 100, 101, 99), "255.100.101.99");
    expect_format(groups(0, 0, 0, 0, 0, 0, 0, 0), "::");
    expect_format(groups(0, 0, 0, 0, 0, 0, 0, 1), "::1");
    expect_format(groups(1, 0, 0, 0, 0, 0, 0, 0), "1::");
    expect_format(groups(0x2001, 0xdb8, 0, 0, 0, 0, 2, 1), "2001:db8::2:1");
    /* RFC 5952 4.2.2: one zero group is not shortened; 4.2.3: the longest run, the first of equals. */
    expect_format(groups(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1), "2001:db8:0:1:1:1:1:1");
    expect_format(groups(0x2001, 0, 0, 1, 0, 0, 0, 1), "2001:0:0:1::1");
    expect_format(groups(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1), "2001:db8::1:0:0:1");
    expect_format(groups(0, 0, 3, 4, 5, 6, 0, 0), "::3:4:5:6:0:0");
    expect_format(groups(1, 2, 3, 4, 5, 6, 0, 0), "1:2:3:4:5:6::");
    expect_format(groups(0, 2, 3, 4, 5, 6, 7, 0), "0:2:3:4:5:6:7:0");
    expect_format(groups(0xabcd, 0xef01, 0x203, 0x1000, 0x100, 0x10, 0x1, 0xffff), "abcd:ef01:203:1000:100:10:1:ffff");
    expect_format(groups(0, 0, 0, 0, 0, 0, 0x0102, 0x0304), "::102:304");
    /* The longest text there is fits. */
    expect_format(groups(0xabcd, 0xabcd, 0xabcd, 0xabcd, 0xabcd, 0xabcd, 0xabcd, 0xabcd),
                  "abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd");
}

/* Every pattern of zero and non-zero groups survives the way to text and back, and so does the uncompressed text. */
static void test_round_trips(void **state) {
    (void)state;
    for (unsigned pattern = 0; pattern < 256; pattern++) {
        unsigned g[8];
        for (unsigned i = 0; i < 8; i++) g[i] = pattern >> i & 1 ? 0xb00u << i % 4 | i : 0;
        bk_addr addr = groups(g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]);
        char text[BK_ADDR_TEXT];
        expect_parse(bk_addr_format(&addr, text), addr);
        snprintf(text, sizeof text, "%x:%04x:%X:%x:%x:%x:%04X:%x", g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]);
        expect_parse(text, addr);
    }
    for (unsigned i = 0; i < 256; i++) {
        bk_addr addr = bk_addr_ipv4((uint8_t)i, (uint8_t)(255 - i), (uint8_t)(i * 7), (uint8_t)(i * 31));
        char text[BK_ADDR_TEXT], expected[BK_ADDR_TEXT];
        snprintf(expected, sizeof expected, "%u.%u.%u.%u", i, 255 - i, i * 7 & 255, i * 31 & 255);
        assert_string_equal(bk_addr_format(&addr, text), expected);
        expect_parse(text, addr);
    }
}

static void test_families(void **state) {
    (void)state;
    bk_addr any4 = bk_addr_ipv4(0, 0, 0, 0), any6 = groups(0, 0, 0, 0, 0, 0, 0, 0);
    bk_addr one4 = bk_addr_ipv4(0, 0, 0, 1), one6 = groups(0, 0, 0, 0, 0, 0, 0, 1);
    bk_addr near = groups(0, 0, 0, 0, 1, 0xffff, 0, 0), compatible = groups(0, 0, 0, 0, 0, 0, 0x0102, 0);
    assert_true(bk_addr_is_ipv4(&any4) && bk_addr_is_ipv4(&one4));
    assert_false(bk_addr_is_ipv4(&any6) || bk_addr_is_ipv4(&one6));
    assert_false(bk_addr_is_ipv4(&near) || bk_addr_is_ipv4(&compatible));
    assert_true(bk_addr_is_any(&any4) && bk_addr_is_any(&any6));
    assert_false(bk_addr_is_any(&one4) || bk_addr_is_any(&one6));
    assert_false(bk_addr_is_any(&near) || bk_addr_is_any(&compatible));
    assert_false(bk_addr_equal(&any4, &any6));
    assert_true(bk_addr_equal(&one6, &one6));
    for (unsigned bit = 0; bit < 128; bit++) {
        bk_addr other = any4;
        other.byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(bk_addr_equal(&other, &any4));
        assert_false(bk_addr_is_any(&other));
        assert_true(bk_addr_is_ipv4(&other) == (bit >= 96));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_ipv4), cmocka_unit_test(test_parse_ipv6),  cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format),     cmocka_unit_test(test_round_trips), cmocka_unit_test(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
