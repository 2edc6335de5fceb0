/* Impairment: a bad wire between a link and the stack.
 *
 * Each direction is a queue of frames in order of the time at which they come out at the far end. A frame's fate is drawn when it
 * goes in: lost, doubled, held back, one bit flipped, late by so much. Always the same number of draws is made for a frame, so
 * that changing one chance leaves the fates that hang on the others alone. Time is that of bk_link_pump.
 *
 * Jitter makes the distances between frames vary but keeps their order, as a queue on the way does; only frames that are
 * drawn for reordering let others pass. A frame that meets a full queue is lost (drop-tail), so this link never pushes back; but
 * a device behind it may, and then frames wait here, past their time.
 *
 * A device is asked for plain frames while it is wrapped, since a wire carries no others; what was under way keeps what the device told of it.
 *
 * Towards the stack, frames of an inner link with one end are copied out of the chunks they arrived in and into new ones when
 * they are due. The memory link has two ends, and each sends: there, both directions are impaired where frames enter the wire.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/draw.h"
#include "link/link.h"

#define IMPAIR_QUEUE 4096u

enum impair_direction { IMPAIR_IN, IMPAIR_OUT };

struct impair_frame {
    uint64_t due;
    uint64_t order; /* of entry: decides between equal times */
    uint32_t length;
    uint16_t gso_size; /* as the device told; 0 for what we send */
    uint8_t flags;
    uint8_t bytes[];
};

struct impair_wire {
    struct impair_frame **heap; /* the earliest frame at [0], each before [2i + 1] and [2i + 2] */
    uint32_t count;
    uint64_t random;
    uint64_t entered;
    uint64_t last_due; /* of the frames that keep their order */
    bool stuck;        /* what follows the wire could not take the frame that is due */
    struct bk_impair_counters counters;
};

struct impair {
    bk_link link;
    struct bk_impair_options options;
    struct impair_wire wire[2];
    struct link_batch arriving;
    uint8_t frame[LINK_FRAME_MAX];
};

/* ---- the queue ---- */

static bool impair_before(const struct impair_frame *a, const struct impair_frame *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void impair_push(struct impair_wire *w, struct impair_frame *f) {
    uint32_t i = w->count++;
    for (; i > 0 && impair_before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = f;
}

static void impair_pop(struct impair_wire *w) {
    struct impair_frame *last = w->heap[--w->count];
    uint32_t i = 0;
    free(w->heap[0]);
    for (uint32_t child; (child = 2 * i + 1) < w->count; i = child) {
        if (child + 1 < w->count && impair_before(w->heap[child + 1], w->heap[child])) child++;
        if (!impair_before(w->heap[child], last)) break;
        w->heap[i] = w->heap[child];
    }
    if (w->count > 0) w->heap[i] = last;
}

/* ---- into the wire ---- */

static void impair_queue(struct impair *m, struct impair_wire *w, const struct bk_rx *about, uint32_t length,
                         uint64_t due) {
    struct impair_frame *f = w->count < m->options.queue ? malloc(sizeof *f + length) : NULL;
    if (f == NULL) {
        w->counters.overflowed++;
        return;
    }
    f->due = due;
    f->order = w->entered++;
    f->length = length;
    f->gso_size = about->gso_size;
    f->flags = about->flags;
    memcpy(f->bytes, m->frame, length);
    impair_push(w, f);
}

/* m->frame[0..length) enters, with what the device told about it; it may be damaged there. */
static void impair_enter(struct impair *m, struct impair_wire *w, const struct bk_rx *about, uint32_t length,
                         uint64_t now) {
    const struct bk_impair_options *o = &m->options;
    bool lost = draw_chance(&w->random, o->loss_ppm);
    bool twice = draw_chance(&w->random, o->duplicate_ppm);
    bool late = draw_chance(&w->random, o->reorder_ppm);
    bool damaged = draw_chance(&w->random, o->corrupt_ppm);
    uint32_t bit = draw_below(&w->random, length * 8);
    uint64_t due = now + (o->delay_us + (uint64_t)draw_below(&w->random, o->jitter_us + 1)) * NS_PER_US;
    if (lost) {
        w->counters.lost++;
        return;
    }
    if (damaged) {
        m->frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        w->counters.corrupted++;
    }
    due = u64_max(due, w->last_due);
    if (late) {
        due += o->reorder_us * NS_PER_US;
        w->counters.reordered++;
    } else {
        w->last_due = due;
    }
    impair_queue(m, w, about, length, due);
    if (twice) {
        w->counters.duplicated++;
        impair_queue(m, w, about, length, due);
    }
}

static int impair_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    static const struct bk_rx plain = {0};
    struct impair *m = (struct impair *)l;
    size_t at = 0;
    if (link_iov_length(iov, count) > sizeof m->frame) return -EMSGSIZE;
    for (int i = 0; i < count; i++) {
        memcpy(m->frame + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    impair_enter(m, &m->wire[end == 0 ? IMPAIR_OUT : IMPAIR_IN], &plain, (uint32_t)at, now);
    return 1;
}

/* ---- out of the wire ---- */

/* Takes frames from the device, at most a round of them. */
static int impair_arrive(struct impair *m, uint64_t now) {
    bk_link *inner = m->link.inner;
    bk_stack *stack = m->link.end[0].stack;
    struct link_batch *b = &m->arriving;
    for (uint32_t taken = 0; taken < LINK_ROUND; taken += b->count) {
        b->count = b->part_count = 0;
        int r = inner->ops->receive(inner, 0, b, now);
        for (uint32_t i = 0; i < b->count; i++) {
            struct bk_rx *rx = &b->frame[i];
            if (rx->flags & BK_RX_REFUSED) { /* it never was on a wire */
                bk_input(stack, m->link.end[0].iface, rx, 1, now);
                continue;
            }
            size_t n = link_frame_copy(stack, rx->parts, rx->part_count, m->frame, sizeof m->frame);
            link_frame_release(stack, rx->parts, rx->part_count);
            impair_enter(m, &m->wire[IMPAIR_IN], rx, (uint32_t)n, now);
        }
        if (r < 0) return r;
        if (b->count == 0) break;
    }
    return 0;
}

static int impair_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct impair *m = (struct impair *)l;
    struct impair_wire *w = &m->wire[IMPAIR_IN];
    if (l->ends == 2) return l->inner->ops->receive(l->inner, end, batch, now);
    int r = impair_arrive(m, now);
    w->stuck = false;
    while (w->count > 0 && w->heap[0]->due <= now && batch->count < LINK_FRAMES) {
        const struct impair_frame *f = w->heap[0];
        if (!link_batch_copy(l, end, batch, f->bytes, f->length)) {
            w->stuck = true;
            break;
        }
        batch->frame[batch->count - 1].gso_size = f->gso_size;
        batch->frame[batch->count - 1].flags = f->flags;
        w->counters.passed++;
        impair_pop(w);
    }
    return r;
}

/* Moves due frames of one wire into the inner link, as sent by `end`. */
static int impair_deliver(struct impair *m, struct impair_wire *w, unsigned end, uint64_t now) {
    bk_link *inner = m->link.inner;
    int moved = 0;
    w->stuck = false;
    while (w->count > 0 && w->heap[0]->due <= now) {
        struct iovec iov = {.iov_base = w->heap[0]->bytes, .iov_len = w->heap[0]->length};
        int r = inner->ops->transmit(inner, end, &iov, 1, now);
        if (r == 0) {
            w->stuck = true;
            m->link.counters.refused++;
            break;
        }
        if (r == 1) w->counters.passed++;
        impair_pop(w);
        if (r < 0) return r;
        moved++;
    }
    return moved;
}

static int impair_flush(bk_link *l, uint64_t now) {
    struct impair *m = (struct impair *)l;
    int out = impair_deliver(m, &m->wire[IMPAIR_OUT], 0, now);
    int in = l->ends == 2 ? impair_deliver(m, &m->wire[IMPAIR_IN], 1, now) : 0;
    int inner = l->inner->ops->flush != NULL ? l->inner->ops->flush(l->inner, now) : 0;
    return out < 0 ? out : in < 0 ? in : inner < 0 ? inner : out + in + inner;
}

/* ---- the rest ---- */

static bool impair_busy(const bk_link *l) {
    return l->inner->ops->busy != NULL && l->inner->ops->busy(l->inner);
}

/* A wire that is stuck waits for the device or for chunks, which no time brings. */
static uint64_t impair_next_deadline(const bk_link *l) {
    const struct impair *m = (const struct impair *)l;
    uint64_t next = bk_link_next_deadline(l->inner);
    for (unsigned d = 0; d < 2; d++) {
        const struct impair_wire *w = &m->wire[d];
        if (w->count > 0 && !w->stuck) next = u64_min(next, w->heap[0]->due);
    }
    return next;
}

static void impair_close(bk_link *l) {
    struct impair *m = (struct impair *)l;
    for (unsigned d = 0; d < 2; d++) {
        while (m->wire[d].count > 0) impair_pop(&m->wire[d]);
        free(m->wire[d].heap);
    }
}

static const struct link_ops impair_ops = {
    .receive = impair_receive,
    .transmit = impair_transmit,
    .flush = impair_flush,
    .busy = impair_busy,
    .next_deadline = impair_next_deadline,
    .close = impair_close,
};

/* Takes over what the inner link was doing for the stack: units that wait, counters, the capture. */
static void impair_take_over(bk_link *l, bk_link *inner) {
    for (unsigned e = 0; e < inner->ends; e++) {
        l->end[e] = inner->end[e];
        l->end[e].cut.unit = &l->end[e].unit[l->end[e].at];
        inner->end[e].at = inner->end[e].count = 0;
        inner->end[e].cutting = false;
    }
    l->counters = inner->counters;
    memset(&inner->counters, 0, sizeof inner->counters);
    l->capture = inner->capture;
    inner->capture = NULL;
    l->group = inner->group;
    l->member = inner->member;
    inner->group = NULL;
    l->inner = inner;
}

int bk_impair_wrap(bk_link *inner, const struct bk_impair_options *options, bk_link **out) {
    const struct bk_impair_options *o = options;
    if (o->loss_ppm > DRAW_MILLION || o->duplicate_ppm > DRAW_MILLION || o->reorder_ppm > DRAW_MILLION ||
        o->corrupt_ppm > DRAW_MILLION || o->jitter_us == UINT32_MAX || (o->reorder_ppm != 0 && o->reorder_us == 0))
        return -EINVAL;
    struct impair *m = link_new(sizeof *m, &impair_ops, inner->ends);
    if (m == NULL) return -ENOMEM;
    m->options = *o;
    if (m->options.queue == 0) m->options.queue = IMPAIR_QUEUE;
    uint64_t state = o->seed;
    for (unsigned d = 0; d < 2; d++) {
        m->wire[d].random = draw(&state);
        m->wire[d].heap = calloc(m->options.queue, sizeof *m->wire[d].heap);
    }
    if (m->wire[0].heap == NULL || m->wire[1].heap == NULL) {
        bk_link_close(&m->link);
        return -ENOMEM;
    }
    impair_take_over(&m->link, inner);
    if (inner->ops->plain != NULL) inner->ops->plain(inner, true);
    *out = &m->link;
    return 0;
}

void bk_impair_counters(const bk_link *link, int direction, struct bk_impair_counters *out) {
    while (link != NULL && link->ops != &impair_ops) link = link->inner;
    memset(out, 0, sizeof *out);
    if (link != NULL && (direction == IMPAIR_IN || direction == IMPAIR_OUT))
        *out = ((const struct impair *)link)->wire[direction].counters;
}
