/* A peer that acknowledges selectively, on the bench of fixture.h. */
#ifndef TESTS_SACK_PEER_H
#define TESTS_SACK_PEER_H

#include "fixture.h"

/* Relative to the stack's numbers, as last_seq() and last_end(). */
struct block {
    int64_t left, right;
};

static inline void put32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* An ACK with these blocks, four at most. */
static inline void sack(int64_t ack, const struct block *blocks, size_t n) {
    uint8_t options[40] = {1, 1, 5, (uint8_t)(2 + 8 * n)};
    for (size_t i = 0; i < n; i++) {
        put32(options + 4 + 8 * i, fx.flow.iss + (uint32_t)blocks[i].left);
        put32(options + 8 + 8 * i, fx.flow.iss + (uint32_t)blocks[i].right);
    }
    receive(SEG(.flags = ACK, .ack = ack, .options = options, .options_length = n == 0 ? 0 : 4 + 8 * n));
}
static inline void sack_one(int64_t ack, int64_t left, int64_t right) {
    sack(ack, &(struct block){left, right}, 1);
}

/* A connection with SACK whose peer takes segments of `mss` bytes, and answered our SYN after so many milliseconds. */
static inline void established_with_sack(uint16_t mss, uint32_t rtt_ms) {
    const uint8_t options[8] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 4, 2, 1, 1};
    fx.config.sack = true;
    fx.config.trace_events = 0;
    fx.flow.wnd = 65535;
    syn_sent();
    advance_by(rtt_ms);
    receive(SEG(.flags = SYN | ACK, .options = options, .options_length = sizeof options));
    expect(SEG(.flags = ACK, .seq = 1, .ack = 1));
    heard();
}

#endif
