/* RACK: see rack.h. */
#include "tcp/rack.h"

#include "tcp/ack_news.h"
#include "tcp/options.h"

#define WINDOW_PERSIST 16u /* recoveries that a widened window lasts (RFC 8985 6.2 step 4) */

void rack_init(struct rack *r, uint32_t una) {
    memset(r, 0, sizeof *r);
    r->fack = una;
    r->mult = 1;
}

/* Whether an ACK of what was sent again may be for an earlier copy of it. */
static bool is_ambiguous(const struct ack_news *n, const struct sent_run *run, uint64_t rtt_ns) {
    if (!(run->flags & SENT_EVER_RESENT)) return false;
    const struct connection *c = n->c;
    if (c->timestamps && n->option->has_timestamps && n->option->tsecr != 0) {
        uint32_t left = (uint32_t)(run->sent_at / NS_PER_MS) + c->ts_offset;
        if (seq_lt(n->option->tsecr, left)) return true;
    }
    return rtt_ns < c->min_rtt_us * NS_PER_US;
}

void rack_delivered(struct ack_news *n, const struct sent_run *run, uint32_t end) {
    uint64_t now = n->t->base.now;
    if (!is_ambiguous(n, run, now - run->sent_at)) rack_update(&n->a->rack, run->sent_at, end, now);
}

/* The window is wider by one step for each round in which a retransmission proved to be for nothing. */
static void widen(struct ack_news *n) {
    struct rack *r = &n->a->rack;
    if (r->dsack_round_on && seq_ge(n->c->snd_una, r->dsack_round)) r->dsack_round_on = false;
    /* A tail loss probe is sent for want of an ACK, not because of a window that is too small. */
    if (!n->dsack || n->dsack_tail || r->dsack_round_on) return;
    r->dsack_round_on = true;
    r->dsack_round = n->c->snd_nxt;
    r->mult = (uint8_t)u32_min(r->mult + 1u, UINT8_MAX);
    r->persist = WINDOW_PERSIST;
}

void rack_reordering(struct ack_news *n) {
    struct connection *c = n->c;
    n->a->rack.fack = n->top;
    widen(n);
    if (!n->reordered) return;
    uint32_t distance = (n->top - n->reorder_low + c->mss - 1) / c->mss;
    uint32_t most = u32_max(n->t->base.config.reordering_max, n->t->base.config.reordering);
    c->reordering = (uint16_t)u32_max(c->reordering, u32_min(distance, most));
    c->reordering_seen++;
}

void rack_recovered(struct rack *r) {
    if (r->persist != 0 && --r->persist == 0) r->mult = 1;
}

uint64_t rack_window(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    if (c->reordering_seen == 0) {
        if (c->recovery >= RECOVERY_FAST || a->board.sacked >= c->reordering) return 0;
    }
    return u64_min(c->min_rtt_us * NS_PER_US / 4 * a->rack.mult, c->srtt_us * NS_PER_US);
}

uint64_t rack_detect(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    const struct rack *r = &a->rack;
    if (r->sent_at == 0) return BK_NEVER;
    uint64_t wait = r->rtt_ns + rack_window(t, c);
    for (uint32_t id; (id = a->board.by_time.head) != BK_NONE;) {
        const struct sent_run *run = sent_at_id(t, id);
        a->board.visits++;
        if (!rack_sent_after(r->sent_at, r->end, run->sent_at, run->end)) break;
        uint64_t due = run->sent_at + wait;
        /* At one instant numbers tell what left first, unless it went again. */
        if (run->flags & SENT_RESENT) due = u64_max(due, run->sent_at + 1);
        if (due > t->base.now) return due;
        recovery_lose(t, c, id);
    }
    return BK_NEVER;
}

void rack_timeout(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    struct scoreboard *b = &a->board;
    uint32_t first = scoreboard_first(t, b);
    if (first != BK_NONE && sent_in_flight(sent_at_id(t, first)->flags)) recovery_lose(t, c, first);
    uint64_t wait = a->rack.rtt_ns + rack_window(t, c);
    for (uint32_t id; (id = b->by_time.head) != BK_NONE;) {
        if (sent_at_id(t, id)->sent_at + wait > t->base.now) break;
        recovery_lose(t, c, id);
    }
}
