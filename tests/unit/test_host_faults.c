/* Shows that a host moves data whatever its device does, and that its device does what it is asked to, when it is asked to. */
#include "two_hosts.h"

#define SEEDS   8u
#define MILLION 1000000u

/* A transfer with these faults; returns how many frames found no chunk. */
static uint64_t transfer(const struct host_faults *a, const struct host_faults *b, uint64_t seed, uint32_t loss_ppm) {
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = *a;
    o[1].faults = *b;
    o[0].seed = 2 * seed;
    o[1].seed = 2 * seed + 1;
    world_begin(&w, o, loss_ppm);
    world_transfer(&w);
    world_end(&w);
    return w.no_chunk;
}

/* ---- faults ---- */

/* Each fault at the sender, at the receiver, and very often at both; with and without losses on the way. */
static uint64_t transfer_all_ways(const struct host_faults *seldom, const struct host_faults *often) {
    static const struct host_faults none;
    uint64_t no_chunk = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint32_t loss_ppm = seed % 2 == 0 ? 0 : 30000;
        no_chunk += transfer(seldom, &none, seed, loss_ppm);
        no_chunk += transfer(&none, seldom, seed, loss_ppm);
        no_chunk += transfer(often, often, seed, loss_ppm);
    }
    return no_chunk;
}

static void test_no_faults(void **state) {
    (void)state;
    static const struct host_faults none;
    assert_int_equal(transfer_all_ways(&none, &none), 0);
}

static void test_refuse(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.refuse_ppm = 50000, .refuse_us = 20000},
                      &(struct host_faults){.refuse_ppm = 700000, .refuse_us = 3000});
}

static void test_partial(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.partial_ppm = 50000, .refuse_us = 5000},
                      &(struct host_faults){.partial_ppm = 1000000, .refuse_us = 1000});
}

static void test_hold(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.hold_ppm = 50000, .refuse_us = 300000},
                      &(struct host_faults){.hold_ppm = 1000000, .refuse_us = 1000});
}

static void test_late(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.late_ppm = 100000, .late_us = 500000},
                      &(struct host_faults){.late_ppm = 1000000, .late_us = 2000000});
}

/* Frames are lost for want of chunks, and nothing else is. */
static void test_starve(void **state) {
    (void)state;
    uint64_t no_chunk = transfer_all_ways(&(struct host_faults){.starve_ppm = 50000, .refuse_us = 10000},
                                          &(struct host_faults){.starve_ppm = 300000, .refuse_us = 3000});
    assert_true(no_chunk > 0);
}

static void test_everything(void **state) {
    (void)state;
    (void)transfer_all_ways(&world_all_faults, &world_all_faults);
}

/* A device that never takes anything: the host asks again each 5 ms, nothing leaves, and nothing is lost once it does. */
static void test_refuse_always(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.refuse_ppm = MILLION, .refuse_us = 5000};
    world_begin(&w, o, 0);
    assert_int_equal(host_next(w.host[0]), w.now + 5 * NS_PER_MS);
    world_run(&w, NS_PER_S);
    assert_int_equal(w.frames, 0);
    host_calm(w.host[0]);
    assert_int_equal(host_next(w.host[0]), w.now);
    world_transfer(&w);
    world_end(&w);
}

/* Three connections are opened on host 0, besides the world's own, and it runs. */
static void open_three(struct world *w, const struct host_options *peer) {
    for (uint32_t i = 0; i < 3; i++) {
        struct bk_tcp_open to = {.remote = peer->addr, .remote_port = (uint16_t)(WORLD_PORT + 1 + i)};
        bk_conn c;
        assert_int_equal(bk_tcp_connect(host_stack(w->host[0]), &to, w->now, &c), 0);
    }
    host_run(w->host[0], w->now);
}

/* One unit at a time, each 700 us: so SYNs leave, while the answers are still under way. */
static void test_partial_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.partial_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    open_three(&w, &o[1]);
    for (uint32_t i = 1; i < 4; i++) {
        assert_int_equal(w.frames, i);
        assert_int_equal(host_next(w.host[0]), w.now + 700 * NS_PER_US);
        w.now += 700 * NS_PER_US - 1;
        host_run(w.host[0], w.now); /* awake too early, for some other reason */
        assert_int_equal(w.frames, i);
        w.now++;
        host_run(w.host[0], w.now);
    }
    assert_int_equal(w.frames, 4);
    assert_true(host_next(w.host[0]) > w.now + 700 * NS_PER_US); /* nothing waits any more */
    world_end(&w);
}

/* Units that have left are given back at the next event, or after 700 us. */
static void test_hold_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.hold_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    assert_int_equal(w.frames, 1);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 1);
    world_audit(&w);
    assert_int_equal(host_next(w.host[0]), w.now + 700 * NS_PER_US);
    open_three(&w, &o[1]);
    assert_int_equal(w.frames, 4);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 3);
    world_audit(&w);
    w.now += 700 * NS_PER_US;
    host_run(w.host[0], w.now);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 0);
    world_audit(&w);
    world_end(&w);
}

/* While the device starves the stack at most three chunks are free, and all are again 700 us later. */
static void test_starve_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct bk_pool_info chunks;
    struct world w;
    o[0].faults = (struct host_faults){.starve_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    bk_pool_info(host_stack(w.host[0]), BK_POOL_CHUNKS, &chunks);
    assert_in_range(chunks.capacity - chunks.in_use, 0, 3);
    world_audit(&w);
    assert_int_equal(host_next(w.host[0]), w.now + 700 * NS_PER_US);
    host_calm(w.host[0]);
    bk_pool_info(host_stack(w.host[0]), BK_POOL_CHUNKS, &chunks);
    assert_int_equal(chunks.in_use, 0);
    world_audit(&w);
    world_end(&w);
}

/* Taking kinds of faults away leaves the others as they were: the same sleeps past the same deadline (that of a SYN that nobody answers). */
static void test_each_alone(void **state) {
    (void)state;
    enum { FIRST = 100, LAST = 300 };
    uint64_t late[2][LAST];
    for (uint32_t others = 0; others < 2; others++) {
        struct host_options o[2] = {world_options(0), world_options(1)};
        struct world w;
        o[0].faults = (struct host_faults){.late_ppm = 500000,
                                           .late_us = 1000,
                                           .refuse_us = 1,
                                           .refuse_ppm = others * 500000,
                                           .partial_ppm = others * 500000,
                                           .hold_ppm = others * 500000};
        world_begin(&w, o, 0);
        for (uint32_t k = 0; k < LAST; k++, w.now += 1000) {
            host_run(w.host[0], w.now);
            late[others][k] = host_next(w.host[0]) - bk_next_deadline(host_stack(w.host[0]));
        }
        assert_int_equal(w.frames, 1); /* long before FIRST */
        world_end(&w);
    }
    uint32_t slept = 0;
    for (uint32_t k = FIRST; k < LAST; k++) {
        assert_int_equal(late[0][k], late[1][k]);
        assert_true(late[0][k] <= NS_PER_MS);
        slept += late[0][k] > 0;
    }
    assert_true(slept > 60 && slept < 140); /* of 200, with a standard deviation of 7 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_faults),      cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_partial),        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_late),           cmocka_unit_test(test_starve),
        cmocka_unit_test(test_everything),     cmocka_unit_test(test_refuse_always),
        cmocka_unit_test(test_each_alone),     cmocka_unit_test(test_partial_exactly),
        cmocka_unit_test(test_starve_exactly), cmocka_unit_test(test_hold_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
