/* ICMP errors about segments of the stack under test, for the bench of fixture.h. */
#ifndef TESTS_FIXTURE_ICMP_H
#define TESTS_FIXTURE_ICMP_H

#include "fixture.h"

enum icmp_error {
    NET_UNREACHABLE,
    HOST_UNREACHABLE,
    PORT_UNREACHABLE,
    TIME_EXCEEDED,
    PARAMETER_PROBLEM,
    SOURCE_QUENCH,
    TOO_BIG
};

#define ICMP_FRAME_MAX 256
/* Writes an error as an IP packet of `from`, which quotes the segment `about`, and returns its length. */
size_t icmp_build(enum icmp_error what, uint32_t mtu, const struct wire_seg *about, const bk_addr *from,
                  uint8_t *frame);
/* Lets an error arrive from the peer's side about a segment of ours with this (relative) sequence number. Returns the verdict. */
uint16_t icmp(enum icmp_error what, int64_t seq, uint32_t mtu);

#endif
