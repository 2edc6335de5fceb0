/* What to send next, and why; then building it. See output.h.
 *
 * The order in which the question is asked:
 *
 *     1. SYN or SYN-ACK, in the embryonic states
 *     2. what was lost, again
 *     3. new data, as far as the peer's window (SWS avoidance, 3.8.6.2.1), the congestion window and Nagle let it; our FIN
 *     4. a probe that a timer asked for: tail loss, zero window, keep-alive
 *     5. an ACK that is owed
 *     6. otherwise, the earliest of the deadlines
 *
 * Any segment carries the ACK and the window, so whatever is sent settles 5 as well.
 */
#include "tcp/output.h"

#include "base/checksum.h"
#include "tcp/ecn.h"
#include "tcp/frto.h"
#include "tcp/mtu_search.h"
#include "tcp/options.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/segment.h"
#include "tcp/send_room.h"
#include "tcp/tail_probe.h"
#include "tcp/timeouts.h"
#include "tcp/undo.h"
#include "wire/ip.h"

#define NOTHING ((struct output_decision){.reason = BK_REASON_NONE, .again = BK_NEVER})

/* ---- deciding -------------------------------------------------------------------------------------- */

static struct output_decision decide_syn(const struct connection *c) {
    bool first = c->snd_nxt == c->iss;
    if (!first && !c->control_lost) return NOTHING;
    struct output_decision d = {.seq = c->iss, .flags = WIRE_SYN, .again = BK_NEVER};
    if (c->state != BK_SYN_SENT) {
        d.flags |= WIRE_ACK;
        d.reason = c->syn_answered ? BK_REASON_SEND_SYN_ACK_AGAIN : BK_REASON_SEND_SYN_ACK_SIMULTANEOUS;
    } else {
        d.reason = first ? BK_REASON_SEND_SYN : BK_REASON_SEND_SYN_AGAIN;
    }
    return d;
}

/* What has no record on the scoreboard, again: our SYN, before all that is behind it, or a FIN that is all that is outstanding. */
static struct output_decision decide_control(const struct connection *c) {
    if (!c->control_lost) return NOTHING;
    if (!c->syn_acked) return decide_syn(c);
    return (struct output_decision){
        .reason = BK_REASON_SEND_FIN_AGAIN, .flags = WIRE_ACK | WIRE_FIN, .seq = c->snd_end, .again = BK_NEVER};
}

/* The largest payload of one unit: whole segments, within what link and frame can hold. */
static uint32_t unit_max(const struct tcp *t, const struct connection *c) {
    uint32_t max = t->path[c->iface].unit_max;
    BK_ASSERT(c->mss != 0, "connection_set_mss leaves room for data");
    return max < c->mss ? c->mss : max - max % c->mss;
}

/* Whether pacing holds back what would leave now; then *d says until when. */
static bool pacing_holds(const struct tcp *t, const struct connection *c, struct output_decision *d) {
    uint64_t due = pacing_due(t, c);
    if (due <= t->base.now) return false;
    *d = (struct output_decision){.reason = BK_REASON_NONE, .again = due};
    return true;
}

/* An extent of the send queue at or before `seq`, from which it is found soon; BK_NONE: from the head. */
static uint32_t extent_hint(const struct tcp *t, const struct active *a, uint32_t seq) {
    uint32_t hint = a->send_hint;
    return hint != BK_NONE && seq_lt(seq, extent_at(&t->base, hint)->seq) ? BK_NONE : hint;
}

/* How many of the n bytes from `seq` on may share segments: the rest of their record (BK_SEND_RECORD). */
static uint32_t of_one_record(const struct tcp *t, const struct connection *c, uint32_t seq, uint32_t n) {
    const struct active *a = active_of(t, c);
    if (!c->records || a == NULL || n == 0) return n;
    return extent_queue_record(&t->base, &a->send, seq, n, extent_hint(t, a, seq));
}

/* Whether the byte before `end`, which is queued, is a record's last. */
static bool ends_record(const struct tcp *t, const struct connection *c, uint32_t end) {
    const struct active *a = active_of(t, c);
    if (!c->records || a == NULL) return false;
    const struct extent *e =
        extent_at(&t->base, extent_queue_find(&t->base, &a->send, end - 1, extent_hint(t, a, end - 1)));
    return e->ends_record && extent_end(e) == end;
}

static bool sends_new_first(const struct active *a) {
    return a != NULL && a->recovery.frto == FRTO_NEW;
}

/* What was lost, again: as much of it as one unit, the windows and what was sent before allow. */
static struct output_decision decide_retransmission(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t id = a == NULL ? BK_NONE : scoreboard_next_lost(t, &a->board);
    /* F-RTO has sent new data instead, and waits for what that brings (RFC 5682 2.1 step 2.b). */
    if (id == BK_NONE || (sends_new_first(a) && seq_gt(c->snd_nxt, c->recover))) return NOTHING;
    const struct sent_run *r = sent_at_id(t, id);
    uint32_t pipe = recovery_pipe(t, c);
    /* The first lost segment always goes; RFC 6298 5.4 and RFC 5681 3.2 step 3 ask for no window. */
    bool first = id == scoreboard_first(t, &a->board);
    uint32_t room = c->cwnd > pipe ? c->cwnd - pipe : 0;
    if (room < c->mss) {
        if (!first) return NOTHING;
        room = c->mss;
    }
    uint32_t window_left = c->snd_una + c->snd_wnd - r->seq;
    if (r->seq - c->snd_una >= c->snd_wnd) {
        if (!first) return NOTHING; /* the window was taken back: only the front is tried (RFC 9293 3.8.6, SHLD-17) */
        window_left = c->mss;
    }
    uint32_t text = sent_text(r), lost = text;
    /* The byte of a window probe takes along what was queued behind it. */
    if ((r->flags & SENT_PROBE) && r->end == c->snd_nxt && c->snd_wnd != 0)
        lost = u32_max(text, u32_min(c->mss, c->snd_end - r->seq));
    lost = of_one_record(t, c, r->seq, lost);
    uint32_t unit = pacing_unit(t, c, unit_max(t, c));
    uint32_t n = u32_min(u32_min(lost, unit), u32_min(room, u32_max(window_left, 1)));
    if (n < lost && n > c->mss) n -= n % c->mss; /* cut between segments */
    struct output_decision d = {
        .reason = c->rtx_reason, .flags = WIRE_ACK, .seq = r->seq, .length = n, .again = BK_NEVER};
    if ((r->flags & SENT_FIN) && n == text) {
        d.flags |= WIRE_FIN;
        if (n == 0 && d.reason == BK_REASON_SEND_RTO) d.reason = BK_REASON_SEND_FIN_AGAIN;
    }
    pacing_holds(t, c, &d);
    return d;
}

/* A tail loss probe for which there is no new data: the last segment again (RFC 8985 7.3). */
static struct output_decision decide_tail_probe(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t id = a == NULL || !a->recovery.tail_now ? BK_NONE : scoreboard_newest(t, &a->board);
    if (id == BK_NONE) return NOTHING;
    const struct sent_run *r = sent_at_id(t, id);
    if (!sent_in_flight(r->flags)) return NOTHING;
    uint32_t seq = r->segments == 1 ? r->seq : r->seq + (r->segments - 1) * r->mss;
    struct output_decision d = {.reason = BK_REASON_SEND_TAIL_PROBE,
                                .flags = WIRE_ACK,
                                .seq = seq,
                                .length = u32_min(r->seq + sent_text(r) - seq, c->mss),
                                .again = BK_NEVER};
    if ((r->flags & SENT_FIN) && d.seq + d.length == c->snd_end) d.flags |= WIRE_FIN;
    return d;
}

/* Whether `n` bytes, less than a full segment, may go now: SWS avoidance (RFC 9293 3.8.6.2.1) with Nagle (3.7.4). `all` is
 * whether they are everything that is queued in this record; `closed`, whether nothing will ever join that: more stands behind the record, or our FIN. */
static bool small_may_go(const struct connection *c, uint32_t n, bool all, bool closed) {
    if (all && closed) return true; /* nothing will ever join it */
    if (c->override_now) return true;
    bool idle = connection_outstanding(c) == 0;
    if (all && c->more) return false;
    if (all && (idle || c->nodelay)) return true;
    return (idle || c->nodelay) && n >= (c->max_snd_wnd + 1) / 2;
}

/* New data and FIN. */
static struct output_decision decide_new(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    bool probe = a != NULL && a->recovery.tail_now;
    /* What was lost goes first, but where F-RTO wants to see new data. */
    if (recovery_has_lost(t, c) && !sends_new_first(a)) return NOTHING;
    uint32_t queued = seq_lt(c->snd_nxt, c->snd_end) ? c->snd_end - c->snd_nxt : 0;
    bool fin_due = c->fin_queued && !connection_fin_sent(c);
    if (queued == 0 && !fin_due) return NOTHING;
    uint32_t outstanding = connection_outstanding(c);
    uint32_t usable = c->snd_wnd > outstanding ? c->snd_wnd - outstanding : 0; /* U */
    if (usable == 0) return NOTHING;
    uint32_t pipe = recovery_pipe(t, c);
    uint32_t room = c->cwnd > pipe ? c->cwnd - pipe : 0;
    bool wait;
    uint32_t large = mtu_search_probe(t, c, pipe, &wait);
    if (wait) return NOTHING;
    if (large != 0)
        return (struct output_decision){.reason = BK_REASON_SEND_MTU_PROBE,
                                        .flags = WIRE_ACK,
                                        .seq = c->snd_nxt,
                                        .length = large,
                                        .again = BK_NEVER};
    if (probe) room = c->mss; /* one segment, whatever cwnd says */
    if (pipe == 0) room = u32_max(room, c->mss);
    struct output_decision d = {.flags = WIRE_ACK, .seq = c->snd_nxt, .again = BK_NEVER, .reason = BK_REASON_SEND_FIN};
    if (queued == 0) { /* FIN alone: one number of window, and congestion windows count bytes of data */
        d.flags |= WIRE_FIN;
        return d;
    }
    /* A record's end is like the end of all data: nothing will join what is before it. */
    uint32_t record = of_one_record(t, c, c->snd_nxt, queued);
    bool closed = record < queued || c->fin_queued;
    fin_due = fin_due && record == queued;
    queued = record;
    uint32_t n = u32_min(queued, usable);
    bool congested = n > room;
    n = u32_min(u32_min(n, room), pacing_unit(t, c, unit_max(t, c)));
    uint32_t tail = n % c->mss;
    if (tail != 0) {
        bool all = n == queued;
        /* A tail that the congestion window cut, or the unit, waits to be whole. Behind full segments of this very unit it is
         * not alone: Nagle would hold it, had they left before it. */
        bool go = probe        ? n < c->mss && all
                  : n < c->mss ? !congested && small_may_go(c, n, all, closed)
                               : all && !congested && (c->nodelay || closed) && !(c->more && !closed);
        if (!go) n -= tail;
    }
    if (n == 0) return NOTHING;
    if (!probe && pacing_holds(t, c, &d)) return d;
    d.length = n;
    d.reason = BK_REASON_SEND_DATA;
    if (c->recovery == RECOVERY_DISORDER) d.reason = BK_REASON_SEND_LIMITED_TRANSMIT;
    if (probe) d.reason = BK_REASON_SEND_TAIL_PROBE;
    if (c->override_now && n < c->mss) d.reason = BK_REASON_SEND_DATA_OVERRIDE;
    if (n == queued && fin_due && usable > n) {
        d.flags |= WIRE_FIN;
        if (!probe) d.reason = BK_REASON_SEND_DATA_LAST;
    }
    return d;
}

/* What was lost, then what is new; for F-RTO the other way round. If nothing new may leave, for want of room or because a small segment has to wait,
 * repeating goes on (RFC 5682 2.1 step 2.b). */
static struct output_decision decide_text(const struct tcp *t, const struct connection *c) {
    bool new_first = sends_new_first(active_of(t, c));
    struct output_decision d = new_first ? decide_new(t, c) : decide_retransmission(t, c);
    if (d.reason != BK_REASON_NONE || d.again != BK_NEVER) return d;
    return new_first ? decide_retransmission(t, c) : decide_new(t, c);
}

/* Probes that a timer asked for. */
static struct output_decision decide_probe(const struct connection *c) {
    if (!c->probe_now) return NOTHING;
    struct output_decision d = {.flags = WIRE_ACK, .again = BK_NEVER};
    if (c->rtx_kind == RTX_PERSIST) {
        /* One byte beyond the window, new or the one probed with before; our FIN, when it is all that waits. */
        d.reason = BK_REASON_SEND_WINDOW_PROBE;
        d.seq = c->snd_una;
        if (c->snd_una != c->snd_end)
            d.length = 1;
        else
            d.flags |= WIRE_FIN;
    } else {
        d.reason = BK_REASON_SEND_KEEPALIVE;
        d.seq = c->snd_nxt - 1;
    }
    return d;
}

static struct output_decision decide_ack(const struct tcp *t, const struct connection *c) {
    if (c->ack_owed == ACK_NONE || (c->ack_owed == ACK_DELAYED && t->base.now < c->ack_due)) return NOTHING;
    return (struct output_decision){.reason = c->ack_reason, .flags = WIRE_ACK, .seq = c->snd_nxt, .again = BK_NEVER};
}

struct output_decision output_decide(const struct tcp *t, const struct connection *c) {
    struct output_decision d = NOTHING;
    uint64_t paced = BK_NEVER;
    switch ((enum bk_state)c->state) {
    case BK_SYN_SENT:
    case BK_SYN_RECEIVED:
        d = decide_syn(c);
        if (d.reason == BK_REASON_NONE && c->state == BK_SYN_RECEIVED) d = decide_ack(t, c);
        break;
    case BK_ESTABLISHED:
    case BK_FIN_WAIT_1:
    case BK_FIN_WAIT_2:
    case BK_CLOSE_WAIT:
    case BK_CLOSING:
    case BK_LAST_ACK:
        d = decide_control(c);
        if (d.reason == BK_REASON_NONE) d = decide_text(t, c);
        if (d.reason == BK_REASON_NONE) paced = d.again;
        if (d.reason == BK_REASON_NONE) d = decide_tail_probe(t, c);
        if (d.reason == BK_REASON_NONE) d = decide_probe(c);
        if (d.reason == BK_REASON_NONE) d = decide_ack(t, c);
        break;
    case BK_CLOSED:
    case BK_LISTEN:
    case BK_TIME_WAIT:
    case BK_STATES:
        return d;
    }
    if (d.reason == BK_REASON_NONE) d.again = u64_min(timeouts_next(c), paced);
    return d;
}

/* ---- building -------------------------------------------------------------------------------------- */

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

/* Adds the bytes [seq, seq + n) of the send queue to a frame, by reference. Returns how many the frame had room for. */
static uint32_t add_payload(struct tcp *t, struct connection *c, struct frame *f, uint32_t seq, uint32_t n) {
    struct base *b = &t->base;
    struct active *a = active_of(t, c);
    uint32_t id = extent_queue_find(b, &a->send, seq, extent_hint(t, a, seq)), done = 0;
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
    undo_sent(t, c, r->segments);
    if (sends_new_first(a)) a->recovery.frto = FRTO_OFF; /* there was nothing new to send */
    rate_sent(&a->rate, &r->mark, in_flight, d->length, t->base.now);
    if (first || d->reason == BK_REASON_SEND_TAIL_PROBE) timeouts_resent(t, c);
}

/* What has been sent is noted: SND.NXT, timers, counts. */
static void note_sent(struct tcp *t, struct connection *c, const struct output_decision *d) {
    uint64_t now = t->base.now;
    uint32_t end = d->seq + d->length + ((d->flags & WIRE_SYN) != 0) + ((d->flags & WIRE_FIN) != 0);
    bool again = seq_lt(d->seq, c->snd_nxt) && end != d->seq;
    uint32_t size = segment_size(t, c, d);
    uint32_t segments = d->length <= size ? 1 : (d->length + size - 1) / size; /* that the unit is cut to */
    c->segments_sent += segments;
    t->mib.out_segs += segments;
    c->bytes_sent += d->length;
    if (d->length != 0) path_mtu_sent(t, c, d->seq, d->length);
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
        c->bytes_retransmitted += d->length;
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
    if (d->flags & WIRE_ACK) {
        delayed_ack_sent(t, c, d->length != 0);
        c->ack_owed = ACK_NONE;
        c->ack_due = BK_NEVER;
        c->last_ack_sent = c->rcv_nxt;
    }
}

/* PSH (RFC 9293 3.9.1.2): at the end of what the user sent, unless more is to follow; at a record's end; and at the end of a unit of several
 * segments, for receivers that merge them hand them on at once. */
static bool is_pushed(const struct tcp *t, const struct connection *c, const struct output_decision *d) {
    uint32_t end = d->seq + d->length;
    bool waited = d->reason == BK_REASON_SEND_DATA_OVERRIDE;
    bool several = d->length > c->mss && d->reason != BK_REASON_SEND_MTU_PROBE;
    return (end == c->snd_end && (c->push || waited)) || several || ends_record(t, c, end);
}

static void build(struct tcp *t, struct connection *c, uint32_t frame, struct output_decision *d) {
    struct base *b = &t->base;
    struct frame *f = frame_at(b, frame);
    f->hop_limit = c->hop_limit;
    if (d->length != 0) {
        uint32_t held = add_payload(t, c, f, d->seq, d->length);
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
    uint32_t length = WIRE_TCP_LENGTH + (uint32_t)wire_tcp_options_length(&h.option);
    h.checksum = checksum_fold(checksum_pseudo(&c->tuple.local, &c->tuple.remote, WIRE_TCP, length + d->length));
    bool new_data = d->length != 0 && d->seq == c->snd_nxt && d->reason != BK_REASON_SEND_WINDOW_PROBE;
    ecn_sent(t, c, new_data, &h, f);
    wire_tcp_emit(f->header + FRAME_L4, &h);
    f->end = (uint16_t)(FRAME_L4 + length);
    f->l4_header_length = (uint16_t)length;
    f->src = c->tuple.local;
    f->dst = c->tuple.remote;
    f->protocol = WIRE_TCP;
    f->iface = c->iface;
    f->object = c->self;
    f->reason = d->reason;
    f->checksum = FRAME_CHECKSUM_PARTIAL;
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

uint32_t tcp_output_next(struct tcp *t, uint32_t iface) {
    struct list *output = &t->path[iface].output;
    while (output->head != BK_NONE) {
        struct connection *c = connection_at(t, output->head);
        if (connection_outstanding(c) == 0 && seq_lt(c->snd_nxt, c->snd_end)) congestion_idle(t, c);
        path_mtu_look(t, c);
        mtu_search_look(t, c);
        timeouts_prepare(t, c);
        struct output_decision d = output_decide(t, c);
        list_remove(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, output, c->self);
        if (d.reason == BK_REASON_NONE) {
            connection_arm(t, c, d.again);
            send_time_note(t, c);
            continue;
        }
        /* There may be more: it stands in line again, so that connections take turns. */
        list_push_tail(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, output, c->self);
        uint32_t frame = frame_alloc(&t->base);
        if (frame == BK_NONE) {
            reason_count(&t->base, BK_REASON_NOTE_NO_FRAME);
            connection_arm(t, c, timeouts_next(c));
            return BK_NONE;
        }
        build(t, c, frame, &d);
        note_sent(t, c, &d);
        /* The link may have room for no more: the timers run all the same. */
        connection_arm(t, c, timeouts_next(c));
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
