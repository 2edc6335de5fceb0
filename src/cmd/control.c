/* The control socket of a running stack; see control.h.
 *
 * Nothing here blocks: the listening socket and each client are watched by the run loop. A client is first read from until its line
 * is whole, then the reply is built at one moment in time, as the stack must not change while it is walked, and sent as the
 * client reads.
 */
#define _GNU_SOURCE 1
#include "cmd/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void control_client_drop(struct control_client *k) {
    run_loop_watch_remove(k->control->loop, k->fd);
    close(k->fd);
    free(k->reply);
    k->fd = -1;
    k->reply = NULL;
}

/* ---- the reply ------------------------------------------------------------------------------------- */

/* Writes {"name": value} and a newline, and gives the value up. */
static void control_line(FILE *f, const char *name, json_t *value) {
    json_t *line = value ? json_pack("{s:o}", name, value) : NULL;
    if (line) {
        json_dumpf(line, f, JSON_COMPACT);
        fputc('\n', f);
    }
    json_decref(line);
}

static void control_reply_connections(struct control *c, FILE *f) {
    control_line(f, "stack",
                 json_pack("{s:i,s:s,s:s,s:I}", "pid", (int)getpid(), "command", c->command, "version", bk_version(),
                           "now", (json_int_t)bk_link_clock()));
    struct bk_tcp_info info;
    uint64_t cursor = 0;
    uint32_t count = 0;
    bool more;
    while ((more = bk_tcp_list(c->stack, &cursor, &info)) && count < CONTROL_CONNECTIONS_MAX) {
        control_line(f, "connection", control_info_encode(&info));
        count++;
    }
    control_line(f, "end", json_pack("{s:i,s:b}", "count", (int)count, "truncated", more));
}

static void control_reply_request(struct control *c, FILE *f, const char *line, size_t length) {
    json_error_t error;
    json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(request)) {
        control_line(f, "error", json_string("the request is no JSON object; ask {\"get\": \"connections\"}"));
    } else {
        const char *what = json_string_value(json_object_get(request, "get"));
        if (what && strcmp(what, "connections") == 0)
            control_reply_connections(c, f);
        else
            control_line(f, "error", json_string("unknown request; ask {\"get\": \"connections\"}"));
    }
    json_decref(request);
}

/* Builds the reply to the line and turns the client to sending. */
static void control_client_answer(struct control_client *k, size_t length) {
    FILE *f = open_memstream(&k->reply, &k->reply_length);
    if (!f) {
        control_client_drop(k);
        return;
    }
    if (length < CONTROL_REQUEST_MAX)
        control_reply_request(k->control, f, k->request, length);
    else
        control_line(f, "error", json_string("the request is too long"));
    if (fclose(f) != 0) {
        control_client_drop(k);
        return;
    }
    k->reply_sent = 0;
    run_loop_watch_events(k->control->loop, k->fd, POLLOUT);
}

/* ---- clients --------------------------------------------------------------------------------------- */

static void control_client_send(struct control_client *k) {
    while (k->reply_sent < k->reply_length) {
        ssize_t n = send(k->fd, k->reply + k->reply_sent, k->reply_length - k->reply_sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) break;
        k->reply_sent += (size_t)n;
    }
    control_client_drop(k);
}

static void control_client_receive(struct control_client *k) {
    ssize_t n = recv(k->fd, k->request + k->request_length, sizeof k->request - k->request_length, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        control_client_drop(k);
        return;
    }
    k->request_length += (uint32_t)n;
    const char *end = memchr(k->request, '\n', k->request_length);
    if (end)
        control_client_answer(k, (size_t)(end - k->request));
    else if (k->request_length == sizeof k->request)
        control_client_answer(k, sizeof k->request);
}

static void control_client_fire(void *context, short revents, uint64_t now) {
    struct control_client *k = context;
    (void)revents;
    (void)now;
    if (k->reply)
        control_client_send(k);
    else
        control_client_receive(k);
}

static void control_fire(void *context, short revents, uint64_t now) {
    struct control *c = context;
    (void)revents;
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    struct control_client *k = &c->client[0];
    for (size_t i = 0; i < CONTROL_CLIENTS && k->fd >= 0; i++)
        if (c->client[i].fd < 0 || c->client[i].since < k->since) k = &c->client[i];
    if (k->fd >= 0) control_client_drop(k);
    *k = (struct control_client){.fd = fd, .since = now, .control = c};
    if (run_loop_watch_add(c->loop, fd, POLLIN, control_client_fire, k)) return;
    close(fd);
    k->fd = -1;
}

/* ---- the socket ------------------------------------------------------------------------------------ */

static int control_listen(struct control *c, char why[CONTROL_WHY]) {
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(c->address.sun_path); /* of a dead process that had our id */
    if (c->fd >= 0 && bind(c->fd, (const struct sockaddr *)&c->address, sizeof c->address) == 0 &&
        listen(c->fd, CONTROL_CLIENTS) == 0)
        return 0;
    int error = errno;
    snprintf(why, CONTROL_WHY, "%s: %s", c->address.sun_path, strerror(error));
    return -error;
}

int control_open(struct control *c, struct run_loop *loop, bk_stack *stack, const char *command,
                 char why[CONTROL_WHY]) {
    *c = (struct control){.loop = loop, .stack = stack, .command = command, .fd = -1};
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) c->client[i].fd = -1;
    char directory[sizeof c->address.sun_path];
    int r = control_directory(directory, true, why);
    if (r < 0) return r;
    const struct bk_steering *group = &bk_config_of(stack)->steering;
    const struct control_name name = {.pid = getpid(), .index = group->stacks > 1 ? (int32_t)group->index : -1};
    if (!control_address(directory, &name, &c->address)) {
        snprintf(why, CONTROL_WHY, "%s is too long for a socket's name; set a shorter XDG_RUNTIME_DIR", directory);
        return -ENAMETOOLONG;
    }
    r = control_listen(c, why);
    if (r == 0 && !run_loop_watch_add(loop, c->fd, POLLIN, control_fire, c)) r = -ENOSPC;
    if (r < 0) control_close(c);
    return r;
}

void control_close(struct control *c) {
    if (c->fd < 0) return;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        if (c->client[i].fd >= 0) control_client_drop(&c->client[i]);
    run_loop_watch_remove(c->loop, c->fd);
    close(c->fd);
    c->fd = -1;
    unlink(c->address.sun_path);
}
