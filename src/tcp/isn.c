/* Initial sequence numbers, timestamp offsets, ephemeral ports: see isn.h. */
#include "tcp/isn.h"

#include "base/siphash.h"
#include "tcp/lookup.h"
#include "tcp/small_tuple.h"
#include "tcp/time_wait.h"

#define PORT_BETTER 64u

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

uint16_t isn_port(struct tcp *t, const struct tuple *tuple) {
    uint32_t first = t->base.config.ephemeral_first;
    uint32_t n = t->base.config.ephemeral_last - first + 1u;
    struct tuple probe = *tuple;
    probe.local_port = 0;
    struct isn_hash hash = isn_hash(t, &probe, ISN_PORT);
    uint32_t *counter = &t->port_counter[hash.second % BK_COUNT(t->port_counter)];
    uint32_t at = (hash.first % n + *counter % n) % n;
    uint16_t second_best = 0;
    for (uint32_t i = 0, end = n; i < end; i++, at = at + 1 == n ? 0 : at + 1) {
        ++*counter;
        probe.local_port = (uint16_t)(first + at);
        demux_ref ref = lookup_tuple(t, &probe, demux_hash(&t->base, &probe));
        if (ref == DEMUX_NONE) return probe.local_port;
        if (second_best != 0 || !time_wait_may_reuse(t, ref)) continue;
        second_best = probe.local_port;
        end = u32_min(n, i + PORT_BETTER); /* a free one is worth some steps more, not thousands */
    }
    return second_best;
}
