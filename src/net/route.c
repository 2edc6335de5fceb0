/* Routes and the way to a destination.
 *
 * One table holds all: the user's routes, the on-link prefixes of manual addresses, and the prefixes and default
 * routers that routers advertise (RFC 4861 5.1: prefix list and default router list), of which an interface takes a bounded number, so that
 * an unfriendly one cannot crowd out the rest. The longest prefix wins; among equals a gateway that was not found silent, or the
 * one found so longest ago (RFC 4861 6.3.6: round robin); then one whose link-layer address is known.
 *
 * Sending follows the strong end system model: a packet from a local address leaves by that address's interface. A
 * route is not taken to a destination that its own interface holds: two interfaces of one stack can thus talk to
 * each other over a wire between them.
 */
#include "net/route.h"

#include "net/address.h"
#include "net/ip_output.h"
#include "net/neighbour.h"
#include "wire/ip.h"

static bool route_covers(const struct net *n, const struct net_route *r, const bk_addr *dst) {
    return r->in_use && r->valid_until > n->tcp.base.now && wire_addr_prefix_equal(dst, &r->prefix, r->length);
}

/* Whether the gateway's link-layer address is known; a route without gateway needs none. */
static bool route_resolved(const struct net *n, const struct net_route *r) {
    if (bk_addr_is_any(&r->gateway)) return true;
    uint32_t id = neighbour_find(n, r->iface, &r->gateway);
    return id != BK_NONE && neighbour_at(n, id)->state != NEIGHBOUR_INCOMPLETE;
}

static bool route_better(const struct net *n, const struct net_route *a, const struct net_route *b) {
    if (a->length != b->length) return a->length > b->length;
    if (a->suspect != b->suspect) return a->suspect < b->suspect;
    return route_resolved(n, a) && !route_resolved(n, b);
}

static bool route_to_ourselves(const struct net *n, uint32_t iface, const bk_addr *dst) {
    const struct net_address *a = address_find(n, iface, dst);
    return a != NULL && a->state != NET_DUPLICATE;
}

bool route_find(const struct net *n, const bk_addr *dst, uint32_t *iface, bk_addr *next_hop) {
    /* Link-local destinations are on every link; which one is meant only the interface says. */
    if (*iface != FRAME_ANY_IFACE && !addr_is_ipv4(dst) && wire_addr_is_link_local(dst)) {
        *next_hop = *dst;
        return true;
    }
    const struct net_route *best = NULL;
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        const struct net_route *r = route_at(n, id);
        if (!route_covers(n, r, dst) || (*iface != FRAME_ANY_IFACE && r->iface != *iface)) continue;
        if (best != NULL && !route_better(n, r, best)) continue;
        if (route_to_ourselves(n, r->iface, dst)) continue;
        best = r;
    }
    if (best == NULL) {
        /* A layer-3 link has one other end, and what came from there can be answered there. */
        if (*iface == FRAME_ANY_IFACE || n->iface[*iface].config.layer != BK_LAYER_IP) return false;
        *next_hop = *dst;
        return true;
    }
    *iface = best->iface;
    *next_hop = bk_addr_is_any(&best->gateway) ? *dst : best->gateway;
    return true;
}

static bool route_reaches(const struct net *n, const bk_addr *dst, uint32_t iface) {
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        const struct net_route *r = route_at(n, id);
        if (r->iface == iface && route_covers(n, r, dst)) return true;
    }
    return !addr_is_ipv4(dst) && wire_addr_is_link_local(dst);
}

/* From a given source: by the interface that holds it; or by any that takes packets to every address as ours. */
static int way_from(const struct net *n, const bk_addr *dst, const bk_addr *src, struct net_way *way) {
    if (addr_is_ipv4(src) != addr_is_ipv4(dst)) return ERROR_ADDRNOTAVAIL;
    bool local = false;
    for (uint32_t i = 0; i < n->iface_count; i++) {
        if (!address_is_ours(n, i, src)) continue;
        local = true;
        way->iface = i;
        if (route_reaches(n, dst, i) && route_find(n, dst, &way->iface, &way->next_hop)) return 0;
    }
    way->iface = FRAME_ANY_IFACE;
    bool found = route_find(n, dst, &way->iface, &way->next_hop);
    if (found && n->iface[way->iface].config.accept_any) return 0;
    return local ? ERROR_NETUNREACH : ERROR_ADDRNOTAVAIL;
}

int net_way_find(const struct net *n, const bk_addr *dst, const bk_addr *src, struct net_way *way) {
    if (bk_addr_is_any(dst) || wire_addr_is_multicast(dst) || wire_addr_is_limited_broadcast(dst))
        return ERROR_NETUNREACH;
    bool chosen = src != NULL && !bk_addr_is_any(src);
    struct net_way found = {.iface = FRAME_ANY_IFACE};
    if (chosen) {
        int error = way_from(n, dst, src, &found);
        if (error != 0) return error;
        found.src = *src;
    } else {
        if (!route_find(n, dst, &found.iface, &found.next_hop)) return ERROR_NETUNREACH;
        if (!address_select(n, found.iface, dst, &found.src)) return ERROR_ADDRNOTAVAIL;
    }
    if (address_is_broadcast(n, found.iface, dst)) return ERROR_NETUNREACH;
    found.mtu = n->iface[found.iface].mtu;
    *way = found;
    return 0;
}

void net_confirm(struct net *n, uint32_t iface, const bk_addr *remote) {
    const struct net_iface *i = &n->iface[iface];
    if (net_hint_holds(n, iface, remote)) {
        neighbour_confirm(n, i->hint_neighbour);
        return;
    }
    bk_addr next_hop;
    if (i->config.layer != BK_LAYER_ETHERNET || !route_find(n, remote, &iface, &next_hop)) return;
    uint32_t id = neighbour_find(n, iface, &next_hop);
    if (id != BK_NONE) neighbour_confirm(n, id);
}

/* ---- the table ---- */

static struct net_route *route_same(const struct net *n, uint32_t iface, const bk_addr *prefix, uint8_t length,
                                    const bk_addr *gateway, enum net_route_origin origin) {
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        struct net_route *r = route_at(n, id);
        if (r->in_use && r->iface == iface && r->origin == origin && r->length == length &&
            addr_equal(&r->gateway, gateway) && wire_addr_prefix_equal(&r->prefix, prefix, length))
            return r;
    }
    return NULL;
}

static bool route_new(struct net *n, uint32_t iface, const bk_addr *prefix, uint8_t length, const bk_addr *gateway,
                      enum net_route_origin origin, uint64_t until) {
    uint32_t id = pool_alloc(&n->tcp.base, &n->routes);
    if (id == BK_NONE) return false;
    *route_at(n, id) = (struct net_route){.prefix = *prefix,
                                          .gateway = *gateway,
                                          .valid_until = until,
                                          .length = length,
                                          .iface = (uint8_t)iface,
                                          .origin = (uint8_t)origin,
                                          .in_use = true};
    net_due(n, until);
    net_changed(n);
    return true;
}

static void route_remove(struct net *n, uint32_t id) {
    route_at(n, id)->in_use = false;
    pool_free(&n->tcp.base, &n->routes, id);
    net_changed(n);
}

static uint32_t route_count(const struct net *n, enum net_route_origin origin) {
    uint32_t count = 0;
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        const struct net_route *r = route_at(n, id);
        count += r->in_use && r->origin == (uint8_t)origin;
    }
    return count;
}

int net_route_add(struct net *n, const bk_addr *addr, uint8_t prefix_length, const bk_addr *gateway, uint32_t iface) {
    bool ipv4 = addr_is_ipv4(addr);
    if (iface >= n->iface_count || prefix_length > (ipv4 ? 32 : 128) || wire_addr_is_multicast(addr))
        return ERROR_INVAL;
    bk_addr hop = {{0}};
    if (gateway != NULL && !bk_addr_is_any(gateway)) {
        if (addr_is_ipv4(gateway) != ipv4 || wire_addr_is_multicast(gateway) || address_find(n, iface, gateway) != NULL)
            return ERROR_INVAL;
        hop = *gateway;
    }
    if (route_same(n, iface, addr, prefix_length, &hop, ROUTE_STATIC) != NULL) return 0;
    /* The pool has room for the connected and the learnt ones besides: these are not the user's to take. */
    if (route_count(n, ROUTE_STATIC) >= n->tcp.base.config.routes) return ERROR_NOSPC;
    return route_new(n, iface, addr, prefix_length, &hop, ROUTE_STATIC, BK_NEVER) ? 0 : ERROR_NOSPC;
}

bool route_connect(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length) {
    bk_addr direct = {{0}};
    if (prefix_length == (addr_is_ipv4(addr) ? 32 : 128)) return true; /* only ourselves */
    if (route_same(n, iface, addr, prefix_length, &direct, ROUTE_CONNECTED) != NULL) return true;
    return route_new(n, iface, addr, prefix_length, &direct, ROUTE_CONNECTED, BK_NEVER);
}

static bool route_learn(struct net *n, uint32_t iface, const bk_addr *prefix, uint8_t length, const bk_addr *gateway,
                        enum net_route_origin origin, uint64_t until) {
    uint64_t now = n->tcp.base.now;
    struct net_route *r = route_same(n, iface, prefix, length, gateway, origin);
    if (r != NULL) {
        r->valid_until = until;
        net_due(n, until);
        if (until <= now) net_changed(n);
        return true;
    }
    if (until <= now) return true; /* nothing to withdraw */
    uint32_t learnt = 0;
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        r = route_at(n, id);
        learnt += r->in_use && r->iface == iface && r->origin == (uint8_t)origin;
    }
    return learnt < ROUTE_LEARNT_MAX / 2 && route_new(n, iface, prefix, length, gateway, origin, until);
}

bool route_learn_prefix(struct net *n, uint32_t iface, const bk_addr *prefix, uint8_t length, uint64_t until) {
    bk_addr direct = {{0}};
    return route_learn(n, iface, prefix, length, &direct, ROUTE_PREFIX, until);
}

bool route_learn_router(struct net *n, uint32_t iface, const bk_addr *router, uint64_t until) {
    bk_addr everywhere = {{0}};
    return route_learn(n, iface, &everywhere, 0, router, ROUTE_ROUTER, until);
}

void route_suspect(struct net *n, uint32_t iface, const bk_addr *gateway) {
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        struct net_route *r = route_at(n, id);
        if (!r->in_use || r->iface != iface || !addr_equal(&r->gateway, gateway)) continue;
        r->suspect = ++n->suspects;
        net_changed(n);
    }
}

void route_trust(struct net *n, uint32_t iface, const bk_addr *gateway) {
    if (n->suspects == 0) return;
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        struct net_route *r = route_at(n, id);
        if (!r->in_use || r->suspect == 0 || r->iface != iface || !addr_equal(&r->gateway, gateway)) continue;
        r->suspect = 0;
        net_changed(n);
    }
}

void route_advance(struct net *n) {
    for (uint32_t id = 0; id < n->routes.fresh; id++) {
        const struct net_route *r = route_at(n, id);
        if (!r->in_use) continue;
        if (r->valid_until <= n->tcp.base.now)
            route_remove(n, id);
        else
            net_due(n, r->valid_until);
    }
}
