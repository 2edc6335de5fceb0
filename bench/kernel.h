/* The kernel's TCP as the peer of a bulk transfer: private namespaces, and a process that is the sink or the source.
 *
 * Congestion control is cubic on each socket, whatever the system's default: BBR paces, and is several times slower through a
 * device without offloads. Timestamps are off in the namespaces, so that segments carry 1,460 bytes, as everywhere here.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <sched.h>
#include <sys/types.h>

#include "bench.h"
#include "cmd/netns.h"

#define KERNEL_PORT 5001u

enum kernel_role {
    KERNEL_SINK,          /* accepts, reads so many bytes, closes */
    KERNEL_SOURCE,        /* accepts, writes so many bytes, ends its side, waits for the other's end */
    KERNEL_ECHO,          /* accepts, answers each byte with its complement until the other's end */
    KERNEL_ECHO_SPINNING, /* the same, asking again and again instead of sleeping */
};

/* Pins this process to the first of the processors that it may use; the peer's process, started later, goes to the last. Left to
 * themselves, a reader that is woken for each frame may come to the writer's processor and take it away, in one run and not in
 * the next. `was` is for kernel_unpin. */
void kernel_pin(cpu_set_t *was);
void kernel_unpin(const cpu_set_t *was);
/* Pins this process to the first (last: the last) of the processors in the set. */
void kernel_pin_to(const cpu_set_t *set, bool last);

/* Gives this process, and those that it starts from now on, real-time priority, or the usual one back: on a machine that has other work,
 * the wait for a processor is not what is measured. Does nothing where that is not allowed. */
void kernel_hurry(bool hurry);

struct kernel_peer {
    pid_t pid; /* 0: none */
};

/* 0, or -1 and run->why: no root, no TAP, no ip(8). */
int kernel_available(struct bench_run *run);
/* A namespace whose TCP is as said above. Destroyed by netns_destroy. */
int kernel_namespace(struct netns *ns, struct bench_run *run);
/* Writes a setting of the namespace, a file below /proc/sys/net. Returns 0, or -1 and run->why. */
int kernel_set(const struct netns *ns, const char *path, const char *value, struct bench_run *run);
/* A socket that listens inside. Returns it, or a negative errno. */
int kernel_listen(const struct netns *ns, uint16_t port, int backlog);
/* Starts a process, on the last processor of the set, that listens at KERNEL_PORT inside and plays its role once. It listens when
 * this returns. */
int kernel_start(struct kernel_peer *peer, const struct netns *ns, const cpu_set_t *set, enum kernel_role role,
                 uint64_t bytes, struct bench_run *run);
/* Waits for its end; -1 and run->why if it was not satisfied. */
int kernel_finish(struct kernel_peer *peer, struct bench_run *run);
/* Ends it, if it is there. */
void kernel_kill(struct kernel_peer *peer);

/* Two namespaces joined by a veth pair with the kernel's default offloads, MTU 1500: 10.1.0.1 in `ns`, 10.0.0.1 in `other`. */
int kernel_veth(const struct netns *ns, const struct netns *other, struct bench_run *run);
/* Connects from inside `ns` to KERNEL_PORT; Nagle's algorithm is off. Returns the socket, or -1 and run->why. */
int kernel_connect(const struct netns *ns, const bk_addr *to, struct bench_run *run);
/* From inside `ns`, sends so many bytes to a sink and waits for it to close. Sets the wall time in seconds. */
int kernel_send(const struct netns *ns, const bk_addr *to, uint64_t bytes, double *seconds, struct bench_run *run);

#endif
