/* A Beckon stack behind a TAP device or on AF_XDP; see device.h. */
#define _GNU_SOURCE 1
#include "device.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "kernel.h"

#define DEVICE_NAME "bench0"

bk_addr device_stack_address(void) {
    return bk_addr_ipv4(10, 0, 0, 1);
}

bk_addr device_kernel_address(void) {
    return bk_addr_ipv4(10, 1, 0, 1);
}

int device_stack(struct bench_stack *memory, const struct bk_config *config, const uint8_t mac[6],
                 struct bench_run *run) {
    struct bk_iface_config iface = {.layer = BK_LAYER_ETHERNET, .mtu = 1500};
    const bk_addr address = device_stack_address();
    uint64_t now = bk_link_clock();
    memcpy(iface.mac, mac, sizeof iface.mac);
    if (bench_stack_create(memory, config, 1, now, run) < 0) return -1;
    int r = bk_iface_add(memory->stack, &iface, now);
    if (r >= 0) r = bk_iface_address_add(memory->stack, 0, &address, 8, true, now);
    return r < 0 ? bench_fail(run, "cannot set the stack up: %s", strerror(-r)) : 0;
}

int device_tap(const struct netns *ns, bk_stack *stack, bool plain, bk_link **link, struct bench_run *run) {
    const struct bk_tap_options options = {.name = DEVICE_NAME, .plain = plain, .fd = -1};
    const struct netns_address kernel = {.addr = device_kernel_address(), .prefix_length = 8};
    struct bk_tap_offload offload = {0};
    const char *why = "entering the namespace";
    int r = netns_enter(ns);
    if (r == 0) r = bk_tap_open(stack, 0, &options, link, &why);
    netns_leave(ns);
    if (r == 0) r = netns_configure(ns, DEVICE_NAME, &kernel, 1, &why);
    if (r < 0) return bench_fail(run, "TAP: %s: %s", why, strerror(-r));
    bk_tap_offload(*link, &offload);
    return offload.refused != NULL ? bench_fail(run, "TAP: refused: %s", offload.refused) : 0;
}

int device_xdp(const struct netns *other, struct bench_stack *memory, const struct bk_config *config, uint8_t mac[6],
               bk_link **link, struct bench_run *run) {
    const struct bk_xdp_options options = {.name = "bench1"};
    struct bk_xdp_device device = {0};
    const char *why = "entering the namespace";
    bool made = true;
    int r = netns_enter(other);
    if (r == 0) r = bk_xdp_device(options.name, NULL, &device, &why);
    if (r == 0) made = device_stack(memory, config, device.mac, run) == 0;
    if (r == 0 && made) r = bk_xdp_open(memory->stack, 0, &options, link, &why);
    netns_leave(other);
    memcpy(mac, device.mac, sizeof device.mac);
    if (!made) return -1;
    return r < 0 ? bench_fail(run, "AF_XDP: %s: %s", why, strerror(-r)) : 0;
}

int device_xdp_available(struct bench_run *run) {
    int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return bench_fail(run, "this kernel has no AF_XDP sockets: %s", strerror(errno));
    close(fd);
    return 0;
}

static void device_clear(struct device *d) {
    *d = (struct device){.ns = {.fd = -1, .home = -1}, .other = {.fd = -1, .home = -1}};
}

int device_open_xdp(struct device *d, const struct bk_config *config, struct bench_run *run) {
    uint8_t mac[6];
    device_clear(d);
    if (kernel_namespace(&d->ns, run) < 0 || kernel_namespace(&d->other, run) < 0 ||
        kernel_veth(&d->ns, &d->other, run) < 0 || device_xdp(&d->other, &d->memory, config, mac, &d->link, run) < 0)
        return -1;
    d->stack = d->memory.stack;
    return 0;
}

int device_open(struct device *d, const struct bk_config *config, bool plain, struct bench_run *run) {
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    device_clear(d);
    if (kernel_namespace(&d->ns, run) < 0 || device_stack(&d->memory, config, mac, run) < 0) return -1;
    d->stack = d->memory.stack;
    return device_tap(&d->ns, d->stack, plain, &d->link, run);
}

int device_pump(struct device *d, uint64_t now, struct bench_run *run) {
    int moved = bk_link_pump(d->link, now);
    return moved < 0 ? bench_fail(run, "the device fails: %s", strerror(-moved)) : moved;
}

void device_sleep(const bk_stack *stack, bk_link *link, uint64_t now, uint64_t until) {
    uint64_t next = u64_min(bk_next_deadline(stack), until);
    struct timespec timeout = {0};
    struct pollfd p = {.fd = bk_link_fd(link), .events = POLLIN};
    if (bk_link_wants_write(link)) p.events |= POLLOUT;
    if (next > now) {
        timeout.tv_sec = (time_t)((next - now) / NS_PER_S);
        timeout.tv_nsec = (long)((next - now) % NS_PER_S);
    }
    ppoll(&p, 1, &timeout, NULL);
}

void device_close(struct device *d) {
    bk_link_close(d->link);
    bench_stack_destroy(&d->memory);
    netns_destroy(&d->ns);
    netns_destroy(&d->other);
    device_clear(d);
}
