/* Shows that nothing remembered from long ago is compared with sequence numbers of today: after more than two gigabytes each way, loss
 * recovery and urgent data work as on the first day. */
#include "fixture.h"

#define ENOUGH (UINT64_C(0x80000000) + (UINT64_C(64) << 20))

static void big_segments(void) {
    fx.iface_config.mtu = 65535;
    fx.config.chunk_size = 65536;
    fx.config.chunks = 64;
    fx.config.buffer_chunks = 48;
    fx.config.send_buffer = fx.config.receive_buffer = 1 << 20;
    fx.flow.mss = (int32_t)our_mss();
    fx.flow.wnd = 65535;
    fx.flow.wscale = 7;
    established();
    receive(SEG(.flags = ACK));
    fx.flow.raw = true;
}

/* Forgets what was recorded, lest 2 GiB of frames pile up. */
static void forget_frames(void) {
    ignore_sent();
    for (size_t i = 0; i < fx.sent_count; i++) free(fx.sent[i].frame);
    fx.sent_count = fx.sent_taken = 0;
}

static void fast_retransmit_after_2_gib(void **state) {
    (void)state;
    static const uint8_t bytes[1 << 19];
    big_segments();
    uint64_t total = 0;
    while (total < ENOUGH) {
        ptrdiff_t n = bk_tcp_send(fx.stack, fx.flow.conn, bytes, sizeof bytes, 0, fx.now);
        if (n <= 0) fixture_fail("SEND returned %ld after %lu bytes", (long)n, (unsigned long)total);
        total += (uint64_t)n;
        uint32_t una;
        do { /* relative numbers have wrapped: acknowledge by what the stack says */
            forget_frames();
            struct bk_tcp_info info = call_status();
            una = info.snd_una;
            fx.flow.seen = (int64_t)(uint32_t)(info.snd_nxt - fx.flow.iss);
            receive(SEG(.flags = ACK));
        } while (call_status().snd_una != una);
    }
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.snd_una, info.snd_nxt);
    assert_int_equal(info.segments_retransmitted, 0);
    assert_true(bk_tcp_send(fx.stack, fx.flow.conn, bytes, (size_t)our_mss() * 6, 0, fx.now) == our_mss() * 6);
    forget_frames();
    for (int i = 0; i < 3; i++) receive(SEG(.flags = ACK, .ack = (int64_t)(uint32_t)(info.snd_una - fx.flow.iss)));
    next_sent();
    assert_int_equal(fx.last.seq, info.snd_una);
    assert_int_equal(call_status().recovery, 3);
}

static void urgent_after_2_gib(void **state) {
    (void)state;
    static uint8_t bytes[1 << 17];
    big_segments();
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 10));
    assert_int_equal(heard() & BK_READY_URGENT, BK_READY_URGENT);
    assert_int_equal(bk_tcp_receive(fx.stack, fx.flow.conn, bytes, sizeof bytes, fx.now), 10);
    for (uint64_t total = 0; total < ENOUGH; total += (uint64_t)our_mss()) {
        receive(SEG(.flags = ACK, .len = our_mss(), .payload = (const char *)bytes));
        assert_int_equal(bk_tcp_receive(fx.stack, fx.flow.conn, bytes, sizeof bytes, fx.now), our_mss());
        forget_frames();
    }
    heard();
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 10));
    assert_int_equal(heard() & BK_READY_URGENT, BK_READY_URGENT);
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.rcv_up, info.rcv_nxt);
    assert_int_equal(bk_tcp_receive(fx.stack, fx.flow.conn, bytes, sizeof bytes, fx.now), 10);
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 0)); /* a pointer that names nothing */
    assert_int_equal(heard() & BK_READY_URGENT, 0);
}

int main(void) {
    /* One family is enough: it is the same code, and 4 GiB take their time. */
    const struct CMUnitTest tests[] = {
        {"fast_retransmit_after_2_gib (IPv4)", fast_retransmit_after_2_gib, fixture_setup, fixture_teardown,
         &fixture_ipv4},
        {"urgent_after_2_gib (IPv6)", urgent_after_2_gib, fixture_setup, fixture_teardown, &fixture_ipv6},
    };
    return run_fixture_tests(tests);
}
