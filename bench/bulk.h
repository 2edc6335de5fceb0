/* The fixed transfers that the instruction guard counts. */
#ifndef BENCH_BULK_H
#define BENCH_BULK_H

#include "world.h"

/* Sends so many segments through a world of this kind, in virtual time. Returns 0, or -1 with run->why. */
int bulk_guard(enum bench_world_kind kind, uint32_t buffer, uint64_t segments, struct bench_run *run);

#endif
