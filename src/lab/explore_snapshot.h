/* Snapshots of a machine: a copy to go back to at once, and a short form to keep.
 *
 * Two regions of one world differ little: most of a stack's used extent is as it was in the world's first state. So the short form
 * holds, of each region, only the 8-byte words that differ from the first state, by blocks of 64 bytes. */
#ifndef LAB_EXPLORE_SNAPSHOT_H
#define LAB_EXPLORE_SNAPSHOT_H

#include "lab/explore_machine.h"

/* A copy of a machine's state, in memory of its own. */
struct explore_copy {
    uint8_t *region[2];
    size_t used[2];
    struct explore_state state;
};
bool explore_copy_init(struct explore_copy *c, const struct explore_machine *m);
void explore_copy_free(struct explore_copy *c);
void explore_copy_take(struct explore_copy *c, const struct explore_machine *m);
/* Puts the machine back into the state that was copied; only `side`'s region has changed since. */
void explore_copy_restore(const struct explore_copy *c, struct explore_machine *m, unsigned side);

/* The machine's state as a run of bytes from malloc, relative to `first`; its length in *length. NULL: no memory. */
uint8_t *explore_pack(const struct explore_machine *m, const struct explore_copy *first, size_t *length);
void explore_unpack(struct explore_machine *m, const struct explore_copy *first, const uint8_t *packed);

#endif
