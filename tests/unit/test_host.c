/* Shows that a host moves data whatever its device does, that what a device does is told from what the stack says, that moving the stack changes
 * nothing, and that a host that crashed and returned is a new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/audit.h"
#include "lab/host.h"
#include "lab/path.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define PORT    80u
#define BYTES   100000u
#define SEEDS   8u
#define MILLION 1000000u

/* ---- two hosts, joined ---- */

struct world {
    struct host *host[2];
    struct path *path[2]; /* to each */
    struct end {
        struct world *w;
        unsigned side;
    } end[2];
    uint64_t now;
    uint64_t frames, resets, no_chunk, events, lost;
    uint64_t digest; /* of all frames, their times and directions */
    uint64_t moved;  /* events after which a stack stood elsewhere */

    /* Side 0 opens and sends; side 1 listens and reads to the end. */
    bk_conn conn[2];
    bool open[2];
    size_t sent, received;
    int error;     /* that side 0 heard */
    bool finished; /* side 1 has seen the end */
};

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
    while (w->sent < BYTES) {
        uint8_t data[1000];
        for (size_t i = 0; i < sizeof data; i++) data[i] = pattern(w->sent + i);
        size_t n = BYTES - w->sent < sizeof data ? BYTES - w->sent : sizeof data;
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

static bk_addr world_addr(unsigned side) {
    return bk_addr_ipv4(192, 0, 2, (uint8_t)(1 + side));
}

static struct host_options world_options(unsigned side) {
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

static void world_listen(struct world *w) {
    bk_addr any = {{0}};
    bk_listener l;
    assert_int_equal(bk_tcp_listen(host_stack(w->host[1]), &any, PORT, 4, 2, w->now, &l), 0);
}

static void world_begin(struct world *w, const struct host_options o[2], uint32_t loss_ppm) {
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
    struct bk_tcp_open to = {.remote = o[1].addr, .remote_port = PORT};
    assert_int_equal(bk_tcp_connect(host_stack(w->host[0]), &to, w->now, &w->conn[0]), 0);
    w->open[0] = true;
    host_run(w->host[0], w->now);
}

static void world_end(struct world *w) {
    for (unsigned i = 0; i < 2; i++) {
        host_free(w->host[i]);
        path_free(w->path[i]);
    }
}

static void world_audit(const struct world *w) {
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

/* One event. False: there is none before `until`. */
static bool world_step(struct world *w, uint64_t until) {
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

static void world_run(struct world *w, uint64_t ns) {
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

/* Everything arrives, and all comes to rest. */
static void world_transfer(struct world *w) {
    world_run(w, 600 * NS_PER_S);
    assert_int_equal(w->sent, BYTES);
    assert_int_equal(w->received, BYTES);
    assert_true(w->finished);
    assert_int_equal(w->resets, 0);
    world_rest(w, 1);
}

/* A transfer with these faults; returns how many frames found no chunk. */
static uint64_t transfer(const struct host_faults *a, const struct host_faults *b, uint64_t seed, uint32_t loss_ppm) {
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = *a;
    o[1].faults = *b;
    o[0].seed = 2 * seed;
    o[1].seed = 2 * seed + 1;
    world_begin(&w, o, loss_ppm);
    world_transfer(&w);
    world_end(&w);
    return w.no_chunk;
}

/* ---- faults ---- */

/* Each fault at the sender, at the receiver, and very often at both; with and without losses on the way. */
static uint64_t transfer_all_ways(const struct host_faults *seldom, const struct host_faults *often) {
    static const struct host_faults none;
    uint64_t no_chunk = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint32_t loss_ppm = seed % 2 == 0 ? 0 : 30000;
        no_chunk += transfer(seldom, &none, seed, loss_ppm);
        no_chunk += transfer(&none, seldom, seed, loss_ppm);
        no_chunk += transfer(often, often, seed, loss_ppm);
    }
    return no_chunk;
}

static void test_no_faults(void **state) {
    (void)state;
    static const struct host_faults none;
    assert_int_equal(transfer_all_ways(&none, &none), 0);
}

static void test_refuse(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.refuse_ppm = 50000, .refuse_us = 20000},
                      &(struct host_faults){.refuse_ppm = 700000, .refuse_us = 3000});
}

static void test_partial(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.partial_ppm = 50000, .refuse_us = 5000},
                      &(struct host_faults){.partial_ppm = 1000000, .refuse_us = 1000});
}

static void test_hold(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.hold_ppm = 50000, .refuse_us = 300000},
                      &(struct host_faults){.hold_ppm = 1000000, .refuse_us = 1000});
}

static void test_late(void **state) {
    (void)state;
    transfer_all_ways(&(struct host_faults){.late_ppm = 100000, .late_us = 500000},
                      &(struct host_faults){.late_ppm = 1000000, .late_us = 2000000});
}

/* Frames are lost for want of chunks, and nothing else is. */
static void test_starve(void **state) {
    (void)state;
    uint64_t no_chunk = transfer_all_ways(&(struct host_faults){.starve_ppm = 50000, .refuse_us = 10000},
                                          &(struct host_faults){.starve_ppm = 300000, .refuse_us = 3000});
    assert_true(no_chunk > 0);
}

static const struct host_faults everything = {.refuse_ppm = 50000,
                                              .refuse_us = 10000,
                                              .partial_ppm = 50000,
                                              .hold_ppm = 200000,
                                              .starve_ppm = 20000,
                                              .late_ppm = 100000,
                                              .late_us = 100000};

static void test_everything(void **state) {
    (void)state;
    (void)transfer_all_ways(&everything, &everything);
}

/* A device that never takes anything: the host asks again each 5 ms, nothing leaves, and nothing is lost once it does. */
static void test_refuse_always(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.refuse_ppm = MILLION, .refuse_us = 5000};
    world_begin(&w, o, 0);
    assert_int_equal(host_next(w.host[0]), w.now + 5 * NS_PER_MS);
    world_run(&w, NS_PER_S);
    assert_int_equal(w.frames, 0);
    host_calm(w.host[0]);
    assert_int_equal(host_next(w.host[0]), w.now);
    world_transfer(&w);
    world_end(&w);
}

static uint32_t frames_in_use(const struct world *w) {
    struct bk_pool_info frames;
    bk_pool_info(host_stack(w->host[0]), BK_POOL_FRAMES, &frames);
    return frames.in_use;
}

/* Three connections are opened on host 0, besides the world's own, and it runs. */
static void open_three(struct world *w, const struct host_options *peer) {
    for (uint32_t i = 0; i < 3; i++) {
        struct bk_tcp_open to = {.remote = peer->addr, .remote_port = (uint16_t)(PORT + 1 + i)};
        bk_conn c;
        assert_int_equal(bk_tcp_connect(host_stack(w->host[0]), &to, w->now, &c), 0);
    }
    host_run(w->host[0], w->now);
}

/* One unit at a time, each 700 us: so SYNs leave, while the answers are still under way. */
static void test_partial_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.partial_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    open_three(&w, &o[1]);
    for (uint32_t i = 1; i <= 4; i++) {
        assert_int_equal(w.frames, i);
        assert_int_equal(host_next(w.host[0]), w.now + 700 * NS_PER_US);
        w.now += 700 * NS_PER_US - 1;
        host_run(w.host[0], w.now); /* awake too early, for some other reason */
        assert_int_equal(w.frames, i);
        w.now++;
        host_run(w.host[0], w.now);
    }
    assert_int_equal(w.frames, 4);
    world_end(&w);
}

/* Units that have left are given back at the next event, or after 700 us. */
static void test_hold_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    o[0].faults = (struct host_faults){.hold_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    assert_int_equal(w.frames, 1);
    assert_int_equal(frames_in_use(&w), 1);
    world_audit(&w);
    assert_int_equal(host_next(w.host[0]), w.now + 700 * NS_PER_US);
    open_three(&w, &o[1]);
    assert_int_equal(w.frames, 4);
    assert_int_equal(frames_in_use(&w), 3);
    world_audit(&w);
    w.now += 700 * NS_PER_US;
    host_run(w.host[0], w.now);
    assert_int_equal(frames_in_use(&w), 0);
    world_audit(&w);
    world_end(&w);
}

/* While the device starves the stack at most three chunks are free, and all are again 700 us later. */
static void test_starve_exactly(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct bk_pool_info chunks;
    struct world w;
    o[0].faults = (struct host_faults){.starve_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    bk_pool_info(host_stack(w.host[0]), BK_POOL_CHUNKS, &chunks);
    assert_in_range(chunks.capacity - chunks.in_use, 0, 3);
    world_audit(&w);
    assert_int_equal(host_next(w.host[0]), w.now + 700 * NS_PER_US);
    host_calm(w.host[0]);
    bk_pool_info(host_stack(w.host[0]), BK_POOL_CHUNKS, &chunks);
    assert_int_equal(chunks.in_use, 0);
    world_audit(&w);
    world_end(&w);
}

/* Taking kinds of faults away leaves the others as they were: the same sleeps past the same deadline (that of a SYN that nobody answers). */
static void test_each_alone(void **state) {
    (void)state;
    enum { FIRST = 100, LAST = 300 };
    uint64_t late[2][LAST];
    for (uint32_t others = 0; others < 2; others++) {
        struct host_options o[2] = {world_options(0), world_options(1)};
        struct world w;
        o[0].faults = (struct host_faults){.late_ppm = 500000,
                                           .late_us = 1000,
                                           .refuse_us = 1,
                                           .refuse_ppm = others * 500000,
                                           .partial_ppm = others * 500000,
                                           .hold_ppm = others * 500000};
        world_begin(&w, o, 0);
        for (uint32_t k = 0; k < LAST; k++, w.now += 1000) {
            host_run(w.host[0], w.now);
            late[others][k] = host_next(w.host[0]) - bk_next_deadline(host_stack(w.host[0]));
        }
        assert_int_equal(w.frames, 1); /* long before FIRST */
        world_end(&w);
    }
    uint32_t slept = 0;
    for (uint32_t k = FIRST; k < LAST; k++) {
        assert_int_equal(late[0][k], late[1][k]);
        assert_true(late[0][k] <= NS_PER_MS);
        slept += late[0][k] > 0;
    }
    assert_true(slept > 60 && slept < 140); /* of 200, with a standard deviation of 7 */
}

/* ---- kinds of links ---- */

static void test_links(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct host_options o[2] = {world_options(0), world_options(1)};
        struct world w;
        for (unsigned i = 0; i < 2; i++) {
            o[i].iface.layer = kind & 1 ? BK_LAYER_ETHERNET : BK_LAYER_IP;
            memcpy(o[i].iface.mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(1 + i)}, 6);
            o[i].faults = (struct host_faults){.refuse_ppm = 50000, .refuse_us = 2000, .hold_ppm = 500000};
            if (kind < 2) continue;
            assert_int_equal(bk_addr_parse(i == 0 ? "2001:db8::1" : "2001:db8::2", &o[i].addr), 0);
            assert_int_equal(bk_addr_parse("2001:db8::9", &o[i].gateway), 0);
            o[i].prefix_length = 64;
        }
        world_begin(&w, o, 0);
        world_run(&w, 100 * NS_PER_S);
        assert_int_equal(w.received, BYTES);
        assert_true(w.finished);
        world_end(&w);
    }
}

/* ---- moves ---- */

static void moves_run(uint32_t move_ppm, uint64_t seed, struct world *w) {
    struct host_options o[2] = {world_options(0), world_options(1)};
    for (unsigned i = 0; i < 2; i++) {
        o[i].config.trace_events = 1024;
        o[i].move_ppm = move_ppm;
        o[i].seed = seed + i;
        o[i].faults = everything;
    }
    world_begin(w, o, 30000);
    world_transfer(w);
}

static void test_moves(void **state) {
    (void)state;
    uint64_t moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world still, moving;
        moves_run(0, seed, &still);
        moves_run(500000, seed, &moving);
        moved += moving.moved;
        assert_int_equal(still.moved, 0);
        assert_int_equal(moving.frames, still.frames);
        assert_int_equal(moving.events, still.events);
        assert_true(moving.digest == still.digest);
        for (unsigned i = 0; i < 2; i++) {
            size_t counts[2];
            const struct bk_event *a = host_events(still.host[i], &counts[0]),
                                  *b = host_events(moving.host[i], &counts[1]);
            assert_true(counts[0] > BYTES / 1500);
            assert_int_equal(counts[0], counts[1]);
            assert_memory_equal(a, b, counts[0] * sizeof *a);
        }
        world_end(&still);
        world_end(&moving);
    }
    assert_true(moved > 100);
}

/* ---- crashes ---- */

/* The receiver crashes in the middle and returns: the sender's retransmission is for no known connection, so RST answers it (RFC 9293
 * 3.5.1), and the sender's user hears of it. */
static void test_crash(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct world w;
    size_t before, after;
    o[1].config.trace_events = 1024;
    o[1].faults = (struct host_faults){.hold_ppm = 500000, .starve_ppm = 100000, .refuse_us = 1000};
    world_begin(&w, o, 0);
    while (w.received < BYTES / 3) assert_true(world_step(&w, BK_NEVER));

    host_crash(w.host[1]);
    host_crash(w.host[1]);
    w.open[1] = false;
    assert_false(host_up(w.host[1]));
    assert_null(host_stack(w.host[1]));
    assert_int_equal(host_next(w.host[1]), BK_NEVER);
    world_run(&w, NS_PER_S);
    assert_true(w.lost > 0);
    assert_int_equal(w.error, 0);
    const struct bk_event *events = host_events(w.host[1], &before);
    assert_true(before > 0);
    uint64_t last = events[before - 1].time;
    uint32_t iss = 0;
    for (size_t i = 0; i < before; i++)
        if (events[i].kind == BK_EVENT_SEGMENT_OUT && (events[i].tcp_flags & WIRE_SYN) != 0) iss = events[i].seq;

    host_return(w.host[1], w.now);
    world_run(&w, 100 * NS_PER_S);
    assert_int_equal(w.error, -104);
    assert_false(w.open[0]);
    assert_int_equal(bk_reason_count(host_stack(w.host[1]), BK_REASON_SEND_RST_CLOSED), w.resets);
    assert_int_equal(w.resets, 1);
    events = host_events(w.host[1], &after);
    assert_true(after > before);
    assert_int_equal(events[before - 1].time, last);
    assert_int_equal(events[after - 1].reason, BK_REASON_SEND_RST_CLOSED);

    /* The new life takes connections, with other sequence numbers. */
    struct bk_tcp_open to = {.remote = world_addr(1), .remote_port = PORT};
    world_listen(&w);
    w.sent = w.received = 0;
    w.resets = 0;
    w.error = 0;
    assert_int_equal(bk_tcp_connect(host_stack(w.host[0]), &to, w.now, &w.conn[0]), 0);
    w.open[0] = true;
    host_run(w.host[0], w.now);
    world_transfer(&w);
    events = host_events(w.host[1], &after);
    uint32_t iss_now = iss;
    for (size_t i = before; i < after; i++)
        if (events[i].kind == BK_EVENT_SEGMENT_OUT && (events[i].tcp_flags & WIRE_SYN) != 0) iss_now = events[i].seq;
    assert_int_not_equal(iss_now, iss);
    world_end(&w);
}

/* What the device held when the stack went is nothing to the next one. */
static void test_crash_while_holding(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct bk_pool_info frames, chunks;
    struct world w;
    o[0].faults = (struct host_faults){.starve_ppm = MILLION, .hold_ppm = MILLION, .refuse_us = 700};
    world_begin(&w, o, 0);
    assert_int_equal(frames_in_use(&w), 1);
    host_crash(w.host[0]);
    world_audit(&w);
    host_return(w.host[0], w.now);
    world_audit(&w);
    host_calm(w.host[0]);
    bk_pool_info(host_stack(w.host[0]), BK_POOL_FRAMES, &frames);
    bk_pool_info(host_stack(w.host[0]), BK_POOL_CHUNKS, &chunks);
    assert_int_equal(frames.in_use, 0);
    assert_int_equal(chunks.in_use, 0);
    world_end(&w);
}

/* ---- what the audit sees ---- */

static void assert_fault(const struct world *w, unsigned side, const char *words) {
    struct fault fault = {0};
    assert_false(host_audit(w->host[side], &fault));
    if (strstr(fault.text, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
}

static void test_audit_sees(void **state) {
    (void)state;
    struct host_options o[2] = {world_options(0), world_options(1)};
    struct fault fault = {0};
    struct world w;
    struct bk_tx unit;
    uint32_t chunk;
    world_begin(&w, o, 0);
    assert_true(host_audit(w.host[0], &fault) && host_audit(w.host[1], &fault));

    /* A frame arrives that the device has not seen. */
    uint8_t frame[65535 + 14];
    size_t length = path_leave(w.path[1], w.now + NS_PER_S, frame);
    assert_int_equal(bk_input_copy(host_stack(w.host[1]), 0, frame, length, w.now), BK_REASON_ACCEPT_SYN);
    assert_fault(&w, 1, "ACCEPT_SYN was counted 1 times, and seen 0 times");

    /* A unit is taken that never leaves. */
    host_crash(w.host[1]);
    host_return(w.host[1], w.now);
    struct bk_tcp_open to = {.remote = world_addr(0), .remote_port = PORT};
    bk_conn c;
    assert_int_equal(bk_tcp_connect(host_stack(w.host[1]), &to, w.now, &c), 0);
    assert_true(host_audit(w.host[1], &fault));
    assert_int_equal(bk_output(host_stack(w.host[1]), 0, &unit, 1, w.now), 1);
    assert_fault(&w, 1, "SEND_SYN was counted 1 times, and seen 0 times");

    /* A chunk is missing. */
    assert_int_equal(bk_chunk_alloc(host_stack(w.host[0]), &chunk, 1), 1);
    assert_fault(&w, 0, "chunk");
    world_end(&w);
}

static void assert_refused(const struct host_options *o, const char *words) {
    const char *why = "";
    assert_null(host_new(o, 1, world_emit, world_ready, NULL, &why));
    if (strstr(why, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void test_wrong_options(void **state) {
    (void)state;
    struct host_options o = world_options(0);
    o.config.msl_ms = 0;
    assert_refused(&o, "msl_ms");
    o = world_options(0);
    o.iface.mtu = 100;
    assert_refused(&o, "interface");
    o = world_options(0);
    o.prefix_length = 33;
    assert_refused(&o, "address");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_faults),      cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_partial),        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_late),           cmocka_unit_test(test_starve),
        cmocka_unit_test(test_everything),     cmocka_unit_test(test_refuse_always),
        cmocka_unit_test(test_each_alone),     cmocka_unit_test(test_partial_exactly),
        cmocka_unit_test(test_starve_exactly), cmocka_unit_test(test_crash_while_holding),
        cmocka_unit_test(test_hold_exactly),   cmocka_unit_test(test_links),
        cmocka_unit_test(test_moves),          cmocka_unit_test(test_crash),
        cmocka_unit_test(test_audit_sees),     cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
