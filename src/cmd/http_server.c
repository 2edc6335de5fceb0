/* An HTTP server; see http_server.h.
 *
 * Readiness is edge-triggered: "readable" comes when data arrives at an empty queue, "writable" when there is room
 * after -EAGAIN. So a connection is worked on until the stack says -EAGAIN both ways, or until an answer that cannot leave
 * blocks it: then "writable" brings it back, and it goes on reading where it stopped.
 */
#define _GNU_SOURCE 1
#include "cmd/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HTTP_SERVER_INPUT   4096u
#define HTTP_SERVER_CHECK_S 1u
#define SECOND_NS           UINT64_C(1000000000)

struct http_server_conn {
    bk_conn tcp;
    struct http_conn http;
    uint64_t active; /* when something last moved */
    bool lingering;  /* our FIN is queued: what comes in is read and dropped until theirs */
    bool ended;      /* the client's FIN was read */
    uint32_t input_at, input_length;
    uint8_t input[HTTP_SERVER_INPUT]; /* received, and not yet taken by `http` */
};

/* ---- a Beckon stack as the transport ---------------------------------------------------------------- */

static int http_stack_accept(void *context, uint64_t user, uint64_t now, bk_conn *out) {
    struct http_server *s = context;
    return bk_tcp_accept(s->stack, s->listener, user, now, out);
}
static ptrdiff_t http_stack_receive(void *context, bk_conn conn, void *data, size_t size, uint64_t now) {
    return bk_tcp_receive(((struct http_server *)context)->stack, conn, data, size, now);
}
static ptrdiff_t http_stack_send(void *context, bk_conn conn, const void *data, size_t length, bool more,
                                 uint64_t now) {
    return bk_tcp_send(((struct http_server *)context)->stack, conn, data, length, more ? BK_SEND_MORE : 0, now);
}
static void http_stack_shutdown(void *context, bk_conn conn, uint64_t now) {
    bk_tcp_shutdown(((struct http_server *)context)->stack, conn, now);
}
static void http_stack_close(void *context, bk_conn conn, uint64_t now) {
    bk_tcp_close(((struct http_server *)context)->stack, conn, now);
}
static void http_stack_abort(void *context, bk_conn conn, uint64_t now) {
    bk_tcp_abort(((struct http_server *)context)->stack, conn, now);
}
static void http_stack_unlisten(void *context, uint64_t now) {
    struct http_server *s = context;
    bk_tcp_unlisten(s->stack, s->listener, now);
}

static const struct http_transport http_stack = {
    .accept = http_stack_accept,
    .receive = http_stack_receive,
    .send = http_stack_send,
    .shutdown = http_stack_shutdown,
    .close = http_stack_close,
    .abort = http_stack_abort,
    .unlisten = http_stack_unlisten,
};

/* ---- the server ------------------------------------------------------------------------------------ */

void http_server_start_on(struct http_server *s, const struct http_transport *transport, void *context,
                          const struct http_site *site) {
    memset(s, 0, sizeof *s);
    s->transport = transport;
    s->context = context;
    s->site = *site;
    s->next_check = BK_NEVER;
}

int http_server_start(struct http_server *s, bk_stack *stack, const struct http_site *site, const bk_addr *local,
                      uint16_t port, uint64_t now) {
    http_server_start_on(s, &http_stack, s, site);
    s->stack = stack;
    return bk_tcp_listen(stack, local, port, HTTP_SERVER_BACKLOG, 0, now, &s->listener);
}

static void http_server_forget(struct http_server *s, uint32_t slot) {
    struct http_server_conn *c = s->conn[slot];
    s->requests += c->http.requests;
    http_conn_destroy(&c->http);
    free(c);
    s->conn[slot] = NULL;
    s->open--;
    if (s->open == 0) s->next_check = BK_NEVER;
}

/* Sends what the answer has, until it is all gone (true) or the stack takes no more (false). */
static bool http_server_flush(struct http_server *s, struct http_server_conn *c, uint64_t now, int *error) {
    const void *data;
    bool more;
    for (size_t n; (n = http_conn_output(&c->http, &data, &more)) != 0;) {
        ptrdiff_t sent = s->transport->send(s->context, c->tcp, data, n, more, now);
        if (sent < 0) {
            if (sent != -EAGAIN) *error = (int)-sent;
            return false;
        }
        http_conn_sent(&c->http, (size_t)sent);
        c->active = now;
    }
    return true;
}

/* Reads what has arrived, if the last piece has been dealt with. False when there is nothing to go on with. */
static bool http_server_fill(struct http_server *s, struct http_server_conn *c, uint64_t now, int *error) {
    if (c->ended) return false;
    ptrdiff_t n = s->transport->receive(s->context, c->tcp, c->input, sizeof c->input, now);
    if (n < 0) {
        if (n != -EAGAIN) *error = (int)-n;
        return false;
    }
    c->active = now;
    c->input_at = 0;
    c->input_length = (uint32_t)n;
    if (n == 0) {
        c->ended = true;
        http_conn_input_end(&c->http);
    }
    return true;
}

/* One step of a connection; false when it must wait for an event, or is over (*error, or *over). */
static bool http_server_step(struct http_server *s, struct http_server_conn *c, uint64_t now, int *error, bool *over) {
    if (!http_server_flush(s, c, now, error)) return false;
    if (http_conn_finished(&c->http) && !c->lingering) {
        if (c->http.failed) {
            *error = EIO;
            return false;
        }
        s->transport->shutdown(s->context, c->tcp, now);
        c->lingering = true;
        c->active = now;
    }
    if (c->lingering && c->ended) {
        *over = true;
        return false;
    }
    if (c->input_at == c->input_length) return http_server_fill(s, c, now, error);
    c->input_at += (uint32_t)http_conn_input(&c->http, c->input + c->input_at, c->input_length - c->input_at);
    return true;
}

static void http_server_work(struct http_server *s, uint32_t slot, uint64_t now) {
    struct http_server_conn *c = s->conn[slot];
    int error = 0;
    bool over = false;
    while (http_server_step(s, c, now, &error, &over)) {
    }
    if (error != 0) {
        s->failed++;
        s->transport->abort(s->context, c->tcp, now);
    } else if (over) {
        s->transport->close(s->context, c->tcp, now);
    }
    if (error != 0 || over) http_server_forget(s, slot);
}

/* Accepts while there are slots. */
static void http_server_accept(struct http_server *s, uint64_t now) {
    s->site.date = (int64_t)time(NULL);
    for (uint32_t slot = 0; slot < HTTP_SERVER_CONNECTIONS; slot++) {
        if (s->conn[slot]) continue;
        struct http_server_conn *c = calloc(1, sizeof *c);
        if (!c || s->transport->accept(s->context, slot + 1, now, &c->tcp) < 0) {
            s->waiting = c == NULL;
            free(c);
            return;
        }
        http_conn_init(&c->http, &s->site);
        c->active = now;
        s->conn[slot] = c;
        s->accepted++;
        if (s->open++ == 0) s->next_check = now + HTTP_SERVER_CHECK_S * SECOND_NS;
        http_server_work(s, slot, now); /* its first bytes may have come before it was accepted */
    }
    s->waiting = true;
}

void http_server_ready(struct http_server *s, const struct bk_ready *event, uint64_t now) {
    if (event->listener) {
        http_server_accept(s, now);
        return;
    }
    /* An event may be older than the slot's present connection: the handle tells. */
    if (event->user == 0 || event->user > HTTP_SERVER_CONNECTIONS) return;
    uint32_t slot = (uint32_t)event->user - 1;
    struct http_server_conn *c = s->conn[slot];
    if (!c || c->tcp.index != event->index || c->tcp.generation != event->generation) return;
    s->site.date = (int64_t)time(NULL);
    http_server_work(s, slot, now);
    /* CLOSED ends it, also where the work has left the connection waiting. */
    if (s->conn[slot] == c && (event->what & BK_READY_CLOSED)) {
        s->transport->close(s->context, c->tcp, now);
        http_server_forget(s, slot);
    }
    if (s->waiting) http_server_accept(s, now);
}

uint64_t http_server_deadline(const struct http_server *s) {
    return s->next_check;
}

void http_server_advance(struct http_server *s, uint64_t now) {
    if (now < s->next_check) return;
    s->next_check = now + HTTP_SERVER_CHECK_S * SECOND_NS;
    for (uint32_t slot = 0; slot < HTTP_SERVER_CONNECTIONS; slot++) {
        struct http_server_conn *c = s->conn[slot];
        if (!c) continue;
        uint64_t limit = c->lingering ? HTTP_SERVER_LINGER_S : HTTP_SERVER_IDLE_S;
        if (now - c->active < limit * SECOND_NS) continue;
        s->failed += !c->lingering;
        s->transport->abort(s->context, c->tcp, now);
        http_server_forget(s, slot);
    }
    if (s->waiting) http_server_accept(s, now);
}

void http_server_stop(struct http_server *s, uint64_t now) {
    for (uint32_t slot = 0; slot < HTTP_SERVER_CONNECTIONS; slot++) {
        if (!s->conn[slot]) continue;
        s->transport->abort(s->context, s->conn[slot]->tcp, now);
        http_server_forget(s, slot);
    }
    s->transport->unlisten(s->context, now);
}
