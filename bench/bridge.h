/* A bridge that impairs: a process that moves Ethernet frames between two descriptors, through simulated links (lab/path.h) in real time.
 *
 * It is the one bad element of the workload `path`, the same whoever is at its ends. Each end is a TAP device, with a kernel behind it, or a socket that
 * carries a frame a message, with a stack of ours. Each flow has links of its own, one each way, told by the
 * server's port, so that flows share neither rate nor queue nor luck. Frames of other kinds (ARP) pass at once and are not lost.
 *
 * The links' clock is this machine's: a frame enters when the bridge has read it and leaves when its time has come, or as late as the
 * bridge wakes; how late is in the report.
 */
#ifndef BENCH_BRIDGE_H
#define BENCH_BRIDGE_H

#include <sys/types.h>

#include "bench.h"
#include "cmd/netns.h"
#include "lab/path.h"

#define BRIDGE_FLOWS 16u

struct bridge_options {
    struct path_options link; /* of each flow, each way */
    uint32_t flows;
    uint16_t port;      /* the first flow's; the others have the next ones */
    uint32_t frame_max; /* larger frames are refused and counted: somebody left the cutting to a device */
    uint64_t seed;
    /* A pcapng file of what passes end 0, with a comment at frames that will be lost; NULL: none. */
    const char *capture;
};

struct bridge_report {
    uint64_t frames, too_large, lost, overflowed;
    uint64_t late_ns, left; /* sum over the frames that left; their number */
};

struct bridge {
    pid_t pid;                    /* 0: none */
    struct bridge_report *report; /* shared with the process */
};

/* A TAP device in the namespace, up and with the address. Returns its descriptor, or -1 and run->why. */
int bridge_tap(const struct netns *ns, const char *name, const struct netns_address *address, struct bench_run *run);
/* Two ends that frames pass between as between a device and who reads it. Returns 0, or -1 and run->why. */
int bridge_sockets(int fd[2], struct bench_run *run);
/* Starts the process between fd[0] and fd[1], which stay the caller's to close. Returns 0, or -1 and run->why. */
int bridge_start(struct bridge *b, const int fd[2], const struct bridge_options *options, struct bench_run *run);
/* Ends it; *report, if it is not NULL, is what it saw. */
void bridge_stop(struct bridge *b, struct bridge_report *report);

#endif
