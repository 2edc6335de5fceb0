/* The life of a connection record: made, found by its handle, changed in state, ended, freed. See connection.h. */
#include "tcp/connection.h"

#include "tcp/budget.h"
#include "tcp/lookup.h"
#include "tcp/port_map.h"

static demux_ref connection_ref(const struct connection *c) {
    return demux_ref_make(DEMUX_CONNECTION, connection_is_ipv6(c), c->self);
}

uint32_t connection_new(struct tcp *t, const struct tuple *tuple, uint32_t hash, uint8_t iface, demux_ref old) {
    const struct bk_config *config = &t->base.config;
    uint32_t id = pool_alloc(&t->base, &t->connections);
    if (id == BK_NONE) return BK_NONE;
    struct connection *c = connection_at(t, id);
    link_init(&c->output_link);
    link_init(&c->ready_link);
    link_init(&c->wait_link);
    timer_init(&c->timer);
    c->tuple = *tuple;
    c->hash = hash;
    c->self = id;
    c->generation = base_generation(&t->base);
    c->listener = BK_NONE;
    c->active = BK_NONE;
    c->state = BK_CLOSED;
    c->iface = iface;
    c->congestion = (uint8_t)config->congestion;
    c->send_buffer = config->send_buffer;
    c->receive_buffer = config->receive_buffer;
    c->unsent_low = config->unsent_low;
    c->reordering = (uint16_t)config->reordering;
    c->payload_share = 128;
    c->rto_us = u32_min(config->rto_initial_ms, config->rto_max_ms) * 1000;
    c->ecn_asked = config->ecn == BK_ECN_ASK;
    c->rtx_due = c->ack_due = c->keepalive_due = c->linger_due = BK_NEVER;
    c->progress_at = c->heard_at = t->base.now;
    c->text_ms = (uint32_t)(t->base.now / NS_PER_MS);
    c->keepalive_idle_s = (uint16_t)config->keepalive_idle_s;
    c->keepalive_interval_s = (uint16_t)config->keepalive_interval_s;
    c->keepalive_probes = (uint8_t)config->keepalive_probes;
    c->syn_retries = (uint8_t)config->syn_retries;
    if (old != DEMUX_NONE)
        demux_replace(&t->base, &t->demux, c->hash, old, connection_ref(c));
    else
        demux_insert(&t->base, &t->demux, c->hash, connection_ref(c));
    lookup_note(t, &c->tuple, connection_ref(c));
    return id;
}

struct connection *connection_of(const struct tcp *t, bk_conn handle) {
    if (handle.index >= t->connections.fresh || handle.generation == 0) return NULL;
    struct connection *c = connection_at(t, handle.index);
    /* A connection that its user has closed lives on, but no handle names it; nor does one before it is accepted. */
    return c->generation == handle.generation && c->owned && c->listener == BK_NONE ? c : NULL;
}

static bool state_is_current(uint8_t state) {
    return state == BK_ESTABLISHED || state == BK_CLOSE_WAIT;
}

void connection_set_state(struct tcp *t, struct connection *c, enum bk_state state, uint16_t reason) {
    uint8_t before = c->state;
    c->state = (uint8_t)state;
    t->mib.curr_estab += state_is_current(c->state);
    t->mib.curr_estab -= state_is_current(before);
    /* RFC 4022 counts the transition, whoever brings it about. */
    if (state == BK_CLOSED) {
        t->mib.attempt_fails += before == BK_SYN_SENT || before == BK_SYN_RECEIVED;
        t->mib.estab_resets += state_is_current(before);
    }
    struct event_about about = connection_about(c);
    event_state(t, &about, before, c->state, reason);
}

/* After so long a rest a record is taken over rather than a new one from the pool: what it knows of the path is
 * old by then, and the region grows with the connections that are busy at a time, not with all that ever were. */
#define ACTIVE_REST_NS NS_PER_S

static void active_wake(struct tcp *t, uint32_t id) {
    struct active *a = pool_at(&t->base, &t->active, id);
    if (link_in(&a->rest_link)) list_remove(&t->base, &t->active, ACTIVE_REST_LINK, &t->resting, id);
}

/* The record that rested longest, taken from its connection; BK_NONE if none rests since `since` or earlier. */
static uint32_t active_take_over(struct tcp *t, uint64_t since) {
    uint32_t id = t->resting.head;
    if (id == BK_NONE) return BK_NONE;
    const struct active *a = pool_at(&t->base, &t->active, id);
    if (a->rested_at > since) return BK_NONE;
    connection_at(t, a->connection)->active = BK_NONE;
    active_wake(t, id);
    return id;
}

static uint32_t active_take(struct tcp *t) {
    uint64_t now = t->base.now;
    uint32_t id = active_take_over(t, now > ACTIVE_REST_NS ? now - ACTIVE_REST_NS : 0);
    if (id == BK_NONE) id = pool_alloc(&t->base, &t->active);
    return id != BK_NONE ? id : active_take_over(t, now);
}

struct active *connection_activate(struct tcp *t, struct connection *c) {
    if (c->active != BK_NONE) {
        active_wake(t, c->active);
        return active_of(t, c);
    }
    c->active = active_take(t);
    if (c->active == BK_NONE) return NULL;
    struct active *a = active_of(t, c);
    memset(a, 0, sizeof *a);
    a->connection = c->self;
    link_init(&a->rest_link);
    extent_queue_init(&a->send);
    extent_queue_init(&a->receive);
    runs_init(&a->out_of_order);
    a->send.limit = a->receive.limit = a->out_of_order.queue.limit = budget_mark(t);
    a->send_hint = BK_NONE;
    a->push_at = c->snd_nxt;
    scoreboard_init(&a->board);
    rack_init(&a->rack, c->snd_una);
    a->recovery.reorder_due = BK_NEVER;
    mtu_search_init(t, c, &a->search);
    c->path_epoch = t->path_epoch - 1; /* what a search held back may be open now */
    congestion_begin(t, c);
    receive_begin(t, c, &a->receiving);
    if (c->waits == WAITS_RECORD) budget_recorded(t, c);
    return a;
}

void connection_settle(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || a->send.bytes != 0 || a->receive.bytes != 0 || a->out_of_order.queue.bytes != 0) return;
    a->receiving.charge = 0;
    if (a->board.records != 0 || c->waits != WAITS_NOT) return;
    if (!c->detached) {
        if (link_in(&a->rest_link)) return;
        a->rested_at = t->base.now;
        list_push_tail(&t->base, &t->active, ACTIVE_REST_LINK, &t->resting, c->active);
        return;
    }
    active_wake(t, c->active);
    pool_free(&t->base, &t->active, c->active);
    c->active = BK_NONE;
}

void connection_touch(struct tcp *t, struct connection *c) {
    if (!link_in(&c->output_link))
        list_push_tail(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, &t->path[c->iface].output, c->self);
}

static void connection_untouch(struct tcp *t, struct connection *c) {
    if (link_in(&c->output_link))
        list_remove(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, &t->path[c->iface].output, c->self);
}

void connection_hear(struct tcp *t, struct connection *c, uint8_t what) {
    if (!c->owned) return;
    struct event_about about = connection_about(c);
    event_user(t, BK_EVENT_HEARD, &about, what, c->error, c->state);
    c->ready |= what;
    /* Until it is accepted, nobody can be told: bk_tcp_accept delivers what has gathered. */
    if (c->listener == BK_NONE && !link_in(&c->ready_link))
        list_push_tail(&t->base, &t->connections, CONNECTION_READY_LINK, &t->ready, c->self);
}

void connection_owe_ack(struct tcp *t, struct connection *c, enum ack_owed when, uint16_t reason) {
    if (when > c->ack_owed) {
        c->ack_owed = (uint8_t)when;
        c->ack_reason = reason;
    }
    if (when == ACK_DELAYED && c->ack_due == BK_NEVER) c->ack_due = t->base.now + delayed_ack_ns(t, c);
    connection_touch(t, c);
}

void connection_grow_send_buffer(const struct tcp *t, struct connection *c) {
    if (c->send_fixed || c->send_buffer >= t->base.config.send_buffer_max) return;
    uint64_t want = u64_min(2 * (uint64_t)c->cwnd, t->base.config.send_buffer_max);
    c->send_buffer = (uint32_t)u64_max(c->send_buffer, want);
}

static void connection_drop_send(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    extent_queue_clear(&t->base, &a->send);
    runs_clear(&t->base, &a->out_of_order);
    scoreboard_clear(t, &a->board);
    a->send_hint = BK_NONE;
}

void connection_orphan(struct tcp *t, struct connection *c) {
    c->orphan = true;
    t->orphans++;
}

static void connection_unorphan(struct tcp *t, struct connection *c) {
    t->orphans -= c->orphan;
    c->orphan = false;
}

/* Leaves the connection table, the output list and the wheel: whatever stays is for the user's eyes only. */
static void connection_detach(struct tcp *t, struct connection *c) {
    connection_untouch(t, c);
    struct wheel_of wheel = connection_wheel(t);
    wheel_remove(&wheel, c->self);
    connection_unorphan(t, c);
    if (!c->detached) {
        port_map_leave(t, &c->tuple);
        demux_remove(&t->base, &t->demux, c->hash, connection_ref(c));
        lookup_forget(t, &c->tuple);
    }
    c->detached = true;
    connection_settle(t, c);
}

void connection_end(struct tcp *t, struct connection *c, int error, uint16_t reason) {
    connection_drop_send(t, c);
    budget_leave(t, c);
    connection_detach(t, c);
    if (error != 0) c->error = (int16_t)error;
    connection_set_state(t, c, BK_CLOSED, reason);
    if (c->owned)
        connection_hear(t, c, BK_READY_CLOSED | BK_READY_READABLE | BK_READY_WRITABLE);
    else
        connection_free(t, c);
}

void connection_leave_table(struct tcp *t, struct connection *c) {
    connection_drop_send(t, c);
    budget_leave(t, c);
    connection_untouch(t, c);
    connection_unorphan(t, c);
    lookup_forget(t, &c->tuple);
    struct wheel_of wheel = connection_wheel(t);
    wheel_remove(&wheel, c->self);
    c->detached = true;
    connection_settle(t, c);
}

void connection_disown(struct tcp *t, struct connection *c) {
    c->owned = false;
    c->ready = 0;
    budget_leave(t, c);
    if (c->listener == BK_NONE) {
        if (link_in(&c->ready_link)) list_remove(&t->base, &t->connections, CONNECTION_READY_LINK, &t->ready, c->self);
    } else {
        struct listener *l = listener_at(t, c->listener);
        list_remove(&t->base, &t->connections, CONNECTION_ACCEPT_LINK, &l->accept_queue, c->self);
        c->listener = BK_NONE;
    }
    if (c->detached) connection_free(t, c);
}

void connection_free(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a != NULL) {
        extent_queue_clear(&t->base, &a->receive);
        connection_drop_send(t, c);
    }
    c->owned = false;
    connection_detach(t, c);
    c->generation = 0;
    pool_free(&t->base, &t->connections, c->self);
}

uint64_t connection_fin_wait_2_ns(const struct tcp *t, const struct connection *c) {
    return c->fin_wait_2_s != 0 ? c->fin_wait_2_s * NS_PER_S : t->base.config.fin_wait_2_ms * NS_PER_MS;
}

void connection_arm(struct tcp *t, struct connection *c, uint64_t again) {
    struct wheel_of wheel = connection_wheel(t);
    wheel_arm(&wheel, c->self, again);
}
