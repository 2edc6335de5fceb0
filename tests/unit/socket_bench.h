/* A program's calls on a socket in a given state, made to Beckon or to the kernel: so that what the kernel answers can be written down, and both be
 * held against it.
 *
 * Side 0 is the socket that is looked at, side 1 its peer. Everything is non-blocking.
 */
#ifndef TESTS_SOCKET_BENCH_H
#define TESTS_SOCKET_BENCH_H

#include "sockets_pair.h"

enum bench_state {
    STATE_FRESH,
    STATE_BOUND,
    STATE_LISTENING,
    STATE_CONNECTING, /* SYN sent, no answer yet */
    STATE_REFUSED,    /* answered by RST; nobody has been told */
    STATE_CONNECTED,  /* connect has said so */
    STATE_READABLE,   /* connected, three octets wait */
    STATE_PEER_SHUT,  /* the peer has closed its sending side */
    STATE_READ_SHUT,  /* shutdown(SHUT_RD) */
    STATE_WRITE_SHUT, /* shutdown(SHUT_WR), acknowledged */
    STATE_BOTH_SHUT,  /* both sides have shut down */
    STATE_RESET,      /* the peer has reset the connection; nobody has been told */
    STATE_RESET_TOLD, /* and a call has said so */
    STATES
};

enum bench_call {
    CALL_BIND, /* to another port */
    CALL_LISTEN,
    CALL_ACCEPT,
    CALL_CONNECT,   /* to the peer's listener */
    CALL_UNCONNECT, /* connect to AF_UNSPEC */
    CALL_READ,
    CALL_PEEK,
    CALL_OOB,       /* recv(MSG_OOB) */
    CALL_READ_NONE, /* of no octets */
    CALL_ERRQUEUE,
    CALL_WRITE,
    CALL_WRITE_NONE,
    CALL_SHUT_READ,
    CALL_SHUT_WRITE,
    CALL_SHUT_BOTH,
    CALL_PEER_NAME,
    CALL_SO_ERROR, /* the error that it tells, negative */
    CALL_INQ,
    CALL_OUTQ,
    CALL_AT_MARK,
    CALL_POLL,  /* what it tells of everything */
    CALL_STATE, /* tcpi_state */
    CALLS
};

struct bench {
    bool kernel;
    struct sockets_pair p; /* Beckon's */
    int listener;          /* side 1's, not of the socket that is looked at */
    int fd, peer;          /* -1: none */
    int extra[4], extras;  /* to be closed at the end */
};

extern const char *const bench_state_name[STATES];
extern const char *const bench_call_name[CALLS];

/* Brings a socket into a state. */
void bench_open(struct bench *b, bool kernel, enum bench_state state);
/* What the call answers: a result, or a negative errno. */
int bench_do(struct bench *b, enum bench_call call);
void bench_close(struct bench *b);

/* Single calls, by side: results, or negative errno values. */
int bench_recv(struct bench *b, int side, int fd, char *data, size_t size, int flags);
int bench_send(struct bench *b, int side, int fd, const char *text, int flags);
int bench_shutdown(struct bench *b, int side, int fd, int how);
int bench_set(struct bench *b, int side, int fd, int option, const void *value, socklen_t length); /* of SOL_SOCKET */
/* Of side 0's sockets: an ioctl's value, poll's bits. */
int bench_ioctl(struct bench *b, int fd, unsigned long request);
int bench_poll(struct bench *b, int fd);
/* Lets what is under way arrive. */
void bench_settle(struct bench *b);
/* Whether the kernel's loopback can be used. */
bool bench_has_kernel(void);

#endif
