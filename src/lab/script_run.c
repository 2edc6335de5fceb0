/* The events of a script, one after the other; how each kind is run stands in the files that script_runner.h lists.
 *
 * Relative times count from the moment when the event before was done with, except that inbound packets in a row count from each
 * other's times, as they stand in the script. An outbound packet is waited for; all other events happen when their time has come, and it is a failure if
 * it has gone by more than the tolerance. */
#include "lab/script_runner.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "lab/script_call.h"

#define SCRIPT_TOLERANCE (4 * NS_PER_MS)
#define SCRIPT_GRACE     NS_PER_S /* what a call that waits gets, before an event that cannot wait with it */

/* Where this thread's run ends if an assertion fails. */
static _Thread_local jmp_buf *script_catch;
static _Thread_local struct script_run *script_catch_run;

void script_panic(const char *what, const char *file, int line) {
    if (script_catch == NULL) return;
    script_fail(script_catch_run, "assertion: %s (%s:%d)", what, file, line);
    script_catch_run->broken = true;
    longjmp(*script_catch, 1);
}

bool script_fail(struct script_run *r, const char *format, ...) {
    if (r->failed) return false;
    r->failed = true;
    r->verdict->result = SCRIPT_FAILED;
    r->verdict->line = r->event != NULL ? r->event->line : r->script.initial_line;
    va_list args;
    va_start(args, format);
    vsnprintf(r->verdict->reason, sizeof r->verdict->reason, format, args);
    va_end(args);
    if (r->event != NULL) script_tell(r, "  script   %s", r->event->source);
    return false;
}

void script_tell(struct script_run *r, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
    line[length++] = '\n';
    bk_text_to_memory(&r->verdict->detail, line, length);
}

double script_clock(const struct script_run *r, uint64_t now) {
    (void)r;
    return now >= SCRIPT_START ? (double)(now - SCRIPT_START) / 1e9 : -(double)(SCRIPT_START - now) / 1e9;
}

bool script_in_time(struct script_run *r, const struct script_time *t, uint64_t base, uint64_t when, const char *what) {
    if (t->kind == SCRIPT_ANY) return true;
    uint64_t from = base + t->from, to = base + t->to;
    if (when + r->choice.tolerance >= from && when <= to + r->choice.tolerance) return true;
    if (t->range)
        return script_fail(r, "time: expected %s from %.6f to %.6f s, happened at %.6f s", what, script_clock(r, from),
                           script_clock(r, to), script_clock(r, when));
    return script_fail(r, "time: expected %s at %.6f s, happened at %.6f s", what, script_clock(r, from),
                       script_clock(r, when));
}

/* ---- the script's options -------------------------------------------------------------------------- */

static bool script_option_fail(struct script_run *r, const struct script_option *o, const char *what) {
    script_fail(r, "option --%s%s%s: %s", o->name, o->value != NULL ? "=" : "", o->value != NULL ? o->value : "", what);
    r->verdict->line = o->line;
    r->verdict->column = o->column;
    return false;
}

static bool script_option_number(struct script_run *r, const struct script_option *o, uint64_t high, uint64_t *out) {
    char *end = NULL;
    errno = 0;
    unsigned long long n = o->value != NULL ? strtoull(o->value, &end, 0) : 0;
    if (o->value == NULL || end == o->value || *end != '\0' || errno != 0 || n > high)
        return script_option_fail(r, o, "expected a number");
    *out = n;
    return true;
}

static bool script_one_choice(struct script_run *r, const struct script_option *o) {
    struct script_choices *c = &r->choice;
    uint64_t n = 0;
    if (strcmp(o->name, "tolerance_usecs") == 0) {
        if (!script_option_number(r, o, UINT32_MAX, &n)) return false;
        c->tolerance = n * NS_PER_US;
    } else if (strcmp(o->name, "tcp_ts_tick_usecs") == 0) {
        if (!script_option_number(r, o, 1000000, &n)) return false;
        c->timestamp_tick = n * NS_PER_US;
    } else if (strcmp(o->name, "mss") == 0) {
        if (!script_option_number(r, o, UINT16_MAX, &n)) return false;
        c->mss = (uint32_t)n;
    } else if (strcmp(o->name, "mtu") == 0) {
        if (!script_option_number(r, o, UINT16_MAX, &n)) return false;
        c->mtu = (uint32_t)n;
    } else if (strcmp(o->name, "ip_version") == 0) {
        c->only = o->value != NULL ? script_family_find(o->value) : NULL;
        if (c->only == NULL) return script_option_fail(r, o, "expected ipv4, ipv6 or ipv4-mapped-ipv6");
    } else if (strcmp(o->name, "local_ip") == 0 && o->value != NULL)
        c->local = o->value;
    else if (strcmp(o->name, "remote_ip") == 0 && o->value != NULL)
        c->remote = o->value;
    else if (strcmp(o->name, "tcp_ts_ecr_scaled") == 0)
        c->echo_scaled = true;
    else if (strcmp(o->name, "strict_segments") == 0)
        c->strict_segments = true;
    else if (strcmp(o->name, "send_omit_free") != 0) /* buffers of sent data are never reused here */
        return script_option_fail(r, o, "not known");
    return true;
}

static bool script_choose(struct script_run *r) {
    const struct script_family *f = r->family;
    r->choice =
        (struct script_choices){.tolerance = r->config->tolerance != 0 ? r->config->tolerance : SCRIPT_TOLERANCE,
                                .mtu = f->mtu,
                                .local = f->local,
                                .remote = f->remote,
                                .prefix_length = f->prefix_length};
    for (const struct script_option *o = r->script.options; o != NULL; o = o->next)
        if (!script_one_choice(r, o)) return false;
    bool ipv4 = f != &script_families[1];
    if (bk_addr_parse(r->choice.local, &r->local) != 0 || bk_addr_parse(r->choice.remote, &r->remote) != 0)
        return script_fail(r, "%s or %s is no address", r->choice.local, r->choice.remote);
    if (bk_addr_is_ipv4(&r->local) == ipv4 && bk_addr_is_ipv4(&r->remote) == ipv4) return true;
    /* Addresses of another family than the run's: as if the script had said --ip_version. */
    r->choice.only = &script_families[ipv4 ? 1 : 0];
    return true;
}

/* ---- events ---------------------------------------------------------------------------------------- */

static uint64_t script_base(const struct script_run *r, const struct script_event *e) {
    bool inbound = e->kind == SCRIPT_EVENT_PACKET && e->packet->inbound;
    if (e->time.kind == SCRIPT_ABSOLUTE) return SCRIPT_START;
    return inbound && r->after_inbound ? r->last_inbound : r->now;
}

/* Waits for an event's time. */
static bool script_wait(struct script_run *r, const struct script_event *e, uint64_t base) {
    uint64_t when = base + e->time.from;
    if (!script_pass(r, when > r->now ? when : r->now)) return false;
    return script_in_time(r, &e->time, base, r->now, "this event");
}

static bool script_one_event(struct script_run *r, const struct script_event *e) {
    uint64_t base = script_base(r, e);
    bool packet = e->kind == SCRIPT_EVENT_PACKET, waits = packet && !e->packet->inbound;
    r->event = e;
    if (!waits && !script_wait(r, e, base)) return false;
    r->after_inbound = packet && e->packet->inbound;
    r->last_inbound = base + e->time.from;
    switch (e->kind) {
    case SCRIPT_EVENT_PACKET:
        return script_run_packet(r, e, base);
    case SCRIPT_EVENT_CALL:
        return script_run_call(r, e, base);
    case SCRIPT_EVENT_COMMAND:
        return script_run_command(r, e->text) && script_apply(r) && script_settle(r);
    default:
        return script_run_code(r, e);
    }
}

static bool script_events(struct script_run *r) {
    for (const struct script_event *e = r->script.events; e != NULL; e = e->next)
        if (!script_one_event(r, e)) return false;
    if (!script_await(r, r->now + SCRIPT_GRACE)) return false;
    return r->pending == NULL || script_pending_stuck(r);
}

/* ---- a run ----------------------------------------------------------------------------------------- */

static bool script_read(struct script_run *r, const char *path, const char *text, size_t length) {
    struct script_define defines[32];
    struct script_error error;
    size_t n = 0;
    for (size_t i = 0; i < r->config->define_count && n < BK_COUNT(defines); i++) defines[n++] = r->config->defines[i];
    for (size_t i = 0; i < r->family->define_count && n < BK_COUNT(defines); i++) defines[n++] = r->family->defines[i];
    if (script_parse(&r->script, path, text, length, defines, n, &error)) return true;
    script_fail(r, "%s", error.what);
    r->verdict->line = error.line;
    r->verdict->column = error.column;
    return false;
}

static struct script_run *script_new(const struct script_config *config, struct script_verdict *verdict) {
    struct script_run *r = calloc(1, sizeof *r);
    if (r == NULL) abort();
    *verdict = (struct script_verdict){.result = SCRIPT_PASSED};
    r->config = config;
    r->family = config->family;
    r->verdict = verdict;
    r->now = SCRIPT_START;
    for (size_t i = 0; i < SCRIPT_FDS; i++) r->fd[i] = -1;
    return r;
}

static void script_end(struct script_run *r) {
    if (r->failed && r->config->ladder && r->stack != NULL) script_draw(r);
    script_close(r);
    for (size_t i = 0; i < r->peer_count; i++) free(r->peer[i].timestamp);
    free(r->seen);
    free(r->trace);
    script_free(&r->script);
    free(r);
}

void script_check(const char *path, const char *text, size_t length, const struct script_config *config,
                  struct script_verdict *verdict) {
    struct script_run *r = script_new(config, verdict);
    script_read(r, path, text, length);
    script_end(r);
}

static void script_guarded(struct script_run *r) {
    jmp_buf here;
    script_catch = &here;
    script_catch_run = r;
    if (setjmp(here) == 0 && (r->script.initial == NULL || script_run_command(r, r->script.initial)) && script_open(r))
        script_events(r);
    script_catch = NULL;
}

void script_run(const char *path, const char *text, size_t length, const struct script_config *config,
                struct script_verdict *verdict) {
    struct script_run *r = script_new(config, verdict);
    bk_config_default(&r->settings.stack);
    r->settings.stack.mtu_probing = BK_MTU_PROBING_OFF; /* as in Linux, unless a script says otherwise */
    bk_sockets_config_default(&r->settings.sockets);
    if (script_read(r, path, text, length) && script_choose(r)) {
        if (r->choice.only != NULL && r->choice.only != r->family) {
            verdict->result = SCRIPT_SKIPPED;
            snprintf(verdict->reason, sizeof verdict->reason, "for %s alone", r->choice.only->name);
        } else
            script_guarded(r);
    }
    script_end(r);
}
