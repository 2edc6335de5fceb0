/* The pump: what all links have in common.
 *
 * A turn of the pump, at each end, reads a batch and gives it to the stack, fires the timers, and writes what the stack then
 * has to say; turns follow each other until nothing moves or the round is full. A batch is acknowledged as a whole
 * because output is asked for only after it was handled. Nobody is asked in vain: a driver that has said that nothing more is there is read again only
 * when something was written, which may have been answered, and a stack is asked only if it may have something to say.
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

/* What a round has moved, and may. */
struct link_round {
    uint32_t in, out;             /* frames, those out that the device refused for good among them */
    uint64_t bytes_in, bytes_out; /* what the link's counters may come to */
    int error;                    /* the first one */
    bool moved;                   /* in this turn */
};

static void link_error(struct link_round *round, int r) {
    if (r < 0 && round->error == 0) round->error = r;
}

/* Reads one batch and gives it to the stack. */
static void link_receive(bk_link *l, unsigned e, uint64_t now, struct link_round *round) {
    struct link_end *end = &l->end[e];
    struct link_batch *b = &l->batch;
    b->count = b->part_count = 0;
    b->drained = false;
    bool left = l->group != NULL && group_take(l, b);
    uint32_t taken = b->count;
    link_error(round, l->ops->receive(l, e, b, now));
    end->drained = b->drained && !left;
    if (b->count == 0) return;
    round->moved = true;
    round->in += b->count;
    l->counters.frames_in += b->count - taken;
    for (uint32_t i = taken; i < b->count; i++)
        l->counters.bytes_in += link_frame_length(b->frame[i].parts, b->frame[i].part_count);
    if (l->group != NULL && b->count > taken) group_sort(l, b, taken);
    bool captured = l->capture != NULL && e == 0;
    if (captured) link_capture_hold(l->capture, end->stack, b);
    bk_input(end->stack, end->iface, b->frame, b->count, now);
    if (captured) link_capture_in(l->capture, b, now);
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

/* Lets go of the unit at hand. */
static void link_done(struct link_end *end) {
    bk_output_done(end->stack, &end->unit[end->at++].id, 1);
    end->cutting = false;
}

static bool link_has_output(const struct link_end *end) {
    return end->at < end->count || stack_output_pending(end->stack, end->iface);
}

/* Writes until the stack has nothing more, the device is full, or a batch's worth of frames has left. There is something to be asked for. */
static void link_send(bk_link *l, unsigned e, uint64_t now, struct link_round *round) {
    struct link_end *end = &l->end[e];
    const struct bk_link_counters *c = &l->counters;
    uint64_t sent = c->frames_out, bytes = c->bytes_out + LINK_BYTES;
    uint32_t lost = 0;
    end->blocked = false;
    do {
        if (end->at == end->count) {
            end->at = 0;
            end->count = (uint32_t)bk_output(end->stack, end->iface, end->unit, LINK_UNITS, now);
            if (end->count == 0) break;
        }
        while (end->at < end->count) {
            int r = link_send_unit(l, e, now);
            if (r == 0) {
                end->blocked = true;
                l->counters.refused++;
                break;
            }
            if (r < 0) lost++;
            link_error(round, r);
            link_done(end);
        }
    } while (!end->blocked && end->count == LINK_UNITS && c->frames_out - sent + lost < LINK_FRAMES &&
             c->bytes_out < bytes);
    uint32_t moved = (uint32_t)(c->frames_out - sent) + lost;
    if (moved == 0) return;
    round->moved = true;
    round->out += moved;
    l->end[l->ends - 1 - e].drained = false;
}

/* ---- both ---- */

static bool link_round_over(const bk_link *l, const struct link_round *r) {
    return r->in >= LINK_ROUND || r->out >= LINK_ROUND || l->counters.bytes_in >= r->bytes_in ||
           l->counters.bytes_out >= r->bytes_out;
}

/* Moves what the link itself holds. */
static void link_flush(bk_link *l, uint64_t now, struct link_round *round) {
    int r = l->ops->flush(l, now);
    link_error(round, r);
    if (r <= 0) return;
    round->moved = true;
    for (unsigned e = 0; e < l->ends; e++) l->end[e].drained = false;
}

static void link_turn(bk_link *l, uint64_t now, struct link_round *round) {
    struct link_end *end = l->end;
    round->moved = false;
    for (unsigned e = 0; e < l->ends; e++, end++) {
        if (!end->drained) link_receive(l, e, now, round);
        /* One that has nothing to do is told the time all the same: STATUS, which is asked without it, tells ages. */
        if (!stack_quiet(end->stack, base_now(base_of(end->stack), now))) bk_advance(end->stack, now);
        if (link_has_output(end)) link_send(l, e, now, round);
    }
    if (l->ops->flush != NULL) link_flush(l, now, round);
}

/* Whether another turn may find something to do. */
static bool link_expects(const bk_link *l) {
    const struct link_end *end = l->end;
    for (unsigned e = 0; e < l->ends; e++, end++)
        if (!end->drained || link_has_output(end)) return true;
    return false;
}

int bk_link_pump(bk_link *l, uint64_t now) {
    struct link_round round = {.bytes_in = l->counters.bytes_in + LINK_BYTES,
                               .bytes_out = l->counters.bytes_out + LINK_BYTES};
    l->full = l->more = false;
    for (bk_link *k = l->inner; k != NULL; k = k->inner) k->full = false;
    if (!l->ops->inside)
        for (unsigned e = 0; e < l->ends; e++) l->end[e].drained = false;
    do {
        link_turn(l, now, &round);
        l->more = round.moved && link_round_over(l, &round);
    } while (round.moved && !l->more && round.error == 0 && link_expects(l));
    return round.error != 0 ? round.error : (int)(round.in + round.out);
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
        if (!end->blocked && link_has_output(end)) return true;
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
        while (end->at < end->count) link_done(end);
    }
    link_capture_close(l->capture);
    l->ops->close(l);
    bk_link_close(l->inner);
    free(l);
}
