/* Asking for records before their turn: see foresee.h. */
#include "net/foresee.h"

#include "tcp/lookup.h"
#include "tcp/small_tuple.h"
#include "wire/ethernet.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define FLOW_FLAGS 9u /* from the ports' end to the byte of TCP's flags */

/* Where the addresses and ports of a segment stand, which are SMALL_TUPLE_IPV4 or _IPV6 bytes in a row if the frame has neither IP options, extension
 * headers nor fragments, and its headers are in one part. Returns how many: 0 of any other frame. */
static uint32_t foresee_flow(const struct net *n, uint32_t link, const struct bk_rx *frame, const uint8_t **flow) {
    const struct bk_part *part = frame->parts;
    if (frame->part_count == 0 || part->length < link + WIRE_IPV4_LENGTH + WIRE_TCP_LENGTH) return 0;
    const uint8_t *ip = chunk_data(&n->tcp.base, part->chunk) + part->offset + link;
    if (ip[0] == 0x45 && ip[9] == WIRE_TCP) {
        *flow = ip + 12;
        return SMALL_TUPLE_IPV4;
    }
    if (ip[0] >> 4 != 6 || ip[6] != WIRE_TCP || part->length < link + WIRE_IPV6_LENGTH + WIRE_TCP_LENGTH) return 0;
    *flow = ip + 8;
    return SMALL_TUPLE_IPV6;
}

static struct tuple foresee_tuple(const uint8_t *flow, uint32_t bytes) {
    struct tuple tuple;
    const uint8_t *port = flow + bytes - 4;
    if (bytes == SMALL_TUPLE_IPV4) {
        tuple.remote = addr_ipv4_at(flow);
        tuple.local = addr_ipv4_at(flow + 4);
    } else {
        memcpy(tuple.remote.byte, flow, 16);
        memcpy(tuple.local.byte, flow + 16, 16);
    }
    tuple.remote_port = get_be16(port);
    tuple.local_port = get_be16(port + 2);
    return tuple;
}

/* Whether two frames are of one flow. */
static bool foresee_same(const struct net *n, uint32_t link, const struct bk_rx *a, const struct bk_rx *b) {
    const uint8_t *flow[2] = {NULL};
    uint32_t bytes = foresee_flow(n, link, a, &flow[0]);
    return bytes != 0 && foresee_flow(n, link, b, &flow[1]) == bytes && memcmp(flow[0], flow[1], bytes) == 0;
}

void net_foresee(const struct net *n, uint32_t iface, const struct bk_rx *frames, size_t count, struct foreseen *seen) {
    uint32_t link = n->iface[iface].config.layer == BK_LAYER_ETHERNET ? WIRE_ETHERNET_LENGTH : 0, records = 0;
    const uint8_t *flow;
    seen->known = 0;
    /* A run of one connection's segments needs nothing that is far away: three of them tell. */
    if (foresee_same(n, link, &frames[0], &frames[count - 1]) && foresee_same(n, link, &frames[0], &frames[count / 2]))
        return;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bytes = foresee_flow(n, link, &frames[i], &flow);
        if (bytes == 0) continue;
        struct tuple tuple = foresee_tuple(flow, bytes);
        seen->hash[i] = demux_hash(&n->tcp.base, &tuple);
        seen->known |= UINT32_C(1) << i;
        demux_foresee(&n->tcp.base, &n->tcp.demux, seen->hash[i]);
        /* For a SYN there is no record, as a rule. */
        if ((flow[bytes + FLOW_FLAGS] & (WIRE_SYN | WIRE_ACK)) != WIRE_SYN) records |= UINT32_C(1) << i;
    }
    for (uint32_t i = 0; i < count; i++)
        if (records >> i & 1) lookup_foresee(&n->tcp, seen->hash[i]);
}
