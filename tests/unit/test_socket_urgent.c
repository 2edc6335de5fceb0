/* Shows urgent data as programs meet it, and that the kernel shows it in the same way: the mark, MSG_OOB, SO_OOBINLINE, POLLPRI. */
#define _GNU_SOURCE 1
#include "socket_bench.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#define EVENTS_MASK (POLLIN | POLLPRI | POLLOUT)

/* Runs a test on Beckon, then on the kernel. */
static void on_both(void (*test)(struct bench *b)) {
    for (int kernel = 0; kernel < 2; kernel++) {
        struct bench b;
        if (kernel && !bench_has_kernel()) {
            print_message("there is no 127.0.0.1 here\n");
            return;
        }
        bench_open(&b, kernel, STATE_CONNECTED);
        print_message("%s\n", kernel ? "the kernel" : "Beckon");
        test(&b);
        bench_close(&b);
    }
}

static void expect_text(struct bench *b, int flags, const char *text) {
    char data[16] = "";
    int n = bench_recv(b, 0, b->fd, data, sizeof data - 1, flags);
    if (n < 0) fail_msg("%d instead of \"%s\"", n, text);
    data[n] = 0;
    assert_string_equal(data, text);
}

static void expect_error(struct bench *b, int flags, int error) {
    char data[16];
    assert_int_equal(bench_recv(b, 0, b->fd, data, sizeof data, flags), error);
}

static void send_urgent(struct bench *b, const char *before, const char *urgent, const char *after) {
    assert_int_equal(bench_send(b, 1, b->peer, before, 0), strlen(before));
    assert_int_equal(bench_send(b, 1, b->peer, urgent, MSG_OOB), strlen(urgent));
    if (*after != 0) assert_int_equal(bench_send(b, 1, b->peer, after, 0), strlen(after));
    bench_settle(b);
}

static void out_of_band(struct bench *b) {
    expect_error(b, MSG_OOB, -EINVAL);
    send_urgent(b, "ab", "cU", "de");
    assert_int_equal(bench_poll(b, b->fd), EVENTS_MASK);
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 0);
    assert_int_equal(bench_ioctl(b, b->fd, SIOCINQ), 3);
    expect_text(b, MSG_PEEK, "abc");
    expect_text(b, 0, "abc");
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 1);
    assert_int_equal(bench_ioctl(b, b->fd, SIOCINQ), 0); /* what a read gives now would cross the mark */
    expect_text(b, MSG_OOB | MSG_PEEK, "U");
    expect_text(b, MSG_OOB, "U");
    expect_error(b, MSG_OOB, -EINVAL);
    assert_int_equal(bench_poll(b, b->fd), POLLIN | POLLOUT);
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 1);
    expect_text(b, 0, "de");
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 0);
    expect_error(b, 0, -EAGAIN);
}

/* Not fetched, the octet is lost once it is read past. */
static void passed_by(struct bench *b) {
    send_urgent(b, "ab", "U", "de");
    expect_text(b, 0, "ab");
    expect_text(b, 0, "de");
    expect_error(b, MSG_OOB, -EINVAL);
}

/* The octet alone is nothing to read; with something behind it there is. */
static void alone(struct bench *b) {
    send_urgent(b, "", "U", "");
    assert_int_equal(bench_poll(b, b->fd), POLLPRI | POLLOUT);
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 1);
    assert_int_equal(bench_ioctl(b, b->fd, SIOCINQ), 0);
    expect_text(b, MSG_OOB, "U");
    expect_error(b, 0, -EAGAIN);
    assert_int_equal(bench_send(b, 1, b->peer, "x", 0), 1);
    bench_settle(b);
    expect_text(b, 0, "x");
}

/* A newer mark takes the older one's place, whose octet is then data. */
static void overtaken(struct bench *b) {
    send_urgent(b, "a", "U", "b");
    send_urgent(b, "c", "V", "d");
    expect_text(b, MSG_OOB, "V");
    expect_text(b, 0, "aUbc");
    expect_text(b, 0, "d");
}

static void in_line(struct bench *b) {
    int on = 1;
    assert_int_equal(bench_set(b, 0, b->fd, SO_OOBINLINE, &on, sizeof on), 0);
    send_urgent(b, "ab", "U", "de");
    assert_int_equal(bench_ioctl(b, b->fd, SIOCINQ), 5);
    expect_error(b, MSG_OOB, -EINVAL);
    expect_text(b, 0, "ab");
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 1);
    assert_int_equal(bench_poll(b, b->fd), EVENTS_MASK);
    expect_text(b, 0, "Ude");
    assert_int_equal(bench_ioctl(b, b->fd, SIOCATMARK), 0);
}

#define TEST(name)                                                                                                     \
    static void test_##name(void **state) {                                                                            \
        (void)state;                                                                                                   \
        on_both(name);                                                                                                 \
    }
TEST(out_of_band)
TEST(passed_by)
TEST(alone)
TEST(overtaken)
TEST(in_line)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_band), cmocka_unit_test(test_passed_by), cmocka_unit_test(test_alone),
        cmocka_unit_test(test_overtaken),   cmocka_unit_test(test_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
