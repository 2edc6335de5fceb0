/* What held sending back, and for how long. See send_time.h. */
#include "tcp/send_time.h"

#include "tcp/connection.h"
#include "tcp/recovery.h"

static enum send_limit limit_of(const struct tcp *t, const struct connection *c) {
    if (c->snd_una == c->snd_end) return SEND_IDLE;
    uint32_t pipe = recovery_pipe(t, c), outstanding = connection_outstanding(c);
    if (c->cwnd < pipe + c->mss) return SEND_BUSY;
    uint32_t unsent = seq_lt(c->snd_nxt, c->snd_end) ? c->snd_end - c->snd_nxt : 0;
    if (unsent == 0) return c->want_write && !c->fin_queued ? SEND_BUFFER : SEND_BUSY;
    uint32_t usable = c->snd_wnd > outstanding ? c->snd_wnd - outstanding : 0;
    return usable < u32_min(unsent, c->mss) ? SEND_WINDOW : SEND_BUSY;
}

void send_time_note(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || !c->syn_acked) return;
    struct send_time *s = &a->time;
    enum send_limit limit = limit_of(t, c);
    if (limit == s->limit) return;
    uint64_t ms = s->limit == SEND_IDLE ? 0 : (t->base.now - s->since) / NS_PER_MS;
    c->send_time_ms[0] += (uint32_t)ms;
    if (s->limit >= SEND_WINDOW) c->send_time_ms[s->limit - SEND_BUSY] += (uint32_t)ms;
    s->since = s->limit == SEND_IDLE ? t->base.now : s->since + ms * NS_PER_MS;
    s->limit = (uint8_t)limit;
}

struct send_times send_times_of(const struct tcp *t, const struct connection *c) {
    const struct active *a = active_of(t, c);
    uint64_t us[3] = {c->send_time_ms[0] * UINT64_C(1000), c->send_time_ms[1] * UINT64_C(1000),
                      c->send_time_ms[2] * UINT64_C(1000)};
    if (a != NULL && a->time.limit != SEND_IDLE) {
        uint64_t running = (t->base.now - a->time.since) / NS_PER_US;
        us[0] += running;
        if (a->time.limit >= SEND_WINDOW) us[a->time.limit - SEND_BUSY] += running;
    }
    return (struct send_times){us[0], us[1], us[2]};
}
