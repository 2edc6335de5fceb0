/* Many flows, one small budget: see shared_world.h. */
#include "shared_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "beckon/trace.h"
#include "lab/audit.h"
#include "lab/host.h"
#include "lab/path.h"

#define RATE_BPS    UINT64_C(100000000)
#define SERVER_PORT 5000u  /* of even flows; the next of odd ones */
#define CLIENT_PORT 10000u /* of the first flow */
#define FRAME_MAX   (65535u + 14u)
#define WRITE_BYTES 65536u
#define WRITE_PARTS 4u

enum side { WRITER, READER };

struct flow {
    bk_conn conn[2];
    bool open[2];
    uint64_t moved, moved_at; /* read; when last */
};

struct shared {
    struct shared_plan plan;
    struct end {
        struct shared *w;
        struct host *host;
        enum side side;
        bk_listener listener[2];
    } end[2];
    struct path *link, *forth[2], *back[2];
    struct flow flow[SHARED_FLOWS];
    uint64_t now, tick, measured_from, pause;
    bool ending;
};

static const uint8_t octets[WRITE_BYTES];
static uint8_t scratch[FRAME_MAX];

static bk_stack *stack_of(struct shared *w, enum side side) {
    return host_stack(w->end[side].host);
}
static bool is_dead(const struct shared *w, uint32_t flow) {
    return flow < w->plan.dead && !w->ending;
}

/* ---- users ----------------------------------------------------------------------------------------- */

static ptrdiff_t write_parts(struct shared *w, struct flow *f) {
    bk_stack *s = stack_of(w, WRITER);
    uint32_t chunk[WRITE_PARTS];
    struct bk_part part[WRITE_PARTS];
    size_t n = bk_chunk_alloc(s, chunk, WRITE_PARTS);
    for (size_t i = 0; i < n; i++) part[i] = (struct bk_part){chunk[i], 0, 1448};
    int r = n == WRITE_PARTS ? bk_tcp_send_parts(s, f->conn[WRITER], part, n, 0, w->now) : -11;
    if (r != 0) bk_chunk_release(s, chunk, n);
    assert_true(n == WRITE_PARTS);
    return r == 0 ? 1 : r;
}

static void writes(struct shared *w, struct flow *f) {
    ptrdiff_t n = 1;
    while (n > 0 && f->open[WRITER] && !w->ending)
        n = w->plan.parts ? write_parts(w, f)
                          : bk_tcp_send(stack_of(w, WRITER), f->conn[WRITER], octets, sizeof octets, 0, w->now);
    assert_true(n > 0 || n == -11);
}

static void reads(struct shared *w, uint32_t number, size_t most) {
    struct flow *f = &w->flow[number];
    ptrdiff_t n = 1;
    if (is_dead(w, number)) return;
    while (most != 0 && f->open[READER] && n > 0) {
        n = bk_tcp_receive(stack_of(w, READER), f->conn[READER], scratch, most < FRAME_MAX ? most : FRAME_MAX, w->now);
        if (n <= 0) break;
        if (w->measured_from != 0 && !w->ending && number >= w->plan.dead)
            w->pause = u64_max(w->pause, w->now - u64_max(f->moved_at, w->measured_from));
        f->moved += (uint64_t)n;
        f->moved_at = w->now;
        most -= (size_t)n;
    }
    assert_true(n >= 0 || n == -11);
    if (n != 0) return;
    f->open[READER] = false;
    bk_tcp_close(stack_of(w, READER), f->conn[READER], w->now);
}

static void accepts(struct shared *w, bk_listener l) {
    bk_stack *s = stack_of(w, READER);
    struct bk_tcp_info info;
    bk_conn conn;
    while (bk_tcp_accept(s, l, 0, w->now, &conn) == 0) {
        assert_int_equal(bk_tcp_status(s, conn, &info), 0);
        uint32_t number = info.remote_port - CLIENT_PORT;
        assert_true(number < w->plan.flows);
        w->flow[number].conn[READER] = conn;
        w->flow[number].open[READER] = true;
        bk_tcp_set(s, conn, BK_TCP_USER, number, w->now);
        if (w->plan.read_in_a_ms == 0) reads(w, number, SIZE_MAX);
    }
}

static void ready(void *context, const struct bk_ready *r) {
    struct end *e = context;
    struct shared *w = e->w;
    if (r->listener) {
        for (uint32_t i = 0; i < 2; i++) accepts(w, e->listener[i]);
        return;
    }
    if (e->side == WRITER && r->what & BK_READY_WRITABLE) writes(w, &w->flow[r->user]);
    if (e->side == READER && w->flow[r->user].open[READER] && (w->plan.read_in_a_ms == 0 || w->ending))
        reads(w, (uint32_t)r->user, SIZE_MAX);
}

/* ---- the wire -------------------------------------------------------------------------------------- */

static void emit(void *context, const uint8_t *frame, size_t length, uint16_t reason) {
    struct end *e = context;
    (void)reason;
    if (e->side == WRITER) {
        assert_int_equal(path_enter(e->w->link, frame, length, e->w->now), PATH_TAKEN);
        return;
    }
    uint32_t odd = get_be16(frame + 20) % 2; /* the source port: the server's */
    assert_int_equal(path_enter(e->w->back[odd], frame, length, e->w->now), PATH_TAKEN);
}

/* What has come out of a path goes on: into the next one, or to a host. */
static void moves(struct shared *w, struct path *from) {
    size_t n = path_leave(from, w->now, scratch);
    if (n == 0) return;
    if (from == w->link) {
        assert_int_equal(path_enter(w->forth[get_be16(scratch + 22) % 2], scratch, n, w->now), PATH_TAKEN);
        return;
    }
    struct host *to = w->end[from == w->back[0] || from == w->back[1] ? WRITER : READER].host;
    (void)host_arrive(to, scratch, n, w->now);
    host_run(to, w->now);
}

/* ---- the loop -------------------------------------------------------------------------------------- */

static void audit(struct shared *w) {
    struct fault fault = {0};
    for (uint32_t side = 0; side < 2; side++)
        if (!host_audit(w->end[side].host, &fault)) fail_msg("side %u: %s", side, fault.text);
}

/* Every millisecond: readers with a pace. */
static void ticks(struct shared *w) {
    for (uint32_t i = 0; i < w->plan.flows && w->plan.read_in_a_ms != 0; i++) reads(w, i, w->plan.read_in_a_ms);
    host_run(w->end[READER].host, w->now);
    if ((w->tick - w->now) / NS_PER_MS % 100 == 0 && w->now / NS_PER_MS % 100 == 0) audit(w);
    w->tick += NS_PER_MS;
}

static void run(struct shared *w, uint64_t until) {
    struct path *const paths[] = {w->link, w->forth[0], w->forth[1], w->back[0], w->back[1]};
    while (w->now < until) {
        uint64_t next = u64_min(until, w->tick);
        uint32_t path = BK_COUNT(paths), side = 2;
        for (uint32_t i = 0; i < BK_COUNT(paths); i++)
            if (path_next(paths[i]) < next) next = path_next(paths[path = i]);
        for (uint32_t i = 0; i < 2; i++)
            if (host_next(w->end[i].host) < next) {
                next = host_next(w->end[i].host);
                side = i;
            }
        w->now = u64_max(w->now, next);
        if (side < 2)
            host_run(w->end[side].host, w->now);
        else if (path < BK_COUNT(paths))
            moves(w, paths[path]);
        else if (w->now >= w->tick)
            ticks(w);
    }
}

/* ---- beginning and end ----------------------------------------------------------------------------- */

static struct path *new_path(uint64_t rate_bps, uint32_t delay_us) {
    struct path_options o = {.rate_bps = rate_bps, .delay_us = delay_us};
    struct path *p = path_new(&o, 1, 1);
    assert_non_null(p);
    return p;
}

static bk_addr addr(enum side side) {
    return bk_addr_ipv4(192, 0, 2, (uint8_t)(1 + side));
}

static void begin_host(struct shared *w, enum side side) {
    struct end *e = &w->end[side];
    struct host_options o = {
        .iface = {.layer = BK_LAYER_IP, .mtu = 1500}, .addr = addr(side), .prefix_length = 24, .seed = 7 + side};
    bool small = (side == READER) == w->plan.receives;
    const char *why = NULL;
    bk_config_default(&o.config);
    if (small && w->plan.batch_us != 0) o.faults = (struct host_faults){.batch = 64, .batch_us = w->plan.batch_us};
    o.config.connections = w->plan.flows;
    o.config.chunks = small ? 2 * w->plan.chunks + 512 : 131072;
    o.config.buffer_chunks = small ? w->plan.chunks : 114688;
    *e = (struct end){.w = w, .side = side};
    e->host = host_new(&o, w->now, emit, ready, e, &why);
    if (e->host == NULL) fail_msg("%s", why);
    for (uint32_t i = 0; i < 2 && side == READER; i++)
        assert_int_equal(bk_tcp_listen(host_stack(e->host), &o.addr, (uint16_t)(SERVER_PORT + i), SHARED_FLOWS, 0,
                                       w->now, &e->listener[i]),
                         0);
}

static void begin_flows(struct shared *w, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        struct bk_tcp_open open = {.remote = addr(READER),
                                   .remote_port = (uint16_t)(SERVER_PORT + i % 2),
                                   .local_port = (uint16_t)(CLIENT_PORT + i),
                                   .user = i};
        assert_int_equal(bk_tcp_connect(stack_of(w, WRITER), &open, w->now, &w->flow[i].conn[WRITER]), 0);
        w->flow[i].open[WRITER] = true;
    }
    host_run(w->end[WRITER].host, w->now);
}

static void end_flows(struct shared *w) {
    struct fault fault = {0};
    w->ending = true;
    for (uint32_t i = 0; i < w->plan.flows; i++) {
        w->flow[i].open[WRITER] = false;
        assert_int_equal(bk_tcp_close(stack_of(w, WRITER), w->flow[i].conn[WRITER], w->now), 0);
        reads(w, i, SIZE_MAX);
    }
    for (uint32_t side = 0; side < 2; side++) host_run(w->end[side].host, w->now);
    run(w, w->now + 400 * NS_PER_S);
    for (uint32_t side = 0; side < 2; side++)
        if (!audit_empty(stack_of(w, side), side == READER ? 2 : 0, &fault)) fail_msg("side %u: %s", side, fault.text);
}

static void measure(struct shared *w, struct shared_result *r) {
    struct bk_pool_info pool;
    bk_stack *small = stack_of(w, w->plan.receives ? READER : WRITER);
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < w->plan.flows; i++) {
        r->octets[i] = w->flow[i].moved - r->octets[i];
        if (i < w->plan.dead) continue;
        w->pause = u64_max(w->pause, w->now - u64_max(w->flow[i].moved_at, w->measured_from));
        r->total += r->octets[i];
        sum += (double)r->octets[i];
        squares += (double)r->octets[i] * (double)r->octets[i];
    }
    r->jain = squares == 0 ? 0 : sum * sum / squares / (w->plan.flows - w->plan.dead);
    r->pause_ns = w->pause;
    bk_pool_info(small, BK_POOL_EXTENTS, &pool);
    r->most = pool.high_water;
    r->dropped = bk_reason_count(small, BK_REASON_DROP_NO_BUFFER);
}

void shared_run(const struct shared_plan *plan, uint32_t seconds, struct shared_result *result) {
    struct shared *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_true(plan->flows <= SHARED_FLOWS && plan->dead < plan->flows);
    w->plan = *plan;
    w->now = w->tick = NS_PER_S;
    w->link = new_path(RATE_BPS, 0);
    for (uint32_t i = 0; i < 2; i++) {
        w->forth[i] = new_path(0, plan->rtt_ms[i] * 500);
        w->back[i] = new_path(0, plan->rtt_ms[i] * 500);
    }
    for (uint32_t side = 0; side < 2; side++) begin_host(w, side);
    *result = (struct shared_result){.total = 0};

    begin_flows(w, 0, plan->dead);
    run(w, w->now + plan->dead_first_ms * NS_PER_MS);
    begin_flows(w, plan->dead, plan->flows);
    run(w, w->now + seconds * NS_PER_S / 2);
    w->measured_from = w->now;
    for (uint32_t i = 0; i < plan->flows; i++) result->octets[i] = w->flow[i].moved;
    run(w, w->now + seconds * NS_PER_S / 2);
    measure(w, result);
    end_flows(w);

    for (uint32_t side = 0; side < 2; side++) host_free(w->end[side].host);
    path_free(w->link);
    for (uint32_t i = 0; i < 2; i++) {
        path_free(w->forth[i]);
        path_free(w->back[i]);
    }
    free(w);
}
