/* Shows path MTU discovery (RFC 1191, RFC 8201): what routers say is believed as far as RFC 5927 advises, holds for all connections to the
 * destination, and is forgotten after a while; and what users and interfaces say. */
#include <errno.h>

#include "fixture_icmp.h"

/* Header bytes of a segment without options. */
static int64_t headers(void) {
    return fx.family == 4 ? 40 : 60;
}

/* The peer acknowledges all that was sent, and what that brings. */
static void acknowledge_all(void) {
    do receive(SEG(.flags = ACK));
    while (ignore_sent() != 0);
    assert_int_equal(fx.flow.seen, (int64_t)fx.flow.sent + 1);
}

/* Sends so many full segments, and the peer acknowledges them. */
static void send_and_acknowledge(int64_t segments) {
    int64_t mss = call_status().send_mss;
    expect_call(call_send((size_t)(segments * mss)), segments * mss);
    ignore_sent();
    acknowledge_all();
}

/* The next segment holds a full one of this MTU; the rest of what leaves is acknowledged. */
static void expect_packets_of(int64_t mtu) {
    expect_call(call_send(4000), 4000);
    next_sent();
    assert_int_equal(fx.last.len, mtu - headers());
    ignore_sent();
    acknowledge_all();
    assert_int_equal(call_status().path_mtu, mtu);
}

/* Another connection, from another port, to the same peer. */
static void another(void) {
    static uint16_t port = 41000;
    fx.flow = flow_like(&fx.flow, ++port, 80);
    established();
}

static void roomy(void) {
    fx.flow.wnd = 65535;
    established();
}

/* RFC 5927 7.2: a packet of this size has arrived, so the claim has to wait for the segment's timeout. */
static void claim_about_a_proven_size_waits(void **state) {
    (void)state;
    roomy();
    send_and_acknowledge(3);
    int64_t mss = our_mss(), una = fx.flow.seen;
    expect_call(call_send((size_t)mss), mss);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, una, 1300), BK_REASON_ACCEPT_ICMP_HELD);
    expect_silence();
    assert_int_equal(call_status().send_mss, mss);
    advance_by(1200); /* the RTO is 1 s */
    assert_int_equal(call_status().send_mss, 1300 - headers());
    next_sent();
    assert_int_equal(last_seq(), una);
    assert_true(fx.last.len <= (uint32_t)(1300 - headers()));
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_PATH_MTU), 1);
}

/* And is forgotten when that segment is acknowledged. */
static void claim_is_refuted(void **state) {
    (void)state;
    roomy();
    send_and_acknowledge(3);
    int64_t mss = our_mss(), una = fx.flow.seen;
    expect_call(call_send((size_t)(2 * mss)), 2 * mss);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, una, 1300), BK_REASON_ACCEPT_ICMP_HELD);
    receive(SEG(.flags = ACK, .ack = una + mss));
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_CLAIM_REFUTED), 1);
    advance_by(1200);
    assert_int_equal(call_status().send_mss, mss);
    next_sent();
    assert_int_equal(fx.last.len, mss);
}

/* What was proven bounds the doubt: a claim of at least that is believed at once. */
static void claim_above_what_is_proven(void **state) {
    (void)state;
    roomy();
    expect_call(call_send(3000), 3000);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, 1, 1400), BK_REASON_ACCEPT_ICMP_ERROR);
    ignore_sent();
    acknowledge_all();
    send_and_acknowledge(2);
    int64_t una = fx.flow.seen;
    expect_call(call_send(1000), 1000);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, una, 1400), BK_REASON_DROP_ICMP_NOT_LESS);
    assert_int_equal(icmp(TOO_BIG, una, 1399), BK_REASON_ACCEPT_ICMP_HELD);
}

/* RFC 1191 6.2, RFC 8201 5.2: what one connection has learned serves the others. */
static void others_to_the_destination_learn(void **state) {
    (void)state;
    roomy();
    struct flow first = fx.flow;
    another();
    struct flow second = fx.flow;
    expect_packets_of(1500);
    second = fx.flow;
    fx.flow = first;
    expect_call(call_send(3000), 3000);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, 1, 1300), BK_REASON_ACCEPT_ICMP_ERROR);
    ignore_sent();
    fx.flow = second;
    expect_packets_of(1300);
    another();
    expect_packets_of(1300);
    /* What we offer is about the other direction. */
    assert_int_equal(call_status().advertised_mss, our_mss());
    struct flow elsewhere = flow_like(&fx.flow, 45000, 80);
    elsewhere.remote.byte[15]++;
    fx.flow = elsewhere;
    established();
    expect_packets_of(1500);
}

/* RFC 1191 6.3, RFC 8201 4: not before five minutes; here ten. */
static void larger_packets_are_tried_again(void **state) {
    (void)state;
    roomy();
    expect_call(call_send(3000), 3000);
    ignore_sent();
    assert_int_equal(icmp(TOO_BIG, 1, 1300), BK_REASON_ACCEPT_ICMP_ERROR);
    ignore_sent();
    acknowledge_all();
    advance_by(599 * 1000);
    expect_packets_of(1300);
    advance_by(2 * 1000);
    expect_packets_of(1500);
    assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_PATH_EXPIRED), 1);
}

/* The pool is bounded: what was heard longest ago goes first, and what the user gave stays. */
static void pool_is_bounded(void **state) {
    (void)state;
    fx.config.paths = 2;
    fx.config.connections = 8;
    stack_up();
    bk_addr given = fx.flow.remote;
    given.byte[15] = 99;
    assert_int_equal(bk_path_mtu_set(fx.stack, &given, 1400, fx.now), 0);
    for (uint8_t i = 0; i < 3; i++) {
        struct flow f = flow_like(&fx.flow, (uint16_t)(42000 + i), 80);
        f.remote.byte[15] = (uint8_t)(10 + i);
        f.wnd = 65535;
        fx.flow = f;
        established();
        expect_call(call_send(3000), 3000);
        ignore_sent();
        assert_int_equal(icmp(TOO_BIG, 1, 1300), BK_REASON_ACCEPT_ICMP_ERROR);
        ignore_sent();
        assert_int_equal(bk_reason_count(fx.stack, BK_REASON_NOTE_PATH_EVICTED), i);
    }
    given.byte[15] = 100;
    assert_int_equal(bk_path_mtu_set(fx.stack, &given, 1400, fx.now), 0);
    given.byte[15] = 101;
    assert_int_equal(bk_path_mtu_set(fx.stack, &given, 1400, fx.now), -ENOSPC);
    given.byte[15] = 100;
    assert_int_equal(bk_path_mtu_set(fx.stack, &given, 0, fx.now), 0);
    given.byte[15] = 101;
    assert_int_equal(bk_path_mtu_set(fx.stack, &given, 1400, fx.now), 0);
}

/* What the user knows bounds segments, and what is offered; open connections follow. */
static void user_knows_the_path(void **state) {
    (void)state;
    stack_up();
    fx.flow.wnd = 65535;
    assert_int_equal(bk_path_mtu_set(fx.stack, &fx.flow.remote, 127, fx.now), -EINVAL);
    assert_int_equal(bk_path_mtu_set(fx.stack, &fx.flow.remote, 65536, fx.now), -EINVAL);
    assert_int_equal(bk_path_mtu_set(fx.stack, &fx.flow.remote, 640, fx.now), 0);
    established();
    assert_int_equal(call_status().advertised_mss, 640 - headers());
    expect_packets_of(640);
    assert_int_equal(bk_path_mtu_set(fx.stack, &fx.flow.remote, 1400, fx.now), 0);
    expect_packets_of(1400);
    assert_int_equal(bk_path_mtu_set(fx.stack, &fx.flow.remote, 0, fx.now), 0);
    expect_packets_of(1500);
}

static void interface_changes(void **state) {
    (void)state;
    roomy();
    expect_packets_of(1500);
    uint32_t least = 576;
    if (fx.family == 6) {
        least = 1280;
        assert_int_equal(bk_iface_mtu_set(fx.stack, fx.iface, 1279, fx.now), -EINVAL);
    }
    assert_int_equal(bk_iface_mtu_set(fx.stack, fx.iface, least, fx.now), 0);
    expect_packets_of(least);
    assert_int_equal(bk_iface_mtu_set(fx.stack, fx.iface, 1501, fx.now), -EINVAL);
    assert_int_equal(bk_iface_mtu_set(fx.stack, fx.iface + 1, 1500, fx.now), -EINVAL);
    assert_int_equal(bk_iface_mtu_set(fx.stack, fx.iface, 1500, fx.now), 0);
    expect_packets_of(1500);
}

/* The modes: what is heeded, and whether IPv4 routers may fragment. */
static void modes(void **state) {
    (void)state;
    static const struct {
        uint64_t mode;
        bool dont_fragment, heeds4, heeds6;
    } rows[] = {{BK_MTU_DISCOVER, true, true, true},
                {BK_MTU_FRAGMENT, false, false, true},
                {BK_MTU_PROBE, true, false, false},
                {BK_MTU_INTERFACE, false, false, false}};
    fx.config.connections = 8;
    fx.flow.wnd = 65535;
    for (unsigned i = 0; i < 4; i++) {
        struct flow f = flow_like(&fx.flow, (uint16_t)(43000 + i), 80);
        f.remote.byte[15] = (uint8_t)(20 + i);
        fx.flow = f;
        established();
        expect_call(call_set(BK_TCP_MTU_DISCOVERY, rows[i].mode), 0);
        expect_call(call_send(3000), 3000);
        next_sent();
        if (fx.family == 4) assert_int_equal(fx.last.dont_fragment, rows[i].dont_fragment);
        ignore_sent();
        bool heeds = fx.family == 4 ? rows[i].heeds4 : rows[i].heeds6;
        assert_int_equal(icmp(TOO_BIG, 1, 1300), heeds ? BK_REASON_ACCEPT_ICMP_ERROR : BK_REASON_DROP_ICMP_NOT_LESS);
        assert_int_equal(call_status().path_mtu, heeds ? 1300 : 1500);
        ignore_sent();
    }
    expect_call(call_set(BK_TCP_MTU_DISCOVERY, BK_MTU_DISCOVERIES), -EINVAL);
}

/* RFC 6864 4.3: packets that may be fragmented have numbers of their own. */
static void fragments_can_be_told_apart(void **state) {
    (void)state;
    if (fx.family == 6) return;
    roomy();
    expect_call(call_set(BK_TCP_MTU_DISCOVERY, BK_MTU_FRAGMENT), 0);
    expect_call(call_send(4000), 4000);
    int last = -1, count = 0;
    for (; anything_sent(); count++) {
        const uint8_t *ip = fx.sent[fx.sent_taken].frame;
        int id = ip[4] << 8 | ip[5];
        next_sent();
        if (last >= 0) assert_int_equal(id, (last + 1) & 0xffff);
        last = id;
    }
    assert_true(count >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(claim_about_a_proven_size_waits),
        BOTH(claim_is_refuted),
        BOTH(claim_above_what_is_proven),
        BOTH(others_to_the_destination_learn),
        BOTH(larger_packets_are_tried_again),
        BOTH(pool_is_bounded),
        BOTH(user_knows_the_path),
        BOTH(interface_changes),
        BOTH(modes),
        BOTH(fragments_can_be_told_apart),
    };
    return run_fixture_tests(tests);
}
