/* Reading captures: pcap (both byte orders, micro- and nanoseconds) and pcapng (draft-ietf-opsawg-pcapng).
 *
 * A file is read front to back through one block buffer. Lengths are checked before they are used, each block and option
 * against what surrounds it; what does not add up ends the reading with a sentence that says where. Blocks of unknown
 * type are passed over, as the format demands. Times become nanoseconds, whatever the resolution.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/common.h"
#include "beckon/link.h"

#define PCAP_BLOCK_MAX (16u * 1024 * 1024)
#define PCAP_IFACES    1024u

#define MAGIC_MICRO   0xa1b2c3d4u
#define MAGIC_NANO    0xa1b23c4du
#define MAGIC_SECTION 0x0a0d0d0au /* of either byte order */
#define MAGIC_ORDER   0x1a2b3c4du

enum pcapng_block { BLOCK_INTERFACE = 1, BLOCK_PACKET_OLD = 2, BLOCK_PACKET_SIMPLE = 3, BLOCK_PACKET = 6 };
enum pcapng_option { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

struct pcap_iface {
    uint32_t link_type, snap_length;
    uint8_t resolution; /* if_tsresol */
    uint64_t offset;    /* if_tsoffset, seconds, in two's complement */
};

struct bk_pcap_reader {
    FILE *file;
    bool ng, big_endian;
    struct pcap_iface iface[PCAP_IFACES]; /* a pcap file has one */
    uint32_t ifaces;
    uint8_t *buffer; /* of the current record or block */
    size_t size;
    char comment[1024];
};

/* ---- bytes ---- */

static uint16_t pcap_u16(const bk_pcap_reader *r, const uint8_t *p) {
    return r->big_endian ? get_be16(p) : (uint16_t)(p[1] << 8 | p[0]);
}

static uint32_t pcap_u32(const bk_pcap_reader *r, const uint8_t *p) {
    return r->big_endian ? get_be32(p) : (uint32_t)pcap_u16(r, p + 2) << 16 | pcap_u16(r, p);
}

static int pcap_fail(const char **why, const char *reason) {
    *why = reason;
    return -EINVAL;
}

/* Reads n bytes into buffer[at..]. Returns 1; 0 if the file has ended; -1 if it ended inside, or there is no memory. */
static int pcap_fill(bk_pcap_reader *r, size_t at, size_t n) {
    if (at + n > r->size) {
        uint8_t *larger = realloc(r->buffer, at + n);
        if (larger == NULL) return -1;
        r->buffer = larger;
        r->size = at + n;
    }
    size_t got = fread(r->buffer + at, 1, n, r->file);
    return got == n ? 1 : got == 0 && feof(r->file) ? 0 : -1;
}

/* ---- time ---- */

static uint64_t pcap_power10(unsigned n) {
    uint64_t v = 1;
    while (n-- > 0) v *= 10;
    return v;
}

/* Nanoseconds of a count of if_tsresol units; pcap_resolution_valid has been asked. */
static uint64_t pcap_nanoseconds(const struct pcap_iface *f, uint64_t t) {
    unsigned n = f->resolution & 0x7fu;
    uint64_t ns;
    if (!(f->resolution & 0x80u)) {
        ns = n <= 9 ? t * pcap_power10(9 - n) : t / pcap_power10(n - 9);
    } else {
        uint64_t fraction = n == 0 ? 0 : t & (UINT64_MAX >> (64 - n));
        /* Down to 32 bits, so that the product stays within 64. */
        unsigned bits = n > 32 ? 32 : n;
        fraction >>= n - bits;
        ns = (n == 0 ? t : t >> n) * NS_PER_S + (fraction * NS_PER_S >> bits);
    }
    return ns + f->offset * NS_PER_S;
}

static bool pcap_resolution_valid(uint8_t v) {
    return v & 0x80u ? (v & 0x7fu) < 64 : v <= 28;
}

/* The several numbers for raw IP that files use become one. */
static uint32_t pcap_link_type(uint32_t type) {
    static const uint32_t raw[] = {12, 14, 228, 229};
    for (size_t i = 0; i < BK_COUNT(raw); i++)
        if (type == raw[i]) return 101;
    return type;
}

/* ---- pcap ---- */

static int pcap_header(bk_pcap_reader *r, uint32_t magic_big_endian, const char **why) {
    r->big_endian = magic_big_endian == MAGIC_MICRO || magic_big_endian == MAGIC_NANO;
    if (pcap_fill(r, 4, 20) != 1) return pcap_fail(why, "pcap: the file ends inside its header");
    uint32_t magic = pcap_u32(r, r->buffer);
    if (pcap_u16(r, r->buffer + 4) != 2) return pcap_fail(why, "pcap: version is not 2");
    r->iface[0].resolution = magic == MAGIC_NANO ? 9 : 6;
    r->iface[0].link_type = pcap_link_type(pcap_u32(r, r->buffer + 20) & 0xffffu);
    r->ifaces = 1;
    return 0;
}

static int pcap_next(bk_pcap_reader *r, struct bk_pcap_frame *frame, const char **why) {
    int got = pcap_fill(r, 0, 16);
    if (got == 0) return 0;
    if (got < 0) return pcap_fail(why, "pcap: the file ends inside a packet's header");
    uint32_t seconds = pcap_u32(r, r->buffer), fraction = pcap_u32(r, r->buffer + 4);
    uint32_t unit = r->iface[0].resolution == 9 ? 1 : 1000;
    frame->length = pcap_u32(r, r->buffer + 8);
    frame->original_length = pcap_u32(r, r->buffer + 12);
    if (frame->length > PCAP_BLOCK_MAX) return pcap_fail(why, "pcap: a packet's length is impossible");
    if (frame->length > 0 && pcap_fill(r, 0, frame->length) != 1)
        return pcap_fail(why, "pcap: the file ends inside a packet");
    frame->time = seconds * NS_PER_S + (uint64_t)fraction * unit;
    frame->data = r->buffer;
    frame->link_type = r->iface[0].link_type;
    frame->iface = 0;
    frame->comment = NULL;
    return 1;
}

/* ---- pcapng ---- */

/* Finds an option among body[at..n). Returns 1 and where its value is; 0: absent; -1: the list is malformed. */
static int pcapng_option(const bk_pcap_reader *r, const uint8_t *body, uint32_t at, uint32_t n, uint16_t code,
                         const uint8_t **value, uint16_t *length) {
    while (at + 4 <= n) {
        uint16_t found = pcap_u16(r, body + at);
        *length = pcap_u16(r, body + at + 2);
        if (found == OPTION_END) return 0;
        if (*length > n - at - 4) return -1;
        *value = body + at + 4;
        if (found == code) return 1;
        uint32_t next = at + 4 + ((*length + 3u) & ~3u);
        if (next > n) return -1;
        at = next;
    }
    return at == n ? 0 : -1;
}

static int pcapng_interface(bk_pcap_reader *r, const uint8_t *body, uint32_t n, const char **why) {
    const uint8_t *value;
    uint16_t length;
    if (n < 8) return pcap_fail(why, "pcapng: an interface block is too short");
    if (r->ifaces == PCAP_IFACES) return pcap_fail(why, "pcapng: more than 1,024 interfaces");
    struct pcap_iface *f = &r->iface[r->ifaces];
    *f = (struct pcap_iface){.link_type = pcap_link_type(pcap_u16(r, body)), .resolution = 6};
    f->snap_length = pcap_u32(r, body + 4);
    int found = pcapng_option(r, body, 8, n, OPTION_TSRESOL, &value, &length);
    if (found < 0) return pcap_fail(why, "pcapng: an option runs past its interface block");
    if (found > 0 && length == 1) f->resolution = *value;
    if (!pcap_resolution_valid(f->resolution)) return pcap_fail(why, "pcapng: time stamp resolution out of range");
    found = pcapng_option(r, body, 8, n, OPTION_TSOFFSET, &value, &length);
    if (found > 0 && length == 8) {
        uint32_t first = pcap_u32(r, value), second = pcap_u32(r, value + 4);
        f->offset = r->big_endian ? (uint64_t)first << 32 | second : (uint64_t)second << 32 | first;
    }
    r->ifaces++;
    return 0;
}

/* Enhanced packet block, and the obsolete packet block, which differs in its first four bytes. */
static int pcapng_packet(bk_pcap_reader *r, uint32_t type, uint32_t n, struct bk_pcap_frame *frame, const char **why) {
    const uint8_t *body = r->buffer, *value;
    uint16_t length;
    if (n < 20) return pcap_fail(why, "pcapng: a packet block is too short");
    frame->iface = type == BLOCK_PACKET ? pcap_u32(r, body) : pcap_u16(r, body);
    if (frame->iface >= r->ifaces) return pcap_fail(why, "pcapng: a packet names an interface that was not described");
    const struct pcap_iface *f = &r->iface[frame->iface];
    frame->time = pcap_nanoseconds(f, (uint64_t)pcap_u32(r, body + 4) << 32 | pcap_u32(r, body + 8));
    frame->length = pcap_u32(r, body + 12);
    frame->original_length = pcap_u32(r, body + 16);
    frame->data = body + 20;
    frame->link_type = f->link_type;
    frame->comment = NULL;
    if (frame->length > n - 20) return pcap_fail(why, "pcapng: a packet runs past its block");
    uint32_t options = 20 + ((frame->length + 3) & ~3u);
    if (options > n) return pcap_fail(why, "pcapng: a packet runs past its block");
    int found = pcapng_option(r, body, options, n, OPTION_COMMENT, &value, &length);
    if (found < 0) return pcap_fail(why, "pcapng: an option runs past its packet block");
    if (found > 0) {
        size_t kept = length < sizeof r->comment ? length : sizeof r->comment - 1;
        memcpy(r->comment, value, kept);
        r->comment[kept] = 0;
        frame->comment = r->comment;
    }
    return 1;
}

static int pcapng_simple(bk_pcap_reader *r, uint32_t n, struct bk_pcap_frame *frame, const char **why) {
    if (n < 4) return pcap_fail(why, "pcapng: a simple packet block is too short");
    if (r->ifaces == 0) return pcap_fail(why, "pcapng: a packet names an interface that was not described");
    *frame = (struct bk_pcap_frame){.data = r->buffer + 4, .link_type = r->iface[0].link_type};
    frame->original_length = pcap_u32(r, r->buffer);
    uint32_t snap = r->iface[0].snap_length;
    frame->length = snap != 0 ? u32_min(frame->original_length, snap) : frame->original_length;
    if (frame->length > n - 4) return pcap_fail(why, "pcapng: a packet runs past its block");
    return 1;
}

/* A section begins: its byte order and its interfaces are its own. buffer[0..8) holds type and length. */
static int pcapng_section(bk_pcap_reader *r, const char **why) {
    if (pcap_fill(r, 8, 4) != 1) return pcap_fail(why, "pcapng: the file ends inside a section header");
    if (get_be32(r->buffer + 8) != MAGIC_ORDER) {
        r->big_endian = false;
        if (pcap_u32(r, r->buffer + 8) != MAGIC_ORDER)
            return pcap_fail(why, "pcapng: a section's byte-order magic is unknown");
    } else {
        r->big_endian = true;
    }
    r->ifaces = 0;
    uint32_t total = pcap_u32(r, r->buffer + 4);
    if (total < 28 || total % 4 != 0 || total > PCAP_BLOCK_MAX)
        return pcap_fail(why, "pcapng: a section header's length is impossible");
    if (pcap_fill(r, 12, total - 12) != 1) return pcap_fail(why, "pcapng: the file ends inside a section header");
    if (pcap_u32(r, r->buffer + total - 4) != total) return pcap_fail(why, "pcapng: the two lengths of a block differ");
    if (pcap_u16(r, r->buffer + 12) != 1) return pcap_fail(why, "pcapng: version is not 1");
    return 0;
}

/* Reads the body of the block whose type and length are in the buffer; leaves it at the buffer's start. */
static int pcapng_body(bk_pcap_reader *r, uint32_t total, const char **why) {
    if (total < 12 || total % 4 != 0 || total > PCAP_BLOCK_MAX)
        return pcap_fail(why, "pcapng: a block's length is impossible");
    if (pcap_fill(r, 0, total - 8) != 1) return pcap_fail(why, "pcapng: the file ends inside a block");
    if (pcap_u32(r, r->buffer + total - 12) != total)
        return pcap_fail(why, "pcapng: the two lengths of a block differ");
    return 0;
}

static int pcapng_next(bk_pcap_reader *r, struct bk_pcap_frame *frame, const char **why) {
    for (;;) {
        int result = pcap_fill(r, 0, 8);
        if (result == 0) return 0;
        if (result < 0) return pcap_fail(why, "pcapng: the file ends inside a block's header");
        uint32_t type = pcap_u32(r, r->buffer), total = pcap_u32(r, r->buffer + 4), n = total - 12;
        if (type == MAGIC_SECTION) {
            result = pcapng_section(r, why);
        } else {
            result = pcapng_body(r, total, why);
            if (result == 0 && type == BLOCK_INTERFACE)
                result = pcapng_interface(r, r->buffer, n, why);
            else if (result == 0 && (type == BLOCK_PACKET || type == BLOCK_PACKET_OLD))
                result = pcapng_packet(r, type, n, frame, why);
            else if (result == 0 && type == BLOCK_PACKET_SIMPLE)
                result = pcapng_simple(r, n, frame, why);
        }
        if (result != 0) return result;
    }
}

/* ---- open, next, close ---- */

static int pcap_start(bk_pcap_reader *r, const char **why) {
    if (pcap_fill(r, 0, 4) != 1) return pcap_fail(why, "the file is too short for a capture");
    uint32_t big = get_be32(r->buffer);
    r->big_endian = false;
    uint32_t little = pcap_u32(r, r->buffer);
    if (big == MAGIC_SECTION) {
        r->ng = true;
        if (pcap_fill(r, 4, 4) != 1) return pcap_fail(why, "pcapng: the file ends inside a section header");
        return pcapng_section(r, why);
    }
    if (big == MAGIC_MICRO || big == MAGIC_NANO || little == MAGIC_MICRO || little == MAGIC_NANO)
        return pcap_header(r, big, why);
    return pcap_fail(why, "the file is neither pcap nor pcapng");
}

int bk_pcap_open(const char *path, bk_pcap_reader **out, const char **why) {
    const char *ignored;
    if (why == NULL) why = &ignored;
    bk_pcap_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        *why = "memory";
        return -ENOMEM;
    }
    r->file = fopen(path, "rbe");
    if (r->file == NULL) {
        int error = -errno;
        *why = "the file cannot be opened";
        bk_pcap_close(r);
        return error;
    }
    int result = pcap_start(r, why);
    if (result != 0) {
        bk_pcap_close(r);
        return result;
    }
    *out = r;
    return 0;
}

int bk_pcap_next(bk_pcap_reader *r, struct bk_pcap_frame *frame, const char **why) {
    const char *ignored;
    if (why == NULL) why = &ignored;
    return r->ng ? pcapng_next(r, frame, why) : pcap_next(r, frame, why);
}

void bk_pcap_close(bk_pcap_reader *r) {
    if (r == NULL) return;
    if (r->file != NULL) fclose(r->file);
    free(r->buffer);
    free(r);
}
