/* Paths: see path.h.
 *
 * A frame's whole fate is drawn when it enters, whatever becomes of it: eight draws for each. Frames that were not lost wait in a list, the
 * queue, until the transmitter takes them; from then on it is known when they leave, and they stand in a heap in order of that time. With no
 * rate the queue is passed at once.
 *
 * The transmitter runs behind the caller: it is brought up to `now` before anything else happens at `now`, by steps at the exact times
 * at which it was free. What it does at a time so depends only on the frames that had entered before.
 *
 * A link that goes down takes no more frames; those that are behind it by then arrive (path_clear is for a break).
 */
#include "lab/path.h"

#include <stdlib.h>

#include "base/checksum.h"
#include "base/draw.h"
#include "lab/codel.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

struct path_frame {
    struct path_frame *next; /* in the queue */
    uint64_t entered;
    uint64_t due;
    uint64_t order; /* in which frames were sent: decides between equal times */
    uint32_t length;
    uint32_t jitter_us;
    uint32_t bit; /* that is flipped, if `corrupt` */
    bool corrupt, twice, late, marked;
    uint8_t bytes[];
};

struct path {
    struct path_options options;
    struct path_counters counters;
    uint64_t start; /* when the path was made */
    uint64_t random, random_marks;
    bool bad; /* the state of the Gilbert-Elliott chain */

    struct path_frame *head, *tail; /* the queue */
    uint64_t queued;                /* bytes in it */
    uint64_t largest;               /* frame that ever entered it */
    uint64_t free_at;               /* when the transmitter has sent the last frame that it took... */
    uint64_t sending;               /* ...of so many bytes */
    struct codel codel;
    struct codel_queue codel_queue;

    struct path_frame **heap; /* the earliest frame at [0], each before [2i + 1] and [2i + 2] */
    size_t count, room;
    uint64_t sent;
    uint64_t last_due; /* of the frames that keep their order */
};

/* ---- frames that were sent, in order of their leaving ---- */

static bool path_before(const struct path_frame *a, const struct path_frame *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void path_push(struct path *p, struct path_frame *f) {
    if (p->count == p->room) {
        size_t room = p->room == 0 ? 64 : 2 * p->room;
        struct path_frame **heap = realloc(p->heap, room * sizeof *heap);
        if (heap == NULL) {
            p->counters.overflowed++;
            free(f);
            return;
        }
        p->heap = heap;
        p->room = room;
    }
    f->order = p->sent++;
    size_t i = p->count++;
    for (; i > 0 && path_before(f, p->heap[(i - 1) / 2]); i = (i - 1) / 2) p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = f;
}

static struct path_frame *path_pop(struct path *p) {
    struct path_frame *first = p->heap[0], *last = p->heap[--p->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < p->count; i = child) {
        if (child + 1 < p->count && path_before(p->heap[child + 1], p->heap[child])) child++;
        if (!path_before(p->heap[child], last)) break;
        p->heap[i] = p->heap[child];
    }
    if (p->count > 0) p->heap[i] = last;
    return first;
}

static struct path_frame *path_frame_new(const struct path_frame *like, const uint8_t *bytes) {
    struct path_frame *f = malloc(sizeof *f + like->length);
    if (f == NULL) return NULL;
    *f = *like;
    memcpy(f->bytes, bytes, f->length);
    return f;
}

/* ---- marks ---- */

/* Where the IP header begins; UINT32_MAX: there is none that is whole. */
static uint32_t path_ip(const struct path *p, const struct path_frame *f) {
    uint32_t at = p->options.ethernet ? WIRE_ETHERNET_LENGTH : 0;
    if (f->length < at + WIRE_IPV4_LENGTH) return UINT32_MAX;
    uint32_t version = f->bytes[at] >> 4;
    if (p->options.ethernet &&
        get_be16(f->bytes + 12) != (version == 4 ? WIRE_ETHERTYPE_IPV4 : (uint16_t)WIRE_ETHERTYPE_IPV6))
        return UINT32_MAX;
    if (version == 4) return at;
    return version == 6 && f->length >= at + WIRE_IPV6_LENGTH ? at : UINT32_MAX;
}

#define PATH_CE 3u

/* Sets CE on a packet of an ECN-capable transport (RFC 3168 5). The header checksum stays as right, or as wrong, as it was (RFC 1624). */
static bool path_mark(struct path *p, struct path_frame *f) {
    uint32_t at = path_ip(p, f);
    if (at == UINT32_MAX) return false;
    uint8_t *ip = f->bytes + at;
    bool ipv4 = ip[0] >> 4 == 4;
    uint32_t shift = ipv4 ? 0 : 4;
    if ((ip[1] >> shift & PATH_CE) == 0) return false;
    uint16_t before = get_be16(ip);
    ip[1] |= (uint8_t)(PATH_CE << shift);
    if (ipv4) {
        uint64_t sum = (uint64_t)(uint16_t)~get_be16(ip + 10) + (uint16_t)~before + get_be16(ip);
        put_be16(ip + 10, checksum_finish(sum));
    }
    p->counters.marked++;
    return true;
}

/* ---- the transmitter ---- */

static uint64_t path_transmission(const struct path *p, uint64_t length) {
    uint64_t rate = p->options.rate_bps;
    return rate == 0 ? 0 : (length * 8 * NS_PER_S + rate - 1) / rate;
}

/* The last bit of `f` is on the wire at `at`: the rest of its way is settled. */
static void path_sent(struct path *p, struct path_frame *f, uint64_t at) {
    if (f->marked) path_mark(p, f);
    if (f->corrupt) {
        f->bytes[f->bit / 8] ^= (uint8_t)(1u << f->bit % 8);
        p->counters.corrupted++;
    }
    f->due = u64_max(at + (p->options.delay_us + (uint64_t)f->jitter_us) * NS_PER_US, p->last_due);
    struct path_frame *copy = f->twice ? path_frame_new(f, f->bytes) : NULL;
    if (f->late) {
        f->due += p->options.reorder_us * NS_PER_US; /* its copy comes in time: then this one is an old duplicate */
        p->counters.reordered++;
    } else {
        p->last_due = f->due;
    }
    path_push(p, f);
    if (copy != NULL) {
        p->counters.duplicated++;
        path_push(p, copy);
    }
}

static void *path_queue_pop(void *context, uint64_t *entered, uint64_t *left) {
    struct path *p = context;
    struct path_frame *f = p->head;
    if (f == NULL) return NULL;
    p->head = f->next;
    if (p->head == NULL) p->tail = NULL;
    p->queued -= f->length;
    *entered = f->entered;
    *left = p->queued;
    return f;
}

static bool path_queue_mark(void *context, void *packet) {
    struct path *p = context;
    return p->options.ecn && path_mark(p, packet);
}

static void path_drop(void *context, void *packet) {
    struct path *p = context;
    p->counters.dropped_aqm++;
    free(packet);
}

/* Lets the transmitter take what it would have taken up to `now`. */
static void path_transmit(struct path *p, uint64_t now) {
    while (p->head != NULL && p->free_at <= now) {
        uint64_t at = u64_max(p->free_at, p->head->entered), entered, left;
        struct path_frame *f = p->options.queue == PATH_CODEL ? codel_dequeue(&p->codel, &p->codel_queue, at)
                                                              : path_queue_pop(p, &entered, &left);
        if (f == NULL) return;
        p->sending = f->length;
        p->free_at = at + path_transmission(p, f->length);
        path_sent(p, f, p->free_at);
    }
}

/* ---- entering ---- */

/* The change that is in force for what `value` looks at. */
static bool path_down(const struct path *p, uint64_t now) {
    bool down = false;
    for (uint32_t i = 0; i < PATH_CHANGES && p->options.change[i].at_us != 0; i++)
        if (now >= p->start + p->options.change[i].at_us * NS_PER_US) down = p->options.change[i].down;
    return down;
}

uint32_t path_mtu(const struct path *p, uint64_t now) {
    uint32_t mtu = p->options.mtu;
    for (uint32_t i = 0; i < PATH_CHANGES && p->options.change[i].at_us != 0; i++)
        if (now >= p->start + p->options.change[i].at_us * NS_PER_US && p->options.change[i].mtu != 0)
            mtu = p->options.change[i].mtu;
    return mtu;
}

/* Draws the fate of a frame; returns whether it is lost. */
static bool path_fate(struct path *p, struct path_frame *f) {
    const struct path_options *o = &p->options;
    bool lost = draw_chance(&p->random, o->loss_ppm);
    bool turn = draw_chance(&p->random, p->bad ? o->burst_end_ppm : o->burst_begin_ppm);
    if (turn) p->bad = !p->bad;
    bool burst = draw_chance(&p->random, o->burst_loss_ppm) && p->bad;
    f->twice = draw_chance(&p->random, o->duplicate_ppm);
    f->late = draw_chance(&p->random, o->reorder_ppm);
    f->corrupt = draw_chance(&p->random, o->corrupt_ppm);
    f->bit = draw_below(&p->random, f->length * 8);
    f->jitter_us = draw_below(&p->random, o->jitter_us + 1);
    f->marked = draw_chance(&p->random_marks, o->mark_ppm);
    for (uint32_t i = 0; i < PATH_KTH; i++) lost |= o->kth[i] != 0 && o->kth[i] == p->counters.entered;
    return lost || burst;
}

/* Puts a frame into the queue, if the bound lets it. */
static bool path_queue(struct path *p, const struct path_frame *like, const uint8_t *bytes, uint64_t now) {
    const struct path_options *o = &p->options;
    uint64_t held = p->queued + (p->free_at > now ? p->sending : 0);
    bool room = o->rate_bps == 0 || o->queue_bytes == 0 || held + like->length <= o->queue_bytes;
    struct path_frame *f = room ? path_frame_new(like, bytes) : NULL;
    if (f == NULL) {
        p->counters.overflowed++;
        return false;
    }
    if (p->tail != NULL)
        p->tail->next = f;
    else
        p->head = f;
    p->tail = f;
    p->queued += f->length;
    p->largest = u64_max(p->largest, f->length);
    p->codel_queue.largest = p->largest;
    return true;
}

enum path_fate path_enter(struct path *p, const uint8_t *frame, size_t length, uint64_t now) {
    struct path_frame f = {.entered = now, .length = (uint32_t)length};
    size_t header = p->options.ethernet ? WIRE_ETHERNET_LENGTH : 0;
    path_transmit(p, now);
    p->counters.entered++;
    bool lost = path_fate(p, &f);
    if (path_down(p, now)) {
        p->counters.down++;
        return PATH_LOST;
    }
    uint32_t mtu = path_mtu(p, now);
    if (mtu != 0 && length > header + mtu) {
        p->counters.too_big++;
        return PATH_TOO_BIG;
    }
    if (lost) {
        p->counters.lost++;
        return PATH_LOST;
    }
    if (!path_queue(p, &f, frame, now)) return PATH_LOST;
    path_transmit(p, now);
    return PATH_TAKEN;
}

/* ---- leaving ---- */

/* Frames that wait leave no earlier than the one at the head, were it sent as soon as can be and neither held back nor late; and CoDel
 * may drop that one. */
uint64_t path_next(const struct path *p) {
    uint64_t next = p->count > 0 ? p->heap[0]->due : UINT64_MAX;
    if (p->head == NULL) return next;
    uint64_t takes = p->options.queue == PATH_CODEL ? 0 : path_transmission(p, p->head->length);
    return u64_min(next, p->free_at + takes + p->options.delay_us * NS_PER_US);
}

uint64_t path_wait(struct path *p, uint64_t now) {
    path_transmit(p, now);
    return path_transmission(p, p->queued) + (p->free_at > now ? p->free_at - now : 0);
}

size_t path_leave(struct path *p, uint64_t now, uint8_t *frame) {
    path_transmit(p, now);
    if (p->count == 0 || p->heap[0]->due > now) return 0;
    struct path_frame *f = path_pop(p);
    size_t length = f->length;
    memcpy(frame, f->bytes, length);
    free(f);
    p->counters.left++;
    return length;
}

void path_clear(struct path *p) {
    uint64_t entered, left;
    void *f;
    while ((f = path_queue_pop(p, &entered, &left)) != NULL) free(f);
    while (p->count > 0) free(path_pop(p));
    p->free_at = p->last_due = 0;
}

/* ---- the rest ---- */

struct path *path_new(const struct path_options *options, uint64_t seed, uint64_t now) {
    struct path *p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    p->options = *options;
    p->start = now;
    p->random = p->random_marks = seed;
    p->random_marks = draw(&p->random_marks);
    p->codel_queue = (struct codel_queue){
        .context = p, .pop = path_queue_pop, .mark = path_queue_mark, .drop = path_drop, .largest = 0};
    return p;
}

void path_free(struct path *p) {
    if (p == NULL) return;
    path_clear(p);
    free(p->heap);
    free(p);
}

const struct path_counters *path_counters(const struct path *p) {
    return &p->counters;
}
