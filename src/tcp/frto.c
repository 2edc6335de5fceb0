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

bool frto_acked(struct ack_news *n) {
    struct connection *c = n->c;
    struct recovery *r = &n->a->recovery;
    if (r->frto == FRTO_OFF) return false;
    /* Without SACK a repetition that fills the only gap acknowledges all behind it, which proves nothing. */
    if (n->original && (c->sack || !n->resent_acked)) return true;
    if (r->frto == FRTO_NEW) {
        if (n->sacked || n->duplicate) r->frto = FRTO_OFF;
    } else if (n->advanced && seq_lt(c->snd_una, c->recover)) {
        c->recover = c->snd_nxt;
        r->frto = can_send_new(c) ? FRTO_NEW : FRTO_OFF;
    }
    return false;
}

bool frto_new_first(const struct tcp *t, const struct active *a) {
    return a->recovery.frto == FRTO_NEW && scoreboard_has_room(t, &a->board);
}
