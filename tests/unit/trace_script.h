/* Hand-written traces for the tests of what is drawn from them: a list of events, and short ways to add one. */
#ifndef TESTS_TRACE_SCRIPT_H
#define TESTS_TRACE_SCRIPT_H

#include <string.h>

#include "beckon/trace.h"

enum { F = 1, S = 2, R = 4, P = 8, A = 16 };
#define MS(n) ((uint64_t)(n)*1000000u)

/* One stack's trace, of a connection local_port -> remote_port. */
struct script {
    struct bk_event event[64];
    size_t count;
    uint16_t local_port, remote_port;
    uint8_t state;
    uint64_t now;
};

static inline struct bk_event *script_add(struct script *s, uint8_t kind) {
    struct bk_event *e = &s->event[s->count++];
    memset(e, 0, sizeof *e);
    e->time = s->now;
    e->kind = kind;
    e->state_before = e->state = s->state;
    e->object_kind = 1;
    e->local_port = s->local_port;
    e->remote_port = s->remote_port;
    e->remote_tag = 7;
    e->wscale = 255;
    e->family = 4;
    return e;
}

static inline struct bk_event *script_segment(struct script *s, uint8_t kind, uint8_t flags, uint32_t seq, uint32_t ack,
                                              uint32_t len, uint16_t reason) {
    struct bk_event *e = script_add(s, kind);
    e->tcp_flags = flags;
    e->seq = seq;
    e->ack = ack;
    e->len = len;
    e->wnd = 65535;
    e->reason = reason;
    if (flags & S) {
        e->mss = 1460;
        e->wscale = 7;
    }
    return e;
}

static inline void script_out(struct script *s, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len,
                              uint16_t reason) {
    script_segment(s, BK_EVENT_SEGMENT_OUT, flags, seq, ack, len, reason);
}

/* The state after it is the one after all state changes that follow at once: given here. */
static inline void script_in(struct script *s, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len, uint16_t reason,
                             uint8_t state) {
    script_segment(s, BK_EVENT_SEGMENT_IN, flags, seq, ack, len, reason)->state = state;
}

static inline void script_state(struct script *s, uint8_t state) {
    struct bk_event *e = script_add(s, BK_EVENT_STATE);
    e->state = s->state = state;
}

static inline void script_call(struct script *s, uint8_t call, uint32_t len) {
    struct bk_event *e = script_add(s, BK_EVENT_CALL);
    e->call = call;
    e->len = len;
}

static inline void script_heard(struct script *s, uint8_t what, uint32_t error) {
    struct bk_event *e = script_add(s, BK_EVENT_HEARD);
    e->call = what;
    e->len = error;
}

static inline void script_timer(struct script *s, uint16_t reason) {
    script_add(s, BK_EVENT_TIMER)->reason = reason;
}

#endif
