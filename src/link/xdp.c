/* AF_XDP: frames of a network device, past the kernel's stack (Documentation/networking/af_xdp.rst).
 *
 * The stack's chunks are the socket's memory (UMEM). They are all made when the link is opened, so that they lie in one piece (but for those
 * of before, which lie a little lower), and that piece is registered; the rest of the region, which may be gigabytes that nobody ever
 * touches, is not pinned. An address that the kernel and we exchange is a byte's distance from the start of that piece.
 *
 * In: the fill ring holds free chunks, the kernel writes arriving frames into them, 256 bytes from their start, and the stack gets
 * them as they are: nothing is copied here, and no system call is made while frames keep coming. Each chunk that the stack takes over is
 * replaced by another one from its pool. When the pool is empty the fill ring runs dry, and the kernel drops (and counts) what arrives.
 *
 * Out: a unit is cut into frames, each written (and checksummed, on the way) into a chunk of the link's own. References to header and
 * payload where they lie would need a descriptor for each piece, and the kernel, which copies the frame into a packet buffer of its own in any case,
 * would make a page reference of each. A turn's frames are shown to the kernel at its end, with one system call for as many as it
 * takes at a time. Chunks come back by the completion ring when the receiver has let go of the packets; while none is left, the device counts as full.
 *
 * A chunk that is lent to the kernel or kept for sending is marked, so that all can be given back in the end, wherever they are,
 * and that a descriptor which names another one is noticed.
 */
#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/region.h"
#include "link/link.h"
#include "link/netns.h"
#include "link/xdp_program.h"
#include "link/xdp_ring.h"

#define XDP_FRAMES    2048u
#define XDP_FILL      64u  /* chunks asked of the stack at once */
#define XDP_HEADROOM  256u /* that the kernel leaves before an arriving frame */
#define XDP_SPIN_US   50u
#define XDP_SPIN_RUN  8u
#define XDP_SEND_MAX  256u      /* frames that one system call takes */
#define XDP_SEND_ROOM (4 << 20) /* bytes of packets on their way */

#ifndef XDP_MAX_TX_SKB_BUDGET /* since Linux 6.17; where it is not known, a call takes 32 frames */
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

struct xdp {
    bk_link link;
    struct bk_xdp_info info;
    struct bk_xdp_counters counters; /* those that are ours */
    struct xdp_program program;
    struct xdp_ring fill, completion, receive, transmit;
    uint64_t start, length; /* of what is registered, in the region */
    uint32_t chunk_size;
    uint64_t spin;       /* ns that the next frame is waited for awake */
    uint64_t arrived;    /* when frames last did */
    uint32_t quick;      /* how often in a row that was soon after the time before */
    uint32_t lent;       /* chunks that the kernel has for arriving frames */
    uint32_t free_count; /* chunks to send with that are not under way */
    uint32_t *free;
    uint64_t *marked; /* a bit a chunk: lent, or kept for sending */
};

static const struct base *xdp_base(const struct xdp *x) {
    return (const struct base *)(const void *)x->link.end[0].stack;
}

/* ---- chunks ---------------------------------------------------------------------------------------- */

static uint64_t xdp_address_of(const struct xdp *x, uint32_t chunk) {
    return (uint64_t)(chunk_data(xdp_base(x), chunk) - (const uint8_t *)xdp_base(x)) - x->start;
}

/* The chunk at an address that the kernel gives back. */
static uint32_t xdp_chunk_at(const struct xdp *x, uint64_t address) {
    uint32_t chunk = pool_id_at(&xdp_base(x)->chunks, x->start + address);
    BK_ASSERT(address < x->length && (x->marked[chunk / 64] >> chunk % 64 & 1) != 0,
              "the kernel gives back chunks that it has");
    return chunk;
}

static void xdp_mark(struct xdp *x, uint32_t chunk) {
    x->marked[chunk / 64] ^= UINT64_C(1) << chunk % 64;
}

/* Gives the kernel as many chunks as it should have. */
static void xdp_fill(struct xdp *x) {
    uint32_t chunks[XDP_FILL], n, got = 0, before = x->lent;
    while ((n = u32_min(x->info.frames - x->lent, XDP_FILL)) > 0) {
        n = u32_min(n, xdp_ring_room(&x->fill, n));
        got = (uint32_t)bk_chunk_alloc(x->link.end[0].stack, chunks, n);
        for (uint32_t i = 0; i < got; i++) {
            *xdp_ring_address(&x->fill) = xdp_address_of(x, chunks[i]);
            xdp_mark(x, chunks[i]);
        }
        x->lent += got;
        if (got < n) x->link.counters.no_chunk++;
        if (got < XDP_FILL) break;
    }
    if (x->lent == before) return;
    xdp_ring_tell(&x->fill);
    if (xdp_ring_asleep(&x->fill)) recvfrom(x->link.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* ---- in -------------------------------------------------------------------------------------------- */

static void xdp_arrived(struct xdp *x) {
    uint64_t now = bk_link_clock(); /* the caller's may be of any epoch */
    x->quick = now - x->arrived < x->spin ? x->quick + 1 : 0;
    x->arrived = now;
}

/* Whether the next frame is likely to come before a sleep would have paid: the last ones did. Otherwise a fast reader sleeps after each
 * frame, and whoever sends has to wake it for each. */
static bool xdp_busy(const bk_link *l) {
    const struct xdp *x = (const struct xdp *)l;
    return x->quick >= XDP_SPIN_RUN && bk_link_clock() - x->arrived < x->spin;
}

static int xdp_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct xdp *x = (struct xdp *)l;
    (void)end;
    (void)now;
    uint32_t n = xdp_ring_ready(&x->receive);
    if (n > 0) xdp_arrived(x);
    for (; n > 0 && link_batch_room(batch, 1); n--) {
        const struct xdp_desc *desc = xdp_ring_desc(&x->receive);
        uint32_t chunk = xdp_chunk_at(x, desc->addr);
        uint16_t offset = (uint16_t)((x->start + desc->addr) & (x->chunk_size - 1));
        __builtin_prefetch(chunk_data(xdp_base(x), chunk) + offset);
        xdp_mark(x, chunk);
        x->lent--;
        batch->part[batch->part_count] =
            (struct bk_part){.chunk = chunk, .offset = offset, .length = (uint16_t)desc->len};
        link_batch_push(batch, 1)->flags = x->info.unfinished ? BK_RX_CHECKSUM_LOCAL : 0;
    }
    batch->drained = n == 0;
    xdp_ring_tell(&x->receive);
    if (x->lent < x->info.frames) xdp_fill(x);
    return 0;
}

/* ---- out ------------------------------------------------------------------------------------------- */

static void xdp_complete(struct xdp *x) {
    for (uint32_t n; (n = xdp_ring_ready(&x->completion)) > 0; xdp_ring_tell(&x->completion))
        for (; n > 0; n--) x->free[x->free_count++] = xdp_chunk_at(x, *xdp_ring_address(&x->completion));
}

/* Shows the kernel what is in the transmit ring, until it has taken all or takes no more. Returns 0 or a negative errno. */
static int xdp_send(struct xdp *x) {
    xdp_ring_tell(&x->transmit);
    for (uint32_t waiting; (waiting = xdp_ring_waiting(&x->transmit)) > 0 && xdp_ring_asleep(&x->transmit);) {
        x->counters.wakeups++;
        if (sendto(x->link.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) continue;
        if (errno == EBUSY) x->counters.transmit_lost++; /* and goes on behind it */
        if (errno != EAGAIN && errno != EBUSY && errno != ENOBUFS && errno != EINTR) return -errno;
        if (xdp_ring_waiting(&x->transmit) < waiting) continue;
        x->link.full = true;
        break;
    }
    return 0;
}

/* Takes a chunk to send with. False: all are under way. */
static bool xdp_take(struct xdp *x, uint32_t *chunk) {
    if (x->free_count == 0) xdp_complete(x);
    if (x->free_count == 0 && xdp_send(x) == 0) xdp_complete(x);
    if (x->free_count == 0) {
        x->link.full = true;
        return false;
    }
    *chunk = x->free[--x->free_count];
    return true;
}

/* There is an entry for each chunk. */
static void xdp_put(struct xdp *x, uint32_t chunk, size_t length) {
    *xdp_ring_desc(&x->transmit) = (struct xdp_desc){.addr = xdp_address_of(x, chunk), .len = (uint32_t)length};
}

static int xdp_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    struct xdp *x = (struct xdp *)l;
    uint32_t chunk;
    (void)end;
    (void)now;
    if (link_iov_length(iov, count) > x->chunk_size) return -EMSGSIZE;
    if (!xdp_take(x, &chunk)) return 0;
    struct bk_part part;
    link_frame_fill(l->end[0].stack, &chunk, &part, iov, count);
    xdp_put(x, chunk, part.length);
    return 1;
}

static int xdp_transmit_unit(bk_link *l, unsigned end, struct cut *cut, uint64_t now) {
    struct xdp *x = (struct xdp *)l;
    uint32_t chunk;
    (void)end;
    (void)now;
    while (!cut_end(cut)) {
        if (cut_length(cut) > x->chunk_size) return -EMSGSIZE;
        if (!xdp_take(x, &chunk)) return 0;
        size_t length = cut_next(cut, chunk_data(xdp_base(x), chunk), x->chunk_size);
        xdp_put(x, chunk, length);
        link_sent(l, length);
    }
    return 1;
}

/* The end of a turn. */
static int xdp_flush(bk_link *l, uint64_t now) {
    (void)now;
    return xdp_send((struct xdp *)l);
}

/* ---- closing --------------------------------------------------------------------------------------- */

static void xdp_ring_unmap(const struct xdp_ring *r) {
    if (r->map != NULL) munmap(r->map, r->map_length);
}

/* A socket that copies frames writes none when it is closed. */
static void xdp_give_back(struct xdp *x) {
    if (x->marked == NULL || x->info.zero_copy) return;
    uint32_t made = xdp_base(x)->chunks.made;
    for (uint32_t i = 0; i < made; i++)
        if ((x->marked[i / 64] >> i % 64 & 1) != 0) bk_chunk_release(x->link.end[0].stack, &i, 1);
}

static void xdp_close(bk_link *l) {
    struct xdp *x = (struct xdp *)l;
    if (x->transmit.map != NULL && x->program.link >= 0) xdp_send(x);
    xdp_program_detach(&x->program);
    if (l->fd >= 0) close(l->fd);
    xdp_give_back(x);
    xdp_ring_unmap(&x->fill);
    xdp_ring_unmap(&x->completion);
    xdp_ring_unmap(&x->receive);
    xdp_ring_unmap(&x->transmit);
    free(x->free);
    free(x->marked);
}

static const struct link_ops xdp_ops = {.receive = xdp_receive,
                                        .transmit = xdp_transmit,
                                        .transmit_unit = xdp_transmit_unit,
                                        .flush = xdp_flush,
                                        .busy = xdp_busy,
                                        .close = xdp_close};

/* ---- opening --------------------------------------------------------------------------------------- */

static int xdp_set(const struct xdp *x, int option, const void *value, socklen_t size) {
    return setsockopt(x->link.fd, SOL_XDP, option, value, size) == 0 ? 0 : -errno;
}

/* What must hold of stack and device. */
static int xdp_check(struct xdp *x, const struct bk_xdp_options *o, const char **why) {
    const struct bk_config *config = bk_config_of(x->link.end[0].stack);
    *why = "the device has no such queue";
    if (o->queue >= x->info.device.queues) return -EINVAL;
    *why = "frames of the device's MTU do not fit into a chunk behind 256 bytes";
    uint32_t frame = u32_max(x->info.device.mtu + 14, link_end_frame_max(&x->link.end[0]));
    if (frame > x->chunk_size - XDP_HEADROOM) return -EMSGSIZE;
    *why = "frames must be a power of two, and twice as many chunks must be there beside buffer_chunks";
    uint32_t spare = config->chunks - config->buffer_chunks, frames = o->frames;
    if (frames == 0)
        for (frames = XDP_FRAMES; frames > spare / 4;) frames /= 2;
    if (frames == 0 || (frames & (frames - 1)) != 0 || frames > spare / 2) return -EINVAL;
    x->spin = (o->spin_us != 0 ? o->spin_us : XDP_SPIN_US) * NS_PER_US;
    x->info.queue = o->queue;
    x->info.frames = frames;
    x->info.unfinished = !o->verify && strcmp(x->info.device.driver, "veth") == 0;
    return 0;
}

/* Makes all chunks and registers where they lie, in whole pages. */
static int xdp_register(struct xdp *x, const char **why) {
    struct base *b = (struct base *)(void *)x->link.end[0].stack;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), region = (uintptr_t)b;
    pool_grow_all(b, &b->chunks);
    uintptr_t first = (uintptr_t)chunk_data(b, 0) & ~(page - 1);
    *why = "the region must begin with a page";
    if (first < region) return -EFAULT;
    x->start = first - region;
    x->length = (uintptr_t)chunk_data(b, b->chunks.made - 1) + x->chunk_size - first;
    const struct xdp_umem_reg memory = {.addr = first, .len = x->length, .chunk_size = x->chunk_size};
    *why = "XDP_UMEM_REG: pin the stack's chunks (RLIMIT_MEMLOCK, if not root)";
    return xdp_set(x, XDP_UMEM_REG, &memory, sizeof memory);
}

static int xdp_ring_map(struct xdp *x, struct xdp_ring *r, const struct xdp_ring_offset *offset, off_t at, size_t entry,
                        bool produced) {
    size_t length = (size_t)offset->desc + x->info.frames * entry;
    uint8_t *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->link.fd, at);
    if (map == MAP_FAILED) return -errno;
    _Atomic uint32_t *producer = (_Atomic uint32_t *)(void *)(map + offset->producer),
                     *consumer = (_Atomic uint32_t *)(void *)(map + offset->consumer);
    *r = (struct xdp_ring){.ours = produced ? producer : consumer,
                           .theirs = produced ? consumer : producer,
                           .flags = (_Atomic uint32_t *)(void *)(map + offset->flags),
                           .entries = map + offset->desc,
                           .size = x->info.frames,
                           .map = map,
                           .map_length = length};
    return 0;
}

static int xdp_rings(struct xdp *x, const char **why) {
    static const int options[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING};
    struct xdp_mmap_offsets offsets;
    socklen_t size = sizeof offsets;
    int size_wanted = (int)x->info.frames, r = 0;
    *why = "XDP_RX_RING and the others: make the rings";
    for (size_t i = 0; i < BK_COUNT(options) && r == 0; i++) r = xdp_set(x, options[i], &size_wanted, sizeof(int));
    if (r != 0) return r;
    *why = "XDP_MMAP_OFFSETS: where the rings are";
    if (getsockopt(x->link.fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0) return -errno;
    if (size != sizeof offsets) return -EPROTO; /* a kernel before 5.4 */
    *why = "mmap: the rings";
    const size_t address = sizeof(uint64_t), desc = sizeof(struct xdp_desc);
    r = xdp_ring_map(x, &x->fill, &offsets.fr, (off_t)XDP_UMEM_PGOFF_FILL_RING, address, true);
    if (r == 0) r = xdp_ring_map(x, &x->completion, &offsets.cr, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING, address, false);
    if (r == 0) r = xdp_ring_map(x, &x->receive, &offsets.rx, XDP_PGOFF_RX_RING, desc, false);
    if (r == 0) r = xdp_ring_map(x, &x->transmit, &offsets.tx, XDP_PGOFF_TX_RING, desc, true);
    return r;
}

/* Chunks for both ways. */
static int xdp_stock(struct xdp *x, const char **why) {
    *why = "memory";
    x->free = malloc(x->info.frames * sizeof *x->free);
    x->marked = calloc(xdp_base(x)->chunks.made / 64 + 1, sizeof *x->marked);
    if (x->free == NULL || x->marked == NULL) return -ENOMEM;
    *why = "the stack has too few free chunks";
    x->free_count = (uint32_t)bk_chunk_alloc(x->link.end[0].stack, x->free, x->info.frames);
    for (uint32_t i = 0; i < x->free_count; i++) xdp_mark(x, x->free[i]);
    xdp_fill(x);
    return x->free_count < x->info.frames || x->lent < x->info.frames ? -ENOBUFS : 0;
}

/* Neither is needed for frames to move. */
static void xdp_tune(const struct xdp *x) {
    const int budget = XDP_SEND_MAX, room = XDP_SEND_ROOM;
    xdp_set(x, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof budget);
    setsockopt(x->link.fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
}

static int xdp_bind(struct xdp *x, bool zero_copy, const char **why) {
    const struct sockaddr_xdp to = {.sxdp_family = AF_XDP,
                                    .sxdp_flags =
                                        (uint16_t)(XDP_USE_NEED_WAKEUP | (zero_copy ? XDP_ZEROCOPY : XDP_COPY)),
                                    .sxdp_ifindex = x->info.device.index,
                                    .sxdp_queue_id = x->info.queue};
    *why = zero_copy ? "bind: the device's driver has no zero-copy" : "bind: take the device's queue";
    if (bind(x->link.fd, (const struct sockaddr *)(const void *)&to, sizeof to) != 0) return -errno;
    x->info.zero_copy = zero_copy;
    return 0;
}

static const struct xdp *xdp_of(const bk_link *link) {
    while (link != NULL && link->ops != &xdp_ops) link = link->inner;
    return (const struct xdp *)link;
}

/* The first queue's link brings the program; the others share it. */
static int xdp_attach(struct xdp *x, const bk_link *beside, const char **why) {
    const struct xdp *first = xdp_of(beside);
    if (beside == NULL)
        return xdp_program_attach(&x->program, &x->info.device, x->info.queue, x->link.fd, &x->info.native, why);
    *why = "the link beside which this one stands is not of the same device";
    if (first == NULL || first->info.device.index != x->info.device.index) return -EINVAL;
    x->info.native = first->info.native;
    return xdp_program_share(&x->program, &first->program, x->info.queue, x->link.fd, why);
}

struct xdp_opening {
    struct xdp *x;
    const struct bk_xdp_options *options;
    const char *why;
    int error;
};

/* In the device's namespace. */
static void xdp_open_here(void *context) {
    struct xdp_opening *o = context;
    struct xdp *x = o->x;
    int r = xdp_device_ask(o->options->name, &x->info.device, &o->why);
    if (r == 0) r = xdp_check(x, o->options, &o->why);
    if (r == 0) {
        o->why = "socket: an AF_XDP socket";
        x->link.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
        if (x->link.fd < 0) r = -errno;
    }
    if (r == 0) r = xdp_register(x, &o->why);
    if (r == 0) r = xdp_rings(x, &o->why);
    if (r == 0) r = xdp_stock(x, &o->why);
    if (r == 0) r = xdp_bind(x, o->options->zero_copy, &o->why);
    if (r == 0) r = xdp_attach(x, o->options->beside, &o->why);
    if (r == 0) xdp_tune(x);
    o->error = r;
}

static int xdp_set_up(struct xdp *x, bk_stack *stack, uint32_t iface, const struct bk_xdp_options *options,
                      const char **why) {
    struct xdp_opening o = {.x = x, .options = options};
    x->program = (struct xdp_program){.map = -1, .link = -1};
    *why = "the stack has no such interface, or too few chunks for a frame";
    int r = link_end_set(&x->link, 0, stack, iface);
    if (r != 0) return r;
    *why = "the layer of the stack's interface: it must be Ethernet";
    if (link_end_type(&x->link.end[0]) != LINK_TYPE_ETHERNET) return -EINVAL;
    *why = "chunk_size must be 2048 or 4096";
    x->chunk_size = bk_config_of(stack)->chunk_size;
    if (x->chunk_size != 2048 && x->chunk_size != 4096) return -EINVAL;
    r = link_in_netns(options->netns, xdp_open_here, &o, &o.why);
    *why = o.why;
    return r != 0 ? r : o.error;
}

int bk_xdp_open(bk_stack *stack, uint32_t iface, const struct bk_xdp_options *options, bk_link **out,
                const char **why) {
    const char *reason = "memory";
    struct xdp *x = link_new(sizeof *x, &xdp_ops, 1);
    int r = x == NULL ? -ENOMEM : xdp_set_up(x, stack, iface, options, &reason);
    if (r != 0) {
        if (why != NULL) *why = reason;
        bk_link_close(x == NULL ? NULL : &x->link);
        return r;
    }
    *out = &x->link;
    return 0;
}

/* ---- what it tells --------------------------------------------------------------------------------- */

int bk_xdp_info(const bk_link *link, struct bk_xdp_info *out) {
    const struct xdp *x = xdp_of(link);
    if (x == NULL) return -EINVAL;
    *out = x->info;
    return 0;
}

int bk_xdp_counters(const bk_link *link, struct bk_xdp_counters *out) {
    const struct xdp *x = xdp_of(link);
    struct xdp_statistics s = {0};
    socklen_t size = sizeof s;
    if (x == NULL) return -EINVAL;
    if (getsockopt(x->link.fd, SOL_XDP, XDP_STATISTICS, &s, &size) != 0) return -errno;
    *out = x->counters;
    out->receive_dropped = s.rx_dropped;
    out->receive_ring_full = s.rx_ring_full;
    out->fill_ring_empty = s.rx_fill_ring_empty_descs;
    out->receive_invalid = s.rx_invalid_descs;
    out->transmit_invalid = s.tx_invalid_descs;
    out->transmit_ring_empty = s.tx_ring_empty_descs;
    return 0;
}
