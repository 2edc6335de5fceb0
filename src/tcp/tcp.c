/* TCP's part of the region: pools, lists, time. See tcp.h. */
#include "tcp/tcp.h"

#include "tcp/budget.h"
#include "tcp/path_cache.h"
#include "tcp/port_map.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"
#include "tcp/timeouts.h"

static uint32_t records_max(const struct bk_config *c) {
    return c->connections + c->requests_ipv4 + c->requests_ipv6 + c->time_waits_ipv4 + c->time_waits_ipv6;
}

static void tcp_pools(struct tcp *t) {
    const struct bk_config *c = &t->base.config;
    pool_init(&t->connections, sizeof(struct connection), c->connections, 2, 64, true);
    uint32_t active = c->active_connections != 0 ? c->active_connections : c->connections;
    pool_init(&t->active, sizeof(struct active), active, 2, 8, false);
    pool_init(&t->sent, sizeof(struct sent_run), active + c->sent_records, 2, 8, true);
    pool_init(&t->listeners, sizeof(struct listener), c->listeners, 1, 8, true);
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        pool_init(&t->requests[ipv6], request_size(ipv6), ipv6 ? c->requests_ipv6 : c->requests_ipv4, 2, 64, true);
        pool_init(&t->time_waits[ipv6], time_wait_size(ipv6), ipv6 ? c->time_waits_ipv6 : c->time_waits_ipv4, 2, 64,
                  false);
    }
    uint32_t buckets = path_cache_buckets(c);
    pool_init(&t->paths, sizeof(struct path_entry), c->paths, 2, 8, true);
    pool_init(&t->path_buckets, sizeof(uint32_t), buckets, buckets, 4, true);
    pool_init(&t->port_maps, sizeof(struct port_map), c->port_maps, 1, 64, false);
    demux_init(&t->base, &t->demux, records_max(c));
}

uint64_t tcp_bytes_max(const struct bk_config *config) {
    /* Pools know their sizes once initialized; a context outside any region does for that. */
    struct tcp t;
    memset(&t, 0, offsetof(struct tcp, wheel));
    t.base.config = *config;
    tcp_pools(&t);
    uint64_t bytes = pool_bytes_max(&t.connections) + pool_bytes_max(&t.active) + pool_bytes_max(&t.listeners) +
                     pool_bytes_max(&t.sent) + pool_bytes_max(&t.paths) + pool_bytes_max(&t.path_buckets) +
                     pool_bytes_max(&t.port_maps) + demux_bytes_max(&t.demux);
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
        bytes += pool_bytes_max(&t.requests[ipv6]) + pool_bytes_max(&t.time_waits[ipv6]);
    return bytes;
}

void tcp_init(struct tcp *t) {
    tcp_pools(t);
    t->sent_shared = 0;
    wheel_init(&t->wheel, t->base.now);
    t->quiet = BK_NEVER;
    list_init(&t->ready);
    list_init(&t->listener_ready);
    for (uint32_t i = 0; i < BK_COUNT(t->waits); i++) list_init(&t->waits[i]);
    t->waiting = t->aside = 0;
    list_init(&t->resting);
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        for (uint32_t level = 0; level < REQUEST_LEVELS; level++) list_init(&t->request_fifo[ipv6][level]);
        list_init(&t->time_wait_fifo[ipv6]);
    }
    for (uint32_t i = 0; i < TCP_PATHS; i++) list_init(&t->path[i].output);
    for (uint32_t i = 0; i < LISTENER_BUCKETS; i++) t->listener_bucket[i] = BK_NONE;
    path_cache_init(t);
    frame_queue_init(&t->replies);
    t->cookie_until = 0;
    t->orphans = t->pad = 0;
    for (uint32_t i = 0; i < BK_COUNT(t->port_counter); i++) t->port_counter[i] = (uint32_t)base_random(&t->base);
    memset(t->port_tag, 0, sizeof t->port_tag);
    t->port_searches = t->port_looks = 0;
}

#define MIX(hash, value)             (((hash) ^ (uint64_t)(value)) * UINT64_C(0x100000001b3))
#define MIX_FIELD(hash, type, field) MIX(MIX(hash, offsetof(type, field)), sizeof(((type *)0)->field))

uint64_t tcp_layout(uint64_t hash) {
    hash = MIX(hash, sizeof(struct tcp));
    hash = MIX(hash, sizeof(struct connection));
    hash = MIX(hash, sizeof(struct active));
    hash = MIX(hash, sizeof(struct listener));
    hash = MIX(hash, sizeof(struct sent_run));
    hash = MIX(hash, sizeof(struct port_map));
    hash = MIX_FIELD(hash, struct active, board);
    hash = MIX_FIELD(hash, struct active, recovery);
    hash = MIX(hash, request_size(false));
    hash = MIX(hash, request_size(true));
    hash = MIX(hash, time_wait_size(false));
    hash = MIX(hash, time_wait_size(true));
    hash = MIX_FIELD(hash, struct tcp, demux);
    hash = MIX_FIELD(hash, struct tcp, wheel);
    hash = MIX_FIELD(hash, struct tcp, path);
    hash = MIX_FIELD(hash, struct connection, timer);
    hash = MIX_FIELD(hash, struct connection, tuple);
    hash = MIX_FIELD(hash, struct connection, iss);
    hash = MIX_FIELD(hash, struct connection, mss);
    hash = MIX_FIELD(hash, struct connection, cwnd);
    hash = MIX_FIELD(hash, struct connection, rtx_due);
    hash = MIX_FIELD(hash, struct connection, bytes_acked);
    hash = MIX_FIELD(hash, struct request, iss);
    hash = MIX_FIELD(hash, struct time_wait, rcv_nxt);
    return hash;
}

static uint64_t lists_next_deadline(const struct tcp *t) {
    uint64_t next = u64_min(request_next_deadline(t), path_cache_next_deadline(t));
    return u64_min(next, u64_min(time_wait_next_deadline(t), budget_next_deadline(t)));
}

uint64_t tcp_next_deadline(const struct tcp *t) {
    /* The wheel's functions take a mutable context; looking changes nothing. */
    struct wheel_of wheel = connection_wheel((struct tcp *)(uintptr_t)t);
    return u64_min(wheel_next(&wheel), lists_next_deadline(t));
}

void tcp_advance(struct tcp *t) {
    struct wheel_of wheel = connection_wheel(t);
    uint32_t id;
    while ((id = wheel_expire(&wheel, t->base.now)) != BK_NONE) timeouts_fire(t, connection_at(t, id));
    bool early = t->quiet > t->base.now;
    if (BK_FAST && early) return;
    request_advance(t);
    time_wait_advance(t);
    path_cache_advance(t);
    budget_advance(t);
    if (!early) t->quiet = lists_next_deadline(t);
}
