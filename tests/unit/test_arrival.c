/* Shows that frames that wait in a host's device come in, in order, when they are due; and that it is all the same to a stack how its frames lie in
 * chunks, and what is behind them. */
#include "two_hosts.h"

#define SEEDS   8u
#define MILLION 1000000u

/* Three SYNs from host 0, on which host 1 has these faults. */
#define SYNS 3u
struct syns {
    struct world w;
    uint8_t frame[SYNS][100];
    size_t length[SYNS];
};

static void syns_begin(struct syns *s, const struct host_faults *faults) {
    struct host_options o[2] = {world_options(0), world_options(1)};
    uint8_t frame[65535 + 14];
    o[1].faults = *faults;
    world_begin(&s->w, o, 0);
    for (uint32_t i = 0; i < SYNS; i++) {
        struct bk_tcp_open to = {.remote = o[1].addr, .remote_port = WORLD_PORT};
        bk_conn c;
        if (i > 0) assert_int_equal(bk_tcp_connect(host_stack(s->w.host[0]), &to, s->w.now, &c), 0);
        host_run(s->w.host[0], s->w.now);
        s->length[i] = path_leave(s->w.path[1], s->w.now + NS_PER_S, frame);
        assert_in_range(s->length[i], 40, sizeof s->frame[i]);
        memcpy(s->frame[i], frame, s->length[i]);
    }
}

static uint16_t syns_arrive(struct syns *s, uint32_t i) {
    return host_arrive(s->w.host[1], s->frame[i], s->length[i], s->w.now);
}

static uint64_t syns_taken(const struct syns *s) {
    return bk_reason_count(host_stack(s->w.host[1]), BK_REASON_ACCEPT_SYN);
}

/* A batch of two waits until it is full, or 700 us after its first frame. */
static void test_batch_exactly(void **state) {
    (void)state;
    struct syns s;
    syns_begin(&s, &(struct host_faults){.batch = 2, .batch_us = 700});
    uint64_t begin = s.w.now;
    assert_int_equal(syns_arrive(&s, 0), BK_REASON_NONE);
    host_run(s.w.host[1], s.w.now);
    assert_int_equal(syns_taken(&s), 0);
    s.w.now += 100 * NS_PER_US;
    assert_int_equal(syns_arrive(&s, 1), BK_REASON_NONE);
    assert_int_equal(host_next(s.w.host[1]), s.w.now);
    host_run(s.w.host[1], s.w.now);
    assert_int_equal(syns_taken(&s), 2);
    assert_int_equal(syns_arrive(&s, 2), BK_REASON_NONE);
    host_run(s.w.host[1], s.w.now);
    assert_int_equal(host_next(s.w.host[1]), begin + 800 * NS_PER_US);
    s.w.now += 700 * NS_PER_US - 1;
    host_run(s.w.host[1], s.w.now);
    assert_int_equal(syns_taken(&s), 2);
    s.w.now++;
    host_run(s.w.host[1], s.w.now);
    assert_int_equal(syns_taken(&s), 3);
    world_audit(&s.w);
    world_end(&s.w);
}

/* No chunk: two frames wait, the third is lost, and the device looks again each 100 us. A crash forgets those that wait. */
static void test_queue_exactly(void **state) {
    (void)state;
    for (unsigned crash = 0; crash < 2; crash++) {
        struct syns s;
        uint32_t chunk[128];
        syns_begin(&s, &(struct host_faults){.queue = 2});
        bk_stack *stack = host_stack(s.w.host[1]);
        assert_int_equal(bk_chunk_alloc(stack, chunk, 128), 128);
        assert_int_equal(syns_arrive(&s, 0), BK_REASON_NONE);
        assert_int_equal(syns_arrive(&s, 1), BK_REASON_NONE);
        assert_int_equal(syns_arrive(&s, 2), BK_REASON_NO_CHUNK);
        assert_int_equal(host_next(s.w.host[1]), s.w.now + 100 * NS_PER_US);
        if (crash) {
            host_crash(s.w.host[1]);
            host_return(s.w.host[1], s.w.now);
        } else {
            bk_chunk_release(stack, chunk, 128);
        }
        s.w.now += 100 * NS_PER_US;
        host_run(s.w.host[1], s.w.now);
        assert_int_equal(syns_taken(&s), crash ? 0 : 2);
        world_audit(&s.w);
        world_end(&s.w);
    }
}

/* ---- transfers ---- */

static void transfer(struct world *w, const struct host_faults *faults, uint64_t seed, uint32_t chunk_size) {
    struct host_options o[2] = {world_options(0), world_options(1)};
    for (unsigned i = 0; i < 2; i++) {
        o[i].faults = *faults;
        o[i].seed = 2 * seed + i;
        o[i].config.chunk_size = chunk_size;
        o[i].config.chunks = 4096;
        o[i].config.buffer_chunks = 3072;
    }
    world_begin(w, o, seed % 2 == 0 ? 0 : 30000);
    world_transfer(w);
}

/* Odd parts and padding change no frame that is sent, nor when. */
static void test_how_frames_lie(void **state) {
    (void)state;
    static const struct host_faults ways[] = {{.parts_ppm = MILLION},
                                              {.pad_ppm = MILLION},
                                              {.parts_ppm = 300000, .pad_ppm = 300000, .batch = 3},
                                              {.queue = 5}};
    static const struct host_faults none;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        for (uint32_t size = 256; size <= 65536; size *= 16) {
            struct world plain;
            transfer(&plain, &none, seed, size);
            for (size_t i = 0; i < BK_COUNT(ways); i++) {
                struct world w;
                transfer(&w, &ways[i], seed, size);
                assert_int_equal(w.frames, plain.frames);
                assert_true(w.digest == plain.digest);
                world_end(&w);
            }
            world_end(&plain);
        }
}

/* Frames that are merged arrive as one, with the reason of one, and count as the segments that they were. */
static void test_merged(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w;
        struct bk_tcp_mib mib;
        transfer(&w, &(struct host_faults){.merge_ppm = 900000, .batch = 16, .batch_us = 8000}, seed, 2048);
        const bk_stack *stack = host_stack(w.host[1]);
        bk_tcp_mib(stack, &mib);
        uint64_t frames = 0;
        for (uint32_t i = 0; i < BK_REASON_COUNT; i++)
            if (bk_reason_verdict((uint16_t)i) != BK_SENT && bk_reason_verdict((uint16_t)i) != BK_NOTED)
                frames += bk_reason_count(stack, (uint16_t)i);
        assert_true(mib.in_segs >= WORLD_BYTES / 1460);
        assert_true(frames < mib.in_segs * 3 / 4);
        world_end(&w);
    }
}

/* Batches and bounded queues under want of chunks: fewer are lost than without a queue. */
static void test_queue_saves(void **state) {
    (void)state;
    uint64_t lost[2] = {0};
    for (unsigned queue = 0; queue < 2; queue++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct world w;
            struct host_faults f = {.starve_ppm = 300000, .refuse_us = 3000, .queue = 64 * queue};
            transfer(&w, &f, seed, 2048);
            lost[queue] += w.no_chunk;
            world_end(&w);
        }
    assert_true(lost[0] > 0);
    assert_int_equal(lost[1], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_exactly),  cmocka_unit_test(test_queue_exactly),
        cmocka_unit_test(test_how_frames_lie), cmocka_unit_test(test_merged),
        cmocka_unit_test(test_queue_saves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
