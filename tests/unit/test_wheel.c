/* Shows that the timing wheel fires each timer at the first look at or past its deadline and never before, whatever is armed, moved or
 * cancelled in between, and that it never says "later" than the earliest deadline. */
#include "core.h"

#include "base/wheel.h"

#define TIMERS 200u
#define YEAR   (365 * 24 * 3600 * NS_PER_S)
#define TICK   (UINT64_C(1) << WHEEL_TICK_SHIFT)

struct object {
    uint32_t mark;
    uint32_t pad;
    struct timer timer;
};

/* A wheel in a region, and the deadlines as an array says they are. */
struct bench {
    struct core k;
    struct pool pool;
    struct wheel wheel;
    struct wheel_of of;
    uint64_t model[TIMERS];
    uint64_t now;
    uint64_t random;
};

static void bench_up(struct bench *b, uint64_t now) {
    struct bk_config config;
    bk_config_tiny(&config);
    b->k = core_up(&config, 65536);
    b->now = now;
    pool_init(&b->pool, sizeof(struct object), TIMERS, 2, 8, false);
    b->of = (struct wheel_of){b->k.base, &b->wheel, &b->pool, offsetof(struct object, timer)};
    wheel_init(&b->wheel, now);
    for (uint32_t i = 0; i < TIMERS; i++) {
        struct object *o = pool_at(b->k.base, &b->pool, pool_alloc(b->k.base, &b->pool));
        timer_init(&o->timer);
        b->model[i] = BK_NEVER;
    }
}

static uint64_t earliest(const struct bench *b) {
    uint64_t first = BK_NEVER;
    for (uint32_t i = 0; i < TIMERS; i++) first = u64_min(first, b->model[i]);
    return first;
}

static void arm(struct bench *b, uint32_t id, uint64_t deadline) {
    b->k.base->now = b->now;
    wheel_arm(&b->of, id, deadline);
    b->model[id] = deadline;
}

/* Fires what is due and checks it against the array. */
static void pass_to(struct bench *b, uint64_t now) {
    b->now = now;
    uint32_t id;
    while ((id = wheel_expire(&b->of, now)) != BK_NONE) {
        assert_true(id < TIMERS);
        assert_true(b->model[id] <= now); /* armed, and due */
        b->model[id] = BK_NEVER;
    }
    assert_true(earliest(b) > now); /* none was forgotten */
    uint64_t next = wheel_next(&b->of);
    assert_true(next <= earliest(b));
    assert_true(next > now); /* whoever sleeps until then makes progress */
}

static void check_count(const struct bench *b) {
    uint32_t armed = 0;
    for (uint32_t i = 0; i < TIMERS; i++) armed += b->model[i] != BK_NEVER;
    assert_int_equal(b->wheel.armed, armed);
    assert_int_equal(wheel_next(&b->of) == BK_NEVER, armed == 0);
    assert_true(wheel_next(&b->of) <= earliest(b));
}

/* A time from now on: seldom far away, often around the edges of ticks and slots. */
static uint64_t some_delay(struct bench *b) {
    uint64_t r = draw(&b->random);
    switch (core_below(&b->random, 8)) {
    case 0:
        return 0;
    case 1:
        return r % TICK;
    case 2:
        return r % (64 * TICK);
    case 3:
        return (r % 130) * TICK - b->now % TICK + core_below(&b->random, 3); /* about where a tick begins */
    case 4:
        return r % (120 * NS_PER_S);
    case 5:
        return r % (7200 * NS_PER_S);
    case 6:
        return r % (30 * 24 * 3600 * NS_PER_S);
    default:
        return r % (5 * YEAR);
    }
}

static void against_an_array(void **state) {
    (void)state;
    struct bench b = {.random = 6};
    bench_up(&b, 12345678901);
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t id = core_below(&b.random, TIMERS), what = core_below(&b.random, 100);
        if (what < 60)
            arm(&b, id, b.now + some_delay(&b));
        else if (what < 62)
            arm(&b, id, b.now - u64_min(b.now, some_delay(&b))); /* in the past: due at once */
        else if (what < 75)
            arm(&b, id, BK_NEVER);
        else if (what < 80 && earliest(&b) != BK_NEVER) /* exactly */
            pass_to(&b, u64_max(b.now, earliest(&b)));
        else if (what < 83 && earliest(&b) != BK_NEVER) /* just not */
            pass_to(&b, u64_max(b.now, earliest(&b) - 1));
        else if (what < 90 && wheel_next(&b.of) != BK_NEVER) /* as a caller of bk_next_deadline does */
            pass_to(&b, u64_max(b.now, wheel_next(&b.of)));
        else if (what < 99)
            pass_to(&b, b.now + some_delay(&b) % (60 * NS_PER_S));
        else if (b.now < 400 * YEAR)
            pass_to(&b, b.now + some_delay(&b));
        check_count(&b);
    }
    pass_to(&b, BK_NEVER - 1);
    check_count(&b);
    assert_int_equal(b.wheel.armed, 0);
    core_down(&b.k);
}

/* A timer that is put off again and again stays listed where it was, is sorted once when that time comes, and fires at its last deadline. */
static void put_off(void **state) {
    (void)state;
    struct bench b = {.random = 8};
    bench_up(&b, 1000 * NS_PER_S);
    const struct timer *t = &((struct object *)pool_at(b.k.base, &b.pool, 0))->timer;
    arm(&b, 0, b.now + 200 * NS_PER_MS);
    uint32_t slot = t->slot;
    for (uint32_t i = 1; i <= 100; i++) {
        pass_to(&b, b.now + NS_PER_MS);
        arm(&b, 0, b.now + 200 * NS_PER_MS);
        assert_int_equal(t->slot, slot);
    }
    arm(&b, 0, BK_NEVER); /* nothing is armed: nobody need wake, although a list holds it */
    assert_int_equal(wheel_next(&b.of), BK_NEVER);
    assert_int_equal(t->slot, slot);
    pass_to(&b, b.now + NS_PER_S);
    assert_int_equal(t->slot, WHEEL_UNLISTED);
    arm(&b, 0, b.now + 100 * NS_PER_MS);
    arm(&b, 0, b.now + 300 * NS_PER_MS);
    arm(&b, 0, b.now + 50 * NS_PER_MS); /* earlier than where it stands */
    pass_to(&b, b.now + 50 * NS_PER_MS);
    assert_int_equal(b.model[0], BK_NEVER);
    arm(&b, 1, b.now + NS_PER_S);
    wheel_remove(&b.of, 1);
    b.model[1] = BK_NEVER;
    assert_int_equal(b.wheel.armed, 0);
    pass_to(&b, b.now + 2 * NS_PER_S);
    core_down(&b.k);
}

/* One timer anywhere in 64 bits: sleeping until wheel_next each time, it fires exactly at its deadline, after one wake-up a level at the most. */
static void few_wake_ups(void **state) {
    (void)state;
    struct bench b = {.random = 7};
    bench_up(&b, 0);
    uint32_t most = 0;
    for (uint32_t bit = 0; bit < 64; bit++)
        for (uint32_t i = 0; i < 20; i++) {
            uint64_t start = draw(&b.random) >> (1 + core_below(&b.random, 63));
            uint64_t deadline = start + (draw(&b.random) >> (63 - bit));
            if (deadline < start || deadline == BK_NEVER) continue;
            wheel_init(&b.wheel, start);
            b.now = start;
            arm(&b, 0, deadline);
            uint32_t wakes = 0;
            while (b.model[0] != BK_NEVER) {
                uint64_t next = wheel_next(&b.of);
                assert_true(next <= deadline);
                pass_to(&b, u64_max(next, b.now));
                wakes++;
            }
            assert_true(b.now == deadline);
            assert_true(wakes <= WHEEL_LEVELS + 1);
            if (wakes > most) most = wakes;
        }
    print_message("note: a timer anywhere in 584 years: %u wake-ups at the most\n", most);
    core_down(&b.k);
}

/* Timers armed by a fired timer's handler, for now or earlier, fire in the same round. */
static void armed_while_firing(void **state) {
    (void)state;
    struct bench b = {.random = 8};
    bench_up(&b, 5 * NS_PER_S);
    arm(&b, 0, 6 * NS_PER_S);
    uint64_t now = 10 * NS_PER_S;
    uint32_t fired = 0, id;
    while ((id = wheel_expire(&b.of, now)) != BK_NONE) {
        assert_int_equal(id, fired);
        if (++fired < TIMERS) wheel_arm(&b.of, fired, now - (fired % 3) * NS_PER_S);
    }
    assert_int_equal(fired, TIMERS);
    assert_int_equal(b.wheel.armed, 0);
    core_down(&b.k);
}

/* BK_NEVER cancels, also what is not armed; arming for the same time again changes nothing; what is moved fires once. */
static void moved_and_cancelled(void **state) {
    (void)state;
    struct bench b = {.random = 9};
    bench_up(&b, 0);
    arm(&b, 3, BK_NEVER);
    check_count(&b);
    arm(&b, 3, NS_PER_S);
    arm(&b, 3, NS_PER_S);
    check_count(&b);
    assert_true(wheel_next(&b.of) <= NS_PER_S);
    arm(&b, 3, 2 * YEAR);
    pass_to(&b, YEAR);
    arm(&b, 3, YEAR + 1);
    assert_true(wheel_next(&b.of) == YEAR + 1);
    assert_int_equal(wheel_expire(&b.of, YEAR), BK_NONE);
    assert_int_equal(wheel_expire(&b.of, YEAR + 1), 3);
    assert_int_equal(wheel_expire(&b.of, YEAR + 1), BK_NONE);
    b.model[3] = BK_NEVER;
    check_count(&b);
    core_down(&b.k);
}

/* A copy of region and wheel, at another address, that finds itself years later fires the same timers in the same order. */
static void a_snapshot_wakes_up_years_later(void **state) {
    (void)state;
    struct bench b = {.random = 10};
    bench_up(&b, 1700000000 * NS_PER_S);
    for (uint32_t i = 0; i < 5000; i++) {
        arm(&b, core_below(&b.random, TIMERS), b.now + some_delay(&b));
        if (i % 10 == 0) pass_to(&b, b.now + some_delay(&b) % (600 * NS_PER_S));
    }
    static const uint64_t years[] = {0, 1, 3, 50, 300};
    for (size_t i = 0; i < BK_COUNT(years); i++) {
        struct bench original = b, clone = b;
        void *first = aligned_alloc(4096, b.k.size), *second = aligned_alloc(4096, b.k.size);
        assert_non_null(first);
        assert_non_null(second);
        memcpy(first, b.k.base, b.k.base->used);
        memcpy(second, b.k.base, b.k.base->used);
        original.of = (struct wheel_of){first, &original.wheel, &original.pool, b.of.offset};
        clone.of = (struct wheel_of){second, &clone.wheel, &clone.pool, b.of.offset};
        uint64_t now = b.now + years[i] * YEAR;
        uint32_t id;
        do {
            id = wheel_expire(&original.of, now);
            assert_int_equal(wheel_expire(&clone.of, now), id);
            if (id != BK_NONE) {
                assert_true(original.model[id] <= now);
                original.model[id] = BK_NEVER;
            }
        } while (id != BK_NONE);
        assert_true(earliest(&original) > now);
        assert_true(wheel_next(&original.of) == wheel_next(&clone.of));
        free(first);
        free(second);
    }
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_an_array),    cmocka_unit_test(put_off),
        cmocka_unit_test(few_wake_ups),        cmocka_unit_test(armed_while_firing),
        cmocka_unit_test(moved_and_cancelled), cmocka_unit_test(a_snapshot_wakes_up_years_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
