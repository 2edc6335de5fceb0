/* Trace events: see event.h. */
#include "tcp/event.h"

static struct bk_event event_make(const struct tcp *t, enum bk_event_kind kind, const struct event_about *about) {
    return (struct bk_event){
        .time = t->base.now,
        .kind = (uint8_t)kind,
        .object = about->object,
        .object_kind = about->kind,
        .iface = about->iface,
        .local_port = about->tuple->local_port,
        .remote_port = about->tuple->remote_port,
        .remote_tag = about->tag,
        .wscale = UINT8_MAX,
        .family = addr_is_ipv4(&about->tuple->remote) ? 4 : 6,
    };
}

static void event_header(struct bk_event *e, const struct wire_tcp *h, uint32_t length, uint8_t scale) {
    e->tcp_flags = h->flags;
    e->seq = h->seq;
    e->ack = h->flags & WIRE_ACK ? h->ack : 0;
    e->wnd = (uint32_t)h->window << (h->flags & WIRE_SYN ? 0 : scale);
    e->len = length;
    if (h->option.has_timestamps) {
        e->tsval = h->option.tsval;
        e->tsecr = h->option.tsecr;
    }
    if (h->flags & WIRE_SYN) {
        e->mss = h->option.mss;
        if (h->option.has_wscale) e->wscale = h->option.wscale;
    }
}

uint64_t event_write_segment_in(struct tcp *t, const struct event_about *about, const struct wire_tcp *h,
                                uint32_t length, uint8_t scale) {
    struct bk_event e = event_make(t, BK_EVENT_SEGMENT_IN, about);
    event_header(&e, h, length, scale);
    trace_write(&t->base, &e);
    return t->base.trace.written - 1;
}

void event_segment_fate(struct tcp *t, uint64_t position, uint16_t reason, uint8_t before, uint8_t after) {
    struct trace_ring *r = &t->base.trace;
    if (!trace_on(&t->base) || r->written - position > r->capacity) return;
    struct bk_event *ring = (struct bk_event *)(void *)((uint8_t *)t + r->offset);
    struct bk_event *e = &ring[position & (r->capacity - 1)];
    e->reason = reason;
    e->state_before = before;
    e->state = after;
}

void event_write_segment_out(struct tcp *t, const struct event_about *about, const struct wire_tcp *h, uint32_t length,
                             uint16_t reason, uint8_t state, uint8_t scale) {
    struct bk_event e = event_make(t, BK_EVENT_SEGMENT_OUT, about);
    event_header(&e, h, length, scale);
    e.reason = reason;
    e.state_before = e.state = state;
    trace_write(&t->base, &e);
}

void event_write_state(struct tcp *t, const struct event_about *about, uint8_t before, uint8_t after, uint16_t reason) {
    struct bk_event e = event_make(t, BK_EVENT_STATE, about);
    e.state_before = before;
    e.state = after;
    e.reason = reason;
    trace_write(&t->base, &e);
}

void event_write_user(struct tcp *t, enum bk_event_kind kind, const struct event_about *about, uint8_t what,
                      int64_t length, uint8_t state) {
    struct bk_event e = event_make(t, kind, about);
    e.call = what;
    e.len = (uint32_t)(length < 0 ? -length : length);
    e.state_before = e.state = state;
    trace_write(&t->base, &e);
}

void event_write_timer(struct tcp *t, const struct event_about *about, uint16_t reason, uint8_t state) {
    struct bk_event e = event_make(t, BK_EVENT_TIMER, about);
    e.reason = reason;
    e.state_before = e.state = state;
    trace_write(&t->base, &e);
}
