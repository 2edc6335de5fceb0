/* The workload `connections`: handshake, one byte, one byte back, four-way close; and again.
 *
 * A client stack keeps so many connections going at once. A connection is through for the client when it has read the answer
 * and called CLOSE, and then the next one begins: the close goes on beside it, as it does in any program.
 * The client closes first and so has the TIME-WAITs, which are kept for their full time or until their pool is full: from then on each
 * close drops the oldest. The timed part begins with a full pool, and stays at a full pool. Clients' addresses
 * are so many that all tuples in TIME-WAIT, and those of the idle connections that stand beside, need less than half of the ephemeral ports.
 *
 * The server closes when it reads the client's end of data. Its ACK of the FIN has left by then, so the close is four
 * segments; a verifying run counts the segments and looks into the pools.
 */
#include "connections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

#define CONNECTIONS_EVENTS    128u
#define CONNECTIONS_IDLE      (UINT64_C(1) << 63) /* in the user's number of a connection that stays open */
#define CONNECTIONS_OPENING   64u                 /* idle ones that are opened at a time */
#define CONNECTIONS_HANDSHAKE 3u
#define CONNECTIONS_SEGMENTS  9u /* SYN, SYN-ACK, ACK; data, data; FIN, ACK, FIN, ACK */

/* The byte that connection number n sends; the server answers with its complement. */
static uint8_t connections_byte(uint64_t n) {
    return (uint8_t)(n * 167 + 13);
}

int connections_open(struct connections *s, const struct connections_parameters *p, const struct bk_steering *steering,
                     struct bench_run *run) {
    struct bk_config config;
    bk_config_default(&config);
    config.connections = p->idle + 4 * p->at_once + 16; /* closes overlap with the next ones' openings */
    config.requests_ipv4 = 4 * u32_max(p->at_once, CONNECTIONS_OPENING) + 16;
    config.time_waits_ipv4 = p->time_waits;
    config.requests_ipv6 = config.time_waits_ipv6 = 16;
    config.timestamps = false;
    if (steering != NULL) config.steering = *steering;
    config.quick_acks = 0; /* nine segments a connection: the ACK of a byte rides on the answer */
    *s = (struct connections){.parameters = p};
    uint32_t ports = (uint32_t)(config.ephemeral_last - config.ephemeral_first + 1);
    if (steering != NULL) ports /= steering->stacks; /* those of this stack, about */
    s->addresses = 1 + 2 * (p->time_waits + p->idle) / ports;
    if (bench_world_open(&s->world, BENCH_MEMORY, &config, s->addresses, run) < 0) return -1;
    for (uint32_t side = 0; side < 2; side++) bench_stack_huge_pages(&s->world.memory[side]);
    const bk_addr any = bk_addr_ipv4(0, 0, 0, 0);
    int r =
        bk_tcp_listen(s->world.stack[1], &any, BENCH_PORT, config.requests_ipv4, 0, s->world.clock.now, &s->listener);
    return r < 0 ? bench_fail(run, "cannot listen: %s", strerror(-r)) : 0;
}

void connections_close(struct connections *s) {
    bench_world_close(&s->world);
}

/* Says what went wrong, once; what is under way is let be. */
static void connections_fail(struct connections *s, const char *what, ptrdiff_t error) {
    if (s->failed) return;
    s->failed = true;
    bench_fail(s->world.run, "connection %llu: %s: %s", (unsigned long long)s->answered, what, strerror((int)-error));
}

/* ---- the client ---- */

/* The addresses take turns. */
static void connections_connect(struct connections *s, uint64_t n, uint64_t user, uint64_t now) {
    const struct bk_tcp_open open = {.local = bench_client_address((uint32_t)(n % s->addresses)),
                                     .remote = s->world.server,
                                     .remote_port = BENCH_PORT,
                                     .user = user};
    bk_conn conn;
    int r = bk_tcp_connect(s->world.stack[0], &open, now, &conn);
    if (r < 0) connections_fail(s, "connect", r);
}

static void connections_start(struct connections *s, uint64_t now) {
    connections_connect(s, s->started, s->started, now);
    s->started++;
}

static void connections_client(struct connections *s, const struct bk_ready *event, uint64_t now) {
    bk_stack *stack = s->world.stack[0];
    bk_conn conn = {event->index, event->generation};
    if (event->user & CONNECTIONS_IDLE) {
        s->idle++;
        return;
    }
    uint8_t byte = connections_byte(event->user), complement = (uint8_t)~byte;
    ptrdiff_t n;
    if (event->what & BK_READY_CONNECTED) {
        n = bk_tcp_send(stack, conn, &byte, 1, 0, now);
        if (n != 1) connections_fail(s, "send", n);
    }
    if (event->what & BK_READY_CLOSED) connections_fail(s, "it ended early", -ECONNABORTED);
    if (!(event->what & BK_READY_READABLE)) return;
    uint8_t answer[16];
    n = bk_tcp_receive(stack, conn, answer, sizeof answer, now);
    if (n != 1 || answer[0] != complement) {
        connections_fail(s, "the answer is wrong", n < 0 ? n : -EPROTO);
        return;
    }
    bk_tcp_close(stack, conn, now);
    s->answered++;
    if (s->started < s->to_start) connections_start(s, now);
}

/* ---- the server ---- */

static void connections_serve(struct connections *s, bk_conn conn, uint64_t now) {
    bk_stack *stack = s->world.stack[1];
    uint8_t data[16];
    ptrdiff_t n = bk_tcp_receive(stack, conn, data, sizeof data, now);
    if (n == 1) {
        data[0] = (uint8_t)~data[0];
        n = bk_tcp_send(stack, conn, data, 1, 0, now);
        if (n != 1) connections_fail(s, "the server's send", n);
        n = bk_tcp_receive(stack, conn, data, sizeof data, now);
    }
    if (n == 0) {
        bk_tcp_close(stack, conn, now);
        s->served++;
    } else if (n != -EAGAIN) {
        connections_fail(s, "the server's receive", n < 0 ? n : -EPROTO);
    }
}

static void connections_server(struct connections *s, const struct bk_ready *event, uint64_t now) {
    bk_conn conn = {event->index, event->generation};
    if (!event->listener) {
        connections_serve(s, conn, now);
        return;
    }
    while (bk_tcp_accept(s->world.stack[1], s->listener, 0, now, &conn) == 0) connections_serve(s, conn, now);
}

/* ---- both ---- */

static bool connections_hear(struct connections *s, uint32_t side, uint64_t now) {
    struct bk_ready events[CONNECTIONS_EVENTS];
    size_t n = bk_ready_poll(s->world.stack[side], events, CONNECTIONS_EVENTS);
    for (size_t i = 0; i < n; i++) {
        if (side == 0)
            connections_client(s, &events[i], now);
        else
            connections_server(s, &events[i], now);
    }
    return n > 0;
}

static int connections_turn(struct connections *s, bool *busy) {
    uint64_t now = bench_clock_read(&s->world.clock);
    if (bench_world_turn(&s->world, now, *busy) < 0) return -1;
    *busy = connections_hear(s, 0, now);
    *busy |= connections_hear(s, 1, now);
    return s->failed ? -1 : 0;
}

/* Opens those that stay idle. */
static int connections_stand(struct connections *s) {
    bool busy = true;
    for (uint32_t opened = 0; s->idle < s->parameters->idle;) {
        while (opened < s->parameters->idle && opened - s->idle < CONNECTIONS_OPENING) {
            connections_connect(s, opened, CONNECTIONS_IDLE, s->world.clock.now);
            opened++;
        }
        if (connections_turn(s, &busy) < 0) return -1;
    }
    return 0;
}

int connections_warm(struct connections *s) {
    const struct connections_parameters *p = s->parameters;
    return connections_stand(s) < 0 ? -1 : connections_pass(s, p->time_waits + p->at_once, false);
}

int connections_pass(struct connections *s, uint64_t count, bool to_the_end) {
    bool busy = true;
    s->to_start = s->started + count;
    for (uint32_t i = 0; i < s->parameters->at_once && s->started < s->to_start; i++)
        connections_start(s, s->world.clock.now);
    while (s->answered < s->to_start || (to_the_end && s->served < s->to_start))
        if (connections_turn(s, &busy) < 0) return -1;
    return 0;
}

static uint64_t connections_frames(const struct connections *s) {
    struct bk_link_counters c;
    bk_link_counters(s->world.link[0], &c);
    return c.frames_out;
}

static uint32_t connections_in_use(const struct connections *s, uint32_t side, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(s->world.stack[side], pool, &info);
    return info.in_use;
}

/* After all have been closed: nothing is left but the TIME-WAITs and what is idle, and no segment was sent twice. */
int connections_check(struct connections *s) {
    const struct connections_parameters *p = s->parameters;
    struct bench_run *run = s->world.run;
    if (connections_pass(s, p->at_once, true) < 0) return -1;
    uint64_t kept = u64_min(s->started, p->time_waits);
    for (int i = 0; i < 8; i++) /* the last ACKs are still on their way */
        if (bench_world_turn(&s->world, bench_clock_read(&s->world.clock), true) < 0) return -1;
    uint64_t frames = connections_frames(s);
    uint64_t expected = CONNECTIONS_SEGMENTS * s->started + CONNECTIONS_HANDSHAKE * s->idle;
    /* Where many are in a batch, or a round of the pump ends before all is said, what is said to several segments of one connection may be one segment. */
    if (p->at_once >= CONNECTIONS_OPENING ? frames > expected : frames != expected)
        return bench_fail(run, "%llu segments for %llu connections, not %u each", (unsigned long long)frames,
                          (unsigned long long)s->started, CONNECTIONS_SEGMENTS);
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t waits = connections_in_use(s, side, BK_POOL_TIME_WAITS_IPV4);
        if (connections_in_use(s, side, BK_POOL_CONNECTIONS) != p->idle)
            return bench_fail(run, "not %u connections are left on side %u", p->idle, side);
        if (waits != (side == 0 ? kept : 0))
            return bench_fail(run, "%u TIME-WAITs on side %u, not %llu", waits, side,
                              (unsigned long long)(side == 0 ? kept : 0));
    }
    return 0;
}

static int connections_timed(struct connections *s, struct bench_run *run, double *values) {
    const struct connections_parameters *p = s->parameters;
    uint64_t count = run->quick || run->verify ? p->count / 64 : p->count;
    if (connections_warm(s) < 0) return -1;
    uint64_t frames = connections_frames(s);
    double t = bench_cpu_seconds();
    if (connections_pass(s, count, false) < 0) return -1;
    t = bench_cpu_seconds() - t;
    if (t <= 0) return bench_fail(run, "too short to be timed");
    values[0] = (double)count / t;
    values[1] = t * 1e9 / (double)count;
    values[2] = (double)(connections_frames(s) - frames) / (double)count;
    return run->verify ? connections_check(s) : 0;
}

static int connections_run(const struct bench_case *c, struct bench_run *run, double *values) {
    struct connections s;
    int r = connections_open(&s, c->parameters, NULL, run);
    if (r == 0) r = connections_timed(&s, run, values);
    connections_close(&s);
    return r;
}

/* A pool of 64 is full before the smaller of the guard's two sizes is reached. */
static int connections_guard(uint64_t n, struct bench_run *run) {
    static const struct connections_parameters p = {.at_once = 1, .time_waits = 64};
    struct connections s;
    int r = connections_open(&s, &p, NULL, run);
    if (r == 0) r = connections_pass(&s, n, true);
    connections_close(&s);
    return r;
}

static const struct bench_metric connections_metrics[] = {
    {"connections", "/s per core", 0},
    {"time per connection", "ns", 0},
    {"segments per connection", "segments", 2},
};

#define CONNECTIONS_COUNT UINT64_C(200000)
#define CONNECTIONS_CASE(n, waits, stand)                                                                              \
    .parameters = &(const struct connections_parameters) {                                                             \
        .at_once = n, .time_waits = waits, .idle = stand, .count = CONNECTIONS_COUNT                                   \
    }

static const struct bench_case connections_cases[] = {
    {.name = "1-at-once", .about = "one after the other, 1,024 TIME-WAITs kept", CONNECTIONS_CASE(1, 1024, 0)},
    {.name = "64-at-once", .about = "64 at once, 1,024 TIME-WAITs kept", CONNECTIONS_CASE(64, 1024, 0)},
    {.name = "4096-at-once", .about = "4,096 at once, 1,024 TIME-WAITs kept", CONNECTIONS_CASE(4096, 1024, 0)},
    {.name = "no-time-wait", .about = "one after the other, no TIME-WAIT kept", CONNECTIONS_CASE(1, 0, 0)},
    {.name = "1-beside-1000",
     .about = "one after the other, 1,000 TIME-WAITs kept, 1,000 idle connections beside",
     CONNECTIONS_CASE(1, 1000, 1000)},
};

const struct bench_workload bench_connections = {
    .name = "connections",
    .about = "handshake, 1 byte, 1 byte back, four-way close, again, between two stacks in memory",
    .metrics = connections_metrics,
    .metric_count = BK_COUNT(connections_metrics),
    .cases = connections_cases,
    .case_count = BK_COUNT(connections_cases),
    .run = connections_run,
    .guard = connections_guard,
    .guard_unit = "connection",
};

/* Each run of a case with millions takes ten seconds or so to open and close what stands beside, and 1.5 GB. */
#define CROWD (1000 * 1000)

static const struct bench_case crowd_cases[] = {
    {.name = "alone", .about = "one after the other, 1,024 TIME-WAITs kept", CONNECTIONS_CASE(1, 1024, 0)},
    {.name = "1-at-once",
     .about = "one after the other, a million TIME-WAITs kept, a million idle connections beside",
     CONNECTIONS_CASE(1, CROWD, CROWD),
     .peer = "alone",
     .target = {{BENCH_RATIO, 0.5, false}},
     .targets = 1},
    {.name = "4096-at-once",
     .about = "4,096 at once, a million TIME-WAITs kept, a million idle connections beside",
     CONNECTIONS_CASE(4096, CROWD, CROWD),
     .peer = "alone",
     .target = {{BENCH_RATIO, 0.8, false}},
     .targets = 1},
    {.name = "64-waits",
     .about = "64 at once, a million TIME-WAITs kept",
     CONNECTIONS_CASE(64, CROWD, 0),
     .peer = "alone"},
    {.name = "64-idle",
     .about = "64 at once, a million idle connections beside",
     CONNECTIONS_CASE(64, 1024, CROWD),
     .peer = "alone"},
};

const struct bench_workload bench_crowd = {
    .name = "crowd",
    .about = "the same as connections, among millions of records of others",
    .metrics = connections_metrics,
    .metric_count = BK_COUNT(connections_metrics),
    .cases = crowd_cases,
    .case_count = BK_COUNT(crowd_cases),
    .run = connections_run,
    .by_name = true,
};
