/* The pcapng writer.
 *
 * Blocks are built in a buffer and written when it is full, so that a packet costs a copy and seldom a system call. Should the
 * disk be full, the file is cut back to its last whole block and stays readable; the error is kept for pcapng_close,
 * and the capture is over.
 *
 * All fields are little-endian, whatever the machine: the same run gives the same file everywhere.
 */
#define _POSIX_C_SOURCE 200809L
#include "link/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCAPNG_BUFFER  (256u * 1024)
#define PCAPNG_COMMENT 1024u /* bytes of a comment at most; longer ones are cut */

enum pcapng_block {
    PCAPNG_SECTION = 0x0a0d0d0a,
    PCAPNG_INTERFACE = 1,
    PCAPNG_NAMES = 4,
    PCAPNG_PACKET = 6,
};
enum pcapng_option { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_IF_NAME = 2, OPTION_EPB_FLAGS = 2, OPTION_USER = 4 };
enum { OPTION_TSRESOL = 9, NAME_IPV4 = 1, NAME_IPV6 = 2 };

struct pcapng {
    int fd;
    int error; /* the first one, negative */
    size_t length;
    size_t block; /* where the block being built begins */
    uint8_t buffer[PCAPNG_BUFFER];
};

/* ---- building blocks ---- */

static void pcapng_u16(struct pcapng *p, uint16_t v) {
    p->buffer[p->length++] = (uint8_t)v;
    p->buffer[p->length++] = (uint8_t)(v >> 8);
}

static void pcapng_u32(struct pcapng *p, uint32_t v) {
    pcapng_u16(p, (uint16_t)v);
    pcapng_u16(p, (uint16_t)(v >> 16));
}

static void pcapng_bytes(struct pcapng *p, const void *data, size_t n) {
    memcpy(p->buffer + p->length, data, n);
    p->length += n;
}

static void pcapng_pad(struct pcapng *p) {
    while (p->length % 4 != 0) p->buffer[p->length++] = 0;
}

static void pcapng_option(struct pcapng *p, uint16_t code, const void *data, size_t n) {
    pcapng_u16(p, code);
    pcapng_u16(p, (uint16_t)n);
    pcapng_bytes(p, data, n);
    pcapng_pad(p);
}

/* How many of the first n bytes of the buffer are whole blocks. */
static size_t pcapng_whole(const struct pcapng *p, size_t n) {
    size_t at = 0;
    while (at + 8 <= n) {
        const uint8_t *length = p->buffer + at + 4;
        size_t next = at + ((size_t)length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16);
        if (next > n) break;
        at = next;
    }
    return at;
}

static void pcapng_flush(struct pcapng *p) {
    size_t done = 0;
    while (p->error == 0 && done < p->length) {
        ssize_t n = write(p->fd, p->buffer + done, p->length - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            p->error = n == 0 ? -EIO : -errno;
    }
    if (p->error != 0 && done > 0) {
        /* Half a block helps nobody. A pipe cannot be cut; then its reader meets the end inside a block. */
        off_t end = lseek(p->fd, 0, SEEK_CUR), torn = (off_t)(done - pcapng_whole(p, done));
        bool cut = end >= torn && ftruncate(p->fd, end - torn) == 0;
        (void)cut;
    }
    p->length = 0;
}

/* Begins a block that takes at most `n` bytes. */
static void pcapng_begin(struct pcapng *p, enum pcapng_block type, size_t n) {
    if (p->length + n > sizeof p->buffer) pcapng_flush(p);
    p->block = p->length;
    pcapng_u32(p, type);
    pcapng_u32(p, 0); /* the length, when it is known */
}

static void pcapng_end(struct pcapng *p) {
    uint32_t length = (uint32_t)(p->length - p->block) + 4;
    pcapng_u32(p, length);
    for (unsigned i = 0; i < 4; i++) p->buffer[p->block + 4 + i] = (uint8_t)(length >> 8 * i);
}

/* ---- the blocks ---- */

static void pcapng_section(struct pcapng *p) {
    static const char user[] = "beckon";
    pcapng_begin(p, PCAPNG_SECTION, 64);
    pcapng_u32(p, 0x1a2b3c4d);
    pcapng_u16(p, 1);
    pcapng_u16(p, 0);
    pcapng_u32(p, UINT32_MAX); /* the section's length is not given */
    pcapng_u32(p, UINT32_MAX);
    pcapng_option(p, OPTION_USER, user, sizeof user - 1);
    pcapng_option(p, OPTION_END, "", 0);
    pcapng_end(p);
}

static void pcapng_interface(struct pcapng *p, uint32_t link_type, const char *iface) {
    static const uint8_t nanoseconds = 9;
    size_t n = strnlen(iface, 64);
    pcapng_begin(p, PCAPNG_INTERFACE, 128);
    pcapng_u16(p, (uint16_t)link_type);
    pcapng_u16(p, 0);
    pcapng_u32(p, 0); /* packets are never cut short */
    pcapng_option(p, OPTION_IF_NAME, iface, n);
    pcapng_option(p, OPTION_TSRESOL, &nanoseconds, 1);
    pcapng_option(p, OPTION_END, "", 0);
    pcapng_end(p);
}

/* One name resolution block for each name: a list of any length needs no bound. */
static void pcapng_name(struct pcapng *p, const struct bk_capture_name *name) {
    bool ipv4 = bk_addr_is_ipv4(&name->addr);
    size_t n = strnlen(name->name, 255), address = ipv4 ? 4 : 16;
    pcapng_begin(p, PCAPNG_NAMES, 512);
    pcapng_u16(p, ipv4 ? NAME_IPV4 : NAME_IPV6);
    pcapng_u16(p, (uint16_t)(address + n + 1));
    pcapng_bytes(p, name->addr.byte + (16 - address), address);
    pcapng_bytes(p, name->name, n);
    p->buffer[p->length++] = 0;
    pcapng_pad(p);
    pcapng_u32(p, 0); /* end of records */
    pcapng_end(p);
}

void pcapng_write(struct pcapng *p, uint64_t time, const struct iovec *iov, int count, enum pcapng_direction direction,
                  const char *comment) {
    if (p->error != 0) return;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += iov[i].iov_len;
    if (length > PCAPNG_BUFFER / 2) return;
    uint8_t flags[4] = {(uint8_t)direction, 0, 0, 0};
    pcapng_begin(p, PCAPNG_PACKET, length + PCAPNG_COMMENT + 128);
    pcapng_u32(p, 0); /* interface */
    pcapng_u32(p, (uint32_t)(time >> 32));
    pcapng_u32(p, (uint32_t)time);
    pcapng_u32(p, (uint32_t)length);
    pcapng_u32(p, (uint32_t)length);
    for (int i = 0; i < count; i++) pcapng_bytes(p, iov[i].iov_base, iov[i].iov_len);
    pcapng_pad(p);
    if (comment != NULL) pcapng_option(p, OPTION_COMMENT, comment, strnlen(comment, PCAPNG_COMMENT));
    pcapng_option(p, OPTION_EPB_FLAGS, flags, sizeof flags);
    pcapng_option(p, OPTION_END, "", 0);
    pcapng_end(p);
}

struct pcapng *pcapng_create(const char *path, uint32_t link_type, const char *iface,
                             const struct bk_capture_name *names, int *error) {
    struct pcapng *p = malloc(sizeof *p);
    if (p == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    p->error = 0;
    p->length = p->block = 0;
    p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (p->fd < 0) {
        *error = -errno;
        free(p);
        return NULL;
    }
    pcapng_section(p);
    pcapng_interface(p, link_type, iface);
    for (; names != NULL && names->name != NULL; names++) pcapng_name(p, names);
    return p;
}

int pcapng_close(struct pcapng *p) {
    if (p == NULL) return 0;
    pcapng_flush(p);
    if (close(p->fd) != 0 && p->error == 0) p->error = -errno;
    int error = p->error;
    free(p);
    return error;
}
