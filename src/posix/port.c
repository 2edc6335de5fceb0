/* Who holds which local port. See port.h. */
#include "posix/port.h"

static struct sock_port *port_find(const struct bk_sockets *s, uint16_t port) {
    struct sock_port *p = s->port[port % PORT_BUCKETS];
    while (p != NULL && p->port != port) p = p->next;
    return p;
}

static bool takes_ipv4(const struct sock *sock, const bk_addr *addr) {
    return bk_addr_is_ipv4(addr) || (bk_addr_is_any(addr) && !sock->v6only);
}
static bool takes_ipv6(const bk_addr *addr) {
    return !bk_addr_is_ipv4(addr);
}

static bool overlap(const struct sock *a, const bk_addr *at, const struct sock *b, const bk_addr *bt) {
    if (bk_addr_equal(at, bt)) return true;
    bool both4 = takes_ipv4(a, at) && takes_ipv4(b, bt), both6 = takes_ipv6(at) && takes_ipv6(bt);
    return (both4 || both6) && (bk_addr_is_any(at) || bk_addr_is_any(bt));
}

bool port_free(const struct bk_sockets *s, const struct sock *sock, const bk_addr *addr, uint16_t port) {
    const struct sock_port *p = port_find(s, port);
    for (const struct sock *other = p == NULL ? NULL : p->socks; other != NULL; other = other->port_next) {
        if (other == sock) continue;
        if (sock->reuse && other->reuse && other->phase != SOCK_LISTENING) continue;
        struct endpoint local = sock_local(s, other);
        if (overlap(sock, addr, other, &local.addr)) return false;
    }
    return true;
}

uint16_t port_choose(struct bk_sockets *s, const struct sock *sock, const bk_addr *addr, uint64_t now) {
    const struct bk_config *config = bk_config_of(s->stack);
    uint32_t count = (uint32_t)config->ephemeral_last - config->ephemeral_first + 1;
    /* Where the search begins need not be secret for a listener; it only should not be the same place each time. */
    uint64_t mix = (now ^ ++s->port_draws) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t start = (uint32_t)(mix >> 32) % count;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(config->ephemeral_first + (start + i) % count);
        struct sock alone = *sock;
        alone.reuse = false; /* a port that the program did not name is to be its own */
        if (port_free(s, &alone, addr, port)) return port;
    }
    return 0;
}

int port_hold(struct bk_sockets *s, struct sock *sock, uint16_t port) {
    struct sock_port *p = port_find(s, port);
    if (p == NULL) {
        p = calloc(1, sizeof *p);
        if (p == NULL) return -ENOMEM;
        p->port = port;
        p->next = s->port[port % PORT_BUCKETS];
        s->port[port % PORT_BUCKETS] = p;
    }
    sock->port = p;
    sock->port_prev = NULL;
    sock->port_next = p->socks;
    if (p->socks != NULL) p->socks->port_prev = sock;
    p->socks = sock;
    return 0;
}

void port_drop(struct bk_sockets *s, struct sock *sock) {
    struct sock_port *p = sock->port;
    if (p == NULL) return;
    if (sock->port_prev != NULL)
        sock->port_prev->port_next = sock->port_next;
    else
        p->socks = sock->port_next;
    if (sock->port_next != NULL) sock->port_next->port_prev = sock->port_prev;
    sock->port = NULL;
    if (p->socks != NULL) return;
    struct sock_port **at = &s->port[p->port % PORT_BUCKETS];
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    free(p);
}
