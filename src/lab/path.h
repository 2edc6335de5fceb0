/* A path: one direction of the way between two hosts of a simulation, in virtual time.
 *
 *     enter -> lost? -> queue (rate) -> delay, jitter -> out
 *
 * A frame that enters meets, in this order: a link that is down; the MTU; the k-th-frame and random losses (independent, and bursts of a
 * Gilbert-Elliott chain); then the queue before the transmitter, which serves `rate` and is bounded (drop-tail, or CoDel, RFC 8289, which
 * marks ECN-capable packets instead of dropping them, RFC 3168 5); then damage, duplication, and the delay with its jitter,
 * where frames drawn for reordering are held back longer (and their copies, if they are doubled, are not). Every choice is drawn from the
 * path's own seed, and always the same number of draws is made for a frame (marks are drawn apart), so that two runs are the same and removing one
 * impairment leaves the others as they were: shrinking a failure relies on that.
 *
 * Frames are IP packets, or Ethernet frames if `ethernet` (for the mark's sake the IP header must be found). The path copies what enters.
 */
#ifndef LAB_PATH_H
#define LAB_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_KTH     4u
#define PATH_CHANGES 4u

enum path_queue { PATH_DROP_TAIL, PATH_CODEL };

/* At `at_us` (virtual time since the path was made) the path goes down or up, or its MTU changes. */
struct path_change {
    uint64_t at_us;
    uint32_t mtu; /* 0: as it was */
    bool down;
};

struct path_options {
    uint64_t rate_bps;            /* 0: no queue, transmission takes no time */
    uint32_t queue_bytes;         /* that wait or are being sent, at most; 0: no bound */
    uint32_t delay_us, jitter_us; /* jitter is uniform in [0, jitter_us] and keeps the order */
    uint32_t loss_ppm;
    uint32_t burst_begin_ppm, burst_end_ppm,
        burst_loss_ppm;     /* Gilbert-Elliott: good to bad, bad to good, loss while bad */
    uint32_t kth[PATH_KTH]; /* frames that are lost, counted from 1 as they enter; 0: none */
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm, reorder_us;        /* held back by so much more, so that others pass */
    uint32_t corrupt_ppm;                    /* one bit flipped */
    uint32_t mark_ppm;                       /* CE set where the packet allows it, as by a queue further on */
    uint32_t mtu;                            /* of IP; 0: anything passes */
    struct path_change change[PATH_CHANGES]; /* in order of time; at_us 0 ends them */
    uint8_t queue;                           /* enum path_queue */
    bool ecn;                                /* CoDel marks CE where the packet allows it */
    bool ethernet;
};

struct path_counters {
    uint64_t entered, left, lost, overflowed, dropped_aqm, marked, duplicated, reordered, corrupted, too_big, down;
};

enum path_fate { PATH_TAKEN, PATH_LOST, PATH_TOO_BIG };

struct path;

/* Allocates; NULL if there is no memory. Times passed later are not before `now`. */
struct path *path_new(const struct path_options *options, uint64_t seed, uint64_t now);
void path_free(struct path *p);
/* A frame enters. PATH_TOO_BIG: it does not fit and a router would say so (path_mtu is the next hop's); PATH_LOST: it is gone, whyever. */
enum path_fate path_enter(struct path *p, const uint8_t *frame, size_t length, uint64_t now);
uint32_t path_mtu(const struct path *p, uint64_t now);
/* When to ask path_leave again: never later than the next frame leaves, earlier only where a queue or jitter are not decided yet.
 * UINT64_MAX if no frame is under way. */
uint64_t path_next(const struct path *p);
/* How long a frame that enters at `now` would wait before the transmitter takes it, were the queue drop-tail and had room. */
uint64_t path_wait(struct path *p, uint64_t now);
/* Takes a frame that leaves at or before `now`: copies it to `frame` (room for 65,535 + 14 bytes) and returns its length; 0: none. */
size_t path_leave(struct path *p, uint64_t now, uint8_t *frame);
/* Forgets all frames that are under way: what a break of the line does. */
void path_clear(struct path *p);
const struct path_counters *path_counters(const struct path *p);

#endif
