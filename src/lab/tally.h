/* A tally: what a device saw pass, to be compared with what the stack behind it says it did.
 *
 * The stack gives each frame that arrives one reason, and each unit that it sends one; it counts TCP segments (RFC 4022). The tally counts the
 * same from outside, from the frames' bytes and the reasons that were told, and any difference is a mistake of the stack. Of retransmissions and
 * active opens the reasons show the least that there must have been.
 */
#ifndef LAB_TALLY_H
#define LAB_TALLY_H

#include "beckon/stack.h"
#include "beckon/trace.h"
#include "lab/fault.h"

struct tally {
    uint64_t in[BK_REASON_COUNT];  /* frames that arrived */
    uint64_t out[BK_REASON_COUNT]; /* units that left */
    uint64_t segments_in, segments_out, segments_again, resets_out;
};

/* A frame has arrived, and this became of it. */
void tally_in(struct tally *t, enum bk_layer layer, const uint8_t *frame, size_t length, uint16_t reason);
/* The frame of which tally_in was just told is so many segments that the device has merged. */
void tally_merged(struct tally *t, uint16_t reason, uint32_t segments);
/* A frame has left; the first of its unit, or not. */
void tally_out(struct tally *t, enum bk_layer layer, const uint8_t *frame, size_t length, uint16_t reason, bool first);
/* Whether the stack's counters agree. `units` is how many units that have left are still held by the device: with what the stack has in
 * its pool of frames it tells whether segments were built that have not left. Costs a look at each reason. */
bool tally_agrees(const struct tally *t, const bk_stack *stack, uint32_t units, struct fault *fault);

#endif
