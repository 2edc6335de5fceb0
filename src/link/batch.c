/* Frames in chunks, and batches of them: what drivers share. */
#include <errno.h>
#include <stdlib.h>

#include "link/link.h"

void *link_new(size_t size, const struct link_ops *ops, unsigned ends) {
    bk_link *link = calloc(1, size);
    if (link == NULL) return NULL;
    link->ops = ops;
    link->ends = ends;
    link->fd = -1;
    return link;
}

static const struct bk_iface_config *link_iface(const bk_stack *stack, uint32_t iface) {
    const struct net *net = (const struct net *)(const void *)stack;
    return iface < NET_IFACES && net->iface[iface].in_use ? &net->iface[iface].config : NULL;
}

int link_end_set(bk_link *link, unsigned end, bk_stack *stack, uint32_t iface) {
    if (stack == NULL || link_iface(stack, iface) == NULL) return -EINVAL;
    link->end[end].stack = stack;
    link->end[end].iface = iface;
    /* A pool that cannot hold one frame would push back for ever. */
    return link_chunks(stack, link_end_frame_max(&link->end[end])) <= bk_config_of(stack)->chunks ? 0 : -EINVAL;
}

enum link_type link_end_type(const struct link_end *end) {
    return link_iface(end->stack, end->iface)->layer == BK_LAYER_ETHERNET ? LINK_TYPE_ETHERNET : LINK_TYPE_IP;
}

uint32_t link_end_frame_max(const struct link_end *end) {
    return link_iface(end->stack, end->iface)->mtu + (link_end_type(end) == LINK_TYPE_ETHERNET ? 14 : 0);
}

uint32_t link_chunks(const bk_stack *stack, size_t length) {
    uint32_t size = link_part_max(stack);
    return length == 0 ? 1 : (uint32_t)((length + size - 1) / size);
}

bool link_chunks_alloc(bk_link *link, bk_stack *stack, uint32_t *chunks, uint32_t n) {
    size_t got = bk_chunk_alloc(stack, chunks, n);
    if (got == n) return true;
    bk_chunk_release(stack, chunks, got);
    link->counters.no_chunk++;
    return false;
}

void link_frame_fill(bk_stack *stack, const uint32_t *chunks, struct bk_part *parts, const struct iovec *iov,
                     int count) {
    uint32_t size = link_part_max(stack);
    struct bk_part *part = parts;
    *part = (struct bk_part){.chunk = *chunks};
    for (int i = 0; i < count; i++) {
        const uint8_t *from = iov[i].iov_base;
        for (size_t left = iov[i].iov_len; left > 0;) {
            if (part->length == size) *++part = (struct bk_part){.chunk = *++chunks};
            size_t n = size - part->length < left ? size - part->length : left;
            memcpy(bk_chunk_data(stack, part->chunk) + part->length, from, n);
            part->length = (uint16_t)(part->length + n);
            from += n;
            left -= n;
        }
    }
}

size_t link_frame_copy(bk_stack *stack, const struct bk_part *parts, uint32_t count, uint8_t *to, size_t size) {
    size_t at = 0;
    for (uint32_t i = 0; i < count && at < size; i++) {
        size_t n = parts[i].length < size - at ? parts[i].length : size - at;
        memcpy(to + at, bk_chunk_data(stack, parts[i].chunk) + parts[i].offset, n);
        at += n;
    }
    return at;
}

void link_frame_release(bk_stack *stack, const struct bk_part *parts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) bk_chunk_release(stack, &parts[i].chunk, 1);
}

struct bk_rx *link_batch_push(struct link_batch *batch, uint32_t parts) {
    struct bk_rx *frame = &batch->frame[batch->count++];
    *frame = (struct bk_rx){.parts = &batch->part[batch->part_count], .part_count = (uint16_t)parts};
    batch->part_count += parts;
    return frame;
}

bool link_batch_copy(bk_link *link, unsigned end, struct link_batch *batch, const void *frame, size_t length) {
    bk_stack *stack = link->end[end].stack;
    uint32_t chunks[LINK_PARTS], n = link_chunks(stack, length);
    if (!link_batch_room(batch, n) || !link_chunks_alloc(link, stack, chunks, n)) return false;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)frame, .iov_len = length};
    link_frame_fill(stack, chunks, &batch->part[batch->part_count], &iov, 1);
    link_batch_push(batch, n);
    return true;
}
