/* Two stacks, or two interfaces of one, joined in this process; and the clock that they live by. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "beckon/link.h"
#include "bench.h"

struct bench_clock {
    bool virtual_time;
    uint64_t now;
};
/* The time: real, or virtual and a microsecond later than when last asked. */
uint64_t bench_clock_read(struct bench_clock *clock);

/* A stack in memory of its own. */
struct bench_stack {
    bk_stack *stack;
    void *region;
    size_t size;
};
/* Makes one with a seed that is the same each time: benchmarks have no secrets, and guard runs must repeat. */
int bench_stack_create(struct bench_stack *s, const struct bk_config *config, uint8_t seed, uint64_t now,
                       struct bench_run *run);
/* Asks for huge pages, before much of the region is touched: of millions of records, half of what reaching one costs is finding its page. */
void bench_stack_huge_pages(const struct bench_stack *s);
void bench_stack_destroy(struct bench_stack *s);

/* What bulk transfers have in common: `buffer` bytes each way; no timestamps, so that an MTU of 1500 makes segments of 1460
 * bytes, as those of the peers do; no trace. */
void bench_bulk_config(struct bk_config *config, uint32_t buffer);

enum bench_world_kind {
    BENCH_MEMORY,              /* two stacks, the memory link between them, which copies */
    BENCH_MEMORY_BY_REFERENCE, /* one stack, two interfaces: the link hands chunks over, uncut */
    BENCH_SOCKETS,             /* two stacks, each with the TAP driver on one end of a socket pair */
};

/* Side 0 opens connections, side 1 listens. Side 0 has the addresses 10.0.0.1, 10.0.0.2, ..., side 1 has 10.1.0.1. */
struct bench_world {
    struct bench_run *run;
    struct bench_clock clock;
    struct bench_stack memory[2];
    bk_stack *stack[2]; /* the same one by reference */
    bk_link *link[2];   /* link[1] is NULL but for sockets */
    bk_addr server;
    uint64_t progress; /* when something last moved */
    bool same;
};
#define BENCH_PORT 80u

bk_addr bench_client_address(uint32_t i);
/* The MTU of the links, but where another is asked for. */
#define BENCH_MTU 1500u
/* Builds it; `clients` is how many addresses side 0 has. Returns 0, or -1 with run->why; close it in either case. */
int bench_world_open(struct bench_world *w, enum bench_world_kind kind, const struct bk_config *config,
                     uint32_t clients, struct bench_run *run);
/* The same with links of another MTU. */
int bench_world_open_mtu(struct bench_world *w, enum bench_world_kind kind, uint32_t mtu,
                         const struct bk_config *config, uint32_t clients, struct bench_run *run);
void bench_world_close(struct bench_world *w);
/* Moves frames once, at `now`. `busy` says that the user has done something since the last turn. When nothing moves, virtual time
 * goes on to what is due next, and real time goes by; when nothing has moved for ten seconds, that is an error.
 * Returns 0, or -1 with run->why. */
int bench_world_turn(struct bench_world *w, uint64_t now, bool busy);
/* How many stacks there are: 2, or 1 by reference. */
static inline uint32_t bench_world_stacks(const struct bench_world *w) {
    return w->same ? 1 : 2;
}

#endif
