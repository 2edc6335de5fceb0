/* A scoreboard alone, on the bench of recovery_bench.h: empty at first, and with as many shared records as a test wants. */
#ifndef TESTS_SCOREBOARD_BENCH_H
#define TESTS_SCOREBOARD_BENCH_H

#include "recovery_bench.h"

#include "lab/audit_scoreboard.h"

static inline void expect_sound(const struct bench *b) {
    struct fault fault = {0};
    if (!audit_scoreboard(b->t, b->c, &fault)) fail_msg("%s", fault.text);
}

/* A connection with nothing outstanding, whose next number is `seq`. */
static inline void bench_empty(struct bench *b, uint32_t seq) {
    scoreboard_clear(b->t, &b->a->board);
    b->c->snd_una = b->c->snd_nxt = b->c->snd_end = seq;
    b->c->recover = b->c->iss = seq - 1;
    rack_init(&b->a->rack, seq);
}

static inline void bench_up_records(struct bench *b, uint32_t records) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.sent_records = records;
    config.congestion = BK_CONGESTION_NEWRENO;
    bench_up_with(b, true, &config);
    bench_empty(b, BASE);
}

static inline void bench_append(struct bench *b, uint32_t octets, bool fin, uint16_t mss) {
    scoreboard_append(b->t, &b->a->board, b->c->snd_nxt, octets, fin, mss);
    b->c->snd_nxt += octets + fin;
    b->c->snd_end = b->c->snd_nxt - fin;
}

static inline void bench_news(struct bench *b, struct ack_news *n) {
    static const struct wire_tcp_options none;
    ack_news_begin(n, b->t, b->c, &none);
}

#endif
