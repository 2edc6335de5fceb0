/* Shows that frames on their way out keep their order, hold their payload's chunks and give them back. */
#include "core.h"

#include "base/frame.h"

static struct core up(void) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.frames = 50;
    return core_up(&config, 0);
}

/* A new frame is empty, whatever its memory held before. */
static void a_new_frame_is_empty(void **state) {
    (void)state;
    struct core k = up();
    for (int round = 0; round < 2; round++) {
        uint32_t id = frame_alloc(k.base);
        struct frame *f = frame_at(k.base, id);
        assert_int_equal(f->next, BK_NONE);
        assert_int_equal(f->object, BK_NONE);
        assert_int_equal(f->start, FRAME_L4);
        assert_int_equal(f->l3, FRAME_L4);
        assert_int_equal(f->end, FRAME_L4);
        assert_int_equal(f->payload_length, 0);
        assert_int_equal(f->part_count, 0);
        assert_int_equal(f->gso_size, 0);
        assert_int_equal(f->reason, 0);
        assert_int_equal(f->l4_header_length, 0);
        assert_int_equal(f->protocol, 0);
        assert_int_equal(f->hop_limit, 0);
        assert_int_equal(f->traffic_class, 0);
        assert_int_equal(f->checksum, FRAME_CHECKSUM_DONE);
        assert_int_equal(f->flags, 0);
        assert_true(bk_addr_is_any(&f->src) && bk_addr_is_any(&f->dst));
        memset(f, 0xee, sizeof *f);
        f->part_count = 0;
        frame_free(k.base, id);
    }
    core_down(&k);
}

/* Each part is a reference of the frame's own; a frame takes FRAME_PARTS of them and refuses one more untouched. */
static void parts_hold_chunks(void **state) {
    (void)state;
    struct core k = up();
    uint32_t id = frame_alloc(k.base), one = chunk_alloc(k.base), other = chunk_alloc(k.base);
    struct frame *f = frame_at(k.base, id);
    for (uint16_t i = 0; i < FRAME_PARTS; i++) {
        assert_true(frame_add_part(k.base, f, i % 2 ? one : other, i, (uint16_t)(i + 1)));
        assert_int_equal(f->part[i].offset, i);
        assert_int_equal(f->part[i].length, i + 1);
    }
    assert_int_equal(f->payload_length, FRAME_PARTS * (FRAME_PARTS + 1) / 2);
    assert_int_equal(chunk_references(k.base, one), 1 + FRAME_PARTS / 2);
    assert_false(frame_add_part(k.base, f, one, 0, 1));
    assert_int_equal(chunk_references(k.base, one), 1 + FRAME_PARTS / 2);
    assert_int_equal(f->payload_length, FRAME_PARTS * (FRAME_PARTS + 1) / 2);
    chunk_release(k.base, one); /* the queue lets go, the frame does not */
    assert_int_equal(k.base->chunks.in_use, 2);
    frame_free(k.base, id);
    assert_int_equal(k.base->chunks.in_use, 1);
    assert_int_equal(chunk_references(k.base, other), 1);
    assert_int_equal(k.base->frames.in_use, 0);
    core_down(&k);
}

static void queues_keep_the_order(void **state) {
    (void)state;
    struct core k = up();
    struct frame_queue q;
    frame_queue_init(&q);
    assert_int_equal(frame_queue_pop(k.base, &q), BK_NONE);
    uint32_t model[50], head = 0, count = 0;
    uint64_t random = 11;
    for (uint32_t step = 0; step < 10000; step++) {
        if (core_below(&random, 2)) {
            uint32_t id = frame_alloc(k.base);
            assert_int_equal(id == BK_NONE, count == 50);
            if (id == BK_NONE) continue;
            frame_queue_push(k.base, &q, id);
            model[(head + count++) % 50] = id;
        } else {
            uint32_t id = frame_queue_pop(k.base, &q);
            assert_int_equal(id, count == 0 ? BK_NONE : model[head]);
            if (id == BK_NONE) continue;
            head = (head + 1) % 50;
            count--;
            frame_free(k.base, id);
        }
        assert_int_equal(q.count, count);
        assert_int_equal(k.base->frames.in_use, count);
    }
    core_down(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_frame_is_empty),
        cmocka_unit_test(parts_hold_chunks),
        cmocka_unit_test(queues_keep_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
