/* The Internet checksum (RFC 1071), kept as an unfolded sum so that pieces can be added in any order.
 *
 * A sum is of 16-bit words in network order, read as big-endian numbers. A piece that begins at an odd offset of
 * its message is added with checksum_add_at_by.
 *
 * There are several ways to pass over the bytes, which all give the same sum. Who has a stack gives the way that was chosen
 * for it (struct base); who has none, and few bytes, leaves it away and gets one that every machine of the kind has. */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/common.h"
#include "beckon/stack.h"

/* In order of speed. */
enum checksum_way {
    CHECKSUM_WORDS,  /* machine words; runs everywhere */
    CHECKSUM_128,    /* vectors of 16 bytes, in the build for machines that all have them: SSE2, NEON */
    CHECKSUM_AVX2,   /* 32 bytes */
    CHECKSUM_AVX512, /* 64 bytes, where they do not slow the clock down */
    CHECKSUM_WAYS
};

/* The ways that this machine can go, a bit for each; CHECKSUM_WORDS is always among them. Asks the processor, which takes
 * microseconds where a hypervisor answers for it: to be called once for a stack, not for a packet. */
uint32_t checksum_ways(void);
/* The fastest of them. */
static inline uint8_t checksum_way_best(void) {
    return (uint8_t)(31 - __builtin_clz(checksum_ways()));
}

/* The sum of `length` bytes (an odd last byte is the high half of a word), added to `sum`; not complemented, at most 32 bits
 * plus carries folded back. `length` is below 2^34. `way` is one of those that this machine can go. */
uint64_t checksum_add_by(uint8_t way, uint64_t sum, const void *data, size_t length);
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);
/* The same for bytes that stand at `offset` of the message: odd offsets count swapped. */
uint64_t checksum_add_at_by(uint8_t way, uint64_t sum, const void *data, size_t length, size_t offset);
/* Copies `length` bytes and adds them to the sum, in one pass. */
uint64_t checksum_copy_by(uint8_t way, uint64_t sum, void *to, const void *from, size_t length);

/* Folds to 16 bits, not complemented. Adding the halves crosswise leaves their sum in the high half, its carry included. */
static inline uint16_t checksum_fold(uint64_t sum) {
    uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
    return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}
/* The field's value: folded and complemented. */
static inline uint16_t checksum_finish(uint64_t sum) {
    return (uint16_t)~checksum_fold(sum);
}
/* Turns a folded sum of words that were read in the machine's order into network order, or back. */
static inline uint16_t checksum_turn(uint16_t native) {
    uint8_t bytes[2];
    memcpy(bytes, &native, sizeof bytes);
    return get_be16(bytes);
}
static inline uint64_t checksum_with_carry(uint64_t a, uint64_t b) {
    uint64_t sum = a + b;
    return sum + (sum < b);
}
static inline uint64_t checksum_word_at(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}
/* The folded sum of a header of so many words of 32 bits: in place, since the call would cost more than the few additions. */
static inline uint16_t checksum_header(const uint8_t *header, uint32_t words) {
    if (!BK_FAST) return checksum_fold(checksum_add(0, header, (size_t)words * 4));
    uint64_t sum = 0;
    for (; words >= 2; words -= 2, header += 8) sum = checksum_with_carry(sum, checksum_word_at(header));
    if (words != 0) {
        uint32_t word;
        memcpy(&word, header, sizeof word);
        sum = checksum_with_carry(sum, word);
    }
    return checksum_turn(checksum_fold(sum));
}
/* The pseudo header's sum (RFC 9293 3.1, RFC 8200 8.1); the family follows from the addresses. */
uint64_t checksum_pseudo(const bk_addr *src, const bk_addr *dst, uint8_t protocol, uint32_t length);

#endif
