/* Shows that a world of two connections fits in 64 KiB, and really transfers data and closes. */
#include "pair.h"

#include <inttypes.h>
#include <stdio.h>

#define BYTES 20000u

struct flow {
    bk_conn conn[2];
    uint64_t sent[2], received[2];
    bool done[2];
};

static void flow_act(struct pair *p, struct flow *f, uint32_t key) {
    for (int side = 0; side < 2; side++) {
        if (f->done[side]) continue;
        uint32_t mine = key * 2 + (uint32_t)side, theirs = key * 2 + (uint32_t)!side;
        ptrdiff_t n;
        while (f->sent[side] < BYTES &&
               (n = pair_send(p, side, f->conn[side], mine, f->sent[side], BYTES - f->sent[side])) > 0)
            f->sent[side] += (uint64_t)n;
        if (f->sent[side] == BYTES) bk_tcp_shutdown(p->side[side].stack, f->conn[side], p->now);
        /* The peer may be done first: a side with data left stays. */
        if (pair_receive(p, side, f->conn[side], theirs, &f->received[side]) == 0 && f->sent[side] == BYTES) {
            bk_tcp_close(p->side[side].stack, f->conn[side], p->now);
            f->done[side] = true;
        }
    }
}

static void tiny_world(int family, enum bk_layer layer) {
    struct bk_config config;
    struct pair p;
    struct flow flow[2] = {{.sent = {0}}, {.sent = {0}}};
    bk_config_tiny(&config);
    assert_true(config.connections >= 2);
    assert_true(bk_region_size(&config) <= 65536);
    pair_open(&p, family, layer, &config, NULL);
    bk_listener listener = pair_listen(&p, 1, 2);
    printf("IPv%d, layer %d: region %zu bytes, used when created %zu", family, (int)layer, bk_region_size(&config),
           bk_used_extent(p.side[1].stack));
    for (int i = 0; i < 2; i++) pair_establish(&p, listener, flow[i].conn);
    printf(", with two connections %zu", bk_used_extent(p.side[1].stack));

    for (int turn = 0; turn < 30000 && !(flow[0].done[0] && flow[0].done[1] && flow[1].done[0] && flow[1].done[1]);
         turn++) {
        for (uint32_t i = 0; i < 2; i++) flow_act(&p, &flow[i], i);
        pair_run(&p, 2 * PAIR_MS);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(flow[i].done[0] && flow[i].done[1]);
        assert_int_equal(flow[i].received[0], BYTES);
        assert_int_equal(flow[i].received[1], BYTES);
    }
    pair_run(&p, 2 * config.msl_ms * PAIR_MS + 10 * PAIR_S);
    printf(", after %u bytes each way on both %zu\n", BYTES, bk_used_extent(p.side[1].stack));
    for (int side = 0; side < 2; side++) {
        assert_true(bk_used_extent(p.side[side].stack) <= 65536);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_CONNECTIONS), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_TIME_WAITS_IPV4), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_TIME_WAITS_IPV6), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_CHUNKS), 0);
        assert_int_equal(pair_in_use(&p, side, BK_POOL_FRAMES), 0);
        assert_int_equal(pair_count(&p, side, BK_REASON_SEND_RST_CLOSED), 0);
    }
    pair_close(&p);
}

static void two_connections_fit(void **state) {
    (void)state;
    tiny_world(4, BK_LAYER_IP);
    tiny_world(6, BK_LAYER_IP);
    tiny_world(4, BK_LAYER_ETHERNET);
    tiny_world(6, BK_LAYER_ETHERNET);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_connections_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
