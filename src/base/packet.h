/* A packet: one frame on its way in.
 *
 * The bytes of a frame that arrived may lie in several chunks (parts), though the first nearly always holds all the
 * headers. A packet is a view of them plus what the layers learned so far; it lives on the C stack while
 * bk_input handles the frame and is never kept. Whoever keeps payload takes references (extent.h). */
#ifndef BASE_PACKET_H
#define BASE_PACKET_H

#include "base/region.h"

struct packet {
    const struct bk_part *parts;
    uint16_t part_count;
    uint16_t gso_size;
    uint8_t rx_flags; /* enum bk_rx_flag */
    uint8_t iface;
    uint8_t protocol;
    uint8_t hop_limit;
    uint8_t traffic_class;
    bool link_broadcast; /* came to the link's broadcast or a multicast address */
    bool ip_multicast;   /* came to an IP broadcast or multicast address */
    bool pushed;         /* the last of several frames has PSH */
    bool hashed;         /* `hash` is the tuple's */
    uint8_t family;      /* 4 or 6 */
    uint32_t hash;       /* of its addresses and ports, if they were seen before their turn (net/foresee.h) */
    uint32_t mtu;        /* of the interface it came by */
    uint32_t start;      /* where the current layer begins, bytes from the frame's start */
    uint32_t length;     /* bytes of the current layer: header and payload, padding cut off */
    uint32_t ip_start;   /* where the IP header began (for ICMP errors) */
    uint32_t ip_length;
    uint32_t joined; /* frames that came after the first, and were made one packet with it (net/coalesce.h) */
    uint32_t longer; /* and the bytes of their text, of which the first one's IP header does not know */
    bk_addr src, dst;
    uint64_t now;
    uint64_t
        owned; /* bit i: the packet has a reference of its own to part i's chunk, which who keeps the part may take over */
};
#define PACKET_OWNED 64u /* parts that have a bit there */

/* Goes over a range of the current layer, part by part. */
struct packet_walk {
    const struct packet *packet;
    uint32_t index; /* of the next part */
    uint32_t skip;  /* bytes of it before the range */
    uint32_t left;
};
/* Stands before bytes [offset, offset + n), which must be there. */
struct packet_walk packet_walk(const struct packet *p, uint32_t offset, uint32_t n);
/* The next piece: what one part holds of the range. There must be one (left != 0); it lay in part index - 1. */
static inline struct bk_part packet_walk_next(struct packet_walk *w) {
    const struct bk_part *part = &w->packet->parts[w->index++];
    uint32_t n = u32_min(w->left, part->length - w->skip);
    struct bk_part piece = {part->chunk, (uint16_t)(part->offset + w->skip), (uint16_t)n};
    w->left -= n;
    w->skip = 0;
    return piece;
}

/* Where the range lies, if it lies in the first part as a whole, as nearly all headers and small segments do; else NULL. */
static inline const uint8_t *packet_first(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n) {
    const struct bk_part *first = p->parts;
    if (!BK_FAST || (uint64_t)p->start + offset + n > first->length) return NULL;
    return chunk_data(b, first->chunk) + first->offset + p->start + offset;
}

/* packet_bytes, wherever they lie. */
const uint8_t *packet_gather(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n,
                             uint8_t *scratch);
/* n bytes (at most 256) from `offset` of the current layer, in one piece: in place, or copied to `scratch` if they
 * straddle parts. NULL if the layer is shorter. Nearly always they are in the first part. */
static inline const uint8_t *packet_bytes(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n,
                                          uint8_t *scratch) {
    bool there = n != 0 && (uint64_t)offset + n <= p->length;
    const uint8_t *first = there ? packet_first(b, p, offset, n) : NULL;
    return first != NULL ? first : packet_gather(b, p, offset, n, scratch);
}
/* Adds bytes [offset, offset + n) of the current layer to a checksum. They must be there. */
uint64_t packet_checksum(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n, uint64_t sum);
/* Copies bytes [offset, offset + n) of the current layer out. They must be there. */
void packet_copy(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n, void *to);
/* Moves on to the layer that begins at `offset` of this one and is `length` long. They must be there. */
static inline void packet_enter(struct packet *p, uint32_t offset, uint32_t length) {
    p->start += offset;
    p->length = length;
}

#endif
