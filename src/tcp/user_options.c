/* Options of connections and listeners.
 *
 * A listener's options are those that its connections begin with. It keeps the values, each checked as a connection's would be, and a
 * connection takes them over when its handshake is done; what a SYN-ACK says (the window's scale) is asked of the listener before.
 */
#include "tcp/congestion.h"
#include "tcp/ecn.h"
#include "tcp/options.h"
#include "tcp/rtt.h"
#include "tcp/user_calls.h"

/* Checks a value's range: [low, high]. */
static bool in_range(uint64_t value, uint64_t low, uint64_t high) {
    return value >= low && value <= high;
}

static int set_keepalive(struct tcp *t, struct connection *c, bool on) {
    c->keepalive = on;
    bool synchronized = c->state >= BK_ESTABLISHED && !c->detached;
    c->keepalive_due = on && synchronized ? c->heard_at + c->keepalive_idle_s * NS_PER_S : BK_NEVER;
    if (synchronized) connection_touch(t, c);
    return 0;
}

/* Before our SYN has left it offers what is set now; the effective MSS follows from the handshake. */
static int set_max_segment(struct tcp *t, struct connection *c, uint64_t value) {
    if (value != 0 && !in_range(value, TCP_MSS_MIN, 32767)) return ERROR_INVAL;
    c->mss_limit = (uint16_t)value;
    if (c->state == BK_SYN_SENT && c->snd_nxt == c->iss) {
        uint32_t mtu = path_mtu_offered(t, c->iface, &c->tuple.remote);
        c->mss_offered = mss_offer(mtu, connection_is_ipv6(c), c->mss_limit);
    }
    if (c->state != BK_CLOSED && !c->detached) path_mtu_refresh(t, c);
    return 0;
}

static int set_mtu_discovery(struct tcp *t, struct connection *c, uint64_t value) {
    if (value >= BK_MTU_DISCOVERIES) return ERROR_INVAL;
    c->mtu_discovery = (uint8_t)value;
    if (c->state != BK_CLOSED && !c->detached) path_mtu_refresh(t, c);
    return 0;
}

int user_set(struct tcp *t, struct connection *c, enum bk_tcp_option option, uint64_t value) {
    switch (option) {
    case BK_TCP_NODELAY:
        if (value > 1) return ERROR_INVAL;
        c->nodelay = value != 0;
        if (c->nodelay) c->more = false; /* what is queued goes, corked or not */
        if (!c->detached) connection_touch(t, c);
        return 0;
    case BK_TCP_KEEPALIVE:
        return value > 1 ? ERROR_INVAL : set_keepalive(t, c, value != 0);
    case BK_TCP_KEEPALIVE_IDLE_S:
        if (!in_range(value, 1, 32767)) return ERROR_INVAL;
        c->keepalive_idle_s = (uint16_t)value;
        return set_keepalive(t, c, c->keepalive);
    case BK_TCP_KEEPALIVE_INTERVAL_S:
        if (!in_range(value, 1, 32767)) return ERROR_INVAL;
        c->keepalive_interval_s = (uint16_t)value;
        return 0;
    case BK_TCP_KEEPALIVE_PROBES:
        if (!in_range(value, 1, 127)) return ERROR_INVAL;
        c->keepalive_probes = (uint8_t)value;
        return 0;
    case BK_TCP_USER_TIMEOUT_MS:
        if (value > UINT32_MAX) return ERROR_INVAL;
        c->user_timeout_ms = (uint32_t)value;
        if (!c->detached) connection_touch(t, c);
        return 0;
    case BK_TCP_SEND_BUFFER:
        if (!in_range(value, 1, UINT32_C(1) << 30)) return ERROR_INVAL;
        c->send_buffer = (uint32_t)value;
        c->send_fixed = true;
        return 0;
    case BK_TCP_RECEIVE_BUFFER:
        if (!in_range(value, 1, UINT32_C(1) << 30)) return ERROR_INVAL;
        receive_window_fix(t, c, (uint32_t)value);
        return 0;
    case BK_TCP_QUICKACK:
        if (value > 1) return ERROR_INVAL;
        c->quickack = value != 0;
        return 0;
    case BK_TCP_SYN_RETRIES:
        if (!in_range(value, 0, 127)) return ERROR_INVAL;
        c->syn_retries = (uint8_t)value;
        return 0;
    case BK_TCP_CONGESTION:
        if (value >= BK_CONGESTIONS) return ERROR_INVAL;
        congestion_choose(t, c, (enum bk_congestion)value);
        return 0;
    case BK_TCP_MAX_SEGMENT:
        return set_max_segment(t, c, value);
    case BK_TCP_FIN_WAIT_2_S:
        if (value > UINT8_MAX) return ERROR_INVAL;
        c->fin_wait_2_s = (uint8_t)value;
        return 0;
    case BK_TCP_TRAFFIC_CLASS:
        if (value > UINT8_MAX) return ERROR_INVAL;
        c->traffic_class = (uint8_t)(value & ~(uint64_t)ECN_MASK); /* ECN is not the user's (RFC 3168 5) */
        return 0;
    case BK_TCP_HOP_LIMIT:
        if (value > UINT8_MAX) return ERROR_INVAL;
        c->hop_limit = (uint8_t)value;
        return 0;
    case BK_TCP_MTU_DISCOVERY:
        return set_mtu_discovery(t, c, value);
    case BK_TCP_CORK:
        if (value > 1) return ERROR_INVAL;
        c->cork = value != 0;
        if (!c->cork) c->more = false;
        if (!c->detached) connection_touch(t, c);
        return 0;
    case BK_TCP_UNSENT_LOW:
        if (value > UINT32_MAX) return ERROR_INVAL;
        c->unsent_low = (uint32_t)value;
        return 0;
    case BK_TCP_RTO_MAX_MS:
        if (value != 0 && !in_range(value, 1000, 120000)) return ERROR_INVAL;
        c->rto_max = (uint16_t)((value + 1) / 2);
        c->rto_us = rtt_clamp(t, c, c->rto_us);
        return 0;
    case BK_TCP_WINDOW_CLAMP:
        if (value > UINT32_MAX) return ERROR_INVAL;
        receive_window_clamp(t, c, (uint32_t)value);
        return 0;
    case BK_TCP_DEFER_ACCEPT:
        return ERROR_NOPROTOOPT;
    case BK_TCP_USER:
        c->user = value;
        return 0;
    case BK_TCP_NEWS:
        if (value > (BK_NEWS_ARRIVALS | BK_NEWS_PROGRESS | BK_NEWS_ERRORS)) return ERROR_INVAL;
        c->news = (uint8_t)value;
        return 0;
    case BK_TCP_WANT_WRITE:
        if (value > 1) return ERROR_INVAL;
        c->want_write = value != 0;
        return 0;
    case BK_TCP_OPTIONS:
        break;
    }
    return ERROR_NOPROTOOPT;
}

int user_get(const struct connection *c, enum bk_tcp_option option, uint64_t *value) {
    switch (option) {
    case BK_TCP_NODELAY:
        *value = c->nodelay;
        return 0;
    case BK_TCP_KEEPALIVE:
        *value = c->keepalive;
        return 0;
    case BK_TCP_KEEPALIVE_IDLE_S:
        *value = c->keepalive_idle_s;
        return 0;
    case BK_TCP_KEEPALIVE_INTERVAL_S:
        *value = c->keepalive_interval_s;
        return 0;
    case BK_TCP_KEEPALIVE_PROBES:
        *value = c->keepalive_probes;
        return 0;
    case BK_TCP_USER_TIMEOUT_MS:
        *value = c->user_timeout_ms;
        return 0;
    case BK_TCP_SEND_BUFFER:
        *value = c->send_buffer;
        return 0;
    case BK_TCP_RECEIVE_BUFFER:
        *value = c->receive_buffer;
        return 0;
    case BK_TCP_QUICKACK:
        *value = c->quickack;
        return 0;
    case BK_TCP_SYN_RETRIES:
        *value = c->syn_retries;
        return 0;
    case BK_TCP_CONGESTION:
        *value = c->congestion;
        return 0;
    case BK_TCP_MAX_SEGMENT:
        *value = c->mss_limit;
        return 0;
    case BK_TCP_FIN_WAIT_2_S:
        *value = c->fin_wait_2_s;
        return 0;
    case BK_TCP_TRAFFIC_CLASS:
        *value = c->traffic_class;
        return 0;
    case BK_TCP_HOP_LIMIT:
        *value = c->hop_limit;
        return 0;
    case BK_TCP_MTU_DISCOVERY:
        *value = c->mtu_discovery;
        return 0;
    case BK_TCP_CORK:
        *value = c->cork;
        return 0;
    case BK_TCP_UNSENT_LOW:
        *value = c->unsent_low;
        return 0;
    case BK_TCP_RTO_MAX_MS:
        *value = 2u * c->rto_max;
        return 0;
    case BK_TCP_WINDOW_CLAMP:
        *value = c->window_clamp;
        return 0;
    case BK_TCP_DEFER_ACCEPT:
        return ERROR_NOPROTOOPT;
    case BK_TCP_USER:
        *value = c->user;
        return 0;
    case BK_TCP_NEWS:
        *value = c->news;
        return 0;
    case BK_TCP_WANT_WRITE:
        *value = c->want_write;
        return 0;
    case BK_TCP_OPTIONS:
        break;
    }
    return ERROR_NOPROTOOPT;
}

/* ---- listeners ------------------------------------------------------------------------------------- */

int user_listener_set(struct tcp *t, struct listener *l, enum bk_tcp_option option, uint64_t value) {
    if (option >= LISTENER_OPTIONS) return ERROR_NOPROTOOPT;
    /* Tried on a connection that nobody will see: so the range of each option is said once. */
    struct connection probe = {.state = BK_CLOSED, .detached = true, .active = BK_NONE};
    int error =
        option == BK_TCP_DEFER_ACCEPT ? (value > BK_DEFER_MAX ? ERROR_INVAL : 0) : user_set(t, &probe, option, value);
    if (error != 0) return error;
    l->option[option] = (uint32_t)value;
    l->option_mask |= 1u << option;
    return 0;
}

void user_inherit(struct tcp *t, const struct listener *l, struct connection *c) {
    /* QUICKACK is a wish of the moment: what is accepted begins as all do. The deferral is over when there is a connection. */
    uint32_t mask = l->option_mask & ~(1u << BK_TCP_QUICKACK | 1u << BK_TCP_DEFER_ACCEPT);
    for (uint32_t option = 0; option < LISTENER_OPTIONS; option++)
        if (mask >> option & 1) (void)user_set(t, c, (enum bk_tcp_option)option, l->option[option]);
}
