/* CoDel: see codel.h. The steps are those of RFC 8289 5; a mark stands where a drop would, and ends the search for a packet. */
#include "lab/codel.h"

#include <stddef.h>

#define CODEL_FRESH                                                                                                    \
    (16 * CODEL_INTERVAL) /* within it, an earlier dropping state is resumed and not begun anew: RFC 8289 5.5 */

/* The integer part of the square root. */
static uint64_t codel_root(uint64_t n) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1)
        if ((root + bit) * (root + bit) <= n) root += bit;
    return root;
}

/* `from` plus INTERVAL / sqrt(count). */
static uint64_t codel_control_law(uint64_t from, uint32_t count) {
    return from + codel_root(CODEL_INTERVAL * CODEL_INTERVAL / count);
}

/* Takes the next packet; *over says whether its sojourn has been above TARGET for long enough. */
static void *codel_pop(struct codel *c, const struct codel_queue *q, uint64_t now, bool *over) {
    uint64_t entered, left;
    void *packet = q->pop(q->context, &entered, &left);
    *over = false;
    if (packet == NULL || now - entered < CODEL_TARGET || left <= q->largest)
        c->first_above = 0;
    else if (c->first_above == 0)
        c->first_above = now + CODEL_INTERVAL;
    else
        *over = now >= c->first_above;
    return packet;
}

/* In the dropping state: drops while the time for it has come. */
static void *codel_go_on(struct codel *c, const struct codel_queue *q, void *packet, uint64_t now) {
    while (c->dropping && now >= c->drop_next) {
        bool over;
        c->count++;
        if (q->mark(q->context, packet)) {
            c->drop_next = codel_control_law(c->drop_next, c->count);
            break;
        }
        q->drop(q->context, packet);
        packet = codel_pop(c, q, now, &over);
        if (over)
            c->drop_next = codel_control_law(c->drop_next, c->count);
        else
            c->dropping = false;
    }
    return packet;
}

/* Enters the dropping state with this packet. If it was left only lately, dropping goes on at about the rate that it had then. */
static void *codel_begin(struct codel *c, const struct codel_queue *q, void *packet, uint64_t now) {
    bool over;
    if (!q->mark(q->context, packet)) {
        q->drop(q->context, packet);
        packet = codel_pop(c, q, now, &over);
    }
    uint32_t added = c->count - c->last_count;
    c->dropping = true;
    c->count = added > 1 && now - c->drop_next < CODEL_FRESH ? added : 1;
    c->last_count = c->count;
    c->drop_next = codel_control_law(now, c->count);
    return packet;
}

void *codel_dequeue(struct codel *c, const struct codel_queue *q, uint64_t now) {
    bool over;
    void *packet = codel_pop(c, q, now, &over);
    if (!over) {
        c->dropping = false;
        return packet;
    }
    return c->dropping ? codel_go_on(c, q, packet, now) : codel_begin(c, q, packet, now);
}
