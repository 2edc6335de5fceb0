/* TCP_INFO. */
#ifndef POSIX_TCP_INFO_H
#define POSIX_TCP_INFO_H

#include "posix/sock.h"

void tcp_info_fill(struct bk_sockets *s, struct sock *sock, struct bk_socket_tcp_info *info);

#endif
