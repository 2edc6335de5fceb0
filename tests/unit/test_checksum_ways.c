/* Shows that every way to sum that this machine can go gives what RFC 1071 defines, for every length up to 4,096 and all alignments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/region.h"

#define LENGTH_MAX 4096u
#define ALIGN_MAX  64u
#define GUARD      64u

static const char *const way_name[CHECKSUM_WAYS] = {"machine words", "128-bit vectors", "AVX2", "AVX-512"};

/* ---- contents ---- */

static void fill_random(uint8_t *p, size_t n) {
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
}
static void fill_ones(uint8_t *p, size_t n) {
    memset(p, 0xff, n);
}
static void fill_zero(uint8_t *p, size_t n) {
    memset(p, 0, n);
}
/* Words that carry out of 32 and of 64 bits at each addition, or just do not. */
static void fill_carries(uint8_t *p, size_t n) {
    static const uint8_t pattern[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0,    0,    0,
                                      0,    0,    0,    0x01, 0xff, 0xff, 0xff, 0xfe, 0,    0x01, 0xff, 0xff,
                                      0x80, 0,    0,    0,    0x80, 0,    0,    0,    0xff, 0x7f, 0xff};
    for (size_t i = 0; i < n; i++) p[i] = pattern[i % sizeof pattern];
}

static void (*const fill[])(uint8_t *p, size_t n) = {fill_random, fill_ones, fill_zero, fill_carries};

/* ---- the definition, for all lengths at once ---- */

static uint16_t fold(uint64_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* expected[n] is the sum of the first n bytes: 16-bit words in network order, an odd last byte the high half of one. */
static void reference(const uint8_t *p, uint16_t expected[LENGTH_MAX + 1]) {
    uint64_t sum = 0;
    for (size_t n = 0; n <= LENGTH_MAX; n++) {
        expected[n] = fold(sum);
        sum += n % 2 == 0 ? (uint64_t)p[n] << 8 : p[n];
    }
}

/* ---- each way against it ---- */

struct bench {
    uint8_t way;
    uint8_t from[LENGTH_MAX + ALIGN_MAX], to[GUARD + LENGTH_MAX + ALIGN_MAX + GUARD];
    uint16_t expected[LENGTH_MAX + 1];
};

static void one_length(struct bench *b, size_t from_align, size_t to_align, size_t n) {
    const uint8_t *from = b->from + from_align;
    uint8_t *to = b->to + GUARD + to_align;
    uint16_t expected = b->expected[n];
    uint16_t swapped = (uint16_t)(expected << 8 | expected >> 8);
    if (checksum_fold(checksum_add_by(b->way, 0, from, n)) != expected ||
        checksum_fold(checksum_add_at_by(b->way, 0, from, n, 6)) != expected ||
        checksum_fold(checksum_add_at_by(b->way, 0, from, n, 7)) != swapped)
        fail_msg("%s: the sum of %zu bytes at alignment %zu", way_name[b->way], n, from_align);
    /* Around where the copy goes, the bytes stay as they were. */
    memset(to - GUARD, 0xa5, GUARD);
    memset(to, 0x5a, n);
    memset(to + n, 0xa5, GUARD);
    uint8_t guard[GUARD];
    memset(guard, 0xa5, sizeof guard);
    if (checksum_fold(checksum_copy_by(b->way, 0, to, from, n)) != expected || memcmp(to, from, n) != 0 ||
        memcmp(to - GUARD, guard, GUARD) != 0 || memcmp(to + n, guard, GUARD) != 0)
        fail_msg("%s: the copy of %zu bytes from alignment %zu to %zu", way_name[b->way], n, from_align, to_align);
}

/* All alignments meet lengths up to a few vectors, and some of them every length. */
static void one_way(uint8_t way) {
    static struct bench b;
    b.way = way;
    for (size_t f = 0; f < BK_COUNT(fill); f++)
        for (size_t align = 0; align < ALIGN_MAX; align++) {
            bool all = align < 3 || align == 31 || align == 40;
            fill[f](b.from, sizeof b.from);
            reference(b.from + align, b.expected);
            for (size_t n = 0; n <= (all ? LENGTH_MAX : 300); n++)
                one_length(&b, align, (align * 5 + n) % ALIGN_MAX, n);
        }
}

static void try_way(uint8_t way) {
    if (checksum_ways() >> way & 1) {
        one_way(way);
        return;
    }
    printf("checksum by %s: not tried, this machine or this build has none\n", way_name[way]);
    skip();
}

static void test_words(void **state) {
    (void)state;
    try_way(CHECKSUM_WORDS);
}
static void test_128(void **state) {
    (void)state;
    try_way(CHECKSUM_128);
}
static void test_avx2(void **state) {
    (void)state;
    try_way(CHECKSUM_AVX2);
}
static void test_avx512(void **state) {
    (void)state;
    try_way(CHECKSUM_AVX512);
}

/* Enough bytes for each lane's sum to need more than 32 bits: 2^20 bytes of ones are 2^19 words of 0xffff, which is zero's other form. */
static void test_a_mebibyte(void **state) {
    (void)state;
    size_t n = (size_t)1 << 20;
    uint8_t *p = malloc(n), *to = malloc(n);
    assert_true(p != NULL && to != NULL);
    memset(p, 0xff, n);
    p[n - 2] = 0x12; /* and one word of 0x1234 */
    p[n - 1] = 0x34;
    for (uint8_t way = 0; way < CHECKSUM_WAYS; way++) {
        if (!(checksum_ways() >> way & 1)) continue;
        assert_int_equal(checksum_fold(checksum_add_by(way, 0, p, n)), 0x1234);
        assert_int_equal(checksum_fold(checksum_copy_by(way, 0, to, p, n)), 0x1234);
        assert_memory_equal(to, p, n);
    }
    free(p);
    free(to);
}

/* A stack goes the best way of the machine it is on, also when it comes from one that had another. */
static void test_choice(void **state) {
    (void)state;
    static const uint8_t seed[32] = {1};
    struct bk_config config;
    bk_config_tiny(&config);
    size_t size = bk_region_size(&config);
    void *region = aligned_alloc(4096, size);
    assert_non_null(region);
    bk_stack *stack;
    assert_int_equal(bk_create(region, size, &config, seed, 0, &stack, NULL), 0);
    struct base *b = region;
    assert_int_equal(b->checksum_way, checksum_way_best());
    b->checksum_way = CHECKSUM_WAYS;
    assert_int_equal(bk_adopt(region, size, &stack), 0);
    assert_int_equal(b->checksum_way, checksum_way_best());
    free(region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),  cmocka_unit_test(test_128),        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512), cmocka_unit_test(test_a_mebibyte), cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
