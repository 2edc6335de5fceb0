/* One run of a simulation, and whether two of them are the same: see sim.h. */
#include "lab/sim.h"

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <string.h>

#include "base/common.h"

#define SIM_MOVED      16u /* one seed in so many is run again with moves */
#define SIM_MOVE_PPM   100000u
#define SIM_MOVE_BYTES (2u << 20)

/* Where this thread's run ends if an assertion fails. */
static _Thread_local jmp_buf *sim_catch;
static _Thread_local struct fault *sim_catch_fault;
static _Thread_local uint64_t sim_seed;

uint64_t sim_running(void) {
    return sim_seed;
}

void sim_panic(const char *what, const char *file, int line) {
    if (sim_catch == NULL) return;
    fault_note(sim_catch_fault, "assertion: %s (%s:%d)", what, file, line);
    longjmp(*sim_catch, 1);
}

static void sim_collect(const struct sim_world *w, struct sim_result *result) {
    if (!result->fault.found) result->fault = w->fault;
    result->digest = w->digest;
    result->statistics = w->statistics;
    sim_world_counters(w, &result->paths);
}

bool sim_run_world(struct sim_world *w, struct fault *fault) {
    jmp_buf here;
    sim_seed = w->plan.seed;
    sim_catch = &here;
    sim_catch_fault = fault;
    if (setjmp(here) == 0) (void)sim_world_run(w);
    sim_catch = NULL;
    return !fault->found && !w->fault.found;
}

void sim_run(const struct scenario *s, const struct sim_options *options, struct sim_result *result) {
    const char *why = NULL;
    memset(result, 0, sizeof *result);
    struct sim_world *w = sim_world_new(s, options, &why);
    if (w == NULL) {
        fault_note(&result->fault, "the world cannot be made: %s", why);
        return;
    }
    sim_run_world(w, &result->fault);
    sim_collect(w, result);
    sim_world_free(w);
}

/* A move copies all of a stack: of large ones not thousands of times. */
static bool sim_may_move(const struct scenario *s) {
    for (uint32_t i = 0; i < s->hosts; i++)
        if ((uint64_t)s->host[i].config.chunks * s->host[i].config.chunk_size > SIM_MOVE_BYTES) return false;
    return s->seed % SIM_MOVED == 0;
}

void sim_check(const struct scenario *s, struct sim_result *result) {
    const struct sim_options plain = {0}, moving = {.move_ppm = SIM_MOVE_PPM};
    struct sim_result moved;
    sim_run(s, &plain, result);
    if (result->fault.found || !sim_may_move(s)) return;
    sim_run(s, &moving, &moved);
    if (moved.fault.found)
        fault_note(&result->fault, "only with stacks that are moved: %.190s", moved.fault.text);
    else if (moved.digest != result->digest)
        fault_note(&result->fault, "stacks that are moved send other frames");
}

bool sim_same_kind(const struct fault *a, const struct fault *b) {
    const char *p = a->text, *q = b->text;
    while (*p != '\0' && *q != '\0') {
        bool number = isdigit((unsigned char)*p) != 0;
        if (number ? !isdigit((unsigned char)*q) : *p != *q) break;
        for (p++; number && isdigit((unsigned char)*p);) p++;
        for (q++; number && isdigit((unsigned char)*q);) q++;
    }
    return a->found == b->found && *p == *q;
}
