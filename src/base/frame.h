/* A frame: one unit on its way out.
 *
 * A frame is made by the layer that has something to say (TCP, ICMP, neighbour discovery), which writes its own
 * header at FRAME_L4; the network layer then puts the IP and link headers before it. The payload stays
 * where it is: parts refer to chunks, each holding a reference, so that the send queue may let go of them
 * while a device still reads. A frame's payload may be larger than one segment (gso_size says how it is to be
 * cut): cutting is the link's business, or bk_tx_write's in software.
 *
 *     header[]   ...| Ethernet 14 | IPv4 20 or IPv6 40 | TCP 20..60 |
 *                   ^start        ^l3                  ^FRAME_L4    ^end
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include "base/region.h"

#define FRAME_L4     72u  /* where the layer-4 header begins: room for 14 + 40 and a device's own header before it */
#define FRAME_HEADER 160u /* 72 + TCP's 60, and small ICMP messages whole */
#define FRAME_PARTS  34u  /* 64 KiB in chunks of 2 KiB, begun and ended anywhere */

struct frame {
    uint32_t next;   /* in a queue of frames (else BK_NONE), or the pool's free list */
    uint32_t object; /* index of the connection it belongs to, or BK_NONE */
    bk_addr src, dst;
    uint32_t payload_length;
    uint16_t start, l3, end; /* offsets in header[] */
    uint16_t part_count;
    uint16_t gso_size;
    uint16_t reason;
    uint16_t l4_header_length;
    uint16_t ip_id;    /* FRAME_MAY_FRAGMENT: of the first packet; a unit's others follow */
    uint8_t protocol;  /* IP protocol number */
    uint8_t iface;     /* where it leaves; FRAME_ANY_IFACE: by route */
    uint8_t hop_limit; /* 0: the default, 64 */
    uint8_t traffic_class;
    uint8_t checksum; /* enum frame_checksum */
    uint8_t flags;    /* enum frame_flag */
    uint8_t header[FRAME_HEADER];
    struct bk_part part[FRAME_PARTS];
};

#define FRAME_ANY_IFACE 255u

enum frame_checksum {
    FRAME_CHECKSUM_DONE,    /* the layer-4 checksum is complete, or there is none */
    FRAME_CHECKSUM_PARTIAL, /* TCP: the field holds the folded pseudo header sum, of the whole unit's length */
};

enum frame_flag {
    FRAME_LINK_READY = 1, /* the link header is there: nothing to resolve */
    FRAME_MULTICAST = 2,
    FRAME_MAY_FRAGMENT = 4, /* IPv4: routers may cut it, so it has an identification */
};

_Static_assert(sizeof(struct frame) <= 512, "a frame fits in 512 bytes");

struct frame_queue {
    uint32_t head, tail, count;
};

/* A new frame with no parts, start = end = FRAME_L4, or BK_NONE: the pool is empty. */
uint32_t frame_alloc(struct base *b);
/* The same for a frame that nobody makes again when there is none: that is counted (NOTE_REPLY_LOST). */
uint32_t frame_alloc_reply(struct base *b);
static inline struct frame *frame_at(const struct base *b, uint32_t id) {
    return pool_at(b, &b->frames, id);
}
/* Gives the frame back, with its references to chunks. */
static inline void frame_free(struct base *b, uint32_t id) {
    struct frame *f = frame_at(b, id);
    for (uint32_t i = 0; i < f->part_count; i++) chunk_release(b, f->part[i].chunk);
    pool_free(b, &b->frames, id);
}
/* Adds payload by reference, taking a reference of its own. Returns false if the frame has no room for another part. */
bool frame_add_part(struct base *b, struct frame *f, uint32_t chunk, uint16_t offset, uint16_t length);

static inline void frame_queue_init(struct frame_queue *q) {
    q->head = q->tail = BK_NONE;
    q->count = 0;
}

static inline void frame_queue_push(struct base *b, struct frame_queue *q, uint32_t id) {
    if (q->tail != BK_NONE)
        frame_at(b, q->tail)->next = id;
    else
        q->head = id;
    q->tail = id;
    q->count++;
}

/* BK_NONE if it is empty. */
static inline uint32_t frame_queue_pop(struct base *b, struct frame_queue *q) {
    uint32_t id = q->head;
    if (id == BK_NONE) return BK_NONE;
    struct frame *f = frame_at(b, id);
    q->head = f->next;
    f->next = BK_NONE;
    if (q->head == BK_NONE) q->tail = BK_NONE;
    q->count--;
    return id;
}

#endif
