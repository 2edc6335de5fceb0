/* What was sent and is not yet acknowledged: see scoreboard.h. */
#include "tcp/scoreboard.h"

#include "tcp/ack_news.h"
#include "tcp/connection.h"

struct sent_run *sent_at_id(const struct tcp *t, uint32_t id) {
    return pool_at(&t->base, &t->sent, id);
}

static struct tree_of runs_of(const struct tcp *t) {
    return (struct tree_of){&t->base, &t->sent, offsetof(struct sent_run, by_seq), offsetof(struct sent_run, seq)};
}
static struct tree_of lost_of(const struct tcp *t) {
    return (struct tree_of){&t->base, &t->sent, offsetof(struct sent_run, by_loss), offsetof(struct sent_run, seq)};
}

void scoreboard_init(struct scoreboard *b) {
    memset(b, 0, sizeof *b);
    tree_init(&b->runs);
    tree_init(&b->lost);
    list_init(&b->by_time);
}

uint32_t scoreboard_first(const struct tcp *t, const struct scoreboard *b) {
    if (BK_FAST && b->records <= 1) return b->runs.root;
    struct tree_of of = runs_of(t);
    return tree_first(&of, &b->runs);
}

uint32_t scoreboard_next_lost(const struct tcp *t, const struct scoreboard *b) {
    struct tree_of of = lost_of(t);
    return tree_first(&of, &b->lost);
}

uint32_t scoreboard_newest(const struct tcp *t, const struct scoreboard *b) {
    if (b->runs.root == BK_NONE) return BK_NONE;
    struct tree_of of = runs_of(t);
    /* All numbers lie within half of the space from the root's. */
    return tree_floor(&of, &b->runs, sent_at_id(t, b->runs.root)->seq + INT32_MAX);
}

uint32_t scoreboard_find(const struct tcp *t, const struct scoreboard *b, uint32_t seq) {
    struct tree_of of = runs_of(t);
    uint32_t id = tree_floor(&of, &b->runs, seq);
    BK_ASSERT(id != BK_NONE, "records tile what is outstanding");
    return id;
}

/* ---- one record ------------------------------------------------------------------------------------ */

/* Adds a record's part to the sums; negative amounts, modulo 2^32, take it off. */
static void count(struct scoreboard *b, uint8_t flags, uint32_t bytes, uint32_t segments) {
    b->bytes += bytes;
    b->segments += segments;
    if (flags & SENT_SACKED) {
        b->sacked_bytes += bytes;
        b->sacked += segments;
    }
    if (flags & SENT_LOST) {
        b->lost_bytes += bytes;
        b->lost_segments += segments;
        if (flags & SENT_MTU_PROBE) b->excused += segments;
    }
    if (flags & SENT_RESENT) {
        b->resent_bytes += bytes;
        b->resent += segments;
    }
}
static void count_in(struct scoreboard *b, const struct sent_run *r) {
    count(b, r->flags, sent_text(r), r->segments);
}
static void count_out(struct scoreboard *b, const struct sent_run *r) {
    count(b, r->flags, 0 - sent_text(r), 0 - r->segments);
}

static bool waits(uint8_t flags) {
    return (flags & SENT_LOST) && !(flags & SENT_RESENT);
}

/* Changes a record's flags, and with them where it stands. */
static void run_mark(struct tcp *t, struct scoreboard *b, uint32_t id, uint8_t flags) {
    struct sent_run *r = sent_at_id(t, id);
    struct tree_of lost = lost_of(t);
    uint8_t before = r->flags;
    b->visits++;
    count_out(b, r);
    r->flags = flags;
    count_in(b, r);
    if (sent_in_flight(before) && !sent_in_flight(flags))
        list_remove(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
    if (!sent_in_flight(before) && sent_in_flight(flags))
        list_push_tail(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
    if (waits(before) && !waits(flags)) tree_remove(&lost, &b->lost, id);
    if (!waits(before) && waits(flags)) tree_insert(&lost, &b->lost, id);
}

/* How many segments the record is from `seq` on: at least one, for a FIN alone is one. */
static uint32_t segments_from(const struct sent_run *r, uint32_t seq) {
    uint32_t text = r->end - seq - ((r->flags & SENT_FIN) != 0);
    return text <= r->mss ? 1 : (text + r->mss - 1) / r->mss;
}
static uint32_t segments_of(const struct sent_run *r) {
    return segments_from(r, r->seq);
}

/* The record ends at `end` from now on, and is counted in segments of `mss`. */
static void run_cut(struct scoreboard *b, struct sent_run *r, uint32_t end, uint16_t mss, bool fin) {
    count_out(b, r);
    r->end = end;
    r->mss = mss;
    if (fin) r->flags |= SENT_FIN;
    r->segments = segments_of(r);
    count_in(b, r);
}

bool scoreboard_has_room(const struct tcp *t, const struct scoreboard *b) {
    return b->records == 0 || t->sent_shared < t->base.config.sent_records;
}

static uint32_t run_alloc(struct tcp *t, struct scoreboard *b) {
    if (!scoreboard_has_room(t, b)) {
        reason_count(&t->base, BK_REASON_NOTE_SENT_RECORDS);
        return BK_NONE;
    }
    uint32_t id = pool_alloc(&t->base, &t->sent);
    BK_ASSERT(id != BK_NONE, "there is a record for each active record beside those that all share");
    if (b->records++ != 0) t->sent_shared++;
    link_init(&sent_at_id(t, id)->time_link);
    return id;
}

static void run_free(struct tcp *t, struct scoreboard *b, uint32_t id) {
    struct tree_of runs = runs_of(t), lost = lost_of(t);
    struct sent_run *r = sent_at_id(t, id);
    b->visits++;
    count_out(b, r);
    tree_remove(&runs, &b->runs, id);
    if (waits(r->flags)) tree_remove(&lost, &b->lost, id);
    if (link_in(&r->time_link)) list_remove(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
    if (--b->records != 0) t->sent_shared--;
    pool_free(&t->base, &t->sent, id);
}

/* Splits record `id` in front of `seq`, which is at a multiple of its MSS and within it; the rear part, returned, is like it in all else. BK_NONE: there
 * is no record for it. */
static uint32_t run_split(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t seq) {
    uint32_t rear_id = run_alloc(t, b);
    if (rear_id == BK_NONE) return BK_NONE;
    struct tree_of runs = runs_of(t), lost = lost_of(t);
    struct sent_run *r = sent_at_id(t, id), *rear = sent_at_id(t, rear_id);
    uint32_t front = (seq - r->seq) / r->mss;
    b->visits++;
    count_out(b, r);
    *rear = *r;
    link_init(&rear->time_link);
    rear->seq = seq;
    rear->segments = r->segments - front;
    r->end = seq;
    r->segments = front;
    r->flags &= (uint8_t)~SENT_FIN;
    count_in(b, r);
    count_in(b, rear);
    tree_insert(&runs, &b->runs, rear_id);
    if (waits(rear->flags)) tree_insert(&lost, &b->lost, rear_id);
    if (sent_in_flight(rear->flags)) list_insert_after(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id, rear_id);
    return rear_id;
}

void scoreboard_clear(struct tcp *t, struct scoreboard *b) {
    while (b->records != 0) run_free(t, b, b->runs.root);
    scoreboard_init(b);
}

/* ---- sending --------------------------------------------------------------------------------------- */

/* There is no record for what was sent: the newest takes it in, and what was known of that one is forgotten. */
static uint32_t run_grow(struct tcp *t, struct scoreboard *b, uint32_t end, bool fin) {
    uint32_t id = scoreboard_newest(t, b);
    struct sent_run *r = sent_at_id(t, id);
    run_mark(t, b, id, SENT_COARSE | SENT_EVER_RESENT);
    list_move_tail(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
    run_cut(b, r, end, r->mss, fin);
    r->sent_at = t->base.now;
    return id;
}

uint32_t scoreboard_append(struct tcp *t, struct scoreboard *b, uint32_t seq, uint32_t length, bool fin, uint16_t mss) {
    uint32_t id = run_alloc(t, b);
    if (id == BK_NONE) return run_grow(t, b, seq + length + fin, fin);
    struct tree_of runs = runs_of(t);
    struct sent_run *r = sent_at_id(t, id);
    r->seq = seq;
    r->end = seq + length + fin;
    r->mss = mss;
    r->flags = fin ? SENT_FIN : 0;
    r->segments = segments_of(r);
    r->sent_at = t->base.now;
    count_in(b, r);
    tree_insert(&runs, &b->runs, id);
    list_push_tail(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
    return id;
}

uint32_t scoreboard_resend(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t end, uint16_t mss) {
    struct sent_run *r = sent_at_id(t, id);
    run_cut(b, r, r->end, mss, false);
    uint8_t flags = SENT_RESENT | SENT_EVER_RESENT;
    if (end != r->end) {
        bool whole_segments = (end - r->seq) % mss == 0 && (end - r->seq) / mss < r->segments;
        /* Without a record for what stays behind, all of it counts as sent, until an ACK of what was shows that it was not. */
        if (!whole_segments || run_split(t, b, id, end) == BK_NONE) flags |= SENT_COARSE;
    }
    flags |= r->flags;
    /* The loss of a probe is mended, and forgotten: from here on it is a segment like others. */
    if (flags & SENT_MTU_PROBE) flags &= (uint8_t) ~(SENT_MTU_PROBE | SENT_LOST | SENT_RESENT);
    bool in_flight = sent_in_flight(r->flags);
    run_mark(t, b, id, flags);
    if (in_flight) list_move_tail(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
    r->sent_at = t->base.now;
    return id;
}

void scoreboard_accuse(struct tcp *t, struct scoreboard *b, uint32_t id) {
    run_mark(t, b, id, sent_at_id(t, id)->flags & (uint8_t)~SENT_MTU_PROBE);
}

void scoreboard_extend(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t end, bool fin) {
    struct sent_run *r = sent_at_id(t, id);
    r->flags &= (uint8_t)~SENT_PROBE;
    run_cut(b, r, end, r->mss, fin);
}

uint32_t scoreboard_first_segment(struct tcp *t, struct scoreboard *b) {
    uint32_t id = scoreboard_first(t, b);
    if (id == BK_NONE) return BK_NONE;
    const struct sent_run *r = sent_at_id(t, id);
    if (r->segments > 1 && sent_in_flight(r->flags)) run_split(t, b, id, r->seq + r->mss);
    return id;
}

uint32_t scoreboard_last_segment(struct tcp *t, struct scoreboard *b) {
    uint32_t id = scoreboard_newest(t, b);
    if (id == BK_NONE) return BK_NONE;
    const struct sent_run *r = sent_at_id(t, id);
    if (r->segments == 1 || (r->flags & (SENT_SACKED | SENT_COARSE))) return id;
    uint32_t last = run_split(t, b, id, r->seq + (r->segments - 1) * r->mss);
    return last == BK_NONE ? id : last;
}

/* ---- acknowledgments ------------------------------------------------------------------------------- */

/* The front of a record is acknowledged, and the rest stays. */
static void run_trim(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t ack) {
    struct sent_run *r = sent_at_id(t, id);
    count_out(b, r);
    r->seq = ack; /* it stays the first: both trees may keep it where it is */
    r->segments = u32_min(r->segments, segments_of(r));
    count_in(b, r);
    /* What was sent of a coarse one has arrived, the rest waits for its turn. */
    if ((r->flags & SENT_COARSE) && (r->flags & SENT_RESENT)) run_mark(t, b, id, r->flags & (uint8_t)~SENT_RESENT);
}

/* Segments of the record that an ACK up to `ack` covers: the one that it ends within counts with the rest. */
static uint32_t segments_covered(const struct sent_run *r, uint32_t ack) {
    return seq_le(r->end, ack) ? r->segments : r->segments - u32_min(r->segments, segments_from(r, ack));
}

uint32_t scoreboard_acked_front(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t ack) {
    const struct sent_run *r = sent_at_id(t, id);
    uint32_t segments = segments_covered(r, ack);
    b->visits++;
    if (seq_le(r->end, ack))
        run_free(t, b, id);
    else
        run_trim(t, b, id, ack);
    return segments;
}

void scoreboard_acked(struct tcp *t, struct scoreboard *b, uint32_t ack, struct ack_news *n) {
    for (;;) {
        uint32_t id = scoreboard_first(t, b);
        if (id == BK_NONE) return;
        const struct sent_run *r = sent_at_id(t, id);
        if (seq_ge(r->seq, ack)) return;
        bool whole = seq_le(r->end, ack);
        const struct ack_piece piece = {r, r->seq, seq_min(ack, r->end), segments_covered(r, ack), false};
        ack_news_acked(n, &piece);
        scoreboard_acked_front(t, b, id, ack);
        if (!whole) return;
    }
}

static bool is_sacked(const struct tcp *t, uint32_t id) {
    return id != BK_NONE && (sent_at_id(t, id)->flags & SENT_SACKED);
}

/* Two adjacent SACKed records become one. */
static void run_merge(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t next) {
    struct sent_run *r = sent_at_id(t, id), *rear = sent_at_id(t, next);
    struct sent_run copy = *rear;
    run_free(t, b, next);
    count_out(b, r);
    r->end = copy.end;
    r->segments += copy.segments;
    r->flags |= copy.flags & SENT_FIN;
    count_in(b, r);
}

/* `segments` segments of text and FIN at the border of two adjacent records change over: the border moves to `seq`. */
static void border_move(struct scoreboard *b, struct sent_run *front, struct sent_run *rear, uint32_t seq,
                        uint32_t front_segments, uint32_t rear_segments) {
    count_out(b, front);
    count_out(b, rear);
    front->end = rear->seq = seq;
    front->segments = front_segments;
    rear->segments = rear_segments;
    count_in(b, front);
    count_in(b, rear);
}

/* The part [from, to) of a record that is not SACKed is SACKed now. */
static void sack_piece(struct tcp *t, struct scoreboard *b, uint32_t id, uint32_t from, uint32_t to,
                       struct ack_news *n) {
    struct tree_of runs = runs_of(t);
    struct sent_run *r = sent_at_id(t, id);
    /* Only segments that are covered from end to end count, a FIN included. */
    uint32_t first = (from - r->seq + r->mss - 1) / r->mss;
    uint32_t last = to == r->end ? r->segments : u32_min((to - r->seq) / r->mss, r->segments - 1);
    if (first >= last) return;
    bool head = first == 0, tail = last == r->segments;
    from = r->seq + first * r->mss;
    to = tail ? r->end : r->seq + last * r->mss;
    struct sent_run before = *r;
    const struct ack_piece piece = {&before, from, to, last - first, true};
    uint32_t prev = head ? tree_prev(&runs, id) : BK_NONE, next = tail ? tree_next(&runs, id) : BK_NONE;
    if (head && !tail && is_sacked(t, prev)) {
        struct sent_run *p = sent_at_id(t, prev);
        border_move(b, p, r, to, p->segments + piece.segments, r->segments - piece.segments);
    } else if (tail && !head && is_sacked(t, next)) {
        struct sent_run *p = sent_at_id(t, next);
        border_move(b, r, p, from, r->segments - piece.segments, p->segments + piece.segments);
    } else {
        if (!tail && run_split(t, b, id, to) == BK_NONE) return;
        if (!head && (id = run_split(t, b, id, from)) == BK_NONE) return;
        run_mark(t, b, id,
                 (sent_at_id(t, id)->flags & (uint8_t) ~(SENT_LOST | SENT_RESENT | SENT_COARSE)) | SENT_SACKED);
        if (is_sacked(t, next)) run_merge(t, b, id, next);
        if (is_sacked(t, prev)) run_merge(t, b, prev, id);
    }
    ack_news_acked(n, &piece);
}

void scoreboard_sacked(struct tcp *t, struct scoreboard *b, uint32_t left, uint32_t right, struct ack_news *n) {
    if (b->records == 0) return;
    struct tree_of runs = runs_of(t);
    right = seq_min(right, sent_at_id(t, scoreboard_newest(t, b))->end);
    for (uint32_t at = left; seq_lt(at, right);) {
        uint32_t id = tree_floor(&runs, &b->runs, at);
        BK_ASSERT(id != BK_NONE, "records tile what is outstanding");
        const struct sent_run *r = sent_at_id(t, id);
        uint32_t end = r->end;
        b->visits++;
        if (!(r->flags & SENT_SACKED)) sack_piece(t, b, id, at, seq_min(right, end), n);
        at = end;
    }
}

/* ---- loss ------------------------------------------------------------------------------------------ */

void scoreboard_lose(struct tcp *t, struct scoreboard *b, uint32_t id) {
    const struct sent_run *r = sent_at_id(t, id);
    uint8_t flags = r->flags;
    b->lost_total += u32_max(sent_text(r), 1);
    if (flags & SENT_RESENT) b->lost_again_total += u32_max(sent_text(r), 1);
    run_mark(t, b, id, (flags & (uint8_t)~SENT_RESENT) | SENT_LOST);
}

void scoreboard_lose_all(struct tcp *t, struct scoreboard *b) {
    while (b->by_time.head != BK_NONE) scoreboard_lose(t, b, b->by_time.head);
}

void scoreboard_find_again(struct tcp *t, struct scoreboard *b, uint32_t most) {
    struct tree_of lost = lost_of(t);
    /* What went again left last. */
    for (uint32_t id = b->by_time.tail, n = 0; id != BK_NONE && n < most; n++) {
        const struct sent_run *r = sent_at_id(t, id);
        uint32_t before = r->time_link.prev;
        b->visits++;
        if (r->flags & SENT_LOST) run_mark(t, b, id, r->flags & (uint8_t)~SENT_LOST);
        id = before;
    }
    if (b->lost.root == BK_NONE) return;
    uint32_t id = tree_floor(&lost, &b->lost, sent_at_id(t, b->lost.root)->seq + INT32_MAX);
    /* They left before what is in flight, in the order of their numbers for the most part: to the front, the last one first. */
    for (; id != BK_NONE && most != 0; most--) {
        uint32_t before = tree_prev(&lost, id);
        run_mark(t, b, id, sent_at_id(t, id)->flags & (uint8_t)~SENT_LOST);
        list_remove(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
        list_push_head(&t->base, &t->sent, SENT_TIME_LINK, &b->by_time, id);
        id = before;
    }
}

void scoreboard_renege(struct tcp *t, struct scoreboard *b) {
    struct tree_of runs = runs_of(t);
    for (uint32_t id = scoreboard_first(t, b); id != BK_NONE; id = tree_next(&runs, id)) {
        struct sent_run *r = sent_at_id(t, id);
        if (!(r->flags & SENT_SACKED)) continue;
        run_mark(t, b, id, (r->flags & SENT_FIN) | SENT_EVER_RESENT | SENT_COARSE);
        run_cut(b, r, r->end, r->mss, false);
    }
}
