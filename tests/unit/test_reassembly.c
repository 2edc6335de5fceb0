/* Shows that fragments become datagrams in any order, within bounds, and that fragments which lie are given up.
 *
 * The datagrams are echo requests: what was put together is seen in the reply. */
#include "net_fixture.h"

#include "beckon/steer.h"

#define DATA 3000u

/* An echo request as it stands whole: 8 bytes of header and DATA that differ from byte to byte. */
struct datagram {
    struct line line;
    uint8_t bytes[65536];
    size_t length;
    uint32_t id;
    uint8_t protocol, traffic_class;
};

static struct datagram *datagram(const char *src, const char *dst, size_t data, uint32_t id) {
    struct datagram *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->line = line(src, dst);
    d->length = 8 + data;
    d->id = id;
    d->protocol = icmp_of(&d->line);
    d->bytes[0] = d->protocol == WIRE_ICMP ? WIRE_ICMP_ECHO : WIRE_ICMPV6_ECHO;
    d->bytes[4] = 0x12;
    for (size_t i = 0; i < data; i++) d->bytes[8 + i] = (uint8_t)(i * 7 + i / 256);
    complete(&d->line, d->protocol, d->bytes, d->length, 2);
    return d;
}

/* Bytes [begin, end) of it arrive as a fragment. */
static uint16_t fragment_arrives(struct world *w, const struct datagram *d, size_t begin, size_t end, bool more) {
    struct pen f;
    uint8_t m[2000];
    bool ipv4 = bk_addr_is_ipv4(&d->line.dst);
    size_t n = end - begin;
    assert_true(n + 8 <= sizeof m);
    if (ipv4) {
        packet(w, &f, &d->line, d->protocol, d->bytes + begin, n);
        struct wire_ipv4 h = {.header_length = 20,
                              .total_length = (uint16_t)(20 + n),
                              .id = (uint16_t)d->id,
                              .fragment_offset = (uint16_t)begin,
                              .more_fragments = more,
                              .ttl = 64,
                              .traffic_class = d->traffic_class,
                              .protocol = d->protocol,
                              .src = d->line.src,
                              .dst = d->line.dst};
        wire_ipv4_emit(f.bytes + 14, &h);
    } else {
        memset(m, 0, 8);
        m[0] = d->protocol;
        put_be16(m + 2, (uint16_t)(begin | more));
        put_be32(m + 4, d->id);
        memcpy(m + 8, d->bytes + begin, n);
        packet(w, &f, &d->line, WIRE_FRAGMENT, m, 8 + n);
        put_be16(f.bytes + 14, (uint16_t)(0x6000 | d->traffic_class << 4));
    }
    return arrives(w, &f);
}

/* Puts the fragments of our reply together and compares it with the question. Ours leave in order. */
static void expect_reply(struct world *w, const struct datagram *d) {
    static uint8_t got[65536];
    size_t length = 0;
    bool more = true;
    const struct out *o;
    while ((o = sent(w, BK_REASON_SEND_ECHO_REPLY)) != NULL) {
        struct seen s = look(w, o);
        assert_true(more);
        assert_true(s.ip_length <= 1500);
        if (s.protocol == WIRE_FRAGMENT) {
            assert_int_equal(s.payload[0], WIRE_ICMPV6);
            assert_int_equal(get_be16(s.payload + 2) & 0xfff8, length);
            more = s.payload[3] & 1;
            s.payload += 8;
            s.length -= 8;
        } else if (s.protocol == WIRE_ICMP) {
            assert_int_equal((get_be16(s.ip + 6) & 0x1fff) * 8, length);
            more = s.ip[6] & 0x20;
        } else {
            more = false;
        }
        memcpy(got + length, s.payload, s.length);
        length += s.length;
    }
    assert_false(more);
    assert_int_equal(length, d->length);
    assert_memory_equal(got + 4, d->bytes + 4, length - 4);
    struct seen whole = {
        .src = d->line.dst, .dst = d->line.src, .protocol = d->protocol, .payload = got, .length = length};
    assert_true(checksum_right(&whole));
}

struct family {
    const char *us, *peer;
};
static const struct family families[] = {{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8::2"}};
#define EACH_FAMILY(f) for (const struct family *f = families; f < families + 2; f++)

/* A world that knows the peer's MAC. */
static struct world *acquainted(const struct world_options *options) {
    struct world *w = world_open(options);
    settle(w);
    arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", peer_mac, "192.0.2.1");
    struct line l = line("2001:db8::2", "2001:db8::1");
    struct wire_neighbor m = {.target = ip("2001:db8::1"), .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    arrives_neighbor(w, l, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m);
    forget(w);
    return w;
}

/* RFC 791 3.2: fragments are put in their places as they come, and the whole is passed on when it is complete. RFC
 * 1122 3.2.2.6: "Data received in an ICMP Echo Request MUST be entirely included in the resulting Echo Reply." */
static void fragments_in_any_order_make_a_datagram(void **state) {
    (void)state;
    static const uint8_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    EACH_FAMILY(f) {
        for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
            struct world *w = acquainted(NULL);
            struct datagram *d = datagram(f->peer, f->us, DATA, 77);
            for (uint32_t k = 0; k < 4; k++) {
                size_t begin = orders[i][k] * 800u, end = begin + 800 < d->length ? begin + 800 : d->length;
                uint16_t reason = fragment_arrives(w, d, begin, end, end < d->length);
                assert_int_equal(reason, k < 3 ? BK_REASON_ACCEPT_FRAGMENT : BK_REASON_ACCEPT_ECHO);
            }
            expect_reply(w, d);
            assert_int_equal(in_use(w, BK_POOL_REASSEMBLIES), 0);
            assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
            assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
            free(d);
            world_close(w);
        }
    }
}

/* The longest datagram that IP knows: 65,535 bytes, with the IPv4 header or as IPv6 payload. */
static void longest_datagram_is_reassembled(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, 65535 - 20 - 8, 5);
        for (size_t begin = 0; begin < d->length; begin += 1400) {
            size_t end = begin + 1400 < d->length ? begin + 1400 : d->length;
            uint16_t reason = fragment_arrives(w, d, begin, end, end < d->length);
            assert_int_equal(reason, end < d->length ? BK_REASON_ACCEPT_FRAGMENT : BK_REASON_ACCEPT_ECHO);
        }
        expect_reply(w, d);
        assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
        free(d);
        world_close(w);
    }
}

/* RFC 8200 4.5: "It should be noted that fragments may be duplicated in the network ... an implementation may choose to detect this
 * case and drop the exact duplicate fragments". */
static void duplicate_fragment_is_harmless(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, DATA, 77);
        assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, d, 800, 1600, true), ACCEPT_FRAGMENT); /* the same bytes */
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), ACCEPT_ECHO);
        expect_reply(w, d);
        free(d);
        world_close(w);
    }
}

/* RFC 5722 4: "if one or more its constituent fragments is determined to be an overlapping fragment, the entire datagram (and any constituent
 * fragments, including those not yet received) MUST be silently discarded." */
static void overlap_gives_the_datagram_up(void **state) {
    (void)state;
    static const struct { size_t begin, end; } bad[] = {{792, 1608}, {1592, 2400}, {0, 2400}, {0, 808}};
    EACH_FAMILY(f) {
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            struct world *w = acquainted(NULL);
            struct datagram *d = datagram(f->peer, f->us, DATA, 77);
            assert_reason(fragment_arrives(w, d, 800, 1600, true), ACCEPT_FRAGMENT);
            size_t end = bad[i].end - bad[i].begin > 1900 ? bad[i].begin + 1600 + 8 : bad[i].end;
            assert_reason(fragment_arrives(w, d, bad[i].begin, end, true), DROP_FRAGMENT_OVERLAP);
            assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
            assert_reason(fragment_arrives(w, d, 0, 800, true), DROP_FRAGMENT_OVERLAP);
            assert_reason(fragment_arrives(w, d, 1600, d->length, false), DROP_FRAGMENT_OVERLAP);
            expect_silence(w);
            free(d);
            world_close(w);
        }
    }
}

/* The same with a fragment that lies where one lies already, and says otherwise: neither version is believed. */
static void contradiction_gives_the_datagram_up(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, DATA, 77);
        assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
        d->bytes[1000] ^= 1;
        assert_reason(fragment_arrives(w, d, 0, 1600, true), DROP_FRAGMENT_OVERLAP);
        d->bytes[1000] ^= 1;
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), DROP_FRAGMENT_OVERLAP);
        d->id = 78; /* two ends: */
        assert_reason(fragment_arrives(w, d, 1600, 2400, false), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, d, 2400, d->length, false), DROP_FRAGMENT_BAD);
        d->id = 79; /* bytes past the end: */
        assert_reason(fragment_arrives(w, d, 1600, 2400, true), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, d, 800, 1600, false), DROP_FRAGMENT_BAD);
        expect_silence(w);
        free(d);
        world_close(w);
    }
}

/* RFC 8200 4.5: "If insufficient fragments are received to complete reassembly of a packet within 60 seconds ... reassembly of that
 * packet must be abandoned". For IPv4 it is 30 s, as in Linux. */
static void incomplete_datagram_is_given_up_in_time(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        uint64_t lifetime = (f == families ? 30 : 60) * SECOND;
        struct datagram *d = datagram(f->peer, f->us, DATA, 77);
        assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
        pass(w, lifetime - 1);
        assert_int_equal(in_use(w, BK_POOL_REASSEMBLIES), 1);
        pass(w, 1);
        assert_int_equal(in_use(w, BK_POOL_REASSEMBLIES), 0);
        assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), ACCEPT_FRAGMENT); /* begins anew */
        expect_silence(w);
        free(d);
        world_close(w);
    }
}

/* At the bound of datagrams the oldest makes room; a newer one is not harmed. */
static void oldest_datagram_makes_room(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(&(struct world_options){.reassemblies = 2});
        struct datagram *d = datagram(f->peer, f->us, DATA, 1);
        for (d->id = 1; d->id <= 3; d->id++) {
            assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
            pass(w, MILLISECOND);
        }
        assert_int_equal(in_use(w, BK_POOL_REASSEMBLIES), 2);
        assert_int_equal(count(w, BK_REASON_DROP_FRAGMENT_LIMIT), 1);
        d->id = 2;
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), ACCEPT_ECHO);
        expect_reply(w, d);
        d->id = 1;
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), ACCEPT_FRAGMENT);
        free(d);
        world_close(w);
    }
}

/* A datagram in more pieces with gaps between them than anybody needs is given up. */
static void too_many_gaps_give_the_datagram_up(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, DATA, 77);
        uint16_t reason = BK_REASON_ACCEPT_FRAGMENT;
        size_t n = 0;
        for (; reason == BK_REASON_ACCEPT_FRAGMENT; n++) reason = fragment_arrives(w, d, 8 + 16 * n, 16 + 16 * n, true);
        assert_reason(reason, DROP_FRAGMENT_LIMIT);
        assert_int_equal(n, 17);
        assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
        free(d);
        world_close(w);
    }
}

/* All datagrams together hold an eighth of the chunks (64 of 512) at most. */
static void chunks_held_are_bounded(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(&(struct world_options){.reassemblies = 64});
        struct datagram *d = datagram(f->peer, f->us, 60000, 1);
        for (d->id = 1; d->id <= 4; d->id++)
            for (size_t begin = 0; begin < 60000; begin += 1400) {
                fragment_arrives(w, d, begin, begin + 1400, true);
                assert_true(in_use(w, BK_POOL_CHUNKS) <= 64);
            }
        assert_true(count(w, BK_REASON_DROP_FRAGMENT_LIMIT) > 0);
        free(d);
        world_close(w);
    }
}

/* RFC 6946 4: "A host that receives an IPv6 packet that includes a Fragment Header with the "Fragment Offset" equal to 0 and the "M" flag
 * equal to 0 MUST process that packet in isolation from any other packets/fragments". */
static void atomic_fragment_stands_alone(void **state) {
    (void)state;
    struct world *w = acquainted(NULL);
    struct datagram *d = datagram("2001:db8::2", "2001:db8::1", 100, 77);
    struct datagram *other = datagram("2001:db8::2", "2001:db8::1", DATA, 77);
    assert_reason(fragment_arrives(w, other, 0, 1600, true), ACCEPT_FRAGMENT);
    assert_reason(fragment_arrives(w, d, 0, d->length, false), ACCEPT_ECHO);
    expect_reply(w, d);
    assert_reason(fragment_arrives(w, other, 1600, other->length, false), ACCEPT_ECHO);
    expect_reply(w, other);
    free(other);
    free(d);
    world_close(w);
}

/* RFC 791 3.2: fragments belong together by source, destination, protocol and identification. */
static void datagrams_are_told_apart(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, DATA, 77), *e = datagram(f->peer, f->us, DATA, 78);
        e->bytes[5] = 0x34;
        complete(&e->line, e->protocol, e->bytes, e->length, 2);
        assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, e, 1600, e->length, false), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, e, 0, 1600, true), ACCEPT_ECHO);
        expect_reply(w, e);
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), ACCEPT_ECHO);
        expect_reply(w, d);
        free(d);
        free(e);
        world_close(w);
    }
}

/* RFC 1858 3.2.1, 4: no TCP fragment that ends within the header, none with offset 8. RFC 8200 4.5: a length that is no multiple of 8 with M set, a
 * datagram of more than 65,535 bytes. RFC 7112 5: the first fragment holds all headers. */
static void impossible_fragments_are_dropped(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        bool ipv4 = f == families;
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, 65000, 77);
        assert_reason(fragment_arrives(w, d, 0, 1500, true), DROP_FRAGMENT_BAD);
        assert_reason(fragment_arrives(w, d, 64800, 64800, false), DROP_FRAGMENT_BAD);
        d->id = 78;
        d->protocol = WIRE_TCP;
        assert_reason(fragment_arrives(w, d, 0, 16, true), DROP_FRAGMENT_BAD);
        if (ipv4) assert_reason(fragment_arrives(w, d, 8, 800, true), DROP_FRAGMENT_BAD);
        memset(d->bytes + 65000, 0, 536);
        assert_reason(fragment_arrives(w, d, 65400, 65536, false), DROP_FRAGMENT_BAD);
        assert_int_equal(in_use(w, BK_POOL_REASSEMBLIES), 0);
        if (!ipv4) {
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_PARAMETER_PROBLEM));
            assert_int_equal(s.payload[1], 0);
            assert_int_equal(get_be32(s.payload + 4), 4); /* Payload Length */
            s = look(w, expect_sent(w, BK_REASON_SEND_PARAMETER_PROBLEM));
            assert_int_equal(get_be32(s.payload + 4), 42); /* Fragment Offset */
        }
        expect_silence(w);
        free(d);
        world_close(w);
    }
}

/* RFC 6980 5: "Nodes MUST silently ignore the following Neighbor Discovery ... messages if the packets carrying them include an IPv6
 * Fragmentation Header". */
static void fragmented_neighbour_discovery_is_dropped(void **state) {
    (void)state;
    struct world *w = acquainted(NULL);
    struct datagram *d = datagram("2001:db8::2", "2001:db8::1", 24, 77);
    d->line.hop_limit = 255;
    struct wire_neighbor m = {.target = ip("2001:db8::1")};
    d->length = wire_neighbor_emit(d->bytes, WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m);
    complete(&d->line, WIRE_ICMPV6, d->bytes, d->length, 2);
    assert_reason(fragment_arrives(w, d, 0, 16, true), ACCEPT_FRAGMENT);
    assert_reason(fragment_arrives(w, d, 16, d->length, false), DROP_ND_BAD);
    expect_silence(w);
    free(d);
    world_close(w);
}

/* An error about a reassembled datagram quotes it under one IP header. */
static void reassembled_datagram_can_be_quoted(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct datagram *d = datagram(f->peer, f->us, DATA, 77);
        d->protocol = WIRE_UDP;
        wire_udp_emit(d->bytes, &(struct wire_udp){.src_port = 5, .dst_port = 6, .length = (uint16_t)d->length});
        complete(&d->line, WIRE_UDP, d->bytes, d->length, 6);
        assert_reason(fragment_arrives(w, d, 1600, d->length, false), ACCEPT_FRAGMENT);
        assert_reason(fragment_arrives(w, d, 0, 1600, true), ANSWER_PORT_UNREACHABLE);
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_UNREACHABLE));
        assert_true(checksum_right(&s));
        const uint8_t *quoted = s.payload + 8;
        size_t header = f == families ? 20 : 40;
        assert_int_equal(quoted[f == families ? 9 : 6], WIRE_UDP);
        assert_int_equal(get_be16(quoted + (f == families ? 2 : 4)), d->length + (f == families ? 20 : 0));
        assert_memory_equal(quoted + header, d->bytes, s.length - 8 - header);
        free(d);
        world_close(w);
    }
}

/* RFC 3168 5.3: fragments of which one met congestion make a datagram that did ("the CE codepoint"), unless one was not
 * capable of saying so. Seen in the quoted header. */
static void congestion_of_a_fragment_is_the_datagrams(void **state) {
    (void)state;
    static const uint8_t rows[][3] = {{2, 3, 3}, {3, 2, 3}, {2, 2, 2}, {0, 0, 0}, {0, 3, 0}, {0xb9, 0xbb, 0xbb}};
    EACH_FAMILY(f) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct world *w = acquainted(NULL);
            struct datagram *d = datagram(f->peer, f->us, DATA, 77);
            d->protocol = WIRE_UDP;
            wire_udp_emit(d->bytes, &(struct wire_udp){.src_port = 5, .dst_port = 6, .length = (uint16_t)d->length});
            complete(&d->line, WIRE_UDP, d->bytes, d->length, 6);
            d->traffic_class = rows[i][0];
            assert_reason(fragment_arrives(w, d, 0, 1600, true), ACCEPT_FRAGMENT);
            d->traffic_class = rows[i][1];
            assert_reason(fragment_arrives(w, d, 1600, d->length, false), ANSWER_PORT_UNREACHABLE);
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_UNREACHABLE));
            const uint8_t *quoted = s.payload + 8;
            uint8_t got = f == families ? quoted[1] : (uint8_t)(get_be16(quoted) >> 4);
            assert_int_equal(got, rows[i][2]);
            free(d);
            world_close(w);
        }
    }
}

static uint16_t both_halves_arrive(struct world *w, const struct datagram *d) {
    fragment_arrives(w, d, 0, 1480, true);
    return fragment_arrives(w, d, 1480, d->length, false);
}

/* Each stack of a group gets all fragments, and one of them takes the datagram: the one whose flow it is, or, without ports, the first. */
static void one_stack_of_a_group_takes_a_datagram(void **state) {
    (void)state;
    struct bk_steering steering = {.stacks = 3, .key = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    EACH_FAMILY(f) for (uint16_t port = 1000; port < 1020; port++) {
        struct datagram *ping = datagram(f->peer, f->us, DATA, 9), *udp = datagram(f->peer, f->us, DATA - 8, 10);
        uint32_t owner = bk_steer(&steering, &udp->line.src, port, &udp->line.dst, 53);
        udp->protocol = WIRE_UDP;
        wire_udp_emit(udp->bytes, &(struct wire_udp){.src_port = port, .dst_port = 53, .length = DATA});
        complete(&udp->line, WIRE_UDP, udp->bytes, udp->length, 6);
        for (steering.index = 0; steering.index < steering.stacks; steering.index++) {
            struct world *w = acquainted(&(struct world_options){.steering = &steering});
            uint16_t reason = both_halves_arrive(w, udp);
            assert_true(reason ==
                        (steering.index == owner ? BK_REASON_ANSWER_PORT_UNREACHABLE : BK_REASON_DROP_OTHER_STACK));
            assert_true((sent(w, BK_REASON_SEND_UNREACHABLE) != NULL) == (steering.index == owner));
            reason = both_halves_arrive(w, ping);
            assert_true(reason == (steering.index == 0 ? BK_REASON_ACCEPT_ECHO : BK_REASON_DROP_OTHER_STACK));
            if (steering.index == 0) expect_reply(w, ping);
            expect_silence(w);
            world_close(w);
        }
        free(ping);
        free(udp);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_in_any_order_make_a_datagram),
        cmocka_unit_test(longest_datagram_is_reassembled),
        cmocka_unit_test(duplicate_fragment_is_harmless),
        cmocka_unit_test(overlap_gives_the_datagram_up),
        cmocka_unit_test(contradiction_gives_the_datagram_up),
        cmocka_unit_test(incomplete_datagram_is_given_up_in_time),
        cmocka_unit_test(oldest_datagram_makes_room),
        cmocka_unit_test(too_many_gaps_give_the_datagram_up),
        cmocka_unit_test(chunks_held_are_bounded),
        cmocka_unit_test(atomic_fragment_stands_alone),
        cmocka_unit_test(datagrams_are_told_apart),
        cmocka_unit_test(impossible_fragments_are_dropped),
        cmocka_unit_test(fragmented_neighbour_discovery_is_dropped),
        cmocka_unit_test(reassembled_datagram_can_be_quoted),
        cmocka_unit_test(congestion_of_a_fragment_is_the_datagrams),
        cmocka_unit_test(one_stack_of_a_group_takes_a_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
