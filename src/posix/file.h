/* Descriptors, what they name, and who waits for it.
 *
 * A descriptor is a number in the table of a struct bk_sockets; it refers to a struct bk_file (Linux's open file description), which lives
 * as long as a descriptor or an unfinished call refers to it. A file knows two kinds of waiters: calls (struct bk_wait, one
 * for each file that a call waits for) and epolls (struct poller_item). file_wake tells both; what is really ready is asked again
 * (file_poll) by whoever was woken, so a wake that was not needed costs a look and does no harm.
 *
 * A wait leaves the file's list when it is woken. Exclusive waits (accept) are woken one at a time.
 */
#ifndef POSIX_FILE_H
#define POSIX_FILE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* Linux's own constants; so this header comes first in each file of the folder */
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "beckon/socket.h"

enum file_kind { FILE_SOCKET, FILE_POLLER, FILE_PIPE_READ, FILE_PIPE_WRITE, FILE_BYTES };

struct poller_item;

struct bk_file {
    uint8_t kind; /* enum file_kind */
    uint32_t references;
    int flags; /* O_ACCMODE, O_NONBLOCK */
    struct bk_wait *waits, *waits_tail;
    struct poller_item *items; /* its registrations with epolls */
};

/* Beside poll's bits, for calls only: octets were sent or acknowledged. */
#define EVENT_PROGRESS (1u << 24)

struct bk_wait {
    struct bk_file *file; /* in whose list it stands; NULL: in none */
    struct bk_wait *next, *prev;
    struct bk_syscall *call;
    uint32_t events; /* POLLIN, ... that it waits for */
    bool exclusive;
};

struct descriptor {
    struct bk_file *file; /* NULL: free */
    bool close_on_exec;
};

struct sock_port;
#define PORT_BUCKETS 1024u

struct bk_sockets {
    bk_stack *stack;
    struct bk_sockets_config config;
    int first;
    /* descriptor[i] has the number first + i. A bit of `used` says that it is taken, one of `full` that a word of `used` is all ones. */
    struct descriptor *descriptor;
    uint64_t *used, *full;
    size_t room;
    struct bk_syscall *woken_head, *woken_tail;
    struct sock_port *port[PORT_BUCKETS]; /* port.h */
    uint32_t port_draws;
    uint64_t reports_dropped; /* entries for an error queue that was full */
};

/* A file of `size` bytes, zeroed but for its head; one reference. NULL: no memory. */
struct bk_file *file_new(size_t size, enum file_kind kind, int flags);
void file_ref(struct bk_file *file);
/* Gives up a reference; the last one closes. */
void file_unref(struct bk_sockets *s, struct bk_file *file, uint64_t now);
/* What is ready, as poll's bits. */
uint32_t file_poll(struct bk_sockets *s, struct bk_file *file);
/* Something happened: wakes those who wait for any of `events` (0: for whatever). POLLERR and POLLHUP are waited for by all. */
void file_wake(struct bk_sockets *s, struct bk_file *file, uint32_t events);

/* Gives `file` the lowest free descriptor that is not below `from`, and its reference with it. -EMFILE, -ENOMEM: the reference
 * stays with the caller. */
int descriptor_new(struct bk_sockets *s, struct bk_file *file, int from, bool close_on_exec);
/* The file, or NULL: not open. */
struct bk_file *descriptor_file(const struct bk_sockets *s, int fd);
struct descriptor *descriptor_at(const struct bk_sockets *s, int fd);
/* Takes the file, with the descriptor's reference, out of the table. NULL: not open. */
struct bk_file *descriptor_take(struct bk_sockets *s, int fd);
/* Puts `file` at exactly `fd`, which is free. 0, -EBADF (out of range), -ENOMEM. */
int descriptor_put(struct bk_sockets *s, int fd, struct bk_file *file, bool close_on_exec);

/* Whether [memory, memory + length) may be used so. */
bool memory_good(const struct bk_sockets *s, const void *memory, size_t length, bool write);

/* ---- calls ----------------------------------------------------------------------------------------- */

/* Makes room for so many waits of a call. 0 or -ENOMEM. */
int call_reserve(struct bk_syscall *call, size_t count);
/* Stands in the line of `file`, by its i-th wait. */
void call_wait(struct bk_syscall *call, size_t i, struct bk_file *file, uint32_t events, bool exclusive);
/* Leaves all lines, and that of the woken. */
void call_leave(struct bk_sockets *s, struct bk_syscall *call);

#endif
