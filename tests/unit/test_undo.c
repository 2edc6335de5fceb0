/* Shows what proves that a reduction was for nothing (RFC 3522, RFC 3708 with RFC 2883), what does not, and that everything is as before then. */
#include "recovery_bench.h"

#define WAS_CWND 10000u

struct undo_bench {
    struct bench b;
    uint32_t ssthresh; /* before the episode */
    uint32_t first;    /* our timestamp clock when the flight left */
    uint32_t again;    /* when something of it was first sent again */
};

/* Ten segments are out, and an RTT has passed. */
static void undo_up(struct undo_bench *u, bool sack, bool timestamps) {
    bench_up(&u->b, sack);
    u->b.c->timestamps = timestamps;
    u->ssthresh = u->b.c->ssthresh;
    u->first = timestamp_now(u->b.t, u->b.c->ts_offset);
    assert_int_equal(u->b.c->cwnd, WAS_CWND);
    bench_later(&u->b, 100000);
}

/* The first `lost` segments are taken for lost, for the three behind them have arrived, and are sent again. */
static void fast_recovery(struct undo_bench *u, uint32_t lost) {
    if (u->b.c->sack) {
        ACK_SACK(&u->b, u->b.c->snd_una - BASE,
                 {u->b.c->snd_una - BASE + lost * MSS, u->b.c->snd_una - BASE + (lost + 3) * MSS});
    } else {
        for (int i = 0; i < 3; i++) bench_ack(&u->b, u->b.c->snd_una - BASE);
    }
    assert_int_equal(u->b.c->recovery, RECOVERY_FAST);
    u->again = timestamp_now(u->b.t, u->b.c->ts_offset);
    for (uint32_t i = 0; i < lost; i++) bench_resend(&u->b, MSS);
    expect_nothing_lost(&u->b);
    assert_int_equal(u->b.c->ssthresh, 5000);
    bench_later(&u->b, 10000);
}

static uint64_t undone(const struct undo_bench *u) {
    return u->b.t->base.reasons[BK_REASON_NOTE_UNDO];
}

/* The ACK itself may let the window grow by what it delivered. */
static void expect_undone(const struct undo_bench *u, uint32_t delivered) {
    assert_int_equal(undone(u), 1);
    assert_in_range(u->b.c->cwnd, WAS_CWND, WAS_CWND + delivered);
    assert_int_equal(u->b.c->ssthresh, u->ssthresh);
    assert_int_equal(u->b.c->recovery, u->b.a->board.resent == 0 ? RECOVERY_OPEN : RECOVERY_DISORDER);
    expect_nothing_lost(&u->b);
}

/* It goes on to its end, and the window is halved. The last ACK, which covers a window, is one of congestion avoidance already. */
static void expect_halved(struct undo_bench *u) {
    assert_int_equal(undone(u), 0);
    assert_int_equal(u->b.c->recovery, RECOVERY_FAST);
    u->b.tsecr = 0;
    bench_ack(&u->b, 10000);
    assert_int_equal(undone(u), 0);
    assert_int_equal(u->b.c->recovery, RECOVERY_OPEN);
    assert_in_range(u->b.c->cwnd, 5000, 6000);
    assert_int_equal(u->b.c->ssthresh, 5000);
}

/* ---- by timestamps (RFC 3522 3.2) ------------------------------------------------------------------ */

/* Step 5: the echo is older than the first retransmission, so the original has arrived. */
static void an_older_echo(void **state) {
    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        struct undo_bench u;
        undo_up(&u, sack, true);
        fast_recovery(&u, 1);
        u.b.tsecr = u.first;
        bench_ack(&u.b, 4000);
        expect_undone(&u, 4000);
        core_down(&u.b.k);
    }
}

/* Step 5: ACKs were lost, not segments, if the ACK tells of a duplicate, or covers all and the peer has told of none so far. */
static void acks_were_lost(void **state) {
    (void)state;
    enum { TELLS, COVERS_ALL, TOLD_BEFORE, COVERS_PART, CASES };
    for (int i = 0; i < CASES; i++) {
        struct undo_bench u;
        undo_up(&u, true, true);
        if (i == TOLD_BEFORE) u.b.c->dsack_duplicates = 1;
        u.b.c->segments_retransmitted = 5;
        bench_later(&u.b, 1000000);
        recovery_timeout(u.b.t, u.b.c);
        bench_resend(&u.b, MSS);
        assert_int_equal(u.b.c->ssthresh, 5000);
        bench_later(&u.b, 100000);
        u.b.tsecr = u.first;
        uint32_t to = i == TELLS || i == COVERS_PART ? 9000 : 10000;
        if (i == TELLS)
            ACK_SACK(&u.b, to, {0, 1000});
        else
            bench_ack(&u.b, to);
        assert_int_equal(undone(&u), i == TOLD_BEFORE || i == COVERS_PART);
        core_down(&u.b.k);
    }
}

/* RFC 4015 3.4: what is marked lost is in flight again, and the window stays reduced, if the ACK echoes congestion. */
static void congestion_is_echoed(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, true);
    recovery_timeout(u.b.t, u.b.c);
    bench_resend(&u.b, MSS);
    bench_later(&u.b, 100000);
    u.b.tsecr = u.first;
    u.b.ece = true;
    bench_ack(&u.b, 1000);
    assert_int_equal(undone(&u), 0);
    expect_nothing_lost(&u.b);
    assert_int_equal(u.b.c->recovery, RECOVERY_OPEN);
    assert_int_equal(u.b.c->ssthresh, 5000);
    assert_int_equal(u.b.c->cwnd, MSS);
    core_down(&u.b.k);

    undo_up(&u, true, true);
    fast_recovery(&u, 1);
    u.b.tsecr = u.first;
    u.b.ece = true;
    bench_ack(&u.b, 4000);
    expect_nothing_lost(&u.b);
    assert_int_equal(u.b.c->recovery, RECOVERY_OPEN);
    assert_int_equal(u.b.c->ssthresh, 5000);
    assert_int_equal(u.b.c->cwnd, 5000);
    core_down(&u.b.k);
}

/* The first of several repetitions proves to be for nothing: the others, which are on their way, keep nothing reduced either. */
static void others_are_on_their_way(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, true);
    fast_recovery(&u, 3);
    u.b.tsecr = u.first;
    bench_ack(&u.b, 1000);
    expect_undone(&u, 1000);
    expect_segments(&u.b, 3, 0, 2);
    assert_int_equal(pipe_of(&u.b), 2 * 2 * MSS + 4 * MSS); /* both copies, and what is behind the SACKed */
    bench_ack(&u.b, 6000);
    assert_int_equal(u.b.c->recovery, RECOVERY_OPEN);
    core_down(&u.b.k);
}

/* Of several retransmissions the first counts: an echo of what left between it and the second proves nothing about it. */
static void the_first_retransmission_counts(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, true);
    fast_recovery(&u, 1);
    recovery_lose(u.b.t, u.b.c, scoreboard_first(u.b.t, &u.b.a->board));
    bench_resend(&u.b, MSS); /* 10 ms later */
    u.b.tsecr = u.again + 5;
    bench_ack(&u.b, 4000);
    expect_halved(&u);
    core_down(&u.b.k);
}

static void echoes_that_prove_nothing(void **state) {
    (void)state;
    enum { SAME, LATER, NONE, NOT_AGREED, NOT_ADVANCED, CASES };
    for (int i = 0; i < CASES; i++) {
        struct undo_bench u;
        undo_up(&u, true, i != NOT_AGREED);
        fast_recovery(&u, 1);
        u.b.tsecr = i == SAME ? u.again : i == LATER ? u.again + 1 : i == NONE ? 0 : u.first;
        if (i == NOT_ADVANCED)
            ACK_SACK(&u.b, 0, {1000, 5000});
        else
            bench_ack(&u.b, 4000);
        expect_halved(&u);
        core_down(&u.b.k);
    }
}

/* Before anything was sent again there is nothing that an echo could be older than. */
static void nothing_sent_again_yet(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, true);
    ACK_SACK(&u.b, 0, {2000, 5000});
    assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
    u.b.tsecr = u.first;
    bench_ack(&u.b, 1000);
    expect_halved(&u);
    core_down(&u.b.k);
}

/* After a timeout: the RTO loses its back-off, too. 300 ms, then 1,000 ms: SRTT 387.5 ms, RTTVAR 287.5 ms. */
static void a_timeout_is_undone(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, true);
    struct connection *c = u.b.c;
    rtt_sample(u.b.t, c, 300000);
    assert_int_equal(c->rto_us, 900000);
    bench_later(&u.b, 400000);
    recovery_timeout(u.b.t, c);
    bench_resend(&u.b, MSS);
    bench_later(&u.b, 400000);
    recovery_timeout(u.b.t, c);
    bench_resend(&u.b, MSS);
    assert_int_equal(c->rto_us, 3600000);
    assert_int_equal(c->backoff, 2);
    assert_int_equal(c->cwnd, MSS);
    assert_int_equal(c->ssthresh, 5000);
    expect_segments(&u.b, 0, 10, 1);
    bench_later(&u.b, 100000);
    u.b.tsecr = u.first;
    bench_ack(&u.b, 1000);
    expect_undone(&u, 1000);
    expect_segments(&u.b, 0, 0, 0);
    assert_int_equal(pipe_of(&u.b), 9000);
    assert_int_equal(c->rto_us, 387500 + 4 * 287500);
    assert_int_equal(c->backoff, 0);
    assert_int_equal(c->retransmits, 0);
    core_down(&u.b.k);
}

/* ---- by DSACK -------------------------------------------------------------------------------------- */

/* A duplicate of each retransmission is reported. */
static void all_were_duplicates(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    fast_recovery(&u, 2);
    bench_ack(&u.b, 5000);
    ACK_SACK(&u.b, 5000, {0, 1000});
    assert_int_equal(undone(&u), 0);
    assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
    ACK_SACK(&u.b, 5000, {1000, 2000});
    expect_undone(&u, 5000);
    core_down(&u.b.k);
}

/* One report may tell of both; and it may come when the episode is over. */
static void reported_afterwards(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    fast_recovery(&u, 2);
    bench_ack(&u.b, 10000);
    assert_int_equal(u.b.c->recovery, RECOVERY_OPEN);
    assert_in_range(u.b.c->cwnd, 5000, 6000);
    ACK_SACK(&u.b, 10000, {0, 2000});
    expect_undone(&u, 0);
    core_down(&u.b.k);
}

/* A window later none of its reports would be believed: nothing of it is kept, whose numbers would seem to lie ahead one day. */
static void an_old_episode_is_forgotten(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    u.b.c->max_snd_wnd = 20000;
    fast_recovery(&u, 2);
    bench_ack(&u.b, 10000);
    for (uint32_t to = 11000; to <= 23000; to += 1000) {
        assert_int_equal(u.b.a->recovery.spans, to <= 22000 ? 1 : 0);
        assert_int_equal(u.b.a->recovery.undo_on, to <= 22000);
        bench_send(&u.b, MSS);
        bench_later(&u.b, 1000);
        bench_ack(&u.b, to);
    }
    core_down(&u.b.k);
}

/* One of them repaired a loss. */
static void one_was_needed(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    fast_recovery(&u, 2);
    bench_ack(&u.b, 5000);
    ACK_SACK(&u.b, 5000, {1000, 2000});
    expect_halved(&u);
    bench_ack(&u.b, 10000);
    assert_int_equal(undone(&u), 0);
    core_down(&u.b.k);
}

/* What came twice was no retransmission of this episode: it lies above SND.UNA, or before where the episode began. */
static void duplicates_of_something_else(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    fast_recovery(&u, 1);
    ACK_SACK(&u.b, 0, {6000, 7000}, {5000, 8000});
    expect_halved(&u);
    core_down(&u.b.k);

    undo_up(&u, true, false);
    bench_ack(&u.b, 1000);
    u.ssthresh = u.b.c->ssthresh;
    ACK_SACK(&u.b, 1000, {2000, 5000});
    bench_resend(&u.b, MSS);
    ACK_SACK(&u.b, 1000, {0, 1000}, {2000, 5000});
    assert_int_equal(undone(&u), 0);
    assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
    ACK_SACK(&u.b, 5000,
             {1000, 2000}); /* it acknowledges the episode's own, and tells of it: too early to be of what went again */
    assert_int_equal(undone(&u), 0);
    core_down(&u.b.k);
}

/* RFC 3708 3 A.4: a duplicate of something that was sent once is the network's copy; from then on none proves anything. */
static void a_duplicate_of_what_went_once(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    u.b.c->segments_retransmitted = 5;
    fast_recovery(&u, 2);
    bench_ack(&u.b, 5000);
    ACK_SACK(&u.b, 5000, {3000, 4000});
    ACK_SACK(&u.b, 5000, {0, 2000});
    assert_int_equal(undone(&u), 0);
    bench_ack(&u.b, 10000);
    assert_int_equal(u.b.c->recovery, RECOVERY_OPEN);
    bench_send(&u.b, 10 * MSS);
    bench_later(&u.b, 100000);
    ACK_SACK(&u.b, 10000, {11000, 14000});
    assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
    bench_resend(&u.b, MSS);
    bench_ack(&u.b, 14000);
    ACK_SACK(&u.b, 14000, {10000, 11000});
    assert_int_equal(undone(&u), 0);
    core_down(&u.b.k);
}

/* RFC 3708 3 A.3: what went again twice may have been needed once. */
static void went_again_twice(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    fast_recovery(&u, 1);
    recovery_lose(u.b.t, u.b.c, scoreboard_first(u.b.t, &u.b.a->board));
    bench_resend(&u.b, MSS);
    bench_ack(&u.b, 5000);
    ACK_SACK(&u.b, 5000, {0, 1000});
    ACK_SACK(&u.b, 5000, {0, 1000});
    expect_halved(&u);
    core_down(&u.b.k);
}

/* Reports may cut what went again anywhere, and come in any order. */
static void reported_in_parts(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    fast_recovery(&u, 3);
    bench_ack(&u.b, 6000);
    ACK_SACK(&u.b, 6000, {1000, 2000});
    ACK_SACK(&u.b, 6000, {2000, 3000});
    ACK_SACK(&u.b, 6000, {500, 1000});
    assert_int_equal(undone(&u), 0);
    u.b.c->segments_retransmitted++; /* parts count as segments */
    ACK_SACK(&u.b, 6000, {0, 500});
    expect_undone(&u, 6000);
    core_down(&u.b.k);
}

/* Four spans apart from each other are matched; of more than that nothing is known. */
static void so_many_spans(void **state) {
    (void)state;
    for (uint32_t spans = 4; spans <= 5; spans++) {
        struct undo_bench u;
        undo_up(&u, true, false);
        bench_send(&u.b, 4 * MSS);
        bench_later(&u.b, 100000);
        ACK_SACK(&u.b, 0, {1000, 2000}, {3000, 4000}, {5000, 6000}, {7000, 8000 + (spans == 4) * MSS});
        if (spans == 5) ACK_SACK(&u.b, 0, {9000, 10000}, {1000, 2000}, {3000, 4000}, {5000, 6000});
        assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
        for (uint32_t i = 0; i < spans; i++) bench_resend(&u.b, MSS);
        bench_later(&u.b, 10000);
        uint32_t una = spans == 4 ? 9000 : 10000;
        bench_ack(&u.b, una);
        for (uint32_t i = 0; i < spans; i++) ACK_SACK(&u.b, una, {2 * i * MSS, (2 * i + 1) * MSS});
        assert_int_equal(undone(&u), spans == 4);
        core_down(&u.b.k);
    }
}

/* More duplicates than retransmissions: the network makes them. */
static void copies_that_the_network_made(void **state) {
    (void)state;
    struct undo_bench u;
    undo_up(&u, true, false);
    ACK_SACK(&u.b, 1000, {0, 1000});
    ACK_SACK(&u.b, 1000, {2000, 5000});
    assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
    bench_resend(&u.b, MSS);
    bench_ack(&u.b, 5000);
    ACK_SACK(&u.b, 5000, {1000, 2000});
    assert_int_equal(undone(&u), 0);
    assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
    core_down(&u.b.k);
}

/* ---- what an undo costs ---------------------------------------------------------------------------- */

/* 64 records are taken back into flight, the last ones; what is before them goes again, which is an episode of its own. */
static void so_many_records(void **state) {
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        struct bk_config config;
        bk_config_tiny(&config);
        config.sent_records = 100;
        config.congestion = BK_CONGESTION_NEWRENO;
        struct undo_bench u;
        bench_up_with(&u.b, true, &config);
        u.b.c->timestamps = true;
        u.first = timestamp_now(u.b.t, u.b.c->ts_offset);
        for (uint32_t i = 0; i < 63 + more; i++) bench_send(&u.b, MSS); /* beside the nine that left together */
        bench_later(&u.b, 1000000);
        recovery_timeout(u.b.t, u.b.c);
        bench_resend(&u.b, MSS);
        expect_segments(&u.b, 0, 73 + more, 1);
        bench_later(&u.b, 100000);
        u.b.tsecr = u.first;
        bench_ack(&u.b, 1000);
        assert_int_equal(undone(&u), 1);
        if (more) {
            assert_int_equal(u.b.c->recovery, RECOVERY_FAST);
            assert_int_equal(sent_at_id(u.b.t, scoreboard_next_lost(u.b.t, &u.b.a->board))->seq, BASE + 1000);
            expect_segments(&u.b, 0, 9, 0);
            assert_int_equal(pipe_of(&u.b), 64 * MSS);
        } else {
            assert_int_equal(u.b.c->recovery, RECOVERY_OPEN);
            expect_segments(&u.b, 0, 0, 0);
        }
        core_down(&u.b.k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_echo),
        cmocka_unit_test(acks_were_lost),
        cmocka_unit_test(congestion_is_echoed),
        cmocka_unit_test(others_are_on_their_way),
        cmocka_unit_test(the_first_retransmission_counts),
        cmocka_unit_test(echoes_that_prove_nothing),
        cmocka_unit_test(nothing_sent_again_yet),
        cmocka_unit_test(a_timeout_is_undone),
        cmocka_unit_test(all_were_duplicates),
        cmocka_unit_test(reported_afterwards),
        cmocka_unit_test(an_old_episode_is_forgotten),
        cmocka_unit_test(one_was_needed),
        cmocka_unit_test(duplicates_of_something_else),
        cmocka_unit_test(a_duplicate_of_what_went_once),
        cmocka_unit_test(went_again_twice),
        cmocka_unit_test(reported_in_parts),
        cmocka_unit_test(so_many_spans),
        cmocka_unit_test(copies_that_the_network_made),
        cmocka_unit_test(so_many_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
