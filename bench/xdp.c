/* The workload `xdp`: small packets, short connections and round trips through AF_XDP on a veth pair, beside TAP and the kernel's own server.
 *
 * The load is a process in a namespace, the same for all (load.h). Who answers, here, sleeps when there is nothing to do, as programs do: Beckon
 * behind a TAP device in that namespace; or Beckon on the other end of a veth pair, in a second namespace; or the kernel's sockets on
 * that end. Each run has its own namespaces. The two processes are on different processors; but whoever sends over veth does most of
 * what the receiver's kernel does, too, on his own.
 */
#include <errno.h>
#include <string.h>

#include "base/common.h"
#include "beckon/link.h"
#include "device.h"
#include "load.h"
#include "world.h"

#define XDP_EVENTS   64u
#define XDP_PATIENCE (10 * NS_PER_S)

enum xdp_who { XDP_KERNEL, XDP_TAP, XDP_XDP };

struct xdp_parameters {
    enum xdp_who who;
    enum load_kind load;
    uint32_t at_once;
    uint64_t count;
};

struct xdp_world {
    const struct xdp_parameters *parameters;
    struct netns ns, other; /* the load's, and that of the other end of the pair */
    cpu_set_t processors;
    struct load load;
    struct load_options options;
    struct bench_stack memory;
    bk_stack *stack;
    bk_link *link;
    bk_listener listener;
};

/* ---- Beckon ---------------------------------------------------------------------------------------- */

static int xdp_listen(struct xdp_world *w, struct bench_run *run) {
    const bk_addr any = bk_addr_ipv4(0, 0, 0, 0);
    w->stack = w->memory.stack;
    int r = bk_tcp_listen(w->stack, &any, KERNEL_PORT, 1024, 0, bk_link_clock(), &w->listener);
    return r < 0 ? bench_fail(run, "cannot listen: %s", strerror(-r)) : 0;
}

static int xdp_tap(struct xdp_world *w, struct bench_run *run) {
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    struct bk_config config;
    bk_config_default(&config);
    memcpy(w->options.mac, mac, sizeof mac);
    if (device_stack(&w->memory, &config, mac, run) < 0 || xdp_listen(w, run) < 0) return -1;
    return device_tap(&w->ns, w->stack, false, &w->link, run);
}

static int xdp_veth(struct xdp_world *w, struct bench_run *run) {
    struct bk_config config;
    bk_config_default(&config);
    int r = device_xdp(&w->other, &w->memory, &config, w->options.mac, &w->link, run);
    return r < 0 ? -1 : xdp_listen(w, run);
}

static int xdp_serve(const struct xdp_world *w, bk_conn conn, uint64_t now, struct bench_run *run) {
    uint8_t byte;
    ptrdiff_t n;
    while ((n = bk_tcp_receive(w->stack, conn, &byte, 1, now)) == 1) {
        byte = (uint8_t)~byte;
        n = bk_tcp_send(w->stack, conn, &byte, 1, 0, now);
        if (n != 1) break;
    }
    if (n == 0) n = bk_tcp_close(w->stack, conn, now);
    return n < 0 && n != -EAGAIN ? bench_fail(run, "the server: %s", strerror((int)-n)) : 0;
}

static int xdp_hear(const struct xdp_world *w, uint64_t now, struct bench_run *run) {
    struct bk_ready events[XDP_EVENTS];
    size_t n = bk_ready_poll(w->stack, events, XDP_EVENTS);
    for (size_t i = 0; i < n; i++) {
        bk_conn conn = {events[i].index, events[i].generation};
        if (!events[i].listener && xdp_serve(w, conn, now, run) < 0) return -1;
        while (events[i].listener && bk_tcp_accept(w->stack, w->listener, 0, now, &conn) == 0)
            if (xdp_serve(w, conn, now, run) < 0) return -1;
    }
    return 0;
}

/* Frames so far: those that came where nothing is answered, and else those that left. */
static uint64_t xdp_frames(const struct xdp_world *w) {
    struct bk_link_counters c;
    bk_link_counters(w->link, &c);
    return w->options.kind == LOAD_REPLIES ? c.frames_in : c.frames_out;
}

/* Answers until the load has ended, or so many frames more have passed. */
static int xdp_answer(const struct xdp_world *w, uint64_t frames, struct bench_run *run) {
    uint64_t passed = xdp_frames(w), end = passed + frames, progress = bk_link_clock();
    while (passed < end && !load_ended(&w->load)) {
        int moved = bk_link_wait(w->link, bk_link_clock() + NS_PER_S / 10);
        uint64_t now = bk_link_clock(), before = passed;
        if (moved < 0) return bench_fail(run, "the device fails: %s", strerror(-moved));
        if (xdp_hear(w, now, run) < 0) return -1;
        passed = xdp_frames(w);
        if (passed != before) progress = now;
        if (now - progress > XDP_PATIENCE) return bench_fail(run, "nothing moves any more");
    }
    return 0;
}

/* ---- a run ----------------------------------------------------------------------------------------- */

static int xdp_start(void *context, struct bench_run *run) {
    struct xdp_world *w = context;
    return load_start(&w->load, &w->ns, &w->processors, &w->options, run);
}

/* A load that does not wait for answers does not end either. */
static int xdp_packets(struct xdp_world *w, double *values, struct bench_run *run) {
    if (xdp_start(w, run) < 0 || xdp_answer(w, w->options.warm, run) < 0) return -1;
    uint64_t start = bk_link_clock();
    double processor = bench_cpu_seconds();
    if (xdp_answer(w, w->options.count, run) < 0) return -1;
    if (load_ended(&w->load)) return load_result(&w->load, values, run);
    values[0] = (double)w->options.count * 1e9 / (double)(bk_link_clock() - start);
    values[1] = (bench_cpu_seconds() - processor) * 1e9 / (double)w->options.count;
    return 0;
}

/* Connections, or bytes: the load tells how fast it was. */
static int xdp_asked(struct xdp_world *w, double *values, struct bench_run *run) {
    double processor = bench_cpu_seconds();
    int r = w->parameters->who == XDP_KERNEL ? load_serve_by_kernel(&w->other, &w->load, xdp_start, w, run)
                                             : xdp_start(w, run);
    if (r == 0 && w->parameters->who != XDP_KERNEL) r = xdp_answer(w, UINT64_MAX / 2, run);
    if (r < 0 || load_result(&w->load, values, run) < 0) return -1;
    values[1] = (bench_cpu_seconds() - processor) * 1e9 / (double)(w->options.warm + w->options.count);
    return 0;
}

static int xdp_measure(struct xdp_world *w, double *values, struct bench_run *run) {
    enum xdp_who who = w->parameters->who;
    if (kernel_namespace(&w->ns, run) < 0) return -1;
    /* A port for each connection of a run, and as many again: the kernel takes the second half of its range only after a look at all of the first. */
    if (kernel_set(&w->ns, "/proc/sys/net/ipv4/ip_local_port_range", "1024 65535", run) < 0) return -1;
    if (who != XDP_TAP && (kernel_namespace(&w->other, run) < 0 || kernel_veth(&w->ns, &w->other, run) < 0)) return -1;
    if ((who == XDP_TAP && xdp_tap(w, run) < 0) || (who == XDP_XDP && xdp_veth(w, run) < 0)) return -1;
    bool asks = w->options.kind == LOAD_CONNECTIONS || w->options.kind == LOAD_BYTES;
    return asks ? xdp_asked(w, values, run) : xdp_packets(w, values, run);
}

static int xdp_run(const struct bench_case *c, struct bench_run *run, double *values) {
    const struct xdp_parameters *p = c->parameters;
    struct xdp_world w = {.parameters = p, .ns = {.fd = -1, .home = -1}, .other = {.fd = -1, .home = -1}};
    uint64_t count = run->quick || run->verify ? p->count / 20 : p->count;
    w.options = (struct load_options){
        .kind = p->load, .at_once = p->at_once, .warm = count / 10, .count = count, .device = "bench0"};
    kernel_pin(&w.processors);
    int r = xdp_measure(&w, values, run);
    load_stop(&w.load);
    bk_link_close(w.link);
    bench_stack_destroy(&w.memory);
    netns_destroy(&w.ns);
    netns_destroy(&w.other);
    kernel_unpin(&w.processors);
    return r;
}

static int xdp_available(struct bench_run *run) {
    return kernel_available(run) < 0 ? -1 : device_xdp_available(run);
}

static const struct bench_metric xdp_metrics[] = {{"rate", "/s", 0}, {"processor time of who answers", "ns", 0}};

#define XDP_CASE(who, load, at_once, count)                                                                            \
    &(const struct xdp_parameters) {                                                                                   \
        who, load, at_once, count                                                                                      \
    }
#define XDP_TARGET(value) .target = {{BENCH_RATIO, value, false}}, .targets = 1
static const struct bench_case xdp_cases[] = {
    {.name = "received-tap",
     .about = "60-byte ICMP echo replies that nobody asked for, taken in by Beckon behind TAP",
     .parameters = XDP_CASE(XDP_TAP, LOAD_REPLIES, 0, 1000000)},
    {.name = "received-xdp",
     .about = "the same by Beckon on AF_XDP",
     .parameters = XDP_CASE(XDP_XDP, LOAD_REPLIES, 0, 1000000),
     .peer = "received-tap",
     XDP_TARGET(2)},
    {.name = "answered-tap",
     .about = "60-byte ICMP echo requests, answered by Beckon behind TAP",
     .parameters = XDP_CASE(XDP_TAP, LOAD_REQUESTS, 0, 1000000)},
    {.name = "answered-xdp",
     .about = "the same by Beckon on AF_XDP",
     .parameters = XDP_CASE(XDP_XDP, LOAD_REQUESTS, 0, 1000000),
     .peer = "answered-tap",
     XDP_TARGET(2)},
    {.name = "connections-kernel",
     .about = "short connections, 64 at once, served by the kernel over veth",
     .parameters = XDP_CASE(XDP_KERNEL, LOAD_CONNECTIONS, 64, 16000)},
    {.name = "connections-xdp",
     .about = "the same by Beckon on AF_XDP",
     .parameters = XDP_CASE(XDP_XDP, LOAD_CONNECTIONS, 64, 16000),
     .peer = "connections-kernel",
     XDP_TARGET(1)},
    {.name = "connections-tap",
     .about = "the same by Beckon behind TAP",
     .parameters = XDP_CASE(XDP_TAP, LOAD_CONNECTIONS, 64, 16000),
     .peer = "connections-kernel"},
    {.name = "single-kernel",
     .about = "short connections, one after the other, served by the kernel over veth",
     .parameters = XDP_CASE(XDP_KERNEL, LOAD_CONNECTIONS, 1, 16000)},
    {.name = "single-xdp",
     .about = "the same by Beckon on AF_XDP",
     .parameters = XDP_CASE(XDP_XDP, LOAD_CONNECTIONS, 1, 16000),
     .peer = "single-kernel",
     XDP_TARGET(1)},
    {.name = "bytes-kernel",
     .about = "one byte there and back after the other, answered by the kernel over veth",
     .parameters = XDP_CASE(XDP_KERNEL, LOAD_BYTES, 1, 50000)},
    {.name = "bytes-xdp",
     .about = "the same by Beckon on AF_XDP",
     .parameters = XDP_CASE(XDP_XDP, LOAD_BYTES, 1, 50000),
     .peer = "bytes-kernel",
     XDP_TARGET(1)},
};

const struct bench_workload bench_xdp = {
    .name = "xdp",
    .about = "small packets, short connections and round trips through AF_XDP on veth, beside TAP and the kernel",
    .metrics = xdp_metrics,
    .metric_count = BK_COUNT(xdp_metrics),
    .cases = xdp_cases,
    .case_count = BK_COUNT(xdp_cases),
    .available = xdp_available,
    .run = xdp_run,
};
