/* A bridge that impairs; see bridge.h. */
#define _GNU_SOURCE 1
#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/common.h"
#include "base/draw.h"
#include "beckon/link.h"
#include "link/pcapng.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

#define BRIDGE_FRAME  (65535u + 14u)
#define BRIDGE_BUFFER (8 << 20) /* bytes that a socket holds */
#define BRIDGE_BATCH  64u       /* frames read before those that are due are let go */

struct bridge_end {
    int fd;
    struct path *path[BRIDGE_FLOWS]; /* of frames that enter here */
    bool full;                       /* a frame for this end could not be written */
};

struct bridge_run {
    struct bridge_options options;
    struct bridge_end end[2];
    struct bridge_report *report;
    struct pcapng *capture;
    size_t held[2]; /* length of the frame that end i could not take */
    uint8_t kept[2][BRIDGE_FRAME];
    uint8_t frame[BRIDGE_FRAME];
};

/* ---- ends ------------------------------------------------------------------------------------------ */

int bridge_tap(const struct netns *ns, const char *name, const struct netns_address *address, struct bench_run *run) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    const char *why = "entering the namespace";
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    int r = netns_enter(ns);
    if (r < 0) return bench_fail(run, "TAP: %s: %s", why, strerror(-r));
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    why = "making the device";
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) r = -errno;
    netns_leave(ns);
    if (r == 0) r = netns_configure(ns, name, address, 1, &why);
    if (r == 0) return fd;
    if (fd >= 0) close(fd);
    return bench_fail(run, "TAP: %s: %s", why, strerror(-r));
}

int bridge_sockets(int fd[2], struct bench_run *run) {
    int size = BRIDGE_BUFFER;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0)
        return bench_fail(run, "socketpair: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        if (setsockopt(fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
            return bench_fail(run, "SO_SNDBUFFORCE: %s", strerror(errno));
    return 0;
}

/* ---- moving frames --------------------------------------------------------------------------------- */

/* The flow that the frame belongs to, or UINT32_MAX. */
static uint32_t bridge_flow(const struct bridge_run *b, const uint8_t *frame, size_t n) {
    struct wire_ipv4 ip;
    if (n < WIRE_ETHERNET_LENGTH || get_be16(frame + 12) != WIRE_ETHERTYPE_IPV4) return UINT32_MAX;
    const uint8_t *at = frame + WIRE_ETHERNET_LENGTH;
    n -= WIRE_ETHERNET_LENGTH;
    if (wire_ipv4_parse(at, n, n, &ip) != BK_REASON_NONE || ip.protocol != WIRE_TCP || n < ip.header_length + 4u)
        return UINT32_MAX;
    uint32_t from = get_be16(at + ip.header_length) - (uint32_t)b->options.port,
             to = get_be16(at + ip.header_length + 2) - (uint32_t)b->options.port;
    return from < b->options.flows ? from : to < b->options.flows ? to : UINT32_MAX;
}

static void bridge_capture(struct bridge_run *b, enum pcapng_direction direction, size_t n, const char *comment,
                           uint64_t now) {
    const struct iovec iov = {.iov_base = b->frame, .iov_len = n};
    if (b->capture != NULL) pcapng_write(b->capture, now, &iov, 1, direction, comment);
}

/* b->frame enters a path. */
static void bridge_enter(struct bridge_run *b, uint32_t from, uint32_t flow, size_t n) {
    static const char *const fates[] = {[PATH_TAKEN] = NULL, [PATH_LOST] = "lost", [PATH_TOO_BIG] = "too big"};
    uint64_t now = bk_link_clock();
    enum path_fate fate = path_enter(b->end[from].path[flow], b->frame, n, now);
    if (from == 0) bridge_capture(b, PCAPNG_OUT, n, fates[fate], now);
}

/* Writes b->frame to an end; if it cannot be now, it is kept. */
static void bridge_write(struct bridge_run *b, uint32_t to, const uint8_t *frame, size_t n) {
    ssize_t written;
    do written = write(b->end[to].fd, frame, n);
    while (written < 0 && errno == EINTR);
    bool kept = written < 0 && (errno == EAGAIN || errno == ENOBUFS);
    b->end[to].full = kept;
    if (!kept) b->held[to] = 0;
    if (!kept || frame == b->kept[to]) return;
    memcpy(b->kept[to], frame, n);
    b->held[to] = n;
}

static void bridge_read(struct bridge_run *b, uint32_t from) {
    for (uint32_t i = 0; i < BRIDGE_BATCH; i++) {
        ssize_t n = read(b->end[from].fd, b->frame, sizeof b->frame);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        b->report->frames++;
        if ((size_t)n > b->options.frame_max) {
            b->report->too_large++;
            continue;
        }
        uint32_t flow = bridge_flow(b, b->frame, (size_t)n);
        if (flow == UINT32_MAX)
            bridge_write(b, !from, b->frame, (size_t)n);
        else
            bridge_enter(b, from, flow, (size_t)n);
    }
}

/* Lets go what is due. Returns when there is more. */
static uint64_t bridge_leave(struct bridge_run *b) {
    uint64_t next = UINT64_MAX;
    for (uint32_t to = 0; to < 2; to++) {
        if (b->held[to] > 0) bridge_write(b, to, b->kept[to], b->held[to]);
        for (uint32_t i = 0; i < b->options.flows; i++) {
            struct path *p = b->end[!to].path[i];
            uint64_t due, now = bk_link_clock();
            while (!b->end[to].full && (due = path_next(p)) <= now) {
                size_t n = path_leave(p, now, b->frame);
                if (n == 0) break;
                b->report->left++;
                b->report->late_ns += now - due;
                if (to == 0) bridge_capture(b, PCAPNG_IN, n, NULL, now);
                bridge_write(b, to, b->frame, n);
            }
            if (!b->end[to].full) next = u64_min(next, path_next(p));
        }
    }
    return next;
}

static void bridge_count(struct bridge_run *b) {
    uint64_t lost = 0, overflowed = 0;
    for (uint32_t e = 0; e < 2; e++)
        for (uint32_t i = 0; i < b->options.flows; i++) {
            lost += path_counters(b->end[e].path[i])->lost;
            overflowed += path_counters(b->end[e].path[i])->overflowed;
        }
    b->report->lost = lost;
    b->report->overflowed = overflowed;
}

static volatile sig_atomic_t bridge_stopped;

static void bridge_on_signal(int number) {
    (void)number;
    bridge_stopped = 1;
}

/* Waits for a frame, room for one, or `next`. */
static void bridge_wait(struct bridge_run *b, uint64_t next) {
    struct pollfd p[2];
    uint64_t now = bk_link_clock(), wait = next > now ? u64_min(next - now, NS_PER_S) : 0;
    const struct timespec timeout = {.tv_sec = (time_t)(wait / NS_PER_S), .tv_nsec = (long)(wait % NS_PER_S)};
    for (uint32_t e = 0; e < 2; e++)
        p[e] = (struct pollfd){.fd = b->end[e].fd, .events = (short)(POLLIN | (b->end[e].full ? POLLOUT : 0))};
    if (ppoll(p, 2, &timeout, NULL) <= 0) return;
    for (uint32_t e = 0; e < 2; e++)
        if (p[e].revents & POLLIN) bridge_read(b, e);
}

static _Noreturn void bridge_child(struct bridge_run *b) {
    const struct sigaction stop = {.sa_handler = bridge_on_signal};
    uint64_t seed = b->options.seed;
    int error;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1UL);
    sigaction(SIGTERM, &stop, NULL);
    for (uint32_t i = 0; i < b->options.flows; i++)
        for (uint32_t e = 0; e < 2; e++) {
            b->end[e].path[i] = path_new(&b->options.link, draw(&seed), bk_link_clock());
            if (b->end[e].path[i] == NULL) _exit(1);
        }
    if (b->options.capture != NULL) b->capture = pcapng_create(b->options.capture, 1, "bridge", NULL, &error);
    while (!bridge_stopped) {
        bridge_wait(b, bridge_leave(b));
        bridge_count(b);
    }
    (void)pcapng_close(b->capture);
    _exit(0);
}

/* ---- the process ----------------------------------------------------------------------------------- */

int bridge_start(struct bridge *b, const int fd[2], const struct bridge_options *options, struct bench_run *run) {
    static struct bridge_run child; /* large; the process has its own copy */
    b->report = mmap(NULL, sizeof *b->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b->report == MAP_FAILED) {
        b->report = NULL;
        return bench_fail(run, "mmap: %s", strerror(errno));
    }
    memset(&child, 0, sizeof child);
    child.options = *options;
    child.report = b->report;
    child.end[0].fd = fd[0];
    child.end[1].fd = fd[1];
    b->pid = fork();
    if (b->pid == 0) bridge_child(&child);
    if (b->pid > 0) return 0;
    b->pid = 0;
    return bench_fail(run, "fork: %s", strerror(errno));
}

void bridge_stop(struct bridge *b, struct bridge_report *report) {
    if (b->pid != 0) {
        kill(b->pid, SIGTERM);
        waitpid(b->pid, NULL, 0);
    }
    if (b->report != NULL) {
        if (report != NULL) *report = *b->report;
        munmap(b->report, sizeof *b->report);
    }
    *b = (struct bridge){0};
}
