/* Rows of the state x event table: SYN-SENT, and SYN-RECEIVED twice: a request (passive open), and a connection (both
 * sides opened at once).
 *
 * In SYN-SENT, `seq` counts from the peer's ISN; SND.UNA is ISS and SND.NXT is ISS + 1, so ack 0 acknowledges our SYN and
 * ack -1 does not. In SYN-RECEIVED RCV.NXT is IRS + 1, so seq -1 is the peer's SYN again. */
#include "state_table.h"

#define C3           "RFC 9293 3.10.7.3"
#define SIMULTANEOUS "RFC 9293 3.5"

/* ---- SYN-SENT ---- */

#define BAD_ACK(event, f, s, a, l)                                                                                     \
    ROW(SYN_SENT, event, IN(f, s, a, l), OUT(A_RST(a)), NEXT(SYN_SENT),                                                \
        CITE(C3, "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset"))
#define NO_SYN(event, f, s, l)                                                                                         \
    ROW(SYN_SENT, event, IN(f, s, 0, l), NEXT(SYN_SENT),                                                               \
        CITE(C3, "if neither of the SYN or RST bits is set, then drop the segment"))
#define SYN_ALONE(event, s)                                                                                            \
    ROW(SYN_SENT, event, IN(SYN, s, 0, 0), OUT(SENT(SYN | ACK, -1, (s) + 1, 0, -1)), NEXT(SYN_RECEIVED),               \
        CITE(C3, "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment"))
#define SYN_AND_ACK(event, s)                                                                                          \
    ROW(SYN_SENT, event, IN(SYN | ACK, s, 0, 0), OUT(AN_ACK((s) + 1)), NEXT(ESTABLISHED), HEARS(CONNECTED),            \
        CITE(C3, "If SND.UNA > ISS (our SYN has been ACKed), change the connection state to ESTABLISHED"))
#define REFUSED(event, s)                                                                                              \
    ROW(SYN_SENT, event, IN(RST | ACK, s, 0, 0), NEXT(CLOSED), HEARS(OVER), ERROR(-ECONNREFUSED),                      \
        CITE(C3, "If the ACK was acceptable, then signal to the user"))
#define RST_UNPROVEN(event, f, s, a)                                                                                   \
    ROW(SYN_SENT, event, IN(f, s, a, 0), NEXT(SYN_SENT), CITE(C3, "Otherwise (no ACK), drop the segment and return"))

/* ---- both kinds of SYN-RECEIVED: `st` ---- */

#define STALE(st, event, f, s, a, l)                                                                                   \
    ROW(st, event, IN(f, s, a, l), OUT(AN_ACK(0)), NEXT(st),                                                           \
        CITE(R9293, "If an incoming segment is not acceptable, an acknowledgment should be sent in reply"))
#define RESET_BAD_ACK(st, event, f, s, a, l)                                                                           \
    ROW(st, event, IN(f, s, a, l), OUT(A_RST(a)), NEXT(st),                                                            \
        CITE(R9293, "If the segment acknowledgment is not acceptable, form a reset segment"))
#define NO_ACK_BIT(st, event, f, s, l)                                                                                 \
    ROW(st, event, IN(f, s, 0, l), NEXT(st), CITE(R9293, "if the ACK bit is off, drop the segment and return"))
#define RST_OUTSIDE(st, event, s)                                                                                      \
    ROW(st, event, IN(RST, s, 0, 0), NEXT(st),                                                                         \
        CITE(R9293, "the sequence number is outside the current receive window, silently drop the segment"))
#define RST_CHALLENGED(st)                                                                                             \
    ROW(st, RST_GAP, IN(RST, GAP_, 0, 0), OUT(AN_ACK(0)), NEXT(st),                                                    \
        CITE(R9293, "TCP endpoints MUST send an acknowledgment (challenge ACK)"))
#define COMPLETES "then enter ESTABLISHED state and continue processing"
#define UNACCEPTABLE_IN_SYN_RECEIVED(st)                                                                               \
    STALE(st, SYN_ACK_BEYOND, SYN | ACK, BEYOND_, 0, 0), RESET_BAD_ACK(st, ACK_DUPLICATE, ACK, 0, -1, 0),              \
        RESET_BAD_ACK(st, ACK_TOO_OLD, ACK, 0, TOO_OLD_, 0), RESET_BAD_ACK(st, ACK_UNSENT, ACK, 0, 1, 0),              \
        STALE(st, ACK_SEQ_OLD, ACK, -1, 0, 0), STALE(st, ACK_SEQ_BEYOND, ACK, BEYOND_, 0, 0),                          \
        STALE(st, DATA_OLD, ACK, -10, 0, 10), STALE(st, DATA_BEYOND, ACK, BEYOND_, 0, 10),                             \
        NO_ACK_BIT(st, DATA_NO_ACK, PSH, 0, 10), RESET_BAD_ACK(st, DATA_ACK_UNSENT, ACK, 0, 1000, 10),                 \
        STALE(st, FIN_OLD, FIN | ACK, -1, 0, 0), STALE(st, FIN_BEYOND, FIN | ACK, BEYOND_, 0, 0),                      \
        NO_ACK_BIT(st, FIN_NO_ACK, FIN, 0, 0), RST_CHALLENGED(st), RST_OUTSIDE(st, RST_OLD, -1),                       \
        RST_OUTSIDE(st, RST_BEYOND, BEYOND_), NO_ACK_BIT(st, NO_FLAGS, 0, 0, 0),                                       \
        RESET_BAD_ACK(st, FIN_PLAIN, FIN | ACK, 0, -1, 0)
#define ACCEPTABLE_IN_SYN_RECEIVED(st, heard, user)                                                                    \
    ROW(st, ACK_NEW, IN(ACK, 0, 0, 0), NEXT(ESTABLISHED), HEARS(heard), CITE(R9293, COMPLETES)),                       \
        ROW(st, DATA, IN(ACK | PSH, 0, 0, 10), OUT(AN_ACK_SOON(10)), NEXT(ESTABLISHED), HEARS(heard),                  \
            MAY_HEAR(READABLE), CITE(R9293, COMPLETES)),                                                               \
        ROW(st, DATA_GAP, IN(ACK, GAP_, 0, 10), OUT(AN_ACK(0)), NEXT(ESTABLISHED), HEARS(heard),                       \
            CITE(R9293, "Segments with higher beginning sequence numbers SHOULD be held for later processing")),       \
        ROW(st, DATA_OVERLAP, IN(ACK, -5, 0, 15), OUT(AN_ACK_SOON(10)), NEXT(ESTABLISHED),                             \
            HEARS(heard | (READABLE & user)), CITE(R9293, "only the new parts are processed")),                        \
        ROW(st, URGENT, .in = {.flags = ACK | URG, .len = 10, .urg = 10}, OUT(AN_ACK_SOON(10)), NEXT(ESTABLISHED),     \
            HEARS(heard | ((READABLE | URGENT_DATA) & user)), CITE(R9293, COMPLETES)),                                 \
        ROW(st, FIN_ACKS_ALL, IN(FIN | ACK, 0, 0, 0), OUT(AN_ACK(1)), NEXT(CLOSE_WAIT),                                \
            HEARS(heard | ((READABLE | PEER_CLOSED) & user)), CITE(R9293, "Enter the CLOSE-WAIT state")),              \
        ROW(st, FIN_GAP, IN(FIN | ACK, GAP_, 0, 0), OUT(AN_ACK(0)), NEXT(ESTABLISHED), HEARS(heard),                   \
            CITE(R9293, "further processing is done in SEG.SEQ order"))

#define NO_USER_YET      "nobody holds the connection before it is established: it cannot be named in a call"
#define NOT_OF_A_REQUEST "a request has no send queue, no window to probe and no owner"
#define EXISTS           CITE("RFC 9293 3.10.1", "Return \"error: connection already exists\"")
#define SYN_OUTSTANDING  CITE("RFC 9293 3.8.4", "Keep-alive packets MUST only be sent when no sent data is outstanding")

const struct table_row rows_embryonic[] = {
    SYN_ALONE(SYN_IN_WINDOW, 0),
    SYN_ALONE(SYN_OLD, -5000),
    SYN_ALONE(SYN_BEYOND, BEYOND_),
    ROW(SYN_SENT, SYN_IN_WINDOW, IN(SYN, 0, 0, 10), OUT(SENT(SYN | ACK, -1, 1, 0, -1)), NEXT(SYN_RECEIVED),
        CITE(C3, "queue them for processing after the ESTABLISHED state has been reached")),
    SYN_AND_ACK(SYN_ACK, 0),
    SYN_AND_ACK(SYN_ACK_OLD, -5000),
    SYN_AND_ACK(SYN_ACK_BEYOND, BEYOND_),
    BAD_ACK(SYN_ACK, SYN | ACK, 0, -1, 0),
    BAD_ACK(SYN_ACK, SYN | ACK, 0, 1, 0),
    BAD_ACK(SYN_ACK_OLD, SYN | ACK, 0, -10, 0),
    ROW(SYN_SENT, SYN_ACK, IN(SYN | ACK, 0, 0, 10), OUT(AN_ACK(11)), NEXT(ESTABLISHED), HEARS(CONNECTED | READABLE),
        CITE(C3, "continue processing at the sixth step under Section 3.10.7.4")),
    ROW(SYN_SENT, SYN_ACK, IN(SYN | ACK | FIN, 0, 0, 0), OUT(AN_ACK(2)), NEXT(CLOSE_WAIT),
        HEARS(CONNECTED | READABLE | PEER_CLOSED), CITE(C3, "If there are other controls or text in the segment")),
    NO_SYN(ACK_NEW, ACK, 0, 0),
    BAD_ACK(ACK_DUPLICATE, ACK, 0, -1, 0),
    BAD_ACK(ACK_TOO_OLD, ACK, 0, TOO_OLD_, 0),
    BAD_ACK(ACK_UNSENT, ACK, 0, 1, 0),
    NO_SYN(ACK_SEQ_OLD, ACK, -5000, 0),
    NO_SYN(ACK_SEQ_BEYOND, ACK, BEYOND_, 0),
    NO_SYN(DATA, ACK | PSH, 1, 10),
    NO_SYN(DATA_GAP, ACK, GAP_, 10),
    NO_SYN(DATA_OLD, ACK, -10, 10),
    NO_SYN(DATA_OVERLAP, ACK, -5, 15),
    NO_SYN(DATA_BEYOND, ACK, BEYOND_, 10),
    NO_SYN(DATA_NO_ACK, PSH, 1, 10),
    BAD_ACK(DATA_ACK_UNSENT, ACK, 1, 1000, 10),
    ROW(SYN_SENT, URGENT, .in = {.flags = ACK | URG, .seq = 1, .len = 10, .urg = 10}, NEXT(SYN_SENT),
        CITE(C3, "if neither of the SYN or RST bits is set, then drop the segment")),
    BAD_ACK(FIN_PLAIN, FIN | ACK, 1, -1, 0),
    NO_SYN(FIN_ACKS_ALL, FIN | ACK, 1, 0),
    NO_SYN(FIN_GAP, FIN | ACK, GAP_, 0),
    NO_SYN(FIN_OLD, FIN | ACK, -1, 0),
    NO_SYN(FIN_BEYOND, FIN | ACK, BEYOND_, 0),
    NO_SYN(FIN_NO_ACK, FIN, 1, 0),
    RST_UNPROVEN(RST_EXACT, RST, 0, 0),
    RST_UNPROVEN(RST_GAP, RST, GAP_, 0),
    RST_UNPROVEN(RST_OLD, RST, -5000, 0),
    RST_UNPROVEN(RST_BEYOND, RST, BEYOND_, 0),
    REFUSED(RST_WITH_ACK, 0),
    REFUSED(RST_WITH_ACK, -5000),
    ROW(SYN_SENT, RST_WITH_ACK, IN(RST | ACK, 0, -1, 0), NEXT(SYN_SENT),
        CITE(C3, "unless the RST bit is set, if so drop the segment and return")),
    ROW(SYN_SENT, RST_WITH_ACK, IN(RST | ACK, 0, 1, 0), NEXT(SYN_SENT),
        CITE(C3, "unless the RST bit is set, if so drop the segment and return")),
    NO_SYN(NO_FLAGS, 0, 0, 0),
    ROW(SYN_SENT, CALL_OPEN_ACTIVE, RETURNS(-EADDRINUSE), NEXT(SYN_SENT), EXISTS),
    ROW(SYN_SENT, CALL_OPEN_PASSIVE, RETURNS(0), NEXT(SYN_SENT),
        CITE("RFC 9293 3.9.1.1", "while a connection block with the same local port is in SYN-SENT")),
    ROW(SYN_SENT, CALL_SEND, RETURNS(5), NEXT(SYN_SENT),
        CITE("RFC 9293 3.10.2", "Queue the data for transmission after entering ESTABLISHED state")),
    ROW(SYN_SENT, CALL_RECEIVE, RETURNS(-EAGAIN), NEXT(SYN_SENT),
        CITE("RFC 9293 3.10.3", "Queue for processing after entering ESTABLISHED state")),
    NEVER(SYN_SENT, CALL_RECEIVE_QUEUED, "no data is accepted before the peer's SYN"),
    ROW(SYN_SENT, CALL_CLOSE, RETURNS(0), NEXT(CLOSED),
        CITE("RFC 9293 3.10.4", "Delete the TCB and return \"error: closing\" responses")),
    NEVER(SYN_SENT, CALL_CLOSE_UNREAD, "no data is accepted before the peer's SYN"),
    ROW(SYN_SENT, CALL_SHUTDOWN, RETURNS(-ENOTCONN), NEXT(SYN_SENT),
        CITE("RFC 9293 3.9.1.4", "If the connection is not open")),
    ROW(SYN_SENT, CALL_ABORT, RETURNS(0), NEXT(CLOSED),
        CITE("RFC 9293 3.10.5", "Delete the TCB, enter CLOSED state, and return")),
    ROW(SYN_SENT, CALL_STATUS, RETURNS(0), NEXT(SYN_SENT), CITE("RFC 9293 3.10.6", "Return \"state = SYN-SENT\"")),
    ROW(SYN_SENT, TIMEOUT_USER, WITH(USER_TIMEOUT), WAIT(6000), HOLDS(4990),
        OUT(SENT(SYN, -1, 0, 0, 1000), SENT(SYN, -1, 0, 0, 3000)), NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT),
        CITE("RFC 9293 3.10.8", "error: connection aborted due to user timeout")),
    ROW(SYN_SENT, TIMEOUT_R2, WAIT(16000), HOLDS(14990),
        OUT(SENT(SYN, -1, 0, 0, 1000), SENT(SYN, -1, 0, 0, 3000), SENT(SYN, -1, 0, 0, 7000)), NEXT(CLOSED), HEARS(OVER),
        ERROR(-ETIMEDOUT),
        CITE("RFC 9293 3.8.3", "SYN retransmissions MUST be handled in the general way just described")),
    ROW(SYN_SENT, TIMEOUT_RETRANSMISSION, WAIT(1100), OUT(SENT(SYN, -1, 0, 0, 1000)), NEXT(SYN_SENT),
        CITE("RFC 9293 3.10.8", "send the segment at the front of the retransmission queue again")),
    NEVER(SYN_SENT, TIMEOUT_TIME_WAIT, "the timer runs in TIME-WAIT only"),
    NEVER(SYN_SENT, TIMEOUT_WINDOW_PROBE, "no window has been offered yet"),
    ROW(SYN_SENT, TIMEOUT_KEEPALIVE, WITH(KEEPALIVE), WAIT(12000),
        OUT(SENT(SYN, -1, 0, 0, 1000), SENT(SYN, -1, 0, 0, 3000), SENT(SYN, -1, 0, 0, 7000)), NEXT(SYN_SENT),
        SYN_OUTSTANDING),
    NEVER(SYN_SENT, TIMEOUT_DELAYED_ACK, "the handshake's ACK is never delayed, and no data is accepted"),
    NEVER(SYN_SENT, TIMEOUT_FIN_WAIT_2, "the timer runs in FIN-WAIT-2 only"),

    /* a request */
    UNACCEPTABLE_IN_SYN_RECEIVED(REQUEST),
    ACCEPTABLE_IN_SYN_RECEIVED(REQUEST, ACCEPTABLE, 0u),
    /* RFC 793 would answer with a bare ACK, which a peer in SYN-SENT drops: the SYN-ACK again is what it lacks */
    ROW(REQUEST, SYN_OLD, IN(SYN, -1, 0, 0), OUT(SENT(SYN | ACK, -1, 0, 0, -1)), NEXT(REQUEST),
        CITE("RFC 9293 3.10.8", "send the segment at the front of the retransmission queue again")),
    STALE(REQUEST, SYN_OLD, SYN, -5000, 0, 0),
    STALE(REQUEST, SYN_BEYOND, SYN, BEYOND_, 0, 0),
    ROW(REQUEST, SYN_IN_WINDOW, IN(SYN, GAP_, 0, 0), NEXT(LISTEN),
        CITE(R9293, "return this connection to the LISTEN state and return")),
    ROW(REQUEST, SYN_ACK, IN(SYN | ACK, 0, 0, 0), NEXT(LISTEN),
        CITE(R9293, "return this connection to the LISTEN state and return")),
    STALE(REQUEST, SYN_ACK_OLD, SYN | ACK, -1, 0, 0),
    ROW(REQUEST, RST_EXACT, IN(RST, 0, 0, 0), NEXT(LISTEN), CITE(R9293, "The user need not be informed")),
    ROW(REQUEST, RST_WITH_ACK, IN(RST | ACK, 0, 0, 0), NEXT(LISTEN), CITE(R9293, "The user need not be informed")),
    ROW(REQUEST, CALL_OPEN_ACTIVE, RETURNS(-EADDRINUSE), NEXT(REQUEST), EXISTS),
    ROW(REQUEST, CALL_OPEN_PASSIVE, RETURNS(-EADDRINUSE), NEXT(REQUEST),
        CITE("RFC 9293 3.9.1.1", "it MUST NOT affect any previously created connection record")),
    NEVER(REQUEST, CALL_SEND, NO_USER_YET),
    NEVER(REQUEST, CALL_RECEIVE, NO_USER_YET),
    NEVER(REQUEST, CALL_RECEIVE_QUEUED, NO_USER_YET),
    /* the only CLOSE there is is the listener's, which forgets the request */
    ROW(REQUEST, CALL_CLOSE, RETURNS(0), NEXT(CLOSED),
        CITE("RFC 9293 3.10.4", "Delete TCB, enter CLOSED state, and return")),
    NEVER(REQUEST, CALL_CLOSE_UNREAD, NO_USER_YET),
    NEVER(REQUEST, CALL_SHUTDOWN, NO_USER_YET),
    NEVER(REQUEST, CALL_ABORT, NO_USER_YET),
    ROW(REQUEST, CALL_STATUS, RETURNS(0), NEXT(REQUEST), CITE("RFC 9293 3.10.6", "Return \"state = SYN-RECEIVED\"")),
    NEVER(REQUEST, TIMEOUT_USER, "the user timeout is given for a connection, and nobody holds this one yet"),
    ROW(REQUEST, TIMEOUT_R2, WAIT(16000), HOLDS(14990),
        OUT(SENT(SYN | ACK, -1, 0, 0, 1000), SENT(SYN | ACK, -1, 0, 0, 3000), SENT(SYN | ACK, -1, 0, 0, 7000)),
        NEXT(LISTEN), CITE("RFC 9293 3.8.3", "reaches a threshold R2 greater than R1, close the connection")),
    ROW(REQUEST, TIMEOUT_RETRANSMISSION, WAIT(1100), OUT(SENT(SYN | ACK, -1, 0, 0, 1000)), NEXT(REQUEST),
        CITE("RFC 9293 3.10.8", "send the segment at the front of the retransmission queue again")),
    NEVER(REQUEST, TIMEOUT_TIME_WAIT, NOT_OF_A_REQUEST),
    NEVER(REQUEST, TIMEOUT_WINDOW_PROBE, NOT_OF_A_REQUEST),
    NEVER(REQUEST, TIMEOUT_KEEPALIVE, NOT_OF_A_REQUEST),
    NEVER(REQUEST, TIMEOUT_DELAYED_ACK, "data comes with an ACK that ends the state"),
    NEVER(REQUEST, TIMEOUT_FIN_WAIT_2, NOT_OF_A_REQUEST),

    /* both sides opened at once */
    UNACCEPTABLE_IN_SYN_RECEIVED(SYN_RECEIVED),
    ACCEPTABLE_IN_SYN_RECEIVED(SYN_RECEIVED, CONNECTED, ~0u),
    ROW(SYN_RECEIVED, SYN_IN_WINDOW, IN(SYN, GAP_, 0, 0), OUT(AN_ACK(0)), NEXT(SYN_RECEIVED),
        CITE(R9293, "Otherwise, handle per the directions for synchronized states below")),
    STALE(SYN_RECEIVED, SYN_OLD, SYN, -1, 0, 0),
    STALE(SYN_RECEIVED, SYN_BEYOND, SYN, BEYOND_, 0, 0),
    ROW(SYN_RECEIVED, SYN_ACK, IN(SYN | ACK, 0, 0, 0), OUT(AN_ACK(0)), NEXT(SYN_RECEIVED),
        CITE(R9293, "irrespective of the sequence number, TCP endpoints MUST send")),
    /* figure 7, line 6: its SYN lies before RCV.NXT, and yet it must establish (appendix A.2) */
    ROW(SYN_RECEIVED, SYN_ACK_OLD, IN(SYN | ACK, -1, 0, 0), OUT(MAYBE_AN_ACK), NEXT(ESTABLISHED), HEARS(CONNECTED),
        CITE(SIMULTANEOUS, "ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED")),
    ROW(SYN_RECEIVED, RST_EXACT, IN(RST, 0, 0, 0), NEXT(CLOSED), HEARS(OVER), ERROR(-ECONNREFUSED),
        CITE(R9293, "then the connection was refused; signal the user")),
    ROW(SYN_RECEIVED, RST_WITH_ACK, IN(RST | ACK, 0, 0, 0), NEXT(CLOSED), HEARS(OVER), ERROR(-ECONNREFUSED),
        CITE(R9293, "then the connection was refused; signal the user")),
    ROW(SYN_RECEIVED, CALL_OPEN_ACTIVE, RETURNS(-EADDRINUSE), NEXT(SYN_RECEIVED), EXISTS),
    ROW(SYN_RECEIVED, CALL_OPEN_PASSIVE, RETURNS(0), NEXT(SYN_RECEIVED),
        CITE("RFC 9293 3.9.1.1", "connection block with the same local port is in SYN-SENT or SYN-RECEIVED state")),
    ROW(SYN_RECEIVED, CALL_SEND, RETURNS(5), NEXT(SYN_RECEIVED),
        CITE("RFC 9293 3.10.2", "Queue the data for transmission after entering ESTABLISHED state")),
    ROW(SYN_RECEIVED, CALL_RECEIVE, RETURNS(-EAGAIN), NEXT(SYN_RECEIVED),
        CITE("RFC 9293 3.10.3", "Queue for processing after entering ESTABLISHED state")),
    NEVER(SYN_RECEIVED, CALL_RECEIVE_QUEUED, "data comes with an ACK that ends the state"),
    ROW(SYN_RECEIVED, CALL_CLOSE, RETURNS(0), OUT(SENT(FIN | ACK, 0, 0, 0, -1)), NEXT(FIN_WAIT_1),
        CITE("RFC 9293 3.10.4", "then form a FIN segment and send it, and enter FIN-WAIT-1 state")),
    NEVER(SYN_RECEIVED, CALL_CLOSE_UNREAD, "data comes with an ACK that ends the state"),
    ROW(SYN_RECEIVED, CALL_SHUTDOWN, RETURNS(0), OUT(SENT(FIN | ACK, 0, 0, 0, -1)), NEXT(FIN_WAIT_1),
        CITE("RFC 9293 3.10.4", "then form a FIN segment and send it, and enter FIN-WAIT-1 state")),
    ROW(SYN_RECEIVED, CALL_ABORT, RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED),
        CITE("RFC 9293 3.10.5", "<SEQ=SND.NXT><CTL=RST>")),
    ROW(SYN_RECEIVED, CALL_STATUS, RETURNS(0), NEXT(SYN_RECEIVED),
        CITE("RFC 9293 3.10.6", "Return \"state = SYN-RECEIVED\"")),
    ROW(SYN_RECEIVED, TIMEOUT_USER, WITH(USER_TIMEOUT), WAIT(6000), HOLDS(4990),
        OUT(SENT(SYN | ACK, -1, 0, 0, 1000), SENT(SYN | ACK, -1, 0, 0, 3000), MAYBE_A_LAST_RST(5000)), NEXT(CLOSED),
        HEARS(OVER), ERROR(-ETIMEDOUT), CITE("RFC 9293 3.10.8", "error: connection aborted due to user timeout")),
    ROW(SYN_RECEIVED, TIMEOUT_R2, WAIT(16000), HOLDS(14990),
        OUT(SENT(SYN | ACK, -1, 0, 0, 1000), SENT(SYN | ACK, -1, 0, 0, 3000), SENT(SYN | ACK, -1, 0, 0, 7000),
            MAYBE_A_LAST_RST(15000)),
        NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT),
        CITE("RFC 9293 3.8.3", "reaches a threshold R2 greater than R1, close the connection")),
    ROW(SYN_RECEIVED, TIMEOUT_RETRANSMISSION, WAIT(1100), OUT(SENT(SYN | ACK, -1, 0, 0, 1000)), NEXT(SYN_RECEIVED),
        CITE("RFC 9293 3.10.8", "send the segment at the front of the retransmission queue again")),
    NEVER(SYN_RECEIVED, TIMEOUT_TIME_WAIT, "the timer runs in TIME-WAIT only"),
    NEVER(SYN_RECEIVED, TIMEOUT_WINDOW_PROBE, "no data is sent before ESTABLISHED, so no window is probed"),
    ROW(SYN_RECEIVED, TIMEOUT_KEEPALIVE, WITH(KEEPALIVE), WAIT(12000),
        OUT(SENT(SYN | ACK, -1, 0, 0, 1000), SENT(SYN | ACK, -1, 0, 0, 3000), SENT(SYN | ACK, -1, 0, 0, 7000)),
        NEXT(SYN_RECEIVED), SYN_OUTSTANDING),
    NEVER(SYN_RECEIVED, TIMEOUT_DELAYED_ACK, "data comes with an ACK that ends the state"),
    NEVER(SYN_RECEIVED, TIMEOUT_FIN_WAIT_2, "the timer runs in FIN-WAIT-2 only"),
};
const size_t rows_embryonic_count = sizeof rows_embryonic / sizeof rows_embryonic[0];
