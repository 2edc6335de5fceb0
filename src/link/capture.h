/* A capture of a link's frames: the file (pcapng.h) and the reasons that become its comments.
 *
 * It stands where a packet socket would stand at end 0 of the link: what leaves is recorded as it goes on the wire (before any
 * impairment), what arrives as the stack got it (after it). A frame that arrives is written when the stack has
 * said what became of it. */
#ifndef LINK_CAPTURE_H
#define LINK_CAPTURE_H

#include "link/link.h"

/* Starts a file. Returns NULL and a negative errno in *error if that fails. */
struct link_capture *link_capture_open(const struct link_end *end, const char *path,
                                       const struct bk_capture_name *names, int *error);
/* A frame that left. */
void link_capture_out(struct link_capture *c, const struct iovec *iov, int count, uint16_t reason, uint64_t now);
/* Keeps copies of a batch that is about to be given to the stack... */
void link_capture_hold(struct link_capture *c, bk_stack *stack, const struct link_batch *batch);
/* ...and writes them with what became of them. */
void link_capture_in(struct link_capture *c, const struct link_batch *batch, uint64_t now);
/* Returns 0, or the negative errno of the first write that failed. NULL is fine. */
int link_capture_close(struct link_capture *c);

#endif
