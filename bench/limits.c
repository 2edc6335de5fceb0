/* The workload `limits`: what this machine can do at best with the bytes of segments, with our own copy and checksum.
 *
 * 64 KB pass at a time, in segments of 1,460 bytes, through the steps that bulk data go through: in, from the user to the send queue; across, from
 * the queue to a frame behind its headers, with the checksum; verify, the checksum of what came; out, from the frame to the user. No protocol
 * at all. The queue and the frames are rings of as many bytes as the buffers of a case of `bulk`: large ones leave the caches, so a
 * case is to be compared with the one here that has the same buffers.
 */
#include "limits_path.h"

#include <string.h>

#include "base/checksum.h"

#define LIMITS_SEGMENT 1460u
#define LIMITS_BATCH   44u /* segments in 64 KB */
#define LIMITS_STRIDE  2048u
#define LIMITS_HEADERS 40u
#define LIMITS_ROUNDS  UINT64_C(40000)
#define LIMITS_MOST    64u /* batches in a ring, of 4 MB */

enum limits_step { LIMITS_IN = 1, LIMITS_ACROSS = 2, LIMITS_VERIFY = 4, LIMITS_OUT = 8, LIMITS_PATH = 15 };

struct limits_case {
    uint32_t steps;   /* enum limits_step */
    uint32_t batches; /* of the rings */
};

struct limits {
    uint8_t user[2][LIMITS_BATCH][LIMITS_SEGMENT];
    uint8_t queue[LIMITS_MOST * LIMITS_BATCH][LIMITS_SEGMENT];
    uint8_t frame[LIMITS_MOST * LIMITS_BATCH][LIMITS_STRIDE];
    size_t length; /* of a segment: a variable, since the compiler has ways of its own to copy a constant */
    uint64_t sum;
    uint8_t way;
};
static struct limits limits;

/* The compiler must believe that somebody looks at the result. */
static volatile uint64_t limits_seen;

/* Each step takes the whole batch, as one call of a user or a link does. */
static void limits_batch(struct limits *l, const struct limits_case *c, uint64_t round) {
    uint8_t(*queue)[LIMITS_SEGMENT] = &l->queue[round % c->batches * LIMITS_BATCH];
    uint8_t(*frame)[LIMITS_STRIDE] = &l->frame[round % c->batches * LIMITS_BATCH];
    for (uint32_t i = 0; c->steps & LIMITS_IN && i < LIMITS_BATCH; i++) memcpy(queue[i], l->user[0][i], l->length);
    for (uint32_t i = 0; c->steps & LIMITS_ACROSS && i < LIMITS_BATCH; i++)
        l->sum = checksum_copy_by(l->way, l->sum, frame[i] + LIMITS_HEADERS, queue[i], l->length);
    for (uint32_t i = 0; c->steps & LIMITS_VERIFY && i < LIMITS_BATCH; i++)
        l->sum = checksum_add_by(l->way, l->sum, frame[i] + LIMITS_HEADERS, l->length);
    for (uint32_t i = 0; c->steps & LIMITS_OUT && i < LIMITS_BATCH; i++)
        memcpy(l->user[1][i], frame[i] + LIMITS_HEADERS, l->length);
    limits_seen = l->sum + queue[0][0] + l->user[1][LIMITS_BATCH - 1][0];
}

static int limits_measure(const struct limits_case *c, struct bench_run *run, double *values) {
    uint64_t rounds = run->quick || run->verify ? LIMITS_ROUNDS / 64 : LIMITS_ROUNDS;
    limits.way = checksum_way_best();
    limits.length = LIMITS_SEGMENT;
    for (uint64_t i = 0; i < LIMITS_MOST; i++) limits_batch(&limits, c, i);
    double t = bench_cpu_seconds();
    for (uint64_t i = 0; i < rounds; i++) limits_batch(&limits, c, i);
    t = bench_cpu_seconds() - t;
    if (t <= 0) return bench_fail(run, "too short to be timed");
    double segments = (double)rounds * LIMITS_BATCH;
    values[0] = segments * LIMITS_SEGMENT * 8e-9 / t;
    values[1] = t * 1e9 / segments;
    return 0;
}

int limits_path(uint32_t buffer, struct bench_run *run, double *values) {
    const struct limits_case path = {LIMITS_PATH, buffer / 65536};
    return limits_measure(&path, run, values);
}

static int limits_run(const struct bench_case *c, struct bench_run *run, double *values) {
    return limits_measure(c->parameters, run, values);
}

static const struct bench_metric limits_metrics[] = {
    {"throughput", "Gbit/s per core", 1},
    {"time per 1,460 bytes", "ns", 1},
};

static const struct limits_case limits_copy = {LIMITS_IN, 1}, limits_checksum = {LIMITS_VERIFY, 1},
                                limits_across = {LIMITS_ACROSS, 1}, limits_sums = {LIMITS_ACROSS | LIMITS_VERIFY, 4},
                                limits_copies = {LIMITS_IN | LIMITS_OUT, 4}, limits_64k = {LIMITS_PATH, 1},
                                limits_256k = {LIMITS_PATH, 4}, limits_1m = {LIMITS_PATH, 16},
                                limits_4m = {LIMITS_PATH, 64};
static const struct bench_case limits_cases[] = {
    {.name = "copy", .about = "memcpy", .parameters = &limits_copy},
    {.name = "checksum", .about = "the checksum alone", .parameters = &limits_checksum},
    {.name = "copy-checksum", .about = "both in one pass", .parameters = &limits_across},
    {.name = "path-64K", .about = "in, across, verify, out: what bulk does to each byte", .parameters = &limits_64k},
    {.name = "path-256K", .about = "with rings of 256 KiB", .parameters = &limits_256k},
    {.name = "path-1M", .about = "1 MiB", .parameters = &limits_1m},
    {.name = "path-4M", .about = "4 MiB", .parameters = &limits_4m},
    {.name = "reference-256K",
     .about = "in and out: what a link leaves that hands references over",
     .parameters = &limits_copies},
    {.name = "zero-copy-256K",
     .about = "across and verify: what users leave that copy nothing",
     .parameters = &limits_sums},
};

const struct bench_workload bench_limits = {
    .name = "limits",
    .about = "copy and checksum of 1,460 bytes, 64 KB at a time: the bounds of this machine for bulk",
    .metrics = limits_metrics,
    .metric_count = BK_COUNT(limits_metrics),
    .cases = limits_cases,
    .case_count = BK_COUNT(limits_cases),
    .run = limits_run,
};
