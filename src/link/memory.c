/* The memory link: two interfaces joined by a queue of frames each way.
 *
 * A frame lies in chunks of the stack that will receive it, from the moment it is sent: cutting a unit writes there, so that a
 * payload byte is copied once, and handing over means handing over chunks. When the queue is full or the receiver has no chunks
 * the sender is pushed back; nothing is lost.
 *
 * By reference, units are not even cut. The header is copied to a chunk of its own (the sender's frame is reused at once),
 * payload chunks get one more reference. That needs both interfaces in one stack, since a chunk belongs to one.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/frame.h"
#include "link/link.h"

#define MEMORY_QUEUE 256u

struct memory_queue { /* towards one end */
    struct bk_rx *frame;
    struct bk_part *memory; /* room for `parts` of each frame */
    uint32_t parts;         /* of a frame at most */
    uint32_t part_max;      /* bytes in each */
    uint32_t head, count;
};

struct memory {
    bk_link link;
    uint32_t size; /* frames that a queue holds */
    bool by_reference;
    struct memory_queue queue[2];
};

static bool memory_full(const struct memory *m, const struct memory_queue *q) {
    return q->count == m->size;
}

/* Adds a frame, for which there must be room. Returns where its parts are to be written. */
static struct bk_part *memory_push(const struct memory *m, struct memory_queue *q, uint32_t part_count,
                                   uint16_t gso_size, uint8_t flags) {
    uint32_t at = q->head + q->count++;
    if (at >= m->size) at -= m->size;
    struct bk_rx *f = &q->frame[at];
    f->part_count = (uint16_t)part_count;
    f->gso_size = gso_size;
    f->flags = flags;
    return &q->memory[(size_t)at * q->parts];
}

static int memory_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct memory *m = (struct memory *)l;
    struct memory_queue *q = &m->queue[end];
    (void)now;
    while (q->count > 0 && link_batch_room(batch, 0)) {
        batch->frame[batch->count++] = q->frame[q->head];
        if (++q->head == m->size) q->head = 0;
        q->count--;
    }
    batch->drained = q->count == 0;
    return 0;
}

static int memory_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    struct memory *m = (struct memory *)l;
    struct memory_queue *q = &m->queue[1 - end];
    bk_stack *to = l->end[1 - end].stack;
    uint32_t chunks[LINK_PARTS], n = link_chunks(to, link_iov_length(iov, count));
    (void)now;
    if (n > q->parts) return -EMSGSIZE;
    if (memory_full(m, q) || !link_chunks_alloc(l, to, chunks, n)) return 0;
    link_frame_fill(to, chunks, memory_push(m, q, n, 0, 0), iov, count);
    return 1;
}

/* Writes a frame that needs several chunks, by way of the scratch buffer. */
static int memory_cut_long(struct memory *m, unsigned end, struct cut *cut, uint64_t now) {
    struct cut next = *cut;
    struct iovec iov = {.iov_base = m->link.scratch};
    iov.iov_len = cut_next(&next, m->link.scratch, sizeof m->link.scratch);
    int r = memory_transmit(&m->link, end, &iov, 1, now);
    if (r != 1) return r;
    *cut = next;
    link_sent(&m->link, iov.iov_len);
    return 1;
}

/* Cuts frames straight into the chunks that will hold them, one each (no frame of a unit is longer than its first), as many as find room. Returns as
 * transmit_unit does. */
static int memory_cut_all(struct memory *m, unsigned end, struct cut *cut) {
    struct memory_queue *q = &m->queue[1 - end];
    struct base *to = base_of(m->link.end[1 - end].stack);
    while (!cut_end(cut)) {
        if (memory_full(m, q)) return 0;
        uint32_t chunk = chunk_alloc(to);
        if (chunk == BK_NONE) {
            reason_count(to, BK_REASON_NO_CHUNK);
            m->link.counters.no_chunk++;
            return 0;
        }
        size_t length = cut_next(cut, chunk_data(to, chunk), q->part_max);
        *memory_push(m, q, 1, 0, 0) = (struct bk_part){.chunk = chunk, .length = (uint16_t)length};
        link_sent(&m->link, length);
    }
    return 1;
}

/* Hands the whole unit over. */
static int memory_refer(struct memory *m, unsigned end, struct cut *cut) {
    struct memory_queue *q = &m->queue[1 - end];
    bk_stack *stack = m->link.end[0].stack;
    const struct bk_tx *u = cut->unit;
    uint32_t chunk;
    if (memory_full(m, q) || !link_chunks_alloc(&m->link, stack, &chunk, 1)) return 0;
    struct bk_part *parts = memory_push(m, q, u->part_count + 1u, cut->count > 1 ? u->gso_size : 0,
                                        cut->checksum ? BK_RX_CHECKSUM_PARTIAL : 0);
    memcpy(bk_chunk_data(stack, chunk), u->header, u->header_length);
    *parts++ = (struct bk_part){.chunk = chunk, .offset = 0, .length = u->header_length};
    for (uint32_t i = 0; i < u->part_count; i++) {
        chunk_hold(base_of(stack), u->parts[i].chunk);
        *parts++ = u->parts[i];
    }
    cut->index = cut->count;
    link_sent(&m->link, (size_t)u->header_length + u->payload_length);
    return 1;
}

static int memory_transmit_unit(bk_link *l, unsigned end, struct cut *cut, uint64_t now) {
    struct memory *m = (struct memory *)l;
    if (m->by_reference && cut->index == 0 && cut->unit->part_count < m->queue[1 - end].parts &&
        cut->unit->header_length <= bk_config_of(l->end[0].stack)->chunk_size)
        return memory_refer(m, end, cut);
    if (cut_length(cut) <= m->queue[1 - end].part_max) return memory_cut_all(m, end, cut);
    int r = 1;
    while (r == 1 && !cut_end(cut)) r = memory_cut_long(m, end, cut, now);
    return r;
}

static bool memory_busy(const bk_link *l) {
    const struct memory *m = (const struct memory *)l;
    return m->queue[0].count > 0 || m->queue[1].count > 0;
}

static void memory_close(bk_link *l) {
    struct memory *m = (struct memory *)l;
    for (unsigned end = 0; end < 2; end++) {
        struct memory_queue *q = &m->queue[end];
        for (; q->count > 0; q->count--) {
            link_frame_release(l->end[end].stack, q->frame[q->head].parts, q->frame[q->head].part_count);
            q->head = (q->head + 1) % m->size;
        }
        free(q->frame);
        free(q->memory);
    }
}

static const struct link_ops memory_ops = {
    .receive = memory_receive,
    .transmit = memory_transmit,
    .transmit_unit = memory_transmit_unit,
    .busy = memory_busy,
    .inside = true,
    .close = memory_close,
};

/* Room for the largest frame that either interface sends, and for any unit by reference. */
static int memory_queue_init(struct memory *m, unsigned end) {
    struct memory_queue *q = &m->queue[end];
    uint32_t longest = u32_max(link_end_frame_max(&m->link.end[0]), link_end_frame_max(&m->link.end[1]));
    q->parts = link_chunks(m->link.end[end].stack, longest);
    q->part_max = link_part_max(m->link.end[end].stack);
    if (m->by_reference) q->parts = u32_max(q->parts, FRAME_PARTS + 1);
    q->frame = calloc(m->size, sizeof *q->frame);
    q->memory = calloc((size_t)m->size * q->parts, sizeof *q->memory);
    if (q->frame == NULL || q->memory == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < m->size; i++) q->frame[i].parts = &q->memory[(size_t)i * q->parts];
    return 0;
}

int bk_memory_open(bk_stack *a, uint32_t iface_a, bk_stack *b, uint32_t iface_b,
                   const struct bk_memory_options *options, bk_link **out) {
    static const struct bk_memory_options usual = {0};
    if (options == NULL) options = &usual;
    if (a == b && iface_a == iface_b) return -EINVAL;
    if (options->by_reference && a != b) return -EINVAL;
    struct memory *m = link_new(sizeof *m, &memory_ops, 2);
    if (m == NULL) return -ENOMEM;
    m->size = options->queue != 0 ? options->queue : MEMORY_QUEUE;
    m->by_reference = options->by_reference;
    int r = link_end_set(&m->link, 0, a, iface_a);
    if (r == 0) r = link_end_set(&m->link, 1, b, iface_b);
    if (r == 0 && link_end_type(&m->link.end[0]) != link_end_type(&m->link.end[1])) r = -EINVAL;
    for (unsigned end = 0; r == 0 && end < 2; end++) r = memory_queue_init(m, end);
    if (r != 0) {
        bk_link_close(&m->link);
        return r;
    }
    *out = &m->link;
    return 0;
}
