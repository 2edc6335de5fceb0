/* Shows that the scoreboard tells the same as a plain list of segments, whatever is sent, SACKed, acknowledged and lost; that where records
 * are spent it tells less, but nothing wrong; and that an ACK costs no more than it says. */
#include "recovery_bench.h"

#include "lab/audit_scoreboard.h"

static void expect_sound(const struct bench *b) {
    struct fault fault = {0};
    if (!audit_scoreboard(b->t, b->c, &fault)) fail_msg("%s", fault.text);
}

/* A connection with nothing outstanding, whose next number is `seq`. */
static void bench_empty(struct bench *b, uint32_t seq) {
    scoreboard_clear(b->t, &b->a->board);
    b->c->snd_una = b->c->snd_nxt = b->c->snd_end = seq;
    b->c->recover = b->c->iss = seq - 1;
    rack_init(&b->a->rack, seq);
}

static void bench_up_records(struct bench *b, uint32_t records) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.sent_records = records;
    config.congestion = BK_CONGESTION_NEWRENO;
    bench_up_with(b, true, &config);
    bench_empty(b, BASE);
}

static void bench_append(struct bench *b, uint32_t octets, bool fin, uint16_t mss) {
    scoreboard_append(b->t, &b->a->board, b->c->snd_nxt, octets, fin, mss);
    b->c->snd_nxt += octets + fin;
    b->c->snd_end = b->c->snd_nxt - fin;
}

static const struct ack_news *bench_news(struct bench *b, struct ack_news *n) {
    static const struct wire_tcp_options none;
    ack_news_begin(n, b->t, b->c, &none);
    return n;
}

/* ---- the model ------------------------------------------------------------------------------------- */

struct segment_model {
    uint32_t seq, end;
    uint64_t sent_at;
    bool fin, sacked, lost, resent;
};

#define SEGMENTS 400u

struct model {
    struct bench b;
    uint64_t random;
    struct segment_model s[SEGMENTS];
    uint32_t count;
    uint32_t lost_total, lost_again_total;
    bool fin;
    bool ordered; /* nothing was found again since the board was empty: the list by time is one by sent_at */
};

static uint32_t text_of(const struct segment_model *s) {
    return s->end - s->seq - s->fin;
}

static void model_send(struct model *m) {
    static const uint16_t sizes[] = {100, 536, 1000, 1460};
    uint16_t mss = sizes[core_below(&m->random, 4)];
    uint32_t octets = 1 + core_below(&m->random, 6u * mss);
    if (core_below(&m->random, 3) == 0) octets = mss * (1 + core_below(&m->random, 5));
    if (m->fin || m->count + 8 > SEGMENTS) return;
    m->fin = core_below(&m->random, 200) == 0;
    if (m->fin && core_below(&m->random, 3) == 0) octets = 0;
    uint32_t at = m->b.c->snd_nxt;
    bench_append(&m->b, octets, m->fin, mss);
    do {
        uint32_t n = u32_min(octets, mss);
        m->s[m->count++] = (struct segment_model){.seq = at, .end = at + n, .sent_at = m->b.t->base.now};
        at += n;
        octets -= n;
    } while (octets != 0);
    m->s[m->count - 1].end += m->fin;
    m->s[m->count - 1].fin = m->fin;
}

/* A block from anywhere to anywhere behind SND.UNA. Segments count that it covers from end to end. */
static void model_sack(struct model *m) {
    struct connection *c = m->b.c;
    if (connection_outstanding(c) < 2) return;
    uint32_t left = c->snd_una + 1 + core_below(&m->random, connection_outstanding(c) - 1);
    uint32_t most = core_below(&m->random, 2) ? connection_outstanding(c) : 5000;
    uint32_t right = seq_min(left + 1 + core_below(&m->random, most), c->snd_nxt);
    if (m->fin && seq_lt(left, c->snd_nxt - 1) && core_below(&m->random, 2))
        right = c->snd_nxt - 1; /* all but the FIN */
    struct ack_news n;
    bench_news(&m->b, &n);
    scoreboard_sacked(m->b.t, &m->b.a->board, left, right, &n);
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct segment_model *s = &m->s[i];
        if (s->sacked || seq_lt(s->seq, left) || seq_gt(s->end, right)) continue;
        s->sacked = true;
        s->lost = s->resent = false;
        delivered += text_of(s);
    }
    assert_int_equal(n.delivered, delivered);
}

/* As an honest receiver acknowledges: to the end of a segment, and all that it has SACKed behind that. */
static void model_ack(struct model *m) {
    if (m->count == 0) return;
    uint32_t gone = 1 + core_below(&m->random, m->count);
    if (core_below(&m->random, 4)) gone = u32_min(gone, 6);
    while (gone < m->count && m->s[gone].sacked) gone++;
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < gone; i++)
        if (!m->s[i].sacked) delivered += text_of(&m->s[i]);
    uint32_t ack = m->s[gone - 1].end;
    struct ack_news n;
    bench_news(&m->b, &n);
    scoreboard_acked(m->b.t, &m->b.a->board, ack, &n);
    assert_int_equal(n.delivered, delivered);
    m->b.c->snd_una = ack;
    m->count -= gone;
    memmove(m->s, m->s + gone, m->count * sizeof m->s[0]);
}

static void lose(struct model *m, struct segment_model *s) {
    m->lost_total += u32_max(text_of(s), 1);
    if (s->resent) m->lost_again_total += u32_max(text_of(s), 1);
    s->lost = true;
    s->resent = false;
}

static void model_lose(struct model *m) {
    struct scoreboard *board = &m->b.a->board;
    if (m->count == 0) return;
    if (core_below(&m->random, 12) == 0) {
        scoreboard_lose_all(m->b.t, board);
        for (uint32_t i = 0; i < m->count; i++)
            if (!m->s[i].sacked && (!m->s[i].lost || m->s[i].resent)) lose(m, &m->s[i]);
        return;
    }
    uint32_t id = core_below(&m->random, 3) == 0
                      ? scoreboard_first_segment(m->b.t, board)
                      : scoreboard_find(m->b.t, board, m->s[core_below(&m->random, m->count)].seq);
    const struct sent_run *r = sent_at_id(m->b.t, id);
    if (!sent_in_flight(r->flags)) return;
    uint32_t from = r->seq, to = r->end;
    scoreboard_lose(m->b.t, board, id);
    for (uint32_t i = 0; i < m->count; i++)
        if (seq_ge(m->s[i].seq, from) && seq_le(m->s[i].end, to)) lose(m, &m->s[i]);
}

static void sent_again(struct model *m, uint32_t from, uint32_t to) {
    for (uint32_t i = 0; i < m->count; i++)
        if (seq_ge(m->s[i].seq, from) && seq_le(m->s[i].end, to)) {
            m->s[i].resent = true;
            m->s[i].sent_at = m->b.t->base.now;
        }
}

/* What waits, some segments of it or all; or the last segment, as a probe. */
static void model_resend(struct model *m) {
    struct scoreboard *board = &m->b.a->board;
    bool probe = core_below(&m->random, 8) == 0;
    uint32_t id = probe ? scoreboard_last_segment(m->b.t, board) : scoreboard_next_lost(m->b.t, board);
    if (id == BK_NONE) return;
    const struct sent_run *r = sent_at_id(m->b.t, id);
    if (probe && (r->flags & SENT_SACKED)) return;
    uint32_t n = 1 + core_below(&m->random, r->segments);
    uint32_t from = r->seq, to = n == r->segments ? r->end : r->seq + n * r->mss;
    assert_int_equal(scoreboard_resend(m->b.t, board, id, to, r->mss), id);
    assert_int_equal(sent_at_id(m->b.t, id)->end, to);
    sent_again(m, from, to);
}

static void model_find_again(struct model *m) {
    scoreboard_find_again(m->b.t, &m->b.a->board, UINT32_MAX);
    for (uint32_t i = 0; i < m->count; i++) m->s[i].lost = false;
    m->ordered = false;
}

/* Records are runs of the model's segments, alike in all that they tell. */
static void compare_runs(const struct model *m) {
    const struct tcp *t = m->b.t;
    struct tree_of of = {&t->base, &t->sent, offsetof(struct sent_run, by_seq), offsetof(struct sent_run, seq)};
    uint32_t i = 0;
    for (uint32_t id = scoreboard_first(t, &m->b.a->board); id != BK_NONE; id = tree_next(&of, id)) {
        const struct sent_run *r = sent_at_id(t, id);
        assert_true(i < m->count);
        assert_int_equal(r->seq, m->s[i].seq);
        assert_false(r->flags & SENT_COARSE);
        uint32_t segments = 0;
        for (; i < m->count && seq_lt(m->s[i].seq, r->end); i++, segments++) {
            assert_int_equal((r->flags & SENT_SACKED) != 0, m->s[i].sacked);
            assert_int_equal((r->flags & SENT_LOST) != 0, m->s[i].lost);
            assert_int_equal((r->flags & SENT_RESENT) != 0, m->s[i].resent);
            if (!m->s[i].sacked) assert_int_equal(r->sent_at, m->s[i].sent_at);
        }
        assert_int_equal(r->end, m->s[i - 1].end);
        assert_int_equal(r->segments, segments);
        assert_int_equal((r->flags & SENT_FIN) != 0, m->s[i - 1].fin);
    }
    assert_int_equal(i, m->count);
}

static void compare(const struct model *m) {
    const struct scoreboard *board = &m->b.a->board;
    struct scoreboard sum = {0};
    uint32_t next = BK_NONE, pipe = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct segment_model *s = &m->s[i];
        uint32_t n = text_of(s);
        sum.bytes += n;
        sum.segments++;
        sum.sacked_bytes += s->sacked ? n : 0;
        sum.sacked += s->sacked;
        sum.lost_bytes += s->lost ? n : 0;
        sum.lost_segments += s->lost;
        sum.resent_bytes += s->resent ? n : 0;
        sum.resent += s->resent;
        if (!s->sacked && !s->lost) pipe += n;
        if (s->resent) pipe += n;
        if (next == BK_NONE && s->lost && !s->resent) next = i;
    }
    assert_int_equal(board->bytes, sum.bytes);
    assert_int_equal(board->segments, sum.segments);
    assert_int_equal(board->sacked_bytes, sum.sacked_bytes);
    assert_int_equal(board->sacked, sum.sacked);
    assert_int_equal(board->lost_bytes, sum.lost_bytes);
    assert_int_equal(board->lost_segments, sum.lost_segments);
    assert_int_equal(board->resent_bytes, sum.resent_bytes);
    assert_int_equal(board->resent, sum.resent);
    assert_int_equal(board->lost_total, m->lost_total);
    assert_int_equal(board->lost_again_total, m->lost_again_total);
    assert_int_equal(pipe_of(&m->b), pipe);
    assert_true(board->records <= m->count);
    uint32_t id = scoreboard_next_lost(m->b.t, board);
    assert_int_equal(id == BK_NONE, next == BK_NONE);
    if (id != BK_NONE) assert_int_equal(sent_at_id(m->b.t, id)->seq, m->s[next].seq);
    uint64_t last = 0;
    for (id = board->by_time.head; m->ordered && id != BK_NONE; id = sent_at_id(m->b.t, id)->time_link.next) {
        assert_true(sent_at_id(m->b.t, id)->sent_at >= last);
        last = sent_at_id(m->b.t, id)->sent_at;
    }
    compare_runs(m);
    expect_sound(&m->b);
}

static void against_the_model(void **state) {
    (void)state;
    static struct model m;
    memset(&m, 0, sizeof m);
    m.random = 6675;
    bench_up_records(&m.b, 2 * SEGMENTS);
    m.lost_total = m.b.a->board.lost_total;
    uint32_t rounds = 0, filled = 0;
    for (uint32_t step = 0; step < 60000; step++) {
        if (m.count == 0) { /* anew, and close to the wrap */
            bench_empty(&m.b, UINT32_MAX - core_below(&m.random, 100000));
            m.lost_total = m.lost_again_total = 0;
            m.fin = false;
            m.ordered = true;
            rounds++;
        }
        filled = u32_max(filled, m.count);
        bench_later(&m.b, core_below(&m.random, 3) * 1000);
        switch (core_below(&m.random, 16)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            model_send(&m);
            break;
        case 5:
        case 6:
        case 7:
            model_sack(&m);
            break;
        case 8:
        case 9:
            model_ack(&m);
            break;
        case 10:
        case 11:
            model_lose(&m);
            break;
        case 12:
        case 13:
        case 14:
            model_resend(&m);
            break;
        default:
            if (core_below(&m.random, 20) == 0) model_find_again(&m);
        }
        compare(&m);
    }
    assert_true(rounds > 50);
    assert_true(filled > 60);
    assert_int_equal(m.b.t->base.reasons[BK_REASON_NOTE_SENT_RECORDS], 0);
    core_down(&m.b.k);
}

/* A SACK block that ends before our FIN does not say that the FIN has arrived, however full its segment is. */
static void a_fin_that_is_not_sacked(void **state) {
    (void)state;
    struct bench b;
    bench_up_records(&b, 100);
    bench_append(&b, 3000, true, MSS);
    struct ack_news n;
    bench_news(&b, &n);
    scoreboard_sacked(b.t, &b.a->board, BASE + 1000, BASE + 3000, &n);
    assert_int_equal(n.delivered, 1000);
    expect_segments(&b, 1, 0, 0);
    expect_sound(&b);
    scoreboard_sacked(b.t, &b.a->board, BASE + 1000, BASE + 3001, &n);
    assert_int_equal(n.delivered, 2000);
    expect_segments(&b, 2, 0, 0);
    expect_sound(&b);
    core_down(&b.k);
}

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
        cmocka_unit_test(against_the_model),
        cmocka_unit_test(a_fin_that_is_not_sacked),
        cmocka_unit_test(what_finds_no_record),
        cmocka_unit_test(everything_arrives),
        cmocka_unit_test(combs),
        cmocka_unit_test(slivers),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(any_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
