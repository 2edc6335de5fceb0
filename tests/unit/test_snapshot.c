/* Shows that a stack is a value: a copy of its used extent runs on at another address and sends the same bytes. */
#include "pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/region.h"

#define BYTES 150000u

/* The user's side of a transfer both ways: queues, reads, closes, always as much as goes. */
struct users {
    bk_conn conn[2];
    uint64_t sent[2], received[2];
    bool closed[2];
};

static void users_act(struct pair *p, struct users *u) {
    for (int side = 0; side < 2; side++) {
        if (u->closed[side]) continue;
        ptrdiff_t n;
        while (u->sent[side] < BYTES &&
               (n = pair_send(p, side, u->conn[side], (uint32_t)side, u->sent[side], BYTES - u->sent[side])) > 0)
            u->sent[side] += (uint64_t)n;
        if (u->sent[side] == BYTES) bk_tcp_shutdown(p->side[side].stack, u->conn[side], p->now);
        if (pair_receive(p, side, u->conn[side], (uint32_t)!side, &u->received[side]) == 0) {
            bk_tcp_close(p->side[side].stack, u->conn[side], p->now);
            u->closed[side] = true;
        }
    }
}

static void users_run(struct pair *p, struct users *u, uint64_t ms) {
    for (uint64_t i = 0; i < ms; i += 2) {
        users_act(p, u);
        pair_run(p, 2 * PAIR_MS);
    }
}

static void assert_same_frames(const struct pair *a, const struct pair *b) {
    assert_int_equal(a->now, b->now);
    assert_int_equal(a->log_length, b->log_length);
    assert_memory_equal(a->log, b->log, a->log_length);
    assert_int_equal(a->deadlines, b->deadlines);
    for (int side = 0; side < 2; side++) {
        size_t extent = bk_used_extent(a->side[side].stack);
        assert_int_equal(extent, bk_used_extent(b->side[side].stack));
        for (uint16_t reason = 0; reason < BK_REASON_COUNT; reason++)
            assert_int_equal(bk_reason_count(a->side[side].stack, reason),
                             bk_reason_count(b->side[side].stack, reason));
    }
}

static void open_established(struct pair *p, struct users *u, int family, enum bk_layer layer) {
    struct bk_config config;
    pair_config(&config);
    config.msl_ms = 1000;
    memset(u, 0, sizeof *u);
    pair_open(p, family, layer, &config, NULL);
    pair_establish(p, pair_listen(p, 1, 4), u->conn);
}

static void mid_transfer(int family, enum bk_layer layer) {
    struct pair original, copy;
    struct users users, users_of_copy;
    open_established(&original, &users, family, layer);
    users_run(&original, &users, 20);
    assert_true(users.received[1] > 0 && users.received[1] < BYTES); /* in the middle of it */
    assert_true(original.flight_count > 0);
    pair_fork(&original, &copy);
    users_of_copy = users;

    users_run(&original, &users, 6000);
    users_run(&copy, &users_of_copy, 6000);
    assert_same_frames(&original, &copy);
    assert_true(users.closed[0] && users.closed[1]);
    assert_int_equal(users_of_copy.received[0], BYTES);
    assert_int_equal(users_of_copy.received[1], BYTES);
    assert_true(original.log_length > BYTES / 4); /* the copies had a good part still to do */
    assert_int_equal(pair_in_use(&copy, 0, BK_POOL_CHUNKS), 0);
    assert_int_equal(pair_in_use(&copy, 1, BK_POOL_CHUNKS), 0);
    pair_close(&original);
    pair_close(&copy);
}

static void mid_transfer_runs_on(void **state) {
    (void)state;
    mid_transfer(4, BK_LAYER_IP);
    mid_transfer(6, BK_LAYER_IP);
    mid_transfer(4, BK_LAYER_ETHERNET);
    mid_transfer(6, BK_LAYER_ETHERNET);
}

/* With a loss just before the copy, the retransmission timer and the recovery travel with it. */
static void after_loss_runs_on(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct pair original, copy;
        struct users users, users_of_copy;
        open_established(&original, &users, family, BK_LAYER_IP);
        users_run(&original, &users, 30);
        pair_lose(&original);
        users_run(&original, &users, 4);
        pair_fork(&original, &copy);
        users_of_copy = users;
        users_run(&original, &users, 20000);
        users_run(&copy, &users_of_copy, 20000);
        assert_same_frames(&original, &copy);
        assert_int_equal(users_of_copy.received[0], BYTES);
        assert_int_equal(users_of_copy.received[1], BYTES);
        struct bk_tcp_mib mib;
        bk_tcp_mib(copy.side[0].stack, &mib);
        assert_true(mib.retrans_segs > 0);
        pair_close(&original);
        pair_close(&copy);
    }
}

/* Copies at three moments: the SYN is on its way, the SYN-ACK is, the last ACK is. */
static void mid_handshake_runs_on(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        for (uint64_t moment = 0; moment < 3; moment++) {
            struct bk_config config;
            struct pair original, copy, *both[2] = {&original, &copy};
            pair_config(&config);
            pair_open(&original, family, BK_LAYER_IP, &config, NULL);
            bk_listener listener = pair_listen(&original, 1, 4);
            bk_conn conn = pair_connect(&original, 0);
            pair_run(&original, moment * PAIR_LATENCY + PAIR_MS);
            assert_int_equal(original.flight_count, 1);
            assert_int_equal(pair_in_use(&original, 1, family == 4 ? BK_POOL_REQUESTS_IPV4 : BK_POOL_REQUESTS_IPV6),
                             moment == 0 ? 0 : 1);
            pair_fork(&original, &copy);
            for (int i = 0; i < 2; i++) {
                pair_run(both[i], 100 * PAIR_MS);
                bk_conn accepted = pair_accept(both[i], 1, listener);
                assert_int_equal(pair_status(both[i], 0, conn).state, BK_ESTABLISHED);
                assert_int_equal(pair_send(both[i], 1, accepted, 5, 0, 100), 100);
                pair_run(both[i], 1000 * PAIR_MS);
                uint64_t at = 0;
                assert_int_equal(pair_receive(both[i], 0, conn, 5, &at), -EAGAIN);
                assert_int_equal(at, 100);
            }
            assert_same_frames(&original, &copy);
            pair_close(&original);
            pair_close(&copy);
        }
    }
}

/* The FIN comes again in both worlds; both answer it, and both end the wait at the same moment. */
static void time_wait_runs_on(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct pair original, copy, *both[2] = {&original, &copy};
        struct users users;
        open_established(&original, &users, family, BK_LAYER_IP);
        bk_tcp_close(original.side[0].stack, users.conn[0], original.now);
        pair_run(&original, 3 * PAIR_LATENCY);
        bk_tcp_close(original.side[1].stack, users.conn[1], original.now);
        pair_run(&original, PAIR_LATENCY + PAIR_MS); /* the last ACK is on its way ... */
        assert_int_equal(pair_states(&original, 0, BK_TIME_WAIT), 1);
        pair_lose(&original); /* ... and does not arrive */
        pair_fork(&original, &copy);
        for (int i = 0; i < 2; i++) {
            pair_run(both[i], 1500 * PAIR_MS);
            assert_int_equal(pair_states(both[i], 0, BK_TIME_WAIT), 1);
            assert_true(pair_count(both[i], 0, BK_REASON_SEND_TIME_WAIT_ACK) >= 1);
            assert_int_equal(pair_states(both[i], 1, BK_LAST_ACK), 0);
            pair_run(both[i], 6000 * PAIR_MS);
            assert_int_equal(pair_states(both[i], 0, BK_TIME_WAIT), 0);
        }
        assert_same_frames(&original, &copy);
        pair_close(&original);
        pair_close(&copy);
    }
}

static void what_is_no_stack_is_refused(void **state) {
    (void)state;
    struct bk_config config;
    struct pair p;
    struct pair_side copy;
    bk_stack *stack;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    pair_copy_side(&p.side[0], &copy);
    struct base *base = (struct base *)(void *)copy.region;

    assert_int_equal(base->layout, bk_layout_hash());
    base->layout ^= 1; /* another build */
    assert_int_equal(bk_adopt(copy.region, copy.size, &stack), -ENOEXEC);
    base->layout ^= 1;
    base->magic ^= 1; /* something else altogether */
    assert_int_equal(bk_adopt(copy.region, copy.size, &stack), -ENOEXEC);
    base->magic ^= 1;
    assert_int_equal(bk_adopt(copy.region, copy.size - 4096, &stack), -ENOMEM);
    assert_int_not_equal(bk_adopt(copy.region, 100, &stack), 0);
    assert_int_equal(bk_adopt(copy.region + 8, copy.size - 8, &stack), -EFAULT);
    assert_int_equal(bk_adopt(copy.region, copy.size, &stack), 0);
    free(copy.region);
    pair_close(&p);
}

/* A reseeded clone keeps its connections, and chooses other sequence numbers and ports from then on. */
static void reseeding(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct pair original, copy;
        struct users users, users_of_copy;
        uint8_t seed[32];
        memset(seed, 250, sizeof seed);
        open_established(&original, &users, family, BK_LAYER_IP);
        users_run(&original, &users, 40);
        pair_fork(&original, &copy);
        users_of_copy = users;
        bk_reseed(copy.side[0].stack, seed);

        struct bk_tcp_info of_original = pair_status(&original, 0, pair_connect(&original, 0));
        struct bk_tcp_info of_copy = pair_status(&copy, 0, pair_connect(&copy, 0));
        assert_int_not_equal(of_original.iss, of_copy.iss);
        assert_true(of_original.local_port != of_copy.local_port || of_original.iss - of_copy.iss > 1000);

        users_run(&copy, &users_of_copy, 6000);
        assert_int_equal(users_of_copy.received[0], BYTES);
        assert_int_equal(users_of_copy.received[1], BYTES);
        assert_int_equal(pair_count(&copy, 0, BK_REASON_SEND_RST_CLOSED), 0);
        pair_close(&original);
        pair_close(&copy);
    }
}

/* An unseeded copy chooses the same ones, which is why a clone for the wire must be reseeded. */
static void not_reseeding(void **state) {
    (void)state;
    struct pair original, copy;
    struct users users;
    open_established(&original, &users, 4, BK_LAYER_IP);
    pair_fork(&original, &copy);
    struct bk_tcp_info of_original = pair_status(&original, 0, pair_connect(&original, 0));
    struct bk_tcp_info of_copy = pair_status(&copy, 0, pair_connect(&copy, 0));
    assert_int_equal(of_original.iss, of_copy.iss);
    assert_int_equal(of_original.local_port, of_copy.local_port);
    pair_close(&original);
    pair_close(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mid_transfer_runs_on),
        cmocka_unit_test(after_loss_runs_on),
        cmocka_unit_test(mid_handshake_runs_on),
        cmocka_unit_test(time_wait_runs_on),
        cmocka_unit_test(what_is_no_stack_is_refused),
        cmocka_unit_test(reseeding),
        cmocka_unit_test(not_reseeding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
