/* Shows who may hold which port beside whom, as the kernel has it, and how ports come and go. */
#define _GNU_SOURCE 1
#include "socket_bench.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

enum where { ANY4, HERE4, OTHER4, ANY6, ANY6_ONLY, HERE6, MAPPED }; /* OTHER4 is not local */

/* Two sockets of one port. */
static const struct row {
    const char *name;
    enum where first;
    bool first_reuse, first_listens;
    enum where second;
    bool second_reuse;
    int bind, listen; /* what the second is answered */
} rows[] = {
    {"the same address", HERE4, false, false, HERE4, false, -EADDRINUSE, 0},
    {"the same address, only one would share", HERE4, true, false, HERE4, false, -EADDRINUSE, 0},
    {"the same address, the other would share", HERE4, false, false, HERE4, true, -EADDRINUSE, 0},
    {"the same address, shared", HERE4, true, false, HERE4, true, 0, 0},
    {"the same address, shared with a listener", HERE4, true, true, HERE4, true, -EADDRINUSE, 0},
    {"any and one", ANY4, false, false, HERE4, false, -EADDRINUSE, 0},
    {"one and any", HERE4, false, false, ANY4, false, -EADDRINUSE, 0},
    {"any listens, shared", ANY4, true, true, HERE4, true, -EADDRINUSE, 0},
    {"any of both families and IPv4", ANY6, false, false, HERE4, false, -EADDRINUSE, 0},
    {"IPv4 and any of both families", ANY4, false, false, ANY6, false, -EADDRINUSE, 0},
    {"any of IPv6 only and any of IPv4", ANY6_ONLY, false, true, ANY4, false, 0, 0},
    {"any of IPv4 and any of IPv6 only", ANY4, false, true, ANY6_ONLY, false, 0, 0},
    {"any of both families and one of IPv6", ANY6, false, false, HERE6, false, -EADDRINUSE, 0},
    {"one of IPv6 and one of IPv4", HERE6, false, true, HERE4, false, 0, 0},
    {"mapped and IPv4", MAPPED, false, false, HERE4, false, -EADDRINUSE, 0},
    {"one of IPv6 and a mapped one", HERE6, false, true, MAPPED, false, 0, 0},
};

static int new_socket(struct bench *b, enum where where, bool reuse) {
    int domain = where == ANY4 || where == HERE4 || where == OTHER4 ? AF_INET : AF_INET6, on = 1;
    int fd = b->kernel ? socket(domain, SOCK_STREAM, 0) : bk_socket(b->p.side[0], domain, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (reuse) assert_int_equal(bench_set(b, 0, fd, SO_REUSEADDR, &on, sizeof on), 0);
    if (where == ANY6_ONLY && b->kernel) assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    if (where == ANY6_ONLY && !b->kernel) assert_int_equal(sockets_set(&b->p, 0, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    return fd;
}

static int bind_at(struct bench *b, int fd, enum where where, uint16_t port) {
    static const char *const text[] = {"0.0.0.0", "127.0.0.1", "192.0.2.9", "::", "::", "::1", "::ffff:127.0.0.1"};
    static const char *const ours[] = {
        "0.0.0.0", "192.0.2.1", "192.0.2.9", "::", "::", "2001:db8::1", "::ffff:192.0.2.1"};
    const char *name = b->kernel ? text[where] : ours[where];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool ipv6 = inet_pton(AF_INET6, name, &in6.sin6_addr) == 1;
    if (!ipv6) assert_int_equal(inet_pton(AF_INET, name, &in.sin_addr), 1);
    const struct sockaddr *a = ipv6 ? (void *)&in6 : (void *)&in;
    socklen_t length = ipv6 ? sizeof in6 : sizeof in;
    if (!b->kernel) return bk_bind(b->p.side[0], fd, a, length, b->p.pair.now);
    return bind(fd, a, length) < 0 ? -errno : 0;
}

static int listen_on(struct bench *b, int fd) {
    if (!b->kernel) return bk_listen(b->p.side[0], fd, 5, b->p.pair.now);
    return listen(fd, 5) < 0 ? -errno : 0;
}

static uint16_t port_of(struct bench *b, int fd) {
    struct sockaddr_in6 a = {0};
    socklen_t length = sizeof a;
    int error =
        b->kernel ? getsockname(fd, (void *)&a, &length) : bk_getsockname(b->p.side[0], fd, (void *)&a, &length);
    assert_int_equal(error, 0);
    return ntohs(a.sin6_port); /* at the same place in both forms */
}

static void close_one(struct bench *b, int fd) {
    if (b->kernel)
        (void)close(fd);
    else
        assert_int_equal(bk_close(b->p.side[0], fd, b->p.pair.now), 0);
}

static unsigned check(const struct row *r, bool kernel) {
    struct bench b;
    bench_open(&b, kernel, STATE_FRESH);
    bk_addr here;
    if (!kernel) {
        assert_int_equal(bk_addr_parse("2001:db8::1", &here), 0);
        assert_int_equal(bk_iface_address_add(b.p.pair.side[0].stack, 0, &here, 64, true, b.p.pair.now), 0);
    }
    int first = new_socket(&b, r->first, r->first_reuse), second = new_socket(&b, r->second, r->second_reuse);
    assert_int_equal(bind_at(&b, first, r->first, 0), 0);
    if (r->first_listens) assert_int_equal(listen_on(&b, first), 0);
    int bound = bind_at(&b, second, r->second, port_of(&b, first)), listens = 0;
    if (bound == 0) {
        listens = listen_on(&b, second);
        /* Of two that share only one can listen. */
        if (!r->first_listens && listens == 0) listens = listen_on(&b, first) == -EADDRINUSE ? 0 : 1;
    }
    close_one(&b, first);
    close_one(&b, second);
    bench_close(&b);
    if (bound == r->bind && listens == r->listen) return 0;
    print_error("%s, %s: bind %d, listen %d\n", kernel ? "kernel" : "Beckon", r->name, bound, listens);
    return 1;
}

static void test_conflicts(void **state) {
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) wrong += check(&rows[i], false);
    assert_int_equal(wrong, 0);
}

static void test_kernel_conflicts(void **state) {
    unsigned wrong = 0;
    (void)state;
    if (!bench_has_kernel()) skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* Another process may have the port at another address, by chance: then another port tells. */
        bool good = false;
        for (int port = 0; port < 5 && !good; port++) good = check(&rows[i], true) == 0;
        wrong += !good;
    }
    assert_int_equal(wrong, 0);
}

/* Addresses that are not local, arguments that are no addresses. */
static void one_of(struct bench *b) {
    int fd = new_socket(b, OTHER4, false), on = 1;
    assert_int_equal(bind_at(b, fd, OTHER4, 0), -EADDRNOTAVAIL);
    assert_int_equal(bind_at(b, fd, HERE6, 0), -EAFNOSUPPORT);
    if (b->kernel)
        assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on), 0);
    else
        assert_int_equal(sockets_set(&b->p, 0, fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
    assert_int_equal(bind_at(b, fd, OTHER4, 0), 0);
    uint16_t port = port_of(b, fd);
    assert_int_not_equal(port, 0);
    assert_int_equal(bind_at(b, fd, HERE4, 0), -EINVAL);
    assert_int_equal(listen_on(b, fd), 0);
    assert_int_equal(listen_on(b, fd), 0);
    close_one(b, fd);
    /* The port is free again. */
    fd = new_socket(b, HERE4, false);
    assert_int_equal(bind_at(b, fd, HERE4, port), 0);
    close_one(b, fd);
    /* A listener that never was bound has a port nevertheless. */
    fd = new_socket(b, ANY4, false);
    assert_int_equal(port_of(b, fd), 0);
    assert_int_equal(listen_on(b, fd), 0);
    assert_int_not_equal(port_of(b, fd), 0);
    /* Shut down for reading it listens no longer, and is still bound. */
    port = port_of(b, fd);
    assert_int_equal(bench_shutdown(b, 0, fd, SHUT_RD), 0);
    assert_int_equal(listen_on(b, fd), 0);
    close_one(b, fd);
    (void)port;
    /* Only IPv6: no mapped address. */
    fd = new_socket(b, ANY6_ONLY, false);
    assert_int_equal(bind_at(b, fd, MAPPED, 0), -EINVAL);
    assert_int_equal(bind_at(b, fd, HERE4, 0), -EINVAL); /* too short for an IPv6 address */
    close_one(b, fd);
}

static void test_one(void **state) {
    (void)state;
    for (int kernel = 0; kernel < 2 && (!kernel || bench_has_kernel()); kernel++) {
        struct bench b;
        bench_open(&b, kernel, STATE_FRESH);
        one_of(&b);
        bench_close(&b);
    }
}

/* A server restarts on its port while connections of its predecessor live: with SO_REUSEADDR. */
static void test_restart(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 5), fd[2];
    sockets_connect(&p, listener, fd);
    assert_int_equal(bk_close(p.side[1], listener, p.pair.now), 0);
    struct sockaddr_storage a;
    socklen_t length = sockets_address(&p, 1, PAIR_PORT, &a);
    int other = bk_socket(p.side[1], AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bk_bind(p.side[1], other, (struct sockaddr *)&a, length, p.pair.now), -EADDRINUSE);
    assert_int_equal(sockets_set(&p, 1, other, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bk_bind(p.side[1], other, (struct sockaddr *)&a, length, p.pair.now), 0);
    assert_int_equal(bk_listen(p.side[1], other, 5, p.pair.now), 0);
    int again[2];
    sockets_connect(&p, other, again);
    sockets_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_kernel_conflicts),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
