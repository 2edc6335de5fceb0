/* Replay: the frames of a capture come to an interface again, at the distances in time at which they were recorded.
 *
 * The first frame comes with the first pump, and each other as much later as the file says; time stamps that run backwards count
 * as equal to the one before. What the stack sends is dropped. Frames of another link type than the interface's, which a file of
 * several interfaces may hold, are passed over, and so are frames that the chunks of the whole stack could not hold.
 */
#include <errno.h>

#include "link/link.h"

struct replay {
    bk_link link;
    bk_pcap_reader *reader;
    struct bk_pcap_frame frame; /* the next one */
    bool waiting;               /* whether there is one */
    bool started;
    bool stuck;    /* the stack had no chunk for it */
    uint64_t last; /* time stamp of the frame before, in the file's time */
    uint64_t due;  /* of the next one */
};

static bool replay_fits(const struct replay *r) {
    const struct link_end *end = &r->link.end[0];
    uint32_t n = r->frame.length;
    return r->frame.link_type == link_end_type(end) && n > 0 && n <= LINK_FRAME_MAX &&
           link_chunks(end->stack, n) <= bk_config_of(end->stack)->chunks;
}

/* Moves on to the next frame of the interface's link type. Returns 0, or -EINVAL and *why: the file is malformed. */
static int replay_next(struct replay *r, const char **why) {
    int got;
    do got = bk_pcap_next(r->reader, &r->frame, why);
    while (got == 1 && !replay_fits(r));
    r->waiting = got == 1;
    if (got != 1) return got;
    if (r->frame.time > r->last && r->started) r->due += r->frame.time - r->last;
    r->last = r->started ? u64_max(r->last, r->frame.time) : r->frame.time;
    return 0;
}

static int replay_receive(bk_link *l, unsigned end, struct link_batch *batch, uint64_t now) {
    struct replay *r = (struct replay *)l;
    const char *why;
    if (!r->started) r->due = now;
    r->started = true;
    r->stuck = false;
    while (r->waiting && r->due <= now && batch->count < LINK_FRAMES) {
        if (!link_batch_copy(l, end, batch, r->frame.data, r->frame.length)) {
            r->stuck = true;
            break;
        }
        int error = replay_next(r, &why);
        if (error != 0) return error;
    }
    return 0;
}

static int replay_transmit(bk_link *l, unsigned end, const struct iovec *iov, int count, uint64_t now) {
    (void)l;
    (void)end;
    (void)iov;
    (void)count;
    (void)now;
    return 1;
}

static uint64_t replay_next_deadline(const bk_link *l) {
    const struct replay *r = (const struct replay *)l;
    return !r->waiting || r->stuck ? BK_NEVER : r->started ? r->due : 0;
}

static void replay_close(bk_link *l) {
    bk_pcap_close(((struct replay *)l)->reader);
}

static const struct link_ops replay_ops = {
    .receive = replay_receive,
    .transmit = replay_transmit,
    .next_deadline = replay_next_deadline,
    .close = replay_close,
};

int bk_replay_open(bk_stack *stack, uint32_t iface, const char *path, bk_link **out, const char **why) {
    const char *reason = "memory";
    struct replay *r = link_new(sizeof *r, &replay_ops, 1);
    int error = r == NULL ? -ENOMEM : 0;
    if (error == 0) {
        reason = "the stack has no such interface, or too few chunks for a frame";
        error = link_end_set(&r->link, 0, stack, iface);
    }
    if (error == 0) error = bk_pcap_open(path, &r->reader, &reason);
    if (error == 0) error = replay_next(r, &reason);
    if (error == 0 && !r->waiting) {
        reason = "the capture has no frame of the interface's link type";
        error = -EINVAL;
    }
    if (error != 0) {
        if (why != NULL) *why = reason;
        bk_link_close(r == NULL ? NULL : &r->link);
        return error;
    }
    *out = &r->link;
    return 0;
}
