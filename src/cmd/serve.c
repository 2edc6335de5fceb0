/* `beckon serve`: a long-running HTTP server on a stack of its own, or several, behind a TAP or TUN device: its arguments. */
#define _GNU_SOURCE 1
#include "cmd/serve.h"

#include <argp.h>
#include <string.h>

#include "cmd/cmd.h"

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
    SERVE_NO_OFFLOAD,
    SERVE_CORES,
    SERVE_XDP
};

static const struct argp_option serve_options[] = {
    {"tap", SERVE_TAP, "NAME", 0, "The TAP device to live behind; made if it does not exist", 0},
    {"tun", SERVE_TUN, "NAME", 0, "A TUN device (raw IP) instead", 0},
    {"xdp", SERVE_XDP, "NAME", 0,
     "A network device by AF_XDP, past the kernel's stack, with as many cores as it has queues; its MAC and MTU are "
     "the stack's",
     0},
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
    {"connections", SERVE_CONNECTIONS, "N", 0, "Connections that a stack may hold, 16 to 1000000 (4096)", 0},
    {"pcap", SERVE_PCAP, "FILE", 0,
     "Keep a capture, a pcapng with the reason of each segment as its comment; of several stacks, FILE.0, FILE.1, ...",
     0},
    {"cores", SERVE_CORES, "N", 0,
     "So many stacks, 1 to 128 (1), each on a processor of its own, with a queue of the device and a part of the flows",
     0},
    {0},
};

static void serve_option_address(struct serve_options *s, const char *arg, struct argp_state *state) {
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

static void serve_option_gateway(struct serve_options *s, const char *arg, struct argp_state *state) {
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
    struct serve_options *s = state->input;
    switch (key) {
    case SERVE_TUN:
    case SERVE_TAP:
    case SERVE_XDP:
        if (s->device) argp_error(state, "one --tap, --tun or --xdp only");
        s->tun = key == SERVE_TUN;
        s->xdp = key == SERVE_XDP;
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
    case SERVE_CORES:
        s->cores = (uint32_t)serve_option_number("cores", arg, 1, BK_STEER_BUCKETS, state);
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
    struct serve_options options = {.port = 80, .mtu = 1500, .msl_s = 30, .connections = 4096, .cores = 1};
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    return serve_cores(&options);
}
