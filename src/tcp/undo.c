/* Undoing what was for nothing: see undo.h. */
#include "tcp/undo.h"

#include "tcp/ack_news.h"
#include "tcp/options.h"
#include "tcp/rtt.h"

/* Records that one undo takes back into flight. A peer may bring about an undo with every few ACKs, and each of these records has to be
 * found lost again: with more of them than this it gets its retransmissions. */
#define FIND_AGAIN_MAX 64u

void undo_begin(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    struct recovery *r = &a->recovery;
    r->undo_cwnd = c->cwnd;
    r->undo_ssthresh = c->ssthresh;
    r->undo_on = true;
    r->undo_una = c->snd_una;
    /* What was sent again before, and is on its way, belongs to it. */
    r->undo_segments = a->board.resent;
    r->undo_sent = a->board.resent != 0;
    if (!r->undo_sent) r->undo_tsval = 0;
}

void undo_sent(const struct tcp *t, struct connection *c, uint32_t segments) {
    struct recovery *r = &active_of(t, c)->recovery;
    if (r->undo_tsval == 0) r->undo_tsval = u32_max(timestamp_now(t, c->ts_offset), 1);
    r->undo_sent = true;
    r->undo_segments += segments;
}

void undo_dsack(struct ack_news *n) {
    struct recovery *r = &n->a->recovery;
    if (!n->dsack || !r->undo_on || seq_gt(n->dsack_end, n->prior_una) || !seq_gt(n->dsack_end, r->undo_una)) return;
    r->undo_segments -= u32_min(r->undo_segments, n->dsack_segments);
}

bool undo_by_timestamp(const struct ack_news *n) {
    const struct recovery *r = &n->a->recovery;
    const struct wire_tcp_options *o = n->option;
    return r->undo_on && r->undo_sent && r->undo_tsval != 0 && n->c->timestamps && o->has_timestamps && o->tsecr != 0 &&
           seq_lt(o->tsecr, r->undo_tsval);
}

bool undo_by_dsack(const struct ack_news *n) {
    const struct recovery *r = &n->a->recovery;
    return r->undo_on && r->undo_sent && r->undo_segments == 0;
}

void undo_forget(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    a->recovery.undo_on = a->recovery.undo_sent = false;
    a->recovery.undo_segments = a->recovery.undo_tsval = 0;
}

void undo(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    struct recovery *r = &a->recovery;
    scoreboard_find_again(t, &a->board, FIND_AGAIN_MAX);
    congestion_event(t, c, CONGESTION_UNDO);
    if (!congestion_owns_window(c)) {
        c->cwnd = u32_max(c->cwnd, r->undo_cwnd);
        c->ssthresh = u32_max(c->ssthresh, r->undo_ssthresh);
    }
    reason_count(&t->base, BK_REASON_NOTE_UNDO);
    undo_forget(t, c);
}
