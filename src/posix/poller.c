/* epoll and poll. See poller.h. */
#include "posix/poller.h"

#include <fcntl.h>
#include <search.h>

#include "posix/sock.h"

#define NEST_MAX      5u /* epolls within epolls */
#define EVENTS_ALWAYS ((uint32_t)(EPOLLERR | EPOLLHUP))
#define EVENTS_HOW    ((uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP))

struct poller_item {
    struct bk_file *file;
    int fd;
    uint32_t events; /* without the always ones and those that say how; 0 and disarmed: told once */
    uint32_t how;
    bool disarmed, ready;
    epoll_data_t data;
    struct poller *poller;
    struct poller_item *file_next, *file_prev;   /* the file's registrations */
    struct poller_item *ready_next, *ready_prev; /* the epoll's ready list */
    struct poller_item *next, *prev;             /* all of the epoll's */
};

struct poller {
    struct bk_file file;
    void *tree; /* of items, by (file, fd): tsearch(3) */
    struct poller_item *items;
    struct poller_item *ready, *ready_tail;
};

static struct poller *poller_of(struct bk_file *file) {
    return (struct poller *)file;
}

/* ---- the ready list -------------------------------------------------------------------------------- */

static void ready_put(struct poller *e, struct poller_item *item) {
    if (item->ready) return;
    item->ready = true;
    item->ready_next = NULL;
    item->ready_prev = e->ready_tail;
    if (e->ready_tail != NULL)
        e->ready_tail->ready_next = item;
    else
        e->ready = item;
    e->ready_tail = item;
}

static void ready_take(struct poller *e, struct poller_item *item) {
    if (!item->ready) return;
    item->ready = false;
    if (item->ready_prev != NULL)
        item->ready_prev->ready_next = item->ready_next;
    else
        e->ready = item->ready_next;
    if (item->ready_next != NULL)
        item->ready_next->ready_prev = item->ready_prev;
    else
        e->ready_tail = item->ready_prev;
}

static uint32_t item_poll(struct bk_sockets *s, const struct poller_item *item) {
    return item->disarmed ? 0 : file_poll(s, item->file) & (item->events | EVENTS_ALWAYS);
}

void poller_wake(struct bk_sockets *s, struct bk_file *file, uint32_t events) {
    bool exclusive_woken = false;
    for (struct poller_item *item = file->items; item != NULL; item = item->file_next) {
        if (item->disarmed || (events != 0 && !(events & (item->events | EVENTS_ALWAYS)))) continue;
        if ((item->how & EPOLLEXCLUSIVE) && exclusive_woken) continue;
        bool anyone = item->poller->file.waits != NULL || item->poller->file.items != NULL;
        ready_put(item->poller, item);
        if (item->how & EPOLLEXCLUSIVE) exclusive_woken = anyone;
        file_wake(s, &item->poller->file, POLLIN | POLLRDNORM);
    }
}

/* ---- registrations --------------------------------------------------------------------------------- */

static int item_compare(const void *a, const void *b) {
    const struct poller_item *x = a, *y = b;
    uintptr_t xf = (uintptr_t)x->file, yf = (uintptr_t)y->file;
    if (xf != yf) return xf < yf ? -1 : 1;
    return x->fd < y->fd ? -1 : x->fd > y->fd;
}

static struct poller_item *item_find(struct poller *e, struct bk_file *file, int fd) {
    struct poller_item key = {.file = file, .fd = fd};
    void *node = tfind(&key, &e->tree, item_compare);
    return node == NULL ? NULL : *(struct poller_item **)node;
}

static void item_free(struct poller_item *item) {
    struct poller *e = item->poller;
    ready_take(e, item);
    (void)tdelete(item, &e->tree, item_compare);
    if (item->file_prev != NULL)
        item->file_prev->file_next = item->file_next;
    else
        item->file->items = item->file_next;
    if (item->file_next != NULL) item->file_next->file_prev = item->file_prev;
    if (item->prev != NULL)
        item->prev->next = item->next;
    else
        e->items = item->next;
    if (item->next != NULL) item->next->prev = item->prev;
    free(item);
}

void poller_forget(struct bk_sockets *s, struct bk_file *file) {
    (void)s;
    while (file->items != NULL) item_free(file->items);
}

void poller_release(struct bk_sockets *s, struct bk_file *file) {
    struct poller *e = poller_of(file);
    (void)s;
    while (e->items != NULL) item_free(e->items);
}

static void item_set(struct bk_sockets *s, struct poller_item *item, const struct epoll_event *event) {
    item->how = event->events & EVENTS_HOW;
    item->events = event->events & ~EVENTS_HOW;
    item->data = event->data;
    item->disarmed = false;
    if (item->file->kind == FILE_SOCKET && (item->how & EPOLLET))
        sock_news(s, sock_of(item->file), BK_NEWS_ARRIVALS, true);
    if (item_poll(s, item) == 0) return;
    ready_put(item->poller, item);
    file_wake(s, &item->poller->file, POLLIN | POLLRDNORM);
}

/* How deep epolls are nested below `file`; beyond NEST_MAX where `top` is met: a circle. */
static unsigned nest_depth(struct bk_file *file, const struct poller *top, unsigned depth) {
    if (file->kind != FILE_POLLER || depth > NEST_MAX) return depth;
    if (poller_of(file) == top) return NEST_MAX + 1;
    unsigned deepest = depth + 1;
    for (struct poller_item *item = poller_of(file)->items; item != NULL; item = item->next) {
        unsigned d = nest_depth(item->file, top, depth + 1);
        if (d > deepest) deepest = d;
    }
    return deepest;
}

static int item_add(struct bk_sockets *s, struct poller *e, struct bk_file *file, int fd,
                    const struct epoll_event *event) {
    if (nest_depth(file, e, 0) >= NEST_MAX) return -ELOOP;
    struct poller_item *item = calloc(1, sizeof *item);
    if (item == NULL) return -ENOMEM;
    item->file = file;
    item->fd = fd;
    item->poller = e;
    if (tsearch(item, &e->tree, item_compare) == NULL) {
        free(item);
        return -ENOMEM;
    }
    /* At the ends of both lists: who came first is woken first. */
    struct poller_item *last = file->items;
    while (last != NULL && last->file_next != NULL) last = last->file_next;
    item->file_prev = last;
    if (last != NULL)
        last->file_next = item;
    else
        file->items = item;
    item->next = e->items;
    if (e->items != NULL) e->items->prev = item;
    e->items = item;
    item_set(s, item, event);
    return 0;
}

int bk_epoll_create1(struct bk_sockets *s, int flags) {
    if (flags & ~EPOLL_CLOEXEC) return -EINVAL;
    struct bk_file *file = file_new(sizeof(struct poller), FILE_POLLER, O_RDWR);
    if (file == NULL) return -ENOMEM;
    int fd = descriptor_new(s, file, s->first, (flags & EPOLL_CLOEXEC) != 0);
    if (fd < 0) free(file);
    return fd;
}

int bk_epoll_ctl(struct bk_sockets *s, int epoll, int operation, int fd, const struct epoll_event *event) {
    const uint32_t with_exclusive = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
    bool has_event = operation != EPOLL_CTL_DEL;
    if (has_event && !memory_good(s, event, sizeof *event, false)) return -EFAULT;
    struct bk_file *at = descriptor_file(s, epoll), *file = descriptor_file(s, fd);
    if (at == NULL || file == NULL) return -EBADF;
    if (file->kind == FILE_BYTES) return -EPERM;
    if (at == file || at->kind != FILE_POLLER) return -EINVAL;
    struct poller *e = poller_of(at);
    if (has_event && (event->events & EPOLLEXCLUSIVE)) {
        if (operation == EPOLL_CTL_MOD || (event->events & ~with_exclusive)) return -EINVAL;
        if (file->kind == FILE_POLLER) return -EINVAL;
    }
    struct poller_item *item = item_find(e, file, fd);
    switch (operation) {
    case EPOLL_CTL_ADD:
        return item != NULL ? -EEXIST : item_add(s, e, file, fd, event);
    case EPOLL_CTL_MOD:
        if (item == NULL) return -ENOENT;
        if (item->how & EPOLLEXCLUSIVE) return -EINVAL;
        item_set(s, item, event);
        return 0;
    case EPOLL_CTL_DEL:
        if (item == NULL) return -ENOENT;
        item_free(item);
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- waiting --------------------------------------------------------------------------------------- */

uint32_t poller_poll(struct bk_sockets *s, struct bk_file *file) {
    struct poller *e = poller_of(file);
    while (e->ready != NULL) {
        if (item_poll(s, e->ready) != 0) return POLLIN | POLLRDNORM;
        ready_take(e, e->ready); /* what made it ready is over */
    }
    return 0;
}

/* Takes up to n events. Each item is asked once a call, so one that stays ready is told once. */
static int harvest(struct bk_sockets *s, struct poller *e, struct epoll_event *events, int n) {
    struct poller_item *stop = NULL; /* the first that was put back */
    int count = 0;
    while (e->ready != NULL && e->ready != stop && count < n) {
        struct poller_item *item = e->ready;
        uint32_t mask = item_poll(s, item);
        ready_take(e, item);
        if (mask == 0) continue;
        events[count].events = mask;
        events[count++].data = item->data;
        if (item->how & EPOLLONESHOT) {
            item->disarmed = true;
        } else if (!(item->how & EPOLLET)) {
            ready_put(e, item);
            if (stop == NULL) stop = item;
        }
    }
    return count;
}

int64_t poller_wait_step(struct step *p) {
    struct epoll_event *events = p->call->epoll.events;
    int n = p->call->epoll.count;
    if (p->file->kind != FILE_POLLER || n <= 0) return -EINVAL;
    if (!memory_good(p->s, events, (size_t)n * sizeof *events, true)) return -EFAULT;
    int count = harvest(p->s, poller_of(p->file), events, n);
    int64_t timeout = p->call->epoll.timeout;
    if (count != 0 || timeout == 0 || p->at_once) return count;
    return step_wait(p, p->file, POLLIN | POLLRDNORM, timeout < 0 ? BK_NEVER : (uint64_t)timeout, 0);
}

/* ---- poll ------------------------------------------------------------------------------------------ */

/* poll waits for many files at once: a wait for each. */
int64_t poll_step(struct step *p) {
    struct pollfd *fds = p->call->poll.fds;
    nfds_t n = p->call->poll.count;
    int64_t timeout = p->call->poll.timeout, ready = 0;
    if (n > (nfds_t)p->s->config.descriptors) return -EINVAL;
    if (!memory_good(p->s, fds, n * sizeof *fds, true)) return -EFAULT;
    for (nfds_t i = 0; i < n; i++) {
        struct bk_file *file = descriptor_file(p->s, fds[i].fd);
        uint32_t mask = 0;
        if (fds[i].fd >= 0)
            mask = file == NULL ? POLLNVAL
                                : file_poll(p->s, file) & ((uint32_t)(uint16_t)fds[i].events | POLLERR | POLLHUP);
        fds[i].revents = (short)mask;
        ready += mask != 0;
    }
    if (ready != 0 || timeout == 0 || p->at_once) return ready;
    if (p->call->progress.until == 0) p->call->progress.until = timeout < 0 ? BK_NEVER : p->now + (uint64_t)timeout;
    if (p->now >= p->call->progress.until) return 0;
    if (call_reserve(p->call, n == 0 ? 1 : n) != 0) return -ENOMEM;
    for (nfds_t i = 0; i < n; i++) {
        struct bk_file *file = descriptor_file(p->s, fds[i].fd);
        if (file == NULL) continue;
        call_wait(p->call, i, file, (uint32_t)(uint16_t)fds[i].events, false);
    }
    return STEP_WAITS;
}
