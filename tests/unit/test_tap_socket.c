/* Shows that a socket pair does for a TAP device: frames cross whole both ways, a full socket pushes back, a lost other end is
 * an error and no signal, and a socket that does not keep frames apart is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "beckon/link.h"

#define ECHO_LENGTH 1000u

struct side {
    void *region;
    bk_stack *stack;
    bk_link *link;
    int fd; /* the other end */
};

static int side_open(struct side *s, int type) {
    const uint8_t seed[32] = {1};
    const struct bk_iface_config iface = {.layer = BK_LAYER_IP, .mtu = 1500};
    const bk_addr addr = bk_addr_ipv4(10, 0, 0, 2);
    struct bk_config config;
    const char *why = "";
    int fd[2];
    bk_config_tiny(&config);
    config.chunks = 40;
    config.buffer_chunks = 8;
    config.frames = 32;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    *s = (struct side){.region = aligned_alloc(4096, size)};
    assert_int_equal(bk_create(s->region, size, &config, seed, 0, &s->stack, &why), 0);
    assert_int_equal(bk_iface_add(s->stack, &iface, 0), 0);
    assert_int_equal(bk_iface_address_add(s->stack, 0, &addr, 24, true, 0), 0);
    assert_int_equal(socketpair(AF_UNIX, type, 0, fd), 0);
    s->fd = fd[1];
    const struct bk_tap_options options = {.tun = true, .fd = fd[0]};
    int r = bk_tap_open(s->stack, 0, &options, &s->link, &why);
    if (r != 0) assert_int_equal(close(fd[0]), 0); /* it is still ours */
    return r;
}

static void side_close(struct side *s) {
    bk_link_close(s->link);
    if (s->fd >= 0) close(s->fd);
    free(s->region);
}

/* ICMP echo request (RFC 792) from 10.0.0.1, in 1,000 bytes. */
static void echo_make(uint8_t p[ECHO_LENGTH], uint16_t number) {
    static const uint8_t head[21] = {0x45, 0, 0x03, 0xe8, 0, 1, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 8};
    for (uint32_t i = 0; i < ECHO_LENGTH; i++) p[i] = (uint8_t)(i * 7 + number);
    memcpy(p, head, sizeof head);
    p[21] = 0;
    put_be16(p + 26, number);
    put_be16(p + 22, 0);
    put_be16(p + 10, checksum_finish(checksum_add(0, p, 20)));
    put_be16(p + 22, checksum_finish(checksum_add(0, p + 20, ECHO_LENGTH - 20)));
}

static void expect_echo(const struct side *s, uint16_t number) {
    uint8_t sent[ECHO_LENGTH], got[2 * ECHO_LENGTH];
    echo_make(sent, number);
    assert_int_equal(recv(s->fd, got, sizeof got, MSG_DONTWAIT), ECHO_LENGTH);
    assert_int_equal(got[20], 0); /* echo reply */
    assert_memory_equal(got + 26, sent + 26, ECHO_LENGTH - 26);
}

static void frames_cross(int type) {
    struct side s;
    uint8_t p[ECHO_LENGTH];
    assert_int_equal(side_open(&s, type), 0);
    for (uint16_t i = 0; i < 3; i++) {
        echo_make(p, i);
        assert_int_equal(send(s.fd, p, sizeof p, 0), ECHO_LENGTH);
    }
    assert_int_equal(bk_link_pump(s.link, 0), 6);
    for (uint16_t i = 0; i < 3; i++) expect_echo(&s, i);
    assert_int_equal(recv(s.fd, p, sizeof p, MSG_DONTWAIT), -1);
    assert_string_equal(bk_tap_name(s.link), "socket");
    side_close(&s);
}

static void test_frames_cross_a_seqpacket_socket(void **state) {
    (void)state;
    frames_cross(SOCK_SEQPACKET);
}

static void test_frames_cross_a_datagram_socket(void **state) {
    (void)state;
    frames_cross(SOCK_DGRAM);
}

/* What does not fit stays in the stack, and leaves when there is room. */
static void test_full_socket_pushes_back(void **state) {
    struct side s;
    uint8_t p[ECHO_LENGTH];
    int small = 4096;
    (void)state;
    assert_int_equal(side_open(&s, SOCK_SEQPACKET), 0);
    assert_int_equal(setsockopt(bk_link_fd(s.link), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (uint16_t i = 0; i < 8; i++) {
        echo_make(p, i);
        assert_int_equal(send(s.fd, p, sizeof p, 0), ECHO_LENGTH);
    }
    int moved = bk_link_pump(s.link, 0);
    assert_true(moved > 8 && moved < 16);
    assert_true(bk_link_wants_write(s.link));
    for (uint16_t i = 0; i < 8; i++) {
        expect_echo(&s, i);
        assert_true(bk_link_pump(s.link, 0) >= 0);
    }
    assert_false(bk_link_wants_write(s.link));
    side_close(&s);
}

static void test_lost_other_end_is_an_error(void **state) {
    struct side s;
    (void)state;
    assert_int_equal(side_open(&s, SOCK_SEQPACKET), 0);
    close(s.fd);
    s.fd = -1;
    assert_int_equal(bk_link_pump(s.link, 0), -EPIPE);
    side_close(&s);
    /* Also when the first to notice is a write; a signal would end the test. */
    assert_int_equal(side_open(&s, SOCK_SEQPACKET), 0);
    uint8_t p[ECHO_LENGTH];
    echo_make(p, 1);
    assert_int_equal(send(s.fd, p, sizeof p, 0), ECHO_LENGTH);
    assert_int_equal(shutdown(s.fd, SHUT_RD), 0);
    assert_int_equal(bk_link_pump(s.link, 0), -EPIPE);
    side_close(&s);
}

static void test_stream_socket_is_refused(void **state) {
    struct side s;
    (void)state;
    assert_true(side_open(&s, SOCK_STREAM) < 0);
    assert_null(s.link);
    side_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_cross_a_seqpacket_socket), cmocka_unit_test(test_frames_cross_a_datagram_socket),
        cmocka_unit_test(test_full_socket_pushes_back),         cmocka_unit_test(test_lost_other_end_is_an_error),
        cmocka_unit_test(test_stream_socket_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
