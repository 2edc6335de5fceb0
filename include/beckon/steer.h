/* Steering: which of several stacks a packet belongs to.
 *
 * Stacks that share an interface's addresses (a group: one for each core, say, and nothing shared between them) divide the flows among themselves by
 * a hash of the tuple, and the device that has the frames is told to do the same: a TAP device by a program (bk_tap_steer, link.h), a network
 * card by its own receive-side scaling, for which this is the hash, Toeplitz's, with the same key. Who stands before the
 * stacks in other ways (a dispatcher of its own, another driver) asks bk_steer_frame.
 *
 * The hash runs over what a packet from the peer shows, in the order in which it stands there: source address, destination address, source
 * port, destination port, that is remote before local. Its low 7 bits are the bucket, and bucket b is of stack b % stacks, as
 * in the table that drivers of cards begin with. A group has one key for all its stacks, random and kept to itself. The hash is linear,
 * so whoever sees which stack answers could choose tuples that all go to one: that overloads one stack of the group, as a flood from
 * anywhere does, and breaks nothing. Inside a stack tables are placed by other hashes, with keys that no other stack knows.
 */
#ifndef BECKON_STEER_H
#define BECKON_STEER_H

#include "beckon/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BK_STEER_BUCKETS 128u
#define BK_STEER_INPUT   36u /* bytes of the tuple in IPv6; in IPv4 they are 12 */

/* The hash of a tuple. Both addresses must be of one family. */
BK_API uint32_t bk_steer_hash(const uint8_t key[BK_STEER_KEY], const bk_addr *remote, uint16_t remote_port,
                              const bk_addr *local, uint16_t local_port);
/* The number of the stack that the tuple's flow belongs to; 0 where there is no group. */
BK_API uint32_t bk_steer(const struct bk_steering *steering, const bk_addr *remote, uint16_t remote_port,
                         const bk_addr *local, uint16_t local_port);

/* The same hash for many packets: what each byte of the tuple contributes to the bucket, by its place and value. Made once for a key, then only read. */
struct bk_steer_table {
    uint32_t stacks;
    uint8_t bucket[BK_STEER_INPUT][256];
};
BK_API void bk_steer_table_make(struct bk_steer_table *table, const struct bk_steering *steering);

#define BK_STEER_ALL      UINT32_MAX       /* every stack should have it */
#define BK_STEER_FRAGMENT (UINT32_MAX - 1) /* likewise: each puts the datagram together, and one of them takes it */
#define BK_STEER_LOOK     384u             /* bytes from the frame's start that may decide */

/* The number of the stack that a frame (of an Ethernet interface: with its header) belongs to, or one of the above. Any bytes are fine.
 *   - TCP and UDP by their tuple, also behind IPv6 extension headers (8, in 256 bytes at most) and IPv4 options.
 *   - ICMP errors by the tuple of the packet that they quote, seen from its sender: they are news for that flow.
 *   - Fragments go to all, since only the first has ports. Stacks that know of their group deliver a datagram that is theirs and no other.
 *   - What tells of neighbours and routers goes to all, for each stack keeps caches of its own: ARP replies and announcements, neighbour and
 *     router advertisements, and solicitations of duplicate address detection.
 *   - Everything else goes to stack 0, which answers for all: ARP requests, neighbour solicitations, MLD queries, pings, what is malformed. */
BK_API uint32_t bk_steer_frame(const struct bk_steer_table *table, enum bk_layer layer, const void *frame,
                               size_t length);

#ifdef __cplusplus
}
#endif
#endif
