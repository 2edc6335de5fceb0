/* The calls that make, join and end sockets. */
#include "posix/sock_calls.h"

#include <fcntl.h>
#include <netinet/in.h>

#include "posix/port.h"
#include "posix/report.h"

static uint64_t user_of(const struct sock *sock) {
    return (uint64_t)(uintptr_t)sock;
}

/* ---- socket ---------------------------------------------------------------------------------------- */

int bk_socket(struct bk_sockets *s, int domain, int type, int protocol) {
    const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (type & ~(flags | 0xf)) return -EINVAL;
    if (domain != AF_INET && domain != AF_INET6) return -EAFNOSUPPORT;
    if ((type & 0xf) != SOCK_STREAM) return -ESOCKTNOSUPPORT;
    if (protocol < 0 || protocol >= IPPROTO_MAX) return -EINVAL;
    if (protocol != 0 && protocol != IPPROTO_TCP) return -EPROTONOSUPPORT;
    struct bk_file *file = file_new(sizeof(struct sock), FILE_SOCKET, O_RDWR | (type & SOCK_NONBLOCK ? O_NONBLOCK : 0));
    if (file == NULL) return -ENOMEM;
    struct sock *sock = sock_of(file);
    sock->ipv6 = domain == AF_INET6;
    sock->v6only = sock->ipv6 && s->config.bindv6only;
    int fd = descriptor_new(s, file, s->first, (type & SOCK_CLOEXEC) != 0);
    if (fd < 0) free(file);
    return fd;
}

/* ---- bind ------------------------------------------------------------------------------------------ */

/* Whether an address may be bound: local, unspecified, or the program insists. */
static bool bindable(const struct bk_sockets *s, const struct sock *sock, const bk_addr *a) {
    bool insists = s->config.ip_nonlocal_bind || (sock->more != NULL && sock->more->freebind);
    return bk_addr_is_any(a) || insists || address_is_local(s->stack, a);
}

/* Holds `port` (0: any) at `addr`. */
static int bind_to(struct bk_sockets *s, struct sock *sock, const bk_addr *addr, uint16_t port, uint64_t now) {
    struct sock_more *more = sock_more_of(sock);
    if (more == NULL) return -ENOMEM;
    if (port == 0) {
        port = port_choose(s, sock, addr, now);
        if (port == 0) return -EADDRINUSE;
    } else if (!port_free(s, sock, addr, port)) {
        return -EADDRINUSE;
    }
    int error = port_hold(s, sock, port);
    if (error != 0) return error;
    more->local = *addr;
    more->local_port = port;
    return 0;
}

int bk_bind(struct bk_sockets *s, int fd, const struct sockaddr *address, socklen_t length, uint64_t now) {
    struct sock *sock;
    struct endpoint e;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    error = address_read(s, sock->ipv6, address, length, &e);
    if (error == -EAFNOSUPPORT && !sock->ipv6) {
        /* 0.0.0.0 of no family is taken for AF_INET: old programs do that. */
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        if (in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == INADDR_ANY) {
            e = (struct endpoint){address_any(false), ntohs(in.sin_port)};
            error = 0;
        }
    }
    if (error != 0) return error;
    struct bk_tcp_look look;
    bool bound = sock->port != NULL || (sock_look(s, sock, &look) && look.state != BK_CLOSED);
    if (sock->ipv6) {
        bool mapped = bk_addr_is_ipv4(&e.addr);
        if (address_is_multicast(&e.addr) || (mapped && sock->v6only) || bound) return -EINVAL;
        if (!bindable(s, sock, &e.addr)) return -EADDRNOTAVAIL;
    } else {
        if (!bindable(s, sock, &e.addr)) return -EADDRNOTAVAIL;
        if (bound) return -EINVAL;
    }
    error = bind_to(s, sock, &e.addr, e.port, now);
    if (error != 0) return error;
    sock->more->addr_named = !bk_addr_is_any(&e.addr);
    sock->port_named = e.port != 0;
    return 0;
}

/* ---- listen and accept ----------------------------------------------------------------------------- */

static int listen_anew(struct bk_sockets *s, struct sock *sock, uint32_t backlog, uint64_t now) {
    if (sock->port == NULL) {
        bk_addr any = address_any(sock->ipv6);
        int error = bind_to(s, sock, &any, 0, now);
        if (error != 0) return error;
    } else if (!port_free(s, sock, &sock->more->local, sock->more->local_port)) {
        return -EADDRINUSE; /* another of those that share it listens already */
    }
    struct sock_more *more = sock->more;
    bk_addr local = more->local;
    struct bk_tcp_passive passive = {
        .local = local,
        .port = more->local_port,
        .backlog = backlog,
        .flags = BK_LISTEN_FOREIGN | (sock->v6only ? BK_LISTEN_IPV6_ONLY : 0),
        .user = user_of(sock),
    };
    bk_listener listener;
    int error = bk_tcp_listen_with(s->stack, &passive, now, &listener);
    if (error != 0) return error;
    for (uint32_t option = 0; option < SOCK_OPTIONS; option++)
        if (more->option_mask >> option & 1)
            (void)bk_tcp_listener_set(s->stack, listener, (enum bk_tcp_option)option, more->option[option], now);
    sock->listener = listener;
    sock->phase = SOCK_LISTENING;
    return 0;
}

int bk_listen(struct bk_sockets *s, int fd, int backlog, uint64_t now) {
    struct sock *sock;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    /* As many wait as the program says, and one more. */
    uint32_t bound = (uint32_t)backlog < s->config.somaxconn ? (uint32_t)backlog : s->config.somaxconn;
    if (sock->phase == SOCK_LISTENING) return bk_tcp_backlog(s->stack, sock->listener, bound + 1, now);
    if (sock->phase != SOCK_FRESH) return -EINVAL;
    return listen_anew(s, sock, bound + 1, now);
}

/* What a connection inherits from its listener's socket (what the stack keeps, the stack hands on). */
static bool inherit(const struct sock *from, struct sock *to) {
    to->ipv6 = from->ipv6;
    to->v6only = from->v6only;
    to->reuse = from->reuse;
    to->oob_inline = from->oob_inline;
    to->linger = from->linger;
    to->linger_s = from->linger_s;
    to->sndbuf_named = from->sndbuf_named;
    to->rcvbuf_named = from->rcvbuf_named;
    const struct sock_more *a = from->more;
    bool plain = a->rcvlowat == 1 && a->rcvtimeo == 0 && a->sndtimeo == 0 && a->mark == 0 && a->mtu_discover == 0 &&
                 a->notsent_lowat == 0 && a->stamping == 0 && !a->zerocopy && !a->inq && !a->recverr && !a->freebind;
    if (plain) return true;
    struct sock_more *b = sock_more_of(to);
    if (b == NULL) return false;
    b->rcvlowat = a->rcvlowat;
    b->rcvtimeo = a->rcvtimeo;
    b->sndtimeo = a->sndtimeo;
    b->mark = a->mark;
    b->mtu_discover = a->mtu_discover;
    b->notsent_lowat = a->notsent_lowat;
    b->stamping = a->stamping;
    b->zerocopy = a->zerocopy;
    b->inq = a->inq;
    b->recverr = a->recverr;
    b->freebind = a->freebind;
    return true;
}

/* A connection begins: what the socket's options need to hear of is asked for. */
static void begin(struct bk_sockets *s, struct sock *sock) {
    const struct sock_more *more = sock->more;
    if (more == NULL) return;
    if (more->rcvlowat > 1 || more->stamping != 0) sock_news(s, sock, BK_NEWS_ARRIVALS, true);
    if (more->recverr) sock_news(s, sock, BK_NEWS_ERRORS, true);
}

int64_t accept_step(struct step *p) {
    struct bk_sockets *s = p->s;
    struct sock *listener = sock_of(p->file);
    int flags = p->call->accept.flags;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) return -EINVAL;
    if (listener->phase != SOCK_LISTENING) return -EINVAL;
    struct bk_tcp_info info;
    if (bk_tcp_listener_status(s->stack, listener->listener, &info) != 0 || info.backlog == 0) {
        uint64_t timeout = listener->more->rcvtimeo != 0 ? listener->more->rcvtimeo : BK_NEVER;
        if (!step_may_wait(p, 0)) return -EAGAIN;
        return step_wait(p, p->file, POLLIN | POLLRDNORM, timeout, -EAGAIN);
    }
    struct bk_file *file =
        file_new(sizeof(struct sock), FILE_SOCKET, O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0));
    if (file == NULL) return -ENOMEM;
    struct sock *sock = sock_of(file);
    int fd = descriptor_new(s, file, s->first, (flags & SOCK_CLOEXEC) != 0);
    if (fd < 0 || !inherit(listener, sock)) {
        if (fd >= 0) (void)descriptor_take(s, fd);
        free(file);
        return fd < 0 ? fd : -ENOMEM;
    }
    int error = bk_tcp_accept(s->stack, listener->listener, user_of(sock), p->now, &sock->conn);
    if (error == 0) {
        sock->phase = SOCK_CONNECTED;
        begin(s, sock);
        error = port_hold(s, sock, listener->more->local_port);
    }
    if (error == 0 && p->call->accept.address != NULL) {
        struct endpoint remote = sock_remote(s, sock);
        error = address_write(s, sock->ipv6, &remote, p->call->accept.address, p->call->accept.length);
    }
    if (info.backlog > 1) file_wake(s, &listener->file, POLLIN | POLLRDNORM); /* another waits for the next caller */
    if (error != 0) {
        (void)descriptor_take(s, fd);
        file_unref(s, file, p->now);
        return error;
    }
    return fd;
}

/* ---- connect --------------------------------------------------------------------------------------- */

static int connect_start(struct step *p, struct sock *sock) {
    struct bk_sockets *s = p->s;
    struct endpoint to;
    int error = address_read(s, sock->ipv6, p->call->connect.address, p->call->connect.length, &to);
    if (error != 0) return error;
    if (sock->v6only && bk_addr_is_ipv4(&to.addr)) return -ENETUNREACH;
    if (bk_addr_is_any(&to.addr) || address_is_multicast(&to.addr)) return -ENETUNREACH;
    if (to.port == 0) return -EADDRNOTAVAIL;
    struct bk_tcp_open open = {.remote = to.addr, .remote_port = to.port, .user = user_of(sock)};
    struct sock_more *more = sock->more;
    if (sock->port != NULL) {
        open.local_port = more->local_port;
        if (more->addr_named) open.local = more->local;
    }
    bk_conn conn;
    error = bk_tcp_connect(s->stack, &open, p->now, &conn);
    if (error == -EADDRINUSE) return -EADDRNOTAVAIL; /* that pair of endpoints exists */
    if (error == -EINVAL) return -ENETUNREACH;       /* an address that nothing can be sent to */
    if (error != 0) return error;
    for (uint32_t option = 0; more != NULL && option < SOCK_OPTIONS; option++)
        if (more->option_mask >> option & 1)
            (void)bk_tcp_set(s->stack, conn, (enum bk_tcp_option)option, more->option[option], p->now);
    sock->conn = conn;
    sock->phase = SOCK_CONNECTING;
    sock->error = 0;
    begin(s, sock);
    if (sock->port == NULL) {
        error = port_hold(s, sock, sock_local(s, sock).port);
        if (error != 0) sock_disconnect(s, sock, true, p->now);
    }
    return error;
}

/* Stages: 1 begun, 2 it started the attempt, 3 another call had. */
int64_t connect_step(struct step *p) {
    struct sock *sock = sock_of(p->file);
    const struct sockaddr *address = p->call->connect.address;
    if (p->call->progress.stage == 1) {
        p->call->progress.stage = 2;
        if (p->call->connect.length > sizeof(struct sockaddr_storage)) return -EINVAL;
        if (!memory_good(p->s, address, p->call->connect.length, false)) return -EFAULT;
        if (p->call->connect.length < sizeof(sa_family_t)) return -EINVAL;
        sa_family_t family;
        memcpy(&family, address, sizeof family);
        if (family == AF_UNSPEC) {
            sock_disconnect(p->s, sock, true, p->now);
            sock->error = 0;
            file_wake(p->s, p->file, 0);
            return 0;
        }
        if (sock->phase == SOCK_LISTENING || sock->phase == SOCK_CONNECTED) return -EISCONN;
        if (sock->phase == SOCK_CONNECTING) {
            p->call->progress.stage = 3;
        } else {
            int error = connect_start(p, sock);
            if (error != 0) return error;
        }
    } else if (sock->phase == SOCK_CONNECTED) {
        return 0; /* another call of connect was told first */
    }
    struct bk_tcp_look look;
    (void)sock_look(p->s, sock, &look);
    if (look.state == BK_SYN_SENT || look.state == BK_SYN_RECEIVED) {
        uint64_t timeout = sock->more != NULL && sock->more->sndtimeo != 0 ? sock->more->sndtimeo : BK_NEVER;
        int busy = p->call->progress.stage == 3 ? -EALREADY : -EINPROGRESS;
        return step_may_wait(p, 0) ? step_wait(p, p->file, POLLOUT, timeout, busy) : busy;
    }
    if (look.state == BK_CLOSED) { /* it failed; the next connect begins anew */
        int error = sock->error != 0 ? sock_take_error(sock) : -ECONNABORTED;
        sock_disconnect(p->s, sock, false, p->now);
        return error;
    }
    sock->phase = SOCK_CONNECTED;
    return 0;
}

/* ---- shutdown -------------------------------------------------------------------------------------- */

int bk_shutdown(struct bk_sockets *s, int fd, int how, uint64_t now) {
    struct sock *sock;
    struct bk_tcp_look look;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
    bool read = how != SHUT_WR, write = how != SHUT_RD;
    if (sock->phase == SOCK_LISTENING) {
        if (read) sock_disconnect(s, sock, false, now);
        file_wake(s, &sock->file, 0);
        return 0;
    }
    (void)sock_look(s, sock, &look);
    if (look.state == BK_SYN_SENT) {
        sock_disconnect(s, sock, false, now);
        file_wake(s, &sock->file, 0);
        return 0;
    }
    error = look.state == BK_CLOSED ? -ENOTCONN : 0;
    sock->read_shut |= read;
    sock->write_shut |= write;
    if (write && error == 0) (void)bk_tcp_shutdown(s->stack, sock->conn, now);
    file_wake(s, &sock->file, 0);
    return error;
}

/* ---- close with SO_LINGER -------------------------------------------------------------------------- */

int64_t linger_step(struct step *p) {
    struct sock *sock = sock_of(p->file);
    struct bk_tcp_look look;
    bool lingers = sock->linger && sock->linger_s > 0 && p->file->references == 1;
    if (!lingers || !sock_look(p->s, sock, &look) || p->at_once) return 0;
    /* Unread data resets: nothing to wait for. */
    if (look.receive_queued != 0 || look.state == BK_SYN_SENT || look.state == BK_SYN_RECEIVED) return 0;
    (void)bk_tcp_shutdown(p->s->stack, sock->conn, p->now);
    (void)sock_look(p->s, sock, &look);
    if (look.state != BK_FIN_WAIT_1 && look.state != BK_CLOSING && look.state != BK_LAST_ACK) return 0;
    sock_news(p->s, sock, BK_NEWS_PROGRESS, true);
    return step_wait(p, p->file, EVENT_PROGRESS, (uint64_t)sock->linger_s * 1000000000, 0);
}

/* ---- names ----------------------------------------------------------------------------------------- */

int bk_getsockname(struct bk_sockets *s, int fd, struct sockaddr *address, socklen_t *length) {
    struct sock *sock;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    struct endpoint local = sock_local(s, sock);
    return address_write(s, sock->ipv6, &local, address, length);
}

int bk_getpeername(struct bk_sockets *s, int fd, struct sockaddr *address, socklen_t *length) {
    struct sock *sock;
    struct bk_tcp_look look;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    (void)sock_look(s, sock, &look);
    if (look.state == BK_CLOSED || look.state == BK_SYN_SENT) return -ENOTCONN;
    struct endpoint remote = sock_remote(s, sock);
    return address_write(s, sock->ipv6, &remote, address, length);
}
