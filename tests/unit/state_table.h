/* The state x event table: what a row says. See test_state_table.c for how it is run.
 *
 * Numbers in a row are relative to the connection's variables before the event: `seq` of an arriving segment counts from RCV.NXT
 * and `ack` from SND.NXT; in a segment that is sent, `seq` counts from SND.NXT and `ack` from RCV.NXT. So a perfectly
 * ordinary segment has 0, 0 in both directions. */
#ifndef TESTS_STATE_TABLE_H
#define TESTS_STATE_TABLE_H

#include <errno.h>

#include "fixture.h"

enum table_state {
    CLOSED,
    LISTEN,
    SYN_SENT,
    REQUEST,      /* SYN-RECEIVED, from a passive open: a request record, no connection yet */
    SYN_RECEIVED, /* SYN-RECEIVED, from a simultaneous open: a connection with an owner */
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT,
    TABLE_STATES
};

/* Segments by where they lie: plain: in the window, at RCV.NXT; GAP: in the window, not at RCV.NXT; OLD: before the
 * window; BEYOND: after it. */
#define TABLE_EVENTS(E)                                                                                                \
    E(SYN_IN_WINDOW)                                                                                                   \
    E(SYN_OLD)                                                                                                         \
    E(SYN_BEYOND)                                                                                                      \
    E(SYN_ACK)                                                                                                         \
    E(SYN_ACK_OLD)                                                                                                     \
    E(SYN_ACK_BEYOND)                                                                                                  \
    E(ACK_NEW)       /* SND.UNA < SEG.ACK =< SND.NXT */                                                                \
    E(ACK_DUPLICATE) /* SEG.ACK =< SND.UNA, within MAX.SND.WND of it */                                                \
    E(ACK_TOO_OLD)   /* older than that */                                                                             \
    E(ACK_UNSENT)    /* SEG.ACK > SND.NXT */                                                                           \
    E(ACK_SEQ_OLD)   /* acceptable but for its sequence number */                                                      \
    E(ACK_SEQ_BEYOND)                                                                                                  \
    E(DATA)                                                                                                            \
    E(DATA_GAP)                                                                                                        \
    E(DATA_OLD)                                                                                                        \
    E(DATA_OVERLAP)                                                                                                    \
    E(DATA_BEYOND)                                                                                                     \
    E(DATA_NO_ACK)                                                                                                     \
    E(DATA_ACK_UNSENT)                                                                                                 \
    E(URGENT)                                                                                                          \
    E(FIN_PLAIN)    /* acknowledges nothing new */                                                                     \
    E(FIN_ACKS_ALL) /* also acknowledges all that we sent, our FIN included */                                         \
    E(FIN_GAP)                                                                                                         \
    E(FIN_OLD)                                                                                                         \
    E(FIN_BEYOND)                                                                                                      \
    E(FIN_NO_ACK)                                                                                                      \
    E(RST_EXACT)                                                                                                       \
    E(RST_GAP)                                                                                                         \
    E(RST_OLD)                                                                                                         \
    E(RST_BEYOND)                                                                                                      \
    E(RST_WITH_ACK)                                                                                                    \
    E(NO_FLAGS)                                                                                                        \
    E(CALL_OPEN_ACTIVE)  /* of the same 4-tuple */                                                                     \
    E(CALL_OPEN_PASSIVE) /* of the same local port */                                                                  \
    E(CALL_SEND)                                                                                                       \
    E(CALL_RECEIVE)                                                                                                    \
    E(CALL_RECEIVE_QUEUED) /* with data to be read */                                                                  \
    E(CALL_CLOSE)                                                                                                      \
    E(CALL_CLOSE_UNREAD)                                                                                               \
    E(CALL_SHUTDOWN)                                                                                                   \
    E(CALL_ABORT)                                                                                                      \
    E(CALL_STATUS)                                                                                                     \
    E(TIMEOUT_USER)                                                                                                    \
    E(TIMEOUT_R2)                                                                                                      \
    E(TIMEOUT_RETRANSMISSION)                                                                                          \
    E(TIMEOUT_TIME_WAIT)                                                                                               \
    E(TIMEOUT_WINDOW_PROBE)                                                                                            \
    E(TIMEOUT_KEEPALIVE)                                                                                               \
    E(TIMEOUT_DELAYED_ACK)                                                                                             \
    E(TIMEOUT_FIN_WAIT_2)

enum table_event {
#define TABLE_EVENT_ENUM(name) EVENT_##name,
    TABLE_EVENTS(TABLE_EVENT_ENUM)
#undef TABLE_EVENT_ENUM
        TABLE_EVENTS_COUNT
};

/* How the state is furnished. Unless told otherwise ESTABLISHED and CLOSE-WAIT have 5 bytes outstanding; FIN-WAIT-1, CLOSING
 * and LAST-ACK have 5 bytes and the FIN; and a row of a state that the user has closed runs twice, reached by bk_tcp_shutdown (the
 * user still holds the connection) and by bk_tcp_close (nobody does). */
enum table_with {
    OWNED = 1,
    ORPHAN = 2,
    IDLE = 4,           /* nothing outstanding; of what the user has closed, only the FIN */
    UNREAD = 8,         /* 10 bytes wait for the user to read them */
    LISTENER = 16,      /* a listener has the port */
    ZERO_WINDOW = 32,   /* the peer's window is 0, 5 bytes are queued */
    KEEPALIVE = 64,     /* on: 10 s, 3 probes 5 s apart */
    USER_TIMEOUT = 128, /* 5 s */
    RESET = 256,        /* CLOSED: a RST ended the connection, the user still holds it */
    TIMESTAMPS = 512,
};

struct table_in {
    int flags;
    int64_t seq, ack, len;
    int64_t urg;
    int64_t tsval; /* TIMESTAMPS: plus the peer's last */
};

struct table_out {
    int flags; /* 0: no more segments */
    int64_t seq, ack, len;
    int64_t at;    /* milliseconds after the event; -1: at once; SOON: within half a second, MUST-40 */
    bool optional; /* may be missing */
    bool absolute; /* seq is absolute */
};
#define SOON (-2)

#define TABLE_OUTS 7
struct table_row {
    uint8_t state, event;
    struct table_in in;
    struct table_out out[TABLE_OUTS];
    uint8_t next;      /* enum table_state */
    uint32_t with;     /* bits of enum table_with */
    uint32_t hears;    /* readiness bits */
    uint32_t may_hear; /* more that would be right */
    int error;         /* in bk_tcp_status afterwards, if the user still holds the connection */
    int64_t returns;   /* of a call */
    uint32_t wait;     /* of a timeout: how long, ms */
    uint32_t holds;    /* of a timeout: before that time nothing has changed */
    uint8_t wait_2msl; /* TIME-WAIT: enum */
    const char *rfc, *quote;
    const char *never; /* why this cannot happen; the rest is empty then */
};
enum { TW_UNASKED, TW_RESTARTED, TW_KEPT };

extern const struct table_row rows_closed[], rows_embryonic[], rows_data[], rows_closing[];
extern const size_t rows_closed_count, rows_embryonic_count, rows_data_count, rows_closing_count;

/* ---- words for rows ---- */

#define GAP_     100      /* in the window, which is 16,384, but not at its left edge */
#define BEYOND_  100000   /* past the window */
#define TOO_OLD_ (-10000) /* the peer's largest window was 4,096 */

#define IN(f, s, a, l) .in = {.flags = (f), .seq = (s), .ack = (a), .len = (l)}
#define OUT(...)       .out = {__VA_ARGS__}
#define SENT(f, s, a, l, t)                                                                                            \
    { .flags = (f), .seq = (s), .ack = (a), .len = (l), .at = (t) }
#define SENT_MAYBE(f, s, a, l, t)                                                                                      \
    { .flags = (f), .seq = (s), .ack = (a), .len = (l), .at = (t), .optional = true }
/* <SEQ=SND.NXT><ACK=RCV.NXT + n><CTL=ACK> */
#define AN_ACK(n)      SENT(ACK, 0, n, 0, -1)
#define AN_ACK_SOON(n) SENT(ACK, 0, n, 0, SOON)
#define MAYBE_AN_ACK   SENT_MAYBE(ACK, 0, 0, 0, -1)
/* <SEQ=SEG.ACK><CTL=RST> */
#define A_RST(a) SENT(RST, a, 0, 0, -1)
/* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> */
#define A_RST_ACK(a)                                                                                                   \
    { .flags = RST | ACK, .seq = 0, .ack = (a), .at = -1, .absolute = true }
/* <SEQ=SND.NXT><CTL=RST>: whether such a RST carries an ACK is left open */
#define AN_ABORT             SENT(RST | MAYBE_ACK, 0, 0, 0, -1)
#define MAYBE_A_LAST_RST(t)  SENT_MAYBE(RST | MAYBE_ACK, 0, 0, 0, t)
#define NEXT(s)              .next = (s)
#define HEARS(bits)          .hears = (bits)
#define MAY_HEAR(bits)       .may_hear = (bits)
#define WITH(bits)           .with = (bits)
#define RETURNS(value)       .returns = (value)
#define ERROR(value)         .error = (value)
#define WAIT(ms)             .wait = (ms)
#define HOLDS(ms)            .holds = (ms)
#define CITE(section, words) .rfc = (section), .quote = (words)
#define R9293                "RFC 9293 3.10.7.4"
#define NEVER(s, e, why)                                                                                               \
    { .state = (s), .event = EVENT_##e, .next = (s), .never = (why) }
#define ROW(s, e, ...)                                                                                                 \
    { .state = (s), .event = EVENT_##e, __VA_ARGS__ }

#define CONNECTED   BK_READY_CONNECTED
#define READABLE    BK_READY_READABLE
#define ACCEPTABLE  BK_READY_ACCEPTABLE
#define PEER_CLOSED BK_READY_PEER_CLOSED
#define OVER        BK_READY_CLOSED
#define URGENT_DATA BK_READY_URGENT

#endif
