/* SipHash: four 64-bit words of state, stirred by additions, rotations and exclusive ors.
 *
 * The message is taken as little-endian 64-bit words; the last word holds the bytes that remain and, in its top byte, the length
 * modulo 256. Each word is mixed in before and after `c` rounds, and `d` rounds finish: SipHash-c-d. Words are put together
 * from bytes, so alignment and byte order of the machine do not matter; compilers make one load of those that are written out.
 */
#include "base/siphash.h"

#include "base/common.h"

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, unsigned by) {
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip_state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

/* At most four, of a number that the compiler knows: no loop is left. */
BK_ALWAYS_INLINE static inline void sip_rounds(struct sip_state *s, unsigned count) {
    if (count > 3) sip_round(s);
    if (count > 2) sip_round(s);
    if (count > 1) sip_round(s);
    if (count > 0) sip_round(s);
}

static inline void sip_word(struct sip_state *s, uint64_t word, unsigned c) {
    s->v3 ^= word;
    sip_rounds(s, c);
    s->v0 ^= word;
}

static inline uint64_t little_endian_32(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static inline uint64_t little_endian_64(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
           (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The n < 8 bytes that remain. */
static inline uint64_t little_endian_rest(const uint8_t *p, size_t n) {
    uint64_t word = n >= 4 ? little_endian_32(p) : 0;
    for (size_t i = n & 4; i < n; i++) word |= (uint64_t)p[i] << (8 * i);
    return word;
}

BK_ALWAYS_INLINE static inline uint64_t siphash(const uint64_t key[2], const uint8_t *p, size_t length, unsigned c,
                                                unsigned d) {
    struct sip_state s = {
        .v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = key[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t left = length;
    for (; left >= 8; left -= 8, p += 8) sip_word(&s, little_endian_64(p), c);
    sip_word(&s, little_endian_rest(p, left) | (uint64_t)length << 56, c);
    s.v2 ^= 0xff;
    sip_rounds(&s, d);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* Addresses and ports of a segment, alone or with what a secret is made of besides, are hashed most often, and a length that is known leaves nothing
 * to be decided. */
uint64_t siphash24(const uint64_t key[2], const void *data, size_t length) {
    switch (length) {
    case 13:
        return siphash(key, data, 13, 2, 4);
    case 24:
        return siphash(key, data, 24, 2, 4);
    default:
        return siphash(key, data, length, 2, 4);
    }
}

uint64_t siphash13(const uint64_t key[2], const void *data, size_t length) {
    switch (length) {
    case 12:
        return siphash(key, data, 12, 1, 3);
    case 36:
        return siphash(key, data, 36, 1, 3);
    default:
        return siphash(key, data, length, 1, 3);
    }
}
