/* Shows what is offered, agreed and honoured in TCP's options: MSS, window scale, timestamps with PAWS; and what odd ones do. */
#include <errno.h>

#include "fixture.h"

/* The largest segment that leaves. */
static int64_t largest_segment(void) {
    expect_call(call_send(8000), 8000);
    int64_t largest = 0;
    while (anything_sent()) {
        next_sent();
        if (fx.last.len > largest) largest = fx.last.len;
    }
    return largest;
}

/* ---- MSS (3.7.1) ---- */

static void mss_absent(void **state) {
    (void)state;
    fx.flow.mss = -1;
    established();
    assert_int_equal(largest_segment(), fx.family == 4 ? 536 : 1220); /* MUST-15 */
}

static void mss_absent_passive(void **state) {
    (void)state;
    fx.passive = true;
    fx.flow.mss = -1;
    established();
    assert_int_equal(largest_segment(), fx.family == 4 ? 536 : 1220);
}

static void mss_small(void **state) {
    (void)state;
    fx.flow.mss = 300;
    established();
    assert_int_equal(largest_segment(), 300);
}

/* MUST-16: the smaller of what the peer takes and what the way carries. */
static void mss_large(void **state) {
    (void)state;
    fx.flow.mss = 9000;
    established();
    assert_int_equal(largest_segment(), our_mss());
}

/* An MSS of 0 or 1 has broken stacks: something useful is sent nevertheless, or nothing breaks. */
static void mss_absurd(void **state) {
    (void)state;
    fx.flow.mss = 0;
    established();
    int64_t largest = largest_segment();
    assert_in_range(largest, 1, our_mss());
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
}

static void mss_offer_follows_the_mtu(void **state) {
    (void)state;
    fx.iface_config.mtu = 4000;
    fx.config.chunk_size = 4096;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .mss = fx.family == 4 ? 3960 : 3940));
}

/* The options on every segment make room for themselves. */
static void mss_less_timestamps(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    assert_int_equal(largest_segment(), our_mss() - 12);
}

static void mss_on_a_later_segment(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .mss = 100));
    assert_int_equal(largest_segment(), our_mss());
}

/* ---- window scale (RFC 7323 2) ---- */

static void scaling(void **state) {
    (void)state;
    fx.config.receive_buffer = 300000;
    fx.config.chunks = 512;
    fx.config.buffer_chunks = 400;
    fx.flow.wscale = 3;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN));
    assert_true(fx.last.wscale >= 3); /* 300,000 needs it */
    assert_true(fx.last.wnd <= 65535);
    receive(SEG(.flags = SYN | ACK, .wnd = 1000));
    expect(SEG(.flags = ACK));
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.send_scale, 3);
    assert_int_equal(info.snd_wnd, 1000); /* the SYN's window is never scaled */
    receive(SEG(.flags = ACK, .wnd = 1000));
    assert_int_equal(call_status().snd_wnd, 8000);
    int64_t most = 0;
    for (int i = 0; i < 40; i++) {
        receive(SEG(.flags = ACK, .len = our_mss()));
        ignore_sent();
        expect_call(call_receive(10000), our_mss());
        if (last_window() > most) most = last_window();
        advance_by(200);
        while (anything_sent()) {
            next_sent();
            if (last_window() > most) most = last_window();
        }
    }
    assert_true(most > 65535);
    assert_true(most <= 300000 + (1 << fx.flow.stack_scale));
}

static void scale_not_offered_by_the_peer(void **state) {
    (void)state;
    fx.config.receive_buffer = 300000;
    established(); /* our SYN offered it, the SYN-ACK does not */
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.send_scale, 0);
    assert_int_equal(info.receive_scale, 0);
    assert_true(info.rcv_wnd <= 65535);
}

/* A SYN-ACK offers only what the SYN offered. */
static void scale_not_offered_to_a_peer_without(void **state) {
    (void)state;
    fx.config.receive_buffer = 300000;
    listening();
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .wscale = ABSENT, .tsval = ABSENT));
    new_incarnation(1);
    fx.flow.remote_port++;
    receive(SEG(.flags = SYN, .wscale = 0));
    expect(SEG(.flags = SYN | ACK, .tsval = ABSENT));
    assert_true(fx.last.wscale >= 0);
}

/* 2.3: a shift above 14 counts as 14. */
static void scale_above_14(void **state) {
    (void)state;
    fx.flow.wscale = 200;
    established();
    assert_int_equal(call_status().send_scale, 14);
    receive(SEG(.flags = ACK, .wnd = 65535));
    assert_int_equal(call_status().snd_wnd, 65535u << 14);
    fx.flow = flow_like(&fx.flow, 40001, 0);
    fx.flow.wscale = 15;
    established();
    assert_int_equal(call_status().send_scale, 14);
}

static void scaling_off(void **state) {
    (void)state;
    fx.config.window_scaling = false;
    fx.config.receive_buffer = 300000;
    fx.flow.wscale = 5;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .wscale = ABSENT));
    receive(SEG(.flags = SYN | ACK)); /* offers it all the same: not to be used */
    expect(SEG(.flags = ACK));
    assert_int_equal(call_status().send_scale, 0);
    receive(SEG(.flags = ACK, .wnd = 1000));
    assert_int_equal(call_status().snd_wnd, 1000);
}

/* ---- timestamps (RFC 7323 3) ---- */

static void timestamps(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .tsecr = 0));
    assert_true(fx.last.ts);
    uint32_t first = fx.last.tsval;
    receive(SEG(.flags = SYN | ACK, .tsval = 777));
    expect(SEG(.flags = ACK, .tsecr = 777));
    advance_by(1000);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .len = 10, .tsecr = 777));
    assert_in_range(fx.last.tsval - first, 1, 1000); /* a tick is 1 ms to 1 s */
    receive(SEG(.flags = FIN | ACK, .tsval = 900));
    expect(SEG(.flags = ACK, .tsecr = 900));
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK));
    assert_true(fx.last.ts); /* on every segment */
}

static void timestamps_passive(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    listening();
    receive(SEG(.flags = SYN, .tsval = 4444));
    expect(SEG(.flags = SYN | ACK, .tsecr = 4444));
    receive(SEG(.flags = ACK, .tsval = 4450));
    expect_call(call_accept(), 0);
    assert_true(call_status().timestamps);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .len = 10, .tsecr = 4450));
}

static void timestamps_not_agreed(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .len = 10, .tsval = ABSENT));
    receive(SEG(.flags = ACK, .len = 10, .tsval = 5)); /* uncalled for: ignored */
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = ACK, .len = 10, .tsval = 1));
    expect_call(call_receive(100), 10);
}

static void timestamps_off(void **state) {
    (void)state;
    fx.config.timestamps = false;
    fx.flow.timestamps = true;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .tsval = ABSENT));
    fx.flow = flow_like(&fx.flow, 0, 0);
    listening();
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .tsval = ABSENT));
}

/* 3.2: once agreed, a segment without (but for RST) is dropped, and no connection suffers. */
static void timestamps_missing(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    receive(SEG(.flags = ACK, .seq = 1, .len = 10, .tsval = ABSENT));
    expect_if(SEG(.flags = ACK, .ack = 1));
    expect_call(call_receive(100), -EAGAIN);
    fx.flow.nxt = 1;
    receive(SEG(.flags = ACK, .len = 10));
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = RST, .tsval = ABSENT));
    expect_state(BK_CLOSED);
}

/* 4.3: with a delayed ACK the echo is of the oldest segment that it answers; a segment after a gap does not count. */
static void which_timestamp_is_echoed(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    uint32_t base = fx.flow.ts_base + 5000;
    for (int i = 0; i < 3; i++) { /* past any quick start */
        receive(SEG(.flags = ACK, .len = 10, .tsval = base + (uint32_t)i));
        advance_by(600);
    }
    ignore_sent();
    receive(SEG(.flags = ACK, .len = 10, .tsval = base + 10));
    receive(SEG(.flags = ACK, .len = 10, .tsval = base + 20));
    advance_by(200);
    expect(SEG(.flags = ACK, .ack = 51, .tsecr = base + 10));
    receive(SEG(.flags = ACK, .seq = 61, .len = 10, .tsval = base + 30)); /* after a gap */
    expect(SEG(.flags = ACK, .ack = 51, .tsecr = base + 10)); /* 4.3: of the last segment that advanced the window */
    receive(SEG(.flags = ACK, .seq = 51, .len = 10, .tsval = base + 40)); /* fills it */
    expect(SEG(.flags = ACK, .ack = 71, .tsecr = base + 40));
}

/* 5.3 R1. */
static void paws(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    uint32_t base = fx.flow.ts_base + 5000;
    receive(SEG(.flags = ACK, .len = 10, .tsval = base));
    expect_call(call_receive(100), 10);
    advance_by(600);
    ignore_sent();
    receive(SEG(.flags = ACK, .len = 10, .seq = 11, .tsval = base - 1));
    expect_reason(BK_REASON_ANSWER_PAWS);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 11, .tsecr = base, .reason = BK_REASON_SEND_CHALLENGE_PAWS));
    expect_call(call_receive(100), -EAGAIN);
    fx.flow.nxt = 11;
    receive(SEG(.flags = ACK, .len = 10, .tsval = base)); /* equal is not older */
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = RST, .tsval = base - 1000)); /* 5.2: a RST is not subject to PAWS */
    expect_state(BK_CLOSED);
}

/* 5.5: after 24 days of silence TS.Recent is no judge any more. */
static void paws_after_long_silence(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    uint32_t last = fx.flow.ts_base + (uint32_t)(fx.now / MS);
    advance_by(UINT64_C(25) * 24 * 3600 * 1000);
    receive(SEG(.flags = ACK, .len = 10, .tsval = last - 100000)); /* the peer's clock has gone round */
    expect_call(call_receive(100), 10);
}

/* The clock wraps, and nobody minds. */
static void timestamp_wraps(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    fx.flow.ts_base = 0xfffffff0u - (uint32_t)(fx.now / MS);
    established();
    for (int i = 0; i < 5; i++) {
        advance_by(8);
        receive(SEG(.flags = ACK, .len = 10));
        expect_call(call_receive(100), 10);
    }
}

/* ---- odd options ---- */

#define WITH_OPTIONS(...)                                                                                              \
    .options = (const uint8_t[]){__VA_ARGS__}, .options_length = sizeof((const uint8_t[]){__VA_ARGS__})

/* MUST-6: an unknown option is skipped; MUST-7: illegal lengths crash nobody. */
static void odd_options(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 10, WITH_OPTIONS(253, 6, 1, 2, 3, 4, 1, 1)));
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = ACK, .len = 10, WITH_OPTIONS(0, 9, 9, 9))); /* nothing counts after the end */
    expect_call(call_receive(100), 10);
    int64_t nxt = fx.flow.nxt;
    receive(SEG(.flags = ACK, .len = 10, WITH_OPTIONS(253, 0, 1, 1)));
    receive(SEG(.flags = ACK, .seq = nxt, .len = 10, WITH_OPTIONS(253, 1, 1, 1)));
    receive(SEG(.flags = ACK, .seq = nxt, .len = 10, WITH_OPTIONS(1, 1, 253, 9)));
    receive(SEG(.flags = ACK, .seq = nxt, .len = 10, WITH_OPTIONS(1, 1, 1, 253)));
    expect_state(BK_ESTABLISHED);
    fx.flow.nxt = nxt;
    advance_by(600);
    ignore_sent();
    ptrdiff_t n = call_receive(100);
    if (n == -EAGAIN) { /* refused as a whole, or read as far as it went */
        receive(SEG(.flags = ACK, .len = 10));
        n = call_receive(100);
    }
    assert_int_equal(n, 10);
}

/* MUST-64: options need not be aligned, come in any order. */
static void options_in_odd_order(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN, WITH_OPTIONS(3, 3, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 2, 4, 2, 0x58, 1, 1, 1)));
    next_sent();
    assert_int_equal(fx.last.flags & (SYN | ACK), SYN | ACK);
    assert_true(fx.last.ts);
    assert_int_equal(fx.last.tsecr, 9);
    assert_true(fx.last.wscale >= 0);
    fx.flow.ts_on = true;
    receive(SEG(.flags = ACK, .tsval = 10));
    expect_call(call_accept(), 0);
    assert_int_equal(call_status().send_scale, 2);
    assert_int_equal(largest_segment(), 600 - 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(mss_absent),
        BOTH(mss_absent_passive),
        BOTH(mss_small),
        BOTH(mss_large),
        BOTH(mss_absurd),
        BOTH(mss_offer_follows_the_mtu),
        BOTH(mss_less_timestamps),
        BOTH(mss_on_a_later_segment),
        BOTH(scaling),
        BOTH(scale_not_offered_by_the_peer),
        BOTH(scale_not_offered_to_a_peer_without),
        BOTH(scale_above_14),
        BOTH(scaling_off),
        BOTH(timestamps),
        BOTH(timestamps_passive),
        BOTH(timestamps_not_agreed),
        BOTH(timestamps_off),
        BOTH(timestamps_missing),
        BOTH(which_timestamp_is_echoed),
        BOTH(paws),
        BOTH(paws_after_long_silence),
        BOTH(timestamp_wraps),
        BOTH(odd_options),
        BOTH(options_in_odd_order),
    };
    return run_fixture_tests(tests);
}
