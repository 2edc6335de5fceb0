/* Shows that listeners are found by port and address, the exact address first, and that their handles go stale. */
#include "core.h"

#include "tcp/connection.h"

#define LISTENERS 100u

static struct core up(void) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.listeners = LISTENERS;
    return core_up(&config, 0);
}

static bk_addr address(const char *text) {
    bk_addr a;
    assert_int_equal(bk_addr_parse(text, &a), 0);
    return a;
}

static int open_at(struct core *k, const char *text, uint16_t port, bk_listener *out) {
    bk_addr a = address(text);
    return listener_open(k->tcp, &(struct bk_tcp_passive){.local = a, .port = port, .backlog = 5}, out);
}

static struct listener *find(const struct core *k, const char *text, uint16_t port) {
    bk_addr a = address(text);
    return listener_find(k->tcp, &a, port);
}

/* An exact address wins over an unspecified one, 0.0.0.0 takes IPv4 only, :: takes both (stack.h). */
static void the_best_fit_wins(void **state) {
    (void)state;
    struct core k = up();
    bk_listener exact, any4, any6;
    assert_int_equal(open_at(&k, "192.0.2.1", 80, &exact), 0);
    assert_null(find(&k, "192.0.2.2", 80));
    assert_null(find(&k, "192.0.2.1", 81));
    assert_null(find(&k, "192.0.2.1", 80 + LISTENER_BUCKETS)); /* the same bucket */
    assert_int_equal(open_at(&k, "0.0.0.0", 80, &any4), 0);
    assert_ptr_equal(find(&k, "192.0.2.1", 80), listener_of(k.tcp, exact));
    assert_ptr_equal(find(&k, "192.0.2.2", 80), listener_of(k.tcp, any4));
    assert_null(find(&k, "2001:db8::1", 80));
    assert_int_equal(open_at(&k, "::", 443, &any6), 0);
    assert_ptr_equal(find(&k, "192.0.2.2", 443), listener_of(k.tcp, any6));
    assert_ptr_equal(find(&k, "2001:db8::1", 443), listener_of(k.tcp, any6));
    core_down(&k);
}

static void in_use_is_in_use(void **state) {
    (void)state;
    struct core k = up();
    bk_listener l, other;
    assert_int_equal(open_at(&k, "192.0.2.1", 80, &l), 0);
    assert_int_equal(open_at(&k, "192.0.2.1", 80, &other), ERROR_ADDRINUSE);
    assert_int_equal(open_at(&k, "192.0.2.2", 80, &other), 0);
    assert_int_equal(open_at(&k, "192.0.2.1", 80 + LISTENER_BUCKETS, &other), 0);
    listener_free(k.tcp, listener_of(k.tcp, l));
    assert_int_equal(open_at(&k, "192.0.2.1", 80, &l), 0);
    core_down(&k);
}

/* At the bound: -ENOBUFS, until one is free again. */
static void no_more_than_configured(void **state) {
    (void)state;
    struct core k = up();
    bk_listener l[LISTENERS], more;
    for (uint16_t i = 0; i < LISTENERS; i++) assert_int_equal(open_at(&k, "::", (uint16_t)(1000 + i), &l[i]), 0);
    assert_int_equal(open_at(&k, "::", 80, &more), ERROR_NOBUFS);
    listener_free(k.tcp, listener_of(k.tcp, l[50]));
    assert_int_equal(open_at(&k, "::", 80, &more), 0);
    core_down(&k);
}

static void handles_go_stale(void **state) {
    (void)state;
    struct core k = up();
    bk_listener first, second;
    assert_int_equal(open_at(&k, "::", 80, &first), 0);
    listener_free(k.tcp, listener_of(k.tcp, first));
    assert_null(listener_of(k.tcp, first));
    assert_int_equal(open_at(&k, "::", 81, &second), 0);
    assert_int_equal(second.index, first.index);
    assert_null(listener_of(k.tcp, first));
    assert_non_null(listener_of(k.tcp, second));
    assert_null(listener_of(k.tcp, (bk_listener){second.index, 0}));
    assert_null(listener_of(k.tcp, (bk_listener){UINT32_MAX, second.generation}));
    assert_null(listener_of(k.tcp, (bk_listener){LISTENERS, second.generation}));
    core_down(&k);
}

/* What the user is told of stands in the queue once; a listener that ends is taken out of it. */
static void told_once(void **state) {
    (void)state;
    struct core k = up();
    bk_listener l[3];
    struct bk_ready ready[4];
    for (uint16_t i = 0; i < 3; i++) assert_int_equal(open_at(&k, "::", (uint16_t)(80 + i), &l[i]), 0);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 3; i++) listener_hear(k.tcp, listener_of(k.tcp, l[i]), BK_READY_ACCEPTABLE);
    listener_free(k.tcp, listener_of(k.tcp, l[1]));
    assert_int_equal(bk_ready_poll(k.stack, ready, 4), 2);
    assert_true(ready[0].listener && ready[0].index == l[0].index && ready[0].what == BK_READY_ACCEPTABLE);
    assert_true(ready[1].listener && ready[1].index == l[2].index);
    assert_int_equal(bk_ready_poll(k.stack, ready, 4), 0);
    listener_hear(k.tcp, listener_of(k.tcp, l[0]), BK_READY_ACCEPTABLE);
    assert_int_equal(bk_ready_poll(k.stack, ready, 4), 1);
    core_down(&k);
}

/* Random opens and closes on few buckets: always exactly the open ones are found. */
static void against_an_array(void **state) {
    (void)state;
    struct core k = up();
    bk_listener l[LISTENERS];
    bool is_open[LISTENERS] = {false};
    uint64_t random = 61;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = core_below(&random, LISTENERS);
        uint16_t port = (uint16_t)(7 + i * LISTENER_BUCKETS / 4); /* four chains */
        if (is_open[i])
            listener_free(k.tcp, listener_of(k.tcp, l[i]));
        else
            assert_int_equal(open_at(&k, "192.0.2.1", port, &l[i]), 0);
        is_open[i] = !is_open[i];
        uint32_t j = core_below(&random, LISTENERS);
        struct listener *found = find(&k, "192.0.2.1", (uint16_t)(7 + j * LISTENER_BUCKETS / 4));
        assert_int_equal(found != NULL, is_open[j]);
        if (found != NULL) assert_int_equal(found->self, l[j].index);
    }
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_fit_wins),
        cmocka_unit_test(in_use_is_in_use),
        cmocka_unit_test(no_more_than_configured),
        cmocka_unit_test(handles_go_stale),
        cmocka_unit_test(told_once),
        cmocka_unit_test(against_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
