/* What setsockopt and getsockopt share. */
#ifndef POSIX_OPTIONS_H
#define POSIX_OPTIONS_H

#include "posix/sock.h"

#include <netinet/tcp.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* older headers do not have it */
#endif

#define OPTION_NAME_MAX 16u /* TCP_CA_NAME_MAX */
/* As Linux names them, in the order of enum bk_congestion. */
extern const char *const option_congestion_name[BK_CONGESTIONS];

/* Whether the stack charges its own bookkeeping to this buffer, so that it is the double of SO_SNDBUF or SO_RCVBUF that holds. */
bool option_charges_overhead(const struct bk_sockets *s, enum bk_tcp_option option);
/* So many times for a SYN-ACK, one after the other, in whole seconds (TCP_DEFER_ACCEPT). */
uint32_t option_defer_seconds(const struct bk_sockets *s, uint32_t times);

#endif
