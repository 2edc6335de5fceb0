/* Two stacks as a world: made from the first bytes of the input, copied, run, audited, and brought to an end. */
#include "pair_world.h"

bool tracing;

void show(struct world *w, const char *what, uint32_t number) {
    if (!tracing) return;
    fuzz_print_events(w->side[0].stack, "A");
    fuzz_print_events(w->side[1].stack, "B");
    fprintf(stderr, "---- %s %u\n", what, (unsigned)number);
}

/* FNV-1a over words: only equality counts. */
void world_note(struct world *w, uint64_t value) {
    if (w->twinned) w->digest = (w->digest ^ value) * UINT64_C(0x100000001b3);
}

void world_audit(struct world *w) {
    for (int s = 0; s < 2; s++) {
        struct side *side = &w->side[s];
        struct audit_held held = {side->held_chunk, side->held_chunks, side->held_unit, side->held_units};
        struct fault fault = {0};
        if (tracing) fuzz_print_events(side->stack, s == 0 ? "A" : "B");
        MUST_CHECK(audit_stack(side->stack, &held, &fault), fault);
        world_note(w, bk_next_deadline(side->stack));
        world_note(w, bk_used_extent(side->stack));
    }
}

/* ---- made ------------------------------------------------------------------------------------------ */

static uint32_t pick(uint32_t byte, unsigned shift, const uint32_t four[4]) {
    return four[byte >> shift & 3];
}

/* Four bytes: pools, more pools, buffers, options. Zeroes make the most generous world. */
static void side_config(struct input *in, struct bk_config *c) {
    static const uint32_t connections[] = {4, 3, 2, 1}, active[] = {0, 3, 2, 1}, few[] = {4, 2, 1, 0};
    static const uint32_t frames[] = {12, 6, 3, 2}, sizes[] = {2048, 1024, 512, 256}, spare[] = {24, 8, 7, 6};
    static const uint32_t budget[] = {64, 12, 4, 1}, buffers[] = {9000, 20000, 700, 50};
    uint32_t pools = take(in, 1), more = take(in, 1), room = take(in, 1), options = take(in, 1);
    bk_config_tiny(c);
    c->connections = pick(pools, 0, connections);
    c->active_connections = pick(pools, 2, active);
    c->requests_ipv4 = c->requests_ipv6 = pick(pools, 4, few);
    c->time_waits_ipv4 = c->time_waits_ipv6 = pick(pools, 6, few);
    c->frames = pick(more, 0, frames);
    c->chunk_size = pick(more, 2, sizes);
    c->buffer_chunks = pick(more, 4, budget);
    c->chunks = c->buffer_chunks + pick(more, 6, spare);
    c->send_buffer = pick(room, 0, buffers);
    c->receive_buffer = pick(room, 2, buffers);
    c->listeners = 2;
    if (room & 16) c->syn_retries = c->retries2 = c->orphan_retries = 2;
    if (room & 32) c->delayed_ack_ms = 0;
    if (room & 64) c->msl_ms = 10;
    if (room & 128) c->rto_min_ms = 1;
    c->timestamps = (options & 1) == 0;
    c->window_scaling = (options & 2) == 0;
    c->syn_cookies = options & 4 ? BK_SYN_COOKIES_NEVER : BK_SYN_COOKIES_WHEN_FULL;
    c->reset_on_unread = (options & 8) == 0;
    c->sack = (options & 64) == 0;
    if (options & 128) c->sent_records = 1;
    c->trace_events = tracing ? 4096 : options & 16 ? 16 : 0;
    c->neighbours = options & 32 ? 1 : 2;
}

static void side_open(struct world *w, struct world *twin, int s, bool ipv6) {
    static void *memory[2][2][2];
    static size_t room[2][2][2];
    struct side *side = &w->side[s];
    struct bk_config config;
    uint8_t seed[32] = {(uint8_t)(s + 1)};
    side_config(&w->in, &config);
    side->size = bk_region_size(&config);
    for (int i = 0; i < 2; i++) {
        side->region[i] = fuzz_region(&memory[0][s][i], &room[0][s][i], side->size);
        twin->side[s].region[i] = fuzz_region(&memory[1][s][i], &room[1][s][i], side->size);
    }
    side->now = 5 * NS_PER_S;
    MUST(bk_create(side->region[0], side->size, &config, seed, side->now, &side->stack, NULL) == 0);

    static const uint32_t mtus[] = {1500, 1500, 1280, 576}, units[] = {0, 1000, 3000, 100};
    uint32_t choice = take(&w->in, 1);
    struct bk_iface_config iface = {.layer = w->ethernet ? BK_LAYER_ETHERNET : BK_LAYER_IP,
                                    .mac = {2, 0, 0, 0, 0, (uint8_t)(1 + s)},
                                    .mtu = pick(choice, 0, mtus),
                                    .unit_max = pick(choice, 2, units),
                                    .autoconfigure = choice & 16 && ipv6};
    if (ipv6 && iface.mtu < 1280) iface.mtu = 1280;
    MUST(bk_iface_add(side->stack, &iface, side->now) == 0);
    const char *text = ipv6 ? s == 0 ? "2001:db8::1" : "2001:db8::2" : s == 0 ? "192.0.2.1" : "192.0.2.2";
    MUST(bk_addr_parse(text, &side->addr) == 0);
    MUST(bk_iface_address_add(side->stack, 0, &side->addr, ipv6 ? 64 : 24, (choice & 32) == 0, side->now) == 0);
    listener_opens(w, s, choice >> 6);
}

void world_open(struct world *w, struct world *twin) {
    uint32_t choice = take(&w->in, 1);
    w->ethernet = choice & 1;
    w->jumps = 16;
    for (int s = 0; s < 2; s++) side_open(w, twin, s, choice & 2);
    for (int s = 0; s < 2; s++) side_attend(w, s);
}

/* ---- copied ---------------------------------------------------------------------------------------- */

/* The stack of one side goes on from a copy at another address; where it was is spoilt. What the device holds it names by
 * number, so it may go on holding it. */
void world_move(struct world *w, int s) {
    struct side *side = &w->side[s];
    uint8_t *from = side->region[side->where], *to = side->region[!side->where];
    size_t used = bk_used_extent(side->stack);
    memcpy(to, from, used);
    memset(from, FUZZ_POISON, used);
    side->where = !side->where;
    MUST(bk_adopt(to, side->size, &side->stack) == 0);
}

void world_copy(struct world *to, const struct world *from) {
    uint8_t *region[2][2];
    for (int s = 0; s < 2; s++) memcpy(region[s], to->side[s].region, sizeof region[s]);
    *to = *from;
    for (int s = 0; s < 2; s++) {
        struct side *side = &to->side[s];
        memcpy(side->region, region[s], sizeof region[s]);
        memcpy(side->region[side->where], from->side[s].region[from->side[s].where],
               bk_used_extent(from->side[s].stack));
        MUST(bk_adopt(side->region[side->where], side->size, &side->stack) == 0);
    }
}

/* ---- run ------------------------------------------------------------------------------------------- */

/* Takes units from the stack as long as the wire has room. Returns how many there were. */
static size_t side_output(struct world *w, int s) {
    struct side *side = &w->side[s];
    struct bk_tx units[4];
    if (side->refuses || w->in_flight >= FLIGHT / 2) return 0;
    size_t count = bk_output(side->stack, 0, units, BK_COUNT(units), side->now);
    MUST(count <= BK_COUNT(units));
    for (size_t u = 0; u < count; u++) {
        wire_take(w, s, &units[u]);
        if (side->keep > 0 && side->held_units < HELD_UNITS) {
            side->held_unit[side->held_units++] = units[u].id;
            side->keep--;
        } else {
            bk_output_done(side->stack, &units[u].id, 1);
        }
    }
    return count;
}

void side_attend(struct world *w, int s) {
    struct side *side = &w->side[s];
    for (int turns = 0; side_output(w, s) != 0; turns++) MUST(turns < 1000);
    if (side->sleeps) return;
    for (int turns = 0; bk_next_deadline(side->stack) <= side->now; turns++) {
        MUST(turns < 100); /* nobody spins */
        bk_advance(side->stack, side->now);
        for (int more = 0; side_output(w, s) != 0; more++) MUST(more < 1000);
    }
}

void side_let_go(struct side *side) {
    bk_output_done(side->stack, side->held_unit, side->held_units);
    bk_chunk_release(side->stack, side->held_chunk, side->held_chunks);
    side->held_units = side->held_chunks = side->keep = 0;
}

/* Lets the network work without a fault: all that is in flight arrives, so many times over. */
void world_run(struct world *w, uint32_t rounds) {
    for (uint32_t i = 0; i < rounds && w->in_flight > 0; i++) {
        for (uint32_t n = w->in_flight; n > 0; n--) {
            int to = w->flight[0].to;
            wire_deliver(w, 0, 0);
            side_attend(w, to);
        }
        side_attend(w, 0);
        side_attend(w, 1);
    }
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void world_calm(struct world *w) {
    for (int s = 0; s < 2; s++) {
        side_let_go(&w->side[s]);
        w->side[s].refuses = w->side[s].sleeps = false;
    }
    for (int s = 0; s < 2; s++) side_attend(w, s);
}

/* Time goes to the next thing that is due on either side, if that is within `ns`; returns how far, or BK_NEVER. */
static uint64_t world_step(struct world *w, uint64_t ns) {
    uint64_t step = BK_NEVER;
    for (int s = 0; s < 2; s++) {
        uint64_t due = bk_next_deadline(w->side[s].stack);
        if (due == BK_NEVER) continue;
        MUST(due > w->side[s].now);
        step = u64_min(step, due - w->side[s].now);
    }
    if (step > ns) return BK_NEVER;
    for (int s = 0; s < 2; s++) {
        w->side[s].now += step;
        bk_advance(w->side[s].stack, w->side[s].now);
    }
    for (int s = 0; s < 2; s++) side_attend(w, s);
    return step;
}

/* A kind network for two hours, and users that read whatever comes. */
void world_settle(struct world *w) {
    uint64_t left = 2 * 3600 * NS_PER_S, step;
    show(w, "settle", 0);
    world_calm(w);
    for (int turns = 0;; turns++) {
        MUST(turns < 30000);
        for (int rounds = 0; w->in_flight > 0; rounds++) {
            MUST(rounds < 100000);
            world_run(w, 1);
            for (int s = 0; s < 2; s++)
                for (struct user *u = w->side[s].user; u < w->side[s].user + USERS; u++) user_reads_all(w, s, u);
            side_attend(w, 0);
            side_attend(w, 1);
        }
        for (int s = 0; s < 2; s++)
            for (struct user *u = w->side[s].user; u < w->side[s].user + USERS; u++) user_reads_all(w, s, u);
        side_attend(w, 0);
        side_attend(w, 1);
        if (w->in_flight > 0) continue;
        if ((step = world_step(w, left)) == BK_NEVER) break;
        left -= step;
    }
    world_audit(w);
    if (!w->disturbed) users_must_be_done(w);
}

/* Everybody leaves, gently or not, on a network that works or is dead, and a day passes: nothing may stay behind. */
void world_close(struct world *w, bool gently, bool dead) {
    uint64_t left = 24 * 3600 * NS_PER_S, step = 0;
    show(w, "close", gently);
    for (int s = 0; s < 2; s++) {
        struct side *side = &w->side[s];
        bk_conn conn;
        for (struct user *u = side->user; u < side->user + USERS; u++) user_leaves(w, s, u, gently);
        while (side->listening && bk_tcp_accept(side->stack, side->listener, 0, side->now, &conn) == 0)
            bk_tcp_abort(side->stack, conn, side->now);
        if (side->listening) bk_tcp_unlisten(side->stack, side->listener, side->now);
        side->listening = false;
    }
    world_calm(w);
    for (int turns = 0; step != BK_NEVER; turns++) {
        MUST(turns < 100000);
        for (int rounds = 0; w->in_flight > 0; rounds++) {
            MUST(rounds < 10000);
            if (dead)
                wire_drop(w, 0);
            else
                world_run(w, 1);
            side_attend(w, 0);
            side_attend(w, 1);
        }
        step = world_step(w, left);
        left -= step == BK_NEVER ? 0 : step;
    }
    for (int s = 0; s < 2; s++) {
        struct fault fault = {0};
        if (tracing) fuzz_print_events(w->side[s].stack, s == 0 ? "A" : "B");
        MUST_CHECK(audit_empty(w->side[s].stack, 0, &fault), fault);
    }
}
