/* Shows that echo is answered, that errors are sent where they must and nowhere else, and which errors reach TCP. */
#include "net_fixture.h"

struct family {
    const char *us, *peer, *group;
    bool ipv4;
};
static const struct family families[] = {{"192.0.2.1", "192.0.2.2", "224.0.0.1", true},
                                         {"2001:db8::1", "2001:db8::2", "ff02::1", false}};
#define EACH_FAMILY(f) for (const struct family *f = families; f < families + 2; f++)

/* A world that knows the peer's MAC, so that answers leave at once. */
static struct world *acquainted(const struct world_options *options) {
    struct world *w = world_open(options);
    settle(w);
    arrives_arp(w, WIRE_ARP_REQUEST, "192.0.2.2", peer_mac, "192.0.2.1");
    struct wire_neighbor m = {.target = ip("2001:db8::1"), .has_mac = true};
    memcpy(m.mac, peer_mac, 6);
    arrives_neighbor(w, line("2001:db8::2", "2001:db8::1"), WIRE_ICMPV6_NEIGHBOR_SOLICITATION, &m);
    forget(w);
    return w;
}

static size_t echo_request(const struct family *f, uint8_t *m, size_t data) {
    memset(m, 0, 8);
    m[0] = f->ipv4 ? WIRE_ICMP_ECHO : WIRE_ICMPV6_ECHO;
    put_be32(m + 4, 0x12340007);
    for (size_t i = 0; i < data; i++) m[8 + i] = (uint8_t)(i * 3);
    return 8 + data;
}

/* ---- echo ---- */

/* RFC 1122 3.2.2.6: "Every host MUST implement an ICMP Echo server function"; "Data received in an ICMP Echo Request MUST be entirely included in the
 * resulting Echo Reply"; "The IP source address in an ICMP Echo Reply MUST be the same as the specific-destination address". RFC
 * 4443 4.2 likewise. */
static void echo_is_answered(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 56, 57, 1400, 1472};
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            uint8_t m[1500];
            if (!f->ipv4 && sizes[i] > 1452) continue; /* longer than the link takes */
            size_t n = echo_request(f, m, sizes[i]);
            struct line l = line(f->peer, f->us);
            assert_reason(arrives_icmp(w, &l, m, n), ACCEPT_ECHO);
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_ECHO_REPLY));
            assert_int_equal(s.length, n);
            assert_int_equal(s.payload[0], f->ipv4 ? WIRE_ICMP_ECHO_REPLY : WIRE_ICMPV6_ECHO_REPLY);
            assert_memory_equal(s.payload + 4, m + 4, n - 4);
            assert_true(checksum_right(&s));
            assert_addr(&s.src, f->us);
            assert_addr(&s.dst, f->peer);
            assert_memory_equal(s.link.dst, peer_mac, 6);
            expect_silence(w);
        }
        assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
        assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
        world_close(w);
    }
}

/* The same when the request lies in many parts, begun and ended anywhere, the headers straddling them. */
static void echo_in_many_parts_is_answered(void **state) {
    (void)state;
    static const uint16_t lengths[] = {1, 13, 5, 16, 3, 20, 1, 2, 7};
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        uint8_t m[200];
        size_t n = echo_request(f, m, 101), at = 0;
        struct line l = line(f->peer, f->us);
        struct pen frame;
        icmp(w, &frame, &l, m, n);
        struct bk_part parts[10];
        uint32_t count_of_parts = 0;
        while (at < frame.length) {
            size_t left = frame.length - at;
            uint16_t length =
                count_of_parts < 9 && lengths[count_of_parts] < left ? lengths[count_of_parts] : (uint16_t)left;
            struct bk_part *part = &parts[count_of_parts];
            *part = (struct bk_part){.offset = (uint16_t)(11 * count_of_parts), .length = length};
            assert_int_equal(bk_chunk_alloc(w->stack, &part->chunk, 1), 1);
            memcpy(bk_chunk_data(w->stack, part->chunk) + part->offset, frame.bytes + at, length);
            at += length;
            count_of_parts++;
        }
        assert_int_equal(count_of_parts, 10);
        struct bk_rx rx = {.parts = parts, .part_count = (uint16_t)count_of_parts};
        bk_input(w->stack, 0, &rx, 1, w->now);
        assert_reason(rx.reason, ACCEPT_ECHO);
        collect(w);
        struct seen s = look(w, expect_sent(w, BK_REASON_SEND_ECHO_REPLY));
        assert_int_equal(s.length, n);
        assert_memory_equal(s.payload + 4, m + 4, n - 4);
        assert_true(checksum_right(&s));
        assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
        world_close(w);
    }
}

/* RFC 1122 3.2.2.6: "An ICMP Echo Request destined to an IP broadcast or IP multicast address MAY be silently discarded." */
static void echo_to_a_group_is_not_answered(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        uint8_t m[64];
        size_t n = echo_request(f, m, 8);
        struct line l = line(f->peer, f->group);
        assert_reason(arrives_icmp(w, &l, m, n), DROP_IP_DESTINATION);
        if (f->ipv4) {
            l = line(f->peer, "192.0.2.255");
            l.dst_mac = all_mac;
            assert_reason(arrives_icmp(w, &l, m, n), DROP_IP_DESTINATION);
            l.dst = ip("255.255.255.255");
            assert_reason(arrives_icmp(w, &l, m, n), DROP_IP_DESTINATION);
            l.dst = ip(f->us); /* RFC 1122 3.3.6: a link-layer broadcast */
            assert_reason(arrives_icmp(w, &l, m, n), DROP_IP_DESTINATION);
        }
        expect_silence(w);
        world_close(w);
    }
}

/* A broken checksum is no echo request (RFC 792, RFC 4443 2.3), nor is half a header. */
static void damaged_message_is_dropped(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        uint8_t m[64];
        struct pen frame;
        struct line l = line(f->peer, f->us);
        icmp(w, &frame, &l, m, echo_request(f, m, 9));
        for (size_t at = frame.length - 17; at < frame.length; at++) {
            frame.bytes[at] ^= 0x10;
            uint16_t reason = arrives(w, &frame);
            assert_true(reason == BK_REASON_DROP_ICMP_BAD);
            frame.bytes[at] ^= 0x10;
        }
        assert_reason(arrives_icmp(w, &l, m, 7), DROP_ICMP_BAD);
        expect_silence(w);
        world_close(w);
    }
}

/* An answer that finds too few frames free is not sent, which is counted, and harms nothing. */
static void echo_without_frames_is_counted(void **state) {
    (void)state;
    struct world *w = acquainted(&(struct world_options){.frames = 8});
    uint8_t m[64];
    size_t n = echo_request(&families[0], m, 8);
    struct line l = line("192.0.2.2", "192.0.2.1");
    struct pen frame;
    icmp(w, &frame, &l, m, n);
    for (int i = 0; i < 8; i++) /* not collected in between: they wait in the stack */
        assert_reason(bk_input_copy(w->stack, 0, frame.bytes, frame.length, w->now), ACCEPT_ECHO);
    assert_int_equal(count(w, BK_REASON_NOTE_REPLY_LOST), 2); /* a quarter is TCP's */
    collect(w);
    assert_int_equal(w->out_count, 6);
    assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
    world_close(w);
}

/* ---- errors that we send ---- */

static void expect_quote(struct world *w, const struct seen *s, const struct pen *asked) {
    (void)w;
    size_t n = s->length - 8;
    assert_true(checksum_right(s));
    assert_true(n >= asked->length - 14 || s->ip_length >= 576);
    assert_memory_equal(s->payload + 8, asked->bytes + 14, n);
}

/* RFC 1122 4.1.3.1: "If a datagram arrives addressed to a UDP port for which there is no pending LISTEN call, UDP SHOULD send an ICMP Port
 * Unreachable message." RFC 4443 3.1 (code 4) likewise; 2.4 c: as much of the packet as fits in the minimum IPv6
 * MTU. */
static void udp_draws_port_unreachable(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        for (size_t n = 8; n <= 1400; n += 1392) {
            struct world *w = acquainted(NULL);
            struct line l = line(f->peer, f->us);
            struct pen frame;
            uint8_t m[1400] = {0};
            wire_udp_emit(m, &(struct wire_udp){.src_port = 1000, .dst_port = 2000, .length = (uint16_t)n});
            complete(&l, WIRE_UDP, m, n, 6);
            packet(w, &frame, &l, WIRE_UDP, m, n);
            assert_reason(arrives(w, &frame), ANSWER_PORT_UNREACHABLE);
            struct seen s = look(w, expect_sent(w, BK_REASON_SEND_UNREACHABLE));
            assert_int_equal(s.payload[0], f->ipv4 ? WIRE_ICMP_UNREACHABLE : WIRE_ICMPV6_UNREACHABLE);
            assert_int_equal(s.payload[1], f->ipv4 ? 3 : 4);
            assert_true(s.ip_length <= (f->ipv4 ? 576u : 1280u));
            expect_quote(w, &s, &frame);
            expect_silence(w);
            world_close(w);
        }
    }
}

/* RFC 1122 3.2.2.1: "2 (Protocol Unreachable), when the designated transport protocol is not supported". RFC 8200 4: an unknown next
 * header draws a Parameter Problem "with an ICMP Code value of 1 ... and the ICMP Pointer field containing the offset of the unrecognized
 * value within the original packet". */
static void unknown_protocol_is_answered(void **state) {
    (void)state;
    uint8_t m[24] = {0};
    struct pen frame;
    struct world *w = acquainted(NULL);
    struct line l = line("192.0.2.2", "192.0.2.1");
    packet(w, &frame, &l, 132, m, 16);
    assert_reason(arrives(w, &frame), ANSWER_PROTOCOL);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_UNREACHABLE));
    assert_int_equal(s.payload[1], WIRE_ICMP_PROTOCOL);
    expect_quote(w, &s, &frame);

    l = line("2001:db8::2", "2001:db8::1");
    packet(w, &frame, &l, 132, m, 16);
    assert_reason(arrives(w, &frame), ANSWER_PROTOCOL);
    s = look(w, expect_sent(w, BK_REASON_SEND_PARAMETER_PROBLEM));
    assert_int_equal(s.payload[1], 1);
    assert_int_equal(get_be32(s.payload + 4), 6);
    expect_quote(w, &s, &frame);

    m[0] = 132; /* behind destination options, of which the first byte names it */
    m[2] = 1;
    m[3] = 4;
    packet(w, &frame, &l, WIRE_DESTINATION, m, 24);
    assert_reason(arrives(w, &frame), ANSWER_PROTOCOL);
    s = look(w, expect_sent(w, BK_REASON_SEND_PARAMETER_PROBLEM));
    assert_int_equal(get_be32(s.payload + 4), 40);
    expect_silence(w);
    world_close(w);
}

/* RFC 8200 4.2: an unknown option whose highest bits are 10 draws a Parameter Problem, code 2, "pointing to the unrecognized
 * Option Type"; with 01 the packet is discarded in silence. */
static void unknown_option_is_answered_as_it_asks(void **state) {
    (void)state;
    uint8_t m[16] = {WIRE_UDP, 0, 0x81, 4};
    struct pen frame;
    struct world *w = acquainted(NULL);
    struct line l = line("2001:db8::2", "2001:db8::1");
    packet(w, &frame, &l, WIRE_DESTINATION, m, sizeof m);
    assert_reason(arrives(w, &frame), DROP_IP_EXTENSION);
    struct seen s = look(w, expect_sent(w, BK_REASON_SEND_PARAMETER_PROBLEM));
    assert_int_equal(s.payload[1], 2);
    assert_int_equal(get_be32(s.payload + 4), 42);
    m[2] = 0x41;
    packet(w, &frame, &l, WIRE_DESTINATION, m, sizeof m);
    assert_reason(arrives(w, &frame), DROP_IP_EXTENSION);
    expect_silence(w);
    world_close(w);
}

/* RFC 1122 3.2.2: "An ICMP error message MUST NOT be sent as the result of receiving: an ICMP error message, or a datagram destined to an IP
 * broadcast or IP multicast address, or a datagram sent as a link-layer broadcast". */
static void groups_draw_no_error(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct line l = line(f->peer, f->group);
        assert_reason(arrives_udp(w, &l), DROP_IP_PROTOCOL);
        uint8_t m[16] = {0};
        struct pen frame;
        packet(w, &frame, &l, 132, m, sizeof m);
        assert_reason(arrives(w, &frame), DROP_IP_PROTOCOL);
        l = line(f->peer, f->us);
        l.dst_mac = all_mac;
        assert_int_not_equal(arrives_udp(w, &l), BK_REASON_ANSWER_PORT_UNREACHABLE);
        expect_silence(w);
        world_close(w);
    }
}

/* RFC 4443 2.4 f: "in order to limit the bandwidth and forwarding costs incurred by originating ICMPv6 error messages, an IPv6 node MUST limit the
 * rate of ICMPv6 error messages it originates." Ours: 32 at once, then 100 a second. */
static void errors_are_limited(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct world *w = acquainted(NULL);
        struct line l = line(f->peer, f->us);
        for (int i = 0; i < 32; i++) assert_reason(arrives_udp(w, &l), ANSWER_PORT_UNREACHABLE);
        assert_reason(arrives_udp(w, &l), DROP_ICMP_LIMIT);
        assert_int_equal(w->out_count, 32);
        forget(w);
        pass(w, 10 * MILLISECOND);
        assert_reason(arrives_udp(w, &l), ANSWER_PORT_UNREACHABLE);
        assert_reason(arrives_udp(w, &l), DROP_ICMP_LIMIT);
        pass(w, 100 * SECOND); /* it holds no more than it held */
        forget(w);
        for (int i = 0; i < 33; i++) arrives_udp(w, &l);
        assert_int_equal(count(w, BK_REASON_DROP_ICMP_LIMIT), 3);
        world_close(w);
    }
}

/* ---- errors that arrive ---- */

/* An active open whose SYN is out. */
struct opening {
    struct world *w;
    bk_conn conn;
    uint8_t syn[128]; /* the IP packet */
    size_t syn_length;
};
static struct opening open_to_peer(const struct family *f) {
    struct opening o = {.w = acquainted(NULL)};
    struct bk_tcp_open open = {.local = ip(f->us), .remote = ip(f->peer), .remote_port = 80};
    assert_int_equal(bk_tcp_connect(o.w->stack, &open, o.w->now, &o.conn), 0);
    collect(o.w);
    struct seen s = look(o.w, expect_sent(o.w, BK_REASON_SEND_SYN));
    assert_true(s.ip_length <= sizeof o.syn);
    memcpy(o.syn, s.ip, s.ip_length);
    o.syn_length = s.ip_length;
    return o;
}
static struct opening established(const struct family *f) {
    struct opening o = open_to_peer(f);
    const uint8_t *tcp = o.syn + (f->ipv4 ? 20 : 40);
    struct line l = line(f->peer, f->us);
    struct wire_tcp t = {.src_port = 80,
                         .dst_port = get_be16(tcp),
                         .seq = 5000,
                         .ack = get_be32(tcp + 4) + 1,
                         .flags = WIRE_SYN | WIRE_ACK,
                         .window = 8000,
                         .option.mss = 1460};
    assert_reason(arrives_tcp(o.w, &l, &t), ACCEPT_SYN_ACK);
    static const uint8_t data[1200] = {1};
    assert_int_equal(bk_tcp_send(o.w->stack, o.conn, data, sizeof data, 0, o.w->now), sizeof data);
    forget(o.w);
    collect(o.w);
    struct seen s = look(o.w, expect_sent(o.w, BK_REASON_SEND_DATA));
    memcpy(o.syn, s.ip, sizeof o.syn); /* the quote is of the data now */
    o.syn_length = sizeof o.syn;
    return o;
}
/* An error from a router, that quotes the packet. */
static uint16_t error_arrives(struct opening *o, const struct family *f, uint8_t type, uint8_t code, uint32_t rest,
                              size_t quote) {
    uint8_t m[8 + 128];
    wire_icmp_emit(m, &(struct wire_icmp){.type = type, .code = code, .rest = rest});
    memcpy(m + 8, o->syn, quote);
    struct line l = line(f->ipv4 ? "192.0.2.9" : "2001:db8::9", f->us);
    return arrives_icmp(o->w, &l, m, 8 + quote);
}
static struct bk_tcp_info status(const struct opening *o) {
    struct bk_tcp_info info;
    assert_int_equal(bk_tcp_status(o->w->stack, o->conn, &info), 0);
    return info;
}

/* RFC 9293 3.9.2.2: "Destination Unreachable -- codes 2-4. These are hard error conditions, so TCP implementations SHOULD
 * abort the connection"; of codes 0, 1, 5, time exceeded and parameter problem: "MUST NOT abort the connection". RFC 5461 2: of ICMPv6 code 1 and 4 are
 * hard; 4.1: a synchronized connection takes hard errors as soft. */
static void errors_end_an_open_only_when_hard(void **state) {
    (void)state;
    static const struct {
        bool ipv4;
        uint8_t type, code;
        int error; /* that the open ends with; 0: it goes on */
    } rows[] = {
        {true, 3, 0, 0},     {true, 3, 1, 0},  {true, 3, 2, -92}, {true, 3, 3, -111},  {true, 3, 5, 0},
        {true, 3, 13, 0},    {true, 11, 0, 0}, {true, 11, 1, 0},  {true, 12, 0, 0},    {false, 1, 0, 0},
        {false, 1, 1, -113}, {false, 1, 2, 0}, {false, 1, 3, 0},  {false, 1, 4, -111}, {false, 1, 5, -113},
        {false, 1, 6, -113}, {false, 3, 0, 0}, {false, 4, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct family *f = &families[rows[i].ipv4 ? 0 : 1];
        struct opening o = open_to_peer(f);
        assert_reason(error_arrives(&o, f, rows[i].type, rows[i].code, 0, o.syn_length), ACCEPT_ICMP_ERROR);
        assert_int_equal(status(&o).state, rows[i].error != 0 ? BK_CLOSED : BK_SYN_SENT);
        assert_int_equal(status(&o).error, rows[i].error);
        world_close(o.w);
        o = established(f);
        assert_reason(error_arrives(&o, f, rows[i].type, rows[i].code, 0, 60), ACCEPT_ICMP_ERROR);
        assert_int_equal(status(&o).state, BK_ESTABLISHED);
        world_close(o.w);
    }
}

/* RFC 792: "The internet header plus the first 64 bits of the original datagram's data" is all that need be quoted of IPv4. */
static void eight_quoted_bytes_suffice(void **state) {
    (void)state;
    struct opening o = open_to_peer(&families[0]);
    assert_reason(error_arrives(&o, &families[0], 3, 3, 0, 27), DROP_ICMP_UNRELATED);
    assert_int_equal(status(&o).state, BK_SYN_SENT);
    assert_reason(error_arrives(&o, &families[0], 3, 3, 0, 28), ACCEPT_ICMP_ERROR);
    assert_int_equal(status(&o).state, BK_CLOSED);
    world_close(o.w);
}

/* RFC 5927 4.1: the quoted sequence number must be that of data sent and not yet acknowledged. And what is quoted must be from us, and to a peer that we know. */
static void unrelated_errors_are_dropped(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct opening o = open_to_peer(f);
        size_t ip_header = f->ipv4 ? 20 : 40;
        uint8_t type = f->ipv4 ? 3 : 1, code = f->ipv4 ? 3 : 4;
        static const uint8_t wrong[] = {0, 2, 4}; /* port, port, sequence number */
        for (size_t i = 0; i < sizeof wrong; i++) {
            o.syn[ip_header + wrong[i]] ^= 0x40;
            assert_reason(error_arrives(&o, f, type, code, 0, o.syn_length), DROP_ICMP_UNRELATED);
            o.syn[ip_header + wrong[i]] ^= 0x40;
        }
        size_t spots[] = {0, f->ipv4 ? 9 : 6, ip_header - 1,
                          f->ipv4 ? 15 : 23}; /* version, protocol, destination, source */
        for (size_t i = 0; i < 4; i++) {
            o.syn[spots[i]] ^= 0x10;
            assert_reason(error_arrives(&o, f, type, code, 0, o.syn_length), DROP_ICMP_UNRELATED);
            o.syn[spots[i]] ^= 0x10;
        }
        if (f->ipv4) { /* a later fragment holds no ports */
            o.syn[7] = 1;
            assert_reason(error_arrives(&o, f, type, code, 0, o.syn_length), DROP_ICMP_UNRELATED);
            o.syn[7] = 0;
        }
        /* An error comes to the address that the packet came from, not to another one of ours. */
        struct family elsewhere = *f;
        elsewhere.us = f->ipv4 ? "192.0.2.5" : "2001:db8::5";
        bk_addr a = ip(elsewhere.us);
        assert_int_equal(bk_iface_address_add(o.w->stack, 0, &a, 24, true, o.w->now), 0);
        assert_reason(error_arrives(&o, &elsewhere, type, code, 0, o.syn_length), DROP_ICMP_UNRELATED);
        assert_int_equal(status(&o).state, BK_SYN_SENT);
        assert_reason(error_arrives(&o, f, type, code, 0, o.syn_length), ACCEPT_ICMP_ERROR);
        world_close(o.w);
    }
}

/* RFC 1191 6.4, RFC 8201 5.4: after "too big" segments are smaller. RFC 1191 5, 7: without a next-hop MTU in the message, the
 * next plateau below the quoted length is tried. RFC 8201 4: a next-hop MTU below the IPv6 minimum link MTU is discarded. */
static void too_big_shrinks_segments(void **state) {
    (void)state;
    static const struct {
        bool ipv4;
        uint32_t mtu;
        uint16_t reason;
        uint32_t mss;
    } rows[] = {
        {true, 1000, BK_REASON_ACCEPT_ICMP_ERROR, 960},
        {true, 0, BK_REASON_ACCEPT_ICMP_ERROR, 966}, /* 1,006 is the plateau below 1,240 */
        {false, 1280, BK_REASON_ACCEPT_ICMP_ERROR, 1220},
        {false, 1279, BK_REASON_DROP_ICMP_BAD, 1440},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct family *f = &families[rows[i].ipv4 ? 0 : 1];
        struct opening o = established(f);
        uint16_t got = error_arrives(&o, f, rows[i].ipv4 ? 3 : 2, rows[i].ipv4 ? 4 : 0, rows[i].mtu, 60);
        assert_int_equal(got, rows[i].reason);
        assert_int_equal(status(&o).send_mss, rows[i].mss);
        world_close(o.w);
    }
}

/* RFC 9293 3.9.2.2: "TCP implementations MUST silently discard any received ICMP Source Quench messages (MUST-55)." Nor is anything else acted upon. */
static void other_types_are_dropped(void **state) {
    (void)state;
    static const uint8_t ipv4_types[] = {0, 4, 5, 9, 13, 17, 200}, ipv6_types[] = {129, 137, 200, 5, 127};
    struct world *w = acquainted(NULL);
    for (size_t i = 0; i < sizeof ipv4_types; i++) {
        uint8_t m[36] = {ipv4_types[i]};
        struct line l = line("192.0.2.2", "192.0.2.1");
        assert_reason(arrives_icmp(w, &l, m, sizeof m), DROP_ICMP_TYPE);
    }
    for (size_t i = 0; i < sizeof ipv6_types; i++) {
        uint8_t m[48] = {ipv6_types[i]};
        struct line l = line("2001:db8::2", "2001:db8::1");
        assert_reason(arrives_icmp(w, &l, m, sizeof m), DROP_ICMP_TYPE);
    }
    expect_silence(w);
    world_close(w);
}

/* RFC 4861 7.2.2: when resolution fails the sender hears "destination unreachable" of each packet that waited; which is a soft
 * error: the open goes on. */
static void absent_neighbour_is_a_soft_error(void **state) {
    (void)state;
    EACH_FAMILY(f) {
        struct opening o = {.w = world_open(NULL)};
        struct bk_tcp_open open = {.local = ip(f->us), .remote = ip(f->peer), .remote_port = 80};
        assert_int_equal(bk_tcp_connect(o.w->stack, &open, o.w->now, &o.conn), 0);
        collect(o.w);
        pass(o.w, 4 * SECOND);
        assert_int_equal(count(o.w, BK_REASON_DROP_NO_NEIGHBOUR), 1);
        assert_int_equal(status(&o).state, BK_SYN_SENT);
        world_close(o.w);
    }
}

/* A parameter problem that the limit withholds leaves the packet's own reason, and is counted. */
static void withheld_problem_is_counted(void **state) {
    (void)state;
    struct world *w = acquainted(NULL);
    struct line l = line("2001:db8::2", "2001:db8::1");
    for (int i = 0; i < 32; i++) arrives_udp(w, &l);
    forget(w);
    uint8_t m[16] = {WIRE_UDP, 0, 0x81, 4};
    struct pen frame;
    packet(w, &frame, &l, WIRE_DESTINATION, m, sizeof m);
    assert_reason(arrives(w, &frame), DROP_IP_EXTENSION);
    assert_int_equal(count(w, BK_REASON_DROP_ICMP_LIMIT), 1);
    expect_silence(w);
    world_close(w);
}

/* An echo request in more parts than a frame can name is not answered, which is counted. */
static void echo_in_too_many_parts_is_counted(void **state) {
    (void)state;
    struct world *w = acquainted(NULL);
    uint8_t m[60];
    struct line l = line("192.0.2.2", "192.0.2.1");
    struct pen frame;
    icmp(w, &frame, &l, m, echo_request(&families[0], m, 40));
    struct bk_part parts[41];
    for (uint32_t i = 0; i < 41; i++) {
        parts[i] = (struct bk_part){.length = (uint16_t)(i == 0 ? frame.length - 40 : 1)};
        assert_int_equal(bk_chunk_alloc(w->stack, &parts[i].chunk, 1), 1);
        memcpy(bk_chunk_data(w->stack, parts[i].chunk), frame.bytes + (i == 0 ? 0 : frame.length - 41 + i),
               parts[i].length);
    }
    struct bk_rx rx = {.parts = parts, .part_count = 41};
    bk_input(w->stack, 0, &rx, 1, w->now);
    collect(w);
    assert_reason(rx.reason, ACCEPT_ECHO);
    assert_int_equal(count(w, BK_REASON_NOTE_REPLY_LOST), 1);
    expect_silence(w);
    assert_int_equal(in_use(w, BK_POOL_CHUNKS), 0);
    assert_int_equal(in_use(w, BK_POOL_FRAMES), 0);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_is_answered),
        cmocka_unit_test(echo_in_many_parts_is_answered),
        cmocka_unit_test(echo_to_a_group_is_not_answered),
        cmocka_unit_test(damaged_message_is_dropped),
        cmocka_unit_test(echo_without_frames_is_counted),
        cmocka_unit_test(udp_draws_port_unreachable),
        cmocka_unit_test(unknown_protocol_is_answered),
        cmocka_unit_test(unknown_option_is_answered_as_it_asks),
        cmocka_unit_test(groups_draw_no_error),
        cmocka_unit_test(errors_are_limited),
        cmocka_unit_test(errors_end_an_open_only_when_hard),
        cmocka_unit_test(eight_quoted_bytes_suffice),
        cmocka_unit_test(unrelated_errors_are_dropped),
        cmocka_unit_test(too_big_shrinks_segments),
        cmocka_unit_test(other_types_are_dropped),
        cmocka_unit_test(absent_neighbour_is_a_soft_error),
        cmocka_unit_test(withheld_problem_is_counted),
        cmocka_unit_test(echo_in_too_many_parts_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
