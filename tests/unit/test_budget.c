/* Shows that flows share a budget of chunks that is far smaller than they want: equally, without a loss of goodput, whoever is stuck, and that
 * the memory is free again afterwards. With --all (lab.budget) the flows are up to 256 and their users of all kinds; without, a few of these, since the
 * worlds are large where each instruction is emulated or checked. */
#include "shared_world.h"

#include <stdio.h>
#include <string.h>

#include "base/common.h"

#define SECONDS 8u
#define CHUNKS  256u /* of which a link of 100 Mbit/s with an RTT of 10 ms needs about 90 */

static const uint32_t flow_counts[] = {16, 2, 256};
static bool all;

/* How many of `n` are looked at. */
static uint32_t some(uint32_t n) {
    return all ? n : 1;
}

/* Runs it, and checks what holds for each: the budget's bound, and that no flow is left out for a second. shared_run sees to it that
 * nothing is in use at the end. */
static struct shared_result run_of(const struct shared_plan *p, const char *what) {
    struct shared_result r;
    shared_run(p, SECONDS, &r);
    printf(
        "%3u flows, %u of them stuck, %s: %.2f MB/s, fairness %.4f, longest pause of a flow %.1f ms, %u of %u chunks\n",
        p->flows, p->dead, what, (double)r.total / (SECONDS / 2) / 1e6, r.jain, (double)r.pause_ns / 1e6, r.most,
        p->chunks);
    assert_true(r.most <= p->chunks);
    assert_true(r.pause_ns < NS_PER_S);
    return r;
}

static uint64_t alone(struct shared_plan p) {
    p.flows = 1;
    return run_of(&p, "alone").total;
}

/* Flows that are alike get the same, and together what one gets; also when many ACKs arrive before any user is asked again, and those who are asked first could
 * take all that has become free. */
static void writers_share(void **state) {
    (void)state;
    static const uint32_t batch_us[] = {20000, 2000, 0};
    uint64_t one = alone((struct shared_plan){.chunks = CHUNKS, .rtt_ms = {10, 10}});
    for (uint32_t i = 0; i < some(BK_COUNT(flow_counts)); i++)
        for (uint32_t b = 0; b < some(BK_COUNT(batch_us)); b++) {
            struct shared_plan p = {
                .flows = flow_counts[i], .chunks = CHUNKS, .rtt_ms = {10, 10}, .batch_us = batch_us[b]};
            struct shared_result r = run_of(&p, batch_us[b] == 0 ? "writing" : "writing, ACKs in batches");
            assert_true(r.jain >= 0.95);
            assert_true(r.total >= one - one / 10);
        }
}

/* Likewise by reference, four segments at a time. */
static void writers_of_parts_share(void **state) {
    (void)state;
    struct shared_plan p = {.flows = 16, .chunks = CHUNKS, .rtt_ms = {10, 10}, .batch_us = 5000, .parts = true};
    uint64_t one = alone(p);
    struct shared_result r = run_of(&p, "writing by reference");
    assert_true(r.jain >= 0.95);
    assert_true(r.total >= one - one / 10);
}

/* Half of the flows have a round trip that is ten times as long: turns are equal, so they hold more and get the same. */
static void round_trips_differ(void **state) {
    (void)state;
    struct shared_plan p = {.flows = 16, .chunks = CHUNKS, .rtt_ms = {5, 50}};
    struct shared_result r = run_of(&p, "writing, RTT 5 and 50 ms");
    assert_true(r.jain >= 0.95);
}

/* Peers that never read: what is queued for them stays, and they have come first and taken all that there was. The others get something
 * all the same, and all of them as much. */
static void stuck_writers_starve_nobody(void **state) {
    (void)state;
    static const uint32_t dead[][2] = {{16, 8}, {2, 1}, {16, 1}, {256, 1}, {256, 128}};
    for (uint32_t i = 0; i < some(BK_COUNT(dead)); i++) {
        struct shared_plan p = {
            .flows = dead[i][0], .dead = dead[i][1], .dead_first_ms = 1000, .chunks = CHUNKS, .rtt_ms = {10, 10}};
        struct shared_result r = run_of(&p, "writing");
        assert_true(r.jain >= 0.95);
        assert_true(r.total >= 1000000);
    }
}

/* The small stack reads what sixteen write, who know nothing of its budget: at once, or so slowly that it is the readers who hold the chunks. */
static void readers_share(void **state) {
    (void)state;
    static const uint32_t pace[] = {500, 1000, 0};
    for (uint32_t i = 0; i < some(BK_COUNT(pace)); i++) {
        struct shared_plan p = {
            .flows = 16, .receives = true, .chunks = CHUNKS, .rtt_ms = {10, 10}, .read_in_a_ms = pace[i]};
        struct shared_result r = run_of(&p, pace[i] == 0 ? "reading at once" : "reading slowly");
        uint64_t wanted = pace[i] == 0 ? 12000000 : u64_min(12000000, 16 * 1000 * pace[i]);
        assert_true(r.jain >= 0.95);
        assert_true(r.total >= wanted * (SECONDS / 2) * 9 / 10);
    }
}

/* Users that never read hold whatever has come for them. The others can receive all the same. */
static void stuck_readers_starve_nobody(void **state) {
    (void)state;
    static const uint32_t dead[] = {8, 1};
    for (uint32_t i = 0; i < some(BK_COUNT(dead)); i++)
        for (uint32_t pace = 0; pace <= 1000; pace += 1000) {
            struct shared_plan p = {.flows = 16,
                                    .dead = dead[i],
                                    .dead_first_ms = 1000,
                                    .receives = true,
                                    .chunks = CHUNKS,
                                    .rtt_ms = {10, 10},
                                    .read_in_a_ms = pace};
            struct shared_result r = run_of(&p, pace == 0 ? "reading at once" : "reading slowly");
            assert_true(r.jain >= 0.95);
            assert_true(r.total >= 1000000 * (SECONDS / 2));
        }
}

int main(int argc, char **argv) {
    all = argc == 2 && strcmp(argv[1], "--all") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_share),      cmocka_unit_test(writers_of_parts_share),
        cmocka_unit_test(round_trips_differ), cmocka_unit_test(stuck_writers_starve_nobody),
        cmocka_unit_test(readers_share),      cmocka_unit_test(stuck_readers_starve_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
