/* The Internet checksum, eight bytes at a time.
 *
 * One's complement addition does not care in which byte order the 16-bit words are read, as long as all are read alike, nor
 * how many of them are added side by side in a wider word (RFC 1071 2). So whole machine words are added in the machine's own
 * order, each carry going back in at the low end, and only the folded 16-bit result is turned into network order. A run of
 * bytes that is no multiple of four is filled up with zeros, which add nothing.
 *
 * Two sums run side by side, because each addition waits for the carry of the one before it.
 */
#include "base/checksum.h"

static inline uint64_t word_at(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t add_with_carry(uint64_t a, uint64_t b) {
    uint64_t sum = a + b;
    return sum + (sum < b);
}

uint16_t checksum_fold(uint64_t sum) {
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)sum;
}

/* The definition: words of two bytes, the last one filled up with zero (RFC 1071 1). */
static uint16_t sum_bytes_plain(const uint8_t *from, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2) sum += get_be16(from + i);
    if (n % 2 != 0) sum += (uint64_t)from[n - 1] << 8;
    return checksum_fold(sum);
}

/* The folded sum of n bytes, as a number read in network order. Copies them on the way unless `to` is NULL; inlined
 * into both its callers, so that neither tests for that in its loop. */
static inline uint16_t sum_bytes(uint8_t *to, const uint8_t *from, size_t n) {
    if (!BK_FAST) {
        if (to != NULL) memcpy(to, from, n);
        return sum_bytes_plain(from, n);
    }
    uint64_t even = 0, odd = 0;
    while (n >= 16) {
        uint64_t first = word_at(from), second = word_at(from + 8);
        even = add_with_carry(even, first);
        odd = add_with_carry(odd, second);
        if (to != NULL) {
            memcpy(to, &first, sizeof first);
            memcpy(to + 8, &second, sizeof second);
            to += 16;
        }
        from += 16;
        n -= 16;
    }
    for (; n >= 4; from += 4, n -= 4) {
        uint32_t word;
        memcpy(&word, from, sizeof word);
        even = add_with_carry(even, word);
        if (to != NULL) {
            memcpy(to, &word, sizeof word);
            to += 4;
        }
    }
    if (n > 0) {
        uint8_t rest[4] = {from[0], n > 1 ? from[1] : 0, n > 2 ? from[2] : 0};
        uint32_t word;
        memcpy(&word, rest, sizeof word);
        odd = add_with_carry(odd, word);
        for (size_t i = 0; to != NULL && i < n; i++) to[i] = rest[i];
    }
    uint16_t native = checksum_fold(add_with_carry(even, odd));
    uint8_t bytes[2];
    memcpy(bytes, &native, sizeof bytes);
    return get_be16(bytes);
}

/* Adds a folded piece; what comes back has at most 33 bits, so that callers may add words to it themselves. */
static inline uint64_t add_piece(uint64_t sum, uint16_t piece) {
    sum = (sum & UINT32_MAX) + (sum >> 32);
    return sum + piece;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length) {
    return add_piece(sum, sum_bytes(NULL, data, length));
}

uint64_t checksum_add_at(uint64_t sum, const void *data, size_t length, size_t offset) {
    uint16_t piece = sum_bytes(NULL, data, length);
    /* At an odd offset each byte stands in the other half of its word. */
    if (offset & 1) piece = (uint16_t)(piece << 8 | piece >> 8);
    return add_piece(sum, piece);
}

uint64_t checksum_copy(uint64_t sum, void *to, const void *from, size_t length) {
    return add_piece(sum, sum_bytes(to, from, length));
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
    uint64_t sum = (uint64_t)protocol + length;
    for (unsigned i = 0; i < sizeof src->byte; i += 4)
        sum += (uint64_t)get_be32(&src->byte[i]) + get_be32(&dst->byte[i]);
    return add_piece(sum, 0);
}
