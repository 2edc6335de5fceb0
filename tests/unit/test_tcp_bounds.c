/* Shows that no peer and no user can make a connection hold more than it may, last longer than it may, or wait without a timer. */
#include <errno.h>

#include "fixture.h"

static uint64_t counted(uint16_t reason) {
    return bk_reason_count(fx.stack, reason);
}

/* RFC 9293 3.8.6: the receive buffer is a bound, also when the window field is coarser than the segments. */
static void window_closes_whatever_the_scale(void **state) {
    (void)state;
    fx.config.receive_buffer = 131072; /* scale 2: a granule of 4 bytes */
    fx.flow.wscale = 7;
    established();
    for (int i = 0; i < 50000; i++) {
        if (call_status().rcv_wnd == 0) break;
        receive(SEG(.flags = ACK, .len = 3));
        ignore_sent();
    }
    assert_true(call_status().receive_queued <= 131072 + 4);
    receive(SEG(.flags = ACK, .len = 100, .seq = 1 + (int64_t)call_status().receive_queued));
    assert_true(call_status().receive_queued <= 131072 + 4);
}

/* What waits behind a gap may take three quarters of the budget, six chunks of eight, and gives way to what fills the gap: its first chunk is one of the last two
 * (half of what is left, as much as it leaves), its second needs one to be given up for that, its third two more, for it is beyond the last quarter. */
static void gap_filler_finds_room(void **state) {
    (void)state;
    fx.config.buffer_chunks = 8;
    established();
    for (int i = 0; i < 6; i++) {
        receive(SEG(.flags = ACK, .seq = 6001 + 2 * i, .len = 1));
        expect_reason(BK_REASON_ACCEPT_DATA_OUT_OF_ORDER);
    }
    receive(SEG(.flags = ACK, .seq = 6101, .len = 1));
    expect_reason(BK_REASON_DROP_OUT_OF_ORDER_LIMIT);
    for (int i = 0; i < 3; i++) {
        receive(SEG(.flags = ACK, .seq = 1 + 1400 * i, .len = 1400));
        expect_reason(BK_REASON_ACCEPT_DATA);
    }
    assert_int_equal(counted(BK_REASON_NOTE_OUT_OF_ORDER_PRUNED), 3);
    assert_int_equal(call_status().out_of_order, 3); /* the nearest */
    expect_call(call_receive(10000), 4200);
}

/* A FIN that was noted ahead of its turn was none if text goes past it; the real one counts. */
static void fin_that_text_passes_is_none(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = FIN | ACK, .seq = 101));
    receive(SEG(.flags = ACK, .seq = 1, .len = 200));
    expect_state(BK_ESTABLISHED);
    receive(SEG(.flags = FIN | ACK, .seq = 201));
    expect_reason(BK_REASON_ACCEPT_FIN);
    expect_state(BK_CLOSE_WAIT);
}

/* A peer that acknowledges a byte now and then does not keep a connection whose user is gone. */
static void orphan_ends(void **state) {
    (void)state;
    fx.config.orphan_ms = 5000;
    established();
    expect_call(call_send(3000), 3000);
    expect_call(call_close(), 0);
    for (int i = 1; i <= 4; i++) {
        advance_by(1000);
        receive(SEG(.flags = ACK, .ack = 1 + i));
        expect_state(BK_FIN_WAIT_1);
    }
    advance_by(1500);
    expect_state(BK_CLOSED);
    assert_int_equal(counted(BK_REASON_SEND_RST_TIMEOUT), 1);
}

/* Only so many connections may be left without their users: the next CLOSE resets, and one that ends makes room. */
static void orphans_are_bounded(void **state) {
    (void)state;
    fx.config.orphans_max = 1;
    established();
    struct flow first = fx.flow;
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK));
    first = fx.flow;
    for (int i = 0; i < 2; i++) {
        fx.flow = flow_like(&first, 0, (uint16_t)(first.remote_port + 1 + i));
        fx.flow.held = false;
        expect_call(call_connect(), 0);
        expect(SEG(.flags = SYN));
        receive(SEG(.flags = SYN | ACK));
        expect(SEG(.flags = ACK));
        expect_state(BK_ESTABLISHED);
        expect_call(call_close(), 0);
        expect(SEG(.flags = RST | ACK, .reason = BK_REASON_SEND_RST_ORPHANS));
        expect_state(BK_CLOSED);
    }
    assert_int_equal(counted(BK_REASON_NOTE_ORPHAN_LIMIT), 2);
    fx.flow = first; /* the first one goes on, to its end */
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = FIN | ACK));
    expect_state(BK_TIME_WAIT);
    ignore_sent();
    fx.flow = flow_like(&first, 0, (uint16_t)(first.remote_port + 3));
    expect_call(call_connect(), 0);
    next_sent();
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK));
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK));
    expect_state(BK_FIN_WAIT_1);
}

/* None at all: CLOSE is ABORT. Whoever closes its sending side only is no orphan. */
static void no_orphans(void **state) {
    (void)state;
    fx.config.orphans_max = 0;
    established();
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK));
    expect_state(BK_FIN_WAIT_1);
    expect_call(call_close(), 0);
    expect(SEG(.flags = RST | ACK, .seq = 2, .reason = BK_REASON_SEND_RST_ORPHANS));
    expect_state(BK_CLOSED);
}

/* RFC 9293 3.8.6 SHLD-17, MUST-35: a window taken back to zero with data outstanding is probed as long as the peer answers;
 * R2 is for silence. */
static void window_taken_back(void **state) {
    (void)state;
    fx.config.retries2 = 3;
    established();
    expect_call(call_send(100), 100);
    next_sent();
    for (int i = 0; i < 10; i++) {
        receive(SEG(.flags = ACK, .ack = 1, .wnd = 0));
        advance_to(call_status().timer_due);
        expect(SEG(.flags = ACK, .seq = 1, .len = 100, .reason = BK_REASON_SEND_RTO));
        expect_state(BK_ESTABLISHED);
    }
    advance_by(10 * (uint64_t)fx.config.rto_max_ms);
    expect_state(BK_CLOSED);
}

/* RFC 5961 10: keep-alives without an octet look like their own answer; two confused ends do not answer each other for ever. */
static void bare_keepalives_are_limited(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .seq = fx.flow.nxt - 1));
    expect_reason(BK_REASON_ACCEPT_KEEPALIVE);
    expect(SEG(.flags = ACK));
    receive(SEG(.flags = ACK, .seq = fx.flow.nxt - 1));
    expect_reason(BK_REASON_DROP_CHALLENGE_LIMIT);
    expect_silence();
}

/* RFC 9293 3.8.4: only the peer's own segments say that it is there. */
static void strangers_keep_nothing_alive(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_KEEPALIVE_IDLE_S, 10), 0);
    expect_call(call_set(BK_TCP_KEEPALIVE, 1), 0);
    advance_by(9000);
    receive(SEG(.flags = ACK, .seq = 1000000000));
    ignore_sent();
    advance_by(1500);
    expect(SEG(.flags = ACK, .reason = BK_REASON_SEND_KEEPALIVE));
}

/* Nor do those that guessed a number in the window: what is challenged or has no ACK is not the peer's. */
static void guesses_keep_nothing_alive(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_KEEPALIVE_IDLE_S, 10), 0);
    expect_call(call_set(BK_TCP_KEEPALIVE, 1), 0);
    advance_by(6000);
    receive(SEG(.flags = SYN, .seq = 1));
    advance_by(1000);
    receive(SEG(.flags = RST, .seq = 2));
    advance_by(1000);
    receive(SEG(.flags = ACK, .ack = 1000));
    advance_by(1000);
    receive(SEG(.flags = PSH, .len = 10));
    ignore_sent();
    advance_by(1000);
    expect(SEG(.flags = ACK, .reason = BK_REASON_SEND_KEEPALIVE));
}

/* A link that takes one unit and then no more does not stop the clocks. */
static void timers_run_behind_a_full_link(void **state) {
    (void)state;
    established();
    static const uint8_t data[5000];
    struct bk_tx unit;
    assert_int_equal(bk_tcp_send(fx.stack, fx.flow.conn, data, sizeof data, 0, fx.now), sizeof data);
    assert_int_equal(bk_output(fx.stack, fx.iface, &unit, 1, fx.now), 1);
    bk_output_done(fx.stack, &unit.id, 1);
    assert_true(bk_output_pending(fx.stack, fx.iface));
    uint64_t due = bk_next_deadline(fx.stack);
    assert_true(due > fx.now && due <= fx.now + fx.config.rto_initial_ms * MS);
}

/* What can never be queued is refused, not put off. */
static void parts_that_never_fit(void **state) {
    (void)state;
    fx.config.send_buffer = 1000;
    established();
    uint32_t chunk;
    assert_int_equal(bk_chunk_alloc(fx.stack, &chunk, 1), 1);
    struct bk_part part = {chunk, 0, 1001};
    assert_int_equal(bk_tcp_send_parts(fx.stack, fx.flow.conn, &part, 1, 0, fx.now), -EMSGSIZE);
    part.length = 1000;
    assert_int_equal(bk_tcp_send_parts(fx.stack, fx.flow.conn, &part, 1, 0, fx.now), 0);
}

/* Who is about to sleep asks whether there is news. */
static void news_is_pending(void **state) {
    (void)state;
    established();
    struct bk_ready event[8];
    while (bk_ready_poll(fx.stack, event, 8) != 0) {
    }
    assert_false(bk_ready_pending(fx.stack));
    receive(SEG(.flags = ACK, .len = 10));
    assert_true(bk_ready_pending(fx.stack));
    assert_int_equal(bk_ready_poll(fx.stack, event, 8), 1);
    assert_false(bk_ready_pending(fx.stack));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(window_closes_whatever_the_scale),
        BOTH(gap_filler_finds_room),
        BOTH(fin_that_text_passes_is_none),
        BOTH(orphan_ends),
        BOTH(orphans_are_bounded),
        BOTH(no_orphans),
        BOTH(window_taken_back),
        BOTH(bare_keepalives_are_limited),
        BOTH(strangers_keep_nothing_alive),
        BOTH(guesses_keep_nothing_alive),
        BOTH(timers_run_behind_a_full_link),
        BOTH(parts_that_never_fit),
        BOTH(news_is_pending),
    };
    return run_fixture_tests(tests);
}
