/* Sockets: how they are looked at, and how they end. See sock.h. The calls that make and change them: sock_calls.c. */
#include "posix/sock.h"

#include "posix/port.h"
#include "posix/report.h"

int sock_get(const struct bk_sockets *s, int fd, struct sock **out) {
    struct bk_file *file = descriptor_file(s, fd);
    if (file == NULL) return -EBADF;
    if (file->kind != FILE_SOCKET) return -ENOTSOCK;
    *out = sock_of(file);
    return 0;
}

struct sock_more *sock_more_of(struct sock *sock) {
    if (sock->more == NULL) {
        sock->more = calloc(1, sizeof *sock->more);
        if (sock->more != NULL) sock->more->rcvlowat = 1;
    }
    return sock->more;
}

bool sock_has_conn(const struct sock *sock) {
    return sock->phase == SOCK_CONNECTING || sock->phase == SOCK_CONNECTED;
}

int sock_take_error(struct sock *sock) {
    int error = -sock->error;
    sock->error = 0;
    return error;
}

/* Urgent data is announced or read past: one octet before urgent_end is the one that MSG_OOB gives. */
static void look_at_urgent(struct sock *sock, const struct bk_tcp_look *look) {
    if (look->urgent) {
        uint32_t seq = look->urgent_end - 1;
        struct sock_more *more = sock_more_of(sock);
        if (more == NULL || (more->urgent != URGENT_NONE && more->urgent_seq == seq)) return;
        more->urgent = URGENT_WAITS;
        more->urgent_seq = seq;
    } else if (sock->more != NULL && sock->more->urgent != URGENT_NONE) {
        if ((int32_t)(look->read_seq - sock->more->urgent_seq) > 0) sock->more->urgent = URGENT_NONE;
    }
}

bool sock_look(struct bk_sockets *s, struct sock *sock, struct bk_tcp_look *look) {
    if (!sock_has_conn(sock) || bk_tcp_look(s->stack, sock->conn, look) != 0) {
        *look = (struct bk_tcp_look){.state = BK_CLOSED};
        return false;
    }
    if (look->fin_received) sock->peer_done = true;
    if (!sock->over && (look->state == BK_CLOSED || look->state == BK_TIME_WAIT)) {
        sock->over = true;
        if (!sock->port_named) port_drop(s, sock); /* a port that nobody named goes with the connection */
        /* A reset after the peer's FIN means that what was sent since went nowhere. */
        if (look->error != 0) sock->error = look->error == -ECONNRESET && look->fin_received ? EPIPE : -look->error;
    }
    if (sock->over) look->state = BK_CLOSED; /* a program knows of no TIME-WAIT */
    look_at_urgent(sock, look);
    return true;
}

uint32_t sock_low_water(const struct sock *sock, size_t size, bool all) {
    size_t low = sock->more == NULL ? 1 : (size_t)sock->more->rcvlowat;
    if (all || low > size) low = size;
    return low == 0 ? 1 : low > UINT32_MAX ? UINT32_MAX : (uint32_t)low;
}

static bool sock_is_writable(const struct sock *sock, const struct bk_tcp_look *look) {
    return !sock->blocked && look->writable;
}

static bool look_readable(const struct sock *sock, const struct bk_tcp_look *look) {
    uint32_t need = sock->more == NULL ? 1 : (uint32_t)sock->more->rcvlowat;
    bool skips = sock->more != NULL && sock->more->urgent != URGENT_NONE && !sock->oob_inline &&
                 sock->more->urgent_seq == look->read_seq;
    if (skips) need++;
    if (look->receive_queued == 0) return false;
    /* A window that is nearly closed cannot bring what is waited for. */
    return look->receive_queued >= need || look->rcv_wnd < look->receive_mss;
}

uint32_t sock_poll(struct bk_sockets *s, struct sock *sock) {
    struct bk_tcp_look look;
    uint32_t mask = 0;
    if (sock->phase == SOCK_LISTENING) {
        struct bk_tcp_info info;
        bool waits = bk_tcp_listener_status(s->stack, sock->listener, &info) == 0 && info.backlog != 0;
        return waits ? POLLIN | POLLRDNORM : 0;
    }
    bool is_conn = sock_look(s, sock, &look);
    bool no_read = sock->read_shut || sock->over || (is_conn && look.fin_received);
    bool no_write = sock->write_shut || sock->over || (is_conn && look.fin_queued);
    if (look.state == BK_CLOSED || (no_read && no_write)) mask |= POLLHUP;
    if (no_read) mask |= POLLIN | POLLRDNORM | EPOLLRDHUP;
    if (look.state != BK_SYN_SENT && look.state != BK_SYN_RECEIVED) {
        if (is_conn && look_readable(sock, &look)) mask |= POLLIN | POLLRDNORM;
        if (no_write || !is_conn || sock_is_writable(sock, &look))
            mask |= POLLOUT | POLLWRNORM;
        else
            (void)bk_tcp_set(s->stack, sock->conn, BK_TCP_WANT_WRITE, 1, 0); /* it is to be told when that changes */
        if (sock->more != NULL && sock->more->urgent == URGENT_WAITS &&
            (int32_t)(look.read_seq + look.receive_queued - sock->more->urgent_seq) > 0)
            mask |= POLLPRI;
    }
    if (sock->error != 0 || (sock->more != NULL && sock->more->reports != NULL)) mask |= POLLERR;
    return mask;
}

struct endpoint sock_local(const struct bk_sockets *s, const struct sock *sock) {
    struct endpoint e = {.addr = address_any(sock->ipv6)};
    struct bk_tcp_info info;
    bool bound_anew = sock->over && sock->port_named && sock->more != NULL;
    if (!bound_anew && sock_has_conn(sock) && bk_tcp_status(s->stack, sock->conn, &info) == 0) {
        e = (struct endpoint){info.local, info.local_port};
    } else if (sock->more != NULL && sock->more->local_port != 0) {
        e = (struct endpoint){sock->more->local, sock->more->local_port};
    }
    return e;
}

struct endpoint sock_remote(const struct bk_sockets *s, const struct sock *sock) {
    struct bk_tcp_info info;
    if (!sock_has_conn(sock) || bk_tcp_status(s->stack, sock->conn, &info) != 0)
        return (struct endpoint){.addr = address_any(sock->ipv6)};
    return (struct endpoint){info.remote, info.remote_port};
}

void sock_news(const struct bk_sockets *s, struct sock *sock, uint8_t bits, bool on) {
    uint8_t news = on ? sock->news | bits : sock->news & (uint8_t)~bits;
    if (news == sock->news || !sock_has_conn(sock)) return;
    if (bk_tcp_set(s->stack, sock->conn, BK_TCP_NEWS, news, 0) == 0) sock->news = news;
}

/* ---- the stack's options --------------------------------------------------------------------------- */

int sock_set_stack(struct bk_sockets *s, struct sock *sock, enum bk_tcp_option option, uint64_t value, uint64_t now) {
    if (sock_has_conn(sock)) return bk_tcp_set(s->stack, sock->conn, option, value, now);
    struct sock_more *more = sock_more_of(sock);
    if (more == NULL) return -ENOMEM;
    if (sock->phase == SOCK_LISTENING) {
        int error = bk_tcp_listener_set(s->stack, sock->listener, option, value, now);
        if (error != 0) return error;
    }
    more->option[option] = (uint32_t)value;
    more->option_mask |= 1u << option;
    return 0;
}

static uint64_t stack_default(const struct bk_config *config, enum bk_tcp_option option) {
    switch (option) {
    case BK_TCP_KEEPALIVE_IDLE_S:
        return config->keepalive_idle_s;
    case BK_TCP_KEEPALIVE_INTERVAL_S:
        return config->keepalive_interval_s;
    case BK_TCP_KEEPALIVE_PROBES:
        return config->keepalive_probes;
    case BK_TCP_SEND_BUFFER:
        return config->send_buffer;
    case BK_TCP_RECEIVE_BUFFER:
        return config->receive_buffer;
    case BK_TCP_SYN_RETRIES:
        return config->syn_retries;
    case BK_TCP_CONGESTION:
        return config->congestion;
    case BK_TCP_UNSENT_LOW:
        return config->unsent_low;
    default:
        return 0;
    }
}

uint64_t sock_get_stack(const struct bk_sockets *s, const struct sock *sock, enum bk_tcp_option option) {
    uint64_t value;
    if (sock_has_conn(sock) && bk_tcp_get(s->stack, sock->conn, option, &value) == 0) return value;
    if (sock->more != NULL && (sock->more->option_mask >> option & 1)) return sock->more->option[option];
    return stack_default(bk_config_of(s->stack), option);
}

/* ---- ends ------------------------------------------------------------------------------------------ */

void sock_disconnect(struct bk_sockets *s, struct sock *sock, bool abort, uint64_t now) {
    if (sock->phase == SOCK_LISTENING)
        (void)bk_tcp_unlisten(s->stack, sock->listener, now);
    else if (sock_has_conn(sock))
        (void)(abort && !sock->over ? bk_tcp_abort : bk_tcp_close)(s->stack, sock->conn, now);
    sock->phase = SOCK_FRESH;
    sock->over = sock->peer_done = sock->read_shut = sock->write_shut = sock->blocked = false;
    sock->news = 0;
    if (sock->more != NULL) {
        sock->more->urgent = URGENT_NONE;
        report_drop_marks(s, sock);
        if (!sock->more->addr_named) sock->more->local = address_any(sock->ipv6);
    }
    if (!sock->port_named) {
        port_drop(s, sock);
        if (sock->more != NULL) sock->more->local_port = 0;
    }
}

void sock_free_more(struct sock *sock) {
    if (sock->more == NULL) return;
    report_drop_all(sock);
    free(sock->more);
    sock->more = NULL;
}

void sock_release(struct bk_sockets *s, struct sock *sock, uint64_t now) {
    /* SO_LINGER without time: what is queued is thrown away (close(2) of a socket, as everybody has it). */
    sock_disconnect(s, sock, sock->linger && sock->linger_s == 0, now);
    port_drop(s, sock);
    sock_free_more(sock);
}

/* ---- news ------------------------------------------------------------------------------------------ */

void sock_hear(struct bk_sockets *s, struct sock *sock, uint32_t what, uint64_t now) {
    struct bk_tcp_look look;
    uint32_t events = 0;
    bool all = false;
    if (sock->phase == SOCK_LISTENING) {
        if (what & BK_READY_ACCEPTABLE) file_wake(s, &sock->file, POLLIN | POLLRDNORM);
        return;
    }
    (void)sock_look(s, sock, &look);
    if (what & BK_READY_WRITABLE) sock->blocked = false;
    if (what & BK_READY_READABLE) events |= POLLIN | POLLRDNORM;
    if (what & BK_READY_WRITABLE) events |= POLLOUT | POLLWRNORM;
    if (what & BK_READY_URGENT) events |= POLLPRI;
    /* A change of state wakes whoever waits, as on Linux. */
    if (what & (BK_READY_CONNECTED | BK_READY_PEER_CLOSED | BK_READY_CLOSED)) all = true;
    if (what & BK_READY_PROGRESS) events |= EVENT_PROGRESS;
    report_hear(s, sock, &look, what, now);
    if (all || events != 0) file_wake(s, &sock->file, all ? 0 : events);
}
