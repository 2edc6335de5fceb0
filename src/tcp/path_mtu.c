/* Path MTU of a connection: see path_mtu.h. */
#include "tcp/path_mtu.h"

#include "tcp/connection.h"
#include "tcp/options.h"
#include "tcp/path_cache.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"

#define MTU_FLOOR_IPV4 552u  /* a claim below it counts as this (RFC 5927 7.2; what common systems believe, too) */
#define MTU_FLOOR_IPV6 1280u /* RFC 8200 5 */

uint32_t path_mtu_offered(const struct tcp *t, uint32_t iface, const bk_addr *remote) {
    const struct path_entry *e = path_cache_find(t, remote);
    uint32_t mtu = t->path[iface].mtu;
    return e != NULL && e->given != 0 ? u32_min(mtu, e->given) : mtu;
}

bool path_mtu_fragments(const struct connection *c) {
    return !connection_is_ipv6(c) && (c->mtu_discovery == BK_MTU_FRAGMENT || c->mtu_discovery == BK_MTU_INTERFACE);
}

bool path_mtu_heeds(const struct connection *c) {
    return c->mtu_discovery == BK_MTU_DISCOVER || (c->mtu_discovery == BK_MTU_FRAGMENT && connection_is_ipv6(c));
}

uint32_t path_mtu_packet(const struct connection *c, uint32_t payload) {
    return segment_headers(connection_is_ipv6(c)) + (c->timestamps ? TCP_TIMESTAMP_BYTES : 0) + payload;
}

static uint32_t limit_by(const struct tcp *t, const struct connection *c, const struct path_entry *e) {
    uint32_t mtu = t->path[c->iface].mtu;
    if (e == NULL) return mtu;
    if (e->given != 0) mtu = u32_min(mtu, e->given);
    return e->claimed != 0 && path_mtu_heeds(c) ? u32_min(mtu, e->claimed) : mtu;
}

uint32_t path_mtu_limit(const struct tcp *t, const struct connection *c) {
    return limit_by(t, c, path_cache_find(t, &c->tuple.remote));
}

/* What its packets may be. A search goes on from where it is; one that has not begun begins with base_mss, unless the user knows better. */
static uint32_t bound(const struct tcp *t, const struct connection *c) {
    const struct path_entry *e = path_cache_find(t, &c->tuple.remote);
    const struct active *a = active_of(t, c);
    uint32_t limit = limit_by(t, c, e);
    if (!path_mtu_heeds(c)) return limit;
    if (e != NULL && e->found != 0) return u32_min(limit, e->found);
    bool always = t->base.config.mtu_probing == 2, begun = c->state >= BK_ESTABLISHED;
    /* Without an active record nothing is sent, and whether there is a search is seen when there is one again. */
    if (begun && (always || a == NULL || a->search.on)) return u32_min(limit, c->path_mtu);
    if (!always || (e != NULL && e->given != 0)) return limit;
    uint32_t base = path_mtu_packet(c, t->base.config.base_mss);
    return u32_min(limit, connection_is_ipv6(c) ? u32_max(base, 1280) : base);
}

/* Eff.snd.MSS (RFC 9293 3.7.1). */
static void apply(struct tcp *t, struct connection *c, uint32_t mtu) {
    uint32_t mss = u32_min(c->peer_mss, mtu - segment_headers(connection_is_ipv6(c)));
    if (c->mss_limit != 0) mss = u32_min(mss, c->mss_limit);
    struct active *a = active_of(t, c);
    if (a != NULL && mtu < c->path_mtu) {
        a->proof.watched = 0;
        a->proof.proven = (uint16_t)u32_min(a->proof.proven, mtu);
    }
    c->path_mtu = (uint16_t)mtu;
    c->mss = (uint16_t)(mss - (c->timestamps ? TCP_TIMESTAMP_BYTES : 0));
}

void path_mtu_refresh(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    c->path_epoch = t->path_epoch;
    apply(t, c, bound(t, c));
    if (a == NULL) return;
    struct mtu_search now;
    mtu_search_init(t, c, &now);
    a->search.on = now.on || (a->search.on && path_mtu_heeds(c));
    if (a->search.on) mtu_search_bounds(t, c, &a->search);
}

void path_mtu_look(struct tcp *t, struct connection *c) {
    if (c->path_epoch != t->path_epoch) path_mtu_refresh(t, c);
}

void path_mtu_begin(struct tcp *t, struct connection *c, uint32_t peer_mss) {
    c->peer_mss = (uint16_t)u32_max(peer_mss, TCP_MSS_MIN);
    path_mtu_refresh(t, c);
}

/* ---- routers' claims ------------------------------------------------------------------------------- */

/* Smaller segments, and what was too big goes again at once (RFC 1191 6.4). */
static void believe(struct tcp *t, struct connection *c, uint32_t mtu) {
    uint32_t before = c->mss;
    reason_count(&t->base, BK_REASON_NOTE_PATH_MTU);
    path_cache_claim(t, &c->tuple.remote, mtu);
    apply(t, c, mtu); /* even if the cache had no room for it: then it holds until anything else changes */
    c->path_epoch = t->path_epoch;
    /* All of it goes again at once: as many segments as before, of which each is smaller, not a burst of more (RFC 5681 3.1). */
    if (!congestion_owns_window(c)) c->cwnd = (uint32_t)((uint64_t)c->cwnd * c->mss / before);
    struct active *a = active_of(t, c);
    if (a != NULL && a->search.on) mtu_search_bounds(t, c, &a->search);
    recovery_repeat(t, c, BK_REASON_SEND_SMALLER);
    connection_touch(t, c);
}

uint16_t path_mtu_claimed(struct tcp *t, struct connection *c, uint32_t seq, uint32_t mtu) {
    if (mtu_search_claimed(t, c, seq, mtu)) return BK_REASON_ACCEPT_ICMP_ERROR;
    mtu = u32_max(mtu, connection_is_ipv6(c) ? MTU_FLOOR_IPV6 : MTU_FLOOR_IPV4);
    if (c->state < BK_ESTABLISHED || !path_mtu_heeds(c) || mtu >= path_mtu_packet(c, c->mss))
        return BK_REASON_DROP_ICMP_NOT_LESS;
    struct active *a = active_of(t, c);
    if (a == NULL || a->proof.proven <= mtu) {
        believe(t, c, mtu);
        return BK_REASON_ACCEPT_ICMP_ERROR;
    }
    /* Of several claims the first one stands, until it has been judged: a second would only put off the day. */
    if (a->proof.claim == 0) {
        a->proof.claim = (uint16_t)mtu;
        a->proof.claim_seq = seq;
    }
    return BK_REASON_ACCEPT_ICMP_HELD;
}

void path_mtu_timeout(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    uint32_t claim = a->proof.claim;
    a->proof.claim = 0;
    if (claim != 0 && claim < c->path_mtu)
        believe(t, c, claim);
    else
        mtu_search_timeout(t, c);
}

void path_mtu_found(struct tcp *t, struct connection *c, uint32_t mtu) {
    path_cache_found(t, &c->tuple.remote, mtu);
    apply(t, c, mtu);
    struct active *a = active_of(t, c);
    if (a->proof.proven > mtu) a->proof.proven = (uint16_t)mtu;
    c->path_epoch = t->path_epoch; /* it need not look what it said itself */
    connection_touch(t, c);
}

/* ---- proof ----------------------------------------------------------------------------------------- */

/* A segment that was larger before proves its present size, too, whichever copy arrives; one that goes again in pieces proves nothing. */
void path_mtu_sent(struct tcp *t, struct connection *c, uint32_t seq, uint32_t length) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    struct path_proof *p = &a->proof;
    if (length < c->mss) {
        if (seq_lt(seq, p->end)) p->watched = 0;
    } else if (p->watched == 0 && p->proven < path_mtu_packet(c, c->mss)) {
        p->watched = (uint16_t)path_mtu_packet(c, c->mss);
        p->end = seq + c->mss;
    }
}

void path_mtu_acked(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL) return;
    struct path_proof *p = &a->proof;
    if (p->watched != 0 && seq_ge(c->snd_una, p->end)) {
        p->proven = p->watched;
        p->watched = 0;
    }
    if (p->claim != 0 && seq_gt(c->snd_una, p->claim_seq)) {
        p->claim = 0;
        reason_count(&t->base, BK_REASON_NOTE_CLAIM_REFUTED);
    }
}
