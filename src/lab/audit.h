/* The audit: what must hold inside a stack between any two calls of its interface, whatever its peers and users do.
 *
 * Of a connection: the sequence variables are in order (ISS, SND.UNA, SND.NXT, the end of what is queued); its queues hold the bytes that
 * these variables say; what lies out of order is sorted, beyond RCV.NXT and within the window that was offered; a timer is pending
 * whenever something is outstanding, owed or waited for; a connection whose user is gone has a deadline that ends it.
 * Of the stack: every record is found under its tuple and nowhere else; lists and pools agree on how many there are of each kind; each
 * chunk has as many references as there are things that refer to it, and the budget is what the queues hold; counters that say how
 * many there are (tcpCurrEstab) say so; the next deadline is no later than anything that waits.
 *
 * An audit reads and changes nothing. It takes the region as the core's own headers describe it: a build audits its own stacks only.
 */
#ifndef LAB_AUDIT_H
#define LAB_AUDIT_H

#include "beckon/stack.h"
#include "lab/fault.h"

/* Chunk references that a caller holds and the stack cannot know of: taken with bk_chunk_alloc and not yet given back. */
struct audit_held {
    const uint32_t *chunks;
    uint32_t count;
    const uint32_t *frames; /* ids of units that a device has not let go of */
    uint32_t frame_count;
};

/* Everything; costs as much as there is in the stack. `held` may be NULL. Returns whether all of it holds; otherwise *fault says what does
 * not. */
bool audit_stack(const bk_stack *stack, const struct audit_held *held, struct fault *fault);
/* What concerns the connection of this handle alone: cheap enough for each event. True for a stale handle. */
bool audit_connection(const bk_stack *stack, bk_conn conn, struct fault *fault);
/* Whether nothing is left behind once all users are gone and all time has passed: every pool empty but those of listeners (if
 * `listeners` says so) and of the connection table's buckets. */
bool audit_empty(const bk_stack *stack, uint32_t listeners, struct fault *fault);

#endif
