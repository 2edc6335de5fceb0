/* The workload `path`: Beckon beside the kernel on the same impaired path, in wall time.
 *
 *     sender --> TAP or socket --> bridge (rate, queue, delay, loss; bridge.h) --> TAP or socket --> receiver
 *
 * The path is the same for all: 100 Mbit/s each way, a queue of one bandwidth-delay product (or 100 frames, if that is more), half of the
 * RTT and the loss each way. Three cases are measured on each: the kernel sends to the kernel of another namespace, Beckon sends to the kernel, the
 * kernel sends to Beckon. In a round, the fates of the frames are drawn from the same seed for all three. Where loss makes flows slow, several of
 * them run at once, each on a path of its own, so that a run has seen more losses; the figure is the mean of theirs.
 *
 * Frames have 1,514 bytes at most, whoever sends them: a TAP device that was opened without offloads makes the kernel cut its
 * units before they leave, Beckon's link does so itself, and what is written to a TAP reaches the kernel's TCP one frame at a time, as it does Beckon's. The bridge
 * refuses larger frames, and the run then fails. Congestion control is cubic on each side.
 *
 * The kernel's settings are Linux's own defaults, whatever this machine has: tcp_rmem 4096 131072 6291456, tcp_wmem 4096 16384 4194304, timestamps, SACK, window
 * scaling on. Beckon's are its own defaults.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "bridge.h"
#include "device.h"
#include "flow.h"
#include "kernel.h"
#include "timed.h"
#include "world.h"

#define PATH_RATE     UINT64_C(100000000)
#define PATH_FRAMES   100u
#define PATH_MTU      1500u
#define PATH_FRAME    (PATH_MTU + 14)
#define PATH_PORT     5001u
#define PATH_DURATION (10 * NS_PER_S)
#define PATH_QUICK    (300 * NS_PER_MS)
#define PATH_PATIENCE (30 * NS_PER_S)
#define PATH_EVENTS   16u

enum path_who { PATH_KERNELS, PATH_BECKON_SENDS, PATH_BECKON_RECEIVES };

struct path_case {
    uint32_t rtt_ms, loss_ppm, flows;
    enum path_who who;
};

struct path_world {
    const struct path_case *c;
    struct netns ns[2]; /* the sender's and the receiver's, where they are kernels */
    int fd[2];          /* the bridge's ends */
    int socket;         /* Beckon's side of its end, until the link has it */
    struct bridge bridge;
    struct timed source, sink;
    struct bench_stack memory;
    bk_stack *stack;
    bk_link *link;
    bk_listener listener[BRIDGE_FLOWS];
    uint32_t opened;
    struct flow_source *sources; /* of flows, or NULL */
    struct flow_sink *sinks;
};

static bk_addr path_address(uint32_t end) {
    return bk_addr_ipv4(10, 0, 0, (uint8_t)(end + 1));
}

/* ---- setting up ------------------------------------------------------------------------------------ */

static int path_setting(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = write(fd, value, strlen(value)) < 0 ? errno : 0;
    close(fd);
    return -error;
}

static int path_kernel(struct path_world *w, uint32_t end, struct bench_run *run) {
    const struct netns_address address = {path_address(end), 24};
    const char *why;
    int r = netns_create(&w->ns[end], &why);
    if (r < 0) return bench_fail(run, "%s: %s", why, strerror(-r));
    r = netns_enter(&w->ns[end]);
    if (r == 0) r = path_setting("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 6291456");
    if (r == 0) r = path_setting("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 4194304");
    netns_leave(&w->ns[end]);
    if (r < 0) return bench_fail(run, "the settings of a namespace: %s", strerror(-r));
    w->fd[end] = bridge_tap(&w->ns[end], end == 0 ? "bench0" : "bench1", &address, run);
    return w->fd[end] < 0 ? -1 : 0;
}

static void path_configure(struct bk_config *c) {
    bk_config_default(c);
    c->connections = c->requests_ipv4 = c->requests_ipv6 = c->time_waits_ipv4 = c->time_waits_ipv6 = 64;
}

static int path_stack(struct path_world *w, uint32_t end, struct bench_run *run) {
    struct bk_config config;
    const struct bk_iface_config iface = {.layer = BK_LAYER_ETHERNET, .mac = {2, 0, 0, 0, 0, 1}, .mtu = PATH_MTU};
    uint64_t now = bk_link_clock();
    bk_addr addr = path_address(end);
    const char *why = "the sockets";
    int pair[2];
    path_configure(&config);
    if (bridge_sockets(pair, run) < 0) return -1;
    w->fd[end] = pair[0];
    w->socket = pair[1];
    if (bench_stack_create(&w->memory, &config, 1, now, run) < 0) return -1;
    w->stack = w->memory.stack;
    int r = bk_iface_add(w->stack, &iface, now);
    if (r >= 0) r = bk_iface_address_add(w->stack, 0, &addr, 24, true, now);
    const struct bk_tap_options options = {.fd = w->socket};
    if (r >= 0) r = bk_tap_open(w->stack, 0, &options, &w->link, &why);
    if (r < 0) return bench_fail(run, "cannot set the stack up: %s: %s", why, strerror(-r));
    w->socket = -1;
    return 0;
}

static int path_bridge(struct path_world *w, struct bench_run *run) {
    static const char *const who[] = {"kernels", "sends", "receives"};
    const struct path_case *c = w->c;
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/%ums-%g-%s-%u.pcapng", run->capture != NULL ? run->capture : "",
             (unsigned)c->rtt_ms, c->loss_ppm / 1e4, who[c->who], (unsigned)run->round);
    uint32_t bdp = (uint32_t)(PATH_RATE / 8 * c->rtt_ms / 1000);
    const struct bridge_options options = {
        .link = {.rate_bps = PATH_RATE,
                 .queue_bytes = u32_max(bdp, PATH_FRAMES * PATH_FRAME),
                 .delay_us = c->rtt_ms * 500,
                 .loss_ppm = c->loss_ppm,
                 .ethernet = true},
        .flows = c->flows,
        .port = PATH_PORT,
        .frame_max = PATH_FRAME,
        .seed = run->round + 1,
        .capture = run->capture != NULL ? file : NULL,
    };
    return bridge_start(&w->bridge, w->fd, &options, run);
}

static int path_open(struct path_world *w, struct bench_run *run) {
    w->sources = calloc(w->c->flows, sizeof *w->sources);
    w->sinks = calloc(w->c->flows, sizeof *w->sinks);
    if (w->sources == NULL || w->sinks == NULL) return bench_fail(run, "no memory");
    int r = w->c->who == PATH_BECKON_SENDS ? path_stack(w, 0, run) : path_kernel(w, 0, run);
    if (r == 0) r = w->c->who == PATH_BECKON_RECEIVES ? path_stack(w, 1, run) : path_kernel(w, 1, run);
    return r == 0 ? path_bridge(w, run) : r;
}

static void path_close(struct path_world *w) {
    timed_stop(&w->source, NULL);
    timed_stop(&w->sink, NULL);
    bridge_stop(&w->bridge, NULL);
    bk_link_close(w->link);
    bench_stack_destroy(&w->memory);
    for (uint32_t end = 0; end < 2; end++) {
        if (w->fd[end] >= 0) close(w->fd[end]);
        netns_destroy(&w->ns[end]);
    }
    if (w->socket >= 0) close(w->socket);
    free(w->sources);
    free(w->sinks);
}

/* ---- Beckon's users -------------------------------------------------------------------------------- */

static int path_connect(struct path_world *w, const struct bench_run *run) {
    for (uint32_t i = 0; i < w->c->flows; i++) {
        struct flow_source *s = &w->sources[i];
        const struct bk_tcp_open open = {.remote = path_address(1), .remote_port = (uint16_t)(PATH_PORT + i)};
        *s = (struct flow_source){.stack = w->stack, .total = UINT64_MAX, .verify = run->verify};
        int r = bk_tcp_connect(w->stack, &open, bk_link_clock(), &s->conn);
        if (r < 0) return r;
    }
    w->opened = w->c->flows;
    return 0;
}

static int path_listen(struct path_world *w) {
    const bk_addr any = {{0}};
    for (uint32_t i = 0; i < w->c->flows; i++) {
        int r = bk_tcp_listen(w->stack, &any, (uint16_t)(PATH_PORT + i), 1, i, bk_link_clock(), &w->listener[i]);
        if (r < 0) return r;
    }
    return 0;
}

static void path_accept(struct path_world *w, uint32_t i, const struct bench_run *run) {
    struct flow_sink *s = &w->sinks[i];
    if (bk_tcp_accept(w->stack, w->listener[i], 0, bk_link_clock(), &s->conn) != 0) return;
    s->stack = w->stack;
    s->verify = run->verify;
    s->ready = true;
    w->opened++;
}

static void path_hear(struct path_world *w, const struct bench_run *run) {
    struct bk_ready events[PATH_EVENTS];
    size_t n = bk_ready_poll(w->stack, events, PATH_EVENTS);
    for (size_t k = 0; k < n; k++) {
        if (events[k].listener) path_accept(w, (uint32_t)events[k].user, run);
        for (uint32_t i = 0; i < w->c->flows; i++) {
            if (w->c->who == PATH_BECKON_SENDS) flow_source_hear(&w->sources[i], &events[k]);
            if (w->sinks[i].stack != NULL) flow_sink_hear(&w->sinks[i], &events[k]);
        }
    }
}

static void path_sleep(const struct path_world *w, uint64_t until) {
    uint64_t now = bk_link_clock();
    device_sleep(w->stack, w->link, now, u64_min(until, now + 20 * NS_PER_MS));
}

static uint64_t path_received(const struct path_world *w) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w->c->flows; i++) sum += w->sinks[i].received;
    return sum;
}

/* Moves frames and data once. Returns whether anything moved, or -1. */
static int path_turn(struct path_world *w, struct bench_run *run) {
    uint64_t now = bk_link_clock();
    int moved = bk_link_pump(w->link, now);
    if (moved < 0) return bench_fail(run, "the bridge's socket: %s", strerror(-moved));
    path_hear(w, run);
    for (uint32_t i = 0; i < w->c->flows; i++) {
        int r = w->c->who == PATH_BECKON_SENDS ? flow_source_work(&w->sources[i], now, run)
                                               : flow_sink_work(&w->sinks[i], now, run);
        if (r < 0) return -1;
        moved += r;
    }
    return moved > 0 || bk_link_busy(w->link);
}

/* ---- runs ------------------------------------------------------------------------------------------ */

/* Beckon reads until its time is over, which begins with the first byte. */
static int path_receive(struct path_world *w, uint64_t duration, uint64_t *octets, struct bench_run *run) {
    uint64_t start = bk_link_clock(), until = BK_NEVER;
    while (bk_link_clock() < until) {
        int moved = path_turn(w, run);
        if (moved < 0) return -1;
        if (until == BK_NEVER && path_received(w) > 0) until = bk_link_clock() + duration;
        if (until == BK_NEVER && bk_link_clock() - start > PATH_PATIENCE) return bench_fail(run, "nothing arrives");
        if (moved == 0) path_sleep(w, until);
    }
    *octets = path_received(w);
    return 0;
}

/* Beckon writes, or two kernels talk, until the sink has had its time. */
static int path_send(struct path_world *w, uint64_t duration, struct bench_run *run) {
    uint64_t start = bk_link_clock();
    while (!timed_ended(&w->sink, false)) {
        int moved = w->c->who == PATH_BECKON_SENDS ? path_turn(w, run) : 0;
        if (moved < 0) /* it is the end that closes the connections */
            return timed_ended(&w->sink, true) ? 0 : -1;
        if (bk_link_clock() - start > duration + PATH_PATIENCE)
            return bench_fail(run, "the kernel's sink does not end");
        if (moved == 0 && w->c->who == PATH_BECKON_SENDS) path_sleep(w, BK_NEVER);
        if (w->c->who == PATH_KERNELS) (void)timed_ended(&w->sink, true);
    }
    return 0;
}

/* Of the sender: what part of its segments were sent again. */
static double path_retransmitted(const struct path_world *w) {
    if (w->c->who != PATH_BECKON_SENDS)
        return 100.0 * (double)w->source.report->retransmissions / (double)u64_max(w->source.report->segments, 1);
    struct bk_tcp_mib mib;
    bk_tcp_mib(w->stack, &mib);
    return 100.0 * (double)mib.retrans_segs / (double)u64_max(mib.out_segs, 1);
}

static int path_transfer(struct path_world *w, uint64_t duration, uint64_t *octets, struct bench_run *run) {
    const bk_addr to = path_address(1);
    const struct timed_options sink = {
        .flows = w->c->flows, .port = PATH_PORT, .congestion = "cubic", .duration = duration, .verify = run->verify};
    struct timed_options source = sink;
    source.to = &to;
    int r = w->c->who == PATH_BECKON_RECEIVES ? path_listen(w) : timed_sink(&w->sink, &w->ns[1], &sink, run);
    if (r == 0)
        r = w->c->who == PATH_BECKON_SENDS ? path_connect(w, run) : timed_source(&w->source, &w->ns[0], &source, run);
    if (r < 0) return run->why[0] != '\0' ? -1 : bench_fail(run, "opening: %s", strerror(-r));
    if (w->c->who == PATH_BECKON_RECEIVES) return path_receive(w, duration, octets, run);
    if (path_send(w, duration, run) < 0) return -1;
    *octets = w->sink.report->octets;
    return w->sink.report->failed ? bench_fail(run, "the kernel's sink did not get what was sent") : 0;
}

static int path_measure(struct path_world *w, uint64_t duration, double *values, struct bench_run *run) {
    uint64_t octets = 0;
    struct bridge_report seen;
    if (path_open(w, run) < 0 || path_transfer(w, duration, &octets, run) < 0) return -1;
    values[1] = path_retransmitted(w);
    bridge_stop(&w->bridge, &seen);
    if (seen.too_large > 0)
        return bench_fail(run, "%llu frames had more than %u bytes", (unsigned long long)seen.too_large, PATH_FRAME);
    values[0] = (double)octets * 8e3 / (double)duration / w->c->flows;
    values[2] = (double)seen.late_ns / 1e3 / (double)u64_max(seen.left, 1);
    return 0;
}

static int path_run(const struct bench_case *c, struct bench_run *run, double *values) {
    struct path_world w = {.c = c->parameters, .fd = {-1, -1}, .socket = -1};
    kernel_hurry(
        true); /* the kernel's TCP runs within the bridge's writes: who waits for a processor would be measured with the wait */
    w.ns[0] = w.ns[1] = (struct netns){.fd = -1, .home = -1};
    run->why[0] = '\0';
    int r = path_measure(&w, run->quick || run->verify ? PATH_QUICK : PATH_DURATION, values, run);
    path_close(&w);
    kernel_hurry(false);
    return r;
}

static const struct bench_metric path_metrics[] = {
    {"goodput", "Mbit/s", 2}, {"sent again", "% of segments", 2}, {"late in the bridge", "us", 0}};

/* The target is 1.000: a figure counts what the user has read, a read has up to 64 KiB, and that is half a thousandth of what 100 Mbit/s brings in 10 s. */
#define PATH_TARGET .target = {{BENCH_RATIO, 0.9995, false}}, .targets = 1
/* So many flows at once that a run has seen some hundred losses, if there are any. */
#define PATH_CASES(rtt, percent, ppm, n)                                                                               \
    {.name = #rtt "ms-" percent "-kernels",                                                                            \
     .about = "RTT " #rtt " ms, loss " percent " %: the kernel sends to the kernel",                                   \
     .parameters = &(const struct path_case){rtt##u, ppm, n, PATH_KERNELS}},                                           \
        {.name = #rtt "ms-" percent "-sends",                                                                          \
         .about = "Beckon sends to the kernel",                                                                        \
         .parameters = &(const struct path_case){rtt##u, ppm, n, PATH_BECKON_SENDS},                                   \
         .peer = #rtt "ms-" percent "-kernels",                                                                        \
         PATH_TARGET},                                                                                                 \
    {                                                                                                                  \
        .name = #rtt "ms-" percent "-receives", .about = "the kernel sends to Beckon",                                 \
        .parameters = &(const struct path_case){rtt##u, ppm, n, PATH_BECKON_RECEIVES},                                 \
        .peer = #rtt "ms-" percent "-kernels", PATH_TARGET                                                             \
    }
static const struct bench_case path_cases[] = {
    PATH_CASES(20, "0", 0, 1),       PATH_CASES(20, "0.1", 1000, 4),  PATH_CASES(20, "1", 10000, 8),
    PATH_CASES(20, "3", 30000, 8),   PATH_CASES(100, "0", 0, 1),      PATH_CASES(100, "0.1", 1000, 8),
    PATH_CASES(100, "1", 10000, 16), PATH_CASES(100, "3", 30000, 16),
};

const struct bench_workload bench_path = {
    .name = "path",
    .about = "beside the kernel on the same impaired path: 100 Mbit/s, cubic, goodput of a flow in 10 s",
    .metrics = path_metrics,
    .metric_count = BK_COUNT(path_metrics),
    .cases = path_cases,
    .case_count = BK_COUNT(path_cases),
    .available = kernel_available,
    .run = path_run,
    .by_name = true,
};
