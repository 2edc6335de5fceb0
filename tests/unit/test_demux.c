/* Shows that the connection table loses nothing and invents nothing: against a plain array, through growth bucket by bucket, equal
 * hashes, hashes that share their low bits, and removal down to nothing. */
#include "core.h"

#include "base/config.h"
#include "tcp/demux.h"

#define RECORDS 60000u

struct bench {
    struct core k;
    struct demux *d;
    uint32_t *hash; /* of record i, if it is in the table */
    bool *present;
    uint32_t count;
    uint64_t random;
};

static void bench_up_for(struct bench *b, uint64_t seed, uint32_t records) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.connections = 2;
    config.requests_ipv4 = config.requests_ipv6 = config.time_waits_ipv6 = 0;
    config.time_waits_ipv4 = records - 2;
    b->k = core_up(&config, 0);
    b->d = &b->k.tcp->demux;
    b->hash = calloc(RECORDS, sizeof *b->hash);
    b->present = calloc(RECORDS, sizeof *b->present);
    assert_non_null(b->hash);
    assert_non_null(b->present);
    b->count = 0;
    b->random = seed;
}

static void bench_up(struct bench *b, uint64_t seed) {
    bench_up_for(b, seed, RECORDS);
}

static void bench_down(struct bench *b) {
    free(b->hash);
    free(b->present);
    core_down(&b->k);
}

/* Record i, of each kind and family. */
static demux_ref ref_of(uint32_t i) {
    return demux_ref_make((enum demux_kind)(i % 3), i / 3 % 2, i);
}

static void insert(struct bench *b, uint32_t i, uint32_t hash) {
    demux_insert(b->k.base, b->d, hash, ref_of(i));
    b->hash[i] = hash;
    b->present[i] = true;
    b->count++;
}

static void drop(struct bench *b, uint32_t i) {
    demux_remove(b->k.base, b->d, b->hash[i], ref_of(i));
    b->present[i] = false;
    b->count--;
}

/* How often a walk of this hash meets record i; all that it meets is there, with this hash. */
static uint32_t met(const struct bench *b, uint32_t hash, uint32_t i) {
    uint64_t position = 0;
    uint32_t times = 0, steps = 0;
    demux_ref ref;
    while ((ref = demux_next(b->k.base, b->d, hash, &position)) != DEMUX_NONE) {
        uint32_t id = demux_ref_id(ref);
        assert_true(id < RECORDS && b->present[id] && b->hash[id] == hash);
        assert_int_equal(ref, ref_of(id));
        assert_true(++steps <= b->count);
        times += id == i;
    }
    return times;
}

static void check_all(const struct bench *b) {
    assert_int_equal(b->d->entries, b->count);
    for (uint32_t i = 0; i < RECORDS; i++)
        if (b->present[i]) assert_int_equal(met(b, b->hash[i], i), 1);
}

static uint32_t any_hash(struct bench *b) {
    return (uint32_t)draw(&b->random);
}
/* A few hashes only: hundreds of records share each. */
static uint32_t equal_hash(struct bench *b) {
    uint32_t n = core_below(&b->random, 1000);
    return n < 10 ? 0xdead0000 + n % 2 : any_hash(b);
}
/* Hashes that agree in their low 16 bits, so that no splitting tells them apart. */
static uint32_t steered_hash(struct bench *b) {
    return core_below(&b->random, 200) == 0 ? any_hash(b) << 16 | 0x1234 : any_hash(b);
}

static void against_an_array(uint32_t (*some_hash)(struct bench *), uint64_t seed) {
    struct bench b;
    bench_up(&b, seed);
    /* The number of records swings between next to none and nearly all. */
    for (uint32_t step = 0, target = RECORDS; step < 1000000; step++) {
        if (step % 100000 == 0) {
            check_all(&b);
            target = step % 200000 == 0 ? RECORDS - RECORDS / 16 : RECORDS / 8;
        }
        uint32_t i = core_below(&b.random, RECORDS);
        bool grow = core_below(&b.random, 100) < (b.count < target ? 90u : 10u);
        if (!b.present[i] && grow)
            insert(&b, i, some_hash(&b));
        else if (b.present[i] && !grow)
            drop(&b, i);
        if (step % 8 == 0) assert_int_equal(met(&b, b.hash[i], i), b.present[i]);
        assert_int_equal(b.d->entries, b.count);
    }
    check_all(&b);
    /* Home buckets follow the largest number of entries (4 a bucket) and stay; overflow goes back. */
    assert_in_range(b.d->buckets.in_use, RECORDS / 4 - RECORDS / 16, RECORDS / 4 + 1);
    for (uint32_t i = 0; i < RECORDS; i++)
        if (b.present[i]) drop(&b, i);
    assert_int_equal(b.d->entries, 0);
    assert_int_equal(b.d->overflow.in_use, 0);
    bench_down(&b);
}

static void random_hashes(void **state) {
    (void)state;
    against_an_array(any_hash, 31);
}
static void equal_hashes(void **state) {
    (void)state;
    against_an_array(equal_hash, 32);
}
static void steered_hashes(void **state) {
    (void)state;
    against_an_array(steered_hash, 33);
}

/* Growth splits one bucket at a time: after each insertion the table has one bucket more at the most, and everything is still found. */
static void growth_loses_nothing(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 34);
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t before = b.d->buckets.in_use;
        insert(&b, i, any_hash(&b));
        assert_true(b.d->buckets.in_use <= before + 1);
        assert_true(b.count <= b.d->buckets.in_use * 4);
        for (uint32_t j = 0; j <= i; j++) assert_int_equal(met(&b, b.hash[j], j), 1);
    }
    bench_down(&b);
}

/* As full as it may be, with all records in one chain: the worst that a peer who knew the key could do. */
static void all_records_in_one_chain(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 35);
    uint32_t n = 5000;
    for (uint32_t i = 0; i < n; i++) insert(&b, i, 77);
    for (uint32_t i = n; i < RECORDS; i++) insert(&b, i, any_hash(&b));
    uint64_t position = 0;
    uint32_t seen = 0;
    while (demux_next(b.k.base, b.d, 77, &position) != DEMUX_NONE) seen++;
    assert_in_range(seen, n, n + 2);
    for (uint32_t i = 0; i < n; i += 2) drop(&b, i);
    for (uint32_t i = 1; i < n; i += 502) assert_int_equal(met(&b, 77, i), 1);
    for (uint32_t i = 0; i < RECORDS; i++)
        if (b.present[i]) drop(&b, i);
    assert_int_equal(b.d->overflow.in_use, 0);
    bench_down(&b);

    bench_up_for(&b, 36, n);
    for (uint32_t i = 0; i < n; i++) demux_insert(b.k.base, b.d, 77, ref_of(i));
    for (uint32_t i = n; i-- > 0;) demux_remove(b.k.base, b.d, 77, ref_of(i));
    assert_int_equal(b.d->overflow.in_use, 0);
    bench_down(&b);
}

/* A request that becomes a connection, and that a TIME-WAIT, keep their place; a walk goes on over it. */
static void replaced_in_place(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 37);
    for (uint32_t i = 0; i < 40; i++) insert(&b, i, 5);
    uint64_t position = 0;
    for (uint32_t i = 0; i < 20; i++) assert_int_equal(demux_next(b.k.base, b.d, 5, &position), ref_of(i));
    demux_ref other = demux_ref_make(DEMUX_TIME_WAIT, true, 4711);
    demux_replace(b.k.base, b.d, 5, ref_of(20), other);
    assert_int_equal(demux_next(b.k.base, b.d, 5, &position), other);
    assert_int_equal(demux_next(b.k.base, b.d, 5, &position), ref_of(21));
    assert_int_equal(b.d->entries, 40);
    expect_panic(demux_remove(b.k.base, b.d, 5, ref_of(20)));
    expect_panic(demux_remove(b.k.base, b.d, 6, ref_of(21)));
    demux_remove(b.k.base, b.d, 5, other);
    bench_down(&b);
}

static void references_keep_their_parts(void **state) {
    (void)state;
    static const uint32_t ids[] = {0, 1, 12345, CONFIG_RECORDS_MAX};
    for (uint32_t kind = DEMUX_CONNECTION; kind <= DEMUX_TIME_WAIT; kind++)
        for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
            for (size_t i = 0; i < BK_COUNT(ids); i++) {
                demux_ref ref = demux_ref_make((enum demux_kind)kind, ipv6, ids[i]);
                assert_int_not_equal(ref, DEMUX_NONE);
                assert_int_equal(demux_ref_kind(ref), kind);
                assert_int_equal(demux_ref_ipv6(ref), ipv6);
                assert_int_equal(demux_ref_id(ref), ids[i]);
            }
}

/* The hash depends on each byte of the tuple that may differ (of an IPv4 address the last four) and on the key. */
static void the_hash_is_keyed(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 38);
    struct tuple tuples[2] = {{bk_addr_ipv4(192, 0, 2, 1), bk_addr_ipv4(192, 0, 2, 2), 80, 40000},
                              {{{0x20, 1, 0xd, 0xb8, [15] = 1}}, {{0x20, 1, 0xd, 0xb8, [15] = 2}}, 80, 40000}};
    uint32_t hash[2];
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        hash[ipv6] = demux_hash(b.k.base, &tuples[ipv6]);
        assert_int_equal(demux_hash(b.k.base, &tuples[ipv6]), hash[ipv6]);
        for (size_t i = 0; i < sizeof(struct tuple); i++) {
            if (!ipv6 && i < 32 && i % 16 < 12) continue;
            struct tuple other = tuples[ipv6];
            ((uint8_t *)&other)[i] ^= 1;
            assert_int_not_equal(demux_hash(b.k.base, &other), hash[ipv6]);
            assert_false(tuple_equal(&tuples[ipv6], &other));
        }
    }
    uint8_t seed[32] = {9};
    base_seed(b.k.base, seed);
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) assert_int_not_equal(demux_hash(b.k.base, &tuples[ipv6]), hash[ipv6]);
    bench_down(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_hashes),
        cmocka_unit_test(equal_hashes),
        cmocka_unit_test(steered_hashes),
        cmocka_unit_test(growth_loses_nothing),
        cmocka_unit_test(all_records_in_one_chain),
        cmocka_unit_test(replaced_in_place),
        cmocka_unit_test(references_keep_their_parts),
        cmocka_unit_test(the_hash_is_keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
