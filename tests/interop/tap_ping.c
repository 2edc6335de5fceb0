/* Both ends of a ping over a TAP or TUN device.
 *
 *     tap_ping stack NETNS DEVICE tap|tun|vnet|plain CAPTURE    runs a stack on a device that it makes in the namespace, until
 *                                                         SIGTERM; plain: a TAP without offloads; vnet: on a descriptor of
 *                                                         its own, of a TAP with virtio_net_hdr, in its own namespace
 *     tap_ping ping ADDRESS COUNT BYTES                   sends echo requests from the kernel's stack, one after the
 *                                                         other, and compares the answers
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "beckon/link.h"

#define ECHO_MAX 4000u

static volatile sig_atomic_t stopped;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static int fail(const char *what, const char *why, int error) {
    fprintf(stderr, "tap_ping: %s: %s: %s\n", what, why, strerror(error < 0 ? -error : error));
    return 1;
}

/* ---- the stack ---- */

static bk_stack *stack_create(bool tun, uint32_t *iface) {
    static const uint8_t seed[32] = "a seed that is no secret";
    struct bk_iface_config config = {.layer = tun ? BK_LAYER_IP : BK_LAYER_ETHERNET, .mtu = 1500};
    const uint8_t mac[6] = {2, 0xbe, 0xc0, 0, 0, 2};
    struct bk_config sizes;
    bk_stack *stack;
    bk_addr addr;
    bk_config_default(&sizes);
    sizes.connections = 16;
    sizes.chunks = 1024;
    sizes.buffer_chunks = 512;
    size_t size = (bk_region_size(&sizes) + 4095) & ~(size_t)4095;
    void *region = aligned_alloc(4096, size);
    if (region == NULL || bk_create(region, size, &sizes, seed, bk_link_clock(), &stack, NULL) != 0) return NULL;
    memcpy(config.mac, mac, sizeof mac);
    int n = bk_iface_add(stack, &config, bk_link_clock());
    if (n < 0) return NULL;
    *iface = (uint32_t)n;
    addr = bk_addr_ipv4(10, 77, 1, 2);
    if (bk_iface_address_add(stack, *iface, &addr, 24, true, bk_link_clock()) != 0) return NULL;
    if (bk_addr_parse("fd77:1::2", &addr) != 0) return NULL;
    if (bk_iface_address_add(stack, *iface, &addr, 64, true, bk_link_clock()) != 0) return NULL;
    return stack;
}

static int milliseconds_until(uint64_t deadline) {
    uint64_t now = bk_link_clock();
    if (deadline <= now) return 0;
    uint64_t ms = (deadline - now) / 1000000 + 1;
    return ms < 1000 ? (int)ms : 1000;
}

static int vnet_open(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int fd = open("/dev/net/tun", O_RDWR);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    return fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 ? fd : -1;
}

static int stack_main(char **argument) {
    struct bk_tap_options options = {.netns = argument[0], .name = argument[1], .fd = -1};
    options.tun = strcmp(argument[2], "tun") == 0;
    options.plain = strcmp(argument[2], "plain") == 0;
    if (strcmp(argument[2], "vnet") == 0 && (options.fd = vnet_open(argument[1])) < 0)
        return fail(argument[1], "cannot be opened", errno);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    uint32_t iface;
    bk_link *link;
    const char *why;
    bk_stack *stack = stack_create(options.tun, &iface);
    if (stack == NULL) return fail("stack", "cannot be made", 0);
    int r = bk_tap_open(stack, iface, &options, &link, &why);
    if (r != 0) return fail("tap", why, r);
    struct bk_capture_name names[] = {
        {bk_addr_ipv4(10, 77, 1, 1), "kernel"}, {bk_addr_ipv4(10, 77, 1, 2), "beckon"}, {{{0}}, NULL}};
    r = bk_link_capture(link, argument[3], names);
    if (r != 0) return fail(argument[3], "capture", r);
    printf("%s\n", bk_tap_name(link));
    fflush(stdout);
    while (!stopped) {
        r = bk_link_pump(link, bk_link_clock());
        if (r < 0 && r != -EIO) return fail("pump", "device", r); /* -EIO: the device is not up yet */
        struct pollfd fd = {.fd = bk_link_fd(link), .events = POLLIN};
        if (bk_link_wants_write(link)) fd.events |= POLLOUT;
        poll(&fd, 1, bk_link_busy(link) ? 0 : milliseconds_until(bk_next_deadline(stack)));
    }
    r = bk_link_capture_end(link);
    bk_link_close(link);
    free(stack);
    return r == 0 ? 0 : fail(argument[3], "capture", r);
}

/* ---- the kernel ---- */

static uint16_t checksum(const uint8_t *p, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* An echo request's bytes: the header has the same shape in both families. */
static size_t request_make(uint8_t *out, bool ipv6, uint16_t sequence, size_t bytes) {
    struct icmphdr h = {.type = ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO};
    h.un.echo.id = htons(0xbec0);
    h.un.echo.sequence = htons(sequence);
    for (size_t i = 0; i < bytes; i++) out[sizeof h + i] = (uint8_t)(i * 7 + sequence);
    memcpy(out, &h, sizeof h);
    if (!ipv6) h.checksum = checksum(out, sizeof h + bytes); /* of ICMPv6 the kernel makes it */
    memcpy(out, &h, sizeof h);
    return sizeof h + bytes;
}

/* Waits up to two seconds for the answer to `request`: the same id, sequence number and data. */
static int answer_await(int fd, bool ipv6, const uint8_t *request, size_t length) {
    uint8_t packet[ECHO_MAX + 100];
    uint64_t until = bk_link_clock() + UINT64_C(2000000000);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, milliseconds_until(until)) > 0 || bk_link_clock() < until) {
        ssize_t n = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
        if (n <= 0) continue;
        size_t header = ipv6 ? 0 : (packet[0] & 15u) * 4u; /* a raw IPv4 socket hands the IP header over too */
        const uint8_t *icmp = packet + header;
        if ((size_t)n != header + length || icmp[0] != (ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) continue;
        if (memcmp(icmp + 4, request + 4, length - 4) == 0) return 0;
    }
    return -1;
}

static int ping_main(char **argument) {
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    bool ipv6 = inet_pton(AF_INET6, argument[0], &to6.sin6_addr) == 1;
    if (!ipv6 && inet_pton(AF_INET, argument[0], &to4.sin_addr) != 1) return fail(argument[0], "address", EINVAL);
    const struct sockaddr *to = ipv6 ? (const struct sockaddr *)&to6 : (const struct sockaddr *)&to4;
    socklen_t to_length = ipv6 ? sizeof to6 : sizeof to4;
    unsigned long count = strtoul(argument[1], NULL, 10), bytes = strtoul(argument[2], NULL, 10);
    int fd = socket(to->sa_family, SOCK_RAW, ipv6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
    if (fd < 0 || bytes > ECHO_MAX) return fail("socket", "raw ICMP", errno);
    for (unsigned long i = 0; i < count; i++) {
        uint8_t request[ECHO_MAX + 8];
        size_t n = request_make(request, ipv6, (uint16_t)i, bytes);
        if (sendto(fd, request, n, 0, to, to_length) != (ssize_t)n) return fail(argument[0], "send", errno);
        if (answer_await(fd, ipv6, request, n) != 0) return fail(argument[0], "no answer", ETIMEDOUT);
    }
    close(fd);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 6 && strcmp(argv[1], "stack") == 0) return stack_main(argv + 2);
    if (argc == 5 && strcmp(argv[1], "ping") == 0) return ping_main(argv + 2);
    fprintf(
        stderr,
        "usage: tap_ping stack NETNS DEVICE tap|tun|vnet|plain CAPTURE\n       tap_ping ping ADDRESS COUNT BYTES\n");
    return 2;
}
