/* Shows how the pump deals with a device that is full, fails, brings more than a round, or comes when the stack has no chunks;
 * that a device behind an impaired wire is served in the wire's time; and that a stack without work still knows the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "link/link.h"

/* ---- a device that brings echo requests and keeps the replies ---- */

struct device {
    bk_link link;
    uint32_t arriving; /* requests that wait to be read */
    uint32_t number;   /* of the next one */
    uint32_t room;     /* frames that it still takes */
    int error;         /* of the next transmit, or 0 */
    uint32_t reads;    /* times it was asked */
    bool tells;        /* when it has nothing more */
    bool foreign;      /* requests are for another host */
    uint32_t replies;
    uint32_t reply[1024];
};

static size_t request_make(uint8_t p[64], uint32_t number, bool foreign) {
    static const uint8_t packet[64] = {0x45, 0, 0, 64, 0, 1, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 8};
    memcpy(p, packet, sizeof packet);
    if (foreign) p[19] = 3;
    put_be32(p + 28, number);
    put_be16(p + 10, checksum_finish(checksum_add(0, p, 20)));
    put_be16(p + 22, checksum_finish(checksum_add(0, p + 20, 44)));
    return sizeof packet;
}

static int device_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct device *d = (struct device *)l;
    uint8_t packet[64];
    (void)now;
    d->reads++;
    while (d->arriving > 0 && link_batch_copy(l, end, batch, packet, request_make(packet, d->number, d->foreign))) {
        d->arriving--;
        d->number++;
    }
    batch->drained = d->tells && d->arriving == 0;
    return 0;
}

static int device_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    struct device *d = (struct device *)l;
    uint8_t frame[2000];
    size_t n = 0;
    (void)end;
    (void)now;
    if (d->error != 0) {
        int error = d->error;
        d->error = 0;
        return error;
    }
    if (d->room == 0) {
        l->full = true;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        memcpy(frame + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    assert_int_equal(n, 64);
    assert_int_equal(frame[20], 0); /* echo reply */
    assert_int_equal(checksum_finish(checksum_add(0, frame, 20)), 0);
    assert_int_equal(checksum_finish(checksum_add(0, frame + 20, 44)), 0);
    d->room--;
    d->reply[d->replies++] = get_be32(frame + 28);
    return 1;
}

static void device_close(bk_link *l) {
    (void)l;
}

static const struct link_ops device_ops = {
    .receive = device_receive, .transmit = device_transmit, .close = device_close};

/* ---- its world ---- */

struct world {
    void *region;
    bk_stack *stack;
    struct device *device;
};

static int world_begin(void **state) {
    static const uint8_t seed[32] = {1};
    struct bk_iface_config ip = {.layer = BK_LAYER_IP, .mtu = 1500};
    struct bk_config config;
    struct world *w = calloc(1, sizeof *w);
    bk_config_default(&config);
    config.connections = 16;
    config.frames = 512;
    config.chunks = 256;
    config.buffer_chunks = 128;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    w->region = aligned_alloc(4096, size);
    assert_int_equal(bk_create(w->region, size, &config, seed, 0, &w->stack, NULL), 0);
    int iface = bk_iface_add(w->stack, &ip, 0);
    bk_addr addr = bk_addr_ipv4(10, 0, 0, 2);
    assert_int_equal(bk_iface_address_add(w->stack, (uint32_t)iface, &addr, 24, true, 0), 0);
    w->device = link_new(sizeof *w->device, &device_ops, 1);
    w->device->room = UINT32_MAX;
    assert_int_equal(link_end_set(&w->device->link, 0, w->stack, (uint32_t)iface), 0);
    *state = w;
    return 0;
}

static uint32_t in_use(const struct world *w, enum bk_pool pool) {
    struct bk_pool_info info;
    bk_pool_info(w->stack, pool, &info);
    return info.in_use;
}

/* Everything that the link held has gone back. */
static int world_end(void **state) {
    struct world *w = *state;
    assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
    assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
    free(w->region);
    free(w);
    return 0;
}

static void expect_replies(const struct device *d, uint32_t n) {
    assert_int_equal(d->replies, n);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(d->reply[i], i);
}

/* ---- the tests ---- */

static void test_full_device(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    struct bk_link_counters c;
    d->arriving = 40;
    d->room = 3;
    assert_int_equal(bk_link_pump(&d->link, 0), 43);
    assert_true(bk_link_wants_write(&d->link));
    assert_false(bk_link_busy(&d->link));
    bk_link_counters(&d->link, &c);
    assert_true(c.frames_in == 40 && c.frames_out == 3 && c.refused >= 1);
    assert_int_equal(in_use(w, BK_POOL_FRAMES), 37);
    d->room = 36;
    assert_int_equal(bk_link_pump(&d->link, 0), 36);
    d->room = 10;
    assert_int_equal(bk_link_pump(&d->link, 0), 1);
    assert_false(bk_link_wants_write(&d->link));
    expect_replies(d, 40);
    bk_link_close(&d->link);
}

static void test_close_while_full(void **state) {
    struct world *w = *state;
    w->device->arriving = 10;
    w->device->room = 1;
    assert_int_equal(bk_link_pump(&w->device->link, 0), 11);
    assert_int_equal(in_use(w, BK_POOL_FRAMES), 9);
    bk_link_close(&w->device->link);
}

static void test_failing_device(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    d->arriving = 5;
    d->error = -5;
    assert_int_equal(bk_link_pump(&d->link, 0), -5);
    while (bk_link_busy(&d->link)) assert_true(bk_link_pump(&d->link, 0) >= 0);
    assert_int_equal(d->replies, 4); /* the frame that failed is lost, as on a cut cable; the others are not */
    assert_int_equal(d->reply[0], 1);
    bk_link_close(&d->link);
}

static void test_more_than_a_round(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    d->arriving = 1000;
    int moved = bk_link_pump(&d->link, 0);
    assert_true(moved > 0 && moved < 1000);
    while (bk_link_busy(&d->link)) assert_true(bk_link_pump(&d->link, 0) >= 0);
    expect_replies(d, 1000);
    bk_link_close(&d->link);
}

/* A device that has said that nothing more is there is read again only after something was written: that may have been answered. One that
 * says nothing is read until nothing comes. */
static void test_drained_device(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    for (int tells = 0; tells < 2; tells++) {
        d->tells = tells;
        d->reads = 0;
        assert_int_equal(bk_link_pump(&d->link, 0), 0);
        assert_int_equal(d->reads, 1);
        d->arriving = 3;
        d->reads = 0;
        assert_int_equal(bk_link_pump(&d->link, 0), 6);
        assert_int_equal(d->reads, 2);
        d->arriving = 3;
        d->room = 0;
        d->reads = 0;
        assert_int_equal(bk_link_pump(&d->link, 0), 3);
        assert_int_equal(d->reads, tells ? 1 : 2); /* nothing left */
        d->room = UINT32_MAX;
        d->reads = 0;
        assert_int_equal(bk_link_pump(&d->link, 0), 3);
        assert_int_equal(d->reads, 2);
    }
    expect_replies(d, 12);
    /* Nothing is said to frames that are not for this stack. */
    for (int tells = 0; tells < 2; tells++) {
        d->tells = tells;
        d->reads = 0;
        d->arriving = 3;
        d->foreign = true;
        assert_int_equal(bk_link_pump(&d->link, 0), 3);
        assert_int_equal(d->reads, tells ? 1 : 2);
    }
    bk_link_close(&d->link);
}

/* Without chunks frames stay in the device. */
static void test_no_chunks(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    struct bk_link_counters c;
    uint32_t taken[256];
    assert_int_equal(bk_chunk_alloc(w->stack, taken, 256), 256);
    d->arriving = 3;
    assert_int_equal(bk_link_pump(&d->link, 0), 0);
    bk_link_counters(&d->link, &c);
    assert_true(c.no_chunk >= 1 && d->arriving == 3);
    bk_chunk_release(w->stack, taken, 256);
    assert_int_equal(bk_link_pump(&d->link, 0), 6);
    expect_replies(d, 3);
    bk_link_close(&d->link);
}

/* While nothing arrives, leaves or is due, time goes on: STATUS, which is not told it, shows how long ago the peer was heard. */
static void test_ages_of_a_quiet_stack(void **state) {
    struct world *w = *state;
    struct bk_tcp_open open = {.remote = bk_addr_ipv4(10, 0, 0, 1), .remote_port = 80};
    struct bk_tcp_info info;
    bk_conn conn;
    w->device->room = 0;
    assert_int_equal(bk_tcp_connect(w->stack, &open, 0, &conn), 0);
    assert_int_equal(bk_link_pump(&w->device->link, 0), 0);
    assert_int_equal(bk_link_pump(&w->device->link, 500 * NS_PER_MS), 0);
    assert_int_equal(bk_tcp_status(w->stack, conn, &info), 0);
    assert_int_equal(info.heard_age_ms, 500);
    bk_link_close(&w->device->link);
}

/* 10 us in, 10 us out. */
static void test_behind_an_impaired_wire(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    struct bk_impair_options delay = {.delay_us = 10};
    struct bk_impair_counters c;
    bk_link *l;
    assert_int_equal(bk_impair_wrap(&d->link, &delay, &l), 0);
    d->arriving = 100;
    assert_int_equal(bk_link_pump(l, 1000), 0);
    assert_true(bk_link_next_deadline(l) == 11000);
    assert_int_equal(bk_link_pump(l, 10999), 0);
    assert_int_equal(bk_link_pump(l, 11000), 200);
    assert_int_equal(d->replies, 0);
    assert_true(bk_link_next_deadline(l) == 21000);
    d->room = 30;
    bk_link_pump(l, 21000);
    expect_replies(d, 30);
    assert_true(bk_link_wants_write(l));
    assert_true(bk_link_next_deadline(l) == BK_NEVER);
    d->room = 100;
    bk_link_pump(l, 21500);
    expect_replies(d, 100);
    assert_false(bk_link_wants_write(l));
    for (int direction = 0; direction < 2; direction++) {
        bk_impair_counters(l, direction, &c);
        assert_true(c.passed == 100 && c.lost + c.overflowed + c.duplicated + c.reordered + c.corrupted == 0);
    }
    bk_link_close(l);
}

/* What waits for a full device still leaves when a wire is put before it. */
static void test_wrapping_keeps_what_waits(void **state) {
    struct world *w = *state;
    struct device *d = w->device;
    struct bk_impair_options nothing = {.seed = 1};
    bk_link *l;
    d->arriving = 20;
    d->room = 5;
    assert_int_equal(bk_link_pump(&d->link, 0), 25);
    assert_int_equal(bk_impair_wrap(&d->link, &nothing, &l), 0);
    d->room = 100;
    assert_int_equal(bk_link_pump(l, 1), 15);
    expect_replies(d, 20);
    bk_link_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_device, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_close_while_full, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_failing_device, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_more_than_a_round, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_drained_device, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_no_chunks, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_ages_of_a_quiet_stack, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_behind_an_impaired_wire, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_wrapping_keeps_what_waits, world_begin, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
