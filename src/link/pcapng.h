/* Writing pcapng files (draft-ietf-opsawg-pcapng): one section, one interface, nanoseconds, a comment and a direction for each
 * packet, and names for addresses. */
#ifndef LINK_PCAPNG_H
#define LINK_PCAPNG_H

#include <sys/uio.h>

#include "beckon/link.h"

enum pcapng_direction { PCAPNG_IN = 1, PCAPNG_OUT = 2 }; /* epb_flags, bits 0-1 */

struct pcapng;

/* Creates or empties a file and writes what precedes the packets. Returns NULL and a negative errno in *error on failure. */
struct pcapng *pcapng_create(const char *path, uint32_t link_type, const char *iface,
                             const struct bk_capture_name *names, int *error);
/* Appends a packet. `comment` may be NULL. After a write that failed, nothing is written any more. */
void pcapng_write(struct pcapng *p, uint64_t time, const struct iovec *iov, int count, enum pcapng_direction direction,
                  const char *comment);
/* Writes out what is buffered and closes. Returns 0, or the negative errno of the first write that failed; the file then ends
 * with the last packet that was written whole. NULL is fine. */
int pcapng_close(struct pcapng *p);

#endif
