/* Shows IP_RECVERR: which ICMP errors stand in the error queue, what an entry says, what is pending besides, and where it ends. */
#define _GNU_SOURCE 1
#include "fixture_icmp.h"
#include "sockets_pair.h"

#include <linux/errqueue.h>
#include <string.h>

struct world {
    struct sockets_pair p;
    int fd[2];
    bk_addr router; /* on the way */
};

static void up(struct world *w, int family, bool recverr) {
    sockets_open(&w->p, family);
    sockets_connect(&w->p, sockets_listen(&w->p, 1, 5), w->fd);
    assert_int_equal(bk_addr_parse(family == 4 ? "198.51.100.7" : "2001:db8:7::7", &w->router), 0);
    if (!recverr) return;
    assert_int_equal(sockets_set(&w->p, 0, w->fd[0], family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
                                 family == 4 ? IP_RECVERR : IPV6_RECVERR, 1),
                     0);
}

/* The connection of side 0's socket, with octets outstanding that the peer will not see. */
static struct bk_tcp_info send_into_the_dark(struct world *w) {
    bk_conn conn;
    assert_int_equal(bk_write(w->p.side[0], w->fd[0], "abc", 3, w->p.pair.now), 3);
    pair_collect(&w->p.pair);
    pair_lose(&w->p.pair);
    assert_int_equal(bk_socket_conn(w->p.side[0], w->fd[0], &conn), 0);
    return pair_status(&w->p.pair, 0, conn);
}

/* Behind that, a segment that a router may find too big. */
static void send_more_than_fits(struct world *w) {
    uint8_t block[2000] = {0};
    assert_int_equal(bk_write(w->p.side[0], w->fd[0], block, sizeof block, w->p.pair.now), sizeof block);
    pair_collect(&w->p.pair);
    pair_lose(&w->p.pair);
}

/* An error of the router's about octet `seq` of the connection. */
static uint16_t trouble(struct world *w, const struct bk_tcp_info *info, enum icmp_error what, uint32_t seq,
                        uint32_t mtu) {
    uint8_t frame[ICMP_FRAME_MAX];
    struct wire_seg about = {.src = info->local,
                             .dst = info->remote,
                             .sport = info->local_port,
                             .dport = info->remote_port,
                             .seq = seq,
                             .flags = ACK,
                             .mss = -1,
                             .wscale = -1};
    size_t n = icmp_build(what, mtu, &about, &w->router, frame);
    return bk_input_copy(w->p.pair.side[0].stack, 0, frame, n, w->p.pair.now);
}

static void arrives(struct world *w, const struct bk_tcp_info *info, enum icmp_error what, uint32_t mtu) {
    assert_int_equal(trouble(w, info, what, info->snd_una, mtu), BK_REASON_ACCEPT_ICMP_ERROR);
    sockets_settle(&w->p);
}

/* What one recvmsg of the error queue told. */
struct told {
    ssize_t result;
    int flags;
    struct sock_extended_err error;
    struct sockaddr_storage offender, name;
    socklen_t name_length;
    uint8_t data[16];
};

static struct told take(struct world *w, size_t size) {
    struct told t = {0};
    union {
        struct cmsghdr head;
        char room[256];
    } control;
    struct iovec iov = {t.data, size};
    struct msghdr msg = {.msg_name = &t.name,
                         .msg_namelen = sizeof t.name,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    t.result = bk_recvmsg(w->p.side[0], w->fd[0], &msg, MSG_ERRQUEUE, w->p.pair.now);
    t.flags = msg.msg_flags;
    t.name_length = msg.msg_namelen;
    if (t.result < 0) return t;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    bool v4 = w->p.family == 4;
    assert_non_null(c);
    assert_int_equal(c->cmsg_level, v4 ? IPPROTO_IP : IPPROTO_IPV6);
    assert_int_equal(c->cmsg_type, v4 ? IP_RECVERR : IPV6_RECVERR);
    assert_int_equal(c->cmsg_len,
                     CMSG_LEN(sizeof t.error + (v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6))));
    memcpy(&t.error, CMSG_DATA(c), sizeof t.error);
    memcpy(&t.offender, CMSG_DATA(c) + sizeof t.error, c->cmsg_len - CMSG_LEN(sizeof t.error));
    return t;
}

static int so_error(struct world *w) {
    return sockets_option(&w->p, 0, w->fd[0], SOL_SOCKET, SO_ERROR);
}

static void expect_address(const struct sockaddr_storage *a, int family, const bk_addr *addr, uint16_t port) {
    if (family == 4) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        assert_int_equal(in->sin_family, AF_INET);
        assert_int_equal(ntohs(in->sin_port), port);
        assert_memory_equal(&in->sin_addr, addr->byte + 12, 4);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
        assert_int_equal(in6->sin6_family, AF_INET6);
        assert_int_equal(ntohs(in6->sin6_port), port);
        assert_memory_equal(&in6->sin6_addr, addr->byte, 16);
    }
}

/* RFC 9293 3.9.2.2 SHLD-25: it is told, by the queue and by the next call, once; the connection goes on. */
static void entry(int family) {
    struct world w;
    up(&w, family, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    assert_int_equal(sockets_poll(&w.p, 0, w.fd[0], POLLIN), POLLERR);
    char data[4];
    assert_int_equal(bk_read(w.p.side[0], w.fd[0], data, sizeof data, w.p.pair.now), -EHOSTUNREACH);
    assert_int_equal(bk_read(w.p.side[0], w.fd[0], data, sizeof data, w.p.pair.now), -EAGAIN);
    struct told t = take(&w, sizeof t.data);
    assert_int_equal(t.result, 8);
    assert_int_equal(t.flags, MSG_ERRQUEUE);
    assert_int_equal(t.error.ee_errno, EHOSTUNREACH);
    assert_int_equal(t.error.ee_origin, family == 4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6);
    assert_int_equal(t.error.ee_type, family == 4 ? 3 : 1);
    assert_int_equal(t.error.ee_code, family == 4 ? 1 : 3);
    assert_int_equal(t.error.ee_info, 0);
    expect_address(&t.offender, family, &w.router, 0);
    expect_address(&t.name, family, &info.remote, info.remote_port);
    assert_int_equal(t.name_length, family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    /* The quoted segment's ports and sequence number. */
    const uint8_t quoted[8] = {(uint8_t)(info.local_port >> 8),  (uint8_t)info.local_port,
                               (uint8_t)(info.remote_port >> 8), (uint8_t)info.remote_port,
                               (uint8_t)(info.snd_una >> 24),    (uint8_t)(info.snd_una >> 16),
                               (uint8_t)(info.snd_una >> 8),     (uint8_t)info.snd_una};
    assert_memory_equal(t.data, quoted, sizeof quoted);
    assert_int_equal(sockets_poll(&w.p, 0, w.fd[0], POLLIN), 0);
    sockets_run(&w.p, 2 * PAIR_S); /* sent again, and acknowledged */
    assert_int_equal(bk_read(w.p.side[1], w.fd[1], data, sizeof data, w.p.pair.now), 3);
    sockets_close(&w.p);
}

/* An entry that is read takes the pending error along; so Linux has it. One that is cut off says so. */
static void pending(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    arrives(&w, &info, NET_UNREACHABLE, 0);
    struct told t = take(&w, 3);
    assert_int_equal(t.result, 3);
    assert_int_equal(t.flags, MSG_ERRQUEUE | MSG_TRUNC);
    assert_int_equal(so_error(&w), ENETUNREACH); /* the next one's */
    assert_int_equal(take(&w, 16).error.ee_errno, ENETUNREACH);
    assert_int_equal(so_error(&w), 0);
    assert_int_equal(take(&w, 16).result, -EAGAIN);
    sockets_close(&w.p);
}

/* To read an entry takes back no more than its error: how the connection ended is told all the same. */
static void the_end_is_told(void **state) {
    struct world w;
    char data[4];
    (void)state;
    up(&w, 4, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    sockets_run(&w.p, 2 * PAIR_S);                                     /* sent again, and not read */
    assert_int_equal(bk_close(w.p.side[1], w.fd[1], w.p.pair.now), 0); /* so with a reset */
    sockets_run(&w.p, PAIR_S);
    assert_int_equal(take(&w, 16).error.ee_errno, EHOSTUNREACH);
    assert_int_equal(bk_read(w.p.side[0], w.fd[0], data, sizeof data, w.p.pair.now), -ECONNRESET);
    sockets_close(&w.p);
}

/* Neither brings an entry about a smaller MTU an error when its turn comes, nor does reading it take one back. */
static void too_big_between(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    send_more_than_fits(&w);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    arrives(&w, &info, TOO_BIG, 1300);
    assert_int_equal(take(&w, 16).error.ee_errno, EHOSTUNREACH);
    assert_int_equal(so_error(&w), 0);
    arrives(&w, &info, NET_UNREACHABLE, 0);
    assert_int_equal(take(&w, 16).error.ee_errno, EMSGSIZE);
    assert_int_equal(so_error(&w), ENETUNREACH);
    sockets_close(&w.p);
}

/* A smaller MTU is no error of a call. */
static void too_big(int family) {
    struct world w;
    up(&w, family, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    send_more_than_fits(&w);
    arrives(&w, &info, TOO_BIG, 1300);
    assert_int_equal(so_error(&w), 0);
    struct told t = take(&w, 16);
    assert_int_equal(t.error.ee_errno, EMSGSIZE);
    assert_int_equal(t.error.ee_type, family == 4 ? 3 : 2);
    assert_int_equal(t.error.ee_code, family == 4 ? 4 : 0);
    assert_int_equal(t.error.ee_info, 1300);
    sockets_close(&w.p);
}

static void entries(void **state) {
    (void)state;
    entry(4);
    entry(6);
    too_big(4);
    too_big(6);
}

/* RFC 5927 4.1: what names nothing outstanding reaches neither queue nor calls. */
static void forged(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    assert_int_equal(trouble(&w, &info, HOST_UNREACHABLE, info.snd_una - 1, 0), BK_REASON_DROP_ICMP_UNRELATED);
    assert_int_equal(trouble(&w, &info, PORT_UNREACHABLE, info.snd_una + 3, 0), BK_REASON_DROP_ICMP_UNRELATED);
    sockets_settle(&w.p);
    assert_int_equal(sockets_poll(&w.p, 0, w.fd[0], POLLIN), 0);
    assert_int_equal(so_error(&w), 0);
    assert_int_equal(take(&w, 16).result, -EAGAIN);
    sockets_close(&w.p);
}

/* Without the option nothing is queued, calls go on, and SO_ERROR tells what was heard last, once. */
static void soft(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, false);
    struct bk_tcp_info info = send_into_the_dark(&w);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    assert_int_equal(sockets_poll(&w.p, 0, w.fd[0], POLLIN), 0);
    char data[4];
    assert_int_equal(bk_read(w.p.side[0], w.fd[0], data, sizeof data, w.p.pair.now), -EAGAIN);
    assert_int_equal(so_error(&w), EHOSTUNREACH);
    assert_int_equal(so_error(&w), 0);
    assert_int_equal(take(&w, 16).result, -EAGAIN);
    sockets_close(&w.p);
}

/* With the option off again what it brought is gone; what others brought stays. */
static void off(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, true);
    assert_int_equal(sockets_set(&w.p, 0, w.fd[0], SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    struct bk_tcp_info info = send_into_the_dark(&w);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    assert_int_equal(so_error(&w), EHOSTUNREACH);
    sockets_run(&w.p, 2 * PAIR_S);
    assert_int_equal(bk_send(w.p.side[0], w.fd[0], "d", 1, MSG_ZEROCOPY, w.p.pair.now), 1);
    sockets_run(&w.p, PAIR_S);
    info = send_into_the_dark(&w);
    arrives(&w, &info, NET_UNREACHABLE, 0);
    assert_int_equal(sockets_set(&w.p, 0, w.fd[0], IPPROTO_IP, IP_RECVERR, 0), 0);
    struct told t = take(&w, 16);
    assert_int_equal(t.error.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
    assert_int_equal(t.name_length, 0);
    assert_int_equal(take(&w, 16).result, -EAGAIN);
    /* The list's end is where it should be: what comes next is found. */
    assert_int_equal(sockets_set(&w.p, 0, w.fd[0], IPPROTO_IP, IP_RECVERR, 1), 0);
    arrives(&w, &info, TIME_EXCEEDED, 0);
    assert_int_equal(take(&w, 16).error.ee_type, 11);
    sockets_close(&w.p);
}

/* An attempt to connect whose SYN is lost. */
static struct bk_tcp_info begin_to_connect(struct world *w, struct sockaddr_storage *a, socklen_t *length) {
    bk_conn conn;
    *length = sockets_address(&w->p, 1, PAIR_PORT, a);
    w->fd[0] = bk_socket(w->p.side[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(sockets_set(&w->p, 0, w->fd[0], IPPROTO_IP, IP_RECVERR, 1), 0);
    assert_int_equal(bk_connect(w->p.side[0], w->fd[0], (struct sockaddr *)a, *length, w->p.pair.now), -EINPROGRESS);
    pair_collect(&w->p.pair);
    pair_lose(&w->p.pair);
    assert_int_equal(bk_socket_conn(w->p.side[0], w->fd[0], &conn), 0);
    return pair_status(&w->p.pair, 0, conn);
}

/* A soft error does not end an attempt (RFC 9293 SHLD-25), nor does the connection then begin with it; a hard one does (SHLD-26). */
static void opening(void **state) {
    struct world w;
    struct sockaddr_storage a;
    socklen_t length;
    (void)state;
    up(&w, 4, false);
    struct bk_tcp_info info = begin_to_connect(&w, &a, &length);
    arrives(&w, &info, TIME_EXCEEDED, 0);
    assert_int_equal(sockets_poll(&w.p, 0, w.fd[0], POLLOUT), POLLERR);
    assert_int_equal(take(&w, 16).error.ee_type, 11);
    arrives(&w, &info, HOST_UNREACHABLE, 0);
    assert_int_equal(so_error(&w), EHOSTUNREACH);
    assert_int_equal(so_error(&w), 0);
    arrives(&w, &info, NET_UNREACHABLE, 0);
    assert_int_equal(take(&w, 16).error.ee_errno, EHOSTUNREACH); /* which makes the next one no error of a call */
    sockets_run(&w.p, 2 * PAIR_S);                               /* the SYN goes again */
    assert_int_equal(bk_connect(w.p.side[0], w.fd[0], (struct sockaddr *)&a, length, w.p.pair.now), 0);
    assert_int_equal(bk_write(w.p.side[0], w.fd[0], "a", 1, w.p.pair.now), 1);
    assert_int_equal(take(&w, 16).error.ee_errno, ENETUNREACH);

    info = begin_to_connect(&w, &a, &length);
    arrives(&w, &info, PORT_UNREACHABLE, 0);
    assert_int_equal(bk_connect(w.p.side[0], w.fd[0], (struct sockaddr *)&a, length, w.p.pair.now), -ECONNREFUSED);
    struct told t = take(&w, 16);
    assert_int_equal(t.error.ee_errno, ECONNREFUSED);
    assert_int_equal(t.error.ee_code, 3);
    sockets_close(&w.p);
}

#define KEPT_BY_STACK  32u
#define KEPT_BY_SOCKET 1024u

/* Both bounds: what the stack keeps until it is asked, and what a socket keeps until it is read. */
static void bounds(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    for (uint32_t i = 0; i < KEPT_BY_STACK + 3; i++)
        assert_int_equal(trouble(&w, &info, i == 0 ? NET_UNREACHABLE : HOST_UNREACHABLE, info.snd_una, 0),
                         BK_REASON_ACCEPT_ICMP_ERROR);
    assert_int_equal(pair_count(&w.p.pair, 0, BK_REASON_NOTE_ERRORS_FULL), 3);
    sockets_settle(&w.p);
    assert_int_equal(take(&w, 16).error.ee_errno, ENETUNREACH); /* the oldest stayed */
    for (uint32_t i = 1; i < KEPT_BY_STACK; i++) assert_int_equal(take(&w, 16).error.ee_errno, EHOSTUNREACH);
    assert_int_equal(take(&w, 16).result, -EAGAIN);
    for (uint32_t i = 0; i < KEPT_BY_SOCKET + 5; i++) arrives(&w, &info, HOST_UNREACHABLE, 0);
    assert_int_equal(bk_sockets_reports_dropped(w.p.side[0]), 5);
    for (uint32_t i = 0; i < KEPT_BY_SOCKET; i++) assert_int_equal(take(&w, 16).result, 8);
    assert_int_equal(take(&w, 16).result, -EAGAIN);
    sockets_close(&w.p);
}

/* An error for a socket that is closed before the sockets are told is nobody's. */
static void closed(void **state) {
    struct world w;
    (void)state;
    up(&w, 4, true);
    struct bk_tcp_info info = send_into_the_dark(&w);
    assert_int_equal(trouble(&w, &info, HOST_UNREACHABLE, info.snd_una, 0), BK_REASON_ACCEPT_ICMP_ERROR);
    assert_int_equal(bk_close(w.p.side[0], w.fd[0], w.p.pair.now), 0);
    sockets_settle(&w.p);
    struct bk_tcp_error error;
    assert_int_equal(bk_tcp_errors(w.p.pair.side[0].stack, &error, 1), 0);
    sockets_close(&w.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),         cmocka_unit_test(pending),
        cmocka_unit_test(forged),          cmocka_unit_test(soft),
        cmocka_unit_test(opening),         cmocka_unit_test(off),
        cmocka_unit_test(bounds),          cmocka_unit_test(closed),
        cmocka_unit_test(the_end_is_told), cmocka_unit_test(too_big_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
