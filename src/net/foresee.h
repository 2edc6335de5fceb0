/* A batch of frames brings segments for many connections, whose records lie anywhere in the region. Before a run of frames is processed,
 * what each will need is asked for, so that the memory answers for all of them at once rather than for one after the other.
 *
 * Nothing is believed and nothing changes: a frame that is not what it looks like costs a fetch in vain. What was worked out of one that is what it
 * looks like need not be worked out again. */
#ifndef NET_FORESEE_H
#define NET_FORESEE_H

#include "net/net.h"

#define FORESEE_LEAST 4u  /* of a batch that this is worth its work for */
#define FORESEE_RUN   16u /* frames: their records fit the first cache together */

/* What was seen of a run of frames. */
struct foreseen {
    uint32_t
        known; /* bit i: hash[i] is that of frame i's tuple, if the frame is a segment without options and extension headers of IP */
    uint32_t hash[FORESEE_RUN]; /* demux_hash */
};

/* frames[0..n), n at most FORESEE_RUN, that came in on this interface. */
void net_foresee(const struct net *n, uint32_t iface, const struct bk_rx *frames, size_t count, struct foreseen *seen);

#endif
