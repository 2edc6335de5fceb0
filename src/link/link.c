/* The pump: what all links have in common.
 *
 * A turn of the pump reads a batch at each end and gives it to the stack, fires the timers, and writes what the stack then
 * has to say; turns follow each other until nothing moves or the round is full. A batch is acknowledged as a whole
 * because output is asked for only after it was handled.
 *
 * A unit goes out in one of three ways: the driver takes the whole of it; or it is one complete frame and is written from
 * where it lies (header and parts); or it is cut, frame by frame, in the scratch buffer, where the copy also
 * makes the checksum. When the device is full, the unit stays in the end's array with the cursor before the frame
 * that was refused, and the stack is asked for nothing more.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "link/capture.h"
#include "link/group.h"
#include "link/link.h"

uint64_t bk_link_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- in ---- */

/* Reads one batch and gives it to the stack. Returns how many frames. */
static uint32_t link_receive(bk_link *l, unsigned e, uint64_t now, int *error) {
    struct link_end *end = &l->end[e];
    struct link_batch *b = &l->batch;
    b->count = b->part_count = 0;
    if (l->group != NULL) group_take(l, b);
    uint32_t taken = b->count, taken_parts = b->part_count;
    int r = l->ops->receive(l, e, b, now);
    if (r < 0 && *error == 0) *error = r;
    uint32_t arrived = b->count - taken;
    if (b->count == 0) return 0;
    l->counters.frames_in += arrived;
    l->counters.bytes_in += link_frame_length(b->part + taken_parts, b->part_count - taken_parts);
    if (l->group != NULL && arrived > 0) group_sort(l, b, taken);
    bool captured = l->capture != NULL && e == 0;
    if (captured) link_capture_hold(l->capture, end->stack, b);
    bk_input(end->stack, end->iface, b->frame, b->count, now);
    if (captured) link_capture_in(l->capture, b, now);
    return taken + arrived;
}

/* ---- out ---- */

int link_gather(const struct link_end *end, const struct bk_tx *unit, struct iovec iov[LINK_IOV]) {
    if (unit->part_count >= LINK_IOV) return 0;
    iov[0] = (struct iovec){.iov_base = (void *)(uintptr_t)unit->header, .iov_len = unit->header_length};
    for (uint32_t i = 0; i < unit->part_count; i++) {
        const struct bk_part *part = &unit->parts[i];
        iov[i + 1].iov_base = bk_chunk_data(end->stack, part->chunk) + part->offset;
        iov[i + 1].iov_len = part->length;
    }
    return unit->part_count + 1;
}

/* Writes the cursor's next frame. Returns as transmit does; the cursor has moved unless that is 0. */
static int link_transmit(bk_link *l, unsigned e, uint64_t now) {
    struct link_end *end = &l->end[e];
    struct iovec iov[LINK_IOV];
    struct cut before = end->cut;
    size_t length = cut_length(&end->cut);
    int count = end->cut.rewrite || end->cut.checksum ? 0 : link_gather(end, end->cut.unit, iov);
    if (count > 0) {
        end->cut.index = end->cut.count;
    } else {
        cut_next(&end->cut, l->scratch, sizeof l->scratch);
        iov[0] = (struct iovec){.iov_base = l->scratch, .iov_len = length};
        count = 1;
    }
    int r = l->ops->transmit(l, e, iov, count, now);
    if (r == 0) end->cut = before;
    if (r != 1) return r;
    link_sent(l, length);
    if (l->capture != NULL && e == 0) link_capture_out(l->capture, iov, count, end->cut.unit->reason, now);
    return 1;
}

/* Writes what is left of the unit at hand. A capture wants to see frames, so it keeps units from going whole. */
static int link_send_unit(bk_link *l, unsigned e, uint64_t now) {
    struct link_end *end = &l->end[e];
    if (!end->cutting) {
        cut_begin(&end->cut, end->stack, &end->unit[end->at]);
        end->cutting = true;
    }
    if (cut_length(&end->cut) > sizeof l->scratch) return -EMSGSIZE;
    if (l->ops->transmit_unit != NULL && l->capture == NULL) {
        int r = l->ops->transmit_unit(l, e, &end->cut, now);
        if (r != LINK_CUT) return r;
    }
    while (!cut_end(&end->cut)) {
        int r = link_transmit(l, e, now);
        if (r != 1) return r;
    }
    return 1;
}

/* Lets go of units [from, at). */
static void link_done(struct link_end *end, uint32_t from) {
    uint32_t ids[LINK_UNITS], n = 0;
    for (; from < end->at; from++) ids[n++] = end->unit[from].id;
    if (n > 0) bk_output_done(end->stack, ids, n);
}

/* Writes until the stack has nothing more, the device is full, or a batch's worth of frames has left. */
static uint32_t link_send(bk_link *l, unsigned e, uint64_t now, int *error) {
    struct link_end *end = &l->end[e];
    uint64_t start = l->counters.frames_out, bytes = l->counters.bytes_out;
    uint32_t lost = 0;
    end->blocked = false;
    while (!end->blocked && l->counters.frames_out - start + lost < LINK_FRAMES &&
           l->counters.bytes_out - bytes < LINK_BYTES) {
        if (end->at == end->count) {
            end->at = 0;
            end->count = (uint32_t)bk_output(end->stack, end->iface, end->unit, LINK_UNITS, now);
            if (end->count == 0) break;
        }
        uint32_t from = end->at;
        while (end->at < end->count) {
            int r = link_send_unit(l, e, now);
            if (r == 0) {
                end->blocked = true;
                l->counters.refused++;
                break;
            }
            if (r < 0) lost++;
            if (r < 0 && *error == 0) *error = r;
            end->cutting = false;
            end->at++;
        }
        link_done(end, from);
    }
    return (uint32_t)(l->counters.frames_out - start) + lost;
}

/* ---- both ---- */

static int link_flush(bk_link *l, uint64_t now, int *error) {
    int r = l->ops->flush != NULL ? l->ops->flush(l, now) : 0;
    if (r < 0 && *error == 0) *error = r;
    return r > 0 ? r : 0;
}

/* Whether enough has moved each way since the counters were `from`. */
static bool link_round_over(const bk_link *l, const struct bk_link_counters *from, uint32_t in, uint32_t out) {
    return in >= LINK_ROUND || out >= LINK_ROUND || l->counters.bytes_in - from->bytes_in >= LINK_BYTES ||
           l->counters.bytes_out - from->bytes_out >= LINK_BYTES;
}

int bk_link_pump(bk_link *l, uint64_t now) {
    const struct bk_link_counters from = l->counters;
    uint32_t in = 0, out = 0, moved;
    int error = 0;
    l->full = l->more = false;
    for (bk_link *k = l->inner; k != NULL; k = k->inner) k->full = false;
    do {
        uint32_t in_before = in, out_before = out;
        for (unsigned e = 0; e < l->ends; e++) in += link_receive(l, e, now, &error);
        for (unsigned e = 0; e < l->ends; e++) bk_advance(l->end[e].stack, now);
        for (unsigned e = 0; e < l->ends; e++) out += link_send(l, e, now, &error);
        moved = in - in_before + out - out_before + (uint32_t)link_flush(l, now, &error);
        l->more = moved > 0 && link_round_over(l, &from, in, out);
    } while (moved > 0 && !l->more && error == 0);
    return error != 0 ? error : (int)(in + out);
}

static const bk_link *link_innermost(const bk_link *l) {
    while (l->inner != NULL) l = l->inner;
    return l;
}

int bk_link_fd(const bk_link *l) {
    return link_innermost(l)->fd;
}

bool bk_link_wants_write(const bk_link *l) {
    return link_innermost(l)->full;
}

bool bk_link_busy(const bk_link *l) {
    if (l->more || (l->ops->busy != NULL && l->ops->busy(l))) return true;
    for (unsigned e = 0; e < l->ends; e++) {
        const struct link_end *end = &l->end[e];
        if (!end->blocked && (end->at < end->count || bk_output_pending(end->stack, end->iface))) return true;
    }
    return false;
}

uint64_t bk_link_next_deadline(const bk_link *l) {
    return l->ops->next_deadline != NULL ? l->ops->next_deadline(l) : BK_NEVER;
}

void bk_link_counters(const bk_link *l, struct bk_link_counters *out) {
    *out = l->counters;
    while ((l = l->inner) != NULL) out->no_chunk += l->counters.no_chunk;
}

int bk_link_capture(bk_link *l, const char *path, const struct bk_capture_name *names) {
    int error = 0;
    if (l->capture != NULL) return -EBUSY;
    l->capture = link_capture_open(&l->end[0], path, names, &error);
    if (l->capture != NULL && l->ops->plain != NULL) l->ops->plain(l, true);
    return l->capture != NULL ? 0 : error;
}

int bk_link_capture_end(bk_link *l) {
    int error = link_capture_close(l->capture);
    if (l->capture != NULL && l->ops->plain != NULL) l->ops->plain(l, false);
    l->capture = NULL;
    return error;
}

void bk_link_close(bk_link *l) {
    if (l == NULL) return;
    for (unsigned e = 0; e < l->ends; e++) {
        struct link_end *end = &l->end[e];
        uint32_t from = end->at;
        end->at = end->count;
        link_done(end, from);
    }
    link_capture_close(l->capture);
    l->ops->close(l);
    bk_link_close(l->inner);
    free(l);
}
