/* What an ordinary connection sends. See ordinary.h. */
#include "base/checksum.h"
#include "tcp/ecn.h"
#include "tcp/options.h"
#include "tcp/ordinary.h"
#include "tcp/output.h"
#include "tcp/push.h"
#include "tcp/recovery.h"
#include "tcp/send_room.h"
#include "tcp/timeouts.h"
#include "wire/ip.h"

/* ---- the frame ------------------------------------------------------------------------------------- */

/* The TCP header as output.c's build makes it: no SACK blocks, no urgent pointer, no ECN. */
static uint32_t write_header(const struct tcp *t, struct connection *c, uint8_t *p, uint32_t n, uint8_t flags) {
    uint32_t length = WIRE_TCP_LENGTH + (c->timestamps ? TCP_TIMESTAMP_BYTES : 0);
    put_be16(p, c->tuple.local_port);
    put_be16(p + 2, c->tuple.remote_port);
    put_be32(p + 4, c->snd_nxt);
    put_be32(p + 8, c->rcv_nxt);
    p[12] = (uint8_t)(length / 4 << 4);
    p[13] = flags;
    put_be16(p + 14, receive_window_offer(t, c, false));
    put_be16(p + 16, checksum_fold(checksum_pseudo(&c->tuple.local, &c->tuple.remote, WIRE_TCP, length + n)));
    put_be16(p + 18, 0);
    if (c->timestamps) {
        put_be32(p + 20, WIRE_TCP_ALIGNED_TIMESTAMPS);
        put_be32(p + 24, timestamp_now(t, c->ts_offset));
        put_be32(p + 28, c->ts_recent);
    }
    return length;
}

static void build(struct tcp *t, struct connection *c, struct frame *f, uint32_t n, uint16_t reason, uint8_t flags) {
    output_address(c, f, write_header(t, c, f->header + FRAME_L4, n, flags), reason);
    f->traffic_class = c->traffic_class;
    f->gso_size = n > c->mss ? c->mss : 0;
}

/* ---- what having sent it means: output.c's note_sent ------------------------------------------------ */

/* n bytes of text, and our FIN behind them, have left. */
static void note_new(struct tcp *t, struct connection *c, struct active *a, uint32_t n, bool fin) {
    uint64_t now = t->base.now;
    uint32_t seq = c->snd_nxt, in_flight = a->board.bytes;
    if (n != 0) path_mtu_sent(t, c, seq, n);
    c->sent_at = now;
    if (c->rtx_kind == RTX_OVERRIDE) {
        c->rtx_kind = RTX_RETRANSMIT;
        c->rtx_due = BK_NEVER;
    }
    connection_activate(t, c); /* it may have rested */
    if (seq == c->snd_una) c->progress_at = now;
    push_sent(c, a, seq + n);
    c->snd_nxt = seq + n + fin;
    if (n != 0 && (c->news & BK_NEWS_PROGRESS)) connection_hear(t, c, BK_READY_PROGRESS);
    struct sent_run *r = sent_at_id(t, scoreboard_append(t, &a->board, seq, n, fin, c->mss));
    rate_sent(&a->rate, &r->mark, in_flight, n, now);
    congestion_sent(t, c, recovery_pipe(t, c));
    if (c->unsent_low != UINT32_MAX) send_room_came(t, c);
    timeouts_sent(t, c);
    prr_sent(&a->recovery.prr, n);
    if (n != 0) pacing_sent(t, c, n);
}

/* ---- the decision ---------------------------------------------------------------------------------- */

/* How much new text may leave, as output_decide.c's decide_new finds it. */
static uint32_t text_to_send(struct tcp *t, struct connection *c, const struct active *a, uint32_t queued,
                             uint32_t usable) {
    uint32_t pipe = a->board.bytes;
    if (connection_outstanding(c) == 0) congestion_idle(t, c);
    uint32_t room = c->cwnd > pipe ? c->cwnd - pipe : 0;
    if (pipe == 0) room = u32_max(room, c->mss);
    const struct output_offer offer = {.queued = queued, .usable = usable, .room = room, .closed = c->fin_queued};
    return output_amount(t, c, &offer);
}

/* What the fields of a header, or of IP's, would have to say beside the usual. */
static bool says_more(const struct tcp *t, const struct connection *c, const struct active *a) {
    const struct receive_state *r = &a->receiving;
    bool sack = c->sack && (a->out_of_order.queue.bytes != 0 || r->duplicate.left != r->duplicate.right);
    return sack || trace_on(&t->base) || path_mtu_fragments(c);
}

static void leave_line(struct tcp *t, struct connection *c) {
    list_remove(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, &t->path[c->iface].output, c->self);
    connection_arm(t, c, timeouts_next(c));
    send_time_note(t, c);
}

/* The unit has left: whoever has more stands in line again. */
static void note_sent(struct tcp *t, struct connection *c, struct active *a, uint32_t n, bool fin) {
    uint32_t segments = n <= c->mss ? 1 : (n + c->mss - 1) / c->mss;
    c->segments_sent += segments;
    t->mib.out_segs += segments;
    if (n != 0) c->data_segments_sent += segments;
    if (n != 0 || fin) note_new(t, c, a, n, fin);
    output_acked(t, c, n != 0);
    if (seq_lt(c->snd_nxt, c->snd_end) || (c->fin_queued && !connection_fin_sent(c))) {
        list_move_tail(&t->base, &t->connections, CONNECTION_OUTPUT_LINK, &t->path[c->iface].output, c->self);
        connection_arm(t, c, timeouts_next(c));
    } else {
        leave_line(t, c);
    }
}

static uint16_t reason_of(const struct connection *c, uint32_t n, bool fin) {
    if (n == 0) return fin ? BK_REASON_SEND_FIN : c->ack_reason;
    return fin ? BK_REASON_SEND_DATA_LAST : BK_REASON_SEND_DATA;
}

enum ordinary_answer ordinary_output(struct tcp *t, struct connection *c, uint32_t *frame) {
    struct active *a = active_of(t, c);
    if (a == NULL || c->state < BK_ESTABLISHED || !connection_is_ordinary(t, c, a)) return ORDINARY_NOT;
    uint32_t queued = seq_lt(c->snd_nxt, c->snd_end) ? c->snd_end - c->snd_nxt : 0, n = 0;
    bool fin = c->fin_queued && !connection_fin_sent(c);
    bool ack_now = c->ack_owed == ACK_NOW || (c->ack_owed == ACK_DELAYED && t->base.now >= c->ack_due);
    if (queued == 0 && !fin && !ack_now) {
        leave_line(t, c);
        return ORDINARY_NOTHING;
    }
    if (says_more(t, c, a)) return ORDINARY_NOT;
    if (queued != 0 || fin) {
        uint32_t outstanding = connection_outstanding(c);
        if (c->snd_wnd <= outstanding) return ORDINARY_NOT;
        uint32_t usable = c->snd_wnd - outstanding;
        if (queued != 0) n = text_to_send(t, c, a, queued, usable);
        /* An ACK while text waits has timers to be set, too. */
        if (queued != 0 && (n == 0 || pacing_due(t, c) > t->base.now)) return ORDINARY_NOT;
        fin = fin && n == queued && usable > n;
    }
    uint32_t id = frame_alloc(&t->base);
    if (id == BK_NONE) return ORDINARY_NOT;
    struct frame *f = frame_at(&t->base, id);
    if (n != 0 && output_add_text(t, c, f, c->snd_nxt, n) != n) {
        frame_free(&t->base, id);
        return ORDINARY_NOT;
    }
    bool pushed = n != 0 && ((n == queued && c->push) || n > c->mss || push_marked(t, c, c->snd_nxt, n));
    build(t, c, f, n, reason_of(c, n, fin), WIRE_ACK | (pushed ? WIRE_PSH : 0) | (fin ? WIRE_FIN : 0));
    note_sent(t, c, a, n, fin);
    *frame = id;
    return ORDINARY_SENT;
}
