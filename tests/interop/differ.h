/* The kernel as a side of a comparison (src/lab/differ.h). */
#ifndef INTEROP_DIFFER_H
#define INTEROP_DIFFER_H

#include "lab/differ.h"

/* The kernel of this network namespace, through the tun device of this name. NULL and *why if it cannot be had. */
struct differ_side *differ_kernel_new(const char *device, const char **why);
void differ_kernel_free(struct differ_side *side);
/* How long silence must last before it counts as silence. The kernel answers inside of our own write, as a rule, so that 0 is enough; a
 * difference is believed when it shows again with more. */
void differ_kernel_patience(struct differ_side *side, int ms);

#endif
