/* Bulk transfers that last for so long; see timed.h. */
#define _GNU_SOURCE 1
#include "timed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tcp.h>

#include "base/common.h"
#include "beckon/link.h"
#include "flow.h"

struct timed_run {
    struct timed_options options;
    struct timed_report *report;
    int fd[TIMED_FLOWS];
    uint64_t moved[TIMED_FLOWS];
};

/* ---- the sink -------------------------------------------------------------------------------------- */

/* Reads once. Returns false if the connection is over. */
static bool timed_read(struct timed_run *t, uint32_t i) {
    static uint8_t buffer[FLOW_UNIT];
    ssize_t n = recv(t->fd[i], buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (t->options.verify && memcmp(buffer, flow_pattern() + t->moved[i] % FLOW_PERIOD, (size_t)n) != 0)
        t->report->failed = true;
    t->moved[i] += (uint64_t)n;
    t->report->octets += (uint64_t)n;
    return n > 0;
}

/* An event at socket i: a connection, or data. `listening` says which of them still wait for theirs. */
static bool timed_sink_event(struct timed_run *t, uint32_t i, bool *listening) {
    if (!*listening) return timed_read(t, i);
    int fd = accept4(t->fd[i], NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return errno == EAGAIN || errno == ECONNABORTED;
    close(t->fd[i]);
    t->fd[i] = fd;
    *listening = false;
    return true;
}

static void timed_sink_run(struct timed_run *t) {
    bool listening[TIMED_FLOWS];
    uint64_t until = BK_NEVER;
    for (uint32_t i = 0; i < TIMED_FLOWS; i++) listening[i] = true;
    for (uint64_t now; (now = bk_link_clock()) < until;) {
        struct pollfd p[TIMED_FLOWS];
        uint64_t left = until - now;
        const struct timespec timeout = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
        for (uint32_t i = 0; i < t->options.flows; i++) p[i] = (struct pollfd){.fd = t->fd[i], .events = POLLIN};
        if (ppoll(p, t->options.flows, until == BK_NEVER ? NULL : &timeout, NULL) <= 0) continue;
        for (uint32_t i = 0; i < t->options.flows; i++)
            if (p[i].revents != 0 && !timed_sink_event(t, i, &listening[i])) {
                t->report->failed = true;
                return;
            }
        if (until == BK_NEVER && t->report->octets > 0) until = bk_link_clock() + t->options.duration;
    }
}

/* ---- the source ------------------------------------------------------------------------------------ */

/* Writes while the socket takes it. Returns false if the connection is over. */
static bool timed_write(struct timed_run *t, uint32_t i) {
    for (;;) {
        const uint8_t *data = flow_pattern() + (t->options.verify ? t->moved[i] % FLOW_PERIOD : 0);
        ssize_t n = send(t->fd[i], data, FLOW_UNIT, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        t->moved[i] += (uint64_t)n;
    }
}

static void timed_tell_source(struct timed_run *t) {
    struct timed_report sum = {0};
    for (uint32_t i = 0; i < t->options.flows; i++) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;
        if (getsockopt(t->fd[i], IPPROTO_TCP, TCP_INFO, &info, &size) != 0) continue;
        sum.segments += info.tcpi_data_segs_out;
        sum.retransmissions += info.tcpi_total_retrans;
    }
    t->report->segments = sum.segments;
    t->report->retransmissions = sum.retransmissions;
}

static void timed_source_run(struct timed_run *t) {
    for (bool open = true; open;) {
        struct pollfd p[TIMED_FLOWS];
        for (uint32_t i = 0; i < t->options.flows; i++) p[i] = (struct pollfd){.fd = t->fd[i], .events = POLLOUT};
        (void)poll(p, t->options.flows, 100);
        timed_tell_source(t);
        for (uint32_t i = 0; i < t->options.flows; i++)
            if (p[i].revents != 0) open &= timed_write(t, i);
    }
}

/* ---- sockets --------------------------------------------------------------------------------------- */

static int timed_socket(const struct timed_options *o) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, o->congestion, (socklen_t)strlen(o->congestion)) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* The process must be inside the namespace. Listens, or begins to connect, at the i-th port. Returns the socket, or a negative errno. */
static int timed_open_one(const struct timed_options *o, uint32_t i) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(o->port + i))};
    int fd = timed_socket(o);
    if (fd < 0) return fd;
    if (o->to != NULL) memcpy(&address.sin_addr, o->to->byte + 12, 4);
    bool good = o->to != NULL ? connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS
                              : bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    if (good) return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int timed_open(struct timed_run *t, const struct netns *ns, struct bench_run *run) {
    int r = netns_enter(ns);
    uint32_t n = 0;
    for (; r >= 0 && n < t->options.flows; n++)
        if ((r = t->fd[n] = timed_open_one(&t->options, n)) < 0) break;
    netns_leave(ns);
    if (r >= 0) return 0;
    while (n > 0) close(t->fd[--n]);
    return bench_fail(run, "the kernel's sockets (%s): %s", t->options.congestion, strerror(-r));
}

/* ---- processes ------------------------------------------------------------------------------------- */

static int timed_start(struct timed *t, const struct netns *ns, const struct timed_options *options,
                       void (*work)(struct timed_run *t), struct bench_run *run) {
    struct timed_run r = {.options = *options};
    t->report = mmap(NULL, sizeof *t->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t->report == MAP_FAILED) {
        t->report = NULL;
        return bench_fail(run, "mmap: %s", strerror(errno));
    }
    r.report = t->report;
    if (timed_open(&r, ns, run) < 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(&r);
        _exit(0);
    }
    int error = errno;
    for (uint32_t i = 0; i < options->flows; i++) close(r.fd[i]);
    if (pid < 0) return bench_fail(run, "fork: %s", strerror(error));
    t->pid = pid;
    return 0;
}

int timed_sink(struct timed *t, const struct netns *ns, const struct timed_options *options, struct bench_run *run) {
    return timed_start(t, ns, options, timed_sink_run, run);
}

int timed_source(struct timed *t, const struct netns *ns, const struct timed_options *options, struct bench_run *run) {
    return timed_start(t, ns, options, timed_source_run, run);
}

bool timed_ended(struct timed *t, bool wait) {
    if (t->pid != 0 && waitpid(t->pid, NULL, wait ? 0 : WNOHANG) != 0) t->pid = 0;
    return t->pid == 0;
}

void timed_stop(struct timed *t, struct timed_report *report) {
    if (t->pid != 0) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, NULL, 0);
    }
    if (t->report != NULL) {
        if (report != NULL) *report = *t->report;
        munmap(t->report, sizeof *t->report);
    }
    *t = (struct timed){0};
}
