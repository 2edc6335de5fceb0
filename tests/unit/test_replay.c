/* Shows that a capture is replayed into a stack at the distances in time at which it was recorded, and that files which do not fit
 * are refused with a reason. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "link/pcapng.h"

static char path[] = "/tmp/beckon-replay-XXXXXX", answers[] = "/tmp/beckon-replay-XXXXXX";
static void *region;
static bk_stack *stack;
static uint32_t iface;

static int begin(void **state) {
    static const uint8_t seed[32] = {1};
    struct bk_iface_config ip = {.layer = BK_LAYER_IP, .mtu = 1500};
    struct bk_config config;
    (void)state;
    bk_config_default(&config);
    config.connections = 16;
    config.chunks = 256;
    config.buffer_chunks = 128;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    region = aligned_alloc(4096, size);
    if (bk_create(region, size, &config, seed, 0, &stack, NULL) != 0) return -1;
    iface = (uint32_t)bk_iface_add(stack, &ip, 0);
    bk_addr addr = bk_addr_ipv4(10, 0, 0, 2);
    if (bk_iface_address_add(stack, iface, &addr, 24, true, 0) != 0) return -1;
    int a = mkstemp(path), b = mkstemp(answers);
    return a < 0 || b < 0 ? -1 : close(a) | close(b);
}

static int end(void **state) {
    (void)state;
    free(region);
    return unlink(path) | unlink(answers);
}

/* An echo request from 10.0.0.1, with its number. */
static void request_make(uint8_t p[32], uint8_t number) {
    static const uint8_t packet[32] = {0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 8};
    memcpy(p, packet, sizeof packet);
    p[27] = number;
    put_be16(p + 10, checksum_finish(checksum_add(0, p, 20)));
    put_be16(p + 22, checksum_finish(checksum_add(0, p + 20, 12)));
}

/* A file of echo requests at the given times. */
static void capture_make(uint32_t link_type, const uint64_t *times, uint8_t n) {
    int error = 0;
    uint8_t packet[32];
    struct iovec iov = {packet, sizeof packet};
    struct pcapng *p = pcapng_create(path, link_type, "test", NULL, &error);
    assert_non_null(p);
    for (uint8_t i = 0; i < n; i++) {
        request_make(packet, i);
        pcapng_write(p, times[i], &iov, 1, PCAPNG_IN, NULL);
    }
    assert_int_equal(pcapng_close(p), 0);
}

static void test_distances_in_time(void **state) {
    static const uint64_t times[] = {5000, 5000, 7500, 7400, 900000};
    static const uint64_t want[] = {100000, 100000, 102500, 102500,
                                    995000}; /* 7400 runs backwards, and counts as 7500 */
    uint64_t now = 100000;
    bk_link *l;
    (void)state;
    capture_make(101, times, 5);
    assert_int_equal(bk_replay_open(stack, iface, path, &l, NULL), 0);
    assert_int_equal(bk_link_fd(l), -1);
    assert_true(bk_link_next_deadline(l) <= now);
    assert_int_equal(bk_link_capture(l, answers, NULL), 0);
    uint64_t before = bk_reason_count(stack, BK_REASON_ACCEPT_ECHO);
    for (int i = 0; i < 10 && now != BK_NEVER; i++) {
        while (bk_link_pump(l, now) > 0) continue;
        now = bk_link_next_deadline(l);
    }
    assert_true(now == BK_NEVER);
    assert_true(bk_reason_count(stack, BK_REASON_ACCEPT_ECHO) - before == 5);
    bk_link_close(l);

    /* The capture of the replay: five requests and five replies, each at its time. */
    bk_pcap_reader *reader;
    struct bk_pcap_frame f;
    const char *why;
    int requests = 0, replies = 0;
    assert_int_equal(bk_pcap_open(answers, &reader, &why), 0);
    while (bk_pcap_next(reader, &f, &why) == 1) {
        int *count = f.data[20] == 8 ? &requests : &replies;
        assert_int_equal(f.data[27], *count);
        assert_true(f.time == want[*count]);
        assert_string_equal(f.comment, f.data[20] == 8 ? "answered: echo request (RFC 792) [ACCEPT_ECHO]"
                                                       : "sent: echo reply (RFC 792) [SEND_ECHO_REPLY]");
        ++*count;
    }
    bk_pcap_close(reader);
    assert_int_equal(requests, 5);
    assert_int_equal(replies, 5);
}

static void test_files_that_do_not_fit(void **state) {
    static const uint64_t time = 1;
    const char *why = "";
    bk_link *l = NULL;
    (void)state;
    capture_make(1, &time, 1);
    assert_int_equal(bk_replay_open(stack, iface, path, &l, &why), ERROR_INVAL);
    assert_string_equal(why, "the capture has no frame of the interface's link type");
    capture_make(101, &time, 0);
    assert_int_equal(bk_replay_open(stack, iface, path, &l, &why), ERROR_INVAL);
    assert_int_equal(bk_replay_open(stack, iface, "/nowhere/at/all", &l, &why), -2);
    assert_int_equal(bk_replay_open(stack, 15, path, &l, &why), ERROR_INVAL);
    assert_null(l);
}

/* A file that breaks off is played as far as it goes; then the pump says so. */
static void test_file_that_breaks_off(void **state) {
    static const uint64_t times[] = {1, 2, 3};
    bk_link *l;
    (void)state;
    capture_make(101, times, 3);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    fclose(f);
    assert_int_equal(truncate(path, size - 10), 0);
    assert_int_equal(bk_replay_open(stack, iface, path, &l, NULL), 0);
    uint64_t before = bk_reason_count(stack, BK_REASON_ACCEPT_ECHO);
    assert_int_equal(bk_link_pump(l, 2000000), 2);
    assert_int_equal(bk_link_pump(l, 2000001), ERROR_INVAL);
    assert_true(bk_link_next_deadline(l) == BK_NEVER);
    assert_int_equal(bk_link_pump(l, 3000000), 0);
    assert_true(bk_reason_count(stack, BK_REASON_ACCEPT_ECHO) - before == 2);
    bk_link_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances_in_time),
        cmocka_unit_test(test_files_that_do_not_fit),
        cmocka_unit_test(test_file_that_breaks_off),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
