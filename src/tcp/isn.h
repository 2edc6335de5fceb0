/* Numbers that strangers must not guess: initial sequence numbers (RFC 6528), timestamp offsets, ephemeral ports
 * (RFC 6056). */
#ifndef TCP_ISN_H
#define TCP_ISN_H

#include "tcp/tcp.h"

struct isn {
    /* ISN = M + F(tuple, secret), where M ticks every 4 microseconds (RFC 9293 3.4.1, RFC 6528 3). */
    uint32_t number;
    /* Where this tuple's timestamp clock starts, so that it does not tell the uptime; the same for each incarnation, so
     * that it goes on rising (RFC 7323 5.4, RFC 6191). */
    uint32_t timestamp_offset;
};
struct isn isn_make(const struct tcp *t, const struct tuple *tuple);
/* A local port for an active open whose other three parts are set: RFC 6056 algorithm 4 (double hash), skipping those whose
 * 4-tuple is in use, and in a group those whose flows belong to other stacks (steer.h). If all are, the first in the same order whose TIME-WAIT may be taken over (time_wait.h). 0 if there is none. */
uint16_t isn_port(struct tcp *t, const struct tuple *tuple);

#endif
