/* Shows the error queue: completion of MSG_ZEROCOPY, times of sending, acknowledgment and arrival; and lingering closes. */
#define _GNU_SOURCE 1
#include "sockets_pair.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <time.h>

/* What one recvmsg told. */
struct told {
    ssize_t result;
    int flags;
    bool has_error, has_time;
    struct sock_extended_err error;
    uint64_t time;
};

static struct told take(struct sockets_pair *p, int side, int fd, size_t size, int flags) {
    struct told t = {0};
    char control[256], data[16];
    struct iovec iov = {data, size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    t.result = bk_recvmsg(p->side[side], fd, &msg, flags, p->pair.now);
    t.flags = msg.msg_flags;
    if (t.result < 0) return t;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            t.has_time = true;
            t.time = (uint64_t)stamp.tv_sec * PAIR_S + (uint64_t)stamp.tv_nsec;
        } else {
            assert_int_equal(c->cmsg_level, p->family == 4 ? IPPROTO_IP : IPPROTO_IPV6);
            assert_int_equal(c->cmsg_type, p->family == 4 ? IP_RECVERR : IPV6_RECVERR);
            memcpy(&t.error, CMSG_DATA(c), sizeof t.error);
            t.has_error = true;
        }
    }
    return t;
}

static void begin(struct sockets_pair *p, int family, int fd[2]) {
    sockets_open(p, family);
    sockets_connect(p, sockets_listen(p, 1, 5), fd);
}

static void expect_range(struct sockets_pair *p, int fd, uint32_t low, uint32_t high) {
    struct told t = take(p, 0, fd, 0, MSG_ERRQUEUE);
    assert_int_equal(t.result, 0);
    assert_int_equal(t.flags, MSG_ERRQUEUE);
    assert_true(t.has_error && !t.has_time);
    assert_int_equal(t.error.ee_errno, 0);
    assert_int_equal(t.error.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
    assert_int_equal(t.error.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
    assert_int_equal(t.error.ee_info, low);
    assert_int_equal(t.error.ee_data, high);
}

static void zerocopy(int family) {
    struct sockets_pair p;
    int fd[2];
    begin(&p, family, fd);
    struct bk_sockets *s = p.side[0];
    /* Without SO_ZEROCOPY the flag says nothing. */
    assert_int_equal(bk_send(s, fd[0], "ab", 2, MSG_ZEROCOPY, p.pair.now), 2);
    sockets_run(&p, PAIR_S);
    assert_int_equal(take(&p, 0, fd[0], 0, MSG_ERRQUEUE).result, -EAGAIN);
    assert_int_equal(sockets_set(&p, 0, fd[0], SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    assert_int_equal(bk_send(s, fd[0], "ab", 2, MSG_ZEROCOPY, p.pair.now), 2);
    assert_int_equal(bk_send(s, fd[0], "", 0, MSG_ZEROCOPY, p.pair.now), 0); /* nothing to be told of */
    pair_collect(&p.pair);
    sockets_settle(&p);
    assert_int_equal(sockets_poll(&p, 0, fd[0], 0), 0); /* sent, and the stack holds it yet */
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_poll(&p, 0, fd[0], 0), POLLERR);
    assert_int_equal(sockets_option(&p, 0, fd[0], SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(bk_send(s, fd[0], "cd", 2, MSG_ZEROCOPY, p.pair.now), 2);
    assert_int_equal(bk_send(s, fd[0], "ef", 2, MSG_ZEROCOPY, p.pair.now), 2);
    sockets_run(&p, PAIR_S);
    expect_range(&p, fd[0], 0, 2); /* neighbours are told together */
    assert_int_equal(take(&p, 0, fd[0], 0, MSG_ERRQUEUE).result, -EAGAIN);
    assert_int_equal(sockets_poll(&p, 0, fd[0], 0), 0);
    /* A connection that is gone holds nothing. */
    assert_int_equal(bk_send(s, fd[0], "gh", 2, MSG_ZEROCOPY, p.pair.now), 2);
    struct linger none = {1, 0};
    assert_int_equal(bk_setsockopt(p.side[1], fd[1], SOL_SOCKET, SO_LINGER, &none, sizeof none, p.pair.now), 0);
    assert_int_equal(bk_close(p.side[1], fd[1], p.pair.now), 0);
    sockets_run(&p, PAIR_S);
    expect_range(&p, fd[0], 3, 3);
    assert_int_equal(bk_send(s, fd[0], "ij", 2, MSG_ZEROCOPY, p.pair.now), -ECONNRESET);
    assert_int_equal(take(&p, 0, fd[0], 0, MSG_ERRQUEUE).result, -EAGAIN);
    sockets_close(&p);
}

static void test_zerocopy(void **state) {
    (void)state;
    zerocopy(4);
    zerocopy(6);
}

static void expect_stamp(struct sockets_pair *p, int fd, uint32_t kind, uint32_t octet, uint64_t time, bool whole) {
    struct told t = take(p, 0, fd, 0, MSG_ERRQUEUE);
    assert_int_equal(t.result, 0);
    assert_int_equal(t.flags, MSG_ERRQUEUE | (whole ? MSG_TRUNC : 0));
    assert_true(t.has_error && t.has_time);
    assert_int_equal(t.error.ee_errno, ENOMSG);
    assert_int_equal(t.error.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    assert_int_equal(t.error.ee_info, kind);
    assert_int_equal(t.error.ee_data, octet);
    assert_true(t.time == time);
}

static void test_stamps(void **state) {
    struct sockets_pair p;
    int fd[2];
    (void)state;
    begin(&p, 4, fd);
    bk_sockets_config_of(p.side[0])->clock_offset = 7 * PAIR_S;
    const int all = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK |
                    SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
    assert_int_equal(bk_write(p.side[0], fd[0], "xx", 2, p.pair.now), 2);
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_set(&p, 0, fd[0], SOL_SOCKET, SO_TIMESTAMPING, all), 0);
    uint64_t begun = p.pair.now + 7 * PAIR_S;
    assert_int_equal(bk_write(p.side[0], fd[0], "abc", 3, p.pair.now), 3);
    pair_collect(&p.pair);
    sockets_settle(&p);
    expect_stamp(&p, fd[0], SCM_TSTAMP_SCHED, 2, begun, true);
    expect_stamp(&p, fd[0], SCM_TSTAMP_SND, 2, begun, true);
    assert_int_equal(take(&p, 0, fd[0], 0, MSG_ERRQUEUE).result, -EAGAIN);
    /* The answer brings the acknowledgment at once: there and back. */
    sockets_run(&p, PAIR_LATENCY);
    assert_int_equal(bk_write(p.side[1], fd[1], "y", 1, p.pair.now), 1);
    sockets_run(&p, PAIR_S);
    expect_stamp(&p, fd[0], SCM_TSTAMP_ACK, 2, begun + 2 * PAIR_LATENCY, true);

    /* For one message only, and no copy of the packet. */
    assert_int_equal(sockets_set(&p, 0, fd[0], SOL_SOCKET, SO_TIMESTAMPING,
                                 SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY),
                     0);
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(uint32_t))];
    } control;
    uint32_t bits = SOF_TIMESTAMPING_TX_SOFTWARE;
    control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_TIMESTAMPING};
    memcpy(CMSG_DATA(&control.head), &bits, sizeof bits);
    struct iovec iov = {"de", 2};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    begun = p.pair.now + 7 * PAIR_S;
    assert_int_equal(bk_sendmsg(p.side[0], fd[0], &msg, 0, p.pair.now), 2);
    assert_int_equal(bk_write(p.side[0], fd[0], "f", 1, p.pair.now), 1);
    pair_collect(&p.pair);
    sockets_run(&p, PAIR_S);
    expect_stamp(&p, fd[0], SCM_TSTAMP_SND, 4, begun, false);
    assert_int_equal(take(&p, 0, fd[0], 0, MSG_ERRQUEUE).result, -EAGAIN);
    bits = 1;
    control.head.cmsg_type = SO_MARK;
    assert_int_equal(bk_sendmsg(p.side[0], fd[0], &msg, 0, p.pair.now), -EINVAL);
    sockets_close(&p);
}

/* Octets that came at different times are told apart. */
static void test_arrivals(void **state) {
    struct sockets_pair p;
    int fd[2];
    (void)state;
    begin(&p, 6, fd);
    const int both = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    assert_int_equal(sockets_set(&p, 1, fd[1], SOL_SOCKET, SO_TIMESTAMPING, both), 0);
    uint64_t first = p.pair.now + PAIR_LATENCY;
    assert_int_equal(bk_write(p.side[0], fd[0], "abc", 3, p.pair.now), 3);
    sockets_run(&p, PAIR_S);
    uint64_t second = p.pair.now + PAIR_LATENCY;
    assert_int_equal(bk_write(p.side[0], fd[0], "de", 2, p.pair.now), 2);
    sockets_run(&p, PAIR_S);
    struct told t = take(&p, 1, fd[1], 2, 0);
    assert_int_equal(t.result, 2);
    assert_true(t.has_time && t.time == first);
    t = take(&p, 1, fd[1], 2, 0);
    assert_int_equal(t.result, 2);
    assert_true(t.has_time && t.time == second); /* of the last octet read */
    sockets_close(&p);
}

/* SO_LINGER: a close that waits is over when the data is acknowledged, or when its time is. */
static void test_linger(void **state) {
    struct sockets_pair p;
    int fd[2];
    struct linger some = {1, 2};
    (void)state;
    begin(&p, 4, fd);
    struct bk_syscall c = {.sys = BK_SYS_CLOSE, .fd = fd[0]};
    assert_int_equal(bk_setsockopt(p.side[0], fd[0], SOL_SOCKET, SO_LINGER, &some, sizeof some, p.pair.now), 0);
    assert_int_equal(bk_write(p.side[0], fd[0], "abc", 3, p.pair.now), 3);
    uint64_t begun = p.pair.now;
    assert_false(sockets_begin(&p, 0, &c));
    assert_int_equal(bk_fcntl(p.side[0], fd[0], 1 /* F_GETFD */, 0), -EBADF); /* the number is free already */
    assert_true(c.due == begun + 2 * PAIR_S);
    assert_int_equal(sockets_do(&p, 0, &c, PAIR_S), 0);
    assert_true(p.pair.now >= begun + 2 * PAIR_LATENCY && p.pair.now < begun + 100 * PAIR_MS);
    assert_int_equal(pair_states(&p.pair, 0, BK_FIN_WAIT_2), 1);

    /* Nobody answers: two seconds, and the stack goes on alone. */
    int other[2];
    sockets_connect(&p, 3, other);
    c = (struct bk_syscall){.sys = BK_SYS_CLOSE, .fd = other[0]};
    assert_int_equal(bk_setsockopt(p.side[0], other[0], SOL_SOCKET, SO_LINGER, &some, sizeof some, p.pair.now), 0);
    p.pair.side[1].device_dead = true;
    begun = p.pair.now;
    assert_int_equal(sockets_do(&p, 0, &c, 10 * PAIR_S), 0);
    assert_true(p.pair.now == begun + 2 * PAIR_S);
    assert_int_equal(pair_states(&p.pair, 0, BK_FIN_WAIT_1), 1);
    sockets_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zerocopy),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_linger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
