/* Captures of a link: see capture.h. */
#include "link/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "beckon/render.h"
#include "link/pcapng.h"

struct link_capture {
    struct pcapng *file;
    uint8_t *held; /* frames of a batch, one after the other */
    size_t held_size;
    uint32_t length[LINK_FRAMES]; /* of each; 0 if there was no memory to hold it */
};

struct link_capture *link_capture_open(const struct link_end *end, const char *path,
                                       const struct bk_capture_name *names, int *error) {
    struct link_capture *c = calloc(1, sizeof *c);
    if (c == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    char iface[32];
    snprintf(iface, sizeof iface, "beckon%u", (unsigned)end->iface);
    c->file = pcapng_create(path, link_end_type(end), iface, names, error);
    if (c->file == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void link_capture_write(struct link_capture *c, const struct iovec *iov, int count, uint16_t reason,
                               enum pcapng_direction direction, uint64_t now) {
    char comment[256];
    bk_reason_comment(reason, comment, sizeof comment);
    pcapng_write(c->file, now, iov, count, direction, comment);
}

void link_capture_out(struct link_capture *c, const struct iovec *iov, int count, uint16_t reason, uint64_t now) {
    link_capture_write(c, iov, count, reason, PCAPNG_OUT, now);
}

/* A copy, and not a further reference to the chunks: a capture must not change what the stack finds. */
void link_capture_hold(struct link_capture *c, bk_stack *stack, const struct link_batch *batch) {
    size_t need = 0, at = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        need += c->length[i] = link_frame_length(batch->frame[i].parts, batch->frame[i].part_count);
    if (need > c->held_size) {
        uint8_t *larger = realloc(c->held, need);
        if (larger != NULL) {
            c->held = larger;
            c->held_size = need;
        }
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct bk_rx *f = &batch->frame[i];
        if (at + c->length[i] > c->held_size) c->length[i] = 0;
        at += link_frame_copy(stack, f->parts, f->part_count, c->held + at, c->length[i]);
    }
}

void link_capture_in(struct link_capture *c, const struct link_batch *batch, uint64_t now) {
    size_t at = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct iovec iov = {.iov_base = c->held + at, .iov_len = c->length[i]};
        if (c->length[i] > 0) link_capture_write(c, &iov, 1, batch->frame[i].reason, PCAPNG_IN, now);
        at += c->length[i];
    }
}

int link_capture_close(struct link_capture *c) {
    if (c == NULL) return 0;
    int error = pcapng_close(c->file);
    free(c->held);
    free(c);
    return error;
}
