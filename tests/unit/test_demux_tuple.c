/* Shows that connections are told apart by the whole 4-tuple: any two may share three of its four parts. */
#include <errno.h>

#include "fixture.h"

enum { BASE, OTHER_LOCAL, OTHER_REMOTE, OTHER_LOCAL_PORT, OTHER_REMOTE_PORT, FLOWS };

static bk_addr address(const char *v4, const char *v6) {
    bk_addr a;
    assert_int_equal(bk_addr_parse(fx.family == 4 ? v4 : v6, &a), 0);
    return a;
}

/* Five tuples, each of which differs from the first in one part. */
static void make_flows(struct flow flows[FLOWS]) {
    stack_up();
    bk_addr second = address("192.0.2.3", "2001:db8::3");
    assert_int_equal(bk_iface_address_add(fx.stack, fx.iface, &second, fx.family == 4 ? 24 : 64, true, fx.now), 0);
    ignore_sent();
    for (int i = 0; i < FLOWS; i++) flows[i] = flow_like(&fx.flow, 0, 0);
    flows[OTHER_LOCAL].local = second;
    flows[OTHER_REMOTE].remote = address("192.0.2.4", "2001:db8::4");
    flows[OTHER_LOCAL_PORT].local_port++;
    flows[OTHER_REMOTE_PORT].remote_port++;
    for (int i = 0; i < FLOWS; i++) flows[i].isn = 1000u * (uint32_t)i + 7;
}

static void establish_all(struct flow flows[FLOWS]) {
    make_flows(flows);
    for (int i = 0; i < FLOWS; i++) {
        fx.flow = flows[i];
        established();
        flows[i] = fx.flow;
    }
}

static void each_gets_its_own_data(void **state) {
    (void)state;
    struct flow flows[FLOWS];
    establish_all(flows);
    for (int i = 0; i < FLOWS; i++) {
        fx.flow = flows[i];
        receive(SEG(.flags = ACK | PSH, .len = 10 + i));
        flows[i] = fx.flow;
    }
    for (int i = 0; i < FLOWS; i++) {
        fx.flow = flows[i];
        expect_call(call_receive(100), 10 + i);
        ignore_sent();
        expect_call(call_send(20 + (size_t)i), 20 + i);
        expect(SEG(.flags = ACK, .seq = 1, .ack = 11 + i, .len = 20 + i));
        receive(SEG(.flags = ACK));
        expect_call(call_receive(100), -EAGAIN);
        flows[i] = fx.flow;
    }
}

static void a_reset_ends_only_its_own(void **state) {
    (void)state;
    struct flow flows[FLOWS];
    establish_all(flows);
    for (int i = 0; i < FLOWS; i++) {
        fx.flow = flows[i];
        receive(SEG(.flags = RST));
        expect_state(BK_CLOSED);
        for (int k = i + 1; k < FLOWS; k++) {
            fx.flow = flows[k];
            expect_state(BK_ESTABLISHED);
        }
    }
}

static void each_closes_alone(void **state) {
    (void)state;
    struct flow flows[FLOWS];
    establish_all(flows);
    for (int i = 0; i < FLOWS; i++) {
        fx.flow = flows[i];
        expect_call(call_close(), 0);
        expect(SEG(.flags = FIN | ACK, .seq = 1));
        receive(SEG(.flags = FIN | ACK));
        expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
        expect_state(BK_TIME_WAIT);
        flows[i] = fx.flow;
        for (int k = i + 1; k < FLOWS; k++) {
            fx.flow = flows[k];
            expect_state(BK_ESTABLISHED);
        }
    }
    advance_by(60100);
    for (int i = 0; i < FLOWS; i++) {
        fx.flow = flows[i];
        expect_state(BK_CLOSED);
    }
}

/* Three parts of a known tuple are not enough. */
static void strangers_draw_rst(void **state) {
    (void)state;
    struct flow flows[FLOWS];
    make_flows(flows);
    fx.flow = flows[BASE];
    established();
    struct flow known = fx.flow;
    for (int i = 1; i < FLOWS; i++) {
        fx.flow = flows[i];
        fx.flow.iss = 900;
        receive(SEG(.flags = ACK, .seq = 1, .ack = 1));
        expect(SEG(.flags = RST, .seq = 1));
        receive(SEG(.flags = 0, .seq = 1, .len = 5));
        expect(SEG(.flags = RST | ACK, .seq = 0, .seq_absolute = true, .ack = 6));
        receive(SEG(.flags = RST, .seq = 1));
        expect_silence();
    }
    fx.flow = known;
    expect_state(BK_ESTABLISHED);
}

static void passive_connections_share_a_port(void **state) {
    (void)state;
    fx.backlog = 8;
    listening();
    struct flow flows[3];
    flows[0] = flow_like(&fx.flow, 0, 50000);
    flows[1] = flow_like(&fx.flow, 0, 50001);
    flows[2] = flow_like(&fx.flow, 0, 50000);
    flows[2].remote = address("192.0.2.9", "2001:db8::9");
    for (int i = 0; i < 3; i++) {
        fx.flow = flows[i];
        receive(SEG(.flags = SYN));
        expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
        flows[i] = fx.flow;
    }
    for (int i = 2; i >= 0; i--) { /* finished in another order than begun */
        fx.flow = flows[i];
        expect_state(BK_SYN_RECEIVED);
        receive(SEG(.flags = ACK | PSH, .len = 30 + i));
        expect_state(BK_ESTABLISHED);
        flows[i] = fx.flow;
    }
    for (int i = 2; i >= 0; i--) { /* the oldest finished one comes first */
        fx.flow = flows[i];
        expect_call(call_accept(), 0);
        expect_state(BK_ESTABLISHED);
        expect_call(call_receive(100), 30 + i);
    }
}

/* A SYN for a port on which nobody listens, beside one on which somebody does. */
static void listeners_by_port(void **state) {
    (void)state;
    listening();
    fx.flow.local_port = 81;
    receive(SEG(.flags = SYN, .seq = 0));
    expect(SEG(.flags = RST | ACK, .seq = 0, .seq_absolute = true, .ack = 1));
    fx.flow.local_port = 80;
    fx.flow.nxt = 0;
    request();
}

static void handles_go_stale(void **state) {
    (void)state;
    established();
    bk_conn old = fx.flow.conn;
    expect_call(call_abort(), 0);
    ignore_sent();
    fx.flow = flow_like(&fx.flow, 40001, 0);
    established();
    struct bk_tcp_info info;
    char byte = 0;
    assert_int_equal(bk_tcp_status(fx.stack, old, &info), -EBADF);
    assert_int_equal(bk_tcp_send(fx.stack, old, &byte, 1, 0, fx.now), -EBADF);
    assert_int_equal(bk_tcp_receive(fx.stack, old, &byte, 1, fx.now), -EBADF);
    assert_int_equal(bk_tcp_shutdown(fx.stack, old, fx.now), -EBADF);
    assert_int_equal(bk_tcp_close(fx.stack, old, fx.now), -EBADF);
    assert_int_equal(bk_tcp_abort(fx.stack, old, fx.now), -EBADF);
    assert_int_equal(bk_tcp_set(fx.stack, old, BK_TCP_NODELAY, 1, fx.now), -EBADF);
    bk_conn wild = {UINT32_MAX, 1};
    assert_int_equal(bk_tcp_status(fx.stack, wild, &info), -EBADF);
    wild = (bk_conn){0, 0};
    assert_int_equal(bk_tcp_status(fx.stack, wild, &info), -EBADF);
    expect_state(BK_ESTABLISHED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(each_gets_its_own_data), BOTH(a_reset_ends_only_its_own),        BOTH(each_closes_alone),
        BOTH(strangers_draw_rst),     BOTH(passive_connections_share_a_port), BOTH(listeners_by_port),
        BOTH(handles_go_stale),
    };
    return run_fixture_tests(tests);
}
