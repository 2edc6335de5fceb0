/* Times of round trips, and the kernel's two ends of them. */
#ifndef BENCH_PINGPONG_H
#define BENCH_PINGPONG_H

#include "bench.h"
#include "cmd/netns.h"

#define PINGPONG_METRICS 4u
extern const struct bench_metric pingpong_metrics[PINGPONG_METRICS]; /* p50, p90, p99, p99.9 */

struct pingpong {
    uint32_t *ns; /* each round trip's */
    uint64_t count, room;
};
/* Makes room for so many. Returns 0, or -1 and run->why; end it in either case. */
int pingpong_begin(struct pingpong *p, uint64_t room, struct bench_run *run);
void pingpong_end(struct pingpong *p);
static inline void pingpong_note(struct pingpong *p, uint64_t ns) {
    if (p->count < p->room) p->ns[p->count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}
/* The percentiles of what was noted, which is sorted by it. */
int pingpong_values(struct pingpong *p, double values[PINGPONG_METRICS], struct bench_run *run);

/* The byte of round trip n; whoever answers sends its complement. */
static inline uint8_t pingpong_byte(uint64_t n) {
    return (uint8_t)(n * 167 + 13);
}

enum pingpong_link { PINGPONG_LOOPBACK, PINGPONG_VETH };
struct pingpong_options {
    enum pingpong_link link;
    bool spin;            /* both ends ask without sleeping */
    uint64_t warm, count; /* round trips before the timing, and timed */
    uint64_t time;        /* ns: no more are begun when the timed ones have taken this */
};
/* One byte there and back between two of the kernel's sockets, in two processes on different processors. Returns 0 and
 * the values, or -1 and run->why. */
int pingpong_kernels(const struct pingpong_options *options, double values[PINGPONG_METRICS], struct bench_run *run);

#endif
