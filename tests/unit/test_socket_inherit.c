/* Shows what an accepted socket has of its listener's options, and what TCP_DEFER_ACCEPT keeps from accept, as the kernel has both. */
#define _GNU_SOURCE 1
#include "sockets_pair.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#define NEWER_KERNEL 1 /* older ones do not know it */

/* What is set on a listener, and what the connection says that it accepts. */
static const struct row {
    const char *name;
    int level, option, set, get;
    int flags;
} rows[] = {
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1, 1, 0},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 30000, 60000, 0},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 30000, 60000, 0},
    {"SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3, 0, 0}, /* not this one */
    {"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 7, 7, 0},
    {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1, 1, 0},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1, 1, 0},
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK, 1, 1, 0},
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 11, 11, 0},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 12, 12, 0},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 13, 13, 0},
    {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, 3, 3, 0},
    {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 20, 20, 0},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 30000, 30000, 0},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 20000, 20000, 0},
    {"TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000, 20000, 0},
    {"TCP_RTO_MAX_MS", IPPROTO_TCP, TCP_RTO_MAX_MS, 4000, 4000, NEWER_KERNEL},
    {"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, 3, 0, 0}, /* it has done its work */
    {"IP_TOS", IPPROTO_IP, IP_TOS, 16, 16, 0},
    {"IP_TTL", IPPROTO_IP, IP_TTL, 33, 33, 0},
    {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_DO, 0},
    {"IP_RECVERR", IPPROTO_IP, IP_RECVERR, 1, 1, 0},
};

/* Side 1 listens, side 0 connects; Beckon's if p is given. */
struct ends {
    struct sockets_pair *p;
    int listener, fd[2];
};

static void settle(struct ends *e) {
    if (e->p != NULL) sockets_run(e->p, 4 * PAIR_LATENCY);
}

static int set(struct ends *e, int side, int fd, int level, int option, int value) {
    if (e->p != NULL) return sockets_set(e->p, side, fd, level, option, value);
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

static int get(struct ends *e, int side, int fd, int level, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    if (e->p != NULL) return sockets_option(e->p, side, fd, level, option);
    return getsockopt(fd, level, option, &value, &length) == 0 ? value : -errno;
}

static int take(struct ends *e) {
    if (e->p != NULL) return bk_accept4(e->p->side[1], e->listener, NULL, NULL, SOCK_NONBLOCK, e->p->pair.now);
    int fd = accept4(e->listener, NULL, NULL, SOCK_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

static void send_one(struct ends *e) {
    if (e->p != NULL)
        assert_int_equal(bk_write(e->p->side[0], e->fd[0], "x", 1, e->p->pair.now), 1);
    else
        assert_int_equal(write(e->fd[0], "x", 1), 1);
    settle(e);
}

static void listen_kernel(struct ends *e) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}};
    e->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (e->listener < 0 || bind(e->listener, (void *)&in, sizeof in) != 0 || listen(e->listener, 1) != 0) skip();
}

static void connect_ends(struct ends *e) {
    struct sockaddr_storage a;
    socklen_t length = sizeof a;
    if (e->p == NULL) {
        assert_int_equal(getsockname(e->listener, (void *)&a, &length), 0);
        e->fd[0] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(e->fd[0], (void *)&a, length), 0);
        return;
    }
    length = sockets_address(e->p, 1, PAIR_PORT, &a);
    e->fd[0] = bk_socket(e->p->side[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bk_connect(e->p->side[0], e->fd[0], (void *)&a, length, e->p->pair.now), -EINPROGRESS);
    pair_collect(&e->p->pair);
    settle(e);
}

static void check(struct ends *e) {
    unsigned wrong = 0;
    bool done[sizeof rows / sizeof rows[0]];
    assert_int_equal(set(e, 1, e->listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), -EINVAL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        int error = set(e, 1, e->listener, r->level, r->option, r->set);
        done[i] = error == 0;
        if (error == 0 || (r->flags == NEWER_KERNEL && e->p == NULL && error == -ENOPROTOOPT)) continue;
        print_error("%s: set answers %d\n", r->name, error);
        wrong++;
    }
    connect_ends(e);
    assert_int_equal(take(e), -EAGAIN); /* TCP_DEFER_ACCEPT */
    send_one(e);
    e->fd[1] = take(e);
    assert_true(e->fd[1] >= 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int got = done[i] ? get(e, 1, e->fd[1], rows[i].level, rows[i].option) : rows[i].get;
        if (got == rows[i].get) continue;
        print_error("%s: the accepted socket has %d\n", rows[i].name, got);
        wrong++;
    }
    assert_int_equal(set(e, 1, e->fd[1], IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), -EINVAL);
    assert_int_equal(wrong, 0);
}

/* A wish of the moment, for one connection. */
static void quick_ack(void **state) {
    struct sockets_pair p;
    int fd[2];
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 1);
    assert_int_equal(sockets_set(&p, 1, listener, IPPROTO_TCP, TCP_QUICKACK, 1), 0);
    sockets_connect(&p, listener, fd);
    assert_int_equal(sockets_option(&p, 1, fd[1], IPPROTO_TCP, TCP_QUICKACK), 0);
    sockets_close(&p);
}

static void inherited(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    struct ends e = {.p = &p, .listener = sockets_listen(&p, 1, 1)};
    check(&e);
    sockets_close(&p);
}

static void kernel_inherited(void **state) {
    struct ends e = {0};
    (void)state;
    listen_kernel(&e);
    check(&e);
    (void)close(e.fd[0]);
    (void)close(e.fd[1]);
    (void)close(e.listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inherited),
        cmocka_unit_test(kernel_inherited),
        cmocka_unit_test(quick_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
