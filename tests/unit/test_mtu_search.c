/* Shows that a path's MTU is found out by trying (RFC 4821, RFC 8899): through a black hole, which says nothing about packets that it swallows, in
 * both families; that a lost probe is no congestion; and what is done with what was found. */
#include <errno.h>

#include "fixture_icmp.h"

#define STEP_MS 10

/* The peer behind a path that takes packets up to `width`, without a word about others. It acknowledges each segment, without SACK. */
static struct {
    int64_t width;
    int64_t next;                /* all before has arrived */
    int64_t left[64], right[64]; /* what arrived beyond it, in order */
    unsigned gaps;
    unsigned swallowed, largest, to_swallow;
} path;

static int64_t headers(void) {
    return fx.family == 4 ? 40 : 60;
}

static void path_begin(int64_t width) {
    memset(&path, 0, sizeof path);
    path.width = width;
    path.next = fx.flow.seen;
}

/* [left, right) has arrived. */
static void arrived(int64_t left, int64_t right) {
    if (left > path.next) {
        assert_true(path.gaps < 64);
        path.left[path.gaps] = left;
        path.right[path.gaps++] = right;
    } else if (right > path.next) {
        path.next = right;
    }
    for (unsigned i = 0; i < path.gaps;) {
        if (path.left[i] > path.next) {
            i++;
            continue;
        }
        if (path.right[i] > path.next) path.next = path.right[i];
        path.gaps--;
        memmove(&path.left[i], &path.left[i + 1], (path.gaps - i) * sizeof path.left[0]);
        memmove(&path.right[i], &path.right[i + 1], (path.gaps - i) * sizeof path.right[0]);
        i = 0;
    }
}

/* What was sent arrives, or does not, and is answered a round trip later: one step. */
static void step(void) {
    static int64_t answer[1000];
    unsigned answers = 0;
    while (anything_sent()) {
        next_sent();
        unsigned size = (unsigned)(fx.last.len + headers());
        if (fx.last.len == 0) continue;
        if (size > path.largest) path.largest = size;
        if (size > path.width) {
            path.swallowed++;
            continue;
        }
        arrived(last_seq(), last_end());
        assert_true(answers < 1000);
        answer[answers++] = path.next;
    }
    advance_by(STEP_MS);
    for (unsigned i = 0; i < answers; i++) receive(SEG(.flags = ACK, .ack = answer[i]));
}

/* Sends so much, and runs until it has all arrived. Returns how long that took, in ms. */
static uint64_t transfer(int64_t bytes) {
    uint64_t begin = fx.now;
    int64_t end = (int64_t)fx.flow.sent + 1 + bytes, left = bytes;
    for (int turn = 0; turn < 5000 && path.next < end; turn++) {
        if (left > 0) {
            ptrdiff_t n = call_send((size_t)(left < 16000 ? left : 16000));
            if (n > 0) left -= n;
        }
        step();
    }
    assert_int_equal(path.next, end);
    return (fx.now - begin) / MS;
}

static void up_with_window(uint16_t window) {
    fx.config.rto_min_ms = 200;
    fx.config.sack = false;
    fx.flow.wnd = window;
    established();
}
static void up(void) {
    up_with_window(65535);
}

static uint64_t noted(uint16_t reason) {
    return bk_reason_count(fx.stack, reason);
}

/* The least that every path takes, and little more. */
static int64_t narrow(void) {
    return fx.family == 4 ? 1200 : 1300;
}

static void a_black_hole_heals(void **state) {
    (void)state;
    up();
    path_begin(narrow());
    uint64_t ms = transfer(200000);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 1);
    assert_true(ms < 6000);
    /* It searched upwards, and is as near as the threshold says. */
    int64_t found = call_status().path_mtu;
    assert_in_range(found, narrow() - 2 * fx.config.mtu_probe_threshold - 1, narrow());
    /* What was learned serves the next connection from its first segment on. */
    fx.flow = flow_like(&fx.flow, 42000, 80);
    established();
    path_begin(narrow());
    assert_true(transfer(50000) < 1000);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 1);
    assert_int_equal(call_status().path_mtu, found);
}

/* Narrower than base_mss: half, and half again; in IPv6 1,280 passes everywhere (RFC 8200 5). */
static void very_narrow_paths(void **state) {
    (void)state;
    up();
    path_begin(fx.family == 4 ? 300 : 1280);
    transfer(20000);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), fx.family == 4 ? 3 : 1);
    assert_in_range(call_status().path_mtu, fx.family == 4 ? 270 : 1280, fx.family == 4 ? 300 : 1280);
}

/* A segment that base_mss would not make smaller, and that is all there is to send, was too big nevertheless. */
static void a_lone_segment_below_base_mss(void **state) {
    (void)state;
    up();
    path_begin(fx.family == 4 ? 825 : 1280);
    transfer(fx.family == 4 ? 940 : 1300);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 1);
    assert_true(call_status().path_mtu <= (fx.family == 4 ? 825 : 1280));
}

/* Full segments are what the peer's window lets leave: if it is smaller than a segment, whole windows vanish. */
static void a_window_below_the_mss(void **state) {
    (void)state;
    up_with_window(fx.family == 4 ? 700 : 1300);
    path_begin(fx.family == 4 ? 650 : 1280);
    transfer(5000);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 1);
    assert_true(call_status().path_mtu <= path.width);
}

/* With mtu_probing 2 no timeout is needed. */
static void always_probing_meets_no_black_hole(void **state) {
    (void)state;
    fx.config.mtu_probing = BK_MTU_PROBING_ALWAYS;
    up();
    uint32_t cwnd = call_status().cwnd;
    int64_t base = fx.family == 4 ? 1064 : 1280;
    assert_int_equal(call_status().path_mtu, base);
    path_begin(narrow());
    assert_true(transfer(300000) < 2000);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 0);
    assert_int_equal(noted(BK_REASON_NOTE_RTO), 0);
    assert_true(noted(BK_REASON_NOTE_MTU_PROBE_LOST) >= 3);
    assert_true(noted(BK_REASON_NOTE_MTU_PROBE_ARRIVED) >= 1);
    assert_int_equal(path.swallowed, noted(BK_REASON_NOTE_MTU_PROBE_LOST));
    /* RFC 4821 7.6.2: losses of probes have reduced nothing. */
    assert_true(call_status().cwnd >= cwnd);
    assert_int_equal(call_status().ssthresh, UINT32_MAX);
}

/* Something on the way cuts a probe, and the rest is lost: what is left is lost like anything else. */
static void a_probe_that_is_cut(void **state) {
    (void)state;
    fx.config.mtu_probing = BK_MTU_PROBING_ALWAYS;
    up();
    int64_t base = fx.family == 4 ? 1064 : 1280, from = 0;
    expect_call(call_send(16000), 16000);
    while (anything_sent()) {
        next_sent();
        if (fx.last.len + headers() > base && from == 0) from = last_seq();
    }
    assert_true(from > 0);
    receive(SEG(.flags = ACK, .ack = from + 100));
    for (int i = 0; i < 3; i++) receive(SEG(.flags = ACK, .ack = from + 100));
    bool again = false;
    while (anything_sent()) {
        next_sent();
        again |= last_seq() == from + 100;
    }
    assert_true(again);
    assert_int_equal(noted(BK_REASON_NOTE_MTU_PROBE_LOST), 0);
    assert_int_equal(call_status().recovery, 3);
}

/* And on a path without narrows it arrives at the link's MTU. */
static void the_whole_mtu_is_found(void **state) {
    (void)state;
    fx.config.mtu_probing = BK_MTU_PROBING_ALWAYS;
    up();
    path_begin(1500);
    transfer(300000);
    assert_int_equal(call_status().path_mtu, 1500);
    assert_int_equal(path.swallowed, 0);
    assert_int_equal(noted(BK_REASON_NOTE_MTU_PROBE_LOST), 0);
}

/* The search begins again after a while, and finds that the path has become wider. */
static void the_path_becomes_wider(void **state) {
    (void)state;
    up();
    path_begin(narrow());
    transfer(600000); /* until the search rests */
    path.width = 1500;
    transfer(100000);
    assert_true(call_status().path_mtu <= narrow());
    advance_by(fx.config.mtu_probe_interval_s * 1000 + 1000);
    transfer(200000);
    assert_int_equal(call_status().path_mtu, 1500);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 1);
}

/* Without it nothing is tried. */
static void off(void **state) {
    (void)state;
    fx.config.mtu_probing = BK_MTU_PROBING_OFF;
    up();
    path_begin(narrow());
    expect_call(call_send(5000), 5000);
    for (int turn = 0; turn < 1000; turn++) step();
    assert_int_equal(path.next, 1);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 0);
    assert_int_equal(call_status().path_mtu, 1500);
}

/* Timeouts of small segments say nothing about sizes. */
static void small_segments_are_above_suspicion(void **state) {
    (void)state;
    up();
    expect_call(call_send(500), 500);
    advance_by(5000);
    assert_true(noted(BK_REASON_NOTE_RTO) >= 3);
    assert_int_equal(noted(BK_REASON_NOTE_BLACK_HOLE), 0);
    assert_int_equal(call_status().path_mtu, 1500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(a_black_hole_heals),
        BOTH(very_narrow_paths),
        BOTH(a_lone_segment_below_base_mss),
        BOTH(a_window_below_the_mss),
        BOTH(always_probing_meets_no_black_hole),
        BOTH(the_whole_mtu_is_found),
        BOTH(a_probe_that_is_cut),
        BOTH(the_path_becomes_wider),
        BOTH(off),
        BOTH(small_segments_are_above_suspicion),
    };
    return run_fixture_tests(tests);
}
