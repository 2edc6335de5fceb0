/* Shows what each call answers on a socket in each state, and that the kernel answers the same. */
#include "socket_bench.h"

#include <stdio.h>
#include <string.h>

/* As Linux 6 and 7 answer: results, or negative errno values; poll's bits. In the order of enum bench_state: fresh, bound, listening,
 * connecting, refused, connected, readable, peer shut, read shut, write shut, both shut, reset, reset told. */
static const int expected[CALLS][STATES] = {
    [CALL_BIND] = {0, -EINVAL, -EINVAL, -EINVAL, 0, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0, 0, 0},
    [CALL_LISTEN] = {0, 0, 0, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL},
    [CALL_ACCEPT] = {-EINVAL, -EINVAL, -EAGAIN, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
                     -EINVAL, -EINVAL},
    [CALL_CONNECT] = {-EINPROGRESS, -EINPROGRESS, -EISCONN, -EALREADY, -ECONNREFUSED, -EISCONN, -EISCONN, -EISCONN,
                      -EISCONN, -EISCONN, -EISCONN, -EISCONN, -EISCONN},
    [CALL_UNCONNECT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    [CALL_READ] = {-ENOTCONN, -ENOTCONN, -ENOTCONN, -EAGAIN, -ECONNREFUSED, -EAGAIN, 3, 0, 0, -EAGAIN, 0, -ECONNRESET,
                   0},
    [CALL_PEEK] = {-ENOTCONN, -ENOTCONN, -ENOTCONN, -EAGAIN, -ECONNREFUSED, -EAGAIN, 3, 0, 0, -EAGAIN, 0, -ECONNRESET,
                   0},
    [CALL_OOB] = {-EINVAL, -EINVAL, -ENOTCONN, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
                  -EINVAL, -EINVAL},
    [CALL_READ_NONE] = {-ENOTCONN, -ENOTCONN, -ENOTCONN, -EAGAIN, -ECONNREFUSED, -EAGAIN, 0, 0, 0, -EAGAIN, 0,
                        -ECONNRESET, 0},
    [CALL_ERRQUEUE] = {-EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN,
                       -EAGAIN, -EAGAIN, -EAGAIN},
    [CALL_WRITE] = {-EPIPE, -EPIPE, -EPIPE, -EAGAIN, -ECONNREFUSED, 5, 5, 5, 5, -EPIPE, -EPIPE, -ECONNRESET, -EPIPE},
    [CALL_WRITE_NONE] = {-EPIPE, -EPIPE, -EPIPE, -EAGAIN, -ECONNREFUSED, 0, 0, 0, 0, -EPIPE, -EPIPE, -ECONNRESET,
                         -EPIPE},
    [CALL_SHUT_READ] = {-ENOTCONN, -ENOTCONN, 0, 0, -ENOTCONN, 0, 0, 0, 0, 0, -ENOTCONN, -ENOTCONN, -ENOTCONN},
    [CALL_SHUT_WRITE] = {-ENOTCONN, -ENOTCONN, 0, 0, -ENOTCONN, 0, 0, 0, 0, 0, -ENOTCONN, -ENOTCONN, -ENOTCONN},
    [CALL_SHUT_BOTH] = {-ENOTCONN, -ENOTCONN, 0, 0, -ENOTCONN, 0, 0, 0, 0, 0, -ENOTCONN, -ENOTCONN, -ENOTCONN},
    [CALL_PEER_NAME] = {-ENOTCONN, -ENOTCONN, -ENOTCONN, -ENOTCONN, -ENOTCONN, 0, 0, 0, 0, 0, -ENOTCONN, -ENOTCONN,
                        -ENOTCONN},
    [CALL_SO_ERROR] = {0, 0, 0, 0, -ECONNREFUSED, 0, 0, 0, 0, 0, 0, -ECONNRESET, 0},
    [CALL_INQ] = {0, 0, -EINVAL, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0},
    [CALL_OUTQ] = {0, 0, -EINVAL, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
    [CALL_AT_MARK] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    [CALL_POLL] = {0x0014, 0x0014, 0x0000, 0x0000, 0x201d, 0x0004, 0x0005, 0x2005, 0x2005, 0x0004, 0x2015, 0x201d,
                   0x2015},
    [CALL_STATE] = {7, 7, 10, 2, 7, 1, 1, 8, 1, 5, 7, 7, 7},
};

/* Where ours is another. */
static const struct {
    enum bench_call call;
    enum bench_state state;
    int ours;
    const char *why;
} differs[] = {
    {CALL_OUTQ, STATE_REFUSED, 0, "a SYN that was refused is queued no longer"},
};

static int expect(bool kernel, enum bench_call call, enum bench_state state) {
    for (size_t i = 0; i < sizeof differs / sizeof differs[0]; i++)
        if (!kernel && differs[i].call == call && differs[i].state == state) return differs[i].ours;
    return expected[call][state];
}

static void check_all(bool kernel) {
    unsigned wrong = 0;
    for (int call = 0; call < CALLS; call++)
        for (int state = 0; state < STATES; state++) {
            struct bench b;
            bench_open(&b, kernel, (enum bench_state)state);
            int got = bench_do(&b, (enum bench_call)call),
                want = expect(kernel, (enum bench_call)call, (enum bench_state)state);
            bench_close(&b);
            if (got == want) continue;
            print_error("%s, %s: %d, not %d\n", bench_call_name[call], bench_state_name[state], got, want);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

static void test_beckon(void **state) {
    (void)state;
    check_all(false);
}

static void test_kernel(void **state) {
    (void)state;
    if (!bench_has_kernel()) {
        print_message("there is no 127.0.0.1 here\n");
        skip();
    }
    check_all(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beckon),
        cmocka_unit_test(test_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
