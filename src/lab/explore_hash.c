/* The canonical hash of a state: of a projection of it that holds everything which can influence what happens from there on, in a form in
 * which neither the time of day nor the initial sequence numbers can be seen.
 *
 *   - Deadlines are distances from the clock of their stack. Times that are only compared with a span are cut at that span.
 *   - Sequence numbers are distances, per direction, from the first number of that direction that the projection meets. TCP only ever
 *     compares numbers of one direction with each other; so what remains is the relation between the incarnations. Where a stack may yet
 *     choose an ISS, the distance to the ISN clock is part of the projection, too.
 *     Timestamps likewise, together with the next one of each clock.
 *   - Records appear in the order of lists in which they stand, or of their making; ids and generations do not appear.
 *   - Left out are counters, labels of segments to come (ack_reason, rtx_reason), contents of freed objects, and of a connection that has ended all
 *     but what its user can still learn; and in worlds without SACK RTT samples and when things were sent: RTO is fixed in all worlds, and only
 *     RACK and tail loss probes go by these.
 *
 * That nothing is missing is not believed but checked: struct sizes are asserted, so that a new field makes somebody look here; and the
 * exploration can expand states whose projections are equal and compare what follows (explore.h, check_hash).
 */
#include "base/siphash.h"
#include "lab/explore_machine.h"
#include "lab/inside.h"
#include "tcp/connection.h"
#include "tcp/frto.h"
#include "tcp/isn.h"
#include "tcp/request.h"
#include "tcp/rtt.h"
#include "tcp/time_wait.h"
#include "wire/ip.h"

_Static_assert(sizeof(struct connection) == 448, "a field came or went: does it belong to put_connection?");
_Static_assert(sizeof(struct active) == 792, "a field came or went: does it belong to put_queues?");
_Static_assert(sizeof(struct sent_run) == 88, "a field came or went: does it belong to put_scoreboard?");
_Static_assert(sizeof(struct extent) == 32, "a field came or went: does it belong to put_queue?");
_Static_assert(sizeof(struct listener) == 152, "a field came or went: does it belong to put_listeners?");
_Static_assert(offsetof(struct request, tuple) == 52, "a field came or went: does it belong to put_requests?");
_Static_assert(offsetof(struct time_wait, tuple) == 51, "a field came or went: does it belong to put_time_waits?");
_Static_assert(sizeof(struct watch_end) == 32, "a field came or went: does it belong to put_watch?");
_Static_assert(sizeof(struct explore_user) == 24, "a field came or went: does it belong to put_user?");
_Static_assert(sizeof(struct explore_incarnation) == 20, "a field came or went: does it belong to put_incarnation?");

#define PROJECTION_MAX 8192u
#define HELD_MAX       (80u + EXPLORE_BYTES)

struct projection {
    uint32_t length;
    uint32_t reference[2]; /* of each direction: [0] the numbers that A gives its bytes */
    bool has_reference[2];
    uint32_t stamp_reference[2]; /* likewise of timestamps */
    bool has_stamp_reference[2];
    uint32_t room;
    uint8_t *bytes;
};

static void put(struct projection *p, uint64_t value, uint32_t size) {
    BK_ASSERT(p->length + size <= p->room, "a small world's projection is small");
    for (uint32_t i = 0; i < size; i++) p->bytes[p->length++] = (uint8_t)(value >> (8 * i));
}
static void put8(struct projection *p, uint32_t value) {
    put(p, value, 1);
}
static void put32(struct projection *p, uint32_t value) {
    put(p, value, 4);
}
/* A bit for each of several questions. */
#define PUT_BITS(p, ...)                                                                                               \
    do {                                                                                                               \
        const bool bits[] = {__VA_ARGS__};                                                                             \
        for (uint32_t bit = 0; bit < BK_COUNT(bits); bit++) put8(p, bits[bit]);                                        \
    } while (0)

static void put_seq(struct projection *p, unsigned direction, uint32_t number) {
    if (!p->has_reference[direction]) {
        p->has_reference[direction] = true;
        p->reference[direction] = number;
    }
    put32(p, number - p->reference[direction]);
}

static void put_stamp(struct projection *p, unsigned direction, uint32_t stamp) {
    if (!p->has_stamp_reference[direction]) {
        p->has_stamp_reference[direction] = true;
        p->stamp_reference[direction] = stamp;
    }
    put32(p, stamp - p->stamp_reference[direction]);
}

/* Whether a number is further from all others than they can be from each other. */
static bool is_far(const struct projection *p, unsigned direction, uint32_t number) {
    const uint32_t far = UINT32_C(1) << 26; /* that the ISN clock goes in four minutes */
    return !p->has_reference[direction] || number - p->reference[direction] + far > 2 * far;
}

static void put_due(struct projection *p, uint64_t due, uint64_t now) {
    put(p, due == BK_NEVER ? BK_NEVER : due - now, 8);
}

/* ---- a stack --------------------------------------------------------------------------------------- */

struct view {
    const struct tcp *t;
    const struct base *b;
    uint64_t now;
    unsigned mine, theirs; /* directions */
};

/* The next timestamp of a stack's. */
static void put_next_stamp(struct projection *p, unsigned direction, uint64_t now, uint32_t offset) {
    put_stamp(p, direction, (uint32_t)(now / NS_PER_MS) + offset);
}

static void put_clocks(struct projection *p, const struct view *v, uint32_t recent, uint32_t offset) {
    put_stamp(p, v->theirs, recent);
    put_next_stamp(p, v->mine, v->now, offset);
}

static void put_queue(struct projection *p, const struct view *v, const struct extent_queue *q, unsigned direction) {
    put32(p, q->count);
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(v->b, id)->next) {
        const struct extent *e = extent_at(v->b, id);
        put_seq(p, direction, e->seq);
        put32(p, (uint32_t)e->offset << 16 | e->length);
        put8(p, chunk_references(v->b, e->chunk));
        for (uint32_t i = 0; i < e->length; i++) put8(p, chunk_data(v->b, e->chunk)[e->offset + i]);
    }
}

/* What the controller knows beyond the windows; worlds use NewReno without HyStart++. */
static void put_congestion(struct projection *p, const struct view *v, const struct connection *c,
                           const struct congestion *g) {
    put_seq(p, v->mine, g->use_end);
    put32(p, g->use_most);
    PUT_BITS(p, g->use_limited, g->idle_seen);
    put32(p, g->newreno.credit);
    /* What a window that is not used shrinks by, and when; to the initial window at least. */
    if (c->cwnd <= 10u * c->mss) return;
    put(p, u64_min(v->now - g->used_at, rtt_rto_ns(c) + 1), 8);
    put32(p, g->used_most);
}

/* What only SACK brings into play: RACK, tail loss probes, undoing; and with them when things were sent, and in what order. */
static void put_rack(struct projection *p, const struct view *v, const struct active *a, bool timestamps) {
    const struct recovery *r = &a->recovery;
    const struct rack *k = &a->rack;
    put_seq(p, v->mine, k->fack);
    put8(p, k->sent_at != 0);
    if (k->sent_at != 0) {
        put(p, v->now - k->sent_at, 8);
        put(p, k->rtt_ns, 8);
        put_seq(p, v->mine, k->end);
    }
    PUT_BITS(p, k->dsack_round_on, r->undo_on, r->undo_sent, r->tail_out, r->tail_again, r->tail_now);
    if (k->dsack_round_on) put_seq(p, v->mine, k->dsack_round);
    put8(p, k->mult);
    put8(p, k->persist);
    put_due(p, r->reorder_due, v->now);
    put8(p, r->vague);
    put8(p, r->spans);
    for (uint32_t i = 0; i < r->spans; i++) {
        put_seq(p, v->mine, r->resent[i].left);
        put_seq(p, v->mine, r->resent[i].right);
    }
    if (r->undo_on) {
        put_seq(p, v->mine, r->undo_una);
        put32(p, r->undo_cwnd);
        put32(p, r->undo_ssthresh);
        put8(p, r->undo_tsval != 0 && timestamps);
        if (r->undo_tsval != 0 && timestamps) put_stamp(p, v->mine, r->undo_tsval);
    }
    if (r->tail_out) put_seq(p, v->mine, r->tail_end);
}

/* What is outstanding. Without SACK and timestamps RACK, tail loss probes and all but F-RTO's undoing rest, and the times of transmissions change
 * nothing. */
static void put_scoreboard(struct projection *p, const struct view *v, const struct connection *c,
                           const struct active *a) {
    const struct scoreboard *b = &a->board;
    const struct recovery *r = &a->recovery;
    struct tree_of of = {v->b, &v->t->sent, offsetof(struct sent_run, by_seq), offsetof(struct sent_run, seq)};
    put32(p, b->records);
    for (uint32_t id = tree_first(&of, &b->runs); id != BK_NONE; id = tree_next(&of, id)) {
        const struct sent_run *run = sent_at_id(v->t, id);
        put_seq(p, v->mine, run->seq);
        put_seq(p, v->mine, run->end);
        put8(p, run->flags);
        put32(p, run->mss);
        if (!c->sack) continue;
        put32(p, run->segments);
        put(p, v->now - run->sent_at, 8);
    }
    for (uint32_t id = a->board.by_time.head; c->sack && id != BK_NONE; id = sent_at_id(v->t, id)->time_link.next)
        put_seq(p, v->mine, sent_at_id(v->t, id)->seq);
    put8(p, r->frto);
    if (c->recovery == RECOVERY_DISORDER) put_seq(p, v->mine, r->loss_edge);
    if (c->recovery == RECOVERY_CWR || c->recovery == RECOVERY_FAST) {
        put32(p, r->prr.delivered);
        put32(p, r->prr.out);
        put32(p, r->prr.flight);
    }
    if (r->frto != FRTO_OFF) {
        put32(p, r->undo_cwnd);
        put32(p, r->undo_ssthresh);
    }
}

static void put_blocks(struct projection *p, const struct view *v, const struct receive_state *r) {
    put8(p, r->recent_count);
    for (uint32_t i = 0; i < r->recent_count; i++) put_seq(p, v->theirs, r->recent[i]);
    put8(p, r->duplicate.left != r->duplicate.right);
    if (r->duplicate.left == r->duplicate.right) return;
    put_seq(p, v->theirs, r->duplicate.left);
    put_seq(p, v->theirs, r->duplicate.right);
}

static void put_queues(struct projection *p, const struct view *v, const struct connection *c) {
    const struct active *a = active_of(v->t, c);
    put8(p, a != NULL);
    if (a != NULL && c->state != BK_SYN_SENT && !c->detached) {
        put_congestion(p, v, c, &a->congestion);
        if (c->sack) put_rack(p, v, a, c->timestamps);
    }
    /* Worlds have no quick ACKs (so PSH does not matter), one delay, and buffers that stay: of the receiving side only whether text has come
     * counts, and what SACK blocks will tell. */
    put8(p, a != NULL && a->receiving.delay_us != 0);
    if (a != NULL && c->sack) put_blocks(p, v, &a->receiving);
    /* A record at rest, or taken over, holds nothing. */
    bool holds = a != NULL && !link_in(&a->rest_link);
    put8(p, holds);
    if (!holds) return;
    put_queue(p, v, &a->send, v->mine);
    put_queue(p, v, &a->receive, v->theirs);
    put_queue(p, v, &a->out_of_order.queue, v->theirs);
    put32(p, seq_gt(a->push_at, c->snd_nxt) ? a->push_at - c->snd_nxt : 0);
    put_scoreboard(p, v, c, a);
}

/* What a user can still learn of a connection that the stack is done with. */
static void put_detached(struct projection *p, const struct view *v, const struct connection *c) {
    put8(p, c->state);
    put8(p, c->ready);
    PUT_BITS(p, c->owned, c->fin_received, c->listener == BK_NONE && link_in(&c->ready_link));
    put(p, (uint16_t)c->error, 2);
    put_queues(p, v, c);
}

static void put_sending(struct projection *p, const struct view *v, const struct connection *c) {
    put_seq(p, v->mine, c->iss);
    put_seq(p, v->mine, c->snd_una);
    put_seq(p, v->mine, c->snd_nxt);
    put_seq(p, v->mine, c->snd_end);
    if (c->urgent_out) put_seq(p, v->mine, c->snd_up);
    put32(p, c->snd_wnd);
    put32(p, c->max_snd_wnd);
    put32(p, c->mss);
    put32(p, c->send_buffer);
    put_seq(p, v->mine, c->recover);
    put32(p, c->duplicate_acks);
    put32(p, c->cwnd);
    put32(p, c->ssthresh);
    put32(p, c->rto_us);
    if (c->sack) {
        put32(p, c->srtt_us);
        put32(p, c->min_rtt_us);
        put(p, c->reordering, 2);
        PUT_BITS(p, c->reordering_seen != 0, c->dsack_duplicates != 0, c->copied, c->tail_unsampled);
        /* What counts is whether there were more duplicates than retransmissions. */
        put32(p, c->segments_retransmitted - c->dsack_duplicates);
    }
    /* A pause longer than the RTO takes the window back to its initial size (RFC 5681 4.1), if it is larger. */
    if (c->cwnd > 10u * c->mss) put(p, u64_min(v->now - c->sent_at, rtt_rto_ns(c) + 1), 8);
}

static void put_receiving(struct projection *p, const struct view *v, const struct connection *c) {
    put_seq(p, v->theirs, connection_irs(c));
    put_seq(p, v->theirs, c->rcv_nxt);
    put_seq(p, v->theirs, c->rcv_adv);
    put_seq(p, v->theirs, c->rcv_edge);
    put_seq(p, v->theirs, c->last_ack_sent);
    put_seq(p, v->theirs, c->snd_wl1);
    put_seq(p, v->mine, c->snd_wl2);
    if (c->fin_known) put_seq(p, v->theirs, c->fin_seq);
    if (c->urgent_in) put_seq(p, v->theirs, c->rcv_up);
    put32(p, c->rcv_mss);
    put32(p, c->mss_offered);
    put32(p, c->receive_buffer);
}

static void put_times(struct projection *p, const struct view *v, const struct connection *c) {
    put_due(p, c->timer.deadline, v->now);
    put_due(p, c->rtx_due, v->now);
    put_due(p, c->ack_due, v->now);
    put_due(p, c->keepalive_due, v->now);
    put_due(p, c->linger_due, v->now);
    uint32_t wait_ms = connection_challenge_wait(v->t, c, v->now);
    put(p, wait_ms != 0 ? wait_ms * NS_PER_MS - v->now % NS_PER_MS : 0, 8);
    if (c->user_timeout_ms != 0) put_due(p, c->progress_at, v->now);
    /* A peer with a zero window that was heard within an RTO is alive. */
    if (c->snd_wnd == 0) put(p, u64_min(v->now - c->heard_at, rtt_rto_ns(c) + 1), 8);
}

static void put_connection(struct projection *p, const struct view *v, const struct connection *c) {
    put8(p, c->detached);
    if (c->detached) {
        put_detached(p, v, c);
        return;
    }
    BK_ASSERT(!c->keepalive && c->waits == WAITS_NOT, "worlds do not use it, nor run dry");
    put8(p, c->state);
    put8(p, c->ready);
    put8(p, c->rtx_kind);
    put8(p, c->ack_owed);
    put8(p, c->retransmits);
    put8(p, c->probes);
    put8(p, c->recovery);
    put8(p, c->send_scale);
    put8(p, c->receive_scale);
    PUT_BITS(p, c->owned, c->active_open, c->fin_queued, c->fin_known, c->fin_received, c->nodelay, c->quickack,
             c->more, c->push, c->probe_now, c->override_now, c->want_write, c->urgent_out, c->urgent_in, c->syn_acked,
             c->syn_answered, c->control_lost, link_in(&c->output_link), link_in(&c->ready_link),
             c->listener != BK_NONE);
    PUT_BITS(p, c->sack, c->timestamps, c->ecn_asked, c->ecn, c->ecn_echo, c->ecn_cwr);
    put(p, (uint16_t)c->error, 2);
    put(p, (uint16_t)c->soft_error, 2);
    put_sending(p, v, c);
    /* In SYN-SENT nothing of the peer's is known. */
    if (c->state != BK_SYN_SENT) put_receiving(p, v, c);
    if (c->state == BK_SYN_SENT && v->b->config.timestamps)
        put_next_stamp(p, v->mine, v->now, c->ts_offset);
    else if (c->timestamps)
        put_clocks(p, v, c->ts_recent, c->ts_offset);
    put_times(p, v, c);
    put_queues(p, v, c);
}

/* Connections by age. */
static void put_connections(struct projection *p, const struct view *v) {
    const struct pool *pool = &v->t->connections;
    uint32_t last = 0;
    put8(p, pool->in_use);
    for (uint32_t n = 0; n < pool->in_use; n++) {
        const struct connection *next = NULL;
        for (uint32_t id = 0; id < pool->fresh; id++) {
            const struct connection *c = connection_at(v->t, id);
            if (c->generation > last && (next == NULL || c->generation < next->generation)) next = c;
        }
        BK_ASSERT(next != NULL, "a connection in use has a generation");
        put_connection(p, v, next);
        last = next->generation;
    }
}

static void put_requests(struct projection *p, const struct view *v) {
    for (uint32_t level = 0; level < REQUEST_LEVELS; level++) {
        put8(p, v->t->request_fifo[0][level].count);
        for (uint32_t id = v->t->request_fifo[0][level].head; id != BK_NONE;) {
            const struct request *r = request_at(v->t, false, id);
            put_due(p, r->due, v->now);
            put_seq(p, v->mine, r->iss);
            put_seq(p, v->theirs, r->irs);
            put(p, r->mss, 2);
            put8(p, r->sent);
            put8(p, r->send_scale);
            PUT_BITS(p, r->scaling, r->sack, r->timestamps, r->ecn);
            if (r->timestamps) put_clocks(p, v, r->ts_recent, r->ts_offset);
            put(p, request_quiet(v->t, r, v->now), 2);
            id = r->link.next;
        }
    }
}

static void put_time_waits(struct projection *p, const struct view *v) {
    put8(p, v->t->time_wait_fifo[0].count);
    for (uint32_t id = v->t->time_wait_fifo[0].head; id != BK_NONE;) {
        const struct time_wait *w = time_wait_at(v->t, false, id);
        uint32_t now_ms = (uint32_t)(v->now / NS_PER_MS);
        bool silent = w->answered && (int32_t)(now_ms - w->answered_ms) < 0;
        put_due(p, w->expires, v->now);
        put8(p, w->timestamps);
        if (w->timestamps) put_clocks(p, v, w->ts_recent, w->ts_offset);
        put_seq(p, v->mine, w->snd_nxt);
        put_seq(p, v->theirs, w->rcv_nxt);
        put32(p, silent ? w->answered_ms - now_ms : 0);
        put(p, w->window, 2);
        put8(p, w->receive_scale);
        id = w->link.next;
    }
}

static void put_listeners(struct projection *p, const struct view *v) {
    put8(p, v->t->listeners.in_use);
    for (uint32_t bucket = 0; bucket < LISTENER_BUCKETS; bucket++)
        for (uint32_t id = v->t->listener_bucket[bucket]; id != BK_NONE;) {
            const struct listener *l = listener_at(v->t, id);
            put(p, l->port, 2);
            put32(p, l->backlog);
            put32(p, l->accept_queue.count);
            put8(p, l->ready);
            id = l->next;
        }
}

static void put_stack(struct projection *p, const struct explore_machine *m, unsigned side) {
    const struct tcp *t = &inside_net(m->side[side].stack)->tcp;
    const struct view v = {t, &t->base, m->state.clock[side], side, !side};
    BK_ASSERT(t->replies.count == 0 && t->base.frames.in_use == 0, "what was to be sent is sent");
    put32(p, (uint32_t)(v.now % NS_PER_MS)); /* some clocks tick in milliseconds */
    put_listeners(p, &v);
    put_connections(p, &v);
    put_requests(p, &v);
    put_time_waits(p, &v);
    put32(p, t->base.buffer_chunks_used);
}

/* ---- the network ----------------------------------------------------------------------------------- */

static void put_flight(struct projection *p, const struct explore_machine *m, const struct explore_flight *f) {
    struct wire_tcp h;
    uint32_t data = explore_flight_parse(f->bytes, f->length, &h);
    put8(p, f->from);
    put8(p, f->incarnation);
    put8(p, h.flags);
    put(p, h.window, 2);
    put(p, h.option.mss, 2);
    put8(p, h.option.sack_permitted);
    /* RST in answer to a segment without ACK has number 0, which is nobody's: what counts is that it lies in no window. */
    bool nobodys = (h.flags & WIRE_RST) && (h.flags & WIRE_ACK) && h.seq == 0 && is_far(p, f->from, h.seq);
    put8(p, nobodys);
    if (!nobodys) put_seq(p, f->from, h.seq);
    if (h.flags & WIRE_ACK) put_seq(p, !f->from, h.ack);
    put8(p, h.option.has_timestamps);
    if (h.option.has_timestamps) put_stamp(p, f->from, h.option.tsval);
    if (h.option.has_timestamps && (h.flags & WIRE_ACK)) put_stamp(p, !f->from, h.option.tsecr);
    put8(p, h.option.sack_count);
    for (uint32_t i = 0; i < h.option.sack_count; i++) {
        put_seq(p, !f->from, h.option.sack[i].left);
        put_seq(p, !f->from, h.option.sack[i].right);
    }
    if (m->world->msl_ms != 0) put(p, m->state.clock[f->from] - f->sent, 8);
    put8(p, data);
    for (uint32_t i = 0; i < data; i++) put8(p, f->bytes[f->length - data + i]);
}

/* A held segment as the projection would show it next. Where its numbers would be the first of their direction they do not show, and only their
 * distance from each other tells two such segments apart. */
struct held {
    const struct explore_flight *flight;
    uint32_t seq, ack;
    uint32_t length;
    uint8_t bytes[HELD_MAX];
};

static int held_compare(const struct held *a, const struct held *b) {
    int r = memcmp(a->bytes, b->bytes, u32_min(a->length, b->length));
    if (r != 0 || a->length != b->length) return r != 0 ? r : (int)a->length - (int)b->length;
    return a->seq != b->seq ? (int32_t)(a->seq - b->seq) : (int32_t)(a->ack - b->ack);
}

/* Those in line in their order, then those that are held, which have none: sorted. */
static void put_network(struct projection *p, const struct explore_machine *m) {
    const struct explore_state *s = &m->state;
    struct held held[EXPLORE_FLIGHTS];
    uint32_t n = 0;
    for (unsigned from = 0; from < 2; from++) {
        for (unsigned i = 0; i < s->flights; i++)
            if (!s->flight[i].held && s->flight[i].from == from) put_flight(p, m, &s->flight[i]);
        put8(p, UINT8_MAX);
    }
    for (unsigned i = 0; i < s->flights; i++) {
        if (!s->flight[i].held) continue;
        struct held next = {.flight = &s->flight[i]};
        struct projection alone = *p;
        alone.bytes = next.bytes;
        alone.room = sizeof next.bytes;
        alone.length = 0;
        put_flight(&alone, m, next.flight);
        next.length = alone.length;
        next.seq = get_be32(next.flight->bytes + WIRE_IPV4_LENGTH + 4);
        next.ack = get_be32(next.flight->bytes + WIRE_IPV4_LENGTH + 8);
        uint32_t k = n++;
        for (; k > 0 && held_compare(&next, &held[k - 1]) < 0; k--) held[k] = held[k - 1];
        held[k] = next;
    }
    for (uint32_t i = 0; i < n; i++) put_flight(p, m, held[i].flight);
    put8(p, UINT8_MAX);
}

/* ---- users and the watch --------------------------------------------------------------------------- */

static void put_user(struct projection *p, const struct explore_user *u) {
    put8(p, u->step);
    put8(p, u->listens);
    PUT_BITS(p, u->holds, u->up, u->peer_end, u->over);
    if (!u->holds) return;
    put8(p, u->incarnation);
    put8(p, u->received);
}

static void put_incarnation(struct projection *p, const struct explore_incarnation *i) {
    PUT_BITS(p, i->opened[0], i->opened[1], i->up, i->accepted, i->closed[0], i->closed[1]);
    for (unsigned side = 0; side < 2; side++) {
        if (i->opened[side]) put_seq(p, side, i->iss[side]);
        put8(p, i->sent[side]);
    }
    if (i->up && !i->accepted) put_seq(p, 1, i->irs);
}

/* `arrived` is for SACK. */
static void put_watch(struct projection *p, const struct watch *w, bool sack) {
    put8(p, w->ended);
    if (w->ended) return;
    for (unsigned side = 0; side < 2; side++) {
        const struct watch_end *e = &w->end[side];
        PUT_BITS(p, e->began, e->acked, e->has_scale, e->heard_any, e->finished, sack && e->arrived_any);
        put8(p, e->scale);
        if (e->began) {
            put_seq(p, side, e->iss);
            put_seq(p, side, e->snd_max);
        }
        if (e->acked) {
            put_seq(p, !side, e->ack_max);
            put_seq(p, !side, e->offered);
        }
        if (e->heard_any && e->began) put_seq(p, side, e->heard);
        if (e->heard_any && !e->began) put32(p, e->heard);
        if (e->finished) put_seq(p, side, e->fin);
        if (sack && e->arrived_any) put_seq(p, !side, e->arrived);
    }
}

/* Where a stack may yet choose an ISS, how that would lie to the numbers that are about. */
static bool may_open(const struct explore_machine *m, unsigned side) {
    const struct explore_user *u = &m->state.user[side];
    if (u->listens != 0) return true;
    for (unsigned i = u->step; m->world->script[side][i].call != EXPLORE_END; i++)
        if (m->world->script[side][i].call == EXPLORE_CONNECT) return true;
    return false;
}

static void put_isn_clock(struct projection *p, const struct explore_machine *m, unsigned side) {
    if (!may_open(m, side)) return;
    put8(p, !m->world->instant && m->state.chosen[side] == m->state.clock[side]);
    if (p->has_stamp_reference[side]) {
        const struct tcp *t = &inside_net(m->side[side].stack)->tcp;
        const uint16_t port[2] = {EXPLORE_CLIENT_PORT, EXPLORE_SERVER_PORT};
        const struct tuple tuple = {explore_addr(side), explore_addr(!side), port[side], port[!side]};
        put_next_stamp(p, side, m->state.clock[side], isn_make(t, &tuple).timestamp_offset);
    }
    if (!p->has_reference[side]) return;
    put_seq(p, side, (uint32_t)(m->state.clock[side] / (4 * NS_PER_US)));
    put8(p, m->state.clock[side] % (4 * NS_PER_US) != 0);
}

struct explore_hash explore_hash(const struct explore_machine *m) {
    static const uint64_t key[2][2] = {{0x243f6a8885a308d3, 0x13198a2e03707344},
                                       {0xa4093822299f31d0, 0x082efa98ec4e6c89}};
    const struct explore_state *s = &m->state;
    uint8_t bytes[PROJECTION_MAX];
    struct projection p = {.room = sizeof bytes, .bytes = bytes};
    put8(&p, s->drops);
    put8(&p, s->duplicates);
    put8(&p, s->holds);
    put8(&p, s->faults);
    put8(&p, s->aborts[0]);
    put8(&p, s->aborts[1]);
    put8(&p, s->opens);
    for (unsigned i = 0; i < 2; i++) put_user(&p, &s->user[i]);
    for (unsigned k = 0; k < s->opens; k++) put_incarnation(&p, &s->incarnation[k]);
    for (unsigned i = 0; i < 2; i++) put_stack(&p, m, i);
    put_network(&p, m);
    for (unsigned k = 0; k < s->opens; k++) put_watch(&p, &s->watch[k], m->world->sack);
    for (unsigned i = 0; i < 2; i++) put_isn_clock(&p, m, i);
    return (struct explore_hash){{siphash13(key[0], p.bytes, p.length), siphash13(key[1], p.bytes, p.length)}};
}

/* ---- looking --------------------------------------------------------------------------------------- */

uint64_t explore_deadline(const bk_stack *stack) {
    const struct net *n = inside_net(stack);
    const struct tcp *t = &n->tcp;
    uint64_t due = u64_min(request_next_deadline(t), time_wait_next_deadline(t));
    for (uint32_t id = 0; id < t->connections.fresh; id++) {
        const struct connection *c = connection_at(t, id);
        if (c->generation != 0) due = u64_min(due, c->timer.deadline);
    }
    return u64_min(due, net_next_deadline(n));
}

uint32_t explore_records(const bk_stack *stack) {
    const struct tcp *t = &inside_net(stack)->tcp;
    return t->connections.in_use + t->requests[0].in_use + t->time_waits[0].in_use;
}

uint32_t explore_requests(const bk_stack *stack) {
    return inside_net(stack)->tcp.requests[0].in_use;
}
