/* Shows how much SEND takes: by payload alone, by units that are charged for themselves, and by what is unsent; and when a writer hears of room. */
#include <errno.h>

#include "fixture.h"

/* A peer with an MSS of 1,000 and a window of 32,896: units are half of it, in whole segments, so 16,000. */
static void peer_as_in_the_sums(void) {
    fx.flow.mss = 1000;
    fx.flow.wscale = 7;
    fx.flow.wnd = 257;
    fx.config.send_buffer = 50000;
    established();
    receive(SEG(.flags = ACK));
    (void)ignore_sent();
}

/* The least initial window that lets ten segments go (RFC 6928). */
#define CWND 10000

static void payload_alone(void **state) {
    (void)state;
    peer_as_in_the_sums();
    expect_call(call_send(59000), 50000);
    expect_call(call_send(1), -EAGAIN);
}

/* 16,000 are queued, of which 10,000 leave at once; what is left of the unit, 6,000, is filled to 16,000: 26,000, charged 26,000 + 2 x 1,280.
 * Then 42,000 + 3 x 1,280 = 45,840 is still below 50,000, 58,000 is not. */
static void units_charged(void **state) {
    (void)state;
    fx.config.send_overhead = 1280;
    peer_as_in_the_sums();
    assert_int_equal(call_status().cwnd, CWND);
    expect_call(call_send(59000), 58000);
    expect_call(call_send(1), -EAGAIN);
}

/* With 15,000 as the bound: after 26,000 the 16,000 that wait are too many. */
static void unsent_bounded(void **state) {
    (void)state;
    peer_as_in_the_sums();
    expect_call(call_set(BK_TCP_UNSENT_LOW, 15000), 0);
    expect_call(call_send(59000), 26000);
    expect_call(call_send(1), -EAGAIN);
    (void)ignore_sent();
    /* Half of the bound is what wakes. 4,000 acknowledged let 8,000 go: 8,000 of the 26,000 are unsent. */
    receive(SEG(.flags = ACK, .ack = 1 + 4000));
    (void)ignore_sent();
    expect_ready(0);
    /* 6,000 acknowledged let another 4,000 go: 4,000 are unsent. */
    receive(SEG(.flags = ACK, .ack = 1 + 6000));
    expect_ready(BK_READY_WRITABLE);
    (void)ignore_sent();
    receive(SEG(.flags = ACK, .ack = 1 + 18000));
    receive(SEG(.flags = ACK, .ack = 1 + 26000));
    expect_call(call_set(BK_TCP_UNSENT_LOW, UINT32_MAX), 0);
    expect_call(call_send(59000), 50000);
}

/* Whatever is unsent, an empty queue takes a unit. */
static void unsent_of_one(void **state) {
    (void)state;
    peer_as_in_the_sums();
    expect_call(call_set(BK_TCP_UNSENT_LOW, 1), 0);
    expect_call(call_send(59000), 26000);
}

static void corked(void **state) {
    (void)state;
    peer_as_in_the_sums();
    expect_call(call_set(BK_TCP_CORK, 1), 0);
    expect_call(call_send(300), 300);
    expect_silence();
    expect_call(call_send(900), 900);
    expect(SEG(.flags = ACK, .len = 1000));
    expect_silence();
    /* Taking it out lets go what is queued; so does NODELAY, once. */
    expect_call(call_set(BK_TCP_CORK, 0), 0);
    receive(SEG(.flags = ACK)); /* Nagle's rule holds nevertheless */
    expect(SEG(.flags = ACK, .len = 200));
    expect_call(call_set(BK_TCP_CORK, 1), 0);
    receive(SEG(.flags = ACK));
    expect_call(call_send(10), 10);
    expect_silence();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    expect(SEG(.flags = ACK, .len = 10));
    expect_call(call_send(10), 10);
    expect_silence();
    receive(SEG(.flags = ACK));
    /* Not for ever: RFC 9293 3.8.6.2.1's override. */
    advance_by(1000);
    expect(SEG(.flags = ACK, .len = 10));
    expect_call(call_set(BK_TCP_CORK, 2), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(payload_alone), BOTH(units_charged), BOTH(unsent_bounded), BOTH(unsent_of_one), BOTH(corked),
    };
    return run_fixture_tests(tests);
}
