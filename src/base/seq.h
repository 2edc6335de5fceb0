/* Sequence numbers: the only place that compares them.
 *
 * Arithmetic is modulo 2^32 (RFC 9293 3.4): a lies before b if the way from a forward to b is shorter than
 * the way back. The answer is meaningful while the two are less than 2^31 apart, which window checks ensure. */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) <= 0;
}
static inline bool seq_gt(uint32_t a, uint32_t b) {
    return seq_lt(b, a);
}
static inline bool seq_ge(uint32_t a, uint32_t b) {
    return seq_le(b, a);
}
static inline uint32_t seq_max(uint32_t a, uint32_t b) {
    return seq_lt(a, b) ? b : a;
}
static inline uint32_t seq_min(uint32_t a, uint32_t b) {
    return seq_lt(a, b) ? a : b;
}

/* Whether start =< seq < start + length, for any length up to 2^32 - 1. */
static inline bool seq_in(uint32_t seq, uint32_t start, uint32_t length) {
    return seq - start < length;
}

#endif
