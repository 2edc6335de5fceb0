/* Finding the departure of each arrival.
 *
 * A segment carries no identity but what it says: sequence number, length, flags, acknowledgement, timestamps. Most
 * are unique by that. A retransmission without timestamps is not: if as many arrived as were sent, they are taken in order; if fewer,
 * an arrival is taken for the latest departure that could have been so fast, judged by the fastest segment whose
 * identity is beyond doubt.
 *
 * Offload changes lengths: a unit that the sender's link cut arrives as several segments, whose ranges lie in it, and
 * segments that the receiver's link merged arrive as one, whose range holds theirs.
 */
#include "trace/timeline_match.h"

#include "base/common.h"
#include "base/seq.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, TELLING_FLAGS = FIN | SYN | RST | ACK };

/* The items of one direction: departures at one side, arrivals at the other. */
struct match {
    struct timeline_item *out, *in;
    size_t outs, ins;
    uint64_t fastest;
};

static bool match_same_ack(const struct bk_event *a, const struct bk_event *b) {
    if ((a->tcp_flags ^ b->tcp_flags) & (SYN | RST | ACK)) return false;
    if (a->tcp_flags & ACK && a->ack != b->ack) return false;
    return a->tsval == b->tsval || !a->tsval || !b->tsval;
}

static bool match_same(const struct bk_event *a, const struct bk_event *b) {
    return a->seq == b->seq && a->len == b->len && !((a->tcp_flags ^ b->tcp_flags) & TELLING_FLAGS) &&
           match_same_ack(a, b);
}

/* Whether the part's octets lie in the whole's. */
static bool match_holds(const struct bk_event *whole, const struct bk_event *part) {
    return part->len && part->len < whole->len && match_same_ack(whole, part) &&
           seq_in(part->seq, whole->seq, whole->len) && part->seq - whole->seq + part->len <= whole->len;
}

static void match_pair(struct timeline_item *out, struct timeline_item *in) {
    out->mate = in;
    in->mate = out;
    out->mates++;
    in->mates++;
    out->bytes += u32_min(in->event->len, out->event->len);
}

/* The flight time of the fastest segment that cannot be confused with another. */
static uint64_t match_fastest(const struct match *m) {
    uint64_t fastest = UINT64_MAX;
    for (size_t i = 0; i < m->ins; i++) {
        const struct bk_event *in = m->in[i].event, *only = NULL;
        size_t same = 0;
        for (size_t o = 0; timeline_arrives(in) && o < m->outs; o++) {
            if (!timeline_departs(m->out[o].event) || !match_same(m->out[o].event, in)) continue;
            only = m->out[o].event;
            same++;
        }
        if (same == 1 && in->time >= only->time) fastest = u64_min(fastest, in->time - only->time);
    }
    return fastest == UINT64_MAX ? 0 : fastest;
}

static struct timeline_item *match_exact(const struct match *m, size_t i) {
    const struct bk_event *in = m->in[i].event;
    struct timeline_item *earliest = NULL, *latest = NULL;
    size_t sent = 0, arrived = 0;
    for (size_t k = i; k < m->ins; k++) arrived += timeline_arrives(m->in[k].event) && match_same(m->in[k].event, in);
    for (size_t o = 0; o < m->outs; o++) {
        struct timeline_item *out = &m->out[o];
        if (!timeline_departs(out->event) || out->mate || !match_same(out->event, in)) continue;
        if (!earliest) earliest = out;
        if (out->event->time + m->fastest <= in->time) latest = out;
        sent++;
    }
    return arrived < sent && latest ? latest : earliest;
}

/* Units that were cut or merged on the way. */
static void match_offloaded(const struct match *m, struct timeline_item *in) {
    for (size_t o = 0; o < m->outs; o++) {
        struct timeline_item *out = &m->out[o];
        if (!timeline_departs(out->event)) continue;
        if (out->bytes < out->event->len && match_holds(out->event, in->event)) {
            match_pair(out, in);
            return;
        }
        if (!out->mate && match_holds(in->event, out->event)) match_pair(out, in);
    }
}

static void match_direction(struct match *m) {
    m->fastest = match_fastest(m);
    for (size_t i = 0; i < m->ins; i++) {
        struct timeline_item *in = &m->in[i];
        if (!timeline_arrives(in->event)) continue;
        struct timeline_item *out = match_exact(m, i);
        if (out)
            match_pair(out, in);
        else
            match_offloaded(m, in);
        for (size_t o = 0; !in->mate && o < m->outs; o++)
            if (m->out[o].mate && match_same(m->out[o].event, in->event)) in->mates = 1;
    }
}

void timeline_match(struct timeline *t) {
    for (int side = 0; side < 2; side++) {
        struct match m = {.out = t->items[side], .outs = t->count[side], .in = t->items[!side], .ins = t->count[!side]};
        match_direction(&m);
    }
}
