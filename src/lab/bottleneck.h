/* Bulk flows that share one bottleneck, in virtual time: what a sender makes of a link.
 *
 *     sender 0 --+                                        +-- receiver 0
 *     sender 1 --+--> queue (rate), loss, delay --> out --+-- receiver 1
 *
 * Each flow has two stacks of its own, so each may be configured as it likes. All data passes the one path `link`; what a receiver answers has
 * a way back of its own, on which nothing is lost and nothing waits, and which makes up the rest of the flow's round-trip time.
 * Senders write as much as their stack takes, receivers read at once. No check is made of what is read: that is `beckon sim`'s work.
 *
 * The same options and seed are the same run. Two runs share nothing, and may go on in two threads.
 */
#ifndef LAB_BOTTLENECK_H
#define LAB_BOTTLENECK_H

#include "beckon/stack.h"
#include "lab/path.h"

#define BOTTLENECK_FLOWS 2u

struct bottleneck_flow {
    struct bk_config sender, receiver;
    uint32_t rtt_us;    /* with an empty queue; no less than the link's delay */
    uint32_t jitter_us; /* of the way back */
    uint64_t start_us;
    uint64_t octets; /* that the sender has to send; 0: without end */
};

struct bottleneck_options {
    struct path_options link;
    uint32_t flows, mtu;
    struct bottleneck_flow flow[BOTTLENECK_FLOWS];
    /* Of flow 0, frames that are sent for the first time, from octet `lose_from` on: each lose_stride-th of them is lost, lose_count in all. */
    uint64_t lose_from;
    uint32_t lose_count, lose_stride;
    uint64_t warm_us, end_us; /* measured is from `warm_us` to `end_us` after the start */
    uint64_t seed;
};

struct bottleneck_result {
    uint64_t octets[BOTTLENECK_FLOWS]; /* that receivers read in the time measured */
    /* How long a frame that entered the link in the time measured had to wait before its first bit was sent; frames that found the queue full
     * count too. p95 is rounded up to 0.1 ms. */
    uint64_t queue_mean_ns, queue_p95_ns;
    /* From the first loss of lose_count to the ACK of all that was outstanding at the last of them; BK_NEVER: it did not come. */
    uint64_t recovery_ns;
    struct bk_tcp_info sender[BOTTLENECK_FLOWS]; /* at the end */
    uint64_t timeouts[BOTTLENECK_FLOWS];
};

/* A frame of flow `flow` is sent to the receiver, or (`back`) to the sender; `lost` says whether it will not arrive. For captures and traces. */
typedef void bottleneck_watch_fn(void *context, uint32_t flow, bool back, const uint8_t *frame, size_t length,
                                 uint16_t reason, bool lost, uint64_t now);

/* Runs it. Returns NULL, or what is wrong. `watch` may be NULL. */
const char *bottleneck_run(const struct bottleneck_options *options, bottleneck_watch_fn *watch, void *context,
                           struct bottleneck_result *result);

#endif
