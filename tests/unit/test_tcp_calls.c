/* Shows the user's side: options and their ranges, readiness collected and delivered once, status, the list, and closing at odd times. */
#include <errno.h>

#include "fixture.h"

static void options(void **state) {
    (void)state;
    established();
    static const struct {
        enum bk_tcp_option option;
        uint64_t good, bad;
    } cases[] = {
        {BK_TCP_NODELAY, 1, 2},
        {BK_TCP_KEEPALIVE, 1, 2},
        {BK_TCP_KEEPALIVE_IDLE_S, 100, 0},
        {BK_TCP_KEEPALIVE_INTERVAL_S, 20, 100000},
        {BK_TCP_KEEPALIVE_PROBES, 4, 1000},
        {BK_TCP_USER_TIMEOUT_MS, 12345, UINT64_C(1) << 40},
        {BK_TCP_SEND_BUFFER, 20000, UINT64_C(1) << 40},
        {BK_TCP_RECEIVE_BUFFER, 20000, UINT64_C(1) << 40},
        {BK_TCP_QUICKACK, 1, 2},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 99;
        expect_call(call_set(cases[i].option, cases[i].good), 0);
        expect_call(call_set(cases[i].option, cases[i].bad), -EINVAL);
        assert_int_equal(bk_tcp_get(fx.stack, fx.flow.conn, cases[i].option, &value), 0);
        assert_int_equal(value, cases[i].good);
    }
    uint64_t value;
    expect_call(call_set(BK_TCP_OPTIONS, 0), -ENOPROTOOPT);
    assert_int_equal(bk_tcp_get(fx.stack, fx.flow.conn, BK_TCP_OPTIONS, &value), -ENOPROTOOPT);
    bk_conn stale = fx.flow.conn;
    stale.generation++;
    assert_int_equal(bk_tcp_get(fx.stack, stale, BK_TCP_NODELAY, &value), -EBADF);
    struct bk_tcp_info info = call_status();
    assert_true(info.nodelay && info.keepalive);
    assert_int_equal(info.send_buffer, 20000);
}

static void user_value(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_USER, 0x1234567890abcdef), 0);
    uint64_t value;
    assert_int_equal(bk_tcp_get(fx.stack, fx.flow.conn, BK_TCP_USER, &value), 0);
    assert_true(value == UINT64_C(0x1234567890abcdef));
    receive(SEG(.flags = ACK, .len = 1));
    struct bk_ready ready[2];
    assert_int_equal(bk_ready_poll(fx.stack, ready, 2), 1);
    assert_true(ready[0].user == UINT64_C(0x1234567890abcdef));
    assert_int_equal(ready[0].what, BK_READY_READABLE);
    assert_false(ready[0].listener);
}

/* A connection stands in the queue once, with all that happened to it; in the order of the first news. */
static void readiness_is_collected(void **state) {
    (void)state;
    established();
    struct flow first = fx.flow;
    fx.flow = flow_like(&fx.flow, 40001, 0);
    established();
    struct flow second = fx.flow;
    heard();
    receive(SEG(.flags = ACK, .len = 10));
    second = fx.flow;
    fx.flow = first;
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 10));
    fx.flow = second;
    receive(SEG(.flags = FIN | ACK, .len = 10));
    struct bk_ready ready[4];
    assert_int_equal(bk_ready_poll(fx.stack, ready, 1), 1);
    assert_int_equal(ready[0].index, second.conn.index);
    assert_int_equal(ready[0].what, BK_READY_READABLE | BK_READY_PEER_CLOSED);
    assert_int_equal(bk_ready_poll(fx.stack, ready, 4), 1);
    assert_int_equal(ready[0].index, first.conn.index);
    assert_int_equal(ready[0].what, BK_READY_READABLE | BK_READY_URGENT);
    assert_int_equal(bk_ready_poll(fx.stack, ready, 4), 0);
}

/* What nobody can be told any more is not told. */
static void no_news_after_close(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 10));
    expect_call(call_abort(), 0);
    struct bk_ready ready[4];
    assert_int_equal(bk_ready_poll(fx.stack, ready, 4), 0);
}

static void closed_in_syn_received(void **state) {
    (void)state;
    syn_received();
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 1));
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = ACK, .ack = 2)); /* of SYN and FIN at once */
    expect_silence();
    expect_state(BK_FIN_WAIT_2);
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
    expect_state(BK_TIME_WAIT);
}

static void closed_in_syn_received_syn_acked_first(void **state) {
    (void)state;
    syn_received();
    expect_call(call_shutdown(), 0);
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 1));
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = ACK | PSH, .ack = 1, .len = 10)); /* half-closed: data is still taken */
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = ACK, .ack = 2));
    expect_state(BK_FIN_WAIT_2);
}

static void closed_in_syn_received_with_data(void **state) {
    (void)state;
    syn_received();
    expect_call(call_send(10), 10);
    expect_call(call_close(), 0); /* "otherwise, queue for processing after entering ESTABLISHED" */
    expect_silence();
    receive(SEG(.flags = ACK, .ack = 1));
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 1, .len = 10));
    expect_state(BK_FIN_WAIT_1);
    receive(SEG(.flags = ACK));
    expect_state(BK_FIN_WAIT_2);
}

/* Both the SYN and the FIN were lost: they come again until they are acknowledged. */
static void closed_in_syn_received_all_lost(void **state) {
    (void)state;
    syn_received();
    expect_call(call_shutdown(), 0);
    ignore_sent();
    advance_by(1100);
    next_sent(); /* the front of the queue is the SYN-ACK */
    assert_int_equal(last_seq(), 0);
    assert_int_equal(fx.last.flags & (SYN | ACK), SYN | ACK);
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 1));
    advance_by(10000);
    next_sent();
    assert_int_equal(last_end(), 2);
    assert_int_equal(fx.last.flags & FIN, FIN);
}

static void list_shows_everything(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN));
    ignore_sent();
    fx.flow = flow_like(&fx.flow, 40000, 80);
    established();
    fx.flow = flow_like(&fx.flow, 40001, 80);
    fx.orphan = true;
    time_wait();
    unsigned seen[BK_STATES] = {0}, all = 0;
    uint64_t cursor = 0;
    struct bk_tcp_info info;
    while (bk_tcp_list(fx.stack, &cursor, &info)) {
        assert_in_range(info.state, 0, BK_STATES - 1);
        seen[info.state]++;
        all++;
        if (info.state == BK_LISTEN) assert_int_equal(info.backlog_max, fx.backlog);
        if (info.state == BK_TIME_WAIT) assert_true(info.timer_due == fx.now + 60000 * MS);
    }
    assert_int_equal(seen[BK_LISTEN], 1);
    assert_int_equal(seen[BK_SYN_RECEIVED], 1);
    assert_int_equal(seen[BK_ESTABLISHED], 1);
    assert_int_equal(seen[BK_TIME_WAIT], 1);
    assert_int_equal(all, 4);
}

/* 3.9.1.5: what STATUS says is what the wire says. */
static void status(void **state) {
    (void)state;
    fx.flow.wscale = 2;
    established();
    receive(SEG(.flags = ACK, .len = 300));
    expect_call(call_send(100), 100);
    expect_call(call_send(50), 50);
    ignore_sent();
    advance_by(10);
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.state, BK_ESTABLISHED);
    assert_int_equal(info.iss, fx.flow.iss);
    assert_int_equal(info.irs, fx.flow.isn);
    assert_int_equal(info.snd_una - info.iss, 1);
    assert_int_equal(info.snd_nxt - info.iss, 101);
    assert_int_equal(info.rcv_nxt - info.irs, 301);
    assert_int_equal(info.snd_wnd, 4 * 4096);
    assert_int_equal(info.max_snd_wnd, 4 * 4096);
    assert_int_equal(info.send_scale, 2);
    assert_int_equal(info.send_queued, 150);
    assert_int_equal(info.receive_queued, 300);
    assert_int_equal(info.in_flight, 100);
    assert_int_equal(info.timer, 1);
    assert_true(info.timer_due == fx.now + 990 * MS + info.srtt_us * UINT64_C(1000));
    assert_int_equal(info.bytes_sent, 100);
    assert_int_equal(info.bytes_received, 300);
    assert_int_equal(info.send_mss, our_mss());
    assert_true(info.owned);
}

/* PAWS against a bare ACK: answered, but no more often than a challenge. */
static void old_bare_acks(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    unsigned answers = 0;
    for (int i = 0; i < 10; i++) {
        receive(SEG(.flags = ACK, .tsval = (int64_t)fx.flow.ts_base - 5000));
        answers += (unsigned)ignore_sent();
    }
    assert_in_range(answers, 1, 10);
    expect_state(BK_ESTABLISHED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(options),
        BOTH(user_value),
        BOTH(readiness_is_collected),
        BOTH(no_news_after_close),
        BOTH(closed_in_syn_received),
        BOTH(closed_in_syn_received_syn_acked_first),
        BOTH(closed_in_syn_received_with_data),
        BOTH(closed_in_syn_received_all_lost),
        BOTH(list_shows_everything),
        BOTH(status),
        BOTH(old_bare_acks),
    };
    return run_fixture_tests(tests);
}
