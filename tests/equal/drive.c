/* Drives a world: time, wire and devices.
 *
 * A step is one of: time goes on to what is due next (an arrival, a deadline) or by an arbitrary amount, maybe past deadlines; a device asks a
 * stack for some units and lets go of others; a user makes a call (users.c); a strange frame arrives (strange.c). Frames arrive copied
 * whole, or in chunks of the device's, cut at places that split headers, alone or in batches. */
#include "drive.h"

#include <stdlib.h>
#include <string.h>

static _Noreturn void broken(const char *what) {
    bk_panic(what, __FILE__, __LINE__);
}

/* ---- the record ------------------------------------------------------------------------------------ */

void note(struct world *w, enum record_kind kind, const void *bytes, size_t length) {
    struct record *r = &w->record;
    struct record_entry entry = {w->state.now, kind, (uint32_t)length};
    if (r->length + sizeof entry + length > r->room) {
        r->room = 2 * (r->room + sizeof entry + length);
        r->bytes = realloc(r->bytes, r->room);
        if (r->bytes == NULL) broken("there is memory for the record");
    }
    memcpy(r->bytes + r->length, &entry, sizeof entry);
    memcpy(r->bytes + r->length + sizeof entry, bytes, length);
    r->length += sizeof entry + length;
    r->count[kind]++;
}

void note_number(struct world *w, enum record_kind kind, int64_t number) {
    note(w, kind, &number, sizeof number);
}

/* ---- the wire -------------------------------------------------------------------------------------- */

void wire_put(struct world *w, unsigned to, const uint8_t *bytes, size_t length, uint64_t arrives) {
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        struct flight *f = &w->state.flight[i];
        if (f->length != 0) continue;
        f->arrives = arrives;
        f->to = to;
        f->length = (uint32_t)length;
        memcpy(f->bytes, bytes, length);
        return;
    }
}

static void frame_sent(struct world *w, unsigned from, uint8_t *bytes, size_t length) {
    struct state *s = &w->state;
    struct flight *memory = &s->memory[s->memory_next++ % MEMORIES];
    memory->to = !from;
    memory->length = (uint32_t)length;
    memcpy(memory->bytes, bytes, length);
    if (draw_chance(&s->seed, s->loss_ppm)) return;
    if (draw_chance(&s->seed, s->corrupt_ppm)) bytes[below(w, (uint32_t)length)] ^= (uint8_t)(1u << below(w, 8));
    uint32_t copies = draw_chance(&s->seed, s->duplicate_ppm) ? 2 : 1;
    for (uint32_t i = 0; i < copies; i++)
        wire_put(w, !from, bytes, length, s->now + (s->delay_us + below(w, s->jitter_us + 1)) * NS_PER_US);
}

/* ---- devices --------------------------------------------------------------------------------------- */

static void device_send(struct world *w, unsigned side) {
    bk_stack *stack = stack_of(w, side);
    struct side *s = &w->state.side[side];
    struct bk_tx unit[HELD];
    if (s->held_count != 0 && !one_in(w, 4)) {
        bk_output_done(stack, s->held, s->held_count);
        s->held_count = 0;
    }
    uint32_t room = HELD - s->held_count;
    size_t n = bk_output(stack, 0, unit, one_in(w, 4) ? below(w, room + 1) : room, w->state.now);
    note_number(w, RECORD_RESULT, (int64_t)n);
    for (size_t k = 0; k < n; k++) {
        note_number(w, RECORD_REASON, unit[k].reason);
        for (uint32_t i = 0; i < bk_tx_count(&unit[k]); i++) {
            uint8_t bytes[FRAME_MAX];
            size_t length = bk_tx_write(stack, &unit[k], i, bytes, sizeof bytes);
            note(w, RECORD_FRAME, bytes, length);
            frame_sent(w, side, bytes, length);
        }
        s->held[s->held_count++] = unit[k].id;
    }
}

/* Puts a frame into chunks, cut anywhere; 0 parts if there are not enough. */
static uint16_t device_parts(struct world *w, unsigned side, const struct flight *f, struct bk_part part[8]) {
    bk_stack *stack = stack_of(w, side);
    uint32_t chunk_size = bk_config_of(stack)->chunk_size, done = 0;
    uint16_t n = 0;
    while (done < f->length) {
        uint32_t chunk;
        if (n == 8 || bk_chunk_alloc(stack, &chunk, 1) == 0) {
            for (uint16_t i = 0; i < n; i++) bk_chunk_release(stack, &part[i].chunk, 1);
            return 0;
        }
        uint32_t offset = below(w, 3) * 7, most = chunk_size - offset;
        uint32_t length = f->length - done < most ? f->length - done : most;
        if (n < 3 && length > 1 && one_in(w, 2)) length = 1 + below(w, length < 90 ? length : 90);
        memcpy(bk_chunk_data(stack, chunk) + offset, f->bytes + done, length);
        part[n++] = (struct bk_part){chunk, (uint16_t)offset, (uint16_t)length};
        done += length;
    }
    return n;
}

/* What has arrived by now, at one side, in the order of arrival. */
static void device_receive(struct world *w, unsigned side) {
    struct bk_rx rx[4];
    struct bk_part part[4][8];
    size_t n = 0, batch = 1 + below(w, 4);
    for (;;) {
        struct flight *next = NULL;
        for (uint32_t i = 0; i < FLIGHTS; i++) {
            struct flight *f = &w->state.flight[i];
            bool due = f->length != 0 && f->to == side && f->arrives <= w->state.now;
            if (due && (next == NULL || f->arrives < next->arrives)) next = f;
        }
        if (n == batch || (next == NULL && n != 0)) {
            bk_input(stack_of(w, side), 0, rx, n, w->state.now);
            for (size_t i = 0; i < n; i++) note_number(w, RECORD_REASON, rx[i].reason);
            n = 0;
        }
        if (next == NULL) return;
        if (one_in(w, 2)) {
            uint16_t parts = device_parts(w, side, next, part[n]);
            rx[n] = (struct bk_rx){.parts = part[n], .part_count = parts};
            n += parts != 0;
        } else {
            uint16_t reason = bk_input_copy(stack_of(w, side), 0, next->bytes, next->length, w->state.now);
            note_number(w, RECORD_REASON, reason);
        }
        next->length = 0;
    }
}

/* ---- time ------------------------------------------------------------------------------------------ */

static uint64_t next_event(struct world *w) {
    uint64_t next = BK_NEVER;
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        const struct flight *f = &w->state.flight[i];
        if (f->length != 0 && f->arrives < next) next = f->arrives;
    }
    for (unsigned side = 0; side < 2; side++) {
        uint64_t deadline = bk_next_deadline(stack_of(w, side));
        if (deadline < next) next = deadline;
    }
    return next;
}

static void time_passes(struct world *w) {
    static const uint64_t leaps_us[] = {1, 20, 300, 5000, 50000, 400000, 3000000, 40000000};
    uint64_t next = next_event(w);
    if (one_in(w, 12)) {
        uint64_t leap = leaps_us[below(w, BK_COUNT(leaps_us) - (one_in(w, 20) ? 0 : 2))];
        w->state.now += (1 + below(w, (uint32_t)leap)) * NS_PER_US;
    } else if (next != BK_NEVER && next > w->state.now) {
        w->state.now = next;
    }
    for (unsigned side = 0; side < 2; side++) {
        device_receive(w, side);
        if (bk_next_deadline(stack_of(w, side)) <= w->state.now || one_in(w, 4))
            bk_advance(stack_of(w, side), w->state.now);
        if (!one_in(w, 4)) device_send(w, side);
    }
}

/* The user learns something of the path, or the link changes. */
static void path_changes(struct world *w, unsigned side) {
    uint32_t mtu = one_in(w, 3) ? 0 : 600 + below(w, 900);
    int result = one_in(w, 2) ? bk_iface_mtu_set(stack_of(w, side), 0, mtu, w->state.now)
                              : bk_path_mtu_set(stack_of(w, side), &w->state.side[side].target[0], mtu, w->state.now);
    note_number(w, RECORD_RESULT, result);
}

/* What can be asked at any time. */
static void look(struct world *w) {
    for (unsigned side = 0; side < 2; side++) {
        const bk_stack *stack = stack_of(w, side);
        note_number(w, RECORD_DEADLINE, (int64_t)bk_next_deadline(stack));
        note_number(w, RECORD_RESULT, bk_output_pending(stack, 0));
        note_number(w, RECORD_RESULT, bk_ready_pending(stack));
    }
}

static void run(struct world *w, uint32_t steps) {
    while (steps-- > 0) {
        uint32_t what = below(w, 100), side = below(w, 2);
        if (what < 50)
            time_passes(w);
        else if (what < 62)
            device_send(w, side);
        else if (what < 96)
            user_act(w, side);
        else if (what < 97)
            path_changes(w, side);
        else
            strange_frame(w);
        look(w);
    }
}

/* ---- making ---------------------------------------------------------------------------------------- */

static void draw_config(struct world *w, struct bk_config *c) {
    bk_config_default(c);
    c->connections = one_in(w, 6) ? 1 : 3 + below(w, 6);
    c->active_connections = below(w, 2) * (1 + below(w, c->connections));
    c->listeners = 1 + below(w, 2);
    c->requests_ipv4 = c->requests_ipv6 = one_in(w, 6) ? 0 : 1 + below(w, 4);
    c->time_waits_ipv4 = c->time_waits_ipv6 = below(w, 5);
    c->interfaces = 1;
    c->addresses = 10;
    c->routes = 4;
    c->neighbours = 2 + below(w, 4);
    c->paths = below(w, 3);
    c->port_maps = below(w, 3);
    c->mtu_probing = below(w, 3);
    c->base_mss = 500 + below(w, 900);
    c->path_mtu_expiry_s = 1 + below(w, 30);
    c->reassemblies = below(w, 2);
    c->frames = 4 + below(w, 30);
    c->chunk_size = 256u << below(w, 4);
    c->chunks = 24 + below(w, 120);
    c->buffer_chunks = c->chunks / 2 + below(w, c->chunks / 2 - 1);
    c->trace_events = below(w, 2) * 32;
    c->send_buffer = 1000 + below(w, 20000);
    c->receive_buffer = 1000 + below(w, 30000);
    c->send_buffer_max = below(w, 2) * 60000;
    c->receive_buffer_max = below(w, 2) * 100000;
    c->msl_ms = 1 + below(w, 2000);
    c->delayed_ack_ms = 1 + below(w, 100);
    c->delayed_ack_max_ms = below(w, 200);
    c->quick_acks = below(w, 2) * below(w, 20);
    c->sack = one_in(w, 2);
    c->shrink_window = one_in(w, 6);
    c->receive_overhead = one_in(w, 6);
    c->syn_linear_timeouts = below(w, 3);
    c->orphans_max = one_in(w, 4) ? below(w, 3) : 4096;
    c->syn_retries = c->syn_ack_retries = 2 + below(w, 3);
    c->retries2 = 3 + below(w, 5);
    c->orphan_ms = 20000;
    c->keepalive_idle_s = 1 + below(w, 20);
    c->challenge_ack_ms = 1 + below(w, 500);
    c->ephemeral_first = 50000;
    c->ephemeral_last = (uint16_t)(50000 + below(w, 8));
    c->timestamps = one_in(w, 2);
    c->window_scaling = one_in(w, 2);
    c->sack = one_in(w, 2);
    c->tail_loss_probe = one_in(w, 2);
    c->frto = one_in(w, 2);
    c->sent_records = below(w, 40);
    c->syn_cookies = below(w, 3);
    c->reset_on_unread = one_in(w, 2);
    c->ecn = below(w, 3);
    c->ecn_fallback = one_in(w, 2);
    c->receive_coalescing = !one_in(w, 4);
    if (w->state.calm) {
        c->trace_events = c->ecn = 0;
        c->receive_overhead = false;
        c->frames = 64;
        c->chunks = 400;
        c->buffer_chunks = 300;
        c->sent_records = 40;
    }
    if (!one_in(w, 4)) return;
    c->steering.stacks = 2 + below(w, 3);
    c->steering.index = below(w, c->steering.stacks);
    for (unsigned i = 0; i < BK_STEER_KEY; i++) c->steering.key[i] = (uint8_t)below(w, 256);
}

#define LINK_LOCAL 0u

static bk_addr address(bool ipv6, uint8_t net, uint8_t host) {
    if (ipv6 && net == LINK_LOCAL) return (bk_addr){{0xfe, 0x80, [15] = host}};
    if (ipv6) return (bk_addr){{0x20, 0x01, 0x0d, 0xb8, [7] = net, [15] = host}};
    return bk_addr_ipv4(192, 0, net, host);
}

/* Side 1 stands behind two gateways as well, which are itself: 10.2 and 10.3 lead to 20.2. */
static void side_make(struct world *w, unsigned side, bool autoconfigure) {
    struct state *s = &w->state;
    struct side *d = &s->side[side];
    struct bk_config config;
    struct bk_iface_config iface = {
        .layer = s->ethernet ? BK_LAYER_ETHERNET : BK_LAYER_IP,
        .mac = {2, 0, 0, 0, 0, (uint8_t)(1 + side)},
        .mtu = s->ipv6 ? 1280 + below(w, 221) : 576 + below(w, 925),
        .unit_max = below(w, 2) * below(w, 9000),
        .autoconfigure = autoconfigure,
    };
    uint8_t seed[32];
    for (unsigned i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)below(w, 256);
    draw_config(w, &config);
    d->region_size = bk_region_size(&config);
    w->region[side] = aligned_alloc(4096, d->region_size);
    if (w->region[side] == NULL) broken("there is memory for a region");
    memset(w->region[side], 0, d->region_size);
    bk_stack *stack;
    const char *why = "";
    if (bk_create(w->region[side], d->region_size, &config, seed, s->now, &stack, &why) != 0) broken(why);
    if (bk_iface_add(stack, &iface, s->now) != 0) broken("the interface is possible");
    uint8_t length = s->ipv6 ? 64 : 24;
    bool skip_dad = !one_in(w, 3);
    d->addr = address(s->ipv6, 10, (uint8_t)(1 + side));
    (void)bk_iface_address_add(stack, 0, &d->addr, length, skip_dad, s->now);
    bk_addr other = address(s->ipv6, 10, (uint8_t)(2 - side)), far = address(s->ipv6, 20, (uint8_t)(2 - side));
    bk_addr own_far = address(s->ipv6, 20, (uint8_t)(1 + side)), second = address(s->ipv6, 10, (uint8_t)(4 - side));
    bk_addr own_second = address(s->ipv6, 10, (uint8_t)(3 + side));
    (void)bk_iface_address_add(stack, 0, &own_far, s->ipv6 ? 128 : 32, true, s->now);
    (void)bk_iface_address_add(stack, 0, &own_second, length, true, s->now);
    (void)bk_route_add(stack, &far, s->ipv6 ? 64 : 24, &other, 0);
    (void)bk_route_add(stack, &far, s->ipv6 ? 64 : 24, &second, 0);
    d->target[0] = d->target[1] = other;
    d->target[2] = far;
    if (s->routers) { /* the addresses that they make for themselves: no route leads there, only the interface */
        d->source[1] = (bk_addr){{0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = (uint8_t)(1 + side)}};
        d->target[1] = (bk_addr){{0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = (uint8_t)(2 - side)}};
    } else if (s->ipv6) {
        bk_addr local = address(true, LINK_LOCAL, (uint8_t)(1 + side));
        (void)bk_iface_address_add(stack, 0, &local, 64, true, s->now);
        d->target[1] = address(true, LINK_LOCAL, (uint8_t)(2 - side));
    }
}

static void make(struct world *w, uint64_t seed) {
    struct state *s = &w->state;
    s->seed = seed;
    s->now = 1000 * NS_PER_S + below(w, 1000000);
    s->ethernet = !one_in(w, 3);
    s->ipv6 = one_in(w, 2);
    s->routers = s->ethernet && s->ipv6 && one_in(w, 2);
    s->loss_ppm = below(w, 3) * below(w, 120000);
    s->duplicate_ppm = below(w, 2) * below(w, 100000);
    s->corrupt_ppm = below(w, 2) * below(w, 30000);
    s->delay_us = below(w, 30000);
    s->jitter_us = below(w, 2) * below(w, 60000);
    s->calm = one_in(w, 3);
    if (s->calm) s->loss_ppm = s->duplicate_ppm = s->corrupt_ppm = s->jitter_us = 0;
    for (unsigned side = 0; side < 2; side++) side_make(w, side, s->routers);
}

static void adopt(struct world *w) {
    for (unsigned side = 0; side < 2; side++) {
        bk_stack *stack;
        if (bk_adopt(w->region[side], w->state.side[side].region_size, &stack) != 0)
            broken("one build's region is the other's");
    }
}

static size_t used(const struct world *w, unsigned side) {
    return bk_used_extent(stack_of(w, side));
}

static void count(const struct world *w, struct world_counts *counts) {
    for (unsigned side = 0; side < 2; side++) {
        const bk_stack *stack = stack_of(w, side);
        for (uint16_t i = 0; i < BK_REASON_COUNT; i++) counts->reason[i] += bk_reason_count(stack, i);
    }
}

const struct driver driver = {bk_layout_hash, make, adopt, run, used, count};
