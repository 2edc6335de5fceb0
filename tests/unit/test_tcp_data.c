/* Shows that data arrives once, whole and in order, however its segments come, and that what the user sends leaves the same way. */
#include <errno.h>

#include "fixture.h"

static void in_order(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 100));
    expect_reason(BK_REASON_ACCEPT_DATA);
    expect_ready(BK_READY_READABLE);
    receive(SEG(.flags = ACK | PSH, .len = 50));
    expect_ready(0); /* the queue was not empty */
    expect_call(call_receive(120), 120);
    expect_call(call_receive(120), 30);
    expect_call(call_receive(120), -EAGAIN);
    receive(SEG(.flags = ACK | PSH, .len = 1));
    expect_ready(BK_READY_READABLE);
}

static void duplicate(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 100));
    advance_by(200);
    ignore_sent();
    receive(SEG(.flags = ACK | PSH, .seq = 1, .len = 100));
    expect_reason(BK_REASON_ANSWER_DUPLICATE);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 101, .reason = BK_REASON_SEND_ACK_DUPLICATE));
    expect_silence();
    expect_call(call_receive(1000), 100);
    expect_call(call_receive(1000), -EAGAIN);
}

static void overlap_at_the_front(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | PSH, .len = 100));
    receive(SEG(.flags = ACK | PSH, .seq = 51, .len = 100));
    expect_reason(BK_REASON_ACCEPT_DATA_OVERLAP);
    expect_call(call_receive(1000), 150);
    advance_by(200);
    next_sent();
    while (anything_sent()) next_sent();
    assert_int_equal(last_ack(), 151);
}

static void overlap_at_the_back(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .seq = 101, .len = 100));
    expect_reason(BK_REASON_ACCEPT_DATA_OUT_OF_ORDER);
    expect(SEG(.flags = ACK, .ack = 1, .reason = BK_REASON_SEND_ACK_OUT_OF_ORDER));
    receive(SEG(.flags = ACK, .seq = 1, .len = 150));
    expect(SEG(.flags = ACK, .ack = 201, .reason = BK_REASON_SEND_ACK_GAP_FILLED));
    expect_call(call_receive(1000), 200);
}

static void overlap_on_both_sides(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .seq = 1, .len = 100));
    receive(SEG(.flags = ACK, .seq = 201, .len = 100));
    ignore_sent();
    receive(SEG(.flags = ACK, .seq = 51, .len = 200));
    expect(SEG(.flags = ACK, .ack = 301));
    expect_call(call_receive(1000), 300);
}

/* A segment that holds another one which came before it, and one that lies within. */
static void segment_around_and_within(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .seq = 101, .len = 50));
    receive(SEG(.flags = ACK, .seq = 51, .len = 200));
    receive(SEG(.flags = ACK, .seq = 120, .len = 10));
    ignore_sent();
    assert_int_equal(call_status().out_of_order, 200);
    receive(SEG(.flags = ACK, .seq = 1, .len = 50));
    expect(SEG(.flags = ACK, .ack = 251));
    expect_call(call_receive(1000), 250);
    assert_int_equal(call_status().out_of_order, 0);
}

/* Four segments in all 24 orders; each that leaves a gap draws an ACK at once, and so does each that fills one. */
static void permutations(void **state) {
    (void)state;
    established();
    int64_t base = 1;
    for (int p = 0; p < 24; p++) {
        int left[4] = {0, 1, 2, 3}, order[4], q = p;
        for (int i = 0; i < 4; i++) {
            int pick = q % (4 - i);
            q /= 4 - i;
            order[i] = left[pick];
            for (int k = pick; k < 3; k++) left[k] = left[k + 1];
        }
        bool have[4] = {false};
        for (int i = 0; i < 4; i++) {
            bool gap_before = false, anything_beyond = false;
            for (int k = 0; k < order[i]; k++) gap_before |= !have[k];
            for (int k = order[i] + 1; k < 4; k++) anything_beyond |= have[k];
            receive(SEG(.flags = ACK, .seq = base + 100 * order[i], .len = 100));
            have[order[i]] = true;
            int64_t whole = 0;
            while (whole < 4 && have[whole]) whole++;
            if (gap_before || anything_beyond) expect(SEG(.flags = ACK, .ack = base + 100 * whole));
            advance_by(150); /* the rest may be delayed */
            while (anything_sent()) {
                next_sent();
                assert_int_equal(last_ack(), base + 100 * whole);
            }
        }
        expect_call(call_receive(1000), 400);
        base += 400;
        ignore_sent();
    }
}

/* Only what lies in the window is taken. */
static void window_edge(void **state) {
    (void)state;
    established();
    int64_t window = call_status().rcv_wnd;
    receive(SEG(.flags = ACK, .seq = window - 9, .len = 20)); /* 10 bytes lie in it */
    expect(SEG(.flags = ACK, .ack = 1));
    assert_int_equal(call_status().out_of_order, 10);
    receive(SEG(.flags = ACK, .seq = window + 1, .len = 20));
    expect_reason(BK_REASON_ANSWER_UNACCEPTABLE);
    expect(SEG(.flags = ACK, .ack = 1));
    assert_int_equal(call_status().out_of_order, 10);
}

/* MUST-58, MUST-59: a batch is acknowledged as a whole. */
static void batch_is_acknowledged_once(void **state) {
    (void)state;
    established();
    struct seg batch[8];
    for (int i = 0; i < 8; i++) batch[i] = SEG(.flags = ACK, .len = 1000);
    receive_batch(batch, 8);
    expect(SEG(.flags = ACK, .seq = 1, .ack = 8001));
    expect_silence();
    expect_call(call_receive(10000), 8000);
}

static void fin_before_the_data(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = FIN | ACK, .seq = 101));
    expect(SEG(.flags = ACK, .ack = 1));
    expect_state(BK_ESTABLISHED);
    receive(SEG(.flags = ACK, .seq = 1, .len = 100));
    if (!expect_if(SEG(.flags = ACK, .ack = 102))) { /* such a FIN may be kept or must come again */
        advance_by(200);
        expect(SEG(.flags = ACK, .ack = 101));
        receive(SEG(.flags = FIN | ACK, .seq = 101));
        expect(SEG(.flags = ACK, .ack = 102));
    }
    expect_state(BK_CLOSE_WAIT);
    expect_call(call_receive(1000), 100);
    expect_call(call_receive(1000), 0);
}

/* RFC 5681 4.2: what waits behind a gap reports the gap each time it comes. */
static void fin_after_a_gap_again(void **state) {
    (void)state;
    established();
    for (int i = 0; i < 3; i++) {
        receive(SEG(.flags = FIN | ACK, .seq = 101));
        expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    }
    expect_silence();
    receive(SEG(.flags = ACK, .seq = 1, .len = 100));
    expect(SEG(.flags = ACK, .ack = 102));
    expect_state(BK_CLOSE_WAIT);
}

/* The peer contradicts itself. What lies past its FIN will never be read: it is not kept, and CLOSE loses nothing. */
static void text_past_the_fin(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .seq = 101, .len = 50));
    expect(SEG(.flags = ACK, .ack = 1));
    assert_int_equal(call_status().out_of_order, 50);
    receive(SEG(.flags = FIN | ACK, .seq = 1));
    expect(SEG(.flags = ACK, .ack = 2));
    assert_int_equal(call_status().out_of_order, 0);
    call_close();
    expect(SEG(.flags = FIN | ACK, .seq = 1, .ack = 2));
}

static void fin_with_data_out_of_order(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = FIN | ACK, .seq = 51, .len = 50));
    expect(SEG(.flags = ACK, .ack = 1));
    receive(SEG(.flags = ACK, .seq = 1, .len = 50));
    next_sent();
    assert_true(last_ack() >= 101); /* the text was kept */
    if (last_ack() == 101) {
        receive(SEG(.flags = FIN | ACK, .seq = 51, .len = 50));
        expect(SEG(.flags = ACK, .ack = 102));
    }
    expect_state(BK_CLOSE_WAIT);
    expect_call(call_receive(1000), 100);
    expect_call(call_receive(1000), 0);
}

/* More than the window says, from both sides of it. */
static void bulk_received(void **state) {
    (void)state;
    established();
    uint64_t total = 0;
    for (int i = 0; i < 200; i++) {
        receive(SEG(.flags = ACK | PSH, .len = our_mss()));
        total += (uint64_t)our_mss();
        ignore_sent();
        expect_call(call_receive(100000), our_mss());
        advance_by(1);
    }
    assert_int_equal(fx.flow.read, total);
    assert_int_equal(call_status().bytes_received, total);
    advance_by(200);
    ignore_sent();
    assert_int_equal(fx.flow.got_ack, total + 1);
}

/* Everything that the user sends leaves in segments of the effective send MSS, the last with PSH (MUST-61). */
static void bulk_sent(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    uint64_t queued = 0, total = 300000;
    int64_t received = 1;
    while (received < (int64_t)total + 1) {
        if (queued < total) {
            ptrdiff_t n = call_send((size_t)(total - queued < 50000 ? total - queued : 50000));
            if (n != -EAGAIN) {
                assert_true(n > 0);
                queued += (uint64_t)n;
            }
        }
        advance_by(10);
        while (anything_sent()) {
            next_sent();
            assert_int_equal(last_seq(), received);
            assert_true(fx.last.len <= our_mss() && fx.last.len > 0);
            received = last_end();
        }
        receive(SEG(.flags = ACK));
    }
    assert_int_equal(fx.last.flags & PSH, PSH);
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.bytes_acked, total);
    assert_int_equal(info.segments_retransmitted, 0);
    assert_int_equal(info.send_queued, 0);
}

/* Large units leave whole for a link that can cut them: and are cut here. */
static void units_are_cut_right(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    expect_call(call_set(BK_TCP_NODELAY, 1), 0);
    for (int i = 0; i < 6; i++) { /* let the congestion window grow */
        expect_call(call_send(20000), 20000);
        for (int k = 0; k < 20; k++) {
            receive(SEG(.flags = ACK));
            ignore_sent();
        }
    }
    uint32_t units = fx.units;
    int64_t from = fx.flow.seen;
    expect_call(call_send(20000), 20000);
    size_t frames = fx.sent_count - fx.sent_taken;
    assert_true(fx.units - units < frames); /* several segments a unit */
    for (int64_t at = from; at < from + 20000; at = last_end()) {
        next_sent();
        assert_int_equal(last_seq(), at);
        assert_int_equal((fx.last.flags & PSH) != 0, last_end() == from + 20000);
    }
    expect_silence();
    assert_true(call_status().segments_sent >= frames); /* counted as the wire sees them */
}

static void send_buffer_full(void **state) {
    (void)state;
    established();
    expect_call(call_set(BK_TCP_SEND_BUFFER, 8192), 0);
    fx.flow.wnd = 0;
    receive(SEG(.flags = ACK));
    ptrdiff_t n, total = 0;
    while ((n = call_send(3000)) > 0) total += n;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(total, call_status().send_buffer);
    heard();
    fx.flow.wnd = 65535;
    receive(SEG(.flags = ACK));
    int64_t acked = 1;
    for (int i = 0; i < 20 && acked < total + 1; i++) {
        ignore_sent();
        acked = fx.flow.seen;
        receive(SEG(.flags = ACK));
    }
    expect_ready(BK_READY_WRITABLE);
    expect_call(call_send(100), 100);
}

static void urgent_received(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 25)); /* ends beyond this segment */
    assert_int_equal(heard(), BK_READY_READABLE | BK_READY_URGENT);
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 15)); /* the same place: no news (MUST-32) */
    assert_int_equal(heard() & BK_READY_URGENT, 0);
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 100)); /* it advances: news */
    assert_int_equal(heard() & BK_READY_URGENT, BK_READY_URGENT);
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.rcv_up - info.irs, 121);
    receive(SEG(.flags = ACK | URG, .len = 10, .urg = 5)); /* it cannot recede */
    info = call_status();
    assert_int_equal(info.rcv_up - info.irs, 121);
    expect_call(call_receive(100), 40); /* in line (RFC 6093 6) */
}

static void urgent_announced_without_data(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK | URG, .urg = 100));
    assert_int_equal(heard() & BK_READY_URGENT, BK_READY_URGENT);
}

/* MUST-62: the pointer names the octet after the urgent data. */
static void urgent_sent(void **state) {
    (void)state;
    established();
    expect_call(call_send_flags(10, BK_SEND_URGENT), 10);
    expect(SEG(.flags = ACK | URG, .seq = 1, .len = 10, .urg = 10));
    receive(SEG(.flags = ACK));
    expect_call(call_send(5), 5);
    expect(SEG(.flags = ACK, .seq = 11, .len = 5));
}

/* The urgent mode is told even when the data itself may not leave. */
static void urgent_sent_in_several_segments(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    size_t n = (size_t)our_mss() * 2 + 100;
    expect_call(call_send_flags(n, BK_SEND_URGENT), (int64_t)n);
    expect(SEG(.flags = ACK | URG, .seq = 1, .len = our_mss(), .urg = (int64_t)n));
    expect(SEG(.flags = ACK | URG, .seq = 1 + our_mss(), .len = our_mss(), .urg = (int64_t)n - our_mss()));
    receive(SEG(.flags = ACK));
    if (anything_sent()) expect(SEG(.flags = ACK | URG, .len = 100, .urg = 100));
}

static void zero_length_calls(void **state) {
    (void)state;
    established();
    expect_call(call_send(0), 0);
    expect_silence();
    receive(SEG(.flags = ACK, .len = 5));
    expect_call(call_receive(0), 0);
    expect_call(call_receive(5), 5);
}

static void received_by_reference(void **state) {
    (void)state;
    established();
    struct bk_part parts[4];
    assert_int_equal(bk_tcp_peek_parts(fx.stack, fx.flow.conn, parts, 4), 0);
    receive(SEG(.flags = ACK, .len = 1000));
    receive(SEG(.flags = ACK, .len = 500));
    size_t n = bk_tcp_peek_parts(fx.stack, fx.flow.conn, parts, 4), total = 0;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) total += parts[i].length;
    assert_int_equal(total, 1500);
    assert_int_equal(bk_tcp_consume(fx.stack, fx.flow.conn, 1501, fx.now), -EINVAL);
    assert_int_equal(bk_tcp_consume(fx.stack, fx.flow.conn, 1200, fx.now), 0);
    fx.flow.read += 1200;
    expect_call(call_receive(1000), 300);
}

static void sent_by_reference(void **state) {
    (void)state;
    established();
    uint32_t chunk;
    assert_int_equal(bk_chunk_alloc(fx.stack, &chunk, 1), 1);
    uint8_t *data = bk_chunk_data(fx.stack, chunk);
    memcpy(data + 100, "by reference", 12);
    struct bk_part part = {.chunk = chunk, .offset = 100, .length = 12};
    fx.flow.raw = true;
    struct bk_pool_info before, after;
    bk_pool_info(fx.stack, BK_POOL_CHUNKS, &before);
    assert_int_equal(bk_tcp_send_parts(fx.stack, fx.flow.conn, &part, 1, 0, fx.now), 0);
    assert_true(anything_sent());
    expect(SEG(.flags = ACK, .seq = 1, .len = 12, .payload = "by reference"));
    receive(SEG(.flags = ACK));
    bk_pool_info(fx.stack, BK_POOL_CHUNKS, &after);
    assert_true(after.in_use < before.in_use); /* the reference is given back */
}

/* Text carried by an unsynchronized segment is not delivered; a damaged segment changes nothing. */
static void damaged(void **state) {
    (void)state;
    established();
    receive(SEG(.flags = ACK, .len = 100, .bad_checksum = true));
    expect_reason(BK_REASON_DROP_TCP_CHECKSUM);
    expect_silence();
    expect_call(call_receive(100), -EAGAIN);
    receive(SEG(.flags = ACK, .len = 100));
    expect_call(call_receive(100), 100);
    struct bk_tcp_mib mib;
    bk_tcp_mib(fx.stack, &mib);
    assert_int_equal(mib.in_errs, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(in_order),
        BOTH(duplicate),
        BOTH(overlap_at_the_front),
        BOTH(overlap_at_the_back),
        BOTH(overlap_on_both_sides),
        BOTH(segment_around_and_within),
        BOTH(permutations),
        BOTH(window_edge),
        BOTH(batch_is_acknowledged_once),
        BOTH(fin_before_the_data),
        BOTH(fin_after_a_gap_again),
        BOTH(text_past_the_fin),
        BOTH(fin_with_data_out_of_order),
        BOTH(bulk_received),
        BOTH(bulk_sent),
        BOTH(units_are_cut_right),
        BOTH(send_buffer_full),
        BOTH(urgent_received),
        BOTH(urgent_announced_without_data),
        BOTH(urgent_sent),
        BOTH(urgent_sent_in_several_segments),
        BOTH(zero_length_calls),
        BOTH(received_by_reference),
        BOTH(sent_by_reference),
        BOTH(damaged),
    };
    return run_fixture_tests(tests);
}
