/* The demo between two stacks in one process, joined by the memory link: what runs wherever a C program runs. Both ends' events
 * are known. */
#define _GNU_SOURCE 1
#include "cmd/demo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"

#define DEMO_MEMORY_PATIENCE_S 15u

static const char *const demo_memory_paths[SITE_PAGES] = {"/", "/reasons"};

static void demo_memory_server_ready(void *context, const struct bk_ready *event, uint64_t now) {
    http_server_ready(context, event, now);
}

static void demo_memory_client_ready(void *context, const struct bk_ready *event, uint64_t now) {
    struct demo *d = context;
    http_client_ready(&d->client, event, now);
}

int demo_memory_open(struct demo *d, const char **why) {
    *why = "making two stacks";
    int r = demo_stack(d, &d->server_stack, &d->server_addr);
    if (r == 0) r = demo_stack(d, &d->client_stack, &d->client_addr);
    if (r == 0) {
        *why = "joining them by a memory link";
        const struct bk_memory_options options = {0};
        r = bk_memory_open(d->client_stack, 0, d->server_stack, 0, &options, &d->loop.link);
    }
    if (r < 0) return r;
    d->loop.stack[0] =
        (struct run_loop_stack){.stack = d->server_stack, .ready = demo_memory_server_ready, .context = &d->server};
    d->loop.stack[1] =
        (struct run_loop_stack){.stack = d->client_stack, .ready = demo_memory_client_ready, .context = d};
    d->loop.stack_count = 2;
    snprintf(d->client_name, sizeof d->client_name, "A second stack");
    return 0;
}

/* Ends the loop when the client is through and both stacks are at rest. */
static void demo_memory_after(void *context, uint64_t now) {
    struct demo *d = context;
    (void)now;
    demo_drain(d);
    if (!d->client.over || d->server.open != 0) return;
    d->loop.done =
        !bk_output_pending(d->server_stack, 0) && !bk_output_pending(d->client_stack, 0) && !bk_link_busy(d->loop.link);
}

int demo_memory_fetch(struct demo *d) {
    uint64_t now = bk_link_clock();
    int r =
        http_client_start(&d->client, d->client_stack, &d->server_addr, DEMO_PORT, demo_memory_paths, SITE_PAGES, now);
    if (r < 0) return r;
    d->loop.after = demo_memory_after;
    d->loop.after_context = d;
    r = run_loop_until(&d->loop, now + DEMO_MEMORY_PATIENCE_S * NS_PER_S);
    d->loop.after = NULL;
    for (uint32_t i = 0; i < SITE_PAGES; i++) {
        const struct http_client_answer *a = &d->client.answer[i];
        demo_check(d, i, i < d->client.answered ? a->status : 0, a->body, a->length, i == 0);
    }
    if (d->client.error != 0)
        snprintf(d->failure, sizeof d->failure, "the client: %s", strerror(d->client.error));
    else if (!d->client.over && d->loop.signal == 0)
        snprintf(d->failure, sizeof d->failure, "the client was not through after %u s", DEMO_MEMORY_PATIENCE_S);
    return r;
}
