/* Merging, as devices do on receive (LRO, GRO): consecutive segments of one connection become one frame.
 *
 * A segment may be appended if it continues the one before and says nothing else: same addresses, ports, ACK number, window, options, traffic
 * class, TTL and flags, PSH and FIN excepted. All have one length but the last, which may be shorter; a segment with PSH or FIN is the last, too.
 * What is not sound (checksums) or not plain (IP options, extension headers, fragments, SYN, RST, URG, CWR) is left alone.
 *
 * The headers are the first segment's, with the length of all and the last one's PSH and FIN. The TCP checksum is left as it was, and thus wrong: the
 * device has checked each segment's, and says so beside the frame (BK_RX_CHECKSUM_VALID). */
#ifndef LAB_MERGE_H
#define LAB_MERGE_H

#include "beckon/stack.h"

struct merge {
    enum bk_layer layer;
    uint16_t gso_size; /* payload of each segment but the last */
    bool closed;       /* the last segment is there */
};

/* Whether the frame can be the first of several. */
bool merge_begin(struct merge *m, enum bk_layer layer, const uint8_t *frame, size_t length);
/* Appends another to it, if it fits: `frame` has room for `room` bytes and holds *length. Returns whether it did. Padding of either is cut off. */
bool merge_append(struct merge *m, uint8_t *frame, size_t *length, size_t room, const uint8_t *next,
                  size_t next_length);

#endif
