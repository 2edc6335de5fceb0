/* For programs that live in real time on a host: memory and randomness for a stack, and a wait for its link. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "link/link.h"

int bk_host_create(const struct bk_config *config, bk_stack **stack) {
    struct bk_config defaults;
    if (config == NULL) {
        bk_config_default(&defaults);
        config = &defaults;
    }
    size_t size = bk_region_size(config);
    if (size == 0) return -EINVAL;
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) return -ENOMEM;
    uint8_t seed[32];
    int error = getrandom(seed, sizeof seed, 0) == (ssize_t)sizeof seed ? 0 : -EIO;
    if (error == 0) error = bk_create(region, size, config, seed, bk_link_clock(), stack, NULL);
    explicit_bzero(seed, sizeof seed);
    if (error != 0) munmap(region, size);
    return error;
}

void bk_host_destroy(bk_stack *stack) {
    if (stack != NULL) munmap(stack, bk_region_size(bk_config_of(stack)));
}

/* When the link or one of its stacks must be seen to again. */
static uint64_t host_due(const bk_link *l) {
    uint64_t due = bk_link_next_deadline(l);
    for (unsigned e = 0; e < l->ends; e++) due = u64_min(due, bk_next_deadline(l->end[e].stack));
    return due;
}

int bk_link_wait(bk_link *l, uint64_t until) {
    uint64_t now = bk_link_clock();
    int moved = bk_link_pump(l, now);
    if (moved != 0 || bk_link_busy(l)) return moved;
    for (unsigned e = 0; e < l->ends; e++)
        if (bk_ready_pending(l->end[e].stack)) return 0;
    uint64_t due = u64_min(host_due(l), until);
    struct timespec sleep = {0};
    if (due > now) sleep = (struct timespec){(time_t)((due - now) / NS_PER_S), (long)((due - now) % NS_PER_S)};
    struct pollfd p[2] = {{bk_link_fd(l), (short)(POLLIN | (bk_link_wants_write(l) ? POLLOUT : 0)), 0},
                          {bk_link_wake_fd(l), POLLIN, 0}}; /* one that is -1 is passed over */
    if (ppoll(p, 2, due == BK_NEVER ? NULL : &sleep, NULL) < 0 && errno != EINTR) return -errno;
    return bk_link_pump(l, bk_link_clock());
}
