/* BBR version 3 (draft-ietf-ccwg-bbr): congestion control by a model of the path.
 *
 * The model is made of how fast the path delivers (max_bw, of delivery rate samples) and how long a round trip takes when no queue stands
 * (min_rtt); their product is the BDP. From it follow the pacing rate and cwnd, both scaled by gains that depend on what is being probed:
 *
 *     Startup         twice as fast each round, until the rate grows no more or loss is high
 *     Drain           the queue that Startup made goes away
 *     ProbeBW         Down: a little slower; Cruise: as fast as it is delivered; Refill: the pipe is filled; Up: a little faster
 *     ProbeRTT        every five seconds or more, for 200 ms, half the BDP: so that min_rtt is seen
 *
 * Loss and ECN bound the model twice: for the long term (inflight_longterm: more in flight than that made loss when it was probed for) and
 * for the short term (bw_shortterm, inflight_shortterm: what was delivered in rounds with loss; forgotten at the next probe).
 *
 * Names are the draft's. Rates are bytes a second, amounts bytes, RTTs microseconds, times ns; gains are percents.
 *     congestion_bbr.c         what the connection tells, in the order of the draft's UpdateOnACK; pacing rate and cwnd
 *     congestion_bbr_model.c   the model: rounds, filters, aggregation, response to loss
 *     congestion_bbr_state.c   the state machine
 */
#ifndef TCP_CONGESTION_BBR_H
#define TCP_CONGESTION_BBR_H

#include "tcp/rate.h"

struct tcp;
struct connection;
struct congestion;
struct congestion_sample;

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_PROBE_BW_DOWN,
    BBR_PROBE_BW_CRUISE,
    BBR_PROBE_BW_REFILL,
    BBR_PROBE_BW_UP,
    BBR_PROBE_RTT,
    BBR_STATES /* also: no state to go back to */
};
enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING,
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING
};

#define BBR_BW_INFINITE   UINT64_MAX
#define BBR_INFLIGHT_NONE UINT32_MAX /* no bound is known */
#define BBR_RTT_UNKNOWN   UINT32_MAX
#define BBR_MIN_PIPE_CWND 4u /* segments */

struct bbr {
    /* what the path delivers */
    uint64_t max_bw[2]; /* of this cycle of ProbeBW, and of the one before */
    uint64_t bw, bw_latest, bw_shortterm;
    uint64_t full_bw;
    uint64_t next_round_delivered, loss_round_delivered;
    /* aggregation: the most that was acknowledged beyond what was expected, in the current and in the last stretch of rounds */
    uint64_t extra_acked_start, extra_acked_delivered;
    uint32_t extra_acked[2];
    uint32_t extra_acked_round; /* in which the current stretch began */
    uint32_t round_count;
    /* what may be in flight */
    uint32_t inflight_latest, inflight_shortterm, inflight_longterm;
    uint32_t max_inflight, prior_cwnd;
    uint32_t bw_probe_up_acked, probe_up_acked_per_inc;
    uint32_t drain_start_round, rounds_since_probe_up;
    /* RTT */
    uint32_t min_rtt_us, probe_rtt_min_us;
    uint64_t min_rtt_at, probe_rtt_min_at, probe_rtt_done_at;
    /* the cycle of ProbeBW */
    uint64_t cycle_at;
    uint32_t bw_probe_wait_us;
    /* to go back to, should a loss prove to be none */
    uint32_t undo_inflight_shortterm, undo_inflight_longterm;
    uint64_t undo_bw_shortterm;
    uint8_t undo_state; /* enum bbr_state; BBR_STATES: none */
    uint8_t state;      /* enum bbr_state */
    uint8_t ack_phase;  /* enum bbr_ack_phase */
    uint8_t full_bw_count, bw_probe_up_rounds;
    uint8_t loss_events; /* ACKs that told of loss in this round */
    bool round_start : 1;
    bool loss_round_start : 1;
    bool is_loss_in_round : 1;
    bool full_bw_reached : 1;
    bool full_bw_now : 1;
    bool is_bw_probe_sample : 1;
    bool prev_probe_too_high : 1;
    bool prev_probe_precautionary : 1;
    bool idle_restart : 1;
    bool probe_rtt_expired : 1;
    bool probe_rtt_round_done : 1;
    bool in_recovery : 1;
    bool has_rtt : 1; /* the first pacing rate was made from an RTT */
};

/* What the three files need together while something is handled. */
struct bbr_at {
    struct tcp *t;
    struct connection *c;
    struct congestion *g;
    struct bbr *b;
    struct rate *r;                    /* C.delivered, C.lost */
    const struct rate_sample *rs;      /* NULL outside an ACK */
    const struct congestion_sample *s; /* NULL outside an ACK */
    uint64_t now;
    uint32_t in_flight; /* C.inflight */
};

/* ---- congestion_bbr_model.c */

uint64_t bbr_max_bw(const struct bbr *b);
/* bw * us, bytes. */
uint64_t bbr_amount(uint64_t bw, uint64_t us);
/* BDPMultiple and Inflight, for a gain in percent. */
uint32_t bbr_bdp(const struct bbr_at *x, uint64_t bw, uint32_t gain);
uint32_t bbr_inflight(const struct bbr_at *x, uint64_t bw, uint32_t gain);
uint32_t bbr_quantization_budget(const struct bbr_at *x, uint64_t inflight);
uint32_t bbr_inflight_with_headroom(const struct bbr_at *x);
uint32_t bbr_target_inflight(const struct bbr_at *x);
uint32_t bbr_min_pipe(const struct bbr_at *x);
void bbr_start_round(struct bbr_at *x);
void bbr_reset_congestion_signals(struct bbr *b);
void bbr_reset_short_term_model(struct bbr *b);
void bbr_reset_full_bw(struct bbr *b);
void bbr_advance_max_bw_filter(struct bbr *b);
void bbr_update_latest_delivery_signals(struct bbr_at *x);
void bbr_update_congestion_signals(struct bbr_at *x);
void bbr_update_ack_aggregation(struct bbr_at *x);
void bbr_check_full_bw_reached(struct bbr_at *x);
void bbr_update_min_rtt(struct bbr_at *x);
void bbr_advance_latest_delivery_signals(struct bbr_at *x);
/* IsInflightTooHigh: `lost` of `tx_in_flight` bytes. */
bool bbr_inflight_too_high(const struct bbr_at *x, uint32_t lost, uint32_t tx_in_flight);

/* ---- congestion_bbr_state.c */

bool bbr_in_probe_bw(const struct bbr *b);
uint32_t bbr_pacing_gain(const struct bbr *b);
uint32_t bbr_cwnd_gain(const struct bbr *b);
void bbr_check_startup_done(struct bbr_at *x);
void bbr_check_drain_done(struct bbr_at *x);
void bbr_update_probe_bw_cycle_phase(struct bbr_at *x);
void bbr_check_probe_rtt(struct bbr_at *x);
void bbr_check_probe_rtt_done(struct bbr_at *x);
/* HandleInflightTooHigh. */
void bbr_handle_inflight_too_high(struct bbr_at *x, uint32_t tx_in_flight, bool app_limited);
/* The part of HandleSpuriousLossDetection that goes back to the state in which the loss was found. */
void bbr_return_to_undo_state(struct bbr_at *x);

/* ---- congestion_bbr.c */

void bbr_save_cwnd(struct bbr_at *x);
void bbr_restore_cwnd(struct bbr_at *x);
uint32_t bbr_probe_rtt_cwnd(const struct bbr_at *x);
uint32_t bbr_send_quantum(const struct bbr_at *x);

#endif
