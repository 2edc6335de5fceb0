/* BBR's model of the path: see congestion_bbr.h. Numbers in parentheses are sections of draft-ietf-ccwg-bbr. */
#include "tcp/congestion_bbr.h"

#include "tcp/connection.h"

#define BETA_PERCENT          70u
#define HEADROOM_PERCENT      15u
#define LOSS_THRESH_PERCENT   2u
#define FULL_BW_PERCENT       125u
#define FULL_BW_ROUNDS        3u
#define EXTRA_ACKED_ROUNDS    5u /* of each of the two stretches; together they are up to ten rounds long */
#define MIN_RTT_FILTER_NS     (10 * NS_PER_S)
#define PROBE_RTT_INTERVAL_NS (5 * NS_PER_S)
#define BW_MAX                (UINT64_C(1) << 40) /* nothing is faster; keeps products within 64 bits */

/* ---- amounts ---------------------------------------------------------------------------------------- */

uint64_t bbr_max_bw(const struct bbr *b) {
    return u64_max(b->max_bw[0], b->max_bw[1]);
}

uint64_t bbr_amount(uint64_t bw, uint64_t us) {
    us = u64_min(us, UINT64_C(1) << 29);
    return bw >> 34 == 0 ? bw * us / 1000000 : bw / 1000 * us / 1000;
}

uint32_t bbr_min_pipe(const struct bbr_at *x) {
    return BBR_MIN_PIPE_CWND * x->c->mss;
}

uint32_t bbr_bdp(const struct bbr_at *x, uint64_t bw, uint32_t gain) {
    if (x->b->min_rtt_us == BBR_RTT_UNKNOWN) return congestion_initial_window(x->c);
    return (uint32_t)u64_min(bbr_amount(u64_min(bw, BW_MAX), x->b->min_rtt_us) * gain / 100, BBR_INFLIGHT_NONE - 1);
}

/* Room for offload: three units (5.5.7), and for the delayed ACKs of any receiver (5.6.4.3). */
uint32_t bbr_quantization_budget(const struct bbr_at *x, uint64_t inflight) {
    inflight = u64_max(inflight, 3 * (uint64_t)bbr_send_quantum(x));
    inflight = u64_max(inflight, bbr_min_pipe(x));
    if (x->b->state == BBR_PROBE_BW_UP) inflight += 2u * x->c->mss;
    return (uint32_t)u64_min(inflight, BBR_INFLIGHT_NONE - 1);
}

uint32_t bbr_inflight(const struct bbr_at *x, uint64_t bw, uint32_t gain) {
    return bbr_quantization_budget(x, bbr_bdp(x, bw, gain));
}

uint32_t bbr_inflight_with_headroom(const struct bbr_at *x) {
    uint32_t longterm = x->b->inflight_longterm;
    if (longterm == BBR_INFLIGHT_NONE) return BBR_INFLIGHT_NONE;
    uint32_t headroom = u32_max(x->c->mss, (uint32_t)((uint64_t)longterm * HEADROOM_PERCENT / 100));
    return u32_max(longterm > headroom ? longterm - headroom : 0, bbr_min_pipe(x));
}

uint32_t bbr_target_inflight(const struct bbr_at *x) {
    return u32_min(bbr_bdp(x, x->b->bw, 100), x->c->cwnd);
}

/* ---- rounds and the rate ---------------------------------------------------------------------------- */

void bbr_start_round(struct bbr_at *x) {
    x->b->next_round_delivered = x->r->delivered;
}

/* UpdateRound: a round is over when something is delivered that left after it began. */
static void update_round(struct bbr_at *x) {
    struct bbr *b = x->b;
    b->round_start = x->rs->sent_at != 0 && x->rs->prior_delivered >= b->next_round_delivered;
    if (!b->round_start) return;
    bbr_start_round(x);
    b->round_count++;
    b->rounds_since_probe_up++;
}

/* A sample of a sender that had no more to send counts only if it shows more than is known. */
static void update_max_bw(struct bbr_at *x) {
    struct bbr *b = x->b;
    update_round(x);
    uint64_t rate = u64_min(x->rs->rate, BW_MAX);
    if (rate != 0 && (rate >= bbr_max_bw(b) || !x->rs->app_limited)) b->max_bw[0] = u64_max(b->max_bw[0], rate);
}

/* A cycle without a sample does not make those before it forgotten. */
void bbr_advance_max_bw_filter(struct bbr *b) {
    if (b->max_bw[0] == 0) return;
    b->max_bw[1] = b->max_bw[0];
    b->max_bw[0] = 0;
}

void bbr_reset_full_bw(struct bbr *b) {
    b->full_bw = 0;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

/* Three rounds in which the rate did not grow by a quarter, although it was tried: the pipe is full (5.3.1.2). */
void bbr_check_full_bw_reached(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->full_bw_now || !b->round_start || x->rs->app_limited) return;
    uint64_t rate = u64_min(x->rs->rate, BW_MAX);
    if (rate * 100 >= b->full_bw * FULL_BW_PERCENT) {
        bbr_reset_full_bw(b);
        b->full_bw = rate;
        return;
    }
    b->full_bw_now = ++b->full_bw_count >= FULL_BW_ROUNDS;
    if (b->full_bw_now) b->full_bw_reached = true;
}

/* ---- aggregation ------------------------------------------------------------------------------------ */

/* The most of the last rounds: a stretch gives way to the next, and is remembered until that one is over. In Startup it is one round long. */
static void extra_acked_note(struct bbr *b, uint32_t extra) {
    uint32_t rounds = b->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1;
    if (b->round_count - b->extra_acked_round >= rounds) {
        b->extra_acked_round = b->round_count;
        b->extra_acked[1] = b->extra_acked[0];
        b->extra_acked[0] = 0;
    }
    b->extra_acked[0] = u32_max(b->extra_acked[0], extra);
}

/* 5.5.9: how much more was acknowledged than bw lets one expect; ACKs that come in heaps leave gaps behind. */
void bbr_update_ack_aggregation(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (x->rs->newly_delivered == 0) return;
    uint64_t expected = bbr_amount(b->bw, (x->now - b->extra_acked_start) / NS_PER_US);
    if (b->extra_acked_delivered <= expected) {
        b->extra_acked_delivered = 0;
        b->extra_acked_start = x->now;
        expected = 0;
    }
    b->extra_acked_delivered += x->rs->newly_delivered;
    extra_acked_note(b, (uint32_t)u64_min(b->extra_acked_delivered - expected, x->c->cwnd));
}

/* ---- RTT -------------------------------------------------------------------------------------------- */

void bbr_update_min_rtt(struct bbr_at *x) {
    struct bbr *b = x->b;
    uint32_t rtt = x->s->rtt_us;
    b->probe_rtt_expired = x->now > b->probe_rtt_min_at + PROBE_RTT_INTERVAL_NS;
    if (rtt != 0 && (rtt < b->probe_rtt_min_us || b->probe_rtt_expired)) {
        b->probe_rtt_min_us = rtt;
        b->probe_rtt_min_at = x->now;
    }
    if (b->probe_rtt_min_us < b->min_rtt_us || x->now > b->min_rtt_at + MIN_RTT_FILTER_NS) {
        b->min_rtt_us = b->probe_rtt_min_us;
        b->min_rtt_at = b->probe_rtt_min_at;
    }
}

/* ---- loss ------------------------------------------------------------------------------------------- */

bool bbr_inflight_too_high(const struct bbr_at *x, uint32_t lost, uint32_t tx_in_flight) {
    if (!x->c->sack) return lost != 0; /* it would not be told of a second loss in the round */
    return (uint64_t)lost * 100 > (uint64_t)tx_in_flight * LOSS_THRESH_PERCENT;
}

void bbr_reset_congestion_signals(struct bbr *b) {
    b->is_loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void bbr_reset_short_term_model(struct bbr *b) {
    b->bw_shortterm = BBR_BW_INFINITE;
    b->inflight_shortterm = BBR_INFLIGHT_NONE;
}

void bbr_update_latest_delivery_signals(struct bbr_at *x) {
    struct bbr *b = x->b;
    b->loss_round_start = false;
    if (x->rs->sent_at == 0) return;
    b->bw_latest = u64_max(b->bw_latest, u64_min(x->rs->rate, BW_MAX));
    b->inflight_latest = u32_max(b->inflight_latest, x->rs->delivered);
    if (x->rs->prior_delivered >= b->loss_round_delivered) {
        b->loss_round_delivered = x->r->delivered;
        b->loss_round_start = true;
    }
}

void bbr_advance_latest_delivery_signals(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (!b->loss_round_start) return;
    b->bw_latest = u64_min(x->rs->rate, BW_MAX);
    b->inflight_latest = x->rs->delivered;
}

/* A round with loss in which the path was not probed is over: what it delivered is what may be sent, though the bounds fall by
 * no more than 30 % in a round (5.5.10.3). */
static void adapt_lower_bounds(struct bbr_at *x) {
    struct bbr *b = x->b;
    bool probing = b->state == BBR_STARTUP || b->state == BBR_PROBE_BW_REFILL || b->state == BBR_PROBE_BW_UP;
    if (probing || !b->is_loss_in_round) return;
    if (b->bw_shortterm == BBR_BW_INFINITE) b->bw_shortterm = bbr_max_bw(b);
    if (b->inflight_shortterm == BBR_INFLIGHT_NONE) b->inflight_shortterm = x->c->cwnd;
    b->bw_shortterm = u64_max(b->bw_latest, b->bw_shortterm * BETA_PERCENT / 100);
    b->inflight_shortterm =
        u32_max(b->inflight_latest, (uint32_t)((uint64_t)b->inflight_shortterm * BETA_PERCENT / 100));
}

void bbr_update_congestion_signals(struct bbr_at *x) {
    update_max_bw(x);
    if (!x->b->loss_round_start) return;
    adapt_lower_bounds(x);
    x->b->is_loss_in_round = false;
}
