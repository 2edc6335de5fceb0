/* Shows that the congestion window grows and shrinks as RFC 5681, 6582 and 6928 say, in worked arithmetic. */
#include "core.h"

#include "tcp/congestion.h"

#define MSS 1000u

static struct connection sender(uint32_t mss) {
    struct connection c;
    memset(&c, 0, sizeof c);
    c.mss = (uint16_t)mss;
    congestion_start(&c, 0);
    return c;
}

/* One round trip with the window full: every segment is acknowledged, by an ACK for each `every` segments. */
static void full_round(struct connection *c, uint32_t every) {
    uint32_t segments = c->cwnd / c->mss, flight = c->cwnd;
    for (uint32_t i = 0; i < segments; i += every) {
        uint32_t acked = u32_min(every, segments - i) * c->mss;
        congestion_acked(c, acked, u32_max(flight, c->cwnd)); /* what was acknowledged, new data follows */
    }
}

/* RFC 6928 2: min(10 * MSS, max(2 * MSS, 14,600)). */
static void the_initial_window(void **state) {
    (void)state;
    static const uint32_t expected[][2] = {{1460, 14600}, {536, 5360},   {1000, 10000}, {1461, 14600},
                                           {4096, 14600}, {7300, 14600}, {8960, 17920}, {65000, 130000}};
    for (size_t i = 0; i < BK_COUNT(expected); i++) {
        struct connection c = sender(expected[i][0]);
        assert_int_equal(c.cwnd, expected[i][1]);
        assert_int_equal(c.ssthresh, UINT32_MAX); /* arbitrarily high (RFC 5681 3.1) */
        congestion_start(&c, 1);                  /* one SYN lost costs nothing (RFC 6928 2) */
        assert_int_equal(c.cwnd, expected[i][1]);
        congestion_start(&c, 2);
        assert_int_equal(c.cwnd, expected[i][0]);
    }
}

/* RFC 5681 3.1: in slow start the window doubles each round trip, also when one ACK stands for two segments or for a whole unit (RFC 3465). */
static void slow_start_doubles(void **state) {
    (void)state;
    static const uint32_t every[] = {1, 2, 10};
    for (size_t i = 0; i < BK_COUNT(every); i++) {
        struct connection c = sender(MSS);
        for (uint32_t expected = 20000; expected <= 640000; expected *= 2) {
            full_round(&c, every[i]);
            assert_int_equal(c.cwnd, expected);
        }
    }
}

/* Slow start ends at ssthresh exactly, and what an ACK has beyond it counts as congestion avoidance. */
static void slow_start_ends_at_ssthresh(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    c.ssthresh = 12500;
    congestion_acked(&c, 2000, 10000);
    assert_int_equal(c.cwnd, 12000);
    congestion_acked(&c, 2000, 12000);
    assert_int_equal(c.cwnd, 12500);
    /* 1,500 bytes of credit: 11,000 more make one window of 12,500 */
    congestion_acked(&c, 10999, 12500);
    assert_int_equal(c.cwnd, 12500);
    congestion_acked(&c, 1, 12500);
    assert_int_equal(c.cwnd, 13500);
}

/* RFC 5681 3.1: in congestion avoidance one MSS each round trip, however many ACKs say it. */
static void congestion_avoidance_adds_one_mss(void **state) {
    (void)state;
    static const uint32_t every[] = {1, 2, 5, 10};
    for (size_t i = 0; i < BK_COUNT(every); i++) {
        struct connection c = sender(MSS);
        c.ssthresh = c.cwnd;
        for (uint32_t round = 1; round <= 50; round++) {
            full_round(&c, every[i]);
            assert_int_equal(c.cwnd, 10000 + round * MSS);
        }
    }
}

/* What was acknowledged beyond a window counts towards the next (RFC 3465 2.1): uneven ACKs lose nothing. */
static void bytes_beyond_a_window_are_kept(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    c.ssthresh = c.cwnd;
    congestion_acked(&c, 15000, 10000);
    assert_int_equal(c.cwnd, 11000);
    congestion_acked(&c, 5999, 11000);
    assert_int_equal(c.cwnd, 11000);
    congestion_acked(&c, 1, 11000);
    assert_int_equal(c.cwnd, 12000);
}

/* A window that is not used does not grow: nothing was learned about it (RFC 7661 1). */
static void an_idle_window_does_not_grow(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    for (uint32_t i = 0; i < 1000; i++) congestion_acked(&c, 1000, 4999);
    assert_int_equal(c.cwnd, 10000);
    congestion_acked(&c, 1000, 5000);
    assert_int_equal(c.cwnd, 11000);
    c.ssthresh = c.cwnd = 10000;
    for (uint32_t i = 0; i < 1000; i++) congestion_acked(&c, 1000, 8999);
    assert_int_equal(c.cwnd, 10000);
    for (uint32_t i = 0; i < 10; i++) congestion_acked(&c, 1000, 9000);
    assert_int_equal(c.cwnd, 11000);
}

/* RFC 5681 3.2 step 2: ssthresh = max(FlightSize / 2, 2 * SMSS). */
static void loss_halves_the_window(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    c.cwnd = 40000;
    congestion_loss(&c, 30000); /* of what was in flight, not of the window */
    assert_int_equal(c.ssthresh, 15000);
    assert_int_equal(c.cwnd, 15000);
    congestion_loss(&c, 3000);
    assert_int_equal(c.ssthresh, 2000);
    congestion_loss(&c, 0);
    assert_int_equal(c.ssthresh, 2000);
}

/* RFC 6582 3.2 step 3: after recovery min(ssthresh, max(FlightSize, SMSS) + SMSS), so that no burst follows. */
static void recovered_without_a_burst(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    congestion_loss(&c, 40000);
    congestion_recovered(&c, 0);
    assert_int_equal(c.cwnd, 2000);
    congestion_recovered(&c, 5000);
    assert_int_equal(c.cwnd, 6000);
    congestion_recovered(&c, 30000);
    assert_int_equal(c.cwnd, 20000);
    /* growth begins anew: one MSS only after a whole window */
    c.cwnd_credit = 0;
    congestion_acked(&c, 19999, 20000);
    assert_int_equal(c.cwnd, 20000);
    congestion_acked(&c, 1, 20000);
    assert_int_equal(c.cwnd, 21000);
}

/* RFC 5681 3.1: at a timeout cwnd is one segment; ssthresh is set from the flight for the first timeout of a segment only. */
static void a_timeout_starts_over(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    congestion_timeout(&c, 10000, true);
    assert_int_equal(c.cwnd, MSS);
    assert_int_equal(c.ssthresh, 5000);
    congestion_timeout(&c, 1000, false);
    assert_int_equal(c.cwnd, MSS);
    assert_int_equal(c.ssthresh, 5000);
    /* slow start up to there, then one MSS a round */
    full_round(&c, 1);
    assert_int_equal(c.cwnd, 2000);
    full_round(&c, 1);
    assert_int_equal(c.cwnd, 4000);
    congestion_acked(&c, 1000, 4000);
    assert_int_equal(c.cwnd, 5000);
    full_round(&c, 1);
    assert_int_equal(c.cwnd, 6000);
}

/* RFC 5681 4.1: after an idle time the restart window is min(IW, cwnd); ssthresh stays. */
static void idle_restart(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    c.cwnd = 100000;
    c.ssthresh = 80000;
    congestion_idle(&c);
    assert_int_equal(c.cwnd, 10000);
    assert_int_equal(c.ssthresh, 80000);
    c.cwnd = 3000;
    congestion_idle(&c);
    assert_int_equal(c.cwnd, 3000);
}

/* The largest window is not passed: it does not wrap. */
static void the_largest_window(void **state) {
    (void)state;
    struct connection c = sender(MSS);
    c.cwnd = UINT32_MAX - 500;
    c.ssthresh = 1000000;
    c.cwnd_credit = UINT32_MAX - 1000;
    congestion_acked(&c, 500, UINT32_MAX);
    assert_int_equal(c.cwnd, UINT32_MAX - 500);
    c.ssthresh = UINT32_MAX;
    congestion_acked(&c, 1000000, UINT32_MAX);
    assert_int_equal(c.cwnd, UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initial_window),
        cmocka_unit_test(slow_start_doubles),
        cmocka_unit_test(slow_start_ends_at_ssthresh),
        cmocka_unit_test(congestion_avoidance_adds_one_mss),
        cmocka_unit_test(bytes_beyond_a_window_are_kept),
        cmocka_unit_test(an_idle_window_does_not_grow),
        cmocka_unit_test(loss_halves_the_window),
        cmocka_unit_test(recovered_without_a_burst),
        cmocka_unit_test(a_timeout_starts_over),
        cmocka_unit_test(idle_restart),
        cmocka_unit_test(the_largest_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
