/* Rows that hold for every synchronized state alike, as RFC 9293 lists the states together: unacceptable sequence numbers, RST,
 * SYN, and the acknowledgment's range. */
#ifndef TESTS_STATE_ROWS_COMMON_H
#define TESTS_STATE_ROWS_COMMON_H

#include "state_table.h"

#define UNACCEPTABLE(st, event, f, s, a, l)                                                                            \
    ROW(st, event, IN(f, s, a, l), OUT(AN_ACK(0)), NEXT(st),                                                           \
        CITE(R9293, "If an incoming segment is not acceptable, an acknowledgment should be sent in reply"))
#define CHALLENGED_SYN(st, event, f, s)                                                                                \
    ROW(st, event, IN(f, s, 0, 0), OUT(AN_ACK(0)), NEXT(st),                                                           \
        CITE(R9293, "irrespective of the sequence number, TCP endpoints MUST send"))
#define WITHOUT_ACK(st, event, f, l)                                                                                   \
    ROW(st, event, IN(f, 0, 0, l), NEXT(st), CITE(R9293, "if the ACK bit is off, drop the segment and return"))
#define RST_IGNORED(st, event, s)                                                                                      \
    ROW(st, event, IN(RST, s, 0, 0), NEXT(st),                                                                         \
        CITE(R9293, "the sequence number is outside the current receive window, silently drop the segment"))
/* RFC 5961 5.2, as RFC 9293 has it */
#define BAD_ACK_RANGE(st, event, f, a, l)                                                                              \
    ROW(st, event, IN(f, 0, a, l), OUT(AN_ACK(0)), NEXT(st),                                                           \
        CITE(R9293, "doesn't satisfy the above condition MUST be discarded and an ACK sent"))
#define OLD_ACK_IGNORED(st)                                                                                            \
    ROW(st, ACK_DUPLICATE, IN(ACK, 0, -16, 0), NEXT(st),                                                               \
        CITE(R9293, "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored"))

/* All synchronized states but TIME-WAIT, in which a SYN and a RST mean something else. */
#define SYNCHRONIZED_ROWS(st)                                                                                          \
    CHALLENGED_SYN(st, SYN_IN_WINDOW, SYN, GAP_), CHALLENGED_SYN(st, SYN_IN_WINDOW, SYN, 0),                           \
        CHALLENGED_SYN(st, SYN_OLD, SYN, -5000), CHALLENGED_SYN(st, SYN_BEYOND, SYN, BEYOND_),                         \
        CHALLENGED_SYN(st, SYN_ACK, SYN | ACK, 0), CHALLENGED_SYN(st, SYN_ACK_OLD, SYN | ACK, -5000),                  \
        CHALLENGED_SYN(st, SYN_ACK_BEYOND, SYN | ACK, BEYOND_), OLD_ACK_IGNORED(st),                                   \
        BAD_ACK_RANGE(st, ACK_TOO_OLD, ACK, TOO_OLD_, 0), BAD_ACK_RANGE(st, ACK_UNSENT, ACK, 1, 0),                    \
        UNACCEPTABLE(st, ACK_SEQ_OLD, ACK, -1, 0, 0), UNACCEPTABLE(st, ACK_SEQ_BEYOND, ACK, BEYOND_, 0, 0),            \
        UNACCEPTABLE(st, DATA_OLD, ACK, -10, 0, 10), UNACCEPTABLE(st, DATA_BEYOND, ACK, BEYOND_, 0, 10),               \
        WITHOUT_ACK(st, DATA_NO_ACK, PSH, 10), BAD_ACK_RANGE(st, DATA_ACK_UNSENT, ACK, 1000, 10),                      \
        UNACCEPTABLE(st, FIN_OLD, FIN | ACK, -1, 0, 0), UNACCEPTABLE(st, FIN_BEYOND, FIN | ACK, BEYOND_, 0, 0),        \
        WITHOUT_ACK(st, FIN_NO_ACK, FIN, 0), WITHOUT_ACK(st, NO_FLAGS, 0, 0), RST_IGNORED(st, RST_OLD, -1),            \
        RST_IGNORED(st, RST_BEYOND, BEYOND_),                                                                          \
        ROW(st, RST_GAP, IN(RST, GAP_, 0, 0), OUT(AN_ACK(0)), NEXT(st),                                                \
            CITE(R9293, "TCP endpoints MUST send an acknowledgment (challenge ACK)"))

/* The states in which a RST is news to the user, and those in which it only ends the waiting. */
#define RESET_ROWS(st, err)                                                                                            \
    ROW(st, RST_EXACT, IN(RST, 0, 0, 0), NEXT(CLOSED), HEARS(OVER), ERROR(err),                                        \
        CITE(R9293, "exactly matches the next expected sequence number (RCV.NXT), then TCP endpoints MUST")),          \
        ROW(st, RST_WITH_ACK, IN(RST | ACK, 0, 0, 0), NEXT(CLOSED), HEARS(OVER), ERROR(err),                           \
            CITE(R9293, "If the RST bit is set, then"))

/* After the peer's FIN: whatever claims to follow it is ignored. An ACK in return does no harm. */
#define AFTER_FIN_ROWS(st)                                                                                             \
    ROW(st, DATA, IN(ACK | PSH, 0, -16, 10), OUT(MAYBE_AN_ACK), NEXT(st),                                              \
        CITE(R9293, "This should not occur since a FIN has been received from the remote")),                           \
        ROW(st, DATA_GAP, IN(ACK, GAP_, -16, 10), OUT(MAYBE_AN_ACK), NEXT(st),                                         \
            CITE(R9293, "Ignore the segment text")),                                                                   \
        ROW(st, DATA_OVERLAP, IN(ACK, -5, -16, 15), OUT(MAYBE_AN_ACK), NEXT(st),                                       \
            CITE(R9293, "Ignore the segment text")),                                                                   \
        ROW(st, URGENT, .in = {.flags = ACK | URG, .ack = -16, .len = 10, .urg = 10}, OUT(MAYBE_AN_ACK), NEXT(st),     \
            CITE(R9293, "Ignore the URG")),                                                                            \
        ROW(st, FIN_PLAIN, IN(FIN | ACK, 0, -16, 0), OUT(MAYBE_AN_ACK), NEXT(st),                                      \
            CITE(R9293, "This should not occur since a FIN has been received from the remote")),                       \
        ROW(st, FIN_GAP, IN(FIN | ACK, GAP_, -16, 0), OUT(MAYBE_AN_ACK), NEXT(st),                                     \
            CITE(R9293, "This should not occur since a FIN has been received from the remote"))

#define EXISTS CITE("RFC 9293 3.10.1", "Return \"error: connection already exists\"")
#define OPEN_ROWS(st)                                                                                                  \
    ROW(st, CALL_OPEN_ACTIVE, RETURNS(-EADDRINUSE), NEXT(st), EXISTS),                                                 \
        ROW(st, CALL_OPEN_PASSIVE, RETURNS(0), NEXT(st),                                                               \
            CITE("RFC 9293 3.9.1.1", "it MUST NOT affect any previously created connection record"))

#define UNREAD_LOST     CITE("RFC 9293 3.6.1", "its TCP implementation SHOULD send a RST to show that data was lost")
#define RETRANSMIT      CITE("RFC 9293 3.10.8", "send the segment at the front of the retransmission queue again")
#define BY_USER_TIMEOUT CITE("RFC 9293 3.10.8", "error: connection aborted due to user timeout")
#define BY_R2           CITE("RFC 9293 3.8.3", "reaches a threshold R2 greater than R1, close the connection")
#define PROBE           CITE("RFC 9293 3.8.6.1", "when a zero window has existed for the retransmission timeout period")
#define ONLY_IDLE       CITE("RFC 9293 3.8.4", "Keep-alive packets MUST only be sent when no sent data is outstanding")
#define ALIVE           CITE("RFC 9293 3.8.4", "Such a segment generally contains SEG.SEQ = SND.NXT-1")
#define NO_DELAY        "no data is accepted in this state, and a FIN is acknowledged at once"
#define ONLY_TIME_WAIT  "the timer runs in TIME-WAIT only"
#define ONLY_FIN_WAIT_2 "the timer runs in FIN-WAIT-2 only"

#endif
