/* Links of a group: a frame that came to the wrong stack is handed to the right one.
 *
 * The device steers (bk_tap_steer; a card's receive-side scaling), so nearly all frames are where they belong. Those that remain are neighbour discovery
 * and fragments, which all stacks should have, and whatever a device does on its own: a veth steers by its sender's idea of a
 * flow, and a card may not know our key. So each link asks for each frame whose it is (bk_steer_frame, about twelve loads), and nothing depends on
 * what the device can do: it only goes faster.
 *
 * Between each two links and for each direction there is a ring of bytes with one writer and one reader, records one after the other: how
 * long a frame is, what its device said of it, and its bytes. Stacks share no chunks, so frames are copied out of one and into the other. A
 * full ring loses the frame, as a device does, and counts it. Fragments may fill half of a ring: a flood of them costs other fragments, and leaves room
 * for what stacks need to know of their neighbours.
 *
 * A reader that sleeps is woken by an eventfd. The writer puts the record into the ring, then wakes, then counts `woken`; the reader that sees `woken`
 * changed empties the eventfd and then the rings. So no record is left behind a reader that sleeps, and while nothing comes, a look
 * at one number is all that a pump pays. The writer wakes once for a batch.
 */
#define _GNU_SOURCE
#include "link/group.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "beckon/steer.h"
#include "net/net.h"

#define RING_BYTES  (1u << 17) /* two of the largest frames */
#define RECORD_UNIT 8u
#define LINE        64 /* bytes of a cache line, so that writer and reader do not wait for each other */

struct record {
    uint32_t length;
    uint16_t gso_size;
    uint8_t flags, pad;
};
_Static_assert(sizeof(struct record) == RECORD_UNIT, "records are units long");

/* Positions only grow; a byte's place is its position modulo the ring's size. */
struct ring {
    _Alignas(LINE) _Atomic uint32_t written;
    _Alignas(LINE) _Atomic uint32_t read;
    _Alignas(LINE) uint8_t bytes[RING_BYTES];
};

struct member {
    _Alignas(LINE) _Atomic uint32_t woken; /* how often it was, so far */
    _Alignas(LINE) uint32_t seen;          /* of these, and what follows: of the member's own thread */
    bool left;                             /* rings may hold more than was taken */
    bool joined;
    int wake; /* an eventfd */
    struct bk_group_counters counters;
};

struct bk_group {
    struct bk_steering steering;
    struct bk_steer_table table;
    struct member member[BK_STEER_BUCKETS];
    struct ring *ring; /* [to][from], in memory that is touched as it is used */
};

static struct ring *ring_of(const bk_group *g, uint32_t to, uint32_t from) {
    return &g->ring[to * g->steering.stacks + from];
}

/* ---- bytes ----------------------------------------------------------------------------------------- */

static uint32_t record_room(uint32_t length) {
    return (uint32_t)sizeof(struct record) + ((length + RECORD_UNIT - 1) & ~(RECORD_UNIT - 1));
}

static void ring_write(struct ring *r, uint32_t at, const void *bytes, uint32_t n) {
    uint32_t place = at % RING_BYTES, first = u32_min(n, RING_BYTES - place);
    memcpy(r->bytes + place, bytes, first);
    memcpy(r->bytes, (const uint8_t *)bytes + first, n - first);
}

/* The bytes at a position: one piece, or two around the ring's end. Returns how many pieces. */
static int ring_pieces(struct ring *r, uint32_t at, uint32_t n, struct iovec iov[2]) {
    uint32_t place = at % RING_BYTES, first = u32_min(n, RING_BYTES - place);
    iov[0] = (struct iovec){.iov_base = r->bytes + place, .iov_len = first};
    iov[1] = (struct iovec){.iov_base = r->bytes, .iov_len = n - first};
    return first < n ? 2 : 1;
}

/* ---- out ------------------------------------------------------------------------------------------- */

static bool ring_put(struct ring *r, bk_stack *stack, const struct bk_rx *rx, uint32_t most) {
    struct record record = {
        .length = link_frame_length(rx->parts, rx->part_count), .gso_size = rx->gso_size, .flags = rx->flags};
    uint32_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
    uint32_t used = at - atomic_load_explicit(&r->read, memory_order_acquire), room = record_room(record.length);
    if (used + room > most) return false;
    ring_write(r, at, &record, sizeof record);
    uint32_t to = at + (uint32_t)sizeof record;
    for (uint32_t i = 0; i < rx->part_count; i++) {
        ring_write(r, to, bk_chunk_data(stack, rx->parts[i].chunk) + rx->parts[i].offset, rx->parts[i].length);
        to += rx->parts[i].length;
    }
    atomic_store_explicit(&r->written, at + room, memory_order_release);
    return true;
}

static void group_hand(bk_link *l, uint32_t to, const struct bk_rx *rx, bool fragment, bool wake[]) {
    bk_group *g = l->group;
    struct bk_group_counters *c = &g->member[l->member].counters;
    uint32_t most = fragment ? RING_BYTES / 2 : RING_BYTES;
    if (ring_put(ring_of(g, to, l->member), l->end[0].stack, rx, most)) {
        c->handed_over++;
        wake[to] = true;
    } else {
        c->lost++;
    }
}

/* Whose a frame is. What decides nearly always stands in its first part. */
static uint32_t group_owner(const bk_link *l, const struct bk_rx *rx) {
    const struct link_end *end = &l->end[0];
    enum bk_layer layer = link_end_type(end) == LINK_TYPE_IP ? BK_LAYER_IP : BK_LAYER_ETHERNET;
    uint8_t scratch[BK_STEER_LOOK];
    if (rx->part_count == 0) return l->member;
    if (rx->part_count == 1 || rx->parts[0].length >= BK_STEER_LOOK)
        return bk_steer_frame(&l->group->table, layer,
                              bk_chunk_data(end->stack, rx->parts[0].chunk) + rx->parts[0].offset, rx->parts[0].length);
    size_t n = link_frame_copy(end->stack, rx->parts, rx->part_count, scratch, sizeof scratch);
    return bk_steer_frame(&l->group->table, layer, scratch, n);
}

void group_sort(bk_link *l, struct link_batch *batch, uint32_t from) {
    bk_group *g = l->group;
    bool wake[BK_STEER_BUCKETS] = {false}, any = false;
    uint32_t kept = from;
    for (uint32_t i = from; i < batch->count; i++) {
        const struct bk_rx *rx = &batch->frame[i];
        uint32_t owner = (rx->flags & BK_RX_REFUSED) != 0 ? l->member : group_owner(l, rx);
        if (owner == l->member) {
            batch->frame[kept++] = *rx;
            continue;
        }
        any = true;
        bool all = owner >= g->steering.stacks;
        for (uint32_t to = 0; to < g->steering.stacks; to++)
            if (to != l->member && (all || to == owner)) group_hand(l, to, rx, owner == BK_STEER_FRAGMENT, wake);
        if (all)
            batch->frame[kept++] = *rx;
        else
            link_frame_release(l->end[0].stack, rx->parts, rx->part_count);
    }
    batch->count = kept;
    for (uint32_t to = 0; any && to < g->steering.stacks; to++) {
        if (!wake[to]) continue;
        (void)!eventfd_write(g->member[to].wake, 1); /* it is full only if the reader has been woken */
        atomic_fetch_add_explicit(&g->member[to].woken, 1, memory_order_release);
    }
}

/* ---- in -------------------------------------------------------------------------------------------- */

/* Adds a ring's next frame to the batch. False: there is none, or no room for it. */
static bool ring_take(struct ring *r, bk_link *l, struct link_batch *batch, bool *left) {
    struct record record;
    struct iovec iov[2];
    uint32_t at = atomic_load_explicit(&r->read, memory_order_relaxed), chunks[LINK_PARTS];
    if (atomic_load_explicit(&r->written, memory_order_acquire) == at) return false;
    memcpy(&record, r->bytes + at % RING_BYTES, sizeof record); /* units do not lie around the end */
    bk_stack *stack = l->end[0].stack;
    uint32_t n = link_chunks(stack, record.length);
    if (!link_batch_room(batch, n) || !link_chunks_alloc(l, stack, chunks, n)) {
        *left = true;
        return false;
    }
    int count = ring_pieces(r, at + (uint32_t)sizeof record, record.length, iov);
    link_frame_fill(stack, chunks, &batch->part[batch->part_count], iov, count);
    struct bk_rx *rx = link_batch_push(batch, n);
    rx->gso_size = record.gso_size;
    rx->flags = record.flags;
    atomic_store_explicit(&r->read, at + record_room(record.length), memory_order_release);
    return true;
}

bool group_take(bk_link *l, struct link_batch *batch) {
    bk_group *g = l->group;
    struct member *m = &g->member[l->member];
    uint32_t woken = atomic_load_explicit(&m->woken, memory_order_acquire);
    if (woken == m->seen && !m->left) return false;
    eventfd_t unused;
    if (woken != m->seen) (void)!eventfd_read(m->wake, &unused);
    m->seen = woken;
    m->left = false;
    /* Half a batch at most, so that what others hand over does not keep the device waiting, nor the device them. */
    for (uint32_t from = 0; from < g->steering.stacks; from++) {
        while (batch->count < LINK_FRAMES / 2 && ring_take(ring_of(g, l->member, from), l, batch, &m->left))
            m->counters.taken_over++;
        if (batch->count >= LINK_FRAMES / 2) m->left = true;
    }
    return m->left;
}

/* ---- the group ------------------------------------------------------------------------------------- */

static size_t group_ring_bytes(const bk_group *g) {
    return sizeof(struct ring) * g->steering.stacks * g->steering.stacks;
}

int bk_group_open(const struct bk_steering *steering, bk_group **out) {
    if (steering->stacks < 2 || steering->stacks > BK_STEER_BUCKETS) return -EINVAL;
    bk_group *g = aligned_alloc(LINE, sizeof *g);
    if (g == NULL) return -ENOMEM;
    memset(g, 0, sizeof *g);
    g->steering = *steering;
    bk_steer_table_make(&g->table, steering);
    for (uint32_t i = 0; i < steering->stacks; i++) g->member[i].wake = -1;
    g->ring =
        mmap(NULL, group_ring_bytes(g), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int error = g->ring == MAP_FAILED ? -ENOMEM : 0;
    for (uint32_t i = 0; i < steering->stacks && error == 0; i++) {
        g->member[i].wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (g->member[i].wake < 0) error = -errno;
    }
    if (error == 0)
        *out = g;
    else
        bk_group_close(g);
    return error;
}

void bk_group_close(bk_group *g) {
    if (g == NULL) return;
    for (uint32_t i = 0; i < g->steering.stacks; i++)
        if (g->member[i].wake >= 0) close(g->member[i].wake);
    if (g->ring != MAP_FAILED) munmap(g->ring, group_ring_bytes(g));
    free(g);
}

int bk_group_join(bk_group *g, bk_link *l) {
    const struct bk_steering *s = &bk_config_of(l->end[0].stack)->steering;
    if (l->ends != 1 || l->group != NULL) return -EINVAL;
    if (s->stacks != g->steering.stacks || memcmp(s->key, g->steering.key, sizeof s->key) != 0) return -EINVAL;
    if (g->member[s->index].joined) return -EBUSY;
    g->member[s->index].joined = true;
    l->group = g;
    l->member = s->index;
    return 0;
}

int bk_link_wake_fd(const bk_link *l) {
    return l->group != NULL ? l->group->member[l->member].wake : -1;
}

void bk_group_counters(const bk_link *l, struct bk_group_counters *out) {
    *out = l->group != NULL ? l->group->member[l->member].counters : (struct bk_group_counters){0};
}
