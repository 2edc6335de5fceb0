/* The region: all of a stack's memory, and the part of a stack that every layer shares.
 *
 * Memory is taken from the region's low end, slab by slab, by typed pools, and never given back; so the bytes
 * [0, used) are the whole state. Objects refer to each other by ids: the number of an object in its pool,
 * with BK_NONE for nothing. Pools turn an id into an address with one table look-up (pool_at), relative to
 * the region's start, which is also the address of struct base. Nothing in the region is a pointer.
 *
 * Layers embed each other from left to right: struct tcp begins with struct base, struct net with struct tcp,
 * struct bk_stack with struct net. A function takes the leftmost of them that it needs.
 *
 * A pool's slabs double: slab k holds `first << k` objects, the last one cut at the capacity. So a small world
 * is small, a large one needs few slabs, and the slab of an id is told by the highest bit of id + first.
 */
#ifndef BASE_REGION_H
#define BASE_REGION_H

#include "base/common.h"
#include "beckon/stack.h"
#include "beckon/trace.h"

#define POOL_SLABS 32

struct pool {
    /* By the highest bit of id + first: offset of the slab, less the bytes of all objects before it plus `first`. */
    uint64_t slab[POOL_SLABS];
    uint32_t object_size; /* bytes, a multiple of 4 */
    uint32_t capacity;    /* objects at most */
    uint32_t made;        /* objects for which there is memory; ids are below it */
    uint32_t fresh;       /* objects ever handed out; made - fresh are untouched */
    uint32_t in_use;
    uint32_t high_water; /* largest in_use so far */
    uint32_t free_head;  /* LIFO of freed objects, linked through their first 4 bytes; of chunks, see chunk_word */
    uint32_t first;      /* objects in slab 0, a power of two */
    uint8_t align_log2;  /* of each slab */
    uint8_t zero;        /* whether pool_alloc clears the object */
    uint8_t pad[6];
};

struct trace_ring {
    uint64_t offset;  /* of the first event in the region */
    uint64_t written; /* events ever written */
    uint64_t read;    /* events ever read or lost */
    uint64_t lost;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t pad;
};

struct base {
    uint64_t magic;
    uint64_t layout;    /* bk_layout_hash of the build that made it */
    uint64_t size;      /* bytes of the region */
    uint64_t used;      /* bytes taken so far; the snapshot's size */
    uint64_t now;       /* latest time seen */
    uint64_t secret[4]; /* two SipHash keys: [0..1] the connection table, [2..3] ISNs, ports, timestamps, cookies */
    uint64_t random_key[2];
    uint64_t random_counter;
    uint32_t generation;         /* last one given to an object */
    uint32_t buffer_chunks_used; /* chunks held by send and receive queues, against config.buffer_chunks */
    uint8_t checksum_way;        /* enum checksum_way: of this machine, the one thing here that is not of the history */
    uint8_t pad[7];
    struct bk_config config;
    struct pool chunks;     /* frame memory, config.chunk_size each */
    struct pool chunk_refs; /* uint32_t a chunk, see chunk_word; made in step with `chunks` */
    struct pool extents;
    struct pool frames;
    struct trace_ring trace;
    uint64_t reasons[BK_REASON_COUNT];
};

/* Prepares an empty pool for `capacity` objects. `first` (a power of two) is how many slab 0 holds. */
void pool_init(struct pool *p, uint32_t object_size, uint32_t capacity, uint32_t first, uint32_t align, bool zero);
/* Bytes of region that the pool takes when full, alignment included. */
uint64_t pool_bytes_max(const struct pool *p);
/* One that was never handed out, or BK_NONE at the capacity. */
uint32_t pool_fresh(struct base *b, struct pool *p);
/* Makes sure that there is memory for ids below `count`, without handing any out: for tables that index the pool
 * themselves. New memory is zero. */
void pool_reserve(struct base *b, struct pool *p, uint32_t count);

/* Takes the memory for all objects that the pool may ever have. What it took until then stays where it is; the rest lies in one piece. */
void pool_grow_all(struct base *b, struct pool *p);
/* The id of the object in which the byte at `offset` of the region lies: the inverse of pool_at. The byte must be the pool's. */
uint32_t pool_id_at(const struct pool *p, uint64_t offset);

/* Slab by slab. */
void *pool_at_plain(const struct base *b, const struct pool *p, uint32_t id);

static inline void *pool_at(const struct base *b, const struct pool *p, uint32_t id) {
    if (!BK_FAST) return pool_at_plain(b, p, id);
    uint32_t j = id + p->first;
    return (uint8_t *)(uintptr_t)b + p->slab[u32_highest_bit(j)] + (uint64_t)j * p->object_size;
}

/* A new object, or BK_NONE at the capacity. */
static inline uint32_t pool_alloc(struct base *b, struct pool *p) {
    uint32_t id = p->free_head;
    if (BK_LIKELY(id != BK_NONE))
        memcpy(&p->free_head, pool_at(b, p, id), 4);
    else if ((id = pool_fresh(b, p)) == BK_NONE)
        return BK_NONE;
    if (p->zero) memset(pool_at(b, p, id), 0, p->object_size);
    if (++p->in_use > p->high_water) p->high_water = p->in_use;
    return id;
}

static inline void pool_free(struct base *b, struct pool *p, uint32_t id) {
    BK_ASSERT(id < p->fresh && p->in_use != 0, "a pool takes back only what it gave");
    memcpy(pool_at(b, p, id), &p->free_head, 4);
    p->free_head = id;
    p->in_use--;
}

/* Takes `bytes` of the region. bk_region_size has counted them all, so this cannot fail. */
uint64_t region_take(struct base *b, uint64_t bytes, uint32_t align);

/* Remembers the latest time and returns it: time never runs backwards inside the stack. */
static inline uint64_t base_now(struct base *b, uint64_t now) {
    return b->now = u64_max(b->now, now);
}

/* Derives all secrets from the seed. */
void base_seed(struct base *b, const uint8_t seed[32]);
uint64_t base_random(struct base *b);
/* Uniform in [0, n), n > 0. */
uint32_t base_random_below(struct base *b, uint32_t n);
/* A generation for a new object: never 0. */
static inline uint32_t base_generation(struct base *b) {
    if (++b->generation == 0) b->generation = 1;
    return b->generation;
}

static inline void reason_count(struct base *b, uint16_t reason) {
    b->reasons[reason]++;
}
static inline bool trace_on(const struct base *b) {
    return b->trace.capacity != 0;
}
/* Appends an event; only when trace_on. */
void trace_write(struct base *b, const struct bk_event *event);

static inline uint8_t *chunk_data(const struct base *b, uint32_t chunk) {
    return pool_at(b, &b->chunks, chunk);
}
/* A chunk's word tells how many references there are to it, or, while it is free, CHUNK_FREE and the next free one, as chunks.free_head tells the first:
 * neither who takes a chunk nor who gives it back touches its bytes, which may be far away by then. */
#define CHUNK_FREE UINT32_C(0x80000000)
static inline uint32_t *chunk_word(const struct base *b, uint32_t chunk) {
    return pool_at(b, &b->chunk_refs, chunk);
}
static inline uint32_t chunk_references(const struct base *b, uint32_t chunk) {
    uint32_t word = *chunk_word(b, chunk);
    return word & CHUNK_FREE ? 0 : word;
}
static inline void chunk_hold(struct base *b, uint32_t chunk) {
    ++*chunk_word(b, chunk);
}
/* A new chunk has one reference; its bytes are whatever they were. BK_NONE if none is free. */
static inline uint32_t chunk_alloc(struct base *b) {
    struct pool *p = &b->chunks;
    uint32_t id = p->free_head;
    if (BK_LIKELY(id != BK_NONE)) {
        id &= ~CHUNK_FREE;
        p->free_head = *chunk_word(b, id);
    } else {
        id = pool_fresh(b, p);
        if (id == BK_NONE) return BK_NONE;
        if (b->chunk_refs.fresh <= id) pool_reserve(b, &b->chunk_refs, id + 1);
    }
    *chunk_word(b, id) = 1;
    if (++p->in_use > p->high_water) p->high_water = p->in_use;
    return id;
}
static inline void chunk_release(struct base *b, uint32_t chunk) {
    uint32_t *word = chunk_word(b, chunk);
    BK_ASSERT(*word - 1 < CHUNK_FREE - 1, "a chunk is released once for each reference");
    if (--*word != 0) return;
    *word = b->chunks.free_head;
    b->chunks.free_head = chunk | CHUNK_FREE;
    b->chunks.in_use--;
}
/* Free chunks now. */
static inline uint32_t chunk_free_count(const struct base *b) {
    return b->config.chunks - b->chunks.in_use;
}

#endif
