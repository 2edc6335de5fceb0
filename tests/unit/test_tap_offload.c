/* Shows two stacks that talk through the TAP driver, over a socket pair with a virtio header: units cross whole, both families and both layers;
 * one side may refuse; what a capture or an impaired wire must see is cut; a header that lies costs its frame alone. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "beckon/link.h"
#include "pair.h"

#define BYTES 200000u

struct world {
    struct pair pair;
    bk_link *link[2];
    bk_conn conn[2];
    uint64_t sent, received;
};

/* How each end opens its link. */
struct ends {
    struct bk_tap_options option[2];
};
static const struct ends both = {{{.socket_header = 12}, {.socket_header = 12}}};

static void world_open(struct world *w, int family, enum bk_layer layer, const struct bk_config *receiver,
                       const struct ends *ends) {
    struct bk_config config;
    int fd[2];
    memset(w, 0, sizeof *w);
    pair_config(&config);
    pair_open(&w->pair, family, layer, &config, receiver);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
    for (int side = 0; side < 2; side++) {
        struct bk_tap_options options = ends->option[side];
        const char *why = "";
        options.fd = fd[side];
        options.tun = layer == BK_LAYER_IP;
        if (bk_tap_open(w->pair.side[side].stack, 0, &options, &w->link[side], &why) != 0) fail_msg("%s", why);
    }
}

static void world_close(struct world *w) {
    for (int side = 0; side < 2; side++) bk_link_close(w->link[side]);
    for (int side = 0; side < 2; side++) assert_int_equal(pair_in_use(&w->pair, side, BK_POOL_FRAMES), 0);
    pair_close(&w->pair);
}

/* Lets a tenth of a second pass, a millisecond at a time. */
static void world_run(struct world *w) {
    for (int ms = 0; ms < 100; ms++) {
        int moved;
        w->pair.now += PAIR_MS;
        do {
            int a = bk_link_pump(w->link[0], w->pair.now), b = bk_link_pump(w->link[1], w->pair.now);
            assert_true(a >= 0 && b >= 0);
            moved = a + b;
        } while (moved > 0);
    }
}

static void world_establish(struct world *w) {
    bk_listener listener = pair_listen(&w->pair, 1, 1);
    w->conn[0] = pair_connect(&w->pair, 0);
    world_run(w);
    w->conn[1] = pair_accept(&w->pair, 1, listener);
}

/* Side 0 sends BYTES more and side 1 reads them. */
static void world_transfer(struct world *w) {
    uint64_t end = w->sent + BYTES;
    for (int turn = 0; turn < 1000 && w->received < end; turn++) {
        ptrdiff_t n = 1;
        while (w->sent < end && n > 0) {
            n = pair_send(&w->pair, 0, w->conn[0], 5, w->sent, end - w->sent);
            if (n > 0) w->sent += (uint64_t)n;
        }
        world_run(w);
        assert_int_equal(pair_receive(&w->pair, 1, w->conn[1], 5, &w->received), -11);
    }
    assert_true(w->received == end);
}

static uint64_t frames_out(const struct world *w, int side) {
    struct bk_link_counters counters;
    bk_link_counters(w->link[side], &counters);
    return counters.frames_out;
}

static uint64_t segments(const struct world *w) {
    return pair_status(&w->pair, 0, w->conn[0]).segments_sent;
}

/* ---- units ---- */

static void units_cross(int family, enum bk_layer layer) {
    struct world w;
    struct bk_tap_offload offload;
    world_open(&w, family, layer, NULL, &both);
    bk_tap_offload(w.link[0], &offload);
    assert_true(offload.units && offload.checksums && offload.merged && offload.refused == NULL);
    world_establish(&w);
    world_transfer(&w);
    assert_true(segments(&w) > BYTES / 1460);
    assert_true(frames_out(&w, 0) < segments(&w) / 4);
    assert_int_equal(pair_count(&w.pair, 1, BK_REASON_DROP_TCP_CHECKSUM), 0);
    assert_int_equal(pair_status(&w.pair, 0, w.conn[0]).segments_retransmitted, 0);
    /* What came merged counts as the segments that it was. */
    assert_true(pair_status(&w.pair, 1, w.conn[1]).segments_received >= BYTES / 1460);
    world_close(&w);
}

static void test_units_cross_whole(void **state) {
    (void)state;
    units_cross(4, BK_LAYER_IP);
    units_cross(6, BK_LAYER_IP);
    units_cross(4, BK_LAYER_ETHERNET);
    units_cross(6, BK_LAYER_ETHERNET);
}

/* Who refuses sends whole frames with their checksums, behind headers that say so. */
static void test_plain_side(void **state) {
    static const struct ends ends = {{{.socket_header = 12, .plain = true}, {.socket_header = 12}}};
    struct bk_tap_offload offload;
    struct world w;
    (void)state;
    world_open(&w, 4, BK_LAYER_IP, NULL, &ends);
    bk_tap_offload(w.link[0], &offload);
    assert_false(offload.units || offload.checksums || offload.merged || offload.refused != NULL);
    world_establish(&w);
    world_transfer(&w);
    assert_int_equal(frames_out(&w, 0), segments(&w));
    world_close(&w);
}

static void test_socket_without_header(void **state) {
    static const struct ends none = {{{.name = NULL}, {.name = NULL}}};
    struct bk_tap_offload offload;
    struct world w;
    (void)state;
    world_open(&w, 4, BK_LAYER_IP, NULL, &none);
    bk_tap_offload(w.link[0], &offload);
    assert_false(offload.units || offload.checksums || offload.merged);
    world_establish(&w);
    world_transfer(&w);
    assert_int_equal(frames_out(&w, 0), segments(&w));
    world_close(&w);
}

/* A receiver with few chunks says that merged frames do not suit it, and takes those that come all the same. */
static void test_few_chunks(void **state) {
    struct bk_config few;
    struct bk_tap_offload offload;
    struct world w;
    (void)state;
    pair_config(&few);
    few.buffer_chunks = 450; /* of 512: 62 besides, less than two merged frames */
    world_open(&w, 4, BK_LAYER_IP, &few, &both);
    bk_tap_offload(w.link[1], &offload);
    assert_true(offload.units && offload.checksums && !offload.merged);
    assert_non_null(offload.refused);
    world_establish(&w);
    world_transfer(&w);
    assert_true(frames_out(&w, 0) < segments(&w) / 4);
    world_close(&w);
}

/* ---- who wants to see frames ---- */

static void test_capture_sees_frames(void **state) {
    char path[] = "/tmp/beckon-offload-XXXXXX";
    bk_pcap_reader *reader;
    struct bk_pcap_frame frame;
    struct world w;
    uint32_t full = 0;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    world_open(&w, 4, BK_LAYER_IP, NULL, &both);
    world_establish(&w);
    assert_int_equal(bk_link_capture(w.link[0], path, NULL), 0);
    world_transfer(&w);
    assert_int_equal(frames_out(&w, 0), segments(&w));
    assert_int_equal(bk_link_capture_end(w.link[0]), 0);
    assert_int_equal(bk_pcap_open(path, &reader, NULL), 0);
    while (bk_pcap_next(reader, &frame, NULL) == 1) {
        assert_true(frame.length <= 1500);
        if (frame.length == 1500) full++;
    }
    bk_pcap_close(reader);
    remove(path);
    assert_true(full >= BYTES / 1460);
    uint64_t before = frames_out(&w, 0), cut = segments(&w);
    world_transfer(&w); /* and whole again when it is over */
    assert_true(frames_out(&w, 0) - before < (segments(&w) - cut) / 4);
    world_close(&w);
}

/* The wire loses nothing here, and brings what the other side merged with what was told of it. */
static void test_impaired_wire_carries_frames(void **state) {
    static const struct bk_impair_options clean = {.seed = 1};
    struct world w;
    (void)state;
    for (int side = 0; side < 2; side++) {
        world_open(&w, 4, BK_LAYER_IP, NULL, &both);
        assert_int_equal(bk_impair_wrap(w.link[side], &clean, &w.link[side]), 0);
        world_establish(&w);
        world_transfer(&w);
        if (side == 0)
            assert_int_equal(frames_out(&w, 0), segments(&w));
        else
            assert_true(frames_out(&w, 0) < segments(&w) / 4);
        assert_int_equal(pair_count(&w.pair, 1, BK_REASON_DROP_TCP_CHECKSUM), 0);
        world_close(&w);
    }
}

/* ---- headers that lie ---- */

/* 28 bytes from a stranger behind a header of 12 that puts the checksum past their end; and two messages with no frame behind the header. */
static void test_lies_are_counted(void **state) {
    uint8_t message[40] = {1, 1, 40, 0, 0, 0, 20, 0, 16, 0, 0, 0, 0x45, 0, 0, 28};
    struct world w;
    (void)state;
    for (int impaired = 0; impaired < 2; impaired++) {
        static const struct bk_impair_options clean = {.seed = 1};
        world_open(&w, 4, BK_LAYER_IP, NULL, &both);
        if (impaired) assert_int_equal(bk_impair_wrap(w.link[1], &clean, &w.link[1]), 0);
        int fd = bk_link_fd(w.link[0]);
        assert_int_equal(send(fd, message, sizeof message, 0), sizeof message);
        assert_int_equal(send(fd, message, 11, 0), 11);
        assert_int_equal(send(fd, message, 12, 0), 12);
        world_establish(&w);
        assert_int_equal(pair_count(&w.pair, 1, BK_REASON_DROP_OFFLOAD_CHECKSUM), 1);
        assert_int_equal(pair_count(&w.pair, 1, BK_REASON_DROP_OFFLOAD_SHORT), 2);
        world_transfer(&w);
        world_close(&w);
    }
}

static void test_header_of_impossible_length(void **state) {
    static const uint32_t lengths[] = {1, 9, 65};
    struct pair p;
    struct bk_config config;
    bk_link *link;
    (void)state;
    pair_config(&config);
    pair_open(&p, 4, BK_LAYER_IP, &config, NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int fd[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
        struct bk_tap_options options = {.tun = true, .fd = fd[0], .socket_header = lengths[i]};
        assert_int_equal(bk_tap_open(p.side[0].stack, 0, &options, &link, NULL), -22);
        close(fd[0]);
        close(fd[1]);
    }
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_cross_whole),     cmocka_unit_test(test_plain_side),
        cmocka_unit_test(test_socket_without_header), cmocka_unit_test(test_few_chunks),
        cmocka_unit_test(test_capture_sees_frames),   cmocka_unit_test(test_impaired_wire_carries_frames),
        cmocka_unit_test(test_lies_are_counted),      cmocka_unit_test(test_header_of_impossible_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
