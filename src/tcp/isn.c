/* Initial sequence numbers, timestamp offsets, ephemeral ports: see isn.h. */
#include "tcp/isn.h"

#include "base/siphash.h"
#include "base/steer.h"
#include "tcp/lookup.h"
#include "tcp/port_map.h"
#include "tcp/small_tuple.h"
#include "tcp/time_wait.h"

#define PORT_MAP_WORTH 4u /* taken ports met in one search, that are worth a map */

enum isn_purpose { ISN_CONNECTION, ISN_PORT };

/* F(): a keyed hash of the tuple, independent for each purpose. Its two halves are independent as well, so one pass gives a
 * connection's sequence number and timestamp offset, and one a port's start and counter. */
struct isn_hash {
    uint32_t first, second;
};

static struct isn_hash isn_hash(const struct tcp *t, const struct tuple *tuple, enum isn_purpose purpose) {
    bool ipv6 = !addr_is_ipv4(&tuple->local);
    uint32_t n = small_tuple_bytes(ipv6);
    uint8_t message[SMALL_TUPLE_IPV6 + 1];
    small_tuple_put(message, ipv6, tuple);
    message[n] = (uint8_t)purpose;
    uint64_t hash = siphash24(&t->base.secret[2], message, n + 1);
    return (struct isn_hash){(uint32_t)hash, (uint32_t)(hash >> 32)};
}

struct isn isn_make(const struct tcp *t, const struct tuple *tuple) {
    struct isn_hash hash = isn_hash(t, tuple, ISN_CONNECTION);
    return (struct isn){(uint32_t)(t->base.now / (4 * NS_PER_US)) + hash.first, hash.second};
}

/* A search for a port: the range, where in it the search begins, and how far the destination's counter has come. */
struct port_search {
    struct tuple tuple;
    uint16_t first, last;
    uint32_t count, start;
    uint32_t *counter;
    struct port_map *map;     /* NULL: none */
    struct steer_ports ports; /* of a group: which are this stack's */
    bool group;
};

static struct port_search search_begin(struct tcp *t, const struct tuple *tuple) {
    struct port_search s = {.tuple = *tuple, t->base.config.ephemeral_first, t->base.config.ephemeral_last};
    s.tuple.local_port = 0;
    s.count = s.last - s.first + 1u;
    struct isn_hash hash = isn_hash(t, &s.tuple, ISN_PORT);
    s.counter = &t->port_counter[hash.second % BK_COUNT(t->port_counter)];
    s.start = (hash.first % s.count + *s.counter % s.count) % s.count;
    s.map = port_map_find(t, &s.tuple);
    s.group = steer_group(&t->base.config.steering);
    if (s.group)
        steer_ports_make(&s.ports, &t->base.config.steering, &tuple->remote, tuple->remote_port, &tuple->local);
    t->port_searches++;
    if (s.map != NULL) s.map->asked = t->port_searches;
    return s;
}

/* Whether what the peer answers to this port would come to this stack. */
static bool search_own(const struct port_search *s, uint16_t port) {
    return !s->group || steer_ports_own(&s->ports, port);
}

static demux_ref search_look(struct tcp *t, struct port_search *s, uint16_t port) {
    t->port_looks++;
    s->tuple.local_port = port;
    return lookup_tuple(t, &s->tuple, demux_hash(&t->base, &s->tuple));
}

/* The i-th port in the order of the search. */
static uint16_t search_port(const struct port_search *s, uint32_t i) {
    uint32_t at = s->start + i;
    return (uint16_t)(s->first + (at < s->count ? at : at - s->count));
}

/* What was met is taken; a map remembers it, from the first time that a search meets many. */
static void search_met(struct tcp *t, struct port_search *s, uint16_t port, uint32_t met) {
    if (s->map == NULL && met == PORT_MAP_WORTH) {
        struct tuple destination = s->tuple;
        destination.local_port = 0;
        s->map = port_map_make(t, &destination);
        if (s->map != NULL) s->map->asked = t->port_searches;
    }
    if (s->map != NULL) port_map_take(s->map, port);
}

/* How many ports from the i-th on, which is `port`, are known to be taken. */
static uint32_t search_known(struct tcp *t, struct port_search *s, uint32_t i, uint16_t port) {
    if (s->map == NULL) return 0;
    uint32_t n = u32_min(port_map_run(s->map, port, s->last), s->count - i);
    for (uint32_t k = 0; k < n && !BK_FAST; k++) {
        s->tuple.local_port = (uint16_t)(port + k);
        BK_ASSERT(!search_own(s, s->tuple.local_port) ||
                      lookup_tuple(t, &s->tuple, demux_hash(&t->base, &s->tuple)) != DEMUX_NONE,
                  "what a map says is taken is taken");
    }
    return n;
}

static uint16_t search_free(struct tcp *t, struct port_search *s) {
    uint32_t met = 0, known;
    for (uint32_t i = 0; i < s->count; i += known) {
        uint16_t port = search_port(s, i);
        known = search_known(t, s, i, port);
        *s->counter += u32_max(known, 1);
        if (known != 0) continue;
        known = 1;
        if (!search_own(s, port)) {
            if (s->map != NULL) port_map_take(s->map, port);
            continue;
        }
        if (search_look(t, s, port) == DEMUX_NONE) return port;
        search_met(t, s, port, ++met);
    }
    return 0;
}

/* All are taken. What enters TIME-WAIT from now on cannot be taken over within TIME_WAIT_REUSE_NS, so when nothing is found it is known
 * from when on it is worth looking again. */
static uint16_t search_reuse(struct tcp *t, struct port_search *s) {
    bool futile = s->map != NULL && t->base.now < s->map->no_reuse_before;
    if (BK_FAST && futile) return 0;
    uint64_t looks = t->port_looks;
    uint64_t soonest = t->base.now + TIME_WAIT_REUSE_NS;
    for (uint32_t i = 0; i < s->count; i++) {
        uint16_t port = search_port(s, i);
        if (!search_own(s, port)) continue;
        uint64_t from = time_wait_reusable_from(t, search_look(t, s, port));
        soonest = u64_min(soonest, from);
        if (from > t->base.now) continue;
        BK_ASSERT(!futile, "no TIME-WAIT can be taken over earlier than was seen");
        *s->counter += i + 1;
        return port;
    }
    if (s->map != NULL && !futile) s->map->no_reuse_before = soonest;
    if (futile) t->port_looks = looks; /* those of the plain build are no part of the search */
    return 0;
}

uint16_t isn_port(struct tcp *t, const struct tuple *tuple) {
    struct port_search s = search_begin(t, tuple);
    uint16_t port = search_free(t, &s);
    return port != 0 ? port : search_reuse(t, &s);
}
