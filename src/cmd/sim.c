/* `beckon sim`: stacks on a simulated network, everything drawn from a seed.
 *
 * A range of seeds runs on all cores; each one that fails is made as small as it gets, and told as text, as a ladder and as a capture. One
 * seed, a preset or a scenario from a file runs by itself and is told at length. See docs/sim.md. */
#define _GNU_SOURCE 1
#include "cmd/sim.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"
#include "cmd/cmd.h"
#include "lab/script_run.h"
#include "lab/turnover.h"

#define SIM_SEEDS       1000u
#define SIM_SHRINK_RUNS 20000u
#define SIM_SEED_LAST   ((uint64_t)INT64_MAX) /* JSON knows no larger ones */

/* ---- what ends a run ------------------------------------------------------------------------------- */

/* An assertion of a stack: a fault of the run, or a failure of the script, that is under way; or the end of the program. */
_Noreturn void bk_panic(const char *what, const char *file, int line) {
    sim_panic(what, file, line);
    script_panic(what, file, line);
    cmd_error("assertion failed: %s (%s:%d)", what, file, line);
    abort();
}

/* The program itself goes down: which seed was it? */
static void sim_crashed(int signal) {
    char text[96];
    int n = snprintf(text, sizeof text, "\nbeckon: signal %d while seed %" PRIu64 " ran\n", signal, sim_running());
    if (write(STDERR_FILENO, text, (size_t)n) < 0) _exit(CMD_FAILED);
    raise(signal);
}

static void sim_catch_crashes(void) {
    struct sigaction action = {.sa_handler = sim_crashed, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    for (size_t i = 0; i < BK_COUNT(signals); i++) sigaction(signals[i], &action, NULL);
}

/* A seed does not end: nothing else can, either. */
static void sim_stuck(void *context, uint64_t seed) {
    sim_tell_progress_end(context);
    cmd_error("seed %" PRIu64 " has run for more than a minute, and small worlds take milliseconds: an endless loop?",
              seed);
    _exit(CMD_FAILED);
}

static double sim_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- files ----------------------------------------------------------------------------------------- */

/* A scenario that was read from a file is not written again: it may be that very file. */
static int sim_files(const struct sim_command *c, const struct scenario *s, const char *name,
                     const struct sim_result *result) {
    const struct sim_files files = {
        .directory = c->output, .name = name, .scenario = c->scenario == NULL, .ladder = true, .capture = true};
    if (mkdir(c->output, 0777) != 0 && errno != EEXIST) {
        cmd_error("cannot make the directory %s: %s", c->output, strerror(errno));
        return -errno;
    }
    int r = sim_write_files(s, &files, result);
    if (r == -EPROTO)
        cmd_error("the run is another one with the trace on: that is a fault in itself");
    else if (r < 0)
        cmd_error("cannot write %s/%s.*: %s", c->output, name, strerror(-r));
    return r;
}

/* A failing scenario is made small, written down and told. */
static void sim_failed(const struct sim_command *c, struct scenario *s, const struct fault *fault, const char *name) {
    struct sim_result result;
    uint64_t seed = s->seed;
    sim_shrink(s, NULL, c->no_shrink ? 0 : SIM_SHRINK_RUNS, &result, sim_tell_shrinking, (void *)(uintptr_t)c);
    sim_tell_progress_end(c);
    char files[PATH_MAX] = "";
    if (sim_files(c, s, name, &result) == 0) snprintf(files, sizeof files, "%s/%s", c->output, name);
    sim_tell_failure(c, seed, fault, s, &result, files);
}

/* ---- many ------------------------------------------------------------------------------------------ */

static int sim_many(const struct sim_command *c) {
    struct sim_range range = {.first = c->first,
                              .last = c->last,
                              .threads = c->threads,
                              .failures = c->failures,
                              .progress = c->progress ? sim_tell_progress : NULL,
                              .stuck = sim_stuck,
                              .context = (void *)(uintptr_t)c};
    double began = sim_seconds();
    bool ran = sim_range_run(&range);
    sim_tell_progress_end(c);
    if (!ran) {
        cmd_error("the machine has no room for a thread, or for what it needs");
        return CMD_USAGE;
    }
    sim_tell_range(c, &range, sim_seconds() - began);
    struct scenario *s = malloc(sizeof *s);
    for (uint32_t i = 0; s != NULL && i < range.failed_count; i++) {
        char name[40];
        snprintf(name, sizeof name, "seed-%" PRIu64, range.failed_seed[i]);
        scenario_draw(s, range.failed_seed[i]);
        sim_failed(c, s, &range.failed[i], name);
    }
    free(s);
    return range.failed_count > 0 ? CMD_FAILED : CMD_WORKED;
}

/* ---- one ------------------------------------------------------------------------------------------- */

static bool sim_scenario(const struct sim_command *c, struct scenario *s) {
    if (c->preset != NULL) {
        if (scenario_preset(s, c->preset, c->first)) return true;
        cmd_error("there is no preset '%s'; --list lists them", c->preset);
        return false;
    }
    if (c->scenario == NULL) {
        scenario_draw(s, c->first);
        return true;
    }
    const char *why = NULL;
    FILE *f = fopen(c->scenario, "r");
    if (f == NULL) {
        cmd_error("cannot read %s: %s", c->scenario, strerror(errno));
        return false;
    }
    int line = scenario_read(s, f, &why);
    fclose(f);
    if (why != NULL) cmd_error("%s, line %d: %s", c->scenario, line, why);
    return why == NULL;
}

static int sim_ladder_of(const struct sim_command *c, const struct scenario *s) {
    const struct sim_options options = {.trace_events = 4096};
    const struct bk_ladder_options look = {.width = 120, .ascii = c->ascii};
    const char *why = NULL;
    struct fault fault = {0};
    struct sim_world *w = sim_world_new(s, &options, &why);
    if (w == NULL) return -ENOMEM;
    sim_run_world(w, &fault);
    int r = sim_ladder(w, &look, stdout);
    sim_world_free(w);
    return r == -ENOENT ? 0 : r;
}

static int sim_one(const struct sim_command *c) {
    struct scenario *s = malloc(sizeof *s);
    struct sim_result result;
    if (s == NULL || !sim_scenario(c, s)) {
        free(s);
        return CMD_USAGE;
    }
    if (!c->json && (c->text || c->preset == NULL)) scenario_write(s, stdout);
    double began = sim_seconds();
    sim_check(s, &result);
    sim_tell_run(c, s, &result, sim_seconds() - began);
    int r = 0;
    char name[64];
    snprintf(name, sizeof name, "%.40s", c->preset != NULL ? c->preset : "run");
    if (c->preset == NULL) snprintf(name, sizeof name, "seed-%" PRIu64, s->seed);
    if (c->ladder && !c->json) r = sim_ladder_of(c, s);
    if (r < 0) cmd_error("cannot draw the ladder: %s", strerror(-r));
    if (r == 0 && c->capture) r = sim_files(c, s, name, &result);
    if (result.fault.found && c->scenario == NULL) sim_failed(c, s, &result.fault, name);
    free(s);
    if (result.fault.found || r == -EPROTO) return CMD_FAILED;
    return r < 0 ? CMD_USAGE : CMD_WORKED;
}

/* ---- the command line ------------------------------------------------------------------------------ */

enum {
    SIM_SEEDS_KEY = 0x100,
    SIM_SEED,
    SIM_PRESET,
    SIM_SCENARIO,
    SIM_TIME_WAITS,
    SIM_IPV6,
    SIM_LIST,
    SIM_THREADS,
    SIM_FAILURES_KEY,
    SIM_NO_SHRINK,
    SIM_OUTPUT,
    SIM_LADDER,
    SIM_PCAP,
    SIM_ASCII,
    SIM_PROGRESS,
    SIM_JSON
};

static const struct argp_option sim_options[] = {
    {NULL, 0, NULL, 0, "What to run:", 1},
    {"seeds", SIM_SEEDS_KEY, "A..B", 0, "Small worlds, one for each seed (1..1000)", 1},
    {"seed", SIM_SEED, "N", 0, "The world of this seed alone, told at length; with --preset, the preset's chances", 1},
    {"preset", SIM_PRESET, "NAME", 0, "A world with a name", 1},
    {"scenario", SIM_SCENARIO, "FILE", 0, "A world as a file tells it", 1},
    {"time-waits", SIM_TIME_WAITS, "N", 0,
     "100,000 connections a second come and go over N TIME-WAITs of one stack, 1,000 to 20,000,000", 1},
    {"ipv6", SIM_IPV6, NULL, 0, "... over IPv6", 1},
    {"list", SIM_LIST, NULL, 0, "List the presets", 1},
    {NULL, 0, NULL, 0, "How:", 2},
    {"threads", SIM_THREADS, "N", 0, "Threads (as many as there are processors)", 2},
    {"failures", SIM_FAILURES_KEY, "N", 0, "Stop when so many seeds have failed, 1 to 8 (1)", 2},
    {"no-shrink", SIM_NO_SHRINK, NULL, 0, "Leave a failing world as it is", 2},
    {NULL, 0, NULL, 0, "What to tell:", 3},
    {"output", SIM_OUTPUT, "DIR", 0, "Where files go (.)", 3},
    {"ladder", SIM_LADDER, NULL, 0, "Of one run: draw the first connection, or the one with the fault", 3},
    {"pcap", SIM_PCAP, NULL, 0,
     "Of one run: write scenario (unless it came from a file), ladder, and a pcapng with the reason of each frame", 3},
    {"ascii", SIM_ASCII, NULL, 0, "Draw with ASCII characters only", 3},
    {"progress", SIM_PROGRESS, NULL, 0, "Show progress even if standard error is no terminal", 3},
    {"json", SIM_JSON, NULL, 0, "Print JSON, one object a line", 3},
    {0},
};

static void sim_seeds(struct sim_command *c, char *arg, struct argp_state *state) {
    char *dots = strstr(arg, "..");
    bool good = dots != NULL;
    if (good) *dots = '\0';
    good = good && cmd_number(arg, 0, SIM_SEED_LAST, &c->first) && cmd_number(dots + 2, 0, SIM_SEED_LAST, &c->last);
    if (!good || c->first > c->last)
        argp_error(state, "--seeds takes two numbers, the smaller one first, such as 1..1000");
    c->many = true;
}

static void sim_number(const char *name, const char *arg, uint32_t high, uint32_t *out, struct argp_state *state) {
    uint64_t n;
    if (!cmd_number(arg, 1, high, &n)) argp_error(state, "%s takes 1 to %" PRIu32 ", not '%s'", name, high, arg);
    *out = (uint32_t)n;
}

/* Options that are only noted. */
static bool sim_switch(struct sim_command *c, int key) {
    bool *const to = key == SIM_LIST        ? &c->list
                     : key == SIM_NO_SHRINK ? &c->no_shrink
                     : key == SIM_LADDER    ? &c->ladder
                     : key == SIM_PCAP      ? &c->capture
                     : key == SIM_ASCII     ? &c->ascii
                     : key == SIM_PROGRESS  ? &c->progress
                     : key == SIM_JSON      ? &c->json
                     : key == SIM_IPV6      ? &c->ipv6
                                            : NULL;
    if (to != NULL) *to = true;
    return to != NULL;
}

/* Options that do nothing together are refused. */
static void sim_together(const struct sim_command *c, struct argp_state *state) {
    if (c->many && c->one) argp_error(state, "--seeds runs many worlds; --seed, --preset and --scenario run one");
    if (c->scenario != NULL && (c->preset != NULL || c->text))
        argp_error(state, "a --scenario has its seed, and is no --preset");
    if (!c->one && (c->ladder || c->capture))
        argp_error(state, "--ladder and --pcap are of one run: --seed, --preset or --scenario");
    if (c->one && (c->threads != 0 || c->failures != 0)) argp_error(state, "--threads and --failures are for --seeds");
    if (c->ladder && c->json) argp_error(state, "--ladder draws, and --json does not");
    if (c->time_waits != 0 && (c->many || c->preset != NULL || c->scenario != NULL || c->ladder || c->capture))
        argp_error(state, "--time-waits is a world of its own, and takes --seed and --ipv6");
    if (c->ipv6 && c->time_waits == 0) argp_error(state, "--ipv6 is for --time-waits");
    if (c->ascii && !c->ladder) argp_error(state, "--ascii is for --ladder");
}

static error_t sim_option(int key, char *arg, struct argp_state *state) {
    struct sim_command *c = state->input;
    if (sim_switch(c, key)) return 0;
    switch (key) {
    case SIM_SEEDS_KEY:
        sim_seeds(c, arg, state);
        return 0;
    case SIM_SEED:
        if (!cmd_number(arg, 0, SIM_SEED_LAST, &c->first)) argp_error(state, "--seed takes a number, not '%s'", arg);
        c->last = c->first;
        c->one = c->text = true;
        return 0;
    case SIM_PRESET:
        c->preset = arg;
        c->one = true;
        return 0;
    case SIM_SCENARIO:
        c->scenario = arg;
        c->one = true;
        return 0;
    case SIM_OUTPUT:
        c->output = arg;
        return 0;
    case SIM_TIME_WAITS:
        sim_number("--time-waits", arg, TURNOVER_MAX, &c->time_waits, state);
        if (c->time_waits < TURNOVER_MIN) argp_error(state, "--time-waits takes %u at least", TURNOVER_MIN);
        return 0;
    case SIM_THREADS:
        sim_number("--threads", arg, 256, &c->threads, state);
        return 0;
    case SIM_FAILURES_KEY:
        sim_number("--failures", arg, SIM_FAILURES, &c->failures, state);
        return 0;
    case ARGP_KEY_END:
        if (!c->list) sim_together(c, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not understood: sim takes options only", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_sim(int argc, char **argv) {
    static const struct argp argp = {
        .options = sim_options,
        .parser = sim_option,
        .doc =
            "Run Beckon's stacks on a simulated network in virtual time, everything drawn from a seed, and check after "
            "each event that what must hold holds.\vA seed that fails is made as small as it gets, and written down as "
            "scenario, ladder and capture. Exit status: 0 all clean, 1 a fault was found, 2 usage or environment.",
    };
    struct sim_command c = {.first = 1, .last = SIM_SEEDS, .output = ".", .progress = isatty(STDERR_FILENO)};
    argp_parse(&argp, argc, argv, 0, NULL, &c);
    if (c.list) {
        sim_tell_list();
        return CMD_WORKED;
    }
    sim_catch_crashes();
    if (c.time_waits != 0) return sim_turnover(&c);
    return c.one ? sim_one(&c) : sim_many(&c);
}
