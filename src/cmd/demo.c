/* `beckon demo`: the main job on an embedded default.
 *
 * A server on a Beckon stack, a client at the other end, two pages over one kept-alive connection which the server closes
 * first; then demo_tell.c says what happened. The other end is the kernel's curl behind a TAP device (demo_tap.c) or,
 * where that cannot be had, a second stack in this process (demo_memory.c). Exits 0 only if both pages arrived intact over one
 * connection.
 */
#define _GNU_SOURCE 1
#include "cmd/demo.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO_EVENTS 8192u /* of the trace ring */

/* ---- arguments ------------------------------------------------------------------------------------- */

enum { DEMO_PCAP = 0x100, DEMO_NO_TAP, DEMO_IPV6, DEMO_MSL, DEMO_ASCII, DEMO_JSON };

static const struct argp_option demo_options[] = {
    {"pcap", DEMO_PCAP, "FILE", 0, "Keep the capture, a pcapng with the reason of each segment as its comment", 0},
    {"no-tap", DEMO_NO_TAP, NULL, 0, "Between two stacks in this process, without the kernel", 0},
    {"ipv6", DEMO_IPV6, NULL, 0, "Over IPv6", 0},
    {"msl", DEMO_MSL, "SECONDS", 0,
     "Maximum segment lifetime, 1 to 120 (30): TIME-WAIT lasts twice this; up to 5, its end is waited for", 0},
    {"ascii", DEMO_ASCII, NULL, 0, "Draw with ASCII characters only", 0},
    {"json", DEMO_JSON, NULL, 0, "Print events, connections and the result as JSON, one object a line", 0},
    {0},
};

static error_t demo_option(int key, char *arg, struct argp_state *state) {
    struct demo *d = state->input;
    uint64_t n;
    switch (key) {
    case DEMO_PCAP:
        d->pcap = arg;
        return 0;
    case DEMO_NO_TAP:
        d->no_tap = true;
        return 0;
    case DEMO_IPV6:
        d->ipv6 = true;
        return 0;
    case DEMO_ASCII:
        d->ascii = true;
        return 0;
    case DEMO_JSON:
        d->json = true;
        return 0;
    case DEMO_MSL:
        if (!cmd_number(arg, 1, 120, &n)) argp_error(state, "--msl takes 1 to 120 seconds, not '%s'", arg);
        d->msl_s = (uint32_t)n;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not understood: demo takes options only", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what the worlds share ------------------------------------------------------------------------- */

int demo_stack(struct demo *d, bk_stack **out, const bk_addr *addr) {
    struct bk_config config;
    bk_config_default(&config);
    config.connections = 16;
    config.listeners = 4;
    config.chunks = 1024;
    config.buffer_chunks = 512;
    config.trace_events = DEMO_EVENTS;
    config.msl_ms = d->msl_s * 1000;
    bk_stack *stack = *out = cmd_stack_create(&config);
    if (!stack) return -ENOMEM;
    struct bk_iface_config iface = {.layer = BK_LAYER_ETHERNET, .mtu = 1500};
    cmd_random_mac(iface.mac);
    uint64_t now = bk_link_clock();
    int r = bk_iface_add(stack, &iface, now);
    if (r >= 0) r = bk_iface_address_add(stack, (uint32_t)r, addr, d->ipv6 ? 64 : 24, true, now);
    if (r < 0) cmd_error("giving the stack an interface: %s", strerror(-r));
    return r < 0 ? r : 0;
}

static int demo_capture(struct demo *d, const char *client_name) {
    if (!d->pcap) return 0;
    const struct bk_capture_name names[] = {{d->server_addr, "beckon"}, {d->client_addr, client_name}, {{{0}}, NULL}};
    int r = bk_link_capture(d->loop.link, d->pcap, names);
    if (r < 0) cmd_error("cannot write the capture to %s: %s", d->pcap, strerror(-r));
    return r;
}

void demo_check(struct demo *d, size_t i, int status, const void *body, size_t length, bool new_connection) {
    const struct site_page *page = &d->pages.page[i];
    d->page[i] = (struct demo_page){
        .status = status,
        .length = length,
        .intact = status == 200 && length == page->length && memcmp(body, page->body, length) == 0,
        .new_connection = new_connection,
    };
}

static void demo_drain_one(struct demo_events *to, bk_stack *stack) {
    for (;;) {
        if (to->room - to->count < 256) {
            size_t room = to->room ? 2 * to->room : 1024;
            struct bk_event *grown = realloc(to->event, room * sizeof *grown);
            if (!grown) return;
            to->event = grown;
            to->room = room;
        }
        uint64_t lost = 0;
        size_t n = bk_trace_read(stack, to->event + to->count, 256, &lost);
        to->lost += lost;
        to->count += n;
        if (n < 256) return;
    }
}

void demo_drain(struct demo *d) {
    demo_drain_one(&d->server_events, d->server_stack);
    if (d->client_stack) demo_drain_one(&d->client_events, d->client_stack);
}

/* Takes down what a world has set up, also one that failed half-way. */
static void demo_world_close(struct demo *d) {
    bk_link_close(d->loop.link);
    d->loop.link = NULL;
    d->loop.stack_count = 0;
    bk_host_destroy(d->server_stack);
    bk_host_destroy(d->client_stack);
    d->server_stack = d->client_stack = NULL;
    netns_destroy(&d->netns);
}

static void demo_close(struct demo *d) {
    uint64_t now = bk_link_clock();
    if (d->client_stack && d->client.count != 0) http_client_destroy(&d->client, now);
    if (d->server.stack) http_server_stop(&d->server, now);
    demo_world_close(d);
    run_loop_close(&d->loop);
    site_pages_free(&d->pages);
    free(d->server_events.event);
    free(d->client_events.event);
}

/* ---- the job --------------------------------------------------------------------------------------- */

/* Brings up the first world that works. *why_not tells why it is not the TAP one, or stays NULL. */
static int demo_world(struct demo *d, char why_not[DEMO_WHY]) {
    const char *why = "";
    int r = -ENOTSUP;
    if (!d->no_tap) {
        r = demo_tap_open(d, &why);
        if (r == 0) return 0;
        snprintf(why_not, DEMO_WHY, "%s: %s", why, strerror(-r));
        demo_world_close(d);
    }
    r = demo_memory_open(d, &why);
    if (r < 0) cmd_error("%s: %s", why, strerror(-r));
    return r;
}

static int demo_serve(struct demo *d) {
    const struct http_site site = {.find = site_pages_find, .context = &d->pages};
    bk_addr any = d->ipv6 ? (bk_addr){{0}} : bk_addr_ipv4(0, 0, 0, 0);
    int r = http_server_start(&d->server, d->server_stack, &site, &any, DEMO_PORT, bk_link_clock());
    if (r < 0) cmd_error("listening on port %u: %s", DEMO_PORT, strerror(-r));
    return r;
}

static int demo_run(struct demo *d) {
    char why_not[DEMO_WHY] = "";
    int r = site_pages_make(&d->pages);
    if (r < 0) cmd_error("making the pages: %s", strerror(-r));
    d->pages.close_after_last = true;
    if (r == 0) r = demo_world(d, why_not);
    if (r == 0) r = demo_serve(d);
    if (r == 0) r = demo_capture(d, d->client_stack ? "client" : "kernel");
    if (r < 0) return CMD_USAGE;
    if (!d->json) demo_tell_begin(d, why_not);
    r = d->client_stack ? demo_memory_fetch(d) : demo_tap_fetch(d);
    demo_drain(d);
    if (r < 0) snprintf(d->failure, sizeof d->failure, "the link failed: %s", strerror(-r));
    r = d->json ? demo_tell_json(d, why_not) : demo_tell(d);
    if (r < 0) cmd_error("telling it: %s", strerror(-r));
    if (d->pcap && (r = bk_link_capture_end(d->loop.link)) < 0)
        cmd_error("cannot write the capture to %s: %s", d->pcap, strerror(-r));
    if (r < 0 || d->loop.signal != 0) return CMD_USAGE;
    return demo_worked(d) ? CMD_WORKED : CMD_FAILED;
}

int cmd_demo(int argc, char **argv) {
    static const struct argp argp = {
        .options = demo_options,
        .parser = demo_option,
        .doc = "Fetch two pages from a server on a Beckon stack over one kept-alive connection, and show every segment "
               "of it "
               "and why it was sent.\vAs root, the client is the kernel's own curl in a private network namespace, "
               "behind a TAP "
               "device; otherwise, or with --no-tap, it is a second stack in this process. Exit status: 0 both pages "
               "arrived "
               "intact over one connection, 1 they did not, 2 usage or environment.",
    };
    struct demo *d = calloc(1, sizeof *d);
    if (!d) {
        cmd_error("out of memory");
        return CMD_USAGE;
    }
    d->msl_s = 30;
    d->root = geteuid() == 0;
    d->netns = (struct netns){.fd = -1, .home = -1};
    argp_parse(&argp, argc, argv, 0, NULL, d);
    d->server_addr = bk_addr_ipv4(192, 0, 2, 2); /* of RFC 5737 and RFC 3849: nobody's */
    d->client_addr = bk_addr_ipv4(192, 0, 2, 1);
    if (d->ipv6) {
        bk_addr_parse("2001:db8::2", &d->server_addr);
        bk_addr_parse("2001:db8::1", &d->client_addr);
    }
    int r = run_loop_open(&d->loop), status = CMD_USAGE;
    if (r < 0)
        cmd_error("taking the signals over: %s", strerror(-r));
    else
        status = demo_run(d);
    demo_close(d);
    free(d);
    return status;
}
