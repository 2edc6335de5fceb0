/* The rings that an AF_XDP socket shares with the kernel (Documentation/networking/af_xdp.rst).
 *
 * A ring has one side that produces and one that consumes; each owns an index that only grows, and the entry of an index is that
 * modulo the ring's size, a power of two. What the other side has done is read with acquire order and told with release order, and only when
 * what was read before does not suffice: so a batch costs one look at the other processor's line, and one write of ours.
 *
 * Of the four rings, fill and transmit are produced here, receive and completion are consumed here. Entries of fill and
 * completion are addresses (bytes from the start of the memory that was registered), those of the others descriptors.
 */
#ifndef LINK_XDP_RING_H
#define LINK_XDP_RING_H

#include <linux/if_xdp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xdp_ring {
    _Atomic uint32_t *ours, *theirs; /* the indexes: the one that we move, and the other */
    _Atomic uint32_t *flags;
    void *entries;
    uint32_t size;
    uint32_t at;   /* our index, not yet told */
    uint32_t seen; /* theirs, when last looked at */
    void *map;     /* as mmap(2) gave it, or NULL */
    size_t map_length;
};

/* Entries that may be written now, at least `wanted` if there are as many. */
static inline uint32_t xdp_ring_room(struct xdp_ring *r, uint32_t wanted) {
    if (r->size - (r->at - r->seen) < wanted) r->seen = atomic_load_explicit(r->theirs, memory_order_acquire);
    return r->size - (r->at - r->seen);
}
/* Entries that may be read now, at least one if there is any. */
static inline uint32_t xdp_ring_ready(struct xdp_ring *r) {
    if (r->seen == r->at) r->seen = atomic_load_explicit(r->theirs, memory_order_acquire);
    return r->seen - r->at;
}
/* Tells the kernel how far we are: entries written are there to be read, entries read may be written again. */
static inline void xdp_ring_tell(const struct xdp_ring *r) {
    atomic_store_explicit(r->ours, r->at, memory_order_release);
}
/* Entries of a ring that we produce which the kernel has not yet taken. */
static inline uint32_t xdp_ring_waiting(struct xdp_ring *r) {
    r->seen = atomic_load_explicit(r->theirs, memory_order_acquire);
    return r->at - r->seen;
}
/* Whether the kernel must be woken to see what is in this ring. */
static inline bool xdp_ring_asleep(const struct xdp_ring *r) {
    return (atomic_load_explicit(r->flags, memory_order_relaxed) & XDP_RING_NEED_WAKEUP) != 0;
}

/* The next entry, which must be ready or have room. */
static inline uint64_t *xdp_ring_address(struct xdp_ring *r) {
    return (uint64_t *)r->entries + (r->at++ & (r->size - 1));
}
static inline struct xdp_desc *xdp_ring_desc(struct xdp_ring *r) {
    return (struct xdp_desc *)r->entries + (r->at++ & (r->size - 1));
}

#endif
