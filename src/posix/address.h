/* Addresses as programs write them (struct sockaddr) and as the stack has them. */
#ifndef POSIX_ADDRESS_H
#define POSIX_ADDRESS_H

#include "posix/file.h"

struct endpoint {
    bk_addr addr;
    uint16_t port;
};

/* Reads an address for a socket of family AF_INET (`ipv6` false) or AF_INET6, whose IPv4 peers have mapped addresses. Returns 0, or
 * -EFAULT, -EINVAL (too short), -EAFNOSUPPORT. */
int address_read(const struct bk_sockets *s, bool ipv6, const struct sockaddr *from, socklen_t length,
                 struct endpoint *to);
/* An address for a socket of that family, and its length. */
socklen_t address_put(bool ipv6, const struct endpoint *from, struct sockaddr_storage *to);
/* Writes one for a socket of that family, cut off to *length, which becomes its whole length. 0, -EFAULT, -EINVAL (*length is
 * negative). */
int address_write(const struct bk_sockets *s, bool ipv6, const struct endpoint *from, struct sockaddr *to,
                  socklen_t *length);
/* The unspecified address of a family. */
bk_addr address_any(bool ipv6);
bool address_is_multicast(const bk_addr *a);
/* Whether it is one of the stack's own. */
bool address_is_local(const bk_stack *stack, const bk_addr *a);

#endif
