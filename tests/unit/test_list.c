/* Shows that lists of pool objects keep their order, and that a link knows whether it stands in one. */
#include "core.h"

#include "base/list.h"

struct item {
    uint32_t pad[3];
    struct link link;
    uint32_t more;
};
#define ITEMS  100u
#define OFFSET offsetof(struct item, link)

static void against_an_array(void **state) {
    (void)state;
    struct bk_config config;
    bk_config_tiny(&config);
    struct core k = core_up(&config, 65536);
    struct pool pool;
    pool_init(&pool, sizeof(struct item), ITEMS, 4, 8, false);
    struct list list;
    list_init(&list);
    for (uint32_t i = 0; i < ITEMS; i++) link_init(link_at(k.base, &pool, OFFSET, pool_alloc(k.base, &pool)));

    uint32_t model[ITEMS], count = 0;
    uint64_t random = 3;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t id = core_below(&random, ITEMS), place = 0;
        while (place < count && model[place] != id) place++;
        struct link *link = link_at(k.base, &pool, OFFSET, id);
        assert_int_equal(link_in(link), place < count);
        uint32_t out = BK_NONE;
        if (place == count) {
            list_push_tail(k.base, &pool, OFFSET, &list, id);
            model[count++] = id;
        } else if (core_below(&random, 2)) {
            list_remove(k.base, &pool, OFFSET, &list, id);
            out = place;
        } else {
            assert_int_equal(list_pop_head(k.base, &pool, OFFSET, &list), model[0]);
            out = 0;
        }
        if (out != BK_NONE) memmove(&model[out], &model[out + 1], (--count - out) * sizeof model[0]);

        assert_int_equal(list.count, count);
        assert_int_equal(list.head, count == 0 ? BK_NONE : model[0]);
        assert_int_equal(list.tail, count == 0 ? BK_NONE : model[count - 1]);
        uint32_t forward = list.head, backward = list.tail;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(forward, model[i]);
            assert_int_equal(backward, model[count - 1 - i]);
            forward = link_at(k.base, &pool, OFFSET, forward)->next;
            backward = link_at(k.base, &pool, OFFSET, backward)->prev;
        }
        assert_int_equal(forward, BK_NONE);
        assert_int_equal(backward, BK_NONE);
    }
    while (count-- != 0) assert_int_not_equal(list_pop_head(k.base, &pool, OFFSET, &list), BK_NONE);
    assert_int_equal(list_pop_head(k.base, &pool, OFFSET, &list), BK_NONE);
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_an_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
