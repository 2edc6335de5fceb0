/* What every file of the core may use: assertions, alignment, byte order.
 *
 * The core includes no libc header but those that a freestanding compiler brings and string.h for the
 * memcpy class.
 */
#ifndef BASE_COMMON_H
#define BASE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/plain.h"
#include "beckon/stack.h"

/* Our own mistakes end here, in release builds too; input never does. */
#define BK_ASSERT(condition, what) ((condition) ? (void)0 : bk_panic(what, __FILE__, __LINE__))

#define BK_LIKELY(x)     __builtin_expect(!!(x), 1)
#define BK_UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define BK_ALWAYS_INLINE __attribute__((always_inline))
#define BK_COUNT(array)  (sizeof(array) / sizeof((array)[0]))
/* Asks for `bytes` of memory from p on that will be read soon: at any address, and without a trace. */
#define BK_CACHE_LINE 64u
static inline void bk_prefetch(const void *p, size_t bytes) {
    for (size_t at = 0; at < bytes; at += BK_CACHE_LINE) __builtin_prefetch((const uint8_t *)p + at);
}

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* Negative errno values of Linux, spelled out: a freestanding target may have no errno.h, and the numbers are
 * part of the API. */
enum error {
    ERROR_NOEXEC = -8,
    ERROR_BADF = -9,
    ERROR_AGAIN = -11,
    ERROR_NOMEM = -12,
    ERROR_FAULT = -14,
    ERROR_BUSY = -16,
    ERROR_EXIST = -17,
    ERROR_INVAL = -22,
    ERROR_NOSPC = -28,
    ERROR_PIPE = -32,
    ERROR_PROTO = -71,
    ERROR_MSGSIZE = -90,
    ERROR_NOPROTOOPT = -92,
    ERROR_ADDRINUSE = -98,
    ERROR_ADDRNOTAVAIL = -99,
    ERROR_NETUNREACH = -101,
    ERROR_CONNABORTED = -103,
    ERROR_CONNRESET = -104,
    ERROR_NOBUFS = -105,
    ERROR_NOTCONN = -107,
    ERROR_TIMEDOUT = -110,
    ERROR_CONNREFUSED = -111,
    ERROR_HOSTUNREACH = -113,
};

static inline uint32_t u32_min(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}
static inline uint32_t u32_max(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}
/* a - b, or 0 if that would be less. */
static inline uint32_t u32_less(uint32_t a, uint32_t b) {
    return a > b ? a - b : 0;
}
static inline uint64_t u64_min(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}
static inline uint64_t u64_max(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* The smallest power of two that is n or more; n is at most 2^31. */
static inline uint32_t u32_power_of_two(uint32_t n) {
    uint32_t power = 1;
    while (power < n) power *= 2;
    return power;
}

/* The position of the highest bit of n, which is not 0. */
static inline uint32_t u32_highest_bit(uint32_t n) {
    return (uint32_t)__builtin_clz(n) ^ 31;
}

/* As bk_addr_equal, bk_addr_is_ipv4 and bk_addr_is_any, without a call. */
static inline bool addr_equal(const bk_addr *a, const bk_addr *b) {
    return memcmp(a->byte, b->byte, 8) == 0 && memcmp(a->byte + 8, b->byte + 8, 8) == 0;
}
static inline bool addr_is_ipv4(const bk_addr *a) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a->byte, prefix, 8) == 0 && memcmp(a->byte + 8, prefix + 8, 4) == 0;
}

static inline bool addr_is_any(const bk_addr *a) {
    static const uint8_t zeros[12] = {0};
    return memcmp(a->byte + 12, zeros, 4) == 0 && (addr_is_ipv4(a) || memcmp(a->byte, zeros, 12) == 0);
}

/* The address whose four bytes stand at p. */
static inline bk_addr addr_ipv4_at(const uint8_t *p) {
    bk_addr a = {{[10] = 0xff, [11] = 0xff}};
    memcpy(a.byte + 12, p, 4);
    return a;
}

/* Big-endian fields of packets, at any alignment. Of bytes put together by shifts compilers make one load, but they do not always make one store
 * of bytes that are taken apart. */
static inline uint16_t get_be16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put_be16(uint8_t *p, uint16_t v) {
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}
static inline void put_be32(uint8_t *p, uint32_t v) {
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

#endif
