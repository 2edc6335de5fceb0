/* Packetization layer path MTU discovery: see mtu_search.h. */
#include "tcp/mtu_search.h"

#include "tcp/ack_news.h"
#include "tcp/options.h"
#include "tcp/path_cache.h"

#define PROBES_MAX    3u   /* MAX_PROBES */
#define PACKET_USUAL  576u /* RFC 1191 3: what was sent where nothing was known of a path */
#define SUSPECT_AFTER 2u   /* timeouts of a segment before the one that makes a black hole likely */
#define MTU_IPV6      1280u

void mtu_search_init(const struct tcp *t, const struct connection *c, struct mtu_search *m) {
    const struct path_entry *e = path_cache_find(t, &c->tuple.remote);
    memset(m, 0, sizeof *m);
    if (!path_mtu_heeds(c)) return;
    m->on = t->base.config.mtu_probing == 2 || (t->base.config.mtu_probing == 1 && e != NULL && e->found != 0);
}

/* Nothing larger can be sent, or would be taken. */
static uint32_t ceiling(const struct tcp *t, const struct connection *c) {
    uint32_t most = c->peer_mss;
    if (c->mss_limit != 0) most = u32_min(most, c->mss_limit);
    return u32_min(path_mtu_limit(t, c), most + segment_headers(connection_is_ipv6(c)));
}

static void restart(struct mtu_search *m) {
    m->low = m->high = 0;
    m->losses = 0;
    m->due = 0;
}

void mtu_search_bounds(const struct tcp *t, const struct connection *c, struct mtu_search *m) {
    uint32_t most = ceiling(t, c);
    if (most == m->ceiling) return;
    m->ceiling = (uint16_t)most;
    restart(m);
}

void mtu_search_look(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || !a->search.on) return;
    struct mtu_search *m = &a->search;
    bool again = m->due != 0 && m->due <= t->base.now;
    if (m->low != 0 && !again) return;
    m->due = 0;
    m->losses = 0;
    m->high = m->ceiling = (uint16_t)ceiling(t, c);
    m->low = (uint16_t)u32_min(again ? c->path_mtu : path_mtu_packet(c, t->base.config.base_mss), m->high);
}

/* ---- the next probe -------------------------------------------------------------------------------- */

/* Its size; 0: the search is over. */
static uint32_t next_size(const struct tcp *t, const struct connection *c, const struct mtu_search *m) {
    uint32_t threshold = t->base.config.mtu_probe_threshold;
    uint32_t low = m->low, high = m->high, middle = (low + high) / 2;
    if (middle <= c->path_mtu) { /* more than that is in use */
        low = u32_max(low, c->path_mtu);
        middle = (low + high) / 2;
    }
    if (high <= low) return 0;
    if (high - low > 2 * threshold) return middle;
    if (high == m->ceiling) return high;
    return high - low > threshold && middle > low ? middle : 0;
}

uint32_t mtu_search_probe(const struct tcp *t, const struct connection *c, uint32_t pipe, bool *wait) {
    const struct active *a = active_of(t, c);
    *wait = false;
    if (a == NULL || !a->search.on || a->search.low == 0 || a->search.size != 0 || a->search.due != 0) return 0;
    if (c->recovery != RECOVERY_OPEN || a->recovery.tail_now || c->retransmits != 0 || c->urgent_out) return 0;
    if (receive_state_option_bytes(t, c) != 0) return 0; /* the segment would not be what is counted on */
    if (c->records) return 0;                            /* a probe would join what is to stay apart */
    uint32_t size = next_size(t, c, &a->search);
    if (size == 0) return 0;
    uint32_t length = size - path_mtu_packet(c, 0);
    uint64_t needed = length + (uint64_t)(c->reordering + 1u) * c->mss;
    uint32_t outstanding = connection_outstanding(c);
    if (c->snd_end - c->snd_nxt < needed || seq_gt(c->snd_nxt, c->snd_end)) return 0;
    if (c->snd_wnd < outstanding + needed || c->cwnd < needed) return 0;
    /* cwnd is larger than what is in flight and the probe together once enough of the former has been acknowledged. */
    *wait = pipe + length > c->cwnd;
    return *wait ? 0 : length;
}

void mtu_search_sent(struct tcp *t, struct connection *c, uint32_t id, uint32_t length) {
    struct mtu_search *m = &active_of(t, c)->search;
    struct sent_run *r = sent_at_id(t, id);
    if (r->flags & SENT_COARSE) return; /* it shares its record: nothing will be learned of it */
    r->flags |= SENT_MTU_PROBE;
    m->size = (uint16_t)path_mtu_packet(c, length);
    m->seq = r->seq;
}

/* ---- what became of it ----------------------------------------------------------------------------- */

/* When nothing is left to be tried, the search rests. */
static void rest(const struct tcp *t, const struct connection *c, struct mtu_search *m) {
    if (next_size(t, c, m) == 0) m->due = t->base.now + t->base.config.mtu_probe_interval_s * NS_PER_S;
}

static void arrived(struct tcp *t, struct connection *c, struct mtu_search *m) {
    uint32_t size = m->size;
    reason_count(&t->base, BK_REASON_NOTE_MTU_PROBE_ARRIVED);
    if (m->low != 0) { /* the search has not begun anew meanwhile */
        m->low = (uint16_t)size;
        m->high = (uint16_t)u32_max(m->high, size);
    }
    m->size = 0;
    m->losses = 0;
    path_mtu_found(t, c, size);
    if (m->low != 0) rest(t, c, m);
}

void mtu_search_acked(const struct ack_news *n) {
    struct mtu_search *m = &n->a->search;
    if (m->size == 0) return;
    if (n->mtu_probe_arrived) {
        arrived(n->t, n->c, m);
    } else if (seq_gt(n->c->snd_una, m->seq)) {
        /* It was cut on the way, or sent twice: neither a success nor a failure. What is left of it is like any other data. */
        m->size = 0;
        uint32_t first = scoreboard_first(n->t, &n->a->board);
        if (first != BK_NONE) scoreboard_accuse(n->t, &n->a->board, first);
    }
}

void mtu_search_judge(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    struct mtu_search *m = &a->search;
    if (m->size == 0 || a->board.excused == 0) return;
    bool cut = seq_gt(c->snd_una, m->seq); /* on the way, and only a part of it has arrived */
    if (cut || a->board.lost_segments != a->board.excused || c->recovery >= RECOVERY_CWR) {
        /* Lost together with others, by congestion it may be: that says nothing about sizes. */
        scoreboard_accuse(t, &a->board, scoreboard_find(t, &a->board, cut ? c->snd_una : m->seq));
        m->size = 0;
        return;
    }
    reason_count(&t->base, BK_REASON_NOTE_MTU_PROBE_LOST);
    c->rtx_reason = BK_REASON_SEND_MTU_PROBE_AGAIN;
    /* Without SACK the duplicate ACKs of what follows the probe go on: until all of that is acknowledged they name no other loss. */
    if (!c->sack) c->recover = c->snd_nxt;
    if (++m->losses >= PROBES_MAX) {
        m->losses = 0;
        if (m->low != 0) m->high = (uint16_t)u32_min(m->high, m->size - 1u);
    }
    m->size = 0;
    if (m->low != 0) rest(t, c, m);
}

bool mtu_search_claimed(struct tcp *t, struct connection *c, uint32_t seq, uint32_t mtu) {
    struct active *a = active_of(t, c);
    if (a == NULL || a->search.size <= mtu || a->search.seq != seq || mtu < c->path_mtu) return false;
    /* That it is lost the next ACKs show, and this time once is enough. */
    a->search.high = (uint16_t)u32_min(a->search.high, mtu);
    a->search.losses = 0;
    return true;
}

/* ---- black holes ----------------------------------------------------------------------------------- */

/* The next size to try that is smaller than `mtu`. */
static uint32_t smaller(const struct tcp *t, const struct connection *c, uint32_t mtu) {
    const struct bk_config *config = &t->base.config;
    uint32_t mss = config->base_mss;
    if (mtu <= path_mtu_packet(c, mss)) mss = u32_max((mtu - path_mtu_packet(c, 0)) / 2, config->mtu_probe_floor);
    uint32_t size = path_mtu_packet(c, mss);
    return connection_is_ipv6(c) ? u32_max(size, MTU_IPV6) : size;
}

void mtu_search_timeout(struct tcp *t, struct connection *c) {
    struct active *a = active_of(t, c);
    if (a == NULL || t->base.config.mtu_probing == 0 || !path_mtu_heeds(c) || !c->syn_acked) return;
    if (c->retransmits < SUSPECT_AFTER || c->snd_wnd == 0) return;
    /* Only a size below that of the packet at hand can make a difference. One of so few bytes that nearly every path takes it is not made
     * smaller for its own sake: it is likely to be lost for other reasons. */
    uint32_t size = smaller(t, c, c->path_mtu), packet = path_mtu_packet(c, u32_min(c->mss, c->snd_nxt - c->snd_una));
    while (size >= packet && packet > PACKET_USUAL && smaller(t, c, size) < size) size = smaller(t, c, size);
    if (size >= packet || size >= c->path_mtu) return;
    reason_count(&t->base, BK_REASON_NOTE_BLACK_HOLE);
    a->search.on = true;
    a->search.size = 0;
    restart(&a->search);
    path_mtu_found(t, c, size);
}
