/* write, send, sendmsg of sockets. */
#ifndef POSIX_SEND_H
#define POSIX_SEND_H

#include "posix/call.h"
#include "posix/sock.h"

int64_t send_step(struct step *p, const struct span *from, int flags, const struct msghdr *msg);
/* TCP_NOTSENT_LOWAT: whether so little is unsent that more may be queued; or, with `wake`, that a writer is to be woken (half of it). */
bool send_unsent_is_low(const struct bk_sockets *s, const struct sock *sock, const struct bk_tcp_look *look, bool wake);
uint32_t send_low_water(const struct bk_sockets *s, const struct sock *sock);

#endif
