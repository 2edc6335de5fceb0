/* The header that stands before a frame where offloads are agreed on: struct virtio_net_hdr (VIRTIO 1.2 5.1.6), as TUN and TAP
 * devices have it, with all fields little-endian. It says which part of a frame's work is left to the other side: the
 * TCP checksum, and the cutting of a unit of up to 64 KiB.
 *
 *     flags 1 | gso_type 1 | hdr_len 2 | gso_size 2 | csum_start 2 | csum_offset 2 [| num_buffers 2, and what else the device has]
 */
#ifndef LINK_VNET_H
#define LINK_VNET_H

#include "beckon/stack.h"

#define VNET_HEADER     10u /* the least that a device has */
#define VNET_HEADER_MAX 64u

/* Writes VNET_HEADER bytes for a unit that leaves whole; vnet_takes must hold. */
void vnet_emit(uint8_t to[VNET_HEADER], const struct bk_tx *unit);
/* Whether this header can say what is left to do to the unit. What it cannot say is which of the segments has which urgent pointer. */
bool vnet_takes(const struct bk_tx *unit);
/* Puts down in *rx what the header says of a frame of `length` bytes. One that contradicts the frame, or names what nobody offered,
 * makes it a refused one (BK_RX_REFUSED) with the reason. */
void vnet_parse(const uint8_t from[VNET_HEADER], uint32_t length, struct bk_rx *rx);

#endif
