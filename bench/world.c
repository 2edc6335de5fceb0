/* Two stacks joined in this process; see world.h.
 *
 * The socket pair stands for a TAP device whose other side is a second Beckon: the driver's reads and writes are those of a
 * device, Ethernet and ARP included, but no kernel thread decides how many frames a read finds. The buffer of a socket
 * is larger than what the windows here let be in flight, so its size, which differs from kernel to kernel, decides nothing either.
 */
#define _GNU_SOURCE 1
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"

#define WORLD_PATIENCE (10 * NS_PER_S)
#define WORLD_STEP     1000u /* ns of virtual time from one look at the clock to the next */

int bench_fail(struct bench_run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(run->why, sizeof run->why, format, args);
    va_end(args);
    return -1;
}

double bench_cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint64_t bench_clock_read(struct bench_clock *clock) {
    clock->now = clock->virtual_time ? clock->now + WORLD_STEP : bk_link_clock();
    return clock->now;
}

/* ---- stacks ---- */

int bench_stack_create(struct bench_stack *s, const struct bk_config *config, uint8_t seed, uint64_t now,
                       struct bench_run *run) {
    const uint8_t seeds[32] = {seed};
    const char *why = "";
    *s = (struct bench_stack){.size = bk_region_size(config)};
    void *region =
        mmap(NULL, u64_max(s->size, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return bench_fail(run, "cannot reserve %zu MiB for a stack: %s", s->size >> 20, strerror(errno));
    s->region = region;
    int r = bk_create(s->region, s->size, config, seeds, now, &s->stack, &why);
    return r < 0 ? bench_fail(run, "cannot create a stack: %s %s", strerror(-r), why) : 0;
}

void bench_stack_huge_pages(const struct bench_stack *s) {
    madvise(s->region, s->size, MADV_HUGEPAGE);
}

void bench_stack_destroy(struct bench_stack *s) {
    if (s->region != NULL) munmap(s->region, s->size);
    *s = (struct bench_stack){0};
}

void bench_bulk_config(struct bk_config *config, uint32_t buffer) {
    bk_config_default(config);
    config->connections = 16;
    config->requests_ipv4 = config->requests_ipv6 = 16;
    config->time_waits_ipv4 = config->time_waits_ipv6 = 16;
    config->send_buffer = config->receive_buffer = buffer;
    config->timestamps = false;
}

/* ---- the world ---- */

bk_addr bench_client_address(uint32_t i) {
    return bk_addr_ipv4(10, 0, (uint8_t)((i + 1) >> 8), (uint8_t)(i + 1));
}

static int world_iface(struct bench_world *w, uint32_t side, enum bench_world_kind kind, uint32_t mtu) {
    struct bk_iface_config config = {.layer = kind == BENCH_SOCKETS ? BK_LAYER_ETHERNET : BK_LAYER_IP,
                                     .mac = {2, 0, 0, 0, 0, (uint8_t)side},
                                     .mtu = mtu};
    config.accept_any = kind == BENCH_MEMORY_BY_REFERENCE && side == 1;
    return bk_iface_add(w->stack[side], &config, w->clock.now);
}

static int world_addresses(struct bench_world *w, uint32_t clients, uint32_t near, uint32_t far) {
    const bk_addr none = bk_addr_ipv4(0, 0, 0, 0);
    int r = 0;
    for (uint32_t i = 0; i < clients && r == 0; i++) {
        bk_addr a = bench_client_address(i);
        r = bk_iface_address_add(w->stack[0], near, &a, 8, true, w->clock.now);
    }
    if (r < 0 || !w->same) return r < 0 ? r : bk_iface_address_add(w->stack[1], far, &w->server, 8, true, w->clock.now);
    /* One stack delivers to its own addresses without a link, so the far interface has none and takes anything, and
     * routes send each way across. */
    bk_addr a = bench_client_address(0);
    r = bk_route_add(w->stack[0], &w->server, 32, &none, near);
    return r < 0 ? r : bk_route_add(w->stack[0], &a, 32, &none, far);
}

static int world_sockets(struct bench_world *w, const char **why) {
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0) {
        *why = "socketpair";
        return -errno;
    }
    int r = 0;
    for (uint32_t side = 0; side < 2; side++) {
        struct bk_tap_options options = {.fd = fd[side]};
        if (r == 0) r = bk_tap_open(w->stack[side], 0, &options, &w->link[side], why);
        if (w->link[side] == NULL) close(fd[side]);
    }
    return r;
}

static int world_link(struct bench_world *w, enum bench_world_kind kind, uint32_t near, uint32_t far,
                      const char **why) {
    if (kind == BENCH_SOCKETS) return world_sockets(w, why);
    const struct bk_memory_options options = {.by_reference = kind == BENCH_MEMORY_BY_REFERENCE};
    *why = "the memory link";
    return bk_memory_open(w->stack[0], near, w->stack[1], far, &options, &w->link[0]);
}

int bench_world_open(struct bench_world *w, enum bench_world_kind kind, const struct bk_config *config,
                     uint32_t clients, struct bench_run *run) {
    return bench_world_open_mtu(w, kind, BENCH_MTU, config, clients, run);
}

int bench_world_open_mtu(struct bench_world *w, enum bench_world_kind kind, uint32_t mtu,
                         const struct bk_config *config, uint32_t clients, struct bench_run *run) {
    struct bk_config c = *config;
    memset(w, 0, sizeof *w);
    w->run = run;
    w->clock = (struct bench_clock){.virtual_time = run->virtual_time, .now = 1};
    w->progress = bench_clock_read(&w->clock);
    w->same = kind == BENCH_MEMORY_BY_REFERENCE;
    w->server = bk_addr_ipv4(10, 1, 0, 1);
    c.addresses = u32_max(c.addresses, clients);
    for (uint32_t side = 0; side < bench_world_stacks(w); side++)
        if (bench_stack_create(&w->memory[side], &c, (uint8_t)(side + 1), w->clock.now, run) < 0) return -1;
    w->stack[0] = w->memory[0].stack;
    w->stack[1] = w->same ? w->stack[0] : w->memory[1].stack;
    int near = world_iface(w, 0, kind, mtu), far = world_iface(w, 1, kind, mtu);
    if (near < 0 || far < 0) return bench_fail(run, "cannot add interfaces: %s", strerror(near < 0 ? -near : -far));
    const char *why = "addresses";
    int r = world_addresses(w, clients, (uint32_t)near, (uint32_t)far);
    if (r == 0) r = world_link(w, kind, (uint32_t)near, (uint32_t)far, &why);
    return r < 0 ? bench_fail(run, "cannot join the stacks: %s: %s", why, strerror(-r)) : 0;
}

void bench_world_close(struct bench_world *w) {
    for (uint32_t i = 0; i < 2; i++) bk_link_close(w->link[i]);
    for (uint32_t i = 0; i < 2; i++) bench_stack_destroy(&w->memory[i]);
    *w = (struct bench_world){0};
}

/* Nothing is under way: virtual time goes to the next deadline. */
static void world_wait(struct bench_world *w) {
    uint64_t next = BK_NEVER;
    if (!w->clock.virtual_time) return;
    for (uint32_t i = 0; i < bench_world_stacks(w); i++) next = u64_min(next, bk_next_deadline(w->stack[i]));
    if (next != BK_NEVER) w->clock.now = u64_max(w->clock.now, next);
}

int bench_world_turn(struct bench_world *w, uint64_t now, bool busy) {
    for (uint32_t i = 0; i < 2 && w->link[i] != NULL; i++) {
        int r = bk_link_pump(w->link[i], now);
        if (r < 0) return bench_fail(w->run, "the link fails: %s", strerror(-r));
        if (r > 0) busy = true;
    }
    if (busy) {
        w->progress = now;
        return 0;
    }
    if (now - w->progress > WORLD_PATIENCE) return bench_fail(w->run, "nothing moves any more");
    world_wait(w);
    return 0;
}
