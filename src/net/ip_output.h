/* IP output below net_send. See ip_output.c. */
#ifndef NET_IP_OUTPUT_H
#define NET_IP_OUTPUT_H

#include "net/net.h"

/* A frame for an answer to a stranger; BK_NONE (counted) if too few are left: TCP keeps a quarter for itself. */
uint32_t ip_answer_frame(struct net *n);
/* Writes the IP header, and on Ethernet the link header to `mac` (NULL: the group that dst maps to); the frame leaves
 * by f->iface without any look-up. Takes the frame over. */
void ip_send_direct(struct net *n, uint32_t frame, const uint8_t *mac);
/* Puts a frame whose IP header is written on its interface's queue, behind a link header to `mac` where there is one. */
void ip_send_link(struct net *n, uint32_t frame, const uint8_t *mac);
/* Counts and forgets a frame. */
void ip_drop(struct net *n, uint32_t frame, uint16_t reason);
/* Adds bytes [offset, offset + length) of the packet's current layer as payload, by reference; false if there are too many parts. */
bool ip_add_packet(struct net *n, struct frame *f, const struct packet *p, uint32_t offset, uint32_t length);

/* Makes sure that net_advance does its rounds at `time`. */
static inline void net_due(struct net *n, uint64_t time) {
    n->due = u64_min(n->due, time);
}
/* A way may have changed: what interfaces remember of the last one is void. */
static inline void net_changed(struct net *n) {
    if (++n->epoch == 0) n->epoch = 1;
}
/* Whether what this interface remembers of its last packet's way holds for one to `dst`. Ways change with the epoch, or when a lifetime
 * ends, which net_advance may not have been told yet. */
static inline bool net_hint_holds(const struct net *n, uint32_t iface, const bk_addr *dst) {
    const struct net_iface *i = &n->iface[iface];
    return BK_FAST && i->hint_epoch == n->epoch && n->due > n->tcp.base.now && addr_equal(&i->hint_dst, dst);
}
/* Uniform in [0, ms] milliseconds, in ns. */
static inline uint64_t net_random_ns(struct net *n, uint32_t ms) {
    return base_random_below(&n->tcp.base, ms + 1) * NS_PER_MS;
}
/* time + delay, where a time that long never comes. */
static inline uint64_t net_after(uint64_t now, uint64_t seconds) {
    return seconds >= UINT32_MAX ? BK_NEVER : now + seconds * NS_PER_S;
}

#endif
