/* Frames on their way out, and queues of them: see frame.h. */
#include "base/frame.h"

uint32_t frame_alloc(struct base *b) {
    uint32_t id = pool_alloc(b, &b->frames);
    if (id == BK_NONE) return BK_NONE;
    /* Only the fields before the header bytes need a value: header and parts are written before they are read. */
    struct frame *f = frame_at(b, id);
    memset(f, 0, offsetof(struct frame, header));
    f->next = BK_NONE;
    f->object = BK_NONE;
    f->start = f->l3 = f->end = FRAME_L4;
    return id;
}

uint32_t frame_alloc_reply(struct base *b) {
    uint32_t id = frame_alloc(b);
    if (id == BK_NONE) reason_count(b, BK_REASON_NOTE_REPLY_LOST);
    return id;
}

bool frame_add_part(struct base *b, struct frame *f, uint32_t chunk, uint16_t offset, uint16_t length) {
    if (f->part_count == FRAME_PARTS) return false;
    chunk_hold(b, chunk);
    f->part[f->part_count++] = (struct bk_part){chunk, offset, length};
    f->payload_length += length;
    return true;
}
