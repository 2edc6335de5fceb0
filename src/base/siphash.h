/* SipHash-2-4 and SipHash-1-3 (Aumasson, Bernstein): a keyed hash that strangers cannot steer. 2-4 for secrets
 * that are visible on the wire (ISNs, ports, cookies), 1-3 for hash tables. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash24(const uint64_t key[2], const void *data, size_t length);
uint64_t siphash13(const uint64_t key[2], const void *data, size_t length);

#endif
