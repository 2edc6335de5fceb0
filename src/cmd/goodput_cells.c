/* The cells of the golden table: their axes, and the runs that measure them. See goodput.h; docs/goodput.md tells of the choices.
 *
 * A link carries IP packets of up to 1,500 bytes at 100 Mbit/s, full ones with 1,448 octets of payload (timestamps): 1.00 is a link full of those.
 * All loss is on the way of the data. */
#include <math.h>
#include <string.h>

#include "base/common.h"
#include "beckon/trace.h"
#include "cmd/goodput.h"

#define CELLS_MTU     1500u
#define CELLS_PAYLOAD 1448u
#define CELLS_RATE    UINT64_C(100000000) /* bit/s */
#define CELLS_SHARED  UINT64_C(20000000)  /* where flows share it, or only the queue is looked at */
#define CELLS_FRAMES  64u                 /* that a queue holds at least */
#define CELLS_BURST   4u                  /* frames that a burst loses on average */

const char *const goodput_group_names[] = {"goodput", "fairness", "queue", "recovery"};
const char *const goodput_controller_names[] = {"cubic", "newreno", "bbr"};
const char *const goodput_buffer_names[] = {"64K", "1M", "auto"};
const char *const goodput_queue_names[] = {"1 BDP", "4 BDP", "CoDel"};

static const uint32_t cells_rtt_ms[] = {1, 10, 100, 300};
static const uint32_t cells_loss_ppm[] = {0, 100, 1000, 10000, 50000};
static const uint8_t cells_controllers[] = {THEORY_CUBIC, THEORY_NEWRENO, THEORY_BBR};
static const uint32_t cells_congestion[] = {
    [THEORY_CUBIC] = BK_CONGESTION_CUBIC, [THEORY_NEWRENO] = BK_CONGESTION_NEWRENO, [THEORY_BBR] = BK_CONGESTION_BBR};

/* ---- configurations -------------------------------------------------------------------------------- */

/* The figure is the receive buffer's, which is the window. The send buffer is twice that: a writer is woken when a third of it is free, so that what is
 * under way is between two thirds of it and all, and one of the same size would be what holds the flow. */
static void cells_config(struct bk_config *c, enum goodput_buffer buffer) {
    static const uint32_t bytes[] = {[GOODPUT_64K] = 65536, [GOODPUT_1M] = 1048576};
    bk_config_default(c);
    c->connections = c->requests_ipv4 = c->requests_ipv6 = c->time_waits_ipv4 = c->time_waits_ipv6 = 4;
    c->listeners = c->interfaces = c->reassemblies = 1;
    if (buffer == GOODPUT_AUTO) return;
    c->send_buffer_max = c->receive_buffer_max = 0;
    c->receive_buffer = bytes[buffer];
    c->send_buffer = 2 * bytes[buffer];
    c->send_buffer_max = c->receive_buffer_max = 0;
}

static uint32_t cells_bdp(uint64_t rate, uint32_t rtt_ms) {
    return u32_max((uint32_t)(rate / 8 * rtt_ms / 1000), CELLS_FRAMES * CELLS_MTU);
}

static void cells_flow(struct bottleneck_flow *f, const struct goodput_cell *c, uint32_t number) {
    cells_config(&f->sender, (enum goodput_buffer)c->buffer);
    f->receiver = f->sender;
    f->sender.congestion = cells_congestion[c->controller[number]];
    f->rtt_us = c->rtt_ms * 1000;
}

static void cells_link(struct bottleneck_options *o, const struct goodput_cell *c, uint64_t rate) {
    o->link.rate_bps = rate;
    o->link.delay_us = c->rtt_ms * 500;
    o->link.queue_bytes = cells_bdp(rate, c->rtt_ms) * (c->queue == GOODPUT_FOUR_BDP ? 4 : 1);
    if (c->queue == GOODPUT_CODEL) {
        o->link.queue = PATH_CODEL;
        o->link.queue_bytes = 4 * cells_bdp(rate, c->rtt_ms);
    }
}

/* Independent losses; or, with the same mean, all frames of a bad state that ends after CELLS_BURST of them. */
static void cells_loss(struct path_options *link, const struct goodput_cell *c) {
    if (!c->bursty) {
        link->loss_ppm = c->loss_ppm;
        return;
    }
    link->burst_loss_ppm = 1000000;
    link->burst_end_ppm = 1000000 / CELLS_BURST;
    link->burst_begin_ppm = (uint32_t)((uint64_t)c->loss_ppm * link->burst_end_ppm / (1000000 - (uint64_t)c->loss_ppm));
}

/* ---- runs ------------------------------------------------------------------------------------------ */

/* How long: some seconds, so that RTOs find room, and at least 50 round trips after as many for the start; short enough for the whole table to take a
 * minute. */
static void cells_loss_options(const struct goodput_cell *c, struct bottleneck_options *o) {
    cells_loss(&o->link, c);
    o->warm_us = u32_max(500000, c->rtt_ms * 40000);
    o->end_us = o->warm_us + u32_max(2000000, c->rtt_ms * 60000);
}

/* The second flow begins when the first one has the link, at a moment that the seed decides. */
static void cells_fairness_options(const struct goodput_cell *c, uint64_t seed, struct bottleneck_options *o) {
    o->flows = 2;
    cells_flow(&o->flow[1], c, 1);
    o->flow[0].jitter_us = o->flow[1].jitter_us = c->rtt_ms * 10;
    o->flow[1].start_us = 2000000 + (uint32_t)(seed * 37321 % 100000);
    o->warm_us = 10000000;
    o->end_us = 40000000;
}

static void cells_queue_options(const struct goodput_cell *c, struct bottleneck_options *o) {
    (void)c;
    o->warm_us = 5000000;
    o->end_us = 25000000;
}

/* A flow that is held by its buffer, so that all controllers have the same window, loses frames of one window after 200 round trips' worth of data. */
static void cells_recovery_options(const struct goodput_cell *c, struct bottleneck_options *o) {
    uint64_t octets = 9000 * CELLS_PAYLOAD;
    o->lose_count = u32_max(c->losses, 1);
    o->lose_stride = 3;
    o->lose_from = octets / 2;
    if (c->losses == 0) {
        o->flow[0].octets = octets;
        o->lose_from = octets - CELLS_PAYLOAD;
    }
    o->end_us = UINT64_C(200000000);
}

void goodput_options(const struct goodput_cell *c, uint64_t seed, struct bottleneck_options *out) {
    bool fast = c->group == GOODPUT_LOSS || c->group == GOODPUT_RECOVERY;
    *out = (struct bottleneck_options){.flows = 1, .mtu = CELLS_MTU, .seed = seed};
    cells_flow(&out->flow[0], c, 0);
    cells_link(out, c, fast ? CELLS_RATE : CELLS_SHARED);
    switch (c->group) {
    case GOODPUT_LOSS:
        cells_loss_options(c, out);
        return;
    case GOODPUT_FAIRNESS:
        cells_fairness_options(c, seed, out);
        return;
    case GOODPUT_QUEUE:
        cells_queue_options(c, out);
        return;
    default:
        cells_recovery_options(c, out);
        return;
    }
}

/* A run's figures, added to the cell's. */
static void cells_add(struct goodput_cell *c, const struct bottleneck_options *o, const struct bottleneck_result *r) {
    double seconds = (double)(o->end_us - o->warm_us) / 1e6;
    double full = (double)o->link.rate_bps / 8 * CELLS_PAYLOAD / CELLS_MTU * seconds;
    double a = (double)r->octets[0], b = (double)r->octets[1];
    c->goodput += (a + b) / full / c->seeds;
    c->queue_mean_ms += (double)r->queue_mean_ns / 1e6 / c->seeds;
    c->queue_p95_ms += (double)r->queue_p95_ns / 1e6 / c->seeds;
    c->recovery_ms += r->recovery_ns == BK_NEVER ? INFINITY : (double)r->recovery_ns / 1e6 / c->seeds;
    if (a + b == 0) return;
    c->share += a / (a + b) / c->seeds;
    c->jain += (a + b) * (a + b) / (2 * (a * a + b * b)) / c->seeds;
}

static double cells_theory(const struct goodput_cell *c) {
    struct bottleneck_options o;
    goodput_options(c, 1, &o);
    struct theory_path path = {
        .rate = (double)o.link.rate_bps / 8 * CELLS_PAYLOAD / CELLS_MTU,
        .rtt = c->rtt_ms / 1e3,
        .mss = CELLS_PAYLOAD,
        .buffer = c->buffer == GOODPUT_AUTO ? 0 : (double)o.flow[0].receiver.receive_buffer,
        .loss = c->loss_ppm / 1e6,
        .burst = c->bursty ? CELLS_BURST : 1,
    };
    return theory_goodput((enum theory_controller)c->controller[0], &path);
}

const char *goodput_measure(struct goodput_cell *c) {
    struct bottleneck_options o;
    struct bottleneck_result r;
    for (uint32_t seed = 1; seed <= c->seeds; seed++) {
        goodput_options(c, seed, &o);
        const char *why = bottleneck_run(&o, NULL, NULL, &r);
        if (why != NULL) return why;
        cells_add(c, &o, &r);
    }
    c->theory = cells_theory(c);
    return NULL;
}

/* ---- the axes -------------------------------------------------------------------------------------- */

static struct goodput_cell *cells_push(struct goodput_cell **at, enum goodput_group group, uint32_t controller,
                                       uint32_t rtt_ms) {
    struct goodput_cell *c = (*at)++;
    *c = (struct goodput_cell){.group = group,
                               .controller = {cells_controllers[controller]},
                               .buffer = GOODPUT_AUTO,
                               .rtt_ms = rtt_ms,
                               .seeds = 1};
    return c;
}

static void cells_of_loss(struct goodput_cell **at) {
    for (uint32_t rtt = 0; rtt < BK_COUNT(cells_rtt_ms); rtt++)
        for (uint32_t loss = 0; loss < 2 * BK_COUNT(cells_loss_ppm) - 1; loss++)
            for (uint32_t i = 0; i < BK_COUNT(cells_controllers); i++)
                for (uint32_t buffer = 0; buffer < GOODPUT_BUFFERS; buffer++) {
                    struct goodput_cell *c = cells_push(at, GOODPUT_LOSS, i, cells_rtt_ms[rtt]);
                    c->buffer = (uint8_t)buffer;
                    c->loss_ppm = cells_loss_ppm[(loss + 1) / 2];
                    c->bursty = loss > 0 && loss % 2 == 0;
                    c->seeds = loss == 0 ? 1 : c->controller[0] == THEORY_BBR ? 2 : 3;
                }
}

static void cells_of_fairness(struct goodput_cell **at) {
    for (uint32_t a = 0; a < BK_COUNT(cells_controllers); a++)
        for (uint32_t b = a; b < BK_COUNT(cells_controllers); b++)
            for (uint32_t queue = 0; queue <= GOODPUT_FOUR_BDP; queue++) {
                struct goodput_cell *c = cells_push(at, GOODPUT_FAIRNESS, a, 40);
                c->controller[1] = cells_controllers[b];
                c->queue = (uint8_t)queue;
                c->seeds = 3;
            }
}

static void cells_of_queue(struct goodput_cell **at) {
    for (uint32_t i = 0; i < BK_COUNT(cells_controllers); i++)
        for (uint32_t queue = 0; queue < GOODPUT_QUEUES; queue++)
            cells_push(at, GOODPUT_QUEUE, i, 40)->queue = (uint8_t)queue;
}

static void cells_of_recovery(struct goodput_cell **at) {
    static const uint32_t rtt_ms[] = {10, 100}, losses[] = {1, 2, 10, 0};
    for (uint32_t i = 0; i < BK_COUNT(cells_controllers); i++)
        for (uint32_t rtt = 0; rtt < BK_COUNT(rtt_ms); rtt++)
            for (uint32_t n = 0; n < BK_COUNT(losses); n++) {
                struct goodput_cell *c = cells_push(at, GOODPUT_RECOVERY, i, rtt_ms[rtt]);
                c->buffer = GOODPUT_64K;
                c->losses = losses[n];
            }
}

uint32_t goodput_cells(struct goodput_cell *cells, uint32_t groups) {
    static void (*const make[])(struct goodput_cell * *at) = {cells_of_loss, cells_of_fairness, cells_of_queue,
                                                              cells_of_recovery};
    struct goodput_cell *at = cells;
    for (uint32_t g = 0; g < GOODPUT_GROUPS; g++)
        if (groups & 1u << g) make[g](&at);
    return (uint32_t)(at - cells);
}
