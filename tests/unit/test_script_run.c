/* Shows that scripts run: time, packets, calls, commands and code do what they say, and what fails is told with its line and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/script_python.h"
#include "lab/script_run.h"
#include "lab/script_sysctl.h"

static struct script_verdict verdict;
static struct script_config config;

static enum script_result run(const char *text) {
    bk_text_free(&verdict.detail);
    if (config.family == NULL) config.family = &script_families[0];
    script_run("x.pkt", text, strlen(text), &config, &verdict);
    return verdict.result;
}

static void passes(const char *text) {
    if (run(text) != SCRIPT_PASSED) fail_msg("line %u: %s\n%s", verdict.line, verdict.reason, verdict.detail.data);
}

static void fails(const char *text, uint32_t line, const char *reason) {
    assert_int_equal(run(text), SCRIPT_FAILED);
    assert_string_equal(verdict.reason, reason);
    assert_int_equal(verdict.line, line);
}

static int teardown(void **state) {
    (void)state;
    bk_text_free(&verdict.detail);
    config = (struct script_config){0};
    return 0;
}

#define LISTEN "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
#define ACCEPT                                                                                                         \
    LISTEN "+0 < S 0:0(0) win 65535 <mss 1000>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n+0 < . 1:1(0) ack 1 win 65535\n"      \
           "+0 accept(3, ..., ...) = 4\n"

/* ---- packets and time ------------------------------------------------------------------------------ */

static void test_families(void **state) {
    (void)state;
    for (size_t i = 0; i < SCRIPT_FAMILIES; i++) {
        config.family = &script_families[i];
        passes(ACCEPT "+.1 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n");
    }
    config.family = &script_families[1];
    assert_int_equal(run("--ip_version=ipv4\n" LISTEN), SCRIPT_SKIPPED);
    assert_string_equal(verdict.reason, "for ipv4 alone");
    config.family = &script_families[0];
    passes("--ip_version=ipv4\n" LISTEN);
}

static void test_times(void **state) {
    (void)state;
    passes(ACCEPT "+1 close(4) = 0\n+0 > F. 1:1(0) ack 1\n");
    /* A little early or late is on time. */
    passes(ACCEPT "+1 close(4) = 0\n+.004 > F. 1:1(0) ack 1\n");
    fails(ACCEPT "+1 close(4) = 0\n+.005 > F. 1:1(0) ack 1\n", 9,
          "time: expected outbound packet at 1.005000 s, happened at 1.000000 s");
    passes("--tolerance_usecs=5000\n" ACCEPT "+1 close(4) = 0\n+.005 > F. 1:1(0) ack 1\n");
    passes(ACCEPT "+1 close(4) = 0\n+0~+2 > F. 1:1(0) ack 1\n");
    fails(ACCEPT "+1 close(4) = 0\n+.1~+2 > F. 1:1(0) ack 1\n", 9,
          "time: expected outbound packet from 1.100000 to 3.000000 s, happened at 1.000000 s");
    passes(ACCEPT "+1 close(4) = 0\n* > F. 1:1(0) ack 1\n");
    passes(ACCEPT "1 close(4) = 0\n1 > F. 1:1(0) ack 1\n");
    fails(ACCEPT "1 close(4) = 0\n* > F. 1:1(0) ack 1\n.5 close(3) = 0\n", 10,
          "time: expected this event at 0.500000 s, happened at 1.000000 s");
    /* After a wait, relative times count from what was waited for. */
    passes(LISTEN "+0 < S 0:0(0) win 1 <mss 1000>\n+0 > S. 0:0(0) ack 1 <...>\n+.9~+1.1 > S. 0:0(0) ack 1 <...>\n"
                  "+2 > S. 0:0(0) ack 1 <...>\n");
}

static void test_differences(void **state) {
    (void)state;
    fails(ACCEPT "+.1 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1\n", 9, "PSH flag: expected none, sent it");
    assert_non_null(strstr(verdict.detail.data, "expected   0.100000 > . 1:11(10) ack 1\n"));
    assert_non_null(strstr(verdict.detail.data, "sent       0.100000 > P. 1:11(10) ack 1 win 65535"));
    fails(ACCEPT "+0 > . 1:1(0) ack 1\n", 8, "nothing was sent");
    fails(ACCEPT "+.1 write(4, \"ab\", 2) = 2\n+0 > P. 1:3(2) ack 1\n", 9, "the payload is not zeroes");
    /* What is sent too much is told by the next packet that is expected; at the end it is of no matter. */
    fails(ACCEPT "+.1 write(4, ..., 10) = 10\n+.1 close(4) = 0\n+0 > F. 11:11(0) ack 1\n", 10,
          "FIN flag: expected it, sent none");
    passes(ACCEPT "+.1 write(4, ..., 10) = 10\n");
    fails("0 < . 1:1(0) ack 1 win 1\n+0 > R 1:1(0)\n+0 > R 1:1(0)\n", 3, "nothing was sent");
}

static void test_several_segments(void **state) {
    (void)state;
    passes(ACCEPT "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1\n");
    passes("--strict_segments\n" ACCEPT "+0 write(4, ..., 2000) = 2000\n+0 > . 1:1001(1000) ack 1\n"
           "+0 > P. 1001:2001(1000) ack 1\n");
    fails("--strict_segments\n" ACCEPT "+0 write(4, ..., 2000) = 2000\n+0 > . 1:2001(2000) ack 1\n", 10,
          "payload length: expected 2000, sent 1000");
}

static void test_echo(void **state) {
    (void)state;
    fails(LISTEN "+0 < S 0:0(0) win 1 <mss 1000,nop,nop,TS val 1 ecr 0>\n"
                 "+0 > S. 0:0(0) ack 1 <...>\n+0 < . 1:1(0) ack 1 win 1 <nop,nop,TS val 2 ecr 77>\n",
          6, "the stack has sent no segment that the script gives this timestamp's echo to");
}

/* ---- calls ----------------------------------------------------------------------------------------- */

static void test_calls(void **state) {
    (void)state;
    fails("0 nonsense(3) = 0\n", 1, "there is no system call nonsense here");
    fails("0 close() = 0\n", 1, "close takes 1 to 1 arguments");
    fails("0 close(9) = 0\n", 1, "close: expected 0, returned -1 EBADF (Bad file descriptor)");
    passes("0 close(9) = -1 EBADF (whatever the note says)\n+0 close(9) = -1\n");
    fails("0 close(9) = -1 EAGAIN\n", 1, "close: expected -1 EAGAIN, returned -1 EBADF (Bad file descriptor)");
    fails("0 socket(..., SOCK_NOTHING, IPPROTO_TCP) = 3\n", 1, "argument SOCK_NOTHING: expected a known name");
    fails(LISTEN "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n", 4, "descriptor 3 is open already in the script");
    /* A script's descriptors are its own: any free number will do. */
    passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 77\n+0 fcntl(77, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
           "+0 fcntl(77, F_GETFL) = 0x802 (flags)\n+0 close(77) = 0\n+0 close(77) = -1 EBADF\n");
    fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"
          "+0 getsockopt(3, SOL_TCP, TCP_NODELAY, [0], [4]) = 0\n",
          3, "TCP_NODELAY: expected 0, got 1");
}

static void test_blocking(void **state) {
    (void)state;
    passes(ACCEPT "+0...0.1 read(4, ..., 100) = 10\n+.1 < . 1:11(10) ack 1 win 65535\n");
    fails(ACCEPT "+0...0.1 read(4, ..., 100) = 10\n+.2 < . 1:11(10) ack 1 win 65535\n", 8,
          "time: expected the call's return at 0.100000 s, happened at 0.200000 s");
    fails(ACCEPT "+0...0.1 read(4, ..., 100) = 10\n+.1 < . 1:12(11) ack 1 win 65535\n", 8,
          "read: expected 10, returned 11");
    fails(ACCEPT "+0...0.1 read(4, ..., 100) = 10\n", 8, "read has not returned by 0.000000 s");
    fails(ACCEPT "+0...0.1 read(4, ..., 100) = 10\n+.01 close(3) = 0\n", 8, "read has not returned by 0.010000 s");
    fails(ACCEPT "+0 read(4, ..., 100) = 10\n", 8, "read has not returned by 0.000000 s");
    passes(ACCEPT "+0...0.5 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n+1 close(4) = 0\n");
    fails(ACCEPT "+0 poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1\n", 8, "revents: expected 1, got 4");
}

static void test_epoll(void **state) {
    (void)state;
    passes(ACCEPT "+0 epoll_create(1) = 5\n+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=44}) = 0\n"
                  "+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0\n+0 < . 1:11(10) ack 1 win 65535\n"
                  "+0 epoll_wait(5, {events=EPOLLIN, fd=44}, 1, 0) = 1\n");
    fails(ACCEPT "+0 epoll_create(1) = 5\n+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=44}) = 0\n"
                 "+0 epoll_wait(5, {events=EPOLLOUT, fd=45}, 1, 0) = 1\n",
          10, "epoll_wait: another descriptor's event");
}

static void test_messages(void **state) {
    (void)state;
    passes(ACCEPT "+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}], msg_flags=0}, 0) = 30\n"
                  "+0 > P. 1:31(30) ack 1\n+0 < . 1:11(10) ack 31 win 65535\n"
                  "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 20}], msg_flags=0}, 0) = 10\n");
    fails(ACCEPT "+0 < . 1:11(10) ack 1 win 65535\n"
                 "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 20}], msg_flags=MSG_TRUNC}, 0) = 10\n",
          9, "msg_flags: expected 32, got 0");
    fails(ACCEPT "+0 < . 1:11(10) ack 1 win 65535\n"
                 "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 20}], msg_flags=0, msg_control=[\n"
                 "{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=0}]}, 0) = 10\n",
          9, "expected more than 0 control messages");
}

/* ---- commands -------------------------------------------------------------------------------------- */

static void test_settings(void **state) {
    (void)state;
    const char *syn = "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>\n";
    char text[600];
    snprintf(text, sizeof text, "`../x/defaults.sh\n# a comment\nsysctl -q net.ipv4.tcp_sack=1`\n%s%s%s", LISTEN,
             "+0 < S 0:0(0) win 1 <mss 1000,nop,nop,sackOK>\n", syn);
    passes(text);
    snprintf(text, sizeof text,
             "`./set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0 \\\n /proc/sys/net/ipv4/tcp_retries2=9`\n%s%s%s", LISTEN,
             "+0 < S 0:0(0) win 1 <mss 1000,nop,nop,sackOK>\n", "+0 > S. 0:0(0) ack 1 <mss 1460>\n");
    passes(text);
    snprintf(
        text, sizeof text,
        "`sysctl -q net.ipv4.tcp_sack=1; set_sysctls.py net.ipv4.tcp_sack=0; /tmp/sysctl_restore_${PPID}.sh`\n%s%s%s",
        LISTEN, "+0 < S 0:0(0) win 1 <mss 1000,nop,nop,sackOK>\n", syn);
    passes(text);
    /* While the stack runs, too. */
    snprintf(text, sizeof text, "%s+0 `sysctl -q net/ipv4/tcp_sack=0`\n%s%s", LISTEN,
             "+0 < S 0:0(0) win 1 <mss 1000,nop,nop,sackOK>\n", "+0 > S. 0:0(0) ack 1 <mss 1460>\n");
    passes(text);
}

static void test_settings_refused(void **state) {
    (void)state;
    fails("`sysctl -q net.ipv4.tcp_foo=1`\n" LISTEN, 1, "sysctl net.ipv4.tcp_foo is not known");
    fails("`sysctl -q net.ipv4.tcp_sack=yes`\n" LISTEN, 1, "sysctl net.ipv4.tcp_sack takes no value 'yes'");
    fails("`sysctl -q net.ipv4.tcp_rmem=\"1 2\"`\n" LISTEN, 1, "sysctl net.ipv4.tcp_rmem takes no value '1 2'");
    fails("`sysctl -q net.ipv4.tcp_sack`\n" LISTEN, 1, "expected NAME=VALUE, not 'net.ipv4.tcp_sack'");
    fails("`sysctl -q net.ipv4.tcp_recovery=0`\n" LISTEN, 1,
          "sysctl net.ipv4.tcp_recovery=0 asks for another loss detection than RACK, which is not supported");
}

static void test_sysctl_values(void **state) {
    (void)state;
    struct script_settings s = {0};
    char why[200];
    assert_true(script_sysctl_set(&s, "net.ipv4.tcp_rmem", "4096 131072 33554432", why, sizeof why));
    assert_int_equal(s.stack.receive_buffer, 131072);
    assert_int_equal(s.stack.receive_buffer_max, 33554432);
    assert_true(script_sysctl_set(&s, "net.ipv4.tcp_fin_timeout", "60", why, sizeof why));
    assert_int_equal(s.stack.fin_wait_2_ms, 60000);
    assert_true(script_sysctl_set(&s, "net.ipv4.tcp_notsent_lowat", "0x1000", why, sizeof why));
    assert_int_equal(s.stack.unsent_low, 4096);
    assert_true(script_sysctl_defaults(&s, why, sizeof why));
    assert_true(s.stack.timestamps);
}

/* The document has the very table that is in force. */
static void test_settings_documented(void **state) {
    (void)state;
    char path[512], *text = calloc(1, 1 << 16);
    const char *source = getenv("BECKON_SOURCE"), *name;
    if (source == NULL || text == NULL) skip();
    snprintf(path, sizeof path, "%s/docs/script.md", source);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, (1 << 16) - 1, f);
    fclose(f);
    text[n] = '\0';
    char words[200], row[400];
    for (size_t i = 0; script_sysctl_row(i, &name, words, sizeof words); i++) {
        snprintf(row, sizeof row, "| `%s` | %s |\n", name, words);
        if (strstr(text, row) == NULL) fail_msg("docs/script.md lacks the row %s", row);
    }
    free(text);
}

static void test_commands(void **state) {
    (void)state;
    fails("`frobnicate all`\n" LISTEN, 1, "command 'frobnicate' is not known here");
    passes("`/sbin/tc qdisc replace dev tun0 root pfifo 2>/dev/null; /bin/rm -f /tmp/x > /dev/null 2>&1`\n" LISTEN);
    passes("`/bin/dd bs=2 count=5 if=/dev/zero of=/tmp/x status=none`\n" ACCEPT
           "+0 open(\"/tmp/x\", O_RDONLY) = 5\n+0 sendfile(4, 5, [0], 100) = 10\n+0 > P. 1:11(10) ack 1\n");
    fails(LISTEN "+0 open(\"/etc/passwd\", O_RDONLY) = 5\n", 4,
          "there is no file /etc/passwd: only those that the script made (dd)");
    passes(LISTEN "+0 `grep \" 0A \" /proc/net/tcp /proc/net/tcp6 | grep \":1F90\"`\n");
    fails(LISTEN "+0 close(3) = 0\n+0 `grep \" 0A \" /proc/net/tcp | grep -q \":1F90\"`\n", 5,
          "grep \":1F90\" finds nothing in: nothing");
}

static void test_counters(void **state) {
    (void)state;
    const char *bad =
        "+0 < R. 5:5(0) ack 1 win 1\n+0 > . 1:1(0) ack 1\n+1 < R. 5:5(0) ack 1 win 1\n+0 > . 1:1(0) ack 1\n";
    char text[700];
    snprintf(text, sizeof text, "%s+0 `nstat -n`\n%s%s", ACCEPT, bad,
             "+0 `nstat -s | grep TcpExtTCPChallengeACK | grep -q \" 2 \"`\n+0 `nstat | grep TcpExtTCPChallengeACK`\n");
    passes(text);
    snprintf(text, sizeof text, "%s+0 `nstat > /dev/null`\n+0 `nstat | grep TcpExtTCPChallengeACK`\n", ACCEPT);
    fails(text, 9, "grep \"TcpExtTCPChallengeACK\" finds nothing in: nothing");
    snprintf(text, sizeof text, "%s+0 `nstat | grep TcpExtFoo`\n", ACCEPT);
    fails(text, 8, "there is no counter TcpExtFoo here");
}

/* ---- code ------------------------------------------------------------------------------------------ */

static void test_code(void **state) {
    (void)state;
    config.python = script_python_new("python3");
    if (run(LISTEN "+0 %{ pass }%\n") == SCRIPT_SKIPPED) {
        script_python_free(config.python);
        print_message("there is no python3\n");
        skip();
    }
    passes(ACCEPT "+0 %{ assert tcpi_state == TCP_ESTABLISHED, tcpi_state\na = 1 }%\n"
                  "+0 %{\nassert a == 1; \\\n  assert tcpi_unacked == 0\n}%\n+0 %{ print('seen by nobody') }%\n");
    fails(ACCEPT "+0 %{ assert a == 1 }%\n", 8, "NameError: name 'a' is not defined (line 8: assert a == 1)");
    fails(ACCEPT "+0 %{\nb = 1\nassert b == 2, 'b=%d' % b\n}%\n", 8,
          "AssertionError: b=1 (line 10: assert b == 2, 'b=%d' % b)");
    script_python_free(config.python);
}

static void test_no_python(void **state) {
    (void)state;
    config.python = script_python_new("/nonexistent/python3");
    assert_int_equal(run(ACCEPT "+0 %{ assert True }%\n"), SCRIPT_SKIPPED);
    assert_string_equal(verdict.reason, "python3 is missing, and this script needs it");
    script_python_free(config.python);
}

static void test_options(void **state) {
    (void)state;
    fails("--foo=1\n" LISTEN, 1, "option --foo=1: not known");
    assert_int_equal(verdict.column, 1);
    fails("--mss=many\n" LISTEN, 1, "option --mss=many: expected a number");
    fails("--ip_version=ipv5\n" LISTEN, 1, "option --ip_version=ipv5: expected ipv4, ipv6 or ipv4-mapped-ipv6");
    fails("0 close(3 = 0\n", 1, "expected ',' or ')', not '='");
    assert_int_equal(verdict.column, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_families, teardown),
        cmocka_unit_test_teardown(test_times, teardown),
        cmocka_unit_test_teardown(test_differences, teardown),
        cmocka_unit_test_teardown(test_several_segments, teardown),
        cmocka_unit_test_teardown(test_echo, teardown),
        cmocka_unit_test_teardown(test_calls, teardown),
        cmocka_unit_test_teardown(test_blocking, teardown),
        cmocka_unit_test_teardown(test_epoll, teardown),
        cmocka_unit_test_teardown(test_messages, teardown),
        cmocka_unit_test_teardown(test_settings, teardown),
        cmocka_unit_test_teardown(test_settings_refused, teardown),
        cmocka_unit_test_teardown(test_sysctl_values, teardown),
        cmocka_unit_test_teardown(test_settings_documented, teardown),
        cmocka_unit_test_teardown(test_commands, teardown),
        cmocka_unit_test_teardown(test_counters, teardown),
        cmocka_unit_test_teardown(test_code, teardown),
        cmocka_unit_test_teardown(test_no_python, teardown),
        cmocka_unit_test_teardown(test_options, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
