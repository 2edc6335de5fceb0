/* Shows the contract of the readiness queue (stack.h): edges, one entry a connection, order, and who is not in it. */
#include "pair.h"

#include <errno.h>
#include <string.h>

struct world {
    struct pair p;
    bk_listener listener;
    bk_conn conn[2];
};

static void quiet(struct world *w) {
    struct bk_ready events[64];
    for (int side = 0; side < 2; side++)
        while (bk_ready_poll(w->p.side[side].stack, events, 64) > 0) {
        }
}

static void world_open(struct world *w) {
    struct bk_config config;
    pair_config(&config);
    pair_open(&w->p, 4, BK_LAYER_IP, &config, NULL);
    w->listener = pair_listen(&w->p, 1, 8);
    pair_establish(&w->p, w->listener, w->conn);
    quiet(w);
}

/* The next event of a side: its bits, checked to be about `conn`; 0 if there is none. */
static uint32_t next(struct world *w, int side, bk_conn conn) {
    struct bk_ready event;
    if (bk_ready_poll(w->p.side[side].stack, &event, 1) == 0) return 0;
    assert_false(event.listener);
    assert_int_equal(event.index, conn.index);
    assert_int_equal(event.generation, conn.generation);
    return event.what;
}

static void send_some(struct world *w, uint64_t at) {
    assert_int_equal(pair_send(&w->p, 0, w->conn[0], 1, at, 100), 100);
    pair_run(&w->p, 100 * PAIR_MS);
}

static void opening(void **state) {
    (void)state;
    struct world w;
    struct bk_config config;
    struct bk_ready event;
    pair_config(&config);
    pair_open(&w.p, 4, BK_LAYER_IP, &config, NULL);
    w.listener = pair_listen(&w.p, 1, 8);
    w.conn[0] = pair_connect(&w.p, 0);
    assert_int_equal(bk_ready_poll(w.p.side[0].stack, &event, 1), 0);
    pair_run(&w.p, 100 * PAIR_MS);

    assert_int_equal(bk_ready_poll(w.p.side[0].stack, &event, 1), 1);
    assert_int_equal(event.what, BK_READY_CONNECTED | BK_READY_WRITABLE);
    assert_false(event.listener);
    assert_int_equal(event.user, 7);
    assert_int_equal(event.index, w.conn[0].index);
    assert_int_equal(event.generation, w.conn[0].generation);
    assert_int_equal(bk_ready_poll(w.p.side[0].stack, &event, 1), 0);

    assert_int_equal(bk_ready_poll(w.p.side[1].stack, &event, 1), 1);
    assert_int_equal(event.what, BK_READY_ACCEPTABLE);
    assert_true(event.listener);
    assert_int_equal(event.user, 99);
    assert_int_equal(event.index, w.listener.index);
    assert_int_equal(event.generation, w.listener.generation);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, &event, 1), 0);
    pair_close(&w.p);
}

/* A listener is told when its queue becomes non-empty, not of each connection. */
static void acceptable_is_an_edge(void **state) {
    (void)state;
    struct world w;
    struct bk_ready events[8];
    world_open(&w);
    pair_connect(&w.p, 0);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, events, 8), 1);
    pair_connect(&w.p, 0); /* the queue was not empty */
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, events, 8), 0);
    pair_accept(&w.p, 1, w.listener); /* one is left */
    pair_connect(&w.p, 0);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, events, 8), 0);
    pair_accept(&w.p, 1, w.listener);
    pair_accept(&w.p, 1, w.listener); /* now it is empty */
    pair_connect(&w.p, 0);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, events, 8), 1);
    assert_int_equal(events[0].what, BK_READY_ACCEPTABLE);
    pair_close(&w.p);
}

static void readable_is_an_edge(void **state) {
    (void)state;
    struct world w;
    uint8_t byte;
    uint64_t at = 1;
    world_open(&w);
    send_some(&w, 0);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE);
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    send_some(&w, 100); /* the queue was not empty */
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    assert_int_equal(bk_tcp_receive(w.p.side[1].stack, w.conn[1], &byte, 1, w.p.now), 1);
    send_some(&w, 200); /* nor is it after reading a part */
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    assert_int_equal(pair_receive(&w.p, 1, w.conn[1], 1, &at), -EAGAIN);
    assert_int_equal(at, 300);
    send_some(&w, 300);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE);
    pair_close(&w.p);
}

/* Data after a gap is not readable; what fills the gap makes all of it so. */
static void out_of_order_is_not_readable(void **state) {
    (void)state;
    struct world w;
    uint64_t at = 0;
    world_open(&w);
    assert_int_equal(pair_send(&w.p, 0, w.conn[0], 1, 0, 100), 100);
    pair_collect(&w.p);
    pair_lose(&w.p);
    bk_tcp_set(w.p.side[0].stack, w.conn[0], BK_TCP_NODELAY, 1, w.p.now);
    assert_int_equal(pair_send(&w.p, 0, w.conn[0], 1, 100, 100), 100);
    pair_run(&w.p, 2 * PAIR_LATENCY);
    assert_true(pair_count(&w.p, 1, BK_REASON_ACCEPT_DATA_OUT_OF_ORDER) > 0);
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    pair_run(&w.p, 10 * PAIR_S);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE);
    pair_receive(&w.p, 1, w.conn[1], 1, &at);
    assert_int_equal(at, 200);
    pair_close(&w.p);
}

/* WRITABLE follows -EAGAIN, and nothing else. */
static void writable_follows_refusal(void **state) {
    (void)state;
    struct world w;
    uint64_t sent = 0, received = 0;
    ptrdiff_t n;
    world_open(&w);
    send_some(&w, 0);
    assert_int_equal(next(&w, 0, w.conn[0]), 0);
    sent = 100;
    while ((n = pair_send(&w.p, 0, w.conn[0], 1, sent, 4096)) > 0) sent += (uint64_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(next(&w, 0, w.conn[0]), 0);
    for (int i = 0; i < 100; i++) {
        pair_receive(&w.p, 1, w.conn[1], 1, &received);
        pair_run(&w.p, 10 * PAIR_MS);
    }
    assert_int_equal(next(&w, 0, w.conn[0]), BK_READY_WRITABLE);
    assert_int_equal(next(&w, 0, w.conn[0]), 0);
    assert_int_equal(received, sent);
    pair_close(&w.p);
}

/* What happened between two polls stands in one entry. */
static void bits_are_collected(void **state) {
    (void)state;
    struct world w;
    uint64_t at = 0;
    world_open(&w);
    send_some(&w, 0);
    bk_tcp_shutdown(w.p.side[0].stack, w.conn[0], w.p.now);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE | BK_READY_PEER_CLOSED);
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    assert_int_equal(pair_receive(&w.p, 1, w.conn[1], 1, &at), 0);
    assert_int_equal(at, 100);
    pair_close(&w.p);
}

/* The end of data at an empty queue makes it readable: a receive would return 0. */
static void end_of_data_is_readable(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    bk_tcp_shutdown(w.p.side[0].stack, w.conn[0], w.p.now);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE | BK_READY_PEER_CLOSED);
    pair_close(&w.p);
}

static void reset_closes(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    bk_tcp_abort(w.p.side[0].stack, w.conn[0], w.p.now);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(next(&w, 1, w.conn[1]) & BK_READY_CLOSED, BK_READY_CLOSED);
    struct bk_tcp_info info = pair_status(&w.p, 1, w.conn[1]);
    assert_int_equal(info.state, BK_CLOSED);
    assert_int_equal(info.error, -ECONNRESET);
    assert_int_equal(next(&w, 0, w.conn[0]), 0);
    pair_close(&w.p);
}

static void refusal_closes(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(bk_tcp_unlisten(w.p.side[1].stack, w.listener, w.p.now), 0);
    bk_conn conn = pair_connect(&w.p, 0);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(next(&w, 0, conn) & (BK_READY_CLOSED | BK_READY_CONNECTED), BK_READY_CLOSED);
    assert_int_equal(pair_status(&w.p, 0, conn).error, -ECONNREFUSED);
    pair_close(&w.p);
}

/* An orderly end is told too, without an error: here the side that closes last, when its FIN is acknowledged. */
static void orderly_end_closes(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    bk_tcp_shutdown(w.p.side[0].stack, w.conn[0], w.p.now);
    pair_run(&w.p, 100 * PAIR_MS);
    quiet(&w);
    bk_tcp_shutdown(w.p.side[1].stack, w.conn[1], w.p.now);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(next(&w, 1, w.conn[1]),
                     BK_READY_CLOSED | BK_READY_READABLE | BK_READY_WRITABLE); /* LAST-ACK is over */
    assert_int_equal(pair_status(&w.p, 1, w.conn[1]).error, 0);
    pair_close(&w.p);
}

static void polling_in_parts_keeps_order(void **state) {
    (void)state;
    struct world w;
    struct bk_ready event;
    bk_conn conn[5][2];
    world_open(&w);
    for (int i = 0; i < 5; i++) pair_establish(&w.p, w.listener, conn[i]);
    quiet(&w);
    for (int i = 4; i >= 0; i--) { /* they become readable in this order */
        assert_int_equal(pair_send(&w.p, 0, conn[i][0], 1, 0, 10), 10);
        pair_run(&w.p, 50 * PAIR_MS);
    }
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, &event, 0), 0);
    for (int i = 4; i >= 0; i--) {
        assert_int_equal(pair_send(&w.p, 0, conn[i][0], 1, 10, 10), 10); /* news changes nobody's place */
        pair_run(&w.p, 50 * PAIR_MS);
        assert_int_equal(next(&w, 1, conn[i][1]), BK_READY_READABLE);
    }
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, &event, 1), 0);
    pair_close(&w.p);
}

/* Whoever the user let go of before polling is not in the queue, and its place in the pool is not confused. */
static void closed_handles_are_silent(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    send_some(&w, 0);
    bk_tcp_abort(w.p.side[1].stack, w.conn[1], w.p.now);
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    pair_run(&w.p, 100 * PAIR_MS);
    quiet(&w);
    bk_conn again[2];
    pair_establish(&w.p, w.listener, again);
    assert_false(again[1].index == w.conn[1].index && again[1].generation == w.conn[1].generation);
    uint64_t at = 0;
    assert_int_equal(pair_receive(&w.p, 1, w.conn[1], 1, &at), -EBADF);
    pair_close(&w.p);
}

static void user_value_can_change(void **state) {
    (void)state;
    struct world w;
    struct bk_ready event;
    world_open(&w);
    assert_int_equal(bk_tcp_set(w.p.side[1].stack, w.conn[1], BK_TCP_USER, UINT64_C(0x123456789abc), w.p.now), 0);
    send_some(&w, 0);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, &event, 1), 1);
    assert_true(event.user == UINT64_C(0x123456789abc));
    pair_close(&w.p);
}

/* Of many connections only those with news are handed out. */
static void idle_connections_are_silent(void **state) {
    (void)state;
    enum { MANY = 200 };
    static bk_conn conn[MANY][2];
    struct world w;
    struct bk_config config;
    struct bk_ready events[MANY];
    pair_config(&config);
    config.connections = config.active_connections = MANY;
    pair_open(&w.p, 4, BK_LAYER_IP, &config, NULL);
    w.listener = pair_listen(&w.p, 1, MANY);
    for (int i = 0; i < MANY; i++) pair_establish(&w.p, w.listener, conn[i]);
    quiet(&w);
    for (int i = 0; i < MANY; i += 67) assert_int_equal(pair_send(&w.p, 0, conn[i][0], 1, 0, 10), 10);
    pair_run(&w.p, 100 * PAIR_MS);
    assert_int_equal(bk_ready_poll(w.p.side[1].stack, events, MANY), 3);
    for (int i = 0; i < 3; i++) assert_int_equal(events[i].index, conn[i * 67][1].index);
    pair_close(&w.p);
}

/* What goes out for the first time, and what is acknowledged, is told to who asks for it, and to nobody else. */
static void progress_is_told_where_asked(void **state) {
    (void)state;
    struct world w;
    struct bk_tx unit;
    world_open(&w);
    send_some(&w, 0);
    assert_int_equal(next(&w, 0, w.conn[0]), 0);
    bk_stack *stack = w.p.side[0].stack;
    assert_int_equal(bk_tcp_set(stack, w.conn[0], BK_TCP_NEWS, BK_NEWS_PROGRESS, w.p.now), 0);
    assert_int_equal(pair_send(&w.p, 0, w.conn[0], 1, 100, 100), 100);
    assert_int_equal(next(&w, 0, w.conn[0]), 0); /* queued, and no more */
    assert_int_equal(bk_output(stack, 0, &unit, 1, w.p.now), 1);
    assert_int_equal(next(&w, 0, w.conn[0]), BK_READY_PROGRESS);
    bk_output_done(stack, &unit.id, 1); /* lost */
    pair_run(&w.p, 5000 * PAIR_MS);     /* again, which is nothing new, and acknowledged */
    assert_int_equal(next(&w, 0, w.conn[0]), BK_READY_PROGRESS);
    assert_int_equal(next(&w, 0, w.conn[0]), 0);
    pair_close(&w.p);
}

/* Each arrival is told where it is asked for; otherwise only the one at an empty queue. */
static void arrivals_are_told_where_asked(void **state) {
    (void)state;
    struct world w;
    world_open(&w);
    send_some(&w, 0);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE);
    send_some(&w, 100);
    assert_int_equal(next(&w, 1, w.conn[1]), 0);
    assert_int_equal(bk_tcp_set(w.p.side[1].stack, w.conn[1], BK_TCP_NEWS, BK_NEWS_ARRIVALS, w.p.now), 0);
    send_some(&w, 200);
    assert_int_equal(next(&w, 1, w.conn[1]), BK_READY_READABLE);
    pair_close(&w.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_are_told_where_asked),
        cmocka_unit_test(progress_is_told_where_asked),
        cmocka_unit_test(opening),
        cmocka_unit_test(acceptable_is_an_edge),
        cmocka_unit_test(readable_is_an_edge),
        cmocka_unit_test(out_of_order_is_not_readable),
        cmocka_unit_test(writable_follows_refusal),
        cmocka_unit_test(bits_are_collected),
        cmocka_unit_test(end_of_data_is_readable),
        cmocka_unit_test(reset_closes),
        cmocka_unit_test(refusal_closes),
        cmocka_unit_test(orderly_end_closes),
        cmocka_unit_test(polling_in_parts_keeps_order),
        cmocka_unit_test(closed_handles_are_silent),
        cmocka_unit_test(user_value_can_change),
        cmocka_unit_test(idle_connections_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
