/* Shows what RFC 9293 requires and no test of a single module shows by the way; docs/conformance.md tells where the others are. */
#include <errno.h>

#include "fixture.h"

#include "wire/tcp.h"

/* MUST-1: a window of 32,768 and more is no negative one. REC-1: scaled it has 30 bits. */
static void windows_are_unsigned(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    assert_int_equal(call_status().snd_wnd, 65535);
    int64_t acked = 1;
    for (int i = 0; i < 12; i++) { /* the congestion window must grow beyond it */
        expect_call(call_send(60000) > 0, 1);
        while (anything_sent()) {
            next_sent();
            acked = last_end();
        }
        if (call_status().snd_nxt - call_status().snd_una > 32768) return;
        receive(SEG(.flags = ACK, .ack = acked));
    }
    fixture_fail("no more than 32,768 bytes are ever under way");
}

static void windows_have_32_bits(void **state) {
    (void)state;
    fx.flow.wscale = 14;
    fx.flow.wnd = 65535;
    established();
    receive(SEG(.flags = ACK));
    assert_int_equal(call_status().snd_wnd, UINT32_C(65535) << 14);
}

/* RFC 1122 4.2.2.20 (c): SYN-RECEIVED takes its first true window from the ACK: that of the SYN was not scaled yet. */
static void window_of_the_handshake_ack(void **state) {
    (void)state;
    fx.flow.wscale = 2;
    request();
    receive(SEG(.flags = ACK, .wnd = 1000));
    expect_call(call_accept(), 0);
    assert_int_equal(call_status().snd_wnd, 4000);
    assert_int_equal(call_status().snd_wl1 - call_status().irs, 1);
    assert_int_equal(call_status().snd_wl2 - call_status().iss, 1);
}

/* MUST-66: urgent data is announced, and told, at a zero window. */
static void urgent_at_zero_window(void **state) {
    (void)state;
    fx.config.receive_buffer = 4096;
    established();
    for (int i = 0; i < 4; i++) receive(SEG(.flags = ACK, .len = 1024));
    ignore_sent();
    assert_int_equal(call_status().rcv_wnd, 0);
    heard();
    receive(SEG(.flags = ACK | URG, .urg = 10));
    expect_ready(BK_READY_URGENT);
    assert_int_equal(call_status().rcv_up - call_status().irs, 4097 + 10);
}

/* MUST-41, MUST-42: LISTEN on a port from which connections are being opened, in SYN-SENT and in SYN-RECEIVED; the
 * one has nothing to do with the other. */
static void listen_beside_embryonic_connections(void **state) {
    (void)state;
    fx.flow = flow_like(&fx.flow, 80, 40000);
    syn_sent();
    struct flow opening = fx.flow;
    fx.flow = flow_like(&fx.flow, 80, 40001);
    syn_received();
    struct flow crossed = fx.flow;
    fx.flow = flow_like(&fx.flow, 80, 50000);
    expect_call(call_listen(), 0);
    expect_call(call_listen(), -EADDRINUSE);
    expect_silence();
    fx.listener_held = true;
    fx.passive = true;
    fx.flow = flow_like(&fx.flow, 80, 50000);
    established();
    fx.flow = opening;
    expect_state(BK_SYN_SENT);
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    expect_state(BK_ESTABLISHED);
    fx.flow = crossed;
    expect_state(BK_SYN_RECEIVED);
    receive(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
}

/* MUST-45: a connection keeps the address that it was made with, whatever comes; MUST-43: which is the one that OPEN named. */
static void the_local_address_stays(void **state) {
    (void)state;
    stack_up();
    bk_addr second = fx.flow.local;
    second.byte[15] = 9;
    assert_int_equal(bk_iface_address_add(fx.stack, fx.iface, &second, fx.family == 4 ? 24 : 64, true, fx.now), 0);
    ignore_sent();
    fx.flow.local = second;
    established();
    bk_addr gateway = {{0}}, any = fx.family == 4 ? bk_addr_ipv4(0, 0, 0, 0) : gateway;
    assert_int_equal(bk_route_add(fx.stack, &any, 0, &any, fx.iface), 0);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .len = 10, .src = &second));
    advance_by(1100);
    expect(SEG(.flags = ACK, .seq = 1, .len = 10, .src = &second));
}

/* MUST-48, SHLD-21, SHLD-22: the Differentiated Services field is the user's, from the SYN on and with any segment, and goes to IP as it is; so
 * is, for one connection, the TTL (MUST-49). */
static void differentiated_services(void **state) {
    (void)state;
    stack_up();
    struct bk_tcp_open open = {.local = fx.flow.local,
                               .remote = fx.flow.remote,
                               .local_port = fx.flow.local_port,
                               .remote_port = fx.flow.remote_port};
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &fx.flow.conn), 0);
    fx.flow.held = true;
    assert_int_equal(bk_tcp_set(fx.stack, fx.flow.conn, BK_TCP_TRAFFIC_CLASS, 0xb8, fx.now), 0);
    assert_int_equal(bk_tcp_set(fx.stack, fx.flow.conn, BK_TCP_HOP_LIMIT, 7, fx.now), 0);
    assert_true(anything_sent());
    expect(SEG(.flags = SYN, .seq = 0));
    assert_int_equal(fx.last.tc, 0xb8);
    assert_int_equal(fx.last.ttl, 7);
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK, .seq = 1));
    assert_int_equal(fx.last.tc, 0xb8);
    expect_call(call_set(BK_TCP_TRAFFIC_CLASS, 0x28), 0);
    expect_call(call_set(BK_TCP_HOP_LIMIT, 0), 0);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .seq = 1, .len = 10));
    assert_int_equal(fx.last.tc, 0x28);
    assert_int_equal(fx.last.ttl, 64);
    call_abort();
    expect(SEG(.flags = RST | ACK));
    assert_int_equal(fx.last.tc, 0x28);
}

/* MUST-69, MUST-68: behind the options a header is padded with zeros, and each option but the two single octets has its length. */
static void options_end_in_zeros(void **state) {
    (void)state;
    for (uint32_t set = 0; set < 64; set++) {
        uint8_t p[WIRE_TCP_LENGTH_MAX];
        struct wire_tcp h = {.option = {.mss = set & 1 ? 1460 : 0,
                                        .has_wscale = set >> 1 & 1,
                                        .sack_permitted = set >> 2 & 1,
                                        .has_timestamps = set >> 3 & 1,
                                        .sack_count = (uint8_t)(set >> 4)}};
        memset(p, 0xa5, sizeof p);
        size_t n = wire_tcp_emit(p, &h), i = WIRE_TCP_LENGTH;
        while (i < n && p[i] != 0) i += p[i] == 1 ? 1 : p[i + 1];
        assert_true(i <= n);
        for (; i < n; i++) assert_int_equal(p[i], 0);
        assert_int_equal(n % 4, 0);
    }
}

/* 3.10.7.4: of SYN-RECEIVED it is remembered how it was entered (MUST-11): RST sends a passive open back to LISTEN,
 * and refuses an active one. */
static void syn_received_remembers_its_origin(void **state) {
    (void)state;
    request();
    receive(SEG(.flags = RST, .seq = 1));
    expect_silence();
    expect_state(BK_LISTEN);
    expect_ready(0);
    fixture_finish();
    fixture_prepare(fx.family);
    syn_received();
    receive(SEG(.flags = RST, .seq = 1));
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ECONNREFUSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(windows_are_unsigned),
        BOTH(windows_have_32_bits),
        BOTH(window_of_the_handshake_ack),
        BOTH(urgent_at_zero_window),
        BOTH(listen_beside_embryonic_connections),
        BOTH(the_local_address_stays),
        BOTH(differentiated_services),
        cmocka_unit_test(options_end_in_zeros),
        BOTH(syn_received_remembers_its_origin),
    };
    return run_fixture_tests(tests);
}
