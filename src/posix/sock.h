/* A socket: what a program sees of a connection or a listener of the stack.
 *
 *     FRESH --listen--> LISTENING          FRESH --connect--> CONNECTING --connect told--> CONNECTED
 *
 * CONNECTING lasts until a call of connect has told the program how the attempt ended, as Linux has it; whether there is a connection
 * is asked of the stack (sock_look). A connection that has ended (`over`) keeps its handle, for what is still to be read.
 * After a failed attempt, connect to AF_UNSPEC, or shutdown of a listener the socket is FRESH again.
 *
 * What few sockets need is in struct sock_more, which is made when it is first needed.
 */
#ifndef POSIX_SOCK_H
#define POSIX_SOCK_H

#include "posix/address.h"

enum sock_phase { SOCK_FRESH, SOCK_LISTENING, SOCK_CONNECTING, SOCK_CONNECTED };

/* Urgent data without SO_OOBINLINE: one octet, the last that was announced. */
enum sock_urgent { URGENT_NONE, URGENT_WAITS, URGENT_TAKEN };

#define SOCK_OPTIONS BK_TCP_USER /* the stack's options that are a program's, too */

struct sock {
    struct bk_file file;
    union {
        bk_conn conn; /* CONNECTING, CONNECTED */
        bk_listener listener;
    };
    struct sock_port *port; /* that it holds */
    struct sock *port_next, *port_prev;
    struct sock_more *more;
    int error;     /* SO_ERROR: a positive errno, 0 if none is pending */
    int linger_s;  /* SO_LINGER's time */
    uint8_t phase; /* enum sock_phase */
    bool ipv6 : 1, v6only : 1, reuse : 1, oob_inline : 1, linger : 1;
    bool port_named : 1;                     /* bind or listen took the port: it stays when a connection fails */
    bool over : 1;                           /* the connection has ended, its error was taken */
    bool peer_done : 1;                      /* the peer's FIN was seen */
    bool read_shut : 1;                      /* shutdown(SHUT_RD) */
    bool write_shut : 1;                     /* shutdown(SHUT_WR) */
    bool blocked : 1;                        /* SEND said -EAGAIN, and WRITABLE has not come since */
    bool sndbuf_named : 1, rcvbuf_named : 1; /* SO_SNDBUF, SO_RCVBUF were set: what is told is twice what holds */
    uint8_t news;                            /* enum bk_tcp_news, as the stack was told */
};

struct sock_report; /* report.h */
struct sock_mark;

/* When octets arrived. */
struct sock_arrival {
    uint32_t end;
    uint64_t time;
};
#define SOCK_ARRIVALS 32u

struct sock_more {
    bk_addr local; /* that bind named, or a listener has */
    uint16_t local_port;
    bool addr_named;
    bool freebind, recverr, zerocopy, inq;
    uint8_t urgent; /* enum sock_urgent */
    uint32_t urgent_seq;
    uint32_t option_mask, option[SOCK_OPTIONS]; /* for the connection to come */
    int rcvlowat;
    uint32_t mark, priority, mtu_discover;
    uint32_t notsent_lowat;      /* as it was set; the stack has what follows from it */
    uint64_t rcvtimeo, sndtimeo; /* ns; 0: none */
    uint32_t stamping;           /* SOF_TIMESTAMPING_ bits */
    uint32_t stamp_base;         /* octets are numbered from here */
    uint32_t zerocopy_next;
    uint32_t backlog;
    struct sock_report *reports, *reports_tail; /* the error queue */
    struct sock_mark *unsent, *unsent_tail;     /* sends whose fate is to be told */
    struct sock_mark *unacked, *unacked_tail;
    uint32_t report_count, mark_count;
    struct sock_arrival arrival[SOCK_ARRIVALS];
    uint32_t arrival_count;
};

static inline struct sock *sock_of(struct bk_file *file) {
    return (struct sock *)file; /* `file` is its first member */
}

/* The socket of a descriptor: 0, -EBADF, -ENOTSOCK. */
int sock_get(const struct bk_sockets *s, int fd, struct sock **out);
/* Its rarely used part. NULL: no memory. */
struct sock_more *sock_more_of(struct sock *sock);
bool sock_has_conn(const struct sock *sock);
/* Asks the stack how the connection is, and takes over what has ended. False: there is none (look->state is BK_CLOSED). */
bool sock_look(struct bk_sockets *s, struct sock *sock, struct bk_tcp_look *look);
/* The pending error as a negative errno, which then is no longer pending. */
int sock_take_error(struct sock *sock);
uint32_t sock_poll(struct bk_sockets *s, struct sock *sock);
/* Where it is bound; all zero: nowhere. */
struct endpoint sock_local(const struct bk_sockets *s, const struct sock *sock);
/* Its connection's other end. */
struct endpoint sock_remote(const struct bk_sockets *s, const struct sock *sock);
/* To be told of more (enum bk_tcp_news), or no longer. */
void sock_news(const struct bk_sockets *s, struct sock *sock, uint8_t bits, bool on);
/* Sets the stack's option now, or for the connection to come. 0 or a negative errno. */
int sock_set_stack(struct bk_sockets *s, struct sock *sock, enum bk_tcp_option option, uint64_t value, uint64_t now);
uint64_t sock_get_stack(const struct bk_sockets *s, const struct sock *sock, enum bk_tcp_option option);
/* From when on a reader of `size` octets is served. */
uint32_t sock_low_water(const struct sock *sock, size_t size, bool all);
/* The connection goes; the socket is FRESH again. `abort`: by RST, if need be. */
void sock_disconnect(struct bk_sockets *s, struct sock *sock, bool abort, uint64_t now);
/* The last reference is gone. */
void sock_release(struct bk_sockets *s, struct sock *sock, uint64_t now);
void sock_free_more(struct sock *sock);

/* Readiness from the stack. */
void sock_hear(struct bk_sockets *s, struct sock *sock, uint32_t what, uint64_t now);

#endif
