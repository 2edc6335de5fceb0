/* Shows F-RTO step by step (RFC 5682 2.1 without SACK, 3.1 with it): which timeouts it finds spurious, and which it does not. */
#include "recovery_bench.h"

#include "tcp/output.h"

/* Ten segments are out, new data waits behind them, the timer fires, and the first goes again (step 1). */
static void timed_out(struct bench *b, bool sack) {
    bench_up(b, sack);
    rtt_sample(b->t, b->c, 300000);
    b->c->snd_end += 10 * MSS;
    bench_later(b, 1000000);
    recovery_timeout(b->t, b->c);
    bench_resend(b, MSS);
    assert_int_equal(b->a->recovery.frto, FRTO_REPEATED);
    assert_int_equal(b->c->recover, BASE + 10000);
    assert_int_equal(b->c->cwnd, MSS);
    bench_later(b, 100000);
}

/* cwnd, ssthresh and the RTO are as before, and nothing of the old flight is repeated. The ACK lets the window grow by no more than it covers. */
static void expect_spurious(const struct bench *b, uint32_t covered) {
    assert_int_equal(b->t->base.reasons[BK_REASON_NOTE_UNDO], 1);
    assert_true(b->c->recovery <= RECOVERY_DISORDER);
    assert_int_equal(b->a->recovery.frto, FRTO_OFF);
    assert_in_range(b->c->cwnd, 10000, 10000 + covered);
    assert_true(b->c->ssthresh > 10000);
    assert_int_equal(b->c->backoff, 0);
    expect_nothing_lost(b);
}

/* It goes on as after any timeout, with `seq` as the next to be repeated. */
static void expect_genuine(const struct bench *b, uint32_t seq) {
    assert_int_equal(b->t->base.reasons[BK_REASON_NOTE_UNDO], 0);
    assert_int_equal(b->c->recovery, RECOVERY_LOSS);
    assert_int_equal(b->a->recovery.frto, FRTO_OFF);
    assert_int_equal(b->c->ssthresh, 5000);
    assert_true(b->c->cwnd <= 3 * MSS); /* RFC 5682 2.1 3.a */
    expect_next(b, seq, BK_REASON_SEND_RTO);
}

/* Step 2.b: the ACK covers what was repeated, and not `recover`. Two new segments may leave, and nothing is repeated. */
static void first_ack(struct bench *b, uint32_t to) {
    bench_ack(b, to);
    assert_int_equal(b->a->recovery.frto, FRTO_NEW);
    assert_int_equal(b->c->recovery, RECOVERY_LOSS);
    assert_int_equal(b->t->base.reasons[BK_REASON_NOTE_UNDO], 0);
    assert_int_equal(b->c->cwnd - pipe_of(b), 2 * MSS);
    bench_send(b, 2 * MSS);
}

/* ---- without SACK (2.1) ---------------------------------------------------------------------------- */

/* Steps 1, 2.b, 3.b. */
static void spurious(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    first_ack(&b, 1000);
    bench_ack(&b, 2000);
    expect_spurious(&b, 1000);
    core_down(&b.k);
}

/* The first ACK covers more than what went again: the receiver may have had that already, so it proves nothing; the second ACK does. */
static void spurious_by_the_second(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    first_ack(&b, 3000);
    bench_ack(&b, 4000);
    expect_spurious(&b, 1000);
    core_down(&b.k);
}

/* Steps 1, 2.b, 3.a: the new data draws a duplicate. */
static void genuine(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    first_ack(&b, 1000);
    bench_ack(&b, 1000);
    expect_genuine(&b, 1000);
    bench_resend(&b, MSS);
    bench_ack(&b, 2000); /* and what follows proves nothing any more */
    expect_genuine(&b, 2000);
    core_down(&b.k);
}

/* Step 2.a: a duplicate. Segments behind a hole have arrived; what comes after it proves nothing. */
static void duplicates_first(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    bench_ack(&b, 0);
    assert_int_equal(b.a->recovery.frto, FRTO_OFF);
    assert_int_equal(b.c->recovery, RECOVERY_LOSS);
    assert_int_equal(b.c->cwnd, MSS);
    bench_ack(&b, 4000);
    expect_genuine(&b, 4000);
    bench_resend(&b, MSS);
    bench_ack(&b, 6000);
    expect_genuine(&b, 6000);
    core_down(&b.k);
}

/* Step 2.b: without new data, or a window for it, nothing can be found out, and repeating goes on. */
static void nothing_new_to_send(void **state) {
    (void)state;
    for (int window = 0; window < 2; window++) {
        struct bench b;
        timed_out(&b, false);
        if (window)
            b.c->snd_wnd = 9 * MSS;
        else
            b.c->snd_end = b.c->snd_nxt;
        bench_ack(&b, 1000);
        expect_genuine(&b, 1000);
        bench_ack(&b, 2000);
        expect_genuine(&b, 2000);
        core_down(&b.k);
    }
}

/* There is new data, but Nagle's rule holds it: a small segment, and something is outstanding. It is as if there were none. */
static void what_is_new_may_not_leave(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    b.c->snd_end = b.c->snd_nxt + 10;
    bench_ack(&b, 1000);
    struct output_decision d = output_decide(b.t, b.c);
    assert_int_equal(d.reason, BK_REASON_SEND_RTO);
    assert_int_equal(d.seq, BASE + 1000);
    /* What is new may be all that may leave: then its ACK is awaited. */
    b.c->nodelay = true;
    d = output_decide(b.t, b.c);
    assert_int_equal(d.seq, BASE + 10000);
    bench_send(&b, 10);
    assert_int_equal(output_decide(b.t, b.c).reason, BK_REASON_NONE);
    core_down(&b.k);
}

/* New data for which there is no record would join what is lost, and that would count as on its way. */
static void no_record_for_what_is_new(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    b.k.base->config.sent_records = b.t->sent_shared;
    bench_ack(&b, 1000);
    b.k.base->config.sent_records = b.t->sent_shared;
    struct output_decision d = output_decide(b.t, b.c);
    assert_int_equal(d.reason, BK_REASON_SEND_RTO);
    assert_int_equal(d.seq, BASE + 1000);
    core_down(&b.k);
}

/* ---- with SACK (3.1) ------------------------------------------------------------------------------- */

/* Steps 1, 2.b, 3.b. */
static void spurious_with_sack(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    first_ack(&b, 1000);
    bench_ack(&b, 2000);
    expect_spurious(&b, 1000);
    core_down(&b.k);
}

/* Step 2: duplicates before the first new ACK mark what they tell of, and it is waited on; step 3.b then proves it, by a SACK as well. */
static void sacked_meanwhile(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    ACK_SACK(&b, 0, {3000, 4000});
    assert_int_equal(b.t->base.reasons[BK_REASON_NOTE_UNDO], 0);
    assert_int_equal(b.a->recovery.frto, FRTO_REPEATED);
    first_ack(&b, 1000);
    ACK_SACK(&b, 1000, {3000, 5000});
    expect_spurious(&b, 1000);
    core_down(&b.k);
}

/* Step 2: the first new ACK proves nothing, even if it covers more than what went again: the SACKs that would have told of that may have been lost. */
static void more_at_once(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    bench_ack(&b, 3000);
    assert_int_equal(b.a->recovery.frto, FRTO_NEW);
    assert_int_equal(b.t->base.reasons[BK_REASON_NOTE_UNDO], 0);
    bench_send(&b, 2 * MSS);
    bench_ack(&b, 4000);
    expect_spurious(&b, 1000);
    core_down(&b.k);
}

/* Step 3.a: as a duplicate shows; cwnd, which has grown by all that the first ACK covered, is three segments at most. */
static void more_at_once_and_genuine(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    bench_ack(&b, 3000);
    assert_int_equal(b.c->cwnd, 4 * MSS);
    bench_send(&b, 2 * MSS);
    ACK_SACK(&b, 3000, {10000, 11000});
    expect_genuine(&b, 3000);
    core_down(&b.k);
}

/* Step 3.a: the old flight is covered, and the new data, too: which of them drew the ACK is not known. */
static void new_data_arrived_too(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    first_ack(&b, 1000);
    ACK_SACK(&b, 2000, {10000, 11000});
    expect_genuine(&b, 2000);
    core_down(&b.k);
}

/* Steps 1, 2.b, 3.a: the new data is SACKed, and the old flight is not. */
static void genuine_with_sack(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    first_ack(&b, 1000);
    ACK_SACK(&b, 1000, {10000, 11000});
    expect_genuine(&b, 1000);
    core_down(&b.k);
}

/* What was SACKed before the timeout is no news when it is acknowledged. */
static void sacked_before(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true);
    rtt_sample(b.t, b.c, 300000);
    b.c->snd_end += 10 * MSS;
    bench_later(&b, 100000);
    ACK_SACK(&b, 0, {1000, 3000});
    bench_later(&b, 1000000);
    recovery_timeout(b.t, b.c);
    bench_resend(&b, MSS);
    bench_later(&b, 100000);
    bench_ack(&b, 3000);
    assert_int_equal(b.a->recovery.frto, FRTO_NEW);
    assert_int_equal(b.t->base.reasons[BK_REASON_NOTE_UNDO], 0);
    bench_send(&b, MSS);
    ACK_SACK(&b, 3000, {10000, 11000});
    expect_genuine(&b, 3000);
    core_down(&b.k);
}

/* ---- with SACK and without ------------------------------------------------------------------------- */

/* Step 2.a: the ACK covers all. It may be that the first alone was missing. */
static void all_is_covered(void **state) {
    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        struct bench b;
        timed_out(&b, sack);
        bench_ack(&b, 10000);
        assert_int_equal(b.t->base.reasons[BK_REASON_NOTE_UNDO], 0);
        assert_int_equal(b.c->recovery, RECOVERY_OPEN);
        assert_int_equal(b.a->recovery.frto, FRTO_OFF);
        assert_int_equal(b.c->ssthresh, 5000);
        assert_true(b.c->cwnd <= (sack ? 11 : 2) * MSS); /* by slow start (3.1) */
        core_down(&b.k);
    }
}

/* Step 2.a: an ACK of a part of what went again, as a receiver sends that wants to be thought late. */
static void a_part_is_acknowledged(void **state) {
    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        struct bench b;
        timed_out(&b, sack);
        bench_ack(&b, 500);
        expect_genuine(&b, 1000);
        core_down(&b.k);
    }
}

/* The ACK comes before the first segment could leave again: nothing but the original can have drawn it. */
static void before_the_repetition(void **state) {
    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        struct bench b;
        bench_up(&b, sack);
        rtt_sample(b.t, b.c, 300000);
        bench_later(&b, 1000000);
        recovery_timeout(b.t, b.c);
        bench_ack(&b, 1000);
        expect_spurious(&b, 1000);
        core_down(&b.k);
    }
}

/* ---- when it is tried ------------------------------------------------------------------------------ */

/* The same segment times out again: what is undone is what the first timeout took. */
static void after_two_timeouts(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, true);
    bench_later(&b, 2000000);
    recovery_timeout(b.t, b.c);
    assert_int_equal(b.a->recovery.frto, FRTO_REPEATED);
    assert_int_equal(b.c->backoff, 2);
    bench_resend(&b, MSS);
    first_ack(&b, 1000);
    bench_ack(&b, 2000);
    expect_spurious(&b, 1000);
    core_down(&b.k);
}

/* A timeout in fast recovery: the loss is known, and the window has been reduced for it. */
static void not_in_fast_recovery(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true);
    b.c->snd_end += 10 * MSS;
    bench_later(&b, 100000);
    ACK_SACK(&b, 0, {1000, 4000});
    bench_resend(&b, MSS);
    bench_later(&b, 1000000);
    recovery_timeout(b.t, b.c);
    assert_int_equal(b.a->recovery.frto, FRTO_OFF);
    bench_resend(&b, MSS);
    bench_later(&b, 2000000);
    recovery_timeout(b.t, b.c); /* nor if that repetition is lost again (step 1: `recover` is not below SND.UNA) */
    assert_int_equal(b.a->recovery.frto, FRTO_OFF);
    core_down(&b.k);
}

/* Its steps are not gone on with where RACK begins an episode of its own: nobody would end them. */
static void over_in_fast_recovery(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, true);
    b.a->recovery.frto = FRTO_NEW;
    bench_later(&b, 100000);
    ACK_SACK(&b, 0, {1000, 4000});
    assert_int_equal(b.c->recovery, RECOVERY_FAST);
    assert_int_equal(b.a->recovery.frto, FRTO_OFF);
    expect_next(&b, 0, BK_REASON_SEND_FAST_RETRANSMIT);
    core_down(&b.k);
}

/* A timeout for another segment of the same flight, while the first timeout's losses are still repaired (step 1). */
static void not_in_the_recovery_of_a_timeout(void **state) {
    (void)state;
    struct bench b;
    timed_out(&b, false);
    first_ack(&b, 1000);
    bench_ack(&b, 1000);
    expect_genuine(&b, 1000);
    bench_resend(&b, MSS);
    bench_ack(&b, 2000);
    bench_resend(&b, MSS);
    bench_later(&b, 2000000);
    recovery_timeout(b.t, b.c);
    assert_int_equal(b.a->recovery.frto, FRTO_OFF);
    core_down(&b.k);
}

static void turned_off(void **state) {
    (void)state;
    struct bk_config config;
    bk_config_tiny(&config);
    config.sent_records = 100;
    config.congestion = BK_CONGESTION_NEWRENO;
    config.frto = false;
    struct bench b;
    bench_up_with(&b, true, &config);
    b.c->snd_end += 10 * MSS;
    bench_later(&b, 1000000);
    recovery_timeout(b.t, b.c);
    bench_resend(&b, MSS);
    bench_later(&b, 100000);
    bench_ack(&b, 2000);
    expect_genuine(&b, 2000);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spurious),
        cmocka_unit_test(spurious_by_the_second),
        cmocka_unit_test(genuine),
        cmocka_unit_test(duplicates_first),
        cmocka_unit_test(nothing_new_to_send),
        cmocka_unit_test(what_is_new_may_not_leave),
        cmocka_unit_test(no_record_for_what_is_new),
        cmocka_unit_test(spurious_with_sack),
        cmocka_unit_test(sacked_meanwhile),
        cmocka_unit_test(more_at_once),
        cmocka_unit_test(more_at_once_and_genuine),
        cmocka_unit_test(new_data_arrived_too),
        cmocka_unit_test(genuine_with_sack),
        cmocka_unit_test(sacked_before),
        cmocka_unit_test(all_is_covered),
        cmocka_unit_test(a_part_is_acknowledged),
        cmocka_unit_test(before_the_repetition),
        cmocka_unit_test(after_two_timeouts),
        cmocka_unit_test(not_in_fast_recovery),
        cmocka_unit_test(over_in_fast_recovery),
        cmocka_unit_test(not_in_the_recovery_of_a_timeout),
        cmocka_unit_test(turned_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
