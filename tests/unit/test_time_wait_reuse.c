/* Shows that an active open takes the 4-tuple of a TIME-WAIT when timestamps make that safe and no earlier (RFC 6191), begins beyond the old
 * incarnation, and that a port is chosen so only when no free one is near. */
#include <errno.h>

#include "fixture.h"

static struct bk_tcp_open open_like(const struct flow *f, uint16_t local_port) {
    return (struct bk_tcp_open){
        .local = f->local, .remote = f->remote, .local_port = local_port, .remote_port = f->remote_port};
}

static uint64_t reused(void) {
    return bk_reason_count(fx.stack, BK_REASON_NOTE_TIME_WAIT_REUSED);
}

/* The client closed first, `ms` ago. */
static void client_in_time_wait(bool timestamps, uint64_t ms) {
    fx.orphan = true;
    fx.flow.timestamps = timestamps;
    time_wait();
    ignore_sent();
    advance_by(ms);
}

static void after_a_second(void **state) {
    (void)state;
    client_in_time_wait(true, 990);
    expect_call(call_connect(), -EADDRINUSE);
    advance_by(10);
    uint32_t old_end = fx.flow.iss + 2, old_ts = fx.flow.ts_seen;
    fx.flow.held = false;
    new_incarnation(77777);
    expect_call(call_connect(), 0);
    next_sent();
    assert_int_equal(fx.last.flags, SYN);
    assert_true((int32_t)(fx.last.seq - old_end) > 0);
    assert_true((int32_t)(fx.last.tsval - old_ts) >= 990);
    assert_int_equal(reused(), 1);
    expect_state(BK_SYN_SENT);
    struct bk_pool_info info;
    bk_pool_info(fx.stack, fx.family == 4 ? BK_POOL_TIME_WAITS_IPV4 : BK_POOL_TIME_WAITS_IPV6, &info);
    assert_int_equal(info.in_use, 0);
    receive(SEG(.flags = SYN | ACK));
    expect(SEG(.flags = ACK));
    expect_state(BK_ESTABLISHED);
}

/* The peer's FIN came again and was answered: the second begins anew. */
static void a_second_after_the_last_fin(void **state) {
    (void)state;
    client_in_time_wait(true, 900);
    receive(SEG(.flags = FIN | ACK, .seq = 1));
    expect_reason(BK_REASON_ANSWER_TIME_WAIT_FIN);
    ignore_sent();
    advance_by(900);
    expect_call(call_connect(), -EADDRINUSE);
    advance_by(100);
    expect_call(call_connect(), 0);
}

static void not_without_timestamps(void **state) {
    (void)state;
    client_in_time_wait(false, 30000);
    expect_call(call_connect(), -EADDRINUSE);
    assert_int_equal(reused(), 0);
}

static void not_if_configured_so(void **state) {
    (void)state;
    fx.config.time_wait_reuse = BK_REUSE_NEVER;
    client_in_time_wait(true, 30000);
    expect_call(call_connect(), -EADDRINUSE);
}

/* Between addresses of one host only: these are not. */
static void not_beyond_loopback(void **state) {
    (void)state;
    fx.config.time_wait_reuse = BK_REUSE_LOOPBACK;
    client_in_time_wait(true, 30000);
    expect_call(call_connect(), -EADDRINUSE);
    struct bk_config config = fx.config;
    config.time_wait_reuse = BK_REUSE_ALWAYS;
    assert_int_equal(bk_config_change(fx.stack, &config, NULL), 0);
    expect_call(call_connect(), 0);
}

/* The place is not given away before there is somebody to take it. */
static void no_room_for_the_next(void **state) {
    (void)state;
    fx.config.connections = 1;
    client_in_time_wait(true, 2000);
    struct flow other = flow_like(&fx.flow, 0, (uint16_t)(fx.flow.remote_port + 1));
    struct bk_tcp_open open = open_like(&other, 0);
    bk_conn conn, none;
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), 0);
    open = open_like(&fx.flow, fx.flow.local_port);
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &none), -ENOBUFS);
    expect_state(BK_TIME_WAIT);
    assert_int_equal(reused(), 0);
}

/* After the secrets were replaced the clock of the 4-tuple would stand elsewhere: it goes on where it was. */
static void the_clock_goes_on(void **state) {
    (void)state;
    client_in_time_wait(true, 2000);
    uint8_t seed[32] = {9};
    bk_reseed(fx.stack, seed);
    uint32_t old_ts = fx.flow.ts_seen;
    fx.flow.iss_known = false;
    expect_call(call_connect(), 0);
    next_sent();
    assert_in_range(fx.last.tsval - old_ts, 1900, 2100);
}

/* The user still held what was left of the old connection: its STATUS is CLOSED from then on, and letting go harms nobody. */
static void the_old_one_may_still_be_held(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    time_wait();
    ignore_sent();
    advance_by(2000);
    bk_conn old = fx.flow.conn, new;
    struct bk_tcp_open open = open_like(&fx.flow, fx.flow.local_port);
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &new), 0);
    struct bk_tcp_info info;
    assert_int_equal(bk_tcp_status(fx.stack, old, &info), 0);
    assert_int_equal(info.state, BK_CLOSED);
    assert_int_equal(bk_tcp_abort(fx.stack, old, fx.now), 0);
    assert_int_equal(bk_tcp_status(fx.stack, new, &info), 0);
    assert_int_equal(info.state, BK_SYN_SENT);
}

/* Three ports: as long as one is free it is taken; then one whose connection is in TIME-WAIT; none while that is too young. */
static void free_ports_come_first(void **state) {
    (void)state;
    fx.config.ephemeral_first = 50000;
    fx.config.ephemeral_last = 50002;
    fx.flow.local_port = 50001;
    client_in_time_wait(true, 500);
    struct bk_tcp_open open = open_like(&fx.flow, 0);
    bk_conn conn;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), 0);
        advance_by(1000);
    }
    assert_int_equal(reused(), 0);
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), 0);
    assert_int_equal(reused(), 1);
    struct bk_tcp_info info;
    assert_int_equal(bk_tcp_status(fx.stack, conn, &info), 0);
    assert_int_equal(info.local_port, 50001);
    assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), -EADDRNOTAVAIL);
}

/* Six ports, five of them held by connections, and the sixth in TIME-WAIT. */
static void one_port_of_six(uint64_t ms) {
    fx.config.ephemeral_first = 50000;
    fx.config.ephemeral_last = 50005;
    fx.config.connections = 16;
    fx.config.port_maps = 1;
    fx.flow.local_port = 50003;
    client_in_time_wait(true, ms);
    struct bk_tcp_open open = open_like(&fx.flow, 0);
    bk_conn conn;
    for (int i = 0; i < 5; i++) assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), 0);
}

static int connect_anywhere(bk_conn *conn) {
    struct bk_tcp_open open = open_like(&fx.flow, 0);
    return bk_tcp_connect(fx.stack, &open, fx.now, conn);
}

/* It is had a second after the TIME-WAIT began and not before, also by a stack that remembers that there was none; and what comes free is had at once. */
static void none_is_free_for_a_second(void **state) {
    (void)state;
    bk_conn conn;
    one_port_of_six(300);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(connect_anywhere(&conn), -EADDRNOTAVAIL);
        advance_by(i < 6 ? 100 : 99);
    }
    assert_int_equal(connect_anywhere(&conn), -EADDRNOTAVAIL);
    advance_by(1);
    assert_int_equal(connect_anywhere(&conn), 0);
    assert_int_equal(reused(), 1);
    bk_conn none;
    assert_int_equal(connect_anywhere(&none), -EADDRNOTAVAIL);
    assert_int_equal(bk_tcp_abort(fx.stack, conn, fx.now), 0);
    assert_int_equal(connect_anywhere(&conn), 0);
}

/* What was remembered holds only as long as the configuration that it was found with. */
static void none_is_free_until_the_configuration_changes(void **state) {
    (void)state;
    bk_conn conn;
    fx.config.time_wait_reuse = BK_REUSE_NEVER;
    one_port_of_six(2000);
    for (int i = 0; i < 2; i++) assert_int_equal(connect_anywhere(&conn), -EADDRNOTAVAIL);
    struct bk_config config = fx.config;
    config.time_wait_reuse = BK_REUSE_ALWAYS;
    assert_int_equal(bk_config_change(fx.stack, &config, NULL), 0);
    assert_int_equal(connect_anywhere(&conn), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(after_a_second),
        BOTH(a_second_after_the_last_fin),
        BOTH(not_without_timestamps),
        BOTH(not_if_configured_so),
        BOTH(not_beyond_loopback),
        BOTH(no_room_for_the_next),
        BOTH(the_clock_goes_on),
        BOTH(the_old_one_may_still_be_held),
        BOTH(free_ports_come_first),
        BOTH(none_is_free_for_a_second),
        BOTH(none_is_free_until_the_configuration_changes),
    };
    return run_fixture_tests(tests);
}
