/* Shows when text is acknowledged: quickly at the beginning, delayed by the pace at which text comes, with answers, and several segments
 * behind a gap in one. */
#include "fixture.h"

/* Text of n octets comes; its ACK leaves after `ms` (0: at once). */
static void text_acked_after(int64_t n, int64_t ms) {
    int64_t end = fx.flow.nxt + n;
    mark();
    receive(SEG(.flags = ACK, .len = n));
    if (ms != 0) {
        expect_silence();
        advance_by(500);
    }
    expect(SEG(.flags = ACK, .ack = end, .at = ms));
    expect_silence();
    while (call_receive(10000) > 0) continue;
    ignore_sent();
}

static void quickly(uint32_t quick, uint32_t least, uint32_t most) {
    fx.config.timestamps = false;
    fx.config.quick_acks = quick;
    fx.config.delayed_ack_ms = least;
    fx.config.delayed_ack_max_ms = most;
    fx.config.rto_min_ms = 1000;
    fx.config.receive_buffer = 60000;
    established();
}

/* The first ACKs go at once, each for a single small segment; from then on they are delayed. */
static void quick_at_first(void **state) {
    (void)state;
    quickly(5, 40, 0);
    for (int i = 0; i < 5; i++) text_acked_after(100, 0);
    text_acked_after(100, 40);
}

/* A window of 4,096 octets holds less than eight segments of 536: half as many quick ACKs are enough for it. */
static void no_more_than_the_window_holds(void **state) {
    (void)state;
    fx.config.receive_buffer = 4096;
    fx.config.timestamps = false;
    fx.config.quick_acks = 16;
    fx.config.delayed_ack_ms = 40;
    established();
    for (int i = 0; i < 3; i++) /* 4,096 / (2 x 536) */
        text_acked_after(10, 0);
    text_acked_after(10, 40);
}

/* After a pause longer than the RTO they come again. */
static void quick_after_a_pause(void **state) {
    (void)state;
    quickly(2, 40, 0);
    text_acked_after(100, 0);
    text_acked_after(100, 0);
    text_acked_after(100, 40);
    advance_by(3000);
    text_acked_after(100, 0);
    text_acked_after(100, 0);
    text_acked_after(100, 40);
}

/* And after a loss, when the gap is filled: the peer's window is small, and an ACK that waits would hold it up. */
static void quick_after_a_gap(void **state) {
    (void)state;
    quickly(2, 40, 0);
    text_acked_after(100, 0);
    text_acked_after(100, 0);
    text_acked_after(100, 40);
    receive(SEG(.flags = ACK, .seq = 401, .len = 100));
    receive(SEG(.flags = ACK, .seq = 301, .len = 100));
    expect(SEG(.flags = ACK, .ack = 301, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER));
    expect(SEG(.flags = ACK, .ack = 501, .reason = BK_REASON_SEND_ACK_GAP_FILLED));
    while (call_receive(10000) > 0) continue;
    fx.flow.nxt = 501;
    text_acked_after(100, 0); /* the gap's own ACK was the first of two */
    text_acked_after(100, 40);
}

/* A user who answers at once: the ACK rides on the answer, and quick ACKs are over. */
static void answers_carry_it(void **state) {
    (void)state;
    quickly(10, 40, 0);
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    text_acked_after(100, 0);
    expect_call(call_send(50), 50);
    expect(SEG(.flags = ACK, .len = 50));
    receive(SEG(.flags = ACK));
    for (int i = 0; i < 3; i++) {
        receive(SEG(.flags = ACK, .len = 100));
        expect_silence();
        advance_by(10);
        expect_call(call_send(50), 50);
        expect(SEG(.flags = ACK, .len = 50, .ack = fx.flow.nxt, .reason = BK_REASON_SEND_DATA));
        receive(SEG(.flags = ACK));
    }
    /* No answer once: what comes next is acknowledged quickly again. */
    text_acked_after(100, 40);
    text_acked_after(100, 0);
}

/* What the peer pushed is acknowledged when all of it is read: nothing more may come before the ACK does. */
static void pushed_and_read(void **state) {
    (void)state;
    quickly(1, 40, 0);
    text_acked_after(100, 0); /* the quick one */
    receive(SEG(.flags = ACK, .len = 100));
    expect_call(call_receive(1000), 100);
    expect_silence(); /* it was not pushed */
    advance_by(40);
    expect(SEG(.flags = ACK, .reason = BK_REASON_SEND_ACK_DELAYED));
    receive(SEG(.flags = ACK | PSH, .len = 100));
    expect_call(call_receive(99), 99);
    expect_silence();
    expect_call(call_receive(1), 1);
    expect(SEG(.flags = ACK, .reason = BK_REASON_SEND_ACK_PUSHED));
    /* The ACK covers it: what comes then is not pushed. */
    receive(SEG(.flags = ACK, .len = 100));
    expect_call(call_receive(1000), 100);
    expect_silence();
    advance_by(40);
    ignore_sent();
    /* A user who answers: the ACK waits for the answer. */
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    receive(SEG(.flags = ACK, .len = 100));
    expect_call(call_send(50), 50);
    expect(SEG(.flags = ACK, .len = 50));
    receive(SEG(.flags = ACK | PSH, .len = 100));
    expect_call(call_receive(1000), 200);
    expect_silence();
}

static void pushed_without_quick_acks(void **state) {
    (void)state;
    quickly(0, 40, 0);
    receive(SEG(.flags = ACK | PSH, .len = 100));
    expect_call(call_receive(1000), 100);
    expect_silence();
}

/* The delay grows where no ACK finds company, up to its bound; and text that comes fast brings it down (40, 80, 160, 200, then halves). With an RTT
 * that is unknown to be short. */
static void delay_follows_the_pace(void **state) {
    (void)state;
    quickly(0, 40, 200);
    text_acked_after(100, 40); /* nobody came along: 80 */
    text_acked_after(100, 40); /* the RTT of the handshake was 0 ms: a longer delay would be more than a round trip */
}

static void delay_follows_the_pace_on_a_long_path(void **state) {
    (void)state;
    fx.config.timestamps = false;
    fx.config.quick_acks = 0;
    fx.config.delayed_ack_ms = 40;
    fx.config.delayed_ack_max_ms = 200;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN));
    advance_by(500); /* the RTT */
    receive(SEG(.flags = SYN | ACK));
    ignore_sent();
    text_acked_after(100, 40);  /* in vain: 80 */
    text_acked_after(100, 80);  /* 500 ms between texts: no pace to speak of; in vain: 160 */
    text_acked_after(100, 160); /* 200 at most */
    text_acked_after(100, 200);
    /* Five segments 5 ms apart: 200/2 + 20, 80, 60, 50, 45. */
    mark();
    receive(SEG(.flags = ACK, .len = 10));
    for (int i = 0; i < 5; i++) {
        advance_by(5);
        receive(SEG(.flags = ACK, .len = 10));
    }
    advance_by(400);
    ignore_sent();
    text_acked_after(100, 90); /* 45 once more in vain */
}

/* More than a segment's worth is acknowledged at once: also where segments are a little smaller than they were. */
static void more_than_a_segment(void **state) {
    (void)state;
    quickly(0, 40, 0);
    receive(SEG(.flags = ACK, .len = 1400));
    receive(SEG(.flags = ACK, .len = 1400));
    ignore_sent();
    mark();
    receive(SEG(.flags = ACK, .len = 1388));
    expect_silence();
    receive(SEG(.flags = ACK, .len = 1388));
    expect(SEG(.flags = ACK, .ack = fx.flow.nxt, .at = 0, .reason = BK_REASON_SEND_ACK_NOW));
}

/* The ACK of a FIN, where it may wait for the user's own: after text, but not when the FIN is all there ever was. */
static void fin_waits_for_ours(void **state) {
    (void)state;
    fx.config.delay_fin_ack = true;
    quickly(1, 40, 0);
    text_acked_after(100, 0);
    mark();
    receive(SEG(.flags = FIN | ACK));
    expect_silence();
    advance_by(20);
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK, .ack = 102, .at = 20));
}

static void fin_alone_does_not_wait(void **state) {
    (void)state;
    fx.config.delay_fin_ack = true;
    quickly(1, 40, 0);
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .ack = 2, .reason = BK_REASON_SEND_ACK_FIN));
}

/* A connection with SACK and an RTT of 100 ms, of which a twentieth is more than the millisecond that reports may wait. */
static void reports_compressed(uint8_t most) {
    static const uint8_t sack[] = {2, 4, 5, 180, 1, 1, 4, 2};
    fx.config.timestamps = false;
    fx.config.sack = true;
    fx.config.receive_buffer = 60000;
    fx.config.ack_compress_us = 1000;
    fx.config.ack_compress_max = most;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN));
    advance_by(100);
    receive(SEG(.flags = SYN | ACK, .options = sack, .options_length = sizeof sack));
    ignore_sent();
}

/* Behind a gap: three reports at once, which show the loss; then one in a millisecond, or for so many segments. */
static void reports_in_one(void **state) {
    (void)state;
    reports_compressed(5);
    for (int i = 0; i < 3; i++) {
        receive(SEG(.flags = ACK, .seq = 1001 + 100 * i, .len = 100));
        expect(SEG(.flags = ACK, .ack = 1, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER));
    }
    mark();
    for (int i = 3; i < 6; i++) receive(SEG(.flags = ACK, .seq = 1001 + 100 * i, .len = 100));
    expect_silence();
    advance_by(1);
    expect(SEG(.flags = ACK, .ack = 1, .at = 1, .reason = BK_REASON_SEND_ACK_COMPRESSED));
    assert_int_equal(fx.last.sack[0][1] - fx.flow.isn, 1601);
    for (int i = 6; i < 12; i++) receive(SEG(.flags = ACK, .seq = 1001 + 100 * i, .len = 100));
    expect(SEG(.flags = ACK, .ack = 1, .at = 1, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER)); /* the sixth */
    expect_silence();
    /* What fills the gap is told at once. */
    receive(SEG(.flags = ACK, .seq = 1, .len = 1000));
    expect(SEG(.flags = ACK, .ack = 2201, .reason = BK_REASON_SEND_ACK_GAP_FILLED));
}

/* A report is held back only as long as the next ACK has a block for each run that grew: four of them without timestamps. What were left out
 * would be taken for lost. */
static void no_block_is_lost_in_one(void **state) {
    (void)state;
    static const uint32_t began[] = {2001, 3001, 4001, 5001}, went_on[] = {5101, 2101, 5201, 3101, 4101};
    reports_compressed(20);
    for (int i = 0; i < 3; i++) receive(SEG(.flags = ACK, .seq = 1001 + 100 * i, .len = 100));
    ignore_sent();
    mark();
    for (size_t i = 0; i < 3; i++) receive(SEG(.flags = ACK, .seq = began[i], .len = 100));
    expect_silence();
    receive(SEG(.flags = ACK, .seq = began[3], .len = 100));
    expect(SEG(.flags = ACK, .ack = 1, .at = 0, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER));
    assert_int_equal(fx.last.sack_count, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(fx.last.sack[i][0] - fx.flow.isn, began[3 - i]);
    /* Five segments of four runs. */
    for (size_t i = 0; i < 4; i++) receive(SEG(.flags = ACK, .seq = went_on[i], .len = 100));
    expect_silence();
    receive(SEG(.flags = ACK, .seq = went_on[4], .len = 100));
    expect(SEG(.flags = ACK, .ack = 1, .at = 0, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER));
    assert_int_equal(fx.last.sack_count, 4);
    assert_int_equal(fx.last.sack[0][1] - fx.flow.isn, 4201);
}

/* Without SACK each report counts: none is held back. */
static void each_report_without_sack(void **state) {
    (void)state;
    quickly(0, 40, 0);
    for (int i = 0; i < 10; i++) {
        receive(SEG(.flags = ACK, .seq = 1001 + 100 * i, .len = 100));
        expect(SEG(.flags = ACK, .ack = 1, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(quick_at_first),
        BOTH(no_more_than_the_window_holds),
        BOTH(quick_after_a_pause),
        BOTH(quick_after_a_gap),
        BOTH(answers_carry_it),
        BOTH(pushed_and_read),
        BOTH(pushed_without_quick_acks),
        BOTH(delay_follows_the_pace),
        BOTH(delay_follows_the_pace_on_a_long_path),
        BOTH(more_than_a_segment),
        BOTH(fin_waits_for_ours),
        BOTH(fin_alone_does_not_wait),
        BOTH(reports_in_one),
        BOTH(no_block_is_lost_in_one),
        BOTH(each_report_without_sack),
    };
    return run_fixture_tests(tests);
}
