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
    R(SEND_SYN_COOKIE, BK_SENT, "RFC 4987 3.6", "", "SYN-ACK with a cookie: nothing is kept")                          \
    R(SEND_HANDSHAKE_ACK, BK_SENT, "RFC 9293 3.10.7.3", "", "ACK completes the three-way handshake")                   \
    R(SEND_DATA, BK_SENT, "RFC 9293 3.10.2", "", "data that the user sent")                                            \
    R(SEND_DATA_LAST, BK_SENT, "RFC 9293 3.10.4", "", "last data, with our FIN")                                       \
    R(SEND_DATA_OVERRIDE, BK_SENT, "RFC 9293 3.8.6.2.1", "", "small data after the SWS override time")                 \
    R(SEND_FIN, BK_SENT, "RFC 9293 3.10.4", "", "FIN: the user has closed")                                            \
    R(SEND_RTO, BK_SENT, "RFC 6298 5.4", "", "retransmission: the RTO expired")                                        \
    R(SEND_FAST_RETRANSMIT, BK_SENT, "RFC 5681 3.2", "", "fast retransmit: three duplicate ACKs")                      \
    R(SEND_RACK, BK_SENT, "RFC 8985 6.2", "", "retransmission: what was sent later has arrived (RACK)")                \
    R(SEND_TAIL_PROBE, BK_SENT, "RFC 8985 7.3", "", "tail loss probe: no ACK within the PTO")                          \
    R(SEND_PARTIAL_ACK, BK_SENT, "RFC 6582 3.2", "", "retransmission: a partial ACK shows the next hole")              \
    R(SEND_FIN_AGAIN, BK_SENT, "RFC 6298 5.4", "", "FIN again: no ACK within the RTO")                                 \
    R(SEND_LIMITED_TRANSMIT, BK_SENT, "RFC 3042", "", "new data on a duplicate ACK (limited transmit)")                \
    R(SEND_MTU_PROBE, BK_SENT, "RFC 4821 7.5", "", "a segment larger than others: does the path take it?")             \
    R(SEND_MTU_PROBE_AGAIN, BK_SENT, "RFC 4821 7.6.2", "", "data of such a segment again, which did not arrive")       \
    R(SEND_SMALLER, BK_SENT, "RFC 1191 6.4", "", "retransmission in smaller segments: the path's MTU shrank")          \
    R(SEND_WINDOW_PROBE, BK_SENT, "RFC 9293 3.8.6.1", "", "probe of a zero window")                                    \
    R(SEND_KEEPALIVE, BK_SENT, "RFC 9293 3.8.4", "", "keep-alive probe")                                               \
    R(SEND_ACK_NOW, BK_SENT, "RFC 9293 3.8.6.3", "", "ACK: two full segments, or one that may not wait")               \
    R(SEND_ACK_DELAYED, BK_SENT, "RFC 9293 3.8.6.3", "", "ACK: the delayed-ACK time is over")                          \
    R(SEND_ACK_PUSHED, BK_SENT, "RFC 9293 3.8.6.3", "", "ACK: the peer pushed, and the user has read all of it")       \
    R(SEND_ACK_OUT_OF_ORDER, BK_SENT, "RFC 5681 4.2", "", "duplicate ACK: a gap before this segment")                  \
    R(SEND_ACK_COMPRESSED, BK_SENT, "RFC 5681 4.2", "",                                                                \
      "ACK for several segments behind a gap, which is known already")                                                 \
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
    R(SEND_ACK_CE, BK_SENT, "RFC 3168 6.1.3", "", "ACK at once: a segment met congestion")                             \
    R(SEND_ACK_CWR, BK_SENT, "RFC 3168 6.1.3", "", "ACK at once: the peer has reduced its window")                     \
    R(SEND_RST_ORPHANS, BK_SENT, "", "tcpOutRsts", "RST: closed, but too many are left without their users")           \
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
    R(ACCEPT_ACK_DEFERRED, BK_ACCEPTED, "", "", "ACK of our SYN: its listener waits for text")                         \
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
    R(DROP_CHALLENGE_LIMIT, BK_DROPPED, "RFC 5961 7", "", "would be challenged, but the limit is reached")             \
    R(DROP_SYN_BACKLOG, BK_DROPPED, "RFC 4987 3", "", "SYN, but the request table is full and cookies are off")        \
    R(DROP_ACCEPT_QUEUE, BK_DROPPED, "", "", "handshake done, but the backlog is full")                                \
    R(DROP_NO_CONNECTION, BK_DROPPED, "", "", "no room for another connection")                                        \
    R(DROP_NO_BUFFER, BK_DROPPED, "", "", "data, but the buffer budget is spent")                                      \
    R(DROP_NO_ACTIVE, BK_DROPPED, "", "", "data, but no active record is free")                                        \
    R(DROP_OUT_OF_ORDER_LIMIT, BK_DROPPED, "", "", "data after a gap, but too much of it is kept already")             \
    R(DROP_BROADCAST, BK_DROPPED, "RFC 9293 3.9.2.3", "", "TCP to a broadcast or multicast address")                   \
    R(DROP_BAD_SOURCE, BK_DROPPED, "RFC 9293 3.9.2.3", "", "TCP from a broadcast, multicast or unspecified address")   \
    R(DROP_BAD_PORT, BK_DROPPED, "", "tcpInErrs", "port 0")                                                            \
    R(DROP_TCP_SHORT, BK_DROPPED, "RFC 9293 3.1", "tcpInErrs", "shorter than a TCP header")                            \
    R(DROP_TCP_OFFSET, BK_DROPPED, "RFC 9293 3.1", "tcpInErrs", "TCP data offset below 5 or past the end")             \
    R(DROP_TCP_CHECKSUM, BK_DROPPED, "RFC 9293 3.1", "tcpInErrs", "TCP checksum")                                      \
    R(DROP_TCP_UNFINISHED, BK_DROPPED, "RFC 9293 3.1", "tcpInErrs",                                                    \
      "TCP checksum that the sender left to a device, which did not finish it")                                        \
    R(DROP_TCP_OPTION, BK_DROPPED, "RFC 9293 3.1", "tcpInErrs", "TCP option of impossible length")                     \
    /* other frames */                                                                                                 \
    R(ACCEPT_ARP, BK_ACCEPTED, "RFC 826", "", "ARP that concerns us")                                                  \
    R(ACCEPT_ICMP_ERROR, BK_ACCEPTED, "RFC 9293 3.9.2.2", "", "ICMP error for one of our segments")                    \
    R(ACCEPT_ICMP_HELD, BK_ACCEPTED, "RFC 5927 7.2", "",                                                               \
      "a smaller MTU claimed, which awaits the segment's timeout: larger packets have arrived")                        \
    R(ACCEPT_ECHO, BK_ANSWERED, "RFC 792", "", "echo request")                                                         \
    R(ACCEPT_NEIGHBOR_SOLICITATION, BK_ANSWERED, "RFC 4861 7.2.3", "", "neighbour solicitation for us")                \
    R(ACCEPT_NEIGHBOR_ADVERTISEMENT, BK_ACCEPTED, "RFC 4861 7.2.5", "", "neighbour advertisement")                     \
    R(ACCEPT_ROUTER_ADVERTISEMENT, BK_ACCEPTED, "RFC 4861 6.3.4", "", "router advertisement")                          \
    R(ACCEPT_DAD_CONFLICT, BK_ACCEPTED, "RFC 4862 5.4.3", "", "another node has our tentative address")                \
    R(ACCEPT_MLD_QUERY, BK_ANSWERED, "RFC 3810 6.2", "", "multicast listener query")                                   \
    R(ACCEPT_FRAGMENT, BK_ACCEPTED, "RFC 791 3.2", "", "fragment, kept")                                               \
    R(ANSWER_PORT_UNREACHABLE, BK_ANSWERED, "RFC 1122 4.1.3.1", "", "UDP to a port where nobody is")                   \
    R(ANSWER_PROTOCOL, BK_ANSWERED, "RFC 1122 3.2.2.1", "", "transport protocol not spoken here")                      \
    R(DROP_ETHERNET_SHORT, BK_DROPPED, "", "", "shorter than an Ethernet header")                                      \
    R(DROP_ETHERNET_ADDRESS, BK_DROPPED, "", "", "Ethernet frame for another station")                                 \
    R(DROP_ETHERTYPE, BK_DROPPED, "", "", "Ethernet type not spoken here")                                             \
    R(DROP_ARP_BAD, BK_DROPPED, "RFC 826", "", "malformed ARP")                                                        \
    R(DROP_ARP_STRANGER, BK_DROPPED, "RFC 826", "", "ARP between others: the cache does not learn from it")            \
    R(DROP_IP_SHORT, BK_DROPPED, "RFC 791 3.1", "", "shorter than an IP header")                                       \
    R(DROP_IP_VERSION, BK_DROPPED, "RFC 791 3.1", "", "IP version")                                                    \
    R(DROP_IP_LENGTH, BK_DROPPED, "RFC 791 3.1", "", "IP length inconsistent with header or frame")                    \
    R(DROP_IP_CHECKSUM, BK_DROPPED, "RFC 791 3.1", "", "IP header checksum")                                           \
    R(DROP_IP_SOURCE, BK_DROPPED, "RFC 1122 3.2.1.3", "", "IP source address impossible")                              \
    R(DROP_IP_DESTINATION, BK_DROPPED, "RFC 1122 3.2.1.3", "", "IP destination is not ours")                           \
    R(DROP_IP_OPTION, BK_DROPPED, "RFC 791 3.1", "", "IP option of impossible length")                                 \
    R(DROP_IP_EXTENSION, BK_DROPPED, "RFC 8200 4", "", "IPv6 extension header malformed or not allowed")               \
    R(DROP_IP_PROTOCOL, BK_DROPPED, "", "", "transport protocol not spoken here")                                      \
    R(DROP_FRAGMENT_BAD, BK_DROPPED, "RFC 1858", "", "fragment too small, too long or impossible")                     \
    R(DROP_FRAGMENT_OVERLAP, BK_DROPPED, "RFC 5722", "", "fragments overlap: the datagram is given up")                \
    R(DROP_FRAGMENT_LIMIT, BK_DROPPED, "", "", "no room for more fragments")                                           \
    R(DROP_OTHER_STACK, BK_DROPPED, "", "", "a datagram from fragments that another stack of the group takes")         \
    R(DROP_ICMP_BAD, BK_DROPPED, "RFC 792", "", "malformed ICMP")                                                      \
    R(DROP_ICMP_UNRELATED, BK_DROPPED, "RFC 5927 4", "", "ICMP error for nothing that we have outstanding")            \
    R(DROP_ICMP_NOT_LESS, BK_DROPPED, "RFC 8201 4", "", "an MTU that our segments fit into, or that is not asked for") \
    R(DROP_ICMP_TYPE, BK_DROPPED, "", "", "ICMP type not acted upon")                                                  \
    R(DROP_ICMP_LIMIT, BK_DROPPED, "RFC 4443 2.4", "", "ICMP answer withheld: rate limit")                             \
    R(DROP_ND_BAD, BK_DROPPED, "RFC 4861 7.1", "", "malformed or off-link neighbour discovery")                        \
    R(DROP_ND_STRANGER, BK_DROPPED, "RFC 4861 7.2.5", "", "neighbour discovery that does not concern us")              \
    R(DROP_UDP_BAD, BK_DROPPED, "RFC 768", "", "malformed UDP")                                                        \
    R(DROP_UNRESOLVED, BK_DROPPED, "RFC 4861 7.2.2", "", "next hop unresolved: replaced by a newer packet")            \
    R(DROP_NO_NEIGHBOUR, BK_DROPPED, "", "", "next hop does not answer")                                               \
    R(DROP_NO_ROUTE, BK_DROPPED, "", "", "no route to the destination")                                                \
    R(DROP_IFACE, BK_DROPPED, "", "", "no such interface")                                                             \
    R(DROP_OFFLOAD_SHORT, BK_DROPPED, "", "", "shorter than the header that the device puts before a frame")           \
    R(DROP_OFFLOAD_TYPE, BK_DROPPED, "", "", "the device merged what nobody asked it to merge")                        \
    R(DROP_OFFLOAD_SIZE, BK_DROPPED, "", "", "the device tells an impossible size of a merged frame")                  \
    R(DROP_OFFLOAD_CHECKSUM, BK_DROPPED, "", "", "the device puts the checksum beyond the frame")                      \
    R(NO_CHUNK, BK_DROPPED, "", "", "no free chunk for an arriving frame")                                             \
    /* bounds that were hit, and other facts worth a count */                                                          \
    R(NOTE_COALESCED, BK_NOTED, "", "", "a frame joined the one before it on the way in")                              \
    R(NOTE_NO_FRAME, BK_NOTED, "", "", "a unit waited: no output frame was free")                                      \
    R(NOTE_REPLY_LOST, BK_NOTED, "", "", "an answer was not sent: no output frame was free")                           \
    R(NOTE_SEND_FULL, BK_NOTED, "", "", "the user was told to wait: send buffer full")                                 \
    R(NOTE_BUDGET_FULL, BK_NOTED, "", "", "the user was told to wait: buffer budget spent")                            \
    R(NOTE_OUT_OF_ORDER_PRUNED, BK_NOTED, "", "", "data after a gap given up for what fills the gap: budget spent")    \
    R(NOTE_TIME_WAIT_EVICTED, BK_NOTED, "", "", "oldest TIME-WAIT dropped before its time: pool full")                 \
    R(NOTE_TIME_WAIT_REUSED, BK_NOTED, "RFC 6191", "", "TIME-WAIT ended early by the next incarnation")                \
    R(NOTE_TIME_WAIT_OVER, BK_NOTED, "RFC 9293 3.10.8", "", "2MSL are over")                                           \
    R(NOTE_REQUEST_EVICTED, BK_NOTED, "", "", "request dropped: never completed")                                      \
    R(NOTE_COOKIE_BAD, BK_NOTED, "RFC 4987 3.6", "", "ACK with a cookie that is not ours")                             \
    R(NOTE_PATH_MTU, BK_NOTED, "RFC 1191 6.3", "", "a router's smaller path MTU believed")                             \
    R(NOTE_CLAIM_REFUTED, BK_NOTED, "RFC 5927 7.2", "", "a claimed MTU forgotten: the segment arrived")                \
    R(NOTE_BLACK_HOLE, BK_NOTED, "RFC 4821 7.7", "", "smaller segments: full ones seem to vanish on the path")         \
    R(NOTE_MTU_PROBE_ARRIVED, BK_NOTED, "RFC 4821 7.6.1", "", "a larger segment arrived: others follow")               \
    R(NOTE_MTU_PROBE_LOST, BK_NOTED, "RFC 4821 7.6.2", "", "a larger segment was lost, alone")                         \
    R(NOTE_PATH_EXPIRED, BK_NOTED, "RFC 1191 6.3", "", "a path's MTU forgotten: larger packets are tried again")       \
    R(NOTE_PATH_EVICTED, BK_NOTED, "", "", "the path MTU heard longest ago forgotten before its time: pool full")      \
    R(NOTE_UNDO, BK_NOTED, "RFC 4015", "", "a reduction undone: what seemed lost was late")                            \
    R(NOTE_SACK_INVALID, BK_NOTED, "RFC 2018 5", "", "a SACK block ignored: it names what cannot be SACKed")           \
    R(NOTE_SACK_RENEGED, BK_NOTED, "RFC 2018 8", "", "the peer took back what it had SACKed")                          \
    R(NOTE_SENT_RECORDS, BK_NOTED, "", "", "what is outstanding is known more coarsely: records spent")                \
    R(NOTE_RTO, BK_NOTED, "RFC 6298 5", "", "retransmission timer fired")                                              \
    R(NOTE_TIMEOUT, BK_NOTED, "RFC 9293 3.10.8", "", "connection given up: user timeout or R2")                        \
    R(NOTE_ORPHAN_LIMIT, BK_NOTED, "", "", "CLOSE reset the connection: too many are left without their users")        \
    R(NOTE_ERRORS_FULL, BK_NOTED, "", "", "ICMP error not kept for the user: too many are")                            \
    R(NOTE_FIN_WAIT_2, BK_NOTED, "", "", "FIN-WAIT-2 without owner ended")                                             \
    R(NOTE_KEEPALIVE, BK_NOTED, "RFC 9293 3.8.4", "", "connection given up: keep-alive unanswered")                    \
    R(NOTE_NO_PORT, BK_NOTED, "RFC 6056", "", "no ephemeral port free to that destination")

#define BK_REASON_ENUM(name, verdict, rfc, mib, words) BK_REASON_##name,
enum bk_reason { BK_REASONS(BK_REASON_ENUM) BK_REASON_COUNT };
#undef BK_REASON_ENUM

/* "SEND_SYN". */
BK_API const char *bk_reason_name(uint16_t reason);
/* "SYN of an active open". */
BK_API const char *bk_reason_words(uint16_t reason);
/* "RFC 9293 3.10.1", or "". */
BK_API const char *bk_reason_rfc(uint16_t reason);
/* The MIB counter (RFC 4022) that this reason adds to, or "". */
BK_API const char *bk_reason_mib(uint16_t reason);
BK_API enum bk_verdict bk_reason_verdict(uint16_t reason);
/* "SYN-SENT". */
BK_API const char *bk_state_name(uint8_t state);

enum bk_event_kind {
    BK_EVENT_SEGMENT_OUT = 1,
    BK_EVENT_SEGMENT_IN,
    BK_EVENT_STATE, /* from state_before to state */
    BK_EVENT_CALL,  /* a user call: `call`; len is what it returned, bytes or (without its sign) an error */
    BK_EVENT_HEARD, /* the user was told: `call` holds enum bk_ready_what; len the connection's error, without its sign */
    BK_EVENT_TIMER, /* a timer fired: `reason` says which */
};

enum bk_call {
    BK_CALL_OPEN_PASSIVE = 1,
    BK_CALL_OPEN_ACTIVE,
    BK_CALL_ACCEPT,
    BK_CALL_SEND,
    BK_CALL_RECEIVE,
    BK_CALL_SHUTDOWN,
    BK_CALL_CLOSE,
    BK_CALL_ABORT,
    BK_CALL_UNLISTEN,
};

/* One thing that happened. `state` is the state after it. Ports are as the stack sees them: local, remote. */
struct bk_event {
    uint64_t time;
    uint8_t kind; /* enum bk_event_kind */
    uint8_t call; /* enum bk_call, or readiness bits */
    uint8_t state_before, state;
    uint16_t reason;
    uint8_t tcp_flags; /* FIN 1 SYN 2 RST 4 PSH 8 ACK 16 URG 32 ECE 64 CWR 128 */
    uint8_t iface;
    uint32_t object;      /* index of the connection or request, or BK_NONE */
    uint32_t object_kind; /* 0 none 1 connection 2 request 3 TIME-WAIT 4 listener */
    uint16_t local_port, remote_port;
    uint32_t remote_tag; /* a hash of both addresses: events of one connection share (ports, tag) */
    uint32_t seq, ack, wnd /* bytes, scaled */, len;
    uint32_t tsval, tsecr; /* 0 when absent */
    uint16_t mss;          /* of a SYN; 0 when absent */
    uint8_t wscale;        /* of a SYN; 255 when absent */
    uint8_t family;        /* 4 or 6 */
    uint32_t pad;
};

/* Takes up to n of the oldest events and returns how many. *lost, if not NULL, is how many were overwritten
 * before anyone read them since the last call. */
BK_API size_t bk_trace_read(bk_stack *stack, struct bk_event *events, size_t n, uint64_t *lost);

#ifdef __cplusplus
}
#endif
#endif
