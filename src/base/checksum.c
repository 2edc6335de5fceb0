/* The Internet checksum over runs of bytes.
 *
 * One's complement addition does not care in which byte order the 16-bit words are read, as long as all are read alike, nor
 * how many of them are added side by side in a wider word (RFC 1071 2). So whole machine words are added in the machine's own
 * order, each carry going back in at the low end (checksum_ways.h), or vectors of words (checksum_vector.c), and only the folded 16-bit
 * result is turned into network order. A run of bytes that is no multiple of the word is filled up with zeros, which add nothing.
 */
#include "base/checksum_ways.h"

/* The definition: words of two bytes, the last one filled up with zero (RFC 1071 1). */
static uint16_t sum_bytes_plain(const uint8_t *from, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2) sum += get_be16(from + i);
    if (n % 2 != 0) sum += (uint64_t)from[n - 1] << 8;
    return checksum_fold(sum);
}

/* By the way given, as far as it is in this build and worth it. */
static uint64_t sum_native(uint8_t way, const uint8_t *from, size_t n) {
    if (n < CHECKSUM_VECTOR_MIN) way = CHECKSUM_WORDS;
    switch (way) {
#if CHECKSUM_HAS_AVX
    case CHECKSUM_AVX512:
        return checksum_sum_avx512(from, n);
    case CHECKSUM_AVX2:
        return checksum_sum_avx2(from, n);
#endif
#if CHECKSUM_HAS_128
    case CHECKSUM_128:
        return checksum_sum_128(from, n);
#endif
    default:
        return checksum_words(0, from, n);
    }
}

static uint64_t copy_native(uint8_t way, uint8_t *to, const uint8_t *from, size_t n) {
    if (n < CHECKSUM_VECTOR_MIN) way = CHECKSUM_WORDS;
    switch (way) {
#if CHECKSUM_HAS_AVX
    case CHECKSUM_AVX512:
        return checksum_copy_avx512(to, from, n);
    case CHECKSUM_AVX2:
        return checksum_copy_avx2(to, from, n);
#endif
#if CHECKSUM_HAS_128
    case CHECKSUM_128:
        return checksum_copy_128(to, from, n);
#endif
    default:
        memcpy(to, from, n);
        return checksum_words(0, from, n);
    }
}

/* The folded sum of n bytes, as a number read in network order. */
static inline uint16_t sum_bytes(uint8_t way, const uint8_t *from, size_t n) {
    if (!BK_FAST) return sum_bytes_plain(from, n);
    return checksum_turn(checksum_fold(sum_native(way, from, n)));
}

/* Adds a folded piece; what comes back has at most 33 bits, so that callers may add words to it themselves. */
static inline uint64_t add_piece(uint64_t sum, uint16_t piece) {
    sum = (sum & UINT32_MAX) + (sum >> 32);
    return sum + piece;
}

uint64_t checksum_add_by(uint8_t way, uint64_t sum, const void *data, size_t length) {
    return add_piece(sum, sum_bytes(way, data, length));
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length) {
    return checksum_add_by(CHECKSUM_COMMON, sum, data, length);
}

uint64_t checksum_add_at_by(uint8_t way, uint64_t sum, const void *data, size_t length, size_t offset) {
    uint16_t piece = sum_bytes(way, data, length);
    /* At an odd offset each byte stands in the other half of its word. */
    if (offset & 1) piece = (uint16_t)(piece << 8 | piece >> 8);
    return add_piece(sum, piece);
}

uint64_t checksum_copy_by(uint8_t way, uint64_t sum, void *to, const void *from, size_t length) {
    if (!BK_FAST) {
        memcpy(to, from, length);
        return add_piece(sum, sum_bytes_plain(from, length));
    }
    return add_piece(sum, checksum_turn(checksum_fold(copy_native(way, to, from, length))));
}

/* RFC 9293 3.1 for IPv4 (protocol and length take a word each), RFC 8200 8.1 for IPv6. */
static uint64_t checksum_pseudo_plain(const bk_addr *src, const bk_addr *dst, uint8_t protocol, uint32_t length) {
    uint8_t header[40] = {0};
    bool ipv4 = addr_is_ipv4(src);
    size_t n = ipv4 ? 4 : 16;
    memcpy(header, src->byte + 16 - n, n);
    memcpy(header + n, dst->byte + 16 - n, n);
    put_be32(header + 2 * n, length);
    header[2 * n + 7] = protocol;
    return sum_bytes_plain(header, 2 * n + 8);
}

uint64_t checksum_pseudo(const bk_addr *src, const bk_addr *dst, uint8_t protocol, uint32_t length) {
    if (!BK_FAST) return checksum_pseudo_plain(src, dst, protocol, length);
    /* One formula serves both families: the prefix ::ffff that marks an IPv4 address adds 0xffff, which is zero in one's
     * complement, and a 32-bit length adds the same as its two halves. */
    uint64_t even = checksum_with_carry(checksum_word_at(src->byte), checksum_word_at(dst->byte));
    uint64_t odd = checksum_with_carry(checksum_word_at(src->byte + 8), checksum_word_at(dst->byte + 8));
    return (uint64_t)checksum_turn(checksum_fold(checksum_with_carry(even, odd))) + protocol + length;
}
