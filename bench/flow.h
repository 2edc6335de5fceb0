/* The two users of a bulk transfer: a source that writes 64 KB at a time, or less if told so, and a sink that reads 64 KB at a time. Both copy, or
 * pass references to chunks.
 *
 * Both are driven by readiness, which is edge-triggered: each works until the stack says -EAGAIN, and then waits to hear. What
 * is sent is a pattern with a period of its own, so that a verifying sink sees bytes that are lost, doubled or
 * moved. In timed runs the source writes the same 64 KB again and again, as the peers' harnesses do.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench.h"

#define FLOW_UNIT   65536u
#define FLOW_PERIOD 65521u /* a prime: no power of two hides a shift */

/* FLOW_PERIOD + FLOW_UNIT bytes of the pattern; those of a stream from position p on begin at [p % FLOW_PERIOD]. */
const uint8_t *flow_pattern(void);

struct flow_source {
    bk_stack *stack;
    bk_conn conn;
    uint64_t total, sent;
    bool ready;  /* worth trying: connected, and no -EAGAIN since it was heard to be writable */
    bool verify; /* send the pattern, and not the same bytes again */
    bool by_reference;
    uint32_t write; /* bytes at a time; 0: FLOW_UNIT */
};

struct flow_sink {
    bk_stack *stack;
    bk_conn conn;
    uint64_t received;
    bool ready, verify, by_reference;
    bool ended; /* the peer has closed and all is read */
    uint8_t buffer[FLOW_UNIT];
};

/* Write and read while the stack lets them. Return whether they did anything, or -1 with run->why. */
int flow_source_work(struct flow_source *s, uint64_t now, struct bench_run *run);
int flow_sink_work(struct flow_sink *s, uint64_t now, struct bench_run *run);
/* Take an event of their stack that is about their connection; others are let be. */
void flow_source_hear(struct flow_source *s, const struct bk_ready *event);
void flow_sink_hear(struct flow_sink *s, const struct bk_ready *event);

#endif
