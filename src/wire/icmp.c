/* ICMP and ICMPv6: the eight bytes that all messages share, and neighbour discovery, which has options.
 *
 * A discovery option is a type, a length in units of eight bytes, and data (RFC 4861 4.6). A length of 0 or past the end of the
 * message refuses the whole of it. An option that we know, but of another length than ours, is skipped like one that we
 * do not know. Of a repeated option the first counts, prefixes apart.
 *
 * What cannot be true is refused where it is read: a target or prefix that is IPv4-mapped (the address type would take it for IPv4), a
 * target that is multicast, a link-layer address that is a group's.
 */
#include "wire/icmp.h"

#include "wire/ethernet.h"
#include "wire/ip.h"

#define NEIGHBOR_LENGTH 24u
#define RA_LENGTH       16u
#define RS_LENGTH       8u
#define OPTION_UNIT     8u
#define PREFIX_UNITS    4u

enum nd_option {
    OPTION_SOURCE_MAC = 1,
    OPTION_TARGET_MAC = 2,
    OPTION_PREFIX = 3,
    OPTION_MTU = 5,
    OPTION_NONCE = 14,
};
enum na_flag { NA_ROUTER = 0x80, NA_SOLICITED = 0x40, NA_OVERRIDE = 0x20 };
enum prefix_flag { PREFIX_ON_LINK = 0x80, PREFIX_AUTONOMOUS = 0x40 };

uint16_t wire_icmp_parse(const uint8_t *p, size_t n, struct wire_icmp *out) {
    if (n < WIRE_ICMP_LENGTH) return BK_REASON_DROP_ICMP_BAD;
    out->type = p[0];
    out->code = p[1];
    out->rest = get_be32(p + 4);
    return BK_REASON_NONE;
}

size_t wire_icmp_emit(uint8_t *p, const struct wire_icmp *m) {
    p[0] = m->type;
    p[1] = m->code;
    put_be16(p + 2, 0);
    put_be32(p + 4, m->rest);
    return WIRE_ICMP_LENGTH;
}

/* ---- options --------------------------------------------------------------------------------------- */

/* The option at p[at..n), at < n: its bytes, or 0 if its length is impossible. */
static size_t nd_option_length(const uint8_t *p, size_t n, size_t at) {
    if (n - at < OPTION_UNIT) return 0;
    size_t length = p[at + 1] * OPTION_UNIT;
    return length <= n - at ? length : 0;
}

/* Reads a link-layer address option into mac[], if it is the first. Returns false if it is a group address. */
static bool nd_mac_take(const uint8_t *option, bool *has_mac, uint8_t mac[6]) {
    if (wire_ethernet_is_group(option + 2)) return false;
    if (!*has_mac) memcpy(mac, option + 2, 6);
    *has_mac = true;
    return true;
}

static size_t nd_six_bytes_emit(uint8_t *p, enum nd_option type, const uint8_t bytes[6]) {
    p[0] = (uint8_t)type;
    p[1] = 1;
    memcpy(p + 2, bytes, 6);
    return OPTION_UNIT;
}

/* ---- neighbour solicitation and advertisement ------------------------------------------------------ */

uint16_t wire_neighbor_parse(const uint8_t *p, size_t n, struct wire_neighbor *out) {
    if (n < NEIGHBOR_LENGTH || p[1] != 0) return BK_REASON_DROP_ND_BAD;
    bool advertisement = p[0] == WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT;
    if (!advertisement && p[0] != WIRE_ICMPV6_NEIGHBOR_SOLICITATION) return BK_REASON_DROP_ND_BAD;
    *out = (struct wire_neighbor){
        .router = advertisement && (p[4] & NA_ROUTER),
        .solicited = advertisement && (p[4] & NA_SOLICITED),
        .override = advertisement && (p[4] & NA_OVERRIDE),
    };
    memcpy(out->target.byte, p + 8, sizeof out->target.byte);
    if (wire_addr_is_multicast(&out->target) || addr_is_ipv4(&out->target)) return BK_REASON_DROP_ND_BAD;

    uint8_t mac_type = advertisement ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;
    for (size_t at = NEIGHBOR_LENGTH, length; at < n; at += length) {
        length = nd_option_length(p, n, at);
        if (length == 0) return BK_REASON_DROP_ND_BAD;
        if (length != OPTION_UNIT) continue;
        if (p[at] == mac_type) {
            if (!nd_mac_take(p + at, &out->has_mac, out->mac)) return BK_REASON_DROP_ND_BAD;
        } else if (p[at] == OPTION_NONCE && !out->has_nonce) {
            out->has_nonce = true;
            memcpy(out->nonce, p + at + 2, sizeof out->nonce);
        }
    }
    return BK_REASON_NONE;
}

size_t wire_neighbor_emit(uint8_t *p, uint8_t type, const struct wire_neighbor *m) {
    bool advertisement = type == WIRE_ICMPV6_NEIGHBOR_ADVERTISEMENT;
    memset(p, 0, NEIGHBOR_LENGTH);
    p[0] = type;
    if (advertisement) {
        unsigned flags = 0;
        if (m->router) flags |= NA_ROUTER;
        if (m->solicited) flags |= NA_SOLICITED;
        if (m->override) flags |= NA_OVERRIDE;
        p[4] = (uint8_t)flags;
    }
    memcpy(p + 8, m->target.byte, sizeof m->target.byte);
    size_t at = NEIGHBOR_LENGTH;
    if (m->has_mac) at += nd_six_bytes_emit(p + at, advertisement ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC, m->mac);
    if (m->has_nonce) at += nd_six_bytes_emit(p + at, OPTION_NONCE, m->nonce);
    return at;
}

/* ---- routers --------------------------------------------------------------------------------------- */

/* Clears the bits past the prefix, which are the sender's to leave at random and ours to ignore (RFC 4861 4.6.2). */
static void ra_prefix_mask(bk_addr *prefix, uint8_t length) {
    for (unsigned i = 0; i < sizeof prefix->byte; i++) {
        unsigned kept = length > 8 * i ? u32_min(length - 8 * i, 8) : 0;
        prefix->byte[i] &= (uint8_t)(0xff00u >> kept);
    }
}

/* Adds a prefix option, unless it is impossible or there are enough already. */
static void ra_prefix_take(const uint8_t *option, struct wire_ra *out) {
    if (out->prefix_count == WIRE_RA_PREFIXES || option[2] > 128) return;
    struct wire_ra_prefix *prefix = &out->prefix[out->prefix_count];
    prefix->length = option[2];
    prefix->on_link = option[3] & PREFIX_ON_LINK;
    prefix->autonomous = option[3] & PREFIX_AUTONOMOUS;
    prefix->valid_s = get_be32(option + 4);
    prefix->preferred_s = get_be32(option + 8);
    memcpy(prefix->prefix.byte, option + 16, sizeof prefix->prefix.byte);
    if (addr_is_ipv4(&prefix->prefix)) return;
    ra_prefix_mask(&prefix->prefix, prefix->length);
    out->prefix_count++;
}

uint16_t wire_ra_parse(const uint8_t *p, size_t n, struct wire_ra *out) {
    if (n < RA_LENGTH || p[0] != WIRE_ICMPV6_ROUTER_ADVERTISEMENT || p[1] != 0) return BK_REASON_DROP_ND_BAD;
    memset(out, 0, sizeof *out);
    out->hop_limit = p[4];
    out->router_lifetime_s = get_be16(p + 6);
    out->reachable_ms = get_be32(p + 8);
    out->retrans_ms = get_be32(p + 12);
    for (size_t at = RA_LENGTH, length; at < n; at += length) {
        length = nd_option_length(p, n, at);
        if (length == 0) return BK_REASON_DROP_ND_BAD;
        if (p[at] == OPTION_SOURCE_MAC && length == OPTION_UNIT) {
            if (!nd_mac_take(p + at, &out->has_mac, out->mac)) return BK_REASON_DROP_ND_BAD;
        } else if (p[at] == OPTION_MTU && length == OPTION_UNIT && out->mtu == 0) {
            out->mtu = get_be32(p + at + 4);
        } else if (p[at] == OPTION_PREFIX && length == PREFIX_UNITS * OPTION_UNIT) {
            ra_prefix_take(p + at, out);
        }
    }
    return BK_REASON_NONE;
}

size_t wire_rs_emit(uint8_t *p, const uint8_t mac[6]) {
    static const uint8_t none[6];
    memset(p, 0, RS_LENGTH);
    p[0] = WIRE_ICMPV6_ROUTER_SOLICITATION;
    if (memcmp(mac, none, sizeof none) == 0) return RS_LENGTH;
    return RS_LENGTH + nd_six_bytes_emit(p + RS_LENGTH, OPTION_SOURCE_MAC, mac);
}

static size_t ra_prefix_emit(uint8_t *p, const struct wire_ra_prefix *prefix) {
    memset(p, 0, PREFIX_UNITS * OPTION_UNIT);
    p[0] = OPTION_PREFIX;
    p[1] = PREFIX_UNITS;
    p[2] = prefix->length;
    unsigned flags = 0;
    if (prefix->on_link) flags |= PREFIX_ON_LINK;
    if (prefix->autonomous) flags |= PREFIX_AUTONOMOUS;
    p[3] = (uint8_t)flags;
    put_be32(p + 4, prefix->valid_s);
    put_be32(p + 8, prefix->preferred_s);
    memcpy(p + 16, prefix->prefix.byte, sizeof prefix->prefix.byte);
    return PREFIX_UNITS * OPTION_UNIT;
}

size_t wire_ra_emit(uint8_t *p, const struct wire_ra *m) {
    memset(p, 0, RA_LENGTH);
    p[0] = WIRE_ICMPV6_ROUTER_ADVERTISEMENT;
    p[4] = m->hop_limit;
    put_be16(p + 6, m->router_lifetime_s);
    put_be32(p + 8, m->reachable_ms);
    put_be32(p + 12, m->retrans_ms);
    size_t at = RA_LENGTH;
    if (m->has_mac) at += nd_six_bytes_emit(p + at, OPTION_SOURCE_MAC, m->mac);
    if (m->mtu != 0) {
        p[at] = OPTION_MTU;
        p[at + 1] = 1;
        put_be16(p + at + 2, 0);
        put_be32(p + at + 4, m->mtu);
        at += OPTION_UNIT;
    }
    for (unsigned i = 0; i < u32_min(m->prefix_count, WIRE_RA_PREFIXES); i++)
        at += ra_prefix_emit(p + at, &m->prefix[i]);
    return at;
}
