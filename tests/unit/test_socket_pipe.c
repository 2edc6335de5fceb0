/* Shows descriptors as such, pipes, files of bytes, and data that moves between them and sockets. */
#define _GNU_SOURCE 1
#include "sockets_pair.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

static void test_numbers(void **state) {
    struct sockets_pair p;
    int fds[2];
    (void)state;
    sockets_open(&p, 4);
    struct bk_sockets *s = p.side[0];
    int a = bk_socket(s, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(a, 3);
    assert_int_equal(bk_fcntl(s, a, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(bk_pipe2(s, fds, O_NONBLOCK), 0);
    assert_int_equal(fds[0], 4);
    assert_int_equal(fds[1], 5);
    assert_int_equal(bk_dup(s, a), 6);
    assert_int_equal(bk_fcntl(s, 6, F_GETFD, 0), 0);
    assert_int_equal(bk_close(s, 4, p.pair.now), 0);
    assert_int_equal(bk_socket(s, AF_INET6, SOCK_STREAM, 0), 4); /* the lowest free one */
    assert_int_equal(bk_fcntl(s, a, F_DUPFD, 200), 200);
    assert_int_equal(bk_fcntl(s, a, F_DUPFD_CLOEXEC, 5), 7);
    assert_int_equal(bk_dup3(s, a, 4, 0, p.pair.now), 4);
    assert_int_equal(bk_dup3(s, a, a, 0, p.pair.now), -EINVAL);
    assert_int_equal(bk_dup3(s, 99, 4, 0, p.pair.now), -EBADF);
    assert_int_equal(bk_dup3(s, a, 2, 0, p.pair.now), -EBADF);
    /* Flags belong to the open file: its copies share them. */
    assert_int_equal(bk_fcntl(s, 200, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    assert_int_equal(bk_fcntl(s, a, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    int off = 0;
    assert_int_equal(bk_ioctl(s, a, FIONBIO, &off), 0);
    assert_int_equal(bk_fcntl(s, 200, F_GETFL, 0), O_RDWR);
    assert_int_equal(bk_fcntl(s, 8, F_GETFL, 0), -EBADF);
    assert_int_equal(bk_ioctl(s, a, 0x12345, &off), -ENOTTY);
    assert_int_equal(bk_socket(s, AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(bk_socket(s, AF_INET, SOCK_RAW, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(bk_socket(s, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    bk_sockets_config_of(s)->descriptors = 4;
    assert_int_equal(bk_close(s, 6, p.pair.now), 0);
    assert_int_equal(bk_socket(s, AF_INET, SOCK_STREAM, 0), 6);
    assert_int_equal(bk_socket(s, AF_INET, SOCK_STREAM, 0), -EMFILE);
    sockets_close(&p);
}

/* Thousands of descriptors are given out lowest first, whatever was closed in between. */
static void test_many(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    struct bk_sockets *s = p.side[0];
    for (int i = 0; i < 10000; i++) assert_int_equal(bk_socket(s, AF_INET, SOCK_STREAM, 0), 3 + i);
    static const int hole[] = {3, 70, 4099, 4100, 9999};
    for (size_t i = 0; i < 5; i++) assert_int_equal(bk_close(s, hole[4 - i], p.pair.now), 0);
    for (size_t i = 0; i < 5; i++) assert_int_equal(bk_socket(s, AF_INET, SOCK_STREAM, 0), hole[i]);
    assert_int_equal(bk_socket(s, AF_INET, SOCK_STREAM, 0), 10003);
    sockets_close(&p);
}

static void test_pipe(void **state) {
    struct sockets_pair p;
    static char big[70000], back[70000];
    int fds[2], n;
    (void)state;
    sockets_open(&p, 4);
    struct bk_sockets *s = p.side[0];
    assert_int_equal(bk_pipe2(s, fds, O_NONBLOCK), 0);
    assert_int_equal(bk_read(s, fds[0], back, 1, p.pair.now), -EAGAIN);
    assert_int_equal(bk_write(s, fds[0], "x", 1, p.pair.now), -EBADF);
    assert_int_equal(bk_read(s, fds[1], back, 1, p.pair.now), -EBADF);
    assert_int_equal(sockets_poll(&p, 0, fds[0], POLLIN), 0);
    assert_int_equal(sockets_poll(&p, 0, fds[1], POLLOUT), POLLOUT);
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 31 + i / 257);
    assert_int_equal(bk_write(s, fds[1], big, sizeof big, p.pair.now), 65536);
    assert_int_equal(bk_write(s, fds[1], big, 1, p.pair.now), -EAGAIN);
    assert_int_equal(bk_ioctl(s, fds[0], FIONREAD, &n), 0);
    assert_int_equal(n, 65536);
    assert_int_equal(bk_read(s, fds[0], back, 60000, p.pair.now), 60000);
    assert_int_equal(bk_write(s, fds[1], big + 65536, 4464, p.pair.now), 4464);
    assert_int_equal(bk_read(s, fds[0], back + 60000, 10000, p.pair.now), 10000);
    assert_memory_equal(big, back, sizeof big);
    /* A reader that waits is woken by a writer, and by the last writer's going. */
    assert_int_equal(bk_fcntl(s, fds[0], F_SETFL, 0), 0);
    struct bk_syscall r = {.sys = BK_SYS_READ, .fd = fds[0], .receive = {.data = back, .size = 10}};
    assert_false(sockets_begin(&p, 0, &r));
    assert_int_equal(bk_write(s, fds[1], "abc", 3, p.pair.now), 3);
    assert_int_equal(sockets_do(&p, 0, &r, 0), 3);
    assert_false(sockets_begin(&p, 0, &r));
    assert_int_equal(bk_close(s, fds[1], p.pair.now), 0);
    assert_int_equal(sockets_do(&p, 0, &r, 0), 0);
    assert_int_equal(sockets_poll(&p, 0, fds[0], POLLIN), POLLHUP);
    assert_int_equal(bk_pipe2(s, fds, 0), 0);
    assert_int_equal(bk_close(s, fds[0], p.pair.now), 0);
    assert_int_equal(bk_write(s, fds[1], "abc", 3, p.pair.now), -EPIPE);
    assert_int_equal(sockets_poll(&p, 0, fds[1], POLLOUT), POLLOUT | POLLERR);
    sockets_close(&p);
}

static void test_move(void **state) {
    struct sockets_pair p;
    char text[16] = "";
    int fd[2], fds[2];
    off_t offset = 2;
    (void)state;
    sockets_open(&p, 4);
    sockets_connect(&p, sockets_listen(&p, 1, 5), fd);
    int file = bk_file_open(p.side[0], "0123456789", 10, O_RDONLY);
    assert_true(file > 0);
    assert_int_equal(bk_sendfile(p.side[0], fd[0], file, &offset, 3, p.pair.now), 3);
    assert_int_equal(offset, 5);
    assert_int_equal(bk_sendfile(p.side[0], fd[0], file, NULL, 100, p.pair.now), 10);
    assert_int_equal(bk_sendfile(p.side[0], fd[0], file, NULL, 100, p.pair.now), 0);
    assert_int_equal(bk_read(p.side[0], file, text, 1, p.pair.now), 0);
    assert_int_equal(bk_sendfile(p.side[0], fd[0], fd[0], NULL, 1, p.pair.now), -EINVAL);
    assert_int_equal(bk_sendfile(p.side[0], fd[0], 99, NULL, 1, p.pair.now), -EBADF);
    sockets_run(&p, PAIR_S);
    /* Through a pipe into the other direction. */
    assert_int_equal(bk_pipe2(p.side[1], fds, O_NONBLOCK), 0);
    assert_int_equal(bk_splice(p.side[1], fd[1], fds[1], 5, 0, p.pair.now), 5);
    assert_int_equal(bk_splice(p.side[1], fd[1], fds[1], 100, 0, p.pair.now), 8);
    assert_int_equal(bk_splice(p.side[1], fd[1], fds[1], 100, 0, p.pair.now), -EAGAIN);
    assert_int_equal(bk_splice(p.side[1], fd[1], fd[1], 1, 0, p.pair.now), -EINVAL);
    assert_int_equal(bk_splice(p.side[1], fds[0], fd[1], 100, 0, p.pair.now), 13);
    assert_int_equal(bk_splice(p.side[1], fds[0], fd[1], 100, 0, p.pair.now), -EAGAIN);
    sockets_run(&p, PAIR_S);
    assert_int_equal(bk_read(p.side[0], fd[0], text, sizeof text, p.pair.now), 13);
    assert_memory_equal(text, "2340123456789", 13);
    sockets_close(&p);
}

/* Memory that the program has not: said before anything is moved. */
static bool accessible(void *context, const void *memory, size_t length, bool write) {
    (void)length;
    (void)write;
    return memory != context && memory != NULL;
}

static void test_bad_memory(void **state) {
    struct sockets_pair p;
    char text[16] = "", bad[32];
    int fd[2];
    (void)state;
    sockets_open(&p, 4);
    sockets_connect(&p, sockets_listen(&p, 1, 5), fd);
    struct bk_sockets *s = p.side[0];
    bk_sockets_config_of(s)->accessible = accessible;
    bk_sockets_config_of(s)->context = bad;
    assert_int_equal(bk_write(s, fd[0], bad, 4, p.pair.now), -EFAULT);
    assert_int_equal(bk_send(s, fd[0], NULL, 4, 0, p.pair.now), -EFAULT);
    /* What comes before the bad piece counts. */
    struct iovec iov[2] = {{text, 3}, {bad, 4}};
    assert_int_equal(bk_writev(s, fd[0], iov, 2, p.pair.now), 3);
    assert_int_equal(bk_read(s, fd[0], bad, 4, p.pair.now), -EAGAIN); /* nothing to be stored */
    assert_int_equal(bk_write(p.side[1], fd[1], "abcd", 4, p.pair.now), 4);
    sockets_run(&p, PAIR_S);
    assert_int_equal(bk_read(s, fd[0], bad, 4, p.pair.now), -EFAULT);
    assert_int_equal(bk_readv(s, fd[0], iov, 2, p.pair.now), 3);
    assert_int_equal(bk_read(s, fd[0], text, 4, p.pair.now), 1);
    assert_int_equal(text[0], 'd');
    assert_int_equal(bk_connect(s, fd[0], (struct sockaddr *)bad, 16, p.pair.now), -EFAULT);
    assert_int_equal(bk_poll(s, (struct pollfd *)(void *)bad, 1, p.pair.now), -EFAULT);
    assert_int_equal(bk_ioctl(s, fd[0], FIONREAD, bad), -EFAULT);
    assert_int_equal(bk_pipe2(s, (int *)(void *)bad, 0), -EFAULT);
    assert_int_equal(bk_setsockopt(s, fd[0], SOL_SOCKET, SO_KEEPALIVE, bad, 4, p.pair.now), -EFAULT);
    assert_int_equal(bk_getsockname(s, fd[0], (struct sockaddr *)bad, NULL), -EFAULT);

    sockets_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_many),       cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_move),    cmocka_unit_test(test_bad_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
