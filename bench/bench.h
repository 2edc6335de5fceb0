/* The frame of the benchmarks: what a workload is, and what a run of one of its cases is told and tells.
 *
 * A workload is a table of cases and a function that runs a case once and fills in its metrics. The frame (bench.c) runs the
 * cases of a workload in turns, several rounds of them, so that what disturbs the machine for a while disturbs all alike;
 * report.c makes medians of the rounds. A case may name another one of its workload as its peer: then the first metric of
 * each round is also divided by that of the peer in the same round, and the median of these ratios is a metric of its own.
 * A new workload is a file here, a line in bench_workloads (bench.c), and nothing else.
 *
 * Timed runs live in real time, as an embedder does, and read the clock where an embedder must. Guard runs
 * live in virtual time with fixed seeds: the same work, instruction for instruction, each time. So do verifying runs: no
 * timer goes off because the machine is busy, and what they count is exact.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "beckon/stack.h"

#define BENCH_METRICS 4u
#define BENCH_CASES   64u           /* of a workload, at most */
#define BENCH_RATIO   BENCH_METRICS /* index of the ratio to the peer among a case's values */
#define BENCH_WHY     200u
#define BENCH_TARGETS 2u

struct bench_metric {
    const char *name, *unit;
    int decimals;
};

/* What a case should reach: `metric` is an index, or BENCH_RATIO. */
struct bench_target {
    uint32_t metric;
    double value;
    bool at_most; /* less is better */
};

struct bench_run;

struct bench_case {
    const char *name;  /* without spaces */
    const char *about; /* what it is, in a line */
    const void *parameters;
    const char *peer; /* name of the case it is compared with, or NULL */
    struct bench_target target[BENCH_TARGETS];
    uint32_t targets;
    /* What it measures, if that is not what its workload says. */
    const struct bench_metric *metrics;
    uint32_t metric_count;
    /* As its workload's, for this case alone. NULL: it can run where its workload can. */
    int (*available)(struct bench_run *run);
};

/* One run of a case: what is asked, and what went wrong. */
struct bench_run {
    bool verify;         /* check every byte; the values do not count */
    bool quick;          /* a small fraction of the work */
    bool virtual_time;   /* of what happens in this process: guard and verifying runs */
    uint32_t round;      /* from 0: cases of one round are compared with each other */
    const char *capture; /* a folder for captures, or NULL */
    char why[BENCH_WHY];
};
/* Says what went wrong; returns -1. */
__attribute__((format(printf, 2, 3))) int bench_fail(struct bench_run *run, const char *format, ...);

struct bench_workload {
    const char *name, *about;
    const struct bench_metric *metrics;
    uint32_t metric_count;
    const struct bench_case *cases;
    uint32_t case_count;
    /* Says in run->why why this workload cannot run on this machine, and returns -1; else 0. NULL: it can. */
    int (*available)(struct bench_run *run);
    /* Runs a case and sets values[0..metric_count). Returns 0, or -1 with run->why. */
    int (*run)(const struct bench_case *c, struct bench_run *run, double *values);
    /* Does n units of the workload for the instruction guard. Returns 0, or -1 with run->why. NULL: it is not guarded. */
    int (*guard)(uint64_t n, struct bench_run *run);
    const char *guard_unit;
    bool by_name; /* it takes long, and runs only if it is asked for */
};

extern const struct bench_workload bench_bulk, bench_connections, bench_crowd, bench_cores, bench_scale, bench_latency,
    bench_memory, bench_flood, bench_tap, bench_http, bench_kernel, bench_xdp, bench_path, bench_limits;

/* The case's metrics: its own, or its workload's. */
static inline uint32_t bench_metrics(const struct bench_workload *w, const struct bench_case *c,
                                     const struct bench_metric **metrics) {
    *metrics = c->metrics != NULL ? c->metrics : w->metrics;
    return c->metrics != NULL ? c->metric_count : w->metric_count;
}

/* Processor time of this process, in seconds. */
double bench_cpu_seconds(void);

#endif
