/* Shows the timers: RTO by RFC 6298 with Karn's algorithm and back-off, R2, SYN retries, user timeout, keep-alive. */
#include <errno.h>

#include "fixture.h"

static void fast_timers(void) {
    fx.config.rto_min_ms = 200;
    fx.config.rto_initial_ms = 1000;
}

/* One exchange of `rtt` milliseconds: a sample. */
static void sample(uint64_t rtt) {
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .len = 100));
    advance_by(rtt);
    expect_silence();
    receive(SEG(.flags = ACK));
}

/* Sends and expects the first retransmission after `rto` milliseconds. */
static void expect_rto(int64_t rto) {
    expect_call(call_send(100), 100);
    next_sent();
    int64_t seq = last_seq();
    mark();
    advance_by((uint64_t)rto + 50);
    expect(SEG(.flags = ACK, .seq = seq, .len = 100, .at = rto, .reason = BK_REASON_SEND_RTO));
    expect_silence();
}

/* RFC 6298 2.1: until an RTT is known, 1 second; 5.5: doubled each time, up to the maximum. */
static void back_off(void **state) {
    (void)state;
    fx.config.retries2 = 12;
    fx.config.rto_max_ms = 10000;
    fast_timers();
    fx.passive = true;
    request();
    advance_by(700); /* so that the handshake gives no sample below the initial RTO: 700 ms, and 350 ms deviation */
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100));
    mark();
    advance_by(60000);
    uint64_t before = fx.marked, gap = 0;
    int n = 0;
    while (anything_sent()) {
        next_sent();
        assert_int_equal(last_seq(), 1);
        assert_int_equal(fx.last.len, 100);
        uint64_t step = fx.last_time - before;
        if (gap) {
            uint64_t wanted = 2 * gap > 10000 * MS ? 10000 * MS : 2 * gap;
            assert_in_range(step, wanted, wanted + TOLERANCE_MS * MS);
        }
        gap = step;
        before = fx.last_time;
        n++;
    }
    assert_true(n >= 7);
}

static void initial_rto(void **state) {
    (void)state;
    fast_timers();
    syn_sent();
    mark();
    advance_by(1100);
    expect(SEG(.flags = SYN, .seq = 0, .at = 1000, .reason = BK_REASON_SEND_SYN_AGAIN));
}

/* 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR = 3 R. */
static void first_sample(void **state) {
    (void)state;
    fast_timers();
    syn_sent();
    advance_by(400);
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK));
    struct bk_tcp_info info = call_status();
    assert_in_range(info.srtt_us, 399000, 401000);
    assert_in_range(info.rttvar_us, 199000, 201000);
    assert_in_range(info.rto_us, 1199000, 1201000);
    expect_rto(1200);
}

/* 2.3, with R' = 400: RTTVAR = 3/4 200 + 1/4 0 = 150, SRTT = 400, RTO = 1,000; then R' = 800: RTTVAR = 3/4 150 + 1/4 400 =
 * 212.5, SRTT = 7/8 400 + 1/8 800 = 450, RTO = 1,300. */
static void later_samples(void **state) {
    (void)state;
    fast_timers();
    syn_sent();
    advance_by(400);
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK));
    sample(400);
    assert_in_range(call_status().rto_us, 999000, 1001000);
    sample(800);
    struct bk_tcp_info info = call_status();
    assert_in_range(info.srtt_us, 449000, 451000);
    assert_in_range(info.rto_us, 1299000, 1301000);
    expect_rto(1300);
}

static void lower_bound(void **state) {
    (void)state;
    fast_timers();
    established();
    for (int i = 0; i < 20; i++) sample(10);
    assert_in_range(call_status().srtt_us, 9000, 10000);
    assert_int_equal(call_status().rto_us, call_status().srtt_us + 200000);
    expect_rto(209);
}

/* 5.2, 5.3: an ACK of all turns the timer off, one of some starts it anew. */
static void restarted_by_new_acks(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    for (int i = 0; i < 3; i++) expect_call(call_send(100), 100);
    ignore_sent();
    advance_by(900);
    receive(SEG(.flags = ACK, .ack = 101));
    mark();
    int64_t rto = call_status().rto_us / 1000;
    advance_by((uint64_t)rto - 10);
    expect_silence();
    advance_by(20);
    expect(SEG(.flags = ACK, .seq = 101, .at = rto, .len = SOME));
    receive(SEG(.flags = ACK, .ack = 301));
    ignore_sent();
    advance_by(100000);
    expect_silence();
}

/* Karn: an ACK of what was sent twice gives no sample, and the back-off stays until new data is acknowledged (RFC 9293 3.8.2). */
static void karn(void **state) {
    (void)state;
    fast_timers();
    established();
    for (int i = 0; i < 10; i++) sample(100);
    uint32_t srtt = call_status().srtt_us;
    int64_t rto = call_status().rto_us / 1000;
    expect_rto(rto);
    advance_by(30); /* the ACK could be of either transmission */
    receive(SEG(.flags = ACK));
    assert_int_equal(call_status().srtt_us, srtt);
    expect_rto(2 * rto);
    receive(SEG(.flags = ACK));
    ignore_sent();
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .len = 100));
    advance_by(100);
    ignore_sent();
    receive(SEG(.flags = ACK)); /* sent once, acknowledged: a sample again, and no back-off */
    assert_true(call_status().rto_us / 1000 <= rto + 10);
}

/* New data that needed no retransmission ends the back-off, also when the ACK that covers it was held up by a hole before it. */
static void back_off_ends_behind_a_hole(void **state) {
    (void)state;
    fast_timers();
    fx.flow.wnd = 65535;
    established();
    for (int i = 0; i < 10; i++) sample(100);
    int64_t rto = call_status().rto_us / 1000, m = our_mss();
    expect_call(call_send((size_t)m), m);
    next_sent();
    advance_by((uint64_t)rto + 10);
    expect(SEG(.flags = ACK, .len = m, .reason = BK_REASON_SEND_RTO));
    receive(SEG(.flags = ACK));
    assert_true(call_status().rto_us / 1000 >= 2 * rto - 1);
    int64_t hole = fx.flow.seen;
    expect_call(call_send((size_t)m * 4), m * 4);
    assert_int_equal(ignore_sent(), 2); /* the first of them is lost */
    advance_by(100);
    for (int i = 0; i < 3; i++) receive(SEG(.flags = ACK, .ack = hole));
    expect(SEG(.flags = ACK, .seq = hole + 2 * m, .len = m));
    expect(SEG(.flags = ACK, .seq = hole + 3 * m, .len = m));
    /* The duplicates acknowledge no more than the timeout's recovery point: no fast retransmit (RFC 6582 3.2 step 2). */
    expect_silence();
    advance_by(2 * (uint64_t)rto);
    expect(SEG(.flags = ACK, .seq = hole, .len = m, .reason = BK_REASON_SEND_RTO));
    assert_true(call_status().rto_us / 1000 >= 4 * rto - 1);
    advance_by(10);
    receive(SEG(.flags = ACK)); /* of all four, three of which were sent once */
    assert_true(call_status().rto_us / 1000 < 2 * rto - 1);
}

/* With timestamps the echo tells which transmission it was (RFC 7323 4.1). */
static void karn_with_timestamps(void **state) {
    (void)state;
    fast_timers();
    fx.flow.timestamps = true;
    established();
    for (int i = 0; i < 10; i++) sample(100);
    int64_t rto = call_status().rto_us / 1000;
    expect_call(call_send(100), 100);
    next_sent();
    advance_by((uint64_t)rto + 10);
    next_sent(); /* the retransmission, whose timestamp the peer echoes */
    advance_by(80);
    receive(SEG(.flags = ACK));
    assert_in_range(call_status().rto_us, 200000, (uint64_t)rto * 1000 + 50000);
}

/* RFC 6298 5.7: a SYN that was lost makes the RTO 3 seconds when data begins. */
static void after_a_lost_syn(void **state) {
    (void)state;
    syn_sent();
    advance_by(1100);
    expect(SEG(.flags = SYN, .seq = 0));
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK));
    expect_rto(3000);
}

/* The same for a SYN-ACK. */
static void after_a_lost_syn_ack(void **state) {
    (void)state;
    request();
    advance_by(1100);
    expect(SEG(.flags = SYN | ACK, .seq = 0));
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    expect_rto(3000);
}

static void r2(void **state) {
    (void)state;
    fx.config.retries2 = 3;
    established();
    expect_call(call_send(100), 100);
    mark();
    advance_by(100000);
    expect(SEG(.flags = ACK, .len = 100));
    for (int i = 0; i < 3; i++) expect(SEG(.flags = ACK, .len = 100));
    expect_if(SEG(.flags = RST | MAYBE_ACK));
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
    expect_call(call_send(1), -ETIMEDOUT);
    expect_call(call_receive(1), -ETIMEDOUT);
}

/* R2 counts the same segment's retransmissions: progress begins anew. */
static void r2_counts_one_segment(void **state) {
    (void)state;
    fx.config.retries2 = 3;
    established();
    for (int i = 0; i < 6; i++) {
        expect_call(call_send(100), 100);
        next_sent();
        advance_by(call_status().rto_us / 1000 + 10);
        assert_int_equal(ignore_sent(), 1);
        receive(SEG(.flags = ACK));
    }
    expect_state(BK_ESTABLISHED);
}

static void syn_retries(void **state) {
    (void)state;
    fx.config.syn_retries = 2;
    syn_sent();
    mark();
    advance_by(100000);
    expect(SEG(.flags = SYN, .at = 1000));
    expect(SEG(.flags = SYN, .at = 3000));
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
}

/* The first SYNs that go again do so at one distance, then it doubles; `syn_retries` counts those that come then. */
static void syn_linear_timeouts(void **state) {
    (void)state;
    fx.config.syn_retries = 2;
    fx.config.syn_linear_timeouts = 3;
    syn_sent();
    mark();
    advance_by(100000);
    static const uint32_t at[] = {1000, 2000, 3000, 4000, 6000};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        expect(SEG(.flags = SYN, .at = at[i], .reason = BK_REASON_SEND_SYN_AGAIN));
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
}

/* SYNs that cross: what went again before counts, and so it is bounded as before, not as a passive open's SYN-ACK is. Found by simulation. */
static void syn_retries_when_syns_cross(void **state) {
    (void)state;
    fx.config.syn_retries = 2;
    fx.config.syn_linear_timeouts = 3;
    fx.config.syn_ack_retries = 1;
    syn_sent();
    mark();
    advance_by(2100);
    for (int i = 1; i <= 2; i++) expect(SEG(.flags = SYN, .at = 1000 * i, .reason = BK_REASON_SEND_SYN_AGAIN));
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .ack = 1));
    advance_by(100000);
    for (int i = 3; i <= 5; i++) expect(SEG(.flags = SYN | ACK, .ack = 1, .reason = BK_REASON_SEND_SYN_ACK_AGAIN));
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
}

/* A connection's own number of SYNs, and the cap of the RTO, hold from the first one on. */
static void syn_retries_of_a_connection(void **state) {
    (void)state;
    fx.config.syn_retries = 9;
    fx.config.rto_max_ms = 1500;
    syn_sent();
    mark();
    uint64_t value = 0;
    assert_int_equal(bk_tcp_get(fx.stack, fx.flow.conn, BK_TCP_SYN_RETRIES, &value), 0);
    assert_int_equal(value, 9);
    expect_call(call_set(BK_TCP_SYN_RETRIES, 128), -EINVAL);
    expect_call(call_set(BK_TCP_SYN_RETRIES, 2), 0);
    advance_by(4020);
    expect(SEG(.flags = SYN, .at = 1000));
    expect(SEG(.flags = SYN, .at = 2500));
    expect_silence();
    expect_state(BK_CLOSED);
}

/* MUST-23: at least 3 minutes for a SYN; SHLD-11: at least 100 s for data; MUST-25, MUST-28: keep-alive off, 2 hours. */
static void defaults(void **state) {
    (void)state;
    struct bk_config c;
    bk_config_default(&c);
    uint64_t syn = 0, data = 0, rto = c.rto_initial_ms;
    for (uint32_t i = 0; i <= c.syn_retries; i++, rto = rto * 2 > c.rto_max_ms ? c.rto_max_ms : rto * 2) syn += rto;
    rto = c.rto_min_ms;
    for (uint32_t i = 0; i <= c.retries2; i++, rto = rto * 2 > c.rto_max_ms ? c.rto_max_ms : rto * 2) data += rto;
    assert_true(syn >= 180000);
    assert_true(data >= 100000);
    assert_true(c.rto_max_ms >= 60000); /* RFC 6298 2.5 */
    assert_true(c.keepalive_idle_s >= 7200);
    assert_true(c.delayed_ack_ms < 500);
    established();
    uint64_t on = 1;
    assert_int_equal(bk_tcp_get(fx.stack, fx.flow.conn, BK_TCP_KEEPALIVE, &on), 0);
    assert_int_equal(on, 0);
    advance_by(36000000);
    expect_silence();
}

static void user_timeout(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_USER_TIMEOUT_MS, 10000), 0);
    advance_by(100000); /* idle: it does not run */
    expect_state(BK_ESTABLISHED);
    expect_call(call_send(100), 100);
    mark();
    advance_by(9990);
    expect_state(BK_ESTABLISHED);
    advance_by(20);
    ignore_sent();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
    assert_int_equal(heard() & BK_READY_CLOSED, BK_READY_CLOSED);
}

static void user_timeout_begins_anew_with_progress(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_USER_TIMEOUT_MS, 10000), 0);
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    for (int i = 0; i < 10; i++) expect_call(call_send(100), 100);
    for (int i = 1; i <= 10; i++) {
        advance_by(8000);
        receive(SEG(.flags = ACK, .ack = 1 + 100 * i));
    }
    ignore_sent();
    expect_state(BK_ESTABLISHED);
}

/* MUST-21: the application may make R2 as long as it likes. */
static void user_timeout_longer_than_r2(void **state) {
    (void)state;
    fx.config.retries2 = 2;
    established();
    expect_call(call_set(BK_TCP_USER_TIMEOUT_MS, 600000), 0);
    expect_call(call_send(100), 100);
    advance_by(590000);
    expect_state(BK_ESTABLISHED);
    advance_by(20000);
    expect_state(BK_CLOSED);
}

static void keepalive_on(void) {
    expect_call(call_set(BK_TCP_KEEPALIVE_IDLE_S, 60), 0);
    expect_call(call_set(BK_TCP_KEEPALIVE_INTERVAL_S, 10), 0);
    expect_call(call_set(BK_TCP_KEEPALIVE_PROBES, 3), 0);
    expect_call(call_set(BK_TCP_KEEPALIVE, 1), 0);
}

static void keepalive_answered(void **state) {
    (void)state;
    established();
    keepalive_on();
    for (int i = 0; i < 5; i++) {
        mark();
        advance_by(60010);
        expect(SEG(.flags = ACK, .seq = 0, .ack = 1, .at = 60000, .reason = BK_REASON_SEND_KEEPALIVE));
        receive(SEG(.flags = ACK));
        expect_silence();
    }
    expect_state(BK_ESTABLISHED);
}

/* MUST-29: one probe unanswered is no dead peer. */
static void keepalive_answered_late(void **state) {
    (void)state;
    established();
    keepalive_on();
    mark();
    advance_by(80010);
    expect(SEG(.flags = ACK, .seq = 0, .at = 60000));
    expect(SEG(.flags = ACK, .seq = 0, .at = 70000));
    expect(SEG(.flags = ACK, .seq = 0, .at = 80000));
    receive(SEG(.flags = ACK));
    advance_by(59000);
    expect_silence();
    expect_state(BK_ESTABLISHED);
    mark();
    advance_by(32000);
    ignore_sent();
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
}

/* MUST-26: data that arrives puts it off. */
static void keepalive_put_off(void **state) {
    (void)state;
    established();
    keepalive_on();
    for (int i = 0; i < 5; i++) {
        advance_by(50000);
        receive(SEG(.flags = ACK, .len = 10));
        advance_by(200);
        expect(SEG(.flags = ACK, .seq = 1, .ack = 11 + 10 * i));
        expect_call(call_receive(100), 10);
    }
    expect_silence();
    expect_call(call_set(BK_TCP_KEEPALIVE, 0), 0);
    advance_by(1000000);
    expect_silence();
}

/* A probe of the peer's is answered, with or without its garbage octet. */
static void keepalive_of_the_peer(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 10));
    advance_by(200);
    ignore_sent();
    receive(SEG(.flags = ACK, .seq = 10));
    expect_reason(BK_REASON_ACCEPT_KEEPALIVE);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 11));
    advance_by(75000);
    receive(SEG(.flags = ACK, .seq = 10, .len = 1));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 11));
    expect_call(call_receive(100), 10);
    expect_call(call_receive(100), -EAGAIN);
}

static void nothing_to_wait_for(void **state) {
    (void)state;
    established();
    assert_true(bk_next_deadline(fx.stack) == BK_NEVER);
    expect_call(call_send(10), 10);
    ignore_sent();
    assert_true(bk_next_deadline(fx.stack) <= fx.now + 1000 * MS);
    receive(SEG(.flags = ACK));
    advance_by(2000); /* a coarse slot of the wheel may still be looked at */
    assert_true(bk_next_deadline(fx.stack) == BK_NEVER);
}

/* A `now` that lies before an earlier one is treated as that one. */
static void time_does_not_run_back(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    ignore_sent();
    bk_advance(fx.stack, 0);
    expect_silence();
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = 1, .len = 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(back_off),
        BOTH(initial_rto),
        BOTH(first_sample),
        BOTH(later_samples),
        BOTH(lower_bound),
        BOTH(restarted_by_new_acks),
        BOTH(karn),
        BOTH(back_off_ends_behind_a_hole),
        BOTH(karn_with_timestamps),
        BOTH(after_a_lost_syn),
        BOTH(after_a_lost_syn_ack),
        BOTH(r2),
        BOTH(r2_counts_one_segment),
        BOTH(syn_retries),
        BOTH(syn_linear_timeouts),
        BOTH(syn_retries_when_syns_cross),
        BOTH(syn_retries_of_a_connection),
        BOTH(defaults),
        BOTH(user_timeout),
        BOTH(user_timeout_begins_anew_with_progress),
        BOTH(user_timeout_longer_than_r2),
        BOTH(keepalive_answered),
        BOTH(keepalive_answered_late),
        BOTH(keepalive_put_off),
        BOTH(keepalive_of_the_peer),
        BOTH(nothing_to_wait_for),
        BOTH(time_does_not_run_back),
    };
    return run_fixture_tests(tests);
}
