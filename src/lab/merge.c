/* Merging: see merge.h. */
#include "lab/merge.h"

#include "base/checksum.h"
#include "base/common.h"
#include "lab/ip_packet.h"
#include "wire/ethernet.h"
#include "wire/tcp.h"

enum tcp_at { TCP_SEQ = 4, TCP_FLAGS = 13 };
enum ip_at { IPV4_LENGTH = 2, IPV4_CHECKSUM = 10, IPV6_PAYLOAD_LENGTH = 4 };

/* A plain TCP segment with text, and where its parts are in the frame. */
struct plain {
    size_t ip, tcp, text, end;
    bool ipv4;
    uint8_t flags;
    uint32_t seq;
};

/* Whether the frame is such a segment; of a merged one (`sound`) the checksum is known. */
static bool plain_parse(enum bk_layer layer, const uint8_t *frame, size_t length, bool sound, struct plain *out) {
    const uint8_t allowed = WIRE_ACK | WIRE_PSH | WIRE_FIN | WIRE_ECE;
    struct ip_packet ip;
    struct wire_tcp t;
    *out = (struct plain){.ip = layer == BK_LAYER_ETHERNET ? WIRE_ETHERNET_LENGTH : 0};
    if (length < out->ip || !ip_packet_read(frame + out->ip, length - out->ip, &ip)) return false;
    out->ipv4 = bk_addr_is_ipv4(&ip.src);
    if (ip.protocol != WIRE_TCP || ip.fragment || ip.header_length != (out->ipv4 ? WIRE_IPV4_LENGTH : WIRE_IPV6_LENGTH))
        return false;
    out->tcp = out->ip + ip.header_length;
    out->end = out->tcp + ip.length;
    if (wire_tcp_parse(frame + out->tcp, ip.length, &t) != BK_REASON_NONE) return false;
    out->text = out->tcp + t.header_length;
    out->flags = t.flags;
    out->seq = t.seq;
    if (out->text == out->end || !(t.flags & WIRE_ACK) || (t.flags & (uint8_t)~allowed) != 0) return false;
    return sound || ip_packet_sum_agrees(frame + out->ip, &ip);
}

bool merge_begin(struct merge *m, enum bk_layer layer, const uint8_t *frame, size_t length) {
    struct plain p;
    if (!plain_parse(layer, frame, length, false, &p)) return false;
    m->layer = layer;
    m->gso_size = (uint16_t)(p.end - p.text);
    m->closed = (p.flags & (WIRE_PSH | WIRE_FIN)) != 0;
    return true;
}

/* The link header, and the IP header without lengths, identification and checksum. */
static bool same_ip(const uint8_t *a, const uint8_t *b, const struct plain *p) {
    const uint8_t *ip = a + p->ip, *other = b + p->ip;
    if (memcmp(a, b, p->ip) != 0) return false;
    if (!p->ipv4) return memcmp(ip, other, IPV6_PAYLOAD_LENGTH) == 0 && memcmp(ip + 6, other + 6, 34) == 0;
    return memcmp(ip, other, IPV4_LENGTH) == 0 && memcmp(ip + 6, other + 6, 4) == 0 &&
           memcmp(ip + 12, other + 12, 8) == 0;
}

/* The TCP header without sequence number, checksum, and the flags that may differ. */
static bool same_tcp(const uint8_t *a, const uint8_t *b, const struct plain *p, const struct plain *q) {
    const uint8_t *tcp = a + p->tcp, *other = b + q->tcp;
    size_t length = p->text - p->tcp;
    if (q->text - q->tcp != length || ((p->flags ^ q->flags) & ~(WIRE_PSH | WIRE_FIN)) != 0) return false;
    return memcmp(tcp, other, TCP_SEQ) == 0 && memcmp(tcp + 8, other + 8, TCP_FLAGS - 8) == 0 &&
           memcmp(tcp + 14, other + 14, 2) == 0 && memcmp(tcp + 18, other + 18, length - 18) == 0;
}

static void lengthen(uint8_t *frame, const struct plain *p, size_t end) {
    uint8_t *ip = frame + p->ip;
    if (!p->ipv4) {
        put_be16(ip + IPV6_PAYLOAD_LENGTH, (uint16_t)(end - p->tcp));
        return;
    }
    put_be16(ip + IPV4_LENGTH, (uint16_t)(end - p->ip));
    put_be16(ip + IPV4_CHECKSUM, 0);
    put_be16(ip + IPV4_CHECKSUM, checksum_finish(checksum_add(0, ip, WIRE_IPV4_LENGTH)));
}

bool merge_append(struct merge *m, uint8_t *frame, size_t *length, size_t room, const uint8_t *next,
                  size_t next_length) {
    struct plain p, q;
    if (m->closed || !plain_parse(m->layer, frame, *length, true, &p) ||
        !plain_parse(m->layer, next, next_length, false, &q))
        return false;
    size_t text = q.end - q.text, end = p.end + text;
    if (text > m->gso_size || end > room || end - p.ip > UINT16_MAX || p.ipv4 != q.ipv4) return false;
    if (q.seq != p.seq + (uint32_t)(p.end - p.text) || !same_ip(frame, next, &p) || !same_tcp(frame, next, &p, &q))
        return false;
    memcpy(frame + p.end, next + q.text, text);
    frame[p.tcp + TCP_FLAGS] |= next[q.tcp + TCP_FLAGS];
    lengthen(frame, &p, end);
    m->closed = text < m->gso_size || (q.flags & (WIRE_PSH | WIRE_FIN)) != 0;
    *length = end;
    return true;
}
