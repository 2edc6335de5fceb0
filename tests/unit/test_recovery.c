/* Shows loss recovery without SACK, step by step as RFC 5681, 6582 and 3042 describe it, beside their own arithmetic. */
#include "core.h"

#include "tcp/recovery.h"
#include "tcp/rtt.h"

#define MSS  1000u
#define BASE (UINT32_MAX - 4999) /* the number of the first byte outstanding: the flight wraps */

struct bench {
    struct core k;
    struct tcp *t;
    struct connection *c;
};

/* Ten segments are in flight, and the window is as large. */
static void bench_up(struct bench *b) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.congestion = BK_CONGESTION_NEWRENO;
    b->k = core_up(&config, 0);
    b->t = b->k.tcp;
    base_now(b->k.base, NS_PER_S);
    struct tuple tuple = {bk_addr_ipv4(192, 0, 2, 1), bk_addr_ipv4(192, 0, 2, 2), 80, 40000};
    struct connection *c = b->c = connection_at(b->t, connection_new(b->t, &tuple, 0, DEMUX_NONE));
    c->state = BK_ESTABLISHED;
    c->mss = MSS;
    assert_non_null(connection_activate(b->t, c));
    c->iss = BASE - 1;
    c->recover = c->iss; /* RFC 6582 3.2 step 1 */
    c->snd_una = c->rtx_nxt = c->rtx_end = BASE;
    c->snd_nxt = BASE + 10 * MSS;
    congestion_start(b->t, c, 0);
    congestion_sent(b->t, c, 10 * MSS);
    rtt_sample(b->t, c, 300000);
}

static void duplicate_acks(struct bench *b, uint32_t n) {
    while (n-- != 0) recovery_duplicate_ack(b->t, b->c);
}

/* An ACK up to this distance from BASE. */
static void ack(struct bench *b, uint32_t to) {
    uint32_t flight = recovery_pipe(b->c), acked = BASE + to - b->c->snd_una;
    b->c->snd_una = BASE + to;
    recovery_acked(b->t, b->c, acked, flight);
}

/* What was lost is sent again. */
static void send_again(struct bench *b, uint32_t n) {
    b->c->rtx_nxt += n;
    assert_true(seq_le(b->c->rtx_nxt, b->c->rtx_end));
}

static void expect_lost(const struct bench *b, uint32_t from, uint32_t to, uint16_t reason) {
    assert_true(recovery_has_lost(b->c));
    assert_int_equal(b->c->rtx_nxt, BASE + from);
    assert_int_equal(b->c->rtx_end, BASE + to);
    assert_int_equal(b->c->rtx_reason, reason);
}

/* RFC 6582 3.2, with the first and the fourth of ten segments lost. `inflated` is RFC 5681's inflated cwnd: the room that it leaves for
 * new segments, cwnd - FlightSize, must be the room that we see, cwnd - pipe. */
static void two_losses_in_one_window(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    struct connection *c = b.c;
    duplicate_acks(&b, 2);
    assert_int_equal(c->recovery, RECOVERY_OPEN);
    assert_false(recovery_has_lost(c));
    assert_int_equal(c->cwnd, 10000);

    duplicate_acks(&b, 1); /* step 2: the third */
    assert_int_equal(c->recovery, RECOVERY_FAST);
    assert_int_equal(c->recover, BASE + 10000);
    assert_int_equal(c->ssthresh, 5000);
    expect_lost(&b, 0, 1000, BK_REASON_SEND_FAST_RETRANSMIT);
    assert_int_equal(recovery_pipe(c), 6000);
    send_again(&b, MSS);
    assert_false(recovery_has_lost(c));
    uint32_t inflated = c->ssthresh + 3 * MSS;
    assert_int_equal(c->cwnd + 10000, inflated + recovery_pipe(c));

    for (uint32_t i = 0; i < 5; i++) { /* step 3 of RFC 5681 3.2: eight segments arrived in all */
        duplicate_acks(&b, 1);
        inflated += MSS;
        assert_int_equal(c->cwnd + 10000, inflated + recovery_pipe(c));
        assert_int_equal(c->recovery, RECOVERY_FAST);
        assert_int_equal(c->ssthresh, 5000);
        assert_false(recovery_has_lost(c));
    }
    c->snd_nxt += 3 * MSS; /* the room is three segments */
    assert_int_equal(recovery_pipe(c), c->cwnd);

    ack(&b, 3000); /* step 3, partial: the fourth is the next hole */
    assert_int_equal(c->recovery, RECOVERY_FAST);
    expect_lost(&b, 3000, 4000, BK_REASON_SEND_PARTIAL_ACK);
    send_again(&b, MSS);
    inflated = inflated - 3000 + MSS; /* deflate by what was acknowledged, add back one segment */
    assert_int_equal(c->cwnd + 10000, inflated + recovery_pipe(c));
    c->snd_nxt += MSS;

    ack(&b, 14000); /* step 3, full: min(ssthresh, max(FlightSize, SMSS) + SMSS) */
    assert_int_equal(c->recovery, RECOVERY_OPEN);
    assert_int_equal(c->cwnd, 2000);
    assert_int_equal(c->ssthresh, 5000);
    assert_false(recovery_has_lost(c));
    assert_int_equal(recovery_pipe(c), 0);
    core_down(&b.k);
}

/* A full acknowledgment may leave data outstanding that was sent during recovery. */
static void full_acknowledgment_with_more_in_flight(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    duplicate_acks(&b, 9);
    send_again(&b, MSS);
    b.c->snd_nxt += 3 * MSS;
    ack(&b, 10000);
    assert_int_equal(b.c->recovery, RECOVERY_OPEN);
    assert_int_equal(b.c->cwnd, 4000);
    assert_int_equal(recovery_pipe(b.c), 3000);
    core_down(&b.k);
}

/* RFC 3042: each of the first two duplicate ACKs lets one new segment go, and the window stays. */
static void limited_transmit(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    for (uint32_t i = 1; i <= 2; i++) {
        duplicate_acks(&b, 1);
        assert_int_equal(b.c->cwnd, 10000);
        assert_int_equal(recovery_pipe(b.c) + MSS, b.c->cwnd);
        b.c->snd_nxt += MSS;
    }
    ack(&b, 1000); /* it was reordering: the count starts anew */
    assert_int_equal(b.c->duplicate_acks, 0);
    duplicate_acks(&b, 2);
    assert_int_equal(b.c->recovery, RECOVERY_OPEN);
    core_down(&b.k);
}

/* The last segment of a flight is lost as far as it goes. */
static void a_short_segment_is_lost(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    b.c->snd_nxt = BASE + 300;
    duplicate_acks(&b, 3);
    expect_lost(&b, 0, 300, BK_REASON_SEND_FAST_RETRANSMIT);
    assert_int_equal(b.c->ssthresh, 2 * MSS); /* RFC 5681 (4) */
    core_down(&b.k);
}

/* However many duplicate ACKs a peer sends, what is in flight is not less than nothing. */
static void a_flood_of_duplicates(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    duplicate_acks(&b, 100000);
    assert_int_equal(recovery_pipe(b.c), 0);
    assert_int_equal(b.c->ssthresh, 5000); /* halved once */
    b.c->duplicate_acks = UINT32_MAX;
    assert_int_equal(recovery_pipe(b.c), 0);
    core_down(&b.k);
}

/* RFC 6298 5.5, 5.6 with RFC 5681 3.1: everything is lost, the window is one segment, the RTO doubles, and what was timed is not timed any more. */
static void a_timeout(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    struct connection *c = b.c;
    rtt_start(b.t, c, c->snd_nxt);
    recovery_timeout(b.t, c);
    assert_int_equal(c->recovery, RECOVERY_LOSS);
    assert_int_equal(c->cwnd, MSS);
    assert_int_equal(c->ssthresh, 5000);
    assert_int_equal(c->rto_us, 1800000);
    assert_int_equal(c->retransmits, 1);
    assert_true(c->rtt_sent == 0);
    expect_lost(&b, 0, 10000, BK_REASON_SEND_RTO);
    assert_int_equal(recovery_pipe(c), 0);
    send_again(&b, MSS);
    assert_int_equal(recovery_pipe(c), MSS);

    recovery_timeout(b.t, c); /* again: ssthresh stays (RFC 5681 3.1), the RTO doubles once more */
    assert_int_equal(c->ssthresh, 5000);
    assert_int_equal(c->rto_us, 3600000);
    assert_int_equal(c->retransmits, 2);
    expect_lost(&b, 0, 10000, BK_REASON_SEND_RTO);
    c->retransmits = UINT8_MAX;
    recovery_timeout(b.t, c);
    assert_int_equal(c->retransmits, UINT8_MAX);
    core_down(&b.k);
}

/* After a timeout duplicate ACKs may be echoes of what was sent again: they start nothing until all of that is acknowledged (RFC 6582 3.2, 4.1). */
static void duplicates_after_a_timeout(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    recovery_timeout(b.t, b.c);
    send_again(&b, MSS);
    duplicate_acks(&b, 10);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->duplicate_acks, 0);
    assert_int_equal(b.c->cwnd, MSS);
    ack(&b, 1000);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->cwnd, 2000); /* slow start */
    expect_lost(&b, 1000, 10000, BK_REASON_SEND_RTO);
    send_again(&b, 2 * MSS);
    ack(&b, 6000); /* the receiver had the rest up to here: that needs not go again */
    expect_lost(&b, 6000, 10000, BK_REASON_SEND_RTO);
    ack(&b, 10000);
    assert_int_equal(b.c->recovery, RECOVERY_OPEN);
    assert_false(recovery_has_lost(b.c));
    core_down(&b.k);
}

/* A timeout ends fast recovery (RFC 6582 3.2 step 4), and its duplicate ACKs count no more. */
static void a_timeout_in_fast_recovery(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    duplicate_acks(&b, 6);
    send_again(&b, MSS);
    recovery_timeout(b.t, b.c);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->duplicate_acks, 0);
    assert_int_equal(b.c->recover, BASE + 10000);
    assert_int_equal(b.c->cwnd, MSS);
    expect_lost(&b, 0, 10000, BK_REASON_SEND_RTO);
    core_down(&b.k);
}

/* An ACK in order grows the window and leaves nothing to recover from. */
static void nothing_lost(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    ack(&b, 1000);
    assert_int_equal(b.c->cwnd, 11000);
    assert_false(recovery_has_lost(b.c));
    assert_int_equal(b.c->rtx_nxt, b.c->snd_una); /* the empty range follows SND.UNA: it never lies 2^31 behind */
    assert_int_equal(recovery_pipe(b.c), 9000);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_losses_in_one_window),
        cmocka_unit_test(full_acknowledgment_with_more_in_flight),
        cmocka_unit_test(limited_transmit),
        cmocka_unit_test(a_short_segment_is_lost),
        cmocka_unit_test(a_flood_of_duplicates),
        cmocka_unit_test(a_timeout),
        cmocka_unit_test(duplicates_after_a_timeout),
        cmocka_unit_test(a_timeout_in_fast_recovery),
        cmocka_unit_test(nothing_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
