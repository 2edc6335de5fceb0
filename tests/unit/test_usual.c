/* Shows that a segment which looks like the one before it is judged as that one was, for all that is said about segments in one go: whatever is wrong
 * with it is found and told as with any other, and nothing that goes by its bytes is lost. */
#include "net_fixture.h"

static const struct wire_tcp syn = {.src_port = 1234, .dst_port = 80, .seq = 1, .flags = WIRE_SYN, .window = 100};
static const char *const peers[2] = {"192.0.2.2", "2001:db8::2"}, *const ours[2] = {"192.0.2.1", "2001:db8::1"};
#define EACH_FAMILY(k)     for (int k = 0; k < 2; k++)
#define EACH_LAYER(layer3) for (int layer3 = 0; layer3 < 2; layer3++)

static void make(const struct world *w, struct pen *f, int k) {
    struct line l = line(peers[k], ours[k]);
    segment(w, f, &l, &syn);
}

/* A world in which such segments have been there before. */
static struct world *used(bool layer3) {
    struct world *w = world_open(&(struct world_options){.layer3 = layer3});
    settle(w);
    EACH_FAMILY(k) {
        struct pen f;
        make(w, &f, k);
        for (int i = 0; i < 3; i++) assert_reason(arrives(w, &f), ANSWER_RST_CLOSED);
    }
    return w;
}

/* The frame comes from a device that has verified TCP's checksum. */
static uint16_t arrives_verified(struct world *w, const struct pen *f) {
    struct bk_part part = {.length = (uint16_t)f->length};
    assert_int_equal(bk_chunk_alloc(w->stack, &part.chunk, 1), 1);
    memcpy(bk_chunk_data(w->stack, part.chunk), f->bytes, f->length);
    struct bk_rx rx = {.parts = &part, .part_count = 1, .flags = BK_RX_CHECKSUM_VALID};
    bk_input(w->stack, 0, &rx, 1, w->now);
    collect(w);
    return rx.reason;
}

/* Changes `n` bytes at `at` behind the link header, makes an IPv4 header's checksum right if asked, and tells the reason, which the device's word for
 * TCP's checksum does not change. */
static uint16_t changed(struct world *w, int k, uint32_t at, uint32_t n, uint32_t value, bool mend) {
    struct pen f;
    make(w, &f, k);
    uint8_t *ip = f.bytes + (w->layer3 ? 0 : 14);
    for (uint32_t i = 0; i < n; i++) ip[at + i] = (uint8_t)(value >> 8 * (n - 1 - i));
    if (mend) {
        put_be16(ip + 10, 0);
        put_be16(ip + 10, checksum_finish(checksum_add(0, ip, 20)));
    }
    uint16_t reason = arrives(w, &f);
    if (reason != BK_REASON_DROP_TCP_CHECKSUM && reason != BK_REASON_DROP_UDP_BAD)
        assert_int_equal(arrives_verified(w, &f), reason);
    return reason;
}

static void headers_are_judged_each_time(void **state) {
    (void)state;
    EACH_LAYER(layer3) {
        struct world *w = used(layer3);
        uint64_t good = count(w, BK_REASON_ANSWER_RST_CLOSED);
        assert_reason(changed(w, 0, 8, 1, 63, false), DROP_IP_CHECKSUM); /* TTL */
        assert_reason(changed(w, 0, 2, 2, 41, true), DROP_IP_LENGTH);    /* more than there is */
        assert_reason(changed(w, 0, 2, 2, 39, true), DROP_TCP_SHORT);    /* less than a TCP header */
        assert_reason(changed(w, 0, 2, 2, 19, true), DROP_IP_LENGTH);    /* or than its own */
        assert_reason(changed(w, 0, 6, 2, 0x2000, true),
                      DROP_FRAGMENT_BAD); /* more fragments, at no multiple of eight */
        assert_reason(changed(w, 0, 9, 1, WIRE_UDP, true), DROP_UDP_BAD);
        assert_reason(changed(w, 0, 12, 4, 0x7f000001, true), DROP_BAD_SOURCE);
        assert_reason(changed(w, 0, 16, 4, 0xc0000209, true), DROP_IP_DESTINATION);
        assert_reason(changed(w, 0, 20 + 4, 1, 0x55, false), DROP_TCP_CHECKSUM);
        assert_reason(changed(w, 1, 4, 2, 21, false), DROP_IP_LENGTH);
        assert_reason(changed(w, 1, 4, 2, 19, false), DROP_TCP_SHORT);
        assert_reason(changed(w, 1, 6, 1, WIRE_UDP, false), DROP_UDP_BAD);
        assert_reason(changed(w, 1, 8, 1, 0xff, false), DROP_BAD_SOURCE);
        assert_reason(changed(w, 1, 39, 1, 9, false), DROP_IP_DESTINATION);
        assert_reason(changed(w, 1, 40 + 4, 1, 0x55, false), DROP_TCP_CHECKSUM);
        assert_int_equal(count(w, BK_REASON_ANSWER_RST_CLOSED), good);
        EACH_FAMILY(k) {
            struct pen f;
            make(w, &f, k);
            memset(f.bytes + f.length, 0xaa, 6); /* padding harms nothing */
            f.length += 6;
            assert_reason(arrives(w, &f), ANSWER_RST_CLOSED);
            for (f.length -= 7; f.length > 0; f.length--)
                assert_int_not_equal(arrives(w, &f), BK_REASON_ANSWER_RST_CLOSED);
        }
        world_close(w);
    }
}

static void link_header_is_judged_each_time(void **state) {
    (void)state;
    struct world *w = used(false);
    EACH_FAMILY(k) {
        struct pen f;
        make(w, &f, k);
        f.bytes[5] ^= 4; /* another station's */
        assert_reason(arrives(w, &f), DROP_ETHERNET_ADDRESS);
        memset(f.bytes, 0xff, 6);
        assert_reason(arrives(w, &f), DROP_BROADCAST);
        make(w, &f, k);
        f.bytes[6] |= 1; /* no group sends */
        assert_reason(arrives(w, &f), DROP_ETHERNET_ADDRESS);
        make(w, &f, k);
        put_be16(f.bytes + 12, k == 0 ? WIRE_ETHERTYPE_IPV6 : WIRE_ETHERTYPE_IPV4);
        assert_reason(arrives(w, &f), DROP_IP_VERSION);
        put_be16(f.bytes + 12, 0x88cc);
        assert_reason(arrives(w, &f), DROP_ETHERTYPE);
    }
    world_close(w);
}

/* Addresses that are good in IPv4 are not in an IPv6 header (RFC 4942 2.2). */
static void mapped_addresses_are_not_the_known_ones(void **state) {
    (void)state;
    EACH_LAYER(layer3) {
        struct world *w = used(layer3);
        struct pen f;
        bk_addr src = ip(peers[0]), dst = ip(ours[0]);
        make(w, &f, 1);
        uint8_t *header = f.bytes + (layer3 ? 0 : 14);
        memcpy(header + 8, src.byte, 16);
        memcpy(header + 24, dst.byte, 16);
        /* Its checksum is right. */
        uint64_t sum = checksum_add(WIRE_TCP + 20, header + 8, 32);
        put_be16(header + 40 + 16, 0);
        put_be16(header + 40 + 16, checksum_finish(checksum_add(sum, header + 40, 20)));
        assert_reason(arrives(w, &f), DROP_IP_SOURCE);
        world_close(w);
    }
}

/* RFC 3168 6.1.1: a SYN that asks for ECN is not itself marked; such a one is not granted it. The codepoint is in the IP header. */
static void traffic_class_is_read(void **state) {
    (void)state;
    EACH_FAMILY(k) for (int marked = 0; marked < 2; marked++) {
        struct world *w = used(true);
        bk_addr any = ip("::");
        bk_listener listener;
        assert_int_equal(bk_tcp_listen(w->stack, &any, 80, 4, 0, w->now, &listener), 0);
        struct line l = line(peers[k], ours[k]);
        struct wire_tcp ask = syn;
        struct pen f;
        ask.flags |= WIRE_ECE | WIRE_CWR;
        segment(w, &f, &l, &ask);
        if (k == 0) {
            f.bytes[1] = (uint8_t)marked;
            put_be16(f.bytes + 10, 0);
            put_be16(f.bytes + 10, checksum_finish(checksum_add(0, f.bytes, 20)));
        } else {
            f.bytes[1] = (uint8_t)(marked << 4);
        }
        forget(w);
        assert_reason(arrives(w, &f), ACCEPT_SYN);
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN_ACK));
        assert_int_equal((s.payload[13] & WIRE_ECE) != 0, !marked);
        world_close(w);
    }
}

/* Replies wait for whichever interface is asked first, and leave by their own. */
static void replies_leave_by_their_own_interface(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = world_open(&(struct world_options){.layer3 = true});
        uint32_t second = iface_add(w, &(struct world_options){.layer3 = true}, other_mac);
        bk_addr there = ip(k == 0 ? "198.51.100.1" : "2001:db8:1::1");
        assert_int_equal(bk_iface_address_add(w->stack, second, &there, k == 0 ? 24 : 64, true, w->now), 0);
        settle(w);
        struct line l = line(k == 0 ? "198.51.100.2" : "2001:db8:1::2", k == 0 ? "198.51.100.1" : "2001:db8:1::1");
        struct pen f;
        segment(w, &f, &l, &syn);
        for (int i = 0; i < 2; i++) {
            forget(w);
            assert_reason(arrives_on(w, second, &f), ANSWER_RST_CLOSED);
            assert_int_equal(expect_sent(w, BK_REASON_SEND_RST_CLOSED)->iface, second);
            expect_silence(w);
        }
        world_close(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_judged_each_time),
        cmocka_unit_test(link_header_is_judged_each_time),
        cmocka_unit_test(mapped_addresses_are_not_the_known_ones),
        cmocka_unit_test(traffic_class_is_read),
        cmocka_unit_test(replies_leave_by_their_own_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
