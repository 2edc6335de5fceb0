/* What the rounds of a case come to, as a table for people, as JSON, or as a verdict on the targets. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench.h"

#define REPORT_RUNS_MAX 99u

enum report_style { REPORT_TABLE, REPORT_JSON, REPORT_CHECK };

struct report {
    enum report_style style;
    uint32_t met, missed, skipped; /* targets */
};

/* The values of one case: a row for each round, and in it the metrics and, at BENCH_RATIO, the ratio to the peer. */
struct report_rounds {
    uint32_t runs;
    double value[REPORT_RUNS_MAX][BENCH_METRICS + 1];
};

/* Which machine and build this is, in a line without its end. */
#define REPORT_MACHINE 512u
void report_machine(char text[REPORT_MACHINE]);
/* Says so, and the date (table only). */
void report_begin(const struct report *r);
/* Begins a workload. */
void report_workload(const struct report *r, const struct bench_workload *w, uint32_t runs);
void report_case(struct report *r, const struct bench_workload *w, const struct bench_case *c,
                 const struct report_rounds *rounds);
/* Tells the targets of a case that was not run. */
void report_skipped(struct report *r, const struct bench_workload *w, const struct bench_case *c);

#endif
