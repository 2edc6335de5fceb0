/* Shows which ICMP errors TCP heeds (RFC 9293 3.9.2.2), and that a forged one (RFC 5927) ends nothing. */
#include <errno.h>

#include "fixture_icmp.h"

/* SHLD-26, RFC 5461: a hard error ends an open in progress. */
static void hard_error_while_opening(void **state) {
    (void)state;
    syn_sent();
    assert_int_equal(icmp(PORT_UNREACHABLE, 0, 0), BK_REASON_ACCEPT_ICMP_ERROR);
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ECONNREFUSED);
    assert_int_equal(heard() & BK_READY_CLOSED, BK_READY_CLOSED);
}

/* Those who ask are told of each one that was believed; no others are. */
static void errors_are_told(void **state) {
    (void)state;
    struct bk_tcp_error e[3];
    syn_sent();
    assert_int_equal(icmp(NET_UNREACHABLE, 0, 0), BK_REASON_ACCEPT_ICMP_ERROR);
    expect_call(call_set(BK_TCP_NEWS, BK_NEWS_ERRORS), 0);
    expect_call(call_set(BK_TCP_USER, 4711), 0);
    assert_int_equal(icmp(HOST_UNREACHABLE, 1, 0), BK_REASON_DROP_ICMP_UNRELATED);
    assert_int_equal(icmp(TIME_EXCEEDED, 0, 0), BK_REASON_ACCEPT_ICMP_ERROR);
    assert_int_equal(icmp(PORT_UNREACHABLE, 0, 0), BK_REASON_ACCEPT_ICMP_ERROR);
    assert_int_equal(bk_tcp_errors(fx.stack, e, 3), 2);
    assert_int_equal(bk_tcp_errors(fx.stack, e + 2, 1), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(e[i].conn.index, fx.flow.conn.index);
        assert_int_equal(e[i].conn.generation, fx.flow.conn.generation);
        assert_int_equal(e[i].user, 4711);
        assert_true(bk_addr_equal(&e[i].offender, &fx.flow.remote));
        assert_int_equal(e[i].seq, fx.flow.iss);
        assert_int_equal(e[i].info, 0);
        assert_int_equal(e[i].hard, i == 1);
    }
    assert_int_equal(e[0].error, -EHOSTUNREACH);
    assert_int_equal(e[0].type, fx.family == 4 ? 11 : 3);
    assert_int_equal(e[1].error, -ECONNREFUSED);
    assert_int_equal(e[1].type, fx.family == 4 ? 3 : 1);
    assert_int_equal(e[1].code, fx.family == 4 ? 3 : 4);
}

/* RFC 5927: no more than that. */
static void hard_error_when_established(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    ignore_sent();
    assert_int_equal(icmp(PORT_UNREACHABLE, 1, 0), BK_REASON_ACCEPT_ICMP_ERROR);
    expect_state(BK_ESTABLISHED);
    receive(SEG(.flags = ACK));
    expect_error(0);
}

/* MUST-56; and STATUS tells them, until data is acknowledged. */
static void soft_errors(void **state) {
    (void)state;
    static const enum icmp_error soft[] = {NET_UNREACHABLE, HOST_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM};
    static const int told[] = {-ENETUNREACH, -EHOSTUNREACH, -EHOSTUNREACH, -EPROTO};
    syn_sent();
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(icmp(soft[i], 0, 0), BK_REASON_ACCEPT_ICMP_ERROR);
        expect_state(BK_SYN_SENT);
    }
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK, .seq = 1));
    expect_call(call_send(10), 10);
    ignore_sent();
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(icmp(soft[i], 1, 0), BK_REASON_ACCEPT_ICMP_ERROR);
        expect_state(BK_ESTABLISHED);
        expect_error(0);
        assert_int_equal(call_status().soft_error, told[i]); /* MUST-47, SHLD-25 */
    }
    receive(SEG(.flags = ACK));
    assert_int_equal(call_status().soft_error, 0);
}

/* SHLD-25: when the connection fails in the end, the user learns what was heard. */
static void soft_error_is_told_in_the_end(void **state) {
    (void)state;
    syn_sent();
    icmp(HOST_UNREACHABLE, 0, 0);
    advance_by(100000);
    ignore_sent();
    expect_state(BK_CLOSED);
    expect_error(-EHOSTUNREACH);
}

/* RFC 5927 4: what is not outstanding cannot have been returned. */
static void sequence_number_is_checked(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, 0, 1300), BK_REASON_DROP_ICMP_UNRELATED);
    assert_int_equal(icmp(TOO_BIG, 11, 1300), BK_REASON_DROP_ICMP_UNRELATED);
    assert_int_equal(icmp(TOO_BIG, 1 << 20, 1300), BK_REASON_DROP_ICMP_UNRELATED);
    receive(SEG(.flags = ACK));
    assert_int_equal(icmp(TOO_BIG, 10, 1300), BK_REASON_DROP_ICMP_UNRELATED);
    assert_int_equal(call_status().send_mss, our_mss());
    fx.flow.remote_port++;
    assert_int_equal(icmp(TOO_BIG, 10, 1300), BK_REASON_DROP_ICMP_UNRELATED);
}

static void forged_refusal(void **state) {
    (void)state;
    syn_sent();
    assert_int_equal(icmp(PORT_UNREACHABLE, 1, 0), BK_REASON_DROP_ICMP_UNRELATED);
    assert_int_equal(icmp(PORT_UNREACHABLE, -1, 0), BK_REASON_DROP_ICMP_UNRELATED);
    expect_state(BK_SYN_SENT);
}

/* A request and a TIME-WAIT have nothing that an ICMP error could be about. */
static void requests_and_time_waits(void **state) {
    (void)state;
    request();
    icmp(PORT_UNREACHABLE, 0, 0);
    expect_state(BK_SYN_RECEIVED);
    fx.flow = flow_like(&fx.flow, 40000, 80);
    fx.orphan = true;
    time_wait();
    icmp(PORT_UNREACHABLE, 1, 0);
    expect_silence();
    expect_state(BK_TIME_WAIT);
}

/* Path MTU discovery: smaller segments, and what was too big goes again at once. */
static void path_mtu(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    int64_t mss = our_mss(), smaller = 1300 - (fx.family == 4 ? 40 : 60);
    expect_call(call_send((size_t)(3 * mss)), 3 * mss);
    assert_int_equal(ignore_sent(), 3);
    assert_int_equal(icmp(TOO_BIG, 1, 1300), BK_REASON_ACCEPT_ICMP_ERROR);
    assert_int_equal(call_status().send_mss, smaller);
    int64_t at = 1;
    for (int turn = 0; turn < 20 && at < 1 + 3 * mss; turn++) {
        while (anything_sent()) {
            next_sent();
            assert_true(fx.last.len <= smaller);
            assert_true(last_seq() <= at);
            if (last_end() > at) at = last_end();
        }
        receive(SEG(.flags = ACK, .ack = at));
    }
    assert_int_equal(at, 1 + 3 * mss);
    assert_int_equal(fx.now, 1000 * MS); /* no timer was needed */
}

static void path_mtu_with_timestamps(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    expect_call(call_send(2000), 2000);
    ignore_sent();
    icmp(TOO_BIG, 1, 1300);
    assert_true(anything_sent());
    next_sent();
    assert_int_equal(fx.last.len, 1300 - (fx.family == 4 ? 40 : 60) - 12);
}

/* A claim that would make segments absurdly small, or larger, changes nothing for the worse. */
static void absurd_path_mtu(void **state) {
    (void)state;
    established();
    expect_call(call_send(1000), 1000);
    ignore_sent();
    icmp(TOO_BIG, 1, 9000);
    assert_int_equal(call_status().send_mss, our_mss());
    icmp(TOO_BIG, 1, 68);
    assert_true(call_status().send_mss >= (fx.family == 4 ? 500 : 1220));
    icmp(TOO_BIG, 1, 0);
    assert_true(call_status().send_mss >= (fx.family == 4 ? 500 : 1220));
    expect_state(BK_ESTABLISHED);
}

/* RFC 5927 7: a forged claim brings segments down to what the least MTU that is believed leaves (552 in IPv4; below
 * 1,280 IPv6 has none, RFC 8201 4), and no claim brings them lower, nor one without an outstanding sequence number
 * anywhere. */
static void too_big_stops_at_the_floor(void **state) {
    (void)state;
    static const uint32_t claims[] = {1279, 600, 552, 551, 296, 68, 40, 8, 1, 0, 0xffff};
    fx.config.trace_events = 0;
    established();
    expect_call(call_send(1000), 1000);
    ignore_sent();
    for (unsigned i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        icmp(TOO_BIG, 2000 + i, claims[i]);
        icmp(TOO_BIG, -5, claims[i]);
        assert_int_equal(call_status().send_mss, our_mss());
    }
    if (fx.family == 6) {
        for (unsigned i = 0; i + 1 < sizeof claims / sizeof claims[0]; i++) {
            assert_int_equal(icmp(TOO_BIG, 1, claims[i]), BK_REASON_DROP_ICMP_BAD);
            assert_int_equal(call_status().send_mss, our_mss());
        }
        icmp(TOO_BIG, 1, 1280);
        assert_int_equal(call_status().send_mss, 1220);
        return;
    }
    for (unsigned i = 0; i + 1 < sizeof claims / sizeof claims[0]; i++) {
        icmp(TOO_BIG, 1, claims[i]);
        uint32_t believed = claims[i] < 552 ? 552 : claims[i];
        assert_in_range(call_status().send_mss, 512, believed - 40);
    }
    assert_int_equal(call_status().send_mss, 512);
}

/* MUST-55. */
static void source_quench(void **state) {
    (void)state;
    if (fx.family == 6) return; /* there is none in ICMPv6 */
    established();
    expect_call(call_send(1000), 1000);
    ignore_sent();
    uint32_t cwnd = call_status().cwnd;
    icmp(SOURCE_QUENCH, 1, 0);
    expect_silence();
    assert_int_equal(call_status().cwnd, cwnd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(hard_error_while_opening),
        BOTH(errors_are_told),
        BOTH(hard_error_when_established),
        BOTH(soft_errors),
        BOTH(soft_error_is_told_in_the_end),
        BOTH(sequence_number_is_checked),
        BOTH(forged_refusal),
        BOTH(requests_and_time_waits),
        BOTH(path_mtu),
        BOTH(path_mtu_with_timestamps),
        BOTH(absurd_path_mtu),
        BOTH(too_big_stops_at_the_floor),
        BOTH(source_quench),
    };
    return run_fixture_tests(tests);
}
