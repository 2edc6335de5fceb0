/* A connection on the bench whose losses a test plays: what it sends goes on its scoreboard, and ACKs are made from numbers.
 *
 * Numbers are counted from BASE, which lies so that the flight wraps. Ten segments of 1,000 octets are in flight at the beginning, sent in one
 * unit at START, and cwnd is as large. */
#ifndef TESTS_RECOVERY_BENCH_H
#define TESTS_RECOVERY_BENCH_H

#include "core.h"

#include <stdarg.h>

#include "tcp/ack_news.h"
#include "tcp/frto.h"
#include "tcp/options.h"
#include "tcp/rtt.h"
#include "tcp/tail_probe.h"
#include "tcp/undo.h"

#define MSS   1000u
#define BASE  (UINT32_MAX - 4999)
#define START (1000 * NS_PER_S)

struct bench {
    struct core k;
    struct tcp *t;
    struct connection *c;
    struct active *a;
    uint32_t tsecr; /* echoed by the ACKs to come; 0: none */
    bool ece;       /* in the ACKs to come */
};

static inline void bench_later(struct bench *b, uint64_t us) {
    base_now(b->k.base, b->k.base->now + us * NS_PER_US);
}

/* New data leaves, as one unit. */
static inline void bench_send(struct bench *b, uint32_t octets) {
    struct connection *c = b->c;
    uint32_t in_flight = recovery_pipe(b->t, c);
    uint32_t id = scoreboard_append(b->t, &b->a->board, c->snd_nxt, octets, false, MSS);
    rate_sent(&b->a->rate, &sent_at_id(b->t, id)->mark, in_flight, octets, b->t->base.now);
    c->snd_nxt += octets;
    if (seq_lt(c->snd_end, c->snd_nxt)) c->snd_end = c->snd_nxt;
    prr_sent(&b->a->recovery.prr, octets);
    congestion_sent(b->t, c, recovery_pipe(b->t, c));
}

/* The first octets that wait to be sent again leave. */
static inline void bench_resend(struct bench *b, uint32_t octets) {
    uint32_t id = scoreboard_next_lost(b->t, &b->a->board);
    assert_int_not_equal(id, BK_NONE);
    uint32_t seq = sent_at_id(b->t, id)->seq;
    id = scoreboard_resend(b->t, &b->a->board, id, seq + octets, MSS);
    b->c->segments_retransmitted += sent_at_id(b->t, id)->segments;
    undo_sent(b->t, b->c, seq, seq + octets);
    prr_sent(&b->a->recovery.prr, octets);
}

static inline void bench_up_with(struct bench *b, bool sack, const struct bk_config *config) {
    *b = (struct bench){.k = core_up(config, 0)};
    b->t = b->k.tcp;
    base_now(b->k.base, START);
    struct tuple tuple = {bk_addr_ipv4(192, 0, 2, 1), bk_addr_ipv4(192, 0, 2, 2), 80, 40000};
    struct connection *c = b->c =
        connection_at(b->t, connection_new(b->t, &tuple, demux_hash(&b->t->base, &tuple), 0, DEMUX_NONE));
    c->state = BK_ESTABLISHED;
    c->mss = MSS;
    c->sack = sack;
    c->syn_acked = true;
    c->iss = BASE - 1;
    c->recover = c->iss; /* RFC 6582 3.2 step 1 */
    c->snd_una = c->snd_nxt = c->snd_end = BASE;
    c->snd_wnd = c->max_snd_wnd = 100000;
    congestion_start(b->t, c, 0);
    b->a = connection_activate(b->t, c);
    assert_non_null(b->a);
    bench_send(b, 10 * MSS);
}

static inline void bench_up(struct bench *b, bool sack) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.sent_records = 100;
    config.congestion = BK_CONGESTION_NEWRENO;
    bench_up_with(b, sack, &config);
}

struct block {
    uint32_t left, right;
};

/* An ACK up to `to`, with these SACK blocks. */
static inline void bench_ack_sack(struct bench *b, uint32_t to, const struct block *blocks, uint32_t count) {
    struct ack_news n;
    struct wire_tcp_options option = {.sack_count = (uint8_t)count};
    for (uint32_t i = 0; i < count; i++)
        option.sack[i] = (struct wire_sack_block){BASE + blocks[i].left, BASE + blocks[i].right};
    option.has_timestamps = b->tsecr != 0;
    option.tsecr = b->tsecr;
    ack_news_begin(&n, b->t, b->c, &option);
    n.ece = b->ece;
    uint32_t ack = BASE + to;
    if (seq_gt(ack, b->c->snd_una)) {
        scoreboard_acked(b->t, &b->a->board, ack, &n);
        n.advanced = true;
        b->c->snd_una = ack;
    } else {
        n.duplicate = ack == b->c->snd_una;
    }
    if (n.advanced) b->c->retransmits = 0;
    ack_news_sack(&n, ack);
    recovery_acked(&n);
}
#define ACK_SACK(b, to, ...)                                                                                           \
    bench_ack_sack(b, to, (const struct block[]){__VA_ARGS__},                                                         \
                   sizeof((const struct block[]){__VA_ARGS__}) / sizeof(struct block))
static inline void bench_ack(struct bench *b, uint32_t to) {
    bench_ack_sack(b, to, NULL, 0);
}

/* What waits to be sent again next. */
static inline void expect_next(const struct bench *b, uint32_t from, uint16_t reason) {
    uint32_t id = scoreboard_next_lost(b->t, &b->a->board);
    assert_int_not_equal(id, BK_NONE);
    assert_int_equal(sent_at_id(b->t, id)->seq - BASE, from);
    assert_int_equal(b->c->rtx_reason, reason);
}
static inline void expect_nothing_lost(const struct bench *b) {
    assert_false(recovery_has_lost(b->t, b->c));
}
static inline void expect_segments(const struct bench *b, uint32_t sacked, uint32_t lost, uint32_t resent) {
    assert_int_equal(b->a->board.sacked, sacked);
    assert_int_equal(b->a->board.lost_segments, lost);
    assert_int_equal(b->a->board.resent, resent);
}
static inline uint32_t pipe_of(const struct bench *b) {
    return recovery_pipe(b->t, b->c);
}

#endif
