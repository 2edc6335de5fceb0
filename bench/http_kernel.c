/* The kernel's sockets under the HTTP server; see http_kernel.h.
 *
 * A handle's index is the descriptor, its generation is 0. epoll is asked edge-triggered, once for each connection when
 * it is accepted, so that what it reports means what the stack's events mean. An event may be for a descriptor that was
 * closed and given out again in the same round: then the server looks at the new connection once for nothing.
 */
#define _GNU_SOURCE 1
#include "http_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "kernel.h"

#define HTTP_KERNEL_EVENTS  64
#define HTTP_KERNEL_WAIT_MS 10
#define HTTP_KERNEL_FD_BITS 32

static int http_kernel_accept(void *context, uint64_t user, uint64_t now, bk_conn *out) {
    struct http_kernel *k = context;
    (void)now;
    int fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return -errno;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = user << HTTP_KERNEL_FD_BITS | (uint32_t)fd};
    if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *out = (bk_conn){.index = (uint32_t)fd};
    return 0;
}

static ptrdiff_t http_kernel_receive(void *context, bk_conn conn, void *data, size_t size, uint64_t now) {
    (void)context;
    (void)now;
    ssize_t n = recv((int)conn.index, data, size, 0);
    return n < 0 ? -errno : n;
}

static ptrdiff_t http_kernel_send(void *context, bk_conn conn, const void *data, size_t length, bool more,
                                  uint64_t now) {
    (void)context;
    (void)now;
    ssize_t n = send((int)conn.index, data, length, more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static void http_kernel_shutdown(void *context, bk_conn conn, uint64_t now) {
    (void)context;
    (void)now;
    shutdown((int)conn.index, SHUT_WR);
}

static void http_kernel_let_go(void *context, bk_conn conn, uint64_t now) {
    (void)context;
    (void)now;
    close((int)conn.index);
}

static void http_kernel_abort(void *context, bk_conn conn, uint64_t now) {
    const struct linger none = {.l_onoff = 1};
    setsockopt((int)conn.index, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    http_kernel_let_go(context, conn, now);
}

static void http_kernel_unlisten(void *context, uint64_t now) {
    struct http_kernel *k = context;
    (void)now;
    close(k->listener);
    k->listener = -1;
}

static const struct http_transport http_kernel_transport = {
    .accept = http_kernel_accept,
    .receive = http_kernel_receive,
    .send = http_kernel_send,
    .shutdown = http_kernel_shutdown,
    .close = http_kernel_let_go,
    .abort = http_kernel_abort,
    .unlisten = http_kernel_unlisten,
};

int http_kernel_open(struct http_kernel *k, const struct netns *ns, const struct http_site *site,
                     struct bench_run *run) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0};
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    k->listener = kernel_listen(ns, KERNEL_PORT, HTTP_SERVER_BACKLOG);
    http_server_start_on(&k->server, &http_kernel_transport, k, site);
    if (k->listener < 0) return bench_fail(run, "the kernel's listening socket: %s", strerror(-k->listener));
    if (fcntl(k->listener, F_SETFL, O_NONBLOCK) < 0 || k->epoll < 0 ||
        epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->listener, &event) < 0)
        return bench_fail(run, "epoll: %s", strerror(errno));
    return 0;
}

int http_kernel_turn(struct http_kernel *k, struct bench_run *run) {
    struct epoll_event events[HTTP_KERNEL_EVENTS];
    int n = epoll_wait(k->epoll, events, HTTP_KERNEL_EVENTS, HTTP_KERNEL_WAIT_MS);
    if (n < 0 && errno != EINTR) return bench_fail(run, "epoll: %s", strerror(errno));
    uint64_t now = bk_link_clock();
    for (int i = 0; i < n; i++) {
        uint64_t data = events[i].data.u64;
        const struct bk_ready event = {.what = BK_READY_READABLE | BK_READY_WRITABLE,
                                       .listener = data == 0,
                                       .index = (uint32_t)data,
                                       .user = data >> HTTP_KERNEL_FD_BITS};
        http_server_ready(&k->server, &event, now);
    }
    http_server_advance(&k->server, now);
    return 0;
}

void http_kernel_close(struct http_kernel *k) {
    if (k->listener >= 0) http_server_stop(&k->server, bk_link_clock());
    if (k->epoll >= 0) close(k->epoll);
    k->epoll = -1;
}
