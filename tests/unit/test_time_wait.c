/* Shows that TIME-WAIT lasts 2MSL, answers what it must, ends early for a SYN that is certainly new, and is bounded in memory. */
#include <errno.h>

#include "fixture.h"

static void lasts_2msl(void **state) {
    (void)state;
    fx.config.msl_ms = 5000;
    time_wait();
    mark();
    advance_by(9990);
    expect_state(BK_TIME_WAIT);
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_TIME_WAIT_OVER), 0);
    advance_by(15);
    expect_state(BK_CLOSED);
    expect_silence();
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_TIME_WAIT_OVER), 1);
}

/* Its record is small: 64 bytes or less for IPv4. */
static void record_size(void **state) {
    (void)state;
    fx.orphan = true;
    time_wait();
    struct bk_pool_info info;
    bk_pool_info(fx.stack, fx.family == 4 ? BK_POOL_TIME_WAITS_IPV4 : BK_POOL_TIME_WAITS_IPV6, &info);
    print_message("a TIME-WAIT record over IPv%d: %u bytes\n", fx.family, (unsigned)info.object_size);
    assert_int_equal(info.in_use, 1);
    if (fx.family == 4) assert_true(info.object_size <= 64);
    bk_pool_info(fx.stack, fx.family == 4 ? BK_POOL_REQUESTS_IPV4 : BK_POOL_REQUESTS_IPV6, &info);
    print_message("a request over IPv%d: %u bytes\n", fx.family, (unsigned)info.object_size);
    if (fx.family == 4) assert_true(info.object_size <= 64);
    bk_pool_info(fx.stack, BK_POOL_CONNECTIONS, &info);
    assert_int_equal(info.in_use, 0); /* nothing else of the connection is left */
    bk_pool_info(fx.stack, BK_POOL_ACTIVE, &info);
    assert_int_equal(info.in_use, 0);
}

static void fin_again(void **state) {
    (void)state;
    time_wait();
    mark();
    for (int i = 0; i < 3; i++) {
        advance_by(50000);
        receive(SEG(.flags = FIN | ACK, .seq = 1));
        expect_reason(BK_REASON_ANSWER_TIME_WAIT_FIN);
        expect(SEG(.flags = ACK, .seq = 2, .ack = 2, .reason = BK_REASON_SEND_TIME_WAIT_ACK));
    }
    advance_by(59990);
    expect_state(BK_TIME_WAIT);
    advance_by(20);
    expect_state(BK_CLOSED);
}

/* RFC 1337: neither the exact RST nor any other ends it. */
static void rst_is_ignored(void **state) {
    (void)state;
    time_wait();
    for (int seq = 0; seq < 5; seq++) {
        receive(SEG(.flags = RST, .seq = seq));
        expect_reason(BK_REASON_DROP_RST_TIME_WAIT);
        receive(SEG(.flags = RST | ACK, .seq = seq));
    }
    expect_silence();
    expect_state(BK_TIME_WAIT);
    assert_true(bk_reason_count(fx.stack, BK_REASON_DROP_RST_TIME_WAIT) >= 5);
}

static void port_is_not_reused(void **state) {
    (void)state;
    time_wait();
    expect_call(call_connect(), -EADDRINUSE);
    fx.flow.held = false;
    advance_by(60010);
    new_incarnation(5);
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .seq = 0));
}

/* We are the server, closed first, and the client comes again from the same port. */
static void server_in_time_wait(bool timestamps) {
    fx.passive = fx.orphan = true;
    fx.flow.timestamps = timestamps;
    time_wait();
}

/* Sends a SYN, `seq` from RCV.NXT, its timestamp `ts` from the peer's last, and says whether it opened a new incarnation. */
static bool syn_opens(int64_t seq, bool timestamp, int64_t ts) {
    uint32_t old_end = fx.flow.iss + (uint32_t)fx.flow.seen;
    int64_t last_ts = (int64_t)fx.flow.ts_base + (int64_t)(fx.now / MS);
    advance_by(700);
    receive(SEG(.flags = SYN, .seq = fx.flow.nxt + seq, .tsval = timestamp ? last_ts + ts : ABSENT));
    next_sent();
    expect_silence();
    if (!(fx.last.flags & SYN)) {
        assert_int_equal(fx.last.flags & (ACK | RST), ACK);
        assert_int_equal(fx.last.ack, fx.flow.isn + (uint32_t)fx.flow.nxt);
        expect_state(BK_TIME_WAIT);
        return false;
    }
    assert_int_equal(fx.last.flags & ACK, ACK);
    assert_true((int32_t)(fx.last.seq - old_end) > 0); /* 3.6.1 (1): above all that the old one used */
    expect_state(BK_SYN_RECEIVED);
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_TIME_WAIT_REUSED), 1);
    return true;
}

/* RFC 6191 2, case by case. */
static void both_ts_newer(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_true(syn_opens(-100000, true, 1));
}
static void both_ts_equal_seq_greater(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_true(syn_opens(1000, true, 0));
}
static void both_ts_equal_seq_lower(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_false(syn_opens(-1000, true, 0));
}
static void both_ts_older(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_false(syn_opens(1000, true, -1));
}
static void ts_gone_seq_greater(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_true(syn_opens(1000, false, 0));
}
static void ts_gone_seq_lower(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_false(syn_opens(-1000, false, 0));
}
static void ts_new_seq_lower(void **state) {
    (void)state;
    server_in_time_wait(false);
    assert_true(syn_opens(-1000, true, 0));
}
static void no_ts_seq_greater(void **state) {
    (void)state;
    server_in_time_wait(false);
    assert_true(syn_opens(1000, false, 0));
}
static void no_ts_seq_lower(void **state) {
    (void)state;
    server_in_time_wait(false);
    assert_false(syn_opens(-1000, false, 0));
}

/* The old incarnation used numbers faster than the ISN clock gives them out: the new one begins above them all the same. */
static void new_isn_above_a_fast_one(void **state) {
    (void)state;
    fx.passive = true;
    fx.flow.wnd = 65535;
    established();
    for (int i = 0; i < 20; i++) {
        for (expect_call(call_send(20000), 20000); anything_sent();) {
            ignore_sent();
            receive(SEG(.flags = ACK));
        }
    }
    assert_true(fx.flow.seen > 400000); /* in no time at all: the clock would take more than a second */
    expect_call(call_close(), 0);
    expect(SEG(.flags = FIN | ACK));
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK));
    expect_state(BK_TIME_WAIT);
    assert_true(syn_opens(1000, false, 0));
}

static void new_incarnation_works(void **state) {
    (void)state;
    server_in_time_wait(true);
    assert_true(syn_opens(5000, true, 10));
    struct wire_seg syn_ack = fx.last;
    new_incarnation(fx.flow.isn + (uint32_t)fx.flow.nxt + 5000);
    fx.flow.iss = syn_ack.seq;
    fx.flow.iss_known = fx.flow.ts_on = true;
    fx.flow.ts_seen = syn_ack.tsval;
    fx.flow.nxt = fx.flow.seen = 1;
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_state(BK_ESTABLISHED);
    expect_call(call_accept(), 0);
    expect_call(call_receive(100), 10);
}

/* Whoever still holds the old connection sees it end, without an error. */
static void owner_of_the_old_incarnation(void **state) {
    (void)state;
    fx.passive = true;
    time_wait();
    fx.flow.held = false; /* for expect_state: the tuple is no longer its own */
    assert_true(syn_opens(1000, false, 0));
    struct bk_tcp_info info = call_status();
    assert_true(info.state == BK_TIME_WAIT || info.state == BK_CLOSED);
    assert_int_equal(info.error, 0);
    expect_call(call_receive(10), 0);
    expect_call(call_send(10), -EPIPE);
    expect_call(call_close(), 0);
    expect_state(BK_SYN_RECEIVED);
}

/* At its bound the oldest goes, and is counted. */
static void bounded(void **state) {
    (void)state;
    fx.config.time_waits_ipv4 = fx.config.time_waits_ipv6 = 4;
    fx.orphan = true;
    struct flow flows[7];
    for (int i = 0; i < 7; i++) {
        fx.flow = flow_like(&fx.flow, (uint16_t)(40000 + i), 0);
        time_wait();
        flows[i] = fx.flow;
        advance_by(10);
    }
    for (int i = 0; i < 7; i++) {
        fx.flow = flows[i];
        expect_state(i < 3 ? BK_CLOSED : BK_TIME_WAIT);
    }
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_TIME_WAIT_EVICTED), 3);
    struct bk_pool_info info;
    bk_pool_info(fx.stack, fx.family == 4 ? BK_POOL_TIME_WAITS_IPV4 : BK_POOL_TIME_WAITS_IPV6, &info);
    assert_int_equal(info.in_use, 4);
    assert_int_equal(info.high_water, 4);
    fx.flow = flows[0];
    receive(SEG(.flags = FIN | ACK, .seq = 1)); /* it is as if it had never been */
    expect(SEG(.flags = RST));
}

/* They end in the order of their beginning, but for the one whose FIN came again. */
static void end_in_order(void **state) {
    (void)state;
    fx.orphan = true;
    struct flow flows[3];
    for (int i = 0; i < 3; i++) {
        fx.flow = flow_like(&fx.flow, (uint16_t)(40000 + i), 0);
        time_wait();
        flows[i] = fx.flow;
        advance_by(1000);
    }
    fx.flow = flows[1];
    receive(SEG(.flags = FIN | ACK, .seq = 1));
    expect(SEG(.flags = ACK, .ack = 2));
    advance_by(57010); /* 60 s after the first began */
    fx.flow = flows[0];
    expect_state(BK_CLOSED);
    fx.flow = flows[2];
    expect_state(BK_TIME_WAIT);
    advance_by(2000);
    expect_state(BK_CLOSED);
    fx.flow = flows[1];
    expect_state(BK_TIME_WAIT);
    advance_by(1000);
    expect_state(BK_CLOSED);
    assert_true(bk_next_deadline(fx.stack) == BK_NEVER);
}

/* PAWS holds in TIME-WAIT too: an old duplicate of the FIN does not restart the wait. */
static void old_duplicate_fin(void **state) {
    (void)state;
    server_in_time_wait(true);
    mark();
    advance_by(30000);
    receive(SEG(.flags = FIN | ACK, .seq = 1, .tsval = (int64_t)fx.flow.ts_base - 100));
    expect(SEG(.flags = ACK, .ack = 2)); /* RFC 7323 5.3 R1 */
    advance_by(30010);
    expect_state(BK_LISTEN);
}

/* ACKs in return are limited: two TIME-WAITs must not talk to each other for ever. */
static void answers_are_limited(void **state) {
    (void)state;
    time_wait();
    unsigned answers = 0;
    for (int i = 0; i < 20; i++) {
        receive(SEG(.flags = ACK, .seq = -50, .len = 10));
        answers += (unsigned)ignore_sent();
    }
    assert_in_range(answers, 1, 3);
    receive(SEG(.flags = ACK, .seq = 2));
    expect_silence();
}

/* RFC 9293 3.10.7.4: the sequence number is looked at before the ACK bit. */
static void without_ack_bit(void **state) {
    (void)state;
    time_wait();
    receive(SEG(.flags = PSH, .seq = 2, .len = 10));
    expect_reason(BK_REASON_DROP_NO_ACK);
    expect_silence();
    receive(SEG(.flags = PSH, .seq = -50, .len = 10));
    expect_reason(BK_REASON_ANSWER_TIME_WAIT);
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
    expect_silence();
}

/* RFC 7323 4.3: an acceptable ACK moves TS.Recent, so that a SYN from before it does not end the wait. */
static void ack_moves_ts_recent(void **state) {
    (void)state;
    server_in_time_wait(true);
    advance_by(1000);
    receive(SEG(.flags = ACK, .seq = 2));
    expect_silence();
    assert_false(syn_opens(-100000, true, -1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(lasts_2msl),
        BOTH(record_size),
        BOTH(fin_again),
        BOTH(rst_is_ignored),
        BOTH(port_is_not_reused),
        BOTH(both_ts_newer),
        BOTH(both_ts_equal_seq_greater),
        BOTH(both_ts_equal_seq_lower),
        BOTH(both_ts_older),
        BOTH(ts_gone_seq_greater),
        BOTH(ts_gone_seq_lower),
        BOTH(ts_new_seq_lower),
        BOTH(no_ts_seq_greater),
        BOTH(no_ts_seq_lower),
        BOTH(new_isn_above_a_fast_one),
        BOTH(new_incarnation_works),
        BOTH(owner_of_the_old_incarnation),
        BOTH(bounded),
        BOTH(end_in_order),
        BOTH(old_duplicate_fin),
        BOTH(answers_are_limited),
        BOTH(without_ack_bit),
        BOTH(ack_moves_ts_recent),
    };
    return run_fixture_tests(tests);
}
