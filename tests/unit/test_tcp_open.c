/* Shows how connections begin: three-way and simultaneous, with old duplicates, half-open peers, full tables and bad calls. */
#include <errno.h>

#include "fixture.h"

static void active_open(void **state) {
    (void)state;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .seq = 0, .mss = our_mss(), .reason = BK_REASON_SEND_SYN));
    assert_int_not_equal(fx.last.wnd, 0);
    receive(SEG(.flags = SYN | ACK));
    expect_reason(BK_REASON_ACCEPT_SYN_ACK);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .reason = BK_REASON_SEND_HANDSHAKE_ACK));
    expect_silence();
    expect_state(BK_ESTABLISHED);
    assert_int_equal(heard() & BK_READY_CONNECTED, BK_READY_CONNECTED);
    struct bk_tcp_mib mib;
    bk_tcp_mib(fx.stack, &mib);
    assert_int_equal(mib.active_opens, 1);
    assert_int_equal(mib.curr_estab, 1);
}

static void passive_open(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN));
    expect_reason(BK_REASON_ACCEPT_SYN);
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1, .mss = our_mss(), .reason = BK_REASON_SEND_SYN_ACK));
    expect_call(call_accept(), -EAGAIN);
    expect_ready(0);
    receive(SEG(.flags = ACK));
    expect_reason(BK_REASON_ACCEPT_HANDSHAKE_ACK);
    expect_silence();
    expect_ready(BK_READY_ACCEPTABLE);
    expect_call(call_accept(), 0);
    expect_state(BK_ESTABLISHED);
    expect_call(call_accept(), -EAGAIN);
    struct bk_tcp_info info = call_status();
    assert_true(bk_addr_equal(&info.remote, &fx.flow.remote));
    assert_int_equal(info.remote_port, fx.flow.remote_port);
}

/* The third segment of the handshake may carry data, and even the FIN. */
static void data_with_the_handshake_ack(void **state) {
    (void)state;
    request();
    receive(SEG(.flags = ACK | PSH | FIN, .len = 100));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 102));
    expect_state(BK_CLOSE_WAIT);
    expect_call(call_accept(), 0);
    expect_call(call_receive(1000), 100);
    expect_call(call_receive(1000), 0);
    assert_int_equal(heard() & ~(uint32_t)BK_READY_ACCEPTABLE & BK_READY_CLOSED, 0);
}

static void handshake_ack_lost(void **state) {
    (void)state;
    request();
    receive(SEG(.flags = ACK | PSH, .len = 10)); /* the bare ACK was lost: data says it as well */
    expect_state(BK_ESTABLISHED);
    expect_call(call_accept(), 0);
    expect_call(call_receive(100), 10);
}

/* RFC 9293 figure 7. */
static void simultaneous_open(void **state) {
    (void)state;
    syn_received();
    receive(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    expect_if(SEG(.flags = ACK, .seq = 1, .ack = 1));
    expect_silence();
    expect_state(BK_ESTABLISHED);
    assert_int_equal(heard() & BK_READY_CONNECTED, BK_READY_CONNECTED);
    receive(SEG(.flags = ACK | PSH, .len = 10));
    expect_call(call_receive(100), 10);
    expect_call(call_send(20), 20);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 11, .len = 20));
}

/* The peer's SYN-ACK was lost, but data or an ACK of its own says as much. */
static void simultaneous_open_ended_by_an_ack(void **state) {
    (void)state;
    syn_received();
    receive(SEG(.flags = ACK));
    expect_silence();
    expect_state(BK_ESTABLISHED);
}

static void simultaneous_open_syn_ack_lost(void **state) {
    (void)state;
    syn_received();
    mark();
    advance_by(1100);
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1, .at = 1000, .reason = BK_REASON_SEND_SYN_ACK_AGAIN));
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
}

/* Our SYN has not left yet: nothing acknowledges it, not even the number half of the space away, which is neither before nor behind. Found by fuzzing. */
static void simultaneous_open_before_our_syn_left(void **state) {
    (void)state;
    stack_up();
    const struct bk_tcp_open open = {.local = fx.flow.local,
                                     .remote = fx.flow.remote,
                                     .local_port = fx.flow.local_port,
                                     .remote_port = fx.flow.remote_port};
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &fx.flow.conn), 0); /* the link takes nothing yet */
    fx.flow.held = true;
    fx.flow.iss = call_status().iss;
    const struct seg segs[] = {SEG(.flags = SYN, .seq = 0), SEG(.flags = ACK, .seq = 1, .ack = INT64_C(0x80000000))};
    receive_batch(segs, 2);
    expect_reason(BK_REASON_ANSWER_RST_ACK);
    expect_state(BK_SYN_RECEIVED);
}

/* The peer's SYN comes twice: the ACK that answers it may tell a scaled window, which the repeated SYN-ACK does not take back. Found by
 * simulation. */
static void simultaneous_open_keeps_its_window(void **state) {
    (void)state;
    fx.config.receive_buffer = 100000;
    fx.flow.wscale = 3;
    syn_received();
    receive(SEG(.flags = SYN, .seq = 0));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .reason = BK_REASON_SEND_CHALLENGE_SYN));
    uint32_t offered = call_status().rcv_wnd;
    assert_true(offered > 65535);
    advance_by(1100);
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1, .wnd = 65535));
    assert_int_equal(call_status().rcv_wnd, offered);
}

/* Figure 8, from A's side: the answer to somebody's old SYN. */
static void old_duplicate_seen_by_the_client(void **state) {
    (void)state;
    syn_sent();
    receive(SEG(.flags = SYN | ACK, .seq = 0, .ack = -9));
    expect_reason(BK_REASON_ANSWER_RST_ACK);
    expect(SEG(.flags = RST, .seq = -9, .reason = BK_REASON_SEND_RST_SYN_SENT_ACK));
    expect_silence();
    expect_state(BK_SYN_SENT);
    new_incarnation(0x40000000);
    advance_by(1100);
    expect(SEG(.flags = SYN, .seq = 0));
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    expect_state(BK_ESTABLISHED);
}

/* Figure 8, from B's side. */
static void old_duplicate_seen_by_the_server(void **state) {
    (void)state;
    request(); /* by the old SYN */
    receive(SEG(.flags = RST, .seq = 1));
    expect_reason(BK_REASON_ACCEPT_RST_REQUEST);
    expect_silence();
    expect_state(BK_LISTEN);
    expect_ready(0);
    new_incarnation(fx.flow.isn + 10);
    request();
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
    expect_ready(BK_READY_ACCEPTABLE);
}

/* "If the SYN at line 6 had arrived before the RST, a more complex exchange might have occurred": it ends well all the same. */
static void old_duplicate_and_true_syn_cross(void **state) {
    (void)state;
    request();
    receive(SEG(.flags = SYN, .seq = 10)); /* the true SYN, within the window of the false one */
    ignore_sent();
    receive(SEG(.flags = RST, .seq = 1)); /* what the client says to the first SYN-ACK */
    ignore_sent();
    expect_state(BK_LISTEN);
    new_incarnation(fx.flow.isn + 10);
    request(); /* the client's SYN again, after its RTO */
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
}

/* Figure 9, from B's side: the peer has crashed and opens again. */
static void half_open_peer_reconnects(void **state) {
    (void)state;
    fx.passive = true;
    established();
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100));
    receive(SEG(.flags = SYN, .seq = 400000));
    expect_reason(BK_REASON_ANSWER_CHALLENGE_SYN);
    expect(SEG(.flags = ACK, .seq = 101, .ack = 1, .reason = BK_REASON_SEND_CHALLENGE_SYN));
    expect_state(BK_ESTABLISHED);
    receive(SEG(.flags = RST, .seq = 1));
    expect_silence();
    expect_state(BK_LISTEN);
    expect_error(-ECONNRESET);
    assert_int_equal(heard() & BK_READY_CLOSED, BK_READY_CLOSED);
    expect_call(call_send(1), -ECONNRESET);
    expect_call(call_receive(1), -ECONNRESET);
    expect_call(call_close(), 0);
    new_incarnation(fx.flow.isn + 400000);
    request();
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    expect_state(BK_ESTABLISHED);
}

/* Figure 9, from A's side: we have crashed, and the peer answers our SYN out of the old connection. */
static void half_open_seen_after_our_crash(void **state) {
    (void)state;
    syn_sent();
    receive(SEG(.flags = ACK, .seq = 300, .ack = -5000));
    expect(SEG(.flags = RST, .seq = -5000));
    expect_state(BK_SYN_SENT);
    mark();
    advance_by(1100);
    expect(SEG(.flags = SYN, .seq = 0, .at = 1000));
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    expect_state(BK_ESTABLISHED);
}

/* Figure 10: we have crashed, the peer sends data. */
static void half_open_data_after_our_crash(void **state) {
    (void)state;
    stack_up();
    fx.flow.iss = 100;
    receive(SEG(.flags = ACK | PSH, .seq = 300, .ack = 0, .len = 10));
    expect_reason(BK_REASON_ANSWER_RST_CLOSED);
    expect(SEG(.flags = RST, .seq = 0, .reason = BK_REASON_SEND_RST_CLOSED));
    expect_silence();
}

/* Figure 10 the other way round. */
static void half_open_data_to_a_crashed_peer(void **state) {
    (void)state;
    established();
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .len = 10));
    receive(SEG(.flags = RST, .seq = 1));
    expect_state(BK_CLOSED);
    expect_error(-ECONNRESET);
    advance_by(100000);
    expect_silence();
}

/* Figure 11. */
static void two_listeners(void **state) {
    (void)state;
    listening();
    fx.flow.iss = 5000;
    receive(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1)); /* to an old SYN of ours that nobody remembers */
    expect(SEG(.flags = RST, .seq = 1, .reason = BK_REASON_SEND_RST_LISTEN_ACK));
    expect_state(BK_LISTEN);
    new_incarnation(77);
    request(); /* and the other way: an old SYN of the peer's */
    receive(SEG(.flags = RST, .seq = 1));
    expect_state(BK_LISTEN);
}

static void backlog_full(void **state) {
    (void)state;
    fx.backlog = 1;
    listening();
    struct flow first = fx.flow, second = flow_like(&fx.flow, 0, 50001);
    receive(SEG(.flags = SYN));
    ignore_sent();
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
    first = fx.flow;
    fx.flow = second;
    receive(SEG(.flags = SYN));
    size_t answered = ignore_sent(); /* a full backlog may refuse the SYN or the handshake's end, silently */
    if (answered) receive(SEG(.flags = ACK));
    expect_silence();
    second = fx.flow;
    fx.flow = first;
    expect_call(call_accept(), 0);
    expect_state(BK_ESTABLISHED);
    fx.flow = second;
    expect_call(call_accept(), -EAGAIN);
    receive(answered ? SEG(.flags = ACK) : SEG(.flags = SYN, .seq = 0)); /* the peer tries again */
    if (!answered) receive(SEG(.flags = ACK));
    ignore_sent();
    expect_state(BK_ESTABLISHED);
    expect_call(call_accept(), 0);
}

static void fill_requests(void) {
    listening();
    for (uint16_t i = 0; i < 2; i++) {
        fx.flow = flow_like(&fx.flow, 0, (uint16_t)(50000 + i));
        receive(SEG(.flags = SYN));
        expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    }
    fx.flow = flow_like(&fx.flow, 0, 50002);
}

static void cookies_when_requests_are_full(void **state) {
    (void)state;
    fx.config.requests_ipv4 = fx.config.requests_ipv6 = 2;
    fill_requests();
    receive(SEG(.flags = SYN));
    expect_reason(BK_REASON_ACCEPT_SYN_COOKIE);
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1, .reason = BK_REASON_SEND_SYN_COOKIE));
    assert_int_not_equal(fx.last.mss, -1);
    expect_state(BK_LISTEN); /* nothing is remembered */
    receive(SEG(.flags = ACK));
    expect_reason(BK_REASON_ACCEPT_COOKIE_ACK);
    expect_silence();
    expect_state(BK_ESTABLISHED);
    expect_call(call_accept(), 0);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .len = 10));
}

static void forged_cookie(void **state) {
    (void)state;
    fx.config.requests_ipv4 = fx.config.requests_ipv6 = 2;
    fill_requests();
    receive(SEG(.flags = SYN));
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 12345));
    expect(SEG(.flags = RST, .seq = 12345));
    expect_state(BK_LISTEN);
    receive(SEG(.flags = ACK)); /* the good one still counts */
    expect_state(BK_ESTABLISHED);
}

static void cookie_grows_old(void **state) {
    (void)state;
    fx.config.requests_ipv4 = fx.config.requests_ipv6 = 2;
    fx.config.syn_ack_retries = 8;
    fill_requests();
    receive(SEG(.flags = SYN));
    ignore_sent();
    advance_by(400000);
    ignore_sent();
    receive(SEG(.flags = ACK));
    expect(SEG(.flags = RST, .seq = 1));
    expect_state(BK_LISTEN);
}

static void no_cookies_when_off(void **state) {
    (void)state;
    fx.config.requests_ipv4 = fx.config.requests_ipv6 = 2;
    fx.config.syn_cookies = BK_SYN_COOKIES_NEVER;
    fill_requests();
    receive(SEG(.flags = SYN));
    expect_reason(BK_REASON_DROP_SYN_BACKLOG);
    expect_silence();
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_DROP_SYN_BACKLOG), 1);
}

/* A flood of SYNs takes requests, never connections. */
static void requests_take_no_connections(void **state) {
    (void)state;
    fx.config.connections = 1;
    listening();
    for (uint16_t i = 0; i < 8; i++) {
        fx.flow = flow_like(&fx.flow, 0, (uint16_t)(50000 + i));
        receive(SEG(.flags = SYN));
    }
    ignore_sent();
    struct bk_pool_info info;
    bk_pool_info(fx.stack, BK_POOL_CONNECTIONS, &info);
    assert_int_equal(info.in_use, 0);
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
}

static void no_room_for_a_connection(void **state) {
    (void)state;
    fx.config.connections = 1;
    established();
    fx.flow = flow_like(&fx.flow, 40001, 0);
    expect_call(call_connect(), -ENOBUFS);
    fx.flow = flow_like(&fx.flow, 0, 0);
    fx.flow.held = false;
    listening();
    receive(SEG(.flags = SYN));
    ignore_sent();
    receive(SEG(.flags = ACK));
    expect_reason(BK_REASON_DROP_NO_CONNECTION);
    expect_silence(); /* the peer may try again, when there may be room */
}

static void bad_remote_addresses(void **state) {
    (void)state;
    stack_up();
    static const char *const bad4[] = {"224.0.0.1", "255.255.255.255", "0.0.0.0"};
    static const char *const bad6[] = {"ff02::1", "::", "ff05::2"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bk_addr_parse(fx.family == 4 ? bad4[i] : bad6[i], &fx.flow.remote), 0);
        int rc = call_connect();
        if (rc != -EINVAL && rc != -ENETUNREACH && rc != -EADDRNOTAVAIL)
            fixture_fail("connect to %s returned %d: RFC 9293 MUST-46 wants an error",
                         fx.family == 4 ? bad4[i] : bad6[i], rc);
        expect_silence();
    }
}

static void bad_calls(void **state) {
    (void)state;
    stack_up();
    struct bk_tcp_open open = {.local = fx.flow.local, .remote = fx.flow.remote, .local_port = 40000};
    bk_conn conn;
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), -EINVAL); /* remote port 0 */
    open.remote_port = 80;
    open.local = fx.flow.remote;
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), -EADDRNOTAVAIL);
    open.local = fx.flow.local;
    assert_int_equal(bk_addr_parse(fx.family == 4 ? "198.51.100.1" : "2001:db8:ffff::1", &open.remote), 0);
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), -ENETUNREACH);
    bk_listener listener;
    assert_int_equal(bk_tcp_listen(fx.stack, &fx.flow.local, 0, 1, 0, fx.now, &listener), -EINVAL);
    assert_int_equal(bk_tcp_listen(fx.stack, &fx.flow.remote, 80, 1, 0, fx.now, &listener), -EADDRNOTAVAIL);
    expect_silence();
}

static void ephemeral_ports(void **state) {
    (void)state;
    fx.config.ephemeral_first = 50000;
    fx.config.ephemeral_last = 50003;
    stack_up();
    struct bk_tcp_open open = {.remote = fx.flow.remote, .remote_port = 80};
    bool used[4] = {false};
    bk_conn conn[5];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn[i]), 0);
        struct bk_tcp_info info;
        assert_int_equal(bk_tcp_status(fx.stack, conn[i], &info), 0);
        assert_true(bk_addr_equal(&info.local, &fx.flow.local));
        assert_in_range(info.local_port, 50000, 50003);
        assert_false(used[info.local_port - 50000]);
        used[info.local_port - 50000] = true;
    }
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn[4]), -EADDRNOTAVAIL);
    open.remote_port = 81; /* tuples, not ports, are what runs out */
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn[4]), 0);
}

/* RFC 6528: ISN = M + F(tuple, secret). */
static void initial_sequence_numbers(void **state) {
    (void)state;
    syn_sent();
    uint32_t first = fx.flow.iss;
    expect_call(call_abort(), 0);
    advance_by(1000);
    new_incarnation(1);
    syn_sent();
    uint32_t step = fx.flow.iss - first; /* the clock ticks every 4 microseconds: 250,000 in a second */
    assert_in_range(step, 200000, 300000);
    fx.flow = flow_like(&fx.flow, 40001, 0);
    syn_sent();
    uint32_t other = fx.flow.iss - first;
    assert_true(other > 10000000 || other == 0 || other < 200000); /* another tuple, another offset */
}

static void send_before_established(void **state) {
    (void)state;
    syn_sent();
    expect_call(call_send(10), 10);
    expect_silence();
    receive(SEG(.flags = SYN | ACK));
    if (!expect_if(SEG(.flags = ACK, .seq = 1, .ack = 1, .len = 10))) {
        expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
        expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .len = 10));
    }
    expect_silence();
}

/* The SYN-ACK's text is not lost on us, the SYN's is not taken: it must come again. */
static void text_with_the_syn(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN, .len = 50));
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    fx.flow.nxt = 1;
    receive(SEG(.flags = ACK | PSH, .len = 50));
    expect_call(call_accept(), 0);
    expect_call(call_receive(100), 50);
}

static void unlisten_forgets_and_resets(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN));
    ignore_sent();
    receive(SEG(.flags = ACK));
    struct flow waiting = fx.flow;
    fx.flow = flow_like(&fx.flow, 0, 50001);
    request();
    struct flow embryo = fx.flow;
    fx.flow = waiting;
    expect_call(call_unlisten(), 0);
    expect(SEG(.flags = RST | MAYBE_ACK, .seq = 1));
    expect_silence();
    expect_state(BK_CLOSED);
    fx.flow = embryo;
    expect_state(BK_CLOSED);
    advance_by(60000);
    expect_silence();
    receive(SEG(.flags = ACK));
    expect(SEG(.flags = RST, .seq = 1));
    assert_int_equal(bk_tcp_unlisten(fx.stack, fx.listener, fx.now), -EBADF);
}

static void listen_on_any_address(void **state) {
    (void)state;
    stack_up();
    bk_addr any = fx.family == 4 ? bk_addr_ipv4(0, 0, 0, 0) : (bk_addr){{0}};
    fx.flow.local_port = 80;
    fx.flow.remote_port = 50000;
    assert_int_equal(bk_tcp_listen(fx.stack, &any, 80, 4, 1, fx.now, &fx.listener), 0);
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    struct bk_tcp_info info = call_status();
    assert_true(bk_addr_equal(&info.local, &fx.flow.local));
}

static void damaged_syn(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN, .bad_checksum = true));
    expect_reason(BK_REASON_DROP_TCP_CHECKSUM);
    expect_silence();
    expect_state(BK_LISTEN);
}

static void syn_from_impossible_places(void **state) {
    (void)state;
    listening();
    bk_addr bad;
    static const char *const from4[] = {"224.0.0.5", "255.255.255.255", "0.0.0.0"};
    static const char *const from6[] = {"ff02::5", "::", "ff0e::1"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bk_addr_parse(fx.family == 4 ? from4[i] : from6[i], &bad), 0);
        receive(SEG(.flags = SYN, .seq = 0, .src = &bad));
        expect_silence();
    }
    receive(SEG(.flags = SYN, .seq = 0, .sport = 0));
    expect_silence();
    expect_state(BK_LISTEN);
    fx.flow.nxt = 0;
    request();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(active_open),
        BOTH(passive_open),
        BOTH(data_with_the_handshake_ack),
        BOTH(handshake_ack_lost),
        BOTH(simultaneous_open),
        BOTH(simultaneous_open_ended_by_an_ack),
        BOTH(simultaneous_open_syn_ack_lost),
        BOTH(simultaneous_open_before_our_syn_left),
        BOTH(simultaneous_open_keeps_its_window),
        BOTH(old_duplicate_seen_by_the_client),
        BOTH(old_duplicate_seen_by_the_server),
        BOTH(old_duplicate_and_true_syn_cross),
        BOTH(half_open_peer_reconnects),
        BOTH(half_open_seen_after_our_crash),
        BOTH(half_open_data_after_our_crash),
        BOTH(half_open_data_to_a_crashed_peer),
        BOTH(two_listeners),
        BOTH(backlog_full),
        BOTH(cookies_when_requests_are_full),
        BOTH(forged_cookie),
        BOTH(cookie_grows_old),
        BOTH(no_cookies_when_off),
        BOTH(requests_take_no_connections),
        BOTH(no_room_for_a_connection),
        BOTH(bad_remote_addresses),
        BOTH(bad_calls),
        BOTH(ephemeral_ports),
        BOTH(initial_sequence_numbers),
        BOTH(send_before_established),
        BOTH(text_with_the_syn),
        BOTH(unlisten_forgets_and_resets),
        BOTH(listen_on_any_address),
        BOTH(damaged_syn),
        BOTH(syn_from_impossible_places),
    };
    return run_fixture_tests(tests);
}
