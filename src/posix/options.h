/* What setsockopt and getsockopt share. */
#ifndef POSIX_OPTIONS_H
#define POSIX_OPTIONS_H

#include "posix/sock.h"

#define OPTION_NAME_MAX 16u /* TCP_CA_NAME_MAX */
/* As Linux names them, in the order of enum bk_congestion. */
extern const char *const option_congestion_name[BK_CONGESTIONS];

/* Whether the stack charges its own bookkeeping to this buffer, so that it is the double of SO_SNDBUF or SO_RCVBUF that holds. */
bool option_charges_overhead(const struct bk_sockets *s, enum bk_tcp_option option);

#endif
