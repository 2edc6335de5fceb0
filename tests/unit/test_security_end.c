/* Shows that nothing lasts for ever but what may: each state has a timer that ends it, whatever the peer does; no two
 * ends answer each other without end (RFC 5961 7); and SYNs that cross come to an end, too. */
#include <errno.h>

#include "fixture.h"

/* How far the stack's sending is acknowledged. */
static int64_t acked(void) {
    struct bk_tcp_info info;
    uint64_t cursor = 0;
    while (bk_tcp_list(fx.stack, &cursor, &info))
        if (info.state != BK_LISTEN && info.state != BK_TIME_WAIT) return (int32_t)(info.snd_una - info.iss);
    return fx.flow.seen;
}

/* ---- every state ends -------------------------------------------------------------------------------- */

enum peer { SILENT, STALLS, CHATTERS, PEERS };

/* What the peer says to one of our segments (or, each second, unasked): it lives, and gives nothing. */
static void peer_speaks(enum peer peer, int64_t ack) {
    int64_t nxt = fx.flow.nxt;
    if (peer == STALLS) {
        receive(SEG(.flags = ACK, .seq = nxt, .ack = ack, .wnd = 0));
    } else if (peer == CHATTERS) {
        receive(SEG(.flags = 0, .seq = nxt, .ack = ack));
        if (!fx.listener_held) receive(SEG(.flags = SYN, .seq = 0)); /* there it would open the next */
        receive(SEG(.flags = ACK, .seq = nxt - 1, .ack = ack));
        receive(SEG(.flags = ACK | URG, .seq = nxt, .ack = ack, .urg = 5));
        receive(SEG(.flags = ACK, .seq = nxt + 500, .ack = ack, .wnd = 0));
        receive(SEG(.flags = RST, .seq = nxt + 100));
    }
    fx.flow.nxt = nxt;
}

/* Whether all records of connections are gone after so many seconds of it. */
static bool gone_after(enum peer peer, uint32_t seconds, int64_t ack) {
    for (uint32_t s = 0; s < seconds; s++) {
        advance_by(1000);
        uint32_t answered = 0;
        while (anything_sent()) {
            next_sent();
            if (!(fx.last.flags & RST) && answered++ < 5) peer_speaks(peer, ack);
        }
        peer_speaks(peer, ack);
        ignore_sent();
    }
    struct bk_tcp_info info;
    uint64_t cursor = 0;
    while (bk_tcp_list(fx.stack, &cursor, &info))
        if (info.state != BK_LISTEN && info.state != BK_CLOSED) return false;
    return true;
}

static void syn_received_at_zero_window(void) {
    fx.flow.wnd = 0;
    syn_received();
}

static void with_data_unsent(void) {
    established();
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    expect_call(call_send(3000), 3000);
}

/* With default settings of the bench: SYN and SYN-ACK three times again (15 s), FIN-WAIT-2 20 s, orphans 60 s, R2
 * five times (63 s), 2MSL 60 s. */
static const struct state_row {
    const char *name;
    void (*reach)(void);
    bool orphan; /* the way there is by bk_tcp_close */
    bool close;  /* the user closes then */
    uint32_t seconds;
    bool owned; /* the owner may wait while the peer lives, so only silence ends it */
} rows[] = {
    {"SYN-SENT", syn_sent, false, false, 16, false},
    {"SYN-RECEIVED, passive", request, false, false, 16, false},
    {"SYN-RECEIVED, active", syn_received, false, false, 16, false},
    {"SYN-RECEIVED at a zero window", syn_received_at_zero_window, false, false, 16, false},
    {"SYN-RECEIVED, closed", syn_received, false, true, 61, false},
    {"ESTABLISHED, closed", established, false, true, 61, false},
    {"ESTABLISHED, closed with data at a zero window", with_data_unsent, false, true, 61, false},
    {"CLOSE-WAIT, closed", close_wait, false, true, 61, false},
    {"FIN-WAIT-1, no owner", fin_wait_1, true, false, 61, false},
    {"FIN-WAIT-2, no owner", fin_wait_2, true, false, 61, false},
    {"FIN-WAIT-2, closed", fin_wait_2, false, true, 61, false},
    {"CLOSING, no owner", closing, true, false, 61, false},
    {"LAST-ACK, no owner", last_ack_state, true, false, 61, false},
    {"TIME-WAIT", time_wait, true, false, 61, false},
    {"FIN-WAIT-1, owned", fin_wait_1, false, false, 130, true},
    {"CLOSING, owned", closing, false, false, 130, true},
    {"LAST-ACK, owned", last_ack_state, false, false, 130, true},
};

static void every_state_ends(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (enum peer peer = SILENT; peer < (rows[i].owned ? STALLS : PEERS); peer++) {
            const struct state_row *r = &rows[i];
            fixture_finish();
            fixture_prepare(fx.family);
            fx.config.orphan_ms = 60000;
            fx.orphan = r->orphan;
            r->reach();
            if (r->close) expect_call(call_close(), 0);
            int64_t ack = acked();
            if (!gone_after(peer, r->seconds, ack))
                fixture_fail("%s lasts, with a peer that %s", r->name,
                             peer == SILENT   ? "is silent"
                             : peer == STALLS ? "stalls"
                                              : "chatters");
        }
}

/* What may last is what a user holds: ESTABLISHED, CLOSE-WAIT, and FIN-WAIT-2 half-closed. With keep-alive it ends
 * when the peer is silent. */
static void what_a_user_holds_may_last(void **state) {
    (void)state;
    static void (*const reach[])(void) = {established, close_wait, fin_wait_2};
    for (int i = 0; i < 6; i++) {
        fixture_finish();
        fixture_prepare(fx.family);
        reach[i % 3]();
        if (i < 3) {
            assert_true(bk_next_deadline(fx.stack) == BK_NEVER);
            advance_by(UINT64_C(86400000));
            expect_silence();
            expect_call(call_close(), 0);
            assert_true(gone_after(SILENT, 1000, 1));
            continue;
        }
        expect_call(call_set(BK_TCP_KEEPALIVE_IDLE_S, 10), 0);
        expect_call(call_set(BK_TCP_KEEPALIVE_INTERVAL_S, 5), 0);
        expect_call(call_set(BK_TCP_KEEPALIVE_PROBES, 3), 0);
        expect_call(call_set(BK_TCP_KEEPALIVE, 1), 0);
        assert_true(gone_after(SILENT, 26, 1));
        expect_error(-ETIMEDOUT);
    }
}

/* ---- no loops ---------------------------------------------------------------------------------------- */

/* Bare segments of every kind that an ACK answers, hundreds a second: in no state are there more answers than one in
 * challenge_ack_ms. RSTs do not count: nobody answers them. */
static void bare_segments_are_answered_rarely(void **state) {
    (void)state;
    static void (*const reach[])(void) = {request,    syn_received, established,    fin_wait_1, fin_wait_2,
                                          close_wait, closing,      last_ack_state, time_wait};
    static const struct {
        int flags;
        int64_t seq, ack; /* from what would be natural */
    } bare[] = {
        {ACK, -50, 0},     {ACK, -1, 0}, {ACK, 100000, 0}, {ACK, 0, 50000},
        {ACK, 0, -100000}, {RST, 10, 0}, {SYN, 10, 0},     {0, -50, 0},
    };
    for (size_t i = 0; i < sizeof reach / sizeof reach[0]; i++)
        for (size_t k = 0; k < sizeof bare / sizeof bare[0]; k++) {
            fixture_finish();
            fixture_prepare(fx.family);
            fx.config.rto_initial_ms = 60000; /* no segment of our own */
            fx.config.rto_min_ms = 60000;
            fx.config.trace_events = 0;
            reach[i]();
            if (reach[i] == request && bare[k].flags == SYN) continue; /* it ends the request: see test_tcp_open */
            int64_t nxt = fx.flow.nxt, ack = acked();
            unsigned answers = 0;
            for (int n = 0; n < 1000; n++) {
                receive(SEG(.flags = bare[k].flags, .seq = nxt + bare[k].seq, .ack = ack + bare[k].ack, .mss = ABSENT));
                while (anything_sent()) {
                    next_sent();
                    answers += !(fx.last.flags & RST);
                }
                advance_by(5);
            }
            if (answers > 5000 / 500 + 1)
                fixture_fail("%u answers in five seconds, to segment %zu in state %zu", answers, k, i);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(every_state_ends),
        BOTH(what_a_user_holds_may_last),
        BOTH(bare_segments_are_answered_rarely),
    };
    return run_fixture_tests(tests);
}
