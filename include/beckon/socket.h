/* Sockets: the calls of a program on a Beckon stack, as Linux answers them.
 *
 * A struct bk_sockets is a table of descriptors over one stack of stack.h: sockets, epolls, pipes and files of given bytes.
 * Constants, structures and errno values are those of the system's headers. What differs from Linux, and
 * why, is told in docs/sockets.md.
 *
 * No call sleeps. There are two ways to use it:
 *
 *   - The plain functions (bk_read, bk_send, bk_accept4, ...) answer at once, as for a descriptor with O_NONBLOCK:
 *     a result, or -EAGAIN (bk_connect: -EINPROGRESS). A program with a loop of its own needs no more.
 *   - A struct bk_syscall is one call that may wait: its arguments and how far it has come. bk_syscall_try either finishes it, or
 *     says until when it waits at most. Who waits, and how, is the caller's: a thread, a loop, a virtual clock.
 *     Whether a call waits at all follows from its descriptor and flags (O_NONBLOCK, MSG_DONTWAIT), as on Linux.
 *
 * The caller drives the stack (stack.h), and then the sockets:
 *
 *     bk_input(), bk_advance(), bk_output()            as ever
 *     bk_sockets_pump(sockets, now)                    takes the stack's readiness; so bk_ready_poll is not the caller's to call
 *     while ((call = bk_sockets_woken(sockets)))       calls that wait, and may get on now
 *         if (bk_syscall_try(sockets, call, now)) ...  finished: call->result
 *     bk_output()                                      what the calls brought about
 *
 * A call of one program may wake that of another (a pipe, a shutdown): ask bk_sockets_woken after those, too. A call whose `due` has come
 * is tried again without being woken. Work is in proportion to events, not to descriptors or calls that wait.
 *
 * Memory is malloc's; -ENOMEM and -ENOBUFS say that there was none. No variable lives outside struct bk_sockets. Threads: the stack's
 * rule (one at a time), for the stack and its sockets together.
 *
 * Time is the stack's: nanoseconds of any epoch, passed by the caller.
 */
#ifndef BECKON_SOCKET_H
#define BECKON_SOCKET_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "beckon/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the table ------------------------------------------------------------------------------------- */

struct bk_sockets;

struct bk_sockets_config {
    int first;       /* the lowest descriptor given out: the lowest free one is taken, as Linux does; 3 */
    int descriptors; /* how many there may be; beyond it -EMFILE; 1,048,576 */

    /* Whether `length` bytes at `memory` may be read (or, with `write`, written); false answers -EFAULT. NULL: all
     * memory is good. It is asked about each pointer that a call brings. */
    bool (*accessible)(void *context, const void *memory, size_t length, bool write);
    void *context;

    /* What Linux keeps in sysctls of these names. */
    uint32_t somaxconn;    /* a backlog's bound; 4,096 */
    uint32_t wmem_max;     /* the most that SO_SNDBUF takes; 212,992 */
    uint32_t rmem_max;     /* the most that SO_RCVBUF takes; 212,992 */
    bool bindv6only;       /* IPV6_V6ONLY of new sockets; off */
    bool ip_nonlocal_bind; /* bind takes addresses that are not local; off */
    uint64_t clock_offset; /* added to the stack's time gives wall-clock time, for SO_TIMESTAMPING; 0 */
};
BK_API void bk_sockets_config_default(struct bk_sockets_config *config);

/* A table over `stack`. `config` NULL: the default. Returns 0, -EINVAL or -ENOMEM. */
BK_API int bk_sockets_create(bk_stack *stack, const struct bk_sockets_config *config, struct bk_sockets **out);
/* Closes all descriptors, as the end of a process does, and frees the table. Calls that wait are forgotten. */
BK_API void bk_sockets_destroy(struct bk_sockets *sockets, uint64_t now);
/* The configuration, which may be changed between calls (not `first`). */
BK_API struct bk_sockets_config *bk_sockets_config_of(struct bk_sockets *sockets);

/* How many entries were not kept because an error queue had 1,024 of them. */
BK_API uint64_t bk_sockets_reports_dropped(const struct bk_sockets *sockets);

/* Takes what the stack has to tell. Call it after the stack was driven. */
BK_API void bk_sockets_pump(struct bk_sockets *sockets, uint64_t now);

/* ---- calls that may wait --------------------------------------------------------------------------- */

enum bk_sys {
    BK_SYS_ACCEPT,     /* accept */
    BK_SYS_CONNECT,    /* connect */
    BK_SYS_READ,       /* receive; flags and address of none */
    BK_SYS_READV,      /* vector */
    BK_SYS_RECV,       /* receive; recv and recvfrom */
    BK_SYS_RECVMSG,    /* message */
    BK_SYS_WRITE,      /* send; flags and address of none */
    BK_SYS_WRITEV,     /* vector */
    BK_SYS_SEND,       /* send; send and sendto */
    BK_SYS_SENDMSG,    /* message */
    BK_SYS_POLL,       /* poll */
    BK_SYS_EPOLL_WAIT, /* epoll; fd is the epoll's */
    BK_SYS_SENDFILE,   /* file; fd is the descriptor written to */
    BK_SYS_SPLICE,     /* splice; fd is the descriptor read from */
    BK_SYS_CLOSE,      /* waits as SO_LINGER says */
};

/* One call. Zero it, fill in what the call takes, and try it. What the arguments point to must stay valid, and the structure where it
 * is, until it has finished or was interrupted. */
struct bk_syscall {
    enum bk_sys sys;
    int fd;
    union {
        struct {
            struct sockaddr *address; /* may be NULL */
            socklen_t *length;
            int flags; /* SOCK_NONBLOCK, SOCK_CLOEXEC, as accept4 */
        } accept;
        struct {
            const struct sockaddr *address;
            socklen_t length;
        } connect;
        struct {
            void *data;
            size_t size;
            int flags;
            struct sockaddr *address; /* may be NULL */
            socklen_t *length;
        } receive;
        struct {
            const void *data;
            size_t size;
            int flags;
            const struct sockaddr *address; /* may be NULL */
            socklen_t length;
        } send;
        struct {
            const struct iovec *iov;
            int count;
        } vector;
        struct {
            struct msghdr *msg; /* RECVMSG writes msg_namelen, msg_controllen and msg_flags when it finishes */
            int flags;
        } message;
        struct {
            struct pollfd *fds;
            nfds_t count;
            int64_t timeout; /* ns; negative: for ever */
        } poll;
        struct {
            struct epoll_event *events;
            int count;
            int64_t timeout; /* ns; negative: for ever */
        } epoll;
        struct {
            int in;
            off_t *offset; /* NULL: the file's own */
            size_t count;
        } file;
        struct {
            int out;
            size_t count;
            unsigned flags; /* SPLICE_F_NONBLOCK, SPLICE_F_MORE */
        } splice;
    };
    void *user; /* the caller's own */

    /* What bk_syscall_try says. */
    int64_t result; /* when it has finished: 0 or more, or a negative errno */
    uint64_t due;   /* while it waits: try again at this time at the latest; BK_NEVER: when woken */

    /* How far it has come; the table's own. */
    struct {
        struct bk_wait *waits; /* what it stands in line for */
        struct bk_syscall *woken_next, *woken_prev;
        struct bk_file *file; /* which stays open while a call is in it */
        uint64_t until;       /* when its time is over */
        size_t done;          /* bytes moved so far; they count even if the rest fails */
        size_t wait_count;
        uint32_t stage; /* 0: not begun */
        bool woken;
    } progress;
};

/* Goes on with a call. Returns true when it has finished, with `result`; false when it waits, with `due`. May be called at any time,
 * woken or not. When `now` has reached its deadline (SO_RCVTIMEO, SO_SNDTIMEO, a timeout of poll or epoll_wait, SO_LINGER),
 * it finishes as Linux lets it. */
BK_API bool bk_syscall_try(struct bk_sockets *sockets, struct bk_syscall *call, uint64_t now);
/* Ends a call that waits, as a signal does: result is what was moved so far, or -EINTR. One that has finished stays as it is. */
BK_API void bk_syscall_interrupt(struct bk_sockets *sockets, struct bk_syscall *call, uint64_t now);
/* The next call that waits and may get on, or NULL. It is told once each time that it is woken. */
BK_API struct bk_syscall *bk_sockets_woken(struct bk_sockets *sockets);

/* ---- calls that answer at once ---------------------------------------------------------------------
 *
 * Each is the call of its name in section 2 of the manual, with a negative errno instead of -1. All answer -EBADF for a
 * descriptor that is not open, -ENOTSOCK for one that is no socket, -EFAULT for bad memory. */

/* AF_INET and AF_INET6, SOCK_STREAM with SOCK_NONBLOCK, SOCK_CLOEXEC; protocol 0 or IPPROTO_TCP. -EAFNOSUPPORT, -ESOCKTNOSUPPORT,
 * -EPROTONOSUPPORT, -EINVAL (flags), -EMFILE, -ENOMEM. */
BK_API int bk_socket(struct bk_sockets *sockets, int domain, int type, int protocol);
/* -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL (bound already, bad length), -EAFNOSUPPORT. */
BK_API int bk_bind(struct bk_sockets *sockets, int fd, const struct sockaddr *address, socklen_t length, uint64_t now);
/* -EADDRINUSE, -EINVAL (connected), -ENOBUFS. Called again it changes the backlog. */
BK_API int bk_listen(struct bk_sockets *sockets, int fd, int backlog, uint64_t now);
BK_API int bk_shutdown(struct bk_sockets *sockets, int fd, int how, uint64_t now);
BK_API int bk_getsockname(struct bk_sockets *sockets, int fd, struct sockaddr *address, socklen_t *length);
BK_API int bk_getpeername(struct bk_sockets *sockets, int fd, struct sockaddr *address, socklen_t *length);
BK_API int bk_setsockopt(struct bk_sockets *sockets, int fd, int level, int option, const void *value, socklen_t length,
                         uint64_t now);
BK_API int bk_getsockopt(struct bk_sockets *sockets, int fd, int level, int option, void *value, socklen_t *length,
                         uint64_t now);
BK_API int bk_dup(struct bk_sockets *sockets, int fd);
BK_API int bk_dup3(struct bk_sockets *sockets, int fd, int to, int flags, uint64_t now); /* dup2: flags 0, to != fd */
/* F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC. */
BK_API int bk_fcntl(struct bk_sockets *sockets, int fd, int command, long argument);
/* FIONREAD (SIOCINQ), SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, FIONBIO: `argument` points to an int. */
BK_API int bk_ioctl(struct bk_sockets *sockets, int fd, unsigned long request, void *argument);
BK_API int bk_epoll_create1(struct bk_sockets *sockets, int flags);
BK_API int bk_epoll_ctl(struct bk_sockets *sockets, int epoll, int operation, int fd, const struct epoll_event *event);
BK_API int bk_pipe2(struct bk_sockets *sockets, int fds[2], int flags);
/* A file of these bytes, opened to be read (lseek is not needed by anyone: sendfile and read go through it). They are copied. */
BK_API int bk_file_open(struct bk_sockets *sockets, const void *bytes, size_t length, int flags);

/* ---- the calls that may wait, without waiting ------------------------------------------------------ */

BK_API int bk_accept4(struct bk_sockets *sockets, int fd, struct sockaddr *address, socklen_t *length, int flags,
                      uint64_t now);
BK_API int bk_connect(struct bk_sockets *sockets, int fd, const struct sockaddr *address, socklen_t length,
                      uint64_t now);
BK_API ssize_t bk_read(struct bk_sockets *sockets, int fd, void *data, size_t size, uint64_t now);
BK_API ssize_t bk_readv(struct bk_sockets *sockets, int fd, const struct iovec *iov, int count, uint64_t now);
BK_API ssize_t bk_recv(struct bk_sockets *sockets, int fd, void *data, size_t size, int flags, uint64_t now);
BK_API ssize_t bk_recvfrom(struct bk_sockets *sockets, int fd, void *data, size_t size, int flags,
                           struct sockaddr *address, socklen_t *length, uint64_t now);
BK_API ssize_t bk_recvmsg(struct bk_sockets *sockets, int fd, struct msghdr *msg, int flags, uint64_t now);
BK_API ssize_t bk_write(struct bk_sockets *sockets, int fd, const void *data, size_t size, uint64_t now);
BK_API ssize_t bk_writev(struct bk_sockets *sockets, int fd, const struct iovec *iov, int count, uint64_t now);
BK_API ssize_t bk_send(struct bk_sockets *sockets, int fd, const void *data, size_t size, int flags, uint64_t now);
BK_API ssize_t bk_sendto(struct bk_sockets *sockets, int fd, const void *data, size_t size, int flags,
                         const struct sockaddr *address, socklen_t length, uint64_t now);
BK_API ssize_t bk_sendmsg(struct bk_sockets *sockets, int fd, const struct msghdr *msg, int flags, uint64_t now);
/* Both look and do not wait. */
BK_API int bk_poll(struct bk_sockets *sockets, struct pollfd *fds, nfds_t count, uint64_t now);
BK_API int bk_epoll_wait(struct bk_sockets *sockets, int epoll, struct epoll_event *events, int count, uint64_t now);
BK_API ssize_t bk_sendfile(struct bk_sockets *sockets, int out, int in, off_t *offset, size_t count, uint64_t now);
BK_API ssize_t bk_splice(struct bk_sockets *sockets, int in, int out, size_t count, unsigned flags, uint64_t now);
/* SO_LINGER with a time closes in the background. */
BK_API int bk_close(struct bk_sockets *sockets, int fd, uint64_t now);

/* ---- for those who drive the stack ----------------------------------------------------------------- */

/* The connection of a socket, for bk_tcp_status and the like. Returns 0, -EBADF, -ENOTSOCK, -ENOTCONN (it has none). Its
 * handle must not be closed or read by the caller. */
BK_API int bk_socket_conn(struct bk_sockets *sockets, int fd, bk_conn *out);

/* TCP_INFO's structure as Linux has it, up to and with the fields of 6.7; getsockopt writes as much of it as the caller has room for, so that
 * older and shorter ones are served, too. Times in microseconds but for the last_ ones (milliseconds); cwnd and the
 * counts from unacked to fackets in segments. */
struct bk_socket_tcp_info {
    uint8_t tcpi_state;    /* as Linux numbers them: 1 ESTABLISHED, 2 SYN_SENT, ... */
    uint8_t tcpi_ca_state; /* 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss */
    uint8_t tcpi_retransmits;
    uint8_t tcpi_probes;
    uint8_t tcpi_backoff;
    uint8_t tcpi_options; /* 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 16 ECN seen, 32 SYN data taken */
    uint8_t tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4;
    uint8_t tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2;

    uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;
    uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;
    uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv;
    uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh, tcpi_snd_cwnd, tcpi_advmss;
    uint32_t tcpi_reordering, tcpi_rcv_rtt, tcpi_rcv_space, tcpi_total_retrans;
    uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate, tcpi_bytes_acked, tcpi_bytes_received;
    uint32_t tcpi_segs_out, tcpi_segs_in, tcpi_notsent_bytes, tcpi_min_rtt, tcpi_data_segs_in, tcpi_data_segs_out;
    uint64_t tcpi_delivery_rate, tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited;
    uint32_t tcpi_delivered, tcpi_delivered_ce;
    uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
    uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack, tcpi_snd_wnd;
    uint32_t tcpi_rcv_wnd, tcpi_rehash;
    uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;
    uint32_t tcpi_total_rto_time; /* milliseconds */
};

#ifdef __cplusplus
}
#endif
#endif
