/* The ordinary segment that arrives. See ordinary.h. */
#include "tcp/acknowledge.h"
#include "tcp/ordinary.h"
#include "tcp/rtt.h"
#include "tcp/send_room.h"
#include "tcp/timeouts.h"

/* The segment is what the connection expects next (RFC 9293 3.10.7.4 first to fifth, RFC 7323 5.3, RFC 5961). */
static bool is_expected(const struct connection *c, const struct segment *s) {
    const struct wire_tcp *h = &s->header;
    return c->state == BK_ESTABLISHED && (h->flags & ~WIRE_PSH) == WIRE_ACK && h->seq == c->rcv_nxt &&
           s->data_length <= connection_rcv_wnd(c) && h->ack - c->snd_una <= connection_outstanding(c) &&
           h->option.has_timestamps == c->timestamps && !c->fin_known &&
           (!c->timestamps || seq_ge(h->option.tsval, c->ts_recent));
}

/* Whether what the ACK covers stands at the front of the list by time, in order, each record sent once and as a whole; and what is behind it was not
 * sent before it, so that nothing looks lost to RACK. */
static bool covers_the_front(const struct tcp *t, const struct active *a, uint32_t una, uint32_t ack) {
    uint32_t id = a->board.by_time.head, at = una;
    struct rack rack = a->rack;
    while (at != ack) {
        if (id == BK_NONE) return false;
        const struct sent_run *r = sent_at_id(t, id);
        if (r->seq != at || (r->flags & ~SENT_FIN) != 0) return false;
        at = seq_min(r->end, ack);
        rack_update(&rack, r->sent_at, at, t->base.now);
        if (at == r->end) id = r->time_link.next;
    }
    if (id == BK_NONE) return true;
    const struct sent_run *next = sent_at_id(t, id);
    return !rack_sent_after(rack.sent_at, rack.end, next->sent_at, next->end);
}

/* What the records that the ACK covers tell. */
struct covered {
    uint32_t delivered;      /* bytes */
    uint64_t oldest, newest; /* when they had left; 0: none is covered */
};

static void take_records(struct tcp *t, struct connection *c, struct active *a, uint32_t ack, struct rate_sample *rate,
                         struct covered *n) {
    uint64_t now = t->base.now;
    for (uint32_t id; (id = a->board.by_time.head) != BK_NONE;) {
        const struct sent_run *r = sent_at_id(t, id);
        if (seq_ge(r->seq, ack)) return;
        uint32_t to = seq_min(ack, r->end), bytes = to - r->seq - (to == r->end && (r->flags & SENT_FIN));
        n->delivered += bytes;
        if (n->newest == 0) n->oldest = u64_max(r->sent_at, 1);
        n->newest = u64_max(n->newest, u64_max(r->sent_at, 1));
        rack_update(&a->rack, r->sent_at, to, now);
        rate_delivered(&a->rate, rate, &r->mark, r->sent_at, to, bytes, false, now);
        c->delivered_segments += scoreboard_acked_front(t, &a->board, id, ack);
    }
}

/* Takes acknowledged text off the send queue and moves SND.UNA: acknowledge.c's advance. */
static void advance(struct tcp *t, struct connection *c, struct active *a, uint32_t ack) {
    uint32_t bytes = ack - c->snd_una - (ack == c->snd_end + 1 && c->fin_queued);
    c->snd_una = ack;
    if (bytes != 0 && a->send_hint != BK_NONE && seq_le(extent_end(extent_at(&t->base, a->send_hint)), ack))
        a->send_hint = BK_NONE;
    extent_queue_consume(&t->base, &a->send, bytes);
    c->bytes_acked += bytes;
    if (bytes != 0 && (c->news & BK_NEWS_PROGRESS)) connection_hear(t, c, BK_READY_PROGRESS);
    c->retransmits = 0;
    c->soft_error = 0;
    c->probes = 0;
    c->progress_at = t->base.now;
    path_mtu_acked(t, c);
    connection_grow_send_buffer(t, c);
    send_room_came(t, c);
}

/* What the ACK says about path and window: recovery.c's recovery_acked, where nothing is missing. */
static void learn(struct tcp *t, struct connection *c, struct active *a, uint32_t prior_pipe, struct rate_sample *rate,
                  const struct covered *n) {
    uint64_t now = t->base.now;
    if (n->newest != 0) {
        rtt_newest(c, now - n->newest);
        rtt_sample(t, c, (now - n->oldest) / NS_PER_US);
    }
    a->rack.fack = c->snd_una;
    if (a->rack.dsack_round_on && seq_ge(c->snd_una, a->rack.dsack_round)) a->rack.dsack_round_on = false;
    if (c->sack && a->rack.sent_at != 0 && a->board.by_time.head != BK_NONE) a->board.visits++; /* rack_detect's look */
    if (seq_gt(c->snd_una, c->recover)) c->recover = c->snd_una - 1;
    rate_take(&a->rate, rate, c->min_rtt_us);
    const struct congestion_sample sample = {
        .now = now,
        .acked = n->delivered,
        .prior_in_flight = prior_pipe,
        .in_flight = a->board.bytes,
        .rtt_us = n->newest == 0 ? 0 : (uint32_t)u64_min((now - n->newest) / NS_PER_US, UINT32_MAX),
        .grow = true,
        .rate = rate,
    };
    congestion_acked(t, c, &sample);
}

/* Without an active record nothing is outstanding but perhaps our FIN, and an ACK that does not cover it tells of the window alone. */
static uint16_t take_bare_ack(struct tcp *t, struct connection *c, const struct segment *s) {
    bool window_changed = acknowledge_window_news(t, c, s);
    timeouts_acked(t, c, false);
    return window_changed ? BK_REASON_ACCEPT_WINDOW_UPDATE : BK_REASON_ACCEPT_ACK_OLD;
}

/* One that tells neither by SEG.LEN nor by SEG.ACK is something else: a duplicate ACK, or a change of the window. */
uint16_t ordinary_acknowledge(struct tcp *t, struct connection *c, const struct segment *s) {
    struct active *a = active_of(t, c);
    uint32_t ack = s->header.ack;
    bool advances = ack != c->snd_una;
    if ((!advances && s->length == 0) || (c->sack && s->header.option.sack_count != 0)) return BK_REASON_NONE;
    if (a == NULL) {
        bool bare = !advances && c->odd == 0 && c->syn_acked && c->rtx_kind != RTX_PERSIST;
        return bare ? take_bare_ack(t, c, s) : BK_REASON_NONE;
    }
    if (!connection_is_ordinary(t, c, a) || !covers_the_front(t, a, c->snd_una, ack)) return BK_REASON_NONE;
    uint32_t prior_pipe = a->board.bytes;
    struct rate_sample rate;
    struct covered n = {0};
    congestion_supply(t, c);
    rate_begin(&a->rate, &rate);
    if (advances) {
        take_records(t, c, a, ack, &rate, &n);
        advance(t, c, a, ack);
    }
    bool window_changed = acknowledge_window_news(t, c, s);
    learn(t, c, a, prior_pipe, &rate, &n);
    timeouts_acked(t, c, advances);
    if (advances && c->timeout_since_ms != 0) timeouts_over(t, c);
    connection_settle(t, c);
    if (advances) return connection_fin_acked(c) ? BK_REASON_ACCEPT_ACK_OF_FIN : BK_REASON_ACCEPT_ACK;
    return window_changed ? BK_REASON_ACCEPT_WINDOW_UPDATE : BK_REASON_ACCEPT_ACK_OLD;
}

uint16_t ordinary_arrives(struct tcp *t, struct connection *c, const struct segment *s) {
    if (!is_expected(c, s) || (!c->owned && s->data_length != 0) || t->base.config.receive_overhead)
        return BK_REASON_NONE;
    uint16_t reason = ordinary_acknowledge(t, c, s);
    if (reason == BK_REASON_NONE) return BK_REASON_NONE;
    c->heard_at = t->base.now;
    if (c->keepalive_due != BK_NEVER) c->keepalive_due = t->base.now + c->keepalive_idle_s * NS_PER_S;
    c->probes = 0;
    if (c->timestamps && seq_le(s->header.seq, c->last_ack_sent)) {
        c->ts_recent = s->header.option.tsval;
        c->ts_recent_s = (uint32_t)(t->base.now / NS_PER_S);
    }
    connection_touch(t, c);
    return s->data_length == 0 ? reason : receive_text(t, c, s);
}
