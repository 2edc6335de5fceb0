/* Shows window management: what is offered and when, silly windows avoided on both sides, Nagle, delayed ACKs, zero windows. */
#include <errno.h>

#include "fixture.h"

/* ---- what we offer ---- */

static void window_follows_the_data(void **state) {
    (void)state;
    established();
    int64_t edge = 1 + call_status().rcv_wnd;
    for (int i = 0; i < 4; i++) {
        receive(SEG(.flags = ACK, .len = 1000));
        advance_by(200);
        next_sent();
        assert_int_equal(last_ack() + last_window(), edge); /* nothing was read: the right edge stays */
        ignore_sent();
    }
}

/* 3.8.6.2.2: the edge moves by min(RCV.BUFF / 2, MSS) or more, never by crumbs; what counts as MSS is what the peer sends. */
static void no_silly_window_offered(void **state) {
    (void)state;
    fx.config.receive_buffer = 8192;
    established();
    int64_t edge = 1 + call_status().rcv_wnd;
    for (int i = 0; i < 4; i++) receive(SEG(.flags = ACK, .len = 1024));
    advance_by(200);
    ignore_sent();
    int64_t read = 0;
    while (read < 4096) {
        expect_call(call_receive(64), 64);
        read += 64;
        receive(SEG(.flags = ACK, .seq = fx.flow.nxt - 1)); /* makes it tell its window */
        while (anything_sent()) {
            next_sent();
            int64_t now = last_ack() + last_window();
            assert_true(now >= edge); /* SHLD-14: never back */
            assert_true(now == edge || now - edge >= 1024);
            edge = now;
        }
        advance_by(600);
        ignore_sent();
    }
}

static void zero_window_offered_and_opened(void **state) {
    (void)state;
    fx.config.receive_buffer = 4096;
    established();
    for (int i = 0; i < 4; i++) receive(SEG(.flags = ACK, .len = 1024));
    advance_by(200);
    ignore_sent();
    assert_int_equal(call_status().rcv_wnd, 0);
    receive(SEG(.flags = ACK | PSH, .len = 1, .seq = 4097)); /* the peer's probe: 3.8.6.1 */
    expect_reason(BK_REASON_ANSWER_ZERO_WINDOW);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 4097, .wnd = 0));
    fx.flow.nxt = 4097;
    expect_call(call_receive(100), 100);
    expect_silence(); /* not worth a segment */
    expect_call(call_receive(4096), 3996);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 4097, .reason = BK_REASON_SEND_WINDOW_UPDATE));
    assert_int_equal(last_window(), 4096);
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_call(call_receive(100), 10);
}

/* Text is cut at the window (RFC 9293 3.10.7.4), and so is a FIN behind it: when the text up to it has come, it must come again. */
static void no_fin_from_beyond_the_window(void **state) {
    (void)state;
    fx.config.receive_buffer = 4096;
    established();
    for (int i = 0; i < 3; i++) receive(SEG(.flags = ACK, .len = 1024));
    receive(SEG(.flags = ACK | FIN, .seq = 3073, .len = 1124)); /* 100 more than there is room for */
    expect_call(call_receive(4096), 4096);
    advance_by(200);
    ignore_sent();
    receive(SEG(.flags = ACK, .seq = 4097, .len = 100));
    expect_call(call_receive(4096), 100);
    expect_call(call_receive(4096), -EAGAIN); /* no end of data */
    receive(SEG(.flags = ACK | FIN, .seq = 4197));
    expect_call(call_receive(4096), 0);
}

/* A zero window refuses text, not ACKs. */
static void acks_at_zero_window(void **state) {
    (void)state;
    fx.config.receive_buffer = 4096;
    established();
    for (int i = 0; i < 4; i++) receive(SEG(.flags = ACK, .len = 1024));
    expect_call(call_send(500), 500);
    ignore_sent();
    receive(SEG(.flags = ACK));
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.snd_una, info.snd_nxt);
    expect_call(call_send(500), 500);
    ignore_sent();
    receive(SEG(.flags = ACK, .len = 100, .seq = 4097)); /* also when text comes with it */
    info = call_status();
    assert_int_equal(info.snd_una, info.snd_nxt);
    assert_int_equal(info.receive_queued, 4096);
}

static void smaller_buffer_takes_no_window_back(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_QUICKACK, 1), 0);
    int64_t edge = 1 + call_status().rcv_wnd;
    expect_call(call_set(BK_TCP_RECEIVE_BUFFER, 4096), 0);
    for (int i = 0; i < 28; i++) {
        receive(SEG(.flags = ACK, .len = 1000));
        next_sent();
        assert_true(last_ack() + last_window() >= edge); /* SHLD-14 */
        edge = last_ack() + last_window();
        expect_call(call_receive(10000), 1000);
        ignore_sent();
    }
    assert_true(call_status().rcv_wnd <= 4096);
}

/* ---- what we may send ---- */

static void offered_window_is_kept(void **state) {
    (void)state;
    fx.flow.wnd = 2500;
    established();
    expect_call(call_send(10000), 10000);
    int64_t end = 0;
    while (anything_sent()) {
        next_sent();
        end = last_end();
    }
    assert_true(end <= 2501);
    assert_true(end >= 1 + our_mss());
}

/* 3.8.6.2.1: no small segment because the window opens by little; with the override, not for ever. */
static void no_silly_segments_sent(void **state) {
    (void)state;
    fx.flow.wnd = 4096;
    established();
    expect_call(call_send(10000), 10000);
    ignore_sent();
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK)); /* all of it: the window is shut */
    fx.flow.wnd = 100;          /* much less than half of the largest window */
    receive(SEG(.flags = ACK));
    expect_silence();
    mark();
    advance_by(1010);
    next_sent();
    assert_int_equal(fx.last.len, 100);
    assert_in_range((fx.last_time - fx.marked) / MS, 100, 1000);
}

/* Half of the largest window may go, although it is no full segment. */
static void half_of_the_largest_window(void **state) {
    (void)state;
    fx.flow.wnd = 1000;
    established();
    expect_call(call_send(5000), 5000);
    expect(SEG(.flags = ACK, .seq = 1, .len = 1000));
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    fx.flow.wnd = 600;
    receive(SEG(.flags = ACK));
    expect(SEG(.flags = ACK, .seq = 1001, .len = 600));
}

/* MUST-34, SHLD-15, SHLD-16: a peer that takes its window back. */
static void shrunken_window(void **state) {
    (void)state;
    established();
    int64_t mss = our_mss();
    expect_call(call_send((size_t)mss * 2), mss * 2);
    ignore_sent();
    fx.flow.wnd = 1000; /* less than what is out */
    receive(SEG(.flags = ACK, .ack = 1));
    expect_call(call_send(1000), 1000);
    expect_silence();
    mark();
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = 1, .len = SOME, .at = 1000));
    fx.flow.wnd = 4096;
    receive(SEG(.flags = ACK, .ack = 1 + 2 * mss));
    expect(SEG(.flags = ACK, .seq = 1 + 2 * mss, .len = 1000));
}

/* 3.10.7.4 fifth: old segments do not change the window (SND.WL1, SND.WL2). */
static void old_segments_do_not_move_the_window(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 10));
    receive(SEG(.flags = ACK, .len = 10, .wnd = 3000));
    expect_call(call_receive(100), 20);
    assert_int_equal(call_status().snd_wnd, 3000);
    receive(SEG(.flags = ACK, .seq = 11, .len = 10, .wnd = 100)); /* out of order, older: not acceptable at all */
    assert_int_equal(call_status().snd_wnd, 3000);
    receive(SEG(.flags = ACK, .seq = 31, .len = 10, .wnd = 2000)); /* overtakes... */
    receive(SEG(.flags = ACK, .seq = 21, .len = 10, .wnd = 100));  /* ...this one, whose word is older */
    assert_int_equal(call_status().snd_wnd, 2000);
    fx.flow.nxt = 41;
    expect_call(call_send(10), 10);
    ignore_sent();
    receive(SEG(.flags = ACK));
    assert_int_equal(call_status().snd_wnd, 4096);
    receive(SEG(.flags = ACK, .ack = 1, .wnd = 50)); /* SND.WL2 > SEG.ACK */
    assert_int_equal(call_status().snd_wnd, 4096);
}

/* ---- Nagle (3.7.4) ---- */

static void nagle(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .len = 10));
    for (int i = 0; i < 5; i++) expect_call(call_send(10), 10);
    expect_silence();
    receive(SEG(.flags = ACK));
    expect(SEG(.flags = ACK, .seq = 11, .len = 50, .psh = 1));
    expect_call(call_send((size_t)our_mss() + 10), our_mss() + 10);
    expect(SEG(.flags = ACK, .seq = 61, .len = our_mss())); /* full ones go, the rest waits */
    expect_silence();
}

static void no_delay(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    for (int i = 0; i < 5; i++) {
        expect_call(call_send(10), 10);
        expect(SEG(.flags = ACK, .seq = 1 + 10 * i, .len = 10, .psh = 1));
    }
}

/* Switched on with data held back: it leaves. */
static void no_delay_releases(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .len = 10));
    expect_silence();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    expect(SEG(.flags = ACK, .seq = 11, .len = 10));
}

static void more_to_come(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    expect_call(call_send_flags(10, BK_SEND_MORE), 10);
    expect_silence();
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .len = 20));
    receive(SEG(.flags = ACK));
    expect_call(call_send_flags(10, BK_SEND_MORE), 10); /* MUST-60: not held for ever */
    advance_by(2000);
    ignore_sent();
    assert_int_equal(fx.flow.seen, 31);
}

/* ---- ACKs (3.8.6.3) ---- */

static void delayed(void **state) {
    (void)state;
    established();
    for (int i = 0; i < 3; i++) { /* whatever quick start there is, is over */
        receive(SEG(.flags = ACK, .len = 10));
        advance_by(1000);
    }
    ignore_sent();
    mark();
    receive(SEG(.flags = ACK, .len = 10));
    expect_silence();
    advance_by(499);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 41, .at = 100, .reason = BK_REASON_SEND_ACK_DELAYED));
    expect_silence();
}

static void every_second_full_segment(void **state) {
    (void)state;
    established();
    for (int i = 0; i < 4; i++) {
        receive(SEG(.flags = ACK, .len = our_mss()));
        receive(SEG(.flags = ACK, .len = our_mss()));
        size_t n = 0;
        while (anything_sent()) {
            next_sent();
            n++;
        }
        assert_in_range(n, 1, 2);
        assert_int_equal(last_ack(), 1 + 2 * (i + 1) * our_mss());
        expect_call(call_receive(10000), 2 * our_mss());
        ignore_sent();
    }
}

static void quick_ack(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_QUICKACK, 1), 0);
    for (int i = 0; i < 5; i++) {
        receive(SEG(.flags = ACK, .len = 10));
        expect(SEG(.flags = ACK, .ack = 11 + 10 * i));
    }
}

static void ack_rides_on_data(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 10));
    expect_call(call_send(10), 10);
    next_sent();
    if (fx.last.len == 0) next_sent(); /* a quick ACK at the start */
    assert_int_equal(last_ack(), 11);
    assert_int_equal(fx.last.len, 10);
    receive(SEG(.flags = ACK));
    advance_by(500);
    expect_silence(); /* no other is owed */
}

/* ---- zero window (3.8.6.1) ---- */

static void probes_back_off(void **state) {
    (void)state;
    fx.config.rto_max_ms = 10000;
    established();
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send(100), 100);
    expect_silence();
    mark();
    static const int64_t at[] = {1000, 3000, 7000, 15000, 25000, 35000};
    for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
        advance_to(fx.marked + (uint64_t)(at[i] + 10) * MS);
        expect(SEG(.flags = ACK, .seq = 1, .len = SOME, .at = at[i], .reason = BK_REASON_SEND_WINDOW_PROBE));
        expect_silence();
        receive(SEG(.flags = ACK, .ack = 1, .wnd = 0));
    }
    expect_state(BK_ESTABLISHED);
}

/* A probe's octet may be taken: then it counts. */
static void probe_accepted(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send(100), 100);
    advance_by(1010);
    expect(SEG(.flags = ACK, .seq = 1, .len = SOME));
    int64_t end = last_end();
    receive(SEG(.flags = ACK, .ack = end, .wnd = 4096));
    expect(SEG(.flags = ACK, .seq = end, .len = 101 - end));
}

static void window_opens_by_itself(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send(100), 100);
    receive(SEG(.flags = ACK, .wnd = 4096));
    expect_reason(BK_REASON_ACCEPT_WINDOW_UPDATE);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100));
    receive(SEG(.flags = ACK));
    advance_by(100000);
    expect_silence();
}

/* A peer that does not even answer probes is gone. */
static void probes_unanswered(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send(100), 100);
    advance_by(600000);
    ignore_sent();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
}

/* A segment with data is lost, a pure ACK after it arrives; the retransmission acknowledges more and shuts the window. What it says counts,
 * although its SEG.SEQ is older: found by simulation, where the sender went beyond the window that it was offered. */
static void retransmission_moves_the_window(void **state) {
    (void)state;
    established();
    expect_call(call_send(1000), 1000);
    expect(SEG(.flags = ACK, .seq = 1, .len = 1000));
    receive(SEG(.flags = ACK, .seq = 101, .ack = 1, .wnd = 1000)); /* of 1 to 100 nothing is known yet */
    ignore_sent();
    receive(SEG(.flags = ACK, .seq = 1, .len = 100, .ack = 1001, .wnd = 0));
    assert_int_equal(call_status().snd_una, fx.flow.iss + 1001);
    assert_int_equal(call_status().snd_wnd, 0);
    expect_call(call_send(1000), 1000);
    advance_by(50);
    while (anything_sent()) {
        next_sent();
        assert_int_equal(fx.last.len, 0);
    }
}

/* The window shuts while data is out: what is lost is still repaired. */
static void window_shuts_with_data_out(void **state) {
    (void)state;
    established();
    expect_call(call_send(1000), 1000);
    expect(SEG(.flags = ACK, .seq = 1, .len = 1000));
    receive(SEG(.flags = ACK, .ack = 1, .wnd = 0)); /* MUST-35 */
    mark();
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = 1, .len = SOME, .at = 1000));
}

/* A peer whose window is too small to say so with its scale takes one octet with each probe: that is progress, and no reason to give it up,
 * however often it happens (RFC 9293 3.8.6.1, MUST-37). */
static void probes_that_are_taken(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send(100), 100);
    for (int i = 0; i < 3 * (int)fx.config.retries2; i++) {
        for (int s = 0; s < 10 && !anything_sent(); s++) advance_by(1000);
        expect(SEG(.flags = ACK, .seq = 1 + i, .len = 1, .reason = BK_REASON_SEND_WINDOW_PROBE));
        receive(SEG(.flags = ACK, .wnd = 0));
    }
    expect_state(BK_ESTABLISHED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(probes_that_are_taken),
        BOTH(window_follows_the_data),
        BOTH(no_silly_window_offered),
        BOTH(zero_window_offered_and_opened),
        BOTH(no_fin_from_beyond_the_window),
        BOTH(acks_at_zero_window),
        BOTH(smaller_buffer_takes_no_window_back),
        BOTH(offered_window_is_kept),
        BOTH(no_silly_segments_sent),
        BOTH(half_of_the_largest_window),
        BOTH(shrunken_window),
        BOTH(old_segments_do_not_move_the_window),
        BOTH(nagle),
        BOTH(no_delay),
        BOTH(no_delay_releases),
        BOTH(more_to_come),
        BOTH(delayed),
        BOTH(every_second_full_segment),
        BOTH(quick_ack),
        BOTH(ack_rides_on_data),
        BOTH(probes_back_off),
        BOTH(probe_accepted),
        BOTH(window_opens_by_itself),
        BOTH(probes_unanswered),
        BOTH(window_shuts_with_data_out),
        BOTH(retransmission_moves_the_window),
    };
    return run_fixture_tests(tests);
}
