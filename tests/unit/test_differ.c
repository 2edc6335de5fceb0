/* Shows that the comparison with another TCP sees differences, explains no more than it should, and shortens programs; and that each known
 * class of differences has its entry in docs/differences-from-linux.md, and each entry its class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab/differ.h"

#define PORT  1024
#define SEEDS 300u

static struct differ_side *sides[2];
/* The second side is Beckon with something planted: pure ACKs of `mute_state` do not leave. */
static size_t (*true_leaves)(struct differ_side *side, uint8_t packet[DIFFER_FRAME]);
static uint8_t mute_state;

static size_t mute_leaves(struct differ_side *side, uint8_t packet[DIFFER_FRAME]) {
    const uint8_t *flags = packet + 20 + 13;
    size_t n = true_leaves(side, packet);
    if (n != 0 && packet[0] >> 4 == 4 && *flags == WIRE_ACK && side->state(side) == mute_state)
        return mute_leaves(side, packet);
    return n;
}

static int set_up(void **state) {
    (void)state;
    sides[0] = differ_beckon_new();
    sides[1] = differ_beckon_new();
    assert_true(sides[0] != NULL && sides[1] != NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    differ_beckon_free(sides[0]);
    differ_beckon_free(sides[1]);
    return 0;
}

static void run(void *context, const struct differ_program *p, struct differ_result *r) {
    (void)context;
    differ_run(p, sides, PORT, r);
}

static void beckon_is_like_itself(void **state) {
    static struct differ_program p;
    static struct differ_result r;
    (void)state;
    bool reached[BK_STATES] = {false};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        differ_program_draw(&p, seed);
        run(NULL, &p, &r);
        assert_false(r.different);
        assert_int_equal(r.lines, p.count);
        for (uint32_t i = 0; i < r.lines; i++)
            for (uint32_t s = 0; s < BK_STATES; s++)
                reached[s] |= strcmp(r.line[i].state, bk_state_name((uint8_t)s)) == 0;
    }
    for (uint32_t s = 0; s < BK_STATES; s++)
        if (!reached[s]) fail_msg("no program reaches %s", bk_state_name((uint8_t)s));
}

static void seeds_repeat(void **state) {
    static struct differ_program a, b;
    (void)state;
    differ_program_draw(&a, 17);
    differ_program_draw(&b, 17);
    assert_memory_equal(&a, &b, sizeof a);
    differ_program_draw(&b, 18);
    assert_memory_not_equal(&a, &b, sizeof a);
}

/* A side that does not answer in CLOSE-WAIT is found out, and shown by a program that has nothing but the way there. */
static void planted_difference(void **state) {
    static struct differ_program p;
    static struct differ_result r;
    char last[DIFFER_TEXT];
    (void)state;
    true_leaves = sides[1]->leaves;
    sides[1]->leaves = mute_leaves;
    mute_state = BK_CLOSE_WAIT;
    uint32_t found = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        differ_program_draw(&p, seed);
        run(NULL, &p, &r);
        if (!r.different || p.ipv6) continue;
        found++;
        snprintf(last, sizeof last, "%s", r.line[r.lines - 1].step);
        uint32_t before = r.lines;
        differ_shrink(&p, &r, run, NULL);
        assert_true(r.different && r.lines <= before && r.lines == p.count);
        assert_string_equal(r.line[r.lines - 1].step, last);
        for (uint32_t i = 0; i + 1 < p.count; i++) { /* no step of it can be spared */
            static struct differ_result without;
            struct differ_program shorter = p;
            differ_program_cut(&shorter, i, 1);
            run(NULL, &shorter, &without);
            if (without.different && without.lines == shorter.count)
                assert_string_not_equal(without.line[without.lines - 1].state, r.line[r.lines - 1].state);
        }
    }
    assert_true(found > 10);
}

static void classes_are_narrow(void **state) {
    (void)state;
    const char *step = "segment A seq=at ack=all len=0 wnd=60000 ts=none";
    const struct differ_class *c =
        differ_classify("ESTABLISHED", step, "nothing -> ESTABLISHED", "A seq+0 ack+0 -> ESTABLISHED");
    assert_non_null(c);
    assert_string_equal(c->name, "no-timestamp");
    step = "segment A seq=at ack=all len=0 wnd=60000 ts=ok";
    assert_null(differ_classify("ESTABLISHED", step, "nothing -> ESTABLISHED", "A seq+0 ack+0 -> ESTABLISHED"));
    assert_null(differ_classify("ESTABLISHED", step, "nothing -> CLOSED", "nothing -> ESTABLISHED"));
    assert_null(differ_classify("LISTEN", "segment S seq=isn ack=none len=0 wnd=1 ts=ok mss=1000 wscale=-1",
                                "nothing -> LISTEN", "SA seq=iss ack=isn+1 ts+0 mss=1460 -> SYN-RECEIVED"));
}

/* ---- the document ---- */

static bool is_class(const char *name) {
    for (size_t i = 0; i < differ_classes_count; i++)
        if (strcmp(differ_classes[i].name, name) == 0) return true;
    return false;
}

static void document_agrees(void **state) {
    const char *source = getenv("BECKON_SOURCE");
    char path[1024], line[1024], seen[100][64];
    size_t entries = 0;
    (void)state;
    if (source == NULL) skip();
    snprintf(path, sizeof path, "%s/docs/differences-from-linux.md", source);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "### ", 4) != 0) continue;
        line[strcspn(line, "\n")] = 0;
        if (!is_class(line + 4)) fail_msg("the document has \"%s\", which is no class", line + 4);
        assert_true(entries < 100);
        snprintf(seen[entries++], sizeof seen[0], "%.60s", line + 4);
    }
    fclose(f);
    for (size_t i = 0; i < differ_classes_count; i++) {
        size_t times = 0;
        for (size_t j = 0; j < entries; j++) times += strcmp(seen[j], differ_classes[i].name) == 0;
        if (times != 1) fail_msg("the document has %zu entries for \"%s\"", times, differ_classes[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(beckon_is_like_itself, set_up, tear_down),
        cmocka_unit_test(seeds_repeat),
        cmocka_unit_test_setup_teardown(planted_difference, set_up, tear_down),
        cmocka_unit_test(classes_are_narrow),
        cmocka_unit_test(document_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
