/* HyStart++: see hystart.h. The constants are those that RFC 9406 4.3 recommends, but L: growth for one ACK is not bounded, because one ACK may
 * stand for a whole unit. */
#include "tcp/hystart.h"

#include "tcp/connection.h"

#define MIN_RTT_THRESH_US  4000u
#define MAX_RTT_THRESH_US  16000u
#define MIN_RTT_DIVISOR    8u
#define N_RTT_SAMPLE       8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS         5u

#define TRAIN_PAUSE_DIVISOR  8u /* a pause of this part of the RTT ends a train */
#define TRAIN_SPREAD_DIVISOR 4u /* the RTT rises by this part of a train's length, if the bottleneck has spread it */

static void note_sample(struct hystart *h, uint32_t rtt_us) {
    if (rtt_us == 0) return;
    if (h->round_rtt == 0 || rtt_us < h->round_rtt) h->round_rtt = rtt_us;
    if (h->samples < N_RTT_SAMPLE) h->samples++;
}

static uint32_t delay_threshold(uint32_t rtt) {
    return u32_min(u32_max(rtt / MIN_RTT_DIVISOR, MIN_RTT_THRESH_US), MAX_RTT_THRESH_US);
}

static bool delay_increased(const struct hystart *h) {
    return h->samples == N_RTT_SAMPLE && h->last_rtt != 0 && h->round_rtt >= h->last_rtt + delay_threshold(h->last_rtt);
}

/* ---- the train of ACKs ------------------------------------------------------------------------------ */

static void train_begin(struct hystart *h, const struct congestion_sample *s) {
    h->train_at = h->heard_at = s->now;
    h->train_rtt = s->rtt_us;
    h->train_acked = h->train_pause = 0;
    h->train_acks = 0;
}

static void train_note(struct hystart *h, const struct congestion_sample *s) {
    uint64_t pause = (s->now - h->heard_at) / NS_PER_US;
    if (h->train_rtt == 0 || pause > h->last_rtt / TRAIN_PAUSE_DIVISOR) {
        train_begin(h, s);
        return;
    }
    h->heard_at = s->now;
    h->train_pause = u32_max(h->train_pause, (uint32_t)pause);
    h->train_acked += s->acked;
    if (h->train_acks < N_RTT_SAMPLE) h->train_acks++;
}

/* The pace leaves out the longest pause, lest two trains with one between them seem a slow one. */
static bool delay_foreseen(const struct hystart *h, const struct congestion_sample *s) {
    if (h->last_rtt == 0 || h->train_acks < N_RTT_SAMPLE || h->train_acked == 0 || s->rtt_us < h->train_rtt)
        return false;
    uint64_t length = (s->now - h->train_at) / NS_PER_US - h->train_pause;
    if (s->rtt_us - h->train_rtt < length / TRAIN_SPREAD_DIVISOR) return false;
    return s->prior_in_flight * length / h->train_acked >= h->last_rtt + delay_threshold(h->last_rtt);
}

/* ---- rounds and phases ------------------------------------------------------------------------------ */

static void begin_css(struct hystart *h, uint32_t baseline_rtt, bool foreseen) {
    h->baseline_rtt = baseline_rtt;
    h->foreseen = foreseen;
    h->css_rounds = 1; /* the part of this round that is left counts as one */
}

/* It was jitter. What was foreseen is there from the second round on of which all was sent in CSS. */
static bool css_was_wrong(const struct hystart *h) {
    return h->samples == N_RTT_SAMPLE && h->round_rtt < h->baseline_rtt && (!h->foreseen || h->css_rounds > 2);
}

static void end_round(struct hystart *h, struct connection *c) {
    h->window_end = c->snd_nxt;
    h->last_rtt = h->round_rtt;
    h->round_rtt = 0;
    h->samples = 0;
    h->train_rtt = 0;
    if (h->baseline_rtt == 0) return;
    if (h->css_rounds == CSS_ROUNDS) c->ssthresh = c->cwnd;
    h->css_rounds++;
}

uint32_t hystart_acked(struct hystart *h, struct connection *c, const struct congestion_sample *s) {
    note_sample(h, s->rtt_us);
    train_note(h, s);
    if (h->baseline_rtt != 0) {
        if (css_was_wrong(h)) h->baseline_rtt = 0;
    } else if (delay_increased(h)) {
        begin_css(h, h->round_rtt, false);
    } else if (delay_foreseen(h, s)) {
        begin_css(h, h->last_rtt + delay_threshold(h->last_rtt) / 2, true);
    }
    uint32_t grow = h->baseline_rtt != 0 ? s->acked / CSS_GROWTH_DIVISOR : s->acked;
    if (seq_ge(c->snd_una, h->window_end)) end_round(h, c);
    return grow;
}
