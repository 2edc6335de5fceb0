/* Reassembly of fragments, of both families. See reassembly.c. */
#ifndef NET_REASSEMBLY_H
#define NET_REASSEMBLY_H

#include "net/net.h"

struct fragment {
    uint32_t id;
    uint32_t offset;  /* bytes */
    uint8_t protocol; /* IPv4: the protocol, IPv6: the next header of the fragment header */
    bool more;
};

#define REASSEMBLY_CHUNKS 33u /* a datagram's chunks: 64 KiB and a header in chunks of 2 KiB */
#define REASSEMBLY_RUNS   16u /* runs of bytes without a gap, that a datagram may be in */

/* A datagram of which fragments have arrived. */
struct reassembly {
    bk_addr src, dst;
    uint64_t deadline;
    struct link link; /* in net.reassembly_fifo */
    uint32_t id;
    uint32_t chunk[REASSEMBLY_CHUNKS]; /* BK_NONE: nothing has arrived there yet */
    struct reassembly_run {
        uint16_t begin, end; /* [begin, end) of the datagram's payload is there */
    } run[REASSEMBLY_RUNS];  /* in order, with gaps between them */
    uint16_t total;          /* bytes of payload, once `last` is there */
    uint8_t run_count;
    uint8_t protocol; /* IPv4: part of what names the datagram; IPv6: of its first fragment */
    uint8_t iface;
    uint8_t hop_limit, traffic_class; /* of its first fragment */
    uint8_t ecn_seen;                 /* a bit for each ECN codepoint seen */
    bool last;                        /* the last fragment is there */
    bool given_up;                    /* fragments overlapped or contradicted each other: the rest is dropped too */
    bool link_broadcast;              /* some fragment came to a group */
    uint8_t pad;
};

/* A fragment, whose data p stands at, for us. Returns the reason of the datagram if this completes it, else the fragment's own. */
uint16_t reassembly_input(struct net *n, struct packet *p, const struct fragment *f);
uint64_t reassembly_next_deadline(const struct net *n);
/* Gives up datagrams whose time is over. */
void reassembly_advance(struct net *n);
/* net_input.c: delivers a whole datagram, p standing at its transport header (or IPv6 extension header). */
uint16_t net_deliver(struct net *n, struct packet *p, bool reassembled);

#endif
