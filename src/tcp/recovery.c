/* Loss recovery: see recovery.h. */
#include "tcp/recovery.h"

#include "tcp/ack_news.h"
#include "tcp/frto.h"
#include "tcp/mtu_search.h"
#include "tcp/rtt.h"
#include "tcp/tail_probe.h"
#include "tcp/undo.h"

void recovery_lose(struct tcp *t, struct connection *c, uint32_t id) {
    struct active *a = active_of(t, c);
    const struct sent_run *r = sent_at_id(t, id);
    rate_lost(&a->rate, sent_text(r));
    if (!(r->flags & SENT_MTU_PROBE)) congestion_lost(t, c, &r->mark, sent_text(r));
    scoreboard_lose(t, &a->board, id);
}

/* All that is not SACKed. */
static void lose_all(struct tcp *t, struct connection *c) {
    const struct active *a = active_of(t, c);
    while (a->board.by_time.head != BK_NONE) recovery_lose(t, c, a->board.by_time.head);
}

/* ---- episodes -------------------------------------------------------------------------------------- */

void recovery_settle(struct tcp *t, struct connection *c) {
    const struct active *a = active_of(t, c);
    const struct scoreboard *b = &a->board;
    bool missing = b->sacked != 0 || b->lost_segments != 0 || b->resent != 0 || c->duplicate_acks != 0;
    if (missing && c->recovery != RECOVERY_DISORDER) active_of(t, c)->recovery.loss_edge = c->snd_nxt;
    c->recovery = missing ? RECOVERY_DISORDER : RECOVERY_OPEN;
}

void recovery_reduce(struct tcp *t, struct connection *c, uint32_t flight, enum recovery_state state) {
    struct active *a = active_of(t, c);
    bool under_way = c->recovery == RECOVERY_CWR || c->recovery == RECOVERY_FAST;
    if (!under_way) {
        /* FlightSize (RFC 5681 (4)), without what limited transmit added. An ACK that tells of no loss may have taken all of it: then it is what
         * was in flight before. */
        uint32_t outstanding = connection_outstanding(c);
        if (c->recovery == RECOVERY_DISORDER && seq_gt(a->recovery.loss_edge, c->snd_una))
            outstanding = u32_min(outstanding, a->recovery.loss_edge - c->snd_una);
        else if (state == RECOVERY_CWR)
            outstanding = u32_max(outstanding, flight);
        c->ssthresh = congestion_ssthresh(t, c, outstanding);
        prr_begin(&a->recovery.prr, flight);
    }
    if (!under_way || state == RECOVERY_FAST) a->recovery.tail_out = false; /* RFC 8985 7.1 */
    c->recover = c->snd_nxt;
    c->recovery = (uint8_t)state;
    if (!under_way) congestion_event(t, c, CONGESTION_REDUCE);
}

void recovery_end(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    bool reducing = c->recovery == RECOVERY_CWR || c->recovery == RECOVERY_FAST;
    if (reducing && !congestion_owns_window(c)) c->cwnd = c->ssthresh;
    if (c->recovery >= RECOVERY_FAST) rack_recovered(&a->rack);
    a->recovery.frto = FRTO_OFF;
    recovery_settle(t, c);
    congestion_event(t, c, CONGESTION_RECOVER);
}

/* The episode was for nothing. The window stays reduced if the peer echoes congestion (RFC 4015 3.4). */
static void take_back(struct ack_news *n) {
    struct connection *c = n->c;
    undo(n->t, c, !n->ece);
    n->a->recovery.frto = FRTO_OFF;
    c->retransmits = 0;
    rtt_restore(n->t, c);
    if (n->ece && c->recovery >= RECOVERY_CWR)
        recovery_end(n->t, c);
    else
        recovery_settle(n->t, c);
}

void recovery_repeat(struct tcp *t, struct connection *c, uint16_t reason) {
    struct active *a = active_of(t, c);
    if (a == NULL || a->board.records == 0) { /* our FIN alone */
        c->control_lost = connection_outstanding(c) != 0;
        return;
    }
    scoreboard_lose_all(t, &a->board);
    c->rtx_reason = reason;
    c->recover = c->snd_nxt;
    c->recovery = RECOVERY_LOSS;
    mtu_search_judge(t, c);
    c->duplicate_acks = 0;
    a->recovery.frto = FRTO_OFF;
    a->recovery.tail_out = a->recovery.tail_now = false;
    undo_forget(t, c);
}

/* ---- without SACK ---------------------------------------------------------------------------------- */

/* Duplicate ACKs stand for SACKed segments: how many bytes this ACK delivered follows from them. */
static void count_duplicates(struct ack_news *n) {
    struct connection *c = n->c;
    if (n->advanced) {
        uint32_t known = (uint32_t)u64_min((uint64_t)c->duplicate_acks * c->mss, n->delivered);
        n->delivered = u32_max(n->delivered - known, u32_min(n->delivered, c->mss));
        /* Of what a partial ACK covers all but the hole had been counted. */
        uint32_t segments = (c->snd_una - n->prior_una) / c->mss;
        uint32_t gone = segments == 0 ? 0 : segments - 1;
        c->duplicate_acks = c->recovery == RECOVERY_FAST && seq_lt(c->snd_una, c->recover)
                                ? c->duplicate_acks - u32_min(c->duplicate_acks, gone)
                                : 0;
        return;
    }
    /* After a timeout they may be echoes of what was sent again (RFC 6582 4); and there cannot be more of them than
     * segments behind the hole. */
    if (!n->duplicate || c->recovery == RECOVERY_LOSS || c->duplicate_acks + 1 >= n->a->board.segments) return;
    c->duplicate_acks++;
    n->delivered += c->mss;
}

/* RFC 6582 3.2: the third duplicate ACK names the first segment, and a partial ACK the next one. */
static void detect_without_sack(struct ack_news *n) {
    struct connection *c = n->c;
    bool partial = c->recovery == RECOVERY_FAST && n->advanced;
    bool third = c->recovery < RECOVERY_FAST && c->duplicate_acks >= c->reordering && seq_gt(c->snd_una, c->recover);
    if (!partial && !third) return;
    c->rtx_reason = partial ? BK_REASON_SEND_PARTIAL_ACK : BK_REASON_SEND_FAST_RETRANSMIT;
    uint32_t id = scoreboard_first_segment(n->t, &n->a->board);
    if (sent_in_flight(sent_at_id(n->t, id)->flags)) recovery_lose(n->t, c, id);
}

/* ---- an ACK ---------------------------------------------------------------------------------------- */

static void detect(struct ack_news *n) {
    struct connection *c = n->c;
    struct scoreboard *b = &n->a->board;
    uint32_t lost = b->lost_total, again = b->lost_again_total;
    if (c->sack) {
        bool by_count = c->reordering_seen == 0 && c->recovery < RECOVERY_FAST && b->sacked >= c->reordering;
        n->a->recovery.reorder_due = rack_detect(n->t, c);
        if (b->lost_total != lost) c->rtx_reason = by_count ? BK_REASON_SEND_FAST_RETRANSMIT : BK_REASON_SEND_RACK;
    } else {
        detect_without_sack(n);
    }
    n->resent_lost = b->lost_again_total != again;
    mtu_search_judge(n->t, c);
}

/* RFC 9937: RecoverFS, bytes outstanding less those delivered before this ACK. */
static uint32_t recover_flight(const struct ack_news *n) {
    const struct connection *c = n->c;
    uint32_t counted = n->duplicate && c->duplicate_acks != 0 ? c->duplicate_acks - 1 : c->duplicate_acks;
    uint64_t gone = (uint64_t)counted * c->mss;
    return gone < n->prior_unsacked ? n->prior_unsacked - (uint32_t)gone : 0;
}

static void enter_fast(struct ack_news *n) {
    n->a->recovery.frto = FRTO_OFF; /* its steps are those of a timeout's episode */
    undo_begin(n->t, n->c);
    recovery_reduce(n->t, n->c, recover_flight(n), RECOVERY_FAST);
}

/* The network says that it is congested (RFC 3168 6.1.2): the window shrinks once for each window of data. */
static void enter_reduction(struct ack_news *n) {
    struct connection *c = n->c;
    if (c->recovery >= RECOVERY_CWR || seq_le(c->snd_una, c->recover)) return;
    undo_forget(n->t, c);
    recovery_reduce(n->t, c, n->prior_unsacked, RECOVERY_CWR);
    /* The ACK that says so may be the last: then nothing is left to be paced by ACKs. */
    if (seq_ge(c->snd_una, c->recover)) recovery_end(n->t, c);
}

/* In CWR, FAST or LOSS: it may have been for nothing, or be over. */
static void acked_in_episode(struct ack_news *n) {
    struct connection *c = n->c;
    bool spurious = (n->advanced && undo_by_timestamp(n)) || undo_by_dsack(n);
    if (spurious || (c->recovery == RECOVERY_LOSS && frto_acked(n)))
        take_back(n);
    else if (seq_ge(c->snd_una, c->recover))
        recovery_end(n->t, c);
}

/* The bytes that let the window grow. */
static uint32_t growth(const struct ack_news *n) {
    const struct connection *c = n->c;
    /* What is SACKed alone counts only where the path is known to reorder: otherwise a hole is likely to be a loss. */
    if (!n->advanced && c->reordering <= n->t->base.config.reordering) return 0;
    /* After a timeout an ACK without SACK may cover much that was not lost after all: it counts as one segment (RFC 3465 2.3). */
    if (n->prior_state == RECOVERY_LOSS && !c->sack) return u32_min(n->delivered, c->mss);
    return n->delivered;
}

/* What the ACK means for the window. */
static void set_window(struct ack_news *n, bool entered) {
    struct tcp *t = n->t;
    struct connection *c = n->c;
    struct recovery *r = &n->a->recovery;
    uint32_t pipe = recovery_pipe(t, c);
    rate_take(&n->a->rate, &n->rate, c->min_rtt_us);
    bool reducing = c->recovery == RECOVERY_CWR || c->recovery == RECOVERY_FAST;
    if (reducing && !congestion_owns_window(c) && (n->delivered != 0 || entered)) {
        bool safe = n->advanced && n->rate.newly_lost == 0;
        c->cwnd = prr_window(&r->prr, n->delivered, pipe, c->ssthresh, c->mss, safe);
    }
    struct congestion_sample sample = {
        .now = t->base.now,
        .acked = growth(n),
        .prior_in_flight = n->prior_pipe,
        .in_flight = pipe,
        .rtt_us = n->newest == 0 ? 0 : (uint32_t)u64_min((t->base.now - n->newest) / NS_PER_US, UINT32_MAX),
        .grow = !reducing && !n->ece, /* RFC 3168 6.1.2 */
        .ece = n->ece,
        .rate = &n->rate,
    };
    congestion_acked(t, c, &sample);
    /* RFC 5682 3.a. Above what left shortly before the timeout, and may be in flight, there is room for one more at least. */
    if (n->timeout_genuine && !congestion_owns_window(c))
        c->cwnd = u32_min(c->cwnd, u32_max(3u * c->mss, pipe + c->mss));
}

/* Loss that is news begins an episode, as does the loss of what went again after a timeout. Returns whether one began. */
static bool heed_loss(struct ack_news *n) {
    const struct scoreboard *b = &n->a->board;
    uint8_t state = n->c->recovery;
    bool entered =
        b->lost_segments != b->excused && (state < RECOVERY_FAST || (state == RECOVERY_LOSS && n->resent_lost));
    if (entered) enter_fast(n);
    return entered;
}

void recovery_acked(struct ack_news *n) {
    struct tcp *t = n->t;
    struct connection *c = n->c;
    rtt_acked(n);
    if (n->a == NULL) return;
    rack_reordering(n);
    undo_dsack(n);
    if (!c->sack) count_duplicates(n);
    tail_probe_acked(n);
    if (c->recovery >= RECOVERY_CWR)
        acked_in_episode(n);
    else if (undo_by_dsack(n))
        take_back(n);
    detect(n);
    if (n->ece) enter_reduction(n);
    bool entered = heed_loss(n);
    if (c->recovery < RECOVERY_CWR) recovery_settle(t, c);
    if (c->recovery < RECOVERY_CWR && seq_gt(c->snd_una, c->recover)) {
        c->recover = c->snd_una - 1; /* it follows, lest it seem to lie ahead once the numbers have gone half round */
        undo_age(t, c);
    }
    set_window(n, entered);
    mtu_search_acked(n);
}

/* ---- timers ---------------------------------------------------------------------------------------- */

void recovery_reorder_timeout(struct tcp *t, struct connection *c) {
    struct ack_news n;
    static const struct wire_tcp_options none;
    ack_news_begin(&n, t, c, &none);
    if (n.a == NULL) return;
    detect(&n);
    if (n.a->board.lost_segments != n.a->board.excused) set_window(&n, heed_loss(&n));
}

/* No episode is under way. */
static bool timeout_is_first(const struct connection *c) {
    return c->recovery < RECOVERY_CWR || seq_ge(c->snd_una, c->recover);
}

/* Whether the timeout begins an episode of its own: the window shrinks once for a window of data, and once for repeated timeouts of a segment
 * (RFC 5681 3.1). */
static bool timeout_is_new(const struct connection *c) {
    return timeout_is_first(c) || (c->recovery == RECOVERY_LOSS && c->retransmits == 0);
}

static void lose_by_timeout(struct tcp *t, struct connection *c, struct active *a) {
    uint32_t first = scoreboard_first(t, &a->board);
    if (sent_at_id(t, first)->flags & SENT_SACKED) {
        /* What is at SND.UNA was SACKed and is not acknowledged after all this time: it is gone (RFC 2018 8). */
        reason_count(&t->base, BK_REASON_NOTE_SACK_RENEGED);
        scoreboard_renege(t, &a->board);
        lose_all(t, c);
        a->rack.fack = c->snd_una;
    } else if (c->sack) {
        rack_timeout(t, c);
    } else {
        lose_all(t, c);
    }
}

void recovery_timeout(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    bool first = timeout_is_first(c), begins = timeout_is_new(c);
    rtt_back_off(t, c);
    c->rtx_reason = BK_REASON_SEND_RTO;
    if (c->retransmits != UINT8_MAX) c->retransmits++;
    bool recorded = a != NULL && a->board.records != 0;
    if (!c->syn_acked || !recorded) c->control_lost = true;
    if (!recorded) return;
    if (begins) {
        undo_begin(t, c);
        c->ssthresh = congestion_ssthresh(t, c, connection_outstanding(c));
    }
    /* So many segments out of order and yet a timeout: the path reorders less than was believed. */
    if (c->recovery <= RECOVERY_DISORDER && a->board.sacked >= t->base.config.reordering)
        c->reordering = (uint16_t)u32_min(c->reordering, t->base.config.reordering);
    c->duplicate_acks = 0;
    lose_by_timeout(t, c, a);
    c->recovery = RECOVERY_LOSS;
    mtu_search_judge(t, c);
    if (!congestion_owns_window(c)) c->cwnd = recovery_pipe(t, c) + c->mss;
    c->recover = c->snd_nxt;
    a->recovery.tail_out = a->recovery.tail_now = false;
    a->recovery.reorder_due = BK_NEVER;
    frto_begin(t, c, first || a->recovery.frto == FRTO_REPEATED);
    congestion_event(t, c, CONGESTION_RTO);
}
