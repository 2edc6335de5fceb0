/* Shows what calls wait for, for how long, and who is woken. */
#define _GNU_SOURCE 1
#include "sockets_pair.h"

#include <fcntl.h>
#include <string.h>
#include <sys/time.h>

static void set_blocking(struct sockets_pair *p, int side, int fd) {
    assert_int_equal(bk_fcntl(p->side[side], fd, F_SETFL, O_RDWR), 0);
}

static void set_time(struct sockets_pair *p, int side, int fd, int option, unsigned ms) {
    struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};
    assert_int_equal(bk_setsockopt(p->side[side], fd, SOL_SOCKET, option, &tv, sizeof tv, p->pair.now), 0);
}

static void test_blocking_accept_and_connect(void **state) {
    struct sockets_pair p;
    struct sockaddr_storage a, from;
    socklen_t length = sizeof from;
    (void)state;
    sockets_open(&p, 6);
    int listener = sockets_listen(&p, 1, 5);
    set_blocking(&p, 1, listener);
    struct bk_syscall accepts = {
        .sys = BK_SYS_ACCEPT, .fd = listener, .accept = {(struct sockaddr *)&from, &length, 0}};
    assert_false(sockets_begin(&p, 1, &accepts));
    assert_true(accepts.due == BK_NEVER);
    int fd = bk_socket(p.side[0], AF_INET6, SOCK_STREAM, 0);
    struct bk_syscall connects = {.sys = BK_SYS_CONNECT, .fd = fd};
    connects.connect.length = sockets_address(&p, 1, PAIR_PORT, &a);
    connects.connect.address = (struct sockaddr *)&a;
    assert_int_equal(sockets_do(&p, 0, &connects, PAIR_S), 0);
    sockets_run(&p, 2 * PAIR_LATENCY);
    assert_false(sockets_waits(&p, 1, &accepts));
    assert_true(accepts.result > listener);
    assert_int_equal(length, sizeof(struct sockaddr_in6));
    struct sockaddr_in6 in6;
    memcpy(&in6, &from, sizeof in6);
    assert_memory_equal(&in6.sin6_addr, p.pair.side[0].addr.byte, 16);
    /* Accepted by a blocking call, the new one blocks, too, unless accept4 says otherwise. */
    assert_int_equal(bk_fcntl(p.side[1], (int)accepts.result, F_GETFL, 0), O_RDWR);
    sockets_close(&p);
}

/* Two callers of accept wait; one connection wakes one of them, and one that goes hands its wake on. */
static void test_accept_wakes_one(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 5), fd[2];
    set_blocking(&p, 1, listener);
    struct bk_syscall first = {.sys = BK_SYS_ACCEPT, .fd = listener}, second = first;
    assert_false(bk_syscall_try(p.side[1], &first, p.pair.now));
    assert_false(bk_syscall_try(p.side[1], &second, p.pair.now));
    struct sockaddr_storage a;
    socklen_t length = sockets_address(&p, 1, PAIR_PORT, &a);
    fd[0] = bk_socket(p.side[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bk_connect(p.side[0], fd[0], (struct sockaddr *)&a, length, p.pair.now), -EINPROGRESS);
    pair_run(&p.pair, 10 * PAIR_LATENCY);
    bk_sockets_pump(p.side[1], p.pair.now);
    assert_ptr_equal(bk_sockets_woken(p.side[1]), &first);
    assert_null(bk_sockets_woken(p.side[1]));
    bk_syscall_interrupt(p.side[1], &first, p.pair.now);
    assert_int_equal(first.result, -EINTR);
    assert_ptr_equal(bk_sockets_woken(p.side[1]), &second);
    assert_true(bk_syscall_try(p.side[1], &second, p.pair.now));
    assert_true(second.result > listener);
    sockets_close(&p);
}

static void test_timeouts(void **state) {
    struct sockets_pair p;
    uint8_t data[8];
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 5), fd[2];
    sockets_connect(&p, listener, fd);
    set_blocking(&p, 0, fd[0]);
    set_time(&p, 0, fd[0], SO_RCVTIMEO, 250);
    struct bk_syscall r = {.sys = BK_SYS_READ, .fd = fd[0], .receive = {.data = data, .size = sizeof data}};
    uint64_t begun = p.pair.now;
    assert_false(sockets_begin(&p, 0, &r));
    assert_true(r.due == begun + 250 * PAIR_MS);
    assert_int_equal(sockets_do(&p, 0, &r, PAIR_S), -EAGAIN);
    assert_true(p.pair.now == begun + 250 * PAIR_MS);
    /* What came meanwhile counts, though it is less than was wanted. */
    struct bk_syscall all = {
        .sys = BK_SYS_RECV, .fd = fd[0], .receive = {.data = data, .size = 8, .flags = MSG_WAITALL}};
    assert_false(sockets_begin(&p, 0, &all));
    assert_int_equal(bk_write(p.side[1], fd[1], "abc", 3, p.pair.now), 3);
    assert_int_equal(sockets_do(&p, 0, &all, PAIR_S), 3);
    /* A poll ends by its own time, or by what it waits for. */
    struct pollfd fds[2] = {{.fd = fd[0], .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    struct bk_syscall poll = {.sys = BK_SYS_POLL, .poll = {fds, 2, 100 * (int64_t)PAIR_MS}};
    begun = p.pair.now;
    assert_int_equal(sockets_do(&p, 0, &poll, PAIR_S), 0);
    assert_true(p.pair.now == begun + 100 * PAIR_MS);
    assert_false(sockets_begin(&p, 0, &poll));
    assert_int_equal(bk_shutdown(p.side[1], fd[1], SHUT_WR, p.pair.now), 0);
    assert_int_equal(sockets_do(&p, 0, &poll, PAIR_S), 1);
    assert_int_equal(fds[0].revents, POLLIN);
    assert_int_equal(fds[1].revents, 0);
    fds[1].fd = 99;
    assert_int_equal(bk_poll(p.side[0], fds, 2, p.pair.now), 2);
    assert_int_equal(fds[1].revents, POLLNVAL);
    sockets_close(&p);
}

/* A connect that is given too little time goes on behind the program's back; a later one is told how it ended. */
static void test_connect_times_out(void **state) {
    struct sockets_pair p;
    struct sockaddr_storage a;
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 5);
    int fd = bk_socket(p.side[0], AF_INET, SOCK_STREAM, 0);
    set_time(&p, 0, fd, SO_SNDTIMEO, 3);
    struct bk_syscall c = {.sys = BK_SYS_CONNECT, .fd = fd};
    c.connect.length = sockets_address(&p, 1, PAIR_PORT, &a);
    c.connect.address = (struct sockaddr *)&a;
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), -EINPROGRESS);
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), -EALREADY);
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), 0);
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), -EISCONN);
    assert_int_equal(bk_close(p.side[1], listener, p.pair.now), 0);
    sockets_close(&p);
}

/* A refusal is told once; then the socket is as new. */
static void test_refused_then_connected(void **state) {
    struct sockets_pair p;
    struct sockaddr_storage a;
    (void)state;
    sockets_open(&p, 4);
    int fd = bk_socket(p.side[0], AF_INET, SOCK_STREAM, 0);
    struct bk_syscall c = {.sys = BK_SYS_CONNECT, .fd = fd};
    c.connect.length = sockets_address(&p, 1, PAIR_PORT, &a);
    c.connect.address = (struct sockaddr *)&a;
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), -ECONNREFUSED);
    int listener = sockets_listen(&p, 1, 5);
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), 0);
    /* Disconnected it may connect again. */
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    assert_int_equal(bk_connect(p.side[0], fd, &none, sizeof none, p.pair.now), 0);
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), 0);
    int first = bk_accept4(p.side[1], listener, NULL, NULL, 0, p.pair.now);
    uint8_t octet;
    assert_int_equal(bk_read(p.side[1], first, &octet, 1, p.pair.now), -ECONNRESET);
    sockets_close(&p);
}

/* A call that is in a file keeps it open; shutdown wakes it. */
static void test_shutdown_wakes_reader(void **state) {
    struct sockets_pair p;
    uint8_t octet;
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 5), fd[2];
    sockets_connect(&p, listener, fd);
    set_blocking(&p, 0, fd[0]);
    struct bk_syscall r = {.sys = BK_SYS_READ, .fd = fd[0], .receive = {.data = &octet, .size = 1}}, again = r;
    assert_false(sockets_begin(&p, 0, &r));
    assert_int_equal(bk_shutdown(p.side[0], fd[0], SHUT_RD, p.pair.now), 0);
    sockets_settle(&p);
    assert_false(sockets_waits(&p, 0, &r));
    assert_int_equal(r.result, 0);
    /* What arrives nevertheless is read; only an empty queue answers at once. */
    assert_int_equal(bk_write(p.side[1], fd[1], "x", 1, p.pair.now), 1);
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_do(&p, 0, &again, 0), 1);
    /* Closed under a reader of the other side, the connection goes on until that call is over. */
    struct bk_syscall other = {.sys = BK_SYS_READ, .fd = fd[1], .receive = {.data = &octet, .size = 1}};
    set_blocking(&p, 1, fd[1]);
    assert_false(sockets_begin(&p, 1, &other));
    assert_int_equal(bk_close(p.side[1], fd[1], p.pair.now), 0);
    sockets_run(&p, PAIR_S);
    assert_true(sockets_waits(&p, 1, &other));
    assert_int_equal(bk_write(p.side[0], fd[0], "y", 1, p.pair.now), 1);
    assert_int_equal(sockets_do(&p, 1, &other, PAIR_S), 1);
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_poll(&p, 0, fd[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    sockets_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocking_accept_and_connect),
        cmocka_unit_test(test_accept_wakes_one),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_connect_times_out),
        cmocka_unit_test(test_refused_then_connected),
        cmocka_unit_test(test_shutdown_wakes_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
