/* Text and FIN: RFC 9293 3.10.7.4, steps seventh and eighth. See receive_state.h. */
#include "tcp/receive_state.h"

#include "tcp/budget.h"
#include "tcp/segment.h"

void receive_begin(struct tcp *t, struct connection *c, struct receive_state *r) {
    memset(r, 0, sizeof *r);
    r->gap_nxt = c->rcv_nxt;
    r->space = u32_max(
        u32_min(10u * c->mss_offered, receive_window_initial(t, c->receive_buffer, c->window_clamp, c->mss_offered)),
        1);
}

/* ---- what is taken --------------------------------------------------------------------------------- */

/* Segments of the peer's are this large. */
static void note_mss(struct connection *c, const struct segment *s, uint32_t n) {
    uint32_t size = u32_min(s->packet->gso_size != 0 ? s->packet->gso_size : n, c->mss_offered);
    if (size <= c->rcv_mss) return;
    c->rcv_mss = (uint16_t)size;
    /* By Linux's account, how much of its buffers was text is looked at when the size of segments changes. */
    c->payload_share = (uint16_t)u32_max((uint32_t)((uint64_t)n * 256 / receive_overhead(n)), 1);
}

static void charge(const struct tcp *t, struct active *a, uint32_t n) {
    if (t->base.config.receive_overhead) a->receiving.charge += receive_overhead(n);
}

/* By Linux's account the buffer is full: nothing is taken while something is unread. */
static bool account_full(const struct tcp *t, const struct connection *c, const struct active *a) {
    return t->base.config.receive_overhead && a->receiving.charge > c->receive_buffer && a->receive.bytes != 0;
}

/* Makes room in the shared budget for what lies before `edge`, by giving up the data of this connection that is furthest from being
 * read: it was promised least. */
static bool give_way(struct tcp *t, struct active *a, uint32_t edge) {
    const struct extent_queue *q = &a->out_of_order.queue;
    if (q->tail == BK_NONE || seq_lt(extent_at(&t->base, q->tail)->seq, edge)) return false;
    reason_count(&t->base, BK_REASON_NOTE_OUT_OF_ORDER_PRUNED);
    runs_drop_last(&t->base, &a->out_of_order);
    return true;
}

/* Extents that data behind a gap may take: in proportion to the window that was offered, so that a connection cannot pin more. */
static uint32_t out_of_order_max(const struct tcp *t, const struct connection *c) {
    const struct bk_config *config = &t->base.config;
    return u32_min(config->buffer_chunks / 4, 2 * (c->receive_buffer / config->chunk_size)) + 8;
}

/* Text that begins beyond RCV.NXT: kept, and the gap reported. */
static uint16_t keep_out_of_order(struct tcp *t, struct connection *c, struct active *a, const struct segment *s,
                                  uint32_t seq, uint32_t offset, uint32_t n) {
    struct span known;
    uint32_t max = out_of_order_max(t, c);
    int kept = runs_insert(&t->base, &a->out_of_order, seq, s->packet, offset, n, max, &known);
    /* Each round gives up an extent, and the segment takes no more of them than it has parts. */
    for (uint32_t i = 0; kept < 0 && i <= s->packet->part_count && give_way(t, a, seq + n); i++) {
        struct span again;
        kept = runs_insert(&t->base, &a->out_of_order, seq, s->packet, offset, n, max, &again);
    }
    if (kept >= 0) receive_sack_note(t, a, seq);
    delayed_ack_gap(t, c, a, kept >= 0 && known.left != known.right);
    if (kept < 0) return BK_REASON_DROP_OUT_OF_ORDER_LIMIT;
    receive_sack_duplicate(t, c, known);
    if (kept == 0) return BK_REASON_ANSWER_DUPLICATE;
    c->out_of_order_segments++;
    charge(t, a, n);
    note_mss(c, s, n);
    receive_window_gap(t, c, a, seq + n - c->rcv_nxt);
    return BK_REASON_ACCEPT_DATA_OUT_OF_ORDER;
}

/* How many of n bytes of the packet lie in its first parts, so many of them. */
static uint32_t front_of(const struct packet *p, uint32_t offset, uint32_t n, uint32_t parts) {
    struct packet_walk w = packet_walk(p, offset, n);
    while (w.left != 0 && parts-- != 0) (void)packet_walk_next(&w);
    return n - w.left;
}

/* Queues n bytes that are in order, if the budget has room for all of them. */
static bool append_text(struct tcp *t, struct connection *c, struct active *a, struct packet *p, uint32_t offset,
                        uint32_t n) {
    if (BK_LIKELY(extent_queue_append_packet(&t->base, &a->receive, c->rcv_nxt, p, offset, n))) return true;
    a->receive.limit = t->base.buffer_chunks_used + budget_more(t, a->receive.count, t->aside);
    bool ok = extent_queue_append_packet(&t->base, &a->receive, c->rcv_nxt, p, offset, n);
    a->receive.limit = budget_mark(t);
    return ok;
}

/* The same, or else as much of their front as there is room for. Returns how much. */
static uint32_t queue_text(struct tcp *t, struct connection *c, struct active *a, struct packet *p, uint32_t offset,
                           uint32_t n) {
    do
        if (append_text(t, c, a, p, offset, n)) return n;
    while (give_way(t, a, c->rcv_nxt));
    n = front_of(p, offset, n, budget_more(t, a->receive.count, t->aside));
    return n != 0 && append_text(t, c, a, p, offset, n) ? n : 0;
}

/* Text that continues what we have. */
static uint16_t take_in_order(struct tcp *t, struct connection *c, struct active *a, const struct segment *s,
                              uint32_t offset, uint32_t n, bool overlap) {
    bool was_empty = a->receive.bytes == 0;
    uint32_t taken = queue_text(t, c, a, s->packet, offset, n);
    if (taken == 0) {
        if (t->base.config.shrink_window) connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_PROBE);
        return BK_REASON_DROP_NO_BUFFER;
    }
    if (taken != n) connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_PROBE); /* the rest is to come again */
    n = taken;
    uint32_t before = c->rcv_nxt;
    bool gap = a->out_of_order.queue.bytes != 0;
    c->rcv_nxt += n;
    charge(t, a, n);
    if (gap) {
        struct span known;
        c->rcv_nxt = runs_splice(&t->base, &a->receive, &a->out_of_order, c->rcv_nxt, &known);
        receive_sack_duplicate(t, c, known);
    }
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
    c->rcv_edge = seq_max(c->rcv_edge, c->rcv_nxt);
    c->bytes_received += c->rcv_nxt - before;
    note_mss(c, s, n);
    receive_window_text(t, c, a, s);
    delayed_ack_text(t, c, a, gap, s->header.flags & WIRE_PSH);
    c->text_ms = (uint32_t)(t->base.now / NS_PER_MS);
    if (was_empty || (c->news & BK_NEWS_ARRIVALS)) connection_hear(t, c, BK_READY_READABLE);
    return overlap ? BK_REASON_ACCEPT_DATA_OVERLAP : BK_REASON_ACCEPT_DATA;
}

/* ---- the steps ------------------------------------------------------------------------------------- */

bool receive_refuses(const struct tcp *t, const struct connection *c, const struct segment *s) {
    return t->base.config.receive_overhead && s->data_length != 0 && connection_receive_queued(t, c) != 0 &&
           seq_gt(segment_data_seq(s) + s->data_length, c->rcv_adv);
}

void receive_old_text(struct tcp *t, struct connection *c, const struct segment *s) {
    if (s->data_length == 0) return;
    uint32_t seq = segment_data_seq(s);
    delayed_ack_duplicate(t, c);
    receive_sack_duplicate(t, c, (struct span){seq, seq_min(seq + s->data_length, c->rcv_nxt)});
}

/* What lies beyond the window is cut off. Returns what is left of n bytes at `seq`. A window that was taken back (shrink_window) still stands
 * for the peer, which may not have heard of it; but text that begins beyond what is offered now is not taken. */
static uint32_t cut_to_window(const struct tcp *t, const struct connection *c, uint32_t seq, uint32_t n) {
    bool closed = t->base.config.receive_overhead && (c->rcv_edge == c->rcv_nxt || seq_ge(seq, c->rcv_edge));
    if (closed || seq_ge(seq, c->rcv_adv)) return 0;
    if (t->base.config.receive_overhead && connection_receive_queued(t, c) == 0) return n;
    return u32_min(n, c->rcv_adv - seq);
}

uint16_t receive_text(struct tcp *t, struct connection *c, const struct segment *s) {
    uint32_t seq = segment_data_seq(s), n = s->data_length, offset = s->header.header_length;
    bool overlap = seq_lt(seq, c->rcv_nxt);
    if (overlap) { /* the front is known */
        uint32_t known = u32_min(c->rcv_nxt - seq, n);
        receive_sack_duplicate(t, c, (struct span){seq, seq + known});
        delayed_ack_duplicate(t, c);
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_DUPLICATE); /* a peer that sends again waits for it */
        seq += known;
        offset += known;
        n -= known;
    }
    uint32_t left = cut_to_window(t, c, seq, n);
    if (left != n) { /* the sender may probe like that, and must be answered */
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_PROBE);
        if (left == 0) return seq_gt(seq, c->rcv_nxt) ? BK_REASON_ANSWER_UNACCEPTABLE : BK_REASON_ANSWER_ZERO_WINDOW;
        n = left;
    }
    if (n == 0) {
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_DUPLICATE);
        return BK_REASON_ANSWER_DUPLICATE;
    }
    struct active *a = connection_activate(t, c);
    if (a == NULL) return BK_REASON_DROP_NO_ACTIVE;
    if (account_full(t, c, a)) { /* and the window that was offered is taken back */
        connection_owe_ack(t, c, ACK_NOW, BK_REASON_SEND_ACK_PROBE);
        return BK_REASON_DROP_NO_BUFFER;
    }
    uint16_t reason = seq == c->rcv_nxt ? take_in_order(t, c, a, s, offset, n, overlap)
                                        : keep_out_of_order(t, c, a, s, seq, offset, n);
    connection_settle(t, c);
    return reason;
}

void receive_fin(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    c->fin_received = true;
    c->rcv_nxt++;
    delayed_ack_fin(t, c);
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
    c->rcv_edge = seq_max(c->rcv_edge, c->rcv_nxt);
    if (a == NULL) return;
    /* What claims to follow the FIN will never be read; and of what came twice nothing more needs to be known. */
    runs_clear(&t->base, &a->out_of_order);
    a->receiving.duplicate.right = a->receiving.duplicate.left;
    connection_settle(t, c);
}
