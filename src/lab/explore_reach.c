/* Going back from the states at rest along all transitions: what is not met there cannot come to rest. See explore_reach.h. */
#include "lab/explore_reach.h"

#include <stdlib.h>

#include "base/common.h"

bool explore_edges_add(struct explore_edges *e, uint32_t from, uint32_t to) {
    if (e->count == e->room) {
        size_t room = e->room == 0 ? 4096 : e->room * 2;
        struct explore_edge *edge = realloc(e->edge, room * sizeof *edge);
        if (edge == NULL) return false;
        e->edge = edge;
        e->room = room;
    }
    e->edge[e->count++] = (struct explore_edge){from, to};
    return true;
}

struct reach {
    size_t *first; /* predecessors of state i are from[first[i]] to from[first[i + 1]] */
    uint32_t *from;
    uint32_t *todo; /* states met and not yet gone back from */
    uint8_t *met;
};

static void sort_edges(struct reach *r, uint32_t states, const struct explore_edges *edges, unsigned n) {
    for (unsigned k = 0; k < n; k++)
        for (size_t i = 0; i < edges[k].count; i++) r->first[edges[k].edge[i].to + 1]++;
    for (uint32_t i = 0; i < states; i++) r->first[i + 1] += r->first[i];
    /* Each place moves on as it is filled, which leaves first[i] where first[i + 1] was: so the last step moves them back. */
    for (unsigned k = 0; k < n; k++)
        for (size_t i = 0; i < edges[k].count; i++) r->from[r->first[edges[k].edge[i].to]++] = edges[k].edge[i].from;
    for (uint32_t i = states; i > 0; i--) r->first[i] = r->first[i - 1];
    r->first[0] = 0;
}

static uint32_t go_back(struct reach *r, const struct explore_table *t) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->node[i].at_rest) {
            r->met[i] = 1;
            r->todo[count++] = i;
        }
    while (count != 0) {
        uint32_t to = r->todo[--count];
        for (size_t i = r->first[to]; i < r->first[to + 1]; i++)
            if (!r->met[r->from[i]]) {
                r->met[r->from[i]] = 1;
                r->todo[count++] = r->from[i];
            }
    }
    for (uint32_t i = 0; i < t->count; i++)
        if (!r->met[i]) return i;
    return UINT32_MAX;
}

uint32_t explore_reach(const struct explore_table *t, const struct explore_edges *edges, unsigned n, int *error) {
    size_t total = 0;
    uint32_t lost = UINT32_MAX;
    for (unsigned k = 0; k < n; k++) total += edges[k].count;
    struct reach r = {
        .first = calloc((size_t)t->count + 2, sizeof *r.first),
        .from = malloc((total + 1) * sizeof *r.from),
        .todo = malloc(((size_t)t->count + 1) * sizeof *r.todo),
        .met = calloc((size_t)t->count + 1, 1),
    };
    *error = ERROR_NOMEM;
    if (r.first != NULL && r.from != NULL && r.todo != NULL && r.met != NULL) {
        *error = 0;
        sort_edges(&r, t->count, edges, n);
        lost = go_back(&r, t);
    }
    free(r.first);
    free(r.from);
    free(r.todo);
    free(r.met);
    return lost;
}
