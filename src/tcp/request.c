/* Passive opens: LISTEN's SYN, SYN-RECEIVED. See request.h. */
#include "tcp/request.h"

#include "tcp/connection.h"
#include "tcp/cookie.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/options.h"
#include "tcp/port_map.h"
#include "tcp/user_calls.h"

#define LINK offsetof(struct request, link)

/* ---- the SYN-ACK ----------------------------------------------------------------------------------- */

/* How long a SYN-ACK is waited for (RFC 6298 5.5). */
static uint64_t request_wait(const struct tcp *t, uint32_t level) {
    const struct bk_config *config = &t->base.config;
    uint64_t ms = (uint64_t)config->rto_initial_ms << level;
    return u64_min(ms, config->rto_max_ms) * NS_PER_MS;
}

/* The level of the n-th SYN-ACK: the listener may bound its time. */
static uint32_t request_level(const struct tcp *t, const struct listener *l, uint32_t sent) {
    uint32_t level = sent - 1, most = listener_option(l, BK_TCP_RTO_MAX_MS, 0);
    while (most != 0 && level != 0 && (uint64_t)t->base.config.rto_initial_ms << level > most) level--;
    return level;
}

static struct listener *request_listener(const struct tcp *t, const struct request *r) {
    return listener_of(t, (bk_listener){r->listener, r->listener_generation});
}

uint16_t request_mss(const struct tcp *t, const struct listener *l, const struct tuple *tuple, uint8_t iface) {
    return mss_offer(path_mtu_offered(t, iface, &tuple->remote), !addr_is_ipv4(&tuple->local),
                     listener_option(l, BK_TCP_MAX_SEGMENT, 0));
}

/* RCV.WND before the handshake is done: what a SYN can say. */
uint32_t request_window(const struct tcp *t, const struct listener *l, uint32_t mss) {
    uint32_t buffer = l == NULL ? t->base.config.receive_buffer : listener_receive_buffer(t, l);
    uint32_t clamp = listener_option(l, BK_TCP_WINDOW_CLAMP, 0);
    return receive_window_initial(t, buffer, clamp, mss);
}

/* An ACK, whose window is to be put in. */
static void request_reply(struct reply *y, const struct tcp *t, const struct request *r, const struct listener *l,
                          const struct tuple *tuple, uint32_t id, uint16_t reason) {
    reply_init(y);
    y->tuple = tuple;
    y->hash = r->hash;
    y->iface = r->iface;
    y->flags = WIRE_ACK;
    y->scale = r->receive_scale;
    y->reason = reason;
    y->state = BK_SYN_RECEIVED;
    y->object_kind = EVENT_REQUEST;
    y->object = id;
    y->seq = r->iss + 1;
    y->ack = r->irs + 1;
    y->traffic_class = (uint8_t)listener_option(l, BK_TCP_TRAFFIC_CLASS, 0);
    y->hop_limit = (uint8_t)listener_option(l, BK_TCP_HOP_LIMIT, 0);
    if (!r->timestamps) return;
    y->option.has_timestamps = true;
    y->option.tsval = timestamp_now(t, r->ts_offset);
    y->option.tsecr = r->ts_recent;
}

static void request_send_syn_ack(struct tcp *t, const struct request *r, const struct tuple *tuple, uint32_t id,
                                 uint16_t reason) {
    const struct listener *l = request_listener(t, r);
    struct reply y;
    request_reply(&y, t, r, l, tuple, id, reason);
    y.flags = r->ecn ? WIRE_SYN | WIRE_ACK | WIRE_ECE : WIRE_SYN | WIRE_ACK;
    y.seq = r->iss;
    y.option.mss = request_mss(t, l, tuple, r->iface);
    y.window = (uint16_t)request_window(t, l, y.option.mss); /* never scaled on a SYN (RFC 7323 2.2) */
    y.option.has_wscale = r->scaling;
    y.option.wscale = r->receive_scale;
    y.option.sack_permitted = r->sack;
    reply_send(t, &y);
}

static void request_list(struct tcp *t, bool ipv6, uint32_t id) {
    struct request *r = request_at(t, ipv6, id);
    r->level = (uint8_t)request_level(t, request_listener(t, r), r->sent);
    r->due = t->base.now + request_wait(t, r->level);
    tcp_due(t, r->due);
    if (request_quiet(t, r, t->base.now) == 0) r->quiet_until = (uint16_t)(t->base.now / NS_PER_MS);
    list_push_tail(&t->base, &t->requests[ipv6], LINK, &t->request_fifo[ipv6][r->level], id);
}

static void request_unlist(struct tcp *t, bool ipv6, uint32_t id) {
    struct request *r = request_at(t, ipv6, id);
    list_remove(&t->base, &t->requests[ipv6], LINK, &t->request_fifo[ipv6][r->level], id);
}

static struct event_about request_about(const struct request *r, uint32_t id, const struct tuple *tuple) {
    return (struct event_about){EVENT_REQUEST, id, tuple, r->hash, r->iface};
}

/* Forgets the request: back to LISTEN, of which the user hears nothing. */
static void request_drop(struct tcp *t, bool ipv6, uint32_t id, uint16_t reason) {
    struct request *r = request_at(t, ipv6, id);
    struct tuple tuple = request_tuple(t, ipv6, id);
    struct event_about about = request_about(r, id, &tuple);
    event_state(t, &about, BK_SYN_RECEIVED, BK_LISTEN, reason);
    t->mib.attempt_fails++;
    request_unlist(t, ipv6, id);
    port_map_leave(t, &tuple);
    demux_remove(&t->base, &t->demux, r->hash, demux_ref_make(DEMUX_REQUEST, ipv6, id));
    pool_free(&t->base, &t->requests[ipv6], id);
}

/* From the first of them to now, or to the last if there was an ACK that was not enough: when that came is not kept. */
static uint32_t request_timeout_ms(const struct tcp *t, const struct listener *l, const struct request *r) {
    uint32_t last = request_timeouts(r);
    uint64_t ns = 0;
    for (uint32_t sent = 2; sent <= last; sent++) ns += request_wait(t, request_level(t, l, sent));
    if (last != 0 && r->acked == 0) ns += t->base.now + request_wait(t, r->level) - r->due;
    return (uint32_t)(ns / NS_PER_MS);
}

/* ---- from request to connection -------------------------------------------------------------------- */

/* A connection in SYN-RECEIVED from what a request (or a cookie) knows; the ACK at hand then establishes it. NULL if there
 * is no room, with *reason. */
static struct connection *request_promote(struct tcp *t, struct listener *l, const struct request *r,
                                          const struct tuple *tuple, demux_ref old, uint16_t *reason) {
    if (l->accept_queue.count >= l->backlog) {
        *reason = BK_REASON_DROP_ACCEPT_QUEUE;
        return NULL;
    }
    uint32_t id = connection_new(t, tuple, r->hash, r->iface, old);
    if (id == BK_NONE) {
        *reason = BK_REASON_DROP_NO_CONNECTION;
        return NULL;
    }
    struct connection *c = connection_at(t, id);
    bool ipv6 = connection_is_ipv6(c);
    user_inherit(t, l, c);
    c->state = BK_SYN_RECEIVED; /* where the request stood: no change of state */
    c->iss = r->iss;
    c->snd_una = r->iss;
    c->snd_nxt = c->snd_end = r->iss + 1;
    c->rcv_nxt = c->rcv_up = c->last_ack_sent = r->irs + 1;
    c->rcv_adv = c->rcv_edge = c->rcv_nxt + request_window(t, l, request_mss(t, l, tuple, r->iface));
    c->timestamps = r->timestamps;
    c->sack = r->sack;
    c->ecn = r->ecn;
    c->ts_recent = r->ts_recent;
    c->ts_offset = r->ts_offset;
    c->ts_recent_s = (uint32_t)(t->base.now / NS_PER_S);
    c->send_scale = r->send_scale;
    c->receive_scale = r->receive_scale;
    c->mss_offered = request_mss(t, l, tuple, r->iface);
    path_mtu_begin(t, c, r->mss != 0 ? r->mss : mss_default(ipv6));
    c->retransmits = (uint8_t)request_timeouts(r);
    c->timeouts = c->retransmits;
    c->timeout_episodes = c->timeouts != 0;
    c->timeout_ms = request_timeout_ms(t, l, r);
    if (r->sent == 1 && r->acked == 0) c->sent_at = r->due - request_wait(t, 0); /* it can be timed (RFC 6298 3) */
    c->owned = true;
    c->listener = l->self;
    list_push_tail(&t->base, &t->connections, CONNECTION_ACCEPT_LINK, &l->accept_queue, id);
    return c;
}

/* The ACK at hand establishes the connection, and is processed as one of its own. */
static uint16_t request_establish(struct tcp *t, struct listener *l, struct connection *c, const struct segment *s) {
    uint16_t reason = segment_arrives(t, c, s);
    if (l->accept_queue.count == 1) listener_hear(t, l, BK_READY_ACCEPTABLE); /* it was empty before */
    return reason;
}

/* ---- LISTEN: a SYN --------------------------------------------------------------------------------- */

uint16_t request_open(struct tcp *t, const struct listener *l, const struct segment *s, const uint32_t *above) {
    bool ipv6 = !addr_is_ipv4(&s->tuple.local);
    const struct wire_tcp_options *o = &s->header.option;
    uint32_t cookies = t->base.config.syn_cookies;
    if (cookies == BK_SYN_COOKIES_ALWAYS && above == NULL)
        return cookie_answer(t, l, s); /* a cookie's number is not ours to choose */
    uint32_t id = pool_alloc(&t->base, &t->requests[ipv6]);
    if (id == BK_NONE) return cookies != BK_SYN_COOKIES_NEVER ? cookie_answer(t, l, s) : BK_REASON_DROP_SYN_BACKLOG;
    struct request *r = request_at(t, ipv6, id);
    link_init(&r->link);
    r->listener = l->self;
    r->listener_generation = l->generation;
    r->hash = s->hash;
    r->irs = s->header.seq;
    struct isn isn = isn_make(t, &s->tuple);
    r->iss = isn.number;
    if (above != NULL && seq_le(r->iss, *above)) r->iss = *above + 1; /* RFC 1122 4.2.2.13 */
    r->mss = o->mss;
    r->sent = 1;
    r->iface = s->packet->iface;
    r->scaling = t->base.config.window_scaling && o->has_wscale;
    r->receive_scale = r->scaling ? listener_receive_scale(t, l) : 0;
    r->send_scale = (uint8_t)(r->scaling ? u32_min(o->wscale, WINDOW_SCALE_MAX) : 0);
    r->timestamps = t->base.config.timestamps && o->has_timestamps;
    r->sack = t->base.config.sack && o->sack_permitted;
    r->ecn = ecn_grants(t, s);
    r->ts_recent = o->tsval;
    r->ts_offset = isn.timestamp_offset;
    small_tuple_put(r->tuple, ipv6, &s->tuple);
    demux_insert(&t->base, &t->demux, s->hash, demux_ref_make(DEMUX_REQUEST, ipv6, id));
    request_list(t, ipv6, id);
    t->mib.passive_opens++;
    struct event_about about = request_about(r, id, &s->tuple);
    event_state(t, &about, BK_LISTEN, BK_SYN_RECEIVED, BK_REASON_ACCEPT_SYN);
    request_send_syn_ack(t, r, &s->tuple, id, BK_REASON_SEND_SYN_ACK);
    return above != NULL ? BK_REASON_ACCEPT_SYN_TIME_WAIT : BK_REASON_ACCEPT_SYN;
}

/* ---- SYN-RECEIVED ---------------------------------------------------------------------------------- */

/* An ACK in return for something that does not fit: one in challenge_ack_ms, as in the other states (RFC 5961 7), so that nobody can
 * make a request talk for ever. */
static uint16_t request_challenge(struct tcp *t, uint32_t id, const struct segment *s, uint16_t send_reason,
                                  uint16_t reason) {
    bool ipv6 = !addr_is_ipv4(&s->tuple.local);
    struct request *r = request_at(t, ipv6, id);
    if (request_quiet(t, r, t->base.now) != 0) return BK_REASON_DROP_CHALLENGE_LIMIT;
    r->quiet_until = (uint16_t)(t->base.now / NS_PER_MS + t->base.config.challenge_ack_ms);
    const struct listener *l = request_listener(t, r);
    struct reply y;
    request_reply(&y, t, r, l, &s->tuple, id, send_reason);
    y.window = (uint16_t)(request_window(t, l, request_mss(t, l, &s->tuple, r->iface)) >> y.scale);
    reply_send(t, &y);
    return reason;
}

/* The request's own checks, in the order of RFC 9293 3.10.7.4; 0 when the segment is the ACK that was waited for. */
static uint16_t request_check(struct tcp *t, bool ipv6, uint32_t id, const struct segment *s) {
    struct request *r = request_at(t, ipv6, id);
    uint32_t rcv_nxt = r->irs + 1;
    /* The SYN again: our SYN-ACK was lost, so that goes again rather than the bare ACK of the general rule. */
    if (s->header.seq == r->irs && (s->header.flags & (WIRE_SYN | WIRE_ACK | WIRE_RST)) == WIRE_SYN) {
        r->ecn = r->ecn && ecn_grants(t, s); /* once without, and it is off (RFC 3168 6.1.1) */
        request_send_syn_ack(t, r, &s->tuple, id, BK_REASON_SEND_SYN_ACK_DUPLICATE);
        return BK_REASON_ACCEPT_SYN_DUPLICATE;
    }
    const struct wire_tcp_options *o = &s->header.option;
    if (r->timestamps && !o->has_timestamps && !segment_has(s, WIRE_RST | WIRE_SYN)) return BK_REASON_DROP_NO_TIMESTAMP;
    bool stale = r->timestamps && o->has_timestamps && !segment_has(s, WIRE_RST) && seq_lt(o->tsval, r->ts_recent);
    const struct listener *l = request_listener(t, r);
    uint32_t window = request_window(t, l, request_mss(t, l, &s->tuple, s->packet->iface));
    if (stale || !segment_acceptable(s, rcv_nxt, window)) {
        if (segment_has(s, WIRE_RST)) return BK_REASON_DROP_RST_OUTSIDE;
        return request_challenge(t, id, s, BK_REASON_SEND_ACK_UNACCEPTABLE,
                                 stale ? BK_REASON_ANSWER_PAWS : BK_REASON_ANSWER_UNACCEPTABLE);
    }
    if (segment_has(s, WIRE_RST)) {
        if (s->header.seq != rcv_nxt)
            return request_challenge(t, id, s, BK_REASON_SEND_CHALLENGE_RST, BK_REASON_ANSWER_CHALLENGE_RST);
        request_drop(t, ipv6, id, BK_REASON_ACCEPT_RST_REQUEST);
        return BK_REASON_ACCEPT_RST_REQUEST;
    }
    if (segment_has(s, WIRE_SYN)) {
        /* Another SYN, in the window: one of the two is an old duplicate. Passive opens return to LISTEN (fourth step), and
         * the SYN that is not old will come again. */
        request_drop(t, ipv6, id, BK_REASON_DROP_SYN_OTHER);
        return BK_REASON_DROP_SYN_OTHER;
    }
    if (!segment_has(s, WIRE_ACK)) return BK_REASON_DROP_NO_ACK;
    if (s->header.ack != r->iss + 1) {
        reply_reset(t, s, BK_REASON_SEND_RST_SYN_RECEIVED_ACK);
        return BK_REASON_ANSWER_RST_ACK;
    }
    return 0;
}

uint16_t request_input(struct tcp *t, bool ipv6, uint32_t id, const struct segment *s) {
    uint16_t reason = request_check(t, ipv6, id, s);
    if (reason != 0) return reason;
    struct request *r = request_at(t, ipv6, id);
    struct listener *l = request_listener(t, r);
    BK_ASSERT(l != NULL, "a listener that ends forgets its requests");
    bool deferred = r->acked != 0;
    if (s->length == 0 && r->sent <= listener_option(l, BK_TCP_DEFER_ACCEPT, 0)) {
        if (!deferred) r->acked = r->sent;
        return BK_REASON_ACCEPT_ACK_DEFERRED;
    }
    struct connection *c = request_promote(t, l, r, &s->tuple, demux_ref_make(DEMUX_REQUEST, ipv6, id), &reason);
    if (c == NULL) return reason; /* the request stays: the peer's next segment tries again */
    request_unlist(t, ipv6, id);
    pool_free(&t->base, &t->requests[ipv6], id);
    if (!deferred) return request_establish(t, l, c, s);
    /* What it echoes was sent before the peer had anything to say: no time of the path's. */
    struct segment first = *s;
    first.header.option.tsecr = 0;
    return request_establish(t, l, c, &first);
}

bool request_cookie_input(struct tcp *t, const struct listener *l, const struct segment *s, uint16_t *reason) {
    if (t->base.config.syn_cookies == BK_SYN_COOKIES_NEVER || t->base.now >= t->cookie_until ||
        segment_has(s, WIRE_SYN))
        return false;
    struct request r;
    if (!cookie_check(t, l, s, &r)) {
        reason_count(&t->base, BK_REASON_NOTE_COOKIE_BAD);
        return false;
    }
    struct listener *owner = listener_at(t, l->self);
    struct connection *c = request_promote(t, owner, &r, &s->tuple, DEMUX_NONE, reason);
    if (c == NULL) return true;
    c->retransmits = 0;
    c->timeouts = c->timeout_episodes = 0; /* the record was made up */
    c->timeout_ms = 0;
    t->mib.passive_opens++;
    /* The timestamp that it echoes was put back to carry options: it tells no time. */
    struct segment first = *s;
    first.header.option.tsecr = 0;
    *reason = request_establish(t, owner, c, &first);
    if (*reason == BK_REASON_ACCEPT_HANDSHAKE_ACK) *reason = BK_REASON_ACCEPT_COOKIE_ACK;
    return true;
}

/* ---- time ------------------------------------------------------------------------------------------ */

uint64_t request_next_deadline(const struct tcp *t) {
    uint64_t next = BK_NEVER;
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
        for (uint32_t level = 0; (!BK_FAST || t->requests[ipv6].in_use != 0) && level < REQUEST_LEVELS; level++) {
            uint32_t head = t->request_fifo[ipv6][level].head;
            if (head != BK_NONE) next = u64_min(next, request_at(t, ipv6, head)->due);
        }
    return next;
}

/* The time for a SYN-ACK is over: the next one goes, or that was the last. */
static void request_timeout(struct tcp *t, bool ipv6, uint32_t id) {
    struct request *r = request_at(t, ipv6, id);
    uint32_t again = r->sent - 1u, defer = listener_option(request_listener(t, r), BK_TCP_DEFER_ACCEPT, 0);
    bool waits = r->acked != 0 && again < defer; /* its listener wants text, and there is time for that */
    if (again >= u32_min(t->base.config.syn_ack_retries, REQUEST_LEVELS - 1) && !waits) {
        reason_count(&t->base, BK_REASON_NOTE_REQUEST_EVICTED);
        request_drop(t, ipv6, id, BK_REASON_NOTE_REQUEST_EVICTED);
        return;
    }
    request_unlist(t, ipv6, id);
    r->sent++;
    request_list(t, ipv6, id);
    if (waits && again + 1 < defer) return; /* the peer has our SYN-ACK */
    struct tuple tuple = request_tuple(t, ipv6, id);
    request_send_syn_ack(t, r, &tuple, id, BK_REASON_SEND_SYN_ACK_AGAIN);
    t->mib.retrans_segs++;
}

void request_advance(struct tcp *t) {
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
        for (uint32_t level = REQUEST_LEVELS; (!BK_FAST || t->requests[ipv6].in_use != 0) && level-- > 0;) {
            uint32_t id;
            while ((id = t->request_fifo[ipv6][level].head) != BK_NONE && request_at(t, ipv6, id)->due <= t->base.now)
                request_timeout(t, ipv6, id);
        }
}

void request_drop_all(struct tcp *t, const struct listener *l) {
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
        for (uint32_t level = 0; level < REQUEST_LEVELS; level++)
            for (uint32_t id = t->request_fifo[ipv6][level].head, next; id != BK_NONE; id = next) {
                struct request *r = request_at(t, ipv6, id);
                next = r->link.next;
                if (r->listener == l->self) request_drop(t, ipv6, id, BK_REASON_NOTE_REQUEST_EVICTED);
            }
}
