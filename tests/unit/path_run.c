/* A path that is run to its end. */
#include "path_run.h"

struct run *run_begin(const struct path_options *options, uint64_t seed) {
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->path = path_new(options, seed, START);
    assert_non_null(r->path);
    r->room = 4 * FRAMES;
    r->arrival = malloc(r->room * sizeof *r->arrival);
    assert_non_null(r->arrival);
    return r;
}

void run_end(struct run *r) {
    path_free(r->path);
    free(r->arrival);
    free(r);
}

void run_until(struct run *r, uint64_t until) {
    uint64_t next;
    while ((next = path_next(r->path)) <= until && next != UINT64_MAX) {
        if (next > START) assert_int_equal(path_leave(r->path, next - 1, r->frame), 0);
        for (size_t length; (length = path_leave(r->path, next, r->frame)) != 0;) {
            assert_true(r->count < r->room);
            struct arrival *a = &r->arrival[r->count++];
            a->time = next - START;
            a->length = (uint32_t)length;
            a->number = length >= 4 ? get_be32(r->frame + length - 4) : 0;
            memcpy(a->bytes, r->frame, length < sizeof a->bytes ? length : sizeof a->bytes);
        }
    }
}

enum path_fate run_enter(struct run *r, uint32_t number, size_t length, uint64_t at) {
    uint8_t frame[2000];
    assert_true(length <= sizeof frame);
    run_until(r, START + at - 1);
    for (size_t i = 0; i < length; i++) frame[i] = (uint8_t)(0x40 + i % 7);
    put_be32(frame + length - 4, number);
    return path_enter(r->path, frame, length, START + at);
}

void run_frames(struct run *r, uint32_t n, size_t length, uint64_t apart) {
    for (uint32_t i = 0; i < n; i++) run_enter(r, i, length, 1 + i * apart);
    run_until(r, UINT64_MAX - 1);
    const struct path_counters *c = path_counters(r->path);
    assert_int_equal(c->left, r->count);
    assert_int_equal(c->entered, n);
    assert_int_equal(c->left, n + c->duplicated - c->lost - c->overflowed - c->dropped_aqm - c->too_big - c->down);
}
