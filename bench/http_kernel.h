/* The kernel's sockets as a transport of the HTTP server (cmd/http_server.h), and the loop around them. */
#ifndef BENCH_HTTP_KERNEL_H
#define BENCH_HTTP_KERNEL_H

#include "bench.h"
#include "cmd/http_server.h"
#include "cmd/netns.h"

struct http_kernel {
    int listener, epoll; /* -1: none */
    struct http_server server;
};

/* Listens at KERNEL_PORT in the namespace. Returns 0, or -1 and run->why; close it in either case. */
int http_kernel_open(struct http_kernel *k, const struct netns *ns, const struct http_site *site,
                     struct bench_run *run);
/* Serves what is there, or sleeps until something is, 10 ms at most. Returns 0, or -1 and run->why. */
int http_kernel_turn(struct http_kernel *k, struct bench_run *run);
void http_kernel_close(struct http_kernel *k);

#endif
