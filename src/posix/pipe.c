/* Pipes, files of bytes, and the calls that move data between descriptors. See pipe.h. */
#include "posix/pipe.h"

#include <fcntl.h>

#include "posix/receive.h"
#include "posix/send.h"

/* What both ends share; it goes with the second of them. */
struct pipe {
    struct pipe_end *end[2]; /* reading, writing; NULL: closed */
    size_t head, count;      /* in byte[], a ring */
    uint8_t byte[PIPE_BYTES];
};

struct pipe_end {
    struct bk_file file;
    struct pipe *pipe;
};

struct bytes_file {
    struct bk_file file;
    size_t at, length;
    uint8_t byte[];
};

static struct pipe *pipe_of(struct bk_file *file) {
    return ((struct pipe_end *)(void *)file)->pipe;
}
static struct bytes_file *bytes_of(struct bk_file *file) {
    return (struct bytes_file *)(void *)file;
}

/* ---- pipes ----------------------------------------------------------------------------------------- */

int bk_pipe2(struct bk_sockets *s, int fds[2], int flags) {
    if (flags & ~(O_NONBLOCK | O_CLOEXEC)) return -EINVAL;
    if (!memory_good(s, fds, 2 * sizeof fds[0], true)) return -EFAULT;
    struct pipe *pipe = calloc(1, sizeof *pipe);
    struct bk_file *ends[2] = {file_new(sizeof(struct pipe_end), FILE_PIPE_READ, O_RDONLY | (flags & O_NONBLOCK)),
                               file_new(sizeof(struct pipe_end), FILE_PIPE_WRITE, O_WRONLY | (flags & O_NONBLOCK))};
    int error = pipe == NULL || ends[0] == NULL || ends[1] == NULL ? -ENOMEM : 0, fd[2] = {-1, -1};
    for (int i = 0; i < 2 && error == 0; i++) {
        pipe->end[i] = (struct pipe_end *)(void *)ends[i];
        pipe->end[i]->pipe = pipe;
        fd[i] = descriptor_new(s, ends[i], s->first, (flags & O_CLOEXEC) != 0);
        error = fd[i] < 0 ? fd[i] : 0;
    }
    if (error != 0) {
        if (fd[0] >= 0) (void)descriptor_take(s, fd[0]);
        free(ends[0]);
        free(ends[1]);
        free(pipe);
        return error;
    }
    fds[0] = fd[0];
    fds[1] = fd[1];
    return 0;
}

void pipe_release(struct bk_sockets *s, struct bk_file *file) {
    struct pipe *pipe = pipe_of(file);
    int mine = file->kind == FILE_PIPE_WRITE;
    pipe->end[mine] = NULL;
    if (pipe->end[!mine] == NULL)
        free(pipe);
    else
        file_wake(s, &pipe->end[!mine]->file, 0);
}

uint32_t pipe_poll(struct bk_file *file) {
    const struct pipe *pipe = pipe_of(file);
    uint32_t mask = 0;
    if (file->kind == FILE_PIPE_READ) {
        if (pipe->count != 0) mask |= POLLIN | POLLRDNORM;
        if (pipe->end[1] == NULL) mask |= POLLHUP;
    } else {
        if (PIPE_BYTES - pipe->count >= PIPE_ATOMIC) mask |= POLLOUT | POLLWRNORM;
        if (pipe->end[0] == NULL) mask |= POLLERR;
    }
    return mask;
}

int pipe_readable(const struct bk_file *file) {
    return (int)((const struct pipe_end *)(const void *)file)->pipe->count;
}

/* The ring's bytes in one piece: filled ones from the head on, or free ones behind them. */
static uint8_t *ring_filled(struct pipe *pipe, size_t *n) {
    *n = PIPE_BYTES - pipe->head < pipe->count ? PIPE_BYTES - pipe->head : pipe->count;
    return pipe->byte + pipe->head;
}
static uint8_t *ring_free(struct pipe *pipe, size_t *n) {
    size_t tail = (pipe->head + pipe->count) % PIPE_BYTES, room = PIPE_BYTES - pipe->count;
    *n = PIPE_BYTES - tail < room ? PIPE_BYTES - tail : room;
    return pipe->byte + tail;
}
static void ring_took(struct bk_sockets *s, struct pipe *pipe, size_t n) {
    pipe->head = (pipe->head + n) % PIPE_BYTES;
    pipe->count -= n;
    if (n != 0 && pipe->end[1] != NULL) file_wake(s, &pipe->end[1]->file, POLLOUT | POLLWRNORM);
}
static void ring_gave(struct bk_sockets *s, struct pipe *pipe, size_t n) {
    pipe->count += n;
    if (n != 0 && pipe->end[0] != NULL) file_wake(s, &pipe->end[0]->file, POLLIN | POLLRDNORM);
}

int64_t pipe_read_step(struct step *p, const struct span *to) {
    struct pipe *pipe = pipe_of(p->file);
    size_t done = 0;
    if (to->total == 0) return 0;
    while (done < to->total && pipe->count != 0) {
        size_t n, piece;
        void *memory = span_at(to, done, &piece);
        const uint8_t *from = ring_filled(pipe, &n);
        if (piece < n) n = piece;
        if (!memory_good(p->s, memory, n, true)) return done != 0 ? (int64_t)done : -EFAULT;
        memcpy(memory, from, n);
        ring_took(p->s, pipe, n);
        done += n;
    }
    if (done != 0 || pipe->end[1] == NULL) return (int64_t)done;
    return step_may_wait(p, 0) ? step_wait(p, p->file, POLLIN | POLLRDNORM, BK_NEVER, -EAGAIN) : -EAGAIN;
}

int64_t pipe_write_step(struct step *p, const struct span *from) {
    struct pipe *pipe = pipe_of(p->file);
    size_t *done = &p->call->progress.done;
    while (*done < from->total) {
        if (pipe->end[0] == NULL) return *done != 0 ? (int64_t)*done : -EPIPE;
        size_t n, piece;
        const void *memory = span_at(from, *done, &piece);
        bool whole = from->total > PIPE_ATOMIC || PIPE_BYTES - pipe->count >= from->total - *done;
        uint8_t *to = ring_free(pipe, &n);
        if (n == 0 || !whole) {
            if (step_may_wait(p, 0)) return step_wait(p, p->file, POLLOUT | POLLWRNORM, BK_NEVER, -EAGAIN);
            return *done != 0 ? (int64_t)*done : -EAGAIN;
        }
        if (piece < n) n = piece;
        if (!memory_good(p->s, memory, n, false)) return *done != 0 ? (int64_t)*done : -EFAULT;
        memcpy(to, memory, n);
        ring_gave(p->s, pipe, n);
        *done += n;
    }
    return (int64_t)*done;
}

/* ---- files of bytes -------------------------------------------------------------------------------- */

int bk_file_open(struct bk_sockets *s, const void *bytes, size_t length, int flags) {
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & ~(O_ACCMODE | O_NONBLOCK | O_CLOEXEC))) return -EINVAL;
    if (!memory_good(s, bytes, length, false)) return -EFAULT;
    struct bk_file *file = file_new(sizeof(struct bytes_file) + length, FILE_BYTES, flags & O_NONBLOCK);
    if (file == NULL) return -ENOMEM;
    bytes_of(file)->length = length;
    if (length != 0) memcpy(bytes_of(file)->byte, bytes, length);
    int fd = descriptor_new(s, file, s->first, (flags & O_CLOEXEC) != 0);
    if (fd < 0) free(file);
    return fd;
}

int64_t bytes_read_step(struct step *p, const struct span *to) {
    struct bytes_file *f = bytes_of(p->file);
    size_t done = 0;
    while (done < to->total && f->at < f->length) {
        size_t n;
        void *memory = span_at(to, done, &n);
        if (f->length - f->at < n) n = f->length - f->at;
        if (!memory_good(p->s, memory, n, true)) return done != 0 ? (int64_t)done : -EFAULT;
        memcpy(memory, f->byte + f->at, n);
        f->at += n;
        done += n;
    }
    return (int64_t)done;
}

/* ---- sendfile and splice --------------------------------------------------------------------------- */

/* Writes bytes of ours to a socket or a pipe, as write would. They are no memory of the program's, so nobody is asked about
 * them. */
static int64_t write_own(struct step *p, struct bk_file *to, const void *data, size_t n, int flags) {
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
    struct span span = {&iov, 1, n};
    struct step step = *p;
    bool (*accessible)(void *, const void *, size_t, bool) = p->s->config.accessible;
    step.file = to;
    p->s->config.accessible = NULL;
    int64_t r = to->kind == FILE_SOCKET ? send_step(&step, &span, flags, NULL) : pipe_write_step(&step, &span);
    p->s->config.accessible = accessible;
    return r;
}

int64_t sendfile_step(struct step *p) {
    struct bk_file *in = descriptor_file(p->s, p->call->file.in);
    off_t *offset = p->call->file.offset;
    if (in == NULL || in->kind == FILE_PIPE_WRITE) return -EBADF;
    if (p->file->kind != FILE_SOCKET && p->file->kind != FILE_PIPE_WRITE) return -EBADF;
    if (in->kind != FILE_BYTES) return offset != NULL && in->kind != FILE_BYTES ? -ESPIPE : -EINVAL;
    if (offset != NULL && !memory_good(p->s, offset, sizeof *offset, true)) return -EFAULT;
    struct bytes_file *f = bytes_of(in);
    if (offset != NULL && *offset < 0) return -EINVAL;
    size_t at = offset != NULL ? (size_t)*offset : f->at, n = p->call->file.count;
    if (at > f->length) at = f->length;
    if (n > f->length - at) n = f->length - at;
    if (n == 0) return 0;
    int64_t r = write_own(p, p->file, f->byte + at, n, 0);
    if (r > 0 && offset != NULL) *offset += (off_t)r;
    if (r > 0 && offset == NULL) f->at += (size_t)r;
    return r;
}

static int64_t splice_in(struct step *p, struct sock *sock, struct pipe *pipe, size_t count) {
    size_t moved = 0;
    while (moved < count) {
        size_t n;
        uint8_t *to = ring_free(pipe, &n);
        if (n == 0) break;
        if (n > count - moved) n = count - moved;
        ssize_t got = receive_some(p->s, sock, to, n, p->now);
        if (got <= 0) return moved != 0 ? (int64_t)moved : got;
        ring_gave(p->s, pipe, (size_t)got);
        moved += (size_t)got;
    }
    return moved != 0 || count == 0 ? (int64_t)moved : -EAGAIN;
}

static int64_t splice_out(struct step *p, struct pipe *pipe, struct bk_file *out, size_t count, unsigned flags) {
    int64_t moved = 0;
    struct step once = *p;
    once.at_once = true; /* it is asked again, and may wait, when nothing could be moved */
    while ((size_t)moved < count && pipe->count != 0) {
        size_t n;
        const uint8_t *from = ring_filled(pipe, &n);
        if (n > count - (size_t)moved) n = count - (size_t)moved;
        p->call->progress.done = 0;
        int64_t r = write_own(&once, out, from, n, flags & SPLICE_F_MORE ? MSG_MORE : 0);
        p->call->progress.done = 0;
        if (r <= 0) return moved != 0 ? moved : r;
        ring_took(p->s, pipe, (size_t)r);
        moved += r;
    }
    if (moved != 0 || count == 0) return moved;
    return pipe->end[1] == NULL ? 0 : -EAGAIN;
}

int64_t splice_step(struct step *p) {
    struct bk_file *in = p->file, *out = descriptor_file(p->s, p->call->splice.out);
    size_t count = p->call->splice.count;
    unsigned flags = p->call->splice.flags;
    if (out == NULL || in->kind == FILE_PIPE_WRITE || out->kind == FILE_PIPE_READ) return -EBADF;
    if (flags & ~(unsigned)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)) return -EINVAL;
    int64_t r;
    bool full = false;
    if (in->kind == FILE_SOCKET && out->kind == FILE_PIPE_WRITE) {
        if (pipe_of(out)->end[0] == NULL) return -EPIPE;
        full = pipe_of(out)->count == PIPE_BYTES;
        r = splice_in(p, sock_of(in), pipe_of(out), count);
    } else if (in->kind == FILE_PIPE_READ && out->kind == FILE_SOCKET) {
        full = pipe_of(in)->count != 0;
        r = splice_out(p, pipe_of(in), out, count, flags);
    } else {
        return -EINVAL;
    }
    if (r != -EAGAIN || (flags & SPLICE_F_NONBLOCK) || !step_may_wait(p, 0)) return r;
    /* What it waits for: room behind, or data before. */
    return full ? step_wait(p, out, POLLOUT | POLLWRNORM, BK_NEVER, -EAGAIN)
                : step_wait(p, in, POLLIN | POLLRDNORM, BK_NEVER, -EAGAIN);
}
