/* Classes of addresses, and the addresses that are made from others.
 *
 * An IPv4 address is told by its prefix ::ffff:0:0/96, its own four bytes being the last four; so each class is asked of
 * one family first and of the other second.
 */
#include "wire/ip.h"

bool wire_addr_is_link_local(const bk_addr *a) {
    if (addr_is_ipv4(a)) return a->byte[12] == 169 && a->byte[13] == 254;
    return a->byte[0] == 0xfe && (a->byte[1] & 0xc0) == 0x80;
}

bool wire_addr_prefix_equal(const bk_addr *a, const bk_addr *b, uint8_t bits) {
    bool ipv4 = addr_is_ipv4(a);
    if (ipv4 != addr_is_ipv4(b)) return false;
    unsigned first = ipv4 ? 12 : 0;
    unsigned count = u32_min(bits, (16 - first) * 8);
    if (memcmp(a->byte + first, b->byte + first, count / 8) != 0) return false;
    unsigned rest = count % 8;
    unsigned last = first + count / 8;
    return rest == 0 || (a->byte[last] ^ b->byte[last]) >> (8 - rest) == 0;
}

bk_addr wire_addr_solicited_node(const bk_addr *a) {
    bk_addr group = {{0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(group.byte + 13, a->byte + 13, 3);
    return group;
}

void wire_addr_multicast_mac(const bk_addr *a, uint8_t mac[6]) {
    if (addr_is_ipv4(a)) {
        put_be16(mac, 0x0100);
        mac[2] = 0x5e;
        mac[3] = a->byte[13] & 0x7f;
        memcpy(mac + 4, a->byte + 14, 2);
    } else {
        put_be16(mac, 0x3333);
        memcpy(mac + 2, a->byte + 12, 4);
    }
}

bk_addr wire_addr_from_mac(const bk_addr *prefix, const uint8_t mac[6]) {
    bk_addr a = *prefix;
    memcpy(a.byte + 8, mac, 3);
    a.byte[8] ^= 0x02; /* the universal/local bit counts the other way round in an interface identifier */
    put_be16(a.byte + 11, 0xfffe);
    memcpy(a.byte + 13, mac + 3, 3);
    return a;
}
