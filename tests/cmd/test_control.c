/* Shows that a connection survives the way over the control socket unchanged, and that what is no connection is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/control.h"

/* A value in each member, none like the next, and the largest in turn. */
static void fill(struct bk_tcp_info *info, unsigned round) {
    memset(info, 0, sizeof *info);
    bk_addr_parse(round % 2 ? "2001:db8::80" : "192.0.2.1", &info->local);
    bk_addr_parse(round % 2 ? "::" : "0.0.0.0", &info->remote);
    info->local_port = (uint16_t)(round == 2 ? 65535 : 80);
    info->remote_port = 12345;
    info->state = (uint8_t)(round % BK_STATES);
    info->iface = 3;
    info->send_scale = 7;
    info->receive_scale = 14;
    info->timestamps = round % 2;
    info->keepalive = !info->timestamps;
    info->nodelay = round % 3 == 0;
    info->owned = round % 3 == 1;
    info->error = round == 2 ? INT32_MIN : -104;
    uint32_t *u32[] = {&info->iss,
                       &info->snd_una,
                       &info->snd_nxt,
                       &info->snd_wnd,
                       &info->snd_wl1,
                       &info->snd_wl2,
                       &info->snd_up,
                       &info->max_snd_wnd,
                       &info->irs,
                       &info->rcv_nxt,
                       &info->rcv_wnd,
                       &info->rcv_up,
                       &info->send_mss,
                       &info->receive_mss,
                       &info->advertised_mss,
                       &info->send_queued,
                       &info->receive_queued,
                       &info->out_of_order,
                       &info->send_buffer,
                       &info->receive_buffer,
                       &info->receive_space,
                       &info->receive_rtt_us,
                       &info->out_of_order_segments,
                       &info->text_age_ms,
                       &info->srtt_us,
                       &info->rttvar_us,
                       &info->min_rtt_us,
                       &info->rto_us,
                       &info->cwnd,
                       &info->ssthresh,
                       &info->in_flight,
                       &info->backlog,
                       &info->backlog_max,
                       &info->segments_unacked,
                       &info->segments_sacked,
                       &info->segments_lost,
                       &info->segments_resent,
                       &info->reordering,
                       &info->reordering_seen,
                       &info->dsack_duplicates,
                       &info->bbr_min_rtt_us,
                       &info->ack_delay_us,
                       &info->receive_window_most,
                       &info->timeouts,
                       &info->timeout_episodes,
                       &info->timeout_ms};
    for (size_t i = 0; i < sizeof u32 / sizeof *u32; i++) *u32[i] = UINT32_MAX - (uint32_t)i * (round + 1);
    info->congestion = 2;
    info->delivery_app_limited = true;
    info->recovery = 2;
    info->retransmits = 255;
    info->probes = 9;
    info->backoff = 3;
    info->sack = round % 2 == 0;
    info->timer = 4;
    info->timer_due = round % 2 ? UINT64_MAX : UINT64_C(1) << 62;
    uint64_t *u64[] = {&info->bytes_sent,
                       &info->bytes_retransmitted,
                       &info->bytes_acked,
                       &info->bytes_received,
                       &info->segments_sent,
                       &info->segments_received,
                       &info->segments_retransmitted,
                       &info->segments_delivered,
                       &info->idle_since,
                       &info->pacing_rate,
                       &info->delivery_rate,
                       &info->bbr_bw,
                       &info->data_segments_sent,
                       &info->data_segments_received,
                       &info->segments_delivered_ce};
    for (size_t i = 0; i < sizeof u64 / sizeof *u64; i++) *u64[i] = (UINT64_C(1) << 40) + i * (round + 1);
}

/* The members side by side, padding left out, through the text form of all of them. */
static void expect_equal(const struct bk_tcp_info *a, const struct bk_tcp_info *b) {
    json_t *x = control_info_encode(a), *y = control_info_encode(b);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(json_object_size(x), 83);
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

static void test_round_trip(void **state) {
    (void)state;
    for (unsigned round = 0; round < BK_STATES; round++) {
        struct bk_tcp_info before, after;
        fill(&before, round);
        json_t *object = control_info_encode(&before);
        assert_non_null(object);
        char *text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        assert_non_null(text);
        json_error_t error;
        object = json_loads(text, 0, &error);
        assert_non_null(object);
        assert_true(control_info_decode(object, &after));
        expect_equal(&before, &after);
        assert_int_equal(after.timer_due, before.timer_due);
        assert_int_equal(after.error, before.error);
        assert_int_equal(after.local_port, before.local_port);
        assert_true(bk_addr_equal(&after.local, &before.local));
        assert_int_equal(after.backlog_max, before.backlog_max);
        free(text);
        json_decref(object);
    }
}

static void refused(json_t *object, const char *member, json_t *value) {
    struct bk_tcp_info info;
    json_t *changed = json_copy(object);
    assert_int_equal(json_object_set_new(changed, member, value), 0);
    assert_false(control_info_decode(changed, &info));
    json_decref(changed);
}

static void test_refused(void **state) {
    (void)state;
    struct bk_tcp_info info;
    fill(&info, 4);
    json_t *object = control_info_encode(&info);
    assert_non_null(object);
    assert_true(control_info_decode(object, &info));
    refused(object, "local_port", json_integer(65536));
    refused(object, "local_port", json_integer(-1));
    refused(object, "local_port", json_string("80"));
    refused(object, "local_port", json_null());
    refused(object, "state", json_integer(BK_STATES));
    refused(object, "state", json_integer(256));
    refused(object, "iss", json_integer(INT64_C(1) << 32));
    refused(object, "error", json_integer(INT64_C(1) << 31));
    refused(object, "owned", json_integer(1));
    refused(object, "local", json_string("192.0.2.256"));
    refused(object, "local", json_integer(1));
    refused(object, "timer_due", json_real(1.5));
    refused(object, "timer_due", json_integer(-1));
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) { /* each member must be there */
        json_t *without = json_copy(object);
        json_object_del(without, name);
        assert_false(control_info_decode(without, &info));
        json_decref(without);
    }
    json_decref(object);
    json_t *array = json_array();
    assert_false(control_info_decode(array, &info));
    json_decref(array);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
