/* The loop around a link and its stacks; see run_loop.h.
 *
 * One round: pump the link, hand readiness events out, let timers of the program's own fire, and go round again while any of
 * that did something; only then sleep. User calls made while events are handed out leave segments behind that only a
 * pump puts on the wire, hence the repetition. A round without progress ends in ppoll, so a busy link cannot starve the
 * descriptors: they are also looked at, without sleeping, every RUN_LOOP_TURNS turns.
 */
#define _GNU_SOURCE 1
#include "cmd/run_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"

#define RUN_LOOP_TURNS  16u
#define RUN_LOOP_EVENTS 64u
#define RUN_LOOP_OWN    3u /* descriptors that are no watches: signals, the link, its group */

static void run_loop_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void run_loop_begin(struct run_loop *l) {
    memset(l, 0, sizeof *l);
    for (size_t i = 0; i < RUN_LOOP_WATCHES; i++) l->watch[i].fd = -1;
    l->signal_fd = -1;
}

int run_loop_open(struct run_loop *l) {
    run_loop_begin(l);
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error return, not the end */
    sigset_t set;
    run_loop_signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signal_fd >= 0) return 0;
    int error = errno;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return -error;
}

void run_loop_close(struct run_loop *l) {
    if (l->signal_fd < 0) return;
    /* A signal that came after the last round asks for an end that is being made already. */
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) l->signal = (int)info.ssi_signo;
    close(l->signal_fd);
    l->signal_fd = -1;
    sigset_t set;
    run_loop_signals(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool run_loop_watch_add(struct run_loop *l, int fd, short events,
                        void (*fire)(void *context, short revents, uint64_t now), void *context) {
    for (size_t i = 0; i < RUN_LOOP_WATCHES; i++) {
        if (l->watch[i].fd >= 0) continue;
        l->watch[i] = (struct run_loop_watch){.fd = fd, .events = events, .fire = fire, .context = context};
        return true;
    }
    return false;
}

static struct run_loop_watch *run_loop_watch_find(struct run_loop *l, int fd) {
    for (size_t i = 0; i < RUN_LOOP_WATCHES; i++)
        if (l->watch[i].fd == fd) return &l->watch[i];
    return NULL;
}

void run_loop_watch_remove(struct run_loop *l, int fd) {
    struct run_loop_watch *w = run_loop_watch_find(l, fd);
    if (w && fd >= 0) w->fd = -1;
}

void run_loop_watch_events(struct run_loop *l, int fd, short events) {
    struct run_loop_watch *w = run_loop_watch_find(l, fd);
    if (w && fd >= 0) w->events = events;
}

/* Everything that needs no sleep. Returns how much happened, or the link's error. */
static int run_loop_turn(struct run_loop *l) {
    uint64_t now = bk_link_clock();
    int moved = bk_link_pump(l->link, now);
    if (moved < 0) return moved;
    for (uint32_t i = 0; i < l->stack_count; i++) {
        struct run_loop_stack *s = &l->stack[i];
        struct bk_ready events[RUN_LOOP_EVENTS];
        size_t n = bk_ready_poll(s->stack, events, RUN_LOOP_EVENTS);
        for (size_t k = 0; k < n; k++) s->ready(s->context, &events[k], now);
        moved += (int)n;
        if (s->deadline && s->deadline(s->context) <= now) {
            s->advance(s->context, now);
            moved++;
        }
    }
    if (l->after) l->after(l->after_context, now);
    return moved;
}

static uint64_t run_loop_deadline(const struct run_loop *l, uint64_t end) {
    uint64_t due = u64_min(end, bk_link_next_deadline(l->link));
    for (uint32_t i = 0; i < l->stack_count; i++) {
        const struct run_loop_stack *s = &l->stack[i];
        due = u64_min(due, bk_next_deadline(s->stack));
        if (s->deadline) due = u64_min(due, s->deadline(s->context));
    }
    return due;
}

/* Looks at the descriptors, sleeping until one is ready or until `due`; due 0: not at all. The three that are always there may be -1, which
 * poll passes over. */
static int run_loop_poll(struct run_loop *l, uint64_t due) {
    struct pollfd fds[RUN_LOOP_WATCHES + RUN_LOOP_OWN];
    struct run_loop_watch *of[RUN_LOOP_WATCHES + RUN_LOOP_OWN] = {NULL};
    nfds_t n = 0;
    fds[n++] = (struct pollfd){.fd = l->signal_fd, .events = POLLIN};
    short link_events = (short)(POLLIN | (bk_link_wants_write(l->link) ? POLLOUT : 0));
    fds[n++] = (struct pollfd){.fd = bk_link_fd(l->link), .events = link_events};
    fds[n++] = (struct pollfd){.fd = bk_link_wake_fd(l->link), .events = POLLIN};
    for (size_t i = 0; i < RUN_LOOP_WATCHES; i++) {
        struct run_loop_watch *w = &l->watch[i];
        if (w->fd < 0) continue;
        of[n] = w;
        fds[n++] = (struct pollfd){.fd = w->fd, .events = w->events};
    }
    uint64_t now = bk_link_clock(), wait = due > now ? due - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / NS_PER_S), .tv_nsec = (long)(wait % NS_PER_S)};
    if (ppoll(fds, n, due == BK_NEVER ? NULL : &timeout, NULL) < 0) return errno == EINTR ? 0 : -errno;
    struct signalfd_siginfo info;
    if (fds[0].revents && read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        l->signal = (int)info.ssi_signo;
        l->done = true;
    }
    now = bk_link_clock();
    for (nfds_t i = RUN_LOOP_OWN; i < n; i++) /* One that fired before may have removed or replaced this one. */
        if (fds[i].revents && of[i]->fd == fds[i].fd) of[i]->fire(of[i]->context, fds[i].revents, now);
    return 0;
}

int run_loop_until(struct run_loop *l, uint64_t end) {
    l->done = l->signal != 0;
    /* The last round begins at `end` or later, so that what is due by then has happened. */
    while (!l->done) {
        bool last = bk_link_clock() >= end;
        int moved = 0;
        for (uint32_t turn = 0; turn < RUN_LOOP_TURNS && !l->done; turn++) {
            moved = run_loop_turn(l);
            if (moved < 0) return moved;
            if (moved == 0 && !bk_link_busy(l->link)) break;
        }
        if (l->done || last) break;
        bool idle = moved == 0 && !bk_link_busy(l->link);
        int r = run_loop_poll(l, idle ? run_loop_deadline(l, end) : 0);
        if (r < 0) return r;
    }
    return 0;
}
