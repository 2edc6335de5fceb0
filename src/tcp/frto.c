/* F-RTO: see frto.h. */
#include "tcp/frto.h"

#include "tcp/ack_news.h"

void frto_begin(const struct tcp *t, struct connection *c, bool may) {
    struct recovery *r = &active_of(t, c)->recovery;
    r->frto = t->base.config.frto && may ? FRTO_REPEATED : FRTO_OFF;
}

/* There is new data, and the peer's window takes some of it. */
static bool can_send_new(const struct connection *c) {
    return seq_lt(c->snd_nxt, c->snd_end) && connection_outstanding(c) < c->snd_wnd;
}

/* Step 2. */
static bool first_acked(struct ack_news *n) {
    struct connection *c = n->c;
    struct recovery *r = &n->a->recovery;
    if (!n->advanced) {
        if (n->duplicate && !c->sack) r->frto = FRTO_OFF; /* 2.1 2.a; with SACK the next is waited for (3.1 2) */
        return false;
    }
    /* The ACK came before the repetition had left. */
    if (n->original && !n->resent_acked) return true;
    bool all = seq_ge(c->snd_una, c->recover) || n->resent_in_part; /* 2.a */
    if (!all) c->recover = c->snd_nxt;
    r->frto = !all && can_send_new(c) ? FRTO_NEW : FRTO_OFF; /* 2.b */
    return false;
}

/* Step 3. */
static bool second_acked(struct ack_news *n) {
    struct connection *c = n->c;
    struct recovery *r = &n->a->recovery;
    bool new_arrived = c->sack && seq_gt(n->top, c->recover);
    if (n->original && !new_arrived) return true; /* 3.b */
    if (new_arrived || n->duplicate) {
        r->frto = FRTO_OFF;
        n->timeout_genuine = true; /* 3.a */
    }
    return false;
}

bool frto_acked(struct ack_news *n) {
    switch ((enum frto_step)n->a->recovery.frto) {
    case FRTO_REPEATED:
        return first_acked(n);
    case FRTO_NEW:
        return second_acked(n);
    case FRTO_OFF:
        break;
    }
    return false;
}

bool frto_new_first(const struct tcp *t, const struct active *a) {
    return a->recovery.frto == FRTO_NEW && scoreboard_has_room(t, &a->board);
}
