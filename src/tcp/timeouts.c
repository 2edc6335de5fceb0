/* What happens when a deadline has come. See timeouts.h.
 *
 *     retransmission   RFC 6298 5.4 to 5.6, R2 (RFC 9293 3.8.3), SYN retries
 *     tail loss probe  RFC 8985 7: the end of what was sent may be lost
 *     reordering       RFC 8985 6: what was waited for, lest it only came late, is lost
 *     persist          a probe of the zero window (3.8.6.1), backed off like the RTO; bounded for connections without owner
 *     override         SWS avoidance has held small data long enough (3.8.6.2.1)
 *     keep-alive       3.8.4
 *     linger           a connection whose user is gone has so long to send what is queued, or to wait in FIN-WAIT-2
 *     user timeout     3.10.8, RFC 5482
 */
#include "tcp/timeouts.h"

#include "tcp/output.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/tail_probe.h"

static bool is_embryonic(const struct connection *c) {
    return c->state == BK_SYN_SENT || c->state == BK_SYN_RECEIVED;
}

/* Something waits to be acknowledged, or to be let into the window: the peer owes us. */
static bool waits_for_peer(const struct connection *c) {
    return connection_outstanding(c) != 0 || c->rtx_kind == RTX_PERSIST;
}

static uint64_t user_timeout_due(const struct connection *c) {
    if (c->user_timeout_ms == 0 || !waits_for_peer(c)) return BK_NEVER;
    return c->progress_at + c->user_timeout_ms * NS_PER_MS;
}

uint64_t timeouts_next(const struct connection *c) {
    uint64_t next = u64_min(c->rtx_due, c->linger_due);
    if (c->ack_owed == ACK_DELAYED) next = u64_min(next, c->ack_due);
    if (!waits_for_peer(c)) next = u64_min(next, c->keepalive_due);
    return u64_min(next, user_timeout_due(c));
}

/* How long small data is held: about as long as a lost segment would be, within the bounds of RFC 9293 3.8.6.2.1. */
static uint64_t override_ns(const struct connection *c) {
    return u64_min(u64_max(rtt_rto_ns(c), 100 * NS_PER_MS), NS_PER_S);
}

void timeouts_prepare(struct tcp *t, struct connection *c) {
    if (!c->syn_acked || c->state == BK_CLOSED || c->rtx_due != BK_NEVER || recovery_has_lost(t, c)) return;
    if (connection_outstanding(c) != 0) return;
    bool waiting = seq_lt(c->snd_nxt, c->snd_end) || (c->fin_queued && !connection_fin_sent(c));
    if (!waiting) return;
    if (c->snd_wnd == 0) {
        c->rtx_kind = RTX_PERSIST;
        c->progress_at = t->base.now;
        c->rtx_due = t->base.now + rtt_rto_ns(c);
    } else if (!c->override_now) {
        /* Data waits for a larger window or for more data; if nothing goes now, nothing else will wake us. */
        c->rtx_kind = RTX_OVERRIDE;
        c->rtx_due = t->base.now + override_ns(c);
    }
}

/* ---- the timer for what is outstanding ------------------------------------------------------------- */

/* Never at once: what is due is found out by an ACK, or has been. */
#define WATCH_LEAST_NS (2 * NS_PER_MS)

/* One timer watches what is outstanding. RACK's comes first, for it knows that something is missing; then a tail loss probe, at the time
 * `probe` (tail_probe_due), if that is before the RTO, which is counted from `since`. */
static void watch(struct tcp *t, struct connection *c, uint64_t since, uint64_t probe) {
    const struct active *a = active_of(t, c);
    uint64_t now = t->base.now, rto = u64_max(since + rtt_rto_ns(c), now + WATCH_LEAST_NS);
    c->rtx_kind = RTX_RETRANSMIT;
    c->rtx_due = rto;
    if (a == NULL) return;
    if (a->recovery.reorder_due != BK_NEVER) {
        /* Where the RTO is the earlier one, it is a timeout: RACK would find nothing then. */
        if (a->recovery.reorder_due > rto) return;
        c->rtx_kind = RTX_REORDER;
        c->rtx_due = u64_max(a->recovery.reorder_due, now);
    } else if (probe != BK_NEVER) {
        c->rtx_kind = RTX_TAIL_PROBE;
        c->rtx_due = u64_min(probe, rto);
    }
}

/* When what is at SND.UNA was last sent. */
static uint64_t first_sent_at(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t id = a == NULL ? BK_NONE : scoreboard_first(t, &a->board);
    return id == BK_NONE ? c->sent_at : sent_at_id(t, id)->sent_at;
}

void timeouts_acked(struct tcp *t, struct connection *c, bool advanced) {
    const struct active *a = active_of(t, c);
    bool reorders = a != NULL && a->recovery.reorder_due != BK_NEVER;
    bool outstanding = connection_outstanding(c) != 0;
    if (advanced && outstanding) {
        watch(t, c, t->base.now, tail_probe_due(t, c));
    } else if (advanced) {
        c->rtx_kind = RTX_RETRANSMIT;
        c->rtx_due = BK_NEVER;
    } else if (!outstanding) {
        return;
    } else if (reorders || c->rtx_kind == RTX_REORDER ||
               (c->rtx_kind == RTX_TAIL_PROBE && tail_probe_due(t, c) == BK_NEVER)) {
        watch(t, c, first_sent_at(t, c), tail_probe_due(t, c));
    }
}

void timeouts_sent(struct tcp *t, struct connection *c) {
    if (c->rtx_kind == RTX_PERSIST || c->rtx_kind == RTX_REORDER) return;
    uint64_t probe = tail_probe_due(t, c);
    if (c->rtx_due == BK_NEVER || c->rtx_kind != RTX_RETRANSMIT || probe != BK_NEVER)
        watch(t, c, first_sent_at(t, c), probe);
}

void timeouts_resent(struct tcp *t, struct connection *c) {
    if (c->rtx_kind == RTX_PERSIST || c->rtx_kind == RTX_REORDER) return;
    c->rtx_kind = RTX_RETRANSMIT;
    c->rtx_due = t->base.now + rtt_rto_ns(c);
}

static void fire_reorder(struct tcp *t, struct connection *c) {
    recovery_reorder_timeout(t, c);
    watch(t, c, first_sent_at(t, c), tail_probe_due(t, c));
}

static void fire_tail_probe(struct tcp *t, struct connection *c) {
    active_of(t, c)->recovery.tail_now = true;
    c->rtx_kind = RTX_RETRANSMIT;
    c->rtx_due = t->base.now + rtt_rto_ns(c);
}

/* ---- what is due ----------------------------------------------------------------------------------- */

/* Gives the connection up. */
static void give_up(struct tcp *t, struct connection *c, int error, uint16_t note) {
    reason_count(&t->base, note);
    if (!is_embryonic(c)) output_reset(t, c, BK_REASON_SEND_RST_TIMEOUT);
    connection_end(t, c, c->soft_error != 0 && error == ERROR_TIMEDOUT ? c->soft_error : error, note);
}

/* Retransmissions that are allowed before the connection is given up: R2. */
static uint32_t retries_max(const struct tcp *t, const struct connection *c) {
    const struct bk_config *config = &t->base.config;
    /* SYN-RECEIVED is here that of an active open, whose user waits for 3 minutes at least (MUST-23); passive ones are requests. */
    if (is_embryonic(c)) return c->syn_retries + config->syn_linear_timeouts;
    return c->owned ? config->retries2 : config->orphan_retries;
}

/* A timeout is counted, and the series that it belongs to or begins. */
static void count_timeout(const struct tcp *t, struct connection *c) {
    if (c->timeouts != UINT16_MAX) c->timeouts++;
    if (c->timeout_since_ms != 0) return;
    c->timeout_since_ms = u32_max((uint32_t)(t->base.now / NS_PER_MS), 1);
    if (c->timeout_episodes != UINT16_MAX) c->timeout_episodes++;
}

void timeouts_over(const struct tcp *t, struct connection *c) {
    c->timeout_ms = timeouts_spent_ms(t, c);
    c->timeout_since_ms = 0;
}

uint32_t timeouts_spent_ms(const struct tcp *t, const struct connection *c) {
    uint32_t since = c->timeout_since_ms;
    return c->timeout_ms + (since == 0 ? 0 : (uint32_t)(t->base.now / NS_PER_MS) - since);
}

static void fire_retransmission(struct tcp *t, struct connection *c) {
    /* With a user timeout that one decides, not R2 (RFC 5482 3). */
    bool by_count = c->user_timeout_ms == 0 || is_embryonic(c) || !c->owned;
    /* A peer that took its window back to zero, and says so to each retransmission, is alive: as with window probes it may take its
     * time (3.8.6 SHLD-17, MUST-35; 3.8.6.1 MUST-37). A SYN needs no window, so one that is not acknowledged has no such excuse. */
    if (c->owned && c->syn_acked && c->snd_wnd == 0 && c->heard_at + rtt_rto_ns(c) >= t->base.now)
        c->retransmits = (uint8_t)u32_min(c->retransmits, 1);
    if (by_count && c->retransmits >= retries_max(t, c)) {
        give_up(t, c, ERROR_TIMEDOUT, BK_REASON_NOTE_TIMEOUT);
        return;
    }
    reason_count(&t->base, BK_REASON_NOTE_RTO);
    struct event_about about = connection_about(c);
    event_timer(t, &about, BK_REASON_NOTE_RTO, c->state);
    count_timeout(t, c);
    path_mtu_timeout(t, c);
    recovery_timeout(t, c);
    c->rtx_due = t->base.now + rtt_rto_ns(c);
    connection_touch(t, c);
}

static void fire_persist(struct tcp *t, struct connection *c) {
    /* A peer that answers probes may keep its window closed for ever (3.8.6.1, MUST-37); one that is silent, or that nobody
     * waits for any more, may not. */
    if (c->probes >= retries_max(t, c) || (!c->owned && c->retransmits >= t->base.config.orphan_retries)) {
        give_up(t, c, ERROR_TIMEDOUT, BK_REASON_NOTE_TIMEOUT);
        return;
    }
    c->probes++;
    if (c->retransmits != UINT8_MAX) c->retransmits++;
    uint32_t shift = u32_min(c->retransmits, 16);
    c->rtx_due = t->base.now + u64_min(rtt_rto_ns(c) << shift, connection_rto_max_ms(t, c) * NS_PER_MS);
    c->probe_now = true;
    connection_touch(t, c);
}

static void fire_keepalive(struct tcp *t, struct connection *c) {
    if (c->probes >= c->keepalive_probes) {
        give_up(t, c, ERROR_TIMEDOUT, BK_REASON_NOTE_KEEPALIVE);
        return;
    }
    c->probes++;
    c->keepalive_due = t->base.now + c->keepalive_interval_s * NS_PER_S;
    c->probe_now = true;
    connection_touch(t, c);
}

void timeouts_arm_end(struct tcp *t, struct connection *c) {
    connection_arm(t, c, u64_min(c->timer.deadline, u64_min(c->linger_due, user_timeout_due(c))));
}

void timeouts_fire(struct tcp *t, struct connection *c) {
    uint64_t now = t->base.now;
    if (user_timeout_due(c) <= now) {
        give_up(t, c, ERROR_TIMEDOUT, BK_REASON_NOTE_TIMEOUT);
        return;
    }
    if (c->linger_due <= now) {
        if (c->state != BK_FIN_WAIT_2) {
            give_up(t, c, ERROR_TIMEDOUT, BK_REASON_NOTE_TIMEOUT);
            return;
        }
        reason_count(&t->base, BK_REASON_NOTE_FIN_WAIT_2);
        connection_end(t, c, 0, BK_REASON_NOTE_FIN_WAIT_2);
        return;
    }
    connection_touch(t, c); /* whatever was due, the wheel is set anew when output has been asked, but for these: */
    timeouts_arm_end(t, c);
    /* An ACK that has waited its time stands in line now, and needs no timer, however long it stands there for want of a frame. */
    if (c->ack_owed == ACK_DELAYED && c->ack_due <= now) {
        c->ack_owed = ACK_NOW;
        delayed_ack_late(t, c);
    }
    if (!waits_for_peer(c) && c->keepalive_due <= now) {
        fire_keepalive(t, c);
        return;
    }
    if (c->rtx_due > now) return;
    switch ((enum rtx_kind)c->rtx_kind) {
    case RTX_RETRANSMIT:
        fire_retransmission(t, c);
        break;
    case RTX_PERSIST:
        fire_persist(t, c);
        break;
    case RTX_TAIL_PROBE:
        fire_tail_probe(t, c);
        break;
    case RTX_REORDER:
        fire_reorder(t, c);
        break;
    case RTX_OVERRIDE:
        c->override_now = true;
        c->rtx_due = BK_NEVER;
        c->rtx_kind = RTX_RETRANSMIT;
        break;
    }
}
