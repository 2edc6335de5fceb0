/* Undoing what was for nothing: see undo.h. */
#include "tcp/undo.h"

#include "tcp/ack_news.h"
#include "tcp/options.h"
#include "tcp/rtt.h"

/* Records that one undo takes back into flight. A peer may bring about an undo with every few ACKs, and each of these records has to be
 * found lost again: with more of them than this it gets its retransmissions. */
#define FIND_AGAIN_MAX 64u

/* ---- what went again, and was not needed ----------------------------------------------------------- */

static void span_remove(struct recovery *r, uint32_t i) {
    r->resent[i] = r->resent[--r->spans];
    memset(&r->resent[r->spans], 0, sizeof r->resent[0]);
}

static void span_add(struct recovery *r, uint32_t left, uint32_t right) {
    for (uint32_t i = 0; i < r->spans; i++) {
        if (seq_lt(left, r->resent[i].right) && seq_lt(r->resent[i].left, right)) r->vague = true; /* 3708 3 A.3 */
        if (r->resent[i].right != left && r->resent[i].left != right) continue;
        left = seq_min(left, r->resent[i].left);
        right = seq_max(right, r->resent[i].right);
        span_remove(r, i);
        i = UINT32_MAX; /* the longer one may touch another */
    }
    if (r->spans == RESENT_SPANS_MAX) {
        r->vague = true;
        return;
    }
    r->resent[r->spans].left = left;
    r->resent[r->spans++].right = right;
}

/* Takes [left, right) out. Returns whether all of it had gone again. */
static bool span_take(struct recovery *r, uint32_t left, uint32_t right) {
    for (uint32_t i = 0; i < r->spans; i++) {
        uint32_t from = r->resent[i].left, to = r->resent[i].right;
        if (seq_lt(left, from) || seq_gt(right, to)) continue;
        span_remove(r, i);
        if (left != from) span_add(r, from, left);
        if (right != to) span_add(r, right, to);
        return true;
    }
    return false;
}

/* What was acknowledged before `una` is of no interest any more. */
static void spans_from(struct recovery *r, uint32_t una) {
    for (uint32_t i = r->spans; i-- != 0;) {
        if (seq_le(r->resent[i].right, una))
            span_remove(r, i);
        else
            r->resent[i].left = seq_max(r->resent[i].left, una);
    }
}

void undo_begin(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    struct recovery *r = &a->recovery;
    r->undo_cwnd = c->cwnd;
    r->undo_ssthresh = c->ssthresh;
    r->undo_on = true;
    r->undo_una = c->snd_una;
    /* What was sent again before, and is on its way, belongs to it. */
    spans_from(r, c->snd_una);
    r->undo_sent = a->board.resent != 0;
    if (r->undo_sent) return;
    r->vague = false;
    r->undo_tsval = 0;
}

void undo_sent(const struct tcp *t, struct connection *c, uint32_t left, uint32_t right) {
    struct recovery *r = &active_of(t, c)->recovery;
    if (r->undo_tsval == 0) r->undo_tsval = u32_max(timestamp_now(t, c->ts_offset), 1);
    r->undo_sent = true;
    if (!r->undo_on) spans_from(r, c->snd_una);
    span_add(r, left, right);
}

void undo_dsack(struct ack_news *n) {
    struct recovery *r = &n->a->recovery;
    /* On the ACK that first covers it the report comes too early to be of what went again (A.1: a window of ACKs was lost). */
    if (n->dsack_segments == 0 || seq_gt(n->dsack_end, n->prior_una)) return;
    bool matched = span_take(r, n->dsack_begin, n->dsack_end);
    if (!matched && r->undo_on && !r->vague && seq_gt(n->dsack_end, r->undo_una)) n->c->copied = true; /* A.4 */
}

/* ---- what proves it -------------------------------------------------------------------------------- */

/* RFC 3522 3.2 step 5: all may have arrived, and the ACKs been lost. Then this one answers a duplicate, with the echo of what came in order before;
 * and it says so, if the peer reports duplicates, or covers all, if it does not. */
static bool acks_were_lost(const struct ack_news *n) {
    return n->dsack_segments != 0 || (n->c->dsack_duplicates == 0 && n->c->snd_una == n->c->snd_nxt);
}

bool undo_by_timestamp(const struct ack_news *n) {
    const struct recovery *r = &n->a->recovery;
    const struct wire_tcp_options *o = n->option;
    return r->undo_on && r->undo_sent && r->undo_tsval != 0 && n->c->timestamps && o->has_timestamps && o->tsecr != 0 &&
           seq_lt(o->tsecr, r->undo_tsval) && !acks_were_lost(n);
}

bool undo_by_dsack(const struct ack_news *n) {
    const struct recovery *r = &n->a->recovery;
    return r->undo_on && r->undo_sent && r->spans == 0 && !r->vague && !n->c->copied;
}

void undo_forget(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    a->recovery.undo_on = a->recovery.undo_sent = false;
    a->recovery.undo_tsval = 0;
}

void undo_age(struct tcp *t, struct connection *c) {
    struct recovery *r = &active_of(t, c)->recovery;
    uint32_t old = c->snd_una - c->max_snd_wnd;
    if (!r->undo_on && r->spans == 0) return;
    bool stale = r->spans == 0 && seq_le(r->undo_una, old);
    for (uint32_t i = 0; i < r->spans; i++) stale |= seq_le(r->resent[i].right, old);
    if (!stale) return;
    while (r->spans != 0) span_remove(r, 0);
    r->vague = false;
    undo_forget(t, c);
}

void undo(struct tcp *t, struct connection *c, bool window) {
    struct active *a = active_of(t, c);
    struct recovery *r = &a->recovery;
    scoreboard_find_again(t, &a->board, FIND_AGAIN_MAX);
    if (!window) {
        undo_forget(t, c);
        return;
    }
    congestion_event(t, c, CONGESTION_UNDO);
    if (!congestion_owns_window(c)) {
        c->cwnd = u32_max(c->cwnd, r->undo_cwnd);
        c->ssthresh = u32_max(c->ssthresh, r->undo_ssthresh);
    }
    reason_count(&t->base, BK_REASON_NOTE_UNDO);
    undo_forget(t, c);
}
