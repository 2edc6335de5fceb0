/* A private network namespace: a second network stack of the kernel's, which nothing else can see.
 *
 * It has no name: it lives as long as a descriptor or a process is in it, and the kernel takes it down, devices and
 * all, when the last one goes. So there is nothing to clean up, whatever ends the program, and any number may exist at
 * once. A user who is not root gets one through a user namespace, where the system allows that.
 */
#ifndef CMD_NETNS_H
#define CMD_NETNS_H

#include <sys/types.h>

#include "beckon/stack.h"

struct netns {
    int fd;   /* the namespace, -1: none */
    int home; /* where the process was before; -1: it cannot go back (user namespace) and stays inside */
};

/* Makes a namespace with its loopback up. The process is outside of it afterwards, as a rule (see `home`). Returns 0, or a
 * negative errno and in *why which step failed. */
int netns_create(struct netns *ns, const char **why);
void netns_destroy(struct netns *ns);
/* Goes in, and back out: devices and sockets opened in between belong to the namespace for good. */
int netns_enter(const struct netns *ns);
int netns_leave(const struct netns *ns);

struct netns_address {
    bk_addr addr;
    uint8_t prefix_length;
};
/* Gives a device of the namespace these addresses (IPv6 ones without duplicate address detection) and sets it up. It makes
 * no IPv6 address of its own and solicits no router. Returns 0, or a negative errno and *why. */
int netns_configure(const struct netns *ns, const char *device, const struct netns_address *addresses, size_t n,
                    const char **why);
/* Runs argv (found by PATH) inside, with stdin closed and the given descriptors as stdout and stderr. Returns the process's
 * id, or a negative errno if it could not be started. */
pid_t netns_spawn(const struct netns *ns, char *const argv[], int out, int err);

#endif
