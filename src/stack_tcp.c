/* The calls of beckon/stack.h about TCP: connections, listeners, readiness. Each finds the record that its handle names, and hands on. */
#include "stack.h"

#include "tcp/budget.h"
#include "tcp/user_calls.h"
#include "wire/ip.h"

static bool accepts_any(const bk_stack *s) {
    for (uint32_t i = 0; i < NET_IFACES; i++)
        if (s->net.iface[i].in_use && s->net.iface[i].config.accept_any) return true;
    return false;
}

int bk_tcp_listen_with(bk_stack *s, const struct bk_tcp_passive *passive, uint64_t now, bk_listener *out) {
    base_now(base_of(s), now);
    const bk_addr *local = &passive->local;
    if (passive->port == 0 || passive->backlog == 0 || wire_addr_is_multicast(local)) return ERROR_INVAL;
    if (!bk_addr_is_any(local) && !net_is_local(&s->net, local) && !accepts_any(s) &&
        !(passive->flags & BK_LISTEN_FOREIGN))
        return ERROR_ADDRNOTAVAIL;
    return listener_open(&s->net.tcp, passive, out);
}

int bk_tcp_listen(bk_stack *s, const bk_addr *local, uint16_t port, uint32_t backlog, uint64_t user, uint64_t now,
                  bk_listener *out) {
    struct bk_tcp_passive passive = {.local = *local, .port = port, .backlog = backlog, .user = user};
    return bk_tcp_listen_with(s, &passive, now, out);
}

int bk_tcp_backlog(bk_stack *s, bk_listener listener, uint32_t backlog, uint64_t now) {
    base_now(base_of(s), now);
    struct listener *l = listener_of(&s->net.tcp, listener);
    if (l == NULL) return ERROR_BADF;
    if (backlog == 0) return ERROR_INVAL;
    l->backlog = backlog;
    return 0;
}

int bk_tcp_listener_set(bk_stack *s, bk_listener listener, enum bk_tcp_option option, uint64_t value, uint64_t now) {
    base_now(base_of(s), now);
    struct listener *l = listener_of(&s->net.tcp, listener);
    return l == NULL ? ERROR_BADF : user_listener_set(&s->net.tcp, l, option, value);
}

int bk_tcp_listener_status(const bk_stack *s, bk_listener listener, struct bk_tcp_info *info) {
    const struct listener *l = listener_of(&s->net.tcp, listener);
    if (l == NULL) return ERROR_BADF;
    tcp_list_listener(l, info);
    return 0;
}

int bk_tcp_accept(bk_stack *s, bk_listener listener, uint64_t user, uint64_t now, bk_conn *out) {
    base_now(base_of(s), now);
    struct listener *l = listener_of(&s->net.tcp, listener);
    return l == NULL ? ERROR_BADF : user_accept(&s->net.tcp, l, user, out);
}

int bk_tcp_unlisten(bk_stack *s, bk_listener listener, uint64_t now) {
    base_now(base_of(s), now);
    struct listener *l = listener_of(&s->net.tcp, listener);
    if (l == NULL) return ERROR_BADF;
    user_unlisten(&s->net.tcp, l);
    return 0;
}

int bk_tcp_connect(bk_stack *s, const struct bk_tcp_open *open, uint64_t now, bk_conn *out) {
    base_now(base_of(s), now);
    if (open->remote_port == 0 || bk_addr_is_any(&open->remote) || wire_addr_is_multicast(&open->remote) ||
        wire_addr_is_limited_broadcast(&open->remote))
        return ERROR_INVAL;
    if (!bk_addr_is_any(&open->local) && addr_is_ipv4(&open->local) != addr_is_ipv4(&open->remote)) return ERROR_INVAL;
    struct net_way way;
    int error = net_way_find(&s->net, &open->remote, &open->local, &way);
    if (error != 0) return error;
    struct user_open what = {
        .tuple = {way.src, open->remote, open->local_port, open->remote_port},
        .iface = (uint8_t)way.iface,
        .user = open->user,
    };
    return user_open_active(&s->net.tcp, &what, out);
}

/* The record that a handle names, for calls that change it; NULL: -EBADF. */
static struct connection *call(bk_stack *s, bk_conn handle, uint64_t now) {
    base_now(base_of(s), now);
    return connection_of(&s->net.tcp, handle);
}

ptrdiff_t bk_tcp_send(bk_stack *s, bk_conn conn, const void *data, size_t length, uint32_t flags, uint64_t now) {
    struct connection *c = call(s, conn, now);
    return c == NULL ? ERROR_BADF : user_send(&s->net.tcp, c, data, length, flags);
}

ptrdiff_t bk_tcp_receive(bk_stack *s, bk_conn conn, void *data, size_t size, uint64_t now) {
    struct connection *c = call(s, conn, now);
    return c == NULL ? ERROR_BADF : user_receive(&s->net.tcp, c, data, size);
}

size_t bk_tcp_peek_parts(const bk_stack *s, bk_conn conn, struct bk_part *parts, size_t n) {
    const struct connection *c = connection_of(&s->net.tcp, conn);
    return c == NULL ? 0 : user_peek_parts(&s->net.tcp, c, parts, n);
}

int bk_tcp_consume(bk_stack *s, bk_conn conn, size_t length, uint64_t now) {
    struct connection *c = call(s, conn, now);
    return c == NULL ? ERROR_BADF : user_consume(&s->net.tcp, c, length);
}

int bk_tcp_send_parts(bk_stack *s, bk_conn conn, const struct bk_part *parts, size_t n, uint32_t flags, uint64_t now) {
    struct connection *c = call(s, conn, now);
    return c == NULL ? ERROR_BADF : user_send_parts(&s->net.tcp, c, parts, n, flags);
}

int bk_tcp_shutdown(bk_stack *s, bk_conn conn, uint64_t now) {
    struct connection *c = call(s, conn, now);
    return c == NULL ? ERROR_BADF : user_shutdown(&s->net.tcp, c);
}

int bk_tcp_close(bk_stack *s, bk_conn conn, uint64_t now) {
    struct connection *c = call(s, conn, now);
    if (c == NULL) return ERROR_BADF;
    user_close(&s->net.tcp, c);
    return 0;
}

int bk_tcp_abort(bk_stack *s, bk_conn conn, uint64_t now) {
    struct connection *c = call(s, conn, now);
    if (c == NULL) return ERROR_BADF;
    user_abort(&s->net.tcp, c);
    return 0;
}

int bk_tcp_set(bk_stack *s, bk_conn conn, enum bk_tcp_option option, uint64_t value, uint64_t now) {
    struct connection *c = call(s, conn, now);
    return c == NULL ? ERROR_BADF : user_set(&s->net.tcp, c, option, value);
}

int bk_tcp_get(const bk_stack *s, bk_conn conn, enum bk_tcp_option option, uint64_t *value) {
    const struct connection *c = connection_of(&s->net.tcp, conn);
    return c == NULL ? ERROR_BADF : user_get(c, option, value);
}

int bk_tcp_status(const bk_stack *s, bk_conn conn, struct bk_tcp_info *info) {
    const struct connection *c = connection_of(&s->net.tcp, conn);
    if (c == NULL) return ERROR_BADF;
    user_status(&s->net.tcp, c, info);
    return 0;
}

int bk_tcp_look(const bk_stack *s, bk_conn conn, struct bk_tcp_look *look) {
    const struct connection *c = connection_of(&s->net.tcp, conn);
    if (c == NULL) return ERROR_BADF;
    user_look(&s->net.tcp, c, look);
    return 0;
}

bool bk_tcp_list(const bk_stack *s, uint64_t *cursor, struct bk_tcp_info *info) {
    return tcp_list(&s->net.tcp, cursor, info);
}

size_t bk_tcp_errors(bk_stack *s, struct bk_tcp_error *errors, size_t n) {
    return tcp_errors(&s->net.tcp, errors, n);
}

int bk_tcp_take_soft_error(bk_stack *s, bk_conn conn) {
    struct connection *c = connection_of(&s->net.tcp, conn);
    if (c == NULL) return ERROR_BADF;
    int error = c->soft_error;
    c->soft_error = 0;
    return error;
}

/* ---- readiness ------------------------------------------------------------------------------------- */

bool bk_ready_pending(const bk_stack *s) {
    const struct tcp *t = &s->net.tcp;
    return t->ready.count != 0 || t->listener_ready.count != 0 || budget_could_feed(t);
}

size_t bk_ready_poll(bk_stack *s, struct bk_ready *events, size_t n) {
    struct tcp *t = &s->net.tcp;
    size_t i = 0;
    uint32_t id;
    budget_feed(t);
    while (i < n && (id = list_pop_head(&t->base, &t->listeners, LISTENER_READY_LINK, &t->listener_ready)) != BK_NONE) {
        struct listener *l = listener_at(t, id);
        events[i++] = (struct bk_ready){l->ready, true, id, l->generation, l->user};
        l->ready = 0;
    }
    while (i < n && (id = list_pop_head(&t->base, &t->connections, CONNECTION_READY_LINK, &t->ready)) != BK_NONE) {
        struct connection *c = connection_at(t, id);
        events[i++] = (struct bk_ready){c->ready, false, id, c->generation, c->user};
        c->ready = 0;
    }
    return i;
}
