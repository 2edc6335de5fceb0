/* The table as a whole: made, pumped, ended; and the calls about descriptors themselves. */
#include "posix/pipe.h"
#include "posix/report.h"
#include "posix/sock.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#define READY_BATCH 64u
#define ERROR_BATCH 8u

void bk_sockets_config_default(struct bk_sockets_config *config) {
    *config = (struct bk_sockets_config){
        .first = 3,
        .descriptors = 1 << 20,
        .somaxconn = 4096,
        .wmem_max = 212992,
        .rmem_max = 212992,
    };
}

int bk_sockets_create(bk_stack *stack, const struct bk_sockets_config *config, struct bk_sockets **out) {
    struct bk_sockets_config standard;
    bk_sockets_config_default(&standard);
    if (config == NULL) config = &standard;
    if (config->first < 0 || config->descriptors < 1) return -EINVAL;
    struct bk_sockets *s = calloc(1, sizeof *s);
    if (s == NULL) return -ENOMEM;
    s->stack = stack;
    s->config = *config;
    s->first = config->first;
    *out = s;
    return 0;
}

void bk_sockets_destroy(struct bk_sockets *s, uint64_t now) {
    for (size_t i = 0; i < s->room; i++) {
        struct bk_file *file = descriptor_take(s, s->first + (int)i);
        if (file != NULL) file_unref(s, file, now);
    }
    free(s->descriptor);
    free(s->used);
    free(s->full);
    free(s);
}

struct bk_sockets_config *bk_sockets_config_of(struct bk_sockets *s) {
    return &s->config;
}

uint64_t bk_sockets_reports_dropped(const struct bk_sockets *s) {
    return s->reports_dropped;
}

void bk_sockets_pump(struct bk_sockets *s, uint64_t now) {
    struct bk_ready ready[READY_BATCH];
    struct bk_tcp_error errors[ERROR_BATCH];
    size_t n;
    while ((n = bk_tcp_errors(s->stack, errors, ERROR_BATCH)) != 0)
        for (size_t i = 0; i < n; i++) report_icmp(s, (struct sock *)(uintptr_t)errors[i].user, &errors[i]);
    /* Until nothing new is there: hearing one thing may make the stack say another. */
    while ((n = bk_ready_poll(s->stack, ready, READY_BATCH)) != 0)
        for (size_t i = 0; i < n; i++)
            if (ready[i].user != 0) sock_hear(s, (struct sock *)(uintptr_t)ready[i].user, ready[i].what, now);
}

int bk_socket_conn(struct bk_sockets *s, int fd, bk_conn *out) {
    struct sock *sock;
    int error = sock_get(s, fd, &sock);
    if (error != 0) return error;
    if (!sock_has_conn(sock)) return -ENOTCONN;
    *out = sock->conn;
    return 0;
}

/* ---- dup, fcntl, ioctl ----------------------------------------------------------------------------- */

static int dup_from(struct bk_sockets *s, struct bk_file *file, int from, bool close_on_exec) {
    int fd = descriptor_new(s, file, from, close_on_exec);
    if (fd >= 0) file_ref(file);
    return fd;
}

int bk_dup(struct bk_sockets *s, int fd) {
    struct bk_file *file = descriptor_file(s, fd);
    return file == NULL ? -EBADF : dup_from(s, file, s->first, false);
}

int bk_dup3(struct bk_sockets *s, int fd, int to, int flags, uint64_t now) {
    if (flags & ~O_CLOEXEC) return -EINVAL;
    if (fd == to) return -EINVAL;
    struct bk_file *file = descriptor_file(s, fd);
    if (file == NULL) return -EBADF;
    struct bk_file *old = descriptor_take(s, to);
    int error = descriptor_put(s, to, file, (flags & O_CLOEXEC) != 0);
    if (error == 0) file_ref(file);
    if (old != NULL) file_unref(s, old, now);
    return error == 0 ? to : error;
}

int bk_fcntl(struct bk_sockets *s, int fd, int command, long argument) {
    struct descriptor *d = descriptor_at(s, fd);
    if (d == NULL) return -EBADF;
    switch (command) {
    case F_GETFL:
        return d->file->flags;
    case F_SETFL:
        d->file->flags = (d->file->flags & ~O_NONBLOCK) | ((int)argument & O_NONBLOCK);
        return 0;
    case F_GETFD:
        return d->close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
        d->close_on_exec = (argument & FD_CLOEXEC) != 0;
        return 0;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (argument < 0 || argument - s->first >= s->config.descriptors) return -EINVAL;
        return dup_from(s, d->file, (int)argument, command == F_DUPFD_CLOEXEC);
    default:
        return -EINVAL;
    }
}

/* What a reader would get: not across the urgent octet. */
static int readable_now(struct sock *sock, const struct bk_tcp_look *look) {
    uint32_t n = look->receive_queued;
    if (sock->more == NULL || sock->more->urgent == URGENT_NONE || sock->oob_inline) return (int)n;
    uint32_t before = sock->more->urgent_seq - look->read_seq;
    return (int)(before < n ? before : n);
}

static int sock_ioctl(struct bk_sockets *s, struct sock *sock, unsigned long request, int *value) {
    struct bk_tcp_look look;
    (void)sock_look(s, sock, &look);
    bool quiet = look.state == BK_CLOSED || look.state == BK_SYN_SENT || look.state == BK_SYN_RECEIVED;
    uint32_t sent_end = (int32_t)(look.snd_nxt - look.send_end) > 0 ? look.send_end : look.snd_nxt;
    switch (request) {
    case SIOCINQ:
        if (sock->phase == SOCK_LISTENING) return -EINVAL;
        /* Data that came before the connection ended is still to be read, and counted. */
        *value = look.state == BK_SYN_SENT || look.state == BK_SYN_RECEIVED ? 0 : readable_now(sock, &look);
        return 0;
    case SIOCOUTQ:
        if (sock->phase == SOCK_LISTENING) return -EINVAL;
        *value = quiet ? 0 : (int)(look.send_end + look.fin_queued - look.snd_una); /* a FIN counts as Linux has it */
        return 0;
    case SIOCOUTQNSD:
        if (sock->phase == SOCK_LISTENING) return -EINVAL;
        *value = quiet ? 0 : (int)(look.send_end - sent_end);
        return 0;
    case SIOCATMARK:
        *value = sock->more != NULL && sock->more->urgent != URGENT_NONE && sock->more->urgent_seq == look.read_seq;
        return 0;
    default:
        return -ENOTTY;
    }
}

int bk_ioctl(struct bk_sockets *s, int fd, unsigned long request, void *argument) {
    struct bk_file *file = descriptor_file(s, fd);
    int value = 0, error = -ENOTTY;
    if (file == NULL) return -EBADF;
    if (request == FIONBIO) {
        if (!memory_good(s, argument, sizeof value, false)) return -EFAULT;
        memcpy(&value, argument, sizeof value);
        file->flags = value != 0 ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
        return 0;
    }
    if (file->kind == FILE_SOCKET) {
        error = sock_ioctl(s, sock_of(file), request, &value);
    } else if (request == FIONREAD && (file->kind == FILE_PIPE_READ || file->kind == FILE_PIPE_WRITE)) {
        value = pipe_readable(file);
        error = 0;
    }
    if (error != 0) return error;
    if (!memory_good(s, argument, sizeof value, true)) return -EFAULT;
    memcpy(argument, &value, sizeof value);
    return 0;
}
