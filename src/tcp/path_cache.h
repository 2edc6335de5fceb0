/* What is known of the path to a destination, for all connections to it: how large a packet may be.
 *
 *     given      by the user
 *     claimed    by a router, in ICMP (RFC 1191, RFC 8201), as far as it was believed
 *     found      by trying, after packets had vanished without a word (RFC 4821)
 *
 * The last two are forgotten path_mtu_expiry_s after they were last heard (RFC 1191 6.3): larger packets are then tried again. When the pool is
 * full, what was heard longest ago is forgotten for what is heard now (NOTE_PATH_EVICTED); what was given stays.
 *
 * tcp.path_epoch grows with each change, and with each change of an interface's MTU: who has seen the current epoch need not look.
 */
#ifndef TCP_PATH_CACHE_H
#define TCP_PATH_CACHE_H

#include "base/list.h"

struct tcp;

#define PATH_MTU_MIN 128u /* that the user may give: headers, options and some data */

struct path_entry {
    bk_addr remote;
    struct link link; /* in tcp.path_fifo, if `expires` is a time: in order of expiry, for all wait equally long */
    uint32_t next;    /* in the same bucket, BK_NONE at the end */
    uint16_t given, claimed, found; /* 0: nothing */
    bool in_use;
    uint8_t pad;
    uint64_t expires; /* of claimed and found */
};

uint32_t path_cache_buckets(const struct bk_config *config);
void path_cache_init(struct tcp *t);
uint64_t path_cache_next_deadline(const struct tcp *t);
void path_cache_advance(struct tcp *t);

/* NULL: nothing is known. */
const struct path_entry *path_cache_find(const struct tcp *t, const bk_addr *remote);
/* The user's word; 0 takes it back. Returns 0 or -ENOSPC. */
int path_cache_give(struct tcp *t, const bk_addr *remote, uint32_t mtu);
/* A router's, and what was found; nothing is kept if there is no room even so. */
void path_cache_claim(struct tcp *t, const bk_addr *remote, uint32_t mtu);
void path_cache_found(struct tcp *t, const bk_addr *remote, uint32_t mtu);

#endif
