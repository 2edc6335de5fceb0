/* Shows that queues of bytes in chunks hold exactly what was put in, wherever it lay, whatever overlapped, at every bound, and that in the
 * end every chunk is free again. */
#include "extent_bench.h"

static uint32_t append_copy(struct bench *b, struct extent_queue *q, uint32_t seq, uint32_t n) {
    uint8_t data[2000];
    for (uint32_t i = 0; i < n; i++) data[i] = byte_at(seq + i);
    return extent_queue_append_copy(b->k.base, q, seq, data, n);
}

static void find_all(struct bench *b, const struct extent_queue *q, uint32_t from, uint32_t to) {
    uint32_t hint = BK_NONE, seq = from;
    while (seq_lt(seq, to)) {
        uint32_t id = extent_queue_find(b->k.base, q, seq, hint);
        const struct extent *e = extent_at(b->k.base, id);
        assert_true(seq_le(e->seq, seq) && seq_lt(seq, extent_end(e)));
        assert_int_equal(extent_queue_find(b->k.base, q, seq, BK_NONE), id);
        hint = core_below(&b->random, 2) ? id : BK_NONE;
        seq += 1 + core_below(&b->random, 500);
    }
}

/* Appending by copy, by reference and from packets, consuming, copying out: a stream that wraps, against its formula. Bounds
 * are hit on the way, by the budget and by others who hold chunks. */
static void a_stream(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 15, 80, 24);
    struct base *base = b.k.base;
    struct extent_queue q;
    extent_queue_init(&q);
    uint32_t from = UINT32_MAX - 20000, to = from, hogged[80], hogs = 0, refused = 0, whole = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t n = 1 + core_below(&b.random, core_below(&b.random, 2) ? 40 : 900), took;
        switch (core_below(&b.random, 7)) {
        case 0:
            took = append_copy(&b, &q, to, n);
            assert_true(took <= n);
            if (took < n) assert_true(base->buffer_chunks_used == 24 || chunk_free_count(base) == 0);
            to += took;
            break;
        case 1:
            if (!packet_make(&b, to, n = u32_min(n, 256), 0, 256)) break;
            if (b.p.part_count == 1) {
                bool room = base->buffer_chunks_used < 24;
                assert_int_equal(extent_queue_append_part(base, &q, to, &b.parts[0]), room);
                if (room) to += n;
            }
            packet_release(&b);
            break;
        case 2:
        case 3: {
            uint32_t before = core_below(&b.random, 60), skip = core_below(&b.random, 30);
            if (!packet_make(&b, to - skip, n + skip, before, 256)) break;
            if (extent_queue_append_packet(base, &q, to, &b.p, before + skip, n)) {
                to += n;
                whole++;
            } else {
                refused++;
            }
            packet_release(&b);
            break;
        }
        case 4:
            if (hogs < 60 && (hogged[hogs] = chunk_alloc(base)) != BK_NONE) hogs++;
            break;
        case 5:
            while (hogs != 0 && core_below(&b.random, 20) != 0) chunk_release(base, hogged[--hogs]);
            break;
        default:
            n = u32_min(n * 2, to - from);
            copy_out(base, &q, from, n);
            extent_queue_consume(base, &q, n);
            from += n;
        }
        check_stream(base, &q, from, to);
        assert_int_equal(base->buffer_chunks_used, q.count);
        if (step % 16 == 0) find_all(&b, &q, from, to);
    }
    assert_true(refused > 100 && whole > 1000);
    extent_queue_clear(base, &q);
    check_stream(base, &q, to, to);
    while (hogs != 0) chunk_release(base, hogged[--hogs]);
    bench_down(&b);
}

/* Small pieces share a chunk, so that no byte holds one of its own; half a chunk or more is held where it lies. */
static void small_pieces_share_a_chunk(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 16, 60, 40);
    struct extent_queue q;
    extent_queue_init(&q);
    for (uint32_t i = 0; i < 256; i++) {
        assert_true(packet_make(&b, i, 1, 40, 41));
        assert_true(extent_queue_append_packet(b.k.base, &q, i, &b.p, 40, 1));
        packet_release(&b);
    }
    assert_int_equal(q.count, 1);
    assert_int_equal(b.k.base->chunks.in_use, 1);
    uint32_t chunk = chunk_alloc(b.k.base);
    for (uint32_t i = 0; i < 128; i++) chunk_data(b.k.base, chunk)[100 + i] = byte_at(256 + i);
    struct bk_part part = {chunk, 100, 128};
    struct packet p = {.parts = &part, .part_count = 1, .length = 128};
    assert_true(extent_queue_append_packet(b.k.base, &q, 256, &p, 0, 128));
    assert_int_equal(chunk_references(b.k.base, chunk), 2);
    chunk_release(b.k.base, chunk);
    check_stream(b.k.base, &q, 0, 384);
    extent_queue_consume(b.k.base, &q, 384);
    bench_down(&b);
}

/* What somebody else refers to is never written to, not even behind its end. */
static void shared_chunks_are_not_written(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 17, 60, 40);
    struct extent_queue q;
    extent_queue_init(&q);
    assert_int_equal(append_copy(&b, &q, 0, 100), 100);
    uint32_t chunk = extent_at(b.k.base, q.head)->chunk;
    memset(chunk_data(b.k.base, chunk) + 100, 0x11, 156);
    chunk_hold(b.k.base, chunk); /* a frame on its way out */
    assert_int_equal(append_copy(&b, &q, 100, 50), 50);
    for (uint32_t i = 100; i < 256; i++) assert_int_equal(chunk_data(b.k.base, chunk)[i], 0x11);
    assert_int_equal(q.count, 2);
    chunk_release(b.k.base, chunk);
    check_stream(b.k.base, &q, 0, 150);
    extent_queue_clear(b.k.base, &q);
    bench_down(&b);
}

/* All or nothing: at any bound, in any part of the packet, a refused append leaves the queue as it was. */
static void a_refused_packet_leaves_no_trace(void **state) {
    (void)state;
    for (uint32_t room = 0; room < 8; room++)
        for (uint32_t queued = 0; queued < 3; queued++) {
            struct bench b;
            bench_up(&b, 18 + room, 80, 40);
            struct extent_queue q, others;
            extent_queue_init(&q);
            extent_queue_init(&others);
            uint32_t to = queued * 100;
            assert_int_equal(append_copy(&b, &q, 0, to), to);
            assert_true(packet_make(&b, to, 2000, 0, 250));
            while (b.k.base->buffer_chunks_used + room < 40) append_copy(&b, &others, others.bytes, 256);
            uint32_t used = b.k.base->buffer_chunks_used, chunks = b.k.base->chunks.in_use;
            assert_false(extent_queue_append_packet(b.k.base, &q, to, &b.p, 0, 2000));
            assert_int_equal(b.k.base->buffer_chunks_used, used);
            assert_int_equal(b.k.base->chunks.in_use, chunks);
            check_stream(b.k.base, &q, 0, to);
            extent_queue_clear(b.k.base, &others);
            assert_true(extent_queue_append_packet(b.k.base, &q, to, &b.p, 0, 2000));
            packet_release(&b);
            check_stream(b.k.base, &q, 0, to + 2000);
            extent_queue_clear(b.k.base, &q);
            bench_down(&b);
        }
}

/* Chunks of 64 KiB, whose size a 16-bit length does not reach: a run that ends at the chunk's last byte has no room behind it. */
static void the_largest_chunks(void **state) {
    (void)state;
    struct bk_config config;
    bk_config_tiny(&config);
    config.chunk_size = 65536;
    struct core k = core_up(&config, 0);
    struct extent_queue q;
    extent_queue_init(&q);
    uint32_t chunk = chunk_alloc(k.base);
    for (uint32_t i = 0; i < 65536; i++) chunk_data(k.base, chunk)[i] = byte_at(i);
    struct bk_part part = {chunk, 1, 65535};
    assert_true(extent_queue_append_part(k.base, &q, 1, &part));
    chunk_release(k.base, chunk); /* the queue's reference is the last */
    uint32_t after = chunk_alloc(k.base);
    memset(chunk_data(k.base, after), 0x22, 65536);
    uint8_t data[100];
    for (uint32_t i = 0; i < sizeof data; i++) data[i] = byte_at(65536 + i);
    assert_int_equal(extent_queue_append_copy(k.base, &q, 65536, data, sizeof data), sizeof data);
    for (uint32_t i = 0; i < 65536; i++) assert_int_equal(chunk_data(k.base, after)[i], 0x22);
    check_stream(k.base, &q, 1, 65636);
    assert_int_equal(q.count, 2);
    extent_queue_clear(k.base, &q);
    chunk_release(k.base, after);
    assert_int_equal(k.base->chunks.in_use, 0);
    core_down(&k);
}

static void our_own_mistakes_are_named(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 30, 60, 40);
    struct extent_queue q;
    uint8_t data[8];
    extent_queue_init(&q);
    assert_int_equal(append_copy(&b, &q, 0, 5), 5);
    expect_panic(extent_queue_consume(b.k.base, &q, 6));
    expect_panic(extent_queue_copy(b.k.base, &q, data, 6));
    expect_panic(extent_queue_find(b.k.base, &q, 5, BK_NONE));
    extent_queue_clear(b.k.base, &q);
    bench_down(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream),
        cmocka_unit_test(small_pieces_share_a_chunk),
        cmocka_unit_test(shared_chunks_are_not_written),
        cmocka_unit_test(a_refused_packet_leaves_no_trace),
        cmocka_unit_test(the_largest_chunks),
        cmocka_unit_test(our_own_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
