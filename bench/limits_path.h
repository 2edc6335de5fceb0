/* What this machine can do at best with the bytes of segments: limits.c, for the workloads that are held beside it. */
#ifndef BENCH_LIMITS_PATH_H
#define BENCH_LIMITS_PATH_H

#include "bench.h"

/* All that bulk does to each byte, with rings of `buffer` bytes, a multiple of 64 KiB, at most 4 MiB: sets values[0] in Gbit/s, values[1] in ns for 1,460
 * bytes. Returns 0, or -1 with run->why. */
int limits_path(uint32_t buffer, struct bench_run *run, double *values);

#endif
