/* Shows that a packet reads the same however its bytes lie in parts: whole or in pieces, even empty and odd ones. */
#include "core.h"

#include "base/checksum.h"
#include "base/packet.h"

#define BYTES 1500u

struct bench {
    struct core k;
    uint8_t plain[BYTES];
    struct bk_part parts[64];
    struct packet p;
    uint64_t random;
};

static void bench_up(struct bench *b, uint64_t seed) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.chunk_size = 2048;
    config.chunks = 64;
    b->k = core_up(&config, 0);
    b->random = seed;
    for (uint32_t i = 0; i < BYTES; i++) b->plain[i] = (uint8_t)draw(&b->random);
}

/* Cuts the bytes at random places into parts at random offsets of chunks, and enters a random layer. */
static void cut_anew(struct bench *b) {
    uint32_t n = 0, done = 0;
    while (done < BYTES) {
        uint32_t length = n == 63                          ? BYTES - done
                          : core_below(&b->random, 5) == 0 ? core_below(&b->random, 3)
                                                           : core_below(&b->random, BYTES);
        length = u32_min(length, BYTES - done);
        uint32_t chunk = chunk_alloc(b->k.base), offset = core_below(&b->random, 2048 - length);
        assert_int_not_equal(chunk, BK_NONE);
        memcpy(chunk_data(b->k.base, chunk) + offset, b->plain + done, length);
        b->parts[n++] = (struct bk_part){chunk, (uint16_t)offset, (uint16_t)length};
        done += length;
    }
    b->p = (struct packet){.parts = b->parts, .part_count = (uint16_t)n, .length = BYTES};
    uint32_t start = core_below(&b->random, 100);
    packet_enter(&b->p, start, BYTES - start - core_below(&b->random, 20)); /* padding cut off behind */
}

static void release(struct bench *b) {
    for (uint32_t i = 0; i < b->p.part_count; i++) chunk_release(b->k.base, b->parts[i].chunk);
}

static void ranges_read_alike(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 12);
    uint32_t in_place = 0, copied = 0;
    for (uint32_t round = 0; round < 2000; round++) {
        cut_anew(&b);
        for (uint32_t i = 0; i < 10; i++) {
            uint32_t offset = core_below(&b.random, b.p.length + 1);
            uint32_t n = u32_min(core_below(&b.random, 257), b.p.length - offset);
            const uint8_t *plain = b.plain + b.p.start + offset;
            uint8_t scratch[257], out[BYTES + 1];
            scratch[n] = 0x77;
            const uint8_t *bytes = packet_bytes(b.k.base, &b.p, offset, n, scratch);
            assert_non_null(bytes);
            assert_memory_equal(bytes, plain, n);
            assert_int_equal(scratch[n], 0x77);
            *(bytes == scratch ? &copied : &in_place) += 1;
            n = core_below(&b.random, b.p.length - offset + 1);
            out[n] = 0x77;
            packet_copy(b.k.base, &b.p, offset, n, out);
            assert_memory_equal(out, plain, n);
            assert_int_equal(out[n], 0x77);
            assert_int_equal(checksum_finish(packet_checksum(b.k.base, &b.p, offset, n, 0x12345)),
                             checksum_finish(checksum_add(0x12345, plain, n)));
        }
        release(&b);
    }
    assert_true(in_place > 1000 && copied > 1000);
    assert_int_equal(b.k.base->chunks.in_use, 0);
    core_down(&b.k);
}

/* A header that the layer is too short for is not there, even where the frame goes on. */
static void beyond_the_layer(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 13);
    uint8_t scratch[256];
    for (uint32_t round = 0; round < 100; round++) {
        cut_anew(&b);
        uint32_t length = b.p.length;
        assert_null(packet_bytes(b.k.base, &b.p, 0, length + 1, scratch));
        assert_null(packet_bytes(b.k.base, &b.p, length, 1, scratch));
        assert_null(packet_bytes(b.k.base, &b.p, length - 19, 20, scratch));
        assert_null(packet_bytes(b.k.base, &b.p, UINT32_MAX, 20, scratch));
        assert_null(packet_bytes(b.k.base, &b.p, 20, UINT32_MAX, scratch));
        assert_non_null(packet_bytes(b.k.base, &b.p, length, 0, scratch));
        assert_non_null(packet_bytes(b.k.base, &b.p, length - 20, 20, scratch));
        release(&b);
    }
    cut_anew(&b);
    expect_panic(packet_copy(b.k.base, &b.p, 0, b.p.length + 1, scratch));
    core_down(&b.k);
}

/* Headers are read where they are if they lie in one piece. */
static void in_place_where_it_can_be(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 14);
    uint32_t one = chunk_alloc(b.k.base), other = chunk_alloc(b.k.base);
    struct bk_part parts[2] = {{one, 10, 60}, {other, 0, 100}};
    struct packet p = {.parts = parts, .part_count = 2, .length = 160};
    uint8_t scratch[256];
    assert_ptr_equal(packet_bytes(b.k.base, &p, 0, 60, scratch), chunk_data(b.k.base, one) + 10);
    assert_ptr_equal(packet_bytes(b.k.base, &p, 60, 100, scratch), chunk_data(b.k.base, other));
    assert_ptr_equal(packet_bytes(b.k.base, &p, 59, 2, scratch), scratch);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_read_alike),
        cmocka_unit_test(beyond_the_layer),
        cmocka_unit_test(in_place_where_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
