/* The exploration: breadth-first, level by level, with a few threads. See explore.h.
 *
 * Each thread has a machine of its own. It takes states of the level, a few at a time, unpacks each, and lets everything happen to it in turn; an
 * action touches one stack, so only that one is put back afterwards. Found states are packed and go to the table.
 */
#define _GNU_SOURCE 1
#include "lab/explore.h"

#include <stdlib.h>
#include <time.h>

#include "base/common.h"
#include "lab/explore_reach.h"
#include "lab/explore_snapshot.h"

/* Room is reserved for all of them, 32 to 40 bytes each: 3 GB of addresses are more than a machine of 32 bits may have in one piece. */
#define STATES_DEFAULT (sizeof(void *) > 4 ? 100000000u : 10000000u)
#define BATCH          16u

/* The first fault of a level, in the order of one thread. */
struct first_fault {
    struct fault fault;
    uint32_t parent;
    uint8_t number;
    struct explore_action action;
};

/* What followed a state that was known already, to be compared with what followed its representative. */
struct check {
    uint32_t id, parent; /* the state, and that from which it was met again */
    struct explore_action action;
    uint64_t digest;
};

struct explorer;

struct worker {
    struct explorer *all;
    struct explore_machine machine;
    struct explore_copy parent, child;
    struct explore_edges edges;
    size_t level_edges; /* where those of this level begin */
    struct check *check;
    size_t checks, check_room, level_checks;
    struct first_fault fault;
    uint64_t packed_bytes;
    bool failed; /* no memory */
};

struct explorer {
    const struct explore_world *world;
    const struct explore_limits *limits;
    struct explore_table table;
    struct explore_copy first; /* the world's first state */
    struct worker *worker;
    unsigned workers;
    uint32_t level_begin, next; /* of the states that are being expanded */
    uint32_t depth;
    uint64_t *digest; /* of what follows each state, for check_hash */
    struct timespec began, told;
    bool full;
};

static double seconds_since(const struct timespec *then) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void tell(struct explorer *e) {
    if (e->limits->progress == NULL || seconds_since(&e->told) < 0.5) return;
    clock_gettime(CLOCK_MONOTONIC, &e->told);
    uint64_t transitions = 0;
    for (unsigned i = 0; i < e->workers; i++) transitions += e->worker[i].edges.count;
    uint32_t count = __atomic_load_n(&e->table.count, __ATOMIC_RELAXED);
    struct explore_progress p = {e->world->name, count,
                                 transitions,    count - __atomic_load_n(&e->next, __ATOMIC_RELAXED),
                                 e->depth,       seconds_since(&e->began)};
    e->limits->progress(&p);
}

/* ---- one state ------------------------------------------------------------------------------------- */

static void note_fault(struct worker *w, uint32_t parent, uint8_t number, struct explore_action action) {
    struct first_fault *f = &w->fault;
    if (f->fault.found && (f->parent < parent || (f->parent == parent && f->number < number))) return;
    *f = (struct first_fault){w->machine.fault, parent, number, action};
}

static uint64_t digest_of(const struct explore_hash *h) {
    uint64_t x = h->word[0] ^ h->word[1] * UINT64_C(0x9e3779b97f4a7c15);
    return (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* What follows the machine's state, as the sum of what identifies each state that does; the machine is as before afterwards. */
static uint64_t successors(struct worker *w, struct explore_copy *here) {
    struct explore_machine *m = &w->machine;
    struct explore_action action[EXPLORE_ACTIONS];
    unsigned n = explore_actions(m, action);
    uint64_t digest = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned side = explore_touched(m, action[i]);
        if (explore_act(m, action[i])) {
            struct explore_hash h = explore_hash(m);
            digest += m->fault.found ? 1 : digest_of(&h);
        }
        explore_copy_restore(here, m, side);
    }
    return digest;
}

/* The machine has come to a state whose hash is known. */
static void check_known(struct worker *w, uint32_t id, const struct explore_node *met) {
    uint32_t one_in = w->all->limits->check_hash;
    if (one_in == 0 || (met->hash.word[0] + met->parent) % one_in != 0) return;
    if (w->checks == w->check_room) {
        size_t room = w->check_room == 0 ? 1024 : w->check_room * 2;
        struct check *check = realloc(w->check, room * sizeof *check);
        w->failed |= check == NULL;
        if (check == NULL) return;
        w->check = check;
        w->check_room = room;
    }
    explore_copy_take(&w->child, &w->machine);
    w->check[w->checks++] = (struct check){id, met->parent, met->action, successors(w, &w->child)};
}

/* The machine is in a state that action `number` of `parent` has led to. */
static void arrive(struct worker *w, uint32_t parent, uint8_t number, struct explore_action action) {
    struct explorer *e = w->all;
    struct explore_machine *m = &w->machine;
    struct explore_node node = {.hash = explore_hash(m), .parent = parent, .action = action, .number = number};
    uint32_t id;
    if (explore_table_wants(&e->table, &node, &id)) {
        size_t length;
        explore_audit(m);
        if (m->fault.found) {
            note_fault(w, parent, number, action);
            return;
        }
        node.at_rest = explore_at_rest(m);
        node.packed = explore_pack(m, &e->first, &length);
        w->failed |= node.packed == NULL;
        if (w->failed) return;
        w->packed_bytes += length;
        id = explore_table_keep(&e->table, &node);
        if (id == UINT32_MAX) {
            __atomic_store_n(&e->full, true, __ATOMIC_RELAXED);
            return;
        }
    } else {
        check_known(w, id, &node);
    }
    w->failed |= !explore_edges_add(&w->edges, parent, id);
}

static void expand(struct worker *w, uint32_t id) {
    struct explorer *e = w->all;
    struct explore_machine *m = &w->machine;
    struct explore_action action[EXPLORE_ACTIONS];
    explore_unpack(m, &e->first, e->table.node[id].packed);
    explore_copy_take(&w->parent, m);
    if (e->digest != NULL) e->digest[id] = successors(w, &w->parent);
    unsigned n = explore_actions(m, action);
    for (unsigned i = 0; i < n && !w->failed; i++) {
        unsigned side = explore_touched(m, action[i]);
        if (explore_act(m, action[i])) {
            if (m->fault.found)
                note_fault(w, id, (uint8_t)i, action[i]);
            else
                arrive(w, id, (uint8_t)i, action[i]);
        }
        explore_copy_restore(&w->parent, m, side);
        if (e->limits->check_hash != 0) explore_copy_restore(&w->parent, m, !side);
    }
    free(e->table.node[id].packed);
    e->table.node[id].packed = NULL;
}

static void *work(void *argument) {
    struct worker *w = argument;
    struct explorer *e = w->all;
    for (;;) {
        uint32_t begin = __atomic_fetch_add(&e->next, BATCH, __ATOMIC_RELAXED);
        for (uint32_t id = begin; id < begin + BATCH; id++) {
            if (id >= e->table.level || w->failed || __atomic_load_n(&e->full, __ATOMIC_RELAXED)) return NULL;
            expand(w, id);
        }
        if (w == e->worker) tell(e);
    }
}

/* ---- one level ------------------------------------------------------------------------------------- */

static bool run_level(struct explorer *e) {
    pthread_t thread[64];
    unsigned threads = e->table.level - e->level_begin < 4 * BATCH ? 1 : e->workers;
    e->next = e->level_begin;
    for (unsigned i = 1; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, &e->worker[i]) != 0) threads = i;
    work(&e->worker[0]);
    for (unsigned i = 1; i < threads; i++) pthread_join(thread[i], NULL);
    bool failed = false;
    for (unsigned i = 0; i < e->workers; i++) failed |= e->worker[i].failed;
    return !failed;
}

/* Numbers as one thread would have given them. */
static bool sort_level(struct explorer *e) {
    uint32_t *to = explore_table_sort(&e->table);
    if (to == NULL) return false;
    for (unsigned i = 0; i < e->workers; i++) {
        struct worker *w = &e->worker[i];
        for (size_t k = w->level_edges; k < w->edges.count; k++)
            if (w->edges.edge[k].to >= e->table.level) w->edges.edge[k].to = to[w->edges.edge[k].to - e->table.level];
        w->level_edges = w->edges.count;
        for (size_t k = w->level_checks; k < w->checks; k++)
            if (w->check[k].id >= e->table.level) w->check[k].id = to[w->check[k].id - e->table.level];
        w->level_checks = w->checks;
    }
    free(to);
    return true;
}

static const struct first_fault *level_fault(const struct explorer *e) {
    const struct first_fault *first = NULL;
    for (unsigned i = 0; i < e->workers; i++) {
        const struct first_fault *f = &e->worker[i].fault;
        if (!f->fault.found) continue;
        if (first == NULL || f->parent < first->parent || (f->parent == first->parent && f->number < first->number))
            first = f;
    }
    return first;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

/* The path to a state, and `last` behind it if that is not NULL. */
static bool take_path(const struct explorer *e, uint32_t id, const struct explore_action *last,
                      struct explore_path *path) {
    uint32_t n = last != NULL;
    for (uint32_t i = id; e->table.node[i].parent != EXPLORE_ROOT; i = e->table.node[i].parent) n++;
    path->action = malloc((n + 1u) * sizeof *path->action);
    if (path->action == NULL) return false;
    path->length = n;
    if (last != NULL) path->action[--n] = *last;
    for (uint32_t i = id; e->table.node[i].parent != EXPLORE_ROOT; i = e->table.node[i].parent)
        path->action[--n] = e->table.node[i].action;
    return true;
}

static bool explorer_init(struct explorer *e, const struct explore_options *options) {
    const struct explore_limits *l = e->limits;
    e->workers = l->threads == 0 ? 1 : l->threads > 64 ? 64 : l->threads;
    e->worker = calloc(e->workers, sizeof *e->worker);
    uint64_t room = l->states != 0 ? l->states : STATES_DEFAULT;
    if (e->worker == NULL || !explore_table_init(&e->table, (uint32_t)u64_min(room, UINT32_MAX - 1))) return false;
    if (l->check_hash != 0 && (e->digest = calloc(e->table.room, sizeof *e->digest)) == NULL) return false;
    for (unsigned i = 0; i < e->workers; i++) {
        struct worker *w = &e->worker[i];
        w->all = e;
        if (!explore_machine_init(&w->machine, e->world, options)) return false;
        if (!explore_copy_init(&w->parent, &w->machine) || !explore_copy_init(&w->child, &w->machine)) return false;
    }
    return explore_copy_init(&e->first, &e->worker[0].machine);
}

static void explorer_free(struct explorer *e) {
    for (unsigned i = 0; e->worker != NULL && i < e->workers; i++) {
        struct worker *w = &e->worker[i];
        explore_machine_free(&w->machine);
        explore_copy_free(&w->parent);
        explore_copy_free(&w->child);
        free(w->edges.edge);
        free(w->check);
    }
    free(e->worker);
    free(e->digest);
    explore_copy_free(&e->first);
    explore_table_free(&e->table);
}

/* Level after level, until there is nothing new, a fault, or a limit. */
static bool run_levels(struct explorer *e, struct explore_result *r) {
    arrive(&e->worker[0], EXPLORE_ROOT, 0, (struct explore_action){0, 0});
    e->worker[0].edges.count = 0; /* that was no transition */
    while (e->level_begin < e->table.count) {
        if (e->limits->depth != 0 && e->depth == e->limits->depth) {
            r->bounded = true;
            break;
        }
        e->table.level = e->table.count;
        r->frontier_max = u64_max(r->frontier_max, e->table.count - e->level_begin);
        if (!run_level(e) || !sort_level(e)) return false;
        const struct first_fault *f = level_fault(e);
        if (f != NULL) {
            r->fault = f->fault;
            e->depth++;
            return take_path(e, f->parent, &f->action, &r->path);
        }
        r->bounded = e->full;
        if (e->full) break;
        e->level_begin = e->table.level;
        e->depth += e->table.count != e->table.level;
    }
    return true;
}

/* Every state that was met again, in another form, must lead to where its representative leads. */
static bool compare_checks(struct explorer *e, struct explore_result *r) {
    for (unsigned i = 0; i < e->workers; i++) {
        const struct worker *w = &e->worker[i];
        r->checked += w->checks;
        for (size_t k = 0; k < w->checks && !r->fault.found && !r->bounded; k++) {
            if (e->digest[w->check[k].id] == w->check[k].digest) continue;
            fault_note(&r->fault, "two states have one hash and different futures: the projection lacks something");
            if (!take_path(e, w->check[k].id, NULL, &r->path)) return false;
            if (!take_path(e, w->check[k].parent, &w->check[k].action, &r->other)) return false;
        }
    }
    return true;
}

/* At the fixed point: from every state both stacks can come to rest. */
static bool check_rest(struct explorer *e, struct explore_result *r) {
    int error;
    struct explore_edges *edges = calloc(e->workers, sizeof *edges);
    if (edges == NULL) return false;
    for (unsigned i = 0; i < e->workers; i++) edges[i] = e->worker[i].edges;
    uint32_t lost = explore_reach(&e->table, edges, e->workers, &error);
    free(edges);
    if (error != 0) return false;
    if (lost == UINT32_MAX) return true;
    fault_note(&r->fault, "no schedule leads from here to CLOSED on both sides");
    return take_path(e, lost, NULL, &r->path);
}

int explore_run(const struct explore_world *w, const struct explore_options *options,
                const struct explore_limits *limits, struct explore_result *r) {
    struct explorer e = {.world = w, .limits = limits};
    memset(r, 0, sizeof *r);
    clock_gettime(CLOCK_MONOTONIC, &e.began);
    e.told = e.began;
    bool good = explorer_init(&e, options) && run_levels(&e, r);
    if (good && !r->fault.found) good = compare_checks(&e, r);
    if (good && !r->fault.found && !r->bounded) good = check_rest(&e, r);
    r->states = e.table.count;
    r->depth = e.depth;
    for (unsigned i = 0; e.worker != NULL && i < e.workers; i++) {
        r->transitions += e.worker[i].edges.count;
        r->packed_bytes += e.worker[i].packed_bytes;
    }
    explorer_free(&e);
    r->seconds = seconds_since(&e.began);
    return good ? 0 : ERROR_NOMEM;
}

void explore_result_free(struct explore_result *r) {
    free(r->path.action);
    free(r->other.action);
    memset(&r->path, 0, sizeof r->path);
    memset(&r->other, 0, sizeof r->other);
}
