/* From a 4-tuple to its record: the connection table's candidates, compared in full. Most segments are for a connection for which there were some
 * lately: a few of those are remembered by their ports, and then the tuple tells so without a hash. See lookup.h. */
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

/* Where a connection of these ports stands, if it is one of the latest. */
static struct demux_latest *latest_slot(struct tcp *t, const struct tuple *tuple) {
    return &t->demux.latest[(tuple->local_port ^ tuple->remote_port) % DEMUX_LATEST];
}

static bool latest_has_ports(const struct demux_latest *l, const struct tuple *tuple) {
    return l->local_port == tuple->local_port && l->remote_port == tuple->remote_port && l->ref != DEMUX_NONE;
}

void lookup_note(struct tcp *t, const struct tuple *tuple, demux_ref ref) {
    *latest_slot(t, tuple) = (struct demux_latest){tuple->local_port, tuple->remote_port, ref};
}

void lookup_forget(struct tcp *t, const struct tuple *tuple) {
    struct demux_latest *l = latest_slot(t, tuple);
    if (latest_has_ports(l, tuple)) l->ref = DEMUX_NONE;
}

demux_ref lookup_segment(struct tcp *t, const struct packet *p, const struct tuple *tuple, uint32_t *hash) {
    const struct demux_latest *l = latest_slot(t, tuple);
    const struct connection *c = latest_has_ports(l, tuple) ? connection_at(t, demux_ref_id(l->ref)) : NULL;
    bool known = c != NULL && tuple_equal(&c->tuple, tuple);
    if (BK_FAST && known) {
        *hash = c->hash;
        return l->ref;
    }
    *hash = p->hashed ? p->hash : demux_hash(&t->base, tuple);
    demux_ref ref = lookup_tuple(t, tuple, *hash);
    BK_ASSERT(!known || ref == l->ref, "one of the latest connections is in the table");
    if (ref != DEMUX_NONE && demux_ref_kind(ref) == DEMUX_CONNECTION) lookup_note(t, tuple, ref);
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
