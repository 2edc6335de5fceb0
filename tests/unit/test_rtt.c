/* Shows that the round-trip time and the retransmission timeout follow RFC 6298: each expected value is worked out from its formulas. */
#include "core.h"

#include "tcp/ack_news.h"
#include "tcp/options.h"
#include "tcp/rtt.h"

#define START (1000 * NS_PER_S)

struct bench {
    struct core k;
    struct connection *c;
};

static void bench_up_least(struct bench *b, uint32_t rto_min_ms) {
    struct bk_config config;
    bk_config_tiny(&config);
    config.rto_initial_ms = 1000;
    config.rto_min_ms = rto_min_ms;
    config.rto_max_ms = 60000;
    b->k = core_up(&config, 0);
    base_now(b->k.base, START);
    struct tuple tuple = {bk_addr_ipv4(192, 0, 2, 1), bk_addr_ipv4(192, 0, 2, 2), 80, 40000};
    b->c =
        connection_at(b->k.tcp, connection_new(b->k.tcp, &tuple, demux_hash(&b->k.tcp->base, &tuple), 0, DEMUX_NONE));
    b->c->snd_una = b->c->snd_nxt = UINT32_MAX - 100; /* the numbers wrap */
}

/* With RFC 6298's formula and nothing else. */
static void bench_up(struct bench *b) {
    bench_up_least(b, 1);
}

static void later(struct bench *b, uint64_t us) {
    base_now(b->k.base, b->k.base->now + us * NS_PER_US);
}

/* Sends n bytes. */
static void send(struct bench *b, uint32_t n) {
    struct active *a = connection_activate(b->k.tcp, b->c);
    scoreboard_append(b->k.tcp, &a->board, b->c->snd_nxt, n, false, 1000);
    b->c->snd_nxt += n;
}

/* An ACK up to `ack`, with these options. */
static void acked_with(struct bench *b, uint32_t ack, const struct wire_tcp_options *option) {
    struct ack_news n;
    ack_news_begin(&n, b->k.tcp, b->c, option);
    if (n.a != NULL) scoreboard_acked(b->k.tcp, &n.a->board, ack, &n);
    n.advanced = true;
    b->c->snd_una = ack;
    rtt_acked(&n);
}
static void acked(struct bench *b, uint32_t ack) {
    static const struct wire_tcp_options none;
    acked_with(b, ack, &none);
}

/* Sends n bytes, and has them acknowledged after so many microseconds. */
static void round_trip(struct bench *b, uint32_t n, uint64_t us) {
    send(b, n);
    later(b, us);
    acked(b, b->c->snd_nxt);
}

static void expect_rtt(const struct bench *b, uint32_t srtt, uint32_t rttvar, uint32_t rto) {
    assert_int_equal(b->c->srtt_us, srtt);
    assert_int_equal(b->c->rttvar_us, rttvar);
    assert_int_equal(b->c->rto_us, rto);
    assert_true(rtt_rto_ns(b->c) == rto * NS_PER_US);
}

/* 2.1: one second until there is a sample. */
static void before_any_sample(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    expect_rtt(&b, 0, 0, 1000000);
    core_down(&b.k);
}

/* 2.2: SRTT <- R, RTTVAR <- R/2, RTO <- SRTT + max(G, 4 * RTTVAR). */
static void the_first_sample(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    round_trip(&b, 100, 300000);
    expect_rtt(&b, 300000, 150000, 900000);
    core_down(&b.k);
}

/* 2.3: RTTVAR <- 3/4 RTTVAR + 1/4 |SRTT - R'|, with the old SRTT; then SRTT <- 7/8 SRTT + 1/8 R'. */
static void further_samples(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    round_trip(&b, 100, 400000);
    expect_rtt(&b, 400000, 200000, 1200000);
    round_trip(&b, 100, 800000); /* 150,000 + 100,000; 350,000 + 100,000 */
    expect_rtt(&b, 450000, 250000, 1450000);
    round_trip(&b, 100, 50000); /* 187,500 + 100,000; 393,750 + 6,250 */
    expect_rtt(&b, 400000, 287500, 1550000);
    assert_int_equal(b.c->min_rtt_us, 50000);
    core_down(&b.k);
}

/* Against the formulas in floating point, for random samples: integers lose less than two microseconds a step, and forget it again. */
static void against_the_formulas(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    uint64_t random = 51;
    double srtt = 0, rttvar = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t r = 1 + core_below(&random, core_below(&random, 10) ? 200000 : 3000000);
        round_trip(&b, 1, r);
        if (i == 0) {
            srtt = r;
            rttvar = r / 2.0;
        } else {
            double deviation = srtt > r ? srtt - r : r - srtt;
            rttvar = 0.75 * rttvar + 0.25 * deviation;
            srtt = 0.875 * srtt + 0.125 * r;
        }
        double rto = srtt + (4 * rttvar > 1000 ? 4 * rttvar : 1000);
        if (rto > 60000000) rto = 60000000;
        double error = rto - b.c->rto_us;
        assert_true(error < 60 && error > -60);
    }
    core_down(&b.k);
}

/* 2.4, 2.5: the RTO has a floor, which here is one for the time that an ACK may be late (rtt.h), and a ceiling. */
static void clamped(void **state) {
    (void)state;
    struct bench b;
    bench_up_least(&b, 200);
    for (uint32_t i = 0; i < 200; i++) round_trip(&b, 100, 1000);
    assert_int_equal(b.c->srtt_us, 1000);
    assert_int_equal(b.c->rto_us, 201000);
    for (uint32_t i = 0; i < 200; i++) round_trip(&b, 100, 100000000);
    assert_int_equal(b.c->rto_us, 60000000);
    rtt_sample(b.k.tcp, b.c, UINT64_MAX); /* a sample of any size keeps within 32 bits */
    assert_int_equal(b.c->rto_us, 60000000);
    core_down(&b.k);
}

/* G: with no variance left the RTO still lies a clock tick above the RTT. */
static void granularity(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    for (uint32_t i = 0; i < 400; i++) round_trip(&b, 100, 500000);
    assert_in_range(b.c->rttvar_us, 0, 2);
    assert_int_equal(b.c->rto_us, b.c->srtt_us + 1000);
    core_down(&b.k);
}

/* A round trip of less than a microsecond is a sample, too. */
static void no_time_at_all(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    round_trip(&b, 100, 0);
    assert_int_equal(b.c->srtt_us, 1);
    assert_int_equal(b.c->min_rtt_us, 1);
    core_down(&b.k);
}

/* 5.5: RTO <- RTO * 2, up to the ceiling. */
static void backed_off(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    round_trip(&b, 100, 300000);
    uint32_t rto = 900000;
    for (uint32_t i = 0; i < 6; i++) {
        rtt_back_off(b.k.tcp, b.c);
        rto *= 2;
        assert_int_equal(b.c->rto_us, rto);
    }
    for (uint32_t i = 0; i < 40; i++) rtt_back_off(b.k.tcp, b.c);
    assert_int_equal(b.c->rto_us, 60000000);
    /* 5: "once a new RTT measurement is obtained ... the computation of RTO may collapse" it */
    round_trip(&b, 100, 300000);
    expect_rtt(&b, 300000, 112500, 750000);
    core_down(&b.k);
}

/* The oldest of what an ACK covers is the sample, for an ACK may wait for more; the newest gives the least RTT. */
static void oldest_and_newest(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    send(&b, 100);
    later(&b, 70000);
    send(&b, 100);
    later(&b, 30000);
    acked(&b, b.c->snd_nxt);
    assert_int_equal(b.c->srtt_us, 100000);
    assert_int_equal(b.c->min_rtt_us, 30000);
    core_down(&b.k);
}

/* Karn's algorithm (RFC 6298 3): what was sent again gives no sample, nor does an ACK that covers it with others. */
static void sent_again_gives_no_sample(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    uint32_t first = b.c->snd_nxt;
    send(&b, 100);
    send(&b, 100);
    later(&b, 1000000);
    struct scoreboard *board = &active_of(b.k.tcp, b.c)->board;
    uint32_t id = scoreboard_first(b.k.tcp, board);
    scoreboard_lose(b.k.tcp, board, id);
    scoreboard_resend(b.k.tcp, board, id, first + 100, 1000);
    later(&b, 10000);
    acked(&b, b.c->snd_nxt);
    assert_int_equal(b.c->srtt_us, 0);
    core_down(&b.k);
}

/* What is SACKed is a sample, too: of the oldest SACKed. */
static void selectively_acknowledged(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    b.c->sack = true;
    b.c->max_snd_wnd = 10000;
    uint32_t first = b.c->snd_nxt;
    send(&b, 100);
    later(&b, 5000);
    send(&b, 100);
    later(&b, 40000);
    struct wire_tcp_options option = {.sack_count = 1, .sack = {{first + 100, first + 200}}};
    struct ack_news n;
    ack_news_begin(&n, b.k.tcp, b.c, &option);
    ack_news_sack(&n, first);
    rtt_acked(&n);
    assert_int_equal(b.c->srtt_us, 40000);
    core_down(&b.k);
}

/* RFC 7323 4: the echo of our timestamp tells the time also of what was sent again; an echo of 0, or from the future, or as old as no
 * segment can be, tells nothing; nor does the option where it was not agreed on. */
static void echoes_of_our_timestamp(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    struct wire_tcp_options echo = {.has_timestamps = true, .tsecr = timestamp_now(b.k.tcp, b.c->ts_offset)};
    later(&b, 250000);
    acked_with(&b, b.c->snd_nxt, &echo);
    assert_int_equal(b.c->srtt_us, 0); /* not agreed */
    b.c->timestamps = true;
    struct wire_tcp_options none = echo;
    none.has_timestamps = false;
    acked_with(&b, b.c->snd_nxt, &none);
    assert_int_equal(b.c->srtt_us, 0);
    struct wire_tcp_options zero = echo;
    zero.tsecr = 0;
    acked_with(&b, b.c->snd_nxt, &zero);
    assert_int_equal(b.c->srtt_us, 0);
    struct wire_tcp_options wild = echo;
    wild.tsecr += 100000;
    acked_with(&b, b.c->snd_nxt, &wild);
    assert_int_equal(b.c->srtt_us, 0);
    wild.tsecr = echo.tsecr - 60000;
    acked_with(&b, b.c->snd_nxt, &wild);
    assert_int_equal(b.c->srtt_us, 0);
    acked_with(&b, b.c->snd_nxt, &echo);
    expect_rtt(&b, 250000, 125000, 750000);
    core_down(&b.k);
}

/* What our own clock has timed needs no echo of a coarser one. */
static void the_finer_clock_wins(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    b.c->timestamps = true;
    send(&b, 200);
    struct wire_tcp_options echo = {.has_timestamps = true, .tsecr = timestamp_now(b.k.tcp, b.c->ts_offset)};
    later(&b, 123456);
    acked_with(&b, b.c->snd_nxt, &echo);
    assert_int_equal(b.c->srtt_us, 123456);
    core_down(&b.k);
}

/* Our SYN is timed, unless it went again: then its echo tells (RFC 6298 3, RFC 7323 4). */
static void of_our_syn(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    b.c->timestamps = true;
    b.c->sent_at = b.k.base->now;
    struct wire_tcp_options echo = {.has_timestamps = true, .tsecr = timestamp_now(b.k.tcp, b.c->ts_offset)};
    later(&b, 123456);
    rtt_syn_acked(b.k.tcp, b.c, &echo);
    assert_int_equal(b.c->srtt_us, 123456);
    b.c->srtt_us = 0;
    b.c->retransmits = 1;
    rtt_syn_acked(b.k.tcp, b.c, &echo);
    assert_int_equal(b.c->srtt_us, 123000);
    core_down(&b.k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_any_sample),
        cmocka_unit_test(the_first_sample),
        cmocka_unit_test(further_samples),
        cmocka_unit_test(against_the_formulas),
        cmocka_unit_test(clamped),
        cmocka_unit_test(granularity),
        cmocka_unit_test(no_time_at_all),
        cmocka_unit_test(backed_off),
        cmocka_unit_test(oldest_and_newest),
        cmocka_unit_test(selectively_acknowledged),
        cmocka_unit_test(of_our_syn),
        cmocka_unit_test(sent_again_gives_no_sample),
        cmocka_unit_test(echoes_of_our_timestamp),
        cmocka_unit_test(the_finer_clock_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
