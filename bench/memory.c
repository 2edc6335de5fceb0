/* The workload `memory`: what an idle connection, a request and a TIME-WAIT cost, by the pages of the region that they
 * touch.
 *
 * A stack of its own is filled with so many of one kind, and the region's resident pages (mincore(2)) before and after
 * are compared: so slack in pools and tables, lists and timers count, whatever the records' sizes say. The first few
 * thousand do not count; they bring what a stack needs once, such as frames, chunks and active records. Pages are small
 * ones, so that none is counted that nobody touched.
 *
 * - A connection has carried a byte each way and then idles, owned by its user: what it needed for that has gone back.
 *   The side that was connected to is measured.
 * - A request is a SYN that was answered; whoever sent it is silent.
 * - A TIME-WAIT is at the side that closed first, after a byte each way.
 *
 * The connection table's share is told apart: an entry has 8 bytes, 16 with slack, and a little more for buckets that
 * overflow. The targets of requests and TIME-WAITs are for the records, that of a connection for all of it. Pools grow
 * by doubling, so the snapshot (bk_used_extent) may hold up to twice what was touched.
 *
 * All of it is in virtual time, and the same in each run.
 */
#define _GNU_SOURCE 1
#include "syn.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/common.h"
#include "tcp/tcp.h"

#define MEMORY_CLIENTS 16u /* addresses: so few ports of each are taken that finding one is no matter */
#define MEMORY_COUNT   UINT64_C(102400)
#define MEMORY_WARM    4096u
#define MEMORY_ACTIVE  2048u
#define MEMORY_EVENTS  16u
#define MEMORY_TURNS   64u

enum memory_kind { MEMORY_CONNECTION, MEMORY_REQUEST, MEMORY_TIME_WAIT };

struct memory_parameters {
    enum memory_kind kind;
    bool ipv6;
};

struct memory {
    struct bench_world world;
    const struct memory_parameters *parameters;
    struct syn_source syn;
    bk_listener listener;
    uint32_t iface;
    uint64_t opened, finished; /* finished: the client has its answer */
    bool failed;
};

struct memory_use {
    uint64_t touched, table, extent; /* bytes */
};

static bk_addr memory_client(const struct memory *m, uint32_t i) {
    bk_addr a = {.byte = {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(i + 1)}};
    return m->parameters->ipv6 ? a : bench_client_address(i);
}

static bk_addr memory_server(const struct memory *m) {
    const bk_addr a = {.byte = {0x20, 0x01, 0x0d, 0xb8, [6] = 1, [15] = 1}};
    return m->parameters->ipv6 ? a : m->world.server;
}

/* ---- what is in use -------------------------------------------------------------------------------- */

static int memory_measure(const struct memory *m, uint32_t side, struct memory_use *use, struct bench_run *run) {
    const struct bench_stack *s = &m->world.memory[side];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (bk_used_extent(s->stack) + page - 1) / page;
    unsigned char *resident = malloc(pages);
    if (resident == NULL || mincore(s->region, pages * page, resident) < 0) {
        free(resident);
        return bench_fail(run, "asking for the resident pages: %s", strerror(errno));
    }
    *use = (struct memory_use){.extent = bk_used_extent(s->stack)};
    for (size_t i = 0; i < pages; i++) use->touched += resident[i] & 1 ? page : 0;
    free(resident);
    const struct demux *table = &((const struct tcp *)(const void *)s->stack)->demux;
    use->table = (uint64_t)(table->buckets.fresh + table->overflow.fresh) * table->buckets.object_size;
    return 0;
}

/* ---- filling --------------------------------------------------------------------------------------- */

static void memory_fail(struct memory *m, const char *what, ptrdiff_t error) {
    if (!m->failed) bench_fail(m->world.run, "%s: %s", what, strerror((int)-error));
    m->failed = true;
}

static int memory_connect(struct memory *m) {
    const struct bk_tcp_open open = {.local = memory_client(m, (uint32_t)(m->opened % MEMORY_CLIENTS)),
                                     .remote = memory_server(m),
                                     .remote_port = BENCH_PORT};
    bk_conn conn;
    int r = bk_tcp_connect(m->world.stack[0], &open, m->world.clock.now, &conn);
    m->opened++;
    return r < 0 ? bench_fail(m->world.run, "connect: %s", strerror(-r)) : 0;
}

/* The client says a byte, and has all when it has heard one; then it closes, if the records wanted are TIME-WAITs. */
static void memory_client_event(struct memory *m, const struct bk_ready *event, uint64_t now) {
    bk_stack *stack = m->world.stack[0];
    bk_conn conn = {event->index, event->generation};
    uint8_t byte = 1;
    ptrdiff_t n = 1;
    if (event->what & BK_READY_CONNECTED) n = bk_tcp_send(stack, conn, &byte, 1, 0, now);
    if (n != 1) memory_fail(m, "the client's send", n);
    if (!(event->what & BK_READY_READABLE)) return;
    n = bk_tcp_receive(stack, conn, &byte, 1, now);
    if (n != 1) memory_fail(m, "the client's receive", n);
    m->finished++;
    if (m->parameters->kind == MEMORY_TIME_WAIT) bk_tcp_close(stack, conn, now);
}

static void memory_server_event(struct memory *m, const struct bk_ready *event, uint64_t now) {
    bk_stack *stack = m->world.stack[1];
    bk_conn conn = {event->index, event->generation};
    uint8_t byte;
    if (event->listener && bk_tcp_accept(stack, m->listener, 0, now, &conn) < 0) return;
    ptrdiff_t n = bk_tcp_receive(stack, conn, &byte, 1, now);
    if (n == 0) bk_tcp_close(stack, conn, now);
    if (n == 1 && (n = bk_tcp_send(stack, conn, &byte, 1, 0, now)) != 1) memory_fail(m, "the server's send", n);
}

static int memory_turn(struct memory *m) {
    for (uint32_t side = 0; side < 2; side++) {
        struct bk_ready events[MEMORY_EVENTS];
        uint64_t now = bench_clock_read(&m->world.clock);
        if (bench_world_turn(&m->world, now, true) < 0) return -1;
        size_t n = bk_ready_poll(m->world.stack[side], events, MEMORY_EVENTS);
        for (size_t i = 0; i < n; i++) (side == 0 ? memory_client_event : memory_server_event)(m, &events[i], now);
    }
    return m->failed ? -1 : 0;
}

/* One after the other. Connections come a millisecond apart, so that active records come back to their pool and are
 * used again; TIME-WAITs so fast that none of them ends. */
static int memory_fill_connections(struct memory *m, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (memory_connect(m) < 0) return -1;
        for (uint32_t turn = 0; m->finished < m->opened; turn++)
            if (memory_turn(m) < 0 || turn == MEMORY_TURNS)
                return m->failed
                           ? -1
                           : bench_fail(m->world.run, "connection %llu gets no answer", (unsigned long long)m->opened);
        if (m->parameters->kind == MEMORY_CONNECTION) m->world.clock.now += NS_PER_MS;
    }
    for (uint32_t turn = 0; turn < MEMORY_TURNS; turn++) /* the last ones' ACKs */
        if (memory_turn(m) < 0) return -1;
    return 0;
}

static int memory_fill_requests(struct memory *m, uint64_t count) {
    bk_stack *stack = m->world.stack[1];
    uint8_t frame[SYN_LENGTH_MAX];
    for (uint64_t i = 0; i < count; i++) {
        size_t length = syn_next(&m->syn, frame);
        bk_input_copy(stack, m->iface, frame, length, m->world.clock.now);
        syn_drop_output(stack, m->iface, m->world.clock.now);
    }
    return 0;
}

static int memory_fill(struct memory *m, uint64_t count) {
    return m->parameters->kind == MEMORY_REQUEST ? memory_fill_requests(m, count) : memory_fill_connections(m, count);
}

/* ---- a run ----------------------------------------------------------------------------------------- */

static int memory_addresses(struct memory *m) {
    struct bench_world *w = &m->world;
    bk_addr server = memory_server(m);
    int r = m->parameters->ipv6 ? bk_iface_address_add(w->stack[1], 0, &server, 32, true, w->clock.now) : 0;
    for (uint32_t i = 0; i < MEMORY_CLIENTS && r == 0 && m->parameters->ipv6; i++) {
        bk_addr a = memory_client(m, i);
        r = bk_iface_address_add(w->stack[0], 0, &a, 32, true, w->clock.now);
    }
    return r;
}

static int memory_open(struct memory *m, uint64_t count, struct bench_run *run) {
    struct bk_config config;
    const bk_addr any = {{0}}, victim = bk_addr_ipv4(192, 0, 2, 1),
                  victim_ipv6 = {.byte = {0x20, 0x01, 0x0d, 0xb8, [5] = 1, [15] = 1}};
    uint32_t all = (uint32_t)(MEMORY_WARM + count + 16);
    bk_config_default(&config);
    config.connections = m->parameters->kind == MEMORY_CONNECTION ? all : 64;
    config.active_connections = u32_min(config.connections, MEMORY_ACTIVE);
    config.requests_ipv4 = config.requests_ipv6 = m->parameters->kind == MEMORY_REQUEST ? all : 64;
    config.time_waits_ipv4 = config.time_waits_ipv6 = m->parameters->kind == MEMORY_TIME_WAIT ? all : 64;
    config.addresses = 2 * MEMORY_CLIENTS;
    if (bench_world_open(&m->world, BENCH_MEMORY, &config, MEMORY_CLIENTS, run) < 0) return -1;
    bk_stack *stack = m->world.stack[1];
    uint64_t now = m->world.clock.now;
    m->syn = (struct syn_source){.to = m->parameters->ipv6 ? victim_ipv6 : victim, .port = BENCH_PORT};
    int r = memory_addresses(m), iface = r < 0 ? r : syn_iface(stack, &m->syn.to, now);
    r = iface < 0 ? iface : bk_tcp_listen(stack, &any, BENCH_PORT, 64, 0, now, &m->listener);
    m->iface = (uint32_t)iface;
    return r < 0 ? bench_fail(run, "cannot set the stacks up: %s", strerror(-r)) : 0;
}

/* All that were made are there. */
static int memory_check(const struct memory *m, uint32_t side, uint64_t made, struct bench_run *run) {
    static const enum bk_pool pool[][2] = {{BK_POOL_CONNECTIONS, BK_POOL_CONNECTIONS},
                                           {BK_POOL_REQUESTS_IPV4, BK_POOL_REQUESTS_IPV6},
                                           {BK_POOL_TIME_WAITS_IPV4, BK_POOL_TIME_WAITS_IPV6}};
    struct bk_pool_info info;
    bk_pool_info(m->world.stack[side], pool[m->parameters->kind][m->parameters->ipv6], &info);
    return info.in_use == made
               ? 0
               : bench_fail(run, "%u records are there, and not %llu", info.in_use, (unsigned long long)made);
}

static int memory_fill_and_measure(struct memory *m, uint64_t count, double *values, struct bench_run *run) {
    struct memory_use before, after;
    uint32_t side = m->parameters->kind == MEMORY_TIME_WAIT ? 0 : 1;
    if (memory_fill(m, MEMORY_WARM) < 0 || memory_measure(m, side, &before, run) < 0) return -1;
    if (memory_fill(m, count) < 0 || memory_measure(m, side, &after, run) < 0) return -1;
    double n = (double)count, touched = (double)(after.touched - before.touched) / n;
    double table = (double)(after.table - before.table) / n;
    values[0] = touched;
    values[1] = touched - table;
    values[2] = table;
    values[3] = (double)(after.extent - before.extent) / n;
    return memory_check(m, side, MEMORY_WARM + count, run);
}

static int memory_run(const struct bench_case *c, struct bench_run *run, double *values) {
    struct memory m = {.parameters = c->parameters};
    struct bench_run still = {.virtual_time = true};
    uint64_t count = run->quick || run->verify ? MEMORY_COUNT / 16 : MEMORY_COUNT;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    int r = memory_open(&m, count, &still);
    if (r == 0) r = memory_fill_and_measure(&m, count, values, &still);
    bench_world_close(&m.world);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    memcpy(run->why, still.why, sizeof run->why);
    return r;
}

static const struct bench_metric memory_metrics[] = {
    {"memory touched", "bytes", 1},
    {"of it, the record", "bytes", 1},
    {"of it, the connection table", "bytes", 1},
    {"snapshot", "bytes", 1},
};

static const struct memory_parameters memory_connection4 = {MEMORY_CONNECTION, false},
                                      memory_connection6 = {MEMORY_CONNECTION, true},
                                      memory_request4 = {MEMORY_REQUEST, false},
                                      memory_request6 = {MEMORY_REQUEST, true},
                                      memory_time_wait4 = {MEMORY_TIME_WAIT, false},
                                      memory_time_wait6 = {MEMORY_TIME_WAIT, true};

static const struct bench_case memory_cases[] = {
    {.name = "connection-ipv4",
     .about = "idle connections over IPv4",
     .parameters = &memory_connection4,
     .target = {{0, 512, true}},
     .targets = 1},
    {.name = "connection-ipv6",
     .about = "idle connections over IPv6",
     .parameters = &memory_connection6,
     .target = {{0, 512, true}},
     .targets = 1},
    {.name = "request-ipv4",
     .about = "requests over IPv4",
     .parameters = &memory_request4,
     .target = {{1, 64, true}},
     .targets = 1},
    {.name = "request-ipv6",
     .about = "requests over IPv6",
     .parameters = &memory_request6,
     .target = {{1, 96, true}},
     .targets = 1},
    {.name = "time-wait-ipv4",
     .about = "TIME-WAITs over IPv4",
     .parameters = &memory_time_wait4,
     .target = {{1, 64, true}},
     .targets = 1},
    {.name = "time-wait-ipv6",
     .about = "TIME-WAITs over IPv6",
     .parameters = &memory_time_wait6,
     .target = {{1, 96, true}},
     .targets = 1},
};

const struct bench_workload bench_memory = {
    .name = "memory",
    .about = "bytes of the region that each of 102,400 records costs, by the pages touched",
    .metrics = memory_metrics,
    .metric_count = BK_COUNT(memory_metrics),
    .cases = memory_cases,
    .case_count = BK_COUNT(memory_cases),
    .run = memory_run,
};
