/* poll and epoll: lists of events, before and after. */
#include <string.h>

#include "base/common.h"
#include "lab/script_call.h"

/* ---- poll ------------------------------------------------------------------------------------------ */

static bool script_begin_poll(struct script_run *r, struct script_pending *p) {
    int64_t count, timeout, events;
    size_t n = 0;
    if (p->argument[0]->kind != SCRIPT_LIST)
        return script_bad_argument(r, p->argument[0], "[{fd=, events=, revents=}]");
    if (!script_value(r, p->argument[1], &count) || !script_value(r, p->argument[2], &timeout)) return false;
    for (const struct script_expr *e = p->argument[0]->children; e != NULL && n < SCRIPT_CALL_ROOM; e = e->next, n++) {
        const struct script_expr *fd = script_field_of(e, "fd"), *wanted = script_field_of(e, "events");
        if (fd == NULL || wanted == NULL) return script_bad_argument(r, e, "{fd=, events=, revents=}");
        if (!script_fd(r, fd->value, &p->poll[n].fd) || !script_value(r, wanted->value, &events)) return false;
        p->poll[n].events = (short)events;
    }
    p->may_wait = true;
    p->syscall.sys = BK_SYS_POLL;
    p->syscall.poll.fds = p->poll;
    p->syscall.poll.count = (nfds_t)(count < (int64_t)n ? count : (int64_t)n);
    p->syscall.poll.timeout = timeout < 0 ? -1 : timeout * (int64_t)NS_PER_MS;
    return true;
}

static bool script_end_poll(struct script_run *r, struct script_pending *p) {
    size_t n = 0;
    for (const struct script_expr *e = p->argument[0]->children; e != NULL && n < SCRIPT_CALL_ROOM; e = e->next, n++) {
        const struct script_expr *got = script_field_of(e, "revents");
        if (got != NULL && !script_same_value(r, "revents", got->value, (uint16_t)p->poll[n].revents)) return false;
    }
    return true;
}

/* ---- epoll ----------------------------------------------------------------------------------------- */

/* The user's word of an event; whatever it is called, it is 64 bits that come back as they are. */
static bool script_epoll_data(struct script_run *r, const struct script_expr *e, int64_t *out) {
    static const char *const names[] = {"fd", "ptr", "u32", "u64"};
    for (size_t i = 0; i < BK_COUNT(names); i++) {
        const struct script_expr *f = script_field_of(e, names[i]);
        if (f != NULL) return script_value(r, f->value, out);
    }
    *out = 0;
    return true;
}

static bool script_begin_epoll_ctl(struct script_run *r, struct script_pending *p) {
    int epoll, fd;
    int64_t operation, events = 0, data = 0;
    struct epoll_event event = {0};
    const struct script_expr *e = p->count > 3 ? p->argument[3] : NULL;
    const struct script_expr *wanted = script_field_of(e, "events");
    if (!script_fd(r, p->argument[0], &epoll) || !script_value(r, p->argument[1], &operation) ||
        !script_fd(r, p->argument[2], &fd))
        return false;
    if (wanted != NULL && (!script_value(r, wanted->value, &events) || !script_epoll_data(r, e, &data))) return false;
    event.events = (uint32_t)events;
    event.data.u64 = (uint64_t)data;
    p->result = bk_epoll_ctl(r->sockets, epoll, (int)operation, fd, wanted != NULL ? &event : NULL);
    return true;
}

static bool script_begin_epoll_wait(struct script_run *r, struct script_pending *p) {
    int64_t count, timeout;
    if (!script_value(r, p->argument[2], &count) || !script_value(r, p->argument[3], &timeout) ||
        !script_fd(r, p->argument[0], &p->syscall.fd))
        return false;
    p->may_wait = true;
    p->syscall.sys = BK_SYS_EPOLL_WAIT;
    p->syscall.epoll.events = p->epoll;
    p->syscall.epoll.count = (int)(count < SCRIPT_CALL_ROOM ? count : SCRIPT_CALL_ROOM);
    p->syscall.epoll.timeout = timeout < 0 ? -1 : timeout * (int64_t)NS_PER_MS;
    return true;
}

static bool script_end_epoll_wait(struct script_run *r, struct script_pending *p) {
    const struct script_expr *list = p->argument[1];
    const struct script_expr *e = list->kind == SCRIPT_LIST ? list->children : list;
    for (int64_t n = 0; n < p->result && e != NULL && e->kind == SCRIPT_STRUCT; n++, e = e->next) {
        const struct script_expr *got = script_field_of(e, "events");
        int64_t data;
        if (got != NULL && !script_same_value(r, "events", got->value, p->epoll[n].events)) return false;
        if (!script_epoll_data(r, e, &data)) return false;
        if ((uint64_t)data != p->epoll[n].data.u64) return script_fail(r, "epoll_wait: another descriptor's event");
        if (list->kind != SCRIPT_LIST) break;
    }
    return true;
}

const struct script_call_kind *script_call_waiting(const char *name) {
    static const struct script_call_kind kinds[] = {
        {"poll", 3, 3, script_begin_poll, script_end_poll},
        {"epoll_ctl", 3, 4, script_begin_epoll_ctl, NULL},
        {"epoll_wait", 4, 4, script_begin_epoll_wait, script_end_epoll_wait},
    };
    for (size_t i = 0; i < BK_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}
