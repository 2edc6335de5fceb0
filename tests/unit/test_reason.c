/* Shows that every reason and state has a name, words and a verdict, and that what they cite is well formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "beckon/render.h"

/* "RFC 9293" or "RFC 9293 3.10.7.4": digits, then at most one section of digits and single dots. */
static bool rfc_well_formed(const char *rfc) {
    if (strncmp(rfc, "RFC ", 4) != 0) return false;
    size_t number = strspn(rfc + 4, "0123456789");
    if (number < 3 || number > 4) return false;
    const char *section = rfc + 4 + number;
    if (!*section) return true;
    if (*section++ != ' ') return false;
    for (;;) {
        size_t digits = strspn(section, "0123456789");
        if (!digits) return false;
        section += digits;
        if (!*section) return true;
        if (*section++ != '.') return false;
    }
}

static void test_rfc_format_is_checked(void **state) {
    (void)state;
    assert_true(rfc_well_formed("RFC 792"));
    assert_true(rfc_well_formed("RFC 9293 3.10.7.4"));
    assert_false(rfc_well_formed("RFC 9293, 3.10"));
    assert_false(rfc_well_formed("RFC 9293 3..1"));
    assert_false(rfc_well_formed("RFC 9293 "));
    assert_false(rfc_well_formed("RFC9293"));
}

/* The name's prefix and the verdict say the same. */
static bool verdict_fits(const char *name, enum bk_verdict verdict) {
    static const struct {
        const char *prefix;
        unsigned verdicts;
    } allowed[] = {
        {"SEND_", 1u << BK_SENT},       {"ACCEPT_", 1u << BK_ACCEPTED | 1u << BK_ANSWERED},
        {"ANSWER_", 1u << BK_ANSWERED}, {"DROP_", 1u << BK_DROPPED},
        {"NO_CHUNK", 1u << BK_DROPPED}, {"NOTE_", 1u << BK_NOTED},
        {"NONE", 1u << BK_NOTED},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (strncmp(name, allowed[i].prefix, strlen(allowed[i].prefix)) == 0) return allowed[i].verdicts >> verdict & 1;
    return false;
}

static void test_every_reason(void **state) {
    (void)state;
    for (uint16_t r = 0; r < BK_REASON_COUNT; r++) {
        const char *name = bk_reason_name(r), *rfc = bk_reason_rfc(r), *mib = bk_reason_mib(r);
        assert_true(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name) && *name);
        assert_true(strlen(bk_reason_words(r)) > 4);
        if (!verdict_fits(name, bk_reason_verdict(r))) fail_msg("%s: verdict", name);
        if (*rfc && !rfc_well_formed(rfc)) fail_msg("%s: %s", name, rfc);
        if (*mib && strncmp(mib, "tcp", 3) != 0) fail_msg("%s: %s", name, mib);
        for (uint16_t other = 0; other < r; other++) assert_string_not_equal(name, bk_reason_name(other));
    }
}

static void test_some_reasons(void **state) {
    (void)state;
    assert_string_equal(bk_reason_name(BK_REASON_SEND_SYN), "SEND_SYN");
    assert_string_equal(bk_reason_words(BK_REASON_SEND_SYN), "SYN of an active open");
    assert_string_equal(bk_reason_rfc(BK_REASON_DROP_RST_TIME_WAIT), "RFC 1337");
    assert_string_equal(bk_reason_mib(BK_REASON_SEND_RST_ABORT), "tcpOutRsts");
    assert_int_equal(bk_reason_verdict(BK_REASON_ANSWER_PAWS), BK_ANSWERED);
}

static void test_beyond_the_list(void **state) {
    (void)state;
    for (uint32_t r = BK_REASON_COUNT; r <= UINT16_MAX; r += 997) {
        assert_string_equal(bk_reason_name((uint16_t)r), "UNKNOWN");
        assert_true(*bk_reason_words((uint16_t)r));
        assert_int_equal(bk_reason_verdict((uint16_t)r), BK_NOTED);
    }
    assert_string_equal(bk_state_name(BK_STATES), "UNKNOWN");
    assert_string_equal(bk_state_name(255), "UNKNOWN");
}

static void test_states(void **state) {
    (void)state;
    assert_string_equal(bk_state_name(BK_CLOSED), "CLOSED");
    assert_string_equal(bk_state_name(BK_SYN_RECEIVED), "SYN-RECEIVED");
    assert_string_equal(bk_state_name(BK_TIME_WAIT), "TIME-WAIT");
}

static void test_comment(void **state) {
    (void)state;
    char out[BK_REASON_COMMENT], small[8];
    const char *want = "sent: SYN of an active open (RFC 9293 3.10.1) [SEND_SYN]";
    assert_int_equal(bk_reason_comment(BK_REASON_SEND_SYN, out, sizeof out), strlen(want));
    assert_string_equal(out, want);
    bk_reason_comment(BK_REASON_DROP_BAD_PORT, out, sizeof out);
    assert_string_equal(out, "dropped: port 0 [DROP_BAD_PORT]");
    assert_int_equal(bk_reason_comment(BK_REASON_SEND_SYN, small, sizeof small), strlen(want));
    assert_string_equal(small, "sent: S");
    assert_int_equal(bk_reason_comment(BK_REASON_SEND_SYN, NULL, 0), strlen(want));
    for (uint16_t r = 0; r < BK_REASON_COUNT; r++) assert_true(bk_reason_comment(r, out, sizeof out) < sizeof out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_format_is_checked),
        cmocka_unit_test(test_every_reason),
        cmocka_unit_test(test_some_reasons),
        cmocka_unit_test(test_beyond_the_list),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_comment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
