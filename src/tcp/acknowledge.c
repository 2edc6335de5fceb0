/* What an acceptable ACK does. See acknowledge.h.
 *
 * It may say three things at once: SEG.ACK moves SND.UNA and frees what it covers; SEG.WND, if it is news, moves the window; SACK and ECE
 * tell of loss and congestion. The first two are settled here, in that order, and gathered in struct ack_news; what follows from
 * the third is recovery.c's. */
#include "tcp/acknowledge.h"

#include "tcp/ack_news.h"
#include "tcp/budget.h"
#include "tcp/ecn.h"
#include "tcp/options.h"
#include "tcp/ordinary.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/send_room.h"
#include "tcp/timeouts.h"

/* SND.WND <- SEG.WND and what goes with it. */
void acknowledge_window(struct connection *c, const struct segment *s) {
    uint8_t scale = segment_has(s, WIRE_SYN) ? 0 : c->send_scale;
    c->snd_wnd = (uint32_t)s->header.window << scale;
    c->snd_wl1 = s->header.seq;
    c->snd_wl2 = s->header.ack;
    c->max_snd_wnd = u32_max(c->max_snd_wnd, c->snd_wnd);
}

/* Our SYN is acknowledged: data may flow, and the timers that counted its repetitions start anew. */
void acknowledge_syn(struct tcp *t, struct connection *c) {
    c->syn_acked = true;
    congestion_start(t, c, c->retransmits);
    /* RFC 6298 5.7: a SYN that timed out makes the first RTO for data 3 s, if no sample says better. */
    if (c->retransmits != 0 && c->srtt_us == 0) c->rto_us = u32_max(c->rto_us, rtt_clamp(t, c, 3000000));
    if (c->retransmits == 0) c->rto_us = rtt_clamp(t, c, u32_max(c->rto_us, t->base.config.rto_min_ms * 1000));
    timeouts_over(t, c);
    c->retransmits = 0;
    c->recover = c->snd_una - 1;
    c->control_lost = false;
    c->rtx_due = BK_NEVER;
    c->rcv_mss = u32_min(c->mss, mss_default(false)); /* it grows only, so it begins low, for IPv6, too */
}

/* Takes acknowledged bytes off the send queue and moves SND.UNA. */
static void advance(struct tcp *t, struct connection *c, const struct segment *s, struct ack_news *n) {
    uint32_t ack = s->header.ack;
    uint32_t data_begin = c->syn_acked ? c->snd_una : c->iss + 1; /* our SYN and FIN are no bytes of the queue */
    uint32_t data_end = seq_min(ack, c->snd_end);
    uint32_t bytes = seq_gt(data_end, data_begin) ? data_end - data_begin : 0;
    if (!c->syn_acked) { /* closed in SYN-RECEIVED: the FIN went before the SYN was acknowledged */
        rtt_syn_acked(t, c, &s->header.option);
        acknowledge_syn(t, c);
    }
    if (n->a != NULL) scoreboard_acked(t, &n->a->board, ack, n);
    n->advanced = true;
    c->snd_una = ack;
    if (ack == c->snd_nxt) c->control_lost = false;
    if (bytes != 0) {
        struct active *a = active_of(t, c);
        if (a->send_hint != BK_NONE && seq_le(extent_end(extent_at(&t->base, a->send_hint)), data_end))
            a->send_hint = BK_NONE;
        extent_queue_consume(&t->base, &a->send, bytes);
        c->bytes_acked += bytes;
        if (c->news & BK_NEWS_PROGRESS) connection_hear(t, c, BK_READY_PROGRESS);
    }
    c->retransmits = 0;
    c->soft_error = 0;
    if (!c->cork) c->more = false; /* who said that more follows at once has had a round trip for it */
    c->probes = 0;                 /* one may have been what is acknowledged */
    c->progress_at = t->base.now;
    path_mtu_acked(t, c);
    if (c->urgent_out && seq_le(c->snd_up, c->snd_una)) c->urgent_out = false;
    connection_grow_send_buffer(t, c);
    if (c->waits != WAITS_NOT) budget_eased(t, c);
    send_room_came(t, c);
}

/* The window update of the ESTABLISHED case. Returns whether the window changed.
 *
 * Which of two segments is the newer one is asked of SEG.ACK first, and of SEG.SEQ only among equals: the peer's RCV.NXT never goes back, its
 * SEG.SEQ does with each retransmission. 3.10.7.4 asks SEG.SEQ first: a retransmission that acknowledges more would then move SND.UNA
 * and leave the old SND.WND, so that the two together lie beyond the window that the peer offered. */
bool acknowledge_window_news(struct tcp *t, struct connection *c, const struct segment *s) {
    if (!seq_lt(c->snd_wl2, s->header.ack) && !(c->snd_wl2 == s->header.ack && seq_le(c->snd_wl1, s->header.seq)))
        return false;
    uint32_t before = c->snd_wnd;
    acknowledge_window(c, s);
    if (before == c->snd_wnd) return false;
    if (c->snd_wnd != 0 && c->rtx_kind == RTX_PERSIST) {
        /* The window is open again: a probe's byte that was not taken is sent anew with the rest. */
        c->probes = 0;
        c->probe_now = false;
        c->rtx_kind = RTX_RETRANSMIT;
        c->rtx_due = BK_NEVER;
        c->retransmits = 0;
        if (connection_outstanding(c) != 0) recovery_repeat(t, c, BK_REASON_SEND_DATA);
    }
    return true;
}

static bool is_duplicate_ack(const struct connection *c, const struct segment *s, bool window_changed) {
    return connection_outstanding(c) != 0 && s->length == 0 && s->header.ack == c->snd_una && !window_changed;
}

/* An acceptable ACK: what it acknowledges, by SEG.ACK and by SACK, and what that means. One that was overtaken may still SACK something. */
void acknowledge(struct tcp *t, struct connection *c, const struct segment *s, uint16_t *reason) {
    uint16_t ordinary = BK_FAST && seq_ge(s->header.ack, c->snd_una) ? ordinary_acknowledge(t, c, s) : BK_REASON_NONE;
    if (ordinary != BK_REASON_NONE) {
        *reason = ordinary;
        return;
    }
    struct ack_news n;
    bool old = seq_lt(s->header.ack, c->snd_una), advances = seq_gt(s->header.ack, c->snd_una), window_changed = false;
    *reason = BK_REASON_ACCEPT_ACK_OLD;
    uint32_t delivered = c->delivered_segments;
    ack_news_begin(&n, t, c, &s->header.option);
    if (advances) advance(t, c, s, &n);
    n.ece = ecn_echoes(c, s);
    if (!old) window_changed = acknowledge_window_news(t, c, s);
    if (advances) {
        *reason = connection_fin_acked(c) ? BK_REASON_ACCEPT_ACK_OF_FIN : BK_REASON_ACCEPT_ACK;
    } else if (is_duplicate_ack(c, s, window_changed)) {
        *reason = BK_REASON_ACCEPT_ACK_DUPLICATE;
        n.duplicate = true;
    } else if (window_changed) {
        *reason = BK_REASON_ACCEPT_WINDOW_UPDATE;
    }
    /* An answer to a window probe repeats SND.UNA without a word about loss. */
    if (c->rtx_kind != RTX_PERSIST || advances) {
        ack_news_sack(&n, s->header.ack);
        recovery_acked(&n);
        timeouts_acked(t, c, advances);
    }
    if (n.ece) c->delivered_ce += c->delivered_segments - delivered;
    if (advances && c->recovery != RECOVERY_LOSS) timeouts_over(t, c);
    connection_settle(t, c);
}
