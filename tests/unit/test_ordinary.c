/* Shows when an ACK leaves by the short way: not while a gap is to be reported, and again when it is filled. What leaves is lab.equal's to compare. */
#include "fixture.h"

#include "stack.h"
#include "tcp/ordinary.h"

static struct tcp *tcp_of(void) {
    return &fx.stack->net.tcp;
}

/* An ACK is owed: who makes it? It is thrown away. */
static enum ordinary_answer owed_ack_leaves(void) {
    struct tcp *t = tcp_of();
    struct connection *c = connection_at(t, fx.flow.conn.index);
    uint32_t frame = BK_NONE;
    connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_NOW);
    enum ordinary_answer answer = ordinary_output(t, c, &frame);
    if (answer == ORDINARY_SENT) frame_free(&t->base, frame);
    ignore_sent();
    return answer;
}

static void gap(void **state) {
    (void)state;
    static const uint8_t options[] = {2, 4, 5, 180, 1, 1, 4, 2};
    fx.config.sack = true;
    fx.config.trace_events = 0; /* who traces sees each segment made */
    expect_call(call_listen(), 0);
    receive(SEG(.flags = SYN, .options = options, .options_length = sizeof options));
    expect(SEG(.flags = SYN | ACK));
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    receive(SEG(.flags = ACK, .seq = 1, .len = 500));
    ignore_sent();
    assert_int_equal(owed_ack_leaves(), ORDINARY_SENT);
    receive(SEG(.flags = ACK, .seq = 1001, .len = 500));
    ignore_sent();
    assert_int_equal(owed_ack_leaves(), ORDINARY_NOT);
    receive(SEG(.flags = ACK, .seq = 501, .len = 500));
    ignore_sent();
    assert_int_equal(owed_ack_leaves(), ORDINARY_SENT);
}

/* Each thing that is out of the ordinary shows in the one number. */
static void one_number(void **state) {
    (void)state;
    struct connection c;
#define SHOWS(name)                                                                                                    \
    memset(&c, 0, sizeof c);                                                                                           \
    c.name = true;                                                                                                     \
    assert_int_not_equal(c.odd, 0);                                                                                    \
    c.odd = 0;                                                                                                         \
    assert_false(c.name)
    SHOWS(more);
    SHOWS(records);
    SHOWS(probe_now);
    SHOWS(override_now);
    SHOWS(urgent_out);
    SHOWS(control_lost);
    SHOWS(ecn);
    SHOWS(tail_unsampled);
#undef SHOWS
    c.odd = UINT8_MAX;
    c.detached = c.push = false;
    assert_int_equal(c.odd, UINT8_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {BOTH(gap), cmocka_unit_test(one_number)};
    return run_fixture_tests(tests);
}
