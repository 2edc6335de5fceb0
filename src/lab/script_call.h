/* System calls of a script: what its arguments mean, how the call runs, and whether it returned what the script says.
 *
 * A call's kind says how to do each: `begin` reads the arguments and either has the result at once or fills in a struct bk_syscall; `end`
 * compares what the call wrote (addresses, options, messages, events) with what the script has there.
 */
#ifndef LAB_SCRIPT_CALL_H
#define LAB_SCRIPT_CALL_H

#include <stdalign.h>

#include "lab/script_runner.h"

#define SCRIPT_CALL_ROOM 64

/* A call under way. */
struct script_pending {
    const struct script_event *event;
    const struct script_call *spec;
    const struct script_expr *argument[8];
    size_t count;
    uint64_t base;
    bool (*end)(struct script_run *, struct script_pending *);
    bool may_wait; /* syscall is filled in; otherwise `result` is set */
    int64_t result;
    int script_fd; /* the first argument, if it is a descriptor */
    struct bk_syscall syscall;
    /* What the arguments point to; freed with it. */
    struct sockaddr_storage address;
    socklen_t address_length;
    void *data;
    struct iovec iov[SCRIPT_CALL_ROOM];
    size_t iov_count;
    struct msghdr message;
    alignas(struct cmsghdr) uint8_t control[1024];
    struct pollfd poll[SCRIPT_CALL_ROOM];
    struct epoll_event epoll[SCRIPT_CALL_ROOM];
    off_t offset;
};

/* A kind of call. `begin` returns false when the script's arguments are wrong (and script_fail was told). */
struct script_call_kind {
    const char *name;
    size_t least, most; /* arguments */
    bool (*begin)(struct script_run *, struct script_pending *);
    bool (*end)(struct script_run *, struct script_pending *); /* NULL: nothing to compare but the result */
};
/* The kinds, in three tables. NULL: there is none of that name. */
const struct script_call_kind *script_call_kind(const char *name);
const struct script_call_kind *script_call_plain(const char *name);   /* script_call_socket.c */
const struct script_call_kind *script_call_data(const char *name);    /* script_call_data.c */
const struct script_call_kind *script_call_waiting(const char *name); /* script_call_poll.c */

/* ---- the call that waits --------------------------------------------------------------------------- */

uint64_t script_pending_due(const struct script_pending *p);
/* Tries it; when it has finished, compares and forgets it. False: it did not return what the script says. */
bool script_pending_try(struct script_run *r);
/* It has not finished, and nothing else can happen: a failure. */
bool script_pending_stuck(struct script_run *r);
void script_pending_forget(struct script_run *r);

/* ---- arguments ------------------------------------------------------------------------------------- */

/* The value of a number, a name, or several joined by |. */
bool script_value(struct script_run *r, const struct script_expr *e, int64_t *out);
/* A name's value. */
bool script_symbol(const char *name, int64_t *out);
/* A descriptor of the script's as ours. One that was never made is -1, which no call takes. */
bool script_fd(struct script_run *r, const struct script_expr *e, int *out);
/* The field of a structure, or NULL. */
const struct script_expr *script_field_of(const struct script_expr *e, const char *name);
/* A buffer of `size` bytes: zeroes for ..., a string's bytes, NULL for NULL. It is freed with the call. */
bool script_buffer(struct script_run *r, struct script_pending *p, const struct script_expr *e, size_t size,
                   void **out);
/* The address that ... stands for: of this side, or of the other. AF_UNSPEC stands for itself. */
void script_address(const struct script_run *r, bool local, struct sockaddr_storage *out, socklen_t *length);
/* Says what argument is wrong. Returns false. */
bool script_bad_argument(struct script_run *r, const struct script_expr *e, const char *wanted);
/* Compares a number that a call wrote. */
bool script_same_value(struct script_run *r, const char *what, const struct script_expr *expected, int64_t actual);
/* A flags word, as text: only the number if no name is known. */
const char *script_errno_name(int error);

/* script_call_message.c: a struct msghdr from the script's, with buffers, and the comparison afterwards. */
bool script_message(struct script_run *r, struct script_pending *p, const struct script_expr *e, bool receive);
bool script_message_end(struct script_run *r, struct script_pending *p);
bool script_vector(struct script_run *r, struct script_pending *p, const struct script_expr *e);

#endif
