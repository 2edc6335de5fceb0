/* A path that is run to its end: frames enter at their times, and all that leaves is noted. */
#ifndef TESTS_PATH_RUN_H
#define TESTS_PATH_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/path.h"

#define START  (7 * NS_PER_S) /* of a path's time, so that none begins at 0 */
#define FRAMES 20000u
#define MBIT   UINT64_C(1000000)

struct arrival {
    uint64_t time;
    uint32_t number;
    uint32_t length;
    uint8_t bytes[64]; /* the frame's first */
};

struct run {
    struct path *path;
    struct arrival *arrival;
    size_t count, room;
    uint8_t frame[65535 + 14];
};

struct run *run_begin(const struct path_options *options, uint64_t seed);
void run_end(struct run *r);
/* Takes all that leaves up to `until`; path_next is never too late. */
void run_until(struct run *r, uint64_t until);
/* Frame `number` of these bytes: its number is its end. It enters `at` after the path was made. */
enum path_fate run_enter(struct run *r, uint32_t number, size_t length, uint64_t at);
/* So many frames, evenly spaced, and all that leaves; the counters add up. */
void run_frames(struct run *r, uint32_t n, size_t length, uint64_t apart);

#endif
