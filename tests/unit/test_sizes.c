/* Shows what each record costs, and that the bounds of the design hold. */
#include "pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tcp/connection.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"

static void records(void **state) {
    (void)state;
    printf("request     IPv4 %2" PRIu32 "  IPv6 %2" PRIu32 " bytes\n", request_size(false), request_size(true));
    printf("TIME-WAIT   IPv4 %2" PRIu32 "  IPv6 %2" PRIu32 " bytes\n", time_wait_size(false), time_wait_size(true));
    printf("connection  %zu bytes; active record, while there is data: %zu; extent: %zu; frame: %zu\n",
           sizeof(struct connection), sizeof(struct active), sizeof(struct extent), sizeof(struct frame));
    assert_true(request_size(false) <= 64);
    assert_true(time_wait_size(false) <= 64);
    assert_true(request_size(true) <= 96);
    assert_true(time_wait_size(true) <= 96);
    /* with an entry of the connection table and what a socket object will need */
    assert_true(sizeof(struct connection) + 16 + 48 <= 512);
}

/* The pools are made of records of these sizes, and of as many as the configuration says. */
static void pools(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    struct bk_pool_info info[BK_POOLS];
    for (int i = 0; i < BK_POOLS; i++) {
        bk_pool_info(p.side[0].stack, (enum bk_pool)i, &info[i]);
        printf("%-16s %6" PRIu32 " of %5" PRIu32 " bytes\n", bk_pool_name((enum bk_pool)i), info[i].capacity,
               info[i].object_size);
        assert_int_equal(info[i].in_use, i == BK_POOL_DEMUX); /* the table has one bucket from the start */
        assert_true(info[i].object_size > 0);
    }
    assert_int_equal(info[BK_POOL_CONNECTIONS].object_size, sizeof(struct connection));
    assert_int_equal(info[BK_POOL_REQUESTS_IPV4].object_size, request_size(false));
    assert_int_equal(info[BK_POOL_REQUESTS_IPV6].object_size, request_size(true));
    assert_int_equal(info[BK_POOL_TIME_WAITS_IPV4].object_size, time_wait_size(false));
    assert_int_equal(info[BK_POOL_TIME_WAITS_IPV6].object_size, time_wait_size(true));
    assert_int_equal(info[BK_POOL_CHUNKS].object_size, config.chunk_size);
    assert_int_equal(info[BK_POOL_CONNECTIONS].capacity, config.connections);
    assert_int_equal(info[BK_POOL_ACTIVE].capacity, config.active_connections);
    assert_int_equal(info[BK_POOL_REQUESTS_IPV4].capacity, config.requests_ipv4);
    assert_int_equal(info[BK_POOL_TIME_WAITS_IPV6].capacity, config.time_waits_ipv6);
    assert_int_equal(info[BK_POOL_FRAMES].capacity, config.frames);
    assert_int_equal(info[BK_POOL_CHUNKS].capacity, config.chunks);
    pair_close(&p);
}

/* Memory follows what is there: room for a million TIME-WAITs costs nothing until they come. */
static void memory_follows_use(void **state) {
    (void)state;
    struct bk_config small, large;
    pair_config(&small);
    large = small;
    large.connections = large.active_connections = 100000;
    large.requests_ipv4 = 100000;
    large.time_waits_ipv4 = 1000000;
    size_t size = bk_region_size(&large);
    assert_true(size > 100000 * sizeof(struct connection) + 1000000 * (size_t)time_wait_size(false));

    uint8_t seed[32] = {1};
    void *region = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    bk_stack *stack;
    assert_non_null(region);
    assert_int_equal(bk_create(region, size, &large, seed, 1, &stack, NULL), 0);
    printf("region %zu bytes, used when created %zu\n", size, bk_used_extent(stack));
    assert_true(bk_used_extent(stack) < size / 100);
    free(region);
}

/* An idle connection holds no buffer and no active record. */
static void idle_connection(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_conn conn[2];
    uint64_t at = 0;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    pair_establish(&p, pair_listen(&p, 1, 1), conn);
    assert_int_equal(pair_send(&p, 0, conn[0], 1, 0, 1000), 1000);
    assert_int_equal(pair_in_use(&p, 0, BK_POOL_ACTIVE), 1);
    pair_run(&p, PAIR_S);
    pair_receive(&p, 1, conn[1], 1, &at);
    assert_int_equal(at, 1000);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(pair_in_use(&p, side, BK_POOL_CONNECTIONS), 1);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_ACTIVE), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_EXTENTS), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_CHUNKS), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_FRAMES), 0);
    }
    pair_close(&p);
}

/* A record at rest stays with its connection, until it has rested for a second and another connection needs one. */
static void records_rest(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    bk_conn first[2], second[2];
    struct bk_pool_info info;
    uint64_t at = 0;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    bk_listener listener = pair_listen(&p, 1, 2);
    pair_establish(&p, listener, first);
    pair_establish(&p, listener, second);
    for (int round = 0; round < 4; round++) { /* within the second each keeps its own */
        assert_int_equal(pair_send(&p, 0, round % 2 ? second[0] : first[0], 1, 0, 10), 10);
        pair_run(&p, 100 * PAIR_MS);
        pair_receive(&p, 1, round % 2 ? second[1] : first[1], 1, (at = 0, &at));
    }
    bk_pool_info(p.side[0].stack, BK_POOL_ACTIVE, &info);
    assert_int_equal(info.in_use, 0);
    assert_int_equal(info.high_water, 2);
    bk_conn more[2];
    for (int round = 0; round < 4; round++) { /* later a new connection takes one that rests */
        pair_run(&p, 2 * PAIR_S);
        pair_establish(&p, listener, more);
        assert_int_equal(pair_send(&p, 0, more[0], 1, 0, 10), 10);
        pair_run(&p, 100 * PAIR_MS);
    }
    bk_pool_info(p.side[0].stack, BK_POOL_ACTIVE, &info);
    assert_int_equal(info.high_water, 2);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),         cmocka_unit_test(pools),        cmocka_unit_test(memory_follows_use),
        cmocka_unit_test(idle_connection), cmocka_unit_test(records_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
