/* Shows that trace events say what happened, that a segment's fate reaches its event as long as that is kept, and that no trace costs nothing. */
#include "core.h"

#include "tcp/event.h"

static struct tuple tuple;
static const struct event_about about = {EVENT_CONNECTION, 5, &tuple, 0x1234, 2};

static struct core up(uint32_t events) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.trace_events = events;
    struct core k = core_up(&config, 0);
    base_now(k.base, 1000);
    tuple = (struct tuple){bk_addr_ipv4(192, 0, 2, 1), bk_addr_ipv4(192, 0, 2, 2), 80, 40000};
    return k;
}

static struct bk_event next(struct core *k) {
    struct bk_event e;
    assert_int_equal(bk_trace_read(k->stack, &e, 1, NULL), 1);
    assert_true(e.time == 1000);
    assert_int_equal(e.object, 5);
    assert_int_equal(e.object_kind, EVENT_CONNECTION);
    assert_int_equal(e.iface, 2);
    assert_int_equal(e.remote_tag, 0x1234);
    assert_int_equal(e.local_port, 80);
    assert_int_equal(e.remote_port, 40000);
    return e;
}

/* Windows are told in bytes: scaled, but not in a SYN (RFC 7323 2.2); what is absent reads 0, of the scale 255. */
static void segments(void **state) {
    (void)state;
    struct core k = up(16);
    struct wire_tcp h = {.seq = 10, .ack = 20, .flags = WIRE_ACK | WIRE_PSH, .window = 100};
    event_segment_out(k.tcp, &about, &h, 55, BK_REASON_SEND_DATA, BK_ESTABLISHED, 3);
    struct bk_event e = next(&k);
    assert_int_equal(e.kind, BK_EVENT_SEGMENT_OUT);
    assert_int_equal(e.seq, 10);
    assert_int_equal(e.ack, 20);
    assert_int_equal(e.wnd, 800);
    assert_int_equal(e.len, 55);
    assert_int_equal(e.tcp_flags, WIRE_ACK | WIRE_PSH);
    assert_int_equal(e.state, BK_ESTABLISHED);
    assert_int_equal(e.wscale, 255);
    assert_int_equal(e.mss, 0);
    assert_int_equal(e.tsval, 0);
    h = (struct wire_tcp){.seq = 10, .ack = 20, .flags = WIRE_SYN, .window = 100, .option = {.mss = 1460}};
    event_segment_out(k.tcp, &about, &h, 0, BK_REASON_SEND_SYN, BK_SYN_SENT, 3);
    e = next(&k);
    assert_int_equal(e.ack, 0); /* no ACK bit, no acknowledgment */
    assert_int_equal(e.wnd, 100);
    assert_int_equal(e.mss, 1460);
    assert_int_equal(e.wscale, 255);
    tuple.remote.byte[0] = 0x20;
    h.option = (struct wire_tcp_options){.has_wscale = true, .wscale = 0};
    event_segment_out(k.tcp, &about, &h, 0, BK_REASON_SEND_SYN, BK_SYN_SENT, 3);
    e = next(&k);
    assert_int_equal(e.wscale, 0);
    assert_int_equal(e.family, 6);
    core_down(&k);
}

/* A segment's event stands before the changes that it causes, and learns its fate after them. */
static void fates(void **state) {
    (void)state;
    struct core k = up(4);
    struct wire_tcp h = {.seq = 1, .flags = WIRE_FIN | WIRE_ACK};
    uint64_t at = event_segment_in(k.tcp, &about, &h, 0, 0);
    event_state(k.tcp, &about, BK_ESTABLISHED, BK_CLOSE_WAIT, BK_REASON_ACCEPT_FIN);
    event_segment_fate(k.tcp, at, BK_REASON_ACCEPT_FIN, BK_ESTABLISHED, BK_CLOSE_WAIT);
    struct bk_event e = next(&k);
    assert_int_equal(e.kind, BK_EVENT_SEGMENT_IN);
    assert_int_equal(e.reason, BK_REASON_ACCEPT_FIN);
    assert_int_equal(e.state_before, BK_ESTABLISHED);
    assert_int_equal(e.state, BK_CLOSE_WAIT);
    assert_int_equal(next(&k).kind, BK_EVENT_STATE);

    /* So much happened that the segment's event is overwritten: its fate must not land in another's. */
    at = event_segment_in(k.tcp, &about, &h, 0, 0);
    for (int i = 0; i < 4; i++) event_timer(k.tcp, &about, BK_REASON_NOTE_RTO, BK_ESTABLISHED);
    event_segment_fate(k.tcp, at, BK_REASON_ACCEPT_FIN, BK_ESTABLISHED, BK_CLOSE_WAIT);
    for (int i = 0; i < 4; i++) {
        e = next(&k);
        assert_int_equal(e.kind, BK_EVENT_TIMER);
        assert_int_equal(e.reason, BK_REASON_NOTE_RTO);
        assert_int_equal(e.state, BK_ESTABLISHED);
    }
    /* The last moment at which it is still there. */
    at = event_segment_in(k.tcp, &about, &h, 0, 0);
    for (int i = 0; i < 3; i++) event_timer(k.tcp, &about, BK_REASON_NOTE_RTO, BK_ESTABLISHED);
    event_segment_fate(k.tcp, at, BK_REASON_ACCEPT_FIN, BK_ESTABLISHED, BK_CLOSE_WAIT);
    assert_int_equal(next(&k).reason, BK_REASON_ACCEPT_FIN);
    core_down(&k);
}

/* What the user called and was told; an error stands without its sign. */
static void user_calls(void **state) {
    (void)state;
    struct core k = up(16);
    event_user(k.tcp, BK_EVENT_CALL, &about, BK_CALL_SEND, 1234, BK_ESTABLISHED);
    event_user(k.tcp, BK_EVENT_HEARD, &about, BK_READY_CLOSED, ERROR_CONNRESET, BK_CLOSED);
    struct bk_event e = next(&k);
    assert_int_equal(e.kind, BK_EVENT_CALL);
    assert_int_equal(e.call, BK_CALL_SEND);
    assert_int_equal(e.len, 1234);
    assert_int_equal(e.state, BK_ESTABLISHED);
    e = next(&k);
    assert_int_equal(e.kind, BK_EVENT_HEARD);
    assert_int_equal(e.call, BK_READY_CLOSED);
    assert_int_equal(e.len, 104);
    core_down(&k);
}

static void without_a_trace(void **state) {
    (void)state;
    struct core k = up(0);
    struct wire_tcp h = {.flags = WIRE_ACK};
    uint64_t at = event_segment_in(k.tcp, &about, &h, 0, 0);
    event_segment_fate(k.tcp, at, BK_REASON_ACCEPT_ACK, BK_ESTABLISHED, BK_ESTABLISHED);
    event_segment_out(k.tcp, &about, &h, 0, BK_REASON_SEND_DATA, BK_ESTABLISHED, 0);
    event_state(k.tcp, &about, BK_ESTABLISHED, BK_CLOSED, BK_REASON_ACCEPT_RST);
    event_user(k.tcp, BK_EVENT_CALL, &about, BK_CALL_SEND, 1, BK_ESTABLISHED);
    event_timer(k.tcp, &about, BK_REASON_NOTE_RTO, BK_ESTABLISHED);
    struct bk_event e;
    uint64_t lost;
    assert_int_equal(bk_trace_read(k.stack, &e, 1, &lost), 0);
    assert_true(lost == 0);
    assert_true(k.base->trace.written == 0);
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments),
        cmocka_unit_test(fates),
        cmocka_unit_test(user_calls),
        cmocka_unit_test(without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
