/* Shows what a running stack lets its owner change, and what not. */
#include "pair.h"

#include <errno.h>
#include <string.h>

static void a_setting_holds_for_new_connections(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_conn before[2], after[2];
    uint64_t value = 0;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    bk_listener listener = pair_listen(&p, 1, 4);
    pair_establish(&p, listener, before);
    config = *bk_config_of(p.side[0].stack);
    config.send_buffer = 12345;
    assert_int_equal(bk_config_change(p.side[0].stack, &config, NULL), 0);
    assert_int_equal(bk_config_of(p.side[0].stack)->send_buffer, 12345);
    pair_establish(&p, listener, after);
    assert_int_equal(bk_tcp_get(p.side[0].stack, before[0], BK_TCP_SEND_BUFFER, &value), 0);
    assert_int_not_equal(value, 12345);
    assert_int_equal(bk_tcp_get(p.side[0].stack, after[0], BK_TCP_SEND_BUFFER, &value), 0);
    assert_int_equal(value, 12345);
    pair_close(&p);
}

static void what_cannot_change_is_refused(void **state) {
    (void)state;
    struct bk_config config, good;
    struct pair p;
    bk_conn conn[2];
    const char *why = NULL;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    bk_stack *stack = p.side[0].stack;
    good = *bk_config_of(stack);

    config = good;
    config.chunks++;
    assert_int_equal(bk_config_change(stack, &config, &why), -EINVAL);
    assert_string_equal(why, "the sizes of pools and the steering cannot change");
    config = good;
    config.rto_min_ms = 0;
    assert_int_equal(bk_config_change(stack, &config, &why), -EINVAL);
    assert_non_null(strstr(why, "rto_min_ms must be"));

    pair_establish(&p, pair_listen(&p, 1, 4), conn);
    assert_int_equal(bk_tcp_close(stack, conn[0], p.now), 0);
    pair_run(&p, 10 * PAIR_MS);
    assert_int_equal(bk_tcp_close(p.side[1].stack, conn[1], p.now), 0);
    pair_run(&p, 10 * PAIR_MS);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_TIME_WAITS_IPV4), 1);
    config = good;
    config.msl_ms *= 2;
    assert_int_equal(bk_config_change(stack, &config, &why), -EBUSY);
    assert_string_equal(why, "msl_ms cannot change while connections are in TIME-WAIT");
    assert_memory_equal(bk_config_of(stack), &good, sizeof good);
    pair_run(&p, 2 * good.msl_ms * PAIR_MS);
    assert_int_equal(bk_config_change(stack, &config, &why), 0);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_setting_holds_for_new_connections),
        cmocka_unit_test(what_cannot_change_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
