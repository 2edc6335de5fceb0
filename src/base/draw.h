/* Chance that can be had again: numbers drawn from a 64-bit seed (SplitMix64: Steele, Lea, Flood). For wires, simulations and tests;
 * what a stack itself needs of randomness is keyed (region.h, isn.h). */
#ifndef BASE_DRAW_H
#define BASE_DRAW_H

#include "base/common.h"

#define DRAW_MILLION 1000000u

/* Any seed is a good one. */
static inline uint64_t draw(uint64_t *seed) {
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* In [0, n); 0 if n is 0. */
static inline uint32_t draw_below(uint64_t *seed, uint32_t n) {
    return (uint32_t)(((draw(seed) >> 32) * n) >> 32);
}

/* In [low, high]. */
static inline uint32_t draw_range(uint64_t *seed, uint32_t low, uint32_t high) {
    return low + draw_below(seed, high - low + 1);
}

/* True so many times in a million. */
static inline bool draw_chance(uint64_t *seed, uint32_t ppm) {
    return draw_below(seed, DRAW_MILLION) < ppm;
}

#endif
