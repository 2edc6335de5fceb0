/* The usual scenario, and what can be told of one without running it: see scenario.h. */
#include "lab/scenario.h"

#include "base/common.h"
#include "base/draw.h"

static void scenario_usual_config(struct bk_config *c) {
    bk_config_default(c);
    c->connections = 64;
    c->listeners = SCENARIO_FLOWS;
    c->requests_ipv4 = c->requests_ipv6 = 32;
    c->time_waits_ipv4 = c->time_waits_ipv6 = 64;
    c->interfaces = 1;
    c->addresses = c->routes = 4;
    c->neighbours = 8;
    c->reassemblies = 2;
    c->frames = 64;
    c->chunks = 320;
    c->buffer_chunks = 256;
    c->send_buffer = c->receive_buffer = 16384;
    c->msl_ms = 1000;
    c->orphan_retries = 12;
    c->keepalive_idle_s = 5;
    c->keepalive_interval_s = 2;
    c->keepalive_probes = 4;
}

void scenario_usual_host(struct scenario_host *h) {
    memset(h, 0, sizeof *h);
    scenario_usual_config(&h->config);
    h->mtu = 1500;
    h->up.delay_us = h->down.delay_us = 1000;
}

void scenario_usual_flow(struct scenario_flow *f) {
    memset(f, 0, sizeof *f);
    f->server = 1;
    f->connections = f->rounds = 1;
    f->up = f->down = f->read_bytes = 1000;
    f->backlog = 64;
}

void scenario_usual(struct scenario *s) {
    memset(s, 0, sizeof *s);
    s->hosts = 2;
    s->family = 4;
    s->calm_us = 20000000;
    s->patience_us = 2000000000;
    s->audit_every = 64;
    for (uint32_t i = 0; i < SCENARIO_HOSTS; i++) scenario_usual_host(&s->host[i]);
    for (uint32_t i = 0; i < SCENARIO_FLOWS; i++) scenario_usual_flow(&s->flow[i]);
}

static const char *scenario_wrong_host(const struct scenario *s, const struct scenario_host *h) {
    if (bk_region_size(&h->config) == 0) return "a host's configuration is out of range";
    if (h->mtu < (s->family == 6 ? 1280u : 576u) || h->mtu > 65535) return "a host's mtu is out of range";
    if (h->offload > (BK_OFFLOAD_TX_CHECKSUM | BK_OFFLOAD_TSO4 | BK_OFFLOAD_TSO6))
        return "a host's offload is out of range";
    if (h->faults.queue > 65536) return "65,536 frames wait in a device at most";
    if (h->return_us != 0 && h->return_us <= h->crash_us) return "a host returns before it crashes";
    return NULL;
}

static const char *scenario_wrong_flow(const struct scenario *s, const struct scenario_flow *f) {
    if (f->kind >= SCENARIO_KINDS) return "a flow is of no known kind";
    if (f->client >= s->hosts || f->server >= s->hosts || f->client == f->server)
        return "a flow needs two different hosts";
    if (f->connections == 0 || f->connections > 1000000) return "a flow has 1 to 1,000,000 connections";
    if (f->kind == SCENARIO_SIMULTANEOUS_OPEN && f->connections > 1000) return "1,000 simultaneous opens at most";
    if (f->rounds == 0 || f->read_bytes == 0 || f->backlog == 0) return "rounds, read_bytes and backlog are at least 1";
    if ((f->kind == SCENARIO_REQUESTS || f->kind == SCENARIO_KEEP_ALIVE) && (f->up == 0 || f->down == 0))
        return "requests and answers have at least one octet";
    return NULL;
}

const char *scenario_wrong(const struct scenario *s) {
    if (s->family != 4 && s->family != 6) return "family is 4 or 6";
    if (s->hosts < 2 || s->hosts > SCENARIO_HOSTS) return "there are 2 to 64 hosts";
    if (!s->routed && s->hosts != 2) return "more than two hosts need a router (routed 1)";
    if (s->routed && s->ethernet) return "Ethernet joins two hosts directly (routed 0)";
    if (s->flows > SCENARIO_FLOWS) return "there are at most 8 flows";
    if (s->audit_every == 0) return "audit_every is at least 1";
    const char *why = NULL;
    for (uint32_t i = 0; i < s->hosts && why == NULL; i++) why = scenario_wrong_host(s, &s->host[i]);
    for (uint32_t i = 0; i < s->flows && why == NULL; i++) why = scenario_wrong_flow(s, &s->flow[i]);
    return why;
}

uint32_t scenario_connections(const struct scenario *s) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->flows; i++) n += s->flow[i].connections;
    return n;
}

/* Pools that hold all that may come at once, whatever the network does to it. */
static bool scenario_ample(const struct scenario *s, const struct scenario_host *h) {
    const struct bk_config *c = &h->config;
    uint32_t n = scenario_connections(s);
    return c->connections >= 2 * n && (c->active_connections == 0 || c->active_connections >= 2 * n) &&
           c->requests_ipv4 >= 2 * n && c->requests_ipv6 >= 2 * n && c->time_waits_ipv4 >= 2 * n &&
           c->time_waits_ipv6 >= 2 * n && c->buffer_chunks >= 8 * n + 8 &&
           (uint32_t)(c->ephemeral_last - c->ephemeral_first) >= 2 * n && c->frames >= 16;
}

/* When something is sent again for the last time, of so many times, at the earliest. */
static uint64_t scenario_last_us(const struct bk_config *c, uint32_t first_ms, uint32_t retries) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < retries; i++)
        sum += u64_min((uint64_t)first_ms << u32_min(i, 20), c->rto_max_ms) * NS_PER_US;
    return sum;
}

/* What is repeated is still repeated when all impairments have ended. With a cookie, data that overtakes the ACK it comes back with draws RST. */
static bool scenario_survives(const struct scenario *s, const struct scenario_host *h) {
    const struct bk_config *c = &h->config;
    return h->crash_us == 0 && c->syn_cookies != BK_SYN_COOKIES_ALWAYS && h->jump_us == 0 && c->orphan_ms >= 600000 &&
           c->orphans_max >= scenario_connections(s) && c->fin_wait_2_ms >= 60000 &&
           scenario_last_us(c, c->rto_initial_ms, u32_min(c->syn_retries, c->syn_ack_retries)) > s->calm_us &&
           scenario_last_us(c, c->rto_min_ms, u32_min(c->retries2, c->orphan_retries)) > s->calm_us;
}

/* Where a router says nothing about packets that are too big, senders must find out by themselves, which takes some timeouts (RFC 4821). */
static bool scenario_finds_out(const struct scenario *s) {
    for (uint32_t i = 0; i < s->hosts; i++) {
        const struct bk_config *c = &s->host[i].config;
        if (c->mtu_probing == BK_MTU_PROBING_OFF || u32_min(c->retries2, c->orphan_retries) < 8) return false;
    }
    for (uint32_t i = 0; i < s->flows; i++)
        if (s->flow[i].user_timeout_ms != 0) return false;
    return true;
}

/* A path that drops each packet of a kind leaves their senders in the dark for ever; so does a queue that never has room. */
static bool scenario_fits(const struct scenario *s, const struct path_options *p) {
    const uint32_t least = s->family == 6 ? 1280 : 576;
    bool dark = s->black_hole && !scenario_finds_out(s);
    for (uint32_t i = 0; i < s->hosts; i++) {
        uint32_t mtu = s->host[i].mtu;
        /* Retransmissions of all connections may come at one moment, again and again: there is no chance in the RTO. */
        if (p->queue_bytes != 0 && p->queue_bytes < (scenario_connections(s) + 1) * (mtu + 14)) return false;
        if (p->mtu != 0 && p->mtu < mtu && (dark || p->mtu < least)) return false;
        for (uint32_t k = 0; k < PATH_CHANGES; k++) {
            uint32_t change = p->change[k].at_us != 0 ? p->change[k].mtu : 0;
            if (change != 0 && change < mtu && (dark || change < least)) return false;
        }
    }
    return true;
}

/* How long slow readers take for all there is: each time no more than their buffers hold. */
static uint64_t scenario_reading_us(const struct scenario *s, const struct scenario_flow *f) {
    uint32_t each = f->read_bytes, octets = u32_max(f->up, f->down);
    each = u32_min(each, s->host[f->client].config.receive_buffer);
    each = u32_min(each, s->host[f->server].config.receive_buffer);
    if (f->resize != 0) each = u32_min(each, f->resize);
    return (octets / u32_max(each, 1) + 1) * (uint64_t)f->pause_us;
}

bool scenario_must_complete(const struct scenario *s) {
    for (uint32_t i = 0; i < s->hosts; i++) {
        const struct scenario_host *h = &s->host[i];
        if (!scenario_ample(s, h) || !scenario_survives(s, h)) return false;
        if (!scenario_fits(s, &h->up) || !scenario_fits(s, &h->down)) return false;
    }
    for (uint32_t i = 0; i < s->flows; i++) {
        const struct scenario_flow *f = &s->flow[i];
        if (f->kind == SCENARIO_RESETS || f->user_timeout_ms != 0 || f->backlog < 2 * f->connections) return false;
        if (f->kind == SCENARIO_SLOW_READER && scenario_reading_us(s, f) > s->patience_us / 4) return false;
        /* A port is free again when 2 MSL are over. */
        if (f->same_port && f->connections > 1) return false;
        if (f->accept_most != 0 || (uint64_t)f->accept_us * f->connections > s->patience_us / 4) return false;
        if (f->resize != 0 && f->resize < 256) return false; /* crumbs take longer than an orphan may */
        /* Probes that are all lost end a connection that is only quiet. */
        if (f->kind == SCENARIO_KEEP_ALIVE) return false;
    }
    return true;
}

uint64_t scenario_closing_us(const struct scenario *s) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->hosts; i++) {
        const struct scenario_host *h = &s->host[i];
        const struct bk_config *c = &h->config;
        uint64_t request = ((uint64_t)c->syn_ack_retries + 2) * c->rto_max_ms;
        uint64_t orphan = (uint64_t)c->orphan_ms + c->rto_max_ms + c->fin_wait_2_ms + 4 * (uint64_t)c->msl_ms;
        uint64_t syn = ((uint64_t)c->syn_retries + c->syn_linear_timeouts + 2) * c->rto_max_ms;
        uint64_t ms = u64_max(u64_max(request, orphan), syn) + h->jump_ms + 60000;
        most = u64_max(most, ms * 1000);
    }
    return most;
}

uint64_t scenario_seed(const struct scenario *s, uint32_t part) {
    uint64_t x = s->seed ^ (uint64_t)part << 48;
    draw(&x);
    return draw(&x);
}

bool scenario_preset(struct scenario *s, const char *name, uint64_t seed) {
    for (uint32_t i = 0; i < scenario_preset_count; i++) {
        if (strcmp(scenario_presets[i].name, name) != 0) continue;
        scenario_usual(s);
        s->seed = seed;
        scenario_presets[i].make(s);
        return true;
    }
    return false;
}
