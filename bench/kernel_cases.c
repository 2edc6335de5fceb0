/* The workload `kernel`: what `bulk`, `connections` and `latency` ask for, of this machine's own TCP.
 *
 * The kernel is at both ends, over the loopback or over veth with its default offloads; congestion control is cubic,
 * timestamps are off. Wall time, since the kernel works wherever it likes. In `bulk` and `latency` the two ends are
 * processes on different processors; in `connections` they are one process on one processor, as Beckon's are one
 * thread.
 *
 * These are figures to hold beside Beckon's in memory, not peers of equal work: the kernel's path has system calls,
 * queues and wake-ups that one thread in memory has not, and its loopback carries 64 KiB at a time that nobody
 * checksums.
 */
#define _GNU_SOURCE 1
#include "kernel.h"

#include "base/common.h"
#include "device.h"
#include "kernel_connections.h"
#include "pingpong.h"

#define KERNEL_BYTES       (UINT64_C(1) << 30)
#define KERNEL_CONNECTIONS UINT64_C(20000)
#define KERNEL_ROUND_TRIPS UINT64_C(50000)
#define KERNEL_WARM        64u
#define KERNEL_TIME        (3 * NS_PER_S)

enum kernel_what { KERNEL_BULK, KERNEL_CONNECT, KERNEL_PING };

struct kernel_parameters {
    enum kernel_what what;
    enum pingpong_link link;
    uint32_t at_once;
};

/* The two ends: of the loopback, the same one. */
struct kernel_ends {
    struct netns ns[2];
    const struct netns *server, *client;
    bk_addr to;
};

static int kernel_ends_open(struct kernel_ends *e, enum pingpong_link link, struct bench_run *run) {
    bool veth = link == PINGPONG_VETH;
    e->ns[0] = e->ns[1] = (struct netns){.fd = -1, .home = -1};
    e->server = &e->ns[0];
    e->client = veth ? &e->ns[1] : &e->ns[0];
    e->to = veth ? device_kernel_address() : bk_addr_ipv4(127, 0, 0, 1);
    if (kernel_namespace(&e->ns[0], run) < 0) return -1;
    if (!veth) return 0;
    return kernel_namespace(&e->ns[1], run) < 0 ? -1 : kernel_veth(e->server, e->client, run);
}

static void kernel_ends_close(struct kernel_ends *e) {
    netns_destroy(&e->ns[0]);
    netns_destroy(&e->ns[1]);
}

static int kernel_bulk(const struct kernel_ends *e, const cpu_set_t *set, double *values, struct bench_run *run) {
    uint64_t bytes = run->quick || run->verify ? KERNEL_BYTES / 64 : KERNEL_BYTES;
    struct kernel_peer peer = {0};
    double seconds = 0;
    int r = kernel_start(&peer, e->server, set, KERNEL_SINK, bytes, run);
    if (r == 0) r = kernel_send(e->client, &e->to, bytes, &seconds, run);
    if (r == 0) r = kernel_finish(&peer, run);
    kernel_kill(&peer);
    if (r == 0) values[0] = (double)bytes * 8e-9 / seconds;
    return r;
}

static int kernel_connect_many(const struct kernel_ends *e, uint32_t at_once, double *values, struct bench_run *run) {
    const struct kernel_connections_options options = {.server = e->server,
                                                       .client = e->client,
                                                       .to = e->to,
                                                       .at_once = at_once,
                                                       .count = run->quick || run->verify ? KERNEL_CONNECTIONS / 16
                                                                                          : KERNEL_CONNECTIONS};
    double seconds;
    if (kernel_connections(&options, &seconds, run) < 0) return -1;
    values[0] = (double)options.count / seconds;
    values[1] = seconds * 1e9 / (double)options.count;
    return 0;
}

static int kernel_run_ends(const struct kernel_parameters *p, double *values, struct bench_run *run) {
    struct kernel_ends e;
    cpu_set_t processors;
    kernel_pin(&processors);
    int r = kernel_ends_open(&e, p->link, run);
    if (r == 0 && p->what == KERNEL_BULK) r = kernel_bulk(&e, &processors, values, run);
    if (r == 0 && p->what == KERNEL_CONNECT) r = kernel_connect_many(&e, p->at_once, values, run);
    kernel_ends_close(&e);
    kernel_unpin(&processors);
    return r;
}

static int kernel_run(const struct bench_case *c, struct bench_run *run, double *values) {
    const struct kernel_parameters *p = c->parameters;
    uint64_t count = run->quick || run->verify ? KERNEL_ROUND_TRIPS / 64 : KERNEL_ROUND_TRIPS;
    const struct pingpong_options options = {.link = p->link, .warm = KERNEL_WARM, .count = count, .time = KERNEL_TIME};
    return p->what == KERNEL_PING ? pingpong_kernels(&options, values, run) : kernel_run_ends(p, values, run);
}

static const struct bench_metric kernel_bulk_metrics[] = {{"throughput", "Gbit/s", 2}};
static const struct bench_metric kernel_connections_metrics[] = {
    {"connections", "/s", 0},
    {"time per connection", "ns", 0},
};

static const struct kernel_parameters kernel_bulk_loopback = {KERNEL_BULK, PINGPONG_LOOPBACK, 0},
                                      kernel_bulk_veth = {KERNEL_BULK, PINGPONG_VETH, 0},
                                      kernel_1_loopback = {KERNEL_CONNECT, PINGPONG_LOOPBACK, 1},
                                      kernel_1_veth = {KERNEL_CONNECT, PINGPONG_VETH, 1},
                                      kernel_64_loopback = {KERNEL_CONNECT, PINGPONG_LOOPBACK, 64},
                                      kernel_64_veth = {KERNEL_CONNECT, PINGPONG_VETH, 64},
                                      kernel_ping_loopback = {KERNEL_PING, PINGPONG_LOOPBACK, 0},
                                      kernel_ping_veth = {KERNEL_PING, PINGPONG_VETH, 0};

#define KERNEL_OF_BULK .metrics = kernel_bulk_metrics, .metric_count = BK_COUNT(kernel_bulk_metrics)
#define KERNEL_OF_CONNECTIONS                                                                                          \
    .metrics = kernel_connections_metrics, .metric_count = BK_COUNT(kernel_connections_metrics)
#define KERNEL_OF_LATENCY .metrics = pingpong_metrics, .metric_count = PINGPONG_METRICS
static const struct bench_case kernel_cases[] = {
    {.name = "bulk-loopback",
     .about = "one direction over the loopback, 64 KB writes and reads",
     .parameters = &kernel_bulk_loopback,
     KERNEL_OF_BULK},
    {.name = "bulk-veth",
     .about = "one direction over veth, MTU 1500 with offloads",
     .parameters = &kernel_bulk_veth,
     KERNEL_OF_BULK},
    {.name = "connections-loopback-1",
     .about = "one connection after the other over the loopback",
     .parameters = &kernel_1_loopback,
     KERNEL_OF_CONNECTIONS},
    {.name = "connections-loopback-64",
     .about = "64 at once over the loopback",
     .parameters = &kernel_64_loopback,
     KERNEL_OF_CONNECTIONS},
    {.name = "connections-veth-1",
     .about = "one connection after the other over veth",
     .parameters = &kernel_1_veth,
     KERNEL_OF_CONNECTIONS},
    {.name = "connections-veth-64",
     .about = "64 at once over veth",
     .parameters = &kernel_64_veth,
     KERNEL_OF_CONNECTIONS},
    {.name = "latency-loopback",
     .about = "one byte there and back over the loopback",
     .parameters = &kernel_ping_loopback,
     KERNEL_OF_LATENCY},
    {.name = "latency-veth",
     .about = "one byte there and back over veth",
     .parameters = &kernel_ping_veth,
     KERNEL_OF_LATENCY},
};

const struct bench_workload bench_kernel = {
    .name = "kernel",
    .about = "bulk, connections and latency of the kernel's own TCP on this machine, cubic, wall time",
    .cases = kernel_cases,
    .case_count = BK_COUNT(kernel_cases),
    .available = kernel_available,
    .run = kernel_run,
};
