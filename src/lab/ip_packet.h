/* What the lab's observers want to know of an IP packet, of whichever version. */
#ifndef LAB_IP_PACKET_H
#define LAB_IP_PACKET_H

#include "wire/ip.h"

struct ip_packet {
    bk_addr src, dst;
    size_t header_length; /* up to the transport's header: options and extension headers included */
    size_t length;        /* what follows, padding not included */
    uint8_t traffic_class;
    uint8_t protocol; /* the transport's, of a fragment too */
    bool fragment;    /* of a larger packet: what follows the header is no whole segment */
};

/* Reads the headers of the packet in bytes[0..n). False: they are not well-formed. */
bool ip_packet_read(const uint8_t *bytes, size_t n, struct ip_packet *out);

/* Whether the checksum of TCP, or of whatever has the same, agrees: for a packet that is no fragment. */
bool ip_packet_sum_agrees(const uint8_t *bytes, const struct ip_packet *p);

#endif
