/* Reassembly of IPv4 (RFC 791 3.2) and IPv6 (RFC 8200 4.5) fragments.
 *
 * The bytes of a datagram are copied to chunks of its own: chunk k holds the k-th part of its payload, behind room for an
 * IP header in the first. So no fragment, however small, holds a chunk that it arrived in, and what a datagram can hold is
 * known: REASSEMBLY_CHUNKS chunks. What is there is kept as runs without a gap; a datagram in more than
 * REASSEMBLY_RUNS of them is not believed.
 *
 * Bounds: so many datagrams (config.reassemblies), and an eighth of all chunks. At a bound the oldest datagram makes
 * room. A datagram is given up after 30 s (IPv4) or 60 s (IPv6), and when fragments overlap (RFC 5722, for IPv4 too) or
 * contradict each other; it then stays listed without its bytes, so that its later fragments are dropped as well. A
 * fragment that only repeats bytes that are there is a duplicate, and harmless.
 *
 * The finished datagram is delivered as a packet whose parts are these chunks, under a plain IP header in which an ICMP
 * error can quote it.
 */
#include "net/reassembly.h"

#include "net/ip_output.h"
#include "wire/ip.h"

#define HEADER_ROOM     40u /* for the IP header, in the first chunk */
#define LIFETIME_IPV4   (30 * NS_PER_S)
#define LIFETIME_IPV6   (60 * NS_PER_S)
#define REASSEMBLY_LINK offsetof(struct reassembly, link)

static struct reassembly *reassembly_at(const struct net *n, uint32_t id) {
    return pool_at(&n->tcp.base, &n->reassemblies, id);
}
static bool reassembly_is_ipv4(const struct reassembly *r) {
    return addr_is_ipv4(&r->src);
}
static struct list *reassembly_list(struct net *n, const struct reassembly *r) {
    return &n->reassembly_fifo[!reassembly_is_ipv4(r)];
}

static void reassembly_release(struct net *n, struct reassembly *r) {
    for (uint32_t i = 0; i < REASSEMBLY_CHUNKS; i++) {
        if (r->chunk[i] == BK_NONE) continue;
        chunk_release(&n->tcp.base, r->chunk[i]);
        n->reassembly_chunks--;
        r->chunk[i] = BK_NONE;
    }
}

static void reassembly_free(struct net *n, uint32_t id) {
    struct reassembly *r = reassembly_at(n, id);
    reassembly_release(n, r);
    list_remove(&n->tcp.base, &n->reassemblies, REASSEMBLY_LINK, reassembly_list(n, r), id);
    pool_free(&n->tcp.base, &n->reassemblies, id);
}

/* Forgets the bytes, keeps the name. */
static uint16_t reassembly_give_up(struct net *n, struct reassembly *r, uint16_t reason) {
    reassembly_release(n, r);
    r->given_up = true;
    return reason;
}

static uint32_t reassembly_find(const struct net *n, const struct packet *p, const struct fragment *f) {
    uint32_t id = n->reassembly_fifo[p->family == 6].head;
    while (id != BK_NONE) {
        const struct reassembly *r = reassembly_at(n, id);
        bool same = r->id == f->id && r->iface == p->iface && (p->family == 6 || r->protocol == f->protocol);
        if (same && addr_equal(&r->src, &p->src) && addr_equal(&r->dst, &p->dst)) return id;
        id = r->link.next;
    }
    return BK_NONE;
}

/* Frees the datagram that expires first, other than `keep`; false if there is none. */
static bool reassembly_evict(struct net *n, uint32_t keep) {
    uint32_t oldest = BK_NONE;
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t id = n->reassembly_fifo[k].head;
        if (id != BK_NONE && id == keep) id = reassembly_at(n, id)->link.next;
        if (id == BK_NONE) continue;
        if (oldest == BK_NONE || reassembly_at(n, id)->deadline < reassembly_at(n, oldest)->deadline) oldest = id;
    }
    if (oldest == BK_NONE) return false;
    reason_count(&n->tcp.base, BK_REASON_DROP_FRAGMENT_LIMIT);
    reassembly_free(n, oldest);
    return true;
}

static uint32_t reassembly_new(struct net *n, const struct packet *p, const struct fragment *f) {
    struct base *b = &n->tcp.base;
    if (n->reassemblies.in_use == n->reassemblies.capacity && !reassembly_evict(n, BK_NONE)) return BK_NONE;
    uint32_t id = pool_alloc(b, &n->reassemblies);
    if (id == BK_NONE) return BK_NONE;
    struct reassembly *r = reassembly_at(n, id);
    r->src = p->src;
    r->dst = p->dst;
    r->id = f->id;
    r->protocol = f->protocol;
    r->iface = p->iface;
    r->hop_limit = p->hop_limit;
    r->deadline = b->now + (p->family == 4 ? LIFETIME_IPV4 : LIFETIME_IPV6);
    for (uint32_t i = 0; i < REASSEMBLY_CHUNKS; i++) r->chunk[i] = BK_NONE;
    list_push_tail(b, &n->reassemblies, REASSEMBLY_LINK, reassembly_list(n, r), id);
    return id;
}

/* ---- bytes ---- */

/* Bytes used of a chunk: a part's length has 16 bits. */
static uint32_t reassembly_chunk_size(const struct net *n) {
    return u32_min(n->tcp.base.config.chunk_size, 32768);
}

/* Chunks that all datagrams may hold together: an eighth, but enough for one small datagram. */
static uint32_t reassembly_chunks_max(const struct net *n) {
    const struct bk_config *c = &n->tcp.base.config;
    uint32_t least = (1500 + HEADER_ROOM + c->chunk_size - 1) / c->chunk_size;
    return u32_max(c->chunks / 8, u32_min(least, c->chunks / 2));
}

/* Makes sure that chunk number k is there. */
static bool reassembly_chunk(struct net *n, uint32_t id, uint32_t k) {
    struct reassembly *r = reassembly_at(n, id);
    if (k >= REASSEMBLY_CHUNKS) return false;
    if (r->chunk[k] != BK_NONE) return true;
    while (n->reassembly_chunks >= reassembly_chunks_max(n))
        if (!reassembly_evict(n, id)) return false;
    r->chunk[k] = chunk_alloc(&n->tcp.base);
    if (r->chunk[k] == BK_NONE) return false;
    n->reassembly_chunks++;
    return true;
}

/* Where byte `offset` of the payload lies, and how many bytes follow it in its chunk. */
static uint8_t *reassembly_byte(const struct net *n, const struct reassembly *r, uint32_t offset, uint32_t *room) {
    uint32_t size = reassembly_chunk_size(n), at = HEADER_ROOM + offset;
    *room = size - at % size;
    return chunk_data(&n->tcp.base, r->chunk[at / size]) + at % size;
}

static bool reassembly_copy(struct net *n, uint32_t id, const struct packet *p, uint32_t offset) {
    struct reassembly *r = reassembly_at(n, id);
    uint32_t size = reassembly_chunk_size(n);
    for (uint32_t k = (HEADER_ROOM + offset) / size; k <= (HEADER_ROOM + offset + p->length - 1) / size; k++)
        if (!reassembly_chunk(n, id, k)) return false;
    for (uint32_t done = 0, room; done < p->length; done += room) {
        uint8_t *to = reassembly_byte(n, r, offset + done, &room);
        room = u32_min(room, p->length - done);
        packet_copy(&n->tcp.base, p, done, room, to);
    }
    return true;
}

/* Whether the packet's bytes are those that are there at `offset` already. */
static bool reassembly_repeats(const struct net *n, const struct reassembly *r, const struct packet *p,
                               uint32_t offset) {
    uint8_t scratch[256];
    for (uint32_t done = 0, room; done < p->length; done += room) {
        const uint8_t *there = reassembly_byte(n, r, offset + done, &room);
        room = u32_min(u32_min(room, sizeof scratch), p->length - done);
        packet_copy(&n->tcp.base, p, done, room, scratch);
        if (memcmp(there, scratch, room) != 0) return false;
    }
    return true;
}

/* ---- runs ---- */

enum place { PLACE_NEW, PLACE_DUPLICATE, PLACE_OVERLAP, PLACE_LIMIT };

/* How [begin, end) stands to the runs; *at is where it belongs among them. */
static enum place reassembly_place(const struct reassembly *r, uint32_t begin, uint32_t end, uint32_t *at) {
    uint32_t i = 0;
    while (i < r->run_count && r->run[i].end < begin) i++;
    *at = i;
    bool touches = false;
    for (; i < r->run_count && r->run[i].begin <= end; i++) {
        const struct reassembly_run *run = &r->run[i];
        if (run->begin <= begin && end <= run->end) return PLACE_DUPLICATE;
        if (run->begin < end && begin < run->end) return PLACE_OVERLAP;
        touches = true;
    }
    return !touches && r->run_count == REASSEMBLY_RUNS ? PLACE_LIMIT : PLACE_NEW;
}

/* Adds [begin, end), which overlaps no run, at its place; joins it with the runs that it touches. */
static void reassembly_insert(struct reassembly *r, uint32_t begin, uint32_t end, uint32_t at) {
    uint32_t joined = 0;
    while (at + joined < r->run_count && r->run[at + joined].begin <= end) {
        begin = u32_min(begin, r->run[at + joined].begin);
        end = u32_max(end, r->run[at + joined].end);
        joined++;
    }
    memmove(&r->run[at + 1], &r->run[at + joined], (r->run_count - at - joined) * sizeof r->run[0]);
    r->run[at] = (struct reassembly_run){(uint16_t)begin, (uint16_t)end};
    r->run_count = (uint8_t)(r->run_count + 1 - joined);
}

/* ---- the whole ---- */

/* What ECN says of a datagram some fragments of which met congestion (RFC 3168 5.3). */
static uint8_t reassembly_traffic_class(const struct reassembly *r) {
    bool congestion = r->ecn_seen >> 3 & 1, incapable = r->ecn_seen & 1;
    return congestion && !incapable ? r->traffic_class | 3 : r->traffic_class;
}

/* Writes an IP header before the payload and returns its length. */
static uint32_t reassembly_header(const struct net *n, const struct reassembly *r) {
    uint8_t *first = chunk_data(&n->tcp.base, r->chunk[0]) + HEADER_ROOM;
    uint8_t traffic_class = reassembly_traffic_class(r);
    if (reassembly_is_ipv4(r)) {
        struct wire_ipv4 h = {.header_length = WIRE_IPV4_LENGTH,
                              .total_length = (uint16_t)(WIRE_IPV4_LENGTH + r->total),
                              .id = (uint16_t)r->id,
                              .traffic_class = traffic_class,
                              .ttl = r->hop_limit,
                              .protocol = r->protocol,
                              .src = r->src,
                              .dst = r->dst};
        wire_ipv4_emit(first - WIRE_IPV4_LENGTH, &h);
        return WIRE_IPV4_LENGTH;
    }
    struct wire_ipv6 h = {.traffic_class = traffic_class,
                          .payload_length = r->total,
                          .next_header = r->protocol,
                          .hop_limit = r->hop_limit,
                          .src = r->src,
                          .dst = r->dst};
    wire_ipv6_emit(first - WIRE_IPV6_LENGTH, &h);
    return WIRE_IPV6_LENGTH;
}

static uint16_t reassembly_deliver(struct net *n, const struct packet *p, uint32_t id) {
    struct reassembly *r = reassembly_at(n, id);
    struct bk_part parts[REASSEMBLY_CHUNKS];
    uint32_t size = reassembly_chunk_size(n);
    uint32_t header = reassembly_header(n, r);
    uint32_t left = HEADER_ROOM + r->total, count = 0;
    for (; left != 0; count++) {
        uint32_t length = u32_min(left, size);
        parts[count] = (struct bk_part){r->chunk[count], 0, (uint16_t)length};
        left -= length;
    }
    parts[0].offset = (uint16_t)(HEADER_ROOM - header);
    parts[0].length -= parts[0].offset;

    struct packet whole = *p;
    whole.parts = parts;
    whole.part_count = (uint16_t)count;
    whole.gso_size = 0;
    whole.rx_flags = 0;
    whole.protocol = r->protocol;
    whole.hop_limit = r->hop_limit;
    whole.traffic_class = reassembly_traffic_class(r);
    whole.link_broadcast = r->link_broadcast;
    whole.start = header;
    whole.length = r->total;
    whole.ip_start = 0;
    whole.ip_length = header + r->total;
    whole.owned = 0; /* the reassembly gives its chunks up itself */
    uint16_t reason = net_deliver(n, &whole, true);
    reassembly_free(n, id);
    return reason;
}

/* Notes what the fragment says about the whole; false if it contradicts what is known. */
static bool reassembly_note(struct reassembly *r, const struct packet *p, const struct fragment *f) {
    uint32_t end = f->offset + p->length;
    uint32_t reach = r->run_count != 0 ? r->run[r->run_count - 1].end : 0;
    if (r->last ? end > r->total || (!f->more && end != r->total) : !f->more && end < reach) return false;
    if (!f->more) {
        r->last = true;
        r->total = (uint16_t)end;
    }
    if (f->offset == 0) {
        r->protocol = f->protocol;
        r->hop_limit = p->hop_limit;
        r->traffic_class = p->traffic_class;
    }
    r->ecn_seen |= (uint8_t)(1u << (p->traffic_class & 3));
    r->link_broadcast |= p->link_broadcast;
    return true;
}

uint16_t reassembly_input(struct net *n, struct packet *p, const struct fragment *f) {
    uint32_t id = reassembly_find(n, p, f), at;
    if (id == BK_NONE) id = reassembly_new(n, p, f);
    if (id == BK_NONE) return BK_REASON_DROP_FRAGMENT_LIMIT;
    struct reassembly *r = reassembly_at(n, id);
    if (r->given_up) return BK_REASON_DROP_FRAGMENT_OVERLAP;
    if (!reassembly_note(r, p, f)) return reassembly_give_up(n, r, BK_REASON_DROP_FRAGMENT_BAD);
    switch (reassembly_place(r, f->offset, f->offset + p->length, &at)) {
    case PLACE_DUPLICATE:
        if (reassembly_repeats(n, r, p, f->offset)) return BK_REASON_ACCEPT_FRAGMENT;
        return reassembly_give_up(n, r, BK_REASON_DROP_FRAGMENT_OVERLAP);
    case PLACE_OVERLAP:
        return reassembly_give_up(n, r, BK_REASON_DROP_FRAGMENT_OVERLAP);
    case PLACE_LIMIT:
        return reassembly_give_up(n, r, BK_REASON_DROP_FRAGMENT_LIMIT);
    case PLACE_NEW:
        break;
    }
    if (!reassembly_copy(n, id, p, f->offset)) return reassembly_give_up(n, r, BK_REASON_DROP_FRAGMENT_LIMIT);
    reassembly_insert(r, f->offset, f->offset + p->length, at);
    bool complete = r->last && r->run_count == 1 && r->run[0].begin == 0 && r->run[0].end == r->total;
    return complete ? reassembly_deliver(n, p, id) : BK_REASON_ACCEPT_FRAGMENT;
}

/* ---- time ---- */

uint64_t reassembly_next_deadline(const struct net *n) {
    uint64_t next = BK_NEVER;
    for (uint32_t k = 0; k < 2; k++)
        if (n->reassembly_fifo[k].head != BK_NONE)
            next = u64_min(next, reassembly_at(n, n->reassembly_fifo[k].head)->deadline);
    return next;
}

void reassembly_advance(struct net *n) {
    for (uint32_t k = 0; k < 2; k++) {
        struct list *fifo = &n->reassembly_fifo[k];
        while (fifo->head != BK_NONE && reassembly_at(n, fifo->head)->deadline <= n->tcp.base.now)
            reassembly_free(n, fifo->head);
    }
}
