/* What users of a simulation check beyond the octets that they read: see app.h. */
#include "base/common.h"
#include "lab/sim_world.h"

#define CHECK_SLACK                                                                                                    \
    (120 * NS_PER_S) /* of a user timeout: clocks may stand still for a minute, and hosts sleep past deadlines */

static const struct scenario_flow *check_flow(const struct sim_world *w, const struct app_connection *c) {
    return &w->plan.flow[c->flow];
}

static void check_fault(struct sim_world *w, const struct app_connection *c) {
    if (w->fault_connection == APP_NOTHING) w->fault_connection = (uint32_t)(c - w->app.connection);
}

uint32_t app_of_host(const struct sim_world *w, uint32_t host) {
    uint32_t found = APP_NOTHING;
    for (uint32_t i = 0; i < w->app.count; i++) {
        const struct app_connection *c = &w->app.connection[i];
        for (unsigned end = 0; end < 2; end++) {
            if (c->host[end] != host || !c->begun) continue;
            if (c->end[end].state == APP_OPEN) return i;
            if (found == APP_NOTHING) found = i;
        }
    }
    return found;
}

/* ---- calls ----------------------------------------------------------------------------------------- */

/* RFC 9293 3.8.5. */
void app_check_urgent(struct sim_world *w, const struct app_connection *c, unsigned end) {
    const struct app_end *e = &c->end[end], *peer = &c->end[!end];
    if (e->urgent_told && !peer->urgent_sent)
        fault_note(&w->fault, "host %u was told of urgent data, and there was none", c->host[end]);
    else if (e->ended && peer->urgent_sent && !e->urgent_told)
        fault_note(&w->fault, "host %u was not told of urgent data", c->host[end]);
    else
        return;
    check_fault(w, c);
}

/* A reset shows in tcpEstabResets, if the connection was in a state that counts (RFC 4022). */
int app_check_close(struct sim_world *w, const struct app_connection *c, unsigned end) {
    const struct sim_host *h = &w->host[c->host[end]];
    bk_stack *stack = host_stack(h->host);
    struct bk_tcp_info info = {.state = BK_CLOSED};
    struct bk_tcp_mib before, after;
    uint64_t too_many = bk_reason_count(stack, BK_REASON_NOTE_ORPHAN_LIMIT);
    bk_tcp_status(stack, c->end[end].conn, &info);
    bk_tcp_mib(stack, &before);
    int r = bk_tcp_close(stack, c->end[end].conn, sim_host_time(h));
    bk_tcp_mib(stack, &after);
    if (info.state != BK_ESTABLISHED && info.state != BK_CLOSE_WAIT) return r;
    uint32_t unread = info.receive_queued + info.out_of_order;
    bool expected = (unread > 0 && bk_config_of(stack)->reset_on_unread) ||
                    bk_reason_count(stack, BK_REASON_NOTE_ORPHAN_LIMIT) != too_many;
    if ((after.estab_resets != before.estab_resets) == expected) return r;
    fault_note(&w->fault, "host %u: CLOSE with %u octets unread %s the connection", c->host[end], unread,
               expected ? "does not reset" : "resets");
    check_fault(w, c);
    return r;
}

/* ---- at the end ------------------------------------------------------------------------------------ */

static bool check_completed(const struct sim_world *w, const struct app_connection *c) {
    for (unsigned end = 0; end < 2; end++)
        if (c->end[end].error != 0 || c->end[end].sent != app_total(w, c, end) ||
            c->end[!end].received != c->end[end].sent)
            return false;
    return true;
}

/* Keep-alive must have told that the other side is gone. */
static bool check_unnoticed(const struct sim_world *w, const struct app_connection *c) {
    const struct app_end *e = c->end;
    return check_flow(w, c)->kind == SCENARIO_KEEP_ALIVE &&
           ((e[0].died && e[1].state == APP_OPEN) || (e[1].died && e[0].state == APP_OPEN));
}

/* Whether the end waits for an answer for longer than its user timeout allows (RFC 5482). */
static bool check_overdue(const struct sim_world *w, const struct app_connection *c, unsigned end) {
    const struct sim_host *h = &w->host[c->host[end]];
    const struct app_end *e = &c->end[end];
    uint64_t bound = check_flow(w, c)->user_timeout_ms * NS_PER_MS + CHECK_SLACK;
    struct bk_tcp_info info;
    if (bound == CHECK_SLACK || e->state != APP_OPEN || !host_up(h->host)) return false;
    if (bk_tcp_status(host_stack(h->host), e->conn, &info) != 0 || info.in_flight + info.send_queued == 0) return false;
    return sim_host_time(h) > info.idle_since + bound && w->now > u64_max(e->sent_at, e->opened_at) + bound;
}

void app_verdict(struct sim_world *w) {
    bool must = scenario_must_complete(&w->plan);
    for (uint32_t i = 0; i < w->app.count; i++) {
        const struct app_connection *c = &w->app.connection[i];
        bool completed = check_completed(w, c);
        w->statistics.completed += completed;
        w->statistics.broken += !completed;
        if (check_unnoticed(w, c)) fault_note(&w->fault, "keep-alive has not noticed that the other side crashed");
        for (unsigned end = 0; end < 2; end++)
            if (check_overdue(w, c, end))
                fault_note(&w->fault, "host %u: a user timeout has not ended a connection that gets no answer",
                           c->host[end]);
        if (must && !completed)
            fault_note(&w->fault,
                       "connection %u of flow %u (%s) did not complete: sent %llu and %llu octets, received %llu and "
                       "%llu, errors %d and %d",
                       c->number, c->flow, scenario_kind_name(check_flow(w, c)->kind),
                       (unsigned long long)c->end[0].sent, (unsigned long long)c->end[1].sent,
                       (unsigned long long)c->end[0].received, (unsigned long long)c->end[1].received, c->end[0].error,
                       c->end[1].error);
        if (w->fault.found) check_fault(w, c);
    }
}
