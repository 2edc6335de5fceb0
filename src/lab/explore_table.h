/* The visited states of an exploration: by number, and found by their hash.
 *
 * The table is in stripes, each with a lock and memory of its own, so that threads seldom wait for each other. A state that two threads
 * find in one level belongs to the earlier of the two: the one with the smaller parent, then the smaller action. When a level is complete
 * its states are put in that order; so numbers, parents and paths do not depend on who was faster. */
#ifndef LAB_EXPLORE_TABLE_H
#define LAB_EXPLORE_TABLE_H

#include <pthread.h>

#include "lab/explore_machine.h"

#define EXPLORE_STRIPES 256u
#define EXPLORE_ROOT    UINT32_MAX /* parent of the first state */

struct explore_node {
    struct explore_hash hash;
    uint8_t *packed; /* NULL once expanded */
    uint32_t parent;
    struct explore_action action; /* that led from there */
    uint8_t number;               /* of that action among the parent's */
    bool at_rest;
};

struct explore_stripe {
    pthread_mutex_t lock;
    uint32_t *slot; /* state number + 1, 0: empty */
    uint32_t room, used;
};

struct explore_table {
    struct explore_node *node; /* reserved address space for `room` of them */
    uint32_t room, count;
    uint32_t level; /* first state of the level that is being found */
    struct explore_stripe stripe[EXPLORE_STRIPES];
};

bool explore_table_init(struct explore_table *t, uint32_t room);
void explore_table_free(struct explore_table *t);
/* Whether `candidate` would be kept: it is new, or earlier than what the level has found. *id is the state's number if there is one. */
bool explore_table_wants(struct explore_table *t, const struct explore_node *candidate, uint32_t *id);
/* Keeps it, if that still holds, and takes over its packed state; else frees that. Returns its number, or UINT32_MAX if there is no room. */
uint32_t explore_table_keep(struct explore_table *t, const struct explore_node *candidate);
/* Completes the level: its states are sorted. to[i] is the new number of state level + i; from malloc, NULL: no memory. */
uint32_t *explore_table_sort(struct explore_table *t);

#endif
