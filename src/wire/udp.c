/* UDP: four fields, of which only the length can be wrong by itself. A checksum of 0 means none was made, which IPv4 allows
 * and IPv6 does not: that and the checksum are the caller's, who has the addresses. */
#include "wire/udp.h"

uint16_t wire_udp_parse(const uint8_t *p, size_t n, struct wire_udp *out) {
    if (n < WIRE_UDP_LENGTH) return BK_REASON_DROP_UDP_BAD;
    out->src_port = get_be16(p);
    out->dst_port = get_be16(p + 2);
    out->length = get_be16(p + 4);
    out->checksum = get_be16(p + 6);
    return out->length < WIRE_UDP_LENGTH || out->length > n ? BK_REASON_DROP_UDP_BAD : BK_REASON_NONE;
}

size_t wire_udp_emit(uint8_t *p, const struct wire_udp *u) {
    put_be16(p, u->src_port);
    put_be16(p + 2, u->dst_port);
    put_be16(p + 4, u->length);
    put_be16(p + 6, u->checksum);
    return WIRE_UDP_LENGTH;
}
