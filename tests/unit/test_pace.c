/* The pace lets what congestion control and PAWS allow pass, and names what they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/pace.h"

#define A_ISS UINT32_MAX /* so that A's numbers wrap */
#define B_ISS 5000u
#define MSS   1000u
#define DATA  BK_REASON_SEND_DATA
#define RTO   BK_REASON_SEND_RTO
#define SYN   WIRE_SYN
#define ACK   WIRE_ACK

struct step {
    unsigned from;
    uint8_t flags;
    uint32_t seq, ack; /* relative to the ISS of each */
    uint32_t length;
    uint16_t reason;
    uint64_t at;
    uint32_t tsval;    /* 0: none */
    bool lost;         /* it does not arrive */
    const char *fault; /* what the pace says; NULL: nothing */
};

static bool step(struct watch *w, struct pace *p, const struct step *s, bool punctual, struct fault *fault) {
    uint32_t own = s->from == 0 ? A_ISS : B_ISS, other = s->from == 0 ? B_ISS : A_ISS;
    struct wire_tcp t = {.seq = own + s->seq, .flags = s->flags, .window = 65535};
    if (s->flags & ACK) t.ack = other + s->ack;
    if (s->flags & SYN) t.option.mss = MSS;
    t.option.has_timestamps = s->tsval != 0;
    t.option.tsval = s->tsval;
    assert_true(watch_sent(w, s->from, &t, s->length, s->reason, fault));
    if (!pace_sent(p, w, s->from, &t, s->length, s->reason, s->at, punctual, fault)) return false;
    if (s->lost) return true;
    watch_arrived(w, !s->from, &t, s->length);
    pace_arrived(p, w, !s->from, &t);
    return pace_accepted(p, w, !s->from, &t, fault);
}

static void play(bool punctual, const struct step *steps) {
    struct watch w;
    struct pace p;
    watch_init(&w);
    pace_init(&p);
    for (const struct step *s = steps; s->flags != 0; s++) {
        struct fault fault = {0};
        bool good = step(&w, &p, s, punctual, &fault);
        if (s->fault == NULL && !good) fail_msg("step %d: %s", (int)(s - steps), fault.text);
        if (s->fault == NULL) continue;
        assert_false(good);
        assert_string_equal(fault.text, s->fault);
        return;
    }
}

#define OPEN                                                                                                           \
    {.from = 0, SYN}, {.from = 1, SYN | ACK, 0, 1}, {                                                                  \
        .from = 0, ACK, 1, 1                                                                                           \
    }
#define PLAY(...) play(true, (const struct step[]){OPEN, __VA_ARGS__, {0}})

/* RFC 6928: 10 segments of 1,000 octets. */
static void initial_window(void **state) {
    (void)state;
    PLAY({.from = 0, ACK, 1, 1, 10000, DATA}, {.from = 1, ACK, 1, 10001}, {.from = 0, ACK, 10001, 1, 20000, DATA});
    PLAY({.from = 0, ACK, 1, 1, 10000, DATA},
         {.from = 0,
          ACK,
          10001,
          1,
          1,
          DATA,
          .fault = "A sends up to 10001 before anything came in answer, and the initial window is 10000"});
    /* A tail loss probe may go beyond it, by one segment (RFC 8985 7.3). */
    PLAY({.from = 0, ACK, 1, 1, 10000, DATA}, {.from = 0, ACK, 10001, 1, 1000, BK_REASON_SEND_TAIL_PROBE},
         {.from = 0,
          ACK,
          11001,
          1,
          1,
          DATA,
          .fault = "A sends up to 11001 before anything came in answer, and the initial window is 11000"});
    /* A duplicate ACK that had come before lets two go by limited transmit (RFC 3042). */
    PLAY({.from = 1, ACK, 1, 1}, {.from = 0, ACK, 1, 1, 10000, DATA},
         {.from = 0, ACK, 10001, 1, 2000, BK_REASON_SEND_LIMITED_TRANSMIT},
         {.from = 0,
          ACK,
          12001,
          1,
          1,
          DATA,
          .fault = "A sends up to 12001 before anything came in answer, and the initial window is 12000"});
}

/* RFC 5681 3.1: the loss window is one segment. What an ACK lets go has the same reason as what the timer sends. */
static void after_a_timeout(void **state) {
    (void)state;
    PLAY({.from = 0, ACK, 1, 1, 4000, DATA, .lost = true}, {.from = 0, ACK, 1, 1, 600, RTO, 5, .lost = true},
         {.from = 0, ACK, 601, 1, 400, RTO, 5, .lost = true}, {.from = 0, ACK, 1, 1, 1000, RTO, 9},
         {.from = 1, ACK, 1, 1001, .at = 10}, {.from = 0, ACK, 1001, 1, 2000, RTO, 10});
    PLAY({.from = 0, ACK, 1, 1, 4000, DATA, .lost = true}, {.from = 0, ACK, 1, 1, 1000, RTO, 5, .lost = true},
         {.from = 0,
          ACK,
          1001,
          1,
          1,
          RTO,
          5,
          .fault = "A sends 1001 after a retransmission timeout, from which on nothing has come"});
    /* A short first segment goes again, and what was sent a moment ago is no loss yet: new data takes the rest of the segment's worth, wherever it
     * lies. */
    PLAY({.from = 0, ACK, 1, 1, 100, DATA, .lost = true}, {.from = 0, ACK, 101, 1, 3000, DATA, 4, .lost = true},
         {.from = 0, ACK, 1, 1, 100, RTO, 5, .lost = true}, {.from = 0, ACK, 3101, 1, 900, DATA, 6, .lost = true},
         {.from = 0,
          ACK,
          4001,
          1,
          1,
          DATA,
          7,
          .fault = "A sends 1001 after a retransmission timeout, from which on nothing has come"});
}

/* One burst may leave a device that is late at several moments. */
static void late_devices(void **state) {
    (void)state;
    play(false, (const struct step[]){OPEN,
                                      {.from = 0, ACK, 1, 1, 4000, DATA, .lost = true},
                                      {.from = 0, ACK, 1, 1, 1000, RTO, 5},
                                      {.from = 0, ACK, 1001, 1, 1000, RTO, 6},
                                      {0}});
}

static void smaller_segments(void **state) {
    (void)state;
    PLAY({.from = 0, ACK, 1, 1, 4000, DATA, .lost = true}, {.from = 0, ACK, 1, 1, 1000, RTO, 5, .lost = true},
         {.from = 0, ACK, 1, 1, 500, BK_REASON_SEND_SMALLER, 6},
         {.from = 0, ACK, 501, 1, 3500, BK_REASON_SEND_SMALLER, 6});
}

/* RFC 7323 5.3; TS.Recent goes by what begins at or before the last ACK that was sent (4.3). */
static void old_timestamps(void **state) {
    (void)state;
    PLAY({.from = 1, ACK, 1, 1, .tsval = 7}, {.from = 0, ACK, 1, 1, 10, DATA, .tsval = 70},
         {.from = 1, ACK, 1, 11, .tsval = 8}, {.from = 0, ACK, 11, 1, 10, DATA, .tsval = 70},
         {.from = 0, ACK, 21, 1, 10, DATA, .tsval = 90}, {.from = 0, ACK, 11, 1, 10, DATA, .tsval = 80});
    PLAY({.from = 0, ACK, 1, 1, 10, DATA, .tsval = 70}, {.from = 1, ACK, 1, 11, .tsval = 8},
         {.from = 0, ACK, 11, 1, 10, DATA, .tsval = 75},
         {.from = 0, ACK, 21, 1, 10, DATA, .tsval = 74, .fault = "B takes timestamp 74 after 75"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_window),   cmocka_unit_test(after_a_timeout), cmocka_unit_test(late_devices),
        cmocka_unit_test(smaller_segments), cmocka_unit_test(old_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
