/* The names that scripts use for numbers: those of the system's headers. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/common.h"
#include "lab/script_call.h"

/* Newer than some C libraries' headers; the numbers are Linux's. */
#ifndef TCP_CM_INQ
#define TCP_INQ    36
#define TCP_CM_INQ TCP_INQ
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef SCM_TIMESTAMPING
#define SCM_TIMESTAMPING SO_TIMESTAMPING
#endif

#define S(name)                                                                                                        \
    { #name, name }
static const struct {
    const char *name;
    int64_t value;
} script_symbols[] = {
    S(AF_INET),
    S(AF_INET6),
    S(AF_UNSPEC),
    S(SOCK_STREAM),
    S(SOCK_DGRAM),
    S(SOCK_NONBLOCK),
    S(SOCK_CLOEXEC),
    S(IPPROTO_TCP),
    S(IPPROTO_UDP),
    S(IPPROTO_IP),
    S(IPPROTO_IPV6),
    S(SOL_SOCKET),
    S(SOL_TCP),
    S(SOL_IP),
    S(SOL_IPV6),
    /* SOL_SOCKET */
    S(SO_REUSEADDR),
    S(SO_REUSEPORT),
    S(SO_ERROR),
    S(SO_SNDBUF),
    S(SO_RCVBUF),
    S(SO_SNDBUFFORCE),
    S(SO_RCVBUFFORCE),
    S(SO_KEEPALIVE),
    S(SO_LINGER),
    S(SO_MARK),
    S(SO_ZEROCOPY),
    S(SO_TIMESTAMPING),
    S(SO_SNDTIMEO),
    S(SO_RCVTIMEO),
    S(SO_RCVLOWAT),
    S(SO_PRIORITY),
    S(SO_MAX_PACING_RATE),
    S(SO_OOBINLINE),
    S(SO_TYPE),
    S(SO_ACCEPTCONN),
    /* SOL_TCP */
    S(TCP_NODELAY),
    S(TCP_MAXSEG),
    S(TCP_CORK),
    S(TCP_KEEPIDLE),
    S(TCP_KEEPINTVL),
    S(TCP_KEEPCNT),
    S(TCP_SYNCNT),
    S(TCP_LINGER2),
    S(TCP_DEFER_ACCEPT),
    S(TCP_WINDOW_CLAMP),
    S(TCP_INFO),
    S(TCP_QUICKACK),
    S(TCP_CONGESTION),
    S(TCP_USER_TIMEOUT),
    S(TCP_FASTOPEN),
    S(TCP_TIMESTAMP),
    S(TCP_NOTSENT_LOWAT),
    S(TCP_FASTOPEN_CONNECT),
    S(TCP_FASTOPEN_KEY),
    S(TCP_RTO_MAX_MS),
    S(TCP_INQ),
    S(TCP_CM_INQ),
    /* SOL_IP, SOL_IPV6 */
    S(IP_TOS),
    S(IP_TTL),
    S(IP_MTU),
    S(IP_MTU_DISCOVER),
    S(IP_PMTUDISC_DONT),
    S(IP_PMTUDISC_WANT),
    S(IP_PMTUDISC_DO),
    S(IP_PMTUDISC_PROBE),
    S(IP_RECVERR),
    S(IP_FREEBIND),
    S(IP_TRANSPARENT),
    S(IPV6_RECVERR),
    S(IPV6_V6ONLY),
    S(IPV6_TCLASS),
    S(IPV6_MTU),
    S(IPV6_MTU_DISCOVER),
    /* messages */
    S(MSG_DONTWAIT),
    S(MSG_EOR),
    S(MSG_ERRQUEUE),
    S(MSG_FASTOPEN),
    S(MSG_MORE),
    S(MSG_NOSIGNAL),
    S(MSG_OOB),
    S(MSG_PEEK),
    S(MSG_TRUNC),
    S(MSG_CTRUNC),
    S(MSG_WAITALL),
    S(MSG_ZEROCOPY),
    S(SCM_TIMESTAMPING),
    S(SCM_TSTAMP_SND),
    S(SCM_TSTAMP_SCHED),
    S(SCM_TSTAMP_ACK),
    S(SO_EE_ORIGIN_NONE),
    S(SO_EE_ORIGIN_LOCAL),
    S(SO_EE_ORIGIN_ICMP),
    S(SO_EE_ORIGIN_ICMP6),
    S(SO_EE_ORIGIN_TXSTATUS),
    S(SO_EE_ORIGIN_TIMESTAMPING),
    S(SO_EE_ORIGIN_ZEROCOPY),
    S(SO_EE_CODE_ZEROCOPY_COPIED),
    S(SOF_TIMESTAMPING_TX_HARDWARE),
    S(SOF_TIMESTAMPING_TX_SOFTWARE),
    S(SOF_TIMESTAMPING_RX_HARDWARE),
    S(SOF_TIMESTAMPING_RX_SOFTWARE),
    S(SOF_TIMESTAMPING_SOFTWARE),
    S(SOF_TIMESTAMPING_RAW_HARDWARE),
    S(SOF_TIMESTAMPING_OPT_ID),
    S(SOF_TIMESTAMPING_TX_SCHED),
    S(SOF_TIMESTAMPING_TX_ACK),
    S(SOF_TIMESTAMPING_OPT_CMSG),
    S(SOF_TIMESTAMPING_OPT_TSONLY),
    S(SOF_TIMESTAMPING_OPT_STATS),
    /* files */
    S(F_GETFL),
    S(F_SETFL),
    S(F_GETFD),
    S(F_SETFD),
    S(O_RDONLY),
    S(O_WRONLY),
    S(O_RDWR),
    S(O_NONBLOCK),
    S(O_CLOEXEC),
    S(FIONREAD),
    S(SIOCINQ),
    S(SIOCOUTQ),
    S(SIOCOUTQNSD),
    S(SIOCATMARK),
    S(SHUT_RD),
    S(SHUT_WR),
    S(SHUT_RDWR),
    S(SPLICE_F_MOVE),
    S(SPLICE_F_NONBLOCK),
    S(SPLICE_F_MORE),
    /* poll and epoll */
    S(POLLIN),
    S(POLLPRI),
    S(POLLOUT),
    S(POLLERR),
    S(POLLHUP),
    S(POLLNVAL),
    S(POLLRDHUP),
    S(POLLRDNORM),
    S(POLLWRNORM),
    S(EPOLLIN),
    S(EPOLLPRI),
    S(EPOLLOUT),
    S(EPOLLERR),
    S(EPOLLHUP),
    S(EPOLLRDHUP),
    S(EPOLLRDNORM),
    S(EPOLLWRNORM),
    S(EPOLLET),
    S(EPOLLONESHOT),
    S(EPOLLEXCLUSIVE),
    S(EPOLL_CTL_ADD),
    S(EPOLL_CTL_DEL),
    S(EPOLL_CTL_MOD),
    {"NULL", 0},
};

static const struct {
    const char *name;
    int value;
} script_errors[] = {
    S(EPERM),         S(ENOENT),          S(EINTR),           S(EIO),          S(EBADF),        S(EAGAIN),
    S(ENOMEM),        S(EACCES),          S(EFAULT),          S(EBUSY),        S(EEXIST),       S(EINVAL),
    S(EMFILE),        S(ENOSPC),          S(EPIPE),           S(ENOTSOCK),     S(EDESTADDRREQ), S(EMSGSIZE),
    S(ENOPROTOOPT),   S(EPROTONOSUPPORT), S(ESOCKTNOSUPPORT), S(EOPNOTSUPP),   S(EAFNOSUPPORT), S(EADDRINUSE),
    S(EADDRNOTAVAIL), S(ENETDOWN),        S(ENETUNREACH),     S(ECONNABORTED), S(ECONNRESET),   S(ENOBUFS),
    S(EISCONN),       S(ENOTCONN),        S(ESHUTDOWN),       S(ETIMEDOUT),    S(ECONNREFUSED), S(EHOSTUNREACH),
    S(EALREADY),      S(EINPROGRESS),     S(ENOMSG),          S(EPROTO),       S(EOVERFLOW),
};
#undef S

bool script_symbol(const char *name, int64_t *out) {
    for (size_t i = 0; i < BK_COUNT(script_symbols); i++)
        if (strcmp(script_symbols[i].name, name) == 0) {
            *out = script_symbols[i].value;
            return true;
        }
    for (size_t i = 0; i < BK_COUNT(script_errors); i++)
        if (strcmp(script_errors[i].name, name) == 0) {
            *out = script_errors[i].value;
            return true;
        }
    if (strcmp(name, "EWOULDBLOCK") != 0) return false;
    *out = EWOULDBLOCK;
    return true;
}

const char *script_errno_name(int error) {
    for (size_t i = 0; i < BK_COUNT(script_errors); i++)
        if (script_errors[i].value == error) return script_errors[i].name;
    return "an error without a name";
}
