/* Rows of the state x event table: CLOSED and LISTEN, where no connection exists. */
#include "state_table.h"

#define C1       "RFC 9293 3.10.7.1"
#define C2       "RFC 9293 3.10.7.2"
#define NO_TCB   "no TCB exists, so no timer runs (RFC 9293 3.10: CLOSED)"
#define NO_TIMER "a listener has no timer: nothing is outstanding"

#define ANSWER_WITHOUT_ACK(event, f, s, l, n)                                                                          \
    ROW(CLOSED, event, IN(f, s, 0, l), OUT(A_RST_ACK((s) + (n))), NEXT(CLOSED),                                        \
        CITE(C1, "If the ACK bit is off, sequence number zero is used"))
#define ANSWER_WITH_ACK(event, f, s, a, l)                                                                             \
    ROW(CLOSED, event, IN(f, s, a, l), OUT(A_RST(a)), NEXT(CLOSED),                                                    \
        CITE(C1, "An incoming segment not containing a RST causes a RST to be sent"))
#define DISCARD_RST(event, f, s)                                                                                       \
    ROW(CLOSED, event, IN(f, s, 0, 0), NEXT(CLOSED), CITE(C1, "An incoming segment containing a RST is discarded"))
#define NO_CONNECTION(event)                                                                                           \
    ROW(CLOSED, event, RETURNS(-EBADF), NEXT(CLOSED), CITE("RFC 9293 3.10.2", "error: connection does not exist"))

#define LISTEN_ACK(event, f, s, a, l)                                                                                  \
    ROW(LISTEN, event, IN(f, s, a, l), OUT(A_RST(a)), NEXT(LISTEN),                                                    \
        CITE(C2, "An acceptable reset segment should be formed for any arriving ACK-bearing segment"))
#define LISTEN_SYN(event, s)                                                                                           \
    ROW(LISTEN, event, IN(SYN, s, 0, 0), OUT(SENT(SYN | ACK, 0, (s) + 1, 0, -1)), NEXT(REQUEST),                       \
        CITE(C2, "Set RCV.NXT to SEG.SEQ+1, IRS is set to SEG.SEQ"))
#define LISTEN_RST(event, f, s)                                                                                        \
    ROW(LISTEN, event, IN(f, s, 0, 0), NEXT(LISTEN), CITE(C2, "An incoming RST should be ignored"))
#define LISTEN_DROP(event, f, s, l)                                                                                    \
    ROW(LISTEN, event, IN(f, s, 0, l), NEXT(LISTEN),                                                                   \
        CITE(C2, "This should not be reached. Drop the segment and return"))
#define NOT_A_CONNECTION(event)                                                                                        \
    ROW(LISTEN, event, RETURNS(-EBADF), NEXT(LISTEN),                                                                  \
        CITE("RFC 9293 3.9.1.2", "if a SEND is attempted before the remote socket becomes specified, an error"))

const struct table_row rows_closed[] = {
    /* CLOSED: whatever the numbers are, the answer is made from them */
    ANSWER_WITHOUT_ACK(SYN_IN_WINDOW, SYN, 0, 0, 1),
    ANSWER_WITHOUT_ACK(SYN_OLD, SYN, -5000, 0, 1),
    ANSWER_WITHOUT_ACK(SYN_BEYOND, SYN, BEYOND_, 7, 8),
    ANSWER_WITH_ACK(SYN_ACK, SYN | ACK, 0, 0, 0),
    ANSWER_WITH_ACK(SYN_ACK_OLD, SYN | ACK, -5000, -3, 0),
    ANSWER_WITH_ACK(SYN_ACK_BEYOND, SYN | ACK, BEYOND_, 17, 0),
    ANSWER_WITH_ACK(ACK_NEW, ACK, 0, 0, 0),
    ANSWER_WITH_ACK(ACK_DUPLICATE, ACK, 0, -16, 0),
    ANSWER_WITH_ACK(ACK_TOO_OLD, ACK, 0, TOO_OLD_, 0),
    ANSWER_WITH_ACK(ACK_UNSENT, ACK, 0, 100, 0),
    ANSWER_WITH_ACK(ACK_SEQ_OLD, ACK, -1, 0, 0),
    ANSWER_WITH_ACK(ACK_SEQ_BEYOND, ACK, BEYOND_, 0, 0),
    ANSWER_WITH_ACK(DATA, ACK | PSH, 0, 0, 10),
    ANSWER_WITH_ACK(DATA_GAP, ACK, GAP_, 0, 10),
    ANSWER_WITH_ACK(DATA_OLD, ACK, -10, 0, 10),
    ANSWER_WITH_ACK(DATA_OVERLAP, ACK, -5, 0, 15),
    ANSWER_WITH_ACK(DATA_BEYOND, ACK, BEYOND_, 0, 10),
    ANSWER_WITHOUT_ACK(DATA_NO_ACK, PSH, 0, 10, 10),
    ANSWER_WITH_ACK(DATA_ACK_UNSENT, ACK, 0, 1000, 10),
    ROW(CLOSED, URGENT, .in = {.flags = ACK | URG, .len = 10, .urg = 10}, OUT(A_RST(0)), NEXT(CLOSED),
        CITE(C1, "all data in the incoming segment is discarded")),
    ANSWER_WITH_ACK(FIN_PLAIN, FIN | ACK, 0, -5, 0),
    ANSWER_WITH_ACK(FIN_ACKS_ALL, FIN | ACK, 0, 0, 0),
    ANSWER_WITH_ACK(FIN_GAP, FIN | ACK, GAP_, 0, 0),
    ANSWER_WITH_ACK(FIN_OLD, FIN | ACK, -1, 0, 0),
    ANSWER_WITH_ACK(FIN_BEYOND, FIN | ACK, BEYOND_, 0, 0),
    ANSWER_WITHOUT_ACK(FIN_NO_ACK, FIN, 0, 3, 4),
    DISCARD_RST(RST_EXACT, RST, 0),
    DISCARD_RST(RST_GAP, RST, GAP_),
    DISCARD_RST(RST_OLD, RST, -1),
    DISCARD_RST(RST_BEYOND, RST, BEYOND_),
    DISCARD_RST(RST_WITH_ACK, RST | ACK, 0),
    ANSWER_WITHOUT_ACK(NO_FLAGS, 0, 0, 0, 0),
    ROW(CLOSED, CALL_OPEN_ACTIVE, RETURNS(0), OUT(SENT(SYN, 0, 0, 0, -1)), NEXT(SYN_SENT),
        CITE("RFC 9293 3.10.1", "A SYN segment of the form <SEQ=ISS><CTL=SYN> is sent")),
    ROW(CLOSED, CALL_OPEN_PASSIVE, RETURNS(0), NEXT(LISTEN),
        CITE("RFC 9293 3.10.1", "If passive, enter the LISTEN state and return")),
    NO_CONNECTION(CALL_SEND),
    ROW(CLOSED, CALL_SEND, WITH(RESET), RETURNS(-ECONNRESET), ERROR(-ECONNRESET), NEXT(CLOSED),
        CITE(R9293, "any outstanding RECEIVEs and SEND should receive \"reset\" responses")),
    NO_CONNECTION(CALL_RECEIVE),
    ROW(CLOSED, CALL_RECEIVE, WITH(RESET), RETURNS(-ECONNRESET), ERROR(-ECONNRESET), NEXT(CLOSED),
        CITE(R9293, "any outstanding RECEIVEs and SEND should receive \"reset\" responses")),
    NEVER(CLOSED, CALL_RECEIVE_QUEUED, "a handle that is gone has no queue"),
    NO_CONNECTION(CALL_CLOSE),
    ROW(CLOSED, CALL_CLOSE, WITH(RESET), RETURNS(0), NEXT(CLOSED),
        CITE("RFC 9293 3.9.1.6", "may simply receive an ABORT-acknowledgment")),
    NEVER(CLOSED, CALL_CLOSE_UNREAD, "a handle that is gone has no queue"),
    NO_CONNECTION(CALL_SHUTDOWN),
    ROW(CLOSED, CALL_SHUTDOWN, WITH(RESET), RETURNS(-ENOTCONN), ERROR(-ECONNRESET), NEXT(CLOSED),
        CITE("RFC 9293 3.9.1.4", "If the connection is not open")),
    NO_CONNECTION(CALL_ABORT),
    ROW(CLOSED, CALL_ABORT, WITH(RESET), RETURNS(0), NEXT(CLOSED),
        CITE("RFC 9293 3.9.1.6", "may simply receive an ABORT-acknowledgment")),
    NO_CONNECTION(CALL_STATUS),
    ROW(CLOSED, CALL_STATUS, WITH(RESET), RETURNS(0), ERROR(-ECONNRESET), NEXT(CLOSED),
        CITE("RFC 9293 3.6", "the local application MUST be informed whether it closed normally or was aborted")),
    NEVER(CLOSED, TIMEOUT_USER, NO_TCB),
    NEVER(CLOSED, TIMEOUT_R2, NO_TCB),
    ROW(CLOSED, TIMEOUT_RETRANSMISSION, WITH(RESET), WAIT(3600000), NEXT(CLOSED), ERROR(-ECONNRESET),
        CITE(R9293, "All segment queues should be flushed")),
    NEVER(CLOSED, TIMEOUT_TIME_WAIT, NO_TCB),
    NEVER(CLOSED, TIMEOUT_WINDOW_PROBE, NO_TCB),
    NEVER(CLOSED, TIMEOUT_KEEPALIVE, NO_TCB),
    NEVER(CLOSED, TIMEOUT_DELAYED_ACK, NO_TCB),
    NEVER(CLOSED, TIMEOUT_FIN_WAIT_2, NO_TCB),

    /* LISTEN: no window yet, so a SYN is a SYN wherever it lies */
    LISTEN_SYN(SYN_IN_WINDOW, 0),
    LISTEN_SYN(SYN_OLD, -5000),
    LISTEN_SYN(SYN_BEYOND, BEYOND_),
    /* text with the SYN may be kept, or refused by acknowledging the SYN alone: this stack refuses it */
    ROW(LISTEN, SYN_IN_WINDOW, IN(SYN, 0, 0, 10), OUT(SENT(SYN | ACK, 0, 1, 0, -1)), NEXT(REQUEST),
        CITE(C2, "<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>")),
    ROW(LISTEN, SYN_IN_WINDOW, IN(SYN | FIN, 0, 0, 0), OUT(SENT(SYN | ACK, 0, 1, 0, -1)), NEXT(REQUEST),
        CITE(C2, "<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>")),
    ROW(LISTEN, SYN_IN_WINDOW, IN(SYN | RST, 0, 0, 0), NEXT(LISTEN), CITE(C2, "First, check for a RST")),
    LISTEN_ACK(SYN_ACK, SYN | ACK, 0, 0, 0),
    LISTEN_ACK(SYN_ACK_OLD, SYN | ACK, -5000, -7, 0),
    LISTEN_ACK(SYN_ACK_BEYOND, SYN | ACK, BEYOND_, 7, 0),
    LISTEN_ACK(ACK_NEW, ACK, 0, 0, 0),
    LISTEN_ACK(ACK_DUPLICATE, ACK, 0, -16, 0),
    LISTEN_ACK(ACK_TOO_OLD, ACK, 0, TOO_OLD_, 0),
    LISTEN_ACK(ACK_UNSENT, ACK, 0, 100, 0),
    LISTEN_ACK(ACK_SEQ_OLD, ACK, -1, 0, 0),
    LISTEN_ACK(ACK_SEQ_BEYOND, ACK, BEYOND_, 0, 0),
    LISTEN_ACK(DATA, ACK | PSH, 0, 0, 10),
    LISTEN_ACK(DATA_GAP, ACK, GAP_, 0, 10),
    LISTEN_ACK(DATA_OLD, ACK, -10, 0, 10),
    LISTEN_ACK(DATA_OVERLAP, ACK, -5, 0, 15),
    LISTEN_ACK(DATA_BEYOND, ACK, BEYOND_, 0, 10),
    LISTEN_DROP(DATA_NO_ACK, PSH, 0, 10),
    LISTEN_ACK(DATA_ACK_UNSENT, ACK, 0, 1000, 10),
    ROW(LISTEN, URGENT, .in = {.flags = ACK | URG, .len = 10, .urg = 10}, OUT(A_RST(0)), NEXT(LISTEN),
        CITE(C2, "Any acknowledgment is bad if it arrives on a connection still in the LISTEN")),
    LISTEN_ACK(FIN_PLAIN, FIN | ACK, 0, -5, 0),
    LISTEN_ACK(FIN_ACKS_ALL, FIN | ACK, 0, 0, 0),
    LISTEN_ACK(FIN_GAP, FIN | ACK, GAP_, 0, 0),
    LISTEN_ACK(FIN_OLD, FIN | ACK, -1, 0, 0),
    LISTEN_ACK(FIN_BEYOND, FIN | ACK, BEYOND_, 0, 0),
    ROW(LISTEN, FIN_NO_ACK, IN(FIN, 0, 0, 0), NEXT(LISTEN),
        CITE(R9293, "Do not process the FIN if the state is CLOSED, LISTEN, or SYN-SENT")),
    LISTEN_RST(RST_EXACT, RST, 0),
    LISTEN_RST(RST_GAP, RST, GAP_),
    LISTEN_RST(RST_OLD, RST, -1),
    LISTEN_RST(RST_BEYOND, RST, BEYOND_),
    LISTEN_RST(RST_WITH_ACK, RST | ACK, 0),
    LISTEN_DROP(NO_FLAGS, 0, 0, 0),
    ROW(LISTEN, CALL_OPEN_ACTIVE, RETURNS(0), OUT(SENT(SYN, 0, 0, 0, -1)), NEXT(SYN_SENT),
        CITE("RFC 9293 3.9.1.1", "it MUST NOT affect any previously created connection record")),
    ROW(LISTEN, CALL_OPEN_PASSIVE, RETURNS(-EADDRINUSE), NEXT(LISTEN),
        CITE("RFC 9293 3.9.1.1", "either creates a new connection record in LISTEN state, or it returns an error")),
    NOT_A_CONNECTION(CALL_SEND),
    NOT_A_CONNECTION(CALL_RECEIVE),
    NEVER(LISTEN, CALL_RECEIVE_QUEUED, "a listener holds no data"),
    ROW(LISTEN, CALL_CLOSE, RETURNS(0), NEXT(CLOSED),
        CITE("RFC 9293 3.10.4", "Delete TCB, enter CLOSED state, and return")),
    NEVER(LISTEN, CALL_CLOSE_UNREAD, "a listener holds no data"),
    NOT_A_CONNECTION(CALL_SHUTDOWN),
    NOT_A_CONNECTION(CALL_ABORT),
    ROW(LISTEN, CALL_STATUS, RETURNS(0), NEXT(LISTEN), CITE("RFC 9293 3.10.6", "Return \"state = LISTEN\"")),
    NEVER(LISTEN, TIMEOUT_USER, NO_TIMER),
    NEVER(LISTEN, TIMEOUT_R2, NO_TIMER),
    ROW(LISTEN, TIMEOUT_RETRANSMISSION, WAIT(3600000), NEXT(LISTEN),
        CITE("RFC 9293 3.3.2", "waiting for a connection request from any remote TCP peer and port")),
    NEVER(LISTEN, TIMEOUT_TIME_WAIT, NO_TIMER),
    NEVER(LISTEN, TIMEOUT_WINDOW_PROBE, NO_TIMER),
    NEVER(LISTEN, TIMEOUT_KEEPALIVE, NO_TIMER),
    NEVER(LISTEN, TIMEOUT_DELAYED_ACK, NO_TIMER),
    NEVER(LISTEN, TIMEOUT_FIN_WAIT_2, NO_TIMER),
};
const size_t rows_closed_count = sizeof rows_closed / sizeof rows_closed[0];
