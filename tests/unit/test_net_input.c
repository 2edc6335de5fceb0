/* Shows each reason for which the network layer drops an arriving frame, and that nothing is ever said about most of them. */
#include "net_fixture.h"

/* A SYN to a port where nobody listens: TCP answers it with RST, so it shows that a packet got through. */
static const struct wire_tcp syn = {.src_port = 1234, .dst_port = 80, .seq = 1, .flags = WIRE_SYN, .window = 100};
static const char *const peers[2] = {"192.0.2.2", "2001:db8::2"}, *const ours[2] = {"192.0.2.1", "2001:db8::1"};
#define EACH_FAMILY(k) for (int k = 0; k < 2; k++)

static struct world *settled(void) {
    struct world *w = world_open(NULL);
    settle(w);
    return w;
}
static void syn_frame(struct world *w, struct pen *f, int k) {
    struct line l = line(peers[k], ours[k]);
    segment(w, f, &l, &syn);
}
/* Makes the IPv4 header's checksum right again. */
static void mend(struct pen *f) {
    uint8_t *h = f->bytes + 14;
    put_be16(h + 10, 0);
    put_be16(h + 10, checksum_finish(checksum_add(0, h, (h[0] & 15u) * 4)));
}

/* The frame comes from a device that says this of its checksum. */
static uint16_t arrives_with(struct world *w, const struct pen *f, uint8_t flags) {
    struct bk_part part = {.length = (uint16_t)f->length};
    assert_int_equal(bk_chunk_alloc(w->stack, &part.chunk, 1), 1);
    memcpy(bk_chunk_data(w->stack, part.chunk), f->bytes, f->length);
    struct bk_rx rx = {.parts = &part, .part_count = 1, .flags = flags};
    bk_input(w->stack, 0, &rx, 1, w->now);
    return rx.reason;
}

static void sound_segment_reaches_tcp(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        syn_frame(w, &f, k);
        assert_reason(arrives(w, &f), ANSWER_RST_CLOSED);
        assert_int_equal(count(w, BK_REASON_ANSWER_RST_CLOSED), 1);
        world_close(w);
    }
}

/* ---- the link ---- */

static void frames_for_others_are_dropped(void **state) {
    (void)state;
    struct world *w = settled();
    struct pen f;
    syn_frame(w, &f, 0);
    f.bytes[5] ^= 4; /* another station's */
    assert_reason(arrives(w, &f), DROP_ETHERNET_ADDRESS);
    syn_frame(w, &f, 0);
    f.bytes[6] |= 1; /* IEEE 802.3: no group sends */
    assert_reason(arrives(w, &f), DROP_ETHERNET_ADDRESS);
    syn_frame(w, &f, 0);
    put_be16(f.bytes + 12, 0x88cc); /* LLDP */
    assert_reason(arrives(w, &f), DROP_ETHERTYPE);
    assert_reason(arrives_on(w, 3, &f), DROP_IFACE);
    for (f.length = 0; f.length < 14; f.length++) assert_reason(arrives(w, &f), DROP_ETHERNET_SHORT);
    expect_silence(w);
    world_close(w);
}

static void malformed_arp_is_dropped(void **state) {
    (void)state;
    struct world *w = settled();
    struct pen f;
    struct wire_arp a = {.op = WIRE_ARP_REQUEST, .sender = ip("192.0.2.2"), .target = ip("192.0.2.1")};
    memcpy(a.sender_mac, peer_mac, 6);
    ethernet(&f, all_mac, peer_mac, WIRE_ETHERTYPE_ARP);
    f.length += wire_arp_emit(f.bytes + 14, &a);
    f.length--;
    assert_reason(arrives(w, &f), DROP_ARP_BAD);
    f.length++;
    f.bytes[14 + 1] = 6; /* hardware type: IEEE 802 */
    assert_reason(arrives(w, &f), DROP_ARP_BAD);
    f.bytes[14 + 1] = 1;
    f.bytes[14 + 4] = 8; /* hardware address length */
    assert_reason(arrives(w, &f), DROP_ARP_BAD);
    expect_silence(w);
    world_close(w);
}

/* ---- IP headers ---- */

/* RFC 1122 3.2.1.1: "A datagram whose version number is not 4 MUST be silently discarded." 3.2.1.2: "A host MUST verify the IP header
 * checksum on every received datagram and silently discard every datagram that has a bad checksum." */
static void malformed_ipv4_headers_are_dropped(void **state) {
    (void)state;
    struct world *w = settled();
    struct pen f;
    for (syn_frame(w, &f, 0), f.length = 14; f.length < 34; f.length++) assert_reason(arrives(w, &f), DROP_IP_SHORT);
    syn_frame(w, &f, 0);
    f.bytes[14] = 0x55;
    mend(&f);
    assert_reason(arrives(w, &f), DROP_IP_VERSION);
    syn_frame(w, &f, 0);
    f.bytes[14] = 0x44; /* a header of 16 bytes */
    assert_reason(arrives(w, &f), DROP_IP_LENGTH);
    syn_frame(w, &f, 0);
    put_be16(f.bytes + 16, 41); /* more than is there */
    mend(&f);
    assert_reason(arrives(w, &f), DROP_IP_LENGTH);
    syn_frame(w, &f, 0);
    put_be16(f.bytes + 16, 19); /* less than the header */
    mend(&f);
    assert_reason(arrives(w, &f), DROP_IP_LENGTH);
    syn_frame(w, &f, 0);
    f.bytes[22] ^= 1;
    assert_reason(arrives(w, &f), DROP_IP_CHECKSUM);
    expect_silence(w);
    world_close(w);
}

/* RFC 791 3.1: padding follows a short datagram on Ethernet, and options precede the data: neither harms. */
static void padding_and_options_are_skipped(void **state) {
    (void)state;
    struct world *w = settled();
    struct pen f, g;
    syn_frame(w, &f, 0);
    memset(f.bytes + f.length, 0xaa, 6);
    f.length += 6;
    assert_reason(arrives(w, &f), ANSWER_RST_CLOSED);

    syn_frame(w, &f, 0);
    memcpy(g.bytes, f.bytes, 34);
    static const uint8_t options[8] = {1, 7, 5, 4, 0, 0, 0}; /* NOP, record route, end */
    memcpy(g.bytes + 34, options, sizeof options);
    memcpy(g.bytes + 42, f.bytes + 34, f.length - 34);
    g.length = f.length + 8;
    g.bytes[14] = 0x47;
    put_be16(g.bytes + 16, (uint16_t)(g.length - 14));
    mend(&g);
    assert_reason(arrives(w, &g), ANSWER_RST_CLOSED);
    g.bytes[34 + 2] = 30; /* a length past the header */
    mend(&g);
    assert_reason(arrives(w, &g), DROP_IP_OPTION);
    world_close(w);
}

/* RFC 8200 3, 4. */
static void malformed_ipv6_headers_are_dropped(void **state) {
    (void)state;
    struct world *w = settled();
    struct pen f;
    for (syn_frame(w, &f, 1), f.length = 14; f.length < 54; f.length++) assert_reason(arrives(w, &f), DROP_IP_SHORT);
    syn_frame(w, &f, 1);
    f.bytes[14] = 0x45;
    assert_reason(arrives(w, &f), DROP_IP_VERSION);
    syn_frame(w, &f, 1);
    put_be16(f.bytes + 18, 21);
    assert_reason(arrives(w, &f), DROP_IP_LENGTH);
    struct line l = line(peers[1], ours[1]);
    uint8_t m[16] = {WIRE_TCP, 9}; /* an extension header longer than the packet */
    packet(w, &f, &l, WIRE_DESTINATION, m, sizeof m);
    assert_reason(arrives(w, &f), DROP_IP_EXTENSION);
    memset(m, 0, sizeof m); /* No Next Header: nothing follows (RFC 8200 4.7) */
    packet(w, &f, &l, WIRE_NO_NEXT, m, sizeof m);
    assert_reason(arrives(w, &f), DROP_IP_PROTOCOL);
    expect_silence(w);
    world_close(w);
}

/* A layer-3 link tells the family by the version alone. */
static void layer_3_link_carries_both_families(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.layer3 = true});
    settle(w);
    EACH_FAMILY(k) {
        struct pen f;
        syn_frame(w, &f, k);
        assert_reason(arrives(w, &f), ANSWER_RST_CLOSED);
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_RST_CLOSED)); /* at once: nothing to resolve */
        assert_addr(&s.dst, peers[k]);
        assert_addr(&s.src, ours[k]);
        assert_int_equal(s.hop_limit, 64);
        f.bytes[0] = 0x75;
        assert_reason(arrives(w, &f), DROP_IP_VERSION);
        f.length = 0;
        assert_reason(arrives(w, &f), DROP_IP_SHORT);
    }
    expect_silence(w);
    world_close(w);
}

/* RFC 6864 4.1: atomic datagrams have DF set, MF clear and offset 0; we send no others, with id 0. */
static void what_we_send_is_atomic(void **state) {
    (void)state;
    struct world *w = world_open(&(struct world_options){.layer3 = true});
    struct pen f;
    syn_frame(w, &f, 0);
    arrives(w, &f);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_RST_CLOSED));
    assert_int_equal(get_be16(s.ip + 4), 0);
    assert_int_equal(get_be16(s.ip + 6), 0x4000);
    world_close(w);
}

/* RFC 9293 MUST-49: the TTL of what we send is configurable; 64 if nobody says so. */
static void ttl_is_configurable(void **state) {
    (void)state;
    static const uint8_t limits[] = {0, 1, 64, 255};
    EACH_FAMILY(k) {
        for (size_t i = 0; i < sizeof limits; i++) {
            struct world *w = world_open(&(struct world_options){.layer3 = true, .hop_limit = limits[i]});
            assert_int_equal(connect_to(w, k == 0 ? "192.0.2.2" : "2001:db8::2", 80), 0);
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_SYN));
            assert_int_equal(s.hop_limit, limits[i] == 0 ? 64 : limits[i]);
            world_close(w);
        }
    }
}

/* ---- addresses ---- */

/* RFC 1122 3.2.1.3: "A host MUST silently discard an incoming datagram containing an IP source address that is invalid by the rules
 * of this section." RFC 9293 3.9.2.3 (MUST-63): "An incoming SYN with an invalid source address MUST be ignored". */
static void impossible_sources_are_dropped(void **state) {
    (void)state;
    static const char *const sources[2][9] = {
        {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "192.0.2.255", "192.0.2.1"},
        {"::1", "ff02::1", "ff0e::7", "2001:db8::1"},
    };
    EACH_FAMILY(k) {
        struct world *w = settled();
        for (int i = 0; sources[k][i] != NULL; i++) {
            struct line l = line(sources[k][i], ours[k]);
            assert_reason(arrives_tcp(w, &l, &syn), DROP_BAD_SOURCE);
            assert_reason(arrives_udp(w, &l), DROP_IP_SOURCE);
        }
        expect_silence(w);
        world_close(w);
    }
}

/* The same packet comes again, and meanwhile its source has become our own address: what was found out about it before counts no more. */
static void known_addresses_are_judged_anew(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        bk_addr peer = ip(peers[k]);
        syn_frame(w, &f, k);
        for (int i = 0; i < 2; i++) assert_reason(arrives(w, &f), ANSWER_RST_CLOSED);
        assert_int_equal(bk_iface_address_add(w->stack, 0, &peer, k == 0 ? 24 : 64, true, w->now), 0);
        assert_reason(arrives(w, &f), DROP_BAD_SOURCE);
        world_close(w);
    }
}

/* RFC 4291 2.5.2: the unspecified address is a source only while a node has none yet: neighbour discovery speaks from it, nothing else. */
static void unspecified_ipv6_source_is_for_discovery_only(void **state) {
    (void)state;
    struct world *w = settled();
    struct line l = line("::", ours[1]);
    assert_reason(arrives_tcp(w, &l, &syn), DROP_BAD_SOURCE);
    assert_reason(arrives_udp(w, &l), DROP_IP_SOURCE);
    uint8_t echo[8] = {WIRE_ICMPV6_ECHO};
    assert_reason(arrives_icmp(w, &l, echo, sizeof echo), DROP_IP_SOURCE);
    struct pen f;
    uint8_t m[28] = {WIRE_TCP, 0, 1, 4}; /* TCP behind an extension header */
    packet(w, &f, &l, WIRE_DESTINATION, m, sizeof m);
    assert_int_not_equal(arrives(w, &f), BK_REASON_ANSWER_RST_CLOSED);
    expect_silence(w);
    world_close(w);
}

/* An IPv4-mapped address in an IPv6 header must not pass for the IPv4 address (RFC 4942 2.2). */
static void mapped_addresses_are_dropped(void **state) {
    (void)state;
    struct world *w = settled();
    struct pen f;
    bk_addr mapped = ip("192.0.2.2");
    syn_frame(w, &f, 1);
    memcpy(f.bytes + 14 + 8, mapped.byte, 16);
    assert_reason(arrives(w, &f), DROP_IP_SOURCE);
    mapped = ip("192.0.2.1");
    syn_frame(w, &f, 1);
    memcpy(f.bytes + 14 + 24, mapped.byte, 16);
    assert_reason(arrives(w, &f), DROP_IP_DESTINATION);
    expect_silence(w);
    world_close(w);
}

/* RFC 1122 3.2.1.3: "A host MUST silently discard an incoming datagram that is not destined for the host." */
static void other_destinations_are_dropped(void **state) {
    (void)state;
    static const char *const others[2][5] = {{"192.0.2.3", "198.51.100.1", "127.0.0.1", "0.0.0.0"},
                                             {"2001:db8::3", "::1", "ff02::2", "ff02::1:ff00:9"}};
    EACH_FAMILY(k) {
        struct world *w = settled();
        for (int i = 0; others[k][i] != NULL; i++) {
            struct line l = line(peers[k], others[k][i]);
            assert_reason(arrives_tcp(w, &l, &syn), DROP_IP_DESTINATION);
        }
        expect_silence(w);
        world_close(w);
    }
}

/* RFC 1122 3.3.4.2, strong end system model: an address belongs to its interface. */
static void address_of_another_interface_is_not_ours_here(void **state) {
    (void)state;
    struct world *w = settled();
    uint32_t second = iface_add(w, &(struct world_options){0}, other_mac);
    struct pen f;
    syn_frame(w, &f, 0);
    memcpy(f.bytes, other_mac, 6);
    assert_reason(arrives_on(w, second, &f), DROP_IP_DESTINATION);
    world_close(w);
}

/* RFC 9293 3.9.2.3 (MUST-57): "A TCP implementation MUST silently discard an incoming SYN segment that is addressed to a broadcast
 * or multicast address." */
static void tcp_to_groups_is_dropped(void **state) {
    (void)state;
    static const char *const groups[2][4] = {{"255.255.255.255", "192.0.2.255", "224.0.0.1"},
                                             {"ff02::1", "ff02::1:ff00:1"}};
    EACH_FAMILY(k) {
        struct world *w = settled();
        for (int i = 0; groups[k][i] != NULL; i++) {
            struct line l = line(peers[k], groups[k][i]);
            l.dst_mac = all_mac;
            assert_reason(arrives_tcp(w, &l, &syn), DROP_BROADCAST);
        }
        struct line l = line(peers[k], ours[k]);
        l.dst_mac = all_mac; /* a link-layer broadcast of a unicast packet */
        assert_reason(arrives_tcp(w, &l, &syn), DROP_BROADCAST);
        expect_silence(w);
        world_close(w);
    }
}

/* An interface that accepts any destination takes it as ours and answers from it; but no group, and nothing impossible. */
static void accept_any_answers_from_every_address(void **state) {
    (void)state;
    static const char *const far[2] = {"203.0.113.77", "2001:db8:77::7"}, *const source[2] = {"10.0.0.9", "fd00::9"};
    static const char *const never[2][4] = {{"127.0.0.1", "0.0.0.0"}, {"::1", "::", "ff02::5"}};
    EACH_FAMILY(k) {
        struct world *w =
            world_open(&(struct world_options){.layer3 = true, .accept_any = true, .no_ipv4 = true, .no_ipv6 = true});
        struct line l = line(source[k], far[k]);
        assert_reason(arrives_tcp(w, &l, &syn), ANSWER_RST_CLOSED);
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_RST_CLOSED));
        assert_addr(&s.src, far[k]);
        assert_addr(&s.dst, source[k]);
        uint8_t echo[8] = {k == 0 ? WIRE_ICMP_ECHO : WIRE_ICMPV6_ECHO};
        assert_reason(arrives_icmp(w, &l, echo, sizeof echo), ACCEPT_ECHO);
        s = look(w, expect_sent(w, BK_REASON_SEND_ECHO_REPLY));
        assert_addr(&s.src, far[k]);
        for (int i = 0; never[k][i] != NULL; i++) {
            l = line(source[k], never[k][i]);
            assert_reason(arrives_tcp(w, &l, &syn), DROP_IP_DESTINATION);
        }
        l = line(far[k], far[k]); /* to itself */
        assert_reason(arrives_tcp(w, &l, &syn), DROP_BAD_SOURCE);
        expect_silence(w);
        world_close(w);
    }
}

/* ---- transports ---- */

/* RFC 9293 3.1 (MUST-3): "the receiver MUST check" the checksum. A device that says it did is believed. */
static void tcp_checksum_is_verified(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        size_t begin = k == 0 ? 34 : 54;
        for (size_t at = begin; at < begin + 20; at++) {
            syn_frame(w, &f, k);
            f.bytes[at] ^= 0x01;
            assert_reason(arrives(w, &f), DROP_TCP_CHECKSUM);
        }
        expect_silence(w);
        static const uint8_t flags[] = {BK_RX_CHECKSUM_VALID, BK_RX_CHECKSUM_PARTIAL};
        for (size_t i = 0; i < 2; i++) {
            syn_frame(w, &f, k);
            f.bytes[begin + 16] ^= 1; /* the checksum itself */
            assert_reason(arrives_with(w, &f, flags[i]), ANSWER_RST_CLOSED);
        }
        world_close(w);
    }
}

/* A device that cannot say whether a local sender left the checksum unfinished: that is the pseudo header's sum alone. 192.0.2.2 to .1, protocol 6,
 * length 20: c000 + 0202 + c000 + 0201 + 0006 + 0014 = 1841d, folded 841e. 2001:db8::2 to ::1: 2001 + 0db8 + 0002 + 2001 +
 * 0db8 + 0001 + 0006 + 0014 = 5b8f. Anything else is verified, and from any other device this is wrong, too. */
static void unfinished_checksum_is_told_from_a_bad_one(void **state) {
    (void)state;
    static const uint16_t unfinished[] = {0x841e, 0x5b8f};
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        uint8_t *field = f.bytes + (k == 0 ? 34 : 54) + 16;
        syn_frame(w, &f, k);
        assert_reason(arrives_with(w, &f, BK_RX_CHECKSUM_LOCAL), ANSWER_RST_CLOSED);
        collect(w);
        forget(w);
        put_be16(field, (uint16_t)(unfinished[k] + 1));
        assert_reason(arrives_with(w, &f, BK_RX_CHECKSUM_LOCAL), DROP_TCP_CHECKSUM);
        put_be16(field, unfinished[k]);
        assert_reason(arrives_with(w, &f, 0), DROP_TCP_UNFINISHED);
        expect_silence(w);
        assert_reason(arrives_with(w, &f, BK_RX_CHECKSUM_LOCAL), ANSWER_RST_CLOSED);
        struct bk_tcp_mib mib;
        bk_tcp_mib(w->stack, &mib);
        assert_int_equal(mib.in_errs, 2);
        world_close(w);
    }
}

/* RFC 9293 3.1: a header has 20 bytes at least, of which data offset tells. RFC 4022: what is received in error is received, too. */
static void malformed_tcp_is_dropped(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        struct line l = line(peers[k], ours[k]);
        uint8_t m[WIRE_TCP_LENGTH_MAX];
        struct wire_tcp t = syn;
        size_t n = wire_tcp_emit(m, &t);
        for (size_t length = 0; length < n; length++) {
            packet(w, &f, &l, WIRE_TCP, m, length);
            assert_reason(arrives(w, &f), DROP_TCP_SHORT);
        }
        m[12] = 0x40;
        complete(&l, WIRE_TCP, m, n, 16);
        packet(w, &f, &l, WIRE_TCP, m, n);
        assert_reason(arrives(w, &f), DROP_TCP_OFFSET);
        expect_silence(w);
        struct bk_tcp_mib mib;
        bk_tcp_mib(w->stack, &mib);
        assert_int_equal(mib.in_segs, n + 1);
        assert_int_equal(mib.in_errs, n + 1);
        world_close(w);
    }
}

/* RFC 768: the length counts the header; RFC 1122 4.1.3.4: a bad checksum is discarded silently, and zero means none; RFC 8200 8.1: not so in
 * IPv6, where "receivers must discard UDP packets containing a zero checksum". */
static void malformed_udp_is_dropped(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        struct line l = line(peers[k], ours[k]);
        uint8_t m[12] = {0};
        wire_udp_emit(m, &(struct wire_udp){.src_port = 9, .dst_port = 9, .length = 12});
        complete(&l, WIRE_UDP, m, sizeof m, 6);
        packet(w, &f, &l, WIRE_UDP, m, 7);
        assert_reason(arrives(w, &f), DROP_UDP_BAD);
        m[5] = 13; /* longer than the packet */
        packet(w, &f, &l, WIRE_UDP, m, sizeof m);
        assert_reason(arrives(w, &f), DROP_UDP_BAD);
        m[5] = 12;
        m[11] ^= 1;
        packet(w, &f, &l, WIRE_UDP, m, sizeof m);
        assert_reason(arrives(w, &f), DROP_UDP_BAD);
        expect_silence(w);
        put_be16(m + 6, 0);
        packet(w, &f, &l, WIRE_UDP, m, sizeof m);
        assert_int_equal(arrives(w, &f), k == 0 ? BK_REASON_ANSWER_PORT_UNREACHABLE : BK_REASON_DROP_UDP_BAD);
        world_close(w);
    }
}

/* Any bytes are fine: frames cut short and with every byte changed in turn leave the stack whole, with all its chunks. */
static void damaged_frames_do_no_harm(void **state) {
    (void)state;
    EACH_FAMILY(k) {
        struct world *w = settled();
        struct pen f;
        for (size_t at = 0; at < 74; at++)
            for (int bit = 0; bit < 8; bit++) {
                syn_frame(w, &f, k);
                f.bytes[at] ^= (uint8_t)(1 << bit);
                (void)bk_input_copy(w->stack, 0, f.bytes, f.length, w->now);
                f.length = at;
                (void)bk_input_copy(w->stack, 0, f.bytes, f.length, w->now);
            }
        collect(w);
        forget(w);
        pass(w, 5 * SECOND);
        pass(w, 60 * SECOND);
        assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
        assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
        world_close(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_segment_reaches_tcp),
        cmocka_unit_test(frames_for_others_are_dropped),
        cmocka_unit_test(malformed_arp_is_dropped),
        cmocka_unit_test(malformed_ipv4_headers_are_dropped),
        cmocka_unit_test(padding_and_options_are_skipped),
        cmocka_unit_test(malformed_ipv6_headers_are_dropped),
        cmocka_unit_test(layer_3_link_carries_both_families),
        cmocka_unit_test(what_we_send_is_atomic),
        cmocka_unit_test(ttl_is_configurable),
        cmocka_unit_test(impossible_sources_are_dropped),
        cmocka_unit_test(known_addresses_are_judged_anew),
        cmocka_unit_test(unspecified_ipv6_source_is_for_discovery_only),
        cmocka_unit_test(mapped_addresses_are_dropped),
        cmocka_unit_test(other_destinations_are_dropped),
        cmocka_unit_test(address_of_another_interface_is_not_ours_here),
        cmocka_unit_test(tcp_to_groups_is_dropped),
        cmocka_unit_test(accept_any_answers_from_every_address),
        cmocka_unit_test(tcp_checksum_is_verified),
        cmocka_unit_test(unfinished_checksum_is_told_from_a_bad_one),
        cmocka_unit_test(malformed_tcp_is_dropped),
        cmocka_unit_test(malformed_udp_is_dropped),
        cmocka_unit_test(damaged_frames_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
