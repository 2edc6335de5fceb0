/* Shows what of AF_XDP needs no device: rings go round without losing an entry, each side sees what the other has told and no more; and what
 * the stack or the device cannot do is refused with its reason. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "beckon/link.h"
#include "link/xdp_ring.h"

#define RING 8u

/* Both sides of one ring, in memory as the kernel shares it. */
struct both {
    _Atomic uint32_t producer, consumer, flags;
    uint64_t entries[RING];
    struct xdp_ring in, out; /* the producing side, the consuming side */
};

/* Indexes begin where they will soon pass 2^32. */
static void both_begin(struct both *b) {
    const uint32_t start = UINT32_MAX - 20;
    memset(b, 0, sizeof *b);
    atomic_store(&b->producer, start);
    atomic_store(&b->consumer, start);
    b->in = (struct xdp_ring){.ours = &b->producer,
                              .theirs = &b->consumer,
                              .flags = &b->flags,
                              .entries = b->entries,
                              .size = RING,
                              .at = start,
                              .seen = start};
    b->out = b->in;
    b->out.ours = &b->consumer;
    b->out.theirs = &b->producer;
}

static void entries_come_out_in_order(void **state) {
    (void)state;
    struct both b;
    uint64_t written = 0, read = 0;
    both_begin(&b);
    for (uint32_t turn = 0; turn < 200; turn++) {
        uint32_t in = turn % (RING + 1), room = xdp_ring_room(&b.in, in);
        assert_true(room <= RING - (written - read));
        for (in = u32_min(in, room); in > 0; in--) *xdp_ring_address(&b.in) = written++;
        xdp_ring_tell(&b.in);
        for (uint32_t out = u32_min(turn % 5, xdp_ring_ready(&b.out)); out > 0; out--)
            assert_int_equal(*xdp_ring_address(&b.out), read++);
        xdp_ring_tell(&b.out);
        assert_int_equal(xdp_ring_waiting(&b.in), written - read);
    }
    assert_true(read > 5 * RING); /* it went round, and the indexes passed 2^32 */
}

static void nothing_is_seen_before_it_is_told(void **state) {
    (void)state;
    struct both b;
    both_begin(&b);
    assert_int_equal(xdp_ring_room(&b.in, RING), RING);
    for (uint32_t i = 0; i < RING; i++) *xdp_ring_address(&b.in) = i;
    assert_int_equal(xdp_ring_room(&b.in, 1), 0);
    assert_int_equal(xdp_ring_ready(&b.out), 0);
    xdp_ring_tell(&b.in);
    assert_int_equal(xdp_ring_ready(&b.out), RING);
    xdp_ring_address(&b.out);
    assert_int_equal(xdp_ring_room(&b.in, 1), 0);
    xdp_ring_tell(&b.out);
    assert_int_equal(xdp_ring_room(&b.in, 1), 1);
    assert_int_equal(xdp_ring_waiting(&b.in), RING - 1);
}

static void the_other_side_says_when_it_sleeps(void **state) {
    (void)state;
    struct both b;
    both_begin(&b);
    assert_false(xdp_ring_asleep(&b.in));
    atomic_store(&b.flags, XDP_RING_NEED_WAKEUP);
    assert_true(xdp_ring_asleep(&b.in));
}

/* ---- what is refused ---- */

static int open_with(uint32_t chunk_size, enum bk_layer layer, const struct bk_xdp_options *options, const char **why) {
    const uint8_t seed[32] = {1};
    const struct bk_iface_config iface = {.layer = layer, .mac = {2}, .mtu = 1500};
    struct bk_config config;
    bk_stack *stack;
    bk_link *link = NULL;
    bk_config_tiny(&config);
    config.chunk_size = chunk_size;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    void *region = aligned_alloc(4096, size);
    assert_int_equal(bk_create(region, size, &config, seed, 0, &stack, NULL), 0);
    assert_int_equal(bk_iface_add(stack, &iface, 0), 0);
    int r = bk_xdp_open(stack, 0, options, &link, why);
    assert_null(link);
    uint32_t chunks[20]; /* none is missing */
    assert_int_equal(bk_chunk_alloc(stack, chunks, config.chunks), config.chunks);
    free(region);
    return r;
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    const struct bk_xdp_options missing = {.name = "no-such-device"}, none = {.name = ""},
                                long_name = {.name = "a-name-of-a-device-that-is-too-long"};
    const char *why = "";
    assert_int_equal(open_with(1024, BK_LAYER_ETHERNET, &missing, &why), -EINVAL);
    assert_string_equal(why, "chunk_size must be 2048 or 4096");
    assert_int_equal(open_with(2048, BK_LAYER_IP, &missing, &why), -EINVAL);
    assert_string_equal(why, "the layer of the stack's interface: it must be Ethernet");
    assert_int_equal(open_with(2048, BK_LAYER_ETHERNET, &missing, &why), -ENODEV);
    assert_string_equal(why, "SIOCGIFINDEX: find the device");
    assert_int_equal(open_with(2048, BK_LAYER_ETHERNET, &none, &why), -ENODEV);
    assert_int_equal(open_with(2048, BK_LAYER_ETHERNET, &long_name, &why), -ENODEV);
    assert_string_equal(why, "the device's name");
    const struct bk_xdp_options elsewhere = {.name = "lo", .netns = "no-such-namespace"};
    assert_int_equal(open_with(2048, BK_LAYER_ETHERNET, &elsewhere, &why), -ENOENT);
    assert_string_equal(why, "open the network namespace");
}

/* Of links of another kind there is nothing to tell. */
static void other_links_have_no_rings(void **state) {
    (void)state;
    struct bk_xdp_info info;
    struct bk_xdp_counters counters;
    assert_int_equal(bk_xdp_info(NULL, &info), -EINVAL);
    assert_int_equal(bk_xdp_counters(NULL, &counters), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_out_in_order),          cmocka_unit_test(nothing_is_seen_before_it_is_told),
        cmocka_unit_test(the_other_side_says_when_it_sleeps), cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(other_links_have_no_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
