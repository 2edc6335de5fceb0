/* Shows that delivery rate samples are those of draft-ietf-ccwg-bbr 4.1, in worked arithmetic. */
#include "fixture.h"

#include "tcp/rate.h"

#define MSS 1000u

struct flight {
    struct rate r;
    struct rate_mark mark[40];
    uint64_t sent_at[40];
    uint32_t in_flight;
};

static void fly(struct flight *f, int i, uint64_t now) {
    rate_sent(&f->r, &f->mark[i], f->in_flight, MSS, now);
    f->in_flight += MSS;
    f->sent_at[i] = now;
}

/* An ACK of the segments [from, to). */
static struct rate_sample land(struct flight *f, int from, int to, uint64_t now, uint32_t min_rtt_us) {
    struct rate_sample s;
    rate_begin(&f->r, &s);
    for (int i = from; i < to; i++) {
        rate_delivered(&f->r, &s, &f->mark[i], f->sent_at[i], (uint32_t)i * MSS + MSS, MSS, false, now);
        f->in_flight -= MSS;
    }
    rate_take(&f->r, &s, min_rtt_us);
    return s;
}

/* Ten segments leave at once at 100 ms, and are acknowledged one by one from 200 ms on, 10 ms apart: the path's rate is 100 kB/s. */
static void the_path_sets_the_pace(void **state) {
    (void)state;
    struct flight f = {0};
    for (int i = 0; i < 10; i++) fly(&f, i, 100 * NS_PER_MS);
    for (int i = 0; i < 10; i++) {
        struct rate_sample s = land(&f, i, i + 1, (200 + (uint64_t)i * 10) * NS_PER_MS, 100000);
        assert_int_equal(s.delivered, (i + 1) * MSS);
        assert_int_equal(s.interval_ns, (100 + (uint64_t)i * 10) * NS_PER_MS);
        assert_int_equal(s.prior_delivered, 0);
        assert_int_equal(s.in_flight, (i + 1) * MSS);
        fly(&f, 10 + i, (200 + (uint64_t)i * 10) * NS_PER_MS);
    }
    /* The first flight left in a burst, so it took longer and longer from its beginning until a segment of the second left. The third has the
     * pace of the ACKs on both sides: a round trip of it is 1,000 bytes each 10 ms. */
    for (int flight = 1; flight < 3; flight++) {
        for (int i = 0; i < 10; i++) {
            uint64_t now = (200 + (uint64_t)flight * 100 + (uint64_t)i * 10) * NS_PER_MS;
            struct rate_sample s = land(&f, 10 * flight + i, 10 * flight + i + 1, now, 100000);
            assert_int_equal(s.delivered, 10 * MSS);
            assert_int_equal(s.interval_ns, (flight == 1 ? 100 + (uint64_t)i * 10 : 100) * NS_PER_MS);
            if (flight == 2) assert_int_equal(s.rate, 100000);
            fly(&f, 10 * flight + 10 + i, now);
        }
    }
}

/* The longer of the two intervals counts: ACKs that come in a burst do not make the path faster than what was sent (here 10 segments in 90 ms),
 * and sending in a burst does not, either (above). */
static void compressed_acks(void **state) {
    (void)state;
    struct flight f = {0};
    for (int i = 0; i < 10; i++) fly(&f, i, (100 + (uint64_t)i * 10) * NS_PER_MS);
    struct rate_sample s = land(&f, 0, 10, 195 * NS_PER_MS, 5000);
    assert_int_equal(s.delivered, 10 * MSS);
    assert_int_equal(s.interval_ns,
                     95 * NS_PER_MS); /* since the flight began to leave, when the clock of deliveries began, too */
    assert_int_equal(s.rate, 105263);
    assert_int_equal(s.newly_delivered, 10 * MSS);
}

/* After a pause the flight begins anew; without that the pause would count as slow delivery. */
static void pauses_do_not_count(void **state) {
    (void)state;
    struct flight f = {0};
    fly(&f, 0, 0 * NS_PER_MS);
    land(&f, 0, 1, 100 * NS_PER_MS, 0);
    fly(&f, 1, 5000 * NS_PER_MS);
    struct rate_sample s = land(&f, 1, 2, 5100 * NS_PER_MS, 0);
    assert_int_equal(s.interval_ns, 100 * NS_PER_MS);
    assert_int_equal(s.rate, 10000);
}

/* What left while the application had no more says so, until all of it has been delivered. */
static void application_limited(void **state) {
    (void)state;
    struct flight f = {0};
    for (int i = 0; i < 3; i++) fly(&f, i, 100 * NS_PER_MS);
    rate_app_limit(&f.r, f.in_flight);
    fly(&f, 3, 150 * NS_PER_MS);
    for (int i = 0; i < 3; i++) assert_false(land(&f, i, i + 1, 200 * NS_PER_MS, 0).app_limited);
    fly(&f, 4,
        200 *
            NS_PER_MS); /* the bubble is not yet through: 3,000 bytes were to be delivered, and more than they must be */
    assert_true(land(&f, 3, 4, 250 * NS_PER_MS, 0).app_limited);
    fly(&f, 5, 250 * NS_PER_MS);
    assert_true(land(&f, 4, 5, 300 * NS_PER_MS, 0).app_limited);
    assert_false(land(&f, 5, 6, 350 * NS_PER_MS, 0).app_limited);
}

/* The sample is that of the newest record; an interval that is shorter than any RTT says nothing. */
static void which_samples_count(void **state) {
    (void)state;
    struct flight f = {0};
    fly(&f, 0, 100 * NS_PER_MS);
    fly(&f, 1, 120 * NS_PER_MS);
    struct rate_sample s;
    rate_begin(&f.r, &s);
    rate_delivered(&f.r, &s, &f.mark[1], f.sent_at[1], 2 * MSS, MSS, false, 200 * NS_PER_MS);
    rate_delivered(&f.r, &s, &f.mark[0], f.sent_at[0], MSS, MSS, true, 200 * NS_PER_MS);
    rate_take(&f.r, &s, 101000);
    assert_int_equal(s.sent_at, 120 * NS_PER_MS);
    assert_int_equal(s.in_flight, 2 * MSS);
    assert_false(s.again);
    assert_int_equal(s.interval_ns, 0);
    assert_int_equal(s.rate, 0);
    assert_int_equal(s.delivered, 2 * MSS); /* known all the same */
    rate_begin(&f.r, &s);
    rate_take(&f.r, &s, 0); /* an ACK that delivers nothing */
    assert_int_equal(s.rate, 0);
    assert_int_equal(s.sent_at, 0);
}

/* What was found lost since a record left. */
static void losses(void **state) {
    (void)state;
    struct flight f = {0};
    struct rate_sample s;
    fly(&f, 0, 100 * NS_PER_MS);
    rate_begin(&f.r, &s);
    rate_lost(&f.r, 300);
    rate_take(&f.r, &s, 0);
    assert_int_equal(s.newly_lost, 300);
    fly(&f, 1, 120 * NS_PER_MS);
    rate_lost(&f.r, 500);
    assert_int_equal(land(&f, 0, 1, 200 * NS_PER_MS, 0).lost, 800);
    assert_int_equal(land(&f, 1, 2, 220 * NS_PER_MS, 0).lost, 500);
}

/* Counts in marks wrap at 2^32. */
static void counts_wrap(void **state) {
    (void)state;
    struct flight f = {.r = {.delivered = UINT32_MAX - 1500, .lost = UINT32_MAX - 1}};
    for (int i = 0; i < 3; i++) fly(&f, i, 100 * NS_PER_MS);
    struct rate_sample s;
    rate_lost(&f.r, 100);
    land(&f, 0, 1, 200 * NS_PER_MS, 0);
    fly(&f, 3, 200 * NS_PER_MS);
    s = land(&f, 1, 4, 300 * NS_PER_MS, 0);
    assert_int_equal(s.prior_delivered, (uint64_t)UINT32_MAX - 500);
    assert_int_equal(s.delivered, 3 * MSS);
    assert_int_equal(s.lost, 0);
    assert_int_equal(f.r.delivered, (uint64_t)UINT32_MAX - 1500 + 4 * MSS);
}

/* Very fast and very slow paths stay within the arithmetic. */
static void extremes(void **state) {
    (void)state;
    struct flight f = {0};
    struct rate_sample s;
    rate_sent(&f.r, &f.mark[0], 0, UINT32_C(1) << 31, 100);
    rate_begin(&f.r, &s);
    rate_delivered(&f.r, &s, &f.mark[0], 100, 1, UINT32_C(1) << 31, false, 1100);
    rate_take(&f.r, &s, 0);
    assert_int_equal(s.rate, (UINT64_C(1) << 31) * 1000000); /* 2^31 bytes in a microsecond */
    rate_sent(&f.r, &f.mark[0], 0, 1000, 0);
    rate_begin(&f.r, &s);
    rate_delivered(&f.r, &s, &f.mark[0], 0, 1, 1000, false, 3600 * NS_PER_S);
    rate_take(&f.r, &s, 0);
    assert_int_equal(s.interval_ns, 3600 * NS_PER_S);
    assert_int_equal(s.rate, 0); /* less than a byte a second */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_sets_the_pace),
        cmocka_unit_test(compressed_acks),
        cmocka_unit_test(pauses_do_not_count),
        cmocka_unit_test(application_limited),
        cmocka_unit_test(which_samples_count),
        cmocka_unit_test(losses),
        cmocka_unit_test(counts_wrap),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
