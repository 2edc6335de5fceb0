/* Shows that the memory link carries the frames that a wire would see, pushes back when it is full and loses nothing, hands whole
 * units over when it may, and that two stacks transfer data through it: plainly, through a tiny queue, by reference, impaired,
 * and captured. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/link.h"
#include "wire/tcp.h"

/* ---- stacks ---- */

struct node {
    void *region;
    bk_stack *stack;
};

static struct node node_open(uint32_t chunk_size, uint32_t chunks, uint8_t seed) {
    struct node n;
    const uint8_t seeds[32] = {seed};
    struct bk_config config;
    const char *why = "";
    bk_config_default(&config);
    config.connections = config.requests_ipv4 = config.requests_ipv6 = 16;
    config.time_waits_ipv4 = config.time_waits_ipv6 = 16;
    config.chunk_size = chunk_size;
    config.chunks = chunks;
    config.buffer_chunks = chunks * 3 / 4;
    config.send_buffer = config.receive_buffer = 128 * 1024;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    n.region = aligned_alloc(4096, size);
    int r = bk_create(n.region, size, &config, seeds, 0, &n.stack, &why);
    if (r != 0) fail_msg("bk_create: %d %s", r, why);
    return n;
}

static uint32_t node_iface(const struct node *n) {
    struct bk_iface_config config = {.layer = BK_LAYER_IP, .mtu = 1500};
    int iface = bk_iface_add(n->stack, &config, 0);
    assert_true(iface >= 0);
    return (uint32_t)iface;
}

static void node_close(struct node *n) {
    free(n->region);
}

static uint32_t chunks_in_use(const struct node *n) {
    struct bk_pool_info info;
    bk_pool_info(n->stack, BK_POOL_CHUNKS, &info);
    return info.in_use;
}

/* ---- units made by hand ---- */

struct unit {
    struct bk_tx tx;
    struct bk_part part[20];
    uint8_t header[40];
};

static void unit_make(struct unit *u, const struct node *n, uint32_t payload, uint16_t gso_size) {
    static const uint8_t header[40] = {
        0x45, 0,    0, 0,    0,    7, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1,    192,
        0,    2,    2, 0x1f, 0x90, 0, 80,   1, 2,  3, 4, 5, 6,   7, 8, 0x50, WIRE_ACK | WIRE_PSH,
        0xff, 0xff, 0, 0,    0,    0};
    uint32_t size = bk_config_of(n->stack)->chunk_size;
    memset(u, 0, sizeof *u);
    memcpy(u->header, header, sizeof header);
    put_be16(u->header + 2, (uint16_t)(40 + payload));
    u->tx = (struct bk_tx){.payload_length = payload, .header = u->header, .parts = u->part, .header_length = 40};
    u->tx.gso_size = gso_size;
    u->tx.l4_offset = 20;
    u->tx.l4_checksum_partial = 1;
    for (uint32_t at = 0; at < payload;) {
        struct bk_part *p = &u->part[u->tx.part_count++];
        assert_true(u->tx.part_count <= 20);
        assert_int_equal(bk_chunk_alloc(n->stack, &p->chunk, 1), 1);
        p->offset = (uint16_t)(u->tx.part_count % 4);
        p->length = (uint16_t)u32_min(payload - at, size - 4);
        for (uint32_t i = 0; i < size; i++)
            bk_chunk_data(n->stack, p->chunk)[i] = (uint8_t)(i * 7 + u->tx.part_count * 13);
        at += p->length;
    }
}

static void unit_release(const struct unit *u, const struct node *n) {
    for (uint32_t i = 0; i < u->tx.part_count; i++) bk_chunk_release(n->stack, &u->part[i].chunk, 1);
}

/* Takes what arrived at an end of the link; checks that it is the frames of the unit from number `from` on, and returns how many. */
static uint32_t expect_frames(bk_link *l, unsigned end, const struct node *to, const struct unit *u,
                              const struct node *of, uint32_t from) {
    static uint8_t want[65536], got[65536];
    struct link_batch *b = &l->batch;
    b->count = b->part_count = 0;
    assert_int_equal(l->ops->receive(l, end, b, 0), 0);
    for (uint32_t i = 0; i < b->count; i++) {
        const struct bk_rx *rx = &b->frame[i];
        size_t n = bk_tx_write(of->stack, &u->tx, from + i, want, sizeof want);
        assert_int_equal(rx->gso_size, 0);
        assert_int_equal(rx->flags, 0);
        assert_int_equal(link_frame_copy(to->stack, rx->parts, rx->part_count, got, sizeof got), n);
        assert_memory_equal(got, want, n);
        link_frame_release(to->stack, rx->parts, rx->part_count);
    }
    return b->count;
}

/* ---- the link alone ---- */

static void test_frames_cross_as_on_a_wire(void **state) {
    (void)state;
    static const uint32_t chunk_sizes[] = {256, 2048};
    struct node a = node_open(2048, 256, 1);
    uint32_t before = chunks_in_use(&a);
    for (size_t s = 0; s < BK_COUNT(chunk_sizes); s++) {
        struct node b = node_open(chunk_sizes[s], 512, 2);
        bk_link *l;
        assert_int_equal(bk_memory_open(a.stack, node_iface(&a), b.stack, node_iface(&b), NULL, &l), 0);
        for (uint32_t payload = 0; payload < 30000; payload = payload * 2 + 1) {
            struct unit u;
            struct cut cut;
            unit_make(&u, &a, payload, 1460);
            cut_begin(&cut, a.stack, &u.tx);
            assert_int_equal(l->ops->transmit_unit(l, 0, &cut, 0), 1);
            assert_int_equal(expect_frames(l, 1, &b, &u, &a, 0), bk_tx_count(&u.tx));
            unit_release(&u, &a);
        }
        assert_int_equal(chunks_in_use(&b), 0);
        bk_link_close(l);
        node_close(&b);
    }
    assert_int_equal(chunks_in_use(&a), before);
    node_close(&a);
}

static void test_full_queue_pushes_back(void **state) {
    (void)state;
    struct node a = node_open(2048, 256, 1), b = node_open(2048, 256, 2);
    struct bk_memory_options options = {.queue = 3};
    struct unit u;
    struct cut cut;
    bk_link *l;
    assert_int_equal(bk_memory_open(a.stack, node_iface(&a), b.stack, node_iface(&b), &options, &l), 0);
    unit_make(&u, &b, 9001, 1000);
    cut_begin(&cut, b.stack, &u.tx);
    for (uint32_t from = 0; from < 9; from += 3) {
        assert_int_equal(l->ops->transmit_unit(l, 1, &cut, 0), 0);
        assert_int_equal(l->ops->transmit_unit(l, 1, &cut, 0), 0); /* still */
        assert_int_equal(expect_frames(l, 0, &a, &u, &b, from), 3);
    }
    assert_int_equal(l->ops->transmit_unit(l, 1, &cut, 0), 1);
    assert_int_equal(expect_frames(l, 0, &a, &u, &b, 9), 1);
    unit_release(&u, &b);
    bk_link_close(l);
    node_close(&a);
    node_close(&b);
}

static void test_no_chunk_pushes_back(void **state) {
    (void)state;
    struct node a = node_open(2048, 256, 1), b = node_open(2048, 64, 2);
    uint32_t taken[64];
    struct bk_link_counters counters;
    struct unit u;
    struct cut cut;
    bk_link *l;
    assert_int_equal(bk_memory_open(a.stack, node_iface(&a), b.stack, node_iface(&b), NULL, &l), 0);
    unit_make(&u, &a, 5000, 1000);
    cut_begin(&cut, a.stack, &u.tx);
    assert_int_equal(bk_chunk_alloc(b.stack, taken, 62), 62);
    assert_int_equal(l->ops->transmit_unit(l, 0, &cut, 0), 0);
    bk_link_counters(l, &counters);
    assert_true(counters.no_chunk == 1 && counters.frames_out == 2);
    bk_chunk_release(b.stack, taken, 62);
    assert_int_equal(l->ops->transmit_unit(l, 0, &cut, 0), 1);
    assert_int_equal(expect_frames(l, 1, &b, &u, &a, 0), 5);
    unit_release(&u, &a);
    bk_link_close(l);
    node_close(&a);
    node_close(&b);
}

static void test_close_gives_chunks_back(void **state) {
    (void)state;
    struct node a = node_open(2048, 256, 1), b = node_open(256, 256, 2);
    struct unit u;
    struct cut cut;
    bk_link *l;
    assert_int_equal(bk_memory_open(a.stack, node_iface(&a), b.stack, node_iface(&b), NULL, &l), 0);
    unit_make(&u, &a, 5000, 1000);
    cut_begin(&cut, a.stack, &u.tx);
    assert_int_equal(l->ops->transmit_unit(l, 0, &cut, 0), 1);
    assert_true(chunks_in_use(&b) > 0);
    bk_link_close(l);
    assert_int_equal(chunks_in_use(&b), 0);
    node_close(&a);
    node_close(&b);
}

static void test_by_reference_hands_units_over(void **state) {
    (void)state;
    struct node a = node_open(2048, 256, 1);
    struct bk_memory_options options = {.queue = 1, .by_reference = true};
    struct unit u;
    struct cut cut;
    bk_link *l;
    assert_int_equal(bk_memory_open(a.stack, node_iface(&a), a.stack, node_iface(&a), &options, &l), 0);
    unit_make(&u, &a, 20000, 1448);
    uint32_t parts = u.tx.part_count;
    cut_begin(&cut, a.stack, &u.tx);
    assert_int_equal(l->ops->transmit_unit(l, 0, &cut, 0), 1);
    assert_true(cut_end(&cut));
    cut_begin(&cut, a.stack, &u.tx);
    assert_int_equal(l->ops->transmit_unit(l, 0, &cut, 0), 0);
    unit_release(&u, &a); /* the frames in the link hold references of their own */
    assert_int_equal(chunks_in_use(&a), parts + 1);
    l->batch.count = l->batch.part_count = 0;
    assert_int_equal(l->ops->receive(l, 1, &l->batch, 0), 0);
    assert_int_equal(l->batch.count, 1);
    const struct bk_rx *rx = &l->batch.frame[0];
    assert_int_equal(rx->gso_size, 1448);
    assert_int_equal(rx->flags, BK_RX_CHECKSUM_PARTIAL);
    assert_int_equal(rx->part_count, parts + 1);
    assert_int_equal(rx->parts[0].length, 40);
    assert_memory_equal(bk_chunk_data(a.stack, rx->parts[0].chunk), u.header, 40);
    assert_memory_equal(rx->parts + 1, u.part, parts * sizeof *u.part);
    link_frame_release(a.stack, rx->parts, rx->part_count);
    assert_int_equal(chunks_in_use(&a), 0);
    bk_link_close(l);
    node_close(&a);
}

static void test_options_out_of_range(void **state) {
    (void)state;
    struct node a = node_open(2048, 256, 1), b = node_open(2048, 256, 2);
    struct bk_memory_options options = {.by_reference = true};
    uint32_t ia = node_iface(&a), ib = node_iface(&b);
    bk_link *l = NULL;
    assert_int_equal(bk_memory_open(a.stack, ia, b.stack, ib, &options, &l), ERROR_INVAL);
    assert_int_equal(bk_memory_open(a.stack, ia, a.stack, ia, NULL, &l), ERROR_INVAL);
    assert_int_equal(bk_memory_open(a.stack, ia, b.stack, ib + 1, NULL, &l), ERROR_INVAL);
    struct bk_iface_config ethernet = {.layer = BK_LAYER_ETHERNET, .mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}};
    int other = bk_iface_add(b.stack, &ethernet, 0);
    assert_true(other >= 0);
    assert_int_equal(bk_memory_open(a.stack, ia, b.stack, (uint32_t)other, NULL, &l), ERROR_INVAL);
    assert_null(l);
    node_close(&a);
    node_close(&b);
}

/* ---- transfers ---- */

struct transfer {
    bk_link *link;
    bk_stack *client, *server; /* may be one */
    bk_addr from, to;
    uint64_t total, now;
};

static uint8_t byte_at(uint64_t i) {
    return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16));
}

static uint64_t transfer_next(const struct transfer *t) {
    uint64_t next = u64_min(bk_next_deadline(t->client), bk_next_deadline(t->server));
    return u64_min(next, bk_link_next_deadline(t->link));
}

/* Moves frames until none is left; if there was none, and the user did nothing either, time goes to what is due next. */
static void transfer_step(struct transfer *t, bool idle) {
    int r;
    do {
        r = bk_link_pump(t->link, t->now);
        assert_true(r >= 0);
        idle &= r == 0;
    } while (r > 0 || bk_link_busy(t->link));
    uint64_t next = transfer_next(t);
    if (idle && next != BK_NEVER) t->now = u64_max(t->now, next);
}

static void transfer_run(struct transfer *t) {
    static uint8_t buffer[40000];
    bk_listener listener;
    bk_conn client, server;
    struct bk_tcp_open open = {.local = t->from, .remote = t->to, .remote_port = 80};
    uint64_t sent = 0, got = 0;
    assert_int_equal(bk_tcp_listen(t->server, &t->to, 80, 4, 0, t->now, &listener), 0);
    assert_int_equal(bk_tcp_connect(t->client, &open, t->now, &client), 0);
    for (int i = 0; bk_tcp_accept(t->server, listener, 0, t->now, &server) != 0; i++) {
        assert_true(i < 1000);
        transfer_step(t, true);
    }
    for (int i = 0; got < t->total; i++) {
        assert_true(i < 1000000);
        size_t want = (size_t)u64_min(sizeof buffer, t->total - sent);
        for (size_t k = 0; k < want; k++) buffer[k] = byte_at(sent + k);
        ptrdiff_t n = want > 0 ? bk_tcp_send(t->client, client, buffer, want, 0, t->now) : 0;
        assert_true(n >= 0 || n == ERROR_AGAIN);
        bool idle = n <= 0;
        if (n > 0) sent += (uint64_t)n;
        while ((n = bk_tcp_receive(t->server, server, buffer, sizeof buffer, t->now)) > 0) {
            for (ptrdiff_t k = 0; k < n; k++) assert_int_equal(buffer[k], byte_at(got + (uint64_t)k));
            got += (uint64_t)n;
            idle = false;
        }
        assert_true(n == ERROR_AGAIN);
        transfer_step(t, idle);
    }
    assert_int_equal(bk_tcp_close(t->client, client, t->now), 0);
    while (bk_tcp_receive(t->server, server, buffer, 1, t->now) != 0) transfer_step(t, true);
    assert_int_equal(bk_tcp_close(t->server, server, t->now), 0);
    assert_int_equal(bk_tcp_unlisten(t->server, listener, t->now), 0);
    transfer_step(t, false);
    /* Until all is acknowledged and TIME-WAIT is over, nothing is forgotten. */
    for (int i = 0; transfer_next(t) != BK_NEVER; i++) {
        assert_true(i < 1000);
        transfer_step(t, true);
    }
}

struct pair {
    struct node a, b;
    struct transfer transfer;
};

static void pair_open(struct pair *p, const struct bk_memory_options *options, uint64_t total) {
    p->a = node_open(2048, 1024, 1);
    p->b = node_open(2048, 1024, 2);
    uint32_t ia = node_iface(&p->a), ib = node_iface(&p->b);
    struct transfer *t = &p->transfer;
    *t = (struct transfer){.client = p->a.stack, .server = p->b.stack, .total = total};
    t->from = bk_addr_ipv4(10, 0, 0, 1);
    t->to = bk_addr_ipv4(10, 0, 0, 2);
    assert_int_equal(bk_iface_address_add(t->client, ia, &t->from, 24, true, 0), 0);
    assert_int_equal(bk_iface_address_add(t->server, ib, &t->to, 24, true, 0), 0);
    assert_int_equal(bk_memory_open(t->client, ia, t->server, ib, options, &t->link), 0);
}

static void pair_close(struct pair *p) {
    bk_link_close(p->transfer.link);
    assert_int_equal(chunks_in_use(&p->a), 0);
    assert_int_equal(chunks_in_use(&p->b), 0);
    node_close(&p->a);
    node_close(&p->b);
}

static void test_transfer(void **state) {
    (void)state;
    struct pair p;
    struct bk_link_counters c;
    pair_open(&p, NULL, 3000000);
    transfer_run(&p.transfer);
    bk_link_counters(p.transfer.link, &c);
    assert_true(c.bytes_in > 3000000 && c.frames_in == c.frames_out && c.bytes_in == c.bytes_out);
    assert_true(c.frames_in > 3000000 / 1460);
    assert_int_equal(bk_reason_count(p.b.stack, BK_REASON_DROP_TCP_CHECKSUM), 0);
    pair_close(&p);
}

static void test_transfer_through_a_tiny_queue(void **state) {
    (void)state;
    struct pair p;
    struct bk_memory_options options = {.queue = 2};
    struct bk_link_counters c;
    struct bk_tcp_mib mib;
    pair_open(&p, &options, 1000000);
    transfer_run(&p.transfer);
    bk_link_counters(p.transfer.link, &c);
    assert_true(c.refused > 100);
    bk_tcp_mib(p.a.stack, &mib);
    assert_true(mib.retrans_segs == 0); /* pushed back is not lost */
    pair_close(&p);
}

/* One stack, whose two interfaces are joined: the second takes any destination as its own. */
static void test_transfer_by_reference(void **state) {
    (void)state;
    struct node a = node_open(2048, 1024, 1);
    struct bk_memory_options options = {.by_reference = true};
    struct bk_iface_config any = {.layer = BK_LAYER_IP, .mtu = 1500, .accept_any = true};
    struct bk_link_counters c;
    struct transfer t = {.client = a.stack, .server = a.stack, .total = 3000000};
    uint32_t near = node_iface(&a);
    int far = bk_iface_add(a.stack, &any, 0);
    assert_true(far >= 0);
    const bk_addr none = bk_addr_ipv4(0, 0, 0, 0);
    t.from = bk_addr_ipv4(10, 0, 0, 1);
    t.to = bk_addr_ipv4(10, 9, 9, 9);
    assert_int_equal(bk_iface_address_add(a.stack, near, &t.from, 24, true, 0), 0);
    assert_int_equal(bk_route_add(a.stack, &t.to, 32, &none, near), 0);
    assert_int_equal(bk_route_add(a.stack, &t.from, 32, &none, (uint32_t)far), 0);
    assert_int_equal(bk_memory_open(a.stack, near, a.stack, (uint32_t)far, &options, &t.link), 0);
    transfer_run(&t);
    bk_link_counters(t.link, &c);
    assert_true(c.bytes_in > 3000000 && c.frames_in < 3000000 / 1460); /* units, not frames */
    struct bk_tcp_mib mib;
    bk_tcp_mib(a.stack, &mib);
    assert_true(mib.out_segs > 3000000 / 1460);
    assert_int_equal(mib.in_segs, mib.out_segs); /* of one stack, and nothing was lost */
    bk_link_close(t.link);
    assert_int_equal(chunks_in_use(&a), 0);
    node_close(&a);
}

static void test_transfer_impaired(void **state) {
    (void)state;
    struct pair p;
    struct bk_impair_options impair = {.seed = 11,
                                       .loss_ppm = 50000,
                                       .duplicate_ppm = 10000,
                                       .reorder_ppm = 100000,
                                       .reorder_us = 2000,
                                       .corrupt_ppm = 10000,
                                       .delay_us = 5000,
                                       .jitter_us = 1000};
    struct bk_impair_counters c;
    pair_open(&p, NULL, 1000000);
    assert_int_equal(bk_impair_wrap(p.transfer.link, &impair, &p.transfer.link), 0);
    transfer_run(&p.transfer);
    for (int direction = 0; direction < 2; direction++) {
        bk_impair_counters(p.transfer.link, direction, &c);
        assert_true(c.passed > 100 && c.lost > 5 && c.duplicated > 0 && c.reordered > 10 && c.corrupted > 0);
    }
    pair_close(&p);
}

/* All that passes end 0 is in the file, in whole frames with right lengths, each with its reason. */
static void test_transfer_captured(void **state) {
    (void)state;
    char path[] = "/tmp/beckon-memory-XXXXXX";
    int fd = mkstemp(path);
    struct pair p;
    struct bk_link_counters c;
    struct bk_pcap_frame f;
    bk_pcap_reader *reader;
    const char *why = "";
    assert_true(fd >= 0);
    close(fd);
    pair_open(&p, NULL, 500000);
    assert_int_equal(bk_link_capture(p.transfer.link, path, NULL), 0);
    transfer_run(&p.transfer);
    bk_link_counters(p.transfer.link, &c);
    assert_int_equal(bk_link_capture_end(p.transfer.link), 0);
    assert_int_equal(bk_pcap_open(path, &reader, &why), 0);
    uint64_t frames = 0, sent = 0, time = 0;
    while (bk_pcap_next(reader, &f, &why) == 1) {
        bool out = f.data[15] == 1; /* from 10.0.0.1 */
        assert_int_equal(f.link_type, 101);
        assert_int_equal(get_be16(f.data + 2), f.length);
        assert_true(f.length <= 1500 && f.time >= time);
        assert_non_null(f.comment);
        assert_true(strncmp(f.comment, out ? "sent: " : "accepted: ", out ? 6 : 10) == 0);
        time = f.time;
        sent += out;
        frames++;
    }
    bk_pcap_close(reader);
    assert_true(frames == c.frames_in && sent > 500000 / 1460 && frames > sent);
    unlink(path);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_cross_as_on_a_wire),
        cmocka_unit_test(test_full_queue_pushes_back),
        cmocka_unit_test(test_no_chunk_pushes_back),
        cmocka_unit_test(test_close_gives_chunks_back),
        cmocka_unit_test(test_by_reference_hands_units_over),
        cmocka_unit_test(test_options_out_of_range),
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_transfer_through_a_tiny_queue),
        cmocka_unit_test(test_transfer_by_reference),
        cmocka_unit_test(test_transfer_impaired),
        cmocka_unit_test(test_transfer_captured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
