/* Load from the kernel's side, by a process of its own in a namespace, and the kernel's own server for it.
 *
 * The process asks a server at 10.0.0.1: short connections (one byte there, its complement back, closed by the client), so many at once; or one
 * connection and one byte after the other; or it sends small packets without waiting for answers. It is the same whoever answers. Small
 * packets come from a station that is not there, so that the kernel drops the answers at its first look at them, and what it would do with
 * them is not measured.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench.h"
#include "cmd/netns.h"
#include "kernel.h"

enum load_kind {
    LOAD_REQUESTS,    /* ICMP echo requests in frames of 60 bytes, until it is stopped */
    LOAD_REPLIES,     /* likewise, but echo replies, which nobody answers */
    LOAD_CONNECTIONS, /* `at_once` connections, until `count` are through */
    LOAD_BYTES,       /* one connection, `count` bytes one after the other */
};

struct load_options {
    enum load_kind kind;
    uint32_t at_once;
    uint64_t warm, count; /* before the timing, and timed */
    uint8_t mac[6];       /* LOAD_REQUESTS, LOAD_REPLIES: the stack's */
    const char *device;   /* LOAD_REQUESTS, LOAD_REPLIES: to send by */
};

struct load_report;
struct load {
    pid_t pid;                  /* 0: none */
    struct load_report *report; /* shared with the process */
};

/* Starts it in the namespace, on the last processor of the set. Returns 0, or -1 and run->why; stop it in either case. */
int load_start(struct load *l, const struct netns *ns, const cpu_set_t *set, const struct load_options *options,
               struct bench_run *run);
/* Whether it has ended. Costs no system call. */
bool load_ended(const struct load *l);
/* After it has ended: how many a second. Returns 0, or -1 and run->why if it was not satisfied. */
int load_result(const struct load *l, double *rate, struct bench_run *run);
void load_stop(struct load *l);

/* Serves from inside `ns` with kernel sockets, sleeping as programs do, until the load has ended. Listens before it calls `start`, which
 * starts the load. Returns 0, or -1 and run->why. */
int load_serve_by_kernel(const struct netns *ns, struct load *l, int (*start)(void *context, struct bench_run *run),
                         void *context, struct bench_run *run);

#endif
