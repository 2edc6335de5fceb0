/* A path with one bottleneck: see path_model.h. */
#include "path_model.h"

#include <stdlib.h>

#include "base/draw.h"

struct path_model path_up(uint64_t rate, uint64_t rtt_us, uint64_t buffer) {
    return (struct path_model){.now = NS_PER_S, .rate = rate, .rtt_us = rtt_us, .buffer = buffer, .random = 1};
}

struct path_flow *path_add(struct path_model *m, enum bk_congestion congestion) {
    struct path_flow *f = &m->flow[m->flows++];
    *f = (struct path_flow){.s = sender_up(congestion, 1000), .starts_at = m->now};
    f->segment = calloc(PATH_FLIGHT, sizeof *f->segment);
    assert_non_null(f->segment);
    f->s.c->sack = true;
    f->s.c->rto_us = 1000000;
    base_now(f->s.k.base, m->now);
    /* The handshake told the RTT. */
    rtt_sample(f->s.t, f->s.c, m->rtt_us);
    congestion_choose(f->s.t, f->s.c, BK_CONGESTION_NEWRENO);
    congestion_choose(f->s.t, f->s.c, congestion);
    f->s.queued = UINT32_C(1) << 20;
    return f;
}

void path_down(struct path_model *m) {
    for (int i = 0; i < m->flows; i++) {
        free(m->flow[i].segment);
        sender_down(&m->flow[i].s);
    }
}

void path_measure(struct path_model *m) {
    for (int i = 0; i < m->flows; i++) {
        m->flow[i].delivered = m->flow[i].dropped = m->flow[i].losses = 0;
        m->flow[i].queue_sum = 0;
    }
}

static struct rate *rate_of(struct path_flow *f) {
    return &active_of(f->s.t, f->s.c)->rate;
}

/* The segment meets the bottleneck. Returns when its ACK comes. */
static uint64_t forward(struct path_model *m, uint32_t bytes) {
    uint64_t begins = u64_max(m->free_at, m->now);
    uint64_t queued = (begins - m->now) * m->rate / NS_PER_S;
    if (queued + bytes > m->buffer + bytes || draw(&m->random) % 1000000 < m->loss_ppm) return BK_NEVER;
    m->free_at = begins + bytes * NS_PER_S / m->rate;
    return m->free_at + m->rtt_us * NS_PER_US;
}

static bool may_send(const struct path_model *m, const struct path_flow *f) {
    const struct connection *c = f->s.c;
    return f->in_flight + c->mss <= c->cwnd && pacing_due(f->s.t, c) <= m->now && m->now >= f->starts_at;
}

static void send_one(struct path_model *m, struct path_flow *f) {
    struct connection *c = f->s.c;
    uint32_t mss = c->mss;
    struct path_segment *p = &f->segment[f->sent++ % PATH_FLIGHT];
    base_now(f->s.k.base, m->now);
    rate_sent(rate_of(f), &p->mark, f->in_flight, mss, m->now);
    p->sent_at = m->now;
    p->again = f->lost != 0;
    f->in_flight += mss;
    if (p->again) c->bytes_retransmitted += mss;
    c->sent_at = m->now;
    if (p->again) {
        f->lost -= mss;
    } else {
        c->snd_nxt += mss;
        c->snd_end = c->snd_nxt + f->s.queued;
        congestion_sent(f->s.t, c, f->in_flight);
    }
    pacing_sent(f->s.t, c, mss);
    p->ack_at = forward(m, mss);
    if (p->ack_at == BK_NEVER) f->dropped += mss;
}

static void lose(struct path_flow *f, const struct path_segment *p) {
    uint32_t mss = f->s.c->mss;
    f->in_flight -= mss;
    f->lost += mss;
    rate_lost(rate_of(f), mss);
    congestion_lost(f->s.t, f->s.c, &p->mark, mss);
}

/* What left three transmissions or more before the newest that is acknowledged, and was dropped, is lost. */
static void review(struct path_flow *f) {
    while (f->reviewed + 3 < f->acked) {
        struct path_segment *p = &f->segment[f->reviewed++ % PATH_FLIGHT];
        if (p->ack_at == BK_NEVER) lose(f, p);
    }
}

static void reduce(struct path_flow *f, enum congestion_event event) {
    struct connection *c = f->s.c;
    f->losses++;
    f->recovering = true;
    f->recover = c->snd_nxt;
    c->ssthresh = congestion_ssthresh(f->s.t, c, f->in_flight);
    if (!congestion_owns_window(c)) c->cwnd = event == CONGESTION_RTO ? c->mss : c->ssthresh;
    congestion_event(f->s.t, c, event);
}

static void take_ack(struct path_model *m, struct path_flow *f) {
    struct connection *c = f->s.c;
    struct rate_sample rate;
    struct congestion_sample s = {.now = m->now, .acked = c->mss, .prior_in_flight = f->in_flight, .rate = &rate};
    struct path_segment *p = &f->segment[f->acked++ % PATH_FLIGHT];
    base_now(f->s.k.base, m->now);
    uint64_t rtt_us = (m->now - p->sent_at) / NS_PER_US;
    rate_begin(rate_of(f), &rate);
    rate_delivered(rate_of(f), &rate, &p->mark, p->sent_at, (uint32_t)f->acked, c->mss, p->again, m->now);
    f->in_flight -= c->mss;
    f->delivered += c->mss;
    f->queue_sum += (double)(rtt_us - m->rtt_us);
    c->snd_una += c->mss;
    c->bytes_acked += c->mss;
    if (!p->again) {
        rtt_sample(f->s.t, c, rtt_us);
        s.rtt_us = (uint32_t)rtt_us;
    }
    review(f);
    rate_take(rate_of(f), &rate, c->min_rtt_us);
    if (rate.newly_lost != 0 && !f->recovering) reduce(f, CONGESTION_REDUCE);
    if (f->recovering && seq_ge(c->snd_una, f->recover)) {
        f->recovering = false;
        congestion_event(f->s.t, c, CONGESTION_RECOVER);
    }
    s.grow = !f->recovering || c->cwnd < c->ssthresh;
    s.in_flight = f->in_flight;
    congestion_acked(f->s.t, c, &s);
}

/* Nothing will be acknowledged any more: the timer fires. */
static void time_out(struct path_model *m, struct path_flow *f) {
    m->now += f->s.c->rto_us * NS_PER_US;
    base_now(f->s.k.base, m->now);
    for (; f->reviewed < f->sent; f->reviewed++) {
        struct path_segment *p = &f->segment[f->reviewed % PATH_FLIGHT];
        if (p->ack_at == BK_NEVER) lose(f, p);
    }
    f->acked = f->sent;
    reduce(f, CONGESTION_RTO);
}

/* When something happens to this flow next. */
static uint64_t flow_next(const struct path_model *m, struct path_flow *f) {
    while (f->acked < f->sent && f->segment[f->acked % PATH_FLIGHT].ack_at == BK_NEVER) f->acked++;
    uint64_t next = f->acked < f->sent ? f->segment[f->acked % PATH_FLIGHT].ack_at : BK_NEVER;
    if (m->now < f->starts_at) return f->starts_at;
    if (f->in_flight + f->s.c->mss <= f->s.c->cwnd) next = u64_min(next, pacing_due(f->s.t, f->s.c));
    return next;
}

void path_run(struct path_model *m, uint64_t us, void (*watch)(struct path_model *m, struct path_flow *f, void *of),
              void *of) {
    uint64_t end = m->now + us * NS_PER_US;
    for (;;) {
        struct path_flow *first = NULL;
        uint64_t next = BK_NEVER;
        for (int i = 0; i < m->flows; i++) {
            while (may_send(m, &m->flow[i])) send_one(m, &m->flow[i]);
            uint64_t at = flow_next(m, &m->flow[i]);
            if (at == BK_NEVER) {
                time_out(m, &m->flow[i]);
                at = m->now;
            }
            if (at < next) {
                next = at;
                first = &m->flow[i];
            }
        }
        if (next > end) break;
        m->now = u64_max(m->now, next);
        if (first->acked < first->sent && first->segment[first->acked % PATH_FLIGHT].ack_at <= m->now) {
            take_ack(m, first);
            if (watch != NULL) watch(m, first, of);
        }
    }
    m->now = end;
}
