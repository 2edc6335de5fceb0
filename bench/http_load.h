/* A client that keeps an HTTP server busy: a process of its own, with kernel sockets in a namespace.
 *
 * So many connections are open at once. Each asks for "/" again and again, or, if they are short, once with
 * `Connection: close`: then the server closes first, and another one is opened. Each answer must begin with status 200
 * and be as long as the first one was; a verifying client compares the bodies, too.
 */
#ifndef BENCH_HTTP_LOAD_H
#define BENCH_HTTP_LOAD_H

#include <sched.h>
#include <sys/types.h>

#include "bench.h"
#include "cmd/netns.h"

#define HTTP_LOAD_AT_ONCE 256u

struct http_load_options {
    bk_addr to;
    uint16_t port;
    uint32_t at_once; /* up to HTTP_LOAD_AT_ONCE */
    bool shorts;
    uint64_t warm, duration; /* ns: before the counting begins, and of the counting */
    const void *body;        /* what each answer's body must be, or NULL */
    size_t body_length;
};

struct http_load_report {
    uint64_t answers; /* in the time that counts */
    uint64_t ns;      /* how long that was */
    bool done;        /* the process has counted all that it will */
    char why[BENCH_WHY];
};

struct http_load {
    pid_t pid;                       /* 0: none */
    struct http_load_report *report; /* shared with the process */
};

/* Starts the process, on the last processor of the set. Returns 0, or -1 and run->why; stop it in either case. */
int http_load_start(struct http_load *l, const struct netns *ns, const cpu_set_t *set,
                    const struct http_load_options *options, struct bench_run *run);
bool http_load_done(const struct http_load *l);
/* After it is done: answers a second. Returns 0, or -1 and run->why. */
int http_load_rate(const struct http_load *l, double *rate, struct bench_run *run);
void http_load_stop(struct http_load *l);

#endif
