/* read, recv, recvmsg of sockets. */
#ifndef POSIX_RECEIVE_H
#define POSIX_RECEIVE_H

#include "posix/call.h"
#include "posix/sock.h"

/* What goes with the data: recvmsg has a msghdr, others have none. Answers as the call does. */
int64_t receive_step(struct step *p, const struct span *to, int flags, struct msghdr *msg);
/* For splice: takes up to `size` bytes, without waiting. 0: end of data; -EAGAIN. */
ssize_t receive_some(struct bk_sockets *s, struct sock *sock, void *data, size_t size, uint64_t now);

#endif
