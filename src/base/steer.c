/* The hash by which flows are steered: Toeplitz's, as network cards compute it for receive-side scaling.
 *
 * The input is a string of bits, the key a longer one. For each bit of the input that is set, the 32 bits of the key that
 * begin at the same place are added, modulo 2. So each part of the input makes its contribution alone, and contributions can be
 * prepared: by bytes for packets, by digits for a search among ports. Of the 32 bits the lowest 7 are used, which is why a byte
 * holds a contribution.
 */
#include "base/steer.h"

#define STEER_MASK (BK_STEER_BUCKETS - 1)

/* The 32 bits of the key that a bit of the input adds. */
static uint32_t steer_window(const uint8_t key[BK_STEER_KEY], uint32_t bit) {
    const uint8_t *at = key + bit / 8;
    return (uint32_t)(((uint64_t)get_be32(at) << 8 | at[4]) >> (8 - bit % 8));
}

static uint32_t steer_bytes(const uint8_t key[BK_STEER_KEY], uint32_t at, const uint8_t *bytes, uint32_t n) {
    uint32_t hash = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t bit = 0; bit < 8; bit++)
            hash ^= steer_window(key, 8 * (at + i) + bit) & (0u - (bytes[i] >> (7 - bit) & 1u));
    return hash;
}

uint32_t bk_steer_hash(const uint8_t key[BK_STEER_KEY], const bk_addr *remote, uint16_t remote_port,
                       const bk_addr *local, uint16_t local_port) {
    uint32_t n = addr_is_ipv4(local) ? 4 : 16;
    uint8_t ports[4];
    put_be16(ports, remote_port);
    put_be16(ports + 2, local_port);
    return steer_bytes(key, 0, remote->byte + 16 - n, n) ^ steer_bytes(key, n, local->byte + 16 - n, n) ^
           steer_bytes(key, 2 * n, ports, sizeof ports);
}

uint32_t bk_steer(const struct bk_steering *s, const bk_addr *remote, uint16_t remote_port, const bk_addr *local,
                  uint16_t local_port) {
    if (!steer_group(s)) return 0;
    return (bk_steer_hash(s->key, remote, remote_port, local, local_port) & STEER_MASK) % s->stacks;
}

void bk_steer_table_make(struct bk_steer_table *table, const struct bk_steering *s) {
    table->stacks = u32_max(s->stacks, 1);
    for (uint32_t at = 0; at < BK_STEER_INPUT; at++)
        for (uint32_t value = 0; value < 256; value++) {
            uint8_t byte = (uint8_t)value;
            table->bucket[at][value] = (uint8_t)(steer_bytes(s->key, at, &byte, 1) & STEER_MASK);
        }
}

void steer_ports_make(struct steer_ports *p, const struct bk_steering *s, const bk_addr *remote, uint16_t remote_port,
                      const bk_addr *local) {
    uint32_t before = addr_is_ipv4(local) ? 80 : 272; /* bits of the tuple before its local port */
    p->stacks = s->stacks;
    p->index = s->index;
    for (uint32_t digit = 0; digit < 4; digit++) {
        uint8_t *of = p->digit[digit];
        of[0] = 0;
        for (uint32_t bit = 0; bit < 4; bit++) {
            uint32_t one = 8u >> bit;
            of[one] = (uint8_t)(steer_window(s->key, before + 4 * digit + bit) & STEER_MASK);
        }
        for (uint32_t value = 1; value < 16; value++) of[value] = of[value & (value - 1)] ^ of[value & (0u - value)];
    }
    uint32_t rest = bk_steer_hash(s->key, remote, remote_port, local, 0) & STEER_MASK;
    for (uint32_t value = 0; value < 16; value++) p->digit[0][value] ^= (uint8_t)rest;
}
