/* What a program writes to a socket: RFC 9293's SEND as send(2) shows it. */
#include "posix/send.h"

#include <linux/net_tstamp.h>

#include "posix/message.h"
#include "posix/report.h"

/* 0 if the connection takes data, STEP_WAITS, or what send answers. */
static int64_t send_ready(struct step *p, struct sock *sock, int flags, uint64_t timeout) {
    struct bk_tcp_look look;
    bool is_conn = sock_look(p->s, sock, &look);
    if (look.state == BK_SYN_SENT || look.state == BK_SYN_RECEIVED) {
        if (sock->error != 0) return sock_take_error(sock);
        if (sock->write_shut) return -EPIPE;
        if (!step_may_wait(p, flags)) return -EAGAIN;
        return step_wait(p, p->file, POLLOUT, timeout, -EAGAIN);
    }
    if (sock->error != 0) return sock_take_error(sock);
    return !is_conn || sock->over || sock->write_shut || look.fin_queued ? -EPIPE : 0;
}

/* Queues what there is room for. 0, or why not all: -EAGAIN, -EFAULT, -EPIPE. */
static int queue(struct step *p, struct sock *sock, const struct span *from, uint32_t flags) {
    size_t *done = &p->call->progress.done;
    while (*done < from->total) {
        size_t n;
        const void *at = span_at(from, *done, &n);
        bool last = *done + n == from->total;
        if (!memory_good(p->s, at, n, false)) return -EFAULT;
        uint32_t here = last ? flags : flags & ~(uint32_t)(BK_SEND_URGENT | BK_SEND_RECORD);
        ptrdiff_t moved = bk_tcp_send(p->s->stack, sock->conn, at, n, here, p->now);
        if (moved == -EAGAIN) sock->blocked = true;
        if (moved < 0) return moved == -EAGAIN ? -EAGAIN : -EPIPE;
        *done += (size_t)moved;
    }
    return 0;
}

static int64_t send_finish(struct step *p, struct sock *sock, const struct report_wish *wish, int error) {
    size_t done = p->call->progress.done;
    if (done == 0) return error;
    if (wish->zerocopy || wish->stamping != 0) {
        struct bk_tcp_look look;
        (void)sock_look(p->s, sock, &look);
        report_sent(p->s, sock, wish, look.send_end, p->now);
    }
    return (int64_t)done;
}

int64_t send_step(struct step *p, const struct span *from, int flags, const struct msghdr *msg) {
    struct sock *sock = sock_of(p->file);
    struct report_wish wish = {.stamping = sock->more == NULL ? 0 : sock->more->stamping};
    if (flags & MSG_FASTOPEN) return -EOPNOTSUPP;
    if (msg != NULL) {
        int error = message_read_control(p->s, msg, &wish.stamping);
        if (error != 0) return error;
    }
    if (wish.stamping != 0 && sock_more_of(sock) == NULL) return -ENOBUFS;
    wish.zerocopy = (flags & MSG_ZEROCOPY) && from->total != 0 && sock->more != NULL && sock->more->zerocopy;
    uint64_t timeout = sock->more != NULL && sock->more->sndtimeo != 0 ? sock->more->sndtimeo : BK_NEVER;
    int64_t ready = send_ready(p, sock, flags, timeout);
    if (ready == STEP_WAITS) return ready;
    if (ready != 0) return send_finish(p, sock, &wish, (int)ready);
    if (p->call->progress.done == 0) {
        int error = report_admit(sock, &wish);
        if (error != 0) return error;
    }
    uint32_t how = 0;
    if (flags & MSG_OOB) how |= BK_SEND_URGENT;
    if (flags & MSG_MORE) how |= BK_SEND_MORE;
    if (flags & MSG_EOR) how |= BK_SEND_RECORD;
    int error = queue(p, sock, from, how);
    if (error == -EAGAIN && step_may_wait(p, flags)) {
        int64_t w = step_wait(p, p->file, POLLOUT | POLLWRNORM, timeout, -EAGAIN);
        if (w == STEP_WAITS) return w;
        error = (int)w;
    } else if (error == -EPIPE) { /* it ended meanwhile */
        struct bk_tcp_look look;
        (void)sock_look(p->s, sock, &look);
        if (p->call->progress.done == 0 && sock->error != 0) error = sock_take_error(sock);
    }
    return send_finish(p, sock, &wish, error);
}
