/* Calls that open connections, move data and close: those that may wait. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "lab/script_call.h"

/* Begins a call on the descriptor that is its first argument. */
static bool script_on_fd(struct script_run *r, struct script_pending *p, enum bk_sys sys) {
    p->may_wait = true;
    p->syscall.sys = sys;
    return script_fd(r, p->argument[0], &p->syscall.fd);
}

static bool script_is_word_of(const struct script_expr *e, const char *word) {
    return e->kind == SCRIPT_WORD && strcmp(e->text, word) == 0;
}

/* ---- accept, connect, close ------------------------------------------------------------------------ */

static bool script_begin_accept(struct script_run *r, struct script_pending *p) {
    int64_t flags = 0;
    if (p->count > 3 && !script_value(r, p->argument[3], &flags)) return false;
    p->address_length = sizeof p->address;
    p->syscall.accept.address = (struct sockaddr *)&p->address;
    p->syscall.accept.length = &p->address_length;
    p->syscall.accept.flags = (int)flags;
    return script_on_fd(r, p, BK_SYS_ACCEPT);
}

static uint16_t script_port_of(const struct sockaddr_storage *a) {
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    memcpy(&in, a, sizeof in);
    memcpy(&in6, a, sizeof in6);
    return ntohs(a->ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
}

/* The connection that was accepted is known by its port. */
static bool script_end_accept(struct script_run *r, struct script_pending *p) {
    if (p->result < 0) return true;
    for (size_t i = 0; i < r->peer_count; i++) {
        struct script_peer *peer = &r->peer[i];
        if (peer->known && peer->fd < 0 && peer->tuple.remote_port == script_port_of(&p->address)) {
            peer->fd = (int)p->spec->result->integer;
            return true;
        }
    }
    return script_fail(r, "accepted a connection from port %u, which the script has not opened",
                       script_port_of(&p->address));
}

/* From here on the packets of the socket under test are those of a connection that it opens. */
static void script_connects(struct script_run *r, struct script_pending *p) {
    struct script_peer *peer = script_peer_of(r, p->script_fd);
    if (peer == NULL || peer->state != SCRIPT_PEER_NEW) return;
    peer->state = SCRIPT_PEER_CONNECTS;
    peer->tuple.remote = r->remote;
    peer->tuple.remote_port = SCRIPT_PORT;
}

static bool script_begin_connect(struct script_run *r, struct script_pending *p) {
    script_address(r, false, &p->address, &p->address_length);
    if (script_is_word_of(p->argument[1], "AF_UNSPEC"))
        p->address.ss_family = AF_UNSPEC;
    else
        script_connects(r, p);
    p->syscall.connect.address = (struct sockaddr *)&p->address;
    p->syscall.connect.length = p->address_length;
    return script_on_fd(r, p, BK_SYS_CONNECT);
}

static bool script_begin_close(struct script_run *r, struct script_pending *p) {
    return script_on_fd(r, p, BK_SYS_CLOSE);
}

static bool script_end_close(struct script_run *r, struct script_pending *p) {
    if (p->script_fd < 0 || p->script_fd >= SCRIPT_FDS) return true;
    struct script_peer *peer = script_peer_of(r, p->script_fd);
    r->fd[p->script_fd] = -1;
    if (peer != NULL) peer->closed = true;
    return true;
}

/* ---- one buffer ------------------------------------------------------------------------------------ */

static bool script_begin_read(struct script_run *r, struct script_pending *p) {
    int64_t size, flags = 0;
    if (!script_value(r, p->argument[2], &size) || (p->count > 3 && !script_value(r, p->argument[3], &flags)) ||
        !script_buffer(r, p, p->argument[1], (size_t)size, &p->syscall.receive.data))
        return false;
    p->syscall.receive.size = (size_t)size;
    p->syscall.receive.flags = (int)flags;
    if (p->count > 4) { /* recvfrom */
        p->address_length = sizeof p->address;
        p->syscall.receive.address = (struct sockaddr *)&p->address;
        p->syscall.receive.length = &p->address_length;
    }
    return script_on_fd(r, p, p->count == 3 ? BK_SYS_READ : BK_SYS_RECV);
}

static bool script_begin_write(struct script_run *r, struct script_pending *p) {
    int64_t size, flags = 0;
    void *data;
    if (!script_value(r, p->argument[2], &size) || (p->count > 3 && !script_value(r, p->argument[3], &flags)) ||
        !script_buffer(r, p, p->argument[1], (size_t)size, &data))
        return false;
    p->syscall.send.data = data;
    p->syscall.send.size = (size_t)size;
    p->syscall.send.flags = (int)flags;
    if (p->count > 4) { /* sendto */
        script_address(r, false, &p->address, &p->address_length);
        if (script_is_word_of(p->argument[4], "AF_UNSPEC"))
            p->address.ss_family = AF_UNSPEC;
        else
            script_connects(r, p);
        p->syscall.send.address = (struct sockaddr *)&p->address;
        p->syscall.send.length = p->address_length;
    }
    return script_on_fd(r, p, p->count == 3 ? BK_SYS_WRITE : BK_SYS_SEND);
}

/* ---- several --------------------------------------------------------------------------------------- */

static bool script_begin_vector(struct script_run *r, struct script_pending *p) {
    int64_t count;
    if (!script_vector(r, p, p->argument[1]) || !script_value(r, p->argument[2], &count)) return false;
    p->syscall.vector.iov = p->iov;
    p->syscall.vector.count = (int)count;
    return script_on_fd(r, p, strcmp(p->spec->name, "readv") == 0 ? BK_SYS_READV : BK_SYS_WRITEV);
}

static bool script_begin_message(struct script_run *r, struct script_pending *p) {
    bool receive = strcmp(p->spec->name, "recvmsg") == 0;
    int64_t flags;
    if (!script_message(r, p, p->argument[1], receive) || !script_value(r, p->argument[2], &flags)) return false;
    if (!receive && p->message.msg_name != NULL) script_connects(r, p);
    p->syscall.message.msg = &p->message;
    p->syscall.message.flags = (int)flags;
    return script_on_fd(r, p, receive ? BK_SYS_RECVMSG : BK_SYS_SENDMSG);
}

/* ---- between descriptors --------------------------------------------------------------------------- */

static bool script_begin_sendfile(struct script_run *r, struct script_pending *p) {
    int64_t offset = 0, count;
    const struct script_expr *o = p->argument[2];
    bool given = o->kind == SCRIPT_LIST && o->children != NULL;
    if (!script_fd(r, p->argument[1], &p->syscall.file.in) || !script_value(r, p->argument[3], &count) ||
        (given && !script_value(r, o->children, &offset)))
        return false;
    p->offset = (off_t)offset;
    p->syscall.file.offset = given ? &p->offset : NULL;
    p->syscall.file.count = (size_t)count;
    return script_on_fd(r, p, BK_SYS_SENDFILE);
}

static bool script_begin_splice(struct script_run *r, struct script_pending *p) {
    int64_t count, flags;
    if (!script_fd(r, p->argument[2], &p->syscall.splice.out) || !script_value(r, p->argument[4], &count) ||
        !script_value(r, p->argument[5], &flags))
        return false;
    p->syscall.splice.count = (size_t)count;
    p->syscall.splice.flags = (unsigned)flags;
    return script_on_fd(r, p, BK_SYS_SPLICE);
}

const struct script_call_kind *script_call_data(const char *name) {
    static const struct script_call_kind kinds[] = {
        {"accept", 3, 3, script_begin_accept, script_end_accept},
        {"accept4", 4, 4, script_begin_accept, script_end_accept},
        {"connect", 3, 3, script_begin_connect, NULL},
        {"close", 1, 1, script_begin_close, script_end_close},
        {"read", 3, 3, script_begin_read, NULL},
        {"recv", 4, 4, script_begin_read, NULL},
        {"recvfrom", 6, 6, script_begin_read, NULL},
        {"write", 3, 3, script_begin_write, NULL},
        {"send", 4, 4, script_begin_write, NULL},
        {"sendto", 6, 6, script_begin_write, NULL},
        {"readv", 3, 3, script_begin_vector, NULL},
        {"writev", 3, 3, script_begin_vector, NULL},
        {"recvmsg", 3, 3, script_begin_message, script_message_end},
        {"sendmsg", 3, 3, script_begin_message, NULL},
        {"sendfile", 4, 4, script_begin_sendfile, NULL},
        {"splice", 6, 6, script_begin_splice, NULL},
    };
    for (size_t i = 0; i < BK_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}
