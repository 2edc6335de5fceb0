/* Shows that connections come and go over TIME-WAITs as they should (lab/turnover.h), in both families and from several seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/turnover.h"

static void run(uint32_t time_waits, bool ipv6, uint64_t seed) {
    const struct turnover_options options = {.seed = seed, .time_waits = time_waits, .ipv6 = ipv6};
    struct turnover_result r;
    assert_int_equal(turnover_run(&options, &r), 0);
    if (r.fault.found) fail_msg("%s", r.fault.text);
    /* A connection for each TIME-WAIT, and then one in each of 1.25 * 0.6 steps for each: half of them take one over, as long as those of the
     * first are there, and what was not taken over runs out. */
    assert_int_equal(r.opened, time_waits + time_waits / 1000 * 750);
    assert_in_range(r.reused, time_waits / 4, time_waits * 2 / 5);
    assert_int_equal(r.over, r.opened - r.reused);
    assert_in_range(r.most, time_waits, time_waits * 3 / 2);
    for (int stray = 0; stray < TURNOVER_STRAYS; stray++) assert_int_not_equal(r.strays[stray], 0);
}

static void ipv4(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) run(5000, false, seed);
}

static void ipv6(void **state) {
    (void)state;
    for (uint64_t seed = 4; seed < 8; seed++) run(5000, true, seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ipv4), cmocka_unit_test(ipv6)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
