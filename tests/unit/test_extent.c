/* Shows that queues of bytes in chunks hold exactly what was put in, wherever it lay, whatever overlapped, at every bound, and that in the
 * end every chunk is free again. */
#include "core.h"

#include "base/extent.h"
#include "base/seq.h"

#define WINDOW 6000u /* out-of-order data lies within so many bytes of RCV.NXT */

struct bench {
    struct core k;
    uint64_t random;
    struct bk_part parts[80]; /* of the packet at hand */
    struct packet p;
};

static void bench_up(struct bench *b, uint64_t seed, uint32_t chunks, uint32_t buffer_chunks) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.chunk_size = 256;
    config.chunks = chunks;
    config.buffer_chunks = buffer_chunks;
    b->k = core_up(&config, 0);
    b->random = seed;
}

/* Everything has been given back. */
static void bench_down(struct bench *b) {
    assert_int_equal(b->k.base->chunks.in_use, 0);
    assert_int_equal(b->k.base->extents.in_use, 0);
    assert_int_equal(b->k.base->buffer_chunks_used, 0);
    core_down(&b->k);
}

/* The byte of the stream that has this sequence number. */
static uint8_t byte_at(uint32_t seq) {
    return (uint8_t)((seq * UINT32_C(2654435761)) >> 13);
}

/* A packet whose layer begins with `before` bytes of header and then has n bytes of the stream from seq on, in parts
 * of up to part_max bytes, some of which share a chunk. False if the chunks ran out; nothing is held then. */
static bool packet_make(struct bench *b, uint32_t seq, uint32_t n, uint32_t before, uint32_t part_max) {
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

static void packet_release(struct bench *b) {
    for (uint32_t i = 0; i < b->p.part_count; i++) chunk_release(b->k.base, b->parts[i].chunk);
}

/* The extents are in order, apart from each other, and hold the stream's bytes; the counts are right. */
static void check_queue(const struct base *b, const struct extent_queue *q) {
    uint32_t bytes = 0, count = 0, last = BK_NONE;
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next) {
        const struct extent *e = extent_at(b, id);
        assert_true(e->length != 0);
        assert_true((uint32_t)e->offset + e->length <= b->config.chunk_size);
        assert_true(*chunk_references(b, e->chunk) != 0);
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
static void check_stream(const struct base *b, const struct extent_queue *q, uint32_t from, uint32_t to) {
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

static uint32_t append_copy(struct bench *b, struct extent_queue *q, uint32_t seq, uint32_t n) {
    uint8_t data[2000];
    for (uint32_t i = 0; i < n; i++) data[i] = byte_at(seq + i);
    return extent_queue_append_copy(b->k.base, q, seq, data, n);
}

static void copy_out(const struct base *b, const struct extent_queue *q, uint32_t from, uint32_t n) {
    uint8_t data[8000];
    assert_true(n < sizeof data);
    data[n] = 0x99;
    extent_queue_copy(b, q, data, n);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(data[i], byte_at(from + i));
    assert_int_equal(data[n], 0x99);
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
    assert_int_equal(*chunk_references(b.k.base, chunk), 2);
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

/* ---- out of order ---------------------------------------------------------------------------------- */

/* A receiver: what is in order, what is beyond, and which bytes of the window are known as plain flags say. */
struct receiver {
    struct bench b;
    struct extent_queue in_order, beyond;
    uint32_t read, nxt; /* the stream's numbers: read by the user, and expected next */
    bool known[WINDOW]; /* of nxt + i */
};

static bool in_queue(const struct base *b, const struct extent_queue *q, uint32_t seq) {
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next)
        if (seq_in(seq, extent_at(b, id)->seq, extent_at(b, id)->length)) return true;
    return false;
}

/* Takes the queue's word for what is known, once it is shown that nothing was lost and nothing invented. */
static void compare_known(struct receiver *r, uint32_t from, uint32_t n, bool may_miss) {
    bool kept[WINDOW] = {false};
    for (uint32_t id = r->beyond.head; id != BK_NONE; id = extent_at(r->b.k.base, id)->next) {
        const struct extent *e = extent_at(r->b.k.base, id);
        for (uint32_t i = 0; i < e->length; i++) kept[e->seq + i - r->nxt] = true;
    }
    for (uint32_t i = 0; i < WINDOW; i++) {
        bool offered = i >= from && i < from + n;
        if (r->known[i] || (offered && !may_miss)) assert_true(kept[i]);
        if (!r->known[i] && !offered) assert_false(kept[i]);
        r->known[i] = kept[i];
    }
}

static void receive_beyond(struct receiver *r, uint32_t *bounds) {
    struct bench *b = &r->b;
    uint32_t from = 1 + core_below(&b->random, WINDOW - 2);
    uint32_t n = 1 + core_below(&b->random, u32_min(core_below(&b->random, 3) ? 300 : 1500, WINDOW - from));
    uint32_t before = core_below(&b->random, 40), max = core_below(&b->random, 4) ? 30 : 5;
    if (!packet_make(b, r->nxt + from, n, before, core_below(&b->random, 2) ? 256 : 60)) return;
    bool all_known = true;
    for (uint32_t i = from; i < from + n; i++) all_known = all_known && r->known[i];
    uint32_t bytes = r->beyond.bytes;
    int kept = extent_queue_insert(b->k.base, &r->beyond, r->nxt + from, &b->p, before, n, max);
    packet_release(b);
    check_queue(b->k.base, &r->beyond);
    bool bound = b->k.base->buffer_chunks_used == b->k.base->config.buffer_chunks ||
                 chunk_free_count(b->k.base) < b->p.part_count + 1u || r->beyond.count >= max;
    if (all_known) assert_int_equal(kept, 0);
    if (kept == 0) assert_true(all_known);
    if (kept == -1) { /* refused as a whole, and only at a bound */
        assert_int_equal(r->beyond.bytes, bytes);
        assert_true(bound);
        ++*bounds;
    }
    if (kept == 1) assert_true(r->beyond.bytes > bytes);
    compare_known(r, from, n, bound);
}

static void receive_next(struct receiver *r) {
    struct bench *b = &r->b;
    uint32_t n = 1 + core_below(&b->random, 400);
    if (!packet_make(b, r->nxt, n, 0, 200)) return;
    bool taken = extent_queue_append_packet(b->k.base, &r->in_order, r->nxt, &b->p, 0, n);
    packet_release(b);
    if (!taken) return;
    uint32_t end = n;
    while (end < WINDOW && r->known[end]) end++;
    uint32_t got = extent_queue_splice(b->k.base, &r->in_order, &r->beyond, r->nxt + n);
    assert_int_equal(got, r->nxt + end);
    for (uint32_t i = 0; i < WINDOW; i++) r->known[i] = i + end < WINDOW && r->known[i + end];
    r->nxt = got;
    check_queue(b->k.base, &r->beyond);
    check_stream(b->k.base, &r->in_order, r->read, r->nxt);
    assert_false(in_queue(b->k.base, &r->beyond, r->nxt));
}

/* Random overlapping pieces beyond a gap, gaps filled, data read: the queues know what a plain array of flags knows. */
static void a_receiver(void **state) {
    (void)state;
    struct receiver r = {.read = UINT32_MAX - 30000, .nxt = UINT32_MAX - 30000};
    bench_up(&r.b, 20, 100, 60);
    extent_queue_init(&r.in_order);
    extent_queue_init(&r.beyond);
    struct base *base = r.b.k.base;
    uint32_t bounds = 0, hogged[100], hogs = 0, received = r.nxt;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t n = core_below(&r.b.random, 16);
        if (n < 8) {
            receive_beyond(&r, &bounds);
        } else if (n < 11) {
            receive_next(&r);
        } else if (n < 14) {
            n = core_below(&r.b.random, r.nxt - r.read + 1);
            copy_out(base, &r.in_order, r.read, n);
            extent_queue_consume(base, &r.in_order, n);
            r.read += n;
        } else if (n == 14) {
            if (hogs < 60 && (hogged[hogs] = chunk_alloc(base)) != BK_NONE) hogs++;
        } else {
            while (hogs != 0 && core_below(&r.b.random, 30) != 0) chunk_release(base, hogged[--hogs]);
        }
        assert_int_equal(base->buffer_chunks_used, r.in_order.count + r.beyond.count);
        if (core_below(&r.b.random, 500) == 0) { /* a connection ends with data beyond a gap */
            extent_queue_clear(base, &r.beyond);
            memset(r.known, 0, sizeof r.known);
        }
    }
    assert_true(bounds > 100);
    assert_true(r.nxt - received > 1000000);
    extent_queue_clear(base, &r.in_order);
    extent_queue_clear(base, &r.beyond);
    while (hogs != 0) chunk_release(base, hogged[--hogs]);
    bench_down(&r.b);
}

/* Of a piece that hits the bound half-way the front is kept, and said to be: it is good data. */
static void the_front_is_kept_at_a_bound(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 21, 60, 40);
    struct extent_queue q;
    extent_queue_init(&q);
    struct bk_part parts[3];
    for (uint32_t i = 0; i < 3; i++) {
        parts[i] = (struct bk_part){chunk_alloc(b.k.base), 0, 200};
        for (uint32_t j = 0; j < 200; j++) chunk_data(b.k.base, parts[i].chunk)[j] = byte_at(1000 + i * 200 + j);
    }
    struct packet p = {.parts = parts, .part_count = 3, .length = 600};
    assert_int_equal(extent_queue_insert(b.k.base, &q, 1000, &p, 0, 600, 2), 1);
    check_stream(b.k.base, &q, 1000, 1400);
    assert_int_equal(extent_queue_insert(b.k.base, &q, 1000, &p, 0, 600, 2), -1);
    check_stream(b.k.base, &q, 1000, 1400);
    assert_int_equal(extent_queue_insert(b.k.base, &q, 1000, &p, 0, 400, 2), 0);
    assert_int_equal(extent_queue_insert(b.k.base, &q, 1000, &p, 0, 600, 3), 1);
    check_stream(b.k.base, &q, 1000, 1600);
    for (uint32_t i = 0; i < 3; i++) chunk_release(b.k.base, parts[i].chunk);
    extent_queue_clear(b.k.base, &q);
    bench_down(&b);
}

/* Small pieces beyond a gap that continue each other share a chunk, too, unless somebody else refers to it. */
static void small_pieces_beyond_a_gap(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 22, 60, 40);
    struct extent_queue q;
    extent_queue_init(&q);
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 3) { /* part of it is on its way elsewhere */
            memset(chunk_data(b.k.base, extent_at(b.k.base, q.head)->chunk) + 30, 0x33, 100);
            chunk_hold(b.k.base, extent_at(b.k.base, q.head)->chunk);
        }
        assert_true(packet_make(&b, 500 + i * 10, 10, 20, 30));
        assert_int_equal(extent_queue_insert(b.k.base, &q, 500 + i * 10, &b.p, 20, 10, 8), 1);
        packet_release(&b);
        assert_int_equal(q.count, i < 3 ? 1 : 2);
    }
    uint32_t shared = extent_at(b.k.base, q.head)->chunk;
    for (uint32_t i = 30; i < 130; i++) assert_int_equal(chunk_data(b.k.base, shared)[i], 0x33);
    check_stream(b.k.base, &q, 500, 540);
    chunk_release(b.k.base, shared);
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
        cmocka_unit_test(a_receiver),
        cmocka_unit_test(the_front_is_kept_at_a_bound),
        cmocka_unit_test(small_pieces_beyond_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
