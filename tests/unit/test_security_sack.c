/* Shows that selective acknowledgments that lie, contradict each other or are absurd change nothing for the worse
 * (RFC 2018 8, CVE-2019-11477 to 11479): only SEG.ACK says what need not be kept, every byte arrives in the end, and
 * what an ACK costs is bounded. */
#include <errno.h>

#include "sack_peer.h"

#include "base/draw.h"
#include "tcp/connection.h"

/* An honest peer from here on: all of the stream, up to byte `total`, comes in the end, whatever was said before. */
static void all_arrives(int64_t acked, int64_t total) {
    static bool have[1 << 20];
    memset(have, 0, sizeof have);
    assert_true(total + 2 < (int64_t)sizeof have);
    for (int turn = 0; turn < 100000 && acked < total + 1; turn++) {
        while (anything_sent()) {
            next_sent();
            for (int64_t at = last_seq(); at < last_seq() + (int64_t)fx.last.len; at++) have[at] = true;
        }
        int64_t before = acked;
        while (acked < total + 1 && have[acked]) acked++;
        if (acked != before)
            receive(SEG(.flags = ACK, .ack = acked));
        else
            advance_by(500);
    }
    assert_int_equal(acked, total + 1);
    struct bk_tcp_info info = call_status();
    assert_int_equal(info.bytes_acked, total);
    assert_int_equal(info.send_queued, 0);
    assert_int_equal(info.in_flight, 0);
}

/* What was sent so far, and forgets it: as if it were lost. */
static int64_t all_lost(void) {
    ignore_sent();
    return (int64_t)(call_status().snd_nxt - call_status().iss);
}

/* Blocks that cannot be: empty, reversed, of what is acknowledged, of what was never sent, wrapped, half of all numbers. */
static void impossible_blocks(void **state) {
    (void)state;
    static const struct block bad[] = {
        {0, 0},
        {5, 5},
        {3000, 2000},
        {-5000, -4000},
        {-100, 1},
        {0, 1},
        {1 << 30, (1 << 30) + 1000},
        {1, 1 << 30},
        {-1000000, 1 << 30},
        {INT32_MAX, INT32_MIN},
        {1, INT32_MIN},
    };
    established_with_sack(1000, 0);
    expect_call(call_send(20000), 20000);
    int64_t sent = all_lost();
    struct bk_tcp_info before = call_status();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            struct block blocks[3] = {bad[i], bad[k], {sent + 1, sent + 1001}};
            sack(1, blocks, 3);
        }
    struct bk_tcp_info after = call_status();
    assert_int_equal(after.snd_una, before.snd_una);
    assert_int_equal(after.send_queued, 20000);
    assert_true(after.cwnd <= before.cwnd);
    all_arrives(1, 20000);
}

/* Any blocks whatsoever, with acknowledgments that go on. */
static void random_blocks(void **state) {
    (void)state;
    established_with_sack(536, 0);
    fx.holds = true;
    uint64_t random = 2018;
    int64_t acked = 1, total = 0;
    for (int i = 0; i < 20000; i++) {
        if (draw(&random) % 8 == 0 && total < 500000) {
            ptrdiff_t n = call_send(1 + draw(&random) % 9000);
            if (n > 0) total += n;
        }
        ignore_sent();
        int64_t nxt = (int64_t)(call_status().snd_nxt - call_status().iss);
        struct block blocks[4];
        size_t n = draw(&random) % 5;
        for (size_t k = 0; k < n; k++) {
            uint64_t span = (uint64_t)(nxt - acked) + 3000;
            blocks[k].left = acked - 1000 + (int64_t)(draw(&random) % span);
            blocks[k].right = blocks[k].left + (int64_t)(draw(&random) % 5000) - 500;
            if (draw(&random) % 100 == 0) blocks[k].right = (int32_t)draw(&random);
        }
        if (nxt > acked && draw(&random) % 4 == 0) acked += (int64_t)(draw(&random) % (uint64_t)(nxt - acked + 1));
        sack(acked, blocks, n);
        struct bk_tcp_info info = call_status();
        assert_true(info.in_flight <= info.snd_nxt - info.snd_una);
        assert_true(info.send_queued <= (uint32_t)(total + 1 - acked));
        if (draw(&random) % 16 == 0) advance_by(draw(&random) % 50);
    }
    fx.holds = false;
    /* What the random acknowledgments took for received is gone; the rest comes. */
    ignore_sent();
    receive(SEG(.flags = ACK, .ack = acked = (int64_t)(call_status().snd_nxt - call_status().iss)));
    all_arrives(acked, total);
}

/* A receiver that SACKs and then drops what it had (RFC 2018 8): after a timeout everything is sent again. */
static void reneging(void **state) {
    (void)state;
    established_with_sack(1000, 0);
    expect_call(call_send(10000), 10000);
    int64_t sent = all_lost();
    struct block rest = {1001, sent};
    for (int i = 0; i < 5; i++) sack(1, &rest, 1);
    while (anything_sent()) next_sent();
    sack(1001, NULL, 0); /* the first has come, and the others are gone */
    all_arrives(1001, 10000);
}

/* Everything SACKed, nothing acknowledged: the queue is kept, and the connection ends by R2 when no more comes. */
static void sacked_and_never_acknowledged(void **state) {
    (void)state;
    established_with_sack(1000, 0);
    expect_call(call_send(5000), 5000);
    int64_t sent = all_lost();
    struct block all = {1, sent};
    sack(1, &all, 1);
    assert_int_equal(call_status().send_queued, 5000);
    for (int s = 0; s < 300; s++) {
        advance_by(1000);
        if (ignore_sent() != 0 && call_status().state == BK_ESTABLISHED) sack(1, &all, 1);
    }
    expect_state(BK_CLOSED);
    expect_error(-ETIMEDOUT);
}

/* ---- what an ACK costs ------------------------------------------------------------------------------ */

/* Records of the scoreboard that were looked at so far, and that there are. */
static uint32_t visits(void) {
    const struct tcp *t = fx.region;
    return active_of(t, connection_at(t, fx.flow.conn.index))->board.visits;
}
static uint32_t records(void) {
    const struct tcp *t = fx.region;
    return active_of(t, connection_at(t, fx.flow.conn.index))->board.records;
}

/* A whole flight of the smallest segments (SACK Panic), as the congestion window lets it grow. Returns its segments. */
static uint32_t tiny_flight(void) {
    fx.config.send_buffer = 200000;
    established_with_sack(8, 0);
    fx.holds = true; /* the audit looks at every record, each time */
    int64_t acked = 1;
    for (int i = 0; i < 20000 && call_status().snd_nxt - call_status().snd_una < 60000; i++) {
        call_send(60000);
        ignore_sent();
        acked = (int64_t)(call_status().snd_nxt - call_status().iss);
        if (call_status().snd_nxt - call_status().snd_una >= 60000) break;
        receive(SEG(.flags = ACK, .ack = acked));
        advance_by(1);
    }
    ignore_sent();
    struct bk_tcp_info info = call_status();
    assert_in_range(info.snd_nxt - info.snd_una, 60000, 65535);
    return (info.snd_nxt - info.snd_una) / info.send_mss;
}

/* Blocks of single segments, in this order; then each acknowledged alone. Each block may cost a few records, and each
 * segment a few more over its whole life: the sum grows as their number does. */
static void sack_one_by_one(uint32_t step, uint32_t skip) {
    uint32_t n = tiny_flight(), before = visits(), blocks = 0;
    uint32_t mss = call_status().send_mss;
    int64_t una = (int64_t)(call_status().snd_una - call_status().iss);
    struct block b[4];
    for (uint32_t i = 0, at = 1; i < n - 1; i++, at = 1 + (at - 1 + step) % (n - 1)) {
        if (at % skip != 0) continue;
        b[blocks++ % 4] = (struct block){una + at * mss, una + (at + 1) * mss};
        if (blocks % 4 == 0) sack(una, b, 4);
        assert_true(records() <= n + 1);
    }
    ignore_sent();
    assert_true(visits() - before <= 4 * (n + blocks));
    before = visits();
    /* The same again and again is no news, and costs a look at what it names. */
    for (int i = 0; i < 1000; i++) sack(una, b, 4);
    ignore_sent();
    assert_true(visits() - before <= 1000 * 4 * 2);
}

static void every_second_ascending(void **state) {
    (void)state;
    sack_one_by_one(1, 2);
}
static void every_second_scattered(void **state) {
    (void)state;
    sack_one_by_one(607, 2);
}
static void all_descending(void **state) {
    (void)state;
    uint32_t n = 60000 / 48;
    sack_one_by_one(n - 3, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(impossible_blocks),
        BOTH(random_blocks),
        BOTH(reneging),
        BOTH(sacked_and_never_acknowledged),
        BOTH(every_second_ascending),
        BOTH(every_second_scattered),
        BOTH(all_descending),
    };
    return run_fixture_tests(tests);
}
