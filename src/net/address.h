/* Local addresses: the table, duplicate address detection, and the choice of a source. See address.c. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "net/net.h"

static inline struct net_address *address_at(const struct net *n, uint32_t id) {
    return pool_at(&n->tcp.base, &n->addresses, id);
}
void address_init(struct net *n);
/* The record of `addr` on this interface, in whatever state, or NULL. */
struct net_address *address_find(const struct net *n, uint32_t iface, const bk_addr *addr);
/* Whether `addr` is in use on this interface. */
bool address_is_ours(const struct net *n, uint32_t iface, const bk_addr *addr);
/* Whether `addr` is the directed broadcast address of an IPv4 prefix of this interface. */
bool address_is_broadcast(const struct net *n, uint32_t iface, const bk_addr *addr);
/* Whether the solicited-node group `group` belongs to an address of this interface, tentative ones included. */
bool address_in_group(const struct net *n, uint32_t iface, const bk_addr *group);
/* The best source on this interface for packets to dst; false if there is none. */
bool address_select(const struct net *n, uint32_t iface, const bk_addr *dst, bk_addr *src);
/* The link-local IPv6 address in use on this interface; false if there is none. */
bool address_link_local(const struct net *n, uint32_t iface, bk_addr *addr);

/* Adds a local address without its on-link prefix; starts DAD where it applies. NULL if the pool is full. */
struct net_address *address_new(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length,
                                bool skip_dad);
void address_remove(struct net *n, uint32_t id);
/* Another node holds, or tries to take, this tentative address (RFC 4862 5.4.3, 5.4.4). */
void address_conflict(struct net *n, struct net_address *a);
/* Takes due steps of DAD and lifetimes. */
void address_advance(struct net *n);

#endif
