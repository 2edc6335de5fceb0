/* socket, bind, listen, accept, connect, shutdown, close and the names: the life of a socket as its program directs it. */
#ifndef POSIX_SOCK_CALLS_H
#define POSIX_SOCK_CALLS_H

#include "posix/call.h"
#include "posix/sock.h"

int64_t accept_step(struct step *p);
int64_t connect_step(struct step *p);
/* SO_LINGER: the descriptor is gone; whether what is queued must be waited for. */
int64_t linger_step(struct step *p);

#endif
