/* What a lab found wrong: the first thing that should have held and did not, as one sentence. */
#ifndef LAB_FAULT_H
#define LAB_FAULT_H

#include <stdbool.h>

struct fault {
    bool found;
    char text[240];
};

/* Notes a fault, unless one was noted before: what comes after the first is often only its consequence. Returns false, so that a check
 * may end with it. */
__attribute__((format(printf, 2, 3))) bool fault_note(struct fault *f, const char *format, ...);

#endif
