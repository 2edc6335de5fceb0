/* setsockopt. What is read: options_get.c.
 *
 * Three kinds of options: the socket's own (struct sock, struct sock_more), those that the stack keeps for a connection (sock_set_stack: now,
 * or for the connection to come, or for all that a listener accepts), and what is only read. Values are read and written as
 * Linux does: an int unless the option says otherwise, cut off to the length that the program gave.
 */
#include "posix/options.h"

#include <limits.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "posix/report.h"

#define SNDBUF_MIN   4608 /* what Linux reports at least */
#define RCVBUF_MIN   2304
#define MSS_MIN      88
#define CLAMP_MIN    1152 /* half of RCVBUF_MIN */
#define RTO_MAX_LOW  1000
#define RTO_MAX_HIGH 120000
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

bool option_charges_overhead(const struct bk_sockets *s, enum bk_tcp_option option) {
    const struct bk_config *config = bk_config_of(s->stack);
    return option == BK_TCP_SEND_BUFFER ? config->send_overhead != 0 : config->receive_overhead;
}

/* The double of what is asked for is reported, as Linux does, which keeps as much again for itself; at least `min`, at most twice
 * `max`. */
static int set_buffer(const struct given *g, enum bk_tcp_option option, int value, uint32_t max, uint32_t min) {
    uint32_t bytes = (uint32_t)value < max ? (uint32_t)value : max;
    if (2 * bytes < min) bytes = min / 2;
    /* Where the stack charges its own bookkeeping to the buffer, as Linux does, it is the double that holds. */
    int error =
        sock_set_stack(g->s, g->sock, option, option_charges_overhead(g->s, option) ? 2 * bytes : bytes, g->now);
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

const char *const option_congestion_name[BK_CONGESTIONS] = {"cubic", "reno", "bbr"};

/* A window clamp of 0 is none, which Linux allows as long as there is no connection. */
static int set_clamp(const struct given *g, int value) {
    struct bk_tcp_look look;
    bool open = g->sock->phase == SOCK_LISTENING || (sock_look(g->s, g->sock, &look) && look.state != BK_CLOSED);
    if (value == 0 && open) return -EINVAL;
    if (value != 0 && value < CLAMP_MIN) value = CLAMP_MIN;
    return set_stack(g, BK_TCP_WINDOW_CLAMP, value, 0, INT_MAX);
}

uint32_t option_defer_seconds(const struct bk_sockets *s, uint32_t times) {
    const struct bk_config *config = bk_config_of(s->stack);
    uint64_t wait = config->rto_initial_ms, ms = 0;
    for (; times != 0; times--) {
        ms += wait;
        wait = 2 * wait < config->rto_max_ms ? 2 * wait : config->rto_max_ms;
    }
    return (uint32_t)(ms / 1000);
}

/* Seconds are counted in times for a SYN-ACK, as many as last so long at least under the stack's own bounds: a listener's TCP_RTO_MAX_MS makes each
 * time shorter, not their number larger. It is told of any socket and done by one that listens. */
static int set_defer(const struct given *g, int seconds) {
    struct sock_more *more = sock_more_of(g->sock);
    uint32_t times = 0;
    if (more == NULL) return -ENOMEM;
    while (seconds > 0 && times < BK_DEFER_MAX && option_defer_seconds(g->s, times) < (uint32_t)seconds) times++;
    if (g->sock->phase == SOCK_LISTENING)
        (void)bk_tcp_listener_set(g->s->stack, g->sock->listener, BK_TCP_DEFER_ACCEPT, times, g->now);
    more->option[BK_TCP_DEFER_ACCEPT] = times;
    more->option_mask |= 1u << BK_TCP_DEFER_ACCEPT;
    return 0;
}

static int set_congestion(const struct given *g) {
    char name[OPTION_NAME_MAX] = "";
    size_t n = g->length < sizeof name - 1 ? g->length : sizeof name - 1;
    if (n == 0) return -EINVAL;
    if (!memory_good(g->s, g->value, n, false)) return -EFAULT;
    memcpy(name, g->value, n);
    for (unsigned i = 0; i < BK_CONGESTIONS; i++)
        if (strcmp(name, option_congestion_name[i]) == 0)
            return set_stack(g, BK_TCP_CONGESTION, i, 0, BK_CONGESTIONS - 1);
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
    case TCP_RTO_MAX_MS:
        if (value < RTO_MAX_LOW || value > RTO_MAX_HIGH) return -EINVAL;
        return set_stack(g, BK_TCP_RTO_MAX_MS, value + value % 2, RTO_MAX_LOW, RTO_MAX_HIGH);
    case TCP_WINDOW_CLAMP:
        return set_clamp(g, value);
    case TCP_DEFER_ACCEPT:
        return set_defer(g, value);
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

static int set_recverr(const struct given *g, struct sock_more *more, int value) {
    more->recverr = value != 0;
    sock_news(g->s, g->sock, BK_NEWS_ERRORS, more->recverr);
    if (!more->recverr) report_drop_icmp(g->sock);
    return 0;
}

/* The type of service says how urgent packets are (RFC 1349's bits), and SO_PRIORITY follows it. */
static int set_tos(const struct given *g, struct sock_more *more, int value) {
    static const uint8_t priority[] = {0, 2, 6, 4}; /* best effort, bulk, interactive, interactive bulk */
    int error = set_class(g, value);
    if (error == 0) more->priority = priority[value >> 3 & 3];
    return error;
}

static int set_ip(const struct given *g, int option) {
    int value, error = given_int(g, true, &value);
    if (error != 0) return error;
    struct sock_more *more = sock_more_of(g->sock);
    if (more == NULL) return -ENOMEM;
    switch (option) {
    case IP_TOS:
        return set_tos(g, more, value & 255);
    case IP_TTL:
        return set_hop_limit(g, value, 1);
    case IP_MTU_DISCOVER:
        return set_mtu_discover(g, more, value);
    case IP_FREEBIND:
        more->freebind = value != 0;
        return 0;
    case IP_RECVERR:
        return set_recverr(g, more, value);
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
    if (option == IPV6_RECVERR) return set_recverr(g, more, value);
    more->freebind = value != 0;
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
