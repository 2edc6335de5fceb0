/* A connection that sends: see sender.h. */
#include "sender.h"

struct sender sender_up(enum bk_congestion congestion, uint32_t mss) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.congestion = congestion;
    struct sender s = {.k = core_up(&config, 0)};
    s.t = s.k.tcp;
    base_now(s.k.base, NS_PER_S);
    struct tuple tuple = {bk_addr_ipv4(192, 0, 2, 1), bk_addr_ipv4(192, 0, 2, 2), 80, 40000};
    s.c = connection_at(s.t, connection_new(s.t, &tuple, demux_hash(&s.t->base, &tuple), 0, DEMUX_NONE));
    s.c->state = BK_ESTABLISHED;
    s.c->syn_acked = true;
    s.c->mss = (uint16_t)mss;
    s.c->iss = UINT32_MAX - 20000; /* numbers wrap early */
    s.c->snd_una = s.c->snd_nxt = s.c->iss + 1;
    assert_non_null(connection_activate(s.t, s.c));
    s.g = &active_of(s.t, s.c)->congestion;
    congestion_start(s.t, s.c, 0);
    return s;
}

void sender_down(struct sender *s) {
    core_down(&s->k);
}

void sender_pass(struct sender *s, uint64_t us) {
    base_now(s->k.base, s->t->base.now + us * NS_PER_US);
}

void sender_send(struct sender *s, uint32_t bytes) {
    s->c->snd_nxt += bytes;
    s->c->snd_end = s->c->snd_nxt + s->queued;
    s->c->sent_at = s->t->base.now;
    congestion_sent(s->t, s->c, connection_outstanding(s->c));
}

void sender_fill(struct sender *s) {
    uint32_t outstanding = connection_outstanding(s->c);
    while (outstanding + s->c->mss <= s->c->cwnd) {
        sender_send(s, s->c->mss);
        outstanding += s->c->mss;
    }
}

void sender_limit(struct sender *s) {
    congestion_sent(s->t, s->c, s->c->cwnd);
}

void sender_acked(struct sender *s, uint32_t bytes) {
    static const struct rate_sample none;
    struct congestion_sample sample = {
        .now = s->t->base.now,
        .acked = bytes,
        .prior_in_flight = connection_outstanding(s->c) + bytes,
        .in_flight = connection_outstanding(s->c),
        .rtt_us = s->rtt_us,
        .grow = true,
        .rate = &none,
    };
    congestion_acked(s->t, s->c, &sample);
}

void sender_ack(struct sender *s, uint32_t bytes) {
    s->c->snd_una += bytes;
    s->c->progress_at = s->t->base.now;
    sender_acked(s, bytes);
}

void sender_reduce(struct sender *s) {
    s->c->ssthresh = congestion_ssthresh(s->t, s->c, connection_outstanding(s->c));
    congestion_event(s->t, s->c, CONGESTION_REDUCE);
    s->c->cwnd = s->c->ssthresh;
    congestion_event(s->t, s->c, CONGESTION_RECOVER);
}

void sender_rest(struct sender *s) {
    pool_free(&s->t->base, &s->t->active, s->c->active);
    s->c->active = BK_NONE;
}
