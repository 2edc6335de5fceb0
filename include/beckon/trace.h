/* Events and reasons: what happened in a stack, and why.
 *
 * Each frame that a stack sends, accepts, answers or drops gets exactly one reason. Reasons are counted always;
 * when the configuration asks for it (bk_config.trace_events) each segment, state change, user call and
 * timeout also leaves a 64-byte event in a ring inside the region. Whoever wants a ladder diagram, a pcapng
 * comment, an explanation or a counter makes it from these.
 */
#ifndef BECKON_TRACE_H
#define BECKON_TRACE_H

#include "beckon/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a reason says was done with the frame. */
enum bk_verdict { BK_SENT, BK_ACCEPTED, BK_ANSWERED, BK_DROPPED, BK_NOTED };

/* R(NAME, verdict, RFC or "", MIB counter or "", words). The words finish the sentence "sent/accepted/answered/dropped: ...".
 * BK_NOTED are not fates of frames: bounds that were hit, and things that the stack did to itself. */
#define BK_REASONS(R)                                                                                                  \
    R(NONE, BK_NOTED, "", "", "no reason given")                                                                       \
    /* segments sent */                                                                                                \
    R(SEND_SYN, BK_SENT, "RFC 9293 3.10.1", "tcpActiveOpens", "SYN of an active open")                                 \
    R(SEND_SYN_AGAIN, BK_SENT, "RFC 9293 3.10.8", "", "SYN again: no answer within the RTO")                           \
    R(SEND_SYN_ACK, BK_SENT, "RFC 9293 3.10.7.2", "tcpPassiveOpens", "SYN-ACK answers a SYN")                          \
    R(SEND_SYN_ACK_AGAIN, BK_SENT, "RFC 9293 3.10.8", "", "SYN-ACK again: no ACK within the RTO")                      \
    R(SEND_SYN_ACK_DUPLICATE, BK_SENT, "RFC 9293 3.10.7.4", "", "SYN-ACK again: the SYN came again")                   \
    R(SEND_SYN_ACK_SIMULTANEOUS, BK_SENT, "RFC 9293 3.10.7.3", "", "SYN-ACK: both sides opened at once")               \
    R(SEND_SYN_COOKIE, BK_SENT, "RFC 4987 3.6", "", "SYN-ACK with a cookie: the request table is full")                \
    R(SEND_HANDSHAKE_ACK, BK_SENT, "RFC 9293 3.10.7.3", "", "ACK completes the three-way handshake")                   \
    R(SEND_DATA, BK_SENT, "RFC 9293 3.10.2", "", "data that the user sent")                                            \
    R(SEND_DATA_LAST, BK_SENT, "RFC 9293 3.10.4", "", "last data, with our FIN")                                       \
    R(SEND_DATA_OVERRIDE, BK_SENT, "RFC 9293 3.8.6.2.1", "", "small data after the SWS override time")                 \
    R(SEND_FIN, BK_SENT, "RFC 9293 3.10.4", "", "FIN: the user has closed")                                            \
    R(SEND_RTO, BK_SENT, "RFC 6298 5.4", "", "retransmission: the RTO expired")                                        \
    R(SEND_FAST_RETRANSMIT, BK_SENT, "RFC 5681 3.2", "", "fast retransmit: three duplicate ACKs")                      \
    R(SEND_PARTIAL_ACK, BK_SENT, "RFC 6582 3.2", "", "retransmission: a partial ACK shows the next hole")              \
    R(SEND_FIN_AGAIN, BK_SENT, "RFC 6298 5.4", "", "FIN again: no ACK within the RTO")                                 \
    R(SEND_LIMITED_TRANSMIT, BK_SENT, "RFC 3042", "", "new data on a duplicate ACK (limited transmit)")                \
    R(SEND_SMALLER, BK_SENT, "RFC 1191 6.4", "", "retransmission in smaller segments: the path's MTU shrank")          \
    R(SEND_WINDOW_PROBE, BK_SENT, "RFC 9293 3.8.6.1", "", "probe of a zero window")                                    \
    R(SEND_KEEPALIVE, BK_SENT, "RFC 9293 3.8.4", "", "keep-alive probe")                                               \
    R(SEND_ACK_NOW, BK_SENT, "RFC 9293 3.8.6.3", "", "ACK: two full segments, or one that may not wait")               \
    R(SEND_ACK_DELAYED, BK_SENT, "RFC 9293 3.8.6.3", "", "ACK: the delayed-ACK time is over")                          \
    R(SEND_ACK_OUT_OF_ORDER, BK_SENT, "RFC 5681 4.2", "", "duplicate ACK: a gap before this segment")                  \
    R(SEND_ACK_GAP_FILLED, BK_SENT, "RFC 5681 4.2", "", "ACK: a gap was filled")                                       \
    R(SEND_ACK_DUPLICATE, BK_SENT, "RFC 9293 3.10.7.4", "", "ACK: that segment had been received before")              \
    R(SEND_ACK_FIN, BK_SENT, "RFC 9293 3.10.7.4", "", "ACK of the peer's FIN")                                         \
    R(SEND_ACK_UNACCEPTABLE, BK_SENT, "RFC 9293 3.10.7.4", "", "ACK answers an unacceptable segment")                  \
    R(SEND_ACK_PROBE, BK_SENT, "RFC 9293 3.8.6.1", "", "ACK answers a probe of our zero window")                       \
    R(SEND_WINDOW_UPDATE, BK_SENT, "RFC 9293 3.8.6.2.2", "", "ACK opens the window: the user has read")                \
    R(SEND_CHALLENGE_SYN, BK_SENT, "RFC 5961 4.2", "", "challenge ACK: a SYN on a synchronized connection")            \
    R(SEND_CHALLENGE_RST, BK_SENT, "RFC 5961 3.2", "", "challenge ACK: a RST not exactly at RCV.NXT")                  \
    R(SEND_CHALLENGE_ACK, BK_SENT, "RFC 5961 5.2", "", "challenge ACK: SEG.ACK outside what was sent")                 \
    R(SEND_CHALLENGE_PAWS, BK_SENT, "RFC 7323 5.3", "", "ACK: the timestamp is older than the last (PAWS)")            \
    R(SEND_TIME_WAIT_ACK, BK_SENT, "RFC 9293 3.10.7.4", "",                                                            \
      "TIME-WAIT answers the repeated FIN: our last ACK was lost")                                                     \
    R(SEND_TIME_WAIT_CHALLENGE, BK_SENT, "RFC 9293 3.10.7.4", "", "TIME-WAIT answers an unacceptable segment")         \
    R(SEND_RST_CLOSED, BK_SENT, "RFC 9293 3.10.7.1", "tcpOutRsts", "RST: no such connection")                          \
    R(SEND_RST_LISTEN_ACK, BK_SENT, "RFC 9293 3.10.7.2", "tcpOutRsts", "RST: an ACK came to a listener")               \
    R(SEND_RST_SYN_SENT_ACK, BK_SENT, "RFC 9293 3.10.7.3", "tcpOutRsts", "RST: this ACK is not of our SYN")            \
    R(SEND_RST_SYN_RECEIVED_ACK, BK_SENT, "RFC 9293 3.10.7.4", "tcpOutRsts", "RST: this ACK is not of our SYN-ACK")    \
    R(SEND_RST_ABORT, BK_SENT, "RFC 9293 3.10.5", "tcpOutRsts", "RST: the user aborted")                               \
    R(SEND_RST_UNREAD, BK_SENT, "RFC 9293 3.6.1", "tcpOutRsts", "RST: closed with data unread")                        \
    R(SEND_RST_LATE_DATA, BK_SENT, "RFC 9293 3.6.1", "tcpOutRsts", "RST: data came after the user was gone")           \
    R(SEND_RST_TIMEOUT, BK_SENT, "RFC 9293 3.10.8", "tcpOutRsts", "RST: given up after the user timeout or R2")        \
    R(SEND_RST_UNACCEPTED, BK_SENT, "RFC 9293 3.10.4", "tcpOutRsts", "RST: the listener closed before accepting it")   \
    /* other frames sent */                                                                                            \
    R(SEND_ARP_REQUEST, BK_SENT, "RFC 826", "", "ARP request: who has the next hop")                                   \
    R(SEND_ARP_REPLY, BK_SENT, "RFC 826", "", "ARP reply")                                                             \
    R(SEND_ARP_PROBE, BK_SENT, "RFC 5227 2.1", "", "ARP unicast or probe: is the neighbour still there")               \
    R(SEND_NEIGHBOR_SOLICITATION, BK_SENT, "RFC 4861 7.2.2", "", "neighbour solicitation: who has the next hop")       \
    R(SEND_NEIGHBOR_PROBE, BK_SENT, "RFC 4861 7.3.3", "", "neighbour solicitation: is it still there")                 \
    R(SEND_DAD, BK_SENT, "RFC 4862 5.4.2", "", "duplicate address detection")                                          \
    R(SEND_NEIGHBOR_ADVERTISEMENT, BK_SENT, "RFC 4861 7.2.4", "", "neighbour advertisement")                           \
    R(SEND_ROUTER_SOLICITATION, BK_SENT, "RFC 4861 6.3.7", "", "router solicitation")                                  \
    R(SEND_MLD_REPORT, BK_SENT, "RFC 3810 6.1", "", "multicast listener report")                                       \
    R(SEND_ECHO_REPLY, BK_SENT, "RFC 792", "", "echo reply")                                                           \
    R(SEND_UNREACHABLE, BK_SENT, "RFC 1122 3.2.2.1", "", "destination unreachable")                                    \
    R(SEND_PARAMETER_PROBLEM, BK_SENT, "RFC 4443 3.4", "", "parameter problem")                                        \
    /* segments accepted */                                                                                            \
    R(ACCEPT_SYN, BK_ACCEPTED, "RFC 9293 3.10.7.2", "", "SYN to a listener: a request")                                \
    R(ACCEPT_SYN_DUPLICATE, BK_ANSWERED, "RFC 9293 3.10.7.4", "", "the SYN of a known request, again")                 \
    R(ACCEPT_SYN_COOKIE, BK_ANSWERED, "RFC 4987 3.6", "", "SYN answered with a cookie")                                \
    R(ACCEPT_SYN_TIME_WAIT, BK_ACCEPTED, "RFC 6191", "", "SYN ends TIME-WAIT and opens the next incarnation")          \
    R(ACCEPT_SYN_ACK, BK_ACCEPTED, "RFC 9293 3.10.7.3", "", "SYN-ACK of our SYN: established")                         \
    R(ACCEPT_SYN_SIMULTANEOUS, BK_ACCEPTED, "RFC 9293 3.10.7.3", "", "SYN while our SYN is out: simultaneous open")    \
    R(ACCEPT_HANDSHAKE_ACK, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "ACK of our SYN: established")                       \
    R(ACCEPT_COOKIE_ACK, BK_ACCEPTED, "RFC 4987 3.6", "", "ACK with a good cookie: established")                       \
    R(ACCEPT_ACK, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "ACK of new data")                                             \
    R(ACCEPT_ACK_OLD, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "ACK that says nothing new")                               \
    R(ACCEPT_ACK_DUPLICATE, BK_ACCEPTED, "RFC 5681 2", "", "duplicate ACK")                                            \
    R(ACCEPT_WINDOW_UPDATE, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "window update")                                     \
    R(ACCEPT_DATA, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "data in order")                                              \
    R(ACCEPT_DATA_OUT_OF_ORDER, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "data after a gap, kept")                        \
    R(ACCEPT_DATA_OVERLAP, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "data partly known: the new part is taken")           \
    R(ACCEPT_FIN, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "FIN in order: the peer has closed")                           \
    R(ACCEPT_FIN_ACK, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "FIN that also acknowledges ours: straight to TIME-WAIT")  \
    R(ACCEPT_ACK_OF_FIN, BK_ACCEPTED, "RFC 9293 3.10.7.4", "", "ACK of our FIN")                                       \
    R(ACCEPT_RST, BK_ACCEPTED, "RFC 9293 3.10.7.4", "tcpEstabResets", "RST: the connection is gone")                   \
    R(ACCEPT_RST_REFUSED, BK_ACCEPTED, "RFC 9293 3.10.7.3", "tcpAttemptFails", "RST: connection refused")              \
    R(ACCEPT_RST_REQUEST, BK_ACCEPTED, "RFC 9293 3.10.7.4", "tcpAttemptFails", "RST: the request is forgotten")        \
    R(ACCEPT_KEEPALIVE, BK_ANSWERED, "RFC 9293 3.8.4", "", "keep-alive or window probe")                               \
    /* segments answered and not accepted */                                                                           \
    R(ANSWER_DUPLICATE, BK_ANSWERED, "RFC 9293 3.10.7.4", "", "all of it received before: acknowledged again")         \
    R(ANSWER_UNACCEPTABLE, BK_ANSWERED, "RFC 9293 3.10.7.4", "", "outside the receive window")                         \
    R(ANSWER_ZERO_WINDOW, BK_ANSWERED, "RFC 9293 3.8.6.1", "", "data against our zero window")                         \
    R(ANSWER_CHALLENGE_SYN, BK_ANSWERED, "RFC 5961 4.2", "", "SYN on a synchronized connection")                       \
    R(ANSWER_CHALLENGE_RST, BK_ANSWERED, "RFC 5961 3.2", "", "RST in the window, not at RCV.NXT")                      \
    R(ANSWER_CHALLENGE_ACK, BK_ANSWERED, "RFC 5961 5.2", "", "ACK outside what was sent")                              \
    R(ANSWER_PAWS, BK_ANSWERED, "RFC 7323 5.3", "", "timestamp older than the last (PAWS)")                            \
    R(ANSWER_TIME_WAIT_FIN, BK_ANSWERED, "RFC 9293 3.10.7.4", "", "the peer's FIN again: 2MSL starts anew")            \
    R(ANSWER_TIME_WAIT, BK_ANSWERED, "RFC 9293 3.10.7.4", "", "unacceptable in TIME-WAIT")                             \
    R(ANSWER_RST_CLOSED, BK_ANSWERED, "RFC 9293 3.10.7.1", "", "for no known connection")                              \
    R(ANSWER_RST_ACK, BK_ANSWERED, "RFC 9293 3.10.7", "", "ACK of something never sent, in an embryonic state")        \
    R(ANSWER_RST_LATE_DATA, BK_ANSWERED, "RFC 9293 3.6.1", "", "data for a user who is gone")                          \
    /* segments dropped */                                                                                             \
    R(DROP_RST_CLOSED, BK_DROPPED, "RFC 9293 3.10.7.1", "", "RST for no known connection")                             \
    R(DROP_RST_LISTEN, BK_DROPPED, "RFC 9293 3.10.7.2", "", "RST to a listener")                                       \
    R(DROP_RST_OUTSIDE, BK_DROPPED, "RFC 5961 3.2", "", "RST outside the window")                                      \
    R(DROP_RST_SYN_SENT, BK_DROPPED, "RFC 9293 3.10.7.3", "", "RST that does not acknowledge our SYN")                 \
    R(DROP_RST_TIME_WAIT, BK_DROPPED, "RFC 1337", "", "RST does not end TIME-WAIT")                                    \
    R(DROP_NO_FLAGS_LISTEN, BK_DROPPED, "RFC 9293 3.10.7.2", "", "neither SYN, ACK nor RST, to a listener")            \
    R(DROP_SYN_SENT_NO_SYN, BK_DROPPED, "RFC 9293 3.10.7.3", "", "neither SYN nor RST while our SYN is out")           \
    R(DROP_SYN_OTHER, BK_DROPPED, "RFC 9293 3.10.7.4", "", "another SYN during the handshake: back to LISTEN")         \
    R(DROP_NO_ACK, BK_DROPPED, "RFC 9293 3.10.7.4", "", "no ACK bit on a synchronized connection")                     \
    R(DROP_NO_TIMESTAMP, BK_DROPPED, "RFC 7323 3.2", "", "no timestamp on a connection that agreed on them")           \
