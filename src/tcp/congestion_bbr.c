/* BBR as the connection sees it, and its control of pacing rate and cwnd: see congestion_bbr.h. Numbers in parentheses are sections of
 * draft-ietf-ccwg-bbr. */
#include "tcp/connection.h"
#include "tcp/recovery.h"

#define PACING_MARGIN_PERCENT 1u
#define PROBE_RTT_CWND_GAIN   50u
#define SEND_QUANTUM_MAX      65536u
#define LOSS_THRESH_PERCENT   2u

static struct bbr_at bbr_at(struct tcp *t, struct connection *c, struct congestion *g) {
    struct active *a = pool_at(&t->base, &t->active, c->active);
    return (struct bbr_at){.t = t, .c = c, .g = g, .b = &g->bbr, .r = &a->rate, .now = t->base.now};
}

/* ---- the window before it was cut -------------------------------------------------------------------- */

void bbr_save_cwnd(struct bbr_at *x) {
    struct bbr *b = x->b;
    bool good = !b->in_recovery && b->state != BBR_PROBE_RTT;
    b->prior_cwnd = good ? x->c->cwnd : u32_max(b->prior_cwnd, x->c->cwnd);
}

void bbr_restore_cwnd(struct bbr_at *x) {
    x->c->cwnd = u32_max(x->c->cwnd, x->b->prior_cwnd);
}

static void save_state_upon_loss(struct bbr_at *x) {
    struct bbr *b = x->b;
    bbr_save_cwnd(x);
    b->undo_state = BBR_STATES;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

/* ---- pacing rate, unit size, cwnd (5.6) --------------------------------------------------------------- */

static void set_pacing_rate(struct bbr_at *x, uint32_t gain) {
    uint64_t rate = x->b->bw * gain / 100 * (100 - PACING_MARGIN_PERCENT) / 100;
    if (x->b->full_bw_reached || rate > x->g->pacing.rate) x->g->pacing.rate = rate;
}

/* Before there is a sample: what there is of cwnd in a round trip. */
static void init_pacing_rate(struct bbr_at *x) {
    uint32_t rtt_us = x->c->srtt_us != 0 ? x->c->srtt_us : 1000;
    x->b->has_rtt = x->c->srtt_us != 0;
    x->g->pacing.rate = x->c->cwnd * UINT64_C(1000000) / rtt_us * bbr_pacing_gain(x->b) / 100;
}

uint32_t bbr_send_quantum(const struct bbr_at *x) {
    return u32_max((uint32_t)u64_min(x->g->pacing.rate / 1000, SEND_QUANTUM_MAX), 2u * x->c->mss);
}

uint32_t bbr_probe_rtt_cwnd(const struct bbr_at *x) {
    return u32_max(bbr_bdp(x, x->b->bw, PROBE_RTT_CWND_GAIN), bbr_min_pipe(x));
}

static void bound_cwnd_for_model(struct bbr_at *x) {
    struct bbr *b = x->b;
    uint32_t cap = BBR_INFLIGHT_NONE;
    if (b->state == BBR_PROBE_RTT || b->state == BBR_PROBE_BW_CRUISE)
        cap = bbr_inflight_with_headroom(x);
    else if (bbr_in_probe_bw(b))
        cap = b->inflight_longterm;
    cap = u32_max(u32_min(cap, b->inflight_shortterm), bbr_min_pipe(x));
    x->c->cwnd = u32_min(x->c->cwnd, cap);
}

static void set_cwnd(struct bbr_at *x) {
    struct bbr *b = x->b;
    struct connection *c = x->c;
    uint64_t most = (uint64_t)bbr_bdp(x, b->bw, bbr_cwnd_gain(b)) + u32_max(b->extra_acked[0], b->extra_acked[1]);
    b->max_inflight = bbr_quantization_budget(x, most);
    uint64_t grown = (uint64_t)c->cwnd + x->rs->newly_delivered;
    if (b->full_bw_reached)
        grown = u64_min(grown, b->max_inflight);
    else if (c->cwnd >= b->max_inflight && x->r->delivered >= congestion_initial_window(c))
        grown = c->cwnd;
    c->cwnd = u32_max((uint32_t)u64_min(grown, UINT32_MAX), bbr_min_pipe(x));
    if (b->state == BBR_PROBE_RTT) c->cwnd = u32_min(c->cwnd, bbr_probe_rtt_cwnd(x));
    bound_cwnd_for_model(x);
}

/* ---- what the connection tells ------------------------------------------------------------------------ */

static void bbr_begin(struct tcp *t, struct connection *c, struct congestion *g) {
    struct bbr_at x = bbr_at(t, c, g);
    struct bbr *b = x.b;
    b->state = BBR_STARTUP;
    b->undo_state = BBR_STATES;
    b->min_rtt_us = b->probe_rtt_min_us = c->srtt_us != 0 ? c->srtt_us : BBR_RTT_UNKNOWN;
    b->min_rtt_at = b->probe_rtt_min_at = b->extra_acked_start = x.now;
    b->inflight_longterm = BBR_INFLIGHT_NONE;
    b->probe_up_acked_per_inc = BBR_INFLIGHT_NONE;
    b->loss_round_delivered = b->next_round_delivered = x.r->delivered;
    bbr_reset_short_term_model(b);
    init_pacing_rate(&x);
}

/* CE is congestion, whatever the loss (4.6): a probe ends, and the round counts as one with loss. */
static void note_congestion_experienced(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (!b->is_loss_in_round) {
        b->loss_round_delivered = x->r->delivered;
        save_state_upon_loss(x);
    }
    b->is_loss_in_round = true;
    if (b->is_bw_probe_sample && x->rs->sent_at != 0)
        bbr_handle_inflight_too_high(x, x->rs->in_flight, x->rs->app_limited);
}

/* UpdateOnACK (5.2.3). */
static void bbr_acked(struct tcp *t, struct connection *c, struct congestion *g, const struct congestion_sample *s) {
    struct bbr_at x = bbr_at(t, c, g);
    struct bbr *b = x.b;
    x.s = s;
    x.rs = s->rate;
    x.in_flight = s->in_flight;
    if (!b->has_rtt && c->srtt_us != 0) init_pacing_rate(&x);
    bbr_update_latest_delivery_signals(&x);
    bbr_update_congestion_signals(&x);
    if (s->ece) note_congestion_experienced(&x);
    bbr_update_ack_aggregation(&x);
    bbr_check_full_bw_reached(&x);
    bbr_check_startup_done(&x);
    bbr_check_drain_done(&x);
    bbr_update_probe_bw_cycle_phase(&x);
    bbr_update_min_rtt(&x);
    bbr_check_probe_rtt(&x);
    bbr_advance_latest_delivery_signals(&x);
    b->bw = u64_min(bbr_max_bw(b), b->bw_shortterm);
    if (b->bw != 0) set_pacing_rate(&x, bbr_pacing_gain(b));
    set_cwnd(&x);
}

/* HandleLostPacket (5.5.10.2). Loss may be found long after it happened, so it is asked how much was in flight when the lost record left,
 * and how far into the record the loss rate passed the threshold: lost_prefix. */
static void bbr_lost(struct tcp *t, struct connection *c, struct congestion *g, const struct rate_mark *m,
                     uint32_t length) {
    struct bbr_at x = bbr_at(t, c, g);
    struct bbr *b = x.b;
    if (!b->is_loss_in_round) {
        b->loss_round_delivered = x.r->delivered;
        save_state_upon_loss(&x);
    }
    b->is_loss_in_round = true;
    if (!b->is_bw_probe_sample) return;
    uint32_t lost = (uint32_t)x.r->lost - m->lost;
    if (!bbr_inflight_too_high(&x, lost, m->in_flight)) return;
    uint64_t inflight_prev = m->in_flight > length ? m->in_flight - length : 0;
    uint64_t lost_prev = lost > length ? lost - length : 0;
    uint64_t allowed = inflight_prev * LOSS_THRESH_PERCENT, had = lost_prev * 100;
    uint64_t lost_prefix = allowed > had ? (allowed - had) / (100 - LOSS_THRESH_PERCENT) : 0;
    bbr_handle_inflight_too_high(&x, (uint32_t)(inflight_prev + lost_prefix), m->app_limited);
}

/* BBR knows no ssthresh. */
static uint32_t bbr_ssthresh(struct tcp *t, struct connection *c, struct congestion *g, uint32_t flight) {
    (void)t, (void)g, (void)flight;
    return c->ssthresh;
}

/* HandleSpuriousLossDetection (5.5.11.2). */
static void undo(struct bbr_at *x) {
    struct bbr *b = x->b;
    bbr_restore_cwnd(x);
    b->is_loss_in_round = false;
    bbr_reset_full_bw(b);
    b->bw_shortterm = u64_max(b->bw_shortterm, b->undo_bw_shortterm);
    b->inflight_shortterm = u32_max(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = u32_max(b->inflight_longterm, b->undo_inflight_longterm);
    bbr_return_to_undo_state(x);
}

/* HandleRestartFromIdle (5.4.1). */
static void restart_from_idle(struct bbr_at *x) {
    struct bbr *b = x->b;
    if (x->r->app_limited == 0) return;
    b->idle_restart = true;
    b->extra_acked_start = x->now;
    if (bbr_in_probe_bw(b))
        set_pacing_rate(x, 100);
    else if (b->state == BBR_PROBE_RTT)
        bbr_check_probe_rtt_done(x);
}

static void bbr_event(struct tcp *t, struct connection *c, struct congestion *g, enum congestion_event event) {
    struct bbr_at x = bbr_at(t, c, g);
    switch (event) {
    case CONGESTION_REDUCE:
        save_state_upon_loss(&x);
        x.b->in_recovery = true;
        break;
    case CONGESTION_RTO:
        save_state_upon_loss(&x);
        x.b->in_recovery = true;
        c->cwnd = recovery_pipe(t, c) + c->mss;
        break;
    case CONGESTION_RECOVER:
        x.b->in_recovery = false;
        bbr_restore_cwnd(&x);
        break;
    case CONGESTION_UNDO:
        undo(&x);
        break;
    case CONGESTION_RESTART:
        restart_from_idle(&x);
        break;
    }
}

const struct congestion_controller congestion_bbr = {bbr_begin, bbr_acked, bbr_ssthresh, bbr_event, bbr_lost, true};
