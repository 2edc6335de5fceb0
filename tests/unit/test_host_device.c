/* Shows that a host's device keeps units, loses what a reset cuts off, and tells news when it is asked to; and that neither its offloads nor a clock
 * that is read late change what is sent. */
#include "two_hosts.h"

#define SEEDS   8u
#define MILLION 1000000u

static void transfer(struct world *w, const struct host_options o[2], uint64_t seed) {
    struct host_options of[2] = {o[0], o[1]};
    of[0].seed = 2 * seed;
    of[1].seed = 2 * seed + 1;
    world_begin(w, of, seed % 2 == 0 ? 0 : 30000);
    world_transfer(w);
}

/* Data arrives whatever both devices do. */
static void transfer_all(const struct host_faults *faults, uint32_t frames) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct host_options o[2] = {world_options(0), world_options(1)};
        struct world w;
        for (unsigned i = 0; i < 2; i++) {
            o[i].faults = *faults;
            o[i].config.frames = frames;
        }
        transfer(&w, o, seed);
        world_end(&w);
    }
}

static void test_transfers(void **state) {
    (void)state;
    transfer_all(&(struct host_faults){.keep_ppm = 300000, .keep_us = 30000}, 32);
    transfer_all(&(struct host_faults){.keep_ppm = MILLION, .keep_us = 5000}, 4);
    transfer_all(&(struct host_faults){.reset_ppm = 100000}, 32);
    transfer_all(&(struct host_faults){.deaf_ppm = 500000, .refuse_us = 5000}, 32);
    transfer_all(&(struct host_faults){.single_ppm = MILLION}, 32);
}

/* One connection after the other is opened, and the host runs: its SYN leaves. */
static void open_another(struct world *w) {
    struct bk_tcp_open to = {.remote = world_addr(1), .remote_port = WORLD_PORT};
    bk_conn c;
    assert_int_equal(bk_tcp_connect(host_stack(w->host[0]), &to, w->now, &c), 0);
    host_run(w->host[0], w->now);
}

/* Units stay for up to 700 us each, across events, and are let go of at a moment each. With four frames the fifth unit waits for one of them. */
static void test_keep_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.keep_ppm = MILLION, .keep_us = 700};
    o[0].config.frames = 4;
    world_begin(&w, o, 0);
    uint64_t begin = w.now;
    for (uint32_t i = 0; i < 4; i++) open_another(&w);
    assert_int_equal(w.frames, 4);
    assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 4);
    for (uint32_t let_go = 1; world_in_use(&w, 0, BK_POOL_FRAMES) > 0; let_go++) {
        uint64_t next = host_next(w.host[0]);
        assert_in_range(next, w.now + 1, begin + 1400 * NS_PER_US);
        w.now = next;
        host_run(w.host[0], w.now);
        assert_int_equal(w.frames, 5);
        assert_int_equal(world_in_use(&w, 0, BK_POOL_FRAMES), 5 - let_go);
        world_audit(&w);
    }
    world_end(&w);
}

/* The first unit of data that is cut loses all but its first frames, though the stack has counted them. */
static void test_reset_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    struct bk_tcp_mib mib;
    o[0].faults = (struct host_faults){.reset_ppm = MILLION};
    world_begin(&w, o, 0);
    uint64_t until = w.now + 10 * NS_PER_MS, acks;
    while (world_step(&w, until)) continue;
    bk_tcp_mib(host_stack(w.host[1]), &mib);
    acks = mib.out_segs;
    bk_tcp_mib(host_stack(w.host[0]), &mib);
    assert_true(mib.out_segs > w.frames - acks); /* those of both hosts, without those of host 1 */
    host_calm(w.host[0]);
    world_transfer(&w);
    world_end(&w);
}

/* What the device finishes is what the stack would have: the same frames, at the same times. */
static void test_offload(void **state) {
    (void)state;
    static const uint32_t unit_max[] = {0, 101, 1459, 1461, 7777};
    for (size_t k = 0; k < BK_COUNT(unit_max); k++)
        for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
            struct world w[2];
            for (unsigned offload = 0; offload < 2; offload++) {
                struct host_options o[2] = {world_options(0), world_options(1)};
                for (unsigned i = 0; i < 2; i++) {
                    o[i].iface.unit_max = unit_max[k];
                    o[i].faults = world_all_faults;
                    if (offload) o[i].iface.offload = BK_OFFLOAD_TX_CHECKSUM | BK_OFFLOAD_TSO4 | BK_OFFLOAD_TSO6;
                    if (!ipv6) continue;
                    assert_int_equal(bk_addr_parse(i == 0 ? "2001:db8::1" : "2001:db8::2", &o[i].addr), 0);
                    o[i].prefix_length = 64;
                }
                transfer(&w[offload], o, k + 1);
            }
            assert_int_equal(w[0].frames, w[1].frames);
            assert_true(w[0].digest == w[1].digest);
            world_end(&w[0]);
            world_end(&w[1]);
        }
}

/* ---- news ---- */

/* Three connections are refused at one moment, for nobody listens there: three pieces of news, told one at an event. */
static void test_single_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.single_ppm = MILLION};
    world_begin(&w, o, 0);
    bk_tcp_abort(host_stack(w.host[0]), w.conn[0], w.now);
    w.open[0] = false;
    for (uint32_t i = 0; i < 3; i++) {
        struct bk_tcp_open to = {.remote = o[1].addr, .remote_port = 9};
        bk_conn c;
        assert_int_equal(bk_tcp_connect(host_stack(w.host[0]), &to, w.now, &c), 0);
    }
    host_run(w.host[0], w.now);
    uint8_t frame[65535 + 14];
    uint64_t then = w.now + NS_PER_S;
    for (size_t length; (length = path_leave(w.path[1], then, frame)) != 0;)
        host_arrive(w.host[1], frame, length, then);
    host_run(w.host[1], then);
    w.now = then;
    for (size_t length; (length = path_leave(w.path[0], then + NS_PER_S, frame)) != 0;)
        host_arrive(w.host[0], frame, length, then);
    for (uint32_t told = 1; told <= 3; told++) {
        assert_true(bk_ready_pending(host_stack(w.host[0])));
        assert_int_equal(host_next(w.host[0]), w.now);
        host_run(w.host[0], w.now);
    }
    assert_false(bk_ready_pending(host_stack(w.host[0])));
    world_end(&w);
}

/* News that nobody polls for 700 us. */
static void test_deaf_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[1].faults = (struct host_faults){.deaf_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    while (!bk_ready_pending(host_stack(w.host[1]))) assert_true(world_step(&w, BK_NEVER));
    uint64_t next = host_next(w.host[1]);
    assert_in_range(next, w.now + 1, w.now + 700 * NS_PER_US);
    host_run(w.host[1], next - 1);
    assert_true(bk_ready_pending(host_stack(w.host[1])));
    assert_false(w.open[1]);
    w.now = next;
    host_calm(w.host[1]);
    host_run(w.host[1], w.now);
    assert_true(w.open[1]);
    world_end(&w);
}

/* ---- clocks ---- */

/* A time before an earlier one is treated as the earlier one: nothing at all is different. */
static void test_back(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w[2];
        for (unsigned back = 0; back < 2; back++) {
            struct host_options o[2] = {world_options(0), world_options(1)};
            for (unsigned i = 0; i < 2; i++) {
                o[i].faults = world_all_faults;
                if (!back) continue;
                o[i].faults.back_ppm = 700000;
                o[i].faults.back_us = 2000000000;
            }
            transfer(&w[back], o, seed);
        }
        assert_int_equal(w[0].frames, w[1].frames);
        assert_true(w[0].digest == w[1].digest);
        world_end(&w[0]);
        world_end(&w[1]);
    }
}

/* The clock jumps at each event, by up to two hours: the SYN's timer fires at once, though the caller's time stands still, and from then on it
 * is the stack's own time that counts. */
static void test_jump_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.jump_ppm = MILLION, .jump_ms = 7200000};
    world_begin(&w, o, 0);
    assert_int_equal(w.frames, 1);
    assert_in_range(host_next(w.host[0]), w.now + 1, w.now + NS_PER_S); /* RFC 6298 2.1 */
    host_run(w.host[0], w.now);
    assert_int_equal(w.frames, 2);
    host_calm(w.host[0]);
    host_run(w.host[0], w.now);
    assert_int_equal(w.frames, 2);
    assert_in_range(host_next(w.host[0]), w.now + 1, w.now + 2 * NS_PER_S); /* 5.5 */
    world_end(&w);
}

/* A machine that sleeps for up to two hours, now and then, in the middle of a transfer. A connection may time out meanwhile, but every user hears
 * of the end, and all comes to rest. */
static void test_jump(void **state) {
    (void)state;
    uint32_t whole = 0;
    for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++) {
        struct host_options o[2] = {world_options(0), world_options(1)};
        struct world w;
        struct fault fault = {0};
        for (unsigned i = 0; i < 2; i++) {
            o[i].seed = 2 * seed + i;
            o[i].faults = (struct host_faults){.jump_ppm = 20000, .jump_ms = 7200000};
        }
        world_begin(&w, o, 10000);
        world_run(&w, 4000 * NS_PER_S);
        for (unsigned i = 0; i < 2; i++) host_calm(w.host[i]);
        world_run(&w, 40000 * NS_PER_S);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(host_next(w.host[i]), BK_NEVER);
            assert_false(w.open[i]);
            if (!audit_empty(host_stack(w.host[i]), i, &fault)) fail_msg("host %u: %s", i, fault.text);
        }
        whole += w.received == WORLD_BYTES;
        world_end(&w);
    }
    assert_true(whole > 2 * SEEDS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers),      cmocka_unit_test(test_keep_exactly),
        cmocka_unit_test(test_reset_exactly),  cmocka_unit_test(test_offload),
        cmocka_unit_test(test_back),           cmocka_unit_test(test_jump),
        cmocka_unit_test(test_single_exactly), cmocka_unit_test(test_deaf_exactly),
        cmocka_unit_test(test_jump_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
