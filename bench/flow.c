/* The two users of a bulk transfer; see flow.h. */
#include "flow.h"

#include <errno.h>
#include <string.h>

#include "base/common.h"

const uint8_t *flow_pattern(void) {
    static uint8_t pattern[FLOW_PERIOD + FLOW_UNIT];
    static bool made;
    uint32_t x = 2463534242u; /* xorshift32 */
    if (made) return pattern;
    for (uint32_t i = 0; i < FLOW_PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pattern[i] = (uint8_t)x;
    }
    for (uint32_t i = FLOW_PERIOD; i < sizeof pattern; i++) pattern[i] = pattern[i - FLOW_PERIOD];
    made = true;
    return pattern;
}

#define FLOW_PARTS 64u

/* Sends n bytes in chunks. What they hold is of interest only if it will be verified. */
static ptrdiff_t source_send_chunks(struct flow_source *s, const uint8_t *data, uint32_t n, uint64_t now) {
    uint32_t chunk[FLOW_PARTS], size = u32_min(bk_config_of(s->stack)->chunk_size, UINT16_MAX);
    struct bk_part part[FLOW_PARTS];
    uint32_t count = u32_min((n + size - 1) / size, FLOW_PARTS), total = u32_min(n, count * size);
    uint32_t got = (uint32_t)bk_chunk_alloc(s->stack, chunk, count);
    for (uint32_t i = 0; i < got; i++) {
        uint32_t length = u32_min(size, total - i * size);
        part[i] = (struct bk_part){.chunk = chunk[i], .length = (uint16_t)length};
        if (s->verify) memcpy(bk_chunk_data(s->stack, chunk[i]), data + (size_t)i * size, length);
    }
    int r = got == count ? bk_tcp_send_parts(s->stack, s->conn, part, count, 0, now) : -ENOBUFS;
    if (r < 0) bk_chunk_release(s->stack, chunk, got);
    return r < 0 ? r : (ptrdiff_t)total;
}

int flow_source_work(struct flow_source *s, uint64_t now, struct bench_run *run) {
    const uint8_t *pattern = flow_pattern();
    int worked = 0;
    while (s->ready && s->sent < s->total) {
        const uint8_t *data = pattern + (s->verify ? s->sent % FLOW_PERIOD : 0);
        uint32_t most = (uint32_t)u64_min(s->write != 0 ? s->write : FLOW_UNIT, s->total - s->sent);
        ptrdiff_t n = s->by_reference ? source_send_chunks(s, data, most, now)
                                      : bk_tcp_send(s->stack, s->conn, data, most, 0, now);
        if (n == -EAGAIN) {
            s->ready = false;
        } else if (n < 0) {
            return bench_fail(run, "sending fails after %llu bytes: %s", (unsigned long long)s->sent,
                              strerror((int)-n));
        } else {
            s->sent += (uint64_t)n;
            worked = 1;
        }
    }
    return worked;
}

/* As bk_tcp_receive, but for the end of the stream, which looks like nothing to read. */
static ptrdiff_t sink_receive_chunks(struct flow_sink *s, uint64_t now, bool *right) {
    struct bk_part part[FLOW_PARTS];
    size_t n = bk_tcp_peek_parts(s->stack, s->conn, part, FLOW_PARTS);
    uint32_t length = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *expected = flow_pattern() + (s->received + length) % FLOW_PERIOD;
        const uint8_t *bytes = bk_chunk_data(s->stack, part[i].chunk) + part[i].offset;
        if (s->verify && memcmp(bytes, expected, part[i].length) != 0) *right = false;
        length += part[i].length;
    }
    int r = length == 0 ? -EAGAIN : bk_tcp_consume(s->stack, s->conn, length, now);
    return r < 0 ? r : (ptrdiff_t)length;
}

static ptrdiff_t sink_receive(struct flow_sink *s, uint64_t now, bool *right) {
    if (s->by_reference) return sink_receive_chunks(s, now, right);
    ptrdiff_t n = bk_tcp_receive(s->stack, s->conn, s->buffer, sizeof s->buffer, now);
    if (s->verify && n > 0) *right = memcmp(s->buffer, flow_pattern() + s->received % FLOW_PERIOD, (size_t)n) == 0;
    return n;
}

int flow_sink_work(struct flow_sink *s, uint64_t now, struct bench_run *run) {
    int worked = 0;
    while (s->ready) {
        bool right = true;
        ptrdiff_t n = sink_receive(s, now, &right);
        if (n == -EAGAIN || n == 0) {
            s->ready = false;
            s->ended = n == 0;
            continue;
        }
        if (n < 0)
            return bench_fail(run, "receiving fails after %llu bytes: %s", (unsigned long long)s->received,
                              strerror((int)-n));
        if (!right)
            return bench_fail(run, "bytes %llu to %llu are not those that were sent", (unsigned long long)s->received,
                              (unsigned long long)s->received + (unsigned long long)n - 1);
        s->received += (uint64_t)n;
        worked = 1;
    }
    return worked;
}

static bool flow_is_of(const bk_conn *conn, const struct bk_ready *event) {
    return !event->listener && event->index == conn->index && event->generation == conn->generation;
}

void flow_source_hear(struct flow_source *s, const struct bk_ready *event) {
    if (flow_is_of(&s->conn, event) && (event->what & (BK_READY_CONNECTED | BK_READY_WRITABLE | BK_READY_CLOSED)))
        s->ready = true;
}

void flow_sink_hear(struct flow_sink *s, const struct bk_ready *event) {
    if (flow_is_of(&s->conn, event) && (event->what & (BK_READY_READABLE | BK_READY_PEER_CLOSED | BK_READY_CLOSED)))
        s->ready = true;
}
