/* Ethernet II and ARP: fixed layouts, so parsing is a length check and a look at each field that may take only
 * some values.
 *
 * A type field below 0x0600 is an IEEE 802.3 length, which is not spoken here. An ARP packet is taken only if it asks or answers (the
 * reverse and inverse forms are not spoken), for IPv4 over Ethernet, in the name of one station.
 */
#include "wire/ethernet.h"

#define ETHERTYPE_MIN 0x0600u
#define ARP_ETHERNET  1u

uint16_t wire_ethernet_parse(const uint8_t *p, size_t n, struct wire_ethernet *out) {
    if (n < WIRE_ETHERNET_LENGTH) return BK_REASON_DROP_ETHERNET_SHORT;
    memcpy(out->dst, p, sizeof out->dst);
    memcpy(out->src, p + 6, sizeof out->src);
    out->type = get_be16(p + 12);
    return out->type < ETHERTYPE_MIN ? BK_REASON_DROP_ETHERTYPE : BK_REASON_NONE;
}

uint16_t wire_arp_parse(const uint8_t *p, size_t n, struct wire_arp *out) {
    if (n < WIRE_ARP_LENGTH) return BK_REASON_DROP_ARP_BAD;
    if (get_be16(p) != ARP_ETHERNET || get_be16(p + 2) != WIRE_ETHERTYPE_IPV4) return BK_REASON_DROP_ARP_BAD;
    if (p[4] != sizeof out->sender_mac || p[5] != 4) return BK_REASON_DROP_ARP_BAD;
    out->op = get_be16(p + 6);
    if (out->op != WIRE_ARP_REQUEST && out->op != WIRE_ARP_REPLY) return BK_REASON_DROP_ARP_BAD;
    memcpy(out->sender_mac, p + 8, sizeof out->sender_mac);
    if (wire_ethernet_is_group(out->sender_mac)) return BK_REASON_DROP_ARP_BAD;
    out->sender = bk_addr_ipv4(p[14], p[15], p[16], p[17]);
    memcpy(out->target_mac, p + 18, sizeof out->target_mac);
    out->target = bk_addr_ipv4(p[24], p[25], p[26], p[27]);
    return BK_REASON_NONE;
}

size_t wire_arp_emit(uint8_t *p, const struct wire_arp *a) {
    put_be16(p, ARP_ETHERNET);
    put_be16(p + 2, WIRE_ETHERTYPE_IPV4);
    p[4] = sizeof a->sender_mac;
    p[5] = 4;
    put_be16(p + 6, a->op);
    memcpy(p + 8, a->sender_mac, sizeof a->sender_mac);
    memcpy(p + 14, a->sender.byte + 12, 4);
    memcpy(p + 18, a->target_mac, sizeof a->target_mac);
    memcpy(p + 24, a->target.byte + 12, 4);
    return WIRE_ARP_LENGTH;
}
