/* The audit finds nothing in sound stacks (the other tests run it throughout), and each planted inconsistency in an unsound one. */
#include "pair.h"

#include "lab/audit.h"
#include "tcp/connection.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"

/* A busy server: a connection with data queued both ways and a gap, one whose user is gone, one waiting to be accepted, a request, a TIME-WAIT. */
struct world {
    struct pair p;
    bk_listener listener;
    bk_conn conn[2], orphan[2], last[2];
    struct tcp *t;
};

static void world_up(struct world *w) {
    struct bk_config config;
    pair_config(&config);
    config.receive_buffer = 4096;
    pair_open(&w->p, 4, BK_LAYER_IP, &config, NULL);
    w->listener = pair_listen(&w->p, 1, 8);
    pair_establish(&w->p, w->listener, w->last);
    assert_int_equal(bk_tcp_close(w->p.side[1].stack, w->last[1], w->p.now), 0);
    pair_run(&w->p, PAIR_S);
    assert_int_equal(bk_tcp_close(w->p.side[0].stack, w->last[0], w->p.now), 0);
    pair_run(&w->p, PAIR_S);
    assert_int_equal(pair_states(&w->p, 1, BK_TIME_WAIT), 1);

    pair_establish(&w->p, w->listener, w->conn);
    pair_establish(&w->p, w->listener, w->orphan);
    pair_connect(&w->p, 0);
    pair_run(&w->p, PAIR_S);
    assert_true(pair_send(&w->p, 0, w->conn[0], 1, 0, 1000) > 0); /* unread data */
    pair_run(&w->p, PAIR_S);
    assert_true(pair_send(&w->p, 1, w->conn[1], 2, 0, 3000) > 0); /* outstanding */
    pair_stranger_syn(&w->p, 1, PAIR_PORT, 1);
    assert_true(pair_send(&w->p, 1, w->orphan[1], 3, 0, 3000) > 0);
    assert_int_equal(bk_tcp_close(w->p.side[1].stack, w->orphan[1], w->p.now), 0);
    pair_collect(&w->p);
    w->t = (struct tcp *)(void *)w->p.side[1].stack;
}

static void world_down(struct world *w) {
    pair_close(&w->p);
}

static struct connection *conn_of(struct world *w) {
    return connection_at(w->t, w->conn[1].index);
}
static struct connection *orphan_of(struct world *w) {
    return connection_at(w->t, w->orphan[1].index);
}
static struct extent_queue *receive_of(struct world *w) {
    return &active_of(w->t, conn_of(w))->receive;
}
static struct extent_queue *send_of(struct world *w) {
    return &active_of(w->t, conn_of(w))->send;
}
static struct request *request_of(struct world *w) {
    return request_at(w->t, false, w->t->request_fifo[0][0].head);
}
static struct time_wait *time_wait_of(struct world *w) {
    return time_wait_at(w->t, false, w->t->time_wait_fifo[0].head);
}

/* What is broken, and how. */
#define BREAK(name, statement)                                                                                         \
    static void name(struct world *w) {                                                                                \
        statement;                                                                                                     \
    }
BREAK(una_beyond_nxt, conn_of(w)->snd_una = conn_of(w)->snd_nxt + 1)
BREAK(nxt_beyond_end, conn_of(w)->snd_nxt = conn_of(w)->snd_end + 1)
BREAK(sent_sum, active_of(w->t, conn_of(w))->board.lost_bytes++)
BREAK(sent_shared, w->t->sent_shared++)
BREAK(window_behind, conn_of(w)->rcv_adv = conn_of(w)->rcv_nxt - 1)
BREAK(no_retransmission_timer, conn_of(w)->rtx_due = BK_NEVER)
BREAK(timer_late,
      wheel_arm(&(struct wheel_of){&w->t->base, &w->t->wheel, &w->t->connections, offsetof(struct connection, timer)},
                w->conn[1].index, BK_NEVER - 1))
BREAK(orphan_for_ever, orphan_of(w)->linger_due = BK_NEVER)
BREAK(ack_forgotten, conn_of(w)->ack_owed = ACK_NOW)
BREAK(delayed_ack_without_end, (conn_of(w)->ack_owed = ACK_DELAYED, conn_of(w)->ack_due = BK_NEVER))
BREAK(delayed_ack_too_late,
      (conn_of(w)->ack_owed = ACK_DELAYED, conn_of(w)->ack_due = w->t->base.now + 1000 * NS_PER_S))
BREAK(state_without_fin, conn_of(w)->state = BK_FIN_WAIT_1)
BREAK(state_of_the_peer, conn_of(w)->state = BK_CLOSE_WAIT)
BREAK(fin_wait_2_too_early, orphan_of(w)->state = BK_FIN_WAIT_2)
BREAK(send_queue_short, send_of(w)->bytes--)
BREAK(send_queue_gap, extent_at(&w->t->base, send_of(w)->head)->seq--)
BREAK(receive_queue_gap, extent_at(&w->t->base, receive_of(w)->head)->seq++)
BREAK(receive_queue_count, receive_of(w)->count++)
BREAK(extent_empty, extent_at(&w->t->base, receive_of(w)->head)->length = 0)
BREAK(chunk_lost, chunk_hold(&w->t->base, extent_at(&w->t->base, receive_of(w)->head)->chunk))
BREAK(chunk_shared, --*chunk_word(&w->t->base, extent_at(&w->t->base, receive_of(w)->head)->chunk))
BREAK(budget_wrong, w->t->base.buffer_chunks_used++)
BREAK(pool_count, w->t->connections.in_use++)
BREAK(pool_free_list, w->t->connections.free_head = 1000000)
BREAK(established_count, w->t->mib.curr_estab++)
BREAK(hash_wrong, conn_of(w)->hash ^= 1)
BREAK(tuple_wrong, conn_of(w)->tuple.remote_port ^= 1)
BREAK(request_tuple_wrong, request_of(w)->tuple[9] ^= 1)
BREAK(request_level, request_of(w)->level = 1)
BREAK(request_acked, request_of(w)->acked = 2)
BREAK(errors_kept, w->t->error_count = TCP_ERRORS + 1)
BREAK(time_wait_tuple_wrong, time_wait_of(w)->tuple[9] ^= 1)
BREAK(time_wait_count, w->t->time_wait_fifo[0].count++)
BREAK(table_entries, w->t->demux.entries--)
BREAK(output_list_cut, w->t->path[0].output.count++)
BREAK(accept_queue, listener_at(w->t, w->listener.index)->backlog = 0)
BREAK(news_for_nobody, conn_of(w)->ready = 0)
BREAK(frame_leaked, (void)frame_alloc(&w->t->base))
BREAK(user_gone, conn_of(w)->owned = false)

static const struct {
    const char *name;
    void (*break_it)(struct world *w);
} breaks[] = {
#define NAMED(name)                                                                                                    \
    { #name, name }
    NAMED(una_beyond_nxt),
    NAMED(nxt_beyond_end),
    NAMED(sent_sum),
    NAMED(sent_shared),
    NAMED(window_behind),
    NAMED(no_retransmission_timer),
    NAMED(timer_late),
    NAMED(orphan_for_ever),
    NAMED(ack_forgotten),
    NAMED(delayed_ack_without_end),
    NAMED(delayed_ack_too_late),
    NAMED(state_without_fin),
    NAMED(state_of_the_peer),
    NAMED(fin_wait_2_too_early),
    NAMED(send_queue_short),
    NAMED(send_queue_gap),
    NAMED(receive_queue_gap),
    NAMED(receive_queue_count),
    NAMED(extent_empty),
    NAMED(chunk_lost),
    NAMED(chunk_shared),
    NAMED(budget_wrong),
    NAMED(pool_count),
    NAMED(pool_free_list),
    NAMED(established_count),
    NAMED(hash_wrong),
    NAMED(tuple_wrong),
    NAMED(request_tuple_wrong),
    NAMED(request_level),
    NAMED(request_acked),
    NAMED(errors_kept),
    NAMED(time_wait_tuple_wrong),
    NAMED(time_wait_count),
    NAMED(table_entries),
    NAMED(output_list_cut),
    NAMED(accept_queue),
    NAMED(news_for_nobody),
    NAMED(frame_leaked),
    NAMED(user_gone),
};

static void sound(void **state) {
    (void)state;
    struct world w;
    struct fault fault = {0};
    world_up(&w);
    for (int side = 0; side < 2; side++) assert_true(audit_stack(w.p.side[side].stack, NULL, &fault));
    assert_true(audit_connection(w.p.side[1].stack, w.conn[1], &fault));
    assert_true(audit_connection(w.p.side[1].stack, w.last[1], &fault)); /* a stale handle */
    assert_false(audit_empty(w.p.side[1].stack, 1, &fault));
    world_down(&w);
}

static void each_break_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        struct world w;
        struct fault fault = {0};
        world_up(&w);
        breaks[i].break_it(&w);
        if (audit_stack(w.p.side[1].stack, NULL, &fault)) fail_msg("%s was not found", breaks[i].name);
        assert_true(fault.found && fault.text[0] != '\0');
        world_down(&w);
    }
}

static void one_connection_alone(void **state) {
    (void)state;
    struct world w;
    struct fault fault = {0};
    world_up(&w);
    no_retransmission_timer(&w);
    assert_false(audit_connection(w.p.side[1].stack, w.conn[1], &fault));
    assert_string_equal(fault.text, "something is outstanding and no timer runs");
    /* The first fault stands. */
    una_beyond_nxt(&w);
    assert_false(audit_connection(w.p.side[1].stack, w.conn[1], &fault));
    assert_string_equal(fault.text, "something is outstanding and no timer runs");
    world_down(&w);
}

static void what_a_device_holds(void **state) {
    (void)state;
    struct world w;
    struct bk_tx unit;
    uint32_t chunk;
    struct fault fault = {0};
    world_up(&w);
    bk_stack *s = w.p.side[0].stack;
    assert_true(pair_send(&w.p, 0, w.conn[0], 1, 1000, 100) > 0);
    assert_int_equal(bk_output(s, 0, &unit, 1, w.p.now), 1);
    assert_int_equal(bk_chunk_alloc(s, &chunk, 1), 1);
    struct audit_held held = {&chunk, 1, &unit.id, 1};
    assert_true(audit_stack(s, &held, &fault));
    assert_false(audit_stack(s, NULL, &fault));
    world_down(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound),
        cmocka_unit_test(each_break_is_found),
        cmocka_unit_test(one_connection_alone),
        cmocka_unit_test(what_a_device_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
