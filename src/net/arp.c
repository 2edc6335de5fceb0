/* ARP (RFC 826): questions and answers for IPv4 over Ethernet.
 *
 * What arrives updates an entry that is there, whoever asked; a new entry is made only for a node that asks for an
 * address of ours and so is about to send to it. In the terms of the neighbour cache an ARP reply that we were
 * waiting for is a solicited advertisement, everything else an unsolicited one.
 */
#include "net/address.h"
#include "net/ip_output.h"
#include "net/neighbour.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void arp_send(struct net *n, uint32_t iface, const struct wire_arp *arp, const uint8_t mac[6], uint16_t reason) {
    struct base *b = &n->tcp.base;
    uint32_t id = frame_alloc_reply(b);
    if (id == BK_NONE) return;
    struct frame *f = frame_at(b, id);
    f->iface = (uint8_t)iface;
    f->src = arp->sender;
    f->dst = arp->target;
    f->reason = reason;
    f->end = (uint16_t)(FRAME_L4 + wire_arp_emit(f->header + FRAME_L4, arp));
    f->l4_header_length = f->end - FRAME_L4;
    struct wire_ethernet link = {.type = WIRE_ETHERTYPE_ARP};
    memcpy(link.dst, mac, 6);
    memcpy(link.src, n->iface[iface].config.mac, 6);
    f->start = FRAME_L4 - WIRE_ETHERNET_LENGTH;
    wire_ethernet_emit(f->header + f->start, &link);
    f->flags |= FRAME_LINK_READY;
    net_send(n, id);
}

void arp_request(struct net *n, uint32_t iface, const bk_addr *src, const bk_addr *target, const uint8_t *mac) {
    struct wire_arp arp = {.op = WIRE_ARP_REQUEST, .sender = *src, .target = *target};
    memcpy(arp.sender_mac, n->iface[iface].config.mac, 6);
    arp_send(n, iface, &arp, mac != NULL ? mac : broadcast_mac,
             mac != NULL ? BK_REASON_SEND_ARP_PROBE : BK_REASON_SEND_ARP_REQUEST);
}

static void arp_reply(struct net *n, uint32_t iface, const struct wire_arp *question) {
    struct wire_arp arp = {.op = WIRE_ARP_REPLY, .sender = question->target, .target = question->sender};
    memcpy(arp.sender_mac, n->iface[iface].config.mac, 6);
    memcpy(arp.target_mac, question->sender_mac, 6);
    arp_send(n, iface, &arp, question->sender_mac, BK_REASON_SEND_ARP_REPLY);
}

/* Senders that no node can be. The unspecified address is fine: it asks whether an address is free (RFC 5227 2.1.1). */
static bool arp_sender_impossible(const struct net *n, uint32_t iface, const struct wire_arp *arp) {
    return wire_addr_is_multicast(&arp->sender) || wire_addr_is_loopback(&arp->sender) ||
           wire_addr_is_limited_broadcast(&arp->sender) || address_is_broadcast(n, iface, &arp->sender) ||
           memcmp(arp->sender_mac, n->iface[iface].config.mac, 6) == 0;
}

uint16_t arp_input(struct net *n, struct packet *p) {
    uint8_t scratch[WIRE_ARP_LENGTH];
    struct wire_arp arp;
    const uint8_t *bytes = packet_bytes(&n->tcp.base, p, 0, WIRE_ARP_LENGTH, scratch);
    if (bytes == NULL) return BK_REASON_DROP_ARP_BAD;
    uint16_t reason = wire_arp_parse(bytes, WIRE_ARP_LENGTH, &arp);
    if (reason != BK_REASON_NONE) return reason;
    if (arp_sender_impossible(n, p->iface, &arp)) return BK_REASON_DROP_ARP_BAD;

    bool for_us = address_is_ours(n, p->iface, &arp.target);
    bool question = arp.op == WIRE_ARP_REQUEST;
    if (bk_addr_is_any(&arp.sender)) {
        if (!for_us || !question) return BK_REASON_DROP_ARP_STRANGER;
        arp_reply(n, p->iface, &arp); /* which defends the address (RFC 5227 2.4) */
        return BK_REASON_ACCEPT_ARP;
    }
    if (address_find(n, p->iface, &arp.sender) != NULL) return BK_REASON_DROP_ARP_BAD; /* claims our address */

    uint32_t id = neighbour_find(n, p->iface, &arp.sender);
    bool known = id != BK_NONE;
    if (known) {
        uint8_t state = neighbour_at(n, id)->state;
        bool asked = state == NEIGHBOUR_INCOMPLETE || state == NEIGHBOUR_PROBE;
        struct neighbour_news news = {
            .solicited = asked && !question && for_us, .override = true, .mac = arp.sender_mac};
        (void)neighbour_advertised(n, p->iface, &arp.sender, &news);
    } else if (for_us && question) {
        neighbour_heard(n, p->iface, &arp.sender, arp.sender_mac);
    }
    if (for_us && question) arp_reply(n, p->iface, &arp);
    return known || (for_us && question) ? BK_REASON_ACCEPT_ARP : BK_REASON_DROP_ARP_STRANGER;
}
