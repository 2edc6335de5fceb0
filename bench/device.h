/* A Beckon stack behind a TAP device, or on AF_XDP at one end of a veth pair, with the kernel of a private namespace on the other side: 10.0.0.1 is
 * Beckon's, 10.1.0.1 the kernel's. */
#ifndef BENCH_DEVICE_H
#define BENCH_DEVICE_H

#include "beckon/link.h"
#include "cmd/netns.h"
#include "world.h"

struct device {
    struct netns ns;    /* the kernel's side */
    struct netns other; /* Beckon's end of the pair */
    struct bench_stack memory;
    bk_stack *stack;
    bk_link *link;
};

bk_addr device_stack_address(void);
bk_addr device_kernel_address(void);
/* A stack with an Ethernet interface of this address, 10.0.0.1. Returns 0, or -1 and run->why; destroy it in either case. */
int device_stack(struct bench_stack *memory, const struct bk_config *config, const uint8_t mac[6],
                 struct bench_run *run);
/* Puts a TAP device into the namespace, with the kernel's address, and opens it for the stack; `plain`: without offloads, else all of them or none.
 * Returns 0, or -1 and run->why. */
int device_tap(const struct netns *ns, bk_stack *stack, bool plain, bk_link **link, struct bench_run *run);
/* Makes a stack, as device_stack does, with the address of the end of the pair (kernel_veth) in `other`, sets mac to that, and opens AF_XDP there. Returns
 * 0, or -1 and run->why; destroy the stack in either case. */
int device_xdp(const struct netns *other, struct bench_stack *memory, const struct bk_config *config, uint8_t mac[6],
               bk_link **link, struct bench_run *run);
/* Says in run->why why there are no AF_XDP sockets here, and returns -1; else 0. */
int device_xdp_available(struct bench_run *run);
/* Makes namespace, stack and device. Returns 0, or -1 and run->why; close it in either case. */
int device_open(struct device *d, const struct bk_config *config, bool plain, struct bench_run *run);
/* The same on AF_XDP. */
int device_open_xdp(struct device *d, const struct bk_config *config, struct bench_run *run);
/* Moves frames; returns how many, or -1 and run->why. */
int device_pump(struct device *d, uint64_t now, struct bench_run *run);
/* Sleeps until a frame comes, there is room for one, a deadline of the stack's, or `until`. */
void device_sleep(const bk_stack *stack, bk_link *link, uint64_t now, uint64_t until);
void device_close(struct device *d);

#endif
