/* Trace events of TCP: what bk_trace_read delivers. Every function returns at once when no trace is kept. */
#ifndef TCP_EVENT_H
#define TCP_EVENT_H

#include "tcp/tcp.h"

enum event_object { EVENT_NO_OBJECT, EVENT_CONNECTION, EVENT_REQUEST, EVENT_TIME_WAIT, EVENT_LISTENER };

/* Who an event is about. */
struct event_about {
    enum event_object kind;
    uint32_t object;
    const struct tuple *tuple;
    uint32_t tag; /* the tuple's hash */
    uint8_t iface;
};

/* What the functions below write while a trace is kept. */
uint64_t event_write_segment_in(struct tcp *t, const struct event_about *about, const struct wire_tcp *h,
                                uint32_t length, uint8_t scale);
void event_write_segment_out(struct tcp *t, const struct event_about *about, const struct wire_tcp *h, uint32_t length,
                             uint16_t reason, uint8_t state, uint8_t scale);
void event_write_state(struct tcp *t, const struct event_about *about, uint8_t before, uint8_t after, uint16_t reason);
void event_write_user(struct tcp *t, enum bk_event_kind kind, const struct event_about *about, uint8_t what,
                      int64_t length, uint8_t state);
void event_write_timer(struct tcp *t, const struct event_about *about, uint16_t reason, uint8_t state);

/* A segment that arrived. Its fate is not known yet: event_segment_fate completes the event, which so stands before
 * the state changes that the segment causes. Returns the event's position. */
static inline uint64_t event_segment_in(struct tcp *t, const struct event_about *about, const struct wire_tcp *h,
                                        uint32_t length, uint8_t scale) {
    return trace_on(&t->base) ? event_write_segment_in(t, about, h, length, scale) : 0;
}
void event_segment_fate(struct tcp *t, uint64_t position, uint16_t reason, uint8_t before, uint8_t after);
static inline void event_segment_out(struct tcp *t, const struct event_about *about, const struct wire_tcp *h,
                                     uint32_t length, uint16_t reason, uint8_t state, uint8_t scale) {
    if (trace_on(&t->base)) event_write_segment_out(t, about, h, length, reason, state, scale);
}
static inline void event_state(struct tcp *t, const struct event_about *about, uint8_t before, uint8_t after,
                               uint16_t reason) {
    if (trace_on(&t->base)) event_write_state(t, about, before, after, reason);
}
/* `what` is an enum bk_call or readiness bits, by kind. */
static inline void event_user(struct tcp *t, enum bk_event_kind kind, const struct event_about *about, uint8_t what,
                              int64_t length, uint8_t state) {
    if (trace_on(&t->base)) event_write_user(t, kind, about, what, length, state);
}
static inline void event_timer(struct tcp *t, const struct event_about *about, uint16_t reason, uint8_t state) {
    if (trace_on(&t->base)) event_write_timer(t, about, reason, state);
}

#endif
