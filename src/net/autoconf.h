/* Stateless address autoconfiguration and router discovery, the host's side. See autoconf.c. */
#ifndef NET_AUTOCONF_H
#define NET_AUTOCONF_H

#include "net/net.h"

/* A new interface with `autoconfigure`: forms its link-local address. */
void autoconf_start(struct net *n, uint32_t iface);
/* The link-local address came into use: routers are asked for. */
void autoconf_link_local(struct net *n, uint32_t iface);
/* A router advertisement, whose ICMPv6 header `p` stands at and whose checksum is good. */
uint16_t autoconf_advertisement(struct net *n, struct packet *p);
/* Sends due router solicitations. */
void autoconf_advance(struct net *n);

#endif
