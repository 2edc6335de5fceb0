/* The visited states: see explore_table.h. */
#define _GNU_SOURCE 1
#include "lab/explore_table.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/common.h"

#define STRIPE_FIRST 64u /* slots */

bool explore_table_init(struct explore_table *t, uint32_t room) {
    memset(t, 0, sizeof *t);
    t->room = room;
    for (unsigned i = 0; i < EXPLORE_STRIPES; i++) pthread_mutex_init(&t->stripe[i].lock, NULL);
    void *node = mmap(NULL, (size_t)room * sizeof *t->node, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (node == MAP_FAILED) return false;
    t->node = node;
    for (unsigned i = 0; i < EXPLORE_STRIPES; i++) {
        t->stripe[i].room = STRIPE_FIRST;
        t->stripe[i].slot = calloc(STRIPE_FIRST, sizeof t->stripe[i].slot[0]);
        if (t->stripe[i].slot == NULL) return false;
    }
    return true;
}

void explore_table_free(struct explore_table *t) {
    for (uint32_t i = 0; i < t->count; i++) free(t->node[i].packed);
    if (t->node != NULL) munmap(t->node, (size_t)t->room * sizeof *t->node);
    for (unsigned i = 0; i < EXPLORE_STRIPES; i++) {
        free(t->stripe[i].slot);
        pthread_mutex_destroy(&t->stripe[i].lock);
    }
    memset(t, 0, sizeof *t);
}

static struct explore_stripe *stripe_of(struct explore_table *t, const struct explore_hash *h) {
    return &t->stripe[h->word[0] % EXPLORE_STRIPES];
}

/* The slot that holds this hash, or the empty one where it belongs. */
static uint32_t *slot_of(const struct explore_table *t, const struct explore_stripe *s, const struct explore_hash *h) {
    uint32_t mask = s->room - 1;
    for (uint32_t i = (uint32_t)h->word[1] & mask;; i = (i + 1) & mask) {
        uint32_t id = s->slot[i];
        if (id == 0) return &s->slot[i];
        const struct explore_hash *known = &t->node[id - 1].hash;
        if (known->word[0] == h->word[0] && known->word[1] == h->word[1]) return &s->slot[i];
    }
}

static bool stripe_grow(struct explore_table *t, struct explore_stripe *s) {
    struct explore_stripe wide = {.room = s->room * 2, .slot = calloc((size_t)s->room * 2, sizeof s->slot[0])};
    if (wide.slot == NULL) return false;
    for (uint32_t i = 0; i < s->room; i++)
        if (s->slot[i] != 0) *slot_of(t, &wide, &t->node[s->slot[i] - 1].hash) = s->slot[i];
    free(s->slot);
    s->slot = wide.slot;
    s->room = wide.room;
    return true;
}

/* Whether a comes before b, in the order in which one thread would find them. */
static bool earlier(const struct explore_node *a, const struct explore_node *b) {
    return a->parent != b->parent ? a->parent < b->parent : a->number < b->number;
}

static bool wanted(const struct explore_table *t, uint32_t slot, const struct explore_node *candidate) {
    return slot == 0 || (slot > t->level && earlier(candidate, &t->node[slot - 1]));
}

bool explore_table_wants(struct explore_table *t, const struct explore_node *candidate, uint32_t *id) {
    struct explore_stripe *s = stripe_of(t, &candidate->hash);
    pthread_mutex_lock(&s->lock);
    uint32_t slot = *slot_of(t, s, &candidate->hash);
    bool keep = wanted(t, slot, candidate);
    pthread_mutex_unlock(&s->lock);
    *id = slot - 1;
    return keep;
}

uint32_t explore_table_keep(struct explore_table *t, const struct explore_node *candidate) {
    struct explore_stripe *s = stripe_of(t, &candidate->hash);
    uint32_t id = UINT32_MAX;
    pthread_mutex_lock(&s->lock);
    if (s->used * 2 < s->room || stripe_grow(t, s)) {
        uint32_t *slot = slot_of(t, s, &candidate->hash);
        if (*slot != 0) {
            id = *slot - 1;
            uint8_t *unwanted = candidate->packed;
            if (wanted(t, *slot, candidate)) {
                unwanted = t->node[id].packed;
                t->node[id] = *candidate;
            }
            free(unwanted);
        } else {
            id = __atomic_fetch_add(&t->count, 1, __ATOMIC_RELAXED);
            if (id < t->room) {
                t->node[id] = *candidate;
                *slot = id + 1;
                s->used++;
            } else {
                __atomic_fetch_sub(&t->count, 1, __ATOMIC_RELAXED);
                free(candidate->packed);
                id = UINT32_MAX;
            }
        }
    } else {
        free(candidate->packed);
    }
    pthread_mutex_unlock(&s->lock);
    return id;
}

/* ---- the order of a level -------------------------------------------------------------------------- */

struct sorted {
    struct explore_node node;
    uint32_t *slot;
    uint32_t old;
};

static int sorted_compare(const void *a, const void *b) {
    const struct sorted *x = a, *y = b;
    return earlier(&x->node, &y->node) ? -1 : 1;
}

uint32_t *explore_table_sort(struct explore_table *t) {
    uint32_t n = t->count - t->level;
    struct sorted *all = malloc((n + 1) * sizeof *all);
    uint32_t *to = malloc((n + 1) * sizeof *to);
    if (all == NULL || to == NULL) {
        free(all);
        free(to);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct explore_node *node = &t->node[t->level + i];
        all[i] = (struct sorted){*node, slot_of(t, stripe_of(t, &node->hash), &node->hash), t->level + i};
    }
    qsort(all, n, sizeof *all, sorted_compare);
    for (uint32_t i = 0; i < n; i++) {
        to[all[i].old - t->level] = t->level + i;
        t->node[t->level + i] = all[i].node;
        *all[i].slot = t->level + i + 1;
    }
    free(all);
    return to;
}
