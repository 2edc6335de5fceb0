/* Arrival: the receiving half of a simulated device, from the wire to bk_input.
 *
 *     wire -> ring -> merged? -> padded? -> chunks, in one part or many -> bk_input, in batches
 *
 * Frames stand in the ring in the order in which they came: because the device collects them (a batch is handed in when it is full, or when its
 * first frame has waited long enough: what drivers call interrupt moderation), or because there was no chunk to put them into. What
 * finds the ring full is lost. The device is asked again (arrival_next) as long as any frame stands there.
 *
 * A frame's bytes lie in one chunk after the other, as few as there need be, or are cut at any place, with parts that begin anywhere in their chunks,
 * and empty ones among them (never the first: the link header comes first in parts[0]). Each chance has a source of its own. */
#ifndef LAB_ARRIVAL_H
#define LAB_ARRIVAL_H

#include "beckon/stack.h"
#include "beckon/trace.h"
#include "lab/tally.h"

#define ARRIVAL_RETRY_US 100u /* a device whose frames found no chunk looks again */

struct arrival_options {
    uint32_t batch;     /* frames handed in together, at most; 0 counts as 1 */
    uint32_t batch_us;  /* a batch that is not full waits so long after its first frame */
    uint32_t queue;     /* frames that may wait for chunks */
    uint32_t parts_ppm; /* chances per frame: odd parts; */
    uint32_t pad_ppm;   /* octets beyond the IP length, 1 to 46 */
    uint32_t merge_ppm; /* merged with those before it, if it can be (merge.h) */
};

struct arrival;

/* For an interface 0 of that layer; NULL: there is no memory. */
struct arrival *arrival_new(const struct arrival_options *options, enum bk_layer layer, uint64_t seed);
void arrival_free(struct arrival *a);
/* A frame comes. False: there is no room in the ring (arrival_deliver may make some), or no memory. */
bool arrival_push(struct arrival *a, const uint8_t *frame, size_t length, uint64_t now);
/* Hands in the batches that are due at `now`, as far as there are chunks, as of the stack's time `clock`, and tallies
 * them. Returns the reason of the last frame that came: BK_REASON_NONE while that one waits, BK_REASON_NO_CHUNK if it was
 * lost. */
uint16_t arrival_deliver(struct arrival *a, bk_stack *stack, struct tally *tally, uint64_t now, uint64_t clock);
/* How many frames stand in the ring. */
uint32_t arrival_count(const struct arrival *a);
/* When to call arrival_deliver again; BK_NEVER: nothing waits. */
uint64_t arrival_next(const struct arrival *a);
/* Forgets all that waits, as a device does that is switched off. */
void arrival_clear(struct arrival *a);
/* Nothing waits for a batch any more, and nothing is done to frames from now on. */
void arrival_calm(struct arrival *a);

#endif
