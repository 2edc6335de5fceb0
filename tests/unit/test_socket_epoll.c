/* Shows epoll: level- and edge-triggered, one-shot, exclusive, nested, and who is told of what; and that the kernel tells the same. */
#define _GNU_SOURCE 1
#include "socket_bench.h"

#include <string.h>
#include <unistd.h>

#define ANY_NUMBER 77

static int create(struct bench *b) {
    int fd = b->kernel ? epoll_create1(0) : bk_epoll_create1(b->p.side[0], 0);
    assert_true(fd >= 0);
    b->extra[b->extras++] = fd;
    return fd;
}

static int control(struct bench *b, int epoll, int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.u64 = ANY_NUMBER}};
    if (!b->kernel) return bk_epoll_ctl(b->p.side[0], epoll, operation, fd, &event);
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

/* What the only event says; 0: there is none. */
static uint32_t look(struct bench *b, int epoll) {
    struct epoll_event event[2] = {{0}};
    int n = b->kernel ? epoll_wait(epoll, event, 2, 0) : bk_epoll_wait(b->p.side[0], epoll, event, 2, b->p.pair.now);
    assert_true(n == 0 || n == 1);
    if (n == 1) assert_int_equal(event[0].data.u64, ANY_NUMBER);
    return n == 0 ? 0 : event[0].events;
}

static void text(struct bench *b, const char *what) {
    assert_int_equal(bench_send(b, 1, b->peer, what, 0), strlen(what));
    bench_settle(b);
}

static void take(struct bench *b, size_t n) {
    char data[16];
    assert_int_equal(bench_recv(b, 0, b->fd, data, n, 0), n);
}

static void level(struct bench *b) {
    int epoll = create(b);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, b->fd, EPOLLIN | EPOLLRDHUP), 0);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, b->fd, EPOLLIN), -EEXIST);
    assert_int_equal(look(b, epoll), 0);
    text(b, "abc");
    assert_int_equal(look(b, epoll), EPOLLIN);
    take(b, 2);
    assert_int_equal(look(b, epoll), EPOLLIN);
    take(b, 1);
    assert_int_equal(look(b, epoll), 0);
    assert_int_equal(control(b, epoll, EPOLL_CTL_MOD, b->fd, EPOLLOUT), 0);
    assert_int_equal(look(b, epoll), EPOLLOUT);
    assert_int_equal(control(b, epoll, EPOLL_CTL_MOD, b->fd, EPOLLIN | EPOLLRDHUP), 0);
    assert_int_equal(bench_shutdown(b, 1, b->peer, SHUT_WR), 0);
    bench_settle(b);
    assert_int_equal(look(b, epoll), EPOLLIN | EPOLLRDHUP);
    assert_int_equal(control(b, epoll, EPOLL_CTL_DEL, b->fd, 0), 0);
    assert_int_equal(look(b, epoll), 0);
    assert_int_equal(control(b, epoll, EPOLL_CTL_DEL, b->fd, 0), -ENOENT);
    assert_int_equal(control(b, epoll, EPOLL_CTL_MOD, b->fd, 0), -ENOENT);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, 99, 0), -EBADF);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, epoll, 0), -EINVAL);
    assert_int_equal(control(b, b->fd, EPOLL_CTL_ADD, epoll, 0), -EINVAL);
}

/* Told once for each arrival, read or not. */
static void edge(struct bench *b) {
    int epoll = create(b);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, b->fd, EPOLLIN | EPOLLOUT | EPOLLET), 0);
    assert_int_equal(look(b, epoll), EPOLLOUT);
    assert_int_equal(look(b, epoll), 0);
    text(b, "abc");
    assert_int_equal(look(b, epoll), EPOLLIN | EPOLLOUT);
    assert_int_equal(look(b, epoll), 0);
    text(b, "d");
    assert_int_equal(look(b, epoll), EPOLLIN | EPOLLOUT);
    take(b, 1);
    assert_int_equal(look(b, epoll), 0);
    assert_int_equal(control(b, epoll, EPOLL_CTL_MOD, b->fd, EPOLLIN | EPOLLET), 0);
    assert_int_equal(look(b, epoll), EPOLLIN);
    assert_int_equal(look(b, epoll), 0);
}

static void once(struct bench *b) {
    int epoll = create(b);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, b->fd, EPOLLIN | EPOLLONESHOT), 0);
    text(b, "a");
    assert_int_equal(look(b, epoll), EPOLLIN);
    text(b, "b");
    assert_int_equal(look(b, epoll), 0);
    assert_int_equal(control(b, epoll, EPOLL_CTL_MOD, b->fd, EPOLLIN | EPOLLONESHOT), 0);
    assert_int_equal(look(b, epoll), EPOLLIN);
    assert_int_equal(look(b, epoll), 0);
}

/* An end is told to whoever registered, for whatever. */
static void ends(struct bench *b) {
    int epoll = create(b);
    struct linger none = {1, 0};
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, b->fd, EPOLLPRI), 0);
    assert_int_equal(look(b, epoll), 0);
    assert_int_equal(bench_set(b, 1, b->peer, SO_LINGER, &none, sizeof none), 0);
    assert_int_equal(b->kernel ? close(b->peer) : bk_close(b->p.side[1], b->peer, b->p.pair.now), 0);
    b->peer = -1;
    bench_settle(b);
    assert_int_equal(look(b, epoll), EPOLLERR | EPOLLHUP);
}

static void nested(struct bench *b) {
    int inner = create(b), outer = create(b);
    assert_int_equal(control(b, inner, EPOLL_CTL_ADD, b->fd, EPOLLIN), 0);
    assert_int_equal(control(b, outer, EPOLL_CTL_ADD, inner, EPOLLIN), 0);
    assert_int_equal(control(b, inner, EPOLL_CTL_ADD, outer, EPOLLIN), -ELOOP);
    assert_int_equal(look(b, outer), 0);
    text(b, "a");
    assert_int_equal(look(b, outer), EPOLLIN);
    assert_int_equal(bench_poll(b, outer), POLLIN);
    take(b, 1);
    assert_int_equal(look(b, outer), 0);
    assert_int_equal(bench_poll(b, inner), 0);
}

/* A registration lives as long as the open file, not the descriptor. */
static void outlives(struct bench *b) {
    int epoll = create(b);
    int copy = b->kernel ? dup(b->fd) : bk_dup(b->p.side[0], b->fd);
    assert_true(copy > b->fd);
    assert_int_equal(control(b, epoll, EPOLL_CTL_ADD, copy, EPOLLIN), 0);
    assert_int_equal(b->kernel ? close(copy) : bk_close(b->p.side[0], copy, b->p.pair.now), 0);
    text(b, "a");
    assert_int_equal(look(b, epoll), EPOLLIN);
}

static void exclusive(struct bench *b) {
    int first = create(b), second = create(b);
    assert_int_equal(control(b, first, EPOLL_CTL_ADD, b->fd, EPOLLIN | EPOLLPRI | EPOLLEXCLUSIVE), -EINVAL);
    assert_int_equal(control(b, first, EPOLL_CTL_ADD, second, EPOLLIN | EPOLLEXCLUSIVE), -EINVAL);
    assert_int_equal(control(b, first, EPOLL_CTL_ADD, b->fd, EPOLLIN | EPOLLEXCLUSIVE), 0);
    assert_int_equal(control(b, first, EPOLL_CTL_MOD, b->fd, EPOLLIN), -EINVAL);
    assert_int_equal(control(b, second, EPOLL_CTL_ADD, b->fd, EPOLLIN | EPOLLEXCLUSIVE), 0);
    text(b, "a");
    /* Nobody sleeps in either: both are told when they look. */
    assert_int_equal(look(b, first), EPOLLIN);
    assert_int_equal(look(b, second), EPOLLIN);
}

static void on_both(void (*test)(struct bench *b)) {
    for (int kernel = 0; kernel < 2 && (!kernel || bench_has_kernel()); kernel++) {
        struct bench b;
        print_message("%s\n", kernel ? "the kernel" : "Beckon");
        bench_open(&b, kernel, STATE_CONNECTED);
        test(&b);
        bench_close(&b);
    }
}

#define TEST(name)                                                                                                     \
    static void test_##name(void **state) {                                                                            \
        (void)state;                                                                                                   \
        on_both(name);                                                                                                 \
    }
TEST(level)
TEST(edge)
TEST(once)
TEST(ends)
TEST(nested)
TEST(outlives)
TEST(exclusive)

/* Of two that sleep exclusively one is woken; a sleeper's time ends it. */
static void test_sleepers(void **state) {
    struct bench b;
    struct epoll_event event[2];
    (void)state;
    bench_open(&b, false, STATE_CONNECTED);
    int first = create(&b), second = create(&b);
    assert_int_equal(control(&b, first, EPOLL_CTL_ADD, b.fd, EPOLLIN | EPOLLEXCLUSIVE), 0);
    assert_int_equal(control(&b, second, EPOLL_CTL_ADD, b.fd, EPOLLIN | EPOLLEXCLUSIVE), 0);
    struct bk_syscall one = {.sys = BK_SYS_EPOLL_WAIT, .fd = first, .epoll = {&event[0], 1, -1}};
    struct bk_syscall two = {.sys = BK_SYS_EPOLL_WAIT, .fd = second, .epoll = {&event[1], 1, 300 * (int64_t)PAIR_MS}};
    uint64_t begun = b.p.pair.now;
    assert_false(sockets_begin(&b.p, 0, &one));
    assert_false(sockets_begin(&b.p, 0, &two));
    assert_true(one.due == BK_NEVER && two.due == begun + 300 * PAIR_MS);
    text(&b, "a");
    assert_false(sockets_waits(&b.p, 0, &one));
    assert_int_equal(one.result, 1);
    assert_int_equal(event[0].events, EPOLLIN);
    assert_true(sockets_waits(&b.p, 0, &two));
    assert_int_equal(sockets_do(&b.p, 0, &two, PAIR_S), 0);
    assert_true(b.p.pair.now == begun + 300 * PAIR_MS);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level),     cmocka_unit_test(test_edge),     cmocka_unit_test(test_once),
        cmocka_unit_test(test_ends),      cmocka_unit_test(test_nested),   cmocka_unit_test(test_outlives),
        cmocka_unit_test(test_exclusive), cmocka_unit_test(test_sleepers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
