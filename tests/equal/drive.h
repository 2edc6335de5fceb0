/* The driver's own parts: see world.h for what it is, drive.c for how it goes about it. */
#ifndef EQUAL_DRIVE_H
#define EQUAL_DRIVE_H

#include "base/draw.h"
#include "world.h"

static inline bk_stack *stack_of(const struct world *w, unsigned side) {
    return (bk_stack *)(void *)w->region[side];
}
static inline uint32_t below(struct world *w, uint32_t n) {
    return draw_below(&w->state.seed, n);
}
static inline bool one_in(struct world *w, uint32_t n) {
    return draw_below(&w->state.seed, n) == 0;
}

/* What the module exports. */
extern BK_API const struct driver driver;

/* Adds an entry to the record. */
void note(struct world *w, enum record_kind kind, const void *bytes, size_t length);
void note_number(struct world *w, enum record_kind kind, int64_t number);

/* A frame enters the wire towards side `to`, or is lost there for want of room. */
void wire_put(struct world *w, unsigned to, const uint8_t *bytes, size_t length, uint64_t arrives);

/* One call of one user of this side, drawn. */
void user_act(struct world *w, unsigned side);
/* A frame that no stack would send, or not now: an old one again, one with other numbers, a router's advertisement. */
void strange_frame(struct world *w);

#endif
