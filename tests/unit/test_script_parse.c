/* Shows that the reader of scripts takes the language as it is written, and says where and what it expected otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/script_ast.h"
#include "wire/tcp.h"

static struct script script;
static struct script_error error;
static const struct script_define defines[] = {{"COOKIE", "a1b2c3d4"}, {"LEVEL", "SOL_IP"}, {"NAME", "\"cubic\""}};

static bool read_text(const char *text) {
    return script_parse(&script, "x.pkt", text, strlen(text), defines, BK_COUNT(defines), &error);
}

static const struct script_event *one(const char *text) {
    assert_true(read_text(text));
    assert_int_equal(script.event_count, 1);
    return script.events;
}

static void refused(const char *text, uint32_t line, uint32_t column, const char *what) {
    assert_false(read_text(text));
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    assert_string_equal(error.what, what);
    script_free(&script);
}

/* ---- good ------------------------------------------------------------------------------------------ */

static void test_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum script_time_kind kind;
        bool range;
        uint64_t from, to;
    } rows[] = {{"0 `a`", SCRIPT_ABSOLUTE, false, 0, 0},
                {"1.25 `a`", SCRIPT_ABSOLUTE, false, 1250000000, 1250000000},
                {"+0 `a`", SCRIPT_RELATIVE, false, 0, 0},
                {"+.002 `a`", SCRIPT_RELATIVE, false, 2000000, 2000000},
                {"* > . 1:1(0) ack 1", SCRIPT_ANY, false, 0, 0},
                {"+.3~+.4 > . 1:1(0) ack 1", SCRIPT_RELATIVE, true, 300000000, 400000000},
                {"2~3.5 > . 1:1(0) ack 1", SCRIPT_ABSOLUTE, true, 2000000000, 3500000000}};
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        const struct script_event *e = one(rows[i].text);
        assert_int_equal(e->time.kind, rows[i].kind);
        assert_int_equal(e->time.range, rows[i].range);
        assert_int_equal(e->time.from, rows[i].from);
        assert_int_equal(e->time.to, rows[i].to);
        script_free(&script);
    }
}

static void test_segment(void **state) {
    (void)state;
    const struct script_packet *p = one("+0 < [ect0] EP. 1:1001(1000) ack 7 win 257 urg 5")->packet;
    assert_true(p->inbound);
    assert_int_equal(p->tos_check, SCRIPT_TOS_ECN);
    assert_int_equal(p->tos, 2);
    assert_int_equal(p->flags, WIRE_ECE | WIRE_PSH | WIRE_ACK);
    assert_int_equal(p->seq, 1);
    assert_int_equal(p->length, 1000);
    assert_int_equal(p->ack, 7);
    assert_int_equal(p->window, 257);
    assert_int_equal(p->urgent, 5);
    assert_int_equal(p->option_length, 0);
    script_free(&script);

    p = one("0 > . 1:1(0) ack 1 <...>")->packet;
    assert_false(p->inbound);
    assert_true(p->any_options);
    assert_int_equal(p->window, -1);
    assert_int_equal(p->tos_check, SCRIPT_TOS_ANY);
    script_free(&script);

    p = one("0 < - 1:2(1) win 1")->packet;
    assert_int_equal(p->flags, 0);
    script_free(&script);
}

/* Letters give the ECN bits one by one, a digit all three as AE, CWR, ECE. */
static void test_ace(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint16_t flags;
        bool ace;
    } rows[] = {{"0 > SEWA 0:0(0)", WIRE_SYN | WIRE_ECE | WIRE_CWR | SCRIPT_AE, false},
                {"0 > P.5 1:1(0) ack 1", WIRE_PSH | WIRE_ACK | SCRIPT_AE | WIRE_ECE, true},
                {"0 > .6 1:1(0) ack 1", WIRE_ACK | SCRIPT_AE | WIRE_CWR, true},
                {"0 > F5. 1:1(0) ack 1", WIRE_FIN | WIRE_ACK | SCRIPT_AE | WIRE_ECE, true},
                {"0 > .0 1:1(0) ack 1", WIRE_ACK, true}};
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        const struct script_packet *p = one(rows[i].text)->packet;
        assert_int_equal(p->flags, rows[i].flags);
        assert_int_equal(p->ace, rows[i].ace);
        script_free(&script);
    }
}

static void options_are(const char *text, const uint8_t *bytes, size_t n) {
    char event[200];
    snprintf(event, sizeof event, "0 > . 1:1(0) ack 1 <%s>", text);
    const struct script_packet *p = one(event)->packet;
    assert_int_equal(p->option_length, n);
    assert_memory_equal(p->option, bytes, n);
    script_free(&script);
}

/* The bytes are those of RFC 9293 3.2, RFC 7323, RFC 2018, RFC 2385, RFC 7413 and RFC 9768 3.2.3. */
static void test_options(void **state) {
    (void)state;
#define OPTIONS(text, ...)                                                                                             \
    do {                                                                                                               \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                                  \
        options_are(text, bytes, sizeof bytes);                                                                        \
    } while (0)
    OPTIONS("mss 1460", 2, 4, 0x05, 0xb4);
    OPTIONS("sackOK,nop,eol", 4, 2, 1, 0);
    OPTIONS("nop,wscale 8", 1, 3, 3, 8);
    OPTIONS("nop,nop,TS val 100 ecr 4294967295", 1, 1, 8, 10, 0, 0, 0, 100, 255, 255, 255, 255);
    OPTIONS("nop,nop,sack 1:2 258:4", 1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 2, 0, 0, 0, 4);
    OPTIONS("FO,nop,nop", 34, 2, 1, 1);
    OPTIONS("FO 1234abcd,nop,nop", 34, 6, 0x12, 0x34, 0xab, 0xcd, 1, 1);
    OPTIONS("FO COOKIE,nop,nop", 34, 6, 0xa1, 0xb2, 0xc3, 0xd4, 1, 1);
    OPTIONS("FOEXP", 254, 4, 0xf9, 0x89);
    OPTIONS("FOEXP 01020304", 254, 8, 0xf9, 0x89, 1, 2, 3, 4);
    OPTIONS("md5 000102030405060708090a0b0c0d0e0f,nop,nop", 19, 18, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
            15, 1, 1);
    OPTIONS("ECN e1b 1 ceb 65537 e0b 2,nop", 174, 11, 0, 0, 1, 1, 0, 1, 0, 0, 2, 1);
    OPTIONS("ECN e0b 1,nop,nop,nop", 172, 5, 0, 0, 1, 1, 1, 1);
#undef OPTIONS
}

static void test_icmp(void **state) {
    (void)state;
    const struct script_packet *p = one("0 < icmp unreachable frag_needed mtu 800 [5000:6000(1000)]")->packet;
    assert_true(p->is_icmp);
    assert_string_equal(p->icmp.type, "unreachable");
    assert_string_equal(p->icmp.code, "frag_needed");
    assert_int_equal(p->icmp.mtu, 800);
    assert_true(p->icmp.echoed);
    assert_int_equal(p->icmp.seq, 5000);
    assert_int_equal(p->icmp.length, 1000);
    script_free(&script);
    p = one("0 < icmp packet_too_big mtu 1400")->packet;
    assert_null(p->icmp.code);
    assert_false(p->icmp.echoed);
    script_free(&script);
}

static void test_call(void **state) {
    (void)state;
    const struct script_event *e =
        one("+.1...0.2 sendto(3, ..., 1000, MSG_FASTOPEN|MSG_DONTWAIT, LEVEL, NULL) = -1 EAGAIN (Try again)");
    const struct script_call *c = e->call;
    assert_string_equal(c->name, "sendto");
    assert_true(c->blocking);
    assert_int_equal(e->time.from, 100000000);
    assert_int_equal(c->end, 200000000);
    assert_string_equal(c->error, "EAGAIN");
    assert_string_equal(c->note, "Try again");
    assert_int_equal(c->result->integer, -1);
    const struct script_expr *a = c->arguments;
    assert_int_equal(a->kind, SCRIPT_INTEGER);
    assert_int_equal(a->integer, 3);
    a = a->next;
    assert_int_equal(a->kind, SCRIPT_ELLIPSIS);
    a = a->next->next;
    assert_int_equal(a->kind, SCRIPT_OR);
    assert_string_equal(a->children->text, "MSG_FASTOPEN");
    assert_string_equal(a->children->next->text, "MSG_DONTWAIT");
    a = a->next;
    assert_string_equal(a->text, "SOL_IP");
    assert_null(a->next->next);
    script_free(&script);
}

static void test_structures(void **state) {
    (void)state;
    const struct script_expr *a =
        one("0 recvmsg(4, {msg_name(...)=...,\n msg_iov(1)=[{..., 2000}],\n"
            " msg_control=[{cmsg_level=LEVEL, cmsg_data={scm_sec=0,scm_nsec=20}}]}, 0x40) = 0x2 (flags O_RDWR)")
            ->call->arguments->next;
    assert_int_equal(a->kind, SCRIPT_STRUCT);
    const struct script_expr *name = a->children, *iov = name->next, *control = iov->next;
    assert_string_equal(name->text, "msg_name");
    assert_int_equal(name->index->kind, SCRIPT_ELLIPSIS);
    assert_int_equal(name->value->kind, SCRIPT_ELLIPSIS);
    assert_int_equal(iov->kind, SCRIPT_FIELD);
    assert_int_equal(iov->index->integer, 1);
    assert_int_equal(iov->value->kind, SCRIPT_LIST);
    assert_int_equal(iov->value->children->kind, SCRIPT_STRUCT);
    assert_int_equal(iov->value->children->children->next->integer, 2000);
    const struct script_expr *level = control->value->children->children;
    assert_string_equal(level->value->text, "SOL_IP");
    assert_string_equal(level->next->value->children->next->text, "scm_nsec");
    assert_int_equal(a->next->integer, 0x40);
    assert_null(control->next);
    assert_int_equal(script.events->call->result->integer, 2);
    assert_null(script.events->call->error);
    script_free(&script);
}

static void test_strings(void **state) {
    (void)state;
    const struct script_expr *a = one("0 f(\"a\\x41\\n\" \"b\"..., [], NAME, htons(80)) = 0")->call->arguments;
    assert_int_equal(a->kind, SCRIPT_STRING);
    assert_int_equal(a->length, 4);
    assert_memory_equal(a->text, "aA\nb", 4);
    a = a->next;
    assert_int_equal(a->kind, SCRIPT_LIST);
    assert_null(a->children);
    a = a->next;
    assert_int_equal(a->kind, SCRIPT_STRING);
    assert_string_equal(a->text, "cubic");
    a = a->next;
    assert_int_equal(a->kind, SCRIPT_CALL);
    assert_int_equal(a->children->integer, 80);
    script_free(&script);
}

static void test_whole(void **state) {
    (void)state;
    assert_true(read_text("// a comment\n--mss=1000 // another\n--tcp_ts_ecr_scaled\n--define=CC=\"a b\"\n\n"
                          "`./defaults.sh\n sysctl -q x=1`\n\n 0 /* in between */ close(3) = 0 // end\n"
                          "+1 %{ assert a == {}, a }%\n+.1 `nstat | grep x`\n`cleanup`\n// the end\n"));
    const struct script_option *o = script.options;
    assert_string_equal(o->name, "mss");
    assert_string_equal(o->value, "1000");
    assert_string_equal(o->next->name, "tcp_ts_ecr_scaled");
    assert_null(o->next->value);
    assert_string_equal(o->next->next->value, "CC=\"a b\"");
    assert_null(o->next->next->next);
    assert_string_equal(script.initial, "./defaults.sh\n sysctl -q x=1");
    assert_int_equal(script.initial_line, 6);
    assert_string_equal(script.cleanup, "cleanup");
    assert_int_equal(script.event_count, 3);
    const struct script_event *e = script.events;
    assert_int_equal(e->line, 9);
    assert_string_equal(e->source, "0 /* in between */ close(3) = 0 // end");
    assert_int_equal(e->next->kind, SCRIPT_EVENT_CODE);
    assert_string_equal(e->next->text, " assert a == {}, a ");
    assert_int_equal(e->next->next->kind, SCRIPT_EVENT_COMMAND);
    assert_string_equal(e->next->next->text, "nstat | grep x");
    script_free(&script);
}

/* ---- bad ------------------------------------------------------------------------------------------- */

static void test_refusals(void **state) {
    (void)state;
    refused("", 1, 1, "expected a time in seconds, but the script ends here");
    refused("socket() = 3", 1, 1, "expected a time in seconds, not 'socket'");
    refused("0 `a`\n  +x close(3) = 0", 2, 4, "expected a time in seconds, not 'x'");
    refused("-1 `a`", 1, 1, "expected a time that is not negative nor of more than 15 digits");
    refused("0 close(3 4) = 0", 1, 11, "expected ',' or ')', not '4'");
    refused("0 close(3)", 1, 11, "expected '=' and what the call returns, but the script ends here");
    refused("0 close = 0", 1, 9, "expected '(' and the call's arguments, not '='");
    refused("0 f([1, {2, 3]) = 0", 1, 14, "expected ',' or '}', not ']'");
    refused("0 f(\"abc) = 0", 1, 5, "this string has no end: expected \"");
    refused("0 `abc", 1, 3, "this command has no end: expected `");
    refused("0 %{ abc }", 1, 3, "this code has no end: expected }%");
    refused("/* abc", 1, 1, "this comment has no end: expected */");
    refused("* close(3) = 0", 1, 1, "expected an outbound packet after '*' or a range of times");
    refused("+0~+1 < . 1:1(0) ack 1 win 1", 1, 1, "expected an outbound packet after '*' or a range of times");
    refused("+1~+.5 > . 1:1(0) ack 1", 1, 5, "expected the end of a range, which is not before its start");
    refused("+1~2 > . 1:1(0) ack 1", 1, 4, "expected '+' and the end of the range, not '2'");
    refused("1...0.5 read(3, ..., 1) = 1", 1, 1, "expected a call that starts at a time and does not return before it");
}

static void test_packet_refusals(void **state) {
    (void)state;
    refused("0 > X. 1:1(0)", 1, 5, "expected TCP flags (F S R P . U E W A, or a digit 0 to 7, or '-'), not 'X.'");
    refused("0 > .8 1:1(0)", 1, 5, "expected TCP flags (F S R P . U E W A, or a digit 0 to 7, or '-'), not '.8'");
    refused("0 > . 1:1001(100) ack 1", 1, 7, "1:1001 is not 100 bytes: expected 1:101(100)");
    refused("0 > . 1-1(0)", 1, 8, "expected ':' and the sequence number where the segment ends, not '-1'");
    refused("0 > . 1:1(0) ack x", 1, 18, "expected an acknowledgment number, not 'x'");
    refused("0 > . 1:1(0) ack 1 win 65536", 1, 24, "expected a window from 0 to 65535, not 65536");
    refused("0 < . 1:1(0) ack 1 win 1 <...>", 1, 26, "expected options: <...> is for outbound packets");
    refused("0 < [ect9] . 1:1(0) ack 1 win 1", 1, 6, "expected noecn, ect0, ect1, ect01, ce or tos, not 'ect9'");
    refused("0 > . 1:1(0) ack 1 <nop,mss 1460>", 1, 20,
            "the options have 5 bytes: expected a multiple of 4 (nop fills up)");
    refused("0 > . 1:1(0) ack 1 <foo>", 1, 21,
            "expected a TCP option (nop eol mss wscale sackOK sack TS md5 FO FOEXP ECN), not 'foo'");
    refused("0 > . 1:1(0) ack 1 <nop nop>", 1, 25, "expected ',' or '>', not 'nop'");
    refused("0 > . 1:1(0) ack 1 <TS val 1>", 1, 29, "expected ecr and the timestamp that is echoed, not '>'");
    refused("0 > . 1:1(0) ack 1 <FO abc>", 1, 24, "expected pairs of hexadecimal digits, not 'abc'");
    refused("0 > . 1:1(0) ack 1 <sack 1:2 3:4 5:6 7:8 9:10>", 1, 42, "expected 40 bytes of TCP options at most");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_segment),
        cmocka_unit_test(test_ace),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_packet_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
