/* Calls: begun, tried, woken, finished. See call.h and beckon/socket.h. */
#include "posix/call.h"

#include <fcntl.h>

#include "posix/message.h"
#include "posix/pipe.h"
#include "posix/poller.h"
#include "posix/receive.h"
#include "posix/send.h"
#include "posix/sock_calls.h"

#define VECTOR_MAX 1024u /* UIO_MAXIOV */

/* ---- memory ---------------------------------------------------------------------------------------- */

int span_of(const struct bk_sockets *s, const struct iovec *iov, size_t count, int too_many, struct span *out) {
    *out = (struct span){iov, count, 0};
    if (count > VECTOR_MAX) return too_many;
    if (!memory_good(s, iov, count * sizeof *iov, false)) return -EFAULT;
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > SIZE_MAX / 2 - out->total) return -EINVAL;
        out->total += iov[i].iov_len;
    }
    return 0;
}

void *span_at(const struct span *span, size_t at, size_t *length) {
    for (size_t i = 0; i < span->count; i++) {
        if (at < span->iov[i].iov_len) {
            *length = span->iov[i].iov_len - at;
            return (uint8_t *)span->iov[i].iov_base + at;
        }
        at -= span->iov[i].iov_len;
    }
    *length = 0;
    return NULL;
}

/* ---- waiting --------------------------------------------------------------------------------------- */

bool step_may_wait(const struct step *p, int flags) {
    return !p->at_once && !(flags & MSG_DONTWAIT) && !(p->file->flags & O_NONBLOCK);
}

int64_t step_wait(struct step *p, struct bk_file *file, uint32_t events, uint64_t timeout, int error) {
    if (p->at_once) return error;
    if (p->call->progress.until == 0) p->call->progress.until = timeout == BK_NEVER ? BK_NEVER : p->now + timeout;
    if (p->now >= p->call->progress.until) return error;
    if (call_reserve(p->call, 1) != 0) return -ENOMEM;
    call_wait(p->call, 0, file, events, p->call->sys == BK_SYS_ACCEPT);
    return STEP_WAITS;
}

/* ---- the calls ------------------------------------------------------------------------------------- */

static int64_t read_file(struct step *p, const struct span *to) {
    switch ((enum file_kind)p->file->kind) {
    case FILE_SOCKET:
        return receive_step(p, to, 0, NULL);
    case FILE_PIPE_READ:
        return pipe_read_step(p, to);
    case FILE_BYTES:
        return bytes_read_step(p, to);
    case FILE_PIPE_WRITE:
        return -EBADF;
    case FILE_POLLER:
        break;
    }
    return -EINVAL;
}

static int64_t write_file(struct step *p, const struct span *from) {
    switch ((enum file_kind)p->file->kind) {
    case FILE_SOCKET:
        return send_step(p, from, 0, NULL);
    case FILE_PIPE_WRITE:
        return pipe_write_step(p, from);
    case FILE_PIPE_READ:
    case FILE_BYTES:
        return -EBADF;
    case FILE_POLLER:
        break;
    }
    return -EINVAL;
}

static int64_t recv_step(struct step *p) {
    const struct bk_syscall *c = p->call;
    struct iovec iov = {c->receive.data, c->receive.size};
    struct span to = {&iov, 1, c->receive.size};
    int64_t r = receive_step(p, &to, c->receive.flags, NULL);
    /* A stream names no sender. */
    if (r >= 0 && c->receive.address != NULL) {
        if (!memory_good(p->s, c->receive.length, sizeof *c->receive.length, true)) return -EFAULT;
        *c->receive.length = 0;
    }
    return r;
}

static int64_t recvmsg_step(struct step *p) {
    struct msghdr *msg = p->call->message.msg;
    struct span to;
    if (!memory_good(p->s, msg, sizeof *msg, true)) return -EFAULT;
    int error = span_of(p->s, msg->msg_iov, msg->msg_iovlen, -EMSGSIZE, &to);
    if (error != 0) return error;
    struct msghdr work = *msg;
    work.msg_flags = 0;
    int64_t r = receive_step(p, &to, p->call->message.flags, &work);
    if (r < 0) return r;
    msg->msg_namelen = p->call->message.flags & MSG_ERRQUEUE ? work.msg_namelen : 0; /* a stream names no sender */
    msg->msg_flags = work.msg_flags;
    msg->msg_controllen -= work.msg_controllen;
    return r;
}

static int64_t send_to_step(struct step *p) {
    const struct bk_syscall *c = p->call;
    struct iovec iov = {(void *)(uintptr_t)c->send.data, c->send.size};
    struct span from = {&iov, 1, c->send.size};
    if (c->send.address != NULL) { /* a stream does not look at it */
        if (c->send.length > sizeof(struct sockaddr_storage)) return -EINVAL;
        if (!memory_good(p->s, c->send.address, c->send.length, false)) return -EFAULT;
    }
    return send_step(p, &from, c->send.flags, NULL);
}

static int64_t sendmsg_step(struct step *p) {
    const struct msghdr *msg = p->call->message.msg;
    struct span from;
    if (!memory_good(p->s, msg, sizeof *msg, false)) return -EFAULT;
    int error = span_of(p->s, msg->msg_iov, msg->msg_iovlen, -EMSGSIZE, &from);
    return error != 0 ? error : send_step(p, &from, p->call->message.flags, msg);
}

static int64_t vector_step(struct step *p, bool writes) {
    struct span span;
    if (p->call->vector.count < 0) return -EINVAL;
    int error = span_of(p->s, p->call->vector.iov, (size_t)p->call->vector.count, -EINVAL, &span);
    if (error != 0) return error;
    return writes ? write_file(p, &span) : read_file(p, &span);
}

static int64_t step(struct step *p) {
    const struct bk_syscall *c = p->call;
    struct iovec iov;
    struct span span;
    switch (c->sys) {
    case BK_SYS_READ:
        iov = (struct iovec){c->receive.data, c->receive.size};
        span = (struct span){&iov, 1, c->receive.size};
        return read_file(p, &span);
    case BK_SYS_WRITE:
        iov = (struct iovec){(void *)(uintptr_t)c->send.data, c->send.size};
        span = (struct span){&iov, 1, c->send.size};
        return write_file(p, &span);
    case BK_SYS_READV:
        return vector_step(p, false);
    case BK_SYS_WRITEV:
        return vector_step(p, true);
    case BK_SYS_POLL:
        return poll_step(p);
    case BK_SYS_EPOLL_WAIT:
        return poller_wait_step(p);
    case BK_SYS_SENDFILE:
        return sendfile_step(p);
    case BK_SYS_SPLICE:
        return splice_step(p);
    case BK_SYS_CLOSE:
        return p->file->kind == FILE_SOCKET ? linger_step(p) : 0;
    case BK_SYS_ACCEPT:
    case BK_SYS_CONNECT:
    case BK_SYS_RECV:
    case BK_SYS_RECVMSG:
    case BK_SYS_SEND:
    case BK_SYS_SENDMSG:
        break;
    default:
        return -ENOSYS;
    }
    if (p->file->kind != FILE_SOCKET) return -ENOTSOCK;
    switch (c->sys) {
    case BK_SYS_ACCEPT:
        return accept_step(p);
    case BK_SYS_CONNECT:
        return connect_step(p);
    case BK_SYS_RECV:
        return recv_step(p);
    case BK_SYS_RECVMSG:
        return recvmsg_step(p);
    case BK_SYS_SEND:
        return send_to_step(p);
    default:
        return sendmsg_step(p);
    }
}

/* ---- begin, go on, end ----------------------------------------------------------------------------- */

/* Finds what the call is about, and holds it. 0 or -EBADF. */
static int begin(struct bk_sockets *s, struct bk_syscall *call) {
    struct bk_file *file = NULL;
    call->progress.stage = 1;
    if (call->sys == BK_SYS_POLL) return 0;
    if (call->sys == BK_SYS_CLOSE) {
        file = descriptor_take(s, call->fd); /* the number is free at once; the call has the reference now */
        if (file == NULL) return -EBADF;
    } else {
        file = descriptor_file(s, call->fd);
        if (file == NULL) return -EBADF;
        file_ref(file);
    }
    call->progress.file = file;
    return 0;
}

static void finish(struct bk_sockets *s, struct bk_syscall *call, int64_t result, uint64_t now) {
    struct bk_file *file = call->progress.file;
    call_leave(s, call);
    free(call->progress.waits);
    memset(&call->progress, 0, sizeof call->progress);
    call->result = result;
    call->due = BK_NEVER;
    if (file != NULL) file_unref(s, file, now);
}

static bool try_call(struct bk_sockets *s, struct bk_syscall *call, uint64_t now, bool at_once) {
    if (call->progress.stage == 0) {
        int error = begin(s, call);
        if (error != 0) {
            finish(s, call, error, now);
            return true;
        }
    }
    call_leave(s, call);
    struct step p = {s, call, call->progress.file, now, at_once};
    int64_t r = step(&p);
    if (r == STEP_WAITS) {
        call->due = call->progress.until;
        return false;
    }
    finish(s, call, r, now);
    return true;
}

bool bk_syscall_try(struct bk_sockets *s, struct bk_syscall *call, uint64_t now) {
    return try_call(s, call, now, false);
}

void bk_syscall_interrupt(struct bk_sockets *s, struct bk_syscall *call, uint64_t now) {
    if (call->progress.stage == 0) return;
    /* What this one was woken for is another's now. */
    bool pass_on = call->sys == BK_SYS_ACCEPT && call->progress.file->waits != NULL;
    struct bk_file *file = call->progress.file;
    if (pass_on) file_ref(file);
    int64_t result = call->progress.done != 0 ? (int64_t)call->progress.done : -EINTR;
    if (call->sys == BK_SYS_CLOSE) result = 0;
    finish(s, call, result, now);
    if (!pass_on) return;
    file_wake(s, file, POLLIN | POLLRDNORM);
    file_unref(s, file, now);
}

/* ---- the same, at once ----------------------------------------------------------------------------- */

static int64_t once(struct bk_sockets *s, struct bk_syscall *call, uint64_t now) {
    (void)try_call(s, call, now, true);
    return call->result;
}

int bk_accept4(struct bk_sockets *s, int fd, struct sockaddr *address, socklen_t *length, int flags, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_ACCEPT, .fd = fd, .accept = {address, length, flags}};
    return (int)once(s, &c, now);
}

int bk_connect(struct bk_sockets *s, int fd, const struct sockaddr *address, socklen_t length, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_CONNECT, .fd = fd, .connect = {address, length}};
    return (int)once(s, &c, now);
}

ssize_t bk_read(struct bk_sockets *s, int fd, void *data, size_t size, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_READ, .fd = fd, .receive = {.data = data, .size = size}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_readv(struct bk_sockets *s, int fd, const struct iovec *iov, int count, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_READV, .fd = fd, .vector = {iov, count}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_recv(struct bk_sockets *s, int fd, void *data, size_t size, int flags, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_RECV, .fd = fd, .receive = {.data = data, .size = size, .flags = flags}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_recvfrom(struct bk_sockets *s, int fd, void *data, size_t size, int flags, struct sockaddr *address,
                    socklen_t *length, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_RECV, .fd = fd, .receive = {data, size, flags, address, length}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_recvmsg(struct bk_sockets *s, int fd, struct msghdr *msg, int flags, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_RECVMSG, .fd = fd, .message = {msg, flags}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_write(struct bk_sockets *s, int fd, const void *data, size_t size, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_WRITE, .fd = fd, .send = {.data = data, .size = size}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_writev(struct bk_sockets *s, int fd, const struct iovec *iov, int count, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_WRITEV, .fd = fd, .vector = {iov, count}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_send(struct bk_sockets *s, int fd, const void *data, size_t size, int flags, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_SEND, .fd = fd, .send = {.data = data, .size = size, .flags = flags}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_sendto(struct bk_sockets *s, int fd, const void *data, size_t size, int flags,
                  const struct sockaddr *address, socklen_t length, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_SEND, .fd = fd, .send = {data, size, flags, address, length}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_sendmsg(struct bk_sockets *s, int fd, const struct msghdr *msg, int flags, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_SENDMSG, .fd = fd, .message = {(struct msghdr *)(uintptr_t)msg, flags}};
    return (ssize_t)once(s, &c, now);
}

int bk_poll(struct bk_sockets *s, struct pollfd *fds, nfds_t count, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_POLL, .poll = {fds, count, 0}};
    return (int)once(s, &c, now);
}

int bk_epoll_wait(struct bk_sockets *s, int epoll, struct epoll_event *events, int count, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_EPOLL_WAIT, .fd = epoll, .epoll = {events, count, 0}};
    return (int)once(s, &c, now);
}

ssize_t bk_sendfile(struct bk_sockets *s, int out, int in, off_t *offset, size_t count, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_SENDFILE, .fd = out, .file = {in, offset, count}};
    return (ssize_t)once(s, &c, now);
}

ssize_t bk_splice(struct bk_sockets *s, int in, int out, size_t count, unsigned flags, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_SPLICE, .fd = in, .splice = {out, count, flags}};
    return (ssize_t)once(s, &c, now);
}

int bk_close(struct bk_sockets *s, int fd, uint64_t now) {
    struct bk_syscall c = {.sys = BK_SYS_CLOSE, .fd = fd};
    return (int)once(s, &c, now);
}
