/* Tap and tun: the Linux kernel on the other end (Documentation/networking/tuntap.rst). This file moves frames.
 *
 * One read or write moves one frame, without packet information (IFF_NO_PI). Where offloads were agreed on, a virtio_net_hdr stands before it
 * (vnet.h), and a frame may be 64 KiB: the kernel's TCP and ours then hand each other whole units, whose checksums nobody computes
 * and which nobody cuts, since they never meet a wire. A unit leaves from where it lies, header and parts, in one write. What the header
 * cannot express, and what a capture or an impairment wants to see, is cut by the pump and written as plain frames.
 *
 * Frames are read into chunks, as many as a frame of the interface's MTU asks for, or a merged one while those come,
 * and then into a spare buffer: should the frame be longer, the rest is copied from there and nothing is cut short.
 *
 * A socket that keeps frames apart may take the device's place: a user-mode network or a virtual machine on its other end, or
 * another stack. All is as with a device, but that the other end can go away, which is an error (EPIPE) and no signal.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/trace.h"
#include "link/steer_program.h"
#include "link/tap.h"

#define TAP_SMALL 64u                   /* small frames in succession after which merged ones are no longer expected */
#define TAP_BATCH (4u * LINK_FRAME_MAX) /* bytes that are read before the stack is asked what it says to them */

/* ---- in ---- */

/* Takes chunks until enough are in hand for the frames that come of late: those of the MTU, or merged ones. A stack that is short of them goes on with fewer, but not with
 * less than a frame of the MTU takes. */
static bool tap_stock(struct tap *t) {
    bk_stack *stack = t->link.end[0].stack;
    if (t->kept < t->ready) t->kept += (uint32_t)bk_chunk_alloc(stack, t->chunk + t->kept, t->ready - t->kept);
    if (t->kept >= t->chunks) return true;
    t->link.counters.no_chunk++;
    return false;
}

/* Reads one message into the header, the chunks in hand, then `spare`. */
static ssize_t tap_readv(struct tap *t, uint32_t size) {
    struct iovec iov[TAP_CHUNKS + 2];
    int n = 0;
    if (t->vnet > 0) iov[n++] = (struct iovec){.iov_base = t->vnet_header, .iov_len = t->vnet};
    for (uint32_t i = 0; i < t->kept; i++)
        iov[n++] = (struct iovec){.iov_base = bk_chunk_data(t->link.end[0].stack, t->chunk[i]), .iov_len = size};
    iov[n++] = (struct iovec){.iov_base = t->spare, .iov_len = sizeof t->spare};
    return readv(t->link.fd, iov, n);
}

/* Reads one message. Returns its length, 0 if there is none, or a negative errno. Where a frame fits in a chunk, read(2) does, at nine tenths of
 * the cost. Should one fill the chunk it may have been longer: it is lost then, and readv(2) takes those that follow. */
static ssize_t tap_read(struct tap *t) {
    bk_stack *stack = t->link.end[0].stack;
    uint32_t size = u32_min(bk_config_of(stack)->chunk_size, UINT16_MAX);
    bool small = t->vnet == 0 && t->chunks_most == 1 && !t->socket && !t->longer;
    ssize_t got;
    do got = small ? read(t->link.fd, bk_chunk_data(stack, t->chunk[0]), size) : tap_readv(t, size);
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN ? 0 : -errno;
    if (small && got == (ssize_t)size) t->longer = true;
    return got == 0 && t->socket ? -EPIPE : got;
}

/* A merged frame is likely to be followed by others; many small ones are answers, for which it is a waste to hold so many chunks ready. */
static void tap_expect(struct tap *t, uint32_t length, uint32_t size) {
    t->small = length > t->chunks * size ? 0 : t->small + 1;
    if (t->small == 0)
        t->ready = t->chunks_most;
    else if (t->small >= TAP_SMALL)
        t->ready = t->chunks;
}

/* Adds the frame that tap_read read, of `length` bytes. If its rest, in `spare`, finds no chunks, it is lost (and counted). */
static void tap_push(struct tap *t, struct link_batch *batch, uint32_t length) {
    bk_stack *stack = t->link.end[0].stack;
    uint32_t size = u32_min(bk_config_of(stack)->chunk_size, UINT16_MAX);
    uint32_t fits = t->kept * size, used = u32_min(link_chunks(stack, length), t->kept), more = 0, left = length;
    struct bk_part *part = &batch->part[batch->part_count];
    tap_expect(t, length, size);
    if (length > fits) {
        uint32_t extra[TAP_CHUNKS];
        struct iovec iov = {.iov_base = t->spare, .iov_len = length - fits};
        more = link_chunks(stack, length - fits);
        if (!link_batch_room(batch, used + more) || !link_chunks_alloc(&t->link, stack, extra, more)) return;
        link_frame_fill(stack, extra, part + used, &iov, 1);
        left = fits;
    }
    /* The last chunks in hand stay in hand, so the frame takes the first and the others move up. */
    for (uint32_t i = 0; i < used; i++) {
        part[i] = (struct bk_part){.chunk = t->chunk[i], .length = (uint16_t)u32_min(left, size)};
        left -= part[i].length;
    }
    t->kept -= used;
    memmove(t->chunk, t->chunk + used, t->kept * sizeof *t->chunk);
    struct bk_rx *rx = link_batch_push(batch, used + more);
    if (t->vnet > 0) vnet_parse(t->vnet_header, length, rx);
}

/* A message too short for its own header holds no frame, but is told of like one. */
static void tap_push_short(struct link_batch *batch) {
    struct bk_rx *rx = link_batch_push(batch, 0);
    rx->flags = BK_RX_REFUSED;
    rx->reason = BK_REASON_DROP_OFFLOAD_SHORT;
}

static int tap_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct tap *t = (struct tap *)l;
    int error = 0;
    (void)now;
    for (size_t bytes = 0; bytes < TAP_BATCH && link_batch_room(batch, t->chunks_most) && tap_stock(t);) {
        ssize_t n = tap_read(t);
        if (n < 0) error = (int)n;
        batch->drained = n <= 0;
        if (n <= 0) break;
        bytes += (size_t)n;
        if (n > (ssize_t)t->vnet)
            tap_push(t, batch, (uint32_t)n - t->vnet);
        else
            tap_push_short(batch);
    }
    /* The stack may need them for what it is about to hear. */
    bk_chunk_release(l->end[end].stack, t->chunk, t->kept);
    t->kept = 0;
    return error;
}

/* ---- out ---- */

/* Writes one message, whose first piece is the header if there is one. Returns as transmit does. */
static int tap_write(struct tap *t, struct iovec *iov, int count) {
    const struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
    ssize_t n;
    do
        n = t->socket   ? sendmsg(t->link.fd, &message, MSG_NOSIGNAL)
            : count > 1 ? writev(t->link.fd, iov, count)
                        : write(t->link.fd, iov->iov_base, iov->iov_len);
    while (n < 0 && errno == EINTR);
    if (n >= 0) return 1;
    if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) return -errno;
    t->link.full = true;
    return 0;
}

static int tap_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    struct tap *t = (struct tap *)l;
    uint8_t plain[VNET_HEADER_MAX] = {0}; /* nothing is left to do */
    struct iovec all[LINK_IOV + 1];
    int n = 0;
    (void)end;
    (void)now;
    if (count > (int)LINK_IOV) return -EMSGSIZE;
    if (t->vnet > 0) all[n++] = (struct iovec){.iov_base = plain, .iov_len = t->vnet};
    memcpy(all + n, iov, (size_t)count * sizeof *iov);
    return tap_write(t, all, n + count);
}

static int tap_transmit_unit(bk_link *l, unsigned end, struct cut *cut, uint64_t now) {
    struct tap *t = (struct tap *)l;
    uint8_t header[VNET_HEADER_MAX] = {0};
    struct iovec iov[LINK_IOV + 1] = {{.iov_base = header, .iov_len = t->vnet}};
    (void)now;
    int count =
        t->whole && cut->index == 0 && vnet_takes(cut->unit) ? link_gather(&l->end[end], cut->unit, iov + 1) : 0;
    if (count == 0) return LINK_CUT;
    vnet_emit(header, cut->unit);
    int r = tap_write(t, iov, count + 1);
    if (r != 1) return r;
    cut->index = cut->count;
    link_sent(l, (size_t)cut->unit->header_length + cut->unit->payload_length);
    return 1;
}

/* ---- offloads ---- */

int tap_agree(struct tap *t, bool on) {
    const struct bk_tap_offload *o = &t->offload;
    unsigned flags = on && o->checksums ? TUN_F_CSUM : 0;
    if (on && o->merged) flags |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    t->whole = on && o->units;
    return t->socket || ioctl(t->link.fd, TUNSETOFFLOAD, flags) == 0 ? 0 : -errno;
}

static void tap_plain(bk_link *l, bool plain) {
    (void)tap_agree((struct tap *)l, !plain); /* the device has agreed to both before */
}

/* A device that outlives us must not go on leaving work to whoever opens it next. */
static void tap_close(bk_link *l) {
    struct tap *t = (struct tap *)l;
    if (l->fd < 0) return;
    if (!t->shared) (void)tap_agree(t, false);
    close(l->fd);
}

const struct link_ops tap_ops = {
    .receive = tap_receive,
    .transmit = tap_transmit,
    .transmit_unit = tap_transmit_unit,
    .plain = tap_plain,
    .close = tap_close,
};

static const struct tap *tap_of(const bk_link *link) {
    while (link != NULL && link->ops != &tap_ops) link = link->inner;
    return (const struct tap *)link;
}

const char *bk_tap_name(const bk_link *link) {
    const struct tap *t = tap_of(link);
    return t != NULL ? t->name : "";
}

void bk_tap_offload(const bk_link *link, struct bk_tap_offload *out) {
    const struct tap *t = tap_of(link);
    *out = t != NULL ? t->offload : (struct bk_tap_offload){0};
}

int bk_tap_steer(bk_link *link, const char **why) {
    const struct tap *t = tap_of(link);
    const char *reason = "the link is no device's";
    int r = -EINVAL;
    if (t != NULL && !t->socket) {
        const struct link_end *end = &link->end[0];
        const struct bk_steering *steering = &bk_config_of(end->stack)->steering;
        enum bk_layer layer = link_end_type(end) == LINK_TYPE_IP ? BK_LAYER_IP : BK_LAYER_ETHERNET;
        struct bk_steer_table table;
        bk_steer_table_make(&table, steering);
        reason = "the stack is in no group";
        r = steering->stacks > 1 ? steer_program_load(&table, layer, BPF_PROG_TYPE_SOCKET_FILTER, &reason) : -EINVAL;
    }
    if (r >= 0) {
        int program = r;
        reason = "TUNSETSTEERINGEBPF: give the program to the device (since Linux 4.16)";
        r = ioctl(t->link.fd, TUNSETSTEERINGEBPF, &program) == 0 ? 0 : -errno;
        close(program); /* the device holds it */
    }
    if (r < 0 && why != NULL) *why = reason;
    return r;
}
