/* SYNs from spoofed addresses: each comes from another address and port, and nobody there will answer. */
#ifndef BENCH_SYN_H
#define BENCH_SYN_H

#include "beckon/stack.h"

#define SYN_LENGTH_MAX 80u

struct syn_source {
    bk_addr to; /* decides the family */
    uint16_t port;
    uint64_t made; /* so far; two of the first 2^32 never have the same address and port */
};
/* Writes the next one as an IP packet: MSS, SACK-permitted and window scale are its options. Returns its length. */
size_t syn_next(struct syn_source *s, uint8_t frame[SYN_LENGTH_MAX]);

/* Adds an interface of layer 3 that strangers reach `to` by: all that is for nobody else leaves there. Returns its
 * number, or a negative errno. */
int syn_iface(bk_stack *stack, const bk_addr *to, uint64_t now);
/* Takes everything that would leave there and drops it. Returns how many segments that were. */
uint64_t syn_drop_output(bk_stack *stack, uint32_t iface, uint64_t now);

#endif
