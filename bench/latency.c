/* The workload `latency`: one byte there, one byte back, again; and how long each round trip takes.
 *
 * In memory both ends are stacks of this thread, and a round trip is all that both do for it: two segments, each with
 * the ACK of the other one's byte. The loop is an embedder's: it reads the clock once a turn, and these readings are
 * the times, so that the measuring costs nothing of its own.
 *
 * Through a device, Beckon asks and the kernel of a namespace answers, beside the kernel asking the kernel over veth
 * and over the loopback in the same round: two processes, on different processors. Both ends either sleep until
 * something comes, as programs do, or spin: then no time goes into waking a process up, and what is left is the
 * stacks'. Beckon's process reads frames and the kernel's answers in its process's own calls, so neither has a thread
 * between.
 */
#define _GNU_SOURCE 1
#include "pingpong.h"

#include <errno.h>
#include <string.h>

#include "base/common.h"
#include "device.h"
#include "kernel.h"
#include "world.h"

#define LATENCY_EVENTS   8u
#define LATENCY_BUFFER   65536u
#define LATENCY_PATIENCE (10 * NS_PER_S)
#define LATENCY_TIME     (3 * NS_PER_S) /* of a run through a device, at most */
#define LATENCY_WARM     64u

enum latency_ends { LATENCY_MEMORY, LATENCY_TAP, LATENCY_VETH, LATENCY_LOOPBACK };

struct latency_parameters {
    enum latency_ends ends;
    bool spin;
    uint64_t count;
};

/* The side that asks: its connection, and how far it has come. */
struct latency_asker {
    bk_stack *stack;
    bk_conn conn;
    uint64_t answered, warm, before;
    uint64_t count, time; /* it asks so often, and not after so many ns of what is timed */
    uint64_t begun;
    bool done; /* it has the last answer */
    struct pingpong times;
};

static int latency_ask(struct latency_asker *a, uint64_t now, struct bench_run *run) {
    uint8_t byte = pingpong_byte(a->answered);
    ptrdiff_t n = bk_tcp_send(a->stack, a->conn, &byte, 1, 0, now);
    return n == 1 ? 0 : bench_fail(run, "sending fails: %s", strerror((int)-n));
}

/* Takes the answer, notes how long it took, and asks again. */
static int latency_answer(struct latency_asker *a, uint64_t now, struct bench_run *run) {
    uint8_t answer = 0, complement = (uint8_t)~pingpong_byte(a->answered);
    ptrdiff_t n = bk_tcp_receive(a->stack, a->conn, &answer, 1, now);
    if (n != 1 || answer != complement)
        return bench_fail(run, "answer %llu is wrong: %s", (unsigned long long)a->answered,
                          n < 0 ? strerror((int)-n) : "another byte, or none");
    if (a->answered++ >= a->warm) pingpong_note(&a->times, now - a->before);
    a->before = now;
    if (a->answered <= a->warm) a->begun = now;
    a->done = a->answered == a->count || now - a->begun >= a->time;
    return a->done ? 0 : latency_ask(a, now, run);
}

/* Returns how many events there were, or -1. */
static int latency_hear(struct latency_asker *a, uint64_t now, struct bench_run *run) {
    struct bk_ready events[LATENCY_EVENTS];
    size_t n = bk_ready_poll(a->stack, events, LATENCY_EVENTS);
    for (size_t i = 0; i < n; i++) {
        if (events[i].what & BK_READY_CLOSED) return bench_fail(run, "the connection ended");
        if ((events[i].what & BK_READY_CONNECTED) && latency_ask(a, now, run) < 0) return -1;
        if ((events[i].what & BK_READY_READABLE) && latency_answer(a, now, run) < 0) return -1;
    }
    return (int)n;
}

static int latency_open(struct latency_asker *a, bk_stack *stack, const bk_addr *to, uint16_t port, uint64_t now,
                        struct bench_run *run) {
    const struct bk_tcp_open open = {.remote = *to, .remote_port = port};
    a->stack = stack;
    int r = bk_tcp_connect(stack, &open, now, &a->conn);
    return r < 0 ? bench_fail(run, "connect: %s", strerror(-r)) : 0;
}

/* ---- in memory ------------------------------------------------------------------------------------- */

/* The side that answers. Returns how many events there were, or -1. */
static int latency_serve(bk_stack *stack, bk_listener listener, uint64_t now, struct bench_run *run) {
    struct bk_ready events[LATENCY_EVENTS];
    size_t n = bk_ready_poll(stack, events, LATENCY_EVENTS);
    for (size_t i = 0; i < n; i++) {
        bk_conn conn = {events[i].index, events[i].generation};
        if (events[i].listener && bk_tcp_accept(stack, listener, 0, now, &conn) < 0) continue;
        uint8_t byte;
        ptrdiff_t r = bk_tcp_receive(stack, conn, &byte, 1, now);
        if (r == -EAGAIN) continue;
        byte = (uint8_t)~byte;
        if (r == 1) r = bk_tcp_send(stack, conn, &byte, 1, 0, now);
        if (r != 1) return bench_fail(run, "answering fails: %s", strerror((int)-r));
    }
    return (int)n;
}

static int latency_memory_pass(struct bench_world *w, struct latency_asker *a, bk_listener listener,
                               struct bench_run *run) {
    bool busy = true;
    while (!a->done) {
        uint64_t now = bench_clock_read(&w->clock);
        if (bench_world_turn(w, now, busy) < 0) return -1;
        int served = latency_serve(w->stack[1], listener, now, run), heard = latency_hear(a, now, run);
        if (served < 0 || heard < 0) return -1;
        busy = served + heard > 0;
    }
    return 0;
}

static int latency_memory(struct latency_asker *a, struct bench_run *run) {
    struct bench_world w;
    struct bk_config config;
    bk_listener listener;
    const bk_addr any = bk_addr_ipv4(0, 0, 0, 0);
    bench_bulk_config(&config, LATENCY_BUFFER);
    a->time = BK_NEVER;
    int r = bench_world_open(&w, BENCH_MEMORY, &config, 1, run);
    if (r == 0 && bk_tcp_listen(w.stack[1], &any, BENCH_PORT, 1, 0, w.clock.now, &listener) < 0)
        r = bench_fail(run, "cannot listen");
    if (r == 0) r = latency_open(a, w.stack[0], &w.server, BENCH_PORT, w.clock.now, run);
    if (r == 0) r = latency_memory_pass(&w, a, listener, run);
    bench_world_close(&w);
    return r;
}

/* ---- through a device ------------------------------------------------------------------------------ */

static int latency_tap_pass(struct device *d, struct latency_asker *a, bool spin, struct bench_run *run) {
    uint64_t progress = bk_link_clock();
    a->time = LATENCY_TIME;
    while (!a->done) {
        uint64_t now = bk_link_clock();
        int moved = device_pump(d, now, run);
        int heard = moved < 0 ? moved : latency_hear(a, now, run);
        if (heard < 0) return -1;
        if (moved + heard > 0)
            progress = now;
        else if (now - progress > LATENCY_PATIENCE)
            return bench_fail(run, "nothing moves any more");
        else if (!spin && !bk_link_busy(d->link))
            device_sleep(d->stack, d->link, now, now + NS_PER_S);
    }
    return 0;
}

/* Ends the connection, so that the kernel's process can end. */
static int latency_tap_end(struct device *d, struct latency_asker *a, struct kernel_peer *peer, struct bench_run *run) {
    bk_tcp_close(d->stack, a->conn, bk_link_clock());
    for (int i = 0; i < 4; i++)
        if (device_pump(d, bk_link_clock(), run) < 0) return -1;
    return kernel_finish(peer, run);
}

static int latency_tap(struct latency_asker *a, bool spin, struct bench_run *run) {
    struct device d;
    struct bk_config config;
    struct kernel_peer peer = {0};
    cpu_set_t processors;
    const bk_addr to = device_kernel_address();
    bench_bulk_config(&config, LATENCY_BUFFER);
    kernel_pin(&processors);
    int r = device_open(&d, &config, false, run);
    if (r == 0) r = kernel_start(&peer, &d.ns, &processors, spin ? KERNEL_ECHO_SPINNING : KERNEL_ECHO, 0, run);
    if (r == 0) r = latency_open(a, d.stack, &to, KERNEL_PORT, bk_link_clock(), run);
    if (r == 0) r = latency_tap_pass(&d, a, spin, run);
    if (r == 0) r = latency_tap_end(&d, a, &peer, run);
    kernel_kill(&peer);
    device_close(&d);
    kernel_unpin(&processors);
    return r;
}

/* ---- the workload ---------------------------------------------------------------------------------- */

static int latency_run(const struct bench_case *c, struct bench_run *run, double *values) {
    const struct latency_parameters *p = c->parameters;
    uint64_t count = run->quick || run->verify ? p->count / 64 : p->count;
    uint64_t warm = p->ends == LATENCY_MEMORY ? count / 16 : LATENCY_WARM;
    if (p->ends == LATENCY_VETH || p->ends == LATENCY_LOOPBACK) {
        const struct pingpong_options options = {.link = p->ends == LATENCY_VETH ? PINGPONG_VETH : PINGPONG_LOOPBACK,
                                                 .spin = p->spin,
                                                 .warm = warm,
                                                 .count = count,
                                                 .time = LATENCY_TIME};
        return pingpong_kernels(&options, values, run);
    }
    struct latency_asker a = {.warm = warm, .count = warm + count};
    int r = pingpong_begin(&a.times, count, run);
    if (r == 0 && p->ends == LATENCY_MEMORY) r = latency_memory(&a, run);
    if (r == 0 && p->ends == LATENCY_TAP) {
        kernel_hurry(!p->spin);
        r = latency_tap(&a, p->spin, run);
        kernel_hurry(false);
    }
    if (r == 0) r = pingpong_values(&a.times, values, run);
    pingpong_end(&a.times);
    return r;
}

static int latency_guard(uint64_t n, struct bench_run *run) {
    struct latency_asker a = {.warm = n, .count = n};
    return latency_memory(&a, run);
}

#define LATENCY_COUNT  UINT64_C(1000000)
#define LATENCY_DEVICE UINT64_C(50000)
static const struct latency_parameters latency_in_memory = {LATENCY_MEMORY, false, LATENCY_COUNT},
                                       latency_loopback = {LATENCY_LOOPBACK, false, LATENCY_DEVICE},
                                       latency_veth = {LATENCY_VETH, false, LATENCY_DEVICE},
                                       latency_device = {LATENCY_TAP, false, LATENCY_DEVICE},
                                       latency_veth_spinning = {LATENCY_VETH, true, LATENCY_DEVICE},
                                       latency_device_spinning = {LATENCY_TAP, true, LATENCY_DEVICE};

static const struct bench_case latency_cases[] = {
    {.name = "memory",
     .about = "between two stacks over the memory link, both ends in one thread",
     .parameters = &latency_in_memory,
     .target = {{0, 400, true}},
     .targets = 1},
    {.name = "loopback",
     .about = "between two kernel sockets over the loopback",
     .parameters = &latency_loopback,
     .available = kernel_available},
    {.name = "veth",
     .about = "between two kernels over veth",
     .parameters = &latency_veth,
     .available = kernel_available},
    {.name = "tap",
     .about = "Beckon asks, the kernel answers, through a TAP device",
     .parameters = &latency_device,
     .peer = "veth",
     .target = {{BENCH_RATIO, 1, true}},
     .targets = 1,
     .available = kernel_available},
    {.name = "veth-spinning",
     .about = "between two kernels over veth, neither end sleeps",
     .parameters = &latency_veth_spinning,
     .available = kernel_available},
    {.name = "tap-spinning",
     .about = "through a TAP device, neither end sleeps",
     .parameters = &latency_device_spinning,
     .peer = "veth-spinning",
     .target = {{BENCH_RATIO, 1, true}},
     .targets = 1,
     .available = kernel_available},
};

const struct bench_workload bench_latency = {
    .name = "latency",
    .about = "one byte there and one back, again and again: percentiles of the round trip's time",
    .metrics = pingpong_metrics,
    .metric_count = PINGPONG_METRICS,
    .cases = latency_cases,
    .case_count = BK_COUNT(latency_cases),
    .run = latency_run,
    .guard = latency_guard,
    .guard_unit = "round trip",
};
