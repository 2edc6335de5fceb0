/* Scenarios with a name: the big ones, and those that one wants to see again. */
#include "base/common.h"
#include "lab/scenario.h"

static void preset_pools(struct scenario *s, uint32_t connections, uint32_t chunks, uint32_t buffer) {
    for (uint32_t i = 0; i < s->hosts; i++) {
        struct bk_config *c = &s->host[i].config;
        c->connections = c->requests_ipv4 = c->requests_ipv6 = connections;
        c->time_waits_ipv4 = c->time_waits_ipv6 = connections;
        c->chunks = chunks;
        c->buffer_chunks = chunks - chunks / 8;
        c->frames = 1024;
        c->send_buffer = c->receive_buffer = buffer;
    }
}

static void preset_paths(struct scenario *s, uint64_t rate_bps, uint32_t delay_us, uint32_t queue_bytes) {
    for (uint32_t i = 0; i < s->hosts; i++) {
        struct path_options *p[] = {&s->host[i].up, &s->host[i].down};
        for (uint32_t k = 0; k < 2; k++) {
            p[k]->rate_bps = rate_bps;
            p[k]->delay_us = delay_us;
            p[k]->queue_bytes = queue_bytes;
        }
    }
}

static void preset_ten_thousand(struct scenario *s) {
    preset_pools(s, 20000, 200000, 8192);
    preset_paths(s, 0, 10000, 0);
    s->host[0].up.loss_ppm = s->host[0].down.loss_ppm = 2000;
    s->audit_every = 50000;
    s->flows = 1;
    s->flow[0].kind = SCENARIO_REQUESTS;
    s->flow[0].connections = s->flow[0].backlog = 10000;
    s->flow[0].spacing_us = 20;
    s->flow[0].rounds = 2;
    s->flow[0].pause_us = 500000; /* so that all of them stand open at once */
    s->flow[0].up = 200;
    s->flow[0].down = 3000;
}

static void preset_lossy_bulk(struct scenario *s) {
    preset_pools(s, 64, 4096, 262144);
    preset_paths(s, 50000000, 10000, 200000);
    struct path_options *p = &s->host[0].up;
    p->loss_ppm = 5000;
    p->burst_begin_ppm = 500;
    p->burst_end_ppm = 100000;
    p->burst_loss_ppm = 500000;
    p->reorder_ppm = 5000;
    p->reorder_us = 3000;
    p->duplicate_ppm = 2000;
    s->calm_us = 600000000;
    s->flows = 1;
    s->flow[0].up = 16000000;
    s->flow[0].down = 100000;
    s->audit_every = 4096;
}

static void preset_satellite(struct scenario *s) {
    preset_pools(s, 64, 8192, 2000000);
    preset_paths(s, 20000000, 300000, 1000000);
    s->host[0].up.loss_ppm = 100;
    s->calm_us = 600000000;
    s->flows = 1;
    s->flow[0].up = 8000000;
    s->audit_every = 4096;
}

static void preset_star(struct scenario *s) {
    s->routed = true;
    s->hosts = 32;
    preset_pools(s, 256, 2048, 32768);
    preset_paths(s, 10000000, 5000, 64000);
    s->audit_every = 2048;
    s->flows = SCENARIO_FLOWS;
    for (uint32_t i = 0; i < s->flows; i++) {
        struct scenario_flow *f = &s->flow[i];
        f->kind = (uint8_t)(i % 3 == 2 ? SCENARIO_HALF_CLOSE : i % 3 == 1 ? SCENARIO_BULK : SCENARIO_REQUESTS);
        f->client = (uint8_t)(4 * i);
        f->server = (uint8_t)(4 * i + 3);
        f->connections = 40;
        f->spacing_us = 5000;
        f->up = 10000;
        f->down = 40000;
    }
    s->host[3].down.loss_ppm = s->host[7].up.loss_ppm = 10000;
}

static void preset_bottleneck(struct scenario *s) {
    s->routed = true;
    s->hosts = 5;
    preset_pools(s, 64, 4096, 262144);
    preset_paths(s, 0, 5000, 0);
    struct path_options *p = &s->host[4].down;
    p->rate_bps = 20000000;
    p->queue_bytes = 100000;
    p->queue = PATH_CODEL;
    s->calm_us = 600000000;
    s->audit_every = 4096;
    s->flows = 4;
    for (uint32_t i = 0; i < s->flows; i++) {
        s->flow[i].client = (uint8_t)i;
        s->flow[i].server = 4;
        s->flow[i].up = 4000000;
        s->flow[i].start_us = i * 500000;
    }
}

static void preset_reset_storm(struct scenario *s) {
    preset_pools(s, 4096, 8192, 16384);
    preset_paths(s, 0, 2000, 0);
    s->host[0].up.loss_ppm = s->host[1].up.loss_ppm = 20000;
    s->host[0].up.reorder_ppm = 50000;
    s->host[0].up.reorder_us = 4000;
    s->audit_every = 4096;
    s->flows = 1;
    s->flow[0].kind = SCENARIO_RESETS;
    s->flow[0].connections = 3000;
    s->flow[0].backlog = 1000;
    s->flow[0].spacing_us = 500;
    s->flow[0].up = s->flow[0].down = 20000;
    s->flow[0].act_us = 20000;
}

static void preset_short(struct scenario *s) {
    preset_pools(s, 1024, 4096, 16384);
    preset_paths(s, 0, 500, 0);
    s->host[0].up.loss_ppm = 5000;
    s->host[0].config.ephemeral_first = 40000; /* few ports: TIME-WAIT is met again and again */
    s->host[0].config.ephemeral_last = 40099;
    s->audit_every = 4096;
    s->flows = 1;
    s->flow[0].kind = SCENARIO_REQUESTS;
    s->flow[0].closer = 1;
    s->flow[0].connections = 20000;
    s->flow[0].spacing_us = 2000;
    s->flow[0].backlog = 200;
    s->calm_us = 60000000;
}

static void preset_crash(struct scenario *s) {
    preset_pools(s, 512, 2048, 16384);
    preset_paths(s, 1000000, 10000, 60000);
    s->host[1].crash_us = 2000000;
    s->host[1].return_us = 9000000;
    s->flows = 2;
    s->flow[0].connections = 50;
    s->flow[0].spacing_us = 20000;
    s->flow[0].up = 20000;
    s->flow[1].kind = SCENARIO_KEEP_ALIVE;
    s->flow[1].connections = 50;
    s->flow[1].rounds = 2;
    s->flow[1].pause_us = 120000000;
}

const struct scenario_preset scenario_presets[] = {
    {"ten-thousand", "10,000 connections at once between two hosts, each with two requests", preset_ten_thousand},
    {"lossy-bulk", "16 MB over 50 Mbit/s with bursts of loss, reordering and duplicates", preset_lossy_bulk},
    {"satellite", "8 MB over 20 Mbit/s with 600 ms of round trip", preset_satellite},
    {"star", "32 hosts around a router, 320 connections of three kinds", preset_star},
    {"bottleneck", "four senders share 20 Mbit/s behind a CoDel queue", preset_bottleneck},
    {"reset-storm", "3,000 connections that are aborted at drawn moments", preset_reset_storm},
    {"short", "20,000 short connections from 100 ports", preset_short},
    {"crash", "a server crashes under 100 connections and returns", preset_crash},
};
const uint32_t scenario_preset_count = BK_COUNT(scenario_presets);
