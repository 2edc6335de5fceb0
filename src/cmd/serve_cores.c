/* As many stacks as asked for, each on a thread and a processor of its own: see serve.h.
 *
 * All have the same addresses and MAC, and a queue of the device each. Each flow is one stack's, by its hash (steer.h): the kernel
 * gives frames to queues by it, and the links hand on what comes to the wrong one or concerns all. The threads share nothing
 * else, so there is nothing to lock. The first stack is this thread's, which also hears signals; one that ends writes to
 * `stop`, which all loops watch, and so all end.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/serve.h"

struct serve_core {
    struct serve_stack stack;
    pthread_t thread;
    bool started; /* on a thread of its own */
    int processor, stop, error;
};

struct serve_group {
    struct serve_common common;
    int stop; /* an eventfd */
    uint32_t begun;
    struct serve_core *core;
};

/* ---- threads --------------------------------------------------------------------------------------- */

static void core_stop(void *context, short revents, uint64_t now) {
    struct serve_core *c = context;
    (void)revents;
    (void)now;
    c->stack.loop.done = true; /* it stays readable, for the others */
}

static void core_run(struct serve_core *c) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(c->processor, &one);
    if (c->stack.options->cores > 1 && pthread_setaffinity_np(pthread_self(), sizeof one, &one) != 0)
        cmd_error("a stack cannot be kept on processor %d", c->processor);
    c->error = serve_stack_run(&c->stack);
    eventfd_write(c->stop, 1);
}

static void *core_thread(void *context) {
    core_run(context);
    return NULL;
}

/* Runs all, the first on this thread. Returns 0 or a negative errno. */
static int group_run(struct serve_group *g) {
    int error = 0;
    for (uint32_t i = 1; i < g->common.options->cores && error == 0; i++) {
        struct serve_core *c = &g->core[i];
        error = -pthread_create(&c->thread, NULL, core_thread, c);
        c->started = error == 0;
    }
    if (error == 0)
        core_run(&g->core[0]);
    else
        cmd_error("starting a thread: %s", strerror(-error));
    eventfd_write(g->stop, 1);
    for (uint32_t i = 0; i < g->common.options->cores; i++) {
        if (g->core[i].started) pthread_join(g->core[i].thread, NULL);
        if (error == 0) error = g->core[i].error;
    }
    return error;
}

/* ---- the stacks ------------------------------------------------------------------------------------ */

static int group_core(struct serve_group *g, uint32_t i) {
    struct serve_core *c = &g->core[i];
    int r = 0;
    if (i == 0)
        r = run_loop_open(&c->stack.loop);
    else
        run_loop_begin(&c->stack.loop);
    if (r < 0) {
        cmd_error("taking the signals over: %s", strerror(-r));
        return r;
    }
    c->stop = g->stop;
    c->processor = cmd_processor(i);
    g->begun = i + 1;
    r = serve_stack_open(&c->stack, &g->common, i, i > 0 ? g->core[0].stack.loop.link : NULL);
    if (r < 0) return r;
    return run_loop_watch_add(&c->stack.loop, g->stop, POLLIN, core_stop, c) ? 0 : -ENOSPC;
}

/* A device that we make gets a MAC. One that is there has its own; and what comes to a queue without a stack would be lost. */
static int group_device(struct serve_common *common) {
    const struct serve_options *o = common->options;
    common->mtu = o->mtu;
    cmd_random_mac(common->mac);
    if (!o->xdp) return 0;
    struct bk_xdp_device device;
    const char *why = "";
    int r = bk_xdp_device(o->device, o->netns, &device, &why);
    if (r < 0) {
        cmd_error("%s: %s: %s", o->device, why, strerror(-r));
        return r;
    }
    memcpy(common->mac, device.mac, sizeof common->mac);
    common->mtu = device.mtu;
    if (device.queues == o->cores) return 0;
    cmd_error("%s has %u queues, and each needs a stack: give --cores %u, or change it by `ethtool -L'", o->device,
              device.queues, device.queues);
    return -EINVAL;
}

/* What the threads share, and then the stacks, in the order of the device's queues. */
static int group_open(struct serve_group *g) {
    uint32_t cores = g->common.options->cores;
    g->core = calloc(cores, sizeof *g->core);
    g->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->common.steering.stacks = cores;
    int r = !g->core ? -ENOMEM : g->stop < 0 ? -errno : 0;
    if (r == 0 &&
        getrandom(g->common.steering.key, sizeof g->common.steering.key, 0) != (ssize_t)sizeof g->common.steering.key)
        r = -EIO;
    if (r == 0 && cores > 1) r = bk_group_open(&g->common.steering, &g->common.group);
    if (r < 0) cmd_error("preparing %u stacks: %s", cores, strerror(-r));
    if (r == 0) r = group_device(&g->common);
    for (uint32_t i = 0; i < cores && r == 0; i++) r = group_core(g, i);
    return r;
}

static void group_close(struct serve_group *g) {
    for (uint32_t i = g->begun; i > 0; i--) serve_stack_close(&g->core[i - 1].stack);
    bk_group_close(g->common.group);
    if (g->stop >= 0) close(g->stop);
    free(g->core);
}

/* Without the kernel's help all goes on, more slowly. */
static void group_steer(struct serve_group *g) {
    const char *why = "";
    if (g->common.options->xdp) {
        printf("%s gives frames to its queues by a hash of its own; stacks hand over what is another's\n",
               g->common.options->device);
        return;
    }
    int r = bk_tap_steer(g->core[0].stack.loop.link, &why);
    if (r < 0)
        cmd_error("%s does not steer flows to their stacks, which hand frames over to each other instead: %s: %s",
                  g->common.options->device, why, strerror(-r));
}

/* ---- what is told ---------------------------------------------------------------------------------- */

static void group_tell(const struct serve_group *g) {
    const struct serve_options *options = g->common.options;
    const bk_link *link = g->core[0].stack.loop.link;
    struct bk_tap_offload o; /* of a link that is no TAP's all are false */
    bk_tap_offload(link, &o);
    for (size_t i = 0; i < options->address_count; i++) {
        char text[BK_ADDR_TEXT];
        bool v4 = bk_addr_is_ipv4(&options->address[i].addr);
        bk_addr_format(&options->address[i].addr, text);
        printf("serving http://%s%s%s:%u/ on %s\n", v4 ? "" : "[", text, v4 ? "" : "]", options->port,
               options->xdp ? options->device : bk_tap_name(link));
    }
    printf("offloads: %s\n", o.units && o.merged ? "segments and checksums, both ways"
                             : o.units           ? "segments to the device, checksums both ways"
                                                 : "none");
    for (uint32_t i = 0; i < options->cores && options->cores > 1; i++)
        printf("stack %u of %u on processor %d\n", i, options->cores, g->core[i].processor);
    printf("process %ld; `beckon ss -a' lists its connections, Ctrl-C ends it\n", (long)getpid());
    fflush(stdout);
}

static void group_tell_end(const struct serve_group *g) {
    unsigned long long requests = 0, connections = 0;
    for (uint32_t i = 0; i < g->common.options->cores; i++) {
        const struct serve_stack *s = &g->core[i].stack;
        struct bk_group_counters c;
        struct bk_tcp_mib mib;
        requests += s->server.requests;
        connections += s->server.accepted;
        if (g->common.options->cores == 1) continue;
        bk_group_counters(s->loop.link, &c);
        bk_tcp_mib(s->stack, &mib);
        printf(
            "stack %u: %llu requests on %llu connections; resets sent %llu; frames handed over %llu, taken over %llu, "
            "lost %llu\n",
            i, (unsigned long long)s->server.requests, (unsigned long long)s->server.accepted,
            (unsigned long long)mib.out_rsts, (unsigned long long)c.handed_over, (unsigned long long)c.taken_over,
            (unsigned long long)c.lost);
    }
    printf("served %llu requests on %llu connections\n", requests, connections);
}

int serve_cores(const struct serve_options *options) {
    struct serve_group g = {.common.options = options, .stop = -1};
    int r = group_open(&g);
    if (r == 0) {
        if (options->cores > 1) group_steer(&g);
        group_tell(&g);
        r = group_run(&g);
        for (uint32_t i = 0; i < options->cores; i++) {
            int end = serve_stack_stop(&g.core[i].stack);
            if (r == 0) r = end;
        }
        group_tell_end(&g);
    }
    group_close(&g);
    return r < 0 ? CMD_USAGE : CMD_WORKED;
}
