/* Views of arriving packets across the parts they lie in: see packet.h. */
#include "base/packet.h"

#include "base/checksum.h"

/* Calls for each piece of bytes [offset, offset + n) of the current layer, in order. */
struct walk {
    const struct bk_part *part;
    uint32_t skip; /* bytes of *part before the range */
    uint32_t left;
};

static struct walk walk_start(const struct packet *p, uint32_t offset, uint32_t n) {
    BK_ASSERT((uint64_t)offset + n <= p->length, "a range lies within its packet");
    struct walk w = {p->parts, p->start + offset, n};
    while (n != 0 && w.skip >= w.part->length) w.skip -= w.part++->length;
    return w;
}

static const uint8_t *walk_next(const struct base *b, struct walk *w, uint32_t *length) {
    if (w->left == 0) return NULL;
    const uint8_t *at = chunk_data(b, w->part->chunk) + w->part->offset + w->skip;
    *length = u32_min(w->left, w->part->length - w->skip);
    w->left -= *length;
    w->skip = 0;
    w->part++;
    return at;
}

/* Where the range lies, if it lies in the first part as a whole, as nearly all headers and small segments do; else NULL. */
static const uint8_t *in_first_part(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n) {
    const struct bk_part *first = p->parts;
    if (!BK_FAST || (uint64_t)p->start + offset + n > first->length) return NULL;
    return chunk_data(b, first->chunk) + first->offset + p->start + offset;
}

const uint8_t *packet_gather(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n,
                             uint8_t *scratch) {
    if ((uint64_t)offset + n > p->length) return NULL;
    if (n == 0) return scratch;
    struct walk w = walk_start(p, offset, n);
    if (BK_FAST && w.part->length - w.skip >= n) return chunk_data(b, w.part->chunk) + w.part->offset + w.skip;
    packet_copy(b, p, offset, n, scratch);
    return scratch;
}

uint64_t packet_checksum(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n, uint64_t sum) {
    BK_ASSERT((uint64_t)offset + n <= p->length, "a range lies within its packet");
    const uint8_t *at = in_first_part(b, p, offset, n);
    if (at != NULL) return checksum_add_by(b->checksum_way, sum, at, n);
    struct walk w = walk_start(p, offset, n);
    uint32_t length, done = 0;
    for (; (at = walk_next(b, &w, &length)) != NULL; done += length)
        sum = checksum_add_at_by(b->checksum_way, sum, at, length, done);
    return sum;
}

void packet_copy(const struct base *b, const struct packet *p, uint32_t offset, uint32_t n, void *to) {
    struct walk w = walk_start(p, offset, n);
    uint8_t *out = to;
    const uint8_t *at;
    uint32_t length;
    for (; (at = walk_next(b, &w, &length)) != NULL; out += length) memcpy(out, at, length);
}
