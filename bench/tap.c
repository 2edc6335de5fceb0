/* The workload `tap`: bulk through a TAP device to the kernel's TCP, each way, in wall time; with offloads and with offloads refused.
 *
 * A private network namespace holds the device and a process with a kernel socket; Beckon opens the connection from here. The same
 * bytes between two kernel stacks over a veth pair, with the offloads that the kernel gives it, are the peer of the same
 * round. From the connection's opening to the sink's last byte (when Beckon sends: until the kernel has closed, having read all).
 * Beside it, the processor time of both processes, their system calls included, which other work on the machine disturbs less; what the
 * kernel does in threads of its own, and may do on veth, is in nobody's account.
 *
 * The kernel decides how many frames a read finds, so counting instructions here would count its timing. The guard runs the
 * same driver between two stacks over a socket pair, in lock step and in virtual time.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/common.h"
#include "beckon/link.h"
#include "bulk.h"
#include "device.h"
#include "flow.h"
#include "kernel.h"

#define TAP_BYTES    (UINT64_C(1) << 29)
#define TAP_BUFFER   1048576u
#define TAP_PATIENCE (10 * NS_PER_S)
#define TAP_EVENTS   16u
#define TAP_SEGMENT  1460.0

enum tap_direction { TAP_KERNEL_TO_STACK, TAP_STACK_TO_KERNEL, TAP_KERNEL_TO_KERNEL };

struct tap_parameters {
    enum tap_direction direction;
    bool plain; /* no offloads */
};

struct tap {
    struct device device; /* of kernel to kernel only the namespace, */
    struct netns other;   /* and this one */
    struct kernel_peer peer;
    cpu_set_t processors;
    struct flow_source source;
    struct flow_sink sink;
};

static void tap_close(struct tap *t) {
    kernel_kill(&t->peer);
    device_close(&t->device);
    netns_destroy(&t->other);
}

static void tap_hear(struct tap *t) {
    struct bk_ready events[TAP_EVENTS];
    size_t n = bk_ready_poll(t->device.stack, events, TAP_EVENTS);
    for (size_t i = 0; i < n; i++) {
        flow_source_hear(&t->source, &events[i]);
        flow_sink_hear(&t->sink, &events[i]);
    }
}

/* Until the kernel has closed its side and all is read. */
static int tap_transfer(struct tap *t, struct bench_run *run) {
    uint64_t progress = bk_link_clock();
    while (!t->sink.ended) {
        uint64_t now = bk_link_clock();
        int moved = device_pump(&t->device, now, run);
        if (moved < 0) return -1;
        tap_hear(t);
        int in = flow_sink_work(&t->sink, now, run), out = flow_source_work(&t->source, now, run);
        if (in < 0 || out < 0) return -1;
        if (moved + in + out > 0)
            progress = now;
        else if (now - progress > TAP_PATIENCE)
            return bench_fail(run, "nothing moves any more");
        else if (!bk_link_busy(t->device.link))
            device_sleep(t->device.stack, t->device.link, now, now + NS_PER_S);
    }
    return 0;
}

/* Lets the stack finish its side of the connection, so that the kernel's process can end. */
static int tap_finish(struct tap *t, struct bench_run *run) {
    bk_tcp_close(t->device.stack, t->source.conn, bk_link_clock());
    for (int i = 0; i < 4; i++)
        if (device_pump(&t->device, bk_link_clock(), run) < 0) return -1;
    return kernel_finish(&t->peer, run);
}

static struct tap tap; /* large, and one at a time */

static int tap_beckon(struct tap *t, const struct tap_parameters *p, uint64_t bytes, double *seconds,
                      struct bench_run *run) {
    bool sends = p->direction == TAP_STACK_TO_KERNEL;
    struct bk_config config;
    bench_bulk_config(&config, TAP_BUFFER);
    if (device_open(&t->device, &config, p->plain, run) < 0) return -1;
    if (kernel_start(&t->peer, &t->device.ns, &t->processors, sends ? KERNEL_SINK : KERNEL_SOURCE, bytes, run) < 0)
        return -1;
    const struct bk_tcp_open open = {.remote = device_kernel_address(), .remote_port = KERNEL_PORT};
    uint64_t start = bk_link_clock();
    int r = bk_tcp_connect(t->device.stack, &open, start, &t->source.conn);
    if (r < 0) return bench_fail(run, "connect: %s", strerror(-r));
    t->sink.conn = t->source.conn;
    t->source.stack = t->sink.stack = t->device.stack;
    t->source.verify = t->sink.verify = run->verify;
    t->source.total = sends ? bytes : 0;
    if (tap_transfer(t, run) < 0) return -1;
    *seconds = (double)(bk_link_clock() - start) * 1e-9;
    if (t->sink.received != (sends ? 0 : bytes) || t->source.sent != t->source.total)
        return bench_fail(run, "%llu bytes were received", (unsigned long long)t->sink.received);
    return tap_finish(t, run);
}

static int tap_kernels(struct tap *t, uint64_t bytes, double *seconds, struct bench_run *run) {
    const bk_addr to = device_kernel_address();
    if (kernel_namespace(&t->device.ns, run) < 0 || kernel_namespace(&t->other, run) < 0 ||
        kernel_veth(&t->device.ns, &t->other, run) < 0)
        return -1;
    if (kernel_start(&t->peer, &t->device.ns, &t->processors, KERNEL_SINK, bytes, run) < 0) return -1;
    return kernel_send(&t->other, &to, bytes, seconds, run) < 0 ? -1 : kernel_finish(&t->peer, run);
}

/* In seconds, of this process and of those that it has waited for. */
static double tap_processor(void) {
    double seconds = 0;
    for (int i = 0; i < 2; i++) {
        struct rusage u = {0};
        getrusage(i == 0 ? RUSAGE_SELF : RUSAGE_CHILDREN, &u);
        seconds += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec);
        seconds += (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
    }
    return seconds;
}

static int tap_run(const struct bench_case *c, struct bench_run *run, double *values) {
    const struct tap_parameters *p = c->parameters;
    uint64_t bytes = run->quick || run->verify ? TAP_BYTES / 64 : TAP_BYTES;
    double seconds = 0;
    memset(&tap, 0, sizeof tap);
    tap.device.ns = tap.other = (struct netns){.fd = -1, .home = -1};
    kernel_pin(&tap.processors);
    double processor = tap_processor();
    int r = p->direction == TAP_KERNEL_TO_KERNEL ? tap_kernels(&tap, bytes, &seconds, run)
                                                 : tap_beckon(&tap, p, bytes, &seconds, run);
    processor = tap_processor() - processor;
    tap_close(&tap);
    kernel_unpin(&tap.processors);
    if (r < 0) return r;
    values[0] = (double)bytes * 8e-9 / seconds;
    values[1] = processor * 1e9 * TAP_SEGMENT / (double)bytes;
    return 0;
}

/* What is in flight stays below the socket's buffer, so that no frame is refused. */
static int tap_guard(uint64_t n, struct bench_run *run) {
    return bulk_guard(BENCH_SOCKETS, 65536, n, run);
}

static const struct bench_metric tap_metrics[] = {
    {"throughput", "Gbit/s", 2},
    {"processor time", "ns per 1,460 bytes", 1},
};

static const struct tap_parameters tap_in = {TAP_KERNEL_TO_STACK, false}, tap_out = {TAP_STACK_TO_KERNEL, false},
                                   tap_in_plain = {TAP_KERNEL_TO_STACK, true},
                                   tap_out_plain = {TAP_STACK_TO_KERNEL, true},
                                   tap_veth = {TAP_KERNEL_TO_KERNEL, false};
#define TAP_TARGET .target = {{BENCH_RATIO, 0.6, false}}, .targets = 1
static const struct bench_case tap_cases[] = {
    {.name = "kernel-to-kernel",
     .about = "the kernel on both ends, over veth with its default offloads",
     .parameters = &tap_veth},
    {.name = "kernel-to-stack",
     .about = "the kernel sends, Beckon receives; offloads both ways",
     .parameters = &tap_in,
     .peer = "kernel-to-kernel",
     TAP_TARGET},
    {.name = "stack-to-kernel",
     .about = "Beckon sends, the kernel receives; offloads both ways",
     .parameters = &tap_out,
     .peer = "kernel-to-kernel",
     TAP_TARGET},
    {.name = "kernel-to-stack-plain",
     .about = "the kernel sends; no offloads, a frame of 1,514 bytes a system call",
     .parameters = &tap_in_plain,
     .peer = "kernel-to-kernel"},
    {.name = "stack-to-kernel-plain",
     .about = "Beckon sends; no offloads",
     .parameters = &tap_out_plain,
     .peer = "kernel-to-kernel"},
};

const struct bench_workload bench_tap = {
    .name = "tap",
    .about =
        "one direction through a TAP device to the kernel's TCP (cubic), MTU 1500, 64 KB writes and reads, wall time",
    .metrics = tap_metrics,
    .metric_count = BK_COUNT(tap_metrics),
    .cases = tap_cases,
    .case_count = BK_COUNT(tap_cases),
    .available = kernel_available,
    .run = tap_run,
    .guard = tap_guard,
    .guard_unit = "segment",
};
