/* Two stacks joined by hand, in virtual time. */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/common.h"
#include "lab/audit.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define PAIR_FRAME_MAX 2048u
#define PAIR_POISON    0xa5

void pair_config(struct bk_config *config) {
    bk_config_default(config);
    config->connections = 16;
    config->active_connections = 16;
    config->requests_ipv4 = config->requests_ipv6 = 16;
    config->time_waits_ipv4 = config->time_waits_ipv6 = 16;
    config->chunk_size = 2048;
    config->chunks = 512;
    config->buffer_chunks = 384;
    config->frames = 256;
    config->trace_events = 0;
    config->send_buffer = config->receive_buffer = 65536;
    config->send_buffer_max = config->receive_buffer_max = 0;
    config->quick_acks = config->delayed_ack_max_ms = 0;
}

static uint8_t *pair_region(size_t size) {
    uint8_t *region = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    assert_non_null(region);
    memset(region, PAIR_POISON, size);
    return region;
}

static void pair_side_open(struct pair *p, int side, int family, enum bk_layer layer, const struct bk_config *config) {
    struct pair_side *s = &p->side[side];
    const char *why = "";
    uint8_t seed[32];
    memset(seed, 17 + side, sizeof seed);
    s->size = bk_region_size(config);
    assert_int_not_equal(s->size, 0);
    s->region = pair_region(s->size);
    if (bk_create(s->region, s->size, config, seed, p->now, &s->stack, &why) != 0) fail_msg("bk_create: %s", why);
    s->output_max = 64;

    struct bk_iface_config iface = {.layer = layer, .mac = {2, 0, 0, 0, 0, (uint8_t)(1 + side)}, .mtu = 1500};
    assert_int_equal(bk_iface_add(s->stack, &iface, p->now), 0);
    assert_int_equal(bk_addr_parse(family == 4 ? side == 0 ? "192.0.2.1" : "192.0.2.2"
                                   : side == 0 ? "2001:db8::1"
                                               : "2001:db8::2",
                                   &s->addr),
                     0);
    assert_int_equal(bk_iface_address_add(s->stack, 0, &s->addr, family == 4 ? 24 : 64, true, p->now), 0);
}

void pair_open(struct pair *p, int family, enum bk_layer layer, const struct bk_config *a, const struct bk_config *b) {
    memset(p, 0, sizeof *p);
    p->now = 1000 * PAIR_S;
    pair_side_open(p, 0, family, layer, a);
    pair_side_open(p, 1, family, layer, b == NULL ? a : b);
}

void pair_close(struct pair *p) {
    pair_lose(p);
    free(p->flight);
    free(p->log);
    free(p->side[0].region);
    free(p->side[1].region);
}

void pair_lose(struct pair *p) {
    for (size_t i = 0; i < p->flight_count; i++) free(p->flight[i].bytes);
    p->flight_count = 0;
}

/* ---- copies ---------------------------------------------------------------------------------------- */

void pair_copy_side(const struct pair_side *from, struct pair_side *to) {
    *to = *from;
    to->region = pair_region(from->size);
    assert_ptr_not_equal(to->region, from->region);
    memcpy(to->region, from->region, bk_used_extent(from->stack));
    assert_int_equal(bk_adopt(to->region, to->size, &to->stack), 0);
}

static void *pair_grow(void *items, size_t size, size_t need, size_t *room) {
    if (need <= *room) return items;
    *room = need * 2;
    items = realloc(items, *room * size);
    assert_non_null(items);
    return items;
}

static void pair_put(struct pair *p, uint64_t arrives, int to, const uint8_t *bytes, size_t length) {
    p->flight = pair_grow(p->flight, sizeof *p->flight, p->flight_count + 1, &p->flight_room);
    struct pair_frame *f = &p->flight[p->flight_count++];
    *f = (struct pair_frame){.arrives = arrives, .to = to, .length = length, .bytes = malloc(length)};
    assert_non_null(f->bytes);
    memcpy(f->bytes, bytes, length);
}

void pair_fork(struct pair *p, struct pair *copy) {
    memset(copy, 0, sizeof *copy);
    copy->now = p->now;
    for (int side = 0; side < 2; side++) pair_copy_side(&p->side[side], &copy->side[side]);
    for (size_t i = 0; i < p->flight_count; i++)
        pair_put(copy, p->flight[i].arrives, p->flight[i].to, p->flight[i].bytes, p->flight[i].length);
    p->log_length = 0;
    p->deadlines = 0;
}

/* ---- frames ---------------------------------------------------------------------------------------- */

static void pair_note(struct pair *p, int side, const uint8_t *bytes, size_t length) {
    uint64_t head[3] = {(uint64_t)side, p->now, length};
    p->log = pair_grow(p->log, 1, p->log_length + sizeof head + length, &p->log_room);
    memcpy(p->log + p->log_length, head, sizeof head);
    memcpy(p->log + p->log_length + sizeof head, bytes, length);
    p->log_length += sizeof head + length;
}

static void pair_collect_side(struct pair *p, int side) {
    struct pair_side *s = &p->side[side];
    struct bk_tx units[64];
    uint8_t frame[PAIR_FRAME_MAX];
    size_t n;
    while (!s->device_dead && (n = bk_output(s->stack, 0, units, s->output_max, p->now)) != 0) {
        assert_true(n <= s->output_max);
        for (size_t u = 0; u < n; u++) {
            for (uint32_t i = 0; i < bk_tx_count(&units[u]); i++) {
                size_t length = bk_tx_write(s->stack, &units[u], i, frame, sizeof frame);
                assert_int_not_equal(length, 0);
                pair_note(p, side, frame, length);
                pair_put(p, p->now + PAIR_LATENCY, !side, frame, length);
            }
            bk_output_done(s->stack, &units[u].id, 1);
        }
    }
    struct fault fault = {0};
    if (!s->holds && !audit_stack(s->stack, NULL, &fault)) fail_msg("side %d: %s", side, fault.text);
}

void pair_collect(struct pair *p) {
    pair_collect_side(p, 0);
    pair_collect_side(p, 1);
}

static void pair_deliver(struct pair *p) {
    while (p->flight_count > 0 && p->flight[0].arrives <= p->now) {
        struct pair_frame f = p->flight[0];
        memmove(p->flight, p->flight + 1, --p->flight_count * sizeof *p->flight);
        bk_input_copy(p->side[f.to].stack, 0, f.bytes, f.length, p->now);
        free(f.bytes);
    }
}

void pair_run(struct pair *p, uint64_t ns) {
    uint64_t until = p->now + ns;
    for (;;) {
        pair_collect(p);
        uint64_t next = until;
        for (int side = 0; side < 2; side++) {
            uint64_t deadline = bk_next_deadline(p->side[side].stack);
            p->deadlines = p->deadlines * 31 + deadline;
            if (deadline < next) next = deadline;
        }
        if (p->flight_count > 0 && p->flight[0].arrives < next) next = p->flight[0].arrives;
        if (next > p->now) p->now = next;
        pair_deliver(p);
        for (int side = 0; side < 2; side++) bk_advance(p->side[side].stack, p->now);
        if (p->now >= until) break;
    }
    pair_collect(p);
}

/* ---- short ways for tests -------------------------------------------------------------------------- */

bk_listener pair_listen(struct pair *p, int side, uint32_t backlog) {
    bk_listener listener;
    bk_addr any = {{0}};
    assert_int_equal(bk_tcp_listen(p->side[side].stack, &any, PAIR_PORT, backlog, 99, p->now, &listener), 0);
    return listener;
}

bk_conn pair_connect(struct pair *p, int side) {
    bk_conn conn;
    struct bk_tcp_open open = {.remote = p->side[!side].addr, .remote_port = PAIR_PORT, .user = 7};
    assert_int_equal(bk_tcp_connect(p->side[side].stack, &open, p->now, &conn), 0);
    return conn;
}

bk_conn pair_accept(struct pair *p, int side, bk_listener listener) {
    bk_conn conn;
    assert_int_equal(bk_tcp_accept(p->side[side].stack, listener, 8, p->now, &conn), 0);
    return conn;
}

void pair_establish(struct pair *p, bk_listener listener, bk_conn conn[2]) {
    conn[0] = pair_connect(p, 0);
    pair_run(p, 6 * PAIR_LATENCY); /* resolution of the neighbour and the handshake */
    conn[1] = pair_accept(p, 1, listener);
    assert_int_equal(pair_status(p, 0, conn[0]).state, BK_ESTABLISHED);
    assert_int_equal(pair_status(p, 1, conn[1]).state, BK_ESTABLISHED);
}

static uint8_t pair_pattern(uint32_t key, uint64_t at) {
    return (uint8_t)((at * 2654435761u + key) >> 16 ^ at * 7 ^ key);
}

ptrdiff_t pair_send(struct pair *p, int side, bk_conn conn, uint32_t key, uint64_t at, size_t length) {
    uint8_t data[4096];
    if (length > sizeof data) length = sizeof data;
    for (size_t i = 0; i < length; i++) data[i] = pair_pattern(key, at + i);
    return bk_tcp_send(p->side[side].stack, conn, data, length, 0, p->now);
}

ptrdiff_t pair_receive(struct pair *p, int side, bk_conn conn, uint32_t key, uint64_t *at) {
    uint8_t data[4096];
    ptrdiff_t n;
    while ((n = bk_tcp_receive(p->side[side].stack, conn, data, sizeof data, p->now)) > 0) {
        for (ptrdiff_t i = 0; i < n; i++)
            if (data[i] != pair_pattern(key, *at + (uint64_t)i))
                fail_msg("byte %llu is wrong", (unsigned long long)*at + (unsigned long long)i);
        *at += (uint64_t)n;
    }
    return n;
}

struct bk_tcp_info pair_status(const struct pair *p, int side, bk_conn conn) {
    struct bk_tcp_info info;
    assert_int_equal(bk_tcp_status(p->side[side].stack, conn, &info), 0);
    return info;
}

uint32_t pair_in_use(const struct pair *p, int side, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(p->side[side].stack, pool, &info);
    return info.in_use;
}

uint64_t pair_count(const struct pair *p, int side, enum bk_reason reason) {
    return bk_reason_count(p->side[side].stack, (uint16_t)reason);
}

uint32_t pair_states(const struct pair *p, int side, enum bk_state state) {
    uint32_t count = 0;
    uint64_t cursor = 0;
    struct bk_tcp_info info;
    while (bk_tcp_list(p->side[side].stack, &cursor, &info)) count += info.state == (uint8_t)state;
    return count;
}

uint16_t pair_stranger_syn(struct pair *p, int side, uint16_t port, uint32_t seq) {
    uint8_t packet[WIRE_IPV6_LENGTH + WIRE_TCP_LENGTH_MAX];
    bk_addr src = p->side[side].addr, dst = src;
    src.byte[15] = 99;
    bool ipv4 = bk_addr_is_ipv4(&src);
    uint8_t *l4 = packet + (ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH);
    struct wire_tcp tcp = {.src_port = port,
                           .dst_port = PAIR_PORT,
                           .seq = seq,
                           .flags = WIRE_SYN,
                           .window = 65535,
                           .option = {.mss = 1000}};
    size_t length = wire_tcp_emit(l4, &tcp);
    uint64_t sum = checksum_pseudo(&src, &dst, WIRE_TCP, (uint32_t)length);
    put_be16(l4 + 16, checksum_finish(checksum_add(sum, l4, length)));
    if (ipv4) {
        struct wire_ipv4 ip = {.total_length = (uint16_t)(WIRE_IPV4_LENGTH + length),
                               .ttl = 64,
                               .protocol = WIRE_TCP,
                               .src = src,
                               .dst = dst};
        wire_ipv4_emit(packet, &ip);
    } else {
        struct wire_ipv6 ip = {
            .payload_length = (uint16_t)length, .next_header = WIRE_TCP, .hop_limit = 64, .src = src, .dst = dst};
        wire_ipv6_emit(packet, &ip);
    }
    return bk_input_copy(p->side[side].stack, 0, packet, (size_t)(l4 - packet) + length, p->now);
}
