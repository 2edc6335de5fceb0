/* Control messages of recvmsg and sendmsg. While recvmsg works, it has a copy of the program's msghdr in which msg_control and
 * msg_controllen are what is left of the program's memory. */
#ifndef POSIX_MESSAGE_H
#define POSIX_MESSAGE_H

#include "posix/file.h"

/* Puts one. If it does not fit whole, MSG_CTRUNC. */
void message_put_control(const struct bk_sockets *s, struct msghdr *msg, int level, int type, const void *data,
                         size_t size);
/* What sendmsg was given: *stamping is left alone unless SO_TIMESTAMPING is there. 0, -EFAULT, -EINVAL. */
int message_read_control(const struct bk_sockets *s, const struct msghdr *msg, uint32_t *stamping);

#endif
