/* Which record holds a 4-tuple. */
#ifndef TCP_LOOKUP_H
#define TCP_LOOKUP_H

#include "tcp/tcp.h"

/* The tuple of a record that the connection table refers to. */
struct tuple lookup_tuple_of(const struct tcp *t, demux_ref ref);
/* The record for a tuple with this hash, or DEMUX_NONE. */
demux_ref lookup_tuple(const struct tcp *t, const struct tuple *tuple, uint32_t hash);
/* The same for the tuple of a segment that came in this packet; finds its hash out. Connections that segments were for lately, and those that began lately, are
 * remembered in demux.latest, each at a place that its ports say, where the next one takes it. */
demux_ref lookup_segment(struct tcp *t, const struct packet *p, const struct tuple *tuple, uint32_t *hash);
/* A connection of this tuple is in the table, as `ref`, and segments for it are to be expected; or it leaves the table. */
void lookup_note(struct tcp *t, const struct tuple *tuple, demux_ref ref);
void lookup_forget(struct tcp *t, const struct tuple *tuple);

/* Asks the memory for the record that probably has a tuple of this hash. */
void lookup_foresee(const struct tcp *t, uint32_t hash);

#endif
