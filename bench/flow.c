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

int flow_source_work(struct flow_source *s, uint64_t now, struct bench_run *run) {
    const uint8_t *pattern = flow_pattern();
    int worked = 0;
    while (s->ready && s->sent < s->total) {
        const uint8_t *data = pattern + (s->verify ? s->sent % FLOW_PERIOD : 0);
        ptrdiff_t n = bk_tcp_send(s->stack, s->conn, data, (size_t)u64_min(FLOW_UNIT, s->total - s->sent), 0, now);
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

int flow_sink_work(struct flow_sink *s, uint64_t now, struct bench_run *run) {
    int worked = 0;
    while (s->ready) {
        ptrdiff_t n = bk_tcp_receive(s->stack, s->conn, s->buffer, sizeof s->buffer, now);
        if (n == -EAGAIN || n == 0) {
            s->ready = false;
            s->ended = n == 0;
            continue;
        }
        if (n < 0)
            return bench_fail(run, "receiving fails after %llu bytes: %s", (unsigned long long)s->received,
                              strerror((int)-n));
        if (s->verify && memcmp(s->buffer, flow_pattern() + s->received % FLOW_PERIOD, (size_t)n) != 0)
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
