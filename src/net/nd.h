/* Neighbour discovery messages (RFC 4861) and multicast listener reports (RFC 3810). See nd.c and mld.c. */
#ifndef NET_ND_H
#define NET_ND_H

#include "net/net.h"

#define ND_MESSAGE_MAX 1280u /* longer messages are refused: no node needs one */

/* Solicits `target`: multicast, or to `mac` alone (a probe). */
void nd_solicit(struct net *n, uint32_t iface, const bk_addr *src, const bk_addr *target, const uint8_t *mac);
/* The solicitation of duplicate address detection. */
void nd_solicit_duplicate(struct net *n, const struct net_address *a);
void nd_solicit_routers(struct net *n, uint32_t iface, const bk_addr *src);
/* A neighbour discovery message of `type`, whose ICMPv6 header p stands at and whose checksum is good. Returns its reason. */
uint16_t nd_input(struct net *n, struct packet *p, uint8_t type);
/* Finishes an ICMPv6 message that stands at header[FRAME_L4 + skip]: computes its checksum. */
void nd_checksum(struct frame *f, uint32_t skip);

/* Joins, leaves the solicited-node group of an address, by a report. */
void mld_join(struct net *n, const struct net_address *a);
void mld_leave(struct net *n, const struct net_address *a);
/* A query, p as above. Returns its reason. */
uint16_t mld_query(struct net *n, struct packet *p);
/* Sends due answers to queries. */
void mld_advance(struct net *n);

#endif
