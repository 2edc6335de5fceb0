/* Maps of taken ports: see port_map.h. They are few; a tag each, side by side, tells which may be the one. */
#include "tcp/port_map.h"

static struct port_map *map_at(const struct tcp *t, uint32_t id) {
    return pool_at(&t->base, &t->port_maps, id);
}

/* By the connection table's key, which a stack keeps for ever. */
static uint32_t tag_of(const struct tcp *t, const struct tuple *destination) {
    return demux_hash(&t->base, destination);
}

struct port_map *port_map_find(const struct tcp *t, const struct tuple *destination) {
    uint32_t tag = BK_FAST && t->port_maps.in_use != 0 ? tag_of(t, destination) : 0;
    for (uint32_t id = 0; id < t->port_maps.in_use; id++) {
        if (BK_FAST && t->port_tag[id] != tag) continue;
        if (tuple_equal(&map_at(t, id)->destination, destination)) return map_at(t, id);
    }
    return NULL;
}

struct port_map *port_map_make(struct tcp *t, const struct tuple *destination) {
    uint32_t id = pool_alloc(&t->base, &t->port_maps);
    if (id == BK_NONE) {
        if (t->port_maps.capacity == 0) return NULL;
        id = 0;
        for (uint32_t other = 1; other < t->port_maps.in_use; other++)
            if (map_at(t, other)->asked < map_at(t, id)->asked) id = other;
    }
    struct port_map *m = map_at(t, id);
    memset(m, 0, sizeof *m);
    m->destination = *destination;
    t->port_tag[id] = tag_of(t, destination);
    return m;
}

static uint32_t run_plain(const struct port_map *m, uint16_t first, uint16_t last) {
    uint32_t port = first;
    while (port <= last && port_map_taken(m, (uint16_t)port)) port++;
    return port - first;
}

uint32_t port_map_run(const struct port_map *m, uint16_t first, uint16_t last) {
    if (!BK_FAST) return run_plain(m, first, last);
    uint32_t word = first / 64, all = last - first + 1u;
    uint64_t gaps = ~m->taken[word] & UINT64_MAX << first % 64;
    while (gaps == 0 && word < last / 64) gaps = ~m->taken[++word];
    if (gaps == 0) return all;
    return u32_min(word * 64 + (uint32_t)__builtin_ctzll(gaps) - first, all);
}

void port_map_clear(struct tcp *t, const struct tuple *tuple) {
    struct tuple destination = *tuple;
    destination.local_port = 0;
    struct port_map *m = port_map_find(t, &destination);
    if (m != NULL) m->taken[tuple->local_port / 64] &= ~(UINT64_C(1) << tuple->local_port % 64);
}

void port_map_reconsider(struct tcp *t) {
    for (uint32_t id = 0; id < t->port_maps.in_use; id++) map_at(t, id)->no_reuse_before = 0;
}
