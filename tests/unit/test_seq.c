/* Shows that sequence numbers are compared modulo 2^32, across the wrap and up to the window's limits (RFC 9293 3.4). */
#include "core.h"

#include "base/seq.h"

#define HALF UINT32_C(0x80000000)

static void assert_order(uint32_t a, uint32_t ahead) {
    uint32_t b = a + ahead;
    bool same = ahead == 0;
    assert_int_equal(seq_lt(a, b), !same);
    assert_int_equal(seq_gt(b, a), !same);
    assert_true(seq_le(a, b));
    assert_true(seq_ge(b, a));
    assert_false(seq_gt(a, b));
    assert_false(seq_lt(b, a));
    assert_int_equal(seq_le(b, a), same);
    assert_int_equal(seq_ge(a, b), same);
    assert_int_equal(seq_max(a, b), b);
    assert_int_equal(seq_max(b, a), b);
    assert_int_equal(seq_min(a, b), a);
    assert_int_equal(seq_min(b, a), a);
}

/* A number lies before any that is 1 to 2^31 - 1 ahead of it, wherever both are. */
static void order(void **state) {
    (void)state;
    static const uint32_t at[] = {0, 1, HALF - 1, HALF, HALF + 1, UINT32_MAX - 1, UINT32_MAX};
    static const uint32_t ahead[] = {0, 1, 2, 65535, HALF - 2, HALF - 1};
    for (size_t i = 0; i < BK_COUNT(at); i++)
        for (size_t j = 0; j < BK_COUNT(ahead); j++) assert_order(at[i], ahead[j]);
    uint64_t random = 1;
    for (uint32_t i = 0; i < 100000; i++) assert_order((uint32_t)draw(&random), core_below(&random, HALF));
}

/* start =< seq < start + length, against the same in numbers that do not wrap. */
static void within(void **state) {
    (void)state;
    assert_false(seq_in(5, 5, 0));
    assert_true(seq_in(5, 5, 1));
    assert_false(seq_in(6, 5, 1));
    assert_false(seq_in(4, 5, UINT32_MAX));
    assert_true(seq_in(3, 5, UINT32_MAX));
    uint64_t random = 2;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t start = (uint32_t)draw(&random), length = (uint32_t)draw(&random);
        uint32_t ahead = core_below(&random, 2) ? (uint32_t)draw(&random) : length - 2 + core_below(&random, 4);
        assert_int_equal(seq_in(start + ahead, start, length), (uint64_t)ahead < (uint64_t)length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(within)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
