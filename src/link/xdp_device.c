/* What a network device says about itself, by ioctl(2): netdevice(7) and the ethtool interface. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/netns.h"
#include "link/xdp_program.h"

/* Drivers that do not answer have one queue and no name. */
static void xdp_device_driver(int fd, struct ifreq *request, struct bk_xdp_device *out) {
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    request->ifr_data = (void *)&driver;
    if (ioctl(fd, SIOCETHTOOL, request) == 0) memcpy(out->driver, driver.driver, sizeof out->driver - 1);
    request->ifr_data = (void *)&channels;
    out->queues = ioctl(fd, SIOCETHTOOL, request) == 0 ? channels.rx_count + channels.combined_count : 1;
    if (out->queues == 0) out->queues = 1;
}

static int xdp_device_read(int fd, const char *name, struct bk_xdp_device *out, const char **why) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    *why = "SIOCGIFINDEX: find the device";
    if (ioctl(fd, SIOCGIFINDEX, &request) != 0) return -errno;
    out->index = (uint32_t)request.ifr_ifindex;
    *why = "SIOCGIFHWADDR: its address";
    if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) return -errno;
    *why = "the device is not Ethernet";
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return -EINVAL;
    memcpy(out->mac, request.ifr_hwaddr.sa_data, sizeof out->mac);
    *why = "SIOCGIFMTU: its MTU";
    if (ioctl(fd, SIOCGIFMTU, &request) != 0) return -errno;
    out->mtu = (uint32_t)request.ifr_mtu;
    xdp_device_driver(fd, &request, out);
    return 0;
}

int xdp_device_ask(const char *name, struct bk_xdp_device *out, const char **why) {
    *out = (struct bk_xdp_device){0};
    *why = "the device's name";
    if (name == NULL || name[0] == 0 || strlen(name) >= IFNAMSIZ) return -ENODEV;
    *why = "a socket to ask the device by";
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int r = xdp_device_read(fd, name, out, why);
    close(fd);
    return r;
}

struct xdp_asking {
    const char *name, *why;
    struct bk_xdp_device *out;
    int error;
};

static void xdp_device_asked(void *context) {
    struct xdp_asking *a = context;
    a->error = xdp_device_ask(a->name, a->out, &a->why);
}

int bk_xdp_device(const char *name, const char *netns, struct bk_xdp_device *out, const char **why) {
    struct xdp_asking a = {.name = name, .out = out};
    int r = link_in_netns(netns, xdp_device_asked, &a, &a.why);
    if (r == 0) r = a.error;
    if (r != 0 && why != NULL) *why = a.why;
    return r;
}
