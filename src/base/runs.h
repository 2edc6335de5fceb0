/* Runs: data that arrived out of order, as unbroken runs of bytes with gaps between them.
 *
 * All extents stand in one queue in the order of their numbers. The first extent of each run stands in a tree, too, by which the run that holds
 * a number, or the one before it, is found in O(log n), whatever a peer sends (SegmentSmack). In a run's first extent `link` names its last one, in the
 * others the one before: so runs merge, and the queue loses its end, in a few steps. Two runs never touch.
 */
#ifndef BASE_RUNS_H
#define BASE_RUNS_H

#include "base/extent.h"

struct runs {
    struct extent_queue queue;
    struct tree tree;
    uint32_t count; /* runs */
};

struct span {
    uint32_t left, right; /* [left, right); empty if equal */
};

/* No data; of the budget all may be used, unless queue.limit says otherwise. */
void runs_init(struct runs *r);
/* Drops everything; the limit stays. */
void runs_clear(struct base *b, struct runs *r);
/* Keeps packet bytes [offset, offset + n), n > 0, numbered from seq: what is known already is not kept twice. Returns 1 if something new was
 * kept, 0 if all was known, -1 if the budget or `max` extents are spent. *known is the first part that was known. */
int runs_insert(struct base *b, struct runs *r, uint32_t seq, const struct packet *p, uint32_t offset, uint32_t n,
                uint32_t max, struct span *known);
/* Moves the runs that begin at or before `seq` to `to`'s tail, trimmed to what is new; returns the sequence number after the
 * last byte moved (or seq). *known is the first part before `seq`. */
uint32_t runs_splice(struct base *b, struct extent_queue *to, struct runs *r, uint32_t seq, struct span *known);
/* Drops the last extent, the one that is furthest from being read; there must be one. Returns the number it began with. */
uint32_t runs_drop_last(struct base *b, struct runs *r);
/* The run that holds `seq`; empty if none does. */
struct span runs_find(const struct base *b, const struct runs *r, uint32_t seq);
/* The run in [left, ...) order: the first extents of runs, for those who look at all of them. BK_NONE: none. */
uint32_t runs_first(const struct runs *r);
uint32_t runs_next(const struct base *b, uint32_t run);
struct span runs_span(const struct base *b, uint32_t run);
struct tree_of runs_tree(const struct base *b);

#endif
