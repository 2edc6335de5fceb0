/* Arrival: see arrival.h. */
#include "lab/arrival.h"

#include <stdlib.h>

#include "base/common.h"
#include "base/draw.h"
#include "lab/merge.h"

#define ARRIVAL_FRAME (65535u + 14u + 46u)
#define ARRIVAL_BATCH 64u  /* frames in one call of bk_input, at most */
#define ARRIVAL_PARTS 320u /* the largest frame in chunks of 256, and cuts */
#define ARRIVAL_CUTS  6u   /* parts more than need be, at most */
#define ARRIVAL_PAD   46u

enum arrival_chance { ARRIVAL_ODD, ARRIVAL_PADDED, ARRIVAL_MERGED, ARRIVAL_CHANCES };

/* A frame as it came from the wire, and what was drawn for it then. */
struct waiting {
    uint8_t *bytes;
    size_t length;
    uint64_t since;
    uint64_t odd; /* source of chance for its parts; 0: as few as need be */
    uint32_t pad;
    bool merge;
};

/* What becomes one struct bk_rx. */
struct ready {
    uint8_t bytes[ARRIVAL_FRAME];
    size_t length;
    uint32_t segments; /* frames of the wire in it */
    uint16_t gso_size;
    struct bk_part part[ARRIVAL_PARTS];
    uint32_t parts;
};

struct arrival {
    struct arrival_options options;
    enum bk_layer layer;
    uint64_t random[ARRIVAL_CHANCES];
    struct waiting *ring; /* the first is the oldest */
    uint32_t count, room;
    bool starved; /* the last time there were not enough chunks */
    uint64_t retry;
    struct ready ready[ARRIVAL_BATCH];
};

struct arrival *arrival_new(const struct arrival_options *options, enum bk_layer layer, uint64_t seed) {
    struct arrival *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->options = *options;
    a->options.batch = u32_min(u32_max(options->batch, 1), ARRIVAL_BATCH);
    a->layer = layer;
    a->room = a->options.batch + options->queue;
    a->ring = calloc(a->room, sizeof *a->ring);
    for (unsigned i = 0; i < ARRIVAL_CHANCES; i++) a->random[i] = draw(&seed);
    if (a->ring != NULL) return a;
    free(a);
    return NULL;
}

void arrival_clear(struct arrival *a) {
    for (uint32_t i = 0; i < a->count; i++) free(a->ring[i].bytes);
    a->count = 0;
    a->starved = false;
}

void arrival_free(struct arrival *a) {
    if (a == NULL) return;
    arrival_clear(a);
    free(a->ring);
    free(a);
}

void arrival_calm(struct arrival *a) {
    a->options = (struct arrival_options){.batch = 1, .queue = a->options.queue};
    for (uint32_t i = 0; i < a->count; i++) {
        a->ring[i].odd = a->ring[i].pad = 0;
        a->ring[i].merge = false;
    }
}

bool arrival_push(struct arrival *a, const uint8_t *frame, size_t length, uint64_t now) {
    const struct arrival_options *o = &a->options;
    bool odd = draw_chance(&a->random[ARRIVAL_ODD], o->parts_ppm);
    uint64_t source = draw(&a->random[ARRIVAL_ODD]) | 1;
    bool pad = draw_chance(&a->random[ARRIVAL_PADDED], o->pad_ppm);
    uint32_t octets = draw_range(&a->random[ARRIVAL_PADDED], 1, ARRIVAL_PAD);
    bool merge = draw_chance(&a->random[ARRIVAL_MERGED], o->merge_ppm);
    uint8_t *bytes;
    if (a->count == a->room || length == 0 || length + ARRIVAL_PAD > ARRIVAL_FRAME) return false;
    if ((bytes = malloc(length)) == NULL) return false;
    memcpy(bytes, frame, length);
    a->ring[a->count++] = (struct waiting){.bytes = bytes,
                                           .length = length,
                                           .since = now,
                                           .odd = odd ? source : 0,
                                           .pad = pad ? octets : 0,
                                           .merge = merge};
    return true;
}

/* ---- into chunks ---- */

static uint32_t arrival_chunk_size(const bk_stack *stack) {
    return u32_min(bk_config_of(stack)->chunk_size, UINT16_MAX);
}

/* How many chunks there are. None is asked for in vain: the stack would count that. */
static uint32_t arrival_chunks(const bk_stack *stack) {
    struct bk_pool_info chunks;
    bk_pool_info(stack, BK_POOL_CHUNKS, &chunks);
    return chunks.capacity - chunks.in_use;
}

/* Cuts `length` bytes into parts, and puts each anywhere in a chunk. */
static void ready_cut(struct ready *r, uint32_t size, uint64_t *odd) {
    uint32_t left = (uint32_t)r->length, cuts = *odd == 0 ? 0 : draw_range(odd, 1, ARRIVAL_CUTS);
    r->parts = 0;
    while (left > 0) {
        uint32_t n = u32_min(left, size), offset = 0;
        if (cuts > 0) {
            cuts--;
            n = draw_range(odd, r->parts == 0, draw_below(odd, 2) == 0 ? u32_min(n, 64) : n);
            offset = draw_range(odd, 0, u32_min(size - n, UINT16_MAX));
        }
        r->part[r->parts++] = (struct bk_part){.offset = (uint16_t)offset, .length = (uint16_t)n};
        left -= n;
    }
}

/* Copies the frame to chunks of the stack. False: there are not enough. */
static bool ready_fill(struct ready *r, bk_stack *stack, uint64_t odd) {
    uint32_t chunk[ARRIVAL_PARTS], size = arrival_chunk_size(stack), free_chunks = arrival_chunks(stack);
    const uint8_t *from = r->bytes;
    ready_cut(r, size, &odd);
    if (r->parts > free_chunks) {
        odd = 0;
        ready_cut(r, size, &odd);
    }
    if (r->parts > free_chunks) return false;
    size_t got = bk_chunk_alloc(stack, chunk, r->parts);
    BK_ASSERT(got == r->parts, "chunks that are free can be had");
    for (uint32_t i = 0; i < r->parts; i++) {
        struct bk_part *p = &r->part[i];
        p->chunk = chunk[i];
        memset(bk_chunk_data(stack, p->chunk), 0xa5, size);
        memcpy(bk_chunk_data(stack, p->chunk) + p->offset, from, p->length);
        from += p->length;
    }
    return true;
}

/* Makes one frame of the oldest ones from `first` on. Returns how many of them. */
static uint32_t ready_take(struct ready *r, const struct arrival *a, uint32_t first) {
    const struct waiting *w = &a->ring[first];
    struct merge m;
    memcpy(r->bytes, w->bytes, w->length);
    r->length = w->length;
    r->segments = 1;
    r->gso_size = 0;
    if (first + 1 < a->count && w[1].merge && merge_begin(&m, a->layer, w->bytes, w->length)) {
        while (first + r->segments < a->count && w[r->segments].merge &&
               merge_append(&m, r->bytes, &r->length, ARRIVAL_FRAME - ARRIVAL_PAD, w[r->segments].bytes,
                            w[r->segments].length))
            r->segments++;
        if (r->segments > 1) r->gso_size = m.gso_size;
    }
    for (uint32_t i = 0; i < w->pad; i++) r->bytes[r->length++] = (uint8_t)(i + 1);
    return r->segments;
}

/* ---- handing in ---- */

/* A frame that will never find enough chunks is lost at once. */
static bool arrival_hopeless(const bk_stack *stack, const struct waiting *w) {
    uint32_t size = arrival_chunk_size(stack);
    return (w->length + w->pad + size - 1) / size > bk_config_of(stack)->chunks;
}

static void arrival_remove(struct arrival *a, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) free(a->ring[i].bytes);
    a->count -= n;
    memmove(a->ring, a->ring + n, a->count * sizeof *a->ring);
}

/* Hands in one batch. Returns how many frames of the ring are in it. */
static uint32_t arrival_batch(struct arrival *a, bk_stack *stack, struct tally *tally, uint64_t clock, uint16_t *last) {
    struct bk_rx rx[ARRIVAL_BATCH];
    uint32_t n = 0, taken = 0;
    while (taken < a->count && n < a->options.batch) {
        struct ready *r = &a->ready[n];
        uint32_t segments = ready_take(r, a, taken);
        if (!ready_fill(r, stack, a->ring[taken].odd)) {
            a->starved = !arrival_hopeless(stack, &a->ring[taken]);
            break;
        }
        rx[n++] = (struct bk_rx){.parts = r->part,
                                 .part_count = (uint16_t)r->parts,
                                 .flags = r->gso_size != 0 ? BK_RX_CHECKSUM_VALID : 0,
                                 .gso_size = r->gso_size};
        taken += segments;
    }
    if (n > 0) bk_input(stack, 0, rx, n, clock);
    for (uint32_t i = 0; i < n; i++) {
        tally_in(tally, a->layer, a->ready[i].bytes, a->ready[i].length, rx[i].reason);
        tally_merged(tally, rx[i].reason, a->ready[i].segments);
        *last = rx[i].reason;
    }
    return taken;
}

uint16_t arrival_deliver(struct arrival *a, bk_stack *stack, struct tally *tally, uint64_t now, uint64_t clock) {
    uint16_t last = BK_REASON_NONE;
    a->starved = false;
    while (a->count > 0) {
        if (a->count < a->options.batch && a->ring[0].since + a->options.batch_us * NS_PER_US > now) break;
        uint32_t taken = arrival_batch(a, stack, tally, clock, &last);
        if (taken == 0 && !a->starved) { /* hopeless */
            taken = 1;
            last = BK_REASON_NO_CHUNK;
        }
        arrival_remove(a, taken);
        if (a->starved) break;
    }
    if (a->starved) {
        a->retry = now + ARRIVAL_RETRY_US * NS_PER_US;
        if (a->count > a->options.queue) last = BK_REASON_NO_CHUNK;
        for (; a->count > a->options.queue; a->count--) free(a->ring[a->count - 1].bytes);
        if (last == BK_REASON_NO_CHUNK) return last;
    }
    return a->count > 0 ? BK_REASON_NONE : last;
}

uint32_t arrival_count(const struct arrival *a) {
    return a->count;
}

uint64_t arrival_next(const struct arrival *a) {
    if (a->count == 0) return BK_NEVER;
    if (a->starved) return a->retry;
    return a->count >= a->options.batch ? a->ring[0].since : a->ring[0].since + a->options.batch_us * NS_PER_US;
}
