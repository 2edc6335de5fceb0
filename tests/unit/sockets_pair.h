/* Two tables of sockets over two stacks joined in memory (pair.h), in virtual time: what the socket tests run on.
 *
 * Side 0 is the client by habit, side 1 the server, at PAIR_PORT. Time passes in steps of a millisecond; after each the sockets are pumped, and calls that
 * were woken or whose time has come are tried again.
 */
#ifndef TESTS_SOCKETS_PAIR_H
#define TESTS_SOCKETS_PAIR_H

#include <errno.h>
#include <netinet/in.h>

#include "beckon/socket.h"
#include "pair.h"

#define SOCKETS_CALLS 16

struct sockets_pair {
    struct pair pair;
    struct bk_sockets *side[2];
    int family;
    struct bk_syscall *call[2][SOCKETS_CALLS]; /* that wait; NULL: a free place */
};

void sockets_open(struct sockets_pair *p, int family);
void sockets_open_with(struct sockets_pair *p, int family, const struct bk_config *config);
void sockets_close(struct sockets_pair *p);
/* Lets everything happen up to now + ns. */
void sockets_run(struct sockets_pair *p, uint64_t ns);
/* Pumps and tries, without time. */
void sockets_settle(struct sockets_pair *p);
/* Begins a call. True: it has finished; otherwise it is tried again as time passes, and sockets_waits tells. */
bool sockets_begin(struct sockets_pair *p, int side, struct bk_syscall *call);
bool sockets_waits(const struct sockets_pair *p, int side, const struct bk_syscall *call);
/* Begins a call and lets time pass until it has finished, for `ns` at most. Its result; fails the test if it waits on. */
int64_t sockets_do(struct sockets_pair *p, int side, struct bk_syscall *call, uint64_t ns);

/* ---- short ways ------------------------------------------------------------------------------------ */

/* The address of a side, as its family's programs write it. */
socklen_t sockets_address(const struct sockets_pair *p, int side, uint16_t port, struct sockaddr_storage *out);
/* A socket, bound to PAIR_PORT with SO_REUSEADDR, that listens. */
int sockets_listen(struct sockets_pair *p, int side, int backlog);
/* A connection: fd[0] side 0's, fd[1] side 1's, both non-blocking. */
void sockets_connect(struct sockets_pair *p, int listener, int fd[2]);
/* What poll says of `events`. */
int sockets_poll(struct sockets_pair *p, int side, int fd, int events);
int sockets_option(struct sockets_pair *p, int side, int fd, int level, int option);
int sockets_set(struct sockets_pair *p, int side, int fd, int level, int option, int value);

#endif
