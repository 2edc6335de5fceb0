/* The audit of one connection: see audit.h. */
#include "lab/audit_connection.h"

#include "lab/audit_scoreboard.h"
#include "tcp/recovery.h"
#include "tcp/timeouts.h"

/* ---- queues ---------------------------------------------------------------------------------------- */

bool audit_extents(const struct base *b, const struct extent_queue *q, const char *what, struct fault *fault) {
    uint32_t bytes = 0, count = 0, last = BK_NONE;
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next) {
        FAULT_UNLESS(id < b->extents.fresh && count < b->extents.capacity, "%s: the chain of extents is broken", what);
        const struct extent *e = extent_at(b, id);
        FAULT_UNLESS(e->length != 0, "%s: an extent is empty", what);
        FAULT_UNLESS((uint32_t)e->offset + e->length <= b->config.chunk_size, "%s: an extent ends beyond its chunk",
                     what);
        FAULT_UNLESS(last == BK_NONE || seq_le(extent_end(extent_at(b, last)), e->seq), "%s: extents overlap", what);
        bytes += e->length;
        count++;
        last = id;
    }
    FAULT_UNLESS(q->tail == last, "%s: the tail is not the last extent", what);
    FAULT_UNLESS(q->bytes == bytes && q->count == count, "%s: holds %u bytes in %u extents and says %u in %u", what,
                 bytes, count, q->bytes, q->count);
    return true;
}

/* Runs are unbroken, do not touch each other, and stand in the tree by their first numbers. */
static bool audit_runs(const struct base *b, const struct runs *r, struct fault *fault) {
    struct tree_of of = runs_tree(b);
    uint32_t runs = 0, at = tree_first(&of, &r->tree);
    for (uint32_t run = runs_first(r); run != BK_NONE; run = runs_next(b, run), at = tree_next(&of, at)) {
        FAULT_UNLESS(at == run, "a run of out-of-order data is not where the tree says");
        uint32_t last = run;
        while (last != extent_at(b, run)->link) {
            uint32_t id = extent_at(b, last)->next;
            FAULT_UNLESS(id != BK_NONE && extent_at(b, id)->seq == extent_end(extent_at(b, last)),
                         "a run of out-of-order data has a gap");
            FAULT_UNLESS(extent_at(b, id)->link == last, "an extent does not know the one before it");
            last = id;
        }
        uint32_t next = runs_next(b, run);
        FAULT_UNLESS(next == BK_NONE || seq_lt(extent_end(extent_at(b, last)), extent_at(b, next)->seq),
                     "two runs of out-of-order data touch");
        runs++;
    }
    FAULT_UNLESS(at == BK_NONE && runs == r->count, "%u runs of out-of-order data, and the record says %u", runs,
                 r->count);
    return true;
}

/* The queue is one run of bytes, [from, to). */
static bool audit_run(const struct base *b, const struct extent_queue *q, uint32_t from, uint32_t to, const char *what,
                      struct fault *fault) {
    FAULT_UNLESS(q->bytes == to - from, "%s: holds %u bytes where %u are due", what, q->bytes, to - from);
    uint32_t at = from;
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next) {
        FAULT_UNLESS(extent_at(b, id)->seq == at, "%s: there is a gap at %u bytes", what, at - from);
        at = extent_end(extent_at(b, id));
    }
    return true;
}

static bool audit_out_of_order(const struct base *b, const struct connection *c, const struct extent_queue *q,
                               struct fault *fault) {
    if (q->head == BK_NONE) return true;
    FAULT_UNLESS(seq_gt(extent_at(b, q->head)->seq, c->rcv_nxt), "out-of-order data begins at or before RCV.NXT");
    FAULT_UNLESS(seq_le(extent_end(extent_at(b, q->tail)), c->rcv_adv),
                 "out-of-order data ends beyond the window offered");
    return true;
}

static bool audit_queues(const struct tcp *t, const struct connection *c, struct fault *fault) {
    const struct base *b = &t->base;
    const struct active *a = active_of(t, c);
    uint32_t from = c->syn_acked ? seq_min(c->snd_una, c->snd_end) : c->iss + 1; /* an acknowledged FIN lies beyond */
    if (a == NULL) {
        FAULT_UNLESS(c->detached || c->snd_end == from, "%u bytes are queued and there is no active record",
                     c->snd_end - from);
        return true;
    }
    FAULT_UNLESS(c->active < t->active.fresh, "the active record's id names none");
    bool holds = a->send.bytes != 0 || a->receive.bytes != 0 || a->out_of_order.queue.bytes != 0 ||
                 a->board.records != 0 || c->waits != WAITS_NOT;
    FAULT_UNLESS(a->connection == c->self, "an active record is another connection's");
    FAULT_UNLESS(holds != link_in(&a->rest_link),
                 holds ? "an active record rests with data" : "one without, for which nobody waits, does not rest");
    FAULT_UNLESS(holds || !c->detached, "an ended connection keeps an active record that holds nothing");
    if (!audit_extents(b, &a->send, "send queue", fault) || !audit_extents(b, &a->receive, "receive queue", fault) ||
        !audit_extents(b, &a->out_of_order.queue, "out-of-order data", fault) ||
        !audit_runs(b, &a->out_of_order, fault))
        return false;
    if (c->detached) {
        FAULT_UNLESS(a->send.bytes == 0 && a->out_of_order.queue.bytes == 0,
                     "an ended connection has more than unread data");
        return true;
    }
    uint32_t to = c->rcv_nxt - (c->fin_received ? 1 : 0);
    return audit_run(b, &a->send, from, c->snd_end, "send queue", fault) &&
           audit_run(b, &a->receive, to - a->receive.bytes, to, "receive queue", fault) &&
           audit_out_of_order(b, c, &a->out_of_order.queue, fault);
}

/* ---- variables ------------------------------------------------------------------------------------- */

static bool state_in(uint8_t state, uint32_t set) {
    return set >> state & 1;
}
#define IN(state) (UINT32_C(1) << (state))

static bool audit_variables(const struct connection *c, struct fault *fault) {
    FAULT_UNLESS(seq_le(c->snd_una, c->snd_nxt), "SND.UNA is beyond SND.NXT");
    /* Later the numbers may have gone round, and ISS says nothing. */
    FAULT_UNLESS(c->syn_acked || c->snd_una == c->iss, "our SYN is not acknowledged, and SND.UNA is not ISS");
    FAULT_UNLESS(seq_le(c->snd_nxt, c->snd_end + (c->fin_queued ? 1 : 0)), "SND.NXT is beyond what is queued");
    FAULT_UNLESS(seq_le(c->rcv_nxt, c->rcv_adv), "RCV.NXT is beyond the window offered");
    FAULT_UNLESS(seq_le(c->rcv_edge, c->rcv_adv), "the last window offered ends beyond the furthest");
    FAULT_UNLESS(!c->fin_received || c->fin_known, "a FIN was taken that is not known");
    FAULT_UNLESS(!c->fin_received || c->rcv_nxt == c->fin_seq + 1, "RCV.NXT is not behind the FIN that was taken");
    FAULT_UNLESS(!c->fin_known || c->fin_received || seq_le(c->rcv_nxt, c->fin_seq),
                 "a FIN lies behind RCV.NXT, not taken");
    return true;
}

/* What a state says of the two FINs (RFC 9293 3.3.2). */
static bool audit_state(const struct connection *c, struct fault *fault) {
    const uint32_t closed_by_us = IN(BK_FIN_WAIT_1) | IN(BK_FIN_WAIT_2) | IN(BK_CLOSING) | IN(BK_LAST_ACK);
    const uint32_t closed_by_peer = IN(BK_CLOSE_WAIT) | IN(BK_CLOSING) | IN(BK_LAST_ACK);
    const uint32_t synchronized = closed_by_us | closed_by_peer | IN(BK_ESTABLISHED);
    FAULT_UNLESS(state_in(c->state, synchronized | IN(BK_SYN_SENT) | IN(BK_SYN_RECEIVED)),
                 "state %s holds a place in the table", bk_state_name(c->state));
    FAULT_UNLESS(!state_in(c->state, closed_by_us) || c->fin_queued, "%s, but no FIN of ours is queued",
                 bk_state_name(c->state));
    FAULT_UNLESS(state_in(c->state, closed_by_peer) == c->fin_received, "%s, but the peer's FIN was%s taken",
                 bk_state_name(c->state), c->fin_received ? "" : " not");
    /* CLOSE in SYN-RECEIVED leads to FIN-WAIT-1 at once (RFC 9293 3.10.4), and the peer's FIN from there to CLOSING. */
    FAULT_UNLESS(!state_in(c->state, synchronized & ~(IN(BK_FIN_WAIT_1) | IN(BK_CLOSING))) || c->syn_acked,
                 "%s, but our SYN is not acknowledged", bk_state_name(c->state));
    FAULT_UNLESS((c->state == BK_FIN_WAIT_2) == (connection_fin_acked(c) && !c->fin_received),
                 "%s, but our FIN is%s acknowledged", bk_state_name(c->state), connection_fin_acked(c) ? "" : " not");
    return true;
}

/* ---- time ------------------------------------------------------------------------------------------ */

static bool audit_timers(const struct tcp *t, const struct connection *c, struct fault *fault) {
    bool waits_to_send = link_in(&c->output_link);
    bool unsent = seq_lt(c->snd_nxt, c->snd_end) || (c->fin_queued && !connection_fin_sent(c));
    FAULT_UNLESS(c->ack_owed != ACK_DELAYED || c->ack_due != BK_NEVER, "a delayed ACK has no deadline");
    FAULT_UNLESS(c->ack_owed != ACK_NONE || !c->syn_acked || c->rcv_nxt == c->last_ack_sent,
                 "%u numbers were taken that no ACK is owed for", c->rcv_nxt - c->last_ack_sent);
    FAULT_UNLESS(c->ack_owed != ACK_NOW || waits_to_send, "an ACK is owed now, and the connection is not asked");
    FAULT_UNLESS(c->ack_owed != ACK_DELAYED || c->ack_due <= t->base.now + delayed_ack_most_ns(t),
                 "an ACK is delayed for longer than it may be");
    if (!c->owned && c->syn_acked)
        FAULT_UNLESS(c->linger_due != BK_NEVER, "the user is gone and nothing ends the wait in %s",
                     bk_state_name(c->state));
    FAULT_UNLESS(c->timer.deadline <= c->linger_due, "the end of a wait without user is not armed");
    if (waits_to_send) return true;
    /* Pacing holds back what would leave, for the first time or again, and the wheel knows for how long. */
    bool runs = c->rtx_due != BK_NEVER || (pacing_due(t, c) > t->base.now && c->timer.deadline <= pacing_due(t, c));
    FAULT_UNLESS(connection_outstanding(c) == 0 || runs, "something is outstanding and no timer runs");
    FAULT_UNLESS(!unsent || !c->syn_acked || runs, "data waits to be sent and no timer runs");
    FAULT_UNLESS(c->timer.deadline <= timeouts_next(c), "the timer is set later than the earliest deadline");
    return true;
}

bool audit_record(const struct tcp *t, const struct connection *c, struct fault *fault) {
    if (c->detached) {
        FAULT_UNLESS(c->timer.deadline == BK_NEVER && !link_in(&c->output_link),
                     "an ended connection has a timer or output");
        FAULT_UNLESS(c->owned, "an ended connection that nobody owns was not freed");
        return audit_queues(t, c, fault);
    }
    return audit_variables(c, fault) && audit_state(c, fault) && audit_queues(t, c, fault) &&
           audit_scoreboard(t, c, fault) && audit_timers(t, c, fault);
}
