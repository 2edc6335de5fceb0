/* The cursor behind bk_tx_write: cuts one unit into its wire frames, first to last, each payload byte visited once.
 *
 * Links that write a unit's frames in order use this and not bk_tx_write, which has to find its place in the
 * parts anew for each frame. A copy of a cursor is a place to come back to, as long as the unit is there. */
#ifndef NET_CUT_H
#define NET_CUT_H

#include "base/region.h"

struct cut {
    const struct base *base;
    const struct bk_tx *unit;
    /* If headers are made for each frame (`rewrite`), the sums of what does not differ between them: of the IPv4 header without length, id and
     * checksum; of pseudo and TCP header. */
    uint64_t ip_sum, tcp_sum;
    uint32_t count;  /* frames in all */
    uint32_t index;  /* frames written */
    uint32_t passed; /* payload bytes of the frames written */
    uint32_t part;   /* where the next payload byte lies: */
    uint32_t part_offset;
    bool rewrite;  /* the headers' lengths, sequence number, flags must be made for each frame */
    bool checksum; /* the TCP checksum must be computed */
};

/* Of cut_begin: the sums of a unit that is to be cut. */
void cut_sums(struct cut *c);
/* Stands before the first frame of a unit, which must stay where it is. */
static inline void cut_begin(struct cut *c, const bk_stack *stack, const struct bk_tx *unit) {
    c->base = (const struct base *)(const void *)stack;
    c->unit = unit;
    c->count = 1;
    c->index = c->passed = c->part = c->part_offset = 0;
    c->rewrite = false;
    c->checksum = unit->l4_checksum_partial;
    if (unit->gso_size != 0) cut_sums(c);
}
static inline bool cut_end(const struct cut *c) {
    return c->index == c->count;
}
/* Length of the next frame; 0 at the end. */
static inline size_t cut_length(const struct cut *c) {
    uint32_t left = c->unit->payload_length - c->passed;
    if (cut_end(c)) return 0;
    return (size_t)c->unit->header_length + (c->count > 1 ? u32_min(left, c->unit->gso_size) : left);
}
/* Writes the next frame to buffer[0..size) and moves on. Returns its length; 0, without having moved, if `size` is too
 * small or there is none. */
size_t cut_next(struct cut *c, void *buffer, size_t size);

#endif
