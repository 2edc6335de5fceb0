/* Shows that out-of-order data is kept as runs that hold exactly what came, are found in few steps whatever a peer sends, and are given up
 * from their end. */
#include "extent_bench.h"

#include "base/runs.h"

#define WINDOW 6000u /* out-of-order data lies within so many bytes of RCV.NXT */

/* A receiver: what is in order, what is beyond, and which bytes of the window are known as plain flags say. */
struct receiver {
    struct bench b;
    struct extent_queue in_order;
    struct runs beyond;
    uint32_t read, nxt; /* the stream's numbers: read by the user, and expected next */
    bool known[WINDOW]; /* of nxt + i */
};

/* What runs.h says of them. */
static void check_runs(const struct base *b, const struct runs *r) {
    struct tree_of of = runs_tree(b);
    uint32_t at = tree_first(&of, &r->tree), count = 0;
    check_queue(b, &r->queue);
    for (uint32_t run = runs_first(r); run != BK_NONE; run = runs_next(b, run), at = tree_next(&of, at), count++) {
        assert_int_equal(at, run);
        uint32_t next = runs_next(b, run);
        if (next != BK_NONE) assert_true(seq_lt(runs_span(b, run).right, runs_span(b, next).left));
        for (uint32_t id = run; id != extent_at(b, run)->link;) {
            uint32_t before = id;
            id = extent_at(b, id)->next;
            assert_int_equal(extent_at(b, id)->link, before);
            assert_int_equal(extent_at(b, id)->seq, extent_end(extent_at(b, before)));
        }
    }
    assert_int_equal(at, BK_NONE);
    assert_int_equal(count, r->count);
}

static bool in_queue(const struct base *b, const struct extent_queue *q, uint32_t seq) {
    for (uint32_t id = q->head; id != BK_NONE; id = extent_at(b, id)->next)
        if (seq_in(seq, extent_at(b, id)->seq, extent_at(b, id)->length)) return true;
    return false;
}

/* Takes the queue's word for what is known, once it is shown that nothing was lost and nothing invented. */
static void compare_known(struct receiver *r, uint32_t from, uint32_t n, bool may_miss) {
    bool kept[WINDOW] = {false};
    for (uint32_t id = r->beyond.queue.head; id != BK_NONE; id = extent_at(r->b.k.base, id)->next) {
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

/* The first bytes of [from, from + n) that are known already. */
static struct span first_known(const struct receiver *r, uint32_t from, uint32_t n) {
    uint32_t left = from, right;
    while (left < from + n && !r->known[left]) left++;
    for (right = left; right < from + n && r->known[right];) right++;
    return (struct span){r->nxt + left, r->nxt + right};
}

/* The run around each byte is what the flags say. */
static void compare_runs(const struct receiver *r) {
    uint32_t left = 0, runs = 0;
    for (uint32_t i = 0; i < WINDOW; i++) {
        if (!r->known[i]) left = i + 1;
        runs += r->known[i] && left == i;
        struct span s = runs_find(r->b.k.base, &r->beyond, r->nxt + i);
        if (!r->known[i]) {
            assert_int_equal(s.left, s.right);
            continue;
        }
        assert_int_equal(s.left, r->nxt + left);
        uint32_t right = s.right - r->nxt;
        assert_true(seq_lt(r->nxt + i, s.right) && (right == WINDOW || !r->known[right]));
    }
    assert_int_equal(r->beyond.count, runs);
}

/* Under pressure the end goes first, extent by extent. */
static void drop_last(struct receiver *r) {
    if (r->beyond.queue.count == 0) return;
    uint32_t last = 0, end = 0, before = r->beyond.queue.count;
    for (uint32_t i = 0; i < WINDOW; i++)
        if (r->known[i]) end = i + 1;
    last = runs_drop_last(r->b.k.base, &r->beyond) - r->nxt;
    assert_true(last < end);
    for (uint32_t i = last; i < WINDOW; i++) r->known[i] = false;
    assert_int_equal(r->beyond.queue.count, before - 1);
    check_runs(r->b.k.base, &r->beyond);
}

static void receive_beyond(struct receiver *r, uint32_t *bounds) {
    struct bench *b = &r->b;
    uint32_t from = 1 + core_below(&b->random, WINDOW - 2);
    uint32_t n = 1 + core_below(&b->random, u32_min(core_below(&b->random, 3) ? 300 : 1500, WINDOW - from));
    uint32_t before = core_below(&b->random, 40), max = core_below(&b->random, 4) ? 30 : 5;
    if (!packet_make(b, r->nxt + from, n, before, core_below(&b->random, 2) ? 256 : 60)) return;
    bool all_known = true;
    for (uint32_t i = from; i < from + n; i++) all_known = all_known && r->known[i];
    uint32_t bytes = r->beyond.queue.bytes;
    struct span said, known = first_known(r, from, n);
    int kept = runs_insert(b->k.base, &r->beyond, r->nxt + from, &b->p, before, n, max, &said);
    packet_release(b);
    check_runs(b->k.base, &r->beyond);
    bool bound = b->k.base->buffer_chunks_used == b->k.base->config.buffer_chunks ||
                 chunk_free_count(b->k.base) < b->p.part_count + 1u || r->beyond.queue.count >= max;
    if (!bound || said.left != said.right) { /* at a bound it may not have come so far */
        assert_int_equal(said.right - said.left, known.right - known.left);
        if (known.left != known.right) assert_int_equal(said.left, known.left);
    }
    if (all_known) assert_int_equal(kept, 0);
    if (kept == 0) assert_true(all_known);
    if (kept == -1) { /* refused as a whole, and only at a bound */
        assert_int_equal(r->beyond.queue.bytes, bytes);
        assert_true(bound);
        ++*bounds;
    }
    if (kept == 1) assert_true(r->beyond.queue.bytes > bytes);
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
    struct span said, known = first_known(r, 0, n);
    uint32_t got = runs_splice(b->k.base, &r->in_order, &r->beyond, r->nxt + n, &said);
    assert_int_equal(said.right - said.left, known.right - known.left);
    if (known.left != known.right) assert_int_equal(said.left, known.left);
    assert_int_equal(got, r->nxt + end);
    for (uint32_t i = 0; i < WINDOW; i++) r->known[i] = i + end < WINDOW && r->known[i + end];
    r->nxt = got;
    check_runs(b->k.base, &r->beyond);
    check_stream(b->k.base, &r->in_order, r->read, r->nxt);
    assert_false(in_queue(b->k.base, &r->beyond.queue, r->nxt));
}

/* Random overlapping pieces beyond a gap, gaps filled, data read: the queues know what a plain array of flags knows. */
static void a_receiver(void **state) {
    (void)state;
    struct receiver r = {.read = UINT32_MAX - 30000, .nxt = UINT32_MAX - 30000};
    bench_up(&r.b, 20, 100, 60);
    extent_queue_init(&r.in_order);
    runs_init(&r.beyond);
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
        if (core_below(&r.b.random, 20) == 0) drop_last(&r);
        if (step % 8 == 0) compare_runs(&r);
        assert_int_equal(base->buffer_chunks_used, r.in_order.count + r.beyond.queue.count);
        if (core_below(&r.b.random, 500) == 0) { /* a connection ends with data beyond a gap */
            runs_clear(base, &r.beyond);
            memset(r.known, 0, sizeof r.known);
        }
    }
    assert_true(bounds > 100);
    assert_true(r.nxt - received > 1000000);
    extent_queue_clear(base, &r.in_order);
    runs_clear(base, &r.beyond);
    while (hogs != 0) chunk_release(base, hogged[--hogs]);
    bench_down(&r.b);
}

/* Of a piece that hits the bound half-way the front is kept, and said to be: it is good data. */
static void the_front_is_kept_at_a_bound(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 21, 60, 40);
    struct runs q;
    struct span known;
    runs_init(&q);
    struct bk_part parts[3];
    for (uint32_t i = 0; i < 3; i++) {
        parts[i] = (struct bk_part){chunk_alloc(b.k.base), 0, 200};
        for (uint32_t j = 0; j < 200; j++) chunk_data(b.k.base, parts[i].chunk)[j] = byte_at(1000 + i * 200 + j);
    }
    struct packet p = {.parts = parts, .part_count = 3, .length = 600};
    assert_int_equal(runs_insert(b.k.base, &q, 1000, &p, 0, 600, 2, &known), 1);
    check_stream(b.k.base, &q.queue, 1000, 1400);
    assert_int_equal(runs_insert(b.k.base, &q, 1000, &p, 0, 600, 2, &known), -1);
    check_stream(b.k.base, &q.queue, 1000, 1400);
    assert_int_equal(runs_insert(b.k.base, &q, 1000, &p, 0, 400, 2, &known), 0);
    assert_int_equal(runs_insert(b.k.base, &q, 1000, &p, 0, 600, 3, &known), 1);
    check_stream(b.k.base, &q.queue, 1000, 1600);
    for (uint32_t i = 0; i < 3; i++) chunk_release(b.k.base, parts[i].chunk);
    runs_clear(b.k.base, &q);
    bench_down(&b);
}

/* Small pieces beyond a gap that continue each other share a chunk, too, unless somebody else refers to it. */
static void small_pieces_beyond_a_gap(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b, 22, 60, 40);
    struct runs q;
    struct span known;
    runs_init(&q);
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 3) { /* part of it is on its way elsewhere */
            memset(chunk_data(b.k.base, extent_at(b.k.base, q.queue.head)->chunk) + 30, 0x33, 100);
            chunk_hold(b.k.base, extent_at(b.k.base, q.queue.head)->chunk);
        }
        assert_true(packet_make(&b, 500 + i * 10, 10, 20, 30));
        assert_int_equal(runs_insert(b.k.base, &q, 500 + i * 10, &b.p, 20, 10, 8, &known), 1);
        packet_release(&b);
        assert_int_equal(q.queue.count, i < 3 ? 1 : 2);
    }
    uint32_t shared = extent_at(b.k.base, q.queue.head)->chunk;
    for (uint32_t i = 30; i < 130; i++) assert_int_equal(chunk_data(b.k.base, shared)[i], 0x33);
    check_stream(b.k.base, &q.queue, 500, 540);
    chunk_release(b.k.base, shared);
    runs_clear(b.k.base, &q);
    bench_down(&b);
}

static uint32_t depth_of(const struct base *b, uint32_t id) {
    uint32_t depth = 0;
    while ((id = extent_at(b, id)->node.parent) != BK_NONE) depth++;
    return depth;
}

/* SegmentSmack: single bytes, each behind a gap of its own, in an order that a peer chooses. What one more costs is the depth of the tree, for
 * 4,096 runs less than 40 steps where a list would need 2,000; and runs merge as they were made, one at a time. */
static void no_order_makes_it_deep(void **state) {
    (void)state;
    enum { RUNS = 4096 };
    struct bk_config config;
    bk_config_tiny(&config);
    config.chunk_size = 256;
    config.chunks = RUNS + 8;
    config.buffer_chunks = RUNS + 4;
    uint32_t deepest = 0;
    for (int order = 0; order < 4; order++) {
        struct bench b = {.k = core_up(&config, 0), .random = 7};
        struct runs r;
        struct span known;
        runs_init(&r);
        for (uint32_t i = 0; i < RUNS; i++) {
            uint32_t k = order == 0   ? i                                              /* upward */
                         : order == 1 ? RUNS - 1 - i                                   /* downward */
                         : order == 2 ? (i % 2 ? RUNS - 1 - i / 2 : i / 2)             /* from both ends */
                                      : (i * UINT32_C(2654435761)) >> 20 & (RUNS - 1); /* scattered */
            assert_true(packet_make(&b, 2 * k, 1, 0, 1));
            runs_insert(b.k.base, &r, 2 * k, &b.p, 0, 1, RUNS, &known);
            packet_release(&b);
        }
        for (uint32_t run = runs_first(&r); run != BK_NONE; run = runs_next(b.k.base, run))
            deepest = u32_max(deepest, depth_of(b.k.base, run));
        if (order < 3) assert_int_equal(r.count, RUNS);
        runs_clear(b.k.base, &r);
        bench_down(&b);
    }
    printf("out-of-order data: %d runs, %u steps at most\n", RUNS, deepest);
    assert_in_range(deepest, 12, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receiver),
        cmocka_unit_test(the_front_is_kept_at_a_bound),
        cmocka_unit_test(small_pieces_beyond_a_gap),
        cmocka_unit_test(no_order_makes_it_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
