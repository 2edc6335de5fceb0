/* A client that keeps an HTTP server busy; see http_load.h. */
#define _GNU_SOURCE 1
#include "http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "kernel.h"

#define HTTP_LOAD_ANSWER  4096u
#define HTTP_LOAD_EVENTS  64
#define HTTP_LOAD_WAIT_MS 10

struct http_load_conn {
    int fd;
    bool asked;
    uint32_t got;
    char answer[HTTP_LOAD_ANSWER];
};

/* The process's own. */
struct http_load_run {
    const struct http_load_options *o;
    struct http_load_report *report;
    int epoll;
    uint32_t length; /* of an answer; 0: none has come yet */
    uint64_t answers;
    struct http_load_conn conn[HTTP_LOAD_AT_ONCE];
};

__attribute__((format(printf, 2, 3))) static bool http_load_fail(struct http_load_run *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(l->report->why, sizeof l->report->why, format, args);
    va_end(args);
    return false;
}

static bool http_load_open(struct http_load_run *l, uint32_t slot) {
    struct http_load_conn *c = &l->conn[slot];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(l->o->port)};
    memcpy(&to.sin_addr, l->o->to.byte + 12, 4);
    c->asked = false;
    c->got = 0;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return http_load_fail(l, "socket: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        return http_load_fail(l, "connect: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = slot};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0 || http_load_fail(l, "epoll: %s", strerror(errno));
}

static bool http_load_ask(struct http_load_run *l, struct http_load_conn *c) {
    static const char again[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n",
                      once[] = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    const char *text = l->o->shorts ? once : again;
    size_t length = l->o->shorts ? sizeof once - 1 : sizeof again - 1;
    c->asked = true;
    c->got = 0;
    ssize_t n = send(c->fd, text, length, MSG_NOSIGNAL);
    return n == (ssize_t)length || http_load_fail(l, "a request cannot be sent: %s", n < 0 ? strerror(errno) : "short");
}

/* How long the answer is whose header has come; 0: not all of the header has. */
static uint32_t http_load_length(const struct http_load_conn *c) {
    char text[HTTP_LOAD_ANSWER + 1];
    memcpy(text, c->answer, c->got);
    text[c->got] = '\0';
    const char *end = strstr(text, "\r\n\r\n"), *field = strcasestr(text, "\r\nContent-Length:");
    if (end == NULL || field == NULL || field > end) return 0;
    return (uint32_t)(end + 4 - text) + (uint32_t)strtoul(field + 17, NULL, 10);
}

static bool http_load_judge(struct http_load_run *l, const struct http_load_conn *c) {
    const struct http_load_options *o = l->o;
    if (c->got != l->length) return http_load_fail(l, "an answer has %u bytes, and not %u", c->got, l->length);
    if (memcmp(c->answer, "HTTP/1.1 200 ", 13) != 0) return http_load_fail(l, "an answer has another status than 200");
    if (o->body == NULL) return true;
    if (c->got < o->body_length || memcmp(c->answer + c->got - o->body_length, o->body, o->body_length) != 0)
        return http_load_fail(l, "a body is not what was served");
    return true;
}

/* The answer is complete: judge it, and ask again, here or on another connection. */
static bool http_load_answered(struct http_load_run *l, uint32_t slot) {
    struct http_load_conn *c = &l->conn[slot];
    if (!http_load_judge(l, c)) return false;
    l->answers++;
    if (!l->o->shorts) return http_load_ask(l, c);
    close(c->fd);
    return http_load_open(l, slot);
}

/* Works on a connection until it has nothing more to read. A short one is over with the server's end, the others with
 * the last byte. */
static bool http_load_work(struct http_load_run *l, uint32_t slot, uint32_t events) {
    struct http_load_conn *c = &l->conn[slot];
    if (!c->asked && (events & EPOLLOUT) && !http_load_ask(l, c)) return false;
    while (c->asked) {
        if (c->got == sizeof c->answer) return http_load_fail(l, "an answer is longer than %u bytes", HTTP_LOAD_ANSWER);
        ssize_t n = recv(c->fd, c->answer + c->got, sizeof c->answer - c->got, 0);
        if (n < 0 && errno == EAGAIN) return true;
        if (n < 0) return http_load_fail(l, "reading an answer: %s", strerror(errno));
        if (n == 0 && !l->o->shorts) return http_load_fail(l, "the server closes a connection that is to be kept");
        c->got += (uint32_t)n;
        if (l->length == 0) l->length = http_load_length(c);
        if (n > 0 && (l->o->shorts || c->got < l->length || l->length == 0)) continue;
        if (!http_load_answered(l, slot)) return false;
        if (l->o->shorts) return true;
    }
    return true;
}

static bool http_load_until(struct http_load_run *l, uint64_t end) {
    while (bk_link_clock() < end) {
        struct epoll_event events[HTTP_LOAD_EVENTS];
        int n = epoll_wait(l->epoll, events, HTTP_LOAD_EVENTS, HTTP_LOAD_WAIT_MS);
        for (int i = 0; i < n; i++)
            if (!http_load_work(l, events[i].data.u32, events[i].events)) return false;
    }
    return true;
}

static void http_load_child(const struct http_load_options *o, struct http_load_report *report) {
    static struct http_load_run run;
    run = (struct http_load_run){.o = o, .report = report, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    for (uint32_t i = 0; i < o->at_once; i++)
        if (!http_load_open(&run, i)) return;
    if (!http_load_until(&run, bk_link_clock() + o->warm)) return;
    uint64_t begun = bk_link_clock(), before = run.answers;
    if (!http_load_until(&run, begun + o->duration)) return;
    report->answers = run.answers - before;
    report->ns = bk_link_clock() - begun;
}

int http_load_start(struct http_load *l, const struct netns *ns, const cpu_set_t *set,
                    const struct http_load_options *options, struct bench_run *run) {
    void *shared = mmap(NULL, sizeof *l->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *l = (struct http_load){.report = shared == MAP_FAILED ? NULL : shared};
    if (l->report == NULL) return bench_fail(run, "mmap: %s", strerror(errno));
    l->pid = fork();
    if (l->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        kernel_pin_to(set, true);
        if (netns_enter(ns) == 0) http_load_child(options, l->report);
        __atomic_store_n(&l->report->done, true, __ATOMIC_RELEASE);
        _exit(0);
    }
    if (l->pid > 0) return 0;
    l->pid = 0;
    return bench_fail(run, "fork: %s", strerror(errno));
}

bool http_load_done(const struct http_load *l) {
    return __atomic_load_n(&l->report->done, __ATOMIC_ACQUIRE);
}

int http_load_rate(const struct http_load *l, double *rate, struct bench_run *run) {
    const struct http_load_report *r = l->report;
    if (r->why[0] != '\0') return bench_fail(run, "the client: %s", r->why);
    if (r->answers == 0 || r->ns == 0) return bench_fail(run, "the client got no answer");
    *rate = (double)r->answers * 1e9 / (double)r->ns;
    return 0;
}

void http_load_stop(struct http_load *l) {
    if (l->pid != 0) {
        kill(l->pid, SIGKILL);
        waitpid(l->pid, NULL, 0);
    }
    if (l->report != NULL) munmap(l->report, sizeof *l->report);
    *l = (struct http_load){0};
}
