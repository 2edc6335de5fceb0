/* Queues of bytes in chunks: see extent.h.
 *
 * A chunk is written to only by the queue that allocated it for copies, at its tail extent, and only while it holds
 * the chunk's single reference: so bytes that a frame or another queue refers to never change.
 */
#include "base/extent_internal.h"
#include "base/seq.h"

void extent_queue_init(struct extent_queue *q) {
    q->head = q->tail = BK_NONE;
    q->bytes = q->count = 0;
    q->limit = UINT32_MAX;
}

/* Whether the budget, and what the queue may have of it, allow another chunk. */
static bool budget_left(const struct base *b, const struct extent_queue *q) {
    return b->buffer_chunks_used < u32_min(b->config.buffer_chunks, q->limit);
}

/* A new extent that takes over a reference to the part's chunk, not yet linked; BK_NONE at a bound. */
static inline uint32_t extent_take(struct base *b, const struct extent_queue *q, uint32_t seq,
                                   const struct bk_part *part) {
    if (!budget_left(b, q)) return BK_NONE;
    uint32_t id = pool_alloc(b, &b->extents);
    if (id == BK_NONE) return BK_NONE;
    b->buffer_chunks_used++;
    *extent_at(b, id) = (struct extent){
        .next = BK_NONE, .chunk = part->chunk, .seq = seq, .offset = part->offset, .length = part->length};
    return id;
}

static inline void extent_give(struct base *b, uint32_t id, const struct extent *e) {
    chunk_release(b, e->chunk);
    b->buffer_chunks_used--;
    pool_free(b, &b->extents, id);
}

void extent_free(struct base *b, uint32_t id) {
    extent_give(b, id, extent_at(b, id));
}

static inline void link_tail(struct base *b, struct extent_queue *q, uint32_t id, struct extent *e) {
    e->next = BK_NONE;
    if (q->tail != BK_NONE)
        extent_at(b, q->tail)->next = id;
    else
        q->head = id;
    q->tail = id;
    q->bytes += e->length;
    q->count++;
}

void extent_queue_link_tail(struct base *b, struct extent_queue *q, uint32_t id) {
    link_tail(b, q, id, extent_at(b, id));
}

void extent_queue_clear(struct base *b, struct extent_queue *q) {
    for (uint32_t id = q->head; id != BK_NONE;) {
        uint32_t next = extent_at(b, id)->next;
        extent_free(b, id);
        id = next;
    }
    q->head = q->tail = BK_NONE;
    q->bytes = q->count = 0;
}

uint32_t extent_chunk_bytes(const struct base *b) {
    return u32_min(b->config.chunk_size, UINT16_MAX);
}

/* Bytes that may be written behind the tail extent. */
static uint32_t tail_room(const struct base *b, const struct extent_queue *q) {
    if (q->tail == BK_NONE) return 0;
    const struct extent *e = extent_at(b, q->tail);
    if (e->ends_record) return 0;
    if (chunk_references(b, e->chunk) != 1) return 0;
    uint32_t end = (uint32_t)e->offset + e->length; /* may be 65,536, beyond what chunk_bytes says */
    return end < extent_chunk_bytes(b) ? extent_chunk_bytes(b) - end : 0;
}

uint32_t extent_new_chunk(struct base *b, const struct extent_queue *q, uint32_t seq, uint16_t length) {
    if (!budget_left(b, q)) return BK_NONE;
    struct bk_part part = {.chunk = chunk_alloc(b), .length = length};
    if (part.chunk == BK_NONE) return BK_NONE;
    uint32_t id = extent_take(b, q, seq, &part);
    if (id == BK_NONE) chunk_release(b, part.chunk);
    return id;
}

uint32_t extent_queue_append_copy(struct base *b, struct extent_queue *q, uint32_t seq, const void *data, uint32_t n) {
    const uint8_t *from = data;
    uint32_t done = u32_min(tail_room(b, q), n), size = extent_chunk_bytes(b);
    if (done != 0) {
        struct extent *e = extent_at(b, q->tail);
        memcpy(chunk_data(b, e->chunk) + e->offset + e->length, from, done);
        e->length = (uint16_t)(e->length + done);
        q->bytes += done;
    }
    while (done < n) {
        uint32_t take = u32_min(size, n - done), id = extent_new_chunk(b, q, seq + done, (uint16_t)take);
        if (id == BK_NONE) break;
        struct extent *e = extent_at(b, id);
        memcpy(chunk_data(b, e->chunk), from + done, take);
        link_tail(b, q, id, e);
        done += take;
    }
    return done;
}

uint32_t extent_refer(struct base *b, const struct extent_queue *q, uint32_t seq, const struct bk_part *part) {
    uint32_t id = extent_take(b, q, seq, part);
    if (id != BK_NONE) chunk_hold(b, part->chunk);
    return id;
}

bool extent_queue_append_part(struct base *b, struct extent_queue *q, uint32_t seq, const struct bk_part *part) {
    uint32_t id = extent_refer(b, q, seq, part);
    if (id == BK_NONE) return false;
    link_tail(b, q, id, extent_at(b, id));
    return true;
}

bool extent_is_small(const struct base *b, uint32_t n) {
    return n < b->config.chunk_size / 2;
}

/* How far a queue had come, to go back there when a bound is hit. */
struct mark {
    struct extent_queue queue;
    uint16_t length; /* of the tail extent */
};

static struct mark queue_mark(const struct base *b, const struct extent_queue *q) {
    return (struct mark){*q, q->tail == BK_NONE ? 0 : extent_at(b, q->tail)->length};
}

static void queue_return(struct base *b, struct extent_queue *q, const struct mark *m) {
    uint32_t tail = m->queue.tail, id = tail == BK_NONE ? q->head : extent_at(b, tail)->next;
    while (id != BK_NONE) {
        uint32_t next = extent_at(b, id)->next;
        extent_free(b, id);
        id = next;
    }
    *q = m->queue;
    if (tail == BK_NONE) return;
    extent_at(b, tail)->next = BK_NONE;
    extent_at(b, tail)->length = m->length;
}

/* Whether any packet of so many parts finds room, and nothing will have to be taken back. */
static bool room_for_parts(const struct base *b, const struct extent_queue *q, uint32_t parts) {
    uint32_t bound = u32_min(b->config.buffer_chunks, q->limit);
    return b->buffer_chunks_used < bound && bound - b->buffer_chunks_used >= parts && chunk_free_count(b) >= parts;
}

/* Appends a piece that is worth its chunk; `taken`: with the packet's own reference. */
static bool append_large(struct base *b, struct extent_queue *q, uint32_t seq, const struct bk_part *piece,
                         bool taken) {
    if (!taken) return extent_queue_append_part(b, q, seq, piece);
    uint32_t id = extent_take(b, q, seq, piece);
    if (id == BK_NONE) return false;
    link_tail(b, q, id, extent_at(b, id));
    return true;
}

bool extent_queue_append_packet(struct base *b, struct extent_queue *q, uint32_t seq, struct packet *p, uint32_t offset,
                                uint32_t n) {
    bool certain = room_for_parts(b, q, p->part_count);
    struct mark mark = queue_mark(b, q);
    struct packet_walk w = packet_walk(p, offset, n);
    while (w.left != 0) {
        uint64_t reference = certain && w.index < PACKET_OWNED ? p->owned & UINT64_C(1) << w.index : 0;
        uint32_t at = seq + (n - w.left);
        struct bk_part piece = packet_walk_next(&w);
        bool ok;
        /* A small piece is copied behind others. One that would get a chunk of its own keeps that in which it came. */
        bool first = q->tail == BK_NONE && reference != 0;
        if (extent_is_small(b, piece.length) && !first) {
            const uint8_t *from = chunk_data(b, piece.chunk) + piece.offset;
            ok = extent_queue_append_copy(b, q, at, from, piece.length) == piece.length;
        } else {
            ok = append_large(b, q, at, &piece, reference != 0);
            p->owned &= ~reference;
        }
        if (!ok) {
            BK_ASSERT(!certain, "what was handed over is not taken back");
            queue_return(b, q, &mark);
            return false;
        }
    }
    return true;
}

void extent_queue_pop_head(struct base *b, struct extent_queue *q) {
    uint32_t id = q->head;
    struct extent *e = extent_at(b, id);
    q->head = e->next;
    if (q->head == BK_NONE) q->tail = BK_NONE;
    q->bytes -= e->length;
    q->count--;
    extent_free(b, id);
}

void extent_queue_consume(struct base *b, struct extent_queue *q, uint32_t n) {
    BK_ASSERT(n <= q->bytes, "no more is consumed than is queued");
    q->bytes -= n;
    while (n != 0) {
        uint32_t id = q->head;
        struct extent *e = extent_at(b, id);
        if (e->length > n) {
            e->offset = (uint16_t)(e->offset + n);
            e->length = (uint16_t)(e->length - n);
            e->seq += n;
            return;
        }
        n -= e->length;
        q->head = e->next;
        q->count--;
        extent_give(b, id, e);
    }
    if (q->head == BK_NONE) q->tail = BK_NONE;
}

void extent_queue_copy(const struct base *b, const struct extent_queue *q, void *to, uint32_t n) {
    BK_ASSERT(n <= q->bytes, "no more is copied than is queued");
    uint8_t *out = to;
    for (uint32_t id = q->head; n != 0; id = extent_at(b, id)->next) {
        const struct extent *e = extent_at(b, id);
        uint32_t take = u32_min(n, e->length);
        memcpy(out, chunk_data(b, e->chunk) + e->offset, take);
        out += take;
        n -= take;
    }
}

uint32_t extent_queue_find(const struct base *b, const struct extent_queue *q, uint32_t seq, uint32_t hint) {
    uint32_t id = BK_FAST && hint != BK_NONE ? hint : q->head;
    while (!seq_in(seq, extent_at(b, id)->seq, extent_at(b, id)->length)) {
        id = extent_at(b, id)->next;
        BK_ASSERT(id != BK_NONE, "a sequence number asked for lies in the queue");
    }
    return id;
}

void extent_queue_end_record(struct base *b, struct extent_queue *q) {
    if (q->tail != BK_NONE) extent_at(b, q->tail)->ends_record = true;
}

uint32_t extent_queue_record(const struct base *b, const struct extent_queue *q, uint32_t seq, uint32_t n,
                             uint32_t hint) {
    const struct extent *e = extent_at(b, extent_queue_find(b, q, seq, hint));
    uint32_t length = extent_end(e) - seq;
    while (!e->ends_record && length < n && e->next != BK_NONE) {
        e = extent_at(b, e->next);
        length += e->length;
    }
    return u32_min(length, n);
}
