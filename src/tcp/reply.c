/* Segments that belong to no connection record: see segment.h. */
#include "base/checksum.h"
#include "tcp/event.h"
#include "tcp/segment.h"
#include "wire/ip.h"

void reply_send(struct tcp *t, const struct reply *r) {
    struct base *b = &t->base;
    uint32_t id = frame_alloc_reply(b);
    if (id == BK_NONE) return;
    struct frame *f = frame_at(b, id);
    struct wire_tcp h;
    h.src_port = r->tuple->local_port;
    h.dst_port = r->tuple->remote_port;
    h.seq = r->seq;
    h.ack = r->ack;
    h.flags = r->flags;
    h.ae = false;
    h.window = r->window;
    h.checksum = h.urgent = 0;
    memcpy(&h.option, &r->option, offsetof(struct wire_tcp_options, sack)); /* without SACK blocks */
    uint32_t length = (uint32_t)wire_tcp_emit(f->header + FRAME_L4, &h);
    uint64_t sum = checksum_pseudo(&r->tuple->local, &r->tuple->remote, WIRE_TCP, length);
    wire_tcp_set_checksum(f->header + FRAME_L4, checksum_fold(sum));
    f->end = (uint16_t)(FRAME_L4 + length);
    f->l4_header_length = (uint16_t)length;
    f->src = r->tuple->local;
    f->dst = r->tuple->remote;
    f->protocol = WIRE_TCP;
    f->traffic_class = r->traffic_class;
    f->hop_limit = r->hop_limit;
    f->iface = r->iface;
    f->reason = r->reason;
    f->checksum = FRAME_CHECKSUM_PARTIAL;
    frame_queue_push(b, &t->replies, id);

    t->mib.out_segs++;
    if (r->flags & WIRE_RST) t->mib.out_rsts++;
    struct event_about about = {(enum event_object)r->object_kind, r->object, r->tuple, r->hash, r->iface};
    event_segment_out(t, &about, &h, 0, r->reason, r->state, r->scale);
}

void reply_reset(struct tcp *t, const struct segment *s, uint16_t reason) {
    struct reply r;
    reply_init(&r);
    r.tuple = &s->tuple;
    r.hash = s->hash;
    r.iface = s->packet->iface;
    r.reason = reason;
    r.object = BK_NONE;
    r.state = BK_CLOSED;
    if (segment_has(s, WIRE_ACK)) {
        r.flags = WIRE_RST;
        r.seq = s->header.ack;
    } else {
        r.flags = WIRE_RST | WIRE_ACK;
        r.ack = segment_end(s);
    }
    reply_send(t, &r);
}
