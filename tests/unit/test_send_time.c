/* Shows how long data was under way is told, and what held it back: the peer's window, or a send buffer that the user waits for. */
#include <errno.h>

#include "fixture.h"

static void expect_times(uint64_t busy_ms, uint64_t window_ms, uint64_t buffer_ms) {
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.busy_us / 1000, busy_ms);
    assert_int_equal(info.window_limited_us / 1000, window_ms);
    assert_int_equal(info.buffer_limited_us / 1000, buffer_ms);
}

static void busy_while_outstanding(void **state) {
    (void)state;
    fx.flow.wnd = 60000;
    established();
    advance_by(50);
    expect_times(0, 0, 0);
    expect_call(call_send(500), 500);
    (void)ignore_sent();
    advance_by(30);
    expect_times(30, 0, 0); /* it runs yet */
    receive(SEG(.flags = ACK, .ack = 501));
    advance_by(70);
    expect_times(30, 0, 0);
    expect_call(call_send(500), 500);
    (void)ignore_sent();
    advance_by(20);
    receive(SEG(.flags = ACK, .ack = 1001));
    expect_times(50, 0, 0);
}

static void window_closed(void **state) {
    (void)state;
    fx.flow.mss = 1000;
    fx.flow.wnd = 2000;
    established();
    expect_call(call_send(3000), 3000);
    (void)ignore_sent();
    advance_by(40);
    expect_times(40, 40, 0);
    receive(SEG(.flags = ACK, .ack = 2001));
    (void)ignore_sent();
    advance_by(25);
    receive(SEG(.flags = ACK, .ack = 3001));
    advance_by(10);
    expect_times(65, 40, 0);
}

static void buffer_too_small(void **state) {
    (void)state;
    fx.config.send_buffer = 2000;
    fx.config.send_buffer_max = 0;
    fx.flow.mss = 1000;
    fx.flow.wnd = 60000;
    established();
    expect_call(call_send(2000), 2000);
    (void)ignore_sent();
    advance_by(15);
    expect_times(15, 0, 0); /* nobody waits for room */
    expect_call(call_send(1), -EAGAIN);
    advance_by(20);
    expect_times(35, 0, 20);
    receive(SEG(.flags = ACK, .ack = 1001)); /* half of it is free: the user hears of that */
    advance_by(10);
    expect_times(45, 0, 20);
    receive(SEG(.flags = ACK, .ack = 2001));
    advance_by(10);
    expect_times(45, 0, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {BOTH(busy_while_outstanding), BOTH(window_closed), BOTH(buffer_too_small)};
    return run_fixture_tests(tests);
}
