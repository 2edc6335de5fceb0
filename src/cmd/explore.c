/* `beckon explore`: visits every reachable state of small worlds of two stacks. What a world is: lab/explore_world.h, docs/explore.md. */
#define _GNU_SOURCE 1
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/common.h"
#include "cmd/cmd.h"
#include "lab/explore.h"
#include "lab/explore_tell.h"

#define EXPLORE_START (UINT64_C(1000) * NS_PER_S) /* any time will do */

struct explore_arguments {
    struct explore_limits limits;
    struct explore_options options;
    struct explore_tell_options tell;
    const char *world[64];
    unsigned worlds;
    bool json, list, progress;
};

enum {
    EXPLORE_JSON = 0x100,
    EXPLORE_PCAP,
    EXPLORE_STATES,
    EXPLORE_DEPTH,
    EXPLORE_CHECK,
    EXPLORE_PROGRESS,
    EXPLORE_ASCII
};

static const struct argp_option explore_argp_options[] = {
    {"list", 'l', NULL, 0, "List the worlds", 0},
    {"threads", 't', "N", 0, "Use N threads (default: one a processor)", 0},
    {"seed", 's', "N", 0, "Seed of the stacks' secrets (default 1): the counts do not depend on it", 0},
    {"max-states", EXPLORE_STATES, "N", 0, "Stop a world at N states", 0},
    {"max-depth", EXPLORE_DEPTH, "N", 0, "Stop a world at N steps from its first state", 0},
    {"check-hash", EXPLORE_CHECK, "N", 0,
     "Of the transitions to known states, follow one in N and compare what comes next: does the hash see all that "
     "matters?",
     0},
    {"pcap", EXPLORE_PCAP, "FILE", 0, "Write what A's interface sees of a counter-example to FILE (pcapng)", 0},
    {"json", EXPLORE_JSON, NULL, 0, "Print JSON, one object a world and line", 0},
    {"progress", EXPLORE_PROGRESS, NULL, 0, "Show progress on standard error even if that is no terminal", 0},
    {"ascii", EXPLORE_ASCII, NULL, 0, "Draw ladders without line-drawing characters", 0},
    {0},
};

static uint64_t explore_number(const char *arg, uint64_t low, uint64_t high, struct argp_state *state) {
    uint64_t n = low;
    if (!cmd_number(arg, low, high, &n))
        argp_error(state, "'%s' is no number from %" PRIu64 " to %" PRIu64, arg, low, high);
    return n;
}

static void explore_name(struct explore_arguments *a, const char *name, struct argp_state *state) {
    bool all = strcmp(name, "all") == 0, quick = strcmp(name, "quick") == 0;
    const struct explore_world *w;
    if (!all && !quick && explore_world_find(name) == NULL)
        argp_error(state, "there is no world '%s'; --list shows those there are", name);
    for (unsigned i = 0; (w = explore_world(i)) != NULL; i++) {
        if (!all && !(quick && w->quick) && strcmp(w->name, name) != 0) continue;
        if (a->worlds == BK_COUNT(a->world)) argp_error(state, "too many worlds");
        a->world[a->worlds++] = w->name;
    }
}

static error_t explore_option(int key, char *arg, struct argp_state *state) {
    struct explore_arguments *a = state->input;
    switch (key) {
    case 'l':
        a->list = true;
        return 0;
    case 't':
        a->limits.threads = (unsigned)explore_number(arg, 1, 64, state);
        return 0;
    case 's':
        a->options.seed = explore_number(arg, 0, UINT64_MAX, state);
        return 0;
    case EXPLORE_STATES:
        a->limits.states = explore_number(arg, 1, UINT32_MAX - 1, state);
        return 0;
    case EXPLORE_DEPTH:
        a->limits.depth = (uint32_t)explore_number(arg, 1, UINT32_MAX, state);
        return 0;
    case EXPLORE_CHECK:
        a->limits.check_hash = (uint32_t)explore_number(arg, 1, UINT32_MAX, state);
        return 0;
    case EXPLORE_PCAP:
        a->tell.pcap = arg;
        return 0;
    case EXPLORE_JSON:
        a->json = true;
        return 0;
    case EXPLORE_PROGRESS:
        a->progress = true;
        return 0;
    case EXPLORE_ASCII:
        a->tell.ascii = true;
        return 0;
    case ARGP_KEY_ARG:
        explore_name(a, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (a->worlds == 0 && !a->list) argp_error(state, "which world? --list shows them; 'all' means each of them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void explore_progress(const struct explore_progress *p) {
    fprintf(stderr,
            "\r%-14s %" PRIu64 " states, %" PRIu64 " to go, depth %u, %" PRIu64 " transitions, %.0f states/s\033[K",
            p->world, p->states, p->frontier, p->depth, p->transitions,
            p->seconds > 0 ? (double)p->states / p->seconds : 0);
}

/* What became of a world: whether that is as it should be, and the word for it. */
static bool explore_judge(const struct explore_world *w, const struct explore_result *r, const char **word) {
    bool small = r->fault.found && strstr(r->fault.text, "the world is too small") != NULL;
    if (w->flaw != EXPLORE_SOUND) {
        bool found = r->fault.found && !small;
        *word = found ? "flaw found" : r->bounded ? "bound" : "flaw not found";
        return found;
    }
    *word = r->fault.found ? "FAULT" : r->bounded ? "bound" : "fixed point";
    return !r->fault.found && !r->bounded;
}

static void explore_print(const struct explore_world *w, const struct explore_result *r, const char *word) {
    printf("%-14s %9" PRIu64 " states %10" PRIu64 " transitions  depth %3u  %6.1f s %7.0f states/s  %s", w->name,
           r->states, r->transitions, r->depth, r->seconds, r->seconds > 0 ? (double)r->states / r->seconds : 0, word);
    if (r->checked != 0) printf(" (%" PRIu64 " comparisons)", r->checked);
    putchar('\n');
    fflush(stdout);
}

static void explore_print_json(const struct explore_world *w, const struct explore_result *r, const char *word) {
    json_t *o =
        json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:f, s:I}", "world", w->name, "result", word, "states",
                  (json_int_t)r->states, "transitions", (json_int_t)r->transitions, "depth", (int)r->depth, "frontier",
                  (json_int_t)r->frontier_max, "seconds", r->seconds, "checked", (json_int_t)r->checked);
    if (r->fault.found) {
        json_object_set_new(o, "fault", json_string(r->fault.text));
        json_object_set_new(o, "steps", json_integer(r->path.length));
    }
    json_dumpf(o, stdout, JSON_COMPACT);
    json_decref(o);
    putchar('\n');
    fflush(stdout);
}

static int explore_show(const struct explore_arguments *a, const struct explore_world *w,
                        const struct explore_result *r) {
    putchar('\n');
    int error = explore_tell(w, &a->options, &r->path, &r->fault, &a->tell, stdout);
    if (r->other.action != NULL) {
        printf("\nThe other way, to a state of the same hash:\n\n");
        explore_tell(w, &a->options, &r->other, &r->fault, &a->tell, stdout);
    }
    putchar('\n');
    if (error == 0) return 0;
    if (error == -EPROTO)
        cmd_error("the replay of this path ends differently: please report it");
    else
        cmd_error("cannot show the counter-example: %s", strerror(-error));
    return error;
}

/* One world. Returns an exit status. */
static int explore_one(const struct explore_arguments *a, const struct explore_world *w) {
    struct explore_result r;
    const char *word;
    int error = explore_run(w, &a->options, &a->limits, &r);
    if (a->limits.progress != NULL) fputs("\r\033[K", stderr);
    if (error != 0) {
        cmd_error("world %s: %s; --max-states bounds what is kept", w->name, strerror(-error));
        return CMD_USAGE;
    }
    bool good = explore_judge(w, &r, &word);
    if (a->json)
        explore_print_json(w, &r, word);
    else
        explore_print(w, &r, word);
    /* A flaw that was planted is shown when it was asked for by name. */
    int status = good ? CMD_WORKED : CMD_FAILED;
    if (r.fault.found && !a->json && (!good || a->worlds == 1) && explore_show(a, w, &r) != 0) status = CMD_USAGE;
    explore_result_free(&r);
    return status;
}

static int explore_list(void) {
    const struct explore_world *w;
    for (unsigned i = 0; (w = explore_world(i)) != NULL; i++)
        printf("%-14s %s%s\n", w->name, w->summary, w->quick ? " (quick)" : "");
    return CMD_WORKED;
}

int cmd_explore(int argc, char **argv) {
    static const struct argp argp = {
        .options = explore_argp_options,
        .parser = explore_option,
        .args_doc = "WORLD...",
        .doc =
            "Visit every state that small worlds of two stacks can reach: segments lost, doubled and overtaken, timers "
            "in any "
            "order, user calls at any moment. WORLD is a name (see --list), `quick' or `all'.\v"
            "A world passes if a fixed point is reached without a fault; one with a planted flaw passes if the flaw is "
            "found. Exit status: 0 all passed, 1 a fault was found, or a bound reached before the fixed point, 2 usage "
            "or "
            "environment.",
    };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct explore_arguments a = {
        .limits.threads = processors > 0 && processors < 64 ? (unsigned)processors : 1,
        .options = {.seed = 1, .start = EXPLORE_START},
    };
    struct winsize size;
    const char *no_colour = getenv("NO_COLOR");
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.list) return explore_list();
    if (a.progress || isatty(STDERR_FILENO)) a.limits.progress = explore_progress;
    if (isatty(STDOUT_FILENO)) {
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) a.tell.width = size.ws_col;
        a.tell.colour = no_colour == NULL || no_colour[0] == '\0';
    }
    int status = CMD_WORKED;
    for (unsigned i = 0; i < a.worlds && status != CMD_USAGE; i++) {
        int one = explore_one(&a, explore_world_find(a.world[i]));
        if (one != CMD_WORKED) status = one;
    }
    return status;
}
