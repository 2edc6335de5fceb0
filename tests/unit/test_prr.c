/* Shows proportional rate reduction beside worked arithmetic of RFC 9937 6 (RFC 6937 3), with segments of 1,000 bytes. */
#include "core.h"

#include "tcp/prr.h"

#define MSS 1000u

struct row {
    uint32_t flight, ssthresh;           /* RecoverFS, ssthresh */
    uint32_t before, out;                /* prr_delivered and prr_out before the ACK */
    uint32_t delivered, in_flight, safe; /* DeliveredData, inflight, SafeACK */
    uint32_t send;                       /* SndCnt */
};

static void check(const struct row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct prr p;
        prr_begin(&p, r->flight);
        p.delivered = r->before;
        prr_sent(&p, r->out);
        uint32_t window = prr_window(&p, r->delivered, r->in_flight, r->ssthresh, MSS, r->safe != 0);
        if (window - r->in_flight != r->send)
            fail_msg("row %zu: SndCnt is %u, not %u", i, window - r->in_flight, r->send);
        assert_int_equal(p.delivered, r->before + r->delivered);
        assert_int_equal(p.out, r->out); /* counted when it leaves, not when it may */
    }
}

/* inflight > ssthresh: SndCnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out, in whole segments. SafeACK plays no part. */
static void in_proportion(void **state) {
    (void)state;
    static const struct row rows[] = {
        {10000, 5000, 1000, 1000, 1000, 7000, 0, 0},    /* 2,000 / 2 = 1,000 have left */
        {10000, 5000, 2000, 1000, 1000, 6000, 0, 1000}, /* 3,000 / 2 - 1,000 = 500: a segment */
        {10000, 5000, 2000, 1000, 1000, 6000, 1, 1000}, /* the same */
        {10000, 7000, 3000, 2000, 1000, 8000, 0, 1000}, /* 4,000 * 0.7 - 2,000 = 800 */
        {10000, 7000, 4000, 3000, 0, 8000, 0, 0},       /* 2,800 - 3,000: nothing, and no debt */
        {10000, 7000, 0, 1000, 5000, 8000, 0, 3000},    /* an ACK of five segments: 3,500 - 1,000 = 2,500 */
        {3000, 2000, 1, 1, 1, 2500, 0, 1000},           /* CEIL(2 * 2,000 / 3,000) = 2 */
        {3000000000u, 2000000000u, 1500000000u, 999990000u, 0, 2100000000u, 0, 10000}, /* 64 bits: 1e9 are due */
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

/* inflight <= ssthresh: SndCnt = MAX(prr_delivered - prr_out, DeliveredData), and a segment more with SafeACK (PRR-SSRB; without: PRR-CRB), but not
 * beyond ssthresh. */
static void reduction_bound(void **state) {
    (void)state;
    static const struct row rows[] = {
        {20000, 10000, 4000, 4000, 1000, 5000, 0, 1000}, /* conservation: as much as was delivered */
        {20000, 10000, 4000, 4000, 1000, 5000, 1, 2000}, /* slow start */
        {20000, 10000, 6000, 4000, 1000, 5000, 0, 3000}, /* what had not left before */
        {20000, 10000, 4000, 9000, 1000, 5000, 0, 1000}, /* more had left than was delivered: DeliveredData */
        {20000, 10000, 4000, 4000, 0, 5000, 0, 0},       /* nothing delivered, nothing leaves */
        {20000, 10000, 4000, 4000, 0, 5000, 1, 1000},    /* SafeACK alone */
        {20000, 10000, 9000, 2000, 1000, 8000, 1, 2000}, /* 9,000 would be due: up to ssthresh */
        {20000, 10000, 9000, 2000, 1000, 10000, 1, 0},   /* ssthresh is in flight */
        {20000, 10000, 9000, 2000, 1000, 9500, 0, 1000}, /* 500, which is a segment */
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

/* "Force a fast retransmit upon entering recovery": prr_out is nothing yet. */
static void the_first_retransmission(void **state) {
    (void)state;
    static const struct row rows[] = {
        {10000, 5000, 0, 0, 0, 9000, 0, 1000},
        {10000, 5000, 0, 0, 0, 5000, 0, 1000},
        {10000, 5000, 0, 0, 0, 0, 0, 1000},
        {10000, 5000, 0, 0, 3000, 6000, 0, 2000}, /* 1,500: the formula gives more */
        {10000, 5000, 0, 1000, 0, 9000, 0, 0},    /* it has left */
    };
    check(rows, sizeof rows / sizeof rows[0]);
    struct prr p;
    prr_begin(&p, 0); /* a flight of which nothing is left */
    assert_int_equal(prr_window(&p, 1000, 0, 2000, MSS, false), 1000);
    prr_begin(&p, 1000);
    p.out = 1;
    assert_int_equal(prr_window(&p, UINT32_MAX / 2, UINT32_MAX - 10, UINT32_MAX - 11, MSS, false), UINT32_MAX);
}

/* A recovery: of `flight` segments the first `lost` are lost, the others arrive and draw an ACK each; then what was sent meanwhile does, SafeACKs all. */
struct course {
    struct prr p;
    uint32_t pipe, ssthresh, most, silent;
};

static uint32_t course_ack(struct course *c, bool safe) {
    c->pipe -= MSS;
    uint32_t window = prr_window(&c->p, MSS, c->pipe, c->ssthresh, MSS, safe), sent = 0;
    for (; c->pipe + MSS <= window; sent++) {
        c->pipe += MSS;
        prr_sent(&c->p, MSS);
    }
    c->most = u32_max(c->most, sent);
    c->silent = sent == 0 ? c->silent + 1 : 0;
    return sent;
}

/* Few losses: when all that was in flight has drawn its ACK, ssthresh is in flight, and what left was spread evenly. */
static void ends_with_ssthresh_in_flight(void **state) {
    (void)state;
    for (uint32_t flight = 4; flight <= 200; flight += 7)
        for (uint32_t share = 5; share <= 9; share++) /* ssthresh in tenths of the flight */
            for (uint32_t lost = 1; lost <= flight; lost += 3) {
                struct course c = {.pipe = (flight - lost) * MSS, .ssthresh = flight * share / 10 * MSS};
                if (c.ssthresh < 2 * MSS || c.pipe < c.ssthresh) continue;
                prr_begin(&c.p, flight * MSS);
                for (uint32_t i = 0; i < flight - lost; i++) {
                    course_ack(&c, false);
                    /* One leaves for so many ACKs; the one with which ssthresh is reached may add a pause. */
                    assert_true(c.silent <= (flight * MSS + c.ssthresh - 1) / c.ssthresh);
                }
                assert_int_equal(c.pipe, c.ssthresh);
                assert_true(c.most <= 2);
                for (uint32_t i = 0; i < 3 * flight; i++) { /* and stays */
                    course_ack(&c, true);
                    assert_int_equal(c.pipe, c.ssthresh);
                }
            }
}

/* Many losses: nothing more than was delivered leaves while the ACKs tell nothing good, and then one segment more for each. */
static void many_losses(void **state) {
    (void)state;
    struct course c = {.pipe = 4 * MSS, .ssthresh = 10 * MSS};
    prr_begin(&c.p, 20 * MSS);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(course_ack(&c, false), 1);
        assert_int_equal(c.pipe, 4 * MSS);
    }
    for (uint32_t i = 1; i <= 6; i++) {
        assert_int_equal(course_ack(&c, true), 2);
        assert_int_equal(c.pipe, (4 + i) * MSS);
    }
    assert_int_equal(course_ack(&c, true), 1);
    assert_int_equal(c.pipe, 10 * MSS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_proportion),
        cmocka_unit_test(reduction_bound),
        cmocka_unit_test(the_first_retransmission),
        cmocka_unit_test(ends_with_ssthresh_in_flight),
        cmocka_unit_test(many_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
