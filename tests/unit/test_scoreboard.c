/* Shows that the scoreboard tells the same as a plain list of segments, whatever is sent, SACKed, acknowledged and lost. */
#include "scoreboard_bench.h"

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

/* Segments count as delivered once each, wherever ACKs end: within one, or between the text of a full one and our FIN. */
static void delivered_once(void **state) {
    (void)state;
    static const uint32_t ends[][6] = {
        {1000, 2000, 3000, 3001}, /* the FIN of a full segment by itself */
        {3001},
        {500, 1000, 1001, 2500, 3000, 3001},
        {1500, 1900, 2000, 2100, 3001},
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct bench b;
        bench_up_records(&b, 100);
        bench_append(&b, 3000, true, MSS);
        for (size_t k = 0; k < 6 && ends[i][k] != 0; k++) {
            struct ack_news n;
            bench_news(&b, &n);
            scoreboard_acked(b.t, &b.a->board, BASE + ends[i][k], &n);
            b.c->snd_una = BASE + ends[i][k];
            assert_int_equal(b.c->delivered_segments + b.a->board.segments, 3);
        }
        assert_int_equal(b.c->delivered_segments, 3);
        core_down(&b.k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_the_model),
        cmocka_unit_test(a_fin_that_is_not_sacked),
        cmocka_unit_test(delivered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
