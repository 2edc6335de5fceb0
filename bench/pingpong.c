/* Times of round trips, and the kernel's two ends of them; see pingpong.h. */
#define _GNU_SOURCE 1
#include "pingpong.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "device.h"
#include "kernel.h"

const struct bench_metric pingpong_metrics[PINGPONG_METRICS] = {
    {"round trip, p50", "ns", 0},
    {"round trip, p90", "ns", 0},
    {"round trip, p99", "ns", 0},
    {"round trip, p99.9", "ns", 0},
};

int pingpong_begin(struct pingpong *p, uint64_t room, struct bench_run *run) {
    *p = (struct pingpong){.ns = calloc(room, sizeof *p->ns), .room = room};
    if (p->ns == NULL) return bench_fail(run, "no memory for %llu times", (unsigned long long)room);
    memset(p->ns, 1, room * sizeof *p->ns); /* no page of it is new when the timing begins */
    return 0;
}

void pingpong_end(struct pingpong *p) {
    free(p->ns);
    *p = (struct pingpong){0};
}

static int pingpong_compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int pingpong_values(struct pingpong *p, double values[PINGPONG_METRICS], struct bench_run *run) {
    static const uint64_t permille[PINGPONG_METRICS] = {500, 900, 990, 999};
    if (p->count == 0) return bench_fail(run, "nothing was timed");
    qsort(p->ns, p->count, sizeof *p->ns, pingpong_compare);
    for (uint32_t i = 0; i < PINGPONG_METRICS; i++) values[i] = p->ns[(p->count - 1) * permille[i] / 1000];
    return 0;
}

/* ---- the kernel on both ends ----------------------------------------------------------------------- */

static bool pingpong_read(int fd, uint8_t *byte, bool spin) {
    ssize_t n;
    do n = recv(fd, byte, 1, spin ? MSG_DONTWAIT : 0);
    while (n < 0 && (errno == EAGAIN || errno == EINTR));
    return n == 1;
}

static int pingpong_client(int fd, const struct pingpong_options *o, struct pingpong *p, struct bench_run *run) {
    uint64_t total = o->warm + o->count, before = bk_link_clock(), begun = before;
    for (uint64_t i = 0; i < total && before - begun < o->time; i++) {
        uint8_t byte = pingpong_byte(i), complement = (uint8_t)~byte, answer = 0;
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || !pingpong_read(fd, &answer, o->spin) || answer != complement)
            return bench_fail(run, "the kernel's answer to byte %llu is missing or wrong", (unsigned long long)i);
        uint64_t now = bk_link_clock();
        if (i >= o->warm) pingpong_note(p, now - before);
        if (i < o->warm) begun = now;
        before = now;
    }
    return 0;
}

int pingpong_kernels(const struct pingpong_options *options, double values[PINGPONG_METRICS], struct bench_run *run) {
    struct netns ns = {.fd = -1, .home = -1}, other = ns;
    struct kernel_peer peer = {0};
    struct pingpong p;
    cpu_set_t processors;
    bool veth = options->link == PINGPONG_VETH;
    const bk_addr to = veth ? device_kernel_address() : bk_addr_ipv4(127, 0, 0, 1);
    int fd = -1, r = pingpong_begin(&p, options->count, run);
    kernel_pin(&processors);
    kernel_hurry(!options->spin); /* one that spins would keep the kernel's own threads from running */
    if (r == 0) r = kernel_namespace(&ns, run);
    if (r == 0 && veth) r = kernel_namespace(&other, run);
    if (r == 0 && veth) r = kernel_veth(&ns, &other, run);
    if (r == 0) r = kernel_start(&peer, &ns, &processors, options->spin ? KERNEL_ECHO_SPINNING : KERNEL_ECHO, 0, run);
    if (r == 0) r = fd = kernel_connect(veth ? &other : &ns, &to, run);
    if (r >= 0) r = pingpong_client(fd, options, &p, run);
    if (fd >= 0) close(fd);
    if (r == 0) r = kernel_finish(&peer, run);
    kernel_kill(&peer);
    netns_destroy(&ns);
    netns_destroy(&other);
    kernel_hurry(false);
    kernel_unpin(&processors);
    if (r == 0) r = pingpong_values(&p, values, run);
    pingpong_end(&p);
    return r;
}
