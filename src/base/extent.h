/* Extents: queues of bytes that lie in chunks.
 *
 * A send queue, a receive queue and the out-of-order data (runs.h) are each a chain of extents in the order of their sequence
 * numbers; an extent is a run of bytes in one chunk and holds one reference to it. The chunk is charged at its full size against the
 * stack's budget (config.buffer_chunks) as long as a queue holds it; small pieces are therefore copied together
 * instead of each holding a chunk.
 */
#ifndef BASE_EXTENT_H
#define BASE_EXTENT_H

#include "base/packet.h"
#include "base/region.h"
#include "base/tree.h"

struct extent {
    uint32_t next; /* BK_NONE at the end */
    uint32_t chunk : 31;
    uint32_t ends_record : 1; /* in a send queue: nothing that follows shares a segment with its last byte */
    uint32_t seq;             /* sequence number of the first byte */
    uint16_t offset;
    uint16_t length;
    uint32_t link;         /* in out-of-order data (runs.h) */
    struct tree_node node; /* likewise */
};

struct extent_queue {
    uint32_t head, tail;
    uint32_t bytes;
    uint32_t count; /* extents, which is also the chunks charged */
    uint32_t limit; /* the queue takes no chunk when all queues together hold so many (at most config.buffer_chunks) */
};

static inline struct extent *extent_at(const struct base *b, uint32_t id) {
    return pool_at(b, &b->extents, id);
}
static inline uint32_t extent_end(const struct extent *e) {
    return e->seq + e->length;
}

/* An empty queue that may use all of the budget; set `limit` to leave some of it to others. */
void extent_queue_init(struct extent_queue *q);
/* Drops everything; the limit stays. */
void extent_queue_clear(struct base *b, struct extent_queue *q);
/* Bytes that find room without a chunk more than these. */
uint64_t extent_queue_room(const struct base *b, const struct extent_queue *q, uint32_t chunks);
/* Appends a copy of up to n bytes, the first of which has number `seq`; returns how many found room in the budget. */
uint32_t extent_queue_append_copy(struct base *b, struct extent_queue *q, uint32_t seq, const void *data, uint32_t n);
/* Appends a run by reference (taking one of its own); false if the budget or the pool is spent. */
bool extent_queue_append_part(struct base *b, struct extent_queue *q, uint32_t seq, const struct bk_part *part);
/* Appends bytes [offset, offset + n) of a packet's current layer, copied where that is the cheaper way to hold them, by
 * reference otherwise; all or nothing. References that the packet owns are taken over, unless a bound is near. */
bool extent_queue_append_packet(struct base *b, struct extent_queue *q, uint32_t seq, struct packet *p, uint32_t offset,
                                uint32_t n);
/* The queue's last byte is the last of a record: see ends_record. */
void extent_queue_end_record(struct base *b, struct extent_queue *q);
/* How many of the n bytes from `seq` on, which are in the queue, belong to the record that `seq` is in. `hint` as in extent_queue_find. */
uint32_t extent_queue_record(const struct base *b, const struct extent_queue *q, uint32_t seq, uint32_t n,
                             uint32_t hint);
/* Removes n bytes (at most q->bytes) from the head. */
void extent_queue_consume(struct base *b, struct extent_queue *q, uint32_t n);
/* Copies n bytes from the head out, without removing them; they must be there. */
void extent_queue_copy(const struct base *b, const struct extent_queue *q, void *to, uint32_t n);
/* The extent that holds `seq`, which lies in the queue; `hint` (an extent of this queue at or before it, or BK_NONE) saves
 * the walk from the head. */
uint32_t extent_queue_find(const struct base *b, const struct extent_queue *q, uint32_t seq, uint32_t hint);

#endif
