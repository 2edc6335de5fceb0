/* The workload of `connections` on the kernel's sockets: both ends in one process, joined by epoll. */
#ifndef BENCH_KERNEL_CONNECTIONS_H
#define BENCH_KERNEL_CONNECTIONS_H

#include "bench.h"
#include "cmd/netns.h"

struct kernel_connections_options {
    const struct netns *server, *client; /* the namespaces of the two ends; may be the same */
    bk_addr to;
    uint32_t at_once;
    uint64_t count;
};
/* Opens, uses and closes so many connections. Returns 0 and the wall time in seconds, or -1 and run->why. */
int kernel_connections(const struct kernel_connections_options *options, double *seconds, struct bench_run *run);

#endif
