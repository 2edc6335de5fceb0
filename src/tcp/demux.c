/* The connection table: see demux.h.
 *
 * Linear hashing: with H = round_mask + 1 home buckets at the start of a round, `split` of them have been split into
 * themselves and bucket H + i. A hash's home is its low bits, and one bit more if those name a bucket that has
 * been split. When the entries exceed FILL a bucket on average, the next bucket is split. The table does not shrink:
 * it follows the largest number of entries, like every pool.
 */
#include "tcp/demux.h"

#include "base/siphash.h"
#include "tcp/small_tuple.h"

#define BUCKET_ENTRIES 7u
#define BUCKET_FILL    4u

struct bucket {
    uint32_t hash[BUCKET_ENTRIES];
    demux_ref ref[BUCKET_ENTRIES];
    uint32_t count;
    uint32_t more; /* an overflow bucket's id plus one, 0 if none: a zeroed bucket is an empty one */
};
_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

uint32_t demux_hash(const struct base *b, const struct tuple *tuple) {
    bool ipv6 = !addr_is_ipv4(&tuple->local);
    uint8_t packed[SMALL_TUPLE_IPV6];
    small_tuple_put(packed, ipv6, tuple);
    return (uint32_t)siphash13(&b->secret[0], packed, small_tuple_bytes(ipv6));
}

void demux_init(struct base *b, struct demux *d, uint32_t entries_max) {
    uint32_t homes = entries_max / BUCKET_FILL + 1;
    pool_init(&d->buckets, sizeof(struct bucket), homes, 1, 64, true);
    /* In the worst case all entries share one home. */
    pool_init(&d->overflow, sizeof(struct bucket), entries_max / BUCKET_ENTRIES + homes + 1, 1, 64, true);
    d->entries = d->round_mask = d->split = d->pad = 0;
    memset(d->latest, 0, sizeof d->latest);
    for (uint32_t i = 0; i < DEMUX_LATEST; i++) d->latest[i].ref = DEMUX_NONE;
    if (b->size != 0) pool_reserve(b, &d->buckets, 1);
}

uint64_t demux_bytes_max(const struct demux *d) {
    return pool_bytes_max(&d->buckets) + pool_bytes_max(&d->overflow);
}

static uint32_t home_of(const struct demux *d, uint32_t hash) {
    uint32_t home = hash & d->round_mask;
    return home < d->split ? hash & (d->round_mask << 1 | 1) : home;
}

static struct bucket *bucket_home(const struct base *b, const struct demux *d, uint32_t home) {
    return pool_at(b, &d->buckets, home);
}
static struct bucket *bucket_more(const struct base *b, const struct demux *d, const struct bucket *k) {
    return k->more == 0 ? NULL : pool_at(b, &d->overflow, k->more - 1);
}

static void bucket_add(struct base *b, struct demux *d, struct bucket *k, uint32_t hash, demux_ref ref) {
    while (k->count == BUCKET_ENTRIES) {
        if (k->more == 0) {
            uint32_t id = pool_alloc(b, &d->overflow);
            BK_ASSERT(id != BK_NONE, "overflow buckets suffice for all entries");
            k->more = id + 1;
        }
        k = bucket_more(b, d, k);
    }
    k->hash[k->count] = hash;
    k->ref[k->count++] = ref;
}

/* Takes every entry out of a chain and puts it where it belongs now. */
static void split_next(struct base *b, struct demux *d) {
    uint32_t from = d->split, to = from + d->round_mask + 1;
    pool_reserve(b, &d->buckets, to + 1);
    struct bucket old = *bucket_home(b, d, from);
    memset(bucket_home(b, d, from), 0, sizeof old);
    if (++d->split > d->round_mask) {
        d->round_mask = d->round_mask << 1 | 1;
        d->split = 0;
    }
    for (;;) {
        for (uint32_t i = 0; i < old.count; i++)
            bucket_add(b, d, bucket_home(b, d, home_of(d, old.hash[i])), old.hash[i], old.ref[i]);
        if (old.more == 0) break;
        uint32_t id = old.more - 1;
        old = *(struct bucket *)pool_at(b, &d->overflow, id);
        pool_free(b, &d->overflow, id);
    }
}

void demux_insert(struct base *b, struct demux *d, uint32_t hash, demux_ref ref) {
    d->entries++;
    if (d->entries > d->buckets.fresh * BUCKET_FILL && d->buckets.fresh < d->buckets.capacity) split_next(b, d);
    bucket_add(b, d, bucket_home(b, d, home_of(d, hash)), hash, ref);
}

/* Where an entry stands. It must. */
static demux_ref *entry_find(struct base *b, struct demux *d, uint32_t hash, demux_ref ref) {
    for (struct bucket *k = bucket_home(b, d, home_of(d, hash)); k != NULL; k = bucket_more(b, d, k))
        for (uint32_t i = 0; i < k->count; i++)
            if (k->ref[i] == ref) return &k->ref[i];
    bk_panic("a record that is in use stands in the connection table", __FILE__, __LINE__);
}

void demux_replace(struct base *b, struct demux *d, uint32_t hash, demux_ref old, demux_ref ref) {
    *entry_find(b, d, hash, old) = ref;
}

void demux_remove(struct base *b, struct demux *d, uint32_t hash, demux_ref ref) {
    demux_ref *hole = entry_find(b, d, hash, ref);
    struct bucket *home = bucket_home(b, d, home_of(d, hash)), *last = home, *before = NULL, *at = NULL;
    /* The chain's last entry fills the hole; an emptied overflow bucket goes back. */
    for (struct bucket *k = home; k != NULL; k = bucket_more(b, d, k)) {
        if (hole >= k->ref && hole < k->ref + BUCKET_ENTRIES) at = k;
        if (k->more != 0) before = k;
        last = k;
    }
    BK_ASSERT(at != NULL, "the entry found stands in its home's chain");
    last->count--;
    uint32_t i = (uint32_t)(hole - at->ref);
    at->hash[i] = last->hash[last->count];
    at->ref[i] = last->ref[last->count];
    if (last->count == 0 && before != NULL) {
        pool_free(b, &d->overflow, before->more - 1);
        before->more = 0;
    }
    d->entries--;
}

void demux_foresee(const struct base *b, const struct demux *d, uint32_t hash) {
    bk_prefetch(bucket_home(b, d, home_of(d, hash)), sizeof(struct bucket));
}

/* demux_next as if there were no homes: through all buckets, by number of home and of entry in its chain. */
static demux_ref demux_next_plain(const struct base *b, const struct demux *d, uint32_t hash, uint64_t *position) {
    for (uint32_t home = (uint32_t)(*position >> 32); home < d->buckets.fresh;
         home++, *position = (uint64_t)home << 32) {
        uint32_t skip = (uint32_t)*position, seen = 0;
        for (const struct bucket *k = bucket_home(b, d, home); k != NULL; k = bucket_more(b, d, k)) {
            for (uint32_t i = 0; i < k->count; i++) {
                if (seen++ < skip || k->hash[i] != hash) continue;
                *position = (uint64_t)home << 32 | seen;
                return k->ref[i];
            }
        }
    }
    return DEMUX_NONE;
}

demux_ref demux_next(const struct base *b, const struct demux *d, uint32_t hash, uint64_t *position) {
    if (!BK_FAST) return demux_next_plain(b, d, hash, position);
    uint32_t skip = (uint32_t)*position;
    uint32_t before = 0; /* entries of the chain's buckets before this one */
    for (const struct bucket *k = bucket_home(b, d, home_of(d, hash)); k != NULL; k = bucket_more(b, d, k)) {
        for (uint32_t i = 0; i < k->count; i++) {
            if (k->hash[i] != hash || before + i < skip) continue;
            *position = before + i + 1;
            return k->ref[i];
        }
        before += k->count;
    }
    return DEMUX_NONE;
}
