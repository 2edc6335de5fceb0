/* The workload `flood`: SYNs from spoofed addresses beside a live flow, in one thread and in memory.
 *
 * The live flow is that of `bulk`: two stacks, buffers of 256 KiB, as fast as the processor lets it. SYNs come to the
 * receiving stack through an interface of their own, and its SYN-ACKs leave there and are dropped. Who makes the SYNs
 * has a processor of his own: making them is not timed, and as many come as he makes in the processor time that the
 * flow and the flood take together. So a SYN that costs c against a rate of R takes R * c of the processor away from
 * the flow, and the ratio to the flow alone is 1 - R * c.
 *
 * The highest rate of one processor is measured at the beginning of each run: SYNs, each with an address, port, number
 * and checksum of its own, handed to a socket of this machine, 64 a call, which is the least that anybody pays to send
 * a frame from a process. `-line-rate` is what 10 Gbit/s Ethernet carries of frames of minimum size; no processor here
 * can send that.
 *
 * What comes in while the stack is at work waits in a ring, as in a device; what finds it full is lost there. In each
 * turn the ring is emptied once: so a flood beyond all bounds takes a bounded share of each turn.
 *
 * A verifying run gives so many SYNs to each turn, checks the flow's bytes, and that each SYN has been answered.
 */
#define _GNU_SOURCE 1
#include "flow.h"
#include "syn.h"
#include "world.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/trace.h"

#define FLOOD_BUFFER    262144u
#define FLOOD_BYTES     (UINT64_C(1) << 29)
#define FLOOD_EVENTS    16u
#define FLOOD_BATCH     64u
#define FLOOD_RING      1024u
#define FLOOD_LINE_RATE 14880952.0 /* frames of 64 bytes, with preamble and gap, in 10 Gbit/s */
#define FLOOD_VERIFIED  192u       /* SYNs a turn of a verifying run */

enum flood_rate { FLOOD_NONE, FLOOD_HIGHEST, FLOOD_LINE };

struct flood_parameters {
    enum flood_rate rate;
    uint32_t requests; /* how many the stack may hold */
    bool full;         /* they are taken before the timing begins: cookies answer */
};

struct flood {
    struct bench_world world;
    struct flow_source source;
    struct flow_sink sink;
    struct syn_source syn;
    bk_listener listener, victim;
    uint32_t iface;
    bool accepted;
    double rate;          /* SYNs a second, at most */
    double begun, making; /* processor time: when the timing began, and spent since then on what is not timed */
    double flooded;       /* spent on SYNs */
    uint64_t due, given,
        answered; /* SYNs: that came to the ring or were lost there; that the stack got; segments back */
};

static struct flood flood; /* large, and one at a time */

/* ---- the generator --------------------------------------------------------------------------------- */

/* Seconds that a batch takes to be made and sent. */
static double flood_send_batch(struct syn_source *s, int fd) {
    uint8_t frame[FLOOD_BATCH][SYN_LENGTH_MAX];
    struct iovec iov[FLOOD_BATCH];
    struct mmsghdr message[FLOOD_BATCH];
    memset(message, 0, sizeof message);
    double t = bench_cpu_seconds();
    for (uint32_t i = 0; i < FLOOD_BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = frame[i], .iov_len = syn_next(s, frame[i])};
        message[i].msg_hdr.msg_iov = &iov[i];
        message[i].msg_hdr.msg_iovlen = 1;
    }
    int n = sendmmsg(fd, message, FLOOD_BATCH, MSG_DONTWAIT);
    t = bench_cpu_seconds() - t;
    return n == (int)FLOOD_BATCH ? t : 0;
}

/* SYNs a second that one processor makes and sends, at best. */
static int flood_highest(struct syn_source *s, double *rate, struct bench_run *run) {
    uint8_t away[SYN_LENGTH_MAX];
    double best = 0;
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0) return bench_fail(run, "socketpair: %s", strerror(errno));
    for (uint32_t i = 0; i < 200; i++) {
        double t = flood_send_batch(s, fd[0]);
        if (t > 0 && (best == 0 || t < best)) best = t;
        while (recv(fd[1], away, sizeof away, MSG_DONTWAIT) > 0) {
        }
    }
    close(fd[0]);
    close(fd[1]);
    if (best == 0) return bench_fail(run, "a socket takes no %u frames at once", FLOOD_BATCH);
    *rate = FLOOD_BATCH / best;
    return 0;
}

/* ---- the flood ------------------------------------------------------------------------------------- */

/* Gives n SYNs to the stack, a batch at most: each in a chunk, as a link does. Returns how many found one. */
static size_t flood_batch(struct flood *f, size_t n, uint64_t now) {
    static uint8_t frame[FLOOD_BATCH][SYN_LENGTH_MAX];
    bk_stack *stack = f->world.stack[1];
    struct bk_part part[FLOOD_BATCH];
    struct bk_rx rx[FLOOD_BATCH];
    uint32_t chunk[FLOOD_BATCH];
    size_t length = 0;
    double t = bench_cpu_seconds();
    for (size_t i = 0; i < n; i++) length = syn_next(&f->syn, frame[i]);
    double made = bench_cpu_seconds();
    n = bk_chunk_alloc(stack, chunk, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(bk_chunk_data(stack, chunk[i]), frame[i], length);
        part[i] = (struct bk_part){.chunk = chunk[i], .length = (uint16_t)length};
        rx[i] = (struct bk_rx){.parts = &part[i], .part_count = 1};
    }
    bk_input(stack, f->iface, rx, n, now);
    f->answered += syn_drop_output(stack, f->iface, now);
    f->given += n;
    f->making += made - t;
    f->flooded += bench_cpu_seconds() - made;
    return n;
}

static int flood_give(struct flood *f, uint64_t n, uint64_t now, struct bench_run *run) {
    while (n > 0) {
        size_t given = flood_batch(f, (size_t)u64_min(n, FLOOD_BATCH), now);
        if (given == 0) return bench_fail(run, "the stack has no chunk for a SYN");
        n -= given;
    }
    return 0;
}

/* What has come in since the last turn. */
static int flood_turn(struct flood *f, uint64_t now, struct bench_run *run) {
    if (f->rate <= 0) return 0;
    if (run->virtual_time) return flood_give(f, FLOOD_VERIFIED, now, run);
    uint64_t due = (uint64_t)((bench_cpu_seconds() - f->begun - f->making) * f->rate), came = due - f->due;
    f->due = due;
    return flood_give(f, u64_min(came, FLOOD_RING), now, run);
}

/* ---- the live flow --------------------------------------------------------------------------------- */

static void flood_hear(struct flood *f, bk_stack *stack, uint64_t now) {
    struct bk_ready events[FLOOD_EVENTS];
    size_t n = bk_ready_poll(stack, events, FLOOD_EVENTS);
    for (size_t i = 0; i < n; i++) {
        if (events[i].listener && !f->accepted && bk_tcp_accept(stack, f->listener, 0, now, &f->sink.conn) == 0)
            f->accepted = f->sink.ready = true;
        if (stack == f->source.stack) flow_source_hear(&f->source, &events[i]);
        if (stack == f->sink.stack && f->accepted) flow_sink_hear(&f->sink, &events[i]);
    }
}

/* Goes on until `total` bytes have been written and read. */
static int flood_transfer(struct flood *f, uint64_t total, struct bench_run *run) {
    bool busy = true;
    f->source.total = total;
    while (f->sink.received < total) {
        uint64_t now = bench_clock_read(&f->world.clock);
        if (flood_turn(f, now, run) < 0 || bench_world_turn(&f->world, now, busy) < 0) return -1;
        for (uint32_t i = 0; i < 2; i++) flood_hear(f, f->world.stack[i], now);
        int in = flow_sink_work(&f->sink, now, run), out = flow_source_work(&f->source, now, run);
        if (in < 0 || out < 0) return -1;
        busy = in + out > 0;
    }
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------------ */

static int flood_open(struct flood *f, const struct flood_parameters *p, struct bench_run *run) {
    struct bench_world *w = &f->world;
    struct bk_config config;
    const bk_addr any = bk_addr_ipv4(0, 0, 0, 0), victim = bk_addr_ipv4(192, 0, 2, 1);
    bench_bulk_config(&config, FLOOD_BUFFER);
    config.requests_ipv4 = p->requests;
    memset(f, 0, sizeof *f);
    if (bench_world_open(w, BENCH_MEMORY, &config, 1, run) < 0) return -1;
    f->source.stack = w->stack[0];
    f->sink.stack = w->stack[1];
    f->source.verify = f->sink.verify = run->verify;
    f->syn = (struct syn_source){.to = victim, .port = BENCH_PORT + 1};
    const struct bk_tcp_open open = {.remote = w->server, .remote_port = BENCH_PORT};
    int iface = syn_iface(w->stack[1], &victim, w->clock.now), r = iface;
    if (r >= 0) r = bk_tcp_listen(w->stack[1], &any, BENCH_PORT, 1, 0, w->clock.now, &f->listener);
    if (r >= 0) r = bk_tcp_listen(w->stack[1], &any, f->syn.port, 1024, 0, w->clock.now, &f->victim);
    if (r >= 0) r = bk_tcp_connect(w->stack[0], &open, w->clock.now, &f->source.conn);
    if (r < 0) return bench_fail(run, "cannot open the connection: %s", strerror(-r));
    f->iface = (uint32_t)iface;
    return p->full ? flood_give(f, p->requests, w->clock.now, run) : 0;
}

/* Each SYN was answered: with a request's SYN-ACK, or a cookie. */
static int flood_check(const struct flood *f, uint64_t given, struct bench_run *run) {
    const bk_stack *stack = f->world.stack[1];
    uint64_t answers =
        bk_reason_count(stack, BK_REASON_ACCEPT_SYN) + bk_reason_count(stack, BK_REASON_ACCEPT_SYN_COOKIE);
    if (answers == f->given + 1 && (given > 0) == (f->rate > 0)) return 0; /* the live flow's own SYN, too */
    return bench_fail(run, "%llu SYNs, %llu of them answered", (unsigned long long)f->given + 1,
                      (unsigned long long)answers);
}

static int flood_timed(struct flood *f, const struct flood_parameters *p, struct bench_run *run, double *values) {
    uint64_t bytes = run->quick || run->verify ? FLOOD_BYTES / 64 : FLOOD_BYTES, before = bytes / 8 + FLOOD_BUFFER;
    if (flood_transfer(f, before, run) < 0) return -1;
    struct syn_source elsewhere = f->syn;
    if (p->rate == FLOOD_HIGHEST && flood_highest(&elsewhere, &f->rate, run) < 0) return -1;
    if (p->rate == FLOOD_LINE) f->rate = FLOOD_LINE_RATE;
    uint64_t given = f->given;
    size_t used = bk_used_extent(f->world.stack[1]);
    f->making = f->flooded = 0;
    f->begun = bench_cpu_seconds();
    if (flood_transfer(f, before + bytes, run) < 0) return -1;
    double t = bench_cpu_seconds() - f->begun - f->making;
    given = f->given - given;
    if (t <= 0) return bench_fail(run, "too short to be timed");
    values[0] = (double)bytes * 8e-9 / t;
    values[1] = (double)given * 1e-6 / t;
    values[2] = given > 0 ? f->flooded * 1e9 / (double)given : 0;
    values[3] = (double)(bk_used_extent(f->world.stack[1]) - used) / 1024;
    return run->verify ? flood_check(f, given, run) : 0;
}

static int flood_run(const struct bench_case *c, struct bench_run *run, double *values) {
    int r = flood_open(&flood, c->parameters, run);
    if (r == 0) r = flood_timed(&flood, c->parameters, run, values);
    bench_world_close(&flood.world);
    return r;
}

#define FLOOD_REQUESTS (1u << 20)
static const struct flood_parameters flood_quiet = {FLOOD_NONE, 1024, false},
                                     flood_requests = {FLOOD_HIGHEST, FLOOD_REQUESTS, false},
                                     flood_cookies = {FLOOD_HIGHEST, 1024, true},
                                     flood_line_rate = {FLOOD_LINE, 1024, true};

/* Nothing but SYNs, answered with cookies. */
static int flood_guard(uint64_t n, struct bench_run *run) {
    int r = flood_open(&flood, &flood_cookies, run);
    if (r == 0) r = flood_give(&flood, n, flood.world.clock.now, run);
    bench_world_close(&flood.world);
    return r;
}

static const struct bench_metric flood_metrics[] = {
    {"goodput of the live flow", "Gbit/s per core", 2},
    {"SYNs taken", "million/s", 2},
    {"time per SYN", "ns", 0},
    {"memory taken", "KiB", 0},
};

#define FLOOD_PEER   .peer = "quiet"
#define FLOOD_TARGET .target = {{BENCH_RATIO, 0.9, false}}, .targets = 1
static const struct bench_case flood_cases[] = {
    {.name = "quiet", .about = "the flow alone", .parameters = &flood_quiet},
    {.name = "requests",
     .about = "one processor's highest rate, each SYN becomes a request (room for 1,048,576)",
     .parameters = &flood_requests,
     FLOOD_PEER,
     FLOOD_TARGET},
    {.name = "cookies",
     .about = "one processor's highest rate, the 1,024 requests are taken: each SYN is answered with a cookie",
     .parameters = &flood_cookies,
     FLOOD_PEER,
     FLOOD_TARGET},
    {.name = "cookies-line-rate",
     .about = "likewise, at 14.88 million SYNs a second; what the ring of 1,024 cannot hold is lost",
     .parameters = &flood_line_rate,
     FLOOD_PEER},
};

const struct bench_workload bench_flood = {
    .name = "flood",
    .about = "a flood of SYNs from spoofed addresses beside a live bulk flow, in memory",
    .metrics = flood_metrics,
    .metric_count = BK_COUNT(flood_metrics),
    .cases = flood_cases,
    .case_count = BK_COUNT(flood_cases),
    .run = flood_run,
    .guard = flood_guard,
    .guard_unit = "SYN",
};
