/* Beckon as a side of a comparison: one stack a program, in virtual time that moves only between steps. See differ.h.
 *
 * Delays are off, so that answers come at once; timers that repeat segments are far away, for a program takes less than a second.
 */
#include <stdlib.h>

#include "base/common.h"
#include "lab/differ.h"

#define REGION_ALIGNMENT 4096u
#define STEP_NS          (5 * NS_PER_MS)
#define BUFFER           16384u

struct beckon {
    struct differ_side side;
    uint8_t *region;
    bk_stack *stack;
    uint64_t now;
    uint16_t port;
    bk_addr local, remote;
    bk_listener listener;
    bk_conn conn;
    bool listening, held;
    struct bk_tx unit; /* is leaving: `written` of its `count` frames have left */
    uint32_t written, count;
};

static void beckon_end(struct differ_side *side) {
    struct beckon *b = (struct beckon *)side;
    free(b->region);
    b->region = NULL;
}

static void beckon_begin(struct differ_side *side, const struct differ_program *p, uint16_t port) {
    struct beckon *b = (struct beckon *)side;
    struct bk_config config;
    struct bk_iface_config iface = {.layer = BK_LAYER_IP, .mtu = 1500};
    uint8_t seed[32] = {0};
    beckon_end(side);
    bk_config_tiny(&config);
    config.connections = 8;
    config.frames = 64;
    config.chunk_size = 2048;
    config.chunks = 256;
    config.buffer_chunks = 192;
    config.send_buffer = 65536;
    config.receive_buffer = p->small_buffer ? DIFFER_SMALL : 65535;
    config.delayed_ack_ms = config.delayed_ack_max_ms = config.quick_acks = 0;
    config.tail_loss_probe = false; /* as the kernel's namespace has it */
    config.ack_compress_us = 0;
    config.challenge_ack_ms = 1;
    config.rto_min_ms = config.rto_initial_ms = 10000;
    put_be32(seed, (uint32_t)p->seed);
    size_t size = bk_region_size(&config);
    b->region = aligned_alloc(REGION_ALIGNMENT, (size + REGION_ALIGNMENT - 1) & ~(size_t)(REGION_ALIGNMENT - 1));
    BK_ASSERT(b->region != NULL, "there is memory for a small stack");
    b->now = NS_PER_S;
    int r = bk_create(b->region, size, &config, seed, b->now, &b->stack, NULL);
    BK_ASSERT(r == 0 && bk_iface_add(b->stack, &iface, b->now) == 0, "the configuration is valid");
    b->port = port;
    b->local = differ_addr(p->ipv6, 1);
    b->remote = differ_addr(p->ipv6, 2);
    b->listening = b->held = false;
    b->written = b->count = 0;
    r = bk_iface_address_add(b->stack, 0, &b->local, p->ipv6 ? 64 : 24, true, b->now);
    BK_ASSERT(r == 0, "the first address fits");
}

static void beckon_time_passes(struct beckon *b) {
    b->now += STEP_NS;
    bk_advance(b->stack, b->now);
}

static void beckon_arrives(struct differ_side *side, const uint8_t *packet, size_t n) {
    struct beckon *b = (struct beckon *)side;
    beckon_time_passes(b);
    bk_input_copy(b->stack, 0, packet, n, b->now);
}

static size_t beckon_leaves(struct differ_side *side, uint8_t packet[DIFFER_FRAME]) {
    struct beckon *b = (struct beckon *)side;
    if (b->written == b->count) {
        b->written = b->count = 0;
        if (bk_output(b->stack, 0, &b->unit, 1, b->now) == 0) return 0;
        b->count = bk_tx_count(&b->unit);
    }
    size_t n = bk_tx_write(b->stack, &b->unit, b->written++, packet, DIFFER_FRAME);
    if (b->written == b->count) bk_output_done(b->stack, &b->unit.id, 1);
    return n;
}

/* ---- the user -------------------------------------------------------------------------------------- */

static int beckon_open(struct beckon *b, bool active) {
    struct bk_tcp_open open = {
        .local = b->local, .remote = b->remote, .local_port = b->port, .remote_port = DIFFER_REMOTE_PORT};
    if (!active) {
        int r = bk_tcp_listen(b->stack, &b->local, b->port, 8, 0, b->now, &b->listener);
        if (r == 0) b->listening = true;
        return r;
    }
    int r = bk_tcp_connect(b->stack, &open, b->now, &b->conn);
    b->held = r == 0;
    if (b->held) bk_tcp_set(b->stack, b->conn, BK_TCP_NODELAY, 1, b->now);
    return r;
}

static int beckon_accept(struct beckon *b) {
    if (!b->listening) return ERROR_BADF;
    int r = bk_tcp_accept(b->stack, b->listener, 0, b->now, &b->conn);
    if (r != 0) return r;
    b->held = true;
    return bk_tcp_set(b->stack, b->conn, BK_TCP_NODELAY, 1, b->now);
}

static int beckon_call_held(struct beckon *b, const struct differ_step *s) {
    static uint8_t buffer[BUFFER];
    if (!b->held) return ERROR_BADF;
    switch (s->call) {
    case DIFFER_SEND:
        return (int)bk_tcp_send(b->stack, b->conn, buffer, s->length, 0, b->now);
    case DIFFER_RECEIVE:
        return (int)bk_tcp_receive(b->stack, b->conn, buffer, s->length, b->now);
    case DIFFER_SHUTDOWN:
        return bk_tcp_shutdown(b->stack, b->conn, b->now);
    case DIFFER_CLOSE:
        b->held = false;
        return bk_tcp_close(b->stack, b->conn, b->now);
    default:
        b->held = false;
        return bk_tcp_abort(b->stack, b->conn, b->now);
    }
}

static int beckon_call(struct differ_side *side, const struct differ_step *s) {
    struct beckon *b = (struct beckon *)side;
    beckon_time_passes(b);
    switch (s->call) {
    case DIFFER_LISTEN:
    case DIFFER_CONNECT:
        return b->listening || b->held ? ERROR_ADDRINUSE : beckon_open(b, s->call == DIFFER_CONNECT);
    case DIFFER_ACCEPT:
        return b->held ? ERROR_BADF : beckon_accept(b);
    case DIFFER_UNLISTEN:
        if (!b->listening) return ERROR_BADF;
        b->listening = false;
        return bk_tcp_unlisten(b->stack, b->listener, b->now);
    default:
        return beckon_call_held(b, s);
    }
}

static uint8_t beckon_state(struct differ_side *side) {
    struct beckon *b = (struct beckon *)side;
    struct bk_tcp_info info;
    uint8_t state = b->listening ? BK_LISTEN : BK_CLOSED;
    for (uint64_t cursor = 0; bk_tcp_list(b->stack, &cursor, &info);)
        if (info.remote_port == DIFFER_REMOTE_PORT && info.state != BK_CLOSED) state = info.state;
    return state;
}

struct differ_side *differ_beckon_new(void) {
    struct beckon *b = calloc(1, sizeof *b);
    if (b == NULL) return NULL;
    b->side = (struct differ_side){
        .name = "Beckon",
        .begin = beckon_begin,
        .end = beckon_end,
        .arrives = beckon_arrives,
        .leaves = beckon_leaves,
        .call = beckon_call,
        .state = beckon_state,
    };
    return &b->side;
}

void differ_beckon_free(struct differ_side *side) {
    beckon_end(side);
    free(side);
}
