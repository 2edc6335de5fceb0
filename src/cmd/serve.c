/* `beckon serve`: a long-running HTTP server on a stack of its own behind a TAP or TUN device, with a control socket. */
#define _GNU_SOURCE 1
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/common.h"
#include "beckon/link.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/http_server.h"
#include "cmd/run_loop.h"
#include "cmd/site.h"

#define SERVE_ADDRESSES 8u

struct serve_address {
    bk_addr addr;
    uint8_t prefix_length;
};

struct serve {
    /* asked for */
    const char *device, *netns, *root, *pcap;
    bool tun, plain;
    struct serve_address address[SERVE_ADDRESSES];
    size_t address_count;
    bk_addr gateway[SERVE_ADDRESSES];
    size_t gateway_count;
    uint16_t port;
    uint32_t mtu, msl_s, connections;
    /* the world */
    struct run_loop loop;
    bk_stack *stack;
    struct site_pages pages;
    struct site_directory directory;
    struct http_server server;
    struct control control;
};

/* ---- arguments ------------------------------------------------------------------------------------- */

enum {
    SERVE_TAP = 0x100,
    SERVE_TUN,
    SERVE_NETNS,
    SERVE_ADDR,
    SERVE_GATEWAY,
    SERVE_PORT,
    SERVE_ROOT,
    SERVE_MTU,
    SERVE_MSL,
    SERVE_CONNECTIONS,
    SERVE_PCAP,
    SERVE_NO_OFFLOAD
};

static const struct argp_option serve_options[] = {
    {"tap", SERVE_TAP, "NAME", 0, "The TAP device to live behind; made if it does not exist", 0},
    {"tun", SERVE_TUN, "NAME", 0, "A TUN device (raw IP) instead", 0},
    {"no-offload", SERVE_NO_OFFLOAD, NULL, 0,
     "Let the device carry whole, checksummed frames only, as a wire does (otherwise it takes and gives up to 64 KiB "
     "at once)",
     0},
    {"netns", SERVE_NETNS, "NAME", 0, "The named network namespace that the device is in", 0},
    {"addr", SERVE_ADDR, "ADDRESS/LENGTH", 0, "An address of the stack's with its prefix length; may be repeated", 0},
    {"gateway", SERVE_GATEWAY, "ADDRESS", 0, "The router for everything else; may be repeated, for each family", 0},
    {"port", SERVE_PORT, "PORT", 0, "Listen on this port (80)", 0},
    {"root", SERVE_ROOT, "DIR", 0, "Serve the files below DIR (otherwise two pages about Beckon)", 0},
    {"mtu", SERVE_MTU, "BYTES", 0, "MTU of the device, 1280 to 65535 (1500)", 0},
    {"msl", SERVE_MSL, "SECONDS", 0, "Maximum segment lifetime, 1 to 120 (30): TIME-WAIT lasts twice this", 0},
    {"connections", SERVE_CONNECTIONS, "N", 0, "Connections that the stack may hold, 16 to 1000000 (4096)", 0},
    {"pcap", SERVE_PCAP, "FILE", 0, "Keep a capture, a pcapng with the reason of each segment as its comment", 0},
    {0},
};

static void serve_option_address(struct serve *s, const char *arg, struct argp_state *state) {
    char text[BK_ADDR_TEXT] = "";
    const char *slash = strchr(arg, '/');
    uint64_t length = 0;
    bk_addr addr;
    if (slash && (size_t)(slash - arg) < sizeof text) memcpy(text, arg, (size_t)(slash - arg));
    if (bk_addr_parse(text, &addr) < 0 || !cmd_number(slash + 1, 1, bk_addr_is_ipv4(&addr) ? 32 : 128, &length))
        argp_error(state, "--addr takes an address with its prefix length, such as 192.0.2.2/24, not '%s'", arg);
    if (s->address_count == SERVE_ADDRESSES) argp_error(state, "%u addresses at most", SERVE_ADDRESSES);
    s->address[s->address_count++] = (struct serve_address){.addr = addr, .prefix_length = (uint8_t)length};
}

static void serve_option_gateway(struct serve *s, const char *arg, struct argp_state *state) {
    if (s->gateway_count == SERVE_ADDRESSES) argp_error(state, "%u gateways at most", SERVE_ADDRESSES);
    if (bk_addr_parse(arg, &s->gateway[s->gateway_count++]) < 0) argp_error(state, "'%s' is no address", arg);
}

static uint64_t serve_option_number(const char *name, const char *arg, uint64_t low, uint64_t high,
                                    struct argp_state *state) {
    uint64_t n = low;
    if (!cmd_number(arg, low, high, &n))
        argp_error(state, "--%s takes %llu to %llu, not '%s'", name, (unsigned long long)low, (unsigned long long)high,
                   arg);
    return n;
}

static error_t serve_option(int key, char *arg, struct argp_state *state) {
    struct serve *s = state->input;
    switch (key) {
    case SERVE_TUN:
        s->tun = true; /* fall through */
    case SERVE_TAP:
        if (s->device) argp_error(state, "one --tap or --tun only");
        s->device = arg;
        return 0;
    case SERVE_NETNS:
        s->netns = arg;
        return 0;
    case SERVE_ADDR:
        serve_option_address(s, arg, state);
        return 0;
    case SERVE_GATEWAY:
        serve_option_gateway(s, arg, state);
        return 0;
    case SERVE_PORT:
        s->port = (uint16_t)serve_option_number("port", arg, 1, 65535, state);
        return 0;
    case SERVE_ROOT:
        s->root = arg;
        return 0;
    case SERVE_MTU:
        s->mtu = (uint32_t)serve_option_number("mtu", arg, 1280, 65535, state);
        return 0;
    case SERVE_MSL:
        s->msl_s = (uint32_t)serve_option_number("msl", arg, 1, 120, state);
        return 0;
    case SERVE_CONNECTIONS:
        s->connections = (uint32_t)serve_option_number("connections", arg, 16, 1000000, state);
        return 0;
    case SERVE_PCAP:
        s->pcap = arg;
        return 0;
    case SERVE_NO_OFFLOAD:
        s->plain = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not understood: serve takes options only", arg);
        return 0;
    case ARGP_KEY_END:
        if (!s->device) argp_error(state, "which device? give --tap NAME");
        if (s->address_count == 0) argp_error(state, "which address? give --addr ADDRESS/LENGTH");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the stack ------------------------------------------------------------------------------------- */

static int serve_addresses(struct serve *s, uint64_t now) {
    for (size_t i = 0; i < s->address_count; i++) {
        const struct serve_address *a = &s->address[i];
        int r = bk_iface_address_add(s->stack, 0, &a->addr, a->prefix_length, false, now);
        if (r < 0) return r;
    }
    for (size_t i = 0; i < s->gateway_count; i++) {
        bk_addr any = bk_addr_is_ipv4(&s->gateway[i]) ? bk_addr_ipv4(0, 0, 0, 0) : (bk_addr){{0}};
        int r = bk_route_add(s->stack, &any, 0, &s->gateway[i], 0);
        if (r < 0) return r;
    }
    return 0;
}

static int serve_stack(struct serve *s) {
    struct bk_config config;
    bk_config_default(&config);
    config.connections = s->connections;
    config.active_connections = 0;
    config.msl_ms = s->msl_s * 1000;
    s->stack = cmd_stack_create(&config);
    if (!s->stack) return -ENOMEM;
    struct bk_iface_config iface = {.layer = s->tun ? BK_LAYER_IP : BK_LAYER_ETHERNET, .mtu = s->mtu};
    if (!s->tun) cmd_random_mac(iface.mac);
    uint64_t now = bk_link_clock();
    int r = bk_iface_add(s->stack, &iface, now);
    if (r >= 0) r = serve_addresses(s, now);
    if (r < 0) cmd_error("giving the stack its interface and addresses: %s", strerror(-r));
    return r;
}

static int serve_link(struct serve *s) {
    const struct bk_tap_options options = {
        .name = s->device, .netns = s->netns, .tun = s->tun, .plain = s->plain, .fd = -1};
    struct bk_tap_offload offload;
    const char *why = "opening it";
    int r = bk_tap_open(s->stack, 0, &options, &s->loop.link, &why);
    if (r < 0) {
        cmd_error("%s %s: %s: %s%s", s->tun ? "TUN" : "TAP", s->device, why, strerror(-r),
                  r == -EPERM || r == -EACCES ? "; run it as root, or have root make the device for this user with "
                                                "`ip tuntap add'"
                  : r == -EBUSY               ? "; another process has it"
                                              : "");
        return r;
    }
    bk_tap_offload(s->loop.link, &offload);
    if (offload.refused) cmd_error("%s goes on without an offload: %s", s->device, offload.refused);
    const struct bk_capture_name names[] = {{s->address[0].addr, "beckon"}, {{{0}}, NULL}};
    if (s->pcap && (r = bk_link_capture(s->loop.link, s->pcap, names)) < 0)
        cmd_error("cannot write the capture to %s: %s", s->pcap, strerror(-r));
    return r;
}

static int serve_site(struct serve *s) {
    struct http_site site = {.find = site_pages_find, .context = &s->pages};
    int r = site_pages_make(&s->pages);
    if (r == 0 && s->root) {
        site = (struct http_site){.find = site_directory_find, .context = &s->directory};
        r = site_directory_open(&s->directory, s->root);
    }
    if (r < 0) {
        cmd_error("%s: %s", s->root ? s->root : "making the pages", strerror(-r));
        return r;
    }
    bk_addr any = {{0}};
    r = http_server_start(&s->server, s->stack, &site, &any, s->port, bk_link_clock());
    if (r < 0) cmd_error("listening on port %u: %s", s->port, strerror(-r));
    return r;
}

static void serve_ready(void *context, const struct bk_ready *event, uint64_t now) {
    http_server_ready(context, event, now);
}
static uint64_t serve_deadline(void *context) {
    return http_server_deadline(context);
}
static void serve_advance(void *context, uint64_t now) {
    http_server_advance(context, now);
}

static void serve_tell(const struct serve *s) {
    struct bk_tap_offload o;
    bk_tap_offload(s->loop.link, &o);
    for (size_t i = 0; i < s->address_count; i++) {
        char text[BK_ADDR_TEXT];
        bool v4 = bk_addr_is_ipv4(&s->address[i].addr);
        bk_addr_format(&s->address[i].addr, text);
        printf("serving http://%s%s%s:%u/ on %s\n", v4 ? "" : "[", text, v4 ? "" : "]", s->port,
               bk_tap_name(s->loop.link));
    }
    printf("offloads: %s\n", o.units && o.merged ? "segments and checksums, both ways"
                             : o.units           ? "segments to the device, checksums both ways"
                                                 : "none");
    printf("process %ld; `beckon ss -a' lists its connections, Ctrl-C ends it\n", (long)getpid());
    fflush(stdout);
}

static int serve_run(struct serve *s) {
    char why[CONTROL_WHY];
    if (serve_stack(s) < 0 || serve_link(s) < 0 || serve_site(s) < 0) return CMD_USAGE;
    s->loop.stack[0] = (struct run_loop_stack){.stack = s->stack,
                                               .ready = serve_ready,
                                               .deadline = serve_deadline,
                                               .advance = serve_advance,
                                               .context = &s->server};
    s->loop.stack_count = 1;
    if (control_open(&s->control, &s->loop, s->stack, "serve", why) < 0)
        cmd_error("no control socket, so `beckon ss' will not see this stack: %s", why);
    serve_tell(s);
    int r = run_loop_until(&s->loop, BK_NEVER);
    if (r < 0) cmd_error("%s: %s", s->device, strerror(-r));
    control_close(&s->control);
    http_server_stop(&s->server, bk_link_clock());
    bk_link_pump(s->loop.link, bk_link_clock()); /* the resets of what was open */
    int end = s->pcap ? bk_link_capture_end(s->loop.link) : 0;
    if (end < 0) cmd_error("cannot write the capture to %s: %s", s->pcap, strerror(-end));
    printf("served %llu requests on %llu connections\n", (unsigned long long)s->server.requests,
           (unsigned long long)s->server.accepted);
    return r < 0 || end < 0 ? CMD_USAGE : CMD_WORKED;
}

int cmd_serve(int argc, char **argv) {
    static const struct argp argp = {
        .options = serve_options,
        .parser = serve_option,
        .doc = "Serve pages over HTTP/1.1 from a stack of its own behind a TAP or TUN device, until a signal ends it.\v"
               "Example:\n\n"
               "  ip tuntap add tap0 mode tap; ip address add 192.0.2.1/24 dev tap0; ip link set tap0 up\n"
               "  beckon serve --tap tap0 --addr 192.0.2.2/24 &\n"
               "  curl http://192.0.2.2/; beckon ss -a\n\n"
               "Exit status: 0 ended by a signal, 2 usage or environment.",
    };
    struct serve *s = calloc(1, sizeof *s);
    if (!s) {
        cmd_error("out of memory");
        return CMD_USAGE;
    }
    s->port = 80;
    s->mtu = 1500;
    s->msl_s = 30;
    s->connections = 4096;
    s->directory.fd = -1;
    argp_parse(&argp, argc, argv, 0, NULL, s);
    int r = run_loop_open(&s->loop), status = CMD_USAGE;
    if (r < 0)
        cmd_error("taking the signals over: %s", strerror(-r));
    else
        status = serve_run(s);
    bk_link_close(s->loop.link);
    bk_host_destroy(s->stack);
    run_loop_close(&s->loop);
    site_directory_close(&s->directory);
    site_pages_free(&s->pages);
    free(s);
    return status;
}
