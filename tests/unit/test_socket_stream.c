/* Shows the life of a connection as programs see it: listen, connect, accept, names, reading and writing in all forms, ends. */
#include "sockets_pair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static void both_families(void (*test)(struct sockets_pair *p)) {
    for (int family = 4; family <= 6; family += 2) {
        struct sockets_pair p;
        sockets_open(&p, family);
        test(&p);
        sockets_close(&p);
    }
}

static void fill(uint8_t *data, size_t n, uint32_t key) {
    for (size_t i = 0; i < n; i++) data[i] = (uint8_t)(i * 7 + i / 251 + key);
}

static void talk(struct sockets_pair *p) {
    int listener = sockets_listen(p, 1, 5), fd[2];
    sockets_connect(p, listener, fd);
    assert_int_equal(fd[0], 3);
    assert_int_equal(listener, 3);
    assert_int_equal(fd[1], 4);
    struct sockaddr_storage name[2], peer;
    socklen_t length = sizeof name[0];
    assert_int_equal(bk_getsockname(p->side[0], fd[0], (struct sockaddr *)&name[0], &length), 0);
    length = sizeof name[1];
    assert_int_equal(bk_getpeername(p->side[1], fd[1], (struct sockaddr *)&name[1], &length), 0);
    assert_memory_equal(&name[0], &name[1], length);
    assert_int_equal(length, p->family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    socklen_t expected = sockets_address(p, 1, PAIR_PORT, &peer);
    length = sizeof name[0];
    assert_int_equal(bk_getpeername(p->side[0], fd[0], (struct sockaddr *)&name[0], &length), 0);
    assert_int_equal(length, expected);
    assert_memory_equal(&name[0], &peer, length);

    uint8_t out[3000], in[3000];
    fill(out, sizeof out, 1);
    assert_int_equal(bk_read(p->side[1], fd[1], in, sizeof in, p->pair.now), -EAGAIN);
    assert_int_equal(bk_write(p->side[0], fd[0], out, sizeof out, p->pair.now), 3000);
    sockets_run(p, 4 * PAIR_LATENCY);
    assert_int_equal(sockets_poll(p, 1, fd[1], POLLIN | POLLOUT), POLLIN | POLLOUT);
    int queued;
    assert_int_equal(bk_ioctl(p->side[1], fd[1], FIONREAD, &queued), 0);
    assert_int_equal(queued, 3000);
    /* A peek leaves what it sees, and sees it across many chunks. */
    assert_int_equal(bk_recv(p->side[1], fd[1], in, sizeof in, MSG_PEEK, p->pair.now), 3000);
    assert_memory_equal(in, out, 3000);
    memset(in, 0, sizeof in);
    /* Discarded, not stored. */
    assert_int_equal(bk_recv(p->side[1], fd[1], in, 100, MSG_TRUNC, p->pair.now), 100);
    assert_int_equal(in[0], 0);
    struct iovec iov[3] = {{in, 900}, {in + 900, 0}, {in + 900, 2000}};
    assert_int_equal(bk_readv(p->side[1], fd[1], iov, 3, p->pair.now), 2900);
    assert_memory_equal(in, out + 100, 2900);

    struct iovec gather[2] = {{out + 2000, 1000}, {out, 500}};
    assert_int_equal(bk_writev(p->side[1], fd[1], gather, 2, p->pair.now), 1500);
    assert_int_equal(bk_shutdown(p->side[1], fd[1], SHUT_WR, p->pair.now), 0);
    sockets_run(p, 4 * PAIR_LATENCY);
    assert_int_equal(bk_recv(p->side[0], fd[0], in, sizeof in, 0, p->pair.now), 1500);
    assert_memory_equal(in, out + 2000, 1000);
    assert_memory_equal(in + 1000, out, 500);
    assert_int_equal(bk_recv(p->side[0], fd[0], in, sizeof in, 0, p->pair.now), 0);
    assert_int_equal(bk_close(p->side[0], fd[0], p->pair.now), 0);
    assert_int_equal(bk_close(p->side[0], fd[0], p->pair.now), -EBADF);
    sockets_run(p, 4 * PAIR_LATENCY);
    assert_int_equal(bk_read(p->side[1], fd[1], in, 1, p->pair.now), 0);
    assert_int_equal(bk_close(p->side[1], fd[1], p->pair.now), 0);
    assert_int_equal(bk_close(p->side[1], listener, p->pair.now), 0);
}

static void test_talk(void **state) {
    (void)state;
    both_families(talk);
}

/* Data keeps its order through blocking calls of every size, and a blocked writer's bytes count. */
static void bulk(struct sockets_pair *p) {
    int listener = sockets_listen(p, 1, 5), fd[2];
    sockets_connect(p, listener, fd);
    assert_int_equal(bk_fcntl(p->side[0], fd[0], 4 /* F_SETFL */, 0), 0);
    assert_int_equal(bk_fcntl(p->side[1], fd[1], 4, 0), 0);
    enum { TOTAL = 300000 };
    uint8_t *out = malloc(TOTAL), *in = malloc(TOTAL);
    fill(out, TOTAL, 9);
    struct bk_syscall w = {.sys = BK_SYS_WRITE, .fd = fd[0], .send = {.data = out, .size = TOTAL}};
    struct bk_syscall r = {
        .sys = BK_SYS_RECV, .fd = fd[1], .receive = {.data = in, .size = TOTAL, .flags = MSG_WAITALL}};
    assert_false(sockets_begin(p, 0, &w));
    assert_true(w.due == BK_NEVER);
    assert_int_equal(sockets_do(p, 1, &r, 20 * PAIR_S), TOTAL);
    assert_false(sockets_waits(p, 0, &w));
    assert_int_equal(w.result, TOTAL);
    assert_memory_equal(in, out, TOTAL);
    sockets_run(p, PAIR_S);
    /* Interrupted, a writer is told what it has queued, a reader that it was interrupted. */
    struct bk_syscall again = {.sys = BK_SYS_WRITE, .fd = fd[0], .send = {.data = out, .size = TOTAL}};
    assert_false(sockets_begin(p, 0, &again));
    bk_syscall_interrupt(p->side[0], &again, p->pair.now);
    assert_int_equal(again.result, 65536);
    struct bk_syscall idle = {.sys = BK_SYS_READ, .fd = fd[0], .receive = {.data = in, .size = 1}};
    assert_false(bk_syscall_try(p->side[0], &idle, p->pair.now));
    bk_syscall_interrupt(p->side[0], &idle, p->pair.now);
    assert_int_equal(idle.result, -EINTR);
    free(out);
    free(in);
}

static void test_bulk(void **state) {
    (void)state;
    both_families(bulk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
