/* Shows that segments with absurd contents do nothing worse than be ignored: options of all lengths, timestamps and
 * SACK that are cut or lie, urgent pointers to nowhere. */
#include <errno.h>

#include "fixture.h"

#include "base/draw.h"

/* In-order bytes under these options; returns whether they were taken. A segment that is refused comes again without them. */
static bool text_under(const uint8_t *options, size_t n) {
    int64_t nxt = fx.flow.nxt;
    receive(SEG(.flags = ACK, .len = 10, .options = options, .options_length = n));
    uint16_t verdict = fx.verdict;
    ignore_sent();
    if (verdict == BK_REASON_ACCEPT_DATA) {
        expect_call(call_receive(100), 10);
        return true;
    }
    expect_call(call_receive(100), -EAGAIN);
    fx.flow.nxt = nxt;
    return false;
}

/* Each kind with each length, where the header ends after so many bytes: what can be walked is taken, what cannot is refused. */
static void every_kind_and_length(void **state) {
    (void)state;
    fx.config.trace_events = 0;
    established();
    for (int kind = 0; kind < 256; kind++)
        for (int length = 0; length < 48; length++)
            for (size_t room = 4; room <= 40; room += 12) {
                uint8_t options[40];
                memset(options, 0x55, sizeof options);
                for (size_t i = (size_t)(length < 2 ? 2 : length); i < room; i++) options[i] = 1;
                options[0] = (uint8_t)kind;
                options[1] = (uint8_t)length;
                bool walks =
                    kind == 0 || (kind == 1 && length == 1) || (kind > 1 && length >= 2 && (size_t)length <= room);
                if (kind == 1 && length != 1) continue; /* then the length is a kind */
                if (kind == 1) memset(options, 1, room);
                assert_int_equal(text_under(options, room), walks);
            }
    expect_state(BK_ESTABLISHED);
}

/* Any bytes whatsoever. */
static void random_options(void **state) {
    (void)state;
    fx.config.trace_events = 0;
    established();
    fx.holds = true;
    uint64_t random = 793;
    uint32_t taken = 0, refused = 0;
    for (int i = 0; i < 20000; i++) {
        static const uint8_t kinds[] = {0, 1, 1, 2, 3, 4, 5, 5, 8, 8, 34, 253};
        uint8_t options[40];
        size_t n = 4 * (draw(&random) % 11);
        for (size_t k = 0; k < n; k++) {
            uint64_t r = draw(&random);
            options[k] = r % 3 == 0   ? kinds[r / 3 % sizeof kinds]
                         : r % 3 == 1 ? (uint8_t)(r / 3 % 36)
                                      : (uint8_t)(r >> 32);
        }
        if (text_under(options, n))
            taken++;
        else
            refused++;
    }
    assert_true(taken > 1000 && refused > 1000);
    fx.holds = false;
    expect_state(BK_ESTABLISHED);
    expect_call(call_send(100), 100);
    expect(SEG(.flags = ACK, .len = 100));
}

/* Timestamps of a wrong length are none (and a connection that has them drops what has none); an echo of what was
 * never sent gives no RTT; a time far ahead is the peer's own affair, which PAWS then holds against him, and the
 * connection goes on when he does. */
static void timestamps_cut_and_lying(void **state) {
    (void)state;
    static const uint8_t cut[][12] = {{1, 1, 8, 9, 0, 0, 0, 1, 0, 0, 0, 1},
                                      {1, 8, 11, 0, 0, 0, 1, 0, 0, 0, 1, 0},
                                      {8, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
    fx.flow.timestamps = true;
    established();
    int64_t nxt = fx.flow.nxt;
    for (int i = 0; i < 3; i++) {
        receive(SEG(.flags = ACK, .seq = nxt, .len = 10, .options = cut[i], .options_length = 12));
        expect_reason(BK_REASON_DROP_NO_TIMESTAMP);
    }
    expect_silence();
    fx.flow.nxt = nxt;
    struct bk_tcp_info before = call_status();
    expect_call(call_send(100), 100);
    ignore_sent();
    receive(SEG(.flags = ACK, .tsecr = (int64_t)fx.flow.ts_seen + 1000000));
    receive(SEG(.flags = ACK, .tsecr = 0));
    assert_true(call_status().srtt_us <= before.srtt_us + 1000000);
    assert_true(call_status().rto_us <= fx.config.rto_max_ms * 1000);
    int64_t ahead = (int64_t)fx.flow.ts_base + (int64_t)(fx.now / MS) + (1 << 30);
    receive(SEG(.flags = ACK, .len = 10, .tsval = ahead));
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = ACK, .len = 10));
    expect_reason(BK_REASON_ANSWER_PAWS);
    receive(SEG(.flags = ACK, .seq = 11, .len = 10, .tsval = ahead + 1));
    expect_call(call_receive(100), 10);
}

/* The urgent pointer 0 names no octet (RFC 6093 3); one past the text, past the window or on a FIN is remembered, and
 * neither read nor waited for; with SYN set the text begins one later. */
static void urgent_pointers(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 0));
    expect_ready(BK_READY_READABLE);
    expect_call(call_receive(100), 10);
    receive(SEG(.flags = ACK | URG, .urg = 0));
    expect_ready(0);
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 65535));
    expect_ready(BK_READY_READABLE | BK_READY_URGENT);
    assert_int_equal(call_status().rcv_up - call_status().irs, 11 + 65535);
    expect_call(call_receive(100), 10);
    expect_call(call_receive(100), -EAGAIN);
    receive(SEG(.flags = ACK | URG, .seq = 21 + 8000, .len = 10, .urg = 65535)); /* behind a gap */
    receive(SEG(.flags = ACK | URG, .seq = 21 - 10, .len = 10, .urg = 1));       /* known */
    receive(SEG(.flags = FIN | ACK | URG, .seq = 21, .urg = 100));
    ignore_sent();
    expect_state(BK_CLOSE_WAIT);
    expect_call(call_receive(100), 0);
    receive(SEG(.flags = ACK | URG, .seq = 22, .urg = 100)); /* after the end: 3.10.7.4 sixth */
    heard();
    expect_call(call_receive(100), 0);
    expect_call(call_close(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(every_kind_and_length),
        BOTH(random_options),
        BOTH(timestamps_cut_and_lying),
        BOTH(urgent_pointers),
    };
    return run_fixture_tests(tests);
}
