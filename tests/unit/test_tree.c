/* Shows that trees of pool objects keep the order of sequence numbers, across the wrap, and stay shallow. */
#include "core.h"

#include "base/seq.h"
#include "base/tree.h"

struct item {
    uint32_t pad;
    uint32_t seq;
    struct tree_node node;
    uint32_t in;
};
#define ITEMS 300u

static struct item *item_at(const struct tree_of *of, uint32_t id) {
    return pool_at(of->base, of->pool, id);
}

static uint32_t depth(const struct tree_of *of, uint32_t id) {
    if (id == BK_NONE) return 0;
    uint32_t left = depth(of, item_at(of, id)->node.left), right = depth(of, item_at(of, id)->node.right);
    return 1 + u32_max(left, right);
}

static uint32_t floor_by_looking(const struct tree_of *of, uint32_t seq) {
    uint32_t best = BK_NONE;
    for (uint32_t id = 0; id < ITEMS; id++) {
        const struct item *i = item_at(of, id);
        if (i->in && seq_le(i->seq, seq) && (best == BK_NONE || seq_gt(i->seq, item_at(of, best)->seq))) best = id;
    }
    return best;
}

static void check(const struct tree_of *of, const struct tree *t, uint32_t count) {
    uint32_t seen = 0, last = BK_NONE;
    for (uint32_t id = tree_first(of, t); id != BK_NONE; id = tree_next(of, id)) {
        assert_true(item_at(of, id)->in);
        assert_int_equal(tree_prev(of, id), last);
        if (last != BK_NONE) assert_true(seq_lt(item_at(of, last)->seq, item_at(of, id)->seq));
        last = id;
        seen++;
    }
    assert_int_equal(seen, count);
}

static void against_looking(void **state) {
    (void)state;
    struct bk_config config;
    bk_config_tiny(&config);
    struct core k = core_up(&config, 65536);
    struct pool pool;
    pool_init(&pool, sizeof(struct item), ITEMS, 4, 8, true);
    struct tree_of of = {k.base, &pool, offsetof(struct item, node), offsetof(struct item, seq)};
    struct tree tree;
    tree_init(&tree);
    uint64_t random = 5;
    for (uint32_t i = 0; i < ITEMS; i++) /* distinct numbers on both sides of the wrap */
        item_at(&of, pool_alloc(k.base, &pool))->seq = UINT32_MAX - ITEMS * 50 + i * 100;
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t id = core_below(&random, ITEMS);
        struct item *item = item_at(&of, id);
        if (item->in)
            tree_remove(&of, &tree, id);
        else
            tree_insert(&of, &tree, id);
        item->in = !item->in;
        count += item->in ? 1 : -1u;
        uint32_t seq = UINT32_MAX - ITEMS * 50 + core_below(&random, ITEMS * 100);
        assert_int_equal(tree_floor(&of, &tree, seq), floor_by_looking(&of, seq));
        if (step % 100 == 0) check(&of, &tree, count);
    }
    core_down(&k);
}

/* In order, as a sender sends, in any order of ids: the depth is that of a random tree. */
static void stays_shallow(void **state) {
    (void)state;
    enum { MANY = 65536 };
    struct bk_config config;
    bk_config_tiny(&config);
    struct core k = core_up(&config, 4u << 20);
    struct pool pool;
    pool_init(&pool, sizeof(struct item), MANY, 4, 8, true);
    struct tree_of of = {k.base, &pool, offsetof(struct item, node), offsetof(struct item, seq)};
    for (uint32_t stride = 1; stride < MANY; stride = stride * 2 + 1) { /* odd: each id is met once */
        struct tree tree;
        tree_init(&tree);
        while (pool.in_use < MANY) pool_alloc(k.base, &pool);
        for (uint32_t i = 0, id = 0; i < MANY; i++, id = (id + stride) % MANY) {
            item_at(&of, id)->seq = i;
            tree_insert(&of, &tree, id);
        }
        assert_in_range(depth(&of, tree.root), 16, 60);
    }
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_looking),
        cmocka_unit_test(stays_shallow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
