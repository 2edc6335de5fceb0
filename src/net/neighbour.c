/* The neighbour cache.
 *
 * One cache serves ARP and neighbour discovery: both find the link-layer address of a next hop, and both have to notice
 * when a neighbour is gone (RFC 1122 2.3.2.1, RFC 4861 7.3). The states are RFC 4861's:
 *
 *     INCOMPLETE   asked for; the newest packets wait (RFC 4861 7.2.2); given up after three requests
 *     REACHABLE    known to answer, until reachable_until
 *     STALE        known, but not of late: used all the same, which leads to
 *     DELAY        five seconds for an upper layer to confirm, before
 *     PROBE        three unicast solicitations, then the entry is dropped
 *
 * The end of REACHABLE needs no timer: it is noticed when the entry is next used.
 *
 * Entries are made for hops that we send to, and for nodes that ask for our address or advertise themselves as router.
 * At the capacity, the one of the eight least recently used ones that is STALE makes room; else the oldest INCOMPLETE one; else
 * there is none, and the packet is dropped. So strangers can push out what is idle, never what is in use. How many
 * frames wait for resolution is bounded too, for each neighbour and for all, lest a flood to absent neighbours hold every frame that there is.
 */
#include "net/neighbour.h"

#include "base/siphash.h"
#include "net/address.h"
#include "net/ip_output.h"
#include "net/nd.h"
#include "net/route.h"
#include "wire/ip.h"

#define MULTICAST_SOLICITS 3u /* MAX_MULTICAST_SOLICIT */
#define UNICAST_SOLICITS   3u /* MAX_UNICAST_SOLICIT */
#define DELAY_FIRST_PROBE  (5 * NS_PER_S)
#define EVICTION_DEPTH     8u
#define WAITING_MOST       64u /* frames for one neighbour: the SYNs of a client that opens many connections at once */

#define NEIGHBOUR_LINK offsetof(struct neighbour, link)

static struct wheel_of neighbour_wheel(const struct net *n) {
    struct net *m = (struct net *)(uintptr_t)n; /* looking at the wheel does not change it */
    return (struct wheel_of){&m->tcp.base, &m->wheel, &m->neighbours, offsetof(struct neighbour, timer)};
}

static void neighbour_arm(struct net *n, uint32_t id, uint64_t deadline) {
    struct wheel_of wheel = neighbour_wheel(n);
    wheel_arm(&wheel, id, deadline);
}

void neighbour_init(struct net *n) {
    wheel_init(&n->wheel, n->tcp.base.now);
    list_init(&n->neighbours_known);
    list_init(&n->neighbours_incomplete);
    pool_reserve(&n->tcp.base, &n->neighbour_buckets, n->neighbour_buckets.capacity);
}

static uint32_t *neighbour_bucket(const struct net *n, uint32_t iface, const bk_addr *addr) {
    uint8_t key[17];
    memcpy(key, addr->byte, 16);
    key[16] = (uint8_t)iface;
    uint64_t hash = siphash13(n->tcp.base.secret, key, sizeof key);
    /* The capacity is a power of two. */
    return pool_at(&n->tcp.base, &n->neighbour_buckets, (uint32_t)hash & (n->neighbour_buckets.capacity - 1));
}

/* neighbour_find without hash: all of them are asked. */
static uint32_t neighbour_find_plain(const struct net *n, uint32_t iface, const bk_addr *addr) {
    for (uint32_t id = 0; id < n->neighbours.fresh; id++) {
        const struct neighbour *e = neighbour_at(n, id);
        if (e->state != NEIGHBOUR_FREE && e->iface == iface && addr_equal(&e->addr, addr)) return id;
    }
    return BK_NONE;
}

uint32_t neighbour_find(const struct net *n, uint32_t iface, const bk_addr *addr) {
    if (!BK_FAST) return neighbour_find_plain(n, iface, addr);
    if (n->neighbours.in_use == 0) return BK_NONE;
    uint32_t id = *neighbour_bucket(n, iface, addr) - 1; /* an empty bucket holds 0, and BK_NONE is -1 */
    while (id != BK_NONE) {
        const struct neighbour *e = neighbour_at(n, id);
        if (e->iface == iface && addr_equal(&e->addr, addr)) return id;
        id = e->next;
    }
    return BK_NONE;
}

static struct list *neighbour_list(struct net *n, const struct neighbour *e) {
    return e->state == NEIGHBOUR_INCOMPLETE ? &n->neighbours_incomplete : &n->neighbours_known;
}

/* The frame that has waited longest is dropped. */
static void neighbour_drop_oldest(struct net *n, struct neighbour *e, uint16_t reason) {
    ip_drop(n, frame_queue_pop(&n->tcp.base, &e->waiting), reason);
    n->pending--;
}

static void neighbour_drop_waiting(struct net *n, struct neighbour *e, uint16_t reason) {
    while (e->waiting.count > 0) neighbour_drop_oldest(n, e, reason);
}

static void neighbour_remove(struct net *n, uint32_t id) {
    struct neighbour *e = neighbour_at(n, id);
    neighbour_drop_waiting(n, e, BK_REASON_DROP_NO_NEIGHBOUR);
    struct wheel_of wheel = neighbour_wheel(n);
    wheel_remove(&wheel, id);
    list_remove(&n->tcp.base, &n->neighbours, NEIGHBOUR_LINK, neighbour_list(n, e), id);
    uint32_t *bucket = neighbour_bucket(n, e->iface, &e->addr);
    if (*bucket - 1 == id) {
        *bucket = e->next + 1;
    } else {
        uint32_t before = *bucket - 1;
        while (neighbour_at(n, before)->next != id) before = neighbour_at(n, before)->next;
        neighbour_at(n, before)->next = e->next;
    }
    e->state = NEIGHBOUR_FREE;
    pool_free(&n->tcp.base, &n->neighbours, id);
    net_changed(n);
}

/* A question without an answer yet is forgotten, for want of room. */
static void neighbour_abandon(struct net *n, uint32_t id) {
    neighbour_drop_waiting(n, neighbour_at(n, id), BK_REASON_DROP_UNRESOLVED);
    neighbour_remove(n, id);
}

/* Makes room for one more entry, if that can be. */
static void neighbour_evict(struct net *n) {
    uint32_t id = n->neighbours_known.head;
    for (uint32_t i = 0; i < EVICTION_DEPTH && id != BK_NONE; i++) {
        const struct neighbour *e = neighbour_at(n, id);
        bool expired = e->state == NEIGHBOUR_REACHABLE && e->reachable_until <= n->tcp.base.now;
        if (e->state == NEIGHBOUR_STALE || expired) {
            neighbour_remove(n, id);
            return;
        }
        id = e->link.next;
    }
    if (n->neighbours_incomplete.head != BK_NONE) neighbour_abandon(n, n->neighbours_incomplete.head);
}

/* A new entry, with no address resolved and in no state yet: the caller gives it one. */
static uint32_t neighbour_new(struct net *n, uint32_t iface, const bk_addr *addr) {
    if (n->neighbours.in_use == n->neighbours.capacity) neighbour_evict(n);
    uint32_t id = pool_alloc(&n->tcp.base, &n->neighbours);
    if (id == BK_NONE) return BK_NONE;
    struct neighbour *e = neighbour_at(n, id);
    timer_init(&e->timer);
    e->addr = *addr;
    e->iface = (uint8_t)iface;
    frame_queue_init(&e->waiting);
    uint32_t *bucket = neighbour_bucket(n, iface, addr);
    e->next = *bucket - 1;
    *bucket = id + 1;
    return id;
}

/* Changes the state, and with it the list and the timer. */
static void neighbour_set_state(struct net *n, uint32_t id, enum neighbour_state state) {
    struct neighbour *e = neighbour_at(n, id);
    struct base *b = &n->tcp.base;
    const struct net_iface *i = &n->iface[e->iface];
    uint64_t deadline = BK_NEVER;
    if (e->state != NEIGHBOUR_FREE) list_remove(b, &n->neighbours, NEIGHBOUR_LINK, neighbour_list(n, e), id);
    e->state = (uint8_t)state;
    list_push_tail(b, &n->neighbours, NEIGHBOUR_LINK, neighbour_list(n, e), id);
    e->probes = 0;
    if (state == NEIGHBOUR_REACHABLE) {
        e->reachable_until = b->now + i->reachable_ms * NS_PER_MS;
        route_trust(n, e->iface, &e->addr);
    }
    if (state == NEIGHBOUR_DELAY) deadline = b->now + DELAY_FIRST_PROBE;
    if (state == NEIGHBOUR_INCOMPLETE || state == NEIGHBOUR_PROBE) deadline = b->now + i->retrans_ms * NS_PER_MS;
    neighbour_arm(n, id, deadline);
}

/* Asks for the neighbour: all the link while INCOMPLETE, itself alone in PROBE. The source is that of the packet that
 * has waited longest, if it is one of ours (RFC 4861 7.2.2). Whether the question leaves or not, it counts: the timer asks again. */
static void neighbour_solicit(struct net *n, uint32_t id) {
    struct neighbour *e = neighbour_at(n, id);
    bk_addr src = {{0}};
    bool have = false;
    if (e->waiting.count > 0) {
        src = frame_at(&n->tcp.base, e->waiting.head)->src;
        have = n->iface[e->iface].config.accept_any || address_is_ours(n, e->iface, &src);
    }
    if (!have) have = address_select(n, e->iface, &e->addr, &src);
    e->probes++;
    if (!have) return;
    const uint8_t *mac = e->state == NEIGHBOUR_PROBE ? e->mac : NULL;
    if (addr_is_ipv4(&e->addr))
        arp_request(n, e->iface, &src, &e->addr, mac);
    else
        nd_solicit(n, e->iface, &src, &e->addr, mac);
}

/* ---- sending ---- */

/* The new frame replaces the oldest one where no more may wait for this neighbour (RFC 4861 7.2.2). Where no more may wait for all of them, too; or, if
 * it is the first one for this neighbour, the oldest question is forgotten, which is another neighbour's: this one stands last. */
static void neighbour_hold(struct net *n, struct neighbour *e, uint32_t frame) {
    bool full = n->pending >= u32_max(1, n->tcp.base.config.frames / 4);
    if (e->waiting.count == WAITING_MOST || (full && e->waiting.count > 0))
        neighbour_drop_oldest(n, e, BK_REASON_DROP_UNRESOLVED);
    else if (full)
        neighbour_abandon(n, n->neighbours_incomplete.head);
    frame_queue_push(&n->tcp.base, &e->waiting, frame);
    n->pending++;
}

void neighbour_output(struct net *n, uint32_t id, uint32_t frame) {
    struct neighbour *e = neighbour_at(n, id);
    if (e->state == NEIGHBOUR_INCOMPLETE) {
        neighbour_hold(n, e, frame);
        return;
    }
    if (e->state == NEIGHBOUR_REACHABLE && e->reachable_until <= n->tcp.base.now) e->state = NEIGHBOUR_STALE;
    if (e->state == NEIGHBOUR_STALE) {
        neighbour_set_state(n, id, NEIGHBOUR_DELAY);
    } else if (!BK_FAST || n->neighbours_known.tail != id) {
        list_move_tail(&n->tcp.base, &n->neighbours, NEIGHBOUR_LINK, &n->neighbours_known, id);
    }
    ip_send_link(n, frame, e->mac);
}

const uint8_t *neighbour_usual(const struct net *n, uint32_t id) {
    const struct neighbour *e = neighbour_at(n, id);
    if (n->neighbours_known.tail != id || e->state == NEIGHBOUR_STALE) return NULL;
    return e->state == NEIGHBOUR_REACHABLE && e->reachable_until <= n->tcp.base.now ? NULL : e->mac;
}

void neighbour_send(struct net *n, uint32_t iface, const bk_addr *next_hop, uint32_t frame) {
    uint32_t id = neighbour_find(n, iface, next_hop);
    if (id != BK_NONE) {
        neighbour_output(n, id, frame);
        return;
    }
    id = neighbour_new(n, iface, next_hop);
    if (id == BK_NONE) {
        ip_drop(n, frame, BK_REASON_DROP_NO_NEIGHBOUR);
        return;
    }
    neighbour_set_state(n, id, NEIGHBOUR_INCOMPLETE);
    neighbour_hold(n, neighbour_at(n, id), frame);
    neighbour_solicit(n, id);
}

/* ---- what neighbours say ---- */

/* The address is resolved: what waited for it leaves. */
static void neighbour_resolved(struct net *n, uint32_t id, const uint8_t mac[6], enum neighbour_state state) {
    struct neighbour *e = neighbour_at(n, id);
    struct frame_queue waiting = e->waiting;
    memcpy(e->mac, mac, 6);
    frame_queue_init(&e->waiting);
    n->pending -= waiting.count;
    neighbour_set_state(n, id, state);
    net_changed(n); /* among equal routes, those whose gateway is known come first */
    for (uint32_t frame; (frame = frame_queue_pop(&n->tcp.base, &waiting)) != BK_NONE;) neighbour_output(n, id, frame);
}

void neighbour_heard(struct net *n, uint32_t iface, const bk_addr *addr, const uint8_t mac[6]) {
    uint32_t id = neighbour_find(n, iface, addr);
    if (id == BK_NONE) {
        id = neighbour_new(n, iface, addr);
        if (id == BK_NONE) return;
    } else if (neighbour_at(n, id)->state != NEIGHBOUR_INCOMPLETE && memcmp(neighbour_at(n, id)->mac, mac, 6) == 0) {
        return; /* nothing new: a question is no proof that it hears us */
    }
    neighbour_resolved(n, id, mac, NEIGHBOUR_STALE);
}

bool neighbour_advertised(struct net *n, uint32_t iface, const bk_addr *addr, const struct neighbour_news *news) {
    uint32_t id = neighbour_find(n, iface, addr);
    if (id == BK_NONE) return false;
    struct neighbour *e = neighbour_at(n, id);
    if (e->state == NEIGHBOUR_INCOMPLETE) {
        if (news->mac == NULL) return false;
        e->router = news->router;
        neighbour_resolved(n, id, news->mac, news->solicited ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
        return true;
    }
    bool differs = news->mac != NULL && memcmp(e->mac, news->mac, 6) != 0;
    if (differs && !news->override) {
        if (e->state == NEIGHBOUR_REACHABLE) neighbour_set_state(n, id, NEIGHBOUR_STALE);
        return true;
    }
    if (differs) memcpy(e->mac, news->mac, 6);
    if (news->solicited)
        neighbour_set_state(n, id, NEIGHBOUR_REACHABLE);
    else if (differs)
        neighbour_set_state(n, id, NEIGHBOUR_STALE);
    if (e->router && !news->router && !addr_is_ipv4(addr)) /* it is a router no longer */
        (void)route_learn_router(n, iface, addr, n->tcp.base.now);
    e->router = news->router;
    return true;
}

void neighbour_confirm(struct net *n, uint32_t id) {
    const struct neighbour *e = neighbour_at(n, id);
    if (e->state == NEIGHBOUR_INCOMPLETE) return;
    /* Once in half the time is enough, and keeps this cheap for every ACK. */
    uint64_t half = n->iface[e->iface].reachable_ms * NS_PER_MS / 2;
    if (e->state == NEIGHBOUR_REACHABLE && e->reachable_until > n->tcp.base.now + half) return;
    neighbour_set_state(n, id, NEIGHBOUR_REACHABLE);
}

/* ---- time ---- */

static void tell_tcp(struct net *n, const struct tuple *tuple, uint32_t seq) {
    struct tcp_icmp what = {.kind = TCP_ICMP_SOFT, .error = ERROR_HOSTUNREACH};
    (void)tcp_icmp_error(&n->tcp, &what, tuple, seq);
}

/* Resolution failed. What waits is dropped, and each TCP connection of which something waits hears that the host is unreachable (RFC 4861 7.2.2),
 * as it would if a router said so. The entry is gone by then: what a connection does next asks anew. */
static void neighbour_fail(struct net *n, uint32_t id) {
    struct neighbour *e = neighbour_at(n, id);
    struct frame_queue waiting = e->waiting;
    frame_queue_init(&e->waiting);
    n->pending -= waiting.count;
    route_suspect(n, e->iface, &e->addr);
    neighbour_remove(n, id);
    for (uint32_t frame; (frame = frame_queue_pop(&n->tcp.base, &waiting)) != BK_NONE;) {
        const struct frame *f = frame_at(&n->tcp.base, frame);
        bool tcp = f->protocol == WIRE_TCP;
        bk_addr src = f->src, dst = f->dst;
        uint8_t ports_and_seq[8];
        memcpy(ports_and_seq, f->header + FRAME_L4, sizeof ports_and_seq);
        ip_drop(n, frame, BK_REASON_DROP_NO_NEIGHBOUR);
        if (tcp)
            tell_tcp(n, &(struct tuple){src, dst, get_be16(ports_and_seq), get_be16(ports_and_seq + 2)},
                     get_be32(ports_and_seq + 4));
    }
}

static void neighbour_due(struct net *n, uint32_t id) {
    struct neighbour *e = neighbour_at(n, id);
    if (e->state == NEIGHBOUR_DELAY) {
        neighbour_set_state(n, id, NEIGHBOUR_PROBE);
    } else if (e->probes >= (e->state == NEIGHBOUR_PROBE ? UNICAST_SOLICITS : MULTICAST_SOLICITS)) {
        neighbour_fail(n, id);
        return;
    } else {
        neighbour_arm(n, id, n->tcp.base.now + n->iface[e->iface].retrans_ms * NS_PER_MS);
    }
    neighbour_solicit(n, id);
}

uint64_t neighbour_next_deadline(const struct net *n) {
    struct wheel_of wheel = neighbour_wheel(n);
    return wheel_next(&wheel);
}

void neighbour_advance(struct net *n) {
    struct wheel_of wheel = neighbour_wheel(n);
    uint32_t id;
    while ((id = wheel_expire(&wheel, n->tcp.base.now)) != BK_NONE) neighbour_due(n, id);
}
