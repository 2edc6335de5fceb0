/* Whom an arriving segment is for: parse the header, look the 4-tuple up, hand it to the record that is there. See tcp.h. */
#include "tcp/connection.h"
#include "tcp/lookup.h"
#include "tcp/request.h"
#include "tcp/segment.h"
#include "tcp/time_wait.h"

/* The state that a record's events are traced in. */
static uint8_t state_of(const struct tcp *t, demux_ref ref) {
    if (ref == DEMUX_NONE) return BK_CLOSED;
    switch (demux_ref_kind(ref)) {
    case DEMUX_REQUEST:
        return BK_SYN_RECEIVED;
    case DEMUX_TIME_WAIT:
        return BK_TIME_WAIT;
    case DEMUX_CONNECTION:
        break;
    }
    return connection_at(t, demux_ref_id(ref))->state;
}

static uint16_t dispatch(struct tcp *t, demux_ref ref, const struct segment *s) {
    if (ref == DEMUX_NONE) return segment_arrives_listen(t, s);
    switch (demux_ref_kind(ref)) {
    case DEMUX_REQUEST:
        return request_input(t, demux_ref_ipv6(ref), demux_ref_id(ref), s);
    case DEMUX_TIME_WAIT:
        return time_wait_input(t, demux_ref_ipv6(ref), demux_ref_id(ref), s);
    case DEMUX_CONNECTION:
        break;
    }
    return segment_arrives(t, connection_at(t, demux_ref_id(ref)), s);
}

/* Parses the header and says what is wrong with it, if anything. */
static uint16_t parse(const struct tcp *t, struct packet *p, struct segment *s) {
    uint8_t scratch[WIRE_TCP_LENGTH_MAX];
    uint32_t n = u32_min(p->length, WIRE_TCP_LENGTH_MAX);
    uint16_t reason = wire_tcp_parse(packet_bytes(&t->base, p, 0, n, scratch), n, &s->header);
    if (reason != BK_REASON_NONE) return reason;
    if (s->header.src_port == 0 || s->header.dst_port == 0) return BK_REASON_DROP_BAD_PORT;
    if (p->pushed) s->header.flags |= WIRE_PSH;
    s->packet = p;
    s->tuple = (struct tuple){p->dst, p->src, s->header.dst_port, s->header.src_port};
    s->data_length = p->length - s->header.header_length;
    s->length = s->data_length + segment_has(s, WIRE_SYN) + segment_has(s, WIRE_FIN);
    return BK_REASON_NONE;
}

/* Each frame's segment has an event of its own, also where several have become one packet: what arrived is what a person wants to see. */
static void trace_in(struct tcp *t, const struct event_about *about, struct segment *s, uint8_t scale) {
    const struct packet *p = s->packet;
    if (p->joined == 0) {
        s->event = event_segment_in(t, about, &s->header, s->data_length, scale);
        return;
    }
    struct wire_tcp h = s->header;
    for (uint32_t i = 0; i <= p->joined; i++) {
        uint32_t before = i * p->gso_size;
        h.seq = s->header.seq + before;
        h.flags = i == p->joined ? s->header.flags : s->header.flags & (uint8_t)~WIRE_PSH;
        uint64_t event = event_segment_in(t, about, &h, u32_min(p->gso_size, s->data_length - before), scale);
        if (i == 0) s->event = event;
    }
}

static void trace_fate(struct tcp *t, const struct segment *s, uint16_t reason, uint8_t before) {
    uint8_t after = state_of(t, lookup_tuple(t, &s->tuple, s->hash));
    for (uint32_t i = 0; i <= s->packet->joined; i++) event_segment_fate(t, s->event + i, reason, before, after);
}

static uint16_t dispatch_traced(struct tcp *t, demux_ref ref, struct segment *s) {
    struct event_about about = {EVENT_NO_OBJECT, BK_NONE, &s->tuple, s->hash, s->packet->iface};
    uint8_t scale = 0;
    if (ref != DEMUX_NONE) {
        about.kind = (enum event_object)(EVENT_CONNECTION + demux_ref_kind(ref));
        about.object = demux_ref_id(ref);
        if (demux_ref_kind(ref) == DEMUX_CONNECTION) scale = connection_at(t, about.object)->send_scale;
    }
    uint8_t before = state_of(t, ref);
    trace_in(t, &about, s, scale);
    uint16_t reason = dispatch(t, ref, s);
    trace_fate(t, s, reason, before);
    return reason;
}

uint16_t tcp_input(struct tcp *t, struct packet *p) {
    struct segment s;
    t->mib.in_segs += 1 + p->joined;
    uint16_t reason = parse(t, p, &s);
    if (reason != BK_REASON_NONE) {
        t->mib.in_errs += 1 + p->joined;
        return reason;
    }
    /* RFC 4022 counts what was on the wire: a frame that the device merged is as many segments as there were. */
    if (p->joined == 0 && p->gso_size != 0 && s.data_length > p->gso_size)
        t->mib.in_segs += (s.data_length - 1) / p->gso_size;
    demux_ref ref = lookup_segment(t, p, &s.tuple, &s.hash);
    return trace_on(&t->base) ? dispatch_traced(t, ref, &s) : dispatch(t, ref, &s);
}
