/* Pacing: see pacing.h. */
#include "tcp/pacing.h"

#include "tcp/connection.h"

#define UNPACED_SEGMENTS 10u

static struct pacing *pacing_of(const struct tcp *t, const struct connection *c) {
    struct active *a = active_of(t, c);
    return a == NULL ? NULL : &a->congestion.pacing;
}

uint64_t pacing_due(const struct tcp *t, const struct connection *c) {
    const struct pacing *p = pacing_of(t, c);
    return p == NULL || p->rate == 0 ? 0 : p->next_at;
}

void pacing_sent(struct tcp *t, struct connection *c, uint32_t length) {
    struct pacing *p = pacing_of(t, c);
    if (p == NULL || p->rate == 0 || connection_bytes_sent(c) <= UNPACED_SEGMENTS * (uint64_t)c->mss) return;
    uint64_t takes = length * NS_PER_S / p->rate, now = t->base.now;
    uint64_t late = now > p->next_at ? now - p->next_at : 0;
    p->next_at = now + takes - u64_min(late, takes / 2);
}

uint32_t pacing_unit(const struct tcp *t, const struct connection *c, uint32_t most) {
    const struct pacing *p = pacing_of(t, c);
    if (p == NULL) return most;
    uint64_t unit = p->rate != 0 ? p->rate / 1000 : p->unit != 0 ? p->unit : most;
    unit = u64_max(unit, (uint64_t)t->base.config.min_tso_segments * c->mss);
    unit = u64_min(unit, u32_max(c->cwnd / 2, c->mss));
    unit = u64_min(u64_max(unit, c->mss), most);
    return (uint32_t)(unit - unit % c->mss);
}

/* What the least RTT adds to a unit: all that a link takes at 512 us, half of it for each 512 us more. */
static uint64_t unit_for_rtt(uint32_t min_rtt_us) {
    uint32_t halvings = min_rtt_us / 512;
    return halvings < 16 ? UINT64_C(65536) >> halvings : 0;
}

void pacing_follow(struct tcp *t, struct connection *c) {
    struct pacing *p = pacing_of(t, c);
    if (p == NULL) return;
    p->rate = p->unit = 0;
    if (c->srtt_us == 0) return;
    const struct bk_config *config = &t->base.config;
    uint32_t window = u32_max(c->cwnd, connection_outstanding(c));
    uint32_t percent = c->cwnd < c->ssthresh / 2 ? config->pacing_ss_ratio : config->pacing_ca_ratio;
    uint64_t rate = u64_max(window * UINT64_C(10000) * percent / c->srtt_us, 1);
    if (config->pacing) p->rate = rate;
    p->unit = u64_max(rate / 1000 + unit_for_rtt(c->min_rtt_us), 1);
}
