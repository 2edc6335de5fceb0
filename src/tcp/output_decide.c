/* What to send next, and why. See output.h.
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
#include "tcp/frto.h"
#include "tcp/mtu_search.h"
#include "tcp/output.h"
#include "tcp/recovery.h"
#include "tcp/tail_probe.h"
#include "tcp/timeouts.h"

#define NOTHING ((struct output_decision){.reason = BK_REASON_NONE, .again = BK_NEVER})

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
    BK_ASSERT(c->mss != 0, "path_mtu.c leaves room for data");
    return max < c->mss ? c->mss : max - max % c->mss;
}

/* Whether pacing holds back what would leave now; then *d says until when. */
static bool pacing_holds(const struct tcp *t, const struct connection *c, struct output_decision *d) {
    uint64_t due = pacing_due(t, c);
    if (due <= t->base.now) return false;
    *d = (struct output_decision){.reason = BK_REASON_NONE, .again = due};
    return true;
}

/* How many of the n bytes from `seq` on may share segments: the rest of their record (BK_SEND_RECORD). */
static uint32_t of_one_record(const struct tcp *t, const struct connection *c, uint32_t seq, uint32_t n) {
    const struct active *a = active_of(t, c);
    if (!c->records || a == NULL || n == 0) return n;
    return extent_queue_record(&t->base, &a->send, seq, n, output_extent_hint(t, a, seq));
}

/* What was lost, again: as much of it as one unit, the windows and what was sent before allow. */
static struct output_decision decide_retransmission(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t id = a == NULL ? BK_NONE : scoreboard_next_lost(t, &a->board);
    /* F-RTO has sent new data instead, and waits for what that brings (RFC 5682 2.1 step 2.b). */
    if (id == BK_NONE || (a->recovery.frto == FRTO_NEW && seq_gt(c->snd_nxt, c->recover))) return NOTHING;
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

uint32_t output_amount(const struct tcp *t, const struct connection *c, const struct output_offer *o) {
    uint32_t n = u32_min(o->queued, o->usable);
    bool congested = n > o->room;
    /* A unit holds a segment at least. */
    if (congested || n > c->mss) n = u32_min(u32_min(n, o->room), pacing_unit(t, c, unit_max(t, c)));
    if (n == c->mss) return n;
    uint32_t tail = n < c->mss ? n : n % c->mss;
    if (tail == 0) return n;
    bool all = n == o->queued;
    /* A tail that the congestion window cut, or the unit, waits to be whole. Behind full segments of this very unit it is
     * not alone: Nagle would hold it, had they left before it. */
    bool go = o->probe     ? n < c->mss && all
              : n < c->mss ? !congested && small_may_go(c, n, all, o->closed)
                           : all && !congested && (c->nodelay || o->closed) && !(c->more && !o->closed);
    return go ? n : n - tail;
}

/* New data and FIN. */
static struct output_decision decide_new(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    bool probe = a != NULL && a->recovery.tail_now;
    /* What was lost goes first, but where F-RTO wants to see new data. */
    if (recovery_has_lost(t, c) && (a == NULL || !frto_new_first(t, a))) return NOTHING;
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
    const struct output_offer offer = {queued, usable, room, probe, closed};
    uint32_t n = output_amount(t, c, &offer);
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
    if (!recovery_has_lost(t, c)) return decide_new(t, c);
    const struct active *a = active_of(t, c);
    bool new_first = a != NULL && frto_new_first(t, a);
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

bool output_wanted(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    return c->ack_owed != ACK_NONE || seq_lt(c->snd_nxt, c->snd_end) || (c->fin_queued && !connection_fin_sent(c)) ||
           c->probe_now || recovery_has_lost(t, c) || (a != NULL && a->recovery.tail_now);
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
