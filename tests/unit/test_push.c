/* Shows which segments carry PSH besides the last that is queued: those at the marks in text that has to wait. */
#include "fixture.h"

/* The segments that leave, one after another; each must be full, or end at `end`. Returns how many had PSH, and the last of those in *at. */
static uint32_t pushed_until(int64_t end, int64_t *at, uint32_t most) {
    uint32_t pushed = 0;
    while (fx.flow.seen < end || anything_sent()) {
        assert_true(anything_sent());
        while (anything_sent()) {
            next_sent();
            assert_true(fx.last.len == our_mss() || last_end() == end);
            if (!(fx.last.flags & PSH)) continue;
            assert_true(pushed < most);
            at[pushed++] = last_end();
        }
        receive(SEG(.flags = ACK));
    }
    return pushed;
}

/* The windows: 20 segments of the peer's, so marks stand 10 apart; 10 of congestion, so text waits behind the first 10. Units are of one
 * segment, which have no PSH of their own. */
static void one_segment_at_a_time(void **state) {
    (void)state;
    int64_t mss = our_mss(), at[8];
    fx.iface_config.unit_max = (uint32_t)mss;
    fx.flow.wnd = (uint32_t)(20 * mss);
    established();
    expect_call(call_send((size_t)(42 * mss)), 42 * mss);
    assert_int_equal(pushed_until(1 + 42 * mss, at, 8), 4);
    for (int64_t i = 0; i < 3; i++) assert_int_equal(at[i], 1 + (20 + 10 * i) * mss);
    assert_int_equal(at[3], 1 + 42 * mss); /* MUST-61 */
}

/* Where nothing waits any more, no mark is left: text of which the user says that more follows has no PSH. */
static void what_leaves_at_once_has_no_marks(void **state) {
    (void)state;
    int64_t mss = our_mss(), at[8];
    fx.iface_config.unit_max = (uint32_t)mss;
    fx.flow.wnd = (uint32_t)(20 * mss);
    established();
    expect_call(call_send((size_t)(12 * mss)), 12 * mss); /* ten leave, and there is a mark behind the twentieth */
    assert_int_equal(pushed_until(1 + 12 * mss, at, 8), 1);
    expect_call(call_send_flags((size_t)(12 * mss), BK_SEND_MORE), 12 * mss);
    assert_int_equal(pushed_until(1 + 24 * mss, at, 8), 0);
}

/* 16 segments of window, so marks stand 8 apart: one behind the 18th, in the middle of a unit of half of cwnd, 10. It stays whole, and the
 * next mark is counted from its end. */
static void units_stay_whole(void **state) {
    (void)state;
    int64_t mss = our_mss();
    fx.flow.wnd = (uint32_t)(16 * mss);
    established();
    expect_call(call_send((size_t)(40 * mss)), 40 * mss);
    assert_int_equal(ignore_sent(), 10);
    receive(SEG(.flags = ACK));
    for (int64_t i = 11; i <= 26; i++) {
        next_sent();
        assert_int_equal(last_end(), 1 + i * mss);
        assert_int_equal((fx.last.flags & PSH) != 0, i == 20 || i == 26);
    }
    expect_silence();
}

/* A window of one segment: each that has to wait for it has PSH. */
static void tiny_window(void **state) {
    (void)state;
    int64_t mss = our_mss(), at[8];
    fx.flow.wnd = (uint32_t)mss;
    established();
    expect_call(call_send((size_t)(4 * mss)), 4 * mss);
    assert_int_equal(pushed_until(1 + 4 * mss, at, 8), 3);
    for (int64_t i = 0; i < 3; i++) assert_int_equal(at[i], 1 + (i + 2) * mss);
}

/* Before the handshake no window is known: marks are not counted from there. */
static void text_before_the_handshake(void **state) {
    (void)state;
    int64_t mss = our_mss(), at[8];
    fx.iface_config.unit_max = (uint32_t)mss;
    fx.flow.wnd = (uint32_t)(20 * mss);
    syn_sent();
    expect_call(call_send((size_t)(12 * mss)), 12 * mss);
    receive(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    assert_int_equal(pushed_until(1 + 12 * mss, at, 8), 1);
    assert_int_equal(at[0], 1 + 12 * mss);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(one_segment_at_a_time), BOTH(what_leaves_at_once_has_no_marks), BOTH(units_stay_whole),
        BOTH(tiny_window),           BOTH(text_before_the_handshake),
    };
    return run_fixture_tests(tests);
}
