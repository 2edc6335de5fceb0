/* The pace of one connection on the wire: see pace.h. */
#include "lab/pace.h"

#include "base/common.h"
#include "base/seq.h"
#include "beckon/trace.h"

static const char pace_name[2] = {'A', 'B'};

void pace_init(struct pace *p) {
    memset(p, 0, sizeof *p);
}

/* The largest segment that an end with this peer sends. Without the option it is 536, or 1,220 over IPv6. */
static uint32_t pace_segment(const struct pace_end *peer) {
    return peer->mss != 0 ? peer->mss : 1220;
}

/* The largest initial window (RFC 6928 2); BBR has four segments as soon as it has seen an ACK, if only that of the handshake. */
static uint32_t pace_initial(uint32_t segment) {
    return u32_min(10 * segment, u32_max(4 * segment, 14600));
}

bool pace_sent(struct pace *p, const struct watch *w, unsigned from, const struct wire_tcp *s, uint32_t length,
               uint16_t reason, uint64_t now, bool punctual, struct fault *fault) {
    struct pace_end *e = &p->end[from];
    uint32_t iss = w->end[from].iss;
    if (s->flags & WIRE_SYN) {
        e->mss = s->option.mss;
        e->answered = e->timed_out = e->probed = e->limited = false;
        return true;
    }
    if (w->ended || (s->flags & WIRE_RST) || length == 0) return true;
    uint32_t segment = pace_segment(&p->end[!from]);
    uint32_t sent = s->seq + length - (iss + 1), most = pace_initial(segment);
    /* What is sent in smaller segments is all that was outstanding, in answer to an ICMP message (RFC 1191 6.4). */
    if (reason == BK_REASON_SEND_SMALLER) e->timed_out = false;
    if (reason == BK_REASON_SEND_TAIL_PROBE) e->probed = true;
    if (e->probed) most += segment;
    /* Its reason may be a duplicate ACK that reached the device before the data left, and the stack afterwards. */
    if (reason == BK_REASON_SEND_LIMITED_TRANSMIT) e->limited = true;
    if (e->limited) most += 2 * segment;
    FAULT_UNLESS(e->answered || sent <= most,
                 "%c sends up to %u before anything came in answer, and the initial window is %u", pace_name[from],
                 sent, most);
    /* What an ACK lets go on after a timeout has the same reason; without one, it is the timer. */
    if (reason == BK_REASON_SEND_RTO && punctual && e->idle && now > e->sent_at) {
        e->timed_out = true;
        e->since = 0;
    }
    e->since += length;
    FAULT_UNLESS(!e->timed_out || e->since <= segment,
                 "%c sends %u after a retransmission timeout, from which on nothing has come", pace_name[from],
                 e->since);
    e->idle = true;
    e->sent_at = now;
    return true;
}

void pace_arrived(struct pace *p, const struct watch *w, unsigned to, const struct wire_tcp *s) {
    const struct watch_end *e = &w->end[to];
    p->end[to].timed_out = p->end[to].idle = false;
    p->end[to].answered |= (s->flags & WIRE_SYN) == 0 && e->began && e->snd_max != e->iss + 1;
}

/* TS.Recent is what a segment says that begins at or before the last ACK that its taker has sent (RFC 7323 4.3). */
bool pace_accepted(struct pace *p, const struct watch *w, unsigned to, const struct wire_tcp *s, struct fault *fault) {
    struct pace_end *e = &p->end[to];
    if (w->ended || (s->flags & (WIRE_RST | WIRE_SYN)) || !s->option.has_timestamps) return true;
    FAULT_UNLESS(!e->has_recent || seq_ge(s->option.tsval, e->recent), "%c takes timestamp %u after %u", pace_name[to],
                 s->option.tsval, e->recent);
    if (!w->end[to].acked || seq_gt(s->seq, w->end[to].ack_max)) return true;
    e->recent = s->option.tsval;
    e->has_recent = true;
    return true;
}
