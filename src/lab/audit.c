/* The audit of a whole stack: see audit.h.
 *
 * Things are counted twice: once by walking the pools, once by walking the lists, tables and queues that refer to them; and what the
 * stack itself remembers of these numbers must agree with both.
 */
#include "lab/audit.h"

#include <stdlib.h>

#include "beckon/steer.h"
#include "lab/audit_connection.h"
#include "lab/inside.h"
#include "net/neighbour.h"
#include "net/reassembly.h"
#include "tcp/lookup.h"
#include "tcp/port_map.h"
#include "tcp/request.h"
#include "tcp/time_wait.h"

/* What is being counted up. */
struct audit {
    const struct net *n;
    const struct tcp *t;
    const struct base *b;
    const struct audit_held *held;
    uint32_t *references; /* to each chunk, as found */
    struct fault *fault;
    uint32_t connections, attached, active, resting, sent, sent_shared, current, armed, queued_chunks, extents, frames;
    uint32_t orphans;
    uint32_t in_output, in_ready, starved, accepting; /* connections whose links say that they stand in a list */
    uint64_t earliest;                                /* deadline of anything */
};

/* ---- pools and lists ------------------------------------------------------------------------------- */

/* What follows a free object in its pool's list: that of chunks goes through their words. */
static uint32_t audit_next_free(const struct base *b, const struct pool *p, uint32_t id) {
    uint32_t next;
    memcpy(&next, p == &b->chunks ? chunk_word(b, id) : pool_at(b, p, id), sizeof next);
    return next;
}

static bool audit_pool(const struct base *b, const struct pool *p, const char *name, struct fault *fault) {
    FAULT_UNLESS(p->in_use <= p->fresh && p->fresh <= p->made && p->made <= p->capacity && p->in_use <= p->high_water,
                 "pool %s: %u in use, %u handed out, %u made, %u at most", name, p->in_use, p->fresh, p->made,
                 p->capacity);
    uint32_t free = 0;
    for (uint32_t id = p->free_head; id != BK_NONE; free++) {
        if (p == &b->chunks) id ^= CHUNK_FREE;
        FAULT_UNLESS(id < p->fresh && free < p->fresh, "pool %s: the list of free objects is broken", name);
        id = audit_next_free(b, p, id);
    }
    FAULT_UNLESS(free + p->in_use == p->fresh, "pool %s: %u in use and %u free of %u", name, p->in_use, free, p->fresh);
    return true;
}

static bool audit_pools(struct audit *a) {
    const struct {
        const struct pool *pool;
        const char *name;
    } pools[] = {
        {&a->b->extents, "extents"},
        {&a->b->frames, "frames"},
        {&a->b->chunks, "chunks"},
        {&a->t->connections, "connections"},
        {&a->t->active, "active"},
        {&a->t->sent, "sent"},
        {&a->t->listeners, "listeners"},
        {&a->t->requests[0], "requests IPv4"},
        {&a->t->time_waits[0], "time-waits IPv4"},
        {&a->t->requests[1], "requests IPv6"},
        {&a->t->time_waits[1], "time-waits IPv6"},
        {&a->n->neighbours, "neighbours"},
        {&a->n->reassemblies, "reassemblies"},
    };
    for (size_t i = 0; i < BK_COUNT(pools); i++)
        if (!audit_pool(a->b, pools[i].pool, pools[i].name, a->fault)) return false;
    return true;
}

/* A list is well linked; *count is how many stand in it. */
static bool audit_list(const struct audit *a, const struct pool *p, size_t offset, const struct list *l,
                       const char *name) {
    struct fault *fault = a->fault;
    uint32_t count = 0, before = BK_NONE;
    for (uint32_t id = l->head; id != BK_NONE; count++) {
        FAULT_UNLESS(id < p->fresh && count < p->fresh, "list %s is broken", name);
        const struct link *k = link_at(a->b, p, offset, id);
        FAULT_UNLESS(k->prev == before, "list %s: an object does not know the one before it", name);
        before = id;
        id = k->next;
    }
    FAULT_UNLESS(l->tail == before && l->count == count, "list %s: %u stand in it, and it says %u", name, count,
                 l->count);
    return true;
}

/* ---- frames and chunks ----------------------------------------------------------------------------- */

static bool audit_frame(struct audit *a, uint32_t id) {
    struct fault *fault = a->fault;
    FAULT_UNLESS(id < a->b->frames.fresh, "a queue refers to a frame that was never made");
    const struct frame *f = frame_at(a->b, id);
    FAULT_UNLESS(f->part_count <= FRAME_PARTS, "a frame has %u parts", f->part_count);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < f->part_count; i++) {
        FAULT_UNLESS(f->part[i].chunk < a->b->chunks.fresh, "a frame refers to a chunk that was never made");
        a->references[f->part[i].chunk]++;
        bytes += f->part[i].length;
    }
    FAULT_UNLESS(bytes == f->payload_length, "a frame's parts hold %u bytes, and it says %u", bytes, f->payload_length);
    a->frames++;
    return true;
}

static bool audit_frame_queue(struct audit *a, const struct frame_queue *q, const char *name) {
    struct fault *fault = a->fault;
    uint32_t count = 0;
    for (uint32_t id = q->head; id != BK_NONE; id = frame_at(a->b, id)->next, count++) {
        FAULT_UNLESS(count < a->b->frames.fresh, "queue %s goes in a circle", name);
        if (!audit_frame(a, id)) return false;
    }
    FAULT_UNLESS(q->count == count, "queue %s: %u frames, and it says %u", name, count, q->count);
    return true;
}

static bool audit_frames(struct audit *a) {
    struct fault *fault = a->fault;
    if (!audit_frame_queue(a, &a->t->replies, "replies")) return false;
    for (uint32_t i = 0; i < NET_IFACES; i++)
        if (a->n->iface[i].in_use && !audit_frame_queue(a, &a->n->iface[i].ready, "ready")) return false;
    uint32_t pending = 0;
    const struct list *lists[] = {&a->n->neighbours_known, &a->n->neighbours_incomplete};
    for (size_t l = 0; l < BK_COUNT(lists); l++) {
        if (!audit_list(a, &a->n->neighbours, offsetof(struct neighbour, link), lists[l], "neighbours")) return false;
        for (uint32_t id = lists[l]->head; id != BK_NONE; id = neighbour_at(a->n, id)->link.next) {
            const struct neighbour *e = neighbour_at(a->n, id);
            if (e->timer.deadline < a->earliest) a->earliest = e->timer.deadline;
            pending += e->waiting.count;
            if (!audit_frame_queue(a, &e->waiting, "neighbour")) return false;
            FAULT_UNLESS((e->waiting.count > 0) == (e->state == NEIGHBOUR_INCOMPLETE),
                         "%u frames wait for a neighbour in state %u", e->waiting.count, (unsigned)e->state);
        }
    }
    FAULT_UNLESS(lists[0]->count + lists[1]->count == a->n->neighbours.in_use, "neighbours: %u listed, %u in use",
                 lists[0]->count + lists[1]->count, a->n->neighbours.in_use);
    FAULT_UNLESS(pending == a->n->pending, "%u frames wait for neighbours, and %u are counted", pending, a->n->pending);
    for (uint32_t i = 0; a->held != NULL && i < a->held->frame_count; i++)
        if (!audit_frame(a, a->held->frames[i])) return false;
    FAULT_UNLESS(a->frames == a->b->frames.in_use, "%u frames are somewhere, and %u in use", a->frames,
                 a->b->frames.in_use);
    return true;
}

static bool audit_reassemblies(struct audit *a) {
    struct fault *fault = a->fault;
    uint32_t chunks = 0, listed = 0;
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        const struct list *l = &a->n->reassembly_fifo[ipv6];
        if (!audit_list(a, &a->n->reassemblies, offsetof(struct reassembly, link), l, "reassemblies")) return false;
        for (uint32_t id = l->head; id != BK_NONE;) {
            const struct reassembly *r = pool_at(a->b, &a->n->reassemblies, id);
            for (uint32_t i = 0; i < REASSEMBLY_CHUNKS; i++)
                if (r->chunk[i] != BK_NONE) a->references[r->chunk[i]]++, chunks++;
            if (r->deadline < a->earliest) a->earliest = r->deadline;
            id = r->link.next;
        }
        listed += l->count;
    }
    FAULT_UNLESS(listed == a->n->reassemblies.in_use, "reassemblies: %u listed, %u in use", listed,
                 a->n->reassemblies.in_use);
    FAULT_UNLESS(chunks == a->n->reassembly_chunks, "reassemblies hold %u chunks, and %u are counted", chunks,
                 a->n->reassembly_chunks);
    return true;
}

static bool audit_chunks(struct audit *a) {
    struct fault *fault = a->fault;
    uint32_t in_use = 0;
    for (uint32_t i = 0; a->held != NULL && i < a->held->count; i++) a->references[a->held->chunks[i]]++;
    for (uint32_t id = 0; id < a->b->chunks.fresh; id++) {
        uint32_t has = chunk_references(a->b, id);
        FAULT_UNLESS(has == a->references[id], "chunk %u: %u references, and %u things refer to it", id, has,
                     a->references[id]);
        in_use += has != 0;
    }
    FAULT_UNLESS(in_use == a->b->chunks.in_use, "%u chunks are referred to, and %u in use", in_use,
                 a->b->chunks.in_use);
    FAULT_UNLESS(a->queued_chunks == a->b->buffer_chunks_used, "queues hold %u chunks, and the budget says %u",
                 a->queued_chunks, a->b->buffer_chunks_used);
    FAULT_UNLESS(a->queued_chunks <= a->b->config.buffer_chunks, "queues hold %u chunks, more than the budget",
                 a->queued_chunks);
    FAULT_UNLESS(a->extents == a->b->extents.in_use, "queues hold %u extents, and %u are in use", a->extents,
                 a->b->extents.in_use);
    return true;
}

/* ---- TCP's records --------------------------------------------------------------------------------- */

static bool audit_elsewhere(const struct audit *a, const struct tuple *t) {
    const struct bk_steering *s = &a->b->config.steering;
    return bk_steer(s, &t->remote, t->remote_port, &t->local, t->local_port) != s->index;
}

/* What a map says is taken is taken, or another stack's. */
static bool audit_port_maps(struct audit *a) {
    struct fault *fault = a->fault;
    for (uint32_t id = 0; id < a->t->port_maps.in_use; id++) {
        const struct port_map *m = pool_at(a->b, &a->t->port_maps, id);
        struct tuple tuple = m->destination;
        FAULT_UNLESS(port_map_find(a->t, &tuple) == m, "a map of ports is not found by its destination");
        for (uint32_t port = 1; port <= UINT16_MAX; port++) {
            if (m->taken[port / 64] == 0) port |= 63; /* none of these */
            if (!port_map_taken(m, (uint16_t)port)) continue;
            tuple.local_port = (uint16_t)port;
            if (audit_elsewhere(a, &tuple)) continue;
            FAULT_UNLESS(lookup_tuple(a->t, &tuple, demux_hash(a->b, &tuple)) != DEMUX_NONE,
                         "a map says that port %u is taken, and it is not", port);
        }
    }
    return true;
}

static bool audit_found(struct audit *a, enum demux_kind kind, bool ipv6, uint32_t id, const struct tuple *tuple,
                        uint32_t hash) {
    struct fault *fault = a->fault;
    FAULT_UNLESS(hash == demux_hash(a->b, tuple), "a record's hash is not its tuple's");
    FAULT_UNLESS(lookup_tuple(a->t, tuple, hash) == demux_ref_make(kind, ipv6, id),
                 "the connection table does not lead from a tuple to its record");
    return true;
}

static void audit_queue_chunks(struct audit *a, const struct extent_queue *q) {
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(a->b, id)->next)
        a->references[extent_at(a->b, id)->chunk]++;
    a->extents += q->count;
    a->queued_chunks += q->count;
}

static bool audit_one(struct audit *a, uint32_t id) {
    struct fault *fault = a->fault;
    const struct connection *c = connection_at(a->t, id);
    FAULT_UNLESS(c->self == id, "a connection does not know its own id");
    if (!audit_record(a->t, c, fault)) return false;
    a->connections++;
    a->current += c->state == BK_ESTABLISHED || c->state == BK_CLOSE_WAIT;
    a->armed += c->timer.deadline != BK_NEVER;
    if (c->timer.deadline < a->earliest) a->earliest = c->timer.deadline;
    a->in_output += link_in(&c->output_link);
    bool waits = c->listener != BK_NONE; /* to be accepted: one link is for both */
    a->in_ready += !waits && link_in(&c->ready_link);
    a->starved += link_in(&c->starved_link);
    a->accepting += waits && link_in(&c->accept_link);
    a->orphans += c->orphan;
    FAULT_UNLESS(c->orphan == (!c->owned && !c->detached), "a connection is%s counted as an orphan, against the facts",
                 c->orphan ? "" : " not");
    FAULT_UNLESS(!waits || link_in(&c->accept_link), "a connection and its listener disagree");
    FAULT_UNLESS(waits || !link_in(&c->ready_link) || (c->owned && c->ready != 0), "news for nobody, or none");
    const struct active *active = active_of(a->t, c);
    if (active != NULL) {
        a->active++;
        a->resting += link_in(&active->rest_link);
        a->sent += active->board.records;
        a->sent_shared += active->board.records == 0 ? 0 : active->board.records - 1;
        audit_queue_chunks(a, &active->send);
        audit_queue_chunks(a, &active->receive);
        audit_queue_chunks(a, &active->out_of_order.queue);
    }
    if (c->detached) return true;
    a->attached++;
    return audit_found(a, DEMUX_CONNECTION, connection_is_ipv6(c), id, &c->tuple, c->hash);
}

static bool audit_latest(struct audit *a) {
    struct fault *fault = a->fault;
    for (uint32_t i = 0; i < DEMUX_LATEST; i++) {
        const struct demux_latest *l = &a->t->demux.latest[i];
        if (l->ref == DEMUX_NONE) continue;
        const struct connection *c = connection_at(a->t, demux_ref_id(l->ref));
        FAULT_UNLESS(c->generation != 0 && !c->detached && c->tuple.local_port == l->local_port &&
                         c->tuple.remote_port == l->remote_port,
                     "what is remembered as one of the latest connections is none of those ports");
    }
    return true;
}

static bool audit_connections(struct audit *a) {
    struct fault *fault = a->fault;
    for (uint32_t id = 0; id < a->t->connections.fresh; id++)
        if (connection_at(a->t, id)->generation != 0 && !audit_one(a, id)) return false;
    FAULT_UNLESS(a->connections == a->t->connections.in_use, "%u connections, and %u in use", a->connections,
                 a->t->connections.in_use);
    FAULT_UNLESS(a->active == a->t->active.in_use, "%u active records, and %u in use", a->active, a->t->active.in_use);
    FAULT_UNLESS(a->orphans == a->t->orphans, "%u orphans, and %u are counted", a->orphans, a->t->orphans);
    FAULT_UNLESS(a->resting == a->t->resting.count, "%u active records rest, and the list has %u", a->resting,
                 a->t->resting.count);
    FAULT_UNLESS(a->sent == a->t->sent.in_use && a->sent_shared == a->t->sent_shared,
                 "%u records of what was sent, %u of them shared, and %u and %u are counted", a->sent, a->sent_shared,
                 a->t->sent.in_use, a->t->sent_shared);
    FAULT_UNLESS(a->current == a->t->mib.curr_estab, "%u connections are established, and tcpCurrEstab is %llu",
                 a->current, (unsigned long long)a->t->mib.curr_estab);
    FAULT_UNLESS(a->armed == a->t->wheel.armed, "%u timers are set, and the wheel says %u", a->armed,
                 a->t->wheel.armed);
    return true;
}

static bool audit_listener(struct audit *a, const struct listener *l) {
    struct fault *fault = a->fault;
    if (!audit_list(a, &a->t->connections, CONNECTION_ACCEPT_LINK, &l->accept_queue, "accept queue")) return false;
    FAULT_UNLESS(l->accept_queue.count <= l->backlog, "%u wait to be accepted, more than the backlog",
                 l->accept_queue.count);
    for (uint32_t id = l->accept_queue.head; id != BK_NONE; id = connection_at(a->t, id)->accept_link.next)
        FAULT_UNLESS(connection_at(a->t, id)->listener == l->self,
                     "a connection waits at another listener than it says");
    a->accepting -= l->accept_queue.count;
    return true;
}

static bool audit_lists(struct audit *a) {
    struct fault *fault = a->fault;
    const struct pool *p = &a->t->connections;
    for (uint32_t i = 0; i < TCP_PATHS; i++) {
        const struct list *output = &a->t->path[i].output;
        if (i < NET_IFACES && !a->n->iface[i].in_use) continue;
        if (!audit_list(a, p, CONNECTION_OUTPUT_LINK, output, "output")) return false;
        a->in_output -= output->count;
    }
    if (!audit_list(a, p, CONNECTION_READY_LINK, &a->t->ready, "ready") ||
        !audit_list(a, p, CONNECTION_STARVED_LINK, &a->t->starved, "starved") ||
        !audit_list(a, &a->t->active, ACTIVE_REST_LINK, &a->t->resting, "resting") ||
        !audit_list(a, &a->t->listeners, LISTENER_READY_LINK, &a->t->listener_ready, "listeners ready"))
        return false;
    for (uint32_t id = 0; id < a->t->listeners.fresh; id++)
        if (listener_at(a->t, id)->generation != 0 && !audit_listener(a, listener_at(a->t, id))) return false;
    FAULT_UNLESS(a->t->error_count <= TCP_ERRORS && a->t->error_first < TCP_ERRORS,
                 "more ICMP errors are kept than there is room for");
    FAULT_UNLESS(a->in_output == 0 && a->accepting == 0, "a connection says that it stands in a list, and does not");
    FAULT_UNLESS(a->in_ready == a->t->ready.count && a->starved == a->t->starved.count,
                 "a connection says that it stands in a list, and does not");
    return true;
}

static bool audit_requests(struct audit *a, bool ipv6, uint32_t *count) {
    struct fault *fault = a->fault;
    for (uint32_t level = 0; level < REQUEST_LEVELS; level++) {
        const struct list *l = &a->t->request_fifo[ipv6][level];
        uint64_t before = 0;
        if (!audit_list(a, &a->t->requests[ipv6], offsetof(struct request, link), l, "requests")) return false;
        for (uint32_t id = l->head; id != BK_NONE; id = request_at(a->t, ipv6, id)->link.next) {
            const struct request *r = request_at(a->t, ipv6, id);
            struct tuple tuple = request_tuple(a->t, ipv6, id);
            FAULT_UNLESS(r->level == level && r->sent > level, "a request stands in another list than it should");
            FAULT_UNLESS(r->acked <= r->sent, "a request was acknowledged after a SYN-ACK that has not gone");
            FAULT_UNLESS(r->due >= before, "requests do not stand in the order of their deadlines");
            before = r->due;
            if (r->due < a->earliest) a->earliest = r->due;
            if (!audit_found(a, DEMUX_REQUEST, ipv6, id, &tuple, r->hash)) return false;
        }
        *count += l->count;
    }
    return true;
}

static bool audit_time_waits(struct audit *a, bool ipv6) {
    struct fault *fault = a->fault;
    const struct list *l = &a->t->time_wait_fifo[ipv6];
    uint64_t before = 0;
    if (!audit_list(a, &a->t->time_waits[ipv6], offsetof(struct time_wait, link), l, "TIME-WAITs")) return false;
    for (uint32_t id = l->head; id != BK_NONE; id = time_wait_at(a->t, ipv6, id)->link.next) {
        const struct time_wait *w = time_wait_at(a->t, ipv6, id);
        struct tuple tuple = time_wait_tuple(a->t, ipv6, id);
        FAULT_UNLESS(w->expires >= before, "TIME-WAITs do not stand in the order of their expiry");
        before = w->expires;
        if (w->expires < a->earliest) a->earliest = w->expires;
        if (!audit_found(a, DEMUX_TIME_WAIT, ipv6, id, &tuple, w->hash)) return false;
    }
    FAULT_UNLESS(l->count == a->t->time_waits[ipv6].in_use, "%u TIME-WAITs listed, %u in use", l->count,
                 a->t->time_waits[ipv6].in_use);
    return true;
}

static bool audit_small_records(struct audit *a) {
    struct fault *fault = a->fault;
    uint32_t entries = a->attached;
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        uint32_t requests = 0;
        if (!audit_requests(a, ipv6, &requests) || !audit_time_waits(a, ipv6)) return false;
        FAULT_UNLESS(requests == a->t->requests[ipv6].in_use, "%u requests listed, %u in use", requests,
                     a->t->requests[ipv6].in_use);
        entries += requests + a->t->time_waits[ipv6].in_use;
    }
    FAULT_UNLESS(entries == a->t->demux.entries, "%u records have a tuple, and the table has %u entries", entries,
                 a->t->demux.entries);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static bool audit_all(struct audit *a) {
    struct fault *fault = a->fault;
    if (!audit_pools(a) || !audit_connections(a) || !audit_latest(a) || !audit_lists(a) || !audit_small_records(a) ||
        !audit_port_maps(a) || !audit_frames(a) || !audit_reassemblies(a) || !audit_chunks(a))
        return false;
    uint64_t next = u64_min(tcp_next_deadline(a->t), net_next_deadline(a->n));
    FAULT_UNLESS(next <= a->earliest, "the next deadline is later than something that waits");
    return true;
}

bool audit_stack(const bk_stack *stack, const struct audit_held *held, struct fault *fault) {
    const struct net *n = inside_net(stack);
    uint32_t fresh = n->tcp.base.chunks.fresh, few[64];
    struct audit a = {.n = n, .t = &n->tcp, .b = &n->tcp.base, .held = held, .fault = fault, .earliest = BK_NEVER};
    a.references = fresh <= BK_COUNT(few) ? memset(few, 0, sizeof few) : calloc(fresh, sizeof *a.references);
    if (a.references == NULL) return true; /* no memory to count in */
    bool holds = audit_all(&a);
    if (a.references != few) free(a.references);
    return holds;
}

bool audit_connection(const bk_stack *stack, bk_conn conn, struct fault *fault) {
    const struct tcp *t = &inside_net(stack)->tcp;
    const struct connection *c = connection_of(t, conn);
    return c == NULL || audit_record(t, c, fault);
}

bool audit_empty(const bk_stack *stack, uint32_t listeners, struct fault *fault) {
    for (int pool = 0; pool < BK_POOLS; pool++) {
        struct bk_pool_info info;
        bk_pool_info(stack, (enum bk_pool)pool, &info);
        if (pool == BK_POOL_DEMUX) continue; /* the table keeps its buckets */
        uint32_t expected = pool == BK_POOL_LISTENERS ? listeners : 0;
        FAULT_UNLESS(info.in_use == expected, "pool %s: %u left where %u should be", bk_pool_name((enum bk_pool)pool),
                     info.in_use, expected);
    }
    FAULT_UNLESS(inside_net(stack)->tcp.demux.entries == 0, "the connection table still has entries");
    return true;
}
