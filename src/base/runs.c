/* Out-of-order data: see runs.h. */
#include "base/runs.h"

#include "base/extent_internal.h"
#include "base/seq.h"

struct tree_of runs_tree(const struct base *b) {
    return (struct tree_of){b, &b->extents, offsetof(struct extent, node), offsetof(struct extent, seq)};
}

void runs_init(struct runs *r) {
    extent_queue_init(&r->queue);
    tree_init(&r->tree);
    r->count = 0;
}

void runs_clear(struct base *b, struct runs *r) {
    extent_queue_clear(b, &r->queue);
    tree_init(&r->tree);
    r->count = 0;
}

/* ---- looking --------------------------------------------------------------------------------------- */

uint32_t runs_first(const struct runs *r) {
    return r->queue.head;
}

uint32_t runs_next(const struct base *b, uint32_t run) {
    return extent_at(b, extent_at(b, run)->link)->next;
}

struct span runs_span(const struct base *b, uint32_t run) {
    const struct extent *e = extent_at(b, run);
    return (struct span){e->seq, extent_end(extent_at(b, e->link))};
}

/* The last run that begins at or before `seq`, or BK_NONE. */
static uint32_t run_floor(const struct base *b, const struct runs *r, uint32_t seq) {
    struct tree_of of = runs_tree(b);
    if (BK_FAST) return tree_floor(&of, &r->tree, seq);
    uint32_t best = BK_NONE;
    for (uint32_t run = r->queue.head; run != BK_NONE && seq_le(extent_at(b, run)->seq, seq); run = runs_next(b, run))
        best = run;
    return best;
}

struct span runs_find(const struct base *b, const struct runs *r, uint32_t seq) {
    uint32_t run = run_floor(b, r, seq);
    if (run != BK_NONE) {
        struct span s = runs_span(b, run);
        if (seq_lt(seq, s.right)) return s;
    }
    return (struct span){seq, seq};
}

/* ---- runs in the making ---------------------------------------------------------------------------- */

/* Where data is being kept: at the end of a run, or between two. */
struct place {
    uint32_t run;  /* BK_NONE: a new one is to begin behind `prev` */
    uint32_t prev; /* the extent before, the last one of `run` if that is known; BK_NONE: none */
};

/* Links an extent behind the place, and moves the place behind it. */
static void run_link(struct base *b, struct runs *r, struct place *at, uint32_t id) {
    struct extent *e = extent_at(b, id);
    struct extent_queue *q = &r->queue;
    uint32_t *before = at->prev == BK_NONE ? &q->head : &extent_at(b, at->prev)->next;
    e->next = *before;
    *before = id;
    if (e->next == BK_NONE) q->tail = id;
    q->bytes += e->length;
    q->count++;
    if (at->run == BK_NONE) {
        struct tree_of of = runs_tree(b);
        e->link = at->run = id;
        tree_insert(&of, &r->tree, id);
        r->count++;
    } else {
        e->link = at->prev;
        extent_at(b, at->run)->link = id;
    }
    at->prev = id;
}

/* The run behind the place begins where the place is: they are one from now on. */
static void run_merge(struct base *b, struct runs *r, struct place *at, uint32_t next) {
    struct tree_of of = runs_tree(b);
    uint32_t last = extent_at(b, next)->link;
    tree_remove(&of, &r->tree, next);
    r->count--;
    extent_at(b, next)->link = at->prev;
    extent_at(b, at->run)->link = at->prev = last;
}

/* A small piece joins the extent that it continues, if that one's chunk is ours alone and has room. */
static bool run_join(struct base *b, struct runs *r, const struct place *at, const struct bk_part *part) {
    if (at->run == BK_NONE || !extent_is_small(b, part->length)) return false;
    struct extent *e = extent_at(b, at->prev);
    uint32_t end = (uint32_t)e->offset + e->length;
    if (chunk_references(b, e->chunk) != 1 || end + part->length > extent_chunk_bytes(b)) return false;
    memcpy(chunk_data(b, e->chunk) + end, chunk_data(b, part->chunk) + part->offset, part->length);
    e->length = (uint16_t)(e->length + part->length);
    r->queue.bytes += part->length;
    return true;
}

/* An extent for a piece: copied where that is the cheaper way to hold it, by reference otherwise. BK_NONE at a bound. */
static uint32_t run_extent(struct base *b, const struct runs *r, uint32_t seq, const struct bk_part *part) {
    if (!extent_is_small(b, part->length)) return extent_refer(b, &r->queue, seq, part);
    uint32_t id = extent_new_chunk(b, &r->queue, seq, part->length);
    if (id == BK_NONE) return BK_NONE;
    const struct extent *e = extent_at(b, id);
    memcpy(chunk_data(b, e->chunk), chunk_data(b, part->chunk) + part->offset, part->length);
    return id;
}

/* Keeps packet bytes [offset, offset + n), numbered from seq and known to lie in a gap, at the place. False at a bound: what was kept
 * until then stays, for it is good data. */
static bool run_extend(struct base *b, struct runs *r, struct place *at, uint32_t seq, const struct packet *p,
                       uint32_t offset, uint32_t n, uint32_t max) {
    struct packet_walk w = packet_walk(p, offset, n);
    while (w.left != 0) {
        uint32_t number = seq + (n - w.left);
        struct bk_part piece = packet_walk_next(&w);
        if (piece.length == 0 || run_join(b, r, at, &piece)) continue;
        uint32_t id = r->queue.count < max ? run_extent(b, r, number, &piece) : BK_NONE;
        if (id == BK_NONE) return false;
        run_link(b, r, at, id);
    }
    return true;
}

/* ---- what is done with them ------------------------------------------------------------------------ */

int runs_insert(struct base *b, struct runs *r, uint32_t seq, const struct packet *p, uint32_t offset, uint32_t n,
                uint32_t max, struct span *known) {
    uint32_t end = seq + n, before = r->queue.bytes;
    uint32_t run = run_floor(b, r, seq);
    struct place at = {run, run == BK_NONE ? BK_NONE : extent_at(b, run)->link};
    if (run != BK_NONE && seq_lt(extent_end(extent_at(b, at.prev)), seq)) at.run = BK_NONE;
    *known = (struct span){seq, seq};
    for (;;) {
        /* A run that reaches up to seq is the place, and what it holds is known. */
        if (at.run != BK_NONE) {
            uint32_t held = seq_min(end, extent_end(extent_at(b, at.prev)));
            if (seq_lt(seq, held)) {
                if (known->left == known->right) *known = (struct span){seq, held};
                offset += held - seq;
                seq = held;
            }
        }
        uint32_t next = at.prev == BK_NONE ? r->queue.head : extent_at(b, at.prev)->next;
        uint32_t gap_end = next == BK_NONE ? end : seq_min(end, extent_at(b, next)->seq);
        if (seq_lt(seq, gap_end)) {
            if (!run_extend(b, r, &at, seq, p, offset, gap_end - seq, max)) return r->queue.bytes != before ? 1 : -1;
            offset += gap_end - seq;
            seq = gap_end;
        }
        if (next == BK_NONE || extent_at(b, next)->seq != extent_end(extent_at(b, at.prev))) break;
        run_merge(b, r, &at, next);
    }
    return r->queue.bytes != before ? 1 : 0;
}

uint32_t runs_splice(struct base *b, struct extent_queue *to, struct runs *r, uint32_t seq, struct span *known) {
    struct tree_of of = runs_tree(b);
    struct extent_queue *from = &r->queue;
    *known = (struct span){seq, seq};
    uint32_t begin = seq;
    while (from->head != BK_NONE && seq_le(extent_at(b, from->head)->seq, seq)) {
        uint32_t run = from->head, last = extent_at(b, run)->link;
        struct span s = runs_span(b, run);
        if (known->left == known->right && seq_lt(s.left, begin))
            *known = (struct span){s.left, seq_min(s.right, begin)};
        tree_remove(&of, &r->tree, run);
        r->count--;
        for (uint32_t id = BK_NONE; id != last;) {
            id = from->head;
            struct extent *e = extent_at(b, id);
            if (seq_le(extent_end(e), seq)) {
                extent_queue_pop_head(b, from);
                continue;
            }
            uint32_t had = seq - e->seq;
            from->head = e->next;
            if (from->head == BK_NONE) from->tail = BK_NONE;
            from->bytes -= e->length;
            from->count--;
            e->offset = (uint16_t)(e->offset + had);
            e->length = (uint16_t)(e->length - had);
            e->seq = seq;
            seq = extent_end(e);
            extent_queue_link_tail(b, to, id);
        }
    }
    return seq;
}

uint32_t runs_drop_last(struct base *b, struct runs *r) {
    BK_ASSERT(r->queue.tail != BK_NONE, "something is dropped only where something is");
    struct tree_of of = runs_tree(b);
    struct extent_queue *q = &r->queue;
    uint32_t id = q->tail, seq = extent_at(b, id)->seq, run = run_floor(b, r, seq);
    if (run == id) {
        uint32_t before = tree_prev(&of, run);
        tree_remove(&of, &r->tree, run);
        r->count--;
        q->tail = before == BK_NONE ? BK_NONE : extent_at(b, before)->link;
    } else {
        q->tail = extent_at(b, run)->link = extent_at(b, id)->link;
    }
    if (q->tail == BK_NONE)
        q->head = BK_NONE;
    else
        extent_at(b, q->tail)->next = BK_NONE;
    q->bytes -= extent_at(b, id)->length;
    q->count--;
    extent_free(b, id);
    return seq;
}
