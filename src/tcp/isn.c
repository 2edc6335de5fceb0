/* Initial sequence numbers, timestamp offsets, ephemeral ports: see isn.h. */
#include "tcp/isn.h"

#include "base/siphash.h"
#include "tcp/lookup.h"
#include "tcp/time_wait.h"

#define PORT_BETTER 64u

enum isn_purpose { ISN_SEQUENCE, ISN_TIMESTAMP, ISN_PORT_START, ISN_PORT_COUNTER };

/* F(): a keyed hash of the tuple, independent for each purpose. */
static uint64_t isn_hash(const struct tcp *t, const struct tuple *tuple, enum isn_purpose purpose) {
    uint8_t message[sizeof *tuple + 1];
    memcpy(message, tuple, sizeof *tuple);
    message[sizeof *tuple] = (uint8_t)purpose;
    return siphash24(&t->base.secret[2], message, sizeof message);
}

uint32_t isn_make(const struct tcp *t, const struct tuple *tuple) {
    return (uint32_t)(t->base.now / (4 * NS_PER_US)) + (uint32_t)isn_hash(t, tuple, ISN_SEQUENCE);
}

uint32_t isn_timestamp_offset(const struct tcp *t, const struct tuple *tuple) {
    return (uint32_t)isn_hash(t, tuple, ISN_TIMESTAMP);
}

uint16_t isn_port(struct tcp *t, const struct tuple *tuple) {
    uint32_t first = t->base.config.ephemeral_first;
    uint32_t n = t->base.config.ephemeral_last - first + 1u;
    struct tuple probe = *tuple;
    probe.local_port = 0;
    uint32_t offset = (uint32_t)isn_hash(t, &probe, ISN_PORT_START);
    uint32_t *counter = &t->port_counter[isn_hash(t, &probe, ISN_PORT_COUNTER) % BK_COUNT(t->port_counter)];
    uint32_t at = (offset % n + *counter % n) % n;
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
