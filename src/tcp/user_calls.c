/* OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS: RFC 9293 3.10.1 to 3.10.6. */
#include "tcp/user_calls.h"

#include "base/steer.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/lookup.h"
#include "tcp/options.h"
#include "tcp/output.h"
#include "tcp/recovery.h"
#include "tcp/request.h"
#include "tcp/send_room.h"
#include "tcp/time_wait.h"
#include "tcp/timeouts.h"

static void call_event(struct tcp *t, const struct connection *c, enum bk_call call, int64_t result) {
    struct event_about about = connection_about(c);
    event_user(t, BK_EVENT_CALL, &about, (uint8_t)call, result, c->state);
}

/* ---- 3.10.1 OPEN ----------------------------------------------------------------------------------- */

/* Whether the peer's answers would go to another stack of the group. */
static bool open_elsewhere(const struct tcp *t, const struct tuple *tuple) {
    const struct bk_steering *s = &t->base.config.steering;
    return steer_group(s) &&
           bk_steer(s, &tuple->remote, tuple->remote_port, &tuple->local, tuple->local_port) != s->index;
}

int user_open_active(struct tcp *t, const struct user_open *open, bk_conn *out) {
    struct tuple tuple = open->tuple;
    if (tuple.local_port == 0) {
        tuple.local_port = isn_port(t, &tuple);
        if (tuple.local_port == 0) {
            reason_count(&t->base, BK_REASON_NOTE_NO_PORT);
            return ERROR_ADDRNOTAVAIL;
        }
    } else if (open_elsewhere(t, &tuple)) {
        return ERROR_ADDRNOTAVAIL;
    }
    uint32_t hash = demux_hash(&t->base, &tuple);
    demux_ref old = lookup_tuple(t, &tuple, hash);
    if (old != DEMUX_NONE && !time_wait_may_reuse(t, old)) return ERROR_ADDRINUSE;
    uint32_t id = connection_new(t, &tuple, hash, open->iface, old);
    if (id == BK_NONE) return ERROR_NOBUFS;
    struct connection *c = connection_at(t, id);
    bool ipv6 = connection_is_ipv6(c);
    c->user = open->user;
    c->owned = true;
    c->active_open = true;
    struct isn isn = isn_make(t, &tuple);
    c->iss = isn.number;
    c->ts_offset = isn.timestamp_offset;
    if (old != DEMUX_NONE) time_wait_take_over(t, old, c);
    c->snd_una = c->snd_nxt = c->iss;
    c->snd_end = c->iss + 1;
    c->recover = c->iss;
    c->receive_scale = receive_window_scale(t, c->receive_buffer, 0, false);
    c->mss_offered = mss_offer(path_mtu_offered(t, c->iface, &tuple.remote), ipv6, 0);
    path_mtu_begin(t, c, mss_default(ipv6));
    t->mib.active_opens++;
    call_event(t, c, BK_CALL_OPEN_ACTIVE, 0);
    connection_set_state(t, c, BK_SYN_SENT, BK_REASON_SEND_SYN);
    connection_touch(t, c);
    *out = (bk_conn){id, c->generation};
    return 0;
}

int user_accept(struct tcp *t, struct listener *l, uint64_t user, bk_conn *out) {
    uint32_t id = list_pop_head(&t->base, &t->connections, CONNECTION_ACCEPT_LINK, &l->accept_queue);
    if (id == BK_NONE) return ERROR_AGAIN;
    struct connection *c = connection_at(t, id);
    c->listener = BK_NONE;
    c->user = user;
    call_event(t, c, BK_CALL_ACCEPT, 0);
    /* What gathered while nobody could be told is told now. */
    uint8_t gathered = c->ready;
    if (gathered != 0) connection_hear(t, c, gathered);
    *out = (bk_conn){id, c->generation};
    return 0;
}

void user_unlisten(struct tcp *t, struct listener *l) {
    uint32_t id;
    while ((id = l->accept_queue.head) != BK_NONE) {
        struct connection *c = connection_at(t, id);
        bool alive = !c->detached;
        if (alive) output_reset(t, c, BK_REASON_SEND_RST_UNACCEPTED);
        connection_disown(t, c); /* frees an ended one */
        if (alive) connection_end(t, c, 0, BK_REASON_SEND_RST_UNACCEPTED);
    }
    request_drop_all(t, l);
    listener_free(t, l);
}

/* ---- 3.10.2 SEND ----------------------------------------------------------------------------------- */

/* 0 if the connection takes data now, else what SEND answers. */
static int send_refusal(const struct connection *c) {
    if (c->error != 0) return c->error;
    switch ((enum bk_state)c->state) {
    case BK_SYN_SENT:
    case BK_SYN_RECEIVED:
    case BK_ESTABLISHED:
    case BK_CLOSE_WAIT:
        return c->fin_queued ? ERROR_PIPE : 0;
    case BK_CLOSED:
    case BK_LISTEN:
    case BK_FIN_WAIT_1:
    case BK_FIN_WAIT_2:
    case BK_CLOSING:
    case BK_LAST_ACK:
    case BK_TIME_WAIT:
    case BK_STATES:
        break;
    }
    return ERROR_PIPE;
}

/* Its own send buffer is full: acknowledgments will make room. */
static int send_wait_buffer(struct tcp *t, struct connection *c) {
    reason_count(&t->base, BK_REASON_NOTE_SEND_FULL);
    c->want_write = true;
    send_time_note(t, c);
    return ERROR_AGAIN;
}

/* What all connections share is spent. */
static int send_wait_budget(struct tcp *t, struct connection *c, uint32_t chunks) {
    reason_count(&t->base, BK_REASON_NOTE_BUDGET_FULL);
    connection_starve(t, c, chunks);
    return ERROR_AGAIN;
}

/* n bytes were queued. */
static void send_done(struct tcp *t, struct connection *c, uint32_t n, uint32_t flags) {
    congestion_supply(t, c);
    c->snd_end += n;
    if (flags & BK_SEND_RECORD) {
        extent_queue_end_record(&t->base, &active_of(t, c)->send);
        c->records = true;
    }
    c->push = (flags & BK_SEND_MORE) == 0;
    c->more = c->cork || !c->push;
    if (flags & BK_SEND_URGENT) {
        c->snd_up = c->snd_end; /* the number after the urgent data (RFC 9293 3.8.5) */
        c->urgent_out = true;
    }
    call_event(t, c, BK_CALL_SEND, n);
    connection_touch(t, c);
}

ptrdiff_t user_send(struct tcp *t, struct connection *c, const void *data, size_t length, uint32_t flags) {
    int refusal = send_refusal(c);
    if (refusal != 0) return refusal;
    if (length == 0) return 0;
    connection_grow_send_buffer(t, c);
    uint32_t room = send_room(t, c), n = length < room ? (uint32_t)length : room;
    if (n == 0) return send_wait_buffer(t, c);
    struct active *a = connection_activate(t, c);
    if (a == NULL) return send_wait_budget(t, c, 1);
    n = extent_queue_append_copy(&t->base, &a->send, c->snd_end, data, n);
    if (n == 0) {
        connection_settle(t, c);
        return send_wait_budget(t, c, 1);
    }
    send_done(t, c, n, n == length ? flags : flags & ~(uint32_t)(BK_SEND_URGENT | BK_SEND_RECORD));
    return n;
}

int user_send_parts(struct tcp *t, struct connection *c, const struct bk_part *parts, size_t n, uint32_t flags) {
    int refusal = send_refusal(c);
    if (refusal != 0) return refusal;
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].chunk >= t->base.chunks.fresh || parts[i].length == 0 ||
            (uint32_t)parts[i].offset + parts[i].length > t->base.config.chunk_size)
            return ERROR_INVAL;
        total += parts[i].length;
    }
    if (total == 0) return 0;
    connection_grow_send_buffer(t, c);
    if (total > c->send_buffer || n > budget_mark(t)) return ERROR_MSGSIZE;
    if (total > send_room(t, c)) return send_wait_buffer(t, c);
    if (t->base.buffer_chunks_used + n > budget_mark(t)) return send_wait_budget(t, c, (uint32_t)n);
    struct active *a = connection_activate(t, c);
    if (a == NULL) return send_wait_budget(t, c, (uint32_t)n);
    uint32_t seq = c->snd_end;
    for (size_t i = 0; i < n; i++) {
        bool ok = extent_queue_append_part(&t->base, &a->send, seq, &parts[i]);
        BK_ASSERT(ok, "the budget was asked before");
        chunk_release(&t->base, parts[i].chunk); /* the caller's reference: the queue has its own */
        seq += parts[i].length;
    }
    send_done(t, c, (uint32_t)total, flags);
    return 0;
}

/* ---- 3.10.3 RECEIVE -------------------------------------------------------------------------------- */

/* What RECEIVE answers when nothing is queued. */
static int receive_empty(const struct connection *c) {
    if (c->fin_received) return 0;
    if (c->error != 0) return c->error;
    return c->state == BK_CLOSED || c->state == BK_TIME_WAIT ? 0 : ERROR_AGAIN;
}

/* The user has taken n bytes: the window may open. */
static void receive_done(struct tcp *t, struct connection *c, uint32_t n) {
    struct active *a = active_of(t, c);
    receive_window_read(t, c, a, n);
    extent_queue_consume(&t->base, &a->receive, n);
    uint32_t read = c->rcv_nxt - c->fin_received - a->receive.bytes;
    if (c->urgent_in && seq_ge(read, c->rcv_up)) c->urgent_in = false;
    connection_settle(t, c);
    call_event(t, c, BK_CALL_RECEIVE, n);
    if (c->detached || c->fin_received || c->state == BK_CLOSED) return;
    if (receive_window_update_due(t, c)) connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_WINDOW_UPDATE);
    delayed_ack_read(t, c, a);
}

ptrdiff_t user_receive(struct tcp *t, struct connection *c, void *data, size_t size) {
    struct active *a = active_of(t, c);
    if (a == NULL || a->receive.bytes == 0) return receive_empty(c);
    uint32_t n = (uint32_t)(size < a->receive.bytes ? size : a->receive.bytes);
    extent_queue_copy(&t->base, &a->receive, data, n);
    receive_done(t, c, n);
    return n;
}

size_t user_peek_parts(const struct tcp *t, const struct connection *c, struct bk_part *parts, size_t n) {
    const struct active *a = active_of(t, c);
    size_t i = 0;
    if (a == NULL) return 0;
    for (uint32_t id = a->receive.head; id != BK_NONE && i < n; i++) {
        const struct extent *e = extent_at(&t->base, id);
        parts[i] = (struct bk_part){e->chunk, e->offset, e->length};
        id = e->next;
    }
    return i;
}

int user_consume(struct tcp *t, struct connection *c, size_t length) {
    if (length > connection_receive_queued(t, c)) return ERROR_INVAL;
    if (length != 0) receive_done(t, c, (uint32_t)length);
    return 0;
}

/* ---- 3.10.4 CLOSE ---------------------------------------------------------------------------------- */

/* Our FIN will follow the data queued. */
static void close_sending(struct tcp *t, struct connection *c, uint16_t reason) {
    if (c->fin_queued) return;
    c->fin_queued = true;
    c->more = false;
    if (c->state == BK_ESTABLISHED)
        connection_set_state(t, c, BK_FIN_WAIT_1, reason);
    else if (c->state == BK_CLOSE_WAIT)
        connection_set_state(t, c, BK_LAST_ACK, reason);
    else if (c->state == BK_SYN_RECEIVED && c->snd_end == c->iss + 1)
        connection_set_state(t, c, BK_FIN_WAIT_1, reason);
    /* Data queued in SYN-RECEIVED goes first, when our SYN is acknowledged; enter_established goes on from there. */
    connection_touch(t, c);
}

int user_shutdown(struct tcp *t, struct connection *c) {
    if (c->state == BK_CLOSED || c->state == BK_SYN_SENT) return ERROR_NOTCONN;
    call_event(t, c, BK_CALL_SHUTDOWN, 0);
    close_sending(t, c, BK_REASON_SEND_FIN);
    return 0;
}

void user_close(struct tcp *t, struct connection *c) {
    call_event(t, c, BK_CALL_CLOSE, 0);
    bool unread = connection_receive_queued(t, c) != 0 || connection_out_of_order(t, c) != 0;
    struct active *a = active_of(t, c);
    if (a != NULL) {
        extent_queue_clear(&t->base, &a->receive);
        runs_clear(&t->base, &a->out_of_order);
        connection_settle(t, c);
    }
    bool alive = !c->detached;
    connection_disown(t, c); /* frees an ended one */
    if (!alive) return;
    if (c->state == BK_SYN_SENT) {
        connection_end(t, c, 0, BK_REASON_NONE);
        return;
    }
    if (unread && t->base.config.reset_on_unread) {
        output_reset(t, c, BK_REASON_SEND_RST_UNREAD);
        connection_end(t, c, 0, BK_REASON_SEND_RST_UNREAD);
        return;
    }
    if (t->orphans >= t->base.config.orphans_max) {
        reason_count(&t->base, BK_REASON_NOTE_ORPHAN_LIMIT);
        output_reset(t, c, BK_REASON_SEND_RST_ORPHANS);
        connection_end(t, c, 0, BK_REASON_SEND_RST_ORPHANS);
        return;
    }
    connection_orphan(t, c);
    close_sending(t, c, BK_REASON_SEND_FIN);
    uint64_t wait = t->base.config.orphan_ms * NS_PER_MS;
    c->linger_due = t->base.now + (c->state == BK_FIN_WAIT_2 ? connection_fin_wait_2_ns(t, c) : wait);
    timeouts_arm_end(t, c);
    connection_touch(t, c);
}

/* ---- 3.10.5 ABORT ---------------------------------------------------------------------------------- */

void user_abort(struct tcp *t, struct connection *c) {
    call_event(t, c, BK_CALL_ABORT, 0);
    switch ((enum bk_state)c->state) {
    case BK_SYN_RECEIVED:
    case BK_ESTABLISHED:
    case BK_FIN_WAIT_1:
    case BK_FIN_WAIT_2:
    case BK_CLOSE_WAIT:
        output_reset(t, c, BK_REASON_SEND_RST_ABORT);
        break;
    case BK_TIME_WAIT:
        time_wait_abort(t, c);
        break;
    case BK_CLOSED:
    case BK_LISTEN:
    case BK_SYN_SENT:
    case BK_CLOSING:
    case BK_LAST_ACK:
    case BK_STATES:
        break;
    }
    bool alive = !c->detached;
    connection_disown(t, c);
    if (alive) connection_end(t, c, 0, BK_REASON_SEND_RST_ABORT);
}

/* ---- 3.10.6 STATUS --------------------------------------------------------------------------------- */

static void status_timer(const struct connection *c, struct bk_tcp_info *info) {
    info->timer_due = BK_NEVER;
    if (c->rtx_due != BK_NEVER) {
        info->timer = c->rtx_kind == RTX_PERSIST || c->rtx_kind == RTX_OVERRIDE ? 4 : 1;
        info->timer_due = c->rtx_due;
    } else if (c->linger_due != BK_NEVER) {
        info->timer = 3;
        info->timer_due = c->linger_due;
    } else if (c->keepalive_due != BK_NEVER) {
        info->timer = 2;
        info->timer_due = c->keepalive_due;
    }
}

/* What is outstanding. */
static void status_board(const struct tcp *t, const struct connection *c, struct bk_tcp_info *info) {
    const struct active *a = active_of(t, c);
    if (a != NULL) {
        info->segments_unacked = a->board.segments;
        info->segments_sacked = c->sack ? a->board.sacked : c->duplicate_acks;
        info->segments_lost = a->board.lost_segments;
        info->segments_resent = a->board.resent;
    }
    if (info->segments_unacked == 0 && c->snd_una != c->snd_nxt && !c->detached) info->segments_unacked = 1;
}

/* TIME-WAIT is over when its record is gone. */
static void status_time_wait(const struct tcp *t, const struct connection *c, struct bk_tcp_info *info) {
    demux_ref ref = lookup_tuple(t, &c->tuple, c->hash);
    if (ref == DEMUX_NONE || demux_ref_kind(ref) != DEMUX_TIME_WAIT) {
        info->state = BK_CLOSED;
        return;
    }
    info->timer = 3;
    info->timer_due = time_wait_at(t, demux_ref_ipv6(ref), demux_ref_id(ref))->expires;
}

void user_status(const struct tcp *t, const struct connection *c, struct bk_tcp_info *info) {
    const struct active *a = active_of(t, c);
    uint32_t unacked = a == NULL ? 0 : a->send.bytes;
    *info = (struct bk_tcp_info){
        .local = c->tuple.local,
        .remote = c->tuple.remote,
        .local_port = c->tuple.local_port,
        .remote_port = c->tuple.remote_port,
        .state = c->state,
        .iface = c->iface,
        .send_scale = c->send_scale,
        .receive_scale = c->receive_scale,
        .timestamps = c->timestamps,
        .sack = c->sack,
        .keepalive = c->keepalive,
        .nodelay = c->nodelay,
        .owned = c->owned,
        .ecn = c->ecn,
        .ecn_seen = c->ecn_seen,
        .error = c->error,
        .soft_error = c->soft_error,
        .iss = c->iss,
        .snd_una = c->snd_una,
        .snd_nxt = c->snd_nxt,
        .snd_wnd = c->snd_wnd,
        .snd_wl1 = c->snd_wl1,
        .snd_wl2 = c->snd_wl2,
        .snd_up = c->snd_up,
        .max_snd_wnd = c->max_snd_wnd,
        .irs = c->peer_mss == 0 ? 0 : connection_irs(c), /* no SYN of the peer's has come */
        .rcv_nxt = c->rcv_nxt,
        .rcv_wnd = connection_rcv_wnd(c),
        .rcv_up = c->urgent_in ? c->rcv_up : c->rcv_nxt,
        .send_mss = c->mss,
        .receive_mss = c->rcv_mss,
        .advertised_mss = c->mss_offered,
        .path_mtu = c->path_mtu,
        .send_queued = unacked,
        .receive_queued = connection_receive_queued(t, c),
        .out_of_order = connection_out_of_order(t, c),
        .send_buffer = c->send_buffer,
        .receive_buffer = c->receive_buffer,
        .receive_space = a == NULL ? 0 : a->receiving.space,
        .receive_rtt_us = a == NULL ? 0 : a->receiving.rtt_us,
        .out_of_order_segments = c->out_of_order_segments,
        .sent_age_ms = (uint32_t)((t->base.now - (c->sent_at != 0 ? c->sent_at : c->heard_at)) / NS_PER_MS),
        .heard_age_ms = (uint32_t)((t->base.now - c->heard_at) / NS_PER_MS),
        .text_age_ms = (uint32_t)(t->base.now / NS_PER_MS) - c->text_ms,
        .srtt_us = c->srtt_us,
        .rttvar_us = c->rttvar_us,
        .min_rtt_us = c->min_rtt_us,
        .rto_us = c->rto_us,
        .cwnd = c->cwnd,
        .ssthresh = c->ssthresh,
        .in_flight = recovery_pipe(t, c),
        .recovery = c->recovery,
        .retransmits = c->retransmits,
        .probes = c->probes,
        .backoff = c->backoff,
        .reordering = c->reordering,
        .reordering_seen = c->reordering_seen,
        .dsack_duplicates = c->dsack_duplicates,
        .segments_delivered = c->delivered_segments,
        .bytes_sent = connection_bytes_sent(c),
        .bytes_retransmitted = c->bytes_retransmitted,
        .bytes_acked = c->bytes_acked,
        .bytes_received = c->bytes_received,
        .segments_sent = c->segments_sent,
        .segments_received = c->segments_received,
        .segments_retransmitted = c->segments_retransmitted,
        .data_segments_sent = c->data_segments_sent,
        .data_segments_received = c->data_segments_received,
        .segments_delivered_ce = c->delivered_ce,
        .ack_delay_us = a == NULL || a->receiving.delay_us == 0 ? 0 : (uint32_t)(delayed_ack_ns(t, c) / NS_PER_US),
        .receive_window_most = receive_window_most(t, c),
        .timeouts = c->timeouts,
        .timeout_episodes = c->timeout_episodes,
        .timeout_ms = timeouts_spent_ms(t, c),
        .idle_since = c->heard_at,
    };
    congestion_status(t, c, info);
    status_board(t, c, info);
    struct send_times times = send_times_of(t, c);
    info->busy_us = times.busy;
    info->window_limited_us = times.window;
    info->buffer_limited_us = times.buffer;
    status_timer(c, info);
    if (c->state == BK_TIME_WAIT) status_time_wait(t, c, info);
}

void user_look(const struct tcp *t, const struct connection *c, struct bk_tcp_look *look) {
    uint32_t queued = connection_receive_queued(t, c);
    *look = (struct bk_tcp_look){
        .state = c->state,
        .fin_received = c->fin_received,
        .fin_queued = c->fin_queued,
        .urgent = c->urgent_in,
        .error = c->error,
        .read_seq = c->rcv_nxt - c->fin_received - queued,
        .urgent_end = c->rcv_up,
        .receive_queued = queued,
        .rcv_wnd = connection_rcv_wnd(c),
        .receive_mss = c->rcv_mss,
        .snd_una = c->snd_una,
        .snd_nxt = c->snd_nxt,
        .send_end = c->snd_end,
        .send_room = send_room(t, c),
        .writable = send_room_writable(t, c),
        .send_buffer = c->send_buffer,
    };
}
