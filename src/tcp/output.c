/* Building what was decided: the frame, its options, its payload by reference; and what having sent it means. See output.h. */
#include "tcp/output.h"

#include "base/checksum.h"
#include "tcp/ecn.h"
#include "tcp/frto.h"
#include "tcp/mtu_search.h"
#include "tcp/options.h"
#include "tcp/ordinary.h"
#include "tcp/push.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/segment.h"
#include "tcp/send_room.h"
#include "tcp/tail_probe.h"
#include "tcp/timeouts.h"
#include "tcp/undo.h"
#include "wire/ip.h"

static void fill_options(const struct tcp *t, const struct connection *c, uint8_t flags, struct wire_tcp_options *o) {
    bool syn = flags & WIRE_SYN, answer = syn && (flags & WIRE_ACK);
    if (syn) {
        o->mss = c->mss_offered;
        o->has_wscale = answer ? c->receive_scale != 0 || c->send_scale != 0 : t->base.config.window_scaling;
        o->wscale = c->receive_scale;
        o->sack_permitted = answer ? c->sack : t->base.config.sack;
    }
    if (c->timestamps || (syn && !answer && t->base.config.timestamps)) {
        o->has_timestamps = true;
        o->tsval = timestamp_now(t, c->ts_offset);
        o->tsecr = flags & WIRE_ACK ? c->ts_recent : 0;
    }
    if (!syn) receive_state_sack_options(t, c, o);
}

uint32_t output_add_text(struct tcp *t, struct connection *c, struct frame *f, uint32_t seq, uint32_t n) {
    struct base *b = &t->base;
    struct active *a = active_of(t, c);
    uint32_t id = extent_queue_find(b, &a->send, seq, output_extent_hint(t, a, seq)), done = 0;
    for (;;) {
        const struct extent *e = extent_at(b, id);
        uint32_t skip = seq + done - e->seq;
        uint32_t take = u32_min(n - done, e->length - skip);
        if (!frame_add_part(b, f, e->chunk, (uint16_t)(e->offset + skip), (uint16_t)take)) break;
        done += take;
        a->send_hint = id;
        if (done == n) break;
        id = e->next;
    }
    return done;
}

/* A frame that ran out of parts sends whole segments, or what it holds if that is less than one. */
static void shorten(const struct connection *c, struct output_decision *d, uint32_t held) {
    d->length = held > c->mss ? held - held % c->mss : held;
    d->flags &= (uint8_t)~WIRE_FIN;
    if (d->reason == BK_REASON_SEND_DATA_LAST || d->reason == BK_REASON_SEND_MTU_PROBE) d->reason = BK_REASON_SEND_DATA;
}

static void trim_parts(struct base *b, struct frame *f, uint32_t length) {
    while (f->payload_length > length) {
        struct bk_part *last = &f->part[f->part_count - 1];
        uint32_t cut = u32_min(f->payload_length - length, last->length);
        last->length = (uint16_t)(last->length - cut);
        f->payload_length -= cut;
        if (last->length == 0) {
            chunk_release(b, last->chunk);
            f->part_count--;
        }
    }
}

/* What a timer asked for may leave late, if the device was full: the next time counts from now (RFC 6298 5.6), or it would be due at once. */
static void restart_late(struct connection *c, const struct output_decision *d, bool again, uint64_t now) {
    if (d->reason == BK_REASON_SEND_KEEPALIVE) {
        if (c->keepalive_due <= now) c->keepalive_due = now + c->keepalive_interval_s * NS_PER_S;
    } else if ((again || d->reason == BK_REASON_SEND_WINDOW_PROBE) && c->rtx_due <= now) {
        c->rtx_due = now + rtt_rto_ns(c);
    }
}

/* The payload of each segment that a unit is cut to: SACK blocks take of its room. A probe of the path's MTU is not cut. */
static uint32_t segment_size(const struct tcp *t, const struct connection *c, const struct output_decision *d) {
    if (d->reason == BK_REASON_SEND_MTU_PROBE) return d->length;
    return c->mss - u32_min(receive_state_option_bytes(t, c), c->mss - 1u);
}

/* New text, and our FIN, is put on the scoreboard. A FIN alone for which no active record is to be had goes without (control_lost). */
static void note_new(struct tcp *t, struct connection *c, const struct output_decision *d, uint32_t end,
                     uint16_t size) {
    uint32_t in_flight = recovery_pipe(t, c);
    struct active *a = d->flags & WIRE_SYN ? NULL : connection_activate(t, c);
    if (c->snd_nxt == c->snd_una) c->progress_at = t->base.now;
    if (a != NULL) push_sent(c, a, d->seq + d->length);
    c->snd_nxt = end;
    if ((c->news & BK_NEWS_PROGRESS) && d->length != 0) connection_hear(t, c, BK_READY_PROGRESS);
    if (a != NULL) {
        uint32_t id = scoreboard_append(t, &a->board, d->seq, d->length, d->flags & WIRE_FIN, size);
        struct sent_run *r = sent_at_id(t, id);
        if (d->reason == BK_REASON_SEND_WINDOW_PROBE) {
            r->flags |= SENT_PROBE;
            rate_app_limit(&a->rate, in_flight); /* how fast probes are answered says nothing of the path */
        }
        if (d->reason == BK_REASON_SEND_MTU_PROBE) mtu_search_sent(t, c, id, d->length);
        rate_sent(&a->rate, &r->mark, in_flight, d->length, t->base.now);
    }
    congestion_sent(t, c, recovery_pipe(t, c));
    if (c->unsent_low != UINT32_MAX) send_room_came(t, c);
    timeouts_sent(t, c);
}

/* What was sent before has left again. */
static void note_again(struct tcp *t, struct connection *c, const struct output_decision *d, uint32_t end,
                       uint16_t size) {
    struct active *a = active_of(t, c);
    if ((d->flags & WIRE_SYN) || a == NULL || a->board.records == 0) {
        c->control_lost = false;
        timeouts_resent(t, c);
        return;
    }
    uint32_t in_flight = recovery_pipe(t, c);
    uint32_t id = d->reason == BK_REASON_SEND_TAIL_PROBE ? scoreboard_last_segment(t, &a->board)
                                                         : scoreboard_find(t, &a->board, d->seq);
    bool first = id == scoreboard_first(t, &a->board);
    if (seq_gt(end, c->snd_nxt)) {
        scoreboard_extend(t, &a->board, id, end, d->flags & WIRE_FIN);
        c->snd_nxt = end;
    }
    scoreboard_resend(t, &a->board, id, end, size);
    struct sent_run *r = sent_at_id(t, id);
    undo_sent(t, c, d->seq, end);
    if (a->recovery.frto == FRTO_NEW) a->recovery.frto = FRTO_OFF; /* there was nothing new to send */
    rate_sent(&a->rate, &r->mark, in_flight, d->length, t->base.now);
    if (first || d->reason == BK_REASON_SEND_TAIL_PROBE) timeouts_resent(t, c);
}

void output_acked(struct tcp *t, struct connection *c, bool text) {
    delayed_ack_sent(t, c, text);
    c->ack_owed = ACK_NONE;
    c->ack_due = BK_NEVER;
    c->last_ack_sent = c->rcv_nxt;
}

/* What has been sent is noted: SND.NXT, timers, counts. */
static void note_sent(struct tcp *t, struct connection *c, const struct output_decision *d) {
    uint64_t now = t->base.now;
    uint32_t text_end = d->seq + ((d->flags & WIRE_SYN) != 0) + d->length;
    uint32_t end = text_end + ((d->flags & WIRE_FIN) != 0);
    bool again = seq_lt(d->seq, c->snd_nxt) && end != d->seq;
    uint32_t size = segment_size(t, c, d);
    uint32_t segments = d->length <= size ? 1 : (d->length + size - 1) / size; /* that the unit is cut to */
    c->segments_sent += segments;
    t->mib.out_segs += segments;
    if (d->length != 0) {
        c->data_segments_sent += segments;
        path_mtu_sent(t, c, d->seq, d->length);
    }
    if (end != d->seq) {
        c->sent_at = now;
        if (c->rtx_kind == RTX_OVERRIDE) {
            c->rtx_kind = RTX_RETRANSMIT;
            c->rtx_due = BK_NEVER;
        }
        c->override_now = false;
    }
    if (again) {
        c->segments_retransmitted += segments;
        t->mib.retrans_segs += segments;
        c->bytes_retransmitted += d->length - (seq_gt(text_end, c->snd_nxt) ? text_end - c->snd_nxt : 0);
        note_again(t, c, d, end, (uint16_t)size);
    } else if (end != d->seq) {
        note_new(t, c, d, end, (uint16_t)size);
    }
    if (end != d->seq && c->active != BK_NONE) prr_sent(&active_of(t, c)->recovery.prr, d->length);
    if (d->length != 0) pacing_sent(t, c, d->length);
    if (d->reason == BK_REASON_SEND_TAIL_PROBE) {
        tail_probe_sent(t, c, again);
        timeouts_resent(t, c);
    }
    restart_late(c, d, again, now);
    if (d->reason == BK_REASON_SEND_WINDOW_PROBE || d->reason == BK_REASON_SEND_KEEPALIVE) c->probe_now = false;
    if (c->state == BK_SYN_RECEIVED && (d->flags & WIRE_SYN)) c->syn_answered = true;
    if (d->flags & WIRE_ACK) output_acked(t, c, d->length != 0);
}

/* Whether the byte before `end`, which is queued, is a record's last. */
static bool ends_record(const struct tcp *t, const struct connection *c, uint32_t end) {
    const struct active *a = active_of(t, c);
    if (!c->records || a == NULL) return false;
    const struct extent *e =
        extent_at(&t->base, extent_queue_find(&t->base, &a->send, end - 1, output_extent_hint(t, a, end - 1)));
    return e->ends_record && extent_end(e) == end;
}

/* See push.h. */
static bool is_pushed(const struct tcp *t, const struct connection *c, const struct output_decision *d) {
    uint32_t end = d->seq + d->length;
    bool waited = d->reason == BK_REASON_SEND_DATA_OVERRIDE;
    bool several = d->length > c->mss && d->reason != BK_REASON_SEND_MTU_PROBE;
    return (end == c->snd_end && (c->push || waited)) || several || ends_record(t, c, end) ||
           push_marked(t, c, d->seq, d->length);
}

static void build(struct tcp *t, struct connection *c, uint32_t frame, struct output_decision *d) {
    struct base *b = &t->base;
    struct frame *f = frame_at(b, frame);
    if (d->length != 0) {
        uint32_t held = output_add_text(t, c, f, d->seq, d->length);
        if (held != d->length) {
            shorten(c, d, held);
            trim_parts(b, f, d->length);
        }
    }
    struct wire_tcp h = {
        .src_port = c->tuple.local_port,
        .dst_port = c->tuple.remote_port,
        .seq = d->seq,
        .ack = d->flags & WIRE_ACK ? c->rcv_nxt : 0,
        .flags = d->flags,
    };
    h.window = receive_window_offer(t, c, d->flags & WIRE_SYN);
    fill_options(t, c, d->flags, &h.option);
    if (c->urgent_out && d->length != 0 && seq_gt(c->snd_up, d->seq) && c->snd_up - d->seq <= UINT16_MAX) {
        h.flags |= WIRE_URG;
        h.urgent = (uint16_t)(c->snd_up - d->seq);
    }
    if (d->length != 0 && is_pushed(t, c, d)) h.flags |= WIRE_PSH;
    bool new_data = d->length != 0 && d->seq == c->snd_nxt && d->reason != BK_REASON_SEND_WINDOW_PROBE;
    ecn_sent(t, c, new_data, &h, f);
    uint32_t length = (uint32_t)wire_tcp_emit(f->header + FRAME_L4, &h);
    uint64_t sum = checksum_pseudo(&c->tuple.local, &c->tuple.remote, WIRE_TCP, length + d->length);
    wire_tcp_set_checksum(f->header + FRAME_L4, checksum_fold(sum));
    output_address(c, f, length, d->reason);
    if (path_mtu_fragments(c)) {
        /* One number for each packet, from an unknown beginning (RFC 6864 4.3). */
        f->flags |= FRAME_MAY_FRAGMENT;
        f->ip_id = (uint16_t)(c->hash + c->segments_sent);
    }
    uint32_t size = segment_size(t, c, d);
    f->gso_size = d->length > size ? (uint16_t)size : 0;
    struct event_about about = connection_about(c);
    event_segment_out(t, &about, &h, d->length, d->reason, c->state, c->receive_scale);
}

/* What must be known, and noted, before the decision. */
static void prepare(struct tcp *t, struct connection *c) {
    if (connection_outstanding(c) == 0 && seq_lt(c->snd_nxt, c->snd_end)) congestion_idle(t, c);
    path_mtu_look(t, c);
    mtu_search_look(t, c);
    timeouts_prepare(t, c);
}

/* Nothing leaves now: it steps out of the line, until something happens to it or the time `again` has come. */
static void step_out(struct tcp *t, struct connection *c, uint64_t again) {
    list_remove(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, &t->path[c->iface].output, c->self);
    push_waits(t, c);
    connection_arm(t, c, again);
    send_time_note(t, c);
}

/* There may be more: it stands in line again, so that connections take turns. The link may have room for no more: the timers run all the same. */
static void stand_again(struct tcp *t, struct connection *c) {
    list_move_tail(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, &t->path[c->iface].output, c->self);
    connection_arm(t, c, timeouts_next(c));
}

uint32_t tcp_output_next(struct tcp *t, uint32_t iface) {
    struct list *output = &t->path[iface].output;
    while (output->head != BK_NONE) {
        struct connection *c = connection_at(t, output->head);
        uint32_t ordinary = BK_NONE;
        enum ordinary_answer answer = BK_FAST ? ordinary_output(t, c, &ordinary) : ORDINARY_NOT;
        if (answer == ORDINARY_SENT) return ordinary;
        if (answer == ORDINARY_NOTHING) continue;
        prepare(t, c);
        struct output_decision d = output_decide(t, c);
        if (d.reason == BK_REASON_NONE) {
            step_out(t, c, d.again);
            continue;
        }
        uint32_t frame = frame_alloc(&t->base);
        if (frame == BK_NONE) {
            reason_count(&t->base, BK_REASON_NOTE_NO_FRAME);
            stand_again(t, c);
            return BK_NONE;
        }
        build(t, c, frame, &d);
        note_sent(t, c, &d);
        if (output_wanted(t, c))
            stand_again(t, c);
        else
            step_out(t, c, timeouts_next(c));
        return frame;
    }
    return BK_NONE;
}

void output_reset(struct tcp *t, const struct connection *c, uint16_t reason) {
    /* Once there is a peer's sequence number every segment acknowledges it (RFC 9293 3.1, ACK). */
    struct reply r = {
        .tuple = &c->tuple,
        .hash = c->hash,
        .iface = c->iface,
        .flags = WIRE_RST | WIRE_ACK,
        .traffic_class = c->traffic_class,
        .reason = reason,
        .state = c->state,
        .object_kind = EVENT_CONNECTION,
        .object = c->self,
        .seq = c->snd_nxt,
        .ack = c->rcv_nxt,
        .hop_limit = c->hop_limit,
    };
    if (c->timestamps) { /* RFC 7323 3.2: SHOULD be in a RST, too */
        r.option.has_timestamps = true;
        r.option.tsval = timestamp_now(t, c->ts_offset);
        r.option.tsecr = c->ts_recent;
    }
    reply_send(t, &r);
}
