/* The workload `http`: the server of `beckon serve` on Beckon through a TAP device, and through AF_XDP at one end of a veth pair, beside the same server on
 * kernel sockets over veth.
 *
 * One code serves both (cmd/http_server.h, over two transports); the client is the kernel's in both cases, a process of
 * its own with 64 connections (http_load.h), on another processor than the server. Either each connection carries one
 * request, and the server closes it, or they are kept and carry one after the other. The answer is a page of 128 bytes
 * from memory. Wall time; requests that were answered in a second, after a tenth that does not count.
 *
 * The server sends an answer's header and body with two calls, the first of which says that more follows. On kernel
 * sockets that is a system call more than a server that writes both at once would need.
 */
#define _GNU_SOURCE 1
#include "http_load.h"

#include <string.h>

#include "base/common.h"
#include "device.h"
#include "http_kernel.h"
#include "kernel.h"

#define HTTP_AT_ONCE    64u
#define HTTP_TIME       NS_PER_S
#define HTTP_QUICK      (50 * NS_PER_MS)
#define HTTP_PATIENCE   (10 * NS_PER_S)
#define HTTP_EVENTS     64u
#define HTTP_WAIT       (10 * NS_PER_MS)
#define HTTP_TIME_WAITS 131072u

enum http_who { HTTP_KERNEL, HTTP_TAP, HTTP_XDP };

struct http_parameters {
    enum http_who who;
    bool shorts;
};

static const char http_body[128] = "One page, which is always the same, and just long enough that an answer is a "
                                   "header and something that was worth a request.\n";

static int http_find(void *context, const char *path, struct http_resource *out) {
    (void)context;
    if (strcmp(path, "/") != 0) return 404;
    *out = (struct http_resource){.type = "text/plain", .memory = http_body, .fd = -1, .length = sizeof http_body};
    return 200;
}

static const struct http_site http_site = {.find = http_find};

static int http_load(struct http_load *l, const struct netns *ns, const cpu_set_t *set, const struct http_parameters *p,
                     const struct bk_addr *to, struct bench_run *run) {
    uint64_t time = run->quick || run->verify ? HTTP_QUICK : HTTP_TIME;
    const struct http_load_options options = {.to = *to,
                                              .port = KERNEL_PORT,
                                              .at_once = HTTP_AT_ONCE,
                                              .shorts = p->shorts,
                                              .warm = time / 10,
                                              .duration = time,
                                              .body = run->verify ? http_body : NULL,
                                              .body_length = sizeof http_body};
    return http_load_start(l, ns, set, &options, run);
}

/* ---- on the kernel's sockets ----------------------------------------------------------------------- */

static int http_on_kernel(const struct http_parameters *p, const cpu_set_t *set, double *rate, struct bench_run *run) {
    static struct http_kernel k;
    struct netns ns = {.fd = -1, .home = -1}, other = ns;
    struct http_load load = {0};
    const bk_addr to = device_kernel_address();
    uint64_t end = bk_link_clock() + HTTP_PATIENCE;
    k = (struct http_kernel){.listener = -1, .epoll = -1};
    int r = kernel_namespace(&ns, run);
    if (r == 0) r = kernel_namespace(&other, run);
    if (r == 0) r = kernel_veth(&ns, &other, run);
    if (r == 0) r = http_kernel_open(&k, &ns, &http_site, run);
    if (r == 0) r = http_load(&load, &other, set, p, &to, run);
    while (r == 0 && !http_load_done(&load) && bk_link_clock() < end) r = http_kernel_turn(&k, run);
    if (r == 0) r = http_load_rate(&load, rate, run);
    http_load_stop(&load);
    http_kernel_close(&k);
    netns_destroy(&ns);
    netns_destroy(&other);
    return r;
}

/* ---- on Beckon ------------------------------------------------------------------------------------- */

static int http_turn(struct device *d, struct http_server *server, struct bench_run *run) {
    struct bk_ready events[HTTP_EVENTS];
    uint64_t now = bk_link_clock();
    int moved = device_pump(d, now, run);
    if (moved < 0) return -1;
    size_t n = bk_ready_poll(d->stack, events, HTTP_EVENTS);
    for (size_t i = 0; i < n; i++) http_server_ready(server, &events[i], now);
    http_server_advance(server, now);
    if (moved == 0 && n == 0 && !bk_link_busy(d->link)) device_sleep(d->stack, d->link, now, now + HTTP_WAIT);
    return 0;
}

static int http_serve(struct device *d, struct http_server *server, const struct http_parameters *p,
                      const cpu_set_t *set, double *rate, struct bench_run *run) {
    const bk_addr any = bk_addr_ipv4(0, 0, 0, 0), to = device_stack_address();
    struct http_load load = {0};
    uint64_t end = bk_link_clock() + HTTP_PATIENCE;
    int r = http_server_start(server, d->stack, &http_site, &any, KERNEL_PORT, bk_link_clock());
    if (r < 0) return bench_fail(run, "cannot listen: %s", strerror(-r));
    r = http_load(&load, &d->ns, set, p, &to, run);
    while (r == 0 && !http_load_done(&load) && bk_link_clock() < end) r = http_turn(d, server, run);
    if (r == 0) r = http_load_rate(&load, rate, run);
    http_load_stop(&load);
    http_server_stop(server, bk_link_clock());
    return r;
}

static int http_on_beckon(const struct http_parameters *p, const cpu_set_t *set, double *rate, struct bench_run *run) {
    static struct http_server server;
    struct device d;
    struct bk_config config;
    bk_config_default(&config);
    config.timestamps = false;
    config.time_waits_ipv4 = HTTP_TIME_WAITS;
    int r = p->who == HTTP_XDP ? device_open_xdp(&d, &config, run) : device_open(&d, &config, false, run);
    if (r == 0) r = http_serve(&d, &server, p, set, rate, run);
    device_close(&d);
    return r;
}

/* ---- the workload ---------------------------------------------------------------------------------- */

static int http_run(const struct bench_case *c, struct bench_run *run, double *values) {
    const struct http_parameters *p = c->parameters;
    cpu_set_t processors;
    kernel_pin(&processors);
    int r = (p->who == HTTP_KERNEL ? http_on_kernel : http_on_beckon)(p, &processors, &values[0], run);
    kernel_unpin(&processors);
    return r;
}

static const struct http_parameters http_short_kernel = {HTTP_KERNEL, true}, http_short_tap = {HTTP_TAP, true},
                                    http_short_xdp = {HTTP_XDP, true}, http_kept_kernel = {HTTP_KERNEL, false},
                                    http_kept_tap = {HTTP_TAP, false}, http_kept_xdp = {HTTP_XDP, false};

static const struct bench_metric http_metrics[] = {{"requests", "/s", 0}};

#define HTTP_TARGET .target = {{BENCH_RATIO, 1, false}}, .targets = 1
static const struct bench_case http_cases[] = {
    {.name = "short-kernel",
     .about = "a request a connection, the server on kernel sockets over veth",
     .parameters = &http_short_kernel},
    {.name = "short-tap",
     .about = "a request a connection, the server on Beckon through a TAP device",
     .parameters = &http_short_tap,
     .peer = "short-kernel",
     HTTP_TARGET},
    {.name = "short-xdp",
     .about = "a request a connection, the server on Beckon through AF_XDP on veth",
     .parameters = &http_short_xdp,
     .peer = "short-kernel",
     .available = device_xdp_available,
     HTTP_TARGET},
    {.name = "kept-kernel",
     .about = "connections are kept, the server on kernel sockets over veth",
     .parameters = &http_kept_kernel},
    {.name = "kept-tap",
     .about = "connections are kept, the server on Beckon through a TAP device",
     .parameters = &http_kept_tap,
     .peer = "kept-kernel",
     HTTP_TARGET},
    {.name = "kept-xdp",
     .about = "connections are kept, the server on Beckon through AF_XDP on veth",
     .parameters = &http_kept_xdp,
     .peer = "kept-kernel",
     .available = device_xdp_available,
     HTTP_TARGET},
};

const struct bench_workload bench_http = {
    .name = "http",
    .about =
        "HTTP requests of a kernel client, 64 connections at once: the same server on Beckon and on kernel sockets",
    .metrics = http_metrics,
    .metric_count = BK_COUNT(http_metrics),
    .cases = http_cases,
    .case_count = BK_COUNT(http_cases),
    .available = kernel_available,
    .run = http_run,
};
