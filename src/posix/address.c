/* struct sockaddr to bk_addr and back. */
#include "posix/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define SOCKADDR_IN6_OLD 24u /* RFC 2133's, without a scope: still good enough */

bk_addr address_any(bool ipv6) {
    return ipv6 ? (bk_addr){{0}} : bk_addr_ipv4(0, 0, 0, 0);
}

bool address_is_multicast(const bk_addr *a) {
    return bk_addr_is_ipv4(a) ? (a->byte[12] & 0xf0) == 0xe0 : a->byte[0] == 0xff;
}

bool address_is_local(const bk_stack *stack, const bk_addr *a) {
    struct bk_iface_address known;
    for (uint32_t i = 0; bk_iface_address_get(stack, i, &known); i++)
        if (known.state == 1 && bk_addr_equal(&known.addr, a)) return true;
    return false;
}

int address_read(const struct bk_sockets *s, bool ipv6, const struct sockaddr *from, socklen_t length,
                 struct endpoint *to) {
    if (length > sizeof(struct sockaddr_storage)) return -EINVAL;
    if (!memory_good(s, from, length, false)) return -EFAULT;
    struct sockaddr_storage copy = {0};
    memcpy(&copy, from, length);
    if (length < (ipv6 ? SOCKADDR_IN6_OLD : sizeof(struct sockaddr_in))) return -EINVAL;
    if (ipv6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &copy, sizeof in6);
        if (in6.sin6_family != AF_INET6) return -EAFNOSUPPORT;
        memcpy(to->addr.byte, &in6.sin6_addr, 16);
        to->port = ntohs(in6.sin6_port);
    } else {
        struct sockaddr_in in;
        memcpy(&in, &copy, sizeof in);
        if (in.sin_family != AF_INET) return -EAFNOSUPPORT;
        const uint8_t *b = (const uint8_t *)&in.sin_addr;
        to->addr = bk_addr_ipv4(b[0], b[1], b[2], b[3]);
        to->port = ntohs(in.sin_port);
    }
    return 0;
}

socklen_t address_put(bool ipv6, const struct endpoint *from, struct sockaddr_storage *to) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(from->port)};
    memcpy(&in6.sin6_addr, from->addr.byte, 16);
    memcpy(&in.sin_addr, from->addr.byte + 12, 4);
    if (ipv6)
        memcpy(to, &in6, sizeof in6);
    else
        memcpy(to, &in, sizeof in);
    return ipv6 ? sizeof in6 : sizeof in;
}

int address_write(const struct bk_sockets *s, bool ipv6, const struct endpoint *from, struct sockaddr *to,
                  socklen_t *length) {
    if (!memory_good(s, length, sizeof *length, true)) return -EFAULT;
    if ((int)*length < 0) return -EINVAL;
    struct sockaddr_storage whole;
    socklen_t size = address_put(ipv6, from, &whole), n = *length < size ? *length : size;
    if (!memory_good(s, to, n, true)) return -EFAULT;
    if (n != 0) memcpy(to, &whole, n);
    *length = size;
    return 0;
}
