/* What the tests of queues of extents stand on: a small core, a stream of which every byte is known by its number, packets of it in odd
 * parts, and what must hold of a queue. */
#ifndef TESTS_EXTENT_BENCH_H
#define TESTS_EXTENT_BENCH_H

#include "core.h"

#include "base/extent.h"
#include "base/seq.h"

struct bench {
    struct core k;
    uint64_t random;
    struct bk_part parts[80]; /* of the packet at hand */
    struct packet p;
};

static inline void bench_up(struct bench *b, uint64_t seed, uint32_t chunks, uint32_t buffer_chunks) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.chunk_size = 256;
    config.chunks = chunks;
    config.buffer_chunks = buffer_chunks;
    b->k = core_up(&config, 0);
    b->random = seed;
}

/* Everything has been given back. */
static inline void bench_down(struct bench *b) {
    assert_int_equal(b->k.base->chunks.in_use, 0);
    assert_int_equal(b->k.base->extents.in_use, 0);
    assert_int_equal(b->k.base->buffer_chunks_used, 0);
    core_down(&b->k);
}

/* The byte of the stream that has this sequence number. */
static inline uint8_t byte_at(uint32_t seq) {
    return (uint8_t)((seq * UINT32_C(2654435761)) >> 13);
}

/* A packet whose layer begins with `before` bytes of header and then has n bytes of the stream from seq on, in parts
 * of up to part_max bytes, some of which share a chunk. False if the chunks ran out; nothing is held then. */
static inline bool packet_make(struct bench *b, uint32_t seq, uint32_t n, uint32_t before, uint32_t part_max) {
    struct base *base = b->k.base;
    uint32_t total = before + n, done = 0, count = 0, chunk = BK_NONE, at = 0;
    while (done < total) {
        uint32_t length = u32_min(1 + core_below(&b->random, part_max), total - done);
        if (chunk != BK_NONE && at + length <= 256 && core_below(&b->random, 4) == 0) {
            chunk_hold(base, chunk);
        } else {
            chunk = chunk_alloc(base);
            at = core_below(&b->random, 256 - length + 1);
        }
        if (chunk == BK_NONE || count == BK_COUNT(b->parts)) {
            if (chunk != BK_NONE) chunk_release(base, chunk);
            for (uint32_t i = 0; i < count; i++) chunk_release(base, b->parts[i].chunk);
            return false;
        }
        uint8_t *to = chunk_data(base, chunk) + at;
        for (uint32_t i = 0; i < length; i++) to[i] = done + i < before ? 0xdd : byte_at(seq + done + i - before);
        b->parts[count++] = (struct bk_part){chunk, (uint16_t)at, (uint16_t)length};
        at += length;
        done += length;
    }
    b->p = (struct packet){.parts = b->parts, .part_count = (uint16_t)count, .length = total};
    return true;
}

static inline void packet_release(struct bench *b) {
    for (uint32_t i = 0; i < b->p.part_count; i++) chunk_release(b->k.base, b->parts[i].chunk);
}

/* The extents are in order, apart from each other, and hold the stream's bytes; the counts are right. */
static inline void check_queue(const struct base *b, const struct extent_queue *q) {
    uint32_t bytes = 0, count = 0, last = BK_NONE;
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next) {
        const struct extent *e = extent_at(b, id);
        assert_true(e->length != 0);
        assert_true((uint32_t)e->offset + e->length <= b->config.chunk_size);
        assert_true(chunk_references(b, e->chunk) != 0);
        if (last != BK_NONE) assert_true(seq_le(extent_end(extent_at(b, last)), e->seq));
        for (uint32_t i = 0; i < e->length; i++)
            assert_int_equal(chunk_data(b, e->chunk)[e->offset + i], byte_at(e->seq + i));
        bytes += e->length;
        count++;
        last = id;
    }
    assert_int_equal(q->tail, last);
    assert_int_equal(q->bytes, bytes);
    assert_int_equal(q->count, count);
}

/* A queue in order holds [from, to). */
static inline void check_stream(const struct base *b, const struct extent_queue *q, uint32_t from, uint32_t to) {
    check_queue(b, q);
    assert_int_equal(q->bytes, to - from);
    uint32_t at = from;
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next) {
        assert_int_equal(extent_at(b, id)->seq, at);
        at = extent_end(extent_at(b, id));
    }
    assert_int_equal(at, to);
}

/* ---- in order -------------------------------------------------------------------------------------- */

static inline void copy_out(const struct base *b, const struct extent_queue *q, uint32_t from, uint32_t n) {
    uint8_t data[8000];
    assert_true(n < sizeof data);
    data[n] = 0x99;
    extent_queue_copy(b, q, data, n);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(data[i], byte_at(from + i));
    assert_int_equal(data[n], 0x99);
}

#endif
