/* JSON lines: one object a line, for an event or a connection.
 *
 * The emitter is a list of members: each function below writes a comma where one is needed, the key and the value. Members
 * that say nothing about a kind of event (sequence numbers of a user call) are left out rather than null, so a
 * reader may take a member's presence for its meaning. The names are stable; docs/trace.md lists them.
 */
#include <inttypes.h>

#include "base/common.h"
#include "trace/text.h"

struct json {
    struct text_out out;
    bool more; /* a member stands before the next one */
};

static void json_key(struct json *j, const char *key) {
    text_printf(&j->out, "%s\"%s\":", j->more ? "," : "", key);
    j->more = true;
}

static void json_number(struct json *j, const char *key, uint64_t value) {
    json_key(j, key);
    text_printf(&j->out, "%" PRIu64, value);
}

static void json_signed(struct json *j, const char *key, int64_t value) {
    json_key(j, key);
    text_printf(&j->out, "%" PRId64, value);
}

static void json_bool(struct json *j, const char *key, bool value) {
    json_key(j, key);
    text_put(&j->out, value ? "true" : "false");
}

static void json_string(struct json *j, const char *key, const char *value) {
    json_key(j, key);
    text_json_string(&j->out, value);
}

static void json_begin(struct json *j, bk_text_fn write, void *context) {
    j->out = (struct text_out){write, context};
    j->more = false;
    text_put(&j->out, "{");
}

static void json_end(struct json *j) {
    text_put(&j->out, "}\n");
}

/* The bits of `bits` by their names, as an array. */
static void json_bits(struct json *j, const char *key, uint8_t bits, const char *const names[8]) {
    json_key(j, key);
    const char *separator = "[";
    for (int i = 0; i < 8; i++) {
        if (!(bits & 1 << i)) continue;
        text_printf(&j->out, "%s\"%s\"", separator, names[i]);
        separator = ",";
    }
    text_put(&j->out, *separator == '[' ? "[]" : "]");
}

static const char *const flag_names[8] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
static const char *const ready_names[8] = {"connected",   "readable", "writable", "acceptable",
                                           "peer-closed", "closed",   "urgent",   "128"};

static const char *json_call(uint8_t call) {
    static const char *const names[] = {"unknown", "listen",   "connect", "accept", "send",
                                        "receive", "shutdown", "close",   "abort",  "unlisten"};
    return names[call < BK_COUNT(names) ? call : 0];
}

static const char *json_kind(uint8_t kind) {
    static const char *const names[] = {"unknown", "segment-out", "segment-in", "state", "call", "heard", "timer"};
    return names[kind < BK_COUNT(names) ? kind : 0];
}

static const char *json_object(uint32_t kind) {
    static const char *const names[] = {"none", "connection", "request", "time-wait", "listener"};
    return kind < BK_COUNT(names) ? names[kind] : "unknown";
}

static void json_segment(struct json *j, const struct bk_event *e) {
    json_bits(j, "flags", e->tcp_flags, flag_names);
    json_number(j, "seq", e->seq);
    if (e->tcp_flags & 16) json_number(j, "ack", e->ack);
    json_number(j, "wnd", e->wnd);
    json_number(j, "len", e->len);
    if (e->tsval || e->tsecr) {
        json_number(j, "tsval", e->tsval);
        json_number(j, "tsecr", e->tsecr);
    }
    if (e->mss) json_number(j, "mss", e->mss);
    if (e->tcp_flags & 2 && e->wscale != 255) json_number(j, "wscale", e->wscale);
}

static void json_reason(struct json *j, uint16_t reason) {
    json_string(j, "reason", bk_reason_name(reason));
    json_string(j, "verdict", bk_verdict_name(bk_reason_verdict(reason)));
    json_string(j, "words", bk_reason_words(reason));
    if (*bk_reason_rfc(reason)) json_string(j, "rfc", bk_reason_rfc(reason));
}

/* What a kind of event has besides the members that all have. */
static void json_event_detail(struct json *j, const struct bk_event *e) {
    switch (e->kind) {
    case BK_EVENT_SEGMENT_OUT:
    case BK_EVENT_SEGMENT_IN:
        json_segment(j, e);
        break;
    case BK_EVENT_CALL:
        json_string(j, "call", json_call(e->call));
        json_signed(j, "result", (int32_t)e->len);
        break;
    case BK_EVENT_HEARD:
        json_bits(j, "ready", e->call, ready_names);
        if (e->len) json_signed(j, "error", -(int64_t)e->len);
        break;
    default:
        break;
    }
    bool segment = e->kind == BK_EVENT_SEGMENT_OUT || e->kind == BK_EVENT_SEGMENT_IN;
    if (segment || e->kind == BK_EVENT_TIMER || e->reason != BK_REASON_NONE) json_reason(j, e->reason);
}

void bk_event_json(const struct bk_event *e, const char *stack, bk_text_fn write, void *context) {
    struct json j;
    json_begin(&j, write, context);
    json_number(&j, "time", e->time);
    if (stack) json_string(&j, "stack", stack);
    json_string(&j, "event", json_kind(e->kind));
    json_number(&j, "family", e->family);
    json_number(&j, "iface", e->iface);
    json_string(&j, "object_kind", json_object(e->object_kind));
    if (e->object != BK_NONE) json_number(&j, "object", e->object);
    json_number(&j, "local_port", e->local_port);
    json_number(&j, "remote_port", e->remote_port);
    json_number(&j, "remote_tag", e->remote_tag);
    json_string(&j, "state_before", bk_state_name(e->state_before));
    json_string(&j, "state", bk_state_name(e->state));
    json_event_detail(&j, e);
    json_end(&j);
}

static const char *json_timer(uint8_t timer) {
    static const char *const names[] = {"none", "retransmission", "keepalive", "time-wait", "persist"};
    return timer < BK_COUNT(names) ? names[timer] : "unknown";
}

static void json_address(struct json *j, const char *key, const bk_addr *addr) {
    char text[BK_ADDR_TEXT];
    json_string(j, key, bk_addr_format(addr, text));
}

static void json_info_identity(struct json *j, const struct bk_tcp_info *i) {
    json_string(j, "state", bk_state_name(i->state));
    json_address(j, "local", &i->local);
    json_number(j, "local_port", i->local_port);
    json_address(j, "remote", &i->remote);
    json_number(j, "remote_port", i->remote_port);
    json_number(j, "iface", i->iface);
    json_bool(j, "owned", i->owned);
    json_signed(j, "error", i->error);
    json_signed(j, "soft_error", i->soft_error);
}

static void json_info_sequence(struct json *j, const struct bk_tcp_info *i) {
    json_number(j, "iss", i->iss);
    json_number(j, "snd_una", i->snd_una);
    json_number(j, "snd_nxt", i->snd_nxt);
    json_number(j, "snd_wnd", i->snd_wnd);
    json_number(j, "snd_wl1", i->snd_wl1);
    json_number(j, "snd_wl2", i->snd_wl2);
    json_number(j, "snd_up", i->snd_up);
    json_number(j, "max_snd_wnd", i->max_snd_wnd);
    json_number(j, "irs", i->irs);
    json_number(j, "rcv_nxt", i->rcv_nxt);
    json_number(j, "rcv_wnd", i->rcv_wnd);
    json_number(j, "rcv_up", i->rcv_up);
}

static void json_info_settings(struct json *j, const struct bk_tcp_info *i) {
    json_number(j, "send_scale", i->send_scale);
    json_number(j, "receive_scale", i->receive_scale);
    json_bool(j, "timestamps", i->timestamps);
    json_bool(j, "keepalive", i->keepalive);
    json_bool(j, "nodelay", i->nodelay);
    json_number(j, "send_mss", i->send_mss);
    json_number(j, "receive_mss", i->receive_mss);
    json_number(j, "advertised_mss", i->advertised_mss);
    json_number(j, "send_queued", i->send_queued);
    json_number(j, "receive_queued", i->receive_queued);
    json_number(j, "out_of_order", i->out_of_order);
    json_number(j, "send_buffer", i->send_buffer);
    json_number(j, "receive_buffer", i->receive_buffer);
    json_number(j, "receive_space", i->receive_space);
    json_number(j, "receive_rtt_us", i->receive_rtt_us);
    json_number(j, "out_of_order_segments", i->out_of_order_segments);
    json_number(j, "text_age_ms", i->text_age_ms);
}

static void json_info_path(struct json *j, const struct bk_tcp_info *i) {
    static const char *const recovery[] = {"open", "disorder", "reducing", "fast-recovery", "timeout"};
    json_number(j, "srtt_us", i->srtt_us);
    json_number(j, "rttvar_us", i->rttvar_us);
    json_number(j, "min_rtt_us", i->min_rtt_us);
    json_number(j, "rto_us", i->rto_us);
    json_number(j, "ack_delay_us", i->ack_delay_us);
    json_number(j, "receive_window_most", i->receive_window_most);
    json_number(j, "cwnd", i->cwnd);
    json_number(j, "ssthresh", i->ssthresh);
    json_number(j, "in_flight", i->in_flight);
    json_string(j, "congestion", bk_congestion_name((enum bk_congestion)i->congestion));
    json_number(j, "pacing_rate", i->pacing_rate);
    json_number(j, "delivery_rate", i->delivery_rate);
    json_bool(j, "delivery_app_limited", i->delivery_app_limited);
    json_number(j, "bbr_bw", i->bbr_bw);
    json_number(j, "bbr_min_rtt_us", i->bbr_min_rtt_us);
    json_string(j, "recovery", i->recovery < BK_COUNT(recovery) ? recovery[i->recovery] : "unknown");
    json_number(j, "retransmits", i->retransmits);
    json_number(j, "backoff", i->backoff);
    json_number(j, "probes", i->probes);
    json_bool(j, "sack", i->sack);
    json_number(j, "segments_unacked", i->segments_unacked);
    json_number(j, "segments_sacked", i->segments_sacked);
    json_number(j, "segments_lost", i->segments_lost);
    json_number(j, "segments_resent", i->segments_resent);
    json_number(j, "reordering", i->reordering);
    json_number(j, "reordering_seen", i->reordering_seen);
}

static void json_info_counters(struct json *j, const struct bk_tcp_info *i) {
    json_number(j, "segments_delivered", i->segments_delivered);
    json_number(j, "dsack_duplicates", i->dsack_duplicates);
    json_number(j, "bytes_sent", i->bytes_sent);
    json_number(j, "bytes_retransmitted", i->bytes_retransmitted);
    json_number(j, "bytes_acked", i->bytes_acked);
    json_number(j, "bytes_received", i->bytes_received);
    json_number(j, "segments_sent", i->segments_sent);
    json_number(j, "segments_received", i->segments_received);
    json_number(j, "segments_retransmitted", i->segments_retransmitted);
    json_number(j, "data_segments_sent", i->data_segments_sent);
    json_number(j, "data_segments_received", i->data_segments_received);
    json_number(j, "segments_delivered_ce", i->segments_delivered_ce);
    json_number(j, "timeouts", i->timeouts);
    json_number(j, "timeout_episodes", i->timeout_episodes);
    json_number(j, "timeout_ms", i->timeout_ms);
}

void bk_tcp_info_json(const struct bk_tcp_info *i, const char *stack, uint64_t now, bk_text_fn write, void *context) {
    struct json j;
    json_begin(&j, write, context);
    if (stack) json_string(&j, "stack", stack);
    json_info_identity(&j, i);
    if (i->state == BK_LISTEN) {
        json_number(&j, "backlog", i->backlog);
        json_number(&j, "backlog_max", i->backlog_max);
    } else {
        json_info_sequence(&j, i);
        json_info_settings(&j, i);
        json_info_path(&j, i);
        json_info_counters(&j, i);
        json_string(&j, "timer", json_timer(i->timer));
        if (i->timer && i->timer_due != BK_NEVER)
            json_number(&j, "timer_left_ns", i->timer_due > now ? i->timer_due - now : 0);
        json_number(&j, "idle_ns", now > i->idle_since ? now - i->idle_since : 0);
    }
    json_end(&j);
}
