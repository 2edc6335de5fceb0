/* Load from the kernel's side; see load.h. */
#define _GNU_SOURCE 1
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checksum.h"
#include "beckon/link.h"

#define LOAD_EVENTS  256
#define LOAD_BATCH   64u
#define LOAD_FRAME   60u
#define LOAD_BACKLOG 1024

struct load_report {
    _Atomic bool ended;
    double rate;   /* 0: it failed */
    char why[100]; /* then */
};

static struct sockaddr_in load_to(void) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(KERNEL_PORT), .sin_addr.s_addr = htonl(0x0a000001)};
}

static int load_socket(int flags) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* ---- the process: packets -------------------------------------------------------------------------- */

static int load_packet_socket(const char *device) {
    int on = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: it receives nothing */
    const struct sockaddr_ll from = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(device)};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) != 0) return -1;
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    return fd;
}

static const uint8_t load_station[6] = {2, 0, 0, 0, 0, 9};

/* ARP request (RFC 826) for 10.0.0.1, by which the answering stack learns where 10.2.0.1 is. */
static void load_arp(uint8_t f[LOAD_FRAME]) {
    static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t sender[] = {10, 2, 0, 1}, target[] = {10, 0, 0, 1};
    memset(f, 0, LOAD_FRAME);
    memset(f, 0xff, 6);
    memcpy(f + 6, load_station, 6);
    memcpy(f + 12, head, sizeof head);
    memcpy(f + 22, load_station, 6);
    memcpy(f + 28, sender, sizeof sender);
    memcpy(f + 38, target, sizeof target);
}

/* ICMP echo request, or reply (RFC 792), from 10.2.0.1 to 10.0.0.1. */
static void load_echo(uint8_t f[LOAD_FRAME], const uint8_t to[6], bool request) {
    static const uint8_t head[] = {8, 0, 0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 1, 0, 0, 10, 2, 0, 1, 10, 0, 0, 1};
    memset(f, 0, LOAD_FRAME);
    memcpy(f, to, 6);
    memcpy(f + 6, load_station, 6);
    memcpy(f + 12, head, sizeof head);
    f[34] = request ? 8 : 0;
    put_be16(f + 24, checksum_finish(checksum_add(0, f + 14, 20)));
    put_be16(f + 36, checksum_finish(checksum_add(0, f + 34, LOAD_FRAME - 34)));
}

static const char *load_packets(const struct load_options *o) {
    struct mmsghdr batch[LOAD_BATCH];
    uint8_t frame[LOAD_FRAME];
    struct iovec iov = {.iov_base = frame, .iov_len = sizeof frame};
    int fd = load_packet_socket(o->device);
    if (fd < 0) return "a packet socket";
    load_arp(frame);
    if (send(fd, frame, sizeof frame, 0) != LOAD_FRAME) return "sending an ARP request";
    load_echo(frame, o->mac, o->kind == LOAD_REQUESTS);
    for (uint32_t i = 0; i < LOAD_BATCH; i++)
        batch[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    for (;;) /* a device that is full loses what we send, and takes the next */
        if (sendmmsg(fd, batch, LOAD_BATCH, 0) < 0 && errno != ENOBUFS && errno != EAGAIN) return "sending packets";
}

/* ---- the process: connections ---------------------------------------------------------------------- */

static bool load_connect(int epoll) {
    const struct sockaddr_in to = load_to();
    struct epoll_event event = {.events = EPOLLOUT};
    int fd = event.data.fd = load_socket(SOCK_NONBLOCK);
    return fd >= 0 && (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS) &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* What is next for a connection: connected, so the byte is sent; or answered, so it is closed, and *through. */
static bool load_connection(int epoll, const struct epoll_event *e, bool *through) {
    int fd = e->data.fd;
    uint8_t byte = 0x5a;
    *through = (e->events & EPOLLIN) != 0;
    if (*through) {
        bool good = recv(fd, &byte, 1, 0) == 1 && byte == 0xa5;
        return close(fd) == 0 && good;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

static const char *load_connections(const struct load_options *o, double *rate) {
    struct epoll_event events[LOAD_EVENTS];
    uint64_t total = o->warm + o->count, started = 0, through = 0, start = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (; started < o->at_once; started++)
        if (!load_connect(epoll)) return "connecting";
    while (through < total) {
        int n = epoll_wait(epoll, events, LOAD_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            bool answered = false;
            if (!load_connection(epoll, &events[i], &answered)) return "a connection failed";
            if (!answered) continue;
            if (++through == o->warm) start = bk_link_clock();
            if (started++ < total && !load_connect(epoll)) return "connecting";
        }
    }
    *rate = (double)o->count * 1e9 / (double)(bk_link_clock() - start);
    return NULL;
}

static const char *load_bytes(const struct load_options *o, double *rate) {
    const struct sockaddr_in to = load_to();
    uint64_t start = 0;
    int fd = load_socket(0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) return "connecting";
    for (uint64_t i = 0; i < o->warm + o->count; i++) {
        uint8_t byte = (uint8_t)i, answer = byte;
        if (i == o->warm) start = bk_link_clock();
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &answer, 1, 0) != 1 || (answer ^ byte) != 0xff)
            return "an answer is missing or wrong";
    }
    *rate = (double)o->count * 1e9 / (double)(bk_link_clock() - start);
    return NULL;
}

/* ---- starting and ending it ------------------------------------------------------------------------ */

static _Noreturn void load_child(struct load_report *report, const struct netns *ns, const cpu_set_t *set,
                                 const struct load_options *o) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    kernel_pin_to(set, true);
    const char *why = netns_enter(ns) < 0           ? "entering the namespace"
                      : o->kind == LOAD_CONNECTIONS ? load_connections(o, &report->rate)
                      : o->kind == LOAD_BYTES       ? load_bytes(o, &report->rate)
                                                    : load_packets(o);
    if (why != NULL) snprintf(report->why, sizeof report->why, "%s: %s", why, strerror(errno));
    atomic_store_explicit(&report->ended, true, memory_order_release);
    _exit(0);
}

int load_start(struct load *l, const struct netns *ns, const cpu_set_t *set, const struct load_options *options,
               struct bench_run *run) {
    l->report = mmap(NULL, sizeof *l->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l->report == MAP_FAILED) {
        l->report = NULL;
        return bench_fail(run, "mmap: %s", strerror(errno));
    }
    l->pid = fork();
    if (l->pid == 0) load_child(l->report, ns, set, options);
    if (l->pid > 0) return 0;
    l->pid = 0;
    return bench_fail(run, "fork: %s", strerror(errno));
}

bool load_ended(const struct load *l) {
    return atomic_load_explicit(&l->report->ended, memory_order_acquire);
}

int load_result(const struct load *l, double *rate, struct bench_run *run) {
    *rate = l->report->rate;
    return *rate > 0 ? 0 : bench_fail(run, "the load's process: %s", l->report->why);
}

void load_stop(struct load *l) {
    if (l->pid != 0) {
        kill(l->pid, SIGKILL);
        waitpid(l->pid, NULL, 0);
    }
    if (l->report != NULL) munmap(l->report, sizeof *l->report);
    *l = (struct load){0};
}

/* ---- the kernel's server --------------------------------------------------------------------------- */

static int load_listen(const struct netns *ns) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(KERNEL_PORT)};
    int fd = netns_enter(ns) == 0 ? load_socket(SOCK_NONBLOCK) : -1;
    netns_leave(ns);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) != 0 || listen(fd, LOAD_BACKLOG) != 0) return -1;
    return fd;
}

/* Answers what there is, until the other end has closed. */
static void load_answer(int fd) {
    uint8_t byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) == 1) {
        byte = (uint8_t)~byte;
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) break;
    }
    if (n < 0 && errno == EAGAIN) return;
    close(fd);
}

static void load_serve_event(int epoll, int listener, int fd) {
    if (fd != listener) {
        load_answer(fd);
        return;
    }
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int load_serve_by_kernel(const struct netns *ns, struct load *l, int (*start)(void *context, struct bench_run *run),
                         void *context, struct bench_run *run) {
    struct epoll_event events[LOAD_EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC), listener = load_listen(ns), r = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        r = bench_fail(run, "the kernel's listening socket: %s", strerror(errno));
    if (r == 0) r = start(context, run);
    while (r == 0 && !load_ended(l)) {
        int n = epoll_wait(epoll, events, LOAD_EVENTS, 100);
        for (int i = 0; i < n; i++) load_serve_event(epoll, listener, events[i].data.fd);
    }
    if (listener >= 0) close(listener);
    close(epoll);
    return r;
}
