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

/* Lets an error arrive from the peer's side about a segment of ours with this (relative) sequence number. Returns the verdict. */
uint16_t icmp(enum icmp_error what, int64_t seq, uint32_t mtu);

#endif
