/* struct msghdr, as scripts write it:
 *
 *     {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}], msg_flags=0,
 *      msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=8000}]}
 *
 * What a script gives as msg_control is what must have been received, message by message. Times in it count from the script's start. */
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "lab/script_call.h"

bool script_vector(struct script_run *r, struct script_pending *p, const struct script_expr *e) {
    if (e->kind != SCRIPT_LIST) return script_bad_argument(r, e, "[{..., length}]");
    for (const struct script_expr *v = e->children; v != NULL; v = v->next) {
        int64_t size = 0;
        bool pair = v->kind == SCRIPT_STRUCT && v->children != NULL && v->children->next != NULL;
        if (!pair || p->iov_count == SCRIPT_CALL_ROOM) return script_bad_argument(r, v, "{..., length}, at most 64");
        if (!script_value(r, v->children->next, &size)) return false;
        void *data = NULL;
        if (v->children->kind != SCRIPT_WORD) {
            data = calloc(1, (size_t)size + 1);
            if (data == NULL) return script_fail(r, "no memory");
        }
        p->iov[p->iov_count++] = (struct iovec){.iov_base = data, .iov_len = (size_t)size};
    }
    return true;
}

bool script_message(struct script_run *r, struct script_pending *p, const struct script_expr *e, bool receive) {
    const struct script_expr *iov = script_field_of(e, "msg_iov"), *control = script_field_of(e, "msg_control");
    if (e->kind != SCRIPT_STRUCT) return script_bad_argument(r, e, "{msg_name(...)=..., msg_iov(n)=[...], ...}");
    if (iov != NULL && !script_vector(r, p, iov->value)) return false;
    p->message.msg_iov = p->iov;
    p->message.msg_iovlen = p->iov_count;
    script_address(r, false, &p->address, &p->address_length);
    if (script_field_of(e, "msg_name") != NULL) {
        p->message.msg_name = &p->address;
        p->message.msg_namelen = receive ? sizeof p->address : p->address_length;
    }
    if (receive && control != NULL) {
        p->message.msg_control = p->control;
        p->message.msg_controllen = sizeof p->control;
    }
    return true;
}

/* ---- what was received ----------------------------------------------------------------------------- */

static bool script_same_error(struct script_run *r, const struct script_expr *data, const struct cmsghdr *c) {
    struct sock_extended_err got;
    if (c->cmsg_len < CMSG_LEN(sizeof got)) return script_fail(r, "a control message is too short for an error");
    memcpy(&got, CMSG_DATA(c), sizeof got);
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {{"ee_errno", got.ee_errno}, {"ee_origin", got.ee_origin}, {"ee_type", got.ee_type},
                  {"ee_code", got.ee_code},   {"ee_info", got.ee_info},     {"ee_data", got.ee_data}};
    for (size_t i = 0; i < BK_COUNT(fields); i++) {
        const struct script_expr *f = script_field_of(data, fields[i].name);
        if (f != NULL && !script_same_value(r, fields[i].name, f->value, fields[i].value)) return false;
    }
    return true;
}

static bool script_same_timestamp(struct script_run *r, const struct script_expr *data, const struct cmsghdr *c) {
    struct timespec got;
    const struct script_expr *s = script_field_of(data, "scm_sec"), *ns = script_field_of(data, "scm_nsec");
    int64_t want_s = 0, want_ns = 0;
    if (s == NULL || ns == NULL || !script_value(r, s->value, &want_s) || !script_value(r, ns->value, &want_ns))
        return script_bad_argument(r, data, "{scm_sec=, scm_nsec=}");
    if (c->cmsg_len < CMSG_LEN(sizeof got)) return script_fail(r, "a control message is too short for a time");
    memcpy(&got, CMSG_DATA(c), sizeof got);
    int64_t have = got.tv_sec * (int64_t)NS_PER_S + got.tv_nsec - (int64_t)SCRIPT_START;
    int64_t want = want_s * (int64_t)NS_PER_S + want_ns, apart = have > want ? have - want : want - have;
    if (apart <= (int64_t)r->choice.tolerance) return true;
    return script_fail(r, "timestamp: expected %.6f s, got %.6f s", (double)want / 1e9, (double)have / 1e9);
}

static bool script_same_control(struct script_run *r, const struct script_expr *e, const struct cmsghdr *c) {
    const struct script_expr *level = script_field_of(e, "cmsg_level"), *type = script_field_of(e, "cmsg_type");
    const struct script_expr *data = script_field_of(e, "cmsg_data");
    int number = 0;
    if (level == NULL || type == NULL) return script_bad_argument(r, e, "{cmsg_level=, cmsg_type=, cmsg_data=}");
    if (!script_same_value(r, "cmsg_level", level->value, c->cmsg_level) ||
        !script_same_value(r, "cmsg_type", type->value, c->cmsg_type))
        return false;
    if (data == NULL || data->value->kind == SCRIPT_ELLIPSIS) return true;
    if (script_field_of(data->value, "scm_sec") != NULL) return script_same_timestamp(r, data->value, c);
    if (data->value->kind == SCRIPT_STRUCT) return script_same_error(r, data->value, c);
    if (c->cmsg_len >= CMSG_LEN(sizeof number)) memcpy(&number, CMSG_DATA(c), sizeof number);
    return script_same_value(r, "cmsg_data", data->value, number);
}

bool script_message_end(struct script_run *r, struct script_pending *p) {
    const struct script_expr *e = p->argument[1];
    const struct script_expr *flags = script_field_of(e, "msg_flags"), *control = script_field_of(e, "msg_control");
    if (p->result < 0) return true;
    if (flags != NULL && !script_same_value(r, "msg_flags", flags->value, (unsigned)p->message.msg_flags)) return false;
    if (control == NULL || control->value->kind != SCRIPT_LIST) return true;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&p->message);
    size_t n = 0;
    for (const struct script_expr *m = control->value->children; m != NULL; m = m->next, n++) {
        if (c == NULL) return script_fail(r, "expected more than %zu control messages", n);
        if (!script_same_control(r, m, c)) return false;
        c = CMSG_NXTHDR(&p->message, (struct cmsghdr *)(uintptr_t)c);
    }
    return c == NULL || script_fail(r, "expected %zu control messages, got more", n);
}
