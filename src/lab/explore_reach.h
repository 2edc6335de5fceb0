/* The transitions of an exploration, and from which states both stacks can come to rest. */
#ifndef LAB_EXPLORE_REACH_H
#define LAB_EXPLORE_REACH_H

#include "lab/explore_table.h"

struct explore_edge {
    uint32_t from, to;
};
struct explore_edges {
    struct explore_edge *edge;
    size_t count, room;
};
/* Returns false if there is no memory. */
bool explore_edges_add(struct explore_edges *e, uint32_t from, uint32_t to);

/* The first state from which no state at rest can be reached, UINT32_MAX if there is none; in *error -ENOMEM or 0. */
uint32_t explore_reach(const struct explore_table *t, const struct explore_edges *edges, unsigned n, int *error);

#endif
