/* UDP headers (RFC 768). See ethernet.h for the contract. */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include "base/common.h"
#include "beckon/trace.h"

#define WIRE_UDP_LENGTH 8u

struct wire_udp {
    uint16_t src_port, dst_port;
    uint16_t length; /* at least 8, at most n */
    uint16_t checksum;
};
uint16_t wire_udp_parse(const uint8_t *p, size_t n, struct wire_udp *out);
size_t wire_udp_emit(uint8_t *p, const struct wire_udp *u);

#endif
