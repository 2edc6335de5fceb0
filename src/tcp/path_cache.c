/* The cache of path MTUs: see path_cache.h. A table of chains, as long as the pool, found by a keyed hash of the address. */
#include "tcp/path_cache.h"

#include "base/siphash.h"
#include "tcp/event.h"
#include "tcp/tcp.h"

#define PATH_LINK offsetof(struct path_entry, link)

static struct path_entry *entry_at(const struct tcp *t, uint32_t id) {
    return pool_at(&t->base, &t->paths, id);
}

uint32_t path_cache_buckets(const struct bk_config *config) {
    return u32_power_of_two(config->paths);
}

void path_cache_init(struct tcp *t) {
    list_init(&t->path_fifo);
    t->path_epoch = 1;
    pool_reserve(&t->base, &t->path_buckets, t->path_buckets.capacity);
}

/* Holds 1 + the first entry's id, or 0. */
static uint32_t *bucket_of(const struct tcp *t, const bk_addr *remote) {
    uint64_t hash = siphash13(t->base.secret, remote->byte, sizeof remote->byte);
    return pool_at(&t->base, &t->path_buckets, (uint32_t)hash & (t->path_buckets.capacity - 1));
}

/* Without the table: all are asked. */
static uint32_t find_plain(const struct tcp *t, const bk_addr *remote) {
    for (uint32_t id = 0; id < t->paths.fresh; id++)
        if (entry_at(t, id)->in_use && addr_equal(&entry_at(t, id)->remote, remote)) return id;
    return BK_NONE;
}

static uint32_t find(const struct tcp *t, const bk_addr *remote) {
    if (!BK_FAST) return find_plain(t, remote);
    if (t->paths.in_use == 0) return BK_NONE;
    uint32_t id = *bucket_of(t, remote) - 1;
    while (id != BK_NONE && !addr_equal(&entry_at(t, id)->remote, remote)) id = entry_at(t, id)->next;
    return id;
}

const struct path_entry *path_cache_find(const struct tcp *t, const bk_addr *remote) {
    uint32_t id = find(t, remote);
    return id == BK_NONE ? NULL : entry_at(t, id);
}

static void stop_waiting(struct tcp *t, uint32_t id) {
    if (link_in(&entry_at(t, id)->link)) list_remove(&t->base, &t->paths, PATH_LINK, &t->path_fifo, id);
}

static void forget(struct tcp *t, uint32_t id) {
    struct path_entry *e = entry_at(t, id);
    stop_waiting(t, id);
    uint32_t *bucket = bucket_of(t, &e->remote);
    if (*bucket - 1 == id) {
        *bucket = e->next + 1;
    } else {
        uint32_t before = *bucket - 1;
        while (entry_at(t, before)->next != id) before = entry_at(t, before)->next;
        entry_at(t, before)->next = e->next;
    }
    e->in_use = false;
    pool_free(&t->base, &t->paths, id);
}

/* What was heard is old, or has to make room. */
static void forget_heard(struct tcp *t, uint32_t id, uint16_t note) {
    struct path_entry *e = entry_at(t, id);
    reason_count(&t->base, note);
    t->path_epoch++;
    e->claimed = e->found = 0;
    if (e->given == 0)
        forget(t, id);
    else
        stop_waiting(t, id);
}

/* The entry for this destination, a new one if need be; BK_NONE if there is no room. */
static uint32_t entry_for(struct tcp *t, const bk_addr *remote) {
    uint32_t id = find(t, remote);
    if (id != BK_NONE) return id;
    /* The oldest may be one that was given, too, and stays: then another one goes. */
    while (t->paths.in_use == t->paths.capacity && t->path_fifo.head != BK_NONE)
        forget_heard(t, t->path_fifo.head, BK_REASON_NOTE_PATH_EVICTED);
    id = pool_alloc(&t->base, &t->paths);
    if (id == BK_NONE) return BK_NONE;
    struct path_entry *e = entry_at(t, id);
    uint32_t *bucket = bucket_of(t, remote);
    link_init(&e->link);
    e->remote = *remote;
    e->in_use = true;
    e->next = *bucket - 1;
    *bucket = id + 1;
    return id;
}

/* Heard just now: it lasts as long as all others from here on. */
static void heard(struct tcp *t, uint32_t id) {
    stop_waiting(t, id);
    uint64_t expires = t->base.now + t->base.config.path_mtu_expiry_s * NS_PER_S;
    entry_at(t, id)->expires = expires;
    tcp_due(t, expires);
    list_push_tail(&t->base, &t->paths, PATH_LINK, &t->path_fifo, id);
    t->path_epoch++;
}

int path_cache_give(struct tcp *t, const bk_addr *remote, uint32_t mtu) {
    uint32_t id = mtu != 0 ? entry_for(t, remote) : find(t, remote);
    if (id == BK_NONE) return mtu != 0 ? ERROR_NOSPC : 0;
    struct path_entry *e = entry_at(t, id);
    e->given = (uint16_t)mtu;
    t->path_epoch++;
    if (mtu == 0 && e->claimed == 0 && e->found == 0) forget(t, id);
    return 0;
}

void path_cache_claim(struct tcp *t, const bk_addr *remote, uint32_t mtu) {
    uint32_t id = entry_for(t, remote);
    if (id == BK_NONE) return;
    entry_at(t, id)->claimed = (uint16_t)mtu;
    heard(t, id);
}

void path_cache_found(struct tcp *t, const bk_addr *remote, uint32_t mtu) {
    uint32_t id = entry_for(t, remote);
    if (id == BK_NONE) return;
    entry_at(t, id)->found = (uint16_t)mtu;
    heard(t, id);
}

uint64_t path_cache_next_deadline(const struct tcp *t) {
    return t->path_fifo.head == BK_NONE ? BK_NEVER : entry_at(t, t->path_fifo.head)->expires;
}

void path_cache_advance(struct tcp *t) {
    while (path_cache_next_deadline(t) <= t->base.now) forget_heard(t, t->path_fifo.head, BK_REASON_NOTE_PATH_EXPIRED);
}
