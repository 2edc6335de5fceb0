/* IPv4 and IPv6 headers.
 *
 * A header's own lengths are checked against each other and against the bytes that are there before anything is read through them.
 * IPv4's options are checked for their form, because a list that cannot be walked means a damaged or hostile header, and
 * are otherwise skipped.
 *
 * An IPv6 packet that carries an IPv4-mapped address (::ffff:a.b.c.d) is refused: the address type would take it for IPv4, and
 * a stranger could pass himself off as an IPv4 host. Such addresses have no business on the wire.
 */
#include "wire/ip.h"

enum ipv4_option { IPV4_OPTION_END = 0, IPV4_OPTION_NOP = 1 };

static bool ipv4_options_valid(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n && p[i] != IPV4_OPTION_END;) {
        if (p[i] == IPV4_OPTION_NOP) {
            i++;
            continue;
        }
        if (n - i < 2 || p[i + 1] < 2 || p[i + 1] > n - i) return false;
        i += p[i + 1];
    }
    return true;
}

uint16_t wire_ipv4_parse(const uint8_t *p, size_t held, size_t n, struct wire_ipv4 *out) {
    if (held > n) held = n;
    if (held < WIRE_IPV4_LENGTH) return BK_REASON_DROP_IP_SHORT;
    if (p[0] >> 4 != 4) return BK_REASON_DROP_IP_VERSION;
    out->header_length = (uint16_t)((p[0] & 15) * 4);
    out->total_length = get_be16(p + 2);
    if (out->header_length < WIRE_IPV4_LENGTH || out->header_length > held) return BK_REASON_DROP_IP_LENGTH;
    if (out->total_length < out->header_length || out->total_length > n) return BK_REASON_DROP_IP_LENGTH;
    if (checksum_header(p, out->header_length / 4u) != UINT16_MAX) return BK_REASON_DROP_IP_CHECKSUM;
    if (!ipv4_options_valid(p + WIRE_IPV4_LENGTH, out->header_length - WIRE_IPV4_LENGTH))
        return BK_REASON_DROP_IP_OPTION;

    uint16_t fragment = get_be16(p + 6);
    out->traffic_class = p[1];
    out->id = get_be16(p + 4);
    out->dont_fragment = fragment & WIRE_IPV4_DONT_FRAGMENT;
    out->more_fragments = fragment & WIRE_IPV4_MORE_FRAGMENTS;
    out->fragment_offset = (uint16_t)((fragment & WIRE_IPV4_OFFSET) * 8);
    out->ttl = p[8];
    out->protocol = p[9];
    out->src = addr_ipv4_at(p + 12);
    out->dst = addr_ipv4_at(p + 16);
    return BK_REASON_NONE;
}

uint16_t wire_ipv6_parse(const uint8_t *p, size_t n, struct wire_ipv6 *out) {
    if (n < WIRE_IPV6_LENGTH) return BK_REASON_DROP_IP_SHORT;
    uint32_t first = get_be32(p);
    if (first >> 28 != 6) return BK_REASON_DROP_IP_VERSION;
    out->traffic_class = (uint8_t)(first >> 20);
    out->flow_label = first & 0xfffff;
    out->payload_length = get_be16(p + 4);
    if (out->payload_length > n - WIRE_IPV6_LENGTH) return BK_REASON_DROP_IP_LENGTH;
    out->next_header = p[6];
    out->hop_limit = p[7];
    memcpy(out->src.byte, p + 8, sizeof out->src.byte);
    memcpy(out->dst.byte, p + 24, sizeof out->dst.byte);
    if (addr_is_ipv4(&out->src)) return BK_REASON_DROP_IP_SOURCE;
    if (addr_is_ipv4(&out->dst)) return BK_REASON_DROP_IP_DESTINATION;
    return BK_REASON_NONE;
}
