/* Shows STATUS's counts of segments, timeouts and marks, the bounds that a user sets for RTO and window, and the IP fields of what TIME-WAIT sends. */
#include <errno.h>

#include "fixture.h"

static void data_segments(void **state) {
    (void)state;
    established();
    struct bk_tcp_info before = call_status();
    assert_int_equal(before.data_segments_sent + before.data_segments_received, 0);
    assert_int_equal(before.ack_delay_us, 0);
    size_t mss = before.send_mss;
    expect_call(call_send(2 * mss + 1), (int64_t)(2 * mss + 1));
    ignore_sent();
    receive(SEG(.flags = ACK));
    receive(SEG(.flags = ACK, .len = 10));
    receive(SEG(.flags = ACK, .len = 10));
    ignore_sent();
    struct bk_tcp_info after = call_status();
    assert_int_equal(after.data_segments_sent, 3);
    assert_int_equal(after.data_segments_received, 2);
    assert_int_equal(after.segments_received - before.segments_received, 3);
    assert_int_equal(after.bytes_sent, 2 * mss + 1);
    assert_int_equal(after.irs, before.irs);
    assert_true(after.ack_delay_us >= 1000 * fx.config.delayed_ack_ms);
    assert_int_equal(after.receive_window_most, after.receive_buffer);
}

/* A series of timeouts lasts to the end of what it set off: the second one begins after the first is repaired. */
static void timeouts(void **state) {
    (void)state;
    established();
    expect_call(call_send(100), 100);
    ignore_sent();
    uint64_t begun = fx.now + call_status().rto_us * UINT64_C(1000);
    advance_to(begun);
    while (call_status().timeouts == 0) advance_by(10); /* after a tail loss probe */
    begun = fx.now;
    while (call_status().timeouts == 1) advance_by(1);
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.timeouts, 2);
    assert_int_equal(info.timeout_episodes, 1);
    assert_in_range(info.timeout_ms, (fx.now - begun) / MS - 10, (fx.now - begun) / MS + 10); /* it goes on */
    ignore_sent();
    advance_by(5);
    uint32_t spent = call_status().timeout_ms;
    assert_int_equal(spent, info.timeout_ms + 5);
    assert_int_equal(call_status().bytes_retransmitted, call_status().bytes_sent - 100);
    receive(SEG(.flags = ACK, .ack = 101));
    advance_by(5000);
    assert_int_equal(call_status().timeout_ms, spent);
    expect_call(call_send(100), 100);
    while (call_status().timeouts == 2) advance_by(10);
    assert_int_equal(call_status().timeout_episodes, 2);
    ignore_sent();
}

/* RFC 6298 2.5: the back-off ends at the bound; and a bound below the RTO holds at once. */
static void rto_bound(void **state) {
    (void)state;
    fx.config.retries2 = 15;
    established();
    expect_call(call_set(BK_TCP_RTO_MAX_MS, 999), -EINVAL);
    expect_call(call_set(BK_TCP_RTO_MAX_MS, 2000), 0);
    expect_call(call_send(100), 100);
    for (uint32_t i = 0; i < 4; i++) {
        advance_by(2000);
        assert_true(call_status().rto_us <= 2000000);
    }
    assert_int_equal(call_status().rto_us, 2000000);
    expect_call(call_set(BK_TCP_RTO_MAX_MS, 1000), 0);
    assert_int_equal(call_status().rto_us, 1000000);
    expect_call(call_set(BK_TCP_RTO_MAX_MS, 0), 0); /* as all others again */
    for (uint32_t i = 0, n = call_status().timeouts + 2; i < 40 && call_status().timeouts != n; i++) advance_by(100);
    assert_int_equal(call_status().rto_us, 4000000);
    ignore_sent();
}

/* No window is offered beyond the clamp, nor taken back (RFC 9293 3.8.6), whatever the scale; and one below the scale's granule still lets
 * text in. */
static void window_clamp(void **state) {
    (void)state;
    fx.flow.wscale = 3; /* scaling is agreed on */
    established();
    receive(SEG(.flags = ACK, .len = 1000));
    expect_call(call_receive(1000), 1000);
    advance_by(1000);
    next_sent();
    uint32_t granule = 1u << call_status().receive_scale;
    int64_t edge = last_ack() + last_window();
    ignore_sent();
    for (uint32_t clamp = 9000; clamp != 0; clamp /= 4) {
        expect_call(call_set(BK_TCP_WINDOW_CLAMP, clamp), 0);
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t room = call_status().rcv_wnd;
            assert_true(room != 0);
            receive(SEG(.flags = ACK, .len = room < 1000 ? room : 1000));
            expect_call(call_receive(1000), room < 1000 ? room : 1000);
            advance_by(500);
            while (anything_sent()) {
                next_sent();
                int64_t next = last_ack() + last_window();
                assert_true(next + granule > edge); /* not back, but for what the scale cannot say */
                assert_true(next <= edge || last_window() <= (clamp < granule ? granule : clamp));
                if (next > edge) edge = next;
            }
        }
        assert_true(call_status().rcv_wnd <= clamp + granule);
    }
    expect_call(call_set(BK_TCP_WINDOW_CLAMP, 0), 0);
}

/* What a listener's connection says from SYN-ACK to TIME-WAIT (RFC 9293 3.9.1.8 TTL, MUST-49; 3.9.2.1 type of service, MUST-48). */
static void ip_fields(void **state) {
    (void)state;
    fx.passive = true;
    listening();
    assert_int_equal(bk_tcp_listener_set(fx.stack, fx.listener, BK_TCP_TRAFFIC_CLASS, 0xb8, fx.now), 0);
    assert_int_equal(bk_tcp_listener_set(fx.stack, fx.listener, BK_TCP_HOP_LIMIT, 7, fx.now), 0);
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .tc = 0xb8));
    assert_int_equal(fx.last.ttl, 7);
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK, .tc = 0xb8));
    assert_int_equal(fx.last.ttl, 7);
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .tc = 0xb8));
    assert_int_equal(fx.last.ttl, 7);
    expect_state(BK_TIME_WAIT);
    fx.flow.nxt--;
    receive(SEG(.flags = FIN | ACK)); /* our last ACK was lost */
    expect(SEG(.flags = ACK, .tc = 0xb8));
    assert_int_equal(fx.last.ttl, 7);
}

/* Segments that an ACK with ECE acknowledges count as having met congestion (RFC 3168 6.1.2). */
static void marked(void **state) {
    (void)state;
    fx.config.ecn = BK_ECN_ASK;
    expect_call(call_connect(), 0);
    next_sent();
    receive(SEG(.flags = SYN | ACK | ECE));
    ignore_sent();
    assert_true(call_status().ecn);
    size_t mss = call_status().send_mss;
    expect_call(call_send(3 * mss), (int64_t)(3 * mss));
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 1 + (int64_t)mss));
    assert_int_equal(call_status().segments_delivered_ce, 0);
    receive(SEG(.flags = ACK | ECE, .ack = 1 + 3 * (int64_t)mss));
    assert_int_equal(call_status().segments_delivered, 3);
    assert_int_equal(call_status().segments_delivered_ce, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(data_segments), BOTH(timeouts), BOTH(rto_bound), BOTH(window_clamp), BOTH(ip_fields), BOTH(marked),
    };
    return run_fixture_tests(tests);
}
