/* TIME-WAIT records: see time_wait.h. */
#include "tcp/time_wait.h"

#include "tcp/connection.h"
#include "tcp/lookup.h"
#include "tcp/options.h"
#include "tcp/port_map.h"
#include "wire/ip.h"

#define LINK offsetof(struct time_wait, link)

static demux_ref time_wait_ref(bool ipv6, uint32_t id) {
    return demux_ref_make(DEMUX_TIME_WAIT, ipv6, id);
}

static struct event_about time_wait_about(const struct time_wait *w, uint32_t id, const struct tuple *tuple) {
    return (struct event_about){EVENT_TIME_WAIT, id, tuple, w->hash, w->iface};
}

static void time_wait_list(struct tcp *t, bool ipv6, uint32_t id) {
    uint64_t expires = t->base.now + 2 * t->base.config.msl_ms * NS_PER_MS;
    time_wait_at(t, ipv6, id)->expires = expires;
    tcp_due(t, expires);
    list_push_tail(&t->base, &t->time_waits[ipv6], LINK, &t->time_wait_fifo[ipv6], id);
}

/* The record goes; its place in the table is another's, or given up, by then. */
static void time_wait_free(struct tcp *t, bool ipv6, uint32_t id, uint16_t reason) {
    struct time_wait *w = time_wait_at(t, ipv6, id);
    struct tuple tuple = time_wait_tuple(t, ipv6, id);
    struct event_about about = time_wait_about(w, id, &tuple);
    event_state(t, &about, BK_TIME_WAIT, BK_CLOSED, reason);
    list_remove(&t->base, &t->time_waits[ipv6], LINK, &t->time_wait_fifo[ipv6], id);
    pool_free(&t->base, &t->time_waits[ipv6], id);
}

static void time_wait_drop(struct tcp *t, bool ipv6, uint32_t id, uint16_t reason) {
    struct tuple tuple = time_wait_tuple(t, ipv6, id);
    port_map_leave(t, &tuple);
    demux_remove(&t->base, &t->demux, time_wait_at(t, ipv6, id)->hash, time_wait_ref(ipv6, id));
    time_wait_free(t, ipv6, id, reason);
}

/* The wait ends: its time is over, or something that is worth a count came first. */
static void time_wait_end(struct tcp *t, bool ipv6, uint32_t id, uint16_t note) {
    reason_count(&t->base, note);
    time_wait_drop(t, ipv6, id, note);
}

static void time_wait_answer(struct tcp *t, const struct time_wait *w, uint32_t id, const struct tuple *tuple,
                             uint16_t reason) {
    struct reply y = {
        .tuple = tuple,
        .hash = w->hash,
        .iface = w->iface,
        .flags = WIRE_ACK,
        .window = w->window,
        .scale = w->receive_scale,
        .reason = reason,
        .state = BK_TIME_WAIT,
        .object_kind = EVENT_TIME_WAIT,
        .object = id,
        .seq = w->snd_nxt,
        .ack = w->rcv_nxt,
        .traffic_class = w->traffic_class,
        .hop_limit = w->hop_limit,
    };
    if (w->timestamps) {
        y.option.has_timestamps = true;
        y.option.tsval = timestamp_now(t, w->ts_offset);
        y.option.tsecr = w->ts_recent;
    }
    reply_send(t, &y);
}

/* What a connection leaves behind, but for tuple and list. */
static void time_wait_fill(struct time_wait *w, const struct connection *c) {
    memset(w, 0, offsetof(struct time_wait, tuple));
    link_init(&w->link);
    w->hash = c->hash;
    w->snd_nxt = c->snd_nxt;
    w->rcv_nxt = c->rcv_nxt;
    w->ts_recent = c->ts_recent;
    w->ts_offset = c->ts_offset;
    w->ts_recent_s = c->ts_recent_s;
    w->window = (uint16_t)u32_min(connection_rcv_wnd(c) >> c->receive_scale, UINT16_MAX);
    w->iface = c->iface;
    w->receive_scale = c->receive_scale;
    w->timestamps = c->timestamps;
    w->traffic_class = c->traffic_class;
    w->hop_limit = c->hop_limit;
}

void time_wait_enter(struct tcp *t, struct connection *c, uint16_t reason, uint8_t news) {
    bool ipv6 = connection_is_ipv6(c);
    if (t->time_waits[ipv6].capacity == 0) { /* configured not to wait at all: their FIN is acknowledged once */
        struct time_wait now;
        time_wait_fill(&now, c);
        if (c->ack_owed != ACK_NONE) time_wait_answer(t, &now, BK_NONE, &c->tuple, c->ack_reason);
        if (news != 0) connection_hear(t, c, news);
        connection_end(t, c, 0, reason);
        return;
    }
    uint32_t id = pool_alloc(&t->base, &t->time_waits[ipv6]);
    if (id == BK_NONE) {
        time_wait_end(t, ipv6, t->time_wait_fifo[ipv6].head, BK_REASON_NOTE_TIME_WAIT_EVICTED);
        id = pool_alloc(&t->base, &t->time_waits[ipv6]);
    }
    struct time_wait *w = time_wait_at(t, ipv6, id);
    time_wait_fill(w, c);
    small_tuple_put(w->tuple, ipv6, &c->tuple);
    time_wait_list(t, ipv6, id);
    demux_replace(&t->base, &t->demux, c->hash, demux_ref_make(DEMUX_CONNECTION, ipv6, c->self),
                  time_wait_ref(ipv6, id));
    if (c->ack_owed != ACK_NONE) time_wait_answer(t, w, id, &c->tuple, c->ack_reason);
    connection_set_state(t, c, BK_TIME_WAIT, reason);
    connection_leave_table(t, c);
    /* Nothing more will happen to what is left here. */
    if (c->owned)
        connection_hear(t, c, news | BK_READY_CLOSED | BK_READY_READABLE | BK_READY_WRITABLE);
    else
        connection_free(t, c);
}

void time_wait_abort(struct tcp *t, const struct connection *c) {
    demux_ref ref = lookup_tuple(t, &c->tuple, c->hash);
    if (ref != DEMUX_NONE && demux_ref_kind(ref) == DEMUX_TIME_WAIT)
        time_wait_drop(t, demux_ref_ipv6(ref), demux_ref_id(ref), BK_REASON_SEND_RST_ABORT);
}

uint64_t time_wait_reusable_from(const struct tcp *t, demux_ref ref) {
    uint32_t mode = t->base.config.time_wait_reuse;
    if (ref == DEMUX_NONE || demux_ref_kind(ref) != DEMUX_TIME_WAIT || mode == BK_REUSE_NEVER) return BK_NEVER;
    bool ipv6 = demux_ref_ipv6(ref);
    const struct time_wait *w = time_wait_at(t, ipv6, demux_ref_id(ref));
    if (!w->timestamps || !t->base.config.timestamps) return BK_NEVER;
    if (mode == BK_REUSE_LOOPBACK) {
        struct tuple tuple = time_wait_tuple(t, ipv6, demux_ref_id(ref));
        if (!wire_addr_is_loopback(&tuple.remote)) return BK_NEVER;
    }
    /* The record was made, or the peer's FIN answered again, 2 MSL before it expires. */
    return w->expires - 2 * t->base.config.msl_ms * NS_PER_MS + TIME_WAIT_REUSE_NS;
}

void time_wait_take_over(struct tcp *t, demux_ref ref, struct connection *c) {
    bool ipv6 = demux_ref_ipv6(ref);
    const struct time_wait *w = time_wait_at(t, ipv6, demux_ref_id(ref));
    if (seq_le(c->iss, w->snd_nxt)) c->iss = w->snd_nxt + 1;
    c->ts_offset = w->ts_offset; /* its own, unless the secrets have changed since: the clock must go on rising */
    reason_count(&t->base, BK_REASON_NOTE_TIME_WAIT_REUSED);
    time_wait_free(t, ipv6, demux_ref_id(ref), BK_REASON_NOTE_TIME_WAIT_REUSED);
}

/* Whether a SYN shows itself to be newer than all of the old incarnation: by its timestamp (RFC 6191 2), or by its
 * sequence number (RFC 1122 4.2.2.13). */
static bool time_wait_syn_is_new(const struct tcp *t, const struct time_wait *w, const struct segment *s) {
    const struct wire_tcp_options *o = &s->header.option;
    if (o->has_timestamps && t->base.config.timestamps) {
        /* Whatever of an incarnation without timestamps is still under way will fail the new one's PAWS test. */
        if (!w->timestamps || seq_gt(o->tsval, w->ts_recent)) return true;
        if (o->tsval != w->ts_recent) return false;
    }
    return seq_gt(s->header.seq, w->rcv_nxt);
}

/* ACKs that answer anything but the peer's FIN are rare: one in challenge_ack_ms. */
static bool time_wait_may_answer(const struct tcp *t, struct time_wait *w) {
    uint32_t now_ms = (uint32_t)(t->base.now / NS_PER_MS);
    if (w->answered && (int32_t)(now_ms - w->answered_ms) < 0) return false;
    w->answered = true;
    w->answered_ms = now_ms + t->base.config.challenge_ack_ms;
    return true;
}

static uint16_t time_wait_challenge(struct tcp *t, struct time_wait *w, uint32_t id, const struct segment *s) {
    if (!time_wait_may_answer(t, w)) return BK_REASON_DROP_CHALLENGE_LIMIT;
    time_wait_answer(t, w, id, &s->tuple, BK_REASON_SEND_TIME_WAIT_CHALLENGE);
    return BK_REASON_ANSWER_TIME_WAIT;
}

/* TS.Recent (RFC 7323 4.3), from a segment that is not stale: a SYN that would end the wait must be newer. */
static void time_wait_update_ts_recent(const struct tcp *t, struct time_wait *w, const struct segment *s) {
    if (!w->timestamps || !s->header.option.has_timestamps) return;
    w->ts_recent = s->header.option.tsval;
    w->ts_recent_s = (uint32_t)(t->base.now / NS_PER_S);
}

uint16_t time_wait_input(struct tcp *t, bool ipv6, uint32_t id, const struct segment *s) {
    struct time_wait *w = time_wait_at(t, ipv6, id);
    if (segment_has(s, WIRE_RST)) return BK_REASON_DROP_RST_TIME_WAIT; /* RFC 1337 3, fix F1 */
    if (segment_has(s, WIRE_SYN) && !segment_has(s, WIRE_ACK)) {
        /* Nobody there to take it, or no room to: then the wait goes on, and the SYN comes again. */
        if (!time_wait_syn_is_new(t, w, s) || listener_find(t, &s->tuple.local, s->tuple.local_port) == NULL ||
            t->requests[ipv6].in_use == t->requests[ipv6].capacity)
            return time_wait_challenge(t, w, id, s);
        uint32_t above = w->snd_nxt;
        time_wait_end(t, ipv6, id, BK_REASON_NOTE_TIME_WAIT_REUSED);
        return segment_open_request(t, s, &above);
    }
    const struct wire_tcp_options *o = &s->header.option;
    bool stale = w->timestamps && o->has_timestamps && seq_lt(o->tsval, w->ts_recent);
    if (segment_has(s, WIRE_SYN) || stale) return time_wait_challenge(t, w, id, s);
    if (!segment_has(s, WIRE_ACK)) {
        /* The sequence number is looked at first (RFC 9293 3.10.7.4), here as in the other states. */
        if (!segment_acceptable(s, w->rcv_nxt, (uint32_t)w->window << w->receive_scale))
            return time_wait_challenge(t, w, id, s);
        return BK_REASON_DROP_NO_ACK;
    }
    if (seq_gt(s->header.ack, w->snd_nxt)) return time_wait_challenge(t, w, id, s); /* of something never sent */
    if (segment_has(s, WIRE_FIN) && segment_end(s) == w->rcv_nxt) {
        /* The peer's FIN again: our last ACK was lost. Acknowledge it, and wait anew. */
        time_wait_update_ts_recent(t, w, s);
        list_remove(&t->base, &t->time_waits[ipv6], LINK, &t->time_wait_fifo[ipv6], id);
        time_wait_list(t, ipv6, id);
        time_wait_answer(t, w, id, &s->tuple, BK_REASON_SEND_TIME_WAIT_ACK);
        return BK_REASON_ANSWER_TIME_WAIT_FIN;
    }
    if (s->length == 0 && s->header.seq == w->rcv_nxt) {
        time_wait_update_ts_recent(t, w, s);
        return BK_REASON_ACCEPT_ACK_OLD;
    }
    return time_wait_challenge(t, w, id, s);
}

uint64_t time_wait_next_deadline(const struct tcp *t) {
    uint64_t next = BK_NEVER;
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        uint32_t head = t->time_wait_fifo[ipv6].head;
        if (head != BK_NONE) next = u64_min(next, time_wait_at(t, ipv6, head)->expires);
    }
    return next;
}

void time_wait_advance(struct tcp *t) {
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        uint32_t id;
        while ((id = t->time_wait_fifo[ipv6].head) != BK_NONE && time_wait_at(t, ipv6, id)->expires <= t->base.now)
            time_wait_end(t, ipv6, id, BK_REASON_NOTE_TIME_WAIT_OVER);
    }
}
