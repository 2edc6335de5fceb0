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

/* A new extent for a chunk that is charged to the budget, not yet linked; BK_NONE at a bound. */
static uint32_t extent_alloc(struct base *b, const struct extent_queue *q) {
    if (b->buffer_chunks_used >= u32_min(b->config.buffer_chunks, q->limit)) return BK_NONE;
    uint32_t id = pool_alloc(b, &b->extents);
    if (id != BK_NONE) b->buffer_chunks_used++;
    return id;
}

void extent_free(struct base *b, uint32_t id) {
    chunk_release(b, extent_at(b, id)->chunk);
    b->buffer_chunks_used--;
    pool_free(b, &b->extents, id);
}

void extent_queue_link_tail(struct base *b, struct extent_queue *q, uint32_t id) {
    extent_at(b, id)->next = BK_NONE;
    if (q->tail != BK_NONE)
        extent_at(b, q->tail)->next = id;
    else
        q->head = id;
    q->tail = id;
    q->bytes += extent_at(b, id)->length;
    q->count++;
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
    if (*chunk_references(b, e->chunk) != 1) return 0;
    uint32_t end = (uint32_t)e->offset + e->length; /* may be 65,536, beyond what chunk_bytes says */
    return end < extent_chunk_bytes(b) ? extent_chunk_bytes(b) - end : 0;
}

uint32_t extent_new_chunk(struct base *b, const struct extent_queue *q, uint32_t seq) {
    uint32_t id = extent_alloc(b, q);
    if (id == BK_NONE) return BK_NONE;
    uint32_t chunk = chunk_alloc(b);
    if (chunk == BK_NONE) {
        b->buffer_chunks_used--;
        pool_free(b, &b->extents, id);
        return BK_NONE;
    }
    *extent_at(b, id) = (struct extent){.next = BK_NONE, .chunk = chunk, .seq = seq};
    return id;
}

uint32_t extent_queue_append_copy(struct base *b, struct extent_queue *q, uint32_t seq, const void *data, uint32_t n) {
    const uint8_t *from = data;
    uint32_t done = 0;
    while (done < n) {
        uint32_t room = tail_room(b, q);
        if (room == 0) {
            uint32_t id = extent_new_chunk(b, q, seq + done);
            if (id == BK_NONE) break;
            extent_queue_link_tail(b, q, id);
            room = extent_chunk_bytes(b);
        }
        struct extent *e = extent_at(b, q->tail);
        uint32_t take = u32_min(room, n - done);
        memcpy(chunk_data(b, e->chunk) + e->offset + e->length, from + done, take);
        e->length = (uint16_t)(e->length + take);
        q->bytes += take;
        done += take;
    }
    return done;
}

uint32_t extent_refer(struct base *b, const struct extent_queue *q, uint32_t seq, const struct bk_part *part) {
    uint32_t id = extent_alloc(b, q);
    if (id == BK_NONE) return BK_NONE;
    chunk_hold(b, part->chunk);
    *extent_at(b, id) = (struct extent){
        .next = BK_NONE, .chunk = part->chunk, .seq = seq, .offset = part->offset, .length = part->length};
    return id;
}

bool extent_queue_append_part(struct base *b, struct extent_queue *q, uint32_t seq, const struct bk_part *part) {
    uint32_t id = extent_refer(b, q, seq, part);
    if (id == BK_NONE) return false;
    extent_queue_link_tail(b, q, id);
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

/* Appends a piece that is worth its chunk, with the packet's reference if there is one and it may be taken. */
static bool append_large(struct base *b, struct extent_queue *q, uint32_t seq, const struct bk_part *piece,
                         uint64_t *owned, uint64_t reference) {
    if (!extent_queue_append_part(b, q, seq, piece)) return false;
    if (*owned & reference) {
        *owned &= ~reference;
        --*chunk_references(b, piece->chunk);
    }
    return true;
}

bool extent_queue_append_packet(struct base *b, struct extent_queue *q, uint32_t seq, struct packet *p, uint32_t offset,
                                uint32_t n) {
    bool certain = room_for_parts(b, q, p->part_count);
    struct mark mark = queue_mark(b, q);
    struct packet_walk w = packet_walk(p, offset, n);
    while (w.left != 0) {
        uint64_t reference = certain && w.index < PACKET_OWNED ? UINT64_C(1) << w.index : 0;
        uint32_t at = seq + (n - w.left);
        struct bk_part piece = packet_walk_next(&w);
        bool ok;
        if (extent_is_small(b, piece.length)) {
            const uint8_t *from = chunk_data(b, piece.chunk) + piece.offset;
            ok = extent_queue_append_copy(b, q, at, from, piece.length) == piece.length;
        } else {
            ok = append_large(b, q, at, &piece, &p->owned, reference);
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
    while (n != 0) {
        struct extent *e = extent_at(b, q->head);
        if (e->length <= n) {
            n -= e->length;
            extent_queue_pop_head(b, q);
            continue;
        }
        e->offset = (uint16_t)(e->offset + n);
        e->length = (uint16_t)(e->length - n);
        e->seq += n;
        q->bytes -= n;
        n = 0;
    }
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
