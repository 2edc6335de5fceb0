/* When text is acknowledged (RFC 9293 3.8.6.3, RFC 5681 4.2).
 *
 *     at once       more than a full segment's worth is unacknowledged; a gap was filled; text came again
 *     quick ACKs    the first of a connection, and after a pause longer than the RTO, a gap that was filled, or text that came again: the peer's
 *                   window is small then, each ACK lets it grow, and one that waited would hold it up. No more than the window holds segments, nor when the user
 *                   has left half of the buffer unread
 *     pushed        the user has read all that came, and some of it had PSH: the peer has sent what it had, or could, and may wait for this ACK
 *     delayed       otherwise, in the hope of an answer of the user's, or of more text, that the ACK can ride on. The delay follows the pace at which
 *                   text comes, between delayed_ack_ms and delayed_ack_max_ms, and beyond the former only as far as the RTT
 *
 * A user who answers within the delay makes the connection interactive: then neither there are quick ACKs, nor does PSH matter, until the hope for an
 * answer was in vain once.
 *
 * A segment behind a gap is reported at once while the peer needs each report to notice the loss; from then on reports within a
 * fraction of the RTT are made one, if the ACKs carry SACK. Nothing is lost by it: once there are as many blocks to tell of as an ACK holds, it
 * goes. Later blocks would push out what was not told yet, and the peer would take for lost, and send again, what has arrived.
 */
#include "tcp/connection.h"

#define DUPLICATES_AT_ONCE 3u  /* DupThresh (RFC 5681 3.2) */
#define COMPRESS_RTT_PART  20u /* a report waits for this part of the RTT at most */

static uint32_t delay_least_us(const struct tcp *t) {
    return t->base.config.delayed_ack_ms * 1000;
}

static uint32_t delay_most_us(const struct tcp *t) {
    return u32_max(t->base.config.delayed_ack_ms, t->base.config.delayed_ack_max_ms) * 1000;
}

uint64_t delayed_ack_most_ns(const struct tcp *t) {
    return delay_most_us(t) * NS_PER_US;
}

uint64_t delayed_ack_ns(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t delay = u32_max(a == NULL ? 0 : a->receiving.delay_us, delay_least_us(t));
    if (c->srtt_us != 0) delay = u32_min(delay, u32_max(c->srtt_us, delay_least_us(t)));
    return u32_min(delay, delay_most_us(t)) * NS_PER_US;
}

/* ---- the pace -------------------------------------------------------------------------------------- */

/* Quick ACKs for as many segments as half a window holds. */
static void quick_begin(const struct tcp *t, const struct connection *c, struct receive_state *r) {
    uint32_t n = connection_rcv_wnd(c) / (2u * u32_max(c->rcv_mss, 1));
    n = u32_min(u32_max(n, 2), t->base.config.quick_acks);
    r->quick = (uint8_t)u32_max(r->quick, n);
}

/* Text came so long after the text before it. */
static void pace_note(const struct tcp *t, const struct connection *c, struct receive_state *r, uint64_t gap_us) {
    uint32_t least = delay_least_us(t);
    if (r->delay_us == 0) {
        r->delay_us = u32_max(least, 1);
        quick_begin(t, c, r);
    } else if (gap_us <= least / 2) {
        r->delay_us = r->delay_us / 2 + least / 2;
    } else if (gap_us < r->delay_us) {
        r->delay_us = u32_min(r->delay_us / 2 + (uint32_t)gap_us, c->rto_us);
    } else if (gap_us > c->rto_us) {
        quick_begin(t, c, r);
    }
    r->delay_us = u32_max(u32_min(r->delay_us, delay_most_us(t)), 1);
}

static bool acks_quickly(const struct connection *c, const struct receive_state *r) {
    return c->quickack || (r->quick != 0 && !r->interactive);
}

/* ---- what calls for an ACK ------------------------------------------------------------------------- */

void delayed_ack_text(struct tcp *t, struct connection *c, struct active *a, bool gap, bool push) {
    struct receive_state *r = &a->receiving;
    uint32_t now_ms = (uint32_t)(t->base.now / NS_PER_MS);
    pace_note(t, c, r, (uint64_t)(now_ms - c->text_ms) * 1000);
    if (receive_window_half_full(t, c)) r->quick = 0;
    if (push) r->pushed = true;
    bool two = c->rcv_nxt - c->last_ack_sent > c->rcv_mss;
    /* By Linux's account an ACK that only tells of a smaller window waits, for the user may read soon. */
    if (two && t->base.config.receive_overhead)
        two = receive_window_edge(t, c) - c->rcv_nxt >= c->rcv_edge - c->last_ack_sent;
    if (gap) {
        quick_begin(t, c, r);
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_GAP_FILLED);
    } else if (two || acks_quickly(c, r))
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_NOW);
    else
        connection_owe_ack(t, c, ACK_DELAYED, BK_REASON_SEND_ACK_DELAYED);
}

/* The next ACK is full: it tells of as many runs as it can that none has told of. Timestamps take the place of a block (RFC 2018 3). */
static bool blocks_are_full(const struct connection *c, const struct receive_state *r) {
    return r->untold >= WIRE_SACK_BLOCKS - (c->timestamps ? 1u : 0u);
}

void delayed_ack_read(struct tcp *t, struct connection *c, struct active *a) {
    bool quick = t->base.config.quick_acks != 0 && !a->receiving.interactive;
    if (quick && c->ack_owed == ACK_DELAYED && a->receiving.pushed && a->receive.bytes == 0)
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_PUSHED);
}

void delayed_ack_gap(struct tcp *t, struct connection *c, struct active *a, bool again) {
    const struct bk_config *config = &t->base.config;
    struct receive_state *r = &a->receiving;
    if (r->gap_nxt != c->rcv_nxt) r->duplicates = r->compressed = 0;
    r->gap_nxt = c->rcv_nxt;
    uint32_t rtt_us = c->srtt_us != 0 && (r->rtt_us == 0 || c->srtt_us < r->rtt_us) ? c->srtt_us : r->rtt_us;
    uint32_t delay_us = u32_min(config->ack_compress_us, rtt_us / COMPRESS_RTT_PART);
    if (!c->sack || c->quickack || again || delay_us == 0 || r->duplicates < DUPLICATES_AT_ONCE ||
        r->compressed >= config->ack_compress_max || blocks_are_full(c, r)) {
        r->duplicates = (uint8_t)u32_min(r->duplicates + 1u, UINT8_MAX);
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_OUT_OF_ORDER);
        return;
    }
    r->compressed++;
    connection_owe_ack(t, c, ACK_DELAYED, BK_REASON_SEND_ACK_COMPRESSED);
    c->ack_due = u64_min(c->ack_due, t->base.now + delay_us * NS_PER_US);
}

void delayed_ack_duplicate(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    a->receiving.interactive = false;
    quick_begin(t, c, &a->receiving);
    if (a->receiving.delay_us != 0) a->receiving.delay_us = u32_max(delay_least_us(t), 1);
}

void delayed_ack_fin(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    bool waits = t->base.config.delay_fin_ack && a != NULL && a->receiving.delay_us != 0 && !c->quickack &&
                 seq_gt(c->rcv_edge, c->rcv_nxt) && c->rcv_nxt - c->last_ack_sent <= c->rcv_mss &&
                 c->state == BK_ESTABLISHED && c->owned;
    /* The user may well answer with its own FIN. */
    if (a != NULL) a->receiving.interactive = true;
    connection_owe_ack(t, c, waits ? ACK_DELAYED : ACK_NOW, BK_REASON_SEND_ACK_FIN);
}

/* ---- what becomes of it ---------------------------------------------------------------------------- */

void delayed_ack_late(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || a->receiving.delay_us == 0 || a->receiving.compressed != 0) return;
    struct receive_state *r = &a->receiving;
    if (r->interactive)
        r->delay_us = u32_max(delay_least_us(t), 1);
    else
        r->delay_us = u32_max(u32_min(2 * r->delay_us, u32_min(delay_most_us(t), c->rto_us)), 1);
    r->interactive = false;
}

void delayed_ack_sent(struct tcp *t, struct connection *c, bool text) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    struct receive_state *r = &a->receiving;
    r->duplicate.right = r->duplicate.left;
    r->compressed = r->untold = 0;
    r->pushed = false;
    if (c->ack_owed != ACK_NONE && r->quick != 0) r->quick--;
    uint32_t since_ms = (uint32_t)(t->base.now / NS_PER_MS) - c->text_ms;
    if (text && r->delay_us != 0 && since_ms < r->delay_us / 1000) r->interactive = true;
}
