/* Shows that a scenario and its text are the same, that drawn ones are sound, and that each way of making one simpler ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/scenario.h"

static struct scenario a, b;

static const char *read_text(struct scenario *s, const char *text, int *line) {
    const char *why = NULL;
    FILE *f = tmpfile();
    assert_non_null(f);
    fputs(text, f);
    rewind(f);
    *line = scenario_read(s, f, &why);
    fclose(f);
    return why;
}

static void text_and_back(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        const char *why = NULL;
        scenario_draw(&a, seed);
        assert_null(scenario_wrong(&a));
        FILE *f = tmpfile();
        assert_non_null(f);
        scenario_write(&a, f);
        rewind(f);
        assert_int_equal(scenario_read(&b, f, &why), 0);
        fclose(f);
        /* Of hosts and flows that take no part nothing is said. */
        for (uint32_t i = a.hosts; i < SCENARIO_HOSTS; i++) b.host[i] = a.host[i];
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void text_by_a_person(void **state) {
    (void)state;
    int line;
    assert_null(read_text(&a,
                          "# two hosts\n\nflows 1\nhost 1 up.loss_ppm 5000\n"
                          "host 0 config.timestamps 0\nflow 0 kind half-close\nflow 0 down 7\n",
                          &line));
    assert_int_equal(a.host[1].up.loss_ppm, 5000);
    assert_false(a.host[0].config.timestamps);
    assert_int_equal(a.flow[0].kind, SCENARIO_HALF_CLOSE);
    assert_int_equal(a.flow[0].down, 7);
}

static void text_that_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"flows 1\nflow 0 nonsense 3\n", 2},
        {"flows\n", 1},
        {"flows 1x\n", 1},
        {"\n\nhost 64 mtu 1500\n", 3},
        {"host 0 mtu 99999999999\n", 1},
        {"flow 0 kind nonsense\n", 1},
        {"host 0\n", 1},
        {"hosts 3\n", 1},
        {"family 5\n", 1},
        {"flows 1\nflow 0 server 0\n", 2},
        {"host 1 config.chunk_size 7\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int line = 0;
        assert_non_null(read_text(&a, cases[i].text, &line));
        assert_int_equal(line, cases[i].line);
    }
}

static void presets_are_sound(void **state) {
    (void)state;
    for (uint32_t i = 0; i < scenario_preset_count; i++) {
        assert_true(scenario_preset(&a, scenario_presets[i].name, 5));
        assert_null(scenario_wrong(&a));
        assert_int_equal(a.seed, 5);
        assert_true(scenario_connections(&a) > 0);
    }
    assert_false(scenario_preset(&a, "nonsense", 5));
}

/* Everything that a seed may bring comes in some of the first thousand worlds. */
static void worlds_are_mixed(void **state) {
    (void)state;
    uint32_t kinds[SCENARIO_KINDS] = {0}, ipv6 = 0, routed = 0, ethernet = 0, crash = 0, codel = 0, must = 0;
    uint32_t marks = 0, paced = 0, sack = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        scenario_draw(&a, seed);
        for (uint32_t i = 0; i < a.flows; i++) kinds[a.flow[i].kind]++;
        ipv6 += a.family == 6;
        routed += a.routed;
        ethernet += a.ethernet;
        crash += a.host[0].crash_us != 0;
        codel += a.host[0].up.queue == PATH_CODEL;
        must += scenario_must_complete(&a);
        marks += a.host[0].up.mark_ppm != 0 && a.host[0].config.ecn == BK_ECN_ASK && a.host[1].config.ecn != BK_ECN_OFF;
        paced += a.host[0].config.pacing;
        sack += a.host[0].config.sack && a.host[1].config.sack;
    }
    for (uint32_t k = 0; k < SCENARIO_KINDS; k++) assert_true(kinds[k] > 50);
    assert_true(ipv6 > 100 && routed > 100 && ethernet > 100 && crash > 20 && codel > 20 && must > 50);
    assert_true(marks > 20 && paced > 100 && sack > 300);
}

/* Whoever always says "it still fails" comes to an end, at a scenario that nothing makes simpler. */
static void reducing_ends(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        scenario_draw(&a, seed);
        b = a;
        uint32_t steps = 0;
        int r = 0;
        for (bool helped = true; helped && steps < 5000;) {
            helped = false;
            for (uint32_t n = 0; steps < 5000 && (r = scenario_reduce(&b, n)) >= 0;) {
                bool good = r > 0 && scenario_wrong(&b) == NULL;
                helped |= good;
                steps += good;
                n += !good;
                if (good)
                    a = b;
                else if (r > 0)
                    b = a;
            }
        }
        assert_true(steps < 5000);
        assert_int_equal(a.flows, 1);
        assert_int_equal(a.hosts, 2);
        assert_int_equal(a.flow[0].connections, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),     cmocka_unit_test(text_by_a_person), cmocka_unit_test(text_that_is_wrong),
        cmocka_unit_test(presets_are_sound), cmocka_unit_test(worlds_are_mixed), cmocka_unit_test(reducing_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
