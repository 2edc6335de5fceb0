/* Links: drivers that move frames between a stack's interface and something else. They are outside the core: they
 * make system calls and allocate, and the stack knows nothing of them.
 *
 * One link serves one interface of one stack (the memory link: one of each of two). bk_link_pump does all the moving; call it
 * when bk_link_fd is readable, after user calls, and when bk_next_deadline has come. The whole loop of an embedder is
 *
 *     for (;;) {
 *         bk_link_pump(link, now());                  // in, advance, out
 *         ... bk_ready_poll, user calls; if there were any, once more from the top ...
 *         poll(bk_link_fd(link), POLLIN, until(bk_next_deadline(stack)));
 *     }
 */
#ifndef BECKON_LINK_H
#define BECKON_LINK_H

#include "beckon/stack.h"
#include "beckon/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bk_link bk_link;

/* Monotonic time of this machine in nanoseconds, for embedders that live in real time. */
BK_API uint64_t bk_link_clock(void);

/* Moves frames: those that arrived into the stack, time forward, and what should leave out, until neither side has more
 * or about 256 frames or half a MiB went each way. Returns how many frames moved (0: nothing to do), or a negative errno of the device. A
 * device that is full pushes back: its frames stay in the stack, and bk_link_wants_write says so. */
BK_API int bk_link_pump(bk_link *link, uint64_t now);
/* The descriptor to poll for reading, or -1 if there is none. */
BK_API int bk_link_fd(const bk_link *link);
/* Whether the descriptor must become writable before more can leave. */
BK_API bool bk_link_wants_write(const bk_link *link);
/* Whether frames are left that moving needs no event for: pump again before sleeping. */
BK_API bool bk_link_busy(const bk_link *link);
/* When frames that the link itself holds (impairment delay) are due; BK_NEVER if none. */
BK_API uint64_t bk_link_next_deadline(const bk_link *link);
/* Closes the device, gives frames back to the stack, frees the link. NULL is fine. */
BK_API void bk_link_close(bk_link *link);

/* Of the memory link: both directions together, each frame once as out and once as in. */
struct bk_link_counters {
    uint64_t frames_in, frames_out, bytes_in, bytes_out;
    uint64_t refused;  /* times the device was full */
    uint64_t no_chunk; /* times reading stopped because the stack had no free chunk */
};
BK_API void bk_link_counters(const bk_link *link, struct bk_link_counters *out);

/* ---- conveniences for a program that lives in real time --------------------------------------------- */

/* Makes a stack in memory of its own (reserved for all that the configuration allows, touched as it is used) with a seed of the
 * system's randomness. NULL for `config`: the default one. Returns 0 and *stack, or as bk_create; -ENOMEM also if the
 * memory cannot be reserved, -EIO if there is no randomness. */
BK_API int bk_host_create(const struct bk_config *config, bk_stack **stack);
/* Gives that memory back. Close the stack's links before. NULL is fine. */
BK_API void bk_host_destroy(bk_stack *stack);
/* Pumps the link; if nothing moved, sleeps until frames come, something is due, or `until` (time of bk_link_clock, BK_NEVER: no
 * limit) has come, and pumps again. Returns frames moved (0: `until` came, something was due, or a signal interrupted), or a
 * negative errno of the device. */
BK_API int bk_link_wait(bk_link *link, uint64_t until);

/* ---- memory: two stacks in one process ------------------------------------------------------------- */

struct bk_memory_options {
    uint32_t queue;    /* frames that each direction holds; 0: 256. When it is full, the sender is pushed back */
    bool by_reference; /* both interfaces belong to one stack: payload chunks are handed over, not copied */
};
/* Joins interface `iface_a` of `a` and `iface_b` of `b`. Units are cut to the MTU and checksummed on the way, as a wire would
 * see them. Returns 0 and *out, or -EINVAL, -ENOMEM. */
BK_API int bk_memory_open(bk_stack *a, uint32_t iface_a, bk_stack *b, uint32_t iface_b,
                          const struct bk_memory_options *options, bk_link **out);

/* ---- tap and tun: the Linux kernel on the other end ------------------------------------------------ */

struct bk_tap_options {
    const char *name;  /* of an existing or new device; NULL or "": the kernel chooses */
    const char *netns; /* name under /run/netns to open it in; NULL: here */
    bool tun;          /* layer 3 (raw IP) instead of Ethernet */
    bool plain;        /* no offloads: every frame is one that a wire could carry, with all its checksums */
    /* One queue of a device that has several: each opening is the next one, and the kernel spreads flows over them, or does as bk_tap_steer says. */
    bool multi_queue;
    int fd; /* an open TUN/TAP descriptor to use instead, or a SOCK_DGRAM or SOCK_SEQPACKET socket, connected,
                          * that carries a frame a message; -1: open one */
    uint32_t
        socket_header; /* of a socket: bytes of a virtio_net_hdr (little-endian) before each frame, 10 to 64; 0: none, and no offloads */
};
/* Opens the device for `iface` of `stack`, non-blocking. Returns 0 and *out, or a negative errno of open(2)/ioctl(2);
 * *why (if why is not NULL) says which step failed. Want of an offload is no failure. */
BK_API int bk_tap_open(bk_stack *stack, uint32_t iface, const struct bk_tap_options *options, bk_link **out,
                       const char **why);
/* What was agreed on. A capture and an impairment do without while they last. */
struct bk_tap_offload {
    bool units;     /* out: units of up to 64 KiB leave in one piece, to be cut and checksummed where that is needed */
    bool checksums; /* in: a local sender's checksums may be missing */
    bool merged;    /* in: segments may come merged, up to 64 KiB */
    const char *refused; /* what was asked for in vain, or NULL */
};
BK_API void bk_tap_offload(const bk_link *link, struct bk_tap_offload *out);
/* The device's name. */
BK_API const char *bk_tap_name(const bk_link *link);
/* Has the kernel give each frame to the queue of the stack that it belongs to (bk_steer_frame), by a program that is loaded for it. For a group whose stacks
 * have opened all queues of the device, in their order, and nobody else any. Needs CAP_BPF and CAP_NET_ADMIN (root has them). Returns 0,
 * -EINVAL if the link is no TAP or TUN device's or its stack has no group, or a negative errno of bpf(2) or ioctl(2); *why (if why is not NULL) says which step
 * failed. Without it the kernel goes on as it likes, and links that have joined a group sort that out. */
BK_API int bk_tap_steer(bk_link *link, const char **why);

/* ---- AF_XDP: a network device's frames, past the kernel's stack ------------------------------------- */

/* What a device says about itself. */
struct bk_xdp_device {
    char driver[32]; /* "veth", "ixgbe", ...; "" if it does not tell */
    uint32_t index, mtu, queues;
    uint8_t mac[6];
};
/* Asks a device, in the namespace that /run/netns has under that name (NULL: here). The stack's interface should have its MAC and its MTU. Returns
 * 0 and *out, or a negative errno of socket(2)/ioctl(2), -EINVAL if it is not Ethernet; *why (if why is not NULL) says which step failed. */
BK_API int bk_xdp_device(const char *name, const char *netns, struct bk_xdp_device *out, const char **why);

struct bk_xdp_options {
    const char *name;  /* of the device, which must be there */
    const char *netns; /* name under /run/netns that it is in; NULL: here */
    uint32_t queue;    /* of the device: the link has its frames, and the kernel those of other queues */
    /* Frames that each ring holds, a power of two; 0: as many as a quarter of `chunks` less `buffer_chunks` allows, 2,048 at most. A
     * link holds twice as many chunks while it is open. */
    uint32_t frames;
    /* While frames keep coming at this distance or less, bk_link_busy stays true, so that the caller looks for the next one instead of sleeping: to be
     * woken costs both ends more. 0: 50; 1 is as good as not at all. */
    uint32_t spin_us;
    /* A link on another queue of the same device, whose program then serves this queue, too; each queue has a stack of its own, and the stacks are a
     * group (bk_group_join). Which queue a frame comes to the device says: a card by receive-side scaling, a veth by its sender. NULL: the first. */
    const bk_link *beside;
    bool zero_copy; /* the device reads and writes chunks itself, or the link is not opened */
    /* Checksums that a sender on this machine has left unfinished are wrong on veth, too: see below. */
    bool verify;
};
/* Opens an AF_XDP socket on a queue of a device for `iface` of `stack`, which must be Ethernet. Every frame of that queue goes to the stack and the
 * kernel sees none of them, so the device should be the stack's alone: no address of the kernel's on it, no other XDP program. Frames of queues
 * without a link are the kernel's, so each queue should have one.
 *
 * The stack's chunks are the memory that the kernel copies frames to and from (UMEM): all of them are touched and pinned as long as the link is open,
 * so `chunks` * `chunk_size` bytes count against RLIMIT_MEMLOCK (unless CAP_IPC_LOCK). chunk_size must be 2,048 or 4,096, and frames of the
 * device's MTU must fit into a chunk with 256 bytes before them. Of a zero-copy device, chunks that it holds are not given back when the
 * link is closed: nobody says when it writes no more.
 *
 * An AF_XDP socket is told nothing of a frame's checksum. A sender on this machine leaves it unfinished if its device lets it (`ethtool
 * -k DEVICE`, tx-checksumming), and veth hands that over as it is. So on veth, and only there, a TCP or UDP checksum that is exactly
 * the pseudo header's sum is taken as unfinished (BK_RX_CHECKSUM_LOCAL); any other is verified, as all are on other devices.
 * With `verify` unfinished ones are dropped, with a reason of their own.
 *
 * Needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF (root has them). Returns 0 and *out, or a negative errno of socket(2), setsockopt(2), mmap(2), bind(2) or
 * bpf(2); -EINVAL, -EMSGSIZE for what is said above; -EOPNOTSUPP if zero_copy is asked for and the driver has none; *why (if why is
 * not NULL) says which step failed. */
BK_API int bk_xdp_open(bk_stack *stack, uint32_t iface, const struct bk_xdp_options *options, bk_link **out,
                       const char **why);

/* How a link was opened. */
struct bk_xdp_info {
    struct bk_xdp_device device;
    uint32_t queue, frames;
    bool zero_copy;  /* or frames are copied */
    bool native;     /* the program runs in the device's driver, or (slower) in the kernel's generic hook */
    bool unfinished; /* unfinished checksums are taken */
};
/* What the kernel (the first six, XDP_STATISTICS) and the link have counted. No frame is lost that is not here, or at the device. */
struct bk_xdp_counters {
    uint64_t receive_dropped;   /* larger than a chunk takes, mostly */
    uint64_t receive_ring_full; /* arrived while the stack read too slowly, */
    uint64_t fill_ring_empty;   /* or found no chunk */
    uint64_t receive_invalid, transmit_invalid;
    uint64_t transmit_ring_empty;
    uint64_t wakeups;       /* system calls made to send */
    uint64_t transmit_lost; /* frames that the device refused */
};
/* Return 0, or -EINVAL if the link is none of AF_XDP. */
BK_API int bk_xdp_info(const bk_link *link, struct bk_xdp_info *out);
BK_API int bk_xdp_counters(const bk_link *link, struct bk_xdp_counters *out);

/* ---- several stacks that share a device ------------------------------------------------------------- */

/* Stacks of one group (steer.h) are each on a link of their own, to another queue of one device, and usually each on a thread, of one process. A link
 * that has joined hands frames that belong to another stack over to that one's link, and copies of those that all should have. */
typedef struct bk_group bk_group;
/* Makes what the links share: rings in which frames cross, of 128 KiB for each two links and each direction, touched as they are used. `index` of the
 * steering is no matter. Returns 0 and *out, or -EINVAL (not 2 to 128 stacks), -ENOMEM, -EMFILE, -ENFILE. */
BK_API int bk_group_open(const struct bk_steering *steering, bk_group **out);
/* Close the links before. NULL is fine. */
BK_API void bk_group_close(bk_group *group);
/* The link joins, with the place that its stack's configuration has. Before frames move, and on the thread that will move them or before there is
 * another. Returns 0, or -EINVAL (its stack is of another group, it is of the memory link, it has joined), -EBUSY (the place is taken). */
BK_API int bk_group_join(bk_group *group, bk_link *link);
/* A second descriptor to poll for reading, besides bk_link_fd: readable when others have handed frames over. -1 if the link is in no group. */
BK_API int bk_link_wake_fd(const bk_link *link);
struct bk_group_counters {
    uint64_t handed_over, taken_over; /* frames to and from other links, copies each */
    uint64_t lost;                    /* the other did not take them in time */
};
/* Of one link, all zero if it is in no group. On its own thread. */
BK_API void bk_group_counters(const bk_link *link, struct bk_group_counters *out);

/* ---- impairment: loss, delay and damage on the way ------------------------------------------------- */

/* Chances are parts per million; each direction draws on its own from `seed`. */
struct bk_impair_options {
    uint64_t seed;
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm; /* held back by reorder_us more than the rest */
    uint32_t reorder_us;
    uint32_t corrupt_ppm;         /* one bit of the frame flipped, after cutting and checksums */
    uint32_t delay_us, jitter_us; /* jitter is up to so much more, and keeps the order */
    uint32_t queue; /* frames in flight at most, each way; 0: 4,096. Beyond it frames are lost (drop-tail) */
};
/* Wraps a link (which it then owns) so that frames both ways pass through an impaired wire. Returns 0, -EINVAL, -ENOMEM. */
BK_API int bk_impair_wrap(bk_link *inner, const struct bk_impair_options *options, bk_link **out);
struct bk_impair_counters {
    uint64_t passed, lost, duplicated, reordered, corrupted, overflowed;
};
/* direction 0: towards the stack (of the memory link: from b to a), 1: from it. */
BK_API void bk_impair_counters(const bk_link *link, int direction, struct bk_impair_counters *out);

/* ---- captures -------------------------------------------------------------------------------------- */

typedef struct bk_capture bk_capture;
/* Starts a pcapng file for frames of this link, both ways, each with its reason as packet comment. `names` may list pairs of address and name
 * (for Wireshark's name resolution), ended by a NULL name. Returns 0, or a negative errno (-EBUSY: one runs already).
 * Of the memory link it holds what passes interface a. While a link is captured, units are cut even where they could
 * go by reference, so that what is in the file is what a wire would carry. */
struct bk_capture_name {
    bk_addr addr;
    const char *name;
};
BK_API int bk_link_capture(bk_link *link, const char *path, const struct bk_capture_name *names);
/* Finishes the capture; also done by bk_link_close. Returns 0, or the negative errno of a write that failed. */
BK_API int bk_link_capture_end(bk_link *link);

/* Reads pcap and pcapng files. */
typedef struct bk_pcap_reader bk_pcap_reader;
struct bk_pcap_frame {
    uint64_t time;       /* ns */
    const uint8_t *data; /* valid until the next read */
    uint32_t length, original_length;
    uint32_t link_type; /* 1 Ethernet, 101 raw IP */
    uint32_t iface;
    const char *comment; /* or NULL */
};
BK_API int bk_pcap_open(const char *path, bk_pcap_reader **out, const char **why);
/* Returns 1 and *frame, 0 at the end, or -EINVAL with *why for a malformed file. */
BK_API int bk_pcap_next(bk_pcap_reader *reader, struct bk_pcap_frame *frame, const char **why);
BK_API void bk_pcap_close(bk_pcap_reader *reader);

/* A replay: frames of a capture come into an interface at their recorded distances in time, and what the stack sends is dropped
 * (and captured, if asked). */
BK_API int bk_replay_open(bk_stack *stack, uint32_t iface, const char *path, bk_link **out, const char **why);

#ifdef __cplusplus
}
#endif
#endif
