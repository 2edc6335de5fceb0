/* A connection: RFC 9293's transmission control block (3.3.1), in two records.
 *
 * struct connection is the cold record, held for the connection's whole life: who it connects, the sequence variables, the
 * window, the RTT, what survives idleness. struct active holds the queues of data, what is known about what was sent, and the congestion controller.
 * It is taken when data is queued or arrives. Once its queues are empty it rests: the connection finds it as it was, controller and
 * all, unless another took it over meanwhile. So a connection that has been idle for a while has none, and an idle one never holds a buffer.
 *
 * Sequence space of the sender:
 *
 *      ISS        SND.UNA              SND.NXT                snd_end
 *       |SYN| ...acknowledged... |...outstanding...|...queued, unsent...|FIN|
 *
 * snd_end is the number after the last byte that the user queued; if fin_queued, our FIN has exactly that number.
 * The send queue holds the bytes [max(snd_una, iss + 1), snd_end). So "FIN sent" is SND.NXT == snd_end + 1, and "FIN
 * acknowledged" is SND.UNA == snd_end + 1.
 *
 * A connection that has entered TIME-WAIT leaves its place in the connection table to a small record (time_wait.h); if a
 * user still holds it, what is left here (`detached`) only serves unread data and STATUS.
 *
 * Timers: each deadline below is a field of its own, and the wheel knows the earliest of them. Fields hold BK_NEVER when
 * they do not run. What happens when one is due: timeouts.c.
 *     rtx_due      retransmission, tail loss probe, RACK's reordering timer, window probe, or SWS override: rtx_kind says which (they exclude
 *                  each other)
 *     ack_due      the delayed ACK
 *     keepalive_due
 *     linger_due   an end for connections whose user is gone
 *     user timeout: derived from progress_at
 */
#ifndef TCP_CONNECTION_H
#define TCP_CONNECTION_H

#include "base/extent.h"
#include "base/seq.h"
#include "tcp/congestion.h"
#include "tcp/event.h"
#include "tcp/mtu_search.h"
#include "tcp/path_mtu.h"
#include "tcp/rack.h"
#include "tcp/receive_state.h"
#include "tcp/recovery.h"
#include "tcp/scoreboard.h"
#include "tcp/send_time.h"
#include "tcp/tcp.h"

#define TCP_MSS_MIN         48u /* a peer's MSS option below this counts as this (SACK Panic and its kin) */
#define TCP_TIMESTAMP_BYTES 12u /* of the option with its padding, in each segment */

enum rtx_kind { RTX_RETRANSMIT, RTX_PERSIST, RTX_OVERRIDE, RTX_TAIL_PROBE, RTX_REORDER };
enum ack_owed { ACK_NONE, ACK_DELAYED, ACK_NOW };
/* The user was told to wait for what all connections share: which list of tcp.waits the connection stands in (budget.h). */
enum connection_waits {
    WAITS_NOT,
    WAITS_RECORD, /* for an active record, and chunks */
    WAITS_LEAST,  /* for chunks, and holds less than the least; */
    WAITS_SHARE,  /* than its share, or gets it moving; */
    WAITS_MORE,   /* or more */
    WAITS_TURN    /* it was told, and they are set aside for it */
};
#define WAIT_CHUNKS_MAX ((UINT32_C(1) << 14) - 1)

struct connection {
    struct link output_link; /* in path[iface].output */
    union {
        struct link accept_link; /* in the listener's queue, while `listener` says so; */
        struct link ready_link;  /* otherwise in tcp.ready */
    };
    struct link wait_link; /* in tcp.waits[] */
    struct timer timer;

    /* identity */
    uint64_t user; /* the user's own number for it */
    struct tuple tuple;
    uint32_t hash;       /* of the tuple: its place in the connection table */
    uint32_t self;       /* own id */
    uint32_t generation; /* 0: a free record */
    uint32_t listener;   /* that it waits on to be accepted, or BK_NONE */
    uint32_t active;     /* id of the active record, or BK_NONE */

    uint8_t state; /* enum bk_state */
    uint8_t iface;
    uint8_t ready;             /* enum bk_ready_what not yet fetched */
    uint8_t retransmits;       /* back-offs since SND.UNA last moved */
    uint8_t probes;            /* keep-alive or window probes since the peer was last heard */
    uint8_t rtx_kind : 3;      /* enum rtx_kind */
    uint8_t ack_owed : 2;      /* enum ack_owed */
    uint8_t recovery : 3;      /* enum recovery_state */
    uint8_t send_scale : 4;    /* Snd.Wind.Shift */
    uint8_t receive_scale : 4; /* Rcv.Wind.Shift */
    bool owned : 1;            /* a user, or a listener's queue, holds it */
    bool active_open : 1;      /* came from SYN-SENT */
    bool fin_received : 1;     /* the FIN was taken in order */
    bool timestamps : 1;       /* Snd.TS.OK */
    bool sack : 1;             /* both ends said SACK-permitted (RFC 2018 2) */
    bool nodelay : 1;
    bool quickack : 1;
    bool keepalive : 1;
    /* What is out of the ordinary in sending, each by its name and all in one number: ordinary.h. */
    union {
        struct {
            bool more : 1;           /* the user said that more follows: a partial segment waits */
            bool records : 1;        /* some of what was queued ends a record (BK_SEND_RECORD) */
            bool probe_now : 1;      /* a window probe or keep-alive is due */
            bool override_now : 1;   /* the SWS override time is over */
            bool urgent_out : 1;     /* SND.UP is ahead of SND.UNA */
            bool control_lost : 1;   /* our SYN, or a FIN without a record, is to be sent again */
            bool ecn : 1;            /* both ends do (RFC 3168) */
            bool tail_unsampled : 1; /* no RTT was measured since the last tail loss probe */
        };
        uint8_t odd;
    };
    bool detached : 1;                      /* no longer in the connection table */
    bool fin_queued : 1;                    /* the user has closed the sending side */
    bool fin_known : 1;                     /* a FIN was seen, at fin_seq; it may wait behind a gap */
    bool urgent_in : 1;                     /* RCV.UP is ahead of what the user has read */
    bool push : 1;                          /* what was queued last was all that the user had to say for now */
    bool cork : 1;                          /* and says with every SEND that more follows */
    bool want_write : 1;                    /* the user was told -EAGAIN */
    bool syn_acked : 1;                     /* SND.UNA is past our SYN */
    bool syn_answered : 1;                  /* SYN-RECEIVED: our SYN-ACK of a simultaneous open is out */
    bool receive_fixed : 1, send_fixed : 1; /* the user has set the size of the buffer: it stays */
    bool orphan : 1;           /* its user has closed, and it holds its place in the table: counted in tcp.orphans */
    bool ecn_asked : 1;        /* our SYN asks for ECN */
    bool ecn_echo : 1;         /* CE came, and no CWR since: ECE on all that leaves */
    bool ecn_cwr : 1;          /* CWR is due on the next new data */
    bool ecn_seen : 1;         /* the peer has sent ECN-capable segments */
    uint8_t mtu_discovery : 3; /* enum bk_mtu_discovery */
    bool copied : 1;           /* the path makes copies: DSACKs prove nothing (RFC 3708 3 A.4) */
    uint16_t ack_reason;       /* why the ACK that is owed is owed */
    uint16_t rtx_reason;       /* why what is lost is sent again */

    /* SND.*; RCV.* (RFC 9293 3.3.1) */
    uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, snd_up;
    uint32_t max_snd_wnd; /* largest window the peer ever offered (RFC 5961 5.2) */
    uint32_t snd_end;
    uint32_t rcv_nxt, rcv_up;
    uint32_t rcv_adv;  /* right edge offered, the furthest: RCV.NXT + RCV.WND */
    uint32_t rcv_edge; /* right edge offered last; less than rcv_adv if the window was taken back (receive_window.c) */
    uint32_t fin_seq;
    uint32_t last_ack_sent; /* Last.ACK.sent (RFC 7323 4.3) */

    /* options */
    uint16_t mss;           /* payload of a full segment, options of every segment taken off (Eff.snd.MSS) */
    uint16_t mss_offered;   /* in our SYN */
    uint16_t rcv_mss;       /* largest payload seen: what a full segment of the peer's is */
    uint16_t payload_share; /* 256ths of the receive buffer that are text, by Linux's account (receive_overhead) */
    uint16_t reordering;    /* DupThresh: segments that may come out of order before the first of them counts as lost */
    uint16_t mss_limit;     /* the user's bound for mss and mss_offered; 0: none */
    uint8_t congestion;     /* enum bk_congestion */
    uint8_t backoff;        /* doublings that the RTO contains */
    uint16_t peer_mss;      /* its option's, or what stands for it */
    uint16_t path_mtu;      /* that `mss` is for */
    uint16_t timeouts;      /* STATUS: of the retransmission timer; */
    uint32_t path_epoch;    /* tcp.path_epoch when it last looked */
    uint32_t ts_recent;     /* TS.Recent */
    uint32_t ts_offset;     /* our timestamp clock's */
    uint32_t ts_recent_s;   /* when TS.Recent was set, seconds of stack time */
    uint32_t send_buffer, receive_buffer;

    /* RTT (rtt.h); microseconds */
    uint32_t srtt_us, rttvar_us, rto_us, min_rtt_us;

    /* loss and congestion (recovery.h, congestion.h) */
    uint32_t cwnd, ssthresh;
    uint32_t recover;        /* SND.NXT when the loss was noticed */
    uint32_t duplicate_acks; /* without SACK: segments that have left the network by them */

    /* deadlines and times, ns */
    uint64_t rtx_due, ack_due, keepalive_due, linger_due;
    uint64_t progress_at; /* when SND.UNA last moved, or the oldest outstanding byte was sent */
    uint64_t heard_at;    /* when the peer was last heard */
    uint64_t sent_at;     /* when data was last sent */

    /* settings */
    uint32_t user_timeout_ms;
    uint32_t window_clamp; /* the window offered is no larger; 0: as large as the buffer lets it be */
    uint16_t keepalive_idle_s;
    uint16_t keepalive_interval_s;
    uint8_t keepalive_probes;
    uint8_t syn_retries;       /* of an active open, besides those at linear times */
    uint8_t news;              /* enum bk_tcp_news: readiness that the user asked for besides */
    uint8_t traffic_class;     /* of IP, the ECN bits 0 */
    uint8_t hop_limit;         /* 0: the interface's */
    uint8_t fin_wait_2_s;      /* without owner; 0: config.fin_wait_2_ms */
    uint16_t rto_max;          /* the RTO's bound, in steps of 2 ms; 0: config.rto_max_ms */
    uint32_t waits : 3;        /* enum connection_waits */
    uint32_t wait_chunks : 14; /* chunks that must be there before the user is told to try again */
    uint32_t turn_chunks : 14; /* those that are set aside for it now that it was told */
    uint32_t wait_unused : 1;
    int16_t error, soft_error; /* negative errno values */
    uint32_t unsent_low;       /* see send_room.h */
    uint32_t text_ms;          /* when text last came in order, or the peer's SYN: stack time, ms */
    uint32_t challenge_ms;     /* before this no further challenge ACK: low bits of the time in ms */

    /* STATUS */
    uint16_t timeout_episodes; /* and series of them, each up to the end of what it set off */
    uint16_t turn_at : 13;     /* when it was told that its turn has come, as budget.c counts */
    uint16_t wait_credit : 3;  /* turns beyond its share that an ACK has earned (budget.h) */
    uint32_t timeout_ms;       /* that such series lasted, those that are over */
    uint64_t bytes_retransmitted, bytes_acked, bytes_received;
    uint32_t segments_sent, segments_received, segments_retransmitted;
    uint32_t data_segments_sent, data_segments_received; /* those of them with text */
    uint32_t timeout_since_ms; /* when the one under way began: low bits of the time in ms; 0: none is */
    uint32_t send_time_ms[3];  /* see send_time.h: busy, of that held back by the window, by the buffer */
    uint32_t delivered_segments, delivered_ce; /* acknowledged or SACKed; by ACKs that told of congestion (ECE) */
    uint32_t dsack_duplicates, reordering_seen;
    uint32_t out_of_order_segments; /* kept behind a gap when they came */
};

/* With a connection table entry (8 bytes, 16 with slack) and what a user of its own keeps for it (48), an idle connection stays within 512
 * bytes for both families. src/posix keeps more: about 112 bytes with the descriptor. */
_Static_assert(sizeof(struct connection) <= 448, "the cold record of a connection");

/* Chunks of the budget that who comes first may take: three quarters of it (budget.h). */
static inline uint32_t budget_mark(const struct tcp *t) {
    return t->base.config.buffer_chunks - t->base.config.buffer_chunks / 4;
}

struct active {
    struct extent_queue send;    /* [max(snd_una, iss + 1), snd_end) */
    struct extent_queue receive; /* in order, not yet read by the user; ends at RCV.NXT (less a FIN) */
    struct runs out_of_order;    /* beyond RCV.NXT */
    uint32_t push_at;            /* see push.h */
    struct receive_state receiving;
    uint32_t send_hint;      /* extent near SND.NXT, or BK_NONE */
    uint32_t connection;     /* whose it is */
    struct scoreboard board; /* what is outstanding */
    struct rack rack;
    struct recovery recovery;
    struct path_proof proof;
    struct mtu_search search;
    struct rate rate;
    struct congestion congestion; /* the controller's own */
    struct link rest_link;        /* in tcp.resting */
    uint64_t rested_at;           /* since when it stands there */
    struct send_time time;
};
_Static_assert(sizeof(struct active) <= 1024, "the active record of a connection");

#define LISTENER_OPTIONS BK_TCP_USER /* the options before it are a listener's, too */

struct listener {
    struct list accept_queue; /* finished connections */
    struct link ready_link;
    uint32_t generation; /* 0: a free record */
    uint64_t user;
    bk_addr local;
    uint32_t self;
    uint32_t next; /* in the same port bucket */
    uint32_t backlog;
    uint16_t port;
    uint8_t ready;
    uint8_t ipv4_only : 1, ipv6_only : 1;
    uint32_t option_mask;              /* which of `option` were set */
    uint32_t option[LISTENER_OPTIONS]; /* what its connections begin with (user_options.c) */
};

#define CONNECTION_OUTPUT_LINK offsetof(struct connection, output_link)
#define CONNECTION_READY_LINK  offsetof(struct connection, ready_link)
#define CONNECTION_ACCEPT_LINK offsetof(struct connection, accept_link)
#define CONNECTION_WAIT_LINK   offsetof(struct connection, wait_link)
#define ACTIVE_REST_LINK       offsetof(struct active, rest_link)
#define LISTENER_READY_LINK    offsetof(struct listener, ready_link)

static inline struct connection *connection_at(const struct tcp *t, uint32_t id) {
    return pool_at(&t->base, &t->connections, id);
}
static inline struct active *active_of(const struct tcp *t, const struct connection *c) {
    return c->active == BK_NONE ? NULL : pool_at(&t->base, &t->active, c->active);
}
static inline struct listener *listener_at(const struct tcp *t, uint32_t id) {
    return pool_at(&t->base, &t->listeners, id);
}
static inline bool connection_is_ipv6(const struct connection *c) {
    return !addr_is_ipv4(&c->tuple.local);
}

/* Queued bytes, without looking whether there is an active record. */
static inline uint32_t connection_receive_queued(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    return a == NULL ? 0 : a->receive.bytes;
}
static inline uint32_t connection_out_of_order(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    return a == NULL ? 0 : a->out_of_order.queue.bytes;
}
/* Bytes in flight: outstanding, neither SACKed nor lost, and what was sent again. Without SACK each duplicate ACK tells that one segment has left
 * the network: window inflation (RFC 5681 3.2 steps 3 and 4) seen from the other side. */
static inline uint32_t recovery_pipe(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    if (a == NULL) return 0;
    const struct scoreboard *b = &a->board;
    uint32_t pipe = b->bytes - b->sacked_bytes - b->lost_bytes + b->resent_bytes;
    uint64_t gone = (uint64_t)c->duplicate_acks * c->mss;
    return gone < pipe ? pipe - (uint32_t)gone : 0;
}
/* Something waits to be sent again. */
static inline bool recovery_has_lost(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    return c->control_lost || (a != NULL && a->board.lost.root != BK_NONE);
}
/* Bytes of data (and SYN, FIN) sent and not acknowledged. */
static inline uint32_t connection_outstanding(const struct connection *c) {
    return c->snd_nxt - c->snd_una;
}
/* RCV.WND. */
static inline uint32_t connection_rcv_wnd(const struct connection *c) {
    return c->rcv_adv - c->rcv_nxt;
}
static inline bool connection_fin_sent(const struct connection *c) {
    return c->fin_queued && c->snd_nxt == c->snd_end + 1;
}
static inline bool connection_fin_acked(const struct connection *c) {
    return c->fin_queued && c->snd_una == c->snd_end + 1;
}
/* IRS, of a connection that has the peer's SYN. */
static inline uint32_t connection_irs(const struct connection *c) {
    return c->rcv_nxt - 1 - c->fin_received - (uint32_t)c->bytes_received;
}
/* Bytes of text that left, each time that they did. */
static inline uint64_t connection_bytes_sent(const struct connection *c) {
    uint32_t syn = c->snd_nxt != c->iss && !c->syn_acked;
    uint32_t fin = connection_fin_sent(c) && !connection_fin_acked(c);
    return c->bytes_acked + connection_outstanding(c) - syn - fin + c->bytes_retransmitted;
}
/* What the RTO, and what backs off with it, is bounded by. */
static inline uint32_t connection_rto_max_ms(const struct tcp *t, const struct connection *c) {
    return c->rto_max != 0 ? 2u * c->rto_max : t->base.config.rto_max_ms;
}
/* For how many milliseconds no further challenge is answered; 0: one may be. Low bits of the time tell: one that is
 * far back looks near for challenge_ack_ms once in 2^32 ms, which costs one challenge then. */
static inline uint32_t connection_challenge_wait(const struct tcp *t, const struct connection *c, uint64_t now) {
    uint32_t left = c->challenge_ms - (uint32_t)(now / NS_PER_MS);
    return left <= t->base.config.challenge_ack_ms ? left : 0;
}
/* The most that is offered: the buffer, unless the user wants less. */
static inline uint32_t connection_window_most(const struct connection *c) {
    return c->window_clamp != 0 ? u32_min(c->window_clamp, c->receive_buffer) : c->receive_buffer;
}

/* A new connection in CLOSED state with the stack's default settings, in the connection table under `tuple`, whose hash is given, unless `old` (a reference to
 * the record whose place it takes) is given. BK_NONE if the pool is empty. */
uint32_t connection_new(struct tcp *t, const struct tuple *tuple, uint32_t hash, uint8_t iface, demux_ref old);
/* The connection that a handle names, or NULL if the handle is stale. */
struct connection *connection_of(const struct tcp *t, bk_conn handle);
/* The only place that changes a connection's state. */
void connection_set_state(struct tcp *t, struct connection *c, enum bk_state state, uint16_t reason);
/* The connection's active record, awake: its own, a new one, or one that rested longest with another. NULL if all are awake. */
struct active *connection_activate(struct tcp *t, struct connection *c);
/* Lets the active record rest if its queues are empty; that of an ended connection is freed. */
void connection_settle(struct tcp *t, struct connection *c);
/* Says that the connection may have something to send. */
void connection_touch(struct tcp *t, struct connection *c);
/* Tells the user. */
void connection_hear(struct tcp *t, struct connection *c, uint8_t what);
/* An ACK is owed: NOW wins over DELAYED, and the first reason of the stronger kind stands. */
void connection_owe_ack(struct tcp *t, struct connection *c, enum ack_owed when, uint16_t reason);
/* The send buffer grows with the congestion window, unless the user has set its size. */
void connection_grow_send_buffer(const struct tcp *t, struct connection *c);
/* Ends the connection: CLOSED, out of the table, timers off, nothing more to send. Data already received stays readable if there
 * is an owner; without one the record is freed, and `c` with it. */
void connection_end(struct tcp *t, struct connection *c, int error, uint16_t reason);
/* The connection's place in the table went to a TIME-WAIT record: stops all sending and timing here. */
void connection_leave_table(struct tcp *t, struct connection *c);
/* The owner of a connection that lives has let go: it is an orphan until it leaves the table. */
void connection_orphan(struct tcp *t, struct connection *c);
/* The owner lets go: an ended connection is freed. */
void connection_disown(struct tcp *t, struct connection *c);
/* Frees the record and all it holds. */
void connection_free(struct tcp *t, struct connection *c);
/* How long it may stay in FIN-WAIT-2 without an owner. */
uint64_t connection_fin_wait_2_ns(const struct tcp *t, const struct connection *c);
/* Arms the wheel for the earliest deadline; `again` is output_decide's. */
void connection_arm(struct tcp *t, struct connection *c, uint64_t again);

static inline struct wheel_of connection_wheel(struct tcp *t) {
    return (struct wheel_of){&t->base, &t->wheel, &t->connections, offsetof(struct connection, timer)};
}
static inline struct event_about connection_about(const struct connection *c) {
    return (struct event_about){EVENT_CONNECTION, c->self, &c->tuple, c->hash, c->iface};
}

/* Listeners (listener.c). */
int listener_open(struct tcp *t, const struct bk_tcp_passive *passive, bk_listener *out);
/* An option's value for its connections; `otherwise` if it was not set. */
static inline uint32_t listener_option(const struct listener *l, enum bk_tcp_option option, uint32_t otherwise) {
    return l != NULL && (l->option_mask >> option & 1) ? l->option[option] : otherwise;
}
/* The receive buffer that its connections begin with. */
uint32_t listener_receive_buffer(const struct tcp *t, const struct listener *l);
/* The window scale that they offer. */
uint8_t listener_receive_scale(const struct tcp *t, const struct listener *l);
/* Frees the record; its connections and requests are gone already. */
void listener_free(struct tcp *t, struct listener *l);
struct listener *listener_of(const struct tcp *t, bk_listener handle);
/* The listener for a SYN to this address and port: an exact address wins over an unspecified one. NULL: none. */
struct listener *listener_find(const struct tcp *t, const bk_addr *local, uint16_t port);
/* Tells the user that a connection waits. */
void listener_hear(struct tcp *t, struct listener *l, uint8_t what);

#endif
