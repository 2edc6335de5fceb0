/* The network layer as the stack sees it: interfaces, addresses, routes, neighbours, IP, ICMP.
 *
 * In: net_input takes a frame from the link header (or IP header) to the transport. Out: net_send takes a frame whose
 * layer-4 header is written, finds its way, adds the IP and link headers, and puts it on the interface's `ready` queue,
 * from where bk_output takes it; or holds it while the next hop is being resolved.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "tcp/tcp.h"

#define NET_IFACES TCP_PATHS

struct net_iface {
    struct bk_iface_config config;
    struct frame_queue ready; /* complete frames, in order */
    bool in_use;
    /* more of its own, as the net files need: autoconfiguration timers, counters ... */
};

struct net {
    struct tcp tcp;
    struct net_iface iface[NET_IFACES];
    /* pools and tables of addresses, routes, neighbours, reassemblies ... */
};

void net_init(struct net *n);
uint64_t net_bytes_max(const struct net *n);
uint64_t net_layout(uint64_t hash);

/* A frame that arrived: p->parts, part_count, gso_size, rx_flags, iface, now are set, start 0, length the frame's. Returns its
 * reason. */
uint16_t net_input(struct net *n, struct packet *p);
/* Sends a frame (protocol, src, dst, payload, header[FRAME_L4..end) set; iface set or FRAME_ANY_IFACE). Takes the frame over. */
void net_send(struct net *n, uint32_t frame);

/* How a packet to `dst` would go. */
struct net_way {
    uint32_t iface;
    bk_addr src;      /* a usable local address (RFC 6724 in spirit), or `src` as asked for */
    bk_addr next_hop;
    uint32_t mtu;
};
/* Finds the way to dst, from `src` unless that is unspecified. Returns 0, -ENETUNREACH, -EADDRNOTAVAIL. */
int net_way_find(const struct net *n, const bk_addr *dst, const bk_addr *src, struct net_way *way);
/* Whether `addr` is a usable address of ours. */
bool net_is_local(const struct net *n, const bk_addr *addr);
/* Confirms from above that the neighbour answers (RFC 4861 7.3.1): a TCP connection makes progress. */
void net_confirm(struct net *n, const bk_addr *remote);

int net_iface_add(struct net *n, const struct bk_iface_config *config);
int net_address_add(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length, bool skip_dad);
bool net_address_get(const struct net *n, uint32_t index, struct bk_iface_address *out);
int net_route_add(struct net *n, const bk_addr *addr, uint8_t prefix_length, const bk_addr *gateway, uint32_t iface);

uint64_t net_next_deadline(const struct net *n); /* the net layer's own timers only */
void net_advance(struct net *n);                 /* likewise, at base.now */

#endif
