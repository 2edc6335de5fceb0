/* BBR's state machine: see congestion_bbr.h. Numbers in parentheses are sections of draft-ietf-ccwg-bbr. */
#include "tcp/connection.h"

#define STARTUP_FULL_LOSS_COUNT 6u
#define DRAIN_ROUNDS            3u
#define PROBE_RTT_DURATION_NS   (200 * NS_PER_MS)
#define PROBE_WAIT_MIN_US       2000000u
#define PROBE_WAIT_SPREAD_US    1000000u
#define RENO_ROUNDS_MAX         63u
#define BETA_PERCENT            70u

/* The table of 5.6.1. */
static const struct {
    uint16_t pacing, cwnd;
} bbr_gain[BBR_STATES] = {
    [BBR_STARTUP] = {277, 200},         [BBR_DRAIN] = {50, 200},
    [BBR_PROBE_BW_DOWN] = {90, 200},    [BBR_PROBE_BW_CRUISE] = {100, 200},
    [BBR_PROBE_BW_REFILL] = {100, 200}, [BBR_PROBE_BW_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, 50},
};

bool bbr_in_probe_bw(const struct bbr *b) {
    return b->state >= BBR_PROBE_BW_DOWN && b->state <= BBR_PROBE_BW_UP;
}
uint32_t bbr_pacing_gain(const struct bbr *b) {
    return bbr_gain[b->state].pacing;
}
uint32_t bbr_cwnd_gain(const struct bbr *b) {
    return bbr_gain[b->state].cwnd;
}

/* ---- ProbeBW (5.3.3) -------------------------------------------------------------------------------- */

/* When to probe again: after two to three seconds, or as many rounds as Reno would need to grow back, whichever is first; a little by chance,
 * so that flows do not probe in step. */
static void pick_probe_wait(struct bbr_at *x) {
    x->b->rounds_since_probe_up = base_random_below(&x->t->base, 2);
    x->b->bw_probe_wait_us = PROBE_WAIT_MIN_US + base_random_below(&x->t->base, PROBE_WAIT_SPREAD_US + 1);
}

static void start_down(struct bbr_at *x) {
    struct bbr *b = x->b;
    bbr_reset_congestion_signals(b);
    b->probe_up_acked_per_inc = BBR_INFLIGHT_NONE;
    pick_probe_wait(x);
    b->cycle_at = x->now;
    b->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_start_round(x);
    b->state = BBR_PROBE_BW_DOWN;
}

static void start_refill(struct bbr_at *x) {
    struct bbr *b = x->b;
    bbr_reset_short_term_model(b);
    b->bw_probe_up_rounds = 0;
    b->bw_probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(x);
    b->state = BBR_PROBE_BW_REFILL;
}

/* What is added to inflight_longterm doubles each round: 1, 2, 4 ... segments for each cwnd acknowledged. */
static void raise_inflight_longterm_slope(struct bbr_at *x) {
    struct bbr *b = x->b;
    uint32_t growth = UINT32_C(1) << b->bw_probe_up_rounds;
    b->bw_probe_up_rounds = (uint8_t)u32_min(b->bw_probe_up_rounds + 1u, 30);
    b->probe_up_acked_per_inc = u32_max(x->c->cwnd / growth, x->c->mss);
}

static void start_up(struct bbr_at *x) {
    struct bbr *b = x->b;
    b->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_start_round(x);
    bbr_reset_full_bw(b);
    b->full_bw = x->rs->rate;
    b->state = BBR_PROBE_BW_UP;
    raise_inflight_longterm_slope(x);
}

static bool probe_time_has_come(const struct bbr_at *x) {
    const struct bbr *b = x->b;
    if (x->now > b->cycle_at + b->bw_probe_wait_us * NS_PER_US) return true;
    uint32_t reno_rounds = u32_min(bbr_target_inflight(x) / x->c->mss, RENO_ROUNDS_MAX);
    return b->rounds_since_probe_up >= reno_rounds;
}

/* The queue is gone, and there is room left for others. */
static bool is_time_to_cruise(const struct bbr_at *x) {
    return x->in_flight <= bbr_inflight_with_headroom(x) && x->in_flight <= bbr_inflight(x, bbr_max_bw(x->b), 100);
}

static bool is_time_to_go_down(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->prev_probe_too_high && x->in_flight >= b->inflight_longterm) {
        b->prev_probe_precautionary = true; /* the last probe went too far from here on: only touch it */
        return true;
    }
    if (x->g->use_limited && x->c->cwnd >= b->inflight_longterm) {
        bbr_reset_full_bw(b); /* it is the bound that holds the rate, not the path */
        b->full_bw = x->rs->rate;
        return false;
    }
    return b->full_bw_now;
}

static void probe_inflight_longterm_upward(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (!x->g->use_limited || x->c->cwnd < b->inflight_longterm) return;
    b->bw_probe_up_acked += x->rs->newly_delivered;
    if (b->bw_probe_up_acked >= b->probe_up_acked_per_inc) {
        uint32_t steps = b->bw_probe_up_acked / b->probe_up_acked_per_inc;
        b->bw_probe_up_acked -= steps * b->probe_up_acked_per_inc;
        uint64_t raised = b->inflight_longterm + (uint64_t)steps * x->c->mss;
        b->inflight_longterm = (uint32_t)u64_min(raised, BBR_INFLIGHT_NONE - 1);
    }
    if (b->round_start) raise_inflight_longterm_slope(x);
}

/* Follows what ACKs mean for the probe, and adapts the long-term bounds to it. True if the state changed. */
static bool adapt_long_term_model(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->ack_phase == BBR_ACKS_PROBE_STARTING && b->round_start) b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && b->round_start) {
        b->is_bw_probe_sample = false;
        b->ack_phase = BBR_ACKS_INIT;
        if (bbr_in_probe_bw(b) && !x->rs->app_limited) bbr_advance_max_bw_filter(b);
        if (bbr_in_probe_bw(b) && b->prev_probe_precautionary && !b->prev_probe_too_high) {
            start_refill(x); /* touching it was safe: now stay there */
            return true;
        }
    }
    if (x->rs->sent_at == 0 || bbr_inflight_too_high(x, x->rs->lost, x->rs->in_flight)) return false;
    if (b->inflight_longterm == BBR_INFLIGHT_NONE) return false;
    b->inflight_longterm = u32_max(b->inflight_longterm, x->rs->in_flight);
    if (b->state == BBR_PROBE_BW_UP) probe_inflight_longterm_upward(x);
    return false;
}

void bbr_update_probe_bw_cycle_phase(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (!b->full_bw_reached || adapt_long_term_model(x)) return;
    switch ((enum bbr_state)b->state) {
    case BBR_PROBE_BW_DOWN:
        if (probe_time_has_come(x))
            start_refill(x);
        else if (is_time_to_cruise(x))
            b->state = BBR_PROBE_BW_CRUISE;
        break;
    case BBR_PROBE_BW_CRUISE:
        if (probe_time_has_come(x)) start_refill(x);
        break;
    case BBR_PROBE_BW_REFILL:
        if (!b->round_start) break;
        b->is_bw_probe_sample = true;
        start_up(x);
        break;
    case BBR_PROBE_BW_UP:
        if (!is_time_to_go_down(x)) break;
        b->prev_probe_too_high = false; /* no high loss, so far */
        start_down(x);
        break;
    case BBR_STARTUP:
    case BBR_DRAIN:
    case BBR_PROBE_RTT:
    case BBR_STATES:
        break;
    }
}

void bbr_handle_inflight_too_high(struct bbr_at *x, uint32_t tx_in_flight, bool app_limited) {
    struct bbr *b = x->b;
    b->prev_probe_too_high = true;
    b->is_bw_probe_sample = false; /* one answer to each probe */
    if (!app_limited)
        b->inflight_longterm = u32_max(tx_in_flight, (uint32_t)((uint64_t)bbr_target_inflight(x) * BETA_PERCENT / 100));
    if (b->state == BBR_PROBE_BW_UP) {
        b->undo_state = BBR_PROBE_BW_UP;
        start_down(x);
    }
}

/* ---- Startup and Drain (5.3.1, 5.3.2) ---------------------------------------------------------------- */

/* Sustained loss tells, too, that the pipe is full: after a whole round of recovery, in several places, and above the threshold. Without SACK
 * any loss in recovery, for more than one in a round cannot be seen. */
static bool startup_loss_is_high(const struct bbr_at *x) {
    const struct bbr *b = x->b;
    if (x->s->ece) return true;
    if (!b->in_recovery) return false;
    if (!x->c->sack) return x->rs->newly_lost != 0;
    return b->loss_round_start && b->loss_events >= STARTUP_FULL_LOSS_COUNT &&
           bbr_inflight_too_high(x, x->rs->lost, x->rs->in_flight);
}

void bbr_check_startup_done(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (x->rs->newly_lost != 0 && b->loss_events != UINT8_MAX) b->loss_events++;
    if (b->state == BBR_STARTUP && !b->full_bw_reached && startup_loss_is_high(x)) {
        b->undo_state = BBR_STARTUP;
        b->full_bw_reached = true;
        b->inflight_longterm = u32_max(bbr_bdp(x, b->bw, 100), b->inflight_latest);
    }
    if (b->loss_round_start) b->loss_events = 0;
    if (b->state != BBR_STARTUP || !b->full_bw_reached) return;
    b->state = BBR_DRAIN;
    b->drain_start_round = b->round_count;
}

void bbr_check_drain_done(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->state != BBR_DRAIN) return;
    if (x->in_flight <= bbr_inflight(x, b->bw, 100) || b->round_count - b->drain_start_round > DRAIN_ROUNDS)
        start_down(x);
}

/* ---- ProbeRTT (5.3.4) ------------------------------------------------------------------------------- */

static void exit_probe_rtt(struct bbr_at *x) {
    struct bbr *b = x->b;
    bbr_reset_short_term_model(b);
    if (!b->full_bw_reached) {
        b->state = BBR_STARTUP;
        return;
    }
    start_down(x); /* the clock of probing begins anew; that less than the BDP is in flight is known */
    b->state = BBR_PROBE_BW_CRUISE;
}

void bbr_check_probe_rtt_done(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->probe_rtt_done_at == 0 || x->now <= b->probe_rtt_done_at) return;
    b->probe_rtt_min_at = x->now;
    bbr_restore_cwnd(x);
    exit_probe_rtt(x);
}

static void handle_probe_rtt(struct bbr_at *x) {
    struct bbr *b = x->b;
    rate_app_limit(x->r, x->in_flight); /* low rates are of our own making */
    if (b->probe_rtt_done_at == 0) {
        if (x->in_flight > bbr_probe_rtt_cwnd(x)) return;
        b->probe_rtt_done_at = x->now + PROBE_RTT_DURATION_NS;
        b->probe_rtt_round_done = false;
        bbr_start_round(x);
        return;
    }
    if (b->round_start) b->probe_rtt_round_done = true;
    if (b->probe_rtt_round_done) bbr_check_probe_rtt_done(x);
}

void bbr_check_probe_rtt(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        bbr_save_cwnd(x);
        /* A probe that ends this way ends its cycle, too. The draft counts only cycles that end in Down; where round trips take a second
         * (the path became much slower, and an old max_bw keeps its queue full) none does, and max_bw would never be forgotten. */
        if (b->state == BBR_PROBE_BW_UP && !x->rs->app_limited) bbr_advance_max_bw_filter(b);
        b->state = BBR_PROBE_RTT;
        b->probe_rtt_done_at = 0;
        b->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_start_round(x);
    }
    if (b->state == BBR_PROBE_RTT) handle_probe_rtt(x);
    if (x->rs->newly_delivered != 0) b->idle_restart = false;
}

/* ---- undo ------------------------------------------------------------------------------------------- */

void bbr_return_to_undo_state(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
        b->full_bw_reached = false;
        if (b->state != BBR_PROBE_RTT) b->state = BBR_STARTUP;
    } else if (b->undo_state == BBR_PROBE_BW_UP && b->state != BBR_PROBE_BW_UP && b->state != BBR_PROBE_RTT) {
        start_refill(x);
    }
    b->undo_state = BBR_STATES;
}
