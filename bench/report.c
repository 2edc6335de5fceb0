/* Medians, and how they are told; see report.h. */
#define _GNU_SOURCE 1
#include "report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define REPORT_NAME 64u

struct report_line {
    char metric[REPORT_NAME];
    const char *unit;
    int decimals;
    double median, min, max;
    const struct bench_target *target; /* or NULL */
    bool met;
};

static int report_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The metric `index` of all rounds; an even number of rounds has two middles. */
static struct report_line report_line(const struct bench_workload *w, const struct bench_case *c,
                                      const struct report_rounds *rounds, uint32_t index) {
    struct report_line line = {.unit = "ratio", .decimals = 3};
    const struct bench_metric *metrics;
    double sorted[REPORT_RUNS_MAX];
    uint32_t n = rounds->runs;
    for (uint32_t i = 0; i < n; i++) sorted[i] = rounds->value[i][index];
    qsort(sorted, n, sizeof *sorted, report_compare);
    line.median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    line.min = sorted[0];
    line.max = sorted[n - 1];
    if (index == BENCH_RATIO) {
        snprintf(line.metric, sizeof line.metric, "ratio to %s", c->peer);
    } else {
        bench_metrics(w, c, &metrics);
        snprintf(line.metric, sizeof line.metric, "%s", metrics[index].name);
        line.unit = metrics[index].unit;
        line.decimals = metrics[index].decimals;
    }
    for (uint32_t i = 0; i < c->targets; i++)
        if (c->target[i].metric == index) line.target = &c->target[i];
    if (line.target != NULL)
        line.met = line.target->at_most ? line.median <= line.target->value : line.median >= line.target->value;
    return line;
}

static void report_json(const struct bench_workload *w, const struct bench_case *c, const struct report_line *l,
                        uint32_t runs) {
    json_t *target = l->target != NULL ? json_real(l->target->value) : json_null();
    json_t *met = l->target != NULL ? json_boolean(l->met) : json_null();
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:i, s:o, s:o}", "workload", w->name, "case", c->name,
                          "metric", l->metric, "unit", l->unit, "median", l->median, "min", l->min, "max", l->max,
                          "runs", (int)runs, "target", target, "met", met);
    if (o != NULL) json_dumpf(o, stdout, JSON_REAL_PRECISION(9));
    json_decref(o);
    putchar('\n');
    fflush(stdout);
}

static const char *report_bound(const struct bench_target *t) {
    return t->at_most ? "at most" : "at least";
}

static void report_row(const struct bench_case *c, const struct report_line *l, bool first) {
    printf("  %-22s %-26s %12.*f %12.*f %12.*f  %s", first ? c->name : "", l->metric, l->decimals, l->median,
           l->decimals, l->min, l->decimals, l->max, l->unit);
    if (l->target != NULL)
        printf("; target %s %g: %s", report_bound(l->target), l->target->value, l->met ? "met" : "missed");
    putchar('\n');
    fflush(stdout);
}

void report_case(struct report *r, const struct bench_workload *w, const struct bench_case *c,
                 const struct report_rounds *rounds) {
    const struct bench_metric *metrics;
    uint32_t count = bench_metrics(w, c, &metrics);
    for (uint32_t i = 0; i <= BENCH_RATIO; i++) {
        if (i == BENCH_RATIO ? c->peer == NULL : i >= count) continue;
        struct report_line line = report_line(w, c, rounds, i);
        if (line.target != NULL) (*(line.met ? &r->met : &r->missed))++;
        if (r->style == REPORT_JSON) report_json(w, c, &line, rounds->runs);
        if (r->style == REPORT_TABLE) report_row(c, &line, i == 0);
        if (r->style == REPORT_CHECK && line.target != NULL)
            printf("%-6s %s/%s: %s %.*f %s, target %s %g\n", line.met ? "met" : "missed", w->name, c->name, line.metric,
                   line.decimals, line.median, line.unit, report_bound(line.target), line.target->value);
    }
}

void report_skipped(struct report *r, const struct bench_workload *w, const struct bench_case *c) {
    r->skipped += c->targets;
    for (uint32_t i = 0; i < c->targets && r->style == REPORT_CHECK; i++)
        printf("%-6s %s/%s: not measured here, target %s %g\n", "skipped", w->name, c->name,
               report_bound(&c->target[i]), c->target[i].value);
}

void report_workload(const struct report *r, const struct bench_workload *w, uint32_t runs) {
    if (r->style != REPORT_TABLE) return;
    printf("\n%s: %s\n", w->name, w->about);
    for (uint32_t i = 0; i < w->case_count; i++) printf("    %s: %s\n", w->cases[i].name, w->cases[i].about);
    printf("  %-22s %-26s %12s %12s %12s  (%u %s)\n", "case", "metric", "median", "min", "max", runs,
           runs == 1 ? "run" : "runs");
    fflush(stdout);
}

static void report_processor(char *name, size_t size) {
    char text[256];
    snprintf(name, size, "an unknown processor");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f != NULL && fgets(text, sizeof text, f) != NULL) {
        char *colon = strchr(text, ':');
        if (strncmp(text, "model name", 10) != 0 || colon == NULL) continue;
        text[strcspn(text, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 2);
        break;
    }
    if (f != NULL) fclose(f);
}

void report_machine(char text[REPORT_MACHINE]) {
    struct utsname u = {0};
    char processor[128];
    uname(&u);
    report_processor(processor, sizeof processor);
    snprintf(text, REPORT_MACHINE, "beckon %s, compiler %s; %s, %ld online, %s %s", bk_version(), __VERSION__,
             processor, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
}

void report_begin(const struct report *r) {
    char machine[REPORT_MACHINE], date[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (r->style != REPORT_TABLE) return;
    report_machine(machine);
    if (gmtime_r(&now, &tm) != NULL) strftime(date, sizeof date, "%Y-%m-%d", &tm);
    printf("%s; %s\n", machine, date);
    fflush(stdout);
}
