/* Neighbour discovery messages (RFC 4861): what is checked of those that arrive, and how ours are built.
 *
 * Every message must come with hop limit 255, so that no router can have forwarded it (7.1), whole in one packet (RFC
 * 6980), with code 0; a solicitation from the unspecified address belongs to duplicate address detection and must come to
 * the target's group without a link-layer address. The cache does the rest (neighbour.c).
 *
 * The answer to a solicitation that tells its sender's link-layer address goes there without asking the cache: so
 * answering strangers neither fills it nor sets probes going.
 */
#include "net/nd.h"

#include "base/checksum.h"
#include "net/address.h"
#include "net/autoconf.h"
#include "net/ip_output.h"
#include "net/neighbour.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define ND_HOP_LIMIT 255u

static const bk_addr all_nodes = {{0xff, 2, [15] = 1}};
static const bk_addr all_routers = {{0xff, 2, [15] = 2}};

void nd_checksum(struct frame *f, uint32_t skip) {
    uint8_t *message = f->header + FRAME_L4 + skip;
    uint32_t length = f->end - FRAME_L4 - skip;
    put_be16(message + 2, 0);
    uint64_t sum = checksum_pseudo(&f->src, &f->dst, WIRE_ICMPV6, length);
    put_be16(message + 2, checksum_finish(checksum_add(sum, message, length)));
}

/* A frame for one message; NULL (counted) if there is none. */
static struct frame *nd_frame(struct net *n, uint32_t iface, const bk_addr *src, const bk_addr *dst, uint16_t reason,
                              uint32_t *id) {
    struct base *b = &n->tcp.base;
    *id = frame_alloc_reply(b);
    if (*id == BK_NONE) return NULL;
    struct frame *f = frame_at(b, *id);
    f->src = *src;
    f->dst = *dst;
    f->protocol = WIRE_ICMPV6;
    f->hop_limit = ND_HOP_LIMIT;
    f->iface = (uint8_t)iface;
    f->reason = reason;
    return f;
}

/* mac NULL: dst is a group. */
static void nd_send_neighbor(struct net *n, uint32_t id, uint8_t type, const struct wire_neighbor *m,
                             const uint8_t *mac) {
    struct frame *f = frame_at(&n->tcp.base, id);
    f->end = (uint16_t)(FRAME_L4 + wire_neighbor_emit(f->header + FRAME_L4, type, m));
    f->l4_header_length = f->end - FRAME_L4;
    nd_checksum(f, 0);
    ip_send_direct(n, id, mac);
}

void nd_solicit(struct net *n, uint32_t iface, const bk_addr *src, const bk_addr *target, const uint8_t *mac) {
    bk_addr group = wire_addr_solicited_node(target);
    uint16_t reason = mac != NULL ? BK_REASON_SEND_NEIGHBOR_PROBE : BK_REASON_SEND_NEIGHBOR_SOLICITATION;
    uint32_t id;
    if (nd_frame(n, iface, src, mac != NULL ? target : &group, reason, &id) == NULL) return;
    struct wire_neighbor m = {.target = *target, .has_mac = true};
    memcpy(m.mac, n->iface[iface].config.mac, 6);
    nd_send_neighbor(n, id, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m, mac);
}

void nd_solicit_duplicate(struct net *n, const struct net_address *a) {
    bk_addr unspecified = {{0}};
    bk_addr group = wire_addr_solicited_node(&a->addr);
    uint32_t id;
    if (nd_frame(n, a->iface, &unspecified, &group, BK_REASON_SEND_DAD, &id) == NULL) return;
    struct wire_neighbor m = {.target = a->addr, .has_nonce = true};
    memcpy(m.nonce, a->nonce, sizeof m.nonce);
    nd_send_neighbor(n, id, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m, NULL);
}

void nd_solicit_routers(struct net *n, uint32_t iface, const bk_addr *src) {
    uint32_t id;
    struct frame *f = nd_frame(n, iface, src, &all_routers, BK_REASON_SEND_ROUTER_SOLICITATION, &id);
    if (f == NULL) return;
    static const uint8_t none[6] = {0};
    bool ethernet = n->iface[iface].config.layer == BK_LAYER_ETHERNET;
    f->end = (uint16_t)(FRAME_L4 + wire_rs_emit(f->header + FRAME_L4, ethernet ? n->iface[iface].config.mac : none));
    f->l4_header_length = f->end - FRAME_L4;
    nd_checksum(f, 0);
    ip_send_direct(n, id, NULL);
}

/* Answers a solicitation for one of our addresses (RFC 4861 7.2.4); to all nodes if the sender has no address. */
static void nd_advertise(struct net *n, const struct packet *p, const struct wire_neighbor *asked) {
    bool anonymous = bk_addr_is_any(&p->src);
    uint32_t id;
    struct frame *f = nd_frame(n, p->iface, &asked->target, anonymous ? &all_nodes : &p->src,
                               BK_REASON_SEND_NEIGHBOR_ADVERTISEMENT, &id);
    if (f == NULL) return;
    struct wire_neighbor m = {.target = asked->target, .solicited = !anonymous, .override = true, .has_mac = true};
    memcpy(m.mac, n->iface[p->iface].config.mac, 6);
    if (anonymous || asked->has_mac) {
        nd_send_neighbor(n, id, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m, anonymous ? NULL : asked->mac);
        return;
    }
    f->end = (uint16_t)(FRAME_L4 + wire_neighbor_emit(f->header + FRAME_L4, WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT, &m));
    f->l4_header_length = f->end - FRAME_L4;
    nd_checksum(f, 0);
    net_send(n, id);
}

/* A node looks whether `a`, or the address of it that we hold, is free (RFC 4862 5.4.3). */
static uint16_t nd_duplicate_solicitation(struct net *n, const struct packet *p, struct net_address *a,
                                          const struct wire_neighbor *m) {
    if (a->state == NET_IN_USE) {
        nd_advertise(n, p, m);
        return BK_REASON_ACCEPT_NEIGHBOR_SOLICITATION;
    }
    if (a->state == NET_DUPLICATE) return BK_REASON_DROP_ND_STRANGER;
    /* Our own solicitation, come back over a looped link, carries our nonce (RFC 7527 4.2). */
    bool sent = a->dad_left == 0;
    if (sent && m->has_nonce && memcmp(m->nonce, a->nonce, sizeof m->nonce) == 0) return BK_REASON_DROP_ND_STRANGER;
    address_conflict(n, a);
    return BK_REASON_ACCEPT_DAD_CONFLICT;
}

/* RFC 4861 7.1.1, 7.2.3. */
static uint16_t nd_solicitation(struct net *n, const struct packet *p, const struct wire_neighbor *m) {
    bool anonymous = bk_addr_is_any(&p->src);
    bk_addr group = wire_addr_solicited_node(&m->target);
    if (anonymous && (m->has_mac || !addr_equal(&p->dst, &group))) return BK_REASON_DROP_ND_BAD;
    struct net_address *a = address_find(n, p->iface, &m->target);
    if (a == NULL) return BK_REASON_DROP_ND_STRANGER;
    if (anonymous) return nd_duplicate_solicitation(n, p, a, m);
    /* Address resolution of a tentative address is ignored (RFC 4862 5.4.3). */
    if (a->state != NET_IN_USE) return BK_REASON_DROP_ND_STRANGER;
    if (m->has_mac) neighbour_heard(n, p->iface, &p->src, m->mac);
    nd_advertise(n, p, m);
    return BK_REASON_ACCEPT_NEIGHBOR_SOLICITATION;
}

/* RFC 4861 7.1.2, 7.2.5. */
static uint16_t nd_advertisement(struct net *n, const struct packet *p, const struct wire_neighbor *m) {
    if (m->solicited && p->ip_multicast) return BK_REASON_DROP_ND_BAD;
    struct net_address *a = address_find(n, p->iface, &m->target);
    if (a != NULL) {
        if (a->state != NET_TENTATIVE) return BK_REASON_DROP_ND_STRANGER; /* RFC 4862 5.4.4 leaves it open */
        address_conflict(n, a);
        return BK_REASON_ACCEPT_DAD_CONFLICT;
    }
    struct neighbour_news news = {
        .solicited = m->solicited, .override = m->override, .router = m->router, .mac = m->has_mac ? m->mac : NULL};
    return neighbour_advertised(n, p->iface, &m->target, &news) ? BK_REASON_ACCEPT_NEIGHBOR_ADVERTISEMENT
                                                                : BK_REASON_DROP_ND_STRANGER;
}

uint16_t nd_input(struct net *n, struct packet *p, uint8_t type) {
    if (p->hop_limit != ND_HOP_LIMIT) return BK_REASON_DROP_ND_BAD;
    if (type == WIRE_ICMPV6_ROUTER_ADVERTISEMENT) return autoconf_advertisement(n, p);
    if (type == WIRE_ICMPV6_ROUTER_SOLICITATION) return BK_REASON_DROP_ND_STRANGER; /* we are no router */
    if (p->length > ND_MESSAGE_MAX) return BK_REASON_DROP_ND_BAD;
    /* A link without link-layer addresses has nothing to resolve. */
    if (n->iface[p->iface].config.layer != BK_LAYER_ETHERNET) return BK_REASON_DROP_ND_STRANGER;
    uint8_t message[ND_MESSAGE_MAX];
    struct wire_neighbor m;
    packet_copy(&n->tcp.base, p, 0, p->length, message);
    uint16_t reason = wire_neighbor_parse(message, p->length, &m);
    if (reason != BK_REASON_NONE) return reason;
    return type == WIRE_ICMPV6_NEIGHBOR_SOLICITATION ? nd_solicitation(n, p, &m) : nd_advertisement(n, p, &m);
}
