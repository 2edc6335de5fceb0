/* The kernel as a side of a comparison: ordinary sockets at one end of a tun device, of which we are the wire.
 *
 * What we write to the device is handled before write() returns, answers included, so a program costs no waiting. Each program has a port of
 * its own. The state of a connection, also of one that no socket refers to any more, comes from sock_diag(7).
 */
#define _GNU_SOURCE
#include "differ.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER  16384
#define BACKLOG 8

/* Connection states as sock_diag tells them (the kernel's enum of net/tcp_states.h, which netinet/tcp.h has under the same numbers). */
static const uint8_t states[] = {
    [TCP_ESTABLISHED] = BK_ESTABLISHED,
    [TCP_SYN_SENT] = BK_SYN_SENT,
    [TCP_SYN_RECV] = BK_SYN_RECEIVED,
    [TCP_FIN_WAIT1] = BK_FIN_WAIT_1,
    [TCP_FIN_WAIT2] = BK_FIN_WAIT_2,
    [TCP_TIME_WAIT] = BK_TIME_WAIT,
    [TCP_CLOSE] = BK_CLOSED,
    [TCP_CLOSE_WAIT] = BK_CLOSE_WAIT,
    [TCP_LAST_ACK] = BK_LAST_ACK,
    [TCP_LISTEN] = BK_CLOSED,
    [TCP_CLOSING] = BK_CLOSING,
};

struct kernel {
    struct differ_side side;
    int tun, diag;
    int listener, conn; /* -1: none */
    int patience_ms;
    bool ipv6, small_buffer;
    uint16_t port;
};

/* ---- the wire -------------------------------------------------------------------------------------- */

static void kernel_arrives(struct differ_side *side, const uint8_t *packet, size_t n) {
    struct kernel *k = (struct kernel *)side;
    if (write(k->tun, packet, n) != (ssize_t)n) {
        perror("the tun device does not take a packet");
        exit(1);
    }
}

static size_t kernel_leaves(struct differ_side *side, uint8_t packet[DIFFER_FRAME]) {
    struct kernel *k = (struct kernel *)side;
    for (;;) {
        struct pollfd p = {.fd = k->tun, .events = POLLIN};
        ssize_t n = read(k->tun, packet, DIFFER_FRAME);
        if (n > 0) return (size_t)n;
        if (k->patience_ms == 0 || poll(&p, 1, k->patience_ms) <= 0) return 0;
    }
}

/* ---- the user -------------------------------------------------------------------------------------- */

static socklen_t address(const struct kernel *k, uint8_t host, uint16_t port, struct sockaddr_storage *out) {
    bk_addr a = differ_addr(k->ipv6, host);
    memset(out, 0, sizeof *out);
    if (k->ipv6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        memcpy(&six->sin6_addr, a.byte, 16);
        return sizeof *six;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    memcpy(&four->sin_addr, a.byte + 12, 4);
    return sizeof *four;
}

static int set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* A socket bound to the side's address and this program's port; options that its connections inherit. */
static int socket_at(const struct kernel *k) {
    struct sockaddr_storage a;
    socklen_t n = address(k, 1, k->port, &a);
    int fd = socket(k->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (k->small_buffer) set(fd, SOL_SOCKET, SO_RCVBUF, DIFFER_SMALL);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0) {
        perror("no socket");
        exit(1);
    }
    return fd;
}

static int result(ssize_t r) {
    return r < 0 ? -errno : (int)r;
}

static int kernel_listen(struct kernel *k) {
    if (k->listener >= 0 || k->conn >= 0) return -EADDRINUSE;
    k->listener = socket_at(k);
    return result(listen(k->listener, BACKLOG));
}

static int kernel_connect(struct kernel *k) {
    struct sockaddr_storage a;
    if (k->listener >= 0 || k->conn >= 0) return -EADDRINUSE;
    socklen_t n = address(k, 2, DIFFER_REMOTE_PORT, &a);
    k->conn = socket_at(k);
    int r = result(connect(k->conn, (struct sockaddr *)&a, n));
    return r == -EINPROGRESS ? 0 : r;
}

static int kernel_accept(struct kernel *k) {
    if (k->conn >= 0 || k->listener < 0) return -EBADF;
    int r = result(accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (r < 0) return r;
    k->conn = r;
    return 0;
}

static void hang_up(int *fd, bool abort) {
    struct linger linger = {.l_onoff = 1};
    if (*fd >= 0 && abort) setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static int kernel_call(struct differ_side *side, const struct differ_step *s) {
    static uint8_t buffer[BUFFER];
    struct kernel *k = (struct kernel *)side;
    int *held = s->call == DIFFER_UNLISTEN ? &k->listener : &k->conn;
    switch (s->call) {
    case DIFFER_LISTEN:
        return kernel_listen(k);
    case DIFFER_CONNECT:
        return kernel_connect(k);
    case DIFFER_ACCEPT:
        return kernel_accept(k);
    default:
        break;
    }
    if (*held < 0) return -EBADF;
    switch (s->call) {
    case DIFFER_SEND:
        return result(send(k->conn, buffer, s->length, MSG_NOSIGNAL));
    case DIFFER_RECEIVE:
        return result(recv(k->conn, buffer, s->length, 0));
    case DIFFER_SHUTDOWN:
        return result(shutdown(k->conn, SHUT_WR));
    default:
        hang_up(held, s->call == DIFFER_ABORT);
        return 0;
    }
}

/* ---- the state ------------------------------------------------------------------------------------- */

static void diag_id(const struct kernel *k, struct inet_diag_sockid *id) {
    bk_addr local = differ_addr(k->ipv6, 1), remote = differ_addr(k->ipv6, 2);
    size_t skip = k->ipv6 ? 0 : 12;
    id->idiag_sport = htons(k->port);
    id->idiag_dport = htons(DIFFER_REMOTE_PORT);
    memcpy(id->idiag_src, local.byte + skip, 16 - skip);
    memcpy(id->idiag_dst, remote.byte + skip, 16 - skip);
    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* Asks for this connection, with or without a wish to see it destroyed. Returns an entry of `states`. */
static uint8_t diag(const struct kernel *k, uint16_t type) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {
        .header = {.nlmsg_len = sizeof ask, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .request = {.sdiag_family = k->ipv6 ? AF_INET6 : AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u}};
    union {
        struct nlmsghdr header;
        uint8_t byte[4096];
    } answer;
    uint8_t state = TCP_CLOSE;
    diag_id(k, &ask.request.id);
    if (send(k->diag, &ask, sizeof ask, 0) != (ssize_t)sizeof ask) return state;
    for (;;) {
        ssize_t n = recv(k->diag, &answer, sizeof answer, 0);
        if (n < (ssize_t)sizeof answer.header || answer.header.nlmsg_type == NLMSG_ERROR) return state;
        const struct inet_diag_msg *m = NLMSG_DATA(&answer.header);
        if (m->id.idiag_dport == htons(DIFFER_REMOTE_PORT)) state = m->idiag_state;
    }
}

static uint8_t kernel_state(struct differ_side *side) {
    struct kernel *k = (struct kernel *)side;
    uint8_t state = diag(k, SOCK_DIAG_BY_FAMILY);
    if (state >= BK_COUNT(states)) return BK_SYN_RECEIVED; /* 12: a request, TCP_NEW_SYN_RECV */
    return states[state] == BK_CLOSED && k->listener >= 0 ? BK_LISTEN : states[state];
}

/* ---- begin and end --------------------------------------------------------------------------------- */

static void kernel_end(struct differ_side *side) {
    struct kernel *k = (struct kernel *)side;
    uint8_t packet[DIFFER_FRAME];
    hang_up(&k->conn, true);
    hang_up(&k->listener, true);
    for (uint32_t i = 0; i < 2; i++) /* an orphan that is destroyed may leave something behind once */
        if (kernel_state(side) != BK_CLOSED) diag(k, SOCK_DESTROY);
    while (kernel_leaves(side, packet) != 0) {
    }
}

static void kernel_begin(struct differ_side *side, const struct differ_program *p, uint16_t port) {
    struct kernel *k = (struct kernel *)side;
    k->ipv6 = p->ipv6;
    k->small_buffer = p->small_buffer;
    k->port = port;
}

struct differ_side *differ_kernel_new(const char *device, const char **why) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    struct kernel *k = calloc(1, sizeof *k);
    if (k == NULL) return NULL;
    k->side = (struct differ_side){
        .name = "Linux",
        .begin = kernel_begin,
        .end = kernel_end,
        .arrives = kernel_arrives,
        .leaves = kernel_leaves,
        .call = kernel_call,
        .state = kernel_state,
    };
    k->listener = k->conn = -1;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    k->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    k->diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    *why = k->tun < 0 || ioctl(k->tun, TUNSETIFF, &request) != 0 ? "the tun device cannot be opened"
           : k->diag < 0                                         ? "there is no sock_diag"
                                                                 : NULL;
    if (*why == NULL) return &k->side;
    differ_kernel_free(&k->side);
    return NULL;
}

void differ_kernel_free(struct differ_side *side) {
    struct kernel *k = (struct kernel *)side;
    if (k->tun >= 0) close(k->tun);
    if (k->diag >= 0) close(k->diag);
    free(k);
}

void differ_kernel_patience(struct differ_side *side, int ms) {
    ((struct kernel *)side)->patience_ms = ms;
}
