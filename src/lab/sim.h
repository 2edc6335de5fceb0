/* `beckon sim`: running scenarios, many or one, and making a failing one small. */
#ifndef LAB_SIM_H
#define LAB_SIM_H

#include "beckon/ladder.h"
#include "lab/sim_world.h"

struct sim_result {
    struct fault fault;
    uint64_t digest; /* of all frames, their times and what users received */
    struct sim_statistics statistics;
    struct path_counters paths;
};

/* Runs a scenario. Also an assertion of the stack that fails is a fault, if the program hands it to sim_panic. */
void sim_run(const struct scenario *s, const struct sim_options *options, struct sim_result *result);
/* The same for a world that the caller made and will free; an assertion goes to *fault. Returns whether there was no fault of either kind. */
bool sim_run_world(struct sim_world *w, struct fault *fault);
/* Runs a scenario, and some seeds of small worlds once more with stacks that are moved meanwhile: another digest is a fault. */
void sim_check(const struct scenario *s, struct sim_result *result);
/* For bk_panic: ends the run of this thread with a fault. Returns only if there is none. */
void sim_panic(const char *what, const char *file, int line);
/* The seed of the scenario that this thread runs, or ran last. */
uint64_t sim_running(void);

/* Whether two faults are of one kind: the same words, whatever the numbers. */
bool sim_same_kind(const struct fault *a, const struct fault *b);

/* Makes a failing scenario smaller as long as its fault is of the same kind: one of sim_run with these options, or (NULL) of sim_check.
 * Runs at most `runs` of them; tells after each how many there were (`progress` may be NULL). *result is of the smallest one. */
void sim_shrink(struct scenario *s, const struct sim_options *options, uint32_t runs, struct sim_result *result,
                void (*progress)(void *context, uint32_t runs), void *context);

/* ---- many ------------------------------------------------------------------------------------------ */

#define SIM_FAILURES 8u

struct sim_range {
    uint64_t first, last;
    uint32_t threads;  /* 0: as many as there are processors */
    uint32_t failures; /* that are enough; 0: 1 */
    /* Called from time to time by the thread that called sim_range_run. May be NULL. */
    void (*progress)(void *context, const struct sim_range *range);
    /* Called by that thread when a seed has run for longer than a minute: an endless loop inside a stack cannot be ended from outside. May be
     * NULL; what it returns to is a run that does not end. */
    void (*stuck)(void *context, uint64_t seed);
    void *context;

    /* Results. */
    uint64_t done;
    uint64_t failed_seed[SIM_FAILURES]; /* in order */
    struct fault failed[SIM_FAILURES];
    uint32_t failed_count;
    struct sim_statistics sum;
};
/* Runs all seeds; false if a thread could not be made. */
bool sim_range_run(struct sim_range *range);

/* ---- telling --------------------------------------------------------------------------------------- */

struct sim_files {
    const char *directory;
    const char *name; /* "seed-17": the files begin with it */
    bool scenario, ladder, capture;
};
/* Writes, as asked, NAME.scenario, NAME.ladder and NAME.pcapng, running the scenario again with the trace on. The run must be the same as
 * without (digest). Returns 0, a negative errno, or -EPROTO if the run was another one. */
int sim_write_files(const struct scenario *s, const struct sim_files *files, const struct sim_result *expected);
/* Draws the ladder of the connection with the fault, or of the first one, of a world that ran with the trace on. Returns as bk_ladder. */
int sim_ladder(const struct sim_world *w, const struct bk_ladder_options *options, FILE *to);

#endif
