/* Shows that the receive buffer follows what path and user can make use of, within its bounds, and what the settings for Linux's account change. */
#include "fixture.h"

#include "lab/bottleneck.h"

/* ---- a buffer that grows ---------------------------------------------------------------------------- */

/* One flow over 80 Mbit/s, RTT 100 ms: 1,000,000 octets are under way when the link is full. */
static uint64_t octets_over_a_long_path(uint32_t receive_max, uint32_t send_max) {
    struct bottleneck_options o = {
        .link = {.rate_bps = 80000000, .delay_us = 50000, .queue_bytes = 8000000}, /* no loss */
        .flows = 1,
        .mtu = 1500,
        .warm_us = 5000000,
        .end_us = 10000000,
        .seed = 1};
    struct bottleneck_result r;
    struct bk_config *c = &o.flow[0].sender;
    bk_config_default(c);
    c->connections = 4;
    c->send_buffer = c->receive_buffer = 131072;
    c->receive_buffer_max = receive_max;
    c->send_buffer_max = send_max;
    o.flow[0].receiver = *c;
    o.flow[0].rtt_us = 100000;
    const char *why = bottleneck_run(&o, NULL, NULL, &r);
    if (why != NULL) fail_msg("%s", why);
    return r.octets[0];
}

/* 10,000,000 octets a second of frames, 1,448 in 1,500 of them text; or a window a round trip. */
static void follows_the_path(void **state) {
    (void)state;
    const uint64_t link = UINT64_C(5) * 10000000 * 1448 / 1500, window = UINT64_C(5) * 10 * 131072;
    assert_in_range(octets_over_a_long_path(4000000, 4000000), link * 9 / 10, link);
    assert_in_range(octets_over_a_long_path(0, 4000000), window / 2, window);
    assert_in_range(octets_over_a_long_path(4000000, 0), window / 2, window);
}

/* RTT 100 ms, told by the handshake. */
static void far_away(void) {
    fx.config.timestamps = false;
    fx.config.receive_buffer = 16384;
    fx.config.receive_buffer_max = 100000;
    fx.flow.wscale = 0;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .wscale = 1)); /* 100,000 / 2 fits 16 bits */
    advance_by(100);
    receive(SEG(.flags = SYN | ACK));
    ignore_sent();
}

static void text_read(int64_t n) {
    for (; n > 0; n -= 1000) {
        receive(SEG(.flags = ACK, .len = n < 1000 ? n : 1000));
        while (call_receive(10000) > 0) continue;
    }
    ignore_sent();
}

/* A round trip's worth is read, then again so much; what is read in the second counts once it is over. In the beginning ten segments are taken
 * for granted; 16,000 octets are 1,400 (1,600 over IPv6) more, so the buffer becomes 2 x 16,000 + 16 segments, and a part more. */
static void grows_with_what_is_read(void **state) {
    (void)state;
    far_away();
    text_read(1000);
    advance_by(110);
    text_read(1); /* 1,001 in the first round: nothing to grow for */
    assert_int_equal(call_status().receive_buffer, 16384);
    text_read(15999);
    advance_by(110);
    text_read(1);
    uint64_t mss = (uint64_t)our_mss(), space = 10 * mss, want = 2 * 16000 + 16 * mss;
    want += want * (16000 - space) / space;
    assert_int_equal(call_status().receive_buffer, want);
    assert_int_equal(call_status().receive_space, 16000);
    /* Not beyond its bound. */
    for (int i = 0; i < 4; i++) {
        text_read(30000 + 20000 * i);
        advance_by(110);
    }
    text_read(1);
    assert_int_equal(call_status().receive_buffer, 100000);
}

static void stays_where_the_user_set_it(void **state) {
    (void)state;
    far_away();
    expect_call(call_set(BK_TCP_RECEIVE_BUFFER, 20000), 0);
    for (int i = 0; i < 4; i++) {
        text_read(19000);
        advance_by(110);
    }
    assert_int_equal(call_status().receive_buffer, 20000);
}

/* Under pressure: a quarter of what the budget has left may be added. */
static void shares_the_budget(void **state) {
    (void)state;
    fx.config.chunk_size = 256;
    fx.config.chunks = 256;
    fx.config.buffer_chunks = 128; /* half of it: 16,384 octets */
    far_away();
    for (int i = 0; i < 4; i++) {
        text_read(16000);
        advance_by(110);
    }
    assert_in_range(call_status().receive_buffer, 16384, 16384);
}

/* What comes behind a gap shows the demand as well, but not before somebody has accepted the connection. */
static void gap_shows_demand(void **state) {
    (void)state;
    fx.config.timestamps = false;
    fx.config.receive_buffer = 65536;
    fx.config.receive_buffer_max = 200000;
    fx.flow.wscale = 0;
    expect_call(call_listen(), 0);
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .wscale = 2));
    receive(SEG(.flags = ACK));
    receive(SEG(.flags = ACK, .seq = 1001, .len = 20000));
    receive(SEG(.flags = ACK, .seq = 21001, .len = 20000));
    expect_call(call_accept(), 0);
    assert_int_equal(call_status().receive_buffer, 65536);
    receive(SEG(.flags = ACK, .seq = 41001, .len = 20000));
    assert_in_range(call_status().receive_buffer, 65537, 200000);
}

/* ---- Linux's account -------------------------------------------------------------------------------- */

/* A segment of 4,000 octets takes two pages and a descriptor, 8,768 octets of buffer: 116/256 of that is text. What is left of 20,000 stands for
 * 5,089 octets, five segments of 1,000. */
static void account_of_segments(void **state) {
    (void)state;
    static const uint8_t mss_1000[] = {2, 4, 3, 232};
    fx.config.receive_overhead = true;
    fx.config.timestamps = false;
    fx.config.receive_buffer = 20000;
    fx.config.receive_buffer_max = 0;
    fx.config.window_scaling = false;
    fx.config.quick_acks = 16;
    expect_call(call_listen(), 0);
    receive(SEG(.flags = SYN, .options = mss_1000, .options_length = sizeof mss_1000));
    expect(SEG(.flags = SYN | ACK, .wnd = 10000 - 10000 % our_mss()));
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    struct seg batch[4];
    for (int i = 0; i < 4; i++) batch[i] = SEG(.flags = ACK, .seq = 1 + 1000 * i, .len = 1000);
    for (int i = 0; i < 4; i++) receive(batch[i]);
    ignore_sent();
    /* Four of 1,000 in a buffer of 2,048 and a descriptor each, 2,624 octets: 97/256 are text. 9,504 octets are left, for 3,601 of text. */
    receive(SEG(.flags = ACK, .seq = 5001, .len = 1000)); /* begins within the window, and there is a gap */
    next_sent();
    assert_int_equal(last_ack(), 4001);
    /* Text beyond the window refuses the segment, while something is unread... */
    receive(SEG(.flags = ACK, .seq = 4001, .len = 20000));
    expect_reason(BK_REASON_ANSWER_UNACCEPTABLE);
    ignore_sent();
    assert_int_equal(call_status().receive_queued, 4000);
    /* ... and not when all is read. */
    while (call_receive(10000) > 0) continue;
    ignore_sent();
    receive(SEG(.flags = ACK, .seq = 4001, .len = 20000));
    expect_reason(BK_REASON_ACCEPT_DATA);
    assert_int_equal(call_status().receive_queued, 20000);
    advance_by(200);
    next_sent();
    assert_int_equal(last_ack(), 24001);
    assert_int_equal(last_window(), 0);
}

/* The account's window is rounded up for the field, but not beyond what the user allows; less than a granule would be none. */
static void account_within_the_clamp(void **state) {
    (void)state;
    static const struct { uint32_t clamp, most; } cases[] = {{1200, 1152}, {100, 128}};
    fx.config.receive_overhead = true;
    fx.config.receive_buffer = 131072;
    fx.config.receive_buffer_max = 6 << 20;
    fx.flow.wscale = 7;
    established();
    assert_int_equal(call_status().receive_scale, 7);
    for (int i = 0; i < 2; i++) {
        expect_call(call_set(BK_TCP_WINDOW_CLAMP, cases[i].clamp), 0);
        uint32_t window = 0;
        for (int n = 0; n < 2000; n++) {
            receive(SEG(.flags = ACK | PSH, .len = 100));
            while (call_receive(1000) > 0) continue;
            advance_by(200);
            while (anything_sent()) {
                next_sent();
                window = last_window();
            }
        }
        assert_int_equal(window, cases[i].most);
    }
}

/* A window that the configuration lets shrink, and text that uses what was offered before: it is taken. */
static void window_that_shrinks(void **state) {
    (void)state;
    fx.config.shrink_window = true;
    fx.config.timestamps = false;
    fx.config.receive_buffer = 16384;
    established();
    expect_call(call_set(BK_TCP_RECEIVE_BUFFER, 4096), 0);
    receive(SEG(.flags = ACK, .len = 1000));
    advance_by(200);
    expect(SEG(.flags = ACK, .ack = 1001, .wnd = 3096));
    receive(SEG(.flags = ACK, .len = 6000));
    expect_reason(BK_REASON_ACCEPT_DATA);
    expect(SEG(.flags = ACK, .ack = 7001, .wnd = 0));
    expect_call(call_receive(10000), 7000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_path),
        BOTH(grows_with_what_is_read),
        BOTH(stays_where_the_user_set_it),
        BOTH(shares_the_budget),
        BOTH(gap_shows_demand),
        BOTH(account_of_segments),
        BOTH(account_within_the_clamp),
        BOTH(window_that_shrinks),
    };
    return run_fixture_tests(tests);
}
