/* Bulk flows through one bottleneck: see bottleneck.h.
 *
 * The next thing to happen is the earliest of: a frame that leaves a path, a host with something due, a flow that begins. Of things of one
 * instant, frames come first; so a run is one order of events.
 */
#include "lab/bottleneck.h"

#include <stdlib.h>

#include "base/common.h"
#include "base/draw.h"
#include "beckon/trace.h"
#include "lab/host.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define BOTTLENECK_PORT   5001u
#define BOTTLENECK_FRAME  (65535u + 14u)
#define BOTTLENECK_WRITE  65536u
#define BOTTLENECK_PARTS  16u
#define BOTTLENECK_BUCKET (100 * NS_PER_US) /* of the waiting times */
#define BOTTLENECK_MOST   20000u            /* buckets; the last one takes all that is longer */

enum bottleneck_side { BOTTLENECK_SENDER, BOTTLENECK_RECEIVER, BOTTLENECK_SIDES };

struct bottleneck_host {
    struct bottleneck *world;
    struct host *host;
    uint32_t flow;
    enum bottleneck_side side;
    bk_conn conn;
    bool open;      /* conn is one */
    uint64_t moved; /* octets written, or read */
};

struct bottleneck {
    struct bottleneck_options options;
    bottleneck_watch_fn *watch;
    void *watch_context;
    struct bottleneck_result *result;
    uint64_t now, origin;
    struct path *link, *back[BOTTLENECK_FLOWS];
    struct bottleneck_host host[BOTTLENECK_FLOWS][BOTTLENECK_SIDES];
    bool started[BOTTLENECK_FLOWS];
    bool warm;

    /* The losses that were asked for. */
    uint32_t iss, highest; /* octets of flow 0 that were sent once */
    uint32_t passed, lost; /* frames since lose_from; of them, lost */
    uint64_t lost_at;
    uint32_t outstanding; /* SND.NXT after the last loss */

    uint64_t waited, samples; /* of frames that entered the link */
    uint32_t bucket[BOTTLENECK_MOST];
    uint8_t frame[BOTTLENECK_FRAME];
};

static const uint8_t bottleneck_octets[BOTTLENECK_WRITE];

static bk_addr bottleneck_addr(uint32_t flow, enum bottleneck_side side) {
    return bk_addr_ipv4(198, 18, (uint8_t)side, (uint8_t)(flow + 1)); /* RFC 2544: nobody's */
}

/* ---- the wire -------------------------------------------------------------------------------------- */

/* Whether this frame of flow 0 is one that is to be lost. */
static bool bottleneck_loses(struct bottleneck *b, const uint8_t *frame, size_t n) {
    const struct bottleneck_options *o = &b->options;
    struct wire_ipv4 ip;
    struct wire_tcp t;
    if (b->lost == o->lose_count || wire_ipv4_parse(frame, n, n, &ip) != BK_REASON_NONE ||
        wire_tcp_parse(frame + ip.header_length, n - ip.header_length, &t) != BK_REASON_NONE)
        return false;
    if (t.flags & WIRE_SYN) b->iss = t.seq;
    uint32_t offset = t.seq - b->iss - 1, length = (uint32_t)(n - ip.header_length - t.header_length);
    if (length == 0 || offset < b->highest) return false;
    b->highest = offset + length;
    if (offset < o->lose_from || b->passed++ % o->lose_stride != 0) return false;
    if (b->lost++ == 0) b->lost_at = b->now;
    return true;
}

static void bottleneck_sample(struct bottleneck *b) {
    uint64_t wait = path_wait(b->link, b->now);
    b->waited += wait;
    b->samples++;
    b->bucket[u64_min((wait + BOTTLENECK_BUCKET - 1) / BOTTLENECK_BUCKET, BOTTLENECK_MOST - 1)]++;
}

static void bottleneck_emit(void *context, const uint8_t *frame, size_t length, uint16_t reason) {
    struct bottleneck_host *h = context;
    struct bottleneck *b = h->world;
    bool back = h->side == BOTTLENECK_RECEIVER;
    bool lost = !back && h->flow == 0 && bottleneck_loses(b, frame, length);
    if (!back && b->warm) bottleneck_sample(b);
    if (!lost) lost = path_enter(back ? b->back[h->flow] : b->link, frame, length, b->now) != PATH_TAKEN;
    if (b->watch != NULL) b->watch(b->watch_context, h->flow, back, frame, length, reason, lost, b->now);
}

/* ---- the users ------------------------------------------------------------------------------------- */

static void bottleneck_write(struct bottleneck_host *h) {
    const struct bottleneck *b = h->world;
    uint64_t total = b->options.flow[h->flow].octets;
    if (total == 0) total = UINT64_MAX;
    while (h->moved < total) {
        ptrdiff_t n = bk_tcp_send(host_stack(h->host), h->conn, bottleneck_octets,
                                  (size_t)u64_min(total - h->moved, BOTTLENECK_WRITE), 0, b->now);
        if (n <= 0) return;
        h->moved += (uint64_t)n;
    }
}

static void bottleneck_read(struct bottleneck_host *h) {
    bk_stack *stack = host_stack(h->host);
    struct bk_part part[BOTTLENECK_PARTS];
    for (size_t n; (n = bk_tcp_peek_parts(stack, h->conn, part, BOTTLENECK_PARTS)) > 0;) {
        size_t length = 0;
        for (size_t i = 0; i < n; i++) length += part[i].length;
        if (bk_tcp_consume(stack, h->conn, length, h->world->now) != 0) return;
        h->moved += length;
    }
}

static void bottleneck_ready(void *context, const struct bk_ready *ready) {
    struct bottleneck_host *h = context;
    if (ready->listener) {
        bk_listener listener = {ready->index, ready->generation};
        if (!h->open) h->open = bk_tcp_accept(host_stack(h->host), listener, 0, h->world->now, &h->conn) == 0;
    }
    if (h->side == BOTTLENECK_RECEIVER && h->open) bottleneck_read(h);
    if (h->side == BOTTLENECK_SENDER && ready->what & BK_READY_WRITABLE) bottleneck_write(h);
}

/* ---- the loop -------------------------------------------------------------------------------------- */

static bool bottleneck_status(const struct bottleneck_host *h, struct bk_tcp_info *info) {
    return h->open && bk_tcp_status(host_stack(h->host), h->conn, info) == 0;
}

/* After a host's turn: has it lost the last frame that it was to lose, or has it recovered? */
static void bottleneck_recovery(struct bottleneck *b, const struct bottleneck_host *h, uint32_t lost_before) {
    struct bk_tcp_info info;
    if (b->lost == 0 || b->lost < b->options.lose_count || b->result->recovery_ns != BK_NEVER ||
        h != &b->host[0][BOTTLENECK_SENDER] || !bottleneck_status(h, &info))
        return;
    if (lost_before < b->lost)
        b->outstanding = info.snd_nxt - info.iss;
    else if (info.snd_una - info.iss >= b->outstanding)
        b->result->recovery_ns = b->now - b->lost_at;
}

static void bottleneck_turn(struct bottleneck *b, struct bottleneck_host *h) {
    uint32_t lost = b->lost;
    host_run(h->host, b->now);
    bottleneck_recovery(b, h, lost);
}

static void bottleneck_start(struct bottleneck *b, uint32_t flow) {
    struct bottleneck_host *h = &b->host[flow][BOTTLENECK_SENDER];
    struct bk_tcp_open open = {.remote = bottleneck_addr(flow, BOTTLENECK_RECEIVER), .remote_port = BOTTLENECK_PORT};
    b->started[flow] = true;
    h->open = bk_tcp_connect(host_stack(h->host), &open, b->now, &h->conn) == 0;
    bottleneck_turn(b, h);
}

/* A frame has come out of a path. */
static void bottleneck_arrive(struct bottleneck *b, uint32_t path) {
    size_t length = path_leave(path == 0 ? b->link : b->back[path - 1], b->now, b->frame);
    if (length == 0) return;
    enum bottleneck_side side = path == 0 ? BOTTLENECK_RECEIVER : BOTTLENECK_SENDER;
    uint32_t flow = path == 0 ? b->frame[19] - 1u : path - 1; /* the last octet of the destination */
    struct bottleneck_host *h = &b->host[flow][side];
    (void)host_arrive(h->host, b->frame, length, b->now);
    bottleneck_turn(b, h);
}

struct bottleneck_next {
    uint64_t at;
    uint32_t path, flow, host; /* the one that is less than BK_NONE */
};

static struct bottleneck_next bottleneck_next(const struct bottleneck *b) {
    struct bottleneck_next next = {path_next(b->link), 0, BK_NONE, BK_NONE};
    uint64_t t;
    for (uint32_t i = 0; i < b->options.flows; i++)
        if ((t = path_next(b->back[i])) < next.at) next = (struct bottleneck_next){t, i + 1, BK_NONE, BK_NONE};
    for (uint32_t i = 0; i < b->options.flows; i++) {
        t = b->origin + b->options.flow[i].start_us * NS_PER_US;
        if (!b->started[i] && t < next.at) next = (struct bottleneck_next){t, BK_NONE, i, BK_NONE};
        for (uint32_t side = 0; side < BOTTLENECK_SIDES; side++)
            if ((t = host_next(b->host[i][side].host)) < next.at)
                next = (struct bottleneck_next){t, BK_NONE, BK_NONE, i * BOTTLENECK_SIDES + side};
    }
    return next;
}

/* From here on is measured. */
static void bottleneck_warm(struct bottleneck *b) {
    b->warm = true;
    for (uint32_t i = 0; i < b->options.flows; i++) b->result->octets[i] = b->host[i][BOTTLENECK_RECEIVER].moved;
}

static void bottleneck_loop(struct bottleneck *b) {
    uint64_t warm = b->origin + b->options.warm_us * NS_PER_US, end = b->origin + b->options.end_us * NS_PER_US;
    while (b->options.lose_count == 0 || b->result->recovery_ns == BK_NEVER) {
        struct bottleneck_next next = bottleneck_next(b);
        if (!b->warm && next.at >= warm) bottleneck_warm(b);
        if (next.at >= end) return;
        b->now = u64_max(b->now, next.at);
        if (next.path != BK_NONE)
            bottleneck_arrive(b, next.path);
        else if (next.flow != BK_NONE)
            bottleneck_start(b, next.flow);
        else
            bottleneck_turn(b, &b->host[next.host / BOTTLENECK_SIDES][next.host % BOTTLENECK_SIDES]);
    }
}

/* ---- beginning and end ----------------------------------------------------------------------------- */

static const char *bottleneck_host_open(struct bottleneck *b, uint32_t flow, enum bottleneck_side side, uint64_t seed) {
    const struct bottleneck_flow *f = &b->options.flow[flow];
    struct bottleneck_host *h = &b->host[flow][side];
    struct host_options o = {.config = side == BOTTLENECK_SENDER ? f->sender : f->receiver,
                             .iface = {.layer = BK_LAYER_IP, .mtu = b->options.mtu},
                             .addr = bottleneck_addr(flow, side),
                             .prefix_length = 16,
                             .seed = seed};
    const char *why = NULL;
    *h = (struct bottleneck_host){.world = b, .flow = flow, .side = side};
    h->host = host_new(&o, b->now, bottleneck_emit, bottleneck_ready, h, &why);
    if (h->host == NULL) return why;
    bk_addr any = {{0}};
    bk_listener listener;
    if (side == BOTTLENECK_RECEIVER &&
        bk_tcp_listen(host_stack(h->host), &any, BOTTLENECK_PORT, 1, 0, b->now, &listener) != 0)
        return "a receiver cannot listen";
    return NULL;
}

static const char *bottleneck_open(struct bottleneck *b) {
    const struct bottleneck_options *o = &b->options;
    uint64_t seed = o->seed;
    b->link = path_new(&o->link, draw(&seed), b->now);
    if (b->link == NULL) return "there is no memory";
    for (uint32_t i = 0; i < o->flows; i++) {
        if (o->flow[i].rtt_us < o->link.delay_us) return "a round trip is no shorter than the link";
        struct path_options back = {.delay_us = o->flow[i].rtt_us - o->link.delay_us,
                                    .jitter_us = o->flow[i].jitter_us};
        b->back[i] = path_new(&back, draw(&seed), b->now);
        if (b->back[i] == NULL) return "there is no memory";
        for (uint32_t side = 0; side < BOTTLENECK_SIDES; side++) {
            const char *why = bottleneck_host_open(b, i, (enum bottleneck_side)side, draw(&seed));
            if (why != NULL) return why;
        }
    }
    return NULL;
}

static void bottleneck_free(struct bottleneck *b) {
    path_free(b->link);
    for (uint32_t i = 0; i < BOTTLENECK_FLOWS; i++) {
        path_free(b->back[i]);
        for (uint32_t side = 0; side < BOTTLENECK_SIDES; side++) host_free(b->host[i][side].host);
    }
    free(b);
}

static void bottleneck_measure(const struct bottleneck *b, struct bottleneck_result *r) {
    for (uint32_t i = 0; i < b->options.flows; i++) {
        const struct bottleneck_host *h = &b->host[i][BOTTLENECK_SENDER];
        r->octets[i] = b->host[i][BOTTLENECK_RECEIVER].moved - r->octets[i];
        (void)bottleneck_status(h, &r->sender[i]);
        r->timeouts[i] = bk_reason_count(host_stack(h->host), BK_REASON_NOTE_RTO);
    }
    if (b->samples == 0) return;
    r->queue_mean_ns = b->waited / b->samples;
    uint64_t below = 0;
    uint32_t i = 0;
    for (; i < BOTTLENECK_MOST - 1; i++)
        if ((below += b->bucket[i]) * 100 >= b->samples * 95) break;
    r->queue_p95_ns = i * BOTTLENECK_BUCKET;
}

const char *bottleneck_run(const struct bottleneck_options *options, bottleneck_watch_fn *watch, void *context,
                           struct bottleneck_result *result) {
    struct bottleneck *b = calloc(1, sizeof *b);
    if (b == NULL) return "there is no memory";
    b->options = *options;
    b->watch = watch;
    b->watch_context = context;
    b->result = result;
    b->origin = b->now = NS_PER_S;
    *result = (struct bottleneck_result){.recovery_ns = BK_NEVER};
    const char *why = bottleneck_open(b);
    if (why == NULL) {
        bottleneck_loop(b);
        bottleneck_measure(b, result);
    }
    bottleneck_free(b);
    return why;
}
