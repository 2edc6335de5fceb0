/* A small world from a seed.
 *
 * Most figures are the usual ones in most worlds: a world in which everything goes wrong at once shows less than many in which two or
 * three things do. Sizes are drawn so that a typical world is a few hundred frames. */
#include "base/common.h"
#include "base/draw.h"
#include "lab/scenario.h"

static bool one_in(uint64_t *r, uint32_t n) {
    return draw_below(r, n) == 0;
}

/* Each power of two as likely as the next. */
static uint32_t draw_log(uint64_t *r, uint32_t low, uint32_t high) {
    uint32_t octaves = 0;
    while (octaves < 31 && (uint64_t)low << (octaves + 1) <= high) octaves++;
    uint32_t base = low << draw_below(r, octaves + 1);
    return u32_min(draw_range(r, base, base + (base - 1)), high);
}

static uint32_t draw_ppm(uint64_t *r) {
    return draw_log(r, 1000, 200000);
}

/* ---- paths ----------------------------------------------------------------------------------------- */

static void draw_changes(struct path_options *p, const struct scenario *s, uint64_t *r) {
    uint32_t n = draw_range(r, 1, 2), at = 0, slot = 0;
    bool mtu = one_in(r, 2);
    for (uint32_t i = 0; i < n; i++) {
        at += draw_range(r, 5000, 3000000);
        p->change[slot++] = (struct path_change){
            .at_us = at, .down = !mtu, .mtu = mtu ? draw_range(r, s->family == 6 ? 1280 : 600, 1500) : 0};
        at += draw_range(r, 5000, 4000000);
        p->change[slot++] = (struct path_change){.at_us = at, .mtu = mtu ? 1500 : 0};
    }
}

static void draw_losses(struct path_options *p, uint64_t *r) {
    switch (draw_below(r, 3)) {
    case 0:
        p->loss_ppm = draw_ppm(r);
        return;
    case 1:
        p->burst_begin_ppm = draw_ppm(r) / 4;
        p->burst_end_ppm = draw_log(r, 50000, 500000);
        p->burst_loss_ppm = draw_range(r, 300000, 1000000);
        return;
    default:
        for (uint32_t i = draw_range(r, 1, PATH_KTH); i-- > 0;) p->kth[i] = draw_log(r, 1, 64);
    }
}

static void draw_path(struct path_options *p, const struct scenario *s, bool patient, uint64_t *r) {
    p->delay_us = draw_log(r, 10, 100000);
    if (one_in(r, 4)) p->jitter_us = draw_log(r, 10, 50000);
    if (one_in(r, 3)) {
        p->rate_bps = (uint64_t)draw_log(r, 100, 100000) * 1000;
        p->queue_bytes = !patient && one_in(r, 4) ? draw_range(r, 1600, 9600) : draw_log(r, 20000, 200000);
        if (patient) p->queue_bytes += 60000;
        if (one_in(r, 4)) p->queue = PATH_CODEL;
        p->ecn = one_in(r, 2);
    }
    if (one_in(r, 3)) draw_losses(p, r);
    if (one_in(r, 5)) p->duplicate_ppm = one_in(r, 3) ? 700000 : draw_ppm(r);
    if (one_in(r, 5)) {
        p->reorder_ppm = draw_ppm(r);
        p->reorder_us = draw_log(r, 10, one_in(r, 4) ? 8000000 : 200000); /* the long ones make old duplicates */
    }
    if (one_in(r, 5)) p->mark_ppm = draw_log(r, 1000, 500000);
    if (one_in(r, 12)) p->mtu = draw_range(r, s->family == 6 ? 1280 : 576, 1500);
    if (one_in(r, 12)) draw_changes(p, s, r);
}

/* ---- hosts ----------------------------------------------------------------------------------------- */

/* One pool or the other stands near its bound. */
static void draw_tight(struct bk_config *c, uint64_t *r) {
    if (one_in(r, 3)) c->connections = draw_range(r, 1, 6);
    if (one_in(r, 3)) c->active_connections = draw_range(r, 1, 4);
    if (one_in(r, 2)) c->requests_ipv4 = c->requests_ipv6 = draw_range(r, 0, 3);
    if (one_in(r, 3)) c->time_waits_ipv4 = c->time_waits_ipv6 = draw_range(r, 0, 3);
    if (one_in(r, 3)) c->frames = draw_range(r, 2, 6);
    if (one_in(r, 3)) {
        c->chunks = draw_log(r, 8, 128);
        c->buffer_chunks = draw_range(r, 2, c->chunks - 4);
    }
    if (one_in(r, 2)) c->port_maps = draw_below(r, 3);
    if (one_in(r, 4)) c->ephemeral_last = (uint16_t)(c->ephemeral_first + draw_below(r, 4));
}

/* How soon a stack gives up. Where nothing is drawn here, all that is sent must arrive at last (scenario_must_complete). */
static void draw_patience(struct bk_config *c, uint64_t *r) {
    if (one_in(r, 6)) c->syn_retries = draw_below(r, 5);
    if (one_in(r, 4)) c->syn_linear_timeouts = draw_below(r, 3);
    if (one_in(r, 8)) c->orphans_max = draw_below(r, 5);
    if (one_in(r, 6)) c->syn_ack_retries = draw_below(r, 5);
    if (one_in(r, 8)) c->retries2 = draw_range(r, 1, 10);
    if (one_in(r, 6)) c->fin_wait_2_ms = draw_log(r, 100, 60000);
    if (one_in(r, 6)) c->orphan_retries = draw_below(r, 8);
    if (one_in(r, 6)) c->orphan_ms = draw_log(r, 100, 60000);
}

/* How losses are noticed, and how fast is sent. */
static void draw_recovery(struct bk_config *c, uint64_t *r) {
    c->tail_loss_probe = !one_in(r, 3);
    c->frto = !one_in(r, 3);
    if (one_in(r, 4)) c->sent_records = draw_below(r, 12);
    c->sack = !one_in(r, 4);
    c->dsack = !one_in(r, 6);
    if (one_in(r, 6)) c->reordering = draw_range(r, 1, 10);
    if (one_in(r, 6)) c->reordering_max = draw_range(r, 1, 100);
    if (one_in(r, 4)) c->ack_compress_us = draw_below(r, 5000);
    if (one_in(r, 4)) c->ack_compress_max = draw_below(r, 60);
    c->congestion = draw_below(r, BK_CONGESTIONS);
    c->hystart = !one_in(r, 4);
    c->slow_start_after_idle = !one_in(r, 4);
    c->pacing = one_in(r, 4);
    if (one_in(r, 4)) c->pacing_ss_ratio = draw_log(r, 1, 1000);
    if (one_in(r, 4)) c->pacing_ca_ratio = draw_log(r, 1, 1000);
    if (one_in(r, 4)) c->min_tso_segments = draw_range(r, 1, 20);
}

static void draw_config(struct bk_config *c, bool patient, uint64_t *r) {
    if (one_in(r, 3)) c->chunk_size = UINT32_C(256) << draw_below(r, 5);
    if (one_in(r, 3)) c->send_buffer = draw_log(r, 200, 60000);
    if (one_in(r, 3)) c->receive_buffer = draw_log(r, 200, 100000);
    c->chunks = u32_max(320, 3 * 65536 / c->chunk_size);
    c->buffer_chunks = c->chunks - c->chunks / 5;
    if (!patient && one_in(r, 2)) draw_tight(c, r);
    if (!patient) draw_patience(c, r);
    c->msl_ms = draw_log(r, 1, 30000);
    c->rto_min_ms = draw_log(r, 5, 1000);
    if (one_in(r, 4)) c->rto_initial_ms = draw_log(r, 100, 3000);
    if (one_in(r, 4)) c->rto_max_ms = draw_log(r, 4000, 120000);
    if (one_in(r, 3)) c->delayed_ack_ms = draw_below(r, 400);
    c->timestamps = !one_in(r, 3);
    c->window_scaling = !one_in(r, 3);
    draw_recovery(c, r);
    if (one_in(r, 6)) c->send_buffer_max = draw_log(r, 1000, 1000000);
    if (one_in(r, 3)) c->receive_buffer_max = draw_log(r, 1000, 1000000);
    if (one_in(r, 3)) c->quick_acks = draw_below(r, 20);
    c->syn_cookies = draw_below(r, 3);
    c->reset_on_unread = !one_in(r, 4);
    c->ecn = draw_below(r, 3);
    c->ecn_fallback = !one_in(r, 4);
    c->time_wait_reuse = draw_below(r, 3);
    if (one_in(r, 6)) c->unsent_low = draw_log(r, 1, 60000);
    c->mtu_probing = draw_below(r, 3);
    if (one_in(r, 3)) c->base_mss = draw_range(r, 500, 1400);
    if (one_in(r, 3)) c->path_mtu_expiry_s = draw_range(r, 1, 600);
    if (one_in(r, 3)) c->mtu_probe_interval_s = draw_range(r, 1, 600);
}

static void draw_faults(struct host_faults *f, uint64_t *r) {
    f->refuse_us = draw_log(r, 10, 20000);
    if (one_in(r, 3)) f->refuse_ppm = draw_ppm(r);
    if (one_in(r, 3)) f->partial_ppm = draw_log(r, 1000, 900000);
    if (one_in(r, 3)) f->hold_ppm = draw_log(r, 1000, 900000);
    if (one_in(r, 3)) f->starve_ppm = draw_ppm(r);
    if (one_in(r, 3)) {
        f->late_ppm = draw_log(r, 1000, 900000);
        f->late_us = draw_log(r, 100, 300000);
    }
}

/* What collects, cuts and merges frames, and keeps units. A reset of the device is to a stack what a path that loses is, and the wire's watch would take
 * what never left for a gap; a scenario's clock jumps by jump_us. */
static void draw_device(struct scenario_host *h, uint64_t *r) {
    struct host_faults *f = &h->faults;
    if (f->refuse_us == 0) f->refuse_us = draw_log(r, 10, 20000);
    if (one_in(r, 3)) {
        f->keep_ppm = draw_log(r, 1000, 1000000);
        f->keep_us = draw_log(r, 100, 300000);
    }
    if (one_in(r, 4)) f->deaf_ppm = draw_log(r, 1000, 900000);
    if (one_in(r, 4)) f->single_ppm = draw_log(r, 1000, 1000000);
    if (one_in(r, 4)) {
        f->back_ppm = draw_log(r, 1000, 1000000);
        f->back_us = draw_log(r, 1, 1000000000);
    }
    if (one_in(r, 3)) {
        f->batch = draw_log(r, 2, 64);
        f->batch_us = one_in(r, 3) ? 0 : draw_log(r, 10, 30000);
    }
    if (one_in(r, 3)) f->queue = draw_log(r, 1, 200);
    if (one_in(r, 3)) f->parts_ppm = draw_log(r, 1000, 1000000);
    if (one_in(r, 3)) f->pad_ppm = draw_log(r, 1000, 1000000);
    if (one_in(r, 3)) f->merge_ppm = draw_log(r, 10000, 1000000);
    if (one_in(r, 3)) h->offload = draw_below(r, 8);
    if (one_in(r, 3)) h->unit_max = draw_log(r, 100, 60000);
    h->config.receive_coalescing = !one_in(r, 3);
}

static void draw_host(struct scenario_host *h, const struct scenario *s, bool patient, uint64_t *r) {
    draw_config(&h->config, patient, r);
    if (one_in(r, 3)) draw_faults(&h->faults, r);
    if (one_in(r, 4)) h->mtu = draw_range(r, s->family == 6 ? 1280 : 576, 1500);
    if (one_in(r, 20)) h->mtu = draw_range(r, 1500, 9000);
    if (!patient && one_in(r, 8)) {
        h->crash_us = draw_log(r, 1000, 4000000);
        if (!one_in(r, 3)) h->return_us = h->crash_us + draw_log(r, 1000, 8000000);
    }
    if (!patient && one_in(r, 8)) {
        h->jump_us = draw_log(r, 1000, 4000000);
        h->jump_ms = draw_log(r, 1, 60000);
        h->jump_back = one_in(r, 2);
        /* While the clock stands still ISNs of one 4-tuple repeat (RFC 6528): no 4-tuple comes twice then. */
        if (h->jump_back) h->config.ephemeral_last = 60999;
    }
    draw_path(&h->up, s, patient, r);
    if (s->routed) draw_path(&h->down, s, patient, r);
    /* On the way up only: two flipped bits can make up for each other in the checksum. ARP has none: what Ethernet's own would catch is not the
     * stack's to bear. */
    if (one_in(r, 6) && !s->ethernet) h->up.corrupt_ppm = draw_ppm(r);
}

/* ---- flows ----------------------------------------------------------------------------------------- */

/* How a flow's users write, and when its server accepts. */
static void draw_habits(struct scenario_flow *f, bool patient, uint64_t *r) {
    f->early = one_in(r, 4);
    f->nodelay = one_in(r, 3);
    f->quickack = one_in(r, 6);
    f->by_reference = one_in(r, 4);
    f->more = one_in(r, 6);
    if (one_in(r, 4)) {
        f->write_bytes = draw_range(r, 1, 50);
        f->up = f->up % (200 * f->write_bytes);
        f->down = f->down % (200 * f->write_bytes);
    }
    if (one_in(r, 6)) f->urgent = draw_log(r, 1, 16);
    if (one_in(r, 6)) f->resize = draw_log(r, 256, 60000);
    if (one_in(r, 5)) f->accept_us = draw_log(r, 1000, 8000000);
    if (patient) return;
    if (one_in(r, 4)) f->user_timeout_ms = draw_log(r, 100, 30000);
    if (one_in(r, 4)) f->backlog = draw_range(r, 1, 3);
    if (one_in(r, 8)) f->accept_most = draw_range(r, 1, f->connections);
}

/* Readers that leave their windows closed for so long that they are probed. */
static void draw_slow_reader(struct scenario_flow *f, uint64_t *r) {
    if (!one_in(r, 2)) return;
    f->pause_us = draw_log(r, 1000000, 8000000);
    f->read_bytes = u32_max(f->up, f->down) / draw_range(r, 2, 6) + 1;
}

static void draw_flow(struct scenario_flow *f, const struct scenario *s, bool patient, uint64_t *r) {
    /* Many small ones, and now and then one in which windows and pools fill. */
    uint32_t most = one_in(r, 4) ? 300000 : 30000, connections = one_in(r, 6) ? 24 : 6;
    /* In a patient world all that is sent must arrive: none of the kinds in which users, or nobody's answers, may end a connection early. */
    f->kind = (uint8_t)draw_below(r, patient ? SCENARIO_RESETS : SCENARIO_KINDS);
    f->client = (uint8_t)draw_below(r, s->hosts);
    f->server = (uint8_t)((f->client + 1 + draw_below(r, s->hosts - 1)) % s->hosts);
    f->closer = (uint8_t)draw_below(r, 2);
    f->connections = draw_log(r, 1, connections);
    f->start_us = one_in(r, 2) ? 0 : draw_log(r, 1, 1000000);
    f->spacing_us = one_in(r, 2) ? 0 : draw_log(r, 1, 500000);
    f->up = one_in(r, 4) ? draw_below(r, 4) : draw_log(r, 16, most) / f->connections + 1;
    f->down = one_in(r, 4) ? draw_below(r, 4) : draw_log(r, 16, most) / f->connections + 1;
    draw_habits(f, patient, r);
    f->read_bytes = draw_log(r, 16, 4000) + most / 1000;
    f->pause_us = draw_log(r, 100, 100000);
    f->act_us = draw_log(r, 10, 2000000);
    if (f->kind == SCENARIO_SLOW_READER) draw_slow_reader(f, r);
    if (f->kind == SCENARIO_REQUESTS || f->kind == SCENARIO_KEEP_ALIVE) {
        f->rounds = draw_log(r, 1, 6);
        f->up = f->up / f->rounds + 1;
        f->down = f->down / f->rounds + 1;
        if (f->kind == SCENARIO_REQUESTS && !one_in(r, 3)) f->pause_us = 0;
        if (f->kind == SCENARIO_KEEP_ALIVE) f->pause_us = draw_range(r, 1, 40) * 1000000;
    }
}

/* The same 4-tuple again and again: connections that follow each other, from a server that may hold the last one in TIME-WAIT. While a clock
 * stands still ISNs of one 4-tuple repeat (RFC 6528): not then. */
static void draw_reuse(struct scenario *s, uint64_t *r) {
    for (uint32_t i = 0; i < s->hosts; i++)
        if (s->host[i].jump_back) return;
    for (uint32_t i = 0; i < s->flows; i++) {
        struct scenario_flow *f = &s->flow[i];
        if (!one_in(r, 5) || f->kind == SCENARIO_SIMULTANEOUS_OPEN) continue;
        f->same_port = true;
        f->connections = u32_max(f->connections, 3);
        if (f->kind == SCENARIO_REQUESTS) f->closer = 1;
    }
}

/* The other side of a connection goes silent for good: keep-alive, a user timeout or R2 has to tell. */
static void draw_silence(struct scenario *s, uint64_t *r) {
    for (uint32_t i = 0; i < s->flows; i++) {
        const struct scenario_flow *f = &s->flow[i];
        if ((f->kind != SCENARIO_KEEP_ALIVE && f->user_timeout_ms == 0) || !one_in(r, 2)) continue;
        struct scenario_host *h = &s->host[one_in(r, 2) ? f->client : f->server];
        h->crash_us = f->start_us + draw_log(r, 10000, 8000000);
        h->return_us = 0;
    }
}

void scenario_draw(struct scenario *s, uint64_t seed) {
    scenario_usual(s);
    uint64_t state = seed, *r = &state;
    draw(r);
    s->seed = seed;
    s->family = one_in(r, 3) ? 6 : 4;
    s->routed = one_in(r, 2);
    s->ethernet = !s->routed && one_in(r, 2);
    s->hosts = s->routed ? draw_range(r, 2, 4) : 2;
    s->black_hole = one_in(r, 8);
    s->calm_us = draw_log(r, 1000000, 30000000);
    s->audit_every = one_in(r, 8) ? 1 : 64;
    /* Sometimes a clock of 32 bits in milliseconds comes round soon after the start. */
    s->epoch_ms = one_in(r, 4) ? UINT32_MAX - draw_log(r, 1, 10000) : draw_below(r, 1000000000);
    s->flows = draw_range(r, 1, one_in(r, 4) ? 5 : 2);
    bool patient = draw_below(r, 5) < 3;
    for (uint32_t i = 0; i < s->hosts; i++) draw_host(&s->host[i], s, patient, r);
    for (uint32_t i = 0; i < s->flows; i++) draw_flow(&s->flow[i], s, patient, r);
    for (uint32_t i = 0; i < s->hosts; i++)
        if (one_in(r, 3)) draw_device(&s->host[i], r);
    if (patient) return;
    draw_reuse(s, r);
    draw_silence(s, r);
}
