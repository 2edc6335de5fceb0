/* Shows which RSTs and SYNs are believed, which are challenged and how often (RFC 5961), and what a reset does to each side. */
#include <errno.h>

#include "fixture.h"

#define ESTABLISHED_RST(seq_, reason_)                                                                                 \
    receive(SEG(.flags = RST, .seq = seq_));                                                                           \
    expect_reason(reason_)

static void exact(void **state) {
    (void)state;
    established();
    ESTABLISHED_RST(1, BK_REASON_ACCEPT_RST);
    expect_silence();
    expect_state(BK_CLOSED);
    expect_error(-ECONNRESET);
    assert_int_equal(heard() & BK_READY_CLOSED, BK_READY_CLOSED);
    struct bk_tcp_mib mib;
    bk_tcp_mib(fx.stack, &mib);
    assert_int_equal(mib.estab_resets, 1);
    assert_int_equal(mib.curr_estab, 0);
}

/* SHLD-2: a RST may carry text. */
static void with_text(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = RST | ACK, .seq = 1, .len = 20));
    expect_silence();
    expect_state(BK_CLOSED);
}

static void with_every_other_flag(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = RST | SYN | FIN | ACK | URG | PSH, .seq = 1, .mss = ABSENT));
    expect_silence();
    expect_state(BK_CLOSED);
}

static void window_edges(void **state) {
    (void)state;
    established();
    int64_t window = call_status().rcv_wnd;
    ESTABLISHED_RST(0, BK_REASON_DROP_RST_OUTSIDE);
    ESTABLISHED_RST(1 + window, BK_REASON_DROP_RST_OUTSIDE);
    expect_silence();
    ESTABLISHED_RST(window, BK_REASON_ANSWER_CHALLENGE_RST);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1, .reason = BK_REASON_SEND_CHALLENGE_RST));
    advance_by(600);
    ESTABLISHED_RST(2, BK_REASON_ANSWER_CHALLENGE_RST);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    expect_state(BK_ESTABLISHED);
}

/* The peer answers the challenge with a RST that is exact: so a true reset gets through. */
static void challenge_answered(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 100)); /* the peer's view: this never arrived at us */
    ignore_sent();
    ESTABLISHED_RST(120, BK_REASON_ANSWER_CHALLENGE_RST);
    expect(SEG(.flags = ACK, .ack = 101));
    ESTABLISHED_RST(101, BK_REASON_ACCEPT_RST);
    expect_state(BK_CLOSED);
}

/* RFC 5961 7 and 10: one challenge ACK in challenge_ack_ms, whatever asks for it. */
static void challenges_are_limited(void **state) {
    (void)state;
    established();
    mark();
    receive(SEG(.flags = RST, .seq = 100));
    expect(SEG(.flags = ACK, .ack = 1));
    for (int i = 0; i < 10; i++) {
        receive(SEG(.flags = RST, .seq = 200 + i));
        expect_reason(BK_REASON_DROP_CHALLENGE_LIMIT);
        receive(SEG(.flags = SYN, .seq = 5000 + i));
        expect_reason(BK_REASON_DROP_CHALLENGE_LIMIT);
    }
    expect_silence();
    advance_by(510);
    receive(SEG(.flags = SYN, .seq = 5000));
    expect(SEG(.flags = ACK, .ack = 1, .reason = BK_REASON_SEND_CHALLENGE_SYN));
    expect_state(BK_ESTABLISHED);
}

/* The limit is each connection's own (CVE-2016-5696 came of a shared one). */
static void limit_is_not_shared(void **state) {
    (void)state;
    established();
    struct flow first = fx.flow;
    fx.flow = flow_like(&fx.flow, 40001, 0);
    established();
    receive(SEG(.flags = RST, .seq = 100));
    expect(SEG(.flags = ACK, .ack = 1));
    fx.flow = first;
    receive(SEG(.flags = RST, .seq = 100));
    expect(SEG(.flags = ACK, .ack = 1));
}

/* A zero window still takes the exact RST (3.10.7.4 first: "special allowance"). */
static void at_zero_window(void **state) {
    (void)state;
    fx.config.receive_buffer = 4096;
    established();
    for (int i = 0; i < 4; i++) receive(SEG(.flags = ACK, .len = 1024));
    ignore_sent();
    assert_int_equal(call_status().rcv_wnd, 0);
    receive(SEG(.flags = RST, .seq = 4098));
    expect_silence();
    expect_state(BK_ESTABLISHED);
    receive(SEG(.flags = RST, .seq = 4097));
    expect_state(BK_CLOSED);
}

/* The data that came before the RST is still the user's; then the error. */
static void data_before_the_reset(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 100));
    ignore_sent();
    receive(SEG(.flags = RST, .seq = 101));
    expect_call(call_send(10), -ECONNRESET);
    expect_call(call_receive(60), 60);
    expect_call(call_receive(60), 40);
    expect_call(call_receive(60), -ECONNRESET);
    expect_call(call_close(), 0);
    expect_silence();
}

static void data_outstanding_at_the_reset(void **state) {
    (void)state;
    established();
    expect_call(call_send(3000), 3000);
    ignore_sent();
    receive(SEG(.flags = RST, .seq = 1));
    expect_state(BK_CLOSED);
    struct bk_pool_info info;
    bk_pool_info(fx.stack, BK_POOL_ACTIVE, &info);
    assert_int_equal(info.in_use, 0); /* queues are flushed */
    advance_by(600000);
    expect_silence();
}

static void abort_sends_rst(void **state) {
    (void)state;
    established();
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100));
    expect_call(call_abort(), 0);
    expect(SEG(.flags = RST | MAYBE_ACK, .seq = 101, .reason = BK_REASON_SEND_RST_ABORT));
    expect_silence();
    expect_state(BK_CLOSED);
    struct bk_tcp_mib mib;
    bk_tcp_mib(fx.stack, &mib);
    assert_int_equal(mib.out_rsts, 1);
    receive(SEG(.flags = ACK)); /* the peer did not get it */
    expect(SEG(.flags = RST, .seq = 101));
}

/* Queued data never leaves once the user has aborted. */
static void abort_drops_what_is_queued(void **state) {
    (void)state;
    established();
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    expect_call(call_send(100), 100);
    expect_call(call_abort(), 0);
    expect(SEG(.flags = RST | MAYBE_ACK, .seq = 1));
    advance_by(100000);
    expect_silence();
}

static void nobody_answers_a_rst(void **state) {
    (void)state;
    stack_up();
    fx.flow.iss = 77;
    receive(SEG(.flags = RST, .seq = 1));
    expect_reason(BK_REASON_DROP_RST_CLOSED);
    receive(SEG(.flags = RST | ACK, .seq = 1));
    receive(SEG(.flags = RST | SYN, .seq = 1, .mss = ABSENT));
    receive(SEG(.flags = RST | FIN | ACK, .seq = 1, .len = 10));
    expect_silence();
}

/* Group 1 of 3.5.2, with every length that counts. */
static void rst_for_the_unknown(void **state) {
    (void)state;
    stack_up();
    fx.flow.iss = 77000;
    receive(SEG(.flags = ACK, .seq = 5, .ack = 10));
    expect(SEG(.flags = RST, .seq = 10));
    receive(SEG(.flags = SYN, .seq = 5));
    expect(SEG(.flags = RST | ACK, .seq = 0, .seq_absolute = true, .ack = 6));
    receive(SEG(.flags = SYN | FIN, .seq = 5, .len = 10));
    expect(SEG(.flags = RST | ACK, .seq = 0, .seq_absolute = true, .ack = 17));
    receive(SEG(.flags = 0, .seq = 5, .len = 10));
    expect(SEG(.flags = RST | ACK, .seq = 0, .seq_absolute = true, .ack = 15));
    receive(SEG(.flags = FIN, .seq = 5));
    expect(SEG(.flags = RST | ACK, .seq = 0, .seq_absolute = true, .ack = 6));
    assert_int_equal(fx.last.wnd, 0);
    receive(SEG(.flags = ACK, .seq = 5, .ack = 10, .bad_checksum = true));
    expect_silence(); /* not clear that it is for us: no reset */
}

/* RFC 5961 5.2: the range of acknowledgments that are believed, to the byte. */
static void acknowledgment_range(void **state) {
    (void)state;
    established(); /* the peer's largest window is 4,096 */
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    expect_call(call_send(2000), 2000);
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 2001));
    expect_call(call_send(1000), 1000);
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 2001 - 4096));
    expect_silence();
    receive(SEG(.flags = ACK, .ack = 2001 - 4097));
    expect_reason(BK_REASON_ANSWER_CHALLENGE_ACK);
    expect(SEG(.flags = ACK, .seq = 3001, .ack = 1, .reason = BK_REASON_SEND_CHALLENGE_ACK));
    advance_by(600);
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = 3002));
    expect_reason(BK_REASON_ANSWER_CHALLENGE_ACK);
    expect(SEG(.flags = ACK, .seq = 3001, .ack = 1));
    receive(SEG(.flags = ACK, .ack = 3001));
    assert_int_equal(call_status().snd_una - call_status().iss, 3001);
}

/* Text under such an acknowledgment is not taken. */
static void injected_data(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .seq = 1, .ack = -100000, .len = 10));
    expect(SEG(.flags = ACK, .ack = 1));
    expect_call(call_receive(100), -EAGAIN);
}

/* RFC 7323 3.2: timestamps SHOULD be in a RST, too. */
static void timestamps_in_a_reset(void **state) {
    (void)state;
    fx.flow.timestamps = true;
    established();
    int64_t last = (int64_t)fx.flow.ts_base + (int64_t)(fx.now / MS) + 5;
    receive(SEG(.flags = ACK | PSH, .seq = 1, .len = 10, .tsval = last));
    ignore_sent();
    call_abort();
    expect(SEG(.flags = RST | ACK, .seq = 1, .ack = 11, .tsecr = last));
}

/* RFC 4022: tcpEstabResets counts each direct way from ESTABLISHED or CLOSE-WAIT to CLOSED, tcpAttemptFails from SYN-SENT or SYN-RECEIVED:
 * also when it is our own user who goes it. */
#define ABORT_COUNTS(reach, attempts, resets)                                                                          \
    static void abort_counts_##reach(void **state) {                                                                   \
        struct bk_tcp_mib mib;                                                                                         \
        (void)state;                                                                                                   \
        reach();                                                                                                       \
        call_abort();                                                                                                  \
        bk_tcp_mib(fx.stack, &mib);                                                                                    \
        assert_int_equal(mib.attempt_fails, attempts);                                                                 \
        assert_int_equal(mib.estab_resets, resets);                                                                    \
    }
ABORT_COUNTS(syn_sent, 1, 0)
ABORT_COUNTS(syn_received, 1, 0)
ABORT_COUNTS(established, 0, 1)
ABORT_COUNTS(close_wait, 0, 1)
ABORT_COUNTS(fin_wait_1, 0, 0)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(exact),
        BOTH(with_text),
        BOTH(with_every_other_flag),
        BOTH(window_edges),
        BOTH(challenge_answered),
        BOTH(challenges_are_limited),
        BOTH(limit_is_not_shared),
        BOTH(at_zero_window),
        BOTH(data_before_the_reset),
        BOTH(data_outstanding_at_the_reset),
        BOTH(abort_sends_rst),
        BOTH(abort_drops_what_is_queued),
        BOTH(abort_counts_syn_sent),
        BOTH(abort_counts_syn_received),
        BOTH(abort_counts_established),
        BOTH(abort_counts_close_wait),
        BOTH(abort_counts_fin_wait_1),
        BOTH(nobody_answers_a_rst),
        BOTH(rst_for_the_unknown),
        BOTH(acknowledgment_range),
        BOTH(injected_data),
        BOTH(timestamps_in_a_reset),
    };
    return run_fixture_tests(tests);
}
