/* Shows that flows through a simulated bottleneck get what the link and their windows allow, lose what is asked, and are timed rightly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "lab/bottleneck.h"

#define MBIT UINT64_C(1000000)

/* One flow, RTT 100 ms, buffers as given, over 8 Mbit/s: a full frame of 1,500 bytes takes 1.5 ms. */
static void one_flow(struct bottleneck_options *o, uint32_t receive_buffer) {
    *o = (struct bottleneck_options){.link = {.rate_bps = 8 * MBIT, .delay_us = 50000, .queue_bytes = 1000000},
                                     .flows = 1,
                                     .mtu = 1500,
                                     .warm_us = 5000000,
                                     .end_us = 15000000,
                                     .seed = 1};
    struct bk_config *c = &o->flow[0].sender;
    bk_config_default(c);
    c->connections = 4;
    c->send_buffer = 2 * receive_buffer;
    c->receive_buffer = receive_buffer;
    c->send_buffer_max = c->receive_buffer_max = 0;
    o->flow[0].receiver = *c;
    o->flow[0].rtt_us = 100000;
}

static void run(const struct bottleneck_options *o, bottleneck_watch_fn *watch, void *context,
                struct bottleneck_result *r) {
    const char *why = bottleneck_run(o, watch, context, r);
    if (why != NULL) fail_msg("%s", why);
}

/* 1,000,000 octets a second, of which 1,448 in 1,500 are payload: 9,653,333 in ten seconds. */
static void link_is_filled(void **state) {
    (void)state;
    struct bottleneck_options o;
    struct bottleneck_result r;
    one_flow(&o, 400000);
    run(&o, NULL, NULL, &r);
    assert_in_range(r.octets[0], 9600000, 9653333 + 1448);
    /* The window is 400,000 octets, of which 100,000 are under way: about 300 ms' worth waits. */
    assert_in_range(r.queue_mean_ns, 250 * NS_PER_MS, 350 * NS_PER_MS);
    assert_in_range(r.queue_p95_ns, r.queue_mean_ns, 350 * NS_PER_MS);
}

/* A window of 28,960 octets (20 segments) a round trip of 100 ms, and the time that it takes to send and to acknowledge it. */
static void window_holds(void **state) {
    (void)state;
    struct bottleneck_options o;
    struct bottleneck_result r;
    one_flow(&o, 28960);
    run(&o, NULL, NULL, &r);
    assert_in_range(r.octets[0], 2300000, 2896000);
    assert_in_range(r.queue_mean_ns, 0, 30 * NS_PER_MS); /* 19 frames before the last one: 28.5 ms */
}

static void two_flows_share(void **state) {
    (void)state;
    struct bottleneck_options o;
    struct bottleneck_result r;
    one_flow(&o, 400000);
    o.flows = 2;
    o.flow[1] = o.flow[0];
    o.flow[1].start_us = 6000000;
    run(&o, NULL, NULL, &r);
    assert_in_range(r.octets[0] + r.octets[1], 9500000, 9653333 + 2 * 1448);
    assert_true(r.octets[1] > 1000000);
    assert_true(r.octets[0] > r.octets[1]);
}

struct seen {
    uint32_t lost, data, other_lost;
    uint64_t hash;
};

static void see(void *context, uint32_t flow, bool back, const uint8_t *frame, size_t length, uint16_t reason,
                bool lost, uint64_t now) {
    struct seen *s = context;
    (void)flow;
    if (!back && length > 1000) s->data++;
    if (lost && !back && length > 1000) s->lost++;
    if (lost && (back || length <= 1000)) s->other_lost++;
    s->hash = (s->hash ^ now ^ reason ^ frame[length - 1]) * UINT64_C(0x9e3779b97f4a7c15);
}

/* What is asked is lost, and nothing else. Without SACK each loss of a window takes a round trip to mend, and the first one more to be heard of
 * (RFC 6582): 45 frames of 1.5 ms are less than a round trip, so none of it is spent in the queue. */
static void losses_are_as_asked(void **state) {
    (void)state;
    struct bottleneck_options o;
    struct bottleneck_result r;
    for (uint32_t lose = 1; lose <= 5; lose++) {
        struct seen seen = {0};
        one_flow(&o, 65160); /* 45 segments */
        o.lose_from = 2000000;
        o.lose_count = lose;
        o.lose_stride = 3;
        o.flow[0].sender.sack = false;
        run(&o, see, &seen, &r);
        assert_int_equal(seen.lost, lose);
        assert_int_equal(seen.other_lost, 0);
        assert_in_range(r.recovery_ns, (lose + 1) * 100 * NS_PER_MS, ((lose + 1) * 100 + 80) * NS_PER_MS);
    }
}

/* The last segment of a transfer: no ACK tells of it. */
static void tail_is_timed(void **state) {
    (void)state;
    struct bottleneck_options o;
    struct bottleneck_result r;
    one_flow(&o, 65160);
    o.flow[0].octets = 1448 * 1000;
    o.lose_from = 1448 * 999;
    o.lose_count = o.lose_stride = 1;
    run(&o, NULL, NULL, &r);
    assert_in_range(r.recovery_ns, 200 * NS_PER_MS, 2000 * NS_PER_MS);
}

static void same_seed_same_run(void **state) {
    (void)state;
    struct bottleneck_options o;
    struct bottleneck_result r, again;
    struct seen a = {0}, b = {0}, other = {0};
    one_flow(&o, 400000);
    o.link.loss_ppm = 10000;
    run(&o, see, &a, &r);
    run(&o, see, &b, &again);
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(r.octets[0], again.octets[0]);
    assert_true(a.lost > 0);
    o.seed = 2;
    run(&o, see, &other, &again);
    assert_int_not_equal(a.hash, other.hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_is_filled),      cmocka_unit_test(window_holds),  cmocka_unit_test(two_flows_share),
        cmocka_unit_test(losses_are_as_asked), cmocka_unit_test(tail_is_timed), cmocka_unit_test(same_seed_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
