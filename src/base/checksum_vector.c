/* The checksum by vectors: 16, 32 or 64 bytes at a time.
 *
 * A vector is an array of 64-bit lanes, and each lane holds two 32-bit words to be added. Lanes have no carry. So two sums are kept of each
 * lane: of the whole lanes, modulo 2^64, and of their high words, which cannot overflow before 16 GiB. The sum of the low words is what
 * is left of the first without the second, 2^32 times: exact, since it cannot overflow either. That takes three
 * operations a vector (add, shift, add), fewer than to part each vector into its words.
 *
 * The vectors are those of the compiler (`vector_size`), not a processor's intrinsic functions: one text serves all kinds, and needs none of
 * the headers that come with those. `target` lets the compiler use instructions in a function that the rest of the build must
 * not; who calls such a function knows that the machine has them.
 */
#include "base/checksum_ways.h"

#if CHECKSUM_HAS_128
#define VECTOR_BYTES      16
#define VECTOR_NAME(word) word##_128
#define VECTOR_TARGET
#include "base/checksum_vector.h"
#endif

#if CHECKSUM_HAS_AVX
#define VECTOR_BYTES      32
#define VECTOR_NAME(word) word##_avx2
#define VECTOR_TARGET     __attribute__((target("avx2")))
#include "base/checksum_vector.h"

#define VECTOR_BYTES      64
#define VECTOR_NAME(word) word##_avx512
#define VECTOR_TARGET     __attribute__((target("avx512f")))
#include "base/checksum_vector.h"
#endif

/* ---- which of them ---- */

#if CHECKSUM_HAS_AVX
#include <cpuid.h>

enum leaf_1_ecx { HAS_OSXSAVE = 1u << 27, HAS_AVX = 1u << 28 };
enum leaf_7_ebx { HAS_AVX2 = 1u << 5, HAS_AVX512F = 1u << 16 };
enum leaf_7_ecx { HAS_AVX512_VBMI2 = 1u << 6 };
/* XCR0: which registers the system keeps for each thread. */
enum xcr0 { KEEPS_YMM = 0x06, KEEPS_ZMM = 0xe6 };

__attribute__((target("xsave"))) static uint32_t registers_kept(void) {
    return (uint32_t)__builtin_ia32_xgetbv(0);
}

/* VBMI2 is a mark of the processors' age: those with AVX-512 that are older (Skylake's) run slower for a while after they have
 * used 64-byte vectors, and so does all else that they do. */
static uint32_t ways_avx(void) {
    uint32_t a, b, c, d;
    __cpuid(1, a, b, c, d);
    if (!(c & HAS_OSXSAVE) || !(c & HAS_AVX)) return 0;
    uint32_t kept = registers_kept();
    if ((kept & KEEPS_YMM) != KEEPS_YMM) return 0;
    __cpuid_count(7, 0, a, b, c, d); /* there is a leaf 7: AVX came with leaf 13 */
    if (!(b & HAS_AVX2)) return 0;
    bool avx512 = b & HAS_AVX512F && c & HAS_AVX512_VBMI2 && (kept & KEEPS_ZMM) == KEEPS_ZMM;
    return UINT32_C(1) << CHECKSUM_AVX2 | (uint32_t)avx512 << CHECKSUM_AVX512;
}
#else
static uint32_t ways_avx(void) {
    return 0;
}
#endif

uint32_t checksum_ways(void) {
    return UINT32_C(1) << CHECKSUM_WORDS | (uint32_t)CHECKSUM_HAS_128 << CHECKSUM_128 | ways_avx();
}
