/* Receive coalescing: frames of a batch that continue each other become one packet before TCP sees them, as devices do it (LRO, GRO).
 *
 * What a segment costs above IP is then paid once for up to 64 KiB. Nothing else changes: each frame's headers are looked at and its checksums
 * verified before it joins, each counts as a frame and as a segment, has its reason, and its event in the trace.
 */
#ifndef NET_COALESCE_H
#define NET_COALESCE_H

#include "net/net.h"

/* Takes a batch of frames that arrived on `iface` to their ends: net_input for each packet, the reasons of the frames, the release of their
 * chunks. Frames that become one packet all have its reason. Frames of one connection are handled in the order in which they stand; between
 * connections the order may change. */
void coalesce_input(struct net *n, uint32_t iface, struct bk_rx *frames, size_t count);

#endif
