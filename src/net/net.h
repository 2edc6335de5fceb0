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

/* Times and counts that RFC 4861 section 10, RFC 4862 5.1 and RFC 1122 2.3.2 fix. */
#define NET_RETRANS_MS   1000u  /* RetransTimer */
#define NET_REACHABLE_MS 30000u /* REACHABLE_TIME */
#define NET_HOP_LIMIT    64u

struct net_iface {
    struct bk_iface_config config;
    struct frame_queue ready; /* complete frames, in order */
    bool in_use;
    bool disabled6;        /* the link-local address made from our MAC is a duplicate (RFC 4862 5.4.5) */
    uint8_t hop_limit;     /* of what we send in IPv6: the configured one, or a router's advice */
    uint8_t solicit_left;  /* router solicitations still to be sent */
    uint32_t mtu;          /* the least of the next two */
    uint32_t link_mtu;     /* the configured one, or the user's latest */
    uint32_t router_mtu;   /* that a router advertised; 0: none did */
    uint32_t reachable_ms; /* ReachableTime: a base that was drawn over (RFC 4861 6.3.2) */
    uint32_t reachable_base_ms;
    uint32_t retrans_ms;  /* RetransTimer */
    uint64_t solicit_due; /* next router solicitation, or BK_NEVER */
    uint64_t report_due;  /* answer to a multicast listener query, or BK_NEVER */
    /* Where the last packet went: see net_hint_holds. */
    bk_addr hint_dst;
    uint32_t hint_neighbour;
    uint32_t hint_epoch;
};

/* The TTL that this interface was configured with. */
static inline uint8_t net_iface_ttl(const struct net_iface *i) {
    return i->config.hop_limit != 0 ? i->config.hop_limit : NET_HOP_LIMIT;
}

enum net_address_state { NET_TENTATIVE, NET_IN_USE, NET_DUPLICATE }; /* numbers as in bk_iface_address.state */

/* A local address. Records of this and the next pool are walked by number: a free one has !in_use. */
struct net_address {
    bk_addr addr;
    uint64_t valid_until, preferred_until; /* BK_NEVER: for ever */
    uint64_t dad_due;                      /* next step of duplicate address detection, or BK_NEVER */
    uint64_t join_due;                     /* next unsolicited report of its group, or BK_NEVER */
    uint8_t nonce[6];                      /* of our DAD solicitation (RFC 7527) */
    uint8_t iface, prefix_length;
    uint8_t state; /* enum net_address_state */
    uint8_t dad_left, join_left;
    bool autoconfigured; /* from a router's prefix: has lifetimes */
    bool in_use;
    uint8_t pad[3];
    uint32_t next; /* in the same bucket, or BK_NONE */
    uint32_t pad2;
};

enum net_route_origin {
    ROUTE_STATIC,    /* the user's */
    ROUTE_CONNECTED, /* the on-link prefix of a manual address */
    ROUTE_PREFIX,    /* an on-link prefix that a router advertised */
    ROUTE_ROUTER,    /* a default router that advertised itself */
};

struct net_route {
    bk_addr prefix;
    bk_addr gateway; /* unspecified: on-link */
    uint64_t valid_until;
    uint32_t suspect; /* 0, or when (in order) the gateway was last found silent */
    uint8_t length, iface;
    uint8_t origin; /* enum net_route_origin */
    bool in_use;
};

#define NET_PAIRS_BITS 6u

/* Addresses of a packet that were found to be good, source and destination, as long as `epoch` is net.epoch. */
struct net_pair {
    bk_addr src, dst;
    uint32_t epoch, iface;
};

struct net {
    struct tcp tcp;
    struct net_iface iface[NET_IFACES];
    struct pool addresses, routes, neighbours, reassemblies; /* net_address, net_route, neighbour, reassembly */
    struct pool neighbour_buckets, address_buckets;          /* uint32_t each: 1 + id of the first in it, or 0 */
    struct wheel wheel;                                      /* a timer for each neighbour */
    struct list neighbours_known, neighbours_incomplete;     /* least recently used first; oldest first */
    struct list reassembly_fifo[2];                          /* [0] IPv4, [1] IPv6: in order of expiry */
    struct net_pair pair[1u << NET_PAIRS_BITS];              /* by a hash of both addresses */
    uint64_t due;        /* next step of an address, a route or an interface; may be early */
    uint64_t error_time; /* the token bucket of ICMP errors was full, less what was taken, at this time */
    uint32_t iface_count;
    uint32_t epoch;             /* grows when a way, or an address, may have changed; never 0 */
    uint32_t suspects;          /* numbers for net_route.suspect */
    uint32_t pending;           /* frames that wait for a neighbour */
    uint32_t reassembly_chunks; /* held by reassemblies */
    uint32_t pad;
};

void net_init(struct net *n);
uint64_t net_bytes_max(const struct bk_config *config);
uint64_t net_layout(uint64_t hash);

/* A frame that arrived: p->parts, part_count, gso_size, rx_flags, iface, now are set, start 0, length the frame's. Returns its
 * reason. */
uint16_t net_input(struct net *n, struct packet *p);
/* Sends a frame (protocol, src, dst, payload, header[FRAME_L4..end) set; iface set or FRAME_ANY_IFACE). Takes the frame over. */
void net_send(struct net *n, uint32_t frame);
/* The same for a frame of TCP's, while nothing stands on the ready queue of `iface`. True: it leaves there, by the way of the one before it; its headers
 * are written, and it stays the caller's, who sends it now. False: net_send is to be asked. */
bool net_send_usual(struct net *n, uint32_t frame, uint32_t iface);

/* How a packet to `dst` would go. */
struct net_way {
    uint32_t iface;
    bk_addr src; /* a usable local address (RFC 6724 in spirit), or `src` as asked for */
    bk_addr next_hop;
    uint32_t mtu;
};
/* Finds the way to dst, from `src` unless that is unspecified. Returns 0, -ENETUNREACH, -EADDRNOTAVAIL. */
int net_way_find(const struct net *n, const bk_addr *dst, const bk_addr *src, struct net_way *way);
/* Whether `addr` is a usable address of ours. */
bool net_is_local(const struct net *n, const bk_addr *addr);
/* Confirms from above that the neighbour answers (RFC 4861 7.3.1): a TCP connection on this interface makes progress. */
void net_confirm(struct net *n, uint32_t iface, const bk_addr *remote);

int net_iface_add(struct net *n, const struct bk_iface_config *config);
/* The link takes packets up to `mtu` from now on. */
int net_iface_mtu_set(struct net *n, uint32_t iface, uint32_t mtu);
/* What the interface sends keeps to the link, and to what routers advertise. */
void net_iface_mtu_changed(struct net *n, uint32_t iface);
int net_address_add(struct net *n, uint32_t iface, const bk_addr *addr, uint8_t prefix_length, bool skip_dad);
bool net_address_get(const struct net *n, uint32_t index, struct bk_iface_address *out);
int net_route_add(struct net *n, const bk_addr *addr, uint8_t prefix_length, const bk_addr *gateway, uint32_t iface);

uint64_t net_next_deadline(const struct net *n); /* the net layer's own timers only */
void net_advance(struct net *n);                 /* likewise, at base.now */

#endif
