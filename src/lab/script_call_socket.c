/* Calls that answer at once: sockets and their options, descriptors. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "lab/script_call.h"

static bool script_done(struct script_pending *p, int64_t result) {
    p->result = result;
    return true;
}

static bool script_begin_socket(struct script_run *r, struct script_pending *p) {
    int64_t domain = r->family->domain, type, protocol;
    if (p->argument[0]->kind != SCRIPT_ELLIPSIS && !script_value(r, p->argument[0], &domain)) return false;
    if (!script_value(r, p->argument[1], &type) || !script_value(r, p->argument[2], &protocol)) return false;
    return script_done(p, bk_socket(r->sockets, (int)domain, (int)type, (int)protocol));
}

static bool script_end_socket(struct script_run *r, struct script_pending *p) {
    if (p->result < 0) return true;
    struct script_peer *peer = script_peer_new(r);
    if (peer == NULL) return script_fail(r, "more than %u connections", SCRIPT_PEERS);
    peer->fd = (int)p->spec->result->integer;
    return true;
}

static bool script_begin_bind(struct script_run *r, struct script_pending *p) {
    int fd;
    if (!script_fd(r, p->argument[0], &fd)) return false;
    script_address(r, true, &p->address, &p->address_length);
    return script_done(p, bk_bind(r->sockets, fd, (struct sockaddr *)&p->address, p->address_length, r->now));
}

static bool script_begin_listen(struct script_run *r, struct script_pending *p) {
    int fd;
    int64_t backlog;
    if (!script_fd(r, p->argument[0], &fd) || !script_value(r, p->argument[1], &backlog)) return false;
    return script_done(p, bk_listen(r->sockets, fd, (int)backlog, r->now));
}

static bool script_end_listen(struct script_run *r, struct script_pending *p) {
    struct script_peer *peer = script_peer_of(r, p->script_fd);
    if (peer != NULL && p->result == 0) peer->state = SCRIPT_PEER_LISTENS;
    return true;
}

static bool script_begin_shutdown(struct script_run *r, struct script_pending *p) {
    int fd;
    int64_t how;
    if (!script_fd(r, p->argument[0], &fd) || !script_value(r, p->argument[1], &how)) return false;
    return script_done(p, bk_shutdown(r->sockets, fd, (int)how, r->now));
}

/* ---- options --------------------------------------------------------------------------------------- */

/* The bytes of an option: [number], a string, or {onoff=, linger=}. A number takes as many bytes as the script says, at most eight. */
static bool script_option_bytes(struct script_run *r, const struct script_expr *e, int64_t length, uint8_t bytes[256],
                                bool *null) {
    int64_t n = 0;
    *null = e->kind == SCRIPT_WORD && strcmp(e->text, "NULL") == 0;
    if (*null) return true;
    if (e->kind == SCRIPT_STRING) {
        memcpy(bytes, e->text, e->length < 255 ? e->length : 255);
        return true;
    }
    if (e->kind == SCRIPT_STRUCT) {
        const struct script_expr *on = script_field_of(e, "onoff"), *time = script_field_of(e, "linger");
        int64_t seconds = 0;
        if (on == NULL || time == NULL || !script_value(r, on->value, &n) || !script_value(r, time->value, &seconds))
            return script_bad_argument(r, e, "{onoff=, linger=}");
        const struct linger linger = {.l_onoff = (int)n, .l_linger = (int)seconds};
        memcpy(bytes, &linger, sizeof linger);
        return true;
    }
    const struct script_expr *number = e->kind == SCRIPT_LIST ? e->children : e;
    if (number == NULL || !script_value(r, number, &n)) return script_bad_argument(r, e, "[a number] or a string");
    int32_t small = (int32_t)n;
    uint8_t tiny = (uint8_t)n;
    if (length == 8)
        memcpy(bytes, &n, 8);
    else if (length == 1)
        memcpy(bytes, &tiny, 1);
    else
        memcpy(bytes, &small, 4);
    return true;
}

static bool script_option_name_of(struct script_run *r, struct script_pending *p, int *fd, int *level, int *option) {
    int64_t l, o;
    if (!script_fd(r, p->argument[0], fd) || !script_value(r, p->argument[1], &l) ||
        !script_value(r, p->argument[2], &o))
        return false;
    *level = (int)l;
    *option = (int)o;
    return true;
}

static bool script_begin_setsockopt(struct script_run *r, struct script_pending *p) {
    uint8_t bytes[256] = {0};
    int fd, level, option;
    int64_t length;
    bool null;
    if (!script_option_name_of(r, p, &fd, &level, &option) || !script_value(r, p->argument[4], &length) ||
        !script_option_bytes(r, p->argument[3], length, bytes, &null))
        return false;
    if (length > (int64_t)sizeof bytes) return script_bad_argument(r, p->argument[4], "at most 256 bytes");
    return script_done(p, bk_setsockopt(r->sockets, fd, level, option, null ? NULL : bytes, (socklen_t)length, r->now));
}

static bool script_begin_getsockopt(struct script_run *r, struct script_pending *p) {
    int fd, level, option;
    int64_t length;
    const struct script_expr *l = p->argument[4]->kind == SCRIPT_LIST ? p->argument[4]->children : p->argument[4];
    if (!script_option_name_of(r, p, &fd, &level, &option) || !script_value(r, l, &length)) return false;
    if (length < 0 || length > 256) return script_bad_argument(r, l, "at most 256 bytes");
    p->data = calloc(1, 256);
    if (p->data == NULL) return script_fail(r, "no memory");
    p->address_length = (socklen_t)length;
    return script_done(p, bk_getsockopt(r->sockets, fd, level, option, p->data, &p->address_length, r->now));
}

static bool script_end_getsockopt(struct script_run *r, struct script_pending *p) {
    const struct script_expr *e = p->argument[3];
    if (p->result < 0 || e->kind == SCRIPT_ELLIPSIS) return true;
    if (e->kind == SCRIPT_STRING) {
        if (p->address_length >= e->length && memcmp(p->data, e->text, e->length) == 0) return true;
        return script_fail(r, "getsockopt: expected \"%s\", got \"%.*s\"", e->text, (int)p->address_length,
                           (const char *)p->data);
    }
    if (e->kind == SCRIPT_STRUCT) {
        struct linger linger;
        memcpy(&linger, p->data, sizeof linger);
        const struct script_expr *on = script_field_of(e, "onoff"), *time = script_field_of(e, "linger");
        return on == NULL || time == NULL ||
               (script_same_value(r, "onoff", on->value, linger.l_onoff) &&
                script_same_value(r, "linger", time->value, linger.l_linger));
    }
    const struct script_expr *number = e->kind == SCRIPT_LIST ? e->children : e;
    if (number == NULL) return script_bad_argument(r, e, "[a number]");
    /* A script may write an unsigned number, where a program would read the same bits. */
    int32_t value = 0;
    int64_t want = 0;
    memcpy(&value, p->data, p->address_length < 4 ? p->address_length : 4);
    if (!script_value(r, number, &want)) return false;
    return (uint32_t)want == (uint32_t)value || script_same_value(r, p->argument[2]->text, number, value);
}

/* ---- descriptors ----------------------------------------------------------------------------------- */

static bool script_begin_fcntl(struct script_run *r, struct script_pending *p) {
    int fd;
    int64_t command, argument = 0;
    if (!script_fd(r, p->argument[0], &fd) || !script_value(r, p->argument[1], &command)) return false;
    if (p->count > 2 && !script_value(r, p->argument[2], &argument)) return false;
    return script_done(p, bk_fcntl(r->sockets, fd, (int)command, (long)argument));
}

static bool script_begin_ioctl(struct script_run *r, struct script_pending *p) {
    int fd;
    int64_t request;
    if (!script_fd(r, p->argument[0], &fd) || !script_value(r, p->argument[1], &request)) return false;
    p->data = calloc(1, sizeof(int));
    if (p->data == NULL) return script_fail(r, "no memory");
    return script_done(p, bk_ioctl(r->sockets, fd, (unsigned long)request, p->data));
}

static bool script_end_ioctl(struct script_run *r, struct script_pending *p) {
    int value;
    if (p->count < 3 || p->result < 0 || p->argument[2]->kind != SCRIPT_LIST || p->argument[2]->children == NULL)
        return true;
    memcpy(&value, p->data, sizeof value);
    return script_same_value(r, p->argument[1]->text, p->argument[2]->children, value);
}

static bool script_begin_open(struct script_run *r, struct script_pending *p) {
    int64_t flags;
    if (p->argument[0]->kind != SCRIPT_STRING) return script_bad_argument(r, p->argument[0], "a path");
    if (!script_value(r, p->argument[1], &flags)) return false;
    for (size_t i = 0; i < r->file_count; i++) {
        if (strcmp(r->file[i].path, p->argument[0]->text) != 0) continue;
        p->data = calloc(1, r->file[i].size + 1);
        if (p->data == NULL) return script_fail(r, "no memory");
        return script_done(p, bk_file_open(r->sockets, p->data, r->file[i].size, (int)flags));
    }
    return script_fail(r, "there is no file %s: only those that the script made (dd)", p->argument[0]->text);
}

static bool script_begin_pipe(struct script_run *r, struct script_pending *p) {
    int64_t number[2];
    int made[2];
    const struct script_expr *list = p->argument[0];
    if (list->kind != SCRIPT_LIST || list->children == NULL || list->children->next == NULL ||
        !script_value(r, list->children, &number[0]) || !script_value(r, list->children->next, &number[1]))
        return script_bad_argument(r, list, "[descriptor, descriptor]");
    script_done(p, bk_pipe2(r->sockets, made, 0));
    for (int i = 0; i < 2 && p->result == 0; i++) {
        if (number[i] < 0 || number[i] >= SCRIPT_FDS || r->fd[number[i]] >= 0)
            return script_bad_argument(r, list, "descriptors that are not open in the script");
        r->fd[number[i]] = made[i];
    }
    return true;
}

static bool script_begin_epoll_create(struct script_run *r, struct script_pending *p) {
    return script_done(p, bk_epoll_create1(r->sockets, 0));
}

const struct script_call_kind *script_call_plain(const char *name) {
    static const struct script_call_kind kinds[] = {
        {"socket", 3, 3, script_begin_socket, script_end_socket},
        {"bind", 3, 3, script_begin_bind, NULL},
        {"listen", 2, 2, script_begin_listen, script_end_listen},
        {"shutdown", 2, 2, script_begin_shutdown, NULL},
        {"setsockopt", 5, 5, script_begin_setsockopt, NULL},
        {"getsockopt", 5, 5, script_begin_getsockopt, script_end_getsockopt},
        {"fcntl", 2, 3, script_begin_fcntl, NULL},
        {"ioctl", 2, 3, script_begin_ioctl, script_end_ioctl},
        {"open", 2, 3, script_begin_open, NULL},
        {"pipe", 1, 1, script_begin_pipe, NULL},
        {"epoll_create", 1, 1, script_begin_epoll_create, NULL},
    };
    for (size_t i = 0; i < BK_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}
