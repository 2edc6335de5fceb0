/* Shows that captures are written as pcapng and read back, that pcap and pcapng files of either byte order and any time
 * resolution are read, and that each way in which a file can be malformed ends the reading with its own sentence. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/common.h"
#include "link/pcapng.h"

static char path[] = "/tmp/beckon-pcapng-XXXXXX";

static int file_begin(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int file_end(void **state) {
    (void)state;
    return unlink(path);
}

/* ---- files made by hand ---- */

struct bytes {
    bool big_endian;
    size_t n;
    size_t block; /* where the block begun last begins */
    uint8_t data[4096];
};

static void put16(struct bytes *b, uint16_t v) {
    b->data[b->n++] = (uint8_t)(b->big_endian ? v >> 8 : v);
    b->data[b->n++] = (uint8_t)(b->big_endian ? v : v >> 8);
}

static void put32(struct bytes *b, uint32_t v) {
    put16(b, (uint16_t)(b->big_endian ? v >> 16 : v));
    put16(b, (uint16_t)(b->big_endian ? v : v >> 16));
}

static void put_text(struct bytes *b, const char *text, size_t n) {
    memcpy(b->data + b->n, text, n);
    b->n += n;
    while (b->n % 4 != 0) b->data[b->n++] = 0;
}

static void put_option(struct bytes *b, uint16_t code, const void *value, uint16_t n) {
    put16(b, code);
    put16(b, n);
    put_text(b, value, n);
}

static void block_begin(struct bytes *b, uint32_t type) {
    b->block = b->n;
    put32(b, type);
    put32(b, 0);
}

static void block_end(struct bytes *b) {
    size_t end = b->n + 4;
    b->n = b->block + 4;
    put32(b, (uint32_t)(end - b->block));
    b->n = end - 4;
    put32(b, (uint32_t)(end - b->block));
}

static void put_section(struct bytes *b) {
    block_begin(b, 0x0a0d0d0a);
    put32(b, 0x1a2b3c4d);
    put16(b, 1);
    put16(b, 0);
    put32(b, UINT32_MAX);
    put32(b, UINT32_MAX);
    block_end(b);
}

static void put_interface(struct bytes *b, uint16_t link_type, uint8_t resolution) {
    block_begin(b, 1);
    put16(b, link_type);
    put16(b, 0);
    put32(b, 0);
    put_option(b, 9, &resolution, 1);
    put_option(b, 0, "", 0);
    block_end(b);
}

static void put_packet(struct bytes *b, uint32_t iface, uint64_t time, const char *text, const char *comment) {
    block_begin(b, 6);
    put32(b, iface);
    put32(b, (uint32_t)(time >> 32));
    put32(b, (uint32_t)time);
    put32(b, (uint32_t)strlen(text));
    put32(b, (uint32_t)strlen(text) + 100);
    put_text(b, text, strlen(text));
    if (comment != NULL) put_option(b, 1, comment, (uint16_t)strlen(comment));
    block_end(b);
}

static void file_write(const struct bytes *b, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static char comment_read[1024]; /* the last packet's, "" if it has none */

/* Opens the file and reads to its end. Returns the number of packets, or -EINVAL and why; keeps the last packet. */
static int file_read(struct bk_pcap_frame *last, char *data, const char **why) {
    bk_pcap_reader *reader;
    struct bk_pcap_frame f;
    int r = bk_pcap_open(path, &reader, why), count = 0;
    if (r != 0) return r;
    while ((r = bk_pcap_next(reader, &f, why)) == 1) {
        count++;
        if (last != NULL) *last = f;
        snprintf(comment_read, sizeof comment_read, "%s", f.comment != NULL ? f.comment : "");
        if (data != NULL) memcpy(data, f.data, f.length);
        if (data != NULL) data[f.length] = 0;
    }
    bk_pcap_close(reader);
    return r == 0 ? count : r;
}

static int file_read_bytes(const struct bytes *b, struct bk_pcap_frame *last, char *data, const char **why) {
    file_write(b, b->n);
    return file_read(last, data, why);
}

/* ---- what we write, we read ---- */

static void test_round_trip(void **state) {
    (void)state;
    enum { PACKETS = 700 }; /* more than the writer's buffer holds */
    struct bk_capture_name names[] = {
        {bk_addr_ipv4(192, 0, 2, 1), "beckon"}, {{{0x20, 1, 0xd, 0xb8}}, "kernel"}, {{{0}}, NULL}};
    uint8_t payload[1600];
    for (size_t i = 0; i < sizeof payload; i++) payload[i] = (uint8_t)(i * 31);
    int error = 0;
    struct pcapng *p = pcapng_create(path, 101, "beckon0", names, &error);
    assert_non_null(p);
    for (uint32_t i = 0; i < PACKETS; i++) {
        char comment[40];
        struct iovec iov[2] = {{payload, i % 40}, {payload + i % 40, i}};
        snprintf(comment, sizeof comment, "packet %u", i);
        pcapng_write(p, UINT64_C(5000000000123) + i, iov, 2, i % 2 ? PCAPNG_IN : PCAPNG_OUT, i % 3 ? comment : NULL);
    }
    assert_int_equal(pcapng_close(p), 0);

    bk_pcap_reader *reader;
    const char *why = NULL;
    assert_int_equal(bk_pcap_open(path, &reader, &why), 0);
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct bk_pcap_frame f;
        char comment[40];
        snprintf(comment, sizeof comment, "packet %u", i);
        assert_int_equal(bk_pcap_next(reader, &f, &why), 1);
        assert_int_equal(f.length, i % 40 + i);
        assert_int_equal(f.original_length, f.length);
        assert_memory_equal(f.data, payload, f.length);
        assert_true(f.time == UINT64_C(5000000000123) + i);
        assert_int_equal(f.link_type, 101);
        if (i % 3)
            assert_string_equal(f.comment, comment);
        else
            assert_null(f.comment);
    }
    struct bk_pcap_frame f;
    assert_int_equal(bk_pcap_next(reader, &f, &why), 0);
    bk_pcap_close(reader);
}

static void test_full_disk(void **state) {
    (void)state;
    uint8_t payload[1000] = {0};
    struct iovec iov = {payload, sizeof payload};
    int error = 0;
    struct pcapng *p = pcapng_create("/dev/full", 1, "beckon0", NULL, &error);
    if (p == NULL) skip();
    for (uint32_t i = 0; i < 1000; i++) pcapng_write(p, i, &iov, 1, PCAPNG_OUT, "reason");
    assert_int_equal(pcapng_close(p), ERROR_NOSPC);
    assert_null(pcapng_create("/nowhere/at/all", 1, "beckon0", NULL, &error));
    assert_int_equal(error, -2);
}

/* Room for so many bytes and no more: the file ends with a whole packet, and the error is told. */
static void test_disk_that_fills_up(void **state) {
    (void)state;
    uint8_t payload[1000] = {0};
    struct iovec iov = {payload, sizeof payload};
    struct rlimit before, limit;
    int error = 0;
    const char *why = "";
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit = before;
    limit.rlim_cur = 300001;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct pcapng *p = pcapng_create(path, 1, "beckon0", NULL, &error);
    assert_non_null(p);
    for (uint32_t i = 0; i < 1000; i++) pcapng_write(p, i, &iov, 1, PCAPNG_OUT, "reason");
    int closed = pcapng_close(p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(closed, -27); /* EFBIG */
    int packets = file_read(NULL, NULL, &why);
    assert_true(packets > 270 && packets < 300);
}

/* ---- what others write ---- */

static void test_pcap(void **state) {
    (void)state;
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        for (int nano = 0; nano < 2; nano++) {
            struct bytes b = {.big_endian = big_endian};
            struct bk_pcap_frame f;
            const char *why;
            char data[100];
            put32(&b, nano ? 0xa1b23c4d : 0xa1b2c3d4);
            put16(&b, 2);
            put16(&b, 4);
            for (int i = 0; i < 2; i++) put32(&b, 0);
            put32(&b, 65535);
            put32(&b, 101);
            for (uint32_t i = 0; i < 3; i++) {
                put32(&b, 1700000000);
                put32(&b, 456789 + i);
                put32(&b, 8);
                put32(&b, 90);
                put_text(&b, "eight of", 8);
            }
            assert_int_equal(file_read_bytes(&b, &f, data, &why), 3);
            assert_true(f.time == 1700000000 * NS_PER_S + (nano ? UINT64_C(456791) : UINT64_C(456791000)));
            assert_string_equal(data, "eight of");
            assert_int_equal(f.length, 8);
            assert_int_equal(f.original_length, 90);
            assert_int_equal(f.link_type, 101);
            assert_null(f.comment);
        }
    }
}

static void test_pcapng(void **state) {
    (void)state;
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        struct bytes b = {.big_endian = big_endian};
        struct bk_pcap_frame f;
        const char *why;
        char data[100];
        put_section(&b);
        put_interface(&b, 1, 6);
        put_interface(&b, 228, 9);   /* one of the other numbers for raw IP */
        block_begin(&b, 0x7fff0000); /* of a kind unknown */
        put_text(&b, "something else", 14);
        block_end(&b);
        put_packet(&b, 1, 7, "first", NULL);
        put_packet(&b, 0, UINT64_C(0x123456789ab), "second one", "why it is there");
        assert_int_equal(file_read_bytes(&b, &f, data, &why), 2);
        assert_string_equal(data, "second one");
        assert_string_equal(comment_read, "why it is there");
        assert_true(f.time == UINT64_C(0x123456789ab) * 1000);
        assert_int_equal(f.iface, 0);
        assert_int_equal(f.link_type, 1);

        put_packet(&b, 1, 7, "third", NULL);
        assert_int_equal(file_read_bytes(&b, &f, data, &why), 3);
        assert_true(f.time == 7);
        assert_int_equal(f.link_type, 101);
        assert_int_equal(f.original_length, 105);

        /* A second section, of the other byte order, forgets the interfaces of the first. */
        b.big_endian = !big_endian;
        put_section(&b);
        put_interface(&b, 101, 9);
        put_packet(&b, 0, 8, "fourth", "4");
        assert_int_equal(file_read_bytes(&b, &f, data, &why), 4);
        assert_string_equal(data, "fourth");
        assert_int_equal(f.link_type, 101);
        put_packet(&b, 1, 8, "fifth", NULL);
        assert_int_equal(file_read_bytes(&b, &f, data, &why), ERROR_INVAL);

        /* Simple and obsolete packet blocks. */
        struct bytes old = {.big_endian = big_endian};
        put_section(&old);
        put_interface(&old, 1, 9);
        block_begin(&old, 2);
        put16(&old, 0);
        put16(&old, 3); /* drops */
        put32(&old, 1);
        put32(&old, 2);
        put32(&old, 3);
        put32(&old, 3);
        put_text(&old, "old", 3);
        block_end(&old);
        assert_int_equal(file_read_bytes(&old, &f, data, &why), 1);
        assert_string_equal(data, "old");
        assert_true(f.time == ((UINT64_C(1) << 32) | 2));
        block_begin(&old, 3);
        put32(&old, 6);
        put_text(&old, "simple", 6);
        block_end(&old);
        assert_int_equal(file_read_bytes(&old, &f, data, &why), 2);
        assert_string_equal(data, "simple");
    }
}

static void test_resolutions(void **state) {
    (void)state;
    static const struct {
        uint8_t resolution;
        uint64_t units, ns;
    } rows[] = {
        {0, 3, UINT64_C(3000000000)},
        {3, 1234, UINT64_C(1234000000)},
        {9, 1234, 1234},
        {12, 5678999, 5678},
        {0x80, 3, UINT64_C(3000000000)},
        {0x80 | 1, 3, UINT64_C(1500000000)},
        {0x80 | 20, (UINT64_C(5) << 20) + (1 << 18), UINT64_C(5250000000)},
        {0x80 | 40, (UINT64_C(5) << 40) + (UINT64_C(1) << 39), UINT64_C(5500000000)},
        {0x80 | 63, UINT64_C(1) << 62, UINT64_C(500000000)},
    };
    for (size_t i = 0; i < BK_COUNT(rows); i++) {
        struct bytes b = {0};
        struct bk_pcap_frame f;
        const char *why;
        put_section(&b);
        put_interface(&b, 1, rows[i].resolution);
        put_packet(&b, 0, rows[i].units, "x", NULL);
        assert_int_equal(file_read_bytes(&b, &f, NULL, &why), 1);
        assert_true(f.time == rows[i].ns);
    }
}

/* ---- what is not a capture ---- */

static void expect_malformed(const struct bytes *b, const char *words) {
    const char *why = "";
    assert_int_equal(file_read_bytes(b, NULL, NULL, &why), ERROR_INVAL);
    assert_string_equal(why, words);
}

static void good_file(struct bytes *b) {
    memset(b, 0, sizeof *b);
    put_section(b);
    put_interface(b, 1, 9);
}

static void test_malformed(void **state) {
    (void)state;
    struct bytes b = {0};
    const char *why;
    expect_malformed(&b, "the file is too short for a capture");
    put_text(&b, "GET / HTTP/1.1\r\n", 16);
    expect_malformed(&b, "the file is neither pcap nor pcapng");
    good_file(&b);
    b.data[8] = 0;
    expect_malformed(&b, "pcapng: a section's byte-order magic is unknown");
    good_file(&b);
    b.data[12] = 9;
    expect_malformed(&b, "pcapng: version is not 1");
    good_file(&b);
    b.data[4] = 4;
    expect_malformed(&b, "pcapng: a section header's length is impossible");
    good_file(&b);
    put_packet(&b, 1, 0, "of no interface", NULL);
    expect_malformed(&b, "pcapng: a packet names an interface that was not described");
    good_file(&b);
    put_interface(&b, 1, 40);
    expect_malformed(&b, "pcapng: time stamp resolution out of range");
    good_file(&b);
    put_packet(&b, 0, 0, "too long", NULL);
    b.data[b.block + 8 + 12] = 9;
    expect_malformed(&b, "pcapng: a packet runs past its block");
    b.data[b.block + 8 + 12] = 8;
    b.data[b.n - 4]++;
    expect_malformed(&b, "pcapng: the two lengths of a block differ");
    good_file(&b);
    put_packet(&b, 0, 0, "word", "comment");
    b.data[b.block + 8 + 26]++;
    b.data[b.block + 8 + 26] += 8;
    expect_malformed(&b, "pcapng: an option runs past its packet block");
    good_file(&b);
    block_begin(&b, 6);
    put32(&b, 0);
    block_end(&b);
    expect_malformed(&b, "pcapng: a packet block is too short");
    good_file(&b);
    block_begin(&b, 1);
    block_end(&b);
    expect_malformed(&b, "pcapng: an interface block is too short");
    good_file(&b);
    put32(&b, 6);
    put32(&b, 0xfffffff0);
    expect_malformed(&b, "pcapng: a block's length is impossible");
    assert_int_equal(bk_pcap_open("/nowhere/at/all", &(bk_pcap_reader *){NULL}, &why), -2);
    assert_string_equal(why, "the file cannot be opened");
}

/* A file cut off anywhere either ends at a packet's end or is said to be cut off; a byte changed anywhere never does harm. */
static void test_every_truncation_and_byte(void **state) {
    (void)state;
    struct bytes b, changed;
    const char *why;
    int ends = 0;
    good_file(&b);
    put_packet(&b, 0, 1, "one", "first");
    put_packet(&b, 0, 2, "twotwo", "second");
    for (size_t n = 0; n < b.n; n++) {
        file_write(&b, n);
        int r = file_read(NULL, NULL, &why);
        if (r >= 0)
            ends++;
        else
            assert_true(r == ERROR_INVAL && (strstr(why, "ends inside") != NULL || strstr(why, "too short") != NULL));
    }
    assert_int_equal(ends, 3); /* after the section, the interface and the first packet */
    for (size_t n = 0; n < b.n; n++) {
        changed = b;
        changed.data[n] ^= (uint8_t)(1u << n % 8);
        int r = file_read_bytes(&changed, NULL, NULL, &why);
        assert_true((r >= 0 && r <= 2) || r == ERROR_INVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_disk_that_fills_up),
        cmocka_unit_test(test_pcap),
        cmocka_unit_test(test_pcapng),
        cmocka_unit_test(test_resolutions),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_every_truncation_and_byte),
    };
    return cmocka_run_group_tests(tests, file_begin, file_end);
}
