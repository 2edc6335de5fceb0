/* The error queue, and what leads to its entries: completion of MSG_ZEROCOPY, times of sending (SO_TIMESTAMPING), ICMP errors (IP_RECVERR).
 *
 * A send that is to be told of leaves a mark with the sequence number after its last octet. The mark waits among those not yet sent, then
 * among those not yet acknowledged. The stack says with BK_READY_PROGRESS that SND.NXT or SND.UNA moved; bk_sockets_pump then
 * compares, and the time of the pump, which follows each drive of the stack, is the time that is reported.
 */
#ifndef POSIX_REPORT_H
#define POSIX_REPORT_H

#include "posix/call.h"
#include "posix/sock.h"

#define REPORTS_MAX 1024u /* entries of one error queue, and marks of one socket */

/* What one send is to be told of. */
struct report_wish {
    bool zerocopy;
    uint32_t stamping; /* SOF_TIMESTAMPING_TX_ bits */
};
/* A send with this wish may go on: 0, or -ENOBUFS. */
int report_admit(const struct sock *sock, const struct report_wish *wish);
/* It has queued its octets; the last one is before `end`. */
void report_sent(struct bk_sockets *s, struct sock *sock, const struct report_wish *wish, uint32_t end, uint64_t now);
/* News of the connection. */
void report_hear(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_look *look, uint32_t what, uint64_t now);
/* The stack was told of a trouble with one of the connection's segments. */
void report_icmp(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_error *e);
/* recvmsg with MSG_ERRQUEUE. */
int64_t report_receive(struct bk_sockets *s, struct sock *sock, const struct span *to, struct msghdr *msg);
/* When the octet that was read last arrived, for SOF_TIMESTAMPING_RX_SOFTWARE. */
void report_arrival_control(struct bk_sockets *s, struct sock *sock, const struct bk_tcp_look *look,
                            struct msghdr *msg);
/* The connection goes: zero-copy sends are complete, times will not be known. */
void report_drop_marks(struct bk_sockets *s, struct sock *sock);
/* What ICMP errors left goes. */
void report_drop_icmp(struct sock *sock);
void report_drop_all(struct sock *sock);

#endif
