/* Shows that ladder diagrams are drawn from events exactly as the golden texts in tests/golden/ladder have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "beckon/ladder.h"
#include "trace/infer.h"
#include "trace/label.h"
#include "trace/text.h"
#include "trace_script.h"

enum { C = 1000000, D = 5000000 }; /* the ISNs of client and server */
static struct script client, server;

static void begin(void) {
    client = (struct script){.local_port = 49152, .remote_port = 80, .now = MS(1000)};
    server = (struct script){.local_port = 80, .remote_port = 49152, .now = MS(1000), .state = BK_LISTEN};
}

static void at(uint64_t ms) {
    client.now = server.now = MS(1000) + MS(ms);
}

static char *golden_read(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, f) < 65535);
    fclose(f);
    return text;
}

/* Compares with the golden text; BECKON_GOLDEN_WRITE=1 in the environment writes it anew instead. */
static void expect_golden(const char *name, const struct bk_text *got) {
    char path[512];
    const char *source = getenv("BECKON_SOURCE"); /* the tree; tests run by hand run in it */
    snprintf(path, sizeof path, "%s/tests/golden/ladder/%s.txt", source ? source : ".", name);
    if (getenv("BECKON_GOLDEN_WRITE")) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fwrite(got->data, 1, got->length, f);
        assert_int_equal(fclose(f), 0);
    }
    char *want = golden_read(path);
    if (!want) fail_msg("cannot read %s", path);
    if (strcmp(want, got->data) != 0) fail_msg("%s differs; drawn now:\n%s", path, got->data);
    free(want);
}

/* No line may be wider than asked for. */
static void expect_width(const struct bk_text *text, uint32_t width) {
    char line[4096];
    for (const char *p = text->data; *p;) {
        size_t n = strcspn(p, "\n");
        assert_true(n < sizeof line);
        memcpy(line, p, n);
        line[n] = 0;
        assert_true(text_width(line) <= width);
        assert_true(n == 0 || line[n - 1] != ' ');
        p += n + (p[n] == '\n');
    }
}

static void draw(const char *name, const struct bk_ladder_side *b, const struct bk_ladder_options *options) {
    struct bk_text text = {0};
    struct bk_ladder_side a = {"client", client.event, client.count};
    assert_int_equal(bk_ladder(&a, b, NULL, options, bk_text_to_memory, &text), 0);
    assert_false(text.failed);
    if (!options || !options->colour) expect_width(&text, options && options->width ? options->width : 100);
    expect_golden(name, &text);
    bk_text_free(&text);
}

static void draw_both(const char *name, const struct bk_ladder_options *options) {
    struct bk_ladder_side b = {"server", server.event, server.count};
    draw(name, &b, options);
}

/* ---- stories --------------------------------------------------------------------------------------- */

static void open_both(void) {
    script_call(&client, BK_CALL_OPEN_ACTIVE, 0);
    script_state(&client, BK_SYN_SENT);
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN);
    script_in(&server, S, C, 0, 0, BK_REASON_ACCEPT_SYN, BK_SYN_RECEIVED);
    script_state(&server, BK_SYN_RECEIVED);
    script_out(&server, S | A, D, C + 1, 0, BK_REASON_SEND_SYN_ACK);
    script_in(&client, S | A, D, C + 1, 0, BK_REASON_ACCEPT_SYN_ACK, BK_ESTABLISHED);
    script_state(&client, BK_ESTABLISHED);
    script_heard(&client, BK_READY_CONNECTED | BK_READY_WRITABLE, 0);
    script_out(&client, A, C + 1, D + 1, 0, BK_REASON_SEND_HANDSHAKE_ACK);
    script_in(&server, A, C + 1, D + 1, 0, BK_REASON_ACCEPT_HANDSHAKE_ACK, BK_ESTABLISHED);
    script_state(&server, BK_ESTABLISHED);
    script_heard(&server, BK_READY_ACCEPTABLE, 0);
    script_call(&server, BK_CALL_ACCEPT, 0);
}

static void data_both(void) {
    script_call(&client, BK_CALL_SEND, 80);
    script_out(&client, P | A, C + 1, D + 1, 80, BK_REASON_SEND_DATA);
    script_in(&server, P | A, C + 1, D + 1, 80, BK_REASON_ACCEPT_DATA, BK_ESTABLISHED);
    script_heard(&server, BK_READY_READABLE, 0);
    script_call(&server, BK_CALL_RECEIVE, 80);
    script_call(&server, BK_CALL_SEND, 1200);
    script_out(&server, P | A, D + 1, C + 81, 1200, BK_REASON_SEND_DATA);
    script_in(&client, P | A, D + 1, C + 81, 1200, BK_REASON_ACCEPT_DATA, BK_ESTABLISHED);
    script_heard(&client, BK_READY_READABLE, 0);
    script_call(&client, BK_CALL_RECEIVE, 1200);
}

static void close_both(void) {
    script_call(&client, BK_CALL_CLOSE, 0);
    script_state(&client, BK_FIN_WAIT_1);
    script_out(&client, F | A, C + 81, D + 1201, 0, BK_REASON_SEND_FIN);
    script_in(&server, F | A, C + 81, D + 1201, 0, BK_REASON_ACCEPT_FIN, BK_CLOSE_WAIT);
    script_state(&server, BK_CLOSE_WAIT);
    script_heard(&server, BK_READY_READABLE | BK_READY_PEER_CLOSED, 0);
    script_out(&server, A, D + 1201, C + 82, 0, BK_REASON_SEND_ACK_FIN);
    script_in(&client, A, D + 1201, C + 82, 0, BK_REASON_ACCEPT_ACK_OF_FIN, BK_FIN_WAIT_2);
    script_state(&client, BK_FIN_WAIT_2);
    at(45);
    script_call(&server, BK_CALL_RECEIVE, 0);
    script_call(&server, BK_CALL_CLOSE, 0);
    script_state(&server, BK_LAST_ACK);
    script_out(&server, F | A, D + 1201, C + 82, 0, BK_REASON_SEND_FIN);
    script_in(&client, F | A, D + 1201, C + 82, 0, BK_REASON_ACCEPT_FIN, BK_TIME_WAIT);
    script_state(&client, BK_TIME_WAIT);
    script_out(&client, A, C + 82, D + 1202, 0, BK_REASON_SEND_ACK_FIN);
    script_in(&server, A, C + 82, D + 1202, 0, BK_REASON_ACCEPT_ACK_OF_FIN, BK_CLOSED);
    script_state(&server, BK_CLOSED);
    at(60045);
    script_state(&client, BK_CLOSED);
}

static void whole_life(void) {
    begin();
    open_both();
    at(20);
    data_both();
    at(30);
    close_both();
}

/* ---- tests ----------------------------------------------------------------------------------------- */

static void test_whole_life(void **state) {
    (void)state;
    whole_life();
    draw_both("whole_life", NULL);
}

static void test_narrow(void **state) {
    (void)state;
    whole_life();
    draw_both("narrow", &(struct bk_ladder_options){.width = 80, .absolute_isn = true});
}

static void test_ascii(void **state) {
    (void)state;
    whole_life();
    draw_both("ascii", &(struct bk_ladder_options){.width = 90, .ascii = true, .all_reasons = true});
}

static void test_colour(void **state) {
    (void)state;
    begin();
    open_both();
    draw_both("colour", &(struct bk_ladder_options){.colour = true});
}

static void test_lost_syn(void **state) {
    (void)state;
    begin();
    script_call(&client, BK_CALL_OPEN_ACTIVE, 0);
    script_state(&client, BK_SYN_SENT);
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN);
    at(1000);
    script_timer(&client, BK_REASON_NOTE_RTO);
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN_AGAIN);
    at(1010);
    script_in(&server, S, C, 0, 0, BK_REASON_ACCEPT_SYN, BK_SYN_RECEIVED);
    server.state = BK_SYN_RECEIVED;
    script_out(&server, S | A, D, C + 1, 0, BK_REASON_SEND_SYN_ACK);
    at(2010);
    script_out(&server, S | A, D, C + 1, 0, BK_REASON_SEND_SYN_ACK_AGAIN);
    at(2020);
    script_in(&client, S | A, D, C + 1, 0, BK_REASON_ACCEPT_SYN_ACK, BK_ESTABLISHED);
    script_state(&client, BK_ESTABLISHED);
    script_out(&client, A, C + 1, D + 1, 0, BK_REASON_SEND_HANDSHAKE_ACK);
    at(2030);
    script_in(&server, A, C + 1, D + 1, 0, BK_REASON_ACCEPT_HANDSHAKE_ACK, BK_ESTABLISHED);
    draw_both("lost_syn", NULL);
}

/* Both send FIN before either arrives: the arrows cross, and both go through CLOSING. */
static void test_simultaneous_close(void **state) {
    (void)state;
    begin();
    client.state = server.state = BK_ESTABLISHED;
    script_call(&client, BK_CALL_CLOSE, 0);
    script_state(&client, BK_FIN_WAIT_1);
    script_out(&client, F | A, C + 1, D + 1, 0, BK_REASON_SEND_FIN);
    at(2);
    script_call(&server, BK_CALL_CLOSE, 0);
    script_state(&server, BK_FIN_WAIT_1);
    script_out(&server, F | A, D + 1, C + 1, 0, BK_REASON_SEND_FIN);
    at(10);
    script_in(&server, F | A, C + 1, D + 1, 0, BK_REASON_ACCEPT_FIN, BK_CLOSING);
    script_state(&server, BK_CLOSING);
    script_out(&server, A, D + 2, C + 2, 0, BK_REASON_SEND_ACK_FIN);
    at(12);
    script_in(&client, F | A, D + 1, C + 1, 0, BK_REASON_ACCEPT_FIN, BK_CLOSING);
    script_state(&client, BK_CLOSING);
    script_out(&client, A, C + 2, D + 2, 0, BK_REASON_SEND_ACK_FIN);
    at(20);
    script_in(&client, A, D + 2, C + 2, 0, BK_REASON_ACCEPT_ACK_OF_FIN, BK_TIME_WAIT);
    script_state(&client, BK_TIME_WAIT);
    at(22);
    script_in(&server, A, C + 2, D + 2, 0, BK_REASON_ACCEPT_ACK_OF_FIN, BK_TIME_WAIT);
    script_state(&server, BK_TIME_WAIT);
    draw_both("simultaneous_close", NULL);
}

/* A window in flight: one segment lost, one damaged, one doubled, and a fast retransmission. */
static void test_loss_in_flight(void **state) {
    (void)state;
    begin();
    client.state = server.state = BK_ESTABLISHED;
    script_call(&client, BK_CALL_SEND, 4000);
    for (uint32_t i = 0; i < 4; i++) script_out(&client, A, C + 1 + 1000 * i, D + 1, 1000, BK_REASON_SEND_DATA);
    at(5);
    script_in(&server, A, C + 1001, D + 1, 1000, BK_REASON_ACCEPT_DATA_OUT_OF_ORDER, BK_ESTABLISHED);
    script_in(&server, A, C + 2001, D + 1, 1000, BK_REASON_DROP_TCP_CHECKSUM, BK_ESTABLISHED);
    script_in(&server, A, C + 3001, D + 1, 1000, BK_REASON_ACCEPT_DATA_OUT_OF_ORDER, BK_ESTABLISHED);
    script_in(&server, A, C + 3001, D + 1, 1000, BK_REASON_ANSWER_DUPLICATE, BK_ESTABLISHED);
    script_out(&server, A, D + 1, C + 1, 0, BK_REASON_SEND_ACK_OUT_OF_ORDER);
    at(10);
    script_in(&client, A, D + 1, C + 1, 0, BK_REASON_ACCEPT_ACK_DUPLICATE, BK_ESTABLISHED);
    script_out(&client, A, C + 1, D + 1, 1000, BK_REASON_SEND_FAST_RETRANSMIT);
    at(15);
    script_in(&server, A, C + 1, D + 1, 1000, BK_REASON_ACCEPT_DATA, BK_ESTABLISHED);
    script_heard(&server, BK_READY_READABLE, 0);
    script_out(&server, A, D + 1, C + 2001, 0, BK_REASON_SEND_ACK_GAP_FILLED);
    draw_both("loss_in_flight", &(struct bk_ladder_options){.width = 110});
}

/* A unit of three segments that the link cuts; two pieces of another arrive; a stranger's RST. */
static void test_offload(void **state) {
    (void)state;
    begin();
    client.state = server.state = BK_ESTABLISHED;
    script_call(&client, BK_CALL_SEND, 6000);
    script_out(&client, P | A, C + 1, D + 1, 3000, BK_REASON_SEND_DATA);
    for (uint32_t i = 0; i < 3; i++)
        script_in(&server, A, C + 1 + 1000 * i, D + 1, 1000, BK_REASON_ACCEPT_DATA, BK_ESTABLISHED);
    script_out(&client, P | A, C + 3001, D + 1, 3000, BK_REASON_SEND_DATA);
    script_in(&server, A, C + 3001, D + 1, 1000, BK_REASON_ACCEPT_DATA, BK_ESTABLISHED);
    script_in(&server, A, C + 4001, D + 1, 1000, BK_REASON_ACCEPT_DATA, BK_ESTABLISHED);
    at(1);
    script_in(&server, R, C + 77, 0, 0, BK_REASON_DROP_RST_OUTSIDE, BK_ESTABLISHED);
    script_out(&server, P | A, D + 1, C + 5001, 10, BK_REASON_SEND_DATA);
    draw_both("offload", NULL);
}

/* The client's stack alone is known; the kernel at the other end is seen through its segments. */
static void test_one_sided(void **state) {
    (void)state;
    whole_life();
    draw("one_sided", &(struct bk_ladder_side){.name = "kernel 192.0.2.2:80"}, NULL);
}

/* The server's stack alone, closing first; the peer's FIN rides on its ACK: three waves. */
static void test_one_sided_server(void **state) {
    (void)state;
    begin();
    struct script s = {.local_port = 80, .remote_port = 49152, .now = MS(1000), .state = BK_LISTEN};
    script_in(&s, S, C, 0, 0, BK_REASON_ACCEPT_SYN, BK_SYN_RECEIVED);
    s.state = BK_SYN_RECEIVED;
    script_out(&s, S | A, D, C + 1, 0, BK_REASON_SEND_SYN_ACK);
    s.now += 31000;
    script_in(&s, A, C + 1, D + 1, 0, BK_REASON_ACCEPT_HANDSHAKE_ACK, BK_ESTABLISHED);
    s.state = BK_ESTABLISHED;
    s.now += 12000;
    script_call(&s, BK_CALL_CLOSE, 0);
    script_state(&s, BK_FIN_WAIT_1);
    script_out(&s, F | A, D + 1, C + 1, 0, BK_REASON_SEND_FIN);
    s.now += 50000;
    script_in(&s, F | A, C + 1, D + 2, 0, BK_REASON_ACCEPT_FIN_ACK, BK_TIME_WAIT);
    s.state = BK_TIME_WAIT;
    script_out(&s, A, D + 2, C + 2, 0, BK_REASON_SEND_ACK_FIN);
    s.now += MS(200);
    script_in(&s, F | A, C + 1, D + 2, 0, BK_REASON_ANSWER_TIME_WAIT_FIN, BK_TIME_WAIT);
    script_out(&s, A, D + 2, C + 2, 0, BK_REASON_SEND_TIME_WAIT_ACK);
    client = s;
    draw("one_sided_server", &(struct bk_ladder_side){.name = "\xe5\xae\xa2\xe6\x88\xb7\xe7\xab\xaf curl"}, NULL);
}

static void test_durations(void **state) {
    (void)state;
    static const struct {
        uint64_t ns;
        const char *want;
    } cases[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {31000, "31 \xc2\xb5s"},
        {1500000, "1.5 ms"},
        {1050000, "1.05 ms"},
        {MS(10), "10 ms"},
        {MS(1000), "1 s"},
        {59990000000u, "60 s"},
        {MS(59900), "59.9 s"},
        {MS(7200000), "7200 s"},
        {UINT64_MAX, "18446744074 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[LABEL_LINE];
        label_duration(cases[i].ns, out);
        char *space = strstr(out, "\xc2\xa0"); /* a no-break space */
        assert_non_null(space);
        memmove(space, space + 1, strlen(space));
        *space = ' ';
        assert_string_equal(out, cases[i].want);
    }
}

static void test_widths(void **state) {
    (void)state;
    assert_int_equal(text_width("connect()"), 9);
    assert_int_equal(text_width("\xe2\x94\x82 \xe2\x96\xba"), 3); /* box drawing, an arrow head */
    assert_int_equal(text_width("\xe5\xae\xa2\xe6\x88\xb7"), 4);  /* two wide characters */
    assert_int_equal(text_width("e\xcc\x81"), 1);                 /* e with a combining accent */
    assert_int_equal(text_width("\xff\xe2\x94"), 2);              /* what is not UTF-8 shows as U+FFFD */
}

/* The peer's state in every step of a close that it begins, and that data of ours follows. */
static void test_inference(void **state) {
    (void)state;
    begin();
    struct infer infer;
    infer_init(&infer);
    struct script *s = &client;
    script_in(s, S, D, 0, 0, BK_REASON_ACCEPT_SYN, BK_SYN_RECEIVED);
    script_out(s, S | A, C, D + 1, 0, BK_REASON_SEND_SYN_ACK);
    script_in(s, A, D + 1, C + 1, 0, BK_REASON_ACCEPT_HANDSHAKE_ACK, BK_ESTABLISHED);
    script_in(s, F | A, D + 1, C + 1, 0, BK_REASON_ACCEPT_FIN, BK_CLOSE_WAIT);
    script_out(s, A, C + 1, D + 2, 0, BK_REASON_SEND_ACK_FIN);
    script_in(s, A, D + 2, C + 1, 0, BK_REASON_ACCEPT_ACK_OLD,
              BK_CLOSE_WAIT); /* our ACK may be lost: nothing certain */
    script_out(s, P | A, C + 1, D + 2, 10, BK_REASON_SEND_DATA);
    script_in(s, A, D + 2, C + 11, 0, BK_REASON_ACCEPT_ACK, BK_CLOSE_WAIT);
    script_out(s, F | A, C + 11, D + 2, 0, BK_REASON_SEND_FIN);
    script_in(s, A, D + 2, C + 12, 0, BK_REASON_ACCEPT_ACK_OF_FIN, BK_CLOSED);
    script_in(s, R, D + 2, 0, 0, BK_REASON_DROP_RST_CLOSED, BK_CLOSED); /* refused: says nothing */
    static const uint8_t want[] = {BK_SYN_SENT,   INFER_UNKNOWN, BK_ESTABLISHED, BK_FIN_WAIT_1,
                                   INFER_UNKNOWN, INFER_UNKNOWN, INFER_UNKNOWN,  BK_FIN_WAIT_2,
                                   INFER_UNKNOWN, BK_TIME_WAIT,  INFER_UNKNOWN};
    assert_int_equal(s->count, sizeof want);
    for (size_t i = 0; i < s->count; i++) assert_int_equal(infer_event(&infer, &s->event[i]), want[i]);
}

static void test_connections(void **state) {
    (void)state;
    struct bk_ladder_connection found[2];
    begin();
    script_call(&client, BK_CALL_OPEN_ACTIVE, 0); /* no segment: no connection to draw yet */
    client.local_port = 1;
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN);
    client.local_port = 2;
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN);
    client.local_port = 1;
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN);
    client.local_port = 3;
    script_out(&client, S, C, 0, 0, BK_REASON_SEND_SYN);
    assert_int_equal(bk_ladder_connections(client.event, client.count, found, 2), 3);
    assert_int_equal(found[0].local_port, 1);
    assert_int_equal(found[1].local_port, 2);
    assert_int_equal(bk_ladder_connections(client.event, client.count, NULL, 0), 3);

    struct bk_text text = {0};
    struct bk_ladder_side a = {NULL, client.event, client.count};
    struct bk_ladder_connection none = {9, 9, 9};
    assert_int_equal(bk_ladder(&a, NULL, &none, NULL, bk_text_to_memory, &text), -2);
    assert_int_equal(text.length, 0);
    assert_int_equal(bk_ladder(&a, NULL, &found[1], NULL, bk_text_to_memory, &text), 0);
    assert_true(text.length > 0);
    bk_text_free(&text);
}

/* Whatever the numbers in a trace, drawing ends and stays within the width. */
static void test_any_events(void **state) {
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 300; round++) {
        struct script *sides[2] = {&client, &server};
        begin();
        for (int s = 0; s < 2; s++) {
            for (int i = 0; i < 40; i++) {
                struct bk_event *e = script_add(sides[s], 0);
                uint8_t *byte = (uint8_t *)e;
                for (size_t k = 0; k < sizeof *e; k++)
                    byte[k] = (uint8_t)((random = random * 1103515245u + 12345u) >> 16);
                e->kind %= 8;
                e->time %= round % 2 ? 50000 : UINT64_MAX;
                e->seq %= 8;
                e->ack %= 8;
                e->len %= 8;
                e->reason %= BK_REASON_COUNT + 1;
                e->local_port = sides[s]->local_port;
                e->remote_port = sides[s]->remote_port;
                e->remote_tag = 7;
            }
        }
        struct bk_text text = {0};
        struct bk_ladder_side a = {"client", client.event, client.count}, b = {"server", server.event, server.count};
        struct bk_ladder_options options = {.width = 80, .all_reasons = true};
        bk_ladder(&a, round % 3 ? &b : NULL, NULL, &options, bk_text_to_memory, &text);
        assert_false(text.failed);
        if (text.data) expect_width(&text, 80);
        bk_text_free(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_life),     cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_ascii),          cmocka_unit_test(test_colour),
        cmocka_unit_test(test_lost_syn),       cmocka_unit_test(test_simultaneous_close),
        cmocka_unit_test(test_loss_in_flight), cmocka_unit_test(test_offload),
        cmocka_unit_test(test_one_sided),      cmocka_unit_test(test_one_sided_server),
        cmocka_unit_test(test_connections),    cmocka_unit_test(test_durations),
        cmocka_unit_test(test_widths),         cmocka_unit_test(test_inference),
        cmocka_unit_test(test_any_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
