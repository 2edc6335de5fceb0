/* IPv6 extension headers (RFC 8200 4): the walk from the IPv6 header to the transport's.
 *
 * Each extension header begins with the type of the next one. The walk keeps where that byte stood, because two things refer to
 * it: an ICMPv6 parameter problem about a header that may not stand here, and reassembly, which writes the type after the
 * fragment header over it.
 *
 * The walk ends at the first header that is no extension we know (the transport's, "no next header", or something that nobody
 * here speaks), or at a fragment header that is not atomic: what follows it can be read only in the whole datagram.
 *
 * A header that is malformed in itself is answered with a parameter problem; one that runs past the bytes that are there is
 * dropped in silence, since nothing in it need be wrong. The walk does not know the destination: an answer to a packet sent to
 * a multicast address is right only for problem code 2 at an option whose two highest bits are 10 (RFC 8200 4.2, RFC 4443 2.4),
 * and whoever sends it has to look.
 */
#include "wire/ip.h"

#define CHAIN_HEADERS_MAX 8u
#define CHAIN_UNIT        8u /* lengths of extension headers count in these, and each has at least one */

enum problem { PROBLEM_FIELD = 0, PROBLEM_NEXT_HEADER = 1, PROBLEM_OPTION = 2 };
enum option { OPTION_PAD1 = 0 };
enum action {
    ACTION_SKIP = 0,
    ACTION_DISCARD = 1
}; /* the two highest bits of an option's type; 2 and 3 ask for an answer */

static uint16_t chain_problem(struct wire_ipv6_chain *out, enum problem code, size_t at) {
    out->parameter_problem = true;
    out->problem_code = (uint8_t)code;
    out->problem_at = (uint16_t)at;
    return BK_REASON_DROP_IP_EXTENSION;
}

/* Walks the options in p[at..end). None is acted upon; those that may not be skipped end the packet. */
static uint16_t chain_options(const uint8_t *p, size_t at, size_t end, struct wire_ipv6_chain *out) {
    while (at < end) {
        if (p[at] == OPTION_PAD1) {
            at++;
            continue;
        }
        if (end - at < 2) return chain_problem(out, PROBLEM_FIELD, at);
        if (p[at + 1] > end - at - 2) return chain_problem(out, PROBLEM_FIELD, at + 1);
        unsigned action = p[at] >> 6;
        if (action == ACTION_DISCARD) return BK_REASON_DROP_IP_EXTENSION;
        if (action != ACTION_SKIP) return chain_problem(out, PROBLEM_OPTION, at);
        at += 2u + p[at + 1];
    }
    return BK_REASON_NONE;
}

static bool chain_is_extension(uint8_t type) {
    return type == WIRE_HOP_BY_HOP || type == WIRE_ROUTING || type == WIRE_FRAGMENT || type == WIRE_DESTINATION;
}

/* Checks one header, of `type` and in p[at..end). */
static uint16_t chain_header(const uint8_t *p, size_t at, size_t end, uint8_t type, struct wire_ipv6_chain *out) {
    if (type == WIRE_ROUTING) {
        /* Every routing type is unrecognized here, as type 0 has to be (RFC 5095 3): harmless once nothing is left to visit. */
        return p[at + 3] == 0 ? BK_REASON_NONE : chain_problem(out, PROBLEM_FIELD, at + 2);
    }
    if (type == WIRE_FRAGMENT) {
        uint16_t field = get_be16(p + at + 2);
        out->fragment_next = p[at];
        out->fragment_offset = field & 0xfff8;
        out->more_fragments = field & 1;
        out->fragment_id = get_be32(p + at + 4);
        out->fragment = out->fragment_offset != 0 || out->more_fragments;
        return BK_REASON_NONE;
    }
    return chain_options(p, at + 2, end, out);
}

uint16_t wire_ipv6_chain_parse(const uint8_t *p, size_t n, uint8_t next, struct wire_ipv6_chain *out) {
    *out = (struct wire_ipv6_chain){0};
    if (n > UINT16_MAX) n = UINT16_MAX; /* no payload is longer, and offsets are 16 bits */
    size_t at = 0;
    uint16_t named_at = UINT16_MAX; /* where the byte stands that named the header at `at` */
    for (unsigned count = 0; chain_is_extension(next); count++) {
        if (count == CHAIN_HEADERS_MAX) return BK_REASON_DROP_IP_EXTENSION;
        if (next == WIRE_HOP_BY_HOP && at > 0) return chain_problem(out, PROBLEM_NEXT_HEADER, named_at);
        if (n - at < CHAIN_UNIT) return BK_REASON_DROP_IP_EXTENSION;
        /* The fragment header has no length: that byte is reserved. */
        size_t length = next == WIRE_FRAGMENT ? CHAIN_UNIT : CHAIN_UNIT * (p[at + 1] + 1u);
        if (n - at < length) return BK_REASON_DROP_IP_EXTENSION;
        uint16_t reason = chain_header(p, at, at + length, next, out);
        if (reason != BK_REASON_NONE) return reason;
        if (out->fragment) {
            out->fragment_next_at = named_at;
            at += length;
            break;
        }
        named_at = (uint16_t)at;
        next = p[at];
        at += length;
    }
    out->protocol = next;
    out->length = (uint16_t)at;
    return BK_REASON_NONE;
}
