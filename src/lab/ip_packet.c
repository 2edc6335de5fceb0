/* IP packets as observers read them: see ip_packet.h. */
#include "lab/ip_packet.h"

#include "base/checksum.h"

static bool ip_packet_read_ipv4(const uint8_t *bytes, size_t n, struct ip_packet *out) {
    struct wire_ipv4 h;
    if (wire_ipv4_parse(bytes, n, n, &h) != BK_REASON_NONE) return false;
    *out = (struct ip_packet){.src = h.src,
                              .dst = h.dst,
                              .header_length = h.header_length,
                              .length = h.total_length - (size_t)h.header_length,
                              .traffic_class = h.traffic_class,
                              .protocol = h.protocol,
                              .fragment = h.more_fragments || h.fragment_offset != 0};
    return true;
}

bool ip_packet_read(const uint8_t *bytes, size_t n, struct ip_packet *out) {
    struct wire_ipv6 h;
    struct wire_ipv6_chain chain;
    if (n != 0 && bytes[0] >> 4 == 4) return ip_packet_read_ipv4(bytes, n, out);
    if (wire_ipv6_parse(bytes, n, &h) != BK_REASON_NONE) return false;
    if (wire_ipv6_chain_parse(bytes + WIRE_IPV6_LENGTH, h.payload_length, h.next_header, &chain) != BK_REASON_NONE)
        return false;
    *out = (struct ip_packet){.src = h.src,
                              .dst = h.dst,
                              .header_length = WIRE_IPV6_LENGTH + (size_t)chain.length,
                              .length = h.payload_length - (size_t)chain.length,
                              .traffic_class = h.traffic_class,
                              .protocol = chain.fragment ? chain.fragment_next : chain.protocol,
                              .fragment = chain.fragment};
    return true;
}

bool ip_packet_sum_agrees(const uint8_t *bytes, const struct ip_packet *p) {
    uint64_t sum = checksum_pseudo(&p->src, &p->dst, p->protocol, (uint32_t)p->length);
    return checksum_fold(checksum_add(sum, bytes + p->header_length, p->length)) == 0xffff;
}
