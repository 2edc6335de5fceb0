/* Shows that a unit is cut into the frames that a plain reading of the RFCs makes of it: every payload length around the
 * multiples of the segment size, payload split into parts at odd and even places, both families, checksums right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/cut.h"
#include "wire/tcp.h"

#define CHUNKS      16u
#define PAYLOAD_MAX 12000u

/* ---- a stack for its chunks, filled with bytes that differ from place to place ---- */

struct world {
    void *region;
    bk_stack *stack;
    uint32_t chunk[CHUNKS];
};

static int world_begin(void **state) {
    static const uint8_t seed[32] = {1};
    struct world *w = calloc(1, sizeof *w);
    struct bk_config config;
    bk_config_tiny(&config);
    config.chunk_size = 2048;
    config.chunks = 2 * CHUNKS;
    size_t size = (bk_region_size(&config) + 4095) & ~(size_t)4095;
    w->region = aligned_alloc(4096, size);
    assert_int_equal(bk_create(w->region, size, &config, seed, 0, &w->stack, NULL), 0);
    assert_int_equal(bk_chunk_alloc(w->stack, w->chunk, CHUNKS), CHUNKS);
    for (uint32_t i = 0; i < CHUNKS; i++)
        for (uint32_t j = 0; j < 2048; j++)
            bk_chunk_data(w->stack, w->chunk[i])[j] = (uint8_t)(i * 89 + j * 7 + j / 251);
    *state = w;
    return 0;
}

static int world_end(void **state) {
    struct world *w = *state;
    free(w->region);
    free(w);
    return 0;
}

/* ---- units ---- */

struct unit {
    struct bk_tx tx;
    struct bk_part part[128];
    uint8_t header[160];
    uint8_t payload[PAYLOAD_MAX]; /* the same bytes in one piece */
};

/* A header of Ethernet (or not), IP of the family, and TCP with twelve bytes of options. */
static void unit_header(struct unit *u, unsigned family, bool ethernet, uint8_t flags) {
    static const uint8_t ipv4[20] = {0x45, 0x28, 0, 0, 0xff, 0xfd, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7};
    static const uint8_t ipv6[40] = {0x62, 0x80, 1,    2,    0, 0, 6, 64, 0x20, 1,  0xd,  0xb8, 1,   2,
                                     3,    4,    5,    6,    7, 8, 9, 10, 11,   12, 0x20, 1,    0xd, 0xb8,
                                     0xff, 0xee, 0xdd, 0xcc, 1, 3, 3, 7,  0,    9,  9,    2};
    uint8_t *p = u->header;
    if (ethernet) {
        memset(p, 0x5a, 12);
        put_be16(p + 12, family == 4 ? 0x0800 : 0x86dd);
        p += 14;
    }
    u->tx.ip_offset = (uint16_t)(p - u->header);
    memcpy(p, family == 4 ? ipv4 : ipv6, family == 4 ? sizeof ipv4 : sizeof ipv6);
    p += family == 4 ? sizeof ipv4 : sizeof ipv6;
    u->tx.l4_offset = (uint16_t)(p - u->header);
    put_be16(p, 8080);
    put_be16(p + 2, 54321);
    put_be32(p + 4, 0xfffff000);
    put_be32(p + 8, 0x12345678);
    p[12] = 8 << 4;
    p[13] = flags;
    put_be16(p + 14, 0xfedc);
    put_be16(p + 16, 0xdead); /* whatever the sender left there */
    put_be16(p + 18, flags & WIRE_URG ? 1500 : 0);
    static const uint8_t options[12] = {1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7};
    memcpy(p + 20, options, sizeof options);
    u->tx.header = u->header;
    u->tx.header_length = (uint16_t)(p + 32 - u->header);
}

/* Payload of n bytes in parts of `run` bytes (the last may be shorter), beginning at odd and even offsets. */
static void unit_payload(struct unit *u, const struct world *w, uint32_t n, uint32_t run) {
    u->tx.parts = u->part;
    u->tx.payload_length = n;
    u->tx.part_count = 0;
    for (uint32_t at = 0; at < n; at += run, run += run == 3) {
        uint32_t i = u->tx.part_count++, length = u32_min(run, n - at);
        assert_true(i < 128 && length + 5 <= 2048);
        u->part[i] = (struct bk_part){w->chunk[i % CHUNKS], (uint16_t)(i % 6), (uint16_t)length};
        memcpy(u->payload + at, bk_chunk_data(w->stack, w->chunk[i % CHUNKS]) + i % 6, length);
    }
}

/* ---- the plain construction ---- */

/* RFC 1071, word by word, over bytes in one piece. */
static uint32_t plain_sum(uint32_t sum, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint32_t plain_pseudo(const uint8_t *ip, uint32_t l4_length) {
    bool ipv4 = ip[0] >> 4 == 4;
    uint8_t tail[4] = {0, 6, (uint8_t)(l4_length >> 8), (uint8_t)l4_length};
    return plain_sum(plain_sum(0, ipv4 ? ip + 12 : ip + 8, ipv4 ? 8 : 32), tail, 4);
}

/* Frame i of a unit of TCP, as one would write it down from the RFCs. */
static size_t plain_frame(const struct unit *u, uint32_t i, uint8_t *out) {
    const struct bk_tx *t = &u->tx;
    uint32_t gso = t->gso_size != 0 ? t->gso_size : t->payload_length, from = i * gso;
    uint32_t n = u32_min(gso, t->payload_length - from);
    bool last = from + n == t->payload_length;
    uint8_t *ip = out + t->ip_offset, *tcp = out + t->l4_offset;
    memcpy(out, u->header, t->header_length);
    memcpy(out + t->header_length, u->payload + from, n);
    uint32_t l4_length = t->header_length - t->l4_offset + n;
    if (t->gso_size != 0 && ip[0] >> 4 == 4) {
        put_be16(ip + 2, (uint16_t)(20 + l4_length));
        put_be16(ip + 4, (uint16_t)(0xfffd + i));
        put_be16(ip + 10, 0);
        put_be16(ip + 10, (uint16_t)~plain_sum(0, ip, 20));
    } else if (t->gso_size != 0) {
        put_be16(ip + 4, (uint16_t)l4_length);
    }
    put_be32(tcp + 4, 0xfffff000 + from);
    if (!last) tcp[13] &= (uint8_t) ~(WIRE_FIN | WIRE_PSH);
    if (i > 0) tcp[13] &= (uint8_t)~WIRE_CWR;
    if (tcp[13] & WIRE_URG && i > 0) {
        if (from >= 1500) tcp[13] &= (uint8_t)~WIRE_URG;
        put_be16(tcp + 18, from >= 1500 ? 0 : (uint16_t)(1500 - from));
    }
    put_be16(tcp + 16, 0);
    put_be16(tcp + 16, (uint16_t)~plain_sum(plain_pseudo(ip, l4_length), tcp, l4_length));
    return t->header_length + n;
}

static void check_unit(const struct world *w, const struct unit *u) {
    static uint8_t want[PAYLOAD_MAX + 160], got[PAYLOAD_MAX + 160];
    struct cut cut;
    uint32_t gso = u->tx.gso_size, n = u->tx.payload_length;
    uint32_t count = gso == 0 || n == 0 ? 1 : (n + gso - 1) / gso;
    assert_int_equal(bk_tx_count(&u->tx), count);
    cut_begin(&cut, w->stack, &u->tx);
    for (uint32_t i = 0; i < count; i++) {
        size_t length = plain_frame(u, i, want);
        assert_false(cut_end(&cut));
        assert_int_equal(cut_length(&cut), length);
        assert_int_equal(cut_next(&cut, got, length - 1), 0);
        assert_int_equal(cut_next(&cut, got, length), length);
        assert_memory_equal(got, want, length);
        memset(got, 0xee, length);
        assert_int_equal(bk_tx_write(w->stack, &u->tx, i, got, sizeof got), length);
        assert_memory_equal(got, want, length);
    }
    assert_true(cut_end(&cut));
    assert_int_equal(cut_next(&cut, got, sizeof got), 0);
    assert_int_equal(bk_tx_write(w->stack, &u->tx, count, got, sizeof got), 0);
}

/* ---- the tests ---- */

static const uint32_t runs[] = {2043, 1460, 1447, 536, 131, 98, 3};

static void check_lengths(const struct world *w, struct unit *u, uint32_t gso) {
    for (uint32_t whole = 0; whole <= 3; whole++) {
        for (int more = -2; more <= 2; more++) {
            int64_t n = (int64_t)whole * gso + more;
            for (size_t r = 0; r < BK_COUNT(runs); r++) {
                if (n < 0 || n > (int64_t)runs[r] * 100 || n > (int64_t)PAYLOAD_MAX) continue;
                unit_payload(u, w, (uint32_t)n, runs[r]);
                check_unit(w, u);
            }
        }
    }
}

static void test_units(void **state) {
    static const uint16_t sizes[] = {1, 2, 7, 64, 536, 1220, 1448, 1460, 1461};
    struct unit u = {0};
    for (unsigned family = 4; family <= 6; family += 2) {
        for (int ethernet = 0; ethernet < 2; ethernet++) {
            for (size_t s = 0; s < BK_COUNT(sizes); s++) {
                unit_header(&u, family, ethernet, WIRE_ACK | WIRE_PSH | WIRE_FIN | WIRE_CWR | WIRE_ECE);
                u.tx.gso_size = sizes[s];
                u.tx.l4_checksum_partial = 1;
                check_lengths(*state, &u, sizes[s]);
            }
        }
    }
}

static void test_urgent_pointer_counts_from_each_frame(void **state) {
    struct unit u = {0};
    unit_header(&u, 4, true, WIRE_ACK | WIRE_URG);
    u.tx.l4_checksum_partial = 1;
    static const uint16_t sizes[] = {100, 499, 500, 1500, 1501};
    for (size_t s = 0; s < BK_COUNT(sizes); s++) {
        u.tx.gso_size = sizes[s];
        unit_payload(&u, *state, 4001, 1447);
        check_unit(*state, &u);
    }
}

/* One frame, of which only the TCP checksum is unfinished: the IP header stays as it is. */
static void test_partial_checksum(void **state) {
    struct unit u = {0};
    for (unsigned family = 4; family <= 6; family += 2) {
        unit_header(&u, family, true, WIRE_ACK | WIRE_PSH | WIRE_FIN | WIRE_CWR);
        u.tx.l4_checksum_partial = 1;
        for (uint32_t n = 0; n < 300; n++) {
            unit_payload(&u, *state, n, 1 + n / 3);
            check_unit(*state, &u);
        }
    }
}

static void test_complete_units_are_copied(void **state) {
    const struct world *w = *state;
    static const uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    struct unit u = {0};
    uint8_t got[400];
    memcpy(u.header, arp, sizeof arp);
    u.tx.header = u.header;
    u.tx.header_length = sizeof arp;
    for (uint32_t n = 0; n < 200; n += 67) {
        unit_payload(&u, w, n, 33);
        assert_int_equal(bk_tx_count(&u.tx), 1);
        assert_int_equal(bk_tx_write(w->stack, &u.tx, 0, got, sizeof arp + n), sizeof arp + n);
        assert_memory_equal(got, arp, sizeof arp);
        assert_memory_equal(got + sizeof arp, u.payload, n);
    }
}

/* A copy of the cursor is a place to come back to. */
static void test_cursor_comes_back(void **state) {
    const struct world *w = *state;
    struct unit u = {0};
    uint8_t first[1600], again[1600];
    unit_header(&u, 6, false, WIRE_ACK);
    u.tx.gso_size = 1000;
    unit_payload(&u, w, 5500, 777);
    struct cut cut, before;
    cut_begin(&cut, w->stack, &u.tx);
    while (!cut_end(&cut)) {
        before = cut;
        size_t n = cut_next(&cut, first, sizeof first);
        cut = before;
        assert_int_equal(cut_next(&cut, again, sizeof again), n);
        assert_memory_equal(first, again, n);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_urgent_pointer_counts_from_each_frame),
        cmocka_unit_test(test_partial_checksum),
        cmocka_unit_test(test_complete_units_are_copied),
        cmocka_unit_test(test_cursor_comes_back),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
