/* The neighbour cache: link-layer addresses of next hops, of both families. See neighbour.c. */
#ifndef NET_NEIGHBOUR_H
#define NET_NEIGHBOUR_H

#include "net/net.h"

/* RFC 4861 7.3.2. */
enum neighbour_state {
    NEIGHBOUR_FREE, /* no entry: a free record */
    NEIGHBOUR_INCOMPLETE,
    NEIGHBOUR_REACHABLE,
    NEIGHBOUR_STALE,
    NEIGHBOUR_DELAY,
    NEIGHBOUR_PROBE,
};

struct neighbour {
    struct timer timer; /* next solicitation, or the end of DELAY */
    bk_addr addr;
    uint64_t reachable_until;   /* REACHABLE: looked at when used, so no timer runs for it */
    struct link link;           /* in net.neighbours_incomplete while INCOMPLETE, else in net.neighbours_known */
    uint32_t next;              /* in the hash bucket */
    struct frame_queue waiting; /* for resolution: INCOMPLETE entries only, and these always hold one or more */
    uint8_t mac[6];
    uint8_t iface;
    uint8_t state;  /* enum neighbour_state */
    uint8_t probes; /* solicitations sent in this state */
    bool router;    /* IsRouter */
    uint8_t pad[6];
};

static inline struct neighbour *neighbour_at(const struct net *n, uint32_t id) {
    return pool_at(&n->tcp.base, &n->neighbours, id);
}
void neighbour_init(struct net *n);
uint32_t neighbour_find(const struct net *n, uint32_t iface, const bk_addr *addr);
/* Sends a frame whose IP header is written to next_hop, now or when it is resolved. Takes the frame over. */
void neighbour_send(struct net *n, uint32_t iface, const bk_addr *next_hop, uint32_t frame);
/* The same for an entry that is known. */
void neighbour_output(struct net *n, uint32_t id, uint32_t frame);
/* The link-layer address of a neighbour of which neighbour_output would change nothing; else NULL. */
const uint8_t *neighbour_usual(const struct net *n, uint32_t id);
/* A node told its link-layer address with a question to us or in a router advertisement. An entry is made if there is none. */
void neighbour_heard(struct net *n, uint32_t iface, const bk_addr *addr, const uint8_t mac[6]);

struct neighbour_news {
    bool solicited, override, router;
    const uint8_t *mac; /* NULL: not told */
};
/* An advertisement (RFC 4861 7.2.5), or an ARP packet in its terms. False if there is no entry that it concerns. */
bool neighbour_advertised(struct net *n, uint32_t iface, const bk_addr *addr, const struct neighbour_news *news);
/* An upper layer knows that the neighbour answers. */
void neighbour_confirm(struct net *n, uint32_t id);
uint64_t neighbour_next_deadline(const struct net *n);
void neighbour_advance(struct net *n);

/* arp.c: asks for, or answers about, an IPv4 address on Ethernet. mac NULL: broadcast. */
void arp_request(struct net *n, uint32_t iface, const bk_addr *src, const bk_addr *target, const uint8_t *mac);
/* An ARP packet, which `p` stands at. Returns its reason. */
uint16_t arp_input(struct net *n, struct packet *p);

#endif
