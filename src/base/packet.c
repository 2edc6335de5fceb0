/* Views of arriving packets across the parts they lie in: see packet.h. */
#include "base/packet.h"

#include "base/checksum.h"

struct packet_walk packet_walk(const struct packet *p, uint32_t offset, uint32_t n) {
    BK_ASSERT((uint64_t)offset + n <= p->length, "a range lies within its packet");
    struct packet_walk w = {p, 0, p->start + offset, n};
    while (n != 0 && w.skip >= p->parts[w.index].length) w.skip -= p->parts[w.index++].length;
    return w;
}

static const uint8_t *piece_data(const struct base *b, const struct bk_part *piece) {
    return chunk_data(b, piece->chunk) + piece->offset;
}

const uint8_t *packet_gather(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n,
                             uint8_t *scratch) {
    if ((uint64_t)offset + n > p->length) return NULL;
    if (n == 0) return scratch;
    struct packet_walk w = packet_walk(p, offset, n);
    const struct bk_part *part = &p->parts[w.index];
    if (BK_FAST && part->length - w.skip >= n) return piece_data(b, part) + w.skip;
    packet_copy(b, p, offset, n, scratch);
    return scratch;
}

uint64_t packet_checksum(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n, uint64_t sum) {
    BK_ASSERT((uint64_t)offset + n <= p->length, "a range lies within its packet");
    const uint8_t *first = packet_first(b, p, offset, n);
    if (first != NULL) return checksum_add_by(b->checksum_way, sum, first, n);
    struct packet_walk w = packet_walk(p, offset, n);
    while (w.left != 0) {
        uint32_t at = n - w.left;
        struct bk_part piece = packet_walk_next(&w);
        sum = checksum_add_at_by(b->checksum_way, sum, piece_data(b, &piece), piece.length, at);
    }
    return sum;
}

void packet_copy(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n, void *to) {
    struct packet_walk w = packet_walk(p, offset, n);
    uint8_t *out = to;
    while (w.left != 0) {
        struct bk_part piece = packet_walk_next(&w);
        memcpy(out, piece_data(b, &piece), piece.length);
        out += piece.length;
    }
}
