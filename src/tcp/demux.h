/* Demultiplexing: from a 4-tuple to the connection, request or TIME-WAIT record that holds it.
 *
 * A hash table of 64-byte buckets, keyed with a secret hash so that strangers cannot steer it, grown one bucket at
 * a time by linear hashing: memory follows the number of entries, and no insertion ever pays for a rehash of the whole
 * table. An entry is 8 bytes: the hash, and a reference (kind and id). Growth needs only the hash; a look-up
 * touches the record only when all 32 bits of the hash agree. A bucket that overflows is continued in another from the
 * same pool.
 */
#ifndef TCP_DEMUX_H
#define TCP_DEMUX_H

#include "base/region.h"

enum demux_kind { DEMUX_CONNECTION, DEMUX_REQUEST, DEMUX_TIME_WAIT };

/* A reference: kind, family and id of a record. */
typedef uint32_t demux_ref;
#define DEMUX_NONE UINT32_MAX
static inline demux_ref demux_ref_make(enum demux_kind kind, bool ipv6, uint32_t id) {
    return (uint32_t)kind << 30 | (ipv6 ? UINT32_C(1) << 29 : 0) | id;
}
static inline enum demux_kind demux_ref_kind(demux_ref r) {
    return (enum demux_kind)(r >> 30);
}
static inline bool demux_ref_ipv6(demux_ref r) {
    return r >> 29 & 1;
}
static inline uint32_t demux_ref_id(demux_ref r) {
    return r & ((UINT32_C(1) << 29) - 1);
}

/* The 4-tuple. Always in the order local, remote. */
struct tuple {
    bk_addr local, remote;
    uint16_t local_port, remote_port;
};
static inline bool tuple_equal(const struct tuple *a, const struct tuple *b) {
    return addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote) && a->local_port == b->local_port &&
           a->remote_port == b->remote_port;
}
_Static_assert(sizeof(struct tuple) == 36, "a tuple has no padding: it is hashed and compared as bytes");

/* A connection that is in the table, and its ports. */
struct demux_latest {
    uint16_t local_port, remote_port;
    demux_ref ref; /* or DEMUX_NONE */
};
#define DEMUX_LATEST 64u

struct demux {
    struct pool buckets; /* home buckets by number, so its ids are the table */
    struct pool overflow;
    uint32_t entries;
    uint32_t round_mask; /* home buckets at the start of this round of splitting, less one */
    uint32_t split;      /* the next home bucket to split */
    uint32_t pad;
    struct demux_latest latest[DEMUX_LATEST]; /* see lookup.h */
};

uint32_t demux_hash(const struct base *b, const struct tuple *tuple);
void demux_init(struct base *b, struct demux *d, uint32_t entries_max);
uint64_t demux_bytes_max(const struct demux *d);
/* The caller made sure that the tuple is not there and that records exist for no more than entries_max. */
void demux_insert(struct base *b, struct demux *d, uint32_t hash, demux_ref ref);
void demux_remove(struct base *b, struct demux *d, uint32_t hash, demux_ref ref);
/* Replaces one record by another for the same tuple, in place. */
void demux_replace(struct base *b, struct demux *d, uint32_t hash, demux_ref old, demux_ref ref);
/* Walks candidates with this hash: set *position to 0 first; DEMUX_NONE at the end. The caller compares tuples. */
demux_ref demux_next(const struct base *b, const struct demux *d, uint32_t hash, uint64_t *position);

/* Asks the memory for the bucket that demux_next will look at first. */
void demux_foresee(const struct base *b, const struct demux *d, uint32_t hash);

#endif
