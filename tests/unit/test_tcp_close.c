/* Shows how connections end: four segments, three, both sides at once, half-closed either way, and with nobody who listens any more. */
#include <errno.h>

#include "fixture.h"

/* RFC 9293 figure 12, from A's side. */
static void four_way_by_us(void **state) {
    (void)state;
    established();
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 1, .reason = BK_REASON_SEND_FIN));
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = ACK));
    expect_reason(BK_REASON_ACCEPT_ACK_OF_FIN);
    expect_state(BK_FIN_WAIT_2);
    expect_silence();
    receive(SEG(.flags = FIN | ACK));
    expect_reason(BK_REASON_ACCEPT_FIN);
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2, .reason = BK_REASON_SEND_ACK_FIN));
    expect_state(BK_TIME_WAIT);
    expect_call(call_receive(10), 0);
    expect_error(0);
    mark();
    advance_by(59990);
    expect_state(BK_TIME_WAIT);
    advance_by(20);
    expect_state(BK_CLOSED);
    expect_silence();
    expect_call(call_close(), 0);
}

/* Figure 12, from B's side. */
static void four_way_by_the_peer(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 2));
    expect_state(BK_CLOSE_WAIT);
    expect_ready(BK_READY_READABLE | BK_READY_PEER_CLOSED);
    expect_call(call_receive(10), 0);
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 2));
    expect_state(BK_LAST_ACK);
    receive(SEG(.flags = ACK));
    expect_state(BK_CLOSED);
    assert_int_equal(heard() & BK_READY_CLOSED, BK_READY_CLOSED);
    expect_error(0); /* MUST-12: closed normally, not aborted */
    expect_silence();
}

/* 3.3.2 note 2: the FIN that acknowledges ours leads from FIN-WAIT-1 straight to TIME-WAIT. */
static void three_way(void **state) {
    (void)state;
    fin_wait_1();
    receive(SEG(.flags = FIN | ACK));
    expect_reason(BK_REASON_ACCEPT_FIN_ACK);
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
    expect_state(BK_TIME_WAIT);
}

/* Figure 13. */
static void simultaneous(void **state) {
    (void)state;
    fin_wait_1();
    receive(SEG(.flags = FIN | ACK, .ack = 1));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
    expect_state(BK_CLOSING);
    receive(SEG(.flags = ACK));
    expect_silence();
    expect_state(BK_TIME_WAIT);
    advance_by(60010);
    expect_state(BK_CLOSED);
}

/* We say no more, the peer goes on. */
static void half_close_by_us(void **state) {
    (void)state;
    fin_wait_2();
    for (int i = 0; i < 3; i++) {
        receive(SEG(.flags = ACK | PSH, .len = 1000));
        expect_call(call_receive(5000), 1000);
        advance_by(30000); /* longer than any wait for an orphan */
    }
    while (anything_sent()) {
        next_sent();
        assert_int_equal(fx.last.flags & (FIN | RST), 0);
    }
    assert_int_equal(last_ack(), 3001);
    expect_call(call_send(1), -EPIPE);
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 3002));
    expect_call(call_receive(10), 0);
    expect_state(BK_TIME_WAIT);
}

/* The peer says no more, we go on. */
static void half_close_by_the_peer(void **state) {
    (void)state;
    close_wait();
    for (int i = 0; i < 3; i++) {
        expect_call(call_send(100), 100);
        expect(SEG(.flags = ACK, .seq = 1 + 100 * i, .ack = 2, .len = 100));
        receive(SEG(.flags = ACK));
        advance_by(100000);
        expect_silence();
        expect_state(BK_CLOSE_WAIT);
    }
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 301, .ack = 2));
    receive(SEG(.flags = ACK));
    expect_state(BK_CLOSED);
}

static void fin_follows_the_data(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    size_t n = (size_t)our_mss() + 100;
    expect_call(call_send(n), (int64_t)n);
    expect(SEG(.flags = ACK, .seq = 1, .len = our_mss()));
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 1 + our_mss(), .len = 100, .psh = 1, .reason = BK_REASON_SEND_DATA_LAST));
    expect_silence();
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = ACK, .ack = (int64_t)n + 1)); /* the data, not the FIN */
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = ACK));
    expect_state(BK_FIN_WAIT_2);
}

static void fin_lost(void **state) {
    (void)state;
    fin_wait_1();
    mark();
    advance_by(1100);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .at = 1000, .reason = BK_REASON_SEND_FIN_AGAIN));
    advance_by(2000);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .at = 3000));
    receive(SEG(.flags = ACK));
    expect_state(BK_FIN_WAIT_2);
}

static void last_data_and_fin_lost(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    expect_call(call_shutdown(), 0);
    assert_true(ignore_sent() >= 1);
    mark();
    advance_by(1100);
    expect(SEG(.flags = ACK | MAYBE_FIN, .seq = 1, .len = 10, .at = 1000));
    receive(SEG(.flags = ACK, .ack = 11));
    advance_by(10000);
    next_sent();
    assert_int_equal(fx.last.flags & FIN, FIN);
    assert_int_equal(last_end(), 12);
    receive(SEG(.flags = ACK));
    expect_state(BK_FIN_WAIT_2);
}

/* SHLD-3, RFC 2525 2.17. */
static void close_with_unread_data(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_call(call_close(), 0);
    expect(SEG(.flags = RST | MAYBE_ACK, .seq = 1, .reason = BK_REASON_SEND_RST_UNREAD));
    expect_silence();
    expect_state(BK_CLOSED);
}

static void close_with_unread_data_politely(void **state) {
    (void)state;
    fx.config.reset_on_unread = false;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 11));
    expect_state(BK_FIN_WAIT_1);
}

static void peers_fin_is_not_unread_data(void **state) {
    (void)state;
    close_wait(); /* the end of data was never read */
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 2));
    expect_state(BK_LAST_ACK);
}

static void data_after_close(void **state) {
    (void)state;
    fx.orphan = true;
    fin_wait_2();
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_reason(BK_REASON_ANSWER_RST_LATE_DATA);
    expect(SEG(.flags = RST | MAYBE_ACK, .seq = 2, .reason = BK_REASON_SEND_RST_LATE_DATA));
    expect_silence();
    expect_state(BK_CLOSED);
}

/* An old segment again is no new data, and a keep-alive carries none. */
static void old_data_after_close(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_call(call_receive(100), 10);
    expect_call(call_close(), 0);
    ignore_sent();
    receive(SEG(.flags = ACK));
    expect_state(BK_FIN_WAIT_2);
    receive(SEG(.flags = ACK, .seq = 1, .len = 10));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 11));
    receive(SEG(.flags = ACK, .seq = 10));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 11));
    expect_state(BK_FIN_WAIT_2);
}

static void fin_wait_2_ends_without_owner(void **state) {
    (void)state;
    fx.orphan = true;
    fin_wait_2();
    mark();
    advance_by(19990);
    expect_state(BK_FIN_WAIT_2);
    advance_by(20);
    expect_state(BK_CLOSED);
    expect_silence();
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_FIN_WAIT_2), 1);
}

/* The wait begins when the owner leaves, however long FIN-WAIT-2 has lasted. */
static void fin_wait_2_owner_leaves_late(void **state) {
    (void)state;
    fin_wait_2();
    advance_by(100000);
    expect_state(BK_FIN_WAIT_2);
    expect_call(call_close(), 0);
    advance_by(19990);
    expect_state(BK_FIN_WAIT_2);
    advance_by(20);
    expect_state(BK_CLOSED);
}

/* A close against a window that never opens ends all the same: answered probes do not keep an orphan for ever. */
static void close_against_zero_window(void **state) {
    (void)state;
    established();
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    expect_call(call_send(100), 100);
    expect_call(call_close(), 0);
    expect_silence();
    expect_state(BK_FIN_WAIT_1);
    bool ended = false;
    for (int s = 0; s < 3600 && !ended; s++) {
        advance_by(1000);
        while (anything_sent()) {
            next_sent();
            if (fx.last.flags & RST) {
                ended = true;
            } else {
                receive(SEG(.flags = ACK, .ack = 1));
            }
        }
        struct bk_tcp_info info;
        uint64_t cursor = 0;
        ended |= !bk_tcp_list(fx.stack, &cursor, &info);
    }
    expect_state(BK_CLOSED);
}

static void owner_may_wait_at_zero_window(void **state) {
    (void)state;
    established();
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    expect_call(call_send(100), 100);
    for (int s = 0; s < 3600; s++) { /* MUST-37 */
        advance_by(1000);
        while (anything_sent()) {
            next_sent();
            receive(SEG(.flags = ACK, .ack = 1));
        }
    }
    expect_state(BK_ESTABLISHED);
    fx.flow.wnd = 4096;
    receive(SEG(.flags = ACK, .ack = 1));
    int64_t end = 0;
    while (anything_sent()) { /* no timer is needed for the rest */
        next_sent();
        end = last_end();
        receive(SEG(.flags = ACK, .ack = end));
    }
    assert_int_equal(end, 101);
}

static void fin_against_zero_window(void **state) {
    (void)state;
    established();
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    expect_call(call_shutdown(), 0);
    expect_state(BK_FIN_WAIT_1);
    advance_by(3100); /* at once, or as the probe */
    next_sent();
    assert_int_equal(fx.last.flags & FIN, FIN);
    assert_int_equal(last_seq(), 1);
    ignore_sent();
    receive(SEG(.flags = ACK));
    expect_state(BK_FIN_WAIT_2);
}

static void last_ack_is_given_up(void **state) {
    (void)state;
    fx.orphan = true;
    last_ack_state();
    advance_by(600000);
    ignore_sent();
    expect_state(BK_CLOSED);
}

static void calls_after_close(void **state) {
    (void)state;
    established();
    bk_conn old = fx.flow.conn;
    expect_call(call_close(), 0);
    fx.flow.conn = old;
    expect_call(call_send(1), -EBADF);
    expect_call(call_receive(1), -EBADF);
    expect_call(call_shutdown(), -EBADF);
    expect_call(call_close(), -EBADF);
    expect_call(call_abort(), -EBADF);
    struct bk_ready ready[4];
    receive(SEG(.flags = FIN | ACK));
    assert_int_equal(bk_ready_poll(fx.stack, ready, 4), 0); /* nobody is there to hear */
}

/* What the peer sent before its FIN is there after it, and after our own half-close. */
static void data_is_read_after_the_end(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 700));
    receive(SEG(.flags = FIN | ACK, .len = 300));
    expect_call(call_shutdown(), 0);
    receive(SEG(.flags = ACK));
    ignore_sent();
    expect_state(BK_CLOSED); /* LAST-ACK is over */
    expect_call(call_receive(600), 600);
    expect_call(call_receive(600), 400);
    expect_call(call_receive(600), 0);
    expect_call(call_close(), 0);
    expect_silence();
}

/* A connection that the peer has closed while it waited to be accepted. */
static void closed_before_accept(void **state) {
    (void)state;
    request();
    receive(SEG(.flags = ACK));
    receive(SEG(.flags = FIN | ACK, .len = 5));
    expect(SEG(.flags = ACK, .ack = 7));
    expect_call(call_accept(), 0);
    expect_state(BK_CLOSE_WAIT);
    expect_call(call_receive(10), 5);
    expect_call(call_receive(10), 0);
}

/* A peer that has sent text beyond what then proves to be its FIN: that text is dropped, and its chunks are free again. */
static void text_beyond_the_fin(void **state) {
    (void)state;
    struct bk_pool_info chunks;
    established();
    receive(SEG(.flags = ACK, .seq = 2, .len = 900));
    expect(SEG(.flags = ACK, .ack = 1));
    assert_int_equal(call_status().out_of_order, 900);
    receive(SEG(.flags = FIN | ACK, .seq = 1));
    expect(SEG(.flags = ACK, .ack = 2));
    expect_state(BK_CLOSE_WAIT);
    assert_int_equal(call_status().out_of_order, 0);
    bk_pool_info(fx.stack, BK_POOL_CHUNKS, &chunks);
    assert_int_equal(chunks.in_use, 0);
    expect_call(call_receive(10), 0);
}

/* A FIN that fills a gap, with text kept behind the gap that goes past it: the text counts, and the next FIN is one. */
static void fin_within_the_text(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .seq = 11, .len = 100));
    expect(SEG(.flags = ACK, .ack = 1));
    receive(SEG(.flags = FIN | ACK, .seq = 1, .len = 100));
    expect(SEG(.flags = ACK, .ack = 111));
    expect_state(BK_ESTABLISHED);
    receive(SEG(.flags = FIN | ACK, .seq = 111));
    expect(SEG(.flags = ACK, .ack = 112));
    expect_state(BK_CLOSE_WAIT);
}

static void reset_before_accept(void **state) {
    (void)state;
    request();
    receive(SEG(.flags = ACK));
    receive(SEG(.flags = RST));
    expect_silence();
    int rc = call_accept(); /* either it is gone, or its end is told */
    if (rc == 0) {
        expect_state(BK_LISTEN);
        expect_call(call_receive(10), -ECONNRESET);
    } else {
        assert_int_equal(rc, -EAGAIN);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(four_way_by_us),
        BOTH(four_way_by_the_peer),
        BOTH(three_way),
        BOTH(simultaneous),
        BOTH(half_close_by_us),
        BOTH(half_close_by_the_peer),
        BOTH(fin_follows_the_data),
        BOTH(fin_lost),
        BOTH(last_data_and_fin_lost),
        BOTH(close_with_unread_data),
        BOTH(close_with_unread_data_politely),
        BOTH(peers_fin_is_not_unread_data),
        BOTH(data_after_close),
        BOTH(old_data_after_close),
        BOTH(fin_wait_2_ends_without_owner),
        BOTH(fin_wait_2_owner_leaves_late),
        BOTH(close_against_zero_window),
        BOTH(owner_may_wait_at_zero_window),
        BOTH(fin_against_zero_window),
        BOTH(last_ack_is_given_up),
        BOTH(calls_after_close),
        BOTH(data_is_read_after_the_end),
        BOTH(closed_before_accept),
        BOTH(text_beyond_the_fin),
        BOTH(fin_within_the_text),
        BOTH(reset_before_accept),
    };
    return run_fixture_tests(tests);
}
