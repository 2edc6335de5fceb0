/* The Internet checksum (RFC 1071), kept as an unfolded sum so that pieces can be added in any order.
 *
 * A sum is of 16-bit words in network order, read as big-endian numbers. A piece that begins at an odd offset of
 * its message is added with checksum_add_at. */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/common.h"
#include "beckon/stack.h"

/* The sum of `length` bytes (an odd last byte is the high half of a word), added to `sum`; not complemented, at most 32 bits
 * plus carries folded back. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);
/* The same for bytes that stand at `offset` of the message: odd offsets count swapped. */
uint64_t checksum_add_at(uint64_t sum, const void *data, size_t length, size_t offset);
/* Copies `length` bytes and adds them to the sum, in one pass. */
uint64_t checksum_copy(uint64_t sum, void *to, const void *from, size_t length);
/* Folds to 16 bits, not complemented. */
uint16_t checksum_fold(uint64_t sum);
/* The field's value: folded and complemented. */
static inline uint16_t checksum_finish(uint64_t sum) {
    return (uint16_t)~checksum_fold(sum);
}
/* The pseudo header's sum (RFC 9293 3.1, RFC 8200 8.1); the family follows from the addresses. */
uint64_t checksum_pseudo(const bk_addr *src, const bk_addr *dst, uint8_t protocol, uint32_t length);

#endif
