/* Shows that a tally agrees with a stack that counts rightly, of all kinds of frames, and notices each counter that is one off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "lab/tally.h"
#include "net/net.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define PORT 80u

struct bench {
    bk_stack *stack;
    struct tally tally;
};

static bk_addr peer(void) {
    return bk_addr_ipv4(192, 0, 2, 2);
}

static void bench_up(struct bench *b) {
    static const uint8_t seed[32];
    struct bk_iface_config iface = {.layer = BK_LAYER_IP, .mtu = 1500};
    struct bk_config config;
    bk_addr ours = bk_addr_ipv4(192, 0, 2, 1);
    bk_config_tiny(&config);
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    memset(b, 0, sizeof *b);
    assert_int_equal(bk_create(aligned_alloc(4096, size), size, &config, seed, 1, &b->stack, NULL), 0);
    assert_int_equal(bk_iface_add(b->stack, &iface, 1), 0);
    assert_int_equal(bk_iface_address_add(b->stack, 0, &ours, 24, true, 1), 0);
}

static uint16_t arrives(struct bench *b, const uint8_t *frame, size_t length) {
    uint16_t reason = bk_input_copy(b->stack, 0, frame, length, 1);
    tally_in(&b->tally, BK_LAYER_IP, frame, length, reason);
    return reason;
}

/* A SYN for this port; `spoil` is added to its checksum. Cut to `length` bytes of TCP. */
static uint16_t syn_arrives(struct bench *b, uint16_t port, uint16_t spoil, uint16_t length) {
    uint8_t frame[40];
    bk_addr from = peer(), to = bk_addr_ipv4(192, 0, 2, 1);
    struct wire_ipv4 ip = {.header_length = 20,
                           .total_length = (uint16_t)(20 + length),
                           .ttl = 64,
                           .protocol = WIRE_TCP,
                           .src = from,
                           .dst = to};
    struct wire_tcp tcp = {.src_port = 1000, .dst_port = port, .seq = 7, .flags = WIRE_SYN, .window = 1000};
    size_t at = wire_ipv4_emit(frame, &ip);
    wire_tcp_emit(frame + at, &tcp);
    uint64_t sum = checksum_pseudo(&from, &to, WIRE_TCP, length);
    put_be16(frame + at + 16, (uint16_t)(checksum_finish(checksum_add(sum, frame + at, 20)) + spoil));
    return arrives(b, frame, at + length);
}

/* Lets all that waits leave. */
static void all_leaves(struct bench *b) {
    struct bk_tx unit;
    uint8_t frame[1500];
    while (bk_output(b->stack, 0, &unit, 1, 1) != 0) {
        for (uint32_t i = 0; i < bk_tx_count(&unit); i++) {
            size_t length = bk_tx_write(b->stack, &unit, i, frame, sizeof frame);
            tally_out(&b->tally, BK_LAYER_IP, frame, length, unit.reason, i == 0);
        }
        bk_output_done(b->stack, &unit.id, 1);
    }
}

static void assert_agrees(const struct bench *b) {
    struct fault fault = {0};
    if (!tally_agrees(&b->tally, b->stack, 0, &fault)) fail_msg("%s", fault.text);
}

static void assert_notices(const struct bench *b, uint64_t *counter, const char *words) {
    struct fault fault = {0};
    ++*counter;
    assert_false(tally_agrees(&b->tally, b->stack, 0, &fault));
    if (strstr(fault.text, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
    --*counter;
    assert_agrees(b);
}

/* Good and bad frames, each with the reason that it was made for. */
static void bench_traffic(struct bench *b) {
    struct bk_tcp_open to = {.remote = peer(), .remote_port = PORT};
    bk_conn c;
    uint8_t frame[40] = {0x60};
    assert_int_equal(syn_arrives(b, PORT, 0, 20), BK_REASON_ANSWER_RST_CLOSED);
    assert_int_equal(syn_arrives(b, PORT, 1, 20), BK_REASON_DROP_TCP_CHECKSUM);
    assert_int_equal(syn_arrives(b, PORT, 0, 10), BK_REASON_DROP_TCP_SHORT);
    assert_int_equal(syn_arrives(b, 0, 0, 20), BK_REASON_DROP_BAD_PORT);
    frame[6] = WIRE_TCP; /* the addresses are not ours: TCP does not see it */
    assert_int_equal(arrives(b, frame, 40), BK_REASON_DROP_BAD_SOURCE);
    assert_int_equal(arrives(b, (const uint8_t[]){0x45}, 1), BK_REASON_DROP_IP_SHORT);
    assert_int_equal(arrives(b, (const uint8_t[]){0x55}, 1), BK_REASON_DROP_IP_VERSION);
    assert_int_equal(bk_tcp_connect(b->stack, &to, 1, &c), 0);
}

static void test_agrees(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    assert_agrees(&b);
    bench_traffic(&b);
    assert_agrees(&b); /* a RST was built and waits */
    all_leaves(&b);
    assert_agrees(&b);
    assert_int_equal(b.tally.segments_in, 4);
    assert_int_equal(b.tally.segments_out, 2);
    assert_int_equal(b.tally.resets_out, 1);
    free(b.stack);
}

static void test_notices(void **state) {
    (void)state;
    struct bench b;
    bench_up(&b);
    bench_traffic(&b);
    all_leaves(&b);
    assert_notices(&b, &b.tally.segments_in, "tcpInSegs");
    assert_notices(&b, &b.tally.segments_out, "tcpOutSegs");
    assert_notices(&b, &b.tally.resets_out, "tcpOutRsts");
    assert_notices(&b, &b.tally.segments_again, "tcpRetransSegs");
    struct bk_tcp_mib *mib = &((struct net *)(void *)b.stack)->tcp.mib; /* the region begins with it */
    assert_notices(&b, &mib->passive_opens, "tcpPassiveOpens");
    assert_notices(&b, &mib->in_segs, "tcpInSegs");
    assert_int_equal(mib->active_opens--, 1);
    struct fault fault = {0};
    assert_false(tally_agrees(&b.tally, b.stack, 0, &fault));
    assert_non_null(strstr(fault.text, "tcpActiveOpens"));
    mib->active_opens++;
    assert_notices(&b, &b.tally.in[BK_REASON_DROP_TCP_CHECKSUM], "DROP_TCP_CHECKSUM was counted 1 times, and seen 2");
    assert_notices(&b, &b.tally.out[BK_REASON_SEND_SYN], "SEND_SYN was counted 1 times, and seen 2");
    assert_notices(&b, &b.tally.in[BK_REASON_SEND_SYN], "the other direction");
    assert_notices(&b, &b.tally.out[BK_REASON_ACCEPT_SYN], "the other direction");
    assert_notices(&b, &b.tally.in[BK_REASON_NOTE_RTO], "NOTE_RTO is the reason of a frame");
    free(b.stack);
}

/* A unit of three frames is one unit and three segments. */
static void test_units(void **state) {
    (void)state;
    static struct tally t;
    uint8_t frame[40] = {0};
    struct wire_ipv4 ip = {
        .header_length = 20, .total_length = 40, .ttl = 64, .protocol = WIRE_TCP, .src = peer(), .dst = peer()};
    struct wire_tcp tcp = {.src_port = 1, .dst_port = 2, .flags = WIRE_ACK};
    wire_tcp_emit(frame + wire_ipv4_emit(frame, &ip), &tcp);
    for (int i = 0; i < 3; i++) tally_out(&t, BK_LAYER_IP, frame, sizeof frame, BK_REASON_SEND_DATA, i == 0);
    assert_int_equal(t.out[BK_REASON_SEND_DATA], 1);
    assert_int_equal(t.segments_out, 3);
    assert_int_equal(t.resets_out, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
