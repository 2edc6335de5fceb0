/* What a program reads from a socket: RFC 9293's RECEIVE as recv(2) shows it.
 *
 * The order of what a reader meets: data; then, with an empty queue, the peer's end of data (0), a pending error (once), the effect of
 * shutdown (0), no connection (-ENOTCONN), and otherwise it waits. Data that was already taken is returned before any of these.
 *
 * Urgent data: a read never runs across the urgent octet. Without SO_OOBINLINE that octet is skipped and only MSG_OOB gives
 * it; with it, it is read in its place (RFC 6093 recommends that, and SIOCATMARK to find it).
 */
#include "posix/receive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "posix/message.h"
#include "posix/report.h"

/* Copies bytes [at, at + n) of the receive queue, not consuming them. 0, -ENOMEM. */
static int copy_from(struct bk_sockets *s, const struct sock *sock, size_t at, uint8_t *to, size_t n) {
    struct bk_part few[16], *parts = few;
    size_t room = 16, count;
    while ((count = bk_tcp_peek_parts(s->stack, sock->conn, parts, room)) == room) {
        size_t total = 0;
        for (size_t i = 0; i < count; i++) total += parts[i].length;
        if (total >= at + n) break;
        struct bk_part *more = malloc(2 * room * sizeof *more);
        if (parts != few) free(parts);
        if (more == NULL) return -ENOMEM;
        parts = more;
        room *= 2;
    }
    for (size_t i = 0; i < count && n != 0; i++) {
        if (at >= parts[i].length) {
            at -= parts[i].length;
            continue;
        }
        size_t k = parts[i].length - at < n ? parts[i].length - at : n;
        memcpy(to, bk_chunk_data(s->stack, parts[i].chunk) + parts[i].offset + at, k);
        to += k;
        n -= k;
        at = 0;
    }
    if (parts != few) free(parts);
    return 0;
}

/* How a read goes through the queue. */
struct reading {
    const struct span *to;
    int flags;
    size_t done;  /* in `to` */
    size_t ahead; /* MSG_PEEK: octets of the queue passed, not consumed */
    bool stopped; /* at the urgent octet, with data before it */
    int error;
};

/* Hands over n octets that are at hand. Returns how many; fewer than n: `error`. */
static size_t hand_over(struct bk_sockets *s, struct sock *sock, struct reading *r, size_t n, uint64_t now) {
    size_t moved = 0;
    if (r->flags & MSG_TRUNC) { /* discarded, and counted */
        if (!(r->flags & MSG_PEEK)) (void)bk_tcp_consume(s->stack, sock->conn, n, now);
        return n;
    }
    while (moved < n) {
        size_t piece;
        void *at = span_at(r->to, r->done + moved, &piece);
        if (piece > n - moved) piece = n - moved;
        if (!memory_good(s, at, piece, true)) {
            r->error = -EFAULT;
            break;
        }
        if (r->flags & MSG_PEEK) {
            r->error = copy_from(s, sock, r->ahead + moved, at, piece);
            if (r->error != 0) break;
        } else if (bk_tcp_receive(s->stack, sock->conn, at, piece, now) != (ptrdiff_t)piece) {
            r->error = -EIO; /* it was there a moment ago */
            break;
        }
        moved += piece;
    }
    return moved;
}

/* Takes what is there, up to the urgent octet or the end of the memory. */
static void take(struct bk_sockets *s, struct sock *sock, struct reading *r, uint64_t now) {
    while (r->done < r->to->total && r->error == 0) {
        struct bk_tcp_look look;
        if (!sock_look(s, sock, &look) || look.receive_queued <= r->ahead) return;
        size_t n = look.receive_queued - r->ahead, room = r->to->total - r->done;
        if (sock->more != NULL && sock->more->urgent != URGENT_NONE) {
            uint32_t before = sock->more->urgent_seq - (look.read_seq + (uint32_t)r->ahead);
            if (before == 0 && r->done != 0) {
                r->stopped = true;
                return;
            }
            if (before == 0 && !sock->oob_inline) { /* skipped */
                if (r->flags & MSG_PEEK)
                    r->ahead++;
                else
                    (void)bk_tcp_consume(s->stack, sock->conn, 1, now);
                continue;
            }
            if (before != 0 && before < n) n = before;
        }
        size_t moved = hand_over(s, sock, r, n < room ? n : room, now);
        r->done += moved;
        if (r->flags & MSG_PEEK) r->ahead += moved;
    }
}

/* What an empty queue answers. *waits: nothing yet. */
static int answer_of_empty(struct sock *sock, const struct bk_tcp_look *look, bool *waits) {
    *waits = false;
    if (sock->phase == SOCK_LISTENING) return -ENOTCONN;
    if (sock->peer_done) return 0;
    if (sock->error != 0) return sock_take_error(sock);
    if (sock->read_shut || sock->over) return 0;
    if (look->state == BK_CLOSED) return -ENOTCONN;
    *waits = true;
    return 0;
}

static int64_t receive_urgent(struct step *p, struct sock *sock, const struct span *to, int flags, struct msghdr *msg) {
    struct bk_tcp_look look;
    bool is_conn = sock_look(p->s, sock, &look);
    struct sock_more *more = sock->more;
    if (sock->phase == SOCK_LISTENING) return -ENOTCONN;
    if (sock->oob_inline || more == NULL || more->urgent != URGENT_WAITS) return -EINVAL;
    if (!is_conn) return -ENOTCONN;
    uint32_t at = more->urgent_seq - look.read_seq;
    if (at >= look.receive_queued) return sock->over || sock->read_shut ? 0 : -EAGAIN;
    uint8_t octet;
    int error = copy_from(p->s, sock, at, &octet, 1);
    if (error != 0) return error;
    if (msg != NULL) msg->msg_flags |= to->total == 0 ? MSG_OOB | MSG_TRUNC : MSG_OOB;
    if (to->total != 0 && !(flags & MSG_TRUNC)) {
        size_t piece;
        void *memory = span_at(to, 0, &piece);
        if (!memory_good(p->s, memory, 1, true)) return -EFAULT;
        memcpy(memory, &octet, 1);
    }
    if (!(flags & MSG_PEEK)) more->urgent = URGENT_TAKEN;
    return to->total != 0 ? 1 : 0;
}

/* What goes with data that was read: TCP_INQ, times. */
static void tell_control(struct step *p, struct sock *sock, struct msghdr *msg, bool data) {
    struct sock_more *more = sock->more;
    if (msg == NULL || more == NULL) return;
    struct bk_tcp_look look;
    (void)sock_look(p->s, sock, &look);
    if (data) report_arrival_control(p->s, sock, &look, msg);
    if (more->inq) {
        /* After the end of data a reader is told to come once more. */
        int inq = look.receive_queued == 0 && sock->peer_done ? 1 : (int)look.receive_queued;
        message_put_control(p->s, msg, IPPROTO_TCP, TCP_CM_INQ, &inq, sizeof inq);
    }
}

int64_t receive_step(struct step *p, const struct span *to, int flags, struct msghdr *msg) {
    struct sock *sock = sock_of(p->file);
    if (flags & MSG_ERRQUEUE) return report_receive(p->s, sock, to, msg);
    if (flags & MSG_OOB) return receive_urgent(p, sock, to, flags, msg);
    struct reading r = {.to = to, .flags = flags, .done = (flags & MSG_PEEK) ? 0 : p->call->progress.done};
    take(p->s, sock, &r, p->now);
    if (!(flags & MSG_PEEK)) p->call->progress.done = r.done;

    struct bk_tcp_look look;
    (void)sock_look(p->s, sock, &look);
    bool waits, enough = r.done >= sock_low_water(sock, to->total, (flags & MSG_WAITALL) != 0) || r.stopped;
    if (r.error != 0) return r.done != 0 ? (int64_t)r.done : r.error;
    if (to->total == 0) enough = look.receive_queued != 0; /* as Linux has it: to read nothing waits for something */
    if (!enough) {
        /* With data in hand an error stays pending for the next call. */
        bool ended = sock->peer_done || sock->error != 0 || sock->read_shut || look.state == BK_CLOSED;
        if (r.done == 0 || !ended) {
            int answer = answer_of_empty(sock, &look, &waits);
            if (waits) {
                if (flags & MSG_PEEK) sock_news(p->s, sock, BK_NEWS_ARRIVALS, true);
                uint64_t timeout = sock->more != NULL && sock->more->rcvtimeo != 0 ? sock->more->rcvtimeo : BK_NEVER;
                if (step_may_wait(p, flags)) {
                    int64_t w = step_wait(p, p->file, POLLIN | POLLRDNORM, timeout, -EAGAIN);
                    if (w == STEP_WAITS || r.done == 0) return w;
                } else if (r.done == 0) {
                    return -EAGAIN;
                }
            } else if (r.done == 0 && answer != 0) {
                return answer;
            }
        }
    }
    tell_control(p, sock, msg, r.done != 0);
    return (int64_t)r.done;
}

ssize_t receive_some(struct bk_sockets *s, struct sock *sock, void *data, size_t size, uint64_t now) {
    struct bk_tcp_look look;
    bool is_conn = sock_look(s, sock, &look), waits;
    size_t n = is_conn && look.receive_queued < size ? look.receive_queued : size;
    if (is_conn && look.receive_queued != 0) {
        if (sock->more != NULL && sock->more->urgent != URGENT_NONE) {
            uint32_t before = sock->more->urgent_seq - look.read_seq;
            if (before < n) n = before; /* what is spliced has no mark: it ends here */
            if (n == 0) return 0;
        }
        return bk_tcp_receive(s->stack, sock->conn, data, n, now);
    }
    int answer = answer_of_empty(sock, &look, &waits);
    return waits ? -EAGAIN : answer;
}
