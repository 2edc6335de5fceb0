/* Calls on sockets in given states, of Beckon or the kernel. */
#define _GNU_SOURCE 1
#include "socket_bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *const bench_state_name[STATES] = {
    "fresh",     "bound",     "listening",  "connecting", "refused", "connected",  "readable",
    "peer shut", "read shut", "write shut", "both shut",  "reset",   "reset told",
};
const char *const bench_call_name[CALLS] = {
    "bind",        "listen",        "accept",           "connect",          "connect AF_UNSPEC",
    "read",        "recv MSG_PEEK", "recv MSG_OOB",     "read nothing",     "recvmsg MSG_ERRQUEUE",
    "write",       "write nothing", "shutdown SHUT_RD", "shutdown SHUT_WR", "shutdown SHUT_RDWR",
    "getpeername", "SO_ERROR",      "SIOCINQ",          "SIOCOUTQ",         "SIOCATMARK",
    "poll",        "tcpi_state",
};

static int told(int64_t r) {
    return r < 0 ? -errno : (int)r;
}
static uint64_t now(const struct bench *b) {
    return b->p.pair.now;
}
void bench_settle(struct bench *b) {
    if (!b->kernel) sockets_run(&b->p, 20 * PAIR_LATENCY); /* delayed ACKs, too */
}

/* ---- one call on either ---------------------------------------------------------------------------- */

static int new_socket(struct bench *b, int side) {
    const int type = SOCK_STREAM | SOCK_NONBLOCK;
    int fd = b->kernel ? told(socket(AF_INET, type, 0)) : bk_socket(b->p.side[side], AF_INET, type, 0);
    assert_true(fd >= 0);
    return fd;
}

static struct sockaddr_in address(const struct bench *b, int side, uint16_t port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x7f000001)}};
    struct sockaddr_storage a;
    if (b->kernel) return in;
    (void)sockets_address(&b->p, side, port, &a);
    memcpy(&in, &a, sizeof in);
    return in;
}

static int do_bind(struct bench *b, int side, int fd, uint16_t port) {
    struct sockaddr_in in = address(b, side, port);
    return b->kernel ? told(bind(fd, (void *)&in, sizeof in))
                     : bk_bind(b->p.side[side], fd, (void *)&in, sizeof in, now(b));
}

static int do_listen(struct bench *b, int side, int fd, int backlog) {
    return b->kernel ? told(listen(fd, backlog)) : bk_listen(b->p.side[side], fd, backlog, now(b));
}

static int do_accept(struct bench *b, int side, int fd) {
    return b->kernel ? told(accept4(fd, NULL, NULL, SOCK_NONBLOCK))
                     : bk_accept4(b->p.side[side], fd, NULL, NULL, SOCK_NONBLOCK, now(b));
}

static int do_connect(struct bench *b, int fd, struct sockaddr_in in) {
    return b->kernel ? told(connect(fd, (void *)&in, sizeof in))
                     : bk_connect(b->p.side[0], fd, (void *)&in, sizeof in, now(b));
}

int bench_recv(struct bench *b, int side, int fd, char *data, size_t size, int flags) {
    return b->kernel ? told(recv(fd, data, size, flags)) : (int)bk_recv(b->p.side[side], fd, data, size, flags, now(b));
}

int bench_send(struct bench *b, int side, int fd, const char *text, int flags) {
    size_t size = strlen(text);
    return b->kernel ? told(send(fd, text, size, flags | MSG_NOSIGNAL))
                     : (int)bk_send(b->p.side[side], fd, text, size, flags | MSG_NOSIGNAL, now(b));
}

int bench_shutdown(struct bench *b, int side, int fd, int how) {
    return b->kernel ? told(shutdown(fd, how)) : bk_shutdown(b->p.side[side], fd, how, now(b));
}

static int do_close(struct bench *b, int side, int fd) {
    return b->kernel ? told(close(fd)) : bk_close(b->p.side[side], fd, now(b));
}

int bench_set(struct bench *b, int side, int fd, int option, const void *value, socklen_t length) {
    return b->kernel ? told(setsockopt(fd, SOL_SOCKET, option, value, length))
                     : bk_setsockopt(b->p.side[side], fd, SOL_SOCKET, option, value, length, now(b));
}

static int do_get(struct bench *b, int fd, int level, int option, void *value, socklen_t length) {
    return b->kernel ? told(getsockopt(fd, level, option, value, &length))
                     : bk_getsockopt(b->p.side[0], fd, level, option, value, &length, now(b));
}

int bench_ioctl(struct bench *b, int fd, unsigned long request) {
    int value = -1;
    int error = b->kernel ? told(ioctl(fd, request, &value)) : bk_ioctl(b->p.side[0], fd, request, &value);
    return error != 0 ? error : value;
}

int bench_poll(struct bench *b, int fd) {
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    int n = b->kernel ? told(poll(&one, 1, 0)) : bk_poll(b->p.side[0], &one, 1, now(b));
    return n < 0 ? n : one.revents;
}

/* ---- states ---------------------------------------------------------------------------------------- */

static uint16_t port_of(struct bench *b, int side, int fd) {
    struct sockaddr_in in = {0};
    socklen_t length = sizeof in;
    if (b->kernel)
        assert_int_equal(getsockname(fd, (void *)&in, &length), 0);
    else
        assert_int_equal(bk_getsockname(b->p.side[side], fd, (void *)&in, &length), 0);
    return ntohs(in.sin_port);
}

static int new_listener(struct bench *b, int side, int backlog) {
    int fd = new_socket(b, side);
    assert_int_equal(do_bind(b, side, fd, 0), 0);
    assert_int_equal(do_listen(b, side, fd, backlog), 0);
    return fd;
}

static void join(struct bench *b) {
    struct sockaddr_in in = address(b, 1, port_of(b, 1, b->listener));
    assert_int_equal(do_connect(b, b->fd, in), -EINPROGRESS);
    bench_settle(b);
    assert_int_equal(do_connect(b, b->fd, in), 0);
    b->peer = do_accept(b, 1, b->listener);
    assert_true(b->peer >= 0);
}

/* A listener whose queue is full answers no SYN. */
static void hang(struct bench *b) {
    int full = new_listener(b, 1, 0);
    struct sockaddr_in in = address(b, 1, port_of(b, 1, full));
    b->extra[b->extras++] = full;
    int first = new_socket(b, 0);
    b->extra[b->extras++] = first;
    assert_int_equal(do_connect(b, first, in), -EINPROGRESS);
    bench_settle(b);
    if (!b->kernel) in.sin_addr.s_addr = htonl(0xc0000263); /* 192.0.2.99: nobody is there */
    assert_int_equal(do_connect(b, b->fd, in), -EINPROGRESS);
    bench_settle(b);
}

static void reset(struct bench *b) {
    struct linger none = {1, 0};
    join(b);
    assert_int_equal(bench_set(b, 1, b->peer, SO_LINGER, &none, sizeof none), 0);
    assert_int_equal(do_close(b, 1, b->peer), 0);
    b->peer = -1;
    bench_settle(b);
}

static void enter(struct bench *b, enum bench_state state) {
    char data[1];
    switch (state) {
    case STATE_FRESH:
    case STATES:
        break;
    case STATE_BOUND:
        assert_int_equal(do_bind(b, 0, b->fd, 0), 0);
        break;
    case STATE_LISTENING:
        assert_int_equal(do_listen(b, 0, b->fd, 5), 0);
        break;
    case STATE_CONNECTING:
        hang(b);
        break;
    case STATE_REFUSED: {
        int closed = new_listener(b, 1, 5);
        struct sockaddr_in in = address(b, 1, port_of(b, 1, closed));
        assert_int_equal(do_close(b, 1, closed), 0);
        assert_int_equal(do_connect(b, b->fd, in), -EINPROGRESS);
        bench_settle(b);
        break;
    }
    case STATE_CONNECTED:
        join(b);
        break;
    case STATE_READABLE:
        join(b);
        assert_int_equal(bench_send(b, 1, b->peer, "abc", 0), 3);
        bench_settle(b);
        break;
    case STATE_PEER_SHUT:
    case STATE_BOTH_SHUT:
        join(b);
        assert_int_equal(bench_shutdown(b, 1, b->peer, SHUT_WR), 0);
        bench_settle(b);
        if (state == STATE_BOTH_SHUT) assert_int_equal(bench_shutdown(b, 0, b->fd, SHUT_WR), 0);
        bench_settle(b);
        break;
    case STATE_READ_SHUT:
    case STATE_WRITE_SHUT:
        join(b);
        assert_int_equal(bench_shutdown(b, 0, b->fd, state == STATE_READ_SHUT ? SHUT_RD : SHUT_WR), 0);
        bench_settle(b);
        /* The kernel's peer may delay the ACK of a FIN. */
        for (int ms = 0; state == STATE_WRITE_SHUT && b->kernel && bench_do(b, CALL_STATE) == 4 && ms < 2000; ms++)
            (void)usleep(1000);
        break;
    case STATE_RESET:
        reset(b);
        break;
    case STATE_RESET_TOLD:
        reset(b);
        assert_int_equal(bench_recv(b, 0, b->fd, data, 1, 0), -ECONNRESET);
        break;
    }
}

void bench_open(struct bench *b, bool kernel, enum bench_state state) {
    memset(b, 0, sizeof *b);
    b->kernel = kernel;
    b->peer = -1;
    if (!kernel) sockets_open(&b->p, 4);
    b->listener = new_listener(b, 1, 5);
    b->fd = new_socket(b, 0);
    enter(b, state);
}

void bench_close(struct bench *b) {
    if (!b->kernel) {
        sockets_close(&b->p);
        return;
    }
    (void)close(b->fd);
    (void)close(b->listener);
    if (b->peer >= 0) (void)close(b->peer);
    while (b->extras != 0) (void)close(b->extra[--b->extras]);
}

/* ---- calls ----------------------------------------------------------------------------------------- */

static int peer_name(struct bench *b) {
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    return b->kernel ? told(getpeername(b->fd, (void *)&in, &length))
                     : bk_getpeername(b->p.side[0], b->fd, (void *)&in, &length);
}

static int error_queue(struct bench *b) {
    struct msghdr msg = {0};
    return b->kernel ? told(recvmsg(b->fd, &msg, MSG_ERRQUEUE))
                     : (int)bk_recvmsg(b->p.side[0], b->fd, &msg, MSG_ERRQUEUE, now(b));
}

int bench_do(struct bench *b, enum bench_call call) {
    int value = -1, fd = b->fd;
    uint8_t info[8];
    char data[8];
    switch (call) {
    case CALL_BIND:
        return do_bind(b, 0, fd, 0);
    case CALL_LISTEN:
        return do_listen(b, 0, fd, 5);
    case CALL_ACCEPT:
        return do_accept(b, 0, fd);
    case CALL_CONNECT:
        return do_connect(b, fd, address(b, 1, port_of(b, 1, b->listener)));
    case CALL_UNCONNECT:
        return do_connect(b, fd, (struct sockaddr_in){.sin_family = AF_UNSPEC});
    case CALL_READ:
        return bench_recv(b, 0, fd, data, 8, 0);
    case CALL_PEEK:
        return bench_recv(b, 0, fd, data, 8, MSG_PEEK);
    case CALL_OOB:
        return bench_recv(b, 0, fd, data, 8, MSG_OOB);
    case CALL_READ_NONE:
        return bench_recv(b, 0, fd, data, 0, 0);
    case CALL_ERRQUEUE:
        return error_queue(b);
    case CALL_WRITE:
        return bench_send(b, 0, fd, "abcde", 0);
    case CALL_WRITE_NONE:
        return bench_send(b, 0, fd, "", 0);
    case CALL_SHUT_READ:
        return bench_shutdown(b, 0, fd, SHUT_RD);
    case CALL_SHUT_WRITE:
        return bench_shutdown(b, 0, fd, SHUT_WR);
    case CALL_SHUT_BOTH:
        return bench_shutdown(b, 0, fd, SHUT_RDWR);
    case CALL_PEER_NAME:
        return peer_name(b);
    case CALL_SO_ERROR:
        assert_int_equal(do_get(b, fd, SOL_SOCKET, SO_ERROR, &value, sizeof value), 0);
        return -value;
    case CALL_INQ:
        return bench_ioctl(b, fd, SIOCINQ);
    case CALL_OUTQ:
        return bench_ioctl(b, fd, SIOCOUTQ);
    case CALL_AT_MARK:
        return bench_ioctl(b, fd, SIOCATMARK);
    case CALL_POLL:
        return bench_poll(b, fd);
    case CALL_STATE:
        assert_int_equal(do_get(b, fd, IPPROTO_TCP, TCP_INFO, info, sizeof info), 0);
        return info[0];
    case CALLS:
        break;
    }
    return -ENOSYS;
}

bool bench_has_kernel(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool works = fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0;
    /* An emulator of another machine stands between, and does not pass on all of what is asked here. */
    int on = 1;
    works = works && setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0;
    if (fd >= 0) (void)close(fd);
    return works;
}
