/* The users of a world: each step one call, with arguments drawn, most of which make sense. */
#include "drive.h"

#include <string.h>

#define DATA_MAX 6000u

static uint32_t draw_length(struct world *w) {
    static const uint32_t most[] = {1, 10, 300, 1500, DATA_MAX};
    return 1 + below(w, most[below(w, BK_COUNT(most))]);
}

static void fill(struct world *w, uint8_t *data, uint32_t n) {
    uint64_t word = draw(&w->state.seed);
    for (uint32_t i = 0; i < n; i++) data[i] = (uint8_t)(word >> (i % 8 * 8)) ^ (uint8_t)i;
}

static void user_open(struct world *w, unsigned side, struct user *u) {
    struct side *s = &w->state.side[side];
    uint32_t which = below(w, TARGETS);
    struct bk_tcp_open open = {
        .local = s->source[which],
        .remote = s->target[which],
        .local_port = one_in(w, 3) ? (uint16_t)(40000 + below(w, 2)) : 0,
        .remote_port = one_in(w, 20) ? 81 : 80,
        .user = draw(&w->state.seed),
    };
    int error = bk_tcp_connect(stack_of(w, side), &open, w->state.now, &u->conn);
    u->used = error == 0;
    note_number(w, RECORD_RESULT, error);
}

static void user_accept(struct world *w, unsigned side, struct user *u) {
    struct side *s = &w->state.side[side];
    bk_addr any = {{0}};
    if (!s->listening) {
        int error = bk_tcp_listen(stack_of(w, side), &any, 80, 1 + below(w, 4), 7, w->state.now, &s->listener);
        s->listening = error == 0;
        note_number(w, RECORD_RESULT, error);
    } else if (one_in(w, 200)) {
        note_number(w, RECORD_RESULT, bk_tcp_unlisten(stack_of(w, side), s->listener, w->state.now));
        s->listening = false;
    } else {
        int error = bk_tcp_accept(stack_of(w, side), s->listener, draw(&w->state.seed), w->state.now, &u->conn);
        u->used = error == 0;
        note_number(w, RECORD_RESULT, error);
    }
}

static void user_send(struct world *w, unsigned side, struct user *u) {
    uint8_t data[DATA_MAX];
    uint32_t n = draw_length(w), flags = one_in(w, 8) ? below(w, 4) : 0;
    fill(w, data, n);
    note_number(w, RECORD_RESULT, bk_tcp_send(stack_of(w, side), u->conn, data, n, flags, w->state.now));
}

static void user_send_parts(struct world *w, unsigned side, struct user *u) {
    bk_stack *stack = stack_of(w, side);
    uint32_t chunk[3];
    struct bk_part part[3];
    size_t n = bk_chunk_alloc(stack, chunk, 1 + below(w, 3));
    for (size_t i = 0; i < n; i++) {
        uint32_t offset = below(w, 100), length = 1 + below(w, bk_config_of(stack)->chunk_size - offset);
        fill(w, bk_chunk_data(stack, chunk[i]) + offset, length);
        part[i] = (struct bk_part){chunk[i], (uint16_t)offset, (uint16_t)length};
    }
    int error = bk_tcp_send_parts(stack, u->conn, part, n, 0, w->state.now);
    if (error != 0) bk_chunk_release(stack, chunk, n);
    note_number(w, RECORD_RESULT, error);
}

static void user_receive(struct world *w, unsigned side, struct user *u) {
    uint8_t data[DATA_MAX];
    ptrdiff_t n = bk_tcp_receive(stack_of(w, side), u->conn, data, draw_length(w), w->state.now);
    note_number(w, RECORD_RESULT, n);
    if (n > 0) note(w, RECORD_RESULT, data, (size_t)n);
}

static void user_consume(struct world *w, unsigned side, struct user *u) {
    bk_stack *stack = stack_of(w, side);
    struct bk_part part[4];
    size_t n = bk_tcp_peek_parts(stack, u->conn, part, 4), bytes = 0;
    for (size_t i = 0; i < n; i++) {
        note(w, RECORD_RESULT, bk_chunk_data(stack, part[i].chunk) + part[i].offset, part[i].length);
        bytes += part[i].length;
    }
    if (bytes != 0) bytes = below(w, (uint32_t)bytes) + 1;
    note_number(w, RECORD_RESULT, bk_tcp_consume(stack, u->conn, bytes, w->state.now));
}

static void user_set(struct world *w, unsigned side, struct user *u) {
    static const uint32_t most[BK_TCP_OPTIONS] = {2, 2, 20, 10, 5, 20000, 20000, 20000, 2, 1000};
    enum bk_tcp_option option = (enum bk_tcp_option)below(w, BK_TCP_OPTIONS);
    uint64_t value = below(w, most[option]);
    note_number(w, RECORD_RESULT, bk_tcp_set(stack_of(w, side), u->conn, option, value, w->state.now));
}

static void note_status(struct world *w, const struct bk_tcp_info *i) {
    const uint64_t numbers[] = {
        i->local_port,
        i->remote_port,
        i->state,
        i->send_scale,
        i->receive_scale,
        i->timestamps,
        i->owned,
        (uint64_t)i->error,
        i->iss,
        i->snd_una,
        i->snd_nxt,
        i->snd_wnd,
        i->snd_wl1,
        i->snd_wl2,
        i->snd_up,
        i->max_snd_wnd,
        i->irs,
        i->rcv_nxt,
        i->rcv_wnd,
        i->rcv_up,
        i->send_mss,
        i->receive_mss,
        i->send_queued,
        i->receive_queued,
        i->receive_buffer,
        i->send_buffer,
        i->receive_space,
        i->receive_rtt_us,
        i->out_of_order_segments,
        i->text_age_ms,
        i->srtt_us,
        i->rttvar_us,
        i->rto_us,
        i->cwnd,
        i->ssthresh,
        i->in_flight,
        i->recovery,
        i->retransmits,
        i->backoff,
        i->segments_unacked,
        i->segments_sacked,
        i->segments_lost,
        i->segments_resent,
        i->reordering,
        i->segments_delivered,
        i->probes,
        i->timer,
        i->timer_due,
        i->out_of_order,
        i->bytes_acked,
        i->bytes_received,
        i->bytes_sent,
        i->bytes_retransmitted,
        i->backlog,
        i->idle_since,
        i->segments_retransmitted,
        i->segments_received,
    };
    note(w, RECORD_STATUS, numbers, sizeof numbers);
    note(w, RECORD_STATUS, &i->remote, sizeof i->remote);
}

static void user_list(struct world *w, unsigned side) {
    struct bk_tcp_info info;
    uint64_t cursor = 0;
    while (bk_tcp_list(stack_of(w, side), &cursor, &info)) note_status(w, &info);
}

static void user_poll(struct world *w, unsigned side) {
    struct bk_ready event[4];
    size_t n = bk_ready_poll(stack_of(w, side), event, 1 + below(w, 4));
    for (size_t i = 0; i < n; i++) {
        const uint64_t numbers[] = {event[i].what, event[i].listener, event[i].index, event[i].generation,
                                    event[i].user};
        note(w, RECORD_EVENT, numbers, sizeof numbers);
    }
}

static void user_leave(struct world *w, unsigned side, struct user *u) {
    bk_stack *stack = stack_of(w, side);
    uint32_t how = below(w, 8);
    int result = how == 0  ? bk_tcp_abort(stack, u->conn, w->state.now)
                 : how < 3 ? bk_tcp_close(stack, u->conn, w->state.now)
                           : bk_tcp_shutdown(stack, u->conn, w->state.now);
    note_number(w, RECORD_RESULT, result);
    if (how < 3) u->used = false;
}

/* Lets go of what is over, so that its record can serve others. */
static bool user_lets_go(struct world *w, unsigned side, struct user *u) {
    struct bk_tcp_info info;
    int error = bk_tcp_status(stack_of(w, side), u->conn, &info);
    note_number(w, RECORD_RESULT, error);
    if (error == 0) note_status(w, &info);
    if (error == 0 && info.state != BK_CLOSED && info.state != BK_TIME_WAIT) return false;
    (void)bk_tcp_close(stack_of(w, side), u->conn, w->state.now);
    u->used = false;
    return true;
}

void user_act(struct world *w, unsigned side) {
    struct user *u = &w->state.side[side].user[below(w, CONNS)];
    uint32_t what = below(w, 100);
    if (u->used && one_in(w, 4) && user_lets_go(w, side, u)) return;
    if (!u->used) {
        if (what < 45)
            user_accept(w, side, u);
        else if (what < 75)
            user_open(w, side, u);
        else
            user_poll(w, side);
    } else if (what < 35) {
        user_send(w, side, u);
    } else if (what < 40) {
        user_send_parts(w, side, u);
    } else if (what < 70) {
        user_receive(w, side, u);
    } else if (what < 76) {
        user_consume(w, side, u);
    } else if (what < 82) {
        user_set(w, side, u);
    } else if (what < 86) {
        user_list(w, side);
    } else if (what < 91) {
        user_poll(w, side);
    } else {
        user_leave(w, side, u);
    }
}
