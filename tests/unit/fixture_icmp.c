/* Builds ICMP errors: see fixture_icmp.h. */
#include "fixture_icmp.h"

static const struct {
    uint8_t type4, code4, type6, code6;
} codes[] = {
    [NET_UNREACHABLE] = {3, 0, 1, 0}, [HOST_UNREACHABLE] = {3, 1, 1, 3},   [PORT_UNREACHABLE] = {3, 3, 1, 4},
    [TIME_EXCEEDED] = {11, 0, 3, 0},  [PARAMETER_PROBLEM] = {12, 0, 4, 0}, [SOURCE_QUENCH] = {4, 0, 0, 0},
    [TOO_BIG] = {3, 4, 2, 0},
};

static void put32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint16_t sum(const uint8_t *p, size_t n, uint32_t s) {
    for (size_t i = 0; i < n; i++) s += (i & 1) ? p[i] : (uint32_t)p[i] << 8;
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

size_t icmp_build(enum icmp_error what, uint32_t mtu, const struct wire_seg *about, const bk_addr *from,
                  uint8_t *frame) {
    bool v4 = bk_addr_is_ipv4(&about->src);
    size_t ip = v4 ? 20 : 40, length = 8 + wire_seg_build(about, frame + ip + 8);
    uint8_t *m = frame + ip;
    memset(frame, 0, ip + 8);
    m[0] = v4 ? codes[what].type4 : codes[what].type6;
    m[1] = v4 ? codes[what].code4 : codes[what].code6;
    put32(m + 4, mtu);
    uint16_t check;
    if (v4) {
        frame[0] = 0x45;
        frame[2] = (uint8_t)((ip + length) >> 8);
        frame[3] = (uint8_t)(ip + length);
        frame[8] = 64;
        frame[9] = 1;
        memcpy(frame + 12, from->byte + 12, 4);
        memcpy(frame + 16, about->src.byte + 12, 4);
        check = sum(frame, ip, 0);
        frame[10] = (uint8_t)(check >> 8);
        frame[11] = (uint8_t)check;
        check = sum(m, length, 0);
    } else {
        frame[0] = 0x60;
        frame[4] = (uint8_t)(length >> 8);
        frame[5] = (uint8_t)length;
        frame[6] = 58;
        frame[7] = 64;
        memcpy(frame + 8, from->byte, 16);
        memcpy(frame + 24, about->src.byte, 16);
        uint32_t pseudo = 58 + (uint32_t)length;
        for (int i = 8; i < 40; i += 2) pseudo += (uint32_t)(frame[i] << 8 | frame[i + 1]);
        check = sum(m, length, pseudo);
    }
    m[2] = (uint8_t)(check >> 8);
    m[3] = (uint8_t)check;
    return ip + length;
}

uint16_t icmp(enum icmp_error what, int64_t seq, uint32_t mtu) {
    uint8_t frame[ICMP_FRAME_MAX];
    struct wire_seg about = {.src = fx.flow.local,
                             .dst = fx.flow.remote,
                             .sport = fx.flow.local_port,
                             .dport = fx.flow.remote_port,
                             .seq = fx.flow.iss + (uint32_t)seq,
                             .flags = ACK,
                             .mss = -1,
                             .wscale = -1};
    size_t n = icmp_build(what, mtu, &about, &fx.flow.remote, frame);
    fx.verdict = bk_input_copy(fx.stack, fx.iface, frame, n, fx.now);
    return fx.verdict;
}
