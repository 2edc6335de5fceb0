/* The window that we offer, and the buffer behind it.
 *
 * The right edge moves by steps that are worth a segment, and never back (RFC 9293 3.8.6.2.2). rcv_adv is the furthest that was ever offered, and
 * text up to there is acceptable; rcv_edge is what the last segment said. They differ only where the configuration lets the window shrink.
 *
 * The buffer follows its user. In each round trip the bytes read are counted: twice as many are the least that lets the peer send on while
 * they are read, and while its congestion window grows by as much again. So the buffer becomes as large as path and user
 * can make use of, up to receive_buffer_max; and only from what the chunk budget has left, so that many connections share it.
 *
 * Linux counts what segments take in its buffers, descriptors and unused parts of pages included, against the buffer, and learns
 * how much of that is payload. Scripts that were written for it see that in the windows. receive_overhead makes the same account.
 */
#include "tcp/budget.h"
#include "tcp/options.h"
#include "tcp/segment.h"

/* ---- Linux's account ------------------------------------------------------------------------------- */

#define OVERHEAD_SEGMENT 576u /* a descriptor, and what stands at its buffer's end */
#define OVERHEAD_HEADERS 160u
#define OVERHEAD_PAGE    4096u

uint32_t receive_overhead(uint32_t length) {
    uint32_t bytes = length + OVERHEAD_HEADERS;
    if (bytes > OVERHEAD_PAGE / 2)
        return OVERHEAD_SEGMENT + (bytes + OVERHEAD_PAGE - 1) / OVERHEAD_PAGE * OVERHEAD_PAGE;
    uint32_t size = 512;
    while (size < bytes) size *= 2;
    return OVERHEAD_SEGMENT + size;
}

/* How many bytes of text so much buffer stands for, and the reverse. */
static uint32_t payload_of(const struct tcp *t, const struct connection *c, uint32_t bytes) {
    return t->base.config.receive_overhead ? (uint32_t)((uint64_t)bytes * c->payload_share / 256) : bytes;
}
static uint64_t buffer_for(const struct tcp *t, const struct connection *c, uint64_t payload) {
    return t->base.config.receive_overhead ? payload * 256 / u32_max(c->payload_share, 1) : payload;
}

/* What of the buffer is not taken. */
static uint32_t free_bytes(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint32_t taken = a == NULL ? 0 : t->base.config.receive_overhead ? a->receiving.charge : a->receive.bytes;
    return c->receive_buffer > taken ? c->receive_buffer - taken : 0;
}

bool receive_window_half_full(const struct tcp *t, const struct connection *c) {
    return free_bytes(t, c) < c->receive_buffer / 2;
}

/* ---- the right edge -------------------------------------------------------------------------------- */

uint32_t receive_window_initial(const struct tcp *t, uint32_t buffer, uint32_t clamp, uint32_t mss) {
    uint32_t window = t->base.config.receive_overhead ? buffer / 2 : buffer;
    if (clamp != 0) window = u32_min(window, clamp);
    if (t->base.config.receive_overhead && window > mss) window -= window % mss;
    return u32_min(window, UINT16_MAX);
}

uint8_t receive_window_scale(const struct tcp *t, uint32_t buffer, uint32_t clamp, bool fixed) {
    const struct bk_config *config = &t->base.config;
    uint32_t most = u32_max(buffer, config->receive_buffer_max);
    if (fixed) most = config->receive_overhead ? buffer / 2 : buffer;
    if (!config->window_scaling) return 0;
    return window_scale_for(clamp != 0 ? u32_min(most, clamp) : most);
}

/* The window by Linux's account and rules. */
static uint32_t account_window(const struct tcp *t, const struct connection *c) {
    uint32_t granule = UINT32_C(1) << c->receive_scale;
    uint32_t full = payload_of(t, c, c->receive_buffer), room = payload_of(t, c, free_bytes(t, c));
    uint32_t bound = c->window_clamp != 0 ? u32_min(full, c->window_clamp) : full;
    uint32_t mss = u32_min(c->rcv_mss, bound), offered = c->rcv_edge - c->last_ack_sent;
    if (room < bound / 2 || t->base.config.shrink_window) room -= room % granule;
    if (room < bound / 2 && (room < full / 16 || room < mss)) return 0;
    room = u32_min(room, bound);
    if (c->receive_scale != 0) {
        uint32_t up = (room + granule - 1) / granule * granule;
        bool beyond = c->window_clamp != 0 && up > c->window_clamp;
        return beyond ? u32_max(up - granule, granule) : up; /* less than a granule would be none */
    }
    return offered + mss <= room || offered > room ? room - room % u32_max(mss, 1) : offered;
}

uint32_t receive_window_most(const struct tcp *t, const struct connection *c) {
    uint32_t most = connection_window_most(c);
    if (t->base.config.receive_overhead) most = u32_min(most, payload_of(t, c, c->receive_buffer));
    return u32_min(most, (uint32_t)UINT16_MAX << c->receive_scale);
}

/* What may be offered of `room` bytes when the budget is short: what the chunks hold that the connection may still have. A chunk holds one segment,
 * or several small ones. Who has read all is offered a segment in any case. */
static uint32_t room_when_short(const struct tcp *t, const struct connection *c, uint32_t room) {
    const struct active *a = active_of(t, c);
    uint32_t chunk = t->base.config.chunk_size, held = a == NULL ? 0 : a->receive.count + a->out_of_order.queue.count;
    uint64_t most = (uint64_t)budget_promise(t, held) * (c->rcv_mss < chunk / 2 ? chunk : u32_min(c->rcv_mss, chunk));
    if (held == 0) most = u64_max(most, c->rcv_mss);
    /* The field is rounded up; were the bound not, each segment would move the edge by a little less than a segment, which is no step. */
    most = (most + (UINT32_C(1) << c->receive_scale) - 1) >> c->receive_scale << c->receive_scale;
    return (uint32_t)u64_min(room, most);
}

static uint32_t room_to_offer(const struct tcp *t, const struct connection *c) {
    uint32_t room = free_bytes(t, c);
    return BK_UNLIKELY(budget_short(t, room)) ? room_when_short(t, c, room) : room;
}

uint32_t receive_window_edge(const struct tcp *t, const struct connection *c) {
    uint32_t most = (uint32_t)UINT16_MAX << c->receive_scale;
    if (t->base.config.receive_overhead) {
        uint32_t edge = c->rcv_nxt + u32_min(account_window(t, c), most);
        return t->base.config.shrink_window && c->receive_scale != 0 ? edge : seq_max(edge, c->rcv_edge);
    }
    uint32_t bound = connection_window_most(c);
    uint32_t edge = c->rcv_nxt + u32_min(u32_min(room_to_offer(t, c), bound), most);
    if (t->base.config.shrink_window && seq_lt(edge, c->rcv_edge)) return edge;
    /* RFC 9293 3.8.6.2.2: the edge moves by steps worth a segment, and never back. */
    if (seq_le(edge, c->rcv_edge)) return c->rcv_edge;
    if (edge - c->rcv_edge < u32_min(bound / 2, c->rcv_mss)) return c->rcv_edge;
    return edge;
}

static uint16_t offer_syn(const struct tcp *t, struct connection *c) {
    uint32_t window = receive_window_initial(t, c->receive_buffer, c->window_clamp, c->mss_offered);
    if (c->state == BK_SYN_RECEIVED) {
        /* An ACK may have told more already, scaled: simultaneous open, and the peer's SYN came twice. That still stands. */
        c->rcv_adv = c->rcv_edge = seq_max(c->rcv_adv, c->rcv_nxt + window);
        window = u32_min(c->rcv_adv - c->rcv_nxt, UINT16_MAX);
    }
    return (uint16_t)window;
}

/* Nothing is taken any more, whatever was offered: the account is overdrawn. */
static bool account_overdrawn(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    return t->base.config.receive_overhead && a != NULL && a->receiving.charge > c->receive_buffer;
}

uint16_t receive_window_offer(const struct tcp *t, struct connection *c, bool syn) {
    if (syn) return offer_syn(t, c);
    if (account_overdrawn(t, c)) {
        c->rcv_edge = c->rcv_nxt;
        return 0;
    }
    uint32_t window = receive_window_edge(t, c) - c->rcv_nxt;
    uint32_t granule = UINT32_C(1) << c->receive_scale;
    /* Rounded up, lest scaling take back what was offered. */
    uint32_t field = u32_min((window + granule - 1) >> c->receive_scale, UINT16_MAX);
    /* Rounding up again and again would be a window that never closes: one granule beyond the buffer is all. Then the field
     * says less than was offered, which senders know (RFC 7323 2.4); rcv_adv still stands for the offer. */
    if (!t->base.config.receive_overhead &&
        connection_receive_queued(t, c) + (field << c->receive_scale) >= c->receive_buffer + granule)
        field = window >> c->receive_scale;
    /* Nor does rounding go beyond what the user allows, or keep what was offered before; but a window of less than a granule would be none. */
    if (c->window_clamp != 0 && field << c->receive_scale > c->window_clamp)
        field = u32_max(u32_max(window, c->window_clamp) >> c->receive_scale, 1);
    uint32_t edge = c->rcv_nxt + (field << c->receive_scale);
    c->rcv_adv = seq_max(c->rcv_adv, edge);
    c->rcv_edge = t->base.config.shrink_window || t->base.config.receive_overhead ? edge : c->rcv_adv;
    return (uint16_t)field;
}

bool receive_window_update_due(const struct tcp *t, const struct connection *c) {
    /* It is worth a segment when the peer may be waiting for it: the window has doubled at least, and by two segments or half the buffer
     * (RFC 9293 3.8.6.2.2); or it is all that there is when the budget is short. */
    uint32_t edge = receive_window_edge(t, c), offered = c->rcv_edge - c->rcv_nxt;
    uint32_t gain = seq_gt(edge, c->rcv_edge) ? edge - c->rcv_edge : 0;
    if (gain == 0 || gain < offered) return false;
    if (gain >= u32_min(connection_window_most(c) / 2, 2u * c->rcv_mss)) return true;
    return gain >= c->rcv_mss && budget_short(t, c->receive_buffer);
}

/* ---- the RTT, as a receiver sees it ---------------------------------------------------------------- */

/* With timestamps: the time since what the segment echoes was sent, if it is a full one, for which the peer has not waited. */
static void rtt_by_timestamp(const struct tcp *t, const struct connection *c, struct receive_state *r,
                             const struct segment *s) {
    const struct wire_tcp_options *o = &s->header.option;
    if (s->data_length < c->rcv_mss || o->tsecr == 0 || o->tsecr == r->rtt_tsecr) return;
    r->rtt_tsecr = o->tsecr;
    uint32_t ms = timestamp_now(t, c->ts_offset) - o->tsecr;
    if (ms > 120000) return;
    uint32_t sample = u32_max(1000 * ms, 1);
    r->rtt_us = r->rtt_us == 0 ? sample : r->rtt_us - r->rtt_us / 8 + sample / 8;
}

/* Without: a window's worth of text takes a round trip at least, so the least time that one took is the estimate. */
static void rtt_by_window(const struct tcp *t, const struct connection *c, struct receive_state *r) {
    if (r->rtt_at != 0) {
        if (seq_lt(c->rcv_nxt, r->rtt_seq)) return;
        uint32_t sample = (uint32_t)u64_min(u64_max((t->base.now - r->rtt_at) / NS_PER_US, 1), UINT32_MAX);
        r->rtt_us = r->rtt_us == 0 ? sample : u32_min(r->rtt_us, sample);
    }
    r->rtt_at = u64_max(t->base.now, 1);
    r->rtt_seq = c->rcv_nxt + connection_rcv_wnd(c);
}

void receive_window_text(struct tcp *t, struct connection *c, struct active *a, const struct segment *s) {
    if (c->timestamps && s->header.option.has_timestamps)
        rtt_by_timestamp(t, c, &a->receiving, s);
    else
        rtt_by_window(t, c, &a->receiving);
}

/* ---- the buffer's size ------------------------------------------------------------------------------ */

/* The buffer that `payload` bytes in a round trip ask for, if it is larger. */
static void grow(struct tcp *t, struct connection *c, struct receive_state *r, uint32_t payload) {
    const struct bk_config *config = &t->base.config;
    if (c->receive_fixed || payload <= r->space) return;
    uint64_t want = 2 * (uint64_t)payload + 16u * u32_max(c->rcv_mss, c->mss_offered);
    want += want * (payload - r->space) / r->space; /* it will have grown as much again by the next round */
    r->space = payload;
    /* A quarter of what the budget has left: the rest is for others, who read as well. */
    uint32_t unused = config->buffer_chunks - u32_min(config->buffer_chunks, t->base.buffer_chunks_used);
    uint64_t share = c->receive_buffer + (uint64_t)(unused / 4) * config->chunk_size;
    uint64_t most =
        u64_min(config->receive_buffer_max, u64_min(share, (uint64_t)config->buffer_chunks / 2 * config->chunk_size));
    want = u64_min(buffer_for(t, c, want), most);
    if (want > c->receive_buffer) c->receive_buffer = (uint32_t)want;
}

void receive_window_gap(struct tcp *t, struct connection *c, struct active *a, uint32_t bytes) {
    /* Before it is accepted nobody reads, and nobody may make it large. */
    if (c->listener == BK_NONE) grow(t, c, &a->receiving, bytes);
}

void receive_window_read(struct tcp *t, struct connection *c, struct active *a, uint32_t n) {
    struct receive_state *r = &a->receiving;
    uint32_t held = a->receive.bytes + a->out_of_order.queue.bytes;
    if (r->charge != 0) r->charge -= (uint32_t)((uint64_t)r->charge * n / u32_max(held, n));
    uint32_t rtt_us = r->rtt_us != 0 ? r->rtt_us : c->srtt_us;
    if (!r->measured) {
        r->measured = true;
        r->space_at = t->base.now;
    }
    r->copied += n;
    if (rtt_us == 0 || t->base.now - r->space_at < rtt_us * NS_PER_US) return;
    grow(t, c, r, r->copied);
    r->copied = 0;
    r->space_at = t->base.now;
}

/* The scale follows, unless it has been offered. */
static void choose_scale(const struct tcp *t, struct connection *c) {
    if (c->snd_nxt == c->iss && c->state == BK_SYN_SENT)
        c->receive_scale = receive_window_scale(t, c->receive_buffer, c->window_clamp, c->receive_fixed);
}

void receive_window_fix(struct tcp *t, struct connection *c, uint32_t bytes) {
    c->receive_buffer = bytes;
    c->receive_fixed = true;
    choose_scale(t, c);
}

void receive_window_clamp(struct tcp *t, struct connection *c, uint32_t bytes) {
    c->window_clamp = bytes;
    choose_scale(t, c);
}
