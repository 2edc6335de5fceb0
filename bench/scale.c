/* The workload `scale`: very many established connections to one stack, and then a request on each, in random order.
 *
 * The clients are a crowd (lab/crowd.h): segments that are made before the clock starts and read after it has stopped. What is timed is the stack and
 * its user alone: a batch of 32 requests from as many connections comes in, each is read and answered with as many bytes, the answers are written out as
 * frames; then their ACKs come in. So a request is two frames in and one out.
 *
 * What differs between a thousand connections and a million is what is in the processor's caches when a segment arrives. The figure is
 * requests a second, beside that of a thousand connections in the same round.
 */
#define _GNU_SOURCE 1
#include "lab/crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/draw.h"
#include "world.h"

#define SCALE_BATCH   32u
#define SCALE_REQUEST 64u
#define SCALE_WARM    1000u /* requests before the clock starts, at least */

struct scale_parameters {
    uint32_t connections;
    uint64_t requests;
};

/* What a client knows: its next number, and the stack's. */
struct scale_client {
    uint32_t snd_nxt, rcv_nxt;
};

struct scale {
    struct bench_run *run;
    struct bench_clock clock;
    struct bench_stack memory;
    struct crowd crowd;
    bk_listener listener;
    const struct scale_parameters *parameters;
    uint32_t connections;
    struct scale_client *client;
    uint32_t *order; /* of the clients: a permutation, gone through again and again */
    uint64_t asked, answered, served, random;
    double seconds; /* of the stack and its user */
    uint8_t frame[SCALE_BATCH][CROWD_FRAME];
    size_t length[SCALE_BATCH];
};

/* ---- making ---- */

static void scale_config(struct bk_config *config, uint32_t connections) {
    bk_config_default(config);
    config->connections = connections + 16;
    config->active_connections = 512; /* 32 are busy at a time; in both cases each request takes a rested one over */
    config->requests_ipv4 = 1024;
    config->requests_ipv6 = config->time_waits_ipv6 = config->time_waits_ipv4 = 16;
    config->timestamps = false;
}

static int scale_open(struct scale *s, const struct scale_parameters *p, struct bench_run *run) {
    struct bk_config config;
    const bk_addr any = bk_addr_ipv4(0, 0, 0, 0);
    *s = (struct scale){.run = run, .parameters = p, .random = 1};
    s->connections = run->quick || run->verify ? p->connections / 20 : p->connections;
    s->clock = (struct bench_clock){.virtual_time = run->virtual_time, .now = 1};
    scale_config(&config, s->connections);
    if (bench_stack_create(&s->memory, &config, 1, bench_clock_read(&s->clock), run) < 0) return -1;
    bench_stack_huge_pages(&s->memory);
    s->client = calloc(s->connections, sizeof *s->client);
    s->order = calloc(s->connections, sizeof *s->order);
    if (s->client == NULL || s->order == NULL) return bench_fail(run, "no memory");
    int r = crowd_open(&s->crowd, s->memory.stack, false, BENCH_PORT, s->clock.now);
    if (r == 0) r = bk_tcp_listen(s->memory.stack, &any, BENCH_PORT, 64, 0, s->clock.now, &s->listener);
    return r < 0 ? bench_fail(run, "cannot listen: %s", strerror(-r)) : 0;
}

static void scale_close(struct scale *s) {
    bench_stack_destroy(&s->memory);
    free(s->client);
    free(s->order);
}

/* SYN, SYN-ACK, ACK; the user takes it. */
static int scale_establish(struct scale *s, uint32_t client) {
    struct scale_client *c = &s->client[client];
    struct crowd_segment syn = {.client = client, .seq = (uint32_t)draw(&s->random), .flags = WIRE_SYN}, got;
    uint64_t now = bench_clock_read(&s->clock);
    bk_conn conn;
    bk_advance(s->memory.stack, now);
    crowd_give(&s->crowd, &syn, now);
    if (crowd_take(&s->crowd, &got, 1, now) != 1 || got.client != client || got.flags != (WIRE_SYN | WIRE_ACK))
        return bench_fail(s->run, "connection %u: no SYN-ACK", client);
    *c = (struct scale_client){syn.seq + 1, got.seq + 1};
    struct crowd_segment ack = {.client = client, .seq = c->snd_nxt, .ack = c->rcv_nxt, .flags = WIRE_ACK};
    crowd_give(&s->crowd, &ack, now);
    int r = bk_tcp_accept(s->memory.stack, s->listener, client, now, &conn);
    return r < 0 ? bench_fail(s->run, "connection %u: accept: %s", client, strerror(-r)) : 0;
}

static int scale_establish_all(struct scale *s) {
    struct bk_ready events[SCALE_BATCH];
    for (uint32_t i = 0; i < s->connections; i++) {
        if (scale_establish(s, i) < 0) return -1;
        while (bk_ready_poll(s->memory.stack, events, SCALE_BATCH) != 0) continue;
        uint32_t other = draw_below(&s->random, i + 1); /* a permutation grows: Fisher and Yates */
        s->order[i] = s->order[other];
        s->order[other] = i;
    }
    return 0;
}

/* ---- what is timed ---- */

static int scale_serve(struct scale *s, uint64_t now) {
    struct bk_ready events[SCALE_BATCH];
    uint8_t data[2 * SCALE_REQUEST];
    size_t n;
    while ((n = bk_ready_poll(s->memory.stack, events, SCALE_BATCH)) != 0) {
        for (size_t i = 0; i < n; i++) {
            bk_conn conn = {events[i].index, events[i].generation};
            if (events[i].listener || !(events[i].what & BK_READY_READABLE)) continue;
            ptrdiff_t got = bk_tcp_receive(s->memory.stack, conn, data, sizeof data, now);
            if (got != SCALE_REQUEST) return bench_fail(s->run, "a request of %td bytes came", got);
            got = bk_tcp_send(s->memory.stack, conn, data, SCALE_REQUEST, 0, now);
            if (got != SCALE_REQUEST) return bench_fail(s->run, "SEND takes %td bytes", got);
            s->served++;
        }
    }
    return 0;
}

/* Frames in, what follows from them, frames out. Returns how many came out, or -1. */
static int scale_drive(struct scale *s, struct bk_rx *frames, uint32_t n) {
    bk_stack *stack = s->memory.stack;
    struct bk_tx unit[SCALE_BATCH];
    uint32_t id[SCALE_BATCH];
    double began = bench_cpu_seconds();
    uint64_t now = bench_clock_read(&s->clock);
    bk_input(stack, s->crowd.iface, frames, n, now);
    bk_advance(stack, now);
    if (scale_serve(s, now) < 0) return -1;
    size_t out = bk_output(stack, s->crowd.iface, unit, SCALE_BATCH, now);
    for (size_t i = 0; i < out; i++) {
        s->length[i] = bk_tx_write(stack, &unit[i], 0, s->frame[i], CROWD_FRAME);
        id[i] = unit[i].id;
    }
    bk_output_done(stack, id, out);
    s->seconds += bench_cpu_seconds() - began;
    return (int)out;
}

/* ---- the clients ---- */

/* A frame for each of these segments, driven through the stack. */
static int scale_give(struct scale *s, const struct crowd_segment *segments, uint32_t n) {
    struct bk_part part[SCALE_BATCH];
    struct bk_rx frames[SCALE_BATCH];
    uint32_t chunk[SCALE_BATCH];
    if (bk_chunk_alloc(s->memory.stack, chunk, n) != n) return bench_fail(s->run, "no chunks");
    for (uint32_t i = 0; i < n; i++) {
        size_t length = crowd_write(&s->crowd, &segments[i], bk_chunk_data(s->memory.stack, chunk[i]));
        part[i] = (struct bk_part){chunk[i], 0, (uint16_t)length};
        frames[i] = (struct bk_rx){.parts = &part[i], .part_count = 1};
    }
    return scale_drive(s, frames, n);
}

/* The answers, which their clients acknowledge. */
static int scale_answers(struct scale *s, uint32_t n) {
    struct crowd_segment acks[SCALE_BATCH];
    for (uint32_t i = 0; i < n; i++) {
        struct crowd_segment got;
        crowd_read(&s->crowd, s->frame[i], s->length[i], &got);
        struct scale_client *c = got.client < s->connections ? &s->client[got.client] : NULL;
        if (c == NULL || got.seq != c->rcv_nxt || got.ack != c->snd_nxt || got.length != SCALE_REQUEST)
            return bench_fail(s->run, "what comes is no answer: %u bytes for client %u", got.length, got.client);
        c->rcv_nxt += got.length;
        acks[i] = (struct crowd_segment){.client = got.client, .seq = c->snd_nxt, .ack = c->rcv_nxt, .flags = WIRE_ACK};
    }
    s->answered += n;
    int out = scale_give(s, acks, n);
    return out > 0 ? bench_fail(s->run, "an ACK is answered") : out;
}

static int scale_batch(struct scale *s, uint32_t n) {
    struct crowd_segment requests[SCALE_BATCH];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t client = s->order[s->asked++ % s->connections];
        struct scale_client *c = &s->client[client];
        requests[i] = (struct crowd_segment){.client = client,
                                             .seq = c->snd_nxt,
                                             .ack = c->rcv_nxt,
                                             .flags = WIRE_ACK | WIRE_PSH,
                                             .length = SCALE_REQUEST};
        c->snd_nxt += SCALE_REQUEST;
    }
    int out = scale_give(s, requests, n);
    if (out < 0) return -1;
    if ((uint32_t)out != n) return bench_fail(s->run, "%d answers to %u requests", out, n);
    return scale_answers(s, n);
}

static int scale_ask(struct scale *s, uint64_t requests) {
    for (uint64_t i = 0; i < requests; i += SCALE_BATCH)
        if (scale_batch(s, (uint32_t)u64_min(SCALE_BATCH, requests - i)) < 0) return -1;
    return 0;
}

/* ---- both ---- */

static int scale_timed(struct scale *s, double *values) {
    struct bk_tcp_mib mib;
    uint64_t requests = s->run->quick || s->run->verify ? s->connections : s->parameters->requests;
    if (scale_establish_all(s) < 0 || scale_ask(s, SCALE_WARM) < 0) return -1;
    s->seconds = 0;
    if (scale_ask(s, requests) < 0) return -1;
    if (s->seconds <= 0) return bench_fail(s->run, "too short to be timed");
    bk_tcp_mib(s->memory.stack, &mib);
    if (s->served != s->answered || mib.curr_estab != s->connections || mib.retrans_segs != 0)
        return bench_fail(s->run, "%llu requests served, %llu answers, %llu connections, %llu segments sent again",
                          (unsigned long long)s->served, (unsigned long long)s->answered,
                          (unsigned long long)mib.curr_estab, (unsigned long long)mib.retrans_segs);
    values[0] = (double)requests / s->seconds;
    values[1] = s->seconds * 1e9 / (double)requests;
    values[2] = (double)bk_used_extent(s->memory.stack) / s->connections;
    return 0;
}

static int scale_run(const struct bench_case *c, struct bench_run *run, double *values) {
    struct scale *s = malloc(sizeof *s);
    if (s == NULL) return bench_fail(run, "no memory");
    int r = scale_open(s, c->parameters, run);
    if (r == 0) r = scale_timed(s, values);
    scale_close(s);
    free(s);
    return r;
}

static const struct scale_parameters scale_1k = {1000, 1000000}, scale_1m = {1000000, 1000000};

static const struct bench_metric scale_metrics[] = {
    {"requests", "/s per core", 0},
    {"time per request", "ns", 0},
    {"region per connection", "bytes", 0},
};

static const struct bench_case scale_cases[] = {
    {.name = "1K", .about = "1,000 connections established, a thousand requests on each", .parameters = &scale_1k},
    {.name = "1M",
     .about = "1,000,000 connections established, a request on each",
     .parameters = &scale_1m,
     .peer = "1K",
     .target = {{BENCH_RATIO, 1 / 1.3, false}},
     .targets = 1},
};

const struct bench_workload bench_scale = {
    .name = "scale",
    .about = "requests in random order on very many established connections to one stack",
    .metrics = scale_metrics,
    .metric_count = BK_COUNT(scale_metrics),
    .cases = scale_cases,
    .case_count = BK_COUNT(scale_cases),
    .run = scale_run,
};
