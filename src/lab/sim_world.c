/* The loop of a simulation: see sim_world.h. */
#include "lab/sim_world.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/common.h"

#define WORLD_FRAME (65535u + 14u)

/* Parts of the run that have seeds of their own (scenario_seed). */
enum { WORLD_SEED_HOST = 0, WORLD_SEED_UP = 0x100, WORLD_SEED_DOWN = 0x200 };

/* ---- digest ---------------------------------------------------------------------------------------- */

void sim_digest(struct sim_world *w, uint64_t value) {
    uint64_t z = (w->digest ^ value) * UINT64_C(0xff51afd7ed558ccd);
    w->digest = z ^ z >> 32;
}

void sim_digest_bytes(struct sim_world *w, const uint8_t *data, size_t length) {
    sim_digest(w, length);
    for (; length >= 8; data += 8, length -= 8) sim_digest(w, (uint64_t)get_be32(data) << 32 | get_be32(data + 4));
    uint64_t rest = 0;
    while (length-- > 0) rest = rest << 8 | *data++;
    sim_digest(w, rest);
}

/* ---- hosts ----------------------------------------------------------------------------------------- */

uint64_t sim_host_time(const struct sim_host *h) {
    return h->world->now + (uint64_t)h->ahead;
}

bk_addr sim_host_addr(const struct scenario *s, uint32_t number) {
    uint32_t low = number + 1;
    if (s->family == 4) return bk_addr_ipv4(198, 18, (uint8_t)(low >> 8), (uint8_t)low); /* RFC 2544: nobody's */
    bk_addr a = {{0x20, 0x01, 0x0d, 0xb8}};
    put_be16(a.byte + 14, (uint16_t)low);
    return a;
}

uint32_t sim_host_of(const struct sim_world *w, const bk_addr *addr) {
    uint32_t number = (uint32_t)get_be16(addr->byte + 14) - 1;
    if (number >= w->plan.hosts) return UINT32_MAX;
    bk_addr own = sim_host_addr(&w->plan, number);
    return bk_addr_equal(&own, addr) ? number : UINT32_MAX;
}

static void world_emit(void *context, const uint8_t *frame, size_t length, uint16_t reason) {
    struct sim_host *h = context;
    struct sim_world *w = h->world;
    const struct sim_hooks *hooks = &w->options.hooks;
    w->statistics.frames++;
    sim_digest(w, (uint64_t)h->number << 32 | reason);
    sim_digest(w, w->now);
    sim_digest_bytes(w, frame, length);
    if (hooks->sent != NULL) hooks->sent(hooks->context, h->number, frame, length, reason, w->now);
    sim_watch_sent(w, h->number, frame, length, reason);
    sim_forward_up(w, h->number, frame, length);
}

static void world_ready(void *context, const struct bk_ready *ready) {
    struct sim_host *h = context;
    app_ready(h->world, h->number, ready);
}

static bool world_host_open(struct sim_world *w, uint32_t i, const char **why) {
    const struct scenario_host *plan = &w->plan.host[i];
    struct sim_host *h = &w->host[i];
    struct host_options o = {
        .config = plan->config,
        .iface = {.layer = w->plan.ethernet ? BK_LAYER_ETHERNET : BK_LAYER_IP,
                  .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)},
                  .mtu = plan->mtu,
                  .offload = plan->offload,
                  .unit_max = plan->unit_max},
        .addr = sim_host_addr(&w->plan, i),
        .prefix_length = w->plan.family == 4 ? 16 : 64,
        .seed = scenario_seed(&w->plan, WORLD_SEED_HOST + i),
        .faults = plan->faults,
        .move_ppm = w->options.move_ppm,
    };
    o.config.trace_events = w->options.trace_events;
    *h = (struct sim_host){.world = w, .number = i};
    h->host = host_new(&o, w->now, world_emit, world_ready, h, why);
    struct path_options up = plan->up, down = plan->down;
    up.ethernet = down.ethernet = w->plan.ethernet;
    h->up = path_new(&up, scenario_seed(&w->plan, WORLD_SEED_UP + i), w->now);
    h->down = path_new(&down, scenario_seed(&w->plan, WORLD_SEED_DOWN + i), w->now);
    w->corrupting |= up.corrupt_ppm != 0 || down.corrupt_ppm != 0;
    if (h->host != NULL && (h->up == NULL || h->down == NULL)) *why = "there is no memory";
    return h->host != NULL && h->up != NULL && h->down != NULL;
}

/* A host does what is due, and what has changed is looked at. */
static void world_host_run(struct sim_world *w, struct sim_host *h) {
    if (!host_up(h->host)) return;
    host_run(h->host, sim_host_time(h));
    struct fault fault = {0};
    if (++h->events % w->plan.audit_every != 0 || w->fault.found || host_audit(h->host, &fault)) return;
    fault_note(&w->fault, "host %u: %.200s", h->number, fault.text);
    if (w->fault_connection == APP_NOTHING) w->fault_connection = app_of_host(w, h->number);
}

/* ---- touched connections --------------------------------------------------------------------------- */

void sim_touch(struct sim_world *w, uint32_t connection, unsigned end) {
    uint64_t entry = (uint64_t)connection << 1 | end;
    for (uint32_t i = 0; i < w->touched_count; i++)
        if (w->touched[i] == entry) return;
    if (w->touched_count < SIM_TOUCHED) w->touched[w->touched_count++] = entry;
}

static void world_audit_touched(struct sim_world *w) {
    for (uint32_t i = 0; i < w->touched_count && !w->fault.found; i++) {
        const struct app_connection *c = &w->app.connection[w->touched[i] >> 1];
        unsigned end = w->touched[i] & 1;
        const struct sim_host *h = &w->host[c->host[end]];
        if (c->end[end].state != APP_OPEN || !host_up(h->host)) continue;
        struct fault fault = {0};
        if (audit_connection(host_stack(h->host), c->end[end].conn, &fault)) continue;
        fault_note(&w->fault, "host %u: %.200s", h->number, fault.text);
        w->fault_connection = (uint32_t)(w->touched[i] >> 1);
    }
    w->touched_count = 0;
}

/* ---- the scenario's own events --------------------------------------------------------------------- */

enum world_event { WORLD_NOTHING, WORLD_CRASH, WORLD_RETURN, WORLD_JUMP, WORLD_CALM, WORLD_GIVE_UP };

struct world_next {
    uint64_t at;
    enum world_event what;
    uint32_t host;
};

static void world_earlier(const struct sim_world *w, struct world_next *next, uint64_t us, enum world_event what,
                          uint32_t host, bool wanted) {
    uint64_t at = w->origin + us * NS_PER_US;
    if (wanted && at < next->at) *next = (struct world_next){.at = at, .what = what, .host = host};
}

static struct world_next world_planned(const struct sim_world *w) {
    struct world_next next = {.at = BK_NEVER};
    for (uint32_t i = 0; i < w->plan.hosts; i++) {
        const struct scenario_host *p = &w->plan.host[i];
        const struct sim_host *h = &w->host[i];
        world_earlier(w, &next, p->crash_us, WORLD_CRASH, i, p->crash_us != 0 && !h->crashed);
        world_earlier(w, &next, p->return_us, WORLD_RETURN, i, p->return_us != 0 && h->crashed && !h->returned);
        world_earlier(w, &next, p->jump_us, WORLD_JUMP, i, p->jump_us != 0 && !h->jumped);
    }
    world_earlier(w, &next, w->plan.calm_us, WORLD_CALM, 0, !w->calm);
    world_earlier(w, &next, w->plan.calm_us + w->plan.patience_us, WORLD_GIVE_UP, 0, !w->closing);
    return next;
}

/* A path without anything that goes wrong takes this one's place; what is under way on the old one is lost. */
static void world_heal(struct sim_world *w, struct path **path, const struct path_options *was) {
    const uint64_t *from = (const uint64_t *)path_counters(*path);
    uint64_t *sum = (uint64_t *)&w->retired;
    struct path_options clean = {.rate_bps = was->rate_bps,
                                 .queue_bytes = was->queue_bytes,
                                 .delay_us = was->delay_us,
                                 .mtu = path_mtu(*path, w->now),
                                 .queue = was->queue,
                                 .ecn = was->ecn,
                                 .ethernet = w->plan.ethernet};
    struct path *healed = path_new(&clean, 0, w->now);
    if (healed == NULL) {
        fault_note(&w->fault, "no memory");
        return;
    }
    for (size_t i = 0; i < sizeof w->retired / sizeof *sum; i++) sum[i] += from[i];
    path_free(*path);
    *path = healed;
}

static void world_calm(struct sim_world *w) {
    w->calm = true;
    w->corrupting = false;
    for (uint32_t i = 0; i < w->plan.hosts; i++) {
        struct sim_host *h = &w->host[i];
        host_calm(h->host);
        world_heal(w, &h->up, &w->plan.host[i].up);
        world_heal(w, &h->down, &w->plan.host[i].down);
        world_host_run(w, h);
    }
}

static void world_close(struct sim_world *w) {
    app_verdict(w);
    w->closing = true;
    w->closing_since = w->now;
    app_everybody_leaves(w);
    for (uint32_t i = 0; i < w->plan.hosts; i++) world_host_run(w, &w->host[i]);
}

static void world_happens(struct sim_world *w, const struct world_next *next) {
    struct sim_host *h = &w->host[next->host];
    const struct scenario_host *p = &w->plan.host[next->host];
    switch (next->what) {
    case WORLD_CRASH:
        h->crashed = true;
        host_crash(h->host);
        app_host_died(w, h->number);
        return;
    case WORLD_RETURN:
        h->returned = true;
        host_return(h->host, sim_host_time(h));
        if (w->calm) host_calm(h->host);
        app_host_up(w, h->number);
        world_host_run(w, h);
        return;
    case WORLD_JUMP:
        h->jumped = true;
        h->ahead += (p->jump_back ? -1 : 1) * (int64_t)(p->jump_ms * NS_PER_MS);
        world_host_run(w, h);
        return;
    case WORLD_CALM:
        world_calm(w);
        return;
    case WORLD_GIVE_UP:
        world_close(w);
        return;
    default:
        return;
    }
}

/* ---- what comes next ------------------------------------------------------------------------------- */

static struct path *world_path(const struct sim_world *w, uint32_t i) {
    return i < w->plan.hosts ? w->host[i].up : w->host[i - w->plan.hosts].down;
}

static uint64_t world_host_next(const struct sim_world *w, const struct sim_host *h) {
    uint64_t next = host_next(h->host), now = sim_host_time(h);
    return next == BK_NEVER ? BK_NEVER : next <= now ? w->now : next - (uint64_t)h->ahead;
}

/* A frame that has come out of a path goes on; `up` of a routed host ends at the router. */
static void world_path_leave(struct sim_world *w, uint32_t i) {
    uint32_t hosts = w->plan.hosts;
    size_t length = path_leave(world_path(w, i), w->now, w->frame);
    if (length == 0) return;
    if (i < hosts && w->plan.routed) {
        sim_forward(w, i, w->frame, length);
        return;
    }
    struct sim_host *to = &w->host[i < hosts ? 1 - i : i - hosts];
    struct sim_arrival arrival = sim_watch_arrives(w, w->frame, length);
    const struct sim_hooks *hooks = &w->options.hooks;
    if (hooks->tamper != NULL) hooks->tamper(hooks->context, to->number, w->frame, length);
    sim_watch_taken(w, &arrival, host_arrive(to->host, w->frame, length, sim_host_time(to)));
    world_host_run(w, to);
}

static void world_wake(struct sim_world *w) {
    const struct app_connection *c = app_wake(w);
    world_host_run(w, &w->host[c->host[0]]);
    world_host_run(w, &w->host[c->host[1]]);
}

/* Nobody may go in circles: so many things can happen at one instant where all connections do what they do at once. */
static void world_pass(struct sim_world *w, uint64_t at) {
    if (at > w->now) {
        w->now = at;
        w->instant = 0;
    } else if (++w->instant > 20000 + 200 * (uint64_t)w->app.count) {
        fault_note(&w->fault, "events without end at one instant, %" PRIu64 " us after the start",
                   (w->now - w->origin) / NS_PER_US);
    }
}

bool sim_world_step(struct sim_world *w) {
    struct world_next planned = world_planned(w);
    uint64_t at = planned.at, t, wake = app_next(w);
    uint32_t path = UINT32_MAX, host = UINT32_MAX;
    for (uint32_t i = 0; i < w->plan.hosts; i++)
        if ((t = world_host_next(w, &w->host[i])) < at) {
            at = t;
            host = i;
        }
    bool wakes = wake < BK_NEVER && wake <= at;
    if (wakes) at = wake;
    for (uint32_t i = 0; i < 2 * w->plan.hosts; i++)
        if ((t = path_next(world_path(w, i))) < at || (t == at && t != BK_NEVER && path == UINT32_MAX)) {
            at = t;
            path = i;
        }
    if (at == BK_NEVER || w->fault.found) return false;
    world_pass(w, u64_max(at, w->now));
    w->statistics.events++;
    if (path != UINT32_MAX)
        world_path_leave(w, path);
    else if (wakes)
        world_wake(w);
    else if (host != UINT32_MAX)
        world_host_run(w, &w->host[host]);
    else
        world_happens(w, &planned);
    world_audit_touched(w);
    return !w->fault.found;
}

/* ---- beginning and end ----------------------------------------------------------------------------- */

struct sim_world *sim_world_new(const struct scenario *s, const struct sim_options *options, const char **why) {
    *why = scenario_wrong(s);
    if (*why != NULL) return NULL;
    struct sim_world *w = calloc(1, sizeof *w);
    *why = "there is no memory";
    if (w == NULL) return NULL;
    w->plan = *s;
    w->options = *options;
    w->fault_connection = APP_NOTHING;
    /* Clocks that are put back must not go below zero. */
    w->origin = w->now = (s->epoch_ms + 3600000) * NS_PER_MS;
    w->host = calloc(s->hosts, sizeof *w->host);
    w->frame = malloc(WORLD_FRAME);
    bool good = w->host != NULL && w->frame != NULL && app_open(w);
    for (uint32_t i = 0; i < s->hosts && good; i++) good = world_host_open(w, i, why);
    if (!good) {
        sim_world_free(w);
        return NULL;
    }
    for (uint32_t i = 0; i < s->hosts; i++) app_host_up(w, i);
    *why = NULL;
    return w;
}

void sim_world_free(struct sim_world *w) {
    if (w == NULL) return;
    for (uint32_t i = 0; w->host != NULL && i < w->plan.hosts; i++) {
        host_free(w->host[i].host);
        path_free(w->host[i].up);
        path_free(w->host[i].down);
    }
    app_free(w);
    free(w->host);
    free(w->frame);
    free(w);
}

/* Nothing is left: in no stack, and nowhere on the way. */
static void world_empty(struct sim_world *w) {
    for (uint32_t i = 0; i < w->plan.hosts && !w->fault.found; i++) {
        const struct sim_host *h = &w->host[i];
        struct fault fault = {0};
        if (!host_up(h->host) || (host_audit(h->host, &fault) && audit_empty(host_stack(h->host), 0, &fault))) continue;
        fault_note(&w->fault, "at the end, %" PRIu64 " s after all users had left, host %u: %.180s",
                   (w->now - w->closing_since) / NS_PER_S, (unsigned)i, fault.text);
        if (w->fault_connection == APP_NOTHING) w->fault_connection = app_of_host(w, i);
    }
}

bool sim_world_run(struct sim_world *w) {
    uint64_t bound = scenario_closing_us(&w->plan) * NS_PER_US;
    while (sim_world_step(w)) {
        if (!w->closing && w->app.busy == 0) world_close(w);
        if (!w->closing) continue;
        uint64_t since = u64_max(w->closing_since, w->origin + w->plan.calm_us * NS_PER_US);
        if (w->calm && w->now > since + bound) break;
    }
    if (!w->fault.found) world_empty(w);
    w->statistics.virtual_ns = w->now - w->origin;
    return !w->fault.found;
}

void sim_world_counters(const struct sim_world *w, struct path_counters *out) {
    *out = w->retired;
    for (uint32_t i = 0; i < 2 * w->plan.hosts; i++) {
        const uint64_t *from = (const uint64_t *)path_counters(world_path(w, i));
        for (size_t k = 0; k < sizeof *out / sizeof *from; k++) ((uint64_t *)out)[k] += from[k];
    }
}
