/* The workload `limits`: what this machine can do at best with the bytes of a segment, with our own copy and checksum.
 *
 * 1,460 bytes at a time, in and out of a ring of 64 frames that stays in the second-level cache. The last case is what `bulk` cannot be
 * faster than, as long as it copies in, copies across with the checksum, verifies, and copies out: no protocol at all. The
 * two before it are its parts.
 */
#include "bench.h"

#include <string.h>

#include "base/checksum.h"

#define LIMITS_SEGMENT 1460u
#define LIMITS_STRIDE  2048u
#define LIMITS_FRAMES  64u
#define LIMITS_COUNT   UINT64_C(2000000)

enum limits_kind { LIMITS_COPY, LIMITS_CHECKSUM, LIMITS_PATH };

struct limits {
    uint8_t user[2][65536], queue[LIMITS_FRAMES][LIMITS_STRIDE], frame[LIMITS_FRAMES][LIMITS_STRIDE];
    uint64_t sum;
};
static struct limits limits;

/* The compiler must believe that somebody looks at the result. */
static volatile uint64_t limits_seen;

static void limits_segment(struct limits *l, enum limits_kind kind, uint64_t i) {
    uint8_t *queue = l->queue[i % LIMITS_FRAMES], *frame = l->frame[i % LIMITS_FRAMES];
    size_t at = i * LIMITS_SEGMENT % (sizeof l->user[0] - LIMITS_SEGMENT);
    switch (kind) {
    case LIMITS_COPY:
        memcpy(frame, l->user[0] + at, LIMITS_SEGMENT);
        limits_seen = frame[i % LIMITS_SEGMENT];
        break;
    case LIMITS_CHECKSUM:
        l->sum = checksum_add(l->sum, frame, LIMITS_SEGMENT);
        break;
    case LIMITS_PATH:
        memcpy(queue, l->user[0] + at, LIMITS_SEGMENT);
        l->sum = checksum_copy(l->sum, frame, queue, LIMITS_SEGMENT);
        l->sum = checksum_add(l->sum, frame, LIMITS_SEGMENT);
        memcpy(l->user[1] + at, frame, LIMITS_SEGMENT);
        limits_seen = l->user[1][at];
        break;
    }
}

static int limits_run(const struct bench_case *c, struct bench_run *run, double *values) {
    enum limits_kind kind = *(const enum limits_kind *)c->parameters;
    uint64_t count = run->quick || run->verify ? LIMITS_COUNT / 64 : LIMITS_COUNT;
    for (uint64_t i = 0; i < count / 16; i++) limits_segment(&limits, kind, i);
    double t = bench_cpu_seconds();
    for (uint64_t i = 0; i < count; i++) limits_segment(&limits, kind, i);
    t = bench_cpu_seconds() - t;
    limits_seen = limits.sum;
    if (t <= 0) return bench_fail(run, "too short to be timed");
    values[0] = (double)count * LIMITS_SEGMENT * 8e-9 / t;
    values[1] = t * 1e9 / (double)count;
    return 0;
}

static const struct bench_metric limits_metrics[] = {
    {"throughput", "Gbit/s per core", 1},
    {"time per 1,460 bytes", "ns", 1},
};

static const enum limits_kind limits_copy = LIMITS_COPY, limits_checksum = LIMITS_CHECKSUM, limits_path = LIMITS_PATH;
static const struct bench_case limits_cases[] = {
    {.name = "copy", .about = "memcpy", .parameters = &limits_copy},
    {.name = "checksum", .about = "the checksum alone", .parameters = &limits_checksum},
    {.name = "path",
     .about = "copy, copy with checksum, checksum, copy: what bulk does to each byte",
     .parameters = &limits_path},
};

const struct bench_workload bench_limits = {
    .name = "limits",
    .about = "copy and checksum of 1,460 bytes in cache: the bounds of this machine for bulk",
    .metrics = limits_metrics,
    .metric_count = BK_COUNT(limits_metrics),
    .cases = limits_cases,
    .case_count = BK_COUNT(limits_cases),
    .run = limits_run,
};
