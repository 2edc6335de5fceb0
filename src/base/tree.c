/* Treaps: see tree.h. */
#include "base/tree.h"

#include "base/seq.h"

static struct tree_node *node_at(const struct tree_of *of, uint32_t id) {
    return (struct tree_node *)(void *)((uint8_t *)pool_at(of->base, of->pool, id) + of->node);
}

static uint32_t key_at(const struct tree_of *of, uint32_t id) {
    return *(const uint32_t *)(const void *)((const uint8_t *)pool_at(of->base, of->pool, id) + of->key);
}

/* A scramble of 32 bits in which each bit of the id moves every bit (the finalizer of MurmurHash3). */
static uint32_t priority_of(uint32_t id) {
    id ^= id >> 16;
    id *= UINT32_C(0x85ebca6b);
    id ^= id >> 13;
    id *= UINT32_C(0xc2b2ae35);
    return id ^ id >> 16;
}

/* Puts `to` (BK_NONE: nothing) where `from` hangs, under from's parent. */
static void replace_child(const struct tree_of *of, struct tree *t, uint32_t from, uint32_t to) {
    uint32_t parent = node_at(of, from)->parent;
    if (parent == BK_NONE)
        t->root = to;
    else if (node_at(of, parent)->left == from)
        node_at(of, parent)->left = to;
    else
        node_at(of, parent)->right = to;
    if (to != BK_NONE) node_at(of, to)->parent = parent;
}

/* Lifts `id` above its parent; the order of keys stays. */
static void rotate_up(const struct tree_of *of, struct tree *t, uint32_t id) {
    struct tree_node *n = node_at(of, id);
    uint32_t parent = n->parent, inner;
    struct tree_node *p = node_at(of, parent);
    replace_child(of, t, parent, id);
    if (p->left == id) {
        inner = n->right;
        p->left = inner;
        n->right = parent;
    } else {
        inner = n->left;
        p->right = inner;
        n->left = parent;
    }
    p->parent = id;
    if (inner != BK_NONE) node_at(of, inner)->parent = parent;
}

void tree_insert(const struct tree_of *of, struct tree *t, uint32_t id) {
    if (BK_FAST && t->root == BK_NONE) {
        *node_at(of, id) = (struct tree_node){BK_NONE, BK_NONE, BK_NONE};
        t->root = id;
        return;
    }
    uint32_t key = key_at(of, id), parent = BK_NONE;
    bool left = false;
    for (uint32_t at = t->root; at != BK_NONE;) {
        parent = at;
        left = seq_lt(key, key_at(of, at));
        at = left ? node_at(of, at)->left : node_at(of, at)->right;
    }
    *node_at(of, id) = (struct tree_node){BK_NONE, BK_NONE, parent};
    if (parent == BK_NONE)
        t->root = id;
    else if (left)
        node_at(of, parent)->left = id;
    else
        node_at(of, parent)->right = id;
    while ((parent = node_at(of, id)->parent) != BK_NONE && priority_of(id) > priority_of(parent)) rotate_up(of, t, id);
}

void tree_remove(const struct tree_of *of, struct tree *t, uint32_t id) {
    struct tree_node *n = node_at(of, id);
    if (BK_FAST && t->root == id && (n->left & n->right) == BK_NONE) {
        t->root = BK_NONE;
        return;
    }
    while (n->left != BK_NONE && n->right != BK_NONE)
        rotate_up(of, t, priority_of(n->left) > priority_of(n->right) ? n->left : n->right);
    replace_child(of, t, id, n->left != BK_NONE ? n->left : n->right);
}

uint32_t tree_floor(const struct tree_of *of, const struct tree *t, uint32_t seq) {
    uint32_t best = BK_NONE;
    for (uint32_t at = t->root; at != BK_NONE;) {
        if (seq_le(key_at(of, at), seq)) {
            best = at;
            at = node_at(of, at)->right;
        } else {
            at = node_at(of, at)->left;
        }
    }
    return best;
}

static uint32_t leftmost(const struct tree_of *of, uint32_t id) {
    while (node_at(of, id)->left != BK_NONE) id = node_at(of, id)->left;
    return id;
}

uint32_t tree_first(const struct tree_of *of, const struct tree *t) {
    return t->root == BK_NONE ? BK_NONE : leftmost(of, t->root);
}

uint32_t tree_next(const struct tree_of *of, uint32_t id) {
    const struct tree_node *n = node_at(of, id);
    if (n->right != BK_NONE) return leftmost(of, n->right);
    uint32_t parent = n->parent;
    while (parent != BK_NONE && node_at(of, parent)->right == id) {
        id = parent;
        parent = node_at(of, id)->parent;
    }
    return parent;
}

uint32_t tree_prev(const struct tree_of *of, uint32_t id) {
    const struct tree_node *n = node_at(of, id);
    if (n->left != BK_NONE) {
        id = n->left;
        while (node_at(of, id)->right != BK_NONE) id = node_at(of, id)->right;
        return id;
    }
    uint32_t parent = n->parent;
    while (parent != BK_NONE && node_at(of, parent)->left == id) {
        id = parent;
        parent = node_at(of, id)->parent;
    }
    return parent;
}
