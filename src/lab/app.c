/* What the users of a simulation do: see app.h.
 *
 * An end acts in rounds: it reads what it wants to read, sends what it may send by now, closes its side or lets go when its time has come, and
 * begins again as long as that moved anything. Whatever it cannot do now it will be told of by its stack, or wakes for. */
#include "lab/app.h"

#include <stdlib.h>

#include "base/common.h"
#include "base/draw.h"
#include "lab/sim_world.h"

#define APP_TRIES       40u
#define APP_TRY_AGAIN   (250 * NS_PER_MS)
#define APP_SERVER_PORT 1000u  /* and up: one for each flow */
#define APP_CLIENT_PORT 10000u /* and up: of clients that have one port, one for each flow */
#define APP_OPEN_PORT   20000u /* of simultaneous opens: clients, 1,000 for each flow */
#define APP_OPEN_OTHER  40000u /* and the other ends */
#define APP_LISTENER    (UINT64_C(1) << 63)

static const struct scenario_flow *app_flow(const struct sim_world *w, const struct app_connection *c) {
    return &w->plan.flow[c->flow];
}

static bool app_asks(const struct scenario_flow *f) {
    return f->kind == SCENARIO_REQUESTS || f->kind == SCENARIO_KEEP_ALIVE;
}

static uint32_t app_index(const struct sim_world *w, const struct app_connection *c) {
    return (uint32_t)(c - w->app.connection);
}

static void app_fault(struct sim_world *w, const struct app_connection *c) {
    if (w->fault_connection == APP_NOTHING) w->fault_connection = app_index(w, c);
}

static void app_wake_at(struct sim_world *w, const struct app_connection *c, uint64_t at) {
    if (!app_table_wake(&w->app, app_index(w, c), u64_max(at, w->now))) fault_note(&w->fault, "no memory");
}

uint64_t app_total(const struct sim_world *w, const struct app_connection *c, unsigned end) {
    const struct scenario_flow *f = app_flow(w, c);
    uint64_t once = end == 0 ? f->up : f->down;
    return app_asks(f) ? once * f->rounds : once;
}

/* ---- coming and going ------------------------------------------------------------------------------ */

bool app_open(struct sim_world *w) {
    struct app_table *t = &w->app;
    if (!app_table_open(t, scenario_connections(&w->plan))) return false;
    for (uint32_t flow = 0, i = 0; flow < w->plan.flows; flow++) {
        const struct scenario_flow *f = &w->plan.flow[flow];
        t->first[flow] = i;
        for (uint32_t n = 0; n < f->connections; n++, i++) {
            struct app_connection *c = &t->connection[i];
            uint64_t chance = scenario_seed(&w->plan, 0x1000 + i);
            uint64_t start = w->origin + (f->start_us + (uint64_t)n * f->spacing_us) * NS_PER_US;
            c->flow = flow;
            c->number = n;
            c->host[0] = f->client;
            c->host[1] = f->server;
            c->key = draw(&chance);
            c->act = f->kind == SCENARIO_RESETS ? (uint8_t)draw_below(&chance, APP_ACTS) : APP_COMPLETES;
            c->act_at = f->kind == SCENARIO_RESETS ? start + draw_below(&chance, f->act_us + 1) * NS_PER_US
                                                   : start + f->act_us * NS_PER_US;
            if (!app_table_wake(t, i, start)) return false;
        }
    }
    t->busy = t->count;
    return true;
}

void app_free(struct sim_world *w) {
    app_table_close(&w->app);
}

static void app_end_open(struct sim_world *w, struct app_connection *c, unsigned end) {
    const struct scenario_flow *f = app_flow(w, c);
    const struct sim_host *h = &w->host[c->host[end]];
    struct app_end *e = &c->end[end];
    bk_stack *stack = host_stack(h->host);
    uint64_t now = sim_host_time(h);
    e->state = APP_OPEN;
    e->opened_at = w->now;
    w->app.busy++;
    if (f->nodelay) bk_tcp_set(stack, e->conn, BK_TCP_NODELAY, 1, now);
    if (f->quickack) bk_tcp_set(stack, e->conn, BK_TCP_QUICKACK, 1, now);
    if (f->kind == SCENARIO_KEEP_ALIVE) bk_tcp_set(stack, e->conn, BK_TCP_KEEPALIVE, 1, now);
    if (f->user_timeout_ms != 0) bk_tcp_set(stack, e->conn, BK_TCP_USER_TIMEOUT_MS, f->user_timeout_ms, now);
    if (c->act_at > w->now && (c->act != APP_COMPLETES || f->kind == SCENARIO_SIMULTANEOUS_CLOSE))
        app_wake_at(w, c, c->act_at);
}

static void app_end_gone(struct sim_world *w, struct app_connection *c, unsigned end) {
    c->end[end].state = APP_GONE;
    w->app.busy--;
}

/* The user lets go; a connection that failed is let go of likewise. */
static void app_leave(struct sim_world *w, struct app_connection *c, unsigned end) {
    c->end[end].shut = true;
    sim_touch(w, app_index(w, c), end);
    if (app_check_close(w, c, end) != 0) {
        fault_note(&w->fault, "host %u: CLOSE of a connection that its user holds failed", c->host[end]);
        app_fault(w, c);
    }
    app_end_gone(w, c, end);
}

static void app_abort(struct sim_world *w, struct app_connection *c, unsigned end) {
    const struct sim_host *h = &w->host[c->host[end]];
    c->end[end].aborted = true;
    bk_tcp_abort(host_stack(h->host), c->end[end].conn, sim_host_time(h));
    app_end_gone(w, c, end);
}

/* ---- what each kind of flow adds ------------------------------------------------------------------- */

/* Octets that this end may have sent by now. */
static uint64_t app_may_send(struct sim_world *w, struct app_connection *c, unsigned end) {
    const struct scenario_flow *f = app_flow(w, c);
    struct app_end *e = &c->end[end];
    uint64_t total = app_total(w, c, end);
    if (end == 0 && !e->connected && !f->early) return 0;
    if (f->kind == SCENARIO_HALF_CLOSE && end != f->closer) return e->ended ? total : 0;
    if (!app_asks(f)) return total;
    uint64_t each = end == 0 ? f->up : f->down, other = end == 0 ? f->down : f->up, round = e->received / other;
    if (end == 1) return each * round;
    if (round > 0 && f->pause_us != 0 && e->sent == each * round) { /* an answer is complete: think */
        if (e->ask_at == 0) e->ask_at = w->now + f->pause_us * NS_PER_US;
        if (w->now < e->ask_at) {
            if (round < f->rounds) app_wake_at(w, c, e->ask_at);
            return e->sent;
        }
        e->ask_at = 0;
    }
    return u64_min(each * (round + 1), total);
}

/* Reads what there is; slow readers only so much and only so often. */
static ptrdiff_t app_reads(struct sim_world *w, struct app_connection *c, unsigned end) {
    const struct scenario_flow *f = app_flow(w, c);
    struct app_end *e = &c->end[end];
    bool leaves = (c->act == APP_CLIENT_LEAVES && end == 0) || (c->act == APP_SERVER_LEAVES && end == 1);
    if (leaves) return 0;
    if (f->resize != 0 && !e->resized && 2 * e->received >= app_total(w, c, !end)) {
        const struct sim_host *h = &w->host[c->host[end]];
        bk_tcp_set(host_stack(h->host), e->conn, BK_TCP_RECEIVE_BUFFER, f->resize, sim_host_time(h));
        e->resized = true;
    }
    if (f->kind != SCENARIO_SLOW_READER) return app_receive(w, c, end, UINT64_MAX);
    if (w->now < e->read_at) {
        app_wake_at(w, c, e->read_at);
        return 0;
    }
    ptrdiff_t n = app_receive(w, c, end, f->read_bytes);
    if (n > 0) {
        e->read_at = w->now + f->pause_us * NS_PER_US;
        app_wake_at(w, c, e->read_at);
    }
    return n;
}

/* The drawn moment has come: abort, leave, or close together. Returns whether the end is gone. */
static bool app_acts(struct sim_world *w, struct app_connection *c, unsigned end) {
    if (c->act == APP_COMPLETES || w->now < c->act_at) return false;
    if (c->act == APP_CLIENT_ABORTS + end) {
        app_abort(w, c, end);
        return true;
    }
    if (c->act == APP_CLIENT_LEAVES + end) {
        app_leave(w, c, end);
        return true;
    }
    return false;
}

/* Closes its side when all is sent. */
static void app_shuts(struct sim_world *w, struct app_connection *c, unsigned end) {
    const struct scenario_flow *f = app_flow(w, c);
    const struct sim_host *h = &w->host[c->host[end]];
    struct app_end *e = &c->end[end];
    if (e->shut || e->sent < app_total(w, c, end)) return;
    if (f->kind == SCENARIO_HALF_CLOSE && end != f->closer && !e->ended) return;
    if (f->kind == SCENARIO_SIMULTANEOUS_CLOSE && w->now < c->act_at) return;
    if (app_asks(f) && (e->received < app_total(w, c, !end) || (end != f->closer && !e->ended))) return;
    if (app_asks(f) && end == f->closer) {
        app_leave(w, c, end);
        return;
    }
    int r = bk_tcp_shutdown(host_stack(h->host), e->conn, sim_host_time(h));
    if (r == 0) e->shut = true;
    if (r == 0 || r == ERROR_NOTCONN) return;
    fault_note(&w->fault, "host %u: SHUTDOWN was answered %d", c->host[end], r);
    app_fault(w, c);
}

static void app_failed(struct sim_world *w, struct app_connection *c, unsigned end, ptrdiff_t error) {
    c->end[end].error = (int32_t)error;
    app_leave(w, c, end);
}

/* An end does all that it can do now. */
static void app_run(struct sim_world *w, struct app_connection *c, unsigned end) {
    struct app_end *e = &c->end[end];
    bool moved = true;
    while (moved && e->state == APP_OPEN && !w->fault.found) {
        if (app_acts(w, c, end)) return;
        ptrdiff_t read = app_reads(w, c, end);
        ptrdiff_t sent = read < 0 ? 0 : app_send(w, c, end, app_may_send(w, c, end));
        /* A side that the peer's RST closed says so to the reader, when all that came before it is read. */
        if (read < 0 || (sent < 0 && sent != ERROR_PIPE)) {
            app_failed(w, c, end, read < 0 ? read : sent);
            return;
        }
        app_shuts(w, c, end);
        if (e->state == APP_OPEN && e->shut && e->ended) app_leave(w, c, end);
        moved = read > 0 || sent > 0;
    }
}

/* ---- opening --------------------------------------------------------------------------------------- */

static int app_connect(struct sim_world *w, struct app_connection *c, unsigned end) {
    const struct scenario_flow *f = app_flow(w, c);
    const struct sim_host *h = &w->host[c->host[end]];
    uint16_t both = (uint16_t)(c->flow * 1000 + c->number);
    bool together = f->kind == SCENARIO_SIMULTANEOUS_OPEN;
    struct bk_tcp_open open = {
        .remote = sim_host_addr(&w->plan, c->host[!end]),
        .remote_port =
            (uint16_t)(together ? (end == 0 ? APP_OPEN_OTHER : APP_OPEN_PORT) + both : APP_SERVER_PORT + c->flow),
        .local_port = (uint16_t)(together       ? (end == 0 ? APP_OPEN_PORT : APP_OPEN_OTHER) + both
                                 : f->same_port ? APP_CLIENT_PORT + c->flow
                                                : 0),
        .user = (uint64_t)app_index(w, c) << 1 | end,
    };
    struct bk_tcp_info info;
    if (!host_up(h->host)) return ERROR_NETUNREACH;
    int r = bk_tcp_connect(host_stack(h->host), &open, sim_host_time(h), &c->end[end].conn);
    if (r != 0) return r;
    bk_tcp_status(host_stack(h->host), c->end[end].conn, &info);
    c->port[end] = info.local_port;
    c->port[!end] = info.remote_port;
    if (end == 0) c->iss = info.iss;
    return 0;
}

/* Opens the connection, from both ends if it is opened simultaneously. A stack that has no room is asked again later. */
static void app_begin(struct sim_world *w, struct app_connection *c) {
    bool together = app_flow(w, c)->kind == SCENARIO_SIMULTANEOUS_OPEN;
    int r = app_connect(w, c, 0);
    if (r != 0 && ++c->tries < APP_TRIES) {
        app_wake_at(w, c, w->now + APP_TRY_AGAIN);
        return;
    }
    c->begun = true;
    w->app.busy--;
    if (r != 0) {
        c->end[0].state = APP_GONE;
        c->end[0].error = r;
        return;
    }
    watch_init(&c->watch);
    pace_init(&c->pace);
    app_table_place(&w->app, app_index(w, c));
    app_end_open(w, c, 0);
    if (together && (r = app_connect(w, c, 1)) != 0) {
        c->end[1].state = APP_GONE;
        c->end[1].error = r;
    } else if (together) {
        app_end_open(w, c, 1);
        app_run(w, c, 1);
    }
    app_run(w, c, 0);
}

/* ---- accepting ------------------------------------------------------------------------------------- */

void app_host_up(struct sim_world *w, uint32_t host) {
    const struct sim_host *h = &w->host[host];
    for (uint32_t i = 0; i < w->plan.flows && !w->closing; i++) {
        const struct scenario_flow *f = &w->plan.flow[i];
        if (f->server != host || f->kind == SCENARIO_SIMULTANEOUS_OPEN) continue;
        bk_addr any = {{0}};
        int r = bk_tcp_listen(host_stack(h->host), &any, (uint16_t)(APP_SERVER_PORT + i), f->backlog, APP_LISTENER | i,
                              sim_host_time(h), &w->app.listener[i]);
        w->app.listening[i] = r == 0;
        w->app.accept_after[i] = w->now + f->accept_us * NS_PER_US;
        if (r != 0) fault_note(&w->fault, "host %u: LISTEN was answered %d", (unsigned)host, r);
    }
}

/* Whose connection was accepted: the newest one of this 4-tuple, or an older one, if the client was quick to open the next. */
static struct app_connection *app_opened(struct sim_world *w, uint32_t host, const struct bk_tcp_info *info) {
    unsigned end = 0;
    uint32_t client = sim_host_of(w, &info->remote);
    uint32_t i = app_table_find(&w->app, client, info->remote_port, host, info->local_port, &end);
    for (; i != APP_NOTHING; i = w->app.connection[i].previous)
        if (w->app.connection[i].iss == info->irs) return &w->app.connection[i];
    return NULL;
}

/* A connection that nobody opened. A SYN cookie remembers nothing: an ACK of a connection that the server has given up, but whose RST was
 * lost, may bring it back (RFC 4987 3.6). Without cookies it is a fault. */
static void app_stranger(struct sim_world *w, uint32_t host, bk_conn conn, const char *what) {
    const struct sim_host *h = &w->host[host];
    bk_tcp_abort(host_stack(h->host), conn, sim_host_time(h));
    w->statistics.strangers++;
    if (!w->plan.host[host].config.syn_cookies)
        fault_note(&w->fault, "host %u accepted a connection that %s", (unsigned)host, what);
}

/* Whether the server may accept one more now; if only later, it wakes for it. */
static bool app_accepts(struct sim_world *w, uint32_t flow) {
    const struct scenario_flow *f = &w->plan.flow[flow];
    struct app_table *t = &w->app;
    if (f->accept_most != 0 && t->accepted[flow] >= f->accept_most) return false;
    if (f->accept_us == 0 || w->now >= t->accept_after[flow]) return true;
    t->accept_at[flow] = t->accept_after[flow];
    return false;
}

static void app_accept(struct sim_world *w, uint32_t host, uint32_t flow) {
    const struct sim_host *h = &w->host[host];
    bk_stack *stack = host_stack(h->host);
    struct bk_tcp_info info;
    bk_conn conn;
    while (!w->fault.found && app_accepts(w, flow) &&
           bk_tcp_accept(stack, w->app.listener[flow], 0, sim_host_time(h), &conn) == 0) {
        bk_tcp_status(stack, conn, &info);
        w->app.accepted[flow]++;
        w->app.accept_after[flow] = w->now + w->plan.flow[flow].accept_us * NS_PER_US;
        struct app_connection *c = app_opened(w, host, &info);
        if (c == NULL || c->end[1].state != APP_NONE) {
            app_stranger(w, host, conn, c == NULL ? "nobody opened" : "it had accepted before");
            continue;
        }
        c->end[1].conn = conn;
        c->end[1].connected = true;
        bk_tcp_set(stack, conn, BK_TCP_USER, (uint64_t)app_index(w, c) << 1 | 1, sim_host_time(h));
        app_end_open(w, c, 1);
        app_run(w, c, 1);
    }
}

/* ---- what the world calls -------------------------------------------------------------------------- */

void app_ready(struct sim_world *w, uint32_t host, const struct bk_ready *ready) {
    if (ready->listener) {
        app_accept(w, host, (uint32_t)(ready->user & ~APP_LISTENER));
        return;
    }
    struct app_connection *c = &w->app.connection[ready->user >> 1];
    unsigned end = ready->user & 1;
    if (ready->user >> 1 >= w->app.count || c->end[end].state != APP_OPEN || c->host[end] != host ||
        c->end[end].conn.index != ready->index || c->end[end].conn.generation != ready->generation) {
        fault_note(&w->fault, "host %u told a user of a connection that he does not hold", (unsigned)host);
        return;
    }
    if (ready->what & BK_READY_CONNECTED) c->end[end].connected = true;
    if (ready->what & BK_READY_URGENT) c->end[end].urgent_told = true;
    sim_touch(w, app_index(w, c), end);
    app_run(w, c, end);
    app_check_urgent(w, c, end);
}

void app_host_died(struct sim_world *w, uint32_t host) {
    for (uint32_t i = 0; i < w->app.count; i++) {
        struct app_connection *c = &w->app.connection[i];
        for (unsigned end = 0; end < 2; end++) {
            if (c->host[end] != host) continue;
            if (c->begun) c->blind = true;
            if (c->end[end].state != APP_OPEN) continue;
            c->end[end].died = true;
            app_end_gone(w, c, end);
        }
    }
    for (uint32_t i = 0; i < w->plan.flows; i++)
        if (w->plan.flow[i].server == host) {
            w->app.listening[i] = false;
            w->app.accept_at[i] = BK_NEVER;
        }
}

/* The flow whose server is the next to accept. */
static uint32_t app_next_flow(const struct sim_world *w) {
    uint32_t flow = 0;
    for (uint32_t i = 1; i < w->plan.flows; i++)
        if (w->app.accept_at[i] < w->app.accept_at[flow]) flow = i;
    return flow;
}

uint64_t app_next(struct sim_world *w) {
    struct app_wake wake;
    uint64_t accept = w->app.accept_at[app_next_flow(w)];
    return app_table_next(&w->app, &wake) ? u64_min(wake.at, accept) : accept;
}

struct app_connection *app_wake(struct sim_world *w) {
    struct app_wake wake = {.at = BK_NEVER};
    uint32_t flow = app_next_flow(w);
    bool any = app_table_next(&w->app, &wake);
    if (w->app.accept_at[flow] < wake.at) {
        w->app.accept_at[flow] = BK_NEVER;
        app_accept(w, w->plan.flow[flow].server, flow);
        return &w->app.connection[w->app.first[flow]];
    }
    BK_ASSERT(any, "somebody wakes");
    app_table_pop(&w->app);
    struct app_connection *c = &w->app.connection[wake.connection];
    c->wake_at = BK_NEVER;
    if (!c->begun) {
        app_begin(w, c);
        return c;
    }
    for (unsigned end = 0; end < 2; end++) {
        if (c->end[end].state == APP_OPEN) sim_touch(w, wake.connection, end);
        app_run(w, c, end);
    }
    return c;
}

void app_everybody_leaves(struct sim_world *w) {
    for (uint32_t i = 0; i < w->app.count; i++) {
        struct app_connection *c = &w->app.connection[i];
        c->wake_at = BK_NEVER;
        if (!c->begun) w->app.busy--;
        c->begun = true;
        for (unsigned end = 0; end < 2; end++) {
            if (c->end[end].state != APP_OPEN) continue;
            w->statistics.given_up++;
            app_leave(w, c, end);
        }
    }
    for (uint32_t i = 0; i < w->plan.flows; i++) {
        const struct sim_host *h = &w->host[w->plan.flow[i].server];
        if (w->app.listening[i] && bk_tcp_unlisten(host_stack(h->host), w->app.listener[i], sim_host_time(h)) != 0)
            fault_note(&w->fault, "host %u: UNLISTEN failed", h->number);
        w->app.listening[i] = false;
    }
}
