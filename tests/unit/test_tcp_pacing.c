/* Shows that paced connections spread what they send, wake by themselves to send more, and that others do not wait. */
#include "fixture.h"

static int64_t m;

/* Established, with a round trip of 100 ms behind it in which ten segments, the window, were acknowledged: cwnd is 20 segments. */
static void begin(bool pacing, enum bk_congestion congestion) {
    fx.config.pacing = pacing;
    fx.flow.wnd = 65535;
    established();
    m = our_mss();
    expect_call(call_set(BK_TCP_SEND_BUFFER, 200000), 0);
    expect_call(call_send((size_t)(10 * m)), 10 * m);
    assert_int_equal(ignore_sent(), 10); /* the initial window leaves at once, paced or not */
    advance_by(100);
    receive(SEG(.flags = ACK));
    ignore_sent();
    assert_int_equal(call_status().cwnd, 20 * m);
    expect_call(call_set(BK_TCP_CONGESTION, congestion), 0);
}

/* All that cwnd allows leaves over most of a round trip, a unit at a time; nothing but time is needed for it. */
static void spread(enum bk_congestion congestion, bool pacing) {
    begin(pacing, congestion);
    uint64_t rate = call_status().pacing_rate;
    assert_int_not_equal(rate, 0);
    expect_call(call_send((size_t)(20 * m)), 20 * m);
    size_t sent = ignore_sent(), unit = rate / 1000 < 2 * (uint64_t)m ? 2 : (size_t)(rate / 1000 / (uint64_t)m);
    assert_int_equal(sent, unit);
    uint64_t ms = 0;
    for (; sent < 20 && ms < 1000; ms++) {
        advance_by(1);
        size_t more = ignore_sent();
        assert_in_range(more, 0, unit);
        sent += more;
    }
    assert_int_equal(sent, 20);
    /* All but the first unit wait for what is before them; the first of them moves up by half. */
    uint64_t least = (20 - 2 * unit) * (uint64_t)m * 1000 / rate;
    assert_in_range(ms, least, least + 2 * unit * (uint64_t)m * 1000 / rate + 20);
}
static void cubic_is_spread(void **state) {
    (void)state;
    spread(BK_CONGESTION_CUBIC, true);
}
static void bbr_is_always_spread(void **state) {
    (void)state;
    spread(BK_CONGESTION_BBR, false);
}

/* The window is shut, and opens by an octet for each probe, told after 200 ms: that is the peer's pace, not the path's. When it opens all
 * leaves as fast as before. Found by simulation. */
static void probes_do_not_slow_down(void **state) {
    (void)state;
    begin(false, BK_CONGESTION_BBR);
    expect_call(call_send((size_t)(60 * m)), 60 * m);
    for (int i = 0; i < 20; i++) {
        advance_by(20);
        ignore_sent();
        receive(SEG(.flags = ACK, .wnd = 65535));
    }
    ignore_sent();
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send((size_t)(4 * m + 50)), 4 * m + 50);
    for (int i = 0; i < 50; i++) {
        while (ignore_sent() == 0) advance_by(20);
        advance_by(200);
        ignore_sent();
        receive(SEG(.flags = ACK, .wnd = 0));
    }
    receive(SEG(.flags = ACK, .wnd = 65535));
    advance_by(500);
    assert_int_equal(ignore_sent(), 4);
}

/* Off: the window leaves at once. */
static void off(void **state) {
    (void)state;
    begin(false, BK_CONGESTION_CUBIC);
    assert_int_equal(call_status().pacing_rate, 0);
    expect_call(call_send((size_t)(20 * m)), 20 * m);
    assert_int_equal(ignore_sent(), 20);
}

/* An ACK that is owed does not wait for a unit that does. */
static void acknowledgments_do_not_wait(void **state) {
    (void)state;
    begin(true, BK_CONGESTION_CUBIC);
    expect_call(call_send((size_t)(20 * m)), 20 * m);
    ignore_sent();
    for (int i = 0; i < 2; i++) receive(SEG(.flags = ACK, .len = m));
    assert_int_equal(ignore_sent(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {BOTH(cubic_is_spread), BOTH(bbr_is_always_spread), BOTH(probes_do_not_slow_down),
                                       BOTH(off), BOTH(acknowledgments_do_not_wait)};
    return run_fixture_tests(tests);
}
