/* Shows that exploration reaches fixed points, finds planted flaws and states of no return, and that its counts depend on nothing but the world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/explore.h"

#define START (1000 * NS_PER_S)

#define CONNECT                                                                                                        \
    { EXPLORE_CONNECT, EXPLORE_HELD, 0, false }
#define SEND(n)                                                                                                        \
    { EXPLORE_SEND, EXPLORE_UP, n, true }
#define CLOSE                                                                                                          \
    { EXPLORE_CLOSE, EXPLORE_UP, 0, false }
#define CLOSE_LAST                                                                                                     \
    { EXPLORE_CLOSE, EXPLORE_PEER_END, 0, true }

static const struct explore_world lossy = {.name = "lossy",
                                           .script = {{CONNECT, SEND(3), CLOSE}, {CLOSE_LAST}},
                                           .listens = 1,
                                           .drops = 1,
                                           .retries = 1,
                                           .instant = true};
static const struct explore_world doubled = {.name = "doubled",
                                             .script = {{CONNECT, CLOSE}, {CLOSE_LAST}},
                                             .listens = 1,
                                             .duplicates = 1,
                                             .one_clock = true,
                                             .instant = true};

/* Three segments, SACK, one fault: what the peer reports and what the clocks say decide together. */
#define SACKED(stamped)                                                                                                \
    {                                                                                                                  \
        .name = "sacked", .script = {{CONNECT, SEND(1), SEND(2), SEND(3), CLOSE}, {CLOSE_LAST}}, .listens = 1,         \
        .drops = 1, .duplicates = 1, .holds = 1, .faults = 1, .retries = 1, .instant = true, .one_clock = true,        \
        .prompt = true, .sack = true, .timestamps = stamped                                                            \
    }
static const struct explore_world sacked = SACKED(false), stamped = SACKED(true);

static struct explore_result explored(const struct explore_world *w, unsigned threads, const struct explore_options *o,
                                      uint32_t check_hash) {
    const struct explore_options usual = {.seed = 1, .start = START};
    const struct explore_limits limits = {.states = 200000, .threads = threads, .check_hash = check_hash};
    struct explore_result r;
    assert_int_equal(explore_run(w, o != NULL ? o : &usual, &limits, &r), 0);
    return r;
}

static void assert_clean(const struct explore_result *r) {
    if (r->fault.found) fail_msg("%s", r->fault.text);
    assert_false(r->bounded);
}

/* One segment of loss: every state ends in CLOSED, and there is more than one way. */
static void fixed_point(void **state) {
    (void)state;
    struct explore_result r = explored(&lossy, 1, NULL, 0);
    assert_clean(&r);
    assert_true(r.states > 1000 && r.transitions > r.states);
    explore_result_free(&r);
}

/* What happens when nothing goes wrong, counted by hand: OPEN; SYN, SYN-ACK, ACK arrive; CLOSE; FIN arrives, which B's user answers with
 * CLOSE; B's ACK and FIN, A's ACK arrive; 2MSL are over. */
static void path_by_hand(void **state) {
    (void)state;
    static const struct explore_action by_hand[] = {
        {EXPLORE_USER, 0},    {EXPLORE_DELIVER, 0}, {EXPLORE_DELIVER, 0}, {EXPLORE_DELIVER, 0}, {EXPLORE_USER, 0},
        {EXPLORE_DELIVER, 0}, {EXPLORE_DELIVER, 0}, {EXPLORE_DELIVER, 0}, {EXPLORE_DELIVER, 0}, {EXPLORE_FIRE, 0},
    };
    const struct explore_options options = {.seed = 1, .start = START};
    struct explore_machine m;
    struct explore_action possible[EXPLORE_ACTIONS];
    assert_true(explore_machine_init(&m, &doubled, &options));
    for (unsigned i = 0; i < BK_COUNT(by_hand); i++) {
        assert_false(i != 0 && explore_at_rest(&m));
        assert_true(explore_act(&m, by_hand[i]));
        explore_audit(&m);
        if (m.fault.found) fail_msg("step %u: %s", i, m.fault.text);
    }
    assert_true(explore_at_rest(&m));
    assert_int_equal(explore_actions(&m, possible), 0);
    explore_machine_free(&m);
}

static void threads_agree(void **state) {
    (void)state;
    struct explore_result one = explored(&lossy, 1, NULL, 0), two = explored(&lossy, 2, NULL, 0);
    assert_clean(&two);
    assert_int_equal(one.states, two.states);
    assert_int_equal(one.transitions, two.transitions);
    assert_int_equal(one.depth, two.depth);
    explore_result_free(&one);
    explore_result_free(&two);
}

/* A seed and a time at which A's ISS is 2^32 - 1, - 2 or - 3, so that the numbers of its few bytes wrap. */
static struct explore_options wrapping(void) {
    for (struct explore_options o = {.seed = 2, .start = START};; o.seed++) {
        struct explore_machine m;
        assert_true(explore_machine_init(&m, &lossy, &o));
        assert_true(explore_act(&m, (struct explore_action){EXPLORE_USER, 0}));
        uint32_t left = UINT32_MAX - m.state.incarnation[0].iss[0]; /* 250 numbers are a millisecond */
        explore_machine_free(&m);
        o.start = START + left / 250 * NS_PER_MS;
        if (left % 250 < 3) return o;
    }
}

static void seed_and_time_do_not_matter(void **state) {
    (void)state;
    struct explore_options wrap = wrapping(), other = {.seed = 77, .start = 5 * START};
    const struct explore_world *worlds[] = {&lossy, &sacked, &stamped};
    for (unsigned k = 0; k < BK_COUNT(worlds); k++) {
        struct explore_result usual = explored(worlds[k], 1, NULL, 0);
        struct explore_result r[2] = {explored(worlds[k], 1, &wrap, 0), explored(worlds[k], 1, &other, 0)};
        for (unsigned i = 0; i < 2; i++) {
            assert_clean(&r[i]);
            assert_int_equal(r[i].states, usual.states);
            assert_int_equal(r[i].transitions, usual.transitions);
            explore_result_free(&r[i]);
        }
        explore_result_free(&usual);
    }
}

/* States of one hash have one future: each transition to a known state is followed. */
static void hash_sees_all(void **state) {
    (void)state;
    const struct explore_world *worlds[] = {&lossy, &doubled, &sacked, &stamped};
    for (unsigned i = 0; i < BK_COUNT(worlds); i++) {
        struct explore_result r = explored(worlds[i], 1, NULL, 1);
        assert_clean(&r);
        assert_true(r.checked > 1000);
        explore_result_free(&r);
    }
}

static void flaw_is_found(const char *name, const char *words) {
    const struct explore_world *w = explore_world_find(name);
    assert_non_null(w);
    struct explore_result r = explored(w, 1, NULL, 0);
    assert_true(r.fault.found);
    if (strstr(r.fault.text, words) == NULL) fail_msg("%s: %s", name, r.fault.text);
    assert_non_null(r.path.action);
    explore_result_free(&r);
}

static void planted_flaws_are_found(void **state) {
    (void)state;
    flaw_is_found("flaw-two-way", "its SYN is an old duplicate");
    flaw_is_found("flaw-old-syn", "its SYN is an old duplicate");
}

/* A peer that is gone without a word, and a user that waits for it for ever: no schedule brings that to an end. */
static void no_return_is_found(void **state) {
    (void)state;
    static const struct explore_world forsaken = {.name = "forsaken",
                                                  .script = {{CONNECT, SEND(1)}, {CLOSE_LAST}},
                                                  .listens = 1,
                                                  .patient = true,
                                                  .instant = true};
    struct explore_result r = explored(&forsaken, 1, NULL, 0);
    assert_true(r.fault.found);
    assert_non_null(strstr(r.fault.text, "no schedule leads"));
    explore_result_free(&r);
}

static void bounds_are_said(void **state) {
    (void)state;
    const struct explore_options options = {.seed = 1, .start = START};
    const struct explore_limits depth = {.depth = 4, .threads = 1}, states = {.states = 100, .threads = 1};
    struct explore_result r;
    assert_int_equal(explore_run(&lossy, &options, &depth, &r), 0);
    assert_true(r.bounded && r.depth == 4);
    explore_result_free(&r);
    assert_int_equal(explore_run(&lossy, &options, &states, &r), 0);
    assert_true(r.bounded && r.states <= 100);
    explore_result_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_point),        cmocka_unit_test(path_by_hand),
        cmocka_unit_test(threads_agree),      cmocka_unit_test(seed_and_time_do_not_matter),
        cmocka_unit_test(hash_sees_all),      cmocka_unit_test(planted_flaws_are_found),
        cmocka_unit_test(no_return_is_found), cmocka_unit_test(bounds_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
