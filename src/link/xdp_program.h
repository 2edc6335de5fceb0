/* The program that gives frames of a device to an AF_XDP socket, and the device's own words about itself. */
#ifndef LINK_XDP_PROGRAM_H
#define LINK_XDP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "beckon/link.h"

struct xdp_program {
    int map;  /* from the queue's number to its socket, or -1 */
    int link; /* the attachment, which ends when all that share it have closed it; or -1 */
};

/* Attaches a program to the device, in its driver if that knows how (*native), that gives all frames of this queue to the socket and lets the
 * kernel have those of other queues, of which the device has so many with this one. Returns 0, or a negative errno and *why; detach it in either
 * case. */
int xdp_program_attach(struct xdp_program *p, const struct bk_xdp_device *device, uint32_t queue, int socket,
                       bool *native, const char **why);
/* Has a program that is attached serve another queue of its device. Returns as that. */
int xdp_program_share(struct xdp_program *p, const struct xdp_program *attached, uint32_t queue, int socket,
                      const char **why);
void xdp_program_detach(struct xdp_program *p);

/* As bk_xdp_device, of a device in the namespace where the caller is. */
int xdp_device_ask(const char *name, struct bk_xdp_device *out, const char **why);

#endif
