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

static void note_sample(struct hystart *h, uint32_t rtt_us) {
    if (rtt_us == 0) return;
    if (h->round_rtt == 0 || rtt_us < h->round_rtt) h->round_rtt = rtt_us;
    if (h->samples < N_RTT_SAMPLE) h->samples++;
}

static bool delay_increased(const struct hystart *h) {
    uint32_t threshold = u32_min(u32_max(h->last_rtt / MIN_RTT_DIVISOR, MIN_RTT_THRESH_US), MAX_RTT_THRESH_US);
    return h->last_rtt != 0 && h->round_rtt >= h->last_rtt + threshold;
}

static void end_round(struct hystart *h, struct connection *c) {
    h->window_end = c->snd_nxt;
    h->last_rtt = h->round_rtt;
    h->round_rtt = 0;
    h->samples = 0;
    if (h->baseline_rtt == 0) return;
    if (h->css_rounds == CSS_ROUNDS) c->ssthresh = c->cwnd;
    h->css_rounds++;
}

uint32_t hystart_acked(struct hystart *h, struct connection *c, uint32_t acked, uint32_t rtt_us) {
    note_sample(h, rtt_us);
    if (h->samples == N_RTT_SAMPLE) {
        if (h->baseline_rtt == 0 && delay_increased(h)) {
            h->baseline_rtt = h->round_rtt;
            h->css_rounds = 1; /* the part of this round that is left counts as one */
        } else if (h->round_rtt < h->baseline_rtt) {
            h->baseline_rtt = 0;
        }
    }
    uint32_t grow = h->baseline_rtt != 0 ? acked / CSS_GROWTH_DIVISOR : acked;
    if (seq_ge(c->snd_una, h->window_end)) end_round(h, c);
    return grow;
}
