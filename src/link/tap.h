/* The tap driver in two files: tap_open.c makes the device and agrees on offloads with it, tap.c moves frames. */
#ifndef LINK_TAP_H
#define LINK_TAP_H

#include <linux/if.h>

#include "link/link.h"
#include "link/vnet.h"

#define TAP_CHUNKS 260u /* of a frame at most: 64 KiB in chunks of 256 bytes */

struct tap {
    bk_link link;
    char name[IFNAMSIZ];
    bool socket;                   /* a socket that carries a frame a message, not a device */
    bool shared;                   /* one of several queues: what the device does is not this link's alone */
    bool whole;                    /* units leave uncut, and their checksums are left to the other side */
    bool longer;                   /* frames longer than a chunk have come, though the MTU is smaller */
    uint32_t vnet;                 /* bytes of virtio_net_hdr before each message; 0: none */
    struct bk_tap_offload offload; /* as agreed */
    uint32_t chunks;               /* that a frame of the interface's MTU needs */
    uint32_t chunks_most;          /* enough for a merged frame, if they may come */
    uint32_t ready;                /* of these, as many as the frames of late call for */
    uint32_t small;                /* frames in succession that needed no more than `chunks` */
    uint32_t kept;                 /* chunks in hand */
    uint32_t chunk[TAP_CHUNKS];
    uint8_t vnet_header[VNET_HEADER_MAX];
    uint8_t spare[LINK_FRAME_MAX];
};

extern const struct link_ops tap_ops;

/* Tells the device what it may leave to us: all that was agreed on, or (off) nothing. Returns 0 or a negative errno. */
int tap_agree(struct tap *t, bool on);

#endif
