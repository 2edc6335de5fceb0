/* Shows that two stacks of ours come to rest: when their SYNs cross and they close at any moment, and when an
 * attacker has set them so far apart that each finds the other's numbers unacceptable. */
#include <errno.h>
#include <stdlib.h>

#include "pair.h"

#define PORTS 7000

/* Both open at once, from and to the same ports: the SYNs cross. */
static void cross(struct pair *p, bk_conn conn[2]) {
    for (int side = 0; side < 2; side++) {
        struct bk_tcp_open open = {.remote = p->side[!side].addr, .local_port = PORTS, .remote_port = PORTS, .user = 7};
        assert_int_equal(bk_tcp_connect(p->side[side].stack, &open, p->now, &conn[side]), 0);
    }
}

static uint64_t frames_sent(const struct pair *p) {
    struct bk_tcp_mib mib[2];
    for (int side = 0; side < 2; side++) bk_tcp_mib(p->side[side].stack, &mib[side]);
    return mib[0].out_segs + mib[1].out_segs;
}

enum end { SHUTDOWN, CLOSE, ABORT, ENDS };

static void end(struct pair *p, int side, bk_conn conn, enum end how) {
    bk_stack *s = p->side[side].stack;
    int result = how == SHUTDOWN ? bk_tcp_shutdown(s, conn, p->now)
                 : how == CLOSE  ? bk_tcp_close(s, conn, p->now)
                                 : bk_tcp_abort(s, conn, p->now);
    assert_true(result == 0 || result == -ENOTCONN);
}

static void at_rest(struct pair *p) {
    for (int side = 0; side < 2; side++)
        for (int s = BK_SYN_SENT; s < BK_STATES; s++) assert_int_equal(pair_states(p, side, s), 0);
    assert_int_equal(p->flight_count, 0);
}

/* Each of both ends at each moment of the handshake, in each way, with data or without, and with the frames of that
 * moment lost or not: a few segments, and everything is over. */
static void crossing_syns_and_every_end(void **state) {
    (void)state;
    struct bk_config config;
    pair_config(&config);
    config.msl_ms = 1000;
    config.orphan_ms = 20000;
    config.retries2 = config.orphan_retries = 4;
    for (int run = 0; run < 2 * 2 * 2 * (int)ENDS * (int)ENDS * 4; run++) {
        int left = run;
        int family = left % 2 == 0 ? 4 : 6;
        int data = (left /= 2) % 2, lossy = (left /= 2) % 2;
        enum end how[2] = {(enum end)((left /= 2) % (int)ENDS), (enum end)((left /= (int)ENDS) % (int)ENDS)};
        uint64_t moment = (uint64_t)(left / (int)ENDS) * (PAIR_LATENCY / 2);
        struct pair p;
        bk_conn conn[2];
        pair_open(&p, family, BK_LAYER_IP, &config, NULL);
        cross(&p, conn);
        pair_run(&p, moment);
        for (int side = 0; side < 2; side++) {
            if (data) pair_send(&p, side, conn[side], 1, 0, 10);
            end(&p, side, conn[side], how[side]);
        }
        if (lossy) {
            pair_collect(&p);
            pair_lose(&p);
        }
        pair_run(&p, 100 * PAIR_S);
        for (int side = 0; side < 2; side++) { /* who only shut down, or could not yet, closes now */
            struct bk_tcp_info info;
            if (bk_tcp_status(p.side[side].stack, conn[side], &info) == 0) end(&p, side, conn[side], CLOSE);
        }
        pair_run(&p, 200 * PAIR_S);
        at_rest(&p);
        assert_true(frames_sent(&p) < 60);
        pair_close(&p);
    }
}

/* One of two ends is set back to what it was before the last 200,000 bytes each way: from then on it finds the
 * other's numbers unacceptable, and the other its. A segment starts them off; what they send each other from then on
 * is counted. */
static void ends_that_disagree(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2)
        for (int timestamps = 0; timestamps < 2; timestamps++) {
            struct bk_config config;
            struct pair p;
            bk_conn conn[2];
            pair_config(&config);
            config.timestamps = timestamps;
            pair_open(&p, family, BK_LAYER_IP, &config, NULL);
            pair_establish(&p, pair_listen(&p, 1, 1), conn);
            struct pair_side old;
            pair_copy_side(&p.side[0], &old);
            uint64_t sent[2] = {0}, received[2] = {0};
            while (received[0] < 200000 || received[1] < 200000) {
                for (int side = 0; side < 2; side++) {
                    ptrdiff_t n = pair_send(&p, side, conn[side], (uint32_t)side, sent[side], 4000);
                    if (n > 0) sent[side] += (uint64_t)n;
                }
                pair_run(&p, PAIR_LATENCY);
                for (int side = 0; side < 2; side++)
                    pair_receive(&p, side, conn[side], (uint32_t)!side, &received[side]);
            }
            pair_run(&p, PAIR_S);
            struct pair_side now = p.side[0];
            p.side[0] = old;
            /* A keep-alive from either: each answer is again one that the other must answer. */
            for (int side = 0; side < 2; side++) {
                bk_tcp_set(p.side[side].stack, conn[side], BK_TCP_KEEPALIVE_IDLE_S, 1, p.now);
                bk_tcp_set(p.side[side].stack, conn[side], BK_TCP_KEEPALIVE_INTERVAL_S, 30, p.now);
                bk_tcp_set(p.side[side].stack, conn[side], BK_TCP_KEEPALIVE, 1, p.now);
            }
            uint64_t before = frames_sent(&p);
            pair_run(&p, 60 * PAIR_S);
            uint64_t frames = frames_sent(&p) - before;
            assert_true(frames > 0);
            /* One in 500 ms each, and keep-alives. */
            assert_true(frames <= 2 * (120 + 1) + 8);
            free(now.region);
            pair_close(&p);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crossing_syns_and_every_end),
        cmocka_unit_test(ends_that_disagree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
