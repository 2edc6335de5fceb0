/* SEGMENT ARRIVES: RFC 9293 3.10.7, in its order.
 *
 *     segment_arrives               whom tcp_input.c found the segment to be for
 *     segment_arrives_closed        3.10.7.1  CLOSED
 *     segment_arrives_listen        3.10.7.2  LISTEN
 *     arrives_syn_sent              3.10.7.3  SYN-SENT
 *     arrives_other                 3.10.7.4  the other states, steps first to eighth: each step is a function that returns
 *                                             0 to go on, or the reason that ends the handling of this segment
 *
 * SYN-RECEIVED of a passive open is a request (request.c) and TIME-WAIT a record of its own (time_wait.c); both follow
 * the same steps there. Security and compartments (step third) are not implemented: RFC 9293 A.1 leaves them to hosts that
 * have them. Deviations by later RFCs stand where they apply: 5961 (RST, SYN, ACK checks), 7323 (PAWS), 6093 (urgent data).
 */
#include "tcp/acknowledge.h"
#include "tcp/connection.h"
#include "tcp/ecn.h"
#include "tcp/options.h"
#include "tcp/ordinary.h"
#include "tcp/request.h"
#include "tcp/rtt.h"
#include "tcp/time_wait.h"
#include "tcp/timeouts.h"

#define PAWS_IDLE_S (24u * 24 * 3600) /* TS.Recent is too old to compare with after 24 days (RFC 7323 5.5) */

/* ---- 3.10.7.1 CLOSED ------------------------------------------------------------------------------- */

uint16_t segment_arrives_closed(struct tcp *t, const struct segment *s) {
    if (segment_has(s, WIRE_RST)) return BK_REASON_DROP_RST_CLOSED;
    reply_reset(t, s, BK_REASON_SEND_RST_CLOSED);
    return BK_REASON_ANSWER_RST_CLOSED;
}

/* ---- 3.10.7.2 LISTEN ------------------------------------------------------------------------------- */

uint16_t segment_open_request(struct tcp *t, const struct segment *s, const uint32_t *above) {
    const struct listener *l = listener_find(t, &s->tuple.local, s->tuple.local_port);
    return l == NULL ? segment_arrives_closed(t, s) : request_open(t, l, s, above);
}

uint16_t segment_arrives_listen(struct tcp *t, const struct segment *s) {
    const struct listener *l = listener_find(t, &s->tuple.local, s->tuple.local_port);
    if (l == NULL) return segment_arrives_closed(t, s);
    uint16_t reason;
    if (segment_has(s, WIRE_RST)) return BK_REASON_DROP_RST_LISTEN;
    if (segment_has(s, WIRE_ACK)) {
        if (request_cookie_input(t, l, s, &reason)) return reason;
        reply_reset(t, s, BK_REASON_SEND_RST_LISTEN_ACK);
        return BK_REASON_ANSWER_RST_CLOSED;
    }
    if (segment_has(s, WIRE_SYN)) return request_open(t, l, s, NULL);
    return BK_REASON_DROP_NO_FLAGS_LISTEN;
}

/* ---- 3.10.7.3 SYN-SENT ----------------------------------------------------------------------------- */

/* What the peer's SYN tells: its MSS, window scale, timestamps, SACK-permitted (only what we offered counts). */
static void take_syn_options(struct tcp *t, struct connection *c, const struct segment *s) {
    const struct wire_tcp_options *o = &s->header.option;
    c->sack = t->base.config.sack && o->sack_permitted;
    ecn_take_syn(c, s);
    c->timestamps = t->base.config.timestamps && o->has_timestamps;
    if (c->timestamps) {
        c->ts_recent = o->tsval;
        c->ts_recent_s = (uint32_t)(t->base.now / NS_PER_S);
    }
    if (t->base.config.window_scaling && o->has_wscale)
        c->send_scale = (uint8_t)u32_min(o->wscale, WINDOW_SCALE_MAX);
    else
        c->send_scale = c->receive_scale = 0;
    path_mtu_begin(t, c, o->mss != 0 ? o->mss : mss_default(connection_is_ipv6(c)));
}

/* Enters ESTABLISHED, or what the user asked for meanwhile. */
static void enter_established(struct tcp *t, struct connection *c, uint16_t reason) {
    acknowledge_syn(t, c);
    connection_set_state(t, c, BK_ESTABLISHED, reason);
    if (c->fin_queued) connection_set_state(t, c, BK_FIN_WAIT_1, reason);
    if (c->keepalive) c->keepalive_due = t->base.now + c->keepalive_idle_s * NS_PER_S;
    if (c->active_open) connection_hear(t, c, BK_READY_CONNECTED | BK_READY_WRITABLE);
    connection_touch(t, c);
}

static uint16_t process_data(struct tcp *t, struct connection *c, const struct segment *s, uint16_t reason);

static uint16_t arrives_syn_sent(struct tcp *t, struct connection *c, const struct segment *s) {
    bool acceptable_ack = false;
    /* First, the ACK bit. */
    if (segment_has(s, WIRE_ACK)) {
        if (seq_le(s->header.ack, c->iss) || seq_gt(s->header.ack, c->snd_nxt)) {
            if (segment_has(s, WIRE_RST)) return BK_REASON_DROP_RST_SYN_SENT;
            reply_reset(t, s, BK_REASON_SEND_RST_SYN_SENT_ACK);
            return BK_REASON_ANSWER_RST_ACK;
        }
        acceptable_ack = true;
    }
    /* Second, the RST bit. */
    if (segment_has(s, WIRE_RST)) {
        if (!acceptable_ack) return BK_REASON_DROP_RST_SYN_SENT;
        connection_end(t, c, ERROR_CONNREFUSED, BK_REASON_ACCEPT_RST_REFUSED);
        return BK_REASON_ACCEPT_RST_REFUSED;
    }
    /* Fourth, the SYN bit. */
    if (!segment_has(s, WIRE_SYN)) return BK_REASON_DROP_SYN_SENT_NO_SYN; /* fifth */
    c->heard_at = t->base.now;
    c->text_ms = (uint32_t)(t->base.now / NS_PER_MS);
    c->rcv_nxt = s->header.seq + 1;
    c->rcv_up = c->rcv_nxt;
    c->rcv_adv = c->rcv_edge =
        c->rcv_nxt + receive_window_initial(t, c->receive_buffer, c->window_clamp, c->mss_offered);
    c->last_ack_sent = c->rcv_nxt;
    take_syn_options(t, c, s);
    acknowledge_window(c, s);
    if (acceptable_ack) {
        rtt_syn_acked(t, c, &s->header.option);
        c->snd_una = s->header.ack;
        enter_established(t, c, BK_REASON_ACCEPT_SYN_ACK);
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_HANDSHAKE_ACK);
        return process_data(t, c, s, BK_REASON_ACCEPT_SYN_ACK);
    }
    /* Simultaneous open: our SYN crossed theirs. Text and FIN of this segment are not kept: the peer sends them
     * again, for only its SYN is acknowledged. */
    connection_set_state(t, c, BK_SYN_RECEIVED, BK_REASON_ACCEPT_SYN_SIMULTANEOUS);
    c->control_lost = true;
    connection_touch(t, c);
    return BK_REASON_ACCEPT_SYN_SIMULTANEOUS;
}

/* ---- 3.10.7.4 other states ------------------------------------------------------------------------- */

/* An ACK that answers something suspicious: at most one in a while for each connection (RFC 5961 7, 10), so that two
 * confused ends cannot answer each other for ever, nor a stranger make us talk. */
static uint16_t challenge(struct tcp *t, struct connection *c, uint16_t send_reason, uint16_t reason) {
    if (connection_challenge_wait(t, c, t->base.now) != 0) return BK_REASON_DROP_CHALLENGE_LIMIT;
    c->challenge_ms = (uint32_t)(t->base.now / NS_PER_MS) + t->base.config.challenge_ack_ms;
    connection_owe_ack(t, c, ACK_NOW, send_reason);
    return reason;
}

/* TS.Recent is too old to compare with (RFC 7323 5.5). */
static bool ts_recent_is_stale(const struct tcp *t, const struct connection *c) {
    return (uint32_t)(t->base.now / NS_PER_S) - c->ts_recent_s > PAWS_IDLE_S;
}

/* Before the first step: timestamps. A connection that has them drops segments without (RFC 7323 3.2), and those that are older
 * than what was seen: PAWS (RFC 7323 5.3 R1). */
static uint16_t check_paws(struct tcp *t, struct connection *c, const struct segment *s) {
    const struct wire_tcp_options *o = &s->header.option;
    if (!c->timestamps || segment_has(s, WIRE_RST | WIRE_SYN)) return 0;
    if (!o->has_timestamps) return t->base.config.accept_unstamped ? 0 : BK_REASON_DROP_NO_TIMESTAMP;
    if (seq_ge(o->tsval, c->ts_recent)) return 0;
    if (ts_recent_is_stale(t, c)) return 0;
    if (s->data_length != 0) { /* an old duplicate, or one overtaken: tell the sender where we are */
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_CHALLENGE_PAWS);
        return BK_REASON_ANSWER_PAWS;
    }
    return challenge(t, c, BK_REASON_SEND_CHALLENGE_PAWS, BK_REASON_ANSWER_PAWS);
}

/* The peer's SYN-ACK while our own SYN is still unacknowledged: its SYN is known, its ACK is what we wait for. */
static bool is_syn_of_simultaneous_open(const struct connection *c, const struct segment *s) {
    return !c->syn_acked && segment_has(s, WIRE_SYN) && segment_has(s, WIRE_ACK) && s->header.seq == connection_irs(c);
}

/* The peer is there: keep-alive begins anew. Only segments that fit the connection, in SEG.SEQ and in SEG.ACK, say so; a stranger's do not. */
static void note_heard(const struct tcp *t, struct connection *c) {
    c->heard_at = t->base.now;
    if (c->keepalive_due != BK_NEVER) c->keepalive_due = t->base.now + c->keepalive_idle_s * NS_PER_S;
    if (c->rtx_kind != RTX_PERSIST) c->probes = 0;
}

/* First, the sequence number. */
static uint16_t check_sequence(struct tcp *t, struct connection *c, const struct segment *s) {
    uint32_t rcv_wnd = connection_rcv_wnd(c);
    if (segment_acceptable(s, c->rcv_nxt, rcv_wnd) && !receive_refuses(t, c, s)) return 0;
    if (segment_has(s, WIRE_RST)) return rcv_wnd == 0 && s->header.seq == c->rcv_nxt ? 0 : BK_REASON_DROP_RST_OUTSIDE;
    /* With a zero window, ACKs and URGs are still wanted: only the text is refused (in receive_text). */
    if (rcv_wnd == 0 && s->header.seq == c->rcv_nxt && segment_has(s, WIRE_ACK)) return 0;
    /* The SYN-ACK that answers ours in a simultaneous open begins with a SYN that we have; the rest of it counts. */
    if (is_syn_of_simultaneous_open(c, s)) return 0;
    if (segment_has(s, WIRE_SYN)) return challenge(t, c, BK_REASON_SEND_CHALLENGE_SYN, BK_REASON_ANSWER_CHALLENGE_SYN);
    if (s->length <= 1 && segment_end(s) - s->data_length == c->rcv_nxt - 1 && !segment_has(s, WIRE_FIN)) {
        /* One below what is expected: how keep-alive probes look. Without an octet they look like our own answer, so that two
         * confused ends could answer each other for ever: within the limit only. */
        note_heard(t, c);
        if (s->data_length == 0) return challenge(t, c, BK_REASON_SEND_ACK_PROBE, BK_REASON_ACCEPT_KEEPALIVE);
        receive_old_text(t, c, s);
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_PROBE);
        return BK_REASON_ACCEPT_KEEPALIVE;
    }
    if (s->length != 0 && seq_le(segment_end(s), c->rcv_nxt)) {
        receive_old_text(t, c, s);
        connection_owe_ack(t, c, ACK_NOW,
                           segment_has(s, WIRE_FIN) && c->fin_received ? BK_REASON_SEND_ACK_FIN
                                                                       : BK_REASON_SEND_ACK_DUPLICATE);
        return BK_REASON_ANSWER_DUPLICATE;
    }
    if (s->data_length != 0) {
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_UNACCEPTABLE);
        return BK_REASON_ANSWER_UNACCEPTABLE;
    }
    return challenge(t, c, BK_REASON_SEND_ACK_UNACCEPTABLE, BK_REASON_ANSWER_UNACCEPTABLE);
}

/* Second, the RST bit, with RFC 5961 3.2. */
static uint16_t check_reset(struct tcp *t, struct connection *c, const struct segment *s) {
    if (!segment_has(s, WIRE_RST)) return 0;
    if (s->header.seq != c->rcv_nxt)
        return challenge(t, c, BK_REASON_SEND_CHALLENGE_RST, BK_REASON_ANSWER_CHALLENGE_RST);
    switch (c->state) {
    case BK_SYN_RECEIVED: /* of an active open: passive ones are requests */
        connection_end(t, c, ERROR_CONNREFUSED, BK_REASON_ACCEPT_RST_REFUSED);
        return BK_REASON_ACCEPT_RST_REFUSED;
    case BK_CLOSING:
    case BK_LAST_ACK:
        connection_end(t, c, 0, BK_REASON_ACCEPT_RST);
        return BK_REASON_ACCEPT_RST;
    default:
        connection_end(t, c, ERROR_CONNRESET, BK_REASON_ACCEPT_RST);
        return BK_REASON_ACCEPT_RST;
    }
}

/* Fourth, the SYN bit, with RFC 5961 4.2. */
static uint16_t check_syn(struct tcp *t, struct connection *c, const struct segment *s) {
    if (!segment_has(s, WIRE_SYN)) return 0;
    if (is_syn_of_simultaneous_open(c, s)) return 0;
    return challenge(t, c, BK_REASON_SEND_CHALLENGE_SYN, BK_REASON_ANSWER_CHALLENGE_SYN);
}

/* TS.Recent (RFC 7323 4.3): taken from the segment that covers Last.ACK.sent. */
static void update_ts_recent(struct tcp *t, struct connection *c, const struct segment *s) {
    const struct wire_tcp_options *o = &s->header.option;
    if (!c->timestamps || !o->has_timestamps) return;
    if ((seq_lt(o->tsval, c->ts_recent) && !ts_recent_is_stale(t, c)) || seq_gt(s->header.seq, c->last_ack_sent))
        return;
    c->ts_recent = o->tsval;
    c->ts_recent_s = (uint32_t)(t->base.now / NS_PER_S);
}

/* Fifth, the ACK field, in SYN-RECEIVED. */
static uint16_t check_ack_syn_received(struct tcp *t, struct connection *c, const struct segment *s) {
    /* SND.UNA < SEG.ACK =< SND.NXT; of a SYN that has not left yet there is none. */
    if (!seq_in(s->header.ack, c->snd_una + 1, c->snd_nxt - c->snd_una)) {
        reply_reset(t, s, BK_REASON_SEND_RST_SYN_RECEIVED_ACK);
        return BK_REASON_ANSWER_RST_ACK;
    }
    update_ts_recent(t, c, s);
    rtt_syn_acked(t, c, &s->header.option);
    c->snd_una = c->iss + 1;
    acknowledge_window(c, s);
    enter_established(t, c, BK_REASON_ACCEPT_HANDSHAKE_ACK);
    return 0;
}

/* Fifth, the ACK field. Sets *reason to what the ACK meant. */
static uint16_t check_ack(struct tcp *t, struct connection *c, const struct segment *s, uint16_t *reason) {
    if (!segment_has(s, WIRE_ACK)) return BK_REASON_DROP_NO_ACK;
    uint32_t ack = s->header.ack;
    if (c->state == BK_SYN_RECEIVED) {
        *reason = BK_REASON_ACCEPT_HANDSHAKE_ACK;
        return check_ack_syn_received(t, c, s);
    }
    /* RFC 5961 5.2: (SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT. */
    if (seq_gt(ack, c->snd_nxt) || seq_lt(ack, c->snd_una - c->max_snd_wnd))
        return challenge(t, c, BK_REASON_SEND_CHALLENGE_ACK, BK_REASON_ANSWER_CHALLENGE_ACK);
    note_heard(t, c);
    update_ts_recent(t, c, s);
    bool old = seq_lt(ack, c->snd_una);
    acknowledge(t, c, s, reason);
    connection_touch(t, c);
    if (old) return 0;
    if (c->rtx_kind == RTX_PERSIST) c->probes = 0;

    switch (c->state) {
    /* FIN-WAIT-1 with our FIN acknowledged: see process_data, once it is known whether their FIN came along. */
    case BK_CLOSING:
        if (!connection_fin_acked(c)) return *reason; /* "otherwise, ignore the segment" */
        time_wait_enter(t, c, *reason, 0);
        return *reason;
    case BK_LAST_ACK:
        if (!connection_fin_acked(c)) break;
        connection_end(t, c, 0, *reason);
        return *reason;
    default:
        break;
    }
    return 0;
}

/* Sixth, the URG bit: RCV.UP is the number of the byte after the urgent data (RFC 9293 3.8.5, RFC 6093). */
static void check_urgent(struct tcp *t, struct connection *c, const struct segment *s) {
    if (!segment_has(s, WIRE_URG) || s->header.urgent == 0) return;
    if (c->state != BK_ESTABLISHED && c->state != BK_FIN_WAIT_1 && c->state != BK_FIN_WAIT_2) return;
    uint32_t up = segment_data_seq(s) + s->header.urgent;
    uint32_t read = c->rcv_nxt - connection_receive_queued(t, c);
    bool advances = !c->urgent_in || seq_gt(up, c->rcv_up);
    if (!advances || !seq_gt(up, read)) return;
    c->rcv_up = up;
    /* Told when urgent data becomes pending, and when more of it is announced (RFC 9293 3.8.5, MUST-32). */
    connection_hear(t, c, BK_READY_URGENT);
    c->urgent_in = true;
}

/* Eighth, the FIN bit: `c` has just received everything before the FIN. */
static uint16_t process_fin(struct tcp *t, struct connection *c) {
    const uint16_t reason = BK_REASON_ACCEPT_FIN;
    receive_fin(t, c);
    const uint8_t news = BK_READY_READABLE | BK_READY_PEER_CLOSED;
    switch (c->state) {
    case BK_ESTABLISHED:
        connection_set_state(t, c, BK_CLOSE_WAIT, reason);
        break;
    case BK_FIN_WAIT_1:
        if (connection_fin_acked(c)) { /* the three-way close: this very segment did it (RFC 9293 3.3.2 note 2) */
            time_wait_enter(t, c, BK_REASON_ACCEPT_FIN_ACK, news);
            return BK_REASON_ACCEPT_FIN_ACK;
        }
        connection_set_state(t, c, BK_CLOSING, reason);
        break;
    case BK_FIN_WAIT_2:
        time_wait_enter(t, c, reason, news);
        return reason;
    default:
        break;
    }
    connection_hear(t, c, news);
    return reason;
}

/* Steps six to eight, for segments that passed the checks; `reason` is what the ACK meant. */
static uint16_t process_data(struct tcp *t, struct connection *c, const struct segment *s, uint16_t reason) {
    check_urgent(t, c, s);
    bool takes_text = c->state == BK_ESTABLISHED || c->state == BK_FIN_WAIT_1 || c->state == BK_FIN_WAIT_2;
    if (!takes_text) return reason;
    if (s->data_length != 0) {
        if (!c->owned && seq_gt(segment_data_seq(s) + s->data_length, c->rcv_nxt)) {
            /* The user is gone: nobody will ever read it (RFC 9293 3.6.1). The RST is that of CLOSED, at SEG.ACK, which the peer expects next
             * whatever of ours it has got; one at SND.NXT it would only challenge (RFC 5961 3.2). */
            reply_reset(t, s, BK_REASON_SEND_RST_LATE_DATA);
            connection_end(t, c, 0, BK_REASON_ANSWER_RST_LATE_DATA);
            return BK_REASON_ANSWER_RST_LATE_DATA;
        }
        ecn_text(t, c, s);
        reason = receive_text(t, c, s); /* seventh */
    }
    /* A FIN noted ahead was none if text went past it; nor is one that comes with text that is followed by more. */
    if (c->fin_known && !c->fin_received && seq_gt(c->rcv_nxt, c->fin_seq)) c->fin_known = false;
    if (segment_has(s, WIRE_FIN)) {
        uint32_t seq = segment_data_seq(s) + s->data_length;
        bool again = c->fin_known;
        if (!again && seq_ge(seq, c->rcv_nxt) && seq_le(seq, c->rcv_adv)) {
            c->fin_known = true;
            c->fin_seq = seq;
        }
        /* A FIN that waits behind a gap reports the gap, each time it comes (RFC 5681 4.2). */
        if (c->fin_known && s->data_length == 0 && c->fin_seq != c->rcv_nxt) {
            connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_OUT_OF_ORDER);
            reason = again ? BK_REASON_ANSWER_DUPLICATE : BK_REASON_ACCEPT_DATA_OUT_OF_ORDER;
        }
    }
    if (c->fin_known && !c->fin_received && c->rcv_nxt == c->fin_seq) return process_fin(t, c);
    /* Our FIN is acknowledged and theirs is still to come. */
    if (c->state == BK_FIN_WAIT_1 && connection_fin_acked(c)) {
        connection_set_state(t, c, BK_FIN_WAIT_2, reason);
        if (!c->owned) {
            c->linger_due = t->base.now + connection_fin_wait_2_ns(t, c);
            timeouts_arm_end(t, c);
            connection_touch(t, c);
        }
    }
    return reason;
}

static uint16_t arrives_other(struct tcp *t, struct connection *c, const struct segment *s) {
    uint16_t reason;
    if ((reason = check_paws(t, c, s)) != 0) return reason;
    if ((reason = check_sequence(t, c, s)) != 0) return reason;
    if ((reason = check_reset(t, c, s)) != 0) return reason;
    if ((reason = check_syn(t, c, s)) != 0) return reason;
    uint16_t meant = BK_REASON_ACCEPT_ACK_OLD;
    if ((reason = check_ack(t, c, s, &meant)) != 0) return reason;
    return process_data(t, c, s, meant);
}

uint16_t segment_arrives(struct tcp *t, struct connection *c, const struct segment *s) {
    /* A frame that the device merged is as many segments as there were. */
    uint32_t gso = s->packet->gso_size, text = s->data_length;
    uint32_t segments = gso != 0 && text > gso ? (text + gso - 1) / gso : 1;
    c->segments_received += segments;
    if (text != 0) c->data_segments_received += segments;
    uint16_t reason = BK_FAST ? ordinary_arrives(t, c, s) : BK_REASON_NONE;
    if (reason != BK_REASON_NONE) return reason;
    if (c->state == BK_SYN_SENT) return arrives_syn_sent(t, c, s);
    return arrives_other(t, c, s);
}
