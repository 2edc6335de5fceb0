/* SYN cookies: see cookie.h. */
#include "tcp/cookie.h"

#include "base/siphash.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/options.h"

#define COOKIE_PERIOD_NS (64 * NS_PER_S)
#define COOKIE_PERIODS   2u /* how old a cookie may be */

/* The MSS that can be remembered, by family: the least that we use, the least that a host takes, then what is left of the MTU of Ethernet and
 * of what is carried over it. For IPv6 also of jumbo frames: IPv4 of that size is rare beyond one's own network, where nobody floods. */
static const uint16_t cookie_mss[2][8] = {
    {TCP_MSS_MIN, 216, 536, 1220, 1300, 1400, 1440, 1460},
    {TCP_MSS_MIN, 536, 1220, 1300, 1360, 1420, 1440, 8940},
};

#define COOKIE_MESSAGE 12u /* bytes that the MAC is of, besides the tuple */

/* What the timestamp carries. */
#define COOKIE_SCALE      15u
#define COOKIE_NO_SCALE   15u
#define COOKIE_SACK       16u
#define COOKIE_ECN        32u
#define COOKIE_BITS       63u
#define COOKIE_TIMESTAMPS 64u /* in the MAC alone: that there was a timestamp */

static uint32_t cookie_counter(const struct tcp *t) {
    return (uint32_t)(t->base.now / COOKIE_PERIOD_NS);
}

static uint32_t cookie_make(const struct tcp *t, const struct listener *l, const struct tuple *tuple, uint32_t irs,
                            uint32_t counter, uint32_t mss_index, uint32_t options) {
    bool ipv6 = !addr_is_ipv4(&tuple->local);
    uint32_t n = small_tuple_bytes(ipv6);
    uint8_t message[SMALL_TUPLE_IPV6 + COOKIE_MESSAGE]; /* of another length than those of isn.c, whose key it shares */
    small_tuple_put(message, ipv6, tuple);
    put_be32(message + n, irs);
    put_be32(message + n + 4, counter);
    put_be32(message + n + 8, mss_index << 16 | options << 8 | listener_receive_scale(t, l));
    uint32_t mac = (uint32_t)siphash24(&t->base.secret[2], message, n + COOKIE_MESSAGE);
    return (counter & 31) << 27 | mss_index << 24 | (mac & 0xffffff);
}

static uint32_t cookie_mss_index(uint32_t mss, bool ipv6) {
    uint32_t index = BK_COUNT(cookie_mss[ipv6]) - 1;
    while (index != 0 && cookie_mss[ipv6][index] > mss) index--;
    return index;
}

/* What both ends can do, of what the SYN offers; 0 without timestamps to carry it. */
static uint32_t cookie_options(const struct tcp *t, const struct segment *s) {
    const struct bk_config *config = &t->base.config;
    const struct wire_tcp_options *o = &s->header.option;
    if (!config->timestamps || !o->has_timestamps) return 0;
    uint32_t options = COOKIE_TIMESTAMPS;
    options |= config->window_scaling && o->has_wscale ? u32_min(o->wscale, WINDOW_SCALE_MAX) : COOKIE_NO_SCALE;
    if (config->sack && o->sack_permitted) options |= COOKIE_SACK;
    if (ecn_grants(t, s)) options |= COOKIE_ECN;
    return options;
}

static uint32_t cookie_timestamp(uint32_t now, uint32_t options) {
    uint32_t ts = (now & ~COOKIE_BITS) | (options & COOKIE_BITS);
    return seq_gt(ts, now) ? ts - (COOKIE_BITS + 1) : ts;
}

uint16_t cookie_answer(struct tcp *t, const struct listener *l, const struct segment *s) {
    bool ipv6 = !addr_is_ipv4(&s->tuple.local);
    const struct wire_tcp_options *o = &s->header.option;
    uint16_t mss = request_mss(t, l, &s->tuple, s->packet->iface);
    uint32_t index = cookie_mss_index(o->mss != 0 ? o->mss : mss_default(ipv6), ipv6);
    uint32_t options = cookie_options(t, s);
    struct reply y;
    reply_init(&y);
    y.tuple = &s->tuple;
    y.hash = s->hash;
    y.iface = s->packet->iface;
    y.flags = options & COOKIE_ECN ? WIRE_SYN | WIRE_ACK | WIRE_ECE : WIRE_SYN | WIRE_ACK;
    y.window = (uint16_t)request_window(t, l, mss);
    y.reason = BK_REASON_SEND_SYN_COOKIE;
    y.state = BK_LISTEN;
    y.object = BK_NONE;
    y.seq = cookie_make(t, l, &s->tuple, s->header.seq, cookie_counter(t), index, options);
    y.ack = s->header.seq + 1;
    y.traffic_class = (uint8_t)listener_option(l, BK_TCP_TRAFFIC_CLASS, 0);
    y.hop_limit = (uint8_t)listener_option(l, BK_TCP_HOP_LIMIT, 0);
    y.option.mss = mss;
    if (options & COOKIE_TIMESTAMPS) {
        y.option.has_timestamps = true;
        y.option.tsval = cookie_timestamp(timestamp_now(t, isn_make(t, &s->tuple).timestamp_offset), options);
        y.option.tsecr = o->tsval;
        y.option.has_wscale = (options & COOKIE_SCALE) != COOKIE_NO_SCALE;
        y.option.wscale = y.option.has_wscale ? listener_receive_scale(t, l) : 0;
        y.option.sack_permitted = options & COOKIE_SACK;
    }
    reply_send(t, &y);
    t->cookie_until = t->base.now + (COOKIE_PERIODS + 1) * COOKIE_PERIOD_NS;
    return BK_REASON_ACCEPT_SYN_COOKIE;
}

bool cookie_check(const struct tcp *t, const struct listener *l, const struct segment *s, struct request *r) {
    const struct wire_tcp_options *o = &s->header.option;
    uint32_t cookie = s->header.ack - 1, irs = s->header.seq - 1;
    uint32_t age = (cookie_counter(t) - (cookie >> 27)) & 31;
    uint32_t index = cookie >> 24 & 7;
    if (age > COOKIE_PERIODS) return false;
    bool timestamps = t->base.config.timestamps && o->has_timestamps;
    uint32_t options = timestamps ? COOKIE_TIMESTAMPS | (o->tsecr & COOKIE_BITS) : 0;
    if (cookie_make(t, l, &s->tuple, irs, cookie_counter(t) - age, index, options) != cookie) return false;
    *r = (struct request){
        .hash = s->hash,
        .irs = irs,
        .iss = cookie,
        .mss = cookie_mss[!addr_is_ipv4(&s->tuple.local)][index],
        .iface = s->packet->iface,
        .sent = 2, /* nothing was kept that could be timed */
        .timestamps = timestamps,
    };
    if (!timestamps) return true;
    r->scaling = (options & COOKIE_SCALE) != COOKIE_NO_SCALE;
    r->send_scale = r->scaling ? options & COOKIE_SCALE : 0;
    r->receive_scale = r->scaling ? listener_receive_scale(t, l) : 0;
    r->sack = options & COOKIE_SACK;
    r->ecn = options & COOKIE_ECN;
    r->ts_recent = o->tsval;
    r->ts_offset = isn_make(t, &s->tuple).timestamp_offset;
    return true;
}
