/* Shows which values each option takes, and what is read back, as the kernel has it; and what options do to a connection. */
#define _GNU_SOURCE 1
#include "socket_bench.h"
#include "sockets_pair.h"

#include <arpa/inet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

#define ONLY_READ INT32_MIN /* in `set`: it is not set */
#define UNREAD    INT32_MIN /* in `get`: what is read is each system's own */

/* An int option of a fresh socket: what setting answers, and what is read then. */
static const struct row {
    const char *name;
    int level, option, set, error, get;
} rows[] = {
    {"SO_REUSEADDR 1", SOL_SOCKET, SO_REUSEADDR, 1, 0, 1},
    {"SO_REUSEADDR 7", SOL_SOCKET, SO_REUSEADDR, 7, 0, 1},
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, ONLY_READ, 0, 0},
    {"SO_TYPE", SOL_SOCKET, SO_TYPE, ONLY_READ, 0, SOCK_STREAM},
    {"SO_TYPE set", SOL_SOCKET, SO_TYPE, 1, -ENOPROTOOPT, SOCK_STREAM},
    {"SO_ERROR set", SOL_SOCKET, SO_ERROR, 1, -ENOPROTOOPT, 0},
    {"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, ONLY_READ, 0, 0},
    {"SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL, ONLY_READ, 0, IPPROTO_TCP},
    {"SO_KEEPALIVE 1", SOL_SOCKET, SO_KEEPALIVE, 1, 0, 1},
    {"SO_OOBINLINE 1", SOL_SOCKET, SO_OOBINLINE, 1, 0, 1},
    {"SO_SNDBUF 1", SOL_SOCKET, SO_SNDBUF, 1, 0, 4608},
    {"SO_SNDBUF 10000", SOL_SOCKET, SO_SNDBUF, 10000, 0, 20000},
    {"SO_RCVBUF 1", SOL_SOCKET, SO_RCVBUF, 1, 0, 2304},
    {"SO_RCVBUF 10000", SOL_SOCKET, SO_RCVBUF, 10000, 0, 20000},
    {"SO_SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, ONLY_READ, 0, 1},
    {"SO_SNDLOWAT set", SOL_SOCKET, SO_SNDLOWAT, 1, -ENOPROTOOPT, 1},
    {"SO_RCVLOWAT 0", SOL_SOCKET, SO_RCVLOWAT, 0, 0, 1},
    {"SO_RCVLOWAT 9", SOL_SOCKET, SO_RCVLOWAT, 9, 0, 9},
    {"SO_RCVLOWAT -1", SOL_SOCKET, SO_RCVLOWAT, -1, 0, UNREAD},
    {"SO_PRIORITY 5", SOL_SOCKET, SO_PRIORITY, 5, 0, 5},
    {"SO_ZEROCOPY 1", SOL_SOCKET, SO_ZEROCOPY, 1, 0, 1},
    {"SO_ZEROCOPY 2", SOL_SOCKET, SO_ZEROCOPY, 2, -EINVAL, 0},
    {"SO_TIMESTAMPING SOFTWARE", SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE, 0, SOF_TIMESTAMPING_SOFTWARE},
    {"SO_TIMESTAMPING OPT_ID", SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_ID, -EINVAL, 0},
    {"SO_TIMESTAMPING -1", SOL_SOCKET, SO_TIMESTAMPING, -1, -EINVAL, 0},
    {"SOL_SOCKET 9999", SOL_SOCKET, 9999, 1, -ENOPROTOOPT, UNREAD},
    {"TCP_NODELAY 3", IPPROTO_TCP, TCP_NODELAY, 3, 0, 1},
    {"TCP_MAXSEG 87", IPPROTO_TCP, TCP_MAXSEG, 87, -EINVAL, 536},
    {"TCP_MAXSEG 88", IPPROTO_TCP, TCP_MAXSEG, 88, 0, 88},
    {"TCP_MAXSEG 32767", IPPROTO_TCP, TCP_MAXSEG, 32767, 0, 32767},
    {"TCP_MAXSEG 32768", IPPROTO_TCP, TCP_MAXSEG, 32768, -EINVAL, 536},
    {"TCP_KEEPIDLE 0", IPPROTO_TCP, TCP_KEEPIDLE, 0, -EINVAL, 7200},
    {"TCP_KEEPIDLE 32767", IPPROTO_TCP, TCP_KEEPIDLE, 32767, 0, 32767},
    {"TCP_KEEPIDLE 32768", IPPROTO_TCP, TCP_KEEPIDLE, 32768, -EINVAL, 7200},
    {"TCP_KEEPINTVL 0", IPPROTO_TCP, TCP_KEEPINTVL, 0, -EINVAL, 75},
    {"TCP_KEEPINTVL 30", IPPROTO_TCP, TCP_KEEPINTVL, 30, 0, 30},
    {"TCP_KEEPCNT 0", IPPROTO_TCP, TCP_KEEPCNT, 0, -EINVAL, 9},
    {"TCP_KEEPCNT 127", IPPROTO_TCP, TCP_KEEPCNT, 127, 0, 127},
    {"TCP_KEEPCNT 128", IPPROTO_TCP, TCP_KEEPCNT, 128, -EINVAL, 9},
    {"TCP_SYNCNT 0", IPPROTO_TCP, TCP_SYNCNT, 0, -EINVAL, UNREAD},
    {"TCP_SYNCNT 3", IPPROTO_TCP, TCP_SYNCNT, 3, 0, 3},
    {"TCP_SYNCNT 128", IPPROTO_TCP, TCP_SYNCNT, 128, -EINVAL, UNREAD},
    {"TCP_LINGER2 30", IPPROTO_TCP, TCP_LINGER2, 30, 0, 30},
    {"TCP_USER_TIMEOUT -1", IPPROTO_TCP, TCP_USER_TIMEOUT, -1, -EINVAL, 0},
    {"TCP_USER_TIMEOUT 500", IPPROTO_TCP, TCP_USER_TIMEOUT, 500, 0, 500},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, ONLY_READ, 0, 0},
    {"TCP_NOTSENT_LOWAT -1", IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, 0, -1},
    {"TCP_INQ 1", IPPROTO_TCP, TCP_INQ, 1, 0, 1},
    {"TCP_INQ 2", IPPROTO_TCP, TCP_INQ, 2, -EINVAL, 0},
    {"TCP_RTO_MAX_MS", IPPROTO_TCP, TCP_RTO_MAX_MS, ONLY_READ, 0, 120000},
    {"TCP_RTO_MAX_MS 999", IPPROTO_TCP, TCP_RTO_MAX_MS, 999, -EINVAL, 120000},
    {"TCP_RTO_MAX_MS 1000", IPPROTO_TCP, TCP_RTO_MAX_MS, 1000, 0, 1000},
    {"TCP_RTO_MAX_MS 120001", IPPROTO_TCP, TCP_RTO_MAX_MS, 120001, -EINVAL, 120000},
    {"TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, ONLY_READ, 0, 0},
    {"TCP_WINDOW_CLAMP 0", IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 0, 0},
    {"TCP_WINDOW_CLAMP -1", IPPROTO_TCP, TCP_WINDOW_CLAMP, -1, 0, 1152},
    {"TCP_WINDOW_CLAMP 1", IPPROTO_TCP, TCP_WINDOW_CLAMP, 1, 0, 1152},
    {"TCP_WINDOW_CLAMP 1153", IPPROTO_TCP, TCP_WINDOW_CLAMP, 1153, 0, 1153},
    {"TCP_WINDOW_CLAMP most", IPPROTO_TCP, TCP_WINDOW_CLAMP, INT32_MAX, 0, INT32_MAX},
    {"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, ONLY_READ, 0, 0},
    {"TCP_DEFER_ACCEPT -1", IPPROTO_TCP, TCP_DEFER_ACCEPT, -1, 0, 0},
    {"TCP_DEFER_ACCEPT 1", IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 0, 1},
    {"TCP_DEFER_ACCEPT 2", IPPROTO_TCP, TCP_DEFER_ACCEPT, 2, 0, 3},
    {"TCP_DEFER_ACCEPT 4", IPPROTO_TCP, TCP_DEFER_ACCEPT, 4, 0, 7},
    {"TCP_DEFER_ACCEPT 300", IPPROTO_TCP, TCP_DEFER_ACCEPT, 300, 0, 367},
    {"TCP 9999", IPPROTO_TCP, 9999, 1, -ENOPROTOOPT, UNREAD},
    {"IP_TOS 16", IPPROTO_IP, IP_TOS, 16, 0, 16},
    {"IP_TOS 19", IPPROTO_IP, IP_TOS, 19, 0, 16},
    {"IP_TOS -1", IPPROTO_IP, IP_TOS, -1, 0, 252},
    {"IP_TTL", IPPROTO_IP, IP_TTL, ONLY_READ, 0, 64},
    {"IP_TTL 0", IPPROTO_IP, IP_TTL, 0, -EINVAL, 64},
    {"IP_TTL 9", IPPROTO_IP, IP_TTL, 9, 0, 9},
    {"IP_TTL 256", IPPROTO_IP, IP_TTL, 256, -EINVAL, 64},
    {"IP_TTL -1", IPPROTO_IP, IP_TTL, -1, 0, 64},
    {"IP_MTU_DISCOVER 6", IPPROTO_IP, IP_MTU_DISCOVER, 6, -EINVAL, IP_PMTUDISC_WANT},
    {"IP_MTU_DISCOVER DONT", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, 0, IP_PMTUDISC_DONT},
    {"IP_FREEBIND 1", IPPROTO_IP, IP_FREEBIND, 1, 0, 1},
    {"IP_RECVERR 1", IPPROTO_IP, IP_RECVERR, 1, 0, 1},
    {"IPV6_V6ONLY of AF_INET", IPPROTO_IPV6, IPV6_V6ONLY, 1, -ENOPROTOOPT, UNREAD},
};

static const struct row rows_ipv6[] = {
    {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, ONLY_READ, 0, 0},
    {"IPV6_V6ONLY 1", IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 1},
    {"IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS, ONLY_READ, 0, 0},
    {"IPV6_TCLASS 32", IPPROTO_IPV6, IPV6_TCLASS, 32, 0, 32},
    {"IPV6_TCLASS 256", IPPROTO_IPV6, IPV6_TCLASS, 256, -EINVAL, 0},
    {"IPV6_UNICAST_HOPS 7", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7, 0, 7},
    {"IPV6_UNICAST_HOPS 256", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256, -EINVAL, 64},
    {"IPV6_RECVERR 1", IPPROTO_IPV6, IPV6_RECVERR, 1, 0, 1},
    {"IPV6_MTU_DISCOVER DO", IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, 0, IPV6_PMTUDISC_DO},
    {"IPV6 9999", IPPROTO_IPV6, 9999, 1, -ENOPROTOOPT, UNREAD},
    {"IP_TTL of AF_INET6", IPPROTO_IP, IP_TTL, 9, 0, 9},
};

/* 0: as the row says. */
static unsigned check(struct sockets_pair *p, const struct row *r, int domain) {
    int fd = p == NULL ? socket(domain, SOCK_STREAM, 0) : bk_socket(p->side[0], domain, SOCK_STREAM, 0);
    int value = r->set, error = 0, got = -1;
    socklen_t length = sizeof got;
    if (fd < 0) skip();
    if (r->set != ONLY_READ) {
        if (p == NULL)
            error = setsockopt(fd, r->level, r->option, &value, sizeof value) < 0 ? -errno : 0;
        else
            error = bk_setsockopt(p->side[0], fd, r->level, r->option, &value, sizeof value, p->pair.now);
    }
    if (r->get != UNREAD) {
        if (p == NULL)
            assert_int_equal(getsockopt(fd, r->level, r->option, &got, &length), 0);
        else
            assert_int_equal(bk_getsockopt(p->side[0], fd, r->level, r->option, &got, &length, p->pair.now), 0);
    }
    if (p == NULL)
        (void)close(fd);
    else
        (void)bk_close(p->side[0], fd, p->pair.now);
    if (error == r->error && (r->get == UNREAD || got == r->get)) return 0;
    print_error("%s: set answers %d, then %d is read\n", r->name, error, got);
    return 1;
}

static void check_rows(struct sockets_pair *p) {
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) wrong += check(p, &rows[i], AF_INET);
    for (size_t i = 0; i < sizeof rows_ipv6 / sizeof rows_ipv6[0]; i++) wrong += check(p, &rows_ipv6[i], AF_INET6);
    assert_int_equal(wrong, 0);
}

static void test_values(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    check_rows(&p);
    sockets_close(&p);
}

static void test_kernel_values(void **state) {
    (void)state;
    if (!bench_has_kernel()) skip();
    check_rows(NULL);
}

static void test_forms(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    struct bk_sockets *s = p.side[0];
    int fd = bk_socket(s, AF_INET, SOCK_STREAM, 0);
    struct linger linger = {1, 7};
    socklen_t length = sizeof linger;
    assert_int_equal(bk_setsockopt(s, fd, SOL_SOCKET, SO_LINGER, &linger, 4, p.pair.now), -EINVAL);
    assert_int_equal(bk_setsockopt(s, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger, p.pair.now), 0);
    linger = (struct linger){0, 0};
    assert_int_equal(bk_getsockopt(s, fd, SOL_SOCKET, SO_LINGER, &linger, &length, p.pair.now), 0);
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 7);

    struct timeval tv = {2, 1000000};
    assert_int_equal(bk_setsockopt(s, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv, p.pair.now), -EDOM);
    tv.tv_usec = 500000;
    assert_int_equal(bk_setsockopt(s, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv, p.pair.now), 0);
    tv = (struct timeval){0, 0};
    length = sizeof tv;
    assert_int_equal(bk_getsockopt(s, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &length, p.pair.now), 0);
    assert_int_equal(tv.tv_sec, 2);
    assert_int_equal(tv.tv_usec, 500000);

    char name[16] = "";
    length = sizeof name;
    assert_int_equal(bk_setsockopt(s, fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4, p.pair.now), 0);
    assert_int_equal(bk_getsockopt(s, fd, IPPROTO_TCP, TCP_CONGESTION, name, &length, p.pair.now), 0);
    assert_string_equal(name, "reno");
    assert_int_equal(bk_setsockopt(s, fd, IPPROTO_TCP, TCP_CONGESTION, "vegan", 5, p.pair.now), -ENOENT);
    /* An octet is enough for IP_TOS; what is read is cut off to what there is room for. */
    uint8_t octet = 8;
    assert_int_equal(bk_setsockopt(s, fd, IPPROTO_IP, IP_TOS, &octet, 1, p.pair.now), 0);
    assert_int_equal(sockets_option(&p, 0, fd, IPPROTO_IP, IP_TOS), 8);
    assert_int_equal(bk_setsockopt(s, fd, IPPROTO_TCP, TCP_NODELAY, &octet, 1, p.pair.now), -EINVAL);
    length = 1;
    octet = 0;
    assert_int_equal(bk_getsockopt(s, fd, SOL_SOCKET, SO_TYPE, &octet, &length, p.pair.now), 0);
    assert_int_equal(length, 1);
    assert_int_equal(bk_getsockopt(s, fd, IPPROTO_IP, IP_MTU, name, &length, p.pair.now), -ENOTCONN);
    assert_int_equal(bk_setsockopt(s, fd, IPPROTO_TCP, 23 /* TCP_FASTOPEN */, name, 4, p.pair.now), -ENOPROTOOPT);
    sockets_close(&p);
}

/* What was set on a listener is in force in the handshake and in what it accepts. */
static void test_inherited(void **state) {
    struct sockets_pair p;
    (void)state;
    sockets_open(&p, 4);
    int listener = sockets_listen(&p, 1, 5), fd[2];
    struct linger linger = {1, 7};
    assert_int_equal(sockets_set(&p, 1, listener, SOL_SOCKET, SO_RCVBUF, 200000), 0);
    assert_int_equal(sockets_set(&p, 1, listener, IPPROTO_TCP, TCP_MAXSEG, 700), 0);
    assert_int_equal(sockets_set(&p, 1, listener, IPPROTO_TCP, TCP_KEEPIDLE, 77), 0);
    assert_int_equal(sockets_set(&p, 1, listener, SOL_SOCKET, SO_RCVLOWAT, 5), 0);
    assert_int_equal(bk_setsockopt(p.side[1], listener, SOL_SOCKET, SO_LINGER, &linger, sizeof linger, p.pair.now), 0);
    sockets_connect(&p, listener, fd);
    assert_int_equal(sockets_option(&p, 1, fd[1], SOL_SOCKET, SO_RCVBUF), 400000);
    assert_int_equal(sockets_option(&p, 1, fd[1], IPPROTO_TCP, TCP_KEEPIDLE), 77);
    assert_int_equal(sockets_option(&p, 1, fd[1], SOL_SOCKET, SO_RCVLOWAT), 5);
    assert_int_equal(sockets_option(&p, 1, fd[1], SOL_SOCKET, SO_REUSEADDR), 1);
    struct bk_socket_tcp_info info;
    socklen_t length = sizeof info;
    assert_int_equal(bk_getsockopt(p.side[0], fd[0], IPPROTO_TCP, TCP_INFO, &info, &length, p.pair.now), 0);
    assert_int_equal(length, sizeof info);
    assert_int_equal(info.tcpi_state, 1);
    /* 200,000 octets need a scale of 2 (65,535 << 2 = 262,140). */
    assert_int_equal(info.tcpi_snd_wscale, 2);
    /* 700 less the timestamp option's 12. */
    assert_int_equal(info.tcpi_snd_mss, 688);
    /* Too little to wake a reader that wants five octets. */
    assert_int_equal(bk_write(p.side[0], fd[0], "abcd", 4, p.pair.now), 4);
    sockets_run(&p, 4 * PAIR_LATENCY);
    assert_int_equal(sockets_poll(&p, 1, fd[1], POLLIN), 0);
    assert_int_equal(bk_write(p.side[0], fd[0], "e", 1, p.pair.now), 1);
    sockets_run(&p, PAIR_S);
    assert_int_equal(sockets_poll(&p, 1, fd[1], POLLIN), POLLIN);
    sockets_close(&p);
}

/* A clamp that is known before the SYN decides on the window's scale: 70,000 octets need 65,535 << 1. */
static void test_clamp(void **state) {
    struct bk_config config;
    struct sockets_pair p;
    (void)state;
    pair_config(&config);
    config.receive_buffer_max = 1 << 20; /* which needs a scale of 5 */
    sockets_open_with(&p, 4, &config);
    int listener = sockets_listen(&p, 1, 5), fd[2];
    sockets_connect(&p, listener, fd);
    struct bk_socket_tcp_info info;
    socklen_t length = sizeof info;
    assert_int_equal(bk_getsockopt(p.side[0], fd[0], IPPROTO_TCP, TCP_INFO, &info, &length, p.pair.now), 0);
    assert_int_equal(info.tcpi_rcv_wscale, 5);
    struct sockaddr_storage a;
    length = sockets_address(&p, 1, PAIR_PORT, &a);
    int other = bk_socket(p.side[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(sockets_set(&p, 0, other, IPPROTO_TCP, TCP_WINDOW_CLAMP, 70000), 0);
    assert_int_equal(bk_connect(p.side[0], other, (struct sockaddr *)&a, length, p.pair.now), -EINPROGRESS);
    sockets_run(&p, PAIR_S);
    length = sizeof info;
    assert_int_equal(bk_getsockopt(p.side[0], other, IPPROTO_TCP, TCP_INFO, &info, &length, p.pair.now), 0);
    assert_int_equal(info.tcpi_rcv_wscale, 1);
    assert_int_equal(info.tcpi_rcv_ssthresh,
                     config.receive_buffer < 70000 ? config.receive_buffer : 70000); /* the window at most */
    assert_int_equal(sockets_option(&p, 0, fd[0], IPPROTO_TCP, TCP_WINDOW_CLAMP), config.receive_buffer);
    sockets_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_kernel_values), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_inherited), cmocka_unit_test(test_clamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
