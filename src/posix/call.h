/* One step of a call: each operation is written once, as a function of a struct step that either answers or says what it waits for. */
#ifndef POSIX_CALL_H
#define POSIX_CALL_H

#include "posix/file.h"

struct step {
    struct bk_sockets *s;
    struct bk_syscall *call;
    struct bk_file *file; /* of call->fd */
    uint64_t now;
    bool at_once; /* one of the plain functions: it does not wait, whatever the descriptor says */
};

#define STEP_WAITS INT64_MIN /* not an answer: the call stands in line */

/* The call has to wait for `events` of `file`, no longer than `timeout` after it first waited (BK_NEVER: as long as it takes). Returns
 * STEP_WAITS, or `error` if it may not wait (any more). */
int64_t step_wait(struct step *p, struct bk_file *file, uint32_t events, uint64_t timeout, int error);
/* Whether the call may wait at all. */
bool step_may_wait(const struct step *p, int flags);

/* The memory of a read or write, as one run of bytes. */
struct span {
    const struct iovec *iov;
    size_t count, total;
};
/* Checks a vector of the program's. 0, -EFAULT, -EINVAL, or `too_many`. */
int span_of(const struct bk_sockets *s, const struct iovec *iov, size_t count, int too_many, struct span *out);
/* The memory from offset `at` on that lies in one piece; *length is how much. */
void *span_at(const struct span *span, size_t at, size_t *length);

#endif
