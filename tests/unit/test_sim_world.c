/* Shows what the world of a simulation does: its router, its users, crashes and clocks, each alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/sim.h"

static struct scenario s;

static int usual(void **state) {
    (void)state;
    scenario_usual(&s);
    s.seed = 1;
    s.flows = 1;
    return 0;
}

static struct sim_result run(void) {
    static const struct sim_options plain;
    struct sim_result r;
    assert_null(scenario_wrong(&s));
    sim_run(&s, &plain, &r);
    if (r.fault.found) fail_msg("%s", r.fault.text);
    return r;
}

/* ---- the router ------------------------------------------------------------------------------------ */

static void each_to_its_own(void **state) {
    (void)state;
    s.routed = true;
    s.hosts = 4;
    s.flows = 3;
    for (uint32_t i = 0; i < 3; i++) {
        s.flow[i].client = (uint8_t)i;
        s.flow[i].server = 3;
        s.flow[i].connections = 2;
    }
    struct sim_result r = run();
    assert_int_equal(r.statistics.completed, 6);
    assert_int_equal(r.statistics.octets, 6 * 2000);
    assert_int_equal(r.statistics.forwarded, r.statistics.frames);
    assert_int_equal(r.statistics.astray, 0);
}

/* 20,000 octets through 1,280: the first full segment is answered once, and comes again in smaller ones. */
static void too_big(void **state) {
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        usual(NULL);
        s.family = family;
        s.routed = true;
        s.host[1].down.mtu = 1280;
        s.flow[0].up = 20000;
        struct sim_result r = run();
        assert_in_range(r.statistics.too_big, 1, 10);
        assert_int_equal(r.statistics.completed, 1);
    }
}

/* Nobody says what is too big: with RFC 4821 the sender finds out, without it never. */
static void black_hole(void **state) {
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        usual(NULL);
        s.family = family;
        s.routed = s.black_hole = true;
        s.host[1].down.mtu = 1280;
        s.flow[0].up = 200000;
        assert_true(scenario_must_complete(&s));
        struct sim_result r = run();
        assert_int_equal(r.statistics.completed, 1);
        s.host[0].config.mtu_probing = BK_MTU_PROBING_OFF;
        assert_false(scenario_must_complete(&s));
        r = run();
        assert_true(r.statistics.too_big > 10);
        assert_int_equal(r.statistics.completed, 0);
    }
}

/* ---- users ----------------------------------------------------------------------------------------- */

static void all_kinds(void **state) {
    (void)state;
    for (uint8_t kind = 0; kind < SCENARIO_KINDS; kind++) {
        usual(NULL);
        s.flow[0].kind = kind;
        s.flow[0].connections = 3;
        s.flow[0].rounds = kind == SCENARIO_REQUESTS || kind == SCENARIO_KEEP_ALIVE ? 4 : 1;
        s.flow[0].pause_us = 20000;
        struct sim_result r = run();
        assert_int_equal(r.statistics.completed + r.statistics.broken, 3);
        if (kind != SCENARIO_RESETS) assert_int_equal(r.statistics.octets, 3 * 2000 * s.flow[0].rounds);
        assert_int_equal(r.statistics.given_up, 0);
        assert_int_equal(r.statistics.unwatched, 0);
    }
}

/* 100,000 octets, 500 at a time and 1 ms apart: 200 ms at least. */
static void slow_readers_are_slow(void **state) {
    (void)state;
    s.flow[0] = (struct scenario_flow){.kind = SCENARIO_SLOW_READER,
                                       .server = 1,
                                       .connections = 1,
                                       .up = 100000,
                                       .rounds = 1,
                                       .read_bytes = 500,
                                       .pause_us = 1000,
                                       .backlog = 1};
    const struct sim_options plain = {0};
    const char *why;
    struct sim_world *w = sim_world_new(&s, &plain, &why);
    assert_non_null(w);
    assert_true(sim_world_run(w));
    const struct app_end *server = &w->app.connection[0].end[1];
    assert_int_equal(server->received, 100000);
    assert_true(server->last_at - server->opened_at >= 199 * NS_PER_MS);
    sim_world_free(w);
}

/* 1 Mbit/s: 125,000 octets take a second and a bit. */
static void rate_is_goodput(void **state) {
    (void)state;
    const struct sim_options plain = {0};
    const char *why;
    s.host[0].up.rate_bps = 1000000;
    s.flow[0].up = 125000;
    struct sim_world *w = sim_world_new(&s, &plain, &why);
    assert_non_null(w);
    assert_true(sim_world_run(w));
    const struct app_end *server = &w->app.connection[0].end[1];
    assert_in_range(server->last_at - server->opened_at, NS_PER_S, NS_PER_S * 11 / 10);
    sim_world_free(w);
}

/* ---- crashes and clocks ---------------------------------------------------------------------------- */

/* The server is gone 1 s after the start, while 40 kB/s trickle: the client hears of it when it has returned, by RST. */
static void crash_and_return(void **state) {
    (void)state;
    s.host[0].up.rate_bps = 320000;
    s.host[1].crash_us = 1000000;
    s.host[1].return_us = 3000000;
    s.flow[0].up = 200000;
    struct sim_result r = run();
    assert_int_equal(r.statistics.completed, 0);
    assert_int_equal(r.statistics.given_up, 0);
}

/* Segments come seconds late, and cookies remember nothing: long after TIME-WAIT one of them brings its connection back, which is then another's. */
static void cookies_bring_back(void **state) {
    (void)state;
    uint32_t unwatched = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        usual(NULL);
        s.seed = seed;
        s.host[0].up.reorder_ppm = 200000;
        s.host[0].up.reorder_us = 2000000;
        s.host[1].config.msl_ms = 8;
        s.host[1].config.syn_cookies = BK_SYN_COOKIES_ALWAYS;
        s.flow[0].kind = SCENARIO_REQUESTS;
        s.flow[0].closer = 1;
        s.flow[0].connections = 3;
        unwatched += run().statistics.unwatched;
    }
    assert_true(unwatched != 0);
}

/* Nothing outstanding, and the other side dies for good: probes tell after 5 s and 4 times 2 s. */
static void keep_alive_notices(void **state) {
    (void)state;
    s.host[1].crash_us = 1000000;
    s.flow[0].kind = SCENARIO_KEEP_ALIVE;
    s.flow[0].rounds = 2;
    s.flow[0].pause_us = 100000000;
    struct sim_result r = run();
    assert_int_equal(r.statistics.broken, 1);
    assert_int_equal(r.statistics.given_up, 0);
    assert_in_range(r.statistics.virtual_ns / NS_PER_S, 12, 120);
}

static void clocks_jump(void **state) {
    (void)state;
    for (int back = 0; back < 2; back++) {
        usual(NULL);
        s.host[0].jump_us = 100000;
        s.host[0].jump_ms = 5000;
        s.host[0].jump_back = back;
        s.host[0].up.rate_bps = 1000000;
        s.flow[0].up = 50000;
        struct sim_result r = run();
        assert_int_equal(r.statistics.completed, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_to_its_own, usual),
        cmocka_unit_test_setup(too_big, usual),
        cmocka_unit_test_setup(black_hole, usual),
        cmocka_unit_test_setup(all_kinds, usual),
        cmocka_unit_test_setup(slow_readers_are_slow, usual),
        cmocka_unit_test_setup(rate_is_goodput, usual),
        cmocka_unit_test_setup(crash_and_return, usual),
        cmocka_unit_test_setup(cookies_bring_back, usual),
        cmocka_unit_test_setup(keep_alive_notices, usual),
        cmocka_unit_test_setup(clocks_jump, usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
