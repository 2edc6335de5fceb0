/* Ordered sets of pool objects by sequence number: find, insert and remove in O(log n), whatever a peer makes of them.
 *
 * A treap: a search tree by key that is also a heap by priority. An object's priority is a fixed scramble of its id, so the shape
 * depends only on which ids are in it, and is that of a random tree: about 2 ln n deep. A peer chooses sequence numbers, but not ids.
 *
 * The keys in one tree are distinct and lie within half of the sequence space, so that seq.h's order is one. A key may change
 * in place as long as it stays between its neighbours. Nodes live in objects of one pool, at one offset: struct tree_of says where.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/region.h"

struct tree_node {
    uint32_t left, right, parent; /* ids, or BK_NONE */
};

struct tree {
    uint32_t root;
};

struct tree_of {
    const struct base *base;
    const struct pool *pool;
    size_t node; /* of struct tree_node in the object */
    size_t key;  /* of the uint32_t sequence number in the object */
};

static inline void tree_init(struct tree *t) {
    t->root = BK_NONE;
}
void tree_insert(const struct tree_of *of, struct tree *t, uint32_t id);
void tree_remove(const struct tree_of *of, struct tree *t, uint32_t id);
/* The object with the largest key at or before `seq`, or BK_NONE. */
uint32_t tree_floor(const struct tree_of *of, const struct tree *t, uint32_t seq);
/* The object with the smallest key, or BK_NONE. */
uint32_t tree_first(const struct tree_of *of, const struct tree *t);
/* The object with the next larger key, or BK_NONE. */
uint32_t tree_next(const struct tree_of *of, uint32_t id);
/* The object with the next smaller key, or BK_NONE. */
uint32_t tree_prev(const struct tree_of *of, uint32_t id);

#endif
