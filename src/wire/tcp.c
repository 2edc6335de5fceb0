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

/* Takes one option, whose p[1] bytes are there. `seen` has a bit for each kind below 32 that was taken already. */
static void tcp_option_take(const uint8_t *p, struct wire_tcp_options *o, uint32_t *seen) {
    uint8_t kind = p[0], length = p[1];
    if (kind >= 32 || *seen >> kind & 1) return;
    if (kind == OPTION_MSS && length == LENGTH_MSS) {
        o->mss = get_be16(p + 2);
    } else if (kind == OPTION_WSCALE && length == LENGTH_WSCALE) {
        o->has_wscale = true;
        o->wscale = p[2];
    } else if (kind == OPTION_SACK_PERMITTED && length == LENGTH_SACK_PERMITTED) {
        o->sack_permitted = true;
    } else if (kind == OPTION_TIMESTAMPS && length == LENGTH_TIMESTAMPS) {
        o->has_timestamps = true;
        o->tsval = get_be32(p + 2);
        o->tsecr = get_be32(p + 6);
    } else if (kind == OPTION_SACK && length > LENGTH_SACK && (length - LENGTH_SACK) % LENGTH_SACK_BLOCK == 0) {
        /* 40 bytes of options cannot hold more than WIRE_SACK_BLOCKS. */
        o->sack_count = (uint8_t)((length - LENGTH_SACK) / LENGTH_SACK_BLOCK);
        for (unsigned i = 0; i < o->sack_count; i++) {
            o->sack[i].left = get_be32(p + 2 + 8 * i);
            o->sack[i].right = get_be32(p + 6 + 8 * i);
        }
    } else {
        return;
    }
    *seen |= UINT32_C(1) << kind;
}

static bool tcp_options_parse(const uint8_t *p, size_t n, struct wire_tcp_options *o) {
    if (BK_FAST && n == 12 && get_be32(p) == WIRE_TCP_ALIGNED_TIMESTAMPS) {
        o->has_timestamps = true;
        o->tsval = get_be32(p + 4);
        o->tsecr = get_be32(p + 8);
        return true;
    }
    uint32_t seen = 0;
    for (size_t i = 0; i < n && p[i] != OPTION_END;) {
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

struct tcp_options_layout {
    bool aligned; /* with NOPs before options */
    uint32_t sack_count;
    uint32_t length; /* a multiple of 4, at most OPTIONS_MAX */
};

static struct tcp_options_layout tcp_options_lay_out(const struct wire_tcp_options *o) {
    struct tcp_options_layout layout = {.aligned = true, .sack_count = u32_min(o->sack_count, WIRE_SACK_BLOCKS)};
    if (o->mss != 0) layout.length += 4;
    if (o->has_timestamps)
        layout.length += 12; /* "SACK permitted" takes the place of the two NOPs */
    else if (o->sack_permitted)
        layout.length += 4;
    if (o->has_wscale) layout.length += 4;
    if (layout.sack_count > 0) layout.length += 4 + layout.sack_count * LENGTH_SACK_BLOCK;
    if (layout.length <= OPTIONS_MAX) return layout;

    /* Only SACK blocks can have taken it so far: all else comes to 24 bytes at most. */
    uint32_t fixed = LENGTH_SACK;
    if (o->mss != 0) fixed += LENGTH_MSS;
    if (o->sack_permitted) fixed += LENGTH_SACK_PERMITTED;
    if (o->has_timestamps) fixed += LENGTH_TIMESTAMPS;
    if (o->has_wscale) fixed += LENGTH_WSCALE;
    layout.aligned = false;
    layout.sack_count = u32_min(layout.sack_count, (OPTIONS_MAX - fixed) / LENGTH_SACK_BLOCK);
    layout.length = (fixed + layout.sack_count * LENGTH_SACK_BLOCK + 3) & ~UINT32_C(3);
    return layout;
}

size_t wire_tcp_options_length(const struct wire_tcp_options *o) {
    return tcp_options_lay_out(o).length;
}

static uint8_t *tcp_option_begin(uint8_t *p, unsigned nops, enum tcp_option kind, unsigned length) {
    while (nops-- > 0) *p++ = OPTION_NOP;
    p[0] = (uint8_t)kind;
    p[1] = (uint8_t)length;
    return p + 2;
}

static void tcp_options_emit(uint8_t *p, const struct wire_tcp_options *o, const struct tcp_options_layout *layout) {
    const uint8_t *end = p + layout->length;
    unsigned one = layout->aligned ? 1 : 0, two = layout->aligned ? 2 : 0;
    if (o->mss != 0) {
        p = tcp_option_begin(p, 0, OPTION_MSS, LENGTH_MSS);
        put_be16(p, o->mss);
        p += 2;
    }
    if (o->sack_permitted)
        p = tcp_option_begin(p, o->has_timestamps ? 0 : two, OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED);
    if (o->has_timestamps) {
        p = tcp_option_begin(p, o->sack_permitted ? 0 : two, OPTION_TIMESTAMPS, LENGTH_TIMESTAMPS);
        put_be32(p, o->tsval);
        put_be32(p + 4, o->tsecr);
        p += 8;
    }
    if (o->has_wscale) {
        p = tcp_option_begin(p, one, OPTION_WSCALE, LENGTH_WSCALE);
        *p++ = o->wscale;
    }
    if (layout->sack_count > 0) {
        p = tcp_option_begin(p, two, OPTION_SACK, LENGTH_SACK + layout->sack_count * LENGTH_SACK_BLOCK);
        for (unsigned i = 0; i < layout->sack_count; i++, p += LENGTH_SACK_BLOCK) {
            put_be32(p, o->sack[i].left);
            put_be32(p + 4, o->sack[i].right);
        }
    }
    while (p < end) *p++ = OPTION_END;
}

size_t wire_tcp_emit(uint8_t *p, struct wire_tcp *t) {
    struct tcp_options_layout layout = tcp_options_lay_out(&t->option);
    t->header_length = (uint16_t)(WIRE_TCP_LENGTH + layout.length);
    put_be16(p, t->src_port);
    put_be16(p + 2, t->dst_port);
    put_be32(p + 4, t->seq);
    put_be32(p + 8, t->ack);
    p[12] = (uint8_t)(t->header_length / 4 << 4 | t->ae);
    p[13] = t->flags;
    put_be16(p + 14, t->window);
    put_be16(p + 16, t->checksum);
    put_be16(p + 18, t->urgent);
    tcp_options_emit(p + WIRE_TCP_LENGTH, &t->option, &layout);
    return t->header_length;
}
