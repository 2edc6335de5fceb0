/* Many flows of one stack whose budget of chunks is small, in virtual time: who gets how much of it.
 *
 *     small stack --> link (rate) --+-- delay of even flows --+--> peer with a large budget
 *                                   +-- delay of odd flows  --+
 *
 * The small stack writes and the peer reads, or the reverse. Writers write whenever SEND takes something, in the order in which they are told
 * WRITABLE; readers read at once, or so much in each millisecond, and some never read. Nothing is lost on the way.
 */
#ifndef TESTS_SHARED_WORLD_H
#define TESTS_SHARED_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "beckon/stack.h"

#define SHARED_FLOWS 256u

struct shared_plan {
    uint32_t flows;
    uint32_t chunks;        /* the small stack's budget */
    bool receives;          /* the small stack reads; otherwise it writes */
    uint32_t rtt_ms[2];     /* of even flows, of odd ones */
    uint32_t dead;          /* the first so many are never read */
    uint32_t dead_first_ms; /* and begin so much before the others */
    uint32_t read_in_a_ms;  /* octets that a reader reads in a millisecond; 0: all there is, at once */
    bool parts;             /* writers write by reference */
    uint32_t
        batch_us; /* frames reach the small stack, and its users are told, together after so long; 0: each at once */
};

struct shared_result {
    uint64_t octets[SHARED_FLOWS]; /* read, in the time measured */
    uint64_t total;                /* of all flows that are read */
    double jain;                   /* their index of fairness */
    uint64_t pause_ns;             /* the longest time in which one of them got nothing */
    uint32_t most;                 /* chunks that were in use at once */
    uint64_t dropped;              /* segments that the small stack had no room for */
};

/* Runs for `seconds`, of which the first half is not measured; then all end, and nothing may be left of them. */
void shared_run(const struct shared_plan *plan, uint32_t seconds, struct shared_result *result);

#endif
