/* Rows of the state x event table: ESTABLISHED and CLOSE-WAIT, in which the user may send. Unless a row says otherwise 5 bytes
 * are outstanding: SND.UNA is SND.NXT - 5. */
#include "state_rows_common.h"

#define NEW_ACK(st)                                                                                                    \
    ROW(st, ACK_NEW, IN(ACK, 0, 0, 0), NEXT(st),                                                                       \
        CITE(R9293, "If SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA <- SEG.ACK"))
#define DATA_SENT(at_) SENT(ACK, -5, 0, 5, at_)
#define TIMERS(st)                                                                                                     \
    ROW(st, TIMEOUT_USER, WITH(USER_TIMEOUT), WAIT(6000), HOLDS(4990),                                                 \
        OUT(DATA_SENT(1000), DATA_SENT(3000), MAYBE_A_LAST_RST(5000)), NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT),   \
        BY_USER_TIMEOUT),                                                                                              \
        ROW(st, TIMEOUT_R2, WAIT(64000), HOLDS(62990),                                                                 \
            OUT(DATA_SENT(1000), DATA_SENT(3000), DATA_SENT(7000), DATA_SENT(15000), DATA_SENT(31000),                 \
                MAYBE_A_LAST_RST(63000)),                                                                              \
            NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT), BY_R2),                                                      \
        ROW(st, TIMEOUT_RETRANSMISSION, WAIT(1100), OUT(DATA_SENT(1000)), NEXT(st), RETRANSMIT),                       \
        ROW(st, TIMEOUT_RETRANSMISSION, WITH(IDLE), WAIT(3600000), NEXT(st),                                           \
            CITE("RFC 9293 3.8", "the data flow is momentarily idle and all data sent has been acknowledged")),        \
        NEVER(st, TIMEOUT_TIME_WAIT, ONLY_TIME_WAIT),                                                                  \
        ROW(st, TIMEOUT_WINDOW_PROBE, WITH(ZERO_WINDOW), WAIT(8000),                                                   \
            OUT(SENT(ACK, 0, 0, SOME, 1000), SENT(ACK, 0, 0, SOME, 3000), SENT(ACK, 0, 0, SOME, 7000)), NEXT(st),      \
            PROBE),                                                                                                    \
        ROW(st, TIMEOUT_KEEPALIVE, WITH(IDLE | KEEPALIVE), WAIT(26000), HOLDS(24990),                                  \
            OUT(SENT(ACK, -1, 0, 0, 10000), SENT(ACK, -1, 0, 0, 15000), SENT(ACK, -1, 0, 0, 20000),                    \
                MAYBE_A_LAST_RST(25000)),                                                                              \
            NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT), ALIVE),                                                      \
        ROW(st, TIMEOUT_KEEPALIVE, WITH(KEEPALIVE), WAIT(12000),                                                       \
            OUT(DATA_SENT(1000), DATA_SENT(3000), DATA_SENT(7000)), NEXT(st), ONLY_IDLE)
#define CALLS(st, name)                                                                                                \
    OPEN_ROWS(st),                                                                                                     \
        ROW(st, CALL_SEND, WITH(IDLE), RETURNS(5), OUT(SENT(ACK | PSH, 0, 0, 5, -1)), NEXT(st),                        \
            CITE("RFC 9293 3.10.2", "Segmentize the buffer and send it with a piggybacked acknowledgment")),           \
        ROW(st, CALL_SEND, RETURNS(5), NEXT(st),                                                                       \
            CITE("RFC 9293 3.7.4", "buffers all user data (regardless of the PSH bit) until")),                        \
        ROW(st, CALL_CLOSE_UNREAD, WITH(UNREAD), RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED), UNREAD_LOST),                \
        ROW(st, CALL_ABORT, RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED),                                                   \
            CITE("RFC 9293 3.10.5", "<SEQ=SND.NXT><CTL=RST>")),                                                        \
        ROW(st, CALL_STATUS, RETURNS(0), NEXT(st), CITE("RFC 9293 3.10.6", "Return \"state = " name "\""))

const struct table_row rows_data[] = {
    SYNCHRONIZED_ROWS(ESTABLISHED),
    RESET_ROWS(ESTABLISHED, -ECONNRESET),
    NEW_ACK(ESTABLISHED),
    ROW(ESTABLISHED, DATA, IN(ACK | PSH, 0, -5, 10), OUT(AN_ACK_SOON(10)), NEXT(ESTABLISHED), HEARS(READABLE),
        CITE(R9293, "it must also acknowledge the receipt of the data")),
    ROW(ESTABLISHED, DATA_GAP, IN(ACK, GAP_, -5, 10), OUT(AN_ACK(0)), NEXT(ESTABLISHED),
        CITE(R9293, "Segments with higher beginning sequence numbers SHOULD be held for later processing")),
    ROW(ESTABLISHED, DATA_OVERLAP, IN(ACK, -5, -5, 15), OUT(AN_ACK_SOON(10)), NEXT(ESTABLISHED), HEARS(READABLE),
        CITE(R9293, "only the new parts are processed")),
    ROW(ESTABLISHED, URGENT, .in = {.flags = ACK | URG, .ack = -5, .len = 10, .urg = 10}, OUT(AN_ACK_SOON(10)),
        NEXT(ESTABLISHED), HEARS(READABLE | URGENT_DATA),
        CITE(R9293, "signal the user that the remote side has urgent data")),
    ROW(ESTABLISHED, FIN_PLAIN, IN(FIN | ACK, 0, -5, 0), OUT(AN_ACK(1)), NEXT(CLOSE_WAIT),
        HEARS(READABLE | PEER_CLOSED),
        CITE(R9293, "advance RCV.NXT over the FIN, and send an acknowledgment for the FIN")),
    ROW(ESTABLISHED, FIN_ACKS_ALL, IN(FIN | ACK, 0, 0, 10), OUT(AN_ACK(11)), NEXT(CLOSE_WAIT),
        HEARS(READABLE | PEER_CLOSED), CITE(R9293, "FIN implies PUSH for any segment text not yet delivered")),
    ROW(ESTABLISHED, FIN_GAP, IN(FIN | ACK, GAP_, -5, 0), OUT(AN_ACK(0)), NEXT(ESTABLISHED),
        CITE(R9293, "further processing is done in SEG.SEQ order")),
    CALLS(ESTABLISHED, "ESTABLISHED"),
    ROW(ESTABLISHED, CALL_RECEIVE, RETURNS(-EAGAIN), NEXT(ESTABLISHED),
        CITE("RFC 9293 3.10.3", "If insufficient incoming segments are queued to satisfy the request, queue the")),
    ROW(ESTABLISHED, CALL_RECEIVE_QUEUED, WITH(UNREAD), RETURNS(10), NEXT(ESTABLISHED),
        CITE("RFC 9293 3.10.3", "Reassemble queued incoming segments into receive buffer and return to user")),
    ROW(ESTABLISHED, CALL_CLOSE, RETURNS(0), OUT(SENT(FIN | ACK, 0, 0, 0, -1)), NEXT(FIN_WAIT_1),
        CITE("RFC 9293 3.10.4", "In any case, enter FIN-WAIT-1 state")),
    ROW(ESTABLISHED, CALL_CLOSE, WITH(ZERO_WINDOW), RETURNS(0), NEXT(FIN_WAIT_1),
        CITE("RFC 9293 3.10.4", "Queue this until all preceding SENDs have been segmentized")),
    ROW(ESTABLISHED, CALL_SHUTDOWN, RETURNS(0), OUT(SENT(FIN | ACK, 0, 0, 0, -1)), NEXT(FIN_WAIT_1),
        CITE("RFC 9293 3.10.4", "In any case, enter FIN-WAIT-1 state")),
    TIMERS(ESTABLISHED),
    ROW(ESTABLISHED, TIMEOUT_DELAYED_ACK, IN(ACK, 0, -5, 10), WAIT(499), OUT(SENT(ACK, 0, 10, 0, SOON)),
        NEXT(ESTABLISHED), HEARS(READABLE), CITE("RFC 9293 3.8.6.3", "the delay MUST be less than 0.5 seconds")),
    NEVER(ESTABLISHED, TIMEOUT_FIN_WAIT_2, ONLY_FIN_WAIT_2),

    SYNCHRONIZED_ROWS(CLOSE_WAIT),
    RESET_ROWS(CLOSE_WAIT, -ECONNRESET),
    AFTER_FIN_ROWS(CLOSE_WAIT),
    NEW_ACK(CLOSE_WAIT),
    /* the FIN again, now with an acknowledgment: it lies before the window */
    UNACCEPTABLE(CLOSE_WAIT, FIN_ACKS_ALL, FIN | ACK, -1, 0, 0),
    CALLS(CLOSE_WAIT, "CLOSE-WAIT"),
    ROW(CLOSE_WAIT, CALL_RECEIVE, RETURNS(0), NEXT(CLOSE_WAIT),
        CITE("RFC 9293 3.10.3", "the RECEIVE will get an \"error: connection closing\" response")),
    ROW(CLOSE_WAIT, CALL_RECEIVE_QUEUED, WITH(UNREAD), RETURNS(10), NEXT(CLOSE_WAIT),
        CITE("RFC 9293 3.10.3", "any remaining data can be used to satisfy the RECEIVE")),
    ROW(CLOSE_WAIT, CALL_CLOSE, RETURNS(0), OUT(SENT(FIN | ACK, 0, 0, 0, -1)), NEXT(LAST_ACK),
        CITE("RFC 9293 3.10.4", "then send a FIN segment, enter LAST-ACK state")),
    ROW(CLOSE_WAIT, CALL_CLOSE, WITH(ZERO_WINDOW), RETURNS(0), NEXT(LAST_ACK),
        CITE("RFC 9293 3.10.4", "Queue this request until all preceding SENDs have been segmentized")),
    ROW(CLOSE_WAIT, CALL_SHUTDOWN, RETURNS(0), OUT(SENT(FIN | ACK, 0, 0, 0, -1)), NEXT(LAST_ACK),
        CITE("RFC 9293 3.10.4", "then send a FIN segment, enter LAST-ACK state")),
    TIMERS(CLOSE_WAIT),
    NEVER(CLOSE_WAIT, TIMEOUT_DELAYED_ACK, NO_DELAY),
    NEVER(CLOSE_WAIT, TIMEOUT_FIN_WAIT_2, ONLY_FIN_WAIT_2),
};
const size_t rows_data_count = sizeof rows_data / sizeof rows_data[0];
