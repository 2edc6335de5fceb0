/* TCP as the layers to its right see it: the context, what comes in, what goes out.
 *
 * The network layer hands each arriving TCP packet to tcp_input and each ICMP error about a segment of ours to
 * tcp_icmp_error. Answers that belong to no connection record (RST for strangers, SYN-ACKs, ACKs from TIME-WAIT) wait in
 * `replies`; segments of connections are made only when tcp_output_next is asked for them, so that a whole
 * batch has been processed before anything is acknowledged (MUST-58, MUST-59).
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "base/frame.h"
#include "base/list.h"
#include "base/packet.h"
#include "base/wheel.h"
#include "tcp/demux.h"
#include "wire/tcp.h"

#define TCP_PATHS 16u

/* What TCP must know of an interface; the network layer keeps it current. */
struct tcp_path {
    uint32_t mtu;       /* of IP */
    uint32_t unit_max;  /* largest payload of one unit */
    struct list output; /* connections that may have something to send, in turn */
};

#define TCP_ERRORS 32u
/* An ICMP error that a user is to be told of. */
struct tcp_error {
    bk_conn conn;
    bk_addr offender;
    int32_t error;
    uint32_t seq, info;
    uint8_t type, code;
    bool hard;
    uint8_t pad;
};

#define LISTENER_BUCKETS 32u
#define PORT_MAPS_MAX    64u
#define REQUEST_LEVELS   12u /* SYN-ACKs of a request, and times between them that can be told apart: one list each */

struct tcp {
    struct base base;
    struct pool connections, active, listeners;
    struct pool paths, path_buckets;        /* path_entry; uint32_t each: 1 + id of the first, or 0 */
    struct pool sent;                       /* records of what is outstanding (scoreboard.h) */
    uint32_t sent_shared;                   /* of those, in use beyond the first of each connection */
    uint32_t waiting;                       /* connections in `waits`, but for those that wait for a record */
    struct pool requests[2], time_waits[2]; /* [0] IPv4, [1] IPv6 */
    struct demux demux;
    struct wheel wheel;   /* a timer for each connection */
    struct list ready;    /* connections with news for the user */
    struct list waits[6]; /* connections whose user waits for what all share: by enum connection_waits (budget.h) */
    struct list resting;  /* active records whose queues are empty, the longest resting first */
    struct list listener_ready; /* listeners likewise */
    struct list
        request_fifo[2][REQUEST_LEVELS]; /* by how often the wait has doubled: each list is in order of its deadlines */
    struct list time_wait_fifo[2];       /* in order of expiry: all wait equally long */
    struct list path_fifo;               /* likewise */
    uint32_t path_epoch;                 /* grows when a path's MTU may have changed */
    uint32_t aside;                      /* chunks set aside for those whose turn it is */
    uint64_t
        quiet; /* before this time nothing in request_fifo, time_wait_fifo, path_fifo, waits is due; may be earlier */
    struct frame_queue replies;
    struct tcp_path path[TCP_PATHS];
    struct bk_tcp_mib mib;
    uint32_t listener_bucket[LISTENER_BUCKETS]; /* by local port */
    uint64_t cookie_until;                      /* ACKs may carry SYN cookies until then */
    uint32_t orphans;                           /* connections whose user has closed */
    uint32_t pad;
    uint32_t port_counter[64];          /* RFC 6056 algorithm 4 */
    struct pool port_maps;              /* port_map.h; none is ever given back */
    uint32_t port_tag[PORT_MAPS_MAX];   /* of each of them */
    uint64_t port_searches, port_looks; /* for an ephemeral port; look-ups of 4-tuples that they took */
    struct tcp_error error[TCP_ERRORS]; /* a ring */
    uint32_t error_first, error_count;
};

void tcp_init(struct tcp *t);
/* The most bytes of region that TCP's pools take with this configuration. */
uint64_t tcp_bytes_max(const struct bk_config *config);
/* Adds all record layouts to the layout hash. */
uint64_t tcp_layout(uint64_t hash);

/* A TCP packet that IP delivered: `p` stands at the TCP header. Returns its reason. */
uint16_t tcp_input(struct tcp *t, struct packet *p);

enum tcp_icmp_kind {
    TCP_ICMP_SOFT,    /* unreachable for now: kept for the user, nothing else (RFC 9293 3.9.2.2, SHLD-25) */
    TCP_ICMP_HARD,    /* protocol or port unreachable: aborts an open in progress (RFC 9293 SHLD-26, RFC 5461) */
    TCP_ICMP_TOO_BIG, /* `mtu` is the next hop's */
};
struct tcp_icmp {
    enum tcp_icmp_kind kind;
    int error;
    uint32_t mtu;       /* 0: it names none */
    bk_addr offender;   /* who sent it; unspecified: ourselves, without a message */
    uint8_t type, code; /* as in the message */
};
/* An ICMP error about a segment of this tuple that we sent with sequence number seq. Only one that names something outstanding is heeded
 * (RFC 5927 4). Returns its reason. */
uint16_t tcp_icmp_error(struct tcp *t, const struct tcp_icmp *what, const struct tuple *tuple, uint32_t seq);
/* bk_tcp_errors. */
size_t tcp_errors(struct tcp *t, struct bk_tcp_error *errors, size_t n);

/* The next unit that a connection on this interface should send now, as a frame with the TCP header written, or BK_NONE. */
uint32_t tcp_output_next(struct tcp *t, uint32_t iface);
/* Whether tcp_output_next would have connections to ask. */
static inline bool tcp_output_pending(const struct tcp *t, uint32_t iface) {
    return t->path[iface].output.count != 0;
}

/* bk_tcp_list. */
struct listener;
void tcp_list_listener(const struct listener *l, struct bk_tcp_info *info);
bool tcp_list(const struct tcp *t, uint64_t *cursor, struct bk_tcp_info *info);

uint64_t tcp_next_deadline(const struct tcp *t);
/* Something in a list (request_fifo, time_wait_fifo, path_fifo, waits) will be due at `time`. */
static inline void tcp_due(struct tcp *t, uint64_t time) {
    t->quiet = u64_min(t->quiet, time);
}
/* Fires the timeouts that are due at t->base.now. */
void tcp_advance(struct tcp *t);

#endif
