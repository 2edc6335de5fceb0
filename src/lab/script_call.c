/* System calls: see script_call.h.
 *
 * A call that a script marks as blocking ("+0...0.1 read(...)") may wait while the script goes on, and must return at the time that stands there; one call
 * can wait at a time. Any other call is made to its end before the script goes on: if it waits, time passes, as it would for a program. An event of
 * another call waits for the one under way, a second at most. */
#include "lab/script_call.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

#define SCRIPT_PATIENCE (600 * NS_PER_S)

/* ---- arguments ------------------------------------------------------------------------------------- */

bool script_bad_argument(struct script_run *r, const struct script_expr *e, const char *wanted) {
    if (e != NULL && (e->kind == SCRIPT_WORD || e->kind == SCRIPT_INTEGER || e->kind == SCRIPT_CALL))
        return script_fail(r, "argument %s: expected %s", e->text, wanted);
    return script_fail(r, "argument: expected %s", wanted);
}

bool script_value(struct script_run *r, const struct script_expr *e, int64_t *out) {
    if (e == NULL) return script_bad_argument(r, e, "a number");
    if (e->kind == SCRIPT_INTEGER) {
        *out = e->integer;
        return true;
    }
    if (e->kind == SCRIPT_WORD) return script_symbol(e->text, out) || script_bad_argument(r, e, "a known name");
    if (e->kind != SCRIPT_OR) return script_bad_argument(r, e, "a number or a name");
    *out = 0;
    for (const struct script_expr *c = e->children; c != NULL; c = c->next) {
        int64_t bit;
        if (!script_value(r, c, &bit)) return false;
        *out |= bit;
    }
    return true;
}

bool script_fd(struct script_run *r, const struct script_expr *e, int *out) {
    int64_t n;
    if (!script_value(r, e, &n)) return false;
    *out = n >= 0 && n < SCRIPT_FDS ? r->fd[n] : -1;
    return true;
}

const struct script_expr *script_field_of(const struct script_expr *e, const char *name) {
    if (e == NULL || e->kind != SCRIPT_STRUCT) return NULL;
    for (const struct script_expr *c = e->children; c != NULL; c = c->next)
        if (c->kind == SCRIPT_FIELD && strcmp(c->text, name) == 0) return c;
    return NULL;
}

bool script_buffer(struct script_run *r, struct script_pending *p, const struct script_expr *e, size_t size,
                   void **out) {
    *out = NULL;
    if (e->kind == SCRIPT_WORD && strcmp(e->text, "NULL") == 0) return true;
    if (e->kind != SCRIPT_ELLIPSIS && e->kind != SCRIPT_STRING)
        return script_bad_argument(r, e, "..., a string or NULL");
    free(p->data);
    p->data = calloc(1, size + (e->kind == SCRIPT_STRING ? e->length : 0) + 1);
    if (p->data == NULL) return script_fail(r, "no memory for a buffer of %zu bytes", size);
    if (e->kind == SCRIPT_STRING) memcpy(p->data, e->text, e->length);
    *out = p->data;
    return true;
}

void script_address(const struct script_run *r, bool local, struct sockaddr_storage *out, socklen_t *length) {
    const bk_addr *a = local ? &r->local : &r->remote;
    memset(out, 0, sizeof *out);
    if (r->family->domain == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(SCRIPT_PORT)};
        memcpy(&in.sin_addr, a->byte + 12, 4);
        memcpy(out, &in, sizeof in);
        *length = sizeof in;
        return;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(SCRIPT_PORT)};
    memcpy(&in6.sin6_addr, a->byte, 16);
    memcpy(out, &in6, sizeof in6);
    *length = sizeof in6;
}

bool script_same_value(struct script_run *r, const char *what, const struct script_expr *expected, int64_t actual) {
    int64_t want;
    if (expected->kind == SCRIPT_ELLIPSIS) return true;
    if (!script_value(r, expected, &want)) return false;
    if (want == actual) return true;
    return script_fail(r, "%s: expected %" PRId64 ", got %" PRId64, what, want, actual);
}

/* ---- results --------------------------------------------------------------------------------------- */

static const char *script_result_text(char *text, size_t size, int64_t result) {
    if (result >= 0)
        snprintf(text, size, "%" PRId64, result);
    else
        snprintf(text, size, "-1 %s (%s)", script_errno_name((int)-result), strerror((int)-result));
    return text;
}

/* The descriptor that a call made, under the script's number for it. */
static bool script_new_fd(struct script_run *r, int64_t number, int64_t made) {
    if (number < 0 || number >= SCRIPT_FDS)
        return script_fail(r, "descriptor %" PRId64 " is beyond what scripts use", number);
    if (r->fd[number] >= 0) return script_fail(r, "descriptor %" PRId64 " is open already in the script", number);
    r->fd[number] = (int)made;
    return true;
}

static bool script_call_makes_fd(const char *name) {
    static const char *const makers[] = {"socket", "accept", "accept4", "open", "epoll_create", "epoll_create1", "dup"};
    for (size_t i = 0; i < BK_COUNT(makers); i++)
        if (strcmp(makers[i], name) == 0) return true;
    return false;
}

static bool script_same_result(struct script_run *r, const struct script_pending *p, int64_t result) {
    const struct script_call *c = p->spec;
    char expected[120], got[120];
    int64_t want, error = 0;
    if (c->result->kind == SCRIPT_ELLIPSIS) return true;
    if (!script_value(r, c->result, &want)) return false;
    if (c->error != NULL && !script_symbol(c->error, &error))
        return script_fail(r, "%s is no error that is known", c->error);
    if (script_call_makes_fd(c->name) && want >= 0 && result >= 0) return script_new_fd(r, want, result);
    bool same = result >= 0 ? want == result : want == -1 && (c->error == NULL || error == -result);
    if (same) return true;
    if (want < 0)
        snprintf(expected, sizeof expected, "-1%s%s", c->error != NULL ? " " : "", c->error != NULL ? c->error : "");
    else
        snprintf(expected, sizeof expected, "%" PRId64, want);
    return script_fail(r, "%s: expected %s, returned %s", c->name, expected,
                       script_result_text(got, sizeof got, result));
}

/* ---- calls under way ------------------------------------------------------------------------------- */

uint64_t script_pending_due(const struct script_pending *p) {
    return p->syscall.due;
}

static void script_pending_free(struct script_pending *p) {
    if (p == NULL) return;
    free(p->data);
    for (size_t i = 0; i < p->iov_count; i++) free(p->iov[i].iov_base);
    free(p);
}

void script_pending_forget(struct script_run *r) {
    if (r->pending != NULL) bk_syscall_interrupt(r->sockets, &r->pending->syscall, r->now);
    script_pending_free(r->pending);
    r->pending = NULL;
}

/* Compares what a call returned, and when, with the script; frees it. */
static bool script_finish(struct script_run *r, struct script_pending *p, int64_t result) {
    const struct script_event *before = r->event;
    const struct script_time end = {.kind = SCRIPT_ABSOLUTE, .from = p->spec->end, .to = p->spec->end};
    r->event = p->event;
    p->result = result;
    bool good = script_same_result(r, p, result);
    if (good && p->end != NULL) good = p->end(r, p);
    if (good && p->spec->blocking) good = script_in_time(r, &end, p->base, r->now, "the call's return");
    r->event = before;
    script_pending_free(p);
    return good;
}

bool script_pending_try(struct script_run *r) {
    struct script_pending *p = r->pending;
    if (!bk_syscall_try(r->sockets, &p->syscall, r->now)) return true;
    r->pending = NULL;
    return script_finish(r, p, p->syscall.result);
}

bool script_pending_stuck(struct script_run *r) {
    r->event = r->pending->event;
    return script_fail(r, "%s has not returned by %.6f s", r->pending->spec->name, script_clock(r, r->now));
}

static bool script_start(struct script_run *r, struct script_pending *p) {
    if (!p->may_wait) {
        int64_t result = p->result;
        return script_finish(r, p, result) && script_settle(r);
    }
    r->pending = p;
    p->syscall.due = BK_NEVER;
    if (!script_pending_try(r) || !script_settle(r)) return false;
    if (r->pending == NULL || p->spec->blocking) return true;
    if (!script_await(r, r->now + SCRIPT_PATIENCE)) return false;
    return r->pending == NULL || script_pending_stuck(r);
}

const struct script_call_kind *script_call_kind(const char *name) {
    const struct script_call_kind *k = script_call_plain(name);
    if (k == NULL) k = script_call_data(name);
    return k != NULL ? k : script_call_waiting(name);
}

bool script_run_call(struct script_run *r, const struct script_event *e, uint64_t base) {
    const struct script_call_kind *k = script_call_kind(e->call->name);
    if (k == NULL) return script_fail(r, "there is no system call %s here", e->call->name);
    if (r->pending != NULL && !script_await(r, r->now + NS_PER_S)) return false;
    if (r->pending != NULL) return script_pending_stuck(r);
    struct script_pending *p = calloc(1, sizeof *p);
    if (p == NULL) abort();
    p->event = e;
    p->spec = e->call;
    p->base = base;
    p->end = k->end;
    p->script_fd = -1;
    const struct script_expr *a = e->call->arguments;
    for (; a != NULL && p->count < BK_COUNT(p->argument); a = a->next) p->argument[p->count++] = a;
    bool good = p->count >= k->least && p->count <= k->most && a == NULL;
    if (!good) script_fail(r, "%s takes %zu to %zu arguments", k->name, k->least, k->most);
    if (good && k->least > 0 && p->argument[0]->kind == SCRIPT_INTEGER) p->script_fd = (int)p->argument[0]->integer;
    if (good) good = k->begin(r, p);
    if (good) return script_start(r, p);
    script_pending_free(p);
    return false;
}
