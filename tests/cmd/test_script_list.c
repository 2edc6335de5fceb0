/* Shows that a list of expected failures is held to be exact in both directions, and is written so that it is. */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/common.h"
#include "cmd/script.h"

static char path[] = "/tmp/beckon-script-XXXXXX";

/* "a.pkt" fails in ipv4 and passes in the others, "b.pkt" passes in all, "c.pkt" is skipped in ipv6 and fails otherwise. */
static struct script_job jobs[3];
static struct script_command command = {.family = {true, true, true}, .job = jobs, .job_count = 3, .json = true};

static int setup(void **state) {
    (void)state;
    static char *const names[] = {"/x/linux/a.pkt", "/x/linux/b.pkt", "/x/google/c.pkt"};
    static const enum script_result results[3][3] = {{SCRIPT_FAILED, SCRIPT_PASSED, SCRIPT_PASSED},
                                                     {SCRIPT_PASSED, SCRIPT_PASSED, SCRIPT_PASSED},
                                                     {SCRIPT_FAILED, SCRIPT_SKIPPED, SCRIPT_FAILED}};
    for (size_t i = 0; i < 3; i++) {
        jobs[i].path = names[i];
        jobs[i].name = names[i] + 3;
        for (size_t k = 0; k < SCRIPT_FAMILIES; k++)
            jobs[i].pair[k] = (struct script_pair){
                .job = &jobs[i], .family = &script_families[k], .chosen = true, .verdict = {.result = results[i][k]}};
    }
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    close(fd);
    command.expected = command.write_expected = path;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static int compare(const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return script_compare(&command);
}

static void test_compare(void **state) {
    (void)state;
    assert_int_equal(compare("# right\n\nlinux/a.pkt: 4: reason\ngoogle/c.pkt: 4 m\n"), 0);
    assert_int_equal(compare("a.pkt: 4\nc.pkt: 4 m\n"), 0);                /* a part of the path names it, too */
    assert_int_equal(compare("linux/a.pkt: 4\n"), 2);                      /* c fails twice */
    assert_int_equal(compare("linux/a.pkt: 4 6\ngoogle/c.pkt: 4 m\n"), 1); /* a passes */
    assert_int_equal(compare("linux/a.pkt: 4\ngoogle/c.pkt: 4 6 m\n"), 1); /* c is skipped */
    assert_int_equal(compare("linux/a.pkt: 4\ngoogle/c.pkt: 4 m\nd.pkt: 6\n"), 1); /* there is no d */
    assert_int_equal(compare("linux/a.pkt: 4\nx/c.pkt: 4 m\n"), 4);                /* nor this c */
    assert_true(compare("linux/a.pkt 4\n") < 0);
    assert_true(compare("linux/a.pkt: 5\n") < 0);
}

static void test_write(void **state) {
    (void)state;
    char text[400] = "";
    assert_true(compare("linux/a.pkt: 4 6 m: because\nlinux/b.pkt: 4: over\n") > 0);
    assert_int_equal(script_write_expected(&command), 0);
    assert_int_equal(script_compare(&command), 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    assert_non_null(strstr(text, "\nlinux/a.pkt: 4: because\n"));
    assert_null(strstr(text, "b.pkt"));
    assert_non_null(strstr(text, "\ngoogle/c.pkt: 4 m: not yet\n"));
    unlink(path);
    assert_int_equal(script_write_expected(&command), 0); /* none need be there */
}

static void test_report(void **state) {
    (void)state;
    char text[400] = "";
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("linux/a.pkt: 4 6\nlinux/b.pkt: 4 6 m\nlinux/absent.pkt: m\nlinux/accecn.pkt: 4\ngoogle/c.pkt: 6\n", f);
    fclose(f);
    command.against = path;
    jobs[1].fast_open = true; /* so b is left out of its folder's group */
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    assert_int_equal(script_report(&command, out), 0);
    fclose(out);
    jobs[1].fast_open = false;
    assert_string_equal(text, " 33.3 %  1 of 3 pairs: linux/ without AccECN and Fast Open\n"
                              "  0.0 %  0 of 1 pairs: google/ without Fast Open\n"
                              " 50.0 %  4 of 8 pairs: all\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compare), cmocka_unit_test(test_write),
                                       cmocka_unit_test(test_report)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
