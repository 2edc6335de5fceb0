/* What one ACK tells: see ack_news.h. */
#include "tcp/ack_news.h"

#include "tcp/rack.h"
#include "tcp/recovery.h"

void ack_news_begin(struct ack_news *n, struct tcp *t, struct connection *c, const struct wire_tcp_options *option) {
    *n = (struct ack_news){
        .t = t,
        .c = c,
        .a = active_of(t, c),
        .option = option,
        .prior_una = c->snd_una,
        .prior_pipe = recovery_pipe(t, c),
        .prior_state = c->recovery,
    };
    if (n->a == NULL) return;
    congestion_supply(t, c);
    rate_begin(&n->a->rate, &n->rate);
    n->prior_unsacked = n->a->board.bytes - n->a->board.sacked_bytes;
    n->top = seq_max(n->a->rack.fack, c->snd_una);
}

static void note_time(uint64_t *oldest, uint64_t sent_at) {
    if (*oldest == 0 || sent_at < *oldest) *oldest = u64_max(sent_at, 1);
}

void ack_news_acked(struct ack_news *n, const struct ack_piece *p) {
    const struct sent_run *r = p->run;
    bool once = !(r->flags & SENT_EVER_RESENT);
    if (!p->by_sack && (r->flags & SENT_EVER_RESENT)) n->resent_acked = true;
    if (!p->by_sack && (r->flags & SENT_RESENT) && p->to != r->end) n->resent_in_part = true;
    if (r->flags & SENT_SACKED) return; /* known since then */
    if ((r->flags & SENT_MTU_PROBE) && once && p->from == n->a->search.seq && p->to == r->end)
        n->mtu_probe_arrived = true;
    uint32_t bytes = p->to - p->from - (p->to == r->end && (r->flags & SENT_FIN));
    n->delivered += bytes;
    n->c->delivered_segments += p->segments;
    n->sacked |= p->by_sack;
    n->top = seq_max(n->top, p->to);
    if (once) {
        if (seq_le(p->to, n->c->recover)) n->original = true;
        note_time(p->by_sack ? &n->oldest_sacked : &n->oldest_acked, r->sent_at);
        n->newest = u64_max(n->newest, u64_max(r->sent_at, 1));
        if (seq_lt(p->from, n->a->rack.fack) && (!n->reordered || seq_lt(p->from, n->reorder_low))) {
            n->reordered = true;
            n->reorder_low = p->from;
        }
    }
    rack_delivered(n, r, p->to);
    rate_delivered(&n->a->rate, &n->rate, &r->mark, r->sent_at, p->to, bytes, !once, n->t->base.now);
}

/* ---- the SACK option ------------------------------------------------------------------------------- */

/* RFC 2883 4: the first block reports a duplicate if it lies at or below the ACK, or within the second block. */
static bool first_is_dsack(const struct wire_tcp_options *o, uint32_t ack) {
    const struct wire_sack_block *first = &o->sack[0], *second = &o->sack[1];
    if (seq_le(first->right, ack)) return true;
    return o->sack_count > 1 && seq_le(second->left, first->left) && seq_le(first->right, second->right);
}

/* A duplicate that the peer reports must be of what was sent, and not longer ago than a window. */
static bool take_dsack(struct ack_news *n, const struct wire_sack_block *block) {
    struct connection *c = n->c;
    uint32_t length = block->right - block->left;
    if (!seq_lt(block->left, block->right) || seq_gt(block->right, c->snd_nxt) || length > c->max_snd_wnd ||
        seq_lt(block->left, c->snd_una - c->max_snd_wnd))
        return false;
    n->dsack_segments = u32_max((length + c->mss - 1) / c->mss, 1);
    n->dsack_begin = block->left;
    n->dsack_end = block->right;
    c->dsack_duplicates += n->dsack_segments;
    /* More duplicates than retransmissions: the network makes copies, and they say nothing about ours. */
    if (c->dsack_duplicates > c->segments_retransmitted) {
        c->copied = true;
        return true;
    }
    n->dsack = true;
    n->dsack_tail = n->a->recovery.tail_out && n->a->recovery.tail_end == block->right;
    return true;
}

static bool take_block(struct ack_news *n, const struct wire_sack_block *block) {
    struct connection *c = n->c;
    if (!seq_lt(block->left, block->right) || seq_gt(block->right, c->snd_nxt)) return false;
    if (seq_le(block->right, c->snd_una)) return true; /* of an ACK that was overtaken: known */
    /* What begins at SND.UNA would have been acknowledged. */
    if (!seq_gt(block->left, c->snd_una)) return false;
    scoreboard_sacked(n->t, &n->a->board, block->left, block->right, n);
    return true;
}

void ack_news_sack(struct ack_news *n, uint32_t ack) {
    const struct wire_tcp_options *o = n->option;
    if (!n->c->sack || n->a == NULL) return;
    for (uint32_t i = 0; i < o->sack_count; i++) {
        bool valid = i == 0 && first_is_dsack(o, ack) ? take_dsack(n, &o->sack[0]) : take_block(n, &o->sack[i]);
        if (!valid) reason_count(&n->t->base, BK_REASON_NOTE_SACK_INVALID);
    }
}
