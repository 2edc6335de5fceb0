/* Shows that what theory says of a flow is what its formulas give, worked by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab/theory.h"

/* 1,250,000 octets a second in segments of 1,250: 1,000 segments a second. */
static const struct theory_path path = {.rate = 1250000, .rtt = 0.1, .mss = 1250, .burst = 1};

static double part_of(enum theory_controller controller, double buffer, double loss, double burst) {
    struct theory_path p = path;
    p.buffer = buffer;
    p.loss = loss;
    p.burst = burst;
    return theory_goodput(controller, &p);
}

static void expect(double expected, double got) {
    if (got < expected - 1e-4 || got > expected + 1e-4) fail_msg("expected %f, got %f", expected, got);
}

/* Nothing is lost: the link, or a buffer for each round trip; 125,000 octets are the bandwidth-delay product. */
static void buffers(void **state) {
    (void)state;
    for (int c = 0; c < THEORY_CONTROLLERS; c++) {
        expect(1, part_of((enum theory_controller)c, 0, 0, 1));
        expect(1, part_of((enum theory_controller)c, 250000, 0, 1));
        expect(0.25, part_of((enum theory_controller)c, 31250, 0, 1));
    }
}

/* sqrt(1.5 / 0.0096) = 12.5 segments a round trip of 100 ms: 125 of 1,000 a second. Bursts of four: p = 0.0024, 25 segments. */
static void newreno(void **state) {
    (void)state;
    expect(0.125, part_of(THEORY_NEWRENO, 0, 0.0096, 1));
    expect(0.25, part_of(THEORY_NEWRENO, 0, 0.0096, 4));
    expect(0.05, part_of(THEORY_NEWRENO, 6250, 0.0096, 1));
    expect(1, part_of(THEORY_NEWRENO, 0, 0.00001, 1));
}

/* (0.4 * 3.7 / 1.2)^(1/4) = 1.05383. p = 0.1 / 16^(4/3) = 0.00248: (0.1 / p)^(3/4) = 16, so 16.86 segments, but NewReno has
 * sqrt(1.5 / 0.00248) = 24.59; at RTT 1 s and p = 1 / 81^(4/3) = 0.002853, 1.05383 * 81 = 85.36 segments, of 1,000 a round trip. */
static void cubic(void **state) {
    (void)state;
    expect(0.2459, part_of(THEORY_CUBIC, 0, 0.00248016, 1));
    struct theory_path slow = path;
    slow.rtt = 1;
    slow.loss = 0.00285303;
    expect(0.08536, theory_goodput(THEORY_CUBIC, &slow));
}

static void bbr(void **state) {
    (void)state;
    expect(0.99, part_of(THEORY_BBR, 0, 0.01, 4));
    expect(0.25, part_of(THEORY_BBR, 31250, 0.01, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers),
        cmocka_unit_test(newreno),
        cmocka_unit_test(cubic),
        cmocka_unit_test(bbr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
