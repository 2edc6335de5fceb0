/* Shows congestion control as RFC 5681 and RFC 6582 (NewReno) have it: slow start, avoidance, fast retransmit and recovery, what a
 * timeout does; counted in segments as the wire has them, although the stack sends larger units. */
#include "fixture.h"

static int64_t m; /* the segment size */

static void begin(void) {
    fx.flow.wnd = 65535;
    established();
    m = our_mss();
    expect_call(call_set(BK_TCP_SEND_BUFFER, 200000), 0);
    expect_call(call_set(BK_TCP_CONGESTION, BK_CONGESTION_NEWRENO), 0);
}

/* Sends `n` full segments, all of which leave at once. */
static void fly(int64_t n) {
    int64_t from = fx.flow.seen;
    expect_call(call_send((size_t)(n * m)), n * m);
    for (int64_t i = 0; i < n; i++) expect(SEG(.flags = ACK, .seq = from + i * m, .len = m));
    expect_silence();
}

/* Makes room for `n` segments by slow start: the window must be full for it to grow. */
static void grow(int64_t n) {
    for (int i = 0; i < 50 && call_status().cwnd < n * m; i++) {
        int64_t una = fx.flow.seen, bytes = call_status().cwnd / m * m;
        expect_call(call_send((size_t)bytes), bytes);
        for (ignore_sent(); una < fx.flow.seen; ignore_sent()) receive(SEG(.flags = ACK, .ack = una += m));
    }
    assert_true(call_status().cwnd >= n * m);
}

static void duplicate_acks(int64_t ack, int n) {
    for (int i = 0; i < n; i++) receive(SEG(.flags = ACK, .ack = ack));
}

/* RFC 6928: at most 10 segments. */
static void initial_window(void **state) {
    (void)state;
    begin();
    expect_call(call_send((size_t)(40 * m)), 40 * m);
    assert_in_range(ignore_sent(), 2, 10);
}

/* RFC 5681 3.1: one segment after a lost SYN; RFC 6928 2 lets one retransmission pass, which may have been spurious. */
static void initial_window_after_lost_syns(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    syn_sent();
    advance_by(3100);
    assert_int_equal(ignore_sent(), 2);
    receive(SEG(.flags = SYN | ACK));
    ignore_sent();
    m = our_mss();
    expect_call(call_send((size_t)(10 * m)), 10 * m);
    assert_int_equal(ignore_sent(), 1);
}

/* Each ACK of a segment lets two leave. */
static void slow_start(void **state) {
    (void)state;
    begin();
    expect_call(call_send((size_t)(60 * m)), 60 * m);
    size_t window = ignore_sent();
    int64_t acked = 1;
    for (size_t i = 0; i < window; i++) {
        acked += m;
        receive(SEG(.flags = ACK, .ack = acked));
        assert_int_equal(ignore_sent(), 2);
    }
    assert_int_equal(call_status().cwnd, 2 * (int64_t)window * m);
}

/* Equation 2: an ACK that is split does not count as many. */
static void split_acks(void **state) {
    (void)state;
    begin();
    expect_call(call_send((size_t)(40 * m)), 40 * m);
    ignore_sent();
    uint32_t before = call_status().cwnd;
    for (int i = 1; i <= 10; i++) receive(SEG(.flags = ACK, .ack = 1 + m * i / 10));
    assert_true(call_status().cwnd <= before + (uint32_t)m);
}

/* Equation 3: at ssthresh and above, cwnd grows by about a segment in a round trip. */
static void congestion_avoidance(void **state) {
    (void)state;
    begin();
    grow(12);
    fly(10);
    duplicate_acks(fx.flow.seen - 10 * m, 3); /* a loss makes ssthresh 5 segments */
    ignore_sent();
    receive(SEG(.flags = ACK));
    assert_true(call_status().cwnd <= 5 * m);
    expect_call(call_send((size_t)(100 * m)), 100 * m);
    int64_t una = fx.flow.seen - call_status().in_flight;
    for (ignore_sent(); call_status().cwnd < 5 * m; ignore_sent()) receive(SEG(.flags = ACK, .ack = una += m));
    for (int round = 0; round < 5; round++) {
        uint32_t cwnd = call_status().cwnd;
        for (uint32_t acked = 0; acked < cwnd; acked += (uint32_t)m) receive(SEG(.flags = ACK, .ack = una += m));
        ignore_sent();
        assert_in_range(call_status().cwnd - cwnd, m / 2, 3 * m / 2);
    }
}

/* RFC 5681 3.2. */
static void fast_retransmit(void **state) {
    (void)state;
    begin();
    grow(12);
    int64_t una = fx.flow.seen;
    fly(10);
    duplicate_acks(una, 2);
    expect_reason(BK_REASON_ACCEPT_ACK_DUPLICATE);
    expect_silence();
    duplicate_acks(una, 1);
    expect(SEG(.flags = ACK, .seq = una, .len = m, .reason = BK_REASON_SEND_FAST_RETRANSMIT));
    expect_silence();
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.ssthresh, 5 * m);
    assert_int_equal(info.recovery, 3); /* fast recovery */
    duplicate_acks(una, 6);
    expect_silence(); /* nothing more is sent again */
    receive(SEG(.flags = ACK));
    info = call_status();
    assert_int_equal(info.recovery, 0);
    assert_in_range(info.cwnd, 1, 5 * m);
    assert_int_equal(info.segments_retransmitted, 1);
}

/* 3.2 step 4: more duplicates mean that more has left the network, so new data may follow. */
static void new_data_in_recovery(void **state) {
    (void)state;
    begin();
    grow(12);
    int64_t una = fx.flow.seen;
    fly(10);
    expect_call(call_send((size_t)(20 * m)), 20 * m);
    ignore_sent();
    int64_t end = fx.flow.seen;
    int out = (int)((end - una) / m);
    duplicate_acks(una, 3);
    ignore_sent();
    duplicate_acks(una, out - 4);
    size_t sent = 0;
    while (anything_sent()) {
        next_sent();
        assert_true(last_seq() >= end); /* new */
        sent++;
    }
    assert_in_range(sent, 1, (size_t)out / 2 + 1);
}

/* RFC 3042. */
static void limited_transmit(void **state) {
    (void)state;
    begin();
    expect_call(call_send((size_t)(40 * m)), 40 * m);
    ignore_sent();
    int64_t end = fx.flow.seen;
    uint32_t cwnd = call_status().cwnd;
    duplicate_acks(1, 1);
    expect(SEG(.flags = ACK, .seq = end, .len = m, .reason = BK_REASON_SEND_LIMITED_TRANSMIT));
    duplicate_acks(1, 1);
    expect(SEG(.flags = ACK, .seq = end + m, .len = m, .reason = BK_REASON_SEND_LIMITED_TRANSMIT));
    expect_silence();
    assert_int_equal(call_status().cwnd, cwnd);
    duplicate_acks(1, 1);
    expect(SEG(.flags = ACK, .seq = 1, .len = m));
    assert_int_equal(call_status().ssthresh, cwnd / 2 / (uint32_t)m * (uint32_t)m + cwnd / 2 % (uint32_t)m);
}

/* RFC 6582 3.2 step 3: a partial ACK shows the next hole, and it is filled at once. */
static void partial_acks(void **state) {
    (void)state;
    begin();
    grow(12);
    int64_t una = fx.flow.seen;
    fly(10); /* the first, the fourth and the eighth are lost */
    duplicate_acks(una, 7);
    expect(SEG(.flags = ACK, .seq = una, .len = m));
    expect_silence();
    receive(SEG(.flags = ACK, .ack = una + 3 * m));
    expect(SEG(.flags = ACK, .seq = una + 3 * m, .len = m, .reason = BK_REASON_SEND_PARTIAL_ACK));
    expect_silence();
    assert_int_equal(call_status().recovery, 3);
    receive(SEG(.flags = ACK, .ack = una + 7 * m));
    expect(SEG(.flags = ACK, .seq = una + 7 * m, .len = m));
    expect_silence();
    receive(SEG(.flags = ACK));
    assert_int_equal(call_status().recovery, 0);
    assert_true(call_status().cwnd <= 5 * m);
    assert_int_equal(call_status().segments_retransmitted, 3);
}

/* What looks like a duplicate ACK and is none (RFC 5681 2). */
static void no_duplicate_acks(void **state) {
    (void)state;
    begin();
    grow(12);
    duplicate_acks(fx.flow.seen, 10); /* nothing is outstanding */
    expect_silence();
    int64_t una = fx.flow.seen;
    fly(6);
    for (int i = 0; i < 6; i++) receive(SEG(.flags = ACK, .ack = una, .wnd = 60000 + i)); /* the window changes */
    expect_silence();
    for (int i = 0; i < 6; i++) receive(SEG(.flags = ACK, .ack = una, .len = 10)); /* text comes with it */
    while (anything_sent()) {
        next_sent();
        assert_int_equal(fx.last.len, 0);
    }
    for (int i = 0; i < 6; i++) receive(SEG(.flags = ACK, .ack = una - m)); /* older still */
    expect_silence();
    assert_int_equal(call_status().recovery, 0);
}

/* RFC 5681 3.1: the loss window is one segment. */
static void timeout(void **state) {
    (void)state;
    begin();
    grow(12);
    int64_t una = fx.flow.seen;
    fly(10);
    mark();
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = una, .len = m, .at = 1000, .reason = BK_REASON_SEND_RTO));
    expect_silence(); /* one segment, not a whole unit */
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.cwnd, m);
    assert_int_equal(info.ssthresh, 5 * m);
    advance_by(2000);
    expect(SEG(.flags = ACK, .seq = una, .len = m, .at = 3000));
    expect_silence();
    assert_int_equal(call_status().ssthresh, 5 * m); /* held constant for the same segment */
    receive(SEG(.flags = ACK, .ack = una + m));
    expect(SEG(.flags = ACK, .seq = una + m, .len = m)); /* slow start, over what was lost with it */
    expect(SEG(.flags = ACK, .seq = una + 2 * m, .len = m));
    expect_silence();
    receive(SEG(.flags = ACK, .ack = una + 10 * m)); /* the rest had arrived */
    expect_silence();
    expect_call(call_send((size_t)m), m);
    expect(SEG(.flags = ACK, .seq = una + 10 * m, .len = m));
}

/* RFC 3465 2.3: after a timeout an ACK adds one segment at most, however much it covers. */
static void stretched_ack_after_a_timeout(void **state) {
    (void)state;
    begin();
    grow(22);
    int64_t una = fx.flow.seen;
    fly(20);
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = una, .len = m));
    receive(SEG(.flags = ACK, .ack = una + 8 * m));
    assert_true(call_status().cwnd <= 2 * m);
}

/* RFC 6582 4.1: duplicate ACKs that the retransmissions themselves cause start no fast retransmit. */
static void duplicates_after_a_timeout(void **state) {
    (void)state;
    begin();
    grow(12);
    int64_t una = fx.flow.seen;
    fly(10);
    advance_by(1100);
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = una + m));
    ignore_sent();
    duplicate_acks(una + m, 4);
    while (anything_sent()) {
        next_sent();
        assert_true(last_seq() > una + m);
    }
    assert_int_not_equal(call_status().recovery, 3);
}

/* ssthresh never falls below two segments. */
static void least_ssthresh(void **state) {
    (void)state;
    begin();
    fly(1);
    advance_by(1100);
    ignore_sent();
    assert_int_equal(call_status().ssthresh, 2 * m);
}

/* RFC 5681 4.1: an idle connection begins anew. */
static void restart_after_idle(void **state) {
    (void)state;
    begin();
    grow(30);
    advance_by(60000);
    expect_call(call_send((size_t)(30 * m)), 30 * m);
    assert_in_range(ignore_sent(), 2, 10);
}

/* A loss at the end of a flight, where too few duplicates come: the timer repairs it. */
static void tail_loss(void **state) {
    (void)state;
    begin();
    fly(3);
    receive(SEG(.flags = ACK, .ack = 1 + 2 * m));
    expect_silence();
    mark();
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = 1 + 2 * m, .len = m, .at = 1000));
    receive(SEG(.flags = ACK));
    advance_by(10000);
    expect_silence();
}

/* The whole stream arrives through a lossy peer, in the end. */
static void every_third_segment_is_lost(void **state) {
    (void)state;
    fx.config.retries2 = 15;
    begin();
    int64_t total = 100 * m, have = 1;
    bool got[100] = {false};
    expect_call(call_send((size_t)total), total);
    unsigned n = 0;
    for (int turn = 0; turn < 50000 && have < total + 1; turn++) {
        bool any = false;
        while (anything_sent()) {
            next_sent();
            any = true;
            if (++n % 3 == 0 || fx.last.len == 0) continue;
            for (int64_t k = (last_seq() - 1 + m - 1) / m; (k + 1) * m < last_end(); k++) got[k] = true;
            while (have < total + 1 && got[(have - 1) / m]) have += m;
            receive(SEG(.flags = ACK, .ack = have));
        }
        if (!any) advance_by(100);
    }
    if (have != total + 1) fixture_fail("only %ld of %ld arrived", (long)have, (long)total);
    assert_int_equal(call_status().bytes_acked, total);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(initial_window),
        BOTH(initial_window_after_lost_syns),
        BOTH(slow_start),
        BOTH(split_acks),
        BOTH(congestion_avoidance),
        BOTH(fast_retransmit),
        BOTH(new_data_in_recovery),
        BOTH(limited_transmit),
        BOTH(partial_acks),
        BOTH(no_duplicate_acks),
        BOTH(timeout),
        BOTH(stretched_ack_after_a_timeout),
        BOTH(duplicates_after_a_timeout),
        BOTH(least_ssthresh),
        BOTH(restart_after_idle),
        BOTH(tail_loss),
        BOTH(every_third_segment_is_lost),
    };
    return run_fixture_tests(tests);
}
