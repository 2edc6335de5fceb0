/* A private network namespace; see netns.h. Devices are configured by rtnetlink(7): no program needs to be run for
 * it. */
#define _GNU_SOURCE 1
#include "cmd/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- rtnetlink ------------------------------------------------------------------------------------- */

struct netns_message {
    _Alignas(struct nlmsghdr) uint8_t bytes[512];
};

static struct nlmsghdr *netns_message_head(struct netns_message *m) {
    return (struct nlmsghdr *)(void *)m->bytes;
}

/* Begins a message with a body of `length` bytes, which is returned. */
static void *netns_message_begin(struct netns_message *m, uint16_t type, uint16_t flags, size_t length) {
    memset(m, 0, sizeof *m);
    struct nlmsghdr *h = netns_message_head(m);
    h->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + NLMSG_ALIGN(length));
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return m->bytes + NLMSG_HDRLEN;
}

static struct rtattr *netns_message_add(struct netns_message *m, uint16_t type, const void *data, size_t length) {
    struct nlmsghdr *h = netns_message_head(m);
    struct rtattr *a = (struct rtattr *)(void *)(m->bytes + h->nlmsg_len);
    a->rta_type = type;
    a->rta_len = (uint16_t)(RTA_ALIGN(sizeof *a) + length);
    if (length) memcpy((uint8_t *)a + RTA_ALIGN(sizeof *a), data, length);
    h->nlmsg_len += (uint32_t)RTA_ALIGN(a->rta_len);
    return a;
}

/* What was added since `a` lies inside it. */
static void netns_message_nest(struct netns_message *m, struct rtattr *a) {
    a->rta_len = (uint16_t)(m->bytes + netns_message_head(m)->nlmsg_len - (uint8_t *)a);
}

/* Sends the message and waits for the kernel's verdict. */
static int netns_message_send(int fd, struct netns_message *m) {
    struct nlmsghdr *h = netns_message_head(m);
    if (send(fd, m->bytes, h->nlmsg_len, 0) < 0) return -errno;
    struct netns_message answer;
    ssize_t n = recv(fd, answer.bytes, sizeof answer.bytes, MSG_TRUNC);
    if (n < 0) return -errno;
    h = netns_message_head(&answer);
    if ((size_t)n < NLMSG_HDRLEN + sizeof(struct nlmsgerr) || h->nlmsg_type != NLMSG_ERROR) return -EPROTO;
    struct nlmsgerr verdict;
    memcpy(&verdict, answer.bytes + NLMSG_HDRLEN, sizeof verdict);
    return verdict.error;
}

static int netns_device_up(int fd, int device, bool quiet) {
    struct netns_message m;
    struct ifinfomsg *info = netns_message_begin(&m, RTM_NEWLINK, 0, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = device;
    info->ifi_flags = info->ifi_change = IFF_UP;
    if (quiet) {
        uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
        struct rtattr *spec = netns_message_add(&m, IFLA_AF_SPEC, NULL, 0);
        struct rtattr *inet6 = netns_message_add(&m, AF_INET6, NULL, 0);
        netns_message_add(&m, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
        netns_message_nest(&m, inet6);
        netns_message_nest(&m, spec);
    }
    return netns_message_send(fd, &m);
}

static int netns_address_add(int fd, int device, const struct netns_address *a) {
    bool v4 = bk_addr_is_ipv4(&a->addr);
    const uint8_t *bytes = a->addr.byte + (v4 ? 12 : 0);
    struct netns_message m;
    struct ifaddrmsg *info = netns_message_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *info);
    info->ifa_family = v4 ? AF_INET : AF_INET6;
    info->ifa_prefixlen = a->prefix_length;
    info->ifa_flags = v4 ? 0 : IFA_F_NODAD;
    info->ifa_index = (uint32_t)device;
    netns_message_add(&m, IFA_LOCAL, bytes, v4 ? 4 : 16);
    netns_message_add(&m, IFA_ADDRESS, bytes, v4 ? 4 : 16);
    return netns_message_send(fd, &m);
}

/* An rtnetlink socket of the namespace that the process is in. */
static int netns_socket(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

/* ---- the namespace --------------------------------------------------------------------------------- */

static int netns_write(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t n = write(fd, text, strlen(text));
    int error = n < 0 ? errno : 0;
    close(fd);
    return -error;
}

/* Becomes root of a user namespace of its own, which owns the network namespace. */
static int netns_unshare_as_user(void) {
    char uid[64], gid[64];
    snprintf(uid, sizeof uid, "0 %lu 1", (unsigned long)geteuid());
    snprintf(gid, sizeof gid, "0 %lu 1", (unsigned long)getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return -errno;
    int r = netns_write("/proc/self/uid_map", uid);
    if (r == 0) r = netns_write("/proc/self/setgroups", "deny");
    if (r == 0) r = netns_write("/proc/self/gid_map", gid);
    return r;
}

int netns_create(struct netns *ns, const char **why) {
    *ns = (struct netns){.fd = -1, .home = -1};
    *why = "opening /proc/self/ns/net";
    ns->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (ns->home < 0) return -errno;
    *why = "making a network namespace";
    int r = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
    if (r == -EPERM) {
        close(ns->home);
        ns->home = -1;
        r = netns_unshare_as_user();
    }
    if (r == 0) {
        *why = "opening /proc/self/ns/net";
        ns->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        r = ns->fd < 0 ? -errno : 0;
        int socket_fd = r < 0 ? r : netns_socket();
        if (socket_fd >= 0) {
            *why = "setting the loopback up";
            r = netns_device_up(socket_fd, 1, false);
            close(socket_fd);
        } else {
            r = socket_fd;
        }
        int back = netns_leave(ns);
        if (r == 0 && back < 0) {
            *why = "going back to the first network namespace";
            r = back;
        }
    }
    if (r < 0) netns_destroy(ns);
    return r;
}

void netns_destroy(struct netns *ns) {
    if (ns->fd >= 0) close(ns->fd);
    if (ns->home >= 0) close(ns->home);
    *ns = (struct netns){.fd = -1, .home = -1};
}

int netns_enter(const struct netns *ns) {
    if (ns->home < 0) return 0;
    return setns(ns->fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

int netns_leave(const struct netns *ns) {
    if (ns->home < 0) return 0;
    return setns(ns->home, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int netns_configure_inside(const char *device, const struct netns_address *addresses, size_t n,
                                  const char **why) {
    *why = "opening rtnetlink";
    int fd = netns_socket();
    if (fd < 0) return fd;
    *why = "finding the device";
    int index = (int)if_nametoindex(device), r = index == 0 ? -errno : 0;
    if (r == 0) {
        *why = "setting the device up";
        r = netns_device_up(fd, index, true);
        if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) r = netns_device_up(fd, index, false); /* a kernel without IPv6 */
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        *why = "giving the device an address";
        r = netns_address_add(fd, index, &addresses[i]);
    }
    close(fd);
    return r;
}

int netns_configure(const struct netns *ns, const char *device, const struct netns_address *addresses, size_t n,
                    const char **why) {
    *why = "entering the network namespace";
    int r = netns_enter(ns);
    if (r < 0) return r;
    r = netns_configure_inside(device, addresses, n, why);
    int back = netns_leave(ns);
    return r < 0 ? r : back;
}

/* The child: never returns. A failure is told through the pipe, which exec closes. */
static _Noreturn void netns_child(const struct netns *ns, char *const argv[], int out, int err, int tell) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int in = open("/dev/null", O_RDONLY);
    if (in >= 0 && netns_enter(ns) == 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0)
        execvp(argv[0], argv);
    int error = errno;
    if (write(tell, &error, sizeof error) != (ssize_t)sizeof error) _exit(126);
    _exit(127);
}

pid_t netns_spawn(const struct netns *ns, char *const argv[], int out, int err) {
    int tell[2];
    if (pipe2(tell, O_CLOEXEC) < 0) return -errno;
    pid_t pid = fork();
    if (pid == 0) netns_child(ns, argv, out, err, tell[1]);
    int error = pid < 0 ? errno : 0;
    close(tell[1]);
    if (pid > 0 && read(tell[0], &error, sizeof error) == (ssize_t)sizeof error) waitpid(pid, NULL, 0);
    close(tell[0]);
    return error != 0 ? -error : pid;
}
