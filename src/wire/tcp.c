/* TCP headers and options.
 *
 * Parsing walks the option list once. What cannot be walked refuses the segment; what can be walked but makes no sense to us (an
 * unknown kind, or a known one of another length than ours) is stepped over.
 *
 * Emitting has two layouts. The usual one puts NOPs before options so that 32-bit values lie at multiples of four, which is also the
 * shape that fast paths of other stacks look for (RFC 7323 appendix A). Where that exceeds the 40 bytes
 * which a header has for options, they are packed without NOPs and padded at the end; and only where even that exceeds them, SACK
 * blocks are left out from the end, as RFC 2018 3 allows.
 */
#include "wire/tcp.h"

enum tcp_option {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_WSCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
    OPTION_TIMESTAMPS = 8,
};
enum tcp_option_length {
    LENGTH_MSS = 4,
    LENGTH_WSCALE = 3,
    LENGTH_SACK_PERMITTED = 2,
    LENGTH_SACK = 2, /* and 8 for each block */
    LENGTH_SACK_BLOCK = 8,
    LENGTH_TIMESTAMPS = 10,
};
#define OPTIONS_MAX (WIRE_TCP_LENGTH_MAX - WIRE_TCP_LENGTH)

/* ---- parse ----------------------------------------------------------------------------------------- */

/* Kind and length of an option, as they stand in its first two bytes. */
#define OPTION_HEAD(kind, length) ((uint32_t)(kind) << 8 | (length))

/* One, and two of them, before what else a word holds. */
#define NOP1 ((uint32_t)OPTION_NOP << 24)
#define NOP2 ((uint32_t)OPTION_NOP << 24 | (uint32_t)OPTION_NOP << 16)

/* Takes an option of SACK blocks; false if its length is that of none. */
static bool tcp_option_take_sack(const uint8_t *p, struct wire_tcp_options *o) {
    uint32_t blocks = (uint32_t)p[1] - LENGTH_SACK;
    if (blocks == 0 || blocks % LENGTH_SACK_BLOCK != 0) return false;
    /* 40 bytes of options cannot hold more than WIRE_SACK_BLOCKS. */
    o->sack_count = (uint8_t)(blocks / LENGTH_SACK_BLOCK);
    for (unsigned i = 0; i < o->sack_count; i++) {
        o->sack[i].left = get_be32(p + 2 + 8 * i);
        o->sack[i].right = get_be32(p + 6 + 8 * i);
    }
    return true;
}

/* Takes one option, whose p[1] bytes (2 or more) are there. `seen` has a bit for each kind below 32 that was taken already. */
static inline void tcp_option_take(const uint8_t *p, struct wire_tcp_options *o, uint32_t *seen) {
    uint8_t kind = p[0];
    if (kind >= 32 || *seen >> kind & 1) return;
    switch (get_be16(p)) {
    case OPTION_HEAD(OPTION_MSS, LENGTH_MSS):
        o->mss = get_be16(p + 2);
        break;
    case OPTION_HEAD(OPTION_WSCALE, LENGTH_WSCALE):
        o->has_wscale = true;
        o->wscale = p[2];
        break;
    case OPTION_HEAD(OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED):
        o->sack_permitted = true;
        break;
    case OPTION_HEAD(OPTION_TIMESTAMPS, LENGTH_TIMESTAMPS):
        o->has_timestamps = true;
        o->tsval = get_be32(p + 2);
        o->tsecr = get_be32(p + 6);
        break;
    default:
        if (kind != OPTION_SACK || !tcp_option_take_sack(p, o)) return;
    }
    *seen |= UINT32_C(1) << kind;
}

/* The options of a SYN as nearly all have them: words of four bytes, of which none comes twice. Takes as many as stand so, and returns how
 * many bytes they are. */
static inline size_t tcp_options_take_words(const uint8_t *p, size_t n, struct wire_tcp_options *o, uint32_t *seen) {
    size_t i = 0;
    for (; n - i >= 4; i += 4) {
        uint32_t word = get_be32(p + i), kind;
        if (word >> 16 == OPTION_HEAD(OPTION_MSS, LENGTH_MSS))
            kind = OPTION_MSS;
        else if (word >> 8 == (NOP1 >> 8 | OPTION_HEAD(OPTION_WSCALE, LENGTH_WSCALE)))
            kind = OPTION_WSCALE;
        else if (word == (NOP2 | OPTION_HEAD(OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED)))
            kind = OPTION_SACK_PERMITTED;
        else
            break;
        if (*seen >> kind & 1) break;
        *seen |= UINT32_C(1) << kind;
        if (kind == OPTION_MSS) {
            o->mss = (uint16_t)word;
        } else if (kind == OPTION_WSCALE) {
            o->has_wscale = true;
            o->wscale = (uint8_t)word;
        } else {
            o->sack_permitted = true;
        }
    }
    return i;
}

static bool tcp_options_parse(const uint8_t *p, size_t n, struct wire_tcp_options *o) {
    if (BK_FAST && n == 12 && get_be32(p) == WIRE_TCP_ALIGNED_TIMESTAMPS) {
        o->has_timestamps = true;
        o->tsval = get_be32(p + 4);
        o->tsecr = get_be32(p + 8);
        return true;
    }
    uint32_t seen = 0;
    for (size_t i = BK_FAST ? tcp_options_take_words(p, n, o, &seen) : 0; i < n && p[i] != OPTION_END;) {
        if (p[i] == OPTION_NOP) {
            i++;
            continue;
        }
        if (n - i < 2 || p[i + 1] < 2 || p[i + 1] > n - i) return false;
        tcp_option_take(p + i, o, &seen);
        i += p[i + 1];
    }
    return true;
}

uint16_t wire_tcp_parse(const uint8_t *p, size_t n, struct wire_tcp *out) {
    if (n < WIRE_TCP_LENGTH) return BK_REASON_DROP_TCP_SHORT;
    out->header_length = (uint16_t)((p[12] >> 4) * 4);
    if (out->header_length < WIRE_TCP_LENGTH || out->header_length > n) return BK_REASON_DROP_TCP_OFFSET;
    out->src_port = get_be16(p);
    out->dst_port = get_be16(p + 2);
    out->seq = get_be32(p + 4);
    out->ack = get_be32(p + 8);
    out->flags = p[13];
    out->ae = p[12] & 1;
    out->window = get_be16(p + 14);
    out->checksum = get_be16(p + 16);
    out->urgent = get_be16(p + 18);
    memset(&out->option, 0, offsetof(struct wire_tcp_options, sack)); /* of which as many count as sack_count says */
    if (!tcp_options_parse(p + WIRE_TCP_LENGTH, out->header_length - WIRE_TCP_LENGTH, &out->option))
        return BK_REASON_DROP_TCP_OPTION;
    return BK_REASON_NONE;
}

/* ---- emit ------------------------------------------------------------------------------------------ */

/* How long they are with NOPs: words of four bytes, and no more than a header has room for unless there are SACK blocks. */
static inline uint32_t tcp_options_aligned(const struct wire_tcp_options *o) {
    uint32_t words = o->mss != 0;
    words += o->has_timestamps ? 3 : o->sack_permitted; /* "SACK permitted" takes the place of the two NOPs */
    words += o->has_wscale;
    if (o->sack_count > 0) words += 1 + u32_min(o->sack_count, WIRE_SACK_BLOCKS) * (LENGTH_SACK_BLOCK / 4);
    return words * 4;
}

static inline uint8_t *tcp_emit_word(uint8_t *p, uint32_t word) {
    put_be32(p, word);
    return p + 4;
}

static inline uint8_t *tcp_emit_sack(uint8_t *p, const struct wire_tcp_options *o, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        p = tcp_emit_word(p, o->sack[i].left);
        p = tcp_emit_word(p, o->sack[i].right);
    }
    return p;
}

/* With NOPs, whole words at a time. */
static inline void tcp_emit_aligned(uint8_t *p, const struct wire_tcp_options *o) {
    const uint32_t permitted = OPTION_HEAD(OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED);
    if (o->mss != 0) p = tcp_emit_word(p, OPTION_HEAD(OPTION_MSS, LENGTH_MSS) << 16 | o->mss);
    if (o->has_timestamps) {
        uint32_t before = o->sack_permitted ? permitted << 16 : NOP2;
        p = tcp_emit_word(p, before | OPTION_HEAD(OPTION_TIMESTAMPS, LENGTH_TIMESTAMPS));
        p = tcp_emit_word(p, o->tsval);
        p = tcp_emit_word(p, o->tsecr);
    } else if (o->sack_permitted) {
        p = tcp_emit_word(p, NOP2 | permitted);
    }
    if (o->has_wscale) p = tcp_emit_word(p, NOP1 | OPTION_HEAD(OPTION_WSCALE, LENGTH_WSCALE) << 8 | o->wscale);
    uint32_t count = u32_min(o->sack_count, WIRE_SACK_BLOCKS);
    if (count == 0) return;
    p = tcp_emit_word(p, NOP2 | OPTION_HEAD(OPTION_SACK, LENGTH_SACK + count * LENGTH_SACK_BLOCK));
    tcp_emit_sack(p, o, count);
}

/* How many SACK blocks there are room for without NOPs, and how long all is then. Only SACK blocks can have taken it so far: all else comes
 * to 24 bytes at most. */
struct tcp_options_packed {
    uint32_t sack_count, length;
};

static struct tcp_options_packed tcp_options_pack(const struct wire_tcp_options *o) {
    uint32_t fixed = LENGTH_SACK;
    if (o->mss != 0) fixed += LENGTH_MSS;
    if (o->sack_permitted) fixed += LENGTH_SACK_PERMITTED;
    if (o->has_timestamps) fixed += LENGTH_TIMESTAMPS;
    if (o->has_wscale) fixed += LENGTH_WSCALE;
    uint32_t room = (OPTIONS_MAX - fixed) / LENGTH_SACK_BLOCK;
    uint32_t count = u32_min(u32_min(o->sack_count, WIRE_SACK_BLOCKS), room);
    return (struct tcp_options_packed){count, (fixed + count * LENGTH_SACK_BLOCK + 3) & ~UINT32_C(3)};
}

size_t wire_tcp_options_length(const struct wire_tcp_options *o) {
    uint32_t aligned = tcp_options_aligned(o);
    return aligned <= OPTIONS_MAX ? aligned : tcp_options_pack(o).length;
}

static uint8_t *tcp_option_begin(uint8_t *p, enum tcp_option kind, unsigned length) {
    p[0] = (uint8_t)kind;
    p[1] = (uint8_t)length;
    return p + 2;
}

static void tcp_emit_packed(uint8_t *p, const struct wire_tcp_options *o, const struct tcp_options_packed *packed) {
    const uint8_t *end = p + packed->length;
    if (o->mss != 0) {
        p = tcp_option_begin(p, OPTION_MSS, LENGTH_MSS);
        put_be16(p, o->mss);
        p += 2;
    }
    if (o->sack_permitted) p = tcp_option_begin(p, OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED);
    if (o->has_timestamps) {
        p = tcp_option_begin(p, OPTION_TIMESTAMPS, LENGTH_TIMESTAMPS);
        p = tcp_emit_word(p, o->tsval);
        p = tcp_emit_word(p, o->tsecr);
    }
    if (o->has_wscale) {
        p = tcp_option_begin(p, OPTION_WSCALE, LENGTH_WSCALE);
        *p++ = o->wscale;
    }
    p = tcp_option_begin(p, OPTION_SACK, LENGTH_SACK + packed->sack_count * LENGTH_SACK_BLOCK);
    p = tcp_emit_sack(p, o, packed->sack_count);
    while (p < end) *p++ = OPTION_END;
}

/* Returns how long they are. */
static inline uint32_t tcp_options_emit(uint8_t *p, const struct wire_tcp_options *o) {
    uint32_t length = tcp_options_aligned(o);
    if (length <= OPTIONS_MAX) {
        tcp_emit_aligned(p, o);
        return length;
    }
    struct tcp_options_packed packed = tcp_options_pack(o);
    tcp_emit_packed(p, o, &packed);
    return packed.length;
}

size_t wire_tcp_emit(uint8_t *p, struct wire_tcp *t) {
    uint32_t ends = (uint32_t)t->src_port << 16 | t->dst_port;
    t->header_length = (uint16_t)(WIRE_TCP_LENGTH + tcp_options_emit(p + WIRE_TCP_LENGTH, &t->option));
    put_be32(p, ends);
    put_be32(p + 4, t->seq);
    put_be32(p + 8, t->ack);
    p[12] = (uint8_t)(t->header_length / 4 << 4 | t->ae);
    p[13] = t->flags;
    put_be16(p + 14, t->window);
    put_be16(p + 16, t->checksum);
    put_be16(p + 18, t->urgent);
    return t->header_length;
}
