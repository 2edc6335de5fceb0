/* From a 4-tuple to its record: the connection table's candidates, compared in full.
 *
 * A segment is often for the connection that the one before it was for, whose tuple then tells so without a hash. */
#include "tcp/lookup.h"

#include "tcp/connection.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"

struct tuple lookup_tuple_of(const struct tcp *t, demux_ref ref) {
    uint32_t id = demux_ref_id(ref);
    switch (demux_ref_kind(ref)) {
    case DEMUX_REQUEST:
        return request_tuple(t, demux_ref_ipv6(ref), id);
    case DEMUX_TIME_WAIT:
        return time_wait_tuple(t, demux_ref_ipv6(ref), id);
    case DEMUX_CONNECTION:
        break;
    }
    return connection_at(t, id)->tuple;
}

static bool holds(const struct tcp *t, demux_ref ref, const struct tuple *tuple) {
    if (demux_ref_kind(ref) == DEMUX_CONNECTION) return tuple_equal(&connection_at(t, demux_ref_id(ref))->tuple, tuple);
    struct tuple other = lookup_tuple_of(t, ref);
    return tuple_equal(&other, tuple);
}

demux_ref lookup_tuple(const struct tcp *t, const struct tuple *tuple, uint32_t hash) {
    uint64_t position = 0;
    demux_ref ref;
    while ((ref = demux_next(&t->base, &t->demux, hash, &position)) != DEMUX_NONE)
        if (holds(t, ref, tuple)) return ref;
    return DEMUX_NONE;
}

demux_ref lookup_segment(struct tcp *t, const struct tuple *tuple, uint32_t *hash) {
    demux_ref latest = t->demux.latest;
    bool again = latest != DEMUX_NONE && holds(t, latest, tuple);
    if (BK_FAST && again) {
        *hash = connection_at(t, demux_ref_id(latest))->hash;
        return latest;
    }
    *hash = demux_hash(&t->base, tuple);
    demux_ref ref = lookup_tuple(t, tuple, *hash);
    BK_ASSERT(!again || ref == latest, "the connection of the latest segment stands in the table");
    if (ref != DEMUX_NONE && demux_ref_kind(ref) == DEMUX_CONNECTION) t->demux.latest = ref;
    return ref;
}

void lookup_foresee(const struct tcp *t, uint32_t hash) {
    uint64_t position = 0;
    demux_ref ref = demux_next(&t->base, &t->demux, hash, &position);
    if (ref == DEMUX_NONE) return;
    bool ipv6 = demux_ref_ipv6(ref);
    uint32_t id = demux_ref_id(ref);
    switch (demux_ref_kind(ref)) {
    case DEMUX_REQUEST:
        bk_prefetch(request_at(t, ipv6, id), request_size(ipv6));
        return;
    case DEMUX_TIME_WAIT:
        bk_prefetch(time_wait_at(t, ipv6, id), time_wait_size(ipv6));
        return;
    case DEMUX_CONNECTION:
        bk_prefetch(connection_at(t, id), sizeof(struct connection));
        return;
    }
}
