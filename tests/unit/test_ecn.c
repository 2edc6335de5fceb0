/* Shows that ECN is agreed on only as RFC 3168 has it, that only new data is marked capable, that a mark is echoed until the sender says that it
 * has heard, and that the sender reduces its window once for each window of data. */
#include <errno.h>

#include "fixture.h"

#define ECT_1 1
#define ECT_0 2
#define CE    3

static bool agreed(void) {
    return call_status().ecn;
}

/* SYN with a request for ECN, answered with these flags. */
static void ask(int answer) {
    fx.config.ecn = BK_ECN_ASK;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN | ECE | CWR, .seq = 0, .tc = 0));
    receive(SEG(.flags = SYN | ACK | answer));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .tc = 0));
    expect_state(BK_ESTABLISHED);
}

/* The peer asks with these flags and this ECN field; our answer has `answer` besides SYN and ACK. */
static void asked(int flags, int tc, int answer) {
    fx.passive = true;
    if (!fx.listener_held) listening();
    receive(SEG(.flags = SYN | flags, .tc = tc));
    expect(SEG(.flags = SYN | ACK | answer, .seq = 0, .ack = 1, .tc = 0));
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    expect_state(BK_ESTABLISHED);
}

static void established_with_ecn(void) {
    if (fx.passive)
        asked(ECE | CWR, 0, ECE);
    else
        ask(ECE);
    assert_true(agreed());
}

/* ---- agreement ------------------------------------------------------------------------------------- */

static void asking(void **state) {
    (void)state;
    ask(ECE);
    assert_true(agreed());
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100, .tc = ECT_0));
}

static void asking_in_vain(void **state) {
    (void)state;
    static const int answers[] = {0, CWR, ECE | CWR};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        fixture_finish();
        fixture_prepare(fx.family);
        ask(answers[i]);
        assert_false(agreed());
        expect_call(call_send(100), 100);
        expect(SEG(.flags = ACK, .len = 100, .tc = 0));
    }
}

/* As configured by default: who does not ask still grants. */
static void granting(void **state) {
    (void)state;
    struct bk_config usual;
    bk_config_default(&usual);
    assert_int_equal(usual.ecn, BK_ECN_GRANT);
    asked(ECE | CWR, 0, ECE);
    assert_true(agreed());
    fx.flow.held = false;
    fx.flow = flow_like(&fx.flow, 40000, 9);
    fx.flow.held = false;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN, .seq = 0));
}

static void not_granting(void **state) {
    (void)state;
    static const struct {
        int flags, tc;
        uint32_t ecn;
    } row[] = {{ECE | CWR, 0, BK_ECN_OFF},       {ECE, 0, BK_ECN_GRANT},           {CWR, 0, BK_ECN_GRANT},
               {ECE | CWR, ECT_0, BK_ECN_GRANT}, {ECE | CWR, ECT_1, BK_ECN_GRANT}, {ECE | CWR, CE, BK_ECN_GRANT}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        fixture_finish();
        fixture_prepare(fx.family);
        fx.config.ecn = row[i].ecn;
        asked(row[i].flags, row[i].tc, 0);
        assert_false(agreed());
        receive(SEG(.flags = ACK, .len = 10, .tc = CE)); /* and so is nothing echoed */
        advance_by(200);
        expect(SEG(.flags = ACK, .ack = 11));
    }
}

/* The SYN may have been swallowed for its flags: the next one has none, and an answer to the first one comes too late. */
static void falling_back(void **state) {
    (void)state;
    fx.config.ecn = BK_ECN_ASK;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN | ECE | CWR));
    advance_by(1010);
    expect(SEG(.flags = SYN, .reason = BK_REASON_SEND_SYN_AGAIN));
    receive(SEG(.flags = SYN | ACK | ECE));
    expect(SEG(.flags = ACK));
    assert_false(agreed());
}

static void not_falling_back(void **state) {
    (void)state;
    fx.config.ecn = BK_ECN_ASK;
    fx.config.ecn_fallback = false;
    expect_call(call_connect(), 0);
    expect(SEG(.flags = SYN | ECE | CWR));
    advance_by(1010);
    expect(SEG(.flags = SYN | ECE | CWR, .reason = BK_REASON_SEND_SYN_AGAIN));
    receive(SEG(.flags = SYN | ACK | ECE));
    expect(SEG(.flags = ACK));
    assert_true(agreed());
}

/* The SYN-ACK goes again as it was; but a SYN that comes again without the request takes it back. */
static void a_request_remembers(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN | ECE | CWR));
    expect(SEG(.flags = SYN | ACK | ECE));
    advance_by(1010);
    expect(SEG(.flags = SYN | ACK | ECE, .reason = BK_REASON_SEND_SYN_ACK_AGAIN));
    receive(SEG(.flags = SYN | ECE | CWR, .seq = 0));
    expect(SEG(.flags = SYN | ACK | ECE, .reason = BK_REASON_SEND_SYN_ACK_DUPLICATE));
    receive(SEG(.flags = SYN, .seq = 0));
    expect(SEG(.flags = SYN | ACK, .reason = BK_REASON_SEND_SYN_ACK_DUPLICATE));
    receive(SEG(.flags = SYN | ECE | CWR, .seq = 0)); /* an old one */
    expect(SEG(.flags = SYN | ACK));
    receive(SEG(.flags = ACK));
    expect_call(call_accept(), 0);
    assert_false(agreed());
}

/* SYNs that cross: both must ask. */
static void crossing(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        fixture_finish();
        fixture_prepare(fx.family);
        bool ours = i & 1, theirs = i & 2;
        fx.config.ecn = ours ? BK_ECN_ASK : BK_ECN_GRANT;
        expect_call(call_connect(), 0);
        expect(SEG(.flags = ours ? SYN | ECE | CWR : SYN));
        receive(SEG(.flags = theirs ? SYN | ECE | CWR : SYN));
        expect(SEG(.flags = ours && theirs ? SYN | ACK | ECE : SYN | ACK, .tc = 0));
        receive(SEG(.flags = ACK));
        expect_state(BK_ESTABLISHED);
        assert_int_equal(agreed(), ours && theirs);
    }
}

/* ---- the receiver ---------------------------------------------------------------------------------- */

/* ECE on whatever leaves from a CE on, the first ACK at once, until CWR. */
static void echoing(void **state) {
    (void)state;
    established_with_ecn();
    assert_false(call_status().ecn_seen);
    receive(SEG(.flags = ACK, .len = 10, .tc = ECT_0));
    expect_silence();
    assert_true(call_status().ecn_seen);
    receive(SEG(.flags = ACK, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK | ECE, .ack = 21, .tc = 0, .reason = BK_REASON_SEND_ACK_CE));
    receive(SEG(.flags = ACK, .len = 10, .tc = ECT_0));
    expect_silence(); /* once echoed, ACKs are delayed again */
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK | ECE, .len = 10, .ack = 31, .tc = ECT_0));
    receive(SEG(.flags = ACK, .len = 10, .tc = CE));
    advance_by(110);
    expect(SEG(.flags = ACK | ECE, .ack = 41));
    receive(SEG(.flags = ACK | CWR, .len = 10, .tc = ECT_0));
    expect(SEG(.flags = ACK, .ack = 51, .reason = BK_REASON_SEND_ACK_CWR));
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .len = 10, .tc = ECT_0));
}

/* A segment with CWR that met congestion anew. */
static void cwr_and_ce(void **state) {
    (void)state;
    established_with_ecn();
    receive(SEG(.flags = ACK, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK | ECE));
    receive(SEG(.flags = ACK | CWR, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK | ECE, .ack = 21));
}

/* The very first data, with the ACK of the handshake, and data behind a gap count; so does data that came before. */
static void any_text_in_the_window(void **state) {
    (void)state;
    listening();
    receive(SEG(.flags = SYN | ECE | CWR));
    expect(SEG(.flags = SYN | ACK | ECE));
    receive(SEG(.flags = ACK, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK | ECE, .ack = 11));
    receive(SEG(.flags = ACK | CWR, .len = 10, .tc = ECT_0));
    expect(SEG(.flags = ACK, .ack = 21));
    receive(SEG(.flags = ACK, .seq = 100, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK | ECE, .ack = 21));
}

/* Nothing is believed of what lies outside the window, and pure ACKs are not marked by honest routers (RFC 3168 6.1.4, 6.1.5). */
static void no_other_marks(void **state) {
    (void)state;
    established_with_ecn();
    receive(SEG(.flags = ACK, .tc = CE));
    receive(SEG(.flags = ACK, .seq = 100000, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK, .ack = 1));
    receive(SEG(.flags = ACK, .seq = -100, .len = 10, .tc = CE));
    expect(SEG(.flags = ACK, .ack = 1));
    expect_silence();
}

/* ---- the sender ------------------------------------------------------------------------------------ */

/* What is sent again, FIN alone, and probes are not capable (RFC 3168 6.1.5, 6.1.6). */
static void only_new_data(void **state) {
    (void)state;
    established_with_ecn();
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .len = 100, .tc = ECT_0));
    advance_by(1010);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100, .tc = 0, .reason = BK_REASON_SEND_RTO));
    receive(SEG(.flags = ACK, .wnd = 0));
    expect_call(call_send(100), 100);
    advance_by(4000);
    expect(SEG(.flags = ACK, .seq = 101, .len = 1, .tc = 0, .reason = BK_REASON_SEND_WINDOW_PROBE));
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 102));
    expect(SEG(.flags = ACK | CWR, .seq = 102, .len = 99, .tc = ECT_0)); /* the window was reduced by the timeout */
    receive(SEG(.flags = ACK));
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = FIN | ACK, .seq = 201, .tc = 0));
}

/* Each window of data reduces once, however often the echo comes; the next new data says so. */
static void reacting(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established_with_ecn();
    const int64_t mss = our_mss();
    expect_call(call_send(8 * (size_t)mss), 8 * mss);
    for (int i = 0; i < 8; i++) expect(SEG(.flags = ACK, .seq = 1 + i * mss, .len = mss, .tc = ECT_0));
    uint32_t before = call_status().cwnd;
    receive(SEG(.flags = ACK | ECE, .ack = 1 + mss));
    uint32_t after = call_status().ssthresh;
    assert_in_range(after, before / 3, before * 9 / 10);
    assert_int_equal(call_status().recovery, 2);
    for (int i = 2; i < 8; i++) {
        receive(SEG(.flags = ACK | ECE, .ack = 1 + i * mss));
        assert_true(call_status().cwnd <= before); /* PRR takes it down with each ACK (RFC 9937) */
    }
    assert_int_equal(call_status().ssthresh, after);
    expect_silence();
    expect_call(call_send(2 * (size_t)mss), 2 * mss);
    expect(SEG(.flags = ACK | CWR, .seq = 1 + 8 * mss, .len = mss, .tc = ECT_0));
    expect(SEG(.flags = ACK, .seq = 1 + 9 * mss, .len = mss, .tc = ECT_0));
    assert_int_equal(call_status().segments_retransmitted, 0);
    /* What was sent after the reduction is another window. */
    receive(SEG(.flags = ACK, .ack = 1 + 8 * mss));
    assert_int_equal(call_status().recovery, 0);
    assert_int_equal(call_status().cwnd, after);
    receive(SEG(.flags = ACK | ECE, .ack = 1 + 9 * mss));
    assert_true(call_status().ssthresh < after || after == 2 * (uint32_t)mss);
}

/* The echo comes with the ACK of all that was sent: the window is half of what that took, at once, and does not grow by it. */
static void reacting_to_the_last_ack(void **state) {
    (void)state;
    fx.config.congestion = BK_CONGESTION_NEWRENO;
    fx.flow.wnd = 65535;
    established_with_ecn();
    const int64_t mss = our_mss();
    expect_call(call_send(8 * (size_t)mss), 8 * mss);
    for (int i = 0; i < 8; i++) expect(SEG(.flags = ACK, .seq = 1 + i * mss, .len = mss, .tc = ECT_0));
    receive(SEG(.flags = ACK | ECE, .ack = 1 + 8 * mss));
    assert_int_equal(call_status().recovery, 0);
    assert_int_equal(call_status().ssthresh, 4 * mss);
    assert_int_equal(call_status().cwnd, 4 * mss);
    expect_call(call_send((size_t)mss), mss);
    expect(SEG(.flags = ACK | CWR, .seq = 1 + 8 * mss, .len = mss, .tc = ECT_0));
}

/* No agreement, no reaction: the flags mean nothing then. */
static void not_reacting(void **state) {
    (void)state;
    ask(0);
    expect_call(call_send(5000), 5000);
    ignore_sent();
    uint32_t before = call_status().cwnd;
    receive(SEG(.flags = ACK | ECE, .ack = 1001));
    assert_true(call_status().cwnd >= before);
}

/* ---- traffic class --------------------------------------------------------------------------------- */

/* The user's six bits; ECN's are the connection's own. */
static void traffic_class(void **state) {
    (void)state;
    established_with_ecn();
    uint64_t value;
    expect_call(call_set(BK_TCP_TRAFFIC_CLASS, 256), -EINVAL);
    expect_call(call_set(BK_TCP_TRAFFIC_CLASS, 0xbb), 0);
    assert_int_equal(bk_tcp_get(fx.stack, fx.flow.conn, BK_TCP_TRAFFIC_CLASS, &value), 0);
    assert_int_equal(value, 0xb8);
    expect_call(call_send(10), 10);
    expect(SEG(.flags = ACK, .len = 10, .tc = 0xb8 | ECT_0));
    receive(SEG(.flags = ACK, .len = 10));
    advance_by(110);
    expect(SEG(.flags = ACK, .ack = 11, .tc = 0xb8));
    expect_call(call_abort(), 0);
    expect(SEG(.flags = RST | ACK, .tc = 0xb8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(asking),
        BOTH(asking_in_vain),
        BOTH(granting),
        BOTH(not_granting),
        BOTH(falling_back),
        BOTH(not_falling_back),
        BOTH(a_request_remembers),
        BOTH(crossing),
        BOTH(echoing),
        BOTH(cwr_and_ce),
        BOTH(any_text_in_the_window),
        BOTH(no_other_marks),
        BOTH(only_new_data),
        BOTH(reacting),
        BOTH(reacting_to_the_last_ack),
        BOTH(not_reacting),
        BOTH(traffic_class),
    };
    return run_fixture_tests(tests);
}
