/* SACK blocks: what is told of data behind a gap (RFC 2018 4), and of data that came twice (RFC 2883 4). */
#include "tcp/connection.h"

void receive_sack_note(struct tcp *t, struct active *a, uint32_t seq) {
    struct receive_state *r = &a->receiving;
    uint32_t recent[RECEIVE_RECENT] = {seq};
    uint32_t n = 1, untold = 1, run = runs_find(&t->base, &a->out_of_order, seq).left;
    for (uint32_t i = 0; i < r->recent_count && n < RECEIVE_RECENT; i++) {
        struct span s = runs_find(&t->base, &a->out_of_order, r->recent[i]);
        if (s.left == s.right || s.left == run) continue;
        recent[n++] = r->recent[i];
        if (i < r->untold) untold = n;
    }
    memcpy(r->recent, recent, sizeof recent);
    r->recent_count = (uint8_t)n;
    r->untold = (uint8_t)untold;
}

void receive_sack_duplicate(struct tcp *t, struct connection *c, struct span duplicate) {
    if (!c->sack || !t->base.config.dsack || duplicate.left == duplicate.right) return;
    struct active *a = connection_activate(t, c);
    if (a == NULL) return;
    struct span *d = &a->receiving.duplicate;
    /* One block tells it: what touches the first is told with it, what does not came in the same batch and is left out. */
    if (d->left == d->right)
        *d = duplicate;
    else if (seq_le(duplicate.left, d->right) && seq_ge(duplicate.right, d->left))
        *d = (struct span){seq_min(d->left, duplicate.left), seq_max(d->right, duplicate.right)};
    connection_settle(t, c);
}

static void add_block(struct wire_tcp_options *o, struct span s) {
    o->sack[o->sack_count++] = (struct wire_sack_block){s.left, s.right};
}

/* Text that came again, and behind it the block that holds it (RFC 2883 4). What was given up since is not told, for it would look like a report of
 * what is here. Returns whether there was something to tell. */
static bool add_duplicate(const struct tcp *t, const struct connection *c, const struct active *a,
                          struct wire_tcp_options *o) {
    struct span d = a->receiving.duplicate;
    if (d.left == d.right) return false;
    struct span holds = runs_find(&t->base, &a->out_of_order, d.left);
    d.right = seq_min(d.right, seq_lt(d.left, c->rcv_nxt) ? c->rcv_nxt : holds.right);
    if (!seq_lt(d.left, d.right)) return false;
    add_block(o, d);
    if (holds.left != holds.right) add_block(o, holds);
    return true;
}

static bool nothing_to_tell(const struct connection *c, const struct active *a) {
    if (!c->sack || a == NULL) return true;
    const struct receive_state *r = &a->receiving;
    return r->recent_count == 0 && r->duplicate.left == r->duplicate.right;
}

void receive_state_sack_options(const struct tcp *t, const struct connection *c, struct wire_tcp_options *o) {
    const struct active *a = active_of(t, c);
    o->sack_count = 0;
    if (nothing_to_tell(c, a)) return;
    const struct receive_state *r = &a->receiving;
    uint32_t first = add_duplicate(t, c, a, o) ? 1 : 0;
    for (uint32_t i = 0; i < r->recent_count && o->sack_count < WIRE_SACK_BLOCKS; i++) {
        struct span s = runs_find(&t->base, &a->out_of_order, r->recent[i]);
        bool told = s.left == s.right;
        for (uint32_t k = first; k < o->sack_count; k++) told = told || o->sack[k].left == s.left;
        if (!told) add_block(o, s);
    }
}

uint32_t receive_state_option_bytes(const struct tcp *t, const struct connection *c) {
    if (nothing_to_tell(c, active_of(t, c))) return 0;
    struct wire_tcp_options with = {.has_timestamps = c->timestamps}, without = with;
    receive_state_sack_options(t, c, &with);
    return with.sack_count == 0 ? 0 : (uint32_t)(wire_tcp_options_length(&with) - wire_tcp_options_length(&without));
}
