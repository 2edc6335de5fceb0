/* The bench: what the user calls and sees, and the ways into the states. */
#include "fixture_internal.h"

/* ---- the user ---------------------------------------------------------------------------------------- */

static int called(const char *what, int rc) {
    char text[64];
    snprintf(text, sizeof text, "user: %s = %d", what, rc);
    fixture_note("  ", text, "call");
    fixture_drain();
    return rc;
}

int call_listen(void) {
    stack_up();
    int rc = bk_tcp_listen(fx.stack, &fx.flow.local, fx.flow.local_port, fx.backlog, USER_LISTEN, fx.now, &fx.listener);
    if (rc == 0) fx.listener_held = true;
    return called("listen", rc);
}

int call_accept(void) {
    int rc = bk_tcp_accept(fx.stack, fx.listener, USER_ACCEPT, fx.now, &fx.flow.conn);
    if (rc == 0) fx.flow.held = true;
    return called("accept", rc);
}

int call_connect(void) {
    stack_up();
    struct bk_tcp_open open = {.local = fx.flow.local,
                               .remote = fx.flow.remote,
                               .local_port = fx.flow.local_port,
                               .remote_port = fx.flow.remote_port,
                               .user = USER_CONNECT};
    bk_conn conn;
    int rc = bk_tcp_connect(fx.stack, &open, fx.now, &conn);
    if (rc == 0) {
        fx.flow.conn = conn;
        fx.flow.held = true;
    }
    return called("connect", rc);
}

ptrdiff_t call_send_flags(size_t n, uint32_t flags) {
    static uint8_t bytes[1 << 18];
    assert_true(n <= sizeof bytes);
    for (size_t i = 0; i < n; i++) bytes[i] = fixture_user_pattern(fx.flow.sent + i);
    ptrdiff_t rc = bk_tcp_send(fx.stack, fx.flow.conn, bytes, n, flags, fx.now);
    if (rc > (ptrdiff_t)n) fixture_fail("bk_tcp_send took more than it was given");
    if (rc > 0) fx.flow.sent += (uint64_t)rc;
    called("send", (int)rc);
    return rc;
}
ptrdiff_t call_send(size_t n) {
    return call_send_flags(n, 0);
}

ptrdiff_t call_receive(size_t n) {
    static uint8_t bytes[1 << 18];
    assert_true(n <= sizeof bytes);
    ptrdiff_t rc = bk_tcp_receive(fx.stack, fx.flow.conn, bytes, n, fx.now);
    if (rc > (ptrdiff_t)n) fixture_fail("bk_tcp_receive gave more than there was room for");
    for (ptrdiff_t i = 0; i < rc && !fx.flow.raw; i++)
        if (bytes[i] != fixture_peer_pattern(fx.flow.read + (uint64_t)i))
            fixture_fail("byte %lu of the peer's stream is wrong", (unsigned long)(fx.flow.read + (uint64_t)i));
    if (rc > 0) fx.flow.read += (uint64_t)rc;
    called("receive", (int)rc);
    return rc;
}

int call_shutdown(void) {
    return called("shutdown", bk_tcp_shutdown(fx.stack, fx.flow.conn, fx.now));
}
int call_close(void) {
    fx.flow.held = false;
    return called("close", bk_tcp_close(fx.stack, fx.flow.conn, fx.now));
}
int call_abort(void) {
    fx.flow.held = false;
    return called("abort", bk_tcp_abort(fx.stack, fx.flow.conn, fx.now));
}
int call_unlisten(void) {
    fx.listener_held = false;
    return called("unlisten", bk_tcp_unlisten(fx.stack, fx.listener, fx.now));
}
int call_set(enum bk_tcp_option option, uint64_t value) {
    return called("set", bk_tcp_set(fx.stack, fx.flow.conn, option, value, fx.now));
}
struct bk_tcp_info call_status(void) {
    struct bk_tcp_info info;
    int rc = bk_tcp_status(fx.stack, fx.flow.conn, &info);
    if (rc) fixture_fail("bk_tcp_status: %d", rc);
    return info;
}

void expect_call_at(const char *text, int64_t got, int64_t wanted) {
    if (got != wanted) fixture_fail("%s returned %ld, expected %ld", text, (long)got, (long)wanted);
}

/* ---- what the user sees ------------------------------------------------------------------------------ */

void expect_state(enum bk_state state) {
    struct bk_tcp_info info;
    uint64_t cursor = 0;
    unsigned entries = 0;
    bool listed = false;
    uint8_t found = BK_CLOSED;
    while (bk_tcp_list(fx.stack, &cursor, &info)) {
        if (info.state == BK_LISTEN) {
            listed |= info.local_port == fx.flow.local_port;
        } else if (info.local_port == fx.flow.local_port && info.remote_port == fx.flow.remote_port &&
                   bk_addr_equal(&info.local, &fx.flow.local) && bk_addr_equal(&info.remote, &fx.flow.remote) &&
                   info.state != BK_CLOSED) {
            entries++;
            found = info.state;
        }
    }
    if (entries > 1) fixture_fail("bk_tcp_list shows the connection %u times", entries);
    if (state == BK_LISTEN) {
        if (!listed) fixture_fail("the listener is gone");
        if (entries) fixture_fail("the state is %s, expected LISTEN only", bk_state_name(found));
        return;
    }
    if (found != state)
        fixture_fail("the state is %s, expected %s", bk_state_name(found), bk_state_name((uint8_t)state));
    if (fx.flow.held && (found = call_status().state) != state)
        fixture_fail("bk_tcp_status says %s, expected %s", bk_state_name(found), bk_state_name((uint8_t)state));
}

uint32_t heard(void) {
    struct bk_ready events[8];
    size_t n;
    uint32_t bits = 0;
    while ((n = bk_ready_poll(fx.stack, events, 8)) != 0) {
        for (size_t i = 0; i < n; i++) {
            const struct bk_ready *e = &events[i];
            if (e->listener) {
                if (e->user != USER_LISTEN || e->index != fx.listener.index || e->generation != fx.listener.generation)
                    fixture_fail("an event names a listener that is not ours");
                bits |= e->what;
            } else if (fx.flow.held && e->index == fx.flow.conn.index && e->generation == fx.flow.conn.generation) {
                if (e->user != USER_CONNECT && e->user != USER_ACCEPT)
                    fixture_fail("an event carries a user value that was never given");
                bits |= e->what;
            }
        }
    }
    return bits;
}

static char *ready_format(uint32_t bits, char text[128]) {
    static const char *const names[] = {"CONNECTED",   "READABLE", "WRITABLE", "ACCEPTABLE",
                                        "PEER_CLOSED", "CLOSED",   "URGENT"};
    int n = snprintf(text, 128, "%s", bits ? "" : "nothing");
    for (unsigned i = 0; i < 7; i++)
        if (bits >> i & 1) n += snprintf(text + n, 128 - (size_t)n, "%s ", names[i]);
    return text;
}

void expect_ready(uint32_t bits) {
    char got[128], wanted[128];
    uint32_t now = heard();
    if (now != bits) fixture_fail("the user heard %s; expected %s", ready_format(now, got), ready_format(bits, wanted));
}

void expect_error(int error) {
    int got = call_status().error;
    if (got != error) fixture_fail("the connection's error is %d, expected %d", got, error);
}

/* ---- ways into the states ---------------------------------------------------------------------------- */

void listening(void) {
    fx.flow.local_port = 80;
    fx.flow.remote_port = 50000;
    expect_call(call_listen(), 0);
    expect_silence();
    expect_state(BK_LISTEN);
}

void syn_sent(void) {
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .seq = 0));
    expect_silence();
    expect_state(BK_SYN_SENT);
}

void request(void) {
    if (!fx.listener_held) listening();
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    expect_silence();
    expect_state(BK_SYN_RECEIVED);
}

void syn_received(void) {
    syn_sent();
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .seq = 0, .ack = 1));
    expect_silence();
    expect_state(BK_SYN_RECEIVED);
}

void established(void) {
    if (fx.passive) {
        request();
        receive(SEG(.flags = ACK));
        expect_call(call_accept(), 0);
    } else {
        syn_sent();
        receive(SEG(.flags = SYN | ACK));
        expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    }
    expect_silence();
    expect_state(BK_ESTABLISHED);
    heard();
}

/* CLOSE as fx.orphan says. */
static void user_end(void) {
    if (fx.orphan) {
        expect_call(call_close(), 0);
    } else {
        expect_call(call_shutdown(), 0);
    }
}

void fin_wait_1(void) {
    established();
    user_end();
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 1));
    expect_silence();
    expect_state(BK_FIN_WAIT_1);
}

void fin_wait_2(void) {
    fin_wait_1();
    receive(SEG(.flags = ACK));
    expect_silence();
    expect_state(BK_FIN_WAIT_2);
}

void close_wait(void) {
    established();
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 2));
    expect_silence();
    expect_state(BK_CLOSE_WAIT);
    heard();
}

void closing(void) {
    fin_wait_1();
    receive(SEG(.flags = FIN | ACK, .ack = 1));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
    expect_silence();
    expect_state(BK_CLOSING);
    heard();
}

void last_ack_state(void) {
    close_wait();
    user_end();
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 2));
    expect_silence();
    expect_state(BK_LAST_ACK);
}

void time_wait(void) {
    fin_wait_2();
    receive(SEG(.flags = FIN | ACK));
    expect(SEG(.flags = ACK, .seq = 2, .ack = 2));
    expect_silence();
    expect_state(BK_TIME_WAIT);
    heard();
}
