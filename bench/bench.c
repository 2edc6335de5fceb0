/* `beckon bench`: chooses workloads, runs their cases round by round, and has the report made. See bench.h. */
#define _GNU_SOURCE 1
#include "bench.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cmd/cmd.h"
#include "report.h"

#define BENCH_RUNS       5u
#define BENCH_CHOSEN_MAX 16u

static const struct bench_workload *const bench_workloads[] = {
    &bench_bulk,  &bench_connections, &bench_crowd, &bench_cores,  &bench_scale, &bench_latency, &bench_memory,
    &bench_flood, &bench_tap,         &bench_http,  &bench_kernel, &bench_xdp,   &bench_path,    &bench_limits,
};

struct bench_arguments {
    bool list, machine, json, check, verify, quick;
    uint32_t runs; /* 0: not given */
    const char *guard, *capture;
    uint64_t guard_units;
    const char *chosen[BENCH_CHOSEN_MAX]; /* WORKLOAD or WORKLOAD/CASE */
    uint32_t chosen_count;
};

/* ---- choosing ---- */

static const struct bench_workload *bench_find(const char *name, size_t length) {
    for (size_t i = 0; i < BK_COUNT(bench_workloads); i++)
        if (strlen(bench_workloads[i]->name) == length && strncmp(bench_workloads[i]->name, name, length) == 0)
            return bench_workloads[i];
    return NULL;
}

static int bench_case_index(const struct bench_workload *w, const char *name) {
    for (uint32_t i = 0; i < w->case_count; i++)
        if (strcmp(w->cases[i].name, name) == 0) return (int)i;
    return -1;
}

/* Whether there is such a workload, or case of one. */
static bool bench_known(const char *text) {
    size_t length = strcspn(text, "/");
    const struct bench_workload *w = bench_find(text, length);
    return w != NULL && (text[length] == '\0' || bench_case_index(w, text + length + 1) >= 0);
}

static bool bench_asked(const struct bench_arguments *a, const struct bench_workload *w, const struct bench_case *c) {
    size_t length = strlen(w->name);
    for (uint32_t i = 0; i < a->chosen_count; i++) {
        const char *text = a->chosen[i];
        if (strncmp(text, w->name, length) != 0) continue;
        if (text[length] == '\0' || (text[length] == '/' && strcmp(text + length + 1, c->name) == 0)) return true;
    }
    return a->chosen_count == 0 && !w->by_name;
}

/* Asked for, or the peer of one that is. */
static bool bench_wanted(const struct bench_arguments *a, const struct bench_workload *w, const struct bench_case *c) {
    if (bench_asked(a, w, c)) return true;
    for (uint32_t i = 0; i < w->case_count; i++) {
        const struct bench_case *other = &w->cases[i];
        if (other->peer != NULL && strcmp(other->peer, c->name) == 0 && bench_asked(a, w, other)) return true;
    }
    return false;
}

/* The cases of a workload that will be run. */
struct bench_plan {
    const struct bench_workload *w;
    bool runs[BENCH_CASES];
    bool left_out; /* one was asked for and cannot run here */
};

/* A case that cannot run here is skipped aloud. */
static void bench_plan_case(struct bench_plan *plan, const struct bench_arguments *a, uint32_t i,
                            struct report *report) {
    const struct bench_case *c = &plan->w->cases[i];
    struct bench_run run = {0};
    plan->runs[i] = bench_wanted(a, plan->w, c);
    if (!plan->runs[i] || c->available == NULL || c->available(&run) == 0) return;
    plan->runs[i] = false;
    plan->left_out = true;
    report_skipped(report, plan->w, c);
    cmd_error("%s/%s is skipped: %s", plan->w->name, c->name, run.why);
}

/* ---- running ---- */

static int bench_run_case(const struct bench_workload *w, const struct bench_case *c, const struct bench_arguments *a,
                          bool verify, uint32_t round, double *values) {
    struct bench_run run = {.verify = verify,
                            .quick = a->quick,
                            .virtual_time = verify,
                            .round = round,
                            .capture = verify ? NULL : a->capture};
    if (w->run(c, &run, values) == 0) return 0;
    cmd_error("%s/%s%s: %s", w->name, c->name, verify ? ", verifying" : "", run.why);
    return -1;
}

/* All cases once, for each round; and then each case's ratio to its peer in that round. */
static int bench_round(const struct bench_plan *plan, const struct bench_arguments *a, struct report_rounds *rounds,
                       uint32_t round) {
    const struct bench_workload *w = plan->w;
    for (uint32_t i = 0; i < w->case_count; i++)
        if (plan->runs[i] && bench_run_case(w, &w->cases[i], a, false, round, rounds[i].value[round]) < 0) return -1;
    for (uint32_t i = 0; i < w->case_count; i++) {
        const struct bench_case *c = &w->cases[i];
        int peer = c->peer != NULL ? bench_case_index(w, c->peer) : -1;
        if (peer >= 0 && plan->runs[i])
            rounds[i].value[round][BENCH_RATIO] = rounds[i].value[round][0] / rounds[peer].value[round][0];
        rounds[i].runs = round + 1;
    }
    return 0;
}

static int bench_rounds(const struct bench_plan *plan, const struct bench_arguments *a, struct report *report,
                        struct report_rounds *rounds) {
    const struct bench_workload *w = plan->w;
    double unused[BENCH_METRICS];
    uint32_t runs = a->runs != 0 ? a->runs : a->quick ? 1 : BENCH_RUNS;
    for (uint32_t i = 0; i < w->case_count && (a->verify || a->quick); i++)
        if (plan->runs[i] && bench_run_case(w, &w->cases[i], a, true, 0, unused) < 0) return CMD_FAILED;
    report_workload(report, w, runs);
    for (uint32_t round = 0; round < runs; round++)
        if (bench_round(plan, a, rounds, round) < 0) return CMD_FAILED;
    for (uint32_t i = 0; i < w->case_count; i++)
        if (plan->runs[i]) report_case(report, w, &w->cases[i], &rounds[i]);
    return CMD_WORKED;
}

/* A workload that cannot run here is skipped aloud; that is an error only if it was asked for by name. */
static int bench_skip(const struct bench_workload *w, const struct bench_arguments *a, struct report *report,
                      const char *why) {
    for (uint32_t i = 0; i < w->case_count; i++)
        if (bench_asked(a, w, &w->cases[i])) report_skipped(report, w, &w->cases[i]);
    cmd_error("%s is skipped: %s", w->name, why);
    return a->chosen_count > 0 ? CMD_USAGE : CMD_WORKED;
}

static int bench_workload(const struct bench_workload *w, const struct bench_arguments *a, struct report *report) {
    struct bench_run run = {0};
    struct bench_plan plan = {.w = w};
    bool any = false;
    for (uint32_t i = 0; i < w->case_count; i++) any |= bench_asked(a, w, &w->cases[i]);
    if (!any) return CMD_WORKED;
    if (w->available != NULL && w->available(&run) < 0) return bench_skip(w, a, report, run.why);
    for (uint32_t i = 0; i < w->case_count; i++) bench_plan_case(&plan, a, i, report);
    struct report_rounds *rounds = calloc(w->case_count, sizeof *rounds);
    if (rounds == NULL) {
        cmd_error("no memory");
        return CMD_USAGE;
    }
    int status = bench_rounds(&plan, a, report, rounds);
    free(rounds);
    return status == CMD_WORKED && plan.left_out && a->chosen_count > 0 ? CMD_USAGE : status;
}

static int bench_all(const struct bench_arguments *a) {
    struct report report = {.style = a->json ? REPORT_JSON : a->check ? REPORT_CHECK : REPORT_TABLE};
    int status = CMD_WORKED;
    report_begin(&report);
    for (size_t i = 0; i < BK_COUNT(bench_workloads); i++) {
        int s = bench_workload(bench_workloads[i], a, &report);
        if (s != CMD_WORKED && status != CMD_FAILED) status = s;
    }
    if (!a->check || status == CMD_FAILED) return status;
    if (report.missed > 0) return CMD_FAILED;
    return report.skipped > 0 ? CMD_USAGE : status;
}

static int bench_guard(const struct bench_arguments *a) {
    const struct bench_workload *w = bench_find(a->guard, strlen(a->guard));
    struct bench_run run = {.virtual_time = true};
    if (w->guard(a->guard_units, &run) == 0) return CMD_WORKED;
    cmd_error("%s: %s", w->name, run.why);
    return CMD_FAILED;
}

static void bench_list(void) {
    for (size_t i = 0; i < BK_COUNT(bench_workloads); i++) {
        const struct bench_workload *w = bench_workloads[i];
        printf("%s: %s%s%s\n", w->name, w->about, w->guard ? "; guarded per " : "", w->guard ? w->guard_unit : "");
        for (uint32_t k = 0; k < w->case_count; k++)
            printf("    %s/%s: %s\n", w->name, w->cases[k].name, w->cases[k].about);
    }
}

static void bench_machine(void) {
    char text[REPORT_MACHINE];
    report_machine(text);
    puts(text);
}

/* ---- the command line ---- */

enum {
    BENCH_JSON = 0x100,
    BENCH_CHECK,
    BENCH_LIST,
    BENCH_MACHINE,
    BENCH_VERIFY,
    BENCH_QUICK,
    BENCH_RUNS_KEY,
    BENCH_CAPTURE,
    BENCH_GUARD
};

static const struct argp_option bench_options[] = {
    {"list", BENCH_LIST, NULL, 0, "List the workloads and their cases", 0},
    {"machine", BENCH_MACHINE, NULL, 0, "Say which machine and build this is", 0},
    {"json", BENCH_JSON, NULL, 0, "Print JSON, one object a line", 0},
    {"check", BENCH_CHECK, NULL, 0, "Print a line per target, `met' or `missed'; exit with 1 if one is missed", 0},
    {"verify", BENCH_VERIFY, NULL, 0, "Before timing a case, run it once and check all that arrives", 0},
    {"quick", BENCH_QUICK, NULL, 0, "A small fraction of the work, once, verified: to see that all runs", 0},
    {"runs", BENCH_RUNS_KEY, "N", 0, "Rounds to take the median of (5)", 0},
    {"capture", BENCH_CAPTURE, "FOLDER", 0,
     "Write a capture of each run of `path', as seen at the sender, into this folder", 0},
    {"guard", BENCH_GUARD, "WORKLOAD", 0,
     "Do N units (segments, connections) of the workload, in virtual time and with fixed seeds, for counting "
     "instructions; of "
     "`tap', run the driver between two stacks over a socket pair. See tools/bench-guard",
     0},
    {0},
};

static void bench_argument(struct bench_arguments *a, const char *arg, struct argp_state *state) {
    if (a->guard != NULL) {
        if (state->arg_num > 0 || !cmd_number(arg, 1, UINT32_MAX, &a->guard_units))
            argp_error(state, "--guard wants one number of units, not '%s'", arg);
    } else if (!bench_known(arg)) {
        argp_error(state, "there is no workload or case '%s'; --list lists them", arg);
    } else if (a->chosen_count == BENCH_CHOSEN_MAX) {
        argp_error(state, "%u workloads or cases at most", BENCH_CHOSEN_MAX);
    } else {
        a->chosen[a->chosen_count++] = arg;
    }
}

static error_t bench_option(int key, char *arg, struct argp_state *state) {
    struct bench_arguments *a = state->input;
    uint64_t n;
    switch (key) {
    case BENCH_LIST:
        a->list = true;
        return 0;
    case BENCH_MACHINE:
        a->machine = true;
        return 0;
    case BENCH_JSON:
        a->json = true;
        return 0;
    case BENCH_CHECK:
        a->check = true;
        return 0;
    case BENCH_VERIFY:
        a->verify = true;
        return 0;
    case BENCH_QUICK:
        a->quick = true;
        return 0;
    case BENCH_RUNS_KEY:
        if (!cmd_number(arg, 1, REPORT_RUNS_MAX, &n))
            argp_error(state, "--runs is 1 to %u, not '%s'", REPORT_RUNS_MAX, arg);
        a->runs = (uint32_t)n;
        return 0;
    case BENCH_CAPTURE:
        a->capture = arg;
        return 0;
    case BENCH_GUARD: {
        const struct bench_workload *w = bench_find(arg, strlen(arg));
        if (w == NULL || w->guard == NULL) argp_error(state, "'%s' is no guarded workload; --list lists them", arg);
        a->guard = arg;
        return 0;
    }
    case ARGP_KEY_ARG:
        bench_argument(a, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (a->guard != NULL && a->guard_units == 0) argp_error(state, "--guard wants a number of units too");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_bench(int argc, char **argv) {
    static const struct argp argp = {
        .options = bench_options,
        .parser = bench_option,
        .args_doc = "[WORKLOAD[/CASE]...]\n--guard WORKLOAD N",
        .doc = "Measure the stack: all workloads but `path', which takes long, or those named.\v"
               "Each case is run several times, the cases in turn; medians are shown with the smallest and the "
               "largest. `tap', `http', `kernel', `path' and parts of `latency' need root. "
               "Exit status: 0 worked, 1 a workload failed (or --check found a target missed), 2 usage, or a workload "
               "that was "
               "asked for cannot run here.",
    };
    struct bench_arguments a = {0};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
    if (a.guard != NULL) return bench_guard(&a);
    if (a.list) bench_list();
    if (a.machine) bench_machine();
    return a.list || a.machine ? CMD_WORKED : bench_all(&a);
}
