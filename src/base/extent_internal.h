/* What extent.c and runs.c share: extents before they are linked, and the links. */
#ifndef BASE_EXTENT_INTERNAL_H
#define BASE_EXTENT_INTERNAL_H

#include "base/extent.h"

/* An extent of so many bytes, still to be written, in a chunk of its own, not yet linked; BK_NONE at a bound. */
uint32_t extent_new_chunk(struct base *b, const struct extent_queue *q, uint32_t seq, uint16_t length);
/* An extent for a run of bytes, with a reference of its own to the chunk, not yet linked; BK_NONE at a bound. */
uint32_t extent_refer(struct base *b, const struct extent_queue *q, uint32_t seq, const struct bk_part *part);
/* Gives up an extent that is in no queue any more, with its reference. */
void extent_free(struct base *b, uint32_t id);

void extent_queue_link_tail(struct base *b, struct extent_queue *q, uint32_t id);
void extent_queue_pop_head(struct base *b, struct extent_queue *q);

/* How far a chunk is written to; offsets and lengths of extents have 16 bits. */
uint32_t extent_chunk_bytes(const struct base *b);
/* Whether n bytes are too few to hold a chunk for: half a chunk or more is worth its reference. */
bool extent_is_small(const struct base *b, uint32_t n);

#endif
