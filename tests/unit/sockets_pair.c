/* Two tables of sockets over two joined stacks. */
#include "sockets_pair.h"

#include <arpa/inet.h>
#include <string.h>

void sockets_open_with(struct sockets_pair *p, int family, const struct bk_config *config) {
    memset(p, 0, sizeof *p);
    p->family = family;
    pair_open(&p->pair, family, BK_LAYER_IP, config, NULL);
    for (int i = 0; i < 2; i++) assert_int_equal(bk_sockets_create(p->pair.side[i].stack, NULL, &p->side[i]), 0);
}

void sockets_open(struct sockets_pair *p, int family) {
    struct bk_config config;
    pair_config(&config);
    config.listeners = 8;
    sockets_open_with(p, family, &config);
}

void sockets_close(struct sockets_pair *p) {
    for (int i = 0; i < 2; i++) bk_sockets_destroy(p->side[i], p->pair.now);
    pair_close(&p->pair);
}

static void try_call(struct sockets_pair *p, int side, int i) {
    if (bk_syscall_try(p->side[side], p->call[side][i], p->pair.now)) p->call[side][i] = NULL;
}

void sockets_settle(struct sockets_pair *p) {
    for (int side = 0; side < 2; side++) {
        struct bk_syscall *call;
        bk_sockets_pump(p->side[side], p->pair.now);
        while ((call = bk_sockets_woken(p->side[side])) != NULL)
            for (int i = 0; i < SOCKETS_CALLS; i++)
                if (p->call[side][i] == call) try_call(p, side, i);
        for (int i = 0; i < SOCKETS_CALLS; i++)
            if (p->call[side][i] != NULL && p->call[side][i]->due <= p->pair.now) try_call(p, side, i);
    }
}

void sockets_run(struct sockets_pair *p, uint64_t ns) {
    uint64_t end = p->pair.now + ns;
    sockets_settle(p);
    do {
        uint64_t left = end - p->pair.now;
        pair_run(&p->pair, left < PAIR_MS ? left : PAIR_MS);
        sockets_settle(p);
        pair_collect(&p->pair);
    } while (p->pair.now < end);
}

bool sockets_begin(struct sockets_pair *p, int side, struct bk_syscall *call) {
    int i = 0;
    while (i < SOCKETS_CALLS && p->call[side][i] != call) i++; /* begun before: only tried */
    if (i == SOCKETS_CALLS)
        for (i = 0; i < SOCKETS_CALLS && p->call[side][i] != NULL;) i++;
    assert_true(i < SOCKETS_CALLS);
    p->call[side][i] = call;
    try_call(p, side, i);
    pair_collect(&p->pair);
    return p->call[side][i] == NULL;
}

bool sockets_waits(const struct sockets_pair *p, int side, const struct bk_syscall *call) {
    for (int i = 0; i < SOCKETS_CALLS; i++)
        if (p->call[side][i] == call) return true;
    return false;
}

int64_t sockets_do(struct sockets_pair *p, int side, struct bk_syscall *call, uint64_t ns) {
    uint64_t end = p->pair.now + ns;
    (void)sockets_begin(p, side, call);
    while (sockets_waits(p, side, call) && p->pair.now < end) sockets_run(p, PAIR_MS);
    assert_false(sockets_waits(p, side, call));
    return call->result;
}

socklen_t sockets_address(const struct sockets_pair *p, int side, uint16_t port, struct sockaddr_storage *out) {
    const uint8_t *byte = p->pair.side[side].addr.byte;
    memset(out, 0, sizeof *out);
    if (p->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, byte + 12, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, byte, 16);
    return sizeof *in6;
}

int sockets_listen(struct sockets_pair *p, int side, int backlog) {
    struct bk_sockets *s = p->side[side];
    struct sockaddr_storage a;
    socklen_t length = sockets_address(p, side, PAIR_PORT, &a);
    int fd = bk_socket(s, p->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(sockets_set(p, side, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bk_bind(s, fd, (struct sockaddr *)&a, length, p->pair.now), 0);
    assert_int_equal(bk_listen(s, fd, backlog, p->pair.now), 0);
    return fd;
}

void sockets_connect(struct sockets_pair *p, int listener, int fd[2]) {
    struct sockaddr_storage a;
    socklen_t length = sockets_address(p, 1, PAIR_PORT, &a);
    fd[0] = bk_socket(p->side[0], p->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd[0] >= 0);
    assert_int_equal(bk_connect(p->side[0], fd[0], (struct sockaddr *)&a, length, p->pair.now), -EINPROGRESS);
    pair_collect(&p->pair);
    sockets_run(p, 4 * PAIR_LATENCY);
    assert_int_equal(bk_connect(p->side[0], fd[0], (struct sockaddr *)&a, length, p->pair.now), 0);
    fd[1] = bk_accept4(p->side[1], listener, NULL, NULL, SOCK_NONBLOCK, p->pair.now);
    assert_true(fd[1] >= 0);
}

int sockets_poll(struct sockets_pair *p, int side, int fd, int events) {
    struct pollfd one = {.fd = fd, .events = (short)events};
    int n = bk_poll(p->side[side], &one, 1, p->pair.now);
    assert_int_equal(n, one.revents != 0);
    return one.revents;
}

int sockets_option(struct sockets_pair *p, int side, int fd, int level, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(bk_getsockopt(p->side[side], fd, level, option, &value, &length, p->pair.now), 0);
    assert_int_equal(length, sizeof value);
    return value;
}

int sockets_set(struct sockets_pair *p, int side, int fd, int level, int option, int value) {
    return bk_setsockopt(p->side[side], fd, level, option, &value, sizeof value, p->pair.now);
}
