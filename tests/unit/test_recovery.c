/* Shows loss recovery without SACK, step by step as RFC 5681, 6582, 3042 and 9937 describe it, beside their own arithmetic. */
#include "recovery_bench.h"

static void duplicate_acks(struct bench *b, uint32_t n) {
    while (n-- != 0) bench_ack(b, b->c->snd_una - BASE);
}

/* RFC 6582 3.2, with the first and the fourth of ten segments lost; PRR (RFC 9937) says how much goes. */
static void two_losses_in_one_window(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    struct connection *c = b.c;
    duplicate_acks(&b, 2);
    assert_int_equal(c->recovery, RECOVERY_DISORDER);
    expect_nothing_lost(&b);
    assert_int_equal(c->cwnd, 10000);

    duplicate_acks(&b, 1); /* step 2: the third */
    assert_int_equal(c->recovery, RECOVERY_FAST);
    assert_int_equal(c->recover, BASE + 10000);
    assert_int_equal(c->ssthresh, 5000);
    expect_next(&b, 0, BK_REASON_SEND_FAST_RETRANSMIT);
    expect_segments(&b, 0, 1, 0);
    assert_int_equal(pipe_of(&b), 6000);
    /* RecoverFS = 10,000 - 2,000 that had been delivered; SndCnt = 1,000 * 5,000 / 8,000, a segment. */
    assert_int_equal(c->cwnd, 7000);
    bench_resend(&b, MSS);
    expect_nothing_lost(&b);

    /* Five more: eight segments arrived in all. 2,000 * 5 / 8 - 1,000 is a segment, rounded up; the pipe is at ssthresh then. */
    duplicate_acks(&b, 1);
    assert_int_equal(pipe_of(&b), 6000);
    assert_int_equal(c->cwnd, 7000);
    bench_send(&b, MSS);
    duplicate_acks(&b, 4);
    assert_int_equal(c->recovery, RECOVERY_FAST);
    assert_int_equal(c->ssthresh, 5000);
    expect_nothing_lost(&b);

    bench_ack(&b, 3000); /* step 3, partial: the fourth is the next hole */
    assert_int_equal(c->recovery, RECOVERY_FAST);
    expect_next(&b, 3000, BK_REASON_SEND_PARTIAL_ACK);
    expect_segments(&b, 0, 1, 0);
    bench_resend(&b, MSS);

    bench_ack(&b, 11000); /* step 3, full */
    assert_int_equal(c->recovery, RECOVERY_OPEN);
    assert_int_equal(c->cwnd, 5000);
    assert_int_equal(c->ssthresh, 5000);
    expect_nothing_lost(&b);
    assert_int_equal(pipe_of(&b), 0);
    core_down(&b.k);
}

/* RFC 3042: each of the first two duplicate ACKs lets one new segment go, and the window stays. What they add is no part of the FlightSize that
 * ssthresh is half of (RFC 5681 3.2 step 2). */
static void limited_transmit(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    for (uint32_t i = 1; i <= 2; i++) {
        duplicate_acks(&b, 1);
        assert_int_equal(b.c->cwnd, 10000);
        assert_int_equal(pipe_of(&b) + MSS, b.c->cwnd);
        bench_send(&b, MSS);
    }
    bench_ack(&b, 1000); /* it was reordering: the count starts anew */
    assert_int_equal(b.c->duplicate_acks, 0);
    assert_int_equal(b.c->cwnd, 11000); /* one segment was delivered that had not been counted */
    duplicate_acks(&b, 2);
    assert_int_equal(b.c->recovery, RECOVERY_DISORDER);
    bench_send(&b, 2 * MSS);
    duplicate_acks(&b, 1);
    assert_int_equal(b.c->recovery, RECOVERY_FAST);
    assert_int_equal(b.c->ssthresh, 5500); /* of 11,000 without the two */
    core_down(&b.k);
}

/* Duplicate ACKs stand for segments that have arrived: there cannot be more of them than segments behind the hole, and the window is halved once. */
static void a_flood_of_duplicates(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    duplicate_acks(&b, 100000);
    assert_int_equal(b.c->duplicate_acks, 9);
    assert_int_equal(pipe_of(&b), 0);
    assert_int_equal(b.c->ssthresh, 5000);
    core_down(&b.k);
}

/* RFC 6298 5.5, 5.6 with RFC 5681 3.1: everything is lost, the window is one segment, the RTO doubles. */
static void a_timeout(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    struct connection *c = b.c;
    rtt_sample(b.t, c, 300000);
    recovery_timeout(b.t, c);
    assert_int_equal(c->recovery, RECOVERY_LOSS);
    assert_int_equal(c->cwnd, MSS);
    assert_int_equal(c->ssthresh, 5000);
    assert_int_equal(c->rto_us, 1800000);
    assert_int_equal(c->retransmits, 1);
    assert_int_equal(c->backoff, 1);
    expect_next(&b, 0, BK_REASON_SEND_RTO);
    expect_segments(&b, 0, 10, 0);
    assert_int_equal(pipe_of(&b), 0);
    bench_resend(&b, MSS);
    assert_int_equal(pipe_of(&b), MSS);

    recovery_timeout(b.t, c); /* again: ssthresh stays (RFC 5681 3.1), the RTO doubles once more */
    assert_int_equal(c->ssthresh, 5000);
    assert_int_equal(c->rto_us, 3600000);
    assert_int_equal(c->retransmits, 2);
    expect_next(&b, 0, BK_REASON_SEND_RTO);
    expect_segments(&b, 0, 10, 0);
    c->retransmits = UINT8_MAX;
    recovery_timeout(b.t, c);
    assert_int_equal(c->retransmits, UINT8_MAX);
    core_down(&b.k);
}

/* After a timeout duplicate ACKs may be echoes of what was sent again: they start nothing until all of that is acknowledged (RFC 6582 3.2, 4.1). */
static void duplicates_after_a_timeout(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    recovery_timeout(b.t, b.c);
    bench_resend(&b, MSS);
    duplicate_acks(&b, 10);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->duplicate_acks, 0);
    assert_int_equal(b.c->cwnd, MSS);
    bench_ack(&b, 1000);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->cwnd, 2000); /* slow start */
    expect_next(&b, 1000, BK_REASON_SEND_RTO);
    bench_resend(&b, 2 * MSS);
    bench_ack(&b, 6000); /* the receiver had the rest up to here: that needs not go again */
    expect_next(&b, 6000, BK_REASON_SEND_RTO);
    assert_int_equal(b.c->cwnd, 3000); /* RFC 3465 2.3: one segment for each ACK */
    bench_ack(&b, 10000);
    assert_int_equal(b.c->recovery, RECOVERY_OPEN);
    expect_nothing_lost(&b);
    core_down(&b.k);
}

/* A timeout ends fast recovery (RFC 6582 3.2 step 4), and its duplicate ACKs count no more. The window has been halved for this window of data. */
static void a_timeout_in_fast_recovery(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    duplicate_acks(&b, 6);
    bench_resend(&b, MSS);
    recovery_timeout(b.t, b.c);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->duplicate_acks, 0);
    assert_int_equal(b.c->recover, BASE + 10000);
    assert_int_equal(b.c->cwnd, MSS);
    assert_int_equal(b.c->ssthresh, 5000);
    expect_next(&b, 0, BK_REASON_SEND_RTO);
    expect_segments(&b, 0, 10, 0);
    core_down(&b.k);
}

/* An ACK in order grows the window and leaves nothing to recover from. */
static void nothing_lost(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, false);
    bench_ack(&b, 1000);
    assert_int_equal(b.c->cwnd, 11000);
    assert_int_equal(b.c->recovery, RECOVERY_OPEN);
    expect_nothing_lost(&b);
    assert_int_equal(pipe_of(&b), 9000);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_losses_in_one_window),
        cmocka_unit_test(limited_transmit),
        cmocka_unit_test(a_flood_of_duplicates),
        cmocka_unit_test(a_timeout),
        cmocka_unit_test(duplicates_after_a_timeout),
        cmocka_unit_test(a_timeout_in_fast_recovery),
        cmocka_unit_test(nothing_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
