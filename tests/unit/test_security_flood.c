/* Shows that floods cost what they may cost and no more: SYNs (RFC 4987), text in crumbs, connections held open,
 * absurd segment sizes. Costs are counted in records, chunks and segments. */
#include <errno.h>

#include "fixture.h"

static uint32_t in_use(enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(fx.stack, pool, &info);
    return info.in_use;
}

static uint32_t high_water(enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(fx.stack, pool, &info);
    return info.high_water;
}

static uint64_t counted(uint16_t reason) {
    return bk_reason_count(fx.stack, reason);
}

/* ---- SYNs ------------------------------------------------------------------------------------------ */

/* A SYN from nowhere: the i-th of its kind. */
static uint16_t spoofed_syn(uint32_t i) {
    uint8_t frame[128];
    bk_addr src = fx.flow.remote;
    uint32_t spread = i * UINT32_C(2654435761); /* a permutation */
    src.byte[13] = fx.family == 4 ? 10 : 9;     /* none of the addresses in use */
    src.byte[12] = fx.family == 4 ? 10 : (uint8_t)(spread >> 24);
    src.byte[14] = (uint8_t)(spread >> 16);
    src.byte[15] = (uint8_t)(spread >> 8 | 1);
    struct wire_seg w = {.src = src,
                         .dst = fx.flow.local,
                         .sport = (uint16_t)(1024 + i % 60000),
                         .dport = 80,
                         .seq = spread,
                         .flags = SYN,
                         .wnd = 1024,
                         .mss = 1460,
                         .wscale = 7,
                         .sack_permitted = true,
                         .ts = true,
                         .tsval = i};
    return bk_input_copy(fx.stack, fx.iface, frame, wire_seg_build(&w, frame), fx.now);
}

/* What leaves is counted and forgotten. */
static uint64_t carry_off(void) {
    struct bk_tx unit[16];
    uint32_t id[16];
    uint64_t total = 0;
    size_t n;
    while ((n = bk_output(fx.stack, fx.iface, unit, 16, fx.now)) != 0) {
        for (size_t i = 0; i < n; i++) id[i] = unit[i].id;
        bk_output_done(fx.stack, id, n);
        total += n;
    }
    return total;
}

/* A million SYNs, ten thousand a second. Each is answered, none is kept beyond the few requests that there are, memory does not
 * grow, who is connected goes on talking, and who wants to connect does, by a cookie. */
static void a_million_syns(void **state) {
    (void)state;
    enum { SYNS = 1000000, BATCH = 20, TALK = 10000 };
    fx.passive = true;
    fx.config.trace_events = 0;
    established();
    struct flow live = fx.flow;
    uint64_t replies = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < SYNS; i++) {
        uint16_t reason = spoofed_syn(i);
        if (reason != BK_REASON_ACCEPT_SYN && reason != BK_REASON_ACCEPT_SYN_COOKIE)
            fixture_fail("SYN %u was taken as %s", i, bk_reason_name(reason));
        if (i % BATCH == BATCH - 1) {
            replies += carry_off();
            fx.now += 2 * MS;
            bk_advance(fx.stack, fx.now);
            replies += carry_off();
        }
        if (i % TALK == TALK - 1) {
            expect_call(call_send(100), 100);
            expect(SEG(.flags = ACK, .len = 100));
            receive(SEG(.flags = ACK, .len = 50));
            expect_call(call_receive(100), 50);
            if (used == 0) used = bk_used_extent(fx.stack);
            ignore_sent();
        }
    }
    assert_true(replies >= SYNS);
    assert_int_equal(counted(BK_REASON_NOTE_REPLY_LOST), 0);
    assert_int_equal(counted(BK_REASON_ACCEPT_SYN) - 1 + counted(BK_REASON_ACCEPT_SYN_COOKIE),
                     SYNS); /* one is the live connection's */
    assert_int_equal(bk_used_extent(fx.stack), used);
    assert_int_equal(in_use(BK_POOL_CONNECTIONS), 1);
    assert_true(high_water(fx.family == 4 ? BK_POOL_REQUESTS_IPV4 : BK_POOL_REQUESTS_IPV6) <= 8);
    assert_int_equal(live.conn.index, fx.flow.conn.index);
    expect_state(BK_ESTABLISHED);

    fx.flow = flow_like(&live, 0, 51000);
    receive(SEG(.flags = SYN));
    expect(SEG(.flags = SYN | ACK, .ack = 1, .reason = BK_REASON_SEND_SYN_COOKIE));
    receive(SEG(.flags = ACK));
    expect_reason(BK_REASON_ACCEPT_COOKIE_ACK);
    expect_call(call_accept(), 0);
    expect_call(call_send(1000), 1000);
    expect(SEG(.flags = ACK, .seq = 1, .len = 1000));
}

/* ---- SegmentSmack ---------------------------------------------------------------------------------- */

/* Single bytes, each behind a gap of its own (CVE-2018-5390): what they take is bounded in records and in chunks, in
 * whichever order they come, and the room for others stays. */
static void crumbs(uint32_t step, uint32_t count) {
    fx.config.chunks = 4096;
    fx.config.buffer_chunks = 3072;
    fx.config.receive_buffer = 65536;
    fx.config.trace_events = 0;
    established();
    struct flow smack = fx.flow;
    fx.flow = flow_like(&fx.flow, 40001, 0);
    established();
    struct flow other = fx.flow;
    fx.flow = smack;
    fx.holds = true; /* the audit looks at everything after each segment, which takes too long here */
    uint32_t most = 0;
    for (uint32_t i = 0, at = 2; i < count; i++, at = 2 + (at - 2 + step) % 16000) {
        receive(SEG(.flags = ACK, .seq = 1 + (int64_t)at * 2, .len = 1));
        ignore_sent();
        if (in_use(BK_POOL_EXTENTS) > most) most = in_use(BK_POOL_EXTENTS);
    }
    /* Twice the buffer in chunks and a few: a window full of small honest segments fits. */
    assert_true(most <= 2 * 65536 / 2048 + 8);
    assert_true(in_use(BK_POOL_CHUNKS) <= 2 * 65536 / 2048 + 8);
    fx.holds = false;
    smack = fx.flow;
    fx.flow = other;
    receive(SEG(.flags = ACK, .len = 1000));
    expect_call(call_receive(2000), 1000);
    fx.flow = smack;
    receive(SEG(.flags = ACK, .seq = 1, .len = 3));
    expect_reason(BK_REASON_ACCEPT_DATA);
    assert_true(call_receive(100) >= 3);
}

static void crumbs_ascending(void **state) {
    (void)state;
    crumbs(1, 16000);
}
static void crumbs_descending(void **state) {
    (void)state;
    crumbs(15999, 16000);
}
static void crumbs_scattered(void **state) {
    (void)state;
    crumbs(6007, 16000);
}

/* ---- sockstress ------------------------------------------------------------------------------------ */

#define HELD 7

/* Opens HELD connections whose peer shuts its window and leaves 2,000 bytes each waiting. */
static void hold_open(struct flow held[HELD], uint32_t user_timeout_ms) {
    fx.backlog = HELD;
    fx.passive = true;
    listening();
    for (uint16_t i = 0; i < HELD; i++) {
        fx.flow = flow_like(&fx.flow, 80, (uint16_t)(50000 + i));
        fx.flow.wnd = 0;
        established();
        expect_call(call_set(BK_TCP_USER_TIMEOUT_MS, user_timeout_ms), 0);
        expect_call(call_send(2000), 2000);
        expect_silence();
        held[i] = fx.flow;
    }
}

/* The peer answers each probe with its zero window, for this long. */
static void answer_probes(struct flow held[HELD], uint32_t seconds) {
    for (uint32_t s = 0; s < seconds; s++) {
        advance_by(1000);
        while (anything_sent()) {
            next_sent();
            if (fx.last.flags & RST) continue;
            for (uint32_t i = 0; i < HELD; i++) {
                if (held[i].remote_port != fx.last.dport) continue;
                fx.flow = held[i];
                receive(SEG(.flags = ACK, .ack = 1));
                held[i] = fx.flow;
            }
        }
    }
}

/* A server that gives its connections a user timeout (RFC 5482) is rid of them, however well their probes are answered. */
static void zero_windows_and_a_user_timeout(void **state) {
    (void)state;
    struct flow held[HELD];
    hold_open(held, 60000);
    answer_probes(held, 50);
    assert_int_equal(in_use(BK_POOL_CONNECTIONS), HELD);
    answer_probes(held, 20);
    for (uint32_t i = 0; i < HELD; i++) {
        fx.flow = held[i];
        expect_state(BK_CLOSED);
        expect_error(-ETIMEDOUT);
        expect_call(call_close(), 0);
    }
    assert_int_equal(in_use(BK_POOL_CONNECTIONS), 0);
    assert_int_equal(in_use(BK_POOL_ACTIVE), 0);
    assert_int_equal(in_use(BK_POOL_CHUNKS), 0);
}

/* A server that closes them is rid of them in orphan_ms. */
static void zero_windows_and_a_close(void **state) {
    (void)state;
    fx.config.orphan_ms = 30000;
    struct flow held[HELD];
    hold_open(held, 0);
    for (uint32_t i = 0; i < HELD; i++) {
        fx.flow = held[i];
        expect_call(call_close(), 0);
        held[i] = fx.flow;
    }
    answer_probes(held, 31);
    assert_int_equal(in_use(BK_POOL_CONNECTIONS), 0);
    assert_int_equal(in_use(BK_POOL_CHUNKS), 0);
}

/* While they are held, who talks is served. */
static void zero_windows_leave_room(void **state) {
    (void)state;
    struct flow held[HELD];
    hold_open(held, 0);
    fx.flow = flow_like(&fx.flow, 80, 60000);
    fx.flow.wnd = 65535;
    established();
    for (int i = 0; i < 100; i++) {
        expect_call(call_send(1000), 1000);
        expect(SEG(.flags = ACK, .len = 1000));
        receive(SEG(.flags = ACK, .len = 1000));
        expect_call(call_receive(2000), 1000);
        ignore_sent();
    }
}

/* ---- tiny segments (SACK Panic, CVE-2019-11477 to 11479) --------------------------------------------- */

/* An MSS below 48 counts as 48: with timestamps 36 bytes of payload, so that no peer can make us send mere headers. */
static void absurd_sizes(void **state) {
    (void)state;
    static const uint16_t claims[] = {0, 1, 8, 47, 48};
    for (uint32_t i = 0; i < sizeof claims / sizeof claims[0]; i++)
        for (int mode = 0; mode < 4; mode++) {
            fixture_finish();
            fixture_prepare(fx.family);
            fx.passive = mode & 1;
            fx.flow.timestamps = mode & 2;
            fx.flow.mss = claims[i];
            established();
            /* An option that says 0 says nothing: then the default counts (RFC 9293 3.7.1). */
            uint32_t expected = claims[i] == 0 ? fx.family == 4 ? 536 : 1220 : 48;
            assert_int_equal(call_status().send_mss, expected - (mode & 2 ? 12 : 0));
        }
}

/* 64 KiB in segments of 36 bytes, of which each is acknowledged alone, in halves, late and again: one record of a queue, not one for each
 * segment, and every byte arrives. */
static void many_tiny_segments(void **state) {
    (void)state;
    fx.flow.mss = 8;
    fx.flow.timestamps = true;
    fx.flow.wnd = 65535;
    established();
    fx.holds = true;
    expect_call(call_send(65000), 65000);
    int64_t acked = 1, end = 1;
    uint32_t most = 0;
    for (uint32_t i = 0; i < 100000 && acked < 65001; i++) {
        while (anything_sent()) {
            next_sent();
            assert_true(fx.last.len <= 36);
            if (last_end() > end) end = last_end();
        }
        if (in_use(BK_POOL_EXTENTS) > most) most = in_use(BK_POOL_EXTENTS);
        if (i % 7 == 3) {
            receive(SEG(.flags = ACK, .ack = acked)); /* again */
            continue;
        }
        acked += i % 3 == 0 ? 18 : 36;
        if (acked > end) acked = end;
        receive(SEG(.flags = ACK, .ack = acked));
        advance_by(1);
    }
    assert_int_equal(acked, 65001);
    assert_true(most <= 65000 / 2048 + 1);
    fx.holds = false;
    advance_by(1);
    assert_int_equal(in_use(BK_POOL_CHUNKS), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(a_million_syns),
        BOTH(crumbs_ascending),
        BOTH(crumbs_descending),
        BOTH(crumbs_scattered),
        BOTH(zero_windows_and_a_user_timeout),
        BOTH(zero_windows_and_a_close),
        BOTH(zero_windows_leave_room),
        BOTH(absurd_sizes),
        BOTH(many_tiny_segments),
    };
    return run_fixture_tests(tests);
}
