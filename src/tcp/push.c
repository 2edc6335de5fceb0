/* PSH: see push.h. a->push_at is the mark: it stands if it is beyond SND.NXT. */
#include "tcp/push.h"

static bool stands(const struct active *a, uint32_t nxt) {
    return seq_gt(a->push_at, nxt);
}

static uint32_t distance(const struct connection *c) {
    uint32_t half = c->max_snd_wnd / 2;
    return u32_max(half - half % c->mss, c->mss);
}

bool push_marked(const struct tcp *t, const struct connection *c, uint32_t seq, uint32_t n) {
    const struct active *a = active_of(t, c);
    return seq == c->snd_nxt && stands(a, seq) && seq_ge(seq + n, a->push_at);
}

void push_waits(struct tcp *t, const struct connection *c) {
    struct active *a = active_of(t, c);
    if (!c->syn_acked) return; /* no window was offered yet */
    if (a != NULL && seq_lt(c->snd_nxt, c->snd_end) && !stands(a, c->snd_nxt)) a->push_at = c->snd_nxt + distance(c);
}

void push_sent(const struct connection *c, struct active *a, uint32_t end) {
    if (stands(a, c->snd_nxt) && seq_ge(end, a->push_at))
        a->push_at = end + distance(c);
    else if (!stands(a, c->snd_nxt) || end == c->snd_end)
        a->push_at = end; /* nothing waits: none stands */
}
