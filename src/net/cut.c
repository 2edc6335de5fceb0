/* Cutting a unit into wire frames, the software's way to do what a device calls segmentation offload.
 *
 * Each frame is the unit's header, with a few fields of its own, over the next gso_size bytes of payload. What differs
 * between the frames of a unit is:
 *
 *     IPv4   total length, id (one more each time), header checksum
 *     IPv6   payload length
 *     TCP    sequence number, flags (CWR on the first alone, FIN and PSH on the last alone: RFC 3168 6.1.2, RFC 9293
 *            3.10.4), urgent pointer, which counts from the frame's own sequence number, checksum
 *
 * The sums of all else are taken once, when the cursor is set, so a frame costs one pass over its payload, which the copy
 * makes anyway, and a few additions. A unit that is not to be cut is copied as it is, but for a TCP checksum
 * that was left partial: that takes no more than the headers' sum.
 */
#include "net/cut.h"
#include "base/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum tcp_at { TCP_SEQ = 4, TCP_ACK = 8, TCP_FLAGS = 12, TCP_WINDOW = 14, TCP_CHECKSUM = 16, TCP_URGENT = 18 };
enum ipv4_at { IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_FRAGMENT = 6, IPV4_TTL = 8, IPV4_CHECKSUM = 10, IPV4_SRC = 12 };
enum ipv6_at { IPV6_PAYLOAD_LENGTH = 4, IPV6_SRC = 8 };

static inline bool cut_is_ipv4(const struct bk_tx *u) {
    return u->header[u->ip_offset] >> 4 == 4;
}

/* What the TCP checksum spans and no frame changes: addresses, protocol, and the TCP header without sequence number,
 * flags, checksum and urgent pointer. */
static uint64_t cut_tcp_sum(const struct bk_tx *u) {
    const uint8_t *ip = u->header + u->ip_offset, *tcp = u->header + u->l4_offset;
    uint32_t options = (uint32_t)u->header_length - u->l4_offset - WIRE_TCP_LENGTH;
    uint64_t sum = WIRE_TCP;
    sum += cut_is_ipv4(u) ? checksum_header(ip + IPV4_SRC, 2) : checksum_header(ip + IPV6_SRC, 8);
    sum += (uint64_t)get_be32(tcp) + get_be32(tcp + TCP_ACK) + get_be16(tcp + TCP_WINDOW);
    return sum + checksum_header(tcp + WIRE_TCP_LENGTH, options / 4);
}

static uint64_t cut_ipv4_sum(const struct bk_tx *u) {
    const uint8_t *ip = u->header + u->ip_offset;
    uint32_t rest = (uint32_t)u->l4_offset - u->ip_offset - IPV4_SRC;
    uint64_t sum = (uint64_t)get_be16(ip) + get_be16(ip + IPV4_FRAGMENT) + get_be16(ip + IPV4_TTL);
    return sum + checksum_header(ip + IPV4_SRC, rest / 4);
}

void cut_sums(struct cut *c) {
    const struct bk_tx *u = c->unit;
    BK_ASSERT(u->l4_offset + WIRE_TCP_LENGTH <= u->header_length, "a unit to cut has a TCP header");
    c->count = bk_tx_count(u);
    c->rewrite = c->checksum = true;
    c->tcp_sum = cut_tcp_sum(u);
    if (cut_is_ipv4(u)) c->ip_sum = cut_ipv4_sum(u);
}

/* Copies n bytes that stand at `at` of the payload; returns the sum with theirs if one is needed. A part that begins at an odd offset of the frame is
 * summed as if it began at an even one, and its sum then counts with the bytes swapped (RFC 1071 2(B)). */
static uint64_t cut_copy(const struct cut *c, uint64_t sum, uint8_t *to, const uint8_t *from, uint32_t n, uint32_t at) {
    if (!c->checksum) {
        memcpy(to, from, n);
        return 0;
    }
    if (at % 2 == 0) return checksum_copy_by(c->base->checksum_way, sum, to, from, n);
    uint16_t odd = checksum_fold(checksum_copy_by(c->base->checksum_way, 0, to, from, n));
    return sum + (uint16_t)(odd << 8 | odd >> 8);
}

/* Copies the next n bytes of payload and sums them. */
static uint64_t cut_gather(struct cut *c, uint8_t *to, uint32_t n) {
    const struct bk_part *part = &c->unit->parts[c->part], *end = c->unit->parts + c->unit->part_count;
    uint64_t sum = 0;
    uint32_t skip = c->part_offset;
    for (uint32_t at = 0; at < n;) {
        BK_ASSERT(part < end, "the parts of a unit add up to its payload");
        uint32_t run = u32_min(n - at, part->length - skip);
        sum = cut_copy(c, sum, to + at, chunk_data(c->base, part->chunk) + part->offset + skip, run, at);
        at += run;
        skip += run;
        if (skip < part->length) break;
        part++;
        skip = 0;
    }
    c->part = (uint32_t)(part - c->unit->parts);
    c->part_offset = skip;
    return sum;
}

/* Writes a unit that is not to be cut. */
static void cut_whole(const struct cut *c, uint8_t *to) {
    const struct bk_tx *u = c->unit;
    uint64_t sum = 0;
    uint32_t at = 0;
    memcpy(to, u->header, u->header_length);
    for (uint32_t i = 0; i < u->part_count; at += u->parts[i++].length)
        sum = cut_copy(c, sum, to + u->header_length + at, chunk_data(c->base, u->parts[i].chunk) + u->parts[i].offset,
                       u->parts[i].length, at);
    BK_ASSERT(at == u->payload_length, "the parts of a unit add up to its payload");
    if (!c->checksum) return;
    const uint8_t *tcp = u->header + u->l4_offset, *addresses = tcp - (cut_is_ipv4(u) ? 8 : 32);
    uint32_t headers = (uint32_t)(u->header + u->header_length - addresses);
    /* In one's complement, what has been added is taken away by adding its complement. */
    sum += (uint64_t)checksum_header(addresses, headers / 4) + (uint16_t)~get_be16(tcp + TCP_CHECKSUM);
    sum += WIRE_TCP + (uint64_t)(u->header_length - u->l4_offset) + u->payload_length;
    put_be16(to + u->l4_offset + TCP_CHECKSUM, checksum_finish(sum));
}

static void cut_write_ip(const struct cut *c, uint8_t *ip, uint32_t payload) {
    const struct bk_tx *u = c->unit;
    uint16_t length = (uint16_t)(u->header_length - u->ip_offset + payload);
    if (!cut_is_ipv4(u)) {
        put_be16(ip + IPV6_PAYLOAD_LENGTH, (uint16_t)(length - WIRE_IPV6_LENGTH));
        return;
    }
    uint16_t id = (uint16_t)(get_be16(ip + IPV4_ID) + c->index);
    put_be16(ip + IPV4_LENGTH, length);
    put_be16(ip + IPV4_ID, id);
    put_be16(ip + IPV4_CHECKSUM, checksum_finish(c->ip_sum + length + id));
}

static void cut_write_tcp_fields(const struct cut *c, uint8_t *tcp) {
    uint8_t *flags = tcp + TCP_FLAGS + 1;
    if (c->index > 0) *flags &= (uint8_t)~WIRE_CWR;
    if (c->index + 1 < c->count) *flags &= (uint8_t) ~(WIRE_FIN | WIRE_PSH);
    if (*flags & WIRE_URG) {
        /* Urgent data that ended before this frame is no longer this frame's to announce. */
        uint16_t urgent = get_be16(tcp + TCP_URGENT);
        bool over = c->passed > 0 && urgent <= c->passed;
        if (over) *flags &= (uint8_t)~WIRE_URG;
        put_be16(tcp + TCP_URGENT, over ? 0 : (uint16_t)(urgent - c->passed));
    }
    put_be32(tcp + TCP_SEQ, get_be32(tcp + TCP_SEQ) + c->passed);
}

static void cut_write_tcp_checksum(const struct cut *c, uint8_t *tcp, uint32_t payload, uint64_t payload_sum) {
    uint64_t sum = c->tcp_sum + checksum_fold(payload_sum);
    sum += (uint64_t)get_be32(tcp + TCP_SEQ) + get_be16(tcp + TCP_FLAGS) + get_be16(tcp + TCP_URGENT);
    sum += (uint64_t)(c->unit->header_length - c->unit->l4_offset) + payload;
    put_be16(tcp + TCP_CHECKSUM, checksum_finish(sum));
}

/* The checksums over the finished frame, with nothing known beforehand. */
static void cut_checksums_plain(const struct cut *c, uint8_t *frame, size_t length) {
    const struct bk_tx *u = c->unit;
    uint8_t *ip = frame + u->ip_offset, *tcp = frame + u->l4_offset;
    size_t segment = length - u->l4_offset;
    bool ipv4 = cut_is_ipv4(u);
    if (c->rewrite && ipv4) {
        put_be16(ip + IPV4_CHECKSUM, 0);
        put_be16(ip + IPV4_CHECKSUM, checksum_finish(checksum_add(0, ip, (size_t)u->l4_offset - u->ip_offset)));
    }
    if (!c->checksum) return;
    put_be16(tcp + TCP_CHECKSUM, 0);
    uint64_t sum = checksum_add(WIRE_TCP + segment, ip + (ipv4 ? IPV4_SRC : IPV6_SRC), ipv4 ? 8 : 32);
    put_be16(tcp + TCP_CHECKSUM, checksum_finish(checksum_add(sum, tcp, segment)));
}

size_t cut_next(struct cut *c, void *buffer, size_t size) {
    const struct bk_tx *u = c->unit;
    size_t length = cut_length(c);
    if (length == 0 || length > size) return 0;
    uint8_t *to = buffer;
    uint32_t payload = (uint32_t)(length - u->header_length);
    if (c->rewrite) {
        memcpy(to, u->header, u->header_length);
        uint64_t sum = cut_gather(c, to + u->header_length, payload);
        cut_write_ip(c, to + u->ip_offset, payload);
        cut_write_tcp_fields(c, to + u->l4_offset);
        cut_write_tcp_checksum(c, to + u->l4_offset, payload, sum);
    } else {
        cut_whole(c, to);
    }
    if (!BK_FAST) cut_checksums_plain(c, to, length);
    c->passed += payload;
    c->index++;
    return length;
}

uint32_t bk_tx_count(const struct bk_tx *unit) {
    if (unit->gso_size == 0 || unit->payload_length <= unit->gso_size) return 1;
    return (unit->payload_length - 1) / unit->gso_size + 1;
}

/* Moves a cursor at the start to frame i, over the parts and not the bytes. */
static void cut_seek(struct cut *c, uint32_t i) {
    const struct bk_tx *u = c->unit;
    c->index = i;
    c->part_offset = c->passed = i * u->gso_size;
    while (c->part < u->part_count && c->part_offset >= u->parts[c->part].length)
        c->part_offset -= u->parts[c->part++].length;
}

size_t bk_tx_write(const bk_stack *stack, const struct bk_tx *unit, uint32_t i, void *buffer, size_t size) {
    struct cut c;
    cut_begin(&c, stack, unit);
    if (i >= c.count) return 0;
    cut_seek(&c, i);
    return cut_next(&c, buffer, size);
}
