/* Whole-stack fuzzing: the input is a little program of user calls, segments, raw frames, device behaviour and time,
 * run against one stack with a listener and up to two active opens.
 *
 * Segments are mostly valid: each belongs to a flow (a remote port and a local one), of which this file knows how far both
 * sides are, and its sequence and acknowledgement numbers are small steps from there. The payload is a pattern of the
 * sequence number, so whatever a user receives can be checked, whichever segments it came in, however they overlapped.
 *
 * What must hold, besides that nothing crashes and no sanitizer complains:
 *   - after each operation the audit of src/lab/audit.h finds nothing;
 *   - every frame that leaves is well-formed, with good checksums;
 *   - users receive the pattern, in order;
 *   - output ends, and once it has ended the next deadline lies ahead (nobody spins);
 *   - a copy of the used extent goes on in place of the original (one operation does this at any moment);
 *   - when all handles are aborted, all chunks released and a day has passed, every pool is empty.
 *
 * The first three bytes choose the world: family, link layer and options; which pools are as small as they can be; and the network: how the
 * address comes about, and whether the peer is a neighbour.
 *
 * With BECKON_FUZZ_TRACE in the environment each operation and each event is printed, for reading a finding.
 */
#include "stack_world.h"

/* ---- the device ------------------------------------------------------------------------------------ */

/* Takes up to n units; `keep` of them stay with the device for a while. Returns how many there were. */
static size_t output(struct world *w, size_t n, uint32_t keep) {
    struct bk_tx units[16];
    uint8_t frame[70000];
    size_t count = bk_output(w->stack, 0, units, n, w->now);
    MUST(count <= n);
    for (size_t u = 0; u < count; u++) {
        MUST(units[u].reason != BK_REASON_NONE && bk_reason_verdict(units[u].reason) == BK_SENT);
        for (uint32_t i = 0; i < bk_tx_count(&units[u]); i++) {
            size_t length = bk_tx_write(w->stack, &units[u], i, frame, sizeof frame);
            MUST(length > 0);
            frame_leaves(w, frame, length);
        }
        if (keep > 0 && w->held_units < HELD) {
            w->held_unit[w->held_units++] = units[u].id;
            keep--;
        } else {
            bk_output_done(w->stack, &units[u].id, 1);
        }
    }
    return count;
}

static void let_go(struct world *w) {
    bk_output_done(w->stack, w->held_unit, w->held_units);
    bk_chunk_release(w->stack, w->held_chunk, w->held_chunks);
    w->held_units = w->held_chunks = 0;
}

/* Output until there is none: it must end, and then nothing may be due any more. */
static void drain(struct world *w) {
    let_go(w);
    for (int turns = 0; output(w, 16, 0) != 0; turns++) MUST(turns < 10000);
    bk_advance(w->stack, w->now);
    for (int turns = 0; output(w, 16, 0) != 0; turns++) MUST(turns < 10000);
    for (int turns = 0; bk_next_deadline(w->stack) <= w->now; turns++) {
        MUST(turns < 100);
        bk_advance(w->stack, w->now);
        while (output(w, 16, 0) != 0) {
        }
    }
}

/* ---- users ----------------------------------------------------------------------------------------- */

static struct user *user_free(struct world *w) {
    for (struct user *u = w->user; u < w->user + USERS; u++)
        if (!u->held) return u;
    return NULL;
}

static void user_receives(struct world *w, struct user *u, size_t room) {
    uint8_t data[4096];
    struct bk_tcp_info info;
    int known = bk_tcp_status(w->stack, u->conn, &info);
    ptrdiff_t n = bk_tcp_receive(w->stack, u->conn, data, room < sizeof data ? room : sizeof data, w->now);
    MUST(n <= (ptrdiff_t)room);
    if (n <= 0) return;
    MUST(known == 0);
    for (ptrdiff_t i = 0; i < n; i++) MUST(data[i] == pattern(info.irs + 1 + u->received + (uint32_t)i));
    u->received += (uint32_t)n;
}

static void user_peeks(struct world *w, struct user *u) {
    struct bk_part parts[4];
    struct bk_tcp_info info;
    if (bk_tcp_status(w->stack, u->conn, &info) != 0) return;
    size_t n = bk_tcp_peek_parts(w->stack, u->conn, parts, 4), total = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *data = bk_chunk_data(w->stack, parts[i].chunk) + parts[i].offset;
        for (uint32_t k = 0; k < parts[i].length; k++, total++)
            MUST(data[k] == pattern(info.irs + 1 + u->received + (uint32_t)total));
    }
    total -= total / 3;
    if (bk_tcp_consume(w->stack, u->conn, total, w->now) == 0) u->received += (uint32_t)total;
}

static void user_connects(struct world *w, uint32_t argument) {
    struct user *u = user_free(w);
    struct flow *f = &w->flow[CLIENTS_AT + argument % 2];
    struct bk_tcp_open open = {.remote = w->remote, .local_port = f->local_port, .remote_port = f->remote_port};
    if (u == NULL || bk_tcp_connect(w->stack, &open, w->now, &u->conn) != 0) return;
    u->held = true;
    u->received = 0;
}

static void user_accepts(struct world *w) {
    struct user *u = user_free(w);
    if (u == NULL || bk_tcp_accept(w->stack, w->listener, 1, w->now, &u->conn) != 0) return;
    u->held = true;
    u->received = 0;
}

static void user_sends_parts(struct world *w, struct user *u, uint32_t length) {
    uint32_t chunk;
    if (bk_chunk_alloc(w->stack, &chunk, 1) != 1) return;
    uint32_t size = bk_config_of(w->stack)->chunk_size;
    struct bk_part part = {.chunk = chunk, .offset = 7, .length = (uint16_t)(length % (size - 7))};
    memset(bk_chunk_data(w->stack, chunk), 'p', size);
    if (part.length == 0 || bk_tcp_send_parts(w->stack, u->conn, &part, 1, 0, w->now) != 0)
        bk_chunk_release(w->stack, &chunk, 1);
}

static void listener_opens_or_closes(struct world *w, uint32_t argument) {
    bk_addr any = {{0}};
    if (argument & 1)
        bk_tcp_unlisten(w->stack, w->listener, w->now);
    else
        bk_tcp_listen(w->stack, argument & 2 ? &w->local : &any, PORT, argument >> 2 & 3, 5, w->now, &w->listener);
}

static void user_looks(struct world *w) {
    struct bk_tcp_info info;
    struct bk_event events[8];
    uint64_t cursor = 0, lost;
    while (bk_tcp_list(w->stack, &cursor, &info)) MUST(info.state < BK_STATES);
    while (!tracing && bk_trace_read(w->stack, events, 8, &lost) == 8) {
    }
}

static void user_call(struct world *w) {
    static const uint8_t zeros[8192];
    struct user *u = &w->user[take(&w->in, 1) % USERS];
    uint32_t call = take(&w->in, 1), argument = take(&w->in, 2);
    show(w, "call", call % 16);
    switch (call % 16) {
    case 0:
    case 1:
        user_connects(w, argument);
        break;
    case 2:
    case 3:
        user_accepts(w);
        break;
    case 4: /* fallthrough */
    case 5:
        bk_tcp_send(w->stack, u->conn, zeros, argument % sizeof zeros, call >> 4 & 3, w->now);
        break;
    case 6: /* fallthrough */
    case 7:
        user_receives(w, u, argument);
        break;
    case 8:
        bk_tcp_shutdown(w->stack, u->conn, w->now);
        break;
    case 9:
        if (bk_tcp_close(w->stack, u->conn, w->now) == 0) u->held = false;
        break;
    case 10:
        if (bk_tcp_abort(w->stack, u->conn, w->now) == 0) u->held = false;
        break;
    case 11:
        bk_tcp_set(w->stack, u->conn, (enum bk_tcp_option)(call >> 4), argument, w->now);
        break;
    case 12:
        user_sends_parts(w, u, argument);
        break;
    case 13:
        user_peeks(w, u);
        break;
    case 14:
        listener_opens_or_closes(w, argument);
        break;
    default:
        user_looks(w);
        break;
    }
}

static void users_poll(struct world *w) {
    struct bk_ready events[4];
    size_t n = bk_ready_poll(w->stack, events, 4);
    for (size_t i = 0; i < n; i++) {
        MUST(events[i].what != 0);
        if (events[i].listener) user_accepts(w);
    }
}

/* ---- time, full devices, copies ------------------------------------------------------------------- */

static void time_passes(struct world *w) {
    static const uint64_t steps[] = {1,        1000,          NS_PER_MS,    10 * NS_PER_MS, 200 * NS_PER_MS,
                                     NS_PER_S, 10 * NS_PER_S, 60 * NS_PER_S};
    static const uint64_t jumps[] = {3600 * NS_PER_S, 86400 * NS_PER_S, 50 * 86400 * NS_PER_S, (uint64_t)1 << 53};
    uint32_t choice = take(&w->in, 1);
    uint64_t next = bk_next_deadline(w->stack);
    if (choice & 32)
        w->now += jumps[choice % BK_COUNT(jumps)];
    else if (choice & 64)
        bk_advance(w->stack, w->now - NS_PER_S); /* counts as now */
    else if (choice & 128)
        w->now += steps[choice % BK_COUNT(steps)];
    else if (next != BK_NEVER && next > w->now)
        w->now = next;
    bk_advance(w->stack, w->now);
}

static void device_holds(struct world *w) {
    uint32_t n = take(&w->in, 1) % (HELD - w->held_chunks + 1);
    w->held_chunks += (uint32_t)bk_chunk_alloc(w->stack, w->held_chunk + w->held_chunks, n);
}

/* The copy runs on in place of the original, which is spoilt. What the device holds it names by number, so it may go on holding it. */
static void move(struct world *w) {
    uint8_t *from = w->region[w->where], *to = w->region[!w->where];
    size_t used = bk_used_extent(w->stack);
    memcpy(to, from, used);
    memset(from, FUZZ_POISON, used);
    w->where = !w->where;
    MUST(bk_adopt(to, w->size, &w->stack) == 0);
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static void world_config(struct bk_config *config, uint32_t choice, uint32_t bounds) {
    bk_config_tiny(config);
    config->connections = bounds & 1 ? 1 : 4;
    config->active_connections = bounds & 2 ? 1 : 0;
    if (bounds & 4) config->requests_ipv4 = config->requests_ipv6 = 1;
    if (bounds & 8) config->time_waits_ipv4 = config->time_waits_ipv6 = 1;
    config->addresses = 4;
    config->frames = bounds & 16 ? 2 : 12;
    config->chunks = bounds & 32 ? 8 : 64;
    config->buffer_chunks = choice & 16 ? 4 : bounds & 32 ? 6 : 40;
    config->reset_on_unread = (bounds & 64) == 0;
    config->window_scaling = (bounds & 128) == 0;
    config->send_buffer = config->receive_buffer = choice & 32 ? 200 : 9000;
    config->syn_cookies = choice & 64 ? BK_SYN_COOKIES_WHEN_FULL : BK_SYN_COOKIES_NEVER;
    config->timestamps = choice & 128;
    config->trace_events = tracing ? 4096 : choice & 8 ? 16 : 0;
}

/* The interface, its address, and the way to the peer: on the link, or behind a router. */
static void world_net(struct world *w, bool ipv6, uint32_t net) {
    static const uint32_t mtus[] = {1500, 1280, 9000, 1400};
    bk_addr any = {{0}};
    struct bk_iface_config iface = {.layer = w->ethernet ? BK_LAYER_ETHERNET : BK_LAYER_IP,
                                    .mac = {2, 0, 0, 0, 0, 1},
                                    .mtu = mtus[net >> 4 & 3],
                                    .accept_any = net & 8,
                                    .autoconfigure = net & 1};
    MUST(bk_iface_add(w->stack, &iface, w->now) == 0);
    MUST(bk_addr_parse(ipv6 ? "2001:db8::1" : "192.0.2.1", &w->local) == 0);
    MUST(bk_addr_parse(ipv6 ? "2001:db8::2" : "192.0.2.2", &w->next_hop) == 0);
    w->remote = w->next_hop;
    if (net & 4) MUST(bk_addr_parse(ipv6 ? "2001:db8:1::2" : "198.51.100.2", &w->remote) == 0);
    MUST(bk_iface_address_add(w->stack, 0, &w->local, ipv6 ? 64 : 24, (net & 2) == 0, w->now) == 0);
    if (!ipv6) any = bk_addr_ipv4(0, 0, 0, 0);
    if (net & 4) MUST(bk_route_add(w->stack, &any, 0, &w->next_hop, 0) == 0);
}

static void world_open(struct world *w) {
    static void *memory[2];
    static size_t room[2];
    struct bk_config config;
    uint32_t choice = take(&w->in, 1), bounds = take(&w->in, 1), net = take(&w->in, 1);
    uint8_t seed[32] = {(uint8_t)choice};
    world_config(&config, choice, bounds);
    w->size = bk_region_size(&config);
    for (int i = 0; i < 2; i++) w->region[i] = fuzz_region(&memory[i], &room[i], w->size);
    w->now = 5 * NS_PER_S;
    w->ethernet = choice & 1;
    w->answer_neighbours = choice & 2;
    MUST(bk_create(w->region[0], w->size, &config, seed, w->now, &w->stack, NULL) == 0);

    world_net(w, choice & 4, net);
    listener_opens_or_closes(w, 8);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct flow *f = &w->flow[i];
        f->isn = f->seq = UINT32_MAX - 500 * i;
        f->tsval = UINT32_MAX - 50;
        f->remote_port = (uint16_t)(1000 + i);
        f->local_port = (uint16_t)(i < CLIENTS_AT ? PORT : 3000 + i);
    }
}

/* Everybody leaves, and a day passes: nothing may stay behind. */
static void world_close(struct world *w) {
    bk_conn conn;
    show(w, "close", 0);
    for (struct user *u = w->user; u < w->user + USERS; u++)
        if (u->held) bk_tcp_abort(w->stack, u->conn, w->now);
    while (bk_tcp_accept(w->stack, w->listener, 0, w->now, &conn) == 0) bk_tcp_abort(w->stack, conn, w->now);
    bk_tcp_unlisten(w->stack, w->listener, w->now);
    drain(w);
    show(w, "drained", 0);
    uint64_t end = w->now + 24 * 3600 * NS_PER_S;
    for (int turns = 0; bk_next_deadline(w->stack) < end; turns++) {
        MUST(turns < 100000);
        w->now = bk_next_deadline(w->stack);
        bk_advance(w->stack, w->now);
        drain(w);
    }
    struct fault fault = {0};
    MUST_CHECK(audit_empty(w->stack, 0, &fault), fault);
}

static void operation(struct world *w) {
    uint32_t operation = take(&w->in, 1);
    show(w, "operation", operation % 16);
    w->in_fragments = operation / 16 == 15;
    switch (operation % 16) {
    case 5:
        raw_frame_arrives(w);
        break;
    case 6:
        packet_arrives(w);
        break;
    case 7:
        error_arrives(w);
        break;
    case 8:
    case 9:
        user_call(w);
        break;
    case 10:
        time_passes(w);
        break;
    case 11:
        output(w, operation / 16, take(&w->in, 1) % 4);
        break;
    case 12:
        drain(w);
        break;
    case 13:
        users_poll(w);
        break;
    case 14:
        device_holds(w);
        break;
    case 15:
        move(w);
        break;
    default: /* 0 to 4 */
        segment_arrives_from_flow(w);
        break;
    }
}

static void audit(struct world *w) {
    if (tracing) fuzz_print_events(w->stack, NULL);
    struct audit_held held = {w->held_chunk, w->held_chunks, w->held_unit, w->held_units};
    struct fault fault = {0};
    MUST_CHECK(audit_stack(w->stack, &held, &fault), fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world w = {.in = {data, size}};
    tracing = fuzz_tracing();
    world_open(&w);
    for (int steps = 0; w.in.left > 0 && steps < 400; steps++) {
        operation(&w);
        audit(&w);
    }
    world_close(&w);
    return 0;
}
