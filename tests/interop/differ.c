/* Compares Beckon with the kernel of this network namespace, program by program (src/lab/differ.h):
 *
 *     differ --device bk0 --seeds 1..1000      each seed is a program; differences by class, and each finding in full
 *     differ --device bk0 --seed 7             one of them, with what both sides answered to each step
 *
 * The kernel works in real time. A program that shows a difference is run again, with more patience, until the same difference shows twice; a
 * program that takes so long that timers may have fired is run again, too. So nothing depends on how fast the machine is.
 *
 * Exit status: 0 all differences are of known classes, 1 there are findings, 2 wrong arguments.
 */
#define _GNU_SOURCE
#include "differ.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PORT_FIRST  1024u
#define PORT_COUNT  60000u
#define SLOW_NS     UINT64_C(700000000) /* the kernel repeats a SYN-ACK after a second */
#define PATIENCE_MS 1
#define TRIES       6u

struct differ {
    const char *device;
    uint64_t first, last;
    bool show, brief;
    uint64_t findings_max;
    struct differ_side *sides[2];
    uint32_t port;
    uint64_t programs, segments, steps, different, unjudged, findings;
    uint64_t *of_class;
};

static uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint16_t next_port(struct differ *d) {
    d->port = (d->port + 1) % PORT_COUNT;
    return (uint16_t)(PORT_FIRST + d->port + (PORT_FIRST + d->port == DIFFER_REMOTE_PORT ? PORT_COUNT : 0));
}

/* Runs until no timer can have had a part in it. Returns false if that did not come to pass. */
static bool run_in_time(struct differ *d, const struct differ_program *p, struct differ_result *r) {
    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t before = clock_ns();
        differ_run(p, d->sides, next_port(d), r);
        if (clock_ns() - before < SLOW_NS) return true;
    }
    return false;
}

static bool same_end(const struct differ_result *a, const struct differ_result *b) {
    const struct differ_line *x = &a->line[a->lines - 1], *y = &b->line[b->lines - 1];
    return a->different == b->different && a->lines == b->lines && strcmp(x->outcome[1], y->outcome[1]) == 0;
}

/* Runs a program until a difference, if it shows any, has shown twice. Returns false if it never says the same twice. */
static bool run_surely(struct differ *d, const struct differ_program *p, struct differ_result *r) {
    static struct differ_result again;
    if (!run_in_time(d, p, r)) return false;
    if (!r->different) return true;
    bool sure = false;
    for (uint32_t i = 0; i < TRIES && !sure; i++) {
        differ_kernel_patience(d->sides[1], PATIENCE_MS << i);
        if (!run_in_time(d, p, &again)) break;
        sure = same_end(r, &again);
        *r = again;
    }
    differ_kernel_patience(d->sides[1], 0);
    return sure;
}

static void run_again(void *context, const struct differ_program *p, struct differ_result *r) {
    if (!run_surely(context, p, r)) r->different = false;
}

static void show(const struct differ *d, const struct differ_program *p, const struct differ_result *r) {
    printf("seed %" PRIu64 "%s%s\n", p->seed, p->ipv6 ? ", IPv6" : "", p->small_buffer ? ", small receive buffer" : "");
    for (const struct differ_line *l = r->line; l < r->line + r->lines; l++) {
        printf("  %-12s %s\n", l->state, l->step);
        for (uint32_t i = 0; i < 2; i++) printf("               %-7s %s\n", d->sides[i]->name, l->outcome[i]);
    }
    if (r->different) printf("  class: %s\n", r->class_of != NULL ? r->class_of->name : "none, a finding");
}

static void compare(struct differ *d, uint64_t seed) {
    static struct differ_program p;
    static struct differ_result r;
    differ_program_draw(&p, seed);
    d->programs++;
    if (!run_surely(d, &p, &r)) {
        d->unjudged++;
        return;
    }
    d->segments += r.segments;
    d->steps += r.lines;
    if (d->show) show(d, &p, &r);
    if (!r.different) return;
    d->different++;
    if (d->brief) {
        const struct differ_line *l = &r.line[r.lines - 1];
        printf("%s\t%" PRIu64 "\t%s\t%s\t%s\t%s\n", r.class_of != NULL ? r.class_of->name : "-", seed, l->state,
               l->step, l->outcome[0], l->outcome[1]);
    }
    if (r.class_of != NULL) {
        d->of_class[r.class_of - differ_classes]++;
        return;
    }
    d->findings++;
    if (d->show || d->brief) return;
    differ_shrink(&p, &r, run_again, d);
    show(d, &p, &r);
}

/* ---- arguments ------------------------------------------------------------------------------------- */

enum { OPTION_DEVICE = 'd', OPTION_SEED = 's', OPTION_SEEDS = 'r', OPTION_FINDINGS = 'f', OPTION_BRIEF = 'b' };
static const struct argp_option options[] = {
    {"device", OPTION_DEVICE, "NAME", 0, "the tun device", 0},
    {"seed", OPTION_SEED, "N", 0, "this program alone, with all that was answered", 0},
    {"seeds", OPTION_SEEDS, "A..B", 0, "these programs", 0},
    {"findings", OPTION_FINDINGS, "N", 0, "stop after so many findings (10)", 0},
    {"brief", OPTION_BRIEF, NULL, 0,
     "a line for each difference, also of known classes: class, seed, state, step, outcomes", 0},
    {0},
};

/* Reads a number at *text and moves past it. */
static bool read_number(const char **text, uint64_t *value) {
    char *end;
    *value = strtoull(*text, &end, 10);
    bool any = end != *text;
    *text = end;
    return any;
}

static bool read_range(const char *text, uint64_t *first, uint64_t *last) {
    if (!read_number(&text, first) || strncmp(text, "..", 2) != 0) return false;
    text += 2;
    return read_number(&text, last) && *text == 0 && *first <= *last;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct differ *d = state->input;
    const char *text = argument;
    switch (key) {
    case OPTION_DEVICE:
        d->device = argument;
        return 0;
    case OPTION_SEED:
        if (!read_number(&text, &d->first) || *text != 0) argp_error(state, "--seed takes a number");
        d->last = d->first;
        d->show = true;
        return 0;
    case OPTION_SEEDS:
        if (!read_range(argument, &d->first, &d->last)) argp_error(state, "--seeds takes a range, as in 1..1000");
        return 0;
    case OPTION_BRIEF:
        d->brief = true;
        return 0;
    case OPTION_FINDINGS:
        if (!read_number(&text, &d->findings_max) || *text != 0) argp_error(state, "--findings takes a number");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Waits until the kernel answers at all: for a while after the device has come up it drops what it sends. */
static bool warm_up(struct differ *d, bool ipv6) {
    static struct differ_result r;
    struct differ_program p = {.ipv6 = ipv6, .count = 1};
    p.step[0] = (struct differ_step){.kind = DIFFER_SEGMENT, .flags = WIRE_SYN, .ts = DIFFER_TS_NONE, .wscale = -1};
    differ_kernel_patience(d->sides[1], 1);
    for (uint32_t i = 0; i < 5000; i++) {
        differ_run(&p, d->sides, next_port(d), &r);
        if (!r.different) break;
    }
    differ_kernel_patience(d->sides[1], 0);
    return !r.different;
}

static void summary(const struct differ *d) {
    for (size_t i = 0; i < differ_classes_count; i++) {
        uint64_t n = d->of_class[i];
        bool first = true;
        for (size_t j = 0; j < differ_classes_count; j++)
            if (strcmp(differ_classes[i].name, differ_classes[j].name) == 0) {
                first = first && j >= i;
                if (j != i) n += d->of_class[j];
            }
        if (first) printf("  %-40s %" PRIu64 "\n", differ_classes[i].name, n);
    }
    printf("note: %" PRIu64 " programs, %" PRIu64 " steps, %" PRIu64 " segments to each side; %" PRIu64
           " end in a known difference, %" PRIu64 " are findings, %" PRIu64 " could not be judged\n",
           d->programs, d->steps, d->segments, d->different - d->findings, d->findings, d->unjudged);
}

int main(int argc, char **argv) {
    struct differ d = {.device = "bk0", .first = 1, .last = 1000, .findings_max = 10};
    static const struct argp argp = {options, parse, NULL, "Compares Beckon's answers with the kernel's.",
                                     NULL,    NULL,  NULL};
    const char *why = "memory";
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &d);
    d.of_class = calloc(differ_classes_count, sizeof *d.of_class);
    d.sides[0] = differ_beckon_new();
    d.sides[1] = differ_kernel_new(d.device, &why);
    if (d.of_class == NULL || d.sides[0] == NULL || d.sides[1] == NULL) {
        fprintf(stderr, "differ: %s: %s\n", d.device, why);
        return 2;
    }
    if (!warm_up(&d, false) || !warm_up(&d, true)) {
        fprintf(stderr, "differ: %s: the kernel does not answer\n", d.device);
        return 2;
    }
    for (uint64_t seed = d.first; seed <= d.last && d.findings < d.findings_max; seed++) compare(&d, seed);
    if (!d.show) summary(&d);
    differ_beckon_free(d.sides[0]);
    differ_kernel_free(d.sides[1]);
    free(d.of_class);
    return d.findings != 0;
}
