/* Shows that JSON lines parse with another implementation of JSON and hold what the event or connection held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "beckon/render.h"
#include "trace_script.h"

/* Parses the text, which must be one line with one object without repeated keys. */
static json_t *parse(struct bk_text *text) {
    json_error_t error;
    assert_false(text->failed);
    assert_true(text->length > 2 && text->data[text->length - 1] == '\n');
    assert_ptr_equal(strchr(text->data, '\n'), text->data + text->length - 1);
    json_t *object = json_loads(text->data, JSON_REJECT_DUPLICATES, &error);
    if (!object) fail_msg("%s in %s", error.text, text->data);
    assert_true(json_is_object(object));
    bk_text_free(text);
    return object;
}

static json_t *event_parsed(const struct bk_event *e, const char *stack) {
    struct bk_text text = {0};
    bk_event_json(e, stack, bk_text_to_memory, &text);
    return parse(&text);
}

static void member_number(json_t *object, const char *key, json_int_t value) {
    json_t *member = json_object_get(object, key);
    if (!json_is_integer(member)) fail_msg("no integer %s", key);
    assert_int_equal(json_integer_value(member), value);
}

static void member_text(json_t *object, const char *key, const char *value) {
    json_t *member = json_object_get(object, key);
    if (!json_is_string(member)) fail_msg("no string %s", key);
    assert_string_equal(json_string_value(member), value);
}

static void member_texts(json_t *object, const char *key, const char *const *values, size_t n) {
    json_t *member = json_object_get(object, key);
    assert_true(json_is_array(member));
    assert_int_equal(json_array_size(member), n);
    for (size_t i = 0; i < n; i++) assert_string_equal(json_string_value(json_array_get(member, i)), values[i]);
}

static void test_segment(void **state) {
    (void)state;
    struct script s = {.local_port = 49152, .remote_port = 80, .now = 123456789012345u, .state = BK_SYN_RECEIVED};
    script_out(&s, S | A, 4000000000u, 7, 0, BK_REASON_SEND_SYN_ACK);
    json_t *o = event_parsed(&s.event[0], "server");
    member_number(o, "time", 123456789012345);
    member_text(o, "stack", "server");
    member_text(o, "event", "segment-out");
    member_text(o, "state", "SYN-RECEIVED");
    member_number(o, "seq", 4000000000);
    member_number(o, "ack", 7);
    member_number(o, "wnd", 65535);
    member_number(o, "mss", 1460);
    member_number(o, "wscale", 7);
    member_number(o, "local_port", 49152);
    member_number(o, "remote_port", 80);
    member_number(o, "remote_tag", 7);
    member_texts(o, "flags", (const char *[]){"SYN", "ACK"}, 2);
    member_text(o, "reason", "SEND_SYN_ACK");
    member_text(o, "verdict", "sent");
    member_text(o, "words", "SYN-ACK answers a SYN");
    member_text(o, "rfc", "RFC 9293 3.10.7.2");
    assert_null(json_object_get(o, "tsval"));
    json_decref(o);
}

static void test_members_that_say_nothing_are_absent(void **state) {
    (void)state;
    struct script s = {.local_port = 1, .remote_port = 2};
    script_in(&s, R, 9, 8, 0, BK_REASON_DROP_BAD_PORT, BK_CLOSED);
    s.event[0].object = BK_NONE;
    json_t *o = event_parsed(&s.event[0], NULL);
    static const char *const absent[] = {"stack", "object", "ack", "mss", "wscale", "rfc", "call", "ready", "error"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) assert_null(json_object_get(o, absent[i]));
    json_decref(o);
}

static void test_calls_and_news(void **state) {
    (void)state;
    struct script s = {.local_port = 1, .remote_port = 2};
    script_call(&s, BK_CALL_SEND, 80);
    script_heard(&s, BK_READY_READABLE | BK_READY_CLOSED, 104);
    script_timer(&s, BK_REASON_NOTE_RTO);
    script_state(&s, BK_LAST_ACK);
    json_t *o = event_parsed(&s.event[0], "a");
    member_text(o, "event", "call");
    member_text(o, "call", "send");
    member_number(o, "result", 80);
    json_decref(o);
    o = event_parsed(&s.event[1], "a");
    member_text(o, "event", "heard");
    member_texts(o, "ready", (const char *[]){"readable", "closed"}, 2);
    member_number(o, "error", -104);
    json_decref(o);
    o = event_parsed(&s.event[2], "a");
    member_text(o, "event", "timer");
    member_text(o, "reason", "NOTE_RTO");
    json_decref(o);
    o = event_parsed(&s.event[3], "a");
    member_text(o, "event", "state");
    member_text(o, "state_before", "CLOSED");
    member_text(o, "state", "LAST-ACK");
    json_decref(o);
}

/* A name of the user's may hold anything; a reader gets it back, with U+FFFD for what is not UTF-8. */
static void test_strings(void **state) {
    (void)state;
    struct script s = {.local_port = 1};
    script_timer(&s, BK_REASON_NOTE_RTO);
    static const char *const same[] = {"", "a\"b\\c\n\t\x01\x7f", "\xe5\xae\xa2 \xc3\xa9 \xf0\x9f\x98\x80",
                                       "</script>"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        json_t *o = event_parsed(&s.event[0], same[i]);
        member_text(o, "stack", same[i]);
        json_decref(o);
    }
    static const char *const bad[] = {"\xff", "\xc3", "\xe5\xae", "\xed\xa0\x80", "\xc0\x80", "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *o = event_parsed(&s.event[0], bad[i]);
        assert_non_null(strstr(json_string_value(json_object_get(o, "stack")), "\xef\xbf\xbd"));
        json_decref(o);
    }
}

static void test_any_event(void **state) {
    (void)state;
    uint32_t random = 1;
    for (int i = 0; i < 2000; i++) {
        struct bk_event e;
        uint8_t *byte = (uint8_t *)&e;
        for (size_t k = 0; k < sizeof e; k++) byte[k] = (uint8_t)((random = random * 1103515245u + 12345u) >> 16);
        e.time >>= 1; /* the parser's integers are signed */
        if (i % 2) e.kind %= 8;
        json_decref(event_parsed(&e, NULL));
    }
}

static void test_info(void **state) {
    (void)state;
    struct bk_text text = {0};
    struct bk_tcp_info info = {
        .local = bk_addr_ipv4(192, 0, 2, 1),
        .remote = bk_addr_ipv4(192, 0, 2, 2),
        .local_port = 80,
        .remote_port = 49152,
        .state = BK_ESTABLISHED,
        .timestamps = true,
        .snd_nxt = 4294967295u,
        .srtt_us = 1500,
        .cwnd = 14600,
        .timer = 1,
        .timer_due = 1000000200,
        .idle_since = 999999000,
        .bytes_sent = 10000000000u,
        .data_segments_sent = 71,
        .data_segments_received = 72,
        .segments_delivered_ce = 73,
        .timeouts = 74,
        .timeout_episodes = 75,
        .timeout_ms = 76,
        .ack_delay_us = 77,
        .receive_window_most = 78,
        .error = -110,
    };
    bk_tcp_info_json(&info, "server", 1000000000, bk_text_to_memory, &text);
    json_t *o = parse(&text);
    member_text(o, "stack", "server");
    member_text(o, "state", "ESTABLISHED");
    member_text(o, "local", "192.0.2.1");
    member_number(o, "remote_port", 49152);
    member_number(o, "snd_nxt", 4294967295);
    member_number(o, "srtt_us", 1500);
    member_number(o, "bytes_sent", 10000000000);
    member_number(o, "data_segments_sent", 71);
    member_number(o, "data_segments_received", 72);
    member_number(o, "segments_delivered_ce", 73);
    member_number(o, "timeouts", 74);
    member_number(o, "timeout_episodes", 75);
    member_number(o, "timeout_ms", 76);
    member_number(o, "ack_delay_us", 77);
    member_number(o, "receive_window_most", 78);
    member_number(o, "error", -110);
    member_text(o, "timer", "retransmission");
    member_number(o, "timer_left_ns", 200);
    member_number(o, "idle_ns", 1000);
    member_text(o, "recovery", "open");
    assert_true(json_is_true(json_object_get(o, "timestamps")));
    assert_true(json_is_false(json_object_get(o, "keepalive")));
    json_decref(o);

    info = (struct bk_tcp_info){.state = BK_LISTEN, .backlog = 2, .backlog_max = 128, .local_port = 80};
    bk_tcp_info_json(&info, NULL, 0, bk_text_to_memory, &text);
    o = parse(&text);
    member_number(o, "backlog", 2);
    member_number(o, "backlog_max", 128);
    assert_null(json_object_get(o, "snd_nxt"));
    json_decref(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment),        cmocka_unit_test(test_members_that_say_nothing_are_absent),
        cmocka_unit_test(test_calls_and_news), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_any_event),      cmocka_unit_test(test_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
