/* CoDel, controlled delay (RFC 8289): which packets a queue gives up so that none waits long for no good.
 *
 * A queue that absorbs bursts is good; one that stays is not, and its mark is that the time each packet spent in it (its sojourn)
 * does not fall below TARGET during a whole INTERVAL. Then packets are dropped as they come out, at intervals that shrink with the
 * square root of their number, until a sojourn is short again. Packets that can carry the mark instead of being dropped (RFC 3168)
 * get it, and go on.
 *
 * The queue is the caller's; CoDel asks for packets by functions. All arithmetic is in integers: any machine gives the same.
 */
#ifndef LAB_CODEL_H
#define LAB_CODEL_H

#include <stdbool.h>
#include <stdint.h>

#define CODEL_TARGET   UINT64_C(5000000) /* ns; RFC 8289 4.2, 4.3 */
#define CODEL_INTERVAL UINT64_C(100000000)

struct codel {
    uint64_t first_above; /* when the sojourn will have been above TARGET for an INTERVAL; 0: it is below */
    uint64_t drop_next;
    uint32_t count; /* drops since the dropping state was entered */
    uint32_t last_count;
    bool dropping;
};

struct codel_queue {
    void *context;
    /* Takes the packet at the head and says when it came, and how many bytes are left; NULL: there is none. */
    void *(*pop)(void *context, uint64_t *entered, uint64_t *left);
    /* Marks the packet, if it can be. */
    bool (*mark)(void *context, void *packet);
    void (*drop)(void *context, void *packet);
    uint64_t largest; /* bytes of the largest packet: a queue of no more than that is never too long */
};

/* The packet that should be sent at `now`; NULL: none is left. An all-zero struct codel is a new one. */
void *codel_dequeue(struct codel *c, const struct codel_queue *q, uint64_t now);

#endif
