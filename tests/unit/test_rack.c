/* Shows steps of RACK-TLP (RFC 8985) on the bench, which on the wire are hard to tell apart: what a timeout marks, what widens
 * the window for reordering and for how long, and what a tail loss probe waits for. */
#include "recovery_bench.h"

#include "tcp/timeouts.h"

/* Ten segments left at START, the first was acknowledged after 100 ms, and an eleventh left then. */
static void eleven(struct bench *b) {
    bench_up(b, true);
    bench_later(b, 100000);
    bench_ack(b, 1000);
    assert_int_equal(b->c->min_rtt_us, 100000);
    bench_send(b, MSS);
}

/* 6.2 step 2: of what an ACK newly covers, the highest number's round trip counts, though what went again left later: the longer one, for the most
 * part, as Linux has it. An ACK of what went again alone tells its own. */
static void the_round_trip(void **state) {
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        struct bench b;
        bench_up(&b, true);
        bench_later(&b, 100000);
        ACK_SACK(&b, 0, {1000, 4000});
        assert_int_equal(b.a->rack.rtt_ns, 100 * NS_PER_MS);
        bench_resend(&b, MSS);
        bench_later(&b, 120000);
        bench_ack(&b, alone ? 4000 : 5000);
        assert_int_equal(b.a->rack.rtt_ns, (alone ? 120 : 220) * NS_PER_MS);
        assert_int_equal(b.a->rack.sent_at, START + 100 * NS_PER_MS);
        core_down(&b.k);
    }
}

/* 6.2 step 4: a window that DSACKs have widened is a quarter of the least RTT again after 16 recoveries without one. */
static void sixteen_recoveries(void **state) {
    (void)state;
    struct bench b;
    eleven(&b);
    b.c->segments_retransmitted = 1;
    ACK_SACK(&b, 1000, {0, 1000});
    assert_int_equal(rack_window(b.t, b.c), 2 * 25 * NS_PER_MS);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(rack_window(b.t, b.c), 2 * 25 * NS_PER_MS);
        rack_recovered(&b.a->rack);
    }
    assert_int_equal(rack_window(b.t, b.c), 25 * NS_PER_MS);
    core_down(&b.k);
}

/* RFC 5681 3.2 step 1: a duplicate ACK without news in its SACK blocks lets no new data go. */
static void duplicates_without_news(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true);
    for (int i = 0; i < 5; i++) {
        bench_ack(&b, 0);
        assert_int_equal(b.c->cwnd - pipe_of(&b), 0);
    }
    ACK_SACK(&b, 0, {1000, 2000});
    assert_int_equal(b.c->cwnd - pipe_of(&b), MSS);
    ACK_SACK(&b, 0, {1000, 2000});
    assert_int_equal(b.c->cwnd - pipe_of(&b), MSS);
    core_down(&b.k);
}

/* 6.3: beside the first, what left an RTT and the window for reordering ago, 125 ms, is lost. */
static void a_timeout_marks(void **state) {
    (void)state;
    for (int window = 0; window < 2; window++) {
        struct bench b;
        eleven(&b);
        bench_later(&b, window ? 125000 : 124999);
        recovery_timeout(b.t, b.c);
        expect_segments(&b, 0, window ? 10 : 9, 0);
        core_down(&b.k);
    }
}

/* A probe sends the last segment again. */
static void probe(struct bench *b) {
    scoreboard_resend(b->t, &b->a->board, scoreboard_last_segment(b->t, &b->a->board), BASE + 11000, MSS);
    b->c->segments_retransmitted++;
    tail_probe_sent(b->t, b->c, true);
}

/* 7.2: two SRTT, 200 ms more for a single segment; a second before there is an SRTT. */
static void when_a_probe_is_due(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true);
    assert_int_equal(tail_probe_due(b.t, b.c) - b.t->base.now, NS_PER_S);
    bench_later(&b, 100000);
    bench_ack(&b, 8000);
    assert_int_equal(tail_probe_due(b.t, b.c) - b.t->base.now, 202 * NS_PER_MS);
    bench_ack(&b, 9000);
    assert_int_equal(tail_probe_due(b.t, b.c) - b.t->base.now, 400 * NS_PER_MS);
    core_down(&b.k);
}

static bool probe_planned(const struct bench *b) {
    return tail_probe_due(b->t, b->c) != BK_NEVER;
}

/* 7.2: not while something is SACKed, though the window is reduced for another reason (ECN). */
static void no_probe_above_a_hole(void **state) {
    (void)state;
    for (int sacked = 0; sacked < 2; sacked++) {
        struct bench b;
        eleven(&b);
        if (sacked) ACK_SACK(&b, 1000, {2000, 3000});
        b.ece = true;
        bench_ack(&b, 1000 + 500);
        assert_int_equal(b.c->recovery, RECOVERY_CWR);
        assert_int_equal(probe_planned(&b), !sacked);
        core_down(&b.k);
    }
}

/* 7.3: a second probe waits for an RTT sample, which an ACK of what went again is not. */
static void a_sample_between_probes(void **state) {
    (void)state;
    struct bench b;
    eleven(&b);
    bench_ack(&b, 10000);
    assert_true(probe_planned(&b));
    bench_later(&b, 400000);
    probe(&b);
    assert_false(probe_planned(&b));
    bench_later(&b, 100000);
    ACK_SACK(&b, 11000, {10000, 11000}); /* that both copies have arrived ends the probe */
    assert_false(b.a->recovery.tail_out);
    bench_send(&b, MSS);
    assert_false(probe_planned(&b));
    bench_later(&b, 500000);
    bench_ack(&b, 12000);
    bench_send(&b, MSS);
    assert_true(probe_planned(&b));
    core_down(&b.k);
}

/* A probe has sent the last segment again, and its ACK does not say for which copy it is. */
static void probed(struct bench *b) {
    eleven(b);
    bench_ack(b, 10000);
    bench_later(b, 400000);
    probe(b);
    bench_later(b, 100000);
    bench_ack(b, 11000);
    assert_true(b->a->recovery.tail_out);
}

/* 7.4.2: a duplicate ACK says that both copies have arrived if it is without SACK blocks: with them it tells of what was sent after the probe. */
static void a_duplicate_with_blocks(void **state) {
    (void)state;
    struct bench b;
    probed(&b);
    uint32_t ssthresh = b.c->ssthresh;
    bench_send(&b, 2 * MSS);
    bench_later(&b, 100000);
    for (int i = 0; i < 2; i++) ACK_SACK(&b, 11000, {12000, 13000});
    assert_int_equal(b.c->recovery, RECOVERY_DISORDER);
    assert_true(b.a->recovery.tail_out);
    bench_ack(&b, 13000);
    assert_false(b.a->recovery.tail_out);
    assert_true(b.c->ssthresh < ssthresh); /* the loss that the probe repaired is answered */
    core_down(&b.k);

    probed(&b);
    bench_ack(&b, 11000);
    assert_false(b.a->recovery.tail_out);
    assert_int_equal(b.c->ssthresh, ssthresh);
    core_down(&b.k);
}

/* 7.1: fast recovery begins without a probe, also where the window was being reduced already. */
static void fast_recovery_forgets_the_probe(void **state) {
    (void)state;
    struct bench b;
    eleven(&b);
    b.ece = true;
    bench_ack(&b, 1500);
    assert_int_equal(b.c->recovery, RECOVERY_CWR);
    b.ece = false;
    bench_later(&b, 400000);
    probe(&b);
    bench_later(&b, 100000);
    ACK_SACK(&b, 1500, {10000, 11000});
    assert_int_equal(b.c->recovery, RECOVERY_FAST);
    assert_false(b.a->recovery.tail_out);
    core_down(&b.k);
}

/* What RACK waits for may be further away than the RTO, after a segment that took very long: then the timeout comes, at its time. Found by
 * fuzzing: RACK's timer fired every 2 ms instead, and found nothing. */
static void a_wait_beyond_the_rto(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true);
    rtt_sample(b.t, b.c, 300000);
    b.a->recovery.reorder_due = b.t->base.now + rtt_rto_ns(b.c) + 1;
    timeouts_acked(b.t, b.c, true);
    assert_int_equal(b.c->rtx_kind, RTX_RETRANSMIT);
    assert_int_equal(b.c->rtx_due, b.t->base.now + rtt_rto_ns(b.c));
    b.a->recovery.reorder_due--;
    timeouts_acked(b.t, b.c, true);
    assert_int_equal(b.c->rtx_kind, RTX_REORDER);
    assert_int_equal(b.c->rtx_due, b.a->recovery.reorder_due);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_beyond_the_rto),   cmocka_unit_test(the_round_trip),
        cmocka_unit_test(sixteen_recoveries),      cmocka_unit_test(duplicates_without_news),
        cmocka_unit_test(a_timeout_marks),         cmocka_unit_test(when_a_probe_is_due),
        cmocka_unit_test(no_probe_above_a_hole),   cmocka_unit_test(a_sample_between_probes),
        cmocka_unit_test(a_duplicate_with_blocks), cmocka_unit_test(fast_recovery_forgets_the_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
