/* Shows what a listener may say beyond address and port: IPv6 only, an address that is not local, another backlog, and what its connections begin with. */
#include <errno.h>

#include "pair.h"

static struct bk_tcp_passive passive(const char *local, uint32_t flags) {
    struct bk_tcp_passive p = {.port = PAIR_PORT, .backlog = 1, .flags = flags};
    assert_int_equal(bk_addr_parse(local, &p.local), 0);
    return p;
}

static int listen_at(struct pair *p, const char *local, uint32_t flags, bk_listener *out) {
    struct bk_tcp_passive what = passive(local, flags);
    return bk_tcp_listen_with(p->side[1].stack, &what, p->now, out);
}

static void open_pair(struct pair *p) {
    struct bk_config config;
    pair_config(&config);
    config.listeners = 4;
    pair_open(p, 4, BK_LAYER_IP, &config, NULL);
}

/* RFC 3493 5.3: then IPv4 is another's, or nobody's. */
static void ipv6_only(void **state) {
    struct pair p;
    bk_listener six, four;
    (void)state;
    open_pair(&p);
    assert_int_equal(listen_at(&p, "::", BK_LISTEN_IPV6_ONLY, &six), 0);
    bk_conn conn = pair_connect(&p, 0);
    pair_run(&p, 100 * PAIR_MS);
    assert_int_equal(pair_status(&p, 0, conn).error, -ECONNREFUSED);
    assert_int_equal(listen_at(&p, "0.0.0.0", 0, &four), 0);
    assert_int_equal(bk_tcp_unlisten(p.side[1].stack, six, p.now), 0);
    assert_int_equal(listen_at(&p, "::", 0, &six), -EADDRINUSE);
    assert_int_equal(listen_at(&p, "::", BK_LISTEN_IPV6_ONLY, &six), 0);
    bk_conn pairing[2];
    pair_establish(&p, four, pairing);
    pair_close(&p);
}

static void foreign(void **state) {
    struct pair p;
    bk_listener listener;
    (void)state;
    open_pair(&p);
    assert_int_equal(listen_at(&p, "198.51.100.7", 0, &listener), -EADDRNOTAVAIL);
    assert_int_equal(listen_at(&p, "198.51.100.7", BK_LISTEN_FOREIGN, &listener), 0);
    pair_close(&p);
}

static void backlog(void **state) {
    struct pair p;
    bk_listener listener;
    struct bk_tcp_info info;
    (void)state;
    open_pair(&p);
    assert_int_equal(listen_at(&p, "0.0.0.0", 0, &listener), 0);
    bk_conn conn[3];
    for (int i = 0; i < 3; i++) conn[i] = pair_connect(&p, 0);
    pair_run(&p, 100 * PAIR_MS);
    assert_int_equal(bk_tcp_listener_status(p.side[1].stack, listener, &info), 0);
    assert_int_equal(info.state, BK_LISTEN);
    assert_int_equal(info.backlog, 1);
    assert_int_equal(info.backlog_max, 1);
    assert_int_equal(bk_tcp_backlog(p.side[1].stack, listener, 0, p.now), -EINVAL);
    assert_int_equal(bk_tcp_backlog(p.side[1].stack, listener, 3, p.now), 0);
    pair_run(&p, 5 * PAIR_S); /* the SYN-ACKs go again, and their ACKs find room */
    assert_int_equal(bk_tcp_listener_status(p.side[1].stack, listener, &info), 0);
    assert_int_equal(info.backlog, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(pair_status(&p, 0, conn[i]).state, BK_ESTABLISHED);
    assert_int_equal(bk_tcp_unlisten(p.side[1].stack, listener, p.now), 0);
    assert_int_equal(bk_tcp_backlog(p.side[1].stack, listener, 3, p.now), -EBADF);
    assert_int_equal(bk_tcp_listener_status(p.side[1].stack, listener, &info), -EBADF);
    pair_close(&p);
}

static uint64_t option(const struct pair *p, bk_conn conn, enum bk_tcp_option which) {
    uint64_t value;
    assert_int_equal(bk_tcp_get(p->side[1].stack, conn, which, &value), 0);
    return value;
}

static void options(void **state) {
    struct pair p;
    bk_listener listener;
    bk_conn conn[2];
    (void)state;
    open_pair(&p);
    bk_stack *stack = p.side[1].stack;
    assert_int_equal(listen_at(&p, "0.0.0.0", 0, &listener), 0);
    assert_int_equal(bk_tcp_listener_set(stack, listener, BK_TCP_NODELAY, 2, p.now), -EINVAL);
    assert_int_equal(bk_tcp_listener_set(stack, listener, BK_TCP_USER, 2, p.now), -ENOPROTOOPT);
    assert_int_equal(bk_tcp_listener_set(stack, listener, BK_TCP_NODELAY, 1, p.now), 0);
    assert_int_equal(bk_tcp_listener_set(stack, listener, BK_TCP_KEEPALIVE_IDLE_S, 99, p.now), 0);
    assert_int_equal(bk_tcp_listener_set(stack, listener, BK_TCP_MAX_SEGMENT, 600, p.now), 0);
    assert_int_equal(bk_tcp_listener_set(stack, listener, BK_TCP_RECEIVE_BUFFER, 1000000, p.now), 0);
    pair_establish(&p, listener, conn);
    assert_int_equal(option(&p, conn[1], BK_TCP_NODELAY), 1);
    assert_int_equal(option(&p, conn[1], BK_TCP_KEEPALIVE_IDLE_S), 99);
    struct bk_tcp_info peer = pair_status(&p, 0, conn[0]);
    assert_int_equal(peer.send_mss, 600 - 12); /* the timestamp option's bytes */
    assert_int_equal(peer.send_scale, 4);      /* 65,535 << 4 is the least that tells a million */
    assert_int_equal(pair_status(&p, 1, conn[1]).advertised_mss, 600);
    pair_close(&p);
}

/* Without owner a connection waits in FIN-WAIT-2 as long as it was set to. */
static void fin_wait_2(void **state) {
    struct pair p;
    bk_conn conn[2];
    (void)state;
    open_pair(&p);
    pair_establish(&p, pair_listen(&p, 1, 1), conn);
    assert_int_equal(bk_tcp_set(p.side[0].stack, conn[0], BK_TCP_FIN_WAIT_2_S, 256, p.now), -EINVAL);
    assert_int_equal(bk_tcp_set(p.side[0].stack, conn[0], BK_TCP_FIN_WAIT_2_S, 3, p.now), 0);
    assert_int_equal(bk_tcp_close(p.side[0].stack, conn[0], p.now), 0);
    pair_run(&p, 2900 * PAIR_MS);
    assert_int_equal(pair_states(&p, 0, BK_FIN_WAIT_2), 1);
    pair_run(&p, 200 * PAIR_MS);
    assert_int_equal(pair_states(&p, 0, BK_FIN_WAIT_2), 0);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_only), cmocka_unit_test(foreign),    cmocka_unit_test(backlog),
        cmocka_unit_test(options),   cmocka_unit_test(fin_wait_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
