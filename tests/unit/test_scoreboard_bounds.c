/* Shows that the scoreboard tells less where records are spent, but nothing wrong, and that an ACK costs no more than it says. */
#include "scoreboard_bench.h"

/* ---- records are spent ----------------------------------------------------------------------------- */

/* What finds no record joins the newest, which tells less from then on: no time, no proof. */
static void what_finds_no_record(void **state) {
    (void)state;
    struct bench b;
    bench_up_records(&b, 2);
    struct scoreboard *board = &b.a->board;
    uint64_t *counted = &b.t->base.reasons[BK_REASON_NOTE_SENT_RECORDS];
    for (uint32_t i = 0; i < 3; i++) bench_append(&b, 1000, false, MSS); /* one for sure, and two */
    assert_int_equal(board->records, 3);
    assert_int_equal(*counted, 0);
    bench_later(&b, 1000);
    bench_append(&b, 2500, false, MSS);
    assert_int_equal(*counted, 1);
    assert_int_equal(board->records, 3);
    const struct sent_run *last = sent_at_id(b.t, scoreboard_newest(b.t, board));
    assert_int_equal(last->flags, SENT_COARSE | SENT_EVER_RESENT);
    assert_int_equal(last->segments, 4);
    assert_int_equal(last->sent_at, b.t->base.now);
    assert_int_equal(board->bytes, 5500);
    expect_sound(&b);

    struct ack_news n;
    bench_news(&b, &n);
    scoreboard_sacked(b.t, board, BASE + 3000, BASE + 4000, &n); /* in the midst of it: not noted */
    assert_int_equal(n.delivered, 0);
    assert_int_equal(board->sacked, 0);
    scoreboard_sacked(b.t, board, BASE + 1000, BASE + 2000, &n); /* a record of its own is */
    assert_int_equal(n.delivered, 1000);
    scoreboard_sacked(b.t, board, BASE + 1000, BASE + 3000, &n); /* and what is next to one joins it */
    assert_int_equal(n.delivered, 2000);
    expect_segments(&b, 2, 0, 0);
    expect_sound(&b);

    /* Sent again in part, and no record for the rest: all of it counts as sent, until an ACK shows the rest. */
    scoreboard_lose_all(b.t, board);
    b.t->sent_shared = 2; /* other connections hold them now */
    uint32_t id = scoreboard_find(b.t, board, BASE + 3000);
    scoreboard_resend(b.t, board, id, BASE + 4000, MSS);
    assert_int_equal(pipe_of(&b), 2500);
    b.t->sent_shared = board->records - 1;
    scoreboard_acked(b.t, board, BASE + 3000, &n);
    b.c->snd_una = BASE + 3000;
    bench_news(&b, &n);
    scoreboard_acked(b.t, board, BASE + 4000, &n);
    b.c->snd_una = BASE + 4000;
    assert_int_equal(n.oldest_acked, 0); /* no RTT */
    assert_int_equal(pipe_of(&b), 0);
    assert_int_equal(sent_at_id(b.t, scoreboard_next_lost(b.t, board))->seq, BASE + 4000);
    expect_sound(&b);
    core_down(&b.k);
}

/* A receiver and a sender by bytes. */
#define STREAM 120000u

struct stream {
    struct bench b;
    uint64_t random;
    uint32_t base;
    bool arrived[STREAM];
};

static uint32_t stream_acked(const struct stream *s) {
    uint32_t n = s->b.c->snd_una - s->base, sent = s->b.c->snd_nxt - s->base;
    while (n < sent && s->arrived[n]) n++;
    return n;
}

static void stream_arrives(struct stream *s, uint32_t from, uint32_t to) {
    for (uint32_t at = from; at != to; at++) s->arrived[at - s->base] = true;
}

/* What is SACKed has arrived. */
static void stream_check(const struct stream *s) {
    const struct tcp *t = s->b.t;
    struct tree_of of = {&t->base, &t->sent, offsetof(struct sent_run, by_seq), offsetof(struct sent_run, seq)};
    for (uint32_t id = scoreboard_first(t, &s->b.a->board); id != BK_NONE; id = tree_next(&of, id)) {
        const struct sent_run *r = sent_at_id(t, id);
        if (!(r->flags & SENT_SACKED)) continue;
        for (uint32_t at = r->seq; at != r->end; at++) assert_true(s->arrived[at - s->base]);
    }
    assert_true(t->sent_shared <= t->base.config.sent_records);
    assert_true(pipe_of(&s->b) <=
                2 * connection_outstanding(s->b.c)); /* both copies of what is sent again may be out */
    expect_sound(&s->b);
}

static void stream_send(struct stream *s) {
    uint32_t from = s->b.c->snd_nxt, octets = 1 + core_below(&s->random, 5000);
    if (from - s->base + octets > STREAM) return;
    bench_append(&s->b, octets, false, (uint16_t)(200 + core_below(&s->random, 3) * 400));
    for (uint32_t at = from; at != s->b.c->snd_nxt; at += u32_min(300, s->b.c->snd_nxt - at))
        if (core_below(&s->random, 3)) stream_arrives(s, at, at + u32_min(300, s->b.c->snd_nxt - at));
}

static bool stream_resend(struct stream *s) {
    uint32_t id = scoreboard_next_lost(s->b.t, &s->b.a->board);
    if (id == BK_NONE) return false;
    const struct sent_run *r = sent_at_id(s->b.t, id);
    uint32_t from = r->seq, n = u32_min(r->end - r->seq, 1 + core_below(&s->random, 2000));
    scoreboard_resend(s->b.t, &s->b.a->board, id, from + n, (uint16_t)(200 + core_below(&s->random, 3) * 400));
    if (core_below(&s->random, 4)) stream_arrives(s, from, from + n);
    return true;
}

/* The ACK, up to anywhere that has arrived, and a block of what has. */
static void stream_ack(struct stream *s) {
    struct connection *c = s->b.c;
    struct ack_news n;
    bench_news(&s->b, &n);
    uint32_t most = stream_acked(s), una = c->snd_una - s->base;
    uint32_t ack = core_below(&s->random, 3) ? most : una + core_below(&s->random, most - una + 1);
    scoreboard_acked(s->b.t, &s->b.a->board, s->base + ack, &n);
    c->snd_una = s->base + ack;
    if (connection_outstanding(c) < 2) return;
    uint32_t left = ack + 1 + core_below(&s->random, connection_outstanding(c) - 1), right = left;
    while (right < c->snd_nxt - s->base && s->arrived[right]) right++;
    if (right != left) scoreboard_sacked(s->b.t, &s->b.a->board, s->base + left, s->base + right, &n);
}

static void stream_timeout(struct stream *s) {
    struct scoreboard *board = &s->b.a->board;
    uint32_t id = scoreboard_first(s->b.t, board);
    if (id != BK_NONE && (sent_at_id(s->b.t, id)->flags & SENT_SACKED)) scoreboard_renege(s->b.t, board);
    scoreboard_lose_all(s->b.t, board);
}

/* With few records or none, ACKs in the midst of segments, segments of changing sizes, receivers that go back on their word: nothing counts as SACKed that
 * has not arrived, and everything goes again until it has. */
static void everything_arrives(void **state) {
    (void)state;
    static struct stream s;
    static const uint32_t records[] = {0, 1, 3, 10, 1000};
    for (uint32_t turn = 0; turn < 40; turn++) {
        memset(&s, 0, sizeof s);
        s.random = turn;
        bench_up_records(&s.b, records[turn % 5]);
        s.base = UINT32_MAX - core_below(&s.random, STREAM);
        bench_empty(&s.b, s.base);
        for (uint32_t step = 0; step < 600; step++) {
            bench_later(&s.b, 100);
            switch (core_below(&s.random, 8)) {
            case 0:
            case 1:
                stream_send(&s);
                break;
            case 2:
            case 3:
                stream_ack(&s);
                break;
            case 4:
                if (core_below(&s.random, 10) == 0)
                    stream_timeout(&s);
                else if (s.b.a->board.by_time.head != BK_NONE)
                    scoreboard_lose(s.b.t, &s.b.a->board, s.b.a->board.by_time.head);
                break;
            case 5:
                if (core_below(&s.random, 20) == 0)
                    scoreboard_renege(s.b.t, &s.b.a->board);
                else if (core_below(&s.random, 10) == 0)
                    scoreboard_find_again(s.b.t, &s.b.a->board, 2);
                break;
            default:
                stream_resend(&s);
            }
            stream_check(&s);
        }
        uint32_t steps = 0;
        while (connection_outstanding(s.b.c) != 0) {
            assert_true(steps++ < 20000);
            if (!stream_resend(&s)) stream_timeout(&s);
            stream_ack(&s);
            stream_check(&s);
        }
        assert_int_equal(s.b.a->board.records, 0);
        assert_int_equal(s.b.a->board.bytes, 0);
        core_down(&s.b.k);
    }
}

/* ---- what an ACK costs ------------------------------------------------------------------------------ */

#define MANY 2000u

/* An ACK with these blocks looks at a few records for each of them, and a few for each segment that is newly SACKed, acknowledged or lost;
 * never at the rest. */
static void ack_within_bounds(struct bench *b, uint32_t to, const struct block *blocks, uint32_t count) {
    const struct scoreboard *board = &b->a->board;
    uint32_t visits = board->visits, delivered = b->c->delivered_segments, lost = board->lost_total,
             una = b->c->snd_una;
    bench_ack_sack(b, to, blocks, count);
    uint32_t news = b->c->delivered_segments - delivered + (board->lost_total - lost + MSS - 1) / MSS +
                    (b->c->snd_una - una + MSS - 1) / MSS;
    if (board->visits - visits > 8 * (count + 1) + 6 * news)
        fail_msg("%u records looked at for %u blocks and %u segments", board->visits - visits, count, news);
    assert_true(board->records <= MANY);
}

static void many_up(struct bench *b) {
    bench_up_records(b, 2 * MANY);
    bench_send(b, MANY * MSS);
    bench_later(b, 100000);
}

static struct block of_segments(uint32_t first, uint32_t count) {
    return (struct block){first * MSS, (first + count) * MSS};
}

/* Every second segment, in an order that a step gives, three with each ACK. */
static void comb(struct bench *b, uint32_t step) {
    struct block blocks[3];
    for (uint32_t i = 0, at = 0; i < MANY / 2; i++, at = (at + step) % (MANY / 2)) {
        blocks[i % 3] = of_segments(2 * at + 1, 1);
        if (i % 3 == 2) ack_within_bounds(b, 0, blocks, 3);
    }
}

static void combs(void **state) {
    (void)state;
    static const uint32_t steps[] = {1, 3, 333, 777, MANY / 2 - 1};
    for (uint32_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct bench b;
        many_up(&b);
        comb(&b, steps[i]);
        assert_true(b.a->board.records > MANY - 20);
        const struct block same[3] = {of_segments(1, 1), of_segments(MANY / 2 + 1, 1), of_segments(MANY - 1, 1)};
        for (uint32_t k = 0; k < 100; k++) ack_within_bounds(&b, 0, same, 3);
        /* One that covers them all pays once, for what it fills. */
        const struct block all = of_segments(1, MANY - 1);
        ack_within_bounds(&b, 0, &all, 1);
        assert_int_equal(b.a->board.sacked, MANY - 1);
        for (uint32_t k = 0; k < 100; k++) ack_within_bounds(&b, 0, &all, 1);
        ack_within_bounds(&b, MANY * MSS, NULL, 0);
        assert_int_equal(b.a->board.records, 0);
        core_down(&b.k);
    }
}

/* Blocks that cover no segment from end to end mark nothing, and split nothing. */
static void slivers(void **state) {
    (void)state;
    struct bench b;
    many_up(&b);
    for (uint32_t i = 1; i + 2 < MANY; i++) {
        const struct block blocks[3] = {
            {i * MSS + 1, i * MSS + MSS}, {i * MSS + 1, (i + 2) * MSS - 1 - MSS}, {i * MSS + 500, i * MSS + 1500}};
        ack_within_bounds(&b, 0, blocks, 3);
    }
    assert_int_equal(b.a->board.records, 1);
    assert_int_equal(b.a->board.sacked, 0);
    core_down(&b.k);
}

/* Cumulative ACKs of a byte each, over a comb. */
static void byte_by_byte(void **state) {
    (void)state;
    struct bench b;
    many_up(&b);
    comb(&b, 333);
    for (uint32_t to = 1; to <= 5 * MSS; to++) ack_within_bounds(&b, to, NULL, 0);
    expect_sound(&b);
    core_down(&b.k);
}

static void any_blocks(void **state) {
    (void)state;
    struct bench b;
    many_up(&b);
    uint64_t random = 11477;
    uint32_t acked = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        struct block blocks[3];
        for (uint32_t k = 0; k < 3; k++) {
            blocks[k].left = acked + 1 + core_below(&random, MANY * MSS - acked - 2);
            blocks[k].right = blocks[k].left + 1 + core_below(&random, core_below(&random, 50) == 0 ? 20000 : 2500);
        }
        if (core_below(&random, 50) == 0 && acked + 10 * MSS < MANY * MSS / 2) acked += core_below(&random, 3 * MSS);
        ack_within_bounds(&b, acked, blocks, 3);
        uint32_t id = core_below(&random, 3) == 0 ? scoreboard_next_lost(b.t, &b.a->board) : BK_NONE;
        if (id != BK_NONE) bench_resend(&b, u32_min(MSS, sent_text(sent_at_id(b.t, id))));
        bench_later(&b, core_below(&random, 100));
        if (i % 500 == 0) expect_sound(&b);
    }
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_finds_no_record),
        cmocka_unit_test(everything_arrives),
        cmocka_unit_test(combs),
        cmocka_unit_test(slivers),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(any_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
