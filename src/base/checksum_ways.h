/* Between the files of the checksum: what all ways share, and which of them are in this build. */
#ifndef BASE_CHECKSUM_WAYS_H
#define BASE_CHECKSUM_WAYS_H

#include "base/checksum.h"

/* A build that keeps its hands off the vector registers (-mgeneral-regs-only, as for a kernel) defines neither, and then only
 * sums words. */
#if defined(__SSE2__) || defined(__ARM_NEON)
#define CHECKSUM_HAS_128 1
#else
#define CHECKSUM_HAS_128 0
#endif
/* What every machine has that runs this build. */
enum { CHECKSUM_COMMON = CHECKSUM_HAS_128 ? CHECKSUM_128 : CHECKSUM_WORDS };
#if defined(__x86_64__) && defined(__SSE2__)
#define CHECKSUM_HAS_AVX 1
#else
#define CHECKSUM_HAS_AVX 0
#endif

/* Below this many bytes no vector is worth its beginning and end. */
#define CHECKSUM_VECTOR_MIN 64u

/* The sum of n >= CHECKSUM_VECTOR_MIN bytes as words in the machine's order, not folded; `_copy` copies them, too. Each exists where its
 * condition above holds, and runs only on a machine that has what it is named after. */
uint64_t checksum_sum_128(const uint8_t *from, size_t n);
uint64_t checksum_copy_128(uint8_t *to, const uint8_t *from, size_t n);
uint64_t checksum_sum_avx2(const uint8_t *from, size_t n);
uint64_t checksum_copy_avx2(uint8_t *to, const uint8_t *from, size_t n);
uint64_t checksum_sum_avx512(const uint8_t *from, size_t n);
uint64_t checksum_copy_avx512(uint8_t *to, const uint8_t *from, size_t n);

/* The same by machine words, for any n, added to `sum`. Two sums run side by side, because each addition waits for the
 * carry of the one before it. */
static inline uint64_t checksum_words(uint64_t sum, const uint8_t *from, size_t n) {
    uint64_t other = 0;
    for (; n >= 16; n -= 16, from += 16) {
        sum = checksum_with_carry(sum, checksum_word_at(from));
        other = checksum_with_carry(other, checksum_word_at(from + 8));
    }
    if (n & 8) {
        other = checksum_with_carry(other, checksum_word_at(from));
        from += 8;
    }
    /* What is left, filled up with zeros, which add nothing. Its parts are small: there is no carry. */
    uint64_t rest = 0;
    if (n & 4) {
        uint32_t word;
        memcpy(&word, from, sizeof word);
        rest += word;
        from += 4;
    }
    if (n & 2) {
        uint16_t word;
        memcpy(&word, from, sizeof word);
        rest += word;
        from += 2;
    }
    if (n & 1) {
        const uint8_t filled[2] = {from[0], 0};
        uint16_t word;
        memcpy(&word, filled, sizeof word);
        rest += word;
    }
    return checksum_with_carry(checksum_with_carry(sum, other), rest);
}

#endif
