/* The stack: owns the region and puts the layers together. Each function of beckon/stack.h is here or, about TCP, in
 * stack_tcp.c.
 *
 * The region begins with struct bk_stack, which is struct net, which begins with struct tcp, which begins with
 * struct base; behind it, the trace ring and the pools' slabs in the order in which they were needed.
 */
#include "stack.h"

#include "base/checksum.h"
#include "base/config.h"
#include "base/extent.h"
#include "net/coalesce.h"
#include "tcp/path_cache.h"
#include "tcp/port_map.h"
#include "wire/ip.h"

#define REGION_MAGIC UINT64_C(0x4245434b4f4e3031) /* "BECKON01" */
#define REGION_ALIGN 4096u

#define TEXT_OF(x)            #x
#define VERSION_TEXT(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)
const char *bk_version(void) {
    return VERSION_TEXT(BK_VERSION_MAJOR, BK_VERSION_MINOR, BK_VERSION_PATCH);
}

static uint32_t trace_capacity(const struct bk_config *c) {
    return c->trace_events == 0 ? 0 : u32_power_of_two(c->trace_events);
}

/* ---- the region ------------------------------------------------------------------------------------ */

enum base_pool { BASE_CHUNKS, BASE_CHUNK_REFS, BASE_EXTENTS, BASE_FRAMES, BASE_POOLS };

static void base_pools(struct pool p[BASE_POOLS], const struct bk_config *c) {
    uint32_t chunk_align = u32_min(c->chunk_size, REGION_ALIGN);
    pool_init(&p[BASE_CHUNKS], c->chunk_size, c->chunks, 4, chunk_align, false);
    pool_init(&p[BASE_CHUNK_REFS], sizeof(uint32_t), c->chunks, 16, 4, true);
    pool_init(&p[BASE_EXTENTS], sizeof(struct extent), c->buffer_chunks, 16, 8, false);
    pool_init(&p[BASE_FRAMES], (uint32_t)sizeof(struct frame), c->frames, 4, 64, false);
}

size_t bk_region_size(const struct bk_config *config) {
    if (config_fault(config) != NULL) return 0;
    struct pool pools[BASE_POOLS];
    base_pools(pools, config);
    uint64_t bytes = sizeof(bk_stack) + 8 + (uint64_t)trace_capacity(config) * sizeof(struct bk_event);
    for (uint32_t i = 0; i < BASE_POOLS; i++) bytes += pool_bytes_max(&pools[i]);
    bytes += tcp_bytes_max(config) + net_bytes_max(config);
    bytes = (bytes + REGION_ALIGN - 1) & ~(uint64_t)(REGION_ALIGN - 1);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

uint64_t bk_layout_hash(void) {
    static const uint32_t places[] = {
        BK_VERSION_MAJOR,
        BK_VERSION_MINOR,
        BK_VERSION_PATCH,
        BK_REASON_COUNT,
        sizeof(struct base),
        offsetof(struct base, config),
        offsetof(struct base, chunks),
        offsetof(struct base, reasons),
        sizeof(struct bk_config),
        sizeof(struct pool),
        sizeof(struct frame),
        offsetof(struct frame, header),
        offsetof(struct frame, part),
        sizeof(struct extent),
        sizeof(struct bk_event),
        sizeof(bk_stack),
    };
    const uint32_t order = 0x01020304;
    uint8_t first;
    memcpy(&first, &order, 1);
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ first; /* another byte order is another layout */
    for (uint32_t i = 0; i < BK_COUNT(places); i++) hash = (hash ^ places[i]) * UINT64_C(0x100000001b3);
    return net_layout(tcp_layout(hash));
}

int bk_create(void *region, size_t size, const struct bk_config *config, const uint8_t seed[32], uint64_t now,
              bk_stack **stack, const char **why) {
    const char *fault = config_fault(config);
    if (fault != NULL) {
        if (why != NULL) *why = fault;
        return ERROR_INVAL;
    }
    if ((uintptr_t)region % REGION_ALIGN != 0) return ERROR_FAULT;
    if (size < bk_region_size(config) || bk_region_size(config) == 0) return ERROR_NOMEM;
    bk_stack *s = region;
    memset(s, 0, sizeof *s);
    struct base *b = base_of(s);
    b->magic = REGION_MAGIC;
    b->layout = bk_layout_hash();
    b->size = bk_region_size(config);
    b->used = sizeof *s;
    b->now = now;
    b->checksum_way = checksum_way_best();
    b->config = *config;
    base_seed(b, seed);
    struct pool pools[BASE_POOLS];
    base_pools(pools, config);
    b->chunks = pools[BASE_CHUNKS];
    b->chunk_refs = pools[BASE_CHUNK_REFS];
    b->extents = pools[BASE_EXTENTS];
    b->frames = pools[BASE_FRAMES];
    b->trace.capacity = trace_capacity(config);
    if (b->trace.capacity != 0)
        b->trace.offset = region_take(b, (uint64_t)b->trace.capacity * sizeof(struct bk_event), 8);
    tcp_init(&s->net.tcp);
    net_init(&s->net);
    *stack = s;
    return 0;
}

size_t bk_used_extent(const bk_stack *s) {
    return (size_t)base_of_const(s)->used;
}

int bk_adopt(void *region, size_t size, bk_stack **stack) {
    if ((uintptr_t)region % REGION_ALIGN != 0) return ERROR_FAULT;
    if (size < sizeof(bk_stack)) return ERROR_NOEXEC;
    bk_stack *s = region;
    struct base *b = base_of(s);
    if (b->magic != REGION_MAGIC || b->layout != bk_layout_hash()) return ERROR_NOEXEC;
    if (size < b->size) return ERROR_NOMEM;
    b->checksum_way = checksum_way_best(); /* the copy may have come from another machine */
    *stack = s;
    return 0;
}

void bk_reseed(bk_stack *s, const uint8_t seed[32]) {
    struct base *b = base_of(s);
    /* The connection table's key stays: its entries are placed by it, and the wire never shows it. */
    uint64_t table_key[2] = {b->secret[0], b->secret[1]};
    base_seed(b, seed);
    b->secret[0] = table_key[0];
    b->secret[1] = table_key[1];
}

const struct bk_config *bk_config_of(const bk_stack *s) {
    return &base_of_const(s)->config;
}

/* What keeps a running stack from taking this configuration, or NULL. */
static const char *change_refused(const bk_stack *s, const struct bk_config *config) {
    const struct tcp *t = &s->net.tcp;
    const struct bk_config *old = &t->base.config;
    bool requests = t->requests[0].in_use != 0 || t->requests[1].in_use != 0;
    bool waits = t->time_waits[0].in_use != 0 || t->time_waits[1].in_use != 0;
    /* These records stand in lists that are in the order of their deadlines because all of a list wait equally long. */
    if (waits && config->msl_ms != old->msl_ms) return "msl_ms cannot change while connections are in TIME-WAIT";
    if (requests && (config->rto_initial_ms != old->rto_initial_ms || config->rto_max_ms != old->rto_max_ms ||
                     config->syn_ack_retries != old->syn_ack_retries))
        return "rto_initial_ms, rto_max_ms and syn_ack_retries cannot change while requests wait";
    return NULL;
}

int bk_config_change(bk_stack *s, const struct bk_config *config, const char **why) {
    struct base *b = base_of(s);
    const char *fault = config_fault(config);
    if (fault == NULL && memcmp(config, &b->config, offsetof(struct bk_config, send_buffer)) != 0)
        fault = "the sizes of pools and the steering cannot change";
    const char *busy = fault == NULL ? change_refused(s, config) : NULL;
    if (fault == NULL && busy == NULL) {
        b->config = *config;
        s->net.tcp.path_epoch++; /* how MTUs are found out may be another matter now */
        port_map_reconsider(&s->net.tcp);
        return 0;
    }
    if (why != NULL) *why = fault != NULL ? fault : busy;
    return fault != NULL ? ERROR_INVAL : ERROR_BUSY;
}

/* ---- interfaces ------------------------------------------------------------------------------------ */

int bk_iface_add(bk_stack *s, const struct bk_iface_config *config, uint64_t now) {
    base_now(base_of(s), now);
    return net_iface_add(&s->net, config);
}

int bk_iface_address_add(bk_stack *s, uint32_t iface, const bk_addr *addr, uint8_t prefix_length, bool skip_dad,
                         uint64_t now) {
    base_now(base_of(s), now);
    return net_address_add(&s->net, iface, addr, prefix_length, skip_dad);
}

int bk_iface_mtu_set(bk_stack *s, uint32_t iface, uint32_t mtu, uint64_t now) {
    base_now(base_of(s), now);
    return net_iface_mtu_set(&s->net, iface, mtu);
}

int bk_path_mtu_set(bk_stack *s, const bk_addr *remote, uint32_t mtu, uint64_t now) {
    base_now(base_of(s), now);
    if (bk_addr_is_any(remote) || wire_addr_is_multicast(remote)) return ERROR_INVAL;
    if (mtu != 0 && (mtu < PATH_MTU_MIN || mtu > UINT16_MAX)) return ERROR_INVAL;
    return path_cache_give(&s->net.tcp, remote, mtu);
}

int bk_route_add(bk_stack *s, const bk_addr *addr, uint8_t prefix_length, const bk_addr *gateway, uint32_t iface) {
    return net_route_add(&s->net, addr, prefix_length, gateway, iface);
}

bool bk_iface_address_get(const bk_stack *s, uint32_t index, struct bk_iface_address *out) {
    return net_address_get(&s->net, index, out);
}

/* ---- frames in ------------------------------------------------------------------------------------- */

size_t bk_chunk_alloc(bk_stack *s, uint32_t *chunks, size_t n) {
    struct base *b = base_of(s);
    size_t i = 0;
    while (i < n && (chunks[i] = chunk_alloc(b)) != BK_NONE) i++;
    if (i < n) reason_count(b, BK_REASON_NO_CHUNK);
    return i;
}

void bk_chunk_release(bk_stack *s, const uint32_t *chunks, size_t n) {
    for (size_t i = 0; i < n; i++) chunk_release(base_of(s), chunks[i]);
}

uint8_t *bk_chunk_data(bk_stack *s, uint32_t chunk) {
    return chunk_data(base_of(s), chunk);
}

static bool iface_exists(const bk_stack *s, uint32_t iface) {
    return iface < NET_IFACES && s->net.iface[iface].in_use;
}

void bk_input(bk_stack *s, uint32_t iface, struct bk_rx *frames, size_t n, uint64_t now) {
    struct base *b = base_of(s);
    base_now(b, now);
    if (iface_exists(s, iface)) {
        coalesce_input(&s->net, iface, frames, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        frames[i].reason = BK_REASON_DROP_IFACE;
        reason_count(b, BK_REASON_DROP_IFACE);
        for (uint32_t k = 0; k < frames[i].part_count; k++) chunk_release(b, frames[i].parts[k].chunk);
    }
}

#define COPY_PARTS 64u

uint16_t bk_input_copy(bk_stack *s, uint32_t iface, const void *data, size_t length, uint64_t now) {
    struct base *b = base_of(s);
    struct bk_part parts[COPY_PARTS];
    uint32_t n = 0, chunk_size = u32_min(b->config.chunk_size, UINT16_MAX);
    const uint8_t *from = data;
    while (length != 0 && n < COPY_PARTS) {
        uint32_t chunk = chunk_alloc(b);
        if (chunk == BK_NONE) break;
        uint16_t take = (uint16_t)(length < chunk_size ? length : chunk_size);
        memcpy(chunk_data(b, chunk), from, take);
        parts[n++] = (struct bk_part){chunk, 0, take};
        from += take;
        length -= take;
    }
    if (length != 0) {
        while (n != 0) chunk_release(b, parts[--n].chunk);
        reason_count(b, BK_REASON_NO_CHUNK);
        return BK_REASON_NO_CHUNK;
    }
    struct bk_rx frame = {.parts = parts, .part_count = (uint16_t)n};
    bk_input(s, iface, &frame, 1, now);
    return frame.reason;
}

/* ---- frames out ------------------------------------------------------------------------------------ */

static void output_unit(struct base *b, uint32_t id, struct bk_tx *unit) {
    const struct frame *f = frame_at(b, id);
    reason_count(b, f->reason);
    *unit = (struct bk_tx){
        .id = id,
        .payload_length = f->payload_length,
        .header = f->header + f->start,
        .parts = f->part,
        .header_length = (uint16_t)(f->end - f->start),
        .part_count = f->part_count,
        .gso_size = f->gso_size,
        .ip_offset = (uint16_t)(f->l3 - f->start),
        .l4_offset = (uint16_t)(FRAME_L4 - f->start),
        .reason = f->reason,
        .l4_checksum_partial = f->checksum == FRAME_CHECKSUM_PARTIAL,
        .object = f->object,
    };
}

/* The next frame that TCP wants to leave by this interface, or a reply by whatever interface; BK_NONE if there is none. */
static uint32_t output_ask(struct tcp *t, uint32_t iface) {
    if (t->replies.count != 0) return frame_queue_pop(&t->base, &t->replies);
    return tcp_output_pending(t, iface) ? tcp_output_next(t, iface) : BK_NONE;
}

size_t bk_output(bk_stack *s, uint32_t iface, struct bk_tx *units, size_t n, uint64_t now) {
    struct base *b = base_of(s);
    base_now(b, now);
    if (!iface_exists(s, iface)) return 0;
    size_t i = 0;
    while (i < n) {
        uint32_t id = frame_queue_pop(b, &s->net.iface[iface].ready);
        if (id == BK_NONE) {
            id = output_ask(&s->net.tcp, iface);
            if (id == BK_NONE) break;
            if (!BK_FAST || !net_send_usual(&s->net, id, iface)) {
                net_send(&s->net, id);
                continue;
            }
        }
        output_unit(b, id, &units[i++]);
    }
    return i;
}

bool bk_output_pending(const bk_stack *s, uint32_t iface) {
    return iface_exists(s, iface) && stack_output_pending(s, iface);
}

void bk_output_done(bk_stack *s, const uint32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) frame_free(base_of(s), ids[i]);
}

/* ---- time ------------------------------------------------------------------------------------------ */

uint64_t bk_next_deadline(const bk_stack *s) {
    return u64_min(tcp_next_deadline(&s->net.tcp), net_next_deadline(&s->net));
}

void bk_advance(bk_stack *s, uint64_t now) {
    now = base_now(base_of(s), now);
    if (BK_FAST && stack_quiet(s, now)) return;
    tcp_advance(&s->net.tcp);
    net_advance(&s->net);
}

/* ---- occupancy and counters ------------------------------------------------------------------------ */

static const struct pool *pool_of(const bk_stack *s, enum bk_pool pool) {
    const struct tcp *t = &s->net.tcp;
    switch (pool) {
    case BK_POOL_CONNECTIONS:
        return &t->connections;
    case BK_POOL_ACTIVE:
        return &t->active;
    case BK_POOL_LISTENERS:
        return &t->listeners;
    case BK_POOL_REQUESTS_IPV4:
        return &t->requests[0];
    case BK_POOL_REQUESTS_IPV6:
        return &t->requests[1];
    case BK_POOL_TIME_WAITS_IPV4:
        return &t->time_waits[0];
    case BK_POOL_TIME_WAITS_IPV6:
        return &t->time_waits[1];
    case BK_POOL_DEMUX:
        return &t->demux.buckets;
    case BK_POOL_FRAMES:
        return &t->base.frames;
    case BK_POOL_EXTENTS:
        return &t->base.extents;
    case BK_POOL_CHUNKS:
        return &t->base.chunks;
    case BK_POOL_REASSEMBLIES:
        return &s->net.reassemblies;
    case BK_POOLS:
        break;
    }
    return NULL;
}

void bk_pool_info(const bk_stack *s, enum bk_pool pool, struct bk_pool_info *info) {
    const struct pool *p = pool_of(s, pool);
    *info = (struct bk_pool_info){0};
    if (p == NULL) return;
    *info = (struct bk_pool_info){p->in_use, p->high_water, p->capacity, p->object_size};
    /* Records at rest are free for whoever needs one. */
    if (pool == BK_POOL_ACTIVE) info->in_use -= s->net.tcp.resting.count;
}

const char *bk_congestion_name(enum bk_congestion congestion) {
    static const char *const names[BK_CONGESTIONS] = {"cubic", "reno", "bbr"};
    return (unsigned)congestion < BK_CONGESTIONS ? names[congestion] : "unknown";
}

const char *bk_pool_name(enum bk_pool pool) {
    static const char names[BK_POOLS][20] = {
        "connections",     "active", "listeners", "requests_ipv4", "requests_ipv6", "time_waits_ipv4",
        "time_waits_ipv6", "demux",  "frames",    "extents",       "chunks",        "reassemblies",
    };
    return (uint32_t)pool < BK_POOLS ? names[pool] : "";
}

uint64_t bk_reason_count(const bk_stack *s, uint16_t reason) {
    return reason < BK_REASON_COUNT ? base_of_const(s)->reasons[reason] : 0;
}

void bk_tcp_mib(const bk_stack *s, struct bk_tcp_mib *mib) {
    *mib = s->net.tcp.mib;
}

size_t bk_trace_read(bk_stack *s, struct bk_event *events, size_t n, uint64_t *lost) {
    struct base *b = base_of(s);
    struct trace_ring *r = &b->trace;
    const struct bk_event *ring = (const struct bk_event *)(const void *)((const uint8_t *)s + r->offset);
    size_t i = 0;
    for (; i < n && r->read != r->written; i++) events[i] = ring[r->read++ & (r->capacity - 1)];
    if (lost != NULL) *lost = r->lost;
    r->lost = 0;
    return i;
}
