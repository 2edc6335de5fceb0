/* Listeners: passive OPENs (RFC 9293 3.10.1), found by local port. */
#include "tcp/connection.h"

struct listener *listener_of(const struct tcp *t, bk_listener handle) {
    if (handle.index >= t->listeners.fresh || handle.generation == 0) return NULL;
    struct listener *l = listener_at(t, handle.index);
    return l->generation == handle.generation ? l : NULL;
}

/* How well a listener fits: 0 not at all, 1 by an unspecified address, 2 exactly. */
static int listener_fits(const struct listener *l, const bk_addr *local, uint16_t port) {
    if (l->port != port) return 0;
    bool ipv4 = addr_is_ipv4(local);
    if (addr_is_any(&l->local)) return (ipv4 ? l->ipv6_only : l->ipv4_only) ? 0 : 1;
    return addr_equal(&l->local, local) ? 2 : 0;
}

/* listener_find without the port's bucket: all of them are asked. No two fit equally well (listener_open). */
static struct listener *listener_find_plain(const struct tcp *t, const bk_addr *local, uint16_t port) {
    struct listener *best = NULL;
    for (uint32_t id = 0; id < t->listeners.fresh; id++) {
        struct listener *l = listener_at(t, id);
        if (l->generation == 0) continue;
        if (listener_fits(l, local, port) > (best == NULL ? 0 : listener_fits(best, local, port))) best = l;
    }
    return best;
}

struct listener *listener_find(const struct tcp *t, const bk_addr *local, uint16_t port) {
    if (!BK_FAST) return listener_find_plain(t, local, port);
    struct listener *best = NULL;
    int best_fit = 0;
    for (uint32_t id = t->listener_bucket[port % LISTENER_BUCKETS]; id != BK_NONE; id = listener_at(t, id)->next) {
        struct listener *l = listener_at(t, id);
        int fit = listener_fits(l, local, port);
        if (fit > best_fit) {
            best = l;
            best_fit = fit;
        }
    }
    return best;
}

void listener_hear(struct tcp *t, struct listener *l, uint8_t what) {
    l->ready |= what;
    if (!link_in(&l->ready_link))
        list_push_tail(&t->base, &t->listeners, LISTENER_READY_LINK, &t->listener_ready, l->self);
}

/* Whether two listeners of one port would claim the same connections equally well. */
static bool listener_clashes(const struct listener *l, const bk_addr *local, bool ipv4_only, bool ipv6_only) {
    if (addr_is_any(&l->local) && addr_is_any(local)) /* :: takes IPv4, too, unless it says otherwise */
        return !(l->ipv4_only && ipv6_only) && !(l->ipv6_only && ipv4_only);
    return addr_equal(&l->local, local);
}

int listener_open(struct tcp *t, const struct bk_tcp_passive *passive, bk_listener *out) {
    const bk_addr *local = &passive->local;
    uint16_t port = passive->port;
    bool ipv4_only = addr_is_any(local) && addr_is_ipv4(local);
    bool ipv6_only = addr_is_any(local) && (passive->flags & BK_LISTEN_IPV6_ONLY) && !ipv4_only;
    for (uint32_t id = t->listener_bucket[port % LISTENER_BUCKETS]; id != BK_NONE; id = listener_at(t, id)->next) {
        const struct listener *l = listener_at(t, id);
        if (l->port == port && listener_clashes(l, local, ipv4_only, ipv6_only)) return ERROR_ADDRINUSE;
    }
    uint32_t id = pool_alloc(&t->base, &t->listeners);
    if (id == BK_NONE) return ERROR_NOBUFS;
    struct listener *l = listener_at(t, id);
    list_init(&l->accept_queue);
    link_init(&l->ready_link);
    l->user = passive->user;
    l->local = *local;
    l->generation = base_generation(&t->base);
    l->self = id;
    l->port = port;
    l->backlog = passive->backlog;
    l->ipv4_only = ipv4_only;
    l->ipv6_only = ipv6_only;
    l->next = t->listener_bucket[port % LISTENER_BUCKETS];
    t->listener_bucket[port % LISTENER_BUCKETS] = id;
    *out = (bk_listener){id, l->generation};
    return 0;
}

uint32_t listener_receive_buffer(const struct tcp *t, const struct listener *l) {
    return listener_option(l, BK_TCP_RECEIVE_BUFFER, t->base.config.receive_buffer);
}

uint8_t listener_receive_scale(const struct tcp *t, const struct listener *l) {
    bool fixed = (l->option_mask >> BK_TCP_RECEIVE_BUFFER & 1) != 0;
    return receive_window_scale(t, listener_receive_buffer(t, l), listener_option(l, BK_TCP_WINDOW_CLAMP, 0), fixed);
}

void listener_free(struct tcp *t, struct listener *l) {
    uint32_t *at = &t->listener_bucket[l->port % LISTENER_BUCKETS];
    while (*at != l->self) at = &listener_at(t, *at)->next;
    *at = l->next;
    if (link_in(&l->ready_link)) list_remove(&t->base, &t->listeners, LISTENER_READY_LINK, &t->listener_ready, l->self);
    l->generation = 0;
    pool_free(&t->base, &t->listeners, l->self);
}
