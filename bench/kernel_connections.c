/* Handshake, one byte, one byte back, four-way close, again: on the kernel's sockets; see kernel_connections.h.
 *
 * As in `connections`, the client closes first, as soon as it has the answer, and has the TIME-WAITs, all of them: its
 * kernel has no bound that would be reached. Ports are no matter, because the server listens at so many.
 */
#define _GNU_SOURCE 1
#include "kernel_connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "kernel.h"

#define KC_LISTENERS 16u
#define KC_BACKLOG   1024
#define KC_EVENTS    64
#define KC_WAIT_MS   10000

enum kc_role { KC_LISTENER, KC_SERVER, KC_CONNECTING, KC_CLIENT };

struct kc {
    const struct kernel_connections_options *o;
    struct bench_run *run;
    int epoll, listener[KC_LISTENERS];
    uint64_t to_start, started, answered;
};

static int kc_fail(struct kc *k, const char *what) {
    return bench_fail(k->run, "the kernel's connection %llu: %s: %s", (unsigned long long)k->answered, what,
                      strerror(errno));
}

static int kc_watch(struct kc *k, int operation, int fd, uint32_t events, enum kc_role role) {
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)role << 32 | (uint32_t)fd};
    return epoll_ctl(k->epoll, operation, fd, &event) == 0 ? 0 : kc_fail(k, "epoll");
}

/* The process must be inside the client's namespace. */
static int kc_start(struct kc *k) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(KERNEL_PORT + k->started % KC_LISTENERS))};
    memcpy(&to.sin_addr, k->o->to.byte + 12, 4);
    k->started++;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return kc_fail(k, "socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS)
        return kc_watch(k, EPOLL_CTL_ADD, fd, EPOLLOUT, KC_CONNECTING);
    kc_fail(k, "connect");
    close(fd);
    return -1;
}

static int kc_accept(struct kc *k, int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        if (kc_watch(k, EPOLL_CTL_ADD, fd, EPOLLIN, KC_SERVER) < 0) return -1;
    return errno == EAGAIN ? 0 : kc_fail(k, "accept");
}

/* Answers the byte with its complement, or closes after the client has. */
static int kc_serve(struct kc *k, int fd) {
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n == 0) {
        close(fd);
        return 0;
    }
    byte = (uint8_t)~byte;
    return n == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : kc_fail(k, "answering");
}

static int kc_connected(struct kc *k, int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    const uint8_t byte = 0x55;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || (errno = error) != 0) return kc_fail(k, "connect");
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) return kc_fail(k, "sending");
    return kc_watch(k, EPOLL_CTL_MOD, fd, EPOLLIN, KC_CLIENT);
}

static int kc_answered(struct kc *k, int fd) {
    uint8_t byte = 0;
    if (recv(fd, &byte, 1, 0) != 1 || byte != 0xaa) return kc_fail(k, "the answer");
    close(fd);
    k->answered++;
    return k->started < k->to_start ? kc_start(k) : 0;
}

static int kc_event(struct kc *k, const struct epoll_event *event) {
    int fd = (int)(uint32_t)event->data.u64;
    switch ((enum kc_role)(event->data.u64 >> 32)) {
    case KC_LISTENER:
        return kc_accept(k, fd);
    case KC_SERVER:
        return kc_serve(k, fd);
    case KC_CONNECTING:
        return kc_connected(k, fd);
    case KC_CLIENT:
        return kc_answered(k, fd);
    }
    return 0;
}

/* Goes on until `count` more connections have been answered. */
static int kc_pass(struct kc *k, uint64_t count) {
    k->to_start = k->started + count;
    for (uint32_t i = 0; i < k->o->at_once && k->started < k->to_start; i++)
        if (kc_start(k) < 0) return -1;
    while (k->answered < k->to_start) {
        struct epoll_event events[KC_EVENTS];
        int n = epoll_wait(k->epoll, events, KC_EVENTS, KC_WAIT_MS);
        if (n <= 0 && errno != EINTR) return kc_fail(k, "nothing happens any more");
        for (int i = 0; i < n; i++)
            if (kc_event(k, &events[i]) < 0) return -1;
    }
    return 0;
}

static int kc_listen(struct kc *k) {
    for (uint32_t i = 0; i < KC_LISTENERS; i++) {
        int fd = k->listener[i] = kernel_listen(k->o->server, (uint16_t)(KERNEL_PORT + i), KC_BACKLOG);
        if (fd < 0) return bench_fail(k->run, "the kernel's listening socket: %s", strerror(-fd));
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) return kc_fail(k, "listening");
        if (kc_watch(k, EPOLL_CTL_ADD, fd, EPOLLIN, KC_LISTENER) < 0) return -1;
    }
    return 0;
}

int kernel_connections(const struct kernel_connections_options *options, double *seconds, struct bench_run *run) {
    struct kc k = {.o = options, .run = run, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    for (uint32_t i = 0; i < KC_LISTENERS; i++) k.listener[i] = -1;
    int r = kc_listen(&k);
    if (r == 0 && netns_enter(options->client) < 0) r = bench_fail(run, "the client's namespace cannot be entered");
    if (r == 0) r = kc_pass(&k, options->at_once); /* neighbours are known from here on */
    uint64_t start = bk_link_clock();
    if (r == 0) r = kc_pass(&k, options->count);
    *seconds = (double)(bk_link_clock() - start) * 1e-9;
    netns_leave(options->client);
    for (uint32_t i = 0; i < KC_LISTENERS; i++)
        if (k.listener[i] >= 0) close(k.listener[i]);
    if (k.epoll >= 0) close(k.epoll);
    return r;
}
