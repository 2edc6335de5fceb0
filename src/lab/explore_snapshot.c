/* Snapshots of a machine: see explore_snapshot.h. */
#include "lab/explore_snapshot.h"

#include <stdlib.h>

#include "base/common.h"

#define BLOCK       64u
#define BLOCK_WORDS 8u
#define HEAD        (offsetof(struct explore_state, flight))
/* What a region of so many bytes packs to at most. */
#define PACKED_MAX(size) (4 + (size) / BLOCK * (BLOCK + 4) + BLOCK)

bool explore_copy_init(struct explore_copy *c, const struct explore_machine *m) {
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < 2; i++) {
        c->region[i] = aligned_alloc(64, m->side[i].size);
        if (c->region[i] == NULL) return false;
        memcpy(c->region[i], m->side[i].region, m->side[i].size);
    }
    explore_copy_take(c, m);
    return true;
}

void explore_copy_free(struct explore_copy *c) {
    for (unsigned i = 0; i < 2; i++) free(c->region[i]);
    memset(c, 0, sizeof *c);
}

static void state_copy(struct explore_state *to, const struct explore_state *from) {
    memcpy(to, from, HEAD + from->flights * sizeof from->flight[0]);
}

void explore_copy_take(struct explore_copy *c, const struct explore_machine *m) {
    for (unsigned i = 0; i < 2; i++) {
        c->used[i] = bk_used_extent(m->side[i].stack);
        memcpy(c->region[i], m->side[i].region, c->used[i]);
    }
    state_copy(&c->state, &m->state);
}

void explore_copy_restore(const struct explore_copy *c, struct explore_machine *m, unsigned side) {
    memcpy(m->side[side].region, c->region[side], c->used[side]);
    state_copy(&m->state, &c->state);
}

/* ---- the short form -------------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* [used 4 bytes] then for each block that differs [number + 1, 2 bytes] [mask 1 byte] [words], then [0, 2 bytes]. */
static uint8_t *pack_region(uint8_t *to, const uint8_t *region, const uint8_t *first, uint32_t used) {
    memcpy(to, &used, 4);
    to += 4;
    for (uint32_t block = 0; block * BLOCK < used; block++) {
        const uint8_t *a = region + block * BLOCK, *b = first + block * BLOCK;
        if (memcmp(a, b, BLOCK) == 0) continue;
        uint16_t number = (uint16_t)(block + 1);
        memcpy(to, &number, 2);
        uint8_t *mask = to + 2;
        *mask = 0;
        to += 3;
        for (uint32_t i = 0; i < BLOCK_WORDS; i++)
            if (word_at(a + 8 * i) != word_at(b + 8 * i)) {
                *mask |= (uint8_t)(1u << i);
                memcpy(to, a + 8 * i, 8);
                to += 8;
            }
    }
    memset(to, 0, 2);
    return to + 2;
}

static const uint8_t *unpack_region(const uint8_t *from, uint8_t *region, const uint8_t *first) {
    uint32_t used;
    uint16_t number;
    memcpy(&used, from, 4);
    /* Blocks are whole: what of the last lies beyond the used extent is as in the first state. */
    memcpy(region, first, (used + BLOCK - 1) / BLOCK * BLOCK);
    for (from += 4; memcpy(&number, from, 2), number != 0;) {
        uint8_t *block = region + (number - 1u) * BLOCK, mask = from[2];
        from += 3;
        for (uint32_t i = 0; i < BLOCK_WORDS; i++)
            if (mask & 1u << i) {
                memcpy(block + 8 * i, from, 8);
                from += 8;
            }
    }
    return from + 2;
}

uint8_t *explore_pack(const struct explore_machine *m, const struct explore_copy *first, size_t *length) {
    uint8_t *packed = malloc(PACKED_MAX(m->side[0].size) + PACKED_MAX(m->side[1].size) + sizeof m->state), *to = packed;
    if (packed == NULL) return NULL;
    size_t head = HEAD + m->state.flights * sizeof m->state.flight[0];
    memcpy(to, &m->state, head);
    to += head;
    for (unsigned i = 0; i < 2; i++)
        to = pack_region(to, m->side[i].region, first->region[i], (uint32_t)bk_used_extent(m->side[i].stack));
    *length = (size_t)(to - packed);
    uint8_t *fit = realloc(packed, *length);
    return fit != NULL ? fit : packed;
}

void explore_unpack(struct explore_machine *m, const struct explore_copy *first, const uint8_t *packed) {
    memcpy(&m->state, packed, HEAD);
    memcpy(m->state.flight, packed + HEAD, m->state.flights * sizeof m->state.flight[0]);
    packed += HEAD + m->state.flights * sizeof m->state.flight[0];
    for (unsigned i = 0; i < 2; i++) packed = unpack_region(packed, m->side[i].region, first->region[i]);
}
