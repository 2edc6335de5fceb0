/* The watch lets what RFC 9293 allows pass, and names each thing that an end may not do on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/watch.h"

#define A_ISS (UINT32_MAX - 1) /* so that A's numbers wrap */
#define B_ISS 5000u
#define PROBE BK_REASON_SEND_WINDOW_PROBE
#define DATA  BK_REASON_SEND_DATA

struct step {
    unsigned from;
    uint8_t flags;
    uint32_t seq, ack; /* relative to the ISS of each */
    uint16_t window;
    uint32_t length;
    uint16_t reason;
    bool lost;         /* it does not arrive */
    const char *fault; /* what the watch says; NULL: nothing */
};

static struct wire_tcp segment(const struct step *s) {
    uint32_t own = s->from == 0 ? A_ISS : B_ISS, other = s->from == 0 ? B_ISS : A_ISS;
    struct wire_tcp t = {.seq = own + s->seq, .flags = s->flags, .window = s->window};
    if (s->flags & WIRE_ACK) t.ack = other + s->ack;
    if (s->flags & WIRE_SYN) {
        t.option.has_wscale = true;
        t.option.wscale = s->from == 0 ? 2 : 0; /* A's windows are in units of 4 */
    }
    return t;
}

static void play(const struct step *steps) {
    struct watch w;
    watch_init(&w);
    for (const struct step *s = steps; s->flags != 0; s++) {
        struct fault fault = {0};
        struct wire_tcp t = segment(s);
        bool good = watch_sent(&w, s->from, &t, s->length, s->reason, &fault);
        if (s->fault == NULL && !good) fail_msg("step %d: %s", (int)(s - steps), fault.text);
        if (s->fault != NULL) {
            assert_false(good);
            assert_string_equal(fault.text, s->fault);
            return;
        }
        if (!s->lost) watch_arrived(&w, !s->from, &t, s->length);
    }
}

#define SYN WIRE_SYN
#define ACK WIRE_ACK
#define FIN WIRE_FIN
#define RST WIRE_RST
#define OPEN                                                                                                           \
    {0, SYN, 0, 0, 1000, 0, 0, false, NULL}, {1, SYN | ACK, 0, 1, 1000, 0, 0, false, NULL}, {                          \
        0, ACK, 1, 1, 250, 0, 0, false, NULL                                                                           \
    }
#define END                                                                                                            \
    { 0 }
#define PLAY(...) play((const struct step[]){OPEN, __VA_ARGS__, END})

static void a_life(void **state) {
    (void)state;
    PLAY({.from = 0, ACK, 1, 1, 250, 1000}, /* all of B's window */
         {.from = 1, ACK, 1, 1001, 0}, {.from = 0, ACK, 1001, 1, 250, 1, PROBE}, {.from = 1, ACK, 1, 1001, 0},
         {.from = 0, ACK, 1001, 1, 250, 1, PROBE}, {.from = 1, ACK, 1, 1001, 500}, {.from = 0, ACK, 1002, 1, 250, 499},
         {.from = 0, ACK, 1001, 1, 250, 500}, /* again, larger */
         {.from = 1, FIN | ACK, 1, 1501, 500, 300}, {.from = 0, ACK, 1501, 302, 175},
         {.from = 0, FIN | ACK, 1501, 302, 175}, {.from = 0, FIN | ACK, 1501, 302, 175},
         {.from = 1, ACK, 302, 1502, 499}, {.from = 0, RST | ACK, 7777, 302, 0});
}

static void beyond_the_window(void **state) {
    (void)state;
    PLAY({.from = 0, ACK, 1, 1, 250, 1001, DATA, false, "A sends up to 1002, the window it knows ends at 1001"});
    PLAY({.from = 0, ACK, 1, 1, 250, 1000}, {.from = 1, ACK, 1, 1001, 100, 0, 0, true, NULL}, /* which A never hears */
         {.from = 0, ACK, 1001, 1, 250, 100, DATA, false, "A sends up to 1101, the window it knows ends at 1001"});
    PLAY({.from = 0, ACK, 1, 1, 250, 1000},
         {.from = 0, ACK, 1001, 1, 250, 2, PROBE, false, "A sends up to 1003, the window it knows ends at 1001"});
    /* In a SYN, a window is never scaled; after it, A's are. */
    PLAY({.from = 1, ACK, 1, 1, 1000, 1000}, {.from = 0, ACK, 1, 1001, 300}, {.from = 1, ACK, 1001, 1, 1000, 1200},
         {.from = 1, ACK, 2201, 1, 1000, 1, DATA, false, "B sends up to 2202, the window it knows ends at 2201"});
}

static void window_taken_back(void **state) {
    (void)state;
    PLAY({.from = 1, ACK, 1, 1, 999, 0, DATA, false, "B takes its window back: right edge 1000 after 1001"});
    /* By less than the unit of its scale an edge may seem to move (RFC 7323 2.4). */
    PLAY({.from = 1, ACK, 1, 1, 1000, 3}, {.from = 0, ACK, 1, 4, 249, 0, DATA, false, NULL},
         {.from = 0, ACK, 1, 4, 248, 0, DATA, false, "A takes its window back: right edge 996 after 1001"});
}

static void acknowledgments(void **state) {
    (void)state;
    PLAY({.from = 1, ACK, 1, 2, 1000, 0, DATA, false, "B acknowledges 2, which was never sent"});
    PLAY({.from = 0, ACK, 1, 1, 250, 10}, {.from = 1, ACK, 1, 11, 990},
         {.from = 1, ACK, 1, 10, 991, 0, DATA, false, "B acknowledges 10 after 11"});
}

static void numbers(void **state) {
    (void)state;
    PLAY({.from = 0, ACK, 2, 1, 250, 1, DATA, false, "A sends 2 beyond a gap: what lies between was never sent"});
    PLAY({.from = 0, FIN | ACK, 1, 1, 250}, {.from = 0, ACK, 1, 1, 250, 1, DATA, false, "A sends data beyond its FIN"});
    PLAY({.from = 0, FIN | ACK, 1, 1, 250, 5},
         {.from = 0, FIN | ACK, 1, 1, 250, 4, DATA, false, "A's FIN has number 5, and had 6"});
    PLAY({.from = 0, ACK, 1, 1, 250, 5},
         {.from = 0, FIN | ACK, 1, 1, 250, 3, DATA, false, "A's FIN lies before data that was sent"});
    play((const struct step[]){{.from = 0, ACK, 1, 1, 250, 0, DATA, false, "A sends before its SYN"}, END});
}

/* A sends octets 1 to 60, of which 21 to 40 arrive; then, if `again`, so do 1 to 20. B tells of [a, b), and of [c, d) unless d is 0. */
static void told(bool again, uint32_t ack, uint32_t a, uint32_t b, uint32_t c, uint32_t d, const char *says) {
    static const struct step before[] = {
        {0, SYN, 0, 0, 1000, 0, 0, false, NULL},    {1, SYN | ACK, 0, 1, 1000, 0, 0, false, NULL},
        {0, ACK, 1, 1, 250, 20, DATA, true, NULL},  {0, ACK, 21, 1, 250, 20, DATA, false, NULL},
        {0, ACK, 41, 1, 250, 20, DATA, true, NULL}, {0, ACK, 1, 1, 250, 20, DATA, false, NULL}};
    struct watch w;
    struct fault fault = {0};
    watch_init(&w);
    for (size_t i = 0; i < (again ? 6 : 5); i++) {
        struct wire_tcp t = segment(&before[i]);
        assert_true(watch_sent(&w, before[i].from, &t, before[i].length, before[i].reason, &fault));
        if (!before[i].lost) watch_arrived(&w, !before[i].from, &t, before[i].length);
    }
    const struct step s = {1, ACK, 1, ack, 1000, 0, DATA, false, NULL};
    struct wire_tcp t = segment(&s);
    t.option.sack_count = d == 0 ? 1 : 2;
    t.option.sack[0] = (struct wire_sack_block){A_ISS + a, A_ISS + b};
    t.option.sack[1] = (struct wire_sack_block){A_ISS + c, A_ISS + d};
    assert_int_equal(watch_sent(&w, 1, &t, 0, DATA, &fault), says == NULL);
    if (says != NULL) assert_string_equal(fault.text, says);
}

static void sack_blocks(void **state) {
    (void)state;
    told(false, 1, 21, 41, 0, 0, NULL);
    told(false, 1, 21, 42, 0, 0, "B reports octets that have not arrived");
    told(false, 1, 21, 21, 0, 0, "B sends an empty SACK block");
    told(false, 1, 31, 41, 21, 31, "B sends SACK blocks that touch");
    told(false, 1, 31, 41, 21, 41, NULL); /* the first came twice */
    told(true, 41, 1, 21, 0, 0, NULL);
    told(true, 21, 1, 21, 21, 41, "B reports octets that it acknowledges");
}

/* Until it is acknowledged a SYN-ACK's number may change: a cookie, or a request forgotten. Afterwards the watch ends. */
static void new_iss(void **state) {
    (void)state;
    play((const struct step[]){
        {.from = 0, SYN, 0, 0, 1000},
        {.from = 1, SYN | ACK, 0, 1, 1000, 0, 0, true, NULL},
        {.from = 1, SYN | ACK, 700, 1, 1000},
        {.from = 0, ACK, 1, 701, 250, 1000},
        {.from = 0, ACK, 1001, 701, 250, 1, DATA, false, "A sends up to 1002, the window it knows ends at 1001"},
        END});
    PLAY({.from = 1, SYN | ACK, 700, 1, 1000}, {.from = 0, ACK, 9999, 9999, 250, 9});
    PLAY({.from = 0, SYN, 9000, 0, 1000}, {.from = 0, ACK, 9999, 9999, 250, 9});
}

static void simultaneous_open(void **state) {
    (void)state;
    play((const struct step[]){
        {.from = 0, SYN, 0, 0, 100, 0, 0, true, NULL},
        {.from = 1, SYN, 0, 0, 200},
        {.from = 0, SYN | ACK, 0, 1, 100},
        {.from = 1, SYN | ACK, 0, 1, 200},
        {.from = 0, ACK, 1, 1, 25, 200},
        {.from = 1, ACK, 1, 201, 0, 100},
        {.from = 1, ACK, 101, 201, 0, 1, DATA, false, "B sends up to 102, the window it knows ends at 101"},
        END});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life),          cmocka_unit_test(beyond_the_window), cmocka_unit_test(window_taken_back),
        cmocka_unit_test(acknowledgments), cmocka_unit_test(numbers),           cmocka_unit_test(sack_blocks),
        cmocka_unit_test(new_iss),         cmocka_unit_test(simultaneous_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
