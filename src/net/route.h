/* Routes: static, connected, and learnt from router advertisements. See route.c. */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include "net/net.h"

#define ROUTE_LEARNT_MAX 8u /* that an interface learns: half of them prefixes, half routers */

static inline struct net_route *route_at(const struct net *n, uint32_t id) {
    return pool_at(&n->tcp.base, &n->routes, id);
}
/* The next hop to dst by `iface` (or by any, FRAME_ANY_IFACE): sets *iface and *next_hop, or returns false. */
bool route_find(const struct net *n, const bk_addr *dst, uint32_t *iface, bk_addr *next_hop);
/* The on-link prefix of a manual address. */
bool route_connect(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length);
/* What a router advertised, refreshed or (until = now) withdrawn. False if there is no room for another. */
bool route_learn_prefix(struct net *n, uint32_t iface, const bk_addr *prefix, uint8_t length, uint64_t until);
bool route_learn_router(struct net *n, uint32_t iface, const bk_addr *router, uint64_t until);
/* A next hop was found silent, or answered (again): default routers that answer are preferred. */
void route_suspect(struct net *n, uint32_t iface, const bk_addr *gateway);
void route_trust(struct net *n, uint32_t iface, const bk_addr *gateway);
/* Removes what has expired. */
void route_advance(struct net *n);

#endif
