/* Which ephemeral ports towards a destination are known to be taken, so that a search for a free one does not look at each again.
 *
 * A destination whose searches meet taken ports gets a map: a bit for each local port, set when a search finds it taken, cleared when its
 * 4-tuple leaves the connection table. Ports of other stacks of a group (steer.h) count as taken, too. A set bit is therefore always true; a clear one promises nothing, and the port is looked up. Each
 * time that a port is taken it is met once at most, so a search costs one or two looks on average, however few ports are free, and none
 * when there is no free one. Which port is chosen does not depend on maps: they skip only what the search would skip.
 *
 * A map is 8 KiB. There are config.port_maps at most; who needs one then takes that of the destination that has been asked about least recently.
 */
#ifndef TCP_PORT_MAP_H
#define TCP_PORT_MAP_H

#include "tcp/tcp.h"

struct port_map {
    struct tuple destination; /* its local port is 0 */
    uint32_t pad;
    uint64_t asked; /* number of the last search here */
    /* No port can be had of a TIME-WAIT (isn.h) before then. */
    uint64_t no_reuse_before;
    uint64_t taken[1024]; /* a bit for each port */
};

/* The map of a destination (a tuple whose local port is 0), NULL if it has none. */
struct port_map *port_map_find(const struct tcp *t, const struct tuple *destination);
/* A new one, empty; NULL if the configuration has none at all. */
struct port_map *port_map_make(struct tcp *t, const struct tuple *destination);
/* The port's 4-tuple was found in the connection table, or belongs to another stack. */
static inline void port_map_take(struct port_map *m, uint16_t port) {
    m->taken[port / 64] |= UINT64_C(1) << port % 64;
}
static inline bool port_map_taken(const struct port_map *m, uint16_t port) {
    return m->taken[port / 64] >> port % 64 & 1;
}
/* How many ports from `first` on are known to be taken, without a gap, up to `last` and not beyond. */
uint32_t port_map_run(const struct port_map *m, uint16_t first, uint16_t last);
/* The configuration has changed: what may be reused, and when, may be different. */
void port_map_reconsider(struct tcp *t);

void port_map_clear(struct tcp *t, const struct tuple *tuple);
/* A 4-tuple leaves the connection table. */
static inline void port_map_leave(struct tcp *t, const struct tuple *tuple) {
    if (t->port_maps.in_use != 0) port_map_clear(t, tuple);
}

#endif
