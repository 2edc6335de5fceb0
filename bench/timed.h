/* Bulk transfers that last for so long, and not so many bytes: the kernel's users of the workload `path`, each a process of its own.
 *
 * A sink listens at so many ports, beginning with the first, takes a connection at each and reads; its time begins with the first byte that comes and
 * ends `duration` later, and then it closes all. A source opens those connections and writes until they are closed. All sockets are of
 * the congestion control that is asked for, whatever the system prefers.
 */
#ifndef BENCH_TIMED_H
#define BENCH_TIMED_H

#include <sys/types.h>

#include "bench.h"
#include "cmd/netns.h"

#define TIMED_FLOWS 16u

struct timed_options {
    uint32_t flows;
    uint16_t port;
    const char *congestion;
    uint64_t duration; /* ns */
    const bk_addr *to; /* a source's */
    bool verify;       /* the pattern of flow.h is sent, or expected */
};

/* What a process tells. */
struct timed_report {
    uint64_t octets;                    /* a sink's: read in its time */
    uint64_t segments, retransmissions; /* a source's, so far */
    bool failed;
};

struct timed {
    pid_t pid;                   /* 0: none */
    struct timed_report *report; /* shared with the process */
};

/* Start a process with sockets in the namespace. A sink listens when this returns. Return 0, or -1 and run->why. */
int timed_sink(struct timed *t, const struct netns *ns, const struct timed_options *options, struct bench_run *run);
int timed_source(struct timed *t, const struct netns *ns, const struct timed_options *options, struct bench_run *run);
/* Whether it has ended; waits for that if `wait`. */
bool timed_ended(struct timed *t, bool wait);
/* Ends the process if it is there; *report, if it is not NULL, is what it told. */
void timed_stop(struct timed *t, struct timed_report *report);

#endif
