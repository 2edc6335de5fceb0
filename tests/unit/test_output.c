/* Shows that a unit is cut to what a frame can refer to, that what is over sends nothing, and that what a SYN offers follows the buffer. */
#include "fixture.h"
#include "fixture_internal.h"

#include "base/frame.h"
#include "tcp/connection.h"
#include "tcp/output.h"

static struct tcp *tcp_of(void) {
    return (struct tcp *)(void *)fx.stack;
}

/* Queues `count` parts of `size` bytes each by reference, all in one chunk, lying apart. */
static void send_parts(uint32_t count, uint16_t size) {
    uint32_t chunk;
    struct bk_part parts[128];
    assert_true(count <= 128 && count * size <= 2048);
    assert_int_equal(bk_chunk_alloc(fx.stack, &chunk, 1), 1);
    for (uint32_t i = 0; i < count * size; i++)
        bk_chunk_data(fx.stack, chunk)[i] = fixture_user_pattern(fx.flow.sent + i);
    for (uint32_t i = 0; i < count; i++) {
        parts[i] = (struct bk_part){chunk, (uint16_t)(i * size), size};
        if (i != 0) chunk_hold(&tcp_of()->base, chunk); /* a reference goes with each part */
    }
    assert_int_equal(bk_tcp_send_parts(fx.stack, fx.flow.conn, parts, count, 0, fx.now), 0);
    fx.flow.sent += count * size;
}

static void expect_all_free(void) {
    struct bk_pool_info info;
    bk_pool_info(fx.stack, BK_POOL_CHUNKS, &info);
    assert_int_equal(info.in_use, 0);
    bk_pool_info(fx.stack, BK_POOL_EXTENTS, &info);
    assert_int_equal(info.in_use, 0);
}

/* Less than a segment in more parts than a frame has: it leaves in several, and the FIN with the last (RFC 9293 3.10.4). */
static void more_parts_than_a_frame(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    expect_call(call_send_flags(1, BK_SEND_MORE), 1); /* keep the connection quiet until all is queued */
    expect_silence();
    send_parts(40, 1);
    expect_call(call_shutdown(), 0);
    int64_t seq = 1, end = 42;
    while (seq < end) {
        next_sent();
        assert_int_equal(last_seq(), seq);
        seq = last_end();
        bool last = seq > end - 1;
        assert_int_equal((fx.last.flags & FIN) != 0, last);
        assert_true(fx.last.len <= FRAME_PARTS + 1);
        receive(SEG(.flags = ACK, .ack = seq));
    }
    assert_int_equal(seq, end + 1); /* with the FIN */
    expect_state(BK_FIN_WAIT_2);
    expect_all_free();
}

/* Several segments in more parts than a frame has: whole segments leave, the rest follows; every byte goes once (the bench compares
 * each payload), and every chunk is free in the end. */
static void units_of_whole_segments(void **state) {
    (void)state;
    fx.config.chunks = 1100;
    fx.config.buffer_chunks = 1000; /* each part is charged for its own */
    fx.flow.wnd = 65535;
    established();
    uint32_t mss = call_status().send_mss;
    for (uint16_t size = 20; size <= 100; size = (uint16_t)(size + 20)) {
        ignore_sent();
        uint32_t unit = fx.units;
        for (uint32_t i = 0; i < 4; i++) send_parts(2000u / size, size);
        uint32_t shortest = FRAME_PARTS * (uint32_t)size < mss ? FRAME_PARTS * (uint32_t)size : mss;
        int64_t start = (int64_t)fx.flow.sent + 1 - 4 * (2000 / size) * size, seq = start;
        do {
            if (!anything_sent()) receive(SEG(.flags = ACK, .ack = seq));
            next_sent();
            assert_int_equal(last_seq(), seq);
            seq = last_end();
            bool last = seq == (int64_t)fx.flow.sent + 1;
            assert_true(last || fx.last.len >= shortest);
            assert_true(fx.last.len <= mss);
        } while (seq != (int64_t)fx.flow.sent + 1);
        assert_true(fx.last_unit > unit);
        receive(SEG(.flags = ACK, .ack = seq));
        expect_silence();
        assert_int_equal(call_status().segments_retransmitted, 0);
        expect_all_free();
    }
}

/* PSH stands on the last segment of a unit of several, and on the last one that there is to send (RFC 9293 3.9.1.2: MUST-61). */
static void push_ends_units(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    int64_t mss = call_status().send_mss, seq = 1;
    expect_call(call_send((uint32_t)mss * 4 + 1),
                (ptrdiff_t)mss * 4 + 1); /* four segments fit into the first window (RFC 6928: more do) */
    for (int i = 1; i <= 4; i++, seq += mss) expect(SEG(.flags = ACK, .seq = seq, .ack = 1, .len = mss, .psh = i == 4));
    receive(SEG(.flags = ACK, .ack = seq));
    expect(SEG(.flags = ACK, .seq = seq, .ack = 1, .len = 1, .psh = 1));
}

/* A connection that is over has nothing to send, and nothing will change that. */
static void nothing_after_the_end(void **state) {
    (void)state;
    established();
    struct tcp *t = tcp_of();
    struct connection *c = connection_of(t, fx.flow.conn);
    assert_non_null(c);
    receive(SEG(.flags = RST));
    struct output_decision d = output_decide(t, c);
    assert_int_equal(d.reason, BK_REASON_NONE);
    assert_true(d.again == BK_NEVER);
    expect_silence();
}

/* RFC 7323 2.2: the scale is the least that lets 16 bits express the buffer, 14 at the most; set before the SYN has left, it counts. */
static void the_scale_follows_the_buffer(void **state) {
    (void)state;
    static const uint32_t cases[][2] = {{1, 0},      {65535, 0},   {65536, 1},    {131071, 1},
                                        {131072, 2}, {1 << 20, 5}, {1 << 29, 14}, {1 << 30, 14}};
    int family = fx.family;
    for (size_t i = 0; i < BK_COUNT(cases); i++) {
        fixture_finish();
        fixture_prepare(family);
        stack_up();
        struct bk_tcp_open open = {fx.flow.local, fx.flow.remote, 0, 80, 0};
        struct tcp *t = tcp_of();
        bk_conn conn;
        assert_int_equal(bk_tcp_connect(fx.stack, &open, fx.now, &conn), 0);
        assert_int_equal(bk_tcp_set(fx.stack, conn, BK_TCP_RECEIVE_BUFFER, cases[i][0], fx.now), 0);
        assert_int_equal(connection_of(t, conn)->receive_scale, cases[i][1]);
        struct bk_tcp_info info;
        assert_int_equal(bk_tcp_status(fx.stack, conn, &info), 0);
        assert_int_equal(info.receive_scale, cases[i][1]);
    }
}

/* Text that was received before, with a FIN that was not: the FIN counts (RFC 9293 3.10.7.4, first: "segments are trimmed"). */
static void a_fin_behind_known_text(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 10));
    ignore_sent();
    receive(SEG(.flags = FIN | ACK, .seq = 1, .len = 10));
    expect_reason(BK_REASON_ACCEPT_FIN);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 12));
    expect_state(BK_CLOSE_WAIT);
    expect_call(call_receive(100), 10);
    expect_call(call_receive(100), 0);
}

/* With no TIME-WAIT records configured the connection is over at once. */
static void no_time_wait_at_all(void **state) {
    (void)state;
    fx.config.time_waits_ipv4 = fx.config.time_waits_ipv6 = 0;
    fin_wait_2();
    receive(SEG(.flags = FIN | ACK));
    expect_reason(BK_REASON_ACCEPT_FIN);
    expect_state(BK_CLOSED);
    assert_true(heard() & BK_READY_CLOSED);
    struct bk_pool_info info;
    bk_pool_info(fx.stack, BK_POOL_CONNECTIONS, &info);
    assert_int_equal(info.in_use, 1); /* until the user lets go */
    expect_call(call_close(), 0);
    bk_pool_info(fx.stack, BK_POOL_CONNECTIONS, &info);
    assert_int_equal(info.in_use, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(more_parts_than_a_frame), BOTH(units_of_whole_segments),      BOTH(push_ends_units),
        BOTH(nothing_after_the_end),   BOTH(the_scale_follows_the_buffer), BOTH(a_fin_behind_known_text),
        BOTH(no_time_wait_at_all),
    };
    return run_fixture_tests(tests);
}
