/* setsockopt and getsockopt.
 *
 * Three kinds of options: the socket's own (struct sock, struct sock_more), those that the stack keeps for a connection (sock_set_stack: now,
 * or for the connection to come, or for all that a listener accepts), and what is only read. Values are read and written as
 * Linux does: an int unless the option says otherwise, cut off to the length that the program gave.
 */
#include "posix/sock.h"

#include <limits.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "posix/tcp_info.h"

#define SNDBUF_MIN   4608 /* what Linux reports at least */
#define RCVBUF_MIN   2304
#define MSS_MIN      88
#define WINDOW_MAX   32767
#define LINGER2_MAX  120
#define PRIORITY_MAX 6
#define ECN_BITS     3

/* ---- setting --------------------------------------------------------------------------------------- */

/* What setsockopt was given. */
struct given {
    struct bk_sockets *s;
    struct sock *sock;
    const void *value;
    socklen_t length;
    uint64_t now;
};

static int given_copy(const struct given *g, void *to, size_t size) {
    if (g->length < size) return -EINVAL;
    if (!memory_good(g->s, g->value, size, false)) return -EFAULT;
    memcpy(to, g->value, size);
    return 0;
}

/* IP's options take a single octet, too. */
static int given_int(const struct given *g, bool octet_too, int *to) {
    if (!octet_too || g->length >= sizeof *to) return given_copy(g, to, sizeof *to);
    uint8_t octet;
    int error = given_copy(g, &octet, 1);
    *to = octet;
    return error;
}

static int set_stack(const struct given *g, enum bk_tcp_option option, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) return -EINVAL;
    return sock_set_stack(g->s, g->sock, option, (uint64_t)value, g->now);
}

/* Whether a buffer's size holds bookkeeping besides text. */
static bool is_charged(const struct bk_sockets *s, enum bk_tcp_option option) {
    const struct bk_config *config = bk_config_of(s->stack);
    return option == BK_TCP_RECEIVE_BUFFER ? config->receive_overhead : config->send_overhead != 0;
}

/* The double of what is asked for is reported, as Linux does, which keeps as much again for itself; at least `min`, at most twice
 * `max`. */
static int set_buffer(const struct given *g, enum bk_tcp_option option, int value, uint32_t max, uint32_t min) {
    uint32_t bytes = (uint32_t)value < max ? (uint32_t)value : max;
    if (2 * bytes < min) bytes = min / 2;
    /* Where the stack charges bookkeeping to the buffer, too, as Linux does, it is the double that holds. */
    int error = sock_set_stack(g->s, g->sock, option, is_charged(g->s, option) ? 2 * bytes : bytes, g->now);
    if (error != 0) return error;
    if (option == BK_TCP_SEND_BUFFER)
        g->sock->sndbuf_named = true;
    else
        g->sock->rcvbuf_named = true;
    return 0;
}

static int set_linger(const struct given *g) {
    struct linger linger;
    int error = given_copy(g, &linger, sizeof linger);
    if (error != 0) return error;
    g->sock->linger = linger.l_onoff != 0;
    if (linger.l_onoff != 0) g->sock->linger_s = linger.l_linger < 0 ? INT_MAX : linger.l_linger;
    return 0;
}

static int set_timeout(const struct given *g, uint64_t *timeout) {
    struct timeval tv;
    int error = given_copy(g, &tv, sizeof tv);
    if (error != 0) return error;
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000) return -EDOM;
    if (tv.tv_sec < 0)
        *timeout = 1; /* over as soon as it is looked at */
    else if ((uint64_t)tv.tv_sec > UINT64_MAX / 1000000000 - 1)
        *timeout = 0;
    else
        *timeout = (uint64_t)tv.tv_sec * 1000000000 + (uint64_t)tv.tv_usec * 1000;
    return 0;
}

static int set_stamping(const struct given *g, struct sock_more *more, int value) {
    struct bk_tcp_look look;
    bool conn = sock_look(g->s, g->sock, &look);
    if (value & ~SOF_TIMESTAMPING_MASK) return -EINVAL;
    if ((value & SOF_TIMESTAMPING_OPT_ID) && !(more->stamping & SOF_TIMESTAMPING_OPT_ID)) {
        if (!conn || look.state == BK_CLOSED) return -EINVAL; /* there is no octet to count from */
        more->stamp_base = look.snd_una;
    }
    more->stamping = (uint32_t)value;
    if (value & SOF_TIMESTAMPING_RX_SOFTWARE) sock_news(g->s, g->sock, BK_NEWS_ARRIVALS, true);
    return 0;
}

static int set_low_water(const struct given *g, struct sock_more *more, int value) {
    more->rcvlowat = value < 0 ? INT_MAX : value == 0 ? 1 : value;
    if (more->rcvlowat > 1) sock_news(g->s, g->sock, BK_NEWS_ARRIVALS, true);
    file_wake(g->s, &g->sock->file, POLLIN | POLLRDNORM);
    return 0;
}

static int set_socket(const struct given *g, int option) {
    struct sock *sock = g->sock;
    struct sock_more *more;
    int value = 0, error;
    if (option == SO_LINGER) return set_linger(g);
    if (option != SO_RCVTIMEO && option != SO_SNDTIMEO) {
        error = given_copy(g, &value, sizeof value);
        if (error != 0) return error;
    }
    switch (option) {
    case SO_REUSEADDR:
        sock->reuse = value != 0;
        return 0;
    case SO_OOBINLINE:
        sock->oob_inline = value != 0;
        return 0;
    case SO_KEEPALIVE:
        return set_stack(g, BK_TCP_KEEPALIVE, value != 0, 0, 1);
    case SO_SNDBUF:
        return set_buffer(g, BK_TCP_SEND_BUFFER, value, g->s->config.wmem_max, SNDBUF_MIN);
    case SO_RCVBUF:
        return set_buffer(g, BK_TCP_RECEIVE_BUFFER, value, g->s->config.rmem_max, RCVBUF_MIN);
    case SO_RCVLOWAT:
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
    case SO_MARK:
    case SO_PRIORITY:
    case SO_ZEROCOPY:
    case SO_TIMESTAMPING:
        break;
    default:
        return -ENOPROTOOPT;
    }
    more = sock_more_of(sock);
    if (more == NULL) return -ENOMEM;
    switch (option) {
    case SO_RCVLOWAT:
        return set_low_water(g, more, value);
    case SO_RCVTIMEO:
        return set_timeout(g, &more->rcvtimeo);
    case SO_SNDTIMEO:
        return set_timeout(g, &more->sndtimeo);
    case SO_MARK:
        more->mark = (uint32_t)value;
        return 0;
    case SO_PRIORITY:
        if (value < 0 || value > PRIORITY_MAX) return -EPERM;
        more->priority = (uint32_t)value;
        return 0;
    case SO_ZEROCOPY:
        if (value < 0 || value > 1) return -EINVAL;
        more->zerocopy = value != 0;
        return 0;
    default:
        return set_stamping(g, more, value);
    }
}

static int set_notsent(const struct given *g, int value) {
    struct sock_more *more = sock_more_of(g->sock);
    if (more == NULL) return -ENOMEM;
    /* 0: what holds for all. */
    uint32_t low = value != 0 ? (uint32_t)value : bk_config_of(g->s->stack)->unsent_low;
    more->notsent_lowat = (uint32_t)value;
    file_wake(g->s, &g->sock->file, POLLOUT | POLLWRNORM);
    return sock_set_stack(g->s, g->sock, BK_TCP_UNSENT_LOW, low, g->now);
}

/* Names as Linux has them, in the order of enum bk_congestion. */
static const char *const congestion_name[BK_CONGESTIONS] = {"cubic", "reno", "bbr"};
#define CONGESTION_NAME_MAX 16u /* TCP_CA_NAME_MAX */

static int set_congestion(const struct given *g) {
    char name[CONGESTION_NAME_MAX] = "";
    size_t n = g->length < sizeof name - 1 ? g->length : sizeof name - 1;
    if (n == 0) return -EINVAL;
    if (!memory_good(g->s, g->value, n, false)) return -EFAULT;
    memcpy(name, g->value, n);
    for (unsigned i = 0; i < BK_CONGESTIONS; i++)
        if (strcmp(name, congestion_name[i]) == 0) return set_stack(g, BK_TCP_CONGESTION, i, 0, BK_CONGESTIONS - 1);
    return -ENOENT;
}

static int set_tcp(const struct given *g, int option) {
    if (option == TCP_CONGESTION) return set_congestion(g);
    int value, error = given_copy(g, &value, sizeof value);
    if (error != 0) return error;
    switch (option) {
    case TCP_NODELAY:
        return set_stack(g, BK_TCP_NODELAY, value != 0, 0, 1);
    case TCP_CORK:
        return set_stack(g, BK_TCP_CORK, value != 0, 0, 1);
    case TCP_MAXSEG:
        return value == 0 ? set_stack(g, BK_TCP_MAX_SEGMENT, 0, 0, 0)
                          : set_stack(g, BK_TCP_MAX_SEGMENT, value, MSS_MIN, WINDOW_MAX);
    case TCP_QUICKACK:
        return set_stack(g, BK_TCP_QUICKACK, value != 0, 0, 1);
    case TCP_KEEPIDLE:
        return set_stack(g, BK_TCP_KEEPALIVE_IDLE_S, value, 1, 32767);
    case TCP_KEEPINTVL:
        return set_stack(g, BK_TCP_KEEPALIVE_INTERVAL_S, value, 1, 32767);
    case TCP_KEEPCNT:
        return set_stack(g, BK_TCP_KEEPALIVE_PROBES, value, 1, 127);
    case TCP_SYNCNT:
        return set_stack(g, BK_TCP_SYN_RETRIES, value, 1, 127);
    case TCP_LINGER2:
        /* Negative: not at all; a second is the least that the stack counts in. */
        return set_stack(g, BK_TCP_FIN_WAIT_2_S,
                         value < 0             ? 1
                         : value > LINGER2_MAX ? LINGER2_MAX
                                               : value,
                         0, LINGER2_MAX);
    case TCP_USER_TIMEOUT:
        return set_stack(g, BK_TCP_USER_TIMEOUT_MS, value, 0, INT_MAX);
    case TCP_NOTSENT_LOWAT:
        return set_notsent(g, value);
    case TCP_INQ:
        if (value < 0 || value > 1) return -EINVAL;
        if (sock_more_of(g->sock) == NULL) return -ENOMEM;
        g->sock->more->inq = value != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_class(const struct given *g, int value) {
    if (value < 0 || value > 255) return -EINVAL;
    return set_stack(g, BK_TCP_TRAFFIC_CLASS, value & ~ECN_BITS, 0, 255);
}

static int set_hop_limit(const struct given *g, int value, int least) {
    if (value == -1)
        value = 0; /* the interface's */
    else if (value < least || value > 255)
        return -EINVAL;
    return set_stack(g, BK_TCP_HOP_LIMIT, value, 0, 255);
}

/* IPv6 has the same numbers. The kinds that Linux tells apart besides (WANT and DO, INTERFACE and OMIT) do not differ for TCP. */
static int set_mtu_discover(const struct given *g, struct sock_more *more, int value) {
    static const uint8_t kind[] = {[IP_PMTUDISC_DONT] = BK_MTU_FRAGMENT,       [IP_PMTUDISC_WANT] = BK_MTU_DISCOVER,
                                   [IP_PMTUDISC_DO] = BK_MTU_DISCOVER,         [IP_PMTUDISC_PROBE] = BK_MTU_PROBE,
                                   [IP_PMTUDISC_INTERFACE] = BK_MTU_INTERFACE, [IP_PMTUDISC_OMIT] = BK_MTU_INTERFACE};
    if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT) return -EINVAL;
    more->mtu_discover = (uint32_t)value + 1;
    return set_stack(g, BK_TCP_MTU_DISCOVERY, kind[value], 0, BK_MTU_DISCOVERIES);
}

static int set_ip(const struct given *g, int option) {
    int value, error = given_int(g, true, &value);
    if (error != 0) return error;
    struct sock_more *more = sock_more_of(g->sock);
    if (more == NULL) return -ENOMEM;
    switch (option) {
    case IP_TOS:
        return set_class(g, value & 255);
    case IP_TTL:
        return set_hop_limit(g, value, 1);
    case IP_MTU_DISCOVER:
        return set_mtu_discover(g, more, value);
    case IP_FREEBIND:
        more->freebind = value != 0;
        return 0;
    case IP_RECVERR:
        more->recverr = value != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_ipv6(const struct given *g, int option) {
    struct sock *sock = g->sock;
    int value, error = given_copy(g, &value, sizeof value);
    if (error != 0) return error;
    switch (option) {
    case IPV6_V6ONLY:
        if (sock->port != NULL || sock->phase != SOCK_FRESH) return -EINVAL;
        sock->v6only = value != 0;
        return 0;
    case IPV6_TCLASS:
        return value == -1 ? set_class(g, 0) : set_class(g, value);
    case IPV6_UNICAST_HOPS:
        return set_hop_limit(g, value, 0);
    case IPV6_MTU_DISCOVER:
    case IPV6_RECVERR:
    case IPV6_FREEBIND:
        break;
    default:
        return -ENOPROTOOPT;
    }
    struct sock_more *more = sock_more_of(sock);
    if (more == NULL) return -ENOMEM;
    if (option == IPV6_MTU_DISCOVER) return set_mtu_discover(g, more, value);
    if (option == IPV6_RECVERR) {
        more->recverr = value != 0;
    } else {
        more->freebind = value != 0;
    }
    return 0;
}

int bk_setsockopt(struct bk_sockets *s, int fd, int level, int option, const void *value, socklen_t length,
                  uint64_t now) {
    struct given g = {s, NULL, value, length, now};
    int error = sock_get(s, fd, &g.sock);
    if (error != 0) return error;
    if ((int)length < 0) return -EINVAL;
    switch (level) {
    case SOL_SOCKET:
        return set_socket(&g, option);
    case IPPROTO_TCP:
        return set_tcp(&g, option);
    case IPPROTO_IP:
        return set_ip(&g, option);
    case IPPROTO_IPV6:
        return g.sock->ipv6 ? set_ipv6(&g, option) : -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
}

/* ---- getting --------------------------------------------------------------------------------------- */

/* What an option answers: an int unless something else is put. */
struct answer {
    union {
        int number;
        struct linger linger;
        struct timeval time;
        struct bk_socket_tcp_info info;
        uint32_t memory[SK_MEMINFO_VARS];
        char name[CONGESTION_NAME_MAX];
    };
    size_t size;
};

static void answer_time(struct answer *a, uint64_t ns) {
    a->time = (struct timeval){(time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000)};
    a->size = sizeof a->time;
}

static int buffer_of(const struct bk_sockets *s, const struct sock *sock, enum bk_tcp_option option, bool named) {
    uint64_t bytes = sock_get_stack(s, sock, option);
    return (int)(named && !is_charged(s, option) ? 2 * bytes : bytes);
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
    case TCP_INQ:
        a->number = sock->more != NULL && sock->more->inq;
        return 0;
    case TCP_CONGESTION:
        memset(a->name, 0, sizeof a->name);
        strcpy(a->name, congestion_name[sock_get_stack(s, sock, BK_TCP_CONGESTION)]);
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
