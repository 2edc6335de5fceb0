/* Two hosts, joined. */
#include "two_hosts.h"

const struct host_faults world_all_faults = {.refuse_ppm = 50000,
                                             .refuse_us = 10000,
                                             .partial_ppm = 50000,
                                             .hold_ppm = 200000,
                                             .starve_ppm = 20000,
                                             .late_ppm = 100000,
                                             .late_us = 100000};

static uint8_t pattern(size_t at) {
    return (uint8_t)(at * 31 + at / 251);
}

static void world_emit(void *context, const uint8_t *frame, size_t length, uint16_t reason) {
    const struct end *end = context;
    struct world *w = end->w;
    (void)path_enter(w->path[!end->side], frame, length, w->now);
    w->frames++;
    w->resets += strcmp(bk_reason_mib(reason), "tcpOutRsts") == 0;
    w->digest = (w->digest ^ (w->now + end->side)) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < length; i++) w->digest = (w->digest ^ frame[i]) * UINT64_C(0x100000001b3);
}

/* ---- users ---- */

static void user_writes(struct world *w) {
    bk_stack *s = host_stack(w->host[0]);
    while (w->sent < WORLD_BYTES) {
        uint8_t data[1000];
        for (size_t i = 0; i < sizeof data; i++) data[i] = pattern(w->sent + i);
        size_t n = WORLD_BYTES - w->sent < sizeof data ? WORLD_BYTES - w->sent : sizeof data;
        ptrdiff_t taken = bk_tcp_send(s, w->conn[0], data, n, 0, w->now);
        if (taken < 0) return;
        w->sent += (size_t)taken;
    }
    if (bk_tcp_close(s, w->conn[0], w->now) == 0) w->open[0] = false;
}

static void user_reads(struct world *w) {
    bk_stack *s = host_stack(w->host[1]);
    uint8_t data[1500];
    ptrdiff_t n;
    while ((n = bk_tcp_receive(s, w->conn[1], data, sizeof data, w->now)) > 0) {
        for (ptrdiff_t i = 0; i < n; i++) assert_int_equal(data[i], pattern(w->received + (size_t)i));
        w->received += (size_t)n;
    }
    if (n == -11) return;
    w->finished = n == 0;
    w->open[1] = false;
    (void)bk_tcp_close(s, w->conn[1], w->now);
}

static void world_ready(void *context, const struct bk_ready *ready) {
    struct world *w = ((struct end *)context)->w;
    if (ready->listener) {
        bk_listener l = {ready->index, ready->generation};
        assert_int_equal(bk_tcp_accept(host_stack(w->host[1]), l, 1, w->now, &w->conn[1]), 0);
        w->open[1] = true;
        user_reads(w);
    } else if (ready->user == 1) {
        if (w->open[1]) user_reads(w);
    } else if (w->open[0]) {
        struct bk_tcp_info info;
        assert_int_equal(bk_tcp_status(host_stack(w->host[0]), w->conn[0], &info), 0);
        if (ready->what & BK_READY_CLOSED) w->error = info.error;
        if (ready->what & BK_READY_WRITABLE && info.error == 0) user_writes(w);
        if (ready->what & BK_READY_CLOSED && w->open[0]) {
            w->open[0] = false;
            (void)bk_tcp_close(host_stack(w->host[0]), w->conn[0], w->now);
        }
    }
}

/* ---- the world ---- */

bk_addr world_addr(unsigned side) {
    return bk_addr_ipv4(192, 0, 2, (uint8_t)(1 + side));
}

struct host_options world_options(unsigned side) {
    struct host_options o = {
        .iface = {.layer = BK_LAYER_IP, .mtu = 1500},
        .addr = world_addr(side),
        .prefix_length = 24,
        .seed = 11 + side,
    };
    bk_config_default(&o.config);
    o.config.connections = 8;
    o.config.requests_ipv4 = o.config.requests_ipv6 = 8;
    o.config.time_waits_ipv4 = o.config.time_waits_ipv6 = 8;
    o.config.frames = 32;
    o.config.chunks = 128;
    o.config.buffer_chunks = 96;
    o.config.send_buffer = o.config.receive_buffer = 32768;
    return o;
}

void world_listen(struct world *w) {
    bk_addr any = {{0}};
    bk_listener l;
    assert_int_equal(bk_tcp_listen(host_stack(w->host[1]), &any, WORLD_PORT, 4, 2, w->now, &l), 0);
}

void world_begin(struct world *w, const struct host_options o[2], uint32_t loss_ppm) {
    struct path_options way = {.rate_bps = 20000000, .delay_us = 2000, .loss_ppm = loss_ppm};
    *w = (struct world){.now = 1000 * NS_PER_S};
    for (unsigned i = 0; i < 2; i++) {
        const char *why = "";
        w->end[i].w = w;
        w->end[i].side = i;
        w->host[i] = host_new(&o[i], w->now, world_emit, world_ready, &w->end[i], &why);
        if (w->host[i] == NULL) fail_msg("%s", why);
        w->path[i] = path_new(&way, o[i].seed, w->now);
        assert_non_null(w->path[i]);
    }
    world_listen(w);
    struct bk_tcp_open to = {.remote = o[1].addr, .remote_port = WORLD_PORT};
    assert_int_equal(bk_tcp_connect(host_stack(w->host[0]), &to, w->now, &w->conn[0]), 0);
    w->open[0] = true;
    host_run(w->host[0], w->now);
}

void world_end(struct world *w) {
    for (unsigned i = 0; i < 2; i++) {
        host_free(w->host[i]);
        path_free(w->path[i]);
    }
}

void world_audit(const struct world *w) {
    struct fault fault = {0};
    for (unsigned i = 0; i < 2; i++)
        if (!host_audit(w->host[i], &fault)) fail_msg("host %u at %llu: %s", i, (unsigned long long)w->now, fault.text);
}

/* What there is to do for one host at w->now. */
static void world_serve(struct world *w, unsigned side) {
    const bk_stack *at = host_stack(w->host[side]);
    uint8_t frame[65535 + 14];
    for (size_t length; (length = path_leave(w->path[side], w->now, frame)) != 0;) {
        w->lost += !host_up(w->host[side]);
        w->no_chunk += host_arrive(w->host[side], frame, length, w->now) == BK_REASON_NO_CHUNK;
        world_audit(w);
    }
    host_run(w->host[side], w->now);
    world_audit(w);
    w->moved += host_stack(w->host[side]) != at;
}

bool world_step(struct world *w, uint64_t until) {
    uint64_t next[2];
    for (unsigned i = 0; i < 2; i++) next[i] = u64_min(host_next(w->host[i]), path_next(w->path[i]));
    unsigned side = next[0] <= next[1] ? 0 : 1;
    if (next[side] == BK_NEVER || next[side] > until) return false;
    assert_true(next[side] >= w->now);
    w->now = next[side];
    world_serve(w, side);
    if (++w->events > 200000) fail_msg("events without end at %llu", (unsigned long long)w->now);
    return true;
}

void world_run(struct world *w, uint64_t ns) {
    uint64_t until = w->now + ns;
    while (world_step(w, until)) continue;
    w->now = until;
}

/* Calms both, lets all time pass, and looks whether anything is left. */
static void world_rest(struct world *w, uint32_t listeners) {
    struct fault fault = {0};
    for (unsigned i = 0; i < 2; i++) {
        host_calm(w->host[i]);
        host_run(w->host[i], w->now);
    }
    world_run(w, 4000 * NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(host_next(w->host[i]), BK_NEVER);
        if (!audit_empty(host_stack(w->host[i]), i == 1 ? listeners : 0, &fault))
            fail_msg("host %u: %s", i, fault.text);
    }
}

void world_transfer(struct world *w) {
    world_run(w, 600 * NS_PER_S);
    assert_int_equal(w->sent, WORLD_BYTES);
    assert_int_equal(w->received, WORLD_BYTES);
    assert_true(w->finished);
    assert_int_equal(w->resets, 0);
    world_rest(w, 1);
}

uint32_t world_in_use(const struct world *w, unsigned side, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(host_stack(w->host[side]), pool, &info);
    return info.in_use;
}
