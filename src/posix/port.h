/* Which sockets hold which local port: the rules of bind.
 *
 * A socket that is bound, listens or is connected stands in the list of its port. Two may hold one port if their addresses do not overlap
 * (an unspecified one overlaps all of its family, and :: those of IPv4, too, unless IPV6_V6ONLY is set), or if both have SO_REUSEADDR
 * and neither listens. Connections whose socket is closed no longer count here, whatever options that socket had.
 */
#ifndef POSIX_PORT_H
#define POSIX_PORT_H

#include "posix/sock.h"

struct sock_port {
    struct sock_port *next;
    struct sock *socks;
    uint16_t port;
};

/* Whether `sock` may hold `port` at `addr`. */
bool port_free(const struct bk_sockets *s, const struct sock *sock, const bk_addr *addr, uint16_t port);
/* A port of the ephemeral range that is free for it; 0: none. */
uint16_t port_choose(struct bk_sockets *s, const struct sock *sock, const bk_addr *addr, uint64_t now);
/* Enters the socket. 0 or -ENOMEM. */
int port_hold(struct bk_sockets *s, struct sock *sock, uint16_t port);
void port_drop(struct bk_sockets *s, struct sock *sock);

#endif
