/* Strange frames: old ones again, segments with other numbers, fragments, and router advertisements of short lives.
 *
 * Checksums are made here by the book, two bytes at a time: the test does not ask the stack under test. */
#include "drive.h"

#include <string.h>

static uint16_t sum_of(const uint8_t *p, size_t n, uint32_t sum) {
    for (size_t i = 0; i < n; i++) sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

struct layers {
    uint8_t *ip, *l4;
    size_t l4_length;
    bool ipv6;
};

/* Where the layers of a frame of ours stand; false if it carries no TCP. */
static bool find_tcp(const struct world *w, uint8_t *frame, size_t length, struct layers *l) {
    size_t link = w->state.ethernet ? 14 : 0;
    if (length < link + 40) return false;
    if (link != 0 && get_be16(frame + 12) == 0x0806) return false;
    l->ip = frame + link;
    l->ipv6 = l->ip[0] >> 4 == 6;
    l->l4 = l->ip + (l->ipv6 ? 40 : 20);
    l->l4_length = length - link - (l->ipv6 ? 40 : 20);
    return l->ip[l->ipv6 ? 6 : 9] == 6 && l->l4_length >= 20;
}

static void finish_l4(const struct layers *l, uint8_t protocol, size_t checksum_at) {
    put_be16(l->l4 + checksum_at, 0);
    uint32_t sum = sum_of(l->ip + (l->ipv6 ? 8 : 12), l->ipv6 ? 32 : 8, protocol + (uint32_t)l->l4_length);
    put_be16(l->l4 + checksum_at, (uint16_t)~sum_of(l->l4, l->l4_length, sum));
}

/* Near to what it was, or anything. */
static uint32_t other_number(struct world *w, uint32_t n) {
    switch (below(w, 4)) {
    case 0:
        return n + below(w, 5) - 2;
    case 1:
        return n + below(w, 6000) - 3000;
    case 2:
        return (uint32_t)draw(&w->state.seed);
    default:
        return n;
    }
}

static void change_segment(struct world *w, struct flight *f) {
    struct layers l;
    if (!find_tcp(w, f->bytes, f->length, &l)) return;
    put_be32(l.l4 + 4, other_number(w, get_be32(l.l4 + 4)));
    put_be32(l.l4 + 8, other_number(w, get_be32(l.l4 + 8)));
    if (one_in(w, 2)) l.l4[13] ^= (uint8_t)(1u << below(w, 6));
    if (one_in(w, 3)) put_be16(l.l4 + 14, (uint16_t)(one_in(w, 2) ? 0 : below(w, 65536)));
    if (one_in(w, 6)) put_be16(l.l4 + 18, (uint16_t)below(w, 2000));
    finish_l4(&l, 6, 16);
}

/* Sends an IPv4 frame as two fragments. */
static bool send_in_pieces(struct world *w, const struct flight *f) {
    size_t link = w->state.ethernet ? 14 : 0;
    if (w->state.ipv6 || f->length < link + 20 + 32 || (link != 0 && get_be16(f->bytes + 12) != 0x0800)) return false;
    uint32_t payload = f->length - (uint32_t)link - 20, cut = (8 + below(w, payload - 16)) & ~7u;
    uint16_t id = (uint16_t)below(w, 65536);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t piece[FRAME_MAX];
        uint8_t *ip = piece + link;
        uint32_t from = i == 0 ? 0 : cut, n = i == 0 ? cut : payload - cut;
        memcpy(piece, f->bytes, link + 20);
        memcpy(ip + 20, f->bytes + link + 20 + from, n);
        put_be16(ip + 2, (uint16_t)(20 + n));
        put_be16(ip + 4, id);
        put_be16(ip + 6, (uint16_t)(i == 0 ? 0x2000 : from / 8));
        put_be16(ip + 10, 0);
        put_be16(ip + 10, (uint16_t)~sum_of(ip, 20, 0));
        wire_put(w, f->to, piece, link + 20 + n, w->state.now + below(w, 2) * NS_PER_MS);
    }
    return true;
}

/* RFC 4861 4.2: a router that will soon be none, with a prefix (4.6.2) and its link-layer address (4.6.1). */
static void advertise(struct world *w) {
    uint8_t f[14 + 40 + 16 + 32 + 8] = {0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, 0x60};
    uint8_t router = (uint8_t)(9 + below(w, 2));
    f[11] = router;
    struct layers l = {f + 14, f + 54, sizeof f - 54, true};
    put_be16(l.ip + 4, (uint16_t)l.l4_length);
    l.ip[6] = 58;
    l.ip[7] = 255;
    memcpy(l.ip + 8, (const uint8_t[]){0xfe, 0x80}, 2);
    l.ip[23] = router;
    memcpy(l.ip + 24, (const uint8_t[]){0xff, 2}, 2);
    l.ip[39] = 1;
    l.l4[0] = 134;
    l.l4[4] = (uint8_t)below(w, 70);
    put_be16(l.l4 + 6, (uint16_t)below(w, 4));
    uint8_t *prefix = l.l4 + 16, *mac = prefix + 32;
    memcpy(prefix, (const uint8_t[]){3, 4, 64, 0xc0}, 4);
    put_be32(prefix + 4, below(w, one_in(w, 2) ? 5 : 8000));
    put_be32(prefix + 8, below(w, 4));
    memcpy(prefix + 16, (const uint8_t[]){0x20, 1, 0x0d, 0xb8, 0, 0, 0, 20}, 8);
    memcpy(mac, (const uint8_t[]){1, 1, 2, 0, 0, 0, 0, router}, 8);
    finish_l4(&l, 58, 2);
    wire_put(w, below(w, 2), f, sizeof f, w->state.now);
}

void strange_frame(struct world *w) {
    if (w->state.routers && one_in(w, 2)) {
        advertise(w);
        return;
    }
    struct flight f = w->state.memory[below(w, MEMORIES)];
    if (f.length == 0) return;
    uint32_t what = below(w, 4);
    if (what == 0 && send_in_pieces(w, &f)) return;
    if (what != 1) change_segment(w, &f);
    wire_put(w, f.to, f.bytes, f.length, w->state.now + below(w, 2) * NS_PER_MS);
}
