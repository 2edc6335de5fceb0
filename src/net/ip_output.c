/* IP output: from a frame with a layer-4 header to one that a link can send.
 *
 *     net_send -> way (route.c) -> IP header -> next hop's link address (neighbour.c) -> interface's ready queue
 *
 * The headers are written backwards, before FRAME_L4. An IPv4 packet is atomic (RFC 6864): DF set, id 0; so the segments that
 * a unit is cut into need no ids either, unless the user lets routers fragment them (BK_MTU_FRAGMENT). Only an answer whose size a stranger chose (echo) can be longer than the link
 * takes; that one is cut into fragments here.
 *
 * An interface remembers where its last packet went, so that a stream of them to one destination asks neither the routes nor
 * the neighbours' hash table.
 */
#include "net/ip_output.h"

#include "net/neighbour.h"
#include "net/route.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

#define FRAGMENT_HEADER 8u

uint32_t ip_answer_frame(struct net *n) {
    struct base *b = &n->tcp.base;
    uint32_t reserve = b->frames.capacity / 4;
    uint32_t id = b->frames.in_use + reserve < b->frames.capacity ? frame_alloc(b) : BK_NONE;
    if (id == BK_NONE) reason_count(b, BK_REASON_NOTE_REPLY_LOST);
    return id;
}

void ip_drop(struct net *n, uint32_t frame, uint16_t reason) {
    reason_count(&n->tcp.base, reason);
    frame_free(&n->tcp.base, frame);
}

/* What a fragment's header says. */
struct ip_cut {
    uint32_t id;
    uint32_t offset;
    bool more;
};

/* The IP header of a fragment, or (NULL) of a whole packet. */
static void ip_write(const struct net *n, struct frame *f, const struct ip_cut *cut) {
    uint32_t length = f->end - FRAME_L4 + f->payload_length;
    uint8_t hop_limit = f->hop_limit;
    if (addr_is_ipv4(&f->dst)) {
        BK_ASSERT(length + WIRE_IPV4_LENGTH <= UINT16_MAX, "a unit fits in an IPv4 packet");
        f->l3 = FRAME_L4 - WIRE_IPV4_LENGTH;
        struct wire_ipv4 h = {.header_length = WIRE_IPV4_LENGTH,
                              .total_length = (uint16_t)(WIRE_IPV4_LENGTH + length),
                              .id = cut != NULL ? (uint16_t)cut->id : f->ip_id,
                              .fragment_offset = cut != NULL ? (uint16_t)cut->offset : 0,
                              .dont_fragment = cut == NULL && !(f->flags & FRAME_MAY_FRAGMENT),
                              .more_fragments = cut != NULL && cut->more,
                              .traffic_class = f->traffic_class,
                              .ttl = hop_limit != 0 ? hop_limit : net_iface_ttl(&n->iface[f->iface]),
                              .protocol = f->protocol,
                              .src = f->src,
                              .dst = f->dst};
        wire_ipv4_emit(f->header + f->l3, &h);
    } else {
        BK_ASSERT(length <= UINT16_MAX, "a unit fits in an IPv6 packet");
        f->l3 = FRAME_L4 - WIRE_IPV6_LENGTH;
        struct wire_ipv6 h = {.traffic_class = f->traffic_class,
                              .payload_length = (uint16_t)length,
                              .next_header = f->protocol,
                              .hop_limit = hop_limit != 0 ? hop_limit : n->iface[f->iface].hop_limit,
                              .src = f->src,
                              .dst = f->dst};
        wire_ipv6_emit(f->header + f->l3, &h);
    }
    f->start = f->l3;
}

static void ip_write_link(const struct net_iface *i, struct frame *f, const uint8_t *mac) {
    BK_ASSERT(mac != NULL, "on Ethernet a frame leaves for a station or a group");
    struct wire_ethernet link = {.type = addr_is_ipv4(&f->dst) ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6};
    memcpy(link.dst, mac, 6);
    memcpy(link.src, i->config.mac, 6);
    f->start = f->l3 - WIRE_ETHERNET_LENGTH;
    wire_ethernet_emit(f->header + f->start, &link);
}

/* The end of the way: from here bk_output takes it. */
static void ip_ready(struct net *n, uint32_t frame) {
    const struct frame *f = frame_at(&n->tcp.base, frame);
    frame_queue_push(&n->tcp.base, &n->iface[f->iface].ready, frame);
}

void ip_send_link(struct net *n, uint32_t frame, const uint8_t *mac) {
    struct frame *f = frame_at(&n->tcp.base, frame);
    const struct net_iface *i = &n->iface[f->iface];
    if (i->config.layer == BK_LAYER_ETHERNET) ip_write_link(i, f, mac);
    ip_ready(n, frame);
}

void ip_send_direct(struct net *n, uint32_t frame, const uint8_t *mac) {
    struct frame *f = frame_at(&n->tcp.base, frame);
    uint8_t group[6];
    ip_write(n, f, NULL);
    if (mac == NULL) {
        wire_addr_multicast_mac(&f->dst, group);
        f->flags |= FRAME_MULTICAST;
        mac = group;
    }
    ip_send_link(n, frame, mac);
}

/* To the next hop: by way of the neighbour cache where the link has addresses. */
static void ip_hand_over(struct net *n, uint32_t frame, const bk_addr *next_hop) {
    uint32_t iface = frame_at(&n->tcp.base, frame)->iface;
    if (n->iface[iface].config.layer == BK_LAYER_ETHERNET)
        neighbour_send(n, iface, next_hop, frame);
    else
        ip_send_link(n, frame, NULL);
}

/* ---- fragments ---- */

/* Gives frame `to` bytes [offset, offset + length) of frame `from`'s payload, by reference. The number of parts cannot grow. */
static void ip_add_range(struct base *b, struct frame *to, const struct frame *from, uint32_t offset, uint32_t length) {
    for (uint32_t i = 0; i < from->part_count && length != 0; i++) {
        const struct bk_part *part = &from->part[i];
        if (offset >= part->length) {
            offset -= part->length;
            continue;
        }
        uint32_t n = u32_min(length, part->length - offset);
        (void)frame_add_part(b, to, part->chunk, (uint16_t)(part->offset + offset), (uint16_t)n);
        length -= n;
        offset = 0;
    }
}

/* Writes the layer-4 header (first fragment only) and the IPv6 fragment header. */
static void ip_fragment_header(struct frame *to, const struct frame *from, const struct ip_cut *cut) {
    uint8_t *at = to->header + FRAME_L4;
    if (!addr_is_ipv4(&from->dst)) {
        at[0] = from->protocol;
        at[1] = 0;
        put_be16(at + 2, (uint16_t)(cut->offset | cut->more));
        put_be32(at + 4, cut->id);
        at += FRAGMENT_HEADER;
        to->protocol = WIRE_FRAGMENT;
    }
    if (cut->offset == 0) {
        memcpy(at, from->header + FRAME_L4, from->l4_header_length);
        at += from->l4_header_length;
    }
    to->end = (uint16_t)(at - to->header);
    to->l4_header_length = to->end - FRAME_L4;
}

/* Sends a frame, whose checksum is complete, in pieces that the link takes. If the frames for them run out, the rest is
 * not sent, and the receiver gives the datagram up. */
static void ip_fragment(struct net *n, uint32_t id, const bk_addr *next_hop) {
    struct base *b = &n->tcp.base;
    struct frame *f = frame_at(b, id);
    bool ipv4 = addr_is_ipv4(&f->dst);
    uint32_t overhead = ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH + FRAGMENT_HEADER;
    uint32_t room = (n->iface[f->iface].mtu - overhead) & ~7u;
    uint32_t header = f->l4_header_length;
    uint32_t total = header + f->payload_length;
    struct ip_cut cut = {.id = (uint32_t)base_random(b)};
    while (cut.offset < total) {
        uint32_t piece = ip_answer_frame(n);
        if (piece == BK_NONE) break;
        struct frame *to = frame_at(b, piece);
        uint32_t length = u32_min(room, total - cut.offset);
        cut.more = cut.offset + length < total;
        to->src = f->src;
        to->dst = f->dst;
        to->reason = f->reason;
        to->protocol = f->protocol;
        to->iface = f->iface;
        to->hop_limit = f->hop_limit;
        to->traffic_class = f->traffic_class;
        ip_fragment_header(to, f, &cut);
        uint32_t skip = cut.offset == 0 ? header : 0;
        ip_add_range(b, to, f, cut.offset + skip - header, length - skip);
        ip_write(n, to, &cut);
        ip_hand_over(n, piece, next_hop);
        cut.offset += length;
    }
    frame_free(b, id);
}

bool ip_add_packet(struct net *n, struct frame *f, const struct packet *p, uint32_t offset, uint32_t length) {
    uint32_t skip = p->start + offset;
    for (uint32_t i = 0; i < p->part_count && length != 0; i++) {
        const struct bk_part *part = &p->parts[i];
        if (skip >= part->length) {
            skip -= part->length;
            continue;
        }
        uint32_t k = u32_min(length, part->length - skip);
        if (!frame_add_part(&n->tcp.base, f, part->chunk, (uint16_t)(part->offset + skip), (uint16_t)k)) return false;
        length -= k;
        skip = 0;
    }
    return true;
}

/* ---- net_send ---- */

static bool ip_too_long(const struct net_iface *i, const struct frame *f) {
    /* Without gso_size a unit is one packet. TCP keeps to the MTU by itself; what it leaves unfinished cannot be cut here. */
    if (f->gso_size != 0 || f->checksum != FRAME_CHECKSUM_DONE) return false;
    return f->end - f->l3 + f->payload_length > i->mtu;
}

static void ip_send_to(struct net *n, uint32_t id, const bk_addr *next_hop) {
    struct frame *f = frame_at(&n->tcp.base, id);
    struct net_iface *i = &n->iface[f->iface];
    ip_write(n, f, NULL);
    if (ip_too_long(i, f)) {
        ip_fragment(n, id, next_hop);
        return;
    }
    bk_addr dst = f->dst;
    ip_hand_over(n, id, next_hop);
    if (i->config.layer != BK_LAYER_ETHERNET) return;
    i->hint_neighbour = neighbour_find(n, (uint32_t)(i - n->iface), next_hop);
    i->hint_dst = dst;
    i->hint_epoch = i->hint_neighbour == BK_NONE ? 0 : n->epoch;
}

void net_send(struct net *n, uint32_t id) {
    struct frame *f = frame_at(&n->tcp.base, id);
    uint32_t iface = f->iface;
    if (iface != FRAME_ANY_IFACE && iface >= n->iface_count) {
        ip_drop(n, id, BK_REASON_DROP_IFACE);
        return;
    }
    if (f->flags & FRAME_LINK_READY) {
        ip_ready(n, id);
        return;
    }
    if (iface != FRAME_ANY_IFACE && net_hint_holds(n, iface, &f->dst)) {
        ip_write(n, f, NULL);
        if (!ip_too_long(&n->iface[iface], f)) {
            neighbour_output(n, n->iface[iface].hint_neighbour, id);
            return;
        }
    }
    if (iface != FRAME_ANY_IFACE && n->iface[iface].config.layer == BK_LAYER_IP) {
        ip_send_to(n, id, &f->dst); /* such a link has one other end */
        return;
    }
    struct net_way way = {.iface = iface};
    bool found = iface == FRAME_ANY_IFACE ? net_way_find(n, &f->dst, &f->src, &way) == 0
                                          : route_find(n, &f->dst, &way.iface, &way.next_hop);
    if (!found) {
        ip_drop(n, id, BK_REASON_DROP_NO_ROUTE);
        return;
    }
    f->iface = (uint8_t)way.iface;
    ip_send_to(n, id, &way.next_hop);
}

bool net_send_usual(struct net *n, uint32_t id, uint32_t iface) {
    struct frame *f = frame_at(&n->tcp.base, id);
    const struct net_iface *i = &n->iface[iface];
    const uint8_t *mac = NULL;
    if (f->iface != iface) return false;
    if (i->config.layer == BK_LAYER_ETHERNET) {
        mac = net_hint_holds(n, iface, &f->dst) ? neighbour_usual(n, i->hint_neighbour) : NULL;
        if (mac == NULL) return false;
    }
    ip_write(n, f, NULL);
    if (ip_too_long(i, f)) return false;
    if (mac != NULL) ip_write_link(i, f, mac);
    return true;
}
