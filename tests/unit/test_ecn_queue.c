/* Shows that a queue which marks (CoDel, RFC 8289) and two stacks that speak ECN lose nothing to each other, where without ECN the same queue has
 * to drop (RFC 3168 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/sim.h"

#define OCTETS 3000000u

/* One transfer over a line of 8 Mbit/s that is 20 ms long, and may mark by chance. */
static struct sim_result transfer_marked(uint8_t family, uint32_t client, uint32_t server, uint32_t mark_ppm) {
    static struct scenario s;
    struct sim_result result;
    scenario_usual(&s);
    s.family = family;
    s.flows = 1;
    s.patience_us = 60000000;
    for (int i = 0; i < 2; i++) {
        struct path_options *up = &s.host[i].up;
        up->delay_us = 10000;
        up->rate_bps = 8000000;
        up->queue = PATH_CODEL;
        up->ecn = true;
        up->mark_ppm = mark_ppm;
        s.host[i].config.send_buffer = s.host[i].config.receive_buffer = 262144;
        s.host[i].config.chunks = 1024;
        s.host[i].config.buffer_chunks = 800;
    }
    s.host[0].config.ecn = client;
    s.host[1].config.ecn = server;
    scenario_usual_flow(&s.flow[0]);
    s.flow[0].kind = SCENARIO_BULK;
    s.flow[0].client = 0;
    s.flow[0].server = 1;
    s.flow[0].connections = 1;
    s.flow[0].up = OCTETS;
    assert_null(scenario_wrong(&s));
    sim_run(&s, &(struct sim_options){0}, &result);
    if (result.fault.found) fail_msg("%s", result.fault.text);
    assert_int_equal(result.statistics.completed, 1);
    return result;
}

static struct sim_result transfer(uint8_t family, uint32_t client, uint32_t server) {
    return transfer_marked(family, client, server, 0);
}

static void marks_instead_of_drops(void **state) {
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct sim_result with = transfer(family, BK_ECN_ASK, BK_ECN_GRANT);
        assert_true(with.paths.marked >= 3);
        assert_int_equal(with.paths.dropped_aqm, 0);
        struct sim_result without = transfer(family, BK_ECN_GRANT, BK_ECN_GRANT);
        assert_int_equal(without.paths.marked, 0);
        assert_true(without.paths.dropped_aqm >= 3);
        print_message("IPv%u, %u octets through CoDel: %llu marks with ECN, %llu drops without\n", family, OCTETS,
                      (unsigned long long)with.paths.marked, (unsigned long long)without.paths.dropped_aqm);
    }
}

/* Who was refused sends nothing that could be marked. */
static void no_marks_without_agreement(void **state) {
    (void)state;
    assert_int_equal(transfer(4, BK_ECN_ASK, BK_ECN_OFF).paths.marked, 0);
}

/* Every tenth packet of new data is marked: nothing is lost, and all that was sent arrives. */
static void marks_by_chance(void **state) {
    (void)state;
    const uint32_t packets = OCTETS / 1448;
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct sim_result r = transfer_marked(family, BK_ECN_ASK, BK_ECN_GRANT, 100000);
        assert_in_range(r.paths.marked, packets / 10 - 60, packets / 10 + 60);
        assert_int_equal(r.paths.dropped_aqm + r.paths.overflowed + r.paths.lost, 0);
    }
    assert_int_equal(transfer_marked(4, BK_ECN_ASK, BK_ECN_OFF, 100000).paths.marked, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_instead_of_drops),
        cmocka_unit_test(no_marks_without_agreement),
        cmocka_unit_test(marks_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
