/* Opening a TAP or TUN device, and agreeing with it on offloads.
 *
 * Unless they are refused, all offloads that the driver knows are asked for. A device that does not know them, or a stack
 * with too few chunks for merged frames, makes them fewer, and bk_tap_offload says so: nothing fails for want of an offload.
 *
 * A device in another network namespace is opened from there (netns.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "link/netns.h"
#include "link/tap.h"

#define TAP_MERGED 2u /* merged frames that the stack's chunks must have room for besides what queues may hold */

/* ---- the descriptor ---- */

struct tap_opening {
    const struct bk_tap_options *options;
    int fd; /* or a negative errno */
    const char *why;
};

static void tap_fail(struct tap_opening *o, const char *why) {
    int error = errno;
    if (o->fd >= 0) close(o->fd);
    o->fd = -error;
    o->why = why;
}

/* Makes the device, or attaches to it. Returns 0 or a negative errno. */
static int tap_attach(const struct tap_opening *o, int header) {
    const struct bk_tap_options *options = o->options;
    int flags = (options->tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | header;
    struct ifreq request = {0};
    if (options->multi_queue) flags |= IFF_MULTI_QUEUE;
    request.ifr_flags = (short)flags;
    if (options->name != NULL) snprintf(request.ifr_name, sizeof request.ifr_name, "%s", options->name);
    return ioctl(o->fd, TUNSETIFF, &request) == 0 ? 0 : -errno;
}

static void tap_open_here(void *opening) {
    struct tap_opening *o = opening;
    o->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (o->fd < 0) {
        tap_fail(o, "open /dev/net/tun");
        return;
    }
    int r = tap_attach(o, o->options->plain ? 0 : IFF_VNET_HDR);
    if (r == -EINVAL && !o->options->plain) r = tap_attach(o, 0);
    errno = -r;
    if (r != 0) tap_fail(o, "TUNSETIFF: make or attach to the device");
}

/* Opens a new descriptor, in the namespace asked for. */
static void tap_open_new(struct tap_opening *o) {
    int r = link_in_netns(o->options->netns, tap_open_here, o, &o->why);
    if (r != 0) o->fd = r;
}

/* Whether it is a socket that keeps frames apart. No frame is empty, so reading nothing means that the other end is gone. */
static bool tap_is_socket(int fd) {
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && (type == SOCK_SEQPACKET || type == SOCK_DGRAM);
}

static int tap_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ? -errno : 0;
}

/* Asks a device what it is. Returns 0, or a negative errno and *why. */
static int tap_examine(struct tap *t, bool tun, bool *header, const char **why) {
    struct ifreq request = {0};
    *why = "TUNGETIFF: ask the descriptor what it is";
    if (ioctl(t->link.fd, TUNGETIFF, &request) != 0) return -errno;
    memcpy(t->name, request.ifr_name, sizeof t->name);
    t->name[sizeof t->name - 1] = 0;
    *why = "the descriptor is not of the kind (tun or tap) asked for";
    if (!!(request.ifr_flags & IFF_TUN) != tun) return -EINVAL;
    *why = "the descriptor carries packet information: it must have IFF_NO_PI";
    if (!(request.ifr_flags & IFF_NO_PI)) return -EINVAL;
    t->shared = request.ifr_flags & IFF_MULTI_QUEUE;
    *header = request.ifr_flags & IFF_VNET_HDR;
    return 0;
}

/* ---- offloads ---- */

/* The header's length is the device's, its byte order ours to choose. */
static int tap_agree_header(struct tap *t, const char **why) {
    int size = 0, little = 1;
    *why = "TUNGETVNETHDRSZ, TUNSETVNETLE: agree on the virtio header";
    if (ioctl(t->link.fd, TUNGETVNETHDRSZ, &size) != 0 || ioctl(t->link.fd, TUNSETVNETLE, &little) != 0) return -errno;
    if (size < (int)VNET_HEADER || size > (int)VNET_HEADER_MAX) return -EINVAL;
    t->vnet = (uint32_t)size;
    return 0;
}

/* Whether merged frames that nobody has looked at yet always find chunks, however much is queued. */
static bool tap_room_for_merged(const struct tap *t) {
    const bk_stack *stack = t->link.end[0].stack;
    const struct bk_config *c = bk_config_of(stack);
    uint32_t need = link_chunks(stack, LINK_FRAME_MAX);
    return need <= TAP_CHUNKS && c->chunks - c->buffer_chunks >= TAP_MERGED * need;
}

static void tap_agree_offload(struct tap *t) {
    struct bk_tap_offload *o = &t->offload;
    *o = (struct bk_tap_offload){.units = true, .checksums = true, .merged = tap_room_for_merged(t)};
    if (!o->merged) o->refused = "merged frames: too few chunks besides those that queues may hold (buffer_chunks)";
    if (tap_agree(t, true) != 0 && o->merged) {
        o->merged = false;
        o->refused = "TUNSETOFFLOAD: the device does not merge frames";
        if (tap_agree(t, true) == 0) return;
    }
    if (tap_agree(t, true) == 0) return;
    o->checksums = o->merged = false;
    o->refused = "TUNSETOFFLOAD: the device leaves no checksums to us";
    (void)tap_agree(t, true);
}

/* Returns 0, or a negative errno and *why. */
static int tap_agree_all(struct tap *t, const struct bk_tap_options *options, bool header, const char **why) {
    int r = 0;
    if (t->socket)
        t->vnet = options->socket_header;
    else if (header)
        r = tap_agree_header(t, why);
    if (r != 0) return r;
    if (t->vnet > 0 && !options->plain)
        tap_agree_offload(t);
    else if (!t->socket && !t->shared)
        (void)tap_agree(t, false); /* whoever had the device before may have agreed to more */
    if (t->vnet == 0 && !t->socket && !options->plain)
        t->offload.refused = "IFF_VNET_HDR: the device has no header to say so";
    t->chunks_most = t->offload.merged ? link_chunks(t->link.end[0].stack, LINK_FRAME_MAX) : t->chunks;
    t->ready = t->chunks;
    return 0;
}

/* ---- both ---- */

static int tap_set_up(struct tap *t, bk_stack *stack, uint32_t iface, const struct bk_tap_options *options,
                      const char **why) {
    struct tap_opening o = {.options = options, .fd = options->fd};
    bool header = false;
    *why = "the stack has no such interface, or too few chunks for a frame";
    int r = link_end_set(&t->link, 0, stack, iface);
    if (r != 0) return r;
    *why = "the layer of the stack's interface: tun is IP, tap is Ethernet";
    if ((link_end_type(&t->link.end[0]) == LINK_TYPE_IP) != options->tun) return -EINVAL;
    t->chunks = link_chunks(stack, link_end_frame_max(&t->link.end[0]));
    if (o.fd < 0) tap_open_new(&o);
    *why = o.why;
    if (o.fd < 0) return o.fd;
    t->link.fd = o.fd;
    t->socket = tap_is_socket(o.fd);
    *why = "a header before a socket's frames has 10 to 64 bytes, and a device has its own";
    uint32_t own = options->socket_header;
    if (own != 0 && (!t->socket || own < VNET_HEADER || own > VNET_HEADER_MAX)) return -EINVAL;
    if (t->socket)
        snprintf(t->name, sizeof t->name, "socket");
    else
        r = tap_examine(t, options->tun, &header, why);
    if (r == 0) r = tap_agree_all(t, options, header, why);
    if (r != 0) return r;
    *why = "F_SETFL: make the descriptor non-blocking";
    return tap_set_nonblocking(o.fd);
}

int bk_tap_open(bk_stack *stack, uint32_t iface, const struct bk_tap_options *options, bk_link **out,
                const char **why) {
    const char *reason = "memory";
    struct tap *t = link_new(sizeof *t, &tap_ops, 1);
    int r = t == NULL ? -ENOMEM : tap_set_up(t, stack, iface, options, &reason);
    if (r != 0) {
        if (why != NULL) *why = reason;
        /* A descriptor that was handed in stays the caller's when nothing came of it. */
        if (t != NULL && options->fd >= 0) t->link.fd = -1;
        bk_link_close(t == NULL ? NULL : &t->link);
        return r;
    }
    *out = &t->link;
    return 0;
}
