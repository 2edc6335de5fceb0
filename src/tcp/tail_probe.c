/* Tail loss probes: see tail_probe.h. */
#include "tcp/tail_probe.h"

#include "tcp/ack_news.h"

#define PTO_INITIAL_NS NS_PER_S
#define PTO_ONE_ACK_NS (200 * NS_PER_MS) /* TLP.max_ack_delay: the ACK of a single segment may be delayed */
#define PTO_TICKS_NS                                                                                                   \
    (2 * NS_PER_MS) /* for the ticks of both ends, which an RTT below a millisecond does not outweigh */

uint64_t tail_probe_due(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    if (!t->base.config.tail_loss_probe || !c->sack || !c->syn_acked || a == NULL || a->board.records == 0)
        return BK_NEVER;
    if ((c->recovery != RECOVERY_OPEN && c->recovery != RECOVERY_CWR) || a->recovery.tail_out) return BK_NEVER;
    if (a->board.sacked != 0 || c->tail_unsampled) return BK_NEVER; /* 7.2; 7.3, second condition */
    bool clean = BK_FAST && scoreboard_is_clean(&a->board);         /* then all of it is in flight */
    if (!clean && !sent_in_flight(sent_at_id(t, scoreboard_newest(t, &a->board))->flags)) return BK_NEVER;
    uint64_t pto = PTO_INITIAL_NS;
    if (c->srtt_us != 0) pto = 2 * c->srtt_us * NS_PER_US + (a->board.segments == 1 ? PTO_ONE_ACK_NS : PTO_TICKS_NS);
    return t->base.now + pto;
}

void tail_probe_sent(struct tcp *t, struct connection *c, bool again) {
    struct recovery *r = &active_of(t, c)->recovery;
    r->tail_now = false;
    r->tail_out = true;
    r->tail_again = again;
    r->tail_end = c->snd_nxt;
    c->tail_unsampled = true;
}

void tail_probe_acked(struct ack_news *n) {
    struct connection *c = n->c;
    struct recovery *r = &n->a->recovery;
    if (n->advanced) r->tail_now = false;
    if (!r->tail_out || seq_lt(c->snd_una, r->tail_end)) return;
    if (!r->tail_again || n->dsack_tail) {
        r->tail_out = false; /* nothing was lost: new data served as the probe, or the original had arrived, too */
    } else if (seq_gt(c->snd_una, r->tail_end)) {
        /* The probe repaired a loss: as if it had been noticed otherwise (RFC 8985 7.4.2), and is over at once. */
        r->tail_out = false;
        if (c->recovery < RECOVERY_CWR) {
            recovery_reduce(n->t, c, n->prior_unsacked, RECOVERY_CWR);
            recovery_end(n->t, c);
        }
    } else if (n->duplicate && n->option->sack_count == 0) {
        r->tail_out = false; /* both copies have arrived */
    }
}
