/* write, send, sendmsg of sockets. */
#ifndef POSIX_SEND_H
#define POSIX_SEND_H

#include "posix/call.h"
#include "posix/sock.h"

int64_t send_step(struct step *p, const struct span *from, int flags, const struct msghdr *msg);

#endif
