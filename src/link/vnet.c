/* The header before a frame; see vnet.h. */
#include "link/vnet.h"

#include <linux/virtio_net.h>

#include "base/common.h"
#include "beckon/trace.h"
#include "wire/ethernet.h"
#include "wire/tcp.h"

enum vnet_at {
    VNET_FLAGS = 0,
    VNET_GSO_TYPE = 1,
    VNET_HDR_LEN = 2,
    VNET_GSO_SIZE = 4,
    VNET_START = 6,
    VNET_OFFSET = 8
};

#define VNET_TCP_FLAGS    13u
#define VNET_TCP_CHECKSUM 16u
#define VNET_FRAME_MAX    (UINT16_MAX + WIRE_ETHERNET_LENGTH)

static void vnet_put(uint8_t *to, uint16_t v) {
    to[0] = (uint8_t)v;
    to[1] = (uint8_t)(v >> 8);
}

static uint16_t vnet_get(const uint8_t *from) {
    return (uint16_t)(from[0] | from[1] << 8);
}

static uint8_t vnet_tcp_flags(const struct bk_tx *unit) {
    return unit->header[unit->l4_offset + VNET_TCP_FLAGS];
}

bool vnet_takes(const struct bk_tx *unit) {
    bool cut = bk_tx_count(unit) > 1;
    if (!unit->l4_checksum_partial) return !cut;
    return !cut || !(vnet_tcp_flags(unit) & WIRE_URG);
}

void vnet_emit(uint8_t to[VNET_HEADER], const struct bk_tx *unit) {
    memset(to, 0, VNET_HEADER);
    if (!unit->l4_checksum_partial) return;
    to[VNET_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    vnet_put(to + VNET_HDR_LEN, unit->header_length);
    vnet_put(to + VNET_START, unit->l4_offset);
    vnet_put(to + VNET_OFFSET, VNET_TCP_CHECKSUM);
    if (bk_tx_count(unit) == 1) return;
    bool ipv4 = unit->header[unit->ip_offset] >> 4 == 4;
    to[VNET_GSO_TYPE] = ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if (vnet_tcp_flags(unit) & WIRE_CWR) to[VNET_GSO_TYPE] |= VIRTIO_NET_HDR_GSO_ECN;
    vnet_put(to + VNET_GSO_SIZE, unit->gso_size);
}

/* What is wrong with the header of a frame of `length` bytes, if anything. */
static uint16_t vnet_judge(const uint8_t *from, uint32_t length) {
    uint8_t type = from[VNET_GSO_TYPE] & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    if (length > VNET_FRAME_MAX) return BK_REASON_DROP_OFFLOAD_SIZE;
    if (from[VNET_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        uint32_t start = vnet_get(from + VNET_START);
        if (start + vnet_get(from + VNET_OFFSET) + 2u > length) return BK_REASON_DROP_OFFLOAD_CHECKSUM;
    }
    if (from[VNET_GSO_TYPE] == VIRTIO_NET_HDR_GSO_NONE) return BK_REASON_NONE;
    if (type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6) return BK_REASON_DROP_OFFLOAD_TYPE;
    if (vnet_get(from + VNET_GSO_SIZE) == 0) return BK_REASON_DROP_OFFLOAD_SIZE;
    return vnet_get(from + VNET_HDR_LEN) > length ? BK_REASON_DROP_OFFLOAD_SIZE : BK_REASON_NONE;
}

void vnet_parse(const uint8_t from[VNET_HEADER], uint32_t length, struct bk_rx *rx) {
    rx->reason = vnet_judge(from, length);
    if (rx->reason != BK_REASON_NONE) {
        rx->flags = BK_RX_REFUSED;
        return;
    }
    if (from[VNET_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM) rx->flags |= BK_RX_CHECKSUM_PARTIAL;
    if (from[VNET_FLAGS] & VIRTIO_NET_HDR_F_DATA_VALID) rx->flags |= BK_RX_CHECKSUM_VALID;
    if (from[VNET_GSO_TYPE] != VIRTIO_NET_HDR_GSO_NONE) rx->gso_size = vnet_get(from + VNET_GSO_SIZE);
}
