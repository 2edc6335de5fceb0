/* The Beckon side of the interop tests: options, the stack and its link, the loop.
 *
 *     peer [options] listen PORT | connect ADDRESS PORT | echo PORT | http PORT | commands
 *
 * The device exists already (lib.sh makes it) and the program runs in its network namespace. "ready" is printed
 * when the stack is up and listening, the counters as one JSON object at the end. Exit status 0: all sessions
 * ended in good order; 1: one did not, or the time ran out; 2: usage or environment. */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static volatile sig_atomic_t peer_stopped;

static void peer_on_signal(int number) {
    (void)number;
    peer_stopped = 1;
}

static _Noreturn void peer_fail(const char *what, const char *why) {
    fprintf(stderr, "peer: %s: %s\n", what, why);
    exit(2);
}

const char *peer_error_name(int error) {
    switch (-error) {
    case 0:
        return "none";
    case ECONNRESET:
        return "ECONNRESET";
    case ECONNREFUSED:
        return "ECONNREFUSED";
    case ECONNABORTED:
        return "ECONNABORTED";
    case ETIMEDOUT:
        return "ETIMEDOUT";
    case EHOSTUNREACH:
        return "EHOSTUNREACH";
    case ENETUNREACH:
        return "ENETUNREACH";
    case EADDRINUSE:
        return "EADDRINUSE";
    case EADDRNOTAVAIL:
        return "EADDRNOTAVAIL";
    case EPIPE:
        return "EPIPE";
    case EBADF:
        return "EBADF";
    case ENOTCONN:
        return "ENOTCONN";
    case EAGAIN:
        return "EAGAIN";
    case ENOBUFS:
        return "ENOBUFS";
    case EINVAL:
        return "EINVAL";
    default:
        return "EUNKNOWN";
    }
}

/* ---- options --------------------------------------------------------------------------------------- */

/* Fields of struct bk_config that --set NAME=VALUE reaches. */
#define PEER_FIELD(name)                                                                                               \
    { #name, offsetof(struct bk_config, name), sizeof(((struct bk_config *)0)->name) }
static const struct peer_field {
    const char *name;
    size_t offset, size;
} peer_fields[] = {
    PEER_FIELD(connections),
    PEER_FIELD(active_connections),
    PEER_FIELD(listeners),
    PEER_FIELD(requests_ipv4),
    PEER_FIELD(requests_ipv6),
    PEER_FIELD(time_waits_ipv4),
    PEER_FIELD(time_waits_ipv6),
    PEER_FIELD(neighbours),
    PEER_FIELD(paths),
    PEER_FIELD(frames),
    PEER_FIELD(chunk_size),
    PEER_FIELD(chunks),
    PEER_FIELD(buffer_chunks),
    PEER_FIELD(trace_events),
    PEER_FIELD(send_buffer),
    PEER_FIELD(receive_buffer),
    PEER_FIELD(send_buffer_max),
    PEER_FIELD(receive_buffer_max),
    PEER_FIELD(msl_ms),
    PEER_FIELD(rto_initial_ms),
    PEER_FIELD(rto_min_ms),
    PEER_FIELD(rto_max_ms),
    PEER_FIELD(delayed_ack_ms),
    PEER_FIELD(delayed_ack_max_ms),
    PEER_FIELD(quick_acks),
    PEER_FIELD(syn_retries),
    PEER_FIELD(syn_linear_timeouts),
    PEER_FIELD(syn_ack_retries),
    PEER_FIELD(retries2),
    PEER_FIELD(orphan_retries),
    PEER_FIELD(fin_wait_2_ms),
    PEER_FIELD(keepalive_idle_s),
    PEER_FIELD(keepalive_interval_s),
    PEER_FIELD(keepalive_probes),
    PEER_FIELD(reordering),
    PEER_FIELD(reordering_max),
    PEER_FIELD(congestion),
    PEER_FIELD(ecn),
    PEER_FIELD(ecn_fallback),
    PEER_FIELD(time_wait_reuse),
    PEER_FIELD(orphans_max),
    PEER_FIELD(mtu_probing),
    PEER_FIELD(base_mss),
    PEER_FIELD(mtu_probe_floor),
    PEER_FIELD(mtu_probe_interval_s),
    PEER_FIELD(mtu_probe_threshold),
    PEER_FIELD(path_mtu_expiry_s),
    PEER_FIELD(challenge_ack_ms),
    PEER_FIELD(ephemeral_first),
    PEER_FIELD(ephemeral_last),
    PEER_FIELD(timestamps),
    PEER_FIELD(window_scaling),
    PEER_FIELD(sack),
    PEER_FIELD(tail_loss_probe),
    PEER_FIELD(frto),
    PEER_FIELD(syn_cookies),
    PEER_FIELD(pacing_ss_ratio),
    PEER_FIELD(pacing_ca_ratio),
    PEER_FIELD(min_tso_segments),
    PEER_FIELD(pacing),
    PEER_FIELD(hystart),
    PEER_FIELD(slow_start_after_idle),
    PEER_FIELD(reset_on_unread),
    PEER_FIELD(receive_coalescing),
};

static uint64_t peer_number(const char *text, uint64_t max) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > max)
        peer_fail(text, "not a number in range");
    return value;
}

static void peer_set(struct bk_config *config, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    if (equals == NULL) peer_fail(assignment, "--set takes NAME=VALUE");
    for (size_t i = 0; i < sizeof peer_fields / sizeof *peer_fields; i++) {
        const struct peer_field *f = &peer_fields[i];
        if (strlen(f->name) != (size_t)(equals - assignment) || strncmp(f->name, assignment, strlen(f->name)) != 0)
            continue;
        uint8_t *at = (uint8_t *)config + f->offset;
        uint32_t wide = (uint32_t)peer_number(equals + 1, f->size == 4 ? UINT32_MAX : f->size == 2 ? UINT16_MAX : 1);
        uint16_t half = (uint16_t)wide;
        bool flag = wide != 0;
        memcpy(at, f->size == 4 ? (void *)&wide : f->size == 2 ? (void *)&half : (void *)&flag, f->size);
        return;
    }
    peer_fail(assignment, "no such field of struct bk_config");
}

static bk_addr peer_address(const char *text) {
    bk_addr a;
    if (bk_addr_parse(text, &a) != 0) peer_fail(text, "not an address");
    return a;
}

enum peer_option {
    OPTION_DEVICE = 256,
    OPTION_TUN,
    OPTION_XDP,
    OPTION_VERIFY,
    OPTION_ZERO_COPY,
    OPTION_NO_OFFLOAD,
    OPTION_MULTI_QUEUE,
    OPTION_LOCAL,
    OPTION_GATEWAY,
    OPTION_MTU,
    OPTION_LOCAL_PORT,
    OPTION_BACKLOG,
    OPTION_SEND,
    OPTION_RECEIVE,
    OPTION_CAPTURE,
    OPTION_CLOSE,
    OPTION_CONNECTIONS,
    OPTION_WARM,
    OPTION_LINGER,
    OPTION_TIMEOUT,
    OPTION_SET,
    OPTION_SEED,
    OPTION_LOSS,
    OPTION_DUPLICATE,
    OPTION_REORDER,
    OPTION_REORDER_US,
    OPTION_CORRUPT,
    OPTION_DELAY,
    OPTION_JITTER,
};

static const struct option peer_long[] = {
    {"device", 1, NULL, OPTION_DEVICE}, /* the TAP's or TUN's name */
    {"tun", 0, NULL, OPTION_TUN},       /* it is a TUN */
    {"xdp", 0, NULL, OPTION_XDP},       /* it is any device, taken over by AF_XDP */
    {"verify", 0, NULL, OPTION_VERIFY}, /* and unfinished checksums are wrong */
    {"zero-copy", 0, NULL, OPTION_ZERO_COPY},
    {"no-offload", 0, NULL, OPTION_NO_OFFLOAD},
    {"multi-queue", 0, NULL, OPTION_MULTI_QUEUE}, /* the device has several queues, and this is one of them */
    {"local", 1, NULL, OPTION_LOCAL},             /* our address, /24 or /64; once a family */
    {"gateway", 1, NULL, OPTION_GATEWAY},         /* where everything else goes; once a family */
    {"mtu", 1, NULL, OPTION_MTU},
    {"local-port", 1, NULL, OPTION_LOCAL_PORT}, /* of connect */
    {"backlog", 1, NULL, OPTION_BACKLOG},
    {"send", 1, NULL, OPTION_SEND},       /* each session sends this file */
    {"receive", 1, NULL, OPTION_RECEIVE}, /* what sessions receive goes here */
    {"capture", 1, NULL, OPTION_CAPTURE},
    {"close", 1, NULL, OPTION_CLOSE}, /* shut, first, last, abort */
    {"connections", 1, NULL, OPTION_CONNECTIONS},
    {"warm-after", 1, NULL, OPTION_WARM},
    {"linger-ms", 1, NULL, OPTION_LINGER},
    {"timeout-s", 1, NULL, OPTION_TIMEOUT},
    {"set", 1, NULL, OPTION_SET},
    {"seed", 1, NULL, OPTION_SEED}, /* of the impairment */
    {"loss", 1, NULL, OPTION_LOSS}, /* this and the next three in parts per million */
    {"duplicate", 1, NULL, OPTION_DUPLICATE},
    {"reorder", 1, NULL, OPTION_REORDER},
    {"corrupt", 1, NULL, OPTION_CORRUPT},
    {"reorder-us", 1, NULL, OPTION_REORDER_US},
    {"delay-us", 1, NULL, OPTION_DELAY},
    {"jitter-us", 1, NULL, OPTION_JITTER},
    {NULL, 0, NULL, 0},
};

static enum peer_close peer_close_of(const char *word) {
    static const char *const words[] = {"shut", "first", "last", "abort"};
    for (int i = 0; i < 4; i++)
        if (strcmp(word, words[i]) == 0) return (enum peer_close)i;
    peer_fail(word, "--close takes shut, first, last or abort");
}

static void peer_impair_option(struct peer_options *o, int option, const char *value) {
    uint32_t n = (uint32_t)peer_number(value, UINT32_MAX);
    o->impaired = true;
    switch (option) {
    case OPTION_LOSS:
        o->impair.loss_ppm = n;
        break;
    case OPTION_DUPLICATE:
        o->impair.duplicate_ppm = n;
        break;
    case OPTION_REORDER:
        o->impair.reorder_ppm = n;
        break;
    case OPTION_REORDER_US:
        o->impair.reorder_us = n;
        break;
    case OPTION_CORRUPT:
        o->impair.corrupt_ppm = n;
        break;
    case OPTION_DELAY:
        o->impair.delay_us = n;
        break;
    case OPTION_JITTER:
        o->impair.jitter_us = n;
        break;
    default:
        exit(2); /* getopt_long has said what is wrong */
    }
}

static void peer_option(struct peer_options *o, int option, const char *value) {
    switch (option) {
    case OPTION_DEVICE:
        o->device = value;
        break;
    case OPTION_TUN:
        o->tun = true;
        break;
    case OPTION_XDP:
        o->xdp = true;
        break;
    case OPTION_VERIFY:
        o->verify = true;
        break;
    case OPTION_ZERO_COPY:
        o->zero_copy = true;
        break;
    case OPTION_NO_OFFLOAD:
        o->plain = true;
        break;
    case OPTION_MULTI_QUEUE:
        o->multi_queue = true;
        break;
    case OPTION_LOCAL:
    case OPTION_GATEWAY: {
        bk_addr a = peer_address(value);
        (option == OPTION_LOCAL ? o->local : o->gateway)[!bk_addr_is_ipv4(&a)] = a;
        break;
    }
    case OPTION_MTU:
        o->mtu = (uint32_t)peer_number(value, 65535);
        break;
    case OPTION_LOCAL_PORT:
        o->local_port = (uint16_t)peer_number(value, 65535);
        break;
    case OPTION_BACKLOG:
        o->backlog = (uint32_t)peer_number(value, UINT32_MAX);
        break;
    case OPTION_SEND:
        o->send_path = value;
        break;
    case OPTION_RECEIVE:
        o->receive_path = value;
        break;
    case OPTION_CAPTURE:
        o->capture = value;
        break;
    case OPTION_CLOSE:
        o->close = peer_close_of(value);
        break;
    case OPTION_CONNECTIONS:
        o->connections = peer_number(value, UINT64_MAX);
        break;
    case OPTION_WARM:
        o->warm_after = peer_number(value, UINT64_MAX);
        break;
    case OPTION_LINGER:
        o->linger_ns = peer_number(value, 1000000) * NS_PER_MS;
        break;
    case OPTION_TIMEOUT:
        o->timeout_ns = peer_number(value, 100000) * NS_PER_S;
        break;
    case OPTION_SET:
        peer_set(&o->config, value);
        break;
    case OPTION_SEED:
        o->impair.seed = peer_number(value, UINT64_MAX);
        break;
    default:
        peer_impair_option(o, option, value);
    }
}

static void peer_parse(struct peer_options *o, int argc, char **argv) {
    static const struct {
        const char *word;
        int arguments;
    } modes[] = {{"listen", 1}, {"connect", 2}, {"echo", 1}, {"http", 1}, {"commands", 0}};
    memset(o, 0, sizeof *o);
    o->mtu = 1500;
    o->backlog = 128;
    o->timeout_ns = 60 * NS_PER_S;
    o->impair.seed = 1;
    bk_config_default(&o->config);
    /* the unspecified address of either family stands for "none" */
    for (int option; (option = getopt_long(argc, argv, "", peer_long, NULL)) != -1;) peer_option(o, option, optarg);

    const char *word = optind < argc ? argv[optind++] : "";
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        if (strcmp(word, modes[m].word) != 0) continue;
        if (argc - optind != modes[m].arguments) break;
        o->mode = (enum peer_mode)m;
        if (o->mode == PEER_CONNECT) o->remote = peer_address(argv[optind++]);
        if (o->mode != PEER_COMMANDS) o->port = (uint16_t)peer_number(argv[optind], 65535);
        return;
    }
    peer_fail("usage", "peer [options] listen PORT | connect ADDRESS PORT | echo PORT | http PORT | commands");
}

/* ---- the stack and its link ------------------------------------------------------------------------ */

static void peer_stack_open(struct peer *p, uint64_t now) {
    const struct peer_options *o = &p->o;
    const char *why = "?";
    uint8_t seed[32];
    p->region_size = bk_region_size(&o->config);
    if (p->region_size == 0) peer_fail("configuration", "not valid");
    void *region =
        mmap(NULL, p->region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) peer_fail("region", strerror(errno));
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) peer_fail("seed", strerror(errno));
    int error = bk_create(region, p->region_size, &o->config, seed, now, &p->stack, &why);
    if (error != 0) peer_fail("bk_create", error == -EINVAL ? why : strerror(-error));

    struct bk_iface_config iface = {
        .layer = o->tun ? BK_LAYER_IP : BK_LAYER_ETHERNET, .mac = {0x02, 'b', 'e', 'c', 'k', 'n'}, .mtu = o->mtu};
    int number = bk_iface_add(p->stack, &iface, now);
    if (number < 0) peer_fail("bk_iface_add", strerror(-number));
    p->iface = (uint32_t)number;
    for (int family = 0; family < 2; family++) {
        bk_addr none = family == 0 ? bk_addr_ipv4(0, 0, 0, 0) : (bk_addr){{0}};
        if (!bk_addr_is_any(&o->local[family]))
            error = bk_iface_address_add(p->stack, p->iface, &o->local[family], family == 0 ? 24 : 64, true, now);
        if (error == 0 && !bk_addr_is_any(&o->gateway[family]))
            error = bk_route_add(p->stack, &none, 0, &o->gateway[family], p->iface);
        if (error != 0) peer_fail("address or route", strerror(-error));
    }
}

static void peer_link_open(struct peer *p) {
    const struct peer_options *o = &p->o;
    const char *why = "?";
    const struct bk_tap_options tap = {
        .name = o->device, .tun = o->tun, .plain = o->plain, .multi_queue = o->multi_queue, .fd = -1};
    const struct bk_xdp_options xdp = {.name = o->device, .verify = o->verify, .zero_copy = o->zero_copy};
    int error = o->xdp ? bk_xdp_open(p->stack, p->iface, &xdp, &p->link, &why)
                       : bk_tap_open(p->stack, p->iface, &tap, &p->link, &why);
    if (error != 0) {
        fprintf(stderr, "peer: device %s: %s: %s\n", o->device, why, strerror(-error));
        exit(2);
    }
    if (o->impaired && (error = bk_impair_wrap(p->link, &o->impair, &p->link)) != 0)
        peer_fail("bk_impair_wrap", strerror(-error));
    if (o->capture != NULL && (error = bk_link_capture(p->link, o->capture, NULL)) != 0)
        peer_fail(o->capture, strerror(-error));
}

static void peer_files_open(struct peer *p) {
    p->receive_fd = -1;
    if (p->o.send_path != NULL) {
        int fd = open(p->o.send_path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) != 0) peer_fail(p->o.send_path, strerror(errno));
        p->send_length = (uint64_t)st.st_size;
        if (p->send_length != 0) {
            void *data = mmap(NULL, p->send_length, PROT_READ, MAP_PRIVATE, fd, 0);
            if (data == MAP_FAILED) peer_fail(p->o.send_path, strerror(errno));
            p->send_data = data;
        }
        close(fd);
    }
    if (p->o.receive_path != NULL) {
        p->receive_fd = open(p->o.receive_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (p->receive_fd < 0) peer_fail(p->o.receive_path, strerror(errno));
    }
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* Whether the stack still works on a connection; TIME-WAIT and what it has forgotten do not count. */
static bool peer_stack_busy(const struct peer *p) {
    struct bk_pool_info connections;
    bk_pool_info(p->stack, BK_POOL_CONNECTIONS, &connections);
    return connections.in_use != 0 || bk_output_pending(p->stack, p->iface);
}

static uint64_t earliest(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void peer_sleep(const struct peer *p, uint64_t now, uint64_t until) {
    struct pollfd fds[2] = {{.fd = bk_link_fd(p->link), .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    if (bk_link_wants_write(p->link)) fds[0].events |= POLLOUT;
    if (p->o.mode == PEER_COMMANDS && commands_reading()) fds[1].fd = STDIN_FILENO;
    if (p->o.mode == PEER_COMMANDS && !commands_reading()) until = earliest(until, now + 5 * NS_PER_MS);
    uint64_t wait = until > now ? until - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(wait / NS_PER_S), .tv_nsec = (long)(wait % NS_PER_S)};
    ppoll(fds, 2, &ts, NULL);
}

static void peer_run(struct peer *p) {
    uint64_t give_up = p->started + p->o.timeout_ns, leave = BK_NEVER;
    while (p->outcome == NULL) {
        uint64_t now = bk_link_clock();
        int moved = bk_link_pump(p->link, now);
        if (moved < 0) peer_fail("device", strerror(-moved));
        bool worked = p->o.mode == PEER_COMMANDS ? commands_step(p, now) : session_poll(p, now);
        if (peer_stopped) p->outcome = "stopped";
        if (now >= give_up) p->outcome = "timeout";
        if (worked || p->outcome != NULL) continue;

        bool all_done = p->o.mode != PEER_COMMANDS && p->o.connections != 0 && p->finished >= p->o.connections &&
                        !peer_stack_busy(p);
        if (all_done && leave == BK_NEVER) leave = now + p->o.linger_ns;
        if (now >= leave) p->outcome = "done";
        if (p->outcome != NULL || bk_link_busy(p->link)) continue;
        uint64_t until = earliest(bk_next_deadline(p->stack), bk_link_next_deadline(p->link));
        peer_sleep(p, now, earliest(until, earliest(give_up, leave)));
    }
}

int main(int argc, char **argv) {
    static struct peer peer;
    struct peer *p = &peer;
    struct sigaction stop = {.sa_handler = peer_on_signal};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    peer_parse(&p->o, argc, argv);
    peer_files_open(p);
    p->started = bk_link_clock();
    peer_stack_open(p, p->started);
    peer_link_open(p);
    if (p->o.mode != PEER_COMMANDS && !session_start(p, p->started)) return 2;
    puts("ready");
    peer_run(p);
    peer_report(p, bk_link_clock());
    bk_link_close(p->link);
    return p->failed != 0 || strcmp(p->outcome, "timeout") == 0;
}
