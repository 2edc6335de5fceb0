/* The region and its pools: see region.h for how ids become addresses. */
#include "base/region.h"

#include "base/siphash.h"

static uint64_t align_up(uint64_t n, uint32_t align) {
    return (n + align - 1) & ~(uint64_t)(align - 1);
}

void pool_init(struct pool *p, uint32_t object_size, uint32_t capacity, uint32_t first, uint32_t align, bool zero) {
    BK_ASSERT(object_size % 4 == 0 && first != 0 && (first & (first - 1)) == 0 && (align & (align - 1)) == 0,
              "a pool's sizes are aligned");
    memset(p, 0, sizeof *p);
    p->object_size = object_size;
    p->capacity = capacity;
    p->free_head = BK_NONE;
    p->first = first;
    p->align_log2 = (uint8_t)u32_highest_bit(align);
    p->zero = zero;
}

/* Objects that slab k adds to a pool which holds `made` already. */
static uint32_t slab_objects(const struct pool *p, uint32_t k, uint32_t made) {
    uint64_t full = (uint64_t)p->first << k;
    return (uint32_t)u64_min(full, p->capacity - made);
}

uint64_t pool_bytes_max(const struct pool *p) {
    uint64_t bytes = 0;
    uint32_t made = 0;
    for (uint32_t k = 0; made < p->capacity; k++) {
        uint32_t n = slab_objects(p, k, made);
        bytes += (uint64_t)n * p->object_size + (UINT64_C(1) << p->align_log2);
        made += n;
    }
    return bytes;
}

uint64_t region_take(struct base *b, uint64_t bytes, uint32_t align) {
    uint64_t at = align_up(b->used, align);
    BK_ASSERT(at + bytes <= b->size, "the region holds all that its configuration asks for");
    b->used = at + bytes;
    return at;
}

static void pool_grow(struct base *b, struct pool *p) {
    uint32_t bit = u32_highest_bit(p->made + p->first);
    uint32_t n = slab_objects(p, bit - u32_highest_bit(p->first), p->made);
    uint64_t at = region_take(b, (uint64_t)n * p->object_size, UINT32_C(1) << p->align_log2);
    /* pool_at adds (id + first) * size; may wrap below zero, and wraps back there. */
    p->slab[bit] = at - (uint64_t)(p->made + p->first) * p->object_size;
    p->made += n;
}

void pool_grow_all(struct base *b, struct pool *p) {
    while (p->made < p->capacity) pool_grow(b, p);
}

/* Slabs are taken one after the other, so the highest one that does not begin behind the byte holds it; half of all objects
 * are in the last one, a quarter in that before. */
uint32_t pool_id_at(const struct pool *p, uint64_t offset) {
    uint32_t bit = u32_highest_bit(p->made - 1 + p->first), lowest = u32_highest_bit(p->first);
    while (bit > lowest && offset < p->slab[bit] + (UINT64_C(1) << bit) * p->object_size) bit--;
    return (uint32_t)((offset - p->slab[bit]) / p->object_size) - p->first;
}

void *pool_at_plain(const struct base *b, const struct pool *p, uint32_t id) {
    BK_ASSERT(id < p->made, "an id names an object for which there is memory");
    uint32_t k = 0, before = 0; /* the slab, and the objects in the slabs before it */
    while (id - before >= slab_objects(p, k, before)) before += slab_objects(p, k++, before);
    uint64_t slab = p->slab[u32_highest_bit(p->first) + k] + ((uint64_t)before + p->first) * p->object_size;
    return (uint8_t *)(uintptr_t)b + slab + (uint64_t)(id - before) * p->object_size;
}

uint32_t pool_fresh(struct base *b, struct pool *p) {
    if (p->fresh == p->made) {
        if (p->made == p->capacity) return BK_NONE;
        pool_grow(b, p);
    }
    return p->fresh++;
}

void pool_reserve(struct base *b, struct pool *p, uint32_t count) {
    BK_ASSERT(count <= p->capacity, "a table stays within its pool");
    while (p->made < count) pool_grow(b, p);
    for (; p->fresh < count; p->fresh++) memset(pool_at(b, p, p->fresh), 0, p->object_size);
    p->in_use = p->high_water = p->fresh;
}

void base_seed(struct base *b, const uint8_t seed[32]) {
    uint64_t key[4];
    memcpy(key, seed, 32);
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t word[3] = {key[2], key[3], i};
        uint64_t derived = siphash24(key, word, sizeof word);
        if (i < 4)
            b->secret[i] = derived;
        else
            b->random_key[i - 4] = derived;
    }
    b->random_counter = 0;
}

uint64_t base_random(struct base *b) {
    uint64_t counter = b->random_counter++;
    return siphash24(b->random_key, &counter, sizeof counter);
}

uint32_t base_random_below(struct base *b, uint32_t n) {
    return (uint32_t)(((base_random(b) >> 32) * n) >> 32);
}

void trace_write(struct base *b, const struct bk_event *event) {
    struct trace_ring *r = &b->trace;
    struct bk_event *ring = (struct bk_event *)(void *)((uint8_t *)b + r->offset);
    ring[r->written & (r->capacity - 1)] = *event;
    r->written++;
    if (r->written - r->read > r->capacity) {
        r->lost++;
        r->read++;
    }
}
