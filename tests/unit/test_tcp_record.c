/* Shows that no segment holds the end of a record and what was sent later, the first time or again (BK_SEND_RECORD). */
#include <errno.h>

#include "fixture.h"

static void thousand(void) {
    fx.flow.mss = 1000;
    fx.flow.wnd = 60000;
    established();
}

static void records_go_apart(void **state) {
    (void)state;
    thousand();
    expect_call(call_send_flags(1400, BK_SEND_RECORD), 1400);
    expect_call(call_send_flags(400, BK_SEND_RECORD), 400);
    expect_call(call_send(300), 300);
    expect_call(call_send_flags(400, BK_SEND_RECORD), 400);
    expect(SEG(.flags = ACK, .seq = 1, .len = 1000));
    expect(SEG(.flags = ACK | PSH, .seq = 1001, .len = 400, .psh = 1));
    expect(SEG(.flags = ACK, .seq = 1401, .len = 400));
    /* What was sent before belongs to the record; the last one waits as Nagle's rule has it, for nothing closes it. */
    expect_silence();
    receive(SEG(.flags = ACK, .ack = 1801));
    expect(SEG(.flags = ACK, .seq = 1801, .len = 700));
}

/* Behind a record's end there is no room for more in its segment, nor for our FIN. */
static void a_fin_follows_the_last(void **state) {
    (void)state;
    thousand();
    expect_call(call_send_flags(100, BK_SEND_RECORD), 100);
    expect_call(call_send(50), 50);
    expect_call(call_shutdown(), 0);
    expect(SEG(.flags = ACK, .seq = 1, .len = 100));
    expect(SEG(.flags = FIN | ACK, .seq = 101, .len = 50));
}

static void retransmissions_stay_apart(void **state) {
    (void)state;
    thousand();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    for (int i = 0; i < 3; i++) expect_call(call_send_flags(200, BK_SEND_RECORD), 200);
    for (int i = 0; i < 3; i++) expect(SEG(.flags = ACK, .seq = 1 + 200 * i, .len = 200));
    advance_by(3000);
    size_t again = 0;
    while (anything_sent()) {
        next_sent();
        assert_int_equal(fx.last.len, 200);
        assert_int_equal((last_seq() - 1) % 200, 0);
        again++;
    }
    assert_true(again > 0);
}

/* What did not fit is no record's end yet. */
static void partly_queued(void **state) {
    (void)state;
    fx.config.send_buffer = 4500;
    thousand();
    expect_call(call_send_flags(5000, BK_SEND_RECORD), 4500);
    (void)ignore_sent();
    receive(SEG(.flags = ACK, .ack = 1001));
    expect_call(call_send(200), 200);
    expect_silence(); /* 500 wait by Nagle's rule, and are joined */
    receive(SEG(.flags = ACK, .ack = 4001));
    expect(SEG(.flags = ACK, .seq = 4001, .len = 700));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(records_go_apart),
        BOTH(a_fin_follows_the_last),
        BOTH(retransmissions_stay_apart),
        BOTH(partly_queued),
    };
    return run_fixture_tests(tests);
}
