/* The watch over one connection on the wire: see watch.h. */
#include "lab/watch.h"

#include "base/seq.h"
#include "beckon/trace.h"

static const char watch_name[2] = {'A', 'B'};

void watch_init(struct watch *w) {
    memset(w, 0, sizeof *w);
}

static uint8_t watch_scale(const struct watch *w, unsigned of) {
    return w->end[0].has_scale && w->end[1].has_scale ? w->end[of].scale : 0;
}

/* ---- SYN ------------------------------------------------------------------------------------------- */

/* The end opens: its numbers begin. */
static void watch_begin(struct watch_end *e, const struct wire_tcp *s) {
    uint32_t relative = e->heard;
    bool heard = e->heard_any && !e->began;
    if (e->began) e->heard_any = false; /* windows were offered for other numbers */
    e->iss = s->seq;
    e->snd_max = s->seq + 1;
    e->has_scale = s->option.has_wscale;
    e->scale = s->option.wscale > 14 ? 14 : s->option.wscale;
    e->began = true;
    e->acked = e->finished = false;
    if (heard) e->heard = e->snd_max + relative;
}

/* Returns whether the watch goes on. */
static bool watch_syn(struct watch *w, unsigned from, const struct wire_tcp *s) {
    struct watch_end *e = &w->end[from];
    const struct watch_end *other = &w->end[!from];
    if (e->began && s->seq == e->iss) return true;
    if (e->began && ((other->acked && seq_gt(other->ack_max, e->iss)) || (s->flags & WIRE_ACK) == 0)) {
        w->ended = true;
        return false;
    }
    watch_begin(e, s);
    return true;
}

/* ---- sent ------------------------------------------------------------------------------------------ */

static bool watch_numbers(struct watch *w, unsigned from, const struct wire_tcp *s, uint32_t length, uint16_t reason,
                          struct fault *fault) {
    struct watch_end *e = &w->end[from];
    uint32_t data = s->seq + ((s->flags & WIRE_SYN) != 0), end = data + length;
    FAULT_UNLESS(seq_le(s->seq, e->snd_max), "%c sends %u beyond a gap: what lies between was never sent",
                 watch_name[from], s->seq - e->iss);
    if (length != 0) {
        FAULT_UNLESS(e->heard_any, "%c sends data before it knows a window", watch_name[from]);
        uint32_t edge = e->heard + (reason == BK_REASON_SEND_WINDOW_PROBE);
        FAULT_UNLESS(seq_le(end, seq_max(edge, e->snd_max)), "%c sends up to %u, the window it knows ends at %u",
                     watch_name[from], end - e->iss, e->heard - e->iss);
        FAULT_UNLESS(!e->finished || seq_le(end, e->fin), "%c sends data beyond its FIN", watch_name[from]);
    }
    if (s->flags & WIRE_FIN) {
        FAULT_UNLESS(!e->finished || e->fin == end, "%c's FIN has number %u, and had %u", watch_name[from],
                     end - e->iss, e->fin - e->iss);
        FAULT_UNLESS(e->finished || seq_ge(end + 1, e->snd_max), "%c's FIN lies before data that was sent",
                     watch_name[from]);
        e->finished = true;
        e->fin = end++;
    }
    e->snd_max = seq_max(e->snd_max, end);
    return true;
}

static bool watch_ack(struct watch *w, unsigned from, const struct wire_tcp *s, struct fault *fault) {
    struct watch_end *e = &w->end[from];
    const struct watch_end *other = &w->end[!from];
    FAULT_UNLESS(other->began && seq_le(s->ack, other->snd_max), "%c acknowledges %u, which was never sent",
                 watch_name[from], other->began ? s->ack - other->iss : s->ack);
    uint8_t scale = s->flags & WIRE_SYN ? 0 : watch_scale(w, from);
    uint32_t edge = s->ack + ((uint32_t)s->window << scale), granule = UINT32_C(1) << scale;
    if (e->acked) {
        FAULT_UNLESS(seq_ge(s->ack, e->ack_max), "%c acknowledges %u after %u", watch_name[from], s->ack - other->iss,
                     e->ack_max - other->iss);
        /* A SYN's window is not scaled, so a SYN-ACK that is repeated cannot say more than 65,535 (RFC 7323 2.2). */
        FAULT_UNLESS((s->flags & WIRE_SYN) || seq_gt(edge + granule, e->offered),
                     "%c takes its window back: right edge %u after %u", watch_name[from], edge - other->iss,
                     e->offered - other->iss);
    }
    e->ack_max = s->ack;
    e->offered = e->acked ? seq_max(e->offered, edge) : edge;
    e->acked = true;
    return true;
}

/* Whether a first block tells of what came twice (RFC 2883 4): below the ACK, or within the second. */
static bool is_duplicate_block(const struct wire_tcp *s) {
    const struct wire_sack_block *b = s->option.sack;
    return seq_le(b[0].right, s->ack) ||
           (s->option.sack_count > 1 && seq_le(b[1].left, b[0].left) && seq_le(b[0].right, b[1].right));
}

static bool watch_sack(const struct watch *w, unsigned from, const struct wire_tcp *s, struct fault *fault) {
    const struct watch_end *e = &w->end[from];
    const struct wire_sack_block *b = s->option.sack;
    unsigned first = s->option.sack_count != 0 && is_duplicate_block(s);
    for (unsigned i = 0; i < s->option.sack_count; i++) {
        FAULT_UNLESS(seq_lt(b[i].left, b[i].right), "%c sends an empty SACK block", watch_name[from]);
        FAULT_UNLESS(e->arrived_any && seq_le(b[i].right, e->arrived), "%c reports octets that have not arrived",
                     watch_name[from]);
        if (i < first) continue;
        FAULT_UNLESS(seq_gt(b[i].left, s->ack), "%c reports octets that it acknowledges", watch_name[from]);
        for (unsigned k = first; k < i; k++)
            FAULT_UNLESS(seq_lt(b[i].right, b[k].left) || seq_lt(b[k].right, b[i].left),
                         "%c sends SACK blocks that touch", watch_name[from]);
    }
    return true;
}

bool watch_sent(struct watch *w, unsigned from, const struct wire_tcp *s, uint32_t length, uint16_t reason,
                struct fault *fault) {
    if (w->ended || (s->flags & WIRE_RST)) return true;
    if ((s->flags & WIRE_SYN) && !watch_syn(w, from, s)) return true;
    FAULT_UNLESS(w->end[from].began, "%c sends before its SYN", watch_name[from]);
    return watch_numbers(w, from, s, length, reason, fault) &&
           (!(s->flags & WIRE_ACK) || (watch_ack(w, from, s, fault) && watch_sack(w, from, s, fault)));
}

/* ---- arrived --------------------------------------------------------------------------------------- */

void watch_arrived(struct watch *w, unsigned to, const struct wire_tcp *s, uint32_t length) {
    struct watch_end *e = &w->end[to];
    const struct watch_end *other = &w->end[!to];
    if (w->ended || (s->flags & WIRE_RST)) return;
    if (other->began && seq_ge(s->seq, other->iss)) {
        uint32_t end = s->seq + ((s->flags & WIRE_SYN) != 0) + length;
        bool known = e->arrived_any && seq_ge(e->arrived, other->iss) && seq_le(e->arrived, other->snd_max);
        e->arrived = known ? seq_max(e->arrived, end) : end;
        e->arrived_any = true;
    }
    uint32_t edge;
    if (s->flags & WIRE_ACK) {
        if (!e->began) return;
        edge = s->ack + ((uint32_t)s->window << (s->flags & WIRE_SYN ? 0 : watch_scale(w, !to)));
    } else if (s->flags & WIRE_SYN) {
        edge = (e->began ? e->iss + 1 : 0) + s->window;
    } else {
        return;
    }
    e->heard = e->heard_any ? seq_max(e->heard, edge) : edge;
    e->heard_any = true;
}
