/* What a connection does in the modes listen, connect, echo and http.
 *
 * A session is driven by the readiness queue alone: each event of its connection makes session_work read all that is
 * there, write as much as goes, and look whether it is over. Nothing here walks over sessions, so 200,000 of them one
 * after the other cost the same each. */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct session *session_new(struct peer *p) {
    if (p->free_count == 0) {
        p->session = realloc(p->session, (p->session_count + 1) * sizeof *p->session);
        p->free_session = realloc(p->free_session, (p->session_count + 1) * sizeof *p->free_session);
        if (p->session == NULL || p->free_session == NULL) abort();
        p->free_session[p->free_count++] = p->session_count++;
    }
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->number = p->free_session[--p->free_count];
    if (p->o.mode == PEER_ECHO || p->o.mode == PEER_HTTP) {
        s->in = malloc(SESSION_IN);
        if (s->in == NULL) abort();
    } else {
        s->file_end = p->send_length;
    }
    p->session[s->number] = s;
    p->opened++;
    return s;
}

static void session_free(struct peer *p, struct session *s) {
    p->session[s->number] = NULL;
    p->free_session[p->free_count++] = s->number;
    free(s->in);
    free(s);
}

/* Over: `error` is 0 or why it failed. The stack finishes alone what is still queued. */
static void session_end(struct peer *p, struct session *s, int error, uint64_t now) {
    bk_tcp_close(p->stack, s->conn, now);
    p->finished++;
    if (error != 0) {
        p->failed++;
        p->last_error = error;
    }
    if (p->finished == p->o.warm_after) p->used_extent_warm = bk_used_extent(p->stack);
    session_free(p, s);
}

static int session_connect(struct peer *p, uint64_t now) {
    struct session *s = session_new(p);
    struct bk_tcp_open open = {.local = p->o.local[!bk_addr_is_ipv4(&p->o.remote)],
                               .remote = p->o.remote,
                               .local_port = p->o.local_port,
                               .remote_port = p->o.port,
                               .user = s->number + UINT64_C(1)};
    int error = bk_tcp_connect(p->stack, &open, now, &s->conn);
    if (error != 0) {
        p->finished++;
        p->failed++;
        p->last_error = error;
        session_free(p, s);
    }
    return error;
}

bool session_start(struct peer *p, uint64_t now) {
    int error;
    if (p->o.mode == PEER_CONNECT) {
        error = session_connect(p, now);
    } else {
        bk_addr any = {{0}};
        error = bk_tcp_listen(p->stack, &any, p->o.port, p->o.backlog, 0, now, &p->listener);
        p->listening = error == 0;
    }
    if (error != 0) fprintf(stderr, "peer: open: %s\n", peer_error_name(error));
    return error == 0;
}

void session_keep(struct peer *p, const uint8_t *data, size_t length) {
    p->bytes_received += length;
    while (p->receive_fd >= 0 && length > 0) {
        ssize_t n = write(p->receive_fd, data, length);
        if (n < 0) {
            perror("peer: write");
            exit(2);
        }
        data += n;
        length -= (size_t)n;
    }
}

/* Reads all that is there and that there is room for. Returns 0, or the connection's error. */
static int session_read(struct peer *p, struct session *s, uint64_t now, bool *progress) {
    static uint8_t scratch[65536];
    while (!s->eof) {
        if (p->o.mode == PEER_ECHO && s->text_left > 0) return 0; /* the echo goes first */
        uint8_t *to = s->in == NULL ? scratch : s->in + s->in_length;
        size_t room = s->in == NULL ? sizeof scratch : SESSION_IN - s->in_length;
        if (room == 0) return 0;
        ptrdiff_t n = bk_tcp_receive(p->stack, s->conn, to, room, now);
        if (n == -EAGAIN) return 0;
        if (n < 0) return (int)n;
        *progress = true;
        if (n == 0) {
            s->eof = true;
        } else if (p->o.mode == PEER_ECHO) {
            p->bytes_received += (uint64_t)n;
            s->text = s->in;
            s->text_left = (size_t)n;
        } else if (p->o.mode == PEER_HTTP) {
            s->in_length += (size_t)n;
            http_step(p, s);
        } else {
            session_keep(p, scratch, (size_t)n);
        }
    }
    return 0;
}

/* Queues as much as goes. Returns 0, or the connection's error. */
static int session_write(struct peer *p, struct session *s, uint64_t now, bool *progress) {
    while (s->text_left > 0 || s->file_at < s->file_end) {
        const uint8_t *from = s->text_left > 0 ? s->text : p->send_data + s->file_at;
        size_t length = s->text_left > 0 ? s->text_left : s->file_end - s->file_at;
        uint32_t flags = s->text_left > 0 && s->file_at < s->file_end ? BK_SEND_MORE : 0;
        ptrdiff_t n = bk_tcp_send(p->stack, s->conn, from, length, flags, now);
        if (n == -EAGAIN) return 0;
        if (n < 0) return (int)n;
        *progress = true;
        p->bytes_sent += (uint64_t)n;
        if (s->text_left > 0) {
            s->text += n;
            s->text_left -= (size_t)n;
        } else {
            s->file_at += (uint64_t)n;
        }
    }
    return 0;
}

/* Whether the session, having queued all it has, is over; half-closes it when its time has come. */
static bool session_over(struct peer *p, struct session *s, uint64_t now) {
    bool shut;
    if (p->o.mode == PEER_ECHO)
        shut = s->eof;
    else if (p->o.mode == PEER_HTTP)
        shut = s->last || s->eof;
    else if (p->o.close == PEER_CLOSE_FIRST)
        return true;
    else if (p->o.close == PEER_CLOSE_ABORT)
        return bk_tcp_abort(p->stack, s->conn, now) == 0;
    else
        shut = p->o.close == PEER_CLOSE_SHUT || s->eof;
    if (shut && !s->shut) {
        bk_tcp_shutdown(p->stack, s->conn, now);
        s->shut = true;
    }
    return s->shut && s->eof;
}

static void session_work(struct peer *p, struct session *s, uint64_t now) {
    for (bool progress = true; progress;) {
        progress = false;
        bool reading = p->o.close != PEER_CLOSE_FIRST && p->o.close != PEER_CLOSE_ABORT;
        int error = reading ? session_read(p, s, now, &progress) : 0;
        bool waiting = p->o.close == PEER_CLOSE_LAST && !s->eof;
        if (error == 0 && !waiting) error = session_write(p, s, now, &progress);
        if (error != 0) {
            session_end(p, s, error, now);
            return;
        }
        bool all_queued = s->text_left == 0 && s->file_at == s->file_end;
        if (all_queued && p->o.mode == PEER_HTTP && s->responding) {
            s->responding = false;
            http_step(p, s);
            progress = true;
        } else if (all_queued && session_over(p, s, now)) {
            session_end(p, s, 0, now);
            return;
        }
    }
}

static void session_accept(struct peer *p, uint64_t now) {
    for (;;) {
        struct session *s = session_new(p);
        int error = bk_tcp_accept(p->stack, p->listener, s->number + UINT64_C(1), now, &s->conn);
        if (error != 0) {
            p->opened--;
            session_free(p, s);
            return;
        }
        session_work(p, s, now);
    }
}

static void session_event(struct peer *p, const struct bk_ready *event, uint64_t now) {
    struct session *s = event->user <= p->session_count ? p->session[event->user - 1] : NULL;
    if (s == NULL || s->conn.index != event->index || s->conn.generation != event->generation) {
        fprintf(stderr, "peer: an event for a connection that nobody holds\n");
        exit(1);
    }
    struct bk_tcp_info info;
    if ((event->what & BK_READY_CLOSED) != 0 && bk_tcp_status(p->stack, s->conn, &info) == 0 && info.error != 0) {
        bool progress;
        session_read(p, s, now, &progress); /* what arrived before the error */
        session_end(p, s, info.error, now);
        return;
    }
    session_work(p, s, now);
}

bool session_poll(struct peer *p, uint64_t now) {
    struct bk_ready events[64];
    size_t n = bk_ready_poll(p->stack, events, 64);
    for (size_t i = 0; i < n; i++) {
        if (events[i].listener)
            session_accept(p, now);
        else
            session_event(p, &events[i], now);
    }
    if (p->o.mode == PEER_CONNECT && p->opened == p->finished && p->opened < p->o.connections) {
        session_connect(p, now);
        return true;
    }
    return n > 0;
}
