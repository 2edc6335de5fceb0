/* The inside of a link: what a driver provides, and what the pump (link.c) does for it.
 *
 * A driver speaks wire frames, whole and checksummed: it adds those that arrived to a batch of chunks (receive) and
 * takes one at a time (transmit). So any driver can be wrapped by another (impair.c), and the pump can put a
 * capture between the stack and any of them. A driver that can do better than one copied frame at a time takes units
 * (transmit_unit); the pump uses that only where nobody has to see the frames.
 *
 * A link has an end for each stack that it serves: two for the memory link, one for all others. The struct of a driver
 * begins with struct bk_link.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <sys/uio.h>

#include "beckon/link.h"
#include "net/cut.h"
#include "stack.h"

#define LINK_FRAMES    64u     /* frames that are read before the stack is asked what it says to them */
#define LINK_UNITS     32u     /* units asked of the stack at once */
#define LINK_PARTS     1024u   /* chunks of one batch */
#define LINK_ROUND     256u    /* frames after which bk_link_pump returns, each way, */
#define LINK_BYTES     524288u /* or bytes, should they be larger: the user reads before the next are let in */
#define LINK_IOV       64u     /* pieces of a frame that is written from where it lies, header included */
#define LINK_CUT       2       /* see transmit_unit */
#define LINK_FRAME_MAX 65600u  /* bytes of the largest frame: an IP packet and its link header */

enum link_type { LINK_TYPE_ETHERNET = 1, LINK_TYPE_IP = 101 }; /* as in capture files */

/* Frames that arrived at one end, in the parts here or in others that stay until the driver is asked again. Their chunks are the stack's once
 * bk_input has them. */
struct link_batch {
    uint32_t count, part_count;
    bool drained; /* the driver says so: nothing more is there to be read, before something is written or flushed */
    struct bk_rx frame[LINK_FRAMES];
    struct bk_part part[LINK_PARTS];
};

struct link_end {
    bk_stack *stack;
    uint32_t iface;
    uint32_t at, count; /* unit[at..count) are the units asked of the stack and not yet written */
    bool cutting;       /* `cut` stands in unit[at], of which some frames may have left */
    bool blocked;       /* the device was full when last asked */
    bool drained;       /* so it was said of the last batch, and nothing was written or flushed since */
    struct cut cut;
    struct bk_tx unit[LINK_UNITS];
};

struct link_ops {
    /* Adds frames that arrived at this end to the batch, while there are any and it has room. Returns 0 or a negative
     * errno; what was added counts in any case. */
    int (*receive)(bk_link *link, unsigned end, struct link_batch *batch, uint64_t now);
    /* Takes one frame that this end sends. Returns 1 (taken), 0 (full: come again with it), or a negative errno (the
     * frame is lost). */
    int (*transmit)(bk_link *link, unsigned end, const struct iovec *iov, int count, uint64_t now);
    /* Optional: takes what `cut` has left, moving the cursor and counting (link_sent). Returns as transmit does, 1 when
     * the unit is finished; or LINK_CUT, having done nothing: the pump shall cut it. */
    int (*transmit_unit)(bk_link *link, unsigned end, struct cut *cut, uint64_t now);
    /* Optional: from now on nothing but whole frames with all their checksums shall arrive; or (false) what was usual
     * again. What is under way may still come as it was. */
    void (*plain)(bk_link *link, bool plain);
    /* Optional: moves frames that the link holds and that are due. Returns how many, or a negative errno. */
    int (*flush)(bk_link *link, uint64_t now);
    /* Optional: whether frames are inside that the next pump would move, whatever the time. */
    bool (*busy)(const bk_link *link);
    /* Optional: when frames inside are due. */
    uint64_t (*next_deadline)(const bk_link *link);
    /* What comes out at an end is what was written at the other, and nothing else: once drained, an end need not be read before that. */
    bool inside;
    /* Closes the device and frees all but the driver's struct itself. */
    void (*close)(bk_link *link);
};

struct link_capture;

struct bk_link {
    const struct link_ops *ops;
    bk_link *inner; /* that this one wraps and owns, or NULL */
    unsigned ends;
    int fd;    /* or -1 */
    bool full; /* fd was not writable when last asked */
    bool more; /* the last pump stopped at its limit */
    struct bk_link_counters counters;
    struct link_capture *capture; /* or NULL */
    bk_group *group;              /* or NULL */
    uint32_t member;              /* of it */
    struct link_end end[2];
    struct link_batch batch;
    uint8_t scratch[LINK_FRAME_MAX]; /* a frame being cut */
};

/* Allocates a link of `size` bytes, all zero but for these; its ends are still to be set. NULL: no memory. */
void *link_new(size_t size, const struct link_ops *ops, unsigned ends);
/* Sets an end. Returns 0, or -EINVAL if the stack has no such interface or too few chunks for a frame of it. */
int link_end_set(bk_link *link, unsigned end, bk_stack *stack, uint32_t iface);
enum link_type link_end_type(const struct link_end *end);
/* The largest frame that this end's interface sends. */
uint32_t link_end_frame_max(const struct link_end *end);
/* Where header and parts of a unit lie; returns the number of pieces, or 0 if they are more than LINK_IOV. */
int link_gather(const struct link_end *end, const struct bk_tx *unit, struct iovec iov[LINK_IOV]);
/* Counts a frame that left. */
static inline void link_sent(bk_link *link, size_t bytes) {
    link->counters.frames_out++;
    link->counters.bytes_out += bytes;
}

static inline size_t link_iov_length(const struct iovec *iov, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += iov[i].iov_len;
    return length;
}

static inline uint32_t link_frame_length(const struct bk_part *parts, uint32_t count) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < count; i++) length += parts[i].length;
    return length;
}

/* What a part can hold of a chunk: its length has 16 bits. */
static inline uint32_t link_part_max(const bk_stack *stack) {
    return u32_min(base_of_const(stack)->config.chunk_size, UINT16_MAX);
}
/* Chunks that a frame of `length` bytes takes. */
uint32_t link_chunks(const bk_stack *stack, size_t length);
/* Takes n chunks or none; none is counted in no_chunk. */
bool link_chunks_alloc(bk_link *link, bk_stack *stack, uint32_t *chunks, uint32_t n);
/* Copies a frame into chunks, which link_chunks counted, and describes it in as many parts. */
void link_frame_fill(bk_stack *stack, const uint32_t *chunks, struct bk_part *parts, const struct iovec *iov,
                     int count);
/* Copies a frame's bytes out of its chunks, up to `size` of them, and returns how many. */
size_t link_frame_copy(bk_stack *stack, const struct bk_part *parts, uint32_t count, uint8_t *to, size_t size);
void link_frame_release(bk_stack *stack, const struct bk_part *parts, uint32_t count);

/* Whether a frame of so many parts has room. */
static inline bool link_batch_room(const struct link_batch *batch, uint32_t parts) {
    return batch->count < LINK_FRAMES && batch->part_count + parts <= LINK_PARTS;
}
/* Adds a frame whose parts stand at batch->part[batch->part_count]; returns it, with no flags. */
struct bk_rx *link_batch_push(struct link_batch *batch, uint32_t parts);
/* Copies a frame into chunks and adds it. False: the batch has no room, or the stack no chunks. */
bool link_batch_copy(bk_link *link, unsigned end, struct link_batch *batch, const void *frame, size_t length);

#endif
