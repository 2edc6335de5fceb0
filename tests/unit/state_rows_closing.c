/* Rows of the state x event table: the states in which the user has closed. A row runs twice, with an owner and without, unless it
 * says OWNED or ORPHAN. In FIN-WAIT-1, CLOSING and LAST-ACK 5 bytes and our FIN are outstanding (IDLE: the FIN alone):
 * ack 0 acknowledges the FIN, ack -1 the bytes only. */
#include "state_rows_common.h"

#define CLOSED_ALREADY  CITE("RFC 9293 3.10.2", "Return \"error: connection closing\" and do not service request")
#define SECOND_CLOSE    CITE("RFC 9293 3.10.4", "An \"ok\" response would be acceptable, too, as long as a second FIN")
#define RESPOND_CLOSING CITE("RFC 9293 3.10.4", "Respond with \"error: connection closing\"")
#define NO_MORE_DATA    CITE("RFC 9293 3.10.3", "Return \"error: connection closing\"")
#define LATE_DATA       CITE("RFC 9293 3.6.1", "if new data is received after CLOSE is called")
#define FIN_SENT(at_)   SENT(FIN | ACK, -1, 0, 0, at_)

/* What every state has in which the user has closed. */
#define CLOSED_BY_USER_ROWS(st, name)                                                                                  \
    OPEN_ROWS(st), ROW(st, CALL_SEND, WITH(OWNED), RETURNS(-EPIPE), NEXT(st), CLOSED_ALREADY),                         \
        ROW(st, CALL_STATUS, WITH(OWNED), RETURNS(0), NEXT(st),                                                        \
            CITE("RFC 9293 3.10.6", "Return \"state = " name "\""))
#define FIN_OUTSTANDING_TIMERS(st)                                                                                     \
    ROW(st, TIMEOUT_USER, WITH(IDLE | USER_TIMEOUT), WAIT(6000), HOLDS(4990),                                          \
        OUT(FIN_SENT(1000), FIN_SENT(3000), MAYBE_A_LAST_RST(5000)), NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT),     \
        BY_USER_TIMEOUT),                                                                                              \
        ROW(st, TIMEOUT_R2, WITH(OWNED | IDLE), WAIT(64000), HOLDS(62990),                                             \
            OUT(FIN_SENT(1000), FIN_SENT(3000), FIN_SENT(7000), FIN_SENT(15000), FIN_SENT(31000),                      \
                MAYBE_A_LAST_RST(63000)),                                                                              \
            NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT), BY_R2),                                                      \
        ROW(st, TIMEOUT_R2, WITH(ORPHAN | IDLE), WAIT(32000), HOLDS(30990),                                            \
            OUT(FIN_SENT(1000), FIN_SENT(3000), FIN_SENT(7000), FIN_SENT(15000), MAYBE_A_LAST_RST(31000)),             \
            NEXT(CLOSED), CITE("RFC 9293 3.9.1.4", "CLOSE turns into ABORT, and the closing TCP peer gives up")),      \
        ROW(st, TIMEOUT_RETRANSMISSION, WITH(IDLE), WAIT(1100), OUT(FIN_SENT(1000)), NEXT(st), RETRANSMIT),            \
        ROW(st, TIMEOUT_RETRANSMISSION, WAIT(1100), OUT(SENT(ACK | MAYBE_FIN, -6, 0, 5, 1000)), NEXT(st),              \
            CITE("RFC 9293 3.6",                                                                                       \
                 "All segments preceding and including FIN will be retransmitted until acknowledged")),                \
        NEVER(st, TIMEOUT_TIME_WAIT, ONLY_TIME_WAIT),                                                                  \
        ROW(st, TIMEOUT_WINDOW_PROBE, WITH(ZERO_WINDOW), WAIT(8000),                                                   \
            OUT(SENT(ACK | MAYBE_FIN, 0, 0, SOME, 1000), SENT(ACK | MAYBE_FIN, 0, 0, SOME, 3000),                      \
                SENT(ACK | MAYBE_FIN, 0, 0, SOME, 7000)),                                                              \
            NEXT(st), PROBE),                                                                                          \
        ROW(st, TIMEOUT_KEEPALIVE, WITH(IDLE | KEEPALIVE), WAIT(12000),                                                \
            OUT(FIN_SENT(1000), FIN_SENT(3000), FIN_SENT(7000)), NEXT(st), ONLY_IDLE)

/* FIN-WAIT-1 and FIN-WAIT-2 take data, for an owner. `a` acknowledges nothing new. */
#define FIN_WAIT_ROWS(st, a)                                                                                           \
    ROW(st, DATA, WITH(OWNED), IN(ACK | PSH, 0, a, 10), OUT(AN_ACK_SOON(10)), NEXT(st), HEARS(READABLE),               \
        CITE(R9293, "it must also acknowledge the receipt of the data")),                                              \
        ROW(st, DATA, WITH(ORPHAN), IN(ACK | PSH, 0, a, 10), OUT(A_RST(a)), NEXT(CLOSED), LATE_DATA),                  \
        ROW(st, DATA_GAP, WITH(OWNED), IN(ACK, GAP_, a, 10), OUT(AN_ACK(0)), NEXT(st),                                 \
            CITE(R9293, "Segments with higher beginning sequence numbers SHOULD be held for later processing")),       \
        ROW(st, DATA_GAP, WITH(ORPHAN), IN(ACK, GAP_, a, 10), OUT(A_RST(a)), NEXT(CLOSED), LATE_DATA),                 \
        ROW(st, DATA_OVERLAP, WITH(OWNED), IN(ACK, -5, a, 15), OUT(AN_ACK_SOON(10)), NEXT(st), HEARS(READABLE),        \
            CITE(R9293, "only the new parts are processed")),                                                          \
        ROW(st, DATA_OVERLAP, WITH(ORPHAN), IN(ACK, -5, a, 15), OUT(A_RST(a)), NEXT(CLOSED), LATE_DATA),               \
        ROW(st, URGENT, WITH(OWNED), .in = {.flags = ACK | URG, .ack = a, .len = 10, .urg = 10}, OUT(AN_ACK_SOON(10)), \
            NEXT(st), HEARS(READABLE | URGENT_DATA),                                                                   \
            CITE(R9293, "signal the user that the remote side has urgent data")),                                      \
        ROW(st, URGENT, WITH(ORPHAN), .in = {.flags = ACK | URG, .ack = a, .len = 10, .urg = 10}, OUT(A_RST(a)),       \
            NEXT(CLOSED), LATE_DATA),                                                                                  \
        ROW(st, FIN_GAP, IN(FIN | ACK, GAP_, a, 0), OUT(AN_ACK(0)), NEXT(st),                                          \
            CITE(R9293, "further processing is done in SEG.SEQ order")),                                               \
        ROW(st, CALL_RECEIVE, WITH(OWNED), RETURNS(-EAGAIN), NEXT(st),                                                 \
            CITE("RFC 9293 3.6", "RECEIVEs are allowed in this state")),                                               \
        ROW(st, CALL_RECEIVE_QUEUED, WITH(OWNED | UNREAD), RETURNS(10), NEXT(st),                                      \
            CITE("RFC 9293 3.10.3", "Reassemble queued incoming segments into receive buffer and return to user")),    \
        ROW(st, CALL_CLOSE, WITH(OWNED), RETURNS(0), NEXT(st), SECOND_CLOSE),                                          \
        ROW(st, CALL_CLOSE_UNREAD, WITH(OWNED | UNREAD), RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED), UNREAD_LOST),        \
        ROW(st, CALL_SHUTDOWN, WITH(OWNED), RETURNS(0), NEXT(st), SECOND_CLOSE),                                       \
        ROW(st, CALL_ABORT, WITH(OWNED), RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED),                                      \
            CITE("RFC 9293 3.10.5", "<SEQ=SND.NXT><CTL=RST>"))

/* CLOSING, LAST-ACK and TIME-WAIT: both sides have closed. */
#define BOTH_CLOSED_CALLS(st)                                                                                          \
    ROW(st, CALL_RECEIVE, WITH(OWNED), RETURNS(0), NEXT(st), NO_MORE_DATA),                                            \
        ROW(st, CALL_RECEIVE_QUEUED, WITH(OWNED | UNREAD), RETURNS(10), NEXT(st),                                      \
            CITE("RFC 9293 3.6", "Users must keep reading connections they close for sending")),                       \
        ROW(st, CALL_CLOSE, WITH(OWNED), RETURNS(0), NEXT(st), RESPOND_CLOSING),                                       \
        ROW(st, CALL_SHUTDOWN, WITH(OWNED), RETURNS(0), NEXT(st), RESPOND_CLOSING),                                    \
        ROW(st, CALL_ABORT, WITH(OWNED), RETURNS(0), NEXT(CLOSED),                                                     \
            CITE("RFC 9293 3.10.5", "Respond with \"ok\" and delete the TCB, enter CLOSED state"))

/* TIME-WAIT */
#define TW_ANSWERED(event, f, s, a, l)                                                                                 \
    ROW(TIME_WAIT, event, IN(f, s, a, l), OUT(AN_ACK(0)), NEXT(TIME_WAIT),                                             \
        CITE(R9293, "After sending the acknowledgment, drop the unacceptable segment and return"))
#define TW_RST(event, f, s)                                                                                            \
    ROW(TIME_WAIT, event, IN(f, s, 0, 0), NEXT(TIME_WAIT), .wait_2msl = TW_KEPT,                                       \
        CITE("RFC 1337 3", "Ignore RST segments in TIME-WAIT state"))
#define TW_NEW_SYN(event, s)                                                                                           \
    ROW(TIME_WAIT, event, WITH(ORPHAN | LISTENER), IN(SYN, s, 0, 0), OUT(SENT(SYN | ACK, ANY, (s) + 1, 0, -1)),        \
        NEXT(REQUEST), CITE("RFC 9293 3.6.1", "it MAY accept a new SYN from the remote TCP endpoint to reopen"))

const struct table_row rows_closing[] = {
    SYNCHRONIZED_ROWS(FIN_WAIT_1),
    RESET_ROWS(FIN_WAIT_1, -ECONNRESET),
    FIN_WAIT_ROWS(FIN_WAIT_1, -6),
    CLOSED_BY_USER_ROWS(FIN_WAIT_1, "FIN-WAIT-1"),
    FIN_OUTSTANDING_TIMERS(FIN_WAIT_1),
    ROW(FIN_WAIT_1, ACK_NEW, IN(ACK, 0, 0, 0), NEXT(FIN_WAIT_2),
        CITE(R9293, "if the FIN segment is now acknowledged, then enter FIN-WAIT-2")),
    ROW(FIN_WAIT_1, ACK_NEW, IN(ACK, 0, -1, 0), NEXT(FIN_WAIT_1),
        CITE(R9293, "if the FIN segment is now acknowledged, then enter FIN-WAIT-2")),
    ROW(FIN_WAIT_1, DATA, WITH(OWNED), IN(ACK | PSH, 0, 0, 10), OUT(AN_ACK_SOON(10)), NEXT(FIN_WAIT_2), HEARS(READABLE),
        CITE(R9293, "then enter FIN-WAIT-2 and continue processing in that state")),
    ROW(FIN_WAIT_1, FIN_PLAIN, IN(FIN | ACK, 0, -6, 0), OUT(AN_ACK(1)), NEXT(CLOSING), HEARS(READABLE | PEER_CLOSED),
        CITE(R9293, "enter TIME-WAIT, start the time-wait timer, turn off the other timers; otherwise")),
    ROW(FIN_WAIT_1, FIN_PLAIN, IN(FIN | ACK, 0, -1, 0), OUT(AN_ACK(1)), NEXT(CLOSING), HEARS(READABLE | PEER_CLOSED),
        CITE(R9293, "otherwise, enter the CLOSING state")),
    /* three segments instead of four (3.3.2, note 2) */
    ROW(FIN_WAIT_1, FIN_ACKS_ALL, IN(FIN | ACK, 0, 0, 0), OUT(AN_ACK(1)), NEXT(TIME_WAIT),
        HEARS(READABLE | PEER_CLOSED), MAY_HEAR(OVER),
        CITE(R9293, "If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT")),
    ROW(FIN_WAIT_1, FIN_ACKS_ALL, WITH(OWNED), IN(FIN | ACK, 0, 0, 10), OUT(AN_ACK(11)), NEXT(TIME_WAIT),
        HEARS(READABLE | PEER_CLOSED), MAY_HEAR(OVER),
        CITE(R9293, "If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT")),
    ROW(FIN_WAIT_1, TIMEOUT_DELAYED_ACK, WITH(OWNED), IN(ACK, 0, -6, 10), WAIT(499), OUT(SENT(ACK, 0, 10, 0, SOON)),
        NEXT(FIN_WAIT_1), HEARS(READABLE), CITE("RFC 9293 3.8.6.3", "the delay MUST be less than 0.5 seconds")),
    NEVER(FIN_WAIT_1, TIMEOUT_FIN_WAIT_2, ONLY_FIN_WAIT_2),

    SYNCHRONIZED_ROWS(FIN_WAIT_2),
    RESET_ROWS(FIN_WAIT_2, -ECONNRESET),
    FIN_WAIT_ROWS(FIN_WAIT_2, 0),
    CLOSED_BY_USER_ROWS(FIN_WAIT_2, "FIN-WAIT-2"),
    NEVER(FIN_WAIT_2, ACK_NEW, "all that was sent is acknowledged: no acknowledgment can be new"),
    ROW(FIN_WAIT_2, FIN_PLAIN, IN(FIN | ACK, 0, -16, 0), OUT(AN_ACK(1)), NEXT(TIME_WAIT), HEARS(READABLE | PEER_CLOSED),
        MAY_HEAR(OVER), CITE(R9293, "Enter the TIME-WAIT state. Start the time-wait timer")),
    ROW(FIN_WAIT_2, FIN_ACKS_ALL, IN(FIN | ACK, 0, 0, 0), OUT(AN_ACK(1)), NEXT(TIME_WAIT),
        HEARS(READABLE | PEER_CLOSED), MAY_HEAR(OVER),
        CITE(R9293, "Enter the TIME-WAIT state. Start the time-wait timer")),
    ROW(FIN_WAIT_2, TIMEOUT_USER, WITH(OWNED | USER_TIMEOUT), WAIT(600000), NEXT(FIN_WAIT_2),
        CITE("RFC 9293 3.9.1.1", "If data is not successfully delivered to the destination within the timeout")),
    ROW(FIN_WAIT_2, TIMEOUT_R2, WITH(OWNED), WAIT(600000), NEXT(FIN_WAIT_2),
        CITE("RFC 9293 3.10.4", "if the retransmission queue is empty")),
    ROW(FIN_WAIT_2, TIMEOUT_RETRANSMISSION, WAIT(19000), NEXT(FIN_WAIT_2),
        CITE(R9293, "if the retransmission queue is empty")),
    NEVER(FIN_WAIT_2, TIMEOUT_TIME_WAIT, ONLY_TIME_WAIT),
    NEVER(FIN_WAIT_2, TIMEOUT_WINDOW_PROBE, "our FIN is acknowledged: there is nothing to send"),
    ROW(FIN_WAIT_2, TIMEOUT_KEEPALIVE, WITH(OWNED | KEEPALIVE), WAIT(26000), HOLDS(24990),
        OUT(SENT(ACK, -1, 0, 0, 10000), SENT(ACK, -1, 0, 0, 15000), SENT(ACK, -1, 0, 0, 20000),
            MAYBE_A_LAST_RST(25000)),
        NEXT(CLOSED), HEARS(OVER), ERROR(-ETIMEDOUT), ALIVE),
    ROW(FIN_WAIT_2, TIMEOUT_DELAYED_ACK, WITH(OWNED), IN(ACK, 0, 0, 10), WAIT(499), OUT(SENT(ACK, 0, 10, 0, SOON)),
        NEXT(FIN_WAIT_2), HEARS(READABLE), CITE("RFC 9293 3.8.6.3", "the delay MUST be less than 0.5 seconds")),
    ROW(FIN_WAIT_2, TIMEOUT_FIN_WAIT_2, WITH(ORPHAN), WAIT(20100), HOLDS(19990), NEXT(CLOSED),
        CITE("RFC 9293 3.9.1.4", "connections may remain in the closing state for a short time")),
    ROW(FIN_WAIT_2, TIMEOUT_FIN_WAIT_2, WITH(OWNED), WAIT(600000), NEXT(FIN_WAIT_2),
        CITE("RFC 9293 3.6", "The user who CLOSEs may continue to RECEIVE")),

    SYNCHRONIZED_ROWS(CLOSING),
    RESET_ROWS(CLOSING, 0),
    AFTER_FIN_ROWS(CLOSING),
    BOTH_CLOSED_CALLS(CLOSING),
    CLOSED_BY_USER_ROWS(CLOSING, "CLOSING"),
    FIN_OUTSTANDING_TIMERS(CLOSING),
    ROW(CLOSING, ACK_NEW, IN(ACK, 0, 0, 0), NEXT(TIME_WAIT), MAY_HEAR(OVER),
        CITE(R9293, "if the ACK acknowledges our FIN, then enter the TIME-WAIT state")),
    ROW(CLOSING, ACK_NEW, IN(ACK, 0, -1, 0), NEXT(CLOSING), CITE(R9293, "otherwise, ignore the segment")),
    /* its FIN again lies before the window, so that its ACK does not count (but see appendix A.2) */
    UNACCEPTABLE(CLOSING, FIN_ACKS_ALL, FIN | ACK, -1, 0, 0),
    ROW(CLOSING, CALL_CLOSE_UNREAD, WITH(OWNED | UNREAD), RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED), UNREAD_LOST),
    NEVER(CLOSING, TIMEOUT_DELAYED_ACK, NO_DELAY),
    NEVER(CLOSING, TIMEOUT_FIN_WAIT_2, ONLY_FIN_WAIT_2),

    SYNCHRONIZED_ROWS(LAST_ACK),
    RESET_ROWS(LAST_ACK, 0),
    AFTER_FIN_ROWS(LAST_ACK),
    BOTH_CLOSED_CALLS(LAST_ACK),
    CLOSED_BY_USER_ROWS(LAST_ACK, "LAST-ACK"),
    FIN_OUTSTANDING_TIMERS(LAST_ACK),
    ROW(LAST_ACK, ACK_NEW, IN(ACK, 0, 0, 0), NEXT(CLOSED), HEARS(OVER),
        CITE(R9293, "If our FIN is now acknowledged, delete the TCB, enter the CLOSED state")),
    ROW(LAST_ACK, ACK_NEW, IN(ACK, 0, -1, 0), NEXT(LAST_ACK),
        CITE(R9293, "The only thing that can arrive in this state is an acknowledgment of our FIN")),
    UNACCEPTABLE(LAST_ACK, FIN_ACKS_ALL, FIN | ACK, -1, 0, 0),
    ROW(LAST_ACK, CALL_CLOSE_UNREAD, WITH(OWNED | UNREAD), RETURNS(0), OUT(AN_ABORT), NEXT(CLOSED), UNREAD_LOST),
    NEVER(LAST_ACK, TIMEOUT_DELAYED_ACK, NO_DELAY),
    NEVER(LAST_ACK, TIMEOUT_FIN_WAIT_2, ONLY_FIN_WAIT_2),

    /* a SYN that could begin a new incarnation, and nobody who listens: RFC 5961's answer */
    TW_ANSWERED(SYN_IN_WINDOW, SYN, GAP_, 0, 0),
    TW_ANSWERED(SYN_OLD, SYN, -5000, 0, 0),
    TW_ANSWERED(SYN_BEYOND, SYN, BEYOND_, 0, 0),
    TW_NEW_SYN(SYN_IN_WINDOW, GAP_),
    TW_NEW_SYN(SYN_BEYOND, BEYOND_),
    ROW(TIME_WAIT, SYN_OLD, WITH(LISTENER), IN(SYN, -5000, 0, 0), OUT(AN_ACK(0)), NEXT(TIME_WAIT),
        CITE("RFC 9293 3.6.1", "returns to TIME-WAIT state if the SYN turns out to be an old duplicate")),
    ROW(TIME_WAIT, SYN_OLD, WITH(ORPHAN | LISTENER | TIMESTAMPS), .in = {.flags = SYN, .seq = -5000, .tsval = 1000},
        OUT(SENT(SYN | ACK, ANY, -4999, 0, -1)), NEXT(REQUEST),
        CITE("RFC 6191 2", "is greater than the last timestamp seen on the previous incarnation")),
    ROW(TIME_WAIT, SYN_OLD, WITH(LISTENER | TIMESTAMPS), .in = {.flags = SYN, .seq = -5000, .tsval = -1000},
        OUT(AN_ACK(0)), NEXT(TIME_WAIT),
        CITE("RFC 9293 3.5.2", "must be responded to with an empty acknowledgment segment")),
    TW_ANSWERED(SYN_ACK, SYN | ACK, 0, 0, 0),
    TW_ANSWERED(SYN_ACK_OLD, SYN | ACK, -5000, 0, 0),
    TW_ANSWERED(SYN_ACK_BEYOND, SYN | ACK, BEYOND_, 0, 0),
    NEVER(TIME_WAIT, ACK_NEW, "all that was sent is acknowledged: no acknowledgment can be new"),
    ROW(TIME_WAIT, ACK_DUPLICATE, IN(ACK, 0, -16, 0), NEXT(TIME_WAIT),
        CITE(R9293, "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored")),
    ROW(TIME_WAIT, ACK_DUPLICATE, IN(ACK, 0, 0, 0), NEXT(TIME_WAIT),
        CITE(R9293, "The only thing that can arrive in this state is a retransmission of the remote")),
    /* MAX.SND.WND is not kept in TIME-WAIT: nothing can be injected any more */
    ROW(TIME_WAIT, ACK_TOO_OLD, IN(ACK, 0, TOO_OLD_, 0), OUT(MAYBE_AN_ACK), NEXT(TIME_WAIT),
        CITE(R9293, "doesn't satisfy the above condition MUST be discarded and an ACK sent")),
    TW_ANSWERED(ACK_UNSENT, ACK, 0, 1, 0),
    TW_ANSWERED(ACK_SEQ_OLD, ACK, -1, 0, 0),
    TW_ANSWERED(ACK_SEQ_BEYOND, ACK, BEYOND_, 0, 0),
    AFTER_FIN_ROWS(TIME_WAIT),
    TW_ANSWERED(DATA_OLD, ACK, -10, 0, 9),
    TW_ANSWERED(DATA_BEYOND, ACK, BEYOND_, 0, 10),
    WITHOUT_ACK(TIME_WAIT, DATA_NO_ACK, PSH, 10),
    TW_ANSWERED(DATA_ACK_UNSENT, ACK, 0, 1000, 10),
    /* the peer's FIN again: our last ACK was lost */
    ROW(TIME_WAIT, FIN_ACKS_ALL, IN(FIN | ACK, -1, 0, 0), OUT(AN_ACK(0)), NEXT(TIME_WAIT), .wait_2msl = TW_RESTARTED,
        CITE(R9293, "Acknowledge it, and restart the 2 MSL timeout")),
    ROW(TIME_WAIT, FIN_OLD, IN(FIN | ACK, -1, -1, 0), OUT(AN_ACK(0)), NEXT(TIME_WAIT), .wait_2msl = TW_RESTARTED,
        CITE(R9293, "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout")),
    ROW(TIME_WAIT, FIN_OLD, IN(FIN | ACK, -11, 0, 10), OUT(AN_ACK(0)), NEXT(TIME_WAIT), .wait_2msl = TW_RESTARTED,
        CITE(R9293, "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout")),
    TW_ANSWERED(FIN_BEYOND, FIN | ACK, BEYOND_, 0, 0),
    WITHOUT_ACK(TIME_WAIT, FIN_NO_ACK, FIN, 0),
    TW_RST(RST_EXACT, RST, 0),
    TW_RST(RST_GAP, RST, GAP_),
    TW_RST(RST_OLD, RST, -1),
    TW_RST(RST_BEYOND, RST, BEYOND_),
    TW_RST(RST_WITH_ACK, RST | ACK, 0),
    WITHOUT_ACK(TIME_WAIT, NO_FLAGS, 0, 0),
    BOTH_CLOSED_CALLS(TIME_WAIT),
    CLOSED_BY_USER_ROWS(TIME_WAIT, "TIME-WAIT"),
    ROW(TIME_WAIT, CALL_CLOSE_UNREAD, WITH(OWNED | UNREAD), RETURNS(0), NEXT(TIME_WAIT),
        CITE("RFC 9293 3.6.1", "it MUST linger in the TIME-WAIT state for a time 2xMSL")),
    ROW(TIME_WAIT, TIMEOUT_USER, WITH(USER_TIMEOUT), WAIT(59900), NEXT(TIME_WAIT), MAY_HEAR(OVER),
        CITE("RFC 9293 3.6.1", "it MUST linger in the TIME-WAIT state for a time 2xMSL")),
    NEVER(TIME_WAIT, TIMEOUT_R2, "all that was sent is acknowledged"),
    ROW(TIME_WAIT, TIMEOUT_RETRANSMISSION, WAIT(59900), NEXT(TIME_WAIT), MAY_HEAR(OVER),
        CITE(R9293, "Start the time-wait timer, turn off the other timers")),
    ROW(TIME_WAIT, TIMEOUT_TIME_WAIT, WAIT(60100), HOLDS(59990), NEXT(CLOSED), MAY_HEAR(OVER),
        CITE("RFC 9293 3.10.8", "If the time-wait timeout expires on a connection, delete the TCB")),
    NEVER(TIME_WAIT, TIMEOUT_WINDOW_PROBE, "all that was sent is acknowledged"),
    ROW(TIME_WAIT, TIMEOUT_KEEPALIVE, WITH(OWNED | KEEPALIVE), WAIT(59900), NEXT(TIME_WAIT), MAY_HEAR(OVER),
        CITE(R9293, "Start the time-wait timer, turn off the other timers")),
    NEVER(TIME_WAIT, TIMEOUT_DELAYED_ACK, NO_DELAY),
    NEVER(TIME_WAIT, TIMEOUT_FIN_WAIT_2, ONLY_FIN_WAIT_2),
};
const size_t rows_closing_count = sizeof rows_closing / sizeof rows_closing[0];
