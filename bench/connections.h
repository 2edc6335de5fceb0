/* Connections between two stacks in memory, one after the other or several at once: what `connections` and `cores` measure. */
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "world.h"

struct connections_parameters {
    uint32_t at_once, time_waits, idle;
    uint64_t count; /* of a timed run */
};

struct connections {
    struct bench_world world;
    const struct connections_parameters *parameters;
    bk_listener listener;
    uint32_t addresses;
    uint64_t to_start, started, answered, served, idle;
    bool failed;
};

/* Makes the stacks, as one of a group unless `steering` is NULL. Returns 0, or -1 and run->why; close it in either case. */
int connections_open(struct connections *s, const struct connections_parameters *p, const struct bk_steering *steering,
                     struct bench_run *run);
void connections_close(struct connections *s);
/* Opens what stands idle, and goes on until the pool of TIME-WAITs is full. Returns 0, or -1 and run->why, as do the next two. */
int connections_warm(struct connections *s);
/* Goes on until `count` more connections have been answered, and, if asked, closed at both ends. */
int connections_pass(struct connections *s, uint64_t count, bool to_the_end);
/* Ends what is open, and checks that nothing is left but what should be, and that no segment was sent twice. */
int connections_check(struct connections *s);

#endif
