/* Shows what a stranger can do who sees no segment of a connection but guesses (RFC 5961): end nothing, insert
 * nothing, make nobody talk, and learn nothing from what the stack answers to himself (CVE-2016-5696). */
#include <errno.h>

#include "fixture.h"

#include "base/draw.h"

/* ---- what a stranger learns -------------------------------------------------------------------------- */

/* The stranger's own connection, to the same port as the victim's peer. */
static struct flow stranger;
static uint8_t *view; /* all frames that came to him */
static size_t view_length, view_room;

static void see(const uint8_t *frame, size_t n, uint64_t time) {
    if (view_length + n + 10 > view_room) {
        view_room = 2 * (view_length + n + 10);
        view = realloc(view, view_room);
        assert_non_null(view);
    }
    memcpy(view + view_length, &time, 8);
    view[view_length + 8] = (uint8_t)(n >> 8);
    view[view_length + 9] = (uint8_t)n;
    memcpy(view + view_length + 10, frame, n);
    view_length += n + 10;
}

/* What leaves a copy of the stack: the stranger sees what is for his address, and nothing else. */
static void look(bk_stack *copy, uint64_t now) {
    struct bk_tx unit;
    uint8_t frame[2048];
    while (bk_output(copy, fx.iface, &unit, 1, now) != 0) {
        size_t n = bk_tx_write(copy, &unit, 0, frame, sizeof frame);
        struct wire_seg w;
        assert_null(wire_seg_parse(frame, n, &w));
        if (bk_addr_equal(&w.dst, &stranger.remote)) see(frame, n, now);
        bk_output_done(copy, &unit.id, 1);
    }
}

static void put(bk_stack *copy, const struct wire_seg *w, uint64_t now) {
    uint8_t frame[2048];
    bk_input_copy(copy, fx.iface, frame, wire_seg_build(w, frame), now);
    look(copy, now);
}

/* What the stranger asks on his own account: a hundred segments that draw challenge ACKs on his own connection, SYNs
 * to the listener, segments to nobody. */
static void probe(bk_stack *copy, uint64_t now) {
    struct wire_seg w = {.src = stranger.remote,
                         .dst = stranger.local,
                         .sport = stranger.remote_port,
                         .dport = stranger.local_port,
                         .seq = stranger.isn + 500,
                         .flags = RST,
                         .mss = -1,
                         .wscale = -1};
    put(copy, &w, now);
    w.flags = SYN;
    put(copy, &w, now);
    w.flags = ACK;
    w.seq = stranger.isn + 1;
    w.ack = stranger.iss + 100000;
    put(copy, &w, now);
    w.flags = SYN;
    w.mss = 1460;
    w.sport = (uint16_t)(20000 + now / MS % 1000);
    put(copy, &w, now);
    w.dport = 9;
    put(copy, &w, now);
}

struct guess {
    int flags;
    int64_t seq, ack; /* relative to what the victim's peer would send */
    uint32_t len;
    int port; /* added to the victim's remote port: 0 hits the connection */
};

/* What he sees after sending this guess, a hundred times over, in the name of the victim's peer. */
static void view_after(const struct guess *g) {
    size_t used = bk_used_extent(fx.stack), size = bk_region_size(&fx.config), room = (size + 4095) / 4096 * 4096;
    void *region = aligned_alloc(4096, room);
    bk_stack *copy;
    static const uint8_t text[64];
    assert_non_null(region);
    memcpy(region, fx.region, used);
    assert_int_equal(bk_adopt(region, size, &copy), 0);
    view_length = 0;
    uint64_t now = fx.now;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; g != NULL && i < 5; i++) {
            struct wire_seg w = {.src = fx.flow.remote,
                                 .dst = fx.flow.local,
                                 .sport = (uint16_t)(fx.flow.remote_port + g->port),
                                 .dport = fx.flow.local_port,
                                 .seq = fx.flow.isn + (uint32_t)(fx.flow.nxt + g->seq),
                                 .ack = fx.flow.iss + (uint32_t)(fx.flow.seen + g->ack),
                                 .flags = (uint8_t)g->flags,
                                 .mss = -1,
                                 .wscale = -1,
                                 .wnd = 100,
                                 .payload = text,
                                 .len = g->len};
            put(copy, &w, now);
        }
        probe(copy, now);
        uint64_t until = now + 50 * MS;
        for (uint64_t due; (due = bk_next_deadline(copy)) <= until;) {
            now = due > now ? due : now;
            bk_advance(copy, now);
            look(copy, now);
        }
        now = until;
        bk_advance(copy, now);
        look(copy, now);
    }
    free(region);
}

/* Whether there is such a connection, whether a sequence number lies in its window, whether an acknowledgment number
 * is acceptable: what the stranger sees of his own segments' answers is the same, to the byte and the nanosecond. */
static void nothing_is_learned(void **state) {
    (void)state;
    static const struct guess guesses[] = {
        {SYN, 0, 0, 0, 0},        {SYN, 3000, 0, 0, 0},    {SYN, 1 << 30, 0, 0, 0},
        {RST, 1, 0, 0, 0},        {RST, 3000, 0, 0, 0},    {RST, 1 << 30, 0, 0, 0},
        {ACK, 0, 0, 0, 0},        {ACK, 0, 1, 0, 0},       {ACK, 0, -100000, 0, 0},
        {ACK, 0, 1 << 30, 0, 0},  {ACK, 1 << 30, 0, 0, 0}, {ACK, -1, 0, 0, 0},
        {ACK, -1, 0, 1, 0},       {ACK, 100, 0, 50, 0},    {ACK, 1 << 30, 0, 50, 0},
        {ACK, 0, 1 << 30, 50, 0}, {FIN | ACK, 0, 7, 0, 0}, {FIN | ACK, 1 << 30, 0, 0, 0},
        {0, 0, 0, 10, 0},         {SYN, 0, 0, 0, 1},       {RST, 0, 0, 0, 1},
        {ACK, 0, 0, 0, 1},        {SYN | ACK, 0, 0, 0, 0},
    };
    /* A table of requests that is full tells that it is, by its cookies: here it is not. */
    fx.config.requests_ipv4 = fx.config.requests_ipv6 = 64;
    fx.passive = true;
    stranger = fx.flow;
    listening();
    fx.flow = flow_like(&fx.flow, 0, 60001);
    fx.flow.remote.byte[15] = 77;
    established();
    stranger = fx.flow;
    fx.flow = flow_like(&fx.flow, 0, 50000);
    fx.flow.remote.byte[15] = 2;
    established();
    expect_call(call_send(500), 500);
    ignore_sent();
    fx.flow.seen = 501;

    view_after(NULL);
    size_t length = view_length;
    uint8_t *alone = malloc(length);
    assert_non_null(alone);
    assert_true(length > 20 * 40); /* he is answered */
    memcpy(alone, view, length);
    for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++) {
        view_after(&guesses[i]);
        if (view_length != length || memcmp(view, alone, length) != 0)
            fixture_fail("guess %zu changes what a stranger sees", i);
    }
    free(alone);
    free(view);
    view = NULL;
    view_room = 0;
}

/* ---- guesses --------------------------------------------------------------------------------------- */

/* A hundred thousand guesses in the peer's name, none of which has the one number that counts: the connection stands,
 * nothing is inserted, and the answers are as few as the limit says. */
static void guesses_end_nothing(void **state) {
    (void)state;
    static const int flags[] = {RST, RST | ACK, SYN, SYN | ACK, SYN | RST};
    fx.config.trace_events = 0;
    established();
    fx.holds = true;
    uint64_t random = 5961;
    size_t answers = 0;
    mark();
    for (int i = 0; i < 100000; i++) {
        int64_t seq = i & 1 ? (int64_t)(draw(&random) % 16384) + 2 : (int64_t)(draw(&random) & 0xffffffff);
        if ((uint32_t)seq == 1) seq = 2;
        receive(SEG(.flags = flags[draw(&random) % 5], .seq = seq, .ack = (int64_t)(draw(&random) & 0xffffffff),
                    .mss = ABSENT));
        if (i % 100 == 99) advance_by(1);
        answers += ignore_sent();
    }
    expect_state(BK_ESTABLISHED);
    assert_in_range(answers, 1, elapsed_ms() / fx.config.challenge_ack_ms + 1);
    fx.holds = false;
    expect_call(call_receive(100), -EAGAIN);
    advance_by(500);
    receive(SEG(.flags = ACK, .seq = 1, .len = 10));
    expect_call(call_receive(100), 10);
}

/* Text in the window under acknowledgments that are guessed (RFC 5961 5): of the 2^32 numbers those that are believed
 * are the ones between the largest window below SND.UNA and SND.NXT. */
static void guessed_acknowledgments_insert_nothing(void **state) {
    (void)state;
    fx.config.trace_events = 0;
    established();
    fx.holds = true;
    expect_call(call_send(1000), 1000);
    ignore_sent();
    uint64_t random = 1323;
    for (int i = 0; i < 50000; i++) {
        uint32_t ack = (uint32_t)draw(&random);
        if (ack - (uint32_t)(1 - 4096) <= 4096 + 1000) continue; /* the believed ones */
        receive(SEG(.flags = ACK | PSH, .seq = 1, .ack = ack, .len = 10));
        ignore_sent();
    }
    fx.holds = false;
    expect_call(call_receive(100), -EAGAIN);
    assert_int_equal(call_status().snd_una - call_status().iss, 1);
    expect_state(BK_ESTABLISHED);
}

/* ---- a peer that lies about what it has -------------------------------------------------------------- */

/* Acknowledgments of what was never sent move nothing: neither SND.UNA nor the congestion window, nor the measured RTT. */
static void ghost_acknowledgments(void **state) {
    (void)state;
    fx.flow.wnd = 65535;
    established();
    expect_call(call_send(60000), 60000);
    ignore_sent();
    struct bk_tcp_info before = call_status();
    int64_t sent = before.snd_nxt - before.iss;
    for (int i = 0; i < 50; i++) {
        receive(SEG(.flags = ACK, .ack = sent + 1 + i * 1000));
        assert_true(fx.verdict == BK_REASON_ANSWER_CHALLENGE_ACK || fx.verdict == BK_REASON_DROP_CHALLENGE_LIMIT);
    }
    assert_true(ignore_sent() <= 1);
    struct bk_tcp_info after = call_status();
    assert_int_equal(after.snd_una, before.snd_una);
    assert_int_equal(after.cwnd, before.cwnd);
    assert_int_equal(after.srtt_us, before.srtt_us);
}

/* A receiver that acknowledges what it has not got yet (Savage et al., "misbehaving receiver"): the window grows by
 * no more than what was acknowledged, however the acknowledgments are cut (RFC 3465), and what is under way never
 * exceeds the peer's own window; what it gains it loses, since what it acknowledged is never sent again. */
static void optimistic_acknowledgments(void **state) {
    (void)state;
    fx.config.send_buffer = 200000;
    fx.config.chunks = 1024;
    fx.config.buffer_chunks = 512;
    fx.flow.wnd = 30000;
    established();
    uint32_t initial = call_status().cwnd;
    expect_call(call_send(200000), 200000);
    int64_t end = 1, acked = 1;
    uint64_t random = 2581;
    for (int i = 0; i < 2000; i++) {
        while (anything_sent()) {
            next_sent();
            if (last_end() > end) end = last_end();
            assert_true(last_seq() + fx.last.len >= (uint32_t)acked); /* never before what was acknowledged */
        }
        struct bk_tcp_info info = call_status();
        assert_true(info.snd_nxt - info.snd_una <= 30000);
        assert_true(info.cwnd <= initial + (uint32_t)(acked - 1));
        if (end == acked) break;
        acked += 1 + (int64_t)(draw(&random) % (uint64_t)(end - acked));
        receive(SEG(.flags = ACK, .ack = acked));
    }
    assert_int_equal(acked, 200001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(nothing_is_learned),    BOTH(guesses_end_nothing),        BOTH(guessed_acknowledgments_insert_nothing),
        BOTH(ghost_acknowledgments), BOTH(optimistic_acknowledgments),
    };
    return run_fixture_tests(tests);
}
