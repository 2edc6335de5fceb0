/* The error queue. See report.h. */
#include "posix/report.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <time.h>

#include "posix/message.h"

/* One entry of the error queue. */
struct sock_report {
    struct sock_report *next;
    struct sock_extended_err err;
    uint64_t time;
    bool timed;     /* carries the time */
    bool truncated; /* stands for a packet, whose bytes are not kept */
    /* an ICMP error: who sent it, where our segment went, and the begin of that segment, as every error quotes it */
    struct endpoint offender, to;
    uint8_t quoted[8];
};

static bool is_icmp(const struct sock_report *r) {
    return r->err.ee_origin == SO_EE_ORIGIN_ICMP || r->err.ee_origin == SO_EE_ORIGIN_ICMP6 ||
           r->err.ee_origin == SO_EE_ORIGIN_LOCAL;
}

struct sock_mark {
    struct sock_mark *next;
    uint32_t end;
    uint32_t id;       /* zero-copy: the send's number; times: the octet's */
    uint32_t stamping; /* SOF_TIMESTAMPING_TX_ bits, and the form of the entry; 0: zero-copy */
};

static void list_put(struct sock_mark **head, struct sock_mark **tail, struct sock_mark *mark) {
    mark->next = NULL;
    if (*head == NULL)
        *head = mark;
    else
        (*tail)->next = mark;
    *tail = mark;
}

static struct sock_report *report_new(struct sock_more *more) {
    struct sock_report *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    if (more->reports == NULL)
        more->reports = r;
    else
        more->reports_tail->next = r;
    more->reports_tail = r;
    more->report_count++;
    return r;
}

static bool report_full(struct bk_sockets *s, const struct sock_more *more) {
    if (more->report_count < REPORTS_MAX) return false;
    s->reports_dropped++;
    return true;
}

/* ---- completion of zero-copy sends ----------------------------------------------------------------- */

/* Numbers that follow the newest entry's join it. */
static void report_zerocopy(struct bk_sockets *s, struct sock *sock, uint32_t id) {
    struct sock_more *more = sock->more;
    struct sock_report *last = more->reports == NULL ? NULL : more->reports_tail;
    if (last != NULL && last->err.ee_origin == SO_EE_ORIGIN_ZEROCOPY && last->err.ee_data + 1 == id) {
        last->err.ee_data = id;
    } else {
        struct sock_report *r = report_new(more);
        if (r == NULL) return;
        r->err = (struct sock_extended_err){
            .ee_origin = SO_EE_ORIGIN_ZEROCOPY,
            .ee_code = SO_EE_CODE_ZEROCOPY_COPIED, /* into the region, always */
            .ee_info = id,
            .ee_data = id,
        };
    }
    file_wake(s, &sock->file, POLLERR);
}

/* ---- times ----------------------------------------------------------------------------------------- */

static void report_time(struct bk_sockets *s, struct sock *sock, const struct sock_mark *mark, uint32_t kind,
                        uint64_t now) {
    struct sock_more *more = sock->more;
    if (report_full(s, more)) return; /* nobody reads them */
    struct sock_report *r = report_new(more);
    if (r == NULL) return;
    r->err = (struct sock_extended_err){
        .ee_errno = ENOMSG,
        .ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
        .ee_info = kind,
        .ee_data = mark->id,
    };
    r->time = now + s->config.clock_offset;
    r->timed = true;
    r->truncated = !(mark->stamping & SOF_TIMESTAMPING_OPT_TSONLY);
    file_wake(s, &sock->file, POLLERR);
}

/* ---- ICMP errors ------------------------------------------------------------------------------------- */

/* Whether the next call tells of such an error, and the connection goes on. A smaller MTU troubles nobody, and an end tells of itself. An attempt to
 * connect is not over yet: only SO_ERROR tells, lest a connection begin with an error. */
static bool troubles_calls(struct bk_sockets *s, struct sock *sock, uint32_t error) {
    struct bk_tcp_look look;
    (void)sock_look(s, sock, &look);
    return error != EMSGSIZE && look.state != BK_SYN_SENT && look.state != BK_SYN_RECEIVED && look.state != BK_CLOSED;
}

void report_icmp(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_error *e) {
    struct sock_more *more = sock_more_of(sock);
    if (more == NULL || !more->recverr) return;
    struct endpoint local = sock_local(s, sock), remote = sock_remote(s, sock);
    bool ours = bk_addr_is_any(&e->offender), ipv4 = bk_addr_is_ipv4(&remote.addr);
    struct sock_report *r = report_full(s, more) ? NULL : report_new(more);
    if (r != NULL) {
        r->err = (struct sock_extended_err){
            .ee_errno = (uint32_t)-e->error,
            .ee_origin = ours   ? SO_EE_ORIGIN_LOCAL
                         : ipv4 ? SO_EE_ORIGIN_ICMP
                                : SO_EE_ORIGIN_ICMP6,
            .ee_type = e->type,
            .ee_code = e->code,
            .ee_info = e->info,
        };
        r->offender.addr = e->offender;
        r->to = remote;
        const uint16_t ports[2] = {htons(local.port), htons(remote.port)};
        const uint32_t seq = htonl(e->seq);
        memcpy(r->quoted, ports, sizeof ports);
        memcpy(r->quoted + sizeof ports, &seq, sizeof seq);
    }
    if (troubles_calls(s, sock, (uint32_t)-e->error)) {
        sock->error = -e->error;
        (void)bk_tcp_take_soft_error(s->stack, sock->conn);
    }
    file_wake(s, &sock->file, 0);
}

/* ---- marks ----------------------------------------------------------------------------------------- */

static const uint32_t TX_STAMPS = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK;

int report_admit(const struct sock *sock, const struct report_wish *wish) {
    return wish->zerocopy && sock->more->mark_count >= REPORTS_MAX ? -ENOBUFS : 0;
}

static void mark_put(struct sock_more *more, uint32_t end, uint32_t id, uint32_t stamping) {
    struct sock_mark *mark = calloc(1, sizeof *mark);
    if (mark == NULL) return;
    *mark = (struct sock_mark){NULL, end, id, stamping};
    list_put(&more->unsent, &more->unsent_tail, mark);
    more->mark_count++;
}

/* Moves what was sent, and drops what was acknowledged. */
static void marks_go_on(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_look *look, uint64_t now) {
    struct sock_more *more = sock->more;
    struct sock_mark *mark;
    while ((mark = more->unsent) != NULL && (int32_t)(look->snd_nxt - mark->end) >= 0) {
        more->unsent = mark->next;
        if (mark->stamping & SOF_TIMESTAMPING_TX_SCHED) report_time(s, sock, mark, SCM_TSTAMP_SCHED, now);
        if (mark->stamping & SOF_TIMESTAMPING_TX_SOFTWARE) report_time(s, sock, mark, SCM_TSTAMP_SND, now);
        list_put(&more->unacked, &more->unacked_tail, mark);
    }
    while ((mark = more->unacked) != NULL && (int32_t)(look->snd_una - mark->end) >= 0) {
        more->unacked = mark->next;
        if (mark->stamping == 0) report_zerocopy(s, sock, mark->id);
        if (mark->stamping & SOF_TIMESTAMPING_TX_ACK) report_time(s, sock, mark, SCM_TSTAMP_ACK, now);
        free(mark);
        more->mark_count--;
    }
}

void report_drop_marks(struct bk_sockets *s, struct sock *sock) {
    struct sock_more *more = sock->more;
    struct sock_mark **lists[] = {&more->unacked, &more->unsent};
    for (int i = 0; i < 2; i++) {
        struct sock_mark *mark;
        while ((mark = *lists[i]) != NULL) {
            *lists[i] = mark->next;
            if (mark->stamping == 0) report_zerocopy(s, sock, mark->id);
            free(mark);
        }
    }
    more->mark_count = 0;
}

void report_sent(struct bk_sockets *s, struct sock *sock, const struct report_wish *wish, uint32_t end, uint64_t now) {
    struct sock_more *more = sock->more;
    if (wish->zerocopy) mark_put(more, end, more->zerocopy_next++, 0);
    if ((wish->stamping & TX_STAMPS) && more->mark_count < REPORTS_MAX) {
        uint32_t id = wish->stamping & SOF_TIMESTAMPING_OPT_ID ? end - 1 - more->stamp_base : 0;
        mark_put(more, end, id, wish->stamping);
    }
    if (more->mark_count == 0) return;
    struct bk_tcp_look look;
    sock_news(s, sock, BK_NEWS_PROGRESS, true);
    (void)sock_look(s, sock, &look);
    if (sock->over) report_drop_marks(s, sock);
    (void)now;
}

/* When the octets up to RCV.NXT came. At the bound the two newest runs become one, with the later time. */
static void arrivals_note(struct sock *sock, const struct bk_tcp_look *look, uint64_t now) {
    struct sock_more *more = sock->more;
    uint32_t end = look->read_seq + look->receive_queued, i = 0;
    while (i < more->arrival_count && (int32_t)(more->arrival[i].end - look->read_seq) <= 0) i++;
    memmove(more->arrival, more->arrival + i, (more->arrival_count - i) * sizeof more->arrival[0]);
    more->arrival_count -= i;
    if (more->arrival_count != 0 && more->arrival[more->arrival_count - 1].end == end) return;
    if (more->arrival_count == SOCK_ARRIVALS) more->arrival_count--;
    more->arrival[more->arrival_count++] = (struct sock_arrival){end, now};
}

void report_hear(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_look *look, uint32_t what, uint64_t now) {
    struct sock_more *more = sock->more;
    if (more == NULL) return;
    if ((more->stamping & SOF_TIMESTAMPING_RX_SOFTWARE) && (what & BK_READY_READABLE)) arrivals_note(sock, look, now);
    if (more->mark_count != 0) marks_go_on(s, sock, look, now);
    if (sock->over && more->mark_count != 0) report_drop_marks(s, sock);
}

/* ---- reading --------------------------------------------------------------------------------------- */

static void put_time(const struct bk_sockets *s, struct msghdr *msg, uint64_t time) {
    struct timespec stamp[3] = {{0}}; /* software, an old form, hardware */
    stamp[0].tv_sec = (time_t)(time / 1000000000);
    stamp[0].tv_nsec = (long)(time % 1000000000);
    message_put_control(s, msg, SOL_SOCKET, SCM_TIMESTAMPING, stamp, sizeof stamp);
}

void report_arrival_control(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_look *look,
                            struct msghdr *msg) {
    const struct sock_more *more = sock->more;
    const uint32_t both = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    if ((more->stamping & both) != both) return;
    for (uint32_t i = 0; i < more->arrival_count; i++) {
        if ((int32_t)(more->arrival[i].end - look->read_seq) < 0) continue;
        put_time(s, msg, more->arrival[i].time + s->config.clock_offset);
        return;
    }
}

/* What an ICMP error quoted, and where that went. The length, or -EFAULT. */
static int64_t put_quoted(const struct bk_sockets *s, const struct sock *sock, const struct sock_report *r,
                          const struct span *to, struct msghdr *msg) {
    size_t n = to->total < sizeof r->quoted ? to->total : sizeof r->quoted;
    for (size_t at = 0, piece; at < n; at += piece) {
        void *memory = span_at(to, at, &piece);
        if (piece > n - at) piece = n - at;
        if (!memory_good(s, memory, piece, true)) return -EFAULT;
        memcpy(memory, r->quoted + at, piece);
    }
    if (msg != NULL && n < sizeof r->quoted) msg->msg_flags |= MSG_TRUNC;
    if (msg == NULL || msg->msg_name == NULL) return (int64_t)n;
    struct sockaddr_storage name;
    socklen_t whole = address_put(sock->ipv6, &r->to, &name),
              room = msg->msg_namelen < whole ? msg->msg_namelen : whole;
    if (!memory_good(s, msg->msg_name, room, true)) return -EFAULT;
    memcpy(msg->msg_name, &name, room);
    msg->msg_namelen = whole;
    return (int64_t)n;
}

/* An error that is read from the queue is no longer pending; the next one there is. What else is pending stays: how the connection ended. */
static void settle_error(struct bk_sockets *s, struct sock *sock, const struct sock_report *read) {
    const struct sock_report *next = sock->more->reports;
    while (next != NULL && (!is_icmp(next) || next->err.ee_errno == EMSGSIZE)) next = next->next;
    if (troubles_calls(s, sock, read->err.ee_errno)) sock->error = next != NULL ? (int)next->err.ee_errno : 0;
    if (next == NULL && sock_has_conn(sock)) (void)bk_tcp_take_soft_error(s->stack, sock->conn);
}

static void put_error(const struct bk_sockets *s, const struct sock *sock, const struct sock_report *r,
                      struct msghdr *msg) {
    struct {
        struct sock_extended_err err;
        struct sockaddr_storage offender;
    } data = {.err = r->err};
    socklen_t length = sock->ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (is_icmp(r) && r->err.ee_origin != SO_EE_ORIGIN_LOCAL)
        length = address_put(sock->ipv6, &r->offender, &data.offender);
    message_put_control(s, msg, sock->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, sock->ipv6 ? IPV6_RECVERR : IP_RECVERR, &data,
                        sizeof data.err + length);
}

int64_t report_receive(struct bk_sockets *s, struct sock *sock, const struct span *to, struct msghdr *msg) {
    struct sock_more *more = sock->more;
    struct sock_report *r = more == NULL ? NULL : more->reports;
    int64_t length = 0;
    if (r == NULL) return -EAGAIN;
    if (is_icmp(r)) {
        length = put_quoted(s, sock, r, to, msg);
        if (length < 0) return length;
    } else if (msg != NULL) {
        msg->msg_namelen = 0;
    }
    more->reports = r->next;
    more->report_count--;
    if (is_icmp(r)) settle_error(s, sock, r);
    if (msg != NULL) {
        msg->msg_flags |= MSG_ERRQUEUE | (r->truncated ? MSG_TRUNC : 0);
        if (r->timed && (more->stamping & SOF_TIMESTAMPING_SOFTWARE)) put_time(s, msg, r->time);
        put_error(s, sock, r, msg);
    }
    free(r);
    return length;
}

void report_drop_icmp(struct sock *sock) {
    struct sock_more *more = sock->more;
    struct sock_report **at = &more->reports, *kept = NULL;
    while (*at != NULL) {
        struct sock_report *r = *at;
        if (!is_icmp(r)) {
            kept = r;
            at = &r->next;
            continue;
        }
        *at = r->next;
        more->report_count--;
        free(r);
    }
    more->reports_tail = kept;
}

void report_drop_all(struct sock *sock) {
    struct sock_more *more = sock->more;
    struct sock_report *r;
    while ((r = more->reports) != NULL) {
        more->reports = r->next;
        free(r);
    }
    struct sock_mark **lists[] = {&more->unsent, &more->unacked}, *mark;
    for (int i = 0; i < 2; i++)
        while ((mark = *lists[i]) != NULL) {
            *lists[i] = mark->next;
            free(mark);
        }
    more->mark_count = more->report_count = 0;
}
