/* Tap and tun: the Linux kernel on the other end (Documentation/networking/tuntap.rst).
 *
 * One read or write moves one frame, without packet information (IFF_NO_PI). Frames are read into as many chunks as the
 * interface's MTU asks for, and then into a spare buffer: should the kernel's side have a larger MTU than ours, the rest
 * is copied from there and no frame is cut short.
 *
 * A descriptor that was opened elsewhere with IFF_VNET_HDR carries a virtio_net_hdr before each frame; it is read and written
 * then. Nothing is offered for offload (TUNSETOFFLOAD 0), so what we write says "a plain frame"; what we read is
 * believed: checksum state and segment size go to the stack with the frame. Offload would begin here: a transmit_unit
 * that fills the header in from struct bk_tx.
 *
 * A socket that keeps frames apart may take the device's place: a user-mode network or a virtual machine on its other end, or
 * another stack. All is as with a device, but that the other end can go away, which is an error (EPIPE) and no signal.
 *
 * A device in another network namespace is opened from there (netns.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/link.h"
#include "link/netns.h"

#define TAP_CHUNKS   260u /* of a frame at most: 64 KiB in chunks of 256 bytes */
#define TAP_VNET_MAX 64u

struct tap {
    bk_link link;
    char name[IFNAMSIZ];
    bool socket;     /* a socket that carries a frame a message, not a device */
    uint32_t vnet;   /* bytes of virtio_net_hdr before each frame; 0: none */
    uint32_t chunks; /* that a frame needs */
    uint32_t kept;   /* chunks in hand */
    uint32_t chunk[TAP_CHUNKS];
    uint8_t vnet_header[TAP_VNET_MAX];
    uint8_t spare[LINK_FRAME_MAX];
};

/* ---- moving frames ---- */

/* Tells the stack what the device says about the frame. */
static void tap_vnet_read(const struct tap *t, struct bk_rx *rx) {
    struct virtio_net_hdr h;
    memcpy(&h, t->vnet_header, sizeof h);
    if (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) rx->flags |= BK_RX_CHECKSUM_PARTIAL;
    if (h.flags & VIRTIO_NET_HDR_F_DATA_VALID) rx->flags |= BK_RX_CHECKSUM_VALID;
    if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE) rx->gso_size = h.gso_size;
}

/* Reads one frame into the chunks in hand, then `spare`. Returns its length, 0 if there is none, or a negative errno. */
static ssize_t tap_read(struct tap *t) {
    struct iovec iov[TAP_CHUNKS + 2];
    bk_stack *stack = t->link.end[0].stack;
    uint32_t size = bk_config_of(stack)->chunk_size;
    int n = 0;
    if (t->vnet > 0) iov[n++] = (struct iovec){.iov_base = t->vnet_header, .iov_len = t->vnet};
    for (uint32_t i = 0; i < t->chunks; i++)
        iov[n++] = (struct iovec){.iov_base = bk_chunk_data(stack, t->chunk[i]), .iov_len = u32_min(size, UINT16_MAX)};
    iov[n++] = (struct iovec){.iov_base = t->spare, .iov_len = sizeof t->spare};
    ssize_t got;
    do got = readv(t->link.fd, iov, n);
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN ? 0 : -errno;
    if (got == 0 && t->socket) return -EPIPE;
    return got > (ssize_t)t->vnet ? got - (ssize_t)t->vnet : 0;
}

/* Adds the frame that tap_read read. False: its rest, in `spare`, found no chunks, and it is lost (and counted). */
static bool tap_push(struct tap *t, struct link_batch *batch, uint32_t length) {
    bk_stack *stack = t->link.end[0].stack;
    uint32_t size = u32_min(bk_config_of(stack)->chunk_size, UINT16_MAX);
    uint32_t fits = t->chunks * size, used = u32_min(link_chunks(stack, length), t->chunks), more = 0;
    struct bk_part *part = &batch->part[batch->part_count];
    if (length > fits) {
        uint32_t extra[TAP_CHUNKS];
        struct iovec iov = {.iov_base = t->spare, .iov_len = length - fits};
        more = link_chunks(stack, length - fits);
        if (!link_batch_room(batch, used + more) || !link_chunks_alloc(&t->link, stack, extra, more)) return false;
        link_frame_fill(stack, extra, part + used, &iov, 1);
        length = fits;
    }
    /* The last chunks in hand stay in hand, so the frame takes the first and the others move up. */
    for (uint32_t i = 0; i < used; i++) {
        part[i] = (struct bk_part){.chunk = t->chunk[i], .length = (uint16_t)u32_min(length, size)};
        length -= part[i].length;
    }
    t->kept -= used;
    memmove(t->chunk, t->chunk + used, t->kept * sizeof *t->chunk);
    struct bk_rx *rx = link_batch_push(batch, used + more);
    if (t->vnet > 0) tap_vnet_read(t, rx);
    return true;
}

static int tap_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct tap *t = (struct tap *)l;
    bk_stack *stack = l->end[end].stack;
    int error = 0;
    (void)now;
    while (link_batch_room(batch, t->chunks)) {
        if (t->kept < t->chunks) {
            if (!link_chunks_alloc(l, stack, t->chunk + t->kept, t->chunks - t->kept)) break;
            t->kept = t->chunks;
        }
        ssize_t n = tap_read(t);
        if (n < 0) error = (int)n;
        if (n <= 0) break;
        tap_push(t, batch, (uint32_t)n);
    }
    /* The stack may need them for what it is about to hear. */
    bk_chunk_release(stack, t->chunk, t->kept);
    t->kept = 0;
    return error;
}

static int tap_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    struct tap *t = (struct tap *)l;
    static const uint8_t plain[TAP_VNET_MAX]; /* no flags, VIRTIO_NET_HDR_GSO_NONE */
    struct iovec all[TAP_CHUNKS];
    (void)end;
    (void)now;
    if (t->vnet > 0) {
        all[0] = (struct iovec){.iov_base = (void *)(uintptr_t)plain, .iov_len = t->vnet};
        if (count + 1 > (int)TAP_CHUNKS) return -EMSGSIZE;
        memcpy(all + 1, iov, (size_t)count * sizeof *iov);
        iov = all;
        count++;
    }
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    ssize_t n;
    do n = t->socket ? sendmsg(l->fd, &message, MSG_NOSIGNAL) : writev(l->fd, iov, count);
    while (n < 0 && errno == EINTR);
    if (n >= 0) return 1;
    if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) return -errno;
    l->full = true;
    return 0;
}

static void tap_close(bk_link *l) {
    if (l->fd >= 0) close(l->fd);
}

static const struct link_ops tap_ops = {.receive = tap_receive, .transmit = tap_transmit, .close = tap_close};

/* ---- opening ---- */

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

static void tap_open_here(void *opening) {
    struct tap_opening *o = opening;
    struct ifreq request = {0};
    o->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (o->fd < 0) {
        tap_fail(o, "open /dev/net/tun");
        return;
    }
    request.ifr_flags = (short)((o->options->tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI);
    if (o->options->name != NULL) snprintf(request.ifr_name, sizeof request.ifr_name, "%s", o->options->name);
    if (ioctl(o->fd, TUNSETIFF, &request) != 0) tap_fail(o, "TUNSETIFF: make or attach to the device");
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

/* Asks the descriptor what it is. Returns 0, or a negative errno and *why. */
static int tap_examine(struct tap *t, bool tun, const char **why) {
    struct ifreq request = {0};
    int fd = t->link.fd, size = sizeof(struct virtio_net_hdr);
    t->socket = tap_is_socket(fd);
    if (t->socket) {
        snprintf(t->name, sizeof t->name, "socket");
        *why = "F_SETFL: make the descriptor non-blocking";
        return tap_set_nonblocking(fd);
    }
    *why = "TUNGETIFF: ask the descriptor what it is";
    if (ioctl(fd, TUNGETIFF, &request) != 0) return -errno;
    memcpy(t->name, request.ifr_name, sizeof t->name);
    t->name[sizeof t->name - 1] = 0;
    *why = "the descriptor is not of the kind (tun or tap) asked for";
    if (!!(request.ifr_flags & IFF_TUN) != tun) return -EINVAL;
    *why = "the descriptor carries packet information: it must have IFF_NO_PI";
    if (!(request.ifr_flags & IFF_NO_PI)) return -EINVAL;
    *why = "F_SETFL: make the descriptor non-blocking";
    int r = tap_set_nonblocking(fd);
    if (r != 0) return r;
    if (!(request.ifr_flags & IFF_VNET_HDR)) return 0;
    *why = "TUNGETVNETHDRSZ, TUNSETOFFLOAD: agree on the virtio header";
    if (ioctl(fd, TUNGETVNETHDRSZ, &size) != 0 || ioctl(fd, TUNSETOFFLOAD, 0) != 0) return -errno;
    if (size < (int)sizeof(struct virtio_net_hdr) || size > (int)TAP_VNET_MAX) return -EINVAL;
    t->vnet = (uint32_t)size;
    return 0;
}

static int tap_set_up(struct tap *t, bk_stack *stack, uint32_t iface, const struct bk_tap_options *options,
                      const char **why) {
    struct tap_opening o = {.options = options, .fd = options->fd};
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
    return tap_examine(t, options->tun, why);
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

const char *bk_tap_name(const bk_link *link) {
    while (link != NULL && link->ops != &tap_ops) link = link->inner;
    return link != NULL ? ((const struct tap *)link)->name : "";
}
