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

/* In a function that checks, and has its `struct fault *fault`: unless the condition holds, notes what follows and returns false. */
#define FAULT_UNLESS(condition, ...)                                                                                   \
    do {                                                                                                               \
        if (!(condition)) return fault_note(fault, __VA_ARGS__);                                                       \
    } while (0)

#endif
