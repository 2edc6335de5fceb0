/* Delivery rate estimation: see rate.h. */
#include "tcp/rate.h"

#include "base/seq.h"

void rate_sent(struct rate *r, struct rate_mark *m, uint32_t in_flight, uint32_t length, uint64_t now) {
    /* After a pause time begins anew, or the pause would count as slow delivery. */
    if (in_flight == 0) r->first_sent_at = r->delivered_at = now;
    *m = (struct rate_mark){
        .delivered_at = r->delivered_at,
        .first_sent_at = r->first_sent_at,
        .delivered = (uint32_t)r->delivered,
        .lost = (uint32_t)r->lost,
        .in_flight = in_flight + length,
        .app_limited = r->app_limited != 0,
    };
}

void rate_app_limit(struct rate *r, uint32_t in_flight) {
    r->app_limited = u64_max(r->delivered + in_flight, 1);
}

void rate_delivered(struct rate *r, struct rate_sample *s, const struct rate_mark *m, uint64_t sent_at, uint32_t end,
                    uint32_t length, bool again, uint64_t now) {
    r->delivered += length;
    r->delivered_at = now;
    s->newly_delivered += length;
    /* The sample is that of the record that left last; of those that left at the same time, of the one with the highest number. */
    if (s->sent_at != 0 && (sent_at < s->sent_at || (sent_at == s->sent_at && seq_le(end, s->end)))) return;
    s->sent_at = u64_max(sent_at, 1);
    s->end = end;
    s->prior_delivered = r->delivered - (uint32_t)((uint32_t)r->delivered - m->delivered);
    s->prior_at = m->delivered_at;
    s->prior_lost = m->lost;
    s->in_flight = m->in_flight;
    s->app_limited = m->app_limited;
    s->again = again;
    s->send_elapsed_ns = sent_at - m->first_sent_at;
    r->first_sent_at = sent_at; /* the next flight to be sampled begins here */
}

void rate_lost(struct rate *r, uint32_t length) {
    r->lost += length;
}

void rate_take(struct rate *r, struct rate_sample *s, uint32_t min_rtt_us) {
    if (r->app_limited != 0 && r->delivered > r->app_limited) r->app_limited = 0;
    s->newly_lost = (uint32_t)(r->lost - s->lost_before);
    if (s->sent_at == 0) return;
    s->delivered = (uint32_t)(r->delivered - s->prior_delivered);
    s->lost = (uint32_t)r->lost - s->prior_lost;
    uint64_t interval = u64_max(s->send_elapsed_ns, r->delivered_at - s->prior_at);
    if (interval == 0 || interval / NS_PER_US < min_rtt_us) return;
    s->interval_ns = interval;
    /* Within 64 bits: an interval of more than 4 s loses nothing that matters by being counted in us. */
    s->rate = interval < 4 * NS_PER_S ? s->delivered * NS_PER_S / interval
                                      : s->delivered * UINT64_C(1000000) / (interval / NS_PER_US);
    /* What an application sends that has no more tells of the path only that it is at least as fast. */
    if (s->app_limited && s->rate < r->latest) return;
    r->latest = s->rate;
    r->latest_app_limited = s->app_limited;
}
