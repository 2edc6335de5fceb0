/* Shows that pools hand out each object once, in place and within what the region has counted for them, that chunks count their
 * references, that random numbers follow from the seed, and that the trace ring drops its oldest. */
#include "core.h"

#include "base/config.h"

#define ROOM (1u << 20)

static struct core up(void) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.trace_events = 5; /* rounded up to 8 */
    return core_up(&config, ROOM);
}

/* Every size of pool: ids count from 0, objects lie in the region, aligned, apart from each other, and a full pool says no. */
static void objects_lie_apart(void **state) {
    (void)state;
    static const struct {
        uint32_t size, capacity, first, align;
    } shapes[] = {{4, 1, 1, 4},     {12, 100, 4, 4},     {64, 65, 1, 64},
                  {448, 33, 2, 64}, {1024, 20, 4, 1024}, {8, 4096, 16, 8}};
    for (size_t i = 0; i < BK_COUNT(shapes); i++) {
        struct core k = up();
        struct pool p;
        pool_init(&p, shapes[i].size, shapes[i].capacity, shapes[i].first, shapes[i].align, false);
        uint64_t before = k.base->used;
        for (uint32_t id = 0; id < shapes[i].capacity; id++) {
            assert_int_equal(pool_alloc(k.base, &p), id);
            uint8_t *object = pool_at(k.base, &p, id);
            assert_int_equal((size_t)(object - (uint8_t *)k.base) % 4, 0);
            assert_true(object >= (uint8_t *)k.base + before);
            assert_true(object + shapes[i].size <= (uint8_t *)k.base + k.base->used);
            memset(object, (int)(id * 7 + 1), shapes[i].size);
        }
        assert_int_equal((uintptr_t)pool_at(k.base, &p, 0) % shapes[i].align, 0);
        assert_int_equal(pool_alloc(k.base, &p), BK_NONE);
        for (uint32_t id = 0; id < shapes[i].capacity; id++) {
            const uint8_t *object = pool_at(k.base, &p, id);
            for (uint32_t j = 0; j < shapes[i].size; j++) assert_int_equal(object[j], (uint8_t)(id * 7 + 1));
        }
        assert_true(k.base->used - before <= pool_bytes_max(&p));
        assert_int_equal(p.in_use, shapes[i].capacity);
        core_down(&k);
    }
}

/* Freed objects come back last in, first out; only a pool that promises zeroes clears them. */
static void freed_objects_come_back(void **state) {
    (void)state;
    struct core k = up();
    for (int zero = 0; zero < 2; zero++) {
        struct pool p;
        pool_init(&p, 16, 10, 2, 8, zero);
        for (uint32_t id = 0; id < 10; id++) {
            assert_int_equal(pool_alloc(k.base, &p), id);
            memset(pool_at(k.base, &p, id), 0x5a, 16);
        }
        pool_free(k.base, &p, 3);
        pool_free(k.base, &p, 9);
        pool_free(k.base, &p, 0);
        assert_int_equal(p.in_use, 7);
        assert_int_equal(p.high_water, 10);
        uint64_t used = k.base->used;
        static const uint32_t order[] = {0, 9, 3};
        for (size_t i = 0; i < BK_COUNT(order); i++) {
            assert_int_equal(pool_alloc(k.base, &p), order[i]);
            const uint8_t *object = pool_at(k.base, &p, order[i]);
            assert_int_equal(object[15], zero ? 0 : 0x5a);
            if (zero) assert_int_equal(object[0], 0);
        }
        assert_int_equal(pool_alloc(k.base, &p), BK_NONE);
        assert_int_equal(k.base->used, used);
    }
    core_down(&k);
}

/* Random allocations and releases: no id is out twice, and the region grows by the high-water mark only. */
static void no_object_is_out_twice(void **state) {
    (void)state;
    struct core k = up();
    struct pool p;
    pool_init(&p, 24, 300, 1, 8, false);
    bool out[300] = {false};
    uint32_t count = 0, most = 0;
    uint64_t random = 4;
    for (uint32_t step = 0; step < 50000; step++) {
        uint32_t id = core_below(&random, 300);
        if (out[id]) {
            pool_free(k.base, &p, id);
            out[id] = false;
            count--;
        } else if (core_below(&random, 2)) {
            id = pool_alloc(k.base, &p);
            assert_int_equal(id == BK_NONE, count == 300);
            if (id == BK_NONE) continue;
            assert_true(id < 300);
            assert_false(out[id]);
            out[id] = true;
            if (++count > most) most = count;
        }
        assert_int_equal(p.in_use, count);
        assert_int_equal(p.high_water, most);
        assert_int_equal(p.fresh, most);
    }
    core_down(&k);
}

/* A reserved table is zero, and does not move when it grows. */
static void reserved_memory_is_zero(void **state) {
    (void)state;
    struct core k = up();
    struct pool p;
    pool_init(&p, 8, 100, 1, 8, true);
    for (uint32_t count = 1; count <= 100; count += 7) {
        pool_reserve(k.base, &p, count);
        for (uint32_t id = 0; id < count; id++) {
            uint64_t value;
            memcpy(&value, pool_at(k.base, &p, id), 8);
            assert_int_equal(value, id + 7 < count ? id + 1 : 0);
            value = id + 1;
            memcpy(pool_at(k.base, &p, id), &value, 8);
        }
        pool_reserve(k.base, &p, count / 2); /* never shrinks */
        assert_int_equal(p.in_use, count);
    }
    expect_panic(pool_reserve(k.base, &p, 101));
    core_down(&k);
}

/* A pool that grew by itself and then for good: ids from anywhere in their objects, whatever lies between the slabs; and what was added
 * at once lies in one piece. */
static void ids_are_found_by_place(void **state) {
    (void)state;
    static const uint32_t capacities[] = {1, 3, 4, 5, 28, 100, 1000};
    for (size_t i = 0; i < BK_COUNT(capacities); i++)
        for (uint32_t before = 0; before <= 30; before += 15) {
            struct core k = up();
            struct pool p;
            pool_init(&p, 128, capacities[i], 4, 128, false);
            for (uint32_t n = 0; n < before && p.fresh < capacities[i]; n++) {
                pool_alloc(k.base, &p);
                region_take(k.base, 100, 4); /* somebody else's */
            }
            uint32_t made = p.made;
            pool_grow_all(k.base, &p);
            assert_int_equal(p.made, capacities[i]);
            assert_int_equal(p.in_use, u32_min(before, capacities[i]));
            for (uint32_t id = 0; id < p.made; id++) {
                uint64_t at = (uint64_t)((uint8_t *)pool_at(k.base, &p, id) - (uint8_t *)k.base);
                assert_int_equal(pool_id_at(&p, at), id);
                assert_int_equal(pool_id_at(&p, at + 127), id);
                if (id > made) assert_int_equal(pool_id_at(&p, at - 1), id - 1);
            }
            core_down(&k);
        }
}

static void our_own_mistakes_are_named(void **state) {
    (void)state;
    struct core k = up();
    struct pool p;
    expect_panic(pool_init(&p, 6, 10, 2, 8, false));
    expect_panic(pool_init(&p, 8, 10, 3, 8, false));
    expect_panic(pool_init(&p, 8, 10, 0, 8, false));
    expect_panic(pool_init(&p, 8, 10, 2, 12, false));
    pool_init(&p, 8, 10, 2, 8, false);
    expect_panic(pool_free(k.base, &p, 0)); /* never given */
    volatile uint32_t id = pool_alloc(k.base, &p);
    pool_free(k.base, &p, id);
    expect_panic(pool_free(k.base, &p, id)); /* none is out */
    expect_panic(region_take(k.base, k.size, 4));
    core_down(&k);
}

/* bk_region_size counts enough: every pool of the stack can be filled. */
static void the_region_holds_every_pool_full(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 5, 8, 17, 100};
    for (size_t i = 0; i < BK_COUNT(counts); i++) {
        struct bk_config config;
        bk_config_tiny(&config);
        config.connections = config.listeners = config.requests_ipv4 = config.requests_ipv6 = counts[i];
        config.time_waits_ipv4 = config.time_waits_ipv6 = config.frames = counts[i] + 1;
        config.chunks = counts[i] + 4;
        config.buffer_chunks = counts[i];
        config.trace_events = counts[i];
        struct core k = core_up(&config, 0);
        assert_int_equal(k.size, bk_region_size(&config));
        while (chunk_alloc(k.base) != BK_NONE) continue;
        struct tcp *t = k.tcp;
        struct pool *pools[] = {&k.base->extents, &k.base->frames, &t->connections,   &t->active,       &t->listeners,
                                &t->requests[0],  &t->requests[1], &t->time_waits[0], &t->time_waits[1]};
        for (size_t j = 0; j < BK_COUNT(pools); j++) {
            while (pool_alloc(k.base, pools[j]) != BK_NONE) continue;
            assert_int_equal(pools[j]->in_use, pools[j]->capacity);
        }
        pool_reserve(k.base, &t->demux.buckets, t->demux.buckets.capacity);
        while (pool_alloc(k.base, &t->demux.overflow) != BK_NONE) continue;
        assert_true(k.base->used <= k.size);
        core_down(&k);
    }
}

/* ---- chunks ---------------------------------------------------------------------------------------- */

static void chunks_count_references(void **state) {
    (void)state;
    struct core k = up();
    uint32_t chunks = k.base->config.chunks, id[64];
    assert_true(chunks <= BK_COUNT(id));
    for (uint32_t i = 0; i < chunks; i++) {
        id[i] = chunk_alloc(k.base);
        assert_int_not_equal(id[i], BK_NONE);
        assert_int_equal(chunk_references(k.base, id[i]), 1);
        assert_int_equal((size_t)(chunk_data(k.base, id[i]) - (uint8_t *)k.base) % k.base->config.chunk_size, 0);
        assert_int_equal(chunk_free_count(k.base), chunks - 1 - i);
    }
    assert_int_equal(chunk_alloc(k.base), BK_NONE);
    chunk_hold(k.base, id[5]);
    chunk_hold(k.base, id[5]);
    chunk_release(k.base, id[5]);
    chunk_release(k.base, id[5]);
    assert_int_equal(chunk_free_count(k.base), 0);
    chunk_release(k.base, id[5]);
    assert_int_equal(chunk_free_count(k.base), 1);
    expect_panic(chunk_release(k.base, id[5]));
    assert_int_equal(chunk_alloc(k.base), id[5]);
    assert_int_equal(chunk_references(k.base, id[5]), 1);
    core_down(&k);
}

/* ---- randomness ------------------------------------------------------------------------------------ */

static void secrets_follow_from_the_seed(void **state) {
    (void)state;
    struct core k = up();
    struct base *b = k.base;
    uint8_t seed[32] = {0};
    uint64_t seen[33 * 6], count = 0;
    for (uint32_t flip = 0; flip <= 32; flip++) { /* every byte of the seed counts, for every secret */
        memset(seed, 7, sizeof seed);
        if (flip < 32) seed[flip] ^= 0x80;
        base_seed(b, seed);
        memcpy(&seen[count], b->secret, 32);
        memcpy(&seen[count + 4], b->random_key, 16);
        count += 6;
        for (uint64_t i = count - 6; i < count; i++)
            for (uint64_t j = 0; j < i; j++) assert_true(seen[i] != seen[j]);
    }
    uint64_t first = base_random(b), second = base_random(b);
    assert_true(first != second);
    base_seed(b, seed);
    assert_true(base_random(b) == first && base_random(b) == second);
    core_down(&k);
}

/* Each of ten values comes up one time in ten: 10,000 of 100,000, give or take five standard deviations (5 * 95). */
static void random_numbers_are_even(void **state) {
    (void)state;
    struct core k = up();
    uint32_t count[10] = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t n = base_random_below(k.base, 10);
        assert_true(n < 10);
        count[n]++;
    }
    for (uint32_t i = 0; i < 10; i++) assert_in_range(count[i], 9525, 10475);
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(base_random_below(k.base, 1), 0);
    core_down(&k);
}

static void generations_skip_zero(void **state) {
    (void)state;
    struct core k = up();
    k.base->generation = UINT32_MAX - 1;
    assert_int_equal(base_generation(k.base), UINT32_MAX);
    assert_int_equal(base_generation(k.base), 1);
    assert_int_equal(base_generation(k.base), 2);
    core_down(&k);
}

static void time_never_runs_backwards(void **state) {
    (void)state;
    struct core k = up();
    assert_int_equal(base_now(k.base, 1000), 1000);
    assert_int_equal(base_now(k.base, 999), 1000);
    assert_int_equal(base_now(k.base, 1001), 1001);
    core_down(&k);
}

/* ---- trace ----------------------------------------------------------------------------------------- */

static void the_trace_drops_its_oldest(void **state) {
    (void)state;
    struct core k = up();
    struct bk_event event = {0}, events[16];
    uint64_t lost = 1, next = 0;
    uint64_t random = 5;
    assert_int_equal(k.base->trace.capacity, 8);
    for (uint64_t written = 0; written < 1000;) {
        uint32_t burst = core_below(&random, 13);
        for (uint32_t i = 0; i < burst; i++) {
            event.time = written++;
            trace_write(k.base, &event);
        }
        uint64_t waiting = written - next, dropped = waiting > 8 ? waiting - 8 : 0;
        size_t n = bk_trace_read(k.stack, events, 1 + core_below(&random, 16), &lost);
        assert_int_equal(lost, dropped);
        next += dropped;
        for (size_t i = 0; i < n; i++) assert_int_equal(events[i].time, next++);
        assert_true(n != 0 || next == written);
    }
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_lie_apart),
        cmocka_unit_test(freed_objects_come_back),
        cmocka_unit_test(no_object_is_out_twice),
        cmocka_unit_test(reserved_memory_is_zero),
        cmocka_unit_test(ids_are_found_by_place),
        cmocka_unit_test(our_own_mistakes_are_named),
        cmocka_unit_test(the_region_holds_every_pool_full),
        cmocka_unit_test(chunks_count_references),
        cmocka_unit_test(secrets_follow_from_the_seed),
        cmocka_unit_test(random_numbers_are_even),
        cmocka_unit_test(generations_skip_zero),
        cmocka_unit_test(time_never_runs_backwards),
        cmocka_unit_test(the_trace_drops_its_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
