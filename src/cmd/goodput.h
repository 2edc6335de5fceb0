/* The parts of `beckon goodput`: what its cells are, how they are measured, how they are told.
 *
 * A cell is one combination of the axes, and what several runs of it (seeds) measured, as the mean over them. Four groups of cells have axes of their
 * own (goodput_cells.c); all of them together are the golden table, tests/golden/goodput.txt.
 */
#ifndef CMD_GOODPUT_H
#define CMD_GOODPUT_H

#include <stdio.h>

#include "lab/bottleneck.h"
#include "lab/theory.h"

enum goodput_group { GOODPUT_LOSS, GOODPUT_FAIRNESS, GOODPUT_QUEUE, GOODPUT_RECOVERY, GOODPUT_GROUPS };
enum goodput_buffer { GOODPUT_64K, GOODPUT_1M, GOODPUT_AUTO, GOODPUT_BUFFERS };
enum goodput_queue { GOODPUT_ONE_BDP, GOODPUT_FOUR_BDP, GOODPUT_CODEL, GOODPUT_QUEUES };

#define GOODPUT_CELLS 512u

struct goodput_cell {
    enum goodput_group group;
    uint8_t controller[2]; /* enum theory_controller; the second one of fairness only */
    uint8_t buffer;        /* enum goodput_buffer */
    uint8_t queue;         /* enum goodput_queue */
    bool bursty;
    uint32_t rtt_ms, loss_ppm;
    uint32_t losses; /* recovery: in one window; 0: one at the tail */
    uint32_t seeds;

    /* What was measured. */
    double goodput; /* of all flows, as a part of the link's rate */
    double share;   /* fairness: of the first flow */
    double jain;
    double queue_mean_ms, queue_p95_ms;
    double recovery_ms; /* infinite: it did not come */
    /* What it should be (goodput_limits.c): of `goodput`, `jain`, the p95 of the queue, the recovery. */
    double theory;
    double limit;    /* what it may not be below (goodput, fairness) or above (queue, recovery) */
    const char *why; /* the limit is another one than the usual; or NULL */
};

/* All cells of the groups whose bit is set, in the order of the table. Returns how many. */
uint32_t goodput_cells(struct goodput_cell *cells, uint32_t groups);
/* Runs a cell. Returns NULL, or what is wrong. */
const char *goodput_measure(struct goodput_cell *cell);
/* Sets theory, limit and why. */
void goodput_limit(struct goodput_cell *cell);
/* The limits of goodput, for people. */
void goodput_tell_limits(FILE *to);
/* Whether what was measured keeps the limit. */
bool goodput_keeps(const struct goodput_cell *cell);
/* One sentence: "goodput, cubic, 64K, 10 ms, 1 % bursty". */
void goodput_name(const struct goodput_cell *cell, char *out, size_t size);
/* The group's main figure. */
double goodput_value(const struct goodput_cell *cell);

/* Options of a run of the cell. */
void goodput_options(const struct goodput_cell *cell, uint64_t seed, struct bottleneck_options *out);

extern const char *const goodput_group_names[], *const goodput_controller_names[], *const goodput_buffer_names[],
                                                                                       *const goodput_queue_names[];

/* As the golden table; as JSON, one object a line. */
void goodput_tell(const struct goodput_cell *cells, uint32_t count, FILE *to);
void goodput_tell_json(const struct goodput_cell *cells, uint32_t count, FILE *to);

#endif
