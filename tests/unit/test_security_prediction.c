/* Shows that what an attacker would have to predict cannot be told from chance: initial sequence numbers over a
 * million samples (RFC 6528), ephemeral ports (RFC 6056) and the identification of fragments (RFC 7739, RFC 6864);
 * and what of it the wire never shows. */
#include "net_fixture.h"

#include "tcp/isn.h"
#include "tcp/tcp.h"

static int compare_u32(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Pairs of equal neighbours after sorting. */
static uint32_t equal_pairs(uint32_t *v, uint32_t n) {
    uint32_t equal = 0;
    qsort(v, n, sizeof *v, compare_u32);
    for (uint32_t i = 1; i < n; i++) equal += v[i] == v[i - 1];
    return equal;
}

#define SAMPLES 1000000u

/* What looks random to all of these: bits are set half the time (500,000, five standard deviations are 2,500); top,
 * middle and low bytes are even (chi-square of 255 degrees of freedom: 255, five standard deviations are 113); and as
 * many values are equal as chance has it (n * n / 2^33 = 116, five standard deviations are 54). */
static void assert_random(uint32_t *v, const char *what) {
    uint32_t bit[32] = {0}, byte[3][256] = {{0}};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        for (uint32_t b = 0; b < 32; b++) bit[b] += v[i] >> b & 1;
        byte[0][v[i] >> 24]++;
        byte[1][v[i] >> 12 & 255]++;
        byte[2][v[i] & 255]++;
    }
    for (uint32_t b = 0; b < 32; b++)
        if (bit[b] < 500000 - 2500 || bit[b] > 500000 + 2500) fail_msg("%s: bit %u is set %u times", what, b, bit[b]);
    for (uint32_t k = 0; k < 3; k++) {
        double chi = 0, expected = SAMPLES / 256.0;
        for (uint32_t i = 0; i < 256; i++) chi += (byte[k][i] - expected) * (byte[k][i] - expected) / expected;
        if (chi > 255 + 113 || chi < 255 - 113) fail_msg("%s: chi-square of byte %u is %f", what, k, chi);
    }
    uint32_t equal = equal_pairs(v, SAMPLES);
    if (equal < 116 - 54 || equal > 116 + 54) fail_msg("%s: %u values are equal", what, equal);
}

/* An attacker opens a million connections of his own, from one address and from many, at known times, and looks at
 * the numbers, at the differences of one to the next (what the clock adds taken off) and at those between them:
 * nothing of it says where another's connection begins. */
static void a_million_sequence_numbers(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.layer3 = true});
    struct tcp *t = w->region;
    uint32_t *isn = malloc(SAMPLES * sizeof *isn), *v = malloc(SAMPLES * sizeof *v);
    assert_non_null(isn);
    assert_non_null(v);
    for (int many = 0; many < 2; many++) {
        struct tuple tuple = {ip("192.0.2.1"), ip("10.0.0.1"), 80, 0};
        for (uint32_t i = 0; i < SAMPLES; i++) {
            tuple.remote_port = (uint16_t)(1024 + i % 60000);
            tuple.remote.byte[many ? 15 : 14] = (uint8_t)(i / 60000);
            if (many) tuple.remote.byte[13] = (uint8_t)i;
            base_now(&t->base, w->now + (uint64_t)i * 1000);
            isn[i] = isn_make(t, &tuple).number;
        }
        memcpy(v, isn, SAMPLES * sizeof *v);
        assert_random(v, "numbers");
        for (uint32_t i = 0; i < SAMPLES; i++) v[i] = isn[i] - isn[(i + 1) % SAMPLES];
        assert_random(v, "differences");
        for (uint32_t i = 0; i < SAMPLES; i++) v[i] = isn[i] - 2 * isn[(i + 1) % SAMPLES] + isn[(i + 2) % SAMPLES];
        assert_random(v, "second differences");
        for (uint32_t i = 0; i < SAMPLES; i++) v[i] = isn[i] ^ isn[(i + 60000) % SAMPLES];
        assert_random(v, "the same port from elsewhere");
        w->now = t->base.now;
    }
    free(isn);
    free(v);
    world_close(w);
}

/* Who sees the ports of connections to himself does not see those to another: the distance between two destinations'
 * sequences is another for each pair, and of another stack or seed. RFC 6056 3.3.4. */
static void ports_to_others(void **state) {
    (void)state;
    enum { PAIRS = 2000 };
    struct world *w = world_open(&(struct world_options){.layer3 = true});
    struct tcp *t = w->region;
    uint32_t range = t->base.config.ephemeral_last - t->base.config.ephemeral_first + 1u, near = 0, repeated;
    uint32_t distance[PAIRS];
    for (uint32_t i = 0; i < PAIRS; i++) {
        struct tuple mine = {ip("192.0.2.1"), ip("10.0.0.1"), 0, 80}, other = {ip("192.0.2.1"), ip("10.1.0.1"), 0, 443};
        mine.remote.byte[15] = other.remote.byte[15] = (uint8_t)i;
        mine.remote.byte[14] = other.remote.byte[14] = (uint8_t)(i >> 8);
        uint32_t a = isn_port(t, &mine), b = isn_port(t, &other);
        distance[i] = (b + range - a) % range;
        near += distance[i] < 100 || distance[i] > range - 100;
    }
    repeated = equal_pairs(distance, PAIRS);
    /* By chance 2,000 * 2,000 / 2 / 28,232 = 71 distances are equal, and 2,000 * 200 / 28,232 = 14 are near. */
    assert_in_range(repeated, 30, 115);
    assert_in_range(near, 1, 35);
    world_close(w);
}

/* The identification of what we must fragment, an echo reply: every bit half the time (five standard deviations of
 * 2,000 are 112), equal differences no more than chance has it (2,000 * 2,000 / 2 / 65,536 = 31 in IPv4). Whole
 * packets carry none: see test_net_input, what_we_send_is_atomic. */
static void identification_of_fragments(void **state) {
    (void)state;
    enum { N = 2000 };
    static const char *const us[] = {"192.0.2.1", "2001:db8::1"}, *const peer[] = {"192.0.2.2", "2001:db8::2"};
    for (int k = 0; k < 2; k++) {
        struct world *w = world_open(&(struct world_options){.layer3 = true, .mtu = 1280});
        uint32_t bits = k == 0 ? 16 : 32, set[32] = {0}, before = 0, difference[N];
        forget(w);
        for (uint32_t i = 0; i < N; i++) {
            uint8_t m[1400] = {k == 0 ? WIRE_ICMP_ECHO : WIRE_ICMPV6_ECHO};
            struct line l = line(peer[k], us[k]);
            assert_reason(arrives_icmp(w, &l, m, sizeof m), ACCEPT_ECHO);
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_ECHO_REPLY));
            uint32_t id = k == 0 ? get_be16(s.ip + 4) : get_be32(s.payload + 4);
            for (uint32_t b = 0; b < bits; b++) set[b] += id >> b & 1;
            difference[i] = (id - before) & (k == 0 ? 0xffff : 0xffffffff);
            before = id;
            forget(w);
        }
        for (uint32_t b = 0; b < bits; b++) assert_in_range(set[b], N / 2 - 112, N / 2 + 112);
        assert_true(equal_pairs(difference, N) < (k == 0 ? 60 : 5));
        world_close(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_sequence_numbers),
        cmocka_unit_test(ports_to_others),
        cmocka_unit_test(identification_of_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
