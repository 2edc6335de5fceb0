/* getsockopt. What is set, and how options are kept: options.c. */
#include "posix/options.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "posix/tcp_info.h"

/* What an option answers: an int unless something else is put. */
struct answer {
    union {
        int number;
        struct linger linger;
        struct timeval time;
        struct bk_socket_tcp_info info;
        uint32_t memory[SK_MEMINFO_VARS];
        char name[OPTION_NAME_MAX];
    };
    size_t size;
};

static void answer_time(struct answer *a, uint64_t ns) {
    a->time = (struct timeval){(time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000)};
    a->size = sizeof a->time;
}

static int buffer_of(const struct bk_sockets *s, const struct sock *sock, enum bk_tcp_option option, bool named) {
    uint64_t bytes = sock_get_stack(s, sock, option);
    return (int)(named && !option_charges_overhead(s, option) ? 2 * bytes : bytes);
}

static int get_socket(struct bk_sockets *s, struct sock *sock, int option, struct answer *a) {
    static const struct sock_more none = {.rcvlowat = 1};
    const struct sock_more *more = sock->more != NULL ? sock->more : &none;
    struct bk_tcp_look look;
    switch (option) {
    case SO_REUSEADDR:
        a->number = sock->reuse;
        return 0;
    case SO_ERROR:
        (void)sock_look(s, sock, &look);
        a->number = -sock_take_error(sock);
        /* With nothing pending, a trouble that may pass is told, once. */
        if (a->number == 0 && sock_has_conn(sock) && !sock->over)
            a->number = -bk_tcp_take_soft_error(s->stack, sock->conn);
        return 0;
    case SO_TYPE:
        a->number = SOCK_STREAM;
        return 0;
    case SO_DOMAIN:
        a->number = sock->ipv6 ? AF_INET6 : AF_INET;
        return 0;
    case SO_PROTOCOL:
        a->number = IPPROTO_TCP;
        return 0;
    case SO_ACCEPTCONN:
        a->number = sock->phase == SOCK_LISTENING;
        return 0;
    case SO_KEEPALIVE:
        a->number = (int)sock_get_stack(s, sock, BK_TCP_KEEPALIVE);
        return 0;
    case SO_LINGER:
        a->linger = (struct linger){sock->linger, sock->linger_s};
        a->size = sizeof a->linger;
        return 0;
    case SO_SNDBUF:
        a->number = buffer_of(s, sock, BK_TCP_SEND_BUFFER, sock->sndbuf_named);
        return 0;
    case SO_RCVBUF:
        a->number = buffer_of(s, sock, BK_TCP_RECEIVE_BUFFER, sock->rcvbuf_named);
        return 0;
    case SO_MEMINFO: /* the sizes of the buffers; what is in them is told by others */
        memset(a->memory, 0, sizeof a->memory);
        a->memory[SK_MEMINFO_RCVBUF] = (uint32_t)buffer_of(s, sock, BK_TCP_RECEIVE_BUFFER, sock->rcvbuf_named);
        a->memory[SK_MEMINFO_SNDBUF] = (uint32_t)buffer_of(s, sock, BK_TCP_SEND_BUFFER, sock->sndbuf_named);
        a->size = sizeof a->memory;
        return 0;
    case SO_SNDLOWAT:
        a->number = 1;
        return 0;
    case SO_RCVLOWAT:
        a->number = more->rcvlowat;
        return 0;
    case SO_RCVTIMEO:
        answer_time(a, more->rcvtimeo);
        return 0;
    case SO_SNDTIMEO:
        answer_time(a, more->sndtimeo);
        return 0;
    case SO_MARK:
        a->number = (int)more->mark;
        return 0;
    case SO_PRIORITY:
        a->number = (int)more->priority;
        return 0;
    case SO_ZEROCOPY:
        a->number = more->zerocopy;
        return 0;
    case SO_TIMESTAMPING:
        a->number = (int)more->stamping;
        return 0;
    case SO_OOBINLINE:
        a->number = sock->oob_inline;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* Options of the stack that are told as they are. */
static bool plain_tcp(int option, enum bk_tcp_option *out) {
    static const struct {
        int option;
        enum bk_tcp_option stack;
    } same[] = {
        {TCP_NODELAY, BK_TCP_NODELAY},
        {TCP_QUICKACK, BK_TCP_QUICKACK},
        {TCP_KEEPIDLE, BK_TCP_KEEPALIVE_IDLE_S},
        {TCP_KEEPINTVL, BK_TCP_KEEPALIVE_INTERVAL_S},
        {TCP_KEEPCNT, BK_TCP_KEEPALIVE_PROBES},
        {TCP_SYNCNT, BK_TCP_SYN_RETRIES},
        {TCP_USER_TIMEOUT, BK_TCP_USER_TIMEOUT_MS},
        {TCP_CORK, BK_TCP_CORK},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (same[i].option == option) {
            *out = same[i].stack;
            return true;
        }
    return false;
}

static int max_segment(const struct bk_sockets *s, const struct sock *sock) {
    struct bk_tcp_info info;
    if (sock_has_conn(sock) && !sock->over && bk_tcp_status(s->stack, sock->conn, &info) == 0) return info.send_mss;
    int own = (int)sock_get_stack(s, sock, BK_TCP_MAX_SEGMENT);
    return own != 0 ? own : 536;
}

static int get_tcp(struct bk_sockets *s, struct sock *sock, int option, struct answer *a) {
    enum bk_tcp_option stack;
    if (plain_tcp(option, &stack)) {
        a->number = (int)sock_get_stack(s, sock, stack);
        return 0;
    }
    uint64_t seconds;
    switch (option) {
    case TCP_MAXSEG:
        a->number = max_segment(s, sock);
        return 0;
    case TCP_LINGER2:
        seconds = sock_get_stack(s, sock, BK_TCP_FIN_WAIT_2_S);
        a->number = (int)(seconds != 0 ? seconds : bk_config_of(s->stack)->fin_wait_2_ms / 1000);
        return 0;
    case TCP_NOTSENT_LOWAT:
        a->number = sock->more == NULL ? 0 : (int)sock->more->notsent_lowat;
        return 0;
    case TCP_RTO_MAX_MS:
        a->number = (int)sock_get_stack(s, sock, BK_TCP_RTO_MAX_MS);
        if (a->number == 0) a->number = (int)bk_config_of(s->stack)->rto_max_ms;
        return 0;
    case TCP_WINDOW_CLAMP:
        a->number = (int)sock_get_stack(s, sock, BK_TCP_WINDOW_CLAMP);
        /* What bounds the window of a connection in any case. */
        if (a->number == 0 && sock_has_conn(sock)) a->number = (int)sock_get_stack(s, sock, BK_TCP_RECEIVE_BUFFER);
        return 0;
    case TCP_DEFER_ACCEPT:
        a->number = sock->more == NULL ? 0 : (int)option_defer_seconds(s, sock->more->option[BK_TCP_DEFER_ACCEPT]);
        return 0;
    case TCP_INQ:
        a->number = sock->more != NULL && sock->more->inq;
        return 0;
    case TCP_CONGESTION:
        memset(a->name, 0, sizeof a->name);
        strcpy(a->name, option_congestion_name[sock_get_stack(s, sock, BK_TCP_CONGESTION)]);
        a->size = sizeof a->name;
        return 0;
    case TCP_INFO:
        tcp_info_fill(s, sock, &a->info);
        a->size = sizeof a->info;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int path_mtu(const struct bk_sockets *s, const struct sock *sock, struct answer *a) {
    struct bk_tcp_info info;
    if (!sock_has_conn(sock) || bk_tcp_status(s->stack, sock->conn, &info) != 0) return -ENOTCONN;
    a->number = (int)info.path_mtu;
    return 0;
}

static int get_ip(const struct bk_sockets *s, const struct sock *sock, int option, struct answer *a) {
    const struct sock_more *more = sock->more;
    int value;
    switch (option) {
    case IP_TOS:
    case IPV6_TCLASS:
        a->number = (int)sock_get_stack(s, sock, BK_TCP_TRAFFIC_CLASS);
        return 0;
    case IP_TTL:
    case IPV6_UNICAST_HOPS:
        value = (int)sock_get_stack(s, sock, BK_TCP_HOP_LIMIT);
        a->number = value != 0 ? value : 64;
        return 0;
    case IP_MTU_DISCOVER:
    case IPV6_MTU_DISCOVER:
        a->number = more != NULL && more->mtu_discover != 0 ? (int)more->mtu_discover - 1 : IP_PMTUDISC_WANT;
        return 0;
    case IP_MTU:
    case IPV6_MTU:
        return path_mtu(s, sock, a);
    case IP_FREEBIND:
    case IPV6_FREEBIND:
        a->number = more != NULL && more->freebind;
        return 0;
    case IP_RECVERR:
    case IPV6_RECVERR:
        a->number = more != NULL && more->recverr;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get(struct bk_sockets *s, struct sock *sock, int level, int option, struct answer *a) {
    static const int ip[] = {IP_TOS, IP_TTL, IP_MTU_DISCOVER, IP_MTU, IP_FREEBIND, IP_RECVERR};
    static const int ipv6[] = {IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_MTU_DISCOVER,
                               IPV6_MTU,    IPV6_FREEBIND,     IPV6_RECVERR};
    switch (level) {
    case SOL_SOCKET:
        return get_socket(s, sock, option, a);
    case IPPROTO_TCP:
        return get_tcp(s, sock, option, a);
    case IPPROTO_IP:
        for (size_t i = 0; i < sizeof ip / sizeof ip[0]; i++)
            if (ip[i] == option) return get_ip(s, sock, option, a);
        return -ENOPROTOOPT;
    case IPPROTO_IPV6:
        if (!sock->ipv6) return -ENOPROTOOPT;
        a->number = sock->v6only;
        if (option == IPV6_V6ONLY) return 0;
        for (size_t i = 0; i < sizeof ipv6 / sizeof ipv6[0]; i++)
            if (ipv6[i] == option) return get_ip(s, sock, option, a);
        return -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
}

int bk_getsockopt(struct bk_sockets *s, int fd, int level, int option, void *value, socklen_t *length, uint64_t now) {
    struct sock *sock;
    struct answer a = {.size = sizeof a.number};
    (void)now;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    if (!memory_good(s, length, sizeof *length, true)) return -EFAULT;
    if ((int)*length < 0) return -EINVAL;
    error = get(s, sock, level, option, &a);
    if (error != 0) return error;
    if (*length < a.size) a.size = *length;
    if (!memory_good(s, value, a.size, true)) return -EFAULT;
    memcpy(value, &a, a.size); /* the union is its first member */
    *length = (socklen_t)a.size;
    return 0;
}
