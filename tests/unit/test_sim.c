/* Shows that a simulation is its scenario and nothing else, that it sees what is planted in it, and that shrinking keeps what was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/common.h"
#include "lab/sim.h"

#define SEEDS 60u

static const struct sim_options plain;

static struct sim_result run(const struct scenario *s, const struct sim_options *options) {
    struct sim_result result;
    sim_run(s, options, &result);
    return result;
}

static void clean(const struct scenario *s, const struct sim_result *r) {
    if (r->fault.found) fail_msg("seed %llu: %s", (unsigned long long)s->seed, r->fault.text);
}

/* ---- the same scenario is the same run --------------------------------------------------------------- */

static void same_seed_same_run(void **state) {
    (void)state;
    struct scenario s;
    uint64_t before = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scenario_draw(&s, seed);
        struct sim_result a = run(&s, &plain), b = run(&s, &plain);
        clean(&s, &a);
        assert_true(a.digest == b.digest);
        assert_memory_equal(&a.statistics, &b.statistics, sizeof a.statistics);
        assert_memory_equal(&a.paths, &b.paths, sizeof a.paths);
        assert_true(a.digest != before);
        before = a.digest;
    }
}

static void trace_and_moves_change_nothing(void **state) {
    (void)state;
    const struct sim_options traced = {.trace_events = 256}, moved = {.move_ppm = 300000};
    struct scenario s;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scenario_draw(&s, seed);
        uint64_t digest = run(&s, &plain).digest;
        assert_true(run(&s, &traced).digest == digest);
        assert_true(run(&s, &moved).digest == digest);
    }
}

static void range_does_not_depend_on_threads(void **state) {
    (void)state;
    struct sim_range one = {.first = 1, .last = SEEDS, .threads = 1}, three = {.first = 1, .last = SEEDS, .threads = 3};
    assert_true(sim_range_run(&one));
    assert_true(sim_range_run(&three));
    assert_int_equal(one.failed_count, 0);
    assert_int_equal(one.done, SEEDS);
    assert_memory_equal(&one.sum, &three.sum, sizeof one.sum);
}

/* ---- what is planted is found ------------------------------------------------------------------------ */

/* Changes a segment over IPv4 so that its checksum stays good. */
static void reseal(uint8_t *frame, size_t length) {
    uint8_t *tcp = frame + 20;
    bk_addr src = bk_addr_ipv4(frame[12], frame[13], frame[14], frame[15]);
    bk_addr dst = bk_addr_ipv4(frame[16], frame[17], frame[18], frame[19]);
    put_be16(tcp + 16, 0);
    uint64_t sum = checksum_pseudo(&src, &dst, 6, (uint32_t)length - 20);
    put_be16(tcp + 16, checksum_finish(checksum_add(sum, tcp, length - 20)));
}

static size_t text_at(const uint8_t *frame) {
    return 20 + (size_t)(frame[32] >> 4) * 4;
}

/* A byte of the text is another one. */
static void plant_octet(void *context, uint32_t host, uint8_t *frame, size_t length) {
    (void)context;
    size_t at = text_at(frame);
    if (host != 1 || length <= at + 100) return;
    frame[at + 100] ^= 1;
    reseal(frame, length);
}

/* A peer seems to offer more than it does: what a stack that ignores the window would send. */
static void plant_window(void *context, uint32_t host, uint8_t *frame, size_t length) {
    (void)context;
    if (host != 0 || (frame[33] & 2)) return;
    put_be16(frame + 34, 60000);
    reseal(frame, length);
}

/* The client's FIN never arrives as one. */
static void plant_no_fin(void *context, uint32_t host, uint8_t *frame, size_t length) {
    (void)context;
    if (host != 1 || (frame[33] & 1) == 0) return;
    frame[33] &= 0xfe;
    reseal(frame, length);
}

static void plain_world(struct scenario *s) {
    scenario_usual(s);
    s->seed = 7;
    s->flows = 2;
    s->flow[0].connections = 5;
    s->flow[0].up = 40000;
    s->flow[1].kind = SCENARIO_REQUESTS;
    s->flow[1].rounds = 3;
    s->host[0].config.timestamps = s->host[1].config.timestamps = false;
    s->host[1].config.receive_buffer = 4096;
    s->host[0].up.loss_ppm = 20000;
    s->host[1].up.jitter_us = 300;
}

static struct sim_result planted(void (*tamper)(void *, uint32_t, uint8_t *, size_t), struct scenario *small) {
    const struct sim_options options = {.hooks = {.tamper = tamper}};
    struct sim_result r, shrunk;
    plain_world(small);
    r = run(small, &plain);
    clean(small, &r);
    r = run(small, &options);
    assert_true(r.fault.found);
    sim_shrink(small, &options, 2000, &shrunk, NULL, NULL);
    assert_true(sim_same_kind(&r.fault, &shrunk.fault));
    assert_int_equal(scenario_connections(small), 1);
    assert_int_equal(small->host[0].up.loss_ppm, 0);
    assert_int_equal(small->host[1].up.jitter_us, 0);
    assert_true(shrunk.statistics.frames < r.statistics.frames || r.statistics.frames < 20);
    struct sim_result again = run(small, &options);
    assert_true(again.digest == shrunk.digest);
    return shrunk;
}

static void other_octets(void **state) {
    (void)state;
    struct scenario small;
    struct sim_result r = planted(plant_octet, &small);
    assert_non_null(strstr(r.fault.text, "received other octets than were sent, from octet"));
    assert_in_range(small.flow[0].up, 101, 202); /* half of it would not reach the octet that is changed */
}

static void beyond_the_window(void **state) {
    (void)state;
    struct scenario small;
    struct sim_result r = planted(plant_window, &small);
    assert_non_null(strstr(r.fault.text, "the window it knows ends at"));
}

static void not_completed(void **state) {
    (void)state;
    struct scenario small;
    struct sim_result r = planted(plant_no_fin, &small);
    assert_non_null(strstr(r.fault.text, "did not complete"));
}

/* Whatever the numbers, it is the same fault. */
static void kinds_of_faults(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"host 0: A sends 7", "host 0: A sends 7", true},
        {"host 0: A sends 7", "host 1: A sends 95", true},
        {"host 10: A sends 7", "host 1: A sends 7", true},
        {"host 0: A sends 7", "host 0: B sends 7", false},
        {"host 0: A sends 7", "host 0: A sends", false},
        {"host 0: A sends 7", "host 0: A sends 7 more", false},
        {"7", "seven", false},
    };
    for (size_t i = 0; i < BK_COUNT(cases); i++) {
        struct fault a = {0}, b = {0};
        fault_note(&a, "%s", cases[i].a);
        fault_note(&b, "%s", cases[i].b);
        assert_int_equal(sim_same_kind(&a, &b), cases[i].same);
        assert_int_equal(sim_same_kind(&b, &a), cases[i].same);
    }
    struct fault found = {0}, none = {0};
    fault_note(&found, "7");
    assert_false(sim_same_kind(&found, &none));
}

/* Traces may be written down, and are of the same run. */
static void files_tell_the_same_run(void **state) {
    (void)state;
    struct scenario s;
    char path[64], line[256];
    plain_world(&s);
    struct sim_result r = run(&s, &plain);
    const struct sim_files files = {
        .directory = "/tmp", .name = "beckon-test-sim", .scenario = true, .ladder = true, .capture = true};
    assert_int_equal(sim_write_files(&s, &files, &r), 0);
    static const char *const suffix[] = {"scenario", "ladder", "pcapng"};
    for (size_t i = 0; i < BK_COUNT(suffix); i++) {
        snprintf(path, sizeof path, "/tmp/beckon-test-sim.%s", suffix[i]);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof line, f));
        fclose(f);
        remove(path);
    }
    r.digest ^= 1;
    const struct sim_files text = {.directory = "/tmp", .name = "beckon-test-sim", .ladder = true};
    assert_int_equal(sim_write_files(&s, &text, &r), -71); /* -EPROTO: another run */
    assert_int_equal(remove("/tmp/beckon-test-sim.ladder"), 0);
    assert_int_equal(remove("/tmp/beckon-test-sim.scenario"), -1); /* not asked for */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_run),
        cmocka_unit_test(trace_and_moves_change_nothing),
        cmocka_unit_test(range_does_not_depend_on_threads),
        cmocka_unit_test(other_octets),
        cmocka_unit_test(beyond_the_window),
        cmocka_unit_test(not_completed),
        cmocka_unit_test(kinds_of_faults),
        cmocka_unit_test(files_tell_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
