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

struct bk_part extent_packet_part(const struct packet *p, uint32_t offset, uint32_t n) {
    uint32_t skip = p->start + offset;
    const struct bk_part *part = p->parts;
    while (skip >= part->length) skip -= part++->length;
    return (struct bk_part){part->chunk, (uint16_t)(part->offset + skip), (uint16_t)u32_min(n, part->length - skip)};
}

bool extent_is_small(const struct base *b, uint32_t n) {
    return n < b->config.chunk_size / 2;
}

bool extent_queue_append_packet(struct base *b, struct extent_queue *q, uint32_t seq, const struct packet *p,
                                uint32_t offset, uint32_t n) {
    uint32_t before = q->tail, before_bytes = q->bytes, before_count = q->count;
    uint16_t before_length = before == BK_NONE ? 0 : extent_at(b, before)->length;
    for (uint32_t done = 0; done < n;) {
        struct bk_part part = extent_packet_part(p, offset + done, n - done);
        bool ok;
        if (extent_is_small(b, part.length))
            ok = extent_queue_append_copy(b, q, seq + done, chunk_data(b, part.chunk) + part.offset, part.length) ==
                 part.length;
        else
            ok = extent_queue_append_part(b, q, seq + done, &part);
        if (ok) {
            done += part.length;
            continue;
        }
        /* A bound was hit in the middle: take back what was appended. */
        uint32_t id = before == BK_NONE ? q->head : extent_at(b, before)->next;
        while (id != BK_NONE) {
            uint32_t next = extent_at(b, id)->next;
            extent_free(b, id);
            id = next;
        }
        q->tail = before;
        q->bytes = before_bytes;
        q->count = before_count;
        if (before == BK_NONE) {
            q->head = BK_NONE;
        } else {
            extent_at(b, before)->next = BK_NONE;
            extent_at(b, before)->length = before_length;
        }
        return false;
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
