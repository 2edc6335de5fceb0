/* The wire as the tests see it: builds and parses TCP over IPv4 and IPv6, written apart from the core on purpose, so that
 * a mistake in one is not hidden by the same mistake in the other. */
#include "fixture.h"

static uint16_t get16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p) {
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}
static void set16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void set32(uint8_t *p, uint32_t v) {
    set16(p, v >> 16);
    set16(p + 2, v & 0xffff);
}

static uint32_t sum(uint32_t start, const uint8_t *p, size_t n) {
    uint64_t s = start;
    for (size_t i = 0; i + 1 < n; i += 2) s += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (n & 1) s += (uint32_t)p[n - 1] << 8;
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    return (uint32_t)s;
}
static uint16_t fold(uint32_t s) {
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

/* The pseudo header's sum (RFC 9293 3.1, RFC 8200 8.1). */
static uint32_t pseudo(const bk_addr *src, const bk_addr *dst, size_t length) {
    size_t skip = bk_addr_is_ipv4(src) ? 12 : 0;
    uint8_t tail[4];
    uint32_t s = sum(0, src->byte + skip, 16 - skip);
    s = sum(s, dst->byte + skip, 16 - skip);
    set16(tail, (uint32_t)length);
    set16(tail + 2, 6);
    return sum(s, tail, 4);
}

static size_t options_build(const struct wire_seg *w, uint8_t *p) {
    size_t n = 0;
    if (w->options) {
        memcpy(p, w->options, w->options_length);
        for (n = w->options_length; n % 4; n++) p[n] = 0;
        return n;
    }
    if (w->mss >= 0) {
        p[n] = 2;
        p[n + 1] = 4;
        set16(p + n + 2, (uint32_t)w->mss);
        n += 4;
    }
    if (w->wscale >= 0) {
        p[n] = 1;
        p[n + 1] = 3;
        p[n + 2] = 3;
        p[n + 3] = (uint8_t)w->wscale;
        n += 4;
    }
    if (w->ts) {
        p[n] = 1;
        p[n + 1] = 1;
        p[n + 2] = 8;
        p[n + 3] = 10;
        set32(p + n + 4, w->tsval);
        set32(p + n + 8, w->tsecr);
        n += 12;
    }
    return n;
}

size_t wire_seg_build(const struct wire_seg *w, uint8_t *frame) {
    bool v4 = bk_addr_is_ipv4(&w->src);
    size_t ip = v4 ? 20 : 40;
    uint8_t *t = frame + ip;
    size_t header = 20 + options_build(w, t + 20);
    size_t length = header + w->len;
    memset(frame, 0, ip);
    set16(t, w->sport);
    set16(t + 2, w->dport);
    set32(t + 4, w->seq);
    set32(t + 8, w->ack);
    t[12] = (uint8_t)(header / 4 << 4);
    t[13] = w->flags;
    set16(t + 14, w->wnd);
    set16(t + 16, 0);
    set16(t + 18, w->urg);
    if (w->len) memcpy(t + header, w->payload, w->len);
    set16(t + 16, fold(sum(pseudo(&w->src, &w->dst, length), t, length)));
    if (w->bad_checksum) t[16] ^= 0x55;
    if (v4) {
        frame[0] = 0x45;
        frame[1] = w->tc;
        set16(frame + 2, (uint32_t)(ip + length));
        frame[6] = 0x40;
        frame[8] = 64;
        frame[9] = 6;
        memcpy(frame + 12, w->src.byte + 12, 4);
        memcpy(frame + 16, w->dst.byte + 12, 4);
        set16(frame + 10, fold(sum(0, frame, ip)));
    } else {
        frame[0] = 0x60 | w->tc >> 4;
        frame[1] = (uint8_t)(w->tc << 4);
        set16(frame + 4, (uint32_t)length);
        frame[6] = 6;
        frame[7] = 64;
        memcpy(frame + 8, w->src.byte, 16);
        memcpy(frame + 24, w->dst.byte, 16);
    }
    return ip + length;
}

static const char *options_parse(const uint8_t *p, size_t n, struct wire_seg *w) {
    w->mss = w->wscale = -1;
    w->ts = w->sack_permitted = false;
    w->sack_count = 0;
    for (size_t i = 0; i < n;) {
        if (p[i] == 0) break;
        if (p[i] == 1) {
            i++;
            continue;
        }
        if (i + 2 > n || p[i + 1] < 2 || i + p[i + 1] > n) return "an option runs past the header";
        switch (p[i]) {
        case 2:
            if (p[i + 1] != 4) return "MSS option of wrong length";
            w->mss = get16(p + i + 2);
            break;
        case 3:
            if (p[i + 1] != 3) return "window scale option of wrong length";
            w->wscale = p[i + 2];
            break;
        case 4:
            if (p[i + 1] != 2) return "SACK-permitted option of wrong length";
            w->sack_permitted = true;
            break;
        case 5:
            if (p[i + 1] % 8 != 2 || p[i + 1] > 34) return "SACK option of wrong length";
            w->sack_count = (uint8_t)(p[i + 1] / 8);
            for (size_t k = 0; k < w->sack_count; k++) {
                w->sack[k][0] = get32(p + i + 2 + 8 * k);
                w->sack[k][1] = get32(p + i + 6 + 8 * k);
            }
            break;
        case 8:
            if (p[i + 1] != 10) return "timestamps option of wrong length";
            w->ts = true;
            w->tsval = get32(p + i + 2);
            w->tsecr = get32(p + i + 6);
            break;
        default:
            return "an option that nobody asked for";
        }
        i += p[i + 1];
    }
    return NULL;
}

/* The IP header: sets *ip to its length and *length to the packet's without it. */
static const char *ip_parse(const uint8_t *f, size_t n, struct wire_seg *w, size_t *ip, size_t *length) {
    if (n < 20) return "frame shorter than an IP header";
    if (f[0] >> 4 == 4) {
        *ip = (size_t)(f[0] & 15) * 4;
        if (*ip != 20) return "IPv4 header length";
        if (get16(f + 2) != n) return "IPv4 total length is not the frame's";
        if (fold(sum(0, f, *ip)) != 0) return "IPv4 header checksum";
        if (get16(f + 6) & 0x3fff) return "IPv4 fragment";
        if (f[9] != 6) return "not TCP";
        w->tc = f[1];
        w->dont_fragment = f[6] >> 6 & 1;
        w->ttl = f[8];
        w->src = bk_addr_ipv4(f[12], f[13], f[14], f[15]);
        w->dst = bk_addr_ipv4(f[16], f[17], f[18], f[19]);
    } else if (f[0] >> 4 == 6) {
        *ip = 40;
        if (n < 40) return "frame shorter than an IPv6 header";
        if ((size_t)get16(f + 4) + 40 != n) return "IPv6 payload length is not the frame's";
        if (f[6] != 6) return "not TCP";
        w->tc = (uint8_t)(f[0] << 4 | f[1] >> 4);
        w->ttl = f[7];
        memcpy(w->src.byte, f + 8, 16);
        memcpy(w->dst.byte, f + 24, 16);
    } else {
        return "IP version";
    }
    if (w->ttl == 0) return "TTL or hop limit 0";
    *length = n - *ip;
    return NULL;
}

const char *wire_seg_parse(const uint8_t *f, size_t n, struct wire_seg *w) {
    size_t ip, length;
    memset(w, 0, sizeof *w);
    const char *wrong = ip_parse(f, n, w, &ip, &length);
    if (wrong) return wrong;
    const uint8_t *t = f + ip;
    if (length < 20) return "shorter than a TCP header";
    size_t header = (size_t)(t[12] >> 4) * 4;
    if (header < 20 || header > length) return "TCP data offset";
    if (fold(sum(pseudo(&w->src, &w->dst, length), t, length)) != 0) return "TCP checksum";
    if (t[12] & 15) return "reserved bits set";
    w->sport = get16(t);
    w->dport = get16(t + 2);
    w->seq = get32(t + 4);
    w->ack = get32(t + 8);
    w->flags = t[13];
    w->wnd = get16(t + 14);
    w->urg = get16(t + 18);
    w->payload = t + header;
    w->len = (uint32_t)(length - header);
    if (!(w->flags & ACK) && w->ack) return "acknowledgment number without ACK bit";
    if (!(w->flags & URG) && w->urg) return "urgent pointer without URG bit";
    return options_parse(t + 20, header - 20, w);
}

uint32_t wire_seg_end(const struct wire_seg *w) {
    return w->seq + w->len + ((w->flags & SYN) != 0) + ((w->flags & FIN) != 0);
}

char *wire_seg_format(const struct wire_seg *w, uint32_t seq_base, uint32_t ack_base, char text[SEG_TEXT]) {
    static const char letters[] = "FSRP.UEW";
    char flags[9];
    size_t k = 0;
    for (int i = 0; i < 8; i++)
        if (w->flags >> i & 1) flags[k++] = letters[i];
    flags[k] = 0;
    int n = snprintf(text, SEG_TEXT, "[%s] seq %ld", k ? flags : "none", (long)(int32_t)(w->seq - seq_base));
    if (w->flags & ACK) n += snprintf(text + n, SEG_TEXT - (size_t)n, " ack %ld", (long)(int32_t)(w->ack - ack_base));
    n += snprintf(text + n, SEG_TEXT - (size_t)n, " win %u len %u", w->wnd, w->len);
    if (w->flags & URG) n += snprintf(text + n, SEG_TEXT - (size_t)n, " urg %u", w->urg);
    if (w->tc) n += snprintf(text + n, SEG_TEXT - (size_t)n, " tc %u", w->tc);
    if (w->options) n += snprintf(text + n, SEG_TEXT - (size_t)n, " <%u option bytes>", (unsigned)w->options_length);
    if (w->mss >= 0) n += snprintf(text + n, SEG_TEXT - (size_t)n, " <mss %d>", (int)w->mss);
    if (w->wscale >= 0) n += snprintf(text + n, SEG_TEXT - (size_t)n, " <wscale %d>", (int)w->wscale);
    if (w->ts)
        n += snprintf(text + n, SEG_TEXT - (size_t)n, " <TS val %lu ecr %lu>", (unsigned long)w->tsval,
                      (unsigned long)w->tsecr);
    (void)n;
    return text;
}
