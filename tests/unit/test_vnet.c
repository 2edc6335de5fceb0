/* Shows that the header of an offloading device is written and read as VIRTIO 1.2 5.1.6 has it, and that one that makes no sense is refused
 * with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "beckon/trace.h"
#include "link/vnet.h"

#define CWR 0x80u
#define URG 0x20u

/* ---- out ---- */

/* A unit over Ethernet and IP of the family, with a TCP header of 20 bytes; the parts play no role. */
static struct bk_tx unit_make(uint8_t header[128], int family, uint8_t flags, uint16_t gso_size, uint32_t payload) {
    uint16_t l4 = family == 4 ? 34 : 54;
    memset(header, 0, 128);
    header[14] = family == 4 ? 0x45 : 0x60;
    header[l4 + 13] = flags;
    return (struct bk_tx){.header = header,
                          .header_length = (uint16_t)(l4 + 20),
                          .ip_offset = 14,
                          .l4_offset = l4,
                          .gso_size = gso_size,
                          .payload_length = payload,
                          .l4_checksum_partial = 1};
}

static void expect_header(const struct bk_tx *unit, const uint8_t wanted[VNET_HEADER]) {
    uint8_t got[VNET_HEADER];
    assert_true(vnet_takes(unit));
    vnet_emit(got, unit);
    assert_memory_equal(got, wanted, VNET_HEADER);
}

/* flags, gso_type, hdr_len, gso_size, csum_start, csum_offset; the last four little-endian. */
static void test_units(void **state) {
    uint8_t header[128];
    (void)state;
    struct bk_tx unit = unit_make(header, 4, 0x10, 1460, 64240);
    expect_header(&unit, (const uint8_t[]){1, 1, 54, 0, 0xb4, 0x05, 34, 0, 16, 0});
    unit = unit_make(header, 6, 0x10, 1440, 1441);
    expect_header(&unit, (const uint8_t[]){1, 4, 74, 0, 0xa0, 0x05, 54, 0, 16, 0});
    unit = unit_make(header, 4, 0x10 | CWR, 1460, 2920); /* CWR belongs to the first segment alone */
    expect_header(&unit, (const uint8_t[]){1, 0x81, 54, 0, 0xb4, 0x05, 34, 0, 16, 0});
}

static void test_single_frames(void **state) {
    uint8_t header[128];
    (void)state;
    /* One segment: only the checksum is left to do. */
    struct bk_tx unit = unit_make(header, 4, 0x10, 1460, 1460);
    expect_header(&unit, (const uint8_t[]){1, 0, 54, 0, 0, 0, 34, 0, 16, 0});
    unit = unit_make(header, 4, 0x10, 0, 0);
    expect_header(&unit, (const uint8_t[]){1, 0, 54, 0, 0, 0, 34, 0, 16, 0});
    /* Finished frames: nothing is. */
    unit.l4_checksum_partial = 0;
    expect_header(&unit, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

/* The urgent pointer counts from each segment's own sequence number, and no device adjusts it. */
static void test_what_cannot_be_told(void **state) {
    uint8_t header[128];
    (void)state;
    struct bk_tx unit = unit_make(header, 4, 0x10 | URG, 1460, 2920);
    assert_false(vnet_takes(&unit));
    unit = unit_make(header, 4, 0x10 | URG, 1460, 1460);
    assert_true(vnet_takes(&unit));
    unit = unit_make(header, 4, 0x10, 1460, 2920);
    unit.l4_checksum_partial = 0;
    assert_false(vnet_takes(&unit));
}

/* ---- in ---- */

static const struct {
    const char *what;
    uint8_t header[VNET_HEADER];
    uint32_t length;
    uint16_t reason;
    uint8_t flags;
    uint16_t gso_size;
} rows[] = {
    {"a plain frame", {0}, 60, BK_REASON_NONE, 0, 0},
    {"checksum known to be good", {2}, 60, BK_REASON_NONE, BK_RX_CHECKSUM_VALID, 0},
    {"unfinished checksum", {1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, 60, BK_REASON_NONE, BK_RX_CHECKSUM_PARTIAL, 0},
    {"its field ends the frame", {1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, 52, BK_REASON_NONE, BK_RX_CHECKSUM_PARTIAL, 0},
    {"it begins past the end", {1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, 30, BK_REASON_DROP_OFFLOAD_CHECKSUM, 0, 0},
    {"its field is cut off", {1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, 51, BK_REASON_DROP_OFFLOAD_CHECKSUM, 0, 0},
    {"sums do not wrap", {1, 0, 0, 0, 0, 0, 0xff, 0xff, 3, 0}, 60, BK_REASON_DROP_OFFLOAD_CHECKSUM, 0, 0},
    {"places without the flag mean nothing", {0, 0, 0, 0, 0, 0, 0xff, 0xff, 3, 0}, 60, BK_REASON_NONE, 0, 0},
    {"merged, IPv4", {1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0}, 65549, BK_REASON_NONE, BK_RX_CHECKSUM_PARTIAL, 1460},
    {"merged, IPv6", {1, 4, 74, 0, 0xa0, 5, 54, 0, 16, 0}, 3000, BK_REASON_NONE, BK_RX_CHECKSUM_PARTIAL, 1440},
    {"merged, with ECN", {1, 0x81, 54, 0, 0xb4, 5, 34, 0, 16, 0}, 3000, BK_REASON_NONE, BK_RX_CHECKSUM_PARTIAL, 1460},
    {"merged and checked", {2, 1, 54, 0, 0xb4, 5, 0, 0, 0, 0}, 3000, BK_REASON_NONE, BK_RX_CHECKSUM_VALID, 1460},
    {"merged of segments without size", {1, 1, 54, 0, 0, 0, 34, 0, 16, 0}, 3000, BK_REASON_DROP_OFFLOAD_SIZE, 0, 0},
    {"headers longer than the frame", {1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0}, 53, BK_REASON_DROP_OFFLOAD_SIZE, 0, 0},
    {"more than an IP packet holds", {1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0}, 65550, BK_REASON_DROP_OFFLOAD_SIZE, 0, 0},
    {"the same, not merged", {0}, 65550, BK_REASON_DROP_OFFLOAD_SIZE, 0, 0},
    {"UFO", {1, 3, 42, 0, 0xb4, 5, 34, 0, 6, 0}, 3000, BK_REASON_DROP_OFFLOAD_TYPE, 0, 0},
    {"USO", {1, 5, 42, 0, 0xb4, 5, 34, 0, 6, 0}, 3000, BK_REASON_DROP_OFFLOAD_TYPE, 0, 0},
    {"no type but ECN", {1, 0x80, 54, 0, 0xb4, 5, 34, 0, 16, 0}, 3000, BK_REASON_DROP_OFFLOAD_TYPE, 0, 0},
    {"a type of nobody's", {1, 0x7f, 54, 0, 0xb4, 5, 34, 0, 16, 0}, 3000, BK_REASON_DROP_OFFLOAD_TYPE, 0, 0},
    {"a size without a type means nothing", {0, 0, 0, 0, 0xb4, 5, 0, 0, 0, 0}, 3000, BK_REASON_NONE, 0, 0},
};

static void test_what_is_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bk_rx rx = {0};
        vnet_parse(rows[i].header, rows[i].length, &rx);
        if (rx.reason != rows[i].reason) fail_msg("%s: reason %u", rows[i].what, rx.reason);
        if (rx.flags != (rx.reason != BK_REASON_NONE ? BK_RX_REFUSED : rows[i].flags))
            fail_msg("%s: flags %u", rows[i].what, rx.flags);
        if (rx.gso_size != rows[i].gso_size) fail_msg("%s: size %u", rows[i].what, rx.gso_size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_single_frames),
        cmocka_unit_test(test_what_cannot_be_told),
        cmocka_unit_test(test_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
