/* Shows RACK-TLP (RFC 8985) on the wire, in worked times: segments of 1,000 bytes, a round trip of 100 ms, so that a
 * quarter of the least RTT is 25 ms and two SRTT are 200 ms. */
#include <errno.h>

#include "sack_peer.h"

#define MSS 1000

/* Established; SRTT 100 ms, RTTVAR 50 ms, RTO 300 ms. */
static void begin(void) {
    fx.config.rto_min_ms = 200;
    established_with_sack(MSS, 100);
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
}

/* So many segments leave now. */
static void fly(int n) {
    expect_call(call_send((size_t)(n * MSS)), n * MSS);
    assert_int_equal(ignore_sent(), n);
}

/* Segment k (1, 2, ...) as a block. */
static void sacked(int64_t ack, int first, int last) {
    sack_one(ack, 1 + (first - 1) * MSS, 1 + last * MSS);
}

static void expect_again(int k, uint16_t reason) {
    expect(SEG(.flags = ACK, .seq = 1 + (k - 1) * MSS, .len = MSS, .reason = reason));
}

/* ---- RACK ------------------------------------------------------------------------------------------ */

/* 6.2 step 4: no reordering has been seen, so with the third segment SACKed above it the hole is lost at once. */
static void three_sacked_above(void **state) {
    (void)state;
    begin();
    fly(10);
    advance_by(100);
    sacked(1, 2, 2);
    sacked(1, 2, 3);
    expect_silence();
    sacked(1, 2, 4);
    expect_again(1, BK_REASON_SEND_FAST_RETRANSMIT);
    assert_int_equal(call_status().segments_retransmitted, 1);
}

/* 6.2 step 5: with fewer the timer waits for a quarter of the least RTT. What was sent behind the SACKed one is not lost. */
static void the_reordering_timer(void **state) {
    (void)state;
    begin();
    fly(10);
    advance_by(100);
    mark();
    sacked(1, 2, 2);
    expect_silence();
    advance_by(60);
    expect(SEG(.flags = ACK, .seq = 1, .len = MSS, .at = 25, .reason = BK_REASON_SEND_RACK));
    expect_silence();
    assert_int_equal(call_status().segments_retransmitted, 1);
}

/* Reordering within the window is no loss. */
static void within_the_window(void **state) {
    (void)state;
    begin();
    fly(10);
    advance_by(100);
    sacked(1, 2, 2);
    advance_by(20);
    receive(SEG(.flags = ACK, .ack = 1 + 2 * MSS));
    advance_by(20);
    receive(SEG(.flags = ACK, .ack = 1 + 10 * MSS));
    advance_by(1000);
    expect_silence();
}

/* 6.2 steps 3, 4: once reordering was seen, three SACKed segments are no reason to hurry any more. */
static void reordering_is_remembered(void **state) {
    (void)state;
    begin();
    fly(10);
    advance_by(100);
    sacked(1, 2, 2);
    advance_by(10);
    receive(SEG(.flags = ACK, .ack = 1 + 10 * MSS));
    fly(10);
    advance_by(100);
    mark();
    sacked(1 + 10 * MSS, 12, 15);
    expect_silence();
    advance_by(60);
    expect(SEG(.flags = ACK, .seq = 1 + 10 * MSS, .len = MSS, .at = 25, .reason = BK_REASON_SEND_RACK));
}

/* 6.2 step 4: each round with a DSACK widens the window by another quarter. */
static void duplicates_widen_the_window(void **state) {
    (void)state;
    begin();
    fly(10);
    advance_by(100);
    sacked(1, 2, 2);
    advance_by(30);
    expect_again(1, BK_REASON_SEND_RACK);
    receive(SEG(.flags = ACK, .ack = 1 + 10 * MSS)); /* it was on its way after all ... */
    advance_by(70);
    sack_one(1 + 10 * MSS, 1, 1 + MSS); /* ... and our copy comes second (RFC 2883) */
    ignore_sent();
    advance_by(1000);
    fly(5);
    advance_by(100);
    mark();
    sacked(1 + 10 * MSS, 12, 12);
    advance_by(90);
    expect(SEG(.flags = ACK, .seq = 1 + 10 * MSS, .len = MSS, .at = 50, .reason = BK_REASON_SEND_RACK));
}

/* However many duplicates a peer claims to have got, the window is no wider than SRTT. */
static void forged_duplicates(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 40; i++) {
        fly(2);
        advance_by(100);
        int64_t ack = 1 + 2 * MSS * (i + 1);
        sack_one(ack, ack - MSS, ack);
        sack_one(ack, ack - 2 * MSS, ack - MSS);
        expect_silence();
    }
    fly(5);
    advance_by(100);
    mark();
    sacked(1 + 80 * MSS, 82, 82);
    advance_by(120);
    expect(SEG(.flags = ACK, .seq = 1 + 80 * MSS, .len = MSS, .before = 106));
}

/* A retransmission that is lost is noticed, too, by what was sent after it. */
static void a_lost_retransmission(void **state) {
    (void)state;
    begin();
    fly(10);
    expect_call(call_send(20 * MSS), 20 * MSS);
    advance_by(100);
    sacked(1, 2, 4);
    expect_again(1, BK_REASON_SEND_FAST_RETRANSMIT);
    ignore_sent();
    advance_by(5);
    sacked(1, 2, 10);
    assert_true(ignore_sent() > 0); /* new data, sent after it */
    advance_by(100);
    sacked(1, 2, 11);
    expect_again(1, BK_REASON_SEND_RACK);
}

/* A clock may stand still while segments come and go: what goes again at the instant at which others left was not overtaken by them. Otherwise a
 * receiver that cannot keep it, and says so at once, would get it without end. */
static void a_round_trip_in_no_time(void **state) {
    (void)state;
    begin();
    fly(5);
    sacked(1, 2, 5);
    expect_again(1, BK_REASON_SEND_FAST_RETRANSMIT);
    sacked(1, 2, 5);
    expect_silence();
    assert_int_equal(call_status().segments_retransmitted, 1);
}

/* 6.2 step 2: an ACK that comes sooner after a retransmission than any could is for the original, and says nothing
 * about what was sent at the retransmission's time. */
static void an_ack_of_the_original(void **state) {
    (void)state;
    begin();
    fly(10);
    advance_by(100);
    sacked(1, 2, 4);
    expect_again(1, BK_REASON_SEND_FAST_RETRANSMIT);
    advance_by(2);
    receive(SEG(.flags = ACK, .ack = 1 + 4 * MSS));
    assert_int_equal(call_status().segments_lost, 0);
    assert_int_equal(call_status().segments_retransmitted, 1);
}

/* 6.3: after an RTO what left too lately to be missed stays in flight. */
static void a_timeout(void **state) {
    (void)state;
    fx.config.tail_loss_probe = false;
    begin();
    fly(1);
    advance_by(100);
    receive(SEG(.flags = ACK, .ack = 1 + MSS)); /* RTO 300 ms */
    mark();
    fly(4);
    advance_by(250);
    fly(4);
    advance_by(60);
    expect(SEG(.flags = ACK, .seq = 1 + MSS, .len = MSS, .at = 300, .reason = BK_REASON_SEND_RTO));
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.segments_lost, 4);
    assert_int_equal(info.segments_unacked, 8);
}

/* ---- TLP ------------------------------------------------------------------------------------------- */

/* Five segments, the last three lost: PTO is 2 SRTT. */
static void tail_lost(void) {
    begin();
    fly(5);
    advance_by(100);
    receive(SEG(.flags = ACK, .ack = 1 + 2 * MSS));
    mark();
}

/* 7.2, 7.3: the last segment goes again after two SRTT; its SACK shows the others lost. */
static void a_probe(void **state) {
    (void)state;
    tail_lost();
    advance_by(230);
    expect(SEG(.flags = ACK, .seq = 1 + 4 * MSS, .len = MSS, .at = 200, .reason = BK_REASON_SEND_TAIL_PROBE));
    expect_silence();
    advance_by(75);
    sacked(1 + 2 * MSS, 5, 5);
    advance_by(30);
    expect_again(3, BK_REASON_SEND_RACK);
    advance_by(70);
    receive(SEG(.flags = ACK, .ack = 1 + 3 * MSS));
    expect_again(4, BK_REASON_SEND_RACK);
    assert_int_equal(call_status().segments_retransmitted, 3);
}

/* 7.3: new data is the better probe, if there is any. */
static void a_probe_of_new_data(void **state) {
    (void)state;
    begin();
    expect_call(call_set(BK_TCP_NODELAY, 0), 0);
    expect_call(call_send(5 * MSS), 5 * MSS);
    expect_call(call_send(500), 500); /* Nagle holds it back */
    assert_int_equal(ignore_sent(), 5);
    advance_by(100);
    receive(SEG(.flags = ACK, .ack = 1 + 2 * MSS));
    expect_silence();
    mark();
    advance_by(230);
    expect(SEG(.flags = ACK, .seq = 1 + 5 * MSS, .len = 500, .at = 200, .reason = BK_REASON_SEND_TAIL_PROBE));
}

/* 7.1, 7.3: one probe at a time; then the RTO is waited for, from the probe on. */
static void one_probe(void **state) {
    (void)state;
    tail_lost();
    advance_by(230);
    expect(SEG(.flags = ACK, .seq = 1 + 4 * MSS, .reason = BK_REASON_SEND_TAIL_PROBE, .len = MSS));
    advance_by(1000);
    expect(SEG(.flags = ACK, .seq = 1 + 2 * MSS, .reason = BK_REASON_SEND_RTO, .len = MSS, .at = 502));
}

/* 7.3, second condition: not again before a round trip was measured. What went twice measures none. */
static void no_probe_without_a_sample(void **state) {
    (void)state;
    fx.config.rto_min_ms = 1000;
    established_with_sack(MSS, 100);
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    fly(2);
    advance_by(250);
    expect(SEG(.flags = ACK, .seq = 1 + MSS, .reason = BK_REASON_SEND_TAIL_PROBE, .len = MSS));
    sack_one(1 + 2 * MSS, 1 + MSS, 1 + 2 * MSS); /* both copies have arrived */
    fly(2);
    advance_by(500);
    expect_silence();
    receive(SEG(.flags = ACK, .ack = 1 + 4 * MSS)); /* here is one */
    fly(2);
    advance_by(900);
    expect(SEG(.flags = ACK, .seq = 1 + 5 * MSS, .reason = BK_REASON_SEND_TAIL_PROBE, .len = MSS));
}

/* New data that leaves meanwhile brings about no second one. */
static void one_probe_in_spite_of_new_data(void **state) {
    (void)state;
    tail_lost();
    advance_by(230);
    expect(SEG(.flags = ACK, .seq = 1 + 4 * MSS, .reason = BK_REASON_SEND_TAIL_PROBE, .len = MSS));
    expect_call(call_send(MSS), MSS);
    expect(SEG(.flags = ACK, .seq = 1 + 5 * MSS, .reason = BK_REASON_SEND_DATA, .len = MSS));
    advance_by(1000);
    expect(SEG(.flags = ACK, .seq = 1 + 2 * MSS, .reason = BK_REASON_SEND_RTO, .len = MSS, .at = 502));
}

/* 7.2: the ACK of a single segment may be delayed, so 200 ms more; but no later than the RTO. Without a sample it is a second. */
static void when_the_probe_goes(void **state) {
    (void)state;
    fx.config.rto_min_ms = 1000;
    established_with_sack(MSS, 100);
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    mark();
    fly(1);
    advance_by(450);
    expect(SEG(.flags = ACK, .seq = 1, .len = MSS, .at = 400, .reason = BK_REASON_SEND_TAIL_PROBE));
    fixture_finish();
    fixture_prepare(fx.family);
    begin(); /* RTO 300 ms */
    mark();
    fly(1);
    advance_by(350);
    expect(SEG(.flags = ACK, .seq = 1, .len = MSS, .at = 300));
}

/* The last of five segments is outstanding alone, and a probe has sent it again. Returns cwnd. */
static uint32_t probed(void) {
    begin();
    fly(5);
    advance_by(100);
    receive(SEG(.flags = ACK, .ack = 1 + 4 * MSS));
    advance_by(350);
    expect_again(5, BK_REASON_SEND_TAIL_PROBE);
    expect_silence();
    return call_status().cwnd;
}

/* 7.4.2: what the probe repaired was lost, and the congestion window answers, when that is known. */
static void a_probe_that_repaired(void **state) {
    (void)state;
    uint32_t cwnd = probed();
    advance_by(50);
    receive(SEG(.flags = ACK, .ack = 1 + 5 * MSS));
    fly(1);
    advance_by(100);
    receive(SEG(.flags = ACK, .ack = 1 + 6 * MSS));
    assert_true(call_status().cwnd < cwnd);
}

/* 7.4.1: a DSACK says that nothing was lost. */
static void a_probe_for_nothing(void **state) {
    (void)state;
    uint32_t cwnd = probed();
    receive(SEG(.flags = ACK, .ack = 1 + 5 * MSS));
    sack_one(1 + 5 * MSS, 1 + 4 * MSS, 1 + 5 * MSS);
    fly(1);
    advance_by(100);
    receive(SEG(.flags = ACK, .ack = 1 + 6 * MSS));
    assert_true(call_status().cwnd >= cwnd);
}

/* 4: without SACK there is neither. */
static void without_sack(void **state) {
    (void)state;
    fx.config.sack = false;
    fx.config.rto_min_ms = 200;
    fx.flow.wnd = 65535;
    established();
    size_t mss = (size_t)our_mss();
    mark();
    expect_call(call_send(3 * mss), 3 * (int64_t)mss);
    ignore_sent();
    advance_by(999);
    while (anything_sent()) {
        next_sent();
        if (fx.last.len != 0) assert_int_equal(last_seq(), 1); /* the timer's, not a probe's */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(three_sacked_above),
        BOTH(the_reordering_timer),
        BOTH(within_the_window),
        BOTH(reordering_is_remembered),
        BOTH(duplicates_widen_the_window),
        BOTH(forged_duplicates),
        BOTH(a_lost_retransmission),
        BOTH(a_round_trip_in_no_time),
        BOTH(an_ack_of_the_original),
        BOTH(a_timeout),
        BOTH(a_probe),
        BOTH(a_probe_of_new_data),
        BOTH(one_probe),
        BOTH(no_probe_without_a_sample),
        BOTH(one_probe_in_spite_of_new_data),
        BOTH(when_the_probe_goes),
        BOTH(a_probe_that_repaired),
        BOTH(a_probe_for_nothing),
        BOTH(without_sack),
    };
    return run_fixture_tests(tests);
}
