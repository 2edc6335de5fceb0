/* A stack's inner parts on a bench, for tests of single modules of base and tcp.
 *
 * core_up makes a stack in memory of the test's own, filled with rubbish beforehand, so that nothing can rely on zeroes that it did not
 * write. The region begins with struct tcp, which begins with struct base: the modules' functions take these. Randomness is
 * a generator with a fixed seed, so each run is the same.
 */
#ifndef TESTS_CORE_H
#define TESTS_CORE_H

#include "fixture.h"

#include "base/draw.h"
#include "tcp/tcp.h"

struct core {
    bk_stack *stack;
    struct tcp *tcp;
    struct base *base;
    size_t size;
};

/* A stack with this configuration, and `extra` bytes of region beyond what it asks for: for pools of the test's own. */
static inline struct core core_up(const struct bk_config *config, size_t extra) {
    static const uint8_t seed[32] = "the seed of the bench";
    struct core k = {.size = (bk_region_size(config) + extra + 4095) & ~(size_t)4095};
    assert_int_not_equal(bk_region_size(config), 0);
    void *region = aligned_alloc(4096, k.size);
    assert_non_null(region);
    memset(region, 0xa5, k.size);
    assert_int_equal(bk_create(region, k.size, config, seed, 0, &k.stack, NULL), 0);
    k.tcp = region;
    k.base = &k.tcp->base;
    k.base->size = k.size;
    for (uint32_t i = 0; i < TCP_PATHS; i++) {
        k.tcp->path[i].mtu = 1500;
        k.tcp->path[i].unit_max = 65536;
    }
    return k;
}

static inline void core_down(struct core *k) {
    free(k->stack);
    k->stack = NULL;
}

/* Below n, n > 0. */
static inline uint32_t core_below(uint64_t *state, uint32_t n) {
    return (uint32_t)(draw(state) % n);
}

/* The statement violates an assertion of the core. */
#define expect_panic(statement)                                                                                        \
    do {                                                                                                               \
        jmp_buf here;                                                                                                  \
        fx.catch_failure = &here;                                                                                      \
        if (setjmp(here) == 0) {                                                                                       \
            statement;                                                                                                 \
            fx.catch_failure = NULL;                                                                                   \
            fail_msg("no assertion failed: %s", #statement);                                                           \
        }                                                                                                              \
        fx.catch_failure = NULL;                                                                                       \
    } while (0)

#endif
