/* The kernel's TCP as a peer; see kernel.h. */
#define _GNU_SOURCE 1
#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "flow.h"

#define KERNEL_PATIENCE_MS 5000u

int kernel_available(struct bench_run *run) {
    if (geteuid() != 0) return bench_fail(run, "it needs root, to make network namespaces and a TAP device");
    if (access("/dev/net/tun", R_OK | W_OK) != 0) return bench_fail(run, "it needs /dev/net/tun: %s", strerror(errno));
    if (access("/usr/sbin/ip", X_OK) != 0 && access("/sbin/ip", X_OK) != 0 && access("/usr/bin/ip", X_OK) != 0)
        return bench_fail(run, "it needs ip(8), of the package iproute2");
    struct netns ns;
    const char *why;
    int r = netns_create(&ns, &why);
    netns_destroy(&ns);
    return r < 0 ? bench_fail(run, "%s: %s", why, strerror(-r)) : 0;
}

/* The process must be inside. */
static int kernel_write_setting(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : errno;
    close(fd);
    return -error;
}

int kernel_set(const struct netns *ns, const char *path, const char *value, struct bench_run *run) {
    int r = netns_enter(ns);
    if (r == 0) r = kernel_write_setting(path, value);
    netns_leave(ns);
    return r < 0 ? bench_fail(run, "%s in a namespace: %s", path, strerror(-r)) : 0;
}

int kernel_namespace(struct netns *ns, struct bench_run *run) {
    const char *why;
    int r = netns_create(ns, &why);
    if (r < 0) return bench_fail(run, "%s: %s", why, strerror(-r));
    return kernel_set(ns, "/proc/sys/net/ipv4/tcp_timestamps", "0", run);
}

/* ---- processors ---- */

void kernel_pin_to(const cpu_set_t *set, bool last) {
    cpu_set_t one;
    int chosen = -1;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, set) && (chosen < 0 || last)) chosen = i;
    if (chosen < 0) return;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    sched_setaffinity(0, sizeof one, &one);
}

void kernel_pin(cpu_set_t *was) {
    CPU_ZERO(was);
    if (sched_getaffinity(0, sizeof *was, was) == 0) kernel_pin_to(was, false);
}

void kernel_unpin(const cpu_set_t *was) {
    if (CPU_COUNT(was) > 0) sched_setaffinity(0, sizeof *was, was);
}

void kernel_hurry(bool hurry) {
    const struct sched_param param = {.sched_priority = hurry ? 1 : 0};
    (void)sched_setscheduler(0, hurry ? SCHED_RR : SCHED_OTHER, &param);
}

/* ---- sockets ---- */

static int kernel_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

int kernel_listen(const struct netns *ns, uint16_t port, int backlog) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int r = netns_enter(ns);
    int fd = r < 0 ? r : kernel_socket();
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&any, sizeof any) < 0 || listen(fd, backlog) < 0)) {
        r = -errno;
        close(fd);
        fd = r;
    }
    netns_leave(ns);
    return fd;
}

static bool kernel_write(int fd, uint64_t bytes, bool verify) {
    for (uint64_t sent = 0; sent < bytes;) {
        const uint8_t *data = flow_pattern() + (verify ? sent % FLOW_PERIOD : 0);
        ssize_t n = send(fd, data, (size_t)u64_min(FLOW_UNIT, bytes - sent), MSG_NOSIGNAL);
        if (n < 0) return false;
        sent += (uint64_t)n;
    }
    return true;
}

static bool kernel_read(int fd, uint64_t bytes, bool verify) {
    static uint8_t buffer[FLOW_UNIT];
    for (uint64_t got = 0; got < bytes;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        if (verify && memcmp(buffer, flow_pattern() + got % FLOW_PERIOD, (size_t)n) != 0) return false;
        got += (uint64_t)n;
    }
    return true;
}

static bool kernel_read_end(int fd) {
    uint8_t byte;
    return recv(fd, &byte, 1, 0) == 0;
}

/* Answers byte by byte. Returns whether the other end has closed in the end. */
static bool kernel_echo(int fd, bool spin) {
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return false;
    for (;;) {
        uint8_t byte;
        ssize_t n = recv(fd, &byte, 1, spin ? MSG_DONTWAIT : 0);
        if (n == 0) return true;
        if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (n < 0) continue;
        byte = (uint8_t)~byte;
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) return false;
    }
}

/* ---- the process ---- */

static bool kernel_play(int fd, enum kernel_role role, uint64_t bytes, bool verify) {
    switch (role) {
    case KERNEL_SINK:
        return kernel_read(fd, bytes, verify);
    case KERNEL_SOURCE:
        return kernel_write(fd, bytes, verify) && shutdown(fd, SHUT_WR) == 0 && kernel_read_end(fd);
    case KERNEL_ECHO:
    case KERNEL_ECHO_SPINNING:
        return kernel_echo(fd, role == KERNEL_ECHO_SPINNING);
    }
    return false;
}

static _Noreturn void kernel_child(int listener, const cpu_set_t *set, enum kernel_role role, uint64_t bytes,
                                   bool verify) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    kernel_pin_to(set, true);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    _exit(fd >= 0 && kernel_play(fd, role, bytes, verify) ? 0 : 1);
}

int kernel_start(struct kernel_peer *peer, const struct netns *ns, const cpu_set_t *set, enum kernel_role role,
                 uint64_t bytes, struct bench_run *run) {
    int listener = kernel_listen(ns, KERNEL_PORT, 1);
    if (listener < 0) return bench_fail(run, "the kernel's listening socket: %s", strerror(-listener));
    pid_t pid = fork();
    if (pid == 0) kernel_child(listener, set, role, bytes, run->verify);
    int error = errno;
    close(listener);
    if (pid < 0) return bench_fail(run, "fork: %s", strerror(error));
    peer->pid = pid;
    return 0;
}

int kernel_finish(struct kernel_peer *peer, struct bench_run *run) {
    int status = -1;
    if (waitpid(peer->pid, &status, 0) < 0)
        return bench_fail(run, "waiting for the kernel's side: %s", strerror(errno));
    peer->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    return bench_fail(run, "the kernel's side did not get the bytes that it should");
}

void kernel_kill(struct kernel_peer *peer) {
    if (peer->pid == 0) return;
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
    peer->pid = 0;
}

/* ---- kernel to kernel ---- */

/* Waits until the device carries frames. A pair that was just set up does not at once: what is sent before is lost, and comes again a second
 * later. */
static int kernel_wait_running(const struct netns *ns, const char *name) {
    const struct timespec pause = {.tv_nsec = 1000000};
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int r = netns_enter(ns), fd = r < 0 ? r : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    netns_leave(ns);
    if (fd < 0) return r < 0 ? r : -errno;
    r = -ETIMEDOUT;
    for (uint32_t i = 0; i < KERNEL_PATIENCE_MS && r == -ETIMEDOUT; i++) {
        if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
            r = -errno;
        else if (request.ifr_flags & IFF_RUNNING)
            r = 0;
        else
            nanosleep(&pause, NULL);
    }
    close(fd);
    return r;
}

int kernel_veth(const struct netns *ns, const struct netns *other, struct bench_run *run) {
    const struct netns_address here = {.addr = bk_addr_ipv4(10, 1, 0, 1), .prefix_length = 8};
    const struct netns_address there = {.addr = bk_addr_ipv4(10, 0, 0, 1), .prefix_length = 8};
    char ip[] = "ip", link[] = "link", add[] = "add", name[] = "bench0", type[] = "type", veth[] = "veth",
         peer[] = "peer", name_word[] = "name", peer_name[] = "bench1", netns[] = "netns", path[64];
    char *argv[] = {ip, link, add, name, type, veth, peer, name_word, peer_name, netns, path, NULL};
    const char *why = "";
    int status = -1;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), other->fd);
    pid_t pid = netns_spawn(ns, argv, STDERR_FILENO, STDERR_FILENO);
    if (pid < 0) return bench_fail(run, "running ip(8): %s", strerror((int)-pid));
    if (waitpid(pid, &status, 0) < 0 || status != 0) return bench_fail(run, "ip(8) makes no veth pair");
    int r = netns_configure(ns, name, &here, 1, &why);
    if (r == 0) r = netns_configure(other, peer_name, &there, 1, &why);
    if (r == 0) {
        why = "waiting for it to carry frames";
        r = kernel_wait_running(ns, name);
    }
    if (r == 0) r = kernel_wait_running(other, peer_name);
    return r < 0 ? bench_fail(run, "veth: %s: %s", why, strerror(-r)) : 0;
}

int kernel_connect(const struct netns *ns, const bk_addr *to, struct bench_run *run) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(KERNEL_PORT)};
    int on = 1;
    memcpy(&server.sin_addr, to->byte + 12, 4);
    int r = netns_enter(ns), fd = r < 0 ? r : kernel_socket();
    netns_leave(ns);
    if (fd < 0) return bench_fail(run, "the kernel's socket: %s", strerror(-fd));
    if (connect(fd, (struct sockaddr *)&server, sizeof server) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0)
        return fd;
    bench_fail(run, "the kernel's socket: %s", strerror(errno));
    close(fd);
    return -1;
}

int kernel_send(const struct netns *ns, const bk_addr *to, uint64_t bytes, double *seconds, struct bench_run *run) {
    uint64_t start = bk_link_clock();
    int fd = kernel_connect(ns, to, run);
    if (fd < 0) return -1;
    bool good = kernel_write(fd, bytes, run->verify) && kernel_read_end(fd);
    int error = errno;
    *seconds = (double)(bk_link_clock() - start) * 1e-9;
    close(fd);
    return good ? 0 : bench_fail(run, "the kernel's own transfer fails: %s", strerror(error));
}
