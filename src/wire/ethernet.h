/* Ethernet II frames and ARP for IPv4 over Ethernet (RFC 894, RFC 826): parse to a checked value, emit from one.
 *
 * Every wire_*_parse takes the bytes that are there and returns BK_REASON_NONE, with *out filled in, or the
 * reason for which the frame must be dropped, with *out unspecified. No parse reads past n. Every wire_*_emit writes a
 * header and returns its length; the caller has made room. Pure functions all. */
#ifndef WIRE_ETHERNET_H
#define WIRE_ETHERNET_H

#include "base/common.h"
#include "beckon/trace.h"

#define WIRE_ETHERNET_LENGTH 14u
#define WIRE_ARP_LENGTH      28u

enum wire_ethertype { WIRE_ETHERTYPE_IPV4 = 0x0800, WIRE_ETHERTYPE_ARP = 0x0806, WIRE_ETHERTYPE_IPV6 = 0x86dd };

struct wire_ethernet {
    uint8_t dst[6], src[6];
    uint16_t type;
};
uint16_t wire_ethernet_parse(const uint8_t *p, size_t n, struct wire_ethernet *out);
static inline size_t wire_ethernet_emit(uint8_t *p, const struct wire_ethernet *e) {
    memcpy(p, e->dst, sizeof e->dst);
    memcpy(p + 6, e->src, sizeof e->src);
    put_be16(p + 12, e->type);
    return WIRE_ETHERNET_LENGTH;
}
/* Whether the group bit is set: broadcast or multicast. */
static inline bool wire_ethernet_is_group(const uint8_t mac[6]) {
    return mac[0] & 1;
}

enum wire_arp_op { WIRE_ARP_REQUEST = 1, WIRE_ARP_REPLY = 2 };

struct wire_arp {
    uint16_t op;
    uint8_t sender_mac[6], target_mac[6];
    bk_addr sender, target; /* IPv4 */
};
/* Also refuses hardware or protocol types other than Ethernet and IPv4, and group sender MACs. */
uint16_t wire_arp_parse(const uint8_t *p, size_t n, struct wire_arp *out);
size_t wire_arp_emit(uint8_t *p, const struct wire_arp *a);

#endif
