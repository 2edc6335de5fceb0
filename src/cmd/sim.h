/* The parts of `beckon sim`. */
#ifndef CMD_SIM_H
#define CMD_SIM_H

#include "lab/sim.h"

struct sim_command {
    uint64_t first, last; /* seeds */
    bool one;             /* --seed, --preset, --scenario: one run, told at length */
    bool many;            /* --seeds */
    bool list, json, progress, no_shrink, ladder, capture, text, ascii;
    const char *preset, *scenario, *output;
    uint32_t threads, failures;
    uint32_t time_waits; /* --time-waits; 0: not asked for */
    bool ipv6;
};

/* How far a range is, as a line that is drawn again and again on standard error. */
void sim_tell_progress(void *context, const struct sim_range *range);
/* Wipes that line. */
void sim_tell_progress_end(const struct sim_command *c);
void sim_tell_shrinking(void *context, uint32_t runs);
/* A range is over, after so many seconds. */
void sim_tell_range(const struct sim_command *c, const struct sim_range *range, double seconds);
/* A scenario failed: how, how small it became, and which files tell more. */
void sim_tell_failure(const struct sim_command *c, uint64_t seed, const struct fault *fault,
                      const struct scenario *small, const struct sim_result *result, const char *files);
/* One run. */
void sim_tell_run(const struct sim_command *c, const struct scenario *s, const struct sim_result *result,
                  double seconds);
void sim_tell_list(void);

/* --time-waits: lab/turnover.h. Returns an exit status. */
int sim_turnover(const struct sim_command *c);

#endif
