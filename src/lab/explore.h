/* Exploration: every state that a small world of two stacks can reach, visited with the code as it ships.
 *
 * From the first state on, everything that may happen next (explore_machine.h) is tried in each state, level by level, until nothing new
 * is found: the fixed point. States are recognised by a canonical hash. After each step the wire is watched, the users compare what they
 * heard, and each new state's stacks are audited; at the fixed point it is known, too, from which states both stacks can still come
 * to rest. A fault ends the exploration with the shortest path to it. The outcome is the same for any number of threads.
 */
#ifndef LAB_EXPLORE_H
#define LAB_EXPLORE_H

#include "lab/explore_machine.h"

struct explore_progress {
    const char *world;
    uint64_t states, transitions, frontier;
    uint32_t depth;
    double seconds;
};

struct explore_limits {
    uint64_t states; /* 0: 100 million; where addresses have 32 bits, 10 million */
    uint32_t depth;  /* 0: none */
    unsigned threads;
    uint32_t check_hash; /* of the transitions to states that are known, expand one in so many and compare; 0: none */
    void (*progress)(const struct explore_progress *p); /* about twice a second, or NULL */
};

/* From the first state on. */
struct explore_path {
    struct explore_action *action; /* from malloc */
    uint32_t length;
};

struct explore_result {
    uint64_t states, transitions, frontier_max;
    uint64_t checked;      /* comparisons that check_hash made */
    uint64_t packed_bytes; /* of all states' short forms */
    uint32_t depth;        /* of the deepest state */
    double seconds;
    bool bounded; /* a limit ended it: no fixed point */
    struct fault fault;
    struct explore_path path;  /* to the fault */
    struct explore_path other; /* check_hash: to the state that has the same hash and another future */
};

/* Returns 0, or -ENOMEM. */
int explore_run(const struct explore_world *w, const struct explore_options *options,
                const struct explore_limits *limits, struct explore_result *result);
void explore_result_free(struct explore_result *result);

#endif
