/* One way to sum, by vectors of VECTOR_BYTES bytes: the body of checksum_vector.c, included once for each kind of vector. Before it are
 * defined VECTOR_BYTES, VECTOR_NAME(word), which makes a name of its own of a word, and VECTOR_TARGET, the attribute of functions that may use
 * such vectors, or nothing; after it they are not any more.
 */

typedef uint64_t VECTOR_NAME(lanes) __attribute__((vector_size(VECTOR_BYTES)));
/* Lanes in memory: at any address, in whatever the bytes were written as. */
typedef uint64_t VECTOR_NAME(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));

/* Volatile, since GCC would otherwise load a vector that is used twice twice, as an operand of each use: the loads are the bound. */
#define VECTOR_AT(p) (*(const volatile VECTOR_NAME(unaligned) *)(const volatile void *)(p))
#define VECTOR_TO(p) (*(VECTOR_NAME(unaligned) *)(void *)(p))

VECTOR_TARGET BK_ALWAYS_INLINE static inline uint64_t VECTOR_NAME(pass)(bool copy, uint8_t *to, const uint8_t *from,
                                                                        size_t n) {
    VECTOR_NAME(lanes) whole = {0}, high = {0}, whole_2 = {0}, high_2 = {0};
    for (; n >= 4 * VECTOR_BYTES; n -= 4 * VECTOR_BYTES, from += 4 * VECTOR_BYTES) {
        VECTOR_NAME(lanes) a = VECTOR_AT(from);
        VECTOR_NAME(lanes) b = VECTOR_AT(from + VECTOR_BYTES);
        VECTOR_NAME(lanes) c = VECTOR_AT(from + 2 * VECTOR_BYTES);
        VECTOR_NAME(lanes) d = VECTOR_AT(from + 3 * VECTOR_BYTES);
        if (copy) {
            VECTOR_TO(to) = a;
            VECTOR_TO(to + VECTOR_BYTES) = b;
            VECTOR_TO(to + 2 * VECTOR_BYTES) = c;
            VECTOR_TO(to + 3 * VECTOR_BYTES) = d;
            to += 4 * VECTOR_BYTES;
        }
        whole += a + c;
        whole_2 += b + d;
        high += (a >> 32) + (c >> 32);
        high_2 += (b >> 32) + (d >> 32);
    }
    for (; n >= VECTOR_BYTES; n -= VECTOR_BYTES, from += VECTOR_BYTES) {
        VECTOR_NAME(lanes) a = VECTOR_AT(from);
        if (copy) {
            VECTOR_TO(to) = a;
            to += VECTOR_BYTES;
        }
        whole += a;
        high += a >> 32;
    }
    whole += whole_2;
    high += high_2;
    VECTOR_NAME(lanes) lanes = whole - (high << 32) + high;
    uint64_t sum = 0;
    for (unsigned i = 0; i < VECTOR_BYTES / 8; i++) sum += lanes[i];
    /* Of what is left, no vector: the last one of all is copied, part of it once more. */
    if (copy && n != 0) VECTOR_TO(to + n - VECTOR_BYTES) = VECTOR_AT(from + n - VECTOR_BYTES);
    return checksum_words(sum, from, n);
}

VECTOR_TARGET uint64_t VECTOR_NAME(checksum_sum)(const uint8_t *from, size_t n) {
    return VECTOR_NAME(pass)(false, NULL, from, n);
}

VECTOR_TARGET uint64_t VECTOR_NAME(checksum_copy)(uint8_t *to, const uint8_t *from, size_t n) {
    return VECTOR_NAME(pass)(true, to, from, n);
}

#undef VECTOR_AT
#undef VECTOR_TO
#undef VECTOR_BYTES
#undef VECTOR_NAME
#undef VECTOR_TARGET
